/* test_gemm_batch.c - gg_gemm_batch: C_i = alpha op(A_i) op(B_i) + beta C_i, bit for bit what gg_gemm gives one by one
 * for integers, and to rounding otherwise. */
#include <gemmgrad/gemm.h>

#include <limits.h>
#include <math.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/backend.h>

#include "product_case.h"
#include "support.h"

enum { FEWEST_THREADS = 1, BEYOND_THREADS = 4 };

static void use_threads(int threads)
{
    ck_assert_int_eq(gg_set_threads(threads), GG_OK);
}

/* How a batch lies in memory: strides in whole operands, and floats of room between them. */
typedef struct spread {
    int64_t batch, a, b, c; /* 0: the same matrix for all; 1: one after the other; -1: backwards */
    int64_t room;
} spread;

typedef struct batch_case {
    product_case one; /* shape, strides of rows and the first product's data */
    spread spread;
    paged a, b, c;
    int64_t step_a, step_b, step_c; /* floats from one operand to the next in memory */
} batch_case;

static float value(int64_t i, int64_t factor)
{
    return (float)((i * factor + i / 97) % 7 - 3);
}

static paged operands(int64_t count, int64_t step, int64_t factor)
{
    paged array = paged_new(count * step);
    for (int64_t i = 0; i < count * step; i++)
        array.data[i] = value(i, factor);
    return array;
}

static void batch_new(batch_case *t, const product_shape *shape, const spread *s)
{
    *t = (batch_case){.spread = *s};
    product_case_new(&t->one, shape);
    t->step_a = t->one.a_floats + s->room;
    t->step_b = t->one.b_floats + s->room;
    t->step_c = t->one.c_floats + s->room;
    t->a = operands(s->a == 0 ? 1 : s->batch, t->step_a, 3);
    t->b = operands(s->b == 0 ? 1 : s->batch, t->step_b, 5);
    t->c = operands(s->batch, t->step_c, 2);
}

static void batch_free(batch_case *t)
{
    product_case_free(&t->one);
    paged_free(&t->a);
    paged_free(&t->b);
    paged_free(&t->c);
}

/* Operand i of those that lie `step` apart in that direction. */
static int64_t place(int64_t i, int64_t direction, int64_t batch, int64_t step)
{
    return direction == 0 ? 0 : direction > 0 ? i * step : (batch - 1 - i) * step;
}

static gg_status run(batch_case *t, float alpha, float beta)
{
    const spread *s = &t->spread;
    const product_shape *p = &t->one.shape;
    return gg_gemm_batch(t->c.data + place(0, s->c, s->batch, t->step_c), t->one.ldc, s->c * t->step_c,
                         t->a.data + place(0, s->a, s->batch, t->step_a), t->one.lda, s->a * t->step_a,
                         t->b.data + place(0, s->b, s->batch, t->step_b), t->one.ldb, s->b * t->step_b, s->batch, p->m,
                         p->n, p->k, p->transpose_a ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                         p->transpose_b ? GG_TRANSPOSE : GG_NO_TRANSPOSE, alpha, beta);
}

/* The same by plain loops over the whole of the memory, the rooms between the matrices included. */
static void expect(const batch_case *t, float *c, float alpha, float beta)
{
    const spread *s = &t->spread;
    const product_case *o = &t->one;
    for (int64_t i = 0; i < s->batch; i++) {
        const float *a = t->a.data + place(i, s->a, s->batch, t->step_a);
        const float *b = t->b.data + place(i, s->b, s->batch, t->step_b);
        float *first = c + place(i, s->c, s->batch, t->step_c);
        for (int64_t e = 0; e < o->shape.m * o->shape.n; e++) {
            const int64_t row = e / o->shape.n, column = e % o->shape.n;
            float sum = 0.0f, *element = &first[row * o->ldc + column];
            for (int64_t p = 0; p < o->shape.k; p++)
                sum += a[o->shape.transpose_a ? p * o->lda + row : row * o->lda + p]
                       * b[o->shape.transpose_b ? column * o->ldb + p : p * o->ldb + column];
            *element = alpha * sum + (beta == 0.0f ? 0.0f : beta * *element);
        }
    }
}

static void check_batch(const product_shape *shape, const spread *s, float alpha, float beta)
{
    batch_case t;
    batch_new(&t, shape, s);
    const int64_t floats = s->batch * t.step_c;
    paged expected = operands(s->batch, t.step_c, 2);
    expect(&t, expected.data, alpha, beta);
    ck_assert_int_eq(run(&t, alpha, beta), GG_OK);
    for (int64_t i = 0; i < floats; i++)
        if (t.c.data[i] != expected.data[i])
            ck_abort_msg("batch %lld of %lld x %lld x %lld, strides %lld %lld %lld: float %lld is %g, expected %g",
                         (long long)s->batch, (long long)shape->m, (long long)shape->n, (long long)shape->k,
                         (long long)s->a, (long long)s->b, (long long)s->c, (long long)i, (double)t.c.data[i],
                         (double)expected.data[i]);
    paged_free(&expected);
    batch_free(&t);
}

static const spread spreads[] = {{1, 1, 1, 1, 0}, {2, 1, 1, 1, 3},  {3, 0, 1, 1, 0},   {5, 1, 0, 1, 1}, {4, 0, 0, 1, 2},
                                 {7, 1, 1, 1, 0}, {3, -1, 1, 1, 0}, {5, 1, -1, -1, 3}, {4, 1, 1, -1, 0}};
enum { SPREADS = sizeof spreads / sizeof *spreads };

START_TEST(strides_and_broadcast)
{
    static const int sizes[][3] = {{1, 1, 1}, {2, 3, 5}, {9, 5, 2}, {17, 19, 23}, {65, 33, 40}, {3, 4, 0}};
    use_threads(_i);
    for (int i = 0; i < 6 * SPREADS * 4; i++) {
        const int *size = sizes[i / 4 / SPREADS];
        const product_shape shape = {size[0], size[1], size[2], (i & 1) != 0, (i & 2) != 0, i % 3, DATA_INTEGER};
        check_batch(&shape, &spreads[i / 4 % SPREADS], 1.0f, i % 2 == 0 ? 0.0f : 1.0f);
        check_batch(&shape, &spreads[i / 4 % SPREADS], -2.0f, 3.0f);
    }
}
END_TEST

/* Fewer products than threads and each large: every one is shared out. Many small ones: shared out one by one. */
START_TEST(few_large_and_many_small)
{
    use_threads(_i);
    check_batch(&(product_shape){200, 210, 190, false, false, 0, DATA_INTEGER}, &(spread){1, 1, 1, 1, 0}, 1.0f, 0.0f);
    check_batch(&(product_shape){130, 140, 150, false, true, 1, DATA_INTEGER}, &(spread){2, 1, 0, 1, 0}, 1.0f, 1.0f);
    check_batch(&(product_shape){130, 140, 150, true, false, 1, DATA_INTEGER}, &(spread){3, 0, 1, -1, 0}, 1.0f, 0.0f);
    check_batch(&(product_shape){2, 3, 4, false, false, 0, DATA_INTEGER}, &(spread){3000, 1, 1, 1, 0}, 1.0f, 0.0f);
    check_batch(&(product_shape){8, 8, 8, true, true, 0, DATA_INTEGER}, &(spread){1000, 1, 0, 1, 0}, 1.0f, 1.0f);
    check_batch(&(product_shape){1, 1, 1, false, false, 0, DATA_INTEGER}, &(spread){9999, 0, 1, 1, 0}, 1.0f, 1.0f);
    check_batch(&(product_shape){5, 7, 0, false, false, 0, DATA_INTEGER}, &(spread){2000, 1, 1, 1, 1}, 1.0f, 2.0f);
}
END_TEST

/* The batch is nothing but gg_gemm in a row: the same to rounding for numbers that do round. */
START_TEST(as_one_by_one)
{
    use_threads(_i);
    product_case t;
    product_case_new(&t, &(product_shape){70, 90, 300, false, true, 2, DATA_REAL});
    ck_assert_int_eq(gg_gemm_batch(t.c, t.ldc, 0, t.a.data, t.lda, 0, t.b.data, t.ldb, 0, 1, 70, 90, 300,
                                   GG_NO_TRANSPOSE, GG_TRANSPOSE, 0.7f, 1.3f),
                     GG_OK);
    product_case_check(&t, 0.7f, 1.3f, "batch of one");
    product_case_free(&t);
}
END_TEST

START_TEST(beta_zero_overwrites_nan)
{
    float c[8], a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, b[4] = {1, 0, 0, 1};
    use_threads(_i);
    for (int i = 0; i < 8; i++)
        c[i] = NAN;
    ck_assert_int_eq(gg_gemm_batch(c, 2, 4, a, 2, 4, b, 2, 0, 2, 2, 2, 2, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0),
                     GG_OK);
    ck_assert_mem_eq(c, a, sizeof c);
}
END_TEST

/* Results whose rows lie side by side, as those of samples in a sequence with the steps first. */
START_TEST(rows_side_by_side)
{
    enum { BATCH = 5, M = 7, N = 6, K = 9 };
    float *a = support_uniform(BATCH * M * K, -1, 1, 1), *b = support_uniform(K * N, -1, 1, 2);
    float *apart = support_floats(BATCH * M * N), *beside = support_floats(BATCH * M * N);
    use_threads(_i);
    for (int backward = 0; backward < 2; backward++) {
        ck_assert_int_eq(gg_gemm_batch(apart, N, M * N, a, BATCH * K, K, b, N, 0, BATCH, M, N, K, GG_NO_TRANSPOSE,
                                       GG_NO_TRANSPOSE, 1, 0),
                         GG_OK);
        ck_assert_int_eq(gg_gemm_batch(beside + backward * (BATCH - 1) * N, BATCH * N, backward == 0 ? N : -N,
                                       a + backward * (BATCH - 1) * K, BATCH * K, backward == 0 ? K : -K, b, N, 0,
                                       BATCH, M, N, K, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0),
                         GG_OK);
        for (int i = 0; i < BATCH * M * N; i++)
            ck_assert_float_eq(beside[i / N % M * BATCH * N + i / N / M * N + i % N], apart[i]);
    }
    support_assert_fails(gg_gemm_batch(beside, BATCH * N - 1, N, a, K, K, b, N, 0, BATCH, M, N, K, GG_NO_TRANSPOSE,
                                       GG_NO_TRANSPOSE, 1, 0),
                         GG_ERR_SHAPE, "gg_gemm_batch", "overlap");
}
END_TEST

/* k = 0 needs no operands; no products, no rows or no columns need nothing at all. */
START_TEST(empty_batches)
{
    float c[4] = {1, 2, 3, 4};
    const float halved[4] = {0.5f, 1, 1.5f, 2};
    use_threads(_i);
    ck_assert_int_eq(
        gg_gemm_batch(c, 2, 2, NULL, 0, 5, NULL, 0, 7, 2, 1, 2, 0, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0.5f), GG_OK);
    ck_assert_mem_eq(c, halved, sizeof c);
    ck_assert_int_eq(
        gg_gemm_batch(NULL, 0, 0, NULL, 0, 0, NULL, 0, 0, 0, 3, 3, 3, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    ck_assert_int_eq(
        gg_gemm_batch(NULL, 0, 0, NULL, 0, 0, NULL, 0, 0, 9, 0, 3, 3, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    ck_assert_int_eq(
        gg_gemm_batch(NULL, 0, 0, NULL, 0, 0, NULL, 0, 0, 9, 3, 0, 3, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
}
END_TEST

typedef struct wrong_batch {
    int64_t ldc, stride_c, lda, stride_a, ldb, stride_b, batch, m, n, k;
    gg_status status;
    const char *words[2];
} wrong_batch;

/* A good call is 2 products of 2 x 3 x 4 with strides 6, 8, 12. */
static const wrong_batch wrong[] = {
    {3, 6, 4, 8, 3, 12, -1, 2, 3, 4, GG_ERR_ARGUMENT, {"batch is -1", ""}},
    {3, 6, 4, 8, 3, 12, INT64_MIN, 2, 3, 4, GG_ERR_ARGUMENT, {"batch", "-9223372036854775808"}},
    {3, 6, 4, 8, 3, 12, 0, -2, 3, 4, GG_ERR_ARGUMENT, {"-2, 3, 4", ""}},
    {3, 6, 4, 8, 3, 12, 2, -2, 3, 4, GG_ERR_ARGUMENT, {"-2, 3, 4", ""}},
    {3, 6, 4, 8, 3, 12, 2, 2, 3, (int64_t)1 << 40, GG_ERR_OVERFLOW, {"1099511627776", ""}},
    {2, 6, 4, 8, 3, 12, 2, 2, 3, 4, GG_ERR_SHAPE, {"c is 2", "2 x 3"}},
    {3, 6, 3, 8, 3, 12, 2, 2, 3, 4, GG_ERR_SHAPE, {"a is 3", "2 x 4"}},
    {3, 6, 4, 8, 2, 12, 2, 2, 3, 4, GG_ERR_SHAPE, {"b is 2", "4 x 3"}},
    {3, 5, 4, 8, 3, 12, 2, 2, 3, 4, GG_ERR_SHAPE, {"stride_c is 5", "takes 6 floats"}},
    {3, -5, 4, 8, 3, 12, 2, 2, 3, 4, GG_ERR_SHAPE, {"stride_c is -5", "takes 6 floats"}},
    {3, 0, 4, 8, 3, 12, 2, 2, 3, 4, GG_ERR_SHAPE, {"stride_c is 0", "overlap"}},
    {3, 6, 4, INT64_MAX, 3, 12, 2, 2, 3, 4, GG_ERR_OVERFLOW, {"stride_a is 9223372036854775807", "batch of 2"}},
    {3, 6, 4, 8, 3, INT64_MIN, 2, 2, 3, 4, GG_ERR_OVERFLOW, {"stride_b is -9223372036854775808", "batch of 2"}},
    {3, (int64_t)1 << 61, 4, 8, 3, 12, 2, 2, 3, 4, GG_ERR_OVERFLOW, {"stride_c is 2305843009213693952", "batch of 2"}},
    {3, 6, 4, 8, 3, 12, INT64_MAX, 2, 3, 4, GG_ERR_OVERFLOW, {"stride_a is 8", "batch of 9223372036854775807"}},
};

START_TEST(unknown_transpose)
{
    float *c = support_floats(2 * 9), *a = support_uniform(2 * 9, -1, 1, 1);
    const gg_transpose bad = (gg_transpose)7;
    for (int64_t batch = 0; batch <= 2; batch++) {
        support_assert_fails(gg_gemm_batch(c, 3, 9, a, 3, 9, a, 3, 9, batch, 3, 3, 3, bad, GG_TRANSPOSE, 1, 0),
                             GG_ERR_ARGUMENT, "gg_gemm_batch: ", "transpose_a is 7");
        support_assert_fails(gg_gemm_batch(c, 3, 9, a, 3, 9, a, 3, 9, batch, 3, 3, 3, GG_NO_TRANSPOSE, bad, 1, 0),
                             GG_ERR_ARGUMENT, "gg_gemm_batch: ", "transpose_b is 7");
    }
    ck_assert(support_untouched(c, 2 * 9));
}
END_TEST

START_TEST(wrong_arguments)
{
    float c[24], a[24] = {0}, b[24] = {0};
    for (int i = 0; i < 24; i++)
        c[i] = (float)i;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const wrong_batch *w = &wrong[i];
        const gg_status status =
            gg_gemm_batch(c, w->ldc, w->stride_c, a, w->lda, w->stride_a, b, w->ldb, w->stride_b, w->batch, w->m, w->n,
                          w->k, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
        ck_assert_msg(status == w->status, "row %zu: %s: %s", i, gg_status_string(status), gg_error_message());
        ck_assert_msg(strstr(gg_error_message(), "gg_gemm_batch: ") == gg_error_message(), "%s", gg_error_message());
        for (int j = 0; j < 2; j++)
            ck_assert_msg(strstr(gg_error_message(), w->words[j]) != NULL, "no '%s': %s", w->words[j],
                          gg_error_message());
        for (int j = 0; j < 24; j++)
            ck_assert(c[j] == (float)j);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, strides_and_broadcast, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, few_large_and_many_small, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, as_one_by_one, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, beta_zero_overwrites_nan, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, rows_side_by_side, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, empty_batches, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_test(tests, unknown_transpose);
    tcase_add_test(tests, wrong_arguments);
}
