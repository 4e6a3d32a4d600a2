/* pairs.c - lines of question and answer as character numbers.
 *
 * Two passes over the text: the first checks every line and finds the number of pairs, the lengths and the characters,
 * the second encodes. Nothing is allocated before all is known to be right. */
#include <gemmgrad/pairs.h>

#include <stddef.h>
#include <string.h>

#include <gemmgrad/memory.h>

#include "pairs_lines.h"

/* The next line, without its end; false when there is none. */
typedef struct line {
    const char *start;
    int64_t length, number; /* counted from 1 */
} line;

static bool next_line(line *at, const char *text, int64_t size)
{
    const char *end = text + size, *start = at->number == 0 ? text : at->start + at->length;
    if (at->number > 0) {
        start += start < end && *start == '\r' ? 1 : 0;
        start += start < end && *start == '\n' ? 1 : 0;
    }
    if (start >= end)
        return false;
    const char *stop = memchr(start, '\n', (size_t)(end - start));
    if (stop == NULL)
        stop = end;
    if (stop > start && stop[-1] == '\r')
        stop--;
    *at = (line){start, stop - start, at->number + 1};
    return true;
}

static gg_status refuse(const char *name, const line *at, const char *why)
{
    return gg_fail(GG_ERR_FORMAT, "gg_pairs_read: '%.250s', line %lld: %s", name, (long long)at->number, why);
}

/* *question = bytes before the `_`. Blanks alone are no question and no answer. */
static gg_status check_line(int64_t *question, const line *at, const char *name)
{
    const char *mark = memchr(at->start, '_', (size_t)at->length), *end = at->start + at->length;
    if (at->length > GG_PAIRS_LONGEST)
        return gg_fail(GG_ERR_FORMAT, "gg_pairs_read: '%.250s', line %lld: it has %lld characters, at most %d are read",
                       name, (long long)at->number, (long long)at->length, GG_PAIRS_LONGEST);
    if (memchr(at->start, '\0', (size_t)at->length) != NULL)
        return refuse(name, at, "a zero byte is no text");
    if (mark == NULL)
        return refuse(name, at, "no '_' between question and answer");
    if (memchr(mark + 1, '_', (size_t)(end - mark - 1)) != NULL)
        return refuse(name, at, "a second '_'");
    bool asked = false, answered = false;
    for (const char *c = at->start; c < end; c++) {
        asked |= c < mark && *c != ' ';
        answered |= c > mark && *c != ' ';
    }
    if (!asked || !answered)
        return refuse(name, at, asked ? "no answer behind the '_'" : "no question before the '_'");
    *question = mark - at->start;
    return GG_OK;
}

/* Everything but the numbers themselves. Empty lines are passed over. */
static gg_status measure(gg_pairs *out, const char *text, int64_t size, const char *name)
{
    gg_status status = gg_characters_add(&out->characters, " _", 2);
    for (line at = {NULL, 0, 0}; status == GG_OK && next_line(&at, text, size);) {
        int64_t question = 0;
        if (at.length == 0)
            continue;
        status = check_line(&question, &at, name);
        if (status != GG_OK)
            return status;
        const int64_t answer = at.length - question;
        out->count++;
        out->question_length = question > out->question_length ? question : out->question_length;
        out->answer_length = answer > out->answer_length ? answer : out->answer_length;
        status = gg_characters_add(&out->characters, at.start, at.length);
    }
    if (status == GG_OK && out->count == 0)
        status = gg_fail(GG_ERR_FORMAT, "gg_pairs_read: '%.250s' has no line of text", name);
    return status;
}

gg_status gg_pairs_allocate(gg_pairs *out)
{
    int64_t floats = 0, bytes = 0;
    void *arena = NULL;
    gg_status status = gg_checked_multiply(&floats, out->count, out->question_length + out->answer_length);
    if (status == GG_OK)
        status = gg_checked_multiply(&bytes, floats, (int64_t)sizeof(int32_t));
    if (status == GG_OK)
        status = gg_alloc(&arena, (size_t)bytes);
    if (status != GG_OK)
        return status;
    out->questions = arena;
    out->answers = out->questions + out->count * out->question_length;
    return GG_OK;
}

/* numbers = the text, and blanks up to `room`; all of it is among the characters. */
static void encode(int32_t *numbers, int64_t room, const char *text, int64_t length, const gg_characters *characters)
{
    for (int64_t i = 0; i < room; i++)
        numbers[i] = characters->numbers[i < length ? (unsigned char)text[i] : ' '];
}

void gg_pairs_put(gg_pairs *pairs, int64_t i, const char *question, int64_t question_length, const char *answer,
                  int64_t answer_length)
{
    encode(pairs->questions + i * pairs->question_length, pairs->question_length, question, question_length,
           &pairs->characters);
    encode(pairs->answers + i * pairs->answer_length, pairs->answer_length, answer, answer_length, &pairs->characters);
}

gg_status gg_pairs_parse(gg_pairs *out, const char *text, int64_t size, const char *name)
{
    if (out == NULL || name == NULL || size < 0 || (text == NULL && size > 0))
        return gg_fail(GG_ERR_ARGUMENT, "gg_pairs_parse: an argument is NULL or the size negative");
    gg_pairs pairs = {.count = 0};
    gg_status status = measure(&pairs, text, size, name);
    if (status == GG_OK)
        status = gg_pairs_allocate(&pairs);
    if (status != GG_OK)
        return status;
    int64_t i = 0;
    for (line at = {NULL, 0, 0}; next_line(&at, text, size);) {
        int64_t question = 0;
        if (at.length == 0)
            continue;
        (void)check_line(&question, &at, name); /* it was right before */
        gg_pairs_put(&pairs, i++, at.start, question, at.start + question, at.length - question);
    }
    *out = pairs;
    return GG_OK;
}

gg_status gg_pairs_read(gg_pairs *out, const char *path)
{
    char *text = NULL;
    int64_t size = 0;
    if (out == NULL || path == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_pairs_read: %s is NULL", out == NULL ? "out" : "path");
    gg_status status = gg_text_read(&text, &size, path);
    if (status == GG_OK)
        status = gg_pairs_parse(out, text, size, path);
    gg_free(text);
    return status;
}

void gg_pairs_free(gg_pairs *pairs)
{
    if (pairs == NULL)
        return;
    gg_free(pairs->questions);
    *pairs = (gg_pairs){.count = 0};
}
