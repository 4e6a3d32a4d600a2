/* test_lapack_arguments.c - what the lapack room refuses: each call with one argument wrong, outputs untouched; and
 * the sizes of 0 that it takes. */
#include <gemmgrad/lapack.h>

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "lapack_case.h"
#include "support.h"

/* All arguments that any of the calls has; two outputs and two inputs at most. */
typedef struct arguments {
    float *out1, *out2, *out3;
    const float *a, *b;
    int64_t ld1, ld2, lda, ldb, m, n, nrhs;
    void *space;
    int64_t bytes;
} arguments;

typedef struct call_case {
    const char *function;
    gg_lapack_call call;
    gg_status (*run)(const arguments *t);
    const char *name1, *name2; /* of the outputs that are matrices; NULL: none */
    const char *name3;         /* of an output that is an array */
    bool square, symmetric, solves;
    bool optional; /* out2 may be NULL, and so may out1 where out2 is not */
} call_case;

static gg_status run_lu(const arguments *t)
{
    return gg_lu_solve(t->out1, t->ld1, NULL, t->a, t->lda, t->b, t->ldb, t->n, t->nrhs, GG_NO_TRANSPOSE, t->space,
                       t->bytes);
}

static gg_status run_cholesky(const arguments *t)
{
    return gg_cholesky_solve(t->out1, t->ld1, NULL, t->a, t->lda, t->b, t->ldb, t->n, t->nrhs, t->space, t->bytes);
}

static gg_status run_rcond(const arguments *t)
{
    return gg_rcond(t->out3, t->a, t->lda, t->n, t->space, t->bytes);
}

static int last_sign;
static double last_log;

static gg_status run_log_determinant(const arguments *t)
{
    return gg_log_determinant(&last_sign, &last_log, t->a, t->lda, t->n, t->space, t->bytes);
}

static gg_status run_thin(const arguments *t)
{
    return gg_qr(t->out1, t->ld1, t->out2, t->ld2, t->a, t->lda, t->m, t->n, GG_QR_THIN, t->space, t->bytes);
}

static gg_status run_full(const arguments *t)
{
    return gg_qr(t->out1, t->ld1, t->out2, t->ld2, t->a, t->lda, t->m, t->n, GG_QR_FULL, t->space, t->bytes);
}

static gg_status run_least_squares(const arguments *t)
{
    return gg_least_squares(t->out1, t->ld1, NULL, t->a, t->lda, t->b, t->ldb, t->m, t->n, t->nrhs, t->space, t->bytes);
}

static gg_status run_least_squares_svd(const arguments *t)
{
    return gg_least_squares_svd(t->out1, t->ld1, NULL, NULL, t->a, t->lda, t->b, t->ldb, t->m, t->n, t->nrhs, -1.0f,
                                t->space, t->bytes);
}

static gg_status run_ridge(const arguments *t)
{
    return gg_ridge(t->out1, t->ld1, t->a, t->lda, t->b, t->ldb, t->m, t->n, t->nrhs, 1.0f, t->space, t->bytes);
}

static gg_status run_eigen(const arguments *t)
{
    return gg_symmetric_eigen(t->out3, t->out1, t->ld1, t->a, t->lda, t->n, t->space, t->bytes);
}

static gg_status run_eigenvalues(const arguments *t)
{
    return gg_eigenvalues(t->out3, t->out2, t->a, t->lda, t->n, t->space, t->bytes);
}

static gg_status run_svd(const arguments *t)
{
    return gg_svd(t->out1, t->ld1, t->out3, t->out2, t->ld2, t->a, t->lda, t->m, t->n, t->space, t->bytes);
}

static gg_status run_singular_values(const arguments *t)
{
    return gg_singular_values(t->out3, t->a, t->lda, t->m, t->n, t->space, t->bytes);
}

static const call_case calls[] = {
    {"gg_lu_solve", GG_LAPACK_LU_SOLVE, run_lu, "x", NULL, NULL, true, false, true, false},
    {"gg_cholesky_solve", GG_LAPACK_CHOLESKY_SOLVE, run_cholesky, "x", NULL, NULL, true, true, true, false},
    {"gg_rcond", GG_LAPACK_RCOND, run_rcond, NULL, NULL, "rcond", true, false, false, false},
    {"gg_log_determinant", GG_LAPACK_LOG_DETERMINANT, run_log_determinant, NULL, NULL, NULL, true, false, false, false},
    {"gg_qr", GG_LAPACK_QR_THIN, run_thin, "q", "r", NULL, false, false, false, true},
    {"gg_qr", GG_LAPACK_QR_FULL, run_full, "q", "r", NULL, false, false, false, true},
    {"gg_least_squares", GG_LAPACK_LEAST_SQUARES, run_least_squares, "x", NULL, NULL, false, false, true, false},
    {"gg_least_squares_svd", GG_LAPACK_LEAST_SQUARES_SVD, run_least_squares_svd, "x", NULL, NULL, false, false, true,
     false},
    {"gg_ridge", GG_LAPACK_RIDGE, run_ridge, "x", NULL, NULL, false, false, true, false},
    {"gg_symmetric_eigen", GG_LAPACK_SYMMETRIC_EIGEN, run_eigen, "vectors", NULL, "values", true, true, false, true},
    {"gg_eigenvalues", GG_LAPACK_EIGENVALUES, run_eigenvalues, NULL, NULL, "real", true, false, false, false},
    {"gg_svd", GG_LAPACK_SVD, run_svd, "u", "vt", "s", false, false, false, false},
    {"gg_singular_values", GG_LAPACK_SINGULAR_VALUES, run_singular_values, NULL, NULL, "s", false, false, false, false},
};
enum { CALLS = sizeof calls / sizeof *calls, SIDE = 6, ROOM = SIDE * SIDE + SIDE };

/* Everything right, for 6 x 6 and two right-hand sides. */
static arguments good(const call_case *c)
{
    arguments t = {.out1 = support_floats(ROOM),
                   .out2 = support_floats(ROOM),
                   .out3 = support_floats(ROOM),
                   .ld1 = SIDE,
                   .ld2 = SIDE,
                   .lda = SIDE,
                   .ldb = SIDE,
                   .m = SIDE,
                   .n = SIDE,
                   .nrhs = c->solves ? 2 : 0};
    float *a = support_uniform(ROOM, -1.0, 1.0, 1);
    for (int i = 0; i < SIDE; i++)
        a[i * SIDE + i] += SIDE;
    t.a = a;
    t.b = support_uniform(ROOM, -1.0, 1.0, 2);
    t.space = lapack_space(&t.bytes, c->call, t.m, t.n, t.nrhs);
    last_sign = 7;
    last_log = 7.0;
    return t;
}

static void fails(const call_case *c, const arguments *t, gg_status expected, const char *words)
{
    support_assert_fails(c->run(t), expected, c->function, words);
    ck_assert(t->out1 == NULL || support_untouched(t->out1, ROOM));
    ck_assert(t->out2 == NULL || support_untouched(t->out2, ROOM));
    ck_assert(t->out3 == NULL || support_untouched(t->out3, ROOM));
    ck_assert(last_sign == 7 && last_log == 7.0);
}

/* A mutilated copy of the right arguments: fails with these words. */
#define WRONG(change, expected, words) \
    do {                               \
        arguments t = right;           \
        change;                        \
        fails(c, &t, expected, words); \
    } while (0)

START_TEST(right_arguments_pass)
{
    const call_case *c = &calls[_i];
    const arguments right = good(c);
    ck_assert_int_eq(c->run(&right), GG_OK);
}
END_TEST

START_TEST(null_is_refused)
{
    const call_case *c = &calls[_i];
    const arguments right = good(c);
    WRONG(t.a = NULL, GG_ERR_ARGUMENT, "a is NULL");
    if (c->solves)
        WRONG(t.b = NULL, GG_ERR_ARGUMENT, "b is NULL");
    if (c->name1 != NULL && !c->optional)
        WRONG(t.out1 = NULL, GG_ERR_ARGUMENT, c->name1);
    if (c->name2 != NULL && !c->optional)
        WRONG(t.out2 = NULL, GG_ERR_ARGUMENT, c->name2);
    if (c->name3 != NULL)
        WRONG(t.out3 = NULL, GG_ERR_ARGUMENT, c->name3);
}
END_TEST

START_TEST(leading_dimensions_are_checked)
{
    const call_case *c = &calls[_i];
    const arguments right = good(c);
    WRONG(t.lda = SIDE - 1, GG_ERR_SHAPE, "leading dimension of a is 5");
    WRONG(t.lda = (int64_t)1 << 32, GG_ERR_OVERFLOW, "a of 6 rows");
    if (c->solves) {
        WRONG(t.ldb = 1, GG_ERR_SHAPE, "leading dimension of b is 1, its rows have 2");
        WRONG(t.ld1 = 1, GG_ERR_SHAPE, "leading dimension of x is 1, its rows have 2");
    } else if (c->name1 != NULL) {
        WRONG(t.ld1 = SIDE - 1, GG_ERR_SHAPE, c->name1);
    }
    if (c->name2 != NULL)
        WRONG(t.ld2 = SIDE - 1, GG_ERR_SHAPE, c->name2);
}
END_TEST

START_TEST(sizes_are_checked)
{
    const call_case *c = &calls[_i];
    const arguments right = good(c);
    const int64_t beyond = (int64_t)INT_MAX + 1;
    WRONG(t.n = -1, GG_ERR_ARGUMENT, "negative size: (m, n, nrhs) = (");
    WRONG(t.n = beyond, GG_ERR_OVERFLOW, "2147483648");
    if (!c->square)
        WRONG(t.m = -1, GG_ERR_ARGUMENT, "(-1, 6, ");
    if (!c->square)
        WRONG(t.m = beyond, GG_ERR_OVERFLOW, "(2147483648, 6, ");
    if (c->solves)
        WRONG(t.nrhs = -1, GG_ERR_ARGUMENT, ", -1)");
    if (c->solves)
        WRONG(t.nrhs = beyond, GG_ERR_OVERFLOW, ", 2147483648)");
}
END_TEST

START_TEST(workspace_is_checked)
{
    const call_case *c = &calls[_i];
    const arguments right = good(c);
    WRONG(t.space = NULL, GG_ERR_ARGUMENT, "workspace is NULL");
    WRONG(t.bytes -= 1, GG_ERR_ARGUMENT, "workspace has");
    WRONG(t.bytes = -1, GG_ERR_ARGUMENT, "workspace has -1 bytes");
    WRONG(t.space = (char *)t.space + 4, GG_ERR_ARGUMENT, "not aligned to 64");
}
END_TEST

static void refuses_number(const call_case *c, float bad)
{
    const arguments right = good(c);
    float *a = support_copy(right.a, ROOM), *b = support_copy(right.b, ROOM);
    a[1 * SIDE + 4] = bad;
    WRONG(t.a = a, GG_ERR_NUMERIC, "a (6 x 6) holds NaN or infinity in row 1");
    b[5 * SIDE] = bad;
    if (c->solves)
        WRONG(t.b = b, GG_ERR_NUMERIC, "b (6 x 2) holds NaN or infinity in row 5");
}

START_TEST(nan_and_infinity_are_refused)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++)
        refuses_number(&calls[_i], bad[i]);
}
END_TEST

/* Finite inputs whose results are not: solutions of 1 / 1e-40, and sums of rows of 3e38. */
START_TEST(results_beyond_float_are_refused)
{
    const call_case *c = &calls[_i];
    const arguments right = good(c);
    float *tiny = support_copy(right.a, ROOM), *huge = support_copy(right.a, ROOM), *b = support_copy(right.b, ROOM);
    for (int i = 0; i < SIDE * SIDE; i++) {
        tiny[i] = i % (SIDE + 1) == 0 ? 1e-40f : 0.0f;
        huge[i] = 3e38f;
    }
    for (int i = 0; i < ROOM; i++)
        b[i] = 1.0f;
    if (c->solves && c->call != GG_LAPACK_RIDGE)
        WRONG((t.a = tiny, t.b = b), GG_ERR_NUMERIC, "beyond float's range");
    if (c->call >= GG_LAPACK_QR_THIN && c->call != GG_LAPACK_LEAST_SQUARES)
        WRONG(t.a = huge, GG_ERR_NUMERIC, "beyond float's range");
}
END_TEST

/* Of a symmetric matrix the part below the diagonal may hold anything. */
START_TEST(lower_triangle_is_not_read)
{
    const call_case *c = &calls[_i];
    arguments t = good(c);
    float *a = support_copy(t.a, ROOM);
    a[4 * SIDE + 1] = NAN;
    t.a = a;
    ck_assert_int_eq(c->run(&t), c->symmetric ? GG_OK : GG_ERR_NUMERIC);
}
END_TEST

/* With one size 0 at a time, and with all of them. What has elements must be written, as zeros or as an identity. */
START_TEST(nothing_is_legal)
{
    const call_case *c = &calls[_i];
    for (int zeros = 1; zeros < 8; zeros++) {
        arguments t = good(c);
        t.m = zeros & 1 ? 0 : SIDE;
        t.n = zeros & 2 ? 0 : SIDE;
        t.nrhs = zeros & 4 ? 0 : t.nrhs;
        if (c->square)
            t.m = t.n;
        t.space = lapack_space(&t.bytes, c->call, t.m, t.n, t.nrhs);
        ck_assert_int_eq(c->run(&t), GG_OK);
        if (c->solves && !c->square && t.m == 0 && t.n > 0 && t.nrhs > 0) {
            ck_assert(t.out1[0] == 0.0f && t.out1[5 * SIDE + 1] == 0.0f);
            ck_assert(support_untouched(t.out1 + 2, SIDE - 2));
        } else if (c->call == GG_LAPACK_QR_FULL && t.n == 0 && t.m > 0) {
            ck_assert(t.out1[0] == 1.0f && t.out1[1] == 0.0f && t.out1[7] == 1.0f);
        } else if (c->call == GG_LAPACK_RCOND && t.n == 0) {
            ck_assert(t.out3[0] == 1.0f);
        } else if (c->call == GG_LAPACK_LOG_DETERMINANT && t.n == 0) {
            ck_assert(last_sign == 1 && last_log == 0.0);
        } else if (t.n == 0 || t.m == 0) {
            ck_assert(support_untouched(t.out1, ROOM));
        }
        support_release();
    }
    arguments none = {.m = 0};
    none.out3 = support_floats(1);
    ck_assert_int_eq(c->run(&none), GG_OK);
}
END_TEST

START_TEST(enumerations_are_checked)
{
    const call_case *lu = &calls[0], *qr = &calls[4];
    const arguments t = good(lu), s = good(qr);
    support_assert_fails(
        gg_lu_solve(t.out1, SIDE, NULL, t.a, SIDE, t.b, SIDE, SIDE, 2, (gg_transpose)2, t.space, t.bytes),
        GG_ERR_ARGUMENT, "gg_lu_solve", "transpose_a is 2");
    support_assert_fails(gg_qr(s.out1, SIDE, s.out2, SIDE, s.a, SIDE, SIDE, SIDE, (gg_qr_form)2, s.space, s.bytes),
                         GG_ERR_ARGUMENT, "gg_qr", "form is 2");
    const float cutoffs[] = {NAN, 1.0f, INFINITY};
    for (int i = 0; i < 3; i++)
        support_assert_fails(gg_least_squares_svd(t.out1, SIDE, NULL, NULL, t.a, SIDE, t.b, SIDE, SIDE, SIDE, 2,
                                                  cutoffs[i], t.space, t.bytes),
                             GG_ERR_ARGUMENT, "gg_least_squares_svd", "cutoff is");
    ck_assert(support_untouched(t.out1, ROOM) && support_untouched(s.out1, ROOM) && support_untouched(s.out2, ROOM));
}
END_TEST

START_TEST(results_must_have_a_place)
{
    const arguments t = good(&calls[3]);
    int sign = 0;
    double magnitude = 0.0;
    support_assert_fails(gg_log_determinant(NULL, &magnitude, t.a, SIDE, SIDE, t.space, t.bytes), GG_ERR_ARGUMENT,
                         "gg_log_determinant", "sign is NULL");
    support_assert_fails(gg_log_determinant(&sign, NULL, t.a, SIDE, SIDE, t.space, t.bytes), GG_ERR_ARGUMENT,
                         "gg_log_determinant", "log_magnitude is NULL");
}
END_TEST

/* ---- the query ---- */

START_TEST(query_is_checked)
{
    int64_t bytes = 7;
    const int64_t beyond = (int64_t)INT_MAX + 1;
    static const char name[] = "gg_lapack_workspace";
    support_assert_fails(gg_lapack_workspace(NULL, GG_LAPACK_SVD, 1, 1, 0), GG_ERR_ARGUMENT, name, "bytes is NULL");
    support_assert_fails(gg_lapack_workspace(&bytes, GG_LAPACK_CALL_COUNT, 1, 1, 0), GG_ERR_ARGUMENT, name,
                         "call is 13");
    support_assert_fails(gg_lapack_workspace(&bytes, (gg_lapack_call)-1, 1, 1, 0), GG_ERR_ARGUMENT, name, "call is -1");
    support_assert_fails(gg_lapack_workspace(&bytes, GG_LAPACK_LU_SOLVE, 2, 3, 0), GG_ERR_SHAPE, name,
                         "GG_LAPACK_LU_SOLVE is for square matrices, m is 2 and n is 3");
    for (int i = 0; i < CALLS; i++) {
        support_assert_fails(gg_lapack_workspace(&bytes, calls[i].call, -1, -1, 0), GG_ERR_ARGUMENT, name, "negative");
        support_assert_fails(gg_lapack_workspace(&bytes, calls[i].call, beyond, beyond, 0), GG_ERR_OVERFLOW, name,
                             "2147483648");
        support_assert_fails(gg_lapack_workspace(&bytes, calls[i].call, INT_MAX, INT_MAX, INT_MAX), GG_ERR_OVERFLOW,
                             name, "2147483647");
    }
    ck_assert_int_eq(bytes, 7);
}
END_TEST

/* Where LAPACK's own count of its workspace would go round in 32 bits: refused before it is asked. */
START_TEST(query_does_not_wrap)
{
    static const gg_lapack_call wide[] = {GG_LAPACK_QR_THIN,           GG_LAPACK_QR_FULL, GG_LAPACK_LEAST_SQUARES,
                                          GG_LAPACK_LEAST_SQUARES_SVD, GG_LAPACK_SVD,     GG_LAPACK_SINGULAR_VALUES};
    int64_t bytes = 7;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        support_assert_fails(gg_lapack_workspace(&bytes, wide[i], 1, (int64_t)1 << 28, 1), GG_ERR_OVERFLOW,
                             "gg_lapack_workspace", "(1, 268435456, 1)");
        support_assert_fails(gg_lapack_workspace(&bytes, wide[i], 4, (int64_t)1 << 27, 1), GG_ERR_OVERFLOW,
                             "gg_lapack_workspace", "(4, 134217728, 1)");
    }
    support_assert_fails(gg_lapack_workspace(&bytes, GG_LAPACK_SYMMETRIC_EIGEN, 40000, 40000, 0), GG_ERR_OVERFLOW,
                         "gg_lapack_workspace", "(40000, 40000, 0)");
    support_assert_fails(gg_lapack_workspace(&bytes, GG_LAPACK_SVD, 30000, 30000, 0), GG_ERR_OVERFLOW,
                         "gg_lapack_workspace", "(30000, 30000, 0)");
    ck_assert_int_eq(bytes, 7);
    ck_assert_int_eq(gg_lapack_workspace(&bytes, GG_LAPACK_SYMMETRIC_EIGEN, 20000, 20000, 0), GG_OK);
    ck_assert_int_gt(bytes, (int64_t)4 * 3 * 20000 * 20000);
    ck_assert_int_eq(gg_lapack_workspace(&bytes, GG_LAPACK_SVD, 20000, 20000, 0), GG_OK);
    ck_assert_int_gt(bytes, (int64_t)4 * 6 * 20000 * 20000);
    ck_assert_int_eq(gg_lapack_workspace(&bytes, GG_LAPACK_LU_SOLVE, 40000, 40000, 1), GG_OK);
    ck_assert_int_gt(bytes, (int64_t)4 * 40000 * 40000);
}
END_TEST

/* No call allocates, once the thread that multiplies (ridge) has its scratch. */
START_TEST(nothing_is_allocated)
{
    const call_case *c = &calls[_i];
    const arguments t = good(c);
    ck_assert_int_eq(c->run(&t), GG_OK);
    const uint64_t before = gg_allocation_count();
    ck_assert_int_eq(c->run(&t), GG_OK);
    ck_assert_uint_eq(gg_allocation_count(), before);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, right_arguments_pass, 0, CALLS);
    tcase_add_loop_test(tests, null_is_refused, 0, CALLS);
    tcase_add_loop_test(tests, leading_dimensions_are_checked, 0, CALLS);
    tcase_add_loop_test(tests, sizes_are_checked, 0, CALLS);
    tcase_add_loop_test(tests, workspace_is_checked, 0, CALLS);
    tcase_add_loop_test(tests, nan_and_infinity_are_refused, 0, CALLS);
    tcase_add_loop_test(tests, results_beyond_float_are_refused, 0, CALLS);
    tcase_add_loop_test(tests, lower_triangle_is_not_read, 0, CALLS);
    tcase_add_loop_test(tests, nothing_is_legal, 0, CALLS);
    tcase_add_test(tests, enumerations_are_checked);
    tcase_add_test(tests, results_must_have_a_place);
    tcase_add_test(tests, query_is_checked);
    tcase_add_test(tests, query_does_not_wrap);
    tcase_add_loop_test(tests, nothing_is_allocated, 0, CALLS);
}
