/* winograd_plan.c - a pass of minimal filtering laid out: tiles, order, blocks, workspace.
 *
 * The workspace, in whole cache lines ("own" comes once for each thread; a block is some rows of tiles):
 *     data, shallow     [ U of all panels | own: pixels, taps, V of a block, M of a block and panel ]
 *     data, deep        [ V of a block | own: pixels, taps, M of a block and panel, U of 128 channels and a
 *                         panel ]
 *     weights, shallow  [ own: pixels, taps, V of a block, dM of a block and panel, dU of all panels ]
 *     weights, deep     [ V of a block | dM of a block, all panels | own: pixels, taps, dU of 64 channels and
 *                         a panel ] */
#include <stddef.h>

#include "product.h"
#include "winograd.h"

enum {
    TAPS = 3,
    PIXELS = 9000,     /* floats of a band of pixels, 35 KiB: little of it leaves the first level */
    FEWEST_TILES = 24, /* of a block: fewer rows waste the products */
    DEEP_TILES = 256,  /* of a block of the deep order: V and M of them go through the third level */
    DEEP_CHANNELS =
        128,           /* a multiple of GG_WINOGRAD_SUM; U of them and 64 filters, 1.2 MB, stays in the second level */
    USUAL_VALUES = 36, /* of a filter: with more of them U and dU are larger than these numbers say */
    SHALLOW = 256 * 256,     /* channels * filters up to which U passes by from the third level */
    FEW_FILTERS = 128 * 128, /* channels * filters whose U passes by so fast that there is nothing to gain */
    WEIGHTS_TILES = 64,      /* of a deep block: 64 channels of V, 64 filters of dM and their dU stay in the second
                                level */
    WEIGHTS_CHANNELS = 64,
    WEIGHTS_BLOCK = 32, /* tiles at most of a shallow block with few filters: with more of them V, dM and dU drive
                           each other out of the second level */
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

/* Zeros before what is convolved along a direction, and results to skip. In steps of two dX begins with an odd pixel
 * of the padded image, one before the first where the padding is even. */
static void set_pad(int64_t *before, int64_t *skipped, gg_winograd_form form, bool turned, int64_t pad)
{
    *skipped = form == GG_WINOGRAD_STRIDED_TURNED && pad % 2 == 0;
    *before = !turned ? pad : form == GG_WINOGRAD_STRIDED_TURNED ? (1 - pad + *skipped) / 2 : TAPS - 1 - pad;
}

static void set_sizes(gg_winograd *p, const gg_conv_geometry *g, gg_conv_pass pass)
{
    p->turned = pass == GG_CONV_BACKWARD_DATA;
    p->n = gg_winograd_sizes_of(p->form);
    p->v_values = p->n.inputs * p->n.inputs;
    p->u_values = p->n.products * p->n.products;
    p->m_values = p->n.outputs * p->n.outputs;
    p->batch = g->batch;
    p->channels = p->turned ? g->filters : g->channels;
    p->height = p->turned ? g->out_height : g->height;
    p->width = p->turned ? g->out_width : g->width;
    set_pad(&p->pad_top, &p->skipped_rows, p->form, p->turned, g->pad_top);
    set_pad(&p->pad_left, &p->skipped_columns, p->form, p->turned, g->pad_left);
    p->filters = p->turned ? g->channels : g->filters;
    p->out_height = p->turned ? g->height : g->out_height;
    p->out_width = p->turned ? g->width : g->out_width;
    p->image_rows = quotient_up(p->skipped_rows + p->out_height, p->n.results);
    p->row_tiles = quotient_up(p->skipped_columns + p->out_width, p->n.results);
    p->rows = p->batch * p->image_rows;
}

static int parts_for(const gg_winograd *p, int threads)
{
    const double work =
        (double)(p->rows * p->row_tiles * p->u_values) * (double)p->channels * (double)p->filters / PART_WORK;
    const int64_t most_parts = p->deep ? threads : least(threads, p->rows); /* no thread without a dU to add up */
    return work < (double)most_parts ? (int)work + 1 : (int)most_parts;
}

/* Rows of tiles that give at most this many tiles: at least one, at most all. */
static int64_t rows_of(const gg_winograd *p, int64_t tiles)
{
    return least(p->rows, most(1, tiles / p->row_tiles));
}

/* Tiles of a shallow block. U or dU, channels * filters of it, pass by once for a block, V and M, tiles *
 * (channels + filters): with as many tiles neither is more than the other. */
static int64_t shallow_tiles(const gg_winograd *p)
{
    const double channels = (double)p->channels, filters = (double)p->filters;
    return most(FEWEST_TILES, (int64_t)(channels * filters / (channels + filters)));
}

static int64_t weights_tiles(const gg_winograd *p)
{
    const int64_t tiles = shallow_tiles(p);
    return p->channels * p->filters <= FEW_FILTERS ? least(WEIGHTS_BLOCK, tiles) : tiles;
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
    const double larger = p->u_values > USUAL_VALUES ? (double)p->u_values / USUAL_VALUES : 1.0;
    const double filters = (double)p->channels * (double)p->filters * larger;
    const bool shared = gg_winograd_groups(p->filters) >= threads;
    if (weights ? filters * threads > WEIGHTS_SHALLOW : filters > SHALLOW && shared)
        return DEEP_ORDER;
    return filters > FEW_FILTERS && shared ? ORDER_BY_TILES : SHALLOW_ORDER;
}

static void set_blocks(gg_winograd *p, bool weights)
{
    const int64_t tiles = p->deep   ? (weights ? WEIGHTS_TILES : DEEP_TILES)
                          : weights ? weights_tiles(p)
                                    : shallow_tiles(p);
    p->block_rows = rows_of(p, tiles);
    p->u_channels = p->deep ? least(p->channels, weights ? WEIGHTS_CHANNELS : DEEP_CHANNELS) : p->channels;
    const int64_t widest = most(p->width, p->out_width);
    const int64_t overlap = p->n.pixels - p->n.step, rows = most(p->n.step, p->n.results);
    p->band_rows = least(p->image_rows, most(1, (PIXELS / (GG_GROUP * widest) - overlap) / rows));
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
    const int64_t v = p->v_values * p->v_stride, u = p->u_values * p->u_stride, m = p->m_values * p->m_stride;
    int64_t end = 0;
    if (p->deep)
        place(&p->v, &end, v);
    if (weights && p->deep)
        place(&p->m, &end, panels * m);
    if (!weights && !p->deep)
        place(&p->u, &end, panels * u);
    const int64_t shared = end;
    const int64_t widest = most(p->width, p->out_width);
    const int64_t overlap = p->n.pixels - p->n.step, rows = p->band_rows * most(p->n.step, p->n.results) + overlap;
    place(&p->pixels, &end, rows * widest * GG_GROUP);
    place(&p->taps, &end, (int64_t)GG_GROUP * TAPS * TAPS * GG_GROUP);
    if (!p->deep)
        place(&p->v, &end, v);
    if (!weights || !p->deep)
        place(&p->m, &end, m);
    if (weights || p->deep)
        place(&p->u, &end, weights && !p->deep ? panels * u : u);
    const int64_t own = end - shared;
    gg_winograd_area *const areas[] = {&p->v, &p->u, &p->m, &p->pixels, &p->taps};
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

gg_winograd gg_winograd_plan(const gg_conv_geometry *g, gg_conv_pass pass, gg_winograd_form form, int threads)
{
    const bool turned = form == GG_WINOGRAD_STRIDED && pass == GG_CONV_BACKWARD_DATA;
    gg_winograd p = {.form = turned ? GG_WINOGRAD_STRIDED_TURNED : form};
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

/* Values along a direction of which some belong to the same points: the even pixels' and behind them the odd ones'. */
static int points_of(const gg_winograd *p)
{
    return p->n.inputs < p->n.outputs ? p->n.inputs : p->n.outputs;
}

static void set_product(const gg_winograd *p, gg_winograd_product *product)
{
    const int points = points_of(p), y = product->y, x = product->x;
    const int64_t point = y % points * points + x % points;
    product->u = y * p->n.products + x;
    product->v = p->n.inputs == points ? point : product->u;
    product->m = p->n.outputs == points ? point : product->u;
    product->first = y < p->n.outputs && x < p->n.outputs;
}

gg_winograd_product gg_winograd_first_product(const gg_winograd *p)
{
    gg_winograd_product product = {0};
    set_product(p, &product);
    return product;
}

bool gg_winograd_next_product(const gg_winograd *p, gg_winograd_product *product)
{
    const int points = points_of(p);
    int y = product->y, x = product->x + points; /* the odd pixels at the same points, along x and then along y */
    if (x >= p->n.products) {
        x %= points;
        y += points;
    }
    if (y >= p->n.products) { /* the next points */
        y = y % points + (x + 1) / points;
        x = (x + 1) % points;
        if (y == points)
            return false;
    }
    product->y = y;
    product->x = x;
    set_product(p, product);
    return true;
}

gg_winograd_scratch gg_winograd_own(const gg_winograd *p, float *workspace, int part)
{
    return (gg_winograd_scratch){.pixels = gg_winograd_at(workspace, p->pixels, part),
                                 .taps = gg_winograd_at(workspace, p->taps, part)};
}
