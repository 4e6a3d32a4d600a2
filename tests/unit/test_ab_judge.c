/* test_ab_judge.c - what the judgement of pairs finds in made-up noise: hardly ever a change where there is none,
 * nearly always one of 5 %, and one of 2 % more often than not. The noise is that of a shared machine: each process has
 * its own luck, each turn its own, and now and then a turn is hit by somebody else's work. */
#include <math.h>

#include <check.h>

#include "ab_judge.h"
#include "support.h"

static const double pi = 3.14159265358979323846, floor_of_effects = 0.005, precision = 0.01;

static double uniform(uint64_t *state)
{
    return ((double)(support_random(state) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller. */
static double normal(uint64_t *state)
{
    const double radius = sqrt(-2.0 * log(uniform(state)));
    return radius * cos(2.0 * pi * uniform(state));
}

/* The logarithm of one sample's time. */
static double sample(double luck, uint64_t *state)
{
    const double spike = uniform(state) < 0.05 ? 0.3 * uniform(state) : 0.0;
    return luck + 0.01 * normal(state) + spike;
}

/* As `gemmgrad ab` measures: generation by generation, until the case is decided. */
static ab_judgement measure(double slowdown, uint64_t *state)
{
    static ab_pairs pairs;
    ab_judgement judgement = {.verdict = AB_NOISY};
    pairs.generations = 0;
    while (!ab_decided(&judgement, pairs.generations, precision) || pairs.generations < AB_FEWEST_GENERATIONS) {
        const double base = 0.005 * normal(state), copy = 0.005 * normal(state);
        const double fresh = 0.005 * normal(state) + log1p(slowdown);
        for (int i = 0; i < AB_TURNS; i++) {
            const double a = sample(base, state), b = sample(copy, state), c = sample(fresh, state);
            pairs.change[pairs.generations * AB_TURNS + i] = c - 0.5 * (a + b);
            pairs.noise[pairs.generations * AB_TURNS + i] = b - a;
        }
        pairs.generations++;
        judgement = ab_judge(&pairs, floor_of_effects, precision);
    }
    return judgement;
}

static int count(ab_verdict verdict, double slowdown, int runs, uint64_t seed)
{
    int found = 0;
    for (int i = 0; i < runs; i++)
        found += measure(slowdown, &seed).verdict == verdict;
    return found;
}

START_TEST(no_change)
{
    int found[AB_VERDICTS] = {0};
    uint64_t state = 1;
    for (int i = 0; i < 200; i++)
        found[measure(0.0, &state).verdict]++;
    ck_assert_int_le(found[AB_SLOWER], 4);
    ck_assert_int_le(found[AB_FASTER], 4);
    ck_assert_int_ge(found[AB_SAME], 120); /* the others are too noisy to tell */
}
END_TEST

START_TEST(five_percent)
{
    ck_assert_int_ge(count(AB_SLOWER, 0.05, 60, 4), 57);
    ck_assert_int_ge(count(AB_FASTER, -0.05, 60, 5), 57);
}
END_TEST

START_TEST(two_percent)
{
    ck_assert_int_ge(count(AB_SLOWER, 0.02, 60, 6), 30);
    ck_assert_int_eq(count(AB_FASTER, 0.02, 60, 7), 0);
}
END_TEST

/* Pairs without noise: the numbers themselves. */
START_TEST(exact_pairs)
{
    static ab_pairs pairs;
    for (int i = 0; i < AB_MOST_PAIRS; i++) {
        pairs.change[i] = log(1.25);
        pairs.noise[i] = log(1.02);
    }
    pairs.generations = AB_FEWEST_GENERATIONS;
    const ab_judgement judgement = ab_judge(&pairs, floor_of_effects, precision);
    ck_assert_double_eq_tol(judgement.ratio, 1.25, 1e-12);
    ck_assert_double_eq_tol(judgement.interval.low, 1.25, 1e-12);
    ck_assert_double_eq_tol(judgement.interval.high, 1.25, 1e-12);
    ck_assert_double_eq_tol(judgement.least_effect, 0.02, 1e-12);
    ck_assert_int_eq(judgement.verdict, AB_SLOWER);
    pairs.generations = AB_FEWEST_GENERATIONS - 1;
    ck_assert_int_eq(ab_judge(&pairs, floor_of_effects, precision).verdict, AB_NOISY);
    pairs.generations = 0;
    ck_assert_int_eq(ab_judge(&pairs, floor_of_effects, precision).verdict, AB_NOISY);
}
END_TEST

/* A change that the base shows against itself is none; one twice that size in a base that wavers by a fifth is not
 * "the same" either. */
START_TEST(the_base_against_itself)
{
    static ab_pairs pairs;
    for (int i = 0; i < AB_MOST_PAIRS; i++) {
        pairs.change[i] = 0.03;
        pairs.noise[i] = -0.03;
    }
    pairs.generations = AB_FEWEST_GENERATIONS;
    ck_assert_int_eq(ab_judge(&pairs, floor_of_effects, precision).verdict, AB_SAME);
    for (int i = 0; i < AB_MOST_PAIRS; i++)
        pairs.noise[i] = 0.2;
    ck_assert_int_eq(ab_judge(&pairs, floor_of_effects, precision).verdict, AB_NOISY);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, no_change);
    tcase_add_test(tests, five_percent);
    tcase_add_test(tests, two_percent);
    tcase_add_test(tests, exact_pairs);
    tcase_add_test(tests, the_base_against_itself);
}
