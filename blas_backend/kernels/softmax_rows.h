/* kernels/softmax_rows.h - the steps that softmax, log-sum-exp and cross-entropy share.
 *
 * Narrow rows (a few classes) are taken GROUP at a time and turned, so that a register holds one column of GROUP
 * rows and every step is a plain loop over lanes: t[c * GROUP + lane]. Wide rows are taken one by one along their
 * length. In both, e^x is taken of x - shift where shift is the row's largest element, or 0 when that is infinite: a
 * row of -inf then has the sum 0, and a NaN reaches the sum through its own e^x. */
#ifndef GG_SOFTMAX_ROWS_H
#define GG_SOFTMAX_ROWS_H

#include <float.h>
#include <math.h>

#include "kernel_set.h"
#include "vecmath.h"

/* From NARROW columns on, the last register of a row is full enough and the sums across it cost little beside the
 * exponentials. GROUP is two of the widest registers, whose long chains of dependent operations then overlap. */
enum { GROUP = 32, NARROW = 32 };

/* shift, sum, ...: a number for each row of a group. */
typedef struct group_column {
    float at[GROUP];
} group_column;

static inline int64_t group_rows(int64_t rows, int64_t r)
{
    return rows - r < GROUP ? rows - r : GROUP;
}

/* t = the transpose of x; lanes without a row hold 0. */
static inline void group_load(float *t, const float *x, int64_t rows, int64_t cols)
{
    if (rows < GROUP)
        GG_KERNEL(fill)(t, cols * GROUP, 0.0f);
    GG_KERNEL(transpose)(t, GROUP, x, cols, rows, cols);
}

static inline void group_store(float *y, const float *t, int64_t rows, int64_t cols)
{
    GG_KERNEL(transpose)(y, cols, t, GROUP, cols, rows);
}

static inline float shift_for(float largest)
{
    return fabsf(largest) <= FLT_MAX ? largest : 0.0f;
}

static inline group_column group_shift(const float *t, int64_t cols)
{
    group_column shift;
    GG_FOR_LANES (lane, GROUP)
        shift.at[lane] = -INFINITY;
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP)
            shift.at[lane] = t[c * GROUP + lane] > shift.at[lane] ? t[c * GROUP + lane] : shift.at[lane];
    GG_FOR_LANES (lane, GROUP)
        shift.at[lane] = shift_for(shift.at[lane]);
    return shift;
}

/* t = e^(t - shift); returns the sum of each row. */
static inline group_column group_exp(float *t, int64_t cols, const group_column *shift)
{
    group_column sum = {{0}};
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP) {
            const float e = vm_exp(t[c * GROUP + lane] - shift->at[lane]);
            t[c * GROUP + lane] = e;
            sum.at[lane] += e;
        }
    return sum;
}

/* scale / sum, and 0 for the sum 0 of a row of -inf. */
static inline float share_of(float scale, float sum)
{
    return sum == 0.0f ? 0.0f : scale / sum;
}

/* Partial sums or maxima of a wide row, one a lane, joined in pairs. */
#define GG_LARGER_OF(a, b) ((b) > (a) ? (b) : (a))

GG_INLINE float lanes_total(float partial[LANES])
{
    GG_FOLD(partial, LANES, GG_SUM_OF);
    return partial[0];
}

GG_INLINE void lanes_set(float partial[LANES], float value)
{
    GG_FOR_LANES (lane, LANES)
        partial[lane] = value;
}

GG_INLINE void largest_element(int lane, int64_t i, float *partial, const float *x)
{
    partial[lane] = x[i] > partial[lane] ? x[i] : partial[lane];
}

/* In four registers, which need not wait for each other. */
GG_APART float row_shift(const float *x, int64_t cols)
{
    float partial[GG_WIDE];
    GG_FOR_LANES (lane, GG_WIDE)
        partial[lane] = -INFINITY;
    GG_OVER_WIDE(cols, largest_element, partial, x);
    GG_FOLD(partial, GG_WIDE, GG_LARGER_OF);
    return shift_for(partial[0]);
}

/* Lanes sum this many floats at most before they are added up in double: long rows keep their accuracy. */
enum { CHUNK = 4096 };

typedef float exponential(float x);

GG_INLINE void exp_store_element(int lane, int64_t i, float *partial, float *e, const float *x, float shift,
                                 exponential *f)
{
    const float power = f(x[i] - shift);
    e[i] = power;
    partial[lane] += power;
}

GG_INLINE void exp_element(int lane, int64_t i, float *partial, const float *x, float shift, exponential *f)
{
    partial[lane] += f(x[i] - shift);
}

/* A shift of 0 may stand for an infinite one, which x can exceed. */
GG_APART float exp_chunk(float *e, const float *x, int64_t count, float shift)
{
    float partial[LANES];
    lanes_set(partial, -0.0f);
    if (e != NULL && shift != 0.0f)
        GG_OVER_LANES(count, exp_store_element, partial, e, x, shift, vm_exp_nonpositive);
    else if (e != NULL)
        GG_OVER_LANES(count, exp_store_element, partial, e, x, shift, vm_exp);
    else
        GG_OVER_LANES(count, exp_element, partial, x, shift, vm_exp);
    return lanes_total(partial);
}

/* e = e^(x - shift) unless e is NULL; returns the sum. e may be x. */
static inline float row_exp(float *e, const float *x, int64_t cols, float shift)
{
    double sum = 0.0;
    for (int64_t i = 0; i < cols; i += CHUNK)
        sum += (double)exp_chunk(e != NULL ? e + i : NULL, x + i, cols - i < CHUNK ? cols - i : CHUNK, shift);
    return (float)sum;
}

#endif
