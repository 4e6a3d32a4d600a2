/* bench_random.h - the harness's own random numbers, for data and for the order of samples: SplitMix64 (Steele, Lea and
 * Flood, "Fast splittable pseudorandom number generators", 2014). */
#ifndef GEMMGRAD_BENCH_RANDOM_H
#define GEMMGRAD_BENCH_RANDOM_H

#include <stdint.h>

typedef struct bench_random {
    uint64_t state;
} bench_random;

static inline uint64_t bench_random_next(bench_random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* In [0, n); the bias is below n / 2^64. */
static inline int bench_random_below(bench_random *random, int n)
{
    return (int)(bench_random_next(random) % (uint64_t)n);
}

/* order = a permutation of 0 .. n-1. */
static inline void bench_random_order(bench_random *random, int *order, int n)
{
    for (int i = 0; i < n; i++) {
        const int j = bench_random_below(random, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

#endif
