/* gemmgrad/elementwise.h - vectorised functions of single elements and sums over rows.
 *
 * Plain arrays of n floats (or rows x cols with a leading dimension). An output may be the same
 * array as an input of the same length; a partial overlap is undefined. n = 0 does nothing. NaN in
 * gives NaN out in that element. Thread-safe on different outputs; large arrays use up to gg_threads()
 * threads. y and dx of activations that outgrow the caches (with their inputs more than half of the last one) are
 * written past them, if they begin at a multiple of 64 bytes. Errors, outputs untouched: GG_ERR_ARGUMENT
 * (NULL with n > 0, negative n, unknown function), GG_ERR_SHAPE (a leading dimension below cols),
 * GG_ERR_OVERFLOW (more floats than any memory holds). */
#ifndef GEMMGRAD_ELEMENTWISE_H
#define GEMMGRAD_ELEMENTWISE_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = f(x), with f' in terms of what backward needs. Behind each stand the largest errors over all finite floats, on
 * every instruction set: of y in units in the last place (ulp) from the exact value, and of f' in units of FLT_EPSILON
 * times the sum of the magnitudes of its terms. A test holds them (tests/unit/test_accuracy.c, docs/accuracy.md). */
typedef enum gg_activation {
    GG_IDENTITY = 0, /* x                                 f' = 1                             0     | 0   */
    GG_SIGMOID,      /* 1 / (1 + exp(-x))                 f' = y (1 - y)                     2     | 1   */
    GG_TANH,         /* tanh x                            f' = 1 - y^2                       2.25  | 1   */
    GG_RELU,         /* max(x, 0)                         f' = [y > 0]                       0     | 0   */
    GG_LEAKY_RELU,   /* x > 0 ? x : alpha x               f' = x > 0 ? 1 : alpha             0.5   | 0   */
    GG_ELU,          /* x > 0 ? x : alpha (exp x - 1)     f' = x > 0 ? 1 : alpha exp x       2.75  | 2   */
    GG_SILU,         /* x sigmoid(x)                      f' = s (1 + x (1 - s))             2     | 2.5 */
    GG_GELU,         /* x Phi(x), Phi by erf              f' = Phi + x phi                   2.75  | 2.5 */
    GG_GELU_TANH,    /* x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3)))                         2     | 3   */
    GG_EXP,          /* exp x                             f' = y                             1.25  | 0.5 */
    GG_LOG,          /* log x                             f' = 1 / x                         1     | 0.5 */
    GG_ACTIVATION_COUNT
} gg_activation;

/* "sigmoid", "relu", ...; NULL for a number that is none. */
GG_API const char *gg_activation_name(gg_activation f);

/* Whether gg_activation_backward reads x (true) or y (false) for this f: true for leaky ReLU, ELU,
 * SiLU, both GELUs and log; false for the others. */
GG_API bool gg_activation_needs_input(gg_activation f);

/* y[i] = f(x[i]). alpha is the slope of leaky ReLU and the scale of ELU, ignored elsewhere. */
GG_API gg_status gg_activation_forward(float *y, const float *x, int64_t n, gg_activation f, float alpha);

/* dx[i] = dy[i] * f'(x[i]), or dx[i] += that when accumulate. xy is x or y as gg_activation_needs_input says. */
GG_API gg_status gg_activation_backward(float *dx, const float *dy, const float *xy, int64_t n, gg_activation f,
                                        float alpha, bool accumulate);

/* y = a + b, a * b, a / b, element by element (division by 0 as IEEE says). */
GG_API gg_status gg_add(float *y, const float *a, const float *b, int64_t n);
GG_API gg_status gg_multiply(float *y, const float *a, const float *b, int64_t n);
GG_API gg_status gg_divide(float *y, const float *a, const float *b, int64_t n);

/* y = max(a + b, 0). */
GG_API gg_status gg_add_relu(float *y, const float *a, const float *b, int64_t n);

/* y += alpha * x. */
GG_API gg_status gg_axpy(float *y, const float *x, int64_t n, float alpha);

/* y[i] = value; y[i] *= alpha. */
GG_API gg_status gg_fill(float *y, int64_t n, float value);
GG_API gg_status gg_scale(float *y, int64_t n, float alpha);

/* y[r][c] = factors[r] * x[r][c], dense. */
GG_API gg_status gg_scale_rows(float *y, const float *x, const float *factors, int64_t rows, int64_t cols);

/* y[r][c] = f(x[r][c] + bias[c]); bias may be NULL; y may be x. */
GG_API gg_status gg_add_bias(float *y, int64_t ldy, const float *x, int64_t ldx, const float *bias, int64_t rows,
                             int64_t cols, gg_activation f, float alpha);

/* s[c] = sum over r of x[r][c], or s[c] += that. The order of additions does not depend on the threads. */
GG_API gg_status gg_sum_rows(float *s, const float *x, int64_t ldx, int64_t rows, int64_t cols, bool accumulate);

/* *sum = sum of x[i]; *squares = sum of x[i]^2; in double. The order of additions does not depend on the threads. */
GG_API gg_status gg_sum(double *sum, const float *x, int64_t n);
GG_API gg_status gg_sum_squares(double *squares, const float *x, int64_t n);

/* *finite = whether no x[i] is NaN or infinite. */
GG_API gg_status gg_all_finite(bool *finite, const float *x, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
