/* norm_case.h - what the tests of batch and of layer normalisation share: both passes held to the reference. */
#ifndef NORM_CASE_H
#define NORM_CASE_H

#include <stdbool.h>

#include <gemmgrad/status.h>

#include "reference_layers.h"

/* y (n floats) against the layer's forward of the same inputs, which fills pass->y. */
void norm_check_forward(const reference_layer *layer, const reference_pass *pass, const float *y, int64_t n);

typedef struct norm_gradients {
    float *dx, *dgamma, *dbeta;
} norm_gradients;

/* A test's call of the library for its trial. */
typedef gg_status norm_backward(const void *trial, float *dx, float *dgamma, float *dbeta, bool add);

/* The gradients of n elements of x and of `features` of gamma and beta, written and added to what was there, against
 * the layer's backward. Returns those that were written. */
norm_gradients norm_check_backward(const reference_layer *layer, const reference_pass *pass, norm_backward *backward,
                                   const void *trial, int64_t n, int64_t features);

#endif
