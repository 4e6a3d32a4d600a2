/* winograd_plan.c - a pass of minimal filtering laid out: tiles, order, blocks, workspace.
 *
 * The workspace, in whole cache lines ("own" comes once for each thread; a block is some rows of tiles):
 *     data, shallow     [ U of all panels | own: pixels, columns, taps, V of a block, M of a block and panel ]
 *     data, deep        [ V of a block | own: pixels, columns, taps, M of a block and panel, U of 128 channels and a
 *                         panel ]
 *     weights, shallow  [ own: pixels, columns, taps, V of a block, dM of a block and panel, dU of all panels ]
 *     weights, deep     [ V of a block | dM of a block, all panels | own: pixels, columns, taps, dU of 64 channels and
 *                         a panel ] */
#include <stddef.h>

#include "product.h"
#include "winograd.h"

enum {
    TAPS = 3,
    PIXELS = 24576,    /* floats of a band of pixels, 96 KiB: stays in the second level */
    FEWEST_TILES = 24, /* of a block: fewer rows waste the products */
    DEEP_TILES = 256,  /* of a block of the deep order: V and M of them go through the third level */
    DEEP_CHANNELS =
        128, /* a multiple of GG_WINOGRAD_SUM; U of them and 64 filters, 1.2 MB, stays in the second level */
    SHALLOW = 256 * 256,     /* channels * filters up to which U passes by from the third level */
    FEW_FILTERS = 128 * 128, /* channels * filters whose U passes by so fast that there is nothing to gain */
    WEIGHTS_TILES = 64,      /* of a deep block: 64 channels of V, 64 filters of dM and their dU stay in the second
                                level */
    WEIGHTS_CHANNELS = 64,
    WEIGHTS_SHALLOW = 1 << 17, /* channels * filters * threads up to which each thread has a dU */
    PART_WORK = 1 << 18        /* multiply-adds below which another thread does not pay */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t quotient_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t odd_lines(int64_t floats)
{
    return (gg_conv_lines(floats) / 16 | 1) * 16;
}

gg_winograd_range gg_winograd_share(int64_t begin, int64_t end, int part, int parts)
{
    const int64_t n = end - begin, each = n / parts, rest = n % parts;
    return (gg_winograd_range){begin + each * part + rest * part / parts,
                               begin + each * (part + 1) + rest * (part + 1) / parts};
}

static void set_sizes(gg_winograd *p, const gg_conv_geometry *g, gg_conv_pass pass)
{
    p->turned = pass == GG_CONV_BACKWARD_DATA;
    p->batch = g->batch;
    p->channels = p->turned ? g->filters : g->channels;
    p->height = p->turned ? g->out_height : g->height;
    p->width = p->turned ? g->out_width : g->width;
    p->pad_top = p->turned ? TAPS - 1 - g->pad_top : g->pad_top;
    p->pad_left = p->turned ? TAPS - 1 - g->pad_left : g->pad_left;
    p->filters = p->turned ? g->channels : g->filters;
    p->out_height = p->turned ? g->height : g->out_height;
    p->out_width = p->turned ? g->width : g->out_width;
    p->image_rows = quotient_up(p->out_height, p->tile);
    p->row_tiles = quotient_up(p->out_width, p->tile);
    p->rows = p->batch * p->image_rows;
}

static int parts_for(const gg_winograd *p, int threads)
{
    const double work =
        (double)(p->rows * p->row_tiles * p->points) * (double)p->channels * (double)p->filters / PART_WORK;
    const int64_t most_parts = p->deep ? threads : least(threads, p->rows); /* no thread without a dU to add up */
    return work < (double)most_parts ? (int)work + 1 : (int)most_parts;
}

/* Rows of tiles that give at most this many tiles: at least one, at most all. */
static int64_t rows_of(const gg_winograd *p, int64_t tiles)
{
    return least(p->rows, most(1, tiles / p->row_tiles));
}

/* Tiles of a shallow block. U or dU, channels * filters of it, pass by once for a block, V and M, tiles * (channels +
 * filters): with as many tiles neither is more than the other. */
static int64_t shallow_tiles(const gg_winograd *p)
{
    const double channels = (double)p->channels, filters = (double)p->filters;
    return most(FEWEST_TILES, (int64_t)(channels * filters / (channels + filters)));
}

/* Which order suits how many images: a thread without a whole block gains nothing from a U of all filters. */
static bool few_tiles(const gg_winograd *p, int threads)
{
    return p->rows * p->row_tiles < threads * shallow_tiles(p);
}

/* The order of a layer, unless it depends on the number of images. The threads share the groups of filters of a deep
 * layer; the blocks of its dW are enough for all. */
typedef enum order { SHALLOW_ORDER, DEEP_ORDER, ORDER_BY_TILES } order;

static order order_of(const gg_winograd *p, bool weights, int threads)
{
    const double filters = (double)p->channels * (double)p->filters;
    const bool shared = gg_winograd_groups(p->filters) >= threads;
    if (weights ? filters * threads > WEIGHTS_SHALLOW : filters > SHALLOW && shared)
        return DEEP_ORDER;
    return filters > FEW_FILTERS && shared ? ORDER_BY_TILES : SHALLOW_ORDER;
}

static void set_blocks(gg_winograd *p, bool weights)
{
    p->block_rows = rows_of(p, !p->deep ? shallow_tiles(p) : weights ? WEIGHTS_TILES : DEEP_TILES);
    p->u_channels = p->deep ? least(p->channels, weights ? WEIGHTS_CHANNELS : DEEP_CHANNELS) : p->channels;
    const int64_t widest = most(p->width, p->out_width);
    p->band_rows = least(p->image_rows, most(1, (PIXELS / (GG_GROUP * widest) - TAPS + 1) / p->tile));
    p->v_row = gg_winograd_groups(p->channels) * GG_GROUP;
    p->v_stride = odd_lines(p->block_rows * p->row_tiles * p->v_row);
    p->m_stride = odd_lines(p->block_rows * p->row_tiles * GG_PANEL);
    p->u_stride = odd_lines(p->u_channels * GG_PANEL);
}

static void place(gg_winograd_area *area, int64_t *end, int64_t floats)
{
    area->offset = *end;
    *end += gg_conv_lines(floats);
}

static void set_workspace(gg_winograd *p, bool weights)
{
    const int64_t panels = quotient_up(p->filters, GG_PANEL);
    const int64_t v = p->points * p->v_stride, u = p->points * p->u_stride, m = p->points * p->m_stride;
    int64_t end = 0;
    if (p->deep)
        place(&p->v, &end, v);
    if (weights && p->deep)
        place(&p->m, &end, panels * m);
    if (!weights && !p->deep)
        place(&p->u, &end, panels * u);
    const int64_t shared = end;
    const int64_t widest = most(p->width, p->out_width);
    place(&p->pixels, &end, (p->band_rows * p->tile + TAPS - 1) * widest * GG_GROUP);
    place(&p->columns, &end, (p->row_tiles * p->tile + TAPS - 1) * (p->tile + TAPS - 1) * GG_GROUP);
    place(&p->taps, &end, (int64_t)GG_GROUP * TAPS * TAPS * GG_GROUP);
    if (!p->deep)
        place(&p->v, &end, v);
    if (!weights || !p->deep)
        place(&p->m, &end, m);
    if (weights || p->deep)
        place(&p->u, &end, weights && !p->deep ? panels * u : u);
    const int64_t own = end - shared;
    gg_winograd_area *const areas[] = {&p->v, &p->u, &p->m, &p->pixels, &p->columns, &p->taps};
    for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
        areas[i]->step = areas[i]->offset >= shared ? own : 0;
    p->total = shared + p->parts * own;
}

static void lay_out(gg_winograd *p, bool deep, bool weights, int threads)
{
    p->deep = deep;
    p->parts = parts_for(p, threads);
    set_blocks(p, weights);
    set_workspace(p, weights);
}

gg_winograd gg_winograd_plan(const gg_conv_geometry *g, gg_conv_pass pass, int tile, int threads)
{
    gg_winograd p = {.tile = tile, .points = (tile + TAPS - 1) * (tile + TAPS - 1)};
    const bool weights = pass == GG_CONV_BACKWARD_WEIGHTS;
    set_sizes(&p, g, pass);
    const order wanted = order_of(&p, weights, threads);
    if (wanted != ORDER_BY_TILES) {
        lay_out(&p, wanted == DEEP_ORDER, weights, threads);
        return p;
    }
    /* Fewer images may take the other order: the workspace is enough for both. */
    gg_winograd other = p;
    const bool deep = few_tiles(&p, threads);
    lay_out(&p, deep, weights, threads);
    lay_out(&other, !deep, weights, threads);
    p.total = most(p.total, other.total);
    return p;
}

gg_winograd_scratch gg_winograd_own(const gg_winograd *p, float *workspace, int part)
{
    return (gg_winograd_scratch){.pixels = gg_winograd_at(workspace, p->pixels, part),
                                 .columns = gg_winograd_at(workspace, p->columns, part),
                                 .taps = gg_winograd_at(workspace, p->taps, part)};
}
