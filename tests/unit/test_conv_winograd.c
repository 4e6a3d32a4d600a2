/* test_conv_winograd.c - minimal filtering where its tiles, groups, panels and blocks end: F(2x2, 3x3), F(4x4, 3x3),
 * and the latter in steps of two = plain loops, = convolution by columns where plain loops would take too long; the
 * same bits each time. */
#include <gemmgrad/conv.h>

#include <math.h>
#include <string.h>

#include <gemmgrad/backend.h>

#include "backend.h"
#include "conv_case.h"
#include "isa.h"
#include "support.h"

enum { MOST_THREADS = 3 };

static const double bound = 1e-5;

static const struct method {
    gg_conv_algorithm algorithm;
    int64_t stride;
} methods[] = {{GG_CONV_WINOGRAD_2, 1}, {GG_CONV_WINOGRAD_4, 1}, {GG_CONV_WINOGRAD_STRIDED, 2}};
enum { METHODS = sizeof methods / sizeof *methods };

/* The shape in the steps that a method takes. */
static gg_conv_shape in_steps_of(gg_conv_shape s, const struct method *m)
{
    s.stride_y = s.stride_x = m->stride;
    return s;
}

static gg_conv_shape layer(int64_t batch, int64_t channels, int64_t height, int64_t width, int64_t filters, int64_t pad)
{
    return (gg_conv_shape){.batch = batch,
                           .channels = channels,
                           .height = height,
                           .width = width,
                           .filters = filters,
                           .kernel_height = 3,
                           .kernel_width = 3,
                           .pad_top = pad,
                           .pad_bottom = pad,
                           .pad_left = pad,
                           .pad_right = pad};
}

static void check_all(const gg_conv_shape *shape, bool accumulate)
{
    for (int i = 0; i < METHODS; i++) {
        const gg_conv_shape s = in_steps_of(*shape, &methods[i]);
        const conv_case c = conv_case_new(&s, accumulate, 5);
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            conv_case_check(&c, methods[i].algorithm, bound);
        }
        support_release();
    }
}

START_TEST(borders_of_tiles_groups_and_panels)
{
    const gg_conv_shape shapes[] = {
        layer(1, 1, 1, 1, 1, 1),      layer(1, 3, 3, 3, 2, 0),   layer(1, 17, 33, 29, 3, 1),
        layer(2, 65, 7, 7, 65, 1),    layer(5, 64, 7, 7, 64, 1), layer(1, 130, 5, 6, 64, 1),
        layer(2, 16, 14, 14, 130, 1), layer(1, 3, 56, 56, 5, 1), layer(1, 4, 3, 400, 2, 1),
        layer(1, 2, 400, 3, 4, 1),    layer(1, 5, 1, 1, 3, 4),   layer(2, 3, 10, 11, 18, 5),
        layer(3, 70, 17, 16, 20, 1),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_all(&shapes[i], i % 2 == 1);
}
END_TEST

START_TEST(pads_of_all_sides)
{
    uint64_t state = 3;
    for (int i = 0; i < 30; i++) {
        gg_conv_shape s = layer(1, 2, 3 + i % 5, 3 + i % 7, 3, 0);
        s.pad_top = (int64_t)(support_random(&state) % 10);
        s.pad_bottom = (int64_t)(support_random(&state) % 10);
        s.pad_left = (int64_t)(support_random(&state) % 10);
        s.pad_right = (int64_t)(support_random(&state) % 10);
        check_all(&s, false);
    }
}
END_TEST

START_TEST(every_instruction_set)
{
    const gg_conv_shape s = layer(2, 19, 11, 13, 21, 1);
    for (int isa = 0; isa < ISA_COUNT; isa++)
        if (use_isa(isa))
            check_all(&s, false);
    use_isa((int)gg_policy_isa());
}
END_TEST

/* ---- layers that take the deep order, several blocks of it ---- */

/* One pass on its way and what came out of it: y behind preactivations, dx, or dw. */
typedef struct results {
    float *value;
    int64_t floats;
} results;

typedef struct arrays {
    gg_conv_shape s;
    int64_t x_floats, y_floats, w_floats;
    float *x, *w, *dy, *bias;
} arrays;

static arrays arrays_of(const gg_conv_shape *s)
{
    arrays a = {.s = *s};
    int64_t height, width;
    ck_assert_int_eq(gg_conv_output(&height, &width, s), GG_OK);
    a.x_floats = s->batch * s->channels * s->height * s->width;
    a.y_floats = s->batch * s->filters * height * width;
    a.w_floats = s->filters * s->channels * 9;
    a.x = support_uniform(a.x_floats, -1.0, 1.0, 1);
    a.w = support_uniform(a.w_floats, -1.0, 1.0, 2);
    a.dy = support_uniform(a.y_floats, -1.0, 1.0, 3);
    a.bias = support_uniform(s->filters, -1.0, 1.0, 4);
    return a;
}

static results run(const arrays *a, gg_conv_pass pass, gg_conv_algorithm algorithm)
{
    gg_conv_options o = {.algorithm = algorithm, .activation = GG_RELU};
    int64_t floats;
    ck_assert_int_eq(gg_conv_workspace(&floats, pass, &a->s, &o), GG_OK);
    float *work = support_floats(floats);
    if (pass == GG_CONV_FORWARD) {
        const results r = {support_floats(2 * a->y_floats), 2 * a->y_floats};
        o.preactivation = r.value;
        ck_assert_int_eq(gg_conv_forward(r.value + a->y_floats, a->x, a->w, a->bias, &a->s, &o, work, floats), GG_OK);
        return r;
    }
    if (pass == GG_CONV_BACKWARD_DATA) {
        const results r = {support_floats(a->x_floats), a->x_floats};
        ck_assert_int_eq(gg_conv_backward_data(r.value, a->dy, a->w, &a->s, &o, work, floats), GG_OK);
        return r;
    }
    const results r = {support_floats(a->w_floats), a->w_floats};
    ck_assert_int_eq(gg_conv_backward_weights(r.value, NULL, a->dy, a->x, &a->s, &o, work, floats), GG_OK);
    return r;
}

static double difference(const results *actual, const results *expected)
{
    double error = 0.0, largest = 0.0;
    for (int64_t i = 0; i < expected->floats; i++) {
        const double e = fabs((double)actual->value[i] - (double)expected->value[i]);
        error = e <= error ? error : e; /* NaN too */
        largest = fmax(largest, fabs((double)expected->value[i]));
    }
    return error / largest;
}

static const gg_conv_shape deep_layers[] = {
    {.batch = 6,
     .channels = 300,
     .height = 30,
     .width = 27,
     .filters = 230,
     .pad_top = 1,
     .pad_left = 1,
     .kernel_height = 3,
     .kernel_width = 3},
    {.batch = 3,
     .channels = 520,
     .height = 7,
     .width = 7,
     .filters = 513,
     .pad_top = 1,
     .pad_bottom = 1,
     .pad_left = 1,
     .pad_right = 1,
     .kernel_height = 3,
     .kernel_width = 3},
    {.batch = 1, .channels = 2100, .height = 9, .width = 9, .filters = 33, .kernel_height = 3, .kernel_width = 3},
};
enum { DEEP_LAYERS = sizeof deep_layers / sizeof *deep_layers };

static void check_against_columns(const gg_conv_shape *s, gg_conv_algorithm algorithm)
{
    const arrays a = arrays_of(s);
    for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++) {
        const results expected = run(&a, pass, GG_CONV_IM2COL);
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            const results actual = run(&a, pass, algorithm);
            const double error = difference(&actual, &expected);
            if (!(error <= bound))
                ck_abort_msg("pass %d by %s with %d threads, %s: error %.3g", (int)pass,
                             gg_conv_algorithm_name(algorithm), threads, conv_case_name(s), error);
        }
    }
    support_release();
}

START_TEST(deep_layers_equal_columns)
{
    for (int i = 0; i < DEEP_LAYERS; i++)
        for (int j = 0; j < METHODS; j++) {
            const gg_conv_shape s = in_steps_of(deep_layers[i], &methods[j]);
            check_against_columns(&s, methods[j].algorithm);
        }
}
END_TEST

START_TEST(same_bits_again)
{
    const gg_conv_shape shapes[] = {layer(3, 40, 20, 21, 70, 1), deep_layers[1]};
    for (int i = 0; i < 2; i++)
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            for (int j = 0; j < METHODS; j++) {
                const gg_conv_shape s = in_steps_of(shapes[i], &methods[j]);
                const arrays a = arrays_of(&s);
                for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++) {
                    const results first = run(&a, pass, methods[j].algorithm);
                    const results second = run(&a, pass, methods[j].algorithm);
                    ck_assert_mem_eq(first.value, second.value, (size_t)first.floats * sizeof *first.value);
                }
                support_release();
            }
        }
}
END_TEST

START_TEST(workspace_never_falls_when_the_batch_grows)
{
    const gg_conv_shape shapes[] = {layer(1, 64, 56, 56, 64, 1), layer(1, 256, 14, 14, 256, 1),
                                    layer(1, 512, 7, 7, 512, 1), layer(1, 3, 224, 224, 64, 1),
                                    layer(1, 33, 9, 5, 17, 2),   layer(1, 130, 14, 14, 130, 1)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int threads = 1; threads <= 8; threads++)
            for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++)
                for (int j = 0; j < METHODS; j++) {
                    ck_assert_int_eq(gg_set_threads(threads), GG_OK);
                    gg_conv_shape s = in_steps_of(shapes[i], &methods[j]);
                    const gg_conv_options o = {.algorithm = methods[j].algorithm};
                    int64_t before = 0, now;
                    for (s.batch = 1; s.batch <= 100; s.batch++, before = now) {
                        ck_assert_int_eq(gg_conv_workspace(&now, pass, &s, &o), GG_OK);
                        ck_assert_int_ge(now, before);
                    }
                }
}
END_TEST

START_TEST(only_kernels_of_three_by_three_in_steps_of_their_own)
{
    for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++)
        for (int i = 0; i < METHODS; i++) {
            const gg_conv_algorithm f = methods[i].algorithm;
            const gg_conv_shape good = in_steps_of(layer(1, 4, 9, 9, 4, 1), &methods[i]);
            gg_conv_shape wide = good, stepping = good, spread = good, grouped = good;
            wide.kernel_width = 5;
            stepping.stride_y = 3 - good.stride_y;
            spread.dilation_x = 2;
            grouped.groups = 2;
            ck_assert(gg_conv_can(f, pass, &good));
            ck_assert(!gg_conv_can(f, pass, &wide));
            ck_assert(!gg_conv_can(f, pass, &stepping));
            ck_assert(!gg_conv_can(f, pass, &spread));
            ck_assert(!gg_conv_can(f, pass, &grouped));
        }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, borders_of_tiles_groups_and_panels);
    tcase_add_test(tests, pads_of_all_sides);
    tcase_add_test(tests, every_instruction_set);
    tcase_add_test(tests, deep_layers_equal_columns);
    tcase_add_test(tests, same_bits_again);
    tcase_add_test(tests, workspace_never_falls_when_the_batch_grows);
    tcase_add_test(tests, only_kernels_of_three_by_three_in_steps_of_their_own);
}
