#!/usr/bin/env python3
"""docs/api.md has every exported function of the backend: in a table, and called in an example; the examples compile
without a warning and return 0.

api.py PAGE EXPORTS LIBRARY INCLUDE COMPILER...
api.py --self-test
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"(?ms)^```(\w+)\n(.*?)^```$")


def examples(page):
    return [text for language, text in FENCE.findall(page) if language == "c"]


def gaps(page, exports):
    """What the page lacks or has too much of, one sentence each."""
    tables = "\n".join(line for line in FENCE.sub("", page).splitlines() if line.startswith("|"))
    listed = set(re.findall(r"`(gg_\w+)`", tables))
    code = re.sub(r"(?s)/\*.*?\*/", "", "\n".join(examples(page)))
    called = set(re.findall(r"\b(gg_\w+)\s*\(", code))
    for name in sorted(exports - listed):
        yield f"{name} stands in no table"
    for name in sorted(exports - called):
        yield f"{name} is called in no example"
    for name in sorted(listed - exports):
        yield f"{name} stands in a table and is not exported"


def run(folder, number, text, library, include, compiler):
    """Nothing, or what went wrong with an example."""
    source, program = folder / f"example{number}.c", folder / f"example{number}"
    source.write_text(text, encoding="utf-8")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I" + include]
    links = [library, "-Wl,-rpath," + os.path.dirname(library), "-lm"]
    built = subprocess.run([*compiler, *flags, str(source), "-o", str(program), *links], capture_output=True, text=True,
                           check=False)
    if built.returncode != 0:
        return "does not compile:\n" + built.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=60,
                          env=dict(os.environ, OMP_NUM_THREADS="1"))
    return f"returned {done.returncode}:\n{done.stdout}{done.stderr}" if done.returncode != 0 else ""


def self_test():
    page = "| `gg_a`, `gg_b` | x |\n`gg_c`\n```c\ngg_a(1); /* gg_b(2) */\n```\n```sh\ngg_c(3)\n```\n"
    wanted = {"gg_b is called in no example", "gg_c stands in no table", "gg_c is called in no example"}
    assert set(gaps(page, {"gg_a", "gg_b", "gg_c"})) == wanted
    assert set(gaps(page, {"gg_a"})) == {"gg_b stands in a table and is not exported"}
    assert examples(page) == ["gg_a(1); /* gg_b(2) */\n"]
    print("gaps are found")


def main(page, exports, library, include, *compiler):
    text = pathlib.Path(page).read_text(encoding="utf-8")
    names = set(pathlib.Path(exports).read_text(encoding="utf-8").split())
    failures = list(gaps(text, names))
    programs = examples(text)
    with tempfile.TemporaryDirectory() as folder:
        for number, program in enumerate(programs, 1):
            trouble = run(pathlib.Path(folder), number, program, library, include, list(compiler))
            if trouble:
                failures.append(f"example {number} {trouble}\n{program}")
    print("\n".join(failures) or f"{len(names)} functions, {len(programs)} examples")
    return 1 if failures or not programs else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    elif len(sys.argv) < 6:
        sys.exit(__doc__)
    else:
        sys.exit(main(*sys.argv[1:]))
