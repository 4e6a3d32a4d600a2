/* lapack_door.h - the one door to LAPACKE: column-major matrices, sizes that fit an int, work arrays from the caller.
 *
 * Matrices are dense (leading dimension = rows, at least 1) unless an argument says otherwise. Functions that return
 * an int hand on LAPACK's info: 0, or a positive number that the caller explains. Each holds the BLAS at one thread
 * (parallel.h), and may itself be called from a region. */
#ifndef GG_LAPACK_DOOR_H
#define GG_LAPACK_DOOR_H

#include <stdbool.h>

/* ---- triangular factors of a square matrix ---- */

int gg_lapacke_getrf(float *a, int *pivots, int n);
void gg_lapacke_getrs(float *b, const float *a, const int *pivots, int n, int nrhs, bool transpose);

/* Norm: the largest column sum of an n x n matrix; for potrf the symmetric one of a lower triangle. */
float gg_lapacke_norm(const float *a, int n);
float gg_lapacke_symmetric_norm(const float *a, int n, float *work);

/* The estimate for a factored matrix of that norm: work 4n (3n for pocon), integers n. */
float gg_lapacke_gecon(const float *a, float norm, int n, float *work, int *integers);
float gg_lapacke_pocon(const float *a, float norm, int n, float *work, int *integers);

/* Lower triangles. */
int gg_lapacke_potrf(float *a, int n);
void gg_lapacke_potrs(float *b, const float *a, int n, int nrhs);

/* ---- the others; lwork = -1 leaves the best size in *work (and *integers) and does nothing else ---- */

int gg_lapacke_geqrf(float *a, float *tau, int m, int n, float *work, int lwork);
int gg_lapacke_orgqr(float *a, const float *tau, int m, int n, int k, float *work, int lwork);
int gg_lapacke_gels(float *a, float *b, int ldb, int m, int n, int nrhs, bool transpose, float *work, int lwork);

/* For the upper triangle of the first n columns of a matrix with leading dimension lda; work 3n, integers n. */
float gg_lapacke_trcon(const float *a, int lda, int n, float *work, int *integers);

int gg_lapacke_gelsd(float *a, float *b, int ldb, float *s, int *rank, int m, int n, int nrhs, float cutoff,
                     float *work, int lwork, int *integers);

/* Lower triangle; with vectors they replace a. */
int gg_lapacke_syevd(float *a, float *values, int n, bool vectors, float *work, int lwork, int *integers,
                     int integer_count);

/* Any square matrix, without vectors. */
int gg_lapacke_geev(float *a, float *real, float *imaginary, int n, float *work, int lwork);

/* u m x k, vt k x n, k = min(m, n); without vectors both may be NULL. */
int gg_lapacke_gesdd(float *a, float *u, float *s, float *vt, int m, int n, bool vectors, float *work, int lwork,
                     int *integers);

#endif
