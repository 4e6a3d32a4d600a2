#!/usr/bin/env python3
"""gemmgrad compare: verdicts on files whose truth is known, how often it errs on noise like that of real machines, and
what it says to files that are damaged, foreign, or of another machine."""
import json
import math
import os
import random
import re
import stat
import time

from program import ProgramTest, main

MACHINE = {"cpu": "Pentium", "features": "mmx", "num_cpus": 2, "blas": "OpenBLAS", "blas_version": "0.3.21",
           "kernel_used": "Katmai", "threads": 2, "vector_isa": "sse", "library_build_type": "release"}


def noisy(rng, median, count, deviation, spikes=0.05):
    """Log-normal noise around a median, and now and then an interrupt that adds up to half."""
    return [median * rng.lognormvariate(0.0, deviation) * (1.0 + (rng.random() < spikes) * 0.5 * rng.random())
            for _ in range(count)]


def entries(name, samples, unit="ns"):
    yield from ({"name": name, "run_name": name, "run_type": "iteration", "repetition_index": i, "iterations": 10,
                 "real_time": value, "cpu_time": value, "time_unit": unit} for i, value in enumerate(samples))


def failure(name, message="went wrong"):
    return [{"name": name, "run_name": name, "run_type": "iteration", "error_occurred": True,
             "error_message": message}]


class CompareTest(ProgramTest):
    def results(self, name, cases, context=None):
        """A file of results; a case is a list of samples, or of ready entries."""
        listed = []
        for case, samples in cases.items():
            listed += samples if isinstance(samples[0], dict) else entries(case, samples)
        text = json.dumps({"context": MACHINE if context is None else context, "benchmarks": listed})
        self.write(name, text.encode())
        return name

    def verdicts(self, base, new, *arguments, code=None):
        self.results("base.json", base)
        self.results("new.json", new)
        done = self.run_program("compare", "base.json", "new.json", "--json", "c.json", *arguments)
        self.assertIn(done.returncode, (0, 1, 2) if code is None else (code,), done.stderr)
        report = self.read_json("c.json")
        self.assertEqual(report["exit_code"], done.returncode)
        return {case["name"]: case["verdict"] for case in report["cases"]}


class Verdicts(CompareTest):
    def steady(self, median, count=21):
        rng = random.Random(median * 1000 + count)
        return noisy(rng, median, count, 0.005, spikes=0.0)

    def test_one_of_each(self):
        rng = random.Random(1)
        base = {"slow": self.steady(100), "fast": self.steady(200), "still": self.steady(300),
                "wild": noisy(rng, 100, 21, 0.5), "breaks": self.steady(400), "heals": failure("heals"),
                "broken": failure("broken"), "gone": self.steady(500)}
        new = {"slow": self.steady(110), "fast": self.steady(180), "still": self.steady(300.5),
               "wild": noisy(rng, 100, 21, 0.5), "breaks": failure("breaks", "wrong | result"),
               "heals": self.steady(1), "broken": failure("broken"), "fresh": self.steady(600)}
        verdicts = self.verdicts(base, new, "--markdown", "c.md", code=1)
        self.assertEqual(verdicts, {"slow": "slower", "fast": "faster", "still": "same", "wild": "too noisy",
                                    "breaks": "newly failed", "heals": "repaired", "broken": "still failed",
                                    "gone": "only in base", "fresh": "only in new"})
        self.check_json(base, new)
        self.check_markdown(self.read("c.md").decode())

    def check_json(self, base, new):
        report = self.read_json("c.json")
        self.assertEqual(report["counts"], {"slower": 1, "faster": 1, "same": 1, "too noisy": 1, "newly failed": 1,
                                            "repaired": 1, "still failed": 1, "only in base": 1, "only in new": 1})
        rows = {case["name"]: case for case in report["cases"]}
        ratios = []
        for name in ("slow", "fast", "still", "wild"):
            row = rows[name]
            middle = sorted(new[name])[10] / sorted(base[name])[10]
            self.assertAlmostEqual(row["ratio"] / middle, 1.0, places=4)
            self.assertLessEqual(row["interval"][0], row["ratio"])
            self.assertGreaterEqual(row["interval"][1], row["ratio"])
            self.assertLessEqual(row["p"], row["p_corrected"])
            self.assertEqual((row["base_samples"], row["new_samples"]), (21, 21))
            ratios.append(math.log(middle))
        self.assertAlmostEqual(report["geometric_mean"], math.exp(sum(ratios) / 4), places=4)
        self.assertEqual(rows["breaks"]["error"], "wrong | result")
        self.assertEqual((report["threshold"], report["alpha"], report["judged"]), (0.03, 0.01, 4))

    def check_markdown(self, text):
        self.assertIn("1 slower, 1 faster, 1 same, 1 too noisy, 1 newly failed", text)
        self.assertRegex(text, r"\| `slow` \| [\d.]+ ns \| [\d.]+ ns \| 1\.\d{3} \|.*\| \*\*slower\*\* \|")
        self.assertIn(r"**newly failed**: `wrong \| result`", text)
        self.assertLess(text.index("`slow`"), text.index("<details>"))
        self.assertGreater(text.index("`still`"), text.index("<details>"))
        rows = [line for line in text.splitlines() if line.startswith("|")]
        for line in rows:
            self.assertEqual(len(re.findall(r"(?<!\\)\|", line)), 8, line)

    def test_the_table_and_its_summary(self):
        self.results("a.json", {"x/1": self.steady(100), "x/2": self.steady(2e6)})
        self.results("b.json", {"x/1": self.steady(100), "x/2": self.steady(2e6)})
        done = self.succeeds("compare", "a.json", "b.json")
        self.assertRegex(done.stdout, r"x/1 +\d+\.\d+ ns +\d+\.\d+ ns +1\.000 .*same\n")
        self.assertRegex(done.stdout, r"x/2 +\d\.\d+ ms +\d\.\d+ ms +1\.000 .*same\n")
        self.assertIn("2 cases: 0 slower, 0 faster, 2 same, 0 too noisy; geometric mean 1.0000\n", done.stdout)

    def test_the_threshold_decides_what_is_worth_a_word(self):
        base, new = {"x": self.steady(100)}, {"x": self.steady(105)}
        self.assertEqual(self.verdicts(base, new, code=1), {"x": "slower"})
        self.assertEqual(self.verdicts(base, new, "--threshold", "10", code=0), {"x": "same"})
        self.assertEqual(self.verdicts(new, base, code=0), {"x": "faster"})

    def test_few_samples_prove_nothing(self):
        verdicts = self.verdicts({"x": [1, 1, 1, 1]}, {"x": [2, 2, 2, 2, 2, 2]}, code=2)
        self.assertEqual(verdicts, {"x": "too noisy"})
        done = self.run_program("compare", "base.json", "new.json")
        self.assertIn("fewer than 5 samples", done.stdout)
        self.assertIn("every case is too noisy", done.stderr)
        cases = {f"x{i}": self.steady(100, 7) for i in range(40)}
        slow = dict(cases, x0=self.steady(150, 7))
        self.assertEqual(self.verdicts(cases, slow)["x0"], "too noisy")
        self.assertIn("40 with too few samples", self.run_program("compare", "base.json", "new.json").stdout)
        self.assertEqual(self.verdicts(cases, slow, "--filter", "^x[0-9]$", code=1)["x0"], "slower")

    def test_only_a_new_failure_is_a_regression(self):
        good, bad = {"x": self.steady(100)}, {"x": failure("x")}
        self.assertEqual(self.verdicts(good, bad, code=1), {"x": "newly failed"})
        self.verdicts(dict(bad, y=self.steady(100)), dict(good, y=self.steady(100)), code=0)

    def test_busy_machines_are_named(self):
        self.results("a.json", {"x": self.steady(100)}, dict(MACHINE, foreign_cpus=0.7))
        done = self.succeeds("compare", "a.json", "a.json")
        self.assertIn("NOT IDLE: others kept 0.70 CPUs busy while base was measured", done.stdout)

    def test_filter(self):
        cases = {"a/1": self.steady(100), "a/2": self.steady(100), "b/1": self.steady(100)}
        self.assertEqual(set(self.verdicts(cases, cases, "--filter", "^a/", code=0)), {"a/1", "a/2"})
        self.fails(2, ["--filter '^c/'"], "compare", "base.json", "new.json", "--filter", "^c/")


class ErrorRates(CompareTest):
    """The seeds are fixed: a rate that changes is a change of the program."""

    def compared(self, seed, slow):
        """Twelve cases with noise of 0.5 to 4 %, one of them of 1 %; slow: the factor on that one."""
        rng = random.Random(seed)
        deviations = [0.01] + [0.005 * 8 ** rng.random() for _ in range(11)]
        medians = [10 ** (2 + 5 * rng.random()) for _ in deviations]
        base, new = ({f"case{i}": noisy(rng, median * (factor if i == 0 else 1.0), 21, deviation)
                      for i, (median, deviation) in enumerate(zip(medians, deviations))} for factor in (1.0, slow))
        return self.verdicts(base, new)

    def test_the_same_program_is_hardly_ever_called_slower(self):
        alarms = sum("slower" in self.compared(seed, 1.0).values() for seed in range(200))
        self.assertLessEqual(alarms, 4)

    def test_five_percent_are_found(self):
        found = sum(self.compared(1000 + seed, 1.05)["case0"] == "slower" for seed in range(100))
        self.assertGreaterEqual(found, 95)


class Speed(CompareTest):
    def test_500_cases_take_less_than_a_second(self):
        rng = random.Random(3)
        cases = {f"kernels/gemm/nn/{i}x{i}x{i}": noisy(rng, 1000.0 + i, 21, 0.01) for i in range(500)}
        self.results("a.json", cases)
        start = time.monotonic()
        done = self.succeeds("compare", "a.json", "a.json", "--json", "c.json", "--markdown", "c.md")
        # Three, so that sanitizers and busy machines have room.
        self.assertLess(time.monotonic() - start, 3.0)
        self.assertIn("500 cases: 0 slower, 0 faster, 500 same", done.stdout)


class Machines(CompareTest):
    cases = {"x": [100.0 + i % 3 for i in range(21)]}

    def test_each_difference_is_named(self):
        self.results("a.json", self.cases)
        for key in MACHINE:
            self.results("b.json", self.cases, dict(MACHINE, **{key: "other\n\x1b[2J"}))
            words = [f"  {key}: base ", "other\\n\\u001B[2J", "--any-machine"]
            done = self.fails(2, words, "compare", "a.json", "b.json")
            self.assertEqual(done.stdout, "")
            others = set(MACHINE) - {key}
            self.assertFalse([other for other in others if f"  {other}: " in done.stderr])

    def test_all_at_once_and_told_to_go_on(self):
        self.results("a.json", self.cases)
        self.results("b.json", self.cases, {key: "x" * 500 for key in MACHINE})
        self.fails(2, list(MACHINE), "compare", "a.json", "b.json")
        done = self.succeeds("compare", "a.json", "b.json", "--any-machine", "--json", "c.json")
        self.assertIn("as --any-machine says", done.stderr)
        self.assertEqual(self.read_json("c.json")["machine_differences"], list(MACHINE))

    def test_settings_of_the_machine(self):
        settings = {"blas_library": "libblas.so", "governor": "performance", "smt": "on", "huge_pages": "always",
                    "affinity": "0-1", "environment": {"OMP_NUM_THREADS": "2", "LD_PRELOAD": "x" * 40}}
        self.results("a.json", self.cases, dict(MACHINE, **settings, foreign_cpus=0.1, load_avg=[1.0, 1.0, 1.0]))
        self.results("b.json", self.cases, dict(MACHINE, **settings, foreign_cpus=0.2, load_avg=[0.0, 0.0, 0.0]))
        self.succeeds("compare", "a.json", "b.json")
        for key in settings:
            other = dict(settings[key], OMP_NUM_THREADS="1") if key == "environment" else "other"
            self.results("b.json", self.cases, dict(MACHINE, **dict(settings, **{key: other})))
            done = self.fails(2, [f"  {key}: base "], "compare", "a.json", "b.json")
            self.assertEqual(done.stderr.count(": base "), 1)
            self.succeeds("compare", "a.json", "b.json", "--any-machine")
        words = ['environment: base {"OMP_NUM_THREADS": "2"}, new {"OMP_NUM_THREADS": "1"}']
        other = dict(settings["environment"], OMP_NUM_THREADS="1")
        self.results("b.json", self.cases, dict(MACHINE, **dict(settings, environment=other)))
        self.fails(2, words, "compare", "a.json", "b.json")

    def test_what_a_change_may_change_is_noted(self):
        build = {"compiler": "gcc 12", "flags": "-O2", "commit": "abc"}
        self.results("a.json", self.cases, dict(MACHINE, **build))
        self.assertNotIn("alike", self.succeeds("compare", "a.json", "a.json").stderr)
        self.results("b.json", self.cases, dict(MACHINE, **dict(build, flags="-O3", commit="def")))
        done = self.succeeds("compare", "a.json", "b.json", "--markdown", "c.md")
        self.assertIn("not built alike:\n  flags: base \"-O2\", new \"-O3\"\n  commit: base", done.stderr)
        self.assertIn("not built alike: flags, commit differ\n", self.read("c.md").decode())

    def test_what_neither_tells_is_the_same(self):
        self.results("a.json", self.cases, {"num_cpus": 2, "library_build_type": "release", "mhz_per_cpu": 3000})
        self.results("b.json", self.cases, {"num_cpus": 2, "library_build_type": "release", "mhz_per_cpu": 3100})
        self.succeeds("compare", "a.json", "b.json")
        self.results("c.json", self.cases)
        self.fails(2, ["cpu: base not told, new \"Pentium\""], "compare", "a.json", "c.json")

    def test_a_file_of_google_benchmark(self):
        """As its 1.8 writes: no key of ours, times in milliseconds, an aggregate without a time."""
        aggregates = [{"name": "BM/8_mean", "run_name": "BM/8", "run_type": "aggregate", "aggregate_name": "mean",
                       "real_time": 1.0, "time_unit": "ms"},
                      {"name": "BM_BigO", "run_name": "BM", "run_type": "aggregate", "aggregate_name": "BigO",
                       "cpu_coefficient": 3.0, "big_o": "N", "time_unit": "ms"}]
        rng = random.Random(8)
        listed = list(entries("BM/8", noisy(rng, 1.0, 9, 0.005, 0.0), "ms")) + aggregates
        context = {"date": "2026-01-01T00:00:00+00:00", "num_cpus": 2, "caches": [], "library_build_type": "release"}
        self.results("g.json", {"BM/8": listed}, context)
        done = self.succeeds("compare", "g.json", "g.json")
        self.assertRegex(done.stdout, r"BM/8 +\d+\.\d+ [mu]s .*same\n")
        self.assertIn("1 cases: 0 slower, 0 faster, 1 same", done.stdout)


class BadInput(CompareTest):
    good = {"x": [100.0 + i % 3 for i in range(21)]}

    def setUp(self):
        super().setUp()
        self.results("good.json", self.good)

    def test_files(self):
        text = json.dumps({"context": MACHINE, "benchmarks": list(entries("x", self.good["x"]))})
        for content, words in ((text[:len(text) // 2], ["no complete JSON", "line 1, column"]),
                               ("", ["no complete JSON", "line 1"]),
                               ("name,real_time\n", ["no complete JSON"]),
                               ("[1, 2]", ["expected an object"]),
                               ('{"results": [], "context": {}}', ["benchmarks"]),
                               ('{"benchmarks": [], "context": {}}', ["no benchmark"]),
                               (text.replace("101.0", "NaN"), ["no complete JSON", "NaN"]),
                               (text.replace("101.0", "null"), ["'x'", "real_time"]),
                               (text.replace("101.0", "-101.0"), ["'x'", "real_time"]),
                               (text.replace("101.0", '"101"'), ["'x'", "real_time"]),
                               (text.replace('"ns"', '"fortnights"'), ["fortnights"])):
            self.write("bad.json", content.encode())
            for pair in (("bad.json", "good.json"), ("good.json", "bad.json")):
                done = self.fails(2, ["'bad.json'", *words], "compare", *pair, "--json", "c.json", "--markdown", "c.md")
                self.assertEqual(done.stdout, "")

    def test_no_file_at_all(self):
        os.mkdir(self.path("folder"))
        self.fails(2, ["'absent.json'", "No such file"], "compare", "absent.json", "good.json")
        self.fails(2, ["'folder'", "is a folder"], "compare", "good.json", "folder")

    def test_nothing_in_common(self):
        self.results("other.json", {"y": self.good["x"]})
        self.fails(2, ["no case", "other.json"], "compare", "good.json", "other.json", "--json", "c.json")
        self.results("broken.json", {"x": failure("x")})
        self.fails(2, ["no case"], "compare", "broken.json", "broken.json")

    def test_command_line(self):
        for arguments, words in (([], ["BASE.json"]),
                                 (["good.json"], ["BASE.json"]),
                                 (["good.json", "good.json", "good.json"], ["'good.json'"]),
                                 (["good.json", "good.json", "--alpha", "0"], ["--alpha '0'"]),
                                 (["good.json", "good.json", "--alpha", "nan"], ["--alpha 'nan'"]),
                                 (["good.json", "good.json", "--threshold", "-3"], ["--threshold '-3'"]),
                                 (["good.json", "good.json", "--threshold", "3%"], ["--threshold '3%'"]),
                                 (["good.json", "good.json", "--filter", "("], ["--filter '('"]),
                                 (["good.json", "good.json", "--jason"], ["--jason", "--json"]),
                                 (["good.json", "good.json", "--json", "-", "--markdown", "-"], ["standard output"])):
            done = self.fails(2, words, "compare", *arguments)
            self.assertEqual(done.stdout, "")


class Outputs(CompareTest):
    def setUp(self):
        super().setUp()
        self.results("good.json", {"x\x1b[2J": [100.0 + i % 3 for i in range(21)]})

    def test_standard_output(self):
        done = self.succeeds("compare", "good.json", "good.json", "--json", "-")
        self.assertEqual(json.loads(done.stdout)["counts"]["same"], 1)
        self.assertIn("1 cases:", done.stderr)
        done = self.succeeds("compare", "good.json", "good.json", "--markdown", "-")
        self.assertTrue(done.stdout.startswith("### Performance: 0 slower"))

    def test_names_do_not_move_the_cursor(self):
        done = self.succeeds("compare", "good.json", "good.json", "--markdown", "c.md")
        self.assertIn("x?[2J", done.stdout)
        self.assertNotIn("\x1b", done.stdout + self.read("c.md").decode())

    def test_files_are_replaced_whole(self):
        self.write("c.md", b"old")
        self.succeeds("compare", "good.json", "good.json", "--markdown", "c.md", "--json", "c.json")
        self.assertIn(b"1 same", self.read("c.md"))
        self.assertEqual(sorted(os.listdir(self.folder)), ["c.json", "c.md", "good.json"])
        self.assertEqual(stat.S_IMODE(os.stat(self.path("c.md")).st_mode) & 0o600, 0o600)

    def test_places_that_take_no_file(self):
        for option in ("--json", "--markdown"):
            self.fails(2, [option, "no/such"], "compare", "good.json", "good.json", option, "no/such/file")
        if os.path.exists("/dev/full"):
            for option in ("--json", "--markdown"):
                self.fails(2, ["/dev/full"], "compare", "good.json", "good.json", option, "/dev/full")
            with open("/dev/full", "w", encoding="ascii") as full:
                self.fails(2, ["standard output"], "compare", "good.json", "good.json", stdout=full)


if __name__ == "__main__":
    main()
