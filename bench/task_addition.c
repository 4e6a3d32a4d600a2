/* task_addition.c - sums as texts by sequence to sequence: "Deep Learning from Scratch 2", chapter 7.
 *
 * An LSTM reads the question; its last h is where another starts that says the answer. `reversed`: the question is read
 * from its end (Sutskever, Vinyals, Le 2014). `peeky`: that, and the encoder's last h is seen by the decoder and the
 * affine layer behind it at every step (Cho et al. 2014). */
#include <inttypes.h>
#include <string.h>

#include "tasks.h"

enum { DRAWN = 20000, DATA_SEED = 1, MOST_FACTS = 16, EXAMPLES = 5, LEAST_PAIRS = 2 };

typedef struct addition_task {
    gg_pairs pairs;
    gg_pairs_batches *batches;
    gg_source source; /* that of the batches with the variant */
    gg_metadata facts[MOST_FACTS];
} addition_task;

/* What is built. */
typedef struct shape {
    const char *variant;
    int64_t characters, embedding, hidden;
    bool reversed, peeky;
} shape;

typedef struct network {
    gg_model *model;
    gg_value question, given, labels, scores, loss;
} network;

static void close_task(void *own)
{
    addition_task *task = own;
    gg_pairs_batches_free(task->batches);
    gg_pairs_free(&task->pairs);
    gg_free(task);
}

static gg_status choose_variant(shape *s, const char *name)
{
    s->variant = name != NULL ? name : "reversed";
    s->peeky = strcmp(s->variant, "peeky") == 0;
    s->reversed = s->peeky || strcmp(s->variant, "reversed") == 0;
    if (s->reversed || strcmp(s->variant, "plain") == 0)
        return GG_OK;
    return gg_fail(GG_ERR_ARGUMENT, "--variant '%.40s': expected plain, reversed or peeky", s->variant);
}

/* ---- network ---- */

static gg_value add_encoder(network *net, const shape *s)
{
    gg_recurrent_outputs last;
    const gg_value x = gg_embedding(net->model, net->question, s->characters, s->embedding, NULL);
    gg_lstm(net->model, x, s->hidden, NULL, &last);
    return last.h_last;
}

static gg_value add_decoder(network *net, const shape *s, gg_value h)
{
    gg_value x = gg_embedding(net->model, net->given, s->characters, s->embedding, NULL);
    const gg_value seen = s->peeky ? gg_repeat_time(net->model, h, GG_TIME_2) : GG_NO_VALUE;
    if (s->peeky)
        x = gg_concatenate(net->model, (gg_value[]){seen, x}, 2);
    gg_value y = gg_lstm(net->model, x, s->hidden, &(gg_recurrent_options){.h0 = &h}, NULL);
    if (s->peeky)
        y = gg_concatenate(net->model, (gg_value[]){seen, y}, 2);
    return gg_affine(net->model, y, s->characters, NULL);
}

static gg_status build(network *net, const shape *s, const gg_pairs *pairs, uint64_t seed)
{
    gg_status status = gg_model_new(&net->model, seed);
    if (status != GG_OK)
        return status;
    const int64_t asked[] = {GG_TIME, GG_BATCH}, said[] = {GG_TIME_2, GG_BATCH};
    net->question = gg_input_labels(net->model, "question", 2, asked);
    net->given = gg_input_labels(net->model, "given", 2, said);
    net->labels = gg_input_labels(net->model, "answer", 2, said);
    net->scores = add_decoder(net, s, add_encoder(net, s));
    net->loss = gg_softmax_with_loss(net->model, net->scores, net->labels);
    (void)gg_model_keep(net->model, net->scores, false); /* an error of the model is told by its plan */
    status = gg_model_set_largest(net->model, GG_TIME, pairs->question_length);
    return status == GG_OK ? gg_model_set_largest(net->model, GG_TIME_2, pairs->answer_length - 1) : status;
}

/* For each character of an answer, so that the encoder's steps are shared among them. */
static int64_t count_multiply_adds(const shape *s, const gg_pairs *pairs)
{
    const int64_t answer = pairs->answer_length - 1, peeks = s->peeky ? s->hidden : 0;
    const int64_t encoder = 4 * s->hidden * (s->embedding + s->hidden);
    const int64_t decoder = 4 * s->hidden * (peeks + s->embedding + s->hidden) + (peeks + s->hidden) * s->characters;
    return 3 * (encoder * pairs->question_length / answer + decoder);
}

/* ---- examples ---- */

static void put_text(FILE *out, const int32_t *numbers, int64_t length, const gg_characters *characters)
{
    for (int64_t i = 0; i < length; i++)
        fputc(characters->bytes[numbers[i]], out);
}

/* The first questions of the test, with what the network answers step by step. */
static void show(FILE *out, gg_model *model, void *own)
{
    addition_task *task = own;
    const gg_pairs *p = &task->pairs;
    int32_t answer[GG_PAIRS_LONGEST];
    fputs("\nQuestions of the test, the network's answers, and the right ones where it errs:\n", out);
    for (int64_t i = 0; i < EXAMPLES && i < gg_pairs_test_count(task->batches); i++) {
        const int64_t pair = gg_pairs_test_pair(task->batches, i), length = p->answer_length - 1;
        const int32_t *right = p->answers + pair * p->answer_length + 1;
        if (gg_pairs_answer(answer, task->batches, model, i) != GG_OK)
            return;
        fputs("  ", out);
        put_text(out, p->questions + pair * p->question_length, p->question_length, &p->characters);
        fputs("  ", out);
        put_text(out, answer + 1, length, &p->characters);
        if (memcmp(answer + 1, right, (size_t)length * sizeof *right) != 0) {
            fputs("  ", out);
            put_text(out, right, length, &p->characters);
        }
        fputc('\n', out);
    }
}

/* ---- opening ---- */

static void list_facts(addition_task *task, const shape *s)
{
    const gg_source *batches = gg_pairs_source(task->batches);
    int64_t count = 0;
    task->facts[count++] = (gg_metadata){"variant", s->variant};
    for (int64_t i = 0; i < batches->fact_count && count < MOST_FACTS; i++)
        task->facts[count++] = batches->facts[i];
    task->source = *batches;
    task->source.facts = task->facts;
    task->source.fact_count = count;
}

static gg_status open_task(addition_task *task, gg_network *out, const gg_task_options *o)
{
    shape s = {.embedding = o->embedding > 0 ? o->embedding : 16, .hidden = o->hidden > 0 ? o->hidden : 128};
    network net = {.model = NULL};
    gg_status status = choose_variant(&s, o->variant);
    if (status == GG_OK)
        status =
            o->data != NULL ? gg_pairs_read(&task->pairs, o->data) : gg_pairs_make_sums(&task->pairs, DRAWN, DATA_SEED);
    if (status == GG_OK && task->pairs.count < LEAST_PAIRS)
        status = gg_fail(GG_ERR_FORMAT, "--data '%.300s' has %" PRId64 " pairs, too few to learn from", o->data,
                         task->pairs.count);
    s.characters = task->pairs.characters.count;
    if (status == GG_OK)
        status = build(&net, &s, &task->pairs, o->seed);
    out->model = net.model;
    if (status != GG_OK)
        return status;
    out->loss = net.loss;
    out->multiply_adds = count_multiply_adds(&s, &task->pairs);
    status = gg_pairs_batches_new(&task->batches, &(gg_pairs_options){.pairs = &task->pairs,
                                                                      .reversed = s.reversed,
                                                                      .batch = o->batch,
                                                                      .question = net.question,
                                                                      .given = net.given,
                                                                      .labels = net.labels,
                                                                      .scores = net.scores,
                                                                      .loss = net.loss,
                                                                      .seed = o->seed});
    if (status == GG_OK)
        list_facts(task, &s);
    return status;
}

gg_status gg_addition_open(gg_feed *feed, gg_network *out, const gg_task_options *options)
{
    void *memory = NULL;
    gg_status status = gg_alloc_zero(&memory, sizeof(addition_task));
    if (status != GG_OK)
        return status;
    addition_task *task = memory;
    *feed = (gg_feed){.own = task, .close = close_task};
    status = open_task(task, out, options);
    const int64_t characters = task->pairs.answer_length - 1;
    feed->source = &task->source;
    feed->unit = "characters";
    feed->accuracy = "exact answers";
    feed->test_count = gg_pairs_test_count(task->batches) * characters;
    feed->train_count = task->pairs.count * characters - feed->test_count;
    feed->show = show;
    return status;
}
