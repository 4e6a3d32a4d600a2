/* lapack_qr.c - QR and the least squares that stand on it.
 *
 * LAPACK's LQ of the transpose would save the copy's transposition, but goes along rows and takes half as long again
 * (docs/decisions/0008-lapack.md): A is transposed wherever QR can then be had. */
#include <float.h>
#include <math.h>
#include <stddef.h>

#include "kernels/kernels.h"
#include "lapack_door.h"
#include "lapack_space.h"

/* ---- QR ---- */

/* The triangle above the reflectors, zeros below. */
static void store_r(float *r, int64_t ldr, const float *a, int64_t m, int64_t n, int64_t rows)
{
    gg_lapack_store(r, ldr, a, m, rows, n);
    for (int64_t i = 1; i < rows; i++)
        gg_kernels()->fill(r + i * ldr, gg_lapack_least(i, n), 0.0f);
}

static gg_status check_form(const char *function, gg_qr_form form)
{
    if (form == GG_QR_THIN || form == GG_QR_FULL)
        return GG_OK;
    return gg_fail(GG_ERR_ARGUMENT, "%s: form is %d, expected GG_QR_THIN or GG_QR_FULL", function, (int)form);
}

gg_status gg_qr(float *q, int64_t ldq, float *r, int64_t ldr, const float *a, int64_t lda, int64_t m, int64_t n,
                gg_qr_form form, void *workspace, int64_t bytes)
{
    static const char name[] = "gg_qr";
    const bool full = form == GG_QR_FULL;
    const int64_t k = gg_lapack_least(m, n), columns = full ? m : k;
    gg_lapack_space space;
    gg_matrix_argument matrices[3] = {{"a", a, m, n, lda}};
    int count = 1;
    if (q != NULL)
        matrices[count++] = (gg_matrix_argument){"q", q, m, columns, ldq};
    if (r != NULL)
        matrices[count++] = (gg_matrix_argument){"r", r, columns, n, ldr};
    gg_status status = check_form(name, form);
    if (status == GG_OK)
        status = gg_lapack_begin(&space, name, full ? GG_LAPACK_QR_FULL : GG_LAPACK_QR_THIN, m, n, 0, workspace, bytes,
                                 matrices, count);
    if (status == GG_OK)
        status = gg_lapack_check_finite(name, &matrices[0], false);
    if (status != GG_OK || columns == 0)
        return status;
    gg_lapack_load(space.a, m, a, lda, m, n);
    if (k > 0) {
        gg_lapacke_geqrf(space.a, space.d, (int)m, (int)n, space.work, space.lwork);
        status = gg_lapack_check_result(name, space.a, m * n, m, n);
    }
    if (status != GG_OK)
        return status;
    if (r != NULL && k > 0)
        store_r(r, ldr, space.a, m, n, columns);
    if (q != NULL) {
        gg_lapacke_orgqr(space.a, space.d, (int)m, (int)columns, (int)k, space.work, space.lwork);
        gg_lapack_store(q, ldq, space.a, m, m, columns);
    }
    return GG_OK;
}

/* ---- least squares ---- */

static void fill_zero(float *x, int64_t ldx, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        gg_kernels()->fill(x + i * ldx, columns, 0.0f);
}

/* sgels meets a triangle with a zero on its diagonal and says so, except for A = 0, which it solves. */
static gg_status judge(const gg_lapack_space *space, const char *function, float *rcond, int info, int64_t m, int64_t n)
{
    const int64_t k = gg_lapack_least(m, n), longer = gg_lapack_most(m, n);
    int64_t zero = info > 0 ? info - 1 : 0;
    while (info == 0 && zero < k && space->a[zero * longer + zero] != 0.0f)
        zero++;
    const bool singular = info > 0 || zero < k;
    if (rcond != NULL)
        *rcond = singular ? 0.0f : gg_lapacke_trcon(space->a, (int)longer, (int)k, space->work, space->integers);
    if (singular)
        return gg_fail(GG_ERR_SINGULAR, "%s: a (%lld x %lld) has not full rank: element %lld of R's diagonal is zero",
                       function, (long long)m, (long long)n, (long long)zero);
    if (rcond != NULL && !(*rcond >= FLT_EPSILON))
        return gg_fail(GG_ERR_SINGULAR, "%s: a (%lld x %lld) has not full rank to working precision: rcond is %.3g",
                       function, (long long)m, (long long)n, (double)*rcond);
    return GG_OK;
}

gg_status gg_least_squares(float *x, int64_t ldx, float *rcond, const float *a, int64_t lda, const float *b,
                           int64_t ldb, int64_t m, int64_t n, int64_t nrhs, void *workspace, int64_t bytes)
{
    static const char name[] = "gg_least_squares";
    gg_lapack_space space;
    const int64_t longer = gg_lapack_most(m, n);
    const gg_matrix_argument matrices[] = {{"x", x, n, nrhs, ldx}, {"a", a, m, n, lda}, {"b", b, m, nrhs, ldb}};
    gg_status status =
        gg_lapack_begin(&space, name, GG_LAPACK_LEAST_SQUARES, m, n, nrhs, workspace, bytes, matrices, 3);
    for (int i = 1; i < 3 && status == GG_OK; i++)
        status = gg_lapack_check_finite(name, &matrices[i], false);
    if (status != GG_OK)
        return status;
    if (m == 0 || n == 0) {
        if (rcond != NULL)
            *rcond = 1.0f;
        fill_zero(x, ldx, n, nrhs);
        return GG_OK;
    }
    if (m >= n)
        gg_lapack_load(space.a, m, a, lda, m, n);
    else /* A^T, tall, as it lies */
        gg_lapack_copy(space.a, n, a, lda, m, n);
    gg_lapack_load(space.b, longer, b, ldb, m, nrhs);
    const int info = gg_lapacke_gels(space.a, space.b, (int)longer, (int)longer, (int)gg_lapack_least(m, n), (int)nrhs,
                                     m < n, space.work, space.lwork);
    status = judge(&space, name, rcond, info, m, n);
    if (status == GG_OK)
        status = gg_lapack_check_result(name, space.b, longer * nrhs, m, n);
    if (status == GG_OK)
        gg_lapack_store(x, ldx, space.b, longer, n, nrhs);
    return status;
}

static gg_status check_cutoff(const char *function, float cutoff)
{
    if (cutoff < 1.0f)
        return GG_OK;
    return gg_fail(GG_ERR_ARGUMENT, "%s: cutoff is %g, expected a number below 1", function, (double)cutoff);
}

/* What rounding leaves of a singular value that is zero, as a part of the largest: errors of random signs add up like
 * the square root of their number. The most seen, over shapes from 2 x 2 to 100000 x 3 and 2 x 1000, was 2.6 times it.
 */
static float usual_cutoff(int64_t longer)
{
    return fminf(4.0f * sqrtf((float)longer) * FLT_EPSILON, 0.5f);
}

gg_status gg_least_squares_svd(float *x, int64_t ldx, float *singular_values, int64_t *rank, const float *a,
                               int64_t lda, const float *b, int64_t ldb, int64_t m, int64_t n, int64_t nrhs,
                               float cutoff, void *workspace, int64_t bytes)
{
    static const char name[] = "gg_least_squares_svd";
    gg_lapack_space space;
    const int64_t longer = gg_lapack_most(m, n), k = gg_lapack_least(m, n);
    const gg_matrix_argument matrices[] = {{"x", x, n, nrhs, ldx}, {"a", a, m, n, lda}, {"b", b, m, nrhs, ldb}};
    int found = 0;
    gg_status status = check_cutoff(name, cutoff);
    if (status == GG_OK)
        status = gg_lapack_begin(&space, name, GG_LAPACK_LEAST_SQUARES_SVD, m, n, nrhs, workspace, bytes, matrices, 3);
    for (int i = 1; i < 3 && status == GG_OK; i++)
        status = gg_lapack_check_finite(name, &matrices[i], false);
    if (status != GG_OK)
        return status;
    if (k == 0) {
        fill_zero(x, ldx, n, nrhs);
    } else {
        gg_lapack_load(space.a, m, a, lda, m, n);
        gg_lapack_load(space.b, longer, b, ldb, m, nrhs);
        if (nrhs == 0)
            gg_kernels()->fill(space.b, longer, 0.0f);
        const int info =
            gg_lapacke_gelsd(space.a, space.b, (int)longer, space.d, &found, (int)m, (int)n, nrhs > 0 ? (int)nrhs : 1,
                             cutoff < 0.0f ? usual_cutoff(longer) : cutoff, space.work, space.lwork, space.integers);
        if (info != 0)
            return gg_fail(GG_ERR_NUMERIC, "%s: the singular values of a (%lld x %lld) did not converge", name,
                           (long long)m, (long long)n);
        status = gg_lapack_check_result(name, space.d, k, m, n);
        if (status == GG_OK)
            status = gg_lapack_check_result(name, space.b, longer * nrhs, m, n);
        if (status != GG_OK)
            return status;
        gg_lapack_store(x, ldx, space.b, longer, n, nrhs);
        if (singular_values != NULL)
            gg_lapack_copy(singular_values, k, space.d, k, 1, k);
    }
    if (rank != NULL)
        *rank = found;
    return GG_OK;
}
