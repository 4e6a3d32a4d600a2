/* report_cases.c - cases from files, grouped by name and matched with their rivals. */
#include "report_cases.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_case.h"
#include "bench_stats.h"

/* Above so many cases a group is split by the next part of their names. */
static const int LARGE_GROUP = 60;

/* ---- files ---- */

double report_context_number(const bench_file *file, const char *key)
{
    const json_t *value = json_object_get(file->context, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const char *report_context_text(const bench_file *file, const char *key)
{
    return json_string_value(json_object_get(file->context, key));
}

/* The name without one of its parts ("/raw"), looked up in a file. */
static const bench_samples *find_without(const bench_file *file, const char *name, const char *part)
{
    char shorter[512];
    const size_t size = strlen(name), cut = strlen(part);
    const char *at = strstr(name, part);
    while (at != NULL && at[cut] != '\0' && at[cut] != '/')
        at = strstr(at + 1, part);
    if (at == NULL || size - cut >= sizeof shorter)
        return NULL;
    const size_t before = (size_t)(at - name);
    memcpy(shorter, name, before);
    memcpy(shorter + before, at + cut, size - before - cut + 1);
    return bench_file_find(file, shorter);
}

bool report_is_raw(const bench_file *file, const char *name)
{
    return find_without(file, name, "/raw") != NULL;
}

/* Peers know one layout of a weight only, and their names say nothing of it. */
static const bench_samples *find_peer(const bench_file *file, const char *name)
{
    const bench_samples *found = bench_file_find(file, name);
    if (found == NULL)
        found = find_without(file, name, "/in_out");
    return found != NULL ? found : find_without(file, name, "/out_in");
}

/* ---- quantities ---- */

static double median_of(const bench_samples *samples)
{
    return samples != NULL && samples->count > 0 ? bench_median(samples->real, samples->count) : (double)NAN;
}

/* The share of what the machine allows at this intensity. */
static double roofline_fraction(const report *r, const report_case *line)
{
    const double counted = bench_samples_counter(line->samples, "roofline_fraction");
    if (isfinite(counted))
        return counted;
    if (!isfinite(line->gflops))
        return line->gbps / r->memory_gbps;
    /* fmin leaves the peak where the intensity is not known. */
    return line->gflops / fmin(r->peak_gflops, line->intensity * r->memory_gbps);
}

static void fill_case(const report *r, report_case *line)
{
    const bench_samples *samples = line->samples;
    line->median = median_of(samples);
    line->spread = samples->count > 0 ? bench_spread(samples->real, samples->count) : (double)NAN;
    line->low = 1e-9 * bench_samples_counter(samples, "median_low"); /* they are in nanoseconds */
    line->high = 1e-9 * bench_samples_counter(samples, "median_high");
    line->gflops = bench_samples_counter(samples, "gflops");
    line->gbps = bench_samples_counter(samples, "gbps");
    line->allocations = bench_samples_counter(samples, "allocations");
    line->peak_fraction = bench_samples_counter(samples, "peak_fraction");
    line->intensity = bench_samples_counter(samples, "intensity");
    if (!isfinite(line->intensity))
        line->intensity = line->gflops / line->gbps;
    line->roofline_fraction = roofline_fraction(r, line);
    const char *name = samples->name;
    line->ratios[REPORT_RAW] = bench_samples_counter(samples, "ratio_raw");
    line->ratios[REPORT_BASE] =
        r->base != NULL ? median_of(bench_file_find(r->base, name)) / line->median : (double)NAN;
    for (int i = 0; i < REPORT_MOST_PEERS; i++)
        line->ratios[REPORT_PEER + i] =
            i < r->peer_count ? median_of(find_peer(&r->peers[i], name)) / line->median : (double)NAN;
    for (int i = 0; i < REPORT_MOST_COUNTERS; i++)
        line->ratios[REPORT_COUNTER + i] =
            i < r->counter_count ? bench_samples_counter(samples, r->counters[i]) : (double)NAN;
    for (int i = 0; i < REPORT_MOST_RIVALS; i++)
        if (!(line->ratios[i] > 0.0 && isfinite(line->ratios[i])))
            line->ratios[i] = NAN;
}

/* ---- cases ---- */

static bool in_a_later_file(const report *r, int file, const char *name)
{
    for (int i = file + 1; i < r->file_count; i++)
        if (bench_file_find(&r->files[i], name) != NULL)
            return true;
    return false;
}

static void collect(report *r)
{
    for (int i = 0; i < r->file_count; i++)
        for (int j = 0; j < r->files[i].count; j++) {
            const bench_samples *samples = &r->files[i].cases[j];
            if (report_is_raw(&r->files[i], samples->name) || in_a_later_file(r, i, samples->name))
                continue;
            r->cases[r->count] = (report_case){.samples = samples, .order = r->count};
            r->failed += samples->count == 0;
            r->count++;
        }
}

/* ---- groups ---- */

/* Bytes of a name before its parts-th slash, or before its last one where it has fewer; 0 without a slash. */
static int prefix(const char *name, int parts)
{
    int length = 0;
    for (int i = 0; name[i] != '\0' && parts > 0; i++)
        if (name[i] == '/') {
            length = i;
            parts--;
        }
    return length;
}

static bool begins_alike(const char *a, const char *b, int length)
{
    return strncmp(a, b, (size_t)length) == 0;
}

static int group_length(const report *r, const char *name)
{
    const int two = prefix(name, 2);
    int alike = 0;
    for (int i = 0; i < r->count; i++)
        alike += prefix(r->cases[i].samples->name, 2) == two && begins_alike(r->cases[i].samples->name, name, two);
    return alike > LARGE_GROUP ? prefix(name, 3) : two;
}

static int find_suite(report *r, const char *name)
{
    const int length = prefix(name, 1);
    for (int i = 0; i < r->suite_count; i++)
        if (r->suites[i].name_length == length && begins_alike(r->suites[i].name, name, length))
            return i;
    if (r->suite_count == REPORT_MOST_SUITES - 1) {
        r->suites[r->suite_count++] = (report_suite){.name = "others", .name_length = 6};
        return REPORT_MOST_SUITES - 1;
    }
    if (r->suite_count == REPORT_MOST_SUITES)
        return REPORT_MOST_SUITES - 1;
    r->suites[r->suite_count] = (report_suite){.name = name, .name_length = length};
    return r->suite_count++;
}

static int find_group(report *r, const char *name)
{
    const int length = group_length(r, name);
    for (int i = 0; i < r->group_count; i++)
        if (r->groups[i].name_length == length && begins_alike(r->groups[i].name, name, length))
            return i;
    r->groups[r->group_count] = (report_group){.name = name, .name_length = length, .suite = find_suite(r, name)};
    return r->group_count++;
}

static int by_group(const void *a, const void *b)
{
    const report_case *x = a, *y = b;
    return x->group != y->group ? x->group - y->group : x->order - y->order;
}

static void group_cases(report *r)
{
    for (int i = 0; i < r->count; i++) {
        report_case *line = &r->cases[i];
        line->group = find_group(r, line->samples->name);
        const int length = r->groups[line->group].name_length;
        line->label = line->samples->name + length + (length > 0 ? 1 : 0);
        r->groups[line->group].count++;
        r->suites[r->groups[line->group].suite].count++;
    }
    qsort(r->cases, (size_t)r->count, sizeof *r->cases, by_group);
    for (int i = 0, first = 0; i < r->group_count; i++) {
        r->groups[i].first = first;
        first += r->groups[i].count;
    }
}

/* ---- rivals ---- */

static void name_peer(report_rival *rival, const bench_file *file)
{
    const char *setting = report_context_text(file, "setting");
    snprintf(rival->name, sizeof rival->name, setting != NULL ? "%.60s (%.24s)" : "%.60s",
             report_context_text(file, "peer"), setting != NULL ? setting : "");
}

static bool is_known(const report *r, const char *counter)
{
    for (int i = 0; i < r->counter_count; i++)
        if (strcmp(r->counters[i], counter) == 0)
            return true;
    return strcmp(counter, "ratio_raw") == 0;
}

/* Peers that were measured in the turns of a run left their ratios in its file. */
static void find_counters(report *r)
{
    for (int i = 0; i < r->count; i++) {
        json_t *walked = (json_t *)(uintptr_t)r->cases[i].samples->medians; /* iterators ask for what may be changed */
        for (void *at = json_object_iter(walked); at != NULL; at = json_object_iter_next(walked, at)) {
            const char *counter = json_object_iter_key(at);
            if (strncmp(counter, "ratio_", 6) == 0 && r->counter_count < REPORT_MOST_COUNTERS && !is_known(r, counter))
                r->counters[r->counter_count++] = counter;
        }
    }
}

static void name_counter(const report *r, report_rival *rival, const char *counter)
{
    snprintf(rival->name, sizeof rival->name, "%.60s", counter + 6);
    for (int i = 0; i < r->file_count && rival->about == NULL; i++)
        rival->about = report_context_text(&r->files[i], counter + 6);
}

static void sum_up(report *r, int which)
{
    report_rival *rival = &r->rivals[which];
    double logs = 0.0;
    for (int i = 0; i < r->count; i++) {
        const double ratio = r->cases[i].ratios[which];
        if (!isfinite(ratio))
            continue;
        logs += log(ratio);
        rival->count++;
        if (rival->worst == NULL || ratio < rival->worst->ratios[which])
            rival->worst = &r->cases[i];
    }
    rival->mean = rival->count > 0 ? exp(logs / rival->count) : (double)NAN;
}

/* Whether the raw calls beside a case of that name are not the products of matrices, but those of its own kind. */
static bool calls_lapacke(const char *name)
{
    int count;
    const bench_case *lines = bench_cases(&count);
    for (int i = 0; i < count; i++) {
        char start[BENCH_NAME_BYTES];
        const int length = snprintf(start, sizeof start, "%s/%s/", lines[i].suite, lines[i].kind->name);
        if (lines[i].kind->raw != NULL && strncmp(name, start, (size_t)length) == 0)
            return true;
    }
    return false;
}

static const char *name_of_raw(const report *r)
{
    bool products = false, lapacke = false;
    for (int i = 0; i < r->count; i++)
        if (isfinite(r->cases[i].ratios[REPORT_RAW])) {
            const bool own = calls_lapacke(r->cases[i].samples->name);
            products = products || !own;
            lapacke = lapacke || own;
        }
    return !lapacke ? "raw cblas_sgemm" : products ? "raw cblas_sgemm or LAPACKE" : "raw LAPACKE";
}

static void compare_rivals(report *r)
{
    snprintf(r->rivals[REPORT_RAW].name, sizeof r->rivals->name, "%s", name_of_raw(r));
    snprintf(r->rivals[REPORT_BASE].name, sizeof r->rivals->name, "the base");
    for (int i = 0; i < r->peer_count; i++)
        name_peer(&r->rivals[REPORT_PEER + i], &r->peers[i]);
    for (int i = 0; i < r->counter_count; i++)
        name_counter(r, &r->rivals[REPORT_COUNTER + i], r->counters[i]);
    for (int i = 0; i < REPORT_MOST_RIVALS; i++)
        sum_up(r, i);
}

/* ---- the whole ---- */

/* The highest of the context's own number and all looks at the machine, with whatever number of threads. */
static double ceiling(const bench_file *file, const char *key)
{
    const json_t *list = json_object_get(file->context, "ceilings");
    double best = report_context_number(file, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *looks = json_object_get(json_array_get(list, i), key);
        for (size_t j = 0; j < json_array_size(looks); j++) {
            const json_t *look = json_array_get(looks, j);
            best = fmax(best, json_is_number(look) ? json_number_value(look) : (double)NAN);
        }
    }
    return best > 0.0 ? best : (double)NAN;
}

static gg_status allocate(report *r)
{
    int most = 0;
    void *memory;
    for (int i = 0; i < r->file_count; i++)
        most += r->files[i].count;
    gg_status status = gg_alloc(&memory, (size_t)most * sizeof *r->cases);
    if (status != GG_OK)
        return status;
    r->cases = memory;
    status = gg_alloc(&memory, (size_t)most * sizeof *r->groups);
    if (status == GG_OK)
        r->groups = memory;
    return status;
}

gg_status report_build(report *out, const bench_file *files, int file_count, const bench_file *base,
                       const bench_file *peers, int peer_count)
{
    report r = {.files = files,
                .file_count = file_count,
                .base = base,
                .peers = peers,
                .peer_count = peer_count,
                .peak_gflops = NAN,
                .memory_gbps = NAN};
    const gg_status status = allocate(&r);
    if (status != GG_OK) {
        report_free(&r);
        return status;
    }
    for (int i = 0; i < file_count; i++) {
        r.peak_gflops = fmax(r.peak_gflops, ceiling(&files[i], "fma_peak_gflops"));
        r.memory_gbps = fmax(r.memory_gbps, ceiling(&files[i], "memory_gbps"));
    }
    collect(&r);
    group_cases(&r);
    find_counters(&r);
    for (int i = 0; i < r.count; i++)
        fill_case(&r, &r.cases[i]);
    compare_rivals(&r);
    *out = r;
    return GG_OK;
}

void report_free(report *out)
{
    gg_free(out->cases);
    gg_free(out->groups);
    out->cases = NULL;
    out->groups = NULL;
}
