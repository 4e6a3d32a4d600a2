/* gemmgrad/attention.h - scaled dot-product attention over several heads, forward and backward, in tiles.
 *
 * For each sample and head, with queries Q [queries][width], keys K and values V [keys][width]:
 *
 *     S = scale Q K^T + bias        P = softmax of the visible part of each row of S        O = P V
 *
 * Neither S nor P ever exists whole: tiles of them are computed, used and forgotten; for backward, forward keeps one
 * float a row, the log of the sum of e^S (lse). So memory grows with the lengths, not with their product. Tiles in
 * which a causal mask or a length hides everything are not computed.
 *
 * What a query sees: keys below the sample's length; if causal, query t sees keys 0 .. first_query + t; a bias of
 * -infinity hides a key as well. A query that sees nothing gives zeros, and its gradients are zero. K and V must hold
 * finite numbers where a causal mask or a bias hides them (they are multiplied by a weight of 0); beyond a sample's
 * length they are not read. Weights below e^-88 count as 0. A NaN in a row of Q makes that row of O NaN.
 *
 * Head h of the queries belongs to head h / (heads / kv_heads) of keys and values (grouped-query attention).
 *
 * Where things lie: element (sample n, step t, head h, i) at n * sample + t * step + h * width + i floats from the
 * pointer, with strides of its own for each of Q, K, V and O; a gradient lies as what it belongs to. So the columns of
 * one projection [rows][heads * width * 3], samples first or steps first, need no copies.
 *
 * Outputs must not overlap inputs or each other (gradients may interleave as their strides say). Sizes of 0 are legal.
 * Thread-safe on different outputs and workspaces; uses up to gg_threads() threads and allocates nothing. Forward gives
 * the same bits for any number of threads, backward for the same number. Errors, outputs untouched: GG_ERR_ARGUMENT
 * (NULL, a negative size, a length out of range, a workspace too small), GG_ERR_SHAPE (heads that kv_heads does not
 * divide, strides that make outputs overlap), GG_ERR_OVERFLOW.
 *
 * Sources: Vaswani et al. 2017; Milakov and Gimelshein 2018 (running maximum and sum); Dao et al. 2022 (tiles, backward
 * that recomputes); Ainslie et al. 2023 (grouped queries). */
#ifndef GEMMGRAD_ATTENTION_H
#define GEMMGRAD_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Floats from one sample to the next and from one step to the next. A step of 0 stands for dense, samples first:
 * step = heads * width, sample = steps * step. */
typedef struct gg_attention_strides {
    int64_t sample, step;
} gg_attention_strides;

typedef struct gg_attention_shape {
    int64_t samples, heads, queries, keys;
    int64_t width;                   /* of a head */
    int64_t kv_heads;                /* of keys and values; divides heads; 0: heads */
    gg_attention_strides q, k, v, o; /* 0: dense */
} gg_attention_shape;

/* NULL for all defaults. */
typedef struct gg_attention_options {
    float scale; /* 0: 1 / sqrt(width) */
    bool causal;
    int64_t first_query;        /* of a causal mask: the position of query 0 among the keys, 0 or more */
    const int32_t *key_lengths; /* one for each sample, 0 .. keys; NULL: all keys count */
    const float *bias;          /* added to S, a constant: element (n, h, query, key) at n * bias_sample + h * bias_head
                                 * + query * bias_query + key; strides of 0 share it; NULL: none */
    int64_t bias_sample, bias_head, bias_query;
} gg_attention_options;

/* Floats of workspace for gg_attention_forward and gg_attention_backward with gg_threads() threads; enough for every
 * shape with the same width and at most these queries and keys. Either pointer may be NULL. */
GG_API gg_status gg_attention_workspace(int64_t *forward, int64_t *backward, const gg_attention_shape *shape);

/* O, and the log-sum-exp of each row, [samples][heads][queries] (-infinity for a row that sees nothing); lse may be
 * NULL when no backward follows. */
GG_API gg_status gg_attention_forward(float *o, float *lse, const float *q, const float *k, const float *v,
                                      const gg_attention_shape *shape, const gg_attention_options *options,
                                      float *workspace, int64_t workspace_floats);

/* The gradients with respect to Q, K and V from that of O, with what forward was given and what it returned;
 * dq, dk and dv may each be NULL, not wanted:
 *     D = rows of sum(dO * O)     dS = P * (dO V^T - D)     dQ = scale dS K     dK = scale dS^T Q     dV = P^T dO */
GG_API gg_status gg_attention_backward(float *dq, float *dk, float *dv, const float *d_o, const float *q,
                                       const float *k, const float *v, const float *o, const float *lse,
                                       const gg_attention_shape *shape, const gg_attention_options *options,
                                       float *workspace, int64_t workspace_floats);

#ifdef __cplusplus
}
#endif
#endif
