/* report_page.h - the sections of a report. */
#ifndef GEMMGRAD_BENCH_REPORT_PAGE_H
#define GEMMGRAD_BENCH_REPORT_PAGE_H

#include "html.h"
#include "report_cases.h"

/* The whole page. title: NULL for one that tells the machine. Failures stay in page->status. */
void report_page(gg_html *page, const report *r, const char *title);

/* Every case in a plot of GFLOP/s over flops per byte, below the roof; nothing where no case can be placed. */
void report_roofline(gg_html *page, const report *r); /* report_roofline.c */

/* Bars of the ratios to a rival, groups first; nothing where there are none. */
void report_bars(gg_html *page, const report *r, int rival); /* report_bars.c */

/* Every sample of every case. */
void report_strips(gg_html *page, const report *r); /* report_strips.c */

/* Name and count of a group, for <summary> and headings. */
void report_group_name(gg_html *page, const report_group *group);

#endif
