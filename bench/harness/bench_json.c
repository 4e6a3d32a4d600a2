/* bench_json.c - results in google-benchmark's schema: one entry for each sample (run_type "iteration"), then the
 * aggregates of a variant. Rates and ratios are counters of the median. Raw calls are benchmarks of their own, with
 * "/raw" at the end. */
#include <math.h>

#include "bench_bootstrap.h"
#include "bench_report.h"
#include "bench_stats.h"

static const double NANOSECONDS = 1e9, CONFIDENCE = 0.95;

typedef struct place {
    const bench_run *run;
    const bench_result *result;
    const bench_series *series;
    int family;
} place;

static json_t *new_entry(const place *at, const char *aggregate)
{
    const bench_series *series = at->series;
    char name[BENCH_NAME_BYTES + 16];
    snprintf(name, sizeof name, "%s%s%s", series->name, aggregate[0] != '\0' ? "_" : "", aggregate);
    return json_pack("{s:s, s:i, s:i, s:s, s:s, s:i, s:i}", "name", name, "family_index", at->family,
                     "per_family_instance_index", 0, "run_name", series->name, "run_type",
                     aggregate[0] != '\0' ? "aggregate" : "iteration", "repetitions", series->count, "threads",
                     at->result->threads);
}

static int add_times(json_t *entry, double real, double cpu)
{
    int failed = json_object_set_new(entry, "real_time", gg_json_number(real));
    failed |= json_object_set_new(entry, "cpu_time", gg_json_number(cpu));
    return failed | json_object_set_new(entry, "time_unit", json_string("ns"));
}

static int append_sample(json_t *list, const place *at, int i)
{
    json_t *entry = new_entry(at, "");
    int failed = json_object_set_new(entry, "repetition_index", json_integer(i));
    failed |= json_object_set_new(entry, "iterations", json_integer(at->series->cold ? 1 : at->result->iterations));
    failed |= add_times(entry, NANOSECONDS * at->series->real[i], NANOSECONDS * at->series->cpu[i]);
    return failed | json_array_append_new(list, entry);
}

static int append_aggregate(json_t *list, const place *at, const char *name, const char *unit, double real, double cpu,
                            json_t *counters)
{
    json_t *entry = new_entry(at, name);
    int failed = json_object_set_new(entry, "aggregate_name", json_string(name));
    failed |= json_object_set_new(entry, "aggregate_unit", json_string(unit));
    failed |= json_object_set_new(entry, "iterations", json_integer(at->series->count));
    failed |= add_times(entry, real, cpu);
    if (counters != NULL)
        failed |= json_object_update(entry, counters);
    return failed | json_array_append_new(list, entry);
}

static int set_counter(json_t *counters, const char *name, double value)
{
    return isfinite(value) ? json_object_set_new(counters, name, json_real(value)) : 0;
}

/* How sure the median is, and what lies far from the rest. */
static int set_spread(json_t *counters, const bench_series *series)
{
    bench_interval interval;
    const bench_outliers outliers = bench_count_outliers(series->real, series->count);
    int failed = set_counter(counters, "iqr_fraction", bench_spread(series->real, series->count));
    if (bench_bootstrap_median(&interval, series->real, series->count, CONFIDENCE, 1) != GG_OK)
        return 1;
    failed |= set_counter(counters, "median_low", NANOSECONDS * interval.low);
    failed |= set_counter(counters, "median_high", NANOSECONDS * interval.high);
    failed |= set_counter(counters, "outliers_mild", outliers.low_mild + outliers.high_mild);
    return failed | set_counter(counters, "outliers_severe", outliers.low_severe + outliers.high_severe);
}

static json_t *new_counters(const place *at)
{
    const bench_series *series = at->series;
    const double gflops = bench_gflops(at->result, series);
    json_t *counters = json_object();
    int failed = set_counter(counters, "gflops", gflops);
    failed |= set_spread(counters, series);
    failed |= set_counter(counters, "peak_fraction", gflops / bench_ceilings_peak(at->result->ceilings));
    if (bench_disturbed(at->result, series))
        failed |= json_object_set_new(counters, "disturbed", json_true());
    failed |= set_counter(counters, "gbps", bench_gigabytes(at->result, series));
    failed |= set_counter(counters, "roofline_fraction", bench_roofline(at->result, series));
    failed |=
        set_counter(counters, "intensity", bench_gflops(at->result, series) / bench_gigabytes(at->result, series));
    failed |= set_counter(counters, "first_call", NANOSECONDS * series->first_call);
    for (int i = 0; i < at->run->settings.peer_count && series == &at->result->series[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "ratio_%.50s", at->run->settings.peers[i].name);
        failed |= set_counter(counters, name, bench_result_peer_ratio(at->result, &at->run->settings.peers[i]));
    }
    double alternative;
    if (series == &at->result->series[0] && at->result->label[0] != '\0')
        failed |= json_object_set_new(counters, "label", json_string(at->result->label));
    if (series->variant == 0 && bench_result_alternative(&alternative, at->result, series->cold) != NULL)
        failed |= set_counter(counters, "ratio_alternative", alternative);
    if (series->variant >= 0) {
        failed |= set_counter(counters, "ratio_raw", bench_result_ratio(at->result, series));
        failed |= set_counter(counters, "allocations", bench_allocations(at->result, series));
    }
    if (failed == 0)
        return counters;
    json_decref(counters);
    return NULL;
}

static int append_series(json_t *list, const place *at)
{
    const double *real = at->series->real, *cpu = at->series->cpu;
    const int count = at->series->count;
    int failed = 0;
    for (int i = 0; i < count; i++)
        failed |= append_sample(list, at, i);
    const double mean = bench_mean(real, count), cpu_mean = bench_mean(cpu, count);
    const double deviation = bench_deviation(real, count), cpu_deviation = bench_deviation(cpu, count);
    json_t *counters = new_counters(at);
    failed |= counters == NULL;
    failed |= append_aggregate(list, at, "mean", "time", NANOSECONDS * mean, NANOSECONDS * cpu_mean, NULL);
    failed |= append_aggregate(list, at, "median", "time", NANOSECONDS * bench_median(real, count),
                               NANOSECONDS * bench_median(cpu, count), counters);
    failed |= append_aggregate(list, at, "stddev", "time", NANOSECONDS * deviation, NANOSECONDS * cpu_deviation, NULL);
    failed |= append_aggregate(list, at, "cv", "percentage", deviation / mean, cpu_deviation / cpu_mean, NULL);
    json_decref(counters);
    return failed;
}

/* As google-benchmark marks a benchmark that called SkipWithError. */
static int append_failure(json_t *list, const bench_result *result, const bench_series *series)
{
    json_t *entry = json_pack("{s:s, s:s, s:s, s:b, s:s}", "name", series->name, "run_name", series->name, "run_type",
                              "iteration", "error_occurred", 1, "error_message", result->message);
    return json_array_append_new(list, entry);
}

json_t *bench_report_json(const bench_run *run, const char *program)
{
    json_t *list = json_array(), *context = bench_context_json(run, program), *report = json_object();
    int failed = list == NULL || context == NULL || report == NULL, family = 0;
    for (int i = 0; i < run->count && failed == 0; i++) {
        const bench_result *result = &run->results[i];
        for (int j = 0; j < result->series_count && failed == 0; j++) {
            const place at = {run, result, &result->series[j], family++};
            if (result->status != GG_OK)
                failed |= append_failure(list, result, at.series);
            else if (at.series->count > 0)
                failed |= append_series(list, &at);
        }
    }
    failed |= json_object_set_new(report, "context", context);
    failed |= json_object_set_new(report, "benchmarks", list);
    if (failed == 0)
        return report;
    json_decref(report);
    return NULL;
}
