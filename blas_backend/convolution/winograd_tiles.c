/* winograd_tiles.c - the transforms between images or filters as they lie in memory and the matrices of the products:
 * groups of 16 planes are turned to pixels of 16 channels and back, the kernels do the rest. */
#include "winograd.h"

#include <string.h>

#include "kernels/kernels.h"

enum { FILTER = 3 * 3 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Rows of tiles from `row` on which are transformed together: of one image, and no more than the buffers hold. */
static int64_t band(const gg_winograd *p, int64_t row, int64_t end)
{
    return least(least(p->band_rows, end - row), p->image_rows - row % p->image_rows);
}

static int64_t group_size(int64_t n, int64_t group)
{
    return least(GG_GROUP, n - group * GG_GROUP);
}

/* `rows` rows of `planes` planes, from row `top` on, as [row][pixel][16]; zeros where there is no row or no plane. */
static void load_pixels(float *pixels, const float *x, int64_t planes, int64_t height, int64_t width, int64_t top,
                        int64_t rows)
{
    const int64_t begin = least(most(top, 0), height), end = most(begin, least(top + rows, height));
    const int64_t row = width * GG_GROUP, before = begin < end ? begin - top : 0;
    if (planes < GG_GROUP)
        memset(pixels, 0, (size_t)(rows * row) * sizeof *pixels);
    memset(pixels, 0, (size_t)(before * row) * sizeof *pixels);
    gg_kernels()->transpose(pixels + before * row, GG_GROUP, x + begin * width, height * width, planes,
                            (end - begin) * width);
    const int64_t filled = before + end - begin;
    memset(pixels + filled * row, 0, (size_t)((rows - filled) * row) * sizeof *pixels);
}

void gg_winograd_input(const gg_winograd *p, float *v, const float *x, int64_t group, gg_winograd_range rows,
                       const gg_winograd_scratch *own)
{
    const int64_t left = most(p->pad_left, 0), cut = most(-p->pad_left, 0);
    const int64_t overlap = p->n.pixels - p->n.step;
    const int64_t seen = p->row_tiles * p->n.step + overlap - left; /* pixels of a row of tiles behind the zeros */
    const int64_t width = least(p->width - cut, seen), line = p->width * GG_GROUP;
    for (int64_t row = rows.begin, n; row < rows.end; row += n) {
        n = band(p, row, rows.end);
        const float *planes = x + (row / p->image_rows * p->channels + group * GG_GROUP) * p->height * p->width;
        load_pixels(own->pixels, planes, group_size(p->channels, group), p->height, p->width,
                    row % p->image_rows * p->n.step - p->pad_top, n * p->n.step + overlap);
        for (int64_t i = 0; i < n; i++)
            gg_kernels()->winograd_input(v + (row - rows.begin + i) * p->row_tiles * p->v_row, p->v_stride, p->v_row,
                                         own->pixels + i * p->n.step * line + cut * GG_GROUP, line, left, width,
                                         p->row_tiles, p->form);
    }
}

void gg_winograd_gradient(const gg_winograd *p, float *m, int64_t ld, const float *dy, int64_t group,
                          gg_winograd_range rows, const gg_winograd_scratch *own)
{
    const int64_t line = p->out_width * GG_GROUP;
    for (int64_t row = rows.begin, n; row < rows.end; row += n) {
        n = band(p, row, rows.end);
        const float *planes = dy + (row / p->image_rows * p->filters + group * GG_GROUP) * p->out_height * p->out_width;
        load_pixels(own->pixels, planes, group_size(p->filters, group), p->out_height, p->out_width,
                    row % p->image_rows * p->n.results, n * p->n.results);
        for (int64_t i = 0; i < n; i++)
            gg_kernels()->winograd_gradient(m + (row - rows.begin + i) * p->row_tiles * ld, p->m_stride, ld,
                                            own->pixels + i * p->n.results * line, line, p->out_width, p->row_tiles,
                                            p->form);
    }
}

/* A finished band of pixels to the planes of Y or dX. */
static void store_pixels(const gg_winograd *p, const gg_conv_call *call, const float *pixels, int64_t group,
                         int64_t row, int64_t n)
{
    const int64_t image = row / p->image_rows, top = row % p->image_rows * p->n.results - p->skipped_rows;
    const int64_t first = group * GG_GROUP, skipped = most(-top, 0);
    const int64_t begin = (top + skipped) * p->out_width;
    const int64_t end = least(top + n * p->n.results, p->out_height) * p->out_width;
    pixels += skipped * p->out_width * GG_GROUP;
    const int64_t plane = p->out_height * p->out_width, filters = group_size(p->filters, group);
    float *out = (p->turned ? call->dx : call->y) + (image * p->filters + first) * plane + begin;
    if (p->turned) {
        gg_kernels()->transpose_add(out, plane, pixels, GG_GROUP, end - begin, filters, call->accumulate ? 1.0f : 0.0f);
        return;
    }
    gg_kernels()->transpose(out, plane, pixels, GG_GROUP, end - begin, filters);
    for (int64_t i = 0; i < filters && gg_conv_has_finish(call); i++)
        gg_conv_finish(call, image, first + i, begin, end);
}

void gg_winograd_output(const gg_winograd *p, const gg_conv_call *call, const float *m, int64_t ld, int64_t group,
                        gg_winograd_range rows, const gg_winograd_scratch *own)
{
    const int64_t line = p->out_width * GG_GROUP;
    for (int64_t row = rows.begin, n; row < rows.end; row += n) {
        n = band(p, row, rows.end);
        for (int64_t i = 0; i < n; i++)
            gg_kernels()->winograd_output(own->pixels + i * p->n.results * line, line,
                                          m + (row - rows.begin + i) * p->row_tiles * ld, p->m_stride, ld,
                                          p->skipped_columns, p->out_width, p->row_tiles, p->form);
        store_pixels(p, call, own->pixels, group, row, n);
    }
}

/* taps [channel][9][16] of some channels and a group of filters; W being [filter][channel][9] or, for the turned
 * convolution, [channel][filter][9]. */
static void load_taps(const gg_winograd *p, float *taps, const float *w, int64_t group, int64_t begin, int64_t end)
{
    const int64_t first = group * GG_GROUP, filters = group_size(p->filters, group);
    if (filters < GG_GROUP)
        memset(taps, 0, (size_t)((end - begin) * FILTER * GG_GROUP) * sizeof *taps);
    if (!p->turned) {
        gg_kernels()->transpose(taps, GG_GROUP, w + (first * p->channels + begin) * FILTER, p->channels * FILTER,
                                filters, (end - begin) * FILTER);
        return;
    }
    for (int64_t c = begin; c < end; c++)
        gg_kernels()->transpose(taps + (c - begin) * FILTER * GG_GROUP, GG_GROUP, w + (c * p->filters + first) * FILTER,
                                FILTER, filters, FILTER);
}

void gg_winograd_filters(const gg_winograd *p, float *u, int64_t ld, const float *w, int64_t group,
                         gg_winograd_range channels, const gg_winograd_scratch *own)
{
    const float *first_tap = p->turned ? own->taps + (FILTER - 1) * GG_GROUP : own->taps;
    const int64_t step = p->turned ? -GG_GROUP : GG_GROUP;
    for (int64_t begin = channels.begin, end; begin < channels.end; begin = end) {
        end = least(begin + GG_GROUP, channels.end);
        load_taps(p, own->taps, w, group, begin, end);
        for (int64_t c = begin; c < end; c++)
            gg_kernels()->winograd_filter(u + (c - channels.begin) * ld, p->u_stride,
                                          first_tap + (c - begin) * FILTER * GG_GROUP, step, p->form);
    }
}

void gg_winograd_filter_gradient(const gg_winograd *p, float *dw, float beta, const float *du, int64_t ld,
                                 int64_t group, gg_winograd_range channels, const gg_winograd_scratch *own)
{
    const int64_t row = p->channels * FILTER;
    for (int64_t begin = channels.begin, end; begin < channels.end; begin = end) {
        end = least(begin + GG_GROUP, channels.end);
        for (int64_t c = begin; c < end; c++)
            gg_kernels()->winograd_filter_gradient(own->taps + (c - begin) * FILTER * GG_GROUP,
                                                   du + (c - channels.begin) * ld, p->u_stride, p->form);
        gg_kernels()->transpose_add(dw + group * GG_GROUP * row + begin * FILTER, row, own->taps, GG_GROUP,
                                    (end - begin) * FILTER, group_size(p->filters, group), beta);
    }
}
