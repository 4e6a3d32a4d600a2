/* history.c - from files to series.
 *
 * A file of results holds thousands of samples and a folder perhaps hundreds of files: what is needed of one is copied
 * into a JSON object of our own ({"runs": [{...}], "cases": {name: [median or null, ...]}}), and the file is freed
 * before the next one is read. */
#include "history.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_stats.h"
#include "history_series.h"
#include "outputs.h"
#include "report_cases.h"

/* Changes below three percent are within what a machine does from day to day. */
static const double LEAST_STEP = 0.03;

/* ---- dates ---- */

/* Days from 1970-01-01, by H. Hinnant's days_from_civil: a year that begins in March ends with the leap day. */
static double days_from_civil(int year, int month, int day)
{
    const int y = month <= 2 ? year - 1 : year;
    const int era = y / 400, of_era = y - 400 * era;
    const int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return 146097.0 * era + 365.0 * of_era + of_era / 4 - of_era / 100 + of_year - 719468.0;
}

double history_seconds(const char *date)
{
    int year, month, day, hour, minute, zone_hours = 0, zone_minutes = 0, used = 0;
    double second;
    char sign[2];
    if (date == NULL
        || sscanf(date, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%lf%n", &year, &month, &day, &hour, &minute, &second, &used) < 6)
        return NAN;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31)
        return NAN;
    if (sscanf(date + used, "%1[+-]%2d:%2d", sign, &zone_hours, &zone_minutes) < 3)
        sscanf(date + used, "%1[+-]%2d%2d", sign, &zone_hours, &zone_minutes);
    const double offset = 60.0 * (60.0 * zone_hours + zone_minutes);
    const double local = 86400.0 * days_from_civil(year, month, day) + 3600.0 * hour + 60.0 * minute + second;
    return date[used] == '-' ? local + offset : local - offset;
}

/* ---- one file ---- */

typedef struct reader {
    json_t *runs, *cases;
    const regex_t *filter;
    int skipped;
} reader;

static void skip(reader *r, const char *why)
{
    fprintf(stderr, "gemmgrad history: skipped: %s\n", why);
    r->skipped++;
}

static json_t *describe(const bench_file *file, const char *name)
{
    char machine[256];
    const char *cpu = report_context_text(file, "cpu"), *commit = report_context_text(file, "commit");
    const double threads = report_context_number(file, "threads");
    int length = snprintf(machine, sizeof machine, "%.200s", cpu != NULL ? cpu : "");
    if (isfinite(threads))
        snprintf(machine + length, sizeof machine - (size_t)length, "%s%.0f thread%s", length > 0 ? ", " : "", threads,
                 threads == 1.0 ? "" : "s");
    return json_pack("{s:s, s:s, s:s, s:s}", "file", name, "date", report_context_text(file, "date"), "commit",
                     commit != NULL ? commit : "", "machine", machine);
}

static bool wanted(const reader *r, const bench_file *file, const bench_samples *samples)
{
    if (samples->count == 0 || report_is_raw(file, samples->name))
        return false;
    return r->filter == NULL || regexec(r->filter, samples->name, 0, NULL, 0) == 0;
}

/* The list of a case, filled up with nulls to the run before this one. */
static int add_median(const reader *r, const bench_samples *samples, size_t run)
{
    json_t *list = json_object_get(r->cases, samples->name);
    int failed = 0;
    if (list == NULL) {
        list = json_array();
        failed |= json_object_set_new(r->cases, samples->name, list);
    }
    while (failed == 0 && json_array_size(list) < run)
        failed |= json_array_append_new(list, json_null());
    return failed | json_array_append_new(list, json_real(bench_median(samples->real, samples->count)));
}

static gg_status add_file(reader *r, const bench_file *file, const char *name)
{
    const size_t run = json_array_size(r->runs);
    int failed = json_array_append_new(r->runs, describe(file, name));
    for (int i = 0; i < file->count && failed == 0; i++)
        if (wanted(r, file, &file->cases[i]))
            failed |= add_median(r, &file->cases[i], run);
    return failed == 0 ? GG_OK : gg_fail(GG_ERR_MEMORY, "no memory for the cases of '%.200s'", file->path);
}

static gg_status read_file(reader *r, const char *path, const char *name)
{
    char why[GG_PATH_BYTES + 64];
    bench_file file;
    const gg_status status = bench_file_read(&file, path);
    if (status != GG_OK) {
        skip(r, gg_error_message());
        return status == GG_ERR_MEMORY ? status : GG_OK;
    }
    gg_status added = GG_OK;
    const char *lacking = !isfinite(history_seconds(report_context_text(&file, "date"))) ? "has no date in its context"
                          : report_context_text(&file, "peer") != NULL                   ? "holds results of a peer"
                                                                                         : NULL;
    if (lacking != NULL) {
        snprintf(why, sizeof why, "'%s' %s", path, lacking);
        skip(r, why);
    } else {
        added = add_file(r, &file, name);
    }
    bench_file_free(&file);
    return added;
}

/* ---- the folder ---- */

static bool ends_in_json(const char *name)
{
    const size_t size = strlen(name);
    return name[0] != '.' && size > 5 && strcmp(name + size - 5, ".json") == 0;
}

static int by_text(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    return strcmp(json_string_value(*x), json_string_value(*y));
}

/* Names in an array of JSON strings, in order: that of a folder is different on every machine. */
static gg_status list_folder(json_t *names, const char *folder)
{
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return gg_fail(GG_ERR_IO, "cannot open the folder '%.300s': %s", folder, strerror(errno));
    int failed = 0;
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream))
        if (ends_in_json(entry->d_name)) {
            /* A name that is no UTF-8 gives no string, and no page could show it. */
            json_t *name = json_string(entry->d_name);
            if (name != NULL)
                failed |= json_array_append_new(names, name);
            else
                fprintf(stderr, "gemmgrad history: skipped a file in '%s' whose name is no UTF-8\n", folder);
        }
    closedir(stream);
    return failed == 0 ? GG_OK : gg_fail(GG_ERR_MEMORY, "no memory for the names in '%.300s'", folder);
}

static gg_status read_sorted(reader *r, const char *folder, json_t **sorted, size_t count)
{
    gg_status status = GG_OK;
    qsort(sorted, count, sizeof *sorted, by_text);
    for (size_t i = 0; i < count && status == GG_OK; i++) {
        char path[GG_PATH_BYTES];
        const char *name = json_string_value(sorted[i]);
        const char *slash = folder[0] != '\0' && folder[strlen(folder) - 1] == '/' ? "" : "/";
        if (snprintf(path, sizeof path, "%s%s%s", folder, slash, name) < (int)sizeof path)
            status = read_file(r, path, name);
        else
            skip(r, "a path that is too long");
    }
    return status;
}

static gg_status read_folder(reader *r, const char *folder)
{
    json_t *names = json_array();
    void *memory = NULL;
    gg_status status = names != NULL ? list_folder(names, folder) : gg_fail(GG_ERR_MEMORY, "no memory for names");
    const size_t count = json_array_size(names);
    if (status == GG_OK)
        status = gg_alloc(&memory, count * sizeof(json_t *));
    json_t **sorted = memory;
    for (size_t i = 0; i < count && status == GG_OK; i++)
        sorted[i] = json_array_get(names, i);
    if (status == GG_OK && count > 0)
        status = read_sorted(r, folder, sorted, count);
    gg_free(memory);
    json_decref(names);
    return status;
}

/* ---- the whole ---- */

static gg_status arrange(history *out, const reader *r, const char *folder)
{
    if (json_array_size(r->runs) == 0)
        return gg_fail(GG_ERR_FORMAT, "'%.300s' holds no usable file of results (%d skipped)", folder, r->skipped);
    if (json_object_size(r->cases) == 0)
        return gg_fail(GG_ERR_FORMAT, "no case in '%.300s' matches --filter, or has a sample", folder);
    return history_arrange(out, LEAST_STEP);
}

gg_status history_read(history *out, const char *folder, const regex_t *filter)
{
    reader r = {.runs = json_array(), .cases = json_object(), .filter = filter};
    history h = {.root = json_pack("{s:o, s:o}", "runs", r.runs, "cases", r.cases)};
    gg_status status = h.root != NULL ? read_folder(&r, folder) : gg_fail(GG_ERR_MEMORY, "no memory for a history");
    if (status == GG_OK)
        status = arrange(&h, &r, folder);
    h.skipped = r.skipped;
    if (status == GG_OK)
        *out = h;
    else
        history_free(&h);
    return status;
}

void history_free(history *out)
{
    json_decref(out->root);
    gg_free(out->memory);
    *out = (history){.root = NULL};
}
