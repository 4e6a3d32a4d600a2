/* task_resnet.c - a small residual network (He et al. 2015): 16 filters of 3 x 3, three residual blocks of 16, 32 and
 * 64 filters, the last two halving height and width, the mean of each plane, classes. Every convolution is normalised
 * over the batch. */
#include "convnet.h"

gg_status gg_resnet_build(gg_network *out, const gg_task_data *data, uint64_t seed)
{
    gg_convnet c;
    const gg_status status = gg_convnet_begin(&c, 1, data->height, data->width, seed);
    if (status != GG_OK)
        return status;
    gg_convnet_conv(&c, 16, 3, 1, GG_IDENTITY, false);
    gg_convnet_normalize(&c, true);
    gg_convnet_residual(&c, 16, 1);
    gg_convnet_residual(&c, 32, 2);
    gg_convnet_residual(&c, 64, 2);
    gg_convnet_average(&c);
    gg_convnet_affine(&c, data->classes, GG_IDENTITY);
    gg_convnet_end(&c);
    *out = c.net;
    return GG_OK;
}
