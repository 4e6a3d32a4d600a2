/* test_run.c - running a planned model: calls out of order, what can be read when, labels, dropout, axes, diagnosis. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <gemmgrad/layer.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/model.h>
#include <gemmgrad/softmax.h>

#include "support.h"

enum { BATCH = 6, IN = 5, CLASSES = 3 };

static gg_model *model;
static gg_value x, t, hidden, dropped, scores, loss;
static float samples[BATCH * IN];
static int32_t classes[BATCH];

/* x -> affine tanh -> dropout -> affine -> softmax with loss; hidden is kept with its gradient. */
static void build(void)
{
    ck_assert_int_eq(gg_model_new(&model, 42), GG_OK);
    x = gg_input(model, "x", 2, (int64_t[]){GG_BATCH, IN});
    t = gg_input_labels(model, "t", 1, (int64_t[]){GG_BATCH});
    hidden = gg_affine(model, x, 4, &(gg_affine_options){.activation = GG_TANH});
    dropped = gg_dropout(model, hidden, 0.5f);
    scores = gg_affine(model, dropped, CLASSES, NULL);
    loss = gg_softmax_with_loss(model, scores, t);
    ck_assert_int_eq(gg_model_keep(model, hidden, true), GG_OK);
    support_fill(samples, BATCH * IN, -1.0, 1.0, 3);
    for (int i = 0; i < BATCH; i++)
        classes[i] = i % CLASSES;
}

static void plan_and_bind(void)
{
    ck_assert_msg(gg_model_plan(model, loss, BATCH) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(gg_model_bind(model, x, samples), GG_OK);
    ck_assert_int_eq(gg_model_bind_labels(model, t, classes), GG_OK);
}

static void start(void)
{
    build();
    plan_and_bind();
}

static void finish(void)
{
    gg_model_free(model);
    model = NULL;
}

static void forward(gg_value target, gg_mode mode)
{
    ck_assert_msg(gg_model_forward(model, target, mode) == GG_OK, "%s", gg_error_message());
}

static void step(void)
{
    forward(loss, GG_TRAIN);
    ck_assert_msg(gg_model_backward(model) == GG_OK, "%s", gg_error_message());
}

static void expect_no_backward(void)
{
    support_assert_fails(gg_model_backward(model), GG_ERR_STATE, "gg_model_backward",
                         "forward of the loss in GG_TRAIN");
}

/* ---- order of calls ---- */

START_TEST(before_the_plan)
{
    build();
    support_assert_fails(gg_model_forward(model, loss, GG_INFER), GG_ERR_STATE, "gg_model_forward", "not planned");
    support_assert_fails(gg_model_set_extent(model, GG_BATCH, 1), GG_ERR_STATE, "gg_model_set_extent", "not planned");
    expect_no_backward();
    ck_assert_ptr_null(gg_model_data(model, hidden));
    ck_assert_ptr_null(gg_model_data(model, loss));
    ck_assert_ptr_null(gg_model_gradient(model, hidden));
    ck_assert_ptr_null(gg_model_parameters(model));
    ck_assert_ptr_null(gg_model_gradients(model));
    ck_assert_ptr_null(gg_model_find_nonfinite(model, loss));
    ck_assert_int_eq(gg_model_workspace_bytes(model), 0);
    ck_assert_int_eq(gg_model_bind(model, x, samples), GG_OK); /* binding may come first */
    ck_assert_int_eq(gg_model_bind_labels(model, t, classes), GG_OK);
    ck_assert_int_eq(gg_model_plan(model, loss, BATCH), GG_OK);
    step();
    finish();
}
END_TEST

START_TEST(inputs_not_bound)
{
    build();
    ck_assert_int_eq(gg_model_plan(model, loss, BATCH), GG_OK);
    support_assert_fails(gg_model_forward(model, scores, GG_TRAIN), GG_ERR_STATE, "gg_model_forward",
                         "\"x\" is not bound");
    ck_assert_int_eq(gg_model_bind(model, x, samples), GG_OK);
    support_assert_fails(gg_model_forward(model, loss, GG_TRAIN), GG_ERR_STATE, "gg_model_forward",
                         "\"t\" is not bound");
    forward(scores, GG_INFER); /* does not need t */
    ck_assert_int_eq(gg_model_bind_labels(model, t, classes), GG_OK);
    step();
    ck_assert_int_eq(gg_model_bind(model, x, NULL), GG_OK);
    support_assert_fails(gg_model_forward(model, loss, GG_TRAIN), GG_ERR_STATE, "gg_model_forward",
                         "\"x\" is not bound");
    ck_assert_ptr_null(gg_model_find_nonfinite(model, loss));
    ck_assert_int_eq(gg_model_set_extent(model, GG_BATCH, 0), GG_OK);
    forward(loss, GG_TRAIN); /* no samples: nothing to bind */
    finish();
}
END_TEST

/* A layer that the target does not need is not run, wherever it stands: its input need not be there. */
START_TEST(only_what_is_needed_runs)
{
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    const gg_value a = gg_input(model, "a", 1, (int64_t[]){4}), b = gg_input(model, "b", 1, (int64_t[]){4});
    const gg_value of_a = gg_relu(model, a), of_b = gg_relu(model, b), both = gg_node_add(model, of_a, of_b);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 1), GG_OK);
    ck_assert_int_eq(gg_model_bind(model, b, samples), GG_OK);
    forward(of_b, GG_INFER);
    support_assert_fails(gg_model_forward(model, both, GG_INFER), GG_ERR_STATE, "gg_model_forward", "\"a\" is not");
    finish();
}
END_TEST

START_TEST(bindings_that_are_refused)
{
    start();
    support_assert_fails(gg_model_bind(model, hidden, samples), GG_ERR_ARGUMENT, "gg_model_bind", "not an input");
    support_assert_fails(gg_model_bind(model, (gg_value){77}, samples), GG_ERR_ARGUMENT, "gg_model_bind",
                         "not an input");
    support_assert_fails(gg_model_bind(model, GG_NO_VALUE, samples), GG_ERR_ARGUMENT, "gg_model_bind", "not an input");
    support_assert_fails(gg_model_bind(model, t, samples), GG_ERR_ARGUMENT, "\"t\"", "gg_model_bind_labels");
    support_assert_fails(gg_model_bind_labels(model, x, classes), GG_ERR_ARGUMENT, "\"x\"", "gg_model_bind");
    finish();
}
END_TEST

START_TEST(targets_that_are_refused)
{
    start();
    support_assert_fails(gg_model_forward(model, x, GG_INFER), GG_ERR_ARGUMENT, "gg_model_forward", "the input \"x\"");
    support_assert_fails(gg_model_forward(model, t, GG_INFER), GG_ERR_ARGUMENT, "gg_model_forward", "the input \"t\"");
    support_assert_fails(gg_model_forward(model, (gg_value){77}, GG_INFER), GG_ERR_ARGUMENT, "gg_model_forward",
                         "target");
    support_assert_fails(gg_model_forward(model, GG_NO_VALUE, GG_INFER), GG_ERR_ARGUMENT, "gg_model_forward", "target");
    finish();
}
END_TEST

/* Backward once after each training forward of the loss, and never when something came between. */
START_TEST(backward_only_after_its_forward)
{
    start();
    expect_no_backward();
    step();
    expect_no_backward();
    forward(loss, GG_INFER);
    expect_no_backward();
    forward(scores, GG_TRAIN);
    expect_no_backward();
    forward(loss, GG_TRAIN);
    forward(hidden, GG_TRAIN);
    expect_no_backward();
    forward(loss, GG_TRAIN);
    ck_assert_int_eq(gg_model_bind(model, x, samples), GG_OK);
    expect_no_backward();
    forward(loss, GG_TRAIN);
    ck_assert_int_eq(gg_model_bind_labels(model, t, classes), GG_OK);
    expect_no_backward();
    forward(loss, GG_TRAIN);
    ck_assert_int_eq(gg_model_set_extent(model, GG_BATCH, 3), GG_OK);
    expect_no_backward();
    forward(loss, GG_TRAIN);
    ck_assert_int_eq(gg_model_plan(model, loss, BATCH), GG_OK);
    expect_no_backward();
    forward(loss, GG_TRAIN);
    ck_assert_ptr_null(gg_model_find_nonfinite(model, hidden));
    expect_no_backward();
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, BATCH), GG_OK);
    forward(loss, GG_TRAIN);
    expect_no_backward();
    finish();
}
END_TEST

START_TEST(extents_that_are_refused)
{
    start();
    support_assert_fails(gg_model_set_extent(model, GG_BATCH, BATCH + 1), GG_ERR_SHAPE, "gg_model_set_extent",
                         "extent 7, planned for 0 to 6");
    support_assert_fails(gg_model_set_extent(model, GG_BATCH, -1), GG_ERR_SHAPE, "gg_model_set_extent", "extent -1");
    support_assert_fails(gg_model_set_extent(model, GG_TIME, 1), GG_ERR_SHAPE, "gg_model_set_extent",
                         "planned for 0 to 0");
    support_assert_fails(gg_model_set_extent(model, 0, 1), GG_ERR_ARGUMENT, "gg_model_set_extent", "0 is not an axis");
    support_assert_fails(gg_model_set_extent(model, -4, 1), GG_ERR_ARGUMENT, "gg_model_set_extent",
                         "-4 is not an axis");
    ck_assert_int_eq(gg_model_set_largest(model, GG_TIME, 100), GG_OK); /* for the next plan, not for this one */
    ck_assert_int_eq(gg_model_set_largest(model, GG_BATCH, 100), GG_OK);
    support_assert_fails(gg_model_set_extent(model, GG_TIME, 1), GG_ERR_SHAPE, "gg_model_set_extent",
                         "planned for 0 to 0");
    support_assert_fails(gg_model_set_extent(model, GG_BATCH, 7), GG_ERR_SHAPE, "gg_model_set_extent",
                         "planned for 0 to 6");
    finish();
}
END_TEST

START_TEST(labels_out_of_range)
{
    static const int32_t wrong[] = {CLASSES, -2, INT32_MAX, INT32_MIN};
    start();
    for (int i = 0; i < 4; i++) {
        classes[4] = wrong[i];
        support_assert_fails(gg_model_forward(model, loss, GG_TRAIN), GG_ERR_ARGUMENT, "cross_entropy", "4");
        expect_no_backward();
        classes[4] = 1;
        step();
    }
    finish();
    build();
    loss = gg_cross_entropy_error(model, gg_softmax(model, scores), t);
    plan_and_bind();
    for (int i = 0; i < 4; i++) {
        classes[4] = wrong[i];
        support_assert_fails(gg_model_forward(model, loss, GG_TRAIN), GG_ERR_ARGUMENT, "gg_cross_entropy_error",
                             "row 4");
        expect_no_backward();
        classes[4] = 1;
        step();
    }
    finish();
}
END_TEST

/* ---- what can be read ---- */

START_TEST(data_is_there_when_promised)
{
    start();
    ck_assert_ptr_eq(gg_model_data(model, x), samples);
    forward(scores, GG_INFER);
    ck_assert_ptr_nonnull(gg_model_data(model, scores));
    ck_assert_ptr_nonnull(gg_model_data(model, hidden));
    ck_assert_ptr_null(gg_model_data(model, dropped));
    step();
    ck_assert_ptr_null(gg_model_data(model, scores));
    ck_assert_ptr_nonnull(gg_model_data(model, hidden));
    ck_assert_ptr_nonnull(gg_model_gradient(model, hidden));
    ck_assert_ptr_null(gg_model_gradient(model, scores));
    ck_assert_ptr_null(gg_model_gradient(model, x));
    ck_assert_ptr_null(gg_model_data(model, (gg_value){77}));
    ck_assert_ptr_null(gg_model_gradient(model, (gg_value){77}));
    ck_assert_double_eq(gg_model_loss(model), (double)gg_model_data(model, loss)[0]);
    ck_assert_int_eq(gg_model_size(model, scores), BATCH * CLASSES);
    ck_assert_int_eq(gg_model_set_extent(model, GG_BATCH, 2), GG_OK);
    ck_assert_int_eq(gg_model_size(model, scores), 2 * CLASSES);
    ck_assert_int_eq(gg_model_size(model, (gg_value){77}), 0);
    ck_assert_int_eq(gg_model_shape(model, (gg_value){77}, NULL), -1);
    forward(scores, GG_INFER);
    ck_assert_ptr_null(gg_model_find_nonfinite(model, loss)); /* a run of its own: scores may be overwritten */
    ck_assert_ptr_null(gg_model_data(model, scores));
    forward(scores, GG_INFER);
    ck_assert_int_eq(gg_model_plan(model, loss, BATCH), GG_OK);
    ck_assert_ptr_null(gg_model_data(model, scores));
    finish();
}
END_TEST

/* A sum of GELU's results for many rows, made in the affine layer or in one of its own behind it. */
enum { RESULT_ROWS = 512, RESULTS = 257 };

static void run_many(float *results, float *gradients, const float *rows, bool apart)
{
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    x = gg_input(model, "x", 2, (int64_t[]){RESULT_ROWS, IN});
    const gg_affine_options options = {.activation = apart ? GG_IDENTITY : GG_GELU, .init = GG_INIT_HE};
    hidden = gg_affine(model, x, RESULTS, &options);
    hidden = apart ? gg_gelu(model, hidden) : hidden;
    loss = gg_node_sum(model, gg_node_sum(model, hidden));
    ck_assert_int_eq(gg_model_keep(model, hidden, false), GG_OK);
    ck_assert_msg(gg_model_plan(model, loss, 1) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(gg_model_bind(model, x, rows), GG_OK);
    step();
    memcpy(results, gg_model_data(model, hidden), RESULT_ROWS * RESULTS * sizeof *results);
    memcpy(gradients, gg_model_gradients(model), (IN + 1) * RESULTS * sizeof *gradients);
    finish();
}

START_TEST(many_results_of_a_fused_activation)
{
    static float results[2][RESULT_ROWS * RESULTS], gradients[2][(IN + 1) * RESULTS];
    const float *rows = support_uniform(RESULT_ROWS * IN, -2.0, 2.0, 7);
    run_many(results[0], gradients[0], rows, false);
    run_many(results[1], gradients[1], rows, true);
    ck_assert_mem_eq(results[0], results[1], sizeof results[0]);
    ck_assert_mem_eq(gradients[0], gradients[1], sizeof gradients[0]);
}
END_TEST

/* Targets of the second loss, at the end of a chain of layers so wide that their places are sought after. */
static gg_value wide[5], outputs, targets;

static void build_wide(void)
{
    static float shares[BATCH * CLASSES];
    build();
    support_fill(shares, BATCH * CLASSES, 0.0, 1.0, 5);
    wide[0] = x;
    for (int i = 1; i < 5; i++)
        wide[i] = gg_affine(model, wide[i - 1], 64, &(gg_affine_options){.activation = GG_GELU});
    outputs = gg_affine(model, wide[4], CLASSES, NULL);
    targets = gg_input(model, "targets", 2, (int64_t[]){GG_BATCH, CLASSES});
    const gg_value second = gg_softmax_with_loss(model, outputs, targets);
    loss = gg_node_add(model, loss, second);
    ck_assert_int_eq(gg_model_keep(model, outputs, true), GG_OK);
    ck_assert_int_eq(gg_model_keep(model, targets, true), GG_OK);
    plan_and_bind();
    ck_assert_int_eq(gg_model_bind(model, targets, shares), GG_OK);
}

/* What is kept, and the loss, outlives runs that compute something else, or without gradients. */
START_TEST(kept_values_outlive_other_runs)
{
    float data[BATCH * CLASSES], gradient[2][BATCH * CLASSES];
    build_wide();
    step();
    const float total = gg_model_data(model, loss)[0];
    memcpy(data, gg_model_data(model, outputs), sizeof data);
    memcpy(gradient[0], gg_model_gradient(model, outputs), sizeof data);
    memcpy(gradient[1], gg_model_gradient(model, targets), sizeof data);
    samples[3] = 0.25f;
    const gg_value others[] = {wide[1], wide[4], hidden, scores, loss};
    for (int i = 0; i < 9; i++) {
        forward(others[i / 2], i % 2 == 0 ? GG_INFER : GG_TRAIN);
        if (i < 8) {
            ck_assert_mem_eq(gg_model_data(model, outputs), data, sizeof data);
            ck_assert(gg_model_data(model, loss)[0] == total);
        }
        ck_assert_mem_eq(gg_model_gradient(model, outputs), gradient[0], sizeof data);
        ck_assert_mem_eq(gg_model_gradient(model, targets), gradient[1], sizeof data);
    }
    finish();
}
END_TEST

/* In a model without a loss, values share places as soon as the next layer is done; a kept one has its own. */
START_TEST(kept_values_outlive_runs_without_loss)
{
    float data[BATCH * IN];
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    gg_value v[6] = {gg_input(model, "x", 2, (int64_t[]){GG_BATCH, IN})};
    for (int i = 1; i < 6; i++)
        v[i] = gg_affine(model, v[i - 1], IN, NULL);
    ck_assert_int_eq(gg_model_keep(model, v[5], false), GG_OK);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, BATCH), GG_OK);
    ck_assert_int_eq(gg_model_bind(model, v[0], samples), GG_OK);
    forward(v[5], GG_INFER);
    memcpy(data, gg_model_data(model, v[5]), sizeof data);
    for (int i = 1; i < 5; i++) {
        forward(v[i], GG_INFER);
        ck_assert_mem_eq(gg_model_data(model, v[5]), data, sizeof data);
    }
    finish();
}
END_TEST

/* Gradients are of this step alone; parameters that the loss does not reach have none, whatever was planned before. */
START_TEST(gradients_do_not_linger)
{
    start();
    step();
    float *gradients = gg_model_gradients(model);
    const int64_t floats = gg_model_parameter_floats(model);
    float *first = support_copy(gradients, floats);
    step();
    ck_assert_mem_eq(gradients, first, (size_t)floats * sizeof *first);
    finish();

    build();
    const gg_value other = gg_softmax_with_loss(model, gg_affine(model, x, CLASSES, NULL), t);
    gg_parameter p;
    plan_and_bind();
    step();
    ck_assert_int_eq(gg_model_plan(model, other, BATCH), GG_OK);
    forward(other, GG_TRAIN);
    ck_assert_int_eq(gg_model_backward(model), GG_OK);
    ck_assert_int_eq(gg_model_parameter(model, 4, &p), GG_OK); /* the first one of the third affine layer */
    for (int64_t i = 0; i < p.offset; i++)
        ck_assert(gg_model_gradients(model)[i] == 0.0f);
    ck_assert(gg_model_gradients(model)[p.offset] != 0.0f);
    finish();
}
END_TEST

/* ---- dropout ---- */

enum { MANY = 40000 };

static int64_t count_zeros(const float *y)
{
    int64_t zeros = 0;
    for (int64_t i = 0; i < MANY; i++)
        zeros += y[i] == 0.0f;
    return zeros;
}

/* Share of zeros within five deviations, the others 1 / (1 - ratio); another mask at another step, in another layer. */
START_TEST(dropout_drops)
{
    static float ones[MANY], first[MANY];
    const double ratio = 0.375;
    support_fill(ones, MANY, 1.0, 1.0, 0);
    ck_assert_int_eq(gg_model_new(&model, 3), GG_OK);
    const gg_value in = gg_input(model, "in", 1, (int64_t[]){GG_BATCH});
    const gg_value a = gg_dropout(model, in, (float)ratio), b = gg_dropout(model, in, (float)ratio);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, MANY), GG_OK);
    ck_assert_int_eq(gg_model_bind(model, in, ones), GG_OK);
    forward(a, GG_TRAIN);
    memcpy(first, gg_model_data(model, a), sizeof first);
    ck_assert_double_le(fabs((double)count_zeros(first) - ratio * MANY), 5.0 * sqrt(ratio * (1.0 - ratio) * MANY));
    for (int i = 0; i < MANY; i++)
        ck_assert(first[i] == 0.0f || fabsf(first[i] - 1.6f) < 1e-6f);
    forward(a, GG_TRAIN);
    ck_assert_mem_eq(gg_model_data(model, a), first, sizeof first);
    forward(b, GG_TRAIN);
    ck_assert_mem_ne(gg_model_data(model, b), first, sizeof first);
    gg_model_set_step(model, 1);
    ck_assert_int_eq(gg_model_step(model), 1);
    forward(a, GG_TRAIN);
    ck_assert_mem_ne(gg_model_data(model, a), first, sizeof first);
    gg_model_set_step(model, 0);
    forward(a, GG_TRAIN);
    ck_assert_mem_eq(gg_model_data(model, a), first, sizeof first);
    forward(a, GG_INFER);
    ck_assert_mem_eq(gg_model_data(model, a), ones, sizeof ones);
    finish();
}
END_TEST

/* A ratio of 0 drops nothing, not even where the random number is 0: of 2^26 words, some four have upper 24 bits of 0.
 */
START_TEST(dropout_of_nothing)
{
    enum { RUNS = 64, LONG = 1 << 20 };
    float *ones = support_floats(LONG);
    support_fill(ones, LONG, 1.0, 1.0, 0);
    ck_assert_int_eq(gg_model_new(&model, 3), GG_OK);
    const gg_value in = gg_input(model, "in", 1, (int64_t[]){GG_BATCH}), y = gg_dropout(model, in, 0.0f);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, LONG), GG_OK);
    ck_assert_int_eq(gg_model_bind(model, in, ones), GG_OK);
    for (int run = 0; run < RUNS; run++) {
        gg_model_set_step(model, run);
        forward(y, GG_TRAIN);
        ck_assert_mem_eq(gg_model_data(model, y), ones, LONG * sizeof *ones);
    }
    finish();
}
END_TEST

/* ---- axes ---- */

/* Three axes at once, each with an extent of its own in every run. */
START_TEST(axes)
{
    static const int64_t extents[][3] = {{2, 3, 5}, {1, 1, 1}, {0, 3, 5}, {2, 0, 5}, {2, 3, 0}, {1, 3, 4}};
    static const int64_t largest[] = {2, 3, 5};
    static float data[2 * 3 * 5];
    support_fill(data, 30, 1.0, 1.0, 0);
    ck_assert_int_eq(gg_model_new(&model, 3), GG_OK);
    const gg_value in = gg_input(model, "in", 3, (int64_t[]){GG_BATCH, GG_TIME, GG_TIME_2});
    const gg_value all = gg_node_sum(model, gg_node_sum(model, gg_node_sum(model, in)));
    ck_assert_int_eq(gg_model_set_largest(model, GG_TIME, largest[1]), GG_OK);
    ck_assert_int_eq(gg_model_set_largest(model, GG_TIME_2, largest[2]), GG_OK);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, largest[0]), GG_OK);
    ck_assert_int_eq(gg_model_bind(model, in, data), GG_OK);
    ck_assert_int_eq(gg_model_size(model, in), 30);
    for (int i = 0; i < 6; i++) {
        int64_t product = 1;
        for (int axis = 0; axis < 3; axis++) {
            ck_assert_int_eq(gg_model_set_extent(model, -1 - axis, extents[i][axis]), GG_OK);
            product *= extents[i][axis];
        }
        forward(all, GG_INFER);
        ck_assert_int_eq(gg_model_size(model, in), product);
        ck_assert_msg(gg_model_data(model, all)[0] == (float)product, "sum over %d elements is %g", (int)product,
                      (double)gg_model_data(model, all)[0]);
    }
    finish();
}
END_TEST

/* ---- diagnosis ---- */

START_TEST(first_layer_with_bad_numbers)
{
    build();
    gg_model_name_next(model, "explodes");
    const gg_value big = gg_node_exp(model, scores), more = gg_node_exp(model, big);
    plan_and_bind();
    ck_assert_ptr_null(gg_model_find_nonfinite(model, more));
    samples[7] = NAN;
    ck_assert_str_eq(gg_model_find_nonfinite(model, loss), "affine1");
    samples[7] = 0.5f;
    gg_parameter p;
    ck_assert_int_eq(gg_model_parameter(model, 3, &p), GG_OK); /* bias of the second affine layer */
    gg_model_parameters(model)[p.offset] = 200.0f;
    ck_assert_str_eq(gg_model_find_nonfinite(model, more), "explodes");
    ck_assert_ptr_null(gg_model_find_nonfinite(model, loss));
    gg_model_parameters(model)[p.offset] = INFINITY;
    ck_assert_str_eq(gg_model_find_nonfinite(model, more), "affine2");
    ck_assert_ptr_null(gg_model_find_nonfinite(model, x));
    classes[2] = CLASSES;
    gg_model_parameters(model)[p.offset] = 0.0f;
    ck_assert_str_eq(gg_model_find_nonfinite(model, loss), "softmax_with_loss1");
    finish();
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, before_the_plan);
    tcase_add_test(tests, inputs_not_bound);
    tcase_add_test(tests, only_what_is_needed_runs);
    tcase_add_test(tests, bindings_that_are_refused);
    tcase_add_test(tests, targets_that_are_refused);
    tcase_add_test(tests, backward_only_after_its_forward);
    tcase_add_test(tests, extents_that_are_refused);
    tcase_add_test(tests, labels_out_of_range);
    tcase_add_test(tests, data_is_there_when_promised);
    tcase_add_test(tests, many_results_of_a_fused_activation);
    tcase_add_test(tests, kept_values_outlive_other_runs);
    tcase_add_test(tests, kept_values_outlive_runs_without_loss);
    tcase_add_test(tests, gradients_do_not_linger);
    tcase_add_test(tests, dropout_drops);
    tcase_add_test(tests, dropout_of_nothing);
    tcase_add_test(tests, axes);
    tcase_add_test(tests, first_layer_with_bad_numbers);
}
