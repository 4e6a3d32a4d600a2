/* bench_kinds_lapack.c - linear systems, QR, eigenvalues and singular values. Beside each stands the direct LAPACKE
 * call on column-major data, with the BLAS's own threads; it destroys its input, so that a repetition begins with a
 * copy of it.
 *
 * Counts of multiply-adds and additions are those of Golub and Van Loan, "Matrix Computations", 4th edition; the ones
 * for eigenvalues (9 n^3) and singular values (14 m n^2 + 8 n^3) belong to algorithms that work harder than LAPACK's
 * division: a way to compare machines, not a share of the peak. */
#include <string.h>

#include "bench_lapack.h"

/* ---- A X = B; size = n, right-hand sides ---- */

static double lu_flops(const bench_case *line)
{
    const double n = (double)line->size[0], nrhs = (double)line->size[1];
    return 2.0 / 3.0 * n * n * n + 2.0 * n * n * nrhs;
}

static double cholesky_flops(const bench_case *line)
{
    const double n = (double)line->size[0], nrhs = (double)line->size[1];
    return n * n * n / 3.0 + 2.0 * n * n * nrhs;
}

static double square_bytes(const bench_case *line)
{
    const double n = (double)line->size[0], nrhs = (double)line->size[1];
    return 4.0 * (n * n + 2.0 * n * nrhs);
}

static gg_status open_lu(bench_work *work)
{
    const int64_t n = work->line->size[0], nrhs = work->line->size[1];
    const gg_status status = bench_lapack_open(work, GG_LAPACK_LU_SOLVE, n, n, nrhs);
    if (status == GG_OK)
        bench_lapack_turn(work, n, n, nrhs);
    return status;
}

static gg_status run_lu(bench_work *work)
{
    const int64_t n = work->line->size[0], nrhs = work->line->size[1];
    return gg_lu_solve(work->y, nrhs, NULL, work->x, n, work->w, nrhs, n, nrhs, GG_NO_TRANSPOSE, work->space,
                       work->space_bytes);
}

static gg_status raw_lu(bench_work *work)
{
    const int n = (int)work->line->size[0], nrhs = (int)work->line->size[1];
    if (bench_lapacke.gesv == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, n, n, nrhs);
    return bench_lapack_result(
        "sgesv", bench_lapacke.gesv(BENCH_COLUMN_MAJOR, n, nrhs, work->packed, n, work->labels, work->bias, n));
}

static gg_status check_square(bench_work *work, int variant)
{
    (void)variant;
    return bench_lapack_check_columns(work, work->line->size[0], work->line->size[0], work->line->size[1], false, 0.0);
}

const bench_kind bench_lu_solve = {
    .name = "lu_solve",
    .variants = {{"", run_lu}},
    .has_raw = true,
    .raw = raw_lu,
    .flops = lu_flops,
    .bytes = square_bytes,
    .open = open_lu,
    .check = check_square,
};

/* |a_ij| < 1: n on the diagonal makes it positive definite. */
static gg_status open_cholesky(bench_work *work)
{
    const int64_t n = work->line->size[0], nrhs = work->line->size[1];
    const gg_status status = bench_lapack_open(work, GG_LAPACK_CHOLESKY_SOLVE, n, n, nrhs);
    if (status != GG_OK)
        return status;
    bench_lapack_symmetric(work->x, n, (float)n);
    bench_lapack_turn(work, n, n, nrhs);
    return GG_OK;
}

static gg_status run_cholesky(bench_work *work)
{
    const int64_t n = work->line->size[0], nrhs = work->line->size[1];
    return gg_cholesky_solve(work->y, nrhs, NULL, work->x, n, work->w, nrhs, n, nrhs, work->space, work->space_bytes);
}

static gg_status raw_cholesky(bench_work *work)
{
    const int n = (int)work->line->size[0], nrhs = (int)work->line->size[1];
    if (bench_lapacke.posv == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, n, n, nrhs);
    return bench_lapack_result("sposv",
                               bench_lapacke.posv(BENCH_COLUMN_MAJOR, 'L', n, nrhs, work->packed, n, work->bias, n));
}

const bench_kind bench_cholesky_solve = {
    .name = "cholesky_solve",
    .variants = {{"", run_cholesky}},
    .has_raw = true,
    .raw = raw_cholesky,
    .flops = cholesky_flops,
    .bytes = square_bytes,
    .open = open_cholesky,
    .check = check_square,
};

/* ---- A = Q R, thin; size = m, n ---- */

/* Once for R, once for Q. */
static double qr_flops(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1];
    return 2.0 * (2.0 * m * n * n - 2.0 / 3.0 * n * n * n);
}

static double qr_bytes(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1];
    return 4.0 * (2.0 * m * n + n * n);
}

static gg_status open_qr(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    const gg_status status = bench_lapack_open(work, GG_LAPACK_QR_THIN, m, n, 0);
    if (status == GG_OK)
        bench_lapack_turn(work, m, n, 0);
    return status;
}

static gg_status run_qr(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    return gg_qr(work->y, n, work->dx, n, work->x, n, m, n, GG_QR_THIN, work->space, work->space_bytes);
}

static gg_status raw_qr(bench_work *work)
{
    const int m = (int)work->line->size[0], n = (int)work->line->size[1], room = (int)bench_lapack_work(m, n);
    if (bench_lapacke.geqrf == NULL || bench_lapacke.orgqr == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, m, n, 0);
    const int info = bench_lapacke.geqrf(BENCH_COLUMN_MAJOR, m, n, work->packed, m, work->state2, work->bias, room);
    for (int j = 0; j < n; j++) /* R, out of the way of Q */
        memcpy(work->dx + (size_t)j * (size_t)n, work->packed + (size_t)j * (size_t)m, (size_t)(j + 1) * sizeof(float));
    return bench_lapack_result("QR", info != 0 ? info
                                               : bench_lapacke.orgqr(BENCH_COLUMN_MAJOR, m, n, n, work->packed, m,
                                                                     work->state2, work->bias, room));
}

static gg_status check_qr(bench_work *work, int variant)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    bench_lapack_spoil(work->y, m * n);
    bench_lapack_spoil(work->dx, n * n);
    gg_status status = work->line->kind->variants[variant].run(work);
    if (status == GG_OK)
        status = bench_lapack_check_factors(work, work->y, NULL, work->dx, false, m, n, n);
    return status != GG_OK ? status : bench_lapack_check_orthogonal(work, "Q^T Q v", work->y, m, n, false);
}

const bench_kind bench_qr = {
    .name = "qr",
    .variants = {{"", run_qr}},
    .has_raw = true,
    .raw = raw_qr,
    .flops = qr_flops,
    .bytes = qr_bytes,
    .open = open_qr,
    .check = check_qr,
};

/* ---- A = V D V^T; size = n ---- */

static double eigen_flops(const bench_case *line)
{
    const double n = (double)line->size[0];
    return 9.0 * n * n * n;
}

static double eigen_bytes(const bench_case *line)
{
    const double n = (double)line->size[0];
    return 8.0 * n * n;
}

static gg_status open_eigen(bench_work *work)
{
    const int64_t n = work->line->size[0];
    const gg_status status = bench_lapack_open(work, GG_LAPACK_SYMMETRIC_EIGEN, n, n, 0);
    if (status != GG_OK)
        return status;
    bench_lapack_symmetric(work->x, n, 0.0f);
    bench_lapack_turn(work, n, n, 0);
    return GG_OK;
}

static gg_status run_eigen(bench_work *work)
{
    const int64_t n = work->line->size[0];
    return gg_symmetric_eigen(work->state1, work->y, n, work->x, n, n, work->space, work->space_bytes);
}

static gg_status raw_eigen(bench_work *work)
{
    const int n = (int)work->line->size[0];
    if (bench_lapacke.syevd == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, n, n, 0);
    return bench_lapack_result("ssyevd",
                               bench_lapacke.syevd(BENCH_COLUMN_MAJOR, 'V', 'L', n, work->packed, n, work->state2,
                                                   work->bias, (int)bench_lapack_work(n, n), work->labels, 5 * n + 3));
}

static gg_status check_eigen(bench_work *work, int variant)
{
    const int64_t n = work->line->size[0];
    bench_lapack_spoil(work->y, n * n);
    bench_lapack_spoil(work->state1, n);
    gg_status status = work->line->kind->variants[variant].run(work);
    if (status == GG_OK)
        status = bench_lapack_check_factors(work, work->y, work->state1, work->y, true, n, n, n);
    return status != GG_OK ? status : bench_lapack_check_orthogonal(work, "V^T V v", work->y, n, n, false);
}

const bench_kind bench_symmetric_eigen = {
    .name = "symmetric_eigen",
    .variants = {{"", run_eigen}},
    .has_raw = true,
    .raw = raw_eigen,
    .flops = eigen_flops,
    .bytes = eigen_bytes,
    .open = open_eigen,
    .check = check_eigen,
};

/* ---- A = U S V^T, thin; size = m, n with m >= n ---- */

static double svd_flops(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1];
    return 14.0 * m * n * n + 8.0 * n * n * n;
}

static gg_status open_svd(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    const gg_status status = bench_lapack_open(work, GG_LAPACK_SVD, m, n, 0);
    if (status == GG_OK)
        bench_lapack_turn(work, m, n, 0);
    return status;
}

static gg_status run_svd(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    return gg_svd(work->y, n, work->state1, work->dx, n, work->x, n, m, n, work->space, work->space_bytes);
}

static gg_status raw_svd(bench_work *work)
{
    const int m = (int)work->line->size[0], n = (int)work->line->size[1];
    float *u = work->state2, *vt = u + (size_t)m * (size_t)n, *s = vt + (size_t)m * (size_t)n;
    if (bench_lapacke.gesdd == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, m, n, 0);
    return bench_lapack_result("sgesdd",
                               bench_lapacke.gesdd(BENCH_COLUMN_MAJOR, 'S', m, n, work->packed, m, s, u, m, vt, n,
                                                   work->bias, (int)bench_lapack_work(m, n), work->labels));
}

static gg_status check_svd(bench_work *work, int variant)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    bench_lapack_spoil(work->y, m * n);
    bench_lapack_spoil(work->state1, n);
    bench_lapack_spoil(work->dx, n * n);
    gg_status status = work->line->kind->variants[variant].run(work);
    if (status == GG_OK)
        status = bench_lapack_check_factors(work, work->y, work->state1, work->dx, false, m, n, n);
    if (status == GG_OK)
        status = bench_lapack_check_orthogonal(work, "U^T U v", work->y, m, n, false);
    return status != GG_OK ? status : bench_lapack_check_orthogonal(work, "V^T V v", work->dx, n, n, true);
}

const bench_kind bench_svd = {
    .name = "svd",
    .variants = {{"", run_svd}},
    .has_raw = true,
    .raw = raw_svd,
    .flops = svd_flops,
    .bytes = qr_bytes,
    .open = open_svd,
    .check = check_svd,
};
