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

/* A group for each channel, planes of one row of blocks up to several bands, all kinds of kernels. */
static gg_conv_shape draw_depthwise(uint64_t *state)
{
    static const int64_t channels[] = {1, 2, 3, 5, 8}, sizes[] = {1, 7, 14, 15, 16, 17, 29, 33, 56, 112};
    gg_conv_shape s = {.batch = draw(state, 1, 2)};
    s.groups = s.channels = channels[draw(state, 0, 4)];
    s.filters = s.groups * (draw(state, 0, 3) > 0 ? 1 : draw(state, 2, 3));
    const int64_t usual = draw(state, 0, 3);
    s.kernel_height = usual < 2 ? 3 : usual == 2 ? 5 : draw(state, 1, 7);
    s.kernel_width = usual < 2 ? 3 : usual == 2 ? 5 : draw(state, 1, 7);
    s.stride_y = usual == 0 ? 1 : usual < 3 ? 2 : draw(state, 1, 4);
    s.stride_x = usual == 0 ? 1 : usual < 3 ? 2 : draw(state, 1, 4);
    s.dilation_y = usual < 3 ? 1 : draw(state, 1, 3);
    s.dilation_x = usual < 3 ? 1 : draw(state, 1, 3);
    s.pad_top = draw(state, 0, 4);
    s.pad_bottom = draw(state, 0, 4);
    s.pad_left = draw(state, 0, 4);
    s.pad_right = draw(state, 0, 4);
    const int64_t rows = s.dilation_y * (s.kernel_height - 1) + 1, columns = s.dilation_x * (s.kernel_width - 1) + 1;
    s.height = sizes[draw(state, 0, 9)];
    s.width = sizes[draw(state, 0, 9)];
    s.height = s.height + s.pad_top + s.pad_bottom < rows ? rows : s.height;
    s.width = s.width + s.pad_left + s.pad_right < columns ? columns : s.width;
    return s;
}

START_TEST(depthwise_equals_plain_loops)
{
    uint64_t state = 20261126;
    for (int i = 0; i < SHAPES; i++) {
        const gg_conv_shape s = draw_depthwise(&state);
        ck_assert_int_eq(gg_set_threads(1 + i % 3), GG_OK);
        for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++)
            ck_assert(gg_conv_can(GG_CONV_DEPTHWISE, pass, &s));
        const conv_case c = conv_case_new(&s, i % 2 == 1, (uint64_t)i * 100 + 1);
        conv_case_check(&c, GG_CONV_DEPTHWISE, winograd_bound);
        support_release();
    }
}
END_TEST

/* What is NaN by plain loops, and nothing else, is NaN by the algorithm, whatever its workspace held before. */
static void check_nan(const char *what, const float *actual, const double *expected, int64_t n, const gg_conv_shape *s)
{
    for (int64_t i = 0; i < n; i++)
        if (!isnan(actual[i]) != !isnan(expected[i]))
            ck_abort_msg("%s[%lld] is %g, by plain loops %g, %s", what, (long long)i, (double)actual[i], expected[i],
                         conv_case_name(s));
}

static float *workspace_of_nan(int64_t *floats, gg_conv_pass pass, const gg_conv_shape *s, const gg_conv_options *o)
{
    ck_assert_int_eq(gg_conv_workspace(floats, pass, s, o), GG_OK);
    float *work = support_floats(*floats);
    for (int64_t i = 0; i < *floats; i++)
        work[i] = NAN;
    return work;
}

START_TEST(depthwise_spreads_no_nan)
{
    const gg_conv_options o = {.algorithm = GG_CONV_DEPTHWISE};
    uint64_t state = 5;
    for (int i = 0; i < SHAPES; i++) {
        const gg_conv_shape s = draw_depthwise(&state);
        conv_case c = conv_case_new(&s, false, (uint64_t)i);
        c.x[draw(&state, 0, c.x_floats - 1)] = NAN;
        double *x = support_widen(c.x, c.x_floats), *w = support_widen(c.w, c.w_floats);
        float *y = support_floats(c.y_floats), *dx = support_floats(c.x_floats), *dw = support_floats(c.w_floats);
        int64_t floats;
        reference_conv_forward(c.y, x, w, NULL, &s);
        float *work = workspace_of_nan(&floats, GG_CONV_FORWARD, &s, &o);
        ck_assert_int_eq(gg_conv_forward(y, c.x, c.w, NULL, &s, &o, work, floats), GG_OK);
        check_nan("y", y, c.y, c.y_floats, &s);
        reference_conv_backward(NULL, c.dw, NULL, support_widen(c.dy, c.y_floats), x, w, &s, false, false);
        work = workspace_of_nan(&floats, GG_CONV_BACKWARD_WEIGHTS, &s, &o);
        ck_assert_int_eq(gg_conv_backward_weights(dw, NULL, c.dy, c.x, &s, &o, work, floats), GG_OK);
        check_nan("dw", dw, c.dw, c.w_floats, &s);
        c.dy[draw(&state, 0, c.y_floats - 1)] = NAN;
        reference_conv_backward(c.dx, NULL, NULL, support_widen(c.dy, c.y_floats), x, w, &s, false, false);
        work = workspace_of_nan(&floats, GG_CONV_BACKWARD_DATA, &s, &o);
        ck_assert_int_eq(gg_conv_backward_data(dx, c.dy, c.w, &s, &o, work, floats), GG_OK);
        check_nan("dx", dx, c.dx, c.x_floats, &s);
        support_release();
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
    tcase_add_test(tests, depthwise_equals_plain_loops);
    tcase_add_test(tests, depthwise_spreads_no_nan);
    tcase_add_test(tests, col2im_is_the_adjoint_of_im2col);
}
