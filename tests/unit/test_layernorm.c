/* test_layernorm.c - layer and RMS normalisation on every instruction set against plain loops in double: forward and
 * backward, with and without gamma and beta, in place, added up; means far from 0, NaN, no rows, wrong arguments. */
#include <float.h>
#include <math.h>
#include <string.h>

#include <gemmgrad/layernorm.h>

#include "isa.h"
#include "norm_case.h"
#include "reference_transformer.h"
#include "support.h"

/* Rows narrower and wider than registers, one chunk and more of a row, one part of the rows and more. */
static const int64_t shapes[][2] = {{1, 1},   {3, 2},    {5, 7},     {2, 16},   {17, 33},
                                    {64, 65}, {33, 131}, {1100, 12}, {3, 4099}, {130, 768}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Inputs of the library and a reference pass over the same numbers. */
typedef struct trial {
    int64_t rows, cols, n;
    float *x, *dy, *gamma, *beta, *y, *mean, *inverse, *workspace;
    int64_t floats;
    gg_layernorm_options options;
    reference_pass pass;
} trial;

static trial make(const int64_t *shape, bool rms, double low, double high)
{
    trial t = {.rows = shape[0], .cols = shape[1], .n = shape[0] * shape[1], .options = {.rms = rms}};
    t.x = support_uniform(t.n, low, high, 1);
    t.dy = support_uniform(t.n, -1.0, 1.0, 2);
    t.gamma = support_uniform(t.cols, -1.5, 1.5, 3);
    t.beta = support_uniform(t.cols, -1.0, 1.0, 4);
    t.y = support_floats(t.n);
    t.mean = support_floats(t.rows);
    t.inverse = support_floats(t.rows);
    ck_assert_int_eq(gg_layernorm_workspace(&t.floats, t.rows, t.cols), GG_OK);
    t.workspace = support_floats(t.floats);
    t.pass = (reference_pass){.rows = t.rows,
                              .columns = t.cols,
                              .epsilon = (double)1e-5f,
                              .rms = rms,
                              .x = {support_widen(t.x, t.n)},
                              .w = support_widen(t.gamma, t.cols),
                              .b = support_widen(t.beta, t.cols),
                              .y = support_doubles(t.n),
                              .dy = support_widen(t.dy, t.n),
                              .dx = {support_doubles(t.n)},
                              .dw = support_doubles(t.cols),
                              .db = support_doubles(t.cols)};
    return t;
}

/* gamma of ones, beta of zeros: what NULL stands for. */
static void make_plain(trial *t, bool no_gamma, bool no_beta)
{
    double *w = support_doubles(t->cols);
    for (int64_t c = 0; c < t->cols; c++)
        w[c] = 1.0;
    if (no_gamma) {
        t->gamma = NULL;
        t->pass.w = w;
    }
    if (no_beta) {
        t->beta = NULL;
        t->pass.b = support_doubles(t->cols);
    }
}

static gg_status forward(const trial *t)
{
    return gg_layernorm_forward(t->y, t->mean, t->inverse, t->x, t->gamma, t->beta, t->rows, t->cols, &t->options);
}

static gg_status backward(const void *which, float *dx, float *dgamma, float *dbeta, bool add)
{
    const trial *t = which;
    return gg_layernorm_backward(dx, dgamma, dbeta, t->dy, t->x, t->options.rms ? NULL : t->mean, t->inverse, t->gamma,
                                 t->rows, t->cols, &t->options, add, add, t->workspace, t->floats);
}

/* Overwriting, adding to what was there, in place, each gradient alone. */
static void check_backward(const trial *t)
{
    const norm_gradients g = norm_check_backward(&reference_layer_normalization, &t->pass, backward, t, t->n, t->cols);
    trial same = *t;
    same.dy = support_copy(t->dy, t->n);
    same.workspace = NULL;
    same.floats = 0;
    ck_assert_int_eq(backward(&same, same.dy, NULL, NULL, false), GG_OK);
    ck_assert_mem_eq(same.dy, g.dx, (size_t)t->n * sizeof *g.dx);
    float *alone = support_floats(t->cols);
    ck_assert_int_eq(backward(t, NULL, alone, NULL, false), GG_OK);
    ck_assert_mem_eq(alone, g.dgamma, (size_t)t->cols * sizeof *alone);
    ck_assert_int_eq(backward(t, NULL, NULL, alone, false), GG_OK);
    ck_assert_mem_eq(alone, g.dbeta, (size_t)t->cols * sizeof *alone);
}

static void check_shape(const int64_t *shape, bool rms, int missing)
{
    trial t = make(shape, rms, -2.0, 3.0);
    make_plain(&t, (missing & 1) != 0, (missing & 2) != 0 || rms);
    ck_assert_msg(forward(&t) == GG_OK, "%s", gg_error_message());
    ck_assert(!rms || support_untouched(t.mean, t.rows));
    norm_check_forward(&reference_layer_normalization, &t.pass, t.y, t.n);
    check_backward(&t);
    trial in_place = t;
    in_place.y = in_place.x = support_copy(t.x, t.n);
    in_place.mean = in_place.inverse = NULL;
    ck_assert_int_eq(forward(&in_place), GG_OK);
    ck_assert_mem_eq(in_place.y, t.y, (size_t)t.n * sizeof *t.y);
    support_release();
}

START_TEST(both_kinds)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        for (int missing = 0; missing < 4; missing++) {
            check_shape(shapes[i], false, missing);
            check_shape(shapes[i], true, missing);
        }
}
END_TEST

/* The inverse deviations, to the accuracy of the numbers themselves. */
static void check_inverse(const trial *t)
{
    double *inverse = support_doubles(t->rows);
    ck_assert_int_eq(forward(t), GG_OK);
    for (int64_t r = 0; r < t->rows; r++) {
        double mean = 0.0, variance = 0.0;
        for (int64_t c = 0; c < t->cols; c++)
            mean += t->pass.x[0][r * t->cols + c] / (double)t->cols;
        for (int64_t c = 0; c < t->cols; c++)
            variance += pow(t->pass.x[0][r * t->cols + c] - mean, 2.0) / (double)t->cols;
        inverse[r] = 1.0 / sqrt(variance + (double)1e-5f);
    }
    support_assert_close(t->inverse, inverse, NULL, t->rows, 16.0, "inverse");
    support_release();
}

/* The variance keeps its accuracy where the mean is a million deviations from 0. */
START_TEST(mean_far_from_zero)
{
    for (int i = 3; use_isa(_i) && i < SHAPES; i++) {
        const trial t = make(shapes[i], false, 1e6, 1e6 + 2.0);
        check_inverse(&t);
    }
}
END_TEST

/* Numbers that stand for their row in a guess at its mean, and are far from all others. */
START_TEST(mean_far_from_its_guess)
{
    for (int i = 3; use_isa(_i) && i < SHAPES; i++) {
        trial t = make(shapes[i], false, 0.0, 2.0);
        for (int64_t r = 0; r < t.rows; r++)
            for (int64_t c = 0; c < 8; c++)
                t.x[r * t.cols + c * t.cols / 8] = 1000.0f;
        t.pass.x[0] = support_widen(t.x, t.n);
        check_inverse(&t);
    }
}
END_TEST

START_TEST(bad_numbers_spoil_their_row)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; use_isa(_i) && i < 6; i++) {
        const trial t = make((const int64_t[]){9, 37}, i >= 3, -1.0, 1.0);
        t.x[4 * 37 + 11] = bad[i % 3];
        ck_assert_int_eq(forward(&t), GG_OK);
        for (int64_t j = 0; j < t.n; j++)
            ck_assert(i >= 3 && i % 3 > 0 ? isnan(t.y[j]) == (j == 4 * 37 + 11) : !!isnan(t.y[j]) == (j / 37 == 4));
        support_release();
    }
}
END_TEST

START_TEST(nothing_to_normalise)
{
    static const int64_t empty[][2] = {{0, 3}, {3, 0}, {0, 0}};
    for (int i = 0; i < 3; i++) {
        const trial t = make(empty[i], false, -1.0, 1.0);
        float *dgamma = support_floats(3), *dbeta = support_floats(3);
        ck_assert_int_eq(forward(&t), GG_OK);
        ck_assert_int_eq(backward(&t, NULL, dgamma, dbeta, false), GG_OK);
        for (int64_t c = 0; c < t.cols; c++)
            ck_assert(dgamma[c] == 0.0f && dbeta[c] == 0.0f);
        dgamma[0] = 3.0f;
        ck_assert_int_eq(backward(&t, NULL, dgamma, NULL, true), GG_OK);
        ck_assert(dgamma[0] == 3.0f);
        support_release();
    }
}
END_TEST

/* Enough for every smaller number of rows. */
START_TEST(workspace_grows)
{
    int64_t before = 0, floats = 0;
    for (int64_t rows = 0; rows < 5000; rows++) {
        ck_assert_int_eq(gg_layernorm_workspace(&floats, rows, 5), GG_OK);
        ck_assert_int_ge(floats, before);
        before = floats;
    }
    ck_assert_int_eq(floats, 128 * 5);
}
END_TEST

START_TEST(wrong_arguments)
{
    trial t = make((const int64_t[]){33, 4}, false, -1.0, 1.0);
    const trial right = t;
    float *dx = support_floats(t.n), *dgamma = support_floats(4);
#define FORWARD_FAILS(change, status, text)                                      \
    do {                                                                         \
        t = right;                                                               \
        change;                                                                  \
        support_assert_fails(forward(&t), status, "gg_layernorm_forward", text); \
    } while (0)
#define BACKWARD_FAILS(change, status, text)                                                                \
    do {                                                                                                    \
        t = right;                                                                                          \
        change;                                                                                             \
        support_assert_fails(backward(&t, dx, dgamma, NULL, false), status, "gg_layernorm_backward", text); \
    } while (0)
    FORWARD_FAILS(t.y = NULL, GG_ERR_ARGUMENT, "y is NULL");
    FORWARD_FAILS(t.x = NULL, GG_ERR_ARGUMENT, "x is NULL");
    FORWARD_FAILS(t.rows = -1, GG_ERR_ARGUMENT, "rows = -1");
    FORWARD_FAILS(t.cols = -2, GG_ERR_ARGUMENT, "cols = -2");
    FORWARD_FAILS(t.rows = INT64_MAX, GG_ERR_OVERFLOW, "rows = 9223372036854775807");
    FORWARD_FAILS(t.options.epsilon = -1.0f, GG_ERR_ARGUMENT, "epsilon is -1");
    FORWARD_FAILS(t.options.epsilon = NAN, GG_ERR_ARGUMENT, "epsilon is");
    BACKWARD_FAILS(t.dy = NULL, GG_ERR_ARGUMENT, "dy is NULL");
    BACKWARD_FAILS(t.x = NULL, GG_ERR_ARGUMENT, "x is NULL");
    BACKWARD_FAILS(t.mean = NULL, GG_ERR_ARGUMENT, "mean is NULL");
    BACKWARD_FAILS(t.inverse = NULL, GG_ERR_ARGUMENT, "inverse is NULL");
    BACKWARD_FAILS(t.workspace = NULL, GG_ERR_ARGUMENT, "workspace has 0 floats, expected 24");
    BACKWARD_FAILS(t.floats = 23, GG_ERR_ARGUMENT, "workspace has 23 floats, expected 24");
    BACKWARD_FAILS(t.cols = INT64_MAX, GG_ERR_OVERFLOW, "cols = 9223372036854775807");
    int64_t floats = 5;
    support_assert_fails(gg_layernorm_workspace(NULL, 2, 2), GG_ERR_ARGUMENT, "gg_layernorm_workspace", "floats is");
    support_assert_fails(gg_layernorm_workspace(&floats, 2, INT64_MAX), GG_ERR_OVERFLOW, "gg_layernorm_workspace",
                         "cols = 9223372036854775807");
    ck_assert_int_eq(floats, 5);
    ck_assert(support_untouched(right.y, right.n) && support_untouched(dx, right.n) && support_untouched(dgamma, 4));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, both_kinds, 0, ISA_COUNT);
    tcase_add_loop_test(tests, mean_far_from_zero, 0, ISA_COUNT);
    tcase_add_loop_test(tests, mean_far_from_its_guess, 0, ISA_COUNT);
    tcase_add_loop_test(tests, bad_numbers_spoil_their_row, 0, ISA_COUNT);
    tcase_add_test(tests, nothing_to_normalise);
    tcase_add_test(tests, workspace_grows);
    tcase_add_test(tests, wrong_arguments);
}
