/* conv_planes.c - padded planes, split by stride. */
#include "conv_planes.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool gg_conv_planes_fit(const gg_conv_geometry *g)
{
    return g->taps <= GG_CONV_MOST_TAPS;
}

void gg_conv_planes_of(gg_conv_planes *p, const gg_conv_geometry *g)
{
    const int64_t reach_y = (g->kernel_height - 1) * g->dilation_y, reach_x = (g->kernel_width - 1) * g->dilation_x;
    p->g = g;
    p->phases_y = least(g->stride_y, reach_y + 1);
    p->phases_x = least(g->stride_x, reach_x + 1);
    p->rows = g->out_height + reach_y / g->stride_y;
    p->pitch = g->out_width + reach_x / g->stride_x;
    p->plane_floats = p->rows * p->pitch;
    p->channel_floats = p->plane_floats * p->phases_y * p->phases_x;
    for (int64_t tap = 0; tap < g->taps; tap++) {
        const int64_t y = tap / g->kernel_width * g->dilation_y, x = tap % g->kernel_width * g->dilation_x;
        p->taps[tap] = (y % g->stride_y * p->phases_x + x % g->stride_x) * p->plane_floats + y / g->stride_y * p->pitch
                       + x / g->stride_x;
    }
}

/* Columns of a phase that fall into the image: [from, to), the first of them at pixel `pixel`. */
typedef struct span {
    int64_t from, to, pixel;
} span;

static span inside(int64_t phase, int64_t pad, int64_t stride, int64_t length, int64_t places)
{
    const int64_t first = phase - pad;
    const int64_t from = first >= 0 ? 0 : (-first + stride - 1) / stride;
    const int64_t to = first >= length ? 0 : (length - 1 - first) / stride + 1;
    const int64_t end = least(to, places);
    return (span){from, end > from ? end : from, from * stride + first};
}

static void fill_row(float *row, const float *source, const span *s, int64_t stride, int64_t pitch)
{
    memset(row, 0, (size_t)least(s->from, pitch) * sizeof *row);
    gg_kernels()->take_every(row + s->from, source + s->pixel, s->to - s->from, stride);
    if (s->to < pitch)
        memset(row + s->to, 0, (size_t)(pitch - s->to) * sizeof *row);
}

/* Rows of a plane of which none lies outside the image. */
static void fill_rows(float *plane, const float *x, const gg_conv_planes *p, const span *s, int64_t rows)
{
    const gg_conv_geometry *g = p->g;
    if (g->stride_x <= 2) {
        gg_kernels()->pad_rows(plane, p->pitch, x + s->pixel, g->stride_y * g->width, rows, s->from, s->to,
                               g->stride_x);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        fill_row(plane + r * p->pitch, x + r * g->stride_y * g->width, s, g->stride_x, p->pitch);
}

static void fill_plane(float *plane, const float *x, const gg_conv_planes *p, int64_t phase_y, int64_t phase_x)
{
    const gg_conv_geometry *g = p->g;
    const span s = inside(phase_x, g->pad_left, g->stride_x, g->width, p->pitch);
    const span t = inside(phase_y, g->pad_top, g->stride_y, g->height, p->rows);
    if (s.from == s.to || t.from == t.to) {
        memset(plane, 0, (size_t)p->plane_floats * sizeof *plane);
        return;
    }
    memset(plane, 0, (size_t)(t.from * p->pitch) * sizeof *plane);
    fill_rows(plane + t.from * p->pitch, x + t.pixel * g->width, p, &s, t.to - t.from);
    memset(plane + t.to * p->pitch, 0, (size_t)((p->rows - t.to) * p->pitch) * sizeof *plane);
}

void gg_conv_planes_fill(float *planes, const float *x, const gg_conv_planes *p, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t phase = 0; phase < p->phases_y * p->phases_x; phase++)
            fill_plane(planes + c * p->channel_floats + phase * p->plane_floats, x + c * p->g->plane, p,
                       phase / p->phases_x, phase % p->phases_x);
}

static void take_plane(float *dx, const float *plane, const gg_conv_planes *p, int64_t phase_y, int64_t phase_x,
                       bool accumulate)
{
    const gg_conv_geometry *g = p->g;
    const span s = inside(phase_x, g->pad_left, g->stride_x, g->width, p->pitch);
    for (int64_t r = 0; r < p->rows && s.to > s.from; r++) {
        const int64_t y = r * g->stride_y + phase_y - g->pad_top;
        if (y < 0 || y >= g->height)
            continue;
        float *target = dx + y * g->width + s.pixel;
        const float *source = plane + r * p->pitch + s.from;
        if (g->stride_x == 1 && !accumulate)
            memcpy(target, source, (size_t)(s.to - s.from) * sizeof *dx);
        else
            gg_kernels()->put_every(target, source, s.to - s.from, g->stride_x, accumulate);
    }
}

/* Whether every pixel of an image is in some plane: strides beyond the kernel skip some, and so may the last outputs.
 */
static bool covers(const gg_conv_planes *p)
{
    const gg_conv_geometry *g = p->g;
    return p->phases_y == g->stride_y && p->phases_x == g->stride_x && p->rows * g->stride_y - g->pad_top >= g->height
           && p->pitch * g->stride_x - g->pad_left >= g->width;
}

void gg_conv_planes_take(float *dx, const float *planes, const gg_conv_planes *p, int64_t channels, bool accumulate)
{
    if (!accumulate && !covers(p))
        memset(dx, 0, (size_t)(channels * p->g->plane) * sizeof *dx);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t phase = 0; phase < p->phases_y * p->phases_x; phase++)
            take_plane(dx + c * p->g->plane, planes + c * p->channel_floats + phase * p->plane_floats, p,
                       phase / p->phases_x, phase % p->phases_x, accumulate);
}

int64_t gg_conv_planes_runs(gg_pixel_run *runs, const gg_conv_planes *p, int64_t image_floats, int64_t begin,
                            int64_t end)
{
    const gg_conv_geometry *g = p->g;
    int64_t image = begin / g->pixels, row = begin % g->pixels / g->out_width, column = begin % g->out_width;
    int64_t count = 0;
    for (int64_t pixel = begin; pixel < end; count++) {
        /* Where rows lie one after the other, an image's are one run. */
        const int64_t rest = p->pitch == g->out_width ? g->pixels - row * g->out_width - column : g->out_width - column;
        const int64_t length = least(rest, end - pixel);
        runs[count] = (gg_pixel_run){image * image_floats + row * p->pitch + column, length};
        pixel += length;
        column = 0;
        row++;
        if (row == g->out_height || p->pitch == g->out_width) {
            row = 0;
            image++;
        }
    }
    return count;
}
