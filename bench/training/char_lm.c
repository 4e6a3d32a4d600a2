/* char_lm.c - builds the character language model and writes with it. */
#include "char_lm.h"
#include "gpt.h"

#include <math.h>
#include <string.h>

bool gg_char_lm_is_gpt(const gg_char_lm *shape)
{
    return strcmp(shape->cell, "gpt") == 0;
}

gg_status gg_char_lm_check(const gg_char_lm *shape)
{
    if (gg_char_lm_is_gpt(shape) && shape->hidden % shape->heads != 0)
        return gg_fail(GG_ERR_ARGUMENT, "--width %lld is no multiple of --heads %lld", (long long)shape->hidden,
                       (long long)shape->heads);
    if (strcmp(shape->cell, "rnn") == 0 || strcmp(shape->cell, "gru") == 0 || strcmp(shape->cell, "lstm") == 0
        || gg_char_lm_is_gpt(shape))
        return GG_OK;
    return gg_fail(GG_ERR_ARGUMENT, "--cell '%.40s': expected rnn, gru or lstm", shape->cell);
}

static gg_value add_cells(gg_model *model, gg_value x, const gg_char_lm *shape)
{
    const gg_recurrent_options options = {.stateful = true};
    const gg_stack stack = {.layers = (int)shape->layers, .dropout = (float)shape->dropout};
    if (shape->cell[0] == 'r')
        return gg_rnn_stack(model, x, shape->hidden, &stack, &options, NULL);
    if (shape->cell[0] == 'g')
        return gg_gru_stack(model, x, shape->hidden, &stack, &options, NULL);
    return gg_lstm_stack(model, x, shape->hidden, &stack, &options, NULL);
}

gg_status gg_char_lm_build(gg_char_lm_network *out, const gg_char_lm *shape, uint64_t seed)
{
    gg_char_lm_network net = {.context = 0};
    gg_status status = gg_char_lm_check(shape);
    if (status == GG_OK && gg_char_lm_is_gpt(shape))
        return gg_gpt_build(out, shape, seed);
    if (status == GG_OK)
        status = gg_model_new(&net.model, seed);
    if (status != GG_OK)
        return status;
    const int64_t dims[] = {GG_TIME, GG_BATCH};
    net.input = gg_input_labels(net.model, "characters", 2, dims);
    net.labels = gg_input_labels(net.model, "next", 2, dims);
    gg_value h = gg_embedding(net.model, net.input, shape->characters, shape->embedding, NULL);
    h = add_cells(net.model, h, shape);
    if (shape->dropout > 0.0)
        h = gg_dropout(net.model, h, (float)shape->dropout);
    net.scores = gg_affine(net.model, h, shape->characters, NULL);
    net.loss = gg_softmax_with_loss(net.model, net.scores, net.labels);
    (void)gg_model_keep(net.model, net.scores, false); /* an error of the model is told by its plan */
    *out = net;
    return GG_OK;
}

int64_t gg_char_lm_multiply_adds(const gg_char_lm *shape)
{
    if (gg_char_lm_is_gpt(shape))
        return gg_gpt_multiply_adds(shape);
    const int64_t gates = shape->cell[0] == 'r' ? 1 : shape->cell[0] == 'g' ? 3 : 4;
    int64_t sum = shape->hidden * shape->characters;
    for (int64_t layer = 0; layer < shape->layers; layer++)
        sum += gates * shape->hidden * ((layer == 0 ? shape->embedding : shape->hidden) + shape->hidden);
    return 3 * sum; /* Y, dW and dX: the embedding's numbers learn, too */
}

/* ---- writing ---- */

/* The place of a number drawn in proportion to exp(scores / temperature). */
static int draw(const float *scores, int count, double temperature, gg_random *random)
{
    int best = 0;
    double weights[GG_CHARACTERS_MOST], sum = 0.0;
    for (int c = 1; c < count; c++)
        best = scores[c] > scores[best] ? c : best;
    if (!(temperature > 0.0))
        return best;
    for (int c = 0; c < count; c++)
        sum += weights[c] = exp(((double)scores[c] - (double)scores[best]) / temperature);
    double left = (double)gg_random_uniform(random) * sum;
    for (int c = 0; c < count; c++) {
        left -= weights[c];
        if (left < 0.0)
            return c;
    }
    return best;
}

/* A text on its way: the prompt and what was written behind it. */
typedef struct writing {
    const gg_char_lm_network *net;
    const gg_characters *characters;
    const char *prompt, *out;
    int64_t prompt_length, read; /* characters that the states hold */
    const float *scores;         /* behind the last of them */
} writing;

/* Character i of the prompt and what follows it. */
static char character_at(const writing *w, int64_t i)
{
    return i < w->prompt_length ? w->prompt[i] : w->out[i - w->prompt_length];
}

static gg_status read_number(writing *w, const int32_t *number)
{
    gg_status status = gg_model_bind_labels(w->net->model, w->net->input, number);
    if (status == GG_OK)
        status = gg_model_forward(w->net->model, w->net->scores, GG_CONTINUE);
    bool finite = true;
    if (status == GG_OK) {
        w->scores = gg_model_data(w->net->model, w->net->scores);
        status = gg_all_finite(&finite, w->scores, w->characters->count);
    }
    if (status == GG_OK && !finite)
        status = gg_fail(GG_ERR_NUMERIC, "the model's scores are not all finite: are its numbers NaN?");
    w->read++;
    return status;
}

/* Character i, and before it, where the context is full, the latter half of it anew. */
static gg_status read_character(writing *w, int64_t i)
{
    const bool full = w->net->context > 0 && w->read >= w->net->context;
    gg_status status = full ? gg_model_reset_states(w->net->model) : GG_OK;
    w->read = full ? 0 : w->read;
    for (int64_t j = full ? i - w->net->context / 2 : i; j <= i && status == GG_OK; j++) {
        const char character = character_at(w, j);
        int32_t number;
        status = gg_characters_encode(&number, &character, 1, w->characters);
        if (status == GG_OK)
            status = read_number(w, &number);
    }
    return status;
}

gg_status gg_char_lm_write(char *out, int64_t length, const gg_char_lm_network *net, const gg_characters *characters,
                           const char *prompt, double temperature, uint64_t seed)
{
    gg_random random = gg_random_make(seed, 0);
    writing w = {net, characters, prompt, out, (int64_t)strlen(prompt), 0, NULL};
    gg_status status = gg_model_set_extent(net->model, GG_BATCH, 1);
    if (status == GG_OK)
        status = gg_model_set_extent(net->model, GG_TIME, 1);
    if (status == GG_OK)
        status = gg_model_reset_states(net->model);
    for (int64_t i = 0; status == GG_OK && i < w.prompt_length; i++)
        status = read_character(&w, i);
    if (status == GG_OK && w.scores == NULL) /* without a prompt a line begins */
        status = read_number(&w, &(const int32_t){0});
    for (int64_t i = 0; status == GG_OK && i < length; i++) {
        const int number = draw(w.scores, characters->count, temperature, &random);
        out[i] = (char)characters->bytes[number];
        status = i + 1 < length ? read_character(&w, w.prompt_length + i) : GG_OK;
    }
    return status;
}
