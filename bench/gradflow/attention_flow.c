/* attention_flow.c - gradients of the tokens that an encoder-decoder reads, of the library's own layers.
 *
 * Without attention all that the loss knows of token t has gone through the states t .. T of the encoder, and so does
 * its gradient, T - t steps back. With attention the context is a sum over j of a_tj h_j: its gradient is added to each
 * state's at once, a step from the loss. Weights, tokens and answers are random, the same in both cases, but for the
 * last layer, which the context makes wider. */
#include "attention_flow.h"

#include <math.h>

enum { SAMPLES = 8, TOKENS = 32, ANSWER = 8 };

typedef struct network {
    gg_model *model;
    gg_value question, given, labels, x, loss;
    int32_t *numbers; /* [ question: steps x SAMPLES | given, labels: ANSWER x SAMPLES each ] */
} network;

static gg_status build(network *net, bool attends, const gg_flow_sizes *sizes)
{
    const int64_t asked[] = {GG_TIME, GG_BATCH}, said[] = {GG_TIME_2, GG_BATCH}, hidden = sizes->hidden;
    gg_recurrent_outputs read;
    gg_status status = gg_model_new(&net->model, sizes->seed);
    if (status != GG_OK)
        return status;
    gg_model *model = net->model;
    net->question = gg_input_labels(model, "question", 2, asked);
    net->given = gg_input_labels(model, "given", 2, said);
    net->labels = gg_input_labels(model, "answer", 2, said);
    net->x = gg_embedding(model, net->question, TOKENS, hidden, NULL);
    gg_lstm(model, net->x, hidden, NULL, &read);
    const gg_value g = gg_embedding(model, net->given, TOKENS, hidden, NULL);
    gg_value y = gg_lstm(model, g, hidden, &(gg_recurrent_options){.h0 = &read.h_last}, NULL);
    if (attends)
        y = gg_concatenate(model, (gg_value[]){gg_score_attention(model, y, read.y, read.y, NULL, NULL), y}, 2);
    net->loss = gg_softmax_with_loss(model, gg_affine(model, y, TOKENS, NULL), net->labels);
    status = gg_model_keep(model, net->x, true);
    if (status == GG_OK)
        status = gg_model_set_largest(model, GG_TIME, sizes->steps);
    if (status == GG_OK)
        status = gg_model_set_largest(model, GG_TIME_2, ANSWER);
    return status == GG_OK ? gg_model_plan(model, net->loss, SAMPLES) : status;
}

static gg_status bind(network *net, const gg_flow_sizes *sizes)
{
    const int64_t asked = sizes->steps * SAMPLES, said = ANSWER * SAMPLES, count = asked + 2 * said;
    gg_random random = gg_random_make(sizes->seed, 1);
    void *memory = NULL;
    gg_status status = gg_alloc(&memory, (size_t)count * sizeof(int32_t));
    if (status != GG_OK)
        return status;
    net->numbers = memory;
    for (int64_t i = 0; i < count; i++)
        net->numbers[i] = (int32_t)gg_random_below(&random, TOKENS);
    status = gg_model_bind_labels(net->model, net->question, net->numbers);
    if (status == GG_OK)
        status = gg_model_bind_labels(net->model, net->given, net->numbers + asked);
    return status == GG_OK ? gg_model_bind_labels(net->model, net->labels, net->numbers + asked + said) : status;
}

static gg_status measure(double *norms, const network *net, const gg_flow_sizes *sizes)
{
    const int64_t token = SAMPLES * sizes->hidden;
    gg_status status = gg_model_forward(net->model, net->loss, GG_TRAIN);
    if (status == GG_OK)
        status = gg_model_backward(net->model);
    const float *dx = gg_model_gradient(net->model, net->x);
    for (int64_t d = 0; d < sizes->steps && status == GG_OK; d++) {
        double squares = 0.0;
        status = gg_sum_squares(&squares, dx + (sizes->steps - 1 - d) * token, token);
        norms[d] = sqrt(squares);
    }
    return status;
}

gg_status gg_attention_flow_measure(gg_attention_flow *out, bool attends, const gg_flow_sizes *sizes)
{
    network net = {.model = NULL};
    void *norms = NULL;
    gg_status status = build(&net, attends, sizes);
    if (status == GG_OK)
        status = bind(&net, sizes);
    if (status == GG_OK)
        status = gg_alloc(&norms, (size_t)sizes->steps * sizeof(double));
    if (status == GG_OK)
        status = measure(norms, &net, sizes);
    gg_model_free(net.model);
    gg_free(net.numbers);
    if (status == GG_OK)
        out->norms = norms;
    else
        gg_free(norms);
    return status;
}
