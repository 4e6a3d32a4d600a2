/* registry_attend.c - the layers of attention for the registry, as networks over sequences. */
#define SUPPORT_NO_MAIN
#include "registry.h"

#include <math.h>

#include <gemmgrad/attend.h>

#include "support.h"

enum { MOST_KEYS = 6 }; /* more than registry_time */

static int input(twin *t, const char *name, bool batch_first, int64_t time, int64_t features)
{
    const int64_t dims[] = {batch_first ? GG_BATCH : time, batch_first ? time : GG_BATCH, features};
    return twin_input(t, name, 3, dims, TWIN_UNIFORM, -2.0, 2.0);
}

/* Lengths of the keys: 0 to all of them. */
static int lengths(twin *t, const registry_sizes *s)
{
    return twin_input(t, "lengths", 1, (int64_t[]){GG_BATCH}, TWIN_LABELS, 0.0, (double)registry_time(s) + 1.0);
}

/* A value that a composite layer made, so many before the one it returned. */
static gg_value before(gg_value last, int back)
{
    return (gg_value){last.id - back};
}

static int affine_before(twin *t, gg_value last, int back, int x, int64_t out, bool bias)
{
    return twin_layer(
        t, before(last, back),
        (twin_value){.layer = &reference_affine, .inputs = {x}, .input_count = 1, .out = out, .b = bias ? 0 : -1});
}

static int tanh_or_sigmoid(twin *t, gg_value last, int back, int x, gg_activation f)
{
    return twin_layer(
        t, before(last, back),
        (twin_value){.layer = &reference_activation_layer, .inputs = {x}, .input_count = 1, .activation = f});
}

/* ---- several heads ---- */

/* To itself, causal, one product for all: as torch.nn.MultiheadAttention. */
int registry_multi_head(twin *t, const registry_sizes *s)
{
    const int x = input(t, "x", false, GG_TIME, s->in);
    const gg_value v = t->values[x].value;
    const gg_multi_head_options o = {.heads = 4, .width = 1, .causal = true};
    const gg_value y = gg_multi_head_attention(t->model, v, v, v, &o);
    const int qkv = affine_before(t, y, 2, x, 12, true);
    const int heads = twin_layer(t, before(y, 1),
                                 (twin_value){.layer = &reference_attention_heads,
                                              .inputs = {qkv},
                                              .input_count = 1,
                                              .attend = {.queries = GG_TIME,
                                                         .keys = GG_TIME,
                                                         .heads = 4,
                                                         .kv_heads = 4,
                                                         .width = 1,
                                                         .fused = true,
                                                         .causal = true,
                                                         .scale = 1.0}});
    return affine_before(t, y, 0, heads, s->in, true);
}

/* To another sequence, with its lengths. */
int registry_multi_head_cross(twin *t, const registry_sizes *s)
{
    const int x = input(t, "x", false, GG_TIME_2, s->in), second = input(t, "second", false, GG_TIME, s->out);
    const int length = lengths(t, s);
    const gg_multi_head_options o = {
        .heads = 2, .width = 4, .kv_heads = 1, .out = 3, .no_bias = true, .key_lengths = &t->values[length].value};
    const gg_value keys = t->values[second].value;
    const gg_value y = gg_multi_head_attention(t->model, t->values[x].value, keys, keys, &o);
    const int q = affine_before(t, y, 4, x, 8, false), k = affine_before(t, y, 3, second, 4, false);
    const int v = affine_before(t, y, 2, second, 4, false);
    const int heads = twin_layer(
        t, before(y, 1),
        (twin_value){
            .layer = &reference_attention_heads,
            .inputs = {q, k, v, length},
            .input_count = 4,
            .attend = {.queries = GG_TIME_2, .keys = GG_TIME, .heads = 2, .kv_heads = 1, .width = 4, .scale = 0.5}});
    return affine_before(t, y, 0, heads, 3, false);
}

/* Without projections: groups of heads, samples first; the result twice, once through a fused value. */
int registry_attention_groups(twin *t, const registry_sizes *s)
{
    (void)s;
    const reference_attend how = {.batch_first = true,
                                  .queries = GG_TIME,
                                  .keys = GG_TIME,
                                  .heads = 4,
                                  .kv_heads = 2,
                                  .width = 3,
                                  .scale = 0.25,
                                  .causal = true};
    const gg_multi_head_options o = {.heads = 4, .kv_heads = 2, .causal = true, .scale = 0.25f};
    const int q = input(t, "x", true, GG_TIME, 12), k = input(t, "second", true, GG_TIME, 6);
    const int apart = twin_layer(
        t, gg_attention(t->model, t->values[q].value, t->values[k].value, t->values[k].value, &o),
        (twin_value){.layer = &reference_attention_heads, .inputs = {q, k, k}, .input_count = 3, .attend = how});
    const int qkv = twin_affine(t, apart, 24, GG_IDENTITY, 0.0f);
    twin_value fused = {.layer = &reference_attention_heads, .inputs = {qkv}, .input_count = 1, .attend = how};
    fused.attend.fused = true;
    return twin_layer(t, gg_attention_fused(t->model, t->values[qkv].value, &o), fused);
}

/* ---- scores ---- */

static twin_value of(const reference_layer *layer, int a, int b, const reference_attend *how)
{
    return (twin_value){.layer = layer, .inputs = {a, b}, .input_count = b >= 0 ? 2 : 1, .attend = *how};
}

/* All three kinds of scores in one sum. */
int registry_attention_parts(twin *t, const registry_sizes *s)
{
    const reference_attend how = {.queries = GG_TIME_2, .keys = GG_TIME, .scale = 0.75, .causal = true};
    const int q = input(t, "x", false, GG_TIME_2, s->in), k = input(t, "second", false, GG_TIME, s->in);
    const int l = input(t, "location", false, GG_TIME_2, MOST_KEYS);
    const gg_value query = t->values[q].value, key = t->values[k].value;
    const int dot =
        twin_layer(t, gg_attention_dot(t->model, query, key, 0.75f), of(&reference_attention_dot, q, k, &how));
    const int additive =
        twin_layer(t, gg_attention_additive(t->model, query, key), of(&reference_attention_additive, q, k, &how));
    const int location = twin_layer(t, gg_attention_location(t->model, t->values[l].value, key),
                                    of(&reference_attention_location, l, -1, &how));
    const int sum = twin_pair(t, &reference_add, twin_pair(t, &reference_add, dot, additive), location);
    const int a =
        twin_layer(t, gg_attention_weights(t->model, t->values[sum].value, NULL, &(gg_score_options){.causal = true}),
                   of(&reference_attention_weights, sum, -1, &how));
    twin_value context = of(&reference_attention_context, a, k, &how);
    context.out = s->in;
    return twin_layer(t, gg_attention_context(t->model, t->values[a].value, key), context);
}

/* The layers of gg_score_attention: query x, key and value `second`. */
typedef struct score_case {
    bool batch_first, with_lengths;
    gg_score_options options;
} score_case;

/* p / S of the predictive window, as made before `last`; -1: none. */
static int center(twin *t, gg_value last, int back, int x, const score_case *c)
{
    if (c->options.window != GG_WINDOW_PREDICTIVE)
        return -1;
    const int h = tanh_or_sigmoid(t, last, back - 1, affine_before(t, last, back, x, c->options.units, false), GG_TANH);
    return tanh_or_sigmoid(t, last, back - 3, affine_before(t, last, back - 2, h, 1, false), GG_SIGMOID);
}

static int score(twin *t, const registry_sizes *s, score_case *c)
{
    const int x = input(t, "x", c->batch_first, GG_TIME_2, s->in);
    const int second = input(t, "second", c->batch_first, GG_TIME, s->in);
    const int length = c->with_lengths ? lengths(t, s) : -1;
    const gg_score kind = c->options.score;
    if (length >= 0)
        c->options.key_lengths = &t->values[length].value;
    gg_value weights;
    const gg_value key = t->values[second].value;
    const gg_value y = gg_score_attention(t->model, t->values[x].value, key, key, &c->options, &weights);
    ck_assert_int_eq(weights.id, y.id - 1);
    const int products = kind == GG_SCORE_GENERAL || kind == GG_SCORE_LOCATION ? 1 : kind == GG_SCORE_ADDITIVE ? 2 : 0;
    const int p = center(t, y, 6 + products, x, c);
    int q = x, k = second;
    if (kind == GG_SCORE_GENERAL)
        q = affine_before(t, y, 3, x, s->in, false);
    if (kind == GG_SCORE_LOCATION)
        q = affine_before(t, y, 3, x, c->options.most_keys, false);
    if (kind == GG_SCORE_ADDITIVE) {
        q = affine_before(t, y, 4, x, c->options.units, false);
        k = affine_before(t, y, 3, second, c->options.units, true);
    }
    const reference_attend how = {.batch_first = c->batch_first,
                                  .queries = GG_TIME_2,
                                  .keys = GG_TIME,
                                  .causal = c->options.causal,
                                  .scale = kind == GG_SCORE_SCALED ? (double)(1.0f / sqrtf((float)s->in)) : 1.0,
                                  .half_width = (double)c->options.half_width,
                                  .predictive = p >= 0};
    const int scores = twin_layer(t, before(y, 2),
                                  of(kind == GG_SCORE_ADDITIVE   ? &reference_attention_additive
                                     : kind == GG_SCORE_LOCATION ? &reference_attention_location
                                                                 : &reference_attention_dot,
                                     q, kind == GG_SCORE_LOCATION ? -1 : k, &how));
    twin_value a = of(&reference_attention_weights, scores, p, &how);
    if (length >= 0)
        a.inputs[a.input_count++] = length;
    twin_value context = of(&reference_attention_context, twin_layer(t, weights, a), second, &how);
    context.out = s->in;
    return twin_layer(t, y, context);
}

int registry_score_dot(twin *t, const registry_sizes *s)
{
    return score(t, s, &(score_case){.with_lengths = true});
}

int registry_score_scaled(twin *t, const registry_sizes *s)
{
    return score(t, s, &(score_case){.batch_first = true, .options = {.score = GG_SCORE_SCALED, .causal = true}});
}

int registry_score_general(twin *t, const registry_sizes *s)
{
    return score(t, s,
                 &(score_case){.batch_first = true, .with_lengths = true, .options = {.score = GG_SCORE_GENERAL}});
}

int registry_score_additive(twin *t, const registry_sizes *s)
{
    return score(t, s, &(score_case){.with_lengths = true, .options = {.score = GG_SCORE_ADDITIVE, .units = 5}});
}

int registry_score_location(twin *t, const registry_sizes *s)
{
    return score(t, s, &(score_case){.options = {.score = GG_SCORE_LOCATION, .most_keys = MOST_KEYS}});
}

int registry_score_monotonic(twin *t, const registry_sizes *s)
{
    return score(t, s,
                 &(score_case){.with_lengths = true, .options = {.window = GG_WINDOW_MONOTONIC, .half_width = 1.0f}});
}

int registry_score_predictive(twin *t, const registry_sizes *s)
{
    return score(
        t, s,
        &(score_case){
            .batch_first = true,
            .with_lengths = true,
            .options = {.score = GG_SCORE_GENERAL, .window = GG_WINDOW_PREDICTIVE, .units = 3, .half_width = 1.75f}});
}

int registry_score_predictive_additive(twin *t, const registry_sizes *s)
{
    return score(
        t, s,
        &(score_case){
            .options = {.score = GG_SCORE_ADDITIVE, .window = GG_WINDOW_PREDICTIVE, .units = 2, .half_width = 2.5f}});
}
