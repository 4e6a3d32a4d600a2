/* attention.c - the softmax of a tile of scores, whose rows are keys and whose columns are queries.
 *
 * A query's numbers (largest score, sum, ...) stand in a lane, so that all loops run down the columns and nothing is
 * joined across a register. Columns are taken BLOCK at a time, whole blocks only: rows of tiles and the arrays of
 * numbers have room to the next multiple of 64, and what comes out of columns beyond the last is of no use. */
#include "kernel_set.h"

#include "vecmath.h"

enum { BLOCK = 4 * LANES };

/* e^x for x <= 0, up to rounding: 0 below -88. A NaN stays, and infinity becomes one. */
GG_INLINE float weight_of(float x)
{
    const vm_power p = vm_exp_split(x < -88.0f ? -88.0f : x, NOTHING);
    const float scale = vm_power_of_two(p.exponent);
    return scale + scale * p.fraction;
}

/* What is subtracted from a column's scores: their largest, or 0 when that is infinite. */
GG_INLINE float shift_of(float largest)
{
    return fabsf(largest) <= FLT_MAX ? largest : 0.0f;
}

GG_INLINE void largest_of_block(float *largest, const float *s, int64_t ld, int64_t rows, int width)
{
    float most[BLOCK];
    GG_FOR_LANES (lane, width)
        most[lane] = largest[lane];
    for (int64_t r = 0; r < rows; r++)
        GG_FOR_LANES (lane, width)
            most[lane] = s[r * ld + lane] > most[lane] ? s[r * ld + lane] : most[lane];
    GG_FOR_LANES (lane, width)
        largest[lane] = most[lane];
}

GG_INLINE void weights_of_block(float *s, int64_t ld, int64_t rows, const float *largest, float *sum, int width)
{
    float shift[BLOCK], total[BLOCK];
    GG_FOR_LANES (lane, width) {
        shift[lane] = shift_of(largest[lane]);
        total[lane] = sum[lane];
    }
    for (int64_t r = 0; r < rows; r++)
        GG_FOR_LANES (lane, width) {
            const float weight = weight_of(s[r * ld + lane] - shift[lane]);
            s[r * ld + lane] = weight;
            total[lane] += weight;
        }
    GG_FOR_LANES (lane, width)
        sum[lane] = total[lane];
}

/* Returns how many columns have a new largest score. */
GG_INLINE int weigh_block(float *s, int64_t ld, int64_t rows, float *largest, float *sum, float *correction, int width)
{
    float before[BLOCK];
    int moved = 0;
    GG_FOR_LANES (lane, width)
        before[lane] = largest[lane];
    largest_of_block(largest, s, ld, rows, width);
    GG_FOR_LANES (lane, width) {
        correction[lane] = weight_of(before[lane] - shift_of(largest[lane]));
        sum[lane] *= correction[lane];
    }
    weights_of_block(s, ld, rows, largest, sum, width);
    for (int lane = 0; lane < width; lane++)
        moved += before[lane] != largest[lane];
    return moved;
}

GG_APART int weigh_wide(float *s, int64_t ld, int64_t rows, float *largest, float *sum, float *correction)
{
    return weigh_block(s, ld, rows, largest, sum, correction, BLOCK);
}

GG_APART int weigh_narrow(float *s, int64_t ld, int64_t rows, float *largest, float *sum, float *correction)
{
    return weigh_block(s, ld, rows, largest, sum, correction, LANES);
}

bool GG_KERNEL(attention_weigh)(float *s, int64_t ld, int64_t rows, int64_t cols, float *largest, float *sum,
                                float *correction)
{
    int moved = 0;
    int64_t c = 0;
    for (; cols - c > LANES; c += BLOCK)
        moved += weigh_wide(s + c, ld, rows, largest + c, sum + c, correction + c);
    for (; c < cols; c += LANES)
        moved += weigh_narrow(s + c, ld, rows, largest + c, sum + c, correction + c);
    return moved > 0;
}

GG_INLINE void gradient_block(float *s, float *ds, int64_t ld, int64_t rows, const float *lse, const float *dot,
                              int width)
{
    float shift[BLOCK], mean[BLOCK];
    GG_FOR_LANES (lane, width) {
        shift[lane] = lse[lane];
        mean[lane] = dot[lane];
    }
    for (int64_t r = 0; r < rows; r++)
        GG_FOR_LANES (lane, width) {
            const float weight = weight_of(s[r * ld + lane] - shift[lane]);
            s[r * ld + lane] = weight;
            ds[r * ld + lane] = weight * (ds[r * ld + lane] - mean[lane]);
        }
}

GG_APART void gradient_wide(float *s, float *ds, int64_t ld, int64_t rows, const float *lse, const float *dot)
{
    gradient_block(s, ds, ld, rows, lse, dot, BLOCK);
}

GG_APART void gradient_narrow(float *s, float *ds, int64_t ld, int64_t rows, const float *lse, const float *dot)
{
    gradient_block(s, ds, ld, rows, lse, dot, LANES);
}

void GG_KERNEL(attention_gradient)(float *s, float *ds, int64_t ld, int64_t rows, int64_t cols, const float *lse,
                                   const float *dot)
{
    int64_t c = 0;
    for (; cols - c > LANES; c += BLOCK)
        gradient_wide(s + c, ds + c, ld, rows, lse + c, dot + c);
    for (; c < cols; c += LANES)
        gradient_narrow(s + c, ds + c, ld, rows, lse + c, dot + c);
}

GG_INLINE void dot_element(int lane, int64_t i, float *partial, const float *a, const float *b)
{
    partial[lane] += a[i] * b[i];
}

GG_APART float dot_row(const float *a, const float *b, int64_t n)
{
    float partial[LANES];
    GG_FOR_LANES (lane, LANES)
        partial[lane] = 0.0f;
    GG_OVER_LANES(n, dot_element, partial, a, b);
    GG_FOLD(partial, LANES, GG_SUM_OF);
    return partial[0];
}

void GG_KERNEL(row_dots)(float *dot, const float *a, int64_t lda, const float *b, int64_t ldb, int64_t rows,
                         int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        dot[r] = dot_row(a + r * lda, b + r * ldb, cols);
}
