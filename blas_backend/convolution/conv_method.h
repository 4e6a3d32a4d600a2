/* conv_method.h - what a way of convolving is. conv.c checks the arguments and hands a call to one of the methods,
 * each a file of its own (conv_im2col.c, conv_winograd.c, ...); conv_choice.c says which. */
#ifndef GG_CONV_METHOD_H
#define GG_CONV_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gemmgrad/conv.h>

/* A shape with its defaults filled in and what follows from it. Checked: every array of it fits the memory, and each of
 * its sizes an int. */
typedef struct gg_conv_geometry {
    int64_t batch, channels, height, width;
    int64_t filters, kernel_height, kernel_width;
    int64_t stride_y, stride_x, pad_top, pad_bottom, pad_left, pad_right, dilation_y, dilation_x, groups;
    int64_t out_height, out_width;
    int64_t group_channels, group_filters;
    int64_t plane;  /* height * width */
    int64_t pixels; /* out_height * out_width */
    int64_t taps;   /* kernel_height * kernel_width */
    int64_t depth;  /* group_channels * taps: products of one output */
} gg_conv_geometry;

/* One pass on its way; what the pass does not need is NULL. */
typedef struct gg_conv_call {
    gg_conv_geometry g;
    float *y, *dx, *dw;
    float *db; /* of backward weights where kernels slide: conv_slide.c */
    const float *x, *w, *bias, *dy;
    float *preactivation;
    gg_activation activation;
    float alpha;
    bool accumulate; /* of dx or dw */
    float *workspace;
    int threads; /* that the workspace was planned for */
} gg_conv_call;

/* A way of convolving. Batch, filters, channels and pixels are all above 0 in every call of these. */
typedef struct gg_conv_method {
    bool (*fits)(const gg_conv_geometry *g, gg_conv_pass pass);
    /* Floats of workspace with that many threads; never falls when the batch grows. */
    int64_t (*workspace)(const gg_conv_geometry *g, gg_conv_pass pass, int threads);
    /* One for each gg_conv_pass. Forward ends each piece of Y with gg_conv_finish. */
    void (*run[GG_CONV_PASS_COUNT])(const gg_conv_call *call);
} gg_conv_method;

extern const gg_conv_method gg_conv_im2col, gg_conv_tiled, gg_conv_pointwise, gg_conv_shifted, gg_conv_winograd_2,
    gg_conv_winograd_4, gg_conv_depthwise, gg_conv_winograd_strided;

/* NULL where there is none of that number. */
const gg_conv_method *gg_conv_method_of(gg_conv_algorithm algorithm);

/* The method for a pass: conv_choice.c. */
gg_conv_algorithm gg_conv_cheapest(const gg_conv_geometry *g, gg_conv_pass pass, gg_conv_accuracy accuracy,
                                   int threads);

/* Floats of workspace that are enough for the algorithm, whichever GG_CONV_AUTO comes to, with up to that many images
 * and threads. */
int64_t gg_conv_room(const gg_conv_geometry *g, gg_conv_pass pass, gg_conv_algorithm algorithm,
                     gg_conv_accuracy accuracy, int threads);

/* Estimated nanoseconds: only the order of the methods matters. conv_cost.c. */
double gg_conv_cost(gg_conv_algorithm algorithm, const gg_conv_geometry *g, gg_conv_pass pass, int threads);

/* Bias and activation on pixels [begin, end) of one plane of Y, while they are in cache. */
void gg_conv_finish(const gg_conv_call *call, int64_t image, int64_t filter, int64_t begin, int64_t end);

/* Whether that does anything. */
static inline bool gg_conv_has_finish(const gg_conv_call *call)
{
    return call->bias != NULL || call->activation != GG_IDENTITY || call->preactivation != NULL;
}

/* W^T of all groups, [group][depth][filters of the group], by all threads. */
void gg_conv_transpose_weights(float *transposed, const gg_conv_call *call);

/* Whether its errors are those of a sum of products. */
static inline bool gg_conv_is_exact(gg_conv_algorithm algorithm)
{
    return algorithm != GG_CONV_WINOGRAD_2 && algorithm != GG_CONV_WINOGRAD_4 && algorithm != GG_CONV_WINOGRAD_STRIDED;
}

/* Whether its errors are those that the default accuracy promises, with the BLAS below. */
bool gg_conv_keeps_accuracy(gg_conv_algorithm algorithm, const gg_conv_geometry *g, gg_conv_pass pass);

/* Floats rounded up to whole cache lines, so that parts of a workspace do not share one. */
static inline int64_t gg_conv_lines(int64_t floats)
{
    return (floats + 15) / 16 * 16;
}

#endif
