/* taps.c - sums over the taps of a kernel that slides over one plane: depthwise convolution.
 *
 * A plane lies in a buffer with zeros around it, so that every tap is an array of its own, a fixed distance from the
 * first: a row of results is a sum of few rows, each times one weight. Blocks of LANES results stay in a register
 * while the taps go by; what the last block reads beyond the row is dropped, never stored nor added. */
#include "kernel_set.h"
#include "vecmath.h"

/* The weights and rows of up to this many taps are held in registers or at least at constant places. */
enum { MOST_UNROLLED = 25 };

/* ---- y = start + sum over t of w[t] x[offset[t]] ---- */

/* A block of up to LANES columns, all rows; the number of taps is a constant where it is called. */
GG_INLINE void sum_block(float *y, int64_t ldy, const float *x, const gg_taps *taps, int64_t count, int64_t rows,
                         int64_t columns, float start, bool accumulate)
{
    float w[MOST_UNROLLED];
    const float *at[MOST_UNROLLED];
    GG_UNROLL for (int64_t t = 0; t < count; t++)
    {
        w[t] = taps->w[t];
        at[t] = x + taps->offsets[t];
    }
    for (int64_t i = 0; i < rows; i++) {
        float sum[LANES];
        GG_FOR_LANES (lane, LANES)
            sum[lane] = start;
        GG_UNROLL for (int64_t t = 0; t < count; t++)
        {
            GG_FOR_LANES (lane, LANES)
                sum[lane] += w[t] * at[t][i * taps->step + lane];
        }
        GG_FOR_LANES (lane, LANES)
            if (lane < (int)columns)
                y[i * ldy + lane] = accumulate ? y[i * ldy + lane] + sum[lane] : sum[lane];
    }
}

GG_INLINE void sum_fixed(float *y, int64_t ldy, const float *x, const gg_taps *taps, int64_t count, int64_t rows,
                         int64_t columns, float start, bool accumulate)
{
    int64_t j = 0;
    for (; j + LANES <= columns; j += LANES)
        sum_block(y + j, ldy, x + j, taps, count, rows, LANES, start, accumulate);
    if (j < columns)
        sum_block(y + j, ldy, x + j, taps, count, rows, columns - j, start, accumulate);
}

/* Any number of taps, their weights read anew for each block. */
static void sum_any(float *y, int64_t ldy, const float *x, const gg_taps *taps, int64_t rows, int64_t columns,
                    float start, bool accumulate)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j += LANES) {
            const float *at = x + i * taps->step + j;
            float *to = y + i * ldy + j, sum[LANES];
            GG_FOR_LANES (lane, LANES)
                sum[lane] = start;
            for (int64_t t = 0; t < taps->count; t++)
                GG_FOR_LANES (lane, LANES)
                    sum[lane] += taps->w[t] * at[taps->offsets[t] + lane];
            GG_FOR_LANES (lane, LANES)
                if (lane < columns - j)
                    to[lane] = accumulate ? to[lane] + sum[lane] : sum[lane];
        }
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

/* One row of a block: whole, or the lanes of the mask. Lanes beyond count as 0 on both sides: 0 times NaN would be NaN.
 */
GG_INLINE void multiply_row(float *part, const float *dy, const float *x, const int64_t *offsets, int64_t count,
                            const uint32_t *mask)
{
    GG_UNROLL for (int64_t t = 0; t < count; t++)
    {
        const float *at = x + offsets[t];
        if (mask == NULL)
            GG_FOR_LANES (lane, LANES)
                part[t * LANES + lane] += dy[lane] * at[lane];
        else
            GG_FOR_LANES (lane, LANES)
                part[t * LANES + lane] += dy[lane] * vm_float(vm_bits(at[lane]) & mask[lane]);
    }
}

/* Rows of a block, filled up with zeros, so many at a time. */
enum { FILLED_ROWS = 16 };

GG_APART void fill_rows(float *filled, const float *dy, int64_t ldy, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        GG_FOR_LANES (lane, LANES)
            filled[i * LANES + lane] = lane < columns ? dy[i * ldy + lane] : 0.0f;
}

/* All rows of a block of up to LANES columns, the sums in registers meanwhile; count is a constant where it is called.
 */
GG_INLINE void multiply_block(float *sums, const float *dy, int64_t ldy, const float *x, int64_t step,
                              const int64_t *offsets, int64_t count, int64_t rows, int64_t columns)
{
    float part[MOST_UNROLLED * LANES];
    uint32_t mask[LANES];
    GG_FOR_LANES (lane, LANES)
        mask[lane] = lane < (int)columns ? UINT32_MAX : 0;
    GG_UNROLL for (int64_t t = 0; t < count; t++)
    {
        GG_FOR_LANES (lane, LANES)
            part[t * LANES + lane] = sums[t * LANES + lane];
    }
    if (columns == LANES)
        for (int64_t i = 0; i < rows; i++)
            multiply_row(part, dy + i * ldy, x + i * step, offsets, count, NULL);
    else
        for (int64_t first = 0; first < rows; first += FILLED_ROWS) {
            float filled[FILLED_ROWS * LANES];
            const int64_t some = rows - first < FILLED_ROWS ? rows - first : FILLED_ROWS;
            fill_rows(filled, dy + first * ldy, ldy, (int)some, (int)columns);
            for (int64_t i = 0; i < some; i++)
                multiply_row(part, filled + i * LANES, x + (first + i) * step, offsets, count, mask);
        }
    GG_UNROLL for (int64_t t = 0; t < count; t++)
    {
        GG_FOR_LANES (lane, LANES)
            sums[t * LANES + lane] = part[t * LANES + lane];
    }
}

/* Taps [first, first + count). */
GG_INLINE void multiply_fixed(float *sums, const float *dy, int64_t ldy, const float *x, const gg_taps *taps,
                              int64_t first, int64_t count, int64_t rows, int64_t columns)
{
    int64_t offsets[MOST_UNROLLED], j = 0;
    GG_UNROLL for (int64_t t = 0; t < count; t++)
    {
        offsets[t] = taps->offsets[first + t];
    }
    sums += first * LANES;
    for (; j + LANES <= columns; j += LANES)
        multiply_block(sums, dy + j, ldy, x + j, taps->step, offsets, count, rows, LANES);
    if (j < columns)
        multiply_block(sums, dy + j, ldy, x + j, taps->step, offsets, count, rows, columns - j);
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
    enum { PART = 4 };
    for (int64_t t = 0; t < taps; t++) {
        float part[PART] = {0};
        GG_UNROLL for (int first = 0; first < LANES; first += PART)
        {
            GG_FOR_LANES (lane, PART)
                part[lane] += sums[t * LANES + first + lane];
        }
        const float total = part[0] + part[2] + (part[1] + part[3]);
        dw[t] = accumulate ? dw[t] + total : total;
    }
}

/* ---- rows taken apart and put together, through rows that may be read and written in whole blocks: a few at a time,
 * for loads that straddle two stores wait until these are done ---- */

#define COPY(i, to, from) (to)[i] = (from)[i]
#define ADD(i, to, from) (to)[i] += (from)[i]

GG_APART void copy(float *to, const float *from, int64_t n)
{
    GG_OVER_ARRAY(n, COPY, to, from);
}

GG_APART void add(float *to, const float *from, int64_t n)
{
    GG_OVER_ARRAY(n, ADD, to, from);
}

/* Whole blocks: what the first part writes beyond its end, the second overwrites. */
GG_APART void split_pairs(float *target, int64_t part, const float *row)
{
    for (int64_t i = 0; i < part; i += LANES)
        GG_FOR_LANES (lane, LANES)
            target[i + lane] = row[2 * (i + lane)];
    for (int64_t i = 0; i < part; i += LANES)
        GG_FOR_LANES (lane, LANES)
            target[part + i + lane] = row[2 * (i + lane) + 1];
}

static void split_row(float *target, int64_t part, const float *row, int64_t stride)
{
    if (stride == 2) {
        split_pairs(target, part, row);
        return;
    }
    for (int64_t s = 0; s < stride; s++)
        for (int64_t i = 0; i < part; i++)
            target[s * part + i] = row[i * stride + s];
}

void GG_KERNEL(split_rows)(float *target, int64_t part, const float *x, int64_t ldx, int64_t rows, int64_t columns,
                           int64_t left, int64_t stride, float *between)
{
    const int64_t length = stride * (part + GG_ROW_SLACK);
    for (int64_t first = 0; first < rows; first += GG_ROWS_BETWEEN) {
        const int64_t end = rows - first < GG_ROWS_BETWEEN ? rows : first + GG_ROWS_BETWEEN;
        for (int64_t r = first; r < end; r++)
            copy(between + (r - first) * length + left, x + r * ldx, columns);
        for (int64_t r = first; r < end; r++)
            split_row(target + r * stride * part, part, between + (r - first) * length, stride);
    }
}

GG_APART void join_pairs(float *row, const float *even, const float *odd, int64_t pairs)
{
    for (int64_t i = 0; i < pairs; i += LANES)
        GG_FOR_LANES (lane, LANES) {
            row[2 * (i + lane)] = even[i + lane];
            row[2 * (i + lane) + 1] = odd[i + lane];
        }
}

static void join_row(float *row, const float *source, int64_t part, int64_t columns, int64_t stride)
{
    if (stride == 2) {
        join_pairs(row, source, source + part, (columns + 1) / 2);
        return;
    }
    for (int64_t j = 0; j < columns; j++)
        row[j] = source[j % stride * part + j / stride];
}

void GG_KERNEL(join_rows)(float *x, int64_t ldx, const float *source, int64_t lds, int64_t part, int64_t rows,
                          int64_t columns, int64_t stride, bool accumulate, float *between)
{
    for (int64_t r = 0; r < rows; r++) {
        join_row(between, source + r * lds, part, columns, stride);
        if (accumulate)
            add(x + r * ldx, between, columns);
        else
            copy(x + r * ldx, between, columns);
    }
}
