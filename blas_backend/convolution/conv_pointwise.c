/* conv_pointwise.c - kernels of one tap, stride 1, no padding: an image is its own matrix of columns.
 *
 * For each image and group, X [channels][pixels], Y [filters][pixels], W [filters][channels]:
 *   Y = W . X,  dX = W^T . dY,  dW = sum over the images of dY . X^T
 *
 * W^T is written down first, for the products read rows faster than columns.
 *
 * Y and dX: the pixels of all images, in panels of 64, are shared out among the threads and stream past the weights,
 * which stay in cache. dW: with as many images as threads each thread takes some, and a dW of its own in the workspace,
 * which are added up at the end in the order of the threads; with fewer, each product is shared out among the threads.
 * Small images go as rows: conv_pointwise_rows.c. */
#include "conv_pointwise.h"

#include "backend.h"
#include "kernels/kernels.h"
#include "parallel.h"
#include "product.h"
#include "thread.h"

#include <string.h>

static bool fits(const gg_conv_geometry *g, gg_conv_pass pass)
{
    (void)pass;
    return g->taps == 1 && g->stride_y == 1 && g->stride_x == 1 && g->pad_top == 0 && g->pad_bottom == 0
           && g->pad_left == 0 && g->pad_right == 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t weights(const gg_conv_geometry *g)
{
    return g->filters * g->depth;
}

static int64_t own_workspace(const gg_conv_geometry *g, gg_conv_pass pass, int threads)
{
    if (pass == GG_CONV_BACKWARD_DATA)
        return weights(g);
    return pass == GG_CONV_BACKWARD_WEIGHTS && g->batch >= threads && threads > 1 ? threads * gg_conv_lines(weights(g))
                                                                                  : 0;
}

/* A single image of a batch that goes as rows goes here. */
static int64_t workspace(const gg_conv_geometry *g, gg_conv_pass pass, int threads)
{
    const int64_t own = own_workspace(g, pass, threads);
    const int64_t rows = gg_pointwise_as_rows(g) ? gg_pointwise_rows_workspace(g) : 0;
    return own > rows ? own : rows;
}

/* ---- forward and data: pixels stream through, the weights stay in cache ---- */

/* C = A . B of one group and image, all pixels. */
typedef struct streamed {
    const gg_conv_call *call;
    gg_conv_pass pass;
    int64_t rows, depth; /* of A */
    bool by_rows;        /* what is shared out: rows of C or panels of pixels */
    bool past_caches;    /* C is too large to be found in cache later */
} streamed;

static int64_t panels(const gg_conv_geometry *g)
{
    return (g->pixels + GG_PANEL - 1) / GG_PANEL;
}

static void multiply(const streamed *s, int64_t image, int64_t group, const gg_product_block *block)
{
    const gg_conv_call *call = s->call;
    const gg_conv_geometry *g = &call->g;
    const int64_t x = (image * g->channels + group * g->group_channels) * g->plane;
    const int64_t y = (image * g->filters + group * g->group_filters) * g->pixels;
    const int64_t w = group * g->group_filters * g->depth;
    gg_product p = {
        .m = s->rows, .k = s->depth, .lda = s->depth, .n = g->pixels, .ldb = g->pixels, .ldc = g->pixels, .alpha = 1};
    const gg_epilogue epilogue = {NULL, call->bias != NULL ? call->bias + group * g->group_filters : NULL,
                                  call->activation, call->alpha,
                                  call->preactivation != NULL ? call->preactivation + y : NULL};
    if (s->pass == GG_CONV_FORWARD) {
        p.c = call->y + y, p.a = call->w + w, p.b = call->x + x;
        p.epilogue = gg_conv_has_finish(call) ? &epilogue : NULL;
    } else {
        p.c = call->dx + x, p.a = call->workspace + w, p.b = call->dy + y;
        p.beta = call->accumulate ? 1.0f : 0.0f;
    }
    gg_product_run_streamed(&p, block);
}

/* Panels [begin, end) of the images, counted through, of rows [row, row + rows). */
static void multiply_panels(const streamed *s, int64_t begin, int64_t end, int64_t row, int64_t rows)
{
    const gg_conv_geometry *g = &s->call->g;
    const int64_t each = panels(g);
    for (int64_t next, at = begin; at < end; at = next) {
        const int64_t image = at / each, first = at % each * GG_PANEL;
        next = least(end, (image + 1) * each);
        const int64_t last = least(g->pixels, (next - image * each) * GG_PANEL);
        for (int64_t group = 0; group < g->groups; group++)
            multiply(s, image, group, &(gg_product_block){row, rows, first, last - first, s->past_caches});
    }
}

/* Floats of the weights that stay in the second level beside what streams through. */
enum { MOST_WEIGHTS = 1 << 18 };

static void run_block(const streamed *s, int64_t begin, int64_t end, int64_t row, int64_t rows)
{
    const int64_t block = gg_product_row_block(rows, MOST_WEIGHTS / s->depth);
    for (int64_t r = 0; r < rows; r += block)
        multiply_panels(s, begin, end, row + r, least(block, rows - r));
}

static void run_some(void *context, int64_t begin, int64_t end)
{
    const streamed *s = context;
    if (s->by_rows)
        run_block(s, 0, s->call->g.batch * panels(&s->call->g), begin, end - begin);
    else
        run_block(s, begin, end, 0, s->rows);
}

/* Panels for each thread below which rows are shared out more evenly; multiply-adds below which a second thread does
 * not pay; floats of a C, 4 MB, that no second-level cache holds. */
enum { FEW_PANELS = 8, MULTIPLY_ADDS = 1 << 17, LARGE = 1 << 20 };

static void run_streamed(const gg_conv_call *call, gg_conv_pass pass)
{
    const gg_conv_geometry *g = &call->g;
    const bool forward = pass == GG_CONV_FORWARD;
    streamed s = {call,  pass, forward ? g->group_filters : g->depth, forward ? g->depth : g->group_filters,
                  false, false};
    const int64_t all = g->batch * panels(g), filters_of_pixel = s.rows * s.depth * g->groups;
    s.past_caches = g->batch * g->pixels * s.rows * g->groups >= LARGE;
    s.by_rows = all < FEW_PANELS * call->threads && s.rows >= FEW_PANELS * call->threads;
    if (s.by_rows)
        gg_parallel_for(s.rows, MULTIPLY_ADDS / (g->batch * g->pixels * s.depth * g->groups) + 1, GG_ROW_TILE, run_some,
                        &s);
    else
        gg_parallel_for(all, MULTIPLY_ADDS / (GG_PANEL * filters_of_pixel) + 1, 1, run_some, &s);
}

/* ---- weights ---- */

/* Whether the threads' dW are written transposed, [depth][filters]: what is copied for the product, panels of the
 * transposed side, is then the smaller one. */
static bool turned(const gg_conv_geometry *g)
{
    return g->groups == 1 && g->group_filters < g->depth;
}

typedef void run_product(const gg_product *product);

static void add_product(const gg_conv_call *call, int64_t image, int64_t group, float *dw, bool add, run_product *run)
{
    const gg_conv_geometry *g = &call->g;
    const float *x = call->x + (image * g->channels + group * g->group_channels) * g->plane;
    const float *y = call->dy + (image * g->filters + group * g->group_filters) * g->pixels;
    const bool turn = turned(g) && dw != call->dw;
    gg_product p = {.c = dw + group * g->group_filters * g->depth,
                    .a = turn ? x : y,
                    .b = turn ? y : x,
                    .lda = g->pixels,
                    .ldb = g->pixels,
                    .m = turn ? g->depth : g->group_filters,
                    .n = turn ? g->group_filters : g->depth,
                    .k = g->pixels,
                    .transpose_b = true,
                    .alpha = 1.0f,
                    .beta = add ? 1.0f : 0.0f};
    p.ldc = p.n;
    run(&p);
}

/* Both images come from memory, in runs as long as a thread's panel is deep: short ones, from so many rows, are not
 * fetched ahead. */
static void add_image(const gg_product *p)
{
    const gg_product_plan plan = {GG_STRATEGY_PACKED, 1, 1, GG_DEEPEST_PANEL};
    if (gg_policy_small_products())
        gg_product_run_planned(p, &plan);
    else
        gg_product_run_serial(p);
}

/* Images [image of part `index`, of the next one), each product on this thread. */
static void run_images(void *context, int index, int parts)
{
    const gg_conv_call *call = context;
    const gg_conv_geometry *g = &call->g;
    const int64_t begin = g->batch * index / parts, end = g->batch * (index + 1) / parts;
    float *dw = call->workspace + index * gg_conv_lines(weights(g));
    for (int64_t image = begin; image < end; image++)
        for (int64_t group = 0; group < g->groups; group++)
            add_product(call, image, group, dw, image > begin, g->groups == 1 ? add_image : gg_product_run_serial);
}

/* Columns [begin, end) of dW from the threads' dW^T. */
static void add_up_turned(void *context, int64_t begin, int64_t end)
{
    const gg_conv_call *call = context;
    const gg_conv_geometry *g = &call->g;
    for (int i = 0; i < call->threads; i++)
        gg_kernels()->transpose_add(call->dw + begin, g->depth,
                                    call->workspace + i * gg_conv_lines(weights(g)) + begin * g->filters, g->filters,
                                    end - begin, g->filters, call->accumulate || i > 0 ? 1.0f : 0.0f);
}

static void add_up(void *context, int64_t begin, int64_t end)
{
    const gg_conv_call *call = context;
    const int64_t stride = gg_conv_lines(weights(&call->g));
    const float *sums = call->workspace + begin;
    if (call->accumulate)
        gg_kernels()->add(call->dw + begin, call->dw + begin, sums, end - begin);
    else
        memcpy(call->dw + begin, sums, (size_t)(end - begin) * sizeof *sums);
    for (int i = 1; i < call->threads; i++)
        gg_kernels()->add(call->dw + begin, call->dw + begin, sums + i * stride, end - begin);
}

/* Floats of dW below which a second thread does not pay. */
enum { GRAIN = 16384 };

static void sum_weights(const gg_conv_call *call)
{
    const gg_conv_geometry *g = &call->g;
    if (call->threads > 1 && g->batch >= call->threads) {
        gg_parallel_run(call->threads, run_images, (void *)(uintptr_t)call);
        if (turned(g))
            gg_parallel_for(g->depth, GRAIN / g->filters + 1, GG_REGISTER, add_up_turned, (void *)(uintptr_t)call);
        else
            gg_parallel_for(weights(g), GRAIN, GG_REGISTER, add_up, (void *)(uintptr_t)call);
        return;
    }
    for (int64_t image = 0; image < g->batch; image++)
        for (int64_t group = 0; group < g->groups; group++)
            add_product(call, image, group, call->dw, call->accumulate || image > 0, gg_product_run);
}

static void forward(const gg_conv_call *call)
{
    if (gg_pointwise_as_rows(&call->g))
        gg_pointwise_rows(call, GG_CONV_FORWARD);
    else
        run_streamed(call, GG_CONV_FORWARD);
}

static void backward_data(const gg_conv_call *call)
{
    if (gg_pointwise_as_rows(&call->g)) {
        gg_pointwise_rows(call, GG_CONV_BACKWARD_DATA);
        return;
    }
    gg_conv_transpose_weights(call->workspace, call);
    run_streamed(call, GG_CONV_BACKWARD_DATA);
}

static void backward_weights(const gg_conv_call *call)
{
    if (gg_pointwise_as_rows(&call->g))
        gg_pointwise_rows(call, GG_CONV_BACKWARD_WEIGHTS);
    else
        sum_weights(call);
}

const gg_conv_method gg_conv_pointwise = {fits, workspace, {forward, backward_data, backward_weights}};
