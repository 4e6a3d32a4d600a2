/* test_model.c - building and planning a model: what is refused, and with which words; names; parameters. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/layer.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/model.h>
#include <gemmgrad/optimizer.h>

#include "support.h"

static gg_model *model;
static gg_value x, t;

static void start(void)
{
    ck_assert_int_eq(gg_model_new(&model, 42), GG_OK);
    x = gg_input(model, "x", 2, (int64_t[]){GG_BATCH, 5});
    t = gg_input_labels(model, "t", 1, (int64_t[]){GG_BATCH});
}

static void finish(void)
{
    gg_model_free(model);
    model = NULL;
}

/* The building function gave nothing, plan returns the error with those words, and the next model starts. */
static void expect_refused(gg_value given, gg_status status, const char *function, const char *words)
{
    ck_assert_int_lt(given.id, 0);
    support_assert_fails(gg_model_plan(model, GG_NO_VALUE, 4), status, function, words);
    finish();
    start();
}

/* ---- building ---- */

START_TEST(no_model)
{
    support_assert_fails(gg_model_new(NULL, 1), GG_ERR_ARGUMENT, "gg_model_new", "out is NULL");
    gg_model_free(NULL);
    ck_assert_int_lt(gg_input(NULL, "x", 1, (int64_t[]){3}).id, 0);
    ck_assert_int_lt(gg_input_labels(NULL, "x", 1, (int64_t[]){3}).id, 0);
    gg_model_name_next(NULL, "x");
    ck_assert_int_lt(gg_sequential(NULL, x, (gg_layer_spec[]){{.kind = GG_LAYER_SOFTMAX}}, 1).id, 0);
    support_assert_fails(gg_model_plan(NULL, x, 1), GG_ERR_ARGUMENT, "gg_model_plan", "model is NULL");
    support_assert_fails(gg_model_set_largest(NULL, GG_TIME, 1), GG_ERR_ARGUMENT, "gg_model_set_largest",
                         "model is NULL");
    support_assert_fails(gg_model_set_extent(NULL, GG_BATCH, 1), GG_ERR_ARGUMENT, "gg_model_set_extent",
                         "model is NULL");
    support_assert_fails(gg_model_keep(NULL, x, true), GG_ERR_ARGUMENT, "gg_model_keep", "not a value");
    support_assert_fails(gg_model_bind(NULL, x, NULL), GG_ERR_ARGUMENT, "gg_model_bind", "not an input");
    support_assert_fails(gg_model_bind_labels(NULL, t, NULL), GG_ERR_ARGUMENT, "gg_model_bind_labels", "not an input");
    support_assert_fails(gg_model_forward(NULL, x, GG_INFER), GG_ERR_ARGUMENT, "gg_model_forward", "target");
    support_assert_fails(gg_model_backward(NULL), GG_ERR_ARGUMENT, "gg_model_backward", "model is NULL");
    gg_parameter parameter;
    support_assert_fails(gg_model_parameter(NULL, 0, &parameter), GG_ERR_ARGUMENT, "gg_model_parameter",
                         "model is NULL");
}
END_TEST

START_TEST(no_model_has_nothing)
{
    ck_assert_ptr_null(gg_model_data(NULL, x));
    ck_assert_ptr_null(gg_model_gradient(NULL, x));
    ck_assert_double_eq(gg_model_loss(NULL), 0.0);
    ck_assert_int_eq(gg_model_shape(NULL, x, NULL), -1);
    ck_assert_int_eq(gg_model_size(NULL, x), 0);
    ck_assert_int_eq(gg_model_step(NULL), 0);
    gg_model_set_step(NULL, 7);
    ck_assert_ptr_null(gg_model_find_nonfinite(NULL, x));
    ck_assert_ptr_null(gg_model_parameters(NULL));
    ck_assert_ptr_null(gg_model_gradients(NULL));
    ck_assert_int_eq(gg_model_parameter_floats(NULL), 0);
    ck_assert_int_eq(gg_model_parameter_count(NULL), 0);
    ck_assert_int_eq(gg_model_parameter_bytes(NULL), 0);
    ck_assert_int_eq(gg_model_workspace_bytes(NULL), 0);
}
END_TEST

/* 47 bytes are the longest name. */
#define LONGEST "0123456789012345678901234567890123456789012345X"

START_TEST(inputs_that_are_refused)
{
    static const int64_t dims[] = {GG_BATCH, 5, 5, 5, 5}, zero[] = {3, 0}, axis[] = {3, -4}, least[] = {INT64_MIN};
    start();
    expect_refused(gg_input(model, NULL, 2, dims), GG_ERR_ARGUMENT, "gg_input", "name is missing");
    expect_refused(gg_input(model, "", 2, dims), GG_ERR_ARGUMENT, "gg_input", "name is missing");
    expect_refused(gg_input(model, LONGEST "x", 2, dims), GG_ERR_ARGUMENT, "gg_input", "longer than 47 bytes");
    expect_refused(gg_input(model, "x", 2, dims), GG_ERR_ARGUMENT, "gg_input", "\"x\" already");
    expect_refused(gg_input_labels(model, "x", 1, dims), GG_ERR_ARGUMENT, "gg_input", "\"x\" already");
    expect_refused(gg_input(model, "t", 1, dims), GG_ERR_ARGUMENT, "gg_input", "\"t\" already");
    expect_refused(gg_input(model, "new", 0, dims), GG_ERR_ARGUMENT, "\"new\"", "rank is 0");
    expect_refused(gg_input(model, "new", -1, dims), GG_ERR_ARGUMENT, "\"new\"", "rank is -1");
    expect_refused(gg_input(model, "new", 5, dims), GG_ERR_ARGUMENT, "\"new\"", "rank is 5");
    expect_refused(gg_input(model, "new", 2, NULL), GG_ERR_ARGUMENT, "\"new\"", "dims is NULL");
    expect_refused(gg_input(model, "new", 2, zero), GG_ERR_ARGUMENT, "\"new\"", "dimension 1 is 0");
    expect_refused(gg_input(model, "new", 2, axis), GG_ERR_ARGUMENT, "\"new\"", "dimension 1 is -4");
    expect_refused(gg_input(model, "new", 1, least), GG_ERR_ARGUMENT, "\"new\"", "dimension 0 is -9223372036854775808");
    ck_assert_int_ge(gg_input(model, LONGEST, 4, dims).id, 0);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 4), GG_OK);
    expect_refused(gg_input(model, "late", 2, dims), GG_ERR_STATE, "gg_input", "planned already");
    finish();
}
END_TEST

static gg_value affine(int64_t out, gg_affine_options options)
{
    return gg_affine(model, x, out, &options);
}

START_TEST(affine_options_that_are_refused)
{
    static const float scales[] = {NAN, INFINITY, -1.0f};
    start();
    expect_refused(gg_affine(model, x, 0, NULL), GG_ERR_ARGUMENT, "gg_affine", "out is 0");
    expect_refused(gg_affine(model, x, -1, NULL), GG_ERR_ARGUMENT, "gg_affine", "out is -1");
    expect_refused(gg_affine(model, x, INT64_MIN, NULL), GG_ERR_ARGUMENT, "gg_affine", "out is -9223372036854775808");
    expect_refused(gg_matmul(model, x, 0, NULL), GG_ERR_ARGUMENT, "gg_matmul", "out is 0");
    expect_refused(gg_affine(model, x, INT64_MAX, NULL), GG_ERR_OVERFLOW, "affine1",
                   "[5, 9223372036854775807] is too large");
    expect_refused(gg_affine(model, x, INT64_MAX / 1024, NULL), GG_ERR_OVERFLOW, "affine1", "too large");
    expect_refused(affine(3, (gg_affine_options){.activation = (gg_activation)-1}), GG_ERR_ARGUMENT, "gg_affine",
                   "is -1");
    expect_refused(affine(3, (gg_affine_options){.activation = GG_ACTIVATION_COUNT}), GG_ERR_ARGUMENT, "gg_affine",
                   "is 11");
    expect_refused(affine(3, (gg_affine_options){.init = (gg_initializer)9}), GG_ERR_ARGUMENT, "gg_affine",
                   "init is 9");
    expect_refused(affine(3, (gg_affine_options){.init = (gg_initializer)-1}), GG_ERR_ARGUMENT, "gg_affine",
                   "init is -1");
    for (int i = 0; i < 3; i++)
        expect_refused(affine(3, (gg_affine_options){.init = GG_INIT_NORMAL, .init_scale = scales[i]}), GG_ERR_ARGUMENT,
                       "gg_affine", "init_scale");
    expect_refused(gg_matmul(model, x, 3, &(gg_affine_options){.activation = GG_RELU}), GG_ERR_ARGUMENT, "gg_matmul",
                   "relu");
    finish();
}
END_TEST

START_TEST(other_numbers_that_are_refused)
{
    const gg_layer_spec specs[] = {{.kind = GG_LAYER_SOFTMAX}, {.kind = (gg_layer_kind)17}};
    const gg_layer_spec no_features[] = {{.kind = GG_LAYER_AFFINE}};
    start();
    expect_refused(gg_activate(model, x, (gg_activation)-1, 0.0f), GG_ERR_ARGUMENT, "gg_activate", "f is -1");
    expect_refused(gg_activate(model, x, (gg_activation)99, 0.0f), GG_ERR_ARGUMENT, "gg_activate", "f is 99");
    expect_refused(gg_dropout(model, x, 1.0f), GG_ERR_ARGUMENT, "gg_dropout", "ratio is 1");
    expect_refused(gg_dropout(model, x, -0.25f), GG_ERR_ARGUMENT, "gg_dropout", "ratio is -0.25");
    expect_refused(gg_dropout(model, x, NAN), GG_ERR_ARGUMENT, "gg_dropout", "nan");
    expect_refused(gg_node_repeat(model, x, 0), GG_ERR_ARGUMENT, "gg_node_repeat", "count is 0");
    expect_refused(gg_node_repeat(model, x, -3), GG_ERR_ARGUMENT, "gg_node_repeat", "count is -3");
    const gg_value four = gg_input(model, "four", 4, (int64_t[]){2, 3, 4, 5});
    expect_refused(gg_node_repeat(model, four, 2), GG_ERR_ARGUMENT, "gg_node_repeat", "[2, 3, 4, 5]");
    expect_refused(gg_sequential(model, x, specs, 2), GG_ERR_ARGUMENT, "gg_sequential", "specs[1].kind is 17");
    expect_refused(gg_sequential(model, x, specs, -1), GG_ERR_ARGUMENT, "gg_sequential", "count is -1");
    expect_refused(gg_sequential(model, x, NULL, 2), GG_ERR_ARGUMENT, "gg_sequential", "NULL");
    expect_refused(gg_sequential(model, x, no_features, 1), GG_ERR_ARGUMENT, "gg_affine", "out is 0");
    ck_assert_int_eq(gg_sequential(model, x, NULL, 0).id, x.id);
    finish();
}
END_TEST

/* The first error stays, whatever comes after it, and is told as often as one asks. */
START_TEST(first_error_is_kept)
{
    start();
    const gg_value wrong = gg_affine(model, x, 0, NULL);
    ck_assert_int_lt(gg_relu(model, wrong).id, 0);
    ck_assert_int_lt(gg_relu(model, x).id, 0);
    ck_assert_int_lt(gg_affine(model, x, 3, &(gg_affine_options){.activation = (gg_activation)99}).id, 0);
    ck_assert_int_lt(gg_input(model, "y", 1, (int64_t[]){3}).id, 0);
    ck_assert_int_lt(gg_softmax_with_loss(model, gg_node_add(model, x, wrong), t).id, 0);
    gg_model_name_next(model, "");
    for (int i = 0; i < 2; i++)
        support_assert_fails(gg_model_plan(model, GG_NO_VALUE, 4), GG_ERR_ARGUMENT, "gg_affine", "out is 0");
    ck_assert_ptr_null(gg_model_parameters(model));
    finish();
}
END_TEST

/* ---- names and parameters ---- */

static const char *name_of(int i)
{
    gg_parameter parameter;
    ck_assert_int_eq(gg_model_parameter(model, i, &parameter), GG_OK);
    return parameter.name;
}

START_TEST(names)
{
    start();
    gg_affine(model, x, 2, NULL);
    gg_model_name_next(model, "affine3");
    gg_affine(model, x, 2, NULL);
    gg_affine(model, x, 2, NULL); /* would be affine3, which is taken */
    gg_model_name_next(model, "not this");
    gg_model_name_next(model, LONGEST);
    gg_matmul(model, x, 2, NULL);
    gg_matmul(model, x, 2, NULL);
    static const char *const expected[] = {"affine1.W", "affine1.b", "affine3.W",  "affine3.b",
                                           "affine4.W", "affine4.b", LONGEST ".W", "matmul2.W"};
    ck_assert_int_eq(gg_model_parameter_count(model), 8);
    for (int i = 0; i < 8; i++)
        ck_assert_str_eq(name_of(i), expected[i]);
    gg_model_name_next(model, "affine1");
    expect_refused(gg_relu(model, x), GG_ERR_ARGUMENT, "gg_model_name_next", "\"affine1\" already");
    gg_model_name_next(model, NULL);
    expect_refused(gg_relu(model, x), GG_ERR_ARGUMENT, "gg_model_name_next", "missing");
    gg_model_name_next(model, LONGEST "x");
    expect_refused(gg_relu(model, x), GG_ERR_ARGUMENT, "gg_model_name_next", "longer than 47");
    finish();
}
END_TEST

/* In the order of creation, from 64-byte offsets, nothing overlapping. */
START_TEST(layout_of_parameters)
{
    gg_parameter p;
    int64_t end = 0;
    start();
    gg_value v = x;
    for (int i = 0; i < 5; i++)
        v = gg_affine(model, v, 3 * i + 1, NULL);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 4), GG_OK);
    ck_assert_int_eq((int64_t)((uintptr_t)gg_model_parameters(model) % 64), 0);
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        ck_assert_int_eq(gg_model_parameter(model, i, &p), GG_OK);
        ck_assert_int_eq(p.rank, i % 2 == 0 ? 2 : 1);
        ck_assert_int_eq(p.dims[p.rank - 1], 3 * (i / 2) + 1);
        ck_assert_int_eq(p.size, p.rank == 2 ? p.dims[0] * p.dims[1] : p.dims[0]);
        ck_assert_int_eq(p.offset, (end + 15) / 16 * 16);
        end = p.offset + p.size;
    }
    ck_assert_int_eq(gg_model_parameter_floats(model), (end + 15) / 16 * 16);
    ck_assert_int_eq(gg_model_parameter_bytes(model), 4 * gg_model_parameter_floats(model));
    ck_assert_ptr_null(gg_model_gradients(model));
    support_assert_fails(gg_model_parameter(model, 10, &p), GG_ERR_ARGUMENT, "gg_model_parameter", "10 of 10");
    support_assert_fails(gg_model_parameter(model, -1, &p), GG_ERR_ARGUMENT, "gg_model_parameter", "-1 of 10");
    support_assert_fails(gg_model_parameter(model, 0, NULL), GG_ERR_ARGUMENT, "gg_model_parameter", "out is NULL");
    finish();
}
END_TEST

/* Deviations by their formulae, within five of their own; biases zero. 60 x 70 weights. */
START_TEST(initializers)
{
    enum { IN = 60, OUT = 70, SIZE = IN * OUT };
    static const struct {
        gg_initializer init;
        gg_activation f;
        double deviation;
    } cases[] = {
        {GG_INIT_AUTO, GG_IDENTITY, 0.12403473458920845},
        {GG_INIT_AUTO, GG_TANH, 0.12403473458920845},
        {GG_INIT_AUTO, GG_RELU, 0.18257418583505536},
        {GG_INIT_AUTO, GG_GELU, 0.18257418583505536},
        {GG_INIT_XAVIER, GG_RELU, 0.12403473458920845},
        {GG_INIT_HE, GG_IDENTITY, 0.18257418583505536},
        {GG_INIT_LECUN, GG_RELU, 0.12909944487358055},
        {GG_INIT_NORMAL, GG_RELU, 0.5},
        {GG_INIT_ZERO, GG_RELU, 0.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start();
        const gg_value wide = gg_input(model, "wide", 2, (int64_t[]){GG_BATCH, IN});
        gg_affine(model, wide, OUT,
                  &(gg_affine_options){.activation = cases[i].f, .init = cases[i].init, .init_scale = 0.5f});
        ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 1), GG_OK);
        const float *w = gg_model_parameters(model);
        double sum = 0.0, squares = 0.0;
        for (int k = 0; k < SIZE; k++) {
            sum += (double)w[k];
            squares += (double)w[k] * (double)w[k];
        }
        const double deviation = cases[i].deviation;
        ck_assert_double_le(fabs(sum / SIZE), 5.0 * deviation / sqrt(SIZE));
        ck_assert_double_le(fabs(sqrt(squares / SIZE) - deviation), 5.0 * deviation / sqrt(2.0 * SIZE));
        for (int64_t k = SIZE; k < gg_model_parameter_floats(model); k++)
            ck_assert(w[k] == 0.0f);
        finish();
    }
}
END_TEST

/* W^T W = gain^2 for a tall weight, W W^T for a wide one, to rounding: LAPACK's 30 eps m. The start is drawn without
 * preference: the mean of all weights is within five of its deviations, gain / sqrt(longer side) / sqrt(size). */
static void expect_orthogonal(int64_t in, int64_t out, gg_activation f, double gain)
{
    start();
    const gg_value input = gg_input(model, "input", 2, (int64_t[]){GG_BATCH, in});
    gg_affine(model, input, out, &(gg_affine_options){.activation = f, .alpha = 0.5f, .init = GG_INIT_ORTHOGONAL});
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 1), GG_OK);
    const float *w = gg_model_parameters(model);
    const bool tall = in >= out;
    const int64_t narrow = tall ? out : in, longer = tall ? in : out, row = tall ? 1 : out, along = tall ? out : 1;
    double mean = 0.0;
    for (int64_t i = 0; i < narrow; i++)
        for (int64_t j = 0; j < narrow; j++) {
            double sum = 0.0;
            for (int64_t l = 0; l < longer; l++)
                sum += (double)w[i * row + l * along] * (double)w[j * row + l * along];
            ck_assert_double_le(fabs(sum - (i == j ? gain * gain : 0.0)),
                                30.0 * FLT_EPSILON / 2.0 * gain * gain * (double)longer);
        }
    for (int64_t k = 0; k < in * out; k++)
        mean += (double)w[k] / (double)(in * out);
    ck_assert_double_le(fabs(mean), 5.0 * gain / sqrt((double)longer) / sqrt((double)(in * out)));
    for (int64_t k = in * out; k < gg_model_parameter_floats(model); k++)
        ck_assert(w[k] == 0.0f);
    finish();
}

START_TEST(orthogonal_start)
{
    expect_orthogonal(60, 70, GG_IDENTITY, 1.0);
    expect_orthogonal(70, 60, GG_SIGMOID, 1.0);
    expect_orthogonal(64, 64, GG_TANH, 5.0 / 3.0);
    expect_orthogonal(200, 3, GG_RELU, 1.4142135623730951);
    expect_orthogonal(3, 200, GG_GELU, 1.4142135623730951);
    expect_orthogonal(17, 17, GG_LEAKY_RELU, 1.2649110640673518);
}
END_TEST

/* The first weight is as often negative as positive. LAPACK's reflections make that of Q negative always: the sign of
 * R's diagonal has to be taken out. */
START_TEST(orthogonal_signs)
{
    enum { SEEDS = 400 };
    int positive = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        ck_assert_int_eq(gg_model_new(&model, seed), GG_OK);
        gg_affine(model, gg_input(model, "x", 1, (int64_t[]){2}), 2, &(gg_affine_options){.init = GG_INIT_ORTHOGONAL});
        ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 1), GG_OK);
        positive += gg_model_parameters(model)[0] > 0.0f;
        finish();
    }
    ck_assert_int_le(abs(2 * positive - SEEDS), 100); /* five deviations of sqrt(400) */
}
END_TEST

START_TEST(the_seed_decides_the_orthogonal_start)
{
    float weights[3][15];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(gg_model_new(&model, i == 2 ? 8 : 7), GG_OK);
        gg_affine(model, gg_input(model, "x", 1, (int64_t[]){5}), 3, &(gg_affine_options){.init = GG_INIT_ORTHOGONAL});
        ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 1), GG_OK);
        memcpy(weights[i], gg_model_parameters(model), sizeof weights[i]);
        finish();
    }
    ck_assert_mem_eq(weights[0], weights[1], sizeof weights[0]);
    ck_assert_mem_ne(weights[0], weights[2], sizeof weights[0]);
}
END_TEST

START_TEST(the_seed_decides_the_start)
{
    float weights[3][16];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(gg_model_new(&model, i == 2 ? 8 : 7), GG_OK);
        gg_affine(model, gg_input(model, "x", 1, (int64_t[]){4}), 4, NULL);
        ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 1), GG_OK);
        memcpy(weights[i], gg_model_parameters(model), sizeof weights[i]);
        finish();
    }
    ck_assert_mem_eq(weights[0], weights[1], sizeof weights[0]);
    ck_assert_mem_ne(weights[0], weights[2], sizeof weights[0]);
}
END_TEST

/* Two layers of one shape do not start alike. */
START_TEST(every_parameter_has_numbers_of_its_own)
{
    start();
    gg_matmul(model, x, 8, NULL);
    gg_matmul(model, x, 8, NULL);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 1), GG_OK);
    const float *w = gg_model_parameters(model);
    ck_assert_mem_ne(w, w + 48, 40 * sizeof *w);
    finish();
}
END_TEST

static bool padding_is_zero(const float *arena)
{
    bool parameter_here[256] = {false};
    const int64_t floats = gg_model_parameter_floats(model);
    ck_assert_int_le(floats, 256);
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        gg_parameter p;
        ck_assert_int_eq(gg_model_parameter(model, i, &p), GG_OK);
        memset(parameter_here + p.offset, true, (size_t)p.size);
    }
    for (int64_t i = 0; i < floats; i++)
        if (!parameter_here[i] && memcmp(arena + i, &(float){0.0f}, sizeof *arena) != 0)
            return false;
    return true;
}

START_TEST(padding_stays_zero)
{
    static float data[20], epsilon[] = {0.0f, -1.0f};
    static int32_t labels[4] = {0, 2, 1, 0};
    support_fill(data, 20, -1.0, 1.0, 1);
    start();
    const gg_value hidden = gg_affine(model, x, 7, &(gg_affine_options){.activation = GG_TANH});
    const gg_value loss = gg_softmax_with_loss(model, gg_affine(model, hidden, 3, NULL), t);
    ck_assert_int_eq(gg_model_plan(model, loss, 4), GG_OK);
    ck_assert(padding_is_zero(gg_model_parameters(model)) && padding_is_zero(gg_model_gradients(model)));
    gg_model_bind(model, x, data);
    gg_model_bind_labels(model, t, labels);
    for (int i = 0; i < 4; i++) {
        gg_optimizer *optimizer = NULL;
        const gg_optimizer_options options = {.kind = (gg_optimizer_kind)_i,
                                              .weight_decay = i % 2 == 0 ? 0.0f : 0.1f,
                                              .clip_norm = 0.05f,
                                              .epsilon = epsilon[i / 2]};
        ck_assert_int_eq(gg_optimizer_new(&optimizer, model, &options), GG_OK);
        for (int step = 0; step < 20; step++) {
            ck_assert_int_eq(gg_model_forward(model, loss, GG_TRAIN), GG_OK);
            ck_assert_int_eq(gg_model_backward(model), GG_OK);
            ck_assert_int_eq(gg_optimizer_step(optimizer, 0.1f), GG_OK);
            ck_assert(padding_is_zero(gg_model_parameters(model)) && padding_is_zero(gg_model_gradients(model)));
            for (int s = 0; s < gg_optimizer_state_count(optimizer); s++)
                ck_assert(padding_is_zero(gg_optimizer_state(optimizer, s)));
        }
        gg_optimizer_free(optimizer);
    }
    finish();
}
END_TEST

/* ---- planning ---- */

/* Sanitizers stop a program that asks for more than they have: this allocator says no first. */
static void *allocate_little(void *context, size_t bytes)
{
    (void)context;
    const size_t most = (size_t)1 << 30;
    return bytes <= most ? aligned_alloc(GG_ALIGNMENT, (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT) : NULL;
}

static void release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

static void use_own_allocator(void)
{
    gg_set_allocator(NULL);
}

START_TEST(plans_that_are_refused)
{
    ck_assert_int_eq(gg_set_allocator(&(gg_allocator){allocate_little, release, NULL}), GG_OK);
    start();
    const gg_value y = gg_affine(model, x, 3, NULL), loss = gg_softmax_with_loss(model, y, t);
    support_assert_fails(gg_model_plan(model, (gg_value){99}, 4), GG_ERR_ARGUMENT, "gg_model_plan", "not a value");
    support_assert_fails(gg_model_plan(model, x, 4), GG_ERR_SHAPE, "gg_model_plan", "[batch, 5]");
    support_assert_fails(gg_model_plan(model, t, 4), GG_ERR_SHAPE, "gg_model_plan", "[batch]");
    support_assert_fails(gg_model_plan(model, y, 4), GG_ERR_SHAPE, "gg_model_plan", "[batch, 3]");
    support_assert_fails(gg_model_plan(model, loss, -1), GG_ERR_ARGUMENT, "gg_model_plan", "largest_batch is -1");
    support_assert_fails(gg_model_plan(model, loss, INT64_MAX), GG_ERR_OVERFLOW, "9223372036854775807",
                         "\"x\" needs more floats");
    support_assert_fails(gg_model_plan(model, loss, INT64_MAX / 8192), GG_ERR_MEMORY, "no memory", "bytes");
    ck_assert_ptr_null(gg_model_parameters(model));
    ck_assert_int_eq(gg_model_parameter_floats(model), 0);
    support_assert_fails(gg_model_set_largest(model, 0, 4), GG_ERR_ARGUMENT, "gg_model_set_largest", "axis 0");
    support_assert_fails(gg_model_set_largest(model, -4, 4), GG_ERR_ARGUMENT, "gg_model_set_largest", "axis -4");
    support_assert_fails(gg_model_set_largest(model, GG_TIME, -4), GG_ERR_ARGUMENT, "gg_model_set_largest",
                         "extent -4");
    support_assert_fails(gg_model_keep(model, (gg_value){99}, false), GG_ERR_ARGUMENT, "gg_model_keep", "not a value");
    support_assert_fails(gg_model_keep(model, t, true), GG_ERR_ARGUMENT, "gg_model_keep", "\"t\"");
    ck_assert_int_eq(gg_model_plan(model, loss, 4), GG_OK);
    support_assert_fails(gg_model_keep(model, y, false), GG_ERR_STATE, "gg_model_keep", "planned already");
    ck_assert_int_eq(gg_model_parameter_bytes(model), 8 * gg_model_parameter_floats(model));
    finish();
}
END_TEST

/* A scalar input is no loss: nothing computes it. */
START_TEST(an_input_is_no_loss)
{
    start();
    const gg_value scalar = gg_input(model, "scalar", 1, (int64_t[]){1});
    support_assert_fails(gg_model_plan(model, scalar, 4), GG_ERR_SHAPE, "gg_model_plan", "that a layer computes");
    finish();
}
END_TEST

/* Each of the sums has 2^62 floats, which are 2^64 bytes, which a careless product takes for none. */
START_TEST(sums_of_sizes_that_overflow)
{
    static const int64_t wide = (int64_t)1 << 26, wider = (int64_t)1 << 52;
    start();
    gg_value v = gg_input(model, "wide", 1, &wide);
    for (int i = 0; i < 1024; i++)
        v = gg_matmul(model, v, wide, NULL);
    support_assert_fails(gg_model_plan(model, GG_NO_VALUE, 0), GG_ERR_OVERFLOW, "gg_model_plan", "parameters");
    finish();
    start();
    v = gg_input(model, "wider", 1, &wider);
    for (int i = 0; i < 1024; i++) {
        v = gg_relu(model, v);
        ck_assert_int_eq(gg_model_keep(model, v, false), GG_OK);
    }
    support_assert_fails(gg_model_plan(model, GG_NO_VALUE, 0), GG_ERR_OVERFLOW, "gg_model_plan", "workspace");
    finish();
}
END_TEST

/* A failing plan does not open a planned model for more layers, whose parameters would have no place. */
START_TEST(a_failed_plan_opens_nothing)
{
    start();
    const gg_value loss = gg_softmax_with_loss(model, gg_affine(model, x, 3, NULL), t);
    ck_assert_int_eq(gg_model_plan(model, loss, 4), GG_OK);
    const float *before = gg_model_parameters(model);
    ck_assert_int_eq(gg_model_plan(model, loss, INT64_MAX), GG_ERR_OVERFLOW);
    ck_assert_ptr_eq(gg_model_parameters(model), before);
    ck_assert_int_eq(gg_model_set_extent(model, GG_BATCH, 4), GG_OK);
    ck_assert_int_lt(gg_affine(model, x, 1000, NULL).id, 0);
    support_assert_fails(gg_model_plan(model, loss, 4), GG_ERR_STATE, "gg_affine", "planned already");
    finish();
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, use_own_allocator);
    tcase_add_test(tests, no_model);
    tcase_add_test(tests, no_model_has_nothing);
    tcase_add_test(tests, inputs_that_are_refused);
    tcase_add_test(tests, affine_options_that_are_refused);
    tcase_add_test(tests, other_numbers_that_are_refused);
    tcase_add_test(tests, first_error_is_kept);
    tcase_add_test(tests, names);
    tcase_add_test(tests, layout_of_parameters);
    tcase_add_test(tests, initializers);
    tcase_add_test(tests, orthogonal_start);
    tcase_add_test(tests, orthogonal_signs);
    tcase_add_test(tests, the_seed_decides_the_orthogonal_start);
    tcase_add_test(tests, the_seed_decides_the_start);
    tcase_add_test(tests, every_parameter_has_numbers_of_its_own);
    tcase_add_loop_test(tests, padding_stays_zero, GG_SGD, GG_OPTIMIZER_COUNT);
    tcase_add_test(tests, plans_that_are_refused);
    tcase_add_test(tests, an_input_is_no_loss);
    tcase_add_test(tests, sums_of_sizes_that_overflow);
    tcase_add_test(tests, a_failed_plan_opens_nothing);
}
