/* gemmgrad/gated.h - a gated linear unit's product: y = silu(a) b, silu(a) = a / (1 + e^-a).
 *
 * Matrices of rows x cols with leading dimensions, so that a and b may be the two halves of one matrix of 2 cols
 * columns. An output may be the same matrix as an input, with the same leading dimension; other overlaps are undefined.
 * Sizes may be 0. A NaN spoils its own element. Thread-safe on different outputs; large matrices use up to gg_threads()
 * threads. Errors, outputs untouched: GG_ERR_ARGUMENT, GG_ERR_SHAPE (a leading dimension below cols), GG_ERR_OVERFLOW.
 * Source: Shazeer, 2020. */
#ifndef GEMMGRAD_GATED_H
#define GEMMGRAD_GATED_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

GG_API gg_status gg_swiglu_forward(float *y, int64_t ldy, const float *a, int64_t lda, const float *b, int64_t ldb,
                                   int64_t rows, int64_t cols);

/* da = dy b silu'(a), db = dy silu(a), or += that when accumulate. */
GG_API gg_status gg_swiglu_backward(float *da, int64_t ldda, float *db, int64_t lddb, const float *dy, int64_t lddy,
                                    const float *a, int64_t lda, const float *b, int64_t ldb, int64_t rows,
                                    int64_t cols, bool accumulate);

#ifdef __cplusplus
}
#endif
#endif
