/* trainer_state.h - the inside of a trainer, for trainer.c and checkpoint.c. */
#ifndef GEMMGRAD_TRAINER_STATE_H
#define GEMMGRAD_TRAINER_STATE_H

#include <gemmgrad/trainer.h>

struct gg_trainer {
    gg_trainer_options options;
    int64_t steps_per_epoch;
    int64_t classes; /* columns of the scores */

    /* one arena, of which x is the start */
    float *x;       /* the present batch, gathered: batch x features */
    int64_t *order; /* the permutation of the training samples for epoch `order_epoch` */
    int32_t *labels;
    float *states; /* the model's, as before the present step: state_floats of them */
    int64_t state_floats;
    int64_t order_epoch; /* -1: none yet */

    gg_epoch_result *history; /* `epoch` entries of `history_room` */
    int64_t history_room;

    int64_t epoch, step; /* step may stand at steps_per_epoch: the epoch's evaluation failed and is due again */
    int64_t samples;     /* in this process: no part of what a checkpoint holds */
    double loss, epoch_loss_sum;
};

/* Samples met in the present epoch. */
int64_t gg_trainer_epoch_samples(const gg_trainer *trainer);

/* A history array with room for `room` entries that starts with `count` entries from `entries`. */
gg_status gg_history_make(gg_epoch_result **out, const gg_epoch_result *entries, int64_t count, int64_t room);

#endif
