/* history.h - the medians of every case over the result files of a folder, in the order of their dates. */
#ifndef GEMMGRAD_BENCH_HISTORY_H
#define GEMMGRAD_BENCH_HISTORY_H

#include <regex.h>
#include <stdbool.h>

#include <jansson.h>

#include "steps.h"

/* One file. Strings belong to the history. */
typedef struct history_run {
    const char *file;    /* its name in the folder */
    const char *date;    /* as it stands in the file */
    const char *commit;  /* "" where the file does not tell */
    const char *machine; /* CPU and threads; "" likewise */
    double seconds;      /* the date, since 1970 */
    int place;           /* among the files as they were read */
} history_run;

/* The runs that hold the case, and the levels of its medians. */
typedef struct history_case {
    const char *name;
    const int *runs; /* count indices into runs, rising */
    const double *medians;
    int count;
    const bench_level *levels;
    int level_count;
} history_case;

typedef struct history {
    json_t *root; /* owns the strings */
    void *memory; /* owns the arrays below */
    history_run *runs;
    int run_count;
    history_case *cases; /* in the order of their first appearance by name of file */
    int case_count;
    int step_count, skipped; /* files that could not be used */
} history;

/* A step of a case: levels[step - 1] to levels[step], step from 1. */
typedef struct history_step {
    double from, to, percent;
    const history_run *before, *run; /* the last run of the old level, the first of the new one */
} history_step;

/* Read every *.json of the folder; NULL for filter takes all cases. Raw calls beside a case are left out. Files that
 * cannot be used are named on stderr. Free with history_free. Errors: GG_ERR_IO (no such folder), GG_ERR_FORMAT (no
 * usable file, no case that matches), GG_ERR_MEMORY. */
gg_status history_read(history *out, const char *folder, const regex_t *filter);

void history_free(history *out);

history_step history_step_at(const history *h, const history_case *line, int step);

/* Seconds since 1970 of "2026-03-01T12:00:00+01:00" (also Z, +0100, or no zone: then UTC); NaN for anything else. */
double history_seconds(const char *date);

#endif
