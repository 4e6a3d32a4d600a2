/* fma_loops.c - c_i = c_i * a + b over twelve independent vectors c_i.
 *
 * A core starts two fused multiply-adds a cycle and each takes four or five cycles, so ten chains keep it full;
 * twelve with a and b still fit the sixteen registers of AVX2. With a = 1/2 and b = 1 every c_i runs towards 2: no
 * overflow, no subnormal numbers. */
#include "fma_loops.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHAINS = 12, ROUNDS = 4096 };

/* Read and written through volatile, so that no compiler can work the loop out beforehand or leave it away. */
static volatile float factor = 0.5f, summand = 1.0f;
static volatile float sink;

#define GG_DEFINE_FMA_LOOP(name, target, vector, lanes, multiply_add)                                     \
    target static double name(void)                                                                       \
    {                                                                                                     \
        const vector zero = {0.0f};                                                                       \
        const vector a = zero + factor, b = zero + summand;                                               \
        vector c0 = zero + 0.1f, c1 = zero + 0.2f, c2 = zero + 0.3f, c3 = zero + 0.4f;                    \
        vector c4 = zero + 0.5f, c5 = zero + 0.6f, c6 = zero + 0.7f, c7 = zero + 0.8f;                    \
        vector c8 = zero + 0.9f, c9 = zero + 1.0f, c10 = zero + 1.1f, c11 = zero + 1.2f;                  \
        for (int i = 0; i < ROUNDS; i++) {                                                                \
            c0 = multiply_add(c0, a, b);                                                                  \
            c1 = multiply_add(c1, a, b);                                                                  \
            c2 = multiply_add(c2, a, b);                                                                  \
            c3 = multiply_add(c3, a, b);                                                                  \
            c4 = multiply_add(c4, a, b);                                                                  \
            c5 = multiply_add(c5, a, b);                                                                  \
            c6 = multiply_add(c6, a, b);                                                                  \
            c7 = multiply_add(c7, a, b);                                                                  \
            c8 = multiply_add(c8, a, b);                                                                  \
            c9 = multiply_add(c9, a, b);                                                                  \
            c10 = multiply_add(c10, a, b);                                                                \
            c11 = multiply_add(c11, a, b);                                                                \
        }                                                                                                 \
        const vector sum = ((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7)) + ((c8 + c9) + (c10 + c11)); \
        sink = sum[0];                                                                                    \
        return 2.0 * CHAINS * ROUNDS * (lanes);                                                           \
    }

/* The build contracts c * a + b to one instruction where the CPU it is built for has one (-ffp-contract=fast). */
#define GG_PLAIN_FMA(c, a, b) ((c) * (a) + (b))

#if defined(__aarch64__)
/* Four pipes of four cycles want sixteen chains: vectors of two registers make twenty-four. */
typedef float baseline_vector __attribute__((vector_size(32)));
GG_DEFINE_FMA_LOOP(run_baseline, , baseline_vector, 8, GG_PLAIN_FMA)
#else
typedef float baseline_vector __attribute__((vector_size(16)));
GG_DEFINE_FMA_LOOP(run_baseline, , baseline_vector, 4, GG_PLAIN_FMA)
#endif

#if defined(__x86_64__)
GG_DEFINE_FMA_LOOP(run_avx2, __attribute__((target("avx2,fma"))), __m256, 8, _mm256_fmadd_ps)
GG_DEFINE_FMA_LOOP(run_avx512, __attribute__((target("avx512f"))), __m512, 16, _mm512_fmadd_ps)

gg_fma_width gg_fma_widest(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return GG_FMA_AVX512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? GG_FMA_AVX2 : GG_FMA_BASELINE;
}

double gg_fma_loop(gg_fma_width width)
{
    switch (width) {
    case GG_FMA_AVX512: return run_avx512();
    case GG_FMA_AVX2: return run_avx2();
    case GG_FMA_BASELINE: break;
    }
    return run_baseline();
}
#else
gg_fma_width gg_fma_widest(void)
{
    return GG_FMA_BASELINE;
}

double gg_fma_loop(gg_fma_width width)
{
    (void)width;
    return run_baseline();
}
#endif
