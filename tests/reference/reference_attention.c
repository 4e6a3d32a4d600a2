/* reference_attention.c - see reference_attention.h. */
#include "reference_attention.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Weights below e^-88 may count as 0. */
static const double LEAST_WEIGHT = 6.1e-39 / (double)FLT_EPSILON;

static int64_t at(const gg_attention_strides *strides, int64_t n, int64_t step, int64_t h, int64_t width)
{
    return n * strides->sample + step * strides->step + h * width;
}

static bool sees(const reference_attention *c, int64_t n, int64_t t, int64_t j)
{
    const gg_attention_options *o = &c->options;
    return (o->key_lengths == NULL || j < o->key_lengths[n]) && (!o->causal || j <= o->first_query + t);
}

/* One row of weights, and of the sizes of its scores; returns the largest of the latter. */
static double row_of_weights(double *p, double *lse, const reference_attention *c, int64_t n, int64_t h, int64_t t)
{
    const gg_attention_shape *s = &c->shape;
    const gg_attention_options *o = &c->options;
    const int64_t g = h / (s->heads / s->kv_heads);
    double largest = -INFINITY, sum = 0, size = 0;
    for (int64_t j = 0; j < s->keys; j++) {
        p[j] = -INFINITY;
        if (!sees(c, n, t, j))
            continue;
        double dot = 0, magnitude = 0;
        for (int64_t i = 0; i < s->width; i++) {
            const double product = c->q[at(&s->q, n, t, h, s->width) + i] * c->k[at(&s->k, n, j, g, s->width) + i];
            dot += product;
            magnitude += fabs(product);
        }
        const double bias =
            o->bias != NULL ? (double)o->bias[n * o->bias_sample + h * o->bias_head + t * o->bias_query + j] : 0;
        p[j] = (double)o->scale * dot + bias;
        magnitude = fabs((double)o->scale) * magnitude + (isfinite(bias) ? fabs(bias) : 0);
        size = magnitude > size ? magnitude : size;
        largest = p[j] > largest ? p[j] : largest;
    }
    for (int64_t j = 0; j < s->keys && largest > -INFINITY; j++)
        sum += exp(p[j] - largest);
    for (int64_t j = 0; j < s->keys; j++)
        p[j] = largest > -INFINITY ? exp(p[j] - largest) / sum : 0;
    *lse = largest > -INFINITY ? largest + log(sum) : -INFINITY;
    return size;
}

void reference_attention_forward(const reference_attention *c)
{
    const gg_attention_shape *s = &c->shape;
    double *p = malloc((size_t)(s->keys + 1) * sizeof *p);
    for (int64_t row = 0; row < s->samples * s->heads * s->queries; row++) {
        const int64_t t = row % s->queries, h = row / s->queries % s->heads, n = row / s->queries / s->heads;
        const int64_t g = h / (s->heads / s->kv_heads), to = at(&s->o, n, t, h, s->width);
        const double size = row_of_weights(p, &c->lse[row], c, n, h, t);
        for (int64_t i = 0; i < s->width; i++) {
            c->o[to + i] = c->o_magnitude[to + i] = 0;
            for (int64_t j = 0; j < s->keys; j++) {
                const double v = p[j] != 0 ? c->v[at(&s->v, n, j, g, s->width) + i] : 0;
                c->o[to + i] += p[j] * v;
                c->o_magnitude[to + i] += (p[j] + LEAST_WEIGHT) * fabs(v) * (1 + size);
            }
        }
    }
    free(p);
}

static void clear(double *x, const gg_attention_strides *strides, const gg_attention_shape *s, int64_t steps,
                  int64_t columns)
{
    for (int64_t n = 0; n < s->samples; n++)
        for (int64_t t = 0; t < steps; t++)
            memset(x + n * strides->sample + t * strides->step, 0, (size_t)columns * sizeof *x);
}

/* Row (n, h, t)'s part in all gradients. */
static void add_row(const reference_attention *c, const double *p, double size, int64_t n, int64_t h, int64_t t)
{
    const gg_attention_shape *s = &c->shape;
    const int64_t g = h / (s->heads / s->kv_heads), w = s->width;
    const int64_t q = at(&s->q, n, t, h, w), o = at(&s->o, n, t, h, w);
    const double scale = (double)c->options.scale;
    double dot = 0, dot_magnitude = 0;
    for (int64_t i = 0; i < w; i++) {
        dot += c->d_o[o + i] * c->o[o + i];
        dot_magnitude += fabs(c->d_o[o + i]) * c->o_magnitude[o + i];
    }
    for (int64_t j = 0; j < s->keys; j++) {
        const int64_t k = at(&s->k, n, j, g, w), v = at(&s->v, n, j, g, w);
        double dp = 0, dp_magnitude = 0;
        for (int64_t i = 0; i < w && p[j] != 0; i++) {
            dp += c->d_o[o + i] * c->v[v + i];
            dp_magnitude += fabs(c->d_o[o + i] * c->v[v + i]);
        }
        const double ds = p[j] * (dp - dot),
                     ds_magnitude = (p[j] + LEAST_WEIGHT) * (1 + size) * (dp_magnitude + dot_magnitude);
        for (int64_t i = 0; i < w && p[j] != 0; i++) {
            c->dq[q + i] += scale * ds * c->k[k + i];
            c->dk[k + i] += scale * ds * c->q[q + i];
            c->dv[v + i] += p[j] * c->d_o[o + i];
            c->dq_magnitude[q + i] += fabs(scale * c->k[k + i]) * ds_magnitude;
            c->dk_magnitude[k + i] += fabs(scale * c->q[q + i]) * ds_magnitude;
            c->dv_magnitude[v + i] += (p[j] + LEAST_WEIGHT) * (1 + size) * fabs(c->d_o[o + i]);
        }
    }
}

void reference_attention_backward(const reference_attention *c)
{
    const gg_attention_shape *s = &c->shape;
    double *p = malloc((size_t)(s->keys + 1) * sizeof *p);
    reference_attention_forward(c);
    clear(c->dq, &s->q, s, s->queries, s->heads * s->width);
    clear(c->dk, &s->k, s, s->keys, s->kv_heads * s->width);
    clear(c->dv, &s->v, s, s->keys, s->kv_heads * s->width);
    clear(c->dq_magnitude, &s->q, s, s->queries, s->heads * s->width);
    clear(c->dk_magnitude, &s->k, s, s->keys, s->kv_heads * s->width);
    clear(c->dv_magnitude, &s->v, s, s->keys, s->kv_heads * s->width);
    for (int64_t row = 0; row < s->samples * s->heads * s->queries; row++) {
        const int64_t t = row % s->queries, h = row / s->queries % s->heads, n = row / s->queries / s->heads;
        double lse;
        const double size = row_of_weights(p, &lse, c, n, h, t);
        add_row(c, p, size, n, h, t);
    }
    free(p);
}
