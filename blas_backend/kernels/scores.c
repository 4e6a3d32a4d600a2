/* scores.c - a vector against a few others: dot products, weighted sums, multiples; and the logistic loss. */
#include "kernel_set.h"
#include "vecmath.h"

/* Rows of the set that share one load of h: enough sums at once to hide the latency of the addition. */
enum { TOGETHER = 4 };

typedef struct dot_sums {
    float at[LANES];
} dot_sums;

GG_INLINE float dot_total(dot_sums *sum)
{
    GG_FOLD(sum->at, LANES, GG_SUM_OF);
    return sum->at[0];
}

/* `rows` sums at once; a constant, so that they stay in registers. */
GG_INLINE void dot_block(float *s, const float *h, const float *e, int64_t cols, int rows)
{
    dot_sums sums[TOGETHER];
    GG_UNROLL for (int r = 0; r < rows; r++) GG_FOR_LANES (lane, LANES) sums[r].at[lane] = 0.0f;
    int64_t i = 0;
    for (; i + LANES <= cols; i += LANES)
        GG_UNROLL for (int r = 0; r < rows; r++) GG_FOR_LANES (lane, LANES) sums[r].at[lane] +=
            h[i + lane] * e[r * cols + i + lane];
    if (i < cols)
        GG_UNROLL for (int r = 0; r < rows; r++) GG_FOR_LANES (lane, LANES) if (lane < cols - i) sums[r].at[lane] +=
            h[i + lane] * e[r * cols + i + lane];
    GG_UNROLL for (int r = 0; r < rows; r++) s[r] = dot_total(&sums[r]);
}

void GG_KERNEL(dot_rows)(float *s, const float *h, const float *e, int64_t count, int64_t cols)
{
    int64_t c = 0;
    for (; c + TOGETHER <= count; c += TOGETHER)
        dot_block(s + c, h, e + c * cols, cols, TOGETHER);
    for (; c < count; c++)
        dot_block(s + c, h, e + c * cols, cols, 1);
}

GG_INLINE void multiple_element(int64_t i, float *y, const float *x, float factor)
{
    y[i] = factor * x[i];
}

GG_APART void multiple(float *y, const float *x, int64_t n, float factor, bool accumulate)
{
    if (accumulate)
        GG_KERNEL(axpy)(y, x, n, factor);
    else
        GG_OVER_ARRAY(n, multiple_element, y, x, factor);
}

void GG_KERNEL(combine_rows)(float *y, const float *g, const float *e, int64_t count, int64_t cols, float factor,
                             bool accumulate)
{
    if (count == 0 && !accumulate)
        GG_KERNEL(fill)(y, cols, 0.0f);
    for (int64_t c = 0; c < count; c++)
        multiple(y, e + c * cols, cols, g != NULL ? factor * g[c] : factor, accumulate || c > 0);
}

void GG_KERNEL(spread_rows)(float *de, const float *g, const float *h, int64_t count, int64_t cols, float factor,
                            bool accumulate)
{
    for (int64_t c = 0; c < count; c++)
        multiple(de + c * cols, h, cols, g != NULL ? factor * g[c] : factor, accumulate);
}

/* With z the score against the label: log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), slope sigmoid(z). */
GG_INLINE void loss_element(int lane, int64_t i, double *sums, float *g, const float *s, const int32_t *labels,
                            float scale)
{
    const float score = s[i], z = labels[i] == 1 ? -score : score;
    const float above = z <= 0.0f ? 0.0f : z; /* NaN stays */
    const float loss = above + vm_log(1.0f + vm_exp(-fabsf(z)));
    const float slope = scale * vm_sigmoid(z);
    sums[lane] += labels[i] < 0 ? 0.0 : (double)loss;
    const float signed_slope = labels[i] == 1 ? -slope : slope;
    if (g != NULL)
        g[i] = labels[i] < 0 ? 0.0f : signed_slope;
}

double GG_KERNEL(logistic_loss)(float *g, const float *s, const int32_t *labels, int64_t n, float scale)
{
    double sums[LANES];
    GG_FOR_LANES (lane, LANES)
        sums[lane] = 0.0;
    GG_OVER_LANES(n, loss_element, sums, g, s, labels, scale);
    GG_FOLD(sums, LANES, GG_SUM_OF);
    return sums[0];
}
