/* reference_recurrent.h - recurrent layers as plain loops in double, one sample after the other, each step by its own
 * equation; as in gemmgrad/recurrent.h, all arrays dense. */
#ifndef REFERENCE_RECURRENT_H
#define REFERENCE_RECURRENT_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/recurrent.h>

typedef struct reference_recurrent {
    gg_recurrent_shape s; /* one direction */
    bool reverse;
    const int32_t *lengths; /* NULL: all of steps */
    /* inputs; bias, h0, c0, drop may be NULL */
    const double *x, *wx, *wh, *bias, *h0, *c0, *drop;
    double *trace; /* reference_recurrent_trace doubles, which forward leaves to backward */
    /* results of forward; c_last: LSTM */
    double *y, *h_last, *c_last;
    /* given to backward; each may be NULL: zeros */
    const double *dy, *dh_last, *dc_last;
    /* results of backward, all +=; dc0: LSTM */
    double *dx, *dwx, *dwh, *dbias, *dh0, *dc0;
} reference_recurrent;

int64_t reference_recurrent_trace(const gg_recurrent_shape *s);
void reference_recurrent_forward(const reference_recurrent *r);
void reference_recurrent_backward(const reference_recurrent *r);

#endif
