/* lapack_spectral.c - eigenvalues, singular values.
 *
 * LAPACK sees the transpose of a row-major A. For a symmetric matrix that is A, and A^T has the eigenvalues of A; A^T =
 * V S U^T has the singular values of A = U S V^T, and its left vectors V, column-major, are V^T row by row. So nothing
 * but the eigenvectors is transposed. */
#include <stddef.h>

#include "kernels/kernels.h"
#include "lapack_door.h"
#include "lapack_space.h"

static gg_status did_not_converge(const char *function, int64_t m, int64_t n)
{
    return gg_fail(GG_ERR_NUMERIC, "%s: the iteration for a (%lld x %lld) did not converge", function, (long long)m,
                   (long long)n);
}

gg_status gg_symmetric_eigen(float *values, float *vectors, int64_t ldv, const float *a, int64_t lda, int64_t n,
                             void *workspace, int64_t bytes)
{
    static const char name[] = "gg_symmetric_eigen";
    gg_lapack_space space;
    const gg_matrix_argument matrices[] = {
        {"values", values, 1, n, n}, {"a", a, n, n, lda}, {"vectors", vectors, n, n, ldv}};
    gg_status status = gg_lapack_begin(&space, name, GG_LAPACK_SYMMETRIC_EIGEN, n, n, 0, workspace, bytes, matrices,
                                       vectors != NULL ? 3 : 2);
    if (status == GG_OK)
        status = gg_lapack_check_finite(name, &matrices[1], true);
    if (status != GG_OK || n == 0)
        return status;
    gg_lapack_copy_upper(space.a, a, lda, n);
    const int info = gg_lapacke_syevd(space.a, space.d, (int)n, vectors != NULL, space.work, space.lwork,
                                      space.integers, space.integer_count);
    if (info != 0)
        return did_not_converge(name, n, n);
    status = gg_lapack_check_result(name, space.d, n, n, n);
    if (status == GG_OK && vectors != NULL)
        status = gg_lapack_check_result(name, space.a, n * n, n, n);
    if (status != GG_OK)
        return status;
    gg_lapack_copy(values, n, space.d, n, 1, n);
    if (vectors != NULL)
        gg_lapack_store(vectors, ldv, space.a, n, n, n);
    return GG_OK;
}

gg_status gg_eigenvalues(float *real, float *imaginary, const float *a, int64_t lda, int64_t n, void *workspace,
                         int64_t bytes)
{
    static const char name[] = "gg_eigenvalues";
    gg_lapack_space space;
    const gg_matrix_argument matrices[] = {
        {"real", real, 1, n, n}, {"imaginary", imaginary, 1, n, n}, {"a", a, n, n, lda}};
    gg_status status = gg_lapack_begin(&space, name, GG_LAPACK_EIGENVALUES, n, n, 0, workspace, bytes, matrices, 3);
    if (status == GG_OK)
        status = gg_lapack_check_finite(name, &matrices[2], false);
    if (status != GG_OK || n == 0)
        return status;
    gg_lapack_copy(space.a, n, a, lda, n, n);
    const int info = gg_lapacke_geev(space.a, space.d, space.d + n, (int)n, space.work, space.lwork);
    if (info != 0)
        return did_not_converge(name, n, n);
    status = gg_lapack_check_result(name, space.d, 2 * n, n, n);
    if (status != GG_OK)
        return status;
    gg_lapack_copy(real, n, space.d, n, 1, n);
    gg_lapack_copy(imaginary, n, space.d + n, n, 1, n);
    return GG_OK;
}

gg_status gg_svd(float *u, int64_t ldu, float *s, float *vt, int64_t ldvt, const float *a, int64_t lda, int64_t m,
                 int64_t n, void *workspace, int64_t bytes)
{
    static const char name[] = "gg_svd";
    const int64_t k = gg_lapack_least(m, n);
    gg_lapack_space space;
    const gg_matrix_argument matrices[] = {
        {"u", u, m, k, ldu}, {"s", s, 1, k, k}, {"vt", vt, k, n, ldvt}, {"a", a, m, n, lda}};
    gg_status status = gg_lapack_begin(&space, name, GG_LAPACK_SVD, m, n, 0, workspace, bytes, matrices, 4);
    if (status == GG_OK)
        status = gg_lapack_check_finite(name, &matrices[3], false);
    if (status != GG_OK || k == 0)
        return status;
    gg_lapack_copy(space.a, n, a, lda, m, n);
    const int info = gg_lapacke_gesdd(space.a, space.b, space.d, space.c, (int)n, (int)m, true, space.work, space.lwork,
                                      space.integers);
    if (info != 0)
        return did_not_converge(name, m, n);
    status = gg_lapack_check_result(name, space.d, k, m, n);
    if (status == GG_OK)
        status = gg_lapack_check_result(name, space.b, n * k, m, n);
    if (status == GG_OK)
        status = gg_lapack_check_result(name, space.c, m * k, m, n);
    if (status != GG_OK)
        return status;
    gg_lapack_copy(s, k, space.d, k, 1, k);
    gg_lapack_copy(vt, ldvt, space.b, n, k, n);
    gg_lapack_copy(u, ldu, space.c, k, m, k);
    return GG_OK;
}

gg_status gg_singular_values(float *s, const float *a, int64_t lda, int64_t m, int64_t n, void *workspace,
                             int64_t bytes)
{
    static const char name[] = "gg_singular_values";
    const int64_t k = gg_lapack_least(m, n);
    gg_lapack_space space;
    const gg_matrix_argument matrices[] = {{"s", s, 1, k, k}, {"a", a, m, n, lda}};
    gg_status status = gg_lapack_begin(&space, name, GG_LAPACK_SINGULAR_VALUES, m, n, 0, workspace, bytes, matrices, 2);
    if (status == GG_OK)
        status = gg_lapack_check_finite(name, &matrices[1], false);
    if (status != GG_OK || k == 0)
        return status;
    gg_lapack_copy(space.a, n, a, lda, m, n);
    const int info =
        gg_lapacke_gesdd(space.a, NULL, space.d, NULL, (int)n, (int)m, false, space.work, space.lwork, space.integers);
    if (info != 0)
        return did_not_converge(name, m, n);
    status = gg_lapack_check_result(name, space.d, k, m, n);
    if (status == GG_OK)
        gg_lapack_copy(s, k, space.d, k, 1, k);
    return status;
}
