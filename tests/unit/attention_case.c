/* attention_case.c - see attention_case.h. */
#define SUPPORT_NO_MAIN
#include "attention_case.h"

#include <math.h>

#include "reference_attention.h"
#include "support.h"

static int64_t extent(const gg_attention_strides *strides, int64_t samples, int64_t steps, int64_t columns)
{
    return samples > 0 && steps > 0 ? (samples - 1) * strides->sample + (steps - 1) * strides->step + columns : 0;
}

static gg_attention_strides strides_of(attention_layout layout, int64_t samples, int64_t steps, int64_t columns,
                                       int64_t fused)
{
    if (layout == ATTENTION_STEPS_FIRST)
        return (gg_attention_strides){columns, samples * columns};
    return layout == ATTENTION_FUSED ? (gg_attention_strides){steps * fused, fused}
                                     : (gg_attention_strides){steps * columns, columns};
}

static void make_arrays(attention_case *c, attention_layout layout, uint64_t seed)
{
    const gg_attention_shape *s = &c->resolved;
    c->q = support_uniform(c->q_floats, -1.5, 1.5, seed);
    c->d_o = support_uniform(c->o_floats, -1.0, 1.0, seed + 3);
    c->o = support_floats(c->o_floats);
    c->lse = support_floats(c->lse_floats);
    c->dq = support_floats(c->q_floats);
    if (layout == ATTENTION_FUSED) {
        c->k = c->q + s->heads * s->width;
        c->v = c->k + s->kv_heads * s->width;
        c->dk = c->dq + s->heads * s->width;
        c->dv = c->dk + s->kv_heads * s->width;
        return;
    }
    c->k = support_uniform(c->k_floats, -1.5, 1.5, seed + 1);
    c->v = support_uniform(c->v_floats, -1.0, 1.0, seed + 2);
    c->dk = support_floats(c->k_floats);
    c->dv = support_floats(c->v_floats);
}

attention_case attention_case_make(const gg_attention_shape *shape, const gg_attention_options *options,
                                   attention_layout layout, uint64_t seed)
{
    attention_case c = {.shape = *shape, .resolved = *shape, .options = *options};
    gg_attention_shape *s = &c.resolved;
    s->kv_heads = shape->kv_heads > 0 ? shape->kv_heads : shape->heads;
    const int64_t columns = s->heads * s->width, kv_columns = s->kv_heads * s->width;
    s->q = strides_of(layout, s->samples, s->queries, columns, columns + 2 * kv_columns);
    s->k = s->v = strides_of(layout, s->samples, s->keys, kv_columns, columns + 2 * kv_columns);
    s->o = strides_of(layout == ATTENTION_FUSED ? ATTENTION_DENSE : layout, s->samples, s->queries, columns, 0);
    if (layout != ATTENTION_DENSE)
        c.shape = *s;
    c.q_floats = layout == ATTENTION_FUSED ? s->samples * s->q.sample : extent(&s->q, s->samples, s->queries, columns);
    c.k_floats = c.v_floats = extent(&s->k, s->samples, s->keys, kv_columns);
    c.o_floats = extent(&s->o, s->samples, s->queries, columns);
    c.lse_floats = s->samples * s->heads * s->queries;
    if (c.options.scale == 0.0f)
        c.options.scale = (float)(1.0 / sqrt((double)s->width));
    make_arrays(&c, layout, seed);
    ck_assert_int_eq(gg_attention_workspace(&c.forward_floats, &c.backward_floats, &c.shape), GG_OK);
    c.workspace = support_floats(c.forward_floats > c.backward_floats ? c.forward_floats : c.backward_floats);
    return c;
}

gg_status attention_case_forward(const attention_case *c)
{
    return gg_attention_forward(c->o, c->lse, c->q, c->k, c->v, &c->shape, &c->options, c->workspace,
                                c->forward_floats);
}

gg_status attention_case_backward(const attention_case *c)
{
    return gg_attention_backward(c->dq, c->dk, c->dv, c->d_o, c->q, c->k, c->v, c->o, c->lse, &c->shape, &c->options,
                                 c->workspace, c->backward_floats);
}

/* Errors grow with the size of the scores, which the magnitudes hold, and with the number of terms hardly; 16 is the
 * bound of LAPACK's products. */
static const double BOUND = 16.0;

static void check_rows(const float *actual, const double *expected, const double *magnitude,
                       const gg_attention_strides *strides, const attention_case *c, int64_t steps, int64_t columns,
                       const char *what)
{
    const gg_attention_shape *s = &c->resolved;
    for (int64_t n = 0; n < s->samples; n++)
        for (int64_t t = 0; t < steps; t++) {
            const int64_t at = n * strides->sample + t * strides->step;
            support_assert_close(actual + at, expected + at, magnitude + at, columns, BOUND,
                                 "%s of sample %lld, step %lld (%lld heads of %lld, %lld x %lld)", what, (long long)n,
                                 (long long)t, (long long)s->heads, (long long)s->width, (long long)s->queries,
                                 (long long)s->keys);
        }
}

void attention_case_check(const attention_case *c)
{
    const gg_attention_shape *s = &c->resolved;
    const int64_t columns = s->heads * s->width, kv_columns = s->kv_heads * s->width;
    const int64_t q = c->q_floats, k = c->k_floats;
    const reference_attention r = {.shape = *s,
                                   .options = c->options,
                                   .q = support_widen(c->q, q),
                                   .k = support_widen(c->k, k),
                                   .v = support_widen(c->v, k),
                                   .d_o = support_widen(c->d_o, c->o_floats),
                                   .o = support_doubles(c->o_floats),
                                   .lse = support_doubles(c->lse_floats),
                                   .dq = support_doubles(q),
                                   .dk = support_doubles(k),
                                   .dv = support_doubles(k),
                                   .o_magnitude = support_doubles(c->o_floats),
                                   .dq_magnitude = support_doubles(q),
                                   .dk_magnitude = support_doubles(k),
                                   .dv_magnitude = support_doubles(k)};
    ck_assert_msg(attention_case_forward(c) == GG_OK, "%s", gg_error_message());
    ck_assert_msg(attention_case_backward(c) == GG_OK, "%s", gg_error_message());
    reference_attention_backward(&r);
    check_rows(c->o, r.o, r.o_magnitude, &s->o, c, s->queries, columns, "o");
    check_rows(c->dq, r.dq, r.dq_magnitude, &s->q, c, s->queries, columns, "dq");
    check_rows(c->dk, r.dk, r.dk_magnitude, &s->k, c, s->keys, kv_columns, "dk");
    check_rows(c->dv, r.dv, r.dv_magnitude, &s->v, c, s->keys, kv_columns, "dv");
    double *scale = support_doubles(c->lse_floats);
    for (int64_t i = 0; i < c->lse_floats; i++)
        scale[i] = 5.0 + 2.25 * (double)s->width * fabs((double)c->options.scale); /* of scores, with a bias */
    support_assert_close(c->lse, r.lse, scale, c->lse_floats, 2.0, "lse");
}
