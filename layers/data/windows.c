/* windows.c - a text in windows for truncated backpropagation through time.
 *
 * Of n characters the first n - 1 are read, each with its follower as label: N streams of L = ceil((n - 1) / N), stream
 * s from place s L on. In step k the rows of time t = 0 .. T - 1 hold place s L + k T + t of every stream s. Places
 * behind the last have the label that does not count, so that each one counts exactly once. */
#include <gemmgrad/text.h>

#include <math.h>
#include <stdio.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/random.h>
#include <gemmgrad/softmax.h>

enum { FACTS = 4, DIGITS = 24 };

/* One part of the text and how it is cut. */
typedef struct part {
    const int32_t *text;
    int64_t count; /* characters */
    int64_t each;  /* places of a stream */
    int64_t start; /* of the first stream, in the ring */
} part;

struct gg_windows {
    gg_windows_options options;
    gg_source source;
    part train, test;
    int32_t *input, *labels; /* one arena: window x streams each */
    gg_metadata facts[FACTS];
    char digits[FACTS][DIGITS];
};

static part cut(const int32_t *text, int64_t count, int64_t streams)
{
    return (part){.text = text, .count = count, .each = count > 1 ? (count - 2) / streams + 1 : 0};
}

static int64_t steps_of(const part *p, int64_t window)
{
    return p->each > 0 ? (p->each - 1) / window + 1 : 0;
}

/* Window `step` of all streams. *counted = its labels. */
static void fill(gg_windows *w, const part *p, int64_t step, int64_t length, int64_t *counted)
{
    const gg_windows_options *o = &w->options;
    *counted = 0;
    for (int64_t t = 0; t < length; t++) {
        for (int64_t s = 0; s < o->streams; s++) {
            const int64_t within = step * o->window + t, place = s * p->each + within;
            const bool counts = place < p->count - 1;
            const int64_t at = t * o->streams + s, from = (p->start + (counts ? place : 0)) % p->count;
            w->input[at] = p->text[from];
            w->labels[at] = counts ? p->text[(from + 1) % p->count] : GG_IGNORE_LABEL;
            *counted += counts;
        }
    }
}

static gg_status bind_window(gg_windows *w, gg_model *model, const part *p, int64_t step, int64_t *counted)
{
    const gg_windows_options *o = &w->options;
    const int64_t left = p->each - step * o->window, length = left < o->window ? left : o->window;
    gg_status status = step == 0 ? gg_model_reset_states(model) : GG_OK;
    if (status != GG_OK)
        return status;
    fill(w, p, step, length, counted);
    status = gg_model_set_extent(model, GG_BATCH, o->streams);
    if (status == GG_OK)
        status = gg_model_set_extent(model, GG_TIME, length);
    if (status == GG_OK)
        status = gg_model_bind_labels(model, o->input, w->input);
    return status == GG_OK ? gg_model_bind_labels(model, o->labels, w->labels) : status;
}

static gg_status bind(void *context, gg_model *model, int64_t epoch, int64_t step, int64_t *elements)
{
    gg_windows *w = context;
    gg_random random = gg_random_make(w->options.seed, (uint64_t)epoch);
    part p = w->train;
    p.start = (int64_t)gg_random_below(&random, (uint64_t)p.count);
    return bind_window(w, model, &p, step, elements);
}

/* ---- evaluation ---- */

/* Rows whose largest score is at the label; the first of equals is the largest. */
static int64_t count_right(const float *scores, const int32_t *labels, int64_t rows, int64_t classes)
{
    int64_t right = 0;
    for (int64_t r = 0; r < rows; r++) {
        const float *row = scores + r * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            best = row[c] > row[best] ? c : best;
        right += best == labels[r];
    }
    return right;
}

/* The loss of the window that is bound, and the right guesses in it. */
static gg_status measure_window(const gg_windows *w, gg_model *model, double *loss, int64_t *right)
{
    const gg_windows_options *o = &w->options;
    int64_t dims[GG_MAX_RANK];
    const int rank = gg_model_shape(model, o->scores, dims);
    const gg_status status = gg_model_forward(model, o->loss, GG_CONTINUE);
    if (status != GG_OK)
        return status;
    *loss = gg_model_loss(model);
    const float *scores = gg_model_data(model, o->scores);
    const int64_t classes = rank > 0 ? dims[rank - 1] : 1;
    if (scores != NULL)
        *right += count_right(scores, w->labels, gg_model_size(model, o->scores) / classes, classes);
    return GG_OK;
}

static gg_status evaluate(void *context, gg_model *model, int64_t epoch, gg_evaluation *out)
{
    gg_windows *w = context;
    double sum = 0.0;
    int64_t right = 0, counted = 0;
    for (int64_t step = 0; step < steps_of(&w->test, w->options.window); step++) {
        double loss = 0.0;
        int64_t here = 0;
        gg_status status = bind_window(w, model, &w->test, step, &here);
        if (status == GG_OK)
            status = measure_window(w, model, &loss, &right);
        if (status != GG_OK)
            return status;
        sum += loss * (double)here;
        counted += here;
    }
    if (counted == 0)
        return GG_OK;
    if (!isfinite(sum))
        return gg_fail(GG_ERR_NUMERIC,
                       "gg_trainer_step: after the last step of epoch %lld the loss of the test text is %g",
                       (long long)epoch, sum);
    out->loss = sum / (double)counted;
    if (gg_model_data(model, w->options.scores) != NULL)
        out->accuracy = (double)right / (double)counted;
    return GG_OK;
}

/* ---- life ---- */

static gg_status check_options(const gg_windows_options *o)
{
    static const char call[] = "gg_windows_new";
    if (o->text == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: options->text is NULL", call);
    if (o->streams < 1 || o->window < 1)
        return gg_fail(GG_ERR_ARGUMENT, "%s: options->streams is %lld and window %lld, both must be at least 1", call,
                       (long long)o->streams, (long long)o->window);
    if (o->train_count < 2 || o->test_count < 0 || o->test_count == 1)
        return gg_fail(GG_ERR_ARGUMENT,
                       "%s: options->train_count is %lld and test_count %lld; a part needs 2 characters", call,
                       (long long)o->train_count, (long long)o->test_count);
    return GG_OK;
}

static void list_facts(gg_windows *w)
{
    const gg_windows_options *o = &w->options;
    const char *const keys[FACTS] = {"train_characters", "test_characters", "streams", "window"};
    const int64_t values[FACTS] = {o->train_count, o->test_count, o->streams, o->window};
    for (int i = 0; i < FACTS; i++) {
        (void)snprintf(w->digits[i], DIGITS, "%lld", (long long)values[i]);
        w->facts[i] = (gg_metadata){keys[i], w->digits[i]};
    }
}

gg_status gg_windows_new(gg_windows **out, const gg_windows_options *options)
{
    if (out == NULL || options == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_windows_new: %s is NULL", out == NULL ? "out" : "options");
    int64_t bytes = 0;
    gg_status status = check_options(options);
    if (status == GG_OK)
        status = gg_checked_multiply(&bytes, options->streams, options->window);
    if (status == GG_OK)
        status = gg_checked_multiply(&bytes, bytes, 2 * (int64_t)sizeof(int32_t));
    void *object = NULL, *arena = NULL;
    if (status == GG_OK)
        status = gg_alloc_zero(&object, sizeof **out);
    if (status == GG_OK)
        status = gg_alloc(&arena, (size_t)bytes);
    if (status != GG_OK) {
        gg_free(object);
        return status;
    }
    gg_windows *w = object;
    w->options = *options;
    w->train = cut(options->text, options->train_count, options->streams);
    w->test = cut(options->text + options->train_count, options->test_count, options->streams);
    w->input = arena;
    w->labels = w->input + options->streams * options->window;
    list_facts(w);
    w->source = (gg_source){.context = w,
                            .steps = steps_of(&w->train, options->window),
                            .bind = bind,
                            .evaluate = options->test_count > 0 ? evaluate : NULL,
                            .facts = w->facts,
                            .fact_count = FACTS};
    *out = w;
    return GG_OK;
}

void gg_windows_free(gg_windows *windows)
{
    if (windows == NULL)
        return;
    gg_free(windows->input);
    gg_free(windows);
}

const gg_source *gg_windows_source(const gg_windows *windows)
{
    return windows != NULL ? &windows->source : NULL;
}
