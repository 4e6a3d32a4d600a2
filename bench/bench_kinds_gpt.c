/* bench_kinds_gpt.c - a training step of a small GPT: characters, learned positions, blocks with the normalisation
 * before, scores by the embedding's own weight, AdamW. Its multiply-adds are those of whole attention, though half of
 * it is skipped.
 *
 * A step is too long for plain loops in double; the layers are held to them elsewhere. Here the gradient of the loss
 * along itself is held to the loss a small step further. */
#include <math.h>

#include "bench_case.h"
#include "bench_check.h"
#include "gpt.h"

enum { LAYERS, WIDTH, HEADS, CONTEXT, BATCH }; /* size */
enum { VOCABULARY = 65 };                      /* of tinyshakespeare */

static gg_char_lm shape_of(const bench_case *line)
{
    const int64_t *size = line->size;
    return (gg_char_lm){.cell = "gpt",
                        .characters = VOCABULARY,
                        .layers = size[LAYERS],
                        .hidden = size[WIDTH],
                        .heads = size[HEADS],
                        .context = size[CONTEXT]};
}

static double gpt_flops(const bench_case *line)
{
    const gg_char_lm shape = shape_of(line);
    return 2.0 * (double)gg_gpt_multiply_adds(&shape) * (double)(line->size[CONTEXT] * line->size[BATCH]);
}

static gg_status open_gpt(bench_work *work)
{
    const int64_t *size = work->line->size;
    const gg_char_lm shape = shape_of(work->line);
    gg_char_lm_network net;
    gg_status status = gg_gpt_build(&net, &shape, 1);
    if (status != GG_OK)
        return status;
    work->model = net.model;
    work->loss = net.loss;
    int32_t *tokens = bench_take_labels(work, size[CONTEXT] * size[BATCH], VOCABULARY);
    int32_t *labels = bench_take_labels(work, size[CONTEXT] * size[BATCH], VOCABULARY);
    if (work->status == GG_OK)
        status = gg_model_set_largest(net.model, GG_TIME, size[CONTEXT]);
    if (status == GG_OK && work->status == GG_OK)
        status = gg_model_plan(net.model, net.loss, size[BATCH]);
    if (status == GG_OK && work->status == GG_OK)
        status = gg_optimizer_new(&work->optimizer, net.model, &(gg_optimizer_options){.kind = GG_ADAMW});
    if (status == GG_OK && work->status == GG_OK)
        status = gg_model_bind_labels(net.model, net.input, tokens);
    if (status == GG_OK && work->status == GG_OK)
        status = gg_model_bind_labels(net.model, net.labels, labels);
    return work->status != GG_OK ? work->status : status;
}

static gg_status find_gradients(bench_work *work)
{
    const gg_status status = gg_model_forward(work->model, work->loss, GG_TRAIN);
    return status != GG_OK ? status : gg_model_backward(work->model);
}

/* As in bench_kinds_network.c. */
static const float RATE = 1e-5f;

static gg_status run_gpt(bench_work *work)
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
static gg_status check_gpt(bench_work *work, int variant)
{
    double squares = 0.0, losses[2];
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
    return status != GG_OK ? status : work->line->kind->variants[variant].run(work);
}

static void close_gpt(bench_work *work)
{
    gg_optimizer_free(work->optimizer);
    gg_model_free(work->model);
}

const bench_kind bench_gpt = {
    .name = "gpt-adamw",
    .variants = {{"", run_gpt}},
    .flops = gpt_flops,
    .open = open_gpt,
    .check = check_gpt,
    .close = close_gpt,
};
