/* reference_attend.h - the layers of gemmgrad/attend.h, see reference_layers.h. */
#ifndef REFERENCE_ATTEND_H
#define REFERENCE_ATTEND_H

#include "reference_layers.h"

extern const reference_layer reference_attention_heads, reference_attention_dot, reference_attention_additive,
    reference_attention_location, reference_attention_weights, reference_attention_context;

/* Inputs: of heads q, k, v, or one with all three; of scores q, k; of weights S and the center, if any; of context A,
 * V. The pass's labels are the lengths of keys, NULL: all. Scores and weights are [batch, queries, keys]. */
typedef struct reference_attend {
    bool batch_first;      /* sequences are [batch, steps, ..], else [steps, batch, ..] */
    int64_t queries, keys; /* numbers or axes; the pass has them as numbers */
    int64_t heads, kv_heads, width;
    bool fused, causal;
    double scale;
    double half_width; /* of a window; 0: none */
    bool predictive;
} reference_attend;

#endif
