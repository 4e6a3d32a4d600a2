/* reference_lapack.h - linear algebra in double by the textbook's plain loops, and the test ratios of LAPACK.
 *
 * Matrices are row-major. A ratio is an error divided by what rounding to float explains, with eps = 2^-24; LAPACK's
 * own tests let ratios below 30 pass (LAPACK Working Note 41). NaN anywhere gives a ratio that passes no comparison. */
#ifndef GEMMGRAD_TESTS_REFERENCE_LAPACK_H
#define GEMMGRAD_TESTS_REFERENCE_LAPACK_H

#include <stdbool.h>
#include <stdint.h>

/* x (n x nrhs) = a^-1 b by elimination with row exchanges; a and b are destroyed. Returns det a. */
double reference_solve(double *x, double *a, double *b, int64_t n, int64_t nrhs);

/* s[min(m, n)], descending: one-sided Jacobi (Hestenes 1958). */
void reference_singular_values(double *s, const double *a, int64_t m, int64_t n);

/* 1 / (|a| |a^-1|) in the infinity norm. */
double reference_rcond(const double *a, int64_t n);

/* The largest row sum of |a|. */
double reference_norm(const double *a, int64_t m, int64_t n);

/* |b - a x| / (|a| |x| eps), the largest over columns; a is m x n. */
double reference_residual_ratio(const double *x, const double *a, const double *b, int64_t m, int64_t n, int64_t nrhs);

/* |a^T (b - a x)| / (max(m, n, nrhs) |a| max(|b|, |a| |x|) eps): zero at a least squares solution. The |a| |x| is what
 * a backward stable method may leave where x is large. */
double reference_normal_ratio(const double *x, const double *a, const double *b, int64_t m, int64_t n, int64_t nrhs);

/* |a - u diag(s) v| / (max(m, n) |a| eps), u m x k, v k x n; s NULL: ones. */
double reference_product_ratio(const double *a, const double *u, const double *s, const double *v, int64_t m, int64_t n,
                               int64_t k);

/* |q^T q - 1| / (m eps) for the columns of q (m x n). */
double reference_orthogonality_ratio(const double *q, int64_t m, int64_t n);

/* t (n x m) = a^T. */
void reference_transpose(double *t, const double *a, int64_t m, int64_t n);

#endif
