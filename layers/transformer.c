/* transformer.c - one block of a transformer, made of the layers of other files.
 *
 *     before (pre-norm)   x = x + f(norm(x))       for f = attention to itself, attention to the memory, feed-forward
 *     behind (post-norm)  x = norm(x + f(x))
 *
 * With pre-norm the residual connections add up to the identity from the last block to the first, so that deep stacks
 * train without a warm-up; their sum wants a normalisation behind the last block. Sources: Vaswani et al., 2017; Xiong
 * et al., 2020 (where the norm stands). */
#include <gemmgrad/attend.h>
#include <gemmgrad/transformer.h>

#include "node.h"
#include "parts.h"

typedef struct block {
    gg_model *model;
    gg_part_names names;
    gg_transformer_options o;
    int64_t features;
} block;

static gg_value norm(const block *b, gg_value x, const char *part)
{
    const gg_layernorm_options o = {.epsilon = b->o.epsilon, .rms = b->o.rms};
    gg_part_name(b->model, &b->names, part);
    return gg_layer_normalization(b->model, x, &o);
}

/* What f(x), or f(norm(x)), becomes when it is joined to x. */
static gg_value join(const block *b, gg_value x, gg_value change, const char *norm_part)
{
    if (b->o.dropout != 0.0f)
        change = gg_dropout(b->model, change, b->o.dropout);
    const gg_value sum = gg_node_add(b->model, x, change);
    return b->o.post_norm ? norm(b, sum, norm_part) : sum;
}

static gg_value prepare(const block *b, gg_value x, const char *norm_part)
{
    return b->o.post_norm ? x : norm(b, x, norm_part);
}

/* As gg_multi_head_attention, with queries and keys turned between the projection and the heads. */
static gg_value attend_turned(const block *b, gg_value x, const gg_multi_head_options *heads)
{
    const int64_t width = b->features / heads->heads, turned = heads->heads + heads->kv_heads;
    const gg_position_options positions = {.stateful = b->o.cache, .base = b->o.rotary_base};
    gg_part_name(b->model, &b->names, "attention.qkv");
    gg_value qkv = gg_affine(b->model, x, (turned + heads->kv_heads) * width, NULL);
    gg_part_name(b->model, &b->names, "attention.rotary");
    qkv = gg_rotary_positions(b->model, qkv, turned, width, &positions);
    gg_part_name(b->model, &b->names, "attention.heads");
    const gg_value results = gg_attention_fused(b->model, qkv, heads);
    gg_part_name(b->model, &b->names, "attention.out");
    return gg_affine(b->model, results, b->features, NULL);
}

static gg_value attend_to_itself(const block *b, gg_value x)
{
    const gg_multi_head_options heads = {.heads = b->o.heads,
                                         .kv_heads = b->o.kv_heads,
                                         .causal = b->o.causal,
                                         .cache = b->o.cache,
                                         .key_lengths = b->o.key_lengths};
    const gg_value from = prepare(b, x, "norm1");
    if (b->o.rotary)
        return join(b, x, attend_turned(b, from, &heads), "norm1");
    gg_part_name(b->model, &b->names, "attention");
    return join(b, x, gg_multi_head_attention(b->model, from, from, from, &heads), "norm1");
}

static gg_value attend_to_memory(const block *b, gg_value x)
{
    const gg_multi_head_options heads = {
        .heads = b->o.heads, .kv_heads = b->o.kv_heads, .key_lengths = b->o.memory_lengths};
    const gg_value from = prepare(b, x, "memory_norm");
    gg_part_name(b->model, &b->names, "memory_attention");
    return join(b, x, gg_multi_head_attention(b->model, from, *b->o.memory, *b->o.memory, &heads), "memory_norm");
}

static gg_value feed(const block *b, gg_value x)
{
    const gg_feed_forward_options o = {.activation = b->o.activation, .swiglu = b->o.swiglu, .dropout = b->o.dropout};
    const gg_value from = prepare(b, x, "norm2");
    gg_part_name(b->model, &b->names, "feed_forward");
    return join(b, x, gg_feed_forward(b->model, from, b->o.hidden, &o), "norm2");
}

static bool options_fit(block *b)
{
    gg_transformer_options *o = &b->o;
    if (o->heads < 0 || o->kv_heads < 0 || o->hidden < 0 || b->features > INT64_MAX / 4) {
        gg_model_error(b->model, GG_ERR_ARGUMENT,
                       "gg_transformer_block: heads is %lld, kv_heads is %lld, hidden is %lld, expected 0 or more",
                       (long long)o->heads, (long long)o->kv_heads, (long long)o->hidden);
        return false;
    }
    o->heads = o->heads > 0 ? o->heads : 1;
    o->kv_heads = o->kv_heads > 0 ? o->kv_heads : o->heads;
    o->hidden = o->hidden > 0 ? o->hidden : 4 * b->features;
    if (b->features % o->heads == 0)
        return true;
    gg_model_error(b->model, GG_ERR_SHAPE, "gg_transformer_block: %lld heads of %lld features together",
                   (long long)o->heads, (long long)b->features);
    return false;
}

gg_value gg_transformer_block(gg_model *model, gg_value x, const gg_transformer_options *given)
{
    block b = {.model = model, .o = given != NULL ? *given : (gg_transformer_options){0}};
    b.features = gg_value_features(model, x, "gg_transformer_block", "x");
    if (b.features == 0 || !options_fit(&b))
        return GG_NO_VALUE;
    b.names = gg_part_names_take(model);
    gg_value h = attend_to_itself(&b, x);
    if (b.o.memory != NULL)
        h = attend_to_memory(&b, h);
    return feed(&b, h);
}
