/* environment.h - what this machine is and how fast it was found to be, as text and as JSON. */
#ifndef GEMMGRAD_BENCH_ENVIRONMENT_H
#define GEMMGRAD_BENCH_ENVIRONMENT_H

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include <gemmgrad/blas_backend.h>

typedef struct gg_environment {
    gg_backend_info backend;
    double fma_peak_gflops, sgemm_gflops, memory_gbps; /* machine.h; NaN: not measured */
} gg_environment;

/* Describe the backend and measure the three ceilings: about 0.7 s. */
gg_status gg_environment_measure(gg_environment *out);

/* A new JSON object with the keys of `gemmgrad info --json`; NULL when there is no memory. */
json_t *gg_environment_json(const gg_environment *environment);

/* A JSON number; null for NaN and infinity, which JSON does not have. */
json_t *gg_json_number(double x);

/* Two lines: CPU, BLAS and kernel, threads; the ceilings. */
void gg_environment_print(FILE *out, const gg_environment *environment);

/* Where OPENBLAS_CORETYPE holds the BLAS below what the CPU can run: what to do about it. false: nothing to say. */
bool gg_environment_advice(char *text, size_t size, const gg_backend_info *backend);

/* Prints that advice to stderr when there is one. */
void gg_environment_warn(void);

#endif
