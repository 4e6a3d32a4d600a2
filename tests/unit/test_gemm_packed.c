/* test_gemm_packed.c - a packed B gives what B gives: C = alpha op(A) packed(op(B)) + beta C. */
#include <gemmgrad/gemm.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/memory.h>

#include "backend.h"
#include "product.h"
#include "product_case.h"
#include "support.h"

enum { FEWEST_THREADS = 1, BEYOND_THREADS = 4 };

static void use_threads(int threads)
{
    ck_assert_int_eq(gg_set_threads(threads), GG_OK);
}

/* op(B) packed into a buffer that ends in canaries. */
typedef struct packed_b {
    float *data;
    int64_t floats;
} packed_b;

enum { GUARD = 64 };

static packed_b pack(const product_case *t)
{
    packed_b p = {NULL, -1};
    void *memory = NULL;
    ck_assert_int_eq(gg_gemm_packed_size(&p.floats, t->shape.k, t->shape.n), GG_OK);
    ck_assert_int_ge(p.floats, t->shape.k * t->shape.n);
    ck_assert_int_eq(gg_alloc(&memory, (size_t)(p.floats + GUARD) * sizeof(float)), GG_OK);
    p.data = memory;
    for (int64_t i = 0; i < p.floats + GUARD; i++)
        p.data[i] = canary();
    ck_assert_int_eq(gg_gemm_pack(p.data, t->b.data, t->ldb, t->shape.k, t->shape.n,
                                  t->shape.transpose_b ? GG_TRANSPOSE : GG_NO_TRANSPOSE),
                     GG_OK);
    for (int64_t i = p.floats; i < p.floats + GUARD; i++)
        ck_assert(is_canary(p.data[i]));
    return p;
}

static gg_status multiply(product_case *t, const packed_b *p, float alpha, float beta)
{
    product_case_reset(t);
    return gg_gemm_packed(t->c, t->ldc, t->a.data, t->lda, p->data, t->shape.m, t->shape.n, t->shape.k,
                          t->shape.transpose_a ? GG_TRANSPOSE : GG_NO_TRANSPOSE, alpha, beta);
}

static void check_packed(int64_t m, int64_t n, int64_t k, product_data data)
{
    static const float factors[][2] = {{1, 0}, {1, 1}, {0, 3}, {-2, 1}, {4, 0}};
    for (int kind = 0; kind < 4; kind++) {
        product_case t;
        product_case_new(&t, &(product_shape){m, n, k, (kind & 1) != 0, (kind & 2) != 0, kind, data});
        packed_b p = pack(&t);
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(multiply(&t, &p, factors[i][0], factors[i][1]), GG_OK);
            product_case_check(&t, factors[i][0], factors[i][1], "packed");
        }
        gg_free(p.data);
        product_case_free(&t);
    }
}

START_TEST(small_sizes)
{
    static const int sizes[] = {0, 1, 2, 3, 5, 9};
    use_threads(_i);
    for (int i = 0; i < 216; i++)
        check_packed(sizes[i / 36], sizes[i / 6 % 6], sizes[i % 6], DATA_REAL);
}
END_TEST

START_TEST(sizes_around_panels_and_blocks)
{
    static const int sizes[][3] = {{1, 63, 127},   {3, 64, 128}, {2, 65, 129},   {17, 127, 511},  {33, 128, 513},
                                   {65, 129, 65},  {64, 200, 3}, {1, 1030, 31},  {100, 100, 101}, {7, 65, 2049},
                                   {130, 191, 40}, {5, 1, 4099}, {300, 320, 200}};
    use_threads(_i);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_packed(sizes[i][0], sizes[i][1], sizes[i][2], i % 2 == 0 ? DATA_REAL : DATA_INTEGER);
}
END_TEST

/* Every grid of threads, forced: borders between parts fall on whole panels. Where the BLAS has no small products, a
 * packed operand is dense and no such plan is made. */
START_TEST(forced_grids)
{
    static const int grids[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {3, 1}, {1, 3}, {1, 7}};
    static const int sizes[][3] = {{1, 1, 1}, {3, 65, 5}, {9, 129, 33}, {33, 300, 140}, {2, 63, 600}};
    if (!gg_policy_small_products())
        return;
    for (int i = 0; i < 7 * 5 * 8; i++) {
        const int *size = sizes[i / 56], *grid = grids[i / 8 % 7];
        const gg_strategy strategy = (i & 4) != 0 ? GG_STRATEGY_BLOCKED : GG_STRATEGY_PACKED;
        product_case t;
        product_case_new(&t, &(product_shape){size[0], size[1], size[2], (i & 1) != 0, (i & 2) != 0, 1, DATA_REAL});
        float *packed = calloc((size_t)gg_product_packed_floats(size[2], size[1]), sizeof *packed);
        gg_product_pack(packed, t.b.data, t.ldb, size[2], size[1], t.shape.transpose_b);
        gg_product_run_planned(&(gg_product){.c = t.c,
                                             .ldc = t.ldc,
                                             .a = t.a.data,
                                             .lda = t.lda,
                                             .b = packed,
                                             .ldb = t.shape.n,
                                             .m = size[0],
                                             .n = size[1],
                                             .k = size[2],
                                             .transpose_a = t.shape.transpose_a,
                                             .packed_b = true,
                                             .alpha = 0.7f,
                                             .beta = 1.3f},
                               &(gg_product_plan){strategy, grid[0], grid[1], 128});
        product_case_check(&t, 0.7f, 1.3f, "packed, forced grid");
        free(packed);
        product_case_free(&t);
    }
}
END_TEST

/* NaN in B stays in its column, beta = 0 overwrites NaN in C, alpha = 0 ignores the operands. */
START_TEST(nan_and_zero_factors)
{
    use_threads(_i);
    product_case t;
    product_case_new(&t, &(product_shape){20, 130, 70, false, true, 1, DATA_REAL});
    *product_case_b(&t, 69, 64) = NAN;
    t.before[17] = NAN;
    product_case_expect(&t);
    packed_b p = pack(&t);
    ck_assert_int_eq(multiply(&t, &p, 1.0f, 0.0f), GG_OK);
    product_case_check(&t, 1.0f, 0.0f, "NaN in packed B");
    ck_assert_int_eq(multiply(&t, &p, 0.0f, 1.0f), GG_OK);
    product_case_check(&t, 0.0f, 1.0f, "NaN in packed B, alpha 0");
    gg_free(p.data);
    product_case_free(&t);
}
END_TEST

static void size_fails(gg_status status, gg_status expected, const char *words)
{
    support_assert_fails(status, expected, "gg_gemm_packed_size: ", words);
}

static void pack_fails(gg_status status, gg_status expected, const char *words)
{
    support_assert_fails(status, expected, "gg_gemm_pack: ", words);
}

static void packed_fails(gg_status status, gg_status expected, const char *words)
{
    support_assert_fails(status, expected, "gg_gemm_packed: ", words);
}

START_TEST(wrong_sizes)
{
    int64_t floats = 7;
    size_fails(gg_gemm_packed_size(NULL, 1, 1), GG_ERR_ARGUMENT, "floats is NULL");
    size_fails(gg_gemm_packed_size(&floats, -1, 4), GG_ERR_ARGUMENT, "-1");
    size_fails(gg_gemm_packed_size(&floats, 4, -2), GG_ERR_ARGUMENT, "-2");
    size_fails(gg_gemm_packed_size(&floats, (int64_t)1 << 40, 1), GG_ERR_OVERFLOW, "1099511627776");
    size_fails(gg_gemm_packed_size(&floats, INT64_MAX, INT64_MAX), GG_ERR_OVERFLOW, "9223372036854775807");
    size_fails(gg_gemm_packed_size(&floats, INT_MAX, INT_MAX), GG_ERR_OVERFLOW, "2147483647");
    ck_assert_int_eq(floats, 7);
    ck_assert_int_eq(gg_gemm_packed_size(&floats, 0, 5), GG_OK);
    ck_assert_int_eq(floats, 0);
}
END_TEST

START_TEST(unknown_transpose)
{
    enum { LARGE = 64 };
    float *c = support_floats(LARGE * LARGE), *a = support_uniform(LARGE * LARGE, -1, 1, 1);
    const gg_transpose bad = (gg_transpose)7;
    for (int64_t n = 4; n <= LARGE; n += 60) {
        support_assert_fails(gg_gemm_pack(c, a, n, n, n, bad), GG_ERR_ARGUMENT, "gg_gemm_pack: ", "transpose_b is 7");
        support_assert_fails(gg_gemm_packed(c, n, a, n, a, n, n, n, bad, 1, 0), GG_ERR_ARGUMENT,
                             "gg_gemm_packed: ", "transpose_a is 7");
    }
    ck_assert(support_untouched(c, LARGE * LARGE));
}
END_TEST

START_TEST(wrong_arguments)
{
    float packed[12], b[12] = {0}, c[6] = {1, 2, 3, 4, 5, 6}, before[6] = {1, 2, 3, 4, 5, 6}, a[8] = {0};
    memset(packed, 0, sizeof packed);
    pack_fails(gg_gemm_pack(NULL, b, 3, 4, 3, GG_NO_TRANSPOSE), GG_ERR_ARGUMENT, "packed is NULL");
    pack_fails(gg_gemm_pack(packed, NULL, 3, 4, 3, GG_NO_TRANSPOSE), GG_ERR_ARGUMENT, "b is NULL");
    pack_fails(gg_gemm_pack(packed, b, 2, 4, 3, GG_NO_TRANSPOSE), GG_ERR_SHAPE, "b is 2");
    pack_fails(gg_gemm_pack(packed, b, 3, 4, 3, GG_TRANSPOSE), GG_ERR_SHAPE, "3 x 4");
    pack_fails(gg_gemm_pack(packed, b, 3, -4, 3, GG_NO_TRANSPOSE), GG_ERR_ARGUMENT, "-4");
    packed_fails(gg_gemm_packed(c, 3, a, 4, NULL, 2, 3, 4, GG_NO_TRANSPOSE, 1, 0), GG_ERR_ARGUMENT, "packed is NULL");
    packed_fails(gg_gemm_packed(NULL, 3, a, 4, packed, 2, 3, 4, GG_NO_TRANSPOSE, 1, 0), GG_ERR_ARGUMENT,
                 "c is NULL, expected 2 x 3");
    packed_fails(gg_gemm_packed(c, 3, NULL, 4, packed, 2, 3, 4, GG_NO_TRANSPOSE, 1, 0), GG_ERR_ARGUMENT,
                 "a is NULL, expected 2 x 4");
    packed_fails(gg_gemm_packed(c, 2, a, 4, packed, 2, 3, 4, GG_NO_TRANSPOSE, 1, 0), GG_ERR_SHAPE, "c is 2");
    packed_fails(gg_gemm_packed(c, 3, a, 1, packed, 2, 3, 4, GG_TRANSPOSE, 1, 0), GG_ERR_SHAPE, "a is 1");
    packed_fails(gg_gemm_packed(c, 3, a, 4, packed, 2, 3, -4, GG_NO_TRANSPOSE, 1, 0), GG_ERR_ARGUMENT, "2, 3, -4");
    ck_assert_mem_eq(c, before, sizeof c);
    ck_assert_int_eq(gg_gemm_pack(NULL, NULL, 0, 0, 5, GG_NO_TRANSPOSE), GG_OK);
    ck_assert_int_eq(gg_gemm_pack(NULL, NULL, 0, 5, 0, GG_TRANSPOSE), GG_OK);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, small_sizes, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, sizes_around_panels_and_blocks, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_test(tests, forced_grids);
    tcase_add_loop_test(tests, nan_and_zero_factors, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_test(tests, wrong_sizes);
    tcase_add_test(tests, unknown_transpose);
    tcase_add_test(tests, wrong_arguments);
}
