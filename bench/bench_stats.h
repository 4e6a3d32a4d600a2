/* bench_stats.h - the statistics of samples. */
#ifndef GEMMGRAD_BENCH_STATS_H
#define GEMMGRAD_BENCH_STATS_H

/* All take count >= 1 numbers and leave them in their order; NaN when there is no memory for a sorted copy. */

/* The value below which a share q of the numbers lies, linear between neighbours (type 7 of Hyndman and Fan 1996). */
double bench_quantile(const double *x, int count, double q);

double bench_median(const double *x, int count);

/* Upper minus lower quartile, as a share of the median. */
double bench_spread(const double *x, int count);

double bench_mean(const double *x, int count);

/* With count - 1 in the denominator; 0 for a single number. */
double bench_deviation(const double *x, int count);

/* Median of a[i] / b[i]. */
double bench_paired_ratio(const double *a, const double *b, int count);

#endif
