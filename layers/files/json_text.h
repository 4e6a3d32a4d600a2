/* json_text.h - a strict reader of the JSON that file headers are made of: punctuation, strings, natural numbers.
 *
 * Not jansson: when memory runs out while it reads a string longer than 15 bytes, jansson 2.14 drops a byte of it and
 * reports success (lex_save ignores what strbuffer_append_byte says), and its errors do not tell a lack of memory from
 * a wrong character. Here strings are decoded where they stand, so reading allocates nothing and a header of 100 MB
 * costs 100 MB. */
#ifndef GEMMGRAD_JSON_TEXT_H
#define GEMMGRAD_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gg_json {
    char *start, *at, *end; /* the text, writable; where the reader stands; one past the last byte */
    const char *problem;    /* what was wrong, after a function returned false */
} gg_json;

gg_json gg_json_make(char *text, int64_t bytes);

/* Skip white space, then take this byte if it comes next. */
bool gg_json_take(gg_json *json, char byte);

/* The same, but its absence is a problem. */
bool gg_json_need(gg_json *json, char byte);

/* Whether nothing but white space is left. */
bool gg_json_at_end(gg_json *json);

/* A string: *text points into the buffer, decoded, ended by a NUL. Refuses bytes that are not UTF-8, control
 * characters, and U+0000. */
bool gg_json_string(gg_json *json, const char **text);

/* 0 .. 2^63 - 1 in decimal digits; refuses signs, fractions, exponents, leading zeros. */
bool gg_json_natural(gg_json *json, int64_t *number);

/* Length (1 .. 4) of the UTF-8 character that starts at `at`, of which `left` bytes are there; 0 when it is none. */
size_t gg_utf8_character(const char *at, size_t left);

#endif
