/* attention.c - attention of several heads, with and without projections.
 *
 * Shapes: query [.., H d], key and value [.., G d], result [.., H d], as {steps, batch, ..} or {batch, steps, ..}; head
 * h of the queries looks at head h / (H / G) of the keys. Per sample and head, with s = 1 / sqrt(d):
 *
 *     S = s Q K^T + bias      P = softmax of the visible part of each row      O = P V
 *
 * Derivation of backward: dV = P^T dO and dP = dO V^T as for any product; the softmax gives
 * dS_ij = P_ij (dP_ij - sum over l of P_il dP_il), and that sum is (P_i) . (V dO_i) = O_i . dO_i; S = s Q K^T then
 * gives dQ = s dS K and dK = s dS^T Q. The backend computes tile by tile (gemmgrad/attention.h), S and P again in
 * backward: forward keeps a float for each row.
 *
 * Source: Vaswani et al. 2017; the projections are affine layers (affine.c). */
#include <stdio.h>
#include <string.h>

#include <gemmgrad/attend.h>
#include <gemmgrad/attention.h>
#include <gemmgrad/rows.h>

#include "sequence_value.h"

typedef struct options {
    gg_sequence_value query, key; /* as inputs; of a fused one both are it */
    int64_t heads, kv_heads, width;
    float scale;
    bool causal, fused, cache;
    int lengths, bias; /* inputs; 0: none */
    bool bias_of_heads, bias_of_samples;
} options;

enum { LSE, FORWARD, BACKWARD };       /* buffers */
enum { CACHED_K, CACHED_V, POSITION }; /* states */

/* ---- what the backend is told ---- */

static gg_attention_shape shape_at(const options *o, const int64_t extents[GG_AXIS_COUNT])
{
    const gg_attention_strides q = {gg_sequence_sample(&o->query, extents), gg_sequence_step(&o->query, extents)};
    const gg_attention_strides k = {gg_sequence_sample(&o->key, extents), gg_sequence_step(&o->key, extents)};
    gg_sequence_value out = o->query;
    out.features = o->heads * o->width;
    return (gg_attention_shape){
        .samples = extents[0],
        .heads = o->heads,
        .kv_heads = o->kv_heads,
        .queries = gg_sequence_steps(&o->query, extents),
        .keys = gg_sequence_steps(&o->key, extents),
        .width = o->width,
        .q = q,
        .k = k,
        .v = k,
        .o = {gg_sequence_sample(&out, extents), gg_sequence_step(&out, extents)},
    };
}

static gg_attention_options options_of(const gg_pass *pass, const options *o, const gg_attention_shape *s)
{
    return (gg_attention_options){
        .scale = o->scale,
        .causal = o->causal,
        .key_lengths = o->lengths > 0 ? pass->labels[o->lengths] : NULL,
        .bias = o->bias > 0 ? pass->x[o->bias] : NULL,
        .bias_sample = o->bias_of_samples ? (o->bias_of_heads ? o->heads : 1) * s->queries * s->keys : 0,
        .bias_head = o->bias_of_heads ? s->queries * s->keys : 0,
        .bias_query = s->keys,
    };
}

/* Queries, keys and values, or their gradients. */
typedef struct parts {
    const float *q, *k, *v;
} parts;

static parts inputs_of(const gg_pass *pass, const options *o)
{
    if (!o->fused)
        return (parts){pass->x[0], pass->x[1], pass->x[2]};
    const float *k = pass->x[0] + o->heads * o->width;
    return (parts){pass->x[0], k, k + o->kv_heads * o->width};
}

static gg_status workspace(int64_t *floats, const gg_node *node, int b, const int64_t extents[GG_AXIS_COUNT])
{
    const options *o = (const void *)node->options;
    const gg_attention_shape shape = shape_at(o, extents);
    return gg_attention_workspace(b == FORWARD ? floats : NULL, b == BACKWARD ? floats : NULL, &shape);
}

/* ---- forward ---- */

/* Steps of each sample behind those of the runs before: the cache is {steps, batch, kv_heads width}. */
static gg_status append(float *cache, const float *x, const gg_attention_shape *s, int64_t position)
{
    const int64_t width = s->kv_heads * s->width;
    gg_status status = GG_OK;
    for (int64_t n = 0; n < s->samples && status == GG_OK; n++)
        status = gg_copy_rows(cache + (position * s->samples + n) * width, s->samples * width, x + n * s->k.sample,
                              s->k.step, s->keys, width);
    return status;
}

static gg_status forward_cached(const gg_pass *pass, const options *o, const parts *x, gg_attention_shape *s)
{
    float *held = pass->state[POSITION]; /* steps that the cache holds, and of how many samples */
    const int64_t position = (int64_t)held[0], room = gg_sequence_steps(&o->key, pass->planned);
    if (position > 0 && (int64_t)held[1] != s->samples)
        return gg_fail(GG_ERR_STATE,
                       "gg_attention: %lld samples, the cache is of %lld: gg_model_reset_states begins anew",
                       (long long)s->samples, (long long)held[1]);
    if (position + s->keys > room)
        return gg_fail(GG_ERR_STATE,
                       "gg_attention: %lld steps behind %lld are more than the planned %lld: gg_model_reset_states "
                       "begins anew",
                       (long long)s->keys, (long long)position, (long long)room);
    gg_status status = append(pass->state[CACHED_K], x->k, s, position);
    if (status == GG_OK)
        status = append(pass->state[CACHED_V], x->v, s, position);
    if (status != GG_OK)
        return status;
    held[0] = (float)(position + s->keys);
    held[1] = (float)s->samples;
    const int64_t width = s->kv_heads * s->width;
    s->k = s->v = (gg_attention_strides){width, s->samples * width};
    s->keys += position;
    const gg_attention_options how = {.scale = o->scale, .causal = true, .first_query = position};
    int64_t floats;
    status = gg_attention_workspace(&floats, NULL, s);
    return status != GG_OK ? status
                           : gg_attention_forward(pass->y[0], NULL, x->q, pass->state[CACHED_K], pass->state[CACHED_V],
                                                  s, &how, pass->buffer[FORWARD], floats);
}

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const parts x = inputs_of(pass, o);
    gg_attention_shape s = shape_at(o, pass->extents);
    if (o->cache && pass->mode == GG_CONTINUE && pass->updates_state)
        return forward_cached(pass, o, &x, &s);
    const gg_attention_options how = options_of(pass, o, &s);
    int64_t floats;
    const gg_status status = gg_attention_workspace(&floats, NULL, &s);
    return status != GG_OK ? status
                           : gg_attention_forward(pass->y[0], pass->mode == GG_TRAIN ? pass->buffer[LSE] : NULL, x.q,
                                                  x.k, x.v, &s, &how, pass->buffer[FORWARD], floats);
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (o->bias > 0 && pass->dx[o->bias] != NULL)
        return gg_fail(GG_ERR_STATE, "gg_attention: the bias has no gradient, and gg_model_keep asks for it");
    const parts x = inputs_of(pass, o);
    float *dq = pass->dx[0], *dk = pass->dx[1], *dv = pass->dx[2];
    if (o->fused) {
        dk = dq != NULL ? dq + (x.k - x.q) : NULL;
        dv = dq != NULL ? dq + (x.v - x.q) : NULL;
    }
    const gg_attention_shape s = shape_at(o, pass->extents);
    const gg_attention_options how = options_of(pass, o, &s);
    int64_t floats;
    const gg_status status = gg_attention_workspace(NULL, &floats, &s);
    return status != GG_OK ? status
                           : gg_attention_backward(dq, dk, dv, pass->dy[0], x.q, x.k, x.v, pass->y[0],
                                                   pass->buffer[LSE], &s, &how, pass->buffer[BACKWARD], floats);
}

static const gg_layer_class attention_class = {
    .kind = "attention", .forward = forward, .backward = backward, .workspace = workspace};

/* ---- building ---- */

/* Heads and widths, which the features of query and key must be made of. */
static bool take_heads(options *o, gg_model *model, const gg_multi_head_options *given, const char *layer)
{
    o->heads = given->heads > 0 ? given->heads : 1;
    o->kv_heads = given->kv_heads > 0 ? given->kv_heads : o->heads;
    o->scale = given->scale;
    o->causal = given->causal;
    o->cache = given->cache;
    if (given->heads < 0 || given->kv_heads < 0 || o->heads % o->kv_heads != 0)
        gg_model_error(model, GG_ERR_ARGUMENT, "%s: heads is %lld, kv_heads is %lld, expected a multiple of it", layer,
                       (long long)given->heads, (long long)given->kv_heads);
    else if (given->scale - given->scale != 0.0f) /* NaN or infinite */
        gg_model_error(model, GG_ERR_ARGUMENT, "%s: scale is %g", layer, (double)given->scale);
    else if (given->cache && (!given->causal || given->bias != NULL || given->key_lengths != NULL))
        gg_model_error(model, GG_ERR_ARGUMENT, "%s: a cache is for causal attention without bias and lengths", layer);
    return model->error == GG_OK;
}

static bool bias_fits(options *o, gg_model *model, gg_value bias, const char *layer)
{
    const gg_shape *shape = gg_value_shape(model, bias, layer, "bias", false);
    char text[96];
    if (shape == NULL)
        return false;
    gg_shape expected = {0, {0}};
    o->bias_of_samples = shape->dims[0] == GG_BATCH;
    o->bias_of_heads = shape->rank == (o->bias_of_samples ? 4 : 3);
    if (o->bias_of_samples)
        expected.dims[expected.rank++] = GG_BATCH;
    if (o->bias_of_heads)
        expected.dims[expected.rank++] = o->heads;
    expected.dims[expected.rank++] = o->query.steps;
    expected.dims[expected.rank++] = o->key.steps;
    if (!model->values[bias.id].is_input || !gg_shapes_equal(shape, &expected))
        gg_model_error(model, GG_ERR_SHAPE,
                       "%s: bias is %s%s, expected an input [queries, keys], with %lld heads or the batch or both in "
                       "front of them",
                       layer, gg_shape_text(shape, text), model->values[bias.id].is_input ? "" : ", no input",
                       (long long)o->heads);
    return model->error == GG_OK;
}

static void add_states(gg_model *model, gg_node *node, const options *o)
{
    const gg_shape steps = {3, {o->key.steps, GG_BATCH, o->kv_heads * o->width}}, two = {1, {2}};
    gg_node_state(model, node, "k", &steps, 0.0f);
    gg_node_sequence_state(model);
    gg_node_state(model, node, "v", &steps, 0.0f);
    gg_node_sequence_state(model);
    gg_node_state(model, node, "position", &two, 0.0f);
    gg_node_sequence_state(model);
}

/* The node over one fused value or three. */
static gg_value add_node(gg_model *model, options *o, const gg_value *inputs, int count,
                         const gg_multi_head_options *given, const char *layer)
{
    if (given->key_lengths != NULL && !gg_lengths_fit(model, *given->key_lengths, layer))
        return GG_NO_VALUE;
    if (given->bias != NULL && !bias_fits(o, model, *given->bias, layer))
        return GG_NO_VALUE;
    o->lengths = given->key_lengths != NULL ? count : 0;
    o->bias = given->bias != NULL ? count + (given->key_lengths != NULL) : 0;
    gg_sequence_value out = o->query;
    out.features = o->heads * o->width;
    const gg_shape shape = gg_sequence_shape(&out), lse = {3, {GG_BATCH, o->heads, o->query.steps}};
    gg_node *node = gg_node_begin(model, &attention_class, o, sizeof *o);
    if (node == NULL)
        return GG_NO_VALUE;
    for (int i = 0; i < count; i++)
        gg_node_input(model, node, inputs[i], true);
    if (given->key_lengths != NULL)
        gg_node_input(model, node, *given->key_lengths, true);
    if (given->bias != NULL)
        gg_node_input(model, node, *given->bias, true);
    node->reads_output = true;
    gg_node_buffer(node, &lse, GG_BUFFER_CACHE);
    gg_node_workspace(node, GG_BUFFER_FORWARD);
    gg_node_workspace(node, GG_BUFFER_BACKWARD);
    if (o->cache)
        add_states(model, node, o);
    return gg_node_output(model, node, &shape);
}

gg_value gg_attention_fused(gg_model *model, gg_value qkv, const gg_multi_head_options *options_given)
{
    static const char layer[] = "gg_attention_fused";
    const gg_multi_head_options given = options_given != NULL ? *options_given : (gg_multi_head_options){0};
    options o = {.fused = true};
    if (!gg_sequence_see(&o.query, model, qkv, layer, "qkv") || !take_heads(&o, model, &given, layer))
        return GG_NO_VALUE;
    o.key = o.query;
    const int64_t all = o.heads + 2 * o.kv_heads;
    if (o.query.features % all != 0)
        return gg_model_error(model, GG_ERR_SHAPE, "%s: qkv has %lld features for %lld heads and 2 times %lld", layer,
                              (long long)o.query.features, (long long)o.heads, (long long)o.kv_heads);
    o.width = o.query.features / all;
    return add_node(model, &o, &qkv, 1, &given, layer);
}

static bool alike(const gg_sequence_value *a, const gg_sequence_value *b)
{
    return a->batch_first == b->batch_first && a->steps == b->steps && a->features == b->features;
}

gg_value gg_attention(gg_model *model, gg_value query, gg_value key, gg_value value,
                      const gg_multi_head_options *options_given)
{
    static const char layer[] = "gg_attention";
    const gg_multi_head_options given = options_given != NULL ? *options_given : (gg_multi_head_options){0};
    options o = {0};
    gg_sequence_value values;
    if (!gg_sequence_see(&o.query, model, query, layer, "query") || !gg_sequence_see(&o.key, model, key, layer, "key")
        || !gg_sequence_see(&values, model, value, layer, "value") || !take_heads(&o, model, &given, layer))
        return GG_NO_VALUE;
    o.width = o.query.features / o.heads;
    if (o.query.features % o.heads != 0 || o.key.features != o.kv_heads * o.width || !alike(&o.key, &values))
        return gg_model_error(
            model, GG_ERR_SHAPE,
            "%s: query has %lld features for %lld heads; key has %lld, value %lld, expected %lld heads "
            "of the same width, steps and order alike",
            layer, (long long)o.query.features, (long long)o.heads, (long long)o.key.features,
            (long long)values.features, (long long)o.kv_heads);
    if (given.cache && o.query.steps != o.key.steps)
        return gg_model_error(model, GG_ERR_ARGUMENT, "%s: a cache is for attention of a sequence to itself", layer);
    return add_node(model, &o, (gg_value[]){query, key, value}, 3, &given, layer);
}

/* ---- with projections ---- */

/* Whether some layer is called base.part. */
static bool taken(const gg_model *model, const char *base, const char *part)
{
    char name[GG_NAME_BYTES];
    snprintf(name, sizeof name, "%.40s.%s", base, part);
    for (int32_t i = 0; i < model->node_count; i++)
        if (strcmp(model->nodes[i].name, name) == 0)
            return true;
    return false;
}

/* The name that the user gave, or the first free one. */
static bool take_name(char base[GG_NAME_BYTES], gg_model *model)
{
    memcpy(base, model->next_name, GG_NAME_BYTES);
    model->next_name[0] = '\0';
    if (strlen(base) > 40) {
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_multi_head_attention: the name \"%s\" is longer than 40 bytes",
                       base);
        return false;
    }
    for (int number = 1; base[0] == '\0' || (number > 1 && taken(model, base, "out")); number++)
        snprintf(base, GG_NAME_BYTES, "multi_head%d", number);
    return true;
}

static gg_value project(gg_model *model, const char *base, const char *part, gg_value x, int64_t out,
                        const gg_multi_head_options *given)
{
    const gg_affine_options o = {.init = given->init, .init_scale = given->init_scale};
    char name[GG_NAME_BYTES];
    snprintf(name, sizeof name, "%.40s.%s", base, part);
    gg_model_name_next(model, name);
    return given->no_bias ? gg_matmul(model, x, out, &o) : gg_affine(model, x, out, &o);
}

static gg_value attend(gg_model *model, const char *base, gg_value query, gg_value key, gg_value value, int64_t width,
                       const gg_multi_head_options *given)
{
    const int64_t heads = given->heads, kv_heads = given->kv_heads;
    char name[GG_NAME_BYTES];
    snprintf(name, sizeof name, "%.40s.heads", base);
    if (query.id == key.id && key.id == value.id) {
        const gg_value qkv = project(model, base, "qkv", query, (heads + 2 * kv_heads) * width, given);
        gg_model_name_next(model, name);
        return gg_attention_fused(model, qkv, given);
    }
    const gg_value q = project(model, base, "q", query, heads * width, given);
    const gg_value k = project(model, base, "k", key, kv_heads * width, given);
    const gg_value v = project(model, base, "v", value, kv_heads * width, given);
    gg_model_name_next(model, name);
    return gg_attention(model, q, k, v, given);
}

gg_value gg_multi_head_attention(gg_model *model, gg_value query, gg_value key, gg_value value,
                                 const gg_multi_head_options *options_given)
{
    static const char layer[] = "gg_multi_head_attention";
    gg_multi_head_options given = options_given != NULL ? *options_given : (gg_multi_head_options){0};
    gg_sequence_value queries, keys;
    options o = {0};
    char base[GG_NAME_BYTES];
    if (!gg_sequence_see(&queries, model, query, layer, "query") || !gg_sequence_see(&keys, model, key, layer, "key")
        || !take_heads(&o, model, &given, layer) || !take_name(base, model))
        return GG_NO_VALUE;
    if (given.width < 0 || given.out < 0 || (given.width == 0 && queries.features % o.heads != 0))
        return gg_model_error(model, GG_ERR_ARGUMENT, "%s: width is %lld, out is %lld, for %lld heads of %lld features",
                              layer, (long long)given.width, (long long)given.out, (long long)o.heads,
                              (long long)queries.features);
    given.heads = o.heads;
    given.kv_heads = o.kv_heads;
    const int64_t width = given.width > 0 ? given.width : queries.features / o.heads;
    const gg_value heads = attend(model, base, query, key, value, width, &given);
    return project(model, base, "out", heads, given.out > 0 ? given.out : queries.features, &given);
}
