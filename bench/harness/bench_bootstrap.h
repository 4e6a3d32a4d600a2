/* bench_bootstrap.h - how sure a median is, without a belief about how the noise is distributed: percentile intervals
 * of the bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). */
#ifndef GEMMGRAD_BENCH_BOOTSTRAP_H
#define GEMMGRAD_BENCH_BOOTSTRAP_H

#include <stdint.h>

#include <gemmgrad/blas_backend.h>

typedef struct bench_interval {
    double low, high;
} bench_interval;

/* The interval of the median of count >= 1 numbers; confidence: 0.95. The same seed gives the same interval on every
 * machine. Samples are taken as independent: the interval knows nothing of drift between two runs. Of fewer than five
 * samples it is far too narrow, of one it is a point. Error, *out untouched: GG_ERR_MEMORY. */
gg_status bench_bootstrap_median(bench_interval *out, const double *x, int count, double confidence, uint64_t seed);

/* The interval of log(median of fresh / median of base), both resampled, all numbers above 0. */
gg_status bench_bootstrap_log_ratio(bench_interval *out, const double *fresh, int fresh_count, const double *base,
                                    int base_count, double confidence, uint64_t seed);

#endif
