/* registry.h - one entry for each layer and for a few networks that are more than their layers.
 *
 * Adding a layer means adding an entry here, a reference in tests/reference/reference_layers.c and a case in
 * tests/golden/generate.py: the entry then runs through all that the programs of this folder and test_golden.c do.
 * tests/style/registry.py fails when a function of gemmgrad/layer.h has no entry. */
#ifndef REGISTRY_H
#define REGISTRY_H

#include "twin.h"

/* The second input of a layer that has one. */
typedef enum registry_second {
    SECOND_NONE,
    SECOND_SAME_SHAPE,
    SECOND_ONE_HOT,
    SECOND_LABELS,
    SECOND_SOME_IGNORED,
    SECOND_ALL_IGNORED
} registry_second;

typedef struct registry_sizes {
    int rank; /* of the first input: 1 [in], 2 [batch, in], 3 [batch, time, in], 4 [batch, time, 3, in]; 0: [batch] */
    int64_t batch, time, in, out;
} registry_sizes;

typedef struct registry_entry {
    const char *name; /* its tensors in the golden file begin with "name." */

    /* One layer: how the library adds it (one of these three) ... */
    gg_value (*unary)(gg_model *model, gg_value x);
    gg_value (*binary)(gg_model *model, gg_value a, gg_value b);
    gg_value (*call)(gg_model *model, gg_value x, gg_value second, int64_t out, const struct registry_entry *entry);
    /* ... and what the reference does. */
    const reference_layer *layer;
    gg_activation activation;
    float number; /* alpha of the activation, ratio of dropout */
    bool no_bias;
    registry_second second;
    bool any_last; /* takes [batch]: the last dimension may be an axis */

    /* Or a network: returns its last value. */
    int (*network)(twin *t, const registry_sizes *sizes);

    double low, high;               /* of the inputs; 0, 0: -2 to 2 */
    double second_low, second_high; /* the same for the second input */
    double weight_low, weight_high; /* 0, 0: the twin's default */
    int highest_rank;               /* 0: 4 */
    bool sequences;                 /* takes 3 dimensions, [time, batch, in], of registry_time steps */
    bool images;                    /* only the batch of the sizes matters: one rank is enough */

    /* Layers over images: the shape of x is registry_image's with that many dimensions; 0: no such layer. */
    int image_rank;
    gg_pool_window window; /* pooling */
    bool relu;             /* batch normalisation: fused */
} registry_entry;

extern const registry_entry registry[];
extern const int registry_count;

/* The networks of convolutions: registry_conv.c. */
int registry_conv2d(twin *t, const registry_sizes *sizes);
int registry_conv2d_pads(twin *t, const registry_sizes *sizes);
int registry_conv2d_groups(twin *t, const registry_sizes *sizes);
int registry_conv2d_same(twin *t, const registry_sizes *sizes);
int registry_conv1d(twin *t, const registry_sizes *sizes);
int registry_conv_transpose2d(twin *t, const registry_sizes *sizes);
int registry_conv_transpose2d_same(twin *t, const registry_sizes *sizes);
int registry_conv_transpose1d(twin *t, const registry_sizes *sizes);
int registry_conv_network(twin *t, const registry_sizes *sizes);

/* The networks of sequences: registry_sequence.c. */
int registry_embedding(twin *t, const registry_sizes *sizes);
int registry_embedding_sparse(twin *t, const registry_sizes *sizes);
int registry_tied(twin *t, const registry_sizes *sizes);
int registry_concatenate(twin *t, const registry_sizes *sizes);
int registry_repeat_time(twin *t, const registry_sizes *sizes);
int registry_steps(twin *t, const registry_sizes *sizes);
int registry_variational_dropout(twin *t, const registry_sizes *sizes);

/* The layers of transformers: registry_transformer.c. */
int registry_layer_normalization(twin *t, const registry_sizes *sizes);
int registry_rms_normalization(twin *t, const registry_sizes *sizes);
int registry_swiglu(twin *t, const registry_sizes *sizes);
int registry_feed_forward(twin *t, const registry_sizes *sizes);
int registry_feed_forward_gated(twin *t, const registry_sizes *sizes);
int registry_sinusoidal_positions(twin *t, const registry_sizes *sizes);
int registry_learned_positions(twin *t, const registry_sizes *sizes);
int registry_learned_positions_second(twin *t, const registry_sizes *sizes);
int registry_rotary_positions(twin *t, const registry_sizes *sizes);
int registry_rotary_positions_second(twin *t, const registry_sizes *sizes);
int registry_projected_loss(twin *t, const registry_sizes *sizes);
int registry_projected_loss_twice(twin *t, const registry_sizes *sizes);
int registry_projected_loss_tied(twin *t, const registry_sizes *sizes);
int registry_transformer_block(twin *t, const registry_sizes *sizes);
int registry_transformer_block_post(twin *t, const registry_sizes *sizes);

/* registry_recurrent.c. */
int registry_rnn(twin *t, const registry_sizes *sizes);
int registry_rnn_relu(twin *t, const registry_sizes *sizes);
int registry_lstm(twin *t, const registry_sizes *sizes);
int registry_gru(twin *t, const registry_sizes *sizes);
int registry_gru_before(twin *t, const registry_sizes *sizes);
int registry_rnn_full(twin *t, const registry_sizes *sizes);
int registry_lstm_full(twin *t, const registry_sizes *sizes);
int registry_lstm_bidirectional(twin *t, const registry_sizes *sizes);
int registry_gru_bidirectional(twin *t, const registry_sizes *sizes);
int registry_gru_before_full(twin *t, const registry_sizes *sizes);
int registry_rnn_dropout(twin *t, const registry_sizes *sizes);
int registry_lstm_dropout(twin *t, const registry_sizes *sizes);
int registry_gru_dropout(twin *t, const registry_sizes *sizes);
int registry_gru_before_dropout(twin *t, const registry_sizes *sizes);
int registry_rnn_stack(twin *t, const registry_sizes *sizes);
int registry_lstm_stack(twin *t, const registry_sizes *sizes);
int registry_gru_stack(twin *t, const registry_sizes *sizes);
int registry_encoder_decoder(twin *t, const registry_sizes *sizes);

/* The networks of attention: registry_attend.c. */
int registry_multi_head(twin *t, const registry_sizes *sizes);
int registry_multi_head_cross(twin *t, const registry_sizes *sizes);
int registry_attention_groups(twin *t, const registry_sizes *sizes);
int registry_attention_parts(twin *t, const registry_sizes *sizes);
int registry_score_dot(twin *t, const registry_sizes *sizes);
int registry_score_scaled(twin *t, const registry_sizes *sizes);
int registry_score_general(twin *t, const registry_sizes *sizes);
int registry_score_additive(twin *t, const registry_sizes *sizes);
int registry_score_location(twin *t, const registry_sizes *sizes);
int registry_score_monotonic(twin *t, const registry_sizes *sizes);
int registry_score_predictive(twin *t, const registry_sizes *sizes);
int registry_score_predictive_additive(twin *t, const registry_sizes *sizes);

/* The networks of word vectors: registry_words.c. */
int registry_mean_rows(twin *t, const registry_sizes *sizes);
int registry_negative_sampling(twin *t, const registry_sizes *sizes);
int registry_skip_gram(twin *t, const registry_sizes *sizes);

/* Steps of a sequence for these sizes. */
int64_t registry_time(const registry_sizes *sizes);

/* [batch, C, H, W], [batch, C, W] or [batch, C] for an entry over images: C, H and W follow from the sizes. */
void registry_image(int64_t dims[GG_MAX_RANK], const registry_sizes *sizes, int rank);

/* Whether the entry takes inputs of these sizes. */
bool registry_takes(const registry_entry *entry, const registry_sizes *sizes);

/* The entry's network in a new twin, with a scalar at its end; returns the loss. Not planned yet. */
int registry_build(twin *t, const registry_entry *entry, const registry_sizes *sizes, uint64_t seed);

/* The same with everything kept, planned and filled. */
void registry_start(twin *t, const registry_entry *entry, const registry_sizes *sizes, uint64_t seed);

/* The library's function of a single-layer entry, called with these values. */
gg_value registry_call(const registry_entry *entry, gg_model *model, gg_value x, gg_value second, int64_t out);

#endif
