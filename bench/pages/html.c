/* html.c - pages that grow in memory. */
#include "html.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "outputs.h"

/* ---- growing ---- */

static bool make_room(gg_html *page, size_t more)
{
    void *memory;
    if (page->status != GG_OK)
        return false;
    if (page->room - page->size > more)
        return true;
    const size_t room = 2 * (page->size + more) + 65536;
    page->status = gg_alloc(&memory, room);
    if (page->status != GG_OK)
        return false;
    if (page->size > 0)
        memcpy(memory, page->text, page->size);
    gg_free(page->text);
    page->text = memory;
    page->room = room;
    return true;
}

static void append(gg_html *page, const char *bytes, size_t size)
{
    if (!make_room(page, size))
        return;
    memcpy(page->text + page->size, bytes, size);
    page->size += size;
}

void gg_html_add(gg_html *page, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= 0 && length < (int)sizeof text)
        append(page, text, (size_t)length);
    else if (page->status == GG_OK)
        page->status = gg_fail(GG_ERR_INTERNAL, "gg_html_add: a piece of a page is longer than a line");
}

/* ---- words ---- */

/* Bytes of the UTF-8 character there, 0 for bytes that are none. */
static size_t character_size(const char *text)
{
    const unsigned char first = (unsigned char)text[0];
    const size_t size = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
    for (size_t i = 1; i < size; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

/* Characters with a meaning in HTML, and those that XML does not allow at all. */
static const char *replacement(const char *text, size_t size)
{
    const unsigned char first = (unsigned char)text[0];
    switch (first) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: break;
    }
    const bool control = first < 0x20 && first != '\n' && first != '\t';
    const bool surrogate = size == 3 && first == 0xed && (unsigned char)text[1] >= 0xa0;
    const bool no_character =
        size == 3 && first == 0xef && memcmp(text, "\xef\xbf\xbe", 2) == 0 && (unsigned char)text[2] >= 0xbe;
    return size == 0 || control || first == 0x7f || surrogate || no_character ? "\xef\xbf\xbd" : NULL;
}

void gg_html_text(gg_html *page, const char *text)
{
    while (text != NULL && *text != '\0') {
        const size_t size = character_size(text);
        const char *instead = replacement(text, size);
        if (instead != NULL)
            append(page, instead, strlen(instead));
        else
            append(page, text, size);
        text += size > 0 ? size : 1;
    }
}

void gg_html_name(gg_html *page, const char *name)
{
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(name, '/')) {
        char part[256];
        const size_t size = (size_t)(slash + 1 - name);
        if (size >= sizeof part)
            break;
        memcpy(part, name, size);
        part[size] = '\0';
        gg_html_text(page, part);
        gg_html_add(page, "<wbr/>");
        name = slash + 1;
    }
    gg_html_text(page, name);
}

/* ---- numbers ---- */

static const char DASH[] = "\xe2\x80\x93";

void gg_html_time(gg_html *page, double seconds)
{
    static const struct {
        double below, scale;
        const char *unit;
    } units[] = {{1e-6, 1e9, "ns"}, {1e-3, 1e6, "\xc2\xb5s"}, {1.0, 1e3, "ms"}, {INFINITY, 1.0, "s"}};
    int i = 0;
    if (!isfinite(seconds)) {
        append(page, DASH, strlen(DASH));
        return;
    }
    while (seconds >= units[i].below)
        i++;
    const double x = seconds * units[i].scale;
    gg_html_add(page, "%.*f&#160;%s", x < 10.0 ? 2 : x < 100.0 ? 1 : 0, x, units[i].unit);
}

void gg_html_number(gg_html *page, double x, int decimals, const char *unit)
{
    if (isfinite(x))
        gg_html_add(page, "%.*f%s", decimals, x, unit);
    else
        append(page, DASH, strlen(DASH));
}

void gg_html_ratio(gg_html *page, double x)
{
    gg_html_number(page, x, x < 0.095 ? 4 : 2, "\xc3\x97");
}

/* ---- the frame ---- */

void gg_html_begin(gg_html *page, const char *title)
{
    gg_html_add(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>");
    gg_html_text(page, title);
    gg_html_add(page, "</title>\n<style>\n");
    append(page, gg_html_style, strlen(gg_html_style));
    gg_html_add(page, "</style>\n</head>\n<body>\n<main>\n<h1>");
    gg_html_text(page, title);
    gg_html_add(page, "</h1>\n");
}

void gg_html_end(gg_html *page)
{
    gg_html_add(page, "</main>\n<footer>gemmgrad %s</footer>\n</body>\n</html>\n", gg_version());
}

void gg_html_fact_begin(gg_html *page, const char *label)
{
    gg_html_add(page, "<div class=\"fact\"><div class=\"label\">");
    gg_html_text(page, label);
    gg_html_add(page, "</div><div class=\"figure\">");
}

void gg_html_fact_note(gg_html *page)
{
    gg_html_add(page, "</div><div class=\"note\">");
}

void gg_html_fact_end(gg_html *page)
{
    gg_html_add(page, "</div></div>\n");
}

gg_status gg_html_write(gg_html *page, const char *path)
{
    gg_status status = page->status;
    if (status == GG_OK)
        status = gg_output_bytes(path, page->text, page->size);
    gg_free(page->text);
    *page = (gg_html){.status = status};
    return status;
}
