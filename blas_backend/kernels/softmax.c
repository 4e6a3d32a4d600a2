/* softmax.c - softmax by rows, its gradient, and log-sum-exp. */
#include "softmax_rows.h"

static void forward_narrow(float *y, const float *x, int64_t rows, int64_t cols)
{
    float t[NARROW * GROUP];
    group_load(t, x, rows, cols);
    const group_column shift = group_shift(t, cols);
    group_column share = group_exp(t, cols, &shift);
    GG_FOR_LANES (lane, GROUP)
        share.at[lane] = share_of(1.0f, share.at[lane]);
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP)
            t[c * GROUP + lane] *= share.at[lane];
    group_store(y, t, rows, cols);
}

void GG_KERNEL(softmax_forward)(float *y, const float *x, int64_t rows, int64_t cols)
{
    if (cols < NARROW) {
        for (int64_t r = 0; r < rows; r += GROUP)
            forward_narrow(y + r * cols, x + r * cols, group_rows(rows, r), cols);
        return;
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * cols;
        const float sum = row_exp(y + r * cols, row, cols, row_shift(row, cols));
        GG_KERNEL(scale)(y + r * cols, cols, share_of(1.0f, sum));
    }
}

static void backward_narrow(float *dx, const float *dy, const float *y, int64_t rows, int64_t cols)
{
    float t[NARROW * GROUP], u[NARROW * GROUP];
    group_column dot = {{0}};
    group_load(t, dy, rows, cols);
    group_load(u, y, rows, cols);
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP)
            dot.at[lane] += t[c * GROUP + lane] * u[c * GROUP + lane];
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP)
            t[c * GROUP + lane] = u[c * GROUP + lane] * (t[c * GROUP + lane] - dot.at[lane]);
    group_store(dx, t, rows, cols);
}

GG_INLINE void dot_element(int lane, int64_t i, float *partial, const float *dy, const float *y)
{
    partial[lane] += dy[i] * y[i];
}

GG_INLINE void gradient_element(int64_t i, float *dx, const float *dy, const float *y, float dot)
{
    dx[i] = y[i] * (dy[i] - dot);
}

GG_APART float dot_chunk(const float *dy, const float *y, int64_t count)
{
    float partial[LANES];
    lanes_set(partial, -0.0f);
    GG_OVER_LANES(count, dot_element, partial, dy, y);
    return lanes_total(partial);
}

GG_APART void gradient_row(float *dx, const float *dy, const float *y, float dot, int64_t cols)
{
    GG_OVER_ARRAY(cols, gradient_element, dx, dy, y, dot);
}

static void backward_wide(float *dx, const float *dy, const float *y, int64_t cols)
{
    double dot = 0.0;
    for (int64_t i = 0; i < cols; i += CHUNK)
        dot += (double)dot_chunk(dy + i, y + i, cols - i < CHUNK ? cols - i : CHUNK);
    gradient_row(dx, dy, y, (float)dot, cols);
}

void GG_KERNEL(softmax_backward)(float *dx, const float *dy, const float *y, int64_t rows, int64_t cols)
{
    if (cols < NARROW)
        for (int64_t r = 0; r < rows; r += GROUP)
            backward_narrow(dx + r * cols, dy + r * cols, y + r * cols, group_rows(rows, r), cols);
    else
        for (int64_t r = 0; r < rows; r++)
            backward_wide(dx + r * cols, dy + r * cols, y + r * cols, cols);
}

static void log_sum_narrow(group_column *shift, group_column *sum, const float *x, int64_t rows, int64_t cols)
{
    float t[NARROW * GROUP];
    group_load(t, x, rows, cols);
    *shift = group_shift(t, cols);
    *sum = group_exp(t, cols, shift);
}

void GG_KERNEL(log_sum_exp)(float *out, const float *x, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r += GROUP) {
        const int64_t height = group_rows(rows, r);
        group_column shift = {{0}}, sum = {{0}}, y;
        if (cols < NARROW)
            log_sum_narrow(&shift, &sum, x + r * cols, height, cols);
        else
            for (int64_t row = 0; row < height; row++) {
                shift.at[row] = row_shift(x + (r + row) * cols, cols);
                sum.at[row] = row_exp(NULL, x + (r + row) * cols, cols, shift.at[row]);
            }
        GG_FOR_LANES (lane, GROUP)
            y.at[lane] = shift.at[lane] + vm_log(sum.at[lane]);
        GG_KERNEL(identity_forward)(out + r, y.at, height, 0.0f);
    }
}
