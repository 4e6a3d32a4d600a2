/* html_json.h - JSON as words on a page. */
#ifndef GEMMGRAD_BENCH_HTML_JSON_H
#define GEMMGRAD_BENCH_HTML_JSON_H

#include <jansson.h>

#include "html.h"

/* An object as a list of definitions, key by key; lists and objects inside become words. */
void gg_html_definitions(gg_html *page, const json_t *object);

#endif
