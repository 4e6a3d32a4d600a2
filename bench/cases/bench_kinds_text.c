/* bench_kinds_text.c - a training step of a model of characters. A GPT: learned positions, blocks with the
 * normalisation before, scores by the embedding's own weight, AdamW; its multiply-adds are those of whole attention,
 * though half of it is skipped. An LSTM: one layer that carries its state from step to step, Adam. The date model of
 * date.c with dot products: clipping and Adam.
 *
 * A step is too long for plain loops in double; the layers are held to them elsewhere. Here the gradient of the loss
 * along itself is held to the loss a small step further. */
#include <math.h>

#include "bench_case.h"
#include "bench_check.h"
#include "char_lm.h"
#include "date.h"

enum { LAYERS, WIDTH, HEADS, CONTEXT, BATCH }; /* size of a GPT */
enum { EMBEDDING, HIDDEN, WINDOW, STREAMS };   /* and of an LSTM */
enum { DATE_CHARACTERS, DATE_EMBEDDING, DATE_HIDDEN, ASKED, SAID, PAIRS };
enum { VOCABULARY = 65 }; /* of tinyshakespeare */

static gg_char_lm shape_of(const bench_case *line)
{
    const int64_t *size = line->size;
    if (line->option == BENCH_LSTM_ADAM)
        return (gg_char_lm){.cell = "lstm",
                            .characters = VOCABULARY,
                            .layers = 1,
                            .embedding = size[EMBEDDING],
                            .hidden = size[HIDDEN],
                            .context = size[WINDOW]};
    return (gg_char_lm){.cell = "gpt",
                        .characters = VOCABULARY,
                        .layers = size[LAYERS],
                        .hidden = size[WIDTH],
                        .heads = size[HEADS],
                        .context = size[CONTEXT]};
}

static int64_t batch_of(const bench_case *line)
{
    return line->size[line->option == BENCH_LSTM_ADAM ? STREAMS : BATCH];
}

static double text_flops(const bench_case *line)
{
    const gg_char_lm shape = shape_of(line);
    return 2.0 * (double)gg_char_lm_multiply_adds(&shape) * (double)(shape.context * batch_of(line));
}

/* ---- dates ---- */

static gg_date date_of(const bench_case *line)
{
    return (gg_date){.attends = true, .embedding = line->size[DATE_EMBEDDING], .hidden = line->size[DATE_HIDDEN]};
}

static gg_pairs_network pairs_of(const bench_case *line)
{
    const int64_t *size = line->size;
    return (gg_pairs_network){.characters = size[DATE_CHARACTERS], .asked = size[ASKED], .said = size[SAID]};
}

static double date_flops(const bench_case *line)
{
    const gg_date date = date_of(line);
    const gg_pairs_network net = pairs_of(line);
    return 2.0 * 3.0 * (double)gg_date_multiply_adds(&date, &net) * (double)line->size[PAIRS];
}

static gg_status open_date(bench_work *work)
{
    const gg_date date = date_of(work->line);
    const gg_pairs_recipe recipe = {.build = gg_date_build, .shape = &date};
    const gg_optimizer_options adam = {.kind = GG_ADAM, .clip_norm = 5.0f};
    const int64_t pairs = work->line->size[PAIRS];
    gg_pairs_network net = pairs_of(work->line);
    gg_status status = gg_pairs_network_build(&net, 1, &recipe);
    work->model = net.model;
    work->loss = net.loss;
    if (status == GG_OK)
        status = gg_model_plan(work->model, work->loss, pairs);
    if (status == GG_OK)
        status = gg_optimizer_new(&work->optimizer, work->model, &adam);
    const gg_value inputs[] = {net.question, net.given, net.labels};
    for (int i = 0; i < 3 && status == GG_OK; i++) {
        const int64_t steps = i == 0 ? net.asked : net.said;
        const int32_t *labels = bench_take_labels(work, steps * pairs, net.characters);
        status = work->status != GG_OK ? work->status : gg_model_bind_labels(work->model, inputs[i], labels);
    }
    return status;
}

/* ---- a step of either ---- */

static double flops_of(const bench_case *line)
{
    return line->option == BENCH_DATE_ADAM ? date_flops(line) : text_flops(line);
}

static gg_status open_characters(bench_work *work)
{
    const gg_char_lm shape = shape_of(work->line);
    const int64_t batch = batch_of(work->line), count = shape.context * batch;
    const gg_optimizer_kind optimizer = work->line->option == BENCH_LSTM_ADAM ? GG_ADAM : GG_ADAMW;
    gg_char_lm_network net;
    gg_status status = gg_char_lm_build(&net, &shape, 1);
    if (status != GG_OK)
        return status;
    work->model = net.model;
    work->loss = net.loss;
    int32_t *tokens = bench_take_labels(work, count, VOCABULARY);
    int32_t *labels = bench_take_labels(work, count, VOCABULARY);
    if (work->status == GG_OK)
        status = gg_model_set_largest(net.model, GG_TIME, shape.context);
    if (status == GG_OK && work->status == GG_OK)
        status = gg_model_plan(net.model, net.loss, batch);
    if (status == GG_OK && work->status == GG_OK)
        status = gg_optimizer_new(&work->optimizer, net.model, &(gg_optimizer_options){.kind = optimizer});
    if (status == GG_OK && work->status == GG_OK)
        status = gg_model_bind_labels(net.model, net.input, tokens);
    if (status == GG_OK && work->status == GG_OK)
        status = gg_model_bind_labels(net.model, net.labels, labels);
    return work->status != GG_OK ? work->status : status;
}

static gg_status open_model(bench_work *work)
{
    return work->line->option == BENCH_DATE_ADAM ? open_date(work) : open_characters(work);
}

static gg_status find_gradients(bench_work *work)
{
    const gg_status status = gg_model_forward(work->model, work->loss, GG_TRAIN);
    return status != GG_OK ? status : gg_model_backward(work->model);
}

/* As in bench_kinds_network.c. */
static const float RATE = 1e-5f;

static gg_status run_text(bench_work *work)
{
    const gg_status status = find_gradients(work);
    return status != GG_OK ? status : gg_optimizer_step(work->optimizer, RATE);
}

/* weights += step * gradients. */
static gg_status move(const bench_work *work, double step)
{
    return gg_axpy(gg_model_parameters(work->model), gg_model_gradients(work->model),
                   gg_model_parameter_floats(work->model), (float)step);
}

/* Loss(w + e g) - Loss(w - e g) = 2 e |g|^2 + O(e^3), with e |g|^2 a hundredth or so. */
static gg_status check_text(bench_work *work, int variant)
{
    double squares = 0.0, losses[2];
    (void)variant; /* there is one */
    gg_status status = find_gradients(work);
    if (status == GG_OK)
        status = gg_sum_squares(&squares, gg_model_gradients(work->model), gg_model_parameter_floats(work->model));
    const double step = 0.01 / squares;
    for (int side = 0; side < 2 && status == GG_OK; side++) {
        status = move(work, side == 0 ? step : -2.0 * step);
        if (status == GG_OK)
            status = gg_model_forward(work->model, work->loss, GG_INFER);
        losses[side] = gg_model_loss(work->model);
    }
    if (status == GG_OK)
        status = move(work, step);
    if (status == GG_OK && !(fabs(losses[0] - losses[1] - 0.02) < 0.001))
        status =
            gg_fail(GG_ERR_INTERNAL, "the loss changes by %g along its gradient, expected 0.02", losses[0] - losses[1]);
    return status;
}

static void close_text(bench_work *work)
{
    gg_optimizer_free(work->optimizer);
    gg_model_free(work->model);
}

static const char *const models[] = {
    [BENCH_GPT_ADAMW] = "gpt-adamw", [BENCH_LSTM_ADAM] = "lstm-adam", [BENCH_DATE_ADAM] = "date-adam", NULL};

/* For --quick: several samples of such a step, of the raw calls' and of its check take seconds. */
static bool too_long(const bench_case *line)
{
    return flops_of(line) > 2e10;
}

const bench_kind bench_text = {
    .name = "characters",
    .options = models,
    .variants = {{"", run_text}},
    .flops = flops_of,
    .too_long = too_long,
    .open = open_model,
    .check = check_text,
    .close = close_text,
};
