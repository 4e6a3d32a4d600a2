#!/usr/bin/env python3
"""gemmgrad train: the figures, exact resume, Ctrl-C, pictures."""
import json
import os
import shutil
import signal
import struct
import time
from random import Random

from program import ProgramTest, main

KEYS = ["task", "samples_per_second", "gflops", "peak_fraction", "sgemm_share", "time_outside_gemm",
        "allocations_per_step", "seconds", "epochs", "test_accuracy", "interrupted", "environment"]


class Figures(ProgramTest):
    def test_json_of_the_spiral(self):
        done = self.succeeds("train", "spiral", "--json", "figures.json")
        figures = self.read_json("figures.json")
        self.assertEqual(list(figures), KEYS)
        self.assertEqual(figures["task"], "spiral")
        self.assertEqual(figures["sgemm_share"], 1.0)
        self.assertEqual(figures["allocations_per_step"], 0)
        self.assertFalse(figures["interrupted"])
        for key in ("samples_per_second", "gflops", "peak_fraction", "seconds"):
            self.assertGreater(figures[key], 0, key)
        self.assertTrue(0 < figures["time_outside_gemm"] < 1)
        epochs = figures["epochs"]
        self.assertEqual([epoch["epoch"] for epoch in epochs], list(range(1, 301)))
        self.assertLess(epochs[-1]["train_loss"], 0.3 * epochs[0]["train_loss"])
        self.assertGreater(figures["test_accuracy"], 0.9)
        self.assertEqual(figures["test_accuracy"], epochs[-1]["test_accuracy"])
        self.assertIn("fma_peak_gflops", figures["environment"])
        for word in ("samples per second", "GFLOP/s", "cblas_sgemm", "100.00 %", "allocations per step"):
            self.assertIn(word, done.stdout)

    def test_json_on_standard_output_stands_alone(self):
        done = self.succeeds("train", "spiral", "--epochs", 3, "--json", "-")
        self.assertEqual(list(json.loads(done.stdout)), KEYS)
        self.assertIn("samples per second", done.stderr)

    def test_no_step_to_measure_gives_null(self):
        done = self.succeeds("train", "spiral", "--epochs", 2, "--batch", 300, "--json", "-")
        self.assertIsNone(json.loads(done.stdout)["samples_per_second"])

    def test_progress_without_a_terminal_is_short_lines(self):
        stderr = self.succeeds("train", "spiral").stderr
        self.assertIn("epoch 300/300", stderr)
        self.assertNotIn("\r", stderr)
        self.assertLess(len(stderr.splitlines()), 60)

    def test_digits(self):
        figures = json.loads(self.succeeds("train", "digits", "--epochs", 2, "--json", "-").stdout)
        self.assertGreater(figures["test_accuracy"], 0.9)
        self.assertEqual(figures["sgemm_share"], 1.0)
        self.assertEqual(figures["allocations_per_step"], 0)


class Resume(ProgramTest):
    def train(self, *arguments):
        return self.succeeds("train", "spiral", "--threads", 1, *arguments)

    def test_the_same_run_twice_is_the_same_checkpoint(self):
        self.train("--epochs", 5, "--save", "a")
        self.train("--epochs", 5, "--save", "b")
        self.train("--epochs", 5, "--seed", 2, "--save", "c")
        self.assertEqual(self.read("a"), self.read("b"))
        self.assertNotEqual(self.read("a"), self.read("c"))

    def test_resumed_equals_uninterrupted(self):
        self.train("--epochs", 20, "--save", "whole", "--json", "whole.json")
        self.train("--epochs", 7, "--save", "part")
        self.train("--epochs", 20, "--resume", "part", "--save", "resumed", "--json", "resumed.json")
        self.assertEqual(self.read("whole"), self.read("resumed"))
        self.assertEqual(self.read_json("whole.json")["epochs"], self.read_json("resumed.json")["epochs"])

    def test_nothing_left_to_train(self):
        self.train("--epochs", 5, "--save", "a")
        done = self.train("--epochs", 3, "--resume", "a", "--save", "b")
        self.assertIn("nothing to train", done.stdout)
        self.assertEqual(self.read("a"), self.read("b"))


class SmallImages(ProgramTest):
    """A small data set in MNIST's format: a bar for each class, and noise."""

    SIDE = 12

    def write_images(self, name, count, seed):
        random = Random(seed)
        images, labels = bytearray(), bytearray()
        for i in range(count):
            for row in range(self.SIDE):
                images += bytes(255 if row == i % 10 and 2 < column < 10 else random.randrange(80)
                                for column in range(self.SIDE))
            labels.append(i % 10)
        self.write(f"data/{name}-images-idx3-ubyte", struct.pack(">iiii", 2051, count, self.SIDE, self.SIDE) + images)
        self.write(f"data/{name}-labels-idx1-ubyte", struct.pack(">ii", 2049, count) + labels)

    def setUp(self):
        super().setUp()
        self.write_images("train", 500, 1)
        self.write_images("t10k", 100, 2)


class Optimizers(SmallImages):
    """--optimizer, and the verb that compares them all."""

    def train(self, name, *arguments):
        return self.succeeds("train", "spiral", "--optimizer", name, *arguments)

    def test_resumed_equals_uninterrupted(self):
        for name in "soap", "kfac":  # test_checkpoint.c has all
            self.train(name, "--epochs", 13, "--save", "whole")
            self.train(name, "--epochs", 5, "--save", "part")
            figures = json.loads(
                self.train(name, "--epochs", 13, "--resume", "part", "--save", "resumed", "--json", "-").stdout)
            self.assertEqual(self.read("whole"), self.read("resumed"))
            self.assertEqual(figures["allocations_per_step"], 0)

    def test_a_checkpoint_of_another_is_refused(self):
        self.train("lion", "--epochs", 1, "--save", "c")
        self.fails(1, ["lion", "muon"], "train", "spiral", "--optimizer", "muon", "--epochs", 2, "--resume", "c")

    def test_the_table(self):
        options = "--optimizer", "adam", "--target", 90, "--epochs", 200
        text = self.succeeds("optimizers", "--data", "data", *options).stdout
        self.assertRegex(text, r"\| adam +\| +0.001 \| +\d+ \|")

    def test_a_rule_that_does_not_arrive_has_its_row(self):
        short = "optimizers", "--data", "data", "--optimizer", "muon", "--target", 100, "--epochs", 1
        self.assertRegex(self.succeeds(*short).stdout, r"\| muon +\| +[\d.]+ \| +- \| +[\d.]+ \| +[\d.]+ \|")
        done = self.fails(1, ["loss is nan"], *short, "--lr", 1e30)
        self.assertRegex(done.stdout, r"\| muon +\| +1e\+30 \| +- \|")

    def test_no_title_without_data(self):
        self.assertEqual(self.fails(1, ["nowhere"], "optimizers", "--data", "nowhere").stdout, "")


class Images(SmallImages):
    """Convolutional and residual networks."""

    TASKS = "mnist-cnn", "mnist-resnet"

    def train(self, task, *arguments, **options):
        return self.succeeds("train", task, "--data", "data", "--batch", 20, *arguments, **options)

    def test_they_learn(self):
        for task in self.TASKS:
            figures = json.loads(self.train(task, "--epochs", 6, "--json", "-").stdout)
            self.assertEqual(list(figures), KEYS)
            self.assertEqual(figures["allocations_per_step"], 0)
            self.assertGreater(figures["sgemm_share"], 0.25)  # F(4x4, 3x3) does with a quarter of the multiply-adds
            self.assertGreater(figures["test_accuracy"], 0.9)

    def test_resumed_equals_uninterrupted(self):
        for task in ("mnist-mlp", *self.TASKS):
            self.train(task, "--epochs", 3, "--save", "whole")
            self.train(task, "--epochs", 1, "--save", "part")
            self.train(task, "--epochs", 3, "--resume", "part", "--save", "resumed")
            self.assertEqual(self.read("whole"), self.read("resumed"))

    def test_seed_rate_and_threads_count(self):
        for task in self.TASKS:
            self.train(task, "--epochs", 1, "--threads", 1, "--save", "a")
            self.train(task, "--epochs", 1, "--threads", 1, "--seed", 2, "--save", "b")
            self.train(task, "--epochs", 1, "--threads", 1, "--lr", 0.01, "--save", "c")
            self.train(task, "--epochs", 1, "--threads", 3, "--save", "d")
            self.assertEqual(len({self.read(name) for name in "abc"}), 3)

    def test_stopped_in_the_midst_goes_on_the_same(self):
        for task in self.TASKS:
            process = self.start_program("train", task, "--data", "data", "--batch", 20, "--epochs", 100000,
                                         "--save", "stopped", "--json", "stopped.json")
            self.addCleanup(process.kill)
            self.assertIn("epoch 1/100000", process.stderr.readline())
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, errors)
            self.assertTrue(self.read_json("stopped.json")["interrupted"])
            total = len(self.read_json("stopped.json")["epochs"]) + 1
            self.train(task, "--epochs", total, "--resume", "stopped", "--save", "resumed")
            self.train(task, "--epochs", total, "--save", "whole")
            self.assertEqual(self.read("resumed"), self.read("whole"))

    def test_a_checkpoint_of_another_network_is_refused(self):
        self.train("mnist-cnn", "--epochs", 1, "--save", "cnn")
        self.fails(1, ["cnn", "mnist-cnn"], "train", "mnist-resnet", "--data", "data", "--resume", "cnn")

    def test_no_data_and_images_too_small(self):
        for task in self.TASKS:
            self.fails(2, [task, "--data"], "train", task)
        self.SIDE = 3
        self.write_images("train", 20, 1)
        self.write_images("t10k", 20, 2)
        self.fails(1, ["max_pool", "[batch, 64, 1, 1]"], "train", "mnist-cnn", "--data", "data", "--batch", 10)

    def test_picture_of_filters_and_mistakes(self):
        script = b"#!/bin/sh\ncase \"$1\" in -e) echo ' png ' >&2;; *) cat >\"$SCRIPT\";; esac\n"
        os.chmod(self.write("bin/gnuplot", script), 0o755)
        env = {"PATH": f"{self.path('bin')}:{os.environ['PATH']}", "SCRIPT": self.path("script")}
        self.train("mnist-cnn", "--epochs", 1, "--lr", 1e-6, "--plot", "p.png", env=env)
        words = self.read("script").decode()
        self.assertIn("$filters using 1:2:3:4:5 with rgbimage", words)
        self.assertIn("$mistakes using 1:2:3:4:5 with rgbimage", words)
        self.assertEqual(words.count("set label '"), 24)
        self.assertIn("misread in the test set", words)
        self.train("mnist-mlp", "--epochs", 1, "--lr", 1e-6, "--plot", "p.png", env=env)
        self.assertNotIn("$filters using", self.read("script").decode())


class Interrupted(ProgramTest):
    def interrupt(self, with_signal, again_after=None):
        """Start a long run, stop it in the midst, and return what it wrote to stdout."""
        picture = ["--plot", "stopped.png"] if shutil.which("gnuplot") else []
        process = self.start_program("train", "spiral", "--threads", 1, "--epochs", 1000000, "--save", "stopped",
                                     "--json", "stopped.json", *picture)
        self.addCleanup(process.kill)
        self.assertIn("epoch 1/1000000", process.stderr.readline())
        process.send_signal(with_signal)
        if again_after is not None:
            time.sleep(again_after)
            process.send_signal(with_signal)
        output, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, errors)
        return output

    def test_keeps_what_was_reached(self):
        for with_signal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            output = self.interrupt(with_signal)
            self.assertIn("interrupted", output)
            self.assertIn("samples per second", output)
            self.assertTrue(self.read_json("stopped.json")["interrupted"])

    def test_a_signal_that_comes_twice(self):
        for with_signal in (signal.SIGTERM, signal.SIGHUP):
            for again_after in (0.0, 0.001, 0.003):
                self.assertIn("interrupted", self.interrupt(with_signal, again_after))

    def test_an_ignored_signal_stays_ignored(self):
        for ignored in (signal.SIGINT, signal.SIGHUP):
            before = signal.signal(ignored, signal.SIG_IGN)
            try:
                process = self.start_program("train", "spiral", "--threads", 1, "--epochs", 30000,
                                             "--json", "figures.json")
            finally:
                signal.signal(ignored, before)
            self.addCleanup(process.kill)
            self.assertIn("epoch 1/30000", process.stderr.readline())
            process.send_signal(ignored)
            _, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, errors)
            self.assertFalse(self.read_json("figures.json")["interrupted"])

    def test_a_reader_that_goes_away_does_not_cost_the_checkpoint(self):
        process = self.start_program("train", "spiral", "--epochs", 300, "--save", "kept")
        process.stdout.close()
        with process.stderr:
            errors = process.stderr.read()
        self.assertEqual(process.wait(timeout=120), 1, errors)
        self.assertIn("cannot write to standard output", errors)
        self.succeeds("train", "spiral", "--epochs", 300, "--save", "whole")
        self.assertEqual(self.read("kept"), self.read("whole"))

    def test_resumed_from_the_middle_equals_uninterrupted(self):
        self.interrupt(signal.SIGINT)
        total = len(self.read_json("stopped.json")["epochs"]) + 10
        self.succeeds("train", "spiral", "--threads", 1, "--epochs", total, "--resume", "stopped", "--save", "resumed")
        self.succeeds("train", "spiral", "--threads", 1, "--epochs", total, "--save", "whole")
        self.assertEqual(self.read("whole"), self.read("resumed"))


class Pictures(SmallImages):
    def test_spiral(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        self.succeeds("train", "spiral", "--epochs", 40, "--plot", "it's a picture.png")
        picture = self.read("it's a picture.png")
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        self.assertGreater(len(picture), 20000)
        self.assertEqual([name for name, _ in self.files() if "/data/" not in name], [self.path("it's a picture.png")])

    def test_one_epoch(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        for task in (("spiral",), ("mnist-mlp", "--data", "data")):
            done = self.succeeds("train", *task, "--epochs", 1, "--plot", "one.png")
            self.assertEqual([line for line in done.stderr.splitlines() if not line.startswith(task[0])], [])

    def script_of(self, *arguments):
        """What gnuplot is told, by way of one that only writes it down."""
        script = b"#!/bin/sh\ncase \"$1\" in -e) echo ' png ' >&2;; *) cat >\"$SCRIPT\";; esac\n"
        os.chmod(self.write("bin/gnuplot", script), 0o755)
        self.succeeds("train", *arguments, "--plot", "p.png",
                      env={"PATH": f"{self.path('bin')}:{os.environ['PATH']}", "SCRIPT": self.path("script")})
        return self.read("script").decode()

    def test_ranges_have_an_extent_and_epochs_whole_ticks(self):
        script = self.script_of("mnist-mlp", "--data", "data", "--epochs", 1)
        for line in ("set xrange [0.5:1.5]", "set xtics 1,1"):
            self.assertIn(line, script.splitlines())
        self.assertNotIn("yrange [*:*]", script)
        script = self.script_of("spiral", "--epochs", 3)
        for line in ("set xrange [1:3]", "set xtics 1,1"):
            self.assertIn(line, script.splitlines())
        self.assertNotIn("set xtics 1,1", self.script_of("spiral", "--epochs", 40).splitlines())

    def test_without_gnuplot(self):
        nowhere = self.path("empty")
        os.mkdir(nowhere)
        self.fails(1, ["gnuplot", "not installed"], "train", "spiral", "--plot", "p.png", env={"PATH": nowhere})

    def test_gnuplot_that_fails(self):
        if os.name != "posix":
            self.skipTest("needs a shell")
        script = b"#!/bin/sh\ncase \"$1\" in -e) echo ' png ' >&2;; *) exit 3;; esac\n"
        os.chmod(self.write("bin/gnuplot", script), 0o755)
        self.fails(1, ["gnuplot", "exit code: 3"], "train", "spiral", "--epochs", "2", "--plot", "p.png",
                   env={"PATH": self.path("bin")})


class Numbers(ProgramTest):
    def test_a_loss_that_explodes_names_the_layer(self):
        self.fails(1, ["loss", "layer"], "train", "digits", "--epochs", 1, "--lr", "1e25", "--save", "s", "--json", "j")


if __name__ == "__main__":
    main()
