/* test_results_file.c - what a file of results says is read; what is damaged, foreign or a lie is refused in words. */
#include "results_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <check.h>

#include "scratch.h"
#include "support.h"

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

static const char *written(const char *text)
{
    const char *path = scratch_path("r.json");
    scratch_write(path, text, strlen(text));
    return path;
}

#define SAMPLE(name, time, unit)                                                                             \
    "{\"name\": \"" name "\", \"run_name\": \"" name "\", \"run_type\": \"iteration\", \"real_time\": " time \
    ", \"time_unit\": \"" unit "\"}"
#define FILE_OF(entries) "{\"context\": {\"num_cpus\": 2}, \"benchmarks\": [" entries "]}"

/* ---- what is good ---- */

START_TEST(samples_medians_and_failures_are_found)
{
    bench_file file;
    const char *text = FILE_OF(SAMPLE("a", "1500", "us") "," SAMPLE("b", "2", "s") "," SAMPLE(
        "a", "2.5",
        "ms") ","
              "{\"name\": \"a_mean\", \"run_name\": \"a\", \"run_type\": \"aggregate\", \"aggregate_name\": \"mean\"},"
              "{\"name\": \"a_median\", \"run_name\": \"a\", \"run_type\": \"aggregate\", \"aggregate_name\": "
              "\"median\","
              " \"real_time\": null, \"gflops\": 12.5, \"way\": \"nn\"},"
              "{\"name\": \"c\", \"error_occurred\": true, \"error_message\": \"wrong\"}," SAMPLE(
                  "b", "3", "ns") ","
                                  "{\"name\": \"d\", \"run_name\": \"d\", \"skipped\": true, \"real_time\": 0},"
                                  "{\"name\": \"all_BigO\", \"run_name\": \"all\", \"run_type\": \"aggregate\", "
                                  "\"aggregate_name\": \"BigO\"}");
    ck_assert_int_eq(bench_file_read(&file, written(text)), GG_OK);
    ck_assert_int_eq(file.count, 3);
    const bench_samples *a = bench_file_find(&file, "a"), *b = bench_file_find(&file, "b");
    ck_assert_ptr_eq(a, &file.cases[0]);
    ck_assert_int_eq(a->count, 2);
    ck_assert_double_eq_tol(a->real[0], 1.5e-3, 1e-18);
    ck_assert_double_eq_tol(a->real[1], 2.5e-3, 1e-18);
    ck_assert_ptr_null(a->error);
    ck_assert_double_eq(bench_samples_counter(a, "gflops"), 12.5);
    ck_assert(isnan(bench_samples_counter(a, "way")) && isnan(bench_samples_counter(a, "absent")));
    ck_assert_ptr_eq(b, &file.cases[1]);
    ck_assert_double_eq(b->real[0], 2.0);
    ck_assert_double_eq_tol(b->real[1], 3e-9, 1e-24);
    ck_assert(isnan(bench_samples_counter(b, "gflops")));
    ck_assert_str_eq(bench_file_find(&file, "c")->error, "wrong");
    ck_assert_int_eq(bench_file_find(&file, "c")->count, 0);
    ck_assert_ptr_null(bench_file_find(&file, "d"));
    ck_assert_int_eq((int)json_integer_value(json_object_get(file.context, "num_cpus")), 2);
    bench_file_free(&file);
    ck_assert_int_eq(file.count, 0);
    ck_assert_ptr_null(file.root);
}
END_TEST

START_TEST(a_failure_takes_the_samples_before_it_away)
{
    bench_file file;
    const char *text =
        FILE_OF(SAMPLE("a", "1", "ns") "," SAMPLE("b", "1", "ns") ",{\"name\": \"a\", \"error_occurred\": true}");
    ck_assert_int_eq(bench_file_read(&file, written(text)), GG_OK);
    ck_assert_int_eq(bench_file_find(&file, "a")->count, 0);
    ck_assert_str_eq(bench_file_find(&file, "a")->error, "no message");
    ck_assert_int_eq(bench_file_find(&file, "b")->count, 1);
    ck_assert_double_eq_tol(bench_file_find(&file, "b")->real[0], 1e-9, 1e-24);
    bench_file_free(&file);
}
END_TEST

/* 50000 names: a search through a list for each entry would take minutes under a sanitizer. */
START_TEST(many_cases_take_no_quadratic_time)
{
    enum { CASES = 50000 };
    const char *path = scratch_path("many.json");
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fputs("{\"context\": {}, \"benchmarks\": [", out);
    for (int i = 0; i < CASES; i++)
        fprintf(out, "%s{\"run_name\": \"case%d\", \"real_time\": %d, \"time_unit\": \"s\"}", i > 0 ? "," : "", i,
                i + 1);
    fputs("]}", out);
    fclose(out);
    bench_file file;
    ck_assert_int_eq(bench_file_read(&file, path), GG_OK);
    ck_assert_int_eq(file.count, CASES);
    ck_assert_double_eq(file.cases[CASES - 1].real[0], CASES);
    bench_file_free(&file);
}
END_TEST

/* ---- what is not ---- */

static const bench_file untouched = {.path = "untouched", .count = 77};

static void assert_untouched(const bench_file *file)
{
    ck_assert_ptr_eq(file->path, untouched.path);
    ck_assert_ptr_null(file->root);
    ck_assert_int_eq(file->count, untouched.count);
}

static void assert_refused(gg_status expected, const char *path, const char *words)
{
    bench_file file = untouched;
    ck_assert_msg(bench_file_read(&file, path) == expected, "%s: %s", words, gg_error_message());
    ck_assert_msg(strstr(gg_error_message(), path) != NULL, "no path in: %s", gg_error_message());
    ck_assert_msg(strstr(gg_error_message(), words) != NULL, "'%s' not in: %s", words, gg_error_message());
    assert_untouched(&file);
}

static const struct {
    const char *text, *words;
} bad[] = {
    {"", "line 1, column 0"},
    {"name,real_time\na,1\n", "line 1"},
    {"{\"context\": {},\n \"benchmarks\": [{\"name\": \"a\", \"real_time\"", "line 2, column"},
    {FILE_OF(SAMPLE("a", "NaN", "ns")), "no complete JSON"},
    {FILE_OF(SAMPLE("a", "NaN", "ns")), "near 'NaN'; a time that is not a number"},
    {FILE_OF(SAMPLE("a", "nan", "ns")), "near 'nan'; a time that is not a number"},
    {FILE_OF(SAMPLE("a", "-Infinity", "ns")), "a time that is not a number"},
    {FILE_OF(SAMPLE("a", "1e999", "ns")), "line 1"},
    {FILE_OF(SAMPLE("a", "1", "ns")) "}", "line 1"},
    {FILE_OF(SAMPLE("a\\u0000b", "1", "ns")), "line 1"},
    {"{\"context\": {}, \"context\": {}, \"benchmarks\": []}", "duplicate"},
    {"[]", "expected an object \"context\""},
    {"{\"benchmarks\": []}", "expected an object \"context\""},
    {"{\"context\": [], \"benchmarks\": []}", "expected an object \"context\""},
    {"{\"context\": {}, \"benchmarks\": {}}", "expected an object \"context\""},
    {"{\"context\": {}, \"results\": []}", "array \"benchmarks\""},
    {FILE_OF(""), "holds no benchmark"},
    {FILE_OF("{\"name\": \"a\", \"skipped\": true}"), "holds no benchmark"},
    {FILE_OF(SAMPLE("a", "1", "ns") ", 7"), "entry 1 of \"benchmarks\" has no name"},
    {FILE_OF("{\"name\": 3, \"real_time\": 1, \"time_unit\": \"ns\"}"), "entry 0 of \"benchmarks\" has no name"},
    {FILE_OF(SAMPLE("a", "-1", "ns")), "'a' has a real_time"},
    {FILE_OF(SAMPLE("a", "0", "ns")), "'a' has a real_time"},
    {FILE_OF(SAMPLE("a", "1e-320", "ns")), "'a' has a real_time"},
    {FILE_OF(SAMPLE("a", "null", "ns")), "'a' has a real_time"},
    {FILE_OF(SAMPLE("a", "\"1\"", "ns")), "'a' has a real_time"},
    {FILE_OF(SAMPLE("a", "[1]", "ns")), "'a' has a real_time"},
    {FILE_OF("{\"name\": \"a\", \"time_unit\": \"ns\"}"), "'a' has a real_time"},
    {FILE_OF(SAMPLE("a", "1", "min")), "time_unit 'min'"},
    {FILE_OF("{\"name\": \"a\", \"real_time\": 1}"), "time_unit '(none)'"},
    {FILE_OF("{\"name\": \"a_median\", \"run_name\": \"a\", \"run_type\": \"aggregate\", "
             "\"aggregate_name\": \"median\"}"),
     "'a' has a median but no samples"},
};

START_TEST(bad_files_are_refused)
{
    assert_refused(GG_ERR_FORMAT, written(bad[_i].text), bad[_i].words);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    static const char text[] = FILE_OF(SAMPLE("a", "1.5", "ns") "," SAMPLE("b", "25", "ms"));
    const char *path = scratch_path("cut.json");
    for (size_t size = 0; size + 1 < sizeof text; size++) {
        scratch_write(path, text, size);
        assert_refused(GG_ERR_FORMAT, path, "no complete JSON");
    }
}
END_TEST

START_TEST(paths_that_hold_no_file)
{
    assert_refused(GG_ERR_IO, scratch_path("absent.json"), "No such file");
    assert_refused(GG_ERR_IO, scratch_folder, "is a folder");
}
END_TEST

START_TEST(nothing_leaks_when_memory_runs_out)
{
    bench_file file = untouched;
    const char *path = written(FILE_OF(SAMPLE("a", "1", "ns")));
    scratch_memory.budget = 0;
    ck_assert_int_eq(bench_file_read(&file, path), GG_ERR_MEMORY);
    scratch_memory.budget = -1;
    assert_untouched(&file);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, samples_medians_and_failures_are_found);
    tcase_add_test(tests, a_failure_takes_the_samples_before_it_away);
    tcase_add_test(tests, many_cases_take_no_quadratic_time);
    tcase_add_loop_test(tests, bad_files_are_refused, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, every_truncation_is_refused);
    tcase_add_test(tests, paths_that_hold_no_file);
    tcase_add_test(tests, nothing_leaks_when_memory_runs_out);
}
