#!/usr/bin/env python3
"""gemmgrad report: a page that is well-formed, holds every case, loads nothing, and lets no name of a file act."""
import re

from page import Page
from program import ProgramTest, main
from results import entries, failure, results

PRODUCT = "kernels/gemm/nn/32x256x256"
AFFINE = "layers/affine/in_out/32x256x256"
HOSTILE = "<script>alert('x')</script>/\"quoted\" & 'single'/\u00e9\u0007"

class ReportTest(ProgramTest):
    def page(self, *arguments):
        self.succeeds("report", *arguments, "-o", "page.html")
        return Page(self.read("page.html").decode())


class Pages(ReportTest):
    def usual(self):
        yield from entries(PRODUCT, [1e-4, 1.1e-4, 1.2e-4], gflops=40.0, gbps=4.0, peak_fraction=0.13, ratio_raw=1.25,
                           allocations=0.0, median_low=1.05e5, median_high=1.15e5)
        yield from entries(PRODUCT + "/raw", [1.3e-4, 1.4e-4, 1.5e-4], gflops=30.0)
        yield from entries(PRODUCT + "/cold", [3e-4, 3e-4, 3e-4])
        yield from entries(PRODUCT + "/raw/cold", [4e-4, 4e-4, 4e-4])
        yield from entries(PRODUCT + "/packed", [9e-5, 1e-4, 1e-4], gflops=44.0, gbps=5.0, ratio_raw=0.5)
        yield from entries(AFFINE, [2e-4, 2e-4, 3e-4], gflops=60.0, gbps=3.0, ratio_raw=1.1)
        yield from entries("kernels/softmax/forward/128x10", [5e-6] * 3, gbps=12.0)
        yield failure("training/perceptron/relu", "differs <from> the reference")

    def test_every_case_once(self):
        self.write("r.json", results(self.usual()))
        page = self.page("r.json")
        self.assertEqual(sorted(page.rows), sorted([PRODUCT, PRODUCT + "/cold", PRODUCT + "/packed", AFFINE,
                                                    "kernels/softmax/forward/128x10", "training/perceptron/relu"]))
        page.check_alone(self)
        for words in ("Roofline", "FMA peak 300 GFLOP/s", "memory 20.0 GB/s", "Against raw cblas_sgemm", "Samples",
                      "differs <from> the reference", "Test CPU", "OMP_NUM_THREADS 2", "1 failed",
                      "105\u00a0\u00b5s to 115\u00a0\u00b5s"):
            self.assertIn(words, page.words())

    def test_what_the_raw_calls_are(self):
        inverse = "kernels/svd/64x64"
        for cases, words in (((PRODUCT,), "Against raw cblas_sgemm"), ((inverse,), "Against raw LAPACKE"),
                             ((PRODUCT, inverse), "Against raw cblas_sgemm or LAPACKE")):
            self.write("r.json", results([entry for name in cases for entry in entries(name, [1e-4] * 3,
                                                                                       ratio_raw=1.0)]))
            headings = [text for text in self.page("r.json").texts if "Against raw" in text]
            self.assertEqual([heading.strip() for heading in headings], [words])

    def test_marks_and_strips(self):
        self.write("r.json", results(self.usual()))
        page = self.page("r.json")
        marks = [title for title in page.titles() if "GFLOP/s at" in title]
        self.assertEqual(sorted(title.split(":")[0] for title in marks), [PRODUCT, PRODUCT + "/packed", AFFINE])
        self.assertIn(PRODUCT + ": 40.0 GFLOP/s at 10 flops per byte, 20% of the roof", marks)
        strips = [path.get("d") for path in page.root.iter("path") if path.get("class") in ("samples", "beyond")]
        self.assertEqual([len(re.findall("M", strip)) for strip in strips], [3, 3, 3, 2, 1, 3])  # one beyond the scale

    def test_base_and_peers(self):
        self.write("r.json", results(self.usual()))
        self.write("base.json", results(entries(PRODUCT, [2.2e-4] * 3)))
        self.write("torch.json", results(entries("layers/affine/32x256x256", [3e-4] * 3), peer="torch 2.x",
                                         setting="best"))
        page = self.page("torch.json", "r.json", "--base", "base.json", "--title", "Ours & theirs")
        words = page.words()
        for expected in ("Ours & theirs", "Against the base", "Against torch 2.x (best)", "2.00\u00d7", "1.50\u00d7",
                         "base: base.json", "peer: torch.json"):
            self.assertIn(expected, words)
        page.check_alone(self)

    def test_peers_of_the_same_run(self):
        self.write("r.json", results([*entries(PRODUCT, [1e-4] * 3, ratio_torch=1.75, ratio_raw=1.0),
                                      *entries(AFFINE, [1e-4] * 3, ratio_torch=2.25, ratio_numpy=4.5)],
                                     torch="torch <2.x>, 2 threads"))
        words = self.page("r.json").words()
        for expected in ("Against torch", "Against numpy", "torch <2.x>, 2 threads, measured in the same run",
                         "1.75\u00d7", "4.50\u00d7"):
            self.assertIn(expected, words)

    def test_the_last_file_counts(self):
        self.write("a.json", results(entries(PRODUCT, [1.0])))
        self.write("b.json", results([*entries(PRODUCT, [2.0]), *entries(AFFINE, [3.0])]))
        page = self.page("a.json", "b.json")
        self.assertEqual(sorted(page.rows), sorted([PRODUCT, AFFINE]))
        self.assertNotIn("1.00\u00a0s", page.texts)
        self.assertIn("2.00\u00a0s", page.texts)

    def test_a_peak_that_was_disturbed(self):
        self.write("r.json", results(self.usual(), fma_peak_gflops=50.0))
        self.assertIn("1 above the FMA peak", self.page("r.json").words())

    def test_ceilings_that_moved(self):
        looks = [{"threads": 2, "fma_peak_gflops": [310.0, 280.0, None], "memory_gbps": [19.0, 21.5]}]
        self.write("r.json", results(self.usual(), ceilings=looks, interrupted=True, foreign_cpus=0.4))
        words = self.page("r.json").words()
        for expected in ("FMA peak 310 GFLOP/s", "memory 21.5 GB/s", "the lowest of 3 looks during the run: 280",
                         "r.json was interrupted", "others kept 0.40 CPUs busy"):
            self.assertIn(expected, words)
        looks.append({"threads": 4, "fma_peak_gflops": [520.0, 510.0], "memory_gbps": [20.0, 21.0]})
        self.write("r.json", results(self.usual(), ceilings=looks))
        words = self.page("r.json").words()
        for expected in ("FMA peak 520 GFLOP/s", "the best of 2 and 4 threads"):
            self.assertIn(expected, words)
        self.assertNotIn("the lowest of", words)

    def test_absurd_numbers(self):
        absurd = (0.0, -1.0, 1e-300, 1e-8, 1e11, 1e308)
        self.write("r.json", results([entry for i, x in enumerate(absurd) for entry in
                                      entries(f"a/b/{i}", [1e-300, 1.0, 1e200], gflops=x, gbps=absurd[-1 - i],
                                              intensity=absurd[(i + 2) % 6], ratio_raw=x, roofline_fraction=x)],
                                     fma_peak_gflops=1e308, memory_gbps=-1.0, ceilings={"x": [3]}, foreign_cpus="no"))
        page = self.page("r.json", "--base", "r.json")
        self.assertEqual(len(page.rows), 6)
        for name, value in page.attributes:
            self.assertNotRegex(value or "", r"(?i)\b-?(nan|inf)\b", name)

    def test_hostile_words(self):
        self.write("r.json", results([*entries(HOSTILE, [1.0, 2.0], gflops=1.0, gbps=1.0, ratio_raw=0.9),
                                      failure("x/y/\"><b>", "<i>&amp;")],
                                     cpu=HOSTILE, **{"<b onload='x'>": ["</dl>", {"<": 1.5}]}))
        page = self.page("r.json", "--title", HOSTILE.replace("\u0007", ""))
        page.check_alone(self)
        self.assertIn(HOSTILE.replace("\u0007", "\ufffd"), page.rows)
        self.assertFalse({"b", "i"} & set(page.tags))

    def test_bytes_that_are_no_text(self):
        self.write("r.json", results(entries(PRODUCT, [1.0])))
        self.run_program("report", "r.json", "-o", "page.html", "--title", b"\xff\xc3(\xe2\x82".decode(
            "utf-8", "surrogateescape"))
        Page(self.read("page.html").decode("utf-8"))

    def test_little_is_enough(self):
        self.write("r.json", results(entries("BM_x", [1.0]), cpu=None, fma_peak_gflops=None, memory_gbps=None))
        page = self.page("r.json")
        self.assertEqual(page.rows, ["BM_x"])
        self.assertNotIn("Roofline", page.texts)
        self.write("g.json", results(entries("a/b/c", [1.0], gflops=3.0, gbps=1.0), memory_gbps=None))
        self.assertIn("there is no roof", self.page("g.json").words())

    def test_many_cases_are_folded(self):
        many = (entry for i in range(300) for entry in entries(f"kernels/gemm/n{i % 3}/{i}", [1e-3, 1e-3], gflops=5.0,
                                                               gbps=1.0, ratio_raw=1.0 + i / 300))
        self.write("r.json", results(many))
        page = self.page("r.json")
        self.assertEqual(len(set(page.rows)), 300)
        self.assertEqual(len(page.rows), 300)
        self.assertNotIn('<details open="open"><summary>kernels', page.text)
        self.assertIn("kernels/gemm/n2", page.texts)

    def test_standard_output(self):
        self.write("r.json", results(entries(PRODUCT, [1.0])))
        Page(self.succeeds("report", "r.json", "-o", "-").stdout)


class Refusals(ReportTest):
    def test_files(self):
        self.write("r.json", results(entries(PRODUCT, [1.0])))
        self.write("none.json", results([]))
        self.write("half.json", results(entries(PRODUCT, [1.0]))[:80])
        self.write("other.json", b'{"epochs": []}')
        self.write("peer.json", results(entries(PRODUCT, [1.0]), peer="torch 2.x"))
        for name in ("none.json", "half.json", "other.json", "missing.json"):
            self.fails(1, [name], "report", "r.json", name, "-o", "page.html")
            self.fails(1, [name], "report", "r.json", "--base", name, "-o", "page.html")
        self.fails(1, ["peer"], "report", "peer.json", "-o", "page.html")
        self.fails(1, ["peer.json", "at most 4"], "report", *["peer.json"] * 5, "-o", "page.html")

    def test_a_page_that_cannot_be_written(self):
        self.write("r.json", results(entries(PRODUCT, [1.0])))
        self.fails(1, ["no/such/folder"], "report", "r.json", "-o", "no/such/folder/page.html")
        self.fails(1, ["folder"], "report", "r.json", "-o", ".")
        with open("/dev/full", "w", encoding="ascii") as full:
            self.fails(1, ["standard output"], "report", "r.json", "-o", "-", stdout=full)

    def test_usage(self):
        self.write("r.json", results(entries(PRODUCT, [1.0])))
        for arguments, words in (([], ["at least one file"]), (["r.json"], ["-o PAGE"]), (["-o", "x.html"], ["file"]),
                                 (["r.json", "-o"], ["-o", "value"]), (["r.json", "--bass", "x"], ["--bass", "--base"]),
                                 (["r.json", "-x"], ["-x"])):
            self.fails(2, words, "report", *arguments)

    def test_help(self):
        done = self.succeeds("report", "--help")
        for option in ("--output", "--base", "--title"):
            self.assertIn(option, done.stdout)


if __name__ == "__main__":
    main()
