/* bench_ceilings.h - what this machine can do with so many threads, looked at before, between and after the cases. */
#ifndef GEMMGRAD_BENCH_CEILINGS_H
#define GEMMGRAD_BENCH_CEILINGS_H

#include <stdbool.h>

#include <jansson.h>

enum { BENCH_MOST_LOOKS = 8 };

typedef struct bench_ceilings {
    int threads, looks;
    double fma_gflops[BENCH_MOST_LOOKS], memory_gbps[BENCH_MOST_LOOKS];
} bench_ceilings;

/* Measure both with gg_threads() threads: about half a second. Nothing once BENCH_MOST_LOOKS are taken. */
void bench_ceilings_look(bench_ceilings *ceilings);

/* The same from figures that were measured already. */
void bench_ceilings_note(bench_ceilings *ceilings, double fma_gflops, double memory_gbps);

/* The best of all looks, for whatever disturbs a ceiling only lowers it; NaN when none could be measured. */
double bench_ceilings_peak(const bench_ceilings *ceilings);
double bench_ceilings_bandwidth(const bench_ceilings *ceilings);

/* Whether a rate of multiply-adds is more than 5 % above that peak: then the looks, or the rate, were disturbed. */
bool bench_ceilings_exceeded(const bench_ceilings *ceilings, double gflops);

/* The lowest FMA peak as a share of the highest: how far the machine drifted. */
double bench_ceilings_steadiness(const bench_ceilings *ceilings);

/* Seconds that so many operations and bytes take at least: the roofline of Williams, Waterman and Patterson (2009). NaN
 * for either means that it does not count. */
double bench_ceilings_least_seconds(const bench_ceilings *ceilings, double flops, double bytes);

/* {"threads": 2, "fma_peak_gflops": [...], "memory_gbps": [...]}; NULL when there is no memory. */
json_t *bench_ceilings_json(const bench_ceilings *ceilings);

#endif
