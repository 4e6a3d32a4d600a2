/* taps.c - sums over the taps of a kernel that slides over one plane: depthwise convolution.
 *
 * A plane lies in a buffer with zeros around it, so that every tap is an array of its own, a fixed distance from the
 * first: a row of results is a sum of few rows, each times one weight. Blocks of LANES results stay in a register
 * while the taps go by; what the last block reads beyond the row is dropped, never stored nor added. */
#include "kernel_set.h"

/* The weights and rows of up to this many taps are held in registers or at least at constant places. */
enum { MOST_UNROLLED = 25 };

/* ---- y = start + sum over t of w[t] x[offset[t]] ---- */

/* One row; taps is a constant where it is called. */
GG_INLINE void sum_row(float *y, const float *x, const float *w, const int64_t *offsets, int64_t taps, int64_t columns,
                       float start, bool accumulate)
{
    for (int64_t j = 0; j < columns; j += LANES) {
        float sum[LANES];
        GG_FOR_LANES (lane, LANES)
            sum[lane] = start;
        GG_UNROLL for (int64_t t = 0; t < taps; t++)
        {
            const float *at = x + offsets[t] + j;
            GG_FOR_LANES (lane, LANES)
                sum[lane] += w[t] * at[lane];
        }
        const int64_t left = columns - j;
        if (accumulate)
            GG_FOR_LANES (lane, LANES)
                if (lane < left)
                    sum[lane] += y[j + lane];
        if (left >= LANES)
            GG_FOR_LANES (lane, LANES)
                y[j + lane] = sum[lane];
        else
            GG_FOR_LANES (lane, LANES)
                if (lane < left)
                    y[j + lane] = sum[lane];
    }
}

GG_INLINE void sum_fixed(float *y, int64_t ldy, const float *x, const gg_taps *taps, int64_t count, int64_t rows,
                         int64_t columns, float start, bool accumulate)
{
    float w[MOST_UNROLLED];
    int64_t offsets[MOST_UNROLLED];
    GG_UNROLL for (int64_t t = 0; t < count; t++)
    {
        w[t] = taps->w[t];
        offsets[t] = taps->offsets[t];
    }
    for (int64_t i = 0; i < rows; i++)
        sum_row(y + i * ldy, x + i * taps->step, w, offsets, count, columns, start, accumulate);
}

static void sum_any(float *y, int64_t ldy, const float *x, const gg_taps *taps, int64_t rows, int64_t columns,
                    float start, bool accumulate)
{
    for (int64_t i = 0; i < rows; i++)
        sum_row(y + i * ldy, x + i * taps->step, taps->w, taps->offsets, taps->count, columns, start, accumulate);
}

void GG_KERNEL(sum_taps)(float *y, int64_t ldy, const float *x, const gg_taps *taps, int64_t rows, int64_t columns,
                         float start, bool accumulate)
{
    switch (taps->count) {
    case 1: sum_fixed(y, ldy, x, taps, 1, rows, columns, start, accumulate); break;
    case 2: sum_fixed(y, ldy, x, taps, 2, rows, columns, start, accumulate); break;
    case 4: sum_fixed(y, ldy, x, taps, 4, rows, columns, start, accumulate); break;
    case 9: sum_fixed(y, ldy, x, taps, 9, rows, columns, start, accumulate); break;
    case 25: sum_fixed(y, ldy, x, taps, 25, rows, columns, start, accumulate); break;
    default: sum_any(y, ldy, x, taps, rows, columns, start, accumulate); break;
    }
}

/* ---- sums[t][lane] += dy x[offset[t]], every LANES-th column ---- */

GG_INLINE void multiply_block(float *sums, const float *dy, const float *x, const int64_t *offsets, int64_t taps,
                              int64_t left)
{
    GG_UNROLL for (int64_t t = 0; t < taps; t++)
    {
        const float *at = x + offsets[t];
        if (left >= LANES)
            GG_FOR_LANES (lane, LANES)
                sums[t * LANES + lane] += dy[lane] * at[lane];
        else
            GG_FOR_LANES (lane, LANES)
                if (lane < left)
                    sums[t * LANES + lane] += dy[lane] * at[lane];
    }
}

/* Taps [first, first + count), count a constant where it is called, their sums in registers meanwhile. */
GG_INLINE void multiply_fixed(float *sums, const float *dy, int64_t ldy, const float *x, const gg_taps *taps,
                              int64_t first, int64_t count, int64_t rows, int64_t columns)
{
    float part[MOST_UNROLLED * LANES];
    int64_t offsets[MOST_UNROLLED];
    float *all = sums + first * LANES;
    const int64_t whole = columns / LANES * LANES;
    GG_UNROLL for (int64_t t = 0; t < count; t++)
    {
        offsets[t] = taps->offsets[first + t];
        GG_FOR_LANES (lane, LANES)
            part[t * LANES + lane] = all[t * LANES + lane];
    }
    for (int64_t i = 0; i < rows; i++) {
        const float *row = dy + i * ldy, *at = x + i * taps->step;
        for (int64_t j = 0; j < whole; j += LANES)
            multiply_block(part, row + j, at + j, offsets, count, LANES);
        if (whole < columns)
            multiply_block(part, row + whole, at + whole, offsets, count, columns - whole);
    }
    GG_UNROLL for (int64_t t = 0; t < count; t++)
    {
        GG_FOR_LANES (lane, LANES)
            all[t * LANES + lane] = part[t * LANES + lane];
    }
}

/* Nine sums and a row fill most sets of registers; other numbers of taps go in smaller steps. */
void GG_KERNEL(multiply_taps)(float *sums, const float *dy, int64_t ldy, const float *x, const gg_taps *taps,
                              int64_t rows, int64_t columns)
{
    int64_t t = 0;
    if (taps->count % 9 == 0)
        for (; t < taps->count; t += 9)
            multiply_fixed(sums, dy, ldy, x, taps, t, 9, rows, columns);
    for (; t + 5 <= taps->count; t += 5)
        multiply_fixed(sums, dy, ldy, x, taps, t, 5, rows, columns);
    for (; t < taps->count; t++)
        multiply_fixed(sums, dy, ldy, x, taps, t, 1, rows, columns);
}

void GG_KERNEL(total_taps)(float *dw, const float *sums, int64_t taps, bool accumulate)
{
    for (int64_t t = 0; t < taps; t++) {
        float part[LANES];
        GG_FOR_LANES (lane, LANES)
            part[lane] = sums[t * LANES + lane];
        GG_FOLD(part, LANES, GG_SUM_OF);
        dw[t] = accumulate ? dw[t] + part[0] : part[0];
    }
}

/* ---- rows taken apart and put together ---- */

GG_INLINE void gather_by(float *target, const float *x, int64_t n, int64_t stride)
{
    for (int64_t i = 0; i < n; i++)
        target[i] = x[i * stride];
}

void GG_KERNEL(gather)(float *target, const float *x, int64_t n, int64_t stride)
{
    if (stride == 2)
        gather_by(target, x, n, 2);
    else
        gather_by(target, x, n, stride);
}

GG_INLINE void put_pairs(float *x, const float *even, const float *odd, int64_t pairs, bool accumulate)
{
    GG_SIMD for (int64_t i = 0; i < pairs; i++)
    {
        x[2 * i] = accumulate ? x[2 * i] + even[i] : even[i];
        x[2 * i + 1] = accumulate ? x[2 * i + 1] + odd[i] : odd[i];
    }
}

static void put_one(float *x, const float *source, int64_t n, int64_t stride, bool accumulate)
{
    for (int64_t i = 0; i < n; i++)
        x[i * stride] = accumulate ? x[i * stride] + source[i] : source[i];
}

void GG_KERNEL(interleave)(float *x, const float *source, int64_t lds, int64_t n, int64_t stride, bool accumulate)
{
    int64_t done = 0;
    if (stride == 2) {
        done = n / 2 * 2;
        if (accumulate)
            put_pairs(x, source, source + lds, n / 2, true);
        else
            put_pairs(x, source, source + lds, n / 2, false);
    }
    for (int64_t part = 0; part < stride && done + part < n; part++)
        put_one(x + done + part, source + part * lds + done / stride, (n - done - part + stride - 1) / stride, stride,
                accumulate);
}
