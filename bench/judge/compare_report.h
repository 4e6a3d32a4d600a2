/* compare_report.h - a comparison as a table for a terminal, as Markdown for a pull request, as JSON. */
#ifndef GEMMGRAD_BENCH_COMPARE_REPORT_H
#define GEMMGRAD_BENCH_COMPARE_REPORT_H

#include <stdio.h>

#include "compare.h"

typedef struct bench_compare_report {
    const bench_comparisons *all;
    const bench_file *base, *fresh;
    bench_compare_settings settings;
    int exit_code; /* of the program, for the JSON */
} bench_compare_report;

/* Both print what a bench_compare_report says; the pointer is one, as gg_output_text hands it over. */
void bench_compare_print_table(FILE *out, const void *report);
void bench_compare_print_markdown(FILE *out, const void *report);

/* NULL when there is no memory. */
json_t *bench_compare_json(const bench_compare_report *report);

#endif
