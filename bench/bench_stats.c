/* bench_stats.c - medians, quartiles, paired ratios. */
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

double bench_quantile(const double *x, int count, double q)
{
    void *memory;
    if (gg_alloc(&memory, (size_t)count * sizeof *x) != GG_OK)
        return NAN;
    double *sorted = memory;
    memcpy(sorted, x, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_doubles);
    const double place = q * (count - 1);
    const int below = (int)place, above = below + 1 < count ? below + 1 : below;
    const double value = sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    gg_free(memory);
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
