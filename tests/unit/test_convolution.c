/* test_convolution.c - the convolution layers beside their numbers: wrong arguments and what is said about them,
 * starting weights, workspace and threads, parts that are not computed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/conv.h>
#include <gemmgrad/layers.h>
#include <gemmgrad/memory.h>

#include "support.h"

typedef gg_value image_layer(gg_model *model, gg_value x, int64_t filters, const gg_conv2d_options *options);

static gg_model *net;

static void start(void)
{
    ck_assert_int_eq(gg_model_new(&net, 7), GG_OK);
}

static void stop(void)
{
    gg_model_free(net);
    net = NULL;
    gg_set_threads(1);
}

static gg_value image(int64_t channels, int64_t height, int64_t width)
{
    return gg_input(net, "x", 4, (int64_t[]){GG_BATCH, channels, height, width});
}

static void expect_error(gg_value given, gg_status expected, const char *layer, const char *fragment)
{
    ck_assert_int_lt(given.id, 0);
    support_assert_fails(gg_model_plan(net, GG_NO_VALUE, 4), expected, layer, fragment);
    stop();
    start();
}

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

/* ---- wrong arguments ---- */

START_TEST(shapes_are_named)
{
    const gg_conv2d_options five = {.kernel_height = 5, .kernel_width = 5};
    expect_error(gg_conv2d(net, image(1, 3, 4), 8, &five), GG_ERR_SHAPE, "gg_conv2d of x [batch, 1, 3, 4]",
                 "kernel of 5 x 5 (dilation 1, 1) is larger than the image of 3 x 4");
    const gg_conv1d_options three = {.kernel = 3, .dilation = 4};
    expect_error(gg_conv1d(net, gg_input(net, "x", 3, (int64_t[]){GG_BATCH, 2, 8}), 8, &three), GG_ERR_SHAPE,
                 "gg_conv1d of x [batch, 2, 8]", "kernel of 1 x 3 (dilation 1, 4)");
    const gg_conv2d_options groups = {.kernel_height = 1, .kernel_width = 1, .groups = 3};
    expect_error(gg_conv2d(net, image(6, 3, 4), 8, &groups), GG_ERR_SHAPE, "gg_conv2d of x [batch, 6, 3, 4]",
                 "groups = 3 does not divide channels = 6 and filters = 8");
    expect_error(gg_conv_transpose2d(net, image(8, 3, 4), 6, &groups), GG_ERR_SHAPE,
                 "gg_conv_transpose2d of x [batch, 8, 3, 4]", "groups = 3 does not divide");
    const gg_conv2d_options cut = {.kernel_height = 3, .kernel_width = 3, .pad_top = 4, .pad_bottom = 4};
    expect_error(gg_conv_transpose2d(net, image(8, 3, 4), 6, &cut), GG_ERR_ARGUMENT,
                 "gg_conv_transpose2d of x [batch, 8, 3, 4]", "height is -3");
}
END_TEST

START_TEST(ranks_and_axes)
{
    const gg_conv2d_options o = {.kernel_height = 1, .kernel_width = 1};
    const gg_conv1d_options line = {.kernel = 1};
    const gg_value flat = gg_input(net, "x", 2, (int64_t[]){GG_BATCH, 9});
    expect_error(gg_conv2d(net, flat, 8, &o), GG_ERR_SHAPE, "gg_conv2d", "[batch, 9]");
    expect_error(gg_conv1d(net, image(2, 3, 4), 8, &line), GG_ERR_SHAPE, "gg_conv1d", "[batch, 2, 3, 4]");
    const gg_value time = gg_input(net, "x", 4, (int64_t[]){GG_BATCH, 2, GG_TIME, 3});
    expect_error(gg_conv2d(net, time, 8, &o), GG_ERR_SHAPE, "gg_conv2d", "[batch, 2, time, 3]");
    const gg_value labels = gg_input_labels(net, "x", 4, (int64_t[]){GG_BATCH, 2, 3, 3});
    expect_error(gg_conv2d(net, labels, 8, &o), GG_ERR_ARGUMENT, "conv2d", "labels");
    expect_error(gg_conv2d(net, (gg_value){17}, 8, &o), GG_ERR_ARGUMENT, "conv2d", "not a value");
    ck_assert_int_lt(gg_conv2d(NULL, flat, 8, &o).id, 0);
    ck_assert_int_lt(gg_conv1d(NULL, flat, 8, &line).id, 0);
}
END_TEST

/* Every number of the options out of range, for every layer of images. */
START_TEST(numbers_out_of_range)
{
    static image_layer *const layers[] = {gg_conv2d, gg_conv_transpose2d};
    static const struct {
        gg_conv2d_options o;
        const char *fragment;
    } wrong[] = {
        {{.kernel_height = 0, .kernel_width = 1}, "kernel_height is 0"},
        {{.kernel_height = 1, .kernel_width = -1}, "kernel_width is -1"},
        {{.kernel_height = 1, .kernel_width = INT64_MAX}, "kernel_width is 9223372036854775807"},
        {{.kernel_height = 1, .kernel_width = 1, .stride_y = -1}, "stride_y is -1"},
        {{.kernel_height = 1, .kernel_width = 1, .stride_x = INT64_MIN}, "stride_x is"},
        {{.kernel_height = 1, .kernel_width = 1, .dilation_y = -3}, "dilation_y is -3"},
        {{.kernel_height = 1, .kernel_width = 1, .dilation_x = -3}, "dilation_x is -3"},
        {{.kernel_height = 1, .kernel_width = 1, .groups = -2}, "groups is -2"},
        {{.kernel_height = 1, .kernel_width = 1, .pad_top = -1}, "pad_top is -1"},
        {{.kernel_height = 1, .kernel_width = 1, .pad_bottom = -1}, "pad_bottom is -1"},
        {{.kernel_height = 1, .kernel_width = 1, .pad_left = -1}, "pad_left is -1"},
        {{.kernel_height = 1, .kernel_width = 1, .pad_right = INT64_MAX}, "pad_right is"},
        {{.kernel_height = 1, .kernel_width = 1, .extra_y = -1}, "extra_y is -1"},
        {{.kernel_height = 1, .kernel_width = 1, .activation = GG_ACTIVATION_COUNT}, "activation is"},
        {{.kernel_height = 1, .kernel_width = 1, .init = (gg_initializer)99}, "init is 99"},
        {{.kernel_height = 1, .kernel_width = 1, .init = GG_INIT_NORMAL, .init_scale = -1.0f}, "init_scale is -1"},
        {{.kernel_height = 1, .kernel_width = 1, .algorithm = (gg_conv_algorithm)99}, "algorithm is 99"},
        {{.kernel_height = 1, .kernel_width = 1, .accuracy = (gg_conv_accuracy)99}, "accuracy is 99"},
        {{.kernel_height = 3, .kernel_width = 3, .same = true, .pad_left = 1}, "beside same"},
        {{.kernel_height = 3, .kernel_width = 3, .same = true, .extra_x = 1}, "extra_x 1"},
    };
    for (int i = 0; i < 2; i++) {
        for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++)
            expect_error(layers[i](net, image(1, 3, 3), 2, &wrong[j].o), GG_ERR_ARGUMENT, "gg_conv", wrong[j].fragment);
        expect_error(layers[i](net, image(1, 3, 3), 0, &wrong[0].o), GG_ERR_ARGUMENT, "gg_conv", "filters is 0");
        expect_error(layers[i](net, image(1, 3, 3), 2, NULL), GG_ERR_ARGUMENT, "gg_conv", "options is NULL");
    }
    expect_error(gg_conv1d(net, gg_input(net, "x", 3, (int64_t[]){GG_BATCH, 2, 8}), 8, NULL), GG_ERR_ARGUMENT,
                 "gg_conv1d", "options is NULL");
    expect_error(gg_conv1d(net, gg_input(net, "x", 3, (int64_t[]){GG_BATCH, 2, 8}), 8, &(gg_conv1d_options){0}),
                 GG_ERR_ARGUMENT, "gg_conv1d", "kernel_width is 0");
}
END_TEST

START_TEST(extra_rows_are_fewer_than_the_stride)
{
    gg_conv2d_options o = {.kernel_height = 3, .kernel_width = 3, .stride_y = 2, .extra_y = 2};
    expect_error(gg_conv_transpose2d(net, image(1, 3, 3), 2, &o), GG_ERR_SHAPE, "gg_conv_transpose2d", "extra_y");
    o.extra_y = 1;
    expect_error(gg_conv2d(net, image(1, 3, 3), 2, &o), GG_ERR_ARGUMENT, "gg_conv2d", "only a transposed");
    int64_t dims[GG_MAX_RANK];
    ck_assert_int_eq(gg_model_shape(net, gg_conv_transpose2d(net, image(1, 3, 3), 2, &o), dims), 4);
    ck_assert_int_eq(dims[2], 8);
    ck_assert_int_eq(dims[3], 5);
}
END_TEST

START_TEST(a_forced_algorithm_must_do_forward)
{
    const gg_conv2d_options o = {.kernel_height = 3, .kernel_width = 3, .algorithm = GG_CONV_POINTWISE};
    expect_error(gg_conv2d(net, image(1, 3, 3), 2, &o), GG_ERR_ARGUMENT, "gg_conv2d of x [batch, 1, 3, 3]",
                 "algorithm pointwise cannot do a kernel of 3 x 3");
}
END_TEST

START_TEST(a_planned_model_takes_no_layer)
{
    const gg_value x = image(1, 3, 3);
    must(gg_model_plan(net, GG_NO_VALUE, 3));
    expect_error(gg_conv2d(net, x, 2, &(gg_conv2d_options){.kernel_height = 1, .kernel_width = 1}), GG_ERR_STATE,
                 "gg_conv2d", "planned already");
}
END_TEST

/* ---- starting weights ---- */

static double deviation_of(int parameter)
{
    gg_parameter p;
    double squares = 0.0;
    must(gg_model_parameter(net, parameter, &p));
    for (int64_t i = 0; i < p.size; i++)
        squares += pow((double)gg_model_parameters(net)[p.offset + i], 2.0);
    return sqrt(squares / (double)p.size);
}

/* He for ReLU: 2 / in with in = channels / groups times taps; Xavier otherwise. The deviation of n numbers scatters by
 * 1 / sqrt(2 n), 0.5 % for 18432. */
START_TEST(weights_start_by_fan_in)
{
    const gg_value x = image(64, 8, 8);
    const gg_conv2d_options he = {.kernel_height = 3, .kernel_width = 3, .groups = 2, .activation = GG_RELU};
    const gg_conv2d_options xavier = {.kernel_height = 3, .kernel_width = 3};
    const gg_conv2d_options strided = {
        .kernel_height = 4, .kernel_width = 4, .stride_y = 2, .stride_x = 2, .activation = GG_RELU};
    const gg_value values[] = {gg_conv2d(net, x, 64, &he), gg_conv2d(net, x, 128, &xavier),
                               gg_conv_transpose2d(net, x, 32, &strided)};
    for (int i = 0; i < 3; i++)
        ck_assert_int_ge(values[i].id, 0);
    must(gg_model_plan(net, GG_NO_VALUE, 1));
    ck_assert_double_eq_tol(deviation_of(0), sqrt(2.0 / (32 * 9)), 0.03 * sqrt(2.0 / (32 * 9)));
    ck_assert_double_eq_tol(deviation_of(2), sqrt(2.0 / (192 * 9)), 0.03 * sqrt(2.0 / (192 * 9)));
    ck_assert_double_eq_tol(deviation_of(4), sqrt(2.0 / (64 * 4)), 0.03 * sqrt(2.0 / (64 * 4)));
    ck_assert_double_eq(deviation_of(1), 0.0);
}
END_TEST

/* Filters as the rows of a matrix: orthogonal to each other, of length sqrt(2) for ReLU. */
START_TEST(filters_start_orthogonal)
{
    enum { FILTERS = 6, DEPTH = 2 * 9 };
    const gg_conv2d_options o = {
        .kernel_height = 3, .kernel_width = 3, .activation = GG_RELU, .init = GG_INIT_ORTHOGONAL};
    gg_conv2d(net, image(2, 4, 4), FILTERS, &o);
    must(gg_model_plan(net, GG_NO_VALUE, 1));
    const float *w = gg_model_parameters(net);
    for (int i = 0; i < FILTERS; i++)
        for (int j = 0; j < FILTERS; j++) {
            double sum = 0.0;
            for (int k = 0; k < DEPTH; k++)
                sum += (double)w[i * DEPTH + k] * (double)w[j * DEPTH + k];
            ck_assert_double_eq_tol(sum, i == j ? 2.0 : 0.0, 1e-5);
        }
}
END_TEST

/* ---- workspace and threads; nobody wants the gradient of x here, and no convolution is asked for it ---- */

static gg_value build_scalar(gg_value x)
{
    const gg_conv2d_options o = {.kernel_height = 3, .kernel_width = 3, .same = true, .activation = GG_RELU};
    gg_value y = gg_conv2d(net, gg_conv2d(net, x, 4, &o), 4, &o);
    const gg_value target = gg_input(net, "target", 4, (int64_t[]){GG_BATCH, 4, 8, 8});
    return gg_mean_squared_error(net, y, target);
}

static void bind_all(gg_value x)
{
    must(gg_model_bind(net, x, support_uniform(5 * 2 * 64, -1.0, 1.0, 1)));
    must(gg_model_bind(net, (gg_value){x.id + 3}, support_uniform(5 * 4 * 64, -1.0, 1.0, 2)));
}

START_TEST(more_threads_want_a_new_plan)
{
    const gg_value x = image(2, 8, 8), loss = build_scalar(x);
    must(gg_set_threads(2));
    must(gg_model_plan(net, loss, 5));
    bind_all(x);
    must(gg_model_forward(net, loss, GG_TRAIN));
    must(gg_set_threads(3));
    support_assert_fails(gg_model_backward(net), GG_ERR_STATE, "gg_model_backward",
                         "planned for 2 threads and there are 3");
    support_assert_fails(gg_model_forward(net, loss, GG_INFER), GG_ERR_STATE, "gg_model_forward", "gg_model_plan");
    must(gg_set_threads(1));
    must(gg_model_forward(net, loss, GG_TRAIN));
    must(gg_model_backward(net));
    must(gg_set_threads(3));
    must(gg_model_plan(net, loss, 5));
    must(gg_model_forward(net, loss, GG_TRAIN));
    must(gg_model_backward(net));
}
END_TEST

/* A smaller batch or fewer threads may make another algorithm the cheapest, one that wants more room than was planned.
 */
START_TEST(a_plan_has_room_for_smaller_batches_and_fewer_threads)
{
    static const int64_t shapes[][5] = {/* channels, side, filters, kernel, stride */
                                        {64, 14, 64, 3, 1}, {128, 7, 64, 1, 1}, {3, 20, 16, 7, 2},  {16, 28, 16, 3, 1},
                                        {32, 7, 48, 3, 1},  {8, 30, 8, 5, 1},   {64, 8, 128, 3, 2}, {1, 28, 32, 3, 1},
                                        {16, 7, 16, 3, 1},  {16, 4, 16, 3, 1}};
    static const int64_t batches[] = {32, 27, 17, 16, 9, 8, 7, 4, 3, 2, 1};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int64_t *s = shapes[i];
        const gg_conv2d_options o = {
            .kernel_height = s[3], .kernel_width = s[3], .stride_y = s[4], .stride_x = s[4], .same = true};
        stop();
        start();
        must(gg_set_threads(3));
        const gg_value x = image(s[0], s[1], s[1]);
        const gg_value y = gg_conv2d(net, gg_conv2d(net, x, s[2], &o), s[2], &o);
        const gg_value sum = gg_node_sum(net, gg_flatten(net, y));
        must(gg_model_plan(net, gg_node_sum(net, sum), batches[0]));
        const gg_value loss = {sum.id + 1};
        must(gg_model_bind(net, x, support_uniform(batches[0] * s[0] * s[1] * s[1], -1.0, 1.0, 1)));
        for (int threads = 3; threads >= 1; threads--)
            for (size_t j = 0; j < sizeof batches / sizeof *batches; j++) {
                must(gg_set_threads(threads));
                must(gg_model_set_extent(net, GG_BATCH, batches[j]));
                must(gg_model_forward(net, loss, GG_TRAIN));
                must(gg_model_backward(net));
            }
        support_release();
    }
}
END_TEST

static void *no_memory(void *context, size_t bytes)
{
    const int *left = context;
    return *left > 0 ? aligned_alloc(GG_ALIGNMENT, (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT) : NULL;
}

static void release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

/* A plan that fails does not count: threads, sizes and places are those of the one before, whatever was asked for
 * meanwhile. */
START_TEST(a_failed_plan_keeps_threads_and_workspace)
{
    int left = 1;
    stop();
    must(gg_set_allocator(&(gg_allocator){no_memory, release, &left}));
    start();
    const gg_value x = image(2, 8, 8), loss = build_scalar(x);
    must(gg_model_plan(net, loss, 5));
    bind_all(x);
    must(gg_model_forward(net, loss, GG_TRAIN));
    const double before = gg_model_loss(net);
    must(gg_set_threads(3));
    left = 0;
    ck_assert_int_eq(gg_model_plan(net, loss, 500), GG_ERR_MEMORY);
    support_assert_fails(gg_model_forward(net, loss, GG_TRAIN), GG_ERR_STATE, "gg_model_forward",
                         "planned for 1 thread and there are 3");
    must(gg_set_threads(1));
    must(gg_model_set_extent(net, GG_BATCH, 4));
    must(gg_model_set_extent(net, GG_BATCH, 5));
    must(gg_model_forward(net, loss, GG_TRAIN));
    ck_assert_double_eq(gg_model_loss(net), before);
    gg_model_free(net);
    net = NULL;
    gg_set_allocator(NULL);
}
END_TEST

/* A model without convolutions takes any number of threads. */
START_TEST(others_do_not_mind_threads)
{
    const gg_value x = gg_input(net, "x", 2, (int64_t[]){GG_BATCH, 3}), y = gg_affine(net, x, 2, NULL);
    must(gg_model_plan(net, GG_NO_VALUE, 2));
    must(gg_model_bind(net, x, support_uniform(6, -1.0, 1.0, 1)));
    must(gg_set_threads(3));
    must(gg_model_forward(net, y, GG_INFER));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, shapes_are_named);
    tcase_add_test(tests, ranks_and_axes);
    tcase_add_test(tests, numbers_out_of_range);
    tcase_add_test(tests, extra_rows_are_fewer_than_the_stride);
    tcase_add_test(tests, a_forced_algorithm_must_do_forward);
    tcase_add_test(tests, a_planned_model_takes_no_layer);
    tcase_add_test(tests, weights_start_by_fan_in);
    tcase_add_test(tests, filters_start_orthogonal);
    tcase_add_test(tests, more_threads_want_a_new_plan);
    tcase_add_test(tests, a_plan_has_room_for_smaller_batches_and_fewer_threads);
    tcase_add_test(tests, a_failed_plan_keeps_threads_and_workspace);
    tcase_add_test(tests, others_do_not_mind_threads);
}
