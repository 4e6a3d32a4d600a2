/* dropout_mask.c - see dropout_mask.h. */
#include "dropout_mask.h"

#include <gemmgrad/random.h>

/* Streams of random numbers: parameters take the low numbers, dropout the ones from here on. */
#define FIRST_STREAM ((uint64_t)1 << 32)

/* One random word a number of the mask; words of different steps must not meet: 2^40 are more than a mask can have. */
#define WORDS_PER_STEP ((uint64_t)1 << 40)

gg_status gg_dropout_mask(float *mask, int64_t n, float ratio, uint64_t seed, int32_t node, int64_t step)
{
    gg_random random = gg_random_make(seed, FIRST_STREAM + (uint64_t)node);
    random.counter = (uint64_t)step * WORDS_PER_STEP;
    const gg_status status = gg_random_fill_uniform(mask, n, 0.0f, 1.0f, &random);
    const float kept = 1.0f / (1.0f - ratio);
    for (int64_t i = 0; i < n && status == GG_OK; i++)
        mask[i] = mask[i] < ratio ? 0.0f : kept;
    return status;
}
