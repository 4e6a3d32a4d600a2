/* test_gemm.c - gg_gemm: C = alpha op(A) op(B) + beta C. */
#include <gemmgrad/gemm.h>

#include <limits.h>
#include <math.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/backend.h>

#include "product_case.h"
#include "support.h"

/* Products run with 1, 2 and 3 threads. */
enum { FEWEST_THREADS = 1, BEYOND_THREADS = 4 };

static void use_threads(int threads)
{
    ck_assert_int_eq(gg_set_threads(threads), GG_OK);
}

static const float alphas[] = {1.0f, 0.0f, 0.7f};
static const float betas[] = {0.0f, 1.0f, 1.3f};

static void check_threads(product_case *t, float alpha, float beta)
{
    for (int threads = FEWEST_THREADS; threads < BEYOND_THREADS; threads++) {
        use_threads(threads);
        product_case_reset(t);
        ck_assert_int_eq(product_case_gemm(t, alpha, beta), GG_OK);
        product_case_check(t, alpha, beta, "gg_gemm");
    }
}

/* C = alpha op(A) op(B) + beta C for every transposition and number of threads, and every `step`-th pair of factors. */
static void check_product(int64_t m, int64_t n, int64_t k, int64_t gap, int step)
{
    for (int kind = 0; kind < 4; kind++) {
        product_case t;
        product_case_new(&t, &(product_shape){m, n, k, (kind & 1) != 0, (kind & 2) != 0, gap, DATA_REAL});
        for (int i = kind % step; i < 9; i += step)
            check_threads(&t, alphas[i / 3], betas[i % 3]);
        product_case_free(&t);
    }
}

START_TEST(small_sizes)
{
    static const int sizes[] = {0, 1, 2, 3, 5, 9};
    for (int i = 0; i < 216; i++)
        check_product(sizes[i / 36], sizes[i / 6 % 6], sizes[i % 6], i % 3, 1);
}
END_TEST

/* Around the registers, panels and blocks of k of the strategies, odd numbers. */
START_TEST(sizes_around_blocks)
{
    static const int sides[] = {15, 17, 33, 63, 65, 129}, depths[] = {15, 65, 127, 129, 511, 513};
    for (int i = 0; i < 216; i++)
        check_product(sides[i / 36], sides[i / 6 % 6], depths[i % 6], i % 2 == 0 ? 0 : 5, 4);
}
END_TEST

/* Below, at and above the 10^6 multiply-adds of a small product, and the 2048 rows of a thread's panel; very flat ones.
 */
START_TEST(sizes_around_limits)
{
    static const int sizes[][3] = {
        {100, 100, 100}, {99, 101, 100}, {101, 100, 100}, {125, 64, 125}, {126, 64, 124}, {125, 65, 125},
        {1, 1000, 1000}, {1000, 1, 999}, {1000, 1001, 1}, {65, 67, 2047}, {67, 65, 2049}, {1, 129, 4099},
        {130, 1, 4097},  {300, 301, 65}, {513, 300, 33},  {31, 1025, 31}, {1030, 31, 33}, {257, 255, 259},
        {64, 64, 64},    {65, 64, 64},   {128, 128, 16},  {16, 16, 1025}, {16, 16, 16},   {15, 16, 17},
        {2, 4099, 3},    {4099, 2, 3},   {3, 2, 4099},    {1, 4099, 1},   {12, 100, 31},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_product(sizes[i][0], sizes[i][1], sizes[i][2], i % 2 == 0 ? 0 : 3, 2);
}
END_TEST

/* Where every partial sum is an integer that a float holds, every order of additions gives the same bits. */
START_TEST(integers_are_exact)
{
    use_threads(_i);
    static const int sizes[][3] = {{3, 5, 9}, {17, 63, 33}, {65, 129, 129}, {33, 65, 2049}, {200, 300, 100}};
    static const float factors[][2] = {{1, 0}, {1, 1}, {-2, 3}, {4, -1}, {-1, 0}};
    for (int i = 0; i < 100; i++) {
        const int *size = sizes[i / 20];
        const float alpha = factors[i % 5][0], beta = factors[i % 5][1];
        product_case t;
        product_case_new(
            &t, &(product_shape){size[0], size[1], size[2], (i / 5 & 1) != 0, (i / 5 & 2) != 0, i % 3, DATA_INTEGER});
        ck_assert_int_eq(product_case_gemm(&t, alpha, beta), GG_OK);
        product_case_check(&t, alpha, beta, "integers");
        product_case_free(&t);
    }
}
END_TEST

/* A thread remembers the plans of its latest shapes: that of one transposition must not serve another of the same
 * sizes, nor that of one size its neighbour. */
START_TEST(plans_are_not_confused)
{
    use_threads(_i);
    for (int i = 0; i < 600; i++) {
        const int64_t m = 17 + i / 40, n = 70 - i % 40, k = 90 + i % 7;
        for (int kind = 3; kind >= 0; kind--) {
            product_case t;
            product_case_new(&t, &(product_shape){m, n, k, (kind & 1) != 0, (kind & 2) != 0, 0, DATA_INTEGER});
            ck_assert_int_eq(product_case_gemm(&t, 1.0f, 0.0f), GG_OK);
            product_case_check(&t, 1.0f, 0.0f, "a known plan");
            product_case_free(&t);
        }
    }
}
END_TEST

static const int some_sizes[][3] = {{1, 1, 1},    {3, 5, 9},     {17, 15, 0},     {17, 19, 23}, {65, 65, 129},
                                    {64, 64, 64}, {127, 65, 33}, {130, 140, 150}, {3, 300, 600}};
enum { SOME_SIZES = sizeof some_sizes / sizeof *some_sizes };

static void new_case(product_case *t, int size, int kind)
{
    product_case_new(t, &(product_shape){some_sizes[size][0], some_sizes[size][1], some_sizes[size][2], (kind & 1) != 0,
                                         (kind & 2) != 0, 2, DATA_REAL});
}

static void fill_before(product_case *t, float value)
{
    for (int64_t i = 0; i < t->shape.m * t->shape.n; i++)
        t->before[i] = value;
    product_case_reset(t);
}

/* 0 * NaN does not enter: beta = 0 overwrites. */
START_TEST(beta_zero_overwrites_nan)
{
    use_threads(_i);
    for (int i = 0; i < 4 * SOME_SIZES; i++) {
        product_case t;
        new_case(&t, i / 4, i % 4);
        fill_before(&t, i % 2 == 0 ? NAN : INFINITY);
        ck_assert_int_eq(product_case_gemm(&t, 0.7f, 0.0f), GG_OK);
        product_case_check(&t, 0.7f, 0.0f, "over NaN");
        product_case_free(&t);
    }
}
END_TEST

/* NaN in C stays for any other beta, 1 included. */
START_TEST(nan_in_c_stays)
{
    use_threads(_i);
    for (int i = 0; i < 4 * SOME_SIZES; i++) {
        product_case t;
        new_case(&t, i / 4, i % 4);
        t.before[t.shape.m * t.shape.n / 2] = NAN;
        product_case_reset(&t);
        const float beta = i % 3 == 0 ? 1.0f : -1.3f;
        ck_assert_int_eq(product_case_gemm(&t, 0.7f, beta), GG_OK);
        product_case_check(&t, 0.7f, beta, "NaN in C");
        product_case_free(&t);
    }
}
END_TEST

/* alpha = 0 leaves C = beta C: A and B are not looked at, as in the reference BLAS. */
START_TEST(alpha_zero_ignores_operands)
{
    use_threads(_i);
    for (int i = 0; i < 4 * SOME_SIZES; i++) {
        product_case t;
        new_case(&t, i / 4, i % 4);
        for (int64_t e = 0; e < t.a_floats; e++)
            t.a.data[e] = NAN;
        const float beta = betas[i % 3];
        ck_assert_int_eq(product_case_gemm(&t, 0.0f, beta), GG_OK);
        product_case_check(&t, 0.0f, beta, "alpha 0, A of NaN");
        product_case_free(&t);
    }
}
END_TEST

/* A NaN in op(A)[i][p] makes row i of C NaN and no other; one in op(B)[p][j] column j; infinities as IEEE sums them. */
START_TEST(nan_and_infinity_propagate)
{
    use_threads(_i);
    static const float odd_numbers[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 12 * SOME_SIZES; i++) {
        product_case t;
        new_case(&t, i / 12, i % 4);
        const int64_t k = t.shape.k;
        if (k > 0) {
            *product_case_a(&t, t.shape.m - 1, k / 2) = odd_numbers[i / 4 % 3];
            *product_case_b(&t, k - 1, t.shape.n / 2) = odd_numbers[(i / 4 + 1) % 3];
            product_case_expect(&t);
        }
        ck_assert_int_eq(product_case_gemm(&t, 0.7f, 1.3f), GG_OK);
        product_case_check(&t, 0.7f, 1.3f, "NaN and infinity");
        product_case_free(&t);
    }
}
END_TEST

/* Sums beyond the largest float are infinite, and denormal products are not lost where they are exact. */
START_TEST(largest_and_smallest_numbers)
{
    use_threads(_i);
    for (int i = 0; i < 4 * SOME_SIZES; i++) {
        product_case t;
        new_case(&t, i / 4, i % 4);
        for (int64_t row = 0; row < t.shape.m && t.shape.k > 0; row++)
            for (int64_t p = 0; p < t.shape.k; p++)
                *product_case_a(&t, row, p) = p == 0 && row % 2 == 0 ? 3e38f : 0x1p-149f;
        for (int64_t p = 0; p < t.shape.k; p++)
            for (int64_t column = 0; column < t.shape.n; column++)
                *product_case_b(&t, p, column) = p == 0 ? 8.0f : 1.0f;
        ck_assert_int_eq(product_case_gemm(&t, 1.0f, 0.0f), GG_OK);
        for (int64_t e = 0; e < t.shape.m * t.shape.n && t.shape.k > 0; e++) {
            const float found = t.c[e / t.shape.n * t.ldc + e % t.shape.n];
            const float small = (float)(8 + t.shape.k - 1) * 0x1p-149f;
            ck_assert(e / t.shape.n % 2 == 0 ? isinf(found) : found == small);
        }
        product_case_free(&t);
    }
}
END_TEST

/* Same inputs, same threads: same bits, also after other shapes have been through. */
START_TEST(same_bits_again)
{
    use_threads(_i);
    static float first[140 * 600];
    for (int i = 0; i < 4 * SOME_SIZES; i++) {
        product_case t;
        new_case(&t, i / 4, i % 4);
        for (int round = 0; round < 3; round++) {
            product_case_reset(&t);
            ck_assert_int_eq(product_case_gemm(&t, 0.7f, 1.3f), GG_OK);
            if (round == 0)
                memcpy(first, t.c, (size_t)t.c_floats * sizeof *first);
            ck_assert_mem_eq(first, t.c, (size_t)t.c_floats * sizeof *first);
            check_product(9 + round, 70, 40, 0, 9);
            use_threads(_i);
        }
        product_case_free(&t);
    }
}
END_TEST

/* m or n of 0 does nothing and reads no pointer; k = 0 leaves C = beta C and reads neither A nor B. */
START_TEST(empty_products)
{
    use_threads(_i);
    float c[6] = {1, 2, 3, 4, 5, 6};
    ck_assert_int_eq(gg_gemm(NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    ck_assert_int_eq(gg_gemm(NULL, 0, NULL, 0, NULL, 0, 0, 4, 5, GG_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    ck_assert_int_eq(gg_gemm(NULL, 0, NULL, 0, NULL, 0, 3, 0, 5, GG_NO_TRANSPOSE, GG_TRANSPOSE, 1, 0), GG_OK);
    ck_assert_int_eq(gg_gemm(c, 3, NULL, 0, NULL, 0, 2, 2, 0, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 2), GG_OK);
    const float doubled[6] = {2, 4, 3, 8, 10, 6};
    ck_assert_mem_eq(c, doubled, sizeof c);
    ck_assert_int_eq(gg_gemm(c, 3, NULL, 0, NULL, 0, 2, 2, 0, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 1), GG_OK);
    ck_assert_mem_eq(c, doubled, sizeof c);
    c[0] = NAN;
    ck_assert_int_eq(gg_gemm(c, 3, NULL, 0, NULL, 0, 2, 2, 0, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    const float zeroed[6] = {0, 0, 3, 0, 0, 6};
    ck_assert_mem_eq(c, zeroed, sizeof c);
}
END_TEST

/* ---- wrong arguments ---- */

enum { WRONG_FLOATS = 20 };
static const int64_t huge = (int64_t)1 << 40;

typedef struct wrong_call {
    bool has_c, has_a, has_b;
    int64_t ldc, lda, ldb, m, n, k;
    bool transpose_a, transpose_b;
    gg_status status;
    const char *words;
} wrong_call;

/* What is refused, and words of the message: the argument and the numbers. A good call is (2, 3, 4) with ld 3, 4, 3. */
static const wrong_call wrong_calls[] = {
    {false, true, true, 3, 4, 3, 2, 3, 4, false, false, GG_ERR_ARGUMENT, "c is NULL, expected 2 x 3 floats"},
    {true, false, true, 3, 4, 3, 2, 3, 4, false, false, GG_ERR_ARGUMENT, "a is NULL, expected 2 x 4 floats"},
    {true, true, false, 3, 4, 3, 2, 3, 4, false, false, GG_ERR_ARGUMENT, "b is NULL, expected 4 x 3 floats"},
    {true, false, true, 3, 4, 3, 2, 3, 4, true, false, GG_ERR_ARGUMENT, "a is NULL, expected 4 x 2 floats"},
    {true, true, true, 3, 4, 3, -1, 3, 4, false, false, GG_ERR_ARGUMENT, "(-1, 3, 4)"},
    {true, true, true, 3, 4, 3, 2, -1, 4, false, false, GG_ERR_ARGUMENT, "(2, -1, 4)"},
    {true, true, true, 3, 4, 3, 2, 3, -1, false, false, GG_ERR_ARGUMENT, "(2, 3, -1)"},
    {true, true, true, 3, 4, 3, INT64_MIN, 3, 4, false, false, GG_ERR_ARGUMENT, "-9223372036854775808"},
    {true, true, true, 3, 4, 3, 0, 3, -1, false, false, GG_ERR_ARGUMENT, "(0, 3, -1)"},
    {true, true, true, 2, 4, 3, 2, 3, 4, false, false, GG_ERR_SHAPE, "c is 2, its rows have 3 floats (2 x 3)"},
    {true, true, true, 3, 3, 3, 2, 3, 4, false, false, GG_ERR_SHAPE, "a is 3, its rows have 4 floats (2 x 4)"},
    {true, true, true, 3, 4, 2, 2, 3, 4, false, false, GG_ERR_SHAPE, "b is 2, its rows have 3 floats (4 x 3)"},
    {true, true, true, 3, 1, 3, 2, 3, 4, true, false, GG_ERR_SHAPE, "a is 1, its rows have 2 floats (4 x 2)"},
    {true, true, true, 3, 4, 3, 2, 3, 4, false, true, GG_ERR_SHAPE, "b is 3, its rows have 4 floats (3 x 4)"},
    {true, true, true, -3, 4, 3, 2, 3, 4, false, false, GG_ERR_SHAPE, "c is -3"},
    {true, true, true, 3, INT64_MIN, 3, 2, 3, 4, false, false, GG_ERR_SHAPE, "a is -9223372036854775808"},
    {true, true, true, 3, 4, 3, huge, 3, 4, false, false, GG_ERR_OVERFLOW, "(1099511627776, 3, 4)"},
    {true, true, true, 3, 4, 3, 2, huge, 4, false, false, GG_ERR_OVERFLOW, "(2, 1099511627776, 4)"},
    {true, true, true, 3, 4, 3, 2, 3, huge, false, false, GG_ERR_OVERFLOW, "(2, 3, 1099511627776)"},
    {true, true, true, 3, 4, 3, INT64_MAX, INT64_MAX, INT64_MAX, false, false, GG_ERR_OVERFLOW, "9223372036854775807"},
    {true, true, true, huge, 4, 3, 2, 3, 4, false, false, GG_ERR_OVERFLOW,
     "c of 2 rows with leading dimension 1099511627776"},
    {true, true, true, 3, INT64_MAX, 3, 2, 3, 4, false, false, GG_ERR_OVERFLOW,
     "a of 2 rows with leading dimension 92233720"},
    {true, true, true, 3, 4, huge, 2, 3, 4, false, false, GG_ERR_OVERFLOW,
     "b of 4 rows with leading dimension 1099511627776"},
    {true, true, true, INT_MAX, 4, 3, INT_MAX, 3, 4, false, false, GG_ERR_OVERFLOW,
     "c of 2147483647 rows with leading dimension 2147483647"},
    {true, true, true, 3, INT_MAX, 3, INT_MAX, 3, 4, false, false, GG_ERR_OVERFLOW,
     "a of 2147483647 rows with leading dimension 2147483647"},
    {true, true, true, 3, INT_MAX, INT_MAX, 2, 3, INT_MAX, false, false, GG_ERR_OVERFLOW,
     "b of 2147483647 rows with leading dimension 2147483647"},
    {true, true, true, 3, 4, 3, (int64_t)INT_MAX + 1, 0, 4, false, false, GG_ERR_OVERFLOW, "(2147483648, 0, 4)"},
};

/* On the short way of tiny products and on the long one. */
START_TEST(unknown_transpose)
{
    enum { LARGE = 64 };
    float *c = support_floats(LARGE * LARGE), *a = support_uniform(LARGE * LARGE, -1, 1, 1);
    for (int64_t n = 4; n <= LARGE; n += 60)
        for (int i = 0; i < 3; i++) {
            const gg_transpose bad = (gg_transpose)(int[]){2, 7, -1}[i];
            const char *words[] = {"is 2, expected", "is 7, expected", "is -1, expected"};
            support_assert_fails(gg_gemm(c, n, a, n, a, n, n, n, n, bad, GG_TRANSPOSE, 1, 0), GG_ERR_ARGUMENT,
                                 "gg_gemm: transpose_a ", words[i]);
            support_assert_fails(gg_gemm(c, n, a, n, a, n, n, n, n, GG_TRANSPOSE, bad, 1, 0), GG_ERR_ARGUMENT,
                                 "gg_gemm: transpose_b ", words[i]);
        }
    ck_assert(support_untouched(c, LARGE * LARGE));
}
END_TEST

START_TEST(wrong_arguments)
{
    const wrong_call *w = &wrong_calls[_i];
    float *c = support_floats(WRONG_FLOATS);
    const float a[WRONG_FLOATS] = {0}, b[WRONG_FLOATS] = {0};
    const gg_status status = gg_gemm(w->has_c ? c : NULL, w->ldc, w->has_a ? a : NULL, w->lda, w->has_b ? b : NULL,
                                     w->ldb, w->m, w->n, w->k, w->transpose_a ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                                     w->transpose_b ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1.0f, 0.0f);
    support_assert_fails(status, w->status, "gg_gemm: ", w->words);
    ck_assert(support_untouched(c, WRONG_FLOATS));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, small_sizes);
    tcase_add_test(tests, sizes_around_blocks);
    tcase_add_test(tests, sizes_around_limits);
    tcase_add_loop_test(tests, integers_are_exact, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, plans_are_not_confused, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, beta_zero_overwrites_nan, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, nan_in_c_stays, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, alpha_zero_ignores_operands, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, nan_and_infinity_propagate, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, largest_and_smallest_numbers, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, same_bits_again, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, empty_products, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_test(tests, unknown_transpose);
    tcase_add_loop_test(tests, wrong_arguments, 0, (int)(sizeof wrong_calls / sizeof *wrong_calls));
}
