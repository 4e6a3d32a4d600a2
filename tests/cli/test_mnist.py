#!/usr/bin/env python3
"""Real MNIST: 98 % in at most 10 epochs. Skipped unless GEMMGRAD_DATA names a folder that holds mnist/."""
import json
import os
import sys

from program import SKIPPED, ProgramTest, main

DATA = os.environ.get("GEMMGRAD_DATA")


class Mnist(ProgramTest):
    def test_reaches_98_percent(self):
        folder = os.path.abspath(os.path.join(DATA, "mnist"))
        figures = json.loads(self.succeeds("train", "mnist-mlp", "--data", folder, "--json", "-").stdout)
        self.assertLessEqual(len(figures["epochs"]), 10)
        self.assertGreaterEqual(figures["test_accuracy"], 0.98)
        self.assertEqual(figures["sgemm_share"], 1.0)
        self.assertEqual(figures["allocations_per_step"], 0)

    def test_convolution_reaches_97_percent_in_one_epoch(self):
        folder = os.path.abspath(os.path.join(DATA, "mnist"))
        figures = json.loads(self.succeeds("train", "mnist-cnn", "--data", folder, "--epochs", 1, "--json", "-").stdout)
        self.assertGreaterEqual(figures["test_accuracy"], 0.97)
        self.assertEqual(figures["allocations_per_step"], 0)


if __name__ == "__main__":
    if not DATA:
        print("GEMMGRAD_DATA is not set: skipped")
        sys.exit(SKIPPED)
    main()
