/* update.c - the optimisers' steps: one pass over weights, gradients and state. */
#include "kernel_set.h"

#include <math.h>

/* g' = grad_scale g + weight_decay w. */
GG_INLINE float gradient_of(float w, float g, float weight_decay, float grad_scale)
{
    return grad_scale * g + weight_decay * w;
}

GG_INLINE void sgd_element(int64_t i, float *restrict w, const float *restrict g, float lr, float weight_decay,
                           float grad_scale)
{
    w[i] -= lr * gradient_of(w[i], g[i], weight_decay, grad_scale);
}

void GG_KERNEL(sgd)(float *w, const float *g, int64_t n, float lr, float weight_decay, float grad_scale)
{
    GG_OVER_ARRAY(n, sgd_element, w, g, lr, weight_decay, grad_scale);
}

GG_INLINE void momentum_element(int64_t i, float *restrict w, float *restrict v, const float *restrict g, float lr,
                                float momentum, float weight_decay, float grad_scale)
{
    const float next = momentum * v[i] + gradient_of(w[i], g[i], weight_decay, grad_scale);
    v[i] = next;
    w[i] -= lr * next;
}

void GG_KERNEL(momentum)(float *w, float *v, const float *g, int64_t n, float lr, float momentum, float weight_decay,
                         float grad_scale)
{
    GG_OVER_ARRAY(n, momentum_element, w, v, g, lr, momentum, weight_decay, grad_scale);
}

GG_INLINE void nesterov_element(int64_t i, float *restrict w, float *restrict v, const float *restrict g, float lr,
                                float momentum, float weight_decay, float grad_scale)
{
    const float slope = gradient_of(w[i], g[i], weight_decay, grad_scale);
    const float next = momentum * v[i] + slope;
    v[i] = next;
    w[i] -= lr * (slope + momentum * next);
}

void GG_KERNEL(nesterov)(float *w, float *v, const float *g, int64_t n, float lr, float momentum, float weight_decay,
                         float grad_scale)
{
    GG_OVER_ARRAY(n, nesterov_element, w, v, g, lr, momentum, weight_decay, grad_scale);
}

/* h = keep h + add g'^2; w -= lr g' / (sqrt(h) + epsilon): Adagrad with keep = add = 1, RMSProp with rho and 1 -
 * rho. */
GG_INLINE void squares_element(int64_t i, float *restrict w, float *restrict h, const float *restrict g, float lr,
                               float keep, float add, float epsilon, float weight_decay, float grad_scale)
{
    const float slope = gradient_of(w[i], g[i], weight_decay, grad_scale);
    const float next = keep * h[i] + add * slope * slope;
    h[i] = next;
    w[i] -= lr * slope / (sqrtf(next) + epsilon);
}

void GG_KERNEL(adagrad)(float *w, float *h, const float *g, int64_t n, float lr, float epsilon, float weight_decay,
                        float grad_scale)
{
    GG_OVER_ARRAY(n, squares_element, w, h, g, lr, 1.0f, 1.0f, epsilon, weight_decay, grad_scale);
}

void GG_KERNEL(rmsprop)(float *w, float *h, const float *g, int64_t n, float lr, float rho, float epsilon,
                        float weight_decay, float grad_scale)
{
    GG_OVER_ARRAY(n, squares_element, w, h, g, lr, rho, 1.0f - rho, epsilon, weight_decay, grad_scale);
}

GG_INLINE void adam_element(int64_t i, float *restrict w, float *restrict m, float *restrict v, const float *restrict g,
                            const gg_adam_factors f)
{
    const float slope = gradient_of(w[i], g[i], f.weight_decay, f.grad_scale);
    const float mean = f.beta1 * m[i] + f.rest1 * slope;
    const float square = f.beta2 * v[i] + f.rest2 * slope * slope;
    m[i] = mean;
    v[i] = square;
    w[i] = f.keep * w[i] - f.step * mean / (sqrtf(square) * f.root + f.epsilon);
}

void GG_KERNEL(adam)(float *w, float *m, float *v, const float *g, int64_t n, const gg_adam_factors *factors)
{
    const gg_adam_factors f = *factors; /* a copy, which no store to w can change */
    GG_OVER_ARRAY(n, adam_element, w, m, v, g, f);
}

/* Of 0 and NaN the sign is what they are: the one leaves its weight alone, the other reaches it. */
GG_INLINE void lion_element(int64_t i, float *restrict w, float *restrict m, const float *restrict g,
                            const gg_lion_factors f)
{
    const float slope = f.grad_scale * g[i];
    const float mixed = f.beta1 * m[i] + f.rest1 * slope;
    const float sign = mixed > 0.0f ? 1.0f : mixed < 0.0f ? -1.0f : mixed;
    m[i] = f.beta2 * m[i] + f.rest2 * slope;
    w[i] = f.keep * w[i] - f.lr * sign;
}

void GG_KERNEL(lion)(float *w, float *m, const float *g, int64_t n, const gg_lion_factors *factors)
{
    const gg_lion_factors f = *factors;
    GG_OVER_ARRAY(n, lion_element, w, m, g, f);
}
