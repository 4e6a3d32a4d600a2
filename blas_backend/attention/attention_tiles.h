/* attention_tiles.h - what the two passes of attention share: sizes of tiles, the call as checked, who does which part.
 *
 * Scores are computed transposed, S^T = K Q^T, keys down and queries across. Then all products of both passes are of
 * the two kinds that OpenBLAS's small kernels take from where operands lie (docs/decisions/0011-attention.md), and the
 * softmax of a query runs down a column: sixteen queries a register, no sums across registers. */
#ifndef GG_ATTENTION_TILES_H
#define GG_ATTENTION_TILES_H

#include <gemmgrad/attention.h>

#include "product.h"

/* What was tuned: queries and keys of a tile of each pass. Queries in whole panels of 64. */
enum {
    GG_FORWARD_QUERIES = 2 * GG_PANEL,
    GG_FORWARD_KEYS = 64,
    GG_BACKWARD_QUERIES = 2 * GG_PANEL,
    GG_BACKWARD_KEYS = 64
};

/* A call with all defaults filled in; pointers that a pass has no use for are NULL. */
typedef struct gg_attention_call {
    gg_attention_shape shape;
    gg_attention_options options;
    int64_t group;       /* query heads for each head of keys */
    int64_t tile;        /* queries of a tile */
    int64_t tiles;       /* query tiles of a head */
    int64_t part_floats; /* of workspace */
    const float *q, *k, *v;
    float *o, *lse;
    const float *d_o, *o_given, *lse_given;
    float *dq, *dk, *dv;
    float *workspace;
} gg_attention_call;

/* One tile of queries of one head. Its item number counts, from the slowest: samples, heads of keys, heads of their
 * group, tiles. */
typedef struct gg_attention_item {
    int64_t sample, kv_head, head;
    int64_t query, queries; /* the first, and how many */
    int64_t keys;           /* that any of them sees */
} gg_attention_item;

gg_attention_item gg_attention_item_at(const gg_attention_call *call, int64_t number);

/* The items [*begin, *end) of a part, such that all parts have about as many keys to look at. */
void gg_attention_share(int64_t *begin, int64_t *end, const gg_attention_call *call, int part, int parts);

/* Keys of a sample that count. */
int64_t gg_attention_keys(const gg_attention_call *call, int64_t sample);

/* The first of the item's queries that sees key `key`, rounded down to whole panels. */
int64_t gg_attention_first_column(const gg_attention_call *call, const gg_attention_item *item, int64_t key);

/* C = alpha op(A) B + beta C on this thread. */
static inline void gg_attention_product(float *c, int64_t ldc, const float *a, int64_t lda, bool transpose_a,
                                        const float *b, int64_t ldb, int64_t m, int64_t n, int64_t k, float alpha,
                                        float beta)
{
    gg_product_run_serial(&(gg_product){.c = c,
                                        .ldc = ldc,
                                        .a = a,
                                        .lda = lda,
                                        .b = b,
                                        .ldb = ldb,
                                        .m = m,
                                        .n = n,
                                        .k = k,
                                        .transpose_a = transpose_a,
                                        .alpha = alpha,
                                        .beta = beta});
}

/* Scores of keys [key, key + count) and the item's queries from `column` on: s[j][c], rows call->tile floats apart;
 * qt is Q^T of the tile, [width][call->tile]. What is hidden becomes -infinity. */
void gg_attention_scores(float *s, const gg_attention_call *call, const gg_attention_item *item, const float *qt,
                         int64_t key, int64_t count, int64_t column);

/* Floats of workspace of one part, and the passes on `parts` threads. */
int64_t gg_attention_forward_floats(const gg_attention_shape *shape);
int64_t gg_attention_backward_floats(const gg_attention_shape *shape);
void gg_attention_run_forward(const gg_attention_call *call, int parts);
void gg_attention_run_backward(const gg_attention_call *call, int parts);

#endif
