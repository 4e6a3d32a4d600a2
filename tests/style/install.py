#!/usr/bin/env python3
"""An installation serves as the README says: the example compiles with what pkg-config tells and runs; so does a
program that uses the backend alone, and one in C++; the installed program starts.

install.py BUILD-FOLDER PREFIX LIBDIR COMPILER...
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BACKEND = """#include <gemmgrad/blas_backend.h>
#include <gemmgrad/compat/llmc.h>
int main(void)
{
    const float a[4] = {1, 2, 3, 4};
    float c[4];
    double log_magnitude;
    int sign;
    int64_t bytes;
    void *space;
    if (gg_lapack_workspace(&bytes, GG_LAPACK_LOG_DETERMINANT, 2, 2, 0) != GG_OK
        || gg_alloc(&space, (size_t)bytes) != GG_OK
        || gg_log_determinant(&sign, &log_magnitude, a, 2, 2, space, bytes) != GG_OK || sign != -1)
        return 1;
    gg_free(space);
    return gg_gemm(c, 2, a, 2, a, 2, 2, 2, 2, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0) != GG_OK || c[3] != 22;
}
"""
SKIPPED = 77


def run(*command, **options):
    done = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def compile_and_run(compiler, source, package, folder, environment):
    flags = run("pkg-config", "--cflags", "--libs", package, env=environment).split()
    program = folder / (source.stem + "-" + package)
    run(*compiler, str(source), *flags, "-o", str(program))
    return run(str(program), env=environment)


def link_statically(compiler, source, archive, environment):
    """With what Requires.private and Libs.private name: BLAS, LAPACKE, OpenMP."""
    program = source.with_name("static")
    flags = run("pkg-config", "--static", "--cflags", "--libs", "gemmgrad-blas", env=environment).split()
    run(*compiler, str(source), *[str(archive) if flag == "-lgemmgrad-blas" else flag for flag in flags], "-o",
        str(program))
    run(str(program), env=environment)


def main():
    build, prefix, libdir = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if shutil.which("pkg-config") is None:
        sys.exit(SKIPPED)
    root = pathlib.Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory(prefix="gemmgrad-install-") as name:
        folder = pathlib.Path(name)
        run("meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--destdir", str(folder / "root"))
        library = folder / "root" / prefix.lstrip("/") / libdir
        paths = ":".join(filter(None, (str(library), os.environ.get("LD_LIBRARY_PATH"))))
        own = ":".join(filter(None, (str(library / "pkgconfig"), os.environ.get("PKG_CONFIG_PATH"))))
        environment = dict(os.environ, PKG_CONFIG_PATH=own, PKG_CONFIG_SYSROOT_DIR="", LD_LIBRARY_PATH=paths,
                           OMP_NUM_THREADS="1")
        for package in library.glob("pkgconfig/*.pc"):  # as if the folder were the root of the system
            text = package.read_text(encoding="utf-8")
            package.write_text(text.replace(f"prefix={prefix}", f"prefix={folder / 'root'}{prefix}"), encoding="utf-8")
        compiler = sys.argv[4:]  # the one that built: a static library wants its OpenMP runtime
        said = compile_and_run(compiler, root / "examples/first_network.c", "gemmgrad", folder, environment)
        assert "step 1000" in said, said
        backend = folder / "backend.c"
        backend.write_text(BACKEND, encoding="utf-8")
        compile_and_run(compiler, backend, "gemmgrad-blas", folder, environment)
        if (library / "libgemmgrad-blas.a").exists():
            link_statically(compiler, backend, library / "libgemmgrad-blas.a", environment)
        if shutil.which("c++") is not None:
            compile_and_run(["c++", "-x", "c++"], backend, "gemmgrad-blas", folder, environment)
        run(str(folder / "root" / prefix.lstrip("/") / "bin" / "gemmgrad"), "version", env=environment)


if __name__ == "__main__":
    main()
