/* text.c - files as bytes, bytes as numbers. */
#include <gemmgrad/text.h>

#include <stddef.h>
#include <string.h>

#include <gemmgrad/memory.h>

#include "file_io.h"

gg_status gg_text_read(char **text, int64_t *size, const char *path)
{
    static const char call[] = "gg_text_read";
    const char *missing = text == NULL ? "text" : size == NULL ? "size" : path == NULL ? "path" : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", call, missing);
    gg_input_file file;
    gg_status status = gg_input_open(&file, call, path);
    if (status != GG_OK)
        return status;
    void *bytes = NULL;
    if (file.size == 0)
        status = gg_fail(GG_ERR_FORMAT, "%s: '%.300s' is empty", call, path);
    if (status == GG_OK)
        status = gg_alloc(&bytes, (size_t)file.size + 1);
    if (status == GG_OK)
        status = gg_input_read(&file, bytes, file.size);
    gg_input_close(&file);
    if (status != GG_OK) {
        gg_free(bytes);
        return status;
    }
    ((char *)bytes)[file.size] = '\0';
    *text = bytes;
    *size = file.size;
    return GG_OK;
}

/* ---- characters ---- */

/* Numbers and list from which bytes there are. */
static void list_bytes(gg_characters *out, const bool there[GG_CHARACTERS_MOST])
{
    *out = (gg_characters){.count = 0};
    for (int b = 0; b < GG_CHARACTERS_MOST; b++) {
        out->numbers[b] = there[b] ? (int16_t)out->count : (int16_t)-1;
        if (there[b])
            out->bytes[out->count++] = (unsigned char)b;
    }
}

gg_status gg_characters_add(gg_characters *out, const char *text, int64_t size)
{
    bool there[GG_CHARACTERS_MOST] = {false};
    if (out == NULL || (text == NULL && size > 0) || size < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_characters_add: %s", out == NULL ? "out is NULL" : "no text of that size");
    for (int32_t i = 0; i < out->count; i++)
        there[out->bytes[i]] = true;
    for (int64_t i = 0; i < size; i++)
        there[(unsigned char)text[i]] = true;
    list_bytes(out, there);
    return GG_OK;
}

gg_status gg_characters_encode(int32_t *numbers, const char *text, int64_t size, const gg_characters *characters)
{
    static const char call[] = "gg_characters_encode";
    if (characters == NULL || size < 0 || (size > 0 && (numbers == NULL || text == NULL)))
        return gg_fail(GG_ERR_ARGUMENT, "%s: an argument is NULL or the size negative", call);
    for (int64_t i = 0; i < size; i++) {
        const int byte = (unsigned char)text[i];
        if (characters->count == 0 || characters->numbers[byte] < 0)
            return gg_fail(GG_ERR_ARGUMENT, "%s: character %lld, '%c' (byte %d), is none of the %d that are known",
                           call, (long long)i, byte >= ' ' && byte < 127 ? byte : '?', byte, (int)characters->count);
    }
    for (int64_t i = 0; i < size; i++)
        numbers[i] = characters->numbers[(unsigned char)text[i]];
    return GG_OK;
}

void gg_characters_save(char out[GG_CHARACTERS_TEXT], const gg_characters *characters)
{
    static const char digits[] = "0123456789abcdef";
    for (int32_t i = 0; i < characters->count; i++) {
        out[2 * i] = digits[characters->bytes[i] / 16];
        out[2 * i + 1] = digits[characters->bytes[i] % 16];
    }
    out[2 * characters->count] = '\0';
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

gg_status gg_characters_load(gg_characters *out, const char *text)
{
    bool there[GG_CHARACTERS_MOST] = {false};
    int last = -1;
    if (out == NULL || text == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_characters_load: %s is NULL", out == NULL ? "out" : "text");
    for (const char *at = text; *at != '\0'; at += 2) {
        const int high = digit(at[0]), low = high >= 0 ? digit(at[1]) : -1, byte = 16 * high + low;
        if (high < 0 || low < 0 || byte <= last)
            return gg_fail(GG_ERR_FORMAT,
                           "gg_characters_load: '%.40s' is no list of bytes in ascending order, two hexadecimal digits "
                           "each",
                           text);
        there[byte] = true;
        last = byte;
    }
    list_bytes(out, there);
    return GG_OK;
}
