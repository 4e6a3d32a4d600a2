/* backend.h - what the other rooms of blas_backend ask the backend for. */
#ifndef GG_BACKEND_INTERNAL_H
#define GG_BACKEND_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <stdatomic.h>

#include <gemmgrad/backend.h>

#include "cpu.h"

extern atomic_bool gg_backend_started;

/* Whether start-up is done: a load, for the shortest ways. */
static inline bool gg_backend_runs(void)
{
    return atomic_load_explicit(&gg_backend_started, memory_order_acquire);
}

/* Threads in the policy; starts the backend when nobody has. */
int gg_policy_threads(void);

/* The instruction set that the elementwise kernels use; starts the backend when nobody has. */
gg_isa gg_policy_isa(void);

/* Whether the BLAS in use runs products of up to a million multiply-adds without packing them (OpenBLAS's small-matrix
 * kernels). */
bool gg_policy_small_products(void);

/* Whether the BLAS in use takes its threads from OpenMP, so that the calling thread decides how many it gets. */
bool gg_policy_blas_heeds_openmp(void);

/* Whether a call should write `result` past the caches (GG_STREAM): it begins at a line, has rows of `cols` floats in
 * whole lines, and the arrays that the call touches, `arrays` of as many floats, are more than the caches keep. In what
 * is smaller, the next layer finds the result. */
bool gg_policy_streams(const float *result, int64_t rows, int64_t cols, int arrays);

/* Whose CPU this is. */
gg_cpu_family gg_policy_cpu_family(void);

#endif
