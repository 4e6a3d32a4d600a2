/* bench_kinds_recurrent.c - recurrent layers over a whole sequence, forward and backward. Beside them stand the
 * cblas_sgemm calls of their products: that of the input, one for each step, the same backward, and those of the
 * gradients of weights and input, without gates and without sums of biases. */
#include <math.h>
#include <string.h>

#include "bench_case.h"
#include "bench_check.h"
#include "reference_recurrent.h"

/* By gg_cell. */
static const char *const cells[] = {"rnn_tanh", "rnn_relu", "lstm", "gru", "gru_before", NULL};

/* More operations than this are too long for --quick. */
static const double QUICK_FLOPS = 1e9;

/* size = steps, batch, in, hidden */
static gg_recurrent_shape shape_of(const bench_case *line)
{
    const int64_t *size = line->size;
    return (gg_recurrent_shape){
        .cell = (gg_cell)line->option, .steps = size[0], .batch = size[1], .in = size[2], .hidden = size[3]};
}

static int64_t columns_of(const gg_recurrent_shape *s)
{
    return gg_cell_gates(s->cell) * s->hidden;
}

static double flops(const bench_case *line)
{
    const gg_recurrent_shape s = shape_of(line);
    return 6.0 * (double)(s.steps * s.batch) * (double)((s.in + s.hidden) * columns_of(&s));
}

/* Forward reads x and weights and writes y; backward reads x, weights and dy and writes dx and the weights' gradients.
 */
static double bytes(const bench_case *line)
{
    const gg_recurrent_shape s = shape_of(line);
    const double rows = (double)(s.steps * s.batch), weights = (double)((s.in + s.hidden) * columns_of(&s));
    return 4.0 * (3.0 * rows * (double)s.in + 3.0 * weights + 2.0 * rows * (double)s.hidden);
}

static bool too_long(const bench_case *line)
{
    return flops(line) > QUICK_FLOPS;
}

/* ---- the library's arguments: packed is wh, state2 its gradient, state1 the cache ---- */

static gg_recurrent_inputs inputs_of(const bench_work *work)
{
    return (gg_recurrent_inputs){.x = work->x, .wx = work->w, .wh = work->packed, .bias = work->bias};
}

static int64_t bias_floats(const gg_recurrent_shape *s)
{
    return gg_cell_biases(s->cell) * s->hidden;
}

static gg_status run(bench_work *work)
{
    const gg_recurrent_shape s = shape_of(work->line);
    const gg_recurrent_inputs in = inputs_of(work);
    const gg_recurrent_results out = {.y = work->y, .cache = work->state1};
    const gg_recurrent_given given = {.dy = work->dy, .cache = work->state1};
    const gg_recurrent_gradients gradients = {.dx = work->dx, .dwx = work->dw, .dwh = work->state2, .dbias = work->db};
    const gg_status status = gg_recurrent_forward(&out, &in, &s, work->workspace, work->workspace_floats);
    if (status != GG_OK)
        return status;
    return gg_recurrent_backward(&gradients, &given, &in, &s, work->workspace, work->workspace_floats);
}

/* ---- open ---- */

static gg_status take_memory(bench_work *work, const gg_recurrent_shape *s)
{
    int64_t cache = 0, forward = 0, backward = 0;
    gg_status status = gg_recurrent_cache(&cache, s);
    if (status == GG_OK)
        status = gg_recurrent_workspace(&forward, GG_RECURRENT_FORWARD, s);
    if (status == GG_OK)
        status = gg_recurrent_workspace(&backward, GG_RECURRENT_BACKWARD, s);
    if (status != GG_OK)
        return status;
    work->state1 = bench_take_data(work, cache);
    work->workspace_floats = forward > backward ? forward : backward;
    work->workspace = bench_take_data(work, work->workspace_floats);
    return work->status;
}

/* A product for each step: C, A and the distances between those of two steps. */
static void add_steps(bench_work *work, float *c, const float *a, int64_t n, int64_t k, bool backward)
{
    const gg_recurrent_shape s = shape_of(work->line);
    bench_sgemm *p = bench_add_raw(work, c, a, work->packed, s.batch, n, k, false, backward);
    p->count = (int)s.steps;
    p->stride_c = s.batch * n;
    p->stride_a = s.batch * k;
}

static void add_raw(bench_work *work, const gg_recurrent_shape *s)
{
    const int64_t rows = s->steps * s->batch, columns = columns_of(s);
    float *input_part = bench_take_data(work, rows * columns), *gates = bench_take_data(work, rows * columns);
    bench_add_raw(work, input_part, work->x, work->w, rows, columns, s->in, false, false);
    add_steps(work, gates, work->dy, columns, s->hidden, false);
    add_steps(work, work->y, gates, s->hidden, columns, true);
    bench_add_raw(work, work->dw, work->x, gates, s->in, columns, rows, true, false);
    bench_add_raw(work, work->state2, work->dy, gates, s->hidden, columns, rows, true, false);
    bench_add_raw(work, work->dx, gates, work->w, rows, s->in, columns, false, true);
}

static gg_status open(bench_work *work)
{
    const gg_recurrent_shape s = shape_of(work->line);
    const int64_t rows = s.steps * s.batch, columns = columns_of(&s);
    const float spread = 1.0f / sqrtf((float)s.hidden); /* as PyTorch begins: gates neither idle nor saturated */
    work->x = bench_take_data(work, rows * s.in);
    work->w = bench_take(work, s.in * columns, -spread, spread);
    work->packed = bench_take(work, s.hidden * columns, -spread, spread);
    work->bias = bench_take(work, bias_floats(&s), -spread, spread);
    work->y = bench_take_data(work, rows * s.hidden);
    work->dy = bench_take_data(work, rows * s.hidden);
    work->dx = bench_take_data(work, rows * s.in);
    work->dw = bench_take_data(work, s.in * columns);
    work->state2 = bench_take_data(work, s.hidden * columns);
    work->db = bench_take_data(work, bias_floats(&s));
    const gg_status status = take_memory(work, &s);
    if (status == GG_OK)
        add_raw(work, &s);
    return status != GG_OK ? status : work->status;
}

/* ---- check: one sample, the others sending no gradients, so that those of the weights are its alone ---- */

/* Roundings of the largest element: a step's sums have a few, and every step passes on those of the one before. */
static const double BOUND = 256.0;

/* The rows of one sample out of [steps][batch][columns]. */
static double *rows_of(bench_work *work, const float *x, int64_t sample, int64_t columns)
{
    const gg_recurrent_shape s = shape_of(work->line);
    double *rows = bench_take_zeros(work, s.steps * columns);
    for (int64_t t = 0; rows != NULL && t < s.steps; t++)
        for (int64_t i = 0; i < columns; i++)
            rows[t * columns + i] = (double)x[(t * s.batch + sample) * columns + i];
    return rows;
}

static gg_status compare(bench_work *work, const char *what, const float *found, const double *expected, int64_t n)
{
    double *scale = bench_take_zeros(work, n), largest = 0.0;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; scale != NULL && i < n; i++)
        scale[i] = largest;
    return scale != NULL ? bench_check_array(what, 0, found, expected, scale, n, BOUND) : work->status;
}

/* The same for the rows of a sample. */
static gg_status compare_rows(bench_work *work, const char *what, const float *found, const double *expected,
                              int64_t sample, int64_t columns)
{
    const gg_recurrent_shape s = shape_of(work->line);
    float *rows = bench_take_data(work, s.steps * columns);
    for (int64_t t = 0; rows != NULL && t < s.steps; t++)
        memcpy(rows + t * columns, found + (t * s.batch + sample) * columns, (size_t)columns * sizeof *rows);
    return rows != NULL ? compare(work, what, rows, expected, s.steps * columns) : work->status;
}

static reference_recurrent reference_of(bench_work *work, int64_t sample, const float *dy)
{
    const gg_recurrent_shape s = shape_of(work->line);
    const int64_t h = s.hidden, columns = columns_of(&s);
    reference_recurrent r = {.s = s};
    r.s.batch = 1;
    r.x = rows_of(work, work->x, sample, s.in);
    r.wx = bench_check_doubles(work, work->w, s.in * columns);
    r.wh = bench_check_doubles(work, work->packed, h * columns);
    r.bias = bench_check_doubles(work, work->bias, bias_floats(&s));
    r.dy = rows_of(work, dy, sample, h);
    r.trace = bench_take_zeros(work, reference_recurrent_trace(&r.s));
    r.y = bench_take_zeros(work, s.steps * h);
    r.h_last = bench_take_zeros(work, h);
    r.c_last = bench_take_zeros(work, h);
    r.dx = bench_take_zeros(work, s.steps * s.in);
    r.dwx = bench_take_zeros(work, s.in * columns);
    r.dwh = bench_take_zeros(work, h * columns);
    r.dbias = bench_take_zeros(work, bias_floats(&s));
    r.dh0 = bench_take_zeros(work, h);
    r.dc0 = bench_take_zeros(work, h);
    return r;
}

static gg_status compare_all(bench_work *work, const reference_recurrent *r, int64_t sample)
{
    const gg_recurrent_shape *s = &r->s;
    const int64_t columns = columns_of(s);
    gg_status status = compare_rows(work, "y", work->y, r->y, sample, s->hidden);
    if (status == GG_OK)
        status = compare_rows(work, "dx", work->dx, r->dx, sample, s->in);
    if (status == GG_OK)
        status = compare(work, "dwx", work->dw, r->dwx, s->in * columns);
    if (status == GG_OK)
        status = compare(work, "dwh", work->state2, r->dwh, s->hidden * columns);
    return status == GG_OK ? compare(work, "dbias", work->db, r->dbias, bias_floats(s)) : status;
}

static gg_status check(bench_work *work, int variant)
{
    const gg_recurrent_shape s = shape_of(work->line);
    const int64_t sample = s.batch - 1, floats = s.steps * s.batch * s.hidden;
    float *all = work->dy, *one = bench_take_data(work, floats);
    const reference_recurrent r = reference_of(work, sample, all);
    if (work->status != GG_OK)
        return work->status;
    for (int64_t i = 0; i < floats; i++)
        one[i] = i / s.hidden % s.batch == sample ? all[i] : 0.0f;
    work->dy = one;
    gg_status status = work->line->kind->variants[variant].run(work);
    work->dy = all;
    if (status != GG_OK)
        return status;
    reference_recurrent_forward(&r);
    reference_recurrent_backward(&r);
    return compare_all(work, &r, sample);
}

const bench_kind bench_recurrent = {
    .name = "recurrent",
    .options = cells,
    .variants = {{"", run}},
    .has_raw = true,
    .too_long = too_long,
    .flops = flops,
    .bytes = bytes,
    .open = open,
    .check = check,
};
