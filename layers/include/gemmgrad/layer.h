/* gemmgrad/layer.h - the layers. Each takes a model and its input values and returns its output value.
 *
 * Shapes: [.., D] means any leading dimensions (batch, time) and a last one of D features. Rows are all leading
 * dimensions together. Every layer may feed several others: its output's gradient is the sum of what they send back. */
#ifndef GEMMGRAD_LAYER_H
#define GEMMGRAD_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/conv.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/export.h>
#include <gemmgrad/model.h>
#include <gemmgrad/norm.h>
#include <gemmgrad/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a weight starts. Normal distributions with the stated deviation, but for the last; biases start at 0. */
typedef enum gg_initializer {
    GG_INIT_AUTO = 0, /* He for ReLU, leaky ReLU, ELU, SiLU, GELU; Xavier otherwise */
    GG_INIT_XAVIER,   /* sqrt(2 / (in + out)), Glorot and Bengio 2010 */
    GG_INIT_HE,       /* sqrt(2 / in), He et al. 2015 */
    GG_INIT_LECUN,    /* sqrt(1 / in), LeCun et al. 1998 */
    GG_INIT_NORMAL,   /* the deviation given in init_scale */
    GG_INIT_ZERO,
    GG_INIT_ORTHOGONAL /* orthonormal columns (or rows, of a wide weight) times a gain that keeps signals' size: 1 for
                          identity and sigmoid, 5/3 for tanh, sqrt(2) for ReLU, ELU, SiLU and GELU, sqrt(2 / (1 +
                          alpha^2)) for leaky ReLU; Saxe et al. 2014. The same seed
                          gives the same bits on the same BLAS and CPU only */
} gg_initializer;

typedef struct gg_affine_options {
    gg_activation activation; /* fused; GG_IDENTITY by default */
    float alpha;              /* of leaky ReLU and ELU */
    gg_initializer init;
    float init_scale;        /* deviation for GG_INIT_NORMAL */
    const gg_value *tied_to; /* NULL, or the output of a gg_embedding of `out` tokens and `in` features that is not
                              * sparse: its weight, transposed, is W, and gets the gradients of both */
} gg_affine_options;

/* Y = f(X W + b): [.., in] -> [.., out]; parameters "W" in x out, "b" out. options may be NULL. */
GG_API gg_value gg_affine(gg_model *model, gg_value x, int64_t out, const gg_affine_options *options);

/* Y = X W: the same without bias and activation; parameter "W". */
GG_API gg_value gg_matmul(gg_model *model, gg_value x, int64_t out, const gg_affine_options *options);

/* ---- convolution ---- */

/* Of images. The kernel's size must be given, the rest may be 0. */
typedef struct gg_conv2d_options {
    int64_t kernel_height, kernel_width;
    int64_t stride_y, stride_x;                       /* 0: 1 */
    int64_t pad_top, pad_bottom, pad_left, pad_right; /* zeros around x; transposed: cut off y */
    bool same; /* set the pads so that y has x's size over the stride, rounded up; transposed: times
                * the stride */
    int64_t dilation_y, dilation_x; /* distance between taps; 0: 1 */
    int64_t groups;                 /* channels and filters in so many parts, each apart; 0: 1 */
    int64_t extra_y, extra_x; /* transposed: rows and columns more of y, fewer than the strides (output_padding) */
    bool no_bias;
    gg_activation activation;    /* fused; GG_IDENTITY by default */
    float alpha;                 /* of leaky ReLU and ELU */
    gg_initializer init;         /* "in": the products in one sum; "out": the same of the gradient */
    float init_scale;            /* deviation for GG_INIT_NORMAL */
    gg_conv_algorithm algorithm; /* forced for the passes that can take it, forward being one of them */
    gg_conv_accuracy accuracy;
} gg_conv2d_options;

/* Of lines: the same with one direction. */
typedef struct gg_conv1d_options {
    int64_t kernel, stride, pad_left, pad_right;
    bool same;
    int64_t dilation, groups, extra;
    bool no_bias;
    gg_activation activation;
    float alpha;
    gg_initializer init;
    float init_scale;
    gg_conv_algorithm algorithm;
    gg_conv_accuracy accuracy;
} gg_conv1d_options;

/* Y = f(X * W + b): [batch, channels, height, width] -> [batch, filters, out_height, out_width]; parameters "W"
 * [filters, channels / groups, kernel_height, kernel_width] and "b" [filters], as in PyTorch. The formula and the sizes
 * are those of gemmgrad/conv.h. Height, width and channels are numbers, not axes. The workspace is planned for
 * gg_threads() threads: a run with more of them is GG_ERR_STATE until the model is planned again. */
GG_API gg_value gg_conv2d(gg_model *model, gg_value x, int64_t filters, const gg_conv2d_options *options);

/* [batch, channels, length] -> [batch, filters, out_length]; "W" [filters, channels / groups, kernel]. */
GG_API gg_value gg_conv1d(gg_model *model, gg_value x, int64_t filters, const gg_conv1d_options *options);

/* The transposed convolution, which enlarges by its strides: [batch, channels, height, width] ->
 * [batch, filters, out_height, out_width] with
 *   out = (in - 1) stride - pads + dilation (kernel - 1) + 1 + extra;
 * "W" [channels, filters / groups, kernel_height, kernel_width], "b" [filters], as in PyTorch. */
GG_API gg_value gg_conv_transpose2d(gg_model *model, gg_value x, int64_t filters, const gg_conv2d_options *options);
GG_API gg_value gg_conv_transpose1d(gg_model *model, gg_value x, int64_t filters, const gg_conv1d_options *options);

/* Y = f(X), element by element. */
GG_API gg_value gg_activate(gg_model *model, gg_value x, gg_activation f, float alpha);
GG_API gg_value gg_sigmoid(gg_model *model, gg_value x);
GG_API gg_value gg_tanh(gg_model *model, gg_value x);
GG_API gg_value gg_relu(gg_model *model, gg_value x);
GG_API gg_value gg_leaky_relu(gg_model *model, gg_value x, float slope);
GG_API gg_value gg_elu(gg_model *model, gg_value x, float alpha);
GG_API gg_value gg_silu(gg_model *model, gg_value x);
GG_API gg_value gg_gelu(gg_model *model, gg_value x);
GG_API gg_value gg_gelu_tanh(gg_model *model, gg_value x);

/* Softmax over the last dimension. */
GG_API gg_value gg_softmax(gg_model *model, gg_value x);

/* Inverted dropout: in training each element becomes 0 with probability ratio (0 <= ratio < 1), the others are divided
 * by 1 - ratio. */
GG_API gg_value gg_dropout(gg_model *model, gg_value x, float ratio);

/* ---- images: [N, C, H, W], signals: [N, C, W]; all but N numbers ---- */

/* The largest, or the mean, of each window: [N, C, H, W] -> [N, C, H', W'] as in gemmgrad/pool.h. For a signal,
 * kernel_height may be 0. */
GG_API gg_value gg_max_pool(gg_model *model, gg_value x, const gg_pool_window *window);
GG_API gg_value gg_average_pool(gg_model *model, gg_value x, const gg_pool_window *window);

/* The largest, or the mean, of each plane: [N, C, ..] -> [N, C]. */
GG_API gg_value gg_global_max_pool(gg_model *model, gg_value x);
GG_API gg_value gg_global_average_pool(gg_model *model, gg_value x);

/* Each channel of [N, C, ..] (also [N, C]) to mean 0 and variance 1 over the batch, times gamma, plus beta, through a
 * ReLU if options->relu; parameters "gamma" and "beta", C each, which start as 1 and 0. In GG_INFER by running
 * statistics, the states "running_mean" and "running_variance", which GG_TRAIN moves. options may be NULL. */
GG_API gg_value gg_batch_normalization(gg_model *model, gg_value x, const gg_batchnorm_options *options);

/* Dropout of whole channels of [N, C, ..], each with probability ratio. */
GG_API gg_value gg_spatial_dropout(gg_model *model, gg_value x, float ratio);

/* [N, d1, d2, ..] -> [N, d1 d2 ..]: the same memory under another shape, nothing is computed or copied. Its gradient is
 * that of x, with what other layers send back to x. Takes no name (gg_model_name_next). */
GG_API gg_value gg_flatten(gg_model *model, gg_value x);

/* ---- losses: a scalar each, the mean over rows ---- */

/* Softmax and cross-entropy in one. t: labels (int32, one for each row; GG_IGNORE_LABEL rows do not count) or float
 * targets of x's shape. */
GG_API gg_value gg_softmax_with_loss(gg_model *model, gg_value x, gg_value t);

/* - sum t log(y + 1e-7) over probabilities y (the output of softmax); the book's cross_entropy_error. */
GG_API gg_value gg_cross_entropy_error(gg_model *model, gg_value y, gg_value t);

/* Mean over all elements of (y - t)^2, as torch.nn.MSELoss. */
GG_API gg_value gg_mean_squared_error(gg_model *model, gg_value y, gg_value t);

/* ---- the nodes of a computational graph ---- */

GG_API gg_value gg_node_add(gg_model *model, gg_value a, gg_value b);      /* a + b, same shape */
GG_API gg_value gg_node_add_relu(gg_model *model, gg_value a, gg_value b); /* max(a + b, 0), same shape */
GG_API gg_value gg_node_multiply(gg_model *model, gg_value a, gg_value b); /* a * b, same shape */
GG_API gg_value gg_node_divide(gg_model *model, gg_value a, gg_value b);   /* a / b, same shape */
GG_API gg_value gg_node_exp(gg_model *model, gg_value x);
GG_API gg_value gg_node_log(gg_model *model, gg_value x);
GG_API gg_value gg_node_repeat(gg_model *model, gg_value x,
                               int64_t count); /* [..] -> [.., count]: each element count times */
GG_API gg_value gg_node_sum(gg_model *model,
                            gg_value x); /* [.., D] -> [..]: sum over the last dimension; [D] -> scalar [1] */

/* ---- several layers in a row ---- */

typedef enum gg_layer_kind {
    GG_LAYER_AFFINE = 0,
    GG_LAYER_MATMUL,
    GG_LAYER_ACTIVATION,
    GG_LAYER_SOFTMAX,
    GG_LAYER_DROPOUT
} gg_layer_kind;

typedef struct gg_layer_spec {
    gg_layer_kind kind;
    int64_t out;              /* affine, matmul */
    gg_activation activation; /* affine (fused), activation */
    float number;             /* alpha of the activation; ratio of dropout */
} gg_layer_spec;

/* x through specs[0], specs[1], ... */
GG_API gg_value gg_sequential(gg_model *model, gg_value x, const gg_layer_spec *specs, int count);

#ifdef __cplusplus
}
#endif
#endif
