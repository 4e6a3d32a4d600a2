/* bench_kinds_network.c - layers forward and backward, and whole training steps. Beside each stand the cblas_sgemm
 * calls that its matrix products amount to: with a ratio of 1 or more, everything else, from the bias to the
 * optimiser, costs nothing. */
#include <math.h>

#include "bench_case.h"
#include "bench_check.h"
#include "bench_check_step.h"
#include "reference_layers.h"

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

/* The products, and db = sum of the rows of dY. */
static gg_status check_affine(bench_work *work, int variant)
{
    const int64_t rows = work->line->size[0], out = work->line->size[2];
    double *expected = bench_take_zeros(work, out), *scale = bench_take_zeros(work, out);
    gg_status status = work->status;
    if (status == GG_OK)
        status = bench_check_products(work, variant);
    for (int64_t i = 0; i < rows * out && status == GG_OK; i++) {
        expected[i % out] += (double)work->dy[i];
        scale[i % out] += fabs((double)work->dy[i]);
    }
    return status != GG_OK ? status : bench_check_array("db", 0, work->db, expected, scale, out, REFERENCE_BOUND);
}

const bench_kind bench_affine = {
    .name = "affine",
    .options = layouts,
    .variants = {{"", run_affine}},
    .has_raw = true,
    .flops = affine_flops,
    .bytes = affine_bytes,
    .open = open_affine,
    .check = check_affine,
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

static bench_reference find_reference;

/* Eight samples at a time: a few million products in double. */
static bench_step step_of(const bench_case *line)
{
    return (bench_step){.sample = line->size[1], .part = 8, .reference = find_reference};
}

static gg_status build_model(bench_work *work)
{
    const bench_case *line = work->line;
    const int layers = network_layers(line);
    const gg_activation hidden = line->option == BENCH_SIGMOID_SGD ? GG_SIGMOID : GG_RELU;
    const gg_optimizer_options optimizer = {.kind = line->option == BENCH_RELU_ADAM ? GG_ADAM : GG_SGD};
    const bench_step step = step_of(line);
    gg_status status = gg_model_new(&work->model, 1);
    if (status != GG_OK)
        return status;
    work->input = gg_input(work->model, "x", 2, (int64_t[]){GG_BATCH, line->size[1]});
    work->targets = gg_input_labels(work->model, "t", 1, (int64_t[]){GG_BATCH});
    gg_value x = work->input;
    for (int i = 0; i < layers; i++) {
        const gg_affine_options affine = {.activation = i + 1 < layers ? hidden : GG_IDENTITY};
        x = gg_affine(work->model, x, line->size[i + 2], &affine);
    }
    work->loss = gg_softmax_with_loss(work->model, x, work->targets);
    status = gg_model_plan(work->model, work->loss, line->size[0]);
    if (status == GG_OK)
        status = gg_optimizer_new(&work->optimizer, work->model, &optimizer);
    return status != GG_OK ? status : bench_step_take(work, &step, 0, line->size[0]);
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

/* ---- the same network in double ---- */

typedef struct reference_network {
    reference_pass affine[BENCH_MOST_SIZES], loss;
    int layers;
} reference_network;

/* Parameter `number` of the model as double, its gradient among all of them. */
static double *parameter(bench_work *work, int number, double *gradients, double **gradient)
{
    gg_parameter p;
    if (gg_model_parameter(work->model, number, &p) != GG_OK)
        return NULL;
    *gradient = gradients + p.offset;
    return bench_check_doubles(work, gg_model_parameters(work->model) + p.offset, p.size);
}

static gg_status take_reference(bench_work *work, reference_network *net, int64_t first, int64_t batch,
                                double *gradients)
{
    const bench_case *line = work->line;
    double *x = bench_check_doubles(work, work->x + first * line->size[1], batch * line->size[1]), *dx = NULL;
    net->layers = network_layers(line);
    for (int i = 0; i < net->layers; i++) {
        const int64_t in = line->size[i + 1], out = line->size[i + 2];
        const bool last = i + 1 == net->layers;
        reference_pass *p = &net->affine[i];
        *p = (reference_pass){.rows = batch, .columns = in, .out = out, .x = {x}};
        p->activation = last ? GG_IDENTITY : line->option == BENCH_SIGMOID_SGD ? GG_SIGMOID : GG_RELU;
        p->w = parameter(work, 2 * i, gradients, &p->dw);
        p->b = parameter(work, 2 * i + 1, gradients, &p->db);
        p->dx[0] = i > 0 ? dx : bench_take_zeros(work, batch * in);
        p->y = x = bench_take_zeros(work, batch * out);
        p->dy = dx = bench_take_zeros(work, batch * out);
    }
    net->loss = (reference_pass){.rows = batch, .columns = line->size[net->layers + 1], .x = {x}, .dx = {dx}};
    net->loss.labels = work->labels + first;
    net->loss.y = bench_take_zeros(work, 1);
    double *one = bench_take_zeros(work, 1);
    if (one != NULL)
        *one = 1.0;
    net->loss.dy = one;
    return work->status;
}

static void run_reference(const reference_network *net)
{
    for (int i = 0; i < net->layers; i++)
        reference_affine.forward(&net->affine[i]);
    reference_softmax_with_loss.forward(&net->loss);
    reference_softmax_with_loss.backward(&net->loss);
    for (int i = net->layers - 1; i >= 0; i--)
        reference_affine.backward(&net->affine[i]);
}

static gg_status find_reference(bench_work *work, int64_t first, int64_t count, double *loss, double *gradients)
{
    reference_network net = {.layers = 0};
    const gg_status status = take_reference(work, &net, first, count, gradients);
    if (status != GG_OK)
        return status;
    run_reference(&net);
    *loss = *net.loss.y;
    return GG_OK;
}

/* Loss and gradients at the start. */
static gg_status check_network(bench_work *work, int variant)
{
    const bench_step step = step_of(work->line);
    (void)variant; /* there is one */
    return bench_check_step(work, &step);
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
