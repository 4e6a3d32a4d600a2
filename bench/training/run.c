/* run.c - drives a trainer and measures it.
 *
 * The meter runs over training steps only. It leaves out the first step of the process (caches, pages and threads
 * warm up) and the last step of each epoch, for the trainer evaluates the test set within that call; it stops while
 * progress is drawn. */
#include "run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "interrupt.h"
#include "machine.h"
#include "progress.h"

gg_run_settings gg_run_defaults(const gg_task *task)
{
    return (gg_run_settings){.task = task,
                             .own = {.dropout = -1.0},
                             .epochs = task->epochs,
                             .batch = task->batch,
                             .optimizer = task->optimizer,
                             .rate = task->rate,
                             .seed = 1};
}

/* ---- building ---- */

/* Epochs in steps, by the task and the batch alone: a run resumed with a larger --epochs follows the same curve. */
static gg_schedule make_schedule(const gg_run_settings *settings, int64_t steps)
{
    const gg_task *task = settings->task;
    gg_schedule schedule = {.kind = GG_CONSTANT, .rate = (float)settings->rate};
    schedule.warmup_steps = (int64_t)(task->warmup_epochs * (double)steps);
    if (task->cosine) {
        schedule.kind = GG_COSINE;
        schedule.total_steps = task->decay_epochs * steps;
        schedule.final_rate = schedule.rate * task->decay;
    } else if (task->decay_epochs > 0) {
        schedule.kind = GG_STEP_DECAY;
        schedule.decay_steps = task->decay_epochs * steps;
        schedule.decay_factor = task->decay;
    }
    return schedule;
}

/* The data, and the network for them. */
static gg_status open_task(gg_run *run)
{
    const gg_run_settings *s = &run->settings;
    if (s->task->open != NULL) {
        gg_task_options own = s->own;
        own.data = s->data;
        own.batch = s->batch;
        own.seed = s->seed;
        return s->task->open(&run->feed, &run->net, &own);
    }
    gg_status status = s->task->load(&run->data, s->data);
    if (status == GG_OK && s->batch > run->data.train_count)
        status = gg_fail(GG_ERR_ARGUMENT, "--batch %" PRId64 " is more than the %" PRId64 " samples of %s", s->batch,
                         run->data.train_count, s->task->name);
    return status == GG_OK ? s->task->build(&run->net, &run->data, s->seed) : status;
}

static gg_status build(gg_run *run)
{
    const gg_run_settings *s = &run->settings;
    gg_status status = open_task(run);
    if (status == GG_OK)
        status = gg_model_plan(run->net.model, run->net.loss, s->batch);
    if (status == GG_OK)
        status = gg_optimizer_new(&run->optimizer, run->net.model, &s->optimizer);
    if (status != GG_OK)
        return status;
    const gg_task_data *d = &run->data;
    const int64_t steps =
        run->feed.source != NULL ? run->feed.source->steps : (d->train_count + s->batch - 1) / s->batch;
    return gg_trainer_new(&run->trainer,
                          &(gg_trainer_options){.model = run->net.model,
                                                .source = run->feed.source,
                                                .input = run->net.input,
                                                .labels = run->net.labels,
                                                .scores = run->net.scores,
                                                .loss = run->net.loss,
                                                .optimizer = run->optimizer,
                                                .schedule = make_schedule(s, steps),
                                                .train = {d->train_x, d->train_labels, d->train_count, d->features},
                                                .test = {d->test_x, d->test_labels, d->test_count, d->features},
                                                .batch = s->batch,
                                                .seed = s->seed});
}

gg_status gg_run_open(gg_run *run, const gg_run_settings *settings)
{
    *run = (gg_run){.settings = *settings};
    gg_status status = build(run);
    if (status == GG_OK && settings->resume != NULL)
        status = gg_trainer_load(run->trainer, settings->resume, settings->task->name);
    if (status != GG_OK)
        gg_run_close(run);
    return status;
}

void gg_run_close(gg_run *run)
{
    gg_trainer_free(run->trainer);
    gg_optimizer_free(run->optimizer);
    gg_model_free(run->net.model);
    gg_task_data_free(&run->data);
    if (run->feed.close != NULL)
        run->feed.close(run->feed.own);
    run->feed = (gg_feed){.source = NULL};
    run->trainer = NULL;
    run->optimizer = NULL;
    run->net.model = NULL;
}

/* ---- training ---- */

static gg_epoch_result last_epoch(const gg_trainer *trainer)
{
    int64_t count = 0;
    const gg_epoch_result *history = gg_trainer_history(trainer, &count);
    return count > 0 ? history[count - 1] : (gg_epoch_result){NAN, NAN, NAN};
}

static gg_progress_state progress_state(const gg_trainer *trainer)
{
    const gg_trainer_progress at = gg_trainer_where(trainer);
    const gg_epoch_result last = last_epoch(trainer);
    gg_progress_state state = {
        .epoch = at.epoch, .accuracy = last.test_accuracy, .test_loss = last.test_loss, .loss = at.loss};
    state.epoch_fraction = (double)at.step / (double)at.steps_per_epoch;
    if (at.epoch_samples > 0)
        state.loss = at.epoch_loss_sum / (double)at.epoch_samples;
    return state;
}

static void show_epoch(gg_progress *progress, const gg_trainer *trainer)
{
    gg_progress_state state = progress_state(trainer);
    state.loss = last_epoch(trainer).train_loss;
    gg_progress_epoch(progress, &state);
}

/* One step with the meter running where it may; *first is whether it is the process's first. */
static gg_status measured_step(gg_run *run, gg_trainer_progress *at, bool first)
{
    const bool ends_epoch = at->step + 1 == at->steps_per_epoch;
    if (first || ends_epoch)
        gg_meter_stop(&run->meter);
    else
        gg_meter_start(&run->meter);
    const gg_status status = gg_trainer_step(run->trainer);
    const int64_t before = at->samples;
    *at = gg_trainer_where(run->trainer);
    gg_meter_step(&run->meter, at->samples - before);
    return status;
}

static gg_status train_steps(gg_run *run, gg_progress *progress)
{
    gg_trainer_progress at = gg_trainer_where(run->trainer);
    bool first = true;
    while (at.epoch < run->settings.epochs && !gg_interrupted()) {
        const int64_t epoch = at.epoch;
        const gg_status status = measured_step(run, &at, first);
        if (status != GG_OK)
            return status;
        first = false;
        if (at.epoch > epoch)
            show_epoch(progress, run->trainer);
        if (progress->terminal && gg_progress_due(progress)) {
            gg_meter_stop(&run->meter);
            const gg_progress_state state = progress_state(run->trainer);
            gg_progress_draw(progress, &state);
        }
    }
    return GG_OK;
}

gg_status gg_run_train(gg_run *run)
{
    gg_progress progress;
    const gg_progress_state state = progress_state(run->trainer);
    gg_progress_start(&progress, run->settings.task->name, run->settings.epochs,
                      ((double)state.epoch + state.epoch_fraction) / (double)run->settings.epochs);
    const double start = gg_seconds_now();
    gg_gemm_set_timing(true);
    const gg_status status = train_steps(run, &progress);
    gg_meter_stop(&run->meter);
    gg_gemm_set_timing(false);
    run->seconds = gg_seconds_now() - start;
    run->interrupted = status == GG_OK && gg_trainer_where(run->trainer).epoch < run->settings.epochs;
    gg_progress_end(&progress);
    return status;
}

gg_figures gg_run_figures(const gg_run *run)
{
    const gg_meter *m = &run->meter;
    const gg_epoch_result last = last_epoch(run->trainer);
    gg_figures figures = {NAN, NAN, NAN, NAN, NAN, last.test_accuracy, last.test_loss};
    if (m->steps == 0)
        return figures;
    const double expected = (double)run->net.multiply_adds * (double)m->samples;
    figures.samples_per_second = (double)m->samples / m->seconds;
    figures.gflops = 2e-9 * expected / m->seconds;
    figures.sgemm_share = expected > 0.0 ? (double)m->multiply_adds / expected : NAN; /* NaN: there are no products */
    figures.time_outside_gemm = 1.0 - m->gemm_seconds / m->seconds;
    figures.allocations_per_step = (double)m->allocations / (double)m->steps;
    return figures;
}
