/* meter.h - a stop-watch over training steps: time, samples, and what went through cblas_sgemm meanwhile. */
#ifndef GEMMGRAD_BENCH_METER_H
#define GEMMGRAD_BENCH_METER_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/blas_backend.h>

/* Sums over all intervals between start and stop. */
typedef struct gg_meter {
    double seconds;
    double gemm_seconds;    /* inside products */
    uint64_t multiply_adds; /* counted at the door to cblas_sgemm */
    uint64_t allocations;
    int64_t samples, steps;

    bool running; /* the rest: as it was at the last start */
    double start_seconds;
    gg_gemm_counters start_counters;
    uint64_t start_allocations;
} gg_meter;

void gg_meter_start(gg_meter *meter);
void gg_meter_stop(gg_meter *meter);

/* A step of so many samples is over; counts only while the meter runs. */
void gg_meter_step(gg_meter *meter, int64_t samples);

#endif
