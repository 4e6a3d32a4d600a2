/* pairs_batches.c - pairs as a trainer's batches, and whether a model answers them. */
#include <gemmgrad/pairs.h>

#include <math.h>
#include <stdio.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/random.h>

enum { FACTS = 7, DIGITS = 24, HELD_OUT = 10 };

/* Of the choice of test pairs, which no epoch's number reaches. */
static const uint64_t TEST_STREAM = UINT64_MAX;

struct gg_pairs_batches {
    gg_pairs_options options;
    gg_source source;
    int64_t train_count, test_count;
    int64_t order_epoch;                /* of `order`; -1: none yet */
    int64_t *pairs;                     /* one arena, of which this is the start: the pairs, those of the test last */
    int64_t *order;                     /* places in `pairs` of the training part, shuffled */
    int32_t *question, *given, *labels; /* of a batch */
    gg_metadata facts[FACTS];
    char digits[FACTS][DIGITS], characters[GG_CHARACTERS_TEXT];
};

/* ---- a batch ---- */

/* The time-major arrays of the pairs numbers[0 .. rows-1] of `set->pairs`. */
static void fill(gg_pairs_batches *set, const int64_t *numbers, int64_t first, int64_t rows)
{
    const gg_pairs *pairs = set->options.pairs;
    const int64_t asked = pairs->question_length, said = pairs->answer_length;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t pair = set->pairs[numbers != NULL ? numbers[first + r] : first + r];
        const int32_t *question = pairs->questions + pair * asked, *answer = pairs->answers + pair * said;
        for (int64_t t = 0; t < asked; t++)
            set->question[t * rows + r] = question[set->options.reversed ? asked - 1 - t : t];
        for (int64_t t = 0; t + 1 < said; t++) {
            set->given[t * rows + r] = answer[t];
            set->labels[t * rows + r] = answer[t + 1];
        }
    }
}

static gg_status bind_rows(gg_pairs_batches *set, gg_model *model, int64_t rows, int64_t answer_steps)
{
    const gg_pairs_options *o = &set->options;
    gg_status status = gg_model_set_extent(model, GG_BATCH, rows);
    if (status == GG_OK)
        status = gg_model_set_extent(model, GG_TIME, o->pairs->question_length);
    if (status == GG_OK)
        status = gg_model_set_extent(model, GG_TIME_2, answer_steps);
    if (status == GG_OK)
        status = gg_model_bind_labels(model, o->question, set->question);
    if (status == GG_OK)
        status = gg_model_bind_labels(model, o->given, set->given);
    return status == GG_OK ? gg_model_bind_labels(model, o->labels, set->labels) : status;
}

static gg_status shuffle(gg_pairs_batches *set, int64_t epoch)
{
    if (set->order_epoch == epoch)
        return GG_OK;
    gg_random random = gg_random_make(set->options.seed, (uint64_t)epoch);
    const gg_status status = gg_random_permutation(set->order, set->train_count, &random);
    if (status == GG_OK)
        set->order_epoch = epoch;
    return status;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static gg_status bind(void *context, gg_model *model, int64_t epoch, int64_t step, int64_t *elements)
{
    gg_pairs_batches *set = context;
    const int64_t first = step * set->options.batch, rows = least(set->options.batch, set->train_count - first);
    const int64_t steps = set->options.pairs->answer_length - 1;
    const gg_status status = shuffle(set, epoch);
    if (status != GG_OK)
        return status;
    fill(set, set->order, first, rows);
    *elements = rows * steps;
    return bind_rows(set, model, rows, steps);
}

/* ---- evaluation ---- */

static int64_t largest(const float *row, int64_t classes)
{
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++)
        best = row[c] > row[best] ? c : best;
    return best;
}

/* Rows of the batch that is bound whose characters are all right. */
static int64_t count_right(const gg_pairs_batches *set, const float *scores, int64_t rows)
{
    const int64_t classes = set->options.pairs->characters.count, steps = set->options.pairs->answer_length - 1;
    int64_t right = 0;
    for (int64_t r = 0; r < rows; r++) {
        bool all = true;
        for (int64_t t = 0; t < steps && all; t++)
            all = largest(scores + (t * rows + r) * classes, classes) == set->labels[t * rows + r];
        right += all;
    }
    return right;
}

static gg_status evaluate(void *context, gg_model *model, int64_t epoch, gg_evaluation *out)
{
    gg_pairs_batches *set = context;
    const gg_pairs_options *o = &set->options;
    double sum = 0.0;
    int64_t right = 0;
    for (int64_t first = 0; first < set->test_count; first += o->batch) {
        const int64_t rows = least(o->batch, set->test_count - first);
        fill(set, NULL, set->train_count + first, rows);
        gg_status status = bind_rows(set, model, rows, o->pairs->answer_length - 1);
        if (status == GG_OK)
            status = gg_model_forward(model, o->loss, GG_INFER);
        const float *scores = gg_model_data(model, o->scores);
        if (status == GG_OK && scores == NULL)
            status = gg_fail(GG_ERR_STATE, "gg_pairs_source: the model does not keep its scores (gg_model_keep)");
        if (status != GG_OK)
            return status;
        sum += gg_model_loss(model) * (double)rows;
        right += count_right(set, scores, rows);
    }
    if (!isfinite(sum))
        return gg_fail(GG_ERR_NUMERIC,
                       "gg_trainer_step: after the last step of epoch %lld the loss of the test pairs is %g",
                       (long long)epoch, sum);
    *out = (gg_evaluation){sum / (double)set->test_count, (double)right / (double)set->test_count};
    return GG_OK;
}

gg_status gg_pairs_answer(int32_t *answer, gg_pairs_batches *batches, gg_model *model, int64_t i)
{
    if (answer == NULL || batches == NULL || model == NULL || i < 0 || i >= batches->test_count)
        return gg_fail(GG_ERR_ARGUMENT, "gg_pairs_answer: an argument is NULL or i is no test pair");
    const gg_pairs_options *o = &batches->options;
    const int64_t classes = o->pairs->characters.count, steps = o->pairs->answer_length - 1;
    fill(batches, NULL, batches->train_count + i, 1);
    answer[0] = batches->given[0];
    for (int64_t t = 0; t < steps; t++) {
        batches->given[t] = answer[t];
        gg_status status = bind_rows(batches, model, 1, t + 1);
        if (status == GG_OK)
            status = gg_model_forward(model, o->scores, GG_INFER);
        if (status != GG_OK)
            return status;
        answer[t + 1] = (int32_t)largest(gg_model_data(model, o->scores) + t * classes, classes);
    }
    return GG_OK;
}

/* ---- life ---- */

static gg_status check_options(const gg_pairs_options *o)
{
    static const char call[] = "gg_pairs_batches_new";
    if (o->pairs == NULL || o->pairs->questions == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: options->pairs %s", call, o->pairs == NULL ? "is NULL" : "is empty");
    if (o->pairs->count < 2 || o->batch < 1)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %lld pairs and a batch of %lld; at least 2 and 1 are needed", call,
                       (long long)o->pairs->count, (long long)o->batch);
    return GG_OK;
}

/* [ pairs: count | order: train_count (int64) | question | given | labels (int32) ] */
static gg_status allocate(gg_pairs_batches *set)
{
    const gg_pairs *pairs = set->options.pairs;
    const int64_t rows = least(set->options.batch, pairs->count);
    const int64_t asked = rows * pairs->question_length, said = rows * (pairs->answer_length - 1);
    const size_t wide = (size_t)(pairs->count + set->train_count) * sizeof(int64_t);
    void *arena = NULL;
    const gg_status status = gg_alloc(&arena, wide + (size_t)(asked + 2 * said) * sizeof(int32_t));
    if (status != GG_OK)
        return status;
    set->pairs = arena;
    set->order = set->pairs + pairs->count;
    set->question = (int32_t *)(void *)((char *)arena + wide);
    set->given = set->question + asked;
    set->labels = set->given + said;
    gg_random random = gg_random_make(set->options.seed, TEST_STREAM);
    return gg_random_permutation(set->pairs, pairs->count, &random);
}

static void list_facts(gg_pairs_batches *set)
{
    const gg_pairs_options *o = &set->options;
    const char *const keys[FACTS] = {"train_pairs",     "test_pairs",    "batch",
                                     "question_length", "answer_length", "reversed"};
    const int64_t values[FACTS - 1] = {set->train_count,          set->test_count,         o->batch,
                                       o->pairs->question_length, o->pairs->answer_length, o->reversed};
    for (int i = 0; i + 1 < FACTS; i++) {
        (void)snprintf(set->digits[i], DIGITS, "%lld", (long long)values[i]);
        set->facts[i] = (gg_metadata){keys[i], set->digits[i]};
    }
    gg_characters_save(set->characters, &o->pairs->characters);
    set->facts[FACTS - 1] = (gg_metadata){"characters", set->characters};
}

gg_status gg_pairs_batches_new(gg_pairs_batches **out, const gg_pairs_options *options)
{
    if (out == NULL || options == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_pairs_batches_new: %s is NULL", out == NULL ? "out" : "options");
    void *object = NULL;
    gg_status status = check_options(options);
    if (status == GG_OK)
        status = gg_alloc_zero(&object, sizeof **out);
    if (status != GG_OK)
        return status;
    gg_pairs_batches *set = object;
    set->options = *options;
    set->test_count = (options->pairs->count + HELD_OUT - 1) / HELD_OUT;
    set->train_count = options->pairs->count - set->test_count;
    set->order_epoch = -1;
    status = allocate(set);
    if (status != GG_OK) {
        gg_pairs_batches_free(set);
        return status;
    }
    list_facts(set);
    set->source = (gg_source){.context = set,
                              .steps = (set->train_count - 1) / options->batch + 1,
                              .bind = bind,
                              .evaluate = evaluate,
                              .facts = set->facts,
                              .fact_count = FACTS};
    *out = set;
    return GG_OK;
}

void gg_pairs_batches_free(gg_pairs_batches *batches)
{
    if (batches == NULL)
        return;
    gg_free(batches->pairs);
    gg_free(batches);
}

const gg_source *gg_pairs_source(const gg_pairs_batches *batches)
{
    return batches != NULL ? &batches->source : NULL;
}

int64_t gg_pairs_test_count(const gg_pairs_batches *batches)
{
    return batches != NULL ? batches->test_count : 0;
}

int64_t gg_pairs_test_pair(const gg_pairs_batches *batches, int64_t i)
{
    return batches != NULL && i >= 0 && i < batches->test_count ? batches->pairs[batches->train_count + i] : -1;
}
