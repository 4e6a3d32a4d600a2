/* char_lm.h - the network of a character language model: what trains it and what generates from it must agree. */
#ifndef GEMMGRAD_BENCH_CHAR_LM_H
#define GEMMGRAD_BENCH_CHAR_LM_H

#include <gemmgrad/layers.h>

typedef struct gg_char_lm {
    const char *cell; /* "rnn", "gru", "lstm"; "gpt": blocks of a transformer instead */
    int64_t characters, embedding, hidden, layers;
    double dropout;
    int64_t heads, context; /* gpt, whose width is `hidden` and which has no `embedding` beside it */
    bool generates; /* gpt: a run in GG_CONTINUE goes on behind the characters before, with their keys and values kept,
                     * up to `context` of them; otherwise it begins anew, as all others do */
} gg_char_lm;

typedef struct gg_char_lm_network {
    gg_model *model;
    gg_value input, labels, scores, loss; /* scores are kept */
    int64_t context;                      /* characters behind which it starts anew; 0: it never does */
} gg_char_lm_network;

bool gg_char_lm_is_gpt(const gg_char_lm *shape);

/* GG_ERR_ARGUMENT: an unknown cell, named as that of --cell; heads that do not divide the width. */
gg_status gg_char_lm_check(const gg_char_lm *shape);

/* A new model, not planned: input and labels int32 [GG_TIME, GG_BATCH], an embedding, stateful recurrent layers, an
 * affine layer to the scores. */
gg_status gg_char_lm_build(gg_char_lm_network *out, const gg_char_lm *shape, uint64_t seed);

/* m*n*k of the products that one character costs in a training step. */
int64_t gg_char_lm_multiply_adds(const gg_char_lm *shape);

/* Write `length` characters to `out`, drawn one after the other by softmax(scores / temperature), 0 taking the most
 * likely one; the model, planned for at least 1 stream and 1 character (gpt: one that generates, planned for its
 * context), has its states reset and reads the prompt first. Where the context is full, it reads the latter half of it
 * again. */
gg_status gg_char_lm_write(char *out, int64_t length, const gg_char_lm_network *net, const gg_characters *characters,
                           const char *prompt, double temperature, uint64_t seed);

#endif
