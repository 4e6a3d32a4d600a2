/* attention_forward.c - a tile of queries after another, each over all keys it sees, with a running maximum and sum.
 *
 * For a tile's keys block after block: scores S^T = K Q^T; weights e^(s - largest), and what is there already is
 * corrected where a larger score came; O += P V. At the end O is divided by the sums. Every tile of queries is computed
 * for itself, whatever the number of threads. */
#include "attention_tiles.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "parallel.h"

/* A part's workspace. */
typedef struct scratch {
    const float *v;                    /* V of one head */
    int64_t v_step;                    /* between its rows */
    float *copy;                       /* [keys][width]: V close together, when many queries read it */
    float *qt, *s, *o;                 /* [width][queries], [keys][queries], [queries][width] of a tile */
    float *largest, *sum, *correction; /* a float for each query */
} scratch;

int64_t gg_attention_forward_floats(const gg_attention_shape *shape)
{
    const int64_t width = (shape->width + GG_REGISTER - 1) / GG_REGISTER * GG_REGISTER;
    return shape->keys * width + GG_FORWARD_QUERIES * (2 * width + GG_FORWARD_KEYS + 3);
}

static scratch lay_out(const gg_attention_call *call, int part)
{
    const int64_t width = (call->shape.width + GG_REGISTER - 1) / GG_REGISTER * GG_REGISTER;
    scratch t = {.copy = call->workspace + part * call->part_floats};
    t.qt = t.copy + call->shape.keys * width;
    t.o = t.qt + GG_FORWARD_QUERIES * width;
    t.s = t.o + GG_FORWARD_QUERIES * width;
    t.largest = t.s + GG_FORWARD_QUERIES * GG_FORWARD_KEYS;
    t.sum = t.largest + GG_FORWARD_QUERIES;
    t.correction = t.sum + GG_FORWARD_QUERIES;
    return t;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Keys [key, key + count). */
static void add_keys(const gg_attention_call *call, const gg_attention_item *item, const scratch *t, int64_t key,
                     int64_t count)
{
    const int64_t width = call->shape.width, column = gg_attention_first_column(call, item, key);
    const int64_t columns = item->queries - column;
    float *s = t->s + column, *o = t->o + column * width;
    gg_attention_scores(s, call, item, t->qt, key, count, column);
    const bool moved = gg_kernels()->attention_weigh(s, GG_FORWARD_QUERIES, count, columns, t->largest + column,
                                                     t->sum + column, t->correction + column);
    if (moved && key > 0)
        gg_kernels()->scale_rows(o, o, t->correction + column, columns, width);
    gg_attention_product(o, width, s, GG_FORWARD_QUERIES, true, t->v + key * t->v_step, t->v_step, columns, width,
                         count, 1.0f, key > 0 ? 1.0f : 0.0f);
}

/* O divided by the sums, to where it belongs, and the log-sum-exp. */
static void finish(const gg_attention_call *call, const gg_attention_item *item, const scratch *t)
{
    const gg_attention_shape *shape = &call->shape;
    const int64_t width = shape->width;
    float *o = call->o + item->sample * shape->o.sample + item->query * shape->o.step + item->head * width;
    for (int64_t i = 0; i < item->queries; i++)
        t->correction[i] = t->sum[i] == 0.0f ? 0.0f : 1.0f / t->sum[i];
    if (item->keys == 0)
        gg_kernels()->fill(t->o, item->queries * width, 0.0f);
    gg_kernels()->scale_rows(t->o, t->o, t->correction, item->queries, width);
    gg_kernels()->copy_rows(o, shape->o.step, t->o, width, item->queries, width);
    if (call->lse == NULL)
        return;
    float *lse = call->lse + (item->sample * shape->heads + item->head) * shape->queries + item->query;
    gg_kernels()->forward[GG_LOG](t->sum, t->sum, item->queries, 0.0f);
    for (int64_t i = 0; i < item->queries; i++)
        lse[i] = t->largest[i] == -INFINITY ? -INFINITY : t->largest[i] + t->sum[i];
}

static void run_item(const gg_attention_call *call, const gg_attention_item *item, const scratch *t)
{
    const gg_attention_shape *shape = &call->shape;
    const float *q = call->q + item->sample * shape->q.sample + item->query * shape->q.step + item->head * shape->width;
    gg_kernels()->transpose(t->qt, GG_FORWARD_QUERIES, q, shape->q.step, item->queries, shape->width);
    gg_kernels()->fill(t->largest, GG_FORWARD_QUERIES, -INFINITY);
    gg_kernels()->fill(t->sum, GG_FORWARD_QUERIES, 0.0f);
    for (int64_t key = 0; key < item->keys; key += GG_FORWARD_KEYS)
        add_keys(call, item, t, key, least(GG_FORWARD_KEYS, item->keys - key));
    finish(call, item, t);
}

/* Queries in front of a row of V that are too few for a copy. */
enum { FEW_QUERIES = 16 };

/* V of that head of keys: the product reads it again for every four queries, faster from rows close together; for a few
 * queries, as when text is generated, a copy costs more than it brings. */
static void open_head(const gg_attention_call *call, scratch *t, int64_t sample, int64_t head)
{
    const gg_attention_shape *shape = &call->shape;
    t->v = call->v + sample * shape->v.sample + head * shape->width;
    t->v_step = shape->v.step;
    if (shape->queries * call->group < FEW_QUERIES)
        return;
    gg_kernels()->copy_rows(t->copy, shape->width, t->v, shape->v.step, gg_attention_keys(call, sample), shape->width);
    t->v = t->copy;
    t->v_step = shape->width;
}

static void run_part(void *context, int part, int parts)
{
    const gg_attention_call *call = context;
    scratch t = lay_out(call, part);
    int64_t begin, end, held = -1;
    gg_attention_share(&begin, &end, call, part, parts);
    for (int64_t number = begin; number < end; number++) {
        const gg_attention_item item = gg_attention_item_at(call, number);
        const int64_t head = item.sample * call->shape.kv_heads + item.kv_head;
        if (head != held)
            open_head(call, &t, item.sample, item.kv_head);
        held = head;
        run_item(call, &item, &t);
    }
}

void gg_attention_run_forward(const gg_attention_call *call, int parts)
{
    gg_parallel_run(parts, run_part, (void *)(uintptr_t)call);
}
