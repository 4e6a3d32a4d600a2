/* registry_transformer.c - the layers of gemmgrad/transformer.h for the registry, as networks over values [time, batch,
 * in] or [batch, time, in]. */
#define SUPPORT_NO_MAIN
#include "registry.h"

#include <gemmgrad/sequence.h>
#include <gemmgrad/transformer.h>

#include "support.h"

enum { VOCABULARY = 7, CAPACITY = 6 };

static int steps_first(twin *t, const char *name, int64_t features)
{
    return twin_input(t, name, 3, (int64_t[]){GG_TIME, GG_BATCH, features}, TWIN_UNIFORM, -2.0, 2.0);
}

static int samples_first(twin *t, const char *name, int64_t features)
{
    return twin_input(t, name, 3, (int64_t[]){GG_BATCH, GG_TIME, features}, TWIN_UNIFORM, -2.0, 2.0);
}

static int add_unary(twin *t, int x, gg_value value, twin_value how)
{
    how.inputs[0] = x;
    how.input_count = 1;
    return twin_layer(t, value, how);
}

static int add_norm(twin *t, int x, bool rms)
{
    const gg_layernorm_options o = {.rms = rms};
    return add_unary(t, x, gg_layer_normalization(t->model, t->values[x].value, &o),
                     (twin_value){.layer = &reference_layer_normalization, .rms = rms, .b = rms ? -1 : 0});
}

/* Of a value that others read as well; a row of one column is its beta. */
int registry_layer_normalization(twin *t, const registry_sizes *s)
{
    const int x = steps_first(t, "x", s->in);
    return twin_pair(t, &reference_multiply, add_norm(t, x, false), x);
}

int registry_rms_normalization(twin *t, const registry_sizes *s)
{
    const int x = steps_first(t, "x", s->in);
    return twin_pair(t, &reference_add, add_norm(t, x, true), x);
}

/* The gates read by a second layer, too, and the block that is built around them. */
int registry_swiglu(twin *t, const registry_sizes *s)
{
    const int gates = twin_affine(t, samples_first(t, "x", s->in), 2 * s->out, GG_IDENTITY, 0.0f);
    const int y =
        add_unary(t, gates, gg_swiglu(t->model, t->values[gates].value), (twin_value){.layer = &reference_swiglu});
    return twin_pair(t, &reference_multiply, y, twin_affine(t, gates, s->out, GG_TANH, 0.0f));
}

/* The layers that gg_feed_forward adds, whose values are numbered in the order of building. */
int registry_feed_forward(twin *t, const registry_sizes *s)
{
    const int x = steps_first(t, "x", s->in);
    const gg_feed_forward_options o = {.dropout = 0.25f};
    const gg_value last = gg_feed_forward(t->model, t->values[x].value, s->out, &o);
    const int hidden = add_unary(t, x, (gg_value){last.id - 2},
                                 (twin_value){.layer = &reference_affine, .out = s->out, .activation = GG_GELU});
    const int dropped =
        add_unary(t, hidden, (gg_value){last.id - 1}, (twin_value){.layer = &reference_dropout, .ratio = 0.25f});
    return add_unary(t, dropped, last, (twin_value){.layer = &reference_affine, .out = s->in});
}

int registry_feed_forward_gated(twin *t, const registry_sizes *s)
{
    const int x = steps_first(t, "x", s->in);
    const gg_value last =
        gg_feed_forward(t->model, t->values[x].value, s->out, &(gg_feed_forward_options){.swiglu = true});
    const int gates =
        add_unary(t, x, (gg_value){last.id - 2}, (twin_value){.layer = &reference_affine, .out = 2 * s->out, .b = -1});
    const int gated = add_unary(t, gates, (gg_value){last.id - 1}, (twin_value){.layer = &reference_swiglu});
    return add_unary(t, gated, last, (twin_value){.layer = &reference_affine, .out = s->in, .b = -1});
}

int registry_sinusoidal_positions(twin *t, const registry_sizes *s)
{
    const int x = steps_first(t, "x", s->in);
    const int y = add_unary(t, x, gg_sinusoidal_positions(t->model, t->values[x].value, NULL),
                            (twin_value){.layer = &reference_sinusoidal_positions});
    return twin_pair(t, &reference_multiply, y, x);
}

static int add_learned(twin *t, int x, int time_dimension)
{
    return add_unary(t, x, gg_learned_positions(t->model, t->values[x].value, CAPACITY, NULL),
                     (twin_value){.layer = &reference_learned_positions, .b = -1, .time_dimension = time_dimension});
}

int registry_learned_positions(twin *t, const registry_sizes *s)
{
    const int x = steps_first(t, "x", s->in);
    return twin_pair(t, &reference_multiply, add_learned(t, x, 0), x);
}

int registry_learned_positions_second(twin *t, const registry_sizes *s)
{
    return twin_activate(t, add_learned(t, samples_first(t, "x", s->in), 1), GG_TANH, 0.0f);
}

static int add_rotary(twin *t, int x, int64_t heads, int64_t width, int time_dimension)
{
    return add_unary(t, x, gg_rotary_positions(t->model, t->values[x].value, heads, width, NULL),
                     (twin_value){.layer = &reference_rotary_positions,
                                  .heads = heads,
                                  .head_width = width,
                                  .time_dimension = time_dimension});
}

int registry_rotary_positions(twin *t, const registry_sizes *s)
{
    const int x = twin_affine(t, steps_first(t, "x", s->in), 6 * s->out, GG_IDENTITY, 0.0f);
    return twin_pair(t, &reference_multiply, add_rotary(t, x, 2, 2 * s->out, 0), x);
}

int registry_rotary_positions_second(twin *t, const registry_sizes *s)
{
    return add_rotary(t, samples_first(t, "x", 2 * s->in), 1, 2 * s->in, 1);
}

static int labels_of_rows(twin *t, twin_content content)
{
    return twin_input(t, "second", 2, (int64_t[]){GG_TIME, GG_BATCH}, content, 0.0, VOCABULARY);
}

static int add_projected(twin *t, int h, int labels, int words)
{
    const gg_projected_loss_options o = {.tied_to = words >= 0 ? &t->values[words].value : NULL, .chunk_rows = 3};
    const twin_value how = {.layer = &reference_projected_loss,
                            .inputs = {h, labels},
                            .input_count = 2,
                            .out = VOCABULARY,
                            .b = -1,
                            .tied = words >= 0,
                            .shares = words >= 0 ? words : 0};
    return twin_layer(
        t, gg_projected_softmax_with_loss(t->model, t->values[h].value, VOCABULARY, t->values[labels].value, &o), how);
}

int registry_projected_loss(twin *t, const registry_sizes *s)
{
    const int h = steps_first(t, "x", s->in);
    return add_projected(t, h, labels_of_rows(t, TWIN_SOME_IGNORED), -1);
}

/* Two losses of one h, whose sum goes on to another layer: their own gradients are not 1. */
int registry_projected_loss_twice(twin *t, const registry_sizes *s)
{
    const int h = twin_affine(t, steps_first(t, "x", s->in), s->out, GG_TANH, 0.0f);
    const int labels = labels_of_rows(t, TWIN_LABELS);
    const int first = add_projected(t, h, labels, -1), second = add_projected(t, h, labels, -1);
    return twin_pair(t, &reference_add, first, second);
}

/* A table that an embedding, an affine layer and the loss read. */
int registry_projected_loss_tied(twin *t, const registry_sizes *s)
{
    const int x = steps_first(t, "x", s->in);
    const int tokens = twin_input(t, "tokens", 2, (int64_t[]){GG_TIME, GG_BATCH}, TWIN_LABELS, 0.0, VOCABULARY);
    const gg_embedding_options o = {.init = GG_INIT_NORMAL, .init_scale = 0.5f};
    const int words =
        twin_layer(t, gg_embedding(t->model, t->values[tokens].value, VOCABULARY, s->in, &o),
                   (twin_value){.layer = &reference_embedding, .inputs = {tokens}, .input_count = 1, .out = s->in});
    const int loss =
        add_projected(t, twin_pair(t, &reference_add, words, x), labels_of_rows(t, TWIN_SOME_IGNORED), words);
    const gg_affine_options tied = {.tied_to = &t->values[words].value};
    const int scores = twin_layer(t, gg_affine(t->model, t->values[x].value, VOCABULARY, &tied),
                                  (twin_value){.layer = &reference_affine,
                                               .inputs = {x},
                                               .input_count = 1,
                                               .out = VOCABULARY,
                                               .tied = true,
                                               .shares = words});
    const int target = twin_input(t, "scores", 3, (int64_t[]){GG_TIME, GG_BATCH, VOCABULARY}, TWIN_UNIFORM, -1.0, 1.0);
    return twin_pair(t, &reference_multiply, loss, twin_pair(t, &reference_mean_squared_error, scores, target));
}

/* ---- blocks, whose values are numbered in the order of building ---- */

enum { BLOCK_WIDTH = 8, BLOCK_HEADS = 2, HEAD_WIDTH = BLOCK_WIDTH / BLOCK_HEADS };

/* A value of a block: the one `*back` before its last, of which there is one less then. */
static int add_next(twin *t, gg_value last, int *back, int x, twin_value how)
{
    const int v = add_unary(t, x, (gg_value){last.id - *back}, how);
    (*back)--;
    return v;
}

static int add_next_affine(twin *t, gg_value last, int *back, int x, int64_t out, gg_activation f)
{
    return add_next(t, last, back, x, (twin_value){.layer = &reference_affine, .out = out, .activation = f});
}

static int add_next_sum(twin *t, gg_value last, int *back, int a, int b)
{
    const twin_value how = {.layer = &reference_add, .inputs = {a, b}, .input_count = 2};
    const int v = twin_layer(t, (gg_value){last.id - *back}, how);
    (*back)--;
    return v;
}

static reference_attend heads_of(int64_t keys, bool causal, bool fused)
{
    return (reference_attend){.queries = GG_TIME,
                              .keys = keys,
                              .heads = BLOCK_HEADS,
                              .kv_heads = 1,
                              .width = HEAD_WIDTH,
                              .fused = fused,
                              .causal = causal,
                              .scale = 0.5}; /* 1 / sqrt(HEAD_WIDTH) */
}

/* Norm before, with attention to a memory: a decoder's block, gradients into both sides. */
int registry_transformer_block(twin *t, const registry_sizes *s)
{
    const twin_value norm = {.layer = &reference_layer_normalization};
    const int x = twin_affine(t, steps_first(t, "x", s->in), BLOCK_WIDTH, GG_IDENTITY, 0.0f);
    const int memory =
        twin_input(t, "memory", 3, (int64_t[]){GG_TIME_2, GG_BATCH, BLOCK_WIDTH}, TWIN_UNIFORM, -2.0, 2.0);
    const gg_transformer_options o = {
        .heads = BLOCK_HEADS, .kv_heads = 1, .hidden = s->out, .causal = true, .memory = &t->values[memory].value};
    const gg_value last = gg_transformer_block(t->model, t->values[x].value, &o);
    int back = 15;
    int v = add_next(t, last, &back, x, norm);
    v = add_next_affine(t, last, &back, v, (BLOCK_HEADS + 2) * HEAD_WIDTH, GG_IDENTITY);
    v = add_next(t, last, &back, v,
                 (twin_value){.layer = &reference_attention_heads, .attend = heads_of(GG_TIME, true, true)});
    v = add_next_affine(t, last, &back, v, BLOCK_WIDTH, GG_IDENTITY);
    const int first = add_next_sum(t, last, &back, x, v);
    v = add_next(t, last, &back, first, norm);
    twin_value heads = {.layer = &reference_attention_heads, .attend = heads_of(GG_TIME_2, false, false)};
    heads.input_count = 3;
    heads.inputs[0] = add_next_affine(t, last, &back, v, BLOCK_WIDTH, GG_IDENTITY);
    heads.inputs[1] = add_next_affine(t, last, &back, memory, HEAD_WIDTH, GG_IDENTITY);
    heads.inputs[2] = add_next_affine(t, last, &back, memory, HEAD_WIDTH, GG_IDENTITY);
    v = twin_layer(t, (gg_value){last.id - back--}, heads);
    v = add_next_affine(t, last, &back, v, BLOCK_WIDTH, GG_IDENTITY);
    const int second = add_next_sum(t, last, &back, first, v);
    v = add_next(t, last, &back, second, norm);
    v = add_next_affine(t, last, &back, v, s->out, GG_GELU);
    v = add_next_affine(t, last, &back, v, BLOCK_WIDTH, GG_IDENTITY);
    return add_next_sum(t, last, &back, second, v);
}

/* Norm behind, rotary positions, dropout. */
int registry_transformer_block_post(twin *t, const registry_sizes *s)
{
    const twin_value norm = {.layer = &reference_layer_normalization};
    const twin_value drop = {.layer = &reference_dropout, .ratio = 0.25f};
    const int x = twin_affine(t, steps_first(t, "x", s->in), BLOCK_WIDTH, GG_IDENTITY, 0.0f);
    const gg_transformer_options o = {.heads = BLOCK_HEADS,
                                      .kv_heads = 1,
                                      .hidden = s->out,
                                      .activation = GG_TANH,
                                      .post_norm = true,
                                      .rotary = true,
                                      .dropout = 0.25f};
    const gg_value last = gg_transformer_block(t->model, t->values[x].value, &o);
    int back = 12;
    int v = add_next_affine(t, last, &back, x, (BLOCK_HEADS + 2) * HEAD_WIDTH, GG_IDENTITY);
    v = add_next(
        t, last, &back, v,
        (twin_value){.layer = &reference_rotary_positions, .heads = BLOCK_HEADS + 1, .head_width = HEAD_WIDTH});
    v = add_next(t, last, &back, v,
                 (twin_value){.layer = &reference_attention_heads, .attend = heads_of(GG_TIME, false, true)});
    v = add_next_affine(t, last, &back, v, BLOCK_WIDTH, GG_IDENTITY);
    v = add_next(t, last, &back, v, drop);
    v = add_next_sum(t, last, &back, x, v);
    const int first = add_next(t, last, &back, v, norm);
    v = add_next_affine(t, last, &back, first, s->out, GG_TANH);
    v = add_next(t, last, &back, v, drop);
    v = add_next_affine(t, last, &back, v, BLOCK_WIDTH, GG_IDENTITY);
    v = add_next(t, last, &back, v, drop);
    v = add_next_sum(t, last, &back, first, v);
    return add_next(t, last, &back, v, norm);
}
