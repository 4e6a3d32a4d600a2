/* html.h - a page of HTML that needs no other file: its frame and look, and text that can do no harm in it.
 *
 * Pages are also well-formed XML. A page grows in memory and is written whole; the first failure stays in its status,
 * and later calls do nothing, so that only the end has to be checked. */
#ifndef GEMMGRAD_BENCH_HTML_H
#define GEMMGRAD_BENCH_HTML_H

#include <stddef.h>

#include <gemmgrad/blas_backend.h>

typedef struct gg_html {
    char *text;
    size_t size, room;
    gg_status status;
} gg_html;

/* Markup of ours and numbers: never words that came from a file or the command line. */
void gg_html_add(gg_html *page, const char *format, ...) GG_PRINTF(2, 3);

/* Any words, escaped, for content and for attributes in double quotes. NULL writes nothing. */
void gg_html_text(gg_html *page, const char *text);

/* The same for the name of a case, which may be broken into lines after each slash. */
void gg_html_name(gg_html *page, const char *name);

/* "1.234 ms"; a dash for NaN. */
void gg_html_time(gg_html *page, double seconds);

/* With so many decimals and what follows (" GB/s"; markup); a dash for NaN. */
void gg_html_number(gg_html *page, double x, int decimals, const char *unit);

/* "1.03x" with a proper sign; a dash for NaN. */
void gg_html_ratio(gg_html *page, double x);

/* Everything up to the content: head, style, and the title as the headline. */
void gg_html_begin(gg_html *page, const char *title);

/* The end of the content, and what made the page. */
void gg_html_end(gg_html *page);

/* A large figure with a label above and a note below: begin, the figure, middle, the note, end. */
void gg_html_fact_begin(gg_html *page, const char *label);
void gg_html_fact_note(gg_html *page);
void gg_html_fact_end(gg_html *page);

/* To a file, as gg_output_bytes, and free. Errors: that of any call before, GG_ERR_IO. */
gg_status gg_html_write(gg_html *page, const char *path);

extern const char gg_html_style[]; /* html_style.c */

#endif
