#!/usr/bin/env python3
"""gemmgrad history: runs in the order of their dates, steps where they were planted, files it cannot use."""
import math
import random

from page import Page
from program import ProgramTest, main
from results import entries, failure, results

STEADY, STEPS = "kernels/gemm/nn/32x256x256", "layers/affine/in_out/32x256x256"
HOSTILE = "<script>alert('x')</script>/\"quoted\" & 'single'"
COMMITS = [f"{0x1f3a5b9c01 + 7919 * i:010x}" + 30 * "0" for i in range(40)]


class HistoryTest(ProgramTest):
    def run_file(self, day, cases, **context):
        """A file whose name tells nothing of the order."""
        number = (day * 7) % 31
        context = {"date": f"2026-01-{day:02d}T12:00:00+00:00", "commit": COMMITS[day], **context}
        benchmarks = [entry for name, seconds in cases.items()
                      for entry in entries(name, [0.99 * seconds, seconds, 1.01 * seconds])]
        self.write(f"runs/{number:02d}.json", results(benchmarks, **context))

    def usual(self, days=20):
        noise = random.Random(5)
        for day in range(1, days + 1):
            jitter = math.exp(noise.gauss(0, 0.01))
            self.run_file(day, {STEADY: 1e-3 * jitter, STEADY + "/raw": 1e-3,
                                STEPS: (2e-4 if day < 8 else 2.6e-4 if day < 15 else 1.8e-4) / jitter})


class Steps(HistoryTest):
    def test_table(self):
        self.usual()
        done = self.succeeds("history", "runs")
        lines = done.stdout.splitlines()
        self.assertEqual(done.stderr, "")
        self.assertEqual(len(lines), 5, done.stdout)
        for line, percent, day in ((lines[1], 30.0, 8), (lines[2], -30.8, 15)):
            name, _, _, _, _, change, commit, _, date = line.split()
            self.assertEqual((name, commit, date), (STEPS, COMMITS[day][:10], f"2026-01-{day:02d}"))
            self.assertAlmostEqual(float(change.rstrip("%")), percent, delta=3.0)
        self.assertEqual(lines[4], "2 cases in 20 runs, 2026-01-01 to 2026-01-20: 2 steps")

    def test_json(self):
        self.usual()
        self.succeeds("history", "runs", "--json", "h.json")
        history = self.read_json("h.json")
        self.assertEqual([run["commit"] for run in history["runs"]], COMMITS[1:21])
        cases = {case["name"]: case for case in history["cases"]}
        self.assertEqual(set(cases), {STEADY, STEPS})
        self.assertEqual(cases[STEADY]["steps"], [])
        self.assertEqual([step["run"] for step in cases[STEPS]["steps"]], [7, 14])
        self.assertEqual([len(case["medians"]) for case in cases.values()], [20, 20])
        done = self.succeeds("history", "runs", "--json", "-", "--filter", "^layers")
        self.assertNotIn(STEADY, done.stdout)
        self.assertIn("2 steps", done.stderr)

    def test_dates_with_zones(self):
        self.run_file(1, {STEADY: 1.0}, date="2026-03-01T00:30:00+01:00")
        self.run_file(2, {STEADY: 1.0}, date="2026-02-28T23:45:00Z")
        self.run_file(3, {STEADY: 1.0}, date="2026-02-28T19:00:00-0500")
        self.run_file(4, {STEADY: 1.0}, date="2026-03-01T00:10:00")
        self.succeeds("history", "runs", "--json", "h.json")
        self.assertEqual([run["commit"] for run in self.read_json("h.json")["runs"]],
                         [COMMITS[1], COMMITS[2], COMMITS[3], COMMITS[4]])

    def test_cases_that_come_and_go(self):
        for day in range(1, 13):
            self.run_file(day, {"old/x/y" if day < 7 else "new/x/y": 1.0, "odd/x/y" if day % 2 else "even/x/y":
                                1.0 if day < 7 else 2.0})
        self.succeeds("history", "runs", "--json", "h.json", "-o", "h.html")
        cases = {case["name"]: case for case in self.read_json("h.json")["cases"]}
        self.assertEqual(cases["old/x/y"]["runs"], [0, 1, 2, 3, 4, 5])
        self.assertEqual(cases["odd/x/y"]["runs"], [0, 2, 4, 6, 8, 10])
        self.assertEqual([step["run"] for step in cases["odd/x/y"]["steps"]], [6])
        Page(self.read("h.html").decode())

    def test_another_machine_is_marked(self):
        for day in range(1, 9):
            self.run_file(day, {STEADY: 1.0 if day < 5 else 1.5}, cpu="A" if day < 5 else "B")
        self.assertIn("on another machine", self.succeeds("history", "runs", "-o", "h.html").stdout)
        self.assertIn("more than one machine", self.read("h.html").decode())


class Pages(HistoryTest):
    def test_every_case_once(self):
        self.usual()
        self.succeeds("history", "runs", "-o", "h.html")
        page = Page(self.read("h.html").decode())
        page.check_alone(self)
        self.assertEqual(page.rows, [STEPS, STEPS])
        self.assertEqual(page.texts.count(STEADY), 1)
        self.assertIn(("class", "steps"), page.attributes)  # which a phone shows as blocks
        charts = [title for title in page.titles() if " to " in title]
        self.assertEqual([title.split(":")[0] for title in charts], [STEPS, STEADY])
        marks = [title for title in page.titles() if " at " in title]
        self.assertEqual([title.split(" at ")[1][:10] for title in marks], [COMMITS[8][:10], COMMITS[15][:10]])

    def test_hostile_words(self):
        for day in range(1, 5):
            self.run_file(day, {HOSTILE: 1.0 if day < 3 else 2.0}, commit=HOSTILE, cpu=HOSTILE)
        self.succeeds("history", "runs", "-o", "h.html")
        page = Page(self.read("h.html").decode())
        page.check_alone(self)
        self.assertEqual(page.rows, [HOSTILE])

    def test_absurd_numbers(self):
        for day, seconds in enumerate((1e-300, 1e-300, 1e290, 1e290, 1.0, 1.0), 1):
            self.run_file(day, {STEADY: seconds})
        self.succeeds("history", "runs", "-o", "h.html")
        page = Page(self.read("h.html").decode())
        for name, value in page.attributes:
            self.assertNotRegex(value or "", r"(?i)\b-?(nan|inf)\b", name)

    def test_one_run(self):
        self.run_file(1, {STEADY: 1.0}, commit=None, cpu=None, threads=None)
        done = self.succeeds("history", "runs/", "-o", "h.html")
        self.assertEqual(done.stdout, "1 case in 1 run, 2026-01-01 to 2026-01-01: 0 steps\n")
        self.assertIn("No case changed its level.", Page(self.read("h.html").decode()).texts)

    def test_page_to_standard_output(self):
        self.usual(4)
        done = self.succeeds("history", "runs", "-o", "-")
        Page(done.stdout)
        self.assertIn("0 steps", done.stderr)


class Refusals(HistoryTest):
    def test_files_that_cannot_be_used_are_named(self):
        self.usual(4)
        self.write("runs/half.json", b'{"context": {')
        self.write("runs/other.json", b'{"epochs": []}')
        self.write("runs/dateless.json", results(entries(STEADY, [1.0]), date=None))
        self.write("runs/baddate.json", results(entries(STEADY, [1.0]), date="yesterday"))
        self.write("runs/peer.json", results(entries(STEADY, [1.0]), peer="torch 2.x"))
        self.write("runs/folder.json/x.txt", b"")
        self.write("runs/notes.txt", b"no JSON")
        done = self.succeeds("history", "runs")
        for name in ("half", "other", "dateless", "baddate", "peer", "folder"):
            self.assertIn(f"runs/{name}.json'", done.stderr)
        self.assertNotIn("notes", done.stderr)
        self.assertIn("2 cases in 4 runs", done.stdout)

    def test_nothing_usable(self):
        self.write("runs/half.json", b"{")
        self.fails(1, ["half.json", "no usable file"], "history", "runs", "-o", "h.html")
        self.write("empty/x.txt", b"")
        self.fails(1, ["'empty'", "no usable file"], "history", "empty")
        self.write("failed/r.json", results([failure(STEADY, "differs")]))
        self.fails(1, ["no case"], "history", "failed")
        self.fails(1, ["'nowhere'", "cannot open the folder"], "history", "nowhere")

    def test_outputs_that_cannot_be_written(self):
        self.usual(3)
        self.fails(1, ["no/such"], "history", "runs", "-o", "no/such/h.html")
        self.fails(1, ["no/such"], "history", "runs", "--json", "no/such/h.json", "-o", "h.html")

    def test_usage(self):
        self.usual(1)
        for arguments, words in (([], ["folder"]), (["runs", "other"], ["'other'"]),
                                 (["runs", "--filter", "("], ["'('"]), (["runs", "-o"], ["-o", "value"]),
                                 (["runs", "--jsn", "x"], ["--jsn", "--json"]),
                                 (["runs", "-o", "-", "--json", "-"], ["standard output"])):
            self.fails(2, words, "history", *arguments)
        self.fails(1, ["no case", "--filter"], "history", "runs", "--filter", "no such")

    def test_help(self):
        done = self.succeeds("history", "--help")
        for option in ("--filter", "--json", "--output"):
            self.assertIn(option, done.stdout)


if __name__ == "__main__":
    main()
