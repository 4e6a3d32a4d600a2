/* kernels/vecmath.h - exponential, logarithm and what activations make of them, in float, one element at a time.
 *
 * No branches, no tables, no double: a loop over these functions becomes plain vector code under `omp simd` with
 * every compiler, and costs two to five nanoseconds for sixteen elements. Choices are selects of two computed
 * values. Largest errors over all floats stand in docs/accuracy.md; NaN passes through, since every comparison with
 * it is false and the kept value is the NaN (hence `x < a ? a : x` here, never `x >= a ? x : a`).
 *
 * Polynomial coefficients come from coefficients.py in this folder: weighted near-minimax fits whose coefficients
 * were rounded to float one after another, each time fitting the rest again. Errors are given beside them in units
 * of 2^-24, half a unit in the last place of 1. */
#ifndef GG_VECMATH_H
#define GG_VECMATH_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

static inline uint32_t vm_bits(float x)
{
    const union {
        float value;
        uint32_t bits;
    } u = {.value = x};
    return u.bits;
}

static inline float vm_float(uint32_t bits)
{
    const union {
        uint32_t bits;
        float value;
    } u = {.bits = bits};
    return u.value;
}

/* The leading 12 of x's 24 significant bits: its square is exact, and so is x minus it. */
static inline float vm_head(float x)
{
    return vm_float(vm_bits(x) & 0xfffff000u);
}

/* a * b - product exactly, where product is a * b rounded: by one fused operation, or from halves whose products are
 * exact. */
static inline float vm_product_error(float a, float b, float product)
{
#if defined(__FMA__) || defined(__FP_FAST_FMAF) || defined(__aarch64__)
    return fmaf(a, b, -product);
#else
    const float a_head = vm_head(a), b_head = vm_head(b);
    const float a_rest = a - a_head, b_rest = b - b_head;
    return ((a_head * b_head - product) + a_head * b_rest + a_rest * b_head) + a_rest * b_rest;
#endif
}

/* e^x taken apart as 2^exponent (1 + fraction). */
typedef struct vm_power {
    float fraction; /* in [-0.293, 0.415] */
    int32_t exponent;
} vm_power;

/* For `low` where there is none: adding -0 changes nothing, which the compiler knows, whereas +0 changes -0. */
static const float NOTHING = -0.0f;

/* e^r - 1 for r = high + low - n ln 2, |r| <= 0.3466. ln 2 is split so that n * LN2_HIGH (15 bits) and the subtraction
 * from high are exact. e^r - 1 = r + r^2 q(r): q has degree 4, error 0.23 of r. */
static inline float vm_exp_fraction(float high, float low, float n)
{
    const float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    const float r = (high - n * ln2_high) + (low - n * ln2_low);
    float q = 0x1.6d58b4p-10f;
    q = q * r + 0x1.1227aap-7f;
    q = q * r + 0x1.5554dep-5f;
    q = q * r + 0x1.5554b0p-3f;
    q = q * r + 0.5f;
    return r + r * r * q;
}

/* e^(high + low) for |high| < 174, |low| small against 1. With n the integer nearest to x / ln 2, e^x = 2^n e^r. Adding
 * 1.5 * 2^23 rounds to an integer, which then stands in the low bits. */
static inline vm_power vm_exp_split(float high, float low)
{
    const float log2_e = 0x1.715476p+0f, rounder = 0x1.8p+23f;
    const float shifted = (high + low) * log2_e + rounder;
    const vm_power p = {vm_exp_fraction(high, low, shifted - rounder), (int32_t)(vm_bits(shifted) - vm_bits(rounder))};
    return p;
}

static inline float vm_power_of_two(int32_t k)
{
    return vm_float((uint32_t)(k + 127) << 23);
}

/* 2^k as two factors. One alone leaves the range of float where x 2^k may still be a denormal number, or just below
 * infinity; multiplied one after the other, only the second product rounds. */
typedef struct vm_factors {
    float first, second;
} vm_factors;

static inline vm_factors vm_factors_of(int32_t k)
{
    const int32_t half = k >> 1;
    const vm_factors f = {vm_power_of_two(half), vm_power_of_two(k - half)};
    return f;
}

static inline float vm_scale(float x, int32_t k)
{
    const vm_factors f = vm_factors_of(k);
    return x * f.first * f.second;
}

/* Below -104 the result rounds to 0 (the least denormal is e^-103.3), above 89 it overflows: held there, it does so
 * by itself. */
static inline float vm_exp(float x)
{
    const float low_held = x < -104.0f ? -104.0f : x;
    const vm_power p = vm_exp_split(low_held > 89.0f ? 89.0f : low_held, NOTHING);
    return vm_scale(1.0f + p.fraction, p.exponent);
}

/* The same, to the last bit, for x <= 0 in two thirds of the time: 2^n is 2^(n + 65) 2^-65, of which only the second
 * factor rounds, and the first one's exponent field is already in the low bits of what rounding x / ln 2 leaves. */
static inline float vm_exp_nonpositive(float x)
{
    const float log2_e = 0x1.715476p+0f, rounder = 0x1.8p+23f + (127.0f + 65.0f);
    const float high = x < -104.0f ? -104.0f : x;
    const float shifted = high * log2_e + rounder;
    const float fraction = vm_exp_fraction(high, NOTHING, shifted - rounder);
    return (1.0f + fraction) * vm_float(vm_bits(shifted) << 23) * 0x1p-65f;
}

/* e^x - 1 for x <= 0. Below -30 it rounds to -1; 2^n - 1 is exact or rounds to -1 with it. */
static inline float vm_expm1_nonpositive(float x)
{
    const vm_power p = vm_exp_split(x < -30.0f ? -30.0f : x, NOTHING);
    const float scale = vm_power_of_two(p.exponent);
    return scale * p.fraction + (scale - 1.0f);
}

/* log x = k ln 2 + log(1 + f), 1 + f in [2/3, 4/3): subtracting the bits of 2/3 puts k in the exponent field.
 * Denormal x is scaled first. log(1 + f) = f - f^2/2 + f^3 q(f): q has degree 7, error 0.085 of the result. */
static inline float vm_log(float x)
{
    const float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    const uint32_t two_thirds = 0x3f2aaaabu;
    const bool tiny = x < FLT_MIN;
    const float scale = tiny ? 0x1p23f : 1.0f, scale_log2 = tiny ? 23.0f : 0.0f;
    const uint32_t bits = vm_bits(x * scale);
    const int32_t k = (int32_t)(bits - two_thirds) >> 23;
    const float f = vm_float(bits - ((uint32_t)k << 23)) - 1.0f;
    const float n = (float)k - scale_log2;
    float q = -0x1.0e2d86p-3f;
    q = q * f + 0x1.1df0c2p-3f;
    q = q * f - 0x1.f03b02p-4f;
    q = q * f + 0x1.1ef236p-3f;
    q = q * f - 0x1.55b7f0p-3f;
    q = q * f + 0x1.99ce36p-3f;
    q = q * f - 0x1.fffe5ep-3f;
    q = q * f + 0x1.55550cp-2f;
    const float square = f * f;
    const float low = (square * f * q + n * ln2_low) - 0.5f * square;
    const float y = n * ln2_high + (f + low);
    const float outside = x == 0.0f ? -INFINITY : NAN; /* and log of a negative number or NaN is NaN */
    return x > 0.0f ? (x < INFINITY ? y : x) : outside;
}

/* `negative` where the sign bit of w is set, `other` elsewhere. Not a comparison: GCC turns several of one and the
 * same comparison into a branch, and the branch back into vector code that computes all that lies between for both
 * outcomes. */
static inline float vm_by_sign(float w, float negative, float other)
{
    const uint32_t mask = (uint32_t)((int32_t)vm_bits(w) >> 31);
    return vm_float((vm_bits(negative) & mask) | (vm_bits(other) & ~mask));
}

/* m / (1 + e^-w), given the power p = e^-w = 2^k (1 + f). With c = 2^-|k|, this is m / (1 + c + c f) for w >= 0, and
 * c m / (1 + c + f) for w < 0: no overflow, and full precision down to where the result itself is denormal. */
static inline float vm_logistic(float m, float w, vm_power p)
{
    const vm_factors f = vm_factors_of(p.exponent < 0 ? p.exponent : -p.exponent);
    const float c = f.first * f.second;
    const float denominator = 1.0f + (c + vm_by_sign(w, p.fraction, c * p.fraction));
    return vm_by_sign(w, m * f.first * f.second, m) / denominator;
}

static inline float vm_least(float x, float most)
{
    return x > most ? most : x;
}

/* From |x| = 110 on, sigmoid has reached 0 or 1, and x e^-|x| is 0. */
static inline float vm_sigmoid(float x)
{
    const float w = copysignf(vm_least(fabsf(x), 110.0f), x);
    return vm_logistic(1.0f, w, vm_exp_split(-w, NOTHING));
}

static inline float vm_silu(float x)
{
    const float w = copysignf(vm_least(fabsf(x), 110.0f), x);
    return vm_logistic(vm_by_sign(x, w, x), w, vm_exp_split(-w, NOTHING));
}

/* tanh |x| = (1 - e) / (1 + e) with e = e^-2|x| = s (1 + f): 1 - s - s f and 1 + s + s f round once. From |x| = 15 on
 * it is 1; for small x, s is 1 and nothing is lost. */
static inline float vm_tanh(float x)
{
    const vm_power p = vm_exp_split(-2.0f * vm_least(fabsf(x), 15.0f), NOTHING);
    const float s = vm_power_of_two(p.exponent), t = s * p.fraction;
    return copysignf(((1.0f - s) - t) / ((1.0f + s) + t), x);
}

/* The normal distribution function is Phi(x) = 1/2 + x d(x^2) for |x| < 0.75: d has degree 4, error 0.06 of
 * Phi(-|x|). */
static inline float vm_phi_slope(float x)
{
    const float u = x * x;
    float d = 0x1.9c6e60p-14f;
    d = d * u - 0x1.342144p-10f;
    d = d * u + 0x1.46b130p-7f;
    d = d * u - 0x1.1057b6p-4f;
    return d * u + 0x1.988452p-2f;
}

/* t Phi(-t) e^(t^2/2) for 0.75 <= t <= 15. It tends to 1/sqrt(2 pi), and is smooth in q = (t - 2.75) / (t + 2.75),
 * which runs from -0.57 to 0.69: degree 9, error 0.09. (2.75 is, among multiples of 1/4, where the rounded
 * coefficients fit best.) */
static inline float vm_gelu_tail(float t)
{
    const float q = (t - 2.75f) / (t + 2.75f);
    float c = -0x1.938758p-13f;
    c = c * q - 0x1.903c68p-12f;
    c = c * q + 0x1.195d8cp-10f;
    c = c * q + 0x1.7710d2p-9f;
    c = c * q - 0x1.b14d52p-8f;
    c = c * q - 0x1.0e7222p-6f;
    c = c * q + 0x1.537dfcp-4f;
    c = c * q - 0x1.2b072ep-3f;
    c = c * q + 0x1.f50194p-4f;
    return c * q + 0x1.701ef0p-2f;
}

/* e^(-t^2/2) for 0 <= t <= 15, with t^2 exact in two pieces: rounded, it would spoil the last 7 bits of the result. */
static inline vm_power vm_gauss(float t)
{
    const float head = vm_head(t);
    return vm_exp_split(-0.5f * head * head, -0.5f * ((t - head) * (t + head)));
}

/* x Phi(x) = max(x, 0) - |x| Phi(-|x|): the second term is small against the first or stands alone, nothing cancels.
 * From |x| = 15 on it is 0. */
static inline float vm_gelu(float x)
{
    const float t = vm_least(fabsf(x), 15.0f);
    const vm_power p = vm_gauss(t);
    const float c = vm_gelu_tail(t);
    const float far = vm_by_sign(x, 0.0f, x) - vm_scale(c + c * p.fraction, p.exponent);
    return t >= 0.75f ? far : x * (0.5f + x * vm_phi_slope(x));
}

/* w = 2 sqrt(2/pi) (x + 0.044715 x^3) as two floats: up to 112, it is needed to 2^-26 or so, which one float does
 * not hold. */
typedef struct vm_pair {
    float high, low;
} vm_pair;

/* The constants are c = 2 sqrt(2/pi) and a = 0.044715 c, each as a float and the rest. The sum c + a t^2 is Knuth's,
 * with its error. 0 <= t <= 11. */
static inline vm_pair vm_gelu_tanh_argument(float x)
{
    const float c_high = 0x1.988454p+0f, c_low = -0x1.857936p-25f;
    const float a_high = 0x1.2444f2p-4f, a_low = 0x1.49b16ap-29f;
    const float square = x * x, square_error = vm_product_error(x, x, square);
    const float term = a_high * square;
    const float term_error = vm_product_error(a_high, square, term) + (a_high * square_error + a_low * square);
    const float sum = c_high + term, term_part = sum - c_high;
    const float sum_error = (c_high - (sum - term_part)) + (term - term_part);
    const float w = x * sum;
    const vm_pair pair = {w, vm_product_error(x, sum, w) + x * (sum_error + (term_error + c_low))};
    return pair;
}

/* x/2 (1 + tanh(w/2)) = x / (1 + e^-w). From |x| = 11 on it is 0 or x. */
static inline float vm_gelu_tanh(float x)
{
    const float held = copysignf(vm_least(fabsf(x), 11.0f), x);
    const vm_pair w = vm_gelu_tanh_argument(held);
    return vm_logistic(vm_by_sign(x, held, x), x, vm_exp_split(-w.high, -w.low));
}

#endif
