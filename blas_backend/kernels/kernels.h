/* kernels/kernels.h - the table of vector kernels, one instance for each instruction set.
 *
 * Every .c file of this folder but select.c is compiled once for each instruction set (meson.build), with
 * GG_KERNEL(name) giving its functions names of their own; table.c gathers them, select.c chooses. Kernels run on
 * one thread, check nothing and are called through gg_kernels(). Aliasing and formulae are those of the public
 * functions in gemmgrad/elementwise.h, softmax.h and update.h; every size may be 0 unless said. */
#ifndef GG_KERNELS_H
#define GG_KERNELS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/elementwise.h>

/* What Adam and AdamW need, worked out once a call. */
typedef struct gg_adam_factors {
    float keep;         /* w is multiplied by this first: 1, or AdamW's 1 - lr weight_decay */
    float weight_decay; /* Adam's L2 term, 0 for AdamW */
    float grad_scale;
    float beta1, rest1; /* rest = 1 - beta */
    float beta2, rest2;
    float step; /* lr / (1 - beta1^t) */
    float root; /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
} gg_adam_factors;

/* w = keep w - lr sign(beta1 m + rest1 g'), then m = beta2 m + rest2 g' with g' = grad_scale g. */
typedef struct gg_lion_factors {
    float lr, keep, grad_scale;
    float beta1, rest1, beta2, rest2;
} gg_lion_factors;

/* Windows over planes of height x width; every stride above 0, every window meets the image. */
typedef struct gg_pool_shape {
    int64_t height, width, out_height, out_width;
    int64_t kernel_height, kernel_width, stride_height, stride_width;
    int64_t top, left; /* padding */
    bool exclude_padding;
} gg_pool_shape;

/* Normalisation's numbers for channels side by side: y = scale (x - mean) + shift, and
 * dx = scale g + slope (x - mean) + level. */
typedef struct gg_norm_columns {
    const float *mean, *scale, *shift, *slope, *level;
} gg_norm_columns;
/* Taps of a kernel that slides over a plane (kernels/taps.c). */
typedef struct gg_taps {
    const float *w;         /* their weights; not read by multiply_taps */
    const int64_t *offsets; /* where each finds the first result's pixel */
    int64_t count;
    int64_t step; /* from the pixels of a row of results to those of the next */
} gg_taps;

/* Floats of a cache line. */
enum { GG_LINE = 16 };

/* Floats of sums that multiply_taps keeps of a tap, with the widest registers. */
enum { GG_TAP_SUMS = 16 };

/* Floats that kernels/taps.c reads or writes beyond a row, at most. */
enum { GG_ROW_SLACK = 16 };

/* Rows that split_rows holds at a time, and join_rows the first of, of stride (part + GG_ROW_SLACK) floats each. */
enum { GG_ROWS_BETWEEN = 8 };

/* A kernel of 3 x 3 or 5 x 5 taps that slides over planes in steps of 1 or 2 (kernels/slide.c). */
typedef struct gg_slide {
    int64_t kernel, stride;
    int64_t height, width;         /* of x */
    int64_t out_height, out_width; /* of y */
    int64_t top, left;             /* zeros before x; below 0: rows and columns of x that nobody sees */
    int64_t plane, out_plane;      /* floats from a plane of x and of y to the next one */
} gg_slide;

/* How minimal filtering is done (kernels/winograd.c): F(2x2, 3x3); F(4x4, 3x3); the same in steps of two, and the
 * gradient of its data. */
typedef enum gg_winograd_form {
    GG_WINOGRAD_2,
    GG_WINOGRAD_4,
    GG_WINOGRAD_STRIDED,
    GG_WINOGRAD_STRIDED_TURNED
} gg_winograd_form;

/* Sizes along one direction: pixels from tile to tile and of a tile, values that they become; results of a tile, values
 * that these come from; values of a filter, each of them a product with one of the pixels' for one of the results'. */
typedef struct gg_winograd_sizes {
    int step, pixels, inputs, results, outputs, products;
} gg_winograd_sizes;

static inline gg_winograd_sizes gg_winograd_sizes_of(gg_winograd_form form)
{
    static const gg_winograd_sizes sizes[] = {
        [GG_WINOGRAD_2] = {2, 4, 4, 2, 4, 4},
        [GG_WINOGRAD_4] = {4, 6, 6, 4, 6, 6},
        [GG_WINOGRAD_STRIDED] = {8, 9, 9, 4, 5, 9},
        [GG_WINOGRAD_STRIDED_TURNED] = {4, 5, 5, 8, 9, 9},
    };
    return sizes[form];
}

/* Rows of the matrix of columns: `count` of them from row `first` on, row c taps + t being tap t of channel c, which
 * starts offsets[t] floats into the channel's planes. */
typedef struct gg_tap_rows {
    int64_t first, count, taps, channel_floats;
    const int64_t *offsets;
} gg_tap_rows;

/* Pixels that lie one after the other, in the columns as in the planes. */
typedef struct gg_pixel_run {
    int64_t offset, length;
} gg_pixel_run;

/* A step of a recurrent layer for some units side by side: rows of the batch, gate k of a row `gate_step` floats behind
 * gate 0. Pointers are those of the first unit; NULL where the cell or the call has no such thing. */
typedef struct gg_cell_forward {
    int64_t rows, units, step;
    const int32_t *lengths; /* row r counts while step < lengths[r]; NULL: all count */
    float *product;         /* state times weights; gate k of a row units floats behind gate 0 */
    int64_t product_ld;
    float *gates; /* the input's part (RNN and LSTM: see input), then the activated gates */
    int64_t gates_ld, gate_step;
    const float *input; /* RNN, LSTM: what is added to the product, rows input_ld apart, gates gate_step; it may be */
    int64_t input_ld;   /* gates itself, or with 0 a bias for all rows */
    const float *before, *cell_before; /* states, rows `ld` apart */
    float *after, *cell_after;
    int64_t ld;
    const float *bias;              /* GRU: of what stands inside the reset */
    const float *drop, *masked_now; /* the mask; before times it, or before itself */
    float *masked;                  /* after times the mask, for the next step */
    float *reset;                   /* GRU_BEFORE: r * masked_now */
    float *y;
    int64_t ldy;
} gg_cell_forward;

/* The same backward: gates are activated ones, then the gradients before activation. dh is what passes on beside the
 * product; with `product`, the product's gradient of this step's result (ld units), and dy it makes the whole. */
typedef struct gg_cell_backward {
    int64_t rows, units, step;
    const int32_t *lengths;
    const float *product;
    float *dh, *dc;
    const float *dy;
    int64_t lddy;
    float *gates;
    int64_t gates_ld, gate_step;
    const float *before, *after, *cell_before, *cell_after;
    int64_t ld;
    const float *drop, *masked_now;
} gg_cell_backward;

/* X(constant, name) for every activation. */
#define GG_ACTIVATION_LIST(X)    \
    X(GG_IDENTITY, identity)     \
    X(GG_SIGMOID, sigmoid)       \
    X(GG_TANH, tanh)             \
    X(GG_RELU, relu)             \
    X(GG_LEAKY_RELU, leaky_relu) \
    X(GG_ELU, elu)               \
    X(GG_SILU, silu)             \
    X(GG_GELU, gelu)             \
    X(GG_GELU_TANH, gelu_tanh)   \
    X(GG_EXP, exp)               \
    X(GG_LOG, log)

/* How a result goes to memory. GG_STREAM: past the caches, in whole lines (stream.h); the array begins at one and holds
 * a multiple of GG_LINE floats, and so does each of its rows. Values are the same. */
typedef enum gg_writing { GG_OVERWRITE = 0, GG_ADD, GG_STREAM } gg_writing;

typedef void gg_forward_kernel(float *y, const float *x, int64_t n, float alpha);
typedef void gg_backward_kernel(float *dx, const float *dy, const float *xy, int64_t n, float alpha,
                                gg_writing writing);

/* X(result, name, arguments) for every other kernel: this list declares the functions of each set, the fields of the
 * table and its contents. Matrices of the softmax group are dense; sums are in an order that only the sizes decide.
 *   sum_rows            s[c] = or += sum of x[r][c], rows > 0
 *   cross_entropy       the loss (and *counted += rows counted); dx may be NULL
 *   dot_rows, ...       gemmgrad/scores.h for one sample; logistic_loss: g may be NULL
 *   adam                both Adams, see gg_adam_factors; lion: see gg_lion_factors
 *   transpose           target[c][r] = source[r][c]; transpose_add: that + beta * target[c][r] (beta 0 overwrites)
 *   copy_rows           target[r][c] = source[r][c]
 *   add_to_rows         y[r][c] += values[r]
 *   stream_rows         target[r][c] = source[r][c] past the caches: all rows of target start at cache lines and cols
 *                       is a multiple of GG_LINE; what other threads see of it they see after end_streams
 *   scale_rows          y[r][c] = factors[r] x[r][c]
 *   max_pool            index may be NULL; max_unpool, mean_unpool: their gradients
 *   max_index           where the largest of n > 0 floats stands: the first of equal ones, of NaNs the first
 *   moments             sums (planes: +=) of x - origin and its square; norm_sums: of g and g (x - mean)
 *   norm_rows           layer or RMS normalisation (gemmgrad/layernorm.h), cols > 0; mean, inverse, gamma and beta may
 *                       be NULL
 *   norm_rows_gradient  its gradients; dgamma and dbeta += the sums over these rows; dx, dgamma, dbeta may be NULL
 *   swiglu              y = silu(a) b, and its gradients (gemmgrad/gated.h)
 *   rotate_heads        each of `heads` vectors of 2 half floats turned by `half` cosines and as many sines; sign -1:
 *                       turned back
 *   sum_taps            y[i][j] = or += start + sum over t of w[t] x[i step + offset[t] + j]; reads x up to 15 floats
 *                       beyond the last column
 *   multiply_taps       adds dy[i][j] x[i step + offset[t] + j] to GG_TAP_SUMS sums of each tap t, 0 at first
 *   total_taps          dw[t] = or += what these sums come to
 *   split_rows          target[r][p][i] = padded row r of x [i stride + p], p < stride, i < part: `left` zeros, the
 *                       columns of x, zeros; reads and writes up to 15 floats beyond target, clobbering them
 *   join_rows           x[r][i stride + p] = or += source[r lds + p part + i]; reads source up to 15 floats beyond
 *                       (between: GG_ROWS_BETWEEN rows; 0 for split_rows, which keeps all but the columns so)
 *   has_masks           whether registers of this set have masks, without which slide and its gradients are slow
 *   slide               rows [begin, end) of planes of y = or += start (NULL: 0) + the kernel's sums over x; each
 *                       plane has a start and a w of its own, side by side
 *   slide_data          the gradients of x for a stride of 2: padded rows 2 begin to 2 end - 1
 *   slide_weights       adds that of w by rows [begin, end) of planes of dy to GG_TAP_SUMS sums of each tap, and these
 *                       rows themselves to GG_TAP_SUMS sums from sums[GG_TAP_SUMS taps] on
 *   copy_columns        target[r] = the runs of tap row r, one after the other; up to 16 floats beyond each row of
 *                       target and each run of source are touched
 *   add_columns         the runs of tap row r += source[r]
 *   pad_rows            target[r][j] = source[r lds + (j - from) stride] for from <= j < to, else 0, where j < pitch;
 *                       stride 1 or 2
 *   take_every          target[i] = source[i stride]; put_every: the other way round, = or +=
 *   attention_weigh     a tile of scores, keys down and queries across, becomes e^(s - largest): largest, sum and
 *                       correction hold a float for each column, the first two over all tiles so far; correction is
 *                       what results so far must be multiplied by; returns whether any is not 1. Columns up to the next
 *                       multiple of 64 are touched
 *   attention_gradient  s becomes the weight p = e^(s - lse), ds = p (ds - dot)
 *   row_dots            dot[r] = sum of a[r][c] b[r][c]
 *   rnn_..., lstm_..., gru_..., gru_before_...   a step of a cell; gru_before has two parts, before and behind the
 *                       product with the reset state: gates r and z, then n
 *   hidden_gradient     dh += the product's, times drop: what is left of gg_cell_backward without a cell
 *   winograd_...        transforms of convolution's tiles, 16 channels or filters side by side; a row of tiles, or one
 *                       channel's filters, a call. The vectors of value i lie i * stride further, those of tile t
 *                       t * ld; rows of pixels row_step apart. See winograd.c */
#define GG_KERNEL_LIST(X)                                                                                              \
    X(void, add, (float *y, const float *a, const float *b, int64_t n))                                                \
    X(void, multiply, (float *y, const float *a, const float *b, int64_t n))                                           \
    X(void, divide, (float *y, const float *a, const float *b, int64_t n))                                             \
    X(void, add_relu, (float *y, const float *a, const float *b, int64_t n))                                           \
    X(void, axpy, (float *y, const float *x, int64_t n, float alpha))                                                  \
    X(void, fill, (float *y, int64_t n, float value))                                                                  \
    X(void, add_constant, (float *y, int64_t n, float value))                                                          \
    X(void, add_to_rows, (float *y, int64_t ldy, const float *values, int64_t rows, int64_t cols))                     \
    X(void, stream_rows, (float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t cols))   \
    X(void, end_streams, (void))                                                                                       \
    X(void, scale, (float *y, int64_t n, float alpha))                                                                 \
    X(double, sum, (const float *x, int64_t n))                                                                        \
    X(double, sum_squares, (const float *x, int64_t n))                                                                \
    X(bool, all_finite, (const float *x, int64_t n))                                                                   \
    X(void, add_bias,                                                                                                  \
      (float *y, int64_t ldy, const float *x, int64_t ldx, const float *bias, int64_t rows, int64_t cols,              \
       gg_activation f, float alpha))                                                                                  \
    X(void, sum_rows, (float *s, const float *x, int64_t ldx, int64_t rows, int64_t cols, bool accumulate))            \
    X(void, softmax_forward, (float *y, const float *x, int64_t rows, int64_t cols, gg_writing writing))               \
    X(void, softmax_backward,                                                                                          \
      (float *dx, const float *dy, const float *y, int64_t rows, int64_t cols, gg_writing writing))                    \
    X(void, log_sum_exp, (float *out, const float *x, int64_t rows, int64_t cols))                                     \
    X(double, cross_entropy,                                                                                           \
      (float *dx, int64_t *counted, const float *x, const int32_t *labels, int64_t rows, int64_t cols, float scale))   \
    X(double, cross_entropy_targets,                                                                                   \
      (float *dx, const float *x, const float *targets, int64_t rows, int64_t cols, float scale))                      \
    X(void, dot_rows, (float *s, const float *h, const float *e, int64_t count, int64_t cols))                         \
    X(void, combine_rows,                                                                                              \
      (float *y, const float *g, const float *e, int64_t count, int64_t cols, float factor, bool accumulate))          \
    X(void, spread_rows,                                                                                               \
      (float *de, const float *g, const float *h, int64_t count, int64_t cols, float factor, bool accumulate))         \
    X(double, logistic_loss, (float *g, const float *s, const int32_t *labels, int64_t n, float scale))                \
    X(void, sgd, (float *w, const float *g, int64_t n, float lr, float weight_decay, float grad_scale))                \
    X(void, momentum,                                                                                                  \
      (float *w, float *v, const float *g, int64_t n, float lr, float momentum, float weight_decay, float grad_scale)) \
    X(void, nesterov,                                                                                                  \
      (float *w, float *v, const float *g, int64_t n, float lr, float momentum, float weight_decay, float grad_scale)) \
    X(void, adagrad,                                                                                                   \
      (float *w, float *h, const float *g, int64_t n, float lr, float epsilon, float weight_decay, float grad_scale))  \
    X(void, rmsprop,                                                                                                   \
      (float *w, float *h, const float *g, int64_t n, float lr, float rho, float epsilon, float weight_decay,          \
       float grad_scale))                                                                                              \
    X(void, adam, (float *w, float *m, float *v, const float *g, int64_t n, const gg_adam_factors *factors))           \
    X(void, lion, (float *w, float *m, const float *g, int64_t n, const gg_lion_factors *factors))                     \
    X(void, transpose, (float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t columns))  \
    X(void, transpose_add,                                                                                             \
      (float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t columns, float beta))       \
    X(void, copy_rows, (float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t columns))  \
    X(void, scale_rows, (float *y, const float *x, const float *factors, int64_t rows, int64_t cols))                  \
    X(void, max_pool, (float *y, int32_t *index, const float *x, int64_t planes, const gg_pool_shape *p))              \
    X(void, max_unpool,                                                                                                \
      (float *dx, const float *dy, const int32_t *index, int64_t planes, const gg_pool_shape *p, bool accumulate))     \
    X(int64_t, max_index, (const float *x, int64_t n))                                                                 \
    X(void, mean_pool, (float *y, const float *x, int64_t planes, const gg_pool_shape *p))                             \
    X(void, mean_unpool, (float *dx, const float *dy, int64_t planes, const gg_pool_shape *p, bool accumulate))        \
    X(void, moments_plane, (double sums[2], const float *x, int64_t n, float origin))                                  \
    X(void, normalize_plane, (float *y, const float *x, int64_t n, float mean, float scale, float shift, bool relu))   \
    X(void, norm_sums_plane,                                                                                           \
      (double sums[2], const float *dy, const float *x, int64_t n, float mean, float scale, float shift, bool relu))   \
    X(void, norm_gradient_plane,                                                                                       \
      (float *dx, const float *dy, const float *x, int64_t n, float mean, float scale, float shift, float slope,       \
       float level, bool relu, bool accumulate))                                                                       \
    X(void, moments_columns,                                                                                           \
      (double *first, double *second, const float *x, int64_t ld, int64_t rows, int64_t columns, const float *origin)) \
    X(void, normalize_columns,                                                                                         \
      (float *y, const float *x, int64_t ld, int64_t rows, int64_t columns, const gg_norm_columns *n, bool relu))      \
    X(void, norm_sums_columns,                                                                                         \
      (double *first, double *second, const float *dy, const float *x, int64_t ld, int64_t rows, int64_t columns,      \
       const gg_norm_columns *n, bool relu))                                                                           \
    X(void, norm_gradient_columns,                                                                                     \
      (float *dx, const float *dy, const float *x, int64_t ld, int64_t rows, int64_t columns,                          \
       const gg_norm_columns *n, bool relu, bool accumulate))                                                          \
    X(void, norm_rows,                                                                                                 \
      (float *y, float *mean, float *inverse, const float *x, const float *gamma, const float *beta, int64_t rows,     \
       int64_t cols, float epsilon, bool rms, gg_writing writing))                                                     \
    X(void, norm_rows_gradient,                                                                                        \
      (float *dx, float *dgamma, float *dbeta, const float *dy, const float *x, const float *mean,                     \
       const float *inverse, const float *gamma, int64_t rows, int64_t cols, bool rms, gg_writing writing))            \
    X(void, swiglu, (float *y, const float *a, const float *b, int64_t n))                                             \
    X(void, swiglu_gradient,                                                                                           \
      (float *da, float *db, const float *dy, const float *a, const float *b, int64_t n, bool accumulate))             \
    X(void, rotate_heads,                                                                                              \
      (float *y, const float *x, const float *turns, int64_t heads, int64_t half, float sign, bool accumulate))        \
    X(void, sum_taps,                                                                                                  \
      (float *y, int64_t ldy, const float *x, const gg_taps *taps, int64_t rows, int64_t columns, float start,         \
       bool accumulate))                                                                                               \
    X(void, multiply_taps,                                                                                             \
      (float *sums, const float *dy, int64_t ldy, const float *x, const gg_taps *taps, int64_t rows, int64_t columns)) \
    X(void, total_taps, (float *dw, const float *sums, int64_t taps, bool accumulate))                                 \
    X(void, split_rows,                                                                                                \
      (float *target, int64_t part, const float *x, int64_t ldx, int64_t rows, int64_t columns, int64_t left,          \
       int64_t stride, float *between))                                                                                \
    X(void, join_rows,                                                                                                 \
      (float *x, int64_t ldx, const float *source, int64_t lds, int64_t part, int64_t rows, int64_t columns,           \
       int64_t stride, bool accumulate, float *between))                                                               \
    X(bool, has_masks, (void))                                                                                         \
    X(void, slide,                                                                                                     \
      (float *y, const float *x, const float *w, const float *start, const gg_slide *s, int64_t planes, int64_t begin, \
       int64_t end, bool accumulate))                                                                                  \
    X(void, slide_data,                                                                                                \
      (float *dx, const float *dy, const float *w, const gg_slide *s, int64_t planes, int64_t begin, int64_t end,      \
       bool accumulate))                                                                                               \
    X(void, slide_weights,                                                                                             \
      (float *sums, const float *dy, const float *x, const gg_slide *s, int64_t planes, int64_t begin, int64_t end))   \
    X(void, copy_columns,                                                                                              \
      (float *target, int64_t ld, const float *source, const gg_tap_rows *rows, const gg_pixel_run *runs,              \
       int64_t run_count))                                                                                             \
    X(void, add_columns,                                                                                               \
      (float *target, const float *source, int64_t ld, const gg_tap_rows *rows, const gg_pixel_run *runs,              \
       int64_t run_count))                                                                                             \
    X(void, pad_rows,                                                                                                  \
      (float *target, int64_t pitch, const float *source, int64_t lds, int64_t rows, int64_t from, int64_t to,         \
       int64_t stride))                                                                                                \
    X(void, take_every, (float *target, const float *source, int64_t n, int64_t stride))                               \
    X(void, put_every, (float *target, const float *source, int64_t n, int64_t stride, bool accumulate))               \
    X(bool, attention_weigh,                                                                                           \
      (float *s, int64_t ld, int64_t rows, int64_t cols, float *largest, float *sum, float *correction))               \
    X(void, attention_gradient,                                                                                        \
      (float *s, float *ds, int64_t ld, int64_t rows, int64_t cols, const float *lse, const float *dot))               \
    X(void, row_dots,                                                                                                  \
      (float *dot, const float *a, int64_t lda, const float *b, int64_t ldb, int64_t rows, int64_t cols))              \
    X(void, rnn_tanh_forward, (const gg_cell_forward *c))                                                              \
    X(void, rnn_relu_forward, (const gg_cell_forward *c))                                                              \
    X(void, lstm_forward, (const gg_cell_forward *c))                                                                  \
    X(void, gru_forward, (const gg_cell_forward *c))                                                                   \
    X(void, gru_before_reset_forward, (const gg_cell_forward *c))                                                      \
    X(void, gru_before_forward, (const gg_cell_forward *c))                                                            \
    X(void, rnn_tanh_backward, (const gg_cell_backward *c))                                                            \
    X(void, rnn_relu_backward, (const gg_cell_backward *c))                                                            \
    X(void, lstm_backward, (const gg_cell_backward *c))                                                                \
    X(void, gru_backward, (const gg_cell_backward *c))                                                                 \
    X(void, gru_before_backward, (const gg_cell_backward *c))                                                          \
    X(void, gru_before_reset_backward, (const gg_cell_backward *c))                                                    \
    X(void, hidden_gradient, (const gg_cell_backward *c))                                                              \
    X(void, winograd_input,                                                                                            \
      (float *v, int64_t stride, int64_t ld, const float *pixels, int64_t row_step, int64_t left, int64_t width,       \
       int64_t tiles, gg_winograd_form form))                                                                          \
    X(void, winograd_gradient,                                                                                         \
      (float *m, int64_t stride, int64_t ld, const float *pixels, int64_t row_step, int64_t width, int64_t tiles,      \
       gg_winograd_form form))                                                                                         \
    X(void, winograd_output,                                                                                           \
      (float *pixels, int64_t row_step, const float *m, int64_t stride, int64_t ld, int64_t skipped, int64_t width,    \
       int64_t tiles, gg_winograd_form form))                                                                          \
    X(void, winograd_filter, (float *u, int64_t stride, const float *taps, int64_t step, gg_winograd_form form))       \
    X(void, winograd_filter_gradient, (float *taps, const float *m, int64_t stride, gg_winograd_form form))

#define GG_KERNEL_FIELD(result, name, arguments) result(*name) arguments;

typedef struct gg_kernel_table {
    gg_forward_kernel *forward[GG_ACTIVATION_COUNT];
    gg_forward_kernel *streamed[GG_ACTIVATION_COUNT]; /* the same with GG_STREAM */
    gg_backward_kernel *backward[GG_ACTIVATION_COUNT];
    GG_KERNEL_LIST(GG_KERNEL_FIELD)
} gg_kernel_table;

/* NULL until the first question; read through gg_kernels(). */
extern const gg_kernel_table *_Atomic gg_kernels_chosen;

/* Ask the backend, which starts it when nobody has. */
const gg_kernel_table *gg_kernels_choose(void);

/* The table for the instruction set that the backend chose: a load and a branch, for it stands before every small call.
 * Relaxed order suffices, the tables being constants. */
static inline const gg_kernel_table *gg_kernels(void)
{
    const gg_kernel_table *table = atomic_load_explicit(&gg_kernels_chosen, memory_order_relaxed);
    return table != NULL ? table : gg_kernels_choose();
}

/* The table of one set; NULL where this build has no such set. For tests. */
const gg_kernel_table *gg_kernels_for(gg_isa isa);

#endif
