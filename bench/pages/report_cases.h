/* report_cases.h - what a report shows: the cases of one or more files of results, in groups, each beside its rivals.
 */
#ifndef GEMMGRAD_BENCH_REPORT_CASES_H
#define GEMMGRAD_BENCH_REPORT_CASES_H

#include "results_file.h"

enum {
    REPORT_RAW = 0,  /* the raw calls of cblas_sgemm or LAPACKE, measured in the same turns */
    REPORT_BASE = 1, /* another file of ours */
    REPORT_PEER = 2, /* the first of the files of peers */
    REPORT_MOST_PEERS = 4,
    REPORT_COUNTER = REPORT_PEER + REPORT_MOST_PEERS, /* the first of the peers in our own files: "ratio_torch" */
    REPORT_MOST_COUNTERS = 4,
    REPORT_MOST_RIVALS = REPORT_COUNTER + REPORT_MOST_COUNTERS,
    REPORT_MOST_SUITES = 5
};

/* Quantities are NaN where a file does not hold them. */
typedef struct report_case {
    const bench_samples *samples;
    const char *label; /* the name without that of its group */
    int group, order;
    double median, low, high; /* seconds; low and high: the interval of the median */
    double spread;            /* upper minus lower quartile, as a share of the median */
    double gflops, gbps, intensity, peak_fraction, roofline_fraction, allocations;
    double ratios[REPORT_MOST_RIVALS]; /* their time / ours: above 1, we are faster */
} report_case;

/* Cases whose names begin alike ("kernels/gemm/nn"), one after the other. */
typedef struct report_group {
    const char *name; /* name_length bytes of a longer name */
    int name_length;
    int suite;
    int first, count;
} report_group;

typedef struct report_suite {
    const char *name;
    int name_length;
    int count; /* cases */
} report_suite;

typedef struct report_rival {
    char name[96];
    const char *about; /* version and settings, or NULL */
    int count;         /* cases that have a ratio */
    double mean;       /* geometric */
    const report_case *worst;
} report_rival;

typedef struct report {
    const bench_file *files, *base, *peers; /* belong to the caller; base may be NULL */
    int file_count, peer_count;
    const char *counters[REPORT_MOST_COUNTERS]; /* "ratio_torch", ... */
    int counter_count;
    report_case *cases;
    int count, failed;
    report_group *groups;
    int group_count;
    report_suite suites[REPORT_MOST_SUITES]; /* the last one holds all that found no place */
    int suite_count;
    report_rival rivals[REPORT_MOST_RIVALS];
    double peak_gflops, memory_gbps; /* the highest that a file of ours tells: what disturbs a ceiling lowers it */
} report;

/* files: at least one; of a case in several of them, the last counts. Raw calls beside a case are no cases. Free with
 * report_free. Errors: GG_ERR_MEMORY. */
gg_status report_build(report *out, const bench_file *files, int file_count, const bench_file *base,
                       const bench_file *peers, int peer_count);

void report_free(report *out);

/* Whether a name is that of the raw calls beside another case of the file. */
bool report_is_raw(const bench_file *file, const char *name);

/* A number of the context, or NaN. */
double report_context_number(const bench_file *file, const char *key);

/* A text of the context, or NULL. */
const char *report_context_text(const bench_file *file, const char *key);

#endif
