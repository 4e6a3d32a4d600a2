/* gemmgrad/gemm.h - every product of two matrices goes through here, and from here to cblas_sgemm.
 *
 * Row-major float32. A is m x k, B is k x n, C is m x n; "transposed" means that the operand is
 * stored the other way round (A as k x m with lda >= m, B as n x k with ldb >= k).
 * A leading dimension is the distance in floats between the starts of two stored rows.
 * Sizes of 0 are legal: m or n of 0 does nothing, k of 0 leaves C = beta * C. beta = 0 overwrites C even
 * where it holds NaN. NaN and infinity in A and B propagate as in a sum of products. C must not
 * overlap A or B (undefined, unchecked). All functions may be called from several threads at once
 * on different C. A call uses up to gg_threads() threads. Same inputs, same threads, same BLAS and
 * same CPU give the same bits. Errors, all of which leave C untouched: GG_ERR_ARGUMENT (NULL operand,
 * negative size, a transpose that is neither constant), GG_ERR_SHAPE (a leading dimension below the
 * stored row length), GG_ERR_OVERFLOW. */
#ifndef GEMMGRAD_GEMM_H
#define GEMMGRAD_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_transpose { GG_NO_TRANSPOSE = 0, GG_TRANSPOSE = 1 } gg_transpose;

/* C = alpha * op(A) * op(B) + beta * C. */
GG_API gg_status gg_gemm(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb, int64_t m,
                         int64_t n, int64_t k, gg_transpose transpose_a, gg_transpose transpose_b, float alpha,
                         float beta);

/* `batch` independent products; operand i starts at c + i*stride_c, a + i*stride_a, b + i*stride_b.
 * A stride of 0 for a or b uses the same matrix for every product; stride_c must not let results
 * overlap, else GG_ERR_SHAPE: unless batch <= 1, |stride_c| >= (m-1)*ldc + n, results one behind the other, or
 * |stride_c| >= n and ldc >= (batch-1)*|stride_c| + n, their rows side by side. */
GG_API gg_status gg_gemm_batch(float *c, int64_t ldc, int64_t stride_c, const float *a, int64_t lda, int64_t stride_a,
                               const float *b, int64_t ldb, int64_t stride_b, int64_t batch, int64_t m, int64_t n,
                               int64_t k, gg_transpose transpose_a, gg_transpose transpose_b, float alpha, float beta);

/* A packed B: the k x n operand laid out once as the product wants it, to be multiplied many times
 * (recurrent weights, inference). The layout is private and belongs to one k, one n and this
 * process; the buffer belongs to the caller, aligned to GG_ALIGNMENT. */

/* Floats that a packed k x n operand takes. Errors: GG_ERR_ARGUMENT, GG_ERR_OVERFLOW. */
GG_API gg_status gg_gemm_packed_size(int64_t *floats, int64_t k, int64_t n);

/* Pack op(B). */
GG_API gg_status gg_gemm_pack(float *packed, const float *b, int64_t ldb, int64_t k, int64_t n,
                              gg_transpose transpose_b);

/* C = alpha * op(A) * B + beta * C with B packed by gg_gemm_pack for the same k and n. */
GG_API gg_status gg_gemm_packed(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed, int64_t m,
                                int64_t n, int64_t k, gg_transpose transpose_a, float alpha, float beta);

/* What went through the one door to cblas_sgemm since the last reset, over all threads. */
typedef struct gg_gemm_counters {
    uint64_t calls;         /* cblas_sgemm calls */
    uint64_t multiply_adds; /* sum of m*n*k over them */
    double seconds;         /* wall time inside products, measured only while timing is on */
} gg_gemm_counters;

/* Read / zero the counters. Thread-safe; exact when no product runs at that moment. */
GG_API gg_gemm_counters gg_gemm_counters_read(void);
GG_API void gg_gemm_counters_reset(void);

/* Whether products are timed (two clock reads a product); off at start. */
GG_API void gg_gemm_set_timing(bool on);

#ifdef __cplusplus
}
#endif
#endif
