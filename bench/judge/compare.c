/* compare.c - pairs the cases of two runs, computes, corrects for the number of cases, and only then judges. */
#include "compare.h"

#include <math.h>
#include <string.h>

#include "bench_tests.h"

static const double CONFIDENCE = 0.95;

/* Every case is resampled with the same seed, so that what is said of it depends neither on its neighbours nor on the
 * filter. */
static const uint64_t SEED = 20261125;

/* Of four and four samples no outcome has a p below 0.028, and a bootstrap of four numbers is a caricature. */
enum { LEAST_SAMPLES = 5 };

/* ---- the machine ---- */

const char *const bench_machine_keys[BENCH_MACHINE_KEYS] = {
    "cpu",        "features",   "num_cpus",           "blas",         "blas_version", "kernel_used",
    "threads",    "vector_isa", "library_build_type", "blas_library", "governor",     "smt",
    "huge_pages", "affinity",   "environment",
};

const char *const bench_build_keys[BENCH_BUILD_KEYS] = {"compiler", "flags", "commit"};

bool bench_same_context(const bench_file *base, const bench_file *fresh, const char *key)
{
    const json_t *a = json_object_get(base->context, key), *b = json_object_get(fresh->context, key);
    return (a == NULL && b == NULL) || json_equal(a, b);
}

/* ---- the rows ---- */

const char *bench_verdict_name(bench_verdict verdict)
{
    static const char *const names[BENCH_VERDICTS] = {
        "newly failed", "slower",       "faster",       "too noisy",   "same",
        "repaired",     "still failed", "only in base", "only in new",
    };
    return names[verdict];
}

static bool failed(const bench_samples *samples)
{
    return samples->error != NULL;
}

bool bench_judged(const bench_comparison *row)
{
    return row->base != NULL && row->fresh != NULL && !failed(row->base) && !failed(row->fresh);
}

static bool wanted(const bench_compare_settings *settings, const char *name)
{
    return settings->filter == NULL || regexec(settings->filter, name, 0, NULL, 0) == 0;
}

static void add_row(bench_comparisons *all, const bench_samples *base, const bench_samples *fresh)
{
    bench_comparison *row = &all->rows[all->count++];
    *row = (bench_comparison){.name = base != NULL ? base->name : fresh->name, .base = base, .fresh = fresh};
    all->judged += bench_judged(row);
}

static void pair_cases(bench_comparisons *all, const bench_file *base, const bench_file *fresh,
                       const bench_compare_settings *settings)
{
    for (int i = 0; i < base->count; i++)
        if (wanted(settings, base->cases[i].name))
            add_row(all, &base->cases[i], bench_file_find(fresh, base->cases[i].name));
    for (int i = 0; i < fresh->count; i++)
        if (wanted(settings, fresh->cases[i].name) && bench_file_find(base, fresh->cases[i].name) == NULL)
            add_row(all, NULL, &fresh->cases[i]);
}

/* ---- the figures ---- */

static gg_status measure_row(bench_comparison *row)
{
    const bench_samples *base = row->base, *fresh = row->fresh;
    bench_interval logs;
    bench_u test;
    gg_status status =
        bench_bootstrap_log_ratio(&logs, fresh->real, fresh->count, base->real, base->count, CONFIDENCE, SEED);
    if (status == GG_OK)
        status = bench_u_test(&test, fresh->real, fresh->count, base->real, base->count);
    if (status != GG_OK)
        return status;
    row->base_median = bench_median(base->real, base->count);
    row->fresh_median = bench_median(fresh->real, fresh->count);
    row->ratio = row->fresh_median / row->base_median;
    row->interval = (bench_interval){exp(logs.low), exp(logs.high)};
    row->p = test.p;
    row->base_outliers = bench_count_outliers(base->real, base->count);
    row->fresh_outliers = bench_count_outliers(fresh->real, fresh->count);
    return isnan(row->ratio) ? gg_fail(GG_ERR_MEMORY, "no memory for the medians of '%.200s'", row->name) : GG_OK;
}

static gg_status correct(bench_comparisons *all)
{
    void *memory;
    gg_status status = gg_alloc(&memory, (size_t)all->judged * sizeof(double));
    if (status != GG_OK || all->judged == 0)
        return status;
    double *p = memory;
    int next = 0;
    for (int i = 0; i < all->count; i++)
        if (bench_judged(&all->rows[i]))
            p[next++] = all->rows[i].p;
    status = bench_holm(p, p, all->judged);
    next = 0;
    for (int i = 0; i < all->count && status == GG_OK; i++)
        if (bench_judged(&all->rows[i]))
            all->rows[i].corrected = p[next++];
    gg_free(memory);
    return status;
}

static gg_status measure(bench_comparisons *all)
{
    double logs = 0.0;
    for (int i = 0; i < all->count; i++)
        if (bench_judged(&all->rows[i])) {
            const gg_status status = measure_row(&all->rows[i]);
            if (status != GG_OK)
                return status;
            logs += log(all->rows[i].ratio);
        }
    all->geometric_mean = all->judged > 0 ? exp(logs / all->judged) : (double)NAN;
    return correct(all);
}

/* ---- the verdicts ---- */

static bool has_few_samples(const bench_comparison *row)
{
    return row->base->count < LEAST_SAMPLES || row->fresh->count < LEAST_SAMPLES;
}

static bench_verdict judge_figures(const bench_comparison *row, const bench_compare_settings *settings)
{
    const double most = 1.0 + settings->threshold, least = 1.0 / most;
    const bool sure = row->corrected < settings->alpha;
    if (has_few_samples(row))
        return BENCH_NOISY;
    if (sure && row->interval.low > 1.0 && row->ratio > most)
        return BENCH_SLOWER;
    if (sure && row->interval.high < 1.0 && row->ratio < least)
        return BENCH_FASTER;
    return row->interval.low > least && row->interval.high < most ? BENCH_SAME : BENCH_NOISY;
}

static bench_verdict judge(const bench_comparison *row, const bench_compare_settings *settings)
{
    if (row->fresh == NULL)
        return BENCH_ONLY_BASE;
    if (row->base == NULL)
        return BENCH_ONLY_NEW;
    if (failed(row->fresh))
        return failed(row->base) ? BENCH_FAILED : BENCH_BROKEN;
    return failed(row->base) ? BENCH_REPAIRED : judge_figures(row, settings);
}

/* Holm's first step multiplies the least p by the number of cases: where even that of two sets wholly apart fails, no
 * case of this size can be called slower. */
static bool is_out_of_reach(const bench_comparisons *all, const bench_comparison *row,
                            const bench_compare_settings *settings)
{
    return all->judged * bench_u_least(row->base->count, row->fresh->count) >= settings->alpha;
}

static void judge_all(bench_comparisons *all, const bench_compare_settings *settings)
{
    for (int i = 0; i < all->count; i++) {
        bench_comparison *row = &all->rows[i];
        row->verdict = judge(row, settings);
        all->counts[row->verdict]++;
        if (!bench_judged(row))
            continue;
        all->few_samples += has_few_samples(row);
        all->out_of_reach += !has_few_samples(row) && is_out_of_reach(all, row, settings);
    }
}

gg_status bench_compare(bench_comparisons *out, const bench_file *base, const bench_file *fresh,
                        const bench_compare_settings *settings)
{
    bench_comparisons all = {0};
    void *memory;
    const size_t most = (size_t)base->count + (size_t)fresh->count;
    gg_status status = gg_alloc(&memory, most * sizeof *all.rows);
    if (status != GG_OK)
        return status;
    all.rows = memory;
    pair_cases(&all, base, fresh, settings);
    status = measure(&all);
    if (status != GG_OK) {
        gg_free(memory);
        return status;
    }
    judge_all(&all, settings);
    *out = all;
    return GG_OK;
}

void bench_comparisons_free(bench_comparisons *comparisons)
{
    gg_free(comparisons->rows);
    *comparisons = (bench_comparisons){0};
}
