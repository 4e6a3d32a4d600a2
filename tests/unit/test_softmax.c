/* test_softmax.c - softmax, log-sum-exp and cross-entropy against plain loops in double: every instruction set, narrow
 * and wide rows, several threads, masked rows, special numbers, aliasing, wrong arguments. */
#include <gemmgrad/softmax.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "isa.h"
#include "reference_softmax.h"

typedef struct shape {
    int64_t rows, cols;
} shape;

/* Groups are 32 rows, rows are narrow below 32 columns, chunks of wide rows are 4096; the last three use threads. */
static const shape shapes[] = {
    {0, 3},   {3, 0},    {1, 1},    {2, 2},    {3, 3},    {30, 3},   {5, 9},     {15, 10},    {16, 10},   {17, 10},
    {31, 15}, {33, 16},  {64, 17},  {1, 31},   {40, 31},  {1, 32},   {19, 32},   {3, 33},     {2, 63},    {17, 65},
    {5, 127}, {3, 1000}, {1, 1023}, {2, 4096}, {1, 4097}, {3, 9000}, {1, 20000}, {20001, 10}, {700, 300}, {33, 5000},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Logits, among them a few far below the rest, as a mask by -inf would leave. */
static float *logits(shape s)
{
    float *x = support_uniform(s.rows * s.cols, -6, 6, (uint64_t)(s.rows + 1000 * s.cols));
    for (int64_t i = 3; i < s.rows * s.cols; i += 11)
        x[i] -= 50.0f;
    for (int64_t i = 5; i < s.rows * s.cols && s.cols > 5; i += 7 * s.cols)
        x[i] = -INFINITY;
    return x;
}

/* softmax times (1 + distance from the largest): e^d turns half an epsilon of d into as much of itself. */
static double *probability_scale(const float *x, const double *y, shape s)
{
    double *scale = support_doubles(s.rows * s.cols);
    for (int64_t r = 0; r < s.rows; r++) {
        float largest = -INFINITY;
        for (int64_t c = 0; c < s.cols; c++)
            largest = fmaxf(largest, x[r * s.cols + c]);
        for (int64_t c = 0; c < s.cols; c++) {
            const double d = fabs((double)x[r * s.cols + c] - (double)largest);
            scale[r * s.cols + c] = isfinite(d) ? y[r * s.cols + c] * (1 + d) : 0;
        }
    }
    return scale;
}

static void check_forward(shape s)
{
    const int64_t n = s.rows * s.cols;
    float *x = logits(s), *y = support_floats(n);
    double *expected = support_doubles(n);
    reference_softmax(expected, support_widen(x, n), s.rows, s.cols);
    const double *scale = probability_scale(x, expected, s);
    ck_assert_int_eq(gg_softmax_forward(y, x, s.rows, s.cols), GG_OK);
    support_assert_close(y, expected, scale, n, 8, "softmax %lld x %lld", (long long)s.rows, (long long)s.cols);
    ck_assert_int_eq(gg_softmax_forward(x, x, s.rows, s.cols), GG_OK);
    ck_assert_mem_eq(x, y, (size_t)n * sizeof *x);
    support_release();
}

static void check_backward(shape s)
{
    const int64_t n = s.rows * s.cols;
    float *y = support_uniform(n, 0, 1, 1), *dy = support_uniform(n, -1, 1, 2), *dx = support_floats(n);
    double *expected = support_doubles(n), *scale = support_doubles(n);
    reference_softmax_backward(expected, support_widen(dy, n), support_widen(y, n), s.rows, s.cols);
    for (int64_t r = 0; r < s.rows; r++) {
        double dot = 0;
        for (int64_t i = r * s.cols; i < (r + 1) * s.cols; i++)
            dot += fabs((double)dy[i]) * (double)y[i];
        for (int64_t i = r * s.cols; i < (r + 1) * s.cols; i++)
            scale[i] = (double)y[i] * (fabs((double)dy[i]) + dot);
    }
    ck_assert_int_eq(gg_softmax_backward(dx, dy, y, s.rows, s.cols), GG_OK);
    support_assert_close(dx, expected, scale, n, 6, "softmax backward %lld x %lld", (long long)s.rows,
                         (long long)s.cols);
    ck_assert_int_eq(gg_softmax_backward(dy, dy, y, s.rows, s.cols), GG_OK);
    ck_assert_mem_eq(dy, dx, (size_t)n * sizeof *dx);
    support_release();
}

static void check_log_sum_exp(shape s)
{
    const int64_t n = s.rows * s.cols, rows = s.cols > 0 ? s.rows : 0;
    float *x = logits(s), *out = support_floats(s.rows);
    double *expected = support_doubles(s.rows), *scale = support_doubles(s.rows);
    reference_log_sum_exp(expected, support_widen(x, n), s.rows, s.cols);
    for (int64_t r = 0; r < s.rows; r++)
        scale[r] = 1 + fabs(expected[r]);
    ck_assert_int_eq(gg_log_sum_exp(out, x, s.rows, s.cols), GG_OK);
    support_assert_close(out, expected, scale, rows, 4, "log-sum-exp %lld x %lld", (long long)s.rows,
                         (long long)s.cols);
    ck_assert(rows > 0 || support_untouched(out, s.rows));
    support_release();
}

START_TEST(forward)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        check_forward(shapes[i]);
}
END_TEST

START_TEST(backward)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        check_backward(shapes[i]);
}
END_TEST

START_TEST(log_sum_exp)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        check_log_sum_exp(shapes[i]);
}
END_TEST

static const float SCALE = 0.3f;

/* Labels with some rows left out; never the class that logits() masks. */
static int32_t *some_labels(shape s, int64_t *counted)
{
    int32_t *labels = support_labels(s.rows);
    uint64_t state = 17;
    *counted = 0;
    for (int64_t r = 0; r < s.rows; r++) {
        const int64_t c = (int64_t)(support_random(&state) % (uint64_t)(s.cols > 0 ? s.cols : 1));
        labels[r] = r % 5 == 4 || s.cols == 0 ? GG_IGNORE_LABEL : (int32_t)(c == 5 ? 0 : c);
        *counted += labels[r] != GG_IGNORE_LABEL;
    }
    return labels;
}

static void assert_loss(double loss, double expected, shape s)
{
    ck_assert_msg(fabs(loss - expected) <= 4 * (double)FLT_EPSILON * ((double)s.rows + expected),
                  "loss of %lld x %lld is %.9g, expected %.9g", (long long)s.rows, (long long)s.cols, loss, expected);
}

static void check_cross_entropy(shape s)
{
    const int64_t n = s.rows * s.cols;
    int64_t expected_count, counted = -1;
    float *x = logits(s), *dx = support_floats(n);
    const int32_t *labels = some_labels(s, &expected_count);
    double *expected = support_doubles(n), *y = support_doubles(n), loss = NAN;
    reference_softmax(y, support_widen(x, n), s.rows, s.cols);
    double *scale = probability_scale(x, y, s);
    const double expected_loss =
        reference_cross_entropy(expected, support_widen(x, n), labels, s.rows, s.cols, (double)SCALE);
    for (int64_t r = 0; r < s.rows; r++)
        for (int64_t c = 0; c < s.cols; c++)
            scale[r * s.cols + c] = (double)SCALE * (scale[r * s.cols + c] + (c == labels[r] ? 1 : 0));

    ck_assert_int_eq(gg_softmax_cross_entropy(&loss, &counted, dx, x, labels, s.rows, s.cols, SCALE), GG_OK);
    assert_loss(loss, n > 0 ? expected_loss : 0, s);
    ck_assert_int_eq(counted, n > 0 ? expected_count : 0);
    support_assert_close(dx, expected, scale, n, 8, "cross-entropy %lld x %lld", (long long)s.rows, (long long)s.cols);

    double alone = NAN;
    ck_assert_int_eq(gg_softmax_cross_entropy(&alone, NULL, NULL, x, labels, s.rows, s.cols, SCALE), GG_OK);
    ck_assert_double_eq(alone, loss);
    ck_assert_int_eq(gg_softmax_cross_entropy(NULL, NULL, x, x, labels, s.rows, s.cols, SCALE), GG_OK);
    ck_assert_mem_eq(x, dx, (size_t)n * sizeof *x);
    support_release();
}

START_TEST(cross_entropy)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        check_cross_entropy(shapes[i]);
}
END_TEST

/* Soft targets; 0 where logits() may mask. */
static float *some_targets(shape s)
{
    float *t = support_uniform(s.rows * s.cols, 0, 1, 23);
    for (int64_t i = 5; i < s.rows * s.cols && s.cols > 5; i += s.cols)
        t[i] = 0.0f;
    for (int64_t i = 2; i < s.rows * s.cols; i += 3)
        t[i] = 0.0f;
    return t;
}

static void check_targets(shape s)
{
    const int64_t n = s.rows * s.cols;
    float *x = logits(s), *t = some_targets(s), *dx = support_floats(n);
    double *expected = support_doubles(n), *y = support_doubles(n), loss = NAN;
    reference_softmax(y, support_widen(x, n), s.rows, s.cols);
    double *scale = probability_scale(x, y, s);
    const double expected_loss = reference_cross_entropy_targets(expected, support_widen(x, n), support_widen(t, n),
                                                                 s.rows, s.cols, (double)SCALE);
    for (int64_t r = 0; r < s.rows; r++) {
        double weight = 0;
        for (int64_t i = r * s.cols; i < (r + 1) * s.cols; i++)
            weight += (double)t[i];
        for (int64_t i = r * s.cols; i < (r + 1) * s.cols; i++)
            scale[i] = (double)SCALE * (scale[i] * weight + (double)t[i]);
    }
    ck_assert_int_eq(gg_softmax_cross_entropy_targets(&loss, dx, x, t, s.rows, s.cols, SCALE), GG_OK);
    assert_loss(loss, expected_loss, s);
    support_assert_close(dx, expected, scale, n, 8, "cross-entropy of targets %lld x %lld", (long long)s.rows,
                         (long long)s.cols);

    double alone = NAN;
    ck_assert_int_eq(gg_softmax_cross_entropy_targets(&alone, NULL, x, t, s.rows, s.cols, SCALE), GG_OK);
    ck_assert_double_eq(alone, loss);
    ck_assert_int_eq(gg_softmax_cross_entropy_targets(NULL, x, x, t, s.rows, s.cols, SCALE), GG_OK);
    ck_assert_mem_eq(x, dx, (size_t)n * sizeof *x);
    support_release();
}

START_TEST(cross_entropy_of_targets)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        check_targets(shapes[i]);
}
END_TEST

/* Same bits for every number of threads. */
static void check_threads(shape s)
{
    const int64_t n = s.rows * s.cols;
    int64_t count;
    float *x = logits(s), *t = some_targets(s), *first = support_floats(n), *dx = support_floats(n);
    const int32_t *labels = some_labels(s, &count);
    double loss = 0, first_loss = 0, first_targets = 0;
    for (int threads = 1; threads <= 5; threads++) {
        ck_assert_int_eq(gg_set_threads(threads), GG_OK);
        ck_assert_int_eq(gg_softmax_cross_entropy_targets(&loss, NULL, x, t, s.rows, s.cols, 1), GG_OK);
        ck_assert(threads == 1 || loss == first_targets);
        first_targets = loss;
        ck_assert_int_eq(gg_softmax_cross_entropy(&loss, &count, dx, x, labels, s.rows, s.cols, 1), GG_OK);
        ck_assert(threads == 1 || loss == first_loss);
        first_loss = loss;
        if (threads == 1)
            memcpy(first, dx, (size_t)n * sizeof *dx);
        ck_assert_mem_eq(first, dx, (size_t)n * sizeof *dx);
    }
    ck_assert_int_eq(gg_set_threads(4), GG_OK);
    support_release();
}

START_TEST(threads_do_not_matter)
{
    if (!use_isa(_i))
        return;
    check_threads((shape){20001, 10});
    check_threads((shape){700, 300});
    check_threads((shape){9, 20000});
}
END_TEST

/* A narrow and a wide matrix for numbers that need only one row to show. */
static const int64_t widths[] = {4, 40};

START_TEST(huge_logits_do_not_overflow)
{
    for (int w = 0; use_isa(_i) && w < 2; w++) {
        const int64_t cols = widths[w];
        float *x = support_floats(cols), *y = support_floats(cols), l;
        for (int64_t c = 0; c < cols; c++)
            x[c] = c == 2 ? FLT_MAX : c == 1 ? 1e30f : -FLT_MAX;
        ck_assert_int_eq(gg_softmax_forward(y, x, 1, cols), GG_OK);
        for (int64_t c = 0; c < cols; c++)
            ck_assert_float_eq(y[c], c == 2 ? 1.0f : 0.0f);
        ck_assert_int_eq(gg_log_sum_exp(&l, x, 1, cols), GG_OK);
        ck_assert_float_eq(l, FLT_MAX);
    }
}
END_TEST

START_TEST(masked_rows)
{
    enum { ROWS = 3 };
    for (int w = 0; use_isa(_i) && w < 2; w++) {
        const int64_t cols = widths[w];
        float *x = support_uniform(ROWS * cols, -1, 1, 3), *y = support_floats(ROWS * cols), l[ROWS];
        for (int64_t c = 0; c < cols; c++)
            x[cols + c] = -INFINITY;
        ck_assert_int_eq(gg_softmax_forward(y, x, ROWS, cols), GG_OK);
        for (int64_t c = 0; c < cols; c++)
            ck_assert(y[c] > 0.0f && y[cols + c] == 0.0f && y[2 * cols + c] > 0.0f);
        ck_assert_int_eq(gg_softmax_backward(y, x + 2 * cols, y + cols, 1, cols), GG_OK);
        for (int64_t c = 0; c < cols; c++)
            ck_assert_float_eq(y[c], 0.0f);
        ck_assert_int_eq(gg_log_sum_exp(l, x, ROWS, cols), GG_OK);
        ck_assert(isfinite(l[0]) && l[1] == -INFINITY && isfinite(l[2]));
        const int32_t labels[ROWS] = {0, 1, 2}, ignored[ROWS] = {0, GG_IGNORE_LABEL, 2};
        double loss = 0;
        ck_assert_int_eq(gg_softmax_cross_entropy(&loss, NULL, y, x, labels, ROWS, cols, 2), GG_OK);
        ck_assert_double_eq(loss, INFINITY);
        for (int64_t c = 0; c < cols; c++)
            ck_assert_float_eq(y[cols + c], c == 1 ? -2.0f : 0.0f);
        ck_assert_int_eq(gg_softmax_cross_entropy(&loss, NULL, y, x, ignored, ROWS, cols, 2), GG_OK);
        ck_assert(isfinite(loss));
    }
}
END_TEST

/* A NaN spoils its row and no other; an ignored row has gradient 0 even then. */
START_TEST(nan_stays_in_its_row)
{
    enum { ROWS = 3 };
    for (int w = 0; use_isa(_i) && w < 2; w++) {
        const int64_t cols = widths[w];
        float *x = support_uniform(ROWS * cols, -1, 1, 3), *y = support_floats(ROWS * cols), l[ROWS];
        float *t = support_uniform(ROWS * cols, 0, 1, 4);
        const int32_t labels[ROWS] = {0, 1, 2}, ignored[ROWS] = {0, GG_IGNORE_LABEL, 2};
        double loss = 0;
        x[cols + 3] = NAN;
        ck_assert_int_eq(gg_softmax_forward(y, x, ROWS, cols), GG_OK);
        for (int64_t c = 0; c < cols; c++)
            ck_assert(isfinite(y[c]) && isnan(y[cols + c]) && isfinite(y[2 * cols + c]));
        ck_assert_int_eq(gg_log_sum_exp(l, x, ROWS, cols), GG_OK);
        ck_assert(isfinite(l[0]) && isnan(l[1]) && isfinite(l[2]));
        ck_assert_int_eq(gg_softmax_cross_entropy(&loss, NULL, y, x, labels, ROWS, cols, 1), GG_OK);
        ck_assert_double_nan(loss);
        for (int64_t c = 0; c < cols; c++)
            ck_assert(isfinite(y[c]) && isnan(y[cols + c]) && isfinite(y[2 * cols + c]));
        ck_assert_int_eq(gg_softmax_cross_entropy(&loss, NULL, y, x, ignored, ROWS, cols, 1), GG_OK);
        ck_assert(isfinite(loss));
        for (int64_t c = 0; c < cols; c++)
            ck_assert_float_eq(y[cols + c], 0.0f);
        ck_assert_int_eq(gg_softmax_cross_entropy_targets(&loss, y, x, t, ROWS, cols, 1), GG_OK);
        ck_assert_double_nan(loss);
        for (int64_t c = 0; c < cols; c++)
            ck_assert(isfinite(y[c]) && isnan(y[cols + c]) && isfinite(y[2 * cols + c]));
    }
}
END_TEST

/* Infinity: log-sum-exp is infinite, softmax NaN where the infinity stands. */
START_TEST(infinite_logits)
{
    for (int w = 0; use_isa(_i) && w < 2; w++) {
        const int64_t cols = widths[w];
        float *x = support_uniform(cols, -1, 1, 3), *y = support_floats(cols), l;
        x[2] = INFINITY;
        ck_assert_int_eq(gg_log_sum_exp(&l, x, 1, cols), GG_OK);
        ck_assert_float_eq(l, INFINITY);
        ck_assert_int_eq(gg_softmax_forward(y, x, 1, cols), GG_OK);
        ck_assert_float_nan(y[2]);
    }
}
END_TEST

/* Rows whose targets are all zero add nothing. */
START_TEST(rows_without_weight)
{
    for (int w = 0; use_isa(_i) && w < 2; w++) {
        const int64_t cols = widths[w];
        float *x = support_uniform(cols, -1, 1, 3), *t = support_floats(cols), *dx = support_floats(cols);
        double loss = 1;
        memset(t, 0, (size_t)cols * sizeof *t);
        ck_assert_int_eq(gg_softmax_cross_entropy_targets(&loss, dx, x, t, 1, cols, 1), GG_OK);
        ck_assert_double_eq(loss, 0);
        for (int64_t c = 0; c < cols; c++)
            ck_assert_float_eq(dx[c], 0.0f);
    }
}
END_TEST

START_TEST(nothing_to_do)
{
    double loss = 1;
    int64_t counted = 1;
    for (int empty = 0; empty < 2; empty++) {
        const int64_t rows = empty, cols = 1 - empty;
        ck_assert_int_eq(gg_softmax_forward(NULL, NULL, rows, cols), GG_OK);
        ck_assert_int_eq(gg_softmax_backward(NULL, NULL, NULL, rows, cols), GG_OK);
        ck_assert_int_eq(gg_log_sum_exp(NULL, NULL, rows, cols), GG_OK);
        loss = 1;
        counted = 1;
        ck_assert_int_eq(gg_softmax_cross_entropy(&loss, &counted, NULL, NULL, NULL, rows, cols, 1), GG_OK);
        ck_assert(loss == 0 && counted == 0);
        loss = 1;
        ck_assert_int_eq(gg_softmax_cross_entropy_targets(&loss, NULL, NULL, NULL, rows, cols, 1), GG_OK);
        ck_assert_double_eq(loss, 0);
    }
}
END_TEST

#define FAILS(call, status, function, argument) support_assert_fails(call, status, function, argument)

START_TEST(wrong_arguments)
{
    float *y = support_floats(6), *x = support_uniform(6, 0, 1, 1);
    const gg_status bad = GG_ERR_ARGUMENT, large = GG_ERR_OVERFLOW;
    const int64_t huge = INT64_C(1) << 40;
    FAILS(gg_softmax_forward(NULL, x, 2, 3), bad, "gg_softmax_forward", "y is NULL with rows = 2, cols = 3");
    FAILS(gg_softmax_forward(y, NULL, 2, 3), bad, "gg_softmax_forward", "x is NULL");
    FAILS(gg_softmax_forward(y, x, -2, 3), bad, "gg_softmax_forward", "rows = -2, cols = 3");
    FAILS(gg_softmax_forward(y, x, 2, -3), bad, "gg_softmax_forward", "rows = 2, cols = -3");
    FAILS(gg_softmax_forward(y, x, huge, huge), large, "gg_softmax_forward", "rows = 1099511627776");
    FAILS(gg_softmax_forward(y, x, INT64_MAX / 2, 1), large, "gg_softmax_forward", "cols = 1");
    FAILS(gg_softmax_backward(NULL, x, x, 2, 3), bad, "gg_softmax_backward", "dx is NULL");
    FAILS(gg_softmax_backward(y, NULL, x, 2, 3), bad, "gg_softmax_backward", "dy is NULL");
    FAILS(gg_softmax_backward(y, x, NULL, 2, 3), bad, "gg_softmax_backward", "y is NULL");
    FAILS(gg_softmax_backward(y, x, x, 2, -3), bad, "gg_softmax_backward", "cols = -3");
    FAILS(gg_softmax_backward(y, x, x, huge, huge), large, "gg_softmax_backward", "cols = 1099511627776");
    FAILS(gg_log_sum_exp(NULL, x, 2, 3), bad, "gg_log_sum_exp", "out is NULL");
    FAILS(gg_log_sum_exp(y, NULL, 2, 3), bad, "gg_log_sum_exp", "x is NULL");
    FAILS(gg_log_sum_exp(y, x, -1, 3), bad, "gg_log_sum_exp", "rows = -1");
    FAILS(gg_log_sum_exp(y, x, huge, huge), large, "gg_log_sum_exp", "rows = 1099511627776");
    ck_assert(support_untouched(y, 6));
}
END_TEST

START_TEST(wrong_losses)
{
    float *dx = support_floats(6), *x = support_uniform(6, 0, 1, 1);
    double loss = 7;
    int64_t counted = 7;
    const int32_t labels[2] = {0, 2}, above[2] = {0, 3}, below[2] = {-2, 0};
    const gg_status bad = GG_ERR_ARGUMENT, large = GG_ERR_OVERFLOW;
    const int64_t huge = INT64_C(1) << 40;
    static const char f[] = "gg_softmax_cross_entropy", g[] = "gg_softmax_cross_entropy_targets";
    FAILS(gg_softmax_cross_entropy(&loss, &counted, dx, NULL, labels, 2, 3, 1), bad, f, "x is NULL");
    FAILS(gg_softmax_cross_entropy(&loss, &counted, dx, x, NULL, 2, 3, 1), bad, f, "labels is NULL");
    FAILS(gg_softmax_cross_entropy(&loss, &counted, dx, x, labels, -2, 3, 1), bad, f, "rows = -2");
    FAILS(gg_softmax_cross_entropy(&loss, &counted, dx, x, labels, 2, -3, 1), bad, f, "cols = -3");
    FAILS(gg_softmax_cross_entropy(&loss, &counted, dx, x, labels, huge, huge, 1), large, f, "cols = 1099511627776");
    FAILS(gg_softmax_cross_entropy(&loss, &counted, dx, x, above, 2, 3, 1), bad, f,
          "labels[1] is 3, expected -1 or 0 to 2");
    FAILS(gg_softmax_cross_entropy(&loss, &counted, dx, x, below, 2, 3, 1), bad, f, "labels[0] is -2");
    FAILS(gg_softmax_cross_entropy_targets(&loss, dx, NULL, x, 2, 3, 1), bad, g, "x is NULL");
    FAILS(gg_softmax_cross_entropy_targets(&loss, dx, x, NULL, 2, 3, 1), bad, g, "targets is NULL");
    FAILS(gg_softmax_cross_entropy_targets(&loss, dx, x, x, -2, 3, 1), bad, g, "rows = -2");
    FAILS(gg_softmax_cross_entropy_targets(&loss, dx, x, x, huge, huge, 1), large, g, "rows = 1099511627776");
    ck_assert(support_untouched(dx, 6));
    ck_assert(loss == 7 && counted == 7);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, forward, 0, ISA_COUNT);
    tcase_add_loop_test(tests, backward, 0, ISA_COUNT);
    tcase_add_loop_test(tests, log_sum_exp, 0, ISA_COUNT);
    tcase_add_loop_test(tests, cross_entropy, 0, ISA_COUNT);
    tcase_add_loop_test(tests, cross_entropy_of_targets, 0, ISA_COUNT);
    tcase_add_loop_test(tests, threads_do_not_matter, 0, ISA_COUNT);
    tcase_add_loop_test(tests, huge_logits_do_not_overflow, 0, ISA_COUNT);
    tcase_add_loop_test(tests, masked_rows, 0, ISA_COUNT);
    tcase_add_loop_test(tests, nan_stays_in_its_row, 0, ISA_COUNT);
    tcase_add_loop_test(tests, infinite_logits, 0, ISA_COUNT);
    tcase_add_loop_test(tests, rows_without_weight, 0, ISA_COUNT);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, wrong_losses);
}
