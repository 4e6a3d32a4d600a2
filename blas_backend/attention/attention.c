/* attention.c - attention's public functions: checks, workspace, and which thread does which tiles. */
#include <math.h>
#include <string.h>

#include "attention_tiles.h"

#include "backend.h"
#include "clock.h"
#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- who does what ---- */

int64_t gg_attention_keys(const gg_attention_call *call, int64_t sample)
{
    const int32_t *lengths = call->options.key_lengths;
    return lengths != NULL ? lengths[sample] : call->shape.keys;
}

/* Keys that a query sees at most, of so many that count. */
static int64_t seen(const gg_attention_call *call, int64_t query, int64_t keys)
{
    const gg_attention_options *o = &call->options;
    return o->causal && o->first_query < keys ? least(keys, o->first_query + query + 1) : keys;
}

/* The tile's last query sees the most. */
static int64_t tile_keys(const gg_attention_call *call, int64_t tile, int64_t keys)
{
    const int64_t end = least(call->shape.queries, (tile + 1) * call->tile);
    return end > tile * call->tile ? seen(call, end - 1, keys) : 0;
}

gg_attention_item gg_attention_item_at(const gg_attention_call *call, int64_t number)
{
    const int64_t tile = number % call->tiles, head = number / call->tiles;
    gg_attention_item item = {.sample = head / call->shape.heads,
                              .head = head % call->shape.heads,
                              .query = tile * call->tile,
                              .queries = least(call->tile, call->shape.queries - tile * call->tile)};
    item.kv_head = item.head / call->group;
    item.keys = tile_keys(call, tile, gg_attention_keys(call, item.sample));
    return item;
}

int64_t gg_attention_first_column(const gg_attention_call *call, const gg_attention_item *item, int64_t key)
{
    const int64_t hidden = key - call->options.first_query - item->query;
    return !call->options.causal || hidden <= 0 ? 0 : hidden / GG_PANEL * GG_PANEL;
}

/* What an item costs beside its keys: transposing its queries and writing its results, as much as a few keys. */
enum { OVERHEAD_KEYS = 16 };

static double tile_cost(const gg_attention_call *call, int64_t tile, int64_t keys)
{
    return (double)(OVERHEAD_KEYS + tile_keys(call, tile, keys));
}

static double head_cost(const gg_attention_call *call, int64_t sample)
{
    const int64_t keys = gg_attention_keys(call, sample);
    double cost = 0.0;
    for (int64_t tile = 0; tile < call->tiles; tile++)
        cost += tile_cost(call, tile, keys);
    return cost;
}

/* How many items cost at most `limit` together, an item counting by its middle. */
static int64_t items_within(const gg_attention_call *call, double limit)
{
    const int64_t heads = call->shape.heads;
    double cost = 0.0;
    for (int64_t n = 0; n < call->shape.samples; n++) {
        const double head = head_cost(call, n);
        for (int64_t h = 0; h < heads; h++, cost += head) {
            double within = cost;
            for (int64_t tile = 0; cost + head > limit && tile < call->tiles; tile++) {
                const double own = tile_cost(call, tile, gg_attention_keys(call, n));
                if (within + own / 2 > limit)
                    return (n * heads + h) * call->tiles + tile;
                within += own;
            }
        }
    }
    return call->shape.samples * heads * call->tiles;
}

void gg_attention_share(int64_t *begin, int64_t *end, const gg_attention_call *call, int part, int parts)
{
    double total = 0.0;
    for (int64_t n = 0; n < call->shape.samples; n++)
        total += head_cost(call, n) * (double)call->shape.heads;
    *begin = part == 0 ? 0 : items_within(call, total * part / parts);
    *end = part + 1 == parts ? call->shape.samples * call->shape.heads * call->tiles
                             : items_within(call, total * (part + 1) / parts);
}

/* ---- scores ---- */

void gg_attention_scores(float *s, const gg_attention_call *call, const gg_attention_item *item, const float *qt,
                         int64_t key, int64_t count, int64_t column)
{
    const gg_attention_shape *shape = &call->shape;
    const gg_attention_options *o = &call->options;
    const int64_t columns = item->queries - column, ld = call->tile;
    const float *k = call->k + item->sample * shape->k.sample + key * shape->k.step + item->kv_head * shape->width;
    gg_attention_product(s, ld, k, shape->k.step, false, qt + column, ld, count, columns, shape->width, o->scale, 0.0f);
    if (o->bias != NULL)
        gg_kernels()->transpose_add(s, ld,
                                    o->bias + item->sample * o->bias_sample + item->head * o->bias_head
                                        + (item->query + column) * o->bias_query + key,
                                    o->bias_query, columns, count, 1.0f);
    const int64_t hidden = key - o->first_query - item->query - column; /* of the columns, from key 0 of these */
    for (int64_t j = hidden > 0 ? 0 : -hidden; o->causal && j < count; j++)
        gg_kernels()->fill(s + j * ld, least(hidden + j, columns), -INFINITY);
}

/* ---- checks ---- */

/* One of the four tensors, with its strides as resolved. */
typedef struct tensor {
    const char *name;
    const void *data;
    gg_attention_strides strides;
    int64_t steps, columns;
    bool output, optional;
} tensor;

/* Floats from the first to behind the last element of n things `stride` apart that take `each`; -1: too many. */
static int64_t span(int64_t n, int64_t stride, int64_t each)
{
    int64_t before_last;
    if (n == 0 || each == 0)
        return 0;
    if (each < 0 || __builtin_mul_overflow(n - 1, stride, &before_last) || before_last > GG_MOST_FLOATS - each)
        return -1;
    return before_last + each;
}

static gg_status check_tensor(const char *function, const tensor *t, int64_t samples)
{
    if (t->strides.step < t->columns || t->strides.sample < 0)
        return gg_fail(t->strides.sample < 0 ? GG_ERR_ARGUMENT : GG_ERR_SHAPE,
                       "%s: %s has strides of %lld from sample to sample and %lld from step to step, for rows of %lld "
                       "floats",
                       function, t->name, (long long)t->strides.sample, (long long)t->strides.step,
                       (long long)t->columns);
    const int64_t rows = span(t->steps, t->strides.step, t->columns);
    if (t->strides.step > INT32_MAX || rows < 0 || span(samples, t->strides.sample, rows) < 0)
        return gg_fail(GG_ERR_OVERFLOW, "%s: %s of %lld samples, %lld steps and %lld columns is too large", function,
                       t->name, (long long)samples, (long long)t->steps, (long long)t->columns);
    if (t->output && samples > 1 && t->steps > 0 && t->strides.sample < rows
        && (t->strides.sample < t->columns || t->strides.step < span(samples, t->strides.sample, t->columns)))
        return gg_fail(
            GG_ERR_SHAPE,
            "%s: %s has strides of %lld from sample to sample and %lld from step to step: its %lld samples of "
            "%lld steps overlap",
            function, t->name, (long long)t->strides.sample, (long long)t->strides.step, (long long)samples,
            (long long)t->steps);
    if (t->data == NULL && !t->optional && samples > 0 && t->steps > 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL with %lld samples and %lld steps", function, t->name,
                       (long long)samples, (long long)t->steps);
    return GG_OK;
}

static void fill_strides(gg_attention_strides *strides, int64_t steps, int64_t columns)
{
    if (strides->step == 0)
        *strides = (gg_attention_strides){steps * columns, columns};
}

/* Sizes, with what stands for a default filled in. */
static gg_status resolve(gg_attention_shape *s, const char *function, const gg_attention_shape *given)
{
    if (given == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: shape is NULL", function);
    *s = *given;
    if (s->samples < 0 || s->queries < 0 || s->keys < 0 || s->heads < 1 || s->width < 1 || s->kv_heads < 0)
        return gg_fail(GG_ERR_ARGUMENT,
                       "%s: %lld samples, %lld queries, %lld keys, expected 0 or more; %lld heads of width %lld, "
                       "expected 1 or more; %lld heads of keys",
                       function, (long long)s->samples, (long long)s->queries, (long long)s->keys, (long long)s->heads,
                       (long long)s->width, (long long)s->kv_heads);
    if (s->kv_heads == 0)
        s->kv_heads = s->heads;
    if (s->heads % s->kv_heads != 0)
        return gg_fail(GG_ERR_SHAPE, "%s: %lld heads in groups over %lld heads of keys: no multiple", function,
                       (long long)s->heads, (long long)s->kv_heads);
    if (s->heads > INT32_MAX || s->width > INT32_MAX || s->heads * s->width > INT32_MAX || s->queries > INT32_MAX
        || s->keys > INT32_MAX || s->samples > GG_MOST_FLOATS / s->heads / (s->queries + s->keys + 1))
        return gg_fail(GG_ERR_OVERFLOW, "%s: %lld samples, %lld queries, %lld keys, %lld heads of width %lld", function,
                       (long long)s->samples, (long long)s->queries, (long long)s->keys, (long long)s->heads,
                       (long long)s->width);
    fill_strides(&s->q, s->queries, s->heads * s->width);
    fill_strides(&s->o, s->queries, s->heads * s->width);
    fill_strides(&s->k, s->keys, s->kv_heads * s->width);
    fill_strides(&s->v, s->keys, s->kv_heads * s->width);
    return GG_OK;
}

static gg_status check_options(gg_attention_call *call, const char *function, const gg_attention_options *given)
{
    const gg_attention_shape *s = &call->shape;
    gg_attention_options *o = &call->options;
    *o = given != NULL ? *given : (gg_attention_options){0};
    if (!isfinite(o->scale) || o->first_query < 0 || o->bias_sample < 0 || o->bias_head < 0 || o->bias_query < 0)
        return gg_fail(GG_ERR_ARGUMENT,
                       "%s: scale is %g, first_query %lld, bias_sample %lld, bias_head %lld, bias_query %lld, expected "
                       "a finite scale and 0 or more",
                       function, (double)o->scale, (long long)o->first_query, (long long)o->bias_sample,
                       (long long)o->bias_head, (long long)o->bias_query);
    for (int64_t n = 0; o->key_lengths != NULL && n < s->samples; n++)
        if (o->key_lengths[n] < 0 || o->key_lengths[n] > s->keys)
            return gg_fail(GG_ERR_ARGUMENT, "%s: key_lengths[%lld] is %d, expected 0 to %lld keys", function,
                           (long long)n, (int)o->key_lengths[n], (long long)s->keys);
    if (o->bias != NULL
        && (span(s->queries, o->bias_query, s->keys) < 0
            || span(s->heads, o->bias_head, span(s->queries, o->bias_query, s->keys)) < 0
            || span(s->samples, o->bias_sample, span(s->heads, o->bias_head, span(s->queries, o->bias_query, s->keys)))
                   < 0))
        return gg_fail(GG_ERR_OVERFLOW, "%s: bias_sample %lld, bias_head %lld, bias_query %lld are too large", function,
                       (long long)o->bias_sample, (long long)o->bias_head, (long long)o->bias_query);
    if (o->scale == 0.0f)
        o->scale = (float)(1.0 / sqrt((double)s->width));
    return GG_OK;
}

/* NULL ends the list. */
static gg_status check_tensors(const char *function, const tensor *t, int64_t samples)
{
    gg_status status = GG_OK;
    for (; t->name != NULL && status == GG_OK; t++)
        status = check_tensor(function, t, samples);
    return status;
}

static gg_status check_workspace(gg_attention_call *call, const char *function, int64_t needed, float *workspace,
                                 int64_t floats)
{
    if (workspace == NULL || floats < needed)
        return gg_fail(GG_ERR_ARGUMENT, "%s: workspace %s %lld floats, needed are %lld", function,
                       workspace == NULL ? "is NULL, of" : "has", (long long)floats, (long long)needed);
    call->workspace = workspace;
    return GG_OK;
}

/* ---- the public functions ---- */

gg_status gg_attention_workspace(int64_t *forward, int64_t *backward, const gg_attention_shape *shape)
{
    gg_attention_shape s;
    const gg_status status = resolve(&s, "gg_attention_workspace", shape);
    if (status != GG_OK)
        return status;
    const int threads = gg_policy_threads();
    if (s.keys > GG_MOST_FLOATS / 16 / threads / s.width)
        return gg_fail(GG_ERR_OVERFLOW, "gg_attention_workspace: %lld keys of width %lld are too many",
                       (long long)s.keys, (long long)s.width);
    if (forward != NULL)
        *forward = gg_attention_forward_floats(&s) * threads;
    if (backward != NULL)
        *backward = gg_attention_backward_floats(&s) * threads;
    return GG_OK;
}

static void lay_out(gg_attention_call *call, int64_t tile, int64_t part_floats)
{
    const int64_t queries = call->shape.queries;
    call->tile = tile;
    call->tiles = queries > 0 ? (queries + tile - 1) / tile : 1;
    call->group = call->shape.heads / call->shape.kv_heads;
    call->part_floats = part_floats;
}

/* Threads that pay: a tile of 64 x 64 scores of width 64 takes a few microseconds. */
static int parts_for(const gg_attention_call *call)
{
    const gg_attention_shape *s = &call->shape;
    enum { GRAIN = 1 << 17 }; /* multiply-adds */
    const double work = (double)s->samples * (double)s->heads * (double)s->queries * (double)s->keys * (double)s->width;
    return gg_parallel_parts(work < 1e15 ? (int64_t)work : (int64_t)1e15, GRAIN);
}

static void run(const gg_attention_call *call, void (*pass)(const gg_attention_call *call, int parts))
{
    const double start = gg_clock_start();
    pass(call, parts_for(call));
    gg_clock_stop(start);
}

gg_status gg_attention_forward(float *o, float *lse, const float *q, const float *k, const float *v,
                               const gg_attention_shape *shape, const gg_attention_options *options, float *workspace,
                               int64_t workspace_floats)
{
    static const char name[] = "gg_attention_forward";
    gg_attention_call call = {.q = q, .k = k, .v = v, .o = o, .lse = lse};
    gg_attention_shape *s = &call.shape;
    gg_status status = resolve(s, name, shape);
    if (status == GG_OK)
        status = check_options(&call, name, options);
    if (status == GG_OK)
        status = check_tensors(name,
                               (const tensor[]){{"o", o, s->o, s->queries, s->heads * s->width, true, false},
                                                {"q", q, s->q, s->queries, s->heads * s->width, false, false},
                                                {"k", k, s->k, s->keys, s->kv_heads * s->width, false, false},
                                                {"v", v, s->v, s->keys, s->kv_heads * s->width, false, false},
                                                {0}},
                               s->samples);
    int64_t needed = 0;
    if (status == GG_OK)
        status = gg_attention_workspace(&needed, NULL, s);
    if (status != GG_OK || s->samples == 0 || s->queries == 0)
        return status;
    status = check_workspace(&call, name, needed, workspace, workspace_floats);
    if (status != GG_OK)
        return status;
    lay_out(&call, GG_FORWARD_QUERIES, gg_attention_forward_floats(s));
    run(&call, gg_attention_run_forward);
    return GG_OK;
}

gg_status gg_attention_backward(float *dq, float *dk, float *dv, const float *d_o, const float *q, const float *k,
                                const float *v, const float *o, const float *lse, const gg_attention_shape *shape,
                                const gg_attention_options *options, float *workspace, int64_t workspace_floats)
{
    static const char name[] = "gg_attention_backward";
    gg_attention_call call = {
        .q = q, .k = k, .v = v, .d_o = d_o, .o_given = o, .lse_given = lse, .dq = dq, .dk = dk, .dv = dv};
    gg_attention_shape *s = &call.shape;
    gg_status status = resolve(s, name, shape);
    if (status == GG_OK)
        status = check_options(&call, name, options);
    const int64_t columns = s->heads * s->width, kv_columns = s->kv_heads * s->width;
    if (status == GG_OK)
        status = check_tensors(name,
                               (const tensor[]){{"dq", dq, s->q, s->queries, columns, true, true},
                                                {"dk", dk, s->k, s->keys, kv_columns, true, true},
                                                {"dv", dv, s->v, s->keys, kv_columns, true, true},
                                                {"d_o", d_o, s->o, s->queries, columns, false, false},
                                                {"q", q, s->q, s->queries, columns, false, false},
                                                {"k", k, s->k, s->keys, kv_columns, false, false},
                                                {"v", v, s->v, s->keys, kv_columns, false, false},
                                                {"o", o, s->o, s->queries, columns, false, false},
                                                {"lse", lse, {s->queries, 1}, s->queries, 1, false, false},
                                                {0}},
                               s->samples);
    int64_t needed = 0;
    if (status == GG_OK)
        status = gg_attention_workspace(NULL, &needed, s);
    if (status != GG_OK || s->samples == 0)
        return status;
    status = check_workspace(&call, name, needed, workspace, workspace_floats);
    if (status != GG_OK)
        return status;
    lay_out(&call, GG_BACKWARD_QUERIES, gg_attention_backward_floats(s));
    run(&call, gg_attention_run_backward);
    return GG_OK;
}
