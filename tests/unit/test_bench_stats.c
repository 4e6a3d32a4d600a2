/* test_bench_stats.c - the statistics of the program against published values: tables of the U test, textbook examples,
 * SciPy 1.17 where a comment says so, and distributions whose answer is known. */
#include "bench_stats.h"

#include <math.h>

#include <check.h>

#include "bench_bootstrap.h"
#include "bench_random.h"
#include "bench_tests.h"
#include "scratch.h"
#include "support.h"

enum { MOST = 128 };

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* ---- quantiles, outliers ---- */

/* The example of the nearest-rank article in Wikipedia ("Percentile"), by NumPy's default, which is type 7 as well. */
START_TEST(quantiles)
{
    static const double x[] = {40, 15, 50, 20, 35}, q[] = {0.0, 0.05, 0.3, 0.4, 0.5, 1.0};
    static const double expected[] = {15, 16, 23, 29, 35, 50};
    for (int i = 0; i < COUNT(q); i++)
        ck_assert_double_eq_tol(bench_quantile(x, COUNT(x), q[i]), expected[i], 1e-12);
    ck_assert_double_eq(bench_median(x, 4), 30.0);
    ck_assert_double_eq(bench_median(x, 1), 40.0);
    ck_assert_double_eq(x[0], 40.0);
}
END_TEST

/* Quartiles at 10 and 12: fences at 7 and 15 (mild), 4 and 18 (severe); what lies on a fence is still inside it. */
START_TEST(outliers_by_tukeys_fences)
{
    static const double even[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const double x[] = {90, 18.5, 18, 15.5, 15, 3.9, 5,  7,  10, 10, 10, 10, 10, 10, 10,
                               10, 11,   11, 11,   11, 11,  12, 12, 12, 12, 12, 12, 12, 12};
    bench_outliers found = bench_count_outliers(even, COUNT(even));
    ck_assert_int_eq(found.low_severe + found.low_mild + found.high_mild + found.high_severe, 0);
    found = bench_count_outliers(x, COUNT(x));
    ck_assert_int_eq(found.low_severe, 1);
    ck_assert_int_eq(found.low_mild, 1);
    ck_assert_int_eq(found.high_mild, 2);
    ck_assert_int_eq(found.high_severe, 2);
}
END_TEST

/* ---- the U test ---- */

/* x and y = 1 .. ny without ties, in which u pairs have x > y. */
static void samples_with(double *x, double *y, int nx, int ny, int u)
{
    for (int i = 0; i < ny; i++)
        y[i] = i + 1.0;
    for (int i = 0, left = u; i < nx; i++) {
        const int beneath = left < ny ? left : ny;
        x[i] = beneath + 0.5 + 0.001 * i;
        left -= beneath;
    }
}

static double p_of(int nx, int ny, int u)
{
    double x[MOST], y[MOST];
    bench_u forth, back;
    samples_with(x, y, nx, ny, u);
    ck_assert_int_eq(bench_u_test(&forth, x, nx, y, ny), GG_OK);
    ck_assert_int_eq(bench_u_test(&back, y, ny, x, nx), GG_OK);
    ck_assert_double_eq(forth.u, u);
    ck_assert_double_eq(back.u, nx * ny - u);
    ck_assert_double_eq(forth.p, back.p);
    return forth.p;
}

/* Two-sided critical values, the largest U that is significant, as printed in every textbook (Siegel 1956, table K;
 * Milton, Journal of the American Statistical Association 59, 1964). */
static const struct {
    double level;
    int nx, ny, critical;
} table[] = {
    {0.05, 4, 4, 0},    {0.05, 5, 5, 2},     {0.05, 6, 6, 5},    {0.05, 7, 7, 8},     {0.05, 8, 8, 13},
    {0.05, 9, 9, 17},   {0.05, 10, 10, 23},  {0.05, 15, 15, 64}, {0.05, 20, 20, 127}, {0.05, 5, 10, 8},
    {0.05, 10, 20, 55}, {0.05, 8, 12, 22},   {0.01, 5, 5, 0},    {0.01, 8, 8, 7},     {0.01, 10, 10, 16},
    {0.01, 15, 15, 51}, {0.01, 20, 20, 105}, {0.01, 10, 20, 42},
};

START_TEST(u_test_has_the_critical_values_of_the_tables)
{
    ck_assert_double_le(p_of(table[_i].nx, table[_i].ny, table[_i].critical), table[_i].level);
    ck_assert_double_gt(p_of(table[_i].nx, table[_i].ny, table[_i].critical + 1), table[_i].level);
}
END_TEST

/* By hand for the least: 2 / C(6, 3) = 1/10; 2 (1 + 1 + 2) / C(10, 5) = 8/252. The rest is SciPy's
 * mannwhitneyu(method="exact"), from 57 numbers on method="asymptotic". */
static const struct {
    int nx, ny, u;
    double p;
} exact[] = {
    {1, 1, 0, 1.0},
    {3, 3, 0, 0.1},
    {5, 5, 2, 8.0 / 252.0},
    {4, 6, 2, 8.0 / 210.0},
    {9, 4, 18, 1.0},
    {7, 7, 8, 0.03787878787878788},
    {8, 8, 13, 0.04988344988344988},
    {10, 12, 29, 0.042570432663311925},
    {7, 21, 31, 0.023282997196040673},
    {21, 21, 142, 0.049008877834708815},
    {21, 21, 0, 3.715691111961505e-12},
    {28, 28, 250, 0.019570314243752506},
    {29, 28, 250, 0.013059023228904483},
    {30, 40, 400, 0.017902458042233286},
    {100, 3, 60, 0.0792183655512962},
};

START_TEST(u_test_has_the_probabilities_of_scipy)
{
    ck_assert_double_eq_tol(p_of(exact[_i].nx, exact[_i].ny, exact[_i].u) / exact[_i].p, 1.0, 1e-12);
}
END_TEST

/* Hollander and Wolfe, Nonparametric Statistical Methods (1973), page 69: permeability of membranes; one-sided
 * p = 0.1272, the example of R's wilcox.test as well. */
START_TEST(u_test_of_a_textbook)
{
    static const double x[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
    static const double y[] = {1.15, 0.88, 0.90, 0.74, 1.21};
    bench_u test;
    ck_assert_int_eq(bench_u_test(&test, x, COUNT(x), y, COUNT(y)), GG_OK);
    ck_assert_double_eq(test.u, 35.0);
    ck_assert_double_eq_tol(test.p, 2.0 * 0.1272061272061272, 1e-12);
}
END_TEST

/* Against SciPy's mannwhitneyu(x, y, method="asymptotic"), which corrects for ties and for continuity. */
START_TEST(u_test_with_ties)
{
    static const double a[] = {1, 1, 2, 2, 3, 3, 3, 4}, b[] = {2, 3, 3, 4, 4, 5, 5};
    static const double c[] = {12, 12, 13, 15, 15, 15, 17, 18, 19, 20};
    static const double d[] = {14, 15, 15, 16, 18, 20, 21, 21, 22, 25, 25};
    static const double same[] = {7, 7, 7, 7, 7};
    bench_u test;
    ck_assert_int_eq(bench_u_test(&test, a, COUNT(a), b, COUNT(b)), GG_OK);
    ck_assert_double_eq(test.u, 11.0);
    ck_assert_double_eq_tol(test.p, 0.0496691069149973, 1e-12);
    ck_assert_int_eq(bench_u_test(&test, c, COUNT(c), d, COUNT(d)), GG_OK);
    ck_assert_double_eq(test.u, 25.0);
    ck_assert_double_eq_tol(test.p, 0.036224632849257206, 1e-12);
    ck_assert_int_eq(bench_u_test(&test, same, 5, same, 5), GG_OK);
    ck_assert_double_eq(test.p, 1.0);
    ck_assert_int_eq(bench_u_test(&test, a, COUNT(a), a, COUNT(a)), GG_OK);
    ck_assert_double_eq(test.p, 1.0);
}
END_TEST

START_TEST(least_probability_is_that_of_samples_apart)
{
    static const int sizes[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 21}, {21, 21}};
    for (int i = 0; i < COUNT(sizes); i++)
        ck_assert_double_eq_tol(bench_u_least(sizes[i][0], sizes[i][1]) / p_of(sizes[i][0], sizes[i][1], 0), 1.0,
                                1e-12);
}
END_TEST

/* ---- many tests at once ---- */

/* The first is the worked example of Wikipedia ("Holm-Bonferroni method"), the second checks that no smaller p is
 * corrected to more than a larger one; both agree with R's p.adjust(p, "holm"). */
START_TEST(holms_procedure)
{
    double p[] = {0.01, 0.04, 0.03, 0.005}, q[] = {0.05, 0.04, 0.03, 0.02, 0.01}, one[] = {0.3}, sure[] = {0.6, 0.7};
    static const double expected_p[] = {0.03, 0.06, 0.06, 0.02}, expected_q[] = {0.09, 0.09, 0.09, 0.08, 0.05};
    ck_assert_int_eq(bench_holm(p, p, COUNT(p)), GG_OK);
    ck_assert_int_eq(bench_holm(q, q, COUNT(q)), GG_OK);
    ck_assert_int_eq(bench_holm(one, one, 1), GG_OK);
    ck_assert_int_eq(bench_holm(sure, sure, 2), GG_OK);
    for (int i = 0; i < COUNT(p); i++)
        ck_assert_double_eq_tol(p[i], expected_p[i], 1e-15);
    for (int i = 0; i < COUNT(q); i++)
        ck_assert_double_eq_tol(q[i], expected_q[i], 1e-15);
    ck_assert_double_eq(one[0], 0.3);
    ck_assert_double_eq(sure[0], 1.0);
    ck_assert_double_eq(sure[1], 1.0);
}
END_TEST

/* ---- the bootstrap ---- */

/* For an odd n the bootstrap of the median is known in closed form (Efron, Annals of Statistics 7, 1979, section 3):
 * it is at most the i-th number with the probability that Binomial(n, i/n) is (n + 1) / 2 or more. For n = 21 that is
 * 0.018 at i = 6, 0.056 at 7, 0.944 at 14 and 0.982 at 15; for 15: 0.026 at 4, 0.088 at 5, 0.912 at 10, 0.975 at 11;
 * for 5: 0.058 at 1, 0.317 at 2, 0.683 at 3, 0.942 at 4. */
START_TEST(bootstrap_of_the_median_is_efrons)
{
    static const struct {
        int n;
        double confidence, low, high;
    } known[] = {{21, 0.95, 7, 15}, {15, 0.9, 5, 11}, {5, 0.8, 2, 4}, {1, 0.95, 1, 1}};
    for (int i = 0; i < COUNT(known); i++) {
        double x[32];
        bench_interval interval;
        for (int j = 0; j < known[i].n; j++)
            x[j] = known[i].n - j;
        ck_assert_int_eq(bench_bootstrap_median(&interval, x, known[i].n, known[i].confidence, 1), GG_OK);
        ck_assert_double_eq(interval.low, known[i].low);
        ck_assert_double_eq(interval.high, known[i].high);
    }
}
END_TEST

static double uniform(bench_random *random)
{
    return ((double)(bench_random_next(random) >> 11) + 0.5) * 0x1p-53;
}

/* exp of a normal number of that deviation: its median is 1. */
static double lognormal(bench_random *random, double deviation)
{
    const double radius = sqrt(-2.0 * log(uniform(random)));
    return exp(deviation * radius * cos(2.0 * acos(-1.0) * uniform(random)));
}

enum { TRIALS = 2000, SAMPLES = 21 };

/* Order statistics 7 and 15 of 21 enclose the median with probability P(7 <= Binomial(21, 1/2) <= 14) = 0.9216 whatever
 * the distribution, 6 and 16 with 0.9734; the interval of the median lies nearly always on the former. Four standard
 * deviations of a share of 2000 trials are 0.024. */
START_TEST(bootstrap_covers_the_median)
{
    bench_random random = {.state = 11};
    int covered = 0;
    for (int i = 0; i < TRIALS; i++) {
        double x[SAMPLES];
        bench_interval interval;
        for (int j = 0; j < SAMPLES; j++)
            x[j] = lognormal(&random, 0.5);
        ck_assert_int_eq(bench_bootstrap_median(&interval, x, SAMPLES, 0.95, (uint64_t)i), GG_OK);
        covered += interval.low <= 1.0 && 1.0 <= interval.high;
    }
    ck_assert_double_ge(covered, (0.9216 - 0.024) * TRIALS);
    ck_assert_double_le(covered, (0.9734 + 0.024) * TRIALS);
}
END_TEST

/* Measured: 0.963, a little wide, as the discrete distribution of a median makes it; four standard deviations of that
 * are 0.017. */
START_TEST(bootstrap_covers_the_log_ratio)
{
    const double truth = log(1.05);
    bench_random random = {.state = 12};
    int covered = 0;
    for (int i = 0; i < TRIALS; i++) {
        double fresh[SAMPLES], base[SAMPLES];
        bench_interval interval;
        for (int j = 0; j < SAMPLES; j++) {
            base[j] = lognormal(&random, 0.02);
            fresh[j] = 1.05 * lognormal(&random, 0.02);
        }
        ck_assert_int_eq(bench_bootstrap_log_ratio(&interval, fresh, SAMPLES, base, SAMPLES, 0.95, 5), GG_OK);
        covered += interval.low <= truth && truth <= interval.high;
    }
    ck_assert_double_ge(covered, (0.963 - 0.017) * TRIALS);
    ck_assert_double_le(covered, (0.963 + 0.017) * TRIALS);
}
END_TEST

START_TEST(bootstrap_is_reproducible_and_equivariant)
{
    static const double x[] = {1.0, 1.5, 1.25, 2.0, 1.75, 1.125}, y[] = {2.0, 2.5, 2.25, 3.0};
    double doubled[COUNT(x)];
    bench_interval first, again, shifted;
    for (int i = 0; i < COUNT(x); i++)
        doubled[i] = 2.0 * x[i];
    ck_assert_int_eq(bench_bootstrap_log_ratio(&first, x, COUNT(x), y, COUNT(y), 0.9, 3), GG_OK);
    ck_assert_int_eq(bench_bootstrap_log_ratio(&again, x, COUNT(x), y, COUNT(y), 0.9, 3), GG_OK);
    ck_assert_int_eq(bench_bootstrap_log_ratio(&shifted, doubled, COUNT(x), y, COUNT(y), 0.9, 3), GG_OK);
    ck_assert_double_eq(first.low, again.low);
    ck_assert_double_eq(first.high, again.high);
    ck_assert_double_eq_tol(shifted.low - first.low, log(2.0), 1e-12);
    ck_assert_double_eq_tol(shifted.high - first.high, log(2.0), 1e-12);
}
END_TEST

/* ---- no memory ---- */

START_TEST(no_memory_is_reported_and_nothing_leaks)
{
    static const double x[] = {1, 2, 3, 4, 5}, y[] = {2, 3, 4};
    scratch_count_allocations();
    for (long budget = 0; budget < 2; budget++) {
        bench_interval interval = {77, 77};
        scratch_memory.budget = budget;
        ck_assert_int_eq(bench_bootstrap_log_ratio(&interval, x, 5, y, 3, 0.95, 1), GG_ERR_MEMORY);
        ck_assert_double_eq(interval.low, 77);
        bench_u test = {77, 77};
        scratch_memory.budget = budget;
        ck_assert_int_eq(bench_u_test(&test, x, 5, (const double[]){1.5, 2.5, 3.5}, 3), GG_ERR_MEMORY);
        ck_assert_double_eq(test.p, 77);
    }
    double corrected[] = {77, 77};
    scratch_memory.budget = 0;
    ck_assert_int_eq(bench_holm(corrected, x, 2), GG_ERR_MEMORY);
    ck_assert_double_eq(corrected[0], 77);
    scratch_memory.budget = 0;
    ck_assert(isnan(bench_median(x, 5)));
    scratch_memory.budget = 0;
    ck_assert_int_eq(bench_count_outliers(x, 5).high_severe, 0);
    scratch_memory.budget = -1;
    scratch_stop_counting();
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, quantiles);
    tcase_add_test(tests, outliers_by_tukeys_fences);
    tcase_add_loop_test(tests, u_test_has_the_critical_values_of_the_tables, 0, COUNT(table));
    tcase_add_loop_test(tests, u_test_has_the_probabilities_of_scipy, 0, COUNT(exact));
    tcase_add_test(tests, u_test_of_a_textbook);
    tcase_add_test(tests, u_test_with_ties);
    tcase_add_test(tests, least_probability_is_that_of_samples_apart);
    tcase_add_test(tests, holms_procedure);
    tcase_add_test(tests, bootstrap_of_the_median_is_efrons);
    tcase_add_test(tests, bootstrap_covers_the_median);
    tcase_add_test(tests, bootstrap_covers_the_log_ratio);
    tcase_add_test(tests, bootstrap_is_reproducible_and_equivariant);
    tcase_add_test(tests, no_memory_is_reported_and_nothing_leaks);
}
