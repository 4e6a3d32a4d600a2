/* random_kernels.h - the bulk loops of random.c, one instance for each instruction set.
 *
 * random_kernels.c is compiled once for each set with -DGG_KERNEL_SET=its name; random.c picks an instance. All
 * give the same bits. */
#ifndef GG_RANDOM_KERNELS_H
#define GG_RANDOM_KERNELS_H

#include <stdint.h>

#include <gemmgrad/backend.h>

typedef struct gg_random_kernels {
    /* words[4 i + j] = word j of Philox block first + i, for i < blocks. */
    void (*words)(uint32_t *words, int64_t blocks, uint64_t first, uint64_t seed, uint64_t stream);

    /* x[i] = least(lo + width * (words[i] >> 8) / 2^24, greatest). */
    void (*uniform)(float *x, const uint32_t *words, int64_t n, float lo, float width, float greatest);

    /* x[2 i], x[2 i + 1] = mean + std * the normal pair of words[2 i], words[2 i + 1], for i < pairs. */
    void (*normal)(float *x, const uint32_t *words, int64_t pairs, float mean, float std);
} gg_random_kernels;

/* The instance for an instruction set; NULL where this build has none. */
const gg_random_kernels *gg_random_kernels_for(gg_isa isa);

extern const gg_random_kernels gg_random_kernels_baseline;
#ifdef __x86_64__
extern const gg_random_kernels gg_random_kernels_avx2;
extern const gg_random_kernels gg_random_kernels_avx512;
#endif

#endif
