/* test_conv_transpose.c - the transposed convolution's forward: backward data, then what comes on top of it. */
#include <math.h>

#include <gemmgrad/conv.h>

#include "reference_conv.h"
#include "reference_elementwise.h"
#include "support.h"

static const gg_conv_shape shape = {.batch = 3,
                                    .channels = 4,
                                    .height = 9,
                                    .width = 8,
                                    .filters = 6,
                                    .kernel_height = 3,
                                    .kernel_width = 2,
                                    .stride_y = 2,
                                    .stride_x = 1,
                                    .groups = 2};
enum { X = 3 * 6 * 4 * 7, Y = 3 * 4 * 9 * 8, W = 6 * 2 * 3 * 2, PLANE = 9 * 8, CHANNELS = 4 };

typedef struct arrays {
    float *x, *w, *bias, *y, *z, *workspace;
    int64_t floats;
} arrays;

static arrays make(void)
{
    arrays a = {.x = support_uniform(X, -1.0, 1.0, 1),
                .w = support_uniform(W, -1.0, 1.0, 2),
                .bias = support_uniform(CHANNELS, -1.0, 1.0, 3),
                .y = support_floats(Y),
                .z = support_floats(Y)};
    ck_assert_int_eq(gg_conv_workspace(&a.floats, GG_CONV_BACKWARD_DATA, &shape, NULL), GG_OK);
    a.workspace = support_floats(a.floats);
    return a;
}

/* z = bias + backward data of x, its terms' magnitudes, for each float of y. */
static void expect(const arrays *a, double *z, double *magnitude, bool bias)
{
    double *x = support_widen(a->x, X), *w = support_widen(a->w, W);
    reference_conv_backward(z, NULL, NULL, x, NULL, w, &shape, false, false);
    for (int64_t i = 0; i < X; i++)
        x[i] = fabs(x[i]);
    for (int64_t i = 0; i < W; i++)
        w[i] = fabs(w[i]);
    reference_conv_backward(magnitude, NULL, NULL, x, NULL, w, &shape, false, false);
    for (int64_t i = 0; i < Y && bias; i++) {
        const double b = (double)a->bias[i / PLANE % CHANNELS];
        z[i] += b;
        magnitude[i] += fabs(b);
    }
}

START_TEST(bias_and_activation_come_on_top)
{
    static const gg_activation activations[] = {GG_IDENTITY, GG_RELU, GG_TANH};
    const arrays a = make();
    double *z = support_doubles(Y), *magnitude = support_doubles(Y), *y = support_doubles(Y);
    for (int i = 0; i < 6; i++) {
        const gg_activation f = activations[i / 2];
        const gg_conv_options o = {.activation = f, .preactivation = i % 2 == 0 ? a.z : NULL};
        expect(&a, z, magnitude, i % 2 == 0);
        ck_assert_int_eq(
            gg_conv_transpose_forward(a.y, a.x, a.w, i % 2 == 0 ? a.bias : NULL, &shape, &o, a.workspace, a.floats),
            GG_OK);
        for (int64_t j = 0; j < Y; j++)
            y[j] = reference_activation(f, z[j], 0.0);
        support_assert_close(a.y, y, magnitude, Y, 16.0, "y, %s", gg_activation_name(f));
        if (i % 2 == 0)
            support_assert_close(a.z, z, magnitude, Y, 16.0, "z, %s", gg_activation_name(f));
    }
}
END_TEST

START_TEST(defaults_are_the_plain_map)
{
    const arrays a = make();
    double *z = support_doubles(Y), *magnitude = support_doubles(Y);
    expect(&a, z, magnitude, true);
    ck_assert_int_eq(gg_conv_transpose_forward(a.y, a.x, a.w, a.bias, &shape, NULL, a.workspace, a.floats), GG_OK);
    support_assert_close(a.y, z, magnitude, Y, 16.0, "y");
}
END_TEST

START_TEST(bad_arguments_touch_nothing)
{
    static const char name[] = "gg_conv";
    const arrays a = make();
    gg_conv_shape wrong = shape;
    wrong.groups = 5;
    support_assert_fails(gg_conv_transpose_forward(NULL, a.x, a.w, a.bias, &shape, NULL, a.workspace, a.floats),
                         GG_ERR_ARGUMENT, name, "y is NULL");
    support_assert_fails(gg_conv_transpose_forward(a.y, NULL, a.w, a.bias, &shape, NULL, a.workspace, a.floats),
                         GG_ERR_ARGUMENT, name, "x is NULL");
    support_assert_fails(gg_conv_transpose_forward(a.y, a.x, a.w, a.bias, NULL, NULL, a.workspace, a.floats),
                         GG_ERR_ARGUMENT, name, "shape is NULL");
    support_assert_fails(gg_conv_transpose_forward(a.y, a.x, a.w, a.bias, &wrong, NULL, a.workspace, a.floats),
                         GG_ERR_SHAPE, name, "groups = 5");
    support_assert_fails(gg_conv_transpose_forward(a.y, a.x, a.w, a.bias, &shape, NULL, a.workspace, 3),
                         GG_ERR_ARGUMENT, name, "workspace");
    const gg_conv_options adds = {.accumulate_dx = true};
    support_assert_fails(gg_conv_transpose_forward(a.y, a.x, a.w, a.bias, &shape, &adds, a.workspace, a.floats),
                         GG_ERR_ARGUMENT, "gg_conv_transpose_forward", "accumulate_dx");
    ck_assert(support_untouched(a.y, Y));
    wrong = shape;
    wrong.batch = 0;
    ck_assert_int_eq(gg_conv_transpose_forward(NULL, NULL, NULL, a.bias, &wrong, NULL, NULL, 0), GG_OK);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, bias_and_activation_come_on_top);
    tcase_add_test(tests, defaults_are_the_plain_map);
    tcase_add_test(tests, bad_arguments_touch_nothing);
}
