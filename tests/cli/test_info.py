#!/usr/bin/env python3
"""gemmgrad info: its keys, its figures, its advice, and standard output that cannot be written."""
import json
import math
import os
import unittest

from program import ProgramTest, main

KEYS = ["cpu", "features", "blas", "blas_version", "threading", "kernel_found", "kernel_used", "kernel_note",
        "vector_isa", "threads", "fma_peak_gflops", "sgemm_gflops", "memory_gbps"]


class Info(ProgramTest):
    def test_json_has_its_keys(self):
        info = json.loads(self.succeeds("info", "--json", env={"OMP_NUM_THREADS": "1"}).stdout)
        self.assertEqual(list(info), KEYS)
        for key in KEYS[:9]:
            self.assertIsInstance(info[key], str)
            self.assertTrue(info[key] or key == "features", key)
        self.assertEqual(info["threads"], 1)
        for key in KEYS[10:]:
            self.assertTrue(math.isfinite(info[key]) and info[key] > 0, key)

    def test_text_says_the_same(self):
        text = self.succeeds("info").stdout
        for word in ("cpu", "features", "blas", "threading", "kernel found", "kernel used", "vector isa", "threads",
                     "fma peak", "sgemm", "memory"):
            self.assertIn("\n" + word, "\n" + text)

    def test_a_kernel_held_back_by_the_environment(self):
        info = json.loads(self.succeeds("info", "--json", env={"OPENBLAS_CORETYPE": None}).stdout)
        if info["kernel_used"] not in ("SkylakeX", "Cooperlake", "SapphireRapids"):
            self.skipTest(f"no kernel to be held back from: {info['kernel_used']}")
        held = self.succeeds("info", "--json", env={"OPENBLAS_CORETYPE": "Haswell"})
        self.assertEqual(json.loads(held.stdout)["kernel_used"], "Haswell")
        for word in ("OPENBLAS_CORETYPE=Haswell", "unset OPENBLAS_CORETYPE"):
            self.assertIn(word, held.stderr)
        self.assertNotIn("unset", self.succeeds("info", env={"OPENBLAS_CORETYPE": None}).stderr)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_standard_output_that_is_full(self):
        for arguments in (("info", "--json"), ("info",), ("version",), ("train", "--help")):
            with open("/dev/full", "w", encoding="ascii") as full:
                self.fails(1, ["standard output", "No space left"], *arguments, stdout=full)


if __name__ == "__main__":
    main()
