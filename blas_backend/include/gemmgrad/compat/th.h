/* gemmgrad/compat/th.h - the float matrix product of Torch's TH, by gemmgrad.
 *
 * Include it in place of the prototype in THBlas.h, or before it, and remove TH's own definition for float; link with
 * gemmgrad-blas. The signature is that of TH (lib/TH/generic/THBlas.c of https://github.com/torch/torch7; sizes are
 * long there, int64_t in the copy that lived in PyTorch). Nothing is allocated; thread-safe on different outputs; up to
 * gg_threads() threads. Refused calls: gemmgrad/compat/failure.h. */
#ifndef GEMMGRAD_COMPAT_TH_H
#define GEMMGRAD_COMPAT_TH_H

#include <stdint.h>

#include <gemmgrad/compat/failure.h>
#include <gemmgrad/gemm.h>

#ifdef __cplusplus
extern "C" { /* as those projects declare them for C++ */
#endif

/* C = alpha op(A) op(B) + beta C, all in column-major order: a leading dimension is the distance between the starts of
 * two columns. op(A) is m x k, op(B) k x n, C m x n; 't' or 'T' marks an operand stored transposed, every other letter
 * one that is not. As in TH, a leading dimension does not matter where there is only one column. beta = 0 overwrites
 * NaN. */
static inline void THFloatBlas_gemm(char transa, char transb, int64_t m, int64_t n, int64_t k, float alpha, float *a,
                                    int64_t lda, float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    const int ta = transa == 't' || transa == 'T';
    const int tb = transb == 't' || transb == 'T';
    if (n == 1)
        ldc = m;
    if ((ta ? m : k) == 1)
        lda = ta ? k : m;
    if ((tb ? k : n) == 1)
        ldb = tb ? n : k;
    /* Read row by row these are the transposes: C^T = op(B)^T op(A)^T. */
    gg_compat_check(gg_gemm(c, ldc, b, ldb, a, lda, n, m, k, tb ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                            ta ? GG_TRANSPOSE : GG_NO_TRANSPOSE, alpha, beta));
}

#ifdef __cplusplus
}
#endif

#endif
