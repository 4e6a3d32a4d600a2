/* dataset_source.h - the source that a trainer makes of a gg_dataset. */
#ifndef GEMMGRAD_DATASET_SOURCE_H
#define GEMMGRAD_DATASET_SOURCE_H

#include <gemmgrad/trainer.h>

enum { GG_DATASET_FACTS = 4, GG_DATASET_DIGITS = 24 };

typedef struct gg_dataset_source {
    gg_trainer_options options;
    int64_t classes; /* columns of the scores */

    /* one arena, of which x is the start */
    float *x;       /* the present batch, gathered: batch x features */
    int64_t *order; /* the permutation of the training samples for epoch `order_epoch` */
    int32_t *labels;
    int64_t order_epoch; /* -1: none yet */

    gg_metadata facts[GG_DATASET_FACTS];
    char digits[GG_DATASET_FACTS][GG_DATASET_DIGITS];
} gg_dataset_source;

/* Check the options and allocate the buffers; *out then gives their batches and points to `set`, which must stay where
 * it is. On failure there is nothing to close. */
gg_status gg_dataset_source_open(gg_dataset_source *set, gg_source *out, const gg_trainer_options *options);
void gg_dataset_source_close(gg_dataset_source *set);

/* gg_trainer_evaluate, but for its first argument. */
gg_status gg_dataset_source_accuracy(gg_dataset_source *set, const gg_dataset *data, double *accuracy);

#endif
