#!/usr/bin/env python3
"""gemmgrad ab, fed with programs that only pretend to measure: their times, their crashes and their ends are known."""
import json
import os
import signal
import sys
import time

from program import ProgramTest, main

# Answers the requests of gemmgrad/measure.h. Every sample takes a millisecond times {factor}, give or take a
# hundredth; no time passes.
PRETENDER = """#!{python}
import os, random, sys, time
draw = random.Random(os.getpid())
factor, names, dies_after, broken = {factor}, {names!r}, {dies_after}, {broken!r}
factor *= float(os.environ.get("PRETENDED_FACTOR", "1"))
taken, name = 0, ""
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    if word == "hello":
        print("ok gemmgrad-serve 1", flush=True)
    elif word == "names":
        print("ok", *names, flush=True)
    elif word in ("open", "open-again"):
        name = rest
        print("error it is wrong" if name == broken else "ok 0.001", flush=True)
    elif word == "take":
        taken += 1
        if taken == dies_after:
            os.abort()
        time.sleep({sleep})
        print("ok", 1e-3 * factor * draw.lognormvariate(0.0, 0.01), flush=True)
    else:
        print("ok", flush=True)
"""
NAMES = ["kernels/gemm/nn/1x2x3", "layers/affine/in_out/4x5x6"]


class Ab(ProgramTest):
    def pretend(self, name, factor=1.0, names=None, dies_after=0, broken="", sleep=0.0):
        text = PRETENDER.format(python=sys.executable, factor=factor, names=names or NAMES, dies_after=dies_after,
                                broken=broken, sleep=sleep)
        os.chmod(self.write(name, text.encode()), 0o755)
        return self.path(name)

    def ab(self, base, new, *arguments):
        return self.run_program("ab", "--base", base, "--new", new, "--json", "ab.json", *arguments)

    def verdicts(self):
        return {case["name"]: case.get("verdict") for case in self.read_json("ab.json")["cases"]}

    def test_the_same(self):
        done = self.ab(self.pretend("a"), self.pretend("b"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(set(self.verdicts().values()), {"same"})
        self.assertIn("2 same", done.stdout)
        for case in self.read_json("ab.json")["cases"]:
            self.assertEqual(set(case["seconds"]), {"base", "base_2", "new", "new_2"})
            for seconds in case["seconds"].values():
                self.assertEqual(len(seconds), case["generations"] * case["turns"])
                self.assertAlmostEqual(sum(seconds) / len(seconds), 1e-3, delta=1e-4)
            self.assertLess(case["interval"][0], case["ratio"])
            self.assertLess(case["ratio"], case["interval"][1])

    def test_slower_and_faster(self):
        done = self.ab(self.pretend("a"), self.pretend("b", factor=1.05))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(set(self.verdicts().values()), {"slower"})
        done = self.ab(self.path("b"), self.path("a"), "--suite", "layers")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.verdicts(), {NAMES[1]: "faster"})

    def test_a_variable_for_one_side(self):
        program = self.pretend("a")
        done = self.run_program("ab", "--base", program, "--new", program, "--env", "PRETENDED_FACTOR=1.2",
                                "--filter", "gemm", "--json", "ab.json")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertAlmostEqual(self.read_json("ab.json")["cases"][0]["ratio"], 1.2, delta=0.02)

    def test_a_program_that_crashes(self):
        done = self.ab(self.pretend("a"), self.pretend("b", dies_after=7), "--precision", "0.01")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("signal 6", done.stderr)
        self.assertIn(self.path("b"), done.stderr)
        report = self.read_json("ab.json")
        self.assertIn("signal 6", report["error"])
        self.assertEqual(sorted(len(case["seconds"]["new_2"]) for case in report["cases"]), [0, 5])

    def test_a_case_that_fails_in_the_new_build(self):
        done = self.ab(self.pretend("a"), self.pretend("b", broken=NAMES[0]))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("it is wrong", done.stdout)
        self.assertEqual(self.verdicts(), {NAMES[0]: None, NAMES[1]: "same"})

    def test_cases_on_one_side_only(self):
        done = self.ab(self.pretend("a"), self.pretend("b", names=NAMES[1:] + ["training/x/7"]))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(list(self.verdicts()), NAMES[1:])
        self.assertIn("1 cases only in base, 1 only in new", done.stdout)

    def test_programs_that_are_none(self):
        base, parrot = self.pretend("a"), self.write("parrot", b"#!/bin/sh\nwhile read line; do echo hello; done\n")
        os.chmod(parrot, 0o755)
        for program, word in ((self.path("nowhere"), "No such file"), ("/bin/true", "ended with code 0"),
                              (parrot, "no program that `gemmgrad ab` can measure")):
            done = self.run_program("ab", "--base", base, "--new", program)
            self.assertEqual(done.returncode, 2)
            self.assertIn(word, done.stderr)

    def test_an_interrupt_keeps_what_was_measured(self):
        base, new = self.pretend("a", sleep=0.02), self.pretend("b", sleep=0.02)
        process = self.start_program("ab", "--base", base, "--new", new, "--json", "ab.json",
                                     "--precision", "0.001")
        time.sleep(3.0)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 2, errors)
        self.assertIn("interrupted", errors)
        report = self.read_json("ab.json")
        self.assertTrue(report["interrupted"])
        self.assertGreater(sum(case["generations"] for case in report["cases"]), 0)

    def test_the_program_itself(self):
        done = self.run_program("ab", "--base", self.program, "--new", self.program, "--filter",
                                "^kernels/sum_rows/32x256$", "--threads", "1", "--time", "0.1", "--json", "-")
        self.assertIn(done.returncode, (0, 1, 2))  # what it finds depends on the machine
        case, = json.loads(done.stdout)["cases"]
        self.assertGreaterEqual(case["generations"], 12)

    def test_a_kernel_of_ones_own(self):
        own = os.environ.get("OWN_KERNEL")
        if own is None:
            self.skipTest("OWN_KERNEL is not set; run me by `meson test`")
        done = self.run_program("ab", "--base", own, "--new", own, "--time", "0.1", "--json", "-")
        self.assertIn(done.returncode, (0, 1, 2))
        case, = json.loads(done.stdout)["cases"]
        self.assertEqual(case["name"], "own/dot/4096")
        self.assertGreaterEqual(case["generations"], 12)

    def test_wrong_usage(self):
        for arguments, words in (
                ([], ["--base is missing"]),
                (["--base", "x"], ["--new is missing"]),
                (["--env", "A=B", "--base", "x", "--new", "y"], ["--env 'A=B'", "named last"]),
                (["--base", "x", "--env", "A", "--new", "y"], ["--env 'A'", "NAME=VALUE"]),
                (["--base", "x", "--new", "y", "--precision", "0"], ["--precision '0'"]),
                (["--base", "x", "--new", "y", "--suite", "s"], ["--suite 's'"]),
                (["--base", "x", "--new", "y", "--filter", "("], ["--filter '('"]),
                (["--base", "x", "--new", "y", "z"], ["unexpected argument 'z'"])):
            self.fails(2, words, "ab", *arguments)


if __name__ == "__main__":
    main()
