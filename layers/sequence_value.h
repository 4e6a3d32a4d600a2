/* sequence_value.h - values of sequences in either order, as the layers of attention see them. */
#ifndef GG_SEQUENCE_VALUE_H
#define GG_SEQUENCE_VALUE_H

#include "node.h"

typedef struct gg_sequence_value {
    bool batch_first;
    int64_t steps; /* a number or an axis */
    int64_t features;
} gg_sequence_value;

/* Fills it in from a value's shape; false, with the model in error, when it is no sequence. `layer`: with "gg_". */
bool gg_sequence_see(gg_sequence_value *sequence, gg_model *model, gg_value value, const char *layer,
                     const char *argument);

/* The shape of such a value. */
gg_shape gg_sequence_shape(const gg_sequence_value *sequence);

/* Steps at these extents. */
static inline int64_t gg_sequence_steps(const gg_sequence_value *sequence, const int64_t extents[GG_AXIS_COUNT])
{
    return sequence->steps < 0 ? extents[-1 - sequence->steps] : sequence->steps;
}

/* Floats from sample to sample and from step to step. */
static inline int64_t gg_sequence_sample(const gg_sequence_value *s, const int64_t extents[GG_AXIS_COUNT])
{
    return s->batch_first ? gg_sequence_steps(s, extents) * s->features : s->features;
}

static inline int64_t gg_sequence_step(const gg_sequence_value *s, const int64_t extents[GG_AXIS_COUNT])
{
    return s->batch_first ? s->features : extents[0] * s->features;
}

/* Whether `lengths` are labels [batch]; the model is in error otherwise. */
bool gg_lengths_fit(gg_model *model, gg_value lengths, const char *layer);

#endif
