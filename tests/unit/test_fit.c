/* test_fit.c - LSUV, read-outs in closed form, whitening and its inverse, against plain loops in double. */
#include <gemmgrad/fit.h>

#include <math.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/memory.h>

#include "reference_lapack.h"
#include "scratch.h"
#include "support.h"

enum { BATCH = 16, MOST = 4096 };

static gg_model *model;
static gg_value x, t;

static void setup(void)
{
    ck_assert_int_eq(gg_model_new(&model, 5), GG_OK);
}

static void teardown(void)
{
    gg_model_free(model);
}

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static float *parameter(int i, gg_parameter *p)
{
    must(gg_model_parameter(model, i, p));
    return gg_model_parameters(model) + p->offset;
}

/* ---- LSUV ---- */

static double variance(const float *y, int64_t n)
{
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        mean += (double)y[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += ((double)y[i] - mean) * ((double)y[i] - mean) / (double)n;
    return squares;
}

/* W^T W (or W W^T) is a multiple of the identity. */
static void expect_orthogonal(int i)
{
    gg_parameter p;
    const float *w = parameter(i, &p);
    const int64_t rows = p.dims[0], columns = p.size / rows, k = rows < columns ? rows : columns;
    double first = 0;
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = 0; b < k; b++) {
            double sum = 0;
            for (int64_t j = 0; j < (rows < columns ? columns : rows); j++)
                sum += rows < columns ? (double)w[a * columns + j] * (double)w[b * columns + j]
                                      : (double)w[j * columns + a] * (double)w[j * columns + b];
            first = a == 0 && b == 0 ? sum : first;
            ck_assert_double_eq_tol(sum, a == b ? first : 0.0, 1e-5 * first);
        }
    ck_assert_double_gt(first, 0.0);
}

/* A deep network whose layers' outputs, before the activation, are all looked at; one of them through a bias. */
START_TEST(lsuv_brings_every_layer_to_variance_one)
{
    const gg_activation f[] = {GG_RELU, GG_TANH, GG_GELU};
    float *data = support_uniform((int64_t)BATCH * 3 * 6 * 6, -3.0, 5.0, 1);
    gg_value z[4];
    x = gg_input(model, "x", 4, (const int64_t[]){GG_BATCH, 3, 6, 6});
    z[0] = gg_conv2d(model, x, 5, &(gg_conv2d_options){.kernel_height = 3, .kernel_width = 3});
    z[1] = gg_affine(model, gg_flatten(model, gg_activate(model, z[0], f[0], 0)), 40, NULL);
    z[2] = gg_matmul(model, gg_activate(model, z[1], f[1], 0), 30, NULL);
    z[3] = gg_affine(model, gg_activate(model, z[2], f[2], 0), 3, NULL);
    for (int i = 0; i < 4; i++)
        must(gg_model_keep(model, z[i], false));
    must(gg_model_plan(model, GG_NO_VALUE, BATCH));
    must(gg_model_bind(model, x, data));
    gg_parameter p;
    float *bias = parameter(3, &p);
    for (int64_t i = 0; i < p.size; i++)
        bias[i] = (float)(i % 2);
    must(gg_lsuv(model, z[3]));
    must(gg_model_forward(model, z[3], GG_INFER));
    for (int i = 0; i < 4; i++) {
        const double found = variance(gg_model_data(model, z[i]), gg_model_size(model, z[i]));
        ck_assert_msg(fabs(found - 1.0) < 0.011, "layer %d: variance %g", i, found);
    }
    for (int i = 0; i < 7; i += i == 2 ? 2 : i == 4 ? 1 : 2)
        expect_orthogonal(i);
    ck_assert_float_eq(bias[1], 1.0f);
}
END_TEST

/* Fused activations give the same weights as activations apart. */
START_TEST(lsuv_sees_through_fused_activations)
{
    float *data = support_uniform((int64_t)BATCH * 7, -1.0, 1.0, 2), *first = NULL;
    for (int fused = 0; fused < 2; fused++) {
        gg_model *m = NULL;
        must(gg_model_new(&m, 8));
        const gg_value in = gg_input(m, "x", 2, (const int64_t[]){GG_BATCH, 7});
        const gg_affine_options options = {.activation = fused ? GG_SILU : GG_IDENTITY};
        gg_value h = gg_affine(m, in, 9, &options);
        h = gg_affine(m, fused ? h : gg_silu(m, h), 4, NULL);
        must(gg_model_plan(m, GG_NO_VALUE, BATCH));
        must(gg_model_bind(m, in, data));
        must(gg_lsuv(m, h));
        const int64_t n = gg_model_parameter_floats(m);
        if (fused)
            for (int64_t i = 0; i < n; i++)
                ck_assert_float_eq_tol(gg_model_parameters(m)[i], first[i], 1e-5f);
        first = support_copy(gg_model_parameters(m), n);
        gg_model_free(m);
    }
}
END_TEST

START_TEST(lsuv_refuses)
{
    float *data = support_uniform((int64_t)BATCH * 4, 0.0, 0.0, 1);
    x = gg_input(model, "x", 2, (const int64_t[]){GG_BATCH, 4});
    const gg_value y = gg_affine(model, x, 3, NULL);
    support_assert_fails(gg_lsuv(NULL, y), GG_ERR_ARGUMENT, "gg_lsuv", "model");
    support_assert_fails(gg_lsuv(model, y), GG_ERR_STATE, "gg_model_forward", "planned");
    must(gg_model_plan(model, GG_NO_VALUE, BATCH));
    support_assert_fails(gg_lsuv(model, y), GG_ERR_STATE, "gg_model_forward", "bound");
    must(gg_model_bind(model, x, data));
    support_assert_fails(gg_lsuv(model, y), GG_ERR_NUMERIC, "gg_lsuv", "affine1");
    data[3] = NAN;
    support_assert_fails(gg_lsuv(model, y), GG_ERR_NUMERIC, "gg_lsuv", "affine1");
}
END_TEST

/* ---- read-outs ---- */

enum { SAMPLES = 37, IN = 5, HIDDEN = 6, OUT = 3, PLANNED = 10 };

static gg_value readout;

static gg_value build_readout(bool bias, bool on_input)
{
    x = gg_input(model, "x", 2, (const int64_t[]){GG_BATCH, IN});
    const gg_value h = on_input ? x : gg_affine(model, x, HIDDEN, &(gg_affine_options){.activation = GG_TANH});
    readout = bias ? gg_affine(model, h, OUT, NULL) : gg_matmul(model, h, OUT, NULL);
    must(gg_model_plan(model, GG_NO_VALUE, PLANNED));
    return h;
}

/* The minimiser by the normal equations in double, from the features as the library has them. */
static void expect_fit(gg_value h, bool bias, const float *data, const float *targets, double lambda, double bound)
{
    const int64_t in = h.id == x.id ? IN : HIDDEN, side = in + bias;
    double *a = support_doubles(side * side), *b = support_doubles(side * OUT), *found = support_doubles(side * OUT);
    double row[16] = {0};
    for (int s = 0; s < SAMPLES; s++) {
        must(gg_model_set_extent(model, GG_BATCH, 1));
        must(gg_model_bind(model, x, data + s * IN));
        if (h.id != x.id)
            must(gg_model_forward(model, h, GG_INFER));
        for (int64_t i = 0; i < in; i++)
            row[i] = (double)gg_model_data(model, h)[i];
        row[in] = 1.0;
        for (int64_t i = 0; i < side; i++) {
            for (int64_t j = 0; j < side; j++)
                a[i * side + j] += row[i] * row[j];
            for (int64_t j = 0; j < OUT; j++)
                b[i * OUT + j] += row[i] * (double)targets[s * OUT + j];
        }
    }
    for (int64_t i = 0; i < in; i++)
        a[i * side + i] += lambda * SAMPLES;
    reference_solve(found, a, b, side, OUT);
    gg_parameter p;
    const int first = h.id == x.id ? 0 : 2;
    const float *w = parameter(first, &p);
    for (int64_t i = 0; i < in * OUT; i++)
        ck_assert_double_eq_tol((double)w[i], found[i], bound);
    if (bias)
        for (int64_t i = 0; i < OUT; i++)
            ck_assert_double_eq_tol((double)parameter(first + 1, &p)[i], found[in * OUT + i], bound);
}

START_TEST(readout_by_both_ways)
{
    const bool bias = _i % 2 == 0, on_input = _i / 2 == 1;
    float *data = support_uniform(SAMPLES * IN, -1.0, 1.0, 3), *targets = support_uniform(SAMPLES * OUT, -1, 1, 4);
    const gg_dataset set = {data, NULL, SAMPLES, IN};
    const gg_value h = build_readout(bias, on_input);
    must(gg_fit_readout(model, x, readout, &set, targets, 0.02f));
    expect_fit(h, bias, data, targets, (double)0.02f, 1e-4);
    must(gg_fit_readout(model, x, readout, &set, targets, 0.0f));
    expect_fit(h, bias, data, targets, 0.0, 1e-3);
}
END_TEST

START_TEST(readout_of_labels)
{
    float *data = support_uniform(SAMPLES * IN, -1.0, 1.0, 3), *targets = support_uniform(SAMPLES * OUT, 0, 0, 4);
    int32_t *labels = support_labels(SAMPLES);
    for (int i = 0; i < SAMPLES; i++)
        targets[i * OUT + (labels[i] = i % OUT)] = 1.0f;
    const gg_value h = build_readout(true, false);
    must(gg_fit_readout(model, x, readout, &(gg_dataset){data, labels, SAMPLES, IN}, NULL, 0.1f));
    expect_fit(h, true, data, targets, (double)0.1f, 1e-4);
}
END_TEST

START_TEST(readout_refuses)
{
    float *data = support_uniform(SAMPLES * IN, -1.0, 1.0, 3), *targets = support_uniform(SAMPLES * OUT, -1, 1, 4);
    int32_t *labels = support_labels(SAMPLES);
    const gg_dataset set = {data, labels, SAMPLES, IN}, wide = {data, labels, SAMPLES, IN + 1};
    const gg_value h = build_readout(true, false);
    const float *before = support_copy(gg_model_parameters(model), gg_model_parameter_floats(model));
#define FIT(...) gg_fit_readout(__VA_ARGS__)
    support_assert_fails(FIT(NULL, x, readout, &set, targets, 1), GG_ERR_ARGUMENT, "gg_fit_readout", "model");
    support_assert_fails(FIT(model, x, readout, NULL, targets, 1), GG_ERR_ARGUMENT, "gg_fit_readout", "data");
    support_assert_fails(FIT(model, x, h, &set, targets, 1), GG_ERR_ARGUMENT, "gg_fit_readout", "affine1");
    support_assert_fails(FIT(model, x, x, &set, targets, 1), GG_ERR_ARGUMENT, "gg_fit_readout", "readout");
    support_assert_fails(FIT(model, x, readout, &set, targets, -1), GG_ERR_ARGUMENT, "gg_fit_readout", "lambda");
    support_assert_fails(FIT(model, x, readout, &set, targets, NAN), GG_ERR_ARGUMENT, "gg_fit_readout", "lambda");
    support_assert_fails(FIT(model, x, readout, &wide, targets, 1), GG_ERR_SHAPE, "gg_fit_readout", "6 features");
    labels[20] = OUT;
    support_assert_fails(FIT(model, x, readout, &set, NULL, 1), GG_ERR_ARGUMENT, "gg_fit_readout", "label 20");
    targets[7] = NAN;
    support_assert_fails(FIT(model, x, readout, &set, targets, 1), GG_ERR_NUMERIC, "gg_cholesky_solve", "b");
    support_assert_fails(FIT(model, x, readout, &set, targets, 0), GG_ERR_NUMERIC, "gg_least_squares_svd", "b");
    ck_assert_mem_eq(gg_model_parameters(model), before, (size_t)gg_model_parameter_floats(model) * sizeof(float));
}
END_TEST

START_TEST(fits_survive_failing_allocations)
{
    float *data = support_uniform(SAMPLES * IN, -1.0, 1.0, 3), *targets = support_uniform(SAMPLES * OUT, -1, 1, 4);
    const gg_dataset set = {data, NULL, SAMPLES, IN};
    gg_model_free(model);
    scratch_count_allocations();
    must(gg_model_new(&model, 5));
    x = gg_input(model, "x", 2, (const int64_t[]){GG_BATCH, IN});
    const gg_value white = gg_whiten(model, x, GG_WHITEN_PCA, 0);
    readout = gg_affine(model, white, OUT, NULL);
    must(gg_model_plan(model, GG_NO_VALUE, PLANNED));
    must(gg_fit_readout(model, x, readout, &set, targets, 1.0f)); /* the thread's own scratch is there now */
    const long before = scratch_memory.live;
    for (int what = 0; what < 5; what++) {
        gg_status status = GG_ERR_MEMORY;
        double norm = 0;
        for (long budget = 0; status != GG_OK; budget++) {
            scratch_memory.budget = budget;
            status = what < 2    ? gg_fit_readout(model, x, readout, &set, targets, what == 0 ? 0.0f : 1.0f)
                     : what == 2 ? gg_whiten_fit(model, white, data, SAMPLES, 0.0f)
                     : what == 3 ? gg_model_spectral_norm(model, 0, &norm)
                                 : gg_lsuv(model, readout);
            scratch_memory.budget = -1;
            ck_assert(status == GG_OK || status == GG_ERR_MEMORY);
            ck_assert_int_eq(scratch_memory.live, before);
        }
    }
    gg_model_free(model);
    model = NULL;
    scratch_stop_counting();
}
END_TEST

/* ---- whitening ---- */

enum { ROWS = 700, D = 6 };

/* Correlated features of different sizes and a mean beside zero. */
static float *correlated(void)
{
    float *data = support_uniform(ROWS * D, -1.0, 1.0, 6);
    for (int r = 0; r < ROWS; r++)
        for (int c = D - 1; c >= 0; c--)
            data[r * D + c] = (float)(c + 1) * data[r * D + c] + 0.7f * data[r * D + (c + 3) % D] + 2.0f;
    return data;
}

static gg_value white, back;

static void build_whitening(gg_whitening kind, int64_t k)
{
    x = gg_input(model, "x", 2, (const int64_t[]){GG_BATCH, D});
    t = gg_input(model, "t", 2, (const int64_t[]){GG_BATCH, D});
    white = gg_whiten(model, x, kind, k);
    back = gg_whiten_inverse(model, white, white);
    must(gg_model_keep(model, white, true));
    must(gg_model_keep(model, back, true));
    must(gg_model_keep(model, x, true));
    const gg_value loss = gg_mean_squared_error(model, back, t);
    const gg_status status = gg_model_plan(model, loss, ROWS);
    must(status);
}

static void run_back(const float *data)
{
    must(gg_model_set_extent(model, GG_BATCH, ROWS));
    must(gg_model_bind(model, x, data));
    must(gg_model_forward(model, back, GG_INFER));
}

START_TEST(whitened_data_are_white)
{
    const gg_whitening kind = _i == 1 ? GG_WHITEN_ZCA : GG_WHITEN_PCA;
    const int64_t k = _i == 2 ? 3 : D;
    float *data = correlated();
    build_whitening(kind, k == D ? 0 : k);
    must(gg_whiten_fit(model, white, data, ROWS, 0.0f));
    run_back(data);
    const float *y = gg_model_data(model, white), *again = gg_model_data(model, back);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++) {
            double mean = 0, sum = 0;
            for (int r = 0; r < ROWS; r++) {
                mean += (double)y[r * k + i] / ROWS;
                sum += (double)y[r * k + i] * (double)y[r * k + j] / ROWS;
            }
            ck_assert_double_eq_tol(mean, 0.0, 1e-5);
            ck_assert_double_eq_tol(sum, i == j ? 1.0 : 0.0, 1e-4);
        }
    for (int64_t i = 0; i < ROWS * D && k == D; i++)
        ck_assert_float_eq_tol(again[i], data[i], 2e-5f);
}
END_TEST

/* W W^T = C^-1 in both; ZCA's W is symmetric; PCA's columns come by descending variance: x W of the larger shrinks
 * more. */
START_TEST(the_turns_are_the_ones_that_are_meant)
{
    float *data = correlated();
    build_whitening(_i == 1 ? GG_WHITEN_ZCA : GG_WHITEN_PCA, 0);
    must(gg_whiten_fit(model, white, data, ROWS, 0.0f));
    gg_parameter p;
    must(gg_model_state(model, 1, &p));
    ck_assert_str_eq(p.name, "whiten1.W");
    const float *w = gg_model_states(model) + p.offset;
    double before = 0;
    for (int j = 0; j < D; j++) {
        double squares = 0;
        for (int i = 0; i < D; i++) {
            squares += (double)w[i * D + j] * (double)w[i * D + j];
            if (_i == 1)
                ck_assert_float_eq_tol(w[i * D + j], w[j * D + i], 1e-6f);
        }
        if (_i == 0)
            ck_assert_double_ge(squares, before);
        before = squares;
    }
}
END_TEST

/* An epsilon shrinks what has little variance; the inverse undoes it all the same. */
START_TEST(epsilon_and_the_inverse)
{
    float *data = correlated();
    for (int r = 0; r < ROWS; r++)
        data[r * D + 2] = 1.0f; /* a constant: no variance in one direction */
    build_whitening(_i == 1 ? GG_WHITEN_ZCA : GG_WHITEN_PCA, 0);
    support_assert_fails(gg_whiten_fit(model, white, data, ROWS, 0.0f), GG_ERR_SINGULAR, "gg_whiten_fit", "epsilon");
    run_back(data);
    ck_assert_mem_eq(gg_model_data(model, back), data, ROWS * D * sizeof *data); /* not fitted yet */
    must(gg_whiten_fit(model, white, data, ROWS, 1e-2f));
    run_back(data);
    for (int64_t i = 0; i < ROWS * D; i++)
        ck_assert_float_eq_tol(gg_model_data(model, back)[i], data[i], 1e-4f);
}
END_TEST

/* dL/dx of L = mean (back - t)^2: back is x itself when all components are kept, its projection otherwise. */
START_TEST(gradients_go_through)
{
    const bool fitted = _i % 2 == 1, add = _i / 2 == 1;
    float *data = correlated(), *targets = support_uniform(ROWS * D, -1.0, 1.0, 8);
    x = gg_input(model, "x", 2, (const int64_t[]){GG_BATCH, D});
    t = gg_input(model, "t", 2, (const int64_t[]){GG_BATCH, D});
    const gg_value h = gg_node_exp(model, gg_node_log(model, x)); /* so that a gradient reaches a layer */
    white = gg_whiten(model, h, GG_WHITEN_PCA, 0);
    back = gg_whiten_inverse(model, white, white);
    if (add) /* two readers of h and of white: gradients add up */
        back = gg_node_add(model, back, gg_node_add(model, h, gg_whiten_inverse(model, white, white)));
    must(gg_model_keep(model, h, true));
    for (int64_t i = 0; i < ROWS * D; i++)
        data[i] = fabsf(data[i]) + 0.1f;
    must(gg_model_keep(model, back, false));
    const gg_value loss = gg_mean_squared_error(model, back, t);
    must(gg_model_plan(model, loss, ROWS));
    if (fitted)
        must(gg_whiten_fit(model, white, data, ROWS, 1e-3f));
    must(gg_model_bind(model, x, data));
    must(gg_model_bind(model, t, targets));
    must(gg_model_forward(model, loss, GG_TRAIN));
    must(gg_model_backward(model));
    const float *dh = gg_model_gradient(model, h), *values = gg_model_data(model, h);
    const double times = add ? 3.0 : 1.0;
    for (int64_t i = 0; i < ROWS * D; i++)
        ck_assert_double_eq_tol((double)dh[i],
                                times * 2.0 * (times * (double)values[i] - (double)targets[i]) / (ROWS * D), 1e-6);
}
END_TEST

START_TEST(whitening_refuses)
{
    float *data = correlated();
    build_whitening(GG_WHITEN_PCA, 2);
    support_assert_fails(gg_whiten_fit(NULL, white, data, ROWS, 0), GG_ERR_ARGUMENT, "gg_whiten_fit", "model");
    support_assert_fails(gg_whiten_fit(model, back, data, ROWS, 0), GG_ERR_ARGUMENT, "gg_whiten_fit", "whitened");
    support_assert_fails(gg_whiten_fit(model, white, NULL, ROWS, 0), GG_ERR_ARGUMENT, "gg_whiten_fit", "x");
    support_assert_fails(gg_whiten_fit(model, white, data, 0, 0), GG_ERR_ARGUMENT, "gg_whiten_fit", "rows");
    support_assert_fails(gg_whiten_fit(model, white, data, ROWS, NAN), GG_ERR_ARGUMENT, "gg_whiten_fit", "epsilon");
    data[5] = INFINITY;
    support_assert_fails(gg_whiten_fit(model, white, data, ROWS, 0), GG_ERR_NUMERIC, "gg_whiten_fit", "x");
    const struct {
        gg_whitening kind;
        int64_t k;
    } wrong[] = {{GG_WHITEN_PCA, D + 1}, {GG_WHITEN_PCA, -1}, {GG_WHITEN_ZCA, 2}, {(gg_whitening)7, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gg_model *m = NULL;
        must(gg_model_new(&m, 1));
        const gg_value in = gg_input(m, "x", 2, (const int64_t[]){GG_BATCH, D});
        ck_assert_int_lt(gg_whiten(m, in, wrong[i].kind, wrong[i].k).id, 0);
        support_assert_fails(gg_model_plan(m, GG_NO_VALUE, 1), GG_ERR_ARGUMENT, "gg_whiten", "");
        gg_model_free(m);
    }
    gg_model *m = NULL;
    must(gg_model_new(&m, 1));
    const gg_value in = gg_input(m, "x", 2, (const int64_t[]){GG_BATCH, D});
    ck_assert_int_lt(gg_whiten_inverse(m, in, in).id, 0);
    support_assert_fails(gg_model_plan(m, GG_NO_VALUE, 1), GG_ERR_ARGUMENT, "gg_whiten_inverse", "whitened");
    gg_model_free(m);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, lsuv_brings_every_layer_to_variance_one);
    tcase_add_test(tests, lsuv_sees_through_fused_activations);
    tcase_add_test(tests, lsuv_refuses);
    tcase_add_loop_test(tests, readout_by_both_ways, 0, 4);
    tcase_add_test(tests, readout_of_labels);
    tcase_add_test(tests, readout_refuses);
    tcase_add_test(tests, fits_survive_failing_allocations);
    tcase_add_loop_test(tests, whitened_data_are_white, 0, 3);
    tcase_add_loop_test(tests, the_turns_are_the_ones_that_are_meant, 0, 2);
    tcase_add_loop_test(tests, epsilon_and_the_inverse, 0, 2);
    tcase_add_loop_test(tests, gradients_go_through, 0, 4);
    tcase_add_test(tests, whitening_refuses);
}
