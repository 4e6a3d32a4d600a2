/* bench_stats.c - medians, quartiles, paired ratios, outliers. */
#include "bench_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/memory.h>

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_sort(double *x, int count)
{
    qsort(x, (size_t)count, sizeof *x, compare_doubles);
}

/* To be freed; NULL when there is no memory. */
static double *sorted_copy(const double *x, int count)
{
    void *memory;
    if (gg_alloc(&memory, (size_t)count * sizeof *x) != GG_OK)
        return NULL;
    memcpy(memory, x, (size_t)count * sizeof *x);
    bench_sort(memory, count);
    return memory;
}

double bench_sorted_quantile(const double *sorted, int count, double q)
{
    const double place = q * (count - 1);
    const int below = (int)place, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

double bench_quantile(const double *x, int count, double q)
{
    double *sorted = sorted_copy(x, count);
    const double value = sorted != NULL ? bench_sorted_quantile(sorted, count, q) : (double)NAN;
    gg_free(sorted);
    return value;
}

double bench_median(const double *x, int count)
{
    return bench_quantile(x, count, 0.5);
}

double bench_spread(const double *x, int count)
{
    return (bench_quantile(x, count, 0.75) - bench_quantile(x, count, 0.25)) / bench_median(x, count);
}

double bench_mean(const double *x, int count)
{
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        sum += x[i];
    return sum / count;
}

double bench_deviation(const double *x, int count)
{
    const double mean = bench_mean(x, count);
    double squares = 0.0;
    for (int i = 0; i < count; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return count > 1 ? sqrt(squares / (count - 1)) : 0.0;
}

double bench_paired_ratio(const double *a, const double *b, int count)
{
    void *memory;
    if (gg_alloc(&memory, (size_t)count * sizeof *a) != GG_OK)
        return NAN;
    double *ratios = memory;
    for (int i = 0; i < count; i++)
        ratios[i] = a[i] / b[i];
    const double median = bench_median(ratios, count);
    gg_free(memory);
    return median;
}

bench_outliers bench_count_outliers(const double *x, int count)
{
    bench_outliers found = {0};
    double *sorted = sorted_copy(x, count);
    if (sorted == NULL)
        return found;
    const double lower = bench_sorted_quantile(sorted, count, 0.25), upper = bench_sorted_quantile(sorted, count, 0.75);
    const double mild = 1.5 * (upper - lower), severe = 3.0 * (upper - lower);
    for (int i = 0; i < count; i++) {
        found.low_severe += x[i] < lower - severe;
        found.low_mild += x[i] < lower - mild && x[i] >= lower - severe;
        found.high_mild += x[i] > upper + mild && x[i] <= upper + severe;
        found.high_severe += x[i] > upper + severe;
    }
    gg_free(sorted);
    return found;
}
