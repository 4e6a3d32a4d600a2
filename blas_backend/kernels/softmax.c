/* softmax.c - softmax by rows, its gradient, and log-sum-exp. */
#include "softmax_rows.h"
#include "stream.h"

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

GG_INLINE float share_value(int64_t i, const float *e, float share)
{
    return e[i] * share;
}

GG_APART void share_row(float *y, const float *e, float share, int64_t cols)
{
    GG_STREAM_ARRAY(cols, y, share_value, e, share);
}

/* Exponentials wait in the first-level cache for their sum. */
enum { MOST_STREAMED = 4096 };

/* A row whose exponentials wait to be written. */
typedef struct row_on_its_way {
    float *y;
    const float *e;
    float share;
} row_on_its_way;

/* The sum of a row's exponentials, and the largest element of the row behind. */
typedef struct row_found {
    float sum, largest;
} row_found;

/* A row's exponentials, while those of the row before go to memory as y, the row behind is searched for its largest
 * element, and what lies a page further is asked for: a line each in every turn, so that no part of the machine waits
 * for another. */
GG_APART row_found exp_stream(float *e, const float *x, int64_t cols, float shift, row_on_its_way before,
                              const float *behind)
{
    float partial[LANES], largest[LANES];
    lanes_set(partial, -0.0f);
    lanes_set(largest, -INFINITY);
    for (int64_t i = 0; i < cols; i += GG_LINE) {
        float line[GG_LINE];
        __builtin_prefetch(behind + i + GG_AHEAD);
        GG_UNROLL for (int64_t j = i; j < i + GG_LINE; j += LANES)
        {
            GG_FOR_LANES (lane, LANES)
                exp_store_element(lane, j + lane, partial, e, x, shift, vm_exp_nonpositive);
            GG_FOR_LANES (lane, LANES)
                largest_element(lane, j + lane, largest, behind);
        }
        GG_FOR_LANES (lane, GG_LINE)
            line[lane] = share_value(i + lane, before.e, before.share);
        stream_line(before.y + i, line);
    }
    GG_FOLD(largest, LANES, GG_LARGER_OF);
    return (row_found){lanes_total(partial), largest[0]};
}

static void forward_streamed(float *y, const float *x, int64_t rows, int64_t cols)
{
    float e[2][MOST_STREAMED], shift = row_shift(x, cols);
    row_on_its_way before = {0};
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * cols, *behind = r + 1 < rows ? row + cols : row;
        float *powers = e[r % 2], sum;
        if (shift != 0.0f && before.y != NULL) {
            const row_found found = exp_stream(powers, row, cols, shift, before, behind);
            sum = found.sum;
            shift = shift_for(found.largest);
        } else {
            if (before.y != NULL)
                share_row(before.y, before.e, before.share, cols);
            sum = row_exp(powers, row, cols, shift);
            shift = row_shift(behind, cols);
        }
        before = (row_on_its_way){y + r * cols, powers, share_of(1.0f, sum)};
    }
    if (before.y != NULL)
        share_row(before.y, before.e, before.share, cols);
    stream_end();
}

void GG_KERNEL(softmax_forward)(float *y, const float *x, int64_t rows, int64_t cols, gg_writing writing)
{
    if (writing == GG_STREAM && cols >= NARROW && cols <= MOST_STREAMED) {
        forward_streamed(y, x, rows, cols);
        return;
    }
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

GG_INLINE float gradient_value(int64_t i, const float *dy, const float *y, float dot)
{
    return y[i] * (dy[i] - dot);
}

GG_INLINE void gradient_element(int64_t i, float *dx, const float *dy, const float *y, float dot)
{
    dx[i] = gradient_value(i, dy, y, dot);
}

GG_APART float dot_chunk(const float *dy, const float *y, int64_t count)
{
    float partial[LANES];
    lanes_set(partial, -0.0f);
    GG_OVER_LANES(count, dot_element, partial, dy, y);
    return lanes_total(partial);
}

GG_APART void gradient_row(float *dx, const float *dy, const float *y, float dot, int64_t cols, gg_writing writing)
{
    if (writing == GG_STREAM)
        GG_STREAM_ARRAY(cols, dx, gradient_value, dy, y, dot);
    else
        GG_OVER_ARRAY(cols, gradient_element, dx, dy, y, dot);
}

static float row_dot(const float *dy, const float *y, int64_t cols)
{
    double dot = 0.0;
    for (int64_t i = 0; i < cols; i += CHUNK)
        dot += (double)dot_chunk(dy + i, y + i, cols - i < CHUNK ? cols - i : CHUNK);
    return (float)dot;
}

void GG_KERNEL(softmax_backward)(float *dx, const float *dy, const float *y, int64_t rows, int64_t cols,
                                 gg_writing writing)
{
    if (cols < NARROW) {
        for (int64_t r = 0; r < rows; r += GROUP)
            backward_narrow(dx + r * cols, dy + r * cols, y + r * cols, group_rows(rows, r), cols);
        return;
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *dy_row = dy + r * cols, *y_row = y + r * cols;
        const int64_t asked = writing == GG_STREAM && r + 1 < rows ? cols : 0;
        ask_for(dy_row + cols, 0, asked / 2);
        ask_for(y_row + cols, 0, asked / 2);
        const float dot = row_dot(dy_row, y_row, cols);
        ask_for(dy_row + cols, asked / 2, asked);
        ask_for(y_row + cols, asked / 2, asked);
        gradient_row(dx + r * cols, dy_row, y_row, dot, cols, writing);
    }
    if (writing == GG_STREAM)
        stream_end();
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
