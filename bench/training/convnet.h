/* convnet.h - networks of images, layer by layer, with the multiply-adds of a training step counted by formula. */
#ifndef GEMMGRAD_BENCH_CONVNET_H
#define GEMMGRAD_BENCH_CONVNET_H

#include "tasks.h"

/* A network while it is built: x is what the next layer takes, [batch, channels, height, width] or, after an affine
 * layer, [batch, channels]. */
typedef struct gg_convnet {
    gg_network net;
    gg_value x;
    int64_t channels, height, width;
} gg_convnet;

/* A new model with the input "x" and labels "t"; after a failure there is none. */
gg_status gg_convnet_begin(gg_convnet *c, int64_t channels, int64_t height, int64_t width, uint64_t seed);

/* A convolution kernel x kernel with "same" zeros around; bias unless a normalisation follows. */
void gg_convnet_conv(gg_convnet *c, int64_t filters, int64_t kernel, int64_t stride, gg_activation f, bool bias);

void gg_convnet_normalize(gg_convnet *c, bool relu);
void gg_convnet_max_pool(gg_convnet *c, int64_t size);
void gg_convnet_average(gg_convnet *c); /* of each plane */
void gg_convnet_dropout(gg_convnet *c, float ratio);
void gg_convnet_affine(gg_convnet *c, int64_t out, gg_activation f); /* of all that an image holds */

/* x are the scores: loss and labels behind them. */
void gg_convnet_end(gg_convnet *c);

/* Two convolutions 3 x 3 with normalisation, added to what came in: max(F(x) + x, 0) of He et al. 2015. With a stride
 * or other channels, x takes a convolution 1 x 1 on its way. */
void gg_convnet_residual(gg_convnet *c, int64_t filters, int64_t stride);

#endif
