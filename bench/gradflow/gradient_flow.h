/* gradient_flow.h - how much of a gradient comes back through a recurrent layer, step by step. */
#ifndef GEMMGRAD_BENCH_GRADIENT_FLOW_H
#define GEMMGRAD_BENCH_GRADIENT_FLOW_H

#include <gemmgrad/blas_backend.h>
#include <gemmgrad/layers.h>

typedef struct gg_flow_case {
    const char *name;
    gg_cell cell;
    double radius;      /* what Wh is scaled to: its largest |eigenvalue|; 0: orthogonal, each gate for itself */
    double forget_bias; /* LSTM */
    bool driven;        /* inputs are random; else they are 0, and so stays a state of 0: a tanh is linear there */
} gg_flow_case;

typedef struct gg_flow_sizes {
    int64_t hidden, steps;
    double clip; /* the largest norm of the weights' gradients */
    uint64_t seed;
} gg_flow_sizes;

/* With L depending on the last state h_T alone, dL/dh_T of length 1 in each of a few samples. */
typedef struct gg_flow {
    double *norms;      /* steps + 1: |dL/dh_(T-d)| over |dL/dh_T| for the distances d; gg_free it */
    double slope;       /* of the logarithm of norms for d from half the steps on, a step, by least squares */
    double radius;      /* largest |eigenvalue| of the Jacobian of one step: geometric mean over some steps */
    double singular;    /* its largest singular value, the same */
    double weight_norm; /* |dL/d all weights|, of all samples' mean */
    double clip_factor; /* what clipping multiplies every gradient by: min(1, clip / weight_norm) */
} gg_flow;

/* Errors: those of the library. On success the norms are to be freed. */
gg_status gg_flow_measure(gg_flow *out, const gg_flow_case *what, const gg_flow_sizes *sizes);

#endif
