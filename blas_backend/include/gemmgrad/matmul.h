/* gemmgrad/matmul.h - the product of a layer and its gradients: Y = X W + b and back.
 *
 * X is rows x in, Y is rows x out. The weight W is stored in x out (GG_IN_OUT, as in Deep Learning from
 * Scratch) or out x in (GG_OUT_IN, as PyTorch stores it); the leading dimension ldw refers to what is stored.
 * Sizes of 0 are legal (in = 0 gives Y = f(b)). Outputs must not overlap inputs. Thread-safe on different
 * outputs; uses up to gg_threads() threads. Errors, outputs untouched: GG_ERR_ARGUMENT, GG_ERR_SHAPE, GG_ERR_OVERFLOW.
 */
#ifndef GEMMGRAD_MATMUL_H
#define GEMMGRAD_MATMUL_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_weight_layout { GG_IN_OUT = 0, GG_OUT_IN = 1 } gg_weight_layout;

typedef struct gg_matmul_options {
    gg_weight_layout layout;
    bool accumulate_y;        /* forward: Y = f(Y + X W + b) instead of f(X W + b) */
    gg_activation activation; /* forward: f, fused; 0 is the identity */
    float alpha;              /* of leaky ReLU and ELU */
    float *preactivation;     /* forward: NULL, or rows x out dense: receives X W + b before f */
    bool accumulate_dx;       /* backward: += instead of = */
    bool accumulate_dw;       /* backward: += instead of =, for dW and db */
} gg_matmul_options;

/* Y = f(X W + b). bias (out floats) may be NULL; options may be NULL for all defaults. */
GG_API gg_status gg_matmul_forward(float *y, int64_t ldy, const float *x, int64_t ldx, const float *w, int64_t ldw,
                                   const float *bias, int64_t rows, int64_t in, int64_t out,
                                   const gg_matmul_options *options);

/* dX = dY W^T, dW = X^T dY (stored as W is), db = sum of dY over its rows.
 * dx, dw and db may each be NULL: not wanted, not computed. dY is the gradient after f has been undone
 * (gg_activation_backward). x may be NULL when dw is, w may be NULL when dx is. */
GG_API gg_status gg_matmul_backward(float *dx, int64_t lddx, float *dw, int64_t lddw, float *db, const float *dy,
                                    int64_t lddy, const float *x, int64_t ldx, const float *w, int64_t ldw,
                                    int64_t rows, int64_t in, int64_t out, const gg_matmul_options *options);

#ifdef __cplusplus
}
#endif
#endif
