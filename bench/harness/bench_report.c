/* bench_report.c - tables for people. */
#include "bench_report.h"

#include <math.h>
#include <string.h>

#include "bench_bootstrap.h"
#include "bench_stats.h"

/* A choice is good when no alternative takes less than this share of its time. */
static const double GOOD_CHOICE = 1.0 / 1.1;

/* What the project asks of every row that has raw calls beside it. */
static const double LEAST_RATIO = 0.97;

double bench_gflops(const bench_result *result, const bench_series *series)
{
    double (*flops)(const bench_case *) = result->line->kind->flops;
    return flops != NULL ? 1e-9 * flops(result->line) / bench_median(series->real, series->count) : (double)NAN;
}

double bench_gigabytes(const bench_result *result, const bench_series *series)
{
    double (*bytes)(const bench_case *) = result->line->kind->bytes;
    return bytes != NULL ? 1e-9 * bytes(result->line) / bench_median(series->real, series->count) : (double)NAN;
}

double bench_roofline(const bench_result *result, const bench_series *series)
{
    const bench_kind *kind = result->line->kind;
    const double flops = kind->flops != NULL ? kind->flops(result->line) : (double)NAN;
    const double bytes = kind->bytes != NULL ? kind->bytes(result->line) : (double)NAN;
    return bench_ceilings_least_seconds(result->ceilings, flops, bytes) / bench_median(series->real, series->count);
}

double bench_allocations(const bench_result *result, const bench_series *series)
{
    return (double)series->allocations / ((double)series->count * (double)result->iterations);
}

bool bench_disturbed(const bench_result *result, const bench_series *series)
{
    return !result->line->kind->may_save_operations
           && bench_ceilings_exceeded(result->ceilings, bench_gflops(result, series));
}

/* ---- numbers in columns ---- */

static void print_time(FILE *out, double seconds)
{
    const char *unit = seconds < 1e-6 ? "ns" : seconds < 1e-3 ? "us" : seconds < 1.0 ? "ms" : "s ";
    const double scaled = seconds * (seconds < 1e-6 ? 1e9 : seconds < 1e-3 ? 1e6 : seconds < 1.0 ? 1e3 : 1.0);
    fprintf(out, " %*.*f %s", 8, scaled < 10.0 ? 3 : scaled < 100.0 ? 2 : 1, scaled, unit);
}

/* format has one %f with a width; a dash of that width where there is no number. */
static void print_number(FILE *out, int width, int digits, double x, const char *unit)
{
    if (isfinite(x))
        fprintf(out, " %*.*f%s", width, digits, x, unit);
    else
        fprintf(out, " %*s%*s", width, "-", (int)strlen(unit), "");
}

static int name_width(const bench_run *run)
{
    size_t width = strlen("case");
    for (int i = 0; i < run->count; i++)
        for (int j = 0; j < run->results[i].series_count; j++)
            if (run->results[i].series[j].variant >= 0 && strlen(run->results[i].series[j].name) > width)
                width = strlen(run->results[i].series[j].name);
    return (int)width;
}

/* Half the 95 % interval of the median, as a share of the median. */
static double half_interval(const bench_series *series)
{
    bench_interval interval;
    if (bench_bootstrap_median(&interval, series->real, series->count, 0.95, 1) != GG_OK)
        return NAN;
    return 0.5 * (interval.high - interval.low) / bench_median(series->real, series->count);
}

static int outliers(const bench_series *series)
{
    const bench_outliers found = bench_count_outliers(series->real, series->count);
    return found.low_mild + found.low_severe + found.high_mild + found.high_severe;
}

/* What the library chose, and how many times as long each alternative takes. */
static void print_choice(FILE *out, const bench_result *result, const bench_series *chosen)
{
    if (result->label[0] != '\0')
        fprintf(out, "  %s", result->label);
    const char *between = " (";
    for (int i = 0; i < result->series_count && result->line->kind->chooses; i++) {
        const bench_series *series = &result->series[i];
        if (series->variant <= 0 || series->cold != chosen->cold || series->count != chosen->count)
            continue;
        fprintf(out, "%s%s %.2f", between, result->line->kind->variants[series->variant].name,
                bench_paired_ratio(series->real, chosen->real, chosen->count));
        between = ", ";
    }
    if (between[0] == ',')
        fputc(')', out);
}

static void print_row(FILE *out, int width, const bench_result *result, const bench_series *series)
{
    const bench_series *raw = bench_result_raw(result, series->cold);
    const double gflops = bench_gflops(result, series);
    fprintf(out, "%-*s", width, series->name);
    print_time(out, bench_median(series->real, series->count));
    print_number(out, 5, 1, 100.0 * half_interval(series), "%");
    fprintf(out, " %3d", outliers(series));
    print_number(out, 8, 1, gflops, "");
    print_number(out, 5, 1, 100.0 * gflops / bench_ceilings_peak(result->ceilings),
                 bench_disturbed(result, series) ? "?" : "%");
    print_number(out, 7, 1, bench_gigabytes(result, series), "");
    print_number(out, 5, 0, 100.0 * bench_roofline(result, series), "%");
    print_number(out, 8, 1, raw != NULL ? bench_gflops(result, raw) : (double)NAN, "");
    print_number(out, 6, 2, bench_result_ratio(result, series), "");
    print_number(out, 6, 2, bench_allocations(result, series), "");
    for (int i = 0; i < result->series_count; i++)
        if (result->series[i].variant == BENCH_PEER && series == &result->series[0] && result->series[i].count > 0)
            fprintf(out, "  %s %.2f", result->series[i].peer->name,
                    bench_result_peer_ratio(result, result->series[i].peer));
    if (series->variant == 0)
        print_choice(out, result, series);
    fputc('\n', out);
}

static void print_failure(FILE *out, int width, const bench_result *result)
{
    char name[BENCH_NAME_BYTES];
    bench_case_name(name, result->line, "");
    fprintf(out, "%-*s FAILED: %s\n", width, name, result->message);
}

/* ---- a group ---- */

typedef struct summary {
    int rows, below;
    double log_ratios, log_fractions, worst;
    const char *worst_name;

    int choices, good_choices; /* rows with alternatives */
    double worst_choice;
    const bench_series *missed; /* the alternative there */
} summary;

static void add_choice(summary *sum, const bench_result *result, bool cold)
{
    double ratio;
    const bench_series *best = bench_result_alternative(&ratio, result, cold);
    if (best == NULL)
        return;
    sum->choices++;
    sum->good_choices += ratio >= GOOD_CHOICE;
    if (sum->missed == NULL || ratio < sum->worst_choice) {
        sum->worst_choice = ratio;
        sum->missed = best;
    }
}

static void add_row(summary *sum, const bench_result *result, const bench_series *series)
{
    if (series->variant == 0)
        add_choice(sum, result, series->cold);
    const double ratio = bench_result_ratio(result, series);
    if (!isfinite(ratio))
        return;
    sum->rows++;
    sum->below += ratio < LEAST_RATIO;
    sum->log_ratios += log(ratio);
    sum->log_fractions += log(bench_gflops(result, series) / bench_ceilings_peak(result->ceilings));
    if (sum->worst_name == NULL || ratio < sum->worst) {
        sum->worst = ratio;
        sum->worst_name = series->name;
    }
}

static void print_summary(FILE *out, const summary *sum)
{
    if (sum->rows > 0)
        fprintf(out, "  geometric mean of %d: %.3f times raw, %.1f%% of the peak; worst %.3f (%s); below %.2f: %d\n",
                sum->rows, exp(sum->log_ratios / sum->rows), 100.0 * exp(sum->log_fractions / sum->rows), sum->worst,
                sum->worst_name, LEAST_RATIO, sum->below);
    if (sum->choices > 0)
        fprintf(out,
                "  the choice is within 10 %% of the best alternative in %d of %d rows; nearest to it or ahead: %.2f "
                "(%s)\n",
                sum->good_choices, sum->choices, sum->worst_choice, sum->missed->name);
}

static const bench_series *find_series(const bench_result *result, int variant, bool cold)
{
    for (int i = 0; i < result->series_count; i++)
        if (result->series[i].variant == variant && result->series[i].cold == cold
            && (result->series[i].count > 0 || result->status != GG_OK))
            return &result->series[i];
    return NULL;
}

static bool same_group(const bench_result *a, const bench_result *b)
{
    return strcmp(a->line->suite, b->line->suite) == 0 && strcmp(a->line->group, b->line->group) == 0;
}

static void print_heading(FILE *out, int width, const bench_result *first, int variant, bool cold)
{
    const char *name = variant > 0 ? first->line->kind->variants[variant].name : "";
    fprintf(out, "\n%s: %s%s%s%s\n", first->line->suite, first->line->group, name[0] != '\0' ? ", " : "", name,
            cold ? ", from cold caches" : "");
    fprintf(out, "%-*s %11s %6s %3s %8s %6s %7s %6s %8s %6s %6s\n", width, "case", "time", "+-", "out", "GFLOP/s",
            "peak", "GB/s", "roof", "raw GF/s", "ratio", "allocs");
}

/* Alternatives have no table of their own: they stand on the row of what was chosen. */
static bool stands_elsewhere(const bench_result *result, const bench_series *series)
{
    return result->line->kind->chooses && series->variant > 0 && find_series(result, 0, series->cold) != NULL;
}

static void print_group(FILE *out, const bench_run *run, int first, int variant, bool cold, int width)
{
    summary sum = {0};
    bool headed = false;
    for (int i = first; i < run->count; i++) {
        const bench_result *result = &run->results[i];
        const bench_series *series = find_series(result, variant, cold);
        if (!same_group(result, &run->results[first]) || series == NULL || stands_elsewhere(result, series))
            continue;
        if (!headed)
            print_heading(out, width, result, variant, cold);
        headed = true;
        if (result->status != GG_OK) {
            print_failure(out, width, result);
            continue;
        }
        print_row(out, width, result, series);
        add_row(&sum, result, series);
    }
    print_summary(out, &sum);
}

/* A busy neighbour costs a CPU much more than its share: threads that wait for each other wait for it. */
static void print_load(FILE *out, const bench_run *run)
{
    const double noticeable = 0.05;
    if (run->foreign_cpus > noticeable)
        fprintf(out, "\nNOT IDLE: others kept %.2f CPUs busy meanwhile; take none of these figures at its word\n",
                run->foreign_cpus);
}

static void print_ceilings(FILE *out, const bench_ceilings *ceilings)
{
    fprintf(out,
            "%d thread%s: FMA peak %.0f GFLOP/s, memory %.1f GB/s, best of %d looks; the lowest peak was %.0f %%\n",
            ceilings->threads, ceilings->threads == 1 ? "" : "s", bench_ceilings_peak(ceilings),
            bench_ceilings_bandwidth(ceilings), ceilings->looks, 100.0 * bench_ceilings_steadiness(ceilings));
}

/* "21", or "3 to 7": long cases have fewer in a hurried run, all have after an interrupt. */
static void describe_counts(char *text, size_t size, const bench_run *run)
{
    int fewest = run->settings.repetitions, most = 0;
    for (int i = 0; i < run->count; i++)
        for (int j = 0; j < run->results[i].series_count; j++) {
            const int count = run->results[i].series[j].count;
            fewest = count > 0 && count < fewest ? count : fewest;
            most = count > most ? count : most;
        }
    if (fewest < most)
        snprintf(text, size, "%d to %d", fewest, most);
    else
        snprintf(text, size, "%d", most);
}

void bench_report_print(FILE *out, const bench_run *run)
{
    const int width = name_width(run);
    for (int i = 0; i < run->count; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++)
            seen = same_group(&run->results[i], &run->results[j]);
        for (int variant = 0; variant < BENCH_MOST_VARIANTS && !seen; variant++)
            for (int cold = 0; cold < 2; cold++)
                print_group(out, run, i, variant, cold == 1, width);
    }
    char counts[64];
    describe_counts(counts, sizeof counts, run);
    fprintf(out,
            "\ntime: median of %s samples; +-: half its 95 %% interval (bootstrap); out: outliers among them (Tukey); "
            "peak:\n"
            "share of the FMA peak (?: above 105 %%, so the row or the peak was disturbed); roof: share of what the\n"
            "roofline allows (above 100 %% from caches faster than memory); raw: the cblas_sgemm or LAPACKE calls of "
            "the same shapes, in the same turns; ratio: raw / time;\n"
            "allocs: for each repetition\n",
            counts);
    for (int i = 0; i < run->settings.peer_count; i++)
        fprintf(out, "%s: times as fast as %s, in the same turns\n", run->settings.peers[i].name,
                run->settings.peers[i].about);
    for (int i = 0; i < run->settings.thread_counts; i++)
        print_ceilings(out, &run->ceilings[i]);
    print_load(out, run);
}
