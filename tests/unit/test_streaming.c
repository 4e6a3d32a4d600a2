/* test_streaming.c - results written past the caches are those of ordinary stores, to the last bit: every kernel that
 * can, on every instruction set; and which calls do. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/blas_backend.h>

#include "backend.h"
#include "isa.h"

/* Whole lines; values on both sides of every border of the functions, and some that are no numbers. */
static float *arguments(int64_t n, uint64_t seed)
{
    float *x = support_uniform(n, -8, 8, seed);
    for (int64_t i = 7; i < n; i += 101)
        x[i] *= 20.0f;
    for (int64_t i = 11; i < n; i += 503)
        x[i] = i % 2 == 0 ? NAN : -INFINITY;
    return x;
}

/* The same bits; of what is no number the sign may differ, which follows the order of operands in an addition. */
static void check_same(const float *streamed, const float *y, int64_t n, const char *what, int64_t length)
{
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(memcmp(&streamed[i], &y[i], sizeof *y) == 0 || (isnan(streamed[i]) && isnan(y[i])),
                      "%s of %lld: element %lld is %.9g past the caches, %.9g otherwise", what, (long long)length,
                      (long long)i, (double)streamed[i], (double)y[i]);
}

START_TEST(activations)
{
    enum { N = 2048 };
    const float *x = arguments(N, 1), *dy = support_uniform(N, -1, 1, 2);
    const gg_kernel_table *k = use_isa(_i) ? gg_kernels() : NULL;
    for (int f = 0; k != NULL && f < GG_ACTIVATION_COUNT; f++)
        for (int64_t n = 0; n <= N; n = 4 * n + 16) {
            float *y = support_floats(N), *streamed = support_floats(N);
            k->forward[f](y, x, n, 0.1f);
            k->streamed[f](streamed, x, n, 0.1f);
            check_same(streamed, y, N, gg_activation_name((gg_activation)f), n);
            k->backward[f](y, dy, x, n, 0.1f, GG_OVERWRITE);
            k->backward[f](streamed, dy, x, n, 0.1f, GG_STREAM);
            check_same(streamed, y, N, gg_activation_name((gg_activation)f), n);
        }
}
END_TEST

typedef struct shape {
    int64_t rows, cols;
} shape;

/* Narrow rows, rows that wait whole for their sum and rows that are too long to. */
static const shape shapes[] = {{1, 16}, {40, 16}, {1, 32}, {7, 48}, {5, 768}, {3, 4096}, {3, 4112}, {2, 9600}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void check_softmax(const gg_kernel_table *k, shape s)
{
    const int64_t n = s.rows * s.cols;
    const size_t bytes = (size_t)n * sizeof(float);
    float *x = arguments(n, 3), *dy = support_uniform(n, -1, 1, 4), *y = support_floats(n),
          *streamed = support_floats(n);
    for (int64_t c = 0; c < s.cols; c++)
        x[c] = c % 3 == 0 ? -INFINITY : fminf(x[c], 0.0f); /* a row that is shifted by nothing */
    x[0] = 0.0f;
    k->softmax_forward(y, x, s.rows, s.cols, GG_OVERWRITE);
    k->softmax_forward(streamed, x, s.rows, s.cols, GG_STREAM);
    ck_assert_mem_eq(streamed, y, bytes);
    k->softmax_backward(y, dy, x, s.rows, s.cols, GG_OVERWRITE);
    k->softmax_backward(streamed, dy, x, s.rows, s.cols, GG_STREAM);
    ck_assert_mem_eq(streamed, y, bytes);
    support_release();
}

START_TEST(softmax)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        check_softmax(gg_kernels(), shapes[i]);
}
END_TEST

static void check_norm(const gg_kernel_table *k, shape s, bool rms, bool with_gamma, bool with_beta)
{
    const int64_t n = s.rows * s.cols;
    const size_t bytes = (size_t)n * sizeof(float), row_bytes = (size_t)s.rows * sizeof(float);
    const float *x = support_uniform(n, -3, 3, 5), *dy = support_uniform(n, -1, 1, 6);
    const float *gamma = with_gamma ? support_uniform(s.cols, 0, 2, 7) : NULL;
    const float *beta = with_beta ? support_uniform(s.cols, -1, 1, 8) : NULL;
    float *y = support_floats(n), *streamed = support_floats(n), *mean = support_floats(s.rows);
    float *inverse = support_floats(s.rows), *inverse_again = support_floats(s.rows);
    k->norm_rows(y, mean, inverse, x, gamma, beta, s.rows, s.cols, 1e-5f, rms, GG_OVERWRITE);
    k->norm_rows(streamed, mean, inverse_again, x, gamma, beta, s.rows, s.cols, 1e-5f, rms, GG_STREAM);
    ck_assert_mem_eq(streamed, y, bytes);
    ck_assert_mem_eq(inverse_again, inverse, row_bytes);
    float *sums[2] = {support_uniform(s.cols, 0, 1, 9), support_uniform(s.cols, 0, 1, 10)};
    float *again[2] = {support_copy(sums[0], s.cols), support_copy(sums[1], s.cols)};
    k->norm_rows_gradient(y, sums[0], sums[1], dy, x, mean, inverse, gamma, s.rows, s.cols, rms, GG_OVERWRITE);
    k->norm_rows_gradient(streamed, again[0], again[1], dy, x, mean, inverse, gamma, s.rows, s.cols, rms, GG_STREAM);
    ck_assert_mem_eq(streamed, y, bytes);
    for (int i = 0; i < 2; i++)
        ck_assert_mem_eq(again[i], sums[i], (size_t)s.cols * sizeof(float));
    support_release();
}

START_TEST(norms)
{
    for (int i = 0; use_isa(_i) && i < 8 * SHAPES; i++)
        check_norm(gg_kernels(), shapes[i / 8], i % 2 == 1, i / 2 % 2 == 1, i / 4 % 2 == 1);
}
END_TEST

/* What is small stays in the caches, and so does what is not made of whole lines. */
START_TEST(large_results_in_whole_lines)
{
    const int64_t many = INT64_C(1) << 40;
    float *line = NULL;
    ck_assert_int_eq(gg_alloc((void **)&line, 256), GG_OK);
    ck_assert(gg_policy_streams(line, many, 16, 2) && gg_policy_streams(line, 1, many, 2));
    ck_assert(!gg_policy_streams(line, 1, 16, 3) && !gg_policy_streams(line, 0, many, 3));
    ck_assert(!gg_policy_streams(line + 4, many, 16, 2) && !gg_policy_streams(line, many, 20, 2));
    gg_free(line);
}
END_TEST

/* The fewest floats of an array, of two of which a call streams one; a multiple of 2^20. */
static int64_t least_streamed(const float *line)
{
    int64_t n = 1 << 20;
    while (!gg_policy_streams(line, 1, n, 2))
        n += 1 << 20;
    return n;
}

/* An array that begins at a line, one that does not, and the same place as x. */
START_TEST(large_arrays)
{
    enum { MORE = 21 };
    float *x = NULL, *y = NULL;
    ck_assert_int_eq(gg_alloc((void **)&x, 64), GG_OK);
    const int64_t n = least_streamed(x) + MORE, middle = n / 2 / 16 * 16 + 16, late = n - 40;
    gg_free(x);
    if (n > INT64_C(1) << 26)
        return;
    ck_assert_int_eq(gg_alloc((void **)&x, (size_t)(n + 1) * sizeof *x), GG_OK);
    ck_assert_int_eq(gg_alloc((void **)&y, (size_t)(n + 1) * sizeof *y), GG_OK);
    const float places[] = {-3.0f, -0.5f, 0.25f, 2.0f};
    for (int64_t i = 0; i <= n; i++)
        x[i] = places[i % 4];
    for (int shift = 0; shift < 2; shift++) {
        y[n] = 7.0f;
        ck_assert_int_eq(gg_activation_forward(y + shift, x, n, GG_GELU, 0.0f), GG_OK);
        const int64_t looked_at[] = {0, middle, late, n - 8};
        for (int i = 0; i < 4; i++) {
            float expected[8];
            gg_kernels()->forward[GG_GELU](expected, x + looked_at[i], 8, 0.0f);
            ck_assert_mem_eq(y + shift + looked_at[i], expected, sizeof expected);
        }
        ck_assert(shift == 1 || y[n] == 7.0f);
    }
    ck_assert_int_eq(gg_activation_forward(x, x, n, GG_GELU, 0.0f), GG_OK);
    ck_assert_mem_eq(x, y + 1, (size_t)n * sizeof *x);
    gg_free(x);
    gg_free(y);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, activations, 0, ISA_COUNT);
    tcase_add_loop_test(tests, softmax, 0, ISA_COUNT);
    tcase_add_loop_test(tests, norms, 0, ISA_COUNT);
    tcase_add_test(tests, large_results_in_whole_lines);
    tcase_add_test(tests, large_arrays);
}
