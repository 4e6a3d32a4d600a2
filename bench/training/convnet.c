/* convnet.c - see convnet.h.
 *
 * A convolution of C channels by F filters of k x k, to H x W pixels, does three products for one image of a training
 * step, C k k F H W multiply-adds each: Y from X and W, dW from X and dY and, but in the first layer, dX from dY and W.
 * An affine layer from d to e likewise, d e each. */
#include "convnet.h"

static void count_products(gg_convnet *c, int64_t multiply_adds)
{
    c->net.multiply_adds += (c->x.id == c->net.input.id ? 2 : 3) * multiply_adds;
}

gg_status gg_convnet_begin(gg_convnet *c, int64_t channels, int64_t height, int64_t width, uint64_t seed)
{
    *c = (gg_convnet){.channels = channels, .height = height, .width = width};
    const gg_status status = gg_model_new(&c->net.model, seed);
    if (status != GG_OK)
        return status;
    c->x = c->net.input = gg_input(c->net.model, "x", 4, (int64_t[]){GG_BATCH, channels, height, width});
    c->net.labels = gg_input_labels(c->net.model, "t", 1, (int64_t[]){GG_BATCH});
    return GG_OK;
}

/* Take over the shape of x; an error while building leaves it as it is. */
static void follow(gg_convnet *c, gg_value x)
{
    int64_t dims[GG_MAX_RANK];
    const int rank = gg_model_shape(c->net.model, x, dims);
    c->x = x;
    if (rank < 2)
        return;
    c->channels = dims[1];
    c->height = rank == 4 ? dims[2] : 1;
    c->width = rank == 4 ? dims[3] : 1;
}

void gg_convnet_conv(gg_convnet *c, int64_t filters, int64_t kernel, int64_t stride, gg_activation f, bool bias)
{
    const gg_conv2d_options options = {.kernel_height = kernel,
                                       .kernel_width = kernel,
                                       .stride_y = stride,
                                       .stride_x = stride,
                                       .same = true,
                                       .no_bias = !bias,
                                       .activation = f,
                                       .init = f == GG_IDENTITY ? GG_INIT_HE : GG_INIT_AUTO};
    const int64_t depth = c->channels * kernel * kernel;
    const int64_t pixels = ((c->height - 1) / stride + 1) * ((c->width - 1) / stride + 1);
    count_products(c, filters * pixels * depth);
    follow(c, gg_conv2d(c->net.model, c->x, filters, &options));
}

void gg_convnet_normalize(gg_convnet *c, bool relu)
{
    follow(c, gg_batch_normalization(c->net.model, c->x, &(gg_batchnorm_options){.relu = relu}));
}

void gg_convnet_max_pool(gg_convnet *c, int64_t size)
{
    follow(c, gg_max_pool(c->net.model, c->x, &(gg_pool_window){.kernel_height = size, .kernel_width = size}));
}

void gg_convnet_average(gg_convnet *c)
{
    follow(c, gg_global_average_pool(c->net.model, c->x));
}

void gg_convnet_dropout(gg_convnet *c, float ratio)
{
    follow(c, gg_dropout(c->net.model, c->x, ratio));
}

void gg_convnet_affine(gg_convnet *c, int64_t out, gg_activation f)
{
    const int64_t in = c->channels * c->height * c->width;
    const gg_value x = gg_flatten(c->net.model, c->x);
    count_products(c, in * out);
    follow(c, gg_affine(c->net.model, x, out, &(gg_affine_options){.activation = f}));
}

void gg_convnet_end(gg_convnet *c)
{
    c->net.scores = c->x;
    c->net.loss = gg_softmax_with_loss(c->net.model, c->x, c->net.labels);
}

void gg_convnet_residual(gg_convnet *c, int64_t filters, int64_t stride)
{
    const gg_convnet before = *c;
    gg_convnet_conv(c, filters, 3, stride, GG_IDENTITY, false);
    gg_convnet_normalize(c, true);
    gg_convnet_conv(c, filters, 3, 1, GG_IDENTITY, false);
    gg_convnet_normalize(c, false);
    gg_convnet way = before;
    way.net = c->net;
    if (stride > 1 || before.channels != filters) {
        gg_convnet_conv(&way, filters, 1, stride, GG_IDENTITY, false);
        gg_convnet_normalize(&way, false);
    }
    c->net = way.net;
    follow(c, gg_node_add_relu(c->net.model, c->x, way.x));
}
