/* winograd.c - the transforms of the minimal filtering algorithms F(2x2, 3x3) and F(4x4, 3x3).
 *
 * For a square tile of T x T results y of a 3 x 3 filter g on pixels d, with A = T + 2 points of evaluation:
 *   y  = A^T [(G g G^T) o (B^T d B)] A          d is A x A, o multiplies element by element
 *   dg = G^T [(A dy A^T) o (B^T d B)] G         the gradient of the filter, by the same products
 * Each side is the same map along columns and along rows; a channel or filter is a lane of the vectors, 16 together.
 * A row of tiles first goes through the map along its columns, whose results neighbouring tiles share, and then along
 * its rows. In between it is columns [pixel of the row][A][16].
 *
 * F(2): evaluation at 0, 1, -1 and infinity. F(4): at 0, +-a, +-b and infinity, a = 1 / sqrt 2, b = sqrt 2, whose
 * squares and reciprocals are near to 1: the errors of rounding grow ten times less than with the usual 1 and 2.
 * Row p of the matrices is, with N_p the product of p - q over the other finite points q:
 *   A (1, p, p^2, ...)     G (1, p, p^2) / N_p     B^T the coefficients of the product of x - q over those q
 *   N_0 = 1, N_a = -3/2, N_b = 6; infinity takes the highest power alone, and B^T the product over all points
 *
 * Sources: Winograd 1980; Lavin and Gray 2016; Barabasz, Anderson, Soodhalter and Gregg 2020 on the choice of points.
 */
#include "kernel_set.h"

#include <string.h>

enum { WIDTH = 16, TAPS = 3, MOST_POINTS = 6 };

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

/* ---- a map on groups of channels ---- */

/* `from` groups, source_step apart, become `to` groups. */
GG_INLINE void apply(map *f, int to, int from, float *target, int64_t target_step, const float *source,
                     int64_t source_step)
{
    GG_UNROLL for (int lane = 0; lane < WIDTH; lane += LANES)
    {
        vector x[MOST_POINTS], y[MOST_POINTS];
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

/* Pixels (rows row_step apart) of a row of tiles to its products' operand: `from` x `from` pixels a tile to points x
 * points vectors, stride apart. Before the pixels come `left` zeros, behind them as many as the tiles need. */
GG_INLINE void to_points(map *f, int tile, int from, float *v, int64_t stride, int64_t ld, const float *pixels,
                         int64_t row_step, float *columns, int64_t left, int64_t width, int64_t tiles)
{
    const int points = tile + TAPS - 1, column = points * WIDTH;
    const int64_t end = left + width, all = tiles * tile + from - tile;
    memset(columns, 0, (size_t)(left * column) * sizeof *columns);
    for (int64_t x = 0; x < width; x++)
        apply(f, points, from, columns + (left + x) * column, WIDTH, pixels + x * WIDTH, row_step);
    memset(columns + end * column, 0, (size_t)((all - end) * column) * sizeof *columns);
    for (int64_t t = 0; t < tiles; t++)
        for (int i = 0; i < points; i++)
            apply(f, points, from, v + i * points * stride + t * ld, stride, columns + t * tile * column + i * WIDTH,
                  column);
}

GG_INLINE void from_points(map *f, int tile, float *pixels, int64_t row_step, const float *m, int64_t stride,
                           int64_t ld, float *columns, int64_t width, int64_t tiles)
{
    const int points = tile + TAPS - 1, column = points * WIDTH;
    for (int64_t t = 0; t < tiles; t++)
        for (int i = 0; i < points; i++)
            apply(f, tile, points, columns + t * tile * column + i * WIDTH, column, m + i * points * stride + t * ld,
                  stride);
    for (int64_t x = 0; x < width; x++)
        apply(f, tile, points, pixels + x * WIDTH, row_step, columns + x * column, WIDTH);
}

GG_INLINE void filter_to_points(map *f, int tile, float *u, int64_t stride, const float *taps, int64_t step)
{
    const int points = tile + TAPS - 1;
    float half[MOST_POINTS * TAPS * WIDTH];
    for (int j = 0; j < TAPS; j++)
        apply(f, points, TAPS, half + j * WIDTH, TAPS * WIDTH, taps + j * step, TAPS * step);
    for (int i = 0; i < points; i++)
        apply(f, points, TAPS, u + i * points * stride, stride, half + i * TAPS * WIDTH, WIDTH);
}

GG_INLINE void filter_from_points(map *f, int tile, float *taps, const float *m, int64_t stride)
{
    const int points = tile + TAPS - 1;
    float half[MOST_POINTS * TAPS * WIDTH];
    for (int i = 0; i < points; i++)
        apply(f, TAPS, points, half + i * TAPS * WIDTH, WIDTH, m + i * points * stride, stride);
    for (int j = 0; j < TAPS; j++)
        apply(f, TAPS, points, taps + j * WIDTH, TAPS * WIDTH, half + j * WIDTH, TAPS * WIDTH);
}

/* ---- the kernels: constants for the sizes of each algorithm ---- */

void GG_KERNEL(winograd_input)(float *v, int64_t stride, int64_t ld, const float *pixels, int64_t row_step,
                               float *columns, int64_t left, int64_t width, int64_t tiles, int tile)
{
    if (tile == 2)
        to_points(input_2, 2, 4, v, stride, ld, pixels, row_step, columns, left, width, tiles);
    else
        to_points(input_4, 4, 6, v, stride, ld, pixels, row_step, columns, left, width, tiles);
}

void GG_KERNEL(winograd_gradient)(float *m, int64_t stride, int64_t ld, const float *pixels, int64_t row_step,
                                  float *columns, int64_t width, int64_t tiles, int tile)
{
    if (tile == 2)
        to_points(gradient_2, 2, 2, m, stride, ld, pixels, row_step, columns, 0, width, tiles);
    else
        to_points(gradient_4, 4, 4, m, stride, ld, pixels, row_step, columns, 0, width, tiles);
}

void GG_KERNEL(winograd_output)(float *pixels, int64_t row_step, const float *m, int64_t stride, int64_t ld,
                                float *columns, int64_t width, int64_t tiles, int tile)
{
    if (tile == 2)
        from_points(output_2, 2, pixels, row_step, m, stride, ld, columns, width, tiles);
    else
        from_points(output_4, 4, pixels, row_step, m, stride, ld, columns, width, tiles);
}

void GG_KERNEL(winograd_filter)(float *u, int64_t stride, const float *taps, int64_t step, int tile)
{
    if (tile == 2)
        filter_to_points(filter_2, 2, u, stride, taps, step);
    else
        filter_to_points(filter_4, 4, u, stride, taps, step);
}

void GG_KERNEL(winograd_filter_gradient)(float *taps, const float *m, int64_t stride, int tile)
{
    if (tile == 2)
        filter_from_points(filter_gradient_2, 2, taps, m, stride);
    else
        filter_from_points(filter_gradient_4, 4, taps, m, stride);
}
