/* bench_check_conv.c - single elements of y, dx and dw by their definition. */
#include "bench_check_conv.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "bench_check.h"
#include "bench_random.h"

/* Elements of a result that are looked at. */
enum { PLACES = 300 };

static const double BOUND = 16.0, WINOGRAD_BOUND = 1e-5;

/* A sum, and that of its terms by magnitude. */
typedef struct sum {
    double value, magnitude;
} sum;

static void add(sum *s, float a, float b)
{
    const double term = (double)a * (double)b;
    s->value += term;
    s->magnitude += fabs(term);
}

typedef struct convolution {
    const bench_work *work;
    gg_conv_shape s;
    int64_t out_height, out_width, group_channels, group_filters;
} convolution;

/* x of a channel at a pixel, 0 outside. */
static float pixel(const convolution *c, int64_t n, int64_t channel, int64_t i, int64_t j)
{
    if (i < 0 || i >= c->s.height || j < 0 || j >= c->s.width)
        return 0.0f;
    return c->work->x[((n * c->s.channels + channel) * c->s.height + i) * c->s.width + j];
}

static int64_t weight_at(const convolution *c, int64_t filter, int64_t channel, int64_t p, int64_t q)
{
    return ((filter * c->group_channels + channel) * c->s.kernel_height + p) * c->s.kernel_width + q;
}

static int64_t result_at(const convolution *c, int64_t n, int64_t filter, int64_t i, int64_t j)
{
    return ((n * c->s.filters + filter) * c->out_height + i) * c->out_width + j;
}

static sum y_element(const convolution *c, int64_t place)
{
    const gg_conv_shape *s = &c->s;
    const int64_t j = place % c->out_width, i = place / c->out_width % c->out_height;
    const int64_t filter = place / (c->out_width * c->out_height) % s->filters;
    const int64_t n = place / (c->out_width * c->out_height * s->filters);
    const int64_t first = filter / c->group_filters * c->group_channels;
    sum result = {0.0, 0.0};
    add(&result, c->work->bias[filter], 1.0f);
    for (int64_t channel = 0; channel < c->group_channels; channel++)
        for (int64_t p = 0; p < s->kernel_height; p++)
            for (int64_t q = 0; q < s->kernel_width; q++)
                add(&result, c->work->w[weight_at(c, filter, channel, p, q)],
                    pixel(c, n, first + channel, i * s->stride_y - s->pad_top + p, j * s->stride_x - s->pad_left + q));
    return result;
}

/* Every y that sees the pixel through some tap. */
static sum dx_element(const convolution *c, int64_t place)
{
    const gg_conv_shape *s = &c->s;
    const int64_t column = place % s->width, row = place / s->width % s->height;
    const int64_t channel = place / (s->width * s->height) % s->channels;
    const int64_t n = place / (s->width * s->height * s->channels);
    const int64_t group = channel / c->group_channels, own = channel % c->group_channels;
    sum result = {0.0, 0.0};
    for (int64_t p = 0; p < s->kernel_height; p++)
        for (int64_t q = 0; q < s->kernel_width; q++) {
            const int64_t down = row + s->pad_top - p, right = column + s->pad_left - q;
            const int64_t i = down / s->stride_y, j = right / s->stride_x;
            if (down < 0 || right < 0 || down % s->stride_y != 0 || right % s->stride_x != 0 || i >= c->out_height
                || j >= c->out_width)
                continue;
            for (int64_t filter = group * c->group_filters; filter < (group + 1) * c->group_filters; filter++)
                add(&result, c->work->w[weight_at(c, filter, own, p, q)], c->work->dy[result_at(c, n, filter, i, j)]);
        }
    return result;
}

static sum dw_element(const convolution *c, int64_t place)
{
    const gg_conv_shape *s = &c->s;
    const int64_t q = place % s->kernel_width, p = place / s->kernel_width % s->kernel_height;
    const int64_t taps = s->kernel_width * s->kernel_height, own = place / taps % c->group_channels;
    const int64_t filter = place / (taps * c->group_channels);
    const int64_t channel = filter / c->group_filters * c->group_channels + own;
    sum result = {0.0, 0.0};
    for (int64_t n = 0; n < s->batch; n++)
        for (int64_t i = 0; i < c->out_height; i++)
            for (int64_t j = 0; j < c->out_width; j++)
                add(&result, c->work->dy[result_at(c, n, filter, i, j)],
                    pixel(c, n, channel, i * s->stride_y - s->pad_top + p, j * s->stride_x - s->pad_left + q));
    return result;
}

static sum db_element(const convolution *c, int64_t filter)
{
    sum result = {0.0, 0.0};
    for (int64_t n = 0; n < c->s.batch; n++)
        for (int64_t i = 0; i < c->out_height * c->out_width; i++)
            add(&result, c->work->dy[result_at(c, n, filter, 0, 0) + i], 1.0f);
    return result;
}

/* ---- a result ---- */

typedef struct checked {
    const char *name;
    float *found; /* NULL: not a result of this case */
    int64_t floats;
    sum (*element)(const convolution *c, int64_t place);
    gg_conv_pass pass;
} checked;

static bool by_winograd(const convolution *c, const checked *r, int variant)
{
    const gg_conv_options o = {.algorithm = (gg_conv_algorithm)variant};
    gg_conv_algorithm taken = GG_CONV_AUTO;
    (void)gg_conv_choose(&taken, r->pass, &c->s, &o);
    return taken == GG_CONV_WINOGRAD_2 || taken == GG_CONV_WINOGRAD_4 || taken == GG_CONV_WINOGRAD_STRIDED;
}

static gg_status check_result(const convolution *c, const checked *r, int variant)
{
    int64_t places[PLACES];
    sum expected[PLACES];
    double largest = 0.0;
    bench_random random = {.state = 1};
    bool finite = false;
    gg_status status = gg_all_finite(&finite, r->found, r->floats);
    if (status == GG_OK && !finite)
        status = gg_fail(GG_ERR_NUMERIC, "%s is not written everywhere", r->name);
    for (int i = 0; i < PLACES && status == GG_OK; i++) {
        places[i] = i == 0 ? 0 : i == 1 ? r->floats - 1 : (int64_t)(bench_random_next(&random) % (uint64_t)r->floats);
        expected[i] = r->element(c, places[i]);
        largest = fmax(largest, fabs(expected[i].value));
    }
    const bool winograd = r->element != db_element && by_winograd(c, r, variant);
    const double bound = winograd ? WINOGRAD_BOUND / (double)FLT_EPSILON : BOUND;
    for (int i = 0; i < PLACES && status == GG_OK; i++)
        status = bench_check_array(r->name, places[i], r->found + places[i], &expected[i].value,
                                   winograd ? &largest : &expected[i].magnitude, 1, bound);
    return status;
}

gg_status bench_check_conv(bench_work *work, int variant)
{
    convolution c = {.work = work, .s = bench_conv_shape(work->line)};
    const gg_conv_shape *s = &c.s;
    gg_status status = gg_conv_output(&c.out_height, &c.out_width, s);
    c.group_channels = s->channels / s->groups;
    c.group_filters = s->filters / s->groups;
    const int64_t x_floats = s->batch * s->channels * s->height * s->width;
    const int64_t y_floats = s->batch * s->filters * c.out_height * c.out_width;
    const int64_t w_floats = s->filters * c.group_channels * s->kernel_height * s->kernel_width;
    const checked results[] = {
        {"y", work->y, y_floats, y_element, GG_CONV_FORWARD},
        {"dx", work->dx, x_floats, dx_element, GG_CONV_BACKWARD_DATA},
        {"dw", work->dw, w_floats, dw_element, GG_CONV_BACKWARD_WEIGHTS},
        {"db", work->db, s->filters, db_element, GG_CONV_BACKWARD_WEIGHTS},
    };
    const int count = (int)(sizeof results / sizeof *results);
    for (int i = 0; i < count; i++)
        if (results[i].found != NULL)
            memset(results[i].found, 0xFF, (size_t)results[i].floats * sizeof(float)); /* NaN everywhere */
    if (status == GG_OK)
        status = work->line->kind->variants[variant].run(work);
    for (int i = 0; i < count && status == GG_OK; i++)
        if (results[i].found != NULL)
            status = check_result(&c, &results[i], variant);
    return status;
}
