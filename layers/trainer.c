/* trainer.c - mini-batches in the order of the epoch's permutation, evaluation, early stop.
 *
 * Epoch e visits the samples in the order gg_random_permutation draws from stream e of the seed: nothing but (seed, e)
 * decides it, so a resumed run needs no generator state. A batch is gathered into a buffer planned once; evaluation
 * needs no gathering, the model reads the data set in place. A step allocates nothing; the history grows at the end of
 * an epoch, before its last step. */
#include <gemmgrad/trainer.h>

#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/random.h>

#include "trainer_state.h"

/* ---- checks ---- */

static gg_status check_dataset(const gg_dataset *data, const char *name, const char *call)
{
    if (data->count < 0 || data->features < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s has %lld samples of %lld features", call, name, (long long)data->count,
                       (long long)data->features);
    if (data->count > 0 && (data->labels == NULL || (data->x == NULL && data->features > 0)))
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s of %s is NULL", call, data->labels == NULL ? "labels" : "x", name);
    return GG_OK;
}

static gg_status check_options(const gg_trainer_options *o)
{
    if (o->model == NULL || o->optimizer == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->%s is NULL",
                       o->model == NULL ? "model" : "optimizer");
    if (o->batch < 1)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->batch is %lld", (long long)o->batch);
    gg_status status = check_dataset(&o->train, "options->train", "gg_trainer_new");
    if (status == GG_OK)
        status = check_dataset(&o->test, "options->test", "gg_trainer_new");
    if (status == GG_OK && o->train.count == 0)
        status = gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->train has no samples");
    return status;
}

/* The features of one sample by the input's shape, [batch, d, ...]: d * ...; -1 when it is no such shape. */
static int64_t input_features(const gg_model *model, gg_value input)
{
    int64_t dims[GG_MAX_RANK], features = 1;
    const int rank = gg_model_shape(model, input, dims);
    if (rank < 1 || dims[0] != GG_BATCH)
        return -1;
    for (int i = 1; i < rank; i++)
        if (dims[i] < 0 || gg_checked_multiply(&features, features, dims[i]) != GG_OK)
            return -1;
    return features;
}

static gg_status check_values(const gg_trainer_options *o, int64_t *classes)
{
    int64_t dims[GG_MAX_RANK];
    const int64_t features = input_features(o->model, o->input);
    if (features < 0)
        return gg_fail(GG_ERR_SHAPE, "gg_trainer_new: options->input is no value of shape [batch, ...]");
    if (o->train.features != features || (o->test.count > 0 && o->test.features != features))
        return gg_fail(GG_ERR_SHAPE, "gg_trainer_new: the model's input takes %lld features; train has %lld, test %lld",
                       (long long)features, (long long)o->train.features, (long long)o->test.features);
    if (gg_model_shape(o->model, o->labels, dims) != 1 || dims[0] != GG_BATCH)
        return gg_fail(GG_ERR_SHAPE, "gg_trainer_new: options->labels is no value of shape [batch]");
    if (gg_model_shape(o->model, o->scores, dims) != 2 || dims[0] != GG_BATCH || dims[1] < 1)
        return gg_fail(GG_ERR_SHAPE, "gg_trainer_new: options->scores is no value of shape [batch, classes]");
    *classes = dims[1];
    if (gg_model_shape(o->model, o->loss, NULL) < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: options->loss is no value of the model");
    if (gg_model_gradients(o->model) == NULL)
        return gg_fail(GG_ERR_STATE, "gg_trainer_new: the model is not planned with a loss");
    return gg_model_set_extent(o->model, GG_BATCH, o->batch);
}

/* ---- life ---- */

static size_t line_up(size_t bytes)
{
    return (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT;
}

/* [ x: rows x features floats | order: count int64 | labels: rows int32 | states ], each from a multiple of
 * GG_ALIGNMENT. */
static gg_status allocate_buffers(gg_trainer *trainer)
{
    const gg_trainer_options *o = &trainer->options;
    const int64_t rows = o->batch < o->train.count ? o->batch : o->train.count;
    int64_t floats = 0, bytes = 0;
    gg_status status = gg_checked_multiply(&floats, rows, o->train.features);
    if (status == GG_OK)
        status = gg_checked_multiply(&bytes, floats, (int64_t)sizeof(float));
    if (status != GG_OK)
        return status;
    /* count labels of 4 bytes exist in memory, so twice their bytes cannot overflow */
    const size_t x = line_up((size_t)bytes), order = line_up((size_t)o->train.count * sizeof(int64_t));
    const size_t labels = line_up((size_t)rows * sizeof(int32_t));
    trainer->state_floats = gg_model_state_floats(o->model);
    void *arena = NULL;
    status = gg_alloc(&arena, x + order + labels + (size_t)trainer->state_floats * sizeof(float));
    if (status != GG_OK)
        return status;
    trainer->x = arena;
    trainer->order = (void *)((char *)arena + x);
    trainer->labels = (void *)((char *)arena + x + order);
    trainer->states = (void *)((char *)arena + x + order + labels);
    return GG_OK;
}

gg_status gg_trainer_new(gg_trainer **out, const gg_trainer_options *options)
{
    if (out == NULL || options == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_new: %s is NULL", out == NULL ? "out" : "options");
    int64_t classes = 0;
    gg_status status = check_options(options);
    if (status == GG_OK)
        status = check_values(options, &classes);
    void *object = NULL;
    if (status == GG_OK)
        status = gg_alloc_zero(&object, sizeof **out);
    if (status != GG_OK)
        return status;
    gg_trainer *trainer = object;
    trainer->options = *options;
    trainer->classes = classes;
    trainer->steps_per_epoch = (options->train.count - 1) / options->batch + 1;
    trainer->order_epoch = -1;
    status = allocate_buffers(trainer);
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
    gg_free(trainer->x);
    gg_free(trainer->history);
    gg_free(trainer);
}

/* ---- evaluation ---- */

/* Rows whose largest score is at the label, the first of equals counting as the largest. NaN is never right. */
static int64_t count_right(const float *scores, const int32_t *labels, int64_t rows, int64_t classes)
{
    int64_t right = 0;
    for (int64_t r = 0; r < rows; r++) {
        const float *row = scores + r * classes;
        const int64_t label = labels[r];
        bool best = label >= 0 && label < classes;
        for (int64_t c = 0; best && c < classes; c++)
            best = c < label ? row[c] < row[label] : row[c] <= row[label];
        right += best;
    }
    return right;
}

/* Scores of `rows` samples from `first` on, in inference mode. */
static gg_status score(const gg_trainer_options *o, const gg_dataset *data, int64_t first, int64_t rows)
{
    gg_status status = gg_model_set_extent(o->model, GG_BATCH, rows);
    if (status == GG_OK)
        status = gg_model_bind(o->model, o->input, data->x + first * data->features);
    return status == GG_OK ? gg_model_forward(o->model, o->scores, GG_INFER) : status;
}

/* Scores that are not finite although the samples are: training has gone too far, whatever share is right by chance. */
static gg_status check_scores(const gg_trainer *trainer, const gg_dataset *data, int64_t first, int64_t rows)
{
    const gg_trainer_options *o = &trainer->options;
    bool scores = true, samples = true;
    gg_status status = gg_all_finite(&scores, gg_model_data(o->model, o->scores), rows * trainer->classes);
    if (status != GG_OK || scores)
        return status;
    status = gg_all_finite(&samples, data->x + first * data->features, rows * data->features);
    if (status != GG_OK || !samples)
        return status;
    const char *layer = gg_model_find_nonfinite(o->model, o->scores);
    return gg_fail(GG_ERR_NUMERIC,
                   "gg_trainer_step: after the last step of epoch %lld the scores of the test set are not finite: "
                   "the first layer with NaN or infinity is %s",
                   (long long)trainer->epoch, layer != NULL ? layer : "unknown");
}

/* *accuracy = the share of right samples; `strict`: only of finite scores. */
static gg_status evaluate(const gg_trainer *trainer, const gg_dataset *data, bool strict, double *accuracy)
{
    const gg_trainer_options *o = &trainer->options;
    int64_t right = 0;
    for (int64_t first = 0; first < data->count; first += o->batch) {
        const int64_t rows = o->batch < data->count - first ? o->batch : data->count - first;
        gg_status status = score(o, data, first, rows);
        if (status == GG_OK && strict)
            status = check_scores(trainer, data, first, rows);
        if (status != GG_OK)
            return status;
        right += count_right(gg_model_data(o->model, o->scores), data->labels + first, rows, trainer->classes);
    }
    *accuracy = data->count > 0 ? (double)right / (double)data->count : (double)NAN;
    return GG_OK;
}

gg_status gg_trainer_evaluate(gg_trainer *trainer, const gg_dataset *data, double *accuracy)
{
    static const char call[] = "gg_trainer_evaluate";
    const char *missing = trainer == NULL ? "trainer" : data == NULL ? "data" : accuracy == NULL ? "accuracy" : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", call, missing);
    const gg_trainer_options *o = &trainer->options;
    gg_status status = check_dataset(data, "data", call);
    if (status != GG_OK)
        return status;
    if (data->count > 0 && data->features != o->train.features)
        return gg_fail(GG_ERR_SHAPE, "%s: data has %lld features, the model takes %lld", call,
                       (long long)data->features, (long long)o->train.features);
    return evaluate(trainer, data, false, accuracy);
}

/* ---- one step ---- */

int64_t gg_trainer_epoch_samples(const gg_trainer *trainer)
{
    const int64_t full = trainer->step * trainer->options.batch;
    return full < trainer->options.train.count ? full : trainer->options.train.count;
}

static gg_status shuffle(gg_trainer *trainer)
{
    if (trainer->order_epoch == trainer->epoch)
        return GG_OK;
    gg_random random = gg_random_make(trainer->options.seed, (uint64_t)trainer->epoch);
    const gg_status status = gg_random_permutation(trainer->order, trainer->options.train.count, &random);
    if (status == GG_OK)
        trainer->order_epoch = trainer->epoch;
    return status;
}

enum { SHORT_ROW = 16, LINE = 16 }; /* floats: below, a loop is quicker than a call of memcpy; in a cache line */

/* Rows lie anywhere in memory: fetching the next while this one is copied saves a third of the time at 784 floats. */
static void prefetch(const float *row, int64_t floats)
{
#ifdef __GNUC__
    for (int64_t f = 0; f < floats; f += LINE)
        __builtin_prefetch(row + f);
#else
    (void)row;
    (void)floats;
#endif
}

static void gather_short_rows(float *to, const float *from, const int64_t *order, int64_t rows, int64_t features)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t f = 0; f < features; f++)
            to[r * features + f] = from[order[r] * features + f];
}

static void gather_long_rows(float *to, const float *from, const int64_t *order, int64_t rows, int64_t features)
{
    for (int64_t r = 0; r < rows; r++) {
        if (r + 1 < rows)
            prefetch(from + order[r + 1] * features, features);
        memcpy(to + r * features, from + order[r] * features, (size_t)features * sizeof *to);
    }
}

static void gather(gg_trainer *trainer, int64_t first, int64_t rows)
{
    const gg_dataset *train = &trainer->options.train;
    const int64_t *order = trainer->order + first;
    for (int64_t r = 0; r < rows; r++)
        trainer->labels[r] = train->labels[order[r]];
    if (train->features < SHORT_ROW)
        gather_short_rows(trainer->x, train->x, order, rows, train->features);
    else
        gather_long_rows(trainer->x, train->x, order, rows, train->features);
}

/* The loss is not finite: say where it began. */
static gg_status stop(const gg_trainer *trainer, double loss, int64_t rows)
{
    const gg_trainer_options *o = &trainer->options;
    const long long epoch = (long long)trainer->epoch, step = (long long)trainer->step;
    bool finite = true;
    const gg_status status = gg_all_finite(&finite, trainer->x, rows * o->train.features);
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

/* Running statistics move in the forward pass: a step that is refused must leave them as they were. A model planned
 * anew with other states has none to keep. */
static void keep_states(gg_trainer *trainer, bool back)
{
    gg_model *model = trainer->options.model;
    if (trainer->state_floats == 0 || gg_model_state_floats(model) != trainer->state_floats)
        return;
    float *states = gg_model_states(model);
    memcpy(back ? states : trainer->states, back ? trainer->states : states,
           (size_t)trainer->state_floats * sizeof *states);
}

static gg_status train_batch(gg_trainer *trainer, int64_t rows, double *loss)
{
    const gg_trainer_options *o = &trainer->options;
    gg_status status = gg_model_set_extent(o->model, GG_BATCH, rows);
    if (status == GG_OK)
        status = gg_model_bind(o->model, o->input, trainer->x);
    if (status == GG_OK)
        status = gg_model_bind_labels(o->model, o->labels, trainer->labels);
    if (status != GG_OK)
        return status;
    keep_states(trainer, false);
    status = gg_model_forward(o->model, o->loss, GG_TRAIN);
    *loss = gg_model_loss(o->model);
    if (status != GG_OK || !isfinite(*loss))
        keep_states(trainer, true);
    if (status != GG_OK)
        return status;
    if (!isfinite(*loss))
        return stop(trainer, *loss, rows);
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

static gg_status finish_epoch(gg_trainer *trainer)
{
    double accuracy = (double)NAN;
    gg_status status = check_parameters(trainer);
    if (status == GG_OK)
        status = evaluate(trainer, &trainer->options.test, true, &accuracy);
    if (status != GG_OK)
        return status;
    const double train_loss = trainer->epoch_loss_sum / (double)trainer->options.train.count;
    trainer->history[trainer->epoch++] = (gg_epoch_result){train_loss, accuracy};
    trainer->step = 0;
    trainer->epoch_loss_sum = 0.0;
    return GG_OK;
}

gg_status gg_trainer_step(gg_trainer *trainer)
{
    if (trainer == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_step: trainer is NULL");
    const bool last = trainer->step + 1 >= trainer->steps_per_epoch;
    gg_status status = last ? reserve_history(trainer) : GG_OK;
    if (status == GG_OK && trainer->step == trainer->steps_per_epoch)
        return finish_epoch(trainer);
    if (status == GG_OK)
        status = shuffle(trainer);
    if (status != GG_OK)
        return status;
    const int64_t first = trainer->step * trainer->options.batch, left = trainer->options.train.count - first;
    const int64_t rows = trainer->options.batch < left ? trainer->options.batch : left;
    double loss = 0.0;
    gather(trainer, first, rows);
    status = train_batch(trainer, rows, &loss);
    if (status != GG_OK)
        return status;
    trainer->step++;
    trainer->samples += rows;
    trainer->loss = loss;
    trainer->epoch_loss_sum += loss * (double)rows;
    return last ? finish_epoch(trainer) : GG_OK;
}

/* ---- looking ---- */

gg_trainer_progress gg_trainer_where(const gg_trainer *trainer)
{
    if (trainer == NULL)
        return (gg_trainer_progress){0};
    return (gg_trainer_progress){
        .epoch = trainer->epoch,
        .step = trainer->step,
        .steps_per_epoch = trainer->steps_per_epoch,
        .samples = trainer->samples,
        .loss = trainer->loss,
        .epoch_loss_sum = trainer->epoch_loss_sum,
        .epoch_samples = gg_trainer_epoch_samples(trainer),
    };
}

const gg_epoch_result *gg_trainer_history(const gg_trainer *trainer, int64_t *count)
{
    if (count != NULL)
        *count = trainer != NULL ? trainer->epoch : 0;
    return trainer != NULL ? trainer->history : NULL;
}
