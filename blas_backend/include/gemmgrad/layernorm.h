/* gemmgrad/layernorm.h - layer normalisation and RMS normalisation: each row brought to mean 0 and variance 1, or to
 * mean square 1, then scaled and shifted column by column.
 *
 * x is rows x cols, row-major, dense. With the mean and the variance (divided by cols) of a row:
 *
 *     layer     y = gamma (x - mean) / sqrt(variance + epsilon) + beta
 *     RMS       y = gamma x / sqrt(mean of x^2 + epsilon) + beta
 *
 * gamma and beta hold cols floats; NULL stands for ones and for zeros. A mean far from 0 costs no accuracy of the
 * variance. A NaN or an infinity makes its row NaN. rows and cols may be 0. y may be x, dx may be dy; other overlaps
 * are undefined. Thread-safe on different outputs; uses up to gg_threads() threads, whose number changes no bit.
 * y and dx are written past the caches where with their inputs they take more than half of the last one, begin at a
 * multiple of 64 bytes and have rows of so many.
 *
 * Errors, outputs untouched: GG_ERR_ARGUMENT (NULL, negative sizes, epsilon out of range, a workspace too small),
 * GG_ERR_OVERFLOW. Sources: Ba, Kiros and Hinton, 2016; Zhang and Sennrich, 2019 (RMS). */
#ifndef GEMMGRAD_LAYERNORM_H
#define GEMMGRAD_LAYERNORM_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NULL for all defaults. */
typedef struct gg_layernorm_options {
    float epsilon; /* 0: 1e-5 */
    bool rms;      /* RMS normalisation; mean is neither read nor written and may be NULL */
} gg_layernorm_options;

/* mean and inverse (1 / sqrt(.. + epsilon)), a float for each row, are for backward; either may be NULL. */
GG_API gg_status gg_layernorm_forward(float *y, float *mean, float *inverse, const float *x, const float *gamma,
                                      const float *beta, int64_t rows, int64_t cols,
                                      const gg_layernorm_options *options);

/* Floats of workspace for gg_layernorm_backward, at most 128 cols; enough for fewer rows as well. */
GG_API gg_status gg_layernorm_workspace(int64_t *floats, int64_t rows, int64_t cols);

/* With z = (x - mean) inverse (RMS: x inverse) and g = dy gamma, all inputs as forward left them:
 *
 *     dx = inverse (g - mean of g - z mean of g z)      (RMS: without the mean of g)
 *     dgamma = sum over rows of dy z                    dbeta = sum over rows of dy
 *
 * dx, dgamma and dbeta may each be NULL: not wanted. add_dx, add_parameters: += instead of =. */
GG_API gg_status gg_layernorm_backward(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                                       const float *mean, const float *inverse, const float *gamma, int64_t rows,
                                       int64_t cols, const gg_layernorm_options *options, bool add_dx,
                                       bool add_parameters, float *workspace, int64_t workspace_floats);

#ifdef __cplusplus
}
#endif
#endif
