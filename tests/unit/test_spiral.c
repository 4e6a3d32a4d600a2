/* test_spiral.c - the spiral data set against its formula. */
#include <gemmgrad/spiral.h>

#include <limits.h>
#include <math.h>

#include <check.h>

#include "support.h"

enum { PER_CLASS = 100, CLASSES = 3, ROWS = PER_CLASS * CLASSES };

/* The radius is exact, and the angle's deviation from 4 c + 4 r, which is 0.2 times a normal number, has its size. */
START_TEST(samples_follow_the_formula)
{
    float x[2 * ROWS];
    int32_t labels[ROWS];
    double sum = 0.0, squares = 0.0;
    int measured = 0;
    ck_assert_int_eq(gg_spiral_make(x, labels, PER_CLASS, CLASSES, 1984), GG_OK);
    for (int row = 0; row < ROWS; row++) {
        const int c = row / PER_CLASS;
        const double r = row % PER_CLASS / (double)PER_CLASS, across = (double)x[2 * row], up = (double)x[2 * row + 1];
        ck_assert_int_eq(labels[row], c);
        ck_assert_double_eq_tol(sqrt(across * across + up * up), r, 1e-6);
        if (r == 0.0)
            continue;
        const double apart = remainder(atan2(across, up) - 4.0 * c - 4.0 * r, 6.283185307179586);
        ck_assert_double_lt(fabs(apart), 0.2 * 5.0);
        sum += apart;
        squares += apart * apart;
        measured++;
    }
    ck_assert_double_lt(fabs(sum / measured), 5.0 * 0.2 / sqrt(measured));
    ck_assert_double_lt(fabs(sqrt(squares / measured) / 0.2 - 1.0), 5.0 / sqrt(2.0 * measured));
}
END_TEST

START_TEST(same_seed_same_samples)
{
    float a[2 * ROWS], b[2 * ROWS];
    int32_t labels[ROWS];
    ck_assert_int_eq(gg_spiral_make(a, labels, PER_CLASS, CLASSES, 1), GG_OK);
    ck_assert_int_eq(gg_spiral_make(b, labels, PER_CLASS, CLASSES, 1), GG_OK);
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_int_eq(gg_spiral_make(b, labels, PER_CLASS, CLASSES, 2), GG_OK);
    ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

START_TEST(awkward_sizes)
{
    static const int sizes[] = {0, 1, 2, 3, 5, 9};
    float x[2 * 81 + 1];
    int32_t labels[81 + 1];
    for (int i = 0; i < 36; i++) {
        const int per_class = sizes[i / 6], classes = sizes[i % 6], rows = per_class * classes;
        x[2 * rows] = 7.0f;
        labels[rows] = 7;
        ck_assert_int_eq(gg_spiral_make(x, labels, per_class, classes, 3), GG_OK);
        ck_assert_float_eq(x[2 * rows], 7.0f);
        ck_assert_int_eq(labels[rows], 7);
        if (rows > 0)
            ck_assert_int_eq(labels[rows - 1], classes - 1);
    }
    ck_assert_int_eq(gg_spiral_make(NULL, NULL, 0, 3, 3), GG_OK);
}
END_TEST

START_TEST(wrong_arguments)
{
    float x[1] = {7.0f};
    int32_t labels[1] = {7};
    support_assert_fails(gg_spiral_make(NULL, labels, 1, 1, 0), GG_ERR_ARGUMENT, "gg_spiral_make",
                         "x is NULL with 1 rows");
    support_assert_fails(gg_spiral_make(x, NULL, 1, 1, 0), GG_ERR_ARGUMENT, "gg_spiral_make", "labels is NULL");
    support_assert_fails(gg_spiral_make(x, labels, -1, 1, 0), GG_ERR_ARGUMENT, "gg_spiral_make", "per_class = -1");
    support_assert_fails(gg_spiral_make(x, labels, 1, -3, 0), GG_ERR_ARGUMENT, "gg_spiral_make", "classes = -3");
    support_assert_fails(gg_spiral_make(x, labels, INT64_MAX, 2, 0), GG_ERR_OVERFLOW, "gg_spiral_make",
                         "more than any array holds");
    support_assert_fails(gg_spiral_make(x, labels, INT64_MAX / 4, 1, 0), GG_ERR_OVERFLOW, "gg_spiral_make",
                         "more than any array holds");
    ck_assert(x[0] == 7.0f && labels[0] == 7);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, samples_follow_the_formula);
    tcase_add_test(tests, same_seed_same_samples);
    tcase_add_test(tests, awkward_sizes);
    tcase_add_test(tests, wrong_arguments);
}
