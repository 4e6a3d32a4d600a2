/* gemmgrad/update.h - one optimiser step as one pass over flat arrays of weights and gradients.
 *
 * w: n weights, read and written. g: n gradients, read only. Every rule first forms g' = grad_scale * g
 * (the factor of global-norm clipping, 1 when there is none), then g' += weight_decay * w (L2; AdamW decays
 * apart, as said there). State arrays (n floats each, zero at the start) belong to the caller. Arrays must not
 * overlap. n = 0 does nothing. `step` counts from 1. Formulae and defaults are PyTorch's (torch.optim).
 * Thread-safe on different arrays. Errors, outputs untouched: GG_ERR_ARGUMENT, GG_ERR_OVERFLOW (an n that no
 * memory holds). */
#ifndef GEMMGRAD_UPDATE_H
#define GEMMGRAD_UPDATE_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* w -= lr g'. */
GG_API gg_status gg_update_sgd(float *w, const float *g, int64_t n, float lr, float weight_decay, float grad_scale);

/* v = momentum v + g';  w -= lr v. */
GG_API gg_status gg_update_momentum(float *w, float *v, const float *g, int64_t n, float lr, float momentum,
                                    float weight_decay, float grad_scale);

/* v = momentum v + g';  w -= lr (g' + momentum v). */
GG_API gg_status gg_update_nesterov(float *w, float *v, const float *g, int64_t n, float lr, float momentum,
                                    float weight_decay, float grad_scale);

/* h += g'^2;  w -= lr g' / (sqrt(h) + epsilon). */
GG_API gg_status gg_update_adagrad(float *w, float *h, const float *g, int64_t n, float lr, float epsilon,
                                   float weight_decay, float grad_scale);

/* h = rho h + (1 - rho) g'^2;  w -= lr g' / (sqrt(h) + epsilon). */
GG_API gg_status gg_update_rmsprop(float *w, float *h, const float *g, int64_t n, float lr, float rho, float epsilon,
                                   float weight_decay, float grad_scale);

/* m = beta1 m + (1 - beta1) g';  v = beta2 v + (1 - beta2) g'^2;
 * w -= lr (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon). */
GG_API gg_status gg_update_adam(float *w, float *m, float *v, const float *g, int64_t n, float lr, float beta1,
                                float beta2, float epsilon, float weight_decay, float grad_scale, int64_t step);

/* Adam with decoupled decay: w *= 1 - lr weight_decay first, and g' = grad_scale * g only. */
GG_API gg_status gg_update_adamw(float *w, float *m, float *v, const float *g, int64_t n, float lr, float beta1,
                                 float beta2, float epsilon, float weight_decay, float grad_scale, int64_t step);

/* ---- some rows of a matrix ---- */

typedef enum gg_update_kind {
    GG_UPDATE_SGD = 0,
    GG_UPDATE_MOMENTUM,
    GG_UPDATE_NESTEROV,
    GG_UPDATE_ADAGRAD,
    GG_UPDATE_RMSPROP,
    GG_UPDATE_ADAM,
    GG_UPDATE_ADAMW,
    GG_UPDATE_COUNT
} gg_update_kind;

/* A rule above with its numbers; those it does not have are not read. */
typedef struct gg_update_rule {
    gg_update_kind kind;
    float lr, momentum, rho, beta1, beta2, epsilon, weight_decay, grad_scale;
    int64_t step;
} gg_update_rule;

/* The rule for the rows rows[0 .. count-1] alone, distinct numbers below table_rows, of matrices of table_rows x cols
 * floats: of the weights w, of g, and of the states that the rule has (v, h or m in `first`, Adam's v in `second`; NULL
 * otherwise). All other rows stay as they are, their states included, as if the rule had not seen this step ("lazy").
 */
GG_API gg_status gg_update_rows(float *w, float *first, float *second, const float *g, const int32_t *rows,
                                int64_t count, int64_t table_rows, int64_t cols, const gg_update_rule *rule);

#ifdef __cplusplus
}
#endif
#endif
