/* reference_attend.c - see reference_attend.h. */
#include "reference_attend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference_attention.h"

static double *numbers(int64_t n)
{
    return calloc((size_t)n + 1, sizeof(double));
}

static int64_t at(const reference_pass *p, int64_t n, int64_t t, int64_t steps, int64_t features)
{
    return (p->attend->batch_first ? n * steps + t : t * p->batch + n) * features;
}

/* ---- several heads ---- */

static gg_attention_strides strides(const reference_pass *p, int64_t steps, int64_t features)
{
    return p->attend->batch_first ? (gg_attention_strides){steps * features, features}
                                  : (gg_attention_strides){features, p->batch * features};
}

/* y into `o` and its magnitude, or dx and theirs. */
static void heads(const reference_pass *p, double *y, double *y_magnitude, double *const dx[3], double *const size[3])
{
    const reference_attend *a = p->attend;
    const int64_t q = a->heads * a->width, kv = a->kv_heads * a->width, all = a->fused ? q + 2 * kv : 0;
    const double *k = a->fused ? p->x[0] + q : p->x[1], *v = a->fused ? k + kv : p->x[2];
    double *lse = numbers(p->batch * a->heads * p->queries);
    const reference_attention call = {
        .shape = {.samples = p->batch,
                  .heads = a->heads,
                  .kv_heads = a->kv_heads,
                  .queries = p->queries,
                  .keys = p->keys,
                  .width = a->width,
                  .q = strides(p, p->queries, a->fused ? all : q),
                  .k = strides(p, p->keys, a->fused ? all : kv),
                  .v = strides(p, p->keys, a->fused ? all : kv),
                  .o = strides(p, p->queries, q)},
        .options = {.scale = (float)a->scale, .causal = a->causal, .key_lengths = p->labels},
        .q = p->x[0],
        .k = k,
        .v = v,
        .d_o = p->dy,
        .o = y,
        .o_magnitude = y_magnitude,
        .lse = lse,
        .dq = dx[0],
        .dk = a->fused && dx[0] != NULL ? dx[0] + q : dx[1],
        .dv = a->fused && dx[0] != NULL ? dx[0] + q + kv : dx[2],
        .dq_magnitude = size[0],
        .dk_magnitude = a->fused && size[0] != NULL ? size[0] + q : size[1],
        .dv_magnitude = a->fused && size[0] != NULL ? size[0] + q + kv : size[2],
    };
    if (dx[0] != NULL)
        reference_attention_backward(&call);
    else
        reference_attention_forward(&call);
    free(lse);
}

static double *const NONE[3] = {NULL, NULL, NULL};

static int64_t y_floats(const reference_pass *p)
{
    return p->batch * p->queries * p->attend->heads * p->attend->width;
}

static void heads_forward(const reference_pass *p)
{
    double *magnitude = numbers(y_floats(p));
    heads(p, p->y, magnitude, NONE, NONE);
    free(magnitude);
}

static void heads_forward_magnitude(const reference_pass *p)
{
    double *y = numbers(y_floats(p));
    heads(p, y, p->y, NONE, NONE);
    free(y);
}

static void heads_flow(const reference_pass *p, bool magnitude)
{
    const reference_attend *a = p->attend;
    const int64_t steps = p->queries > p->keys ? p->queries : p->keys;
    const int64_t floats = p->batch * steps * (a->heads + 2 * a->kv_heads) * a->width;
    double *o = numbers(y_floats(p)), *o_magnitude = numbers(y_floats(p));
    double *const other[3] = {numbers(floats), numbers(floats), numbers(floats)};
    double *const dx[3] = {p->dx[0], p->dx[1], p->dx[2]};
    heads(p, o, o_magnitude, magnitude ? other : dx, magnitude ? dx : other);
    for (int i = 0; i < 3; i++)
        free(other[i]);
    free(o);
    free(o_magnitude);
}

static void heads_backward(const reference_pass *p)
{
    heads_flow(p, false);
}

static void heads_backward_magnitude(const reference_pass *p)
{
    heads_flow(p, true);
}

const reference_layer reference_attention_heads = {"attention", heads_forward, heads_backward, heads_forward_magnitude,
                                                   heads_backward_magnitude};

/* ---- scores: calls `term` for each sample, query, key and feature, with where their numbers stand ---- */

typedef struct place {
    int64_t s, q, k, feature;
} place;

static void over_scores(const reference_pass *p, int64_t features,
                        void (*term)(const reference_pass *p, const place *i))
{
    for (int64_t n = 0; n < p->batch; n++)
        for (int64_t t = 0; t < p->queries; t++)
            for (int64_t j = 0; j < p->keys; j++)
                for (int64_t f = 0; f < features; f++)
                    term(p, &(place){(n * p->queries + t) * p->keys + j, at(p, n, t, p->queries, features) + f,
                                     at(p, n, j, p->keys, features) + f, f});
}

static void clear_scores(const reference_pass *p)
{
    memset(p->y, 0, (size_t)(p->batch * p->queries * p->keys) * sizeof *p->y);
}

static void clear_gradients(const reference_pass *p, int64_t features)
{
    memset(p->dx[0], 0, (size_t)(p->batch * p->queries * features) * sizeof(double));
    memset(p->dx[1], 0, (size_t)(p->batch * p->keys * features) * sizeof(double));
}

static void dot_term(const reference_pass *p, const place *i)
{
    p->y[i->s] += p->attend->scale * p->x[0][i->q] * p->x[1][i->k];
}

static void dot_back(const reference_pass *p, const place *i)
{
    p->dx[0][i->q] += p->attend->scale * p->dy[i->s] * p->x[1][i->k];
    p->dx[1][i->k] += p->attend->scale * p->dy[i->s] * p->x[0][i->q];
}

static void dot_forward(const reference_pass *p)
{
    clear_scores(p);
    over_scores(p, p->columns, dot_term);
}

static void dot_backward(const reference_pass *p)
{
    clear_gradients(p, p->columns);
    over_scores(p, p->columns, dot_back);
}

const reference_layer reference_attention_dot = {"attention_dot", dot_forward, dot_backward, NULL, NULL};

static void additive_term(const reference_pass *p, const place *i)
{
    p->y[i->s] += p->w[i->feature] * tanh(p->x[0][i->q] + p->x[1][i->k]);
}

/* How far a rounded z is from tanh(q + k). */
static double z_magnitude(const reference_pass *p, const place *i, double z)
{
    return fabs(z) + (1 - z * z) * (fabs(p->x[0][i->q]) + fabs(p->x[1][i->k]));
}

static void additive_term_magnitude(const reference_pass *p, const place *i)
{
    p->y[i->s] += fabs(p->w[i->feature]) * z_magnitude(p, i, tanh(p->x[0][i->q] + p->x[1][i->k]));
}

static void additive_back(const reference_pass *p, const place *i)
{
    const double z = tanh(p->x[0][i->q] + p->x[1][i->k]), dz = p->dy[i->s] * p->w[i->feature] * (1 - z * z);
    p->dx[0][i->q] += dz;
    p->dx[1][i->k] += dz;
    p->dw[i->feature] += p->dy[i->s] * z;
}

static void additive_back_magnitude(const reference_pass *p, const place *i)
{
    const double z = tanh(p->x[0][i->q] + p->x[1][i->k]), size = z_magnitude(p, i, z), dy = fabs(p->dy[i->s]);
    const double dz = dy * fabs(p->w[i->feature]) * (1 + size);
    p->dx[0][i->q] += dz;
    p->dx[1][i->k] += dz;
    p->dw[i->feature] += dy * size;
}

static void additive_forward(const reference_pass *p)
{
    clear_scores(p);
    over_scores(p, p->columns, additive_term);
}

static void additive_forward_magnitude(const reference_pass *p)
{
    clear_scores(p);
    over_scores(p, p->columns, additive_term_magnitude);
}

static void additive_flow(const reference_pass *p, void (*term)(const reference_pass *p, const place *i))
{
    clear_gradients(p, p->columns);
    memset(p->dw, 0, (size_t)p->columns * sizeof *p->dw);
    over_scores(p, p->columns, term);
}

static void additive_backward(const reference_pass *p)
{
    additive_flow(p, additive_back);
}

static void additive_backward_magnitude(const reference_pass *p)
{
    additive_flow(p, additive_back_magnitude);
}

const reference_layer reference_attention_additive = {"attention_additive", additive_forward, additive_backward,
                                                      additive_forward_magnitude, additive_backward_magnitude};

static void location_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->batch * p->queries * p->keys; i++) {
        const int64_t j = i % p->keys, t = i / p->keys % p->queries, n = i / p->keys / p->queries;
        p->y[i] = p->x[0][at(p, n, t, p->queries, p->columns) + j];
    }
}

static void location_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->batch * p->queries * p->columns; i++)
        p->dx[0][i] = 0;
    for (int64_t i = 0; i < p->batch * p->queries * p->keys; i++) {
        const int64_t j = i % p->keys, t = i / p->keys % p->queries, n = i / p->keys / p->queries;
        p->dx[0][at(p, n, t, p->queries, p->columns) + j] = p->dy[i];
    }
}

const reference_layer reference_attention_location = {"attention_location", location_forward, location_backward, NULL,
                                                      NULL};

/* ---- weights ---- */

/* One row: its keys that count, its center in keys, the range of its visible scores, and the softmax of them. */
typedef struct weight_row {
    double counted, center, range;
    double *p; /* 0 where hidden */
} weight_row;

static bool is_visible(const reference_pass *p, const weight_row *r, int64_t t, int64_t j)
{
    const reference_attend *a = p->attend;
    return (double)j < r->counted && (!a->causal || j <= t)
           && (a->half_width <= 0 || fabs((double)j - r->center) <= a->half_width);
}

static double gauss(const reference_pass *p, const weight_row *r, int64_t j)
{
    const double distance = ((double)j - r->center) / (p->attend->half_width / 2);
    return p->attend->predictive ? exp(-distance * distance / 2) : 1;
}

/* What rounding of the scores, of the center and of the distance to it make of a weight. */
static double weight_magnitude(const reference_pass *p, const weight_row *r, int64_t j)
{
    const double width = p->attend->half_width / 2, distance = fabs((double)j - r->center);
    return 1 + r->range + (p->attend->predictive ? distance * (distance + r->center) / (width * width) : 0);
}

static weight_row look_at(const reference_pass *p, int64_t n, int64_t t)
{
    const double *s = p->x[0] + (n * p->queries + t) * p->keys;
    weight_row r = {.counted = (double)(p->labels != NULL ? p->labels[n] : p->keys), .p = numbers(p->keys)};
    double largest = -INFINITY, smallest = INFINITY, sum = 0;
    r.center = p->attend->predictive ? r.counted * p->x[1][at(p, n, t, p->queries, 1)] : (double)t;
    for (int64_t j = 0; j < p->keys; j++)
        if (is_visible(p, &r, t, j)) {
            largest = fmax(largest, s[j]);
            smallest = fmin(smallest, s[j]);
        }
    for (int64_t j = 0; j < p->keys; j++)
        if (is_visible(p, &r, t, j))
            sum += r.p[j] = exp(s[j] - largest);
    for (int64_t j = 0; j < p->keys && sum > 0; j++)
        r.p[j] /= sum;
    r.range = sum > 0 ? largest - smallest : 0;
    return r;
}

static void weights_flow_forward(const reference_pass *p, bool magnitude)
{
    for (int64_t i = 0; i < p->batch * p->queries; i++) {
        const weight_row r = look_at(p, i / p->queries, i % p->queries);
        for (int64_t j = 0; j < p->keys; j++)
            p->y[i * p->keys + j] = r.p[j] * gauss(p, &r, j) * (magnitude ? weight_magnitude(p, &r, j) : 1);
        free(r.p);
    }
}

static void weights_forward(const reference_pass *p)
{
    weights_flow_forward(p, false);
}

static void weights_forward_magnitude(const reference_pass *p)
{
    weights_flow_forward(p, true);
}

static void weights_flow(const reference_pass *p, bool magnitude)
{
    for (int64_t i = 0; i < p->batch * p->queries; i++) {
        const weight_row r = look_at(p, i / p->queries, i % p->queries);
        const double width = p->attend->half_width / 2;
        double along = 0, center = 0;
        for (int64_t j = 0; j < p->keys; j++) {
            const double da = p->dy[i * p->keys + j], distance = (double)j - r.center;
            const double size = weight_magnitude(p, &r, j);
            along += r.p[j] * gauss(p, &r, j) * (magnitude ? fabs(da) * size : da);
            center += r.p[j] * gauss(p, &r, j) / (width * width)
                      * (magnitude ? fabs(da) * size * (fabs(distance) + r.center) : da * distance);
        }
        for (int64_t j = 0; j < p->keys; j++) {
            const double dp = p->dy[i * p->keys + j] * gauss(p, &r, j);
            p->dx[0][i * p->keys + j] =
                r.p[j] * (magnitude ? (fabs(dp) + along) * weight_magnitude(p, &r, j) : dp - along);
        }
        if (p->attend->predictive)
            p->dx[1][at(p, i / p->queries, i % p->queries, p->queries, 1)] = r.counted * center;
        free(r.p);
    }
}

static void weights_backward(const reference_pass *p)
{
    weights_flow(p, false);
}

static void weights_backward_magnitude(const reference_pass *p)
{
    weights_flow(p, true);
}

const reference_layer reference_attention_weights = {"attention_weights", weights_forward, weights_backward,
                                                     weights_forward_magnitude, weights_backward_magnitude};

/* ---- context: x[0] = A, x[1] = V, of p->out features ---- */

static void context_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->batch * p->queries * p->out; i++) {
        const int64_t f = i % p->out, t = i / p->out % p->queries, n = i / p->out / p->queries;
        double sum = 0;
        for (int64_t j = 0; j < p->keys; j++)
            sum += p->x[0][(n * p->queries + t) * p->keys + j] * p->x[1][at(p, n, j, p->keys, p->out) + f];
        p->y[at(p, n, t, p->queries, p->out) + f] = sum;
    }
}

static void context_backward(const reference_pass *p)
{
    memset(p->dx[0], 0, (size_t)(p->batch * p->queries * p->keys) * sizeof(double));
    memset(p->dx[1], 0, (size_t)(p->batch * p->keys * p->out) * sizeof(double));
    for (int64_t i = 0; i < p->batch * p->queries * p->keys; i++) {
        const int64_t j = i % p->keys, t = i / p->keys % p->queries, n = i / p->keys / p->queries;
        for (int64_t f = 0; f < p->out; f++) {
            const double dy = p->dy[at(p, n, t, p->queries, p->out) + f];
            p->dx[0][i] += dy * p->x[1][at(p, n, j, p->keys, p->out) + f];
            p->dx[1][at(p, n, j, p->keys, p->out) + f] += dy * p->x[0][i];
        }
    }
}

const reference_layer reference_attention_context = {"attention_context", context_forward, context_backward, NULL,
                                                     NULL};
