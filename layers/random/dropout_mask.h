/* dropout_mask.h - the numbers that dropout multiplies by. */
#ifndef GG_DROPOUT_MASK_H
#define GG_DROPOUT_MASK_H

#include <stdint.h>

#include <gemmgrad/status.h>

/* mask[0 .. n-1] = 0 with probability ratio, else 1 / (1 - ratio): a pure function of the model's seed, the node's
 * number in its model and the training step. */
gg_status gg_dropout_mask(float *mask, int64_t n, float ratio, uint64_t seed, int32_t node, int64_t step);

#endif
