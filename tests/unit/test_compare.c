/* test_compare.c - the judgement of two runs where the command line cannot reach: at the limits of numbers and memory,
 * and whether what is said of a case depends on its neighbours. */
#include "compare.h"

#include <math.h>
#include <stdio.h>

#include <check.h>

#include "scratch.h"
#include "support.h"

static const bench_compare_settings usual = {.threshold = 0.03, .alpha = 0.01};

static void setup(void)
{
    scratch_make_folder();
    scratch_count_allocations();
}

static void teardown(void)
{
    scratch_stop_counting();
    scratch_remove_folder();
}

/* Cases named "0", "1", ... of 21 samples each, a little apart, around medians[i] seconds. */
static void read_results(bench_file *out, const double *medians, int count)
{
    const char *path = scratch_path("r.json");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("{\"context\": {}, \"benchmarks\": [", file);
    for (int i = 0; i < 21 * count; i++)
        fprintf(file, "%s{\"name\": \"%d\", \"real_time\": %.17g, \"time_unit\": \"s\"}", i > 0 ? ", " : "", i / 21,
                medians[i / 21] * (1.0 + 1e-4 * (i % 21 - 10)));
    fputs("]}", file);
    fclose(file);
    ck_assert_msg(bench_file_read(out, path) == GG_OK, "%s", gg_error_message());
}

static void compare(bench_comparisons *out, const double *base, const double *fresh, int count)
{
    bench_file files[2];
    read_results(&files[0], base, count);
    read_results(&files[1], fresh, count);
    ck_assert_int_eq(bench_compare(out, &files[0], &files[1], &usual), GG_OK);
    ck_assert_int_eq(out->judged, count);
    bench_file_free(&files[0]);
    bench_file_free(&files[1]);
}

START_TEST(extreme_times_are_judged_without_alarm_or_nonsense)
{
    static const double base[] = {1e-300, 1e300, 1e-9}, fresh[] = {1e300, 1e-300, 1e-9};
    bench_comparisons all;
    compare(&all, base, fresh, 3);
    ck_assert_int_eq(all.rows[2].verdict, BENCH_SAME);
    ck_assert(all.rows[0].verdict != BENCH_FASTER && all.rows[0].verdict != BENCH_SAME);
    ck_assert(all.rows[1].verdict != BENCH_SLOWER && all.rows[1].verdict != BENCH_SAME);
    bench_comparisons_free(&all);
}
END_TEST

/* The interval and the uncorrected p of the first case, alone and among others. */
START_TEST(figures_do_not_depend_on_the_neighbours)
{
    static const double base[] = {1e-3, 2e-3, 3e-3}, fresh[] = {1.0001e-3, 3e-3, 2e-3};
    bench_comparisons alone, among;
    compare(&alone, base, fresh, 1);
    compare(&among, base, fresh, 3);
    ck_assert_double_eq(alone.rows[0].interval.low, among.rows[0].interval.low);
    ck_assert_double_eq(alone.rows[0].interval.high, among.rows[0].interval.high);
    ck_assert_double_eq(alone.rows[0].p, among.rows[0].p);
    ck_assert_double_eq(alone.rows[0].corrected, alone.rows[0].p);
    ck_assert_double_ge(among.rows[0].corrected, among.rows[0].p);
    ck_assert_int_eq(among.rows[1].verdict, BENCH_SLOWER);
    ck_assert_int_eq(among.rows[2].verdict, BENCH_FASTER);
    ck_assert_double_eq_tol(among.geometric_mean, cbrt(1.0001), 1e-12);
    bench_comparisons_free(&alone);
    bench_comparisons_free(&among);
}
END_TEST

/* 17 allocations: the rows; for each of two cases two resamplers, the ranks (ties: no exact p), two medians and two
 * counts of outliers; the probabilities and their order. Only outliers, which no verdict rests on, are 0 instead. */
START_TEST(every_failing_allocation_is_reported)
{
    enum { ALLOCATIONS = 17, OUTLIERS = 4 };
    static const double medians[] = {1e-3, 2e-3};
    bench_file file;
    int failures = 0;
    read_results(&file, medians, 2);
    for (long budget = 0; budget <= ALLOCATIONS; budget++) {
        bench_comparisons all = {.count = 77};
        const long live = scratch_memory.live;
        scratch_memory.budget = budget;
        const gg_status status = bench_compare(&all, &file, &file, &usual);
        scratch_memory.budget = -1;
        if (status == GG_OK)
            bench_comparisons_free(&all);
        else
            ck_assert_int_eq(all.count, 77);
        ck_assert(status == GG_OK || (status == GG_ERR_MEMORY && budget < ALLOCATIONS));
        ck_assert_int_eq(scratch_memory.live, live);
        failures += status != GG_OK;
    }
    ck_assert_int_eq(failures, ALLOCATIONS - OUTLIERS);
    bench_file_free(&file);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, extreme_times_are_judged_without_alarm_or_nonsense);
    tcase_add_test(tests, figures_do_not_depend_on_the_neighbours);
    tcase_add_test(tests, every_failing_allocation_is_reported);
}
