#!/usr/bin/env python3
"""The character-level GPT: gemmgrad train gpt, and gemmgrad generate from it."""
import json

from program import ProgramTest, main

SMALL = ("--width", 32, "--heads", 4, "--layers", 1, "--context", 32, "--dropout", 0)


class GptTest(ProgramTest):
    def text(self):
        return self.write("text.txt", b"the cat sat on the mat; a dog ran to the man.\n" * 60)

    def train(self, *arguments):
        return self.succeeds("train", "gpt", "--threads", 1, *SMALL, "--data", self.text(), "--batch", 8, "--lr", 0.01,
                             *arguments)

    def test_learns_what_repeats(self):
        """A line of 46 characters: each follows from those before but for the first few of a window."""
        done = self.train("--epochs", 20, "--json", "figures.json")
        self.assertIn("Written by it at temperature 0.7", done.stdout)
        with open(self.path("figures.json"), encoding="utf-8") as file:
            figures = json.load(file)
        self.assertEqual(figures["unit"], "characters")
        self.assertGreater(figures["test_accuracy"], 0.75)

    def test_goes_on_after_a_stop(self):
        self.train("--epochs", 2, "--save", "whole")
        self.train("--epochs", 1, "--save", "half")
        self.train("--epochs", 2, "--resume", "half", "--save", "resumed")
        self.assertEqual(self.read("whole"), self.read("resumed"))

    def test_writes_beyond_its_context(self):
        """The same seed writes the same; a long text begins as a short one; temperature 0 repeats the line."""
        self.train("--epochs", 20, "--save", "model")
        write = ("generate", "model", "--prompt", "the cat", "--seed", 5)
        long = self.succeeds(*write, "--length", 150).stdout
        self.assertEqual(len(long), len("the cat") + 150 + 1)
        self.assertEqual(long, self.succeeds(*write, "--length", 150).stdout)
        self.assertTrue(long.startswith(self.succeeds(*write, "--length", 40).stdout[:-1]))
        # four lines of 46 characters: where the context is full, the latter half of it tells how to go on
        line = self.succeeds(*write, "--length", 200, "--temperature", 0).stdout
        self.assertGreaterEqual(line.count("sat on the mat"), 4, line)

    def test_wrong_options(self):
        for arguments, words in ((("--heads", 5), ["--width 32", "--heads 5"]), (("--cell", "lstm"), ["--cell", "gpt"]),
                                 (("--context", 1), ["--context"]), (("--width", 0), ["--width"])):
            done = self.run_program("train", "gpt", *SMALL[:2], *arguments)
            self.assertNotEqual(done.returncode, 0)
            for word in words:
                self.assertIn(word, done.stderr)
        self.assertNotEqual(self.run_program("train", "char-lm", "--cell", "gpt").returncode, 0)
        self.assertNotEqual(self.run_program("train", "char-lm", "--heads", 2).returncode, 0)


if __name__ == "__main__":
    main()
