/* test_elementwise.c - activations, arithmetic, biases and sums against plain loops in double: every instruction set,
 * awkward sizes and alignments, several threads, special numbers, aliasing, wrong arguments. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "isa.h"
#include "reference_elementwise.h"

/* Enough for every grain of elementwise.c to be exceeded by four threads, and no multiple of anything. */
enum { THREADED = 300007 };

static const float ALPHA = 0.3f;

/* Inputs for f, from -8 to 8 (log: 0 to 8). */
static float *inputs(gg_activation f, int64_t n)
{
    return support_uniform(n, f == GG_LOG ? 1e-3 : -8.0, 8.0, (uint64_t)n + 1);
}

static void check_forward(gg_activation f, int64_t n, int misaligned)
{
    support_misalign(misaligned);
    float *x = inputs(f, n), *y = support_floats(n);
    ck_assert_int_eq(gg_activation_forward(y, x, n, f, ALPHA), GG_OK);
    double *expected = support_doubles(n);
    for (int64_t i = 0; i < n; i++)
        expected[i] = reference_activation(f, (double)x[i], (double)ALPHA);
    support_assert_close(y, expected, NULL, n, 4, "%s of %lld", gg_activation_name(f), (long long)n);
    ck_assert_int_eq(gg_activation_forward(x, x, n, f, ALPHA), GG_OK);
    support_assert_close(x, expected, NULL, n, 4, "%s of %lld in place", gg_activation_name(f), (long long)n);
    support_release();
}

START_TEST(forward)
{
    for (gg_activation f = GG_IDENTITY; use_isa(_i) && f < GG_ACTIVATION_COUNT; f++) {
        for (int s = 0; s < ISA_SIZES; s++)
            check_forward(f, isa_sizes[s], s % 2);
        check_forward(f, THREADED, 1);
    }
}
END_TEST

static void check_backward(gg_activation f, int64_t n, int misaligned)
{
    support_misalign(misaligned);
    float *xy = inputs(f, n), *dy = support_uniform(n, -2, 2, 5), *dx = support_floats(n);
    if (!gg_activation_needs_input(f))
        ck_assert_int_eq(gg_activation_forward(xy, xy, n, f, ALPHA), GG_OK);
    double *expected = support_doubles(n), *scale = support_doubles(n);
    for (int64_t i = 0; i < n; i++) {
        expected[i] = (double)dy[i] * reference_slope(f, (double)xy[i], (double)ALPHA);
        scale[i] = fabs((double)dy[i]) * reference_slope_scale(f, (double)xy[i], (double)ALPHA);
    }
    ck_assert_int_eq(gg_activation_backward(dx, dy, xy, n, f, ALPHA, false), GG_OK);
    support_assert_close(dx, expected, scale, n, 5, "%s backward of %lld", gg_activation_name(f), (long long)n);

    float *sum = support_uniform(n, -2, 2, 6);
    for (int64_t i = 0; i < n; i++) {
        expected[i] += (double)sum[i];
        scale[i] += fabs((double)sum[i]);
    }
    ck_assert_int_eq(gg_activation_backward(sum, dy, xy, n, f, ALPHA, true), GG_OK);
    support_assert_close(sum, expected, scale, n, 5, "%s backward of %lld, added", gg_activation_name(f), (long long)n);

    ck_assert_int_eq(gg_activation_backward(dy, dy, xy, n, f, ALPHA, false), GG_OK);
    ck_assert_mem_eq(dy, dx, (size_t)n * sizeof *dx);
    support_release();
}

START_TEST(backward)
{
    for (gg_activation f = GG_IDENTITY; use_isa(_i) && f < GG_ACTIVATION_COUNT; f++) {
        for (int s = 1; s < ISA_SIZES; s++)
            check_backward(f, isa_sizes[s], s % 2);
        check_backward(f, THREADED, 1);
    }
}
END_TEST

/* f and f' of one number in one lane of a block; the other lanes must not matter. */
static float forward_of(gg_activation f, float x, int lane)
{
    float block[17] = {0};
    block[lane] = x;
    ck_assert_int_eq(gg_activation_forward(block, block, 17, f, ALPHA), GG_OK);
    return block[lane];
}

static float backward_of(gg_activation f, float dy, float xy, int lane)
{
    float in[17], g[17];
    for (int i = 0; i < 17; i++)
        in[i] = g[i] = 1.0f;
    in[lane] = xy;
    g[lane] = dy;
    ck_assert_int_eq(gg_activation_backward(g, g, in, 17, f, ALPHA, false), GG_OK);
    return g[lane];
}

START_TEST(nan_gives_nan)
{
    for (gg_activation f = GG_IDENTITY; use_isa(_i) && f < GG_ACTIVATION_COUNT; f++)
        for (int lane = 0; lane < 17; lane++) {
            ck_assert_float_nan(forward_of(f, NAN, lane));
            ck_assert_float_nan(forward_of(f, -NAN, lane));
            ck_assert_float_nan(backward_of(f, NAN, 1.0f, lane));
            if (f != GG_IDENTITY)
                ck_assert_float_nan(backward_of(f, 1.0f, NAN, lane));
        }
}
END_TEST

/* f at infinity is its limit, x Phi(x) and x sigmoid(x) included. */
START_TEST(infinity_gives_the_limit)
{
    static const struct {
        gg_activation f;
        float below, above;
    } limits[] = {
        {GG_IDENTITY, -INFINITY, INFINITY},
        {GG_SIGMOID, 0, 1},
        {GG_TANH, -1, 1},
        {GG_RELU, 0, INFINITY},
        {GG_ELU, -0.3f, INFINITY},
        {GG_LEAKY_RELU, -INFINITY, INFINITY},
        {GG_SILU, 0, INFINITY},
        {GG_GELU, 0, INFINITY},
        {GG_GELU_TANH, 0, INFINITY},
        {GG_EXP, 0, INFINITY},
        {GG_LOG, NAN, INFINITY},
    };
    for (size_t i = 0; use_isa(_i) && i < sizeof limits / sizeof *limits; i++)
        for (int lane = 0; lane < 17; lane += 4) {
            const float below = forward_of(limits[i].f, -INFINITY, lane),
                        above = forward_of(limits[i].f, INFINITY, lane);
            ck_assert_msg(below == limits[i].below || (isnan(below) && isnan(limits[i].below)), "%s(-inf) = %g",
                          gg_activation_name(limits[i].f), (double)below);
            ck_assert_msg(above == limits[i].above, "%s(inf) = %g", gg_activation_name(limits[i].f), (double)above);
        }
}
END_TEST

START_TEST(slopes_at_infinity)
{
    static const gg_activation from_input[] = {GG_LEAKY_RELU, GG_ELU, GG_SILU, GG_GELU, GG_GELU_TANH};
    for (size_t i = 0; use_isa(_i) && i < sizeof from_input / sizeof *from_input; i++) {
        const gg_activation f = from_input[i];
        ck_assert_float_eq(backward_of(f, 2.0f, INFINITY, 3), 2.0f);
        ck_assert_float_eq(backward_of(f, 2.0f, -INFINITY, 3), f == GG_LEAKY_RELU ? 2.0f * ALPHA : 0.0f);
    }
}
END_TEST

/* -0 stays -0 where f(x) ~ x near 0, and denormals keep their value. */
START_TEST(zeros_and_denormals)
{
    static const gg_activation like_x[] = {GG_IDENTITY, GG_TANH, GG_ELU, GG_LEAKY_RELU, GG_SILU, GG_GELU, GG_GELU_TANH};
    for (size_t i = 0; use_isa(_i) && i < sizeof like_x / sizeof *like_x; i++) {
        ck_assert_float_eq(forward_of(like_x[i], 0.0f, 2), 0.0f);
        ck_assert_msg(signbit(forward_of(like_x[i], -0.0f, 2)), "%s(-0) is +0", gg_activation_name(like_x[i]));
        ck_assert(!signbit(forward_of(like_x[i], 0.0f, 2)));
    }
    for (float x = FLT_TRUE_MIN; use_isa(_i) && x < FLT_MIN; x *= 3.0f) {
        ck_assert_float_eq(forward_of(GG_TANH, x, 5), x);
        ck_assert_float_eq(forward_of(GG_TANH, -x, 5), -x);
        ck_assert_float_eq(forward_of(GG_EXP, x, 5), 1.0f);
        ck_assert_float_eq(forward_of(GG_RELU, x, 5), x);
    }
    ck_assert_float_eq(forward_of(GG_LOG, 0.0f, 1), -INFINITY);
    ck_assert_float_eq(forward_of(GG_LOG, -0.0f, 1), -INFINITY);
    ck_assert_float_nan(forward_of(GG_LOG, -1.0f, 1));
    ck_assert_float_eq(forward_of(GG_LOG, 1.0f, 1), 0.0f);
}
END_TEST

START_TEST(names_and_inputs)
{
    static const char *const names[] = {"identity", "sigmoid", "tanh",      "relu", "leaky_relu", "elu",
                                        "silu",     "gelu",    "gelu_tanh", "exp",  "log"};
    static const bool needs_input[] = {false, false, false, false, true, true, true, true, true, false, true};
    for (gg_activation f = GG_IDENTITY; f < GG_ACTIVATION_COUNT; f++) {
        ck_assert_str_eq(gg_activation_name(f), names[f]);
        ck_assert_int_eq(gg_activation_needs_input(f), needs_input[f]);
    }
    ck_assert_ptr_null(gg_activation_name(GG_ACTIVATION_COUNT));
    ck_assert_ptr_null(gg_activation_name((gg_activation)-1));
}
END_TEST

static void check_arithmetic(int64_t n)
{
    float *a = support_uniform(n, -2, 2, 1), *b = support_uniform(n, 0.5, 2, 2), *y = support_floats(n);
    double *sum = support_doubles(n), *product = support_doubles(n), *quotient = support_doubles(n);
    double *line = support_doubles(n), *scale = support_doubles(n), *rectified = support_doubles(n);
    for (int64_t i = 0; i < n; i++) {
        sum[i] = (double)a[i] + (double)b[i];
        product[i] = (double)a[i] * (double)b[i];
        quotient[i] = (double)a[i] / (double)b[i];
        line[i] = (double)b[i] + (double)ALPHA * (double)a[i];
        scale[i] = fabs((double)b[i]) + fabs((double)ALPHA * (double)a[i]);
    }
    ck_assert_int_eq(gg_add(y, a, b, n), GG_OK);
    support_assert_close(y, sum, NULL, n, 0.5, "add %lld", (long long)n);
    for (int64_t i = 0; i < n; i++)
        rectified[i] = fmax(sum[i], 0.0);
    ck_assert_int_eq(gg_add_relu(y, a, b, n), GG_OK);
    support_assert_close(y, rectified, NULL, n, 0.5, "add_relu %lld", (long long)n);
    ck_assert_int_eq(gg_multiply(y, a, b, n), GG_OK);
    support_assert_close(y, product, NULL, n, 0.5, "multiply %lld", (long long)n);
    ck_assert_int_eq(gg_divide(y, a, b, n), GG_OK);
    support_assert_close(y, quotient, NULL, n, 0.5, "divide %lld", (long long)n);
    float *z = support_copy(b, n);
    ck_assert_int_eq(gg_axpy(z, a, n, ALPHA), GG_OK);
    support_assert_close(z, line, scale, n, 1, "axpy %lld", (long long)n);
    z = support_copy(a, n);
    ck_assert_int_eq(gg_add(z, z, b, n), GG_OK);
    support_assert_close(z, sum, NULL, n, 0.5, "add %lld in place", (long long)n);
    z = support_copy(b, n);
    ck_assert_int_eq(gg_multiply(z, a, z, n), GG_OK);
    support_assert_close(z, product, NULL, n, 0.5, "multiply %lld in place", (long long)n);
    for (int64_t i = 0; i < n; i++)
        product[i] = (double)a[i] * (double)ALPHA;
    ck_assert_int_eq(gg_scale(a, n, ALPHA), GG_OK);
    support_assert_close(a, product, NULL, n, 0.5, "scale %lld", (long long)n);
    for (int64_t i = 0; i < n; i++)
        product[i] = 3.25;
    ck_assert_int_eq(gg_fill(y, n, 3.25f), GG_OK);
    support_assert_close(y, product, NULL, n, 0, "fill %lld", (long long)n);
    support_release();
}

START_TEST(arithmetic)
{
    for (int s = 0; use_isa(_i) && s < ISA_SIZES; s++)
        check_arithmetic(isa_sizes[s]);
    if (use_isa(_i))
        check_arithmetic(THREADED);
}
END_TEST

START_TEST(division_by_zero)
{
    const float a[4] = {1.0f, -1.0f, 0.0f, INFINITY}, b[4] = {0.0f, 0.0f, 0.0f, INFINITY};
    float y[4];
    ck_assert(!use_isa(_i) || gg_divide(y, a, b, 4) == GG_OK);
    if (!use_isa(_i))
        return;
    ck_assert_float_eq(y[0], INFINITY);
    ck_assert_float_eq(y[1], -INFINITY);
    ck_assert_float_nan(y[2]);
    ck_assert_float_nan(y[3]);
}
END_TEST

typedef struct shape {
    int64_t rows, cols, gap; /* leading dimensions are cols + gap */
} shape;

static const shape shapes[] = {
    {0, 3, 0},    {3, 0, 0},      {1, 1, 0},      {2, 1, 3},     {3, 2, 0},      {5, 3, 0},    {30, 3, 0},
    {30, 10, 0},  {17, 15, 1},    {16, 16, 0},    {9, 17, 0},    {33, 31, 2},    {7, 63, 0},   {65, 64, 0},
    {5, 65, 0},   {3, 127, 1},    {1000, 3, 0},   {1023, 33, 1}, {2, 1000, 0},   {4, 2049, 3}, {513, 257, 0},
    {1, 5000, 0}, {40000, 10, 0}, {20011, 11, 2}, {700, 300, 5}, {3, 100003, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* A matrix with gaps from a dense one; gaps hold canaries. */
static float *spread(const float *dense, shape s)
{
    const int64_t ld = s.cols + s.gap;
    float *x = support_floats(s.rows * ld);
    for (int64_t r = 0; r < s.rows && s.cols > 0; r++)
        memcpy(x + r * ld, dense + r * s.cols, (size_t)s.cols * sizeof *x);
    return x;
}

/* The dense matrix, after a look at the gaps. */
static float *gather(const float *x, shape s)
{
    const int64_t ld = s.cols + s.gap;
    float *dense = support_floats(s.rows * s.cols);
    for (int64_t r = 0; r < s.rows && s.cols > 0; r++) {
        memcpy(dense + r * s.cols, x + r * ld, (size_t)s.cols * sizeof *x);
        ck_assert_msg(support_untouched(x + r * ld + s.cols, s.gap), "gap behind row %lld overwritten", (long long)r);
    }
    return dense;
}

static void check_bias(shape s, gg_activation f, bool with_bias, bool in_place)
{
    const int64_t n = s.rows * s.cols, ld = s.cols + s.gap;
    float *dense = support_uniform(n, 1, 3, 1), *b = support_uniform(s.cols, 0.5, 1, 2);
    float *x = spread(dense, s), *y = in_place ? x : support_floats(s.rows * ld);
    double *expected = support_doubles(n);
    reference_add_bias(expected, support_widen(dense, n), with_bias ? support_widen(b, s.cols) : NULL, s.rows, s.cols,
                       f, (double)ALPHA);
    ck_assert_int_eq(gg_add_bias(y, ld, x, ld, with_bias ? b : NULL, s.rows, s.cols, f, ALPHA), GG_OK);
    support_assert_close(gather(y, s), expected, NULL, n, 4, "bias %d, %s, %lld x %lld", with_bias,
                         gg_activation_name(f), (long long)s.rows, (long long)s.cols);
    support_release();
}

START_TEST(bias)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++) {
        check_bias(shapes[i], GG_IDENTITY, true, false);
        check_bias(shapes[i], GG_IDENTITY, false, false);
        check_bias(shapes[i], GG_IDENTITY, true, true);
        check_bias(shapes[i], GG_IDENTITY, false, true);
        check_bias(shapes[i], GG_LEAKY_RELU, true, false);
        check_bias(shapes[i], GG_TANH, false, false);
        check_bias(shapes[i], GG_TANH, true, true);
    }
}
END_TEST

/* Different leading dimensions of x and y. */
START_TEST(bias_from_gaps_to_dense)
{
    const shape s = {21, 13, 4};
    if (!use_isa(_i))
        return;
    float *dense = support_uniform(s.rows * s.cols, -1, 1, 1), *b = support_uniform(s.cols, -1, 1, 2);
    float *x = spread(dense, s), *y = support_floats(s.rows * s.cols);
    double *expected = support_doubles(s.rows * s.cols);
    reference_add_bias(expected, support_widen(dense, s.rows * s.cols), support_widen(b, s.cols), s.rows, s.cols,
                       GG_IDENTITY, 0);
    ck_assert_int_eq(gg_add_bias(y, s.cols, x, s.cols + s.gap, b, s.rows, s.cols, GG_IDENTITY, 0), GG_OK);
    support_assert_close(y, expected, NULL, s.rows * s.cols, 0.5, "bias from gaps to dense");
}
END_TEST

static void check_sum_rows(shape s)
{
    const int64_t n = s.rows * s.cols, ld = s.cols + s.gap;
    float *x = spread(support_uniform(n, -1, 2, 3), s), *sums = support_floats(s.cols);
    double *expected = support_doubles(s.cols), *scale = support_doubles(s.cols);
    reference_sum_rows(expected, scale, support_widen(x, s.rows * ld), ld, s.rows, s.cols);
    ck_assert_int_eq(gg_sum_rows(sums, x, ld, s.rows, s.cols, false), GG_OK);
    support_assert_close(sums, expected, scale, s.cols, 4, "sum of rows, %lld x %lld", (long long)s.rows,
                         (long long)s.cols);
    for (int64_t c = 0; c < s.cols; c++) {
        expected[c] += (double)sums[c];
        scale[c] += fabs((double)sums[c]);
    }
    ck_assert_int_eq(gg_sum_rows(sums, x, ld, s.rows, s.cols, true), GG_OK);
    support_assert_close(sums, expected, scale, s.cols, 4, "sum of rows added, %lld x %lld", (long long)s.rows,
                         (long long)s.cols);
    support_release();
}

START_TEST(sum_of_rows)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        check_sum_rows(shapes[i]);
    if (use_isa(_i))
        check_sum_rows((shape){100003, 7, 0});
}
END_TEST

/* A hundred thousand rows of the same sign: a running sum in float would lose three digits. */
START_TEST(sum_of_many_rows_is_accurate)
{
    enum { ROWS = 131072, COLS = 3 };
    if (!use_isa(_i))
        return;
    float *x = support_uniform(ROWS * COLS, 0.5, 1.5, 4), s[COLS];
    double expected[COLS], scale[COLS];
    reference_sum_rows(expected, scale, support_widen(x, ROWS * COLS), COLS, ROWS, COLS);
    ck_assert_int_eq(gg_sum_rows(s, x, COLS, ROWS, COLS, false), GG_OK);
    support_assert_close(s, expected, scale, COLS, 4, "sum of 131072 rows");
}
END_TEST

static void check_sums(int64_t n)
{
    float *x = support_uniform(n, -1, 2, 7);
    double sum = 0, squares = 0, scale = 0, found_sum = NAN, found_squares = NAN;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i];
        scale += fabs((double)x[i]);
        squares += (double)x[i] * (double)x[i];
    }
    ck_assert_int_eq(gg_sum(&found_sum, x, n), GG_OK);
    ck_assert_int_eq(gg_sum_squares(&found_squares, x, n), GG_OK);
    /* Both this loop and the kernel may be off by n roundings, in practice by the root of that. */
    const double tolerance = 4 * sqrt((double)n) * DBL_EPSILON;
    ck_assert_double_le(fabs(found_sum - sum), tolerance * scale);
    ck_assert_double_le(fabs(found_squares - squares), tolerance * squares);
    support_release();
}

START_TEST(sums)
{
    for (int s = 0; use_isa(_i) && s < ISA_SIZES; s++)
        check_sums(isa_sizes[s]);
    if (use_isa(_i))
        check_sums(THREADED);
}
END_TEST

/* Every sum has the same bits for every number of threads. */
START_TEST(sums_do_not_depend_on_threads)
{
    enum { TALL = 50021, WIDE = 2003 };
    if (!use_isa(_i))
        return;
    float *x = support_uniform(THREADED * 2, -1, 1, 8), *first = support_floats(WIDE), *s = support_floats(WIDE);
    double sum = 0, squares = 0;
    for (int threads = 1; threads <= 5; threads++) {
        double a = 0, b = 0;
        ck_assert_int_eq(gg_set_threads(threads), GG_OK);
        ck_assert_int_eq(gg_sum(&a, x, THREADED), GG_OK);
        ck_assert_int_eq(gg_sum_squares(&b, x, THREADED), GG_OK);
        ck_assert(threads == 1 || (a == sum && b == squares));
        sum = a;
        squares = b;
        const shape two[] = {{TALL, 11, 0}, {299, WIDE, 0}};
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(gg_set_threads(1), GG_OK);
            ck_assert_int_eq(gg_sum_rows(first, x, two[i].cols, two[i].rows, two[i].cols, false), GG_OK);
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            ck_assert_int_eq(gg_sum_rows(s, x, two[i].cols, two[i].rows, two[i].cols, false), GG_OK);
            ck_assert_mem_eq(s, first, (size_t)two[i].cols * sizeof *s);
        }
    }
    ck_assert_int_eq(gg_set_threads(4), GG_OK);
}
END_TEST

START_TEST(finite)
{
    static const int64_t sizes[] = {0, 1, 2, 15, 16, 17, 63, 65, 1000, 4095, 4096, 4097, 9000, THREADED};
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (size_t s = 0; use_isa(_i) && s < sizeof sizes / sizeof *sizes; s++) {
        const int64_t n = sizes[s], step = n < 100 ? 1 : n / 37;
        float *x = support_uniform(n, -1, 1, 9);
        bool found = false;
        if (n > 0)
            x[n / 2] = FLT_MAX;
        ck_assert_int_eq(gg_all_finite(&found, x, n), GG_OK);
        ck_assert(found);
        for (int64_t i = n - 1; i >= 0; i -= step) {
            const float good = x[i];
            x[i] = bad[i % 4];
            ck_assert_int_eq(gg_all_finite(&found, x, n), GG_OK);
            ck_assert_msg(!found, "%g at %lld of %lld overlooked", (double)x[i], (long long)i, (long long)n);
            x[i] = good;
        }
        support_release();
    }
}
END_TEST

START_TEST(nothing_to_do)
{
    double sum = 1;
    bool found = false;
    float s[2] = {1, 2};
    ck_assert_int_eq(gg_activation_forward(NULL, NULL, 0, GG_TANH, 0), GG_OK);
    ck_assert_int_eq(gg_activation_backward(NULL, NULL, NULL, 0, GG_TANH, 0, false), GG_OK);
    ck_assert_int_eq(gg_add(NULL, NULL, NULL, 0), GG_OK);
    ck_assert_int_eq(gg_axpy(NULL, NULL, 0, 1), GG_OK);
    ck_assert_int_eq(gg_fill(NULL, 0, 1), GG_OK);
    ck_assert_int_eq(gg_scale(NULL, 0, 1), GG_OK);
    ck_assert_int_eq(gg_add_bias(NULL, 3, NULL, 3, NULL, 0, 3, GG_TANH, 0), GG_OK);
    ck_assert_int_eq(gg_add_bias(NULL, 0, NULL, 0, NULL, 3, 0, GG_TANH, 0), GG_OK);
    ck_assert_int_eq(gg_sum_rows(NULL, NULL, 0, 3, 0, false), GG_OK);
    ck_assert_int_eq(gg_sum(&sum, NULL, 0), GG_OK);
    ck_assert_double_eq(sum, 0);
    ck_assert_int_eq(gg_all_finite(&found, NULL, 0), GG_OK);
    ck_assert(found);
    /* The sum of no rows is 0; added, it changes nothing. */
    ck_assert_int_eq(gg_sum_rows(s, NULL, 2, 0, 2, true), GG_OK);
    ck_assert(s[0] == 1 && s[1] == 2);
    ck_assert_int_eq(gg_sum_rows(s, NULL, 2, 0, 2, false), GG_OK);
    ck_assert(s[0] == 0 && s[1] == 0);
}
END_TEST

#define FAILS(call, status, function, argument) support_assert_fails(call, status, function, argument)

START_TEST(wrong_arguments)
{
    enum { N = 5 };
    float *y = support_floats(N), *x = support_uniform(N, 0, 1, 1);
    const gg_status bad = GG_ERR_ARGUMENT;
    FAILS(gg_activation_forward(NULL, x, N, GG_TANH, 0), bad, "gg_activation_forward", "y is NULL with n = 5");
    FAILS(gg_activation_forward(y, NULL, N, GG_TANH, 0), bad, "gg_activation_forward", "x is NULL with n = 5");
    FAILS(gg_activation_forward(y, x, -1, GG_TANH, 0), bad, "gg_activation_forward", "n is -1");
    FAILS(gg_activation_forward(y, x, N, GG_ACTIVATION_COUNT, 0), bad, "gg_activation_forward", "activation 11");
    FAILS(gg_activation_forward(y, x, N, (gg_activation)-1, 0), bad, "gg_activation_forward", "activation -1");
    FAILS(gg_activation_backward(NULL, x, x, N, GG_TANH, 0, false), bad, "gg_activation_backward", "dx is NULL");
    FAILS(gg_activation_backward(y, NULL, x, N, GG_TANH, 0, false), bad, "gg_activation_backward", "dy is NULL");
    FAILS(gg_activation_backward(y, x, NULL, N, GG_TANH, 0, false), bad, "gg_activation_backward", "xy is NULL");
    FAILS(gg_activation_backward(y, x, x, -7, GG_TANH, 0, false), bad, "gg_activation_backward", "n is -7");
    FAILS(gg_activation_backward(y, x, x, N, (gg_activation)99, 0, false), bad, "gg_activation_backward",
          "activation 99");
    FAILS(gg_add(NULL, x, x, N), bad, "gg_add", "y is NULL");
    FAILS(gg_multiply(y, NULL, x, N), bad, "gg_multiply", "a is NULL");
    FAILS(gg_divide(y, x, NULL, N), bad, "gg_divide", "b is NULL");
    FAILS(gg_add_relu(NULL, x, x, N), bad, "gg_add_relu", "y is NULL");
    FAILS(gg_add(y, x, x, INT64_MIN), bad, "gg_add", "n is -9223372036854775808");
    FAILS(gg_axpy(NULL, x, N, 1), bad, "gg_axpy", "y is NULL");
    FAILS(gg_axpy(y, NULL, N, 1), bad, "gg_axpy", "x is NULL");
    FAILS(gg_axpy(y, x, -1, 1), bad, "gg_axpy", "n is -1");
    FAILS(gg_fill(NULL, N, 1), bad, "gg_fill", "y is NULL");
    FAILS(gg_fill(y, -1, 1), bad, "gg_fill", "n is -1");
    FAILS(gg_scale(NULL, N, 1), bad, "gg_scale", "y is NULL");
    FAILS(gg_scale(y, -1, 1), bad, "gg_scale", "n is -1");
    ck_assert(support_untouched(y, N));
}
END_TEST

START_TEST(wrong_matrices)
{
    enum { ROWS = 2, COLS = 3 };
    float *y = support_floats(ROWS * COLS), *x = support_uniform(ROWS * COLS, 0, 1, 1);
    const gg_status bad = GG_ERR_ARGUMENT, shapes_differ = GG_ERR_SHAPE;
    FAILS(gg_add_bias(NULL, 3, x, 3, x, 2, 3, GG_TANH, 0), bad, "gg_add_bias", "y is NULL with rows = 2, cols = 3");
    FAILS(gg_add_bias(y, 3, NULL, 3, x, 2, 3, GG_TANH, 0), bad, "gg_add_bias", "x is NULL");
    FAILS(gg_add_bias(y, 3, x, 3, x, -2, 3, GG_TANH, 0), bad, "gg_add_bias", "rows = -2, cols = 3");
    FAILS(gg_add_bias(y, 3, x, 3, x, 2, -3, GG_TANH, 0), bad, "gg_add_bias", "rows = 2, cols = -3");
    FAILS(gg_add_bias(y, 3, x, 3, x, 2, 3, (gg_activation)11, 0), bad, "gg_add_bias", "activation 11");
    FAILS(gg_add_bias(y, 2, x, 3, x, 2, 3, GG_TANH, 0), shapes_differ, "gg_add_bias", "ldy is 2");
    FAILS(gg_add_bias(y, 3, x, 2, x, 2, 3, GG_TANH, 0), shapes_differ, "gg_add_bias",
          "ldx is 2, expected at least cols = 3");
    FAILS(gg_sum_rows(NULL, x, 3, 2, 3, false), bad, "gg_sum_rows", "s is NULL");
    FAILS(gg_scale_rows(y, x, NULL, 2, 3), bad, "gg_scale_rows", "factors is NULL");
    FAILS(gg_scale_rows(y, x, x, -2, 3), bad, "gg_scale_rows", "rows = -2");
    FAILS(gg_sum_rows(y, NULL, 3, 2, 3, false), bad, "gg_sum_rows", "x is NULL");
    FAILS(gg_sum_rows(y, x, 3, -2, 3, false), bad, "gg_sum_rows", "rows = -2");
    FAILS(gg_sum_rows(y, x, 2, 2, 3, false), shapes_differ, "gg_sum_rows", "ldx is 2");
    ck_assert(support_untouched(y, ROWS * COLS));
}
END_TEST

START_TEST(wrong_sums)
{
    float *x = support_uniform(5, 0, 1, 1);
    double sum = 7;
    bool found = true;
    const gg_status bad = GG_ERR_ARGUMENT;
    FAILS(gg_sum(NULL, x, 5), bad, "gg_sum", "sum is NULL");
    FAILS(gg_sum(&sum, NULL, 5), bad, "gg_sum", "x is NULL");
    FAILS(gg_sum(&sum, x, -5), bad, "gg_sum", "n is -5");
    FAILS(gg_sum_squares(NULL, x, 5), bad, "gg_sum_squares", "squares is NULL");
    FAILS(gg_sum_squares(&sum, NULL, 5), bad, "gg_sum_squares", "x is NULL");
    FAILS(gg_all_finite(NULL, x, 5), bad, "gg_all_finite", "finite is NULL");
    FAILS(gg_all_finite(&found, NULL, 5), bad, "gg_all_finite", "x is NULL");
    FAILS(gg_all_finite(&found, x, -5), bad, "gg_all_finite", "n is -5");
    ck_assert(sum == 7 && found);
}
END_TEST

/* No set chosen yet: the first call asks the backend. */
START_TEST(kernels_choose_themselves)
{
    float y[3], x[3] = {1, 2, 3};
    atomic_store(&gg_kernels_chosen, NULL);
    ck_assert_int_eq(gg_add(y, x, x, 3), GG_OK);
    ck_assert_ptr_nonnull(atomic_load(&gg_kernels_chosen));
    ck_assert_float_eq(y[2], 6);
    ck_assert_ptr_null(gg_kernels_for((gg_isa)99));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, kernels_choose_themselves);
    tcase_add_loop_test(tests, forward, 0, ISA_COUNT);
    tcase_add_loop_test(tests, backward, 0, ISA_COUNT);
    tcase_add_loop_test(tests, nan_gives_nan, 0, ISA_COUNT);
    tcase_add_loop_test(tests, infinity_gives_the_limit, 0, ISA_COUNT);
    tcase_add_loop_test(tests, slopes_at_infinity, 0, ISA_COUNT);
    tcase_add_loop_test(tests, zeros_and_denormals, 0, ISA_COUNT);
    tcase_add_test(tests, names_and_inputs);
    tcase_add_loop_test(tests, arithmetic, 0, ISA_COUNT);
    tcase_add_loop_test(tests, division_by_zero, 0, ISA_COUNT);
    tcase_add_loop_test(tests, bias, 0, ISA_COUNT);
    tcase_add_loop_test(tests, bias_from_gaps_to_dense, 0, ISA_COUNT);
    tcase_add_loop_test(tests, sum_of_rows, 0, ISA_COUNT);
    tcase_add_loop_test(tests, sum_of_many_rows_is_accurate, 0, ISA_COUNT);
    tcase_add_loop_test(tests, sums, 0, ISA_COUNT);
    tcase_add_loop_test(tests, sums_do_not_depend_on_threads, 0, ISA_COUNT);
    tcase_add_loop_test(tests, finite, 0, ISA_COUNT);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, wrong_matrices);
    tcase_add_test(tests, wrong_sums);
}
