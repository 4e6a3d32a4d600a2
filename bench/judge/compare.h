/* compare.h - the judgement of two files of results: case by case, is the new run slower than the base?
 *
 * A case is
 *   slower    when the corrected p of the U test is below alpha, the 95 % interval of the ratio new / base excludes 1,
 *             and the ratio of medians is above 1 + threshold;
 *   faster    likewise, with the ratio below 1 / (1 + threshold);
 *   same      when the interval lies between 1 / (1 + threshold) and 1 + threshold: a change of that size is excluded;
 *   too noisy when it is none of these, or one side has fewer than five samples.
 *
 * Three conditions because each alone raises false alarms: of many small changes that are real but not worth a word
 * (p), of ratios that a few samples make by chance (the ratio), of hundreds of intervals looked at together. */
#ifndef GEMMGRAD_BENCH_COMPARE_H
#define GEMMGRAD_BENCH_COMPARE_H

#include <regex.h>

#include "bench_bootstrap.h"
#include "bench_stats.h"
#include "results_file.h"

/* In the order in which a reader wants to hear of them. */
typedef enum bench_verdict {
    BENCH_BROKEN, /* failed in the new run, not in the base: as bad as slower */
    BENCH_SLOWER,
    BENCH_FASTER,
    BENCH_NOISY,
    BENCH_SAME,
    BENCH_REPAIRED, /* failed in the base only */
    BENCH_FAILED,   /* failed in both */
    BENCH_ONLY_BASE,
    BENCH_ONLY_NEW,
    BENCH_VERDICTS
} bench_verdict;

typedef struct bench_compare_settings {
    double threshold; /* 0.03 for 3 % */
    double alpha;
    const regex_t *filter; /* NULL: all names */
} bench_compare_settings;

typedef struct bench_comparison {
    const char *name;
    bench_verdict verdict;
    const bench_samples *base, *fresh; /* NULL where the case is missing */
    double base_median, fresh_median;  /* seconds; these and all that follow only where the case was judged */
    double ratio;                      /* fresh / base */
    bench_interval interval;           /* 95 %, of the ratio */
    double p, corrected;
    bench_outliers base_outliers, fresh_outliers;
} bench_comparison;

typedef struct bench_comparisons {
    bench_comparison *rows; /* in the order of base, then what only the new run has */
    int count;
    int counts[BENCH_VERDICTS];
    int judged, few_samples; /* on both sides without failure; of them with fewer than five samples on one */
    int out_of_reach;        /* judged, but too few samples for so many cases: no p could be below alpha */
    double geometric_mean;   /* of the ratios; NaN without any */
} bench_comparisons;

/* Judge; both files have to outlive *out. Free with bench_comparisons_free. Error, *out untouched: GG_ERR_MEMORY. */
gg_status bench_compare(bench_comparisons *out, const bench_file *base, const bench_file *fresh,
                        const bench_compare_settings *settings);

void bench_comparisons_free(bench_comparisons *comparisons);

/* Whether p, interval and ratio were computed for this row. */
bool bench_judged(const bench_comparison *row);

/* "slower", "too noisy", "only in base". */
const char *bench_verdict_name(bench_verdict verdict);

/* The keys of the context that make figures incomparable when they differ. */
enum { BENCH_MACHINE_KEYS = 15 };
extern const char *const bench_machine_keys[BENCH_MACHINE_KEYS];

/* Those that a change may change: worth a note. */
enum { BENCH_BUILD_KEYS = 3 };
extern const char *const bench_build_keys[BENCH_BUILD_KEYS];

/* Whether both files say the same about that key; a key that neither has is the same. */
bool bench_same_context(const bench_file *base, const bench_file *fresh, const char *key);

#endif
