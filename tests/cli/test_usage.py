#!/usr/bin/env python3
"""What the command line accepts, what it explains, and what it refuses: exit code 2 with the culprit named."""
import os

from program import ProgramTest, main

VERBS = ("demo", "train", "optimizers", "generate", "gradflow", "bench", "ab", "compare", "report", "history",
          "info", "help",
         "version")
TASKS = ("spiral", "digits", "mnist-mlp", "char-lm", "addition", "date", "word2vec")
TRAIN_OPTIONS = ("data", "epochs", "batch", "optimizer", "lr", "threads", "seed", "json", "save", "resume", "plot",
                 "cell", "variant", "attention", "hidden", "layers", "embedding", "window", "dropout")


class Explanations(ProgramTest):
    def test_alone_it_explains_itself(self):
        for arguments in ([], ["--help"], ["-h"], ["help"]):
            text = self.succeeds(*arguments).stdout
            for verb in VERBS:
                self.assertIn(f"  {verb} ", text)

    def test_each_verb_explains_itself(self):
        for verb in ("demo", "train", "optimizers", "generate", "gradflow", "bench", "ab", "compare", "report",
                     "history",
                     "info"):
            text = self.succeeds(verb, "--help").stdout
            self.assertIn(f"usage: gemmgrad {verb}", text)
            self.assertEqual(self.succeeds("help", verb).stdout, text)

    def test_train_tells_its_tasks_and_options(self):
        text = self.succeeds("train", "--help").stdout
        for word in TASKS + tuple("--" + name for name in TRAIN_OPTIONS):
            self.assertIn(word, text)

    def test_version(self):
        text = self.succeeds("version").stdout
        self.assertRegex(text, r"^gemmgrad \d+\.\d+\.\d+\n$")
        self.assertEqual(self.succeeds("--version").stdout, text)


class Refusals(ProgramTest):
    def refuses(self, words, *arguments):
        done = self.fails(2, words, *arguments)
        self.assertEqual(done.stdout, "")

    def test_unknown_verb(self):
        self.refuses(["'trian'", *VERBS], "trian")
        self.refuses(["'trian'", *VERBS], "help", "trian")

    def test_unknown_task(self):
        self.refuses(["'spirale'", *TASKS], "train", "spirale")
        self.refuses(TASKS, "train")

    def test_unknown_option(self):
        self.refuses(["--epoch-count", "--epochs"], "train", "spiral", "--epoch-count", "3")
        self.refuses(["-q", "--epochs"], "train", "spiral", "-q")
        self.refuses(["--jason", "--json"], "info", "--jason")
        self.refuses(["--fast", "--quick"], "demo", "--fast")
        self.refuses(["--lrs", "--optimizer"], "optimizers", "--lrs", "1")

    def test_optimizers(self):
        self.refuses(["'adamx'", "adamw", "kfac"], "train", "spiral", "--optimizer", "adamx")
        self.refuses(["'adamx'", "adamw", "kfac"], "optimizers", "--data", ".", "--optimizer", "adamx")
        self.refuses(["--data"], "optimizers")
        self.refuses(["--optimizer"], "optimizers", "--data", ".", "--lr", "1")
        self.refuses(["--target"], "optimizers", "--data", ".", "--target", "101")
        self.refuses(["'now'"], "optimizers", "--data", ".", "now")

    def test_arguments_too_many_or_too_few(self):
        self.refuses(["'digits'"], "train", "spiral", "digits")
        self.refuses(["'now'"], "info", "now")
        self.refuses(["'now'"], "demo", "now")
        self.refuses(["--epochs", "value"], "train", "spiral", "--epochs")
        self.refuses(["--json=x", "value"], "info", "--json=x")

    def test_numbers_are_numbers_in_their_range(self):
        bad = {"epochs": ("-1", "0", "1e3", "3x", "", " 3", "1000001", "99999999999999999999", "nan"),
               "batch": ("-1", "0", "2.5", "one", "999999999999"),
               "threads": ("-1", "0", "1025", "two"),
               "seed": ("-1", "+1", " 1", "0x10", "", "18446744073709551616"),
               "lr": ("nan", "inf", "-inf", "0", "-0.1", "1e999", "1e31", "1e-60", "1e-400",
                      "0.1.2", "", " 1", "fast")}
        for option, values in bad.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    self.refuses([f"--{option}", f"'{value}'", "expected"], "train", "spiral", f"--{option}", value)

    def test_data_where_it_belongs(self):
        self.refuses(["spiral", "--data"], "train", "spiral", "--data", ".")
        self.refuses(["mnist-mlp", "--data"], "train", "mnist-mlp")

    def test_a_picture_is_a_png(self):
        for name in ("p.jpg", "png", "p.png.svg", "folder/", ""):
            self.refuses(["--plot", f"'{name}'", ".png"], "train", "spiral", "--plot", name)

    def test_two_results_in_one_file(self):
        os.makedirs(self.path("folder"))
        os.symlink("folder", self.path("link"))
        for one, other in (("same.png", "same.png"), ("./same.png", "same.png"),
                           ("folder/same.png", self.path("link/../folder//same.png")),
                           ("link/same.png", "folder/same.png")):
            for options in (("save", "json"), ("json", "save"), ("save", "plot"), ("plot", "json"),
                            ("resume", "json"), ("resume", "plot")):
                self.refuses([f"--{options[0]} '{one}'", f"--{options[1]} '{other}'", "same file"], "train", "spiral",
                             f"--{options[0]}", one, f"--{options[1]}", other)
        self.write("old", b"")
        os.link(self.path("old"), self.path("hard"))
        self.refuses(["same file"], "train", "spiral", "--save", "old", "--json", "hard")

    def test_results_of_their_own(self):
        os.mkdir(self.path("folder"))
        self.succeeds("train", "spiral", "--epochs", 1, "--save", "same", "--json", "folder/same")
        self.succeeds("train", "spiral", "--epochs", 2, "--resume", "same", "--save", "./same", "--json", "-")


if __name__ == "__main__":
    main()
