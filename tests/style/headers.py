#!/usr/bin/env python3
"""Every public header compiles alone, without a warning, and so does every pair of adapters.

headers.py STANDARD [--include FOLDER]... -- COMPILER...     STANDARD is c99, c11 or c++17; TAP, one test a header.
A first test plants a header that leans on another, and one with a warning, and wants both refused. darknet and Caffe
have names in common that C++ alone can tell apart: in C their pair has to be refused by a sentence.
"""
import itertools
import os
import subprocess
import sys
import tempfile

LANGUAGE = {"c99": "c", "c11": "c", "c++17": "c++"}
REFUSED = {"leaning.h": "size_t gg_leaning(void);\n",
           "careless.h": "static inline int gg_careless(int x) { return 0; }\n"}


def compile_together(compiler, standard, folders, headers):
    """Nothing, or what the compiler had to say."""
    text = "".join(f"#include <{header}>\n" for header in headers) + "int main(void) { return 0; }\n"
    command = compiler + ["-x", LANGUAGE[standard], f"-std={standard}", "-Wall", "-Wextra", "-Werror",
                          "-pedantic-errors", "-fsyntax-only"] + ["-I" + folder for folder in folders] + ["-"]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return run.stderr.strip() or "refused" if run.returncode else ""


def refuses_planted(compiler, standard):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in REFUSED.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        return all(compile_together(compiler, standard, [folder], [name, name]) for name in REFUSED)


def trouble_with_pair(compiler, standard, folders, pair):
    said = compile_together(compiler, standard, folders, pair)
    if standard == "c11" and {os.path.basename(header) for header in pair} == {"caffe.h", "darknet.h"}:
        return "" if "a file includes only one of these adapters" in said else f"not refused by a sentence: {said}"
    return said


def main(standard, folders, compiler):
    if not compiler:
        print("1..0 # SKIP no compiler for " + standard)
        return 0
    headers = sorted(os.path.relpath(os.path.join(place, name), folder) for folder in folders
                     for place, _, names in os.walk(os.path.join(folder, "gemmgrad")) for name in names)
    adapters = [header for header in headers if "/compat/" in header and not header.endswith("failure.h")]
    pairs = list(itertools.permutations(adapters, 2))
    print(f"TAP version 13\n1..{1 + len(headers) + len(pairs)}")
    results = [("planted headers are refused", "" if refuses_planted(compiler, standard) else "one compiled")]
    results += [(header, compile_together(compiler, standard, folders, [header, header])) for header in headers]
    results += [(" and ".join(pair), trouble_with_pair(compiler, standard, folders, pair)) for pair in pairs]
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
