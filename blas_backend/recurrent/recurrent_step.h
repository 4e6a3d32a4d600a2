/* recurrent_step.h - the product of a step: a state, or gates' gradients, times some columns of the recurrent weights.
 *
 * Weights that are used in many steps are packed by groups of units: all columns of a group, gate by gate, cut into
 * panels of GG_PANEL columns that lie one after the other, so that its product can be handed to the cell's kernel
 * while it is in cache. */
#ifndef GG_RECURRENT_STEP_H
#define GG_RECURRENT_STEP_H

#include <stdbool.h>
#include <stdint.h>

/* The columns: `gates` columns for each unit, column of gate k `unit_step` floats from that of gate k - 1 in wh; or
 * transposed, one for each unit: the unit's row of wh. */
typedef struct gg_step_weights {
    const float *w;
    int64_t ldw;
    float *packed;        /* NULL: read where they lie */
    int64_t units, depth; /* all units; rows of the operand */
    int64_t rows;         /* of the batch */
    int gates;
    bool transposed;
} gg_step_weights;

/* Units whose product is computed at once; all `own` ones of a thread where nothing is packed. */
int64_t gg_step_group(const gg_step_weights *weights, int64_t own);

/* The i-th group of units [begin, end) in step `step`. Every other step takes the groups from behind: weights larger
 * than the cache, read in the same order again and again, would never be found there. */
typedef struct gg_step_units {
    int64_t begin, count;
} gg_step_units;

static inline gg_step_units gg_step_nth(int64_t i, int64_t step, int64_t group, int64_t begin, int64_t end)
{
    const int64_t groups = (end - begin + group - 1) / group, at = begin + (step % 2 == 0 ? i : groups - 1 - i) * group;
    return (gg_step_units){at, at + group < end ? group : end - at};
}

/* Pack the groups of units [begin, end). */
void gg_step_pack(const gg_step_weights *weights, int64_t begin, int64_t end);

/* c = a times the columns of the group `count` units from `unit` on: rows x (gates * count), dense, gate by gate. Only
 * rows first .. first + depth - 1 of the operand, which a's columns stand for; add: c += that. */
typedef struct gg_step_part {
    const float *a;
    int64_t lda, first, depth;
    bool add;
} gg_step_part;

void gg_step_multiply(float *c, const gg_step_weights *weights, const gg_step_part *part, int64_t rows, int64_t unit,
                      int64_t count);

#endif
