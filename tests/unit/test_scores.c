/* test_scores.c - vectors against sets of vectors and the logistic loss, against plain loops in double: every
 * instruction set, all lengths around a register, several threads, special numbers, wrong arguments. */
#include <gemmgrad/scores.h>

#include <math.h>
#include <string.h>

#include <gemmgrad/softmax.h>

#include "isa.h"

typedef struct shape {
    int64_t n, count, cols;
} shape;

/* Sets around the 4 rows that the kernel takes together, vectors around registers; the last two use threads. */
static const shape shapes[] = {{0, 3, 4},   {3, 0, 4},    {3, 4, 0},     {1, 1, 1},     {2, 3, 5},
                               {5, 4, 7},   {3, 5, 8},    {2, 6, 15},    {1, 7, 16},    {3, 8, 17},
                               {2, 9, 31},  {4, 6, 32},   {2, 5, 33},    {1, 4, 100},   {7, 2, 65},
                               {1, 3, 257}, {2, 1, 1000}, {600, 6, 100}, {3, 1000, 100}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* ---- dots ---- */

static void check_dots(shape s)
{
    const int64_t sets = s.n * s.count;
    float *h = support_uniform(s.n * s.cols, -1, 1, 1), *e = support_uniform(sets * s.cols, -1, 1, 2);
    float *found = support_floats(sets);
    double *expected = support_doubles(sets), *scale = support_doubles(sets);
    for (int64_t i = 0; i < sets; i++)
        for (int64_t d = 0; d < s.cols; d++) {
            const double term = (double)h[i / s.count * s.cols + d] * (double)e[i * s.cols + d];
            expected[i] += term;
            scale[i] += fabs(term);
        }
    ck_assert_int_eq(gg_dot_rows(found, h, e, s.n, s.count, s.cols), GG_OK);
    support_assert_close(found, expected, scale, sets, 8, "dots %lld x %lld x %lld", (long long)s.n, (long long)s.count,
                         (long long)s.cols);
}

/* ---- sums and multiples ---- */

static void check_combine(shape s, bool weighted, bool accumulate)
{
    const int64_t size = s.n * s.cols;
    float *e = support_uniform(s.n * s.count * s.cols, -1, 1, 3), *g = support_uniform(s.n * s.count, -1, 1, 4);
    float *y = accumulate ? support_uniform(size, -1, 1, 5) : support_floats(size);
    double *expected = support_doubles(size), *scale = support_doubles(size);
    for (int64_t i = 0; i < s.n; i++)
        for (int64_t d = 0; d < s.cols; d++) {
            double sum = accumulate ? (double)y[i * s.cols + d] : 0.0, all = fabs(sum);
            for (int64_t c = 0; c < s.count; c++) {
                const double weight = weighted ? (double)g[i * s.count + c] : 1.0;
                const double term = 0.5 * weight * (double)e[(i * s.count + c) * s.cols + d];
                sum += term;
                all += fabs(term);
            }
            expected[i * s.cols + d] = sum;
            scale[i * s.cols + d] = all;
        }
    ck_assert_int_eq(gg_combine_rows(y, weighted ? g : NULL, e, s.n, s.count, s.cols, 0.5f, accumulate), GG_OK);
    support_assert_close(y, expected, scale, size, 2.0 + (double)s.count, "combine %lld x %lld x %lld", (long long)s.n,
                         (long long)s.count, (long long)s.cols);
}

static void check_spread(shape s, bool weighted, bool accumulate)
{
    const int64_t size = s.n * s.count * s.cols;
    float *h = support_uniform(s.n * s.cols, -1, 1, 6), *g = support_uniform(s.n * s.count, -1, 1, 7);
    float *de = accumulate ? support_uniform(size, -1, 1, 8) : support_floats(size);
    double *expected = support_doubles(size), *scale = support_doubles(size);
    for (int64_t i = 0; i < size; i++) {
        const int64_t set = i / s.cols;
        const double weight = weighted ? (double)g[set] : 1.0, before = accumulate ? (double)de[i] : 0.0;
        const double term = 0.5 * weight * (double)h[set / s.count * s.cols + i % s.cols];
        expected[i] = before + term;
        scale[i] = fabs(before) + fabs(term);
    }
    ck_assert_int_eq(gg_spread_rows(de, weighted ? g : NULL, h, s.n, s.count, s.cols, 0.5f, accumulate), GG_OK);
    support_assert_close(de, expected, scale, size, 4, "spread %lld x %lld x %lld", (long long)s.n, (long long)s.count,
                         (long long)s.cols);
}

START_TEST(vectors_against_sets)
{
    if (!use_isa(_i))
        return;
    for (int misalign = 0; misalign < 2; misalign++)
        for (int i = 0; i < SHAPES; i++) {
            support_misalign(misalign);
            check_dots(shapes[i]);
            for (int way = 0; way < 4; way++) {
                check_combine(shapes[i], way % 2 == 0, way / 2 == 1);
                check_spread(shapes[i], way % 2 == 0, way / 2 == 1);
            }
            support_release();
        }
}
END_TEST

START_TEST(threads_change_no_bit)
{
    enum { N = 900, COUNT = 6, COLS = 100, SETS = N * COUNT };
    float *h = support_uniform((int64_t)N * COLS, -1, 1, 1), *e = support_uniform((int64_t)SETS * COLS, -1, 1, 2);
    float *all = support_floats(SETS), *one = support_floats(COUNT), *y = support_floats((int64_t)N * COLS);
    float *row = support_floats(COLS);
    ck_assert_int_eq(gg_dot_rows(all, h, e, N, COUNT, COLS), GG_OK);
    ck_assert_int_eq(gg_combine_rows(y, all, e, N, COUNT, COLS, 1.0f, false), GG_OK);
    for (int64_t i = 0; i < N; i += 7) {
        ck_assert_int_eq(gg_dot_rows(one, h + i * COLS, e + i * COUNT * COLS, 1, COUNT, COLS), GG_OK);
        ck_assert_mem_eq(one, all + i * COUNT, sizeof *one * COUNT);
        ck_assert_int_eq(gg_combine_rows(row, one, e + i * COUNT * COLS, 1, COUNT, COLS, 1.0f, false), GG_OK);
        ck_assert_mem_eq(row, y + i * COLS, sizeof *row * COLS);
    }
}
END_TEST

/* ---- the loss ---- */

static double softplus(double z)
{
    return fmax(z, 0.0) + log1p(exp(-fabs(z)));
}

START_TEST(loss_and_slope)
{
    if (!use_isa(_i))
        return;
    for (int k = 0; k < ISA_SIZES; k++) {
        const int64_t n = isa_sizes[k];
        float *s = support_uniform(n, -12, 12, 9), *g = support_floats(n);
        int32_t *labels = support_labels(n);
        double *slopes = support_doubles(n), *scale = support_doubles(n), loss = 0.0, sum = -1.0;
        int64_t right = 0, counted = -1;
        for (int64_t i = 0; i < n; i++) {
            labels[i] = (int32_t)((i * 7) % 3) - 1;
            s[i] *= i % 5 == 0 ? 20.0f : 1.0f; /* far out, too */
            if (labels[i] < 0)
                continue;
            const double z = labels[i] == 1 ? -(double)s[i] : (double)s[i];
            loss += softplus(z);
            slopes[i] = 0.25 * (labels[i] == 1 ? -1.0 : 1.0) / (1.0 + exp(-z));
            scale[i] = fabs(slopes[i]);
            right += labels[i] == 1;
        }
        ck_assert_int_eq(gg_logistic_loss(&sum, &counted, g, s, labels, n, 0.25f), GG_OK);
        ck_assert_int_eq(counted, right);
        ck_assert_msg(fabs(sum - loss) <= 0x1p-22 * (loss + (double)n), "n = %lld: %.9g, expected %.9g", (long long)n,
                      sum, loss);
        support_assert_close(g, slopes, scale, n, 4, "slopes of %lld", (long long)n);
        ck_assert_int_eq(gg_logistic_loss(NULL, NULL, s, s, labels, n, 0.25f), GG_OK); /* in place */
        ck_assert(n == 0 || memcmp(s, g, (size_t)n * sizeof *s) == 0);
        support_release();
    }
}
END_TEST

START_TEST(special_scores)
{
    const float s[] = {INFINITY, -INFINITY, NAN, NAN, 0.0f};
    const int32_t labels[] = {1, 0, -1, 1, 0};
    float g[5];
    double loss = 0.0;
    ck_assert_int_eq(gg_logistic_loss(&loss, NULL, g, s, labels, 3, 1.0f), GG_OK);
    ck_assert_double_eq(loss, 0.0);
    ck_assert(g[0] == 0.0f && g[1] == 0.0f && g[2] == 0.0f);
    ck_assert_int_eq(gg_logistic_loss(&loss, NULL, g, s, labels, 5, 1.0f), GG_OK);
    ck_assert(isnan(loss) && isnan(g[3]) && g[4] == 0.5f);
}
END_TEST

START_TEST(wrong_arguments)
{
    float a[4] = {0}, *y = support_floats(4);
    const int32_t labels[] = {1, 2, 0, 0}, fine[] = {1, 0, 0, -1};
    const int64_t most = INT64_MAX;
    support_assert_fails(gg_dot_rows(NULL, a, a, 1, 1, 1), GG_ERR_ARGUMENT, "gg_dot_rows", "s is NULL");
    support_assert_fails(gg_dot_rows(y, NULL, a, 1, 1, 1), GG_ERR_ARGUMENT, "gg_dot_rows", "h is NULL");
    support_assert_fails(gg_dot_rows(y, a, NULL, 1, 1, 1), GG_ERR_ARGUMENT, "gg_dot_rows", "e is NULL");
    support_assert_fails(gg_dot_rows(y, a, a, -1, 1, 1), GG_ERR_ARGUMENT, "gg_dot_rows", "n is -1");
    support_assert_fails(gg_dot_rows(y, a, a, 2, 3, most / 4), GG_ERR_OVERFLOW, "gg_dot_rows", "cols");
    support_assert_fails(gg_combine_rows(NULL, a, a, 1, 1, 1, 1.0f, false), GG_ERR_ARGUMENT, "gg_combine_rows",
                         "y is NULL");
    support_assert_fails(gg_combine_rows(y, a, NULL, 1, 1, 1, 1.0f, false), GG_ERR_ARGUMENT, "gg_combine_rows",
                         "e is NULL");
    support_assert_fails(gg_combine_rows(y, a, a, 1, -1, 1, 1.0f, false), GG_ERR_ARGUMENT, "gg_combine_rows",
                         "count -1");
    support_assert_fails(gg_spread_rows(NULL, a, a, 1, 1, 1, 1.0f, false), GG_ERR_ARGUMENT, "gg_spread_rows",
                         "de is NULL");
    support_assert_fails(gg_spread_rows(y, a, NULL, 1, 1, 1, 1.0f, false), GG_ERR_ARGUMENT, "gg_spread_rows",
                         "h is NULL");
    support_assert_fails(gg_spread_rows(y, a, a, most, 2, 2, 1.0f, false), GG_ERR_OVERFLOW, "gg_spread_rows", "n");
    support_assert_fails(gg_logistic_loss(NULL, NULL, y, NULL, fine, 4, 1.0f), GG_ERR_ARGUMENT, "gg_logistic_loss",
                         "s is NULL");
    support_assert_fails(gg_logistic_loss(NULL, NULL, y, a, NULL, 4, 1.0f), GG_ERR_ARGUMENT, "gg_logistic_loss",
                         "labels is NULL");
    support_assert_fails(gg_logistic_loss(NULL, NULL, y, a, labels, 4, 1.0f), GG_ERR_ARGUMENT, "gg_logistic_loss",
                         "labels[1] is 2");
    support_assert_fails(gg_logistic_loss(NULL, NULL, y, a, fine, -4, 1.0f), GG_ERR_ARGUMENT, "gg_logistic_loss",
                         "n is -4");
    ck_assert(support_untouched(y, 4));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, vectors_against_sets, 0, ISA_COUNT);
    tcase_add_test(tests, threads_change_no_bit);
    tcase_add_loop_test(tests, loss_and_slope, 0, ISA_COUNT);
    tcase_add_test(tests, special_scores);
    tcase_add_test(tests, wrong_arguments);
}
