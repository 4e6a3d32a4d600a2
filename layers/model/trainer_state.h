/* trainer_state.h - the inside of a trainer, for trainer.c and checkpoint.c. */
#ifndef GEMMGRAD_TRAINER_STATE_H
#define GEMMGRAD_TRAINER_STATE_H

#include <gemmgrad/trainer.h>

#include "dataset_source.h"

struct gg_trainer {
    gg_trainer_options options;
    gg_source source;          /* options.source, or made of `dataset` */
    gg_dataset_source dataset; /* without options.source */

    float *states; /* the model's, as before the present step: state_floats of them */
    int64_t state_floats;

    gg_epoch_result *history; /* `epoch` entries of `history_room` */
    int64_t history_room;

    int64_t epoch, step; /* step may stand at source.steps: the epoch's evaluation failed and is due again */
    int64_t samples;     /* in this process: no part of what a checkpoint holds */
    double loss, epoch_loss_sum;
    int64_t epoch_samples;
};

/* A history array with room for `room` entries that starts with `count` entries from `entries`. */
gg_status gg_history_make(gg_epoch_result **out, const gg_epoch_result *entries, int64_t count, int64_t room);

#endif
