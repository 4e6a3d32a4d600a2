/* test_rows.c - rows picked from a table, added back, copied; optimiser steps of some rows. */
#include <gemmgrad/rows.h>

#include <math.h>
#include <string.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/softmax.h>
#include <gemmgrad/update.h>

#include "support.h"

static void one_thread_again(void)
{
    gg_set_threads(1);
}

/* n numbers of rows, every fifth none. */
static int32_t *make_index(int64_t n, int64_t rows)
{
    int32_t *index = support_labels(n);
    uint64_t state = 9;
    for (int64_t i = 0; i < n; i++)
        index[i] = i % 5 == 3 || rows == 0 ? GG_IGNORE_LABEL : (int32_t)(support_random(&state) % (uint64_t)rows);
    return index;
}

static const int64_t sizes[][3] = {{0, 3, 4},  {1, 1, 1},   {2, 3, 0},   {3, 0, 2},      {5, 2, 3},     {9, 9, 17},
                                   {17, 5, 8}, {64, 7, 33}, {65, 1, 16}, {300, 40, 129}, {999, 11, 257}};
enum { SIZES = sizeof sizes / sizeof *sizes };

START_TEST(gathered_rows_are_those_named)
{
    for (int s = 0; s < SIZES; s++) {
        const int64_t n = sizes[s][0], rows = sizes[s][1], cols = sizes[s][2];
        const int32_t *index = make_index(n, rows);
        const float *table = support_uniform(rows * cols, -1, 1, 2);
        float *y = support_floats(n * cols);
        ck_assert_int_eq(gg_gather_rows(y, table, index, n, rows, cols), GG_OK);
        for (int64_t i = 0; i < n * cols; i++)
            ck_assert(y[i] == (index[i / cols] < 0 ? 0.0f : table[index[i / cols] * cols + i % cols]));
        support_release();
    }
}
END_TEST

/* The sums are in the order of index, whatever the threads: plain float loops give the same bits. */
START_TEST(scattered_rows_are_summed_in_order)
{
    for (int s = 0; s < SIZES; s++)
        for (int threads = 1; threads <= 3; threads++) {
            const int64_t n = sizes[s][0], rows = sizes[s][1], cols = sizes[s][2];
            const int32_t *index = make_index(n, rows);
            const float *y = support_uniform(n * cols, -1, 1, 3);
            float *table = support_uniform(rows * cols, -1, 1, 2), *expected = support_copy(table, rows * cols);
            for (int64_t i = 0; i < n * cols; i++)
                if (index[i / cols] >= 0)
                    expected[index[i / cols] * cols + i % cols] += y[i];
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            ck_assert_int_eq(gg_scatter_add_rows(table, y, index, n, rows, cols), GG_OK);
            ck_assert(rows * cols == 0 || memcmp(table, expected, (size_t)(rows * cols) * sizeof *table) == 0);
            support_release();
        }
}
END_TEST

START_TEST(copied_rows_leave_the_gaps)
{
    for (int s = 0; s < SIZES; s++)
        for (int threads = 1; threads <= 2; threads++) {
            const int64_t n = sizes[s][0], cols = sizes[s][2], ldy = cols + 3, ldx = cols + 1;
            const float *x = support_uniform(n * ldx, -1, 1, 3);
            float *y = support_uniform(n * ldy, 2, 3, 4);
            const float *before = support_copy(y, n * ldy);
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            ck_assert_int_eq(gg_copy_rows(y, ldy, x, ldx, n, cols), GG_OK);
            for (int64_t i = 0; i < n * ldy; i++)
                ck_assert(y[i] == (i % ldy < cols ? x[i / ldy * ldx + i % ldy] : before[i]));
            support_release();
        }
}
END_TEST

static void expect_untouched(gg_status status, gg_status expected, const char *function, const char *fragment,
                             const float *y, int64_t n)
{
    support_assert_fails(status, expected, function, fragment);
    ck_assert(support_untouched(y, n));
}

START_TEST(wrong_arguments)
{
    const char *const f[] = {"gg_gather_rows", "gg_scatter_add_rows", "gg_copy_rows"};
    const float *x = support_uniform(12, -1, 1, 1);
    float *y = support_floats(12);
    int32_t index[] = {0, 2, -1};
    expect_untouched(gg_gather_rows(y, x, NULL, 3, 3, 4), GG_ERR_ARGUMENT, f[0], "index is NULL", y, 12);
    expect_untouched(gg_gather_rows(y, NULL, index, 3, 3, 4), GG_ERR_ARGUMENT, f[0], "table is NULL", y, 12);
    support_assert_fails(gg_gather_rows(NULL, x, index, 3, 3, 4), GG_ERR_ARGUMENT, f[0], "y is NULL");
    expect_untouched(gg_gather_rows(y, x, index, -1, 3, 4), GG_ERR_ARGUMENT, f[0], "n is -1", y, 12);
    expect_untouched(gg_gather_rows(y, x, index, 3, -2, 4), GG_ERR_ARGUMENT, f[0], "rows = -2", y, 12);
    expect_untouched(gg_gather_rows(y, x, index, 3, 3, INT64_MAX / 2), GG_ERR_OVERFLOW, f[0], "more floats", y, 12);
    expect_untouched(gg_gather_rows(y, x, index, 3, 2, 4), GG_ERR_ARGUMENT, f[0],
                     "index[1] is 2, expected -1 or 0 to 1", y, 12);
    expect_untouched(gg_gather_rows(y, NULL, index, 3, 0, 4), GG_ERR_ARGUMENT, f[0], "index[0] is 0", y, 12);
    index[2] = -2;
    expect_untouched(gg_scatter_add_rows(y, x, index, 3, 3, 4), GG_ERR_ARGUMENT, f[1], "index[2] is -2", y, 12);
    expect_untouched(gg_scatter_add_rows(y, NULL, index, 3, 3, 4), GG_ERR_ARGUMENT, f[1], "y is NULL", y, 12);
    expect_untouched(gg_copy_rows(y, 3, x, 4, 3, 4), GG_ERR_SHAPE, f[2], "ldy is 3", y, 12);
    expect_untouched(gg_copy_rows(y, 4, x, 3, 3, 4), GG_ERR_SHAPE, f[2], "ldx is 3", y, 12);
    expect_untouched(gg_copy_rows(y, 4, NULL, 4, 3, 4), GG_ERR_ARGUMENT, f[2], "x is NULL", y, 12);
    expect_untouched(gg_copy_rows(y, 4, x, 4, -3, 4), GG_ERR_ARGUMENT, f[2], "rows = -3", y, 12);
    expect_untouched(gg_copy_rows(y, INT64_MAX, x, 4, 3, 4), GG_ERR_OVERFLOW, f[2], "more floats", y, 12);
}
END_TEST

/* ---- optimiser steps of some rows ---- */

typedef struct matrices {
    float *w, *first, *second, *g;
    int64_t rows, cols;
} matrices;

static matrices make_matrices(int64_t rows, int64_t cols)
{
    const int64_t n = rows * cols;
    return (matrices){support_uniform(n, -1, 1, 1),
                      support_uniform(n, 0, 1, 2),
                      support_uniform(n, 0, 1, 3),
                      support_uniform(n, -1, 1, 4),
                      rows,
                      cols};
}

/* The dense rule on a single row. */
static gg_status dense_row(const matrices *m, int64_t row, const gg_update_rule *r)
{
    const int64_t at = row * m->cols, n = m->cols;
    float *w = m->w + at, *a = m->first + at, *b = m->second + at;
    const float *g = m->g + at, decay = r->weight_decay, scale = r->grad_scale;
    switch (r->kind) {
    case GG_UPDATE_SGD: return gg_update_sgd(w, g, n, r->lr, decay, scale);
    case GG_UPDATE_MOMENTUM: return gg_update_momentum(w, a, g, n, r->lr, r->momentum, decay, scale);
    case GG_UPDATE_NESTEROV: return gg_update_nesterov(w, a, g, n, r->lr, r->momentum, decay, scale);
    case GG_UPDATE_ADAGRAD: return gg_update_adagrad(w, a, g, n, r->lr, r->epsilon, decay, scale);
    case GG_UPDATE_RMSPROP: return gg_update_rmsprop(w, a, g, n, r->lr, r->rho, r->epsilon, decay, scale);
    case GG_UPDATE_ADAM:
        return gg_update_adam(w, a, b, g, n, r->lr, r->beta1, r->beta2, r->epsilon, decay, scale, r->step);
    default: return gg_update_adamw(w, a, b, g, n, r->lr, r->beta1, r->beta2, r->epsilon, decay, scale, r->step);
    }
}

static gg_update_rule rule_of(int kind)
{
    return (gg_update_rule){.kind = (gg_update_kind)kind,
                            .lr = 0.125f,
                            .momentum = 0.75f,
                            .rho = 0.875f,
                            .beta1 = 0.8f,
                            .beta2 = 0.95f,
                            .epsilon = 1e-3f,
                            .weight_decay = 0.0625f,
                            .grad_scale = 0.5f,
                            .step = 3};
}

/* Rows of the list as the dense rule leaves them, the others as they were, on one thread and on several. */
START_TEST(rows_as_the_dense_rule)
{
    static const int64_t shapes[][2] = {{7, 1}, {9, 16}, {12, 37}, {1500, 100}};
    const gg_update_rule rule = rule_of(_i);
    for (int s = 0; s < 4; s++)
        for (int threads = 1; threads <= 2; threads++) {
            const int64_t rows = shapes[s][0], cols = shapes[s][1];
            const matrices some = make_matrices(rows, cols), expected = make_matrices(rows, cols);
            int32_t *list = support_labels(rows);
            int64_t count = 0;
            for (int64_t r = rows - 1; r >= 0; r -= r % 3 + 1) {
                list[count++] = (int32_t)r;
                ck_assert_int_eq(dense_row(&expected, r, &rule), GG_OK);
            }
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            const bool is_adam = rule.kind >= GG_UPDATE_ADAM;
            ck_assert_int_eq(gg_update_rows(some.w, rule.kind == GG_UPDATE_SGD ? NULL : some.first,
                                            is_adam ? some.second : NULL, some.g, list, count, rows, cols, &rule),
                             GG_OK);
            const size_t bytes = (size_t)(rows * cols) * sizeof(float);
            ck_assert(memcmp(some.w, expected.w, bytes) == 0 && memcmp(some.first, expected.first, bytes) == 0
                      && memcmp(some.second, expected.second, bytes) == 0);
            support_release();
        }
}
END_TEST

START_TEST(wrong_rows)
{
    static const char f[] = "gg_update_rows";
    const matrices m = make_matrices(4, 3);
    int32_t list[] = {3, 0, 4};
    gg_update_rule rule = rule_of(GG_UPDATE_ADAM);
    float *w = support_floats(12);
    expect_untouched(gg_update_rows(w, m.first, m.second, m.g, list, 3, 4, 3, &rule), GG_ERR_ARGUMENT, f,
                     "rows[2] is 4, expected 0 to 3", w, 12);
    list[2] = -1;
    expect_untouched(gg_update_rows(w, m.first, m.second, m.g, list, 3, 4, 3, &rule), GG_ERR_ARGUMENT, f,
                     "rows[2] is -1", w, 12);
    expect_untouched(gg_update_rows(w, m.first, NULL, m.g, list, 2, 4, 3, &rule), GG_ERR_ARGUMENT, f, "second is NULL",
                     w, 12);
    expect_untouched(gg_update_rows(w, NULL, m.second, m.g, list, 2, 4, 3, &rule), GG_ERR_ARGUMENT, f, "first is NULL",
                     w, 12);
    expect_untouched(gg_update_rows(w, m.first, m.second, NULL, list, 2, 4, 3, &rule), GG_ERR_ARGUMENT, f, "g is NULL",
                     w, 12);
    expect_untouched(gg_update_rows(w, m.first, m.second, m.g, NULL, 2, 4, 3, &rule), GG_ERR_ARGUMENT, f,
                     "rows is NULL", w, 12);
    support_assert_fails(gg_update_rows(NULL, m.first, m.second, m.g, list, 2, 4, 3, &rule), GG_ERR_ARGUMENT, f,
                         "w is NULL");
    expect_untouched(gg_update_rows(w, m.first, m.second, m.g, list, 2, 4, 3, NULL), GG_ERR_ARGUMENT, f, "rule is NULL",
                     w, 12);
    expect_untouched(gg_update_rows(w, m.first, m.second, m.g, list, 2, 4, -3, &rule), GG_ERR_ARGUMENT, f, "cols = -3",
                     w, 12);
    expect_untouched(gg_update_rows(w, m.first, m.second, m.g, list, 2, INT64_MAX / 2, 3, &rule), GG_ERR_OVERFLOW, f,
                     "more floats", w, 12);
    rule.step = 0;
    expect_untouched(gg_update_rows(w, m.first, m.second, m.g, list, 2, 4, 3, &rule), GG_ERR_ARGUMENT, f, "step is 0",
                     w, 12);
    rule = rule_of(GG_UPDATE_RMSPROP);
    rule.rho = NAN;
    expect_untouched(gg_update_rows(w, m.first, NULL, m.g, list, 2, 4, 3, &rule), GG_ERR_ARGUMENT, f, "rho is nan", w,
                     12);
    rule = rule_of(GG_UPDATE_COUNT);
    expect_untouched(gg_update_rows(w, m.first, NULL, m.g, list, 2, 4, 3, &rule), GG_ERR_ARGUMENT, f, "kind is 7", w,
                     12);
    rule = rule_of(GG_UPDATE_SGD);
    ck_assert_int_eq(gg_update_rows(NULL, NULL, NULL, NULL, NULL, 0, 4, 3, &rule), GG_OK);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, one_thread_again);
    tcase_add_test(tests, gathered_rows_are_those_named);
    tcase_add_test(tests, scattered_rows_are_summed_in_order);
    tcase_add_test(tests, copied_rows_leave_the_gaps);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_loop_test(tests, rows_as_the_dense_rule, 0, GG_UPDATE_COUNT);
    tcase_add_test(tests, wrong_rows);
}
