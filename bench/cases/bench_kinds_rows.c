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
    work->dy = bench_take_data(work, floats);
    work->dx = bench_take_data(work, floats);
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

/* The reference's pass over the case's numbers, results in new arrays. */
static reference_pass norm_pass(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t rows = line->size[0], cols = line->size[1];
    const bool rms = options_of(line).rms;
    return (reference_pass){.rows = rows,
                            .columns = cols,
                            .epsilon = (double)1e-5f,
                            .rms = rms,
                            .x = {bench_check_doubles(work, work->x, rows * cols)},
                            .dy = bench_check_doubles(work, work->dy, rows * cols),
                            .w = bench_check_doubles(work, work->w, cols),
                            .b = rms ? NULL : bench_check_doubles(work, work->bias, cols),
                            .y = bench_take_zeros(work, rows * cols),
                            .dx = {bench_take_zeros(work, rows * cols)},
                            .dw = bench_take_zeros(work, cols),
                            .db = rms ? NULL : bench_take_zeros(work, cols)};
}

static gg_status compare(const bench_work *work, const reference_pass *expected, const reference_pass *scale)
{
    const int64_t cols = work->line->size[1], floats = work->line->size[0] * cols;
    if (work->line->option == BENCH_FORWARD)
        return bench_check_array("y", 0, work->y, expected->y, scale->y, floats, REFERENCE_BOUND);
    gg_status status = bench_check_array("dx", 0, work->dx, expected->dx[0], scale->dx[0], floats, REFERENCE_BOUND);
    if (status == GG_OK)
        status = bench_check_array("dgamma", 0, work->dw, expected->dw, scale->dw, cols, REFERENCE_BOUND);
    if (status == GG_OK && expected->db != NULL)
        status = bench_check_array("dbeta", 0, work->db, expected->db, scale->db, cols, REFERENCE_BOUND);
    return status;
}

static gg_status check_norm(bench_work *work, int variant)
{
    const reference_pass expected = norm_pass(work), scale = norm_pass(work);
    gg_status status = work->status;
    if (status == GG_OK)
        status = work->line->kind->variants[variant].run(work);
    if (status != GG_OK)
        return status;
    if (work->line->option == BENCH_FORWARD) {
        reference_layer_normalization.forward(&expected);
        reference_layer_normalization.forward_magnitude(&scale);
    } else {
        reference_layer_normalization.backward(&expected);
        reference_layer_normalization.backward_magnitude(&scale);
    }
    return compare(work, &expected, &scale);
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
