/* reference_transformer.h - the layers of gemmgrad/transformer.h, see reference_layers.h.
 *
 * Row r has the position (r / together) % positions. w is gamma, the learned table, or W of the loss; b is beta. */
#ifndef REFERENCE_TRANSFORMER_H
#define REFERENCE_TRANSFORMER_H

#include "reference_layers.h"

extern const reference_layer reference_layer_normalization, reference_swiglu, reference_sinusoidal_positions,
    reference_learned_positions, reference_rotary_positions, reference_projected_loss;

/* The angle of pair i at a position, of `features` features. */
double reference_angle(int64_t position, int64_t i, int64_t features, double base);

#endif
