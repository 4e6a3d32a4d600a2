#!/usr/bin/env python3
"""gemmgrad bench: its list of cases, its table, its JSON in google-benchmark's schema, and what it says to a wrong
command line; and the comparison with PyTorch, fed with programs that only pretend."""
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time
import unittest

from program import ProgramTest, main

PEERS = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"
FAST = ("--repetitions", "4", "--min-time", "0.001")
PRODUCT = "kernels/gemm/nn/32x256x256"


class Cases(ProgramTest):
    def names(self, *arguments):
        return self.succeeds("bench", "--list", *arguments).stdout.split()

    def test_every_suite_and_no_name_twice(self):
        names = self.names()
        self.assertEqual(len(names), len(set(names)))
        for suite in ("kernels", "layers", "training"):
            self.assertEqual(self.names("--suite", suite), [name for name in names if name.startswith(suite + "/")])
            self.assertNotEqual(self.names("--suite", suite), [])

    def test_the_shapes_that_were_asked_for(self):
        names = self.names()
        for shape in ("1x1024x1024", "1024x1024x1024", "1x16x16", "1x65x4096", "2048x65x256"):
            self.assertIn("kernels/gemm/nn/" + shape, names)
            self.assertIn("kernels/gemm/nn/" + shape + "/packed", names)
        for shape in ("32x256x256", "128x784x512", "128x1024x1024", "512x1024x1024", "64x4096x4096"):
            for layout in ("in_out", "out_in"):
                self.assertIn(f"layers/affine/{layout}/{shape}", names)
        self.assertGreaterEqual(sum(bool(re.fullmatch(r"kernels/gemm/nn/\d+x\d+x\d+", name)) for name in names), 150)

    def test_a_filter_takes_names_of_variants(self):
        self.assertEqual(self.names("--filter", "32x256x256/packed$"), [PRODUCT + "/packed"])

    def test_the_list_is_what_a_run_would_take(self):
        names, quick = self.names(), self.names("--quick")
        self.assertLess(set(quick), set(names))
        self.assertIn(PRODUCT, quick)
        self.assertNotIn("layers/conv/both/16x64x224x224x64x3x1", quick)
        self.fails(2, ["'nothere'"], "bench", "--list", "--filter", "nothere")


class Results(ProgramTest):
    def report(self, *arguments):
        self.succeeds("bench", *FAST, *arguments, "--json", "r.json")
        return self.read_json("r.json")

    def test_table(self):
        done = self.succeeds("bench", *FAST, "--filter", PRODUCT + "|activation/relu/65536")
        for word in ("GFLOP/s", "ratio", PRODUCT, PRODUCT + "/packed", "kernels/activation/relu/65536/gradient",
                     "geometric mean of 1", "FMA peak"):
            self.assertIn(word, done.stdout)

    def test_schema(self):
        report = self.report("--filter", PRODUCT)
        context = report["context"]
        for key in ("date", "host_name", "executable", "num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "caches",
                    "load_avg", "library_version", "library_build_type", "json_schema_version", "cpu", "blas",
                    "kernel_used", "threads", "fma_peak_gflops", "memory_gbps", "ceilings", "governor", "smt",
                    "affinity", "huge_pages", "blas_library", "compiler", "flags", "commit", "environment"):
            self.assertIn(key, context)
        self.assertRegex(context["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$")
        names = {entry["run_name"] for entry in report["benchmarks"]}
        self.assertLessEqual({PRODUCT, PRODUCT + "/packed"}, names)
        for name in names:
            self.check_entries([entry for entry in report["benchmarks"] if entry["run_name"] == name])

    def check_entries(self, entries):
        samples = [entry for entry in entries if entry["run_type"] == "iteration"]
        self.assertEqual([entry["repetition_index"] for entry in samples], [0, 1, 2, 3])
        aggregates = {entry["aggregate_name"]: entry for entry in entries if entry["run_type"] == "aggregate"}
        self.assertEqual(set(aggregates), {"mean", "median", "stddev", "cv"})
        for entry in entries:
            self.assertLessEqual({"name", "family_index", "per_family_instance_index", "repetitions", "threads",
                                  "iterations", "real_time", "cpu_time", "time_unit"}, set(entry))
            self.assertEqual(entry["time_unit"], "ns")
            self.assertGreaterEqual(entry["real_time"], 0.0)
        times = [entry["real_time"] for entry in samples]
        for name in ("mean", "median"):
            self.assertAlmostEqual(aggregates[name]["real_time"] / getattr(statistics, name)(times), 1.0, places=4)
        self.assertAlmostEqual(aggregates["stddev"]["real_time"] / statistics.stdev(times), 1.0, places=3)
        self.assertLessEqual(aggregates["median"]["median_low"], aggregates["median"]["real_time"])
        self.assertLessEqual(aggregates["median"]["real_time"], aggregates["median"]["median_high"])
        self.assertIn("outliers_severe", aggregates["median"])
        self.assertAlmostEqual(aggregates["median"]["gflops"] * aggregates["median"]["real_time"], 2.0 * 32 * 256 * 256,
                               delta=2.0 * 32 * 256 * 256 * 1e-4)

    def test_every_kind_passes_its_check(self):
        cheap = ("optimizer/.*/669706|activation/.*/65536|softmax|sum_rows|x8x8x1000|30x2x10x3|"
                 "(dx|dw|affine)/.*/32x256x256")
        report = self.report("--repetitions", "1", "--no-raw", "--filter", cheap)
        names = {entry["run_name"] for entry in report["benchmarks"]}
        for kind in ("adam/", "nesterov/", "log/65536/gradient", "softmax/backward", "cross_entropy", "gemm_batch"):
            self.assertTrue(any(kind in name for name in names), kind)
        self.assertEqual([entry for entry in report["benchmarks"] if "error_message" in entry], [])

    def test_long_cases_give_fewer_samples_in_a_hurry(self):
        short, long = "kernels/sum_rows/32x256", "kernels/svd/1024x1024"
        for arguments, allowed in (((), {short: range(3, 6), long: [3]}),  # 5, but for a machine that is very busy
                                   (("--repetitions", "4", "--min-time", "0.7"), {short: [4]}),
                                   (("--min-time", "0.7"), {short: [5]})):
            done = self.succeeds("bench", "--quick", "--threads", "1", "--no-raw", "--filter",
                                 f"^({'|'.join(allowed)})$", *arguments, "--json", "r.json")
            samples = [entry for entry in self.read_json("r.json")["benchmarks"] if entry["run_type"] == "iteration"]
            counts = []
            for name in allowed:
                own = [entry for entry in samples if entry["run_name"] == name]
                counts.append(len(own))
                self.assertIn(len(own), allowed[name])
                self.assertEqual([entry["repetition_index"] for entry in own], list(range(len(own))))
                self.assertEqual({entry["repetitions"] for entry in own}, {len(own)})
            words = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else counts[0]
            self.assertIn(f"median of {words} samples", done.stdout)

    def test_quick_covers_every_kind(self):
        kinds = [{tuple(name.split("/")[:2]) for name in self.succeeds("bench", "--list", *arguments).stdout.split()}
                 for arguments in ((), ("--quick",))]
        self.assertEqual(*kinds)

    def test_counters_and_no_allocation_once_warm(self):
        report = self.report("--filter", f"^({PRODUCT}|layers/affine/in_out/32x256x256|training/perceptron/sigmoid.*)$")
        medians = {entry["run_name"]: entry for entry in report["benchmarks"]
                   if entry.get("aggregate_name") == "median"}
        checked = 0
        for name, entry in medians.items():
            if name.endswith("/raw"):
                continue
            checked += 1
            self.assertEqual(entry["allocations"], 0.0, name)
            self.assertGreater(entry["peak_fraction"], 0.0)
            self.assertEqual("disturbed" in entry, entry["peak_fraction"] > 1.05)
            if name + "/raw" in medians:
                self.assertGreater(entry["ratio_raw"], 0.0)
        self.assertEqual(checked, 3)

    def test_numbers_of_threads_and_cold_caches(self):
        report = self.report("--threads", "2,1", "--cold", "--filter", PRODUCT + "$")
        names = {entry["run_name"]: entry["threads"] for entry in report["benchmarks"]}
        expected = {f"{PRODUCT}{raw}{cold}/threads:{threads}": threads for raw in ("", "/raw")
                    for cold in ("", "/cold") for threads in (1, 2)}
        self.assertEqual(names, expected)
        self.assertEqual([look["threads"] for look in report["context"]["ceilings"]], [1, 2])
        self.assertEqual(report["context"]["threads"], 1)  # as of "1,2"
        for look in report["context"]["ceilings"]:
            self.assertEqual(len(look["fma_peak_gflops"]), 4)  # before, between the visits, after
            self.assertEqual(len(look["memory_gbps"]), 4)
        for entry in report["benchmarks"]:
            if "/cold" in entry["run_name"] and entry["run_type"] == "iteration":
                self.assertEqual(entry["iterations"], 1)
            if entry.get("aggregate_name") == "median" and "raw" not in entry["run_name"]:
                self.assertGreater(entry["roofline_fraction"], 0.0)
                self.assertAlmostEqual(entry["intensity"], 2 * 32 * 256 * 256 / (4 * (32 * 256 * 2 + 256 * 256)), 2)
                self.assertEqual("first_call" in entry, "/cold" not in entry["run_name"])

    def test_json_to_standard_output(self):
        done = self.succeeds("bench", *FAST, "--threads", "1", "--no-raw", "--filter", PRODUCT + "$", "--json", "-")
        report = json.loads(done.stdout)
        self.assertEqual(report["context"]["threads"], 1)
        self.assertEqual({entry["run_name"] for entry in report["benchmarks"]}, {PRODUCT})
        self.assertNotIn("ratio_raw", json.dumps(report["benchmarks"]))
        self.assertIn(PRODUCT, done.stderr)


class Interrupts(ProgramTest):
    def interrupted(self, after, *arguments):
        """Seconds that the end took, and what was said."""
        process = self.start_program("bench", "--filter", PRODUCT + "$", *arguments, "--json", "r.json")
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        _, said = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 1, said)
        return time.monotonic() - start, said

    def test_within_a_visit(self):
        for after in (6.0, 20.0, 60.0):  # a busy machine is late with its first sample
            took, said = self.interrupted(after, "--no-raw", "--min-time", "300", "--repetitions", "15000")
            if "before anything" not in said:
                break
        self.assertLess(took, 40.0)
        self.assertIn("interrupted; what was measured", said)
        report = self.read_json("r.json")
        self.assertIs(report["context"]["interrupted"], True)
        samples = [entry["real_time"] for entry in report["benchmarks"] if entry["run_type"] == "iteration"]
        self.assertGreater(min(samples), 0.0)
        self.assertIn(len(samples), range(1, 15000))

    def test_within_a_sample_that_is_the_first(self):
        self.write("r.json", b"good")
        took, said = self.interrupted(4.0, "--min-time", "3600", "--repetitions", "1")
        self.assertLess(took, 30.0)
        self.assertIn("interrupted before anything was measured", said)
        self.assertEqual(self.read("r.json"), b"good")


# A peer whose samples are what it is told.
PEER = """import sys
sys.path.insert(0, {peers!r})
import peer_server
peer_server.seconds_of = lambda function, count: 0.001
named = {{"layers/affine/32x256x256": lambda: {{"way": lambda: None}},
         "training/perceptron/sigmoid-sgd/30x2x10x3": lambda: {{"way": lambda: 1 / 0}}}}
cases = peer_server.Cases(named, ["kernels/sum_rows/*"], lambda name: {{name: lambda: None}})
peer_server.serve(cases, "Pretender 1.0")
"""


class Peers(ProgramTest):
    def bench(self, *arguments, code=0):
        self.write("numpy_peers.py", PEER.format(peers=str(PEERS)).encode())
        cases = "affine/(in_out|out_in)/32x256|sigmoid-sgd|sum_rows/32x256|softmax/forward/128x10$"
        done = self.run_program("bench", *FAST, "--no-raw", "--filter", cases, "--json", "r.json", "--peer", "numpy",
                                "--python", sys.executable, *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_a_peer_in_the_same_turns(self):
        done = self.bench("--peers", self.folder)
        report = self.read_json("r.json")
        self.assertEqual(report["context"]["numpy"], "Pretender 1.0")
        medians = {entry["run_name"]: entry for entry in report["benchmarks"]
                   if entry.get("aggregate_name") == "median"}
        for name in ("layers/affine/in_out/32x256x256", "layers/affine/out_in/32x256x256", "kernels/sum_rows/32x256"):
            self.assertEqual(medians[name + "/numpy"]["real_time"], 1e6)
            times = [entry["real_time"] for entry in report["benchmarks"]
                     if entry["run_name"] == name and entry["run_type"] == "iteration"]
            ratio = statistics.median(1e6 / time for time in times)
            self.assertAlmostEqual(medians[name]["ratio_numpy"] / ratio, 1.0, places=4)
        self.assertIn("ZeroDivisionError", done.stderr)  # that case of the peer is out, ours is not
        self.assertNotIn("ratio_numpy", medians["training/perceptron/sigmoid-sgd/30x2x10x3"])
        self.assertNotIn("ratio_numpy", medians["kernels/softmax/forward/128x10"])
        self.assertIn("times as fast as Pretender 1.0", done.stdout)

    def test_peers_that_are_not_there(self):
        self.assertIn("numpy_peers.py", self.bench("--peers", self.path("nowhere"), code=1).stderr)
        self.fails(2, ["--peer 'tensor'", "torch, numpy"], "bench", "--peer", "tensor")
        self.fails(2, ["--peer goes with one number"], "bench", "--peer", "numpy", "--threads", "1,2")


class WrongUsage(ProgramTest):
    def test_options(self):
        for arguments, words in (
                (["--fast"], ["--fast", "--suite"]),
                (["--suite", "all-of-them"], ["all-of-them", "kernels, layers, training or all"]),
                (["--suite"], ["--suite", "value"]),
                (["--filter", "("], ["--filter '('", "regular expression"]),
                (["--filter", "no such case"], ["no such case", "--list"]),
                (["--threads", "0"], ["--threads '0'", "1 to 1024"]),
                (["--threads", "two"], ["--threads 'two'"]),
                (["--threads", "1,"], ["--threads ''"]),
                (["--threads", "2,1,2"], ["2,1,2", "twice"]),
                (["--threads", "1,2,3,4,5,6,7,8,9"], ["at most 8"]),
                (["--repetitions", "0"], ["--repetitions '0'"]),
                (["--min-time", "-1"], ["--min-time '-1'"]),
                (["--min-time", "nan"], ["--min-time 'nan'"]),
                (["gemm"], ["unexpected argument 'gemm'"])):
            self.fails(2, words, "bench", *arguments)

    def test_a_file_that_cannot_be_written(self):
        self.fails(1, ["no/such/folder"], "bench", "--filter", PRODUCT, "--json", "no/such/folder/r.json")

    def test_help(self):
        done = self.succeeds("bench", "--help")
        for option in ("--suite", "--filter", "--threads", "--json", "--min-time", "--repetitions", "--quick",
                       "--list"):
            self.assertIn(option, done.stdout)


# Stands for gemmgrad and for a Python with PyTorch: every case takes so many nanoseconds.
PRETENDER = """#!{python}
import json, sys
names = {names!r}
with open(sys.argv[-1], "w") as file:
    json.dump({{"context": {{"cpu": "x", "fma_peak_gflops": 1.0, "library_version": "1", "blas": "b",
                            "blas_version": "1", "threading": "t", "kernel_used": "k", "peer": "torch",
                            "environment": {{}}, "foreign_cpus": 0.0}},
              "benchmarks": [{{"run_name": name, "aggregate_name": "median", "real_time": {time}, "way": "w"}}
                             for name in names]}}, file)
sys.exit({code})
"""


def load_compare():
    sys.path.insert(0, str(PEERS))
    try:
        import compare
        return compare
    finally:
        sys.path.remove(str(PEERS))


class Comparison(ProgramTest):
    titles = "spiral"
    names = ["training/perceptron/sigmoid-sgd/30x2x10x3"]

    def pretend(self, name, nanoseconds, code=0):
        text = PRETENDER.format(python=sys.executable, names=self.names, time=nanoseconds, code=code)
        os.chmod(self.write(name, text.encode()), 0o755)
        return self.path(name)

    def compare(self, *arguments):
        return subprocess.run([sys.executable, str(PEERS / "compare.py"), "--rounds", "3", "--filter", self.titles,
                               *arguments], text=True, capture_output=True, check=False, cwd=self.folder)

    def test_a_target_met_and_one_missed(self):
        fast, slow = self.pretend("fast", 1000.0), self.pretend("slow", 30000.0)
        done = self.compare("--gemmgrad", fast, "--python", slow, "--json", "c.json")
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertRegex(done.stdout, r"30\.00 +\(30\.00-30\.00\) +25\.00 +met")
        self.assertEqual(self.read_json("c.json")["rows"][0]["ratio"], 30.0)
        done = self.compare("--gemmgrad", slow, "--python", fast)
        self.assertEqual(done.returncode, 1)
        self.assertIn("MISSED", done.stdout)

    def test_several_cases_in_a_row_of_the_table(self):
        compare = load_compare()
        results = {"gemmgrad": [], "kernel": []}
        for name, times in (("gemmgrad", (1.0, 1.0)), ("kernel", (2.0, 8.0))):
            entries = [{"run_name": case, "aggregate_name": "median", "real_time": time, "way": "w"}
                       for case, time in zip("ab", times)]
            results[name] = [{"benchmarks": entries}] * 3
        pairs = (("a", "a"), ("b", "b"))
        mean = compare.judge(compare.Case("mean", pairs, 4.0), results, ["kernel"])
        self.assertAlmostEqual(mean["ratio"], 4.0)
        self.assertEqual(mean["slowest"], "a")
        self.assertAlmostEqual(mean["torch_ms"], 10e-6)
        each = compare.judge(compare.Case("each", pairs, 3.0, each=True), results, ["kernel"])
        self.assertEqual((each["ratio"], each["met"], each["slowest"]), (2.0, False, "a"))

    def test_a_program_that_fails(self):
        good, bad = self.pretend("good", 1.0), self.pretend("bad", 1.0, code=3)
        done = self.compare("--gemmgrad", good, "--python", bad)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ended with code 3", done.stderr)

    def test_wrong_usage(self):
        good = self.pretend("good", 1.0)
        for arguments, word in ((["--gemmgrad", "nowhere"], "nowhere is no program"),
                                (["--gemmgrad", good, "--settings", "worst"], "worst"),
                                (["--gemmgrad", good, "--rounds", "0"], "1 or more"),
                                (["--gemmgrad", good, "--filter", "no such case"], "no such case")):
            done = self.compare(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(word, done.stderr)

    def test_every_case_exists_on_both_sides(self):
        ours = set(self.succeeds("bench", "--list").stdout.split())
        theirs = subprocess.run([sys.executable, str(PEERS / "torch_peers.py"), "--list"], text=True,
                                capture_output=True, check=True).stdout.split()
        pairs = [pair for case in load_compare().CASES for pair in case.pairs]
        self.assertGreater(len(pairs), 8 + 23 + 9 + 12)
        for our_name, torch_name in pairs:
            self.assertIn(our_name, ours)
            self.assertIn(torch_name, theirs)
        plain = re.compile(r"layers/(?:conv|depthwise)/[a-z]+/[0-9x]+")
        self.assertEqual(sorted(filter(plain.fullmatch, ours)), sorted(filter(plain.fullmatch, theirs)))
        self.assertLessEqual({name for name in theirs if name.startswith("kernels/")}, ours)


if __name__ == "__main__":
    main()
