/* norm.c - batch normalisation: sums of a channel in double, and the passes that use them.
 *
 * A channel's values lie either one behind the other, a plane of an image (..._plane), or a row of `ld` floats apart,
 * many channels side by side (..._columns, for values without an image). */
#include "kernel_set.h"

/* Two sums at once, in two registers of floats each: what the registers have room for in double. */
enum { STREAMS = 2, WIDE = STREAMS * LANES };

/* y = scale (x - mean) + shift, one channel's numbers. Forward and backward share it, to the same bits: backward asks
 * for the sign that forward saw. */
GG_INLINE float normal(float x, float mean, float scale, float shift)
{
    return (x - mean) * scale + shift;
}

GG_INLINE float rectified(float y)
{
    return y <= 0.0f ? 0.0f : y; /* NaN stays */
}

/* The gradient behind a fused ReLU. */
GG_INLINE float behind(float dy, float x, float mean, float scale, float shift, bool relu)
{
    return relu && !(normal(x, mean, scale, shift) > 0.0f) ? 0.0f : dy;
}

/* ---- planes ---- */

GG_INLINE void moments_element(int lane, int64_t i, double *first, double *second, const float *x, float origin)
{
    const double d = (double)x[i] - (double)origin;
    first[lane] += d;
    second[lane] += d * d;
}

void GG_KERNEL(moments_plane)(double sums[2], const float *x, int64_t n, float origin)
{
    double first[WIDE], second[WIDE];
    GG_FOR_LANES (lane, WIDE)
        first[lane] = second[lane] = -0.0;
    int64_t i = 0;
    for (; i + WIDE <= n; i += WIDE)
        GG_FOR_LANES (lane, WIDE)
            moments_element(lane, i + lane, first, second, x, origin);
    GG_OVER_LANES(n - i, moments_element, first, second, x + i, origin);
    GG_FOLD(first, WIDE, GG_SUM_OF);
    GG_FOLD(second, WIDE, GG_SUM_OF);
    sums[0] += first[0];
    sums[1] += second[0];
}

GG_INLINE void normal_element(int64_t i, float *y, const float *x, float mean, float scale, float shift, bool relu)
{
    const float value = normal(x[i], mean, scale, shift);
    y[i] = relu ? rectified(value) : value;
}

void GG_KERNEL(normalize_plane)(float *y, const float *x, int64_t n, float mean, float scale, float shift, bool relu)
{
    if (relu)
        GG_OVER_ARRAY(n, normal_element, y, x, mean, scale, shift, true);
    else
        GG_OVER_ARRAY(n, normal_element, y, x, mean, scale, shift, false);
}

GG_INLINE void gradients_element(int lane, int64_t i, double *first, double *second, const float *dy, const float *x,
                                 float mean, float scale, float shift, bool relu)
{
    const double g = (double)behind(dy[i], x[i], mean, scale, shift, relu);
    first[lane] += g;
    second[lane] += g * (double)(x[i] - mean);
}

GG_INLINE void gradient_sums(double sums[2], const float *dy, const float *x, int64_t n, float mean, float scale,
                             float shift, bool relu)
{
    double first[WIDE], second[WIDE];
    GG_FOR_LANES (lane, WIDE)
        first[lane] = second[lane] = -0.0;
    int64_t i = 0;
    for (; i + WIDE <= n; i += WIDE)
        GG_FOR_LANES (lane, WIDE)
            gradients_element(lane, i + lane, first, second, dy, x, mean, scale, shift, relu);
    GG_OVER_LANES(n - i, gradients_element, first, second, dy + i, x + i, mean, scale, shift, relu);
    GG_FOLD(first, WIDE, GG_SUM_OF);
    GG_FOLD(second, WIDE, GG_SUM_OF);
    sums[0] += first[0];
    sums[1] += second[0];
}

void GG_KERNEL(norm_sums_plane)(double sums[2], const float *dy, const float *x, int64_t n, float mean, float scale,
                                float shift, bool relu)
{
    if (relu)
        gradient_sums(sums, dy, x, n, mean, scale, shift, true);
    else
        gradient_sums(sums, dy, x, n, mean, scale, shift, false);
}

GG_INLINE void norm_gradient_element(int64_t i, float *dx, const float *dy, const float *x, float mean, float scale,
                                     float shift, float slope, float level, bool relu, bool accumulate)
{
    const float g = scale * behind(dy[i], x[i], mean, scale, shift, relu) + (slope * (x[i] - mean) + level);
    dx[i] = accumulate ? dx[i] + g : g;
}

void GG_KERNEL(norm_gradient_plane)(float *dx, const float *dy, const float *x, int64_t n, float mean, float scale,
                                    float shift, float slope, float level, bool relu, bool accumulate)
{
    if (relu && accumulate)
        GG_OVER_ARRAY(n, norm_gradient_element, dx, dy, x, mean, scale, shift, slope, level, true, true);
    else if (relu)
        GG_OVER_ARRAY(n, norm_gradient_element, dx, dy, x, mean, scale, shift, slope, level, true, false);
    else if (accumulate)
        GG_OVER_ARRAY(n, norm_gradient_element, dx, dy, x, mean, scale, shift, slope, level, false, true);
    else
        GG_OVER_ARRAY(n, norm_gradient_element, dx, dy, x, mean, scale, shift, slope, level, false, false);
}

/* ---- columns: a channel a lane ---- */

/* At most LANES channels of `ld` apart; `count` is LANES but for the last ones. */
GG_INLINE void moments_lanes(int64_t count, double *first, double *second, const float *x, int64_t ld, int64_t rows,
                             const float *origin)
{
    double a[LANES], b[LANES];
    GG_FOR_LANES (lane, LANES)
        a[lane] = b[lane] = 0.0;
    for (int64_t r = 0; r < rows; r++)
        GG_FOR_LANES (lane, LANES)
            if (lane < count)
                moments_element(lane, 0, a, b, x + r * ld + lane, origin[lane]);
    for (int64_t lane = 0; lane < count; lane++) {
        first[lane] = a[lane];
        second[lane] = b[lane];
    }
}

void GG_KERNEL(moments_columns)(double *first, double *second, const float *x, int64_t ld, int64_t rows,
                                int64_t columns, const float *origin)
{
    int64_t c = 0;
    for (; c + LANES <= columns; c += LANES)
        moments_lanes(LANES, first + c, second + c, x + c, ld, rows, origin + c);
    if (c < columns)
        moments_lanes(columns - c, first + c, second + c, x + c, ld, rows, origin + c);
}

GG_INLINE void normal_column(int64_t c, float *y, const float *x, const float *mean, const float *scale,
                             const float *shift, bool relu)
{
    const float value = normal(x[c], mean[c], scale[c], shift[c]);
    y[c] = relu ? rectified(value) : value;
}

GG_APART void normalize_row(float *y, const float *x, int64_t columns, const gg_norm_columns *n, bool relu)
{
    const float *mean = n->mean, *scale = n->scale, *shift = n->shift;
    if (relu)
        GG_OVER_ARRAY(columns, normal_column, y, x, mean, scale, shift, true);
    else
        GG_OVER_ARRAY(columns, normal_column, y, x, mean, scale, shift, false);
}

void GG_KERNEL(normalize_columns)(float *y, const float *x, int64_t ld, int64_t rows, int64_t columns,
                                  const gg_norm_columns *n, bool relu)
{
    for (int64_t r = 0; r < rows; r++)
        normalize_row(y + r * ld, x + r * ld, columns, n, relu);
}

GG_INLINE void norm_sums_lanes(int64_t count, double *first, double *second, const float *dy, const float *x,
                               int64_t ld, int64_t rows, const float *mean, const float *scale, const float *shift,
                               bool relu)
{
    double a[LANES], b[LANES];
    GG_FOR_LANES (lane, LANES)
        a[lane] = b[lane] = 0.0;
    for (int64_t r = 0; r < rows; r++)
        GG_FOR_LANES (lane, LANES)
            if (lane < count) {
                const float value = x[r * ld + lane];
                const double g = (double)behind(dy[r * ld + lane], value, mean[lane], scale[lane], shift[lane], relu);
                a[lane] += g;
                b[lane] += g * (double)(value - mean[lane]);
            }
    for (int64_t lane = 0; lane < count; lane++) {
        first[lane] = a[lane];
        second[lane] = b[lane];
    }
}

void GG_KERNEL(norm_sums_columns)(double *first, double *second, const float *dy, const float *x, int64_t ld,
                                  int64_t rows, int64_t columns, const gg_norm_columns *n, bool relu)
{
    int64_t c = 0;
    for (; c + LANES <= columns; c += LANES)
        norm_sums_lanes(LANES, first + c, second + c, dy + c, x + c, ld, rows, n->mean + c, n->scale + c, n->shift + c,
                        relu);
    if (c < columns)
        norm_sums_lanes(columns - c, first + c, second + c, dy + c, x + c, ld, rows, n->mean + c, n->scale + c,
                        n->shift + c, relu);
}

GG_INLINE void norm_gradient_column(int64_t c, float *dx, const float *dy, const float *x, const float *mean,
                                    const float *scale, const float *shift, const float *slope, const float *level,
                                    bool relu, bool accumulate)
{
    norm_gradient_element(c, dx, dy, x, mean[c], scale[c], shift[c], slope[c], level[c], relu, accumulate);
}

GG_INLINE void norm_gradient_row(float *dx, const float *dy, const float *x, int64_t columns, const gg_norm_columns *n,
                                 bool relu, bool accumulate)
{
    const float *mean = n->mean, *scale = n->scale, *shift = n->shift, *slope = n->slope, *level = n->level;
    GG_OVER_ARRAY(columns, norm_gradient_column, dx, dy, x, mean, scale, shift, slope, level, relu, accumulate);
}

void GG_KERNEL(norm_gradient_columns)(float *dx, const float *dy, const float *x, int64_t ld, int64_t rows,
                                      int64_t columns, const gg_norm_columns *n, bool relu, bool accumulate)
{
    for (int64_t r = 0; r < rows; r++, dx += ld, dy += ld, x += ld)
        if (relu && accumulate)
            norm_gradient_row(dx, dy, x, columns, n, true, true);
        else if (relu)
            norm_gradient_row(dx, dy, x, columns, n, true, false);
        else if (accumulate)
            norm_gradient_row(dx, dy, x, columns, n, false, true);
        else
            norm_gradient_row(dx, dy, x, columns, n, false, false);
}
