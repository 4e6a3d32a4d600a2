/* gemmgrad/source.h - where a trainer's batches come from: a table of functions that anybody can fill.
 *
 * A gg_dataset (gemmgrad/trainer.h) needs none of this. A source is for everything else: texts read in windows, pairs
 * of sequences, words with their neighbours. */
#ifndef GEMMGRAD_SOURCE_H
#define GEMMGRAD_SOURCE_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/model.h>
#include <gemmgrad/safetensors.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a model does on data that it was not trained on; NaN: not measured. */
typedef struct gg_evaluation {
    double loss;     /* mean over the elements that count */
    double accuracy; /* share of right answers, 0 .. 1 */
} gg_evaluation;

typedef struct gg_source {
    void *context; /* given to both functions; the caller's, must outlive the trainer, as must `facts` */
    int64_t steps; /* batches in an epoch, at least 1 */

    /* Bind batch `step` of epoch `epoch` to the model's inputs and set its extents. The batch is decided by these two
     * numbers and by nothing that was bound before, so that a resumed training meets the same. Where the model carries
     * states from batch to batch, the first of a row of batches resets them (gg_model_reset_states). *elements: how
     * many elements the loss of this batch is the mean over. Errors end the step. */
    gg_status (*bind)(void *context, gg_model *model, int64_t epoch, int64_t step, int64_t *elements);

    /* Measure the model after the last batch of epoch `epoch`: *out holds NaN before. It may move carried states on:
     * the trainer puts them back. NULL: nothing is measured. Errors: GG_ERR_NUMERIC for results that are not finite. */
    gg_status (*evaluate)(void *context, gg_model *model, int64_t epoch, gg_evaluation *out);

    /* What a checkpoint must agree with to be gone on from, saved in it as metadata: sizes, seeds, vocabularies. The
     * trainer's own keys are task, optimizer, epoch, step, epoch_samples, optimizer_steps, model_step, seed,
     * model_seed and gemmgrad. */
    const gg_metadata *facts;
    int64_t fact_count;
} gg_source;

#ifdef __cplusplus
}
#endif
#endif
