/* transpose.c - copies and transposed copies of matrix blocks.
 *
 * A transposition moves blocks of TILE x TILE floats through registers: TILE loads of contiguous floats, log2(TILE)
 * rounds of exchanges, TILE contiguous stores. A plain double loop touches a cache line for every float on one side. */
#include "kernels.h"

#include <stddef.h>
#include <string.h>

#include "kernel_set.h"

#if defined(__AVX512F__)
#include <immintrin.h>
enum { TILE = 16 };
typedef __m512 vector;
typedef __mmask16 lanes;

static inline lanes first_lanes(int64_t n)
{
    return n >= TILE ? (lanes)0xffff : (lanes)((1u << (unsigned)n) - 1u);
}

static inline vector load(const float *p, lanes mask)
{
    return _mm512_maskz_loadu_ps(mask, p);
}

static inline void store(float *p, vector v, lanes mask)
{
    _mm512_mask_storeu_ps(p, mask, v);
}

static inline vector multiply_add(float beta, vector old, vector v)
{
    return _mm512_fmadd_ps(_mm512_set1_ps(beta), old, v);
}

static inline vector unpack_low(vector a, vector b)
{
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

static inline vector unpack_high(vector a, vector b)
{
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

/* r[i][j] <-> r[j][i]: pairs of floats, pairs of doubles, then quarters of registers twice. */
static inline void exchange(vector r[TILE])
{
    vector t[TILE];
    for (int i = 0; i < TILE; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < TILE; i += 4) {
        r[i] = unpack_low(t[i], t[i + 2]);
        r[i + 1] = unpack_high(t[i], t[i + 2]);
        r[i + 2] = unpack_low(t[i + 1], t[i + 3]);
        r[i + 3] = unpack_high(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

#elif defined(__AVX2__)
#include <immintrin.h>
enum { TILE = 8 };
typedef __m256 vector;
typedef __m256i lanes;

static inline lanes first_lanes(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > TILE ? TILE : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vector load(const float *p, lanes mask)
{
    return _mm256_maskload_ps(p, mask);
}

static inline void store(float *p, vector v, lanes mask)
{
    _mm256_maskstore_ps(p, mask, v);
}

static inline vector multiply_add(float beta, vector old, vector v)
{
    return _mm256_fmadd_ps(_mm256_set1_ps(beta), old, v);
}

static inline void exchange(vector r[TILE])
{
    vector t[TILE];
    for (int i = 0; i < TILE; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < TILE; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < TILE; i++)
        r[i] = t[i];
}

#else
enum { TILE = 4 };
typedef struct vector {
    float lane[TILE];
} vector;
typedef int64_t lanes;

static inline lanes first_lanes(int64_t n)
{
    return n > TILE ? TILE : n;
}

static inline vector load(const float *p, lanes n)
{
    vector v = {{0}};
    for (int64_t i = 0; i < n; i++)
        v.lane[i] = p[i];
    return v;
}

static inline void store(float *p, vector v, lanes n)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = v.lane[i];
}

static inline vector multiply_add(float beta, vector old, vector v)
{
    for (int i = 0; i < TILE; i++)
        v.lane[i] += beta * old.lane[i];
    return v;
}

static inline void exchange(vector r[TILE])
{
    for (int i = 0; i < TILE; i++)
        for (int j = 0; j < i; j++) {
            const float held = r[i].lane[j];
            r[i].lane[j] = r[j].lane[i];
            r[j].lane[i] = held;
        }
}
#endif

/* target[j][i] = source[i][j], or that + beta * target[j][i], for i < rows <= TILE and j < columns <= TILE. */
static inline void transpose_tile(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows,
                                  int64_t columns, float beta)
{
    vector r[TILE];
    const lanes loaded = first_lanes(columns), stored = first_lanes(rows);
    const lanes none = first_lanes(0);
    for (int i = 0; i < TILE; i++)
        r[i] = i < rows ? load(source + i * lds, loaded) : load(source, none);
    exchange(r);
    for (int j = 0; j < TILE; j++)
        if (j < columns) {
            float *row = target + j * ldt;
            store(row, beta == 0.0f ? r[j] : multiply_add(beta, load(row, stored), r[j]), stored);
        }
}

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline void transpose_blocks(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows,
                                    int64_t columns, float beta)
{
    for (int64_t i = 0; i < rows; i += TILE)
        for (int64_t j = 0; j < columns; j += TILE) {
            if (i + TILE <= rows && j + TILE <= columns) /* constants let the compiler drop the masks */
                transpose_tile(target + j * ldt + i, ldt, source + i * lds + j, lds, TILE, TILE, beta);
            else
                transpose_tile(target + j * ldt + i, ldt, source + i * lds + j, lds, least(TILE, rows - i),
                               least(TILE, columns - j), beta);
        }
}

void GG_KERNEL(transpose)(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t columns)
{
    transpose_blocks(target, ldt, source, lds, rows, columns, 0.0f);
}

void GG_KERNEL(transpose_add)(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows,
                              int64_t columns, float beta)
{
    if (beta == 0.0f)
        transpose_blocks(target, ldt, source, lds, rows, columns, 0.0f);
    else
        transpose_blocks(target, ldt, source, lds, rows, columns, beta);
}

void GG_KERNEL(copy_rows)(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t columns)
{
    if (columns == 64) { /* a panel of a product: the usual case, in registers */
        for (int64_t i = 0; i < rows; i++)
            memcpy(target + i * ldt, source + i * lds, 64 * sizeof *target);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        memcpy(target + i * ldt, source + i * lds, (size_t)columns * sizeof *target);
}
