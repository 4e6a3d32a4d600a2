/* conv_tiled_weights.c - gradients of weights by columns of a few pixels at a time.
 *
 *   dW^T [depth][filters] = sum over pixels of col [depth][pixels] . dY^T [pixels][filters]
 *
 * 128 pixels at a time: dY^T in panels of 64 filters, then pieces of columns, each multiplied with all panels. Where dW
 * is large, or images are few, each thread takes rows of dW^T and goes through all images; otherwise each takes images
 * of its own and has a dW^T of its own, which are added up at the end, in the order of the threads. Filters that leave
 * much of a panel empty go another way then: conv_tiled_lines.c.
 *
 * Workspace of each part: planes of a block of images, dY^T, a piece of columns, its dW^T. */
#include "conv_tiled.h"

#include "blas.h"
#include "parallel.h"

enum {
    PIXELS = 128,       /* products of one element of dW between two visits to it */
    OWN_FLOATS = 200000 /* of a dW that each thread keeps for itself, besides all else, in the second level */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool splits_depth(const gg_conv_geometry *g, int threads)
{
    return g->batch < threads || g->depth * g->group_filters > OWN_FLOATS;
}

bool gg_tiled_has_lines(const gg_conv_geometry *g, int threads)
{
    return !splits_depth(g, threads) && gg_tiled_takes_lines(g);
}

static int64_t row_block(const gg_conv_geometry *g)
{
    return gg_product_row_block(g->depth, GG_SMALL_PRODUCT / (GG_PANEL * PIXELS));
}

typedef struct layout {
    bool by_depth;
    int64_t images; /* of a block */
    int64_t planes, gradient, columns, sum, part;
} layout;

static layout layout_of(const gg_conv_geometry *g, const gg_conv_planes *p, int threads)
{
    layout l = {.by_depth = splits_depth(g, threads)};
    l.images = gg_tiled_images(g, l.by_depth ? g->batch : (g->batch + threads - 1) / threads);
    l.planes = gg_tiled_planes_floats(g, p, l.images);
    l.gradient = gg_conv_lines(PIXELS * g->group_filters);
    l.columns = gg_conv_lines(row_block(g) * PIXELS + GG_CONV_SLACK);
    l.sum = gg_conv_lines(g->depth * g->group_filters);
    l.part = l.planes + l.gradient + l.columns + (l.by_depth ? 0 : l.sum);
    return l;
}

static int64_t total(const gg_conv_geometry *g, const gg_conv_planes *p, int threads)
{
    const layout l = layout_of(g, p, threads);
    return threads * l.part + (l.by_depth ? l.sum : 0);
}

int64_t gg_tiled_weights_workspace(const gg_conv_geometry *g, int threads)
{
    gg_conv_planes p;
    gg_conv_planes_of(&p, g);
    gg_conv_geometry few = *g; /* fewer images than threads may be shared out in another way */
    few.batch = least(g->batch, threads - 1);
    const int64_t here = total(g, &p, threads), there = few.batch > 0 ? total(&few, &p, threads) : 0;
    const int64_t most = here > there ? here : there;
    const int64_t lines = gg_tiled_has_lines(g, threads) ? gg_tiled_lines_workspace(g, threads) : 0;
    return lines > most ? lines : most;
}

/* One thread's work: rows [r0, r1) of dW^T over images [image, image + images) of a block. */
typedef struct piece {
    const gg_conv_call *call;
    const gg_conv_planes *p;
    float *planes, *gradient, *columns, *sum;
    int64_t image, images, group, r0, r1;
    bool first; /* nothing is in `sum` yet */
} piece;

/* dY^T of block pixels [begin, end): panels of 64 filters, [pixels][width] each. */
static void transpose_gradient(const piece *t, int64_t begin, int64_t end)
{
    const gg_conv_geometry *g = &t->call->g;
    for (int64_t pixel = begin; pixel < end;) {
        const int64_t image = pixel / g->pixels, first = pixel % g->pixels;
        const int64_t length = least(g->pixels - first, end - pixel);
        const float *dy =
            t->call->dy + ((t->image + image) * g->filters + t->group * g->group_filters) * g->pixels + first;
        for (int64_t o = 0; o < g->group_filters; o += GG_PANEL) {
            const int64_t width = least(GG_PANEL, g->group_filters - o);
            gg_kernels()->transpose(t->gradient + o * (end - begin) + (pixel - begin) * width, width,
                                    dy + o * g->pixels, g->pixels, width, length);
        }
        pixel += length;
    }
}

static void add_pixels(const piece *t, int64_t begin, int64_t end, bool first)
{
    const gg_conv_geometry *g = &t->call->g;
    gg_pixel_run runs[GG_CONV_MOST_RUNS];
    const int64_t count = gg_conv_planes_runs(runs, t->p, gg_tiled_image_floats(g, t->p), begin, end);
    const int64_t rows = row_block(g), depth = end - begin;
    transpose_gradient(t, begin, end);
    for (int64_t r = t->r0; r < t->r1; r += rows) {
        const int64_t height = least(rows, t->r1 - r);
        gg_kernels()->copy_columns(t->columns, PIXELS, t->planes,
                                   &(gg_tap_rows){r, height, g->taps, t->p->channel_floats, t->p->taps}, runs, count);
        for (int64_t o = 0; o < g->group_filters; o += GG_PANEL) {
            const int64_t width = least(GG_PANEL, g->group_filters - o);
            gg_blas_sgemm(t->sum + r * g->group_filters + o, g->group_filters, t->columns, PIXELS,
                          t->gradient + o * depth, width, height, width, depth, false, false, 1.0f,
                          first ? 0.0f : 1.0f);
        }
    }
}

static void add_block(const piece *t)
{
    const gg_conv_geometry *g = &t->call->g;
    const int64_t pixels = t->images * g->pixels;
    gg_tiled_fill(t->planes, t->call, t->p, t->image, t->images, t->group, t->r0 / g->taps,
                  (t->r1 + g->taps - 1) / g->taps);
    for (int64_t pixel = 0; pixel < pixels; pixel += PIXELS)
        add_pixels(t, pixel, least(pixels, pixel + PIXELS), t->first && pixel == 0);
}

typedef struct job {
    const gg_conv_call *call;
    const gg_conv_planes *p;
    layout l;
    int64_t group;
} job;

static void run_part(void *context, int index, int parts)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    const layout *l = &j->l;
    float *own = j->call->workspace + index * l->part;
    piece t = {j->call, j->p,     own, own + l->planes, own + l->planes + l->gradient, NULL, 0, 0, j->group,
               0,       g->depth, true};
    int64_t end = g->batch;
    if (l->by_depth) {
        t.r0 = gg_tiled_border(g->depth, GG_ROW_TILE, index, parts);
        t.r1 = gg_tiled_border(g->depth, GG_ROW_TILE, index + 1, parts);
        t.sum = j->call->workspace + parts * l->part;
    } else {
        t.image = gg_tiled_border(g->batch, 1, index, parts);
        end = gg_tiled_border(g->batch, 1, index + 1, parts);
        t.sum = t.columns + l->columns;
    }
    for (; t.image < end && t.r0 < t.r1; t.image += t.images, t.first = false) {
        t.images = least(l->images, end - t.image);
        add_block(&t);
    }
}

/* dW of columns [begin, end) from the dW^T of all parts. */
static void put_weights(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    float *dw = j->call->dw + j->group * g->group_filters * g->depth + begin;
    const float *sum = j->call->workspace + (j->l.by_depth ? j->call->threads * j->l.part : j->l.part - j->l.sum);
    const int parts = j->l.by_depth ? 1 : j->call->threads;
    for (int i = 0; i < parts; i++)
        gg_kernels()->transpose_add(dw, g->depth, sum + i * j->l.part + begin * g->group_filters, g->group_filters,
                                    end - begin, g->group_filters, j->call->accumulate || i > 0 ? 1.0f : 0.0f);
}

/* Floats of dW below which a second thread does not pay. */
enum { GRAIN = 8192 };

void gg_tiled_weights(const gg_conv_call *call)
{
    if (gg_tiled_has_lines(&call->g, call->threads)) {
        gg_tiled_lines(call);
        return;
    }
    gg_conv_planes p;
    gg_conv_planes_of(&p, &call->g);
    job j = {call, &p, layout_of(&call->g, &p, call->threads), 0};
    for (j.group = 0; j.group < call->g.groups; j.group++) {
        gg_parallel_run(call->threads, run_part, &j);
        gg_parallel_for(call->g.depth, GRAIN / call->g.group_filters + 1, GG_REGISTER, put_weights, &j);
    }
}
