/* progress.h - a bar on a terminal, short lines elsewhere; on stderr, never more than ten times a second. */
#ifndef GEMMGRAD_BENCH_PROGRESS_H
#define GEMMGRAD_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gg_progress {
    const char *label; /* the task */
    int64_t epochs;    /* total */
    bool terminal, utf8;
    double started, drawn; /* seconds of gg_seconds_now */
    double start_fraction; /* where a resumed run began */
} gg_progress;

typedef struct gg_progress_state {
    int64_t epoch;         /* finished */
    double epoch_fraction; /* of the present one, 0 .. 1 */
    double loss;           /* mean over the present epoch so far */
    double accuracy;       /* after the last finished epoch; NaN: none yet */
    double test_loss;      /* the same; NaN: not measured */
} gg_progress_state;

void gg_progress_start(gg_progress *progress, const char *label, int64_t epochs, double start_fraction);

/* Whether a tenth of a second has passed since the last drawing. */
bool gg_progress_due(const gg_progress *progress);

/* Within an epoch: redraws the bar; nothing without a terminal. */
void gg_progress_draw(gg_progress *progress, const gg_progress_state *state);

/* After an epoch: a line without a terminal, where state->loss is that of the finished epoch. */
void gg_progress_epoch(gg_progress *progress, const gg_progress_state *state);

/* Takes the bar away. */
void gg_progress_end(gg_progress *progress);

#endif
