/* reference_conv.c - every output pixel, every tap; see gemmgrad/conv.h for the formula. */
#include "reference_conv.h"

#include <stddef.h>

static int64_t or_one(int64_t n)
{
    return n == 0 ? 1 : n;
}

static int64_t outputs(int64_t length, int64_t pad, int64_t kernel, int64_t stride, int64_t dilation)
{
    return (length + pad - or_one(dilation) * (kernel - 1) - 1) / or_one(stride) + 1;
}

/* One product of the sum: which elements of Y, X and W it joins. */
typedef struct place {
    int64_t y, x, w;
} place;

typedef void visit(void *context, place at);

/* Every (output, tap) of every image whose tap falls into the image. */
static void over_taps(const gg_conv_shape *s, visit *f, void *context)
{
    const int64_t out_height =
        outputs(s->height, s->pad_top + s->pad_bottom, s->kernel_height, s->stride_y, s->dilation_y);
    const int64_t out_width =
        outputs(s->width, s->pad_left + s->pad_right, s->kernel_width, s->stride_x, s->dilation_x);
    const int64_t channels = s->channels / or_one(s->groups), filters = s->filters / or_one(s->groups);
    for (int64_t n = 0; n < s->batch; n++)
        for (int64_t o = 0; o < s->filters; o++)
            for (int64_t i = 0; i < out_height; i++)
                for (int64_t j = 0; j < out_width; j++)
                    for (int64_t c = 0; c < channels; c++)
                        for (int64_t p = 0; p < s->kernel_height; p++)
                            for (int64_t q = 0; q < s->kernel_width; q++) {
                                const int64_t y = i * or_one(s->stride_y) - s->pad_top + p * or_one(s->dilation_y);
                                const int64_t x = j * or_one(s->stride_x) - s->pad_left + q * or_one(s->dilation_x);
                                if (y < 0 || y >= s->height || x < 0 || x >= s->width)
                                    continue;
                                const int64_t channel = o / filters * channels + c;
                                f(context, (place){((n * s->filters + o) * out_height + i) * out_width + j,
                                                   ((n * s->channels + channel) * s->height + y) * s->width + x,
                                                   ((o * channels + c) * s->kernel_height + p) * s->kernel_width + q});
                            }
}

static int64_t pixels(const gg_conv_shape *s)
{
    return outputs(s->height, s->pad_top + s->pad_bottom, s->kernel_height, s->stride_y, s->dilation_y)
           * outputs(s->width, s->pad_left + s->pad_right, s->kernel_width, s->stride_x, s->dilation_x);
}

typedef struct arrays {
    double *y, *dx, *dw;
    const double *x, *w, *dy;
} arrays;

static void add_forward(void *context, place at)
{
    const arrays *a = context;
    a->y[at.y] += a->x[at.x] * a->w[at.w];
}

static void add_backward(void *context, place at)
{
    const arrays *a = context;
    if (a->dx != NULL)
        a->dx[at.x] += a->dy[at.y] * a->w[at.w];
    if (a->dw != NULL)
        a->dw[at.w] += a->dy[at.y] * a->x[at.x];
}

static void clear(double *x, int64_t n)
{
    for (int64_t i = 0; x != NULL && i < n; i++)
        x[i] = 0.0;
}

void reference_conv_forward(double *y, const double *x, const double *w, const double *bias, const gg_conv_shape *s)
{
    const int64_t plane = pixels(s);
    for (int64_t i = 0; i < s->batch * s->filters * plane; i++)
        y[i] = bias != NULL ? bias[i / plane % s->filters] : 0.0;
    over_taps(s, add_forward, &(arrays){.y = y, .x = x, .w = w});
}

void reference_conv_backward(double *dx, double *dw, double *db, const double *dy, const double *x, const double *w,
                             const gg_conv_shape *s, bool accumulate_dx, bool accumulate_dw)
{
    const int64_t plane = pixels(s);
    if (!accumulate_dx)
        clear(dx, s->batch * s->channels * s->height * s->width);
    if (!accumulate_dw) {
        clear(dw, s->filters * (s->channels / or_one(s->groups)) * s->kernel_height * s->kernel_width);
        clear(db, s->filters);
    }
    for (int64_t i = 0; db != NULL && i < s->batch * s->filters * plane; i++)
        db[i / plane % s->filters] += dy[i];
    over_taps(s, add_backward, &(arrays){.dx = dx, .dw = dw, .dy = dy, .x = x, .w = w});
}

typedef struct columns {
    double *col;
    const double *x;
    int64_t pixels;
} columns;

static void put_column(void *context, place at)
{
    const columns *c = context;
    c->col[at.w * c->pixels + at.y] = c->x[at.x];
}

void reference_im2col(double *col, const double *x, const gg_conv_shape *s)
{
    gg_conv_shape one = *s;
    one.batch = one.filters = one.groups = 1;
    const int64_t plane = pixels(s);
    clear(col, s->channels * s->kernel_height * s->kernel_width * plane);
    over_taps(&one, put_column, &(columns){col, x, plane});
}
