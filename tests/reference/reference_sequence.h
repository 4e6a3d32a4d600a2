/* reference_sequence.h - the layers over sequences [time, batch, ..], see reference_layers.h. */
#ifndef REFERENCE_SEQUENCE_H
#define REFERENCE_SEQUENCE_H

#include "reference_layers.h"

extern const reference_layer reference_embedding, reference_concatenate, reference_repeat_time, reference_first_step,
    reference_last_step, reference_variational_dropout, reference_recurrent;

typedef enum reference_cell {
    REFERENCE_TANH,
    REFERENCE_RELU,
    REFERENCE_LSTM,
    REFERENCE_GRU,       /* reset after the product */
    REFERENCE_GRU_BEFORE /* reset before the product */
} reference_cell;

/* A recurrent layer: x[0] [steps, batch, columns]; x[1], x[2] = h0, c0 [batch, directions * hidden] or NULL; labels =
 * the samples' lengths or NULL; mask [directions, batch, hidden] of h before its product, or NULL; parameters, for each
 * direction: Wx [columns, gates * hidden], Wh [hidden, gates * hidden], b. As gates lie side by side: RNN 1, LSTM i f g
 * o, GRU r z n; b has hidden numbers for each of them, the GRU that resets after the product four: r z n_x n_h. */
typedef struct reference_recurrence {
    reference_cell cell;
    int64_t hidden;
    int directions; /* 2: the second runs from each sample's end to its start */
    int output;     /* of which this is the reference: 0 y, 1 the last h, 2 the last c */
} reference_recurrence;

/* The smallest |z| before a ReLU (uses nothing but inputs); infinite for other cells. */
double reference_recurrent_smallest(const reference_pass *pass);

#endif
