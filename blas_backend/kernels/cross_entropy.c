/* cross_entropy.c - the loss -sum t log softmax(x) and its gradient in one pass.
 *
 * With shift and sum of softmax_rows.h, -log softmax(x)[c] = (shift - x[c]) + log sum: two terms of one sign where
 * it matters, nothing cancels. Logarithms are taken for a group of rows together. */
#include "softmax_rows.h"

#include <string.h>

/* What a group of rows brings to the loss. */
typedef struct group_loss {
    group_column sum;      /* of e^(x - shift) */
    group_column distance; /* sum of t (shift - x) */
    group_column weight;   /* sum of t; without it a row adds nothing to the loss, whatever its other sums */
} group_loss;

/* loss[lane] += the loss of a row of the group. The sum 0 of a row of -inf is taken as 1: the distance is infinite
 * then. */
static void add_losses(double *loss, const group_loss *g)
{
    group_column log_sum;
    GG_FOR_LANES (lane, GROUP)
        log_sum.at[lane] = vm_log(g->sum.at[lane] == 0.0f ? 1.0f : g->sum.at[lane]);
    GG_FOR_LANES (lane, GROUP) {
        const float weight = g->weight.at[lane];
        const double row = (double)g->distance.at[lane] + (double)weight * (double)log_sum.at[lane];
        loss[lane] += weight == 0.0f ? 0.0 : row;
    }
}

/* The labels of a group; lanes without a row have none. */
typedef struct group_labels {
    int32_t at[GROUP];
} group_labels;

static inline group_labels load_labels(const int32_t *labels, int64_t rows)
{
    group_labels l;
    GG_FOR_LANES (lane, GROUP)
        l.at[lane] = -1;
    memcpy(l.at, labels, (size_t)rows * sizeof *labels);
    return l;
}

/* dx = scale * (softmax - [c == label]), 0 in rows without label. t holds e^(x - shift). */
static void labels_gradient_narrow(float *dx, float *t, const group_column *sum, const group_labels *labels,
                                   int64_t rows, int64_t cols, float scale)
{
    group_column share;
    GG_FOR_LANES (lane, GROUP)
        share.at[lane] = share_of(scale, sum->at[lane]);
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP) {
            const float hit = labels->at[lane] == (int32_t)c ? scale : 0.0f;
            const float slope = t[c * GROUP + lane] * share.at[lane] - hit;
            t[c * GROUP + lane] = labels->at[lane] < 0 ? 0.0f : slope;
        }
    group_store(dx, t, rows, cols);
}

static void labels_narrow(float *dx, group_loss *g, const float *x, const int32_t *labels, int64_t rows, int64_t cols,
                          float scale)
{
    float t[NARROW * GROUP];
    group_column picked = {{0}};
    group_load(t, x, rows, cols);
    const group_labels l = load_labels(labels, rows);
    const group_column shift = group_shift(t, cols);
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP)
            picked.at[lane] = l.at[lane] == (int32_t)c ? t[c * GROUP + lane] : picked.at[lane];
    g->sum = group_exp(t, cols, &shift);
    GG_FOR_LANES (lane, GROUP) {
        g->distance.at[lane] = shift.at[lane] - picked.at[lane];
        g->weight.at[lane] = l.at[lane] < 0 ? 0.0f : 1.0f;
    }
    if (dx != NULL)
        labels_gradient_narrow(dx, t, &g->sum, &l, rows, cols, scale);
}

/* One row, which becomes lane `row` of the group. The label's logit is read before dx, which may be x, is written. */
static void labels_row(float *dx, group_loss *g, int64_t row, const float *x, int32_t label, int64_t cols, float scale)
{
    g->weight.at[row] = label < 0 ? 0.0f : 1.0f;
    if (label < 0) {
        if (dx != NULL)
            GG_KERNEL(fill)(dx, cols, 0.0f);
        return;
    }
    const float shift = row_shift(x, cols);
    g->distance.at[row] = shift - x[label];
    g->sum.at[row] = row_exp(dx, x, cols, shift);
    if (dx != NULL) {
        GG_KERNEL(scale)(dx, cols, share_of(scale, g->sum.at[row]));
        dx[label] -= scale;
    }
}

double GG_KERNEL(cross_entropy)(float *dx, int64_t *counted, const float *x, const int32_t *labels, int64_t rows,
                                int64_t cols, float scale)
{
    double loss[GROUP] = {0};
    int64_t count = 0;
    for (int64_t r = 0; r < rows; r += GROUP) {
        const int64_t height = group_rows(rows, r);
        float *out = dx != NULL ? dx + r * cols : NULL;
        group_loss g = {0};
        if (cols < NARROW)
            labels_narrow(out, &g, x + r * cols, labels + r, height, cols, scale);
        else
            for (int64_t row = 0; row < height; row++)
                labels_row(out != NULL ? out + row * cols : NULL, &g, row, x + (r + row) * cols, labels[r + row], cols,
                           scale);
        add_losses(loss, &g);
        for (int64_t row = 0; row < height; row++)
            count += labels[r + row] >= 0;
    }
    *counted += count;
    GG_FOLD(loss, GROUP, GG_SUM_OF);
    return loss[0];
}

/* t (shift - x), and 0 where t is: also at a logit of -inf. */
GG_INLINE float distance_of(float target, float shift, float x)
{
    return target == 0.0f ? 0.0f : target * (shift - x);
}

/* dx = scale * (softmax * weight - target). t holds e^(x - shift), u the targets. */
static void targets_gradient_narrow(float *dx, float *t, const float *u, const group_loss *g, int64_t rows,
                                    int64_t cols, float scale)
{
    group_column share;
    GG_FOR_LANES (lane, GROUP)
        share.at[lane] = share_of(g->weight.at[lane], g->sum.at[lane]);
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP)
            t[c * GROUP + lane] = scale * (t[c * GROUP + lane] * share.at[lane] - u[c * GROUP + lane]);
    group_store(dx, t, rows, cols);
}

static void targets_narrow(float *dx, group_loss *g, const float *x, const float *targets, int64_t rows, int64_t cols,
                           float scale)
{
    float t[NARROW * GROUP], u[NARROW * GROUP];
    group_load(t, x, rows, cols);
    group_load(u, targets, rows, cols);
    const group_column shift = group_shift(t, cols);
    for (int64_t c = 0; c < cols; c++)
        GG_FOR_LANES (lane, GROUP) {
            g->weight.at[lane] += u[c * GROUP + lane];
            g->distance.at[lane] += distance_of(u[c * GROUP + lane], shift.at[lane], t[c * GROUP + lane]);
        }
    g->sum = group_exp(t, cols, &shift);
    if (dx != NULL)
        targets_gradient_narrow(dx, t, u, g, rows, cols, scale);
}

GG_INLINE void distance_element(int lane, int64_t i, float *weight, float *distance, const float *x,
                                const float *targets, float shift)
{
    weight[lane] += targets[i];
    distance[lane] += distance_of(targets[i], shift, x[i]);
}

typedef struct chunk_sums {
    float weight, distance;
} chunk_sums;

GG_APART chunk_sums distance_chunk(const float *x, const float *targets, int64_t count, float shift)
{
    float weight[LANES], distance[LANES];
    lanes_set(weight, -0.0f);
    lanes_set(distance, -0.0f);
    GG_OVER_LANES(count, distance_element, weight, distance, x, targets, shift);
    const chunk_sums sums = {lanes_total(weight), lanes_total(distance)};
    return sums;
}

GG_INLINE void targets_gradient_element(int64_t i, float *dx, const float *targets, float share, float scale)
{
    dx[i] = scale * (dx[i] * share - targets[i]);
}

GG_APART void targets_gradient_row(float *dx, const float *targets, float share, float scale, int64_t cols)
{
    GG_OVER_ARRAY(cols, targets_gradient_element, dx, targets, share, scale);
}

static void targets_row(float *dx, group_loss *g, int64_t row, const float *x, const float *targets, int64_t cols,
                        float scale)
{
    const float shift = row_shift(x, cols);
    double weight = 0.0, distance = 0.0;
    for (int64_t i = 0; i < cols; i += CHUNK) {
        const chunk_sums sums = distance_chunk(x + i, targets + i, cols - i < CHUNK ? cols - i : CHUNK, shift);
        weight += (double)sums.weight;
        distance += (double)sums.distance;
    }
    g->weight.at[row] = (float)weight;
    g->distance.at[row] = (float)distance;
    g->sum.at[row] = row_exp(dx, x, cols, shift);
    if (dx != NULL)
        targets_gradient_row(dx, targets, share_of(g->weight.at[row], g->sum.at[row]), scale, cols);
}

double GG_KERNEL(cross_entropy_targets)(float *dx, const float *x, const float *targets, int64_t rows, int64_t cols,
                                        float scale)
{
    double loss[GROUP] = {0};
    for (int64_t r = 0; r < rows; r += GROUP) {
        const int64_t height = group_rows(rows, r);
        float *out = dx != NULL ? dx + r * cols : NULL;
        group_loss g = {0};
        if (cols < NARROW)
            targets_narrow(out, &g, x + r * cols, targets + r * cols, height, cols, scale);
        else
            for (int64_t row = 0; row < height; row++)
                targets_row(out != NULL ? out + row * cols : NULL, &g, row, x + (r + row) * cols,
                            targets + (r + row) * cols, cols, scale);
        add_losses(loss, &g);
    }
    GG_FOLD(loss, GROUP, GG_SUM_OF);
    return loss[0];
}
