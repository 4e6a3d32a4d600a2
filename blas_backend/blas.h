/* blas.h - the library below: what it is, and the one door to cblas_sgemm. */
#ifndef GG_BLAS_H
#define GG_BLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

/* What start-up found and did; strings are constant or owned by the BLAS. */
typedef struct gg_blas {
    const char *name;
    char version[32];
    const char *threading;
    char kernel_found[32];
    char kernel_used[32];
    char kernel_note[256];
    bool small_products; /* up to GG_SMALL_PRODUCT multiply-adds run unpacked, at full speed */
} gg_blas;

/* OpenBLAS's AVX-512 small-matrix kernels take row-major NN and TN products up to m*n*k = 100^3
 * (sgemm_small_kernel_permit); above, it packs both operands. */
enum { GG_SMALL_PRODUCT = 1000000 };

/* Look at the BLAS, repair its kernel unless `keep_kernel`, and hold it at one thread. Called once, before any product.
 */
void gg_blas_start(gg_blas *blas, const gg_cpu *cpu, bool keep_kernel);

/* C = alpha op(A) op(B) + beta C on the calling thread: the only call of cblas_sgemm. Row-major; sizes fit an int and
 * leading dimensions are right, which the caller has checked. Counted. */
void gg_blas_sgemm(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb, int64_t m,
                   int64_t n, int64_t k, bool transpose_a, bool transpose_b, float alpha, float beta);

/* Its address, for whoever asks where it leads. */
const void *gg_blas_door(void);

/* The library that cblas_sgemm was found in, "libblas.so.3"; "" where the system does not tell. */
const char *gg_blas_file(void);

/* Whether the function `name`, which the program found at `address`, is of that library or of one it depends on. */
bool gg_blas_file_has(const char *name, const void *address);

/* What went through since the last reset, over all threads; exact while no product runs. */
void gg_blas_counters(uint64_t *calls, uint64_t *multiply_adds);
void gg_blas_counters_reset(void);

#endif
