/* bench_lapack.h - what the cases of linear algebra share: data, the direct LAPACKE calls on column-major data that
 * stand beside ours, checks by LAPACK's ratios.
 *
 * x: A, w: B, y (and dx, dy, state1): results, all row-major. For the raw calls: dw and db are A and B in column-major,
 * packed and bias the copies that they destroy, state2 small results, labels integers, LAPACK's own floats in bias,
 * behind the right-hand sides or from its start. */
#ifndef GEMMGRAD_BENCH_LAPACK_H
#define GEMMGRAD_BENCH_LAPACK_H

#include "bench_case.h"

enum { BENCH_COLUMN_MAJOR = 102 };

/* Looked up in the running process, as bench_raw.h explains; NULL where not found. */
typedef struct bench_lapacke_calls {
    bool looked;
    int (*gesv)(int, int, int, float *, int, int *, float *, int);
    int (*posv)(int, char, int, int, float *, int, float *, int);
    int (*geqrf)(int, int, int, float *, int, float *, float *, int);
    int (*orgqr)(int, int, int, int, float *, int, const float *, float *, int);
    int (*gels)(int, char, int, int, int, float *, int, float *, int, float *, int);
    int (*syevd)(int, char, char, int, float *, int, float *, float *, int, int *, int);
    int (*gesdd)(int, char, int, int, float *, int, float *, float *, int, float *, int, float *, int, int *);
    int (*gelsd)(int, int, int, int, float *, int, float *, int, float *, float, int *, float *, int, int *);
    int (*getrf)(int, int, int, float *, int, int *);
    int (*gecon)(int, char, int, const float *, int, float, float *, float *, int *);
    float (*lange)(int, char, int, int, const float *, int, float *);
} bench_lapacke_calls;

extern bench_lapacke_calls bench_lapacke;

gg_status bench_lapack_result(const char *name, int info);
gg_status bench_lapack_missing(void);

/* Floats of LAPACK's own workspace for every call here. */
int64_t bench_lapack_work(int64_t m, int64_t n);

/* For a kind's open: all arrays, A and B random; then A and B in column-major. */
gg_status bench_lapack_open(bench_work *work, gg_lapack_call call, int64_t m, int64_t n, int64_t nrhs);
void bench_lapack_turn(bench_work *work, int64_t m, int64_t n, int64_t nrhs);

/* A symmetric, with `shift` on the diagonal. */
void bench_lapack_symmetric(float *a, int64_t n, float shift);

/* A and B, which a raw call will destroy. */
void bench_lapack_copy(bench_work *work, int64_t m, int64_t n, int64_t nrhs);

/* ---- checks ---- */

void bench_lapack_spoil(float *x, int64_t n);

/* Q^T Q v = v for the columns of q, or Q Q^T v = v for its rows. */
gg_status bench_lapack_check_orthogonal(bench_work *work, const char *what, const float *q, int64_t rows,
                                        int64_t columns, bool by_rows);

/* A v = U diag(s) W v, W being k x n, or W^T v with W n x k. s NULL: ones. */
gg_status bench_lapack_check_factors(bench_work *work, const float *u, const float *s, const float *w,
                                     bool w_transposed, int64_t m, int64_t n, int64_t k);

/* A few columns of X, made anew by the first variant: A X = B; or A^T A X + lambda X = A^T B. */
gg_status bench_lapack_check_columns(bench_work *work, int64_t m, int64_t n, int64_t nrhs, bool normal, double lambda);

#endif
