/* bench_tests.h - tests of hypotheses: do two sets of samples come from the same distribution, and how many such
 * questions may be asked at once. */
#ifndef GEMMGRAD_BENCH_TESTS_H
#define GEMMGRAD_BENCH_TESTS_H

#include <gemmgrad/blas_backend.h>

typedef struct bench_u {
    double u; /* pairs (x, y) with x > y, those with x = y by half */
    double p; /* of a |u - mean| this large or larger when both come from one distribution */
} bench_u;

/* The Mann-Whitney U test, two-sided, of nx >= 1 and ny >= 1 numbers without NaN. Without ties and up to 56 numbers
 * together p is exact; otherwise it is that of the normal distribution with corrections for ties and continuity.
 * Error, *out untouched: GG_ERR_MEMORY. */
gg_status bench_u_test(bench_u *out, const double *x, int nx, const double *y, int ny);

/* The least p that samples of these sizes can have. */
double bench_u_least(int nx, int ny);

/* corrected[i]: the level of significance at which hypothesis i is rejected when count >= 1 of them are tested at once
 * by Holm's step-down procedure. May be p itself. Error, corrected untouched: GG_ERR_MEMORY.
 *
 * Holm (Scandinavian Journal of Statistics 6, 1979) bounds the chance of even one false alarm, which is what a gate
 * asks for. Benjamini and Hochberg bound the share of false alarms among all alarms: in a change that makes 100 cases
 * faster they let several stable ones pass for slower, and one of those is enough to close the gate. */
gg_status bench_holm(double *corrected, const double *p, int count);

#endif
