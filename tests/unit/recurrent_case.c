/* recurrent_case.c - a recurrent layer by the library and by plain loops. */
#include "recurrent_case.h"

#include <math.h>
#include <string.h>

#define SUPPORT_NO_MAIN
#include "reference_recurrent.h"
#include "support.h"

/* Each element of a result is off by at most this many FLT_EPSILON of the largest one. A step's sums have a few
 * roundings of their terms; ten steps passed on, and backward again, measured 16 at most. */
static const double BOUND = 64.0;

static bool is_lstm(const recurrent_case *c)
{
    return c->s.cell == GG_CELL_LSTM;
}

/* Rows `gap` apart, canaries in between. */
static float *spread(const float *x, int64_t rows, int64_t columns, int64_t gap)
{
    float *result = support_floats(rows * (columns + gap));
    for (int64_t r = 0; r < rows && x != NULL; r++)
        memcpy(result + r * (columns + gap), x + r * columns, (size_t)columns * sizeof *x);
    return result;
}

static int32_t *lengths_of(const gg_recurrent_shape *s, uint64_t seed)
{
    int32_t *length = support_labels(s->batch);
    for (int64_t n = 0; n < s->batch; n++)
        length[n] = (int32_t)(support_random(&seed) % (uint64_t)(s->steps + 1));
    return length;
}

static float *mask_of(int64_t n, uint64_t seed)
{
    float *mask = support_floats(n);
    for (int64_t i = 0; i < n; i++)
        mask[i] = support_random(&seed) % 4 == 0 ? 0.0f : 1.0f / 0.75f;
    return mask;
}

static double *widen(const float *x, int64_t n)
{
    return x != NULL ? support_widen(x, n) : NULL;
}

static double *before(const recurrent_case *c, const float *x, int64_t n)
{
    return c->o.accumulate ? support_widen(x, n) : support_doubles(n);
}

static void expect(recurrent_case *c)
{
    const gg_recurrent_shape *s = &c->s;
    const int64_t state = s->batch * s->hidden, y = s->steps * state, x = s->steps * s->batch * s->in;
    const reference_recurrent r = {
        .s = *s,
        .reverse = c->o.reverse,
        .lengths = c->length,
        .x = widen(c->x, x),
        .wx = widen(c->wx, s->in * c->columns),
        .wh = widen(c->wh, s->hidden * c->columns),
        .bias = widen(c->bias, c->biases),
        .h0 = widen(c->h0, state),
        .c0 = widen(c->c0, state),
        .drop = widen(c->drop, state),
        .trace = support_doubles(reference_recurrent_trace(s)),
        .y = c->y = support_doubles(y),
        .h_last = c->h_last = support_doubles(state),
        .c_last = c->c_last = support_doubles(state),
        .dy = widen(c->dy, y),
        .dh_last = widen(c->dh_last, state),
        .dc_last = widen(c->dc_last, state),
        .dx = c->dx = before(c, c->dx_before, x),
        .dwx = c->dwx = before(c, c->dwx_before, s->in * c->columns),
        .dwh = c->dwh = before(c, c->dwh_before, s->hidden * c->columns),
        .dbias = c->dbias = before(c, c->dbias_before, c->biases),
        .dh0 = c->dh0 = support_doubles(state),
        .dc0 = c->dc0 = support_doubles(state),
    };
    reference_recurrent_forward(&r);
    reference_recurrent_backward(&r);
}

recurrent_case recurrent_case_new(const gg_recurrent_shape *shape, const recurrent_options *options, uint64_t seed)
{
    recurrent_case c = {.s = *shape, .o = *options};
    const gg_recurrent_shape *s = &c.s;
    const int64_t state = s->batch * s->hidden, y = s->steps * state, x = s->steps * s->batch * s->in;
    const double size = 1.0 / sqrt((double)s->hidden + 1.0);
    c.s.directions = 0;
    c.s.dropout = c.s.dropout || options->drop;
    c.columns = gg_cell_gates(s->cell) * s->hidden;
    c.biases = gg_cell_biases(s->cell) * s->hidden;
    c.length = options->lengths ? lengths_of(s, seed) : NULL;
    c.x = support_uniform(x, -1.0, 1.0, seed + 1);
    c.wx = support_uniform(s->in * c.columns, -0.7, 0.7, seed + 2);
    c.wh = support_uniform(s->hidden * c.columns, -1.5 * size, 1.5 * size, seed + 3);
    c.bias = options->no_bias ? NULL : support_uniform(c.biases, -0.5, 0.5, seed + 4);
    c.h0 = options->no_start ? NULL : support_uniform(state, -1.0, 1.0, seed + 5);
    c.c0 = options->no_start || !is_lstm(&c) ? NULL : support_uniform(state, -1.0, 1.0, seed + 6);
    c.drop = options->drop ? mask_of(state, seed + 7) : NULL;
    c.dy = support_uniform(y, -1.0, 1.0, seed + 8);
    c.dh_last = options->no_last ? NULL : support_uniform(state, -1.0, 1.0, seed + 9);
    c.dc_last = options->no_last || !is_lstm(&c) ? NULL : support_uniform(state, -1.0, 1.0, seed + 10);
    c.dx_before = support_uniform(x, -1.0, 1.0, seed + 11);
    c.dwx_before = support_uniform(s->in * c.columns, -1.0, 1.0, seed + 12);
    c.dwh_before = support_uniform(s->hidden * c.columns, -1.0, 1.0, seed + 13);
    c.dbias_before = support_uniform(c.biases, -1.0, 1.0, seed + 14);
    expect(&c);
    return c;
}

static float *spread_state(const recurrent_case *c, const float *x)
{
    return x != NULL ? spread(x, c->s.batch, c->s.hidden, c->o.gap) : NULL;
}

static int64_t distance(const recurrent_case *c)
{
    return c->o.gap > 0 ? c->s.hidden + c->o.gap : 0;
}

gg_recurrent_inputs recurrent_inputs_of(const recurrent_case *c)
{
    return (gg_recurrent_inputs){.x = c->x,
                                 .wx = c->wx,
                                 .wh = c->wh,
                                 .bias = c->bias,
                                 .h0 = spread_state(c, c->h0),
                                 .c0 = spread_state(c, c->c0),
                                 .ld0 = distance(c),
                                 .lengths = c->length,
                                 .drop = c->drop,
                                 .reverse = c->o.reverse};
}

static float *new_state(const recurrent_case *c, bool wanted)
{
    return wanted ? spread(NULL, c->s.batch, c->s.hidden, c->o.gap) : NULL;
}

gg_recurrent_results recurrent_results_of(const recurrent_case *c, recurrent_found *found)
{
    int64_t floats = -1;
    ck_assert_int_eq(gg_recurrent_cache(&floats, &c->s), GG_OK);
    found->y = spread(NULL, c->s.steps * c->s.batch, c->s.hidden, c->o.gap);
    found->h_last = new_state(c, !c->o.no_last);
    found->c_last = new_state(c, !c->o.no_last && is_lstm(c));
    found->cache = support_floats(floats);
    return (gg_recurrent_results){.y = found->y,
                                  .ldy = distance(c),
                                  .h_last = found->h_last,
                                  .c_last = found->c_last,
                                  .ld_last = distance(c),
                                  .cache = found->cache};
}

gg_recurrent_given recurrent_given_of(const recurrent_case *c, const recurrent_found *found)
{
    return (gg_recurrent_given){.dy = spread(c->dy, c->s.steps * c->s.batch, c->s.hidden, c->o.gap),
                                .lddy = distance(c),
                                .dh_last = spread_state(c, c->dh_last),
                                .dc_last = spread_state(c, c->dc_last),
                                .ld_last = distance(c),
                                .cache = found->cache};
}

gg_recurrent_gradients recurrent_gradients_of(const recurrent_case *c, recurrent_found *found)
{
    const bool add = c->o.accumulate;
    const int64_t x = c->s.steps * c->s.batch * c->s.in;
    found->dx = add ? support_copy(c->dx_before, x) : support_floats(x);
    found->dwx = add ? support_copy(c->dwx_before, c->s.in * c->columns) : support_floats(c->s.in * c->columns);
    found->dwh = add ? support_copy(c->dwh_before, c->s.hidden * c->columns) : support_floats(c->s.hidden * c->columns);
    found->dbias = add ? support_copy(c->dbias_before, c->biases) : support_floats(c->biases);
    found->dh0 = new_state(c, !c->o.no_start);
    found->dc0 = new_state(c, !c->o.no_start && is_lstm(c));
    return (gg_recurrent_gradients){.dx = found->dx,
                                    .dwx = found->dwx,
                                    .dwh = found->dwh,
                                    .dbias = found->dbias,
                                    .dh0 = found->dh0,
                                    .dc0 = found->dc0,
                                    .ld0 = distance(c),
                                    .accumulate_dx = add,
                                    .accumulate_dw = add};
}

void recurrent_case_run(recurrent_found *found, const recurrent_case *cases, int count)
{
    gg_recurrent_shape s = cases[0].s;
    gg_recurrent_inputs in[2];
    gg_recurrent_results out[2];
    gg_recurrent_given given[2];
    gg_recurrent_gradients gradients[2];
    int64_t floats = -1;
    s.directions = count;
    for (int i = 0; i < count; i++) {
        in[i] = recurrent_inputs_of(&cases[i]);
        out[i] = recurrent_results_of(&cases[i], &found[i]);
    }
    ck_assert_int_eq(gg_recurrent_workspace(&floats, GG_RECURRENT_FORWARD, &s), GG_OK);
    ck_assert_msg(gg_recurrent_forward(out, in, &s, support_floats(floats), floats) == GG_OK, "%s", gg_error_message());
    for (int i = 0; i < count; i++) {
        given[i] = recurrent_given_of(&cases[i], &found[i]);
        gradients[i] = recurrent_gradients_of(&cases[i], &found[i]);
    }
    ck_assert_int_eq(gg_recurrent_workspace(&floats, GG_RECURRENT_BACKWARD, &s), GG_OK);
    ck_assert_msg(gg_recurrent_backward(gradients, given, in, &s, support_floats(floats), floats) == GG_OK, "%s",
                  gg_error_message());
}

/* Rows against the reference, the gaps between them untouched. Each element is a sum of `terms` products of numbers
 * that may come near 1, of either sign. */
static void check(const recurrent_case *c, const char *what, const float *found, const double *expected, int64_t rows,
                  int64_t columns, int64_t gap, int64_t terms)
{
    if (found == NULL)
        return;
    double *scale = support_doubles(columns), largest = (double)terms / 64.0;
    for (int64_t i = 0; i < rows * columns; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < columns; i++)
        scale[i] = largest;
    for (int64_t r = 0; r < rows; r++) {
        support_assert_close(
            found + r * (columns + gap), expected + r * columns, scale, columns, BOUND,
            "%s of %s, %lld steps, batch %lld, %lld to %lld, reverse %d, lengths %d, drop %d, row %lld", what,
            gg_cell_name(c->s.cell), (long long)c->s.steps, (long long)c->s.batch, (long long)c->s.in,
            (long long)c->s.hidden, c->o.reverse, c->o.lengths, c->o.drop, (long long)r);
        ck_assert_msg(support_untouched(found + r * (columns + gap) + columns, gap), "%s: between rows", what);
    }
}

static void check_masked(const recurrent_case *c, const recurrent_found *found)
{
    const gg_recurrent_shape *s = &c->s;
    for (int64_t n = 0; n < s->batch && c->length != NULL; n++)
        for (int64_t t = c->length[n]; t < s->steps; t++) {
            const int64_t row = t * s->batch + n;
            for (int64_t u = 0; u < s->hidden; u++)
                ck_assert(found->y[row * (s->hidden + c->o.gap) + u] == 0.0f);
            for (int64_t i = 0; i < s->in; i++)
                ck_assert(found->dx[row * s->in + i] == (c->o.accumulate ? c->dx_before[row * s->in + i] : 0.0f));
        }
}

void recurrent_case_check(const recurrent_case *c, const recurrent_found *found)
{
    const gg_recurrent_shape *s = &c->s;
    check(c, "y", found->y, c->y, s->steps * s->batch, s->hidden, c->o.gap, 1);
    check(c, "h_last", found->h_last, c->h_last, s->batch, s->hidden, c->o.gap, 1);
    check(c, "c_last", found->c_last, c->c_last, s->batch, s->hidden, c->o.gap, 1);
    check(c, "dx", found->dx, c->dx, 1, s->steps * s->batch * s->in, 0, 1);
    check(c, "dwx", found->dwx, c->dwx, 1, s->in * c->columns, 0, s->steps * s->batch);
    check(c, "dwh", found->dwh, c->dwh, 1, s->hidden * c->columns, 0, s->steps * s->batch);
    check(c, "dbias", found->dbias, c->dbias, 1, c->biases, 0, s->steps * s->batch);
    check(c, "dh0", found->dh0, c->dh0, s->batch, s->hidden, c->o.gap, 1);
    check(c, "dc0", found->dc0, c->dc0, s->batch, s->hidden, c->o.gap, 1);
    check_masked(c, found);
}

void recurrent_case_hold(const gg_recurrent_shape *shape, const recurrent_options *options)
{
    const recurrent_case c = recurrent_case_new(shape, options, 100);
    recurrent_found found = {.y = NULL};
    recurrent_case_run(&found, &c, 1);
    recurrent_case_check(&c, &found);
    support_release();
}
