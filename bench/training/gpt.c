/* gpt.c - builds the character-level GPT. */
#include "gpt.h"

#include <stdio.h>

static const float EMBEDDING_DEVIATION = 0.02f; /* GPT-2's */

static gg_value add_blocks(gg_model *model, gg_value h, const gg_char_lm *shape)
{
    const gg_transformer_options block = {
        .heads = shape->heads, .causal = true, .cache = shape->generates, .dropout = (float)shape->dropout};
    for (int64_t i = 0; i < shape->layers; i++) {
        char name[32];
        snprintf(name, sizeof name, "block%lld", (long long)i + 1);
        gg_model_name_next(model, name);
        h = gg_transformer_block(model, h, &block);
    }
    return gg_layer_normalization(model, h, NULL);
}

gg_status gg_gpt_build(gg_char_lm_network *out, const gg_char_lm *shape, uint64_t seed)
{
    gg_char_lm_network net = {.context = shape->context};
    const gg_status status = gg_model_new(&net.model, seed);
    if (status != GG_OK)
        return status;
    const int64_t dims[] = {GG_TIME, GG_BATCH};
    const gg_embedding_options embedding = {.init = GG_INIT_NORMAL, .init_scale = EMBEDDING_DEVIATION};
    const gg_position_options positions = {.stateful = shape->generates};
    net.input = gg_input_labels(net.model, "characters", 2, dims);
    net.labels = gg_input_labels(net.model, "next", 2, dims);
    const gg_value words = gg_embedding(net.model, net.input, shape->characters, shape->hidden, &embedding);
    gg_value h = gg_learned_positions(net.model, words, shape->context, &positions);
    if (shape->dropout > 0.0)
        h = gg_dropout(net.model, h, (float)shape->dropout);
    h = add_blocks(net.model, h, shape);
    net.scores = gg_matmul(net.model, h, shape->characters, &(gg_affine_options){.tied_to = &words});
    net.loss = gg_softmax_with_loss(net.model, net.scores, net.labels);
    (void)gg_model_keep(net.model, net.scores, false); /* an error of the model is told by its plan */
    *out = net;
    return GG_OK;
}

int64_t gg_gpt_multiply_adds(const gg_char_lm *shape)
{
    const int64_t width = shape->hidden, block = 12 * width * width, scores = width * shape->characters;
    const int64_t attention = 7 * shape->context * width; /* Q K^T, P V; again Q K^T, and a product for each gradient */
    return 3 * (shape->layers * block + scores) + shape->layers * attention; /* Y, dW and dX */
}
