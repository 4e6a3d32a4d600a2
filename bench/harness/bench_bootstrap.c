/* bench_bootstrap.c - the median of a resample is found by counting how often each of the sorted numbers was drawn:
 * linear in their number, where a sort of every resample would be most of the time of a comparison. */
#include "bench_bootstrap.h"

#include <math.h>
#include <string.h>

#include "bench_random.h"
#include "bench_stats.h"

/* The ends of a 95 % interval are then the 50th values from either end: they wander by some 3 % of its width from seed
 * to seed. */
enum { RESAMPLES = 2000 };

typedef struct resampler {
    double *sorted;
    int *drawn; /* how often each of them is in the resample */
    int count;
} resampler;

static gg_status resampler_new(resampler *out, const double *x, int count)
{
    void *memory;
    const gg_status status = gg_alloc(&memory, (size_t)count * (sizeof *out->sorted + sizeof *out->drawn));
    if (status != GG_OK)
        return status;
    *out = (resampler){.sorted = memory, .count = count};
    out->drawn = (int *)(void *)(out->sorted + count);
    memcpy(out->sorted, x, (size_t)count * sizeof *x);
    bench_sort(out->sorted, count);
    return GG_OK;
}

static void resampler_free(resampler *r)
{
    gg_free(r->sorted);
}

/* In [0, n) from 32 random bits; the bias is below n / 2^32. */
static int below(uint64_t bits, int n)
{
    return (int)((bits & UINT32_MAX) * (uint64_t)n >> 32);
}

static void draw(const resampler *r, bench_random *random)
{
    memset(r->drawn, 0, (size_t)r->count * sizeof *r->drawn);
    for (int i = 0; i + 1 < r->count; i += 2) {
        const uint64_t bits = bench_random_next(random);
        r->drawn[below(bits, r->count)]++;
        r->drawn[below(bits >> 32, r->count)]++;
    }
    if (r->count % 2 != 0)
        r->drawn[below(bench_random_next(random), r->count)]++;
}

static double resampled_median(const resampler *r, bench_random *random)
{
    const int lower = (r->count - 1) / 2, upper = r->count / 2; /* ranks of the middle, the same when count is odd */
    int i = 0, seen;
    draw(r, random);
    for (seen = r->drawn[0]; seen <= lower; seen += r->drawn[i])
        i++;
    const double low = r->sorted[i];
    for (; seen <= upper; seen += r->drawn[i])
        i++;
    return 0.5 * (low + r->sorted[i]);
}

static bench_interval interval_of(double *values, double confidence)
{
    const double tail = 0.5 * (1.0 - confidence);
    bench_sort(values, RESAMPLES);
    return (bench_interval){bench_sorted_quantile(values, RESAMPLES, tail),
                            bench_sorted_quantile(values, RESAMPLES, 1.0 - tail)};
}

gg_status bench_bootstrap_median(bench_interval *out, const double *x, int count, double confidence, uint64_t seed)
{
    bench_random random = {.state = seed};
    double values[RESAMPLES];
    resampler r;
    const gg_status status = resampler_new(&r, x, count);
    if (status != GG_OK)
        return status;
    for (int i = 0; i < RESAMPLES; i++)
        values[i] = resampled_median(&r, &random);
    resampler_free(&r);
    *out = interval_of(values, confidence);
    return GG_OK;
}

gg_status bench_bootstrap_log_ratio(bench_interval *out, const double *fresh, int fresh_count, const double *base,
                                    int base_count, double confidence, uint64_t seed)
{
    bench_random random = {.state = seed};
    double values[RESAMPLES];
    resampler above, beneath;
    gg_status status = resampler_new(&above, fresh, fresh_count);
    if (status != GG_OK)
        return status;
    status = resampler_new(&beneath, base, base_count);
    for (int i = 0; i < RESAMPLES && status == GG_OK; i++) {
        const double numerator = resampled_median(&above, &random);
        values[i] = log(numerator / resampled_median(&beneath, &random));
    }
    resampler_free(&above);
    if (status != GG_OK)
        return status;
    resampler_free(&beneath);
    *out = interval_of(values, confidence);
    return GG_OK;
}
