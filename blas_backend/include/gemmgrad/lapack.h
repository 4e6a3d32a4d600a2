/* gemmgrad/lapack.h - linear systems, factorisations, eigenvalues and singular values, through LAPACK.
 *
 * Row-major float32 as everywhere; a leading dimension is the distance in floats between the starts of two rows. All
 * inputs are copied into the caller's workspace before anything is computed and no output is written before everything
 * has succeeded: inputs are never destroyed, outputs may be the inputs themselves (x = b solves in place, u = a), and
 * on failure they are untouched, with the one exception of *rcond below. Outputs must not overlap one another or the
 * workspace.
 *
 * Workspace: ask gg_lapack_workspace for each shape, take the largest, keep the memory, aligned to GG_ALIGNMENT as
 * gg_alloc gives it. No call allocates. A workspace serves one call at a time; with different workspaces and outputs
 * all functions may run on several threads at once. Many right-hand sides are shared among up to gg_threads() threads;
 * a factorisation of 512^3 multiply-adds and more gives an OpenMP build of OpenBLAS these threads, one call at a time
 * (of calls at the same time it is chance which), and runs on the calling thread otherwise. Sizes of 0 are legal.
 *
 * Errors: GG_ERR_ARGUMENT (NULL, a negative size, a workspace that is too small or not aligned), GG_ERR_SHAPE (a
 * leading dimension below the row length), GG_ERR_OVERFLOW (sizes beyond LAPACK's 32-bit integers), GG_ERR_NUMERIC (NaN
 * or infinity in an input; a result beyond float's range; an iteration that did not converge), GG_ERR_SINGULAR (where
 * stated).
 *
 * Condition: rcond, where offered, may be NULL. It receives an estimate of 1 / (|A| |A^-1|), 1 for the identity, 0 for
 * a singular matrix, and a matrix with rcond < FLT_EPSILON is then refused as GG_ERR_SINGULAR: of its solution not one
 * digit would be known. rcond itself is written in that case too. With NULL only exactly singular matrices are refused.
 *
 * Source: Anderson et al., LAPACK Users' Guide, 1999; the routines are named at each function. */
#ifndef GEMMGRAD_LAPACK_H
#define GEMMGRAD_LAPACK_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The calls that want a workspace. */
typedef enum gg_lapack_call {
    GG_LAPACK_LU_SOLVE = 0,
    GG_LAPACK_CHOLESKY_SOLVE,
    GG_LAPACK_RCOND,
    GG_LAPACK_LOG_DETERMINANT,
    GG_LAPACK_QR_THIN,
    GG_LAPACK_QR_FULL,
    GG_LAPACK_LEAST_SQUARES,
    GG_LAPACK_LEAST_SQUARES_SVD,
    GG_LAPACK_RIDGE,
    GG_LAPACK_SYMMETRIC_EIGEN,
    GG_LAPACK_EIGENVALUES,
    GG_LAPACK_SVD,
    GG_LAPACK_SINGULAR_VALUES,
    GG_LAPACK_CALL_COUNT
} gg_lapack_call;

/* *bytes = the workspace that `call` takes with A of m x n and nrhs right-hand sides (ignored where the call has
 * none). Calls on square matrices want m = n (GG_ERR_SHAPE). */
GG_API gg_status gg_lapack_workspace(int64_t *bytes, gg_lapack_call call, int64_t m, int64_t n, int64_t nrhs);

/* ---- square systems ---- */

/* X = op(A)^-1 B by LU with partial pivoting (sgetrf, sgetrs). A is n x n, B and X are n x nrhs. rcond is that of the
 * infinity norm (sgecon). GG_ERR_SINGULAR: a pivot is exactly zero, or see above. */
GG_API gg_status gg_lu_solve(float *x, int64_t ldx, float *rcond, const float *a, int64_t lda, const float *b,
                             int64_t ldb, int64_t n, int64_t nrhs, gg_transpose transpose_a, void *workspace,
                             int64_t bytes);

/* X = A^-1 B for a symmetric positive definite A, of which only the upper triangle (column >= row) is read (spotrf,
 * spotrs, spocon). GG_ERR_SINGULAR: A is not positive definite, or see above. */
GG_API gg_status gg_cholesky_solve(float *x, int64_t ldx, float *rcond, const float *a, int64_t lda, const float *b,
                                   int64_t ldb, int64_t n, int64_t nrhs, void *workspace, int64_t bytes);

/* *rcond = the estimate for an n x n matrix in the infinity norm (sgetrf, sgecon): never below the true one by more
 * than rounding, rarely above it by more than a factor of 3 (Higham 1988). 0, and no error, for a singular matrix; 1
 * for n = 0. */
GG_API gg_status gg_rcond(float *rcond, const float *a, int64_t lda, int64_t n, void *workspace, int64_t bytes);

/* det A = *sign * exp(*log_magnitude), sign being -1, 0 or 1; summed in double, so that it neither overflows nor
 * underflows (sgetrf). A singular matrix has sign 0 and -infinity; n = 0 has 1 and 0. Neither may be NULL. */
GG_API gg_status gg_log_determinant(int *sign, double *log_magnitude, const float *a, int64_t lda, int64_t n,
                                    void *workspace, int64_t bytes);

/* ---- orthogonal factors and least squares ---- */

typedef enum gg_qr_form {
    GG_QR_THIN = 0, /* Q m x k, R k x n, k = min(m, n) */
    GG_QR_FULL = 1  /* Q m x m, R m x n */
} gg_qr_form;

/* A = Q R with orthonormal columns in Q, R upper triangular or trapezoidal (sgeqrf, sorgqr); zeros are written below
 * its diagonal, whose signs are as they come. q or r may be NULL: not wanted, not computed (ldq, ldr are then ignored).
 * A of any rank. */
GG_API gg_status gg_qr(float *q, int64_t ldq, float *r, int64_t ldr, const float *a, int64_t lda, int64_t m, int64_t n,
                       gg_qr_form form, void *workspace, int64_t bytes);

/* X (n x nrhs) with the smallest |A X - B| for m >= n, and for m < n the solution of A X = B with the smallest |X|; A
 * (m x n) has full rank, B is m x nrhs (sgels). rcond is that of the triangular factor in the 1-norm (strcon).
 * GG_ERR_SINGULAR: A has not full rank, or see above. Full rank is certain only with rcond. */
GG_API gg_status gg_least_squares(float *x, int64_t ldx, float *rcond, const float *a, int64_t lda, const float *b,
                                  int64_t ldb, int64_t m, int64_t n, int64_t nrhs, void *workspace, int64_t bytes);

/* The X with the smallest |X| among those with the smallest |A X - B|, for A of any rank (sgelsd). Singular values up
 * to cutoff times the largest count as zero; a negative cutoff stands for 4 sqrt(max(m, n)) FLT_EPSILON, which is
 * beyond what rounding makes of a zero. singular_values (min(m, n), in descending order) and rank may be NULL.
 * GG_ERR_ARGUMENT: a cutoff that is NaN or 1 and more. */
GG_API gg_status gg_least_squares_svd(float *x, int64_t ldx, float *singular_values, int64_t *rank, const float *a,
                                      int64_t lda, const float *b, int64_t ldb, int64_t m, int64_t n, int64_t nrhs,
                                      float cutoff, void *workspace, int64_t bytes);

/* Ridge regression: the X with the smallest |A X - B|^2 + lambda |X|^2, lambda > 0 and finite. By Cholesky of A^T A +
 * lambda I, or of A A^T + lambda I where that is smaller (two products, spotrf, spotrs): fast, with an error that grows
 * with (|A|^2 + lambda) / (smallest singular value^2 + lambda). GG_ERR_SINGULAR: lambda is lost in the rounding of
 * |A|^2 and A is close to rank deficient. GG_ERR_NUMERIC also where A^T A is beyond float's range. */
GG_API gg_status gg_ridge(float *x, int64_t ldx, const float *a, int64_t lda, const float *b, int64_t ldb, int64_t m,
                          int64_t n, int64_t nrhs, float lambda, void *workspace, int64_t bytes);

/* ---- eigenvalues and singular values ---- */

/* A = V diag(values) V^T for a symmetric A of which only the upper triangle is read (ssyevd): n values in ascending
 * order; column j of vectors (n x n, orthonormal) belongs to values[j]. vectors may be NULL: values alone. */
GG_API gg_status gg_symmetric_eigen(float *values, float *vectors, int64_t ldv, const float *a, int64_t lda, int64_t n,
                                    void *workspace, int64_t bytes);

/* The eigenvalues of any n x n matrix (sgeev): n real and imaginary parts, in no order but for conjugate pairs, which
 * stand side by side with the positive imaginary part first. The largest magnitude is the spectral radius. */
GG_API gg_status gg_eigenvalues(float *real, float *imaginary, const float *a, int64_t lda, int64_t n, void *workspace,
                                int64_t bytes);

/* A = U diag(s) V^T, the thin form: U m x k, s of k numbers in descending order, V^T k x n, k = min(m, n) (sgesdd). */
GG_API gg_status gg_svd(float *u, int64_t ldu, float *s, float *vt, int64_t ldvt, const float *a, int64_t lda,
                        int64_t m, int64_t n, void *workspace, int64_t bytes);

/* The same s alone, in a fraction of the time. */
GG_API gg_status gg_singular_values(float *s, const float *a, int64_t lda, int64_t m, int64_t n, void *workspace,
                                    int64_t bytes);

#ifdef __cplusplus
}
#endif
#endif
