/* gpt.h - the network of a character-level GPT: what trains it and what generates from it must agree. */
#ifndef GEMMGRAD_BENCH_GPT_H
#define GEMMGRAD_BENCH_GPT_H

#include <gemmgrad/layers.h>

typedef struct gg_gpt {
    int64_t characters, layers, width, heads, context;
    double dropout;
    bool generates; /* a run in GG_CONTINUE goes on behind the characters before, with their keys and values kept, up to
                     * `context` of them; otherwise it begins anew, as all others do */
} gg_gpt;

typedef struct gg_gpt_network {
    gg_model *model;
    gg_value input, labels, scores, loss; /* scores are kept */
} gg_gpt_network;

/* A new model, not planned: input and labels int32 [GG_TIME, GG_BATCH], an embedding and learned positions, blocks with
 * the normalisation before, a normalisation, and scores by the embedding's own weight. */
gg_status gg_gpt_build(gg_gpt_network *out, const gg_gpt *shape, uint64_t seed);

/* m*n*k of the products that one character costs in a training step, those of attention among them. */
int64_t gg_gpt_multiply_adds(const gg_gpt *shape);

#endif
