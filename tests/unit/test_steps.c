/* test_steps.c - steps where they were planted, and none in noise. */
#include "steps.h"

#include <math.h>
#include <stdlib.h>

#include "support.h"

enum { MOST = 400 };

static const double LEAST = 0.03;

static double uniform(uint64_t *state)
{
    return ((double)(support_random(state) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller. */
static double normal(uint64_t *state)
{
    const double radius = sqrt(-2.0 * log(uniform(state)));
    return radius * cos(6.283185307179586 * uniform(state));
}

static int levels_of(bench_level *out, const double *x, int count)
{
    int levels = -1;
    ck_assert_int_eq(bench_steps_find(out, &levels, x, count, LEAST), GG_OK);
    int next = 0;
    for (int i = 0; i < levels; i++) {
        ck_assert_int_eq(out[i].first, next);
        next += out[i].count;
    }
    ck_assert_int_eq(next, count);
    return levels;
}

static void fill(double *x, int first, int end, double level, double noise, uint64_t *state)
{
    for (int i = first; i < end; i++)
        x[i] = level * exp(noise * normal(state));
}

START_TEST(planted_steps)
{
    double x[60];
    bench_level out[60];
    uint64_t state = 3;
    fill(x, 0, 20, 1e-3, 0.01, &state);
    fill(x, 20, 45, 1.15e-3, 0.01, &state);
    fill(x, 45, 60, 0.9e-3, 0.01, &state);
    ck_assert_int_eq(levels_of(out, x, 60), 3);
    ck_assert_int_eq(out[1].first, 20);
    ck_assert_int_eq(out[2].first, 45);
    ck_assert(fabs(out[0].level / 1e-3 - 1.0) < 0.01);
    ck_assert(fabs(out[1].level / 1.15e-3 - 1.0) < 0.01);
    ck_assert(fabs(out[2].level / 0.9e-3 - 1.0) < 0.01);
}
END_TEST

/* A rise that is taken back again: the first of two cuts alone wins little. */
START_TEST(a_bump_in_the_middle)
{
    double x[40];
    bench_level out[40];
    uint64_t state = 5;
    fill(x, 0, 40, 2.0, 0.01, &state);
    fill(x, 18, 22, 2.6, 0.01, &state);
    ck_assert_int_eq(levels_of(out, x, 40), 3);
    ck_assert_int_eq(out[1].first, 18);
    ck_assert_int_eq(out[1].count, 4);
}
END_TEST

START_TEST(one_bad_run_is_no_step)
{
    double x[20];
    bench_level out[20];
    uint64_t state = 7;
    for (int place = 0; place < 20; place++) {
        fill(x, 0, 20, 1.0, 0.01, &state);
        x[place] = 3.0;
        ck_assert_int_eq(levels_of(out, x, 20), 1);
    }
}
END_TEST

START_TEST(few_runs)
{
    bench_level out[8];
    ck_assert_int_eq(levels_of(out, (const double[]){5.0}, 1), 1);
    ck_assert(out[0].level == 5.0);
    ck_assert_int_eq(levels_of(out, (const double[]){5.0, 9.0}, 2), 1);
    ck_assert_int_eq(levels_of(out, (const double[]){5.0, 5.0, 9.0}, 3), 1);
    ck_assert_int_eq(levels_of(out, (const double[]){5.0, 5.01, 9.0, 9.01}, 4), 2);
    ck_assert_int_eq(out[1].first, 2);
}
END_TEST

START_TEST(small_changes_are_left_out)
{
    double x[40];
    bench_level out[40];
    for (int i = 0; i < 40; i++)
        x[i] = i < 20 ? 1.0 : 1.02;
    ck_assert_int_eq(levels_of(out, x, 40), 1);
    for (int i = 20; i < 40; i++)
        x[i] = 1.04;
    ck_assert_int_eq(levels_of(out, x, 40), 2);
}
END_TEST

START_TEST(units_do_not_matter)
{
    double x[30], scaled[30];
    bench_level out[30], again[30];
    uint64_t state = 11;
    fill(x, 0, 15, 1.0, 0.02, &state);
    fill(x, 15, 30, 1.3, 0.02, &state);
    for (int i = 0; i < 30; i++)
        scaled[i] = 0x1p-20 * x[i];
    ck_assert_int_eq(levels_of(out, x, 30), 2);
    ck_assert_int_eq(levels_of(again, scaled, 30), 2);
    ck_assert_int_eq(out[1].first, again[1].first);
}
END_TEST

static int steps_in_noise(int count, int series, double noise, uint64_t *state)
{
    double x[MOST];
    bench_level out[MOST];
    int found = 0;
    for (int i = 0; i < series; i++) {
        fill(x, 0, count, 1.0, noise, state);
        found += levels_of(out, x, count) > 1;
    }
    return found;
}

/* At most one in a hundred. Noise of 5% leaves the least step of 3% without effect: the penalty alone must hold. */
START_TEST(no_steps_in_noise)
{
    static const int counts[] = {10, 20, 50, 100, 200};
    uint64_t state = 13;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const int found = steps_in_noise(counts[i], 400, 0.05, &state);
        ck_assert_msg(found <= 4, "%d of 400 series of %d points", found, counts[i]);
    }
}
END_TEST

/* Steps of four standard deviations with eight points on each side. */
START_TEST(steps_in_noise_are_found)
{
    double x[16];
    bench_level out[16];
    uint64_t state = 17;
    int found = 0;
    for (int i = 0; i < 200; i++) {
        fill(x, 0, 8, 1.0, 0.02, &state);
        fill(x, 8, 16, exp(0.08), 0.02, &state);
        found += levels_of(out, x, 16) == 2 && abs(out[1].first - 8) <= 1;
    }
    ck_assert_int_ge(found, 150);
}
END_TEST

START_TEST(what_is_no_time)
{
    bench_level out[2] = {{0}};
    int levels = 7;
    ck_assert_int_eq(bench_steps_find(out, &levels, (const double[]){1.0, 0.0}, 2, LEAST), GG_ERR_ARGUMENT);
    ck_assert_int_eq(bench_steps_find(out, &levels, (const double[]){1.0, (double)NAN}, 2, LEAST), GG_ERR_ARGUMENT);
    ck_assert_int_eq(bench_steps_find(out, &levels, (const double[]){1.0}, 0, LEAST), GG_ERR_ARGUMENT);
    ck_assert_int_eq(levels, 7);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, planted_steps);
    tcase_add_test(tests, a_bump_in_the_middle);
    tcase_add_test(tests, one_bad_run_is_no_step);
    tcase_add_test(tests, few_runs);
    tcase_add_test(tests, small_changes_are_left_out);
    tcase_add_test(tests, units_do_not_matter);
    tcase_add_test(tests, no_steps_in_noise);
    tcase_add_test(tests, steps_in_noise_are_found);
    tcase_add_test(tests, what_is_no_time);
}
