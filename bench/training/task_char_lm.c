/* task_char_lm.c - character language models: embedding, two stateful LSTM layers, affine, by truncated backpropagation
 * through time over parallel streams of the text; or a GPT, for which each window of a stream is a text of its own. The
 * last tenth of the text is the test. */
#include <inttypes.h>
#include <string.h>

#include "char_lm.h"
#include "tasks.h"

enum { TALES_BYTES = 60000, TALES_SEED = 1, TENTH = 10, LEAST_TEXT = 20, NUMBERS = 6, MOST_FACTS = 16, DIGITS = 24 };

typedef struct char_lm_task {
    char *text;
    int32_t *numbers;
    int64_t size;
    gg_characters characters;
    gg_char_lm shape;
    gg_char_lm_network net;
    gg_windows *windows;
    gg_source source; /* that of the windows with more facts */
    gg_metadata facts[MOST_FACTS];
    char digits[NUMBERS][DIGITS], saved[GG_CHARACTERS_TEXT];
} char_lm_task;

static void close_task(void *own)
{
    char_lm_task *task = own;
    gg_windows_free(task->windows);
    gg_free(task->numbers);
    gg_free(task->text);
    gg_free(task);
}

/* The file, or tales. */
static gg_status read_text(char_lm_task *task, const char *path)
{
    void *memory = NULL;
    gg_status status;
    if (path != NULL) {
        status = gg_text_read(&task->text, &task->size, path);
        if (status == GG_OK && task->size < LEAST_TEXT)
            status = gg_fail(GG_ERR_FORMAT, "--data '%.300s' has %" PRId64 " characters, too few to learn from", path,
                             task->size);
    } else {
        status = gg_alloc(&memory, TALES_BYTES);
        task->text = memory;
        task->size = TALES_BYTES;
        if (status == GG_OK)
            status = gg_tales_write(task->text, task->size, TALES_SEED);
    }
    memory = NULL;
    if (status == GG_OK)
        status = gg_alloc(&memory, (size_t)task->size * sizeof(int32_t));
    task->numbers = memory;
    if (status == GG_OK)
        status = gg_characters_add(&task->characters, task->text, task->size);
    return status == GG_OK ? gg_characters_encode(task->numbers, task->text, task->size, &task->characters) : status;
}

/* What `gemmgrad generate` builds the network from, and what a resumed run must agree with. */
static void list_facts(char_lm_task *task)
{
    const gg_char_lm *s = &task->shape;
    const gg_source *windows = gg_windows_source(task->windows);
    const char *const keys[] = {"embedding", "hidden", "layers", "heads", "context"};
    const int64_t values[] = {s->embedding, s->hidden, s->layers, s->heads, s->context};
    int64_t count = 0;
    task->facts[count++] = (gg_metadata){"cell", s->cell};
    for (int i = 0; i < 5; i++) {
        if (values[i] == 0) /* a GPT has no embedding beside its width, a cell no heads */
            continue;
        snprintf(task->digits[i], DIGITS, "%" PRId64, values[i]);
        task->facts[count++] = (gg_metadata){keys[i], task->digits[i]};
    }
    snprintf(task->digits[5], DIGITS, "%.9g", s->dropout);
    task->facts[count++] = (gg_metadata){"dropout", task->digits[5]};
    gg_characters_save(task->saved, &task->characters);
    task->facts[count++] = (gg_metadata){"characters", task->saved};
    for (int64_t i = 0; i < windows->fact_count && count < MOST_FACTS; i++)
        task->facts[count++] = windows->facts[i];
    task->source = *windows;
    task->source.facts = task->facts;
    task->source.fact_count = count;
}

/* A GPT that generates is another model, of the same parameters. */
static gg_status copy_to_write(gg_char_lm_network *out, const char_lm_task *task)
{
    gg_char_lm shape = task->shape;
    shape.generates = true;
    gg_status status = gg_char_lm_build(out, &shape, 0);
    if (status == GG_OK)
        status = gg_model_set_largest(out->model, GG_TIME, shape.context);
    if (status == GG_OK)
        status = gg_model_plan(out->model, GG_NO_VALUE, 1);
    if (status == GG_OK)
        memcpy(gg_model_parameters(out->model), gg_model_parameters(task->net.model),
               (size_t)gg_model_parameter_floats(out->model) * sizeof(float));
    return status;
}

/* A few lines, from the likelier half of what the model would write. */
static void show(FILE *out, gg_model *model, void *own)
{
    enum { LENGTH = 300 };
    static const double TEMPERATURE = 0.7;
    const char_lm_task *task = own;
    char text[LENGTH], prompt[2] = {task->text[0], '\0'};
    gg_char_lm_network net = task->net, copy = {.model = NULL};
    gg_status status = GG_OK;
    (void)model;
    if (gg_char_lm_is_gpt(&task->shape)) {
        status = copy_to_write(&copy, task);
        net = copy;
    }
    if (status == GG_OK)
        status = gg_char_lm_write(text, LENGTH, &net, &task->characters, prompt, TEMPERATURE, 1);
    gg_model_free(copy.model);
    if (status != GG_OK)
        return;
    fprintf(out, "\nWritten by it at temperature %g:\n%s", TEMPERATURE, prompt);
    for (int i = 0; i < LENGTH; i++)
        fputc(text[i] == '\n' || (text[i] >= ' ' && text[i] < 127) ? text[i] : '?', out);
    fputc('\n', out);
}

static gg_status open_windows(char_lm_task *task, const gg_task_options *o)
{
    const int64_t test = task->size / TENTH;
    const int64_t window = task->shape.context > 0 ? task->shape.context : o->window > 0 ? o->window : 64;
    const gg_status status = gg_model_set_largest(task->net.model, GG_TIME, window);
    if (status != GG_OK)
        return status;
    return gg_windows_new(&task->windows, &(gg_windows_options){.text = task->numbers,
                                                                .train_count = task->size - test,
                                                                .test_count = test,
                                                                .streams = o->batch,
                                                                .window = window,
                                                                .input = task->net.input,
                                                                .labels = task->net.labels,
                                                                .scores = task->net.scores,
                                                                .loss = task->net.loss,
                                                                .seed = o->seed});
}

/* For a network whose shape is known. */
static gg_status open_task(char_lm_task *task, gg_network *out, const gg_task_options *o)
{
    gg_status status = gg_char_lm_check(&task->shape);
    if (status == GG_OK)
        status = read_text(task, o->data);
    task->shape.characters = task->characters.count;
    if (status == GG_OK)
        status = gg_char_lm_build(&task->net, &task->shape, o->seed);
    if (status != GG_OK)
        return status;
    *out = (gg_network){
        .model = task->net.model, .loss = task->net.loss, .multiply_adds = gg_char_lm_multiply_adds(&task->shape)};
    status = open_windows(task, o);
    if (status == GG_OK)
        list_facts(task);
    return status;
}

static gg_status open_feed(gg_feed *feed, gg_network *out, const gg_task_options *options, const gg_char_lm *shape)
{
    void *memory = NULL;
    const gg_status status = gg_alloc_zero(&memory, sizeof(char_lm_task));
    if (status != GG_OK)
        return status;
    char_lm_task *task = memory;
    task->shape = *shape;
    *feed = (gg_feed){.own = task, .close = close_task};
    const gg_status opened = open_task(task, out, options);
    feed->source = &task->source;
    feed->unit = "characters";
    feed->accuracy = "characters foreseen";
    feed->test_count = task->size / TENTH;
    feed->train_count = task->size - feed->test_count;
    feed->show = show;
    return opened;
}

static int64_t given(int64_t option, int64_t otherwise)
{
    return option > 0 ? option : otherwise;
}

gg_status gg_char_lm_open(gg_feed *feed, gg_network *out, const gg_task_options *o)
{
    const gg_char_lm shape = {.cell = o->cell != NULL ? o->cell : "lstm",
                              .embedding = given(o->embedding, 128),
                              .hidden = given(o->hidden, 256),
                              .layers = given(o->layers, 2),
                              .dropout = o->dropout >= 0.0 ? o->dropout : 0.0};
    if (gg_char_lm_is_gpt(&shape)) /* a task of its own */
        return gg_fail(GG_ERR_ARGUMENT, "--cell 'gpt': expected rnn, gru or lstm");
    return open_feed(feed, out, o, &shape);
}

gg_status gg_gpt_open(gg_feed *feed, gg_network *out, const gg_task_options *o)
{
    const gg_char_lm shape = {.cell = "gpt",
                              .hidden = given(o->width, 192),
                              .layers = given(o->layers, 4),
                              .heads = given(o->heads, 6),
                              .context = given(o->context, 128),
                              .dropout = o->dropout >= 0.0 ? o->dropout : 0.1};
    return open_feed(feed, out, o, &shape);
}
