/* bench_stats.h - the statistics of samples. */
#ifndef GEMMGRAD_BENCH_STATS_H
#define GEMMGRAD_BENCH_STATS_H

/* All take count >= 1 numbers and leave them in their order; NaN when there is no memory for a sorted copy. */

/* The value below which a share q of the numbers lies, linear between neighbours (type 7 of Hyndman and Fan 1996). */
double bench_quantile(const double *x, int count, double q);

double bench_median(const double *x, int count);

/* Ascending. */
void bench_sort(double *x, int count);

/* bench_quantile of numbers that are sorted already. */
double bench_sorted_quantile(const double *sorted, int count, double q);

/* Upper minus lower quartile, as a share of the median. */
double bench_spread(const double *x, int count);

double bench_mean(const double *x, int count);

/* With count - 1 in the denominator; 0 for a single number. */
double bench_deviation(const double *x, int count);

/* Median of a[i] / b[i]. */
double bench_paired_ratio(const double *a, const double *b, int count);

/* Numbers beyond Tukey's fences (Exploratory Data Analysis, 1977): mild ones lie more than 1.5 interquartile ranges
 * outside the quartiles, severe ones more than 3. All zero when there is no memory for a sorted copy. */
typedef struct bench_outliers {
    int low_severe, low_mild, high_mild, high_severe;
} bench_outliers;

bench_outliers bench_count_outliers(const double *x, int count);

#endif
