/* test_spectral.c - weights divided by their largest singular value, and that value: against Jacobi in double. */
#include <gemmgrad/fit.h>

#include <math.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/layer.h>

#include "node.h"
#include "reference_lapack.h"
#include "support.h"

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

static double exact_norm(const float *w, int64_t rows, int64_t columns)
{
    double *s = support_doubles(rows < columns ? rows : columns);
    reference_singular_values(s, support_widen(w, rows * columns), rows, columns);
    return s[0];
}

START_TEST(spectral_norm_of_any_weight)
{
    x = gg_input(model, "x", 4, (const int64_t[]){GG_BATCH, 2, 5, 5});
    const gg_value c = gg_conv2d(model, x, 7, &(gg_conv2d_options){.kernel_height = 3, .kernel_width = 2});
    gg_affine(model, gg_flatten(model, c), 4, NULL);
    double norm = -1;
    support_assert_fails(gg_model_spectral_norm(model, 0, &norm), GG_ERR_STATE, "gg_model_spectral_norm", "planned");
    must(gg_model_plan(model, GG_NO_VALUE, 2));
    gg_parameter p;
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        float *w = parameter(i, &p);
        support_fill(w, p.size, -1.0, 1.0, (uint64_t)i);
        must(gg_model_spectral_norm(model, i, &norm));
        const int64_t rows = p.rank > 1 ? p.dims[0] : 1;
        ck_assert_double_eq_tol(norm, exact_norm(w, rows, p.size / rows), 1e-5 * norm);
    }
    support_assert_fails(gg_model_spectral_norm(model, 4, &norm), GG_ERR_ARGUMENT, "gg_model_parameter", "4");
    support_assert_fails(gg_model_spectral_norm(model, 0, NULL), GG_ERR_ARGUMENT, "gg_model_spectral_norm", "norm");
    *parameter(0, &p) = NAN;
    support_assert_fails(gg_model_spectral_norm(model, 0, &norm), GG_ERR_NUMERIC, "gg_singular_values", "a");
}
END_TEST

static gg_value scores, loss_value;

/* x [8, 5] -> W [5, 4] normalised, tanh -> 3 with an ordinary W -> loss. */
static void build_spectral(gg_model *m)
{
    x = gg_input(m, "x", 2, (const int64_t[]){GG_BATCH, 5});
    t = gg_input_labels(m, "t", 1, (const int64_t[]){GG_BATCH});
    gg_model_spectral_next(m);
    const gg_value h = gg_affine(m, x, 4, &(gg_affine_options){.activation = GG_TANH});
    scores = gg_affine(m, h, 3, NULL);
    loss_value = gg_softmax_with_loss(m, scores, t);
    must(gg_model_plan(m, loss_value, 8));
}

static void bind_spectral(gg_model *m, const float *data, const int32_t *labels)
{
    must(gg_model_bind(m, x, data));
    must(gg_model_bind_labels(m, t, labels));
}

/* The loss in double with W / s, s by Jacobi. */
static double reference_loss(const double *w, const double *b, const double *w2, const float *data)
{
    double s[4], loss = 0;
    reference_singular_values(s, w, 5, 4);
    for (int r = 0; r < 8; r++) {
        double h[4], y[3], sum = 0;
        for (int j = 0; j < 4; j++) {
            h[j] = b[j];
            for (int i = 0; i < 5; i++)
                h[j] += (double)data[r * 5 + i] * w[i * 4 + j] / s[0];
            h[j] = tanh(h[j]);
        }
        for (int j = 0; j < 3; j++) {
            y[j] = 0;
            for (int i = 0; i < 4; i++)
                y[j] += h[i] * w2[i * 3 + j];
            sum += exp(y[j]);
        }
        loss -= (y[r % 3] - log(sum)) / 8;
    }
    return loss;
}

/* After enough rounds the loss and the gradient are those of the exact normalisation, by finite differences. */
START_TEST(spectral_gradient_by_finite_differences)
{
    float *data = support_uniform(8 * 5, -1.0, 1.0, 11);
    int32_t *labels = support_labels(8);
    for (int r = 0; r < 8; r++)
        labels[r] = r % 3;
    build_spectral(model);
    gg_parameter p, q;
    float *w = parameter(0, &p);
    support_fill(w, p.size, -1.0, 1.0, 12);
    bind_spectral(model, data, labels);
    for (int i = 0; i < 40; i++)
        must(gg_model_forward(model, loss_value, GG_TRAIN));
    must(gg_model_backward(model));
    double *exact = support_widen(w, 20), *b = support_widen(parameter(1, &q), 4),
           *w2 = support_widen(parameter(2, &q), 12);
    ck_assert_double_eq_tol(gg_model_loss(model), reference_loss(exact, b, w2, data), 1e-5);
    for (int i = 0; i < 20; i++) {
        const double step = 1e-5, kept = exact[i];
        exact[i] = kept + step;
        const double above = reference_loss(exact, b, w2, data);
        exact[i] = kept - step;
        const double below = reference_loss(exact, b, w2, data);
        exact[i] = kept;
        ck_assert_double_eq_tol((double)gg_model_gradients(model)[p.offset + i], (above - below) / (2 * step), 2e-5);
    }
}
END_TEST

/* The state moves in training only, and the first run is good already. */
START_TEST(spectral_state)
{
    float *data = support_uniform(8 * 5, -1.0, 1.0, 11);
    int32_t *labels = support_labels(8);
    build_spectral(model);
    gg_parameter p, s;
    float *w = parameter(0, &p);
    for (int64_t i = 0; i < p.size; i++)
        w[i] *= 100.0f;
    bind_spectral(model, data, labels);
    must(gg_model_state(model, 0, &s));
    ck_assert_str_eq(s.name, "affine1.W_direction");
    ck_assert_int_eq(s.size, 5);
    const float *state = gg_model_states(model) + s.offset;
    must(gg_model_forward(model, scores, GG_INFER));
    ck_assert_float_eq(state[0], 0.0f);
    const double norm = exact_norm(w, 5, 4), found = model->nodes[0].spectral_norm;
    ck_assert_double_eq_tol(found, norm, 2e-2 * norm);
    ck_assert_double_le(found, norm * (1 + 1e-5));
    must(gg_model_forward(model, loss_value, GG_TRAIN));
    double length = 0;
    for (int i = 0; i < 5; i++)
        length += (double)state[i] * (double)state[i];
    ck_assert_double_eq_tol(length, 1.0, 1e-5);
    const float kept = state[2];
    must(gg_model_forward(model, scores, GG_INFER));
    ck_assert_float_eq(state[2], kept);
}
END_TEST

/* Columns that sum to 0, as those of a weight without its mean do: ones are in the null space. */
START_TEST(spectral_of_columns_that_sum_to_zero)
{
    x = gg_input(model, "x", 2, (const int64_t[]){GG_BATCH, 2});
    gg_model_spectral_next(model);
    const gg_value y = gg_affine(model, x, 2, NULL);
    must(gg_model_plan(model, GG_NO_VALUE, 1));
    gg_parameter p;
    float *w = parameter(0, &p);
    const float weight[4] = {30.0f, -40.0f, -30.0f, 40.0f}, first[2] = {1.0f, 0.0f};
    memcpy(w, weight, sizeof weight);
    must(gg_model_bind(model, x, first));
    must(gg_model_forward(model, y, GG_INFER));
    const double norm = exact_norm(w, 2, 2);
    ck_assert_double_eq_tol((double)gg_model_data(model, y)[1], -40.0 / norm, 1e-5);
}
END_TEST

/* A weight of zeros stays itself; convolutions can be normalised too; the mark waits for a weight. */
START_TEST(spectral_corners)
{
    float *data = support_uniform(2 * 2 * 16, -1.0, 1.0, 11);
    x = gg_input(model, "x", 4, (const int64_t[]){GG_BATCH, 2, 4, 4});
    gg_model_spectral_next(model);
    const gg_value c = gg_conv2d(model, gg_relu(model, x), 3,
                                 &(gg_conv2d_options){.kernel_height = 3, .kernel_width = 3, .no_bias = true});
    must(gg_model_plan(model, GG_NO_VALUE, 2));
    gg_parameter p;
    float *w = parameter(0, &p);
    must(gg_model_bind(model, x, data));
    must(gg_model_forward(model, c, GG_TRAIN));
    const double norm = exact_norm(w, 3, 18);
    ck_assert_double_eq_tol(model->nodes[1].spectral_norm, norm, 2e-2 * norm);
    const float *before = support_copy(gg_model_data(model, c), gg_model_size(model, c));
    for (int64_t i = 0; i < p.size; i++)
        w[i] *= 4.0f; /* the size of W does not matter */
    must(gg_model_forward(model, c, GG_INFER));
    for (int64_t i = 0; i < gg_model_size(model, c); i++)
        ck_assert_float_eq_tol(gg_model_data(model, c)[i], before[i], 2e-2f * (1.0f + fabsf(before[i])));
    memset(w, 0, (size_t)p.size * sizeof *w);
    must(gg_model_forward(model, c, GG_TRAIN));
    for (int64_t i = 0; i < gg_model_size(model, c); i++)
        ck_assert_float_eq(gg_model_data(model, c)[i], 0.0f);
    gg_model_spectral_next(NULL);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, spectral_norm_of_any_weight);
    tcase_add_test(tests, spectral_gradient_by_finite_differences);
    tcase_add_test(tests, spectral_state);
    tcase_add_test(tests, spectral_of_columns_that_sum_to_zero);
    tcase_add_test(tests, spectral_corners);
}
