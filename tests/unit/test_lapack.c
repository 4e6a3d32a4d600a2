/* test_lapack.c - square systems: A X = B by LU and Cholesky, condition, determinant; ridge regression.
 * Residuals by LAPACK's ratios, results against elimination in double. */
#include <gemmgrad/lapack.h>

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include <omp.h>

#include "backend.h"
#include "lapack_case.h"
#include "parallel.h"
#include "reference_lapack.h"
#include "support.h"

static const int64_t columns_of_b[] = {0, 1, 3, 17, 70};
enum { COLUMNS_OF_B = 5, GAP = 3 };

/* ---- LU ---- */

static void check_lu(int64_t n, int64_t nrhs, gg_transpose transpose)
{
    grid a = grid_random(n, n, GAP, 1), b = grid_random(n, nrhs, GAP + 1, 2), x = grid_new(n, nrhs, GAP + 2);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_LU_SOLVE, n, n, nrhs);
    float rcond = NAN;
    ck_assert_int_eq(gg_lu_solve(x.data, x.ld, nrhs == 3 ? NULL : &rcond, a.data, a.ld, b.data, b.ld, n, nrhs,
                                 transpose, space, bytes),
                     GG_OK);
    double *wide = grid_wide(&a), *op = support_doubles(n * n);
    if (transpose == GG_TRANSPOSE)
        reference_transpose(op, wide, n, n);
    else
        memcpy(op, wide, (size_t)(n * n) * sizeof *op);
    lapack_assert_ratio(reference_residual_ratio(grid_wide(&x), op, grid_wide(&b), n, n, nrhs), "LU", n, n, nrhs);
    if (nrhs != 3)
        ck_assert(rcond > 0.0f && rcond <= 1.0f);
}

START_TEST(lu_solves)
{
    ck_assert_int_eq(gg_set_threads(_i % 2 == 0 ? 1 : 4), GG_OK); /* right-hand sides are shared among threads */
    for (int j = 0; j < COLUMNS_OF_B; j++) {
        check_lu(lapack_sizes[_i], columns_of_b[j], GG_NO_TRANSPOSE);
        check_lu(lapack_sizes[_i], columns_of_b[j], GG_TRANSPOSE);
        support_release();
    }
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
}
END_TEST

/* Threads take blocks of right-hand sides: enough of them for several blocks each. */
START_TEST(lu_solves_on_threads)
{
    ck_assert_int_eq(gg_set_threads(4), GG_OK);
    check_lu(150, 203, GG_NO_TRANSPOSE);
    check_lu(150, 203, GG_TRANSPOSE);
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
}
END_TEST

/* From 512^3 multiply-adds on an OpenMP BLAS may have the threads; the caller's own number of them stays. */
START_TEST(large_factorisations_borrow_threads)
{
    const int before = omp_get_max_threads();
    ck_assert_int_eq(gg_set_threads(2), GG_OK);
    check_lu(520, 3, GG_NO_TRANSPOSE);
    ck_assert_int_eq(omp_get_max_threads(), before);
    const gg_lent first = gg_parallel_lend(1e9), second = gg_parallel_lend(1e9), small = gg_parallel_lend(1e3);
    ck_assert(!second.alone && !small.alone);
    ck_assert_int_eq(omp_get_max_threads(), 1);
    gg_parallel_take_back(small);
    gg_parallel_take_back(second);
    ck_assert_int_eq(omp_get_max_threads(), first.alone ? 2 : 1);
    gg_parallel_take_back(first);
    ck_assert_int_eq(omp_get_max_threads(), before);
    const gg_lent again = gg_parallel_lend(1e9);
    ck_assert_int_eq(again.alone, first.alone);
    ck_assert_int_eq(again.alone, gg_policy_blas_heeds_openmp());
    gg_parallel_take_back(again);
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
}
END_TEST

/* ---- several callers at once ---- */

typedef struct caller {
    const grid *a, *b;
    grid x;
    void *space;
    int64_t bytes;
    gg_status status;
} caller;

static void *solve_often(void *context)
{
    enum { TIMES = 20 };
    caller *c = context;
    for (int i = 0; i < TIMES && c->status == GG_OK; i++)
        c->status = gg_lu_solve(c->x.data, c->x.ld, NULL, c->a->data, c->a->ld, c->b->data, c->b->ld, c->a->rows,
                                c->b->columns, GG_NO_TRANSPOSE, c->space, c->bytes);
    return NULL;
}

/* Large ones, of which one at a time has the threads: each right, if not to the bit. */
START_TEST(large_callers_do_not_meet)
{
    enum { CALLERS = 3, N = 520 };
    grid a = grid_random(N, N, GAP, 1), b = grid_random(N, 1, GAP, 2);
    caller callers[CALLERS];
    pthread_t threads[CALLERS];
    ck_assert_int_eq(gg_set_threads(2), GG_OK);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.a = &a, .b = &b, .x = grid_new(N, 1, 0)};
        callers[i].space = lapack_space(&callers[i].bytes, GG_LAPACK_LU_SOLVE, N, N, 1);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, solve_often, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(callers[i].status, GG_OK);
        lapack_assert_ratio(reference_residual_ratio(grid_wide(&callers[i].x), grid_wide(&a), grid_wide(&b), N, N, 1),
                            "LU", N, N, 1);
    }
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
}
END_TEST

/* Each with its own workspace and result: the same bits as alone. */
START_TEST(callers_do_not_meet)
{
    enum { CALLERS = 4, N = 130, NRHS = 40 };
    grid a = grid_random(N, N, GAP, 1), b = grid_random(N, NRHS, GAP, 2);
    caller callers[CALLERS + 1];
    pthread_t threads[CALLERS];
    for (int i = 0; i <= CALLERS; i++) {
        callers[i] = (caller){.a = &a, .b = &b, .x = grid_new(N, NRHS, 0)};
        callers[i].space = lapack_space(&callers[i].bytes, GG_LAPACK_LU_SOLVE, N, N, NRHS);
    }
    solve_often(&callers[CALLERS]);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, solve_often, &callers[i]), 0);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(callers[i].status, GG_OK);
        ck_assert_mem_eq(callers[i].x.data, callers[CALLERS].x.data, N * NRHS * sizeof(float));
    }
}
END_TEST

START_TEST(lu_solves_in_place)
{
    const int64_t n = 9, nrhs = 5;
    grid a = grid_random(n, n, 0, 1), b = grid_random(n, nrhs, 0, 2), x = grid_new(n, nrhs, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_LU_SOLVE, n, n, nrhs);
    float *before = support_copy(a.data, n * n);
    ck_assert_int_eq(gg_lu_solve(x.data, nrhs, NULL, a.data, n, b.data, nrhs, n, nrhs, GG_NO_TRANSPOSE, space, bytes),
                     GG_OK);
    ck_assert_int_eq(gg_lu_solve(b.data, nrhs, NULL, a.data, n, b.data, nrhs, n, nrhs, GG_NO_TRANSPOSE, space, bytes),
                     GG_OK);
    ck_assert_mem_eq(x.data, b.data, (size_t)(n * nrhs) * sizeof(float));
    ck_assert_mem_eq(a.data, before, (size_t)(n * n) * sizeof(float));
}
END_TEST

/* The Hilbert matrix of 12 rows has a condition of 10^16. */
static grid hilbert(int64_t n)
{
    double *h = support_doubles(n * n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            h[i * n + j] = 1.0 / (double)(i + j + 1);
    return grid_from(h, n, n, 0);
}

START_TEST(lu_refuses_singular)
{
    enum { N = 5 };
    double values[N * N] = {0};
    for (int i = 0; i < N; i++)
        values[i * N + i] = i == 3 ? 0.0 : i + 1.0;
    grid a = grid_from(values, N, N, 0), b = grid_random(N, 2, 0, 2), x = grid_new(N, 2, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_LU_SOLVE, N, N, 2);
    float rcond = NAN;
    support_assert_fails(gg_lu_solve(x.data, 2, NULL, a.data, N, b.data, 2, N, 2, GG_NO_TRANSPOSE, space, bytes),
                         GG_ERR_SINGULAR, "gg_lu_solve", "a (5 x 5) is singular: pivot 3 is zero");
    support_assert_fails(gg_lu_solve(x.data, 2, &rcond, a.data, N, b.data, 2, N, 2, GG_NO_TRANSPOSE, space, bytes),
                         GG_ERR_SINGULAR, "gg_lu_solve", "pivot 3");
    ck_assert(rcond == 0.0f);
    ck_assert(grid_untouched(&x));
}
END_TEST

START_TEST(lu_refuses_ill_conditioned)
{
    enum { N = 12 };
    grid a = hilbert(N), b = grid_random(N, 1, 0, 2), x = grid_new(N, 1, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_LU_SOLVE, N, N, 1);
    float rcond = NAN;
    support_assert_fails(gg_lu_solve(x.data, 1, &rcond, a.data, N, b.data, 1, N, 1, GG_NO_TRANSPOSE, space, bytes),
                         GG_ERR_SINGULAR, "gg_lu_solve", "singular to working precision: rcond is");
    ck_assert(rcond >= 0.0f && rcond < FLT_EPSILON);
    ck_assert(grid_untouched(&x));
    ck_assert_int_eq(gg_lu_solve(x.data, 1, NULL, a.data, N, b.data, 1, N, 1, GG_NO_TRANSPOSE, space, bytes), GG_OK);
}
END_TEST

/* ---- Cholesky ---- */

START_TEST(cholesky_solves)
{
    const int64_t n = lapack_sizes[_i];
    for (int j = 0; j < COLUMNS_OF_B; j++) {
        const int64_t nrhs = columns_of_b[j];
        double *wide = NULL;
        grid a = grid_symmetric(n, GAP, 1, true, &wide);
        grid b = grid_random(n, nrhs, GAP + 1, 2), x = grid_new(n, nrhs, GAP + 2);
        int64_t bytes = 0;
        void *space = lapack_space(&bytes, GG_LAPACK_CHOLESKY_SOLVE, n, n, nrhs);
        float rcond = NAN;
        ck_assert_int_eq(
            gg_cholesky_solve(x.data, x.ld, j == 1 ? NULL : &rcond, a.data, a.ld, b.data, b.ld, n, nrhs, space, bytes),
            GG_OK);
        lapack_assert_ratio(reference_residual_ratio(grid_wide(&x), wide, grid_wide(&b), n, n, nrhs), "Cholesky", n, n,
                            nrhs);
        if (j != 1 && n > 0) {
            const double truth = reference_rcond(wide, n);
            ck_assert_msg((double)rcond > 0.9 * truth && (double)rcond < 10.0 * truth, "n = %lld: %g, truly %g",
                          (long long)n, (double)rcond, truth);
        }
        support_release();
    }
}
END_TEST

START_TEST(cholesky_refuses_indefinite)
{
    enum { N = 4 };
    const double values[N * N] = {2, 1, 0, 0, 1, 2, 1, 0, 0, 1, -1, 1, 0, 0, 1, 2};
    grid a = grid_from(values, N, N, 0), b = grid_random(N, 2, 0, 2), x = grid_new(N, 2, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_CHOLESKY_SOLVE, N, N, 2);
    float rcond = NAN;
    support_assert_fails(gg_cholesky_solve(x.data, 2, &rcond, a.data, N, b.data, 2, N, 2, space, bytes),
                         GG_ERR_SINGULAR, "gg_cholesky_solve",
                         "a (4 x 4) is not positive definite: its leading part of 3");
    ck_assert(rcond == 0.0f);
    ck_assert(grid_untouched(&x));
}
END_TEST

START_TEST(cholesky_refuses_ill_conditioned)
{
    enum { N = 2 };
    const double values[N * N] = {1, 0, 0, 1e-9};
    grid a = grid_from(values, N, N, 0), b = grid_random(N, 1, 0, 2), x = grid_new(N, 1, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_CHOLESKY_SOLVE, N, N, 1);
    float rcond = NAN;
    support_assert_fails(gg_cholesky_solve(x.data, 1, &rcond, a.data, N, b.data, 1, N, 1, space, bytes),
                         GG_ERR_SINGULAR, "gg_cholesky_solve", "rcond is 1e-09");
    ck_assert(grid_untouched(&x));
    ck_assert_int_eq(gg_cholesky_solve(x.data, 1, NULL, a.data, N, b.data, 1, N, 1, space, bytes), GG_OK);
}
END_TEST

/* ---- condition and determinant ---- */

START_TEST(rcond_is_near)
{
    const int64_t n = lapack_sizes[_i];
    grid a = grid_random(n, n, GAP, 5);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_RCOND, n, n, 0);
    float rcond = NAN;
    ck_assert_int_eq(gg_rcond(&rcond, a.data, a.ld, n, space, bytes), GG_OK);
    if (n == 0) {
        ck_assert(rcond == 1.0f);
        return;
    }
    const double truth = reference_rcond(grid_wide(&a), n);
    ck_assert_msg((double)rcond > 0.9 * truth && (double)rcond < 10.0 * truth, "n = %lld: %g, truly %g", (long long)n,
                  (double)rcond, truth);
}
END_TEST

START_TEST(rcond_of_singular_is_zero)
{
    enum { N = 9 };
    const double values[N * N] = {0};
    grid a = grid_from(values, N, N, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_RCOND, N, N, 0);
    float rcond = NAN;
    ck_assert_int_eq(gg_rcond(&rcond, a.data, N, N, space, bytes), GG_OK);
    ck_assert(rcond == 0.0f);
    a.data[0] = a.data[1] = FLT_MAX; /* a norm beyond float's range */
    ck_assert_int_eq(gg_rcond(&rcond, a.data, N, N, space, bytes), GG_OK);
    ck_assert(rcond == 0.0f);
}
END_TEST

/* Backward stable: the determinant of a nearby matrix, which moves it by n eps / rcond at most. */
START_TEST(log_determinant_is_right)
{
    const int64_t n = lapack_sizes[_i];
    grid a = grid_random(n, n, GAP, 6);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_LOG_DETERMINANT, n, n, 0);
    int sign = 7;
    double found = NAN;
    ck_assert_int_eq(gg_log_determinant(&sign, &found, a.data, a.ld, n, space, bytes), GG_OK);
    double *wide = grid_wide(&a);
    const double rcond = n > 0 ? reference_rcond(wide, n) : 1.0;
    const double truth = reference_solve(NULL, wide, NULL, n, 0);
    ck_assert_int_eq(sign, truth < 0.0 ? -1 : 1);
    ck_assert_msg(fabs(found - log(fabs(truth))) <= (double)n * 0x1p-24 / rcond, "n = %lld: %.9g, truly %.9g",
                  (long long)n, found, log(fabs(truth)));
}
END_TEST

/* det of 1e-30 I with 9 rows is 1e-270; exchanging two rows changes the sign; two equal rows have none. */
START_TEST(log_determinant_of_known)
{
    enum { N = 9 };
    double values[N * N] = {0};
    for (int i = 0; i < N; i++)
        values[i * N + i] = 1e-30;
    values[0] = values[N + 1] = 0.0;
    values[1] = values[N] = 1e-30;
    grid a = grid_from(values, N, N, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_LOG_DETERMINANT, N, N, 0);
    int sign = 7;
    double found = NAN;
    ck_assert_int_eq(gg_log_determinant(&sign, &found, a.data, N, N, space, bytes), GG_OK);
    ck_assert_int_eq(sign, -1);
    ck_assert(fabs(found - -270.0 * log(10.0)) < 1e-4);
    a.data[N] = 0.0f;
    ck_assert_int_eq(gg_log_determinant(&sign, &found, a.data, N, N, space, bytes), GG_OK);
    ck_assert_int_eq(sign, 0);
    ck_assert(isinf(found) && found < 0.0);
}
END_TEST

/* ---- ridge ---- */

/* |X - X*| <= 30 eps (|A|^2 + lambda) / (s_min^2 + lambda) |X*|: the condition of what is solved. */
static void check_ridge(int64_t m, int64_t n, int64_t nrhs, float lambda)
{
    grid a = grid_random(m, n, GAP, 1), b = grid_random(m, nrhs, GAP + 1, 2), x = grid_new(n, nrhs, GAP + 2);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_RIDGE, m, n, nrhs);
    ck_assert_int_eq(gg_ridge(x.data, x.ld, a.data, a.ld, b.data, b.ld, m, n, nrhs, lambda, space, bytes), GG_OK);
    double *wa = grid_wide(&a), *wb = grid_wide(&b), *found = grid_wide(&x);
    double *gram = support_doubles(n * n), *right = support_doubles(n * nrhs), *truth = support_doubles(n * nrhs);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++)
            for (int64_t l = 0; l < m; l++)
                gram[i * n + j] += wa[l * n + i] * wa[l * n + j];
        gram[i * n + i] += (double)lambda;
        for (int64_t j = 0; j < nrhs; j++)
            for (int64_t l = 0; l < m; l++)
                right[i * nrhs + j] += wa[l * n + i] * wb[l * nrhs + j];
    }
    const double condition =
        n > 0 && m >= n ? 1.0 / reference_rcond(gram, n) : (reference_norm(gram, n, n) / (double)lambda + 1.0);
    reference_solve(truth, gram, right, n, nrhs);
    const double size = reference_norm(truth, n, nrhs);
    for (int64_t i = 0; i < n * nrhs; i++)
        ck_assert_msg(fabs(found[i] - truth[i]) <= LAPACK_THRESHOLD * 0x1p-24 * condition * size,
                      "%lld x %lld, lambda %g: %g, truly %g", (long long)m, (long long)n, (double)lambda, found[i],
                      truth[i]);
}

START_TEST(ridge_is_right)
{
    for (int i = 0; i < LAPACK_SIZES; i++) {
        check_ridge(lapack_sizes[_i], lapack_sizes[i], 3, 0.5f);
        check_ridge(lapack_sizes[_i], lapack_sizes[i], 1, 20.0f);
        support_release();
    }
}
END_TEST

START_TEST(ridge_refuses)
{
    enum { M = 4, N = 3 };
    const double values[M * N] = {1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0}; /* 4 has an exact root */
    grid a = grid_from(values, M, N, 0), b = grid_random(M, 1, 0, 2), x = grid_new(N, 1, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_RIDGE, M, N, 1);
    const float bad[] = {0.0f, -1.0f, NAN, INFINITY};
    for (int i = 0; i < 4; i++)
        support_assert_fails(gg_ridge(x.data, 1, a.data, N, b.data, 1, M, N, 1, bad[i], space, bytes), GG_ERR_ARGUMENT,
                             "gg_ridge", "lambda is");
    support_assert_fails(gg_ridge(x.data, 1, a.data, N, b.data, 1, M, N, 1, 1e-12f, space, bytes), GG_ERR_SINGULAR,
                         "gg_ridge", "lambda = 1e-12 is lost beside a (4 x 3)");
    a.data[0] = 1e30f;
    support_assert_fails(gg_ridge(x.data, 1, a.data, N, b.data, 1, M, N, 1, 1.0f, space, bytes), GG_ERR_NUMERIC,
                         "gg_ridge", "the product of a (4 x 3) with itself");
    ck_assert(grid_untouched(&x));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, lu_solves, 0, LAPACK_SIZES);
    tcase_add_test(tests, lu_solves_on_threads);
    tcase_add_test(tests, large_factorisations_borrow_threads);
    tcase_add_test(tests, callers_do_not_meet);
    tcase_add_test(tests, large_callers_do_not_meet);
    tcase_add_test(tests, lu_solves_in_place);
    tcase_add_test(tests, lu_refuses_singular);
    tcase_add_test(tests, lu_refuses_ill_conditioned);
    tcase_add_loop_test(tests, cholesky_solves, 0, LAPACK_SIZES);
    tcase_add_test(tests, cholesky_refuses_indefinite);
    tcase_add_test(tests, cholesky_refuses_ill_conditioned);
    tcase_add_loop_test(tests, rcond_is_near, 0, LAPACK_SIZES);
    tcase_add_test(tests, rcond_of_singular_is_zero);
    tcase_add_loop_test(tests, log_determinant_is_right, 0, LAPACK_SIZES);
    tcase_add_test(tests, log_determinant_of_known);
    tcase_add_loop_test(tests, ridge_is_right, 0, LAPACK_SIZES);
    tcase_add_test(tests, ridge_refuses);
}
