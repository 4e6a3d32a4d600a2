/* gated.c - SwiGLU, y = silu(a) b, and its gradients; rotation of pairs of features. One row a call. */
#include "kernel_set.h"
#include "logistic.h"
#include "vecmath.h"

GG_INLINE void swiglu_element(int64_t i, float *y, const float *a, const float *b)
{
    y[i] = vm_silu(a[i]) * b[i];
}

void GG_KERNEL(swiglu)(float *y, const float *a, const float *b, int64_t n)
{
    GG_OVER_ARRAY(n, swiglu_element, y, a, b);
}

/* silu(x) and its slope share the exponential: s (1 + x (1 - s)) and x s, see logistic.h. */
GG_INLINE void swiglu_gradient_element(int64_t i, float *da, float *db, const float *dy, const float *a, const float *b,
                                       bool accumulate)
{
    const float x = a[i], t = vm_least(fabsf(x), 110.0f), g = dy[i], gate = b[i];
    const logistic_parts p = logistic(x, vm_exp_split(-t, NOTHING));
    const float slope = vm_scale(p.scaled * (1.0f + copysignf(t, x) * p.rest), p.exponent);
    const float silu = vm_scale(vm_by_sign(x, -t, x) * p.scaled, p.exponent);
    const float to_a = g * gate * slope, to_b = g * silu;
    da[i] = accumulate ? da[i] + to_a : to_a;
    db[i] = accumulate ? db[i] + to_b : to_b;
}

void GG_KERNEL(swiglu_gradient)(float *da, float *db, const float *dy, const float *a, const float *b, int64_t n,
                                bool accumulate)
{
    if (accumulate)
        GG_OVER_ARRAY(n, swiglu_gradient_element, da, db, dy, a, b, true);
    else
        GG_OVER_ARRAY(n, swiglu_gradient_element, da, db, dy, a, b, false);
}

/* (y1, y2) = the pair (x1, x2) turned by the angle whose cosine and sine are given; sign -1 turns it back. */
GG_INLINE void rotate_element(int64_t i, float *y1, float *y2, const float *x1, const float *x2, const float *cosine,
                              const float *sine, float sign, bool accumulate)
{
    const float a = x1[i], b = x2[i], c = cosine[i], s = sign * sine[i];
    const float first = a * c - b * s, second = b * c + a * s;
    y1[i] = accumulate ? y1[i] + first : first;
    y2[i] = accumulate ? y2[i] + second : second;
}

GG_APART void rotate_head(float *y, const float *x, const float *turns, int64_t half, float sign, bool accumulate)
{
    if (accumulate)
        GG_OVER_ARRAY(half, rotate_element, y, y + half, x, x + half, turns, turns + half, sign, true);
    else
        GG_OVER_ARRAY(half, rotate_element, y, y + half, x, x + half, turns, turns + half, sign, false);
}

void GG_KERNEL(rotate_heads)(float *y, const float *x, const float *turns, int64_t heads, int64_t half, float sign,
                             bool accumulate)
{
    for (int64_t h = 0; h < heads; h++)
        rotate_head(y + h * 2 * half, x + h * 2 * half, turns, half, sign, accumulate);
}
