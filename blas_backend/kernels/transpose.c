/* transpose.c - copies and transposed copies of matrix blocks.
 *
 * A transposition moves blocks of LANES x LANES floats through registers: LANES loads of contiguous floats, log2(LANES)
 * rounds of exchanges, LANES contiguous stores. A plain double loop touches a cache line for every float on one side.
 */
#include "masked.h"

#include <string.h>

#if defined(__AVX512F__)
static inline vector unpack_low(vector a, vector b)
{
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

static inline vector unpack_high(vector a, vector b)
{
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

/* r[i][j] <-> r[j][i]: pairs of floats, pairs of doubles, then quarters of registers twice. */
static inline void exchange(vector r[LANES])
{
    vector t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
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
static inline void exchange(vector r[LANES])
{
    vector t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < LANES; i++)
        r[i] = t[i];
}

#else
static inline void exchange(vector r[LANES])
{
    float from[LANES][LANES], to[LANES][LANES];
    memcpy(from, r, sizeof from);
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++)
            to[i][j] = from[j][i];
    memcpy(r, to, sizeof to);
}
#endif

/* target[j][i] = source[i][j], or that + beta * target[j][i], for i < rows <= LANES and j < columns <= LANES. */
static inline void transpose_tile(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows,
                                  int64_t columns, float beta)
{
    vector r[LANES];
    const lanes loaded = some_lanes(0, columns), stored = some_lanes(0, rows);
    for (int i = 0; i < LANES; i++)
        r[i] = i < rows ? load(source + i * lds, loaded) : every_lane(0.0f);
    exchange(r);
    for (int j = 0; j < LANES; j++)
        if (j < columns) {
            float *row = target + j * ldt;
            if (beta != 0.0f)
                r[j] += every_lane(beta) * load(row, stored);
            store(row, r[j], stored);
        }
}

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline void transpose_blocks(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows,
                                    int64_t columns, float beta)
{
    for (int64_t i = 0; i < rows; i += LANES)
        for (int64_t j = 0; j < columns; j += LANES) {
            if (i + LANES <= rows && j + LANES <= columns) /* constants let the compiler drop the masks */
                transpose_tile(target + j * ldt + i, ldt, source + i * lds + j, lds, LANES, LANES, beta);
            else
                transpose_tile(target + j * ldt + i, ldt, source + i * lds + j, lds, least(LANES, rows - i),
                               least(LANES, columns - j), beta);
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
