/* gemmgrad/norm.h - batch normalisation: each channel brought to mean 0 and variance 1, then scaled and shifted.
 *
 * x is images x channels x size, row-major, dense: NCHW with size = height * width; size 1 serves images x channels.
 * Statistics are those of the images * size values of a channel.
 *
 *     y = gamma (x - mean) / sqrt(variance + epsilon) + beta        then max(y, 0), if relu
 *
 * gamma and beta hold a float for each channel; NULL stands for ones and for zeros. Sums run in double, of differences
 * from one value of the channel, so that a mean far from 0 costs no accuracy of the variance; their order is that of
 * the shape alone, whatever the threads. images, channels and size may be 0. y may be x, dx may be dy; other overlaps
 * are undefined. Thread-safe on different outputs; uses up to gg_threads() threads. A NaN makes its channel NaN.
 *
 * Errors, outputs untouched: GG_ERR_ARGUMENT (NULL, negative sizes, epsilon or momentum out of range), GG_ERR_OVERFLOW.
 * Source: Ioffe and Szegedy, 2015. */
#ifndef GEMMGRAD_NORM_H
#define GEMMGRAD_NORM_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NULL for all defaults. */
typedef struct gg_batchnorm_options {
    float epsilon;  /* 0: 1e-5 */
    float momentum; /* weight of the newest statistics in the running ones, at most 1; 0: 0.1 */
    bool relu;      /* fused */
} gg_batchnorm_options;

/* Normalises by the statistics of x itself, which mean and inverse (1 / sqrt(variance + epsilon); a float for each
 * channel) keep for backward. running_mean and running_variance, both or neither NULL, move towards them:
 * running += momentum (new - running), the variance being the unbiased one, divided by n - 1. Of n = 1 value there is
 * none, and running_variance stays; of n = 0 nothing is written. */
GG_API gg_status gg_batchnorm_forward(float *y, float *mean, float *inverse, float *running_mean,
                                      float *running_variance, const float *x, const float *gamma, const float *beta,
                                      int64_t images, int64_t channels, int64_t size,
                                      const gg_batchnorm_options *options);

/* Normalises by the running statistics. */
GG_API gg_status gg_batchnorm_infer(float *y, const float *x, const float *gamma, const float *beta,
                                    const float *running_mean, const float *running_variance, int64_t images,
                                    int64_t channels, int64_t size, const gg_batchnorm_options *options);

/* The gradients of gg_batchnorm_forward, all its inputs as they were; ReLU is undone by computing its argument anew,
 * which is cheaper than reading y. dx, dgamma and dbeta may each be NULL: not wanted. add_dx, add_parameters: +=
 * instead of =. */
GG_API gg_status gg_batchnorm_backward(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                                       const float *mean, const float *inverse, const float *gamma, const float *beta,
                                       int64_t images, int64_t channels, int64_t size,
                                       const gg_batchnorm_options *options, bool add_dx, bool add_parameters);

/* A convolution (or affine layer stored out x in) with its normalisation behind it, in inference, is one convolution:
 * folded_weight[o][i] = weight[o][i] s[o], folded_bias[o] = (bias[o] - running_mean[o]) s[o] + beta[o], with
 * s = gamma / sqrt(running_variance + epsilon). weight is channels x columns; bias may be NULL: zeros. The folded
 * arrays may be the given ones. */
GG_API gg_status gg_batchnorm_fold(float *folded_weight, float *folded_bias, const float *weight, const float *bias,
                                   const float *gamma, const float *beta, const float *running_mean,
                                   const float *running_variance, int64_t channels, int64_t columns,
                                   const gg_batchnorm_options *options);

#ifdef __cplusplus
}
#endif
#endif
