/* report.h - what a training amounted to: the table and the JSON. */
#ifndef GEMMGRAD_BENCH_REPORT_H
#define GEMMGRAD_BENCH_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "environment.h"
#include "run.h"

/* One column for each run, the environment and the method below. */
void gg_report_table(FILE *out, const gg_run *runs, int count, const gg_environment *environment);

/* A new object with the keys of `gemmgrad train --json`; NULL when there is no memory. */
json_t *gg_report_json(const gg_run *run, const gg_environment *environment);

#endif
