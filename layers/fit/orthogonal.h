/* orthogonal.h - weights that start as an orthogonal matrix. */
#ifndef GG_ORTHOGONAL_H
#define GG_ORTHOGONAL_H

#include <stdint.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/random.h>
#include <gemmgrad/status.h>

/* w (rows x columns, rows ldw floats apart) = gain Q: Q^T Q = 1 for rows >= columns, else Q Q^T = 1; each such Q
 * equally likely. A pure function of its arguments up to the rounding of the BLAS. Allocates while it runs. */
gg_status gg_orthogonal_fill(float *w, int64_t ldw, int64_t rows, int64_t columns, float gain, gg_random *random);

/* What keeps the deviation of a signal through the activation: 1 for identity and sigmoid, 5/3 for tanh, sqrt(2) for
 * those that let half of their input through, sqrt(2 / (1 + alpha^2)) for leaky ReLU. */
float gg_orthogonal_gain(gg_activation f, float alpha);

#endif
