/* conv_im2col.c - convolution by the whole matrix of columns: the plainest way, for any shape.
 *
 * One image and group at a time, with col = im2col(x) [depth][pixels] and everything of the group:
 *   Y [filters][pixels] = W [filters][depth] . col
 *   dW = dY . col^T                               summed over the images
 *   dcol = W^T . dY, dX = col2im(dcol)            col2im being the adjoint of im2col
 *
 * The picture in one dimension, a kernel of three taps on a line: y_j = w_0 x_j + w_1 x_j+1 + w_2 x_j+2, so x_i is seen
 * by y_i through w_0, by y_i-1 through w_1 and by y_i-2 through w_2. Hence dx_i = w_0 dy_i + w_1 dy_i-1 + w_2 dy_i-2
 * again a convolution, of dy with the kernel turned round dw_p = sum over j of x_j+p dy_j               again a
 * convolution, of x with dy as the kernel */
#include <string.h>

#include "conv_columns.h"
#include "conv_method.h"
#include "parallel.h"
#include "product.h"

static bool fits(const gg_conv_geometry *g, gg_conv_pass pass)
{
    (void)g, (void)pass;
    return true;
}

static int64_t workspace(const gg_conv_geometry *g, gg_conv_pass pass, int threads)
{
    (void)pass, (void)threads;
    return g->depth * g->pixels;
}

/* One image and group on its way. */
typedef struct job {
    const gg_conv_call *call;
    int64_t image, group;
} job;

static int64_t channel_offset(const job *j)
{
    const gg_conv_geometry *g = &j->call->g;
    return (j->image * g->channels + j->group * g->group_channels) * g->plane;
}

static int64_t filter_offset(const job *j)
{
    const gg_conv_geometry *g = &j->call->g;
    return (j->image * g->filters + j->group * g->group_filters) * g->pixels;
}

static void build(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    gg_conv_columns(j->call->workspace + begin * g->taps * g->pixels, g->pixels,
                    j->call->x + channel_offset(j) + begin * g->plane, g, end - begin, 0, g->pixels);
}

static void add_up(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    float *dx = j->call->dx + channel_offset(j) + begin * g->plane;
    if (!j->call->accumulate)
        memset(dx, 0, (size_t)((end - begin) * g->plane) * sizeof *dx);
    gg_conv_add_columns(dx, j->call->workspace + begin * g->taps * g->pixels, g->pixels, g, end - begin, 0, g->pixels);
}

static void finish(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t filter = begin; filter < end; filter++)
        gg_conv_finish(j->call, j->image, j->group * j->call->g.group_filters + filter, 0, j->call->g.pixels);
}

/* Floats below which a second thread does not pay. */
enum { GRAIN = 16384 };

static int64_t grain(int64_t floats)
{
    return GRAIN / floats + 1;
}

static void forward_group(job *j)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    gg_parallel_for(g->group_channels, grain(g->taps * g->pixels), 1, build, j);
    gg_product_run(&(gg_product){.c = call->y + filter_offset(j),
                                 .ldc = g->pixels,
                                 .a = call->w + j->group * g->group_filters * g->depth,
                                 .lda = g->depth,
                                 .b = call->workspace,
                                 .ldb = g->pixels,
                                 .m = g->group_filters,
                                 .n = g->pixels,
                                 .k = g->depth,
                                 .alpha = 1.0f});
    gg_parallel_for(g->group_filters, grain(g->pixels), 1, finish, j);
}

static void backward_data_group(job *j)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    gg_product_run(&(gg_product){.c = call->workspace,
                                 .ldc = g->pixels,
                                 .a = call->w + j->group * g->group_filters * g->depth,
                                 .lda = g->depth,
                                 .b = call->dy + filter_offset(j),
                                 .ldb = g->pixels,
                                 .m = g->depth,
                                 .n = g->pixels,
                                 .k = g->group_filters,
                                 .transpose_a = true,
                                 .alpha = 1.0f});
    gg_parallel_for(g->group_channels, grain(g->taps * g->pixels), 1, add_up, j);
}

static void backward_weights_group(job *j)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    gg_parallel_for(g->group_channels, grain(g->taps * g->pixels), 1, build, j);
    gg_product_run(&(gg_product){.c = call->dw + j->group * g->group_filters * g->depth,
                                 .ldc = g->depth,
                                 .a = call->dy + filter_offset(j),
                                 .lda = g->pixels,
                                 .b = call->workspace,
                                 .ldb = g->pixels,
                                 .m = g->group_filters,
                                 .n = g->depth,
                                 .k = g->pixels,
                                 .transpose_b = true,
                                 .alpha = 1.0f,
                                 .beta = call->accumulate || j->image > 0 ? 1.0f : 0.0f});
}

static void over_groups(const gg_conv_call *call, void (*f)(job *j))
{
    for (int64_t image = 0; image < call->g.batch; image++)
        for (int64_t group = 0; group < call->g.groups; group++)
            f(&(job){call, image, group});
}

static void forward(const gg_conv_call *call)
{
    over_groups(call, forward_group);
}

static void backward_data(const gg_conv_call *call)
{
    over_groups(call, backward_data_group);
}

static void backward_weights(const gg_conv_call *call)
{
    over_groups(call, backward_weights_group);
}

const gg_conv_method gg_conv_im2col = {fits, workspace, {forward, backward_data, backward_weights}};
