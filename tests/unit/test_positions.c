/* test_positions.c - SwiGLU, tables of positions, tables added and summed, rotations, on every instruction set against
 * plain loops in double; strides, in place, wrong arguments. */
#include <math.h>
#include <string.h>

#include <gemmgrad/gated.h>
#include <gemmgrad/positions.h>

#include "isa.h"
#include "reference_transformer.h"
#include "support.h"

enum { SLACK = 3 }; /* between rows */

/* ---- SwiGLU ---- */

static const int64_t matrices[][2] = {{0, 3}, {3, 0}, {1, 1}, {5, 7}, {3, 16}, {9, 33}, {2, 1000}, {601, 99}};
enum { MATRICES = sizeof matrices / sizeof *matrices };

/* Both halves in rows of 2 cols + SLACK; what lies between rows of outputs stays as it was. */
static void check_swiglu(int64_t rows, int64_t cols, double width, bool accumulate)
{
    const int64_t ld = 2 * cols + SLACK, ldy = cols + SLACK, n = rows * cols;
    float *x = support_uniform(rows * ld, -width, width, 1), *dy = support_uniform(rows * ldy, -1.0, 1.0, 2);
    float *y = support_uniform(rows * ldy, -9.0, 9.0, 3), *dx = support_uniform(rows * ld, -1.0, 1.0, 4);
    const float *y_before = support_copy(y, rows * ldy), *dx_before = support_copy(dx, rows * ld);
    double *values = support_doubles(2 * n), *gradient = support_doubles(n);
    for (int64_t i = 0; i < n; i++) {
        values[i / cols * 2 * cols + i % cols] = (double)x[i / cols * ld + i % cols];
        values[i / cols * 2 * cols + cols + i % cols] = (double)x[i / cols * ld + cols + i % cols];
        gradient[i] = (double)dy[i / cols * ldy + i % cols];
    }
    reference_pass pass = {.rows = rows, .columns = 2 * cols, .x = {values}, .dy = gradient};
    double *scale = support_doubles(2 * n), *back = support_doubles(2 * n);
    pass.y = support_doubles(n);
    pass.dx[0] = back;
    reference_swiglu.forward(&pass);
    reference_swiglu.backward(&pass);
    pass.dx[0] = scale;
    reference_swiglu.backward_magnitude(&pass);
    ck_assert_int_eq(gg_swiglu_forward(y, ldy, x, ld, x + cols, ld, rows, cols), GG_OK);
    ck_assert_int_eq(gg_swiglu_backward(dx, ld, dx + cols, ld, dy, ldy, x, ld, x + cols, ld, rows, cols, accumulate),
                     GG_OK);
    for (int64_t r = 0; r < rows && cols > 0; r++) {
        support_assert_close(y + r * ldy, pass.y + r * cols, NULL, cols, 4.0, "y");
        for (int64_t c = 0; c < 2 * cols && accumulate; c++) {
            back[r * 2 * cols + c] += (double)dx_before[r * ld + c];
            scale[r * 2 * cols + c] += fabs((double)dx_before[r * ld + c]);
        }
        support_assert_close(dx + r * ld, back + r * 2 * cols, scale + r * 2 * cols, 2 * cols, 4.0, "dx");
        ck_assert_mem_eq(y + r * ldy + cols, y_before + r * ldy + cols, SLACK * sizeof *y);
        ck_assert_mem_eq(dx + r * ld + 2 * cols, dx_before + r * ld + 2 * cols, SLACK * sizeof *dx);
    }
}

START_TEST(swiglu)
{
    for (int i = 0; use_isa(_i) && i < MATRICES; i++) {
        check_swiglu(matrices[i][0], matrices[i][1], 3.0, false);
        check_swiglu(matrices[i][0], matrices[i][1], 90.0, true);
        support_release();
    }
}
END_TEST

/* Outputs in the place of inputs. */
START_TEST(swiglu_in_place)
{
    enum { N = 203 };
    float *a = support_uniform(N, -3.0, 3.0, 1), *b = support_uniform(N, -3.0, 3.0, 2), *y = support_floats(N);
    float *dy = support_uniform(N, -1.0, 1.0, 3), *da = support_floats(N), *db = support_floats(N);
    ck_assert_int_eq(gg_swiglu_forward(y, N, a, N, b, N, 1, N), GG_OK);
    ck_assert_int_eq(gg_swiglu_backward(da, N, db, N, dy, N, a, N, b, N, 1, N, false), GG_OK);
    float *in_a = support_copy(a, N), *in_b = support_copy(b, N);
    ck_assert_int_eq(gg_swiglu_forward(in_a, N, in_a, N, b, N, 1, N), GG_OK);
    ck_assert_mem_eq(in_a, y, N * sizeof *y);
    memcpy(in_a, a, N * sizeof *a);
    ck_assert_int_eq(gg_swiglu_backward(in_a, N, in_b, N, dy, N, in_a, N, in_b, N, 1, N, false), GG_OK);
    ck_assert_mem_eq(in_a, da, N * sizeof *da);
    ck_assert_mem_eq(in_b, db, N * sizeof *db);
}
END_TEST

/* ---- tables ---- */

START_TEST(tables)
{
    static const int64_t sizes[][3] = {{0, 0, 4}, {0, 5, 0}, {0, 1, 1}, {0, 70, 7}, {0, 200, 64}, {100000, 130, 8}};
    for (int i = 0; i < 6; i++) {
        const int64_t first = sizes[i][0], positions = sizes[i][1], features = sizes[i][2], even = features / 2 * 2;
        float *table = support_floats(positions * features), *turns = support_floats(positions * even);
        ck_assert_int_eq(gg_sinusoidal_table(table, first, positions, features), GG_OK);
        ck_assert_int_eq(gg_rotary_table(turns, first, positions, even, 500.0f), GG_OK);
        for (int64_t j = 0; j < positions * features; j++) {
            const double angle = reference_angle(first + j / features, j % features / 2, features, 10000.0);
            ck_assert_double_eq_tol((double)table[j], j % features % 2 == 0 ? sin(angle) : cos(angle), 6e-8);
        }
        for (int64_t j = 0; j < positions * even; j++) {
            const int64_t half = even / 2, c = j % even;
            const double angle = reference_angle(first + j / even, c % half, even, 500.0);
            ck_assert_double_eq_tol((double)turns[j], c < half ? cos(angle) : sin(angle), 6e-8);
        }
        support_release();
    }
}
END_TEST

/* rows, cols, positions, together: steps first, samples first, in between, an unfinished turn. */
static const int64_t sequences[][4] = {{0, 4, 0, 0}, {6, 5, 3, 2},  {6, 5, 3, 1},    {24, 33, 4, 3},
                                       {7, 8, 3, 2}, {2, 16, 5, 1}, {900, 70, 30, 6}};
enum { SEQUENCES = sizeof sequences / sizeof *sequences };

START_TEST(added_and_summed)
{
    for (int i = 0; use_isa(_i) && i < SEQUENCES; i++) {
        const int64_t *s = sequences[i], rows = s[0], cols = s[1], n = rows * cols, entries = s[2] * cols;
        float *x = support_uniform(n, -1.0, 1.0, 1), *table = support_uniform(entries, -1.0, 1.0, 2);
        float *y = support_floats(n), *sums = support_floats(entries), *added = support_copy(table, entries);
        double *expected = support_doubles(n), *total = support_doubles(entries), *scale = support_doubles(entries);
        for (int64_t j = 0; j < n; j++) {
            const int64_t at = j / cols / s[3] % s[2] * cols + j % cols;
            expected[j] = (double)x[j] + (double)table[at];
            total[at] += (double)x[j];
            scale[at] += fabs((double)x[j]);
        }
        ck_assert_int_eq(gg_add_positions(y, x, table, rows, cols, s[2], s[3]), GG_OK);
        ck_assert_int_eq(gg_sum_positions(sums, x, rows, cols, s[2], s[3], false), GG_OK);
        ck_assert_int_eq(gg_sum_positions(added, x, rows, cols, s[2], s[3], true), GG_OK);
        support_assert_close(y, expected, NULL, n, 0.5, "y");
        support_assert_close(sums, total, scale, entries, REFERENCE_BOUND, "sums");
        for (int64_t j = 0; j < entries; j++) {
            total[j] += (double)table[j];
            scale[j] += fabs((double)table[j]);
        }
        support_assert_close(added, total, scale, entries, REFERENCE_BOUND, "added sums");
        ck_assert_int_eq(gg_add_positions(x, x, table, rows, cols, s[2], s[3]), GG_OK);
        ck_assert_mem_eq(x, y, (size_t)n * sizeof *x);
        support_release();
    }
}
END_TEST

/* Heads of a row of heads * width + SLACK floats; turned back they are what they were. */
static void check_rotary(const int64_t *s, int64_t heads, int64_t width)
{
    const int64_t rows = s[0], cols = heads * width, ld = cols + SLACK;
    float *x = support_uniform(rows * ld, -1.0, 1.0, 1), *turns = support_floats(s[2] * width);
    float *y = support_uniform(rows * cols, -1.0, 1.0, 2), *back = support_copy(x, rows * ld);
    ck_assert_int_eq(gg_rotary_table(turns, 0, s[2], width, 0.0f), GG_OK);
    double *dense = support_doubles(rows * cols);
    for (int64_t i = 0; i < rows * cols; i++)
        dense[i] = (double)x[i / cols * ld + i % cols];
    reference_pass pass = {.rows = rows, .columns = cols, .heads = heads, .head_width = width, .x = {dense}};
    pass.positions = s[2];
    pass.together = s[3];
    double *scale = support_doubles(rows * cols), *expected = support_doubles(rows * cols);
    pass.y = scale;
    reference_rotary_positions.forward_magnitude(&pass);
    pass.y = expected;
    reference_rotary_positions.forward(&pass);
    ck_assert_int_eq(gg_rotary(y, cols, x, ld, turns, rows, heads, width, s[2], s[3], false, false), GG_OK);
    support_assert_close(y, expected, scale, rows * cols, 4.0, "turned");
    const float *turned = support_copy(y, rows * cols);
    ck_assert_int_eq(gg_rotary(y, cols, x, ld, turns, rows, heads, width, s[2], s[3], false, true), GG_OK);
    for (int64_t i = 0; i < rows * cols; i++)
        ck_assert_float_eq(y[i], 2.0f * turned[i]);
    ck_assert_int_eq(gg_rotary(x, ld, x, ld, turns, rows, heads, width, s[2], s[3], false, false), GG_OK);
    for (int64_t r = 0; r < rows && cols > 0; r++)
        ck_assert_mem_eq(x + r * ld, turned + r * cols, (size_t)cols * sizeof *x);
    ck_assert_int_eq(gg_rotary(x, ld, x, ld, turns, rows, heads, width, s[2], s[3], true, false), GG_OK);
    for (int64_t i = 0; i < rows * ld; i++)
        ck_assert_float_eq_tol(x[i], back[i], 4e-7f);
}

START_TEST(rotary)
{
    for (int i = 0; use_isa(_i) && i < SEQUENCES; i++) {
        check_rotary(sequences[i], 3, 2);
        check_rotary(sequences[i], 1, 34);
        check_rotary(sequences[i], 5, 64);
        support_release();
    }
}
END_TEST

/* ---- wrong arguments ---- */

START_TEST(wrong_arguments)
{
    float *x = support_uniform(24, -1.0, 1.0, 1), *y = support_floats(24);
#define FAILS(call, status, function, text) support_assert_fails(call, status, function, text)
    FAILS(gg_swiglu_forward(NULL, 4, x, 4, x, 4, 2, 4), GG_ERR_ARGUMENT, "gg_swiglu_forward", "y is NULL");
    FAILS(gg_swiglu_forward(y, 4, NULL, 4, x, 4, 2, 4), GG_ERR_ARGUMENT, "gg_swiglu_forward", "a is NULL");
    FAILS(gg_swiglu_forward(y, 4, x, 4, x, 3, 2, 4), GG_ERR_SHAPE, "gg_swiglu_forward", "leading dimension of b is 3");
    FAILS(gg_swiglu_forward(y, 4, x, 4, x, 4, -2, 4), GG_ERR_ARGUMENT, "gg_swiglu_forward", "(-2, 4, 0)");
    FAILS(gg_swiglu_forward(y, 4, x, 4, x, 4, INT64_MAX, 4), GG_ERR_OVERFLOW, "gg_swiglu_forward", "32-bit");
    FAILS(gg_swiglu_backward(y, 4, NULL, 4, x, 4, x, 4, x, 4, 2, 4, false), GG_ERR_ARGUMENT, "gg_swiglu_backward",
          "db is NULL");
    FAILS(gg_swiglu_backward(y, 4, y, 4, x, 1, x, 4, x, 4, 2, 4, false), GG_ERR_SHAPE, "gg_swiglu_backward",
          "leading dimension of dy is 1");
    FAILS(gg_sinusoidal_table(NULL, 0, 2, 4), GG_ERR_ARGUMENT, "gg_sinusoidal_table", "table is NULL");
    FAILS(gg_sinusoidal_table(y, -1, 2, 4), GG_ERR_ARGUMENT, "gg_sinusoidal_table", "(-1, 2, 4)");
    FAILS(gg_rotary_table(y, 0, 2, 3, 0.0f), GG_ERR_ARGUMENT, "gg_rotary_table", "width is 3");
    FAILS(gg_rotary_table(y, 0, 2, 4, -1.0f), GG_ERR_ARGUMENT, "gg_rotary_table", "base is -1");
    FAILS(gg_rotary_table(y, 0, 2, 4, NAN), GG_ERR_ARGUMENT, "gg_rotary_table", "base is");
    FAILS(gg_add_positions(y, x, x, 2, 4, 0, 1), GG_ERR_ARGUMENT, "gg_add_positions", "positions = 0");
    FAILS(gg_add_positions(y, x, NULL, 2, 4, 1, 1), GG_ERR_ARGUMENT, "gg_add_positions", "table is NULL");
    FAILS(gg_add_positions(y, NULL, x, 2, 4, 1, 1), GG_ERR_ARGUMENT, "gg_add_positions", "x is NULL");
    FAILS(gg_sum_positions(y, x, 2, 4, 2, 0, false), GG_ERR_ARGUMENT, "gg_sum_positions", "together = 0");
    FAILS(gg_sum_positions(NULL, x, 2, 4, 2, 1, false), GG_ERR_ARGUMENT, "gg_sum_positions", "dtable is NULL");
    FAILS(gg_rotary(y, 8, x, 8, x, 2, 2, 3, 1, 1, false, false), GG_ERR_ARGUMENT, "gg_rotary", "width is 3");
    FAILS(gg_rotary(y, 7, x, 8, x, 2, 2, 4, 1, 1, false, false), GG_ERR_SHAPE, "gg_rotary", "dimension of y is 7");
    FAILS(gg_rotary(y, 8, x, 8, NULL, 2, 2, 4, 1, 1, false, false), GG_ERR_ARGUMENT, "gg_rotary", "turns is NULL");
    FAILS(gg_rotary(y, 8, x, 8, x, 2, -1, 4, 1, 1, false, false), GG_ERR_ARGUMENT, "gg_rotary", "(2, -1, 4)");
    FAILS(gg_rotary(y, 8, x, 8, x, 2, 2, 4, 0, 1, false, false), GG_ERR_ARGUMENT, "gg_rotary", "positions = 0");
    ck_assert(support_untouched(y, 24));
    ck_assert_int_eq(gg_rotary(y, 0, x, 0, x, 2, 0, 4, 1, 1, false, false), GG_OK);
    ck_assert_int_eq(gg_rotary(NULL, 0, NULL, 0, NULL, 0, 2, 4, 0, 0, false, false), GG_OK);
    ck_assert(support_untouched(y, 24));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, swiglu, 0, ISA_COUNT);
    tcase_add_test(tests, swiglu_in_place);
    tcase_add_test(tests, tables);
    tcase_add_loop_test(tests, added_and_summed, 0, ISA_COUNT);
    tcase_add_loop_test(tests, rotary, 0, ISA_COUNT);
    tcase_add_test(tests, wrong_arguments);
}
