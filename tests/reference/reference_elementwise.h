/* reference_elementwise.h - gemmgrad/elementwise.h as formulae and plain loops in double, short enough to check by
 * eye. */
#ifndef REFERENCE_ELEMENTWISE_H
#define REFERENCE_ELEMENTWISE_H

#include <stdint.h>

#include <gemmgrad/elementwise.h>

/* f(x), to within a few units in the last place of double, also where 1 - f or f itself is tiny. */
double reference_activation(gg_activation f, double x, double alpha);

/* f'(x), from x or from y = f(x) as gg_activation_needs_input says. */
double reference_slope(gg_activation f, double xy, double alpha);

/* The sum of the magnitudes of the terms of f'(x): what its rounding errors are measured by. */
double reference_slope_scale(gg_activation f, double xy, double alpha);

/* y[r][c] = f(x[r][c] + bias[c]), all dense; bias may be NULL. */
void reference_add_bias(double *y, const double *x, const double *bias, int64_t rows, int64_t cols, gg_activation f,
                        double alpha);

/* s[c] = sum over r of x[r][c]; scale[c] = sum of |x[r][c]|. x has leading dimension ldx. */
void reference_sum_rows(double *s, double *scale, const double *x, int64_t ldx, int64_t rows, int64_t cols);

#endif
