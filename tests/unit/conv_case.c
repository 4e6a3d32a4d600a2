/* conv_case.c - a convolution by the library and by plain loops. */
#include "conv_case.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#define SUPPORT_NO_MAIN
#include "conv_method.h"
#include "reference_conv.h"
#include "support.h"

const char *conv_case_name(const gg_conv_shape *s)
{
    static char name[256];
    snprintf(name, sizeof name,
             "%lldx%lldx%lldx%lld to %lld, kernel %lldx%lld, stride %lld %lld, pads %lld %lld %lld %lld, dilation %lld "
             "%lld, groups %lld",
             (long long)s->batch, (long long)s->channels, (long long)s->height, (long long)s->width,
             (long long)s->filters, (long long)s->kernel_height, (long long)s->kernel_width, (long long)s->stride_y,
             (long long)s->stride_x, (long long)s->pad_top, (long long)s->pad_bottom, (long long)s->pad_left,
             (long long)s->pad_right, (long long)s->dilation_y, (long long)s->dilation_x, (long long)s->groups);
    return name;
}

static double *magnitudes(const float *x, int64_t n)
{
    double *result = support_doubles(n);
    for (int64_t i = 0; i < n; i++)
        result[i] = fabs((double)x[i]);
    return result;
}

static double largest(const double *x, int64_t n)
{
    double result = 0.0;
    for (int64_t i = 0; i < n; i++)
        result = fmax(result, fabs(x[i]));
    return result;
}

static void expect(conv_case *c, bool accumulate)
{
    const gg_conv_shape *s = &c->s;
    double *x = support_widen(c->x, c->x_floats), *w = support_widen(c->w, c->w_floats);
    double *dy = support_widen(c->dy, c->y_floats), *bias = support_widen(c->bias, s->filters);
    c->y = support_doubles(c->y_floats);
    reference_conv_forward(c->y, x, w, bias, s);
    c->dx = support_widen(c->dx_before, c->x_floats);
    c->dw = support_widen(c->dw_before, c->w_floats);
    c->db = support_widen(c->db_before, s->filters);
    reference_conv_backward(c->dx, c->dw, c->db, dy, x, w, s, accumulate, accumulate);
}

static void expect_sizes(conv_case *c, bool accumulate)
{
    const gg_conv_shape *s = &c->s;
    double *x = magnitudes(c->x, c->x_floats), *w = magnitudes(c->w, c->w_floats);
    double *dy = magnitudes(c->dy, c->y_floats), *bias = magnitudes(c->bias, s->filters);
    c->y_size = support_doubles(c->y_floats);
    reference_conv_forward(c->y_size, x, w, bias, s);
    c->dx_size = magnitudes(c->dx_before, c->x_floats);
    c->dw_size = magnitudes(c->dw_before, c->w_floats);
    reference_conv_backward(c->dx_size, c->dw_size, NULL, dy, x, w, s, accumulate, accumulate);
}

conv_case conv_case_new(const gg_conv_shape *shape, bool accumulate, uint64_t seed)
{
    conv_case c = {.s = *shape};
    const gg_conv_shape *s = shape;
    int64_t out_height, out_width;
    if (gg_conv_output(&out_height, &out_width, s) != GG_OK)
        ck_abort_msg("%s: %s", conv_case_name(s), gg_error_message());
    c.x_floats = s->batch * s->channels * s->height * s->width;
    c.y_floats = s->batch * s->filters * out_height * out_width;
    c.w_floats = s->filters * (s->channels / (s->groups > 0 ? s->groups : 1)) * s->kernel_height * s->kernel_width;
    c.x = support_uniform(c.x_floats, -1.0, 1.0, seed);
    c.w = support_uniform(c.w_floats, -1.0, 1.0, seed + 1);
    c.bias = support_uniform(s->filters, -1.0, 1.0, seed + 2);
    c.dy = support_uniform(c.y_floats, -1.0, 1.0, seed + 3);
    c.dx_before = accumulate ? support_uniform(c.x_floats, -1.0, 1.0, seed + 4) : support_floats(c.x_floats);
    c.dw_before = accumulate ? support_uniform(c.w_floats, -1.0, 1.0, seed + 5) : support_floats(c.w_floats);
    c.db_before = accumulate ? support_uniform(s->filters, -1.0, 1.0, seed + 6) : support_floats(s->filters);
    expect(&c, accumulate);
    expect_sizes(&c, accumulate);
    c.y_largest = largest(c.y, c.y_floats);
    c.dx_largest = largest(c.dx, c.x_floats);
    c.dw_largest = largest(c.dw, c.w_floats);
    return c;
}

typedef struct expected {
    const char *what;
    const double *value, *size;
    double largest;
    int64_t floats;
} expected;

static void compare(const conv_case *c, gg_conv_algorithm taken, const float *actual, const expected *e,
                    double winograd)
{
    if (gg_conv_is_exact(taken)) {
        support_assert_close(actual, e->value, e->size, e->floats, 8.0, "%s by %s, %s", e->what,
                             gg_conv_algorithm_name(taken), conv_case_name(&c->s)); /* 16 roundings */
        return;
    }
    for (int64_t i = 0; i < e->floats; i++)
        if (!(fabs((double)actual[i] - e->value[i]) <= winograd * e->largest))
            ck_abort_msg("%s by %s, %s: [%lld] is %.9g, expected %.9g, error %.2g of the largest", e->what,
                         gg_conv_algorithm_name(taken), conv_case_name(&c->s), (long long)i, (double)actual[i],
                         e->value[i], fabs((double)actual[i] - e->value[i]) / e->largest);
}

static float *workspace_for(int64_t *floats, gg_conv_algorithm *taken, const conv_case *c, gg_conv_pass pass,
                            const gg_conv_options *o)
{
    ck_assert_int_eq(gg_conv_choose(taken, pass, &c->s, o), GG_OK);
    ck_assert_int_eq(gg_conv_workspace(floats, pass, &c->s, o), GG_OK);
    return support_floats(*floats);
}

void conv_case_check(const conv_case *c, gg_conv_algorithm algorithm, double winograd)
{
    const bool accumulate = c->dx_before == NULL || !support_untouched(c->db_before, c->s.filters);
    const gg_conv_options o = {.algorithm = algorithm, .accumulate_dx = accumulate, .accumulate_dw = accumulate};
    gg_conv_algorithm taken;
    int64_t floats;
    if (algorithm == GG_CONV_AUTO || gg_conv_can(algorithm, GG_CONV_FORWARD, &c->s)) {
        float *work = workspace_for(&floats, &taken, c, GG_CONV_FORWARD, &o), *y = support_floats(c->y_floats);
        ck_assert_int_eq(gg_conv_forward(y, c->x, c->w, c->bias, &c->s, &o, work, floats), GG_OK);
        compare(c, taken, y, &(expected){"y", c->y, c->y_size, c->y_largest, c->y_floats}, winograd);
    }
    if (algorithm == GG_CONV_AUTO || gg_conv_can(algorithm, GG_CONV_BACKWARD_DATA, &c->s)) {
        float *work = workspace_for(&floats, &taken, c, GG_CONV_BACKWARD_DATA, &o);
        float *dx = support_copy(c->dx_before, c->x_floats);
        ck_assert_int_eq(gg_conv_backward_data(dx, c->dy, c->w, &c->s, &o, work, floats), GG_OK);
        compare(c, taken, dx, &(expected){"dx", c->dx, c->dx_size, c->dx_largest, c->x_floats}, winograd);
    }
    if (algorithm == GG_CONV_AUTO || gg_conv_can(algorithm, GG_CONV_BACKWARD_WEIGHTS, &c->s)) {
        float *work = workspace_for(&floats, &taken, c, GG_CONV_BACKWARD_WEIGHTS, &o);
        float *dw = support_copy(c->dw_before, c->w_floats), *db = support_copy(c->db_before, c->s.filters);
        ck_assert_int_eq(gg_conv_backward_weights(dw, db, c->dy, c->x, &c->s, &o, work, floats), GG_OK);
        compare(c, taken, dw, &(expected){"dw", c->dw, c->dw_size, c->dw_largest, c->w_floats}, winograd);
        for (int64_t i = 0; i < c->s.filters; i++)
            ck_assert_double_eq_tol((double)db[i], c->db[i], 1e-5 * (1.0 + fabs(c->db[i])));
    }
}
