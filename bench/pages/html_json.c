/* html_json.c - JSON as words on a page. */
#include "html_json.h"

#include <stdbool.h>
#include <stdint.h>

/* Deeper than anything a file of results holds; what lies below is left out. */
enum { DEEPEST = 6 };

static void add_value(gg_html *page, const json_t *value, int depth);

static void add_list(gg_html *page, const json_t *list, int depth)
{
    const char *separator = json_is_object(json_array_get(list, 0)) ? "; " : ", ";
    for (size_t i = 0; i < json_array_size(list); i++) {
        gg_html_text(page, i > 0 ? separator : "");
        add_value(page, json_array_get(list, i), depth + 1);
    }
}

static void add_members(gg_html *page, const json_t *object, int depth)
{
    /* Walking asks for an object that may be changed, and this one is not. */
    json_t *walked = json_copy((json_t *)(uintptr_t)object);
    void *at = json_object_iter(walked);
    for (bool first = true; at != NULL; first = false, at = json_object_iter_next(walked, at)) {
        gg_html_text(page, first ? "" : ", ");
        gg_html_text(page, json_object_iter_key(at));
        gg_html_text(page, " ");
        add_value(page, json_object_iter_value(at), depth + 1);
    }
    json_decref(walked);
}

static void add_value(gg_html *page, const json_t *value, int depth)
{
    if (json_is_string(value))
        gg_html_text(page, json_string_value(value));
    else if (json_is_integer(value))
        gg_html_add(page, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        gg_html_add(page, "%.6g", json_real_value(value));
    else if (json_is_boolean(value))
        gg_html_text(page, json_is_true(value) ? "yes" : "no");
    else if (json_is_null(value))
        gg_html_text(page, "unknown");
    else if (depth < DEEPEST && json_is_array(value))
        add_list(page, value, depth);
    else if (depth < DEEPEST)
        add_members(page, value, depth);
}

void gg_html_definitions(gg_html *page, const json_t *object)
{
    json_t *walked = json_copy((json_t *)(uintptr_t)object);
    gg_html_add(page, "<dl>\n");
    for (void *at = json_object_iter(walked); at != NULL; at = json_object_iter_next(walked, at)) {
        gg_html_add(page, "<dt>");
        gg_html_text(page, json_object_iter_key(at));
        gg_html_add(page, "</dt><dd>");
        add_value(page, json_object_iter_value(at), 0);
        gg_html_add(page, "</dd>\n");
    }
    gg_html_add(page, "</dl>\n");
    json_decref(walked);
}
