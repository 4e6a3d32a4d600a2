#!/bin/sh
# build.sh MAKE CC TARGET KERNELS SOURCE WORK OUT
# Build OpenBLAS in WORK with its own Makefile; put the archive and the headers into OUT.
set -eu
make=$1 cc=$2 target=$3 kernels=$4 source=$5 work=$6 out=$(cd "$7" && pwd)

echo "Building OpenBLAS from source; this takes some minutes." >&2
rm -rf "$work"
mkdir -p "$work"
cp -R "$source/." "$work"
cd "$work"

# OpenMP threads, kernels chosen at run time, LAPACK in C: no Fortran compiler or library is needed.
# 64 threads, as Debian has it: the number is a table size, not what runs.
run() {
    "$make" CC="$cc" USE_OPENMP=1 NUM_THREADS=64 DYNAMIC_ARCH=1 ${target:+"TARGET=$target"} \
        ${kernels:+"DYNAMIC_LIST=$kernels"} NOFORTRAN=1 C_LAPACK=1 NO_SHARED=1 \
        PREFIX="$work/installed" "$@" >>"$work/gemmgrad.log" 2>&1 || {
        tail -n 40 "$work/gemmgrad.log" >&2
        echo "OpenBLAS did not build; the whole log is $work/gemmgrad.log" >&2
        exit 1
    }
}
run libs
run netlib
run install

cp -L "$work/installed/lib/libopenblas.a" "$out/"
for header in cblas.h openblas_config.h lapacke.h lapack.h lapacke_config.h lapacke_mangling.h lapacke_utils.h; do
    cp "$work/installed/include/$header" "$out/"
done
