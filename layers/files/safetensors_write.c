/* safetensors_write.c - writing safetensors files: check, build the header, replace the file atomically.
 *
 * The header is written twice by the same code: into nothing, to learn its size, then into a buffer of that size. It is
 * padded with spaces to a multiple of 8 bytes, so that the data of a file mapped into memory is aligned. */
#include <gemmgrad/safetensors.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/memory.h>

#include "file_io.h"
#include "safetensors_format.h"

static const char call[] = "gg_safetensors_write";

/* What is to be written. */
typedef struct contents {
    const gg_tensor *tensors;
    int64_t tensor_count;
    const gg_metadata **metadata; /* in the order of their keys */
    int64_t metadata_count;
} contents;

/* ---- checks ---- */

static gg_status check_tensor(const gg_tensor *tensor, int64_t i, int64_t *bytes)
{
    const char *name = tensor->name;
    const long long number = (long long)i;
    if (name == NULL || name[0] == '\0' || strcmp(name, GG_SAFETENSORS_METADATA) == 0 || !gg_is_utf8(name))
        return gg_fail(GG_ERR_ARGUMENT, "%s: the name of tensors[%lld] is NULL, empty, reserved or not UTF-8", call,
                       number);
    if (gg_tensor_bytes(tensor, bytes) != GG_OK) {
        char why[128];
        (void)snprintf(why, sizeof why, "%s", gg_error_message());
        return gg_fail(GG_ERR_ARGUMENT, "%s: tensors[%lld] '%.100s': %s", call, number, name, why);
    }
    if (tensor->data == NULL && *bytes > 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: the data of tensors[%lld] '%.100s' is NULL", call, number, name);
    return GG_OK;
}

static int compare_names(const void *a, const void *b)
{
    const gg_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int compare_keys(const void *a, const void *b)
{
    const gg_metadata *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static gg_status check_unique_names(const gg_tensor *tensors, int64_t count)
{
    void *array = NULL;
    const gg_status status = gg_alloc(&array, (size_t)count * sizeof(void *));
    if (status != GG_OK || count == 0)
        return status;
    const gg_tensor **sorted = array;
    for (int64_t i = 0; i < count; i++)
        sorted[i] = &tensors[i];
    qsort(sorted, (size_t)count, sizeof(void *), compare_names);
    const char *repeated = NULL;
    for (int64_t i = 1; i < count && repeated == NULL; i++)
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            repeated = sorted[i]->name;
    gg_free(array);
    return repeated == NULL ? GG_OK : gg_fail(GG_ERR_ARGUMENT, "%s: two tensors are named '%.100s'", call, repeated);
}

static gg_status check_tensors(const gg_tensor *tensors, int64_t count)
{
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t bytes = 0;
        const gg_status status = check_tensor(&tensors[i], i, &bytes);
        if (status != GG_OK)
            return status;
        if (bytes > INT64_MAX - total)
            return gg_fail(GG_ERR_ARGUMENT, "%s: the tensors together are larger than a file can be", call);
        total += bytes;
    }
    return check_unique_names(tensors, count);
}

/* Fill what->metadata, an array to be freed by the caller, and its count. */
static gg_status sort_metadata(contents *what, const gg_metadata *metadata, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (metadata[i].key == NULL || metadata[i].value == NULL || !gg_is_utf8(metadata[i].key)
            || !gg_is_utf8(metadata[i].value))
            return gg_fail(GG_ERR_ARGUMENT, "%s: the key or value of metadata[%lld] is NULL or not UTF-8", call,
                           (long long)i);
    void *array = NULL;
    const gg_status status = gg_alloc(&array, (size_t)count * sizeof(void *));
    if (status != GG_OK || array == NULL)
        return status;
    what->metadata = array;
    what->metadata_count = count;
    for (int64_t i = 0; i < count; i++)
        what->metadata[i] = &metadata[i];
    qsort(what->metadata, (size_t)count, sizeof(void *), compare_keys);
    for (int64_t i = 1; i < count; i++)
        if (compare_keys(&what->metadata[i - 1], &what->metadata[i]) == 0)
            return gg_fail(GG_ERR_ARGUMENT, "%s: two metadata keys are '%.100s'", call, what->metadata[i]->key);
    return GG_OK;
}

/* ---- the header ---- */

typedef struct text {
    char *to; /* NULL: only count */
    int64_t length;
} text;

static void put(text *out, const char *bytes, size_t length)
{
    if (out->to != NULL)
        memcpy(out->to + out->length, bytes, length);
    out->length += (int64_t)length;
}

static void put_words(text *out, const char *words)
{
    put(out, words, strlen(words));
}

static void put_number(text *out, int64_t number)
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)number);
    put(out, digits, (size_t)length);
}

static void put_string(text *out, const char *string)
{
    put(out, "\"", 1);
    for (; *string != '\0'; string++) {
        char escape[8];
        if (*string == '"' || *string == '\\') {
            put(out, "\\", 1);
            put(out, string, 1);
        } else if ((unsigned char)*string < 0x20) {
            (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*string);
            put_words(out, escape);
        } else {
            put(out, string, 1);
        }
    }
    put(out, "\"", 1);
}

static void put_metadata(text *out, const contents *what)
{
    put_string(out, GG_SAFETENSORS_METADATA);
    for (int64_t i = 0; i < what->metadata_count; i++) {
        put_words(out, i == 0 ? ":{" : ",");
        put_string(out, what->metadata[i]->key);
        put_words(out, ":");
        put_string(out, what->metadata[i]->value);
    }
    put_words(out, "}");
}

static void put_tensor(text *out, const gg_tensor *tensor, int64_t begin, int64_t end)
{
    put_string(out, tensor->name);
    put_words(out, ":{\"dtype\":");
    put_string(out, gg_dtype_name(tensor->dtype));
    put_words(out, ",\"shape\":[");
    for (int i = 0; i < tensor->rank; i++) {
        put_words(out, i == 0 ? "" : ",");
        put_number(out, tensor->shape[i]);
    }
    put_words(out, "],\"data_offsets\":[");
    put_number(out, begin);
    put_words(out, ",");
    put_number(out, end);
    put_words(out, "]}");
}

static void put_header(text *out, const contents *what)
{
    put_words(out, "{");
    if (what->metadata_count > 0)
        put_metadata(out, what);
    int64_t begin = 0;
    for (int64_t i = 0; i < what->tensor_count; i++) {
        int64_t bytes = 0;
        (void)gg_tensor_bytes(&what->tensors[i], &bytes); /* checked before */
        put_words(out, i > 0 || what->metadata_count > 0 ? "," : "");
        put_tensor(out, &what->tensors[i], begin, begin + bytes);
        begin += bytes;
    }
    put_words(out, "}");
    while (out->length % 8 != 0)
        put_words(out, " ");
}

/* The length and the header behind it, in one buffer to be freed by the caller. */
static gg_status build_header(char **header, int64_t *bytes, const contents *what)
{
    text out = {NULL, 0};
    put_header(&out, what);
    if (out.length > GG_SAFETENSORS_HEADER_LIMIT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: the header would have %lld bytes; the format allows %d", call,
                       (long long)out.length, GG_SAFETENSORS_HEADER_LIMIT);
    void *buffer = NULL;
    const gg_status status = gg_alloc(&buffer, (size_t)(GG_SAFETENSORS_PREFIX + out.length));
    if (status != GG_OK)
        return status;
    *header = buffer;
    *bytes = GG_SAFETENSORS_PREFIX + out.length;
    for (int i = 0; i < GG_SAFETENSORS_PREFIX; i++)
        (*header)[i] = (char)(out.length >> (8 * i) & 0xFF);
    out = (text){*header + GG_SAFETENSORS_PREFIX, 0};
    put_header(&out, what);
    return GG_OK;
}

/* ---- the file ---- */

static gg_status write_file(const char *path, const contents *what)
{
    char *header = NULL;
    int64_t bytes = 0;
    gg_status status = build_header(&header, &bytes, what);
    if (status != GG_OK)
        return status;
    gg_output_file file;
    status = gg_output_open(&file, call, path);
    if (status == GG_OK) {
        status = gg_output_append(&file, header, bytes);
        for (int64_t i = 0; status == GG_OK && i < what->tensor_count; i++) {
            (void)gg_tensor_bytes(&what->tensors[i], &bytes);
            status = gg_output_append(&file, what->tensors[i].data, bytes);
        }
        if (status == GG_OK)
            status = gg_output_commit(&file);
        else
            gg_output_discard(&file);
    }
    gg_free(header);
    return status;
}

gg_status gg_safetensors_write(const char *path, const gg_tensor *tensors, int64_t tensor_count,
                               const gg_metadata *metadata, int64_t metadata_count)
{
    if (path == NULL || path[0] == '\0')
        return gg_fail(GG_ERR_ARGUMENT, "%s: path is %s", call, path == NULL ? "NULL" : "empty");
    if (tensor_count < 0 || metadata_count < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: tensor_count is %lld, metadata_count is %lld", call,
                       (long long)tensor_count, (long long)metadata_count);
    if ((tensors == NULL && tensor_count > 0) || (metadata == NULL && metadata_count > 0))
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", call,
                       tensors == NULL && tensor_count > 0 ? "tensors" : "metadata");
    contents what = {tensors, tensor_count, NULL, 0};
    gg_status status = check_tensors(tensors, tensor_count);
    if (status == GG_OK)
        status = sort_metadata(&what, metadata, metadata_count);
    if (status == GG_OK)
        status = write_file(path, &what);
    gg_free(what.metadata);
    return status;
}
