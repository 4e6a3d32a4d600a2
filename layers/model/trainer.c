/* trainer.c - mini-batches from a source, evaluation, early stop.
 *
 * The source says what batch `step` of epoch `epoch` is (gemmgrad/source.h); all else that a resumed run needs stands
 * in the model, the optimiser and a few counters. A step allocates nothing; the history grows at the end of an epoch,
 * before its last step. */
#include <gemmgrad/trainer.h>

#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/memory.h>

#include "node.h"
#include "trainer_state.h"

/* ---- life ---- */

static gg_status check_source(const gg_source *source)
{
    if (source->bind == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->source->bind is NULL");
    if (source->steps < 1)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->source->steps is %lld", (long long)source->steps);
    if (source->fact_count < 0 || (source->fact_count > 0 && source->facts == NULL))
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->source->facts is NULL or fewer than none");
    return GG_OK;
}

static gg_status check_options(const gg_trainer_options *o)
{
    if (o->model == NULL || o->optimizer == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->%s is NULL",
                       o->model == NULL ? "model" : "optimizer");
    if (gg_model_shape(o->model, o->loss, NULL) < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->loss is no value of the model");
    if (gg_model_gradients(o->model) == NULL)
        return gg_fail(GG_ERR_STATE, "gg_trainer_new: the model is not planned with a loss");
    return o->source != NULL ? check_source(o->source) : GG_OK;
}

static gg_status open_source(gg_trainer *trainer)
{
    const gg_trainer_options *o = &trainer->options;
    if (o->source == NULL)
        return gg_dataset_source_open(&trainer->dataset, &trainer->source, o);
    trainer->source = *o->source;
    return GG_OK;
}

static gg_status allocate_states(gg_trainer *trainer)
{
    trainer->state_floats = gg_model_state_floats(trainer->options.model);
    if (trainer->state_floats == 0)
        return GG_OK;
    void *states = NULL;
    const gg_status status = gg_alloc(&states, (size_t)trainer->state_floats * sizeof(float));
    trainer->states = states;
    return status;
}

gg_status gg_trainer_new(gg_trainer **out, const gg_trainer_options *options)
{
    if (out == NULL || options == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: %s is NULL", out == NULL ? "out" : "options");
    gg_status status = check_options(options);
    void *object = NULL;
    if (status == GG_OK)
        status = gg_alloc_zero(&object, sizeof **out);
    if (status != GG_OK)
        return status;
    gg_trainer *trainer = object;
    trainer->options = *options;
    status = open_source(trainer);
    if (status == GG_OK)
        status = allocate_states(trainer);
    if (status == GG_OK)
        *out = trainer;
    else
        gg_trainer_free(trainer);
    return status;
}

void gg_trainer_free(gg_trainer *trainer)
{
    if (trainer == NULL)
        return;
    gg_dataset_source_close(&trainer->dataset);
    gg_free(trainer->states);
    gg_free(trainer->history);
    gg_free(trainer);
}

/* ---- one step ---- */

/* States move in forward passes: a step that is refused must leave them as they were, and an evaluation too. A model
 * planned anew with other states has none to keep. */
static void keep_states(gg_trainer *trainer, bool back)
{
    gg_model *model = trainer->options.model;
    if (trainer->state_floats == 0 || gg_model_state_floats(model) != trainer->state_floats)
        return;
    float *states = gg_model_states(model);
    memcpy(back ? states : trainer->states, back ? trainer->states : states,
           (size_t)trainer->state_floats * sizeof *states);
}

/* Whether all floats bound to the model are finite. */
static gg_status inputs_finite(bool *finite, const gg_model *model)
{
    gg_status status = GG_OK;
    *finite = true;
    for (int32_t v = 0; v < model->value_count && status == GG_OK && *finite; v++) {
        const gg_value_info *value = &model->values[v];
        if (value->is_input && value->data != NULL)
            status = gg_all_finite(finite, value->data, value->size);
    }
    return status;
}

/* The loss is not finite: say where it began. */
static gg_status stop(const gg_trainer *trainer, double loss)
{
    const gg_trainer_options *o = &trainer->options;
    const long long epoch = (long long)trainer->epoch, step = (long long)trainer->step;
    bool finite = true;
    const gg_status status = inputs_finite(&finite, o->model);
    if (status == GG_OK && !finite)
        return gg_fail(GG_ERR_NUMERIC,
                       "gg_trainer_step: the loss is %g in epoch %lld, step %lld: "
                       "the samples hold NaN or infinity",
                       loss, epoch, step);
    const char *layer = gg_model_find_nonfinite(o->model, o->loss);
    return gg_fail(GG_ERR_NUMERIC,
                   "gg_trainer_step: the loss is %g in epoch %lld, step %lld: "
                   "the first layer with NaN or infinity is %s",
                   loss, epoch, step, layer != NULL ? layer : "unknown");
}

/* Forward, backward and update for what is bound. */
static gg_status train_batch(gg_trainer *trainer, double *loss)
{
    const gg_trainer_options *o = &trainer->options;
    gg_status status = gg_model_forward(o->model, o->loss, GG_TRAIN);
    *loss = gg_model_loss(o->model);
    if (status != GG_OK)
        return status;
    if (!isfinite(*loss))
        return stop(trainer, *loss);
    status = gg_model_backward(o->model);
    if (status == GG_OK)
        status = gg_optimizer_step(o->optimizer, gg_schedule_rate(&o->schedule, gg_optimizer_steps(o->optimizer)));
    return status;
}

gg_status gg_history_make(gg_epoch_result **out, const gg_epoch_result *entries, int64_t count, int64_t room)
{
    int64_t bytes = 0;
    gg_status status = gg_checked_multiply(&bytes, room, (int64_t)sizeof **out);
    void *array = NULL;
    if (status == GG_OK)
        status = gg_alloc(&array, (size_t)bytes);
    if (status != GG_OK)
        return status;
    if (count > 0)
        memcpy(array, entries, (size_t)count * sizeof **out);
    *out = array;
    return GG_OK;
}

static gg_status reserve_history(gg_trainer *trainer)
{
    if (trainer->epoch < trainer->history_room)
        return GG_OK;
    const int64_t room = trainer->history_room > 0 ? 2 * trainer->history_room : 16;
    gg_epoch_result *larger = NULL;
    const gg_status status = gg_history_make(&larger, trainer->history, trainer->epoch, room);
    if (status != GG_OK)
        return status;
    gg_free(trainer->history);
    trainer->history = larger;
    trainer->history_room = room;
    return GG_OK;
}

/* The next batch's loss shows what the step before did to the parameters; no batch follows the epoch's last. */
static gg_status check_parameters(const gg_trainer *trainer)
{
    gg_model *model = trainer->options.model;
    bool finite = true;
    gg_status status = gg_all_finite(&finite, gg_model_parameters(model), gg_model_parameter_floats(model));
    for (int i = 0; status == GG_OK && !finite && i < gg_model_parameter_count(model); i++) {
        gg_parameter p;
        bool good = true;
        status = gg_model_parameter(model, i, &p);
        if (status == GG_OK)
            status = gg_all_finite(&good, gg_model_parameters(model) + p.offset, p.size);
        if (status == GG_OK && !good)
            status = gg_fail(GG_ERR_NUMERIC,
                             "gg_trainer_step: the last step of epoch %lld left NaN or infinity in the parameter %s",
                             (long long)trainer->epoch, p.name);
    }
    return status;
}

static gg_status evaluate(gg_trainer *trainer, gg_evaluation *out)
{
    const gg_source *source = &trainer->source;
    *out = (gg_evaluation){(double)NAN, (double)NAN};
    if (source->evaluate == NULL)
        return GG_OK;
    keep_states(trainer, false);
    const gg_status status = source->evaluate(source->context, trainer->options.model, trainer->epoch, out);
    keep_states(trainer, true);
    return status;
}

static gg_status finish_epoch(gg_trainer *trainer)
{
    gg_evaluation test;
    gg_status status = check_parameters(trainer);
    if (status == GG_OK)
        status = evaluate(trainer, &test);
    if (status != GG_OK)
        return status;
    const double train_loss = trainer->epoch_loss_sum / (double)trainer->epoch_samples;
    trainer->history[trainer->epoch++] = (gg_epoch_result){train_loss, test.loss, test.accuracy};
    trainer->step = 0;
    trainer->epoch_loss_sum = 0.0;
    trainer->epoch_samples = 0;
    return GG_OK;
}

gg_status gg_trainer_step(gg_trainer *trainer)
{
    if (trainer == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_step: trainer is NULL");
    const gg_source *source = &trainer->source;
    const bool last = trainer->step + 1 >= source->steps;
    gg_status status = last ? reserve_history(trainer) : GG_OK;
    if (status == GG_OK && trainer->step == source->steps)
        return finish_epoch(trainer);
    int64_t elements = 0;
    double loss = 0.0;
    if (status != GG_OK)
        return status;
    keep_states(trainer, false);
    status = source->bind(source->context, trainer->options.model, trainer->epoch, trainer->step, &elements);
    if (status == GG_OK)
        status = train_batch(trainer, &loss);
    if (status != GG_OK) {
        keep_states(trainer, true);
        return status;
    }
    trainer->step++;
    trainer->samples += elements;
    trainer->loss = loss;
    trainer->epoch_loss_sum += loss * (double)elements;
    trainer->epoch_samples += elements;
    return last ? finish_epoch(trainer) : GG_OK;
}

/* ---- looking ---- */

gg_status gg_trainer_evaluate(gg_trainer *trainer, const gg_dataset *data, double *accuracy)
{
    const char *missing = trainer == NULL ? "trainer" : data == NULL ? "data" : accuracy == NULL ? "accuracy" : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_evaluate: %s is NULL", missing);
    if (trainer->options.source != NULL)
        return gg_fail(GG_ERR_STATE, "gg_trainer_evaluate: this trainer's batches come from a source, not a data set");
    return gg_dataset_source_accuracy(&trainer->dataset, data, accuracy);
}

gg_trainer_progress gg_trainer_where(const gg_trainer *trainer)
{
    if (trainer == NULL)
        return (gg_trainer_progress){0};
    return (gg_trainer_progress){
        .epoch = trainer->epoch,
        .step = trainer->step,
        .steps_per_epoch = trainer->source.steps,
        .samples = trainer->samples,
        .loss = trainer->loss,
        .epoch_loss_sum = trainer->epoch_loss_sum,
        .epoch_samples = trainer->epoch_samples,
    };
}

const gg_epoch_result *gg_trainer_history(const gg_trainer *trainer, int64_t *count)
{
    if (count != NULL)
        *count = trainer != NULL ? trainer->epoch : 0;
    return trainer != NULL ? trainer->history : NULL;
}
