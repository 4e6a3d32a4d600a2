#!/usr/bin/env python3
"""The README's C example is examples/first_network.c to the letter, and its local links lead somewhere."""
import pathlib
import re
import sys


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / "README.md").read_text(encoding="utf-8")
    example = (root / "examples/first_network.c").read_text(encoding="utf-8")
    failures = []
    if "```c\n" + example + "```" not in text:
        failures.append("the C example differs from examples/first_network.c")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        if not (root / link).exists():
            failures.append(f"{link} does not exist")
    for line in failures:
        print(f"README.md: {line}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
