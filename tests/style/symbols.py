#!/usr/bin/env python3
"""What the object files of the libraries really call, whatever the sources look like.

symbols.py NM ARCHIVE...          no object exits, aborts, asserts or prints; BLAS, heap and regions have one door
symbols.py --self-test NM CC...   compiles offenders, and wants each one found
"""
import os
import re
import subprocess
import sys
import tempfile

FORBIDDEN = set("""exit _exit _Exit quick_exit abort raise assert_fail assert assert_rtn printf vprintf puts putchar
    perror psignal err errx warn warnx error stdout stderr stdoutp stderrp dprintf vdprintf syslog""".split())
# door: the one object that may use the symbols, and the one symbol it must use, so that the check cannot run dry
DOORS = {
    "gemm.c": (re.compile(r"(cblas_\w+|sgemm_\w*)$"), re.compile(r"cblas_sgemm$")),
    "lapack_door.c": (re.compile(r"LAPACKE_\w+$"), re.compile(r"LAPACKE_\w+_work$")),
    "memory.c": (re.compile(r"(malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|memalign|valloc|free"
                            r"|strn?dup|v?asprintf|getline|getdelim)$"), re.compile(r"aligned_alloc$")),
    "parallel.c": (re.compile(r"(GOMP_(parallel|task|teams|target)\w*|kmpc_(fork|omp_task)\w*)$"),
                   re.compile(r"(GOMP_parallel\w*|kmpc_fork_call)$")),
}


def undefined(nm, archive):
    """(object, symbol) pairs; fortified and internal spellings (__printf_chk) are brought to the plain name."""
    listing = subprocess.run([nm, "-A", "-u", archive], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        match = re.match(r"(.*):\s*(?:[0-9a-f]+\s+)?[Uw]\s+(\S+)$", line)
        if match:
            name = re.sub(r"@.*", "", match.group(2))
            plain = re.sub(r"_chk$", "", re.sub(r"^_+", "", name)) if name.startswith("__") else name
            yield re.split(r"[:/\\]", match.group(1))[-1], plain


def violations(pairs):
    for member, symbol in pairs:
        if symbol in FORBIDDEN:
            yield f"{member} uses {symbol}"
        for door, (kin, _) in DOORS.items():
            if kin.match(symbol) and not is_door(member, door):
                yield f"{member} uses {symbol}, which belongs in {door}"


def is_door(member, door):
    return member in (door + ".o", door + ".obj")


def report(nm, archives):
    pairs = [pair for archive in archives for pair in undefined(nm, archive)]
    found = sorted(set(violations(pairs)))
    for door, (_, must) in DOORS.items():
        if not any(is_door(member, door) and must.match(symbol) for member, symbol in pairs):
            found.append(f"{door} does not use {must.pattern}: this check would guard nothing")
    print("\n".join(found) or f"{len(pairs)} undefined symbols, none forbidden")
    return 1 if found else 0


PLANTED = {
    "exit": "#include <stdlib.h>\nvoid f(int x) { exit(x); }",
    "abort": "#include <stdlib.h>\nvoid f(void) { abort(); }",
    "assert": "#undef NDEBUG\n#include <assert.h>\nvoid f(int x) { assert(x); }",
    "printf": "#include <stdio.h>\nvoid f(int x) { printf(\"%d\", x); }",
    "puts": "#include <stdio.h>\nvoid f(void) { printf(\"x\\n\"); }",
    "stderr": "#include <stdio.h>\nvoid f(void) { fprintf(stderr, \"x\"); }",
    "fortified": "int __printf_chk(int, const char *, ...);\nvoid f(void) { __printf_chk(1, \"x\"); }",
    "malloc": "#include <stdlib.h>\nvoid *f(size_t n) { return malloc(n); }",
    "strdup": "#include <string.h>\nchar *f(const char *s) { return strdup(s); }",
    "cblas": "void cblas_sgemm(void);\nvoid f(void) { cblas_sgemm(); }",
    "lapacke": "int LAPACKE_sgesv(void);\nint f(void) { return LAPACKE_sgesv(); }",
    "region": "void g(void);\nvoid f(void) {\n#pragma omp parallel\n    g();\n}",
}
ALLOWED = {
    "file": "#include <stdio.h>\nint f(FILE *t, char *s) { return fprintf(t, \"%d\", 1) + snprintf(s, 9, \"x\"); }",
    "memory": "#include <stdlib.h>\nvoid *f(size_t n) { return malloc(n); }",
}


def self_test(nm, compiler):
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in list(PLANTED.items()) + list(ALLOWED.items()):
            source, target = os.path.join(scratch, name + ".c"), os.path.join(scratch, name + ".c.o")
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            command = compiler + ["-std=gnu11", "-O1", "-fopenmp", "-c", source, "-o", target]
            subprocess.run(command, check=True)
            if bool(list(violations(undefined(nm, target)))) != (name in PLANTED):
                failed.append(f"{name}: {list(undefined(nm, target))}")
    print("\n".join(failed) or f"found all {len(PLANTED)} offenders, let {len(ALLOWED)} look-alikes stand")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--self-test":
        sys.exit(self_test(sys.argv[2], sys.argv[3:]))
    sys.exit(report(sys.argv[1], sys.argv[2:]))
