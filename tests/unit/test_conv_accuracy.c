/* test_conv_accuracy.c - the largest error of minimal filtering, as a share of the largest result.
 *
 * Its sums add and cancel terms that the convolution itself does not have, so its error is not bounded by the terms of
 * each result but by the size of all: error <= bound * largest |result|. Random data of several kinds, and data that
 * resonate with the points of evaluation; few and many channels; all passes. docs/accuracy.md has the figures, which
 * GEMMGRAD_SHOW_ACCURACY=1 prints. */
#include <gemmgrad/conv.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gemmgrad/backend.h>

#include "conv_method.h"
#include "reference_conv.h"
#include "support.h"

/* What the default accuracy promises (conv.h). */
static const double bound = 1e-5;

/* Element i, at `row` and `column` of plane `plane`. */
typedef double generator(uint64_t *state, int64_t plane, int64_t row, int64_t column);

static double uniform(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    (void)plane, (void)row, (void)column;
    return (double)(support_random(state) >> 11) * 0x1p-52 - 1.0;
}

static double positive(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    return 0.5 + 0.5 * uniform(state, plane, row, column);
}

static double normal(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    double sum = 0.0; /* of 12 uniform numbers, of variance 1 / 3 each */
    for (int i = 0; i < 12; i++)
        sum += uniform(state, plane, row, column);
    return 0.5 * sum;
}

static double checkerboard(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    (void)state, (void)plane;
    return (row + column) % 2 == 0 ? 1.0 : -1.0;
}

/* What is left of it in steps of two is a checkerboard again. */
static double coarse_checkerboard(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    return checkerboard(state, plane, row / 2, column / 2);
}

static double noisy_checkerboard(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    return checkerboard(state, plane, row, column) + 0.01 * uniform(state, plane, row, column);
}

static double constant(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    (void)state, (void)plane, (void)row, (void)column;
    return 1.0 / 3.0;
}

static double stripes(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    (void)state, (void)plane, (void)row;
    return column % 2 == 0 ? 1.0 / 3.0 : -1.0 / 3.0;
}

static double alternating_planes(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    return (plane % 2 == 0 ? 1.0 : -1.0) * positive(state, plane, row, column);
}

static double outlier(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    const double x = uniform(state, plane, row, column);
    return plane == 1 && row == 2 && column == 1 ? 1e4 : x;
}

static double steep(uint64_t *state, int64_t plane, int64_t row, int64_t column)
{
    return uniform(state, plane, row, column) * exp2((double)(support_random(state) % 16) - 8.0);
}

/* Inputs (images and gradients) and filters of a case. */
static const struct data {
    const char *name;
    generator *x, *w;
} data[] = {
    {"uniform", uniform, uniform},
    {"normal", normal, normal},
    {"positive", positive, positive},
    {"positive, filters of both signs", positive, uniform},
    {"constant", constant, uniform},
    {"checkerboard", checkerboard, uniform},
    {"coarse checkerboard", coarse_checkerboard, uniform},
    {"checkerboard twice", noisy_checkerboard, checkerboard},
    {"stripes", stripes, uniform},
    {"alternating planes", alternating_planes, uniform},
    {"outlier", outlier, uniform},
    {"outlier in the filters", uniform, outlier},
    {"steep", steep, steep},
};
enum { DATA = sizeof data / sizeof *data };

/* Many channels, many filters, many pixels. */
static const gg_conv_shape shapes[] = {
    {.batch = 1, .channels = 512, .height = 13, .width = 12, .filters = 16},
    {.batch = 1, .channels = 16, .height = 12, .width = 13, .filters = 512},
    {.batch = 4, .channels = 9, .height = 41, .width = 38, .filters = 20},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* With a step, an element stands for the pixel of the image that the first tap of its middle row sees: images and
 * gradients then resonate together, and their outliers meet. */
static float *draw(generator *f, int64_t planes, int64_t height, int64_t width, int64_t step, uint64_t seed)
{
    float *x = support_floats(planes * height * width);
    uint64_t state = seed;
    for (int64_t i = 0; i < planes; i++)
        for (int64_t j = 0; j < height; j++)
            for (int64_t k = 0; k < width; k++)
                x[(i * height + j) * width + k] = (float)f(&state, i, step * j, step * k - (step - 1));
    return x;
}

static double error_of(const float *actual, const double *expected, int64_t n)
{
    double error = 0.0, largest = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double e = fabs((double)actual[i] - expected[i]);
        error = e <= error ? error : e; /* NaN too */
        largest = fmax(largest, fabs(expected[i]));
    }
    return error / largest;
}

typedef struct instance {
    gg_conv_shape s;
    int64_t x_floats, y_floats, w_floats;
    float *x, *w, *dy;
    double *y, *dx, *dw;
} instance;

static instance instance_of(const gg_conv_shape *shape, const struct data *d, int64_t stride)
{
    instance c = {.s = *shape};
    gg_conv_shape *s = &c.s;
    s->kernel_height = s->kernel_width = 3;
    s->pad_top = s->pad_bottom = s->pad_left = s->pad_right = 1;
    s->stride_y = s->stride_x = stride;
    int64_t height, width;
    ck_assert_int_eq(gg_conv_output(&height, &width, s), GG_OK);
    c.x_floats = s->batch * s->channels * s->height * s->width;
    c.y_floats = s->batch * s->filters * height * width;
    c.w_floats = s->filters * s->channels * 9;
    c.x = draw(d->x, s->batch * s->channels, s->height, s->width, 1, 1);
    c.dy = draw(d->x, s->batch * s->filters, height, width, stride, 2);
    c.w = draw(d->w, s->filters * s->channels, 3, 3, 1, 3);
    double *x = support_widen(c.x, c.x_floats), *dy = support_widen(c.dy, c.y_floats);
    double *w = support_widen(c.w, c.w_floats);
    c.y = support_doubles(c.y_floats);
    c.dx = support_doubles(c.x_floats);
    c.dw = support_doubles(c.w_floats);
    reference_conv_forward(c.y, x, w, NULL, s);
    reference_conv_backward(c.dx, c.dw, NULL, dy, x, w, s, false, false);
    return c;
}

static double error_by(const instance *c, gg_conv_pass pass, gg_conv_algorithm algorithm)
{
    const gg_conv_options o = {.algorithm = algorithm};
    int64_t floats;
    ck_assert_int_eq(gg_conv_workspace(&floats, pass, &c->s, &o), GG_OK);
    float *work = support_floats(floats);
    if (pass == GG_CONV_FORWARD) {
        float *y = support_floats(c->y_floats);
        ck_assert_int_eq(gg_conv_forward(y, c->x, c->w, NULL, &c->s, &o, work, floats), GG_OK);
        return error_of(y, c->y, c->y_floats);
    }
    if (pass == GG_CONV_BACKWARD_DATA) {
        float *dx = support_floats(c->x_floats);
        ck_assert_int_eq(gg_conv_backward_data(dx, c->dy, c->w, &c->s, &o, work, floats), GG_OK);
        return error_of(dx, c->dx, c->x_floats);
    }
    float *dw = support_floats(c->w_floats);
    ck_assert_int_eq(gg_conv_backward_weights(dw, NULL, c->dy, c->x, &c->s, &o, work, floats), GG_OK);
    return error_of(dw, c->dw, c->w_floats);
}

/* Winograd's are held to what is promised. Sums of products in whatever order a BLAS likes: a rounding for each term.
 */
static double bound_of(const instance *c, gg_conv_algorithm algorithm)
{
    const double terms =
        fmax((double)(c->s.batch * c->s.height * c->s.width), 9.0 * fmax((double)c->s.channels, (double)c->s.filters));
    return algorithm == GG_CONV_IM2COL ? terms * (double)FLT_EPSILON : bound;
}

static void measure(double worst[GG_CONV_PASS_COUNT], const struct data *d, gg_conv_algorithm algorithm,
                    const instance *c)
{
    const gg_conv_geometry g = {.channels = c->s.channels, .filters = c->s.filters};
    for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++) {
        if (!gg_conv_keeps_accuracy(algorithm, &g, pass))
            continue; /* never chosen here */
        const double error = error_by(c, pass, algorithm);
        if (!(error <= bound_of(c, algorithm)))
            ck_abort_msg("pass %d of %s by %s, %lld channels to %lld: error %.3g of the largest", (int)pass, d->name,
                         gg_conv_algorithm_name(algorithm), (long long)c->s.channels, (long long)c->s.filters, error);
        worst[pass] = fmax(worst[pass], error);
    }
}

/* In the steps of `stride`, by columns and by those of minimal filtering that take them. */
static void check(int64_t stride, int count, const gg_conv_algorithm *algorithms)
{
    const bool show = getenv("GEMMGRAD_SHOW_ACCURACY") != NULL;
    for (int i = 0; i < DATA; i++) {
        double worst[3][GG_CONV_PASS_COUNT] = {{0.0}};
        for (int j = 0; j < SHAPES; j++) {
            const instance c = instance_of(&shapes[j], &data[i], stride);
            for (int k = 0; k < count; k++)
                measure(worst[k], &data[i], algorithms[k], &c);
            support_release();
        }
        for (int k = 0; show && k < count; k++)
            fprintf(stderr, "%-32s %d %-12s %8.2g %8.2g %8.2g\n", data[i].name, (int)stride,
                    gg_conv_algorithm_name(algorithms[k]), worst[k][0], worst[k][1], worst[k][2]);
    }
}

START_TEST(errors_stay_below_a_hundred_thousandth_of_the_largest)
{
    check(1, 3, (const gg_conv_algorithm[]){GG_CONV_IM2COL, GG_CONV_WINOGRAD_2, GG_CONV_WINOGRAD_4});
}
END_TEST

START_TEST(and_so_they_do_in_steps_of_two)
{
    check(2, 2, (const gg_conv_algorithm[]){GG_CONV_IM2COL, GG_CONV_WINOGRAD_STRIDED});
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, errors_stay_below_a_hundred_thousandth_of_the_largest);
    tcase_add_test(tests, and_so_they_do_in_steps_of_two);
}
