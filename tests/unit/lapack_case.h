/* lapack_case.h - matrices for the tests of the lapack room: canaries, which are NaN, between the rows and around. */
#ifndef LAPACK_CASE_H
#define LAPACK_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/lapack.h>
#include <gemmgrad/memory.h>

/* LAPACK's tests let ratios below this pass (reference_lapack.h). */
#define LAPACK_THRESHOLD 30.0

typedef struct grid {
    float *data;
    int64_t rows, columns, ld;
} grid;

/* Canaries everywhere; rows are `gap` floats longer than they need be. */
grid grid_new(int64_t rows, int64_t columns, int64_t gap);

/* Uniform in [-1, 1). */
grid grid_random(int64_t rows, int64_t columns, int64_t gap, uint64_t seed);

/* From dense doubles. */
grid grid_from(const double *values, int64_t rows, int64_t columns, int64_t gap);

/* Symmetric: random, or random times its transpose plus n on the diagonal; canaries below the diagonal. The matrix
 * itself, whole, goes to *wide. */
grid grid_symmetric(int64_t n, int64_t gap, uint64_t seed, bool positive, double **wide);

/* u diag(s) v with random orthonormal u and v from Gram and Schmidt in double: known singular values. */
grid grid_with_singular_values(const double *s, int64_t m, int64_t n, int64_t gap, uint64_t seed);

/* Dense, in double; fails the test when a canary between the rows is gone. */
double *grid_wide(const grid *x);

bool grid_untouched(const grid *x);

/* Workspace of exactly the size asked for, between guard zones; *bytes receives that size. */
void *lapack_space(int64_t *bytes, gg_lapack_call call, int64_t m, int64_t n, int64_t nrhs);

/* Fail unless value < LAPACK_THRESHOLD. */
void lapack_assert_ratio(double value, const char *what, int64_t m, int64_t n, int64_t nrhs);

/* Square sizes, and right-hand sides to go with them. */
extern const int64_t lapack_sizes[];
enum { LAPACK_SIZES = 10 };

#endif
