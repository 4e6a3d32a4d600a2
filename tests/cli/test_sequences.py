#!/usr/bin/env python3
"""Texts, sums, dates and words: gemmgrad train char-lm, addition, date, word2vec; gemmgrad generate and gradflow."""
import json
import math
import os
import re
import shutil
import signal
from random import Random

from program import ProgramTest, main

SMALL = {"char-lm": ("--hidden", 32, "--embedding", 16, "--layers", 1, "--window", 32),
         "addition": ("--hidden", 24), "date": ("--hidden", 32), "word2vec": ("--hidden", 16)}
GNUPLOT = b"#!/bin/sh\ncase \"$1\" in -e) echo ' png ' >&2;; *) cat >\"$SCRIPT\";; esac\n"


class SequenceTest(ProgramTest):
    def train(self, task, *arguments, **options):
        return self.succeeds("train", task, "--threads", 1, *SMALL[task], *arguments, **options)

    def figures(self, task, *arguments):
        return json.loads(self.train(task, *arguments, "--json", "-").stdout)

    def sums(self, count, seed=1):
        random = Random(seed)
        lines = []
        for _ in range(count):
            a, b = random.randrange(20), random.randrange(20)
            lines.append(f"{a}+{b}".ljust(5) + f"_{a + b}".ljust(3))
        return self.write("sums.txt", "\n".join(lines).encode() + b"\n")

    def dates(self, count, seed=1):
        random = Random(seed)
        lines = []
        for _ in range(count):
            year, month, day = random.randrange(1970, 2017), random.randrange(1, 13), random.randrange(1, 29)
            forms = (f"{month}/{day}/{year % 100:02}", f"Jan' \\{day}, {year}")
            lines.append(random.choice(forms).ljust(14) + f"_{year}-{month:02}-{day:02}")
        return self.write("dates.txt", "\n".join(lines).encode() + b"\n")

    def copies(self, count):
        """Six digits and the same again: what each character of the answer is to look at is known."""
        random = Random(1)
        lines = ["".join(random.choice("0123456789") for _ in range(6)) for _ in range(count)]
        return self.write("copies.txt", "".join(f"{line}_{line}\n" for line in lines).encode())

    def false_gnuplot(self):
        """The environment in which the program's script for gnuplot goes to the file "script"."""
        os.chmod(self.write("bin/gnuplot", GNUPLOT), 0o755)
        return {"PATH": f"{self.path('bin')}:{os.environ['PATH']}", "SCRIPT": self.path("script")}

    def text(self):
        return self.write("text.txt", b"the cat sat on the mat; a dog ran to the man.\n" * 60)


class Figures(SequenceTest):
    def test_char_lm(self):
        figures = self.figures("char-lm", "--data", self.text(), "--epochs", 25, "--batch", 8, "--lr", 0.02)
        self.assertEqual(figures["unit"], "characters")
        self.assertEqual(figures["allocations_per_step"], 0)
        self.assertAlmostEqual(figures["perplexity"], math.exp(figures["test_loss"]), places=3)
        losses = [epoch["train_loss"] for epoch in figures["epochs"]]
        self.assertLess(losses[-1], 0.5 * losses[0])
        self.assertLess(figures["test_loss"], 1.0)
        self.assertGreater(figures["test_accuracy"], 0.6)
        self.assertTrue(0.9 < figures["sgemm_share"] <= 1.05, figures["sgemm_share"])

    def test_the_programs_own_text(self):
        for cell in ("rnn", "gru", "lstm"):
            done = self.train("char-lm", "--cell", cell, "--epochs", 1)
            self.assertIn("perplexity on the test set", done.stdout)
            self.assertIn("54000 training and 6000 test characters", done.stdout)

    def test_addition(self):
        for variant in ("plain", "reversed", "peeky"):
            done = self.train("addition", "--data", self.sums(400), "--variant", variant, "--epochs", 4, "--batch", 20,
                              "--lr", 0.01, "--json", "figures.json")
            figures = self.read_json("figures.json")
            self.assertLess(figures["epochs"][-1]["train_loss"], 0.8 * figures["epochs"][0]["train_loss"])
            self.assertTrue(0 <= figures["test_accuracy"] <= 1)
            for words in ("exact answers on the test set", "Questions of the test", "characters per second"):
                self.assertIn(words, done.stdout)

    def test_dates(self):
        for attention in ("dot", "scaled", "general", "additive", "local", "none"):
            done = self.train("date", "--data", self.dates(400), "--attention", attention, "--epochs", 3, "--batch", 20,
                              "--lr", 0.01, "--json", "figures.json")
            figures = self.read_json("figures.json")
            self.assertLess(figures["epochs"][-1]["train_loss"], 0.8 * figures["epochs"][0]["train_loss"])
            self.assertEqual(figures["allocations_per_step"], 0)
            self.assertTrue(0.9 < figures["sgemm_share"] <= 1.05, (attention, figures["sgemm_share"]))
            for words in ("exact answers on the test set", "Questions of the test", "-"):
                self.assertIn(words, done.stdout)

    def test_attention_looks_at_what_it_copies(self):
        options = ("--data", self.copies(1000), "--epochs", 12, "--batch", 20, "--lr", 0.01, "--json", "figures.json")
        exact = {}
        for attention in ("none", "dot", "local"):
            self.train("date", *options, "--attention", attention, "--plot", "p.png", env=self.false_gnuplot())
            exact[attention] = self.read_json("figures.json")["test_accuracy"]
            script = self.read("script").decode()
            self.assertIn("Test accuracy", script)
            if attention == "none":
                self.assertNotIn("$weights", script)
                continue
            self.assertGreater(exact[attention], 0.9)
            self.assertLess(exact["none"], 0.5)
            rows = [list(map(float, line.split()))
                    for line in script.split("$weights << EOD\n")[1].split("EOD")[0].splitlines()]
            self.assertEqual([row.index(max(row)) for row in rows], list(range(6)), attention)
            if attention == "dot":
                self.assertTrue(all(abs(sum(row) - 1) < 1e-3 for row in rows))
            asked, said = (re.findall(r"'(.)' \d", line) for line in re.findall("set [xy]tics scale.*", script))
            self.assertEqual(asked, said)

    def test_word2vec(self):
        for variant in ("cbow", "skip-gram", "cbow-softmax", "skip-gram-softmax"):
            done = self.train("word2vec", "--data", self.text(), "--variant", variant, "--epochs", 2, "--window", 2,
                              "--batch", 32, "--lr", 0.01, "--json", "figures.json")
            figures = self.read_json("figures.json")
            self.assertLess(figures["epochs"][1]["train_loss"], figures["epochs"][0]["train_loss"])
            self.assertIsNone(figures["test_accuracy"])
            self.assertEqual(figures["sgemm_share"], 1.0 if variant.endswith("softmax") else None)
            self.assertIn("words per second", done.stdout)
            self.assertIn("most similar", done.stdout)

    def test_pictures(self):
        env = self.false_gnuplot()
        self.train("char-lm", "--data", self.text(), "--epochs", 2, "--plot", "p.png", env=env)
        words = self.read("script").decode()
        for line in ("title 'test'", "perplexity", "set title 'Test accuracy'"):
            self.assertIn(line, words)
        self.train("word2vec", "--data", self.text(), "--epochs", 2, "--plot", "p.png", env=env)
        self.assertNotIn("Test accuracy", self.read("script").decode())

    def test_real_pictures(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        for task, data in (("char-lm", self.text()), ("word2vec", self.text()), ("date", self.dates(100))):
            done = self.train(task, "--data", data, "--epochs", 1, "--plot", "p.png")
            self.assertEqual(self.read("p.png")[:8], b"\x89PNG\r\n\x1a\n")
            self.assertEqual([line for line in done.stderr.splitlines() if not line.startswith(task)], [])


class Resume(SequenceTest):
    def test_resumed_equals_uninterrupted(self):
        for task, data in (("char-lm", self.text()), ("addition", self.sums(200)), ("date", self.dates(200)),
                           ("word2vec", self.text())):
            options = ("--data", data, "--batch", 16)
            self.train(task, *options, "--epochs", 3, "--save", "whole")
            self.train(task, *options, "--epochs", 1, "--save", "part")
            self.train(task, *options, "--epochs", 3, "--resume", "part", "--save", "resumed")
            self.assertEqual(self.read("whole"), self.read("resumed"), task)

    def test_stopped_in_the_midst_of_a_text(self):
        options = ("train", "char-lm", "--threads", 1, *SMALL["char-lm"], "--batch", 4)
        process = self.start_program(*options, "--epochs", 100000, "--save", "stopped", "--json", "stopped.json")
        self.addCleanup(process.kill)
        self.assertIn("epoch 1/100000", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, errors)
        total = len(self.read_json("stopped.json")["epochs"]) + 1
        self.succeeds(*options, "--epochs", total, "--resume", "stopped", "--save", "resumed")
        self.succeeds(*options, "--epochs", total, "--save", "whole")
        self.assertEqual(self.read("resumed"), self.read("whole"))

    def test_another_attention(self):
        options = ("--data", self.dates(100), "--epochs", 2)
        self.train("date", *options, "--attention", "dot", "--save", "a")
        self.fails(1, ["attention dot", "scaled"], "train", "date", *SMALL["date"], *options, "--attention", "scaled",
                   "--resume", "a")

    def test_a_checkpoint_of_something_else(self):
        self.train("char-lm", "--data", self.text(), "--epochs", 1, "--save", "a")
        self.write("other.txt", b"quite another text, with other letters. " * 60)
        for words, *options in ((["characters"], "--data", "other.txt"), (["cell lstm", "gru"], "--cell", "gru"),
                                (["window 32", "16"], "--window", 16), (["hidden 32", "33"], "--hidden", 33)):
            arguments = [*SMALL["char-lm"], "--data", "text.txt", *options]
            self.fails(1, words, "train", "char-lm", *arguments, "--resume", "a")


class Generate(SequenceTest):
    def setUp(self):
        super().setUp()
        self.train("char-lm", "--data", self.text(), "--epochs", 25, "--batch", 8, "--lr", 0.02, "--save", "model")

    def generate(self, *arguments):
        return self.succeeds("generate", "model", *arguments).stdout

    def test_it_writes_as_it_has_read(self):
        text = self.generate("--prompt", "the cat", "--length", 40, "--temperature", 0)
        self.assertTrue(text.startswith("the cat sat on the mat;"), text)
        self.assertEqual(len(text), len("the cat") + 40 + 1)

    def test_the_model_alone_is_enough(self):
        os.remove(self.path("text.txt"))
        self.assertEqual(len(self.generate("--length", 10)), 11)

    def test_seeds_and_temperatures(self):
        one = self.generate("--temperature", 1, "--seed", 1)
        self.assertEqual(one, self.generate("--temperature", 1, "--seed", 1))
        self.assertNotEqual(one, self.generate("--temperature", 1, "--seed", 2))
        self.assertNotEqual(one, self.generate("--temperature", 2, "--seed", 1))

    def test_training_shows_what_generate_writes(self):
        """Whatever states training has left: both begin a text anew."""
        done = self.train("char-lm", "--data", self.text(), "--epochs", 3, "--save", "three")
        shown = done.stdout.split("at temperature 0.7:\n")[1]
        written = self.succeeds("generate", "three", "--prompt", "t", "--length", 300, "--temperature",
                                0.7).stdout
        self.assertTrue(shown.startswith(written), (shown, written))

    def test_refusals(self):
        self.fails(1, ["'Z'", "none of the"], "generate", "model", "--prompt", "the Z")
        self.fails(1, ["nowhere"], "generate", "nowhere")
        self.succeeds("train", "spiral", "--epochs", 1, "--save", "spiral")
        self.fails(1, ["spiral", "char-lm"], "generate", "spiral")
        self.fails(1, ["text.txt"], "generate", "text.txt")
        self.fails(2, ["which model"], "generate")
        self.fails(2, ["'more'"], "generate", "model", "more")
        for option, value in (("temperature", "-1"), ("temperature", "nan"), ("temperature", "hot"), ("length", "0"),
                              ("length", "x"), ("seed", "-1")):
            self.fails(2, [f"--{option}", f"'{value}'"], "generate", "model", f"--{option}", value)

    def test_damaged_models(self):
        whole = self.read("model")
        size = int.from_bytes(whole[:8], "little")
        first, end = (8 + size + offset for offset in json.loads(whole[8:8 + size])["affine1.b"]["data_offsets"])
        self.write("nan", whole[:first] + b"\0\0\xc0\x7f" * ((end - first) // 4) + whole[end:])
        self.fails(1, ["scores", "NaN"], "generate", "nan")
        for cut in (0, 7, 100, len(whole) // 2, len(whole) - 1):
            self.write("cut", whole[:cut])
            self.fails(1, ["cut"], "generate", "cut")
        for key, value in ((b'"hidden":"32"', b'"hidden":"99"'), (b'"layers":"1"', b'"layers":"9"'),
                           (b'"cell":"lstm"', b'"cell":"lost"'), (b'"hidden":"32"', b'"hidden":"0x"')):
            self.assertIn(key, whole)
            self.write("changed", whole.replace(key, value))
            self.fails(1, [], "generate", "changed")


class BadInput(SequenceTest):
    def refuses(self, task, data, *words):
        self.write("bad", data)
        self.fails(1, ["bad", *words], "train", task, "--data", "bad", "--save", "s", "--json", "j.json")

    def test_texts(self):
        self.refuses("char-lm", b"", "empty")
        self.refuses("char-lm", b"x", "1 characters")
        self.refuses("word2vec", b"", "empty")
        self.refuses("word2vec", b"\0\0 .. \r\n", "no words")
        self.refuses("word2vec", b"every word once", "5 times")
        self.fails(1, ["nowhere"], "train", "char-lm", "--data", "nowhere")
        self.fails(1, ["neighbours"], "train", "word2vec", "--data", self.write("few", b"a b " * 5), "--window", 6)

    def test_texts_of_any_bytes(self):
        self.write("bytes", bytes(range(256)) * 4)
        self.train("char-lm", "--data", "bytes", "--epochs", 1, "--save", "model")
        self.assertEqual(len(self.run_bytes("generate", "model", "--length", 50)), 51)
        self.write("one", b"a" * 400)
        self.train("char-lm", "--data", "one", "--epochs", 1)
        self.write("dos", b"one two\r\nthree\r\n" * 30)
        self.train("char-lm", "--data", "dos", "--epochs", 1)

    def run_bytes(self, *arguments):
        with open(self.path("out"), "wb") as out:
            self.succeeds(*arguments, stdout=out)
        return self.read("out")

    def test_lines(self):
        self.refuses("addition", b"", "empty")
        self.refuses("addition", b"\n\n", "no line")
        self.refuses("addition", b"1+2_3\n4+5 9\n", "line 2", "no '_'")
        self.refuses("addition", b"1+2_3\r\n\r\n4+5_\r\n", "line 3", "no answer")
        self.refuses("addition", b"1+2_3\n4+\0_9\n", "line 2", "zero byte")
        self.refuses("addition", b"1+2_3\n" + b"9" * 5000 + b"_1\n", "line 2", "5002 characters")
        self.refuses("addition", b"1+2_3\n", "1 pairs")
        self.write("dos", b"1+1_2\r\n2+2_4\r\n3+3_6\r\n")
        self.train("addition", "--data", "dos", "--epochs", 1)

    def test_options(self):
        self.fails(2, ["--cell", "'lstn'", "rnn gru lstm"], "train", "char-lm", "--cell", "lstn")
        self.fails(2, ["--cell", "''"], "train", "char-lm", "--cell", "")
        self.fails(2, ["--variant", "'backwards'", "peeky"], "train", "addition", "--variant", "backwards")
        self.fails(2, ["--variant", "'peeky'", "cbow"], "train", "word2vec", "--variant", "peeky")
        self.fails(2, ["--attention", "'luong'", "dot scaled"], "train", "date", "--attention", "luong")
        self.fails(2, ["--attention", "''"], "train", "date", "--attention", "")
        self.fails(2, ["--attention", "addition"], "train", "addition", "--attention", "dot")
        self.fails(2, ["--variant", "char-lm"], "train", "char-lm", "--variant", "plain")
        self.fails(2, ["--cell", "spiral"], "train", "spiral", "--cell", "lstm")
        for option, value in (("hidden", "0"), ("layers", "65"), ("embedding", "x"), ("window", "-1"),
                              ("dropout", "1"), ("dropout", "-0.1"), ("dropout", "")):
            self.fails(2, [f"--{option}", f"'{value}'"], "train", "char-lm", f"--{option}", value)


class GradientFlow(SequenceTest):
    def test_slopes_follow_the_eigenvalues(self):
        done = self.succeeds("gradflow", "--json", "flow.json")
        flow = self.read_json("flow.json")
        self.assertEqual((flow["hidden"], flow["steps"]), (64, 100))
        linear = [case for case in flow["cases"] if case["linear"]]
        self.assertEqual([round(case["radius"], 3) for case in linear], [0.9, 1.0, 1.1])
        for case in linear:
            self.assertAlmostEqual(case["predicted_slope"], math.log(case["radius"]), places=4)
            allowed = max(0.1 * abs(case["predicted_slope"]), 0.005)
            self.assertLess(abs(case["slope"] - case["predicted_slope"]), allowed)
        for case in flow["cases"]:
            self.assertIn(case["name"], done.stdout)
            self.assertEqual(len(case["norms"]), 101)
            self.assertEqual(case["norms"][0], 1.0)
            self.assertGreaterEqual(case["largest_singular_value"], case["radius"])
        self.assertLess(linear[2]["clip_factor"], 1)
        self.assertEqual(linear[0]["clip_factor"], 1)
        by_name = {case["name"]: case["slope"] for case in flow["cases"]}
        self.assertGreater(by_name["LSTM, forget bias 4"], by_name["LSTM, forget bias 1"])
        self.assertGreater(by_name["LSTM, forget bias 1"], by_name["RNN, tanh, radius 1.0"])

    def test_attention_is_a_short_path(self):
        done = self.succeeds("gradflow", "--json", "flow.json")
        without, attends = self.read_json("flow.json")["encoder_decoder"]
        self.assertEqual((without["attention"], attends["attention"]), (False, True))
        for case in (without, attends):
            norms = case["token_norms"]
            self.assertEqual(len(norms), 100)
            self.assertTrue(all(norm > 0 for norm in norms))
            self.assertTrue(math.isclose(case["first_over_last"], norms[-1] / norms[0], rel_tol=1e-4))
            self.assertIn(case["name"], done.stdout)
        self.assertLess(without["first_over_last"], 0.05)  # 0.013, and with attention 0.53
        self.assertGreater(attends["first_over_last"], 0.2)
        self.assertTrue(0.5 < attends["token_norms"][0] / without["token_norms"][0] < 2)
        self.succeeds("gradflow", "--steps", 400, "--json", "long.json")
        without, attends = self.read_json("long.json")["encoder_decoder"]
        self.assertLess(without["first_over_last"], 1e-4)
        self.assertGreater(attends["first_over_last"], 0.1)

    def test_json_alone_and_sizes(self):
        done = self.succeeds("gradflow", "--hidden", 16, "--steps", 30, "--clip", 0.001, "--seed", 4, "--json", "-")
        flow = json.loads(done.stdout)
        self.assertTrue(all(case["clip_factor"] < 1 for case in flow["cases"]))
        self.assertEqual(len(flow["cases"][0]["norms"]), 31)

    def test_picture(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        done = self.succeeds("gradflow", "--hidden", 8, "--steps", 400, "--plot", "flow.png")
        self.assertEqual(self.read("flow.png")[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(done.stderr, "")

    def test_refusals(self):
        for option, value in (("hidden", "0"), ("hidden", "1025"), ("steps", "7"), ("clip", "0"), ("clip", "nan"),
                              ("seed", "-1"), ("plot", "p.jpg")):
            self.fails(2, [f"--{option}", f"'{value}'"], "gradflow", f"--{option}", value)
        self.fails(2, ["'now'"], "gradflow", "now")
        self.fails(1, ["--json", "nowhere"], "gradflow", "--json", "nowhere/x")


if __name__ == "__main__":
    main()
