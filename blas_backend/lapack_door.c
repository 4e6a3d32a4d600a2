/* lapack_door.c - the only file that includes lapacke.h. The "_work" functions on column-major matrices neither
 * allocate nor look for NaN: they hand their arguments to LAPACK. */
#include "lapack_door.h"

#include <float.h>
#include <stddef.h>

#include <lapacke.h>

#include "parallel.h"

_Static_assert(sizeof(lapack_int) == sizeof(int), "a LAPACKE with 32-bit integers is needed");

static int at_least_one(int n)
{
    return n > 1 ? n : 1;
}

int gg_lapacke_getrf(float *a, int *pivots, int n)
{
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_sgetrf_work(LAPACK_COL_MAJOR, n, n, a, at_least_one(n), pivots);
    gg_parallel_release_serial(held);
    return info;
}

void gg_lapacke_getrs(float *b, const float *a, const int *pivots, int n, int nrhs, bool transpose)
{
    const int held = gg_parallel_hold_serial();
    LAPACKE_sgetrs_work(LAPACK_COL_MAJOR, transpose ? 'T' : 'N', n, nrhs, a, at_least_one(n), pivots, b,
                        at_least_one(n));
    gg_parallel_release_serial(held);
}

float gg_lapacke_norm(const float *a, int n)
{
    return LAPACKE_slange_work(LAPACK_COL_MAJOR, '1', n, n, a, at_least_one(n), NULL);
}

float gg_lapacke_symmetric_norm(const float *a, int n, float *work)
{
    return LAPACKE_slansy_work(LAPACK_COL_MAJOR, '1', 'L', n, a, at_least_one(n), work);
}

/* LAPACK 3.12 refuses a norm beyond float's range, older ones return anything. */
static bool usable(float norm)
{
    return norm > 0.0f && norm <= FLT_MAX;
}

float gg_lapacke_gecon(const float *a, float norm, int n, float *work, int *integers)
{
    float rcond = 0.0f;
    if (!usable(norm))
        return 0.0f;
    const int held = gg_parallel_hold_serial();
    LAPACKE_sgecon_work(LAPACK_COL_MAJOR, '1', n, a, at_least_one(n), norm, &rcond, work, integers);
    gg_parallel_release_serial(held);
    return rcond;
}

float gg_lapacke_pocon(const float *a, float norm, int n, float *work, int *integers)
{
    float rcond = 0.0f;
    if (!usable(norm))
        return 0.0f;
    const int held = gg_parallel_hold_serial();
    LAPACKE_spocon_work(LAPACK_COL_MAJOR, 'L', n, a, at_least_one(n), norm, &rcond, work, integers);
    gg_parallel_release_serial(held);
    return rcond;
}

int gg_lapacke_potrf(float *a, int n)
{
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_spotrf_work(LAPACK_COL_MAJOR, 'L', n, a, at_least_one(n));
    gg_parallel_release_serial(held);
    return info;
}

void gg_lapacke_potrs(float *b, const float *a, int n, int nrhs)
{
    const int held = gg_parallel_hold_serial();
    LAPACKE_spotrs_work(LAPACK_COL_MAJOR, 'L', n, nrhs, a, at_least_one(n), b, at_least_one(n));
    gg_parallel_release_serial(held);
}

int gg_lapacke_geqrf(float *a, float *tau, int m, int n, float *work, int lwork)
{
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_sgeqrf_work(LAPACK_COL_MAJOR, m, n, a, at_least_one(m), tau, work, lwork);
    gg_parallel_release_serial(held);
    return info;
}

int gg_lapacke_orgqr(float *a, const float *tau, int m, int n, int k, float *work, int lwork)
{
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_sorgqr_work(LAPACK_COL_MAJOR, m, n, k, a, at_least_one(m), tau, work, lwork);
    gg_parallel_release_serial(held);
    return info;
}

int gg_lapacke_gels(float *a, float *b, int ldb, int m, int n, int nrhs, bool transpose, float *work, int lwork)
{
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_sgels_work(LAPACK_COL_MAJOR, transpose ? 'T' : 'N', m, n, nrhs, a, at_least_one(m), b,
                                        at_least_one(ldb), work, lwork);
    gg_parallel_release_serial(held);
    return info;
}

float gg_lapacke_trcon(const float *a, int lda, int n, float *work, int *integers)
{
    float rcond = 0.0f;
    const int held = gg_parallel_hold_serial();
    LAPACKE_strcon_work(LAPACK_COL_MAJOR, '1', 'U', 'N', n, a, at_least_one(lda), &rcond, work, integers);
    gg_parallel_release_serial(held);
    return rcond;
}

int gg_lapacke_gelsd(float *a, float *b, int ldb, float *s, int *rank, int m, int n, int nrhs, float cutoff,
                     float *work, int lwork, int *integers)
{
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_sgelsd_work(LAPACK_COL_MAJOR, m, n, nrhs, a, at_least_one(m), b, at_least_one(ldb), s,
                                         cutoff, rank, work, lwork, integers);
    gg_parallel_release_serial(held);
    return info;
}

int gg_lapacke_syevd(float *a, float *values, int n, bool vectors, float *work, int lwork, int *integers,
                     int integer_count)
{
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_ssyevd_work(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', 'L', n, a, at_least_one(n), values,
                                         work, lwork, integers, integer_count);
    gg_parallel_release_serial(held);
    return info;
}

int gg_lapacke_geev(float *a, float *real, float *imaginary, int n, float *work, int lwork)
{
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_sgeev_work(LAPACK_COL_MAJOR, 'N', 'N', n, a, at_least_one(n), real, imaginary, NULL, 1,
                                        NULL, 1, work, lwork);
    gg_parallel_release_serial(held);
    return info;
}

int gg_lapacke_gesdd(float *a, float *u, float *s, float *vt, int m, int n, bool vectors, float *work, int lwork,
                     int *integers)
{
    const int k = m < n ? m : n;
    const int held = gg_parallel_hold_serial();
    const int info = LAPACKE_sgesdd_work(LAPACK_COL_MAJOR, vectors ? 'S' : 'N', m, n, a, at_least_one(m), s, u,
                                         at_least_one(m), vt, at_least_one(k), work, lwork, integers);
    gg_parallel_release_serial(held);
    return info;
}
