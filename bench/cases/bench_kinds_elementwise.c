/* bench_kinds_elementwise.c - work without a matrix product: activations, softmax, sums over rows, optimiser passes.
 * Its rate is that of memory: bytes counts every operand moved once. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "bench_case.h"
#include "bench_check.h"
#include "bench_random.h"
#include "reference_elementwise.h"
#include "reference_softmax.h"
#include "reference_update.h"

/* Elements that are checked at a time. */
enum { CHUNK = 1024 };

/* Of an array of more stretches of that length, the first, the last, and others drawn, so many in all. */
enum { MOST_STRETCHES = 4096, LOOKED_AT = 256 };

static int64_t stretches_of(int64_t n)
{
    const int64_t all = (n + CHUNK - 1) / CHUNK;
    return all <= MOST_STRETCHES ? all : LOOKED_AT;
}

/* Where the one of that number begins. */
static int64_t stretch_at(int64_t n, int64_t number, bench_random *random)
{
    const int64_t all = (n + CHUNK - 1) / CHUNK;
    if (all <= MOST_STRETCHES || number == 0)
        return number * CHUNK;
    return CHUNK * (number == 1 ? all - 1 : (int64_t)(bench_random_next(random) % (uint64_t)all));
}

/* The variant's result over NaN, of which none may be left. */
static gg_status run_over_nan(bench_work *work, int variant, float *result, int64_t n)
{
    bool finite = false;
    memset(result, 0xFF, (size_t)n * sizeof *result);
    gg_status status = work->line->kind->variants[variant].run(work);
    if (status == GG_OK)
        status = gg_all_finite(&finite, result, n);
    return status != GG_OK || finite ? status : gg_fail(GG_ERR_NUMERIC, "the result is not written everywhere");
}

/* Vector kernels keep within 4 units in the last place, a few of which meet in a term; exp carries the rounding of its
 * argument along. */
static const double BOUND = 16.0, BOUND_OF_EXP = 64.0;

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
    const int64_t n = work->line->size[0];
    work->x = bench_take(work, n, work->line->option == GG_LOG ? 0.1f : -4.0f, 4.0f);
    if (work->line->kind == &bench_activation) {
        work->y = bench_take_data(work, n);
        return work->status;
    }
    work->dy = bench_take_data(work, n);
    work->dx = bench_take_data(work, n);
    return work->status;
}

static gg_status run_activation(bench_work *work)
{
    return gg_activation_forward(work->y, work->x, work->line->size[0], (gg_activation)work->line->option, slope);
}

static gg_status check_activation(bench_work *work, int variant)
{
    const int64_t n = work->line->size[0];
    bench_random random = {.state = 1};
    gg_status status = run_over_nan(work, variant, work->y, n);
    for (int64_t i = 0; i < stretches_of(n) && status == GG_OK; i++) {
        double expected[CHUNK];
        const int64_t first = stretch_at(n, i, &random), count = n - first < CHUNK ? n - first : CHUNK;
        for (int64_t j = 0; j < count; j++)
            expected[j] =
                reference_activation((gg_activation)work->line->option, (double)work->x[first + j], (double)slope);
        status = bench_check_array("y", first, work->y + first, expected, NULL, count, BOUND);
    }
    return status;
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
    const gg_activation f = (gg_activation)work->line->option;
    const int64_t n = work->line->size[0];
    bench_random random = {.state = 1};
    gg_status status = run_over_nan(work, variant, work->dx, n);
    for (int64_t i = 0; i < stretches_of(n) && status == GG_OK; i++) {
        double expected[CHUNK], scale[CHUNK];
        const int64_t first = stretch_at(n, i, &random), count = n - first < CHUNK ? n - first : CHUNK;
        for (int64_t j = 0; j < count; j++) {
            const double dy = (double)work->dy[first + j], x = (double)work->x[first + j];
            expected[j] = dy * reference_slope(f, x, (double)slope);
            scale[j] = fabs(dy) * reference_slope_scale(f, x, (double)slope);
        }
        status = bench_check_array("dx", first, work->dx + first, expected, scale, count, BOUND);
    }
    return status;
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

static gg_status open_scores(bench_work *work)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    if (work->line->option == BENCH_FORWARD) {
        work->x = bench_take(work, rows * cols, -4.0f, 4.0f);
    } else {
        work->y = bench_take(work, rows * cols, 0.0f, 2.0f / (float)cols);
        work->dy = bench_take_data(work, rows * cols);
    }
    work->dx = bench_take_data(work, rows * cols);
    return work->status;
}

static gg_status open_rows(bench_work *work)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    work->x = bench_take(work, rows * cols, -4.0f, 4.0f);
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

/* Sums over a row of terms of both signs are measured by the sum of their magnitudes. */
static void softmax_backward_scale(double *scale, const double *dy, const double *y, int64_t cols)
{
    double sum = 0.0;
    for (int64_t c = 0; c < cols; c++)
        sum += fabs(dy[c] * y[c]);
    for (int64_t c = 0; c < cols; c++)
        scale[c] = fabs(y[c]) * (fabs(dy[c]) + sum);
}

static gg_status check_softmax(bench_work *work, int variant)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    const bool forward = work->line->option == BENCH_FORWARD;
    double *a = bench_take_zeros(work, cols), *b = bench_take_zeros(work, cols);
    double *expected = bench_take_zeros(work, cols), *scale = bench_take_zeros(work, cols);
    gg_status status = work->status;
    if (status == GG_OK)
        status = work->line->kind->variants[variant].run(work);
    for (int64_t r = 0; r < rows && status == GG_OK; r++) {
        for (int64_t c = 0; c < cols; c++) {
            a[c] = (double)(forward ? work->x : work->dy)[r * cols + c];
            b[c] = forward ? 0.0 : (double)work->y[r * cols + c];
        }
        if (forward)
            reference_softmax(expected, a, 1, cols);
        else
            reference_softmax_backward(expected, a, b, 1, cols);
        softmax_backward_scale(scale, a, b, cols);
        status = bench_check_array("the result", r * cols, work->dx + r * cols, expected, forward ? NULL : scale, cols,
                                   BOUND_OF_EXP);
    }
    return status;
}

const bench_kind bench_softmax = {
    .name = "softmax",
    .options = directions,
    .variants = {{"", run_softmax}},
    .bytes = softmax_bytes,
    .open = open_scores,
    .check = check_softmax,
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

static gg_status check_cross_entropy(bench_work *work, int variant)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    const double factor = (double)(1.0f / (float)rows);
    double *x = bench_take_zeros(work, cols), *expected = bench_take_zeros(work, cols);
    double *scale = bench_take_zeros(work, cols);
    gg_status status = work->status;
    if (status == GG_OK)
        status = work->line->kind->variants[variant].run(work);
    for (int64_t r = 0; r < rows && status == GG_OK; r++) {
        for (int64_t c = 0; c < cols; c++)
            x[c] = (double)work->x[r * cols + c];
        reference_cross_entropy(expected, x, work->labels + r, 1, cols, factor);
        for (int64_t c = 0; c < cols; c++)
            scale[c] = fabs(expected[c]) + (c == work->labels[r] ? 2.0 * factor : 0.0);
        status = bench_check_array("dx", r * cols, work->dx + r * cols, expected, scale, cols, BOUND_OF_EXP);
    }
    return status;
}

const bench_kind bench_cross_entropy = {
    .name = "softmax_cross_entropy",
    .variants = {{"", run_cross_entropy}},
    .bytes = cross_entropy_bytes,
    .open = open_rows,
    .check = check_cross_entropy,
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
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    double *x = bench_check_doubles(work, work->x, rows * cols);
    double *expected = bench_take_zeros(work, cols), *scale = bench_take_zeros(work, cols);
    if (work->status != GG_OK)
        return work->status;
    reference_sum_rows(expected, scale, x, cols, rows, cols);
    const gg_status status = work->line->kind->variants[variant].run(work);
    return status != GG_OK ? status : bench_check_array("s", 0, work->db, expected, scale, cols, BOUND);
}

const bench_kind bench_sum_rows = {
    .name = "sum_rows",
    .variants = {{"", run_sum_rows}},
    .bytes = sum_rows_bytes,
    .open = open_rows,
    .check = check_sum_rows,
};

/* ---- one pass of an optimiser; size = weights; option = gg_optimizer_kind ---- */

static const char *const optimizers[] = {"sgd",  "momentum", "nesterov", "adagrad", "rmsprop",
                                         "adam", "adamw",    "lion",     NULL};

/* Weights and states are read and written, gradients read. */
static double optimizer_bytes(const bench_case *line)
{
    static const double states[] = {[GG_SGD] = 0,     [GG_MOMENTUM] = 1, [GG_NESTEROV] = 1, [GG_ADAGRAD] = 1,
                                    [GG_RMSPROP] = 1, [GG_ADAM] = 2,     [GG_ADAMW] = 2,    [GG_LION] = 1};
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
    case GG_LION: return gg_update_lion(w, s, g, n, lr, 0.9f, 0.99f, 0.01f, 1.0f);
    default: break;
    }
    return gg_fail(GG_ERR_INTERNAL, "bench: optimiser %d has no case", work->line->option);
}

/* The same step in double, on a few weights at a time; it is not the first when a call was timed before. */
typedef struct chunk {
    double w[CHUNK], s[CHUNK], v[CHUNK], g[CHUNK], scale[CHUNK];
} chunk;

static void reference_step(const bench_work *work, chunk *c, int64_t n)
{
    const double lr = (double)1e-6f, epsilon = (double)1e-8f, beta1 = (double)0.9f, beta2 = (double)0.999f;
    switch ((gg_optimizer_kind)work->line->option) {
    case GG_SGD: reference_sgd(c->w, c->scale, c->g, n, lr, 0.0, 1.0); break;
    case GG_MOMENTUM: reference_momentum(c->w, c->s, c->scale, c->g, n, lr, beta1, 0.0, 1.0, false); break;
    case GG_NESTEROV: reference_momentum(c->w, c->s, c->scale, c->g, n, lr, beta1, 0.0, 1.0, true); break;
    case GG_ADAGRAD: reference_adagrad(c->w, c->s, c->scale, c->g, n, lr, (double)1e-10f, 0.0, 1.0); break;
    case GG_RMSPROP: reference_rmsprop(c->w, c->s, c->scale, c->g, n, lr, (double)0.99f, epsilon, 0.0, 1.0); break;
    case GG_ADAM:
    case GG_ADAMW: {
        const bool decoupled = work->line->option == GG_ADAMW;
        reference_adam(c->w, c->s, c->v, c->scale, c->g, n, lr, beta1, beta2, epsilon, decoupled ? (double)0.01f : 0.0,
                       1.0, work->step, decoupled);
        break;
    }
    case GG_LION: reference_lion(c->w, c->s, c->scale, c->g, n, lr, beta1, (double)0.99f, (double)0.01f, 1.0); break;
    default: break;
    }
}

/* Weights and states as they are before the step, to be compared with afterwards. */
static gg_status check_optimizer(bench_work *work, int variant)
{
    const int64_t n = work->line->size[0];
    float *before = bench_take_data(work, 3 * n);
    if (work->status != GG_OK)
        return work->status;
    memcpy(before, work->w, (size_t)n * sizeof *before);
    memcpy(before + n, work->state1, (size_t)n * sizeof *before);
    memcpy(before + 2 * n, work->state2, (size_t)n * sizeof *before);
    gg_status status = work->line->kind->variants[variant].run(work);
    for (int64_t first = 0; first < n && status == GG_OK; first += CHUNK) {
        chunk c;
        const int64_t count = n - first < CHUNK ? n - first : CHUNK;
        for (int64_t i = 0; i < count; i++) {
            c.w[i] = (double)before[first + i];
            c.s[i] = (double)before[n + first + i];
            c.v[i] = (double)before[2 * n + first + i];
            c.g[i] = (double)work->dw[first + i];
        }
        reference_step(work, &c, count);
        status = bench_check_array("w", first, work->w + first, c.w, c.scale, count, BOUND);
    }
    return status;
}

const bench_kind bench_optimizer = {
    .name = "optimizer",
    .options = optimizers,
    .variants = {{"", run_optimizer}},
    .bytes = optimizer_bytes,
    .open = open_optimizer,
    .check = check_optimizer,
};
