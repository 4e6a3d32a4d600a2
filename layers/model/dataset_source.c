/* dataset_source.c - mini-batches of a data set in the order of the epoch's permutation, and its evaluation.
 *
 * Epoch e visits the samples in the order gg_random_permutation draws from stream e of the seed: nothing but (seed, e)
 * decides it, so a resumed run needs no generator state. A batch is gathered into a buffer planned once; evaluation
 * needs no gathering, the model reads the data set in place. */
#include "dataset_source.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/random.h>

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
    return gg_model_set_extent(o->model, GG_BATCH, o->batch);
}

/* ---- batches ---- */

static gg_status shuffle(gg_dataset_source *set, int64_t epoch)
{
    if (set->order_epoch == epoch)
        return GG_OK;
    gg_random random = gg_random_make(set->options.seed, (uint64_t)epoch);
    const gg_status status = gg_random_permutation(set->order, set->options.train.count, &random);
    if (status == GG_OK)
        set->order_epoch = epoch;
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

static void gather(gg_dataset_source *set, int64_t first, int64_t rows)
{
    const gg_dataset *train = &set->options.train;
    const int64_t *order = set->order + first;
    for (int64_t r = 0; r < rows; r++)
        set->labels[r] = train->labels[order[r]];
    if (train->features < SHORT_ROW)
        gather_short_rows(set->x, train->x, order, rows, train->features);
    else
        gather_long_rows(set->x, train->x, order, rows, train->features);
}

static gg_status bind(void *context, gg_model *model, int64_t epoch, int64_t step, int64_t *elements)
{
    gg_dataset_source *set = context;
    const gg_trainer_options *o = &set->options;
    const int64_t first = step * o->batch, left = o->train.count - first;
    const int64_t rows = o->batch < left ? o->batch : left;
    gg_status status = shuffle(set, epoch);
    if (status != GG_OK)
        return status;
    gather(set, first, rows);
    status = gg_model_set_extent(model, GG_BATCH, rows);
    if (status == GG_OK)
        status = gg_model_bind(model, o->input, set->x);
    if (status == GG_OK)
        status = gg_model_bind_labels(model, o->labels, set->labels);
    *elements = rows;
    return status;
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
static gg_status check_scores(const gg_dataset_source *set, int64_t epoch, int64_t first, int64_t rows)
{
    const gg_trainer_options *o = &set->options;
    const float *x = o->test.x + first * o->test.features;
    bool scores = true, samples = true;
    gg_status status = gg_all_finite(&scores, gg_model_data(o->model, o->scores), rows * set->classes);
    if (status != GG_OK || scores)
        return status;
    status = gg_all_finite(&samples, x, rows * o->test.features);
    if (status != GG_OK || !samples)
        return status;
    const char *layer = gg_model_find_nonfinite(o->model, o->scores);
    return gg_fail(GG_ERR_NUMERIC,
                   "gg_trainer_step: after the last step of epoch %lld the scores of the test set are not finite: "
                   "the first layer with NaN or infinity is %s",
                   (long long)epoch, layer != NULL ? layer : "unknown");
}

/* *accuracy = the share of right samples; epoch >= 0: of the test set after that one, whose scores must be finite. */
static gg_status measure(const gg_dataset_source *set, const gg_dataset *data, int64_t epoch, double *accuracy)
{
    const gg_trainer_options *o = &set->options;
    int64_t right = 0;
    gg_status status = gg_model_fold(o->model);
    for (int64_t first = 0; first < data->count && status == GG_OK; first += o->batch) {
        const int64_t rows = o->batch < data->count - first ? o->batch : data->count - first;
        status = score(o, data, first, rows);
        if (status == GG_OK && epoch >= 0)
            status = check_scores(set, epoch, first, rows);
        if (status == GG_OK)
            right += count_right(gg_model_data(o->model, o->scores), data->labels + first, rows, set->classes);
    }
    if (status != GG_OK)
        return status;
    *accuracy = data->count > 0 ? (double)right / (double)data->count : (double)NAN;
    return GG_OK;
}

static gg_status evaluate(void *context, gg_model *model, int64_t epoch, gg_evaluation *out)
{
    const gg_dataset_source *set = context;
    (void)model;
    return measure(set, &set->options.test, epoch, &out->accuracy);
}

gg_status gg_dataset_source_accuracy(gg_dataset_source *set, const gg_dataset *data, double *accuracy)
{
    static const char call[] = "gg_trainer_evaluate";
    const gg_status status = check_dataset(data, "data", call);
    if (status != GG_OK)
        return status;
    if (data->count > 0 && data->features != set->options.train.features)
        return gg_fail(GG_ERR_SHAPE, "%s: data has %lld features, the model takes %lld", call,
                       (long long)data->features, (long long)set->options.train.features);
    return measure(set, data, -1, accuracy);
}

/* ---- life ---- */

static size_t line_up(size_t bytes)
{
    return (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT;
}

/* [ x: rows x features floats | order: count int64 | labels: rows int32 ], each from a multiple of GG_ALIGNMENT. */
static gg_status allocate_buffers(gg_dataset_source *set)
{
    const gg_trainer_options *o = &set->options;
    const int64_t rows = o->batch < o->train.count ? o->batch : o->train.count;
    int64_t floats = 0, bytes = 0;
    gg_status status = gg_checked_multiply(&floats, rows, o->train.features);
    if (status == GG_OK)
        status = gg_checked_multiply(&bytes, floats, (int64_t)sizeof(float));
    if (status != GG_OK)
        return status;
    /* count labels of 4 bytes exist in memory, so twice their bytes cannot overflow */
    const size_t x = line_up((size_t)bytes), order = line_up((size_t)o->train.count * sizeof(int64_t));
    void *arena = NULL;
    status = gg_alloc(&arena, x + order + (size_t)rows * sizeof(int32_t));
    if (status != GG_OK)
        return status;
    set->x = arena;
    set->order = (void *)((char *)arena + x);
    set->labels = (void *)((char *)arena + x + order);
    return GG_OK;
}

static void list_facts(gg_dataset_source *set)
{
    const gg_trainer_options *o = &set->options;
    const char *const keys[GG_DATASET_FACTS] = {"batch", "train_samples", "test_samples", "features"};
    const int64_t values[GG_DATASET_FACTS] = {o->batch, o->train.count, o->test.count, o->train.features};
    for (int i = 0; i < GG_DATASET_FACTS; i++) {
        (void)snprintf(set->digits[i], GG_DATASET_DIGITS, "%lld", (long long)values[i]);
        set->facts[i] = (gg_metadata){keys[i], set->digits[i]};
    }
}

gg_status gg_dataset_source_open(gg_dataset_source *set, gg_source *out, const gg_trainer_options *options)
{
    int64_t classes = 0;
    gg_status status = check_options(options);
    if (status == GG_OK)
        status = check_values(options, &classes);
    if (status != GG_OK)
        return status;
    *set = (gg_dataset_source){.options = *options, .classes = classes, .order_epoch = -1};
    status = allocate_buffers(set);
    if (status != GG_OK)
        return status;
    list_facts(set);
    *out = (gg_source){.context = set,
                       .steps = (options->train.count - 1) / options->batch + 1,
                       .bind = bind,
                       .evaluate = evaluate,
                       .facts = set->facts,
                       .fact_count = GG_DATASET_FACTS};
    return GG_OK;
}

void gg_dataset_source_close(gg_dataset_source *set)
{
    gg_free(set->x);
    set->x = NULL;
}
