#!/usr/bin/env python3
"""Every function of a header that adds a layer stands in the registry of operations: no layer goes untested.

registry.py HEADER REGISTRY...  compare a header of layers/include/gemmgrad with tests/registry/registry*.c
registry.py --self-test         the comparison finds what it should
"""
import re
import sys

from rules import without


def layer_functions(header):
    """The names that GG_API gg_value stands before."""
    return re.findall(r"\bGG_API\s+gg_value\s+(\w+)\s*\(", without(header, strings=True))


def missing(header, registry):
    """Functions that the code of the registry, comments and strings apart, does not name."""
    named = set(re.findall(r"\w+", without(registry, strings=True)))
    return [name for name in layer_functions(header) if name not in named]


def self_test():
    header = """
    /* GG_API gg_value gg_comment(gg_model *model); */
    GG_API gg_value gg_one(gg_model *model,
                           gg_value x);
    GG_API gg_value  gg_two (gg_model *model);
    GG_API gg_status gg_other(void);
    """
    assert layer_functions(header) == ["gg_one", "gg_two"], layer_functions(header)
    assert missing(header, "{.unary = gg_one}, gg_two(model)") == []
    assert missing(header, "gg_one_more /* gg_two */ \"gg_one\"") == ["gg_one", "gg_two"]
    print("the comparison finds what it should")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) < 2:
        return __doc__
    with open(arguments[0], encoding="utf-8") as file:
        header = file.read()
    registry = ""
    for path in arguments[1:]:
        with open(path, encoding="utf-8") as file:
            registry += file.read()
    if not layer_functions(header):
        return f"{arguments[0]} declares no layer: this check would guard nothing"
    return "\n".join(f"{name} has no entry in tests/registry/registry*.c" for name in missing(header, registry)) or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
