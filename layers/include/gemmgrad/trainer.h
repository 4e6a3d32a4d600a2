/* gemmgrad/trainer.h - epochs of shuffled mini-batches, evaluation, early stop, exact resume. */
#ifndef GEMMGRAD_TRAINER_H
#define GEMMGRAD_TRAINER_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/model.h>
#include <gemmgrad/optimizer.h>
#include <gemmgrad/source.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Samples of `features` floats and a label each; caller-owned, must outlive the trainer. */
typedef struct gg_dataset {
    const float *x;        /* count x features */
    const int32_t *labels; /* count */
    int64_t count, features;
} gg_dataset;

typedef struct gg_epoch_result {
    double train_loss;    /* mean over the epoch's samples, as they were met */
    double test_loss;     /* NaN where the source measures none, as a gg_dataset does not */
    double test_accuracy; /* 0 .. 1; NaN without a test set */
} gg_epoch_result;

typedef struct gg_trainer_options {
    gg_model *model; /* planned */
    gg_value loss;   /* the scalar */
    gg_optimizer *optimizer;
    gg_schedule schedule;
    uint64_t seed; /* of the shuffling; epoch e is shuffled by (seed, e) alone */

    /* Where batches come from: a source (copied), or NULL and a data set in the rest. */
    const gg_source *source;
    gg_value input, labels; /* where samples and labels are bound */
    gg_value scores;        /* [batch, classes] */
    gg_dataset train, test; /* test.count may be 0 */
    int64_t batch;
} gg_trainer_options;

typedef struct gg_trainer gg_trainer;

/* Allocates the batch buffers. Errors: GG_ERR_ARGUMENT, GG_ERR_SHAPE, GG_ERR_MEMORY. */
GG_API gg_status gg_trainer_new(gg_trainer **out, const gg_trainer_options *options);
GG_API void gg_trainer_free(gg_trainer *trainer);

/* One mini-batch (the last of an epoch may be smaller): forward, backward, optimiser. When it was the epoch's last,
 * evaluates on the test set or as the source does, and appends to the history. GG_ERR_NUMERIC when the loss is NaN or
 * infinite: parameters are as before the step and the message names the first layer that produced it. GG_ERR_NUMERIC
 * too when the epoch's last step left NaN or infinity in a parameter, or parameters that give finite samples of the
 * test set such scores; the message names the parameter or the layer. That step is made and counted, but nothing is
 * appended, and every further call says the same until the cause is gone, then finishes the epoch. Allocates nothing
 * except one history entry at the end of an epoch. */
GG_API gg_status gg_trainer_step(gg_trainer *trainer);

/* Where training stands. Samples are what the loss is the mean over: rows of a data set, the elements that a source
 * counts. */
typedef struct gg_trainer_progress {
    int64_t epoch; /* epochs finished */
    int64_t step;  /* mini-batches done in the present one */
    int64_t steps_per_epoch;
    int64_t samples;       /* samples seen in this process */
    double loss;           /* of the last mini-batch */
    double epoch_loss_sum; /* sum of losses times samples over the present epoch */
    int64_t epoch_samples;
} gg_trainer_progress;

GG_API gg_trainer_progress gg_trainer_where(const gg_trainer *trainer);

/* Results of all finished epochs, including those before a resume; `count` = epochs finished. */
GG_API const gg_epoch_result *gg_trainer_history(const gg_trainer *trainer, int64_t *count);

/* Share of samples whose largest score is at the label. GG_ERR_STATE for a trainer with a source. */
GG_API gg_status gg_trainer_evaluate(gg_trainer *trainer, const gg_dataset *data, double *accuracy);

/* ---- checkpoints: one safetensors file with parameters, optimiser state, counters, history ---- */

/* Write everything that resuming needs. Written to a temporary file beside `path`, flushed, then renamed: after a
 * failure the old file is as it was and nothing is left behind. `task` is stored and compared at loading. The same
 * state gives the same bytes. Errors: GG_ERR_IO, GG_ERR_MEMORY. */
GG_API gg_status gg_trainer_save(const gg_trainer *trainer, const char *path, const char *task);

/* Load into a trainer built the same way; training then goes on bit for bit as if never stopped.
 * Errors, trainer untouched: GG_ERR_IO, GG_ERR_FORMAT (not a checkpoint, truncated, lying header), GG_ERR_SHAPE
 * (another model, optimiser, task, batch, data size or fact of the source), GG_ERR_MEMORY. */
GG_API gg_status gg_trainer_load(gg_trainer *trainer, const char *path, const char *task);

#ifdef __cplusplus
}
#endif
#endif
