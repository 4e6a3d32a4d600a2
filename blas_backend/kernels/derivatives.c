/* derivatives.c - dx = dy f'(x), from x or from y = f(x) as gg_activation_needs_input says. */
#include "kernel_set.h"
#include "logistic.h"
#include "vecmath.h"

typedef float gradient_of(float dy, float xy, float alpha);

GG_INLINE void backward_element(int64_t i, float *dx, const float *dy, const float *xy, float alpha, gradient_of *f)
{
    dx[i] = f(dy[i], xy[i], alpha);
}

GG_INLINE void backward_add_element(int64_t i, float *dx, const float *dy, const float *xy, float alpha, gradient_of *f)
{
    dx[i] += f(dy[i], xy[i], alpha);
}

#define BACKWARD(name, value)                                                                            \
    GG_INLINE float name##_gradient(float dy, float xy, float alpha)                                     \
    {                                                                                                    \
        (void)xy;                                                                                        \
        (void)alpha;                                                                                     \
        return value;                                                                                    \
    }                                                                                                    \
    void GG_KERNEL(name##_backward)(float *dx, const float *dy, const float *xy, int64_t n, float alpha, \
                                    bool accumulate)                                                     \
    {                                                                                                    \
        if (accumulate)                                                                                  \
            GG_OVER_ARRAY(n, backward_add_element, dx, dy, xy, alpha, name##_gradient);                  \
        else                                                                                             \
            GG_OVER_ARRAY(n, backward_element, dx, dy, xy, alpha, name##_gradient);                      \
    }

/* 1 above 0, `below` elsewhere, NaN for NaN. */
GG_INLINE float slope(float x, float below)
{
    return x > 0.0f ? 1.0f : x <= 0.0f ? below : x;
}

/* y = x Phi(x), y' = Phi + x phi. With t = |x| and e = e^(-t^2/2), Phi(-t) = e tail(t) / t, so that
 * y'(-t) = e (tail(t) / t - t / sqrt(2 pi)), and y'(t) is 1 minus that. */
GG_INLINE float gelu_slope(float x)
{
    const float inverse_root = 0x1.988454p-2f; /* 1 / sqrt(2 pi) */
    const float t = vm_least(fabsf(x), 15.0f);
    const vm_power p = vm_gauss(t);
    const float e = 1.0f + p.fraction;
    const float far = vm_scale(e * (vm_gelu_tail(t) / t - t * inverse_root), p.exponent);
    const float near = (0.5f + x * vm_phi_slope(x)) + x * (vm_scale(e, p.exponent) * inverse_root);
    return t >= 0.75f ? vm_by_sign(x, far, 1.0f - far) : near;
}

/* y = x s(w), w = c x + a x^3 (vecmath.h), y' = s (1 + x (1 - s) (c + 3 a x^2)). */
GG_INLINE float gelu_tanh_slope(float x)
{
    const float c = 0x1.988454p+0f, three_a = 0x1.b6676cp-3f;
    const float t = vm_least(fabsf(x), 11.0f);
    const vm_pair w = vm_gelu_tanh_argument(t);
    const logistic_parts p = logistic(x, vm_exp_split(-w.high, -w.low));
    return vm_scale(p.scaled * (1.0f + copysignf(t, x) * p.rest * (c + three_a * t * t)), p.exponent);
}

BACKWARD(identity, dy)
BACKWARD(sigmoid, (dy * (xy * (1.0f - xy))))
BACKWARD(tanh, (dy * ((1.0f - xy) * (1.0f + xy))))
BACKWARD(relu, (dy * slope(xy, 0.0f)))
BACKWARD(leaky_relu, (dy * slope(xy, alpha)))
BACKWARD(elu, (dy * (xy > 0.0f ? 1.0f : alpha * vm_exp(xy))))
BACKWARD(silu, (dy * silu_slope(xy)))
BACKWARD(gelu, (dy * gelu_slope(xy)))
BACKWARD(gelu_tanh, (dy * gelu_tanh_slope(xy)))
BACKWARD(exp, (dy * xy))
BACKWARD(log, dy / xy)
