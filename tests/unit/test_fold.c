/* test_fold.c - batch normalisation folded into the convolution before it: the same results as without, from copies
 * that hold until the weights may have changed, and only where nobody sees the value between. */
#include <math.h>
#include <string.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/layers.h>
#include <gemmgrad/memory.h>

#include "node.h"
#include "support.h"

enum { BATCH = 5, CHANNELS = 3, HEIGHT = 9, WIDTH = 7 };

static gg_model *net;
static gg_value x;

static void start(void)
{
    ck_assert_int_eq(gg_model_new(&net, 7), GG_OK);
    x = gg_input(net, "x", 4, (int64_t[]){GG_BATCH, CHANNELS, HEIGHT, WIDTH});
}

static void stop(void)
{
    gg_model_free(net);
    net = NULL;
}

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static gg_value conv(gg_value from, int64_t filters, int64_t kernel, bool bias, gg_activation activation)
{
    return gg_conv2d(
        net, from, filters,
        &(gg_conv2d_options){
            .kernel_height = kernel, .kernel_width = kernel, .same = true, .no_bias = !bias, .activation = activation});
}

static gg_value norm(gg_value from, bool relu)
{
    return gg_batch_normalization(net, from, &(gg_batchnorm_options){.relu = relu});
}

/* Plan, and numbers for all parameters and states: variances, and all else that is not negative, stay above 0.3. */
static void plan(gg_value loss)
{
    must(gg_model_plan(net, loss, BATCH));
    support_fill(gg_model_parameters(net), gg_model_parameter_floats(net), 0.3, 1.1, 3);
    for (int64_t i = 0; i < gg_model_parameter_floats(net); i += 3)
        gg_model_parameters(net)[i] *= -1.0f;
    support_fill(gg_model_states(net), gg_model_state_floats(net), 0.3, 1.5, 4);
    must(gg_model_bind(net, x, support_uniform(BATCH * CHANNELS * HEIGHT * WIDTH, -1.0, 1.0, 5)));
}

static float *result(gg_value target, gg_mode mode)
{
    must(gg_model_forward(net, target, mode));
    return support_copy(gg_model_data(net, target), gg_model_size(net, target));
}

static void assert_near(const float *actual, const float *expected, int64_t n)
{
    double largest = 0.0;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    ck_assert_double_gt(largest, 0.0);
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)actual[i] - (double)expected[i]) <= 1e-4 * largest, "element %d is %g, expected %g",
                      (int)i, (double)actual[i], (double)expected[i]);
}

static int pairs(void)
{
    int count = 0;
    for (int32_t i = 0; i < net->node_count; i++)
        count += net->nodes[i].folds_into >= 0;
    return count;
}

/* That a folded run gives `target` as before, and by the copies: without them, other gammas give other results. */
static void check(gg_value target, int expected_pairs)
{
    ck_assert_int_eq(pairs(), expected_pairs);
    const float *before = result(target, GG_INFER);
    const int64_t n = gg_model_size(net, target);
    must(gg_model_fold(net));
    const float *folded = result(target, GG_INFER);
    assert_near(folded, before, n);
    for (int i = 0; i < gg_model_parameter_count(net); i++) {
        gg_parameter p;
        must(gg_model_parameter(net, i, &p));
        for (int64_t j = 0; j < p.size && strstr(p.name, ".gamma") != NULL; j++)
            gg_model_parameters(net)[p.offset + j] *= 1.5f;
    }
    const float *stale = result(target, GG_INFER);
    if (expected_pairs > 0)
        ck_assert_int_eq(memcmp(stale, folded, (size_t)n * sizeof *stale), 0);
    must(gg_model_fold(net));
    const float *anew = result(target, GG_INFER);
    ck_assert_int_ne(memcmp(anew, folded, (size_t)n * sizeof *anew), 0);
    must(gg_model_plan(net, net->loss, BATCH)); /* a plan ends it */
    ck_assert(!net->folded);
    assert_near(anew, result(target, GG_INFER), n);
    support_release();
}

/* A residual block: every convolution has its normalisation, with and without bias and ReLU. */
static gg_value block(gg_value from)
{
    const gg_value inner = norm(conv(from, 4, 3, true, GG_IDENTITY), true);
    const gg_value outer = norm(conv(inner, 8, 3, false, GG_IDENTITY), false);
    return gg_node_add(net, outer, norm(conv(from, 8, 1, true, GG_IDENTITY), false));
}

static gg_value loss_of(gg_value from)
{
    const gg_value t = gg_input_labels(net, "t", 1, (int64_t[]){GG_BATCH});
    const gg_value loss = gg_softmax_with_loss(net, gg_global_average_pool(net, from), t);
    static const int32_t labels[BATCH] = {0, 1, 2, 3, 4};
    must(gg_model_bind_labels(net, t, labels));
    return loss;
}

START_TEST(a_block_gives_the_same)
{
    const gg_value y = block(x);
    plan(_i == 0 ? GG_NO_VALUE : loss_of(y));
    check(y, 3);
}
END_TEST

START_TEST(smaller_batches_and_other_shapes)
{
    const gg_value line = gg_input(net, "line", 3, (int64_t[]){GG_BATCH, 6, 10});
    const gg_value y = norm(gg_conv1d(net, line, 6, &(gg_conv1d_options){.kernel = 3, .groups = 6}), true);
    plan(GG_NO_VALUE);
    must(gg_model_bind(net, line, support_uniform(BATCH * 60, -1.0, 1.0, 8)));
    must(gg_model_set_extent(net, GG_BATCH, 2));
    const float *before = result(y, GG_INFER);
    must(gg_model_fold(net));
    assert_near(result(y, GG_INFER), before, gg_model_size(net, y));
    must(gg_model_set_extent(net, GG_BATCH, 0));
    must(gg_model_forward(net, y, GG_INFER));
}
END_TEST

/* Runs to the value between ignore the fold, runs past it follow it. */
START_TEST(the_convolution_alone)
{
    const gg_value z = conv(x, 4, 3, false, GG_IDENTITY), y = norm(z, true);
    plan(GG_NO_VALUE);
    const float *between = result(z, GG_INFER), *behind = result(y, GG_INFER);
    must(gg_model_fold(net));
    assert_near(result(y, GG_INFER), behind, gg_model_size(net, y));
    ck_assert_int_eq(memcmp(result(z, GG_INFER), between, (size_t)gg_model_size(net, z) * sizeof(float)), 0);
    assert_near(result(y, GG_CONTINUE), behind, gg_model_size(net, y));
}
END_TEST

START_TEST(what_others_see_is_not_folded)
{
    const gg_value activated = norm(conv(x, 4, 3, true, GG_RELU), false);
    const gg_value read_twice = conv(activated, 4, 3, true, GG_IDENTITY);
    const gg_value sum = gg_node_add(net, norm(read_twice, true), read_twice);
    const gg_value kept = conv(sum, 4, 1, true, GG_IDENTITY);
    must(gg_model_keep(net, kept, false));
    gg_model_spectral_next(net);
    const gg_value divided = conv(norm(kept, true), 4, 1, true, GG_IDENTITY);
    const gg_value transposed =
        gg_conv_transpose2d(net, norm(divided, true), 4, &(gg_conv2d_options){.kernel_height = 2, .kernel_width = 2});
    const gg_value y = norm(gg_flatten(net, norm(transposed, true)), true);
    plan(GG_NO_VALUE);
    check(y, 0);
}
END_TEST

START_TEST(training_ends_it)
{
    const gg_value y = block(x), loss = loss_of(y);
    plan(loss);
    must(gg_model_fold(net));
    must(gg_model_forward(net, loss, GG_TRAIN));
    ck_assert(!net->folded);
    const float *moved = result(y, GG_INFER); /* by running statistics that the step has moved */
    must(gg_model_fold(net));
    assert_near(result(y, GG_INFER), moved, gg_model_size(net, y));
    ck_assert_ptr_null(gg_model_find_nonfinite(net, loss));
    assert_near(result(y, GG_INFER), moved, gg_model_size(net, y));
}
END_TEST

/* A training step is the same to the bit whether a folded run came before it or not. */
START_TEST(training_does_not_notice)
{
    const gg_value y = block(x), loss = loss_of(y);
    plan(loss);
    const size_t bytes = (size_t)gg_model_parameter_floats(net) * sizeof(float);
    const size_t state_bytes = (size_t)gg_model_state_floats(net) * sizeof(float);
    const float *states = support_copy(gg_model_states(net), gg_model_state_floats(net));
    must(gg_model_forward(net, loss, GG_TRAIN));
    must(gg_model_backward(net));
    const float *expected = support_copy(gg_model_gradients(net), gg_model_parameter_floats(net));
    memcpy(gg_model_states(net), states, state_bytes);
    must(gg_model_fold(net));
    must(gg_model_forward(net, y, GG_INFER));
    ck_assert_int_eq(memcmp(gg_model_states(net), states, state_bytes), 0);
    must(gg_model_forward(net, loss, GG_TRAIN));
    must(gg_model_backward(net));
    ck_assert_int_eq(memcmp(gg_model_gradients(net), expected, bytes), 0);
}
END_TEST

START_TEST(wrong_calls)
{
    support_assert_fails(gg_model_fold(NULL), GG_ERR_ARGUMENT, "gg_model_fold", "model is NULL");
    support_assert_fails(gg_model_fold(net), GG_ERR_STATE, "gg_model_fold", "not planned");
    const gg_value y = gg_global_average_pool(net, x);
    plan(GG_NO_VALUE);
    must(gg_model_fold(net)); /* nothing to fold */
    must(gg_model_forward(net, y, GG_INFER));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_loop_test(tests, a_block_gives_the_same, 0, 2);
    tcase_add_test(tests, smaller_batches_and_other_shapes);
    tcase_add_test(tests, the_convolution_alone);
    tcase_add_test(tests, what_others_see_is_not_folded);
    tcase_add_test(tests, training_ends_it);
    tcase_add_test(tests, training_does_not_notice);
    tcase_add_test(tests, wrong_calls);
}
