#!/usr/bin/env python3
"""gemmgrad ab, fed with programs that only pretend to measure: their times, their crashes and their ends are known."""
import ctypes.util
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

from program import ProgramTest, main

# Answers the requests of gemmgrad/measure.h. Every sample takes a millisecond times {factor}, give or take a
# hundredth; no time passes.
PRETENDER = """#!{python}
import os, random, sys, time
draw = random.Random(os.getpid())
factor, names, dies_after, broken, hangs_after = {factor}, {names!r}, {dies_after}, {broken!r}, {hangs_after}
factor *= float(os.environ.get("PRETENDED_FACTOR", "1"))
taken, name = 0, ""
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    if word == "hello":
        print("ok gemmgrad-serve 1", flush=True)
    elif word == "about":
        print("ok pretender 1", os.environ.get("PRETENDED_FACTOR", ""), flush=True)
    elif word == "names":
        print("ok", *names, flush=True)
    elif word in ("open", "open-again"):
        name = rest
        print("error it is wrong" if name == broken else "ok 0.001", flush=True)
    elif word == "take":
        taken += 1
        if taken == dies_after:
            os.abort()
        if taken == hangs_after:
            time.sleep(1000)
        time.sleep({sleep})
        print("ok", 1e-3 * factor * draw.lognormvariate(0.0, 0.01), flush=True)
    else:
        print("ok", flush=True)
"""
NAMES = ["kernels/gemm/nn/1x2x3", "layers/affine/in_out/4x5x6"]


class Ab(ProgramTest):
    def pretend(self, name, factor=1.0, names=None, dies_after=0, broken="", sleep=0.0, hangs_after=0):
        text = PRETENDER.format(python=sys.executable, factor=factor, names=names or NAMES, dies_after=dies_after,
                                broken=broken, sleep=sleep, hangs_after=hangs_after)
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
        report = self.read_json("ab.json")
        self.assertAlmostEqual(report["cases"][0]["ratio"], 1.2, delta=0.02)
        self.assertIn(f"base {program} (pretender 1 )\n", done.stdout)
        self.assertIn(f"new  {program} --env PRETENDED_FACTOR=1.2 (pretender 1 1.2)\n", done.stdout)
        self.assertEqual(report["base"], {"program": program, "env": [], "blas": None, "about": "pretender 1 "})
        self.assertEqual(report["new"]["env"], ["PRETENDED_FACTOR=1.2"])
        self.assertIsNone(report["threads"])
        self.assertLess(abs(datetime.datetime.fromisoformat(report["date"]).timestamp() - time.time()), 100)

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

    def test_a_case_that_fails_in_the_base(self):
        base = self.pretend("a", broken=NAMES[0])
        done = self.ab(base, self.pretend("b"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("repaired, failed in base: --base", done.stdout)
        self.assertIn("0 failed in new, 1 repaired, 0 failed in both", done.stdout)
        case = self.read_json("ab.json")["cases"][0]
        self.assertEqual((case["failed_base"], case["failed_new"]), (True, False))
        done = self.ab(base, self.path("b"), "--filter", NAMES[0])
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("no case works in both programs", done.stderr)
        done = self.ab(base, base, "--filter", NAMES[0])
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("0 repaired, 1 failed in both", done.stdout)

    def test_many_names_and_long_ones(self):
        names = [f"many/{i:05}/" + 80 * "x" for i in range(3000)] + ["last/" + 90 * "y", "long/" + 91 * "z"]
        program = self.pretend("a", names=names)
        done = self.ab(program, program, "--list")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split(), names[:-1])
        self.assertFalse(os.path.exists(self.path("ab.json")))
        done = self.ab(program, program, "--filter", "^l")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.verdicts(), {names[-2]: "same"})
        self.assertIn("1 cases whose names are longer than 95 characters", done.stdout)
        self.assertEqual(self.read_json("ab.json")["long_names"], 1)
        self.fails(2, ["longer than 95"], "ab", "--base", program, "--new", program, "--filter", "^long")

    def test_names_with_blanks(self):
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no cc")
        self.write("blank.c", b"""#include <gemmgrad/measure.h>
            static int run(void *context) { (void)context; return 0; }
            int main(void) {
                const gg_measured cases[] = {{"a/b", NULL, run, NULL, NULL, NULL},
                                             {"a/two words", NULL, run, NULL, NULL, NULL}};
                const gg_measured_program program = {cases, 2, "x", NULL};
                return gg_measure_serve(&program);
            }""")
        include = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench/include")
        subprocess.run([compiler, "-I", include, "blank.c", "-o", "blank"], cwd=self.folder, check=True)
        program = self.path("blank")
        self.fails(2, ["case 2", "blanks", "'a/two words'"], "ab", "--base", program, "--new", program)

    def test_answers_that_are_not_utf8(self):
        program = self.pretend("a")
        with open(program, "rb") as file:
            text = file.read().replace(b'print("ok pretender 1"',
                                       b'sys.stdout.buffer.write(b"ok kern \\xe4l"); print("1"')
        self.write("a", text)
        done = self.run_program("ab", "--base", program, "--new", program, "--json", "ab.json", errors="replace")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.read_json("ab.json")["new"]["about"], "kern ?l1 ")
        self.write("a", text.replace(b'print("ok", 1e-3', b'sys.stdout.buffer.write(b"b\\xe4d"); print("ok", 1e-3'))
        done = self.run_program("ab", "--base", self.pretend("b"), "--new", program, "--json", "ab.json",
                                errors="replace")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("b?d", self.read_json("ab.json")["error"])

    def test_a_file_that_cannot_be_written_is_no_regression(self):
        done = self.run_program("ab", "--base", self.pretend("a"), "--new", self.pretend("b"), "--json", "/dev/full")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("2 same", done.stdout)
        done = self.run_program("ab", "--base", "a", "--new", "b", "--json", "nowhere/ab.json")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)

    def test_a_program_of_the_path(self):
        self.pretend("pretender")
        os.mkdir(self.path("bin"))
        found = shutil.move(self.path("pretender"), self.path("bin/pretender"))
        done = self.run_program("ab", "--base", "pretender", "--new", "pretender", "--list",
                                env={"PATH": "/nowhere::" + self.path("bin") + ":" + os.environ["PATH"]})
        self.assertEqual((done.returncode, done.stdout.split()), (0, NAMES), done.stderr)
        self.fails(2, ["pretender: No such file"], "ab", "--base", "pretender", "--new", found)

    def test_a_blas_that_is_none(self):
        program, text = self.pretend("a"), self.write("text.so", b"no library")
        for library, words in ((self.path("nowhere.so"), ["No such file"]), (text, ["cannot be used"]),
                               ("libm.so.6", ["no cblas_sgemm"]), ("a b.so", ["blanks"]), ("", ["empty"])):
            self.fails(2, ["--blas", *words], "ab", "--base", program, "--new", program, "--blas", library)
        library = ctypes.util.find_library("openblas")
        if library is not None:
            done = self.ab(program, program, "--blas", library, "--filter", NAMES[0])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.read_json("ab.json")["new"]["blas"], library)
            self.assertIn(f" --blas {library} (", done.stdout)

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

    def left(self, program):
        """Processes that still run that program."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if program.encode() in words[:2]:
                found.append(int(entry))
        return found

    def wait_until(self, true):
        end = time.monotonic() + 30.0
        while not true():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_an_interrupt_ends_the_wait_for_a_program_that_hangs(self):
        base, new = self.pretend("a"), self.pretend("b", hangs_after=6)
        process = self.start_program("ab", "--base", base, "--new", new, "--json", "ab.json")
        time.sleep(2.0)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 2, errors)
        self.assertIn("interrupted", errors)
        self.assertIn("not measured", output)
        report = self.read_json("ab.json")
        self.assertEqual((report["interrupted"], report["error"]), (True, ""))
        self.assertEqual(sorted(case["generations"] for case in report["cases"]), [0, 1])
        self.assertEqual(self.left(base) + self.left(new), [])

    def test_patience_with_a_program_that_hangs_has_an_end(self):
        base, new = self.pretend("a"), self.pretend("b", hangs_after=6)
        done = self.ab(base, new, "--patience", "0.5")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(f"--new {new} did not answer in 0.5 seconds", done.stderr)
        self.assertIn("did not answer", self.read_json("ab.json")["error"])
        self.assertEqual(self.left(base) + self.left(new), [])

    @unittest.skipUnless(sys.platform == "linux", "elsewhere nobody ends the processes")
    def test_no_process_outlives_one_that_is_killed(self):
        base = self.pretend("a", hangs_after=1)
        process = self.start_program("ab", "--base", base, "--new", base)
        self.wait_until(lambda: len(self.left(base)) == 4)
        time.sleep(0.5)
        process.kill()
        process.communicate(timeout=10)
        self.wait_until(lambda: not self.left(base))

    def test_the_program_itself(self):
        done = self.run_program("ab", "--base", self.program, "--new", self.program, "--filter",
                                "^kernels/sum_rows/32x256$", "--threads", "1", "--time", "0.1", "--json", "-")
        self.assertIn(done.returncode, (0, 1, 2))  # what it finds depends on the machine
        report = json.loads(done.stdout)
        case, = report["cases"]
        self.assertGreaterEqual(case["generations"], 12)
        self.assertEqual(report["threads"], 1)
        self.assertRegex(report["new"]["about"], "^gemmgrad .*kernel .*threads 1$")

    def test_cold_and_quick_reach_the_program(self):
        quick = self.succeeds("ab", "--base", self.program, "--new", self.program, "--quick", "--list").stdout.split()
        every = self.succeeds("ab", "--base", self.program, "--new", self.program, "--list").stdout.split()
        self.assertLess(set(quick), set(every))
        seconds = []
        for cold in [], ["--cold"]:
            done = self.run_program("ab", "--base", self.program, "--new", self.program, "--threads", "1", *cold,
                                    "--filter", "^kernels/sum_rows/32x256$", "--time", "0.1", "--json", "-")
            if "no instruction" in done.stderr:
                self.skipTest("this CPU cannot empty a cache line")
            case, = json.loads(done.stdout)["cases"]
            seconds.append(sorted(case["seconds"]["base"])[0])
        self.assertGreater(seconds[1], 1.5 * seconds[0])

    def test_a_kernel_of_ones_own(self):
        for variable in ("OWN_KERNEL", "OWN_KERNEL_C99"):
            self.measures_own_kernel(os.environ.get(variable))

    def measures_own_kernel(self, own):
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
