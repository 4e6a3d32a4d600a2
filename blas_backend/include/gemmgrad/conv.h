/* gemmgrad/conv.h - convolution, forward and backward, through cblas_sgemm.
 *
 * Images X are [batch][channels][height][width], results Y [batch][filters][out_height][out_width], weights W
 * [filters][channels / groups][kernel_height][kernel_width], biases [filters]; all dense, row-major float32, as in
 * PyTorch. With zeros around X, and taps that do not turn the kernel round (cross-correlation, as everywhere in the
 * field):
 *   y[n][o][i][j] = f(b[o] + sum over c, p, q of
 *                     w[o][c][p][q] * x[n][c0 + c][i stride_y - pad_top + p dilation_y][j stride_x - pad_left + q
 * dilation_x]) c0 being the first channel of o's group. A line of length L is an image of height 1 with a kernel of
 * height 1.
 *
 * Results must not overlap inputs or the workspace. Sizes of 0 for the batch do nothing (gradients of weights become 0
 * unless accumulated). NaN and infinity propagate, and some algorithms spread them further than the sum above:
 * Winograd's over the tile that holds them, up to 4 pixels (in steps of two 8 of X); shifted and depthwise to results
 * whose taps see padding, which they multiply by 0 and do not leave out; im2col, tiled and pointwise not at all. All
 * functions are thread-safe on different results and workspaces, use up to gg_threads() threads, and allocate nothing
 * but scratch that a thread takes once and keeps, without which they do, too. The same shape, options, threads, BLAS
 * and CPU give the same bits where the same results are asked for (db alone may be summed up in another order than
 * beside dw). Errors, results untouched: GG_ERR_ARGUMENT (NULL, a negative size, an algorithm that
 * cannot do this shape, a workspace too small), GG_ERR_SHAPE (groups that do not divide, a kernel larger than the
 * padded image), GG_ERR_OVERFLOW.
 *
 * Sources: Chellapilla, Puri and Simard 2006 (im2col); Lavin and Gray 2016, Winograd 1980 (minimal filtering). */
#ifndef GEMMGRAD_CONV_H
#define GEMMGRAD_CONV_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is convolved with what. Strides, dilations and groups of 0 count as 1. */
typedef struct gg_conv_shape {
    int64_t batch, channels, height, width; /* of X */
    int64_t filters;                        /* channels of Y */
    int64_t kernel_height, kernel_width;
    int64_t stride_y, stride_x;
    int64_t pad_top, pad_bottom, pad_left, pad_right; /* zeros around X */
    int64_t dilation_y, dilation_x;                   /* distance between taps */
    int64_t groups;                                   /* channels and filters are cut into this many, each apart */
} gg_conv_shape;

/* How it is computed; see docs/convolution.md for what each costs. */
typedef enum gg_conv_algorithm {
    GG_CONV_AUTO = 0,         /* the cheapest by a measured model of the cost */
    GG_CONV_IM2COL,           /* the whole image as a matrix of columns, one product an image; any shape */
    GG_CONV_TILED,            /* columns of a few pixels at a time, which stay in cache; any shape */
    GG_CONV_POINTWISE,        /* kernel 1x1, stride 1, no padding: X is the matrix already */
    GG_CONV_SHIFTED,          /* stride 1: one product for each tap, on X moved by it */
    GG_CONV_WINOGRAD_2,       /* kernel 3x3, stride and dilation 1: F(2x2, 3x3), 16 products for 36 */
    GG_CONV_WINOGRAD_4,       /* the same by F(4x4, 3x3), 36 products for 144 */
    GG_CONV_DEPTHWISE,        /* a group for each channel: no products of matrices, a vector loop */
    GG_CONV_WINOGRAD_STRIDED, /* kernel 3x3, stride 2, dilation 1: F(4x4, 3x3), 81 products for 144 */
    GG_CONV_ALGORITHM_COUNT
} gg_conv_algorithm;

/* GG_CONV_EXACT: never by Winograd's algorithms, whose largest error is 1e-5 of the largest result instead of 1e-6
 * (docs/accuracy.md). */
typedef enum gg_conv_accuracy { GG_CONV_DEFAULT = 0, GG_CONV_EXACT = 1 } gg_conv_accuracy;

typedef struct gg_conv_options {
    gg_conv_algorithm algorithm; /* forced, where it is not GG_CONV_AUTO */
    gg_conv_accuracy accuracy;
    gg_activation activation; /* forward: f, fused; 0 is the identity */
    float alpha;              /* of leaky ReLU and ELU */
    float *preactivation;     /* forward: NULL, or as Y: receives the result before f */
    bool accumulate_dx;       /* backward: += instead of = */
    bool accumulate_dw;       /* backward: += instead of =, for dW and db */
} gg_conv_options;

/* The three things to compute. */
typedef enum gg_conv_pass {
    GG_CONV_FORWARD = 0,      /* Y from X and W */
    GG_CONV_BACKWARD_DATA,    /* dX from dY and W */
    GG_CONV_BACKWARD_WEIGHTS, /* dW from dY and X */
    GG_CONV_PASS_COUNT
} gg_conv_pass;

/* "im2col", "tiled", "pointwise", "shifted", "winograd2", "winograd4", "depthwise", "winograd4s2", "auto";
 * "unknown" for other numbers. Constant. */
GG_API const char *gg_conv_algorithm_name(gg_conv_algorithm algorithm);

/* Height and width of Y: (height + pad_top + pad_bottom - dilation_y (kernel_height - 1) - 1) / stride_y + 1. */
GG_API gg_status gg_conv_output(int64_t *out_height, int64_t *out_width, const gg_conv_shape *shape);

/* Padding for which Y is X's size divided by the stride, rounded up ("same"): sets the four pads of *shape, the odd
 * zero below and to the right. */
GG_API gg_status gg_conv_pad_same(gg_conv_shape *shape);

/* The algorithm that a pass of this shape takes under these options (NULL: defaults), with gg_threads() threads. */
GG_API gg_status gg_conv_choose(gg_conv_algorithm *chosen, gg_conv_pass pass, const gg_conv_shape *shape,
                                const gg_conv_options *options);

/* Whether an algorithm can do a pass of this shape; false for shapes that are wrong. */
GG_API bool gg_conv_can(gg_conv_algorithm algorithm, gg_conv_pass pass, const gg_conv_shape *shape);

/* Floats of workspace that a pass needs, aligned to GG_ALIGNMENT; enough for every smaller batch of the same shape and
 * fewer threads as well. */
GG_API gg_status gg_conv_workspace(int64_t *floats, gg_conv_pass pass, const gg_conv_shape *shape,
                                   const gg_conv_options *options);

/* Y = f(X * W + b). bias may be NULL, options may be NULL, workspace may be NULL where the query says 0. "pointwise"
 * writes Y, and dX, past the caches from 4 MB on, where planes are whole cache lines. */
GG_API gg_status gg_conv_forward(float *y, const float *x, const float *w, const float *bias,
                                 const gg_conv_shape *shape, const gg_conv_options *options, float *workspace,
                                 int64_t workspace_floats);

/* dX: what each input contributed. dY is the gradient before f (gg_activation_backward). It is the forward pass of the
 * transposed convolution as well, whose input is dY. */
GG_API gg_status gg_conv_backward_data(float *dx, const float *dy, const float *w, const gg_conv_shape *shape,
                                       const gg_conv_options *options, float *workspace, int64_t workspace_floats);

/* dW and db = sum of dY over batch and pixels; either may be NULL: not wanted, not computed (x may be NULL when dw is).
 */
GG_API gg_status gg_conv_backward_weights(float *dw, float *db, const float *dy, const float *x,
                                          const gg_conv_shape *shape, const gg_conv_options *options, float *workspace,
                                          int64_t workspace_floats);

/* The transposed convolution, Y = f(bias + backward data of X): from X [batch][filters][out_height][out_width] to Y
 * [batch][channels][height][width], bias [channels]; shape is that of the convolution whose transpose it is, W as
 * there. Workspace: that of GG_CONV_BACKWARD_DATA. Its dX is gg_conv_forward of dY, its dW gg_conv_backward_weights
 * with dY and X in each other's places. */
GG_API gg_status gg_conv_transpose_forward(float *y, const float *x, const float *w, const float *bias,
                                           const gg_conv_shape *shape, const gg_conv_options *options, float *workspace,
                                           int64_t workspace_floats);

/* ---- the matrix of columns ---- */

/* col [channels * kernel_height * kernel_width][out_height * out_width]: column j holds what output pixel j sees. One
 * image; batch, filters and groups of the shape do not matter. */
GG_API gg_status gg_im2col(float *col, const float *x, const gg_conv_shape *shape);

/* Its adjoint: every float of col is added to the pixel that it came from; x = or, with accumulate, x +=. */
GG_API gg_status gg_col2im(float *x, const float *col, const gg_conv_shape *shape, bool accumulate);

#ifdef __cplusplus
}
#endif
#endif
