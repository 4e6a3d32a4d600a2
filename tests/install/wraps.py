#!/usr/bin/env python3
"""Every library that meson.build falls back on has a wrap that pins what it downloads, and provides that name.

wraps.py ROOT
"""
import configparser
import pathlib
import re
import sys

COMPILERS_OWN = {"openmp", "threads", "appleframeworks"}


def read(path):
    wrap = configparser.ConfigParser(interpolation=None)
    wrap.read(path, encoding="utf-8")
    return wrap


def provided(wrap):
    names = set()
    for key, value in wrap["provide"].items():
        names |= {name.strip() for name in value.split(",")} if key == "dependency_names" else {key}
    return names


def faults(wrap, root):
    file = wrap["wrap-file"]
    for kind in ("source", "patch") if "patch_url" in file else ("source",):
        if not file.get(f"{kind}_filename"):
            yield f"{kind}_filename is missing"
        if not re.fullmatch("[0-9a-f]{64}", file.get(f"{kind}_hash", "")):
            yield f"{kind}_hash is no SHA-256"
        if not file.get(f"{kind}_url", "").startswith("https://"):
            yield f"{kind}_url is not https"
    if "patch_directory" in file and not (root / "subprojects/packagefiles" / file["patch_directory"]).is_dir():
        yield "there is no such patch_directory"


def main(root):
    wraps = {path.name: read(path) for path in (root / "subprojects").glob("*.wrap")}
    wrong = [f"{name}: {fault}" for name, wrap in wraps.items() for fault in faults(wrap, root)]
    there = {name for wrap in wraps.values() for name in provided(wrap)}
    builds = [root / folder / "meson.build" for folder in ("blas_backend", "layers", "bench", "tests")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in builds)
    asked = re.findall(r"(?<!_)dependency\('(\w+)'([^)]*)", text)
    wanted = {name for name, options in asked if "allow_fallback: false" not in options} | {"lapacke"}
    wrong += [f"no wrap provides {name}" for name in sorted(wanted - there - COMPILERS_OWN)]
    print("\n".join(wrong) or f"{len(wraps)} wraps provide {', '.join(sorted(there))}")
    return 1 if wrong or not wraps else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])) if len(sys.argv) == 2 else __doc__)
