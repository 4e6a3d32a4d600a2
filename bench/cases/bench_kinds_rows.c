/* bench_kinds_rows.c - layer and RMS normalisation of rows. Its rate is that of memory: bytes counts every operand
 * moved once. size = rows, cols. */
#include "bench_case.h"
#include "bench_check.h"
#include "reference_transformer.h"

static const char *const directions[] = {"forward", "backward", NULL};

static double floats_of(const bench_case *line)
{
    return (double)line->size[0] * (double)line->size[1];
}

/* x and y, or dy, x and dx. */
static double norm_bytes(const bench_case *line)
{
    return 4.0 * (line->option == BENCH_FORWARD ? 2.0 : 3.0) * floats_of(line);
}

static gg_layernorm_options options_of(const bench_case *line)
{
    return (gg_layernorm_options){.rms = line->kind == &bench_rms_norm};
}

/* mean and inverse are state1 and state2. */
static gg_status normalize(bench_work *work)
{
    const gg_layernorm_options options = options_of(work->line);
    return gg_layernorm_forward(work->y, work->state1, work->state2, work->x, work->w, work->bias, work->line->size[0],
                                work->line->size[1], &options);
}

static gg_status open_norm(bench_work *work)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1], floats = rows * cols;
    gg_status status = gg_layernorm_workspace(&work->workspace_floats, rows, cols);
    if (status != GG_OK)
        return status;
    work->x = bench_take_data(work, floats);
    work->y = bench_take_data(work, floats);
    if (work->line->option == BENCH_BACKWARD) { /* which needs what forward finds, but for y */
        work->dy = bench_take_data(work, floats);
        work->dx = work->y;
    }
    work->w = bench_take(work, cols, 0.5f, 1.5f);
    work->bias = bench_take_data(work, cols);
    work->dw = bench_take_data(work, cols);
    work->db = bench_take_data(work, cols);
    work->state1 = bench_take_data(work, rows);
    work->state2 = bench_take_data(work, rows);
    work->workspace = bench_take_data(work, work->workspace_floats);
    if (work->line->kind == &bench_rms_norm)
        work->bias = NULL;
    return work->status == GG_OK ? normalize(work) : work->status;
}

static gg_status run_norm(bench_work *work)
{
    const bench_case *line = work->line;
    const gg_layernorm_options options = options_of(line);
    if (line->option == BENCH_FORWARD)
        return normalize(work);
    return gg_layernorm_backward(work->dx, work->dw, options.rms ? NULL : work->db, work->dy, work->x, work->state1,
                                 work->state2, work->w, line->size[0], line->size[1], &options, false, false,
                                 work->workspace, work->workspace_floats);
}

/* ---- checks: so many rows at a time go through the reference, whose arrays the caches hold then ---- */

enum { CHUNK = 64 };

/* A chunk in double, and its magnitudes; what it adds to the gradients of the parameters, and their sums so far. */
typedef struct reference {
    reference_pass value, scale;
    double *sums[4]; /* dgamma, dbeta and their magnitudes */
} reference;

static reference_pass chunk_pass(bench_work *work)
{
    const int64_t cols = work->line->size[1];
    const bool rms = options_of(work->line).rms;
    return (reference_pass){.columns = cols,
                            .epsilon = (double)1e-5f,
                            .rms = rms,
                            .w = bench_check_doubles(work, work->w, cols),
                            .b = rms ? NULL : bench_check_doubles(work, work->bias, cols),
                            .y = bench_take_zeros(work, CHUNK * cols),
                            .dx = {bench_take_zeros(work, CHUNK * cols)},
                            .dw = bench_take_zeros(work, cols),
                            .db = rms ? NULL : bench_take_zeros(work, cols)};
}

static void to_doubles(double *out, const float *in, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (double)in[i];
}

static gg_status check_forward(const bench_work *work, reference *r, int64_t first, int64_t floats)
{
    reference_layer_normalization.forward(&r->value);
    reference_layer_normalization.forward_magnitude(&r->scale);
    return bench_check_array("y", first, work->y + first, r->value.y, r->scale.y, floats, REFERENCE_BOUND);
}

static gg_status check_backward(const bench_work *work, reference *r, int64_t first, int64_t floats)
{
    const double *found[4] = {r->value.dw, r->value.db, r->scale.dw, r->scale.db};
    reference_layer_normalization.backward(&r->value);
    reference_layer_normalization.backward_magnitude(&r->scale);
    for (int i = 0; i < 4; i++)
        for (int64_t c = 0; c < r->value.columns && found[i] != NULL; c++)
            r->sums[i][c] += found[i][c];
    return bench_check_array("dx", first, work->dx + first, r->value.dx[0], r->scale.dx[0], floats, REFERENCE_BOUND);
}

static gg_status check_parameters(const bench_work *work, const reference *r)
{
    const int64_t cols = work->line->size[1];
    gg_status status = bench_check_array("dgamma", 0, work->dw, r->sums[0], r->sums[2], cols, REFERENCE_BOUND);
    if (status == GG_OK && r->value.db != NULL)
        status = bench_check_array("dbeta", 0, work->db, r->sums[1], r->sums[3], cols, REFERENCE_BOUND);
    return status;
}

static gg_status check_norm(bench_work *work, int variant)
{
    const int64_t rows = work->line->size[0], cols = work->line->size[1];
    const bool forward = work->line->option == BENCH_FORWARD;
    reference r = {.value = chunk_pass(work), .scale = chunk_pass(work)};
    double *x = bench_take_zeros(work, CHUNK * cols), *dy = bench_take_zeros(work, CHUNK * cols);
    for (int i = 0; i < 4; i++)
        r.sums[i] = bench_take_zeros(work, cols);
    gg_status status = work->status;
    r.value.x[0] = r.scale.x[0] = x;
    r.value.dy = r.scale.dy = dy;
    if (status == GG_OK)
        status = work->line->kind->variants[variant].run(work);
    for (int64_t row = 0; row < rows && status == GG_OK; row += CHUNK) {
        const int64_t count = rows - row < CHUNK ? rows - row : CHUNK;
        r.value.rows = r.scale.rows = count;
        to_doubles(x, work->x + row * cols, count * cols);
        if (!forward)
            to_doubles(dy, work->dy + row * cols, count * cols);
        status = forward ? check_forward(work, &r, row * cols, count * cols)
                         : check_backward(work, &r, row * cols, count * cols);
    }
    return status != GG_OK || forward ? status : check_parameters(work, &r);
}

const bench_kind bench_layer_norm = {
    .name = "layer_normalization",
    .options = directions,
    .variants = {{"", run_norm}},
    .bytes = norm_bytes,
    .open = open_norm,
    .check = check_norm,
};

const bench_kind bench_rms_norm = {
    .name = "rms_normalization",
    .options = directions,
    .variants = {{"", run_norm}},
    .bytes = norm_bytes,
    .open = open_norm,
    .check = check_norm,
};
