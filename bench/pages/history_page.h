/* history_page.h - a history for people and programs. */
#ifndef GEMMGRAD_BENCH_HISTORY_PAGE_H
#define GEMMGRAD_BENCH_HISTORY_PAGE_H

#include <stdio.h>

#include <jansson.h>

#include "history.h"
#include "html.h"

/* The table of steps. */
void history_print(FILE *out, const history *h); /* history_report.c */

/* A new object: "runs", and "cases" with their medians, levels and steps; NULL when there is no memory. */
json_t *history_json(const history *h); /* history_report.c */

/* The whole page. Failures stay in page->status. */
void history_page(gg_html *page, const history *h, const char *title);

/* "2f3a5b9c01 of 2026-03-01", or the date and the file where there is no commit. */
enum { HISTORY_PLACE_BYTES = 160 };
void history_place(char text[HISTORY_PLACE_BYTES], const history_run *run); /* history_report.c */

/* Whether a step is the step of another machine, as far as the files tell. */
bool history_other_machine(const history_step *step); /* history_report.c */

#endif
