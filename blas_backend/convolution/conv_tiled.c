/* conv_tiled.c - convolution by columns of a few pixels at a time, which never leave the first-level cache.
 *
 * The images of a block are laid out in padded planes (conv_planes.h), from which a piece of the matrix of columns, 128
 * rows by 64 pixels, is a matter of contiguous copies. With W [filters][depth] of a group:
 *   forward         Y[filters][64] += W[filters][128 of depth] . col[128][64]
 *   backward data   dcol[rows of depth][64] = W^T . dY[filters][64], added to planes of dX
 *   weights         conv_tiled_weights.c
 *
 * Backward, W^T of all groups is written down first, [group][depth][filters]: reading W transposed in place would cost
 * the products a third of their rate.
 *
 * Workspace: W^T; then for each part (a thread) planes of a block of images, a piece of columns or of dY, a tile of
 * results. With fewer images than threads all of them share the planes of one image. */
#include "conv_tiled.h"

#include <string.h>

#include "blas.h"
#include "conv_method.h"
#include "parallel.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t gg_tiled_border(int64_t n, int64_t unit, int64_t i, int64_t parts)
{
    const int64_t units = (n + unit - 1) / unit;
    return least(n, units * i / parts * unit);
}

int64_t gg_tiled_images(const gg_conv_geometry *g, int64_t images)
{
    const int64_t wanted = (GG_TILED_BLOCK_PIXELS + g->pixels - 1) / g->pixels;
    return wanted < images ? wanted : images;
}

int64_t gg_tiled_image_floats(const gg_conv_geometry *g, const gg_conv_planes *p)
{
    return g->group_channels * p->channel_floats;
}

int64_t gg_tiled_planes_floats(const gg_conv_geometry *g, const gg_conv_planes *p, int64_t images)
{
    return gg_conv_lines(images * gg_tiled_image_floats(g, p) + GG_CONV_SLACK);
}

void gg_tiled_fill(float *planes, const gg_conv_call *call, const gg_conv_planes *p, int64_t image, int64_t images,
                   int64_t group, int64_t c0, int64_t c1)
{
    const gg_conv_geometry *g = &call->g;
    for (int64_t i = 0; i < images; i++)
        gg_conv_planes_fill(planes + i * gg_tiled_image_floats(g, p) + c0 * p->channel_floats,
                            call->x + ((image + i) * g->channels + group * g->group_channels + c0) * g->plane, p,
                            c1 - c0);
}

/* ---- what each part has ---- */

/* Rows of C in one product of GG_TILED_DEPTH by GG_TILED_PIXELS. */
static int64_t row_block(int64_t rows)
{
    return gg_product_row_block(rows, GG_SMALL_PRODUCT / (GG_TILED_PIXELS * GG_TILED_DEPTH));
}

static int64_t columns_floats(const gg_conv_geometry *g, gg_conv_pass pass)
{
    const int64_t rows = pass == GG_CONV_FORWARD ? least(g->depth, GG_TILED_DEPTH) : g->group_filters;
    return gg_conv_lines(rows * GG_TILED_PIXELS + GG_CONV_SLACK);
}

static int64_t tile_floats(const gg_conv_geometry *g, gg_conv_pass pass)
{
    const int64_t rows = pass == GG_CONV_FORWARD ? g->group_filters : row_block(g->depth);
    return gg_conv_lines(rows * GG_TILED_PIXELS);
}

/* Parts that work each on images of its own; with fewer images, all work on one image after the other. */
static bool shares_images(const gg_conv_geometry *g, int threads)
{
    return g->batch < threads;
}

typedef struct layout {
    int64_t images, weights, planes, columns, part, total; /* floats but for images, which are those of a block */
} layout;

static layout layout_of(const gg_conv_geometry *g, const gg_conv_planes *p, gg_conv_pass pass, int threads)
{
    layout l;
    l.images = shares_images(g, threads) ? 1 : gg_tiled_images(g, (g->batch + threads - 1) / threads);
    l.weights = pass == GG_CONV_BACKWARD_DATA ? gg_conv_lines(g->filters * g->depth) : 0;
    l.planes = gg_tiled_planes_floats(g, p, l.images);
    l.columns = columns_floats(g, pass);
    l.part = l.columns + tile_floats(g, pass);
    l.total = l.weights + (shares_images(g, threads) ? l.planes + threads * l.part : threads * (l.planes + l.part));
    return l;
}

/* A thread's work: some pixels of some images of one group. */
typedef struct piece {
    const gg_conv_call *call;
    const gg_conv_planes *p;
    float *planes, *columns, *tile;
    int64_t image, images, group;
} piece;

/* The output pixels [begin, end), counted through the piece's images, as runs within Y: one for each image. */
static int64_t output_runs(gg_pixel_run *runs, const piece *t, int64_t begin, int64_t end)
{
    const gg_conv_geometry *g = &t->call->g;
    int64_t count = 0;
    for (int64_t pixel = begin; pixel < end; count++) {
        const int64_t image = pixel / g->pixels, first = pixel % g->pixels;
        const int64_t length = least(g->pixels - first, end - pixel);
        runs[count] =
            (gg_pixel_run){((t->image + image) * g->filters + t->group * g->group_filters) * g->pixels + first, length};
        pixel += length;
    }
    return count;
}

/* ---- forward ---- */

/* The tile [filters][width] to its places in Y. */
static void put_tile(const piece *t, const gg_pixel_run *runs, int64_t count)
{
    const gg_conv_geometry *g = &t->call->g;
    for (int64_t o = 0; o < g->group_filters; o++) {
        const float *row = t->tile + o * GG_TILED_PIXELS;
        for (int64_t s = 0; s < count; s++) {
            memcpy(t->call->y + runs[s].offset + o * g->pixels, row, (size_t)runs[s].length * sizeof *row);
            row += runs[s].length;
        }
    }
}

static void finish_runs(const piece *t, const gg_pixel_run *runs, int64_t count)
{
    const gg_conv_geometry *g = &t->call->g;
    if (!gg_conv_has_finish(t->call))
        return;
    for (int64_t s = 0; s < count; s++) {
        const int64_t image = runs[s].offset / (g->filters * g->pixels), first = runs[s].offset % g->pixels;
        for (int64_t o = 0; o < g->group_filters; o++)
            gg_conv_finish(t->call, image, t->group * g->group_filters + o, first, first + runs[s].length);
    }
}

/* All filters of 64 pixels or less. Pixels of one image are multiplied to where they belong. */
static void forward_panel(const piece *t, int64_t begin, int64_t end)
{
    const gg_conv_geometry *g = &t->call->g;
    gg_pixel_run in[GG_CONV_MOST_RUNS], out[GG_TILED_PIXELS];
    const int64_t in_count = gg_conv_planes_runs(in, t->p, gg_tiled_image_floats(g, t->p), begin, end);
    const int64_t out_count = output_runs(out, t, begin, end);
    float *c = out_count == 1 ? t->call->y + out[0].offset : t->tile;
    const int64_t ldc = out_count == 1 ? g->pixels : GG_TILED_PIXELS;
    const int64_t rows = row_block(g->group_filters);
    const float *w = t->call->w + t->group * g->group_filters * g->depth;
    for (int64_t k = 0; k < g->depth; k += GG_TILED_DEPTH) {
        const int64_t depth = least(GG_TILED_DEPTH, g->depth - k);
        gg_kernels()->copy_columns(t->columns, GG_TILED_PIXELS, t->planes,
                                   &(gg_tap_rows){k, depth, g->taps, t->p->channel_floats, t->p->taps}, in, in_count);
        for (int64_t o = 0; o < g->group_filters; o += rows)
            gg_blas_sgemm(c + o * ldc, ldc, w + o * g->depth + k, g->depth, t->columns, GG_TILED_PIXELS,
                          least(rows, g->group_filters - o), end - begin, depth, false, false, 1.0f,
                          k == 0 ? 0.0f : 1.0f);
    }
    if (out_count > 1)
        put_tile(t, out, out_count);
    finish_runs(t, out, out_count);
}

static void forward_pixels(const piece *t, int64_t begin, int64_t end)
{
    for (int64_t pixel = begin; pixel < end; pixel += GG_TILED_PIXELS)
        forward_panel(t, pixel, least(end, pixel + GG_TILED_PIXELS));
}

/* ---- backward data ---- */

/* dY of 64 pixels or less as [filters][64]. */
static void gather_gradient(const piece *t, const gg_pixel_run *runs, int64_t count)
{
    const gg_conv_geometry *g = &t->call->g;
    for (int64_t o = 0; o < g->group_filters; o++) {
        float *row = t->columns + o * GG_TILED_PIXELS;
        for (int64_t s = 0; s < count; s++) {
            memcpy(row, t->call->dy + runs[s].offset + o * g->pixels, (size_t)runs[s].length * sizeof *row);
            row += runs[s].length;
        }
    }
}

/* What 64 pixels or less send back to the planes of channels [c0, c1). */
static void backward_panel(const piece *t, int64_t c0, int64_t c1, int64_t begin, int64_t end)
{
    const gg_conv_geometry *g = &t->call->g;
    gg_pixel_run in[GG_CONV_MOST_RUNS], out[GG_TILED_PIXELS];
    const int64_t in_count = gg_conv_planes_runs(in, t->p, gg_tiled_image_floats(g, t->p), begin, end);
    gather_gradient(t, out, output_runs(out, t, begin, end));
    const float *w = t->call->workspace + t->group * g->group_filters * g->depth;
    const int64_t rows = row_block(g->depth);
    for (int64_t r = c0 * g->taps; r < c1 * g->taps; r += rows) {
        const int64_t height = least(rows, c1 * g->taps - r);
        for (int64_t k = 0; k < g->group_filters; k += GG_TILED_DEPTH)
            gg_blas_sgemm(t->tile, GG_TILED_PIXELS, w + r * g->group_filters + k, g->group_filters,
                          t->columns + k * GG_TILED_PIXELS, GG_TILED_PIXELS, height, end - begin,
                          least(GG_TILED_DEPTH, g->group_filters - k), false, false, 1.0f, k == 0 ? 0.0f : 1.0f);
        gg_kernels()->add_columns(t->planes, t->tile, GG_TILED_PIXELS,
                                  &(gg_tap_rows){r, height, g->taps, t->p->channel_floats, t->p->taps}, in, in_count);
    }
}

static void backward_channels(const piece *t, int64_t c0, int64_t c1)
{
    const gg_conv_geometry *g = &t->call->g;
    const int64_t image_floats = gg_tiled_image_floats(g, t->p), pixels = t->images * g->pixels;
    for (int64_t i = 0; i < t->images; i++)
        memset(t->planes + i * image_floats + c0 * t->p->channel_floats, 0,
               (size_t)((c1 - c0) * t->p->channel_floats) * sizeof *t->planes);
    for (int64_t pixel = 0; pixel < pixels; pixel += GG_TILED_PIXELS)
        backward_panel(t, c0, c1, pixel, least(pixels, pixel + GG_TILED_PIXELS));
    for (int64_t i = 0; i < t->images; i++)
        gg_conv_planes_take(t->call->dx + ((t->image + i) * g->channels + t->group * g->group_channels + c0) * g->plane,
                            t->planes + i * image_floats + c0 * t->p->channel_floats, t->p, c1 - c0,
                            t->call->accumulate);
}

/* ---- images and groups among the threads ---- */

typedef struct job {
    const gg_conv_call *call;
    const gg_conv_planes *p;
    layout l;
    gg_conv_pass pass;
    int64_t image, group; /* where all threads work on one image */
} job;

static piece piece_of(const job *j, float *planes, float *part)
{
    return (piece){j->call, j->p, planes, part, part + j->l.columns, j->image, 1, j->group};
}

/* A part's own images, block after block. */
static void run_images(void *context, int index, int parts)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    float *own = j->call->workspace + j->l.weights + index * (j->l.planes + j->l.part);
    const int64_t end = gg_tiled_border(g->batch, 1, index + 1, parts);
    piece t = piece_of(j, own, own + j->l.planes);
    for (t.image = gg_tiled_border(g->batch, 1, index, parts); t.image < end; t.image += t.images) {
        t.images = least(j->l.images, end - t.image);
        for (t.group = 0; t.group < g->groups; t.group++) {
            if (j->pass == GG_CONV_BACKWARD_DATA) {
                backward_channels(&t, 0, g->group_channels);
                continue;
            }
            gg_tiled_fill(t.planes, j->call, j->p, t.image, t.images, t.group, 0, g->group_channels);
            forward_pixels(&t, 0, t.images * g->pixels);
        }
    }
}

static void fill_shared(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    gg_tiled_fill(j->call->workspace + j->l.weights, j->call, j->p, j->image, 1, j->group, begin, end);
}

/* A part of one image: pixels forward, channels backward. */
static void run_shared(void *context, int index, int parts)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    float *shared = j->call->workspace + j->l.weights;
    const piece t = piece_of(j, shared, shared + j->l.planes + index * j->l.part);
    if (j->pass == GG_CONV_BACKWARD_DATA)
        backward_channels(&t, gg_tiled_border(g->group_channels, 1, index, parts),
                          gg_tiled_border(g->group_channels, 1, index + 1, parts));
    else
        forward_pixels(&t, gg_tiled_border(g->pixels, GG_TILED_UNIT, index, parts),
                       gg_tiled_border(g->pixels, GG_TILED_UNIT, index + 1, parts));
}

static void run_pass(const gg_conv_call *call, gg_conv_pass pass)
{
    gg_conv_planes p;
    gg_conv_planes_of(&p, &call->g);
    job j = {call, &p, layout_of(&call->g, &p, pass, call->threads), pass, 0, 0};
    if (pass == GG_CONV_BACKWARD_DATA)
        gg_conv_transpose_weights(call->workspace, call);
    if (!shares_images(&call->g, call->threads)) {
        gg_parallel_run(call->threads, run_images, &j);
        return;
    }
    for (j.image = 0; j.image < call->g.batch; j.image++)
        for (j.group = 0; j.group < call->g.groups; j.group++) {
            if (pass == GG_CONV_FORWARD)
                gg_parallel_for(call->g.group_channels, 16384 / p.channel_floats + 1, 1, fill_shared, &j);
            gg_parallel_run(call->threads, run_shared, &j);
        }
}

static void forward(const gg_conv_call *call)
{
    run_pass(call, GG_CONV_FORWARD);
}

static void backward_data(const gg_conv_call *call)
{
    run_pass(call, GG_CONV_BACKWARD_DATA);
}

/* ---- the method ---- */

static bool fits(const gg_conv_geometry *g, gg_conv_pass pass)
{
    (void)pass;
    return gg_conv_planes_fit(g);
}

static int64_t workspace(const gg_conv_geometry *g, gg_conv_pass pass, int threads)
{
    if (pass == GG_CONV_BACKWARD_WEIGHTS)
        return gg_tiled_weights_workspace(g, threads);
    gg_conv_planes p;
    gg_conv_planes_of(&p, g);
    int64_t most = layout_of(g, &p, pass, threads).total;
    if (g->batch >= threads) { /* a smaller batch is laid out in another way */
        gg_conv_geometry one = *g;
        one.batch = 1;
        const int64_t floats = layout_of(&one, &p, pass, threads).total;
        most = floats > most ? floats : most;
    }
    return most;
}

const gg_conv_method gg_conv_tiled = {fits, workspace, {forward, backward_data, gg_tiled_weights}};
