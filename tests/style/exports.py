#!/usr/bin/env python3
"""The committed list of exported symbols, the shared library and the public headers say the same.

exports.py LIST LIBRARY HEADERS     compare; HEADERS is the folder with the public headers of that library
exports.py --write LIST LIBRARY     write the list anew (./dev exports)
exports.py --self-test              the comparison finds what it should
"""
import os
import re
import subprocess
import sys

from rules import without


def exported(library):
    listing = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = {re.sub(r"@.*", "", line.split()[-1]) for line in listing.splitlines() if line.strip()}
    return {name for name in names if not name.startswith("_")}


def declared_in(text):
    """The names that GG_API stands before."""
    names = set()
    for declaration in re.findall(r"(?m)^(?!\s*#)[^\n]*?\bGG_API\b([^;{]*)", without(text, strings=True)):
        plain = re.sub(r"__attribute__\s*\(\(.*?\)\)|\bGG_[A-Z_]+\b(\([^)]*\))?", "", declaration)
        function = re.search(r"(\w+)\s*\(", plain)
        variable = re.search(r"(\w+)\s*(\[[^\]]*\])?\s*$", plain)
        names.add((function or variable).group(1))
    return names


def declared(folder):
    names = set()
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".h"):  # the adapters in compat/ declare nothing of the library's
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            names |= declared_in(file.read())
    return names


def compare(listed, found, announced):
    """What is wrong, one sentence each."""
    for name in sorted(found - listed):
        yield f"{name} is exported and not in the list (./dev exports, if it should be)"
    for name in sorted(listed - found):
        yield f"{name} is in the list and not exported"
    for name in sorted(found - announced):
        yield f"{name} is exported and no public header declares it with GG_API"
    for name in sorted(announced - found):
        yield f"{name} is declared in a public header and not exported"
    for name in sorted(found):
        if not name.startswith("gg_"):
            yield f"{name} does not begin with gg_"
    if not found:
        yield "the library exports nothing"


def self_test():
    header = """
    /* GG_API void gg_comment(void); */
    #define GG_API
    GG_API gg_status gg_one(float *out,
                            void (*f)(int));
    GG_API const char *gg_two(void) GG_PRINTF(1, 2);
    GG_API extern const int gg_three[4];
    """
    names = {"gg_one", "gg_two", "gg_three"}
    assert declared_in(header) == names, declared_in(header)
    assert not list(compare(names, names, names))
    assert len(list(compare(names, names | {"gg_four"}, names | {"gg_four"}))) == 1
    assert len(list(compare(names | {"gg_four"}, names, names))) == 1
    assert len(list(compare(names, names, names - {"gg_one"}))) == 1
    assert len(list(compare(names, names, names | {"gg_four"}))) == 1
    assert len(list(compare({"one"}, {"one"}, {"one"}))) == 1
    assert list(compare(set(), set(), set()))
    print("the comparison finds what it should")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 3:
        return __doc__
    if arguments[0] == "--write":
        with open(arguments[1], "w", encoding="utf-8") as file:
            file.writelines(name + "\n" for name in sorted(exported(arguments[2])))
        return None
    path, library, headers = arguments
    if not os.path.exists(path):
        return f"{path} is missing: write it with ./dev exports"
    with open(path, encoding="utf-8") as file:
        listed = set(file.read().split())
    return "\n".join(compare(listed, exported(library), declared(headers))) or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
