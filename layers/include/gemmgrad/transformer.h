/* gemmgrad/transformer.h - what a transformer is made of beside attention itself: normalisation of rows, gates,
 * positions, the feed-forward block, the loss over a large vocabulary.
 *
 * Values are [.., D] as in gemmgrad/layer.h; where time matters, it is the second dimension of a value that begins with
 * GG_BATCH ([N, T, .., D]), and the first one of all others ([T, N, .., D], as in gemmgrad/sequence.h). */
#ifndef GEMMGRAD_TRANSFORMER_H
#define GEMMGRAD_TRANSFORMER_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/layernorm.h>
#include <gemmgrad/model.h>
#include <gemmgrad/safetensors.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Each row of [.., D] to mean 0 and variance 1, times gamma, plus beta; with options->rms to mean square 1, times gamma
 * alone. Parameters "gamma" and "beta", D each, which start as 1 and 0. options may be NULL. */
GG_API gg_value gg_layer_normalization(gg_model *model, gg_value x, const gg_layernorm_options *options);

/* [.., 2 D] -> [.., D]: silu(a) b, a being the first D columns and b the others. */
GG_API gg_value gg_swiglu(gg_model *model, gg_value x);

typedef struct gg_feed_forward_options {
    gg_activation activation; /* of the hidden layer; 0: GG_GELU */
    bool swiglu;              /* instead: a product with 2 width columns, SwiGLU, a product; no biases */
    float dropout;            /* of the hidden layer's output: its ratio */
} gg_feed_forward_options;

/* [.., D] -> [.., width] -> [.., D]: f(x W + b) W' + b'. Layers "hidden" and "out" behind the name, if it was given one
 * (gg_model_name_next). options may be NULL. */
GG_API gg_value gg_feed_forward(gg_model *model, gg_value x, int64_t width, const gg_feed_forward_options *options);

/* ---- positions ---- */

typedef struct gg_position_options {
    bool stateful; /* the state "position" counts steps: a run in GG_CONTINUE goes on where the last such run ended;
                    * all other runs begin at 0 */
    float base;    /* rotary: 0: 10000 */
} gg_position_options;

/* x plus sines and cosines of the position (gg_sinusoidal_table). options may be NULL. */
GG_API gg_value gg_sinusoidal_positions(gg_model *model, gg_value x, const gg_position_options *options);

/* x plus a row of the parameter "W" [capacity, D] for each position, which starts from a normal distribution of
 * deviation 0.02. A run that goes beyond `capacity` positions is GG_ERR_SHAPE. */
GG_API gg_value gg_learned_positions(gg_model *model, gg_value x, int64_t capacity, const gg_position_options *options);

/* The first `heads` heads of `width` features in each row, side by side, turned by their position (gg_rotary); the
 * features behind them stay as they are: queries and keys with values behind them. width is even. */
GG_API gg_value gg_rotary_positions(gg_model *model, gg_value x, int64_t heads, int64_t width,
                                    const gg_position_options *options);

/* ---- the block ---- */

typedef struct gg_transformer_options {
    int64_t heads;            /* of the attention; 0: 1; D is a multiple of it */
    int64_t kv_heads;         /* of keys and values, a divisor of heads; 0: heads */
    int64_t hidden;           /* width of the feed-forward block; 0: 4 D */
    gg_activation activation; /* of the feed-forward block; 0: GG_GELU */
    bool swiglu;              /* instead */
    bool post_norm;           /* x = norm(x + f(x)), as in the paper; otherwise x = x + f(norm(x)) */
    bool rms;                 /* RMS normalisation */
    float epsilon;            /* of the normalisation; 0: 1e-5 */
    float dropout;            /* ratio, of what is added to x, and within the feed-forward block */
    bool causal;
    bool cache;        /* as of gg_multi_head_attention, for text that is generated step by step in GG_CONTINUE */
    bool rotary;       /* queries and keys of a sequence that attends to itself turned by their position */
    float rotary_base; /* 0: 10000 */
    const gg_value *key_lengths; /* labels [batch]: steps of each sample of x that count; NULL: all */
    const gg_value *memory;      /* NULL, or an encoder's output: after the attention to x itself, one from x to it */
    const gg_value *memory_lengths; /* labels [batch] for it; NULL: all steps count */
} gg_transformer_options;

/* One block of a transformer over x, [T, N, D] or [N, T, D], of the same shape: attention of x to itself, attention to
 * `memory` if there is one, and the feed-forward block, each with its normalisation and its residual connection. Layers
 * "norm1", "attention", "memory_norm", "memory_attention", "norm2" and "feed_forward" behind the name, if it was given
 * one (gg_model_name_next). Dropout spares the weights of the attention. options may be NULL. */
GG_API gg_value gg_transformer_block(gg_model *model, gg_value x, const gg_transformer_options *options);

/* Parameters of PyTorch's nn.TransformerEncoderLayer, or nn.TransformerDecoderLayer for a block with memory, into the
 * planned block of that name. Of the file's tensors, F32 or F64, it takes those whose names begin with `prefix`:
 *
 *     self_attn.in_proj_weight, in_proj_bias       attention.qkv.W (transposed), .b
 *     self_attn.out_proj.weight, bias              attention.out.W (transposed), .b
 *     multihead_attn.in_proj_weight, in_proj_bias  memory_attention.q.W, k.W, v.W (thirds of it, transposed), .b
 *     multihead_attn.out_proj.weight, bias         memory_attention.out.W (transposed), .b
 *     linear1.weight, bias                         feed_forward.hidden.W (transposed), .b
 *     linear2.weight, bias                         feed_forward.out.W (transposed), .b
 *     norm1                                        norm1.gamma, .beta
 *     norm2 (without memory: of the encoder)       memory_norm (without memory: norm2)
 *     norm3                                        norm2
 *
 * Errors, parameters untouched: GG_ERR_ARGUMENT (NULL, no such block, one of another kind), GG_ERR_STATE (not planned),
 * GG_ERR_FORMAT (a tensor is missing or holds no floats), GG_ERR_SHAPE. */
GG_API gg_status gg_transformer_load(gg_model *model, const char *block, const gg_safetensors *file,
                                     const char *prefix);

/* ---- the loss over a vocabulary ---- */

typedef struct gg_projected_loss_options {
    const gg_value *tied_to; /* NULL, or the output of a gg_embedding of that vocabulary and D features that is not
                              * sparse: its weight, transposed, is W */
    int64_t chunk_rows;      /* rows whose logits exist at a time; 0: as many as take 2^22 floats, but at least 16 */
    gg_initializer init;
    float init_scale; /* deviation for GG_INIT_NORMAL */
} gg_projected_loss_options;

/* Softmax and cross-entropy of the scores h W, which never exist whole: a scalar, the mean over the rows whose label is
 * not GG_IGNORE_LABEL. h [.., D], labels t [..], parameter "W" [D, vocabulary]. In training, forward goes on to both
 * gradients chunk by chunk. Workspace: chunk_rows * vocabulary floats of scores and D * vocabulary of dW, where
 * gg_matmul and gg_softmax_with_loss take 2 rows * vocabulary. */
GG_API gg_value gg_projected_softmax_with_loss(gg_model *model, gg_value h, int64_t vocabulary, gg_value t,
                                               const gg_projected_loss_options *options);

#ifdef __cplusplus
}
#endif
#endif
