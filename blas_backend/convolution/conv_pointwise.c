/* conv_pointwise.c - kernels of one tap, stride 1, no padding: an image is its own matrix of columns.
 *
 * For each image and group, X [channels][pixels], Y [filters][pixels], W [filters][channels]:
 *   Y = W . X,  dX = W^T . dY,  dW = sum over the images of dY . X^T
 *
 * W^T is written down first, for the products read rows faster than columns.
 *
 * With as many images as threads each thread takes some, and a dW of its own in the workspace, which are added up at
 * the end in the order of the threads; with fewer, each product is shared out among the threads. Small images go as
 * rows: conv_pointwise_rows.c. */
#include "conv_pointwise.h"

#include "kernels/kernels.h"
#include "parallel.h"
#include "product.h"

#include <string.h>

static bool fits(const gg_conv_geometry *g, gg_conv_pass pass)
{
    (void)pass;
    return g->taps == 1 && g->stride_y == 1 && g->stride_x == 1 && g->pad_top == 0 && g->pad_bottom == 0
           && g->pad_left == 0 && g->pad_right == 0;
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

typedef struct job {
    const gg_conv_call *call;
    gg_conv_pass pass;
} job;

/* Whether the threads' dW are written transposed, [depth][filters]: what is copied for the product, panels of the
 * transposed side, is then the smaller one. */
static bool turned(const gg_conv_geometry *g)
{
    return g->groups == 1 && g->group_filters < g->depth;
}

typedef void run_product(const gg_product *product);

static void multiply(const job *j, int64_t image, int64_t group, float *dw, bool add, run_product *run)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    const int64_t x = (image * g->channels + group * g->group_channels) * g->plane;
    const int64_t y = (image * g->filters + group * g->group_filters) * g->pixels;
    const int64_t w = group * g->group_filters * g->depth, pixels = g->pixels;
    gg_product p = {.lda = g->depth, .ldb = pixels, .ldc = pixels, .n = pixels, .alpha = 1.0f};
    const gg_epilogue epilogue = {NULL, call->bias != NULL ? call->bias + group * g->group_filters : NULL,
                                  call->activation, call->alpha,
                                  call->preactivation != NULL ? call->preactivation + y : NULL};
    if (j->pass == GG_CONV_FORWARD) {
        p.epilogue = gg_conv_has_finish(call) ? &epilogue : NULL;
        p.c = call->y + y, p.a = call->w + w, p.b = call->x + x;
        p.m = g->group_filters, p.k = g->depth;
    } else if (j->pass == GG_CONV_BACKWARD_DATA) {
        p.c = call->dx + x, p.a = call->workspace + w, p.b = call->dy + y;
        p.m = g->depth, p.k = p.lda = g->group_filters;
        p.beta = call->accumulate ? 1.0f : 0.0f;
    } else if (turned(g) && dw != call->dw) {
        p.c = dw + w, p.a = call->x + x, p.b = call->dy + y;
        p.lda = pixels, p.ldc = p.n = g->group_filters;
        p.m = g->depth, p.k = pixels;
        p.transpose_b = true, p.beta = add ? 1.0f : 0.0f;
    } else {
        p.c = dw + w, p.a = call->dy + y, p.b = call->x + x;
        p.lda = pixels, p.ldc = p.n = g->depth;
        p.m = g->group_filters, p.k = pixels;
        p.transpose_b = true, p.beta = add ? 1.0f : 0.0f;
    }
    run(&p);
}

/* Images [image of part `index`, of the next one), each product on this thread. */
static void run_images(void *context, int index, int parts)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    const int64_t begin = g->batch * index / parts, end = g->batch * (index + 1) / parts;
    float *dw = j->pass == GG_CONV_BACKWARD_WEIGHTS ? j->call->workspace + index * gg_conv_lines(weights(g)) : NULL;
    for (int64_t image = begin; image < end; image++)
        for (int64_t group = 0; group < g->groups; group++)
            multiply(j, image, group, dw, image > begin, gg_product_run_serial);
}

/* Columns [begin, end) of dW from the threads' dW^T. */
static void add_up_turned(void *context, int64_t begin, int64_t end)
{
    const gg_conv_call *call = ((const job *)context)->call;
    const gg_conv_geometry *g = &call->g;
    for (int i = 0; i < call->threads; i++)
        gg_kernels()->transpose_add(call->dw + begin, g->depth,
                                    call->workspace + i * gg_conv_lines(weights(g)) + begin * g->filters, g->filters,
                                    end - begin, g->filters, call->accumulate || i > 0 ? 1.0f : 0.0f);
}

static void add_up(void *context, int64_t begin, int64_t end)
{
    const gg_conv_call *call = ((const job *)context)->call;
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

static void run_pass(const gg_conv_call *call, gg_conv_pass pass)
{
    if (gg_pointwise_as_rows(&call->g)) {
        gg_pointwise_rows(call, pass);
        return;
    }
    job j = {call, pass};
    if (pass == GG_CONV_BACKWARD_DATA)
        gg_conv_transpose_weights(call->workspace, call);
    const gg_conv_geometry *g = &call->g;
    if (call->threads > 1 && g->batch >= call->threads) {
        gg_parallel_run(call->threads, run_images, &j);
        if (pass == GG_CONV_BACKWARD_WEIGHTS && turned(g))
            gg_parallel_for(g->depth, GRAIN / g->filters + 1, GG_REGISTER, add_up_turned, &j);
        else if (pass == GG_CONV_BACKWARD_WEIGHTS)
            gg_parallel_for(weights(g), GRAIN, GG_REGISTER, add_up, &j);
        return;
    }
    for (int64_t image = 0; image < g->batch; image++)
        for (int64_t group = 0; group < g->groups; group++)
            multiply(&j, image, group, call->dw, call->accumulate || image > 0, gg_product_run);
}

static void forward(const gg_conv_call *call)
{
    run_pass(call, GG_CONV_FORWARD);
}

static void backward_data(const gg_conv_call *call)
{
    run_pass(call, GG_CONV_BACKWARD_DATA);
}

static void backward_weights(const gg_conv_call *call)
{
    run_pass(call, GG_CONV_BACKWARD_WEIGHTS);
}

const gg_conv_method gg_conv_pointwise = {fits, workspace, {forward, backward_data, backward_weights}};
