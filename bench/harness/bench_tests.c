/* bench_tests.c - Mann and Whitney (Annals of Mathematical Statistics 18, 1947) and Holm. */
#include "bench_tests.h"

#include <math.h>
#include <stdlib.h>

/* ---- the exact distribution of U ---- */

/* C(56, 28) = 7.6e15 is the last central binomial coefficient below 2^53: up to there all counts are exact in double.
 */
enum { MOST_EXACT = 56 };

/* ways[u] = orders of nx and ny numbers whose U is u, for u = 0 .. most: the coefficients of the Gaussian binomial
 * product over i = 1 .. nx of (1 - q^(ny + i)) / (1 - q^i). After each i they are counts again, never negative. */
static void count_ways(double *ways, int most, int nx, int ny)
{
    ways[0] = 1.0;
    for (int u = 1; u <= most; u++)
        ways[u] = 0.0;
    for (int i = 1; i <= nx; i++) {
        for (int u = most; u >= ny + i; u--)
            ways[u] -= ways[u - ny - i];
        for (int u = i; u <= most; u++)
            ways[u] += ways[u - i];
    }
}

/* Twice the share of orders with U <= u, for u in the lower half. */
static gg_status exact_p(double *out, int u, int nx, int ny)
{
    void *memory;
    const int all = nx * ny;
    const gg_status status = gg_alloc(&memory, ((size_t)all + 1) * sizeof(double));
    if (status != GG_OK)
        return status;
    double *ways = memory, low = 0.0, total = 0.0;
    count_ways(ways, all, nx, ny);
    for (int i = 0; i <= all; i++) {
        low += i <= u ? ways[i] : 0.0;
        total += ways[i];
    }
    gg_free(memory);
    *out = fmin(1.0, 2.0 * low / total);
    return GG_OK;
}

double bench_u_least(int nx, int ny)
{
    double p = 2.0;
    for (int i = 1; i <= nx; i++)
        p *= i / ((double)ny + i);
    return fmin(1.0, p);
}

/* ---- ranks ---- */

typedef struct ranked {
    double value;
    int from_x;
} ranked;

typedef struct rank_sums {
    double x;    /* ranks of the numbers of x, from 1, equal numbers sharing their mean */
    double ties; /* sum of t^3 - t over groups of t equal numbers */
} rank_sums;

static int compare_ranked(const void *a, const void *b)
{
    const double x = ((const ranked *)a)->value, y = ((const ranked *)b)->value;
    return (x > y) - (x < y);
}

static rank_sums sum_ranks(const ranked *sorted, int count)
{
    rank_sums sums = {0.0, 0.0};
    for (int first = 0, after; first < count; first = after) {
        int from_x = 0;
        for (after = first; after < count && sorted[after].value == sorted[first].value; after++)
            from_x += sorted[after].from_x;
        const double t = after - first;
        sums.x += from_x * 0.5 * (first + 1.0 + after);
        sums.ties += t * t * t - t;
    }
    return sums;
}

static gg_status rank_both(rank_sums *out, const double *x, int nx, const double *y, int ny)
{
    void *memory;
    const gg_status status = gg_alloc(&memory, ((size_t)nx + (size_t)ny) * sizeof(ranked));
    if (status != GG_OK)
        return status;
    ranked *all = memory;
    for (int i = 0; i < nx; i++)
        all[i] = (ranked){x[i], 1};
    for (int i = 0; i < ny; i++)
        all[nx + i] = (ranked){y[i], 0};
    qsort(all, (size_t)nx + (size_t)ny, sizeof *all, compare_ranked);
    *out = sum_ranks(all, nx + ny);
    gg_free(memory);
    return GG_OK;
}

/* ---- the tests ---- */

/* lower: U or its mirror image, whichever is below the mean. */
static double normal_p(double lower, double ties, double nx, double ny)
{
    const double n = nx + ny;
    const double variance = nx * ny / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
    const double distance = 0.5 * nx * ny - lower - 0.5;
    return variance > 0.0 ? fmin(1.0, erfc(distance / sqrt(2.0 * variance))) : 1.0;
}

gg_status bench_u_test(bench_u *out, const double *x, int nx, const double *y, int ny)
{
    rank_sums sums = {0.0, 0.0};
    gg_status status = rank_both(&sums, x, nx, y, ny);
    if (status != GG_OK)
        return status;
    const double u = sums.x - 0.5 * nx * (nx + 1.0), lower = fmin(u, (double)nx * ny - u);
    double p = 1.0;
    if (sums.ties == 0.0 && nx <= MOST_EXACT - ny)
        status = exact_p(&p, (int)lower, nx, ny);
    else
        p = normal_p(lower, sums.ties, nx, ny);
    if (status == GG_OK)
        *out = (bench_u){u, p};
    return status;
}

typedef struct indexed {
    double p;
    int index;
} indexed;

static int compare_indexed(const void *a, const void *b)
{
    const double x = ((const indexed *)a)->p, y = ((const indexed *)b)->p;
    return (x > y) - (x < y);
}

gg_status bench_holm(double *corrected, const double *p, int count)
{
    void *memory;
    const gg_status status = gg_alloc(&memory, (size_t)count * sizeof(indexed));
    if (status != GG_OK)
        return status;
    indexed *order = memory;
    for (int i = 0; i < count; i++)
        order[i] = (indexed){p[i], i};
    qsort(order, (size_t)count, sizeof *order, compare_indexed);
    double highest = 0.0;
    for (int i = 0; i < count; i++) {
        highest = fmax(highest, fmin(1.0, (count - i) * order[i].p));
        corrected[order[i].index] = highest;
    }
    gg_free(memory);
    return GG_OK;
}
