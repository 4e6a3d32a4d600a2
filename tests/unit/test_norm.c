/* test_norm.c - batch normalisation on every instruction set against plain loops in double: statistics, forward,
 * inference, backward, rows times a factor each and folding into weights; means far from 0, NaN, wrong arguments. */
#include <float.h>
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/norm.h>

#include "isa.h"
#include "norm_case.h"
#include "reference_images.h"
#include "support.h"

/* images, channels, size: values without images, odd planes, few channels that are cut by images, many. */
static const int64_t shapes[][3] = {{1, 1, 1},   {2, 3, 1},    {64, 17, 1},  {33, 131, 1},  {2, 5, 2},     {1, 17, 957},
                                    {4, 17, 49}, {3, 64, 196}, {7, 3, 4097}, {2, 1, 40000}, {40, 2, 1024}, {1, 1, 3}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const double EPSILON = (double)1e-5f;

/* Inputs of the library and a reference pass over the same numbers. */
typedef struct trial {
    int64_t images, channels, size, n;
    float *x, *dy, *gamma, *beta;
    float *y, *mean, *inverse, *running_mean, *running_variance;
    gg_batchnorm_options options;
    reference_pass pass;
} trial;

static trial make(const int64_t *shape, bool relu, double low, double high)
{
    trial t = {.images = shape[0], .channels = shape[1], .size = shape[2], .options = {.relu = relu}};
    t.n = t.images * t.channels * t.size;
    t.x = support_uniform(t.n, low, high, 1);
    t.dy = support_uniform(t.n, -1.0, 1.0, 2);
    t.gamma = support_uniform(t.channels, -1.5, 1.5, 3);
    t.beta = support_uniform(t.channels, -1.0, 1.0, 4);
    t.y = support_floats(t.n);
    t.mean = support_floats(t.channels);
    t.inverse = support_floats(t.channels);
    t.running_mean = support_uniform(t.channels, -1.0, 1.0, 5);
    t.running_variance = support_uniform(t.channels, 0.5, 2.0, 6);
    t.pass = (reference_pass){.images = t.images,
                              .channels = t.channels,
                              .height = 1,
                              .width = t.size,
                              .epsilon = EPSILON,
                              .relu = relu,
                              .x = {support_widen(t.x, t.n)},
                              .w = support_widen(t.gamma, t.channels),
                              .b = support_widen(t.beta, t.channels),
                              .y = support_doubles(t.n),
                              .dy = support_widen(t.dy, t.n),
                              .dx = {support_doubles(t.n)},
                              .dw = support_doubles(t.channels),
                              .db = support_doubles(t.channels)};
    return t;
}

static gg_status forward(const trial *t)
{
    return gg_batchnorm_forward(t->y, t->mean, t->inverse, t->running_mean, t->running_variance, t->x, t->gamma,
                                t->beta, t->images, t->channels, t->size, &t->options);
}

static gg_status backward(const void *which, float *dx, float *dgamma, float *dbeta, bool add)
{
    const trial *t = which;
    return gg_batchnorm_backward(dx, dgamma, dbeta, t->dy, t->x, t->mean, t->inverse, t->gamma, t->beta, t->images,
                                 t->channels, t->size, &t->options, add, add);
}

/* Statistics as the reference has them, running ones from those before. */
static void check_statistics(const trial *t, const float *mean_before, const float *variance_before)
{
    const int64_t c = t->channels, count = t->images * t->size;
    const double momentum = (double)0.1f, unbiased = (double)count / (double)(count > 1 ? count - 1 : 1);
    double *mean = support_doubles(c), *variance = support_doubles(c), *inverse = support_doubles(c);
    double *scale = support_doubles(c);
    reference_statistics(mean, variance, inverse, &t->pass);
    for (int64_t i = 0; i < c; i++)
        scale[i] = fabs(mean[i]) + sqrt(variance[i]);
    support_assert_close(t->mean, mean, scale, c, 1.0, "mean");
    support_assert_close(t->inverse, inverse, NULL, c, 2.0, "inverse");
    for (int64_t i = 0; i < c; i++) {
        mean[i] = (1.0 - momentum) * (double)mean_before[i] + momentum * mean[i];
        variance[i] = count > 1 ? (1.0 - momentum) * (double)variance_before[i] + momentum * unbiased * variance[i]
                                : (double)variance_before[i];
        scale[i] = fabs((double)mean_before[i]) + fabs(mean[i]);
    }
    support_assert_close(t->running_mean, mean, scale, c, 2.0, "running mean");
    support_assert_close(t->running_variance, variance, NULL, c, 2.0, "running variance");
}

/* Overwriting, adding to what was there, in place, each gradient alone. */
static void check_backward(const trial *t)
{
    const int64_t c = t->channels;
    const norm_gradients g = norm_check_backward(&reference_batch_normalization, &t->pass, backward, t, t->n, c);
    float *alone = support_floats(t->n), *in_place = support_copy(t->dy, t->n);
    ck_assert_int_eq(backward(t, alone, NULL, NULL, false), GG_OK);
    ck_assert_mem_eq(alone, g.dx, (size_t)t->n * sizeof *g.dx);
    trial same = *t;
    same.dy = in_place;
    ck_assert_int_eq(backward(&same, in_place, NULL, NULL, false), GG_OK);
    ck_assert_mem_eq(in_place, g.dx, (size_t)t->n * sizeof *g.dx);
    float *sums = support_floats(c);
    ck_assert_int_eq(backward(t, NULL, sums, NULL, false), GG_OK);
    ck_assert_mem_eq(sums, g.dgamma, (size_t)c * sizeof *sums);
}

START_TEST(training)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        for (int relu = 0; relu < 2; relu++) {
            const trial t = make(shapes[i], relu != 0, -2.0, 3.0);
            const float *mean_before = support_copy(t.running_mean, t.channels);
            const float *variance_before = support_copy(t.running_variance, t.channels);
            ck_assert_msg(forward(&t) == GG_OK, "%s", gg_error_message());
            check_statistics(&t, mean_before, variance_before);
            norm_check_forward(&reference_batch_normalization, &t.pass, t.y, t.n);
            check_backward(&t);
            trial in_place = t;
            in_place.y = in_place.x = support_copy(t.x, t.n);
            in_place.running_mean = in_place.running_variance = NULL;
            ck_assert_int_eq(forward(&in_place), GG_OK);
            ck_assert_mem_eq(in_place.y, t.y, (size_t)t.n * sizeof *t.y);
            support_release();
        }
}
END_TEST

/* The variance keeps its accuracy where the mean is a million deviations from 0: that of the numbers themselves. */
START_TEST(mean_far_from_zero)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++) {
        const trial t = make(shapes[i], false, 1e6, 1e6 + 2.0);
        const float *mean_before = support_copy(t.running_mean, t.channels);
        const float *variance_before = support_copy(t.running_variance, t.channels);
        ck_assert_int_eq(forward(&t), GG_OK);
        check_statistics(&t, mean_before, variance_before);
        support_release();
    }
}
END_TEST

START_TEST(inference)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        for (int relu = 0; relu < 2; relu++) {
            const trial t = make(shapes[i], relu != 0, -2.0, 3.0);
            double *expected = support_doubles(t.n), *scale = support_doubles(t.n);
            for (int64_t j = 0; j < t.n; j++) {
                const int64_t c = j / t.size % t.channels;
                const double s = t.pass.w[c] / sqrt((double)t.running_variance[c] + EPSILON);
                const double mean = (double)t.running_mean[c], y = (t.pass.x[0][j] - mean) * s + t.pass.b[c];
                expected[j] = relu != 0 && y <= 0.0 ? 0.0 : y;
                scale[j] = (fabs(t.pass.x[0][j]) + fabs(mean)) * fabs(s) + fabs(t.pass.b[c]);
            }
            ck_assert_int_eq(gg_batchnorm_infer(t.y, t.x, t.gamma, t.beta, t.running_mean, t.running_variance, t.images,
                                                t.channels, t.size, &t.options),
                             GG_OK);
            support_assert_close(t.y, expected, scale, t.n, 4.0, "y");
            support_release();
        }
}
END_TEST

/* Rows narrower and wider than a register, and enough of them for several threads. */
START_TEST(scaled_rows)
{
    static const int64_t matrices[][2] = {{0, 3}, {3, 0}, {1, 1}, {7, 3}, {5, 17}, {2, 1000}, {601, 499}};
    for (int s = 0; use_isa(_i) && s < 7; s++) {
        const int64_t rows = matrices[s][0], cols = matrices[s][1];
        float *x = support_uniform(rows * cols, -2, 2, 1), *factors = support_uniform(rows, -2, 2, 2);
        float *y = support_floats(rows * cols);
        double *expected = support_doubles(rows * cols);
        for (int64_t i = 0; i < rows * cols; i++)
            expected[i] = (double)factors[i / cols] * (double)x[i];
        ck_assert_int_eq(gg_scale_rows(y, x, factors, rows, cols), GG_OK);
        support_assert_close(y, expected, NULL, rows * cols, 0.5, "%lld rows of %lld", (long long)rows,
                             (long long)cols);
        ck_assert_int_eq(gg_scale_rows(x, x, factors, rows, cols), GG_OK);
        ck_assert_mem_eq(x, y, (size_t)(rows * cols) * sizeof *x);
    }
}
END_TEST

/* W x + b, then normalised, is one product with the folded weight and bias. */
START_TEST(folding)
{
    enum { OUT = 19, IN = 37 };
    float *w = support_uniform(OUT * IN, -1, 1, 1), *b = support_uniform(OUT, -1, 1, 2),
          *x = support_uniform(IN, -1, 1, 3);
    float *gamma = support_uniform(OUT, -1, 1, 4), *beta = support_uniform(OUT, -1, 1, 5);
    float *mean = support_uniform(OUT, -1, 1, 6), *variance = support_uniform(OUT, 0, 1, 7);
    for (int with_bias = 0; use_isa(_i) && with_bias < 2; with_bias++) {
        float *folded = support_copy(w, OUT * IN), *folded_bias = support_floats(OUT);
        ck_assert_int_eq(gg_batchnorm_fold(folded, folded_bias, folded, with_bias != 0 ? b : NULL, gamma, beta, mean,
                                           variance, OUT, IN, NULL),
                         GG_OK);
        for (int o = 0; o < OUT; o++) {
            double z = with_bias != 0 ? (double)b[o] : 0.0, y = (double)folded_bias[o], magnitude = fabs(z) + 1.0;
            const double s = (double)gamma[o] / sqrt((double)variance[o] + EPSILON);
            for (int i = 0; i < IN; i++) {
                z += (double)w[o * IN + i] * (double)x[i];
                y += (double)folded[o * IN + i] * (double)x[i];
                magnitude += fabs((double)w[o * IN + i] * (double)x[i]);
            }
            const double expected = (z - (double)mean[o]) * s + (double)beta[o];
            ck_assert_double_le(fabs(y - expected), 4.0 * (double)FLT_EPSILON * (magnitude * fabs(s) + 1.0));
        }
    }
}
END_TEST

/* A NaN or an infinity spoils its channel, in the batch and in the running statistics, and no other. */
START_TEST(bad_numbers_spoil_their_channel)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; use_isa(_i) && i < 6; i++) {
        const trial t = make((const int64_t[]){4, 20, i < 3 ? 9 : 1}, false, -1.0, 1.0);
        t.x[(2 * t.channels + 7) * t.size] = bad[i % 3];
        ck_assert_int_eq(forward(&t), GG_OK);
        for (int64_t j = 0; j < t.n; j++)
            ck_assert_int_eq(!!isnan(t.y[j]), j / t.size % t.channels == 7);
        ck_assert(isnan(t.running_variance[7]) && !isnan(t.running_variance[6]));
        support_release();
    }
}
END_TEST

START_TEST(nothing_to_normalise)
{
    static const int64_t empty[][3] = {{0, 3, 5}, {0, 3, 1}, {2, 0, 5}, {2, 3, 0}};
    for (int i = 0; i < 4; i++) {
        const trial t = make(empty[i], false, -1.0, 1.0);
        const float *before = support_copy(t.running_mean, t.channels);
        float *dgamma = support_floats(3), *dbeta = support_floats(3);
        ck_assert_int_eq(forward(&t), GG_OK);
        ck_assert_mem_eq(t.running_mean, before, (size_t)t.channels * sizeof *before);
        ck_assert(support_untouched(t.mean, t.channels));
        ck_assert_int_eq(backward(&t, NULL, dgamma, dbeta, false), GG_OK);
        for (int64_t c = 0; c < t.channels; c++)
            ck_assert(dgamma[c] == 0.0f && dbeta[c] == 0.0f);
        dgamma[0] = dbeta[0] = 3.0f;
        ck_assert_int_eq(backward(&t, NULL, dgamma, dbeta, true), GG_OK);
        ck_assert(dgamma[0] == 3.0f && dbeta[0] == 3.0f);
        support_release();
    }
}
END_TEST

START_TEST(wrong_arguments)
{
    trial t = make((const int64_t[]){2, 3, 4}, false, -1.0, 1.0);
    const trial right = t;
    const float *running = support_copy(t.running_mean, 3);
    float *dx = support_floats(t.n);
#define FORWARD_FAILS(change, status, text)                                      \
    do {                                                                         \
        t = right;                                                               \
        change;                                                                  \
        support_assert_fails(forward(&t), status, "gg_batchnorm_forward", text); \
    } while (0)
    FORWARD_FAILS(t.y = NULL, GG_ERR_ARGUMENT, "y is NULL");
    FORWARD_FAILS(t.x = NULL, GG_ERR_ARGUMENT, "x is NULL");
    FORWARD_FAILS(t.mean = NULL, GG_ERR_ARGUMENT, "mean is NULL");
    FORWARD_FAILS(t.inverse = NULL, GG_ERR_ARGUMENT, "inverse is NULL");
    FORWARD_FAILS(t.running_mean = NULL, GG_ERR_ARGUMENT, "running_mean is NULL");
    FORWARD_FAILS(t.running_variance = NULL, GG_ERR_ARGUMENT, "running_variance is NULL");
    FORWARD_FAILS(t.images = -1, GG_ERR_ARGUMENT, "images = -1");
    FORWARD_FAILS(t.channels = -2, GG_ERR_ARGUMENT, "channels = -2");
    FORWARD_FAILS(t.size = -3, GG_ERR_ARGUMENT, "size = -3");
    FORWARD_FAILS(t.size = INT64_MAX, GG_ERR_OVERFLOW, "9223372036854775807 floats");
    FORWARD_FAILS(t.options.epsilon = -1.0f, GG_ERR_ARGUMENT, "epsilon is -1");
    FORWARD_FAILS(t.options.epsilon = NAN, GG_ERR_ARGUMENT, "epsilon is");
    FORWARD_FAILS(t.options.momentum = 1.5f, GG_ERR_ARGUMENT, "momentum is 1.5");
    FORWARD_FAILS(t.options.momentum = NAN, GG_ERR_ARGUMENT, "momentum is");
    t = right;
    t.dy = NULL;
    support_assert_fails(backward(&t, dx, NULL, NULL, false), GG_ERR_ARGUMENT, "gg_batchnorm_backward", "dy is NULL");
    support_assert_fails(gg_batchnorm_infer(right.y, right.x, NULL, NULL, NULL, running, 2, 3, 4, NULL),
                         GG_ERR_ARGUMENT, "gg_batchnorm_infer", "running_mean is NULL");
    support_assert_fails(gg_batchnorm_fold(dx, NULL, right.x, NULL, NULL, NULL, running, running, 3, 4, NULL),
                         GG_ERR_ARGUMENT, "gg_batchnorm_fold", "folded_bias is NULL");
    ck_assert(support_untouched(right.y, right.n) && support_untouched(dx, right.n)
              && support_untouched(right.mean, 3));
    ck_assert_mem_eq(right.running_mean, running, 3 * sizeof *running);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, training, 0, ISA_COUNT);
    tcase_add_loop_test(tests, mean_far_from_zero, 0, ISA_COUNT);
    tcase_add_loop_test(tests, inference, 0, ISA_COUNT);
    tcase_add_loop_test(tests, scaled_rows, 0, ISA_COUNT);
    tcase_add_loop_test(tests, folding, 0, ISA_COUNT);
    tcase_add_loop_test(tests, bad_numbers_spoil_their_channel, 0, ISA_COUNT);
    tcase_add_test(tests, nothing_to_normalise);
    tcase_add_test(tests, wrong_arguments);
}
