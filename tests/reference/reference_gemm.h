/* reference_gemm.h - products as plain loops in double, short enough to check by eye.
 *
 * Arguments as in gemmgrad/gemm.h and gemmgrad/matmul.h, with double for float and dense matrices in matmul. */
#ifndef REFERENCE_GEMM_H
#define REFERENCE_GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* C = alpha op(A) op(B) + beta C; beta = 0 overwrites. */
void reference_gemm(double *c, int64_t ldc, const double *a, int64_t lda, const double *b, int64_t ldb, int64_t m,
                    int64_t n, int64_t k, bool transpose_a, bool transpose_b, double alpha, double beta);

/* C = |alpha| |op(A)| |op(B)| + |beta| |C|: what the rounding errors of that product are measured by. */
void reference_gemm_magnitude(double *c, int64_t ldc, const double *a, int64_t lda, const double *b, int64_t ldb,
                              int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b, double alpha,
                              double beta);

/* Y = X W + b, or Y += X W + b. w is in x out, or out x in when `out_in`; bias may be NULL. */
void reference_matmul_forward(double *y, const double *x, const double *w, const double *bias, int64_t rows, int64_t in,
                              int64_t out, bool out_in, bool accumulate);

/* dX = dY W^T, dW = X^T dY (stored as W is), db = sum of dY over its rows; or += . Each of the three may be NULL. */
void reference_matmul_backward(double *dx, double *dw, double *db, const double *dy, const double *x, const double *w,
                               int64_t rows, int64_t in, int64_t out, bool out_in, bool accumulate_dx,
                               bool accumulate_dw);

#endif
