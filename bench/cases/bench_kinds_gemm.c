/* bench_kinds_gemm.c - products of two matrices: gg_gemm, packed operands, batches, and the three products of a layer.
 * Beside each stands one cblas_sgemm call of the same shape on the same operands. */
#include "bench_case.h"

static double product_flops(const bench_case *line)
{
    return 2.0 * (double)line->size[0] * (double)line->size[1] * (double)line->size[2];
}

static double product_bytes(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1], k = (double)line->size[2];
    return 4.0 * (m * n + m * k + k * n);
}

/* ---- C = op(A) op(B); size = m, n, k ---- */

static const char *const transposes[] = {"nn", "nt", "tn", "tt", NULL};

static bool transposes_a(const bench_case *line)
{
    return line->option == BENCH_TN || line->option == BENCH_TT;
}

static bool transposes_b(const bench_case *line)
{
    return line->option == BENCH_NT || line->option == BENCH_TT;
}

static gg_status open_gemm(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t m = line->size[0], n = line->size[1], k = line->size[2];
    int64_t packed = 0;
    const gg_status status = gg_gemm_packed_size(&packed, k, n);
    if (status != GG_OK)
        return status;
    work->x = bench_take_data(work, m * k);
    work->w = bench_take_data(work, k * n);
    work->y = bench_take_data(work, m * n);
    work->packed = bench_take_data(work, packed);
    if (work->status != GG_OK)
        return work->status;
    bench_add_raw(work, work->y, work->x, work->w, m, n, k, transposes_a(line), transposes_b(line));
    return gg_gemm_pack(work->packed, work->w, transposes_b(line) ? k : n, k, n,
                        transposes_b(line) ? GG_TRANSPOSE : GG_NO_TRANSPOSE);
}

static gg_status run_gemm(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t m = line->size[0], n = line->size[1], k = line->size[2];
    const bool ta = transposes_a(line), tb = transposes_b(line);
    return gg_gemm(work->y, n, work->x, ta ? m : k, work->w, tb ? k : n, m, n, k, ta ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                   tb ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1.0f, 0.0f);
}

static gg_status run_packed(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t m = line->size[0], n = line->size[1], k = line->size[2];
    const bool ta = transposes_a(line);
    return gg_gemm_packed(work->y, n, work->x, ta ? m : k, work->packed, m, n, k, ta ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                          1.0f, 0.0f);
}

const bench_kind bench_gemm = {
    .name = "gemm",
    .options = transposes,
    .variants = {{"", run_gemm}, {"packed", run_packed}},
    .has_raw = true,
    .flops = product_flops,
    .bytes = product_bytes,
    .open = open_gemm,
};

/* ---- `batch` products at once; size = m, n, k, batch ---- */

static double batch_flops(const bench_case *line)
{
    return (double)line->size[3] * product_flops(line);
}

static double batch_bytes(const bench_case *line)
{
    return (double)line->size[3] * product_bytes(line);
}

static gg_status open_batch(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t m = line->size[0], n = line->size[1], k = line->size[2], batch = line->size[3];
    work->x = bench_take_data(work, batch * m * k);
    work->w = bench_take_data(work, batch * k * n);
    work->y = bench_take_data(work, batch * m * n);
    if (work->status != GG_OK)
        return work->status;
    bench_sgemm *raw = bench_add_raw(work, work->y, work->x, work->w, m, n, k, transposes_a(line), transposes_b(line));
    raw->count = (int)batch;
    raw->stride_c = m * n;
    raw->stride_a = m * k;
    raw->stride_b = k * n;
    return GG_OK;
}

static gg_status run_batch(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t m = line->size[0], n = line->size[1], k = line->size[2], batch = line->size[3];
    const bool ta = transposes_a(line), tb = transposes_b(line);
    return gg_gemm_batch(work->y, n, m * n, work->x, ta ? m : k, m * k, work->w, tb ? k : n, k * n, batch, m, n, k,
                         ta ? GG_TRANSPOSE : GG_NO_TRANSPOSE, tb ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1.0f, 0.0f);
}

const bench_kind bench_gemm_batch = {
    .name = "gemm_batch",
    .options = transposes,
    .variants = {{"", run_batch}},
    .has_raw = true,
    .flops = batch_flops,
    .bytes = batch_bytes,
    .open = open_batch,
};

/* ---- the products of a layer; size = rows, in, out ---- */

static const char *const layouts[] = {"in_out", "out_in", NULL};

static bool stored_in_out(const bench_case *line)
{
    return line->option == BENCH_IN_OUT;
}

static gg_matmul_options layer_options(const bench_case *line)
{
    return (gg_matmul_options){.layout = stored_in_out(line) ? GG_IN_OUT : GG_OUT_IN};
}

static void take_layer(bench_work *work)
{
    const int64_t rows = work->line->size[0], in = work->line->size[1], out = work->line->size[2];
    work->x = bench_take_data(work, rows * in);
    work->w = bench_take_data(work, in * out);
    work->y = bench_take_data(work, rows * out);
}

/* Y = X W: W in x out as it lies, or out x in transposed. */
static gg_status open_forward(bench_work *work)
{
    const bench_case *line = work->line;
    take_layer(work);
    bench_add_raw(work, work->y, work->x, work->w, line->size[0], line->size[2], line->size[1], false,
                  !stored_in_out(line));
    return work->status;
}

static gg_status run_forward(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t rows = line->size[0], in = line->size[1], out = line->size[2];
    const gg_matmul_options options = layer_options(line);
    return gg_matmul_forward(work->y, out, work->x, in, work->w, stored_in_out(line) ? out : in, NULL, rows, in, out,
                             &options);
}

const bench_kind bench_forward = {
    .name = "matmul",
    .options = layouts,
    .variants = {{"", run_forward}},
    .has_raw = true,
    .flops = product_flops,
    .bytes = product_bytes,
    .open = open_forward,
};

/* dX = dY W^T. */
static gg_status open_dx(bench_work *work)
{
    const bench_case *line = work->line;
    take_layer(work);
    bench_add_raw(work, work->x, work->y, work->w, line->size[0], line->size[1], line->size[2], false,
                  stored_in_out(line));
    return work->status;
}

static gg_status run_dx(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t rows = line->size[0], in = line->size[1], out = line->size[2];
    const gg_matmul_options options = layer_options(line);
    const int64_t ldw = stored_in_out(line) ? out : in;
    return gg_matmul_backward(work->x, in, NULL, ldw, NULL, work->y, out, NULL, in, work->w, ldw, rows, in, out,
                              &options);
}

const bench_kind bench_dx = {
    .name = "dx",
    .options = layouts,
    .variants = {{"", run_dx}},
    .has_raw = true,
    .flops = product_flops,
    .bytes = product_bytes,
    .open = open_dx,
};

/* dW = X^T dY, or (dW)^T = dY^T X where that is how W is stored. */
static gg_status open_dw(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t rows = line->size[0], in = line->size[1], out = line->size[2];
    take_layer(work);
    if (stored_in_out(line))
        bench_add_raw(work, work->w, work->x, work->y, in, out, rows, true, false);
    else
        bench_add_raw(work, work->w, work->y, work->x, out, in, rows, true, false);
    return work->status;
}

static gg_status run_dw(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t rows = line->size[0], in = line->size[1], out = line->size[2];
    const gg_matmul_options options = layer_options(line);
    const int64_t ldw = stored_in_out(line) ? out : in;
    return gg_matmul_backward(NULL, in, work->w, ldw, NULL, work->y, out, work->x, in, NULL, ldw, rows, in, out,
                              &options);
}

const bench_kind bench_dw = {
    .name = "dw",
    .options = layouts,
    .variants = {{"", run_dw}},
    .has_raw = true,
    .flops = product_flops,
    .bytes = product_bytes,
    .open = open_dw,
};
