/* winograd.c - the transforms of the minimal filtering algorithms F(2x2, 3x3) and F(4x4, 3x3), and of F(4x4, 3x3) in
 * steps of two pixels.
 *
 * For a square tile of T x T results y of a 3 x 3 filter g on pixels d, with A = T + 2 points of evaluation:
 *   y  = A^T [(G g G^T) o (B^T d B)] A          d is A x A, o multiplies element by element
 *   dg = G^T [(A dy A^T) o (B^T d B)] G         the gradient of the filter, by the same products
 * Each side is the same map along columns and along rows; a channel or filter is a lane of the vectors, 16 together.
 * A tile first goes through the map along its columns, whose results neighbouring tiles share, and then along its
 * rows. In between it is columns [pixel of the row][A][16], those of one tile: few enough to stay in the first level
 * beside the values that pass through it, and so soon used that sums go on while values wait for the second level.
 *
 * F(2): evaluation at 0, 1, -1 and infinity. F(4): at 0, +-a, +-b and infinity, a = 1 / sqrt 2, b = sqrt 2, whose
 * squares and reciprocals are near to 1: the errors of rounding grow ten times less than with the usual 1 and 2.
 * Row p of the matrices is, with N_p the product of p - q over the other finite points q:
 *   A (1, p, p^2, ...)     G (1, p, p^2) / N_p     B^T the coefficients of the product of x - q over those q
 *   N_0 = 1, N_a = -3/2, N_b = 6; infinity takes the highest power alone, and B^T the product over all points
 *
 * Steps of two: y[t] = g0 d[2t] + g2 d[2t + 2], an F(4, 2) of the even pixels with two taps, plus g1 d[2t + 1], the odd
 * pixels with one. Both are evaluated at +-r and +-s, r = 1 / 2, s = 5 / 4 (N_r = -21/16, N_s = 105/32, with other
 * signs at -r and -s), and the even ones at infinity too, where a filter with one tap is 0. So 9 pixels become 5 values
 * of the even and 4 of the odd ones, 3 taps the same, and the 9 products end in 5 values, from which come the 4
 * results: 81 products in the plane for 144. Of the points that were tried these had the least errors.
 * The gradient of the data: 8 pixels, odd ones first, are the even and odd pixels that see the same 5 of dY, with the
 * taps turned round: dx[2t] = g2 dy[t] + g0 dy[t + 1], and g1 dy[t] one pixel before it. 5 values become 5, and 9
 * products, which share them, become 8 results.
 *
 * Sources: Winograd 1980; Lavin and Gray 2016; Barabasz, Anderson, Soodhalter and Gregg 2020 on the choice of points.
 */
#include "kernel_set.h"

#include <string.h>

enum { WIDTH = 16, TAPS = 3, MOST_VALUES = 9 };

/* A register of channels. The compilers' vector type instead of GG_FOR_LANES: around functions of several results GCC
 * finds no vector loop. */
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));

/* A linear map along one direction; sizes go with the names below. */
typedef void map(vector *to, const vector *from);

/* ---- F(2) ---- */

GG_INLINE void input_2(vector *v, const vector *d)
{
    v[0] = d[0] - d[2];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[1] - d[3];
}

GG_INLINE void output_2(vector *y, const vector *m)
{
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
}

GG_INLINE void gradient_2(vector *m, const vector *dy)
{
    m[0] = dy[0];
    m[1] = dy[0] + dy[1];
    m[2] = dy[0] - dy[1];
    m[3] = -dy[1];
}

GG_INLINE void filter_2(vector *u, const vector *g)
{
    const vector even = 0.5f * (g[0] + g[2]);
    u[0] = g[0];
    u[1] = even + 0.5f * g[1];
    u[2] = even - 0.5f * g[1];
    u[3] = g[2];
}

GG_INLINE void filter_gradient_2(vector *g, const vector *m)
{
    const vector even = 0.5f * (m[1] + m[2]);
    g[0] = m[0] + even;
    g[1] = 0.5f * (m[1] - m[2]);
    g[2] = even + m[3];
}

/* ---- F(4): e and o are the even and the odd part of a polynomial at a and at b ---- */

static const float a = 0.70710678118654752f, b = 1.41421356237309505f;

GG_INLINE void input_4(vector *v, const vector *d)
{
    const vector ea = d[4] - 2.0f * d[2], oa = d[3] - 2.0f * d[1];
    const vector eb = d[4] - 0.5f * d[2], ob = d[3] - 0.5f * d[1];
    v[0] = d[0] - 2.5f * d[2] + d[4];
    v[1] = ea + a * oa;
    v[2] = ea - a * oa;
    v[3] = eb + b * ob;
    v[4] = eb - b * ob;
    v[5] = d[1] - 2.5f * d[3] + d[5];
}

GG_INLINE void output_4(vector *y, const vector *m)
{
    const vector ea = m[1] + m[2], oa = a * (m[1] - m[2]);
    const vector eb = m[3] + m[4], ob = b * (m[3] - m[4]);
    y[0] = m[0] + ea + eb;
    y[1] = oa + ob;
    y[2] = 0.5f * ea + 2.0f * eb;
    y[3] = 0.5f * oa + 2.0f * ob + m[5];
}

GG_INLINE void gradient_4(vector *m, const vector *dy)
{
    const vector ea = dy[0] + 0.5f * dy[2], oa = dy[1] + 0.5f * dy[3];
    const vector eb = dy[0] + 2.0f * dy[2], ob = dy[1] + 2.0f * dy[3];
    m[0] = dy[0];
    m[1] = ea + a * oa;
    m[2] = ea - a * oa;
    m[3] = eb + b * ob;
    m[4] = eb - b * ob;
    m[5] = dy[3];
}

GG_INLINE void filter_4(vector *u, const vector *g)
{
    const vector ea = (-2.0f / 3.0f) * (g[0] + 0.5f * g[2]), oa = (-2.0f / 3.0f) * a * g[1];
    const vector eb = (1.0f / 6.0f) * (g[0] + 2.0f * g[2]), ob = (1.0f / 6.0f) * b * g[1];
    u[0] = g[0];
    u[1] = ea + oa;
    u[2] = ea - oa;
    u[3] = eb + ob;
    u[4] = eb - ob;
    u[5] = g[2];
}

GG_INLINE void filter_gradient_4(vector *g, const vector *m)
{
    const vector ea = (-2.0f / 3.0f) * (m[1] + m[2]), oa = (-2.0f / 3.0f) * (m[1] - m[2]);
    const vector eb = (1.0f / 6.0f) * (m[3] + m[4]), ob = (1.0f / 6.0f) * (m[3] - m[4]);
    g[0] = m[0] + ea + eb;
    g[1] = a * oa + b * ob;
    g[2] = 0.5f * ea + 2.0f * eb + m[5];
}

/* ---- steps of two: at r and -r, at s and -s, and at infinity; then the four points of the odd pixels ---- */

static const float r = 0.5f, s = 1.25f;

enum { EVEN = 5, ODD = 4 };

/* x[0], x[step], x[2 step], x[3 step] at the four finite points. */
GG_INLINE void at_four(vector *v, const vector *x, int step)
{
    const vector e1 = x[2 * step] - s * s * x[0], o1 = x[3 * step] - s * s * x[step];
    const vector e2 = x[2 * step] - r * r * x[0], o2 = x[3 * step] - r * r * x[step];
    v[0] = o1 + r * e1;
    v[1] = o1 - r * e1;
    v[2] = o2 + s * e2;
    v[3] = o2 - s * e2;
}

GG_INLINE void at_five(vector *v, const vector *x, int step)
{
    at_four(v, x, step);
    v[4] = x[4 * step] - (r * r + s * s) * x[2 * step] + r * r * s * s * x[0];
}

GG_INLINE void input_strided(vector *v, const vector *x)
{
    at_five(v, x, 2);
    at_four(v + EVEN, x + 1, 2);
}

GG_INLINE void input_turned(vector *v, const vector *x)
{
    at_five(v, x, 1);
}

/* y[0], y[step], y[2 step], y[3 step] from the four finite points. */
GG_INLINE void from_four(vector *y, const vector *m, int step)
{
    const vector e1 = m[0] + m[1], o1 = r * (m[0] - m[1]);
    const vector e2 = m[2] + m[3], o2 = s * (m[2] - m[3]);
    y[0] = e1 + e2;
    y[step] = o1 + o2;
    y[2 * step] = r * r * e1 + s * s * e2;
    y[3 * step] = r * r * o1 + s * s * o2;
}

GG_INLINE void output_strided(vector *y, const vector *m)
{
    from_four(y, m, 1);
    y[3] += m[4];
}

GG_INLINE void output_turned(vector *y, const vector *m)
{
    from_four(y + 1, m, 2);
    y[7] += m[4];
    from_four(y, m + EVEN, 2);
}

GG_INLINE void gradient_strided(vector *m, const vector *dy)
{
    const vector e1 = dy[0] + r * r * dy[2], o1 = dy[1] + r * r * dy[3];
    const vector e2 = dy[0] + s * s * dy[2], o2 = dy[1] + s * s * dy[3];
    m[0] = e1 + r * o1;
    m[1] = e1 - r * o1;
    m[2] = e2 + s * o2;
    m[3] = e2 - s * o2;
    m[4] = dy[3];
}

GG_INLINE void filter_strided(vector *u, const vector *g)
{
    const vector e1 = (-16.0f / 21.0f) * g[0], o1 = (-16.0f / 21.0f) * r * g[2];
    const vector e2 = (32.0f / 105.0f) * g[0], o2 = (32.0f / 105.0f) * s * g[2];
    u[0] = o1 + e1;
    u[1] = o1 - e1;
    u[2] = o2 + e2;
    u[3] = o2 - e2;
    u[4] = g[2];
    u[5] = (-16.0f / 21.0f) * g[1];
    u[6] = -u[5];
    u[7] = (32.0f / 105.0f) * g[1];
    u[8] = -u[7];
}

GG_INLINE void filter_gradient_strided(vector *g, const vector *m)
{
    g[0] = (-16.0f / 21.0f) * (m[0] - m[1]) + (32.0f / 105.0f) * (m[2] - m[3]);
    g[1] = (-16.0f / 21.0f) * (m[5] - m[6]) + (32.0f / 105.0f) * (m[7] - m[8]);
    g[2] = (-16.0f / 21.0f) * r * (m[0] + m[1]) + (32.0f / 105.0f) * s * (m[2] + m[3]) + m[4];
}

/* ---- a map on groups of channels ---- */

/* `from` groups, source_step apart, become `to` groups. */
GG_INLINE void apply(map *f, int to, int from, float *target, int64_t target_step, const float *source,
                     int64_t source_step)
{
    GG_UNROLL for (int lane = 0; lane < WIDTH; lane += LANES)
    {
        vector x[MOST_VALUES], y[MOST_VALUES];
        GG_UNROLL for (int i = 0; i < from; i++)
        {
            memcpy(&x[i], source + i * source_step + lane, sizeof x[i]);
        }
        f(y, x);
        GG_UNROLL for (int i = 0; i < to; i++)
        {
            memcpy(target + i * target_step + lane, &y[i], sizeof y[i]);
        }
    }
}

/* Pixels (rows row_step apart) of a row of tiles, `from` x `from` of them a tile and the tiles `step` pixels apart, to
 * `values` x `values` vectors, stride apart. Before the pixels come `left` zeros, behind them as many as the tiles
 * need.
 */
GG_INLINE void to_points(map *f, int values, int from, int step, float *v, int64_t stride, int64_t ld,
                         const float *pixels, int64_t row_step, int64_t left, int64_t width, int64_t tiles)
{
    const int column = values * WIDTH, overlap = from - step;
    _Alignas(64) float columns[MOST_VALUES * MOST_VALUES * WIDTH];
    for (int64_t t = 0; t < tiles; t++) {
        if (t > 0)
            memcpy(columns, columns + step * column, (size_t)(overlap * column) * sizeof *columns);
        for (int i = t > 0 ? overlap : 0; i < from; i++) {
            const int64_t x = t * step + i - left;
            if (x < 0 || x >= width)
                memset(columns + i * column, 0, (size_t)column * sizeof *columns);
            else
                apply(f, values, from, columns + i * column, WIDTH, pixels + x * WIDTH, row_step);
        }
        for (int i = 0; i < values; i++)
            apply(f, values, from, v + i * values * stride + t * ld, stride, columns + i * WIDTH, column);
    }
}

GG_INLINE void input_to_points(map *f, gg_winograd_form form, float *v, int64_t stride, int64_t ld, const float *pixels,
                               int64_t row_step, int64_t left, int64_t width, int64_t tiles)
{
    const gg_winograd_sizes n = gg_winograd_sizes_of(form);
    to_points(f, n.inputs, n.pixels, n.step, v, stride, ld, pixels, row_step, left, width, tiles);
}

/* Those of dY do not overlap. */
GG_INLINE void gradient_to_points(map *f, gg_winograd_form form, float *m, int64_t stride, int64_t ld,
                                  const float *pixels, int64_t row_step, int64_t width, int64_t tiles)
{
    const gg_winograd_sizes n = gg_winograd_sizes_of(form);
    to_points(f, n.outputs, n.results, n.results, m, stride, ld, pixels, row_step, 0, width, tiles);
}

/* The first `skipped` results of the row are left out. */
GG_INLINE void from_points(map *f, gg_winograd_form form, float *pixels, int64_t row_step, const float *m,
                           int64_t stride, int64_t ld, int64_t skipped, int64_t width, int64_t tiles)
{
    const gg_winograd_sizes n = gg_winograd_sizes_of(form);
    const int values = n.outputs, to = n.results, column = values * WIDTH;
    _Alignas(64) float columns[MOST_VALUES * MOST_VALUES * WIDTH];
    for (int64_t t = 0; t < tiles; t++) {
        for (int i = 0; i < values; i++)
            apply(f, to, values, columns + i * WIDTH, column, m + i * values * stride + t * ld, stride);
        const int64_t first = t * to - skipped;
        for (int64_t x = first < 0 ? -first : 0; x < to && first + x < width; x++)
            apply(f, to, values, pixels + (first + x) * WIDTH, row_step, columns + x * column, WIDTH);
    }
}

GG_INLINE void filter_to_points(map *f, gg_winograd_form form, float *u, int64_t stride, const float *taps,
                                int64_t step)
{
    const int values = gg_winograd_sizes_of(form).products;
    float half[MOST_VALUES * TAPS * WIDTH];
    for (int j = 0; j < TAPS; j++)
        apply(f, values, TAPS, half + j * WIDTH, TAPS * WIDTH, taps + j * step, TAPS * step);
    for (int i = 0; i < values; i++)
        apply(f, values, TAPS, u + i * values * stride, stride, half + i * TAPS * WIDTH, WIDTH);
}

GG_INLINE void filter_from_points(map *f, gg_winograd_form form, float *taps, const float *m, int64_t stride)
{
    const int values = gg_winograd_sizes_of(form).products;
    float half[MOST_VALUES * TAPS * WIDTH];
    for (int i = 0; i < values; i++)
        apply(f, TAPS, values, half + i * TAPS * WIDTH, WIDTH, m + i * values * stride, stride);
    for (int j = 0; j < TAPS; j++)
        apply(f, TAPS, values, taps + j * WIDTH, TAPS * WIDTH, half + j * WIDTH, TAPS * WIDTH);
}

/* ---- the kernels: constants for the sizes of each form ---- */

void GG_KERNEL(winograd_input)(float *v, int64_t stride, int64_t ld, const float *pixels, int64_t row_step,
                               int64_t left, int64_t width, int64_t tiles, gg_winograd_form form)
{
#define INPUT(f, form) input_to_points(f, form, v, stride, ld, pixels, row_step, left, width, tiles)
    switch (form) {
    case GG_WINOGRAD_2: INPUT(input_2, GG_WINOGRAD_2); break;
    case GG_WINOGRAD_4: INPUT(input_4, GG_WINOGRAD_4); break;
    case GG_WINOGRAD_STRIDED: INPUT(input_strided, GG_WINOGRAD_STRIDED); break;
    case GG_WINOGRAD_STRIDED_TURNED: INPUT(input_turned, GG_WINOGRAD_STRIDED_TURNED); break;
    }
}

void GG_KERNEL(winograd_gradient)(float *m, int64_t stride, int64_t ld, const float *pixels, int64_t row_step,
                                  int64_t width, int64_t tiles, gg_winograd_form form)
{
#define GRADIENT(f, form) gradient_to_points(f, form, m, stride, ld, pixels, row_step, width, tiles)
    if (form == GG_WINOGRAD_2)
        GRADIENT(gradient_2, GG_WINOGRAD_2);
    else if (form == GG_WINOGRAD_4)
        GRADIENT(gradient_4, GG_WINOGRAD_4);
    else
        GRADIENT(gradient_strided, GG_WINOGRAD_STRIDED);
}

void GG_KERNEL(winograd_output)(float *pixels, int64_t row_step, const float *m, int64_t stride, int64_t ld,
                                int64_t skipped, int64_t width, int64_t tiles, gg_winograd_form form)
{
#define OUTPUT(f, form) from_points(f, form, pixels, row_step, m, stride, ld, skipped, width, tiles)
    switch (form) {
    case GG_WINOGRAD_2: OUTPUT(output_2, GG_WINOGRAD_2); break;
    case GG_WINOGRAD_4: OUTPUT(output_4, GG_WINOGRAD_4); break;
    case GG_WINOGRAD_STRIDED: OUTPUT(output_strided, GG_WINOGRAD_STRIDED); break;
    case GG_WINOGRAD_STRIDED_TURNED: OUTPUT(output_turned, GG_WINOGRAD_STRIDED_TURNED); break;
    }
}

void GG_KERNEL(winograd_filter)(float *u, int64_t stride, const float *taps, int64_t step, gg_winograd_form form)
{
    if (form == GG_WINOGRAD_2)
        filter_to_points(filter_2, GG_WINOGRAD_2, u, stride, taps, step);
    else if (form == GG_WINOGRAD_4)
        filter_to_points(filter_4, GG_WINOGRAD_4, u, stride, taps, step);
    else
        filter_to_points(filter_strided, GG_WINOGRAD_STRIDED, u, stride, taps, step);
}

void GG_KERNEL(winograd_filter_gradient)(float *taps, const float *m, int64_t stride, gg_winograd_form form)
{
    if (form == GG_WINOGRAD_2)
        filter_from_points(filter_gradient_2, GG_WINOGRAD_2, taps, m, stride);
    else if (form == GG_WINOGRAD_4)
        filter_from_points(filter_gradient_4, GG_WINOGRAD_4, taps, m, stride);
    else
        filter_from_points(filter_gradient_strided, GG_WINOGRAD_STRIDED, taps, m, stride);
}
