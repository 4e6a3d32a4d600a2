/* bench_kinds_lapack.c - linear systems, QR, least squares, eigenvalues and singular values. Beside each stands the
 * direct LAPACKE call on column-major data, with the BLAS's own threads; it destroys its input, so that a repetition
 * begins with a copy of it. The functions are looked up in the running process, as bench_raw.h explains.
 *
 * Counts of multiply-adds and additions are those of Golub and Van Loan, "Matrix Computations", 4th edition; the ones
 * for eigenvalues (9 n^3) and singular values (14 m n^2 + 8 n^3) belong to algorithms that work harder than LAPACK's
 * division: a way to compare machines, not a share of the peak. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "bench_case.h"
#include "bench_check.h"
#include "bench_raw.h"

enum { COLUMN_MAJOR = 102 };

static struct {
    bool looked;
    int (*gesv)(int, int, int, float *, int, int *, float *, int);
    int (*posv)(int, char, int, int, float *, int, float *, int);
    int (*geqrf)(int, int, int, float *, int, float *, float *, int);
    int (*orgqr)(int, int, int, int, float *, int, const float *, float *, int);
    int (*gels)(int, char, int, int, int, float *, int, float *, int, float *, int);
    int (*syevd)(int, char, char, int, float *, int, float *, float *, int, int *, int);
    int (*gesdd)(int, char, int, int, float *, int, float *, float *, int, float *, int, float *, int, int *);
} lapacke;

static void find_all(void)
{
    if (lapacke.looked)
        return;
    lapacke.looked = true;
    bench_raw_find(&lapacke.gesv, "LAPACKE_sgesv_work");
    bench_raw_find(&lapacke.posv, "LAPACKE_sposv_work");
    bench_raw_find(&lapacke.geqrf, "LAPACKE_sgeqrf_work");
    bench_raw_find(&lapacke.orgqr, "LAPACKE_sorgqr_work");
    bench_raw_find(&lapacke.gels, "LAPACKE_sgels_work");
    bench_raw_find(&lapacke.syevd, "LAPACKE_ssyevd_work");
    bench_raw_find(&lapacke.gesdd, "LAPACKE_sgesdd_work");
}

static gg_status raw_result(const char *name, int info)
{
    return info == 0 ? GG_OK : gg_fail(GG_ERR_INTERNAL, "%s: info is %d", name, info);
}

static gg_status not_found(void)
{
    return gg_fail(GG_ERR_UNSUPPORTED, "LAPACKE is not to be found in this process (linked statically?)");
}

/* ---- data ----
 *
 * x: A, w: B, y (and dx, dy, state1): results, all row-major. For the raw calls: dw and db are A and B in column-major,
 * packed and bias the copies that they destroy, state2 small results, labels integers, `work` floats of LAPACK's own in
 * the tail of bias. */

static void transpose(float *out, const float *in, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            out[j * rows + i] = in[i * columns + j];
}

/* Generous for every call here: blocks of 64 rows and columns, and what singular vectors take. */
static int64_t raw_work(int64_t m, int64_t n)
{
    return 8 * n * n + 128 * (m + n) + 1024;
}

static gg_status open_system(bench_work *work, gg_lapack_call call, int64_t m, int64_t n, int64_t nrhs)
{
    const int64_t longer = m > n ? m : n;
    find_all();
    gg_status status = gg_lapack_workspace(&work->space_bytes, call, m, n, nrhs);
    if (status != GG_OK)
        return status;
    work->x = bench_take_data(work, m * n);
    work->w = bench_take_data(work, m * nrhs + 1);
    work->y = bench_take_data(work, longer * (n + nrhs));
    work->dx = bench_take_data(work, longer * n);
    work->state1 = bench_take_data(work, longer);
    work->dw = bench_take_data(work, m * n);
    work->db = bench_take_data(work, m * nrhs + 1);
    work->packed = bench_take_data(work, m * n);
    work->bias = bench_take_data(work, longer * nrhs + raw_work(m, n));
    work->state2 = bench_take_data(work, 2 * longer * n + longer);
    work->labels = bench_take_labels(work, 10 * longer + 10, 1);
    work->space = bench_take_data(work, work->space_bytes / (int64_t)sizeof(float));
    return work->status;
}

static void make_column_major(bench_work *work, int64_t m, int64_t n, int64_t nrhs)
{
    transpose(work->dw, work->x, m, n);
    transpose(work->db, work->w, m, nrhs);
}

static void copy_matrix(bench_work *work, int64_t m, int64_t n)
{
    memcpy(work->packed, work->dw, (size_t)(m * n) * sizeof(float));
}

/* ---- checks: LAPACK's ratios, with random vectors in place of norms over all ---- */

static const double THRESHOLD = 30.0;

/* y = A x or A^T x in double; A dense, row-major. */
static void apply(double *y, const float *a, int64_t rows, int64_t columns, bool transposed, const double *x)
{
    for (int64_t i = 0; i < (transposed ? columns : rows); i++)
        y[i] = 0.0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            if (transposed)
                y[j] += (double)a[i * columns + j] * x[i];
            else
                y[i] += (double)a[i * columns + j] * x[j];
        }
}

static double largest(const double *x, int64_t n)
{
    double found = 0.0;
    for (int64_t i = 0; i < n; i++)
        found = fabs(x[i]) <= found ? found : fabs(x[i]); /* NaN stays */
    return found;
}

static double norm(const float *a, int64_t rows, int64_t columns)
{
    double found = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < columns; j++)
            sum += fabs((double)a[i * columns + j]);
        found = fmax(found, sum);
    }
    return found;
}

/* |x - y| / (scale eps) below the threshold. */
static gg_status judge(const char *what, const double *x, const double *y, int64_t n, double scale)
{
    double worst = 0.0;
    for (int64_t i = 0; i < n; i++)
        worst = fabs(x[i] - y[i]) <= worst ? worst : fabs(x[i] - y[i]);
    const double ratio = worst / (scale * 0.5 * (double)FLT_EPSILON);
    return ratio < THRESHOLD ? GG_OK : gg_fail(GG_ERR_NUMERIC, "%s: ratio %g, allowed %g", what, ratio, THRESHOLD);
}

static double *random_vector(bench_work *work, int64_t n)
{
    return bench_check_doubles(work, bench_take_data(work, n), n);
}

/* Q^T Q v = v for the columns of q, or Q Q^T v = v for its rows. */
static gg_status check_orthogonal(bench_work *work, const char *what, const float *q, int64_t rows, int64_t columns,
                                  bool by_rows)
{
    const int64_t inner = by_rows ? rows : columns, outer = by_rows ? columns : rows;
    double *v = random_vector(work, inner), *there = bench_take_zeros(work, outer);
    double *back = bench_take_zeros(work, inner);
    if (work->status != GG_OK)
        return work->status;
    apply(there, q, rows, columns, by_rows, v);
    apply(back, q, rows, columns, !by_rows, there);
    return judge(what, back, v, inner, (double)outer * largest(v, inner));
}

/* A v = U diag(s) W v, W being k x n, or W^T v with W n x k. */
static gg_status check_factors(bench_work *work, const float *u, const float *s, const float *w, bool w_transposed,
                               int64_t m, int64_t n, int64_t k)
{
    double *v = random_vector(work, n), *middle = bench_take_zeros(work, k);
    double *found = bench_take_zeros(work, m), *expected = bench_take_zeros(work, m);
    if (work->status != GG_OK)
        return work->status;
    if (w_transposed)
        apply(middle, w, n, k, true, v);
    else
        apply(middle, w, k, n, false, v);
    for (int64_t i = 0; i < k && s != NULL; i++)
        middle[i] *= (double)s[i];
    apply(found, u, m, k, false, middle);
    apply(expected, work->x, m, n, false, v);
    return judge("A v", found, expected, m, (double)(m > n ? m : n) * norm(work->x, m, n) * largest(v, n));
}

static void fill_nan(float *x, int64_t n)
{
    memset(x, 0xFF, (size_t)n * sizeof *x);
}

/* Column j of X against column j of B: A X = B, or A^T A X = A^T B. */
static gg_status check_column(bench_work *work, int64_t m, int64_t n, int64_t nrhs, int64_t j, bool normal)
{
    double *x = bench_take_zeros(work, n), *b = bench_take_zeros(work, m), *found = bench_take_zeros(work, m);
    double *x_back = bench_take_zeros(work, n), *b_back = bench_take_zeros(work, n);
    if (work->status != GG_OK)
        return work->status;
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)work->y[i * nrhs + j];
    for (int64_t i = 0; i < m; i++)
        b[i] = (double)work->w[i * nrhs + j];
    apply(found, work->x, m, n, false, x);
    const double size = norm(work->x, m, n);
    if (!normal)
        return judge("A x", found, b, m, size * largest(x, n));
    apply(x_back, work->x, m, n, true, found);
    apply(b_back, work->x, m, n, true, b);
    return judge("A^T A x", x_back, b_back, n, (double)m * size * fmax(largest(b, m), size * largest(x, n)));
}

static gg_status check_columns(bench_work *work, int64_t m, int64_t n, int64_t nrhs, bool normal)
{
    enum { COLUMNS = 4 };
    fill_nan(work->y, n * nrhs);
    gg_status status = work->line->kind->variants[0].run(work);
    for (int64_t i = 0; i < COLUMNS && status == GG_OK; i++)
        status = check_column(work, m, n, nrhs, i * (nrhs - 1) / (COLUMNS - 1), normal);
    return status;
}

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
    const gg_status status = open_system(work, GG_LAPACK_LU_SOLVE, n, n, nrhs);
    if (status == GG_OK)
        make_column_major(work, n, n, nrhs);
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
    if (lapacke.gesv == NULL)
        return not_found();
    copy_matrix(work, n, n);
    memcpy(work->bias, work->db, (size_t)n * (size_t)nrhs * sizeof(float));
    return raw_result("sgesv", lapacke.gesv(COLUMN_MAJOR, n, nrhs, work->packed, n, work->labels, work->bias, n));
}

static gg_status check_square(bench_work *work, int variant)
{
    (void)variant;
    return check_columns(work, work->line->size[0], work->line->size[0], work->line->size[1], false);
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

/* Symmetric, and with `shift` on the diagonal. */
static void make_symmetric(float *a, int64_t n, float shift)
{
    for (int64_t i = 0; i < n; i++) {
        a[i * n + i] += shift;
        for (int64_t j = 0; j < i; j++)
            a[i * n + j] = a[j * n + i];
    }
}

/* |a_ij| < 1: n on the diagonal makes it positive definite. */
static gg_status open_cholesky(bench_work *work)
{
    const int64_t n = work->line->size[0], nrhs = work->line->size[1];
    const gg_status status = open_system(work, GG_LAPACK_CHOLESKY_SOLVE, n, n, nrhs);
    if (status != GG_OK)
        return status;
    make_symmetric(work->x, n, (float)n);
    make_column_major(work, n, n, nrhs);
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
    if (lapacke.posv == NULL)
        return not_found();
    copy_matrix(work, n, n);
    memcpy(work->bias, work->db, (size_t)n * (size_t)nrhs * sizeof(float));
    return raw_result("sposv", lapacke.posv(COLUMN_MAJOR, 'L', n, nrhs, work->packed, n, work->bias, n));
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
    const gg_status status = open_system(work, GG_LAPACK_QR_THIN, m, n, 0);
    if (status == GG_OK)
        make_column_major(work, m, n, 0);
    return status;
}

static gg_status run_qr(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    return gg_qr(work->y, n, work->dx, n, work->x, n, m, n, GG_QR_THIN, work->space, work->space_bytes);
}

static gg_status raw_qr(bench_work *work)
{
    const int m = (int)work->line->size[0], n = (int)work->line->size[1], room = (int)raw_work(m, n);
    if (lapacke.geqrf == NULL || lapacke.orgqr == NULL)
        return not_found();
    copy_matrix(work, m, n);
    const int info = lapacke.geqrf(COLUMN_MAJOR, m, n, work->packed, m, work->state2, work->bias, room);
    for (int j = 0; j < n; j++) /* R, out of the way of Q */
        memcpy(work->dx + (size_t)j * (size_t)n, work->packed + (size_t)j * (size_t)m, (size_t)(j + 1) * sizeof(float));
    return raw_result(
        "QR", info != 0 ? info : lapacke.orgqr(COLUMN_MAJOR, m, n, n, work->packed, m, work->state2, work->bias, room));
}

static gg_status check_qr(bench_work *work, int variant)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    fill_nan(work->y, m * n);
    fill_nan(work->dx, n * n);
    gg_status status = work->line->kind->variants[variant].run(work);
    if (status == GG_OK)
        status = check_factors(work, work->y, NULL, work->dx, false, m, n, n);
    return status != GG_OK ? status : check_orthogonal(work, "Q^T Q v", work->y, m, n, false);
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

/* ---- the least |A X - B|; size = m, n, right-hand sides ---- */

static double least_squares_flops(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1], nrhs = (double)line->size[2];
    return 2.0 * m * n * n - 2.0 / 3.0 * n * n * n + (4.0 * m * n - n * n) * nrhs;
}

static double least_squares_bytes(const bench_case *line)
{
    const double m = (double)line->size[0], n = (double)line->size[1], nrhs = (double)line->size[2];
    return 4.0 * (m * n + (m + n) * nrhs);
}

static gg_status open_least_squares(bench_work *work)
{
    const int64_t m = work->line->size[0], n = work->line->size[1], nrhs = work->line->size[2];
    const gg_status status = open_system(work, GG_LAPACK_LEAST_SQUARES, m, n, nrhs);
    if (status == GG_OK)
        make_column_major(work, m, n, nrhs);
    return status;
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
    if (lapacke.gels == NULL)
        return not_found();
    copy_matrix(work, m, n);
    memcpy(work->bias, work->db, right * sizeof(float));
    return raw_result("sgels", lapacke.gels(COLUMN_MAJOR, 'N', m, n, nrhs, work->packed, m, work->bias, m,
                                            work->bias + right, (int)raw_work(m, n)));
}

static gg_status check_least_squares(bench_work *work, int variant)
{
    (void)variant;
    return check_columns(work, work->line->size[0], work->line->size[1], work->line->size[2], true);
}

const bench_kind bench_least_squares = {
    .name = "least_squares",
    .variants = {{"", run_least_squares}},
    .has_raw = true,
    .raw = raw_least_squares,
    .flops = least_squares_flops,
    .bytes = least_squares_bytes,
    .open = open_least_squares,
    .check = check_least_squares,
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
    const gg_status status = open_system(work, GG_LAPACK_SYMMETRIC_EIGEN, n, n, 0);
    if (status != GG_OK)
        return status;
    make_symmetric(work->x, n, 0.0f);
    make_column_major(work, n, n, 0);
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
    if (lapacke.syevd == NULL)
        return not_found();
    copy_matrix(work, n, n);
    return raw_result("ssyevd", lapacke.syevd(COLUMN_MAJOR, 'V', 'L', n, work->packed, n, work->state2, work->bias,
                                              (int)raw_work(n, n), work->labels, 5 * n + 3));
}

static gg_status check_eigen(bench_work *work, int variant)
{
    const int64_t n = work->line->size[0];
    fill_nan(work->y, n * n);
    fill_nan(work->state1, n);
    gg_status status = work->line->kind->variants[variant].run(work);
    if (status == GG_OK)
        status = check_factors(work, work->y, work->state1, work->y, true, n, n, n);
    return status != GG_OK ? status : check_orthogonal(work, "V^T V v", work->y, n, n, false);
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
    const gg_status status = open_system(work, GG_LAPACK_SVD, m, n, 0);
    if (status == GG_OK)
        make_column_major(work, m, n, 0);
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
    if (lapacke.gesdd == NULL)
        return not_found();
    copy_matrix(work, m, n);
    return raw_result("sgesdd", lapacke.gesdd(COLUMN_MAJOR, 'S', m, n, work->packed, m, s, u, m, vt, n, work->bias,
                                              (int)raw_work(m, n), work->labels));
}

static gg_status check_svd(bench_work *work, int variant)
{
    const int64_t m = work->line->size[0], n = work->line->size[1];
    fill_nan(work->y, m * n);
    fill_nan(work->state1, n);
    fill_nan(work->dx, n * n);
    gg_status status = work->line->kind->variants[variant].run(work);
    if (status == GG_OK)
        status = check_factors(work, work->y, work->state1, work->dx, false, m, n, n);
    if (status == GG_OK)
        status = check_orthogonal(work, "U^T U v", work->y, m, n, false);
    return status != GG_OK ? status : check_orthogonal(work, "V^T V v", work->dx, n, n, true);
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
