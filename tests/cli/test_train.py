#!/usr/bin/env python3
"""gemmgrad train: the figures, exact resume, Ctrl-C, pictures."""
import json
import os
import shutil
import signal

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

    def test_resumed_digits_follow_the_same_schedule(self):
        self.succeeds("train", "digits", "--epochs", 2, "--save", "whole")
        self.succeeds("train", "digits", "--epochs", 1, "--save", "part")
        self.succeeds("train", "digits", "--epochs", 2, "--resume", "part", "--save", "resumed")
        self.assertEqual(self.read("whole"), self.read("resumed"))

    def test_nothing_left_to_train(self):
        self.train("--epochs", 5, "--save", "a")
        done = self.train("--epochs", 3, "--resume", "a", "--save", "b")
        self.assertIn("nothing to train", done.stdout)
        self.assertEqual(self.read("a"), self.read("b"))


class Interrupted(ProgramTest):
    def interrupt(self, with_signal):
        """Start a long run, stop it in the midst, and return what it wrote to stdout."""
        picture = ["--plot", "stopped.png"] if shutil.which("gnuplot") else []
        process = self.start_program("train", "spiral", "--threads", 1, "--epochs", 1000000, "--save", "stopped",
                                     "--json", "stopped.json", *picture)
        self.addCleanup(process.kill)
        self.assertIn("epoch 1/1000000", process.stderr.readline())
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


class Pictures(ProgramTest):
    def test_spiral(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        self.succeeds("train", "spiral", "--epochs", 40, "--plot", "it's a picture.png")
        picture = self.read("it's a picture.png")
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        self.assertGreater(len(picture), 20000)
        self.assertEqual(len(self.files()), 1)

    def test_one_epoch(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        for task in ("spiral", "digits"):
            done = self.succeeds("train", task, "--epochs", 1, "--plot", "one.png")
            self.assertEqual([line for line in done.stderr.splitlines() if not line.startswith(task)], [])

    def script_of(self, *arguments):
        """What gnuplot is told, by way of one that only writes it down."""
        script = b"#!/bin/sh\ncase \"$1\" in -e) echo ' png ' >&2;; *) cat >\"$SCRIPT\";; esac\n"
        os.chmod(self.write("bin/gnuplot", script), 0o755)
        self.succeeds("train", *arguments, "--plot", "p.png",
                      env={"PATH": f"{self.path('bin')}:{os.environ['PATH']}", "SCRIPT": self.path("script")})
        return self.read("script").decode()

    def test_ranges_have_an_extent_and_epochs_whole_ticks(self):
        script = self.script_of("digits", "--epochs", 1)
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
