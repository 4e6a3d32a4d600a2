/* pairs_task.c - tasks of questions and answers: opened, their answers shown, and what the decoder looks at drawn. */
#include "pairs_task.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

enum { DATA_SEED = 1, MOST_FACTS = 16, EXAMPLES = 5, LEAST_PAIRS = 2 };

typedef struct pairs_task {
    gg_pairs pairs;
    gg_pairs_batches *batches;
    gg_source source; /* that of the batches with the recipe's fact */
    gg_metadata facts[MOST_FACTS];
    gg_value weights; /* of the attention */
    bool reversed;
} pairs_task;

static void close_task(void *own)
{
    pairs_task *task = own;
    gg_pairs_batches_free(task->batches);
    gg_pairs_free(&task->pairs);
    gg_free(task);
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
    pairs_task *task = own;
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

/* ---- attention ---- */

/* Without the blanks behind it. */
static int64_t question_end(const gg_pairs *p, int64_t pair)
{
    const int32_t *question = p->questions + pair * p->question_length;
    int64_t end = p->question_length;
    while (end > 1 && p->characters.bytes[question[end - 1]] == ' ')
        end--;
    return end;
}

/* The longest of the questions shown. */
static int64_t choose_example(const pairs_task *task)
{
    int64_t best = 0, longest = 0;
    for (int64_t i = 0; i < EXAMPLES && i < gg_pairs_test_count(task->batches); i++) {
        const int64_t end = question_end(&task->pairs, gg_pairs_test_pair(task->batches, i));
        best = end > longest ? i : best;
        longest = end > longest ? end : longest;
    }
    return best;
}

/* gnuplot's tics, a character each, in single quotes, which are doubled within. */
static void write_tics(FILE *script, const char *axis, const int32_t *numbers, int64_t length,
                       const gg_characters *characters)
{
    fprintf(script, "set %stics scale 0 noenhanced (", axis);
    for (int64_t i = 0; i < length; i++) {
        const int byte = (unsigned char)characters->bytes[numbers[i]];
        fprintf(script, "%s'%s%c' %" PRId64, i > 0 ? ", " : "", byte == '\'' ? "'" : "", isprint(byte) ? byte : '?', i);
    }
    fputs(")\n", script);
}

/* A row for each character of the answer, the question's characters in the order they are written in. */
static void write_weights(FILE *script, const pairs_task *task, const float *weights)
{
    const int64_t asked = task->pairs.question_length, said = task->pairs.answer_length - 1;
    fputs("$weights << EOD\n", script);
    for (int64_t t = 0; t < said; t++) {
        for (int64_t j = 0; j < asked; j++)
            fprintf(script, "%s%.5g", j > 0 ? " " : "",
                    (double)weights[t * asked + (task->reversed ? asked - 1 - j : j)]);
        fputc('\n', script);
    }
    fputs("EOD\n", script);
}

/* Which characters of a question of the test the decoder looks at as it answers. */
static gg_status plot_attention(FILE *script, gg_model *model, void *own)
{
    pairs_task *task = own;
    const gg_pairs *p = &task->pairs;
    const int64_t example = choose_example(task), pair = gg_pairs_test_pair(task->batches, example);
    int32_t answer[GG_PAIRS_LONGEST];
    const gg_status status = gg_pairs_answer(answer, task->batches, model, example);
    if (status != GG_OK)
        return status;
    write_weights(script, task, gg_model_data(model, task->weights)); /* of the last step, which has all rows */
    fputs("set title 'Attention: what of the question each character of the answer looks at'\n"
          "set xlabel 'question, of the test set'\nset ylabel 'answer'\n"
          "set palette defined (0 '#ffffff', 0.3 '#9ecae1', 0.7 '#2171b5', 1 '#08306b')\n"
          "set cbrange [0:1]\nset colorbox\nset key off\nunset grid\nset format x '%s'\n",
          script);
    write_tics(script, "x", p->questions + pair * p->question_length, p->question_length, &p->characters);
    write_tics(script, "y", answer + 1, p->answer_length - 1, &p->characters);
    fprintf(script,
            "set xrange [-0.5:%" PRId64 ".5]\nset yrange [%" PRId64 ".5:-0.5]\nplot $weights matrix with image\n",
            p->question_length - 1, p->answer_length - 2);
    return GG_OK;
}

/* ---- opening ---- */

static gg_status get_pairs(gg_pairs *pairs, const char *path, const gg_pairs_recipe *recipe)
{
    gg_status status = path != NULL ? gg_pairs_read(pairs, path) : recipe->make(pairs, recipe->count, DATA_SEED);
    if (status == GG_OK && pairs->count < LEAST_PAIRS)
        status =
            gg_fail(GG_ERR_FORMAT, "--data '%.300s' has %" PRId64 " pairs, too few to learn from", path, pairs->count);
    return status;
}

gg_status gg_pairs_network_build(gg_pairs_network *net, uint64_t seed, const gg_pairs_recipe *recipe)
{
    const int64_t asked[] = {GG_TIME, GG_BATCH}, said[] = {GG_TIME_2, GG_BATCH};
    gg_status status = gg_model_new(&net->model, seed);
    if (status != GG_OK)
        return status;
    net->question = gg_input_labels(net->model, "question", 2, asked);
    net->given = gg_input_labels(net->model, "given", 2, said);
    net->labels = gg_input_labels(net->model, "answer", 2, said);
    net->weights = GG_NO_VALUE;
    recipe->build(net, recipe->shape);
    net->loss = gg_softmax_with_loss(net->model, net->scores, net->labels);
    (void)gg_model_keep(net->model, net->scores, false); /* an error of the model is told by its plan */
    if (net->weights.id >= 0)
        (void)gg_model_keep(net->model, net->weights, false);
    status = gg_model_set_largest(net->model, GG_TIME, net->asked);
    return status == GG_OK ? gg_model_set_largest(net->model, GG_TIME_2, net->said) : status;
}

/* The network of the task's pairs. */
static gg_status build(gg_network *out, gg_pairs_network *net, const gg_pairs *pairs, uint64_t seed,
                       const gg_pairs_recipe *recipe)
{
    *net = (gg_pairs_network){
        .characters = pairs->characters.count, .asked = pairs->question_length, .said = pairs->answer_length - 1};
    const gg_status status = gg_pairs_network_build(net, seed, recipe);
    out->model = net->model;
    out->loss = net->loss;
    out->multiply_adds = 3 * net->multiply_adds / net->said; /* of a character: backward costs twice the forward */
    return status;
}

static void list_facts(pairs_task *task, const gg_metadata *fact)
{
    const gg_source *batches = gg_pairs_source(task->batches);
    int64_t count = 0;
    task->facts[count++] = *fact;
    for (int64_t i = 0; i < batches->fact_count && count < MOST_FACTS; i++)
        task->facts[count++] = batches->facts[i];
    task->source = *batches;
    task->source.facts = task->facts;
    task->source.fact_count = count;
}

static gg_status open_task(pairs_task *task, gg_network *out, const gg_task_options *o, const gg_pairs_recipe *recipe)
{
    gg_pairs_network net;
    gg_status status = get_pairs(&task->pairs, o->data, recipe);
    if (status == GG_OK)
        status = build(out, &net, &task->pairs, o->seed, recipe);
    if (status != GG_OK)
        return status;
    task->weights = net.weights;
    task->reversed = recipe->reversed;
    status = gg_pairs_batches_new(&task->batches, &(gg_pairs_options){.pairs = &task->pairs,
                                                                      .reversed = recipe->reversed,
                                                                      .batch = o->batch,
                                                                      .question = net.question,
                                                                      .given = net.given,
                                                                      .labels = net.labels,
                                                                      .scores = net.scores,
                                                                      .loss = out->loss,
                                                                      .seed = o->seed});
    if (status == GG_OK)
        list_facts(task, &recipe->fact);
    return status;
}

gg_status gg_pairs_task_open(gg_feed *feed, gg_network *out, const gg_task_options *options,
                             const gg_pairs_recipe *recipe)
{
    void *memory = NULL;
    gg_status status = gg_alloc_zero(&memory, sizeof(pairs_task));
    if (status != GG_OK)
        return status;
    pairs_task *task = memory;
    *feed = (gg_feed){.own = task, .close = close_task};
    status = open_task(task, out, options, recipe);
    const int64_t characters = task->pairs.answer_length - 1;
    feed->source = &task->source;
    feed->unit = "characters";
    feed->accuracy = "exact answers";
    feed->test_count = gg_pairs_test_count(task->batches) * characters;
    feed->train_count = task->pairs.count * characters - feed->test_count;
    feed->show = show;
    feed->plot = status == GG_OK && task->weights.id >= 0 ? plot_attention : NULL;
    return status;
}

int64_t gg_pairs_lstm_adds(int64_t steps, int64_t in, int64_t hidden)
{
    return steps * 4 * hidden * (in + hidden);
}
