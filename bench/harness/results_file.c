/* results_file.c - the way in for files of results. One pass names the cases and counts their samples, a second one
 * fills them in; a hash from names to places keeps both linear in the size of the file, whoever wrote it. */
#include "results_file.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the text ---- */

/* Many programs write these where a measurement failed; of a sign before them the reader says no more. */
static bool is_no_number(const char *text)
{
    static const char *const words[] = {"near 'nan", "near 'NaN", "near 'inf", "near 'Inf", "near '-'"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(text, words[i]) != NULL)
            return true;
    return false;
}

static gg_status report_json(const char *path, const json_error_t *error)
{
    if (json_error_code(error) == json_error_out_of_memory)
        return gg_fail(GG_ERR_MEMORY, "no memory for the JSON of '%.200s'", path);
    return gg_fail(GG_ERR_FORMAT, "'%.200s' is no complete JSON: line %d, column %d: %.160s%s", path, error->line,
                   error->column, error->text,
                   is_no_number(error->text)
                       ? "; a time that is not a number was written there, which JSON has no word "
                         "for: measure that case again"
                       : "");
}

static gg_status load_stream(json_t **out, FILE *file, const char *path)
{
    json_error_t error;
    /* A key written twice has two meanings, and which of them counts would be a guess. */
    json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    if (ferror(file)) {
        json_decref(root);
        return gg_fail(GG_ERR_IO, "cannot read '%.200s': %s", path, strerror(errno));
    }
    if (root == NULL)
        return report_json(path, &error);
    *out = root;
    return GG_OK;
}

static gg_status load(json_t **out, const char *path)
{
    struct stat about;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return gg_fail(GG_ERR_IO, "cannot open '%.200s': %s", path, strerror(errno));
    gg_status status;
    if (fstat(fileno(file), &about) == 0 && S_ISDIR(about.st_mode))
        status = gg_fail(GG_ERR_IO, "'%.200s' is a folder, expected a file", path);
    else
        status = load_stream(out, file, path);
    fclose(file);
    return status;
}

/* ---- one entry ---- */

typedef enum entry_kind { SAMPLE, MEDIAN, FAILURE, IGNORED } entry_kind;

/* What the passes share. */
typedef struct reader {
    bench_file file;
    const json_t *list; /* the entries */
} reader;

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static bool is_text(const json_t *entry, const char *key, const char *expected)
{
    const char *text = text_of(entry, key);
    return text != NULL && strcmp(text, expected) == 0;
}

/* Aggregates other than the median can be had from the samples, and a skipped benchmark says nothing. */
static entry_kind kind_of(const json_t *entry)
{
    if (json_is_true(json_object_get(entry, "error_occurred")))
        return FAILURE;
    if (json_is_true(json_object_get(entry, "skipped")))
        return IGNORED;
    if (is_text(entry, "run_type", "aggregate"))
        return is_text(entry, "aggregate_name", "median") ? MEDIAN : IGNORED;
    return SAMPLE;
}

/* Files of before run_name was invented have only name. */
static const char *name_of(const json_t *entry)
{
    const char *name = text_of(entry, "run_name");
    return name != NULL ? name : text_of(entry, "name");
}

static double seconds_in(const char *unit)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}};
    for (size_t i = 0; unit != NULL && i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].seconds;
    return NAN;
}

static gg_status read_sample(double *out, const json_t *entry, const char *path)
{
    const char *unit = text_of(entry, "time_unit");
    const json_t *time = json_object_get(entry, "real_time");
    const double scale = seconds_in(unit), seconds = json_number_value(time) * scale;
    if (isnan(scale))
        return gg_fail(GG_ERR_FORMAT, "'%.200s': '%.100s' has the time_unit '%.20s', expected ns, us, ms or s", path,
                       name_of(entry), unit != NULL ? unit : "(none)");
    if (!json_is_number(time) || !isfinite(seconds) || seconds <= 0.0)
        return gg_fail(GG_ERR_FORMAT, "'%.200s': '%.100s' has a real_time that is no number above 0", path,
                       name_of(entry));
    *out = seconds;
    return GG_OK;
}

/* ---- the passes ---- */

static bench_samples *find(const bench_file *file, const char *name)
{
    const json_t *place = json_object_get(file->places, name);
    return place != NULL ? &file->cases[json_integer_value(place)] : NULL;
}

/* The case of that name, new if need be; NULL where there is no memory. */
static bench_samples *find_or_add(bench_file *file, const char *name)
{
    if (json_object_get(file->places, name) != NULL)
        return find(file, name);
    if (json_object_set_new(file->places, name, json_integer(file->count)) != 0)
        return NULL;
    bench_samples *added = &file->cases[file->count++];
    *added = (bench_samples){.name = name};
    return added;
}

static void count_in(bench_samples *samples, const json_t *entry, entry_kind kind)
{
    if (kind == SAMPLE)
        samples->count++;
    if (kind == MEDIAN)
        samples->medians = entry;
    if (kind == FAILURE && samples->error == NULL)
        samples->error = text_of(entry, "error_message") != NULL ? text_of(entry, "error_message") : "no message";
}

static gg_status count_entry(reader *r, size_t i)
{
    const json_t *entry = json_array_get(r->list, i);
    const entry_kind kind = kind_of(entry);
    if (name_of(entry) == NULL)
        return gg_fail(GG_ERR_FORMAT, "'%.200s': entry %zu of \"benchmarks\" has no name", r->file.path, i);
    if (kind == IGNORED)
        return GG_OK;
    bench_samples *samples = find_or_add(&r->file, name_of(entry));
    if (samples == NULL)
        return gg_fail(GG_ERR_MEMORY, "no memory for the cases of '%.200s'", r->file.path);
    count_in(samples, entry, kind);
    return GG_OK;
}

/* Their samples lie one after the other behind the cases; what is counted again from 0 is filled in next. */
static gg_status place_samples(bench_file *file, double *next)
{
    for (int i = 0; i < file->count; i++) {
        bench_samples *samples = &file->cases[i];
        if (samples->count == 0 && samples->error == NULL)
            return gg_fail(GG_ERR_FORMAT, "'%.200s': '%.100s' has a median but no samples, which a comparison needs",
                           file->path, samples->name);
        samples->real = next;
        next += samples->count;
        samples->count = 0;
    }
    return GG_OK;
}

/* Repetitions before a failure are no result: a case that failed keeps none. */
static gg_status fill_entry(const reader *r, size_t i)
{
    const json_t *entry = json_array_get(r->list, i);
    if (kind_of(entry) != SAMPLE)
        return GG_OK;
    bench_samples *samples = find(&r->file, name_of(entry));
    if (samples->error != NULL)
        return GG_OK;
    const gg_status status = read_sample(&samples->real[samples->count], entry, r->file.path);
    samples->count += status == GG_OK;
    return status;
}

static gg_status read_entries(reader *r, size_t entries)
{
    gg_status status = GG_OK;
    for (size_t i = 0; i < entries && status == GG_OK; i++)
        status = count_entry(r, i);
    if (status == GG_OK && r->file.count == 0)
        status = gg_fail(GG_ERR_FORMAT, "'%.200s' holds no benchmark", r->file.path);
    if (status == GG_OK)
        status = place_samples(&r->file, (double *)(void *)(r->file.cases + entries));
    for (size_t i = 0; i < entries && status == GG_OK; i++)
        status = fill_entry(r, i);
    return status;
}

/* One block holds all cases and all samples: there are no more of either than entries. */
static gg_status read_list(reader *r)
{
    const size_t entries = json_array_size(r->list);
    void *memory = NULL;
    if (entries > INT_MAX)
        return gg_fail(GG_ERR_FORMAT, "'%.200s' holds more benchmarks than can be counted", r->file.path);
    const gg_status status = gg_alloc(&memory, entries * (sizeof(bench_samples) + sizeof(double)));
    if (status != GG_OK)
        return status;
    r->file.cases = memory;
    r->file.places = json_object();
    if (r->file.places == NULL)
        return gg_fail(GG_ERR_MEMORY, "no memory for the cases of '%.200s'", r->file.path);
    return read_entries(r, entries);
}

static gg_status read_root(reader *r)
{
    r->file.context = json_object_get(r->file.root, "context");
    r->list = json_object_get(r->file.root, "benchmarks");
    if (!json_is_object(r->file.context) || !json_is_array(r->list))
        return gg_fail(GG_ERR_FORMAT,
                       "'%.200s' is JSON but no file of results: expected an object \"context\" and an array "
                       "\"benchmarks\"",
                       r->file.path);
    return read_list(r);
}

gg_status bench_file_read(bench_file *out, const char *path)
{
    reader r = {.file = {.path = path}};
    gg_status status = load(&r.file.root, path);
    if (status == GG_OK)
        status = read_root(&r);
    if (status == GG_OK)
        *out = r.file;
    else
        bench_file_free(&r.file);
    return status;
}

void bench_file_free(bench_file *file)
{
    gg_free(file->cases);
    json_decref(file->places);
    json_decref(file->root);
    *file = (bench_file){.path = NULL};
}

/* ---- looking things up ---- */

const bench_samples *bench_file_find(const bench_file *file, const char *name)
{
    return find(file, name);
}

double bench_samples_counter(const bench_samples *samples, const char *counter)
{
    const json_t *value = json_object_get(samples->medians, counter);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}
