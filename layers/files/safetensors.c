/* safetensors.c - reading safetensors files.
 *
 *     8 bytes      n, the length of the header, little-endian
 *     n bytes      {"__metadata__": {"key": "value", ...},
 *                   "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...}, then spaces
 *     the rest     data; offsets count from its first byte
 *
 * The header is read whole, its strings are decoded in place, and everything it says is checked against the size of the
 * file before memory for the data is taken: end - begin is what dtype and shape say, and the tensors in the order of
 * their data leave no hole and no overlap from the first byte of data to the last byte of the file. In memory each
 * tensor starts at a multiple of GG_ALIGNMENT. */
#include <gemmgrad/safetensors.h>

#include <stdlib.h>
#include <string.h>

#include <gemmgrad/memory.h>

#include "file_io.h"
#include "json_text.h"
#include "safetensors_format.h"

typedef struct entry {
    gg_tensor tensor;
    int64_t begin, end; /* offsets in the file's data */
} entry;

struct gg_safetensors {
    char *header;          /* names, keys and values point into it */
    entry *entries;        /* in the order of their data */
    const entry **by_name; /* the same in the order of their names */
    gg_metadata *metadata; /* in the order of the keys */
    int64_t count, entry_capacity;
    int64_t metadata_count, metadata_capacity;
    bool metadata_seen;
    unsigned char *data;
};

/* Where the bytes come from: a file, or memory. */
typedef struct source {
    const char *call, *name; /* for messages */
    gg_input_file *file;     /* NULL: memory */
    const unsigned char *bytes;
    int64_t left;
} source;

static gg_status take(source *from, void *to, int64_t bytes)
{
    from->left -= bytes;
    if (from->file != NULL)
        return gg_input_read(from->file, to, bytes);
    memcpy(to, from->bytes, (size_t)bytes);
    from->bytes += bytes;
    return GG_OK;
}

void gg_safetensors_free(gg_safetensors *file)
{
    if (file == NULL)
        return;
    gg_free(file->header);
    gg_free(file->entries);
    gg_free(file->by_name);
    gg_free(file->metadata);
    gg_free(file->data);
    gg_free(file);
}

/* ---- the header ---- */

static gg_status malformed(const source *from, const gg_json *json, const char *problem)
{
    return gg_fail(GG_ERR_FORMAT, "%s: %.300s: byte %lld of the header: %s", from->call, from->name,
                   (long long)(json->at - json->start), problem);
}

static gg_status bad_tensor(gg_status status, const source *from, const char *tensor, const char *problem)
{
    char name[GG_SHORT_NAME];
    return gg_fail(status, "%s: %.200s: tensor '%s': %s", from->call, from->name, gg_short_name(name, tensor), problem);
}

/* Room for one more element in an array that grows by doubling. */
static gg_status grow(void **array, int64_t *capacity, int64_t count, size_t element)
{
    if (count < *capacity)
        return GG_OK;
    const int64_t larger = *capacity > 0 ? 2 * *capacity : 16;
    void *moved = NULL;
    const gg_status status = gg_alloc(&moved, (size_t)larger * element);
    if (status != GG_OK)
        return status;
    if (count > 0)
        memcpy(moved, *array, (size_t)count * element);
    gg_free(*array);
    *array = moved;
    *capacity = larger;
    return GG_OK;
}

static gg_status parse_metadata(gg_safetensors *file, const source *from, gg_json *json)
{
    if (file->metadata_seen)
        return malformed(from, json, "a second \"" GG_SAFETENSORS_METADATA "\"");
    file->metadata_seen = true;
    if (!gg_json_need(json, '{'))
        return malformed(from, json, json->problem);
    if (gg_json_take(json, '}'))
        return GG_OK;
    do {
        void *array = file->metadata;
        const gg_status status = grow(&array, &file->metadata_capacity, file->metadata_count, sizeof *file->metadata);
        file->metadata = array;
        if (status != GG_OK)
            return status;
        gg_metadata *one = &file->metadata[file->metadata_count++];
        if (!gg_json_string(json, &one->key) || !gg_json_need(json, ':') || !gg_json_string(json, &one->value))
            return malformed(from, json, json->problem);
    } while (gg_json_take(json, ','));
    return gg_json_need(json, '}') ? GG_OK : malformed(from, json, json->problem);
}

static gg_status parse_dtype(entry *e, const source *from, gg_json *json)
{
    const char *name;
    if (!gg_json_string(json, &name))
        return malformed(from, json, json->problem);
    e->tensor.dtype = gg_dtype_named(name);
    if (e->tensor.dtype != GG_DTYPE_COUNT)
        return GG_OK;
    char tensor[GG_SHORT_NAME], dtype[GG_SHORT_NAME];
    return gg_fail(GG_ERR_UNSUPPORTED, "%s: %.200s: tensor '%s': dtype '%.20s' is none of F32, F64, I32, I64, U8",
                   from->call, from->name, gg_short_name(tensor, e->tensor.name), gg_short_name(dtype, name));
}

static gg_status parse_shape(entry *e, const source *from, gg_json *json)
{
    if (!gg_json_need(json, '['))
        return malformed(from, json, json->problem);
    e->tensor.rank = 0;
    if (gg_json_take(json, ']'))
        return GG_OK;
    do {
        if (e->tensor.rank == GG_TENSOR_MAX_RANK)
            return bad_tensor(GG_ERR_UNSUPPORTED, from, e->tensor.name, "more than 8 dimensions");
        if (!gg_json_natural(json, &e->tensor.shape[e->tensor.rank++]))
            return malformed(from, json, json->problem);
    } while (gg_json_take(json, ','));
    return gg_json_need(json, ']') ? GG_OK : malformed(from, json, json->problem);
}

static gg_status parse_offsets(entry *e, const source *from, gg_json *json)
{
    const bool begin = gg_json_need(json, '[') && gg_json_natural(json, &e->begin) && gg_json_need(json, ',');
    const bool both = begin && gg_json_natural(json, &e->end) && gg_json_need(json, ']');
    return both ? GG_OK : malformed(from, json, json->problem);
}

enum { SEEN_DTYPE = 1, SEEN_SHAPE = 2, SEEN_OFFSETS = 4, SEEN_ALL = 7 };

/* One "key": value of a tensor's entry; `seen` gains its bit. */
static gg_status parse_field(entry *e, unsigned *seen, const source *from, gg_json *json)
{
    static const struct {
        const char *key;
        unsigned bit;
        gg_status (*parse)(entry *, const source *, gg_json *);
    } fields[] = {{"dtype", SEEN_DTYPE, parse_dtype},
                  {"shape", SEEN_SHAPE, parse_shape},
                  {"data_offsets", SEEN_OFFSETS, parse_offsets}};
    const char *key;
    if (!gg_json_string(json, &key) || !gg_json_need(json, ':'))
        return malformed(from, json, json->problem);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(key, fields[i].key) != 0)
            continue;
        if ((*seen & fields[i].bit) != 0)
            return bad_tensor(GG_ERR_FORMAT, from, e->tensor.name, "a key is there twice");
        *seen |= fields[i].bit;
        return fields[i].parse(e, from, json);
    }
    return bad_tensor(GG_ERR_FORMAT, from, e->tensor.name, "a key that is none of dtype, shape, data_offsets");
}

static gg_status parse_tensor(gg_safetensors *file, const source *from, gg_json *json, const char *name)
{
    void *array = file->entries;
    gg_status status = grow(&array, &file->entry_capacity, file->count, sizeof *file->entries);
    file->entries = array;
    if (status != GG_OK)
        return status;
    entry *e = &file->entries[file->count++];
    *e = (entry){.tensor.name = name};
    if (name[0] == '\0')
        return malformed(from, json, "a tensor without a name");
    if (!gg_json_need(json, '{'))
        return malformed(from, json, json->problem);
    unsigned seen = 0;
    do
        status = parse_field(e, &seen, from, json);
    while (status == GG_OK && gg_json_take(json, ','));
    if (status != GG_OK)
        return status;
    if (!gg_json_need(json, '}'))
        return malformed(from, json, json->problem);
    return seen == SEEN_ALL ? GG_OK : bad_tensor(GG_ERR_FORMAT, from, name, "dtype, shape or data_offsets is missing");
}

static gg_status parse_header(gg_safetensors *file, const source *from, gg_json *json)
{
    if (json->at == json->end || *json->at != '{')
        return malformed(from, json, "the header does not begin with '{'");
    json->at++;
    bool more = !gg_json_take(json, '}');
    while (more) {
        const char *name;
        if (!gg_json_string(json, &name) || !gg_json_need(json, ':'))
            return malformed(from, json, json->problem);
        const gg_status status = strcmp(name, GG_SAFETENSORS_METADATA) == 0 ? parse_metadata(file, from, json)
                                                                            : parse_tensor(file, from, json, name);
        if (status != GG_OK)
            return status;
        more = gg_json_take(json, ',');
        if (!more && !gg_json_need(json, '}'))
            return malformed(from, json, json->problem);
    }
    return gg_json_at_end(json) ? GG_OK : malformed(from, json, "something after the closing '}'");
}

/* The first 8 bytes and the header behind them. */
static gg_status read_header(gg_safetensors *file, source *from)
{
    unsigned char prefix[GG_SAFETENSORS_PREFIX];
    if (from->left < GG_SAFETENSORS_PREFIX)
        return gg_fail(GG_ERR_FORMAT, "%s: %.300s: %lld bytes are too few for a safetensors file", from->call,
                       from->name, (long long)from->left);
    gg_status status = take(from, prefix, GG_SAFETENSORS_PREFIX);
    if (status != GG_OK)
        return status;
    uint64_t length = 0;
    for (int i = GG_SAFETENSORS_PREFIX; i-- > 0;)
        length = length << 8 | prefix[i];
    if (length == 0 || length > GG_SAFETENSORS_HEADER_LIMIT || (int64_t)length > from->left)
        return gg_fail(GG_ERR_FORMAT, "%s: %.300s: says its header has %llu bytes, of %lld in the file and %d allowed",
                       from->call, from->name, (unsigned long long)length, (long long)from->left,
                       GG_SAFETENSORS_HEADER_LIMIT);
    void *header = NULL;
    status = gg_alloc(&header, (size_t)length);
    file->header = header;
    if (status == GG_OK)
        status = take(from, header, (int64_t)length);
    if (status != GG_OK)
        return status;
    gg_json json = gg_json_make(file->header, (int64_t)length);
    return parse_header(file, from, &json);
}

/* ---- what the header says, against itself and the file ---- */

static int compare_data(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

static int compare_names(const void *a, const void *b)
{
    const entry *const *x = a, *const *y = b;
    return strcmp((*x)->tensor.name, (*y)->tensor.name);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const gg_metadata *)a)->key, ((const gg_metadata *)b)->key);
}

static gg_status check_metadata(gg_safetensors *file, const source *from)
{
    if (file->metadata_count > 0)
        qsort(file->metadata, (size_t)file->metadata_count, sizeof *file->metadata, compare_keys);
    for (int64_t i = 1; i < file->metadata_count; i++) {
        char key[GG_SHORT_NAME];
        if (strcmp(file->metadata[i - 1].key, file->metadata[i].key) == 0)
            return gg_fail(GG_ERR_FORMAT, "%s: %.200s: metadata '%s' is there twice", from->call, from->name,
                           gg_short_name(key, file->metadata[i].key));
    }
    return GG_OK;
}

static gg_status check_names(gg_safetensors *file, const source *from)
{
    void *array = NULL;
    const gg_status status = gg_alloc(&array, (size_t)file->count * sizeof(void *));
    if (status != GG_OK || file->count == 0)
        return status;
    file->by_name = array;
    for (int64_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->entries[i];
    qsort(file->by_name, (size_t)file->count, sizeof(void *), compare_names);
    for (int64_t i = 1; i < file->count; i++)
        if (compare_names(&file->by_name[i - 1], &file->by_name[i]) == 0)
            return bad_tensor(GG_ERR_FORMAT, from, file->by_name[i]->tensor.name, "is there twice");
    return GG_OK;
}

/* Contiguous from 0 to the end of the file, each as long as its dtype and shape say; from->left is the data's size. */
static gg_status check_offsets(const gg_safetensors *file, const source *from)
{
    int64_t expected = 0;
    for (int64_t i = 0; i < file->count; i++) {
        const entry *e = &file->entries[i];
        int64_t bytes = 0;
        if (gg_tensor_bytes(&e->tensor, &bytes) != GG_OK)
            return bad_tensor(GG_ERR_FORMAT, from, e->tensor.name,
                              "its shape has more elements than 63 bits can count");
        if (e->begin != expected)
            return bad_tensor(GG_ERR_FORMAT, from, e->tensor.name,
                              "its data does not begin where the tensor before it ends");
        if (e->end < e->begin || e->end - e->begin != bytes)
            return bad_tensor(GG_ERR_FORMAT, from, e->tensor.name, "its data_offsets do not match its dtype and shape");
        if (e->end > from->left)
            return bad_tensor(GG_ERR_FORMAT, from, e->tensor.name,
                              "its data goes beyond the end of the file (truncated?)");
        expected = e->end;
    }
    if (expected != from->left)
        return gg_fail(GG_ERR_FORMAT, "%s: %.300s: %lld bytes after the last tensor", from->call, from->name,
                       (long long)(from->left - expected));
    return GG_OK;
}

/* ---- data ---- */

static uint64_t aligned(int64_t bytes)
{
    return ((uint64_t)bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT;
}

static gg_status read_data(gg_safetensors *file, source *from)
{
    uint64_t total = 0; /* at most the file's size and 63 bytes a tensor */
    for (int64_t i = 0; i < file->count; i++)
        total += aligned(file->entries[i].end - file->entries[i].begin);
    void *data = NULL;
    gg_status status = gg_alloc(&data, (size_t)total);
    file->data = data;
    unsigned char *at = data;
    for (int64_t i = 0; status == GG_OK && i < file->count; i++) {
        entry *e = &file->entries[i];
        const int64_t bytes = e->end - e->begin;
        e->tensor.data = at;
        if (bytes > 0) {
            status = take(from, at, bytes);
            at += aligned(bytes);
        }
    }
    return status;
}

static gg_status load(gg_safetensors **out, source *from)
{
    void *object = NULL;
    gg_status status = gg_alloc_zero(&object, sizeof **out);
    if (status != GG_OK)
        return status;
    gg_safetensors *file = object;
    status = read_header(file, from);
    if (status == GG_OK)
        status = check_metadata(file, from);
    if (status == GG_OK && file->count > 0)
        qsort(file->entries, (size_t)file->count, sizeof *file->entries, compare_data);
    if (status == GG_OK)
        status = check_names(file, from);
    if (status == GG_OK)
        status = check_offsets(file, from);
    if (status == GG_OK)
        status = read_data(file, from);
    if (status == GG_OK)
        *out = file;
    else
        gg_safetensors_free(file);
    return status;
}

gg_status gg_safetensors_read(gg_safetensors **out, const char *path)
{
    static const char call[] = "gg_safetensors_read";
    if (out == NULL || path == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", call, out == NULL ? "out" : "path");
    gg_input_file file;
    gg_status status = gg_input_open(&file, call, path);
    if (status != GG_OK)
        return status;
    source from = {call, path, &file, NULL, file.size};
    status = load(out, &from);
    gg_input_close(&file);
    return status;
}

gg_status gg_safetensors_parse(gg_safetensors **out, const void *bytes, int64_t size)
{
    static const char call[] = "gg_safetensors_parse";
    if (out == NULL || (bytes == NULL && size > 0))
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", call, out == NULL ? "out" : "bytes");
    if (size < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: size is %lld", call, (long long)size);
    source from = {call, "memory", NULL, size > 0 ? bytes : "", size};
    return load(out, &from);
}

/* ---- looking ---- */

int64_t gg_safetensors_count(const gg_safetensors *file)
{
    return file != NULL ? file->count : 0;
}

gg_status gg_safetensors_tensor(const gg_safetensors *file, int64_t i, gg_tensor *out)
{
    if (file == NULL || out == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_safetensors_tensor: %s is NULL", file == NULL ? "file" : "out");
    if (i < 0 || i >= file->count)
        return gg_fail(GG_ERR_ARGUMENT, "gg_safetensors_tensor: i is %lld, of %lld tensors", (long long)i,
                       (long long)file->count);
    *out = file->entries[i].tensor;
    return GG_OK;
}

gg_status gg_safetensors_find(const gg_safetensors *file, const char *name, gg_tensor *out)
{
    const char *missing = file == NULL ? "file" : name == NULL ? "name" : out == NULL ? "out" : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_safetensors_find: %s is NULL", missing);
    int64_t low = 0, high = file->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int order = strcmp(name, file->by_name[middle]->tensor.name);
        if (order == 0) {
            *out = file->by_name[middle]->tensor;
            return GG_OK;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    char text[GG_SHORT_NAME];
    return gg_fail(GG_ERR_FORMAT, "gg_safetensors_find: no tensor '%s'", gg_short_name(text, name));
}

const char *gg_safetensors_metadata(const gg_safetensors *file, const char *key)
{
    for (int64_t i = 0; file != NULL && key != NULL && i < file->metadata_count; i++)
        if (strcmp(file->metadata[i].key, key) == 0)
            return file->metadata[i].value;
    return NULL;
}
