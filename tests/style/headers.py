#!/usr/bin/env python3
"""Every public header compiles alone, without a warning.

headers.py STANDARD [--include FOLDER]... -- COMPILER...     STANDARD is c99, c11 or c++17; TAP, one test a header.
A first test plants a header that leans on another, and one with a warning, and wants both refused.
"""
import os
import subprocess
import sys
import tempfile

LANGUAGE = {"c99": "c", "c11": "c", "c++17": "c++"}
REFUSED = {"leaning.h": "size_t gg_leaning(void);\n",
           "careless.h": "static inline int gg_careless(int x) { return 0; }\n"}


def compile_alone(compiler, standard, folders, header):
    """Nothing, or what the compiler had to say."""
    text = f"#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n"
    command = compiler + ["-x", LANGUAGE[standard], f"-std={standard}", "-Wall", "-Wextra", "-Werror",
                          "-pedantic-errors", "-fsyntax-only"] + ["-I" + folder for folder in folders] + ["-"]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return run.stderr.strip() or "refused" if run.returncode else ""


def refuses_planted(compiler, standard):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in REFUSED.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        return all(compile_alone(compiler, standard, [folder], name) for name in REFUSED)


def main(standard, folders, compiler):
    if not compiler:
        print("1..0 # SKIP no compiler for " + standard)
        return 0
    headers = sorted(os.path.relpath(os.path.join(place, name), folder) for folder in folders
                     for place, _, names in os.walk(os.path.join(folder, "gemmgrad")) for name in names)
    print(f"TAP version 13\n1..{len(headers) + 1}")
    results = [("planted headers are refused", "" if refuses_planted(compiler, standard) else "one compiled")]
    results += [(header, compile_alone(compiler, standard, folders, header)) for header in headers]
    for number, (name, trouble) in enumerate(results, 1):
        print(f"{'not ok' if trouble else 'ok'} {number} - {name}")
        if trouble:
            print(f"{name}:\n{trouble}", file=sys.stderr)
    return 1 if any(trouble for name, trouble in results) or not headers else 0


if __name__ == "__main__":
    if "--" not in sys.argv or len(sys.argv) < 3 or sys.argv[1] not in LANGUAGE:
        sys.exit(__doc__)
    border = sys.argv.index("--")
    given = [argument for argument in sys.argv[2:border] if argument != "--include"]
    sys.exit(main(sys.argv[1], given, sys.argv[border + 1:]))
