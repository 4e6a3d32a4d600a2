/* rows.c - a bias added to every row with an activation behind it, and sums of columns. */
#include "kernel_set.h"

#include <string.h>

/* Rows are taken in groups of about this many floats, so that the activation finds them in the first-level cache. */
enum { GROUP_FLOATS = 2048 };

/* The bias of narrow dense rows is laid out again and again over a pattern of up to this many floats, which then is
 * added to many rows at once in full registers. */
enum { PATTERN_FLOATS = 256, NARROW_COLUMNS = 64 };

/* Copies of `count` floats are made by copying `width`, the rest being overwritten by the next copy: widths are
 * constants, whose copies are a few registers. */
GG_INLINE void repeat(float *pattern, const float *padded, int64_t cols, int64_t count, size_t width)
{
    for (int64_t i = 0; i < count; i += cols)
        memcpy(pattern + i, padded, width * sizeof *pattern);
}

static void add_to_narrow_rows(float *y, const float *x, const float *bias, int64_t rows, int64_t cols)
{
    float padded[NARROW_COLUMNS], pattern[PATTERN_FLOATS + NARROW_COLUMNS];
    const int64_t total = rows * cols, whole = PATTERN_FLOATS / cols * cols;
    const int64_t period = whole < total ? whole : total;
    memcpy(padded, bias, (size_t)cols * sizeof *bias);
    if (cols <= LANES)
        repeat(pattern, padded, cols, period, LANES);
    else
        repeat(pattern, padded, cols, period, NARROW_COLUMNS);
    for (int64_t i = 0; i < total; i += period)
        GG_KERNEL(add)(y + i, x + i, pattern, total - i < period ? total - i : period);
}

static void add_to_rows(float *y, int64_t ldy, const float *x, int64_t ldx, const float *bias, int64_t rows,
                        int64_t cols)
{
    if (cols > 0 && cols <= NARROW_COLUMNS && ldy == cols && ldx == cols) {
        add_to_narrow_rows(y, x, bias, rows, cols);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        GG_KERNEL(add)(y + r * ldy, x + r * ldx, bias, cols);
}

/* y = f(x) by rows; dense matrices are one long row. */
static void activate(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, int64_t cols,
                     gg_forward_kernel *f, float alpha)
{
    if (ldy == cols && ldx == cols) {
        f(y, x, rows * cols, alpha);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        f(y + r * ldy, x + r * ldx, cols, alpha);
}

void GG_KERNEL(add_bias)(float *y, int64_t ldy, const float *x, int64_t ldx, const float *bias, int64_t rows,
                         int64_t cols, gg_activation f, float alpha)
{
    gg_forward_kernel *forward = GG_KERNEL(table).forward[f];
    if (bias == NULL) {
        if (f != GG_IDENTITY || y != x)
            activate(y, ldy, x, ldx, rows, cols, forward, alpha);
        return;
    }
    const int64_t group = cols > 0 && cols < GROUP_FLOATS ? GROUP_FLOATS / cols : 1;
    for (int64_t r = 0; r < rows; r += group) {
        const int64_t height = rows - r < group ? rows - r : group;
        add_to_rows(y + r * ldy, ldy, x + r * ldx, ldx, bias, height, cols);
        if (f != GG_IDENTITY)
            activate(y + r * ldy, ldy, y + r * ldy, ldy, height, cols, forward, alpha);
    }
}

/* Columns are summed in tiles, rows in blocks whose sums are added up apart: the error then grows with BLOCK / STEP and
 * rows / BLOCK, not with rows. */
enum { TILE_COLUMNS = 256, STEP = 8, BLOCK = 512 };

GG_INLINE void add_one_element(int64_t i, float *part, const float *x)
{
    part[i] += x[i];
}

GG_INLINE float four(const float *x, int64_t ldx)
{
    return (x[0] + x[ldx]) + (x[2 * ldx] + x[3 * ldx]);
}

GG_INLINE void add_four_element(int64_t i, float *part, const float *x, int64_t ldx)
{
    part[i] += four(x + i, ldx);
}

GG_INLINE void add_step_element(int64_t i, float *part, const float *x, int64_t ldx)
{
    part[i] += four(x + i, ldx) + four(x + i + 4 * ldx, ldx);
}

GG_APART void add_step(float *part, const float *x, int64_t ldx, int64_t cols)
{
    GG_OVER_ARRAY(cols, add_step_element, part, x, ldx);
}

GG_APART void add_one(float *part, const float *x, int64_t cols)
{
    GG_OVER_ARRAY(cols, add_one_element, part, x);
}

static void sum_block(float *part, const float *x, int64_t ldx, int64_t rows, int64_t cols)
{
    int64_t r = 0;
    GG_KERNEL(fill)(part, cols, 0.0f);
    for (; r + STEP <= rows; r += STEP)
        add_step(part, x + r * ldx, ldx, cols);
    if (r + STEP / 2 <= rows) {
        GG_OVER_ARRAY(cols, add_four_element, part, x + r * ldx, ldx);
        r += STEP / 2;
    }
    for (; r < rows; r++)
        add_one(part, x + r * ldx, cols);
}

void GG_KERNEL(sum_rows)(float *s, const float *x, int64_t ldx, int64_t rows, int64_t cols, bool accumulate)
{
    float part[TILE_COLUMNS];
    for (int64_t c = 0; c < cols; c += TILE_COLUMNS) {
        const int64_t width = cols - c < TILE_COLUMNS ? cols - c : TILE_COLUMNS;
        bool add = accumulate;
        for (int64_t r = 0; r < rows; r += BLOCK) {
            const int64_t height = rows - r < BLOCK ? rows - r : BLOCK;
            sum_block(part, x + r * ldx + c, ldx, height, width);
            if (add)
                add_one(s + c, part, width);
            else
                GG_KERNEL(identity_forward)(s + c, part, width, 0.0f);
            add = true;
        }
    }
}
