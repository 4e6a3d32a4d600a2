/* lapack_solve.c - square systems by LU and Cholesky, and ridge regression.
 *
 * A row-major matrix is its own transpose in column-major. LU therefore factors A^T as it lies, and A X = B is solved
 * with the transposed factors; a symmetric matrix is its own transpose, its upper triangle LAPACK's lower one (the
 * faster of the two in OpenBLAS). Only the right-hand sides, which are the smaller part, are really transposed. */
#include <float.h>
#include <math.h>
#include <stddef.h>

#include <gemmgrad/gemm.h>

#include "kernels/kernels.h"
#include "lapack_door.h"
#include "lapack_space.h"
#include "parallel.h"

/* ---- right-hand sides, shared among threads ---- */

typedef struct solve_job {
    float *b;
    const float *a;
    const int *pivots; /* NULL: Cholesky */
    int64_t n;
    bool transpose;
} solve_job;

static void solve_range(void *context, int64_t begin, int64_t end)
{
    const solve_job *job = context;
    float *b = job->b + begin * job->n;
    if (job->pivots != NULL)
        gg_lapacke_getrs(b, job->a, job->pivots, (int)job->n, (int)(end - begin), job->transpose);
    else
        gg_lapacke_potrs(b, job->a, (int)job->n, (int)(end - begin));
}

/* A second thread pays from 2^18 multiply-adds on, and its block of right-hand sides should fill a few of the BLAS's
 * tiles: 16 columns. */
static void solve_all(solve_job *job, int64_t nrhs)
{
    enum { WORTH = 1 << 18, TILE = 16 };
    const int64_t each = job->n * job->n, grain = WORTH / (each < WORTH ? each : WORTH);
    gg_parallel_for(nrhs, gg_lapack_most(grain, TILE), TILE, solve_range, job);
}

static gg_status refuse_ill_conditioned(const char *function, float rcond, int64_t n)
{
    return gg_fail(GG_ERR_SINGULAR, "%s: a (%lld x %lld) is singular to working precision: rcond is %.3g", function,
                   (long long)n, (long long)n, (double)rcond);
}

/* ---- LU ---- */

static const int64_t PIVOTS_AT = 0; /* of the integers, the first n; the others serve sgecon */

/* Factor A^T in space->a. Returns sgetrf's info; *norm is that of A^T in the 1-norm, of A in the infinity norm. */
static int factor(const gg_lapack_space *space, float *norm, const float *a, int64_t lda, int64_t n)
{
    gg_lapack_copy(space->a, n, a, lda, n, n);
    if (norm != NULL)
        *norm = gg_lapacke_norm(space->a, (int)n);
    return gg_lapacke_getrf(space->a, space->integers + PIVOTS_AT, (int)n);
}

static float lu_rcond(const gg_lapack_space *space, float norm, int64_t n)
{
    return gg_lapacke_gecon(space->a, norm, (int)n, space->work, space->integers + n);
}

static gg_status factor_and_judge(const gg_lapack_space *space, const char *function, float *rcond, const float *a,
                                  int64_t lda, int64_t n)
{
    float norm = 0.0f;
    const int info = factor(space, rcond != NULL ? &norm : NULL, a, lda, n);
    if (rcond != NULL)
        *rcond = info > 0 ? 0.0f : lu_rcond(space, norm, n);
    if (info > 0)
        return gg_fail(GG_ERR_SINGULAR, "%s: a (%lld x %lld) is singular: pivot %d is zero", function, (long long)n,
                       (long long)n, info - 1);
    if (rcond != NULL && !(*rcond >= FLT_EPSILON))
        return refuse_ill_conditioned(function, *rcond, n);
    return GG_OK;
}

gg_status gg_lu_solve(float *x, int64_t ldx, float *rcond, const float *a, int64_t lda, const float *b, int64_t ldb,
                      int64_t n, int64_t nrhs, gg_transpose transpose_a, void *workspace, int64_t bytes)
{
    static const char name[] = "gg_lu_solve";
    gg_lapack_space space;
    const gg_matrix_argument matrices[] = {{"x", x, n, nrhs, ldx}, {"a", a, n, n, lda}, {"b", b, n, nrhs, ldb}};
    if (transpose_a != GG_NO_TRANSPOSE && transpose_a != GG_TRANSPOSE)
        return gg_fail(GG_ERR_ARGUMENT, "%s: transpose_a is %d, expected GG_NO_TRANSPOSE or GG_TRANSPOSE", name,
                       (int)transpose_a);
    gg_status status = gg_lapack_begin(&space, name, GG_LAPACK_LU_SOLVE, n, n, nrhs, workspace, bytes, matrices, 3);
    for (int i = 1; i < 3 && status == GG_OK; i++)
        status = gg_lapack_check_finite(name, &matrices[i], false);
    if (status != GG_OK)
        return status;
    if (n == 0) {
        if (rcond != NULL)
            *rcond = 1.0f;
        return GG_OK;
    }
    status = factor_and_judge(&space, name, rcond, a, lda, n);
    if (status != GG_OK || nrhs == 0)
        return status;
    gg_lapack_load(space.b, n, b, ldb, n, nrhs);
    solve_all(&(solve_job){space.b, space.a, space.integers + PIVOTS_AT, n, transpose_a == GG_NO_TRANSPOSE}, nrhs);
    status = gg_lapack_check_result(name, space.b, n * nrhs, n, n);
    if (status == GG_OK)
        gg_lapack_store(x, ldx, space.b, n, n, nrhs);
    return status;
}

/* Checks and the factor of A^T for the two functions that only look at it; *info is sgetrf's. */
static gg_status look_at(gg_lapack_space *space, int *info, float *norm, const char *function, gg_lapack_call call,
                         const float *a, int64_t lda, int64_t n, void *workspace, int64_t bytes)
{
    const gg_matrix_argument matrix = {"a", a, n, n, lda};
    gg_status status = gg_lapack_begin(space, function, call, n, n, 0, workspace, bytes, &matrix, 1);
    if (status == GG_OK)
        status = gg_lapack_check_finite(function, &matrix, false);
    if (status == GG_OK && n > 0)
        *info = factor(space, norm, a, lda, n);
    return status;
}

gg_status gg_rcond(float *rcond, const float *a, int64_t lda, int64_t n, void *workspace, int64_t bytes)
{
    gg_lapack_space space;
    int info = 0;
    float norm = 0.0f;
    if (rcond == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_rcond: rcond is NULL");
    const gg_status status = look_at(&space, &info, &norm, "gg_rcond", GG_LAPACK_RCOND, a, lda, n, workspace, bytes);
    if (status == GG_OK)
        *rcond = n == 0 ? 1.0f : info > 0 ? 0.0f : lu_rcond(&space, norm, n);
    return status;
}

gg_status gg_log_determinant(int *sign, double *log_magnitude, const float *a, int64_t lda, int64_t n, void *workspace,
                             int64_t bytes)
{
    gg_lapack_space space;
    int info = 0;
    if (sign == NULL || log_magnitude == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_log_determinant: %s is NULL", sign == NULL ? "sign" : "log_magnitude");
    const gg_status status =
        look_at(&space, &info, NULL, "gg_log_determinant", GG_LAPACK_LOG_DETERMINANT, a, lda, n, workspace, bytes);
    if (status != GG_OK)
        return status;
    int negative = 0;
    double sum = 0.0;
    for (int64_t i = 0; i < n && info == 0; i++) {
        const double pivot = (double)space.a[i * n + i];
        sum += log(fabs(pivot));
        negative ^= (pivot < 0.0) ^ (space.integers[PIVOTS_AT + i] != i + 1); /* a row exchanged changes the sign */
    }
    if (!isfinite(sum))
        return gg_fail(GG_ERR_NUMERIC, "gg_log_determinant: the factors of a (%lld x %lld) are beyond float's range",
                       (long long)n, (long long)n);
    *sign = info > 0 ? 0 : negative ? -1 : 1;
    *log_magnitude = info > 0 ? -INFINITY : sum;
    return GG_OK;
}

/* ---- Cholesky ---- */

static gg_status factor_cholesky(const gg_lapack_space *space, const char *function, float *rcond, const float *a,
                                 int64_t lda, int64_t n)
{
    gg_lapack_copy_upper(space->a, a, lda, n);
    const float norm = rcond != NULL ? gg_lapacke_symmetric_norm(space->a, (int)n, space->work) : 0.0f;
    const int info = gg_lapacke_potrf(space->a, (int)n);
    if (rcond != NULL)
        *rcond = info > 0 ? 0.0f : gg_lapacke_pocon(space->a, norm, (int)n, space->work, space->integers);
    if (info > 0)
        return gg_fail(GG_ERR_SINGULAR,
                       "%s: a (%lld x %lld) is not positive definite: its leading part of %d rows is not", function,
                       (long long)n, (long long)n, info);
    if (rcond != NULL && !(*rcond >= FLT_EPSILON))
        return refuse_ill_conditioned(function, *rcond, n);
    return GG_OK;
}

gg_status gg_cholesky_solve(float *x, int64_t ldx, float *rcond, const float *a, int64_t lda, const float *b,
                            int64_t ldb, int64_t n, int64_t nrhs, void *workspace, int64_t bytes)
{
    static const char name[] = "gg_cholesky_solve";
    gg_lapack_space space;
    const gg_matrix_argument matrices[] = {{"x", x, n, nrhs, ldx}, {"a", a, n, n, lda}, {"b", b, n, nrhs, ldb}};
    gg_status status =
        gg_lapack_begin(&space, name, GG_LAPACK_CHOLESKY_SOLVE, n, n, nrhs, workspace, bytes, matrices, 3);
    if (status == GG_OK)
        status = gg_lapack_check_finite(name, &matrices[1], true);
    if (status == GG_OK)
        status = gg_lapack_check_finite(name, &matrices[2], false);
    if (status != GG_OK)
        return status;
    if (n == 0) {
        if (rcond != NULL)
            *rcond = 1.0f;
        return GG_OK;
    }
    status = factor_cholesky(&space, name, rcond, a, lda, n);
    if (status != GG_OK || nrhs == 0)
        return status;
    gg_lapack_load(space.b, n, b, ldb, n, nrhs);
    solve_all(&(solve_job){space.b, space.a, NULL, n, false}, nrhs);
    status = gg_lapack_check_result(name, space.b, n * nrhs, n, n);
    if (status == GG_OK)
        gg_lapack_store(x, ldx, space.b, n, n, nrhs);
    return status;
}

/* ---- ridge regression ----
 *
 * The gradient of |A X - B|^2 + lambda |X|^2 is zero where (A^T A + lambda I) X = A^T B. For m < n the same X is
 * A^T Z with (A A^T + lambda I) Z = B, since A^T (A A^T + lambda I) = (A^T A + lambda I) A^T. */

/* space->a = the product of A with itself, min(m, n) square, with lambda on its diagonal. */
static gg_status gram(const gg_lapack_space *space, const char *function, const float *a, int64_t lda, int64_t m,
                      int64_t n, float lambda)
{
    const bool tall = m >= n;
    const int64_t k = tall ? n : m;
    const gg_status status =
        gg_gemm(space->a, k, a, lda, a, lda, k, k, tall ? m : n, tall ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                tall ? GG_NO_TRANSPOSE : GG_TRANSPOSE, 1.0f, 0.0f);
    for (int64_t i = 0; i < k && status == GG_OK; i++)
        space->a[i * k + i] += lambda;
    if (status == GG_OK && !gg_kernels()->all_finite(space->a, k * k))
        return gg_fail(GG_ERR_NUMERIC, "%s: the product of a (%lld x %lld) with itself is beyond float's range",
                       function, (long long)m, (long long)n);
    return status;
}

/* space->c = X, row-major and dense. */
static gg_status solve_ridge(const gg_lapack_space *space, const float *a, int64_t lda, const float *b, int64_t ldb,
                             int64_t m, int64_t n, int64_t nrhs)
{
    gg_status status = GG_OK;
    const int64_t k = gg_lapack_least(m, n);
    if (m >= n) /* B^T A, row-major, is A^T B in column-major */
        status = gg_gemm(space->b, n, b, ldb, a, lda, nrhs, n, m, GG_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
    else
        gg_lapack_load(space->b, m, b, ldb, m, nrhs);
    if (status != GG_OK)
        return status;
    solve_all(&(solve_job){space->b, space->a, NULL, k, false}, nrhs);
    if (m >= n)
        gg_lapack_store(space->c, nrhs, space->b, n, n, nrhs);
    else
        status = gg_gemm(space->c, nrhs, a, lda, space->b, m, n, nrhs, m, GG_TRANSPOSE, GG_TRANSPOSE, 1.0f, 0.0f);
    return status;
}

gg_status gg_ridge(float *x, int64_t ldx, const float *a, int64_t lda, const float *b, int64_t ldb, int64_t m,
                   int64_t n, int64_t nrhs, float lambda, void *workspace, int64_t bytes)
{
    static const char name[] = "gg_ridge";
    gg_lapack_space space;
    const gg_matrix_argument matrices[] = {{"x", x, n, nrhs, ldx}, {"a", a, m, n, lda}, {"b", b, m, nrhs, ldb}};
    if (!(lambda > 0.0f && lambda <= FLT_MAX))
        return gg_fail(GG_ERR_ARGUMENT, "%s: lambda is %g, expected a positive number (gg_least_squares does without)",
                       name, (double)lambda);
    gg_status status = gg_lapack_begin(&space, name, GG_LAPACK_RIDGE, m, n, nrhs, workspace, bytes, matrices, 3);
    for (int i = 1; i < 3 && status == GG_OK; i++)
        status = gg_lapack_check_finite(name, &matrices[i], false);
    if (status != GG_OK || n == 0 || nrhs == 0)
        return status;
    if (m == 0) {
        for (int64_t i = 0; i < n; i++)
            gg_kernels()->fill(x + i * ldx, nrhs, 0.0f);
        return GG_OK;
    }
    status = gram(&space, name, a, lda, m, n, lambda);
    if (status != GG_OK)
        return status;
    if (gg_lapacke_potrf(space.a, (int)gg_lapack_least(m, n)) > 0)
        return gg_fail(GG_ERR_SINGULAR, "%s: lambda = %g is lost beside a (%lld x %lld), which is rank deficient", name,
                       (double)lambda, (long long)m, (long long)n);
    status = solve_ridge(&space, a, lda, b, ldb, m, n, nrhs);
    if (status == GG_OK)
        status = gg_lapack_check_result(name, space.c, n * nrhs, m, n);
    if (status == GG_OK)
        gg_lapack_copy(x, ldx, space.c, nrhs, n, nrhs);
    return status;
}
