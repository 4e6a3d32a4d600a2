/* conv_winograd.c - convolution by minimal filtering, F(2x2, 3x3) and F(4x4, 3x3): 16 products for 36, 36 for 144; and
 * the latter in steps of two pixels, 81 for 144.
 *
 * winograd.h says what is computed. Y and dX are made of four pieces, in one of two orders:
 *  shallow: U of all filters by all threads. Then each thread takes blocks of its rows of tiles: V of the block, which
 *           stays in the second level, and for each panel of 64 filters M = V . U and Y from M. U passes by once for
 *           each block.
 *  deep:    where U is more than a cache holds or tiles are few, U never reaches memory. V of a long block of rows by
 *           all threads; then each thread takes panels of its filters, and for each panel some channels at a time: U of
 *           these, and what they give to M of the block; at last Y. V passes by once for each panel. */
#include <limits.h>
#include <stddef.h>

#include "parallel.h"
#include "product.h"
#include "winograd.h"

/* Padded rows of V and U are the leading dimensions of products, which are ints. */
enum { MOST_CHANNELS = INT_MAX - 1024 };

static bool fits_in_steps(const gg_conv_geometry *g, int64_t step)
{
    return g->kernel_height == 3 && g->kernel_width == 3 && g->stride_y == step && g->stride_x == step
           && g->dilation_y == 1 && g->dilation_x == 1 && g->groups == 1 && g->channels < MOST_CHANNELS
           && g->filters < MOST_CHANNELS;
}

static bool fits(const gg_conv_geometry *g, gg_conv_pass pass)
{
    (void)pass;
    return fits_in_steps(g, 1);
}

static bool fits_strided(const gg_conv_geometry *g, gg_conv_pass pass)
{
    (void)pass;
    return fits_in_steps(g, 2);
}

/* The pass on its way; `rows`: the deep block. */
typedef struct job {
    const gg_winograd *p;
    const gg_conv_call *call;
    gg_winograd_range rows;
} job;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- pieces ---- */

/* All of U, cut into groups of filters times groups of channels. */
static void make_filters(void *context, int part, int parts)
{
    const job *j = context;
    const gg_winograd *p = j->p;
    const gg_winograd_scratch own = gg_winograd_own(p, j->call->workspace, part);
    const int64_t depth = gg_winograd_groups(p->channels);
    const gg_winograd_range mine = gg_winograd_share(0, gg_winograd_groups(p->filters) * depth, part, parts);
    for (int64_t i = mine.begin; i < mine.end; i++) {
        const int64_t group = i / depth, panel = group * GG_GROUP / GG_PANEL, channel = i % depth * GG_GROUP;
        const int64_t width = gg_winograd_panel_width(p, panel);
        float *u = gg_winograd_at(j->call->workspace, p->u, part) + panel * p->u_values * p->u_stride + channel * width;
        gg_winograd_filters(p, u + group * GG_GROUP % GG_PANEL, width, j->call->w, group,
                            (gg_winograd_range){channel, least(channel + GG_GROUP, p->channels)}, &own);
    }
}

/* M = V . U over some channels, from 0 on, or M += V . U over further ones; u begins with the first of them. Sums of
 * many channels are sums of shorter ones: a single one that is much larger than the others makes all later additions
 * coarse. */
static void multiply(const gg_winograd *p, float *m, const float *v, const float *u, int64_t tiles, int64_t width,
                     gg_winograd_range channels)
{
    gg_winograd_product q = gg_winograd_first_product(p);
    do
        for (int64_t begin = channels.begin; begin < channels.end; begin += GG_WINOGRAD_SUM)
            gg_product_run_serial(&(gg_product){.c = m + q.m * p->m_stride,
                                                .ldc = width,
                                                .a = v + q.v * p->v_stride + begin,
                                                .lda = p->v_row,
                                                .b = u + q.u * p->u_stride + (begin - channels.begin) * width,
                                                .ldb = width,
                                                .m = tiles,
                                                .n = width,
                                                .k = least(GG_WINOGRAD_SUM, channels.end - begin),
                                                .packed_b = true,
                                                .alpha = 1.0f,
                                                .beta = begin > 0 || !q.first ? 1.0f : 0.0f});
    while (gg_winograd_next_product(p, &q));
}

/* Rows of tiles from M of `width` filters from group `first` on. */
static void finish(const job *j, const float *m, gg_winograd_range rows, int64_t first, int64_t width,
                   const gg_winograd_scratch *own)
{
    for (int64_t i = 0; i < width; i += GG_GROUP)
        gg_winograd_output(j->p, j->call, m + i, width, first + i / GG_GROUP, rows, own);
}

static const float *source(const job *j)
{
    return j->p->turned ? j->call->dy : j->call->x;
}

/* ---- shallow ---- */

static void shallow_block(const job *j, gg_winograd_range rows, int part, const gg_winograd_scratch *own)
{
    const gg_winograd *p = j->p;
    float *v = gg_winograd_at(j->call->workspace, p->v, part), *m = gg_winograd_at(j->call->workspace, p->m, part);
    const float *u = gg_winograd_at(j->call->workspace, p->u, part);
    for (int64_t group = 0; group < gg_winograd_groups(p->channels); group++)
        gg_winograd_input(p, v + group * GG_GROUP, source(j), group, rows, own);
    for (int64_t panel = 0; panel < gg_winograd_panels(p); panel++) {
        const int64_t width = gg_winograd_panel_width(p, panel);
        multiply(p, m, v, u + panel * p->u_values * p->u_stride, (rows.end - rows.begin) * p->row_tiles, width,
                 (gg_winograd_range){0, p->channels});
        finish(j, m, rows, panel * GG_PANEL / GG_GROUP, width, own);
    }
}

static void shallow_blocks(void *context, int part, int parts)
{
    const job *j = context;
    const gg_winograd_scratch own = gg_winograd_own(j->p, j->call->workspace, part);
    const gg_winograd_range mine = gg_winograd_share(0, j->p->rows, part, parts);
    const int blocks = gg_winograd_pieces(mine.end - mine.begin, j->p->block_rows);
    for (int i = 0; i < blocks; i++)
        shallow_block(j, gg_winograd_share(mine.begin, mine.end, i, blocks), part, &own);
}

/* ---- deep ---- */

/* V of the block, cut into groups of channels times rows. */
static void make_input(void *context, int part, int parts)
{
    const job *j = context;
    const gg_winograd *p = j->p;
    const gg_winograd_scratch own = gg_winograd_own(p, j->call->workspace, part);
    const int64_t items = gg_winograd_groups(p->channels) * (j->rows.end - j->rows.begin);
    const gg_winograd_range mine = gg_winograd_share(0, items, part, parts);
    gg_winograd_piece piece;
    for (int64_t i = mine.begin; i < mine.end; i += piece.rows.end - piece.rows.begin) {
        piece = gg_winograd_piece_at(j->rows, i, mine.end);
        const int64_t first = (piece.rows.begin - j->rows.begin) * p->row_tiles;
        float *v = gg_winograd_at(j->call->workspace, p->v, part) + first * p->v_row + piece.group * GG_GROUP;
        gg_winograd_input(p, v, source(j), piece.group, piece.rows, &own);
    }
}

/* Up to 64 filters from group `first` on: U of some channels, which stays in the second level, then their share of M.
 */
static void deep_panel(const job *j, int64_t first, int64_t groups, int part, const gg_winograd_scratch *own)
{
    const gg_winograd *p = j->p;
    const int64_t width = groups * GG_GROUP, tiles = (j->rows.end - j->rows.begin) * p->row_tiles;
    const float *v = gg_winograd_at(j->call->workspace, p->v, part);
    float *u = gg_winograd_at(j->call->workspace, p->u, part), *m = gg_winograd_at(j->call->workspace, p->m, part);
    for (int64_t channel = 0, end; channel < p->channels; channel = end) {
        end = least(channel + p->u_channels, p->channels);
        const gg_winograd_range channels = {channel, end};
        for (int64_t i = 0; i < groups; i++)
            gg_winograd_filters(p, u + i * GG_GROUP, width, j->call->w, first + i, channels, own);
        multiply(p, m, v, u, tiles, width, channels);
    }
    finish(j, m, j->rows, first, width, own);
}

static void deep_panels(void *context, int part, int parts)
{
    const job *j = context;
    const gg_winograd_scratch own = gg_winograd_own(j->p, j->call->workspace, part);
    const gg_winograd_range mine = gg_winograd_share(0, gg_winograd_groups(j->p->filters), part, parts);
    const int panels = gg_winograd_pieces(mine.end - mine.begin, GG_PANEL / GG_GROUP);
    for (int i = 0; i < panels; i++) {
        const gg_winograd_range groups = gg_winograd_share(mine.begin, mine.end, i, panels);
        deep_panel(j, groups.begin, groups.end - groups.begin, part, &own);
    }
}

/* ---- the method ---- */

static void run_data(const gg_conv_call *call, gg_conv_pass pass, gg_winograd_form form)
{
    const gg_winograd p = gg_winograd_plan(&call->g, pass, form, call->threads);
    job j = {.p = &p, .call = call};
    if (!p.deep) {
        gg_parallel_run(p.parts, make_filters, &j);
        gg_parallel_run(p.parts, shallow_blocks, &j);
        return;
    }
    const int chunks = gg_winograd_pieces(p.rows, p.block_rows);
    for (int i = 0; i < chunks; i++) {
        j.rows = gg_winograd_share(0, p.rows, i, chunks);
        gg_parallel_run(p.parts, make_input, &j);
        gg_parallel_run(p.parts, deep_panels, &j);
    }
}

/* The functions of a method that does a form. */
#define METHOD(suffix, form)                                                                     \
    static int64_t workspace_##suffix(const gg_conv_geometry *g, gg_conv_pass pass, int threads) \
    {                                                                                            \
        return gg_winograd_plan(g, pass, form, threads).total;                                   \
    }                                                                                            \
    static void forward_##suffix(const gg_conv_call *call)                                       \
    {                                                                                            \
        run_data(call, GG_CONV_FORWARD, form);                                                   \
    }                                                                                            \
    static void backward_data_##suffix(const gg_conv_call *call)                                 \
    {                                                                                            \
        run_data(call, GG_CONV_BACKWARD_DATA, form);                                             \
    }                                                                                            \
    static void weights_##suffix(const gg_conv_call *call)                                       \
    {                                                                                            \
        gg_winograd_weights(call, form);                                                         \
    }
METHOD(2, GG_WINOGRAD_2)
METHOD(4, GG_WINOGRAD_4)
METHOD(strided, GG_WINOGRAD_STRIDED)

const gg_conv_method gg_conv_winograd_2 = {fits, workspace_2, {forward_2, backward_data_2, weights_2}};
const gg_conv_method gg_conv_winograd_4 = {fits, workspace_4, {forward_4, backward_data_4, weights_4}};
const gg_conv_method gg_conv_winograd_strided = {
    fits_strided, workspace_strided, {forward_strided, backward_data_strided, weights_strided}};
