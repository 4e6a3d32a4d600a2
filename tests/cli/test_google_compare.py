#!/usr/bin/env python3
"""google-benchmark's own tools/compare.py reads the files of gemmgrad bench. Skipped where that tool (Debian:
libbenchmark-tools) or its SciPy is not installed; BENCHMARK_COMPARE names another copy of it."""
import math
import os
import subprocess
import sys

from program import SKIPPED, ProgramTest, main

TOOL = os.environ.get("BENCHMARK_COMPARE", "/usr/share/benchmark/compare.py")
REPETITIONS = 9  # what the tool wants for its U test
CASES = "gemm/nn/16x16x16$|sum_rows/32x256|lu_solve/64"


def interpreter():
    """A Python that has what the tool imports: Debian's package belongs to Debian's Python."""
    for python in (sys.executable, "/usr/bin/python3"):
        known = subprocess.run([python, "-c", "import scipy.stats"], capture_output=True, check=False)
        if known.returncode == 0:
            return python
    return None


class GoogleCompare(ProgramTest):
    def measure(self, name):
        self.succeeds("bench", "--quick", "--cold", "--repetitions", REPETITIONS, "--filter", CASES, "--json", name)
        return self.read_json(name)

    def tool(self, *arguments):
        done = subprocess.run([interpreter(), "-B", TOOL, "--no-color", "-d", self.path("out.json"), *arguments],
                              cwd=self.folder, text=True, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("Warning", done.stderr)
        return done.stdout, {(entry["name"], entry["run_type"]): entry for entry in self.read_json("out.json")}

    def samples(self, results):
        found = {}
        for entry in results["benchmarks"]:
            if entry["run_type"] == "iteration":
                found.setdefault(entry["name"], []).append(entry["real_time"])
        return found

    def test_two_files(self):
        old, new = self.samples(self.measure("old.json")), self.samples(self.measure("new.json"))
        self.assertEqual(sorted(old), sorted(new))
        text, entries = self.tool("benchmarks", "old.json", "new.json")
        logarithms = []
        for name, times in old.items():
            entry = entries[name, "iteration"]
            self.assertEqual([m["real_time"] for m in entry["measurements"]], times)
            self.assertEqual([m["real_time_other"] for m in entry["measurements"]], new[name])
            self.assertTrue(entry["utest"]["have_optimal_repetitions"], name)
            self.assertTrue(0.0 <= entry["utest"]["time_pvalue"] <= 1.0, name)
            self.assertIn(f"{name}_pvalue ", text)
            self.assertIn(f"{name}_median ", text)
            logarithms += [math.log(b / a) for a, b in zip(times, new[name])]
        mean = math.exp(sum(logarithms) / len(logarithms)) - 1.0
        geomean = next(entry for (name, _), entry in entries.items() if name == "OVERALL_GEOMEAN")
        self.assertAlmostEqual(geomean["measurements"][0]["time"], mean, delta=1e-9 * (1.0 + abs(mean)))

    def test_two_cases_of_one_file(self):
        self.measure("one.json")
        text, _ = self.tool("filters", "one.json", "gemm/nn/16x16x16$", "gemm/nn/16x16x16/raw")
        self.assertIn("OVERALL_GEOMEAN", text)


if __name__ == "__main__":
    if not os.path.exists(TOOL) or interpreter() is None:
        print(f"skipped: {TOOL} or SciPy is not installed")
        sys.exit(SKIPPED)
    main()
