/* test_conv.c - convolution by every algorithm against plain loops, over shapes drawn with a fixed seed:
 *     Y = X * W + b,  dX, dW, db;  <im2col x, c> = <x, col2im c>. */
#include <gemmgrad/conv.h>

#include <math.h>

#include <gemmgrad/backend.h>

#include "conv_case.h"
#include "reference_conv.h"
#include "support.h"

enum { SHAPES = 300 };

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
    s.stride_y = three ? 1 : draw(state, 1, 3);
    s.stride_x = three ? 1 : draw(state, 1, 3);
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
    for (int i = 0; i < SHAPES; i++) {
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
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        for (int threads = 1; threads <= 3; threads++) {
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

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, every_algorithm_equals_plain_loops);
    tcase_add_test(tests, shapes_of_networks_equal_plain_loops);
    tcase_add_test(tests, col2im_is_the_adjoint_of_im2col);
}
