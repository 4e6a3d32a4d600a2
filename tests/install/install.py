#!/usr/bin/env python3
"""An installation serves programs outside the tree, however they are built.

install.py pkg-config|static|cmake|subproject|pages BUILD-FOLDER PREFIX LIBDIR COMPILER...

pkg-config   gcc, clang and the compiler that built; C and C++; the README's example and a program on the backend alone
static       the same from an installation without shared libraries
cmake        find_package, shared libraries and archives, version numbers
subproject   a Meson project with a wrap; it builds the backend, and configures both
pages        a man page for every exported function, and every adapter; the installed program starts; the headers as
             HTML, where Doxygen is

Each installs into a temporary folder, as if that were the root of the system. Exit code 77: a tool is missing.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "tests/install/consumer"
SKIPPED = 77


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            print(f"{tool} is not installed")
            sys.exit(SKIPPED)


class Installation:
    def __init__(self, folder, build, prefix, libdir):
        run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--skip-subprojects", "--destdir",
            folder / "root")
        self.folder = folder
        self.prefix = folder / "root" / prefix.lstrip("/")
        self.library = self.prefix / libdir
        for package in self.library.glob("pkgconfig/*.pc"):
            text = package.read_text(encoding="utf-8")
            package.write_text(text.replace(f"prefix={prefix}", f"prefix={self.prefix}"), encoding="utf-8")

    def environment(self):
        def before(value, name):
            return ":".join(filter(None, (str(value), os.environ.get(name))))

        return dict(os.environ, PKG_CONFIG_PATH=before(self.library / "pkgconfig", "PKG_CONFIG_PATH"),
                    PKG_CONFIG_SYSROOT_DIR="", OMP_NUM_THREADS="1",
                    LD_LIBRARY_PATH=before(self.library, "LD_LIBRARY_PATH"))


def works(program, environment, shared):
    """The program runs, and has our libraries inside or outside as it should."""
    said = run(program, env=environment)
    assert "backend works" in said or "step 1000" in said, said
    if sys.platform == "linux" and shutil.which("readelf"):
        needed = re.findall(r"NEEDED.*\[(libgemmgrad\S*)\]", run("readelf", "-d", program))
        assert bool(needed) == shared, f"{program} needs {needed}"
        assert all(re.search(r"\.so\.\d+$", name) for name in needed), f"no version in {needed}"


def compilers(built_with):
    """(command, is it for C++?), none twice"""
    seen = {}
    for command in [built_with, ["gcc"], ["clang"]]:
        if shutil.which(command[0]):
            seen.setdefault(os.path.realpath(shutil.which(command[-1]) or command[-1]), (command, False))
    for name in ("g++", "clang++"):
        if shutil.which(name):
            seen[name] = ([name, "-x", "c++"], True)
    return list(seen.values())


def with_pkg_config(installed, built_with, *options):
    need("pkg-config")
    environment, shared = installed.environment(), "--static" not in options
    for number, (compiler, plus) in enumerate(compilers(built_with)):
        programs = [(CONSUMER / "backend.c", "gemmgrad-blas")]
        programs += [] if plus else [(ROOT / "examples/first_network.c", "gemmgrad")]
        for source, package in programs:
            flags = run("pkg-config", *options, "--cflags", "--libs", package, env=environment).split()
            program = installed.folder / f"{source.stem}{number}"
            run(*compiler, source, *(["-x", "none"] if plus else []), *flags, "-o", program)
            works(program, environment, shared)


def without_shared(installed, built_with):
    if not list(installed.library.glob("libgemmgrad.a")):
        sys.exit(SKIPPED)
    for file in installed.library.glob("libgemmgrad*.so*"):
        file.unlink()
    with_pkg_config(installed, built_with, "--static")


def with_cmake(installed, built_with):
    need("cmake", "pkg-config")
    version = re.search(r"version: '(\d+)\.(\d+)\.(\d+)'", (ROOT / "meson.build").read_text(encoding="utf-8")).groups()
    environment = installed.environment()
    commands = [command[0] for command, plus in compilers(built_with) if not plus and len(command) == 1]
    for number, compiler in enumerate(commands):
        build = installed.folder / f"cmake{number}"
        configure = ["cmake", "-S", CONSUMER, "-B", build, f"-DCMAKE_C_COMPILER={compiler}",
                     f"-DCMAKE_PREFIX_PATH={installed.prefix}", f"-DEXAMPLES={ROOT / 'examples'}"]
        run(*configure, f"-DWANTED={version[0]}.{version[1]}", env=environment)
        run("cmake", "--build", build, env=environment)
        for name in ("backend", "network"):
            works(build / name, environment, (installed.library / "libgemmgrad.so").exists())
            if list(installed.library.glob("libgemmgrad.a")):
                works(build / f"{name}_static", environment, False)
        if number == 0:
            later = f"-DWANTED={version[0]}.{int(version[1]) + 1}"
            refused = subprocess.run([*map(str, configure), later], capture_output=True, check=False, env=environment)
            assert refused.returncode != 0, "CMake took an older version than it asked for"


def as_subproject(folder, built_with):
    """Only the backend is built, without optimisation where it is not asked for by name: that alone takes a while."""
    consumer = folder / "consumer"
    shutil.copytree(CONSUMER, consumer)
    (consumer / "subprojects").mkdir()
    (consumer / "subprojects/gemmgrad").symlink_to(ROOT)
    (consumer / "subprojects/gemmgrad.wrap").write_text(
        "[wrap-file]\ndirectory = gemmgrad\n\n[provide]\ndependency_names = gemmgrad, gemmgrad-blas\n",
        encoding="utf-8")
    environment = dict(os.environ, CC=" ".join(built_with), OMP_NUM_THREADS="1")
    run("meson", "setup", folder / "build", consumer, "--force-fallback-for=gemmgrad,gemmgrad-blas", "-Doptimization=0",
        "-Dgemmgrad:tests=disabled", f"-Dexamples={ROOT / 'examples'}", env=environment)
    run("ninja", "-C", folder / "build", "-j2", "backend")
    assert "backend works" in run(folder / "build/backend", env=environment)
    planned = run("ninja", "-C", folder / "build", "-t", "query", "network")
    assert "subprojects/gemmgrad/layers/" in planned, planned
    made = run("ninja", "-C", folder / "build", "-t", "targets", "all")
    assert "gemmgrad/bench/" not in made and "gemmgrad/tests/" not in made, "a subproject is its two libraries"


def has_reference(build):
    run("meson", "compile", "-C", build, "reference")
    html = build / "docs/html"
    for header in ("gemm", "optimizer", "compat/darknet"):
        name = header.replace("_", "__").replace("/", "_2")
        assert list(html.glob(f"{name.rpartition('_2')[2]}_8h.html")), f"the reference does not hold {header}.h"


def has_pages(installed):
    manual = installed.prefix / "share/man"
    functions = [name for file in ("exports-blas.txt", "exports.txt")
                 for name in (ROOT / "tests/style" / file).read_text(encoding="utf-8").split()]
    absent = [name for name in functions if not (manual / f"man3/{name}.3").exists()]
    assert not absent, f"no man page for {absent}"
    for page in manual.glob("man3/gg_*.3"):
        target = manual / page.read_text(encoding="utf-8").split()[1]
        assert re.search(rf"\b{page.stem}\(", target.read_text(encoding="utf-8")), f"{target} does not tell of {page}"
    adapters = list(installed.prefix.glob("include/gemmgrad/compat/*.h"))
    assert len(adapters) > 5, adapters
    for header in adapters:
        page = (manual / f"man3/gemmgrad-compat-{header.stem}.3").read_text(encoding="utf-8")
        code = header.read_text(encoding="utf-8")
        for function in set(re.findall(r"^static inline void (?!gg_)(\w+)\(", code, re.M)):
            assert f"void {function}(" in page, f"the page on {header.name} does not show {function}"
            assert re.search(rf"(?m)^gemmgrad.*\b{function}\b.* \\- ", page), f"{function} is not among its names"
        assert "GG_CAFFE" not in page and (header.name == "failure.h" or "void " in page), page
    run(installed.prefix / "bin/gemmgrad", "version", env=installed.environment())
    verbs = re.findall(r"(?m)^  (\w+)  ", run(installed.prefix / "bin/gemmgrad", "help", env=installed.environment()))
    page = (manual / "man1/gemmgrad.1").read_text(encoding="utf-8")
    assert len(verbs) > 5 and all(f".B {verb}\n" in page for verb in verbs), verbs
    if shutil.which("man"):
        for page in [*manual.glob("man3/gemmgrad*.3"), manual / "man1/gemmgrad.1"]:
            done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], check=False,
                                  capture_output=True, text=True, env=dict(os.environ, MANROFFSEQ="", MANWIDTH="80"))
            assert done.returncode == 0 and not re.search("warning|error", done.stderr), f"{page}: {done.stderr}"


def main(what, build, prefix, libdir, *built_with):
    with tempfile.TemporaryDirectory(prefix="gemmgrad-install-") as name:
        folder = pathlib.Path(name)
        if what == "subproject":
            need("ninja")
            as_subproject(folder, built_with)
            return
        installed = Installation(folder, pathlib.Path(build), prefix, libdir)
        if what == "pkg-config":
            with_pkg_config(installed, list(built_with))
        elif what == "static":
            without_shared(installed, list(built_with))
        elif what == "cmake":
            with_cmake(installed, list(built_with))
        else:
            has_pages(installed)
            if shutil.which("doxygen") and (pathlib.Path(build) / "docs/Doxyfile").exists():
                has_reference(pathlib.Path(build))


if __name__ == "__main__":
    if len(sys.argv) < 6 or sys.argv[1] not in ("pkg-config", "static", "cmake", "subproject", "pages"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
