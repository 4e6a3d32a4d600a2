/* lapack_space.c - how much workspace each LAPACK call takes and where its parts lie. */
#include "lapack_space.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include <gemmgrad/memory.h>

#include "backend.h"
#include "fail.h"
#include "kernels/kernels.h"
#include "lapack_door.h"

/* Floats of each part, and integers. `work` may be beyond what an int holds: LAPACK is then not asked. */
typedef struct needs {
    int64_t a, b, c, d, work, integers;
} needs;

static const struct {
    const char *name;
    bool square;
} calls[GG_LAPACK_CALL_COUNT] = {
    [GG_LAPACK_LU_SOLVE] = {"GG_LAPACK_LU_SOLVE", true},
    [GG_LAPACK_CHOLESKY_SOLVE] = {"GG_LAPACK_CHOLESKY_SOLVE", true},
    [GG_LAPACK_RCOND] = {"GG_LAPACK_RCOND", true},
    [GG_LAPACK_LOG_DETERMINANT] = {"GG_LAPACK_LOG_DETERMINANT", true},
    [GG_LAPACK_QR_THIN] = {"GG_LAPACK_QR_THIN", false},
    [GG_LAPACK_QR_FULL] = {"GG_LAPACK_QR_FULL", false},
    [GG_LAPACK_LEAST_SQUARES] = {"GG_LAPACK_LEAST_SQUARES", false},
    [GG_LAPACK_LEAST_SQUARES_SVD] = {"GG_LAPACK_LEAST_SQUARES_SVD", false},
    [GG_LAPACK_RIDGE] = {"GG_LAPACK_RIDGE", false},
    [GG_LAPACK_SYMMETRIC_EIGEN] = {"GG_LAPACK_SYMMETRIC_EIGEN", true},
    [GG_LAPACK_EIGENVALUES] = {"GG_LAPACK_EIGENVALUES", true},
    [GG_LAPACK_SVD] = {"GG_LAPACK_SVD", false},
    [GG_LAPACK_SINGULAR_VALUES] = {"GG_LAPACK_SINGULAR_VALUES", false},
};

/* ---- what LAPACK itself asks for ---- */

/* The best size as LAPACK tells it: a float, which may have been rounded down. */
static int64_t told(float best)
{
    const float up = nextafterf(best, INFINITY);
    return best < 0x1p24f ? (int64_t)best : (int64_t)up;
}

static int64_t qr_work(int m, int n, int columns)
{
    const int k = m < n ? m : n;
    float best = 0.0f, best_q = 0.0f;
    gg_lapacke_geqrf(NULL, NULL, m, n, &best, -1);
    if (columns > 0)
        gg_lapacke_orgqr(NULL, NULL, m, columns, k, &best_q, -1);
    return gg_lapack_most(1, gg_lapack_most(told(best), told(best_q)));
}

/* As many levels of division as sgelsd's leaves of 25 need; sgelsd asks for them in the same way. */
static int64_t gelsd_integers(int64_t k)
{
    int64_t levels = 0;
    for (int64_t size = k; size > 0; size /= 2)
        levels++;
    return 3 * k * levels + 11 * k;
}

/* LAPACK counts its workspace in an int: `squares` times k^2, a few blocks of at most 64 for each row, column and
 * right-hand side, and k for each of the last. What does not fit is not asked for. */
static bool countable(int64_t squares, int64_t k, int64_t longer, int64_t nrhs)
{
    enum { BLOCKS = 2 * 64 };
    return k < INT_MAX / 16 && longer < INT_MAX / BLOCKS && nrhs < INT_MAX / BLOCKS
           && squares * k * k + BLOCKS * (longer + nrhs) < INT_MAX && k * nrhs < INT_MAX / 4;
}

static int64_t gels_work(int m, int n, int nrhs)
{
    const int longer = m > n ? m : n, shorter = m > n ? n : m;
    float best = 0.0f;
    gg_lapacke_gels(NULL, NULL, longer, longer, shorter, nrhs, m < n, &best, -1);
    return gg_lapack_most(told(best), 3 * (int64_t)shorter); /* strcon follows in the same place */
}

static int64_t gelsd_work(int m, int n, int nrhs)
{
    float best = 0.0f;
    int rank = 0, integers = 0;
    gg_lapacke_gelsd(NULL, NULL, m > n ? m : n, NULL, &rank, m, n, nrhs, 0.0f, &best, -1, &integers);
    return told(best);
}

static int64_t syevd_work(int n)
{
    float best = 0.0f;
    int integers = 0;
    gg_lapacke_syevd(NULL, NULL, n, true, &best, -1, &integers, -1);
    return told(best);
}

static int64_t geev_work(int n)
{
    float best = 0.0f;
    gg_lapacke_geev(NULL, NULL, NULL, n, &best, -1);
    return told(best);
}

static int64_t gesdd_work(int m, int n, bool vectors)
{
    float best = 0.0f;
    int integers = 0;
    gg_lapacke_gesdd(NULL, NULL, NULL, NULL, m, n, vectors, &best, -1, &integers);
    return told(best);
}

/* ---- the parts ---- */

static const int64_t TOO_MUCH = INT64_MAX;

/* A as copied, B column-major, pivots; the estimate of the condition takes 4n. */
static needs needs_of_square(gg_lapack_call call, int64_t n, int64_t nrhs)
{
    const bool solves = call == GG_LAPACK_LU_SOLVE || call == GG_LAPACK_CHOLESKY_SOLVE;
    return (needs){.a = n * n,
                   .b = solves ? n * nrhs : 0,
                   .work = call == GG_LAPACK_LOG_DETERMINANT ? 0 : 4 * n,
                   .integers = 2 * n};
}

/* A column-major with room for all columns of Q; d: the factors of the reflectors. */
static needs needs_of_qr(int64_t m, int64_t n, bool full)
{
    const int64_t k = gg_lapack_least(m, n), columns = full ? m : k, longer = gg_lapack_most(m, n);
    needs all = {.a = m * gg_lapack_most(n, columns), .d = k};
    if (all.a > 0)
        all.work = countable(0, k, longer, 0) ? qr_work((int)m, (int)n, (int)columns) : TOO_MUCH;
    return all;
}

/* A, and B with room for X; d: singular values. sgelsd wants a right-hand side: without one it gets a column of zeros.
 */
static needs needs_of_least_squares(gg_lapack_call call, int64_t m, int64_t n, int64_t given)
{
    const int64_t nrhs = call == GG_LAPACK_LEAST_SQUARES ? given : gg_lapack_most(given, 1);
    const int64_t k = gg_lapack_least(m, n);
    needs all = {.a = m * n, .b = gg_lapack_most(m, n) * nrhs, .d = k};
    if (k == 0)
        return all;
    if (!countable(call == GG_LAPACK_LEAST_SQUARES ? 0 : 2, k, gg_lapack_most(m, n), nrhs))
        all.work = TOO_MUCH;
    else if (call == GG_LAPACK_LEAST_SQUARES)
        all.work = gels_work((int)m, (int)n, (int)nrhs);
    else
        all.work = gelsd_work((int)m, (int)n, (int)nrhs);
    all.integers = call == GG_LAPACK_LEAST_SQUARES ? k : gelsd_integers(k);
    return all;
}

/* a: the product of A with itself; b: the right-hand sides of that system, c: X. */
static needs needs_of_ridge(int64_t m, int64_t n, int64_t nrhs)
{
    const int64_t k = gg_lapack_least(m, n);
    return (needs){.a = k * k, .b = k * nrhs, .c = n * nrhs};
}

/* A, which becomes the vectors; d: the values. */
static needs needs_of_eigen(int64_t n)
{
    if (n == 0)
        return (needs){0};
    const int64_t work = countable(3, n, n, 0) ? syevd_work((int)n) : TOO_MUCH;
    return (needs){.a = n * n, .d = n, .work = work, .integers = 5 * n + 3};
}

/* A; d: real and imaginary parts. */
static needs needs_of_eigenvalues(int64_t n)
{
    if (n == 0)
        return (needs){0};
    return (needs){.a = n * n, .d = 2 * n, .work = countable(1, n, n, 0) ? geev_work((int)n) : TOO_MUCH};
}

/* The transpose of A is what LAPACK sees. b, c: its left and right vectors. */
static needs needs_of_svd(gg_lapack_call call, int64_t m, int64_t n)
{
    const int64_t k = gg_lapack_least(m, n);
    const bool vectors = call == GG_LAPACK_SVD, fits = countable(5, k, gg_lapack_most(m, n), 0);
    return (needs){.a = m * n,
                   .b = vectors ? n * k : 0,
                   .c = vectors ? m * k : 0,
                   .d = k,
                   .work = k == 0 ? 0
                           : fits ? gesdd_work((int)n, (int)m, vectors)
                                  : TOO_MUCH,
                   .integers = 8 * k};
}

static needs needs_of(gg_lapack_call call, int64_t m, int64_t n, int64_t nrhs)
{
    switch (call) {
    case GG_LAPACK_QR_THIN: return needs_of_qr(m, n, false);
    case GG_LAPACK_QR_FULL: return needs_of_qr(m, n, true);
    case GG_LAPACK_LEAST_SQUARES:
    case GG_LAPACK_LEAST_SQUARES_SVD: return needs_of_least_squares(call, m, n, nrhs);
    case GG_LAPACK_RIDGE: return needs_of_ridge(m, n, nrhs);
    case GG_LAPACK_SYMMETRIC_EIGEN: return needs_of_eigen(n);
    case GG_LAPACK_EIGENVALUES: return needs_of_eigenvalues(n);
    case GG_LAPACK_SVD:
    case GG_LAPACK_SINGULAR_VALUES: return needs_of_svd(call, m, n);
    default: return needs_of_square(call, n, nrhs);
    }
}

/* ---- the layout ---- */

/* Takes so many floats or integers off what is left: their place, counted in bytes, rounded up. */
static bool take(int64_t *place, int64_t *used, int64_t count)
{
    if (count < 0 || count > (INT64_MAX - GG_ALIGNMENT) / (int64_t)sizeof(float))
        return false;
    const int64_t bytes = (count * (int64_t)sizeof(float) + GG_ALIGNMENT - 1) / GG_ALIGNMENT * (int64_t)GG_ALIGNMENT;
    *place = *used;
    return !__builtin_add_overflow(*used, bytes, used) && *used <= PTRDIFF_MAX;
}

static bool lay_out(int64_t places[6], int64_t *bytes, const needs *all)
{
    *bytes = 0;
    return all->work <= INT_MAX && all->integers <= INT_MAX && take(&places[0], bytes, all->a)
           && take(&places[1], bytes, all->b) && take(&places[2], bytes, all->c) && take(&places[3], bytes, all->d)
           && take(&places[4], bytes, all->work) && take(&places[5], bytes, all->integers);
}

static gg_status too_large(const char *function, int64_t m, int64_t n, int64_t nrhs)
{
    return gg_fail(GG_ERR_OVERFLOW,
                   "%s: the workspace for (m, n, nrhs) = (%lld, %lld, %lld) is beyond LAPACK's 32-bit integers or any "
                   "memory",
                   function, (long long)m, (long long)n, (long long)nrhs);
}

gg_status gg_lapack_workspace(int64_t *bytes, gg_lapack_call call, int64_t m, int64_t n, int64_t nrhs)
{
    static const char name[] = "gg_lapack_workspace";
    if (bytes == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: bytes is NULL", name);
    if ((int)call < 0 || call >= GG_LAPACK_CALL_COUNT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: call is %d, not one of gg_lapack_call", name, (int)call);
    const gg_status status = gg_check_sizes(name, "m, n, nrhs", m, n, nrhs);
    if (status != GG_OK)
        return status;
    if (calls[call].square && m != n)
        return gg_fail(GG_ERR_SHAPE, "%s: %s is for square matrices, m is %lld and n is %lld", name, calls[call].name,
                       (long long)m, (long long)n);
    int64_t places[6], wanted = 0;
    const needs all = needs_of(call, m, n, nrhs);
    if (!lay_out(places, &wanted, &all))
        return too_large(name, m, n, nrhs);
    *bytes = wanted;
    return GG_OK;
}

static gg_status check_workspace(const char *function, gg_lapack_call call, const void *workspace, int64_t bytes,
                                 int64_t wanted)
{
    if (wanted > 0 && workspace == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: workspace is NULL, expected %lld bytes (gg_lapack_workspace, %s)",
                       function, (long long)wanted, calls[call].name);
    if (bytes < wanted)
        return gg_fail(GG_ERR_ARGUMENT, "%s: workspace has %lld bytes, expected %lld (gg_lapack_workspace, %s)",
                       function, (long long)bytes, (long long)wanted, calls[call].name);
    if ((uintptr_t)workspace % GG_ALIGNMENT != 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: workspace is not aligned to %d bytes", function, GG_ALIGNMENT);
    return GG_OK;
}

gg_status gg_lapack_begin(gg_lapack_space *space, const char *function, gg_lapack_call call, int64_t m, int64_t n,
                          int64_t nrhs, void *workspace, int64_t bytes, const gg_matrix_argument *matrices, int count)
{
    gg_status status = gg_check_sizes(function, "m, n, nrhs", m, n, nrhs);
    for (int i = 0; i < count && status == GG_OK; i++)
        status = gg_check_matrix(function, &matrices[i]);
    if (status != GG_OK)
        return status;
    gg_policy_threads(); /* start-up holds the BLAS at one thread */
    int64_t places[6], wanted = 0;
    const needs all = needs_of(call, m, n, nrhs);
    if (!lay_out(places, &wanted, &all))
        return too_large(function, m, n, nrhs);
    status = check_workspace(function, call, workspace, bytes, wanted);
    if (status != GG_OK || wanted == 0)
        return status;
    char *base = workspace;
    *space = (gg_lapack_space){
        .a = (float *)(void *)(base + places[0]),
        .b = (float *)(void *)(base + places[1]),
        .c = (float *)(void *)(base + places[2]),
        .d = (float *)(void *)(base + places[3]),
        .work = (float *)(void *)(base + places[4]),
        .lwork = (int)all.work,
        .integers = (int *)(void *)(base + places[5]),
        .integer_count = (int)all.integers,
    };
    return GG_OK;
}

/* ---- moving matrices ---- */

gg_status gg_lapack_check_finite(const char *function, const gg_matrix_argument *matrix, bool upper)
{
    const float *data = matrix->data;
    if (!upper && matrix->ld == matrix->columns && gg_kernels()->all_finite(data, matrix->rows * matrix->columns))
        return GG_OK;
    for (int64_t i = 0; i < matrix->rows; i++) {
        const int64_t first = upper ? i : 0;
        if (!gg_kernels()->all_finite(data + i * matrix->ld + first, matrix->columns - first))
            return gg_fail(GG_ERR_NUMERIC, "%s: %s (%lld x %lld) holds NaN or infinity in row %lld", function,
                           matrix->name, (long long)matrix->rows, (long long)matrix->columns, (long long)i);
    }
    return GG_OK;
}

gg_status gg_lapack_check_result(const char *function, const float *result, int64_t floats, int64_t m, int64_t n)
{
    if (gg_kernels()->all_finite(result, floats))
        return GG_OK;
    return gg_fail(GG_ERR_NUMERIC, "%s: the result for a (%lld x %lld) is beyond float's range", function, (long long)m,
                   (long long)n);
}

void gg_lapack_load(float *target, int64_t ld_target, const float *source, int64_t ld_source, int64_t rows,
                    int64_t columns)
{
    gg_kernels()->transpose(target, ld_target, source, ld_source, rows, columns);
}

void gg_lapack_store(float *target, int64_t ld_target, const float *source, int64_t ld_source, int64_t rows,
                     int64_t columns)
{
    gg_kernels()->transpose(target, ld_target, source, ld_source, columns, rows);
}

void gg_lapack_copy(float *target, int64_t ld_target, const float *source, int64_t ld_source, int64_t rows,
                    int64_t columns)
{
    gg_kernels()->copy_rows(target, ld_target, source, ld_source, rows, columns);
}

void gg_lapack_copy_upper(float *target, const float *source, int64_t ld_source, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        gg_kernels()->copy_rows(target + i * n + i, n, source + i * ld_source + i, ld_source, 1, n - i);
}
