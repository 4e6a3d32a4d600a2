/* json_text.c - strict JSON strings and natural numbers, decoded in place (RFC 8259, RFC 3629). */
#include "json_text.h"

#include <string.h>

gg_json gg_json_make(char *text, int64_t bytes)
{
    return (gg_json){text, text, text + bytes, "nothing"};
}

static bool wrong(gg_json *json, const char *problem)
{
    json->problem = problem;
    return false;
}

bool gg_json_at_end(gg_json *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
        json->at++;
    return json->at == json->end;
}

bool gg_json_take(gg_json *json, char byte)
{
    if (gg_json_at_end(json) || *json->at != byte)
        return false;
    json->at++;
    return true;
}

bool gg_json_need(gg_json *json, char byte)
{
    if (gg_json_take(json, byte))
        return true;
    switch (byte) {
    case '{': return wrong(json, "'{' expected");
    case '}': return wrong(json, "',' or '}' expected");
    case '[': return wrong(json, "'[' expected");
    case ']': return wrong(json, "',' or ']' expected");
    case ':': return wrong(json, "':' expected");
    case ',': return wrong(json, "',' expected");
    default: return wrong(json, "a string expected");
    }
}

/* A character of 2, 3 or 4 bytes must continue with bytes 10xxxxxx, be the shortest form of its code point (from
 * `least` on), not be a surrogate, and lie below 0x110000. */
size_t gg_utf8_character(const char *at, size_t left)
{
    const unsigned char *byte = (const unsigned char *)at;
    if (left == 0)
        return 0;
    if (byte[0] < 0x80)
        return 1;
    const size_t length = byte[0] >= 0xF0 ? 4 : byte[0] >= 0xE0 ? 3 : 2;
    const uint32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
    if (byte[0] < 0xC0 || byte[0] >= 0xF8 || left < length)
        return 0;
    uint32_t point = byte[0] & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (byte[i] & 0x3FU);
    }
    const bool surrogate = point >= 0xD800 && point < 0xE000;
    return point >= least && point < 0x110000 && !surrogate ? length : 0;
}

static char *put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    const uint32_t mark = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
    *to++ = (char)(mark | point >> (6 * more));
    for (int i = more - 1; i >= 0; i--)
        *to++ = (char)(0x80 | (point >> (6 * i) & 0x3F));
    return to;
}

/* The four digits of \uXXXX, after the u. */
static bool hexadecimal(gg_json *json, uint32_t *value)
{
    if (json->end - json->at < 4)
        return wrong(json, "a string without end");
    *value = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char byte = *json->at++;
        const char *digit = byte != '\0' ? strchr(digits, byte) : NULL;
        if (digit == NULL)
            return wrong(json, "four hexadecimal digits expected after \\u");
        const uint32_t place = (uint32_t)(digit - digits);
        *value = *value << 4 | (place < 16 ? place : place - 6);
    }
    return true;
}

/* \uXXXX, or two of them for a code point above 0xFFFF: \uD83D\uDE00. */
static bool unicode_escape(gg_json *json, char **to)
{
    uint32_t point;
    if (!hexadecimal(json, &point))
        return false;
    if (point == 0)
        return wrong(json, "U+0000 in a string");
    if (point >= 0xD800 && point < 0xDC00 && json->end - json->at >= 2 && json->at[0] == '\\' && json->at[1] == 'u') {
        uint32_t low;
        json->at += 2;
        if (!hexadecimal(json, &low))
            return false;
        if (low < 0xDC00 || low >= 0xE000)
            return wrong(json, "half a surrogate pair");
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (point >= 0xD800 && point < 0xE000)
        return wrong(json, "half a surrogate pair");
    *to = put_utf8(*to, point);
    return true;
}

/* After a backslash. */
static bool escape(gg_json *json, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (json->at == json->end)
        return wrong(json, "a string without end");
    const char letter = *json->at++;
    if (letter == 'u')
        return unicode_escape(json, to);
    const char *place = letter != '\0' ? strchr(letters, letter) : NULL;
    if (place == NULL)
        return wrong(json, "an unknown escape in a string");
    *(*to)++ = meanings[place - letters];
    return true;
}

/* Decoding never lengthens (\uXXXX is 6 bytes for at most 3): the NUL fits where the closing quote was, or before. */
bool gg_json_string(gg_json *json, const char **text)
{
    if (!gg_json_need(json, '"'))
        return false;
    char *const first = json->at;
    char *to = first;
    while (json->at < json->end && *json->at != '"') {
        const size_t length = gg_utf8_character(json->at, (size_t)(json->end - json->at));
        if (length == 0)
            return wrong(json, "bytes that are not UTF-8");
        if ((unsigned char)*json->at < 0x20)
            return wrong(json, "a control character in a string");
        if (*json->at == '\\') {
            json->at++;
            if (!escape(json, &to))
                return false;
            continue;
        }
        memmove(to, json->at, length);
        to += length;
        json->at += length;
    }
    if (json->at == json->end)
        return wrong(json, "a string without end");
    json->at++;
    *to = '\0';
    *text = first;
    return true;
}

bool gg_json_natural(gg_json *json, int64_t *number)
{
    if (gg_json_at_end(json) || *json->at < '0' || *json->at > '9')
        return wrong(json, "a natural number expected");
    const char *const first = json->at;
    int64_t value = 0;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9') {
        const int digit = *json->at - '0';
        if (value > (INT64_MAX - digit) / 10)
            return wrong(json, "a number beyond 63 bits");
        value = value * 10 + digit;
        json->at++;
    }
    if (*first == '0' && json->at - first > 1)
        return wrong(json, "a number with a leading zero");
    if (json->at < json->end && (*json->at == '.' || *json->at == 'e' || *json->at == 'E'))
        return wrong(json, "a natural number expected, without fraction or exponent");
    *number = value;
    return true;
}
