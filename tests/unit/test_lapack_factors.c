/* test_lapack_factors.c - A = Q R, least squares, A = V D V^T, A = U S V^T: reconstruction and orthogonality by
 * LAPACK's ratios, singular values against one-sided Jacobi in double. */
#include <gemmgrad/lapack.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "lapack_case.h"
#include "reference_lapack.h"
#include "support.h"

enum { GAP = 3 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- QR ---- */

static void check_qr(int64_t m, int64_t n, gg_qr_form form)
{
    const int64_t columns = form == GG_QR_FULL ? m : least(m, n);
    grid a = grid_random(m, n, GAP, 1), q = grid_new(m, columns, GAP + 1), r = grid_new(columns, n, GAP + 2);
    grid q_alone = grid_new(m, columns, 0), r_alone = grid_new(columns, n, 0);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, form == GG_QR_FULL ? GG_LAPACK_QR_FULL : GG_LAPACK_QR_THIN, m, n, 0);
    ck_assert_int_eq(gg_qr(q.data, q.ld, r.data, r.ld, a.data, a.ld, m, n, form, space, bytes), GG_OK);
    double *wide_q = grid_wide(&q), *wide_r = grid_wide(&r);
    lapack_assert_ratio(reference_product_ratio(grid_wide(&a), wide_q, NULL, wide_r, m, n, columns), "QR", m, n, 0);
    lapack_assert_ratio(reference_orthogonality_ratio(wide_q, m, columns), "Q^T Q", m, n, 0);
    for (int64_t i = 0; i < columns; i++)
        for (int64_t j = 0; j < least(i, n); j++)
            ck_assert(r.data[i * r.ld + j] == 0.0f);
    ck_assert_int_eq(gg_qr(q_alone.data, columns, NULL, 0, a.data, a.ld, m, n, form, space, bytes), GG_OK);
    ck_assert_int_eq(gg_qr(NULL, 0, r_alone.data, n, a.data, a.ld, m, n, form, space, bytes), GG_OK);
    const double *other_q = grid_wide(&q_alone), *other_r = grid_wide(&r_alone);
    for (int64_t i = 0; i < m * columns; i++)
        ck_assert(wide_q[i] == other_q[i]);
    for (int64_t i = 0; i < columns * n; i++)
        ck_assert(wide_r[i] == other_r[i]);
}

START_TEST(qr_factors)
{
    for (int i = 0; i < LAPACK_SIZES; i++) {
        check_qr(lapack_sizes[_i], lapack_sizes[i], GG_QR_THIN);
        check_qr(lapack_sizes[_i], lapack_sizes[i], GG_QR_FULL);
        support_release();
    }
}
END_TEST

/* Orthonormal columns whatever the rank: zeros, equal columns, numbers at both ends of float's range. */
START_TEST(qr_of_deficient)
{
    enum { M = 17, N = 9 };
    const double scales[] = {0.0, 1.0, 1e-30, 1e30};
    for (int s = 0; s < 4; s++) {
        grid a = grid_random(M, N, 0, 3), q = grid_new(M, N, 0);
        for (int64_t i = 0; i < M * N; i++)
            a.data[i] *= (float)scales[s];
        for (int64_t i = 0; i < M; i++)
            a.data[i * N + 4] = a.data[i * N];
        int64_t bytes = 0;
        void *space = lapack_space(&bytes, GG_LAPACK_QR_THIN, M, N, 0);
        ck_assert_int_eq(gg_qr(q.data, N, NULL, 0, a.data, N, M, N, GG_QR_THIN, space, bytes), GG_OK);
        lapack_assert_ratio(reference_orthogonality_ratio(grid_wide(&q), M, N), "Q^T Q", M, N, 0);
    }
}
END_TEST

/* ---- least squares ---- */

/* At the minimum A^T (B - A X) = 0; for m <= n and full rank, B - A X = 0, and X is a combination of the rows of A. */
static void check_solution(const grid *x, const grid *a, const grid *b, bool full_rank, const char *what)
{
    const int64_t m = a->rows, n = a->columns, nrhs = b->columns;
    double *wx = grid_wide(x), *wa = grid_wide(a), *wb = grid_wide(b);
    lapack_assert_ratio(m > n || !full_rank
                            ? reference_normal_ratio(wx, wa, wb, m, n, nrhs)
                            : reference_residual_ratio(wx, wa, wb, m, n, nrhs) / (double)(n > 0 ? n : 1),
                        what, m, n, nrhs);
    if (m >= n || m == 0)
        return;
    /* X* = A^T (A A^T)^-1 B */
    double *gram = support_doubles(m * m), *z = support_doubles(m * nrhs), *truth = support_doubles(n * nrhs);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++)
            for (int64_t l = 0; l < n; l++)
                gram[i * m + j] += wa[i * n + l] * wa[j * n + l];
    const double rcond = reference_rcond(gram, m); /* the square of A's */
    reference_solve(z, gram, wb, m, nrhs);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < nrhs; j++)
            for (int64_t l = 0; l < m; l++)
                truth[i * nrhs + j] += wa[l * n + i] * z[l * nrhs + j];
    const double allowed = LAPACK_THRESHOLD * 0x1p-24 * reference_norm(truth, n, nrhs) / sqrt(rcond);
    for (int64_t i = 0; i < n * nrhs; i++)
        ck_assert_msg(fabs(wx[i] - truth[i]) <= allowed, "%s %lld x %lld: %g, truly %g, allowed %g", what, (long long)m,
                      (long long)n, wx[i], truth[i], allowed);
}

static void check_least_squares(int64_t m, int64_t n, int64_t nrhs)
{
    grid a = grid_random(m, n, GAP, 1), b = grid_random(m, nrhs, GAP + 1, 2);
    grid x = grid_new(n, nrhs, GAP + 2), y = grid_new(n, nrhs, GAP), s = grid_new(1, least(m, n), 0);
    int64_t bytes = 0, rank = -1;
    float rcond = NAN;
    void *space = lapack_space(&bytes, GG_LAPACK_LEAST_SQUARES, m, n, nrhs);
    ck_assert_int_eq(gg_least_squares(x.data, x.ld, &rcond, a.data, a.ld, b.data, b.ld, m, n, nrhs, space, bytes),
                     GG_OK);
    ck_assert(rcond > 0.0f && rcond <= 1.0f);
    check_solution(&x, &a, &b, true, "QR");
    space = lapack_space(&bytes, GG_LAPACK_LEAST_SQUARES_SVD, m, n, nrhs);
    ck_assert_int_eq(
        gg_least_squares_svd(y.data, y.ld, s.data, &rank, a.data, a.ld, b.data, b.ld, m, n, nrhs, -1.0f, space, bytes),
        GG_OK);
    ck_assert_int_eq(rank, least(m, n));
    check_solution(&y, &a, &b, true, "SVD");
}

START_TEST(least_squares_solve)
{
    for (int i = 0; i < LAPACK_SIZES; i++) {
        check_least_squares(lapack_sizes[_i], lapack_sizes[i], 3);
        if (i < 6)
            check_least_squares(lapack_sizes[_i], lapack_sizes[i], 0);
        support_release();
    }
}
END_TEST

START_TEST(least_squares_refuse_deficient)
{
    enum { M = 6, N = 3 };
    double values[M * N] = {0};
    grid b = grid_random(M, 1, 0, 2), x = grid_new(N, 1, 0), zero = grid_from(values, M, N, 0);
    for (int i = 0; i < M; i++) {
        values[i * N] = 1.0;
        values[i * N + 1] = 1.0 / (i + 1);
        values[i * N + 2] = 1.0 + 1e-6 * values[i * N + 1];
    }
    grid a = grid_from(values, M, N, 0);
    int64_t bytes = 0;
    float rcond = NAN;
    void *space = lapack_space(&bytes, GG_LAPACK_LEAST_SQUARES, M, N, 1);
    support_assert_fails(gg_least_squares(x.data, 1, NULL, zero.data, N, b.data, 1, M, N, 1, space, bytes),
                         GG_ERR_SINGULAR, "gg_least_squares", "a (6 x 3) has not full rank: element 0");
    support_assert_fails(gg_least_squares(x.data, 1, &rcond, a.data, N, b.data, 1, M, N, 1, space, bytes),
                         GG_ERR_SINGULAR, "gg_least_squares", "has not full rank to working precision: rcond is");
    ck_assert(rcond >= 0.0f && rcond < FLT_EPSILON);
    ck_assert(grid_untouched(&x));
}
END_TEST

/* (A^T A + lambda I)^-1 A^T B differs from the shortest solution by lambda = 1e-4 on the smallest singular value that
 * counts, 1, and by no more than rounding / lambda = 1e-3 on those that do not. */
static void check_shortest(const grid *x, const grid *a, const grid *b)
{
    const int64_t m = a->rows, n = a->columns, nrhs = b->columns;
    double *wx = grid_wide(x), *wa = grid_wide(a), *wb = grid_wide(b);
    double *gram = support_doubles(n * n), *right = support_doubles(n * nrhs), *truth = support_doubles(n * nrhs);
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < m; l++) {
            for (int64_t j = 0; j < n; j++)
                gram[i * n + j] += wa[l * n + i] * wa[l * n + j] + (l == 0 && i == j ? 1e-4 : 0.0);
            for (int64_t j = 0; j < nrhs; j++)
                right[i * nrhs + j] += wa[l * n + i] * wb[l * nrhs + j];
        }
    reference_solve(truth, gram, right, n, nrhs);
    for (int64_t i = 0; i < n * nrhs; i++)
        ck_assert_msg(fabs(wx[i] - truth[i]) <= 0.01 * reference_norm(truth, n, nrhs), "%lld x %lld: %g, truly %g",
                      (long long)m, (long long)n, wx[i], truth[i]);
}

/* Rank 4 of 9: X has no part in the null space, and the singular values are as made. */
static void check_deficient(int64_t m, int64_t n)
{
    enum { RANK = 4 };
    const double s[] = {8.0, 4.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    grid a = grid_with_singular_values(s, m, n, GAP, 7), b = grid_random(m, 2, 0, 2), x = grid_new(n, 2, GAP);
    int64_t bytes = 0, rank = -1;
    const int64_t k = least(m, n);
    float *found = support_floats(k);
    void *space = lapack_space(&bytes, GG_LAPACK_LEAST_SQUARES_SVD, m, n, 2);
    ck_assert_int_eq(
        gg_least_squares_svd(x.data, x.ld, found, &rank, a.data, a.ld, b.data, b.ld, m, n, 2, 1e-4f, space, bytes),
        GG_OK);
    ck_assert_int_eq(rank, RANK);
    for (int64_t i = 0; i < k; i++)
        ck_assert(fabs((double)found[i] - s[i]) <= LAPACK_THRESHOLD * 0x1p-24 * s[0]);
    check_solution(&x, &a, &b, false, "rank 4");
    check_shortest(&x, &a, &b);
}

/* Twins among the columns, or rows: without a cutoff of the caller's the rank is found, and twins share one weight. */
static void check_twins(int64_t m, int64_t n)
{
    const int64_t k = least(m, n), half = k / 2;
    grid a = grid_random(m, n, 0, 3), b = grid_random(m, 1, 0, 4), x = grid_new(n, 1, 0);
    int64_t bytes = 0, rank = -1;
    void *space = lapack_space(&bytes, GG_LAPACK_LEAST_SQUARES_SVD, m, n, 1);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = half; j < n && m >= n; j++)
            a.data[i * a.ld + j] = a.data[i * a.ld + j % half];
        for (int64_t j = 0; j < n && m < n && i >= half; j++)
            a.data[i * a.ld + j] = a.data[i % half * a.ld + j];
    }
    ck_assert_int_eq(
        gg_least_squares_svd(x.data, 1, NULL, &rank, a.data, a.ld, b.data, 1, m, n, 1, -1.0f, space, bytes), GG_OK);
    ck_assert_msg(rank == half, "%lld x %lld: rank %lld, not %lld", (long long)m, (long long)n, (long long)rank,
                  (long long)half);
    for (int64_t j = half; j < n && m >= n; j++)
        ck_assert(fabsf(x.data[j] - x.data[j % half]) <= 1e-4f);
    support_release();
}

START_TEST(least_squares_svd_finds_the_rank)
{
    check_twins(2, 2);
    check_twins(6, 28);
    check_twins(40, 32);
    check_twins(100, 100);
    check_twins(200, 1000);
    check_twins(1000, 4);
}
END_TEST

START_TEST(least_squares_svd_of_deficient)
{
    check_deficient(17, 9);
    check_deficient(9, 9);
    int64_t bytes = 0, rank = -1;
    const double zeros[12] = {0};
    grid a = grid_from(zeros, 4, 3, 0), b = grid_random(4, 1, 0, 1), x = grid_new(3, 1, 0);
    void *space = lapack_space(&bytes, GG_LAPACK_LEAST_SQUARES_SVD, 4, 3, 1);
    ck_assert_int_eq(gg_least_squares_svd(x.data, 1, NULL, &rank, a.data, 3, b.data, 1, 4, 3, 1, -1.0f, space, bytes),
                     GG_OK);
    ck_assert_int_eq(rank, 0);
    ck_assert(x.data[0] == 0.0f && x.data[1] == 0.0f && x.data[2] == 0.0f);
}
END_TEST

/* ---- eigenvalues ---- */

START_TEST(eigenvectors_are_right)
{
    const int64_t n = lapack_sizes[_i];
    double *wide = NULL;
    grid a = grid_symmetric(n, GAP, 4, false, &wide), v = grid_new(n, n, GAP + 1);
    float *values = support_floats(n), *alone = support_floats(n);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_SYMMETRIC_EIGEN, n, n, 0);
    ck_assert_int_eq(gg_symmetric_eigen(values, v.data, v.ld, a.data, a.ld, n, space, bytes), GG_OK);
    double *vectors = grid_wide(&v), *transposed = support_doubles(n * n), *d = support_widen(values, n);
    reference_transpose(transposed, vectors, n, n);
    lapack_assert_ratio(reference_product_ratio(wide, vectors, d, transposed, n, n, n), "V D V^T", n, n, 0);
    lapack_assert_ratio(reference_orthogonality_ratio(vectors, n, n), "V^T V", n, n, 0);
    ck_assert_int_eq(gg_symmetric_eigen(alone, NULL, 0, a.data, a.ld, n, space, bytes), GG_OK);
    const double allowed = LAPACK_THRESHOLD * 0x1p-24 * reference_norm(wide, n, n);
    for (int64_t i = 0; i < n; i++) {
        ck_assert(i == 0 || values[i] >= values[i - 1]);
        ck_assert(fabs((double)alone[i] - d[i]) <= allowed);
    }
}
END_TEST

/* H B H with a reflection H = I - 2 v v^T / v^T v and pairs r (cos, -sin; sin, cos) on the diagonal of B has the
 * eigenvalues r e^(+-i phi); it is normal, so that rounding moves them by no more than itself. A last odd one is real.
 */
static double *matrix_with_eigenvalues(double *real, double *imaginary, int64_t n)
{
    double *b = support_doubles(n * n), *a = support_doubles(n * n), *v = support_doubles(n), square = 0.0;
    for (int64_t i = 0; i < n; i++) {
        v[i] = 1.0 + (double)(i % 3);
        square += v[i] * v[i];
        for (int64_t j = 0; j < n; j++)
            b[i * n + j] = 0.0;
    }
    for (int64_t i = 0; i < n; i += 2) {
        const double radius = 1.0 / (double)(i + 1), angle = 0.3 + (double)i;
        const bool pair = i + 1 < n;
        real[i] = b[i * n + i] = pair ? radius * cos(angle) : radius;
        imaginary[i] = pair ? radius * sin(angle) : 0.0;
        if (pair) {
            real[i + 1] = b[(i + 1) * n + i + 1] = real[i];
            imaginary[i + 1] = b[(i + 1) * n + i] = -imaginary[i];
            b[i * n + i + 1] = imaginary[i];
        }
    }
    for (int side = 0; side < 2; side++) { /* a = H b, and then its transpose takes b's place */
        for (int64_t j = 0; j < n; j++) {
            double dot = 0.0;
            for (int64_t i = 0; i < n; i++)
                dot += v[i] * b[i * n + j];
            for (int64_t i = 0; i < n; i++)
                a[i * n + j] = b[i * n + j] - 2.0 * v[i] * dot / square;
        }
        reference_transpose(b, a, n, n);
    }
    return b;
}

START_TEST(eigenvalues_are_right)
{
    const int64_t n = lapack_sizes[_i];
    double *true_real = support_doubles(n), *true_imaginary = support_doubles(n);
    const double *wide = matrix_with_eigenvalues(true_real, true_imaginary, n);
    grid a = grid_from(wide, n, n, GAP);
    float *real = support_floats(n), *imaginary = support_floats(n);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_EIGENVALUES, n, n, 0);
    ck_assert_int_eq(gg_eigenvalues(real, imaginary, a.data, a.ld, n, space, bytes), GG_OK);
    const double allowed = LAPACK_THRESHOLD * 0x1p-24 * reference_norm(wide, n, n);
    for (int64_t i = 0; i < n; i++) {
        double nearest = INFINITY;
        for (int64_t j = 0; j < n; j++)
            nearest = fmin(nearest, hypot((double)real[j] - true_real[i], (double)imaginary[j] - true_imaginary[i]));
        ck_assert_msg(nearest <= allowed, "n = %lld: %g + %g i is off by %g", (long long)n, true_real[i],
                      true_imaginary[i], nearest);
        ck_assert(imaginary[i] <= 0.0f || (i + 1 < n && imaginary[i + 1] == -imaginary[i]));
    }
}
END_TEST

/* ---- singular values ---- */

static void check_svd(int64_t m, int64_t n)
{
    const int64_t k = least(m, n);
    grid a = grid_random(m, n, GAP, 1), u = grid_new(m, k, GAP + 1), vt = grid_new(k, n, GAP + 2);
    float *s = support_floats(k), *alone = support_floats(k);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_SVD, m, n, 0);
    ck_assert_int_eq(gg_svd(u.data, u.ld, s, vt.data, vt.ld, a.data, a.ld, m, n, space, bytes), GG_OK);
    double *wa = grid_wide(&a), *wu = grid_wide(&u), *wvt = grid_wide(&vt), *wv = support_doubles(n * k);
    double *ws = support_widen(s, k), *truth = support_doubles(k);
    reference_transpose(wv, wvt, k, n);
    lapack_assert_ratio(reference_product_ratio(wa, wu, ws, wvt, m, n, k), "U S V^T", m, n, 0);
    lapack_assert_ratio(reference_orthogonality_ratio(wu, m, k), "U^T U", m, n, 0);
    lapack_assert_ratio(reference_orthogonality_ratio(wv, n, k), "V^T V", m, n, 0);
    space = lapack_space(&bytes, GG_LAPACK_SINGULAR_VALUES, m, n, 0);
    ck_assert_int_eq(gg_singular_values(alone, a.data, a.ld, m, n, space, bytes), GG_OK);
    reference_singular_values(truth, wa, m, n);
    for (int64_t i = 0; i < k; i++) {
        const double allowed = LAPACK_THRESHOLD * 0x1p-24 * truth[0];
        ck_assert_msg(fabs(ws[i] - truth[i]) <= allowed && fabs((double)alone[i] - truth[i]) <= allowed,
                      "%lld x %lld, s[%lld]: %g and %g, truly %g", (long long)m, (long long)n, (long long)i, ws[i],
                      (double)alone[i], truth[i]);
    }
}

START_TEST(svd_factors)
{
    for (int i = 0; i < LAPACK_SIZES; i++) {
        check_svd(lapack_sizes[_i], lapack_sizes[i]);
        support_release();
    }
}
END_TEST

/* Orthonormal vectors also where singular values are zero; u takes the place of a. */
START_TEST(svd_of_deficient_in_place)
{
    enum { N = 9 };
    const double s[N] = {4.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    grid a = grid_with_singular_values(s, N, N, 0, 3), vt = grid_new(N, N, 0);
    double *before = grid_wide(&a);
    float *found = support_floats(N);
    int64_t bytes = 0;
    void *space = lapack_space(&bytes, GG_LAPACK_SVD, N, N, 0);
    ck_assert_int_eq(gg_svd(a.data, N, found, vt.data, N, a.data, N, N, N, space, bytes), GG_OK);
    lapack_assert_ratio(
        reference_product_ratio(before, grid_wide(&a), support_widen(found, N), grid_wide(&vt), N, N, N), "U S V^T", N,
        N, 0);
    lapack_assert_ratio(reference_orthogonality_ratio(grid_wide(&a), N, N), "U^T U", N, N, 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, qr_factors, 0, LAPACK_SIZES);
    tcase_add_test(tests, qr_of_deficient);
    tcase_add_loop_test(tests, least_squares_solve, 0, LAPACK_SIZES);
    tcase_add_test(tests, least_squares_refuse_deficient);
    tcase_add_test(tests, least_squares_svd_finds_the_rank);
    tcase_add_test(tests, least_squares_svd_of_deficient);
    tcase_add_loop_test(tests, eigenvectors_are_right, 0, LAPACK_SIZES);
    tcase_add_loop_test(tests, eigenvalues_are_right, 0, LAPACK_SIZES);
    tcase_add_loop_test(tests, svd_factors, 0, LAPACK_SIZES);
    tcase_add_test(tests, svd_of_deficient_in_place);
}
