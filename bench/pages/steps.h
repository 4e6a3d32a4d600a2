/* steps.h - where a series of measurements changes its level for good. */
#ifndef GEMMGRAD_BENCH_STEPS_H
#define GEMMGRAD_BENCH_STEPS_H

#include <gemmgrad/blas_backend.h>

/* A stretch of one level: x[first] to x[first + count - 1], whose median is `level`. */
typedef struct bench_level {
    int first, count;
    double level;
} bench_level;

/* Cut x[0 .. count-1], all finite and above 0 (times), into levels: out has room for count entries, *levels of them are
 * filled, in order, together all of x. Between two levels lies a step. The same x gives the same levels, and so does x
 * in other units. No level is shorter than two points, so that one bad run is no step, nor is the last run before
 * another confirms it; neighbours differ by at least `least` (0.03: three percent). Errors: GG_ERR_ARGUMENT,
 * GG_ERR_MEMORY. */
gg_status bench_steps_find(bench_level *out, int *levels, const double *x, int count, double least);

#endif
