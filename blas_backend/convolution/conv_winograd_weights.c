/* conv_winograd_weights.c - the gradient of the filters by minimal filtering.
 *
 * dU [channels][filters] = V^T . dM for each product, summed over all tiles; dW from dU (winograd.h). Two orders:
 *  shallow: each thread has a dU of its own for all filters. It takes blocks of its rows of tiles: V of the block, and
 *           for each panel of 64 filters dM and dU += V^T . dM. At the end the threads' dU are added up, one after the
 *           other, a few channels and a panel at a time, and become dW.
 *  deep:    where such a dU is more than a cache holds, there is never one. V and dM of a block of rows by all threads;
 * then each thread takes blocks of 64 channels by 64 filters: dU of the block over these rows, and dW of it. Either way
 * the order of summation depends on the shape and the number of threads alone. */
#include <stddef.h>

#include "kernels/kernels.h"
#include "parallel.h"
#include "product.h"
#include "winograd.h"

/* The pass on its way; `rows`: the deep block. */
typedef struct job {
    const gg_winograd *p;
    const gg_conv_call *call;
    gg_winograd_range rows;
    float beta; /* of dW */
} job;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* du [channel][width] = beta du + V^T . dM for each product; rows of du are `width` floats. */
static void multiply(const gg_winograd *p, float *du, const float *v, const float *m, int64_t channels, int64_t tiles,
                     int64_t width, float beta)
{
    gg_winograd_product q = gg_winograd_first_product(p);
    do
        gg_product_run_serial(&(gg_product){.c = du + q.u * p->u_stride,
                                            .ldc = width,
                                            .a = v + q.v * p->v_stride,
                                            .lda = p->v_row,
                                            .b = m + q.m * p->m_stride,
                                            .ldb = width,
                                            .m = channels,
                                            .n = width,
                                            .k = tiles,
                                            .transpose_a = true,
                                            .packed_b = true,
                                            .alpha = 1.0f,
                                            .beta = beta});
    while (gg_winograd_next_product(p, &q));
}

/* ---- shallow ---- */

static void shallow_block(const job *j, gg_winograd_range rows, int part, float beta, const gg_winograd_scratch *own)
{
    const gg_winograd *p = j->p;
    float *v = gg_winograd_at(j->call->workspace, p->v, part), *m = gg_winograd_at(j->call->workspace, p->m, part);
    float *du = gg_winograd_at(j->call->workspace, p->u, part);
    const int64_t tiles = (rows.end - rows.begin) * p->row_tiles;
    for (int64_t group = 0; group < gg_winograd_groups(p->channels); group++)
        gg_winograd_input(p, v + group * GG_GROUP, j->call->x, group, rows, own);
    for (int64_t panel = 0; panel < gg_winograd_panels(p); panel++) {
        const int64_t width = gg_winograd_panel_width(p, panel);
        for (int64_t i = 0; i < width; i += GG_GROUP)
            gg_winograd_gradient(p, m + i, width, j->call->dy, (panel * GG_PANEL + i) / GG_GROUP, rows, own);
        multiply(p, du + panel * p->u_values * p->u_stride, v, m, p->channels, tiles, width, beta);
    }
}

static void shallow_blocks(void *context, int part, int parts)
{
    const job *j = context;
    const gg_winograd_scratch own = gg_winograd_own(j->p, j->call->workspace, part);
    const gg_winograd_range mine = gg_winograd_share(0, j->p->rows, part, parts);
    const int blocks = gg_winograd_pieces(mine.end - mine.begin, j->p->block_rows);
    for (int i = 0; i < blocks; i++)
        shallow_block(j, gg_winograd_share(mine.begin, mine.end, i, blocks), part, i == 0 ? 0.0f : 1.0f, &own);
}

/* Add the other threads' dU of some channels and a panel to the first thread's. */
static void add_up(const job *j, int64_t panel, gg_winograd_range channels)
{
    const gg_winograd *p = j->p;
    const int64_t width = gg_winograd_panel_width(p, panel), floats = (channels.end - channels.begin) * width;
    for (int64_t value = 0; value < p->u_values; value++) {
        const int64_t offset = (panel * p->u_values + value) * p->u_stride + channels.begin * width;
        float *sum = gg_winograd_at(j->call->workspace, p->u, 0) + offset;
        for (int part = 1; part < p->parts; part++)
            gg_kernels()->add(sum, sum, gg_winograd_at(j->call->workspace, p->u, part) + offset, floats);
    }
}

static void finish(const job *j, float *du, int64_t panel, gg_winograd_range channels, const gg_winograd_scratch *own)
{
    const int64_t width = gg_winograd_panel_width(j->p, panel);
    for (int64_t i = 0; i < width; i += GG_GROUP)
        gg_winograd_filter_gradient(j->p, j->call->dw, j->beta, du + i, width, (panel * GG_PANEL + i) / GG_GROUP,
                                    channels, own);
}

/* dW, cut into panels times groups of channels. */
static void shallow_finish(void *context, int part, int parts)
{
    const job *j = context;
    const gg_winograd *p = j->p;
    const gg_winograd_scratch own = gg_winograd_own(p, j->call->workspace, part);
    const int64_t depth = gg_winograd_groups(p->channels);
    const gg_winograd_range mine = gg_winograd_share(0, gg_winograd_panels(p) * depth, part, parts);
    for (int64_t i = mine.begin; i < mine.end; i++) {
        const int64_t panel = i / depth, channel = i % depth * GG_GROUP;
        const gg_winograd_range channels = {channel, least(channel + GG_GROUP, p->channels)};
        add_up(j, panel, channels);
        finish(j,
               gg_winograd_at(j->call->workspace, p->u, 0) + panel * p->u_values * p->u_stride
                   + channel * gg_winograd_panel_width(p, panel),
               panel, channels, &own);
    }
}

/* ---- deep ---- */

/* Rows of one group: of V, or behind them of dM. */
static void transform_group(const job *j, int64_t group, gg_winograd_range rows, int part,
                            const gg_winograd_scratch *own)
{
    const gg_winograd *p = j->p;
    const int64_t depth = gg_winograd_groups(p->channels), first = (rows.begin - j->rows.begin) * p->row_tiles;
    if (group < depth) {
        float *v = gg_winograd_at(j->call->workspace, p->v, part);
        gg_winograd_input(p, v + first * p->v_row + group * GG_GROUP, j->call->x, group, rows, own);
        return;
    }
    const int64_t filter = (group - depth) * GG_GROUP, panel = filter / GG_PANEL;
    const int64_t width = gg_winograd_panel_width(p, panel);
    float *m = gg_winograd_at(j->call->workspace, p->m, part) + panel * p->m_values * p->m_stride;
    gg_winograd_gradient(p, m + first * width + filter % GG_PANEL, width, j->call->dy, group - depth, rows, own);
}

/* V and dM of the block, cut into groups times rows. */
static void make_operands(void *context, int part, int parts)
{
    const job *j = context;
    const gg_winograd_scratch own = gg_winograd_own(j->p, j->call->workspace, part);
    const int64_t groups = gg_winograd_groups(j->p->channels) + gg_winograd_groups(j->p->filters);
    const gg_winograd_range mine = gg_winograd_share(0, groups * (j->rows.end - j->rows.begin), part, parts);
    gg_winograd_piece piece;
    for (int64_t i = mine.begin; i < mine.end; i += piece.rows.end - piece.rows.begin) {
        piece = gg_winograd_piece_at(j->rows, i, mine.end);
        transform_group(j, piece.group, piece.rows, part, &own);
    }
}

/* dW by blocks of channels and filters, those of the same channels together. */
static void deep_blocks(void *context, int part, int parts)
{
    const job *j = context;
    const gg_winograd *p = j->p;
    const gg_winograd_scratch own = gg_winograd_own(p, j->call->workspace, part);
    const int64_t panels = gg_winograd_panels(p), tiles = (j->rows.end - j->rows.begin) * p->row_tiles;
    const int64_t blocks = gg_winograd_pieces(p->channels, p->u_channels) * panels;
    const gg_winograd_range mine = gg_winograd_share(0, blocks, part, parts);
    float *du = gg_winograd_at(j->call->workspace, p->u, part);
    for (int64_t i = mine.begin; i < mine.end; i++) {
        const int64_t panel = i % panels, channel = i / panels * p->u_channels;
        const gg_winograd_range channels = {channel, least(channel + p->u_channels, p->channels)};
        multiply(p, du, gg_winograd_at(j->call->workspace, p->v, part) + channel,
                 gg_winograd_at(j->call->workspace, p->m, part) + panel * p->m_values * p->m_stride,
                 channels.end - channel, tiles, gg_winograd_panel_width(p, panel), 0.0f);
        finish(j, du, panel, channels, &own);
    }
}

void gg_winograd_weights(const gg_conv_call *call, gg_winograd_form form)
{
    const gg_winograd p = gg_winograd_plan(&call->g, GG_CONV_BACKWARD_WEIGHTS, form, call->threads);
    job j = {.p = &p, .call = call, .beta = call->accumulate ? 1.0f : 0.0f};
    if (!p.deep) {
        gg_parallel_run(p.parts, shallow_blocks, &j);
        gg_parallel_run(p.parts, shallow_finish, &j);
        return;
    }
    const int chunks = gg_winograd_pieces(p.rows, p.block_rows);
    for (int i = 0; i < chunks; i++) {
        j.rows = gg_winograd_share(0, p.rows, i, chunks);
        gg_parallel_run(p.parts, make_operands, &j);
        gg_parallel_run(p.parts, deep_blocks, &j);
        j.beta = 1.0f;
    }
}
