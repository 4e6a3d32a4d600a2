/* reference_attention.h - gemmgrad/attention.h as plain loops in double, short enough to check by eye. */
#ifndef REFERENCE_ATTENTION_H
#define REFERENCE_ATTENTION_H

#include <gemmgrad/attention.h>

/* One call: arrays of doubles lying as `shape` says (all strides given), the scale in options given, lse and the bias
 * as the library has them. Beside each result its magnitude: what its error is in proportion to, when every number is
 * rounded to float - scores by their sums of |q k|, weights by their scores', and so on. */
typedef struct reference_attention {
    gg_attention_shape shape;
    gg_attention_options options;
    const double *q, *k, *v, *d_o;
    double *o, *lse, *dq, *dk, *dv;
    double *o_magnitude, *dq_magnitude, *dk_magnitude, *dv_magnitude;
} reference_attention;

void reference_attention_forward(const reference_attention *call);

/* Forward as well. */
void reference_attention_backward(const reference_attention *call);

#endif
