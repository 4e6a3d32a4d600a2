/* test_reference_recurrent.c - the reference for recurrent layers held to what it is meant to be: each of its gradients
 * to differences of its forward pass, for every cell, with lengths, reversed, with a mask. */
#include <math.h>

#include "reference_recurrent.h"
#include "support.h"

enum { STEPS = 4, BATCH = 3, IN = 2, HIDDEN = 3 };

/* A central difference with step h is off by h^2 f''' / 6 + 1e-16 f / h. */
static const double STEP = 1e-5, TOLERANCE = 1e-7;

static const int32_t lengths[BATCH] = {2, 4, 0};

static double *uniform(int64_t n, uint64_t seed)
{
    double *x = support_doubles(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(support_random(&seed) >> 11) * 0x1p-52 - 1.0;
    return x;
}

/* The sum of all results, times random numbers. */
static double loss(const reference_recurrent *r)
{
    double sum = 0.0;
    reference_recurrent_forward(r);
    for (int64_t i = 0; i < STEPS * BATCH * HIDDEN; i++)
        sum += r->dy[i] * r->y[i];
    for (int64_t i = 0; i < BATCH * HIDDEN; i++)
        sum += r->dh_last[i] * r->h_last[i] + (r->s.cell == GG_CELL_LSTM ? r->dc_last[i] * r->c_last[i] : 0.0);
    return sum;
}

static void assert_derivative(const reference_recurrent *r, const char *what, const double *of, const double *gradient,
                              int64_t n)
{
    double *x = (double *)(uintptr_t)of; /* the tests own it */
    for (int64_t i = 0; i < n; i++) {
        const double here = x[i];
        x[i] = here + STEP;
        const double after = loss(r);
        x[i] = here - STEP;
        const double before = loss(r);
        x[i] = here;
        const double slope = (after - before) / (2.0 * STEP);
        ck_assert_msg(fabs(slope - gradient[i]) <= TOLERANCE * (1.0 + fabs(slope)),
                      "%s, %s[%lld]: %.12g, by differences %.12g", gg_cell_name(r->s.cell), what, (long long)i,
                      gradient[i], slope);
    }
}

/* _i: the cell, and three bits for the options. */
START_TEST(gradients_are_the_derivatives)
{
    const int cell = _i / 8, bits = _i % 8;
    const int64_t columns = gg_cell_gates((gg_cell)cell) * HIDDEN, biases = gg_cell_biases((gg_cell)cell) * HIDDEN;
    reference_recurrent r = {.s = {.cell = (gg_cell)cell, .steps = STEPS, .batch = BATCH, .in = IN, .hidden = HIDDEN},
                             .reverse = (bits & 1) != 0,
                             .lengths = (bits & 2) != 0 ? lengths : NULL,
                             .drop = (bits & 4) != 0 ? uniform(BATCH * HIDDEN, 9) : NULL};
    r.x = uniform(STEPS * BATCH * IN, 1);
    r.wx = uniform(IN * columns, 2);
    r.wh = uniform(HIDDEN * columns, 3);
    r.bias = uniform(biases, 4);
    r.h0 = uniform(BATCH * HIDDEN, 5);
    r.c0 = uniform(BATCH * HIDDEN, 6);
    r.dy = uniform(STEPS * BATCH * HIDDEN, 7);
    r.dh_last = uniform(BATCH * HIDDEN, 8);
    r.dc_last = uniform(BATCH * HIDDEN, 10);
    r.trace = support_doubles(reference_recurrent_trace(&r.s));
    r.y = support_doubles(STEPS * BATCH * HIDDEN);
    r.h_last = support_doubles(BATCH * HIDDEN);
    r.c_last = support_doubles(BATCH * HIDDEN);
    r.dx = support_doubles(STEPS * BATCH * IN);
    r.dwx = support_doubles(IN * columns);
    r.dwh = support_doubles(HIDDEN * columns);
    r.dbias = support_doubles(biases);
    r.dh0 = support_doubles(BATCH * HIDDEN);
    r.dc0 = support_doubles(BATCH * HIDDEN);
    reference_recurrent_forward(&r);
    reference_recurrent_backward(&r);
    assert_derivative(&r, "x", r.x, r.dx, STEPS * BATCH * IN);
    assert_derivative(&r, "wx", r.wx, r.dwx, IN * columns);
    assert_derivative(&r, "wh", r.wh, r.dwh, HIDDEN * columns);
    assert_derivative(&r, "bias", r.bias, r.dbias, biases);
    assert_derivative(&r, "h0", r.h0, r.dh0, BATCH * HIDDEN);
    if (cell == GG_CELL_LSTM)
        assert_derivative(&r, "c0", r.c0, r.dc0, BATCH * HIDDEN);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, gradients_are_the_derivatives, 0, 8 * GG_CELL_COUNT);
}
