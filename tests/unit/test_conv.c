/* test_conv.c - convolution by every algorithm against plain loops, over shapes drawn with a fixed seed:
 *     Y = X * W + b,  dX, dW, db;  <im2col x, c> = <x, col2im c>. */
#include <gemmgrad/conv.h>

#include <math.h>

#include <gemmgrad/backend.h>

#include "backend.h"
#include "conv_case.h"
#include "conv_method.h"
#include "isa.h"
#include "reference_conv.h"
#include "support.h"

/* On the best instruction set; the lesser ones see a part of them. */
enum { SHAPES = 300, FEW_SHAPES = 60 };

/* Winograd's largest error as a share of the largest result: what docs/accuracy.md promises. */
static const double winograd_bound = 1e-5;

static int64_t draw(uint64_t *state, int64_t least, int64_t most)
{
    return least + (int64_t)(support_random(state) % (uint64_t)(most - least + 1));
}

/* Groups: often one, sometimes a few, sometimes a group a channel. */
static void draw_channels(gg_conv_shape *s, uint64_t *state)
{
    static const int64_t some[] = {1, 2, 3, 4, 5, 8, 16, 17, 33};
    s->groups = draw(state, 0, 3) > 0 ? 1 : draw(state, 2, 6);
    s->channels = some[draw(state, 0, s->groups > 1 ? 2 : 8)] * s->groups;
    s->filters = some[draw(state, 0, s->groups > 1 ? 2 : 8)] * s->groups;
}

static gg_conv_shape draw_shape(uint64_t *state)
{
    gg_conv_shape s = {.batch = draw(state, 1, 3)};
    draw_channels(&s, state);
    const bool three = draw(state, 0, 2) == 0; /* what Winograd's algorithms want */
    s.kernel_height = three ? 3 : draw(state, 1, 7);
    s.kernel_width = three ? 3 : draw(state, 1, 7);
    s.stride_y = draw(state, 1, three ? 2 : 3);
    s.stride_x = three ? s.stride_y : draw(state, 1, 3);
    s.dilation_y = three ? 1 : draw(state, 1, 2);
    s.dilation_x = three ? 1 : draw(state, 1, 2);
    s.pad_top = draw(state, 0, 3);
    s.pad_bottom = draw(state, 0, 3);
    s.pad_left = draw(state, 0, 3);
    s.pad_right = draw(state, 0, 3);
    s.height = draw(state, s.dilation_y * (s.kernel_height - 1) + 1, 20);
    s.width = draw(state, s.dilation_x * (s.kernel_width - 1) + 1, 20);
    return s;
}

static void check_all(const gg_conv_shape *s, bool accumulate, uint64_t seed)
{
    const conv_case c = conv_case_new(s, accumulate, seed);
    for (gg_conv_algorithm a = GG_CONV_AUTO; a < GG_CONV_ALGORITHM_COUNT; a++)
        conv_case_check(&c, a, winograd_bound);
    support_release();
}

START_TEST(every_algorithm_equals_plain_loops)
{
    uint64_t state = 20261125;
    const int shapes = _i == (int)gg_policy_isa() ? SHAPES : FEW_SHAPES;
    for (int i = 0; use_isa(_i) && i < shapes; i++) {
        const gg_conv_shape s = draw_shape(&state);
        ck_assert_int_eq(gg_set_threads(1 + i % 3), GG_OK);
        check_all(&s, i % 2 == 1, (uint64_t)i * 100 + 1);
    }
}
END_TEST

/* Shapes of networks, small: kernels of one tap, strides, sizes beyond the blocks of pixels, depth and filters. */
static const gg_conv_shape usual[] = {
    {.batch = 3, .channels = 64, .height = 14, .width = 14, .filters = 96, .kernel_height = 1, .kernel_width = 1},
    {.batch = 1, .channels = 17, .height = 33, .width = 29, .filters = 19, .kernel_height = 1, .kernel_width = 1},
    {.batch = 4, .channels = 130, .height = 7, .width = 7, .filters = 65, .kernel_height = 1, .kernel_width = 1},
    {.batch = 1, .channels = 40, .height = 7, .width = 7, .filters = 65, .kernel_height = 1, .kernel_width = 1},
    {.batch = 2, .channels = 6, .height = 64, .width = 64, .filters = 130, .kernel_height = 1, .kernel_width = 1},
    {.batch = 2,
     .channels = 12,
     .height = 9,
     .width = 9,
     .filters = 8,
     .kernel_height = 1,
     .kernel_width = 1,
     .groups = 4},
    {.batch = 5,
     .channels = 20,
     .height = 14,
     .width = 14,
     .filters = 24,
     .kernel_height = 1,
     .kernel_width = 1,
     .stride_y = 2,
     .stride_x = 2},
    {.batch = 2,
     .channels = 3,
     .height = 45,
     .width = 45,
     .filters = 16,
     .kernel_height = 7,
     .kernel_width = 7,
     .stride_y = 2,
     .stride_x = 2,
     .pad_top = 3,
     .pad_bottom = 3,
     .pad_left = 3,
     .pad_right = 3},
    {.batch = 3,
     .channels = 17,
     .height = 33,
     .width = 29,
     .filters = 33,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride_y = 2,
     .stride_x = 2,
     .pad_top = 1,
     .pad_bottom = 1,
     .pad_left = 1,
     .pad_right = 1},
    {.batch = 5,
     .channels = 34,
     .height = 23,
     .width = 26,
     .filters = 62,
     .kernel_height = 5,
     .kernel_width = 5,
     .stride_x = 2,
     .pad_top = 4,
     .pad_left = 2,
     .pad_right = 1,
     .dilation_y = 2,
     .groups = 2},
    {.batch = 17,
     .channels = 40,
     .height = 7,
     .width = 7,
     .filters = 130,
     .kernel_height = 3,
     .kernel_width = 3,
     .pad_top = 1,
     .pad_bottom = 1,
     .pad_left = 1,
     .pad_right = 1},
    {.batch = 2,
     .channels = 65,
     .height = 28,
     .width = 28,
     .filters = 64,
     .kernel_height = 3,
     .kernel_width = 3,
     .pad_top = 1,
     .pad_bottom = 1,
     .pad_left = 1,
     .pad_right = 1},
    {.batch = 1,
     .channels = 64,
     .height = 1,
     .width = 300,
     .filters = 70,
     .kernel_height = 1,
     .kernel_width = 3,
     .pad_left = 1,
     .pad_right = 1},
    {.batch = 2,
     .channels = 5,
     .height = 1,
     .width = 1,
     .filters = 7,
     .kernel_height = 3,
     .kernel_width = 3,
     .pad_top = 1,
     .pad_bottom = 1,
     .pad_left = 1,
     .pad_right = 1},
    {.batch = 2, .channels = 4, .height = 300, .width = 1, .filters = 6, .kernel_height = 1, .kernel_width = 1},
    {.batch = 2,
     .channels = 3,
     .height = 18,
     .width = 18,
     .filters = 4,
     .kernel_height = 17,
     .kernel_width = 17,
     .pad_top = 2,
     .pad_right = 3},
    {.batch = 2,
     .channels = 256,
     .height = 6,
     .width = 6,
     .filters = 300,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride_y = 2,
     .stride_x = 1},
};

START_TEST(shapes_of_networks_equal_plain_loops)
{
    for (size_t i = 0; use_isa(_i) && i < sizeof usual / sizeof *usual; i++)
        for (int threads = _i == (int)gg_policy_isa() ? 1 : 3; threads <= 3; threads++) {
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            check_all(&usual[i], threads == 2, i * 10 + (uint64_t)threads);
        }
}
END_TEST

/* <im2col x, c> and <x, col2im c> are the same sum of the same products of small integers: equal to the last bit. */
START_TEST(col2im_is_the_adjoint_of_im2col)
{
    uint64_t state = 7;
    for (int i = 0; i < SHAPES; i++) {
        gg_conv_shape s = draw_shape(&state);
        s.groups = 1;
        int64_t height, width;
        ck_assert_int_eq(gg_conv_output(&height, &width, &s), GG_OK);
        const int64_t rows = s.channels * s.kernel_height * s.kernel_width, n = rows * height * width;
        const int64_t m = s.channels * s.height * s.width;
        float *x = support_floats(m), *c = support_floats(n), *col = support_floats(n), *back = support_floats(m);
        for (int64_t j = 0; j < m; j++)
            x[j] = (float)draw(&state, -8, 8);
        for (int64_t j = 0; j < n; j++)
            c[j] = (float)draw(&state, -8, 8);
        ck_assert_int_eq(gg_im2col(col, x, &s), GG_OK);
        ck_assert_int_eq(gg_col2im(back, c, &s, false), GG_OK);
        double left = 0.0, right = 0.0, *expected = support_doubles(n), *wide = support_widen(x, m);
        for (int64_t j = 0; j < n; j++)
            left += (double)col[j] * (double)c[j];
        for (int64_t j = 0; j < m; j++)
            right += (double)x[j] * (double)back[j];
        ck_assert_double_eq(left, right);
        reference_im2col(expected, wide, &s);
        support_assert_close(col, expected, NULL, n, 0.0, "im2col, %s", conv_case_name(&s));
        support_release();
    }
}
END_TEST

/* What a query says with some threads is enough for fewer, and for fewer images. */
START_TEST(a_workspace_is_enough_for_less)
{
    uint64_t state = 99;
    for (int i = 0; i < SHAPES; i++) {
        gg_conv_shape s = draw_shape(&state), part = s;
        s.batch = 5;
        for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++)
            for (gg_conv_algorithm a = GG_CONV_AUTO; a < GG_CONV_ALGORITHM_COUNT; a++) {
                if (a != GG_CONV_AUTO && !gg_conv_can(a, pass, &s))
                    continue;
                const gg_conv_options o = {.algorithm = a};
                int64_t all, some;
                ck_assert_int_eq(gg_set_threads(5), GG_OK);
                ck_assert_int_eq(gg_conv_workspace(&all, pass, &s, &o), GG_OK);
                for (int threads = 1; threads <= 5; threads++)
                    for (part.batch = 1; part.batch <= 5; part.batch++) {
                        ck_assert_int_eq(gg_set_threads(threads), GG_OK);
                        ck_assert_int_eq(gg_conv_workspace(&some, pass, &part, &o), GG_OK);
                        if (some > all)
                            ck_abort_msg("%s, pass %d: %d threads and %lld images need %lld floats, 5 of both %lld, %s",
                                         gg_conv_algorithm_name(a), (int)pass, threads, (long long)part.batch,
                                         (long long)some, (long long)all, conv_case_name(&s));
                    }
            }
    }
}
END_TEST

/* A 3x3 layer that Winograd's algorithms are cheapest for. */
static const gg_conv_shape three = {.batch = 4,
                                    .channels = 64,
                                    .height = 28,
                                    .width = 28,
                                    .filters = 64,
                                    .kernel_height = 3,
                                    .kernel_width = 3,
                                    .pad_top = 1,
                                    .pad_bottom = 1,
                                    .pad_left = 1,
                                    .pad_right = 1};

START_TEST(exact_mode_takes_no_winograd)
{
    for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++) {
        gg_conv_algorithm fast, exact;
        ck_assert_int_eq(gg_conv_choose(&fast, pass, &three, NULL), GG_OK);
        ck_assert(!gg_conv_is_exact(fast));
        ck_assert_int_eq(gg_conv_choose(&exact, pass, &three, &(gg_conv_options){.accuracy = GG_CONV_EXACT}), GG_OK);
        ck_assert(gg_conv_is_exact(exact));
        const gg_conv_options strided = {.algorithm = GG_CONV_WINOGRAD_STRIDED, .accuracy = GG_CONV_EXACT};
        gg_conv_shape s = three;
        s.stride_y = s.stride_x = 2;
        ck_assert_int_eq(gg_conv_choose(&exact, pass, &s, &(gg_conv_options){.accuracy = GG_CONV_EXACT}), GG_OK);
        ck_assert(gg_conv_is_exact(exact));
        support_assert_fails(gg_conv_choose(&exact, pass, &s, &strided), GG_ERR_ARGUMENT, "gg_conv_choose",
                             "winograd4s2 is not exact");
    }
}
END_TEST

/* Each wrong shape: what is changed in `three`, and what the message must name. */
static void check_shape_fails(gg_conv_shape s, gg_status expected, const char *named)
{
    float *y = support_floats(16), one[16] = {0};
    support_assert_fails(gg_conv_forward(y, one, one, NULL, &s, NULL, one, 16), expected, "gg_conv_forward", named);
    support_assert_fails(gg_conv_backward_data(y, one, one, &s, NULL, one, 16), expected, "gg_conv_backward_data",
                         named);
    support_assert_fails(gg_conv_backward_weights(y, NULL, one, one, &s, NULL, one, 16), expected,
                         "gg_conv_backward_weights", named);
    ck_assert(support_untouched(y, 16));
}

START_TEST(wrong_shapes_are_refused)
{
    gg_conv_shape s = three;
    s.kernel_height = 31;
    check_shape_fails(s, GG_ERR_SHAPE, "31 x 3");
    s = three;
    s.groups = 3;
    check_shape_fails(s, GG_ERR_SHAPE, "groups = 3");
    s = three;
    s.pad_left = -1;
    check_shape_fails(s, GG_ERR_ARGUMENT, "pad_left is -1");
    s = three;
    s.channels = 0;
    check_shape_fails(s, GG_ERR_ARGUMENT, "channels is 0");
    s = three;
    s.batch = INT32_MAX, s.height = s.width = 40000;
    check_shape_fails(s, GG_ERR_OVERFLOW, "x of");
    s = three;
    s.width = INT64_MAX;
    check_shape_fails(s, GG_ERR_OVERFLOW, "width");
    check_shape_fails(three, GG_ERR_ARGUMENT, "workspace has 16 floats");
    s = (gg_conv_shape){.batch = 1,
                        .channels = 1,
                        .height = 1,
                        .width = 1,
                        .filters = 1,
                        .kernel_height = 3,
                        .kernel_width = 3,
                        .pad_top = INT32_MAX,
                        .pad_bottom = INT32_MAX,
                        .pad_left = INT32_MAX,
                        .pad_right = INT32_MAX,
                        .dilation_y = INT32_MAX,
                        .dilation_x = INT32_MAX};
    check_shape_fails(s, GG_ERR_OVERFLOW, "with its padding"); /* one pixel from planes of 2^33 x 2^33 */
    s.kernel_height = s.kernel_width = 1;
    s.height = s.width = INT32_MAX, s.batch = 0;
    check_shape_fails(s, GG_ERR_OVERFLOW, "more floats");
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    float *y = support_floats(16), one[16] = {0};
    gg_conv_algorithm chosen;
    int64_t floats = -1;
    support_assert_fails(gg_conv_forward(NULL, one, one, NULL, &three, NULL, one, INT64_MAX), GG_ERR_ARGUMENT,
                         "gg_conv_forward", "y is NULL");
    support_assert_fails(gg_conv_forward(y, one, one, NULL, NULL, NULL, one, 16), GG_ERR_ARGUMENT, "gg_conv_forward",
                         "shape is NULL");
    support_assert_fails(gg_conv_forward(y, one, one, NULL, &three, NULL, NULL, INT64_MAX), GG_ERR_ARGUMENT,
                         "gg_conv_forward", "workspace is NULL");
    support_assert_fails(
        gg_conv_choose(&chosen, GG_CONV_FORWARD, &three, &(gg_conv_options){.algorithm = GG_CONV_POINTWISE}),
        GG_ERR_ARGUMENT, "gg_conv_choose", "pointwise cannot");
    support_assert_fails(
        gg_conv_choose(&chosen, GG_CONV_FORWARD, &three, &(gg_conv_options){.algorithm = (gg_conv_algorithm)99}),
        GG_ERR_ARGUMENT, "gg_conv_choose", "algorithm is 99");
    support_assert_fails(gg_conv_choose(&chosen, GG_CONV_FORWARD, &three,
                                        &(gg_conv_options){.algorithm = GG_CONV_WINOGRAD_4, .accuracy = GG_CONV_EXACT}),
                         GG_ERR_ARGUMENT, "gg_conv_choose", "winograd4 is not exact");
    support_assert_fails(gg_conv_workspace(&floats, (gg_conv_pass)7, &three, NULL), GG_ERR_ARGUMENT,
                         "gg_conv_workspace", "pass is 7");
    support_assert_fails(gg_im2col(NULL, one, &three), GG_ERR_ARGUMENT, "gg_im2col", "col is NULL");
    support_assert_fails(gg_col2im(NULL, one, &three, false), GG_ERR_ARGUMENT, "gg_col2im", "x is NULL");
    ck_assert(support_untouched(y, 16));
    ck_assert_int_eq(floats, -1);
}
END_TEST

/* Without images nothing is read, and gradients of weights are 0 unless they are added to. */
START_TEST(an_empty_batch_does_nothing)
{
    gg_conv_shape s = three;
    s.batch = 0;
    const int64_t weights = 64 * 64 * 9;
    float *dw = support_floats(weights), *db = support_floats(64);
    ck_assert_int_eq(gg_conv_forward(NULL, NULL, NULL, NULL, &s, NULL, NULL, 0), GG_OK);
    ck_assert_int_eq(gg_conv_backward_data(NULL, NULL, NULL, &s, NULL, NULL, 0), GG_OK);
    ck_assert_int_eq(
        gg_conv_backward_weights(dw, db, NULL, NULL, &s, &(gg_conv_options){.accumulate_dw = true}, NULL, 0), GG_OK);
    ck_assert(support_untouched(dw, weights));
    ck_assert_int_eq(gg_conv_backward_weights(dw, db, NULL, NULL, &s, NULL, NULL, 0), GG_OK);
    for (int64_t i = 0; i < weights; i++)
        ck_assert_float_eq(dw[i], 0.0f);
    for (int64_t i = 0; i < 64; i++)
        ck_assert_float_eq(db[i], 0.0f);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_workspace_is_enough_for_less);
    tcase_add_test(tests, exact_mode_takes_no_winograd);
    tcase_add_test(tests, wrong_shapes_are_refused);
    tcase_add_test(tests, wrong_arguments_are_refused);
    tcase_add_test(tests, an_empty_batch_does_nothing);
    tcase_add_loop_test(tests, every_algorithm_equals_plain_loops, 0, ISA_COUNT);
    tcase_add_loop_test(tests, shapes_of_networks_equal_plain_loops, 0, ISA_COUNT);
    tcase_add_test(tests, col2im_is_the_adjoint_of_im2col);
}
