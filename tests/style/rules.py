#!/usr/bin/env python3
"""The house rules that a reader can check in the text: who may include, allocate, open parallel regions, print.

rules.py ROOT         every rule over the sources below ROOT, as TAP: one test a rule
rules.py --self-test  plants one violation of each kind in a small clean tree, and wants exactly that one found;
                      then lets look-alikes stand, which must not be found
"""
import os
import re
import sys
import tempfile

# A module may use its own files, and the public headers of the modules named here (ARCHITECTURE.md: arrows point down).
BELOW = {"blas_backend": [], "layers": ["blas_backend"], "bench": ["blas_backend", "layers"],
         "examples": ["blas_backend", "layers", "bench"]}
LIBRARIES = ("blas_backend", "layers")
SINGLE_DOORS = {"cblas": "blas_backend/gemm.c", "lapacke": "blas_backend/lapack_door.c",
                "memory": "blas_backend/memory.c", "parallel": "blas_backend/parallel.c"}
LONGEST_LINE = 120
LONGEST_FILE = 599
SCRIPTS = ("dev", ".ci/run")
SKIPPED = re.compile(r"(^|/)(\.git|\.cache|subprojects|build[^/]*)(/|$)")


def without(text, strings):
    """C text with comments (and strings, if wanted) blanked; line numbers stay."""
    kept = r'"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'"
    pattern = re.compile(r"//[^\n]*|/\*.*?\*/|" + kept, re.S)

    def blank(match):
        found = match.group(0)
        if found[0] == "/":
            return " " + "\n" * found.count("\n")
        return found[0] * 2 if strings else found

    return pattern.sub(blank, text)


class Source:
    """One file, with what the rules look at."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.module = path.split("/")[0]
        self.is_c = path.endswith((".c", ".h"))
        self.is_public = "/include/" in path
        if self.is_c:
            self.code = without(text, strings=False).replace("\\\n", "  ")
            self.tokens = without(text, strings=True)

    def matches(self, pattern, where):
        for match in re.finditer(pattern, where):
            yield where.count("\n", 0, match.start()) + 1, match


def read_tree(root):
    tree = {}
    for folder, folders, names in os.walk(root):
        relative = os.path.relpath(folder, root).replace(os.sep, "/")
        relative = "" if relative == "." else relative + "/"
        folders[:] = [name for name in folders if not SKIPPED.search(relative + name)]
        for name in names:
            path = relative + name
            if name.endswith((".c", ".h", ".py", ".sh")) or name == "meson.build" or path in SCRIPTS:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    tree[path] = Source(path, file.read())
    return tree


def c_files(tree, modules):
    return [source for source in tree.values() if source.is_c and source.module in modules]


def resolve(tree, source, name, quoted):
    """The file of ours that an #include means, or None for a system header."""
    if quoted:
        beside = os.path.normpath(os.path.join(os.path.dirname(source.path), name)).replace(os.sep, "/")
        if beside in tree:
            return beside
        own = [path for path in tree if path.startswith(source.module + "/") and path.endswith("/" + name)]
        if own:
            return own[0]
    candidates = [f"{module}/include/{name}" for module in BELOW] + [f"{source.module}/{name}"]
    for candidate in candidates:
        if candidate in tree:
            return candidate
    others = [path for path in tree if path.endswith("/" + name) and path.split("/")[0] in BELOW]
    return next((path for path in others if quoted or "/include/" not in path), None)


def rule_includes(tree):
    """arrows point down: no module includes a higher one, or a private header of another"""
    for source in c_files(tree, BELOW):
        for line, match in source.matches(r"(?m)^[ \t]*#[ \t]*include\b[ \t]*(.*)$", source.code):
            name = match.group(1).strip()
            if not re.fullmatch(r'"[^"]+"|<[^>]+>', name):
                yield source.path, line, f"computed include {name}"
                continue
            target = resolve(tree, source, name[1:-1], name[0] == '"')
            if target is None:
                continue
            module, public = target.split("/")[0], "/include/" in target
            if source.is_public and not public:
                yield source.path, line, f"a public header includes the private {target}"
            elif module != source.module and module not in BELOW[source.module]:
                yield source.path, line, f"{source.module} includes {target}, which lies above it"
            elif module != source.module and not public:
                yield source.path, line, f"{source.module} includes {target}, which is private to {module}"
            elif public and not name[1:-1].startswith("gemmgrad/"):
                yield source.path, line, f"public headers are included as <gemmgrad/...>, not as {name}"


def rule_cblas(tree):
    """one file calls the BLAS: cblas.h and cblas_* stay in blas_backend/gemm.c"""
    for source in c_files(tree, BELOW):
        if source.path == SINGLE_DOORS["cblas"]:
            continue
        for line, match in source.matches(r"\bcblas_\w+|\bsgemm_\w*\s*\(", source.tokens):
            yield source.path, line, match.group(0)
        for line, match in source.matches(r'#[ \t]*include[ \t]*[<"][^>"]*\b(cblas|f77blas)[\w-]*\.h', source.code):
            yield source.path, line, match.group(0)


def rule_lapacke(tree):
    """one file calls LAPACK: lapacke.h and LAPACKE_* stay in blas_backend/lapack_door.c"""
    for source in c_files(tree, BELOW):
        if source.path == SINGLE_DOORS["lapacke"]:
            continue
        for line, match in source.matches(r"\bLAPACKE_\w+|\bLAPACK_\w+|\blapack_int\b", source.tokens):
            yield source.path, line, match.group(0)
        include = r'#[ \t]*include[ \t]*[<"](?!gemmgrad/)([^>"]*/)?lapacke?\.h[>"]'
        for line, match in source.matches(include, source.code):
            yield source.path, line, match.group(0)


def bare(words):
    """One of these words as an identifier of its own: no member, no part of a longer name."""
    return r"(?<![\w.])(?<!->)(?:" + words + r")\b"


def rule_memory(tree):
    """one file allocates: malloc, mmap and their kin stay in blas_backend/memory.c"""
    kin = ("malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|free|strdup|strndup|v?asprintf|alloca|"
           "mmap|mmap64|mremap|munmap|s?brk|memalign|valloc|pvalloc")
    for source in c_files(tree, BELOW):
        if source.path == SINGLE_DOORS["memory"]:
            continue
        for line, match in source.matches(bare(kin), source.tokens):
            yield source.path, line, match.group(0)


def rule_parallel(tree):
    """one file shares work among threads: blas_backend/parallel.c, by OpenMP; `omp simd` may stand anywhere"""
    shares = r"parallel|teams|target|task\w*|sections?|for|loop|distribute|single|master|masked"
    pragma = r'(?:#[ \t]*pragma\b|_Pragma[ \t]*\([ \t]*")[ \t]*omp\b[^\n]*?\b(' + shares + r")\b"
    for source in c_files(tree, LIBRARIES):
        for line, match in source.matches(bare("pthread_create|thrd_create"), source.tokens):
            yield source.path, line, match.group(0)
    for source in c_files(tree, BELOW):
        if source.path == SINGLE_DOORS["parallel"]:
            continue
        for line, match in source.matches(pragma, source.code):
            yield source.path, line, f"omp {match.group(1)}"


def rule_quiet(tree):
    """the libraries never exit, abort, assert or print"""
    calls = r"exit|_exit|_Exit|quick_exit|abort|raise|assert|printf|vprintf|puts|putchar|perror"
    streams = "stdout|stderr|STDOUT_FILENO|STDERR_FILENO"
    by_number = bare(r"p?writev?|v?dprintf|fdopen|dup2?") + r"\s*\(\s*[12]\s*[,)]"
    pattern = bare(calls) + r"\s*\(|" + bare(streams) + "|" + by_number
    for source in c_files(tree, LIBRARIES):
        for line, match in source.matches(pattern, source.tokens):
            yield source.path, line, match.group(0)


def rule_leftovers(tree):
    """nothing half-done: no marker, no disabled code"""
    # Written in pieces, so that this file does not find itself.
    marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    pattern = r"\b(" + "|".join(marks) + r")\b|(?m:^[ \t]*#[ \t]*if[ \t]+0\b)|\bif ?\(0\)|\bnot " + r"implemented\b"
    for source in tree.values():
        for line, match in source.matches(pattern, source.text):
            yield source.path, line, match.group(0).strip()


def rule_size(tree):
    """files are under 600 lines, lines at most 120 characters"""
    for source in tree.values():
        lines = source.text.splitlines()
        if len(lines) > LONGEST_FILE:
            yield source.path, len(lines), f"{len(lines)} lines"
        for number, line in enumerate(lines, 1):
            if len(line) > LONGEST_LINE:
                yield source.path, number, f"{len(line)} characters"


def rule_compat(tree):
    """foreign names stay out of the libraries: only programs include gemmgrad/compat/"""
    for source in c_files(tree, BELOW):
        if "/include/gemmgrad/compat/" in source.path or source.module not in LIBRARIES:
            continue
        for line, match in source.matches(r'#[ \t]*include[ \t]*[<"][^>"]*\bcompat/[^>"]*[>"]', source.code):
            yield source.path, line, match.group(0)


RULES = [rule_includes, rule_cblas, rule_lapacke, rule_memory, rule_parallel, rule_quiet, rule_leftovers, rule_size,
         rule_compat]


def rule_doors(tree):
    """the single doors are where the rules say, and the modules have sources at all"""
    inside = {"cblas": r"\bcblas_sgemm\s*\(", "lapacke": r"\bLAPACKE_\w+\s*\(", "memory": r"\baligned_alloc\s*\(",
              "parallel": r"\bomp parallel\b"}
    for door, path in SINGLE_DOORS.items():
        if path not in tree or not re.search(inside[door], tree[path].code):
            yield path, 1, f"holds no {inside[door]}: the rule of this door would guard nothing"
    for module in ("blas_backend", "layers", "bench"):
        if not c_files(tree, [module]):
            yield module, 1, "holds no C source"


def report(root):
    tree = read_tree(root)
    rules = RULES + [rule_doors]
    print(f"TAP version 13\n1..{len(rules)}")
    failed = False
    for number, rule in enumerate(rules, 1):
        found = sorted(rule(tree))
        failed = failed or bool(found)
        print(f"{'not ok' if found else 'ok'} {number} - {rule.__doc__}")
        for path, line, what in found:
            print(f"{path}:{line}: {what}", file=sys.stderr)  # Meson shows this stream of a failed test
    return 1 if failed else 0


CLEAN = {
    "blas_backend/gemm.c": "#include <cblas.h>\nvoid g(void) { cblas_sgemm(); }\n",
    "blas_backend/lapack_door.c": "#include <lapacke.h>\nvoid l(void) { LAPACKE_sgetrf_work(); }\n",
    "blas_backend/memory.c": "#include <stdlib.h>\nvoid *m(void) { return aligned_alloc(64, 64); }\n",
    "blas_backend/parallel.c": "#include \"parallel.h\"\nvoid p(void) {\n#pragma omp parallel\n    {}\n}\n",
    "blas_backend/parallel.h": "void p(void);\n",
    "blas_backend/kernels/kernels.h": "#include <gemmgrad/gemm.h>\n",
    "blas_backend/kernels/sum.c": "#include \"kernels.h\"\n",
    "blas_backend/include/gemmgrad/gemm.h": "#include <stdint.h>\n",
    "layers/include/gemmgrad/model.h": "#include <gemmgrad/gemm.h>\n",
    "layers/affine.c": "#include <gemmgrad/model.h>\n#include \"affine.h\"\n",
    "layers/affine.h": "#include <gemmgrad/gemm.h>\n",
    "bench/main.c": "#include <gemmgrad/model.h>\n#include \"bar.h\"\nvoid m(void) { exit(1); }\n",
    "bench/bar.h": "",
}

PLANTED = [
    (rule_includes, "blas_backend/x.c", "#include <gemmgrad/model.h>\n"),
    (rule_includes, "blas_backend/x.c", '#include "../layers/affine.h"\n'),
    (rule_includes, "blas_backend/x.c", '#  include "affine.h"\n'),
    (rule_includes, "layers/x.c", '#include "bar.h"\n'),
    (rule_includes, "layers/x.c", '#include "../bench/bar.h"\n'),
    (rule_includes, "layers/x.c", '#include "parallel.h"\n'),
    (rule_includes, "layers/x.c", "#include <kernels/kernels.h>\n"),
    (rule_includes, "layers/x.c", '#include "gemm.h"\n'),
    (rule_includes, "layers/x.c", "#include HEADER\n"),
    (rule_includes, "layers/include/gemmgrad/x.h", '#include "../../affine.h"\n'),
    (rule_includes, "bench/x.c", '#include "affine.h"\n'),
    (rule_includes, "bench/x.c", "#include <parallel.h>\n"),
    (rule_includes, "examples/x.c", '#include "../layers/affine.h"\n'),
    (rule_cblas, "layers/x.c", "#include <cblas.h>\n"),
    (rule_cblas, "bench/x.c", '#include "openblas/cblas.h"\n'),
    (rule_cblas, "blas_backend/x.c", "void x(void) { cblas_sgemm(); }\n"),
    (rule_cblas, "layers/x.c", "void (*f)(void) = cblas_sgemv;\n"),
    (rule_cblas, "layers/x.c", "void x(void) { sgemm_(1); }\n"),
    (rule_lapacke, "layers/x.c", "#include <lapacke.h>\n"),
    (rule_lapacke, "bench/x.c", '#include "openblas/lapacke.h"\n'),
    (rule_lapacke, "blas_backend/x.c", "#include <lapack.h>\n"),
    (rule_lapacke, "blas_backend/x.c", "void x(void) { LAPACKE_sgeqrf_work(); }\n"),
    (rule_lapacke, "layers/x.c", "int (*f)(void) = LAPACKE_sgesv;\n"),
    (rule_memory, "layers/x.c", "void *x(void) { return malloc(1); }\n"),
    (rule_memory, "bench/x.c", "void x(void *p) { free (p); }\n"),
    (rule_memory, "blas_backend/x.c", "void (*f)(void *) = free;\n"),
    (rule_memory, "blas_backend/x.c", "void *x(void) { return realloc(0, 1); }\n"),
    (rule_memory, "layers/x.c", "void *x(void) { return mmap(0, 1, 3, 34, -1, 0); }\n"),
    (rule_memory, "blas_backend/x.c", "void x(void *p) { munmap(p, 1); }\n"),
    (rule_parallel, "layers/x.c", "#pragma omp parallel for\n"),
    (rule_parallel, "blas_backend/x.c", "#  pragma  omp  for  \\\n   parallel\n"),
    (rule_parallel, "bench/x.c", '_Pragma("omp parallel")\n'),
    (rule_parallel, "bench/x.c", "#pragma omp taskloop\n"),
    (rule_parallel, "layers/x.c", "#pragma omp for\n"),
    (rule_parallel, "blas_backend/x.c", "#pragma omp for simd schedule(static)\n"),
    (rule_parallel, "blas_backend/x.c", '_Pragma("omp for")\n'),
    (rule_parallel, "layers/x.c", "void x(void) { pthread_create(&t, 0, f, 0); }\n"),
    (rule_parallel, "blas_backend/x.c", "int (*f)() = pthread_create;\n"),
    (rule_parallel, "blas_backend/x.c", "void x(void) { thrd_create(&t, f, 0); }\n"),
    (rule_quiet, "layers/x.c", "void x(void) { exit(1); }\n"),
    (rule_quiet, "blas_backend/x.c", "void x(void) { assert(1); }\n"),
    (rule_quiet, "layers/x.c", 'void x(void) { fprintf(stderr, "x"); }\n'),
    (rule_quiet, "layers/x.c", 'void x(void) { printf("x"); }\n'),
    (rule_quiet, "layers/x.c", 'void x(void) { fputs("x", stdout); }\n'),
    (rule_quiet, "blas_backend/x.c", "void x(void) { fputc(1, stderr); }\n"),
    (rule_quiet, "blas_backend/x.c", "void x(void) { putc(1, stderr); }\n"),
    (rule_quiet, "layers/x.c", 'void x(void) { write(1, "x", 1); }\n'),
    (rule_quiet, "blas_backend/x.c", 'void x(void) { write( 2 , "x", 1); }\n'),
    (rule_quiet, "blas_backend/x.c", 'void x(void) { write(STDERR_FILENO, "x", 1); }\n'),
    (rule_quiet, "layers/x.c", 'void x(void) { dprintf(2, "x"); }\n'),
    (rule_leftovers, "tests/x.c", "/* TO" + "DO: more */\n"),
    (rule_leftovers, "tests/x.py", "# FIX" + "ME\n"),
    (rule_leftovers, "bench/x.c", "#if" + " 0\n#endif\n"),
    (rule_leftovers, "meson.build", "# XX" + "X\n"),
    (rule_size, "tests/x.c", "\n" * 600),
    (rule_compat, "layers/x.c", "#include <gemmgrad/compat/darknet.h>\n"),
    (rule_compat, "blas_backend/include/gemmgrad/gemm.h", "#include <gemmgrad/compat/kann.h>\n"),
    (rule_size, "tests/x.c", "/* " + "é" * 118 + "\n"),
]

ALLOWED = [
    ("layers/x.c", "/* cblas_sgemm, malloc and exit(1) in a comment; // printf( */\n"),
    ("layers/x.c", 'const char *x = "cblas_sgemm // malloc(1) \\" exit(1)";\n'),
    ("bench/x.c", 'const char *x = "LAPACKE_sgesv_work"; /* lapacke.h */\n'),
    ("layers/x.c", "void x(gg_pool *p) { p->free(1); gg_free(p); p.exit(2); my_printf(3); snprintf(0, 0, 0); }\n"),
    ("layers/x.c", "void x(gg_files *f) { f->write(1, 0, 2); write(fd, 0, 1); write(12, 0, 2); fputs(text, file); }\n"),
    ("blas_backend/x.c", "pthread_once_t once;\nvoid x(void) { pthread_once(&once, f); pthread_mutex_lock(&m); }\n"),
    ("blas_backend/memory.c", "void *m(void) { return mmap(0, 1, 3, 34, -1, aligned_alloc(64, 64)); }\n"),
    ("layers/x.c", "#pragma omp simd\n#pragma omp declare simd\n"),
    ("layers/x.c", "#include <memory.h>\n#include <stdlib.h>\n_Static_assert(1, \"\");\n"),
    ("blas_backend/kernels/x.c", '#include "kernels.h"\n#include "../parallel.h"\n#include "kernels/kernels.h"\n'),
    ("bench/x.c", "void x(void) { printf(\"%d\", 1); exit(1); }\n"),
    ("blas_backend/include/gemmgrad/compat/x.h", "#include <gemmgrad/compat/y.h>\n"),
    ("examples/x.c", "#include <gemmgrad/compat/x.h>\n"),
    ("tests/x.c", "#include <stdlib.h>\nvoid x(void) { free(malloc(1)); }\n"),
    ("tests/x.c", "/* " + "é" * 117 + "\n" + "\n" * 598),
]


def found_in(files):
    """(rule, path) of everything found when these files lie in a folder."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        tree = read_tree(root)
        return {(rule, hit[0]) for rule in RULES + [rule_doors] for hit in rule(tree)}


def self_test():
    print(f"TAP version 13\n1..{1 + len(PLANTED) + len(ALLOWED) + len(SINGLE_DOORS)}")
    results = [(found_in(CLEAN) == set(), "a clean tree is clean")]
    for rule, path, text in PLANTED:
        found = found_in({**CLEAN, path: text})
        results.append((found == {(rule, path)}, f"{rule.__name__} finds {text.strip()[:50]!r} in {path}"))
    for path, text in ALLOWED:
        results.append((found_in({**CLEAN, path: text}) == set(), f"{text.strip()[:50]!r} may stand in {path}"))
    for path in SINGLE_DOORS.values():
        found = found_in({**CLEAN, path: "\n"})
        results.append((found == {(rule_doors, path)}, f"an empty {path} is noticed"))
    for number, (good, what) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what.replace('#', '')}")
    return 0 if all(good for good, what in results) else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(report(sys.argv[1]))
