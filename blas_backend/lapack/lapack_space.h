/* lapack_space.h - the caller's workspace, laid out for one call, and the checks that all calls share. */
#ifndef GG_LAPACK_SPACE_H
#define GG_LAPACK_SPACE_H

#include <stdint.h>

#include <gemmgrad/lapack.h>

#include "matrix_check.h"

/* Each part begins at a multiple of GG_ALIGNMENT. What a and the others hold is said by each call in
 * lapack_space.c. */
typedef struct gg_lapack_space {
    float *a, *b, *c, *d;
    float *work;
    int lwork;
    int *integers;
    int integer_count;
} gg_lapack_space;

/* Sizes, matrices (count of them), workspace; then the layout of the workspace. Shapes as in gg_lapack_workspace. */
gg_status gg_lapack_begin(gg_lapack_space *space, const char *function, gg_lapack_call call, int64_t m, int64_t n,
                          int64_t nrhs, void *workspace, int64_t bytes, const gg_matrix_argument *matrices, int count);

/* ---- moving matrices; `rows` x `columns` is the shape of the row-major one ---- */

/* GG_ERR_NUMERIC when a row-major input holds NaN or infinity. upper: only the part at and right of the diagonal is
 * looked at. */
gg_status gg_lapack_check_finite(const char *function, const gg_matrix_argument *matrix, bool upper);

/* GG_ERR_NUMERIC when a result still in the workspace is not finite: a, m x n, led out of float's range. */
gg_status gg_lapack_check_result(const char *function, const float *result, int64_t floats, int64_t m, int64_t n);

/* target column-major and dense = source. */
void gg_lapack_load(float *target, int64_t ld_target, const float *source, int64_t ld_source, int64_t rows,
                    int64_t columns);

/* target row-major = source column-major. */
void gg_lapack_store(float *target, int64_t ld_target, const float *source, int64_t ld_source, int64_t rows,
                     int64_t columns);

/* Both row-major: a column-major source is its own transpose. upper: as above; the rest of target is left. */
void gg_lapack_copy(float *target, int64_t ld_target, const float *source, int64_t ld_source, int64_t rows,
                    int64_t columns);
void gg_lapack_copy_upper(float *target, const float *source, int64_t ld_source, int64_t n);

static inline int64_t gg_lapack_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t gg_lapack_most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
