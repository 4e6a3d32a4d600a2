/* bench_kinds_lapack_more.c - the rest of linear algebra: least squares, also by singular values, ridge regression,
 * singular values alone, condition, determinant. See bench_lapack.h. Ridge regression has no call of LAPACKE's beside
 * it. */
#include <float.h>
#include <math.h>

#include "reference_lapack.h"
#include "bench_lapack.h"

/* ---- the least |A X - B|, by QR and by singular values, and ridge regression; size = m, n, right-hand sides ---- */

static const float LAMBDA = 0.5f;

static double tall_bytes(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1], nrhs = (double)line->size[2];
    return 4.0 * (m * n + (m + n) * nrhs);
}

static gg_status open_tall(bench_work *work, gg_lapack_call call)
{
    const int64_t m = work->line->size[0], n = work->line->size[1], nrhs = work->line->size[2];
    const gg_status status = bench_lapack_open(work, call, m, n, nrhs);
    if (status == GG_OK)
        bench_lapack_turn(work, m, n, nrhs);
    return status;
}

static gg_status check_tall(bench_work *work, int variant)
{
    (void)variant;
    return bench_lapack_check_columns(work, work->line->size[0], work->line->size[1], work->line->size[2], true, 0.0);
}

static double least_squares_flops(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1], nrhs = (double)line->size[2];
    return 2.0 * m * n * n - 2.0 / 3.0 * n * n * n + (4.0 * m * n - n * n) * nrhs;
}

static gg_status open_least_squares(bench_work *work)
{
    return open_tall(work, GG_LAPACK_LEAST_SQUARES);
}

static gg_status run_least_squares(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1], nrhs = work->line->size[2];
    return gg_least_squares(work->y, nrhs, NULL, work->x, n, work->w, nrhs, m, n, nrhs, work->space, work->space_bytes);
}

static gg_status raw_least_squares(bench_work *work)
{
    const int m = (int)work->line->size[0], n = (int)work->line->size[1], nrhs = (int)work->line->size[2];
    const size_t right = (size_t)m * (size_t)nrhs;
    if (bench_lapacke.gels == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, m, n, nrhs);
    return bench_lapack_result("sgels",
                               bench_lapacke.gels(BENCH_COLUMN_MAJOR, 'N', m, n, nrhs, work->packed, m, work->bias, m,
                                                  work->bias + right, (int)bench_lapack_work(m, n)));
}

const bench_kind bench_least_squares = {
    .name = "least_squares",
    .variants = {{"", run_least_squares}},
    .has_raw = true,
    .raw = raw_least_squares,
    .flops = least_squares_flops,
    .bytes = tall_bytes,
    .open = open_least_squares,
    .check = check_tall,
};

/* As for a full SVD: the right-hand sides hardly count. */
static double least_squares_svd_flops(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1];
    return 4.0 * m * n * n + 8.0 * n * n * n;
}

static gg_status open_least_squares_svd(bench_work *work)
{
    return open_tall(work, GG_LAPACK_LEAST_SQUARES_SVD);
}

static gg_status run_least_squares_svd(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1], nrhs = work->line->size[2];
    return gg_least_squares_svd(work->y, nrhs, NULL, NULL, work->x, n, work->w, nrhs, m, n, nrhs, -1.0f, work->space,
                                work->space_bytes);
}

static gg_status raw_least_squares_svd(bench_work *work)
{
    const int m = (int)work->line->size[0], n = (int)work->line->size[1], nrhs = (int)work->line->size[2];
    const size_t right = (size_t)m * (size_t)nrhs;
    int rank = 0;
    if (bench_lapacke.gelsd == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, m, n, nrhs);
    return bench_lapack_result("sgelsd",
                               bench_lapacke.gelsd(BENCH_COLUMN_MAJOR, m, n, nrhs, work->packed, m, work->bias, m,
                                                   work->state2, FLT_EPSILON, &rank, work->bias + right,
                                                   (int)bench_lapack_work(m, n), work->labels));
}

const bench_kind bench_least_squares_svd = {
    .name = "least_squares_svd",
    .variants = {{"", run_least_squares_svd}},
    .has_raw = true,
    .raw = raw_least_squares_svd,
    .flops = least_squares_svd_flops,
    .bytes = tall_bytes,
    .open = open_least_squares_svd,
    .check = check_tall,
};

/* A^T A and A^T B, then Cholesky. */
static double ridge_flops(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1], nrhs = (double)line->size[2];
    return 2.0 * m * n * (n + nrhs) + n * n * n / 3.0 + 2.0 * n * n * nrhs;
}

static gg_status open_ridge(bench_work *work)
{
    return bench_lapack_open(work, GG_LAPACK_RIDGE, work->line->size[0], work->line->size[1], work->line->size[2]);
}

static gg_status run_ridge(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1], nrhs = work->line->size[2];
    return gg_ridge(work->y, nrhs, work->x, n, work->w, nrhs, m, n, nrhs, LAMBDA, work->space, work->space_bytes);
}

static gg_status check_ridge(bench_work *work, int variant)
{
    (void)variant;
    return bench_lapack_check_columns(work, work->line->size[0], work->line->size[1], work->line->size[2], true,
                                      (double)LAMBDA);
}

const bench_kind bench_ridge = {
    .name = "ridge",
    .variants = {{"", run_ridge}},
    .flops = ridge_flops,
    .bytes = tall_bytes,
    .open = open_ridge,
    .check = check_ridge,
};

/* ---- looking at a square matrix; size = n ---- */

static double square_bytes(const bench_case *line)
{
    return 4.0 * (double)line->size[0] * (double)line->size[0];
}

static double lu_flops(const bench_case *line)
{
    const double n = (double)line->size[0];
    return 2.0 / 3.0 * n * n * n;
}

static gg_status open_square(bench_work *work, gg_lapack_call call)
{
    const int64_t n = work->line->size[0];
    const gg_status status = bench_lapack_open(work, call, n, n, 0);
    if (status == GG_OK)
        bench_lapack_turn(work, n, n, 0);
    return status;
}

/* Bidiagonalisation: 8/3 n^3. */
static double singular_values_flops(const bench_case *line)
{
    const double n = (double)line->size[0];
    return 8.0 / 3.0 * n * n * n;
}

static gg_status open_singular_values(bench_work *work)
{
    return open_square(work, GG_LAPACK_SINGULAR_VALUES);
}

static gg_status run_singular_values(bench_work *work)
{
    const int64_t n = work->line->size[0];
    return gg_singular_values(work->state1, work->x, n, n, n, work->space, work->space_bytes);
}

static gg_status raw_singular_values(bench_work *work)
{
    const int n = (int)work->line->size[0];
    if (bench_lapacke.gesdd == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, n, n, 0);
    return bench_lapack_result("sgesdd",
                               bench_lapacke.gesdd(BENCH_COLUMN_MAJOR, 'N', n, n, work->packed, n, work->state2, NULL,
                                                   n, NULL, n, work->bias, (int)bench_lapack_work(n, n), work->labels));
}

/* Descending, and the sum of their squares is that of A's elements, within n roundings of the largest. */
static gg_status check_singular_values(bench_work *work, int variant)
{
    const int64_t n = work->line->size[0];
    double squares = 0.0, expected = 0.0;
    bool descending = true;
    bench_lapack_spoil(work->state1, n);
    const gg_status status = work->line->kind->variants[variant].run(work);
    if (status != GG_OK)
        return status;
    for (int64_t i = 0; i < n; i++) {
        squares += (double)work->state1[i] * (double)work->state1[i];
        descending = descending && (i == 0 || work->state1[i] <= work->state1[i - 1]) && work->state1[i] >= 0.0f;
    }
    for (int64_t i = 0; i < n * n; i++)
        expected += (double)work->x[i] * (double)work->x[i];
    const double error = fabs(squares - expected) / (expected * (double)n * (double)FLT_EPSILON);
    return error < 30.0 && descending
               ? GG_OK
               : gg_fail(GG_ERR_NUMERIC, "singular values: error %g, descending %d", error, descending);
}

const bench_kind bench_singular_values = {
    .name = "singular_values",
    .variants = {{"", run_singular_values}},
    .has_raw = true,
    .raw = raw_singular_values,
    .flops = singular_values_flops,
    .bytes = square_bytes,
    .open = open_singular_values,
    .check = check_singular_values,
};

static gg_status open_rcond(bench_work *work)
{
    return open_square(work, GG_LAPACK_RCOND);
}

static gg_status run_rcond(bench_work *work)
{
    const int64_t n = work->line->size[0];
    return gg_rcond(work->y, work->x, n, n, work->space, work->space_bytes);
}

static gg_status raw_rcond(bench_work *work)
{
    const int n = (int)work->line->size[0];
    if (bench_lapacke.getrf == NULL || bench_lapacke.gecon == NULL || bench_lapacke.lange == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, n, n, 0);
    const float norm = bench_lapacke.lange(BENCH_COLUMN_MAJOR, '1', n, n, work->packed, n, work->bias);
    const int info = bench_lapacke.getrf(BENCH_COLUMN_MAJOR, n, n, work->packed, n, work->labels);
    return bench_lapack_result("rcond", info != 0 ? info
                                                  : bench_lapacke.gecon(BENCH_COLUMN_MAJOR, '1', n, work->packed, n,
                                                                        norm, work->state2, work->bias, work->labels));
}

/* Never below the true one by more than rounding; the inverse of a large matrix would take longer than all the rest. */
static gg_status check_rcond(bench_work *work, int variant)
{
    enum { LARGEST = 256 };
    const int64_t n = work->line->size[0];
    double *wide = bench_take_zeros(work, n * n), expected = 0.0;
    bench_lapack_spoil(work->y, 1);
    gg_status status = work->status == GG_OK ? work->line->kind->variants[variant].run(work) : work->status;
    if (status != GG_OK)
        return status;
    for (int64_t i = 0; i < n * n; i++)
        wide[i] = (double)work->x[i];
    if (n <= LARGEST)
        expected = reference_rcond(wide, n);
    const double found = (double)*work->y;
    return found > 0.99 * expected && (n > LARGEST || found < 3.0 * expected) && found <= 1.0
               ? GG_OK
               : gg_fail(GG_ERR_NUMERIC, "rcond is %g, expected %g to 3 times that", found, expected);
}

const bench_kind bench_rcond = {
    .name = "rcond",
    .variants = {{"", run_rcond}},
    .has_raw = true,
    .raw = raw_rcond,
    .flops = lu_flops,
    .bytes = square_bytes,
    .open = open_rcond,
    .check = check_rcond,
};

static gg_status open_log_determinant(bench_work *work)
{
    return open_square(work, GG_LAPACK_LOG_DETERMINANT);
}

/* The logarithm, which a float holds well enough for the check, goes to y. */
static gg_status run_log_determinant(bench_work *work)
{
    const int64_t n = work->line->size[0];
    int sign = 0;
    double log_magnitude = 0.0;
    const gg_status status = gg_log_determinant(&sign, &log_magnitude, work->x, n, n, work->space, work->space_bytes);
    *work->y = (float)log_magnitude;
    return status;
}

static gg_status raw_log_determinant(bench_work *work)
{
    const int n = (int)work->line->size[0];
    double sum = 0.0;
    if (bench_lapacke.getrf == NULL)
        return bench_lapack_missing();
    bench_lapack_copy(work, n, n, 0);
    const int info = bench_lapacke.getrf(BENCH_COLUMN_MAJOR, n, n, work->packed, n, work->labels);
    for (int i = 0; i < n; i++)
        sum += log(fabs((double)work->packed[(size_t)i * (size_t)n + (size_t)i]));
    *work->state2 = (float)sum;
    return bench_lapack_result("sgetrf", info);
}

/* log |det A| by elimination in double, the largest of the column first. */
static double reference_log_determinant(double *a, int64_t n)
{
    double sum = 0.0;
    for (int64_t k = 0; k < n; k++) {
        int64_t best = k;
        for (int64_t i = k + 1; i < n; i++)
            best = fabs(a[i * n + k]) > fabs(a[best * n + k]) ? i : best;
        for (int64_t j = k; j < n && best != k; j++) {
            const double held = a[k * n + j];
            a[k * n + j] = a[best * n + j];
            a[best * n + j] = held;
        }
        sum += log(fabs(a[k * n + k]));
        for (int64_t i = k + 1; i < n; i++) {
            const double factor = a[i * n + k] / a[k * n + k];
            for (int64_t j = k + 1; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return sum;
}

/* A backward error of n roundings moves log det by up to n of them over rcond; random matrices keep well below 1e-3. */
static gg_status check_log_determinant(bench_work *work, int variant)
{
    const int64_t n = work->line->size[0];
    double *wide = bench_take_zeros(work, n * n);
    bench_lapack_spoil(work->y, 1);
    const gg_status status = work->status == GG_OK ? work->line->kind->variants[variant].run(work) : work->status;
    if (status != GG_OK)
        return status;
    for (int64_t i = 0; i < n * n; i++)
        wide[i] = (double)work->x[i];
    const double expected = reference_log_determinant(wide, n), found = (double)*work->y;
    return fabs(found - expected) < 1e-3 * (1.0 + fabs(expected))
               ? GG_OK
               : gg_fail(GG_ERR_NUMERIC, "log |det| is %g, expected %g", found, expected);
}

const bench_kind bench_log_determinant = {
    .name = "log_determinant",
    .variants = {{"", run_log_determinant}},
    .has_raw = true,
    .raw = raw_log_determinant,
    .flops = lu_flops,
    .bytes = square_bytes,
    .open = open_log_determinant,
    .check = check_log_determinant,
};
