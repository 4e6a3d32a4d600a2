/* reference_layers.h - every layer as plain loops in double, forward and backward, short enough to check by eye.
 *
 * Rows are all leading dimensions together, columns the last one. A backward overwrites dx, dw and db, and may use y;
 * adding up what several readers of one value send back is the caller's. */
#ifndef REFERENCE_LAYERS_H
#define REFERENCE_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/conv.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/pool.h>

typedef struct reference_pass {
    int64_t rows, columns;    /* of the first input */
    int64_t out;              /* affine: features of the output; repeat: how many copies */
    gg_activation activation; /* affine, activation */
    double alpha;             /* of the activation */
    const double *x[4];
    const int32_t *labels; /* a class for each row; NULL: the targets are x[1] */
    const double *w, *b;   /* w[columns][out]; b may be NULL */
    bool tied;             /* affine: w[out][columns] instead */
    gg_conv_shape conv;    /* convolution, with its batch; of a transposed one that of which it is the transpose */
    bool conv_transposed;
    const double *mask; /* dropout: 0 or 1 / (1 - ratio) for each element */
    double *y;
    const double *dy;
    double *dx[4], *dw, *db; /* dx[i] is NULL of labels, db without b */

    /* reference_sequence.c, reference_recurrent_layer.c */
    int64_t steps, batch;      /* the first dimension of x[0] (repeat_time: of y); the samples */
    int64_t columns_of_second; /* concatenate */
    int64_t vocabulary;
    const struct reference_recurrence *recurrence;
    const struct reference_attend *attend; /* reference_attend.c */
    int64_t queries, keys;
    const double *more[4]; /* parameters behind w and b */
    double *dmore[4];

    /* reference_transformer.c */
    int64_t positions, together, heads, head_width;
    bool rms;

    /* reference_images.c */
    int64_t images, channels, height, width; /* of the first input */
    const gg_pool_window *window;            /* pooling */
    double epsilon;                          /* batch normalisation */
    bool relu;                               /* batch normalisation: fused */
} reference_pass;

/* A layer, and how large the rounding errors of a float version may be: every element of an output lies within
 * REFERENCE_BOUND * FLT_EPSILON * magnitude of the exact value for inputs that are exact. Where the magnitudes are
 * NULL, they are what the functions themselves give for the absolute values of all inputs: sums of |a| |b| instead of a
 * b. */
typedef struct reference_layer {
    const char *name;
    void (*forward)(const reference_pass *pass);
    void (*backward)(const reference_pass *pass);
    void (*forward_magnitude)(const reference_pass *pass);
    void (*backward_magnitude)(const reference_pass *pass);
} reference_layer;

/* The bound that LAPACK's tests hold products to. */
#define REFERENCE_BOUND 16.0

extern const reference_layer reference_affine, reference_activation_layer, reference_softmax_layer, reference_dropout,
    reference_softmax_with_loss, reference_cross_entropy_error, reference_mean_squared_error, reference_add,
    reference_multiply, reference_divide, reference_repeat, reference_sum, reference_conv_layer;

/* Whether f' jumps at 0: finite differences, and floats that round to the other side, mean nothing there. */
bool reference_has_kink(gg_activation f, double alpha);

/* The smallest |z| over the sums z = x W + b of an affine layer, x * W + b of a convolution (which uses y). */
double reference_affine_smallest_sum(const reference_pass *pass);
double reference_conv_smallest_sum(const reference_pass *pass);

/* ---- for layers with an activation fused: f(z), f'(z), and the magnitudes of y and of dz from that of z ---- */

double reference_activate(const reference_pass *pass, double z);
double reference_slope_at(const reference_pass *pass, double z);
double reference_y_magnitude(const reference_pass *pass, double z, double magnitude);
double reference_dz_magnitude(const reference_pass *pass, double dy, double z, double magnitude);

#endif
