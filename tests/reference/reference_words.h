/* reference_words.h - the layers of word vectors, see reference_layers.h. */
#ifndef REFERENCE_WORDS_H
#define REFERENCE_WORDS_H

#include "reference_layers.h"

/* mean_rows: x[0] [rows / out sets of out vectors, columns]. negative_sampling_loss: x[0] [rows, columns], x[1] [rows,
 * out, columns], labels [rows, out]. */
extern const reference_layer reference_mean_rows, reference_negative_sampling_loss;

#endif
