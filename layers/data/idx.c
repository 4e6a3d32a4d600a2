/* idx.c - reading IDX files, gzipped or not, that may be damaged or made to do harm.
 *
 * The sizes in a header are checked against the size of the file before anything is allocated. In a plain file they
 * must fit exactly. In a gzipped one the size is only known at the end, so the array starts with what such a file
 * usually holds and doubles while more comes: a small file never causes a large allocation.
 *
 * Gzipped data are inflated here, member by member. zlib's own gzread passes over whatever follows the last member in
 * silence, and does not tell that it did. */
#include <gemmgrad/idx.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

#include <gemmgrad/memory.h>

enum {
    IMAGES = 0x803, /* type 8, unsigned bytes, in 3 dimensions */
    LABELS = 0x801, /* the same in 1 dimension */
    MAX_DIMENSIONS = 3,
    ELEMENT = 4,       /* bytes of a float and of an int32_t */
    BUFFER = 16384,    /* bytes read at a time */
    USUAL_RATIO = 8,   /* MNIST shrinks 5 times; the first allocation for a gzipped file is this many times its size */
    MOST_RATIO = 1032, /* deflate makes at most 258 bytes out of 2 bits */
    GZIP_ONLY = 16     /* zlib's flag for gzip's header and trailer around the data */
};

/* One open file. */
typedef struct idx {
    const char *function, *path;
    FILE *file;
    bool plain;
    bool between; /* the last byte inflated was the end of a gzip member */
    int64_t file_bytes;
    int64_t size[MAX_DIMENSIONS];
    int64_t elements; /* the product of the sizes */
    z_stream stream;
    unsigned char buffer[BUFFER]; /* gzipped bytes that the stream still has to take */
} idx;

/* Fail with "function: 'path' " before the words. */
GG_PRINTF(3, 4) static gg_status refuse(const idx *in, gg_status status, const char *format, ...)
{
    char words[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return gg_fail(status, "%s: '%.220s' %s", in->function, in->path, words);
}

static gg_status no_file(const idx *in, int error)
{
    return refuse(in, GG_ERR_IO, "cannot be opened: %s", error != 0 ? strerror(error) : "out of memory");
}

static gg_status open_file(idx *in)
{
    struct stat about;
    if (stat(in->path, &about) != 0)
        return no_file(in, errno);
    if (S_ISDIR(about.st_mode))
        return no_file(in, EISDIR);
    if (!S_ISREG(about.st_mode))
        return refuse(in, GG_ERR_IO, "is no regular file");
    in->file_bytes = (int64_t)about.st_size;
    errno = 0;
    in->file = fopen(in->path, "rb");
    return in->file != NULL ? GG_OK : no_file(in, errno);
}

/* Up to `room` bytes of the file as they are. */
static gg_status read_file_bytes(const idx *in, unsigned char *bytes, size_t room, size_t *found)
{
    errno = 0;
    *found = fread(bytes, 1, room, in->file);
    if (ferror(in->file))
        return refuse(in, GG_ERR_IO, "cannot be read: %s", strerror(errno));
    return GG_OK;
}

/* A file that begins like gzip is inflated; any other is read as it is, from its start again. */
static gg_status look_for_gzip(idx *in)
{
    size_t found = 0;
    const gg_status status = read_file_bytes(in, in->buffer, BUFFER, &found);
    if (status != GG_OK)
        return status;
    in->plain = found < 2 || in->buffer[0] != 0x1f || in->buffer[1] != 0x8b;
    if (in->plain)
        return fseek(in->file, 0, SEEK_SET) == 0 ? GG_OK : refuse(in, GG_ERR_IO, "cannot be read: %s", strerror(errno));
    in->stream = (z_stream){.next_in = in->buffer, .avail_in = (unsigned)found};
    if (inflateInit2(&in->stream, MAX_WBITS + GZIP_ONLY) != Z_OK)
        return refuse(in, GG_ERR_MEMORY, "needs more memory than there is to be unzipped");
    return GG_OK;
}

/* Make sure that the stream has bytes to take; *more = whether there are any. */
static gg_status refill(idx *in, bool *more)
{
    gg_status status = GG_OK;
    if (in->stream.avail_in == 0) {
        size_t found = 0;
        status = read_file_bytes(in, in->buffer, BUFFER, &found);
        in->stream.next_in = in->buffer;
        in->stream.avail_in = (unsigned)found;
    }
    *more = in->stream.avail_in > 0;
    return status;
}

/* Behind a member there is another, which begins with the same byte, or nothing. */
static gg_status begin_member(idx *in)
{
    if (*in->stream.next_in != 0x1f)
        return refuse(in, GG_ERR_FORMAT, "is too long: something that is not gzip follows its gzip data");
    inflateReset(&in->stream);
    in->between = false;
    return GG_OK;
}

static gg_status inflate_some(idx *in)
{
    const int result = inflate(&in->stream, Z_NO_FLUSH);
    in->between = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR)
        return refuse(in, GG_ERR_MEMORY, "needs more memory than there is to be unzipped");
    if (result != Z_OK && result != Z_STREAM_END)
        return refuse(in, GG_ERR_FORMAT, "is damaged: %.80s",
                      in->stream.msg != NULL ? in->stream.msg : "its gzip data make no sense");
    return GG_OK;
}

static gg_status inflate_bytes(idx *in, unsigned char *bytes, int64_t length, int64_t *found)
{
    in->stream.next_out = bytes;
    in->stream.avail_out = (unsigned)length;
    while (in->stream.avail_out > 0) {
        bool more = false;
        gg_status status = refill(in, &more);
        if (status == GG_OK && !more && !in->between)
            status = refuse(in, GG_ERR_FORMAT, "is truncated: its gzip data break off");
        if (status == GG_OK && !more)
            break;
        if (status == GG_OK && in->between)
            status = begin_member(in);
        if (status == GG_OK)
            status = inflate_some(in);
        if (status != GG_OK)
            return status;
    }
    *found = length - (int64_t)in->stream.avail_out;
    return GG_OK;
}

/* Read `length` bytes; fewer only at the end of the file. */
static gg_status read_bytes(idx *in, unsigned char *bytes, int64_t length, int64_t *found)
{
    if (!in->plain)
        return inflate_bytes(in, bytes, length, found);
    size_t read = 0;
    const gg_status status = read_file_bytes(in, bytes, (size_t)length, &read);
    *found = (int64_t)read;
    return status;
}

static int64_t number(const unsigned char *bytes)
{
    return (int64_t)bytes[0] << 24 | (int64_t)bytes[1] << 16 | (int64_t)bytes[2] << 8 | bytes[3];
}

static gg_status multiply_sizes(idx *in, int dimensions)
{
    in->elements = 1;
    for (int i = 0; i < dimensions; i++)
        if (gg_checked_multiply(&in->elements, in->elements, in->size[i]) != GG_OK)
            return refuse(in, GG_ERR_OVERFLOW, "lies: its header promises %lld images of %lld x %lld",
                          (long long)in->size[0], (long long)in->size[1], (long long)in->size[2]);
    return GG_OK;
}

/* A plain file holds exactly what its header says; a gzipped one cannot hold more than deflate can shrink. */
static gg_status compare_with_file(const idx *in, int64_t header)
{
    const int64_t rest = in->file_bytes - header;
    if (in->plain && in->elements != rest)
        return refuse(in, GG_ERR_FORMAT, "is %s: its header promises %lld bytes of data, %lld follow",
                      rest < in->elements ? "truncated" : "too long", (long long)in->elements, (long long)rest);
    if (!in->plain && in->elements / MOST_RATIO > in->file_bytes)
        return refuse(in, GG_ERR_FORMAT, "lies: its header promises %lld bytes of data, too many for %lld gzipped",
                      (long long)in->elements, (long long)in->file_bytes);
    return GG_OK;
}

static gg_status read_header(idx *in, int64_t magic, int dimensions)
{
    unsigned char header[4 + 4 * MAX_DIMENSIONS];
    const int64_t length = 4 + 4 * dimensions;
    int64_t found = 0;
    gg_status status = read_bytes(in, header, length, &found);
    if (status != GG_OK)
        return status;
    if (found >= 4 && number(header) != magic)
        return refuse(in, GG_ERR_FORMAT, "is no IDX file of %s: it begins with 0x%08llx, not 0x%08llx",
                      magic == IMAGES ? "images" : "labels", (unsigned long long)number(header),
                      (unsigned long long)magic);
    if (found < length)
        return refuse(in, GG_ERR_FORMAT, "is truncated: %lld bytes where the header alone takes %lld", (long long)found,
                      (long long)length);
    for (int i = 0; i < dimensions; i++)
        in->size[i] = number(header + 4 + 4 * i);
    status = multiply_sizes(in, dimensions);
    return status == GG_OK ? compare_with_file(in, length) : status;
}

static void convert(void *array, int64_t at, const unsigned char *bytes, int64_t n, int64_t magic)
{
    if (magic == IMAGES) {
        float *pixels = (float *)array + at;
        for (int64_t i = 0; i < n; i++)
            pixels[i] = (float)bytes[i] / 255.0f;
    } else {
        int32_t *labels = (int32_t *)array + at;
        for (int64_t i = 0; i < n; i++)
            labels[i] = bytes[i];
    }
}

typedef struct growing {
    void *array;
    int64_t room; /* elements */
} growing;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Twice the room, or the usual at first, but never more than the header's. */
static gg_status grow(growing *g, int64_t used, const idx *in)
{
    const int64_t first = in->plain ? in->elements : USUAL_RATIO * in->file_bytes + BUFFER;
    const int64_t room = least(g->room > 0 ? 2 * g->room : first, in->elements);
    void *larger = NULL;
    if ((uint64_t)room > SIZE_MAX / ELEMENT || gg_alloc(&larger, (size_t)room * ELEMENT) != GG_OK)
        return refuse(in, GG_ERR_MEMORY, "needs more memory than there is: %lld elements", (long long)room);
    if (used > 0)
        memcpy(larger, g->array, (size_t)used * ELEMENT);
    gg_free(g->array);
    g->array = larger;
    g->room = room;
    return GG_OK;
}

static gg_status read_elements(growing *g, idx *in, int64_t magic)
{
    unsigned char buffer[BUFFER];
    int64_t used = 0;
    while (used < in->elements) {
        int64_t found = 0;
        const int64_t wanted = least(BUFFER, in->elements - used);
        gg_status status = read_bytes(in, buffer, wanted, &found);
        if (status == GG_OK && found < wanted)
            status = refuse(in, GG_ERR_FORMAT, "is truncated: its header promises %lld bytes of data, %lld follow",
                            (long long)in->elements, (long long)(used + found));
        if (status == GG_OK && used + found > g->room)
            status = grow(g, used, in);
        if (status != GG_OK)
            return status;
        convert(g->array, used, buffer, found, magic);
        used += found;
    }
    return GG_OK;
}

/* Inflating on past the last element also makes zlib compare the checksum. */
static gg_status expect_end(idx *in)
{
    unsigned char byte;
    int64_t found = 0;
    const gg_status status = read_bytes(in, &byte, 1, &found);
    if (status == GG_OK && found > 0)
        return refuse(in, GG_ERR_FORMAT, "is too long: its header promises %lld bytes of data, more follow",
                      (long long)in->elements);
    return status;
}

static gg_status read_all(growing *g, idx *in, int64_t magic, int dimensions)
{
    gg_status status = look_for_gzip(in);
    if (status == GG_OK)
        status = read_header(in, magic, dimensions);
    if (status == GG_OK)
        status = read_elements(g, in, magic);
    if (status == GG_OK)
        status = expect_end(in);
    return status;
}

/* *array = the elements of the file, *in = its sizes. */
static gg_status read_file(void **array, idx *in, int64_t magic, int dimensions)
{
    growing g = {NULL, 0};
    gg_status status = open_file(in);
    if (status != GG_OK)
        return status;
    status = read_all(&g, in, magic, dimensions);
    if (in->stream.state != NULL)
        inflateEnd(&in->stream);
    fclose(in->file);
    if (status == GG_OK)
        *array = g.array;
    else
        gg_free(g.array);
    return status;
}

gg_status gg_idx_read_images(float **images, int64_t *count, int64_t *height, int64_t *width, const char *path)
{
    if (images == NULL || count == NULL || height == NULL || width == NULL || path == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_idx_read_images: images, count, height, width and path must all be given");
    idx in = {.function = "gg_idx_read_images", .path = path};
    void *array = NULL;
    const gg_status status = read_file(&array, &in, IMAGES, 3);
    if (status == GG_OK) {
        *images = array;
        *count = in.size[0];
        *height = in.size[1];
        *width = in.size[2];
    }
    return status;
}

gg_status gg_idx_read_labels(int32_t **labels, int64_t *count, const char *path)
{
    if (labels == NULL || count == NULL || path == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_idx_read_labels: labels, count and path must all be given");
    idx in = {.function = "gg_idx_read_labels", .path = path};
    void *array = NULL;
    const gg_status status = read_file(&array, &in, LABELS, 1);
    if (status == GG_OK) {
        *labels = array;
        *count = in.size[0];
    }
    return status;
}
