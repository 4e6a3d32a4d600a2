/* perceptron.c - builds x W1 + b1, f, x W2 + b2, f, ..., softmax with loss, and counts its products.
 *
 * A layer from d inputs to e outputs does three products for one sample of a training step, d*e multiply-adds each:
 *     forward   Y  = X W
 *     weights   dW = X^T dY
 *     input     dX = dY W^T    (not in the first layer, whose input is data) */
#include "perceptron.h"

static int64_t count_multiply_adds(const gg_perceptron *shape)
{
    int64_t sum = 0;
    for (int i = 0; i + 1 < shape->count; i++)
        sum += (i == 0 ? 2 : 3) * shape->widths[i] * shape->widths[i + 1];
    return sum;
}

static gg_value add_layers(gg_model *model, gg_value x, const gg_perceptron *shape)
{
    gg_affine_options options = {.init = GG_INIT_AUTO};
    if (shape->weight_scale > 0.0f) {
        options.init = GG_INIT_NORMAL;
        options.init_scale = shape->weight_scale;
    }
    for (int i = 1; i < shape->count; i++) {
        const bool hidden = i + 1 < shape->count;
        options.activation = hidden ? shape->activation : GG_IDENTITY;
        x = gg_affine(model, x, shape->widths[i], &options);
        if (hidden && shape->dropout > 0.0f)
            x = gg_dropout(model, x, shape->dropout);
    }
    return x;
}

gg_status gg_perceptron_build(gg_network *out, const gg_perceptron *shape, uint64_t seed)
{
    gg_network net = {.multiply_adds = count_multiply_adds(shape)};
    const gg_status status = gg_model_new(&net.model, seed);
    if (status != GG_OK)
        return status;
    net.input = gg_input(net.model, "x", 2, (int64_t[]){GG_BATCH, shape->widths[0]});
    net.labels = gg_input_labels(net.model, "t", 1, (int64_t[]){GG_BATCH});
    net.scores = add_layers(net.model, net.input, shape);
    net.loss = gg_softmax_with_loss(net.model, net.scores, net.labels);
    *out = net;
    return GG_OK;
}
