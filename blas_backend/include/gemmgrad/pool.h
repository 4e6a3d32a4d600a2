/* gemmgrad/pool.h - max and average pooling over windows of an image, and over whole images.
 *
 * An image is `planes` (batch times channels) matrices height x width, row-major, dense: NCHW, of which batch and
 * channels need not be told apart. A signal is an image of height 1. An output is planes x out_height x out_width,
 * where
 *
 *     out = floor((extent + padding before + padding behind - kernel) / stride) + 1
 *
 * No padding may exceed half its kernel, so that every window holds a part of the image (PyTorch asks the same). planes
 * may be 0. Outputs must not overlap inputs. Thread-safe on different outputs; uses up to gg_threads() threads.
 *
 * NaN: the largest of a window with a NaN is NaN; so is a sum.
 *
 * Errors, outputs untouched: GG_ERR_ARGUMENT (NULL, negative planes, a kernel or stride below 1, padding out of range),
 * GG_ERR_SHAPE (a kernel larger than the padded image), GG_ERR_OVERFLOW (an image of more than INT32_MAX floats, or
 * more floats than any memory holds). */
#ifndef GEMMGRAD_POOL_H
#define GEMMGRAD_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_pool_window {
    int64_t kernel_height, kernel_width;
    int64_t stride_height, stride_width; /* 0: that of the kernel, windows side by side */
    int64_t top, bottom, left, right;    /* padding: 0 for averages, never the largest */
    bool exclude_padding;                /* averages: divide by what lies in the image, not by the kernel's size */
} gg_pool_window;

/* The output of an image of height x width. Either may be NULL. */
GG_API gg_status gg_pool_output(int64_t *out_height, int64_t *out_width, int64_t height, int64_t width,
                                const gg_pool_window *window);

/* y = the largest of each window. index (planes x out_height x out_width, or NULL) receives where in its plane it
 * stood, row * width + column: the first one of several that are equal, the last one of several NaN. */
GG_API gg_status gg_max_pool_forward(float *y, int32_t *index, const float *x, int64_t planes, int64_t height,
                                     int64_t width, const gg_pool_window *window);

/* dx[index] += dy, dx being 0 elsewhere, or as it was when accumulate. index as forward left it. */
GG_API gg_status gg_max_pool_backward(float *dx, const float *dy, const int32_t *index, int64_t planes, int64_t height,
                                      int64_t width, const gg_pool_window *window, bool accumulate);

/* y = the mean of each window. */
GG_API gg_status gg_average_pool_forward(float *y, const float *x, int64_t planes, int64_t height, int64_t width,
                                         const gg_pool_window *window);

/* dx = dy / count, summed over the windows that an element lies in; += when accumulate. */
GG_API gg_status gg_average_pool_backward(float *dx, const float *dy, int64_t planes, int64_t height, int64_t width,
                                          const gg_pool_window *window, bool accumulate);

/* y[p] = the mean of the `size` floats of plane p, summed in double; size > 0 unless planes is 0. */
GG_API gg_status gg_global_average_pool_forward(float *y, const float *x, int64_t planes, int64_t size);
GG_API gg_status gg_global_average_pool_backward(float *dx, const float *dy, int64_t planes, int64_t size,
                                                 bool accumulate);

/* y[p] = the largest of plane p; index[p] (or NULL) where it stood: the first of several. */
GG_API gg_status gg_global_max_pool_forward(float *y, int32_t *index, const float *x, int64_t planes, int64_t size);
GG_API gg_status gg_global_max_pool_backward(float *dx, const float *dy, const int32_t *index, int64_t planes,
                                             int64_t size, bool accumulate);

#ifdef __cplusplus
}
#endif
#endif
