/* conv_case.h - one convolution, its reference, and every algorithm that can do it held against that. */
#ifndef CONV_CASE_H
#define CONV_CASE_H

#include <stdint.h>

#include <gemmgrad/conv.h>

/* Sizes and data of one shape; arrays live until support_release. */
typedef struct conv_case {
    gg_conv_shape s;
    int64_t x_floats, y_floats, w_floats;
    float *x, *w, *bias, *dy, *dx_before, *dw_before, *db_before;
    double *y, *dx, *dw, *db;                 /* expected; with what was there before, where accumulating */
    double *y_size, *dx_size, *dw_size;       /* sums of the same terms by magnitude */
    double y_largest, dx_largest, dw_largest; /* largest element by magnitude of y, dx, dw */
} conv_case;

/* `accumulate`: the backward passes are to be added to dx_before, dw_before, db_before. */
conv_case conv_case_new(const gg_conv_shape *shape, bool accumulate, uint64_t seed);

/* Run all three passes by `algorithm` (GG_CONV_AUTO too), in a workspace of just the size asked for, and hold them to
 * the reference: sums of products to 16 roundings of their magnitude, Winograd's to `winograd` of the largest result.
 */
void conv_case_check(const conv_case *c, gg_conv_algorithm algorithm, double winograd);

/* The shape in words, for messages. */
const char *conv_case_name(const gg_conv_shape *s);

#endif
