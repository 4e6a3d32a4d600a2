/* attention_backward.c - gradients of attention: scores and weights of each tile are computed again.
 *
 * With P the weights, dP = dO V^T and D the row sums of dO * O (which are those of P * dP, since O = P V):
 *
 *     dS = P * (dP - D)     dQ = scale dS K     dK = scale dS^T Q     dV = P^T dO
 *
 * All in transposed tiles, keys down and queries across: S^T = K Q^T and dP^T = V dO^T multiply by Q^T and dO^T, which
 * each tile of queries is turned to once. A tile's dQ is complete when its keys are; dK and dV of a head are summed up
 * in the part's workspace. Where the work of one head is cut between parts, the later ones leave their sums in the
 * workspace, and these are added in the order of the parts when all are done. */
#include "attention_tiles.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "parallel.h"

/* A part's workspace. */
typedef struct scratch {
    float *k;            /* [keys][width]: K of one head, close together */
    float *dk, *dv;      /* [keys][width]: its gradients so far */
    float *late;         /* dk and dv of a head that another part began */
    float *q, *d_o, *dq; /* [queries][width] of a tile */
    float *qt, *d_ot;    /* [width][queries] */
    float *s, *ds;       /* [keys][queries] */
    float *lse, *dot;    /* a float for each query */
} scratch;

static int64_t padded(int64_t width)
{
    return (width + GG_REGISTER - 1) / GG_REGISTER * GG_REGISTER;
}

int64_t gg_attention_backward_floats(const gg_attention_shape *shape)
{
    return 5 * shape->keys * padded(shape->width)
           + GG_BACKWARD_QUERIES * (5 * padded(shape->width) + 2 * GG_BACKWARD_KEYS + 2);
}

static scratch lay_out(const gg_attention_call *call, int part)
{
    const int64_t tile = GG_BACKWARD_QUERIES * padded(call->shape.width);
    const int64_t head = call->shape.keys * padded(call->shape.width);
    scratch t = {.k = call->workspace + part * call->part_floats};
    t.dk = t.k + head;
    t.dv = t.dk + head;
    t.late = t.dv + head;
    t.q = t.late + 2 * head;
    t.d_o = t.q + tile;
    t.dq = t.d_o + tile;
    t.qt = t.dq + tile;
    t.d_ot = t.qt + tile;
    t.s = t.d_ot + tile;
    t.ds = t.s + GG_BACKWARD_QUERIES * GG_BACKWARD_KEYS;
    t.lse = t.ds + GG_BACKWARD_QUERIES * GG_BACKWARD_KEYS;
    t.dot = t.lse + GG_BACKWARD_QUERIES;
    return t;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t rows_at(const gg_attention_strides *strides, int64_t sample, int64_t step, int64_t head, int64_t width)
{
    return sample * strides->sample + step * strides->step + head * width;
}

/* A tile's queries and the gradients of its results, plain and turned. */
static void load(const gg_attention_call *call, const gg_attention_item *item, const scratch *t)
{
    const gg_attention_shape *shape = &call->shape;
    const int64_t width = shape->width, n = item->queries;
    const int64_t at_o = rows_at(&shape->o, item->sample, item->query, item->head, width);
    const int64_t at_q = rows_at(&shape->q, item->sample, item->query, item->head, width);
    gg_kernels()->copy_rows(t->q, width, call->q + at_q, shape->q.step, n, width);
    gg_kernels()->copy_rows(t->d_o, width, call->d_o + at_o, shape->o.step, n, width);
    gg_kernels()->transpose(t->qt, GG_BACKWARD_QUERIES, t->q, width, n, width);
    gg_kernels()->transpose(t->d_ot, GG_BACKWARD_QUERIES, t->d_o, width, n, width);
    gg_kernels()->row_dots(t->dot, t->d_o, width, call->o_given + at_o, shape->o.step, n, width);
    const float *lse = call->lse_given + (item->sample * shape->heads + item->head) * shape->queries + item->query;
    for (int64_t i = 0; i < n; i++) /* a row that sees nothing has weights e^-infinity */
        t->lse[i] = lse[i] == -INFINITY ? INFINITY : lse[i];
}

/* Keys [key, key + count). */
static void add_keys(const gg_attention_call *call, const gg_attention_item *item, const scratch *t, int64_t key,
                     int64_t count)
{
    enum { LD = GG_BACKWARD_QUERIES };
    const gg_attention_shape *shape = &call->shape;
    const int64_t width = shape->width, column = gg_attention_first_column(call, item, key);
    const int64_t columns = item->queries - column;
    const float scale = call->options.scale;
    float *s = t->s + column, *ds = t->ds + column;
    const float *v = call->v + rows_at(&shape->v, item->sample, key, item->kv_head, width);
    gg_attention_scores(s, call, item, t->qt, key, count, column);
    gg_attention_product(ds, LD, v, shape->v.step, false, t->d_ot + column, LD, count, columns, width, 1.0f, 0.0f);
    gg_kernels()->attention_gradient(s, ds, LD, count, columns, t->lse + column, t->dot + column);
    if (call->dv != NULL)
        gg_attention_product(t->dv + key * width, width, s, LD, false, t->d_o + column * width, width, count, width,
                             columns, 1.0f, 1.0f);
    if (call->dk != NULL)
        gg_attention_product(t->dk + key * width, width, ds, LD, false, t->q + column * width, width, count, width,
                             columns, scale, 1.0f);
    if (call->dq != NULL)
        gg_attention_product(t->dq + column * width, width, ds, LD, true, t->k + key * width, width, columns, width,
                             count, scale, key > 0 ? 1.0f : 0.0f);
}

static void run_item(const gg_attention_call *call, const gg_attention_item *item, const scratch *t)
{
    const gg_attention_shape *shape = &call->shape;
    const int64_t width = shape->width;
    load(call, item, t);
    for (int64_t key = 0; key < item->keys; key += GG_BACKWARD_KEYS)
        add_keys(call, item, t, key, least(GG_BACKWARD_KEYS, item->keys - key));
    if (call->dq == NULL)
        return;
    if (item->keys == 0)
        gg_kernels()->fill(t->dq, item->queries * width, 0.0f);
    gg_kernels()->copy_rows(call->dq + rows_at(&shape->q, item->sample, item->query, item->head, width), shape->q.step,
                            t->dq, width, item->queries, width);
}

/* ---- heads of keys ---- */

static void open_head(const gg_attention_call *call, const scratch *t, int64_t sample, int64_t head)
{
    const gg_attention_shape *shape = &call->shape;
    const int64_t keys = gg_attention_keys(call, sample);
    gg_kernels()->copy_rows(t->k, shape->width, call->k + rows_at(&shape->k, sample, 0, head, shape->width),
                            shape->k.step, keys, shape->width);
    gg_kernels()->fill(t->dk, shape->keys * shape->width, 0.0f);
    gg_kernels()->fill(t->dv, shape->keys * shape->width, 0.0f);
}

/* Its sums to where they belong, or aside when another part began this head. */
static void close_head(const gg_attention_call *call, const scratch *t, int64_t sample, int64_t head, bool late)
{
    const gg_attention_shape *shape = &call->shape;
    const int64_t width = shape->width, floats = shape->keys * width;
    if (late) {
        gg_kernels()->copy_rows(t->late, width, t->dk, width, shape->keys, width);
        gg_kernels()->copy_rows(t->late + floats, width, t->dv, width, shape->keys, width);
        return;
    }
    if (call->dk != NULL)
        gg_kernels()->copy_rows(call->dk + rows_at(&shape->k, sample, 0, head, width), shape->k.step, t->dk, width,
                                shape->keys, width);
    if (call->dv != NULL)
        gg_kernels()->copy_rows(call->dv + rows_at(&shape->v, sample, 0, head, width), shape->v.step, t->dv, width,
                                shape->keys, width);
}

static void run_part(void *context, int part, int parts)
{
    const gg_attention_call *call = context;
    const int64_t head_items = call->group * call->tiles;
    const scratch t = lay_out(call, part);
    int64_t begin, end;
    gg_attention_share(&begin, &end, call, part, parts);
    for (int64_t number = begin; number < end; number++) {
        const gg_attention_item item = gg_attention_item_at(call, number);
        if (number == begin || number % head_items == 0)
            open_head(call, &t, item.sample, item.kv_head);
        run_item(call, &item, &t);
        if (number + 1 == end || (number + 1) % head_items == 0)
            close_head(call, &t, item.sample, item.kv_head, number / head_items * head_items < begin);
    }
}

/* ---- heads that were cut ---- */

typedef struct late_job {
    float *dk, *dv; /* where they belong; NULL: not wanted */
    const float *late;
    const gg_attention_shape *shape;
} late_job;

static void add_late_rows(void *context, int64_t begin, int64_t end)
{
    const late_job *job = context;
    const gg_attention_shape *s = job->shape;
    for (int64_t key = begin; key < end && job->dk != NULL; key++)
        gg_kernels()->add(job->dk + key * s->k.step, job->dk + key * s->k.step, job->late + key * s->width, s->width);
    for (int64_t key = begin; key < end && job->dv != NULL; key++)
        gg_kernels()->add(job->dv + key * s->v.step, job->dv + key * s->v.step, job->late + (s->keys + key) * s->width,
                          s->width);
}

static void add_late(const gg_attention_call *call, int part, int parts)
{
    const gg_attention_shape *s = &call->shape;
    const int64_t head_items = call->group * call->tiles;
    int64_t begin, end;
    gg_attention_share(&begin, &end, call, part, parts);
    if (begin == end || begin % head_items == 0)
        return;
    const gg_attention_item item = gg_attention_item_at(call, begin);
    late_job job = {.late = lay_out(call, part).late, .shape = s};
    if (call->dk != NULL)
        job.dk = call->dk + rows_at(&s->k, item.sample, 0, item.kv_head, s->width);
    if (call->dv != NULL)
        job.dv = call->dv + rows_at(&s->v, item.sample, 0, item.kv_head, s->width);
    gg_parallel_for(s->keys, (1 << 14) / s->width + 1, 1, add_late_rows, &job);
}

void gg_attention_run_backward(const gg_attention_call *call, int parts)
{
    gg_parallel_run(parts, run_part, (void *)(uintptr_t)call);
    for (int part = 1; part < parts; part++)
        add_late(call, part, parts);
}
