/* bench_kinds_elementwise.c - work without a matrix product: activations, softmax, sums over rows, optimiser passes.
 * Its rate is that of memory: bytes counts every operand moved once. */
#include "bench_case.h"

/* ---- y = f(x), dx = dy f'; size = n; option = gg_activation ---- */

static const char *const activations[] = {"identity", "sigmoid", "tanh",      "relu", "leaky_relu", "elu",
                                          "silu",     "gelu",    "gelu_tanh", "exp",  "log",        NULL};

static const float slope = 0.1f; /* of leaky ReLU and ELU */

static double forward_bytes(const bench_case *line)
{
    return 4.0 * 2.0 * (double)line->size[0];
}

static double gradient_bytes(const bench_case *line)
{
    return 4.0 * 3.0 * (double)line->size[0];
}

static gg_status open_activation(bench_work *work)
{
    const bool positive = work->line->option == GG_LOG;
    work->x = bench_take(work, work->line->size[0], positive ? 0.1f : -4.0f, 4.0f);
    work->y = bench_take_data(work, work->line->size[0]);
    work->dy = bench_take_data(work, work->line->size[0]);
    work->dx = bench_take_data(work, work->line->size[0]);
    return work->status;
}

static gg_status run_activation(bench_work *work)
{
    return gg_activation_forward(work->y, work->x, work->line->size[0], (gg_activation)work->line->option, slope);
}

static gg_status check_activation(bench_work *work, int variant)
{
    const gg_status status = work->line->kind->variants[variant].run(work);
    return status != GG_OK ? status : bench_check_finite("y", work->y, work->line->size[0]);
}

const bench_kind bench_activation = {
    .name = "activation",
    .options = activations,
    .variants = {{"", run_activation}},
    .bytes = forward_bytes,
    .open = open_activation,
    .check = check_activation,
};

/* Random numbers serve as x or as y, whichever f' is given in. */
static gg_status run_activation_gradient(bench_work *work)
{
    return gg_activation_backward(work->dx, work->dy, work->x, work->line->size[0], (gg_activation)work->line->option,
                                  slope, false);
}

static gg_status check_gradient(bench_work *work, int variant)
{
    const gg_status status = work->line->kind->variants[variant].run(work);
    return status != GG_OK ? status : bench_check_finite("dx", work->dx, work->line->size[0]);
}

const bench_kind bench_activation_gradient = {
    .name = "activation",
    .options = activations,
    .variants = {{"gradient", run_activation_gradient}},
    .bytes = gradient_bytes,
    .open = open_activation,
    .check = check_gradient,
};

/* ---- rows of scores; size = rows, cols ---- */

static const char *const directions[] = {"forward", "backward", NULL};

static double matrix_floats(const bench_case *line)
{
    return (double)line->size[0] * (double)line->size[1];
}

static double softmax_bytes(const bench_case *line)
{
    return 4.0 * (line->option == BENCH_FORWARD ? 2.0 : 3.0) * matrix_floats(line);
}

static gg_status open_rows(bench_work *work)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    work->x = bench_take(work, rows * cols, -4.0f, 4.0f);
    work->y = bench_take(work, rows * cols, 0.0f, 2.0f / (float)cols);
    work->dy = bench_take_data(work, rows * cols);
    work->dx = bench_take_data(work, rows * cols);
    work->db = bench_take_data(work, cols);
    work->labels = bench_take_labels(work, rows, cols);
    return work->status;
}

static gg_status run_softmax(bench_work *work)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    if (work->line->option == BENCH_FORWARD)
        return gg_softmax_forward(work->dx, work->x, rows, cols);
    return gg_softmax_backward(work->dx, work->dy, work->y, rows, cols);
}

static gg_status check_rows(bench_work *work, int variant)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    const gg_status status = work->line->kind->variants[variant].run(work);
    return status != GG_OK ? status : bench_check_finite("the result", work->dx, rows * cols);
}

const bench_kind bench_softmax = {
    .name = "softmax",
    .options = directions,
    .variants = {{"", run_softmax}},
    .bytes = softmax_bytes,
    .open = open_rows,
    .check = check_rows,
};

static double cross_entropy_bytes(const bench_case *line)
{
    return 4.0 * 2.0 * matrix_floats(line);
}

/* Loss and gradient in one. */
static gg_status run_cross_entropy(bench_work *work)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    double loss;
    int64_t counted;
    return gg_softmax_cross_entropy(&loss, &counted, work->dx, work->x, work->labels, rows, cols, 1.0f / (float)rows);
}

const bench_kind bench_cross_entropy = {
    .name = "softmax_cross_entropy",
    .variants = {{"", run_cross_entropy}},
    .bytes = cross_entropy_bytes,
    .open = open_rows,
    .check = check_rows,
};

static double sum_rows_bytes(const bench_case *line)
{
    return 4.0 * matrix_floats(line);
}

static gg_status run_sum_rows(bench_work *work)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    return gg_sum_rows(work->db, work->x, cols, rows, cols, false);
}

static gg_status check_sum_rows(bench_work *work, int variant)
{
    const gg_status status = work->line->kind->variants[variant].run(work);
    return status != GG_OK ? status : bench_check_finite("s", work->db, work->line->size[1]);
}

const bench_kind bench_sum_rows = {
    .name = "sum_rows",
    .variants = {{"", run_sum_rows}},
    .bytes = sum_rows_bytes,
    .open = open_rows,
    .check = check_sum_rows,
};

/* ---- one pass of an optimiser; size = weights; option = gg_optimizer_kind ---- */

static const char *const optimizers[] = {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", NULL};

/* Weights and states are read and written, gradients read. */
static double optimizer_bytes(const bench_case *line)
{
    static const double states[] = {[GG_SGD] = 0,     [GG_MOMENTUM] = 1, [GG_NESTEROV] = 1, [GG_ADAGRAD] = 1,
                                    [GG_RMSPROP] = 1, [GG_ADAM] = 2,     [GG_ADAMW] = 2};
    return 4.0 * (3.0 + 2.0 * states[line->option]) * (double)line->size[0];
}

static gg_status open_optimizer(bench_work *work)
{
    const int64_t n = work->line->size[0];
    work->w = bench_take_data(work, n);
    work->dw = bench_take_data(work, n);
    work->state1 = bench_take(work, n, 0.0f, 1.0f);
    work->state2 = bench_take(work, n, 0.0f, 1.0f);
    return work->status;
}

/* So small a rate that thousands of passes leave the weights of the size they had. */
static gg_status run_optimizer(bench_work *work)
{
    const int64_t n = work->line->size[0];
    const float lr = 1e-6f;
    float *w = work->w, *s = work->state1, *v = work->state2, *g = work->dw;
    work->step++;
    switch ((gg_optimizer_kind)work->line->option) {
    case GG_SGD: return gg_update_sgd(w, g, n, lr, 0.0f, 1.0f);
    case GG_MOMENTUM: return gg_update_momentum(w, s, g, n, lr, 0.9f, 0.0f, 1.0f);
    case GG_NESTEROV: return gg_update_nesterov(w, s, g, n, lr, 0.9f, 0.0f, 1.0f);
    case GG_ADAGRAD: return gg_update_adagrad(w, s, g, n, lr, 1e-10f, 0.0f, 1.0f);
    case GG_RMSPROP: return gg_update_rmsprop(w, s, g, n, lr, 0.99f, 1e-8f, 0.0f, 1.0f);
    case GG_ADAM: return gg_update_adam(w, s, v, g, n, lr, 0.9f, 0.999f, 1e-8f, 0.0f, 1.0f, work->step);
    case GG_ADAMW: return gg_update_adamw(w, s, v, g, n, lr, 0.9f, 0.999f, 1e-8f, 0.01f, 1.0f, work->step);
    case GG_OPTIMIZER_COUNT: break;
    }
    return gg_fail(GG_ERR_INTERNAL, "bench: optimiser %d has no case", work->line->option);
}

static gg_status check_optimizer(bench_work *work, int variant)
{
    const gg_status status = work->line->kind->variants[variant].run(work);
    return status != GG_OK ? status : bench_check_finite("w", work->w, work->line->size[0]);
}

const bench_kind bench_optimizer = {
    .name = "optimizer",
    .options = optimizers,
    .variants = {{"", run_optimizer}},
    .bytes = optimizer_bytes,
    .open = open_optimizer,
    .check = check_optimizer,
};
