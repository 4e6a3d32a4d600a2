/* gemmgrad/compat/kann.h - kann's matrix product, by gemmgrad.
 *
 * Include it before kautodiff.h, in kautodiff.c and wherever else kad_sgemm_simple is called, and remove kann's own
 * definition; link with gemmgrad-blas. The signature is that of https://github.com/attractivechaos/kann. Nothing is
 * allocated; thread-safe on different outputs; up to gg_threads() threads. Refused calls: gemmgrad/compat/failure.h. */
#ifndef GEMMGRAD_COMPAT_KANN_H
#define GEMMGRAD_COMPAT_KANN_H

#include <gemmgrad/compat/failure.h>
#include <gemmgrad/gemm.h>

#ifdef __cplusplus
extern "C" { /* as those projects declare them for C++ */
#endif

/* C += op(A) op(B), row-major and dense, C being M x N; trans_A, trans_B: not 0 for an operand stored transposed. Both
 * transposed is fine here, which kann's own loops abort on. */
static inline void kad_sgemm_simple(int trans_A, int trans_B, int M, int N, int K, const float *A, const float *B,
                                    float *C)
{
    gg_compat_check(gg_gemm(C, N, A, trans_A ? M : K, B, trans_B ? K : N, M, N, K,
                            trans_A ? GG_TRANSPOSE : GG_NO_TRANSPOSE, trans_B ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1.0f,
                            1.0f));
}

#ifdef __cplusplus
}
#endif

#endif
