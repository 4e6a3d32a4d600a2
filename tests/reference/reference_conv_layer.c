/* reference_conv_layer.c - the convolution layers for reference_layers.h, on the loops of reference_conv.c. */
#include <math.h>
#include <stdlib.h>

#include "reference_conv.h"
#include "reference_layers.h"

static bool transposed(const reference_pass *p)
{
    return p->conv_transposed;
}

/* ---- sizes ---- */

static int64_t input_size(const gg_conv_shape *s)
{
    return s->batch * s->channels * s->height * s->width;
}

static int64_t output_size(const gg_conv_shape *s)
{
    int64_t height = 0, width = 0;
    gg_conv_output(&height, &width, s);
    return s->batch * s->filters * height * width;
}

static int64_t weight_size(const gg_conv_shape *s)
{
    return s->filters * (s->channels / (s->groups > 0 ? s->groups : 1)) * s->kernel_height * s->kernel_width;
}

static int64_t x_size(const reference_pass *p)
{
    return transposed(p) ? output_size(&p->conv) : input_size(&p->conv);
}

static int64_t y_size(const reference_pass *p)
{
    return transposed(p) ? input_size(&p->conv) : output_size(&p->conv);
}

static int64_t y_channels(const reference_pass *p)
{
    return transposed(p) ? p->conv.channels : p->conv.filters;
}

/* The channel of element i of y. */
static int64_t channel_of(const reference_pass *p, int64_t i)
{
    const int64_t plane = y_size(p) / (p->conv.batch * y_channels(p));
    return i / plane % y_channels(p);
}

/* ---- the linear map ---- */

static void linear(double *z, const reference_pass *p, const double *x, const double *w, const double *b)
{
    if (!transposed(p)) {
        reference_conv_forward(z, x, w, b, &p->conv);
        return;
    }
    reference_conv_backward(z, NULL, NULL, x, NULL, w, &p->conv, false, false);
    for (int64_t i = 0; b != NULL && i < y_size(p); i++)
        z[i] += b[channel_of(p, i)];
}

static void linear_backward(const reference_pass *p, const double *dz, const double *x, const double *w)
{
    if (!transposed(p)) {
        reference_conv_backward(p->dx[0], p->dw, p->db, dz, x, w, &p->conv, false, false);
        return;
    }
    reference_conv_forward(p->dx[0], dz, w, NULL, &p->conv);
    reference_conv_backward(NULL, p->dw, NULL, x, dz, w, &p->conv, false, false);
    for (int64_t c = 0; p->db != NULL && c < p->conv.channels; c++)
        p->db[c] = 0.0;
    for (int64_t i = 0; p->db != NULL && i < y_size(p); i++)
        p->db[channel_of(p, i)] += dz[i];
}

/* ---- the layer; backward leaves dZ in y ---- */

static void conv_forward(const reference_pass *p)
{
    linear(p->y, p, p->x[0], p->w, p->b);
    for (int64_t i = 0; i < y_size(p); i++)
        p->y[i] = reference_activate(p, p->y[i]);
}

static void conv_backward(const reference_pass *p)
{
    linear(p->y, p, p->x[0], p->w, p->b);
    for (int64_t i = 0; i < y_size(p); i++)
        p->y[i] = p->dy[i] * reference_slope_at(p, p->y[i]);
    linear_backward(p, p->y, p->x[0], p->w);
}

double reference_conv_smallest_sum(const reference_pass *p)
{
    double smallest = INFINITY;
    linear(p->y, p, p->x[0], p->w, p->b);
    for (int64_t i = 0; i < y_size(p); i++)
        smallest = fmin(smallest, fabs(p->y[i]));
    return smallest;
}

/* ---- magnitudes ---- */

/* |x|, |w|, |b| and the sums of the terms' absolute values. */
typedef struct absolutes {
    double *x, *w, *b, *sums;
} absolutes;

static double *absolute(const double *x, int64_t n)
{
    double *copy = malloc((size_t)(n > 0 ? n : 1) * sizeof *copy);
    if (copy == NULL)
        abort();
    for (int64_t i = 0; i < n; i++)
        copy[i] = x != NULL ? fabs(x[i]) : 0.0;
    return copy;
}

static absolutes absolutes_of(const reference_pass *p)
{
    const absolutes a = {absolute(p->x[0], x_size(p)), absolute(p->w, weight_size(&p->conv)),
                         absolute(p->b, y_channels(p)), absolute(NULL, y_size(p))};
    linear(a.sums, p, a.x, a.w, a.b);
    return a;
}

static void release(const absolutes *a)
{
    free(a->x);
    free(a->w);
    free(a->b);
    free(a->sums);
}

static void conv_forward_magnitude(const reference_pass *p)
{
    const absolutes a = absolutes_of(p);
    linear(p->y, p, p->x[0], p->w, p->b);
    for (int64_t i = 0; i < y_size(p); i++)
        p->y[i] = reference_y_magnitude(p, p->y[i], a.sums[i]);
    release(&a);
}

static void conv_backward_magnitude(const reference_pass *p)
{
    const absolutes a = absolutes_of(p);
    linear(p->y, p, p->x[0], p->w, p->b);
    for (int64_t i = 0; i < y_size(p); i++)
        p->y[i] = reference_dz_magnitude(p, p->dy[i], p->y[i], a.sums[i]);
    linear_backward(p, p->y, a.x, a.w);
    release(&a);
}

const reference_layer reference_conv_layer = {"conv", conv_forward, conv_backward, conv_forward_magnitude,
                                              conv_backward_magnitude};
