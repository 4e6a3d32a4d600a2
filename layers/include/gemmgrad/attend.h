/* gemmgrad/attend.h - layers in which one sequence looks at another, or at itself.
 *
 * Values are {GG_TIME, GG_BATCH, D} or {GG_BATCH, GG_TIME, D}, each in the order it comes in; instead of GG_TIME also
 * GG_TIME_2 or a number of steps. Weights and scores are [batch, queries, keys] always, whatever the order of the rest.
 *
 * key_lengths are labels [batch]: how many keys of each sample count, 0 to all of them (forward fails otherwise:
 * GG_ERR_ARGUMENT). A query that sees no key gets zeros, and sends none back. causal: query t sees keys 0 .. t. */
#ifndef GEMMGRAD_ATTEND_H
#define GEMMGRAD_ATTEND_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/model.h>
#include <gemmgrad/safetensors.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- several heads, in tiles (gemmgrad/attention.h) ---- */

typedef struct gg_multi_head_options {
    int64_t heads;    /* 0: 1 */
    int64_t kv_heads; /* of keys and values, a divisor of heads; 0: heads */
    float scale;      /* of the scores; 0: 1 / sqrt(width of a head) */
    bool causal;
    bool cache;                  /* of itself and causal: keep keys and values in GG_CONTINUE, see below */
    const gg_value *key_lengths; /* NULL: all keys count */
    const gg_value *bias;        /* NULL, or an input [queries, keys], [heads, queries, keys], [batch, queries, keys] or
                                  * [batch, heads, queries, keys] that is added to the scores; -infinity hides. It has
                                  * no gradient */
    bool no_bias;                /* of the projections */
    int64_t out;                 /* features of the result; 0: those of the query */
    int64_t width;               /* of a head; 0: features of the query / heads */
    gg_initializer init;         /* of the projections */
    float init_scale;
} gg_multi_head_options;

/* Queries, keys and values from `query`, `key` and `value` by affine layers, attention of each head, and an affine
 * layer over all heads' results side by side; Vaswani et al. 2017. Where the three values are one, a single product
 * makes queries, keys and values: parameters "qkv.W" [features, (heads + 2 kv_heads) width] and "qkv.b"; otherwise
 * "q.W", "k.W", "v.W" and their biases. Then "out.W" [heads width, out] and "out.b". All behind the layer's name:
 * "multi_head1.qkv.W". The memory grows with the lengths, not with their product.
 *
 * cache: a run in GG_CONTINUE appends its steps to the keys and values of the runs before (states "k" and "v", room for
 * the planned time; gg_model_reset_states empties it), so that text is generated step by step, time 1. A run
 * that finds no room, or has another batch than the runs before, is GG_ERR_STATE. */
GG_API gg_value gg_multi_head_attention(gg_model *model, gg_value query, gg_value key, gg_value value,
                                        const gg_multi_head_options *options);

/* The parameters of the gg_multi_head_attention of that name ("multi_head1"), in a planned model, from those of
 * torch.nn.MultiheadAttention, F32 or F64 tensors whose names begin with `prefix`:
 *
 *     in_proj_weight, in_proj_bias                 qkv.W (transposed), qkv.b, or thirds of them: q.W, k.W, v.W, ...
 *     q_proj_weight, k_proj_weight, v_proj_weight  q.W, k.W, v.W (transposed), where PyTorch has kdim or vdim
 *     out_proj.weight, out_proj.bias               out.W (transposed), out.b
 *
 * A layer with no_bias takes files without biases, one with biases files with them. Errors, parameters untouched:
 * GG_ERR_ARGUMENT (NULL, no such layer), GG_ERR_STATE (not planned), GG_ERR_FORMAT (a tensor is missing or holds no
 * floats; biases that the layer has no place for, bias_k among them), GG_ERR_SHAPE. */
GG_API gg_status gg_multi_head_load(gg_model *model, const char *layer, const gg_safetensors *file, const char *prefix);

/* Attention without projections: query [.., heads width], key and value [.., kv_heads width] -> [.., heads width]. */
GG_API gg_value gg_attention(gg_model *model, gg_value query, gg_value key, gg_value value,
                             const gg_multi_head_options *options);

/* The same with queries, keys and values side by side in one value, [.., (heads + 2 kv_heads) width]. */
GG_API gg_value gg_attention_fused(gg_model *model, gg_value qkv, const gg_multi_head_options *options);

/* ---- scores of an encoder-decoder, whole: for lengths of some hundreds, and for looking at the weights ---- */

typedef enum gg_score {
    GG_SCORE_DOT = 0,  /* q . k; Luong et al. 2015 */
    GG_SCORE_SCALED,   /* q . k / sqrt(features) */
    GG_SCORE_GENERAL,  /* q^T W k; Luong */
    GG_SCORE_ADDITIVE, /* v . tanh(Wq q + Wk k + b), also called concat; Bahdanau et al. 2015 */
    GG_SCORE_LOCATION  /* (W q)_j, whatever the keys are; Luong */
} gg_score;

/* Which keys a query may look at, beside those that lengths and causal hide; Luong et al. 2015. With S keys that count
 * and half_width D:
 *  monotonic:  query t those with |j - t| <= D
 *  predictive: those with |j - p| <= D, p = S sigmoid(v . tanh(W q)), and weights behind the softmax are multiplied by
 *              e^(-(j - p)^2 / (2 s^2)), s = D / 2 */
typedef enum gg_window { GG_WINDOW_NONE = 0, GG_WINDOW_MONOTONIC, GG_WINDOW_PREDICTIVE } gg_window;

typedef struct gg_score_options {
    gg_score score;
    int64_t units;     /* additive, predictive: features of the tanh; 0: those of the key (query) */
    int64_t most_keys; /* location: keys that W has a column for; more at run time are GG_ERR_SHAPE */
    gg_window window;
    float half_width; /* of the window, above 0 */
    bool causal;
    const gg_value *key_lengths; /* NULL: all keys count */
} gg_score_options;

/* For each query the mean of `value` under the weights that softmax makes of the scores: -> [queries' order, features
 * of value]. *weights (may be NULL) becomes the value [batch, queries, keys] of the weights, for gg_model_keep.
 * Parameters are those of the layers below, named as these. options may be NULL: dot. */
GG_API gg_value gg_score_attention(gg_model *model, gg_value query, gg_value key, gg_value value,
                                   const gg_score_options *options, gg_value *weights);

/* Its parts. Scores: scale * q . k (scale 0: 1); v . tanh(q + k) with parameter "v"; the first columns of
 * `location` [.., most keys], as many as `key` has steps. */
GG_API gg_value gg_attention_dot(gg_model *model, gg_value query, gg_value key, float scale);
GG_API gg_value gg_attention_additive(gg_model *model, gg_value query, gg_value key);
GG_API gg_value gg_attention_location(gg_model *model, gg_value location, gg_value key);

/* Scores to weights: options say window, lengths and causal; `center` [.., 1], for the predictive window only, is p /
 * S, between 0 and 1 (NULL otherwise). */
GG_API gg_value gg_attention_weights(gg_model *model, gg_value scores, const gg_value *center,
                                     const gg_score_options *options);

/* The means: weights [batch, queries, keys] and values, in the order of `value`. */
GG_API gg_value gg_attention_context(gg_model *model, gg_value weights, gg_value value);

#ifdef __cplusplus
}
#endif
#endif
