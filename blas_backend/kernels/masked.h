/* kernels/masked.h - a register of floats of which some lanes may be left out: what compilers do not find in loops of
 * their own accord, masked loads and stores among other work and lanes that change places. Only where registers have
 * masks is this fast (GG_HAS_MASKS). */
#ifndef GG_MASKED_H
#define GG_MASKED_H

#include "kernel_set.h"

#include <string.h>

/* n, or the nearest number of lanes that there are. */
GG_INLINE int clamp_lane(int64_t n)
{
    const int64_t above = n < 0 ? 0 : n;
    return above > LANES ? LANES : (int)above;
}

/* vector: LANES floats, with the compilers' operators on vector types. lanes: some of them.
 *   some_lanes    lanes [first, end), of which either may lie outside the register
 *   load, store   the lanes of the mask; the others are 0, and memory there is not touched
 *   every_lane    one number in all lanes
 *   take          lane places[i] of the register to lane i of the mask; some_places: first, first + step, ...
 *   split, join   lanes 2 i of the two registers a, b and lanes 2 i + 1, and back */
#if defined(__AVX512F__)
#include <immintrin.h>
#define GG_HAS_MASKS 1
typedef __m512 vector;
typedef __mmask16 lanes;
typedef __m512i places;

GG_INLINE uint32_t below(int64_t n)
{
    return (1u << clamp_lane(n)) - 1u;
}

GG_INLINE lanes some_lanes(int64_t first, int64_t end)
{
    return (lanes)(below(end) & ~below(first));
}

GG_INLINE vector load(const float *p, lanes mask)
{
    return _mm512_maskz_loadu_ps(mask, p);
}

GG_INLINE void store(float *p, vector v, lanes mask)
{
    _mm512_mask_storeu_ps(p, mask, v);
}

GG_INLINE vector every_lane(float x)
{
    return _mm512_set1_ps(x);
}

GG_INLINE places some_places(int64_t first, int step)
{
    const __m512i numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_add_epi32(_mm512_mullo_epi32(numbers, _mm512_set1_epi32(step)), _mm512_set1_epi32((int)first));
}

GG_INLINE vector take(vector v, places from, lanes mask)
{
    return _mm512_maskz_permutexvar_ps(mask, from, v);
}

GG_INLINE void split(vector *even, vector *odd, vector a, vector b)
{
    const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *even = _mm512_permutex2var_ps(a, evens, b);
    *odd = _mm512_permutex2var_ps(a, _mm512_add_epi32(evens, _mm512_set1_epi32(1)), b);
}

GG_INLINE void join(vector *a, vector *b, vector even, vector odd)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    *a = _mm512_permutex2var_ps(even, low, odd);
    *b = _mm512_permutex2var_ps(even, _mm512_add_epi32(low, _mm512_set1_epi32(LANES / 2)), odd);
}

#elif defined(__AVX2__)
#include <immintrin.h>
#define GG_HAS_MASKS 1
typedef __m256 vector;
typedef __m256i lanes, places;

GG_INLINE __m256i below(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(clamp_lane(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

GG_INLINE lanes some_lanes(int64_t first, int64_t end)
{
    return _mm256_andnot_si256(below(first), below(end));
}

GG_INLINE vector load(const float *p, lanes mask)
{
    return _mm256_maskload_ps(p, mask);
}

GG_INLINE void store(float *p, vector v, lanes mask)
{
    _mm256_maskstore_ps(p, mask, v);
}

GG_INLINE vector every_lane(float x)
{
    return _mm256_set1_ps(x);
}

GG_INLINE places some_places(int64_t first, int step)
{
    const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_add_epi32(_mm256_mullo_epi32(numbers, _mm256_set1_epi32(step)), _mm256_set1_epi32((int)first));
}

GG_INLINE vector take(vector v, places from, lanes mask)
{
    return _mm256_and_ps(_mm256_permutevar8x32_ps(v, from), _mm256_castsi256_ps(mask));
}

/* Two floats at a time change halves of the register. */
GG_INLINE vector in_order(vector v)
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(v), 0xd8));
}

GG_INLINE void split(vector *even, vector *odd, vector a, vector b)
{
    *even = in_order(_mm256_shuffle_ps(a, b, 0x88));
    *odd = in_order(_mm256_shuffle_ps(a, b, 0xdd));
}

GG_INLINE void join(vector *a, vector *b, vector even, vector odd)
{
    const vector low = _mm256_unpacklo_ps(even, odd), high = _mm256_unpackhi_ps(even, odd);
    *a = _mm256_permute2f128_ps(low, high, 0x20);
    *b = _mm256_permute2f128_ps(low, high, 0x31);
}

#else
#define GG_HAS_MASKS 0
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef struct lanes {
    int first, end;
} lanes;

typedef struct places {
    int64_t first;
    int step;
} places;

GG_INLINE lanes some_lanes(int64_t first, int64_t end)
{
    return (lanes){clamp_lane(first), clamp_lane(end)};
}

GG_INLINE places some_places(int64_t first, int step)
{
    return (places){first, step};
}

GG_INLINE vector take(vector v, places from, lanes mask)
{
    vector taken = {0};
    for (int i = mask.first; i < mask.end; i++)
        taken[i] = v[from.first + i * from.step];
    return taken;
}

GG_INLINE vector load(const float *p, lanes mask)
{
    vector v = {0};
    if (mask.first == 0 && mask.end == LANES)
        memcpy(&v, p, sizeof v);
    else
        for (int i = mask.first; i < mask.end; i++)
            v[i] = p[i];
    return v;
}

GG_INLINE void store(float *p, vector v, lanes mask)
{
    if (mask.first == 0 && mask.end == LANES)
        memcpy(p, &v, sizeof v);
    else
        for (int i = mask.first; i < mask.end; i++)
            p[i] = v[i];
}

GG_INLINE vector every_lane(float x)
{
    vector v = {0};
    for (int i = 0; i < LANES; i++)
        v[i] = x;
    return v;
}

GG_INLINE void split(vector *even, vector *odd, vector a, vector b)
{
    vector evens = {0}, odds = {0};
    for (int i = 0; i < LANES; i++) {
        evens[i] = i < LANES / 2 ? a[2 * i % LANES] : b[2 * i % LANES];
        odds[i] = i < LANES / 2 ? a[2 * i % LANES + 1] : b[2 * i % LANES + 1];
    }
    *even = evens;
    *odd = odds;
}

GG_INLINE void join(vector *a, vector *b, vector even, vector odd)
{
    vector low = {0}, high = {0};
    for (int i = 0; i < LANES; i++) {
        low[i] = i % 2 == 0 ? even[i / 2] : odd[i / 2];
        high[i] = i % 2 == 0 ? even[(LANES + i) / 2] : odd[(LANES + i) / 2];
    }
    *a = low;
    *b = high;
}
#endif

#endif
