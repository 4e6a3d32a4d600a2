/* reference_update.h - gemmgrad/update.h as plain loops in double, short enough to check by eye.
 *
 * scale[i] receives the sum of the magnitudes of the terms of the new w[i]: what its rounding errors are measured by,
 * provided that grad_scale g and weight_decay w have one sign. */
#ifndef REFERENCE_UPDATE_H
#define REFERENCE_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

void reference_sgd(double *w, double *scale, const double *g, int64_t n, double lr, double weight_decay,
                   double grad_scale);

void reference_momentum(double *w, double *v, double *scale, const double *g, int64_t n, double lr, double momentum,
                        double weight_decay, double grad_scale, bool nesterov);

void reference_adagrad(double *w, double *h, double *scale, const double *g, int64_t n, double lr, double epsilon,
                       double weight_decay, double grad_scale);

void reference_rmsprop(double *w, double *h, double *scale, const double *g, int64_t n, double lr, double rho,
                       double epsilon, double weight_decay, double grad_scale);

/* decoupled: AdamW. */
void reference_adam(double *w, double *m, double *v, double *scale, const double *g, int64_t n, double lr, double beta1,
                    double beta2, double epsilon, double weight_decay, double grad_scale, int64_t step, bool decoupled);

/* scale: of w alone; where |beta1 m + (1 - beta1) g| is within rounding of 0, either sign is right. */
void reference_lion(double *w, double *m, double *scale, const double *g, int64_t n, double lr, double beta1,
                    double beta2, double weight_decay, double grad_scale);

#endif
