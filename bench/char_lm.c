/* char_lm.c - builds the character language model and writes with it. */
#include "char_lm.h"

#include <math.h>
#include <string.h>

gg_status gg_char_lm_check(const gg_char_lm *shape)
{
    if (strcmp(shape->cell, "rnn") == 0 || strcmp(shape->cell, "gru") == 0 || strcmp(shape->cell, "lstm") == 0)
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
    gg_char_lm_network net;
    gg_status status = gg_char_lm_check(shape);
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

/* The scores behind one more character. */
static gg_status read_character(const float **scores, const gg_char_lm_network *net, const int32_t *character)
{
    gg_status status = gg_model_bind_labels(net->model, net->input, character);
    if (status == GG_OK)
        status = gg_model_forward(net->model, net->scores, GG_CONTINUE);
    if (status == GG_OK)
        *scores = gg_model_data(net->model, net->scores);
    return status;
}

gg_status gg_char_lm_write(char *out, int64_t length, const gg_char_lm_network *net, const gg_characters *characters,
                           const char *prompt, double temperature, uint64_t seed)
{
    gg_random random = gg_random_make(seed, 0);
    const float *scores = NULL;
    int32_t number = 0;
    gg_status status = gg_model_set_extent(net->model, GG_BATCH, 1);
    if (status == GG_OK)
        status = gg_model_set_extent(net->model, GG_TIME, 1);
    if (status == GG_OK)
        status = gg_model_reset_states(net->model);
    for (const char *c = prompt; status == GG_OK && *c != '\0'; c++) {
        status = gg_characters_encode(&number, c, 1, characters);
        if (status == GG_OK)
            status = read_character(&scores, net, &number);
    }
    if (status == GG_OK && scores == NULL) /* without a prompt a line begins */
        status = read_character(&scores, net, &number);
    for (int64_t i = 0; status == GG_OK && i < length; i++) {
        number = draw(scores, characters->count, temperature, &random);
        out[i] = (char)characters->bytes[number];
        status = i + 1 < length ? read_character(&scores, net, &number) : GG_OK;
    }
    return status;
}
