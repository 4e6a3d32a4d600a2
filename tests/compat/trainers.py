#!/usr/bin/env python3
"""The hand-written trainer and its twin on gemmgrad: the same losses within rounding, and only so many lines apart.

trainers.py LOOPS TWIN FOLDER      the two programs, and the folder of their sources
"""
import difflib
import math
import pathlib
import re
import subprocess
import sys

STEPS, LINES = 20, 5
# The losses are printed with five digits behind the point; sums round differently, which has not yet been seen there.
TOLERANCE = 2e-5


def losses(program):
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    return [float(number) for number in re.findall(r"(?m)^step +\d+ +loss ([\d.]+)$", done.stdout)]


def check_losses(loops, twin):
    expected, found = losses(loops), losses(twin)
    assert len(expected) == STEPS and len(found) == STEPS, (expected, found)
    assert math.log(10) * 0.9 < expected[0] < 4 and expected[-1] < 0.7 * expected[0], f"nothing learnt: {expected}"
    worst = max(abs(a - b) for a, b in zip(expected, found))
    assert worst <= TOLERANCE, f"losses differ by {worst}"


def check_lines(folder):
    texts = [(folder / name).read_text(encoding="utf-8").splitlines()
             for name in ("trainer_loops.c", "trainer_gemmgrad.c")]
    code = [text[next(i for i, line in enumerate(text) if line.startswith("#include")):] for text in texts]
    added = [line[2:] for line in difflib.ndiff(*code) if line.startswith("+ ")]
    assert len(added) == LINES, added
    assert all("gg_" in line or line.startswith("#include <gemmgrad/") for line in added), added


def check_serving(program):
    """What `gemmgrad ab` asks for."""
    name = "train/784-512-10/128"
    requests = f"hello\nnames\nopen {name}\ntake 1\nclose\n"
    done = subprocess.run([program, "bench", "--serve"], input=requests, capture_output=True, text=True, check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == 5 and all(answer.startswith("ok") for answer in answers), answers
    assert answers[1] == "ok " + name, answers


def main(loops, twin, folder):
    check_losses(loops, twin)
    check_lines(pathlib.Path(folder))
    for program in (loops, twin):
        check_serving(program)


if __name__ == "__main__":
    main(*sys.argv[1:])
