/* conv_columns.c - im2col and col2im, whole and in pieces.
 *
 * A row of the matrix is one tap of one channel: the image moved by the tap, cut into rows of the result. Within a row
 * of the result the pixels that fall into the image are one run, with zeros before and after it. */
#include "conv_columns.h"

#include <stddef.h>
#include <string.h>

#include "conv_geometry.h"
#include "fail.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The outputs j of [0, outputs) whose source, j stride + first, lies in [0, length): [from, to). */
typedef struct run {
    int64_t from, to, first;
} run;

static run inside(int64_t first, int64_t stride, int64_t length, int64_t outputs)
{
    const int64_t from = first >= 0 ? 0 : (-first + stride - 1) / stride;
    const int64_t to = first >= length ? 0 : (length - 1 - first) / stride + 1;
    const int64_t end = least(to, outputs);
    return (run){least(from, most(end, 0)), most(end, 0), first};
}

/* Outputs [begin, end) of one row of the result through one tap: `at` is where they lie in the row of col, `source` the
 * row of the image. */
static void gather(float *at, const float *source, const run *r, int64_t stride, int64_t begin, int64_t end)
{
    const int64_t from = least(most(r->from, begin), end);
    const int64_t to = most(from, least(r->to, end));
    memset(at, 0, (size_t)(from - begin) * sizeof *at);
    if (stride == 1)
        memcpy(at + (from - begin), source + from + r->first, (size_t)(to - from) * sizeof *at);
    else
        for (int64_t j = from; j < to; j++)
            at[j - begin] = source[j * stride + r->first];
    memset(at + (to - begin), 0, (size_t)(end - to) * sizeof *at);
}

static void scatter(float *source, const float *at, const run *r, int64_t stride, int64_t begin, int64_t end)
{
    const int64_t from = most(r->from, begin), to = least(r->to, end);
    for (int64_t j = from; j < to; j++)
        source[j * stride + r->first] += at[j - begin];
}

/* Pixels of one row of col that lie in one row of the result. */
typedef struct segment {
    int64_t pixel, begin, end; /* the first of them; their places in the row of the result */
    int64_t source;            /* offset of the row of the image, -1 when the tap falls above or below it */
} segment;

static segment segment_at(const gg_conv_geometry *g, int64_t tap, int64_t pixel, int64_t end)
{
    const int64_t i = pixel / g->out_width, begin = pixel - i * g->out_width;
    const int64_t y = i * g->stride_y + tap / g->kernel_width * g->dilation_y - g->pad_top;
    return (segment){pixel, begin, least(g->out_width, begin + end - pixel),
                     y >= 0 && y < g->height ? y * g->width : -1};
}

static run run_of(const gg_conv_geometry *g, int64_t tap)
{
    return inside(tap % g->kernel_width * g->dilation_x - g->pad_left, g->stride_x, g->width, g->out_width);
}

static void gather_row(float *row, const float *plane, const gg_conv_geometry *g, int64_t tap, int64_t begin,
                       int64_t end)
{
    const run r = run_of(g, tap);
    for (int64_t pixel = begin; pixel < end;) {
        const segment s = segment_at(g, tap, pixel, end);
        if (s.source < 0)
            memset(row + (pixel - begin), 0, (size_t)(s.end - s.begin) * sizeof *row);
        else
            gather(row + (pixel - begin), plane + s.source, &r, g->stride_x, s.begin, s.end);
        pixel += s.end - s.begin;
    }
}

static void scatter_row(float *plane, const float *row, const gg_conv_geometry *g, int64_t tap, int64_t begin,
                        int64_t end)
{
    const run r = run_of(g, tap);
    for (int64_t pixel = begin; pixel < end;) {
        const segment s = segment_at(g, tap, pixel, end);
        if (s.source >= 0)
            scatter(plane + s.source, row + (pixel - begin), &r, g->stride_x, s.begin, s.end);
        pixel += s.end - s.begin;
    }
}

void gg_conv_columns(float *col, int64_t ld, const float *x, const gg_conv_geometry *g, int64_t channels, int64_t begin,
                     int64_t end)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t tap = 0; tap < g->taps; tap++)
            gather_row(col + (c * g->taps + tap) * ld, x + c * g->plane, g, tap, begin, end);
}

void gg_conv_add_columns(float *x, const float *col, int64_t ld, const gg_conv_geometry *g, int64_t channels,
                         int64_t begin, int64_t end)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t tap = 0; tap < g->taps; tap++)
            scatter_row(x + c * g->plane, col + (c * g->taps + tap) * ld, g, tap, begin, end);
}

/* The shape without what does not matter here. */
static gg_status one_image(gg_conv_geometry *g, const char *function, const gg_conv_shape *shape, const float *col,
                           const float *x)
{
    gg_conv_shape s = shape != NULL ? *shape : (gg_conv_shape){0};
    s.batch = s.filters = s.groups = 1;
    const gg_status status = gg_conv_geometry_of(g, function, shape != NULL ? &s : NULL);
    if (status != GG_OK)
        return status;
    if (col == NULL || x == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL, with col of %lld x %lld and x of %lld x %lld x %lld", function,
                       col == NULL ? "col" : "x", (long long)g->depth, (long long)g->pixels, (long long)g->channels,
                       (long long)g->height, (long long)g->width);
    return GG_OK;
}

gg_status gg_im2col(float *col, const float *x, const gg_conv_shape *shape)
{
    gg_conv_geometry g;
    const gg_status status = one_image(&g, "gg_im2col", shape, col, x);
    if (status == GG_OK)
        gg_conv_columns(col, g.pixels, x, &g, g.channels, 0, g.pixels);
    return status;
}

gg_status gg_col2im(float *x, const float *col, const gg_conv_shape *shape, bool accumulate)
{
    gg_conv_geometry g;
    const gg_status status = one_image(&g, "gg_col2im", shape, col, x);
    if (status != GG_OK)
        return status;
    if (!accumulate)
        memset(x, 0, (size_t)(g.channels * g.plane) * sizeof *x);
    gg_conv_add_columns(x, col, g.pixels, &g, g.channels, 0, g.pixels);
    return GG_OK;
}
