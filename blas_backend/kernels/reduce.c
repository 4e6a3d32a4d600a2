/* reduce.c - sums of whole arrays in double, and the search for NaN and infinity.
 *
 * A sum runs in STREAMS * LANES partial sums, added up pairwise at the end: the order depends on n alone. */
#include "kernel_set.h"
#include "vecmath.h"

/* Four vector sums at once hide the latency of the addition. */
enum { STREAMS = 4, WIDE = STREAMS * LANES };

typedef double term_of(double x);

GG_INLINE double plain(double x)
{
    return x;
}

GG_INLINE double squared(double x)
{
    return x * x;
}

GG_INLINE double sum_of(const float *x, int64_t n, term_of *term)
{
    double partial[WIDE];
    GG_FOR_LANES (lane, WIDE)
        partial[lane] = -0.0; /* adds nothing, and is not turned into a slow call of memset */
    int64_t i = 0;
    for (; i + WIDE <= n; i += WIDE)
        GG_FOR_LANES (lane, WIDE)
            partial[lane] += term((double)x[i + lane]);
    for (; i < n; i += LANES)
        GG_FOR_LANES (lane, LANES)
            if (lane < n - i)
                partial[lane] += term((double)x[i + lane]);
    GG_FOLD(partial, WIDE, GG_SUM_OF);
    return partial[0] + 0.0; /* 0 for no elements, not -0 */
}

double GG_KERNEL(sum)(const float *x, int64_t n)
{
    return sum_of(x, n, plain);
}

double GG_KERNEL(sum_squares)(const float *x, int64_t n)
{
    return sum_of(x, n, squared);
}

/* 1 for infinities and NaNs: their exponent bits are all ones. */
GG_INLINE uint32_t not_finite(float x)
{
    return (vm_bits(x) & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
}

/* The answer is looked at once in CHUNK elements: often enough to stop early, seldom enough to cost nothing. */
bool GG_KERNEL(all_finite)(const float *x, int64_t n)
{
    enum { CHUNK = 4096 };
    for (int64_t begin = 0; begin < n; begin += CHUNK) {
        const int64_t end = n - begin > CHUNK ? begin + CHUNK : n;
        uint32_t bad = 0;
#pragma omp simd reduction(| : bad)
        for (int64_t i = begin; i < end; i++)
            bad |= not_finite(x[i]);
        if (bad != 0)
            return false;
    }
    return true;
}
