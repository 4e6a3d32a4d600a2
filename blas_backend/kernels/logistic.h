/* kernels/logistic.h - the logistic function in parts, and the slope of SiLU. */
#ifndef GG_LOGISTIC_H
#define GG_LOGISTIC_H

#include "kernel_set.h"
#include "vecmath.h"

/* s = 1 / (1 + e^-w) = scaled 2^exponent, and 1 - s, both to full relative precision. What multiplies s should do so
 * before the power of two, which may take it to where numbers are denormal. */
typedef struct logistic_parts {
    float scaled, rest;
    int32_t exponent;
} logistic_parts;

/* power = e^-|w|; w gives the sign. */
GG_INLINE logistic_parts logistic(float w, vm_power power)
{
    const float e = vm_scale(1.0f + power.fraction, power.exponent);
    const float large = 1.0f / (1.0f + e);
    const logistic_parts p = {
        vm_by_sign(w, large + large * power.fraction, large),
        vm_by_sign(w, large, e * large),
        power.exponent & ((int32_t)vm_bits(w) >> 31),
    };
    return p;
}

/* y = x s(x), y' = s (1 + x (1 - s)); x held where 1 - s has become 0, lest infinity meet it. */
GG_INLINE float silu_slope(float x)
{
    const float t = vm_least(fabsf(x), 110.0f);
    const logistic_parts p = logistic(x, vm_exp_split(-t, NOTHING));
    return vm_scale(p.scaled * (1.0f + copysignf(t, x) * p.rest), p.exponent);
}

#endif
