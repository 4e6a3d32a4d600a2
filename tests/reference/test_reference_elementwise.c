/* test_reference_elementwise.c - the references for elementwise, softmax and update held to what they are meant to be:
 * every backward to its forward by central differences in double, the optimisers to steps worked out by hand. */
#include <math.h>

#include "reference_elementwise.h"
#include "reference_softmax.h"
#include "reference_update.h"
#include "support.h"

/* A central difference with step h is off by h^2 f''' / 6 + 1e-16 f / h: some 1e-10 here. */
static const double STEP = 1e-5, TOLERANCE = 1e-6;

static void assert_slope(double found, double differences, const char *what, double at)
{
    ck_assert_msg(fabs(found - differences) <= TOLERANCE * (1 + fabs(found)), "%s at %g: %.12g, by differences %.12g",
                  what, at, found, differences);
}

START_TEST(slopes_are_the_derivatives)
{
    const gg_activation f = (gg_activation)_i;
    const double alpha = 0.3;
    for (double x = f == GG_LOG ? 0.05 : -6.05; x < 6; x += 0.1) {
        const double before = reference_activation(f, x - STEP, alpha),
                     after = reference_activation(f, x + STEP, alpha);
        const double xy = gg_activation_needs_input(f) ? x : reference_activation(f, x, alpha);
        assert_slope(reference_slope(f, xy, alpha), (after - before) / (2 * STEP), gg_activation_name(f), x);
        ck_assert(reference_slope_scale(f, xy, alpha) >= fabs(reference_slope(f, xy, alpha)) * (1 - 1e-12));
    }
}
END_TEST

enum { ROWS = 4, COLS = 5, SIZE = ROWS * COLS };

static void fill(double *x, double low, double high, uint64_t seed)
{
    uint64_t state = seed;
    for (int i = 0; i < SIZE; i++)
        x[i] = low + (high - low) * (double)(support_random(&state) >> 11) * 0x1p-53;
}

/* sum dy softmax(x). */
static double weighted_softmax(const double *x, const double *dy)
{
    double y[SIZE], sum = 0;
    reference_softmax(y, x, ROWS, COLS);
    for (int i = 0; i < SIZE; i++)
        sum += dy[i] * y[i];
    return sum;
}

START_TEST(softmax_backward_is_the_derivative)
{
    double x[SIZE], dy[SIZE], y[SIZE], dx[SIZE];
    fill(x, -3, 3, 1);
    fill(dy, -1, 1, 2);
    reference_softmax(y, x, ROWS, COLS);
    reference_softmax_backward(dx, dy, y, ROWS, COLS);
    for (int i = 0; i < SIZE; i++) {
        const double at = x[i];
        x[i] = at + STEP;
        const double after = weighted_softmax(x, dy);
        x[i] = at - STEP;
        const double before = weighted_softmax(x, dy);
        x[i] = at;
        assert_slope(dx[i], (after - before) / (2 * STEP), "softmax", at);
    }
}
END_TEST

START_TEST(softmax_is_a_distribution)
{
    double x[SIZE], y[SIZE], l[ROWS];
    fill(x, -30, 30, 3);
    reference_softmax(y, x, ROWS, COLS);
    reference_log_sum_exp(l, x, ROWS, COLS);
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int c = 0; c < COLS; c++) {
            sum += y[r * COLS + c];
            assert_slope(log(y[r * COLS + c]), x[r * COLS + c] - l[r], "log softmax", x[r * COLS + c]);
        }
        assert_slope(sum, 1, "sum of softmax", 0);
    }
}
END_TEST

START_TEST(cross_entropy_gradient_is_the_derivative)
{
    const int32_t labels[ROWS] = {2, -1, 0, 4};
    const double scale = 0.7;
    double x[SIZE], dx[SIZE];
    fill(x, -3, 3, 4);
    reference_cross_entropy(dx, x, labels, ROWS, COLS, scale);
    for (int i = 0; i < SIZE; i++) {
        const double at = x[i];
        x[i] = at + STEP;
        const double after = reference_cross_entropy(NULL, x, labels, ROWS, COLS, scale);
        x[i] = at - STEP;
        const double before = reference_cross_entropy(NULL, x, labels, ROWS, COLS, scale);
        x[i] = at;
        assert_slope(dx[i], scale * (after - before) / (2 * STEP), "cross-entropy", at);
    }
}
END_TEST

START_TEST(cross_entropy_targets_gradient_is_the_derivative)
{
    const double scale = 0.7;
    double x[SIZE], t[SIZE], dx[SIZE];
    fill(x, -3, 3, 5);
    fill(t, 0, 1, 6);
    t[3] = 0;
    reference_cross_entropy_targets(dx, x, t, ROWS, COLS, scale);
    for (int i = 0; i < SIZE; i++) {
        const double at = x[i];
        x[i] = at + STEP;
        const double after = reference_cross_entropy_targets(NULL, x, t, ROWS, COLS, scale);
        x[i] = at - STEP;
        const double before = reference_cross_entropy_targets(NULL, x, t, ROWS, COLS, scale);
        x[i] = at;
        assert_slope(dx[i], scale * (after - before) / (2 * STEP), "cross-entropy of targets", at);
    }
}
END_TEST

/* One-hot targets and labels are the same loss. */
START_TEST(labels_are_one_hot_targets)
{
    const int32_t labels[ROWS] = {1, 0, 4, 2};
    double x[SIZE], t[SIZE] = {0}, a[SIZE], b[SIZE];
    fill(x, -3, 3, 7);
    for (int r = 0; r < ROWS; r++)
        t[r * COLS + labels[r]] = 1;
    assert_slope(reference_cross_entropy(a, x, labels, ROWS, COLS, 1),
                 reference_cross_entropy_targets(b, x, t, ROWS, COLS, 1), "loss", 0);
    for (int i = 0; i < SIZE; i++)
        assert_slope(a[i], b[i], "gradient", x[i]);
}
END_TEST

/* w = 1, g = 2, decay 0.5 and gradient scale 0.25: g' = 0.25 * 2 + 0.5 * 1 = 1. */
START_TEST(first_steps_by_hand)
{
    double w = 1, v = 4, scale;
    const double g = 2;
    reference_sgd(&w, &scale, &g, 1, 0.1, 0.5, 0.25);
    assert_slope(w, 0.9, "sgd", 1);

    w = 1;
    reference_momentum(&w, &v, &scale, &g, 1, 0.1, 0.5, 0.5, 0.25, false);
    assert_slope(v, 3, "momentum v", 1);
    assert_slope(w, 0.7, "momentum", 1);

    w = 1, v = 4;
    reference_momentum(&w, &v, &scale, &g, 1, 0.1, 0.5, 0.5, 0.25, true);
    assert_slope(w, 1 - 0.1 * (1 + 0.5 * 3), "nesterov", 1);

    w = 1, v = 8;
    reference_adagrad(&w, &v, &scale, &g, 1, 0.1, 1, 0.5, 0.25);
    assert_slope(v, 9, "adagrad h", 1);
    assert_slope(w, 1 - 0.1 / (3 + 1), "adagrad", 1);

    w = 1, v = 6;
    reference_rmsprop(&w, &v, &scale, &g, 1, 0.1, 0.5, 0.5, 0.5, 0.25);
    assert_slope(v, 3.5, "rmsprop h", 1);
    assert_slope(w, 1 - 0.1 / (sqrt(3.5) + 0.5), "rmsprop", 1);
}
END_TEST

/* The first step of Adam from zero state is lr sign(g'), whatever the betas; AdamW decays the weight apart. */
START_TEST(first_step_of_adam)
{
    double w = 1, m = 0, v = 0, scale;
    const double g = 2;
    reference_adam(&w, &m, &v, &scale, &g, 1, 0.1, 0.9, 0.999, 0, 0.5, 0.25, 1, false);
    assert_slope(w, 0.9, "adam", 1);
    assert_slope(m, 0.1, "adam m", 1);
    assert_slope(v, 0.001, "adam v", 1);

    w = 1, m = 0, v = 0;
    reference_adam(&w, &m, &v, &scale, &g, 1, 0.1, 0.9, 0.999, 0, 0.5, 0.25, 1, true);
    assert_slope(m, 0.05, "adamw m", 1);
    assert_slope(w, 0.95 - 0.1, "adamw", 1);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, slopes_are_the_derivatives, 0, GG_ACTIVATION_COUNT);
    tcase_add_test(tests, softmax_is_a_distribution);
    tcase_add_test(tests, softmax_backward_is_the_derivative);
    tcase_add_test(tests, cross_entropy_gradient_is_the_derivative);
    tcase_add_test(tests, cross_entropy_targets_gradient_is_the_derivative);
    tcase_add_test(tests, labels_are_one_hot_targets);
    tcase_add_test(tests, first_steps_by_hand);
    tcase_add_test(tests, first_step_of_adam);
}
