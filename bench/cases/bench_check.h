/* bench_check.h - the checks that a case must pass before it is timed: its results against plain loops in double
 * (tests/reference). Each returns GG_ERR_NUMERIC with a message that names the element, or GG_OK. */
#ifndef GEMMGRAD_BENCH_CHECK_H
#define GEMMGRAD_BENCH_CHECK_H

#include "bench_case.h"

/* The check of the work's kind for a variant; frees what it took. */
gg_status bench_check(bench_work *work, int variant);

/* Every |found[i] - expected[i]| <= bound * FLT_EPSILON * scale[i]; scale NULL: |expected[i]|. `first` is the number of
 * found[0] in the array called `what`. */
gg_status bench_check_array(const char *what, int64_t first, const float *found, const double *expected,
                            const double *scale, int64_t n, double bound);

/* Run a variant once over results filled with NaN and compare every product of work->raw with the sums of products in
 * double, at a few hundred places of each and in whole rows and columns at its borders. The bound is that of LAPACK's
 * tests, 16 eps sum |a||b|. */
gg_status bench_check_products(bench_work *work, int variant);

/* A new array of n doubles, zero; with the values of x where x is not NULL. NULL, with work->status set, when there is
 * no memory. Freed with the case. */
double *bench_check_doubles(bench_work *work, const float *x, int64_t n);

#endif
