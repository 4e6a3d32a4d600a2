/* bench_lapack.c - see bench_lapack.h. */
#include "bench_lapack.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "bench_check.h"
#include "bench_raw.h"

bench_lapacke_calls bench_lapacke;

static void find_all(void)
{
    if (bench_lapacke.looked)
        return;
    bench_lapacke.looked = true;
    bench_raw_find(&bench_lapacke.gesv, "LAPACKE_sgesv_work");
    bench_raw_find(&bench_lapacke.posv, "LAPACKE_sposv_work");
    bench_raw_find(&bench_lapacke.geqrf, "LAPACKE_sgeqrf_work");
    bench_raw_find(&bench_lapacke.orgqr, "LAPACKE_sorgqr_work");
    bench_raw_find(&bench_lapacke.gels, "LAPACKE_sgels_work");
    bench_raw_find(&bench_lapacke.syevd, "LAPACKE_ssyevd_work");
    bench_raw_find(&bench_lapacke.gesdd, "LAPACKE_sgesdd_work");
    bench_raw_find(&bench_lapacke.gelsd, "LAPACKE_sgelsd_work");
    bench_raw_find(&bench_lapacke.getrf, "LAPACKE_sgetrf_work");
    bench_raw_find(&bench_lapacke.gecon, "LAPACKE_sgecon_work");
    bench_raw_find(&bench_lapacke.lange, "LAPACKE_slange_work");
}

gg_status bench_lapack_result(const char *name, int info)
{
    return info == 0 ? GG_OK : gg_fail(GG_ERR_INTERNAL, "%s: info is %d", name, info);
}

gg_status bench_lapack_missing(void)
{
    return gg_fail(GG_ERR_UNSUPPORTED, "LAPACKE is not to be found in this process (linked statically?)");
}

/* ---- data ---- */

static void transpose(float *out, const float *in, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            out[j * rows + i] = in[i * columns + j];
}

/* Generous for every call here: blocks of 64 rows and columns, and what singular vectors take. */
int64_t bench_lapack_work(int64_t m, int64_t n)
{
    return 8 * n * n + 128 * (m + n) + 1024;
}

gg_status bench_lapack_open(bench_work *work, gg_lapack_call call, int64_t m, int64_t n, int64_t nrhs)
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
    work->bias = bench_take_data(work, longer * nrhs + bench_lapack_work(m, n));
    work->state2 = bench_take_data(work, 2 * longer * n + longer);
    work->labels = bench_take_labels(work, 40 * longer + 40, 1);
    work->space = bench_take_data(work, work->space_bytes / (int64_t)sizeof(float));
    return work->status;
}

void bench_lapack_turn(bench_work *work, int64_t m, int64_t n, int64_t nrhs)
{
    transpose(work->dw, work->x, m, n);
    transpose(work->db, work->w, m, nrhs);
}

void bench_lapack_copy(bench_work *work, int64_t m, int64_t n, int64_t nrhs)
{
    memcpy(work->packed, work->dw, (size_t)(m * n) * sizeof(float));
    if (nrhs > 0)
        memcpy(work->bias, work->db, (size_t)(m * nrhs) * sizeof(float));
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

/* The larger one; NaN where either is. */
static double larger(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

static double largest(const double *x, int64_t n)
{
    double found = 0.0;
    for (int64_t i = 0; i < n; i++)
        found = larger(found, fabs(x[i]));
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
        worst = larger(worst, fabs(x[i] - y[i]));
    const double ratio = worst / (scale * 0.5 * (double)FLT_EPSILON);
    return ratio < THRESHOLD ? GG_OK : gg_fail(GG_ERR_NUMERIC, "%s: ratio %g, allowed %g", what, ratio, THRESHOLD);
}

static double *random_vector(bench_work *work, int64_t n)
{
    return bench_check_doubles(work, bench_take_data(work, n), n);
}

/* Q^T Q v = v for the columns of q, or Q Q^T v = v for its rows. */
gg_status bench_lapack_check_orthogonal(bench_work *work, const char *what, const float *q, int64_t rows,
                                        int64_t columns, bool by_rows)
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
gg_status bench_lapack_check_factors(bench_work *work, const float *u, const float *s, const float *w,
                                     bool w_transposed, int64_t m, int64_t n, int64_t k)
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

void bench_lapack_spoil(float *x, int64_t n)
{
    memset(x, 0xFF, (size_t)n * sizeof *x);
}

/* Column j of X against column j of B: A X = B, or A^T A X = A^T B. */
static gg_status check_column(bench_work *work, int64_t m, int64_t n, int64_t nrhs, int64_t j, bool normal,
                              double lambda)
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
    for (int64_t i = 0; i < n; i++)
        x_back[i] += lambda * x[i];
    return judge("A^T A x", x_back, b_back, n, (double)m * size * fmax(largest(b, m), size * largest(x, n)));
}

gg_status bench_lapack_check_columns(bench_work *work, int64_t m, int64_t n, int64_t nrhs, bool normal, double lambda)
{
    enum { COLUMNS = 4 };
    bench_lapack_spoil(work->y, n * nrhs);
    gg_status status = work->line->kind->variants[0].run(work);
    for (int64_t i = 0; i < COLUMNS && status == GG_OK; i++)
        status = check_column(work, m, n, nrhs, i * (nrhs - 1) / (COLUMNS - 1), normal, lambda);
    return status;
}

/* Symmetric, and with `shift` on the diagonal. */
void bench_lapack_symmetric(float *a, int64_t n, float shift)
{
    for (int64_t i = 0; i < n; i++) {
        a[i * n + i] += shift;
        for (int64_t j = 0; j < i; j++)
            a[i * n + j] = a[j * n + i];
    }
}
