/* bench_kinds_attention.c - causal attention of several heads to itself, forward and backward: with the projections
 * around it (queries, keys and values by one product, the results through another), and alone. Beside each stand the
 * cblas_sgemm calls of the products when scores are kept whole and nothing is skipped. */
#include <math.h>

#include "bench_case.h"
#include "bench_check.h"
#include "reference_attention.h"

static const char *const options[] = {"projected", "core", NULL};

/* size = batch, length, width, heads */
typedef struct sizes {
    int64_t batch, length, width, heads, rows, head;
} sizes;

static sizes sizes_of(const bench_case *line)
{
    const int64_t *s = line->size;
    return (sizes){s[0], s[1], s[2], s[3], s[0] * s[1], s[2] / s[3]};
}

/* The two products of forward and five of backward, where a query sees half of the keys; three products of each
 * projection, four times as wide as the input in all. */
static double attention_flops(const bench_case *line)
{
    const sizes s = sizes_of(line);
    const double rows = (double)s.rows, width = (double)s.width;
    return 7.0 * rows * (double)s.length * width
           + (line->option == BENCH_PROJECTED ? 24.0 * rows * width * width : 0.0);
}

/* For --quick: all pairs of 4096 steps in the raw calls take seconds. */
static bool too_long(const bench_case *line)
{
    return line->size[1] > 1024;
}

static gg_attention_shape shape_of(const sizes *s)
{
    const gg_attention_strides fused = {s->length * 3 * s->width, 3 * s->width};
    return (gg_attention_shape){.samples = s->batch,
                                .heads = s->heads,
                                .queries = s->length,
                                .keys = s->length,
                                .width = s->head,
                                .q = fused,
                                .k = fused,
                                .v = fused};
}

/* ---- data: x [rows, width]; w [width, 3 width] of queries, keys and values and, behind it, [width, width] of the
 * results; these five arrays in `packed` ---- */

typedef struct arrays {
    float *qkv, *o, *lse, *d_o, *dqkv;
} arrays;

static arrays arrays_of(const bench_work *work)
{
    const sizes s = sizes_of(work->line);
    const int64_t plain = s.rows * s.width;
    float *all = work->packed;
    return (arrays){all, all + 3 * plain, all + 4 * plain, all + 5 * plain, all + 6 * plain};
}

/* Scores of all keys, kept for backward: two products of forward and four of backward for each head, all the while the
 * same scores. */
static void add_raw(bench_work *work, const sizes *s)
{
    const int64_t t = s->length, d = s->head;
    float *q = bench_take_data(work, s->rows * s->width), *k = bench_take_data(work, s->rows * s->width);
    float *scores = bench_take_data(work, t * t), *out = bench_take_data(work, s->rows * s->width);
    for (int i = 0; i < 6; i++) {
        const bool of_scores = i < 2; /* q k^T and do v^T; then p v, p^T do, ds k, ds^T q */
        bench_sgemm *product = of_scores ? bench_add_raw(work, scores, q, k, t, t, d, false, true)
                                         : bench_add_raw(work, out, scores, k, t, d, t, i % 2 != 0, false);
        product->count = (int)(s->batch * s->heads);
        product->stride_b = t * d;
        product->stride_a = of_scores ? t * d : 0;
        product->stride_c = of_scores ? 0 : t * d;
    }
    if (work->line->option == BENCH_CORE)
        return;
    float *qkv = bench_take_data(work, s->rows * 3 * s->width), *dw = bench_take_data(work, 3 * s->width * s->width);
    for (int64_t columns = 3 * s->width; columns > 0; columns -= 2 * s->width) {
        bench_add_raw(work, qkv, work->x, work->w, s->rows, columns, s->width, false, false);
        bench_add_raw(work, work->dx, qkv, work->w, s->rows, s->width, columns, false, true);
        bench_add_raw(work, dw, work->x, qkv, s->width, columns, s->rows, true, false);
    }
}

static gg_status open_attention(bench_work *work)
{
    const sizes s = sizes_of(work->line);
    const gg_attention_shape shape = shape_of(&s);
    int64_t forward, backward;
    const gg_status status = gg_attention_workspace(&forward, &backward, &shape);
    if (status != GG_OK)
        return status;
    const float deviation = 1.0f / sqrtf((float)s.width);
    work->x = bench_take_data(work, s.rows * s.width);
    work->dx = bench_take_data(work, s.rows * s.width);
    work->y = bench_take_data(work, s.rows * s.width);
    work->dy = bench_take_data(work, s.rows * s.width);
    work->packed = bench_take_data(work, 9 * s.rows * s.width);
    work->w = bench_take(work, 4 * s.width * s.width, -deviation, deviation);
    work->dw = bench_take_data(work, 4 * s.width * s.width);
    work->bias = bench_take_data(work, 4 * s.width);
    work->db = bench_take_data(work, 4 * s.width);
    work->workspace_floats = forward > backward ? forward : backward;
    work->workspace = bench_take_data(work, work->workspace_floats);
    if (work->status == GG_OK)
        add_raw(work, &s);
    return work->status;
}

/* ---- the work ---- */

static const gg_attention_options causal = {.causal = true};

static gg_status core_forward(bench_work *work, const sizes *s)
{
    const gg_attention_shape shape = shape_of(s);
    const arrays a = arrays_of(work);
    return gg_attention_forward(a.o, a.lse, a.qkv, a.qkv + s->width, a.qkv + 2 * s->width, &shape, &causal,
                                work->workspace, work->workspace_floats);
}

static gg_status core_backward(bench_work *work, const sizes *s)
{
    const gg_attention_shape shape = shape_of(s);
    const arrays a = arrays_of(work);
    return gg_attention_backward(a.dqkv, a.dqkv + s->width, a.dqkv + 2 * s->width, a.d_o, a.qkv, a.qkv + s->width,
                                 a.qkv + 2 * s->width, a.o, a.lse, &shape, &causal, work->workspace,
                                 work->workspace_floats);
}

static gg_status run_projected(bench_work *work)
{
    const sizes s = sizes_of(work->line);
    const arrays a = arrays_of(work);
    const int64_t n = s.width;
    const float *w_out = work->w + 3 * n * n;
    gg_status status = gg_matmul_forward(a.qkv, 3 * n, work->x, n, work->w, 3 * n, work->bias, s.rows, n, 3 * n, NULL);
    if (status == GG_OK)
        status = core_forward(work, &s);
    if (status == GG_OK)
        status = gg_matmul_forward(work->y, n, a.o, n, w_out, n, work->bias + 3 * n, s.rows, n, n, NULL);
    if (status == GG_OK)
        status = gg_matmul_backward(a.d_o, n, work->dw + 3 * n * n, n, work->db + 3 * n, work->dy, n, a.o, n, w_out, n,
                                    s.rows, n, n, NULL);
    if (status == GG_OK)
        status = core_backward(work, &s);
    return status != GG_OK ? status
                           : gg_matmul_backward(work->dx, n, work->dw, 3 * n, work->db, a.dqkv, 3 * n, work->x, n,
                                                work->w, 3 * n, s.rows, n, 3 * n, NULL);
}

static gg_status run_attention(bench_work *work)
{
    const sizes s = sizes_of(work->line);
    if (work->line->option == BENCH_PROJECTED)
        return run_projected(work);
    const gg_status status = core_forward(work, &s);
    return status != GG_OK ? status : core_backward(work, &s);
}

/* ---- checks ---- */

/* One head of one sample: all of it, or its first steps where the whole is too long for the reference; then o and dq of
 * these alone, which no later key can change. */
enum { MOST_STEPS = 1024, FIRST_STEPS = 256 };

static gg_status compare(const char *what, const float *found, const double *expected, const double *magnitude,
                         const gg_attention_strides *strides, int64_t steps, int64_t width)
{
    gg_status status = GG_OK;
    for (int64_t t = 0; t < steps && status == GG_OK; t++)
        status = bench_check_array(what, t * strides->step, found + t * strides->step, expected + t * strides->step,
                                   magnitude + t * strides->step, width, 16.0);
    return status;
}

static gg_status check_head(bench_work *work, const sizes *s, int64_t sample, int64_t head, int64_t most_steps)
{
    const int64_t steps = s->length > most_steps ? FIRST_STEPS : s->length, n = s->width;
    const arrays a = arrays_of(work);
    gg_attention_shape shape = shape_of(s);
    shape.samples = shape.heads = shape.kv_heads = 1;
    shape.queries = shape.keys = steps;
    shape.o = (gg_attention_strides){steps * n, n};
    const int64_t fused = steps * 3 * n, plain = steps * n, at = sample * s->length * n + head * s->head;
    const int64_t at_fused = sample * s->length * 3 * n + head * s->head;
    const double *qkv = bench_check_doubles(work, a.qkv + at_fused, fused - head * s->head);
    double *dqkv = bench_take_zeros(work, fused), *magnitude = bench_take_zeros(work, fused);
    reference_attention r = {.shape = shape,
                             .options = causal,
                             .q = qkv,
                             .d_o = bench_check_doubles(work, a.d_o + at, plain - head * s->head),
                             .o = bench_take_zeros(work, plain),
                             .o_magnitude = bench_take_zeros(work, plain),
                             .lse = bench_take_zeros(work, steps)};
    if (work->status != GG_OK)
        return work->status;
    r.options.scale = (float)(1.0 / sqrt((double)s->head));
    r.k = qkv + n;
    r.v = qkv + 2 * n;
    r.dq = dqkv;
    r.dk = dqkv + n;
    r.dv = dqkv + 2 * n;
    r.dq_magnitude = magnitude;
    r.dk_magnitude = magnitude + n;
    r.dv_magnitude = magnitude + 2 * n;
    reference_attention_backward(&r);
    const float *found = a.dqkv + at_fused;
    gg_status status = compare("o", a.o + at, r.o, r.o_magnitude, &shape.o, steps, s->head);
    if (status == GG_OK)
        status = compare("dq", found, r.dq, r.dq_magnitude, &shape.q, steps, s->head);
    if (status == GG_OK && steps == s->length)
        status = compare("dk", found + n, r.dk, r.dk_magnitude, &shape.k, steps, s->head);
    if (status == GG_OK && steps == s->length)
        status = compare("dv", found + 2 * n, r.dv, r.dv_magnitude, &shape.v, steps, s->head);
    return status;
}

/* C = op(A) B, m x n, at a few places: element (i, j) is the sum over k of a[i a_row + k a_k] b[k b_k + j b_column]. */
typedef struct sum {
    const char *what;
    const float *c, *a, *b, *bias;
    int64_t m, n, k, a_row, a_k, b_k, b_column;
} sum;

static gg_status check_sum(const sum *p)
{
    enum { PLACES = 64 };
    gg_status status = GG_OK;
    for (int64_t place = 0; place < PLACES && status == GG_OK; place++) {
        const int64_t i = place * 7919 % p->m, j = (place * 104729 + place / 2) % p->n;
        double total = p->bias != NULL ? (double)p->bias[j] : 0.0, magnitude = fabs(total);
        for (int64_t k = 0; k < p->k; k++) {
            const double term = (double)p->a[i * p->a_row + k * p->a_k] * (double)p->b[k * p->b_k + j * p->b_column];
            total += term;
            magnitude += fabs(term);
        }
        status = bench_check_array(p->what, i * p->n + j, p->c + i * p->n + j, &total, &magnitude, 1, 16.0);
    }
    return status;
}

static gg_status check_projections(const bench_work *work, const sizes *s)
{
    const int64_t n = s->width, rows = s->rows;
    const float *w_out = work->w + 3 * n * n, *dw_out = work->dw + 3 * n * n, *bias_out = work->bias + 3 * n;
    const arrays a = arrays_of(work);
    const sum sums[] = {
        {"qkv", a.qkv, work->x, work->w, work->bias, rows, 3 * n, n, n, 1, 3 * n, 1},
        {"y", work->y, a.o, w_out, bias_out, rows, n, n, n, 1, n, 1},
        {"do", a.d_o, work->dy, w_out, NULL, rows, n, n, n, 1, 1, n},
        {"dw out", dw_out, a.o, work->dy, NULL, n, n, rows, 1, n, n, 1},
        {"dx", work->dx, a.dqkv, work->w, NULL, rows, n, 3 * n, 3 * n, 1, 1, 3 * n},
        {"dw", work->dw, work->x, a.dqkv, NULL, n, 3 * n, rows, 1, n, 3 * n, 1},
    };
    gg_status status = GG_OK;
    for (int i = 0; i < 6 && status == GG_OK; i++)
        status = check_sum(&sums[i]);
    return status;
}

static gg_status check_attention(bench_work *work, int variant)
{
    const sizes s = sizes_of(work->line);
    (void)variant; /* there is one */
    gg_status status = run_attention(work);
    if (status == GG_OK)
        status = check_head(work, &s, 0, 0, FIRST_STEPS);
    if (status == GG_OK)
        status = check_head(work, &s, s.batch - 1, s.heads - 1, MOST_STEPS);
    return status != GG_OK || work->line->option == BENCH_CORE ? status : check_projections(work, &s);
}

const bench_kind bench_attention = {
    .name = "attention",
    .options = options,
    .variants = {{"", run_attention}},
    .has_raw = true,
    .too_long = too_long,
    .flops = attention_flops,
    .open = open_attention,
    .check = check_attention,
};
