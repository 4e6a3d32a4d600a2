/* reference_conv.h - convolution as plain loops in double; arguments as in gemmgrad/conv.h. */
#ifndef REFERENCE_CONV_H
#define REFERENCE_CONV_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/conv.h>

/* Y = X * W + b; bias may be NULL. */
void reference_conv_forward(double *y, const double *x, const double *w, const double *bias, const gg_conv_shape *s);

/* dX, dW and db, = or +=; each may be NULL. */
void reference_conv_backward(double *dx, double *dw, double *db, const double *dy, const double *x, const double *w,
                             const gg_conv_shape *s, bool accumulate_dx, bool accumulate_dw);

/* col as gg_im2col fills it. */
void reference_im2col(double *col, const double *x, const gg_conv_shape *s);

#endif
