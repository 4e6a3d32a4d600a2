/* perceptron.h - a multilayer perceptron for the tasks that want one. */
#ifndef GEMMGRAD_BENCH_PERCEPTRON_H
#define GEMMGRAD_BENCH_PERCEPTRON_H

#include "tasks.h"

typedef struct gg_perceptron {
    const int64_t *widths;    /* input, hidden ..., classes */
    int count;                /* of widths: 2 or more */
    gg_activation activation; /* of the hidden layers */
    float dropout;            /* after each hidden layer; 0: none */
    float weight_scale;       /* deviation of the starting weights; 0: by the activation (He, Xavier) */
} gg_perceptron;

/* Affine and activation for each hidden layer, affine, softmax with loss; with the multiply-adds of a training step. */
gg_status gg_perceptron_build(gg_network *out, const gg_perceptron *shape, uint64_t seed);

#endif
