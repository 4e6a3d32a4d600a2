#!/usr/bin/env python3
"""Does a program built with the one version run with the other? libabigail compares both libraries.

abi.py BASE NEW      two source trees; exit code 0: nothing changed, or functions were added; 1: broken; 77: no abidiff
abi.py --self-test   tells additions from breakages

The vector kernels are left out: they export nothing, and take most of the time.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIBRARIES = {"gemmgrad-blas": "blas_backend", "gemmgrad": "layers"}
REMOVED_OR_CHANGED, FAILED = 4 | 8, 1 | 2  # bits of abidiff's exit code
SKIPPED = 77


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(tree, work):
    """The two libraries of a source tree, with what a debugger knows, and without kernels."""
    run("meson", "setup", work, tree, "-Dtests=disabled", "--buildtype=debug")
    targets = run("ninja", "-C", work, "-t", "targets", "all")
    built = {}
    for name, folder in LIBRARIES.items():
        objects = re.findall(rf"(?m)^({folder}/lib{name}\.[^/]*\.p/.*\.o): ", targets)
        run("ninja", "-C", work, *objects)
        built[name] = work / f"lib{name}.so"
        soname = re.search(r"(?m)^soversion = '(.*)'", (tree / "meson.build").read_text(encoding="utf-8")).group(1)
        run("cc", "-shared", "-o", built[name], f"-Wl,-soname,lib{name}.so.{soname}", *(work / o for o in objects))
    return built


def verdict(base, new, base_headers, new_headers):
    """("same", "added", "broken" or "renamed": another soname, which allows everything) and what abidiff says"""
    command = ["abidiff", "--headers-dir1", str(base_headers), "--headers-dir2", str(new_headers)]
    said = {}
    for name, options in (("all", []), ("without additions", ["--no-added-syms"])):
        done = subprocess.run([*command, *options, str(base), str(new)], capture_output=True, text=True, check=False)
        if done.returncode & FAILED:
            sys.exit(f"abidiff failed:\n{done.stdout}{done.stderr}")
        said[name] = (done.returncode & REMOVED_OR_CHANGED, done.stdout)
    sonames = [re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", file)).group(1) for file in (base, new)]
    if sonames[0] != sonames[1]:
        return "renamed", said["all"][1]
    if said["without additions"][0]:
        return "broken", said["without additions"][1]
    return ("added" if said["all"][0] else "same"), said["all"][1]


def compare(base, new):
    broken = False
    with tempfile.TemporaryDirectory(prefix="gemmgrad-abi-") as name:
        work = pathlib.Path(name)
        old, young = build(base, work / "base"), build(new, work / "new")
        for library, folder in LIBRARIES.items():
            what, report = verdict(old[library], young[library], base / folder / "include", new / folder / "include")
            print(f"lib{library}: {what}\n{report if what != 'same' else ''}", end="")
            broken |= what == "broken"
    return 1 if broken else 0


HEADER = "struct pair { int a; float b; };\nint gg_sum(const struct pair *p);\nint gg_one(void);\n"
CODE = '#include "header.h"\nint gg_sum(const struct pair *p) { return p->a; }\nint gg_one(void) { return 1; }\n'
CHANGES = {
    "same": [],
    "added": [("int gg_one(void);", "int gg_one(void);\nint gg_two(void);"),
              ("int gg_one(void) {", "int gg_two(void) { return 2; }\nint gg_one(void) {")],
    "broken by removal": [("int gg_one(void);\n", ""), ("int gg_one(void) { return 1; }\n", "")],
    "broken by an argument": [("gg_one(void)", "gg_one(long x)"), ("return 1", "return (int)x")],
    "broken by a member": [("int a;", "int a; double between;")],
    "broken by a member, beside an addition": [("int a;", "int a; double between;"), (
        "int gg_one(void) {", "int gg_two(void);\nint gg_two(void) { return 2; }\nint gg_one(void) {")],
    "renamed": [("int gg_one(void);\n", ""), ("int gg_one(void) { return 1; }\n", "")],
}


def self_test():
    with tempfile.TemporaryDirectory(prefix="gemmgrad-abi-") as name:
        work = pathlib.Path(name)
        for number, (expected, changes) in enumerate([("base", []), *CHANGES.items()]):
            folder = work / str(number)
            folder.mkdir()
            header, code = HEADER, CODE
            for old, new in changes:
                header, code = header.replace(old, new), code.replace(old, new)
            (folder / "header.h").write_text(header, encoding="utf-8")
            (folder / "code.c").write_text(code, encoding="utf-8")
            soname = "-Wl,-soname,libx.so." + ("1" if expected == "renamed" else "0")
            run("cc", "-g", "-shared", "-fPIC", soname, "-o", folder / "libx.so", folder / "code.c")
            if number > 0:
                found, report = verdict(work / "0/libx.so", folder / "libx.so", work / "0", folder)
                assert found == expected.split()[0], f"{expected}: taken for {found}\n{report}"
    print(f"told {len(CHANGES)} changes apart")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or (len(sys.argv) == 2 and sys.argv[1] != "--self-test"):
        sys.exit(__doc__)
    if shutil.which("abidiff") is None:
        print("abidiff (abigail-tools) is not installed")
        sys.exit(SKIPPED)
    sys.exit(self_test() if len(sys.argv) == 2 else compare(*(pathlib.Path(tree).resolve() for tree in sys.argv[1:])))
