/* conv_shifted.c - convolution of stride 1 without columns: one product for each tap, on the image moved by it.
 *
 * In padded planes of row length `pitch` (conv_planes.h) output pixel (i, j) is place i pitch + j, and tap t sees it at
 * a constant distance s(t). So over all places at once, those between the rows of the result being computed for
 * nothing: Y[filters][places] = sum over taps of W_t [filters][channels] . X[channels][places + s(t)] X is read where
 * it lies, 64 places at a time.
 *
 * The gradient of the data is the same with dY for X, W_t^T for W_t, the taps in the opposite order and what the kernel
 * reaches beyond the padding as padding. The gradient of the weights, 128 places at a time, with zeros between the rows
 * of dY: dW_t^T [channels][filters] = sum over places of X[channels][places + s(t)] . dY^T [places][filters]
 *
 * Each thread takes whole images, or, where there are fewer, places (filters of dW). Workspace: W_t of all taps (or
 * dW^T), then for each part planes of one image and group, and a tile of results (or dY^T). */
#include <string.h>

#include "blas.h"
#include "conv_planes.h"
#include "parallel.h"
#include "product.h"

enum { PLACES = GG_PANEL, DEPTH = 128, WEIGHT_PLACES = 128 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The convolution that takes dY to dX. */
static gg_conv_geometry backwards(const gg_conv_geometry *g)
{
    const int64_t reach_y = (g->kernel_height - 1) * g->dilation_y, reach_x = (g->kernel_width - 1) * g->dilation_x;
    gg_conv_geometry b = *g;
    b.channels = g->filters, b.filters = g->channels;
    b.group_channels = g->group_filters, b.group_filters = g->group_channels;
    b.height = g->out_height, b.width = g->out_width, b.plane = g->pixels;
    b.out_height = g->height, b.out_width = g->width, b.pixels = g->plane;
    b.pad_top = reach_y - g->pad_top, b.pad_bottom = reach_y - g->pad_bottom;
    b.pad_left = reach_x - g->pad_left, b.pad_right = reach_x - g->pad_right;
    b.depth = b.group_channels * b.taps;
    return b;
}

static bool fits(const gg_conv_geometry *g, gg_conv_pass pass)
{
    if (g->stride_y != 1 || g->stride_x != 1 || !gg_conv_planes_fit(g))
        return false;
    const gg_conv_geometry b = backwards(g);
    return pass != GG_CONV_BACKWARD_DATA
           || (b.pad_top >= 0 && b.pad_bottom >= 0 && b.pad_left >= 0 && b.pad_right >= 0);
}

/* ---- forward, and backward data as one ---- */

typedef struct layout {
    int64_t weights, planes, tile, part;
    bool shared; /* all parts work on the same image */
} layout;

static layout layout_of(const gg_conv_geometry *g, const gg_conv_planes *p, int threads)
{
    layout l = {.shared = g->batch < threads};
    l.weights = gg_conv_lines(g->filters * g->depth);
    l.planes = gg_conv_lines(g->group_channels * p->channel_floats + GG_PANEL);
    l.tile = gg_conv_lines(g->group_filters * PLACES);
    l.part = l.shared ? l.tile : l.planes + l.tile;
    return l;
}

/* Places of an image: up to the last pixel of the last row. */
static int64_t places(const gg_conv_geometry *g, const gg_conv_planes *p)
{
    return (g->out_height - 1) * p->pitch + g->out_width;
}

typedef struct job {
    const gg_conv_call *call; /* its arrays and options */
    const gg_conv_geometry *g;
    const gg_conv_planes *p;
    const float *x;
    float *y;
    bool forward;
    layout l;
    int64_t image, group;
} job;

static float *weights_of(const job *j, int64_t group)
{
    return j->call->workspace + group * j->g->group_filters * j->g->depth;
}

/* Rows [begin, end) of the W_t of all groups and taps: [group][tap][filters][channels]. */
static void write_weights(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const gg_conv_geometry *g = j->g;
    for (int64_t row = begin; row < end; row++) {
        const int64_t group = row / (g->taps * g->group_filters), o = row % g->group_filters;
        const int64_t tap = row / g->group_filters % g->taps;
        const float *w = j->call->w + group * g->group_filters * g->depth;
        float *target = weights_of(j, group) + (tap * g->group_filters + o) * g->group_channels;
        if (j->forward)
            gg_kernels()->take_every(target, w + o * g->depth + tap, g->group_channels, g->taps);
        else
            gg_kernels()->take_every(target, w + o * g->taps + (g->taps - 1 - tap), g->group_channels,
                                     g->group_filters * g->taps);
    }
}

/* The pixels among places [begin, begin + width) from the tile to their image. */
static void put_rows(const job *j, const float *tile, int64_t begin, int64_t width)
{
    const gg_conv_geometry *g = j->g;
    const int64_t pitch = j->p->pitch;
    for (int64_t row = begin / pitch; row * pitch < begin + width; row++) {
        const int64_t from = row * pitch < begin ? begin - row * pitch : 0;
        const int64_t to = least(g->out_width, begin + width - row * pitch);
        for (int64_t o = 0; o < g->group_filters && from < to; o++) {
            const int64_t filter = j->group * g->group_filters + o, pixel = row * g->out_width + from;
            float *y = j->y + (j->image * g->filters + filter) * g->pixels + pixel;
            const float *source = tile + o * PLACES + row * pitch + from - begin;
            if (!j->forward && j->call->accumulate)
                gg_kernels()->add(y, y, source, to - from);
            else
                memcpy(y, source, (size_t)(to - from) * sizeof *y);
            if (j->forward)
                gg_conv_finish(j->call, j->image, filter, pixel, pixel + to - from);
        }
    }
}

static void multiply_places(const job *j, const float *planes, float *tile, int64_t begin, int64_t width)
{
    const gg_conv_geometry *g = j->g;
    const float *w = weights_of(j, j->group);
    const int64_t rows = gg_product_row_block(g->group_filters, GG_SMALL_PRODUCT / (PLACES * DEPTH));
    for (int64_t o = 0; o < g->group_filters; o += rows)
        for (int64_t k = 0; k < g->group_channels; k += DEPTH)
            for (int64_t tap = 0; tap < g->taps; tap++)
                gg_blas_sgemm(tile + o * PLACES, PLACES, w + (tap * g->group_filters + o) * g->group_channels + k,
                              g->group_channels, planes + k * j->p->channel_floats + j->p->taps[tap] + begin,
                              j->p->channel_floats, least(rows, g->group_filters - o), width,
                              least(DEPTH, g->group_channels - k), false, false, 1.0f,
                              k == 0 && tap == 0 ? 0.0f : 1.0f);
    put_rows(j, tile, begin, width);
}

static void multiply_range(const job *j, const float *planes, float *tile, int64_t begin, int64_t end)
{
    for (int64_t place = begin; place < end; place += PLACES)
        multiply_places(j, planes, tile, place, least(PLACES, end - place));
}

static const float *group_of(const job *j)
{
    return j->x + (j->image * j->g->channels + j->group * j->g->group_channels) * j->g->plane;
}

static void run_images(void *context, int index, int parts)
{
    job j = *(const job *)context;
    const gg_conv_geometry *g = j.g;
    float *planes = j.call->workspace + j.l.weights + index * j.l.part;
    for (j.image = g->batch * index / parts; j.image < g->batch * (index + 1) / parts; j.image++)
        for (j.group = 0; j.group < g->groups; j.group++) {
            gg_conv_planes_fill(planes, group_of(&j), j.p, g->group_channels);
            multiply_range(&j, planes, planes + j.l.planes, 0, places(g, j.p));
        }
}

static void fill_shared(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    gg_conv_planes_fill(j->call->workspace + j->l.weights + begin * j->p->channel_floats,
                        group_of(j) + begin * j->g->plane, j->p, end - begin);
}

static void run_shared(void *context, int index, int parts)
{
    const job *j = context;
    const int64_t units = (places(j->g, j->p) + GG_REGISTER - 1) / GG_REGISTER;
    float *planes = j->call->workspace + j->l.weights;
    multiply_range(j, planes, planes + j->l.planes + index * j->l.part, units * index / parts * GG_REGISTER,
                   least(places(j->g, j->p), units * (index + 1) / parts * GG_REGISTER));
}

/* Floats below which a second thread does not pay. */
enum { GRAIN = 16384 };

static void run_forward(const gg_conv_call *call, const gg_conv_geometry *g, const float *x, float *y, bool forward)
{
    gg_conv_planes p;
    gg_conv_planes_of(&p, g);
    job j = {call, g, &p, x, y, forward, layout_of(g, &p, call->threads), 0, 0};
    gg_parallel_for(g->filters * g->taps, GRAIN / g->group_channels + 1, 1, write_weights, &j);
    if (!j.l.shared) {
        gg_parallel_run(call->threads, run_images, &j);
        return;
    }
    for (j.image = 0; j.image < g->batch; j.image++)
        for (j.group = 0; j.group < g->groups; j.group++) {
            gg_parallel_for(g->group_channels, GRAIN / p.channel_floats + 1, 1, fill_shared, &j);
            gg_parallel_run(call->threads, run_shared, &j);
        }
}

static void forward(const gg_conv_call *call)
{
    run_forward(call, &call->g, call->x, call->y, true);
}

static void backward_data(const gg_conv_call *call)
{
    const gg_conv_geometry b = backwards(&call->g);
    run_forward(call, &b, call->dy, call->dx, false);
}

/* ---- backward weights ---- */

typedef struct weight_layout {
    int64_t planes, gradient, sum, part;
} weight_layout;

static weight_layout weight_layout_of(const gg_conv_geometry *g, const gg_conv_planes *p)
{
    weight_layout l;
    l.planes = gg_conv_lines(g->group_channels * p->channel_floats + WEIGHT_PLACES);
    l.gradient = gg_conv_lines(WEIGHT_PLACES * g->group_filters);
    l.sum = gg_conv_lines(g->group_filters * g->depth);
    l.part = l.planes + l.gradient + l.sum;
    return l;
}

/* dY^T of places [begin, begin + count) in panels of 64 filters, zeros where no pixel is. */
static void transpose_gradient(const job *j, float *gradient, int64_t begin, int64_t count)
{
    const gg_conv_geometry *g = j->g;
    const int64_t pitch = j->p->pitch;
    const float *dy = j->call->dy + (j->image * g->filters + j->group * g->group_filters) * g->pixels;
    memset(gradient, 0, (size_t)(count * g->group_filters) * sizeof *gradient);
    for (int64_t row = begin / pitch; row * pitch < begin + count; row++) {
        const int64_t from = row * pitch < begin ? begin - row * pitch : 0;
        const int64_t to = least(g->out_width, begin + count - row * pitch);
        for (int64_t o = 0; o < g->group_filters && from < to; o += GG_PANEL) {
            const int64_t width = least(GG_PANEL, g->group_filters - o);
            gg_kernels()->transpose(gradient + o * count + (row * pitch + from - begin) * width, width,
                                    dy + o * g->pixels + row * g->out_width + from, g->pixels, width, to - from);
        }
    }
}

/* dW_t^T of all taps, [tap][channels][filters], += what `count` places add. */
static void add_places(const job *j, float *sum, const float *planes, const float *gradient, int64_t begin,
                       int64_t count, bool first)
{
    const gg_conv_geometry *g = j->g;
    const int64_t rows = gg_product_row_block(g->group_channels, GG_SMALL_PRODUCT / (GG_PANEL * WEIGHT_PLACES));
    for (int64_t o = 0; o < g->group_filters; o += GG_PANEL) {
        const int64_t width = least(GG_PANEL, g->group_filters - o);
        for (int64_t tap = 0; tap < g->taps; tap++)
            for (int64_t c = 0; c < g->group_channels; c += rows)
                gg_blas_sgemm(sum + (tap * g->group_channels + c) * g->group_filters + o, g->group_filters,
                              planes + c * j->p->channel_floats + j->p->taps[tap] + begin, j->p->channel_floats,
                              gradient + o * count, width, least(rows, g->group_channels - c), width, count, false,
                              false, 1.0f, first ? 0.0f : 1.0f);
    }
}

/* A part's own images; parts beyond the images have a dW^T of zeros. */
static void sum_images(void *context, int index, int parts)
{
    job j = *(const job *)context;
    const gg_conv_geometry *g = j.g;
    const weight_layout l = weight_layout_of(g, j.p);
    float *planes = j.call->workspace + index * l.part, *gradient = planes + l.planes, *sum = gradient + l.gradient;
    const int64_t begin = g->batch * index / parts, end = g->batch * (index + 1) / parts;
    if (begin == end)
        memset(sum, 0, (size_t)l.sum * sizeof *sum);
    for (j.image = begin; j.image < end; j.image++) {
        gg_conv_planes_fill(planes, group_of(&j), j.p, g->group_channels);
        for (int64_t place = 0; place < places(g, j.p); place += WEIGHT_PLACES) {
            const int64_t count = least(WEIGHT_PLACES, places(g, j.p) - place);
            transpose_gradient(&j, gradient, place, count);
            add_places(&j, sum, planes, gradient, place, count, j.image == begin && place == 0);
        }
    }
}

/* dW of channels [begin, end) from the dW_t^T of all parts, a strided row for each channel and tap. */
static void put_weights(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const gg_conv_geometry *g = j->g;
    const weight_layout l = weight_layout_of(g, j->p);
    float *dw = j->call->dw + j->group * g->group_filters * g->depth;
    for (int i = 0; i < j->call->threads; i++) {
        const float *sum = j->call->workspace + i * l.part + l.planes + l.gradient;
        for (int64_t c = begin; c < end; c++)
            for (int64_t tap = 0; tap < g->taps; tap++)
                gg_kernels()->put_every(dw + c * g->taps + tap, sum + (tap * g->group_channels + c) * g->group_filters,
                                        g->group_filters, g->depth, j->call->accumulate || i > 0);
    }
}

static void backward_weights(const gg_conv_call *call)
{
    gg_conv_planes p;
    gg_conv_planes_of(&p, &call->g);
    job j = {.call = call, .g = &call->g, .p = &p, .x = call->x};
    for (j.group = 0; j.group < call->g.groups; j.group++) {
        gg_parallel_run(call->threads, sum_images, &j);
        gg_parallel_for(call->g.group_channels, GRAIN / (call->g.group_filters * call->g.taps) + 1, 1, put_weights, &j);
    }
}

/* ---- the method ---- */

static int64_t workspace(const gg_conv_geometry *g, gg_conv_pass pass, int threads)
{
    const gg_conv_geometry b = backwards(g);
    const gg_conv_geometry *used = pass == GG_CONV_BACKWARD_DATA ? &b : g;
    gg_conv_planes p;
    gg_conv_planes_of(&p, used);
    if (pass == GG_CONV_BACKWARD_WEIGHTS)
        return threads * weight_layout_of(g, &p).part;
    const layout l = layout_of(used, &p, threads);
    return l.weights + threads * (l.planes + l.tile); /* enough for any batch */
}

const gg_conv_method gg_conv_shifted = {fits, workspace, {forward, backward_data, backward_weights}};
