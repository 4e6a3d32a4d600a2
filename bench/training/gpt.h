/* gpt.h - the network of a character-level GPT, one of those of char_lm.h. */
#ifndef GEMMGRAD_BENCH_GPT_H
#define GEMMGRAD_BENCH_GPT_H

#include "char_lm.h"

/* A new model, not planned: input and labels int32 [GG_TIME, GG_BATCH], an embedding and learned positions, blocks with
 * the normalisation before, a normalisation, and scores by the embedding's own weight. */
gg_status gg_gpt_build(gg_char_lm_network *out, const gg_char_lm *shape, uint64_t seed);

/* m*n*k of the products that one character costs in a training step, those of attention whole, though a
 * causal one skips up to half of them. */
int64_t gg_gpt_multiply_adds(const gg_char_lm *shape);

#endif
