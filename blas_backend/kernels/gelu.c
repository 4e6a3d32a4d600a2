/* gelu.c - GELU, x Phi(x), and its derivative.
 *
 * With AVX-512, where a register's lanes find one of 32 numbers each in one instruction: Phi(-t) and the derivative
 * from tables of polynomials over t = |x| (gelu_table.h). Below the last piece's end, mirrored, where Phi shrinks
 * too fast for pieces of that width, and everywhere without AVX-512: e^x times a polynomial (vecmath.h). What becomes
 * of an element does not depend on its neighbours. */
#include "activation_loops.h"
#include "vecmath.h"

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

#if defined(__AVX512F__)
#include <immintrin.h>

#include "gelu_table.h"

/* The last piece ends at 31.5 steps. From there on x Phi(x) is x, and its derivative 1, to the last bit. */
static const float PHI_STEP = 0.171875f, DIP_STEP = 0.19140625f, LAST = 31.49f;

GG_INLINE __m512 look_up(const float table[GELU_PIECES], __m512i piece)
{
    return _mm512_permutex2var_ps(_mm512_load_ps(table), piece, _mm512_load_ps(table + LANES));
}

/* The table's function of t = |x|, held at the end. Adding 1.5 * 2^23 rounds t / step to a whole number, which then
 * stands in the low bits; look_up heeds five of them. NaN stays: the second operand of `min` is the one kept. */
GG_INLINE __m512 from_table(const float table[GELU_DEGREE + 1][GELU_PIECES], float step, __m512 t)
{
    const __m512 rounder = _mm512_set1_ps(0x1.8p+23f);
    const __m512 shifted = _mm512_fmadd_ps(t, _mm512_set1_ps(1.0f / step), rounder);
    const __m512 d = _mm512_fnmadd_ps(_mm512_sub_ps(shifted, rounder), _mm512_set1_ps(step), t);
    const __m512i piece = _mm512_castps_si512(shifted);
    __m512 p = look_up(table[GELU_DEGREE], piece);
    GG_UNROLL for (int j = GELU_DEGREE - 1; j >= 0; j--)
    {
        p = _mm512_fmadd_ps(p, d, look_up(table[j], piece));
    }
    return p;
}

GG_INLINE __m512 held(__m512 x, float step)
{
    return _mm512_min_ps(_mm512_set1_ps(LAST * step), _mm512_abs_ps(x));
}

GG_INLINE __mmask16 below(__m512 x, float step)
{
    return _mm512_cmp_ps_mask(x, _mm512_set1_ps(-LAST * step), _CMP_LT_OQ);
}

typedef float value_of(float x);

/* y, but f(x) in the lanes of the mask. */
GG_INLINE __m512 with_far(__m512 y, __m512 x, __mmask16 far, value_of *f)
{
    float values[LANES];
    _mm512_storeu_ps(values, x);
    GG_FOR_LANES (lane, LANES)
        values[lane] = f(values[lane]);
    return _mm512_mask_loadu_ps(y, far, values);
}

GG_APART __m512 with_far_values(__m512 y, __m512 x, __mmask16 far)
{
    return with_far(y, x, far, vm_gelu);
}

GG_APART __m512 with_far_slopes(__m512 slope, __m512 x, __mmask16 far)
{
    return with_far(slope, x, far, gelu_slope);
}

/* max(x, 0) - t Phi(-t) as in vm_gelu. */
GG_INLINE __m512 gelu_of(__m512 x)
{
    const __m512 t = held(x, PHI_STEP);
    const __mmask16 far = below(x, PHI_STEP);
    const __m512 y = _mm512_fnmadd_ps(t, from_table(gelu_phi, PHI_STEP, t), _mm512_max_ps(_mm512_setzero_ps(), x));
    return __builtin_expect(far != 0, false) ? with_far_values(y, x, far) : y;
}

/* y'(-t) is the table's, y'(t) is 1 minus that. */
GG_INLINE __m512 gelu_slope_of(__m512 x)
{
    const __mmask16 far = below(x, DIP_STEP), positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ);
    const __m512 dip = from_table(gelu_dip, DIP_STEP, held(x, DIP_STEP));
    const __m512 slope = _mm512_mask_sub_ps(dip, positive, _mm512_set1_ps(1.0f), dip);
    return __builtin_expect(far != 0, false) ? with_far_slopes(slope, x, far) : slope;
}

GG_INLINE void forward_lanes(float *y, const float *x, __mmask16 mask, gg_writing writing)
{
    const __m512 value = gelu_of(_mm512_maskz_loadu_ps(mask, x));
    if (writing == GG_STREAM) {
        __builtin_prefetch(x + GG_AHEAD);
        _mm512_stream_ps(y, value);
    } else {
        _mm512_mask_storeu_ps(y, mask, value);
    }
}

GG_INLINE void backward_lanes(float *dx, const float *dy, const float *x, __mmask16 mask, gg_writing writing)
{
    const __m512 slope = gelu_slope_of(_mm512_maskz_loadu_ps(mask, x)), g = _mm512_maskz_loadu_ps(mask, dy);
    if (writing == GG_STREAM) {
        ask_both(dy, x);
        _mm512_stream_ps(dx, _mm512_mul_ps(g, slope));
    } else if (writing == GG_ADD) {
        _mm512_mask_storeu_ps(dx, mask, _mm512_fmadd_ps(g, slope, _mm512_maskz_loadu_ps(mask, dx)));
    } else {
        _mm512_mask_storeu_ps(dx, mask, _mm512_mul_ps(g, slope));
    }
}

GG_INLINE __mmask16 lanes_left(int64_t left)
{
    return (__mmask16)((1u << left) - 1u);
}

GG_INLINE void forward(float *y, const float *x, int64_t n, gg_writing writing)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        forward_lanes(y + i, x + i, 0xffff, writing);
    if (i < n)
        forward_lanes(y + i, x + i, lanes_left(n - i), writing);
}

GG_INLINE void backward(float *dx, const float *dy, const float *x, int64_t n, gg_writing writing)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        backward_lanes(dx + i, dy + i, x + i, 0xffff, writing);
    if (i < n)
        backward_lanes(dx + i, dy + i, x + i, lanes_left(n - i), writing);
}

void GG_KERNEL(gelu_forward)(float *y, const float *x, int64_t n, float alpha)
{
    (void)alpha;
    forward(y, x, n, GG_OVERWRITE);
}

void GG_KERNEL(gelu_streamed)(float *y, const float *x, int64_t n, float alpha)
{
    (void)alpha;
    forward(y, x, n, GG_STREAM);
    stream_end();
}

void GG_KERNEL(gelu_backward)(float *dx, const float *dy, const float *x, int64_t n, float alpha, gg_writing writing)
{
    (void)alpha;
    if (writing == GG_STREAM) {
        backward(dx, dy, x, n, GG_STREAM);
        stream_end();
    } else if (writing == GG_ADD) {
        backward(dx, dy, x, n, GG_ADD);
    } else {
        backward(dx, dy, x, n, GG_OVERWRITE);
    }
}
#else
FORWARD(gelu, vm_gelu(x))
BACKWARD(gelu, (dy * gelu_slope(xy)))
#endif
