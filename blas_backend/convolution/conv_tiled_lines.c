/* conv_tiled_lines.c - gradients of weights by rows of what a few pixels see, for few filters.
 *
 *   dW [filters][depth] = sum over pixels of dY [filters][pixels] . row [pixels][depth], depth as [y][x][channels]
 *
 * The BLAS's small kernels like C to be 64 wide. Here that is the depth, where conv_tiled_weights.c has the filters. An
 * image is laid out in padded lines, [y][x][channels], where all that a pixel sees in a row of the kernel is one run,
 * whatever the stride; so a panel of 64 of the depth for 128 pixels is copied in few moves. Each thread takes images of
 * its own and has a dW of its own, which are added up at the end, in the order of the threads.
 *
 * Workspace of each part: lines of an image, dY of 128 pixels, a panel, its dW. */
#include <string.h>

#include "conv_tiled.h"

#include "blas.h"
#include "parallel.h"

enum {
    PIXELS = 128,           /* products of one element of dW between two visits to it */
    LEAST_RUN = GG_REGISTER /* of floats, below which copies take longer than what they save */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- when ---- */

double gg_tiled_effective_columns(int64_t n)
{
    static const double rest[] = {0, 20, 41, 58}; /* 16, 32, 48 columns run at about 0.8 of the rate */
    const int64_t registers = (n % GG_PANEL + GG_REGISTER - 1) / GG_REGISTER;
    return (double)(n / GG_PANEL * GG_PANEL) + (registers == GG_PANEL / GG_REGISTER ? GG_PANEL : rest[registers]);
}

bool gg_tiled_takes_lines(const gg_conv_geometry *g)
{
    return g->dilation_x == 1 && g->kernel_width * g->group_channels >= LEAST_RUN
           && (double)g->group_filters * gg_tiled_effective_columns(g->depth)
                  < (double)g->depth * gg_tiled_effective_columns(g->group_filters);
}

/* ---- what each part has ---- */

typedef struct layout {
    int64_t height, width; /* of an image with its padding, as far as the kernel reaches */
    int64_t lines, gradient, panel, sum, part;
} layout;

static layout layout_of(const gg_conv_geometry *g)
{
    layout l;
    l.height = (g->out_height - 1) * g->stride_y + (g->kernel_height - 1) * g->dilation_y + 1;
    l.width = (g->out_width - 1) * g->stride_x + g->kernel_width;
    l.lines = gg_conv_lines(l.height * l.width * g->group_channels + GG_CONV_SLACK);
    l.gradient = gg_conv_lines(PIXELS * g->group_filters);
    l.panel = gg_conv_lines(PIXELS * GG_PANEL + GG_CONV_SLACK);
    l.sum = gg_conv_lines(g->group_filters * g->depth);
    l.part = l.lines + l.gradient + l.panel + l.sum;
    return l;
}

int64_t gg_tiled_lines_workspace(const gg_conv_geometry *g, int threads)
{
    return threads * layout_of(g).part;
}

/* One thread's work on an image of a group. */
typedef struct piece {
    const gg_conv_call *call;
    const layout *l;
    float *lines, *gradient, *panel, *sum;
    int64_t image, group;
} piece;

/* ---- the products ---- */

/* The image's pixels to their places; what surrounds them is zero already. */
static void fill_lines(const piece *t)
{
    const gg_conv_geometry *g = &t->call->g;
    const float *x = t->call->x + (t->image * g->channels + t->group * g->group_channels) * g->plane;
    const int64_t columns = least(g->width, t->l->width - g->pad_left);
    const int64_t rows = least(g->height, t->l->height - g->pad_top);
    for (int64_t y = 0; y < rows && columns > 0; y++)
        gg_kernels()->transpose(t->lines + ((y + g->pad_top) * t->l->width + g->pad_left) * g->group_channels,
                                g->group_channels, x + y * g->width, g->plane, g->group_channels, columns);
}

/* Where pixels [begin, begin + count) start to look, as distances within the lines. */
static void place_pixels(int64_t *places, const piece *t, int64_t begin, int64_t count)
{
    const gg_conv_geometry *g = &t->call->g;
    int64_t y = begin / g->out_width, x = begin % g->out_width;
    for (int64_t i = 0; i < count; i++) {
        places[i] = (y * g->stride_y * t->l->width + x * g->stride_x) * g->group_channels;
        if (++x == g->out_width) {
            x = 0;
            y++;
        }
    }
}

/* What a pixel sees of depth [first, first + width), from where it starts to look. Returns the number of runs. */
static int64_t seen_runs(gg_pixel_run *runs, const piece *t, int64_t first, int64_t width)
{
    const gg_conv_geometry *g = &t->call->g;
    const int64_t length = g->kernel_width * g->group_channels;
    int64_t count = 0;
    for (int64_t at = first; at < first + width; at += runs[count++].length) {
        const int64_t row = at / length, within = at % length;
        runs[count] = (gg_pixel_run){row * g->dilation_y * t->l->width * g->group_channels + within,
                                     least(length - within, first + width - at)};
    }
    return count;
}

static void add_pixels(const piece *t, int64_t begin, int64_t count, bool first)
{
    const gg_conv_geometry *g = &t->call->g;
    const float *dy = t->call->dy + (t->image * g->filters + t->group * g->group_filters) * g->pixels + begin;
    const int64_t block = gg_product_row_block(g->group_filters, GG_SMALL_PRODUCT / (GG_PANEL * PIXELS));
    int64_t places[PIXELS];
    gg_pixel_run runs[GG_PANEL];
    place_pixels(places, t, begin, count);
    gg_kernels()->copy_rows(t->gradient, count, dy, g->pixels, g->group_filters, count);
    for (int64_t d = 0; d < g->depth; d += GG_PANEL) {
        const int64_t width = least(GG_PANEL, g->depth - d);
        gg_kernels()->copy_columns(t->panel, GG_PANEL, t->lines, &(gg_tap_rows){0, count, count, 0, places}, runs,
                                   seen_runs(runs, t, d, width));
        for (int64_t o = 0; o < g->group_filters; o += block)
            gg_blas_sgemm(t->sum + o * g->depth + d, g->depth, t->gradient + o * count, count, t->panel, GG_PANEL,
                          least(block, g->group_filters - o), width, count, false, false, 1.0f, first ? 0.0f : 1.0f);
    }
}

/* ---- images among the threads ---- */

typedef struct job {
    const gg_conv_call *call;
    layout l;
    int64_t group;
} job;

static void run_part(void *context, int index, int parts)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    float *own = j->call->workspace + index * j->l.part;
    float *gradient = own + j->l.lines, *panel = gradient + j->l.gradient;
    const int64_t begin = gg_tiled_border(g->batch, 1, index, parts),
                  end = gg_tiled_border(g->batch, 1, index + 1, parts);
    const int64_t pieces = (g->pixels + PIXELS - 1) / PIXELS;
    piece t = {j->call, &j->l, own, gradient, panel, panel + j->l.panel, begin, j->group};
    memset(t.lines, 0, (size_t)j->l.lines * sizeof *t.lines);
    for (; t.image < end; t.image++) {
        fill_lines(&t);
        for (int64_t i = 0; i < pieces; i++) {
            const int64_t pixel = g->pixels * i / pieces;
            add_pixels(&t, pixel, g->pixels * (i + 1) / pieces - pixel, t.image == begin && i == 0);
        }
    }
}

/* dW of filters [begin, end) from those of all parts, channels before taps again. */
static void put_weights(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    const float *sums = j->call->workspace + j->l.part - j->l.sum;
    for (int64_t o = begin; o < end; o++)
        for (int i = 0; i < j->call->threads; i++)
            gg_kernels()->transpose_add(j->call->dw + (j->group * g->group_filters + o) * g->depth, g->taps,
                                        sums + i * j->l.part + o * g->depth, g->group_channels, g->taps,
                                        g->group_channels, j->call->accumulate || i > 0 ? 1.0f : 0.0f);
}

/* Floats of dW below which a second thread does not pay. */
enum { GRAIN = 8192 };

void gg_tiled_lines(const gg_conv_call *call)
{
    job j = {call, layout_of(&call->g), 0};
    for (j.group = 0; j.group < call->g.groups; j.group++) {
        gg_parallel_run(call->threads, run_part, &j);
        gg_parallel_for(call->g.group_filters, GRAIN / call->g.depth + 1, 1, put_weights, &j);
    }
}
