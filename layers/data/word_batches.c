/* word_batches.c - words and their neighbours as a trainer's batches.
 *
 * An epoch has a row of K words: all of the text, or those that subsampling leaves. Word p of the row stands in the
 * middle of a batch for every p with `window` words on both sides, M = K - 2 window of them. Step s of S visits
 * p = window + s + S r for r = 0, 1, ...: S is fixed by the whole text, so that no batch holds more than asked for. */
#include <gemmgrad/words.h>

#include <math.h>
#include <stdio.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/softmax.h>

enum { FACTS = 6, DIGITS = 32 };

/* Streams: one for each epoch's subsampling, one for each step's negatives. */
static const uint64_t NEGATIVE_STREAM = (uint64_t)1 << 63;

struct gg_word_batches {
    gg_word_options options;
    gg_source source;
    gg_alias negatives;
    int64_t steps;
    int64_t contexts, columns; /* neighbours of a word; numbers in a row of targets */
    int64_t row_epoch;         /* of `row`; -1: none yet */
    int64_t row_count;         /* K */
    const int32_t *row;        /* the corpus itself, or `kept` */
    int32_t *kept;             /* one arena, of which this is the start */
    int32_t *input, *targets, *labels;
    float *shares; /* of skip-gram with full softmax */
    float *keep;   /* probability of each word to take part */
    gg_metadata facts[FACTS];
    char digits[FACTS][DIGITS];
};

/* ---- the row of an epoch ---- */

static void choose_row(gg_word_batches *set, int64_t epoch)
{
    const gg_corpus *corpus = set->options.corpus;
    if (set->row_epoch == epoch)
        return;
    set->row_epoch = epoch;
    set->row = corpus->token;
    set->row_count = corpus->tokens;
    if (!(set->options.subsample > 0.0))
        return;
    gg_random random = gg_random_make(set->options.seed, (uint64_t)epoch);
    set->row = set->kept;
    set->row_count = 0;
    for (int64_t i = 0; i < corpus->tokens; i++)
        if (gg_random_uniform(&random) < set->keep[corpus->token[i]])
            set->kept[set->row_count++] = corpus->token[i];
}

/* ---- a batch ---- */

/* A word that is not `right`, drawn by weight; -1 when there seems to be no other. */
static int32_t draw_negative(const gg_word_batches *set, int32_t right, gg_random *random)
{
    enum { TRIES = 16 };
    for (int i = 0; i < TRIES; i++) {
        const int32_t word = gg_alias_draw(&set->negatives, random);
        if (word != right)
            return word;
    }
    return GG_IGNORE_LABEL;
}

/* The right word and its negatives. */
static void put_targets(gg_word_batches *set, int64_t at, int32_t right, gg_random *random)
{
    set->targets[at] = right;
    set->labels[at] = 1;
    for (int64_t k = 1; k <= set->options.negatives; k++) {
        const int32_t word = draw_negative(set, right, random);
        set->targets[at + k] = word;
        set->labels[at + k] = word >= 0 ? 0 : GG_IGNORE_LABEL;
    }
}

/* Neighbour c of the word at `place`: those before it, then those behind. */
static int32_t neighbour(const gg_word_batches *set, int64_t place, int64_t c)
{
    const int64_t window = set->options.window;
    return set->row[c < window ? place - window + c : place - window + c + 1];
}

static void put_cbow(gg_word_batches *set, int64_t r, int64_t place, gg_random *random)
{
    for (int64_t c = 0; c < set->contexts; c++)
        set->input[r * set->contexts + c] = neighbour(set, place, c);
    if (set->options.negatives > 0)
        put_targets(set, r * set->columns, set->row[place], random);
    else
        set->targets[r] = set->row[place];
}

static void put_skip_gram(gg_word_batches *set, int64_t r, int64_t place, gg_random *random)
{
    const int64_t words = set->options.corpus->words, each = 1 + set->options.negatives;
    set->input[r] = set->row[place];
    for (int64_t w = 0; set->shares != NULL && w < words; w++)
        set->shares[r * words + w] = 0.0f;
    for (int64_t c = 0; c < set->contexts; c++) {
        const int32_t word = neighbour(set, place, c);
        if (set->shares != NULL)
            set->shares[r * words + word] += 1.0f / (float)set->contexts;
        else
            put_targets(set, r * set->columns + c * each, word, random);
    }
}

static gg_status bind_batch(const gg_word_batches *set, gg_model *model, int64_t rows)
{
    const gg_word_options *o = &set->options;
    gg_status status = gg_model_set_extent(model, GG_BATCH, rows);
    if (status == GG_OK)
        status = gg_model_bind_labels(model, o->input, set->input);
    if (status == GG_OK && set->shares != NULL)
        return gg_model_bind(model, o->targets, set->shares);
    if (status == GG_OK)
        status = gg_model_bind_labels(model, o->targets, set->targets);
    return status == GG_OK && o->negatives > 0 ? gg_model_bind_labels(model, o->labels, set->labels) : status;
}

static gg_status bind(void *context, gg_model *model, int64_t epoch, int64_t step, int64_t *elements)
{
    gg_word_batches *set = context;
    gg_random random = gg_random_make(set->options.seed, NEGATIVE_STREAM + (uint64_t)(epoch * set->steps + step));
    choose_row(set, epoch);
    const int64_t middles = set->row_count - set->contexts;
    int64_t rows = 0;
    for (int64_t m = step; m < middles; m += set->steps, rows++) {
        if (set->options.model == GG_CBOW)
            put_cbow(set, rows, set->options.window + m, &random);
        else
            put_skip_gram(set, rows, set->options.window + m, &random);
    }
    *elements = rows;
    return bind_batch(set, model, rows);
}

/* ---- life ---- */

static gg_status check_options(const gg_word_options *o)
{
    static const char call[] = "gg_word_batches_new";
    if (o->corpus == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: options->corpus is NULL", call);
    if (o->batch < 1 || o->window < 1 || o->window > INT32_MAX || o->negatives < 0 || o->negatives > INT32_MAX
        || !(o->subsample >= 0.0))
        return gg_fail(GG_ERR_ARGUMENT, "%s: batch is %lld, window %lld, negatives %lld, subsample %g", call,
                       (long long)o->batch, (long long)o->window, (long long)o->negatives, o->subsample);
    if (o->corpus->tokens <= 2 * o->window)
        return gg_fail(GG_ERR_ARGUMENT, "%s: a text of %lld words has none with %lld neighbours on both sides", call,
                       (long long)o->corpus->tokens, (long long)o->window);
    return GG_OK;
}

/* [ kept: tokens | input | targets | labels (int32) | shares | keep (float) ], all of 4 bytes. */
static gg_status allocate(gg_word_batches *set)
{
    const gg_word_options *o = &set->options;
    const bool thins = o->subsample > 0.0, shares = o->model == GG_SKIP_GRAM && o->negatives == 0;
    const int64_t kept = thins ? o->corpus->tokens : 0, inputs = o->model == GG_CBOW ? set->contexts : 1;
    const int64_t row = inputs + 2 * set->columns + (shares ? o->corpus->words : 0);
    int64_t numbers = 0, bytes = 0;
    void *arena = NULL;
    gg_status status = gg_checked_multiply(&numbers, o->batch, row);
    if (status == GG_OK)
        status = gg_checked_multiply(&bytes, numbers + kept + o->corpus->words, (int64_t)sizeof(float));
    if (status == GG_OK)
        status = gg_alloc(&arena, (size_t)bytes);
    if (status != GG_OK)
        return status;
    set->kept = arena;
    set->input = set->kept + kept;
    set->targets = set->input + o->batch * inputs;
    set->labels = set->targets + o->batch * set->columns;
    float *floats = (float *)(void *)(set->labels + o->batch * set->columns);
    set->shares = shares ? floats : NULL;
    set->keep = floats + (shares ? o->batch * o->corpus->words : 0);
    return GG_OK;
}

/* Probabilities to take part, and the table of negatives. */
static gg_status weigh(gg_word_batches *set)
{
    static const double POWER = 0.75; /* Mikolov et al. found it better than 1 and 0 */
    const gg_corpus *corpus = set->options.corpus;
    void *weights = NULL;
    gg_status status = gg_alloc(&weights, (size_t)corpus->words * sizeof(double));
    if (status != GG_OK)
        return status;
    for (int64_t w = 0; w < corpus->words; w++) {
        const double share = set->options.subsample * (double)corpus->tokens / (double)corpus->counts[w];
        set->keep[w] = (float)(sqrt(share) + share);
        ((double *)weights)[w] = pow((double)corpus->counts[w], POWER);
    }
    status = gg_alias_make(&set->negatives, weights, corpus->words);
    gg_free(weights);
    return status;
}

static void list_facts(gg_word_batches *set)
{
    const gg_word_options *o = &set->options;
    const char *const keys[FACTS] = {"words", "text_words", "batch", "window", "negatives", "subsample"};
    const int64_t values[FACTS - 1] = {o->corpus->words, o->corpus->tokens, o->batch, o->window, o->negatives};
    for (int i = 0; i < FACTS; i++) {
        if (i + 1 < FACTS)
            (void)snprintf(set->digits[i], DIGITS, "%lld", (long long)values[i]);
        else
            (void)snprintf(set->digits[i], DIGITS, "%.9g", o->subsample);
        set->facts[i] = (gg_metadata){keys[i], set->digits[i]};
    }
}

gg_status gg_word_batches_new(gg_word_batches **out, const gg_word_options *options)
{
    if (out == NULL || options == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_word_batches_new: %s is NULL", out == NULL ? "out" : "options");
    void *object = NULL;
    gg_status status = check_options(options);
    if (status == GG_OK)
        status = gg_alloc_zero(&object, sizeof **out);
    if (status != GG_OK)
        return status;
    gg_word_batches *set = object;
    set->options = *options;
    set->contexts = 2 * options->window;
    set->columns = (options->model == GG_CBOW ? 1 : set->contexts) * (1 + options->negatives);
    set->steps = (options->corpus->tokens - set->contexts - 1) / options->batch + 1;
    set->row_epoch = -1;
    status = allocate(set);
    if (status == GG_OK)
        status = weigh(set);
    if (status != GG_OK) {
        gg_word_batches_free(set);
        return status;
    }
    list_facts(set);
    set->source =
        (gg_source){.context = set, .steps = set->steps, .bind = bind, .facts = set->facts, .fact_count = FACTS};
    *out = set;
    return GG_OK;
}

void gg_word_batches_free(gg_word_batches *batches)
{
    if (batches == NULL)
        return;
    gg_alias_free(&batches->negatives);
    gg_free(batches->kept);
    gg_free(batches);
}

const gg_source *gg_word_source(const gg_word_batches *batches)
{
    return batches != NULL ? &batches->source : NULL;
}
