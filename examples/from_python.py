#!/usr/bin/env python3
"""Call gemmgrad from Python by ctypes: a product of two matrices, a softmax, and what an error looks like.

from_python.py [LIBRARY]      LIBRARY: libgemmgrad-blas.so; without it, the installed one
"""
import array
import ctypes
import ctypes.util
import sys

FLOATS = ctypes.POINTER(ctypes.c_float)
GG_NO_TRANSPOSE, GG_TRANSPOSE = 0, 1


def load(path):
    """The library with the signatures of the functions used here: pointers, int64_t, enums as int."""
    path = path or ctypes.util.find_library("gemmgrad-blas")
    library = ctypes.CDLL(path or sys.exit("libgemmgrad-blas is not found: say where it is"))
    size, real, choice = ctypes.c_int64, ctypes.c_float, ctypes.c_int
    library.gg_gemm.argtypes = [FLOATS, size, FLOATS, size, FLOATS, size, size, size, size, choice, choice, real, real]
    library.gg_softmax_forward.argtypes = [FLOATS, FLOATS, size, size]
    library.gg_error_message.restype = ctypes.c_char_p
    library.gg_version.restype = ctypes.c_char_p
    return library


def floats(numbers):
    """Memory that Python owns, and a pointer to it. A NumPy array x of float32 has the latter as
    x.ctypes.data_as(FLOATS)."""
    memory = array.array("f", numbers)
    return memory, ctypes.cast(memory.buffer_info()[0], FLOATS)


def main(path):
    gg = load(path)

    def check(status):
        if status != 0:
            raise ValueError(gg.gg_error_message().decode())

    print("gemmgrad", gg.gg_version().decode())
    _a, a = floats([1, 2, 3, 4, 5, 6])  # 2 x 3
    _b, b = floats([1, 0, 0, 1, 1, 1])  # 3 x 2
    c_memory, c = floats([0] * 4)
    check(gg.gg_gemm(c, 2, a, 3, b, 2, 2, 2, 3, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0, 0.0))
    print("A B =", list(c_memory))
    assert list(c_memory) == [4, 5, 10, 11]

    check(gg.gg_softmax_forward(c, c, 2, 2))
    print("softmax =", [round(p, 4) for p in c_memory])
    assert all(abs(sum(c_memory[row:row + 2]) - 1) < 1e-6 for row in (0, 2))

    try:
        check(gg.gg_gemm(c, 2, a, 2, b, 2, 2, 2, 3, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0, 0.0))
    except ValueError as error:
        print("refused:", error)
    else:
        raise AssertionError("rows of 3 floats that are 2 apart were accepted")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
