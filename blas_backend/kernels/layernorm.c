/* layernorm.c - layer and RMS normalisation of rows: every row is read from memory once and lies in the first-level
 * cache for the passes behind. */
#include "kernel_set.h"
#include "stream.h"

#include <math.h>

/* Sums run in four registers at once, and over CHUNK floats at most before they are added up in double. */
enum { CHUNK = 4096 };

GG_INLINE void wide_zero(float partial[GG_WIDE])
{
    GG_FOR_LANES (lane, GG_WIDE)
        partial[lane] = -0.0f;
}

GG_INLINE int64_t chunk_at(int64_t i, int64_t cols)
{
    return cols - i < CHUNK ? cols - i : CHUNK;
}

/* ---- forward ---- */

/* Sums of d and d^2 for d = x - origin. */
typedef struct pair {
    float first, second;
} pair;

GG_INLINE void moments_element(int lane, int64_t i, float *first, float *second, const float *x, float origin)
{
    const float d = x[i] - origin;
    first[lane] += d;
    second[lane] += d * d;
}

GG_APART pair moments_chunk(const float *x, int64_t n, float origin)
{
    float first[GG_WIDE], second[GG_WIDE];
    wide_zero(first);
    wide_zero(second);
    GG_OVER_WIDE(n, moments_element, first, second, x, origin);
    GG_FOLD(first, GG_WIDE, GG_SUM_OF);
    GG_FOLD(second, GG_WIDE, GG_SUM_OF);
    return (pair){first[0], second[0]};
}

/* A row's mean (0 for RMS), and 1 / sqrt(mean square of what is left + epsilon). */
typedef struct row_norm {
    float mean, inverse;
} row_norm;

typedef struct moments {
    double first, second; /* means of d and d^2 */
} moments;

static moments moments_of(const float *x, int64_t cols, float origin)
{
    moments m = {0.0, 0.0};
    for (int64_t i = 0; i < cols; i += CHUNK) {
        const pair chunk = moments_chunk(x + i, chunk_at(i, cols), origin);
        m.first += (double)chunk.first;
        m.second += (double)chunk.second;
    }
    m.first /= (double)cols;
    m.second /= (double)cols;
    return m;
}

/* The mean of eight of a row's floats, in pairs, so that a constant row's is that constant. */
static float guessed_mean(const float *x, int64_t cols)
{
    float part[8];
    for (int64_t i = 0; i < 8; i++)
        part[i] = 0.125f * x[i * cols / 8];
    return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

/* The variance is that of differences from a guess at the mean, less the square of what the guess missed: one pass. A
 * guess that missed by more than the standard deviation would cost digits: then again, from the rounded mean. */
static row_norm norm_of(const float *x, int64_t cols, float epsilon, bool rms)
{
    float origin = rms ? 0.0f : guessed_mean(x, cols);
    moments m = moments_of(x, cols, origin);
    if (!rms && 2.0 * m.first * m.first > m.second) {
        origin = (float)((double)origin + m.first);
        m = moments_of(x, cols, origin);
    }
    const double shift = rms ? 0.0 : m.first, spread = m.second - shift * shift;
    const double variance = spread < 0.0 ? 0.0 : spread;
    return (row_norm){(float)((double)origin + shift), (float)(1.0 / sqrt(variance + (double)epsilon))};
}

GG_INLINE float normal_value(int64_t i, const float *x, float mean, float inverse, const float *gamma,
                             const float *beta)
{
    const float plain = (x[i] - mean) * inverse;
    const float scaled = gamma != NULL ? plain * gamma[i] : plain;
    return beta != NULL ? scaled + beta[i] : scaled;
}

GG_INLINE void normal_element(int64_t i, float *y, const float *x, float mean, float inverse, const float *gamma,
                              const float *beta)
{
    y[i] = normal_value(i, x, mean, inverse, gamma, beta);
}

#define NORMALIZE(gamma, beta)                                                     \
    do {                                                                           \
        if (writing == GG_STREAM)                                                  \
            GG_STREAM_ARRAY(cols, y, normal_value, x, mean, inverse, gamma, beta); \
        else                                                                       \
            GG_OVER_ARRAY(cols, normal_element, y, x, mean, inverse, gamma, beta); \
    } while (0)

GG_APART void normalize(float *y, const float *x, int64_t cols, row_norm n, const float *gamma, const float *beta,
                        gg_writing writing)
{
    const float mean = n.mean, inverse = n.inverse;
    if (gamma != NULL && beta != NULL)
        NORMALIZE(gamma, beta);
    else if (gamma != NULL)
        NORMALIZE(gamma, NULL);
    else if (beta != NULL)
        NORMALIZE(NULL, beta);
    else
        NORMALIZE(NULL, NULL);
}

/* Rows of fewer floats are likely found in the second-level cache, where asking gains nothing. */
enum { LEAST_ASKED = 1 << 17 };

/* An ordinary store waits for its line, too. */
static void ask_to_write(float *row, int64_t count)
{
    for (int64_t i = 0; i < count && i < GG_MOST_ASKED; i += GG_LINE)
        __builtin_prefetch(row + i, 1);
}

void GG_KERNEL(norm_rows)(float *y, float *mean, float *inverse, const float *x, const float *gamma, const float *beta,
                          int64_t rows, int64_t cols, float epsilon, bool rms, gg_writing writing)
{
    const bool asks = writing == GG_STREAM || rows * cols >= LEAST_ASKED;
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * cols;
        const int64_t asked = asks && r + 1 < rows ? cols : 0;
        ask_for(row + cols, 0, asked / 2);
        ask_to_write(y + (r + 1) * cols, writing == GG_STREAM ? 0 : asked);
        const row_norm n = norm_of(row, cols, epsilon, rms);
        if (mean != NULL)
            mean[r] = n.mean;
        if (inverse != NULL)
            inverse[r] = n.inverse;
        ask_for(row + cols, asked / 2, asked);
        normalize(y + r * cols, row, cols, n, gamma, beta, writing);
    }
    if (writing == GG_STREAM)
        stream_end();
}

/* ---- backward ---- */

/* Halves of the next rows of dy and x, asked for while this row is summed and while its dx is written, half a line for
 * each line: all at once, they would stand in the way of the rest. NULL: nothing is asked for. */
typedef struct next_rows {
    const float *dy, *x;
} next_rows;

GG_INLINE void ask_for_block(next_rows next, int64_t block)
{
    for (int64_t i = block / 2; i < (block + GG_WIDE) / 2 && next.x != NULL; i += GG_LINE) {
        __builtin_prefetch(next.dy + i);
        __builtin_prefetch(next.x + i);
    }
}

GG_INLINE void ask_for_line(next_rows next, int64_t line)
{
    if (line % GG_WIDE == 0)
        ask_for_block(next, line);
}

static next_rows behind_by(next_rows next, int64_t floats)
{
    return next.x != NULL ? (next_rows){next.dy + floats, next.x + floats} : next;
}

/* Adds to the sums of g and g (x - mean), and to dgamma and dbeta. */
GG_INLINE void sums_element(int lane, int64_t i, float *first, float *second, float *dgamma, float *dbeta,
                            const float *dy, const float *x, row_norm n, const float *gamma)
{
    const float g = gamma != NULL ? dy[i] * gamma[i] : dy[i], d = x[i] - n.mean;
    first[lane] += g;
    second[lane] += g * d;
    if (dgamma != NULL)
        dgamma[i] += dy[i] * (d * n.inverse);
    if (dbeta != NULL)
        dbeta[i] += dy[i];
}

#define SUMS(dgamma, dbeta, gamma) \
    GG_OVER_WIDE_BLOCKS(count, ask_for_block(next, wide_), sums_element, first, second, dgamma, dbeta, dy, x, n, gamma)

GG_APART pair sums_chunk(float *dgamma, float *dbeta, const float *dy, const float *x, int64_t count, row_norm n,
                         const float *gamma, next_rows next)
{
    float first[GG_WIDE], second[GG_WIDE];
    wide_zero(first);
    wide_zero(second);
    if (gamma != NULL && dgamma != NULL && dbeta != NULL)
        SUMS(dgamma, dbeta, gamma);
    else if (gamma != NULL && dgamma != NULL)
        SUMS(dgamma, NULL, gamma);
    else if (gamma != NULL)
        SUMS(NULL, NULL, gamma);
    else if (dgamma != NULL && dbeta != NULL)
        SUMS(dgamma, dbeta, NULL);
    else if (dgamma != NULL)
        SUMS(dgamma, NULL, NULL);
    else
        SUMS(NULL, NULL, NULL);
    if (dgamma == NULL && dbeta != NULL)
        GG_KERNEL(add)(dbeta, dbeta, dy, count);
    GG_FOLD(first, GG_WIDE, GG_SUM_OF);
    GG_FOLD(second, GG_WIDE, GG_SUM_OF);
    return (pair){first[0], second[0]};
}

GG_INLINE float *behind(float *p, int64_t i)
{
    return p != NULL ? p + i : NULL;
}

/* What a row's dx is made with: dx = inverse g - (level + slope (x - mean)). */
typedef struct row_slope {
    float mean, inverse, level, slope;
} row_slope;

GG_INLINE float gradient_value(int64_t i, const float *dy, const float *x, row_slope s, const float *gamma)
{
    const float g = gamma != NULL ? dy[i] * gamma[i] : dy[i];
    return s.inverse * g - (s.level + s.slope * (x[i] - s.mean));
}

GG_INLINE void gradient_element(int64_t i, float *dx, const float *dy, const float *x, row_slope s, const float *gamma,
                                bool accumulate)
{
    const float d = gradient_value(i, dy, x, s, gamma);
    dx[i] = accumulate ? dx[i] + d : d;
}

GG_APART void gradient_row(float *dx, const float *dy, const float *x, int64_t cols, row_slope s, const float *gamma,
                           gg_writing writing, next_rows next)
{
    if (gamma != NULL && writing == GG_STREAM)
        GG_STREAM_LINES(cols, dx, ask_for_line(next, line_), gradient_value, dy, x, s, gamma);
    else if (gamma != NULL && writing == GG_ADD)
        GG_OVER_ARRAY(cols, gradient_element, dx, dy, x, s, gamma, true);
    else if (gamma != NULL)
        GG_OVER_ARRAY(cols, gradient_element, dx, dy, x, s, gamma, false);
    else if (writing == GG_STREAM)
        GG_STREAM_LINES(cols, dx, ask_for_line(next, line_), gradient_value, dy, x, s, NULL);
    else if (writing == GG_ADD)
        GG_OVER_ARRAY(cols, gradient_element, dx, dy, x, s, NULL, true);
    else
        GG_OVER_ARRAY(cols, gradient_element, dx, dy, x, s, NULL, false);
}

/* The row's sums, and its part of dgamma and dbeta. */
static row_slope slope_of(float *dgamma, float *dbeta, const float *dy, const float *x, int64_t cols, row_norm n,
                          const float *gamma, bool rms, next_rows next)
{
    double first = 0.0, second = 0.0;
    for (int64_t i = 0; i < cols; i += CHUNK) {
        const pair sums = sums_chunk(behind(dgamma, i), behind(dbeta, i), dy + i, x + i, chunk_at(i, cols), n,
                                     gamma != NULL ? gamma + i : NULL, behind_by(next, i / 2));
        first += (double)sums.first;
        second += (double)sums.second;
    }
    const double inverse = (double)n.inverse, per = inverse / (double)cols;
    return (row_slope){n.mean, n.inverse, rms ? 0.0f : (float)(per * first), (float)(per * inverse * inverse * second)};
}

void GG_KERNEL(norm_rows_gradient)(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                                   const float *mean, const float *inverse, const float *gamma, int64_t rows,
                                   int64_t cols, bool rms, gg_writing writing)
{
    for (int64_t r = 0; r < rows; r++) {
        const row_norm n = {rms ? 0.0f : mean[r], inverse[r]};
        const float *dy_row = dy + r * cols, *x_row = x + r * cols;
        const bool asks = writing == GG_STREAM && r + 1 < rows && cols <= GG_MOST_ASKED;
        const next_rows next = asks ? (next_rows){dy_row + cols, x_row + cols} : (next_rows){NULL, NULL};
        const row_slope s = slope_of(dgamma, dbeta, dy_row, x_row, cols, n, gamma, rms, next);
        if (dx != NULL)
            gradient_row(dx + r * cols, dy_row, x_row, cols, s, gamma, writing, behind_by(next, cols / 2));
    }
    if (writing == GG_STREAM)
        stream_end();
}
