/* bench_report.h - results for people (bench_report.c) and for programs (bench_json.c). */
#ifndef GEMMGRAD_BENCH_REPORT_H
#define GEMMGRAD_BENCH_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "bench_measure.h"
#include "environment.h"

typedef struct bench_run {
    bench_settings settings;
    gg_environment machine;
    bench_ceilings ceilings[BENCH_MOST_THREAD_COUNTS]; /* one for each number of threads */
    bench_result *results;                             /* in the order of the table, for each number of threads */
    int count;
    double foreign_cpus; /* bench_load.h, over all samples */
} bench_run;

/* Rates at the median time; NaN where they mean nothing. */
double bench_gflops(const bench_result *result, const bench_series *series);
double bench_gigabytes(const bench_result *result, const bench_series *series);

/* Whether the rate is beyond what the FMA peak allows, for work that takes as many operations as it counts. */
bool bench_disturbed(const bench_result *result, const bench_series *series);

/* The least time that the ceilings allow, as a share of the median: the roofline. Above 1 where operands come from
 * caches that are faster than memory; NaN for what has neither operations nor bytes. */
double bench_roofline(const bench_result *result, const bench_series *series);

/* Allocations of one repetition. */
double bench_allocations(const bench_result *result, const bench_series *series);

/* A table for each group and variant, with geometric means and the worst row. */
void bench_report_print(FILE *out, const bench_run *run);

/* The same in google-benchmark's schema, with every sample. NULL when there is no memory. */
json_t *bench_report_json(const bench_run *run, const char *program);

/* The "context" of that schema: machine, build, settings (bench_context.c). NULL when there is no memory. */
json_t *bench_context_json(const bench_run *run, const char *program);

#endif
