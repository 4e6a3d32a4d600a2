/* bench_raw.h - the yardstick: cblas_sgemm called as anybody would call it, with the BLAS's own threads.
 *
 * Only blas_backend may include cblas.h, so the function is looked up in the running process. It is the same BLAS with
 * the same (repaired) kernel that the library uses; around the calls it gets its threads back. */
#ifndef GEMMGRAD_BENCH_RAW_H
#define GEMMGRAD_BENCH_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Row-major, dense: C (m x n) = op(A) op(B) in one call; or `count` such calls, the operands a fixed distance apart. */
typedef struct bench_sgemm {
    float *c;
    const float *a, *b;
    const float *bias; /* what the library's variant adds to each row of C: read by the check alone */
    int m, n, k;
    bool transpose_a, transpose_b;
    int count;
    int64_t stride_c, stride_a, stride_b;
} bench_sgemm;

/* Find cblas_sgemm and its threads. false: not to be found (a BLAS linked statically). */
bool bench_raw_start(int threads);
bool bench_raw_found(void);

/* The file that cblas_sgemm is in, links followed and without its folder, "libopenblasp-r0.3.21.so"; "" where the
 * system does not tell. Written to name[size]. */
const char *bench_raw_library(char *name, size_t size);

/* Whether the BLAS has threads of its own beside OpenMP's: idle ones of either kind spin for a while and would
 * disturb the other, so the harness lets them come to rest in between. */
bool bench_raw_own_threads(void);

/* Give the BLAS its threads; take them back, as the library wants it. */
void bench_raw_enter(void);
void bench_raw_leave(void);

/* Any other function of the process: *function is NULL when there is none of that name. */
void bench_raw_find(void *function, const char *name);

void bench_raw_run(const bench_sgemm *product);

#endif
