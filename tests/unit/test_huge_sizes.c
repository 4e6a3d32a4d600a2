/* test_huge_sizes.c - sizes that no memory holds: an error that names them, before anything is read or written. */
#include <string.h>

#include <gemmgrad/blas_backend.h>
#include <gemmgrad/digits.h>
#include <gemmgrad/random.h>
#include <gemmgrad/spiral.h>

#include "parallel.h"
#include "support.h"

#define HUGE_FAILS(call, function, argument) support_assert_fails(call, GG_ERR_OVERFLOW, function, argument)

/* One float more than PTRDIFF_MAX bytes hold, twice as many, and the most that can be asked for. */
static const struct {
    int64_t n;
    const char *text;
} sizes[] = {
    {(int64_t)1 << 61, "n is 2305843009213693952"},
    {(int64_t)1 << 62, "n is 4611686018427387904"},
    {INT64_MAX, "n is 9223372036854775807"},
};
enum { SIZES = sizeof sizes / sizeof *sizes, FEW = 3 };

START_TEST(elements)
{
    const int64_t n = sizes[_i].n;
    const char *text = sizes[_i].text;
    float *y = support_floats(FEW), *x = support_uniform(FEW, 0, 1, 1);
    for (gg_activation f = GG_IDENTITY; f < GG_ACTIVATION_COUNT; f++) {
        HUGE_FAILS(gg_activation_forward(y, x, n, f, 0), "gg_activation_forward", text);
        HUGE_FAILS(gg_activation_backward(y, x, x, n, f, 0, true), "gg_activation_backward", text);
    }
    HUGE_FAILS(gg_add(y, x, x, n), "gg_add", text);
    HUGE_FAILS(gg_add_relu(y, x, x, n), "gg_add_relu", text);
    HUGE_FAILS(gg_multiply(y, x, x, n), "gg_multiply", text);
    HUGE_FAILS(gg_divide(y, x, x, n), "gg_divide", text);
    HUGE_FAILS(gg_axpy(y, x, n, 1), "gg_axpy", text);
    HUGE_FAILS(gg_fill(y, n, 1), "gg_fill", text);
    HUGE_FAILS(gg_scale(y, n, 1), "gg_scale", text);
    ck_assert(support_untouched(y, FEW));
}
END_TEST

START_TEST(sums)
{
    const int64_t n = sizes[_i].n;
    const char *text = sizes[_i].text;
    float *x = support_uniform(FEW, 0, 1, 1);
    double sum = 7;
    bool finite = false;
    HUGE_FAILS(gg_sum(&sum, x, n), "gg_sum", text);
    HUGE_FAILS(gg_sum_squares(&sum, x, n), "gg_sum_squares", text);
    HUGE_FAILS(gg_all_finite(&finite, x, n), "gg_all_finite", text);
    ck_assert(sum == 7 && !finite);
}
END_TEST

START_TEST(updates)
{
    const int64_t n = sizes[_i].n;
    const char *text = sizes[_i].text;
    float *w = support_floats(FEW), *s = support_floats(FEW), *v = support_floats(FEW);
    const float *g = support_uniform(FEW, 0, 1, 1);
    HUGE_FAILS(gg_update_sgd(w, g, n, 1, 0, 1), "gg_update_sgd", text);
    HUGE_FAILS(gg_update_momentum(w, s, g, n, 1, 0.9f, 0, 1), "gg_update_momentum", text);
    HUGE_FAILS(gg_update_nesterov(w, s, g, n, 1, 0.9f, 0, 1), "gg_update_nesterov", text);
    HUGE_FAILS(gg_update_adagrad(w, s, g, n, 1, 1, 0, 1), "gg_update_adagrad", text);
    HUGE_FAILS(gg_update_rmsprop(w, s, g, n, 1, 0.9f, 1, 0, 1), "gg_update_rmsprop", text);
    HUGE_FAILS(gg_update_adam(w, s, v, g, n, 1, 0.9f, 0.9f, 1, 0, 1, 1), "gg_update_adam", text);
    HUGE_FAILS(gg_update_adamw(w, s, v, g, n, 1, 0.9f, 0.9f, 1, 0, 1, 1), "gg_update_adamw", text);
    ck_assert(support_untouched(w, FEW) && support_untouched(s, FEW) && support_untouched(v, FEW));
}
END_TEST

START_TEST(matrices)
{
    const int64_t most = INT64_MAX, half = (int64_t)1 << 32;
    float *y = support_floats(FEW), *x = support_uniform(FEW, 0, 1, 1);
    HUGE_FAILS(gg_add_bias(y, most, x, most, x, most, 3, GG_RELU, 0), "gg_add_bias", "ldy = 9223372036854775807");
    HUGE_FAILS(gg_add_bias(y, 1, x, most, x, 2, 1, GG_RELU, 0), "gg_add_bias", "ldx = 9223372036854775807");
    HUGE_FAILS(gg_add_bias(y, most, x, most, x, 1, most, GG_RELU, 0), "gg_add_bias", "cols = 9223372036854775807");
    HUGE_FAILS(gg_add_bias(y, 1, x, 1, x, most, 1, GG_RELU, 0), "gg_add_bias", "rows = 9223372036854775807");
    HUGE_FAILS(gg_add_bias(y, half, x, half, x, half, half, GG_RELU, 0), "gg_add_bias", "rows = 4294967296");
    HUGE_FAILS(gg_sum_rows(y, x, 3, most, 3, false), "gg_sum_rows", "rows = 9223372036854775807");
    HUGE_FAILS(gg_sum_rows(y, x, most, 2, most, false), "gg_sum_rows", "cols = 9223372036854775807");
    HUGE_FAILS(gg_sum_rows(y, x, most, 0, most, false), "gg_sum_rows", "cols = 9223372036854775807");
    HUGE_FAILS(gg_sum_rows(y, x, most, 2, 1, false), "gg_sum_rows", "ldx = 9223372036854775807");
    HUGE_FAILS(gg_sum_rows(y, x, half, half, half, true), "gg_sum_rows", "cols = 4294967296");
    HUGE_FAILS(gg_scale_rows(y, x, x, half, half), "gg_scale_rows", "rows = 4294967296");
    HUGE_FAILS(gg_softmax_forward(y, x, most, 1), "gg_softmax_forward", "rows = 9223372036854775807");
    ck_assert(support_untouched(y, FEW));
    /* Nothing lies at the leading dimension's distance behind a single row. */
    ck_assert_int_eq(gg_add_bias(y, most, x, most, NULL, 1, FEW, GG_IDENTITY, 0), GG_OK);
    ck_assert_mem_eq(y, x, FEW * sizeof *x);
    ck_assert_int_eq(gg_sum_rows(y, x, most, 1, FEW, true), GG_OK);
    ck_assert_float_eq(y[0], 2 * x[0]);
}
END_TEST

START_TEST(random_numbers)
{
    const int64_t n = sizes[_i].n, wide = n / 2; /* twice the bytes an element */
    const char *text = sizes[_i].text;
    gg_random random = gg_random_make(1, 2);
    uint32_t bits = 7;
    int64_t p = 7;
    float *x = support_floats(FEW);
    HUGE_FAILS(gg_random_bits(&bits, n, &random), "gg_random_bits", text);
    HUGE_FAILS(gg_random_fill_uniform(x, n, 0, 1, &random), "gg_random_fill_uniform", text);
    HUGE_FAILS(gg_random_fill_normal(x, n, 0, 1, &random), "gg_random_fill_normal", text);
    HUGE_FAILS(gg_random_permutation(&p, n, &random), "gg_random_permutation", text);
    HUGE_FAILS(gg_random_permutation(&p, wide, &random), "gg_random_permutation", "n is ");
    ck_assert_uint_eq(random.counter, 0);
    ck_assert(bits == 7 && p == 7 && support_untouched(x, FEW));
}
END_TEST

START_TEST(data_sets)
{
    float *x = support_floats(FEW);
    int32_t label = 7;
    /* 784 floats an image: 2^63 bytes are 2,941,126,287,262,364.5 of them. */
    HUGE_FAILS(gg_digits_draw(x, &label, INT64_MAX, 1), "gg_digits_draw", "count is 9223372036854775807");
    HUGE_FAILS(gg_digits_draw(x, &label, INT64_C(2941126287262365), 1), "gg_digits_draw", "count is 2941126287262365");
    HUGE_FAILS(gg_spiral_make(x, &label, INT64_MAX, 1, 1), "gg_spiral_make", "per_class = 9223372036854775807");
    ck_assert(label == 7 && support_untouched(x, FEW));
}
END_TEST

typedef struct cover {
    int64_t begin[4], end[4];
} cover;

/* With align 2^61 the beginnings tell which of the four threads writes where. */
static void note(void *context, int64_t begin, int64_t end)
{
    cover *c = context;
    c->begin[begin >> 61] = begin;
    c->end[begin >> 61] = end;
}

/* The splitting itself loses nothing, however long the range. */
START_TEST(ranges)
{
    cover c = {{0}, {0}};
    const int threads = gg_threads();
    ck_assert_int_eq(gg_set_threads(4), GG_OK);
    gg_parallel_for(INT64_MAX, 1, (int64_t)1 << 61, note, &c);
    ck_assert_int_eq(gg_set_threads(threads), GG_OK);
    for (int part = 0; part < 4; part++) {
        ck_assert_int_eq(c.begin[part], (int64_t)part << 61);
        ck_assert_int_eq(c.end[part], part < 3 ? (int64_t)(part + 1) << 61 : INT64_MAX);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, elements, 0, SIZES);
    tcase_add_loop_test(tests, sums, 0, SIZES);
    tcase_add_loop_test(tests, updates, 0, SIZES);
    tcase_add_test(tests, matrices);
    tcase_add_loop_test(tests, random_numbers, 0, SIZES);
    tcase_add_test(tests, data_sets);
    tcase_add_test(tests, ranges);
}
