/* reference_update.c - see reference_update.h. */
#include "reference_update.h"

#include <math.h>

void reference_sgd(double *w, double *scale, const double *g, int64_t n, double lr, double weight_decay,
                   double grad_scale)
{
    for (int64_t i = 0; i < n; i++) {
        const double slope = grad_scale * g[i] + weight_decay * w[i];
        scale[i] = fabs(w[i]) + fabs(lr * slope);
        w[i] -= lr * slope;
    }
}

void reference_momentum(double *w, double *v, double *scale, const double *g, int64_t n, double lr, double momentum,
                        double weight_decay, double grad_scale, bool nesterov)
{
    for (int64_t i = 0; i < n; i++) {
        const double slope = grad_scale * g[i] + weight_decay * w[i];
        const double terms = fabs(momentum * v[i]) + fabs(slope);
        v[i] = momentum * v[i] + slope;
        scale[i] = fabs(w[i]) + fabs(lr) * (nesterov ? fabs(slope) + momentum * terms : terms);
        w[i] -= lr * (nesterov ? slope + momentum * v[i] : v[i]);
    }
}

void reference_adagrad(double *w, double *h, double *scale, const double *g, int64_t n, double lr, double epsilon,
                       double weight_decay, double grad_scale)
{
    for (int64_t i = 0; i < n; i++) {
        const double slope = grad_scale * g[i] + weight_decay * w[i];
        h[i] += slope * slope;
        const double change = lr * slope / (sqrt(h[i]) + epsilon);
        scale[i] = fabs(w[i]) + fabs(change);
        w[i] -= change;
    }
}

void reference_rmsprop(double *w, double *h, double *scale, const double *g, int64_t n, double lr, double rho,
                       double epsilon, double weight_decay, double grad_scale)
{
    for (int64_t i = 0; i < n; i++) {
        const double slope = grad_scale * g[i] + weight_decay * w[i];
        h[i] = rho * h[i] + (1 - rho) * slope * slope;
        const double change = lr * slope / (sqrt(h[i]) + epsilon);
        scale[i] = fabs(w[i]) + fabs(change);
        w[i] -= change;
    }
}

void reference_adam(double *w, double *m, double *v, double *scale, const double *g, int64_t n, double lr, double beta1,
                    double beta2, double epsilon, double weight_decay, double grad_scale, int64_t step, bool decoupled)
{
    for (int64_t i = 0; i < n; i++) {
        const double slope = grad_scale * g[i] + (decoupled ? 0 : weight_decay * w[i]);
        const double decayed = decoupled ? w[i] * (1 - lr * weight_decay) : w[i];
        const double terms = fabs(beta1 * m[i]) + fabs((1 - beta1) * slope);
        m[i] = beta1 * m[i] + (1 - beta1) * slope;
        v[i] = beta2 * v[i] + (1 - beta2) * slope * slope;
        const double size = lr / (1 - pow(beta1, (double)step));
        const double root = sqrt(v[i] / (1 - pow(beta2, (double)step))) + epsilon;
        scale[i] = fabs(w[i]) + fabs(size) * terms / root;
        w[i] = decayed - size * m[i] / root;
    }
}

void reference_lion(double *w, double *m, double *scale, const double *g, int64_t n, double lr, double beta1,
                    double beta2, double weight_decay, double grad_scale)
{
    for (int64_t i = 0; i < n; i++) {
        const double slope = grad_scale * g[i];
        const double mixed = beta1 * m[i] + (1 - beta1) * slope;
        const double sign = mixed > 0 ? 1 : mixed < 0 ? -1 : mixed;
        m[i] = beta2 * m[i] + (1 - beta2) * slope;
        scale[i] = fabs(w[i]) + fabs(lr);
        w[i] = w[i] * (1 - lr * weight_decay) - lr * sign;
    }
}
