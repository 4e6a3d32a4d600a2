/* task_cnn.c - a convolutional network of the kind that LeCun et al. read digits with in 1998, with ReLU, largest-value
 * pooling and dropout: 32 filters of 3 x 3, pool, 64 filters of 3 x 3, pool, 128 units, classes. */
#include "convnet.h"

gg_status gg_cnn_build(gg_network *out, const gg_task_data *data, uint64_t seed)
{
    gg_convnet c;
    const gg_status status = gg_convnet_begin(&c, 1, data->height, data->width, seed);
    if (status != GG_OK)
        return status;
    gg_convnet_conv(&c, 32, 3, 1, GG_RELU, true);
    gg_convnet_max_pool(&c, 2);
    gg_convnet_conv(&c, 64, 3, 1, GG_RELU, true);
    gg_convnet_max_pool(&c, 2);
    gg_convnet_dropout(&c, 0.25f);
    gg_convnet_affine(&c, 128, GG_RELU);
    gg_convnet_dropout(&c, 0.25f);
    gg_convnet_affine(&c, data->classes, GG_IDENTITY);
    gg_convnet_end(&c);
    *out = c.net;
    return GG_OK;
}
