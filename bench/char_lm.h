/* char_lm.h - the network of a character language model: what trains it and what generates from it must agree. */
#ifndef GEMMGRAD_BENCH_CHAR_LM_H
#define GEMMGRAD_BENCH_CHAR_LM_H

#include <gemmgrad/layers.h>

typedef struct gg_char_lm {
    const char *cell; /* "rnn", "gru", "lstm" */
    int64_t characters, embedding, hidden, layers;
    double dropout;
} gg_char_lm;

typedef struct gg_char_lm_network {
    gg_model *model;
    gg_value input, labels, scores, loss; /* scores are kept */
} gg_char_lm_network;

/* GG_ERR_ARGUMENT: an unknown cell, named as that of --cell. */
gg_status gg_char_lm_check(const gg_char_lm *shape);

/* A new model, not planned: input and labels int32 [GG_TIME, GG_BATCH], an embedding, stateful recurrent layers, an
 * affine layer to the scores. */
gg_status gg_char_lm_build(gg_char_lm_network *out, const gg_char_lm *shape, uint64_t seed);

/* m*n*k of the products that one character costs in a training step. */
int64_t gg_char_lm_multiply_adds(const gg_char_lm *shape);

/* Write `length` characters to `out`, drawn one after the other by softmax(scores / temperature), 0 taking the most
 * likely one; the model, planned for at least 1 stream and 1 character, has its states reset and reads the prompt
 * first. */
gg_status gg_char_lm_write(char *out, int64_t length, const gg_char_lm_network *net, const gg_characters *characters,
                           const char *prompt, double temperature, uint64_t seed);

#endif
