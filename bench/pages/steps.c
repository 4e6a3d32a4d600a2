/* steps.c - levels and steps of a series of times.
 *
 * The logarithms y of the times are cut into stretches so that
 *
 *     sum over stretches of  sum over its points of |y - median of the stretch|  +  penalty * number of stretches
 *
 * is least. The absolute distance, and not its square, keeps one bad run from pulling a level; logarithms make 1.0 to
 * 1.1 s as large a step as 1.0 to 1.1 ms. The least sum is found exactly, by dynamic programming over the place of the
 * last cut (the "L1 Potts" problem; A. Weinmann, M. Storath, L. Demaret, "The L1-Potts functional for robust
 * jump-sparse reconstruction", SIAM J. Numer. Anal. 53 (2015)), which recursive halving does not promise.
 *
 * The penalty is what noise alone could win by a cut: a level moved by z standard errors wins about 0.4 sigma z^2, and
 * the best of n places reaches z^2 of 2 log n and more. FACTOR sigma (1 + log n) stands well above that: noise of a
 * normal distribution shows a step in less than 1% of series of 10 to 200 points (tests/unit/test_steps.c), in up to 2%
 * of shorter ones. sigma comes from the median distance of neighbours, which steps, being few, hardly move. */
#include "steps.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench_stats.h"

enum { SHORTEST = 2 };

static const double FACTOR = 3.0;

/* The median of |a - b| for two numbers of a normal distribution, in standard deviations: sqrt(2) * 0.6745. */
static const double NEIGHBOUR_MEDIAN = 0.9539;

typedef struct search {
    const double *y;
    int count;
    double penalty;
    double *best; /* best[i]: least cost of y[0 .. i-1] */
    int *cut;     /* where the last stretch of that begins */
    double *sorted;
} search;

/* Put v in its place among the `count` numbers of `sorted`; returns its distance to their median (to the nearer of two
 * middle numbers, 0 between them). That is also what the sum of distances to the median grows by: moving the median
 * towards v gains less than the others lose. */
static double insert(double *sorted, int count, double v)
{
    const double low = count > 0 ? sorted[(count - 1) / 2] : v, high = count > 0 ? sorted[count / 2] : v;
    int low_place = 0, high_place = count;
    while (low_place < high_place) {
        const int middle = (low_place + high_place) / 2;
        if (sorted[middle] <= v)
            low_place = middle + 1;
        else
            high_place = middle;
    }
    memmove(sorted + low_place + 1, sorted + low_place, (size_t)(count - low_place) * sizeof *sorted);
    sorted[low_place] = v;
    return fmax(0.0, fmax(low - v, v - high));
}

static void cut(search *s)
{
    s->best[0] = 0.0;
    for (int end = 1; end <= s->count; end++) {
        double distances = 0.0;
        s->best[end] = INFINITY;
        s->cut[end] = 0;
        for (int first = end - 1; first >= 0; first--) {
            distances += insert(s->sorted, end - 1 - first, s->y[first]);
            const bool long_enough = end - first >= SHORTEST || s->count < SHORTEST;
            const double cost = s->best[first] + distances + s->penalty;
            if (long_enough && cost < s->best[end]) {
                s->best[end] = cost;
                s->cut[end] = first;
            }
        }
    }
}

static double penalty_for(const double *y, int count, double least, double *scratch)
{
    for (int i = 0; i + 1 < count; i++)
        scratch[i] = fabs(y[i + 1] - y[i]);
    const double sigma = count > 1 ? bench_median(scratch, count - 1) / NEIGHBOUR_MEDIAN : 0.0;
    /* Runs that repeat to the last digit must not make every flicker a step. */
    const double floor = 0.1 * log1p(least);
    return FACTOR * fmax(sigma, floor) * (1.0 + log(count > 1 ? count : 1));
}

/* ---- levels ---- */

static int write_levels(bench_level *out, const search *s)
{
    int levels = 0;
    for (int end = s->count; end > 0; end = s->cut[end])
        out[levels++] = (bench_level){.first = s->cut[end], .count = end - s->cut[end]};
    for (int i = 0; i < levels / 2; i++) {
        const bench_level other = out[levels - 1 - i];
        out[levels - 1 - i] = out[i];
        out[i] = other;
    }
    return levels;
}

static double change(const bench_level *a)
{
    return fabs(log(a[1].level / a[0].level));
}

/* Join the neighbours that differ least until all differ enough. */
static int join_small(bench_level *out, int levels, const double *x, double least)
{
    while (levels > 1) {
        int smallest = 0;
        for (int i = 1; i + 1 < levels; i++)
            if (change(&out[i]) < change(&out[smallest]))
                smallest = i;
        if (change(&out[smallest]) >= log1p(least))
            break;
        out[smallest].count += out[smallest + 1].count;
        out[smallest].level = bench_median(x + out[smallest].first, out[smallest].count);
        memmove(&out[smallest + 1], &out[smallest + 2], (size_t)(levels - smallest - 2) * sizeof *out);
        levels--;
    }
    return levels;
}

static bool all_positive(const double *x, int count)
{
    for (int i = 0; i < count; i++)
        if (!(isfinite(x[i]) && x[i] > 0.0))
            return false;
    return true;
}

gg_status bench_steps_find(bench_level *out, int *levels, const double *x, int count, double least)
{
    if (count < 1 || !(least > 0.0) || !all_positive(x, count))
        return gg_fail(GG_ERR_ARGUMENT, "bench_steps_find: needs times above 0 and a least step above 0");
    const size_t room = (size_t)count + 1;
    void *memory;
    if (gg_alloc(&memory, room * (3 * sizeof(double) + sizeof(int))) != GG_OK)
        return GG_ERR_MEMORY;
    double *y = memory;
    search s = {.y = y, .count = count, .best = y + room, .sorted = y + 2 * room, .cut = (int *)(void *)(y + 3 * room)};
    for (int i = 0; i < count; i++)
        y[i] = log(x[i]);
    s.penalty = penalty_for(y, count, least, s.sorted);
    cut(&s);
    int found = write_levels(out, &s);
    for (int i = 0; i < found; i++)
        out[i].level = bench_median(x + out[i].first, out[i].count);
    *levels = join_small(out, found, x, least);
    gg_free(memory);
    return GG_OK;
}
