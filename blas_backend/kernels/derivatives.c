/* derivatives.c - dx = dy f'(x), from x or from y = f(x) as gg_activation_needs_input says. */
#include "activation_loops.h"
#include "logistic.h"
#include "vecmath.h"

/* 1 above 0, `below` elsewhere, NaN for NaN. */
GG_INLINE float slope(float x, float below)
{
    return x > 0.0f ? 1.0f : x <= 0.0f ? below : x;
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
BACKWARD(gelu_tanh, (dy * gelu_tanh_slope(xy)))
BACKWARD(exp, (dy * xy))
BACKWARD(log, dy / xy)
