/* results_file.h - a result file of `gemmgrad bench --json`, or of anything that writes google-benchmark's schema, read
 * back and checked: nothing in it is trusted. */
#ifndef GEMMGRAD_BENCH_RESULTS_FILE_H
#define GEMMGRAD_BENCH_RESULTS_FILE_H

#include <stdbool.h>

#include <jansson.h>

#include <gemmgrad/blas_backend.h>

/* One benchmark: the entries of one run_name. */
typedef struct bench_samples {
    const char *name;      /* run_name */
    double *real;          /* count samples: seconds of a repetition by the wall (time_unit ns, us, ms, s is undone) */
    int count;             /* 0 for a case that failed */
    const char *error;     /* NULL, or error_message of an entry with error_occurred */
    const json_t *medians; /* the aggregate "median" with its counters, or NULL */
} bench_samples;

typedef struct bench_file {
    const char *path;      /* as given; belongs to the caller */
    json_t *root;          /* owns all strings and medians */
    json_t *places;        /* from names to places in cases */
    const json_t *context; /* an object */
    bench_samples *cases;  /* in the order of their first entries */
    int count;
} bench_file;

/* Read and check a file. Free with bench_file_free. Errors, *out untouched, the message with the path and, for bad
 * JSON, line and column: GG_ERR_IO (missing, unreadable, a folder), GG_ERR_FORMAT (truncated, no JSON, no object with
 * "context" and "benchmarks", an entry without a name, a sample that is no finite number above 0, an unknown
 * time_unit, no benchmark at all), GG_ERR_MEMORY. */
gg_status bench_file_read(bench_file *out, const char *path);

void bench_file_free(bench_file *file);

/* The case of that name, or NULL. */
const bench_samples *bench_file_find(const bench_file *file, const char *name);

/* A counter of the median ("gflops", "roofline_fraction", "ratio_raw"), or NaN. */
double bench_samples_counter(const bench_samples *samples, const char *counter);

#endif
