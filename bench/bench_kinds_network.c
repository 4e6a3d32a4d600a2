/* bench_kinds_network.c - layers forward and backward, and whole training steps. Beside each stand the cblas_sgemm
 * calls that its matrix products amount to: with a ratio of 1 or more, everything else, from the bias to the
 * optimiser, costs nothing. */
#include "bench_case.h"

/* ---- affine, forward and backward; size = rows, in, out ---- */

static const char *const layouts[] = {"in_out", "out_in", NULL};

static double affine_flops(const bench_case *line)
{
    return 6.0 * (double)line->size[0] * (double)line->size[1] * (double)line->size[2];
}

/* Forward reads X, W and writes Y; backward reads X, W, dY and writes dX, dW. */
static double affine_bytes(const bench_case *line)
{
    const double rows = (double)line->size[0], in = (double)line->size[1], out = (double)line->size[2];
    return 4.0 * (3.0 * rows * in + 3.0 * in * out + 2.0 * rows * out);
}

static gg_status open_affine(bench_work *work)
{
    const int64_t rows = work->line->size[0], in = work->line->size[1], out = work->line->size[2];
    work->x = bench_take_data(work, rows * in);
    work->w = bench_take_data(work, in * out);
    work->bias = bench_take_data(work, out);
    work->y = bench_take_data(work, rows * out);
    work->dy = bench_take_data(work, rows * out);
    work->dx = bench_take_data(work, rows * in);
    work->dw = bench_take_data(work, in * out);
    work->db = bench_take_data(work, out);
    work->raw_is_result = true;
    const bool in_out = work->line->option == BENCH_IN_OUT;
    bench_add_raw(work, work->y, work->x, work->w, rows, out, in, false, !in_out)->bias = work->bias;
    bench_add_raw(work, work->dx, work->dy, work->w, rows, in, out, false, in_out);
    if (in_out)
        bench_add_raw(work, work->dw, work->x, work->dy, in, out, rows, true, false);
    else
        bench_add_raw(work, work->dw, work->dy, work->x, out, in, rows, true, false);
    return work->status;
}

static gg_status run_affine(bench_work *work)
{
    const int64_t rows = work->line->size[0], in = work->line->size[1], out = work->line->size[2];
    const bool in_out = work->line->option == BENCH_IN_OUT;
    const gg_matmul_options options = {.layout = in_out ? GG_IN_OUT : GG_OUT_IN};
    const int64_t ldw = in_out ? out : in;
    const gg_status status =
        gg_matmul_forward(work->y, out, work->x, in, work->w, ldw, work->bias, rows, in, out, &options);
    if (status != GG_OK)
        return status;
    return gg_matmul_backward(work->dx, in, work->dw, ldw, work->db, work->dy, out, work->x, in, work->w, ldw, rows, in,
                              out, &options);
}

const bench_kind bench_affine = {
    .name = "affine",
    .options = layouts,
    .variants = {{"", run_affine}},
    .has_raw = true,
    .flops = affine_flops,
    .bytes = affine_bytes,
    .open = open_affine,
};

/* ---- a training step of a perceptron; size = batch, inputs, hidden ..., classes ---- */

static const char *const network_options[] = {"relu-sgd", "relu-adam", "sigmoid-sgd", NULL};

static int network_layers(const bench_case *line)
{
    int sizes = 0;
    while (sizes < BENCH_MOST_SIZES && line->size[sizes] != 0)
        sizes++;
    return sizes - 2;
}

/* Forward, dW, and dX of all layers but the first. */
static double network_flops(const bench_case *line)
{
    double flops = 0.0;
    for (int i = 0; i < network_layers(line); i++)
        flops += (i == 0 ? 4.0 : 6.0) * (double)line->size[0] * (double)line->size[i + 1] * (double)line->size[i + 2];
    return flops;
}

static gg_status build_model(bench_work *work)
{
    const bench_case *line = work->line;
    const int layers = network_layers(line);
    const gg_activation hidden = line->option == BENCH_SIGMOID_SGD ? GG_SIGMOID : GG_RELU;
    const gg_optimizer_options optimizer = {.kind = line->option == BENCH_RELU_ADAM ? GG_ADAM : GG_SGD};
    gg_status status = gg_model_new(&work->model, 1);
    if (status != GG_OK)
        return status;
    const gg_value input = gg_input(work->model, "x", 2, (int64_t[]){GG_BATCH, line->size[1]});
    const gg_value labels = gg_input_labels(work->model, "t", 1, (int64_t[]){GG_BATCH});
    gg_value x = input;
    for (int i = 0; i < layers; i++) {
        const gg_affine_options affine = {.activation = i + 1 < layers ? hidden : GG_IDENTITY};
        x = gg_affine(work->model, x, line->size[i + 2], &affine);
    }
    work->loss = gg_softmax_with_loss(work->model, x, labels);
    status = gg_model_plan(work->model, work->loss, line->size[0]);
    if (status == GG_OK)
        status = gg_optimizer_new(&work->optimizer, work->model, &optimizer);
    if (status == GG_OK)
        status = gg_model_bind(work->model, input, work->x);
    return status != GG_OK ? status : gg_model_bind_labels(work->model, labels, work->labels);
}

/* The products of all layers on operands of their own: the model's are its own business. */
static void add_raw_products(bench_work *work)
{
    const int64_t batch = work->line->size[0];
    const float *x = work->x;
    for (int i = 0; i < network_layers(work->line); i++) {
        const int64_t in = work->line->size[i + 1], out = work->line->size[i + 2];
        float *w = bench_take_data(work, in * out), *dw = bench_take_data(work, in * out);
        float *y = bench_take_data(work, batch * out), *dx = bench_take_data(work, batch * in);
        bench_add_raw(work, y, x, w, batch, out, in, false, false);
        bench_add_raw(work, dw, x, y, in, out, batch, true, false);
        if (i > 0)
            bench_add_raw(work, dx, y, w, batch, in, out, false, true);
        x = y;
    }
}

static gg_status open_network(bench_work *work)
{
    const int64_t batch = work->line->size[0], inputs = work->line->size[1];
    work->x = bench_take(work, batch * inputs, -1.0f, 1.0f);
    work->labels = bench_take_labels(work, batch, work->line->size[network_layers(work->line) + 1]);
    add_raw_products(work);
    return work->status != GG_OK ? work->status : build_model(work);
}

/* So small a rate that the batch is not learnt by heart while it is timed: gradients would sink to subnormal numbers,
 * which some CPUs are slow at. bench/peers/torch_peers.py takes the same. */
static const float RATE = 1e-5f;

static gg_status run_network(bench_work *work)
{
    gg_status status = gg_model_forward(work->model, work->loss, GG_TRAIN);
    if (status == GG_OK)
        status = gg_model_backward(work->model);
    return status == GG_OK ? gg_optimizer_step(work->optimizer, RATE) : status;
}

/* A fixed batch is being learnt by heart: its loss must fall. */
static gg_status check_network(bench_work *work, int variant)
{
    enum { STEPS = 10 };
    double before = 0.0;
    for (int i = 0; i < STEPS; i++) {
        const gg_status status = work->line->kind->variants[variant].run(work);
        if (status != GG_OK)
            return status;
        if (i == 0)
            before = gg_model_loss(work->model);
    }
    const double after = gg_model_loss(work->model);
    if (!(after < before))
        return gg_fail(GG_ERR_NUMERIC, "the loss went from %g to %g in %d steps", before, after, STEPS);
    return GG_OK;
}

static void close_network(bench_work *work)
{
    gg_optimizer_free(work->optimizer);
    gg_model_free(work->model);
}

const bench_kind bench_network = {
    .name = "perceptron",
    .options = network_options,
    .variants = {{"", run_network}},
    .has_raw = true,
    .flops = network_flops,
    .open = open_network,
    .check = check_network,
    .close = close_network,
};
