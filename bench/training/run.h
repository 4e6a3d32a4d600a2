/* run.h - one training: a task's data, network, optimiser and trainer, driven to a number of epochs and measured on
 * the way. */
#ifndef GEMMGRAD_BENCH_RUN_H
#define GEMMGRAD_BENCH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/layers.h>

#include "meter.h"
#include "tasks.h"

typedef struct gg_run_settings {
    const gg_task *task;
    gg_task_options own; /* of the task; its data, batch and seed follow from those below */
    const char *data;    /* path; NULL for tasks that draw their data */
    const char *resume;  /* checkpoint to go on from, or NULL */
    int64_t epochs;      /* the total, those before a resume included */
    int64_t batch;
    gg_optimizer_options optimizer;
    double rate;
    uint64_t seed; /* of weights, dropout and shuffling */
} gg_run_settings;

typedef struct gg_run {
    gg_run_settings settings;
    gg_task_data data;
    gg_feed feed; /* of a task that opens one: instead of data */
    gg_network net;
    gg_optimizer *optimizer;
    gg_trainer *trainer;
    gg_meter meter;
    double seconds; /* from the first step to the last, evaluations included */
    bool interrupted;
} gg_run;

/* The task's defaults. */
gg_run_settings gg_run_defaults(const gg_task *task);

/* Load the data, build and plan the network, resume. On failure nothing is left to close. */
gg_status gg_run_open(gg_run *run, const gg_run_settings *settings);
void gg_run_close(gg_run *run);

/* Train to settings.epochs with progress on stderr; ends early, with interrupted set, after SIGINT or SIGTERM
 * (interrupt.h).
 * Errors: those of gg_trainer_step. */
gg_status gg_run_train(gg_run *run);

/* What the meter's sums amount to; NaN where no step was measured. */
typedef struct gg_figures {
    double samples_per_second; /* of a feed: its elements */
    double gflops;             /* two operations for each multiply-add of the formula */
    double sgemm_share;        /* multiply-adds counted at cblas_sgemm / by the formula */
    double time_outside_gemm;  /* share of the time */
    double allocations_per_step;
    double test_accuracy; /* after the last finished epoch */
    double test_loss;     /* the same; NaN: not measured */
} gg_figures;

gg_figures gg_run_figures(const gg_run *run);

#endif
