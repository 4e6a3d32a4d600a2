/* fuzz_idx.c - libFuzzer target of the IDX readers: every input as it is, and gzipped, so that changes also reach
 * what lies inside a right gzip file. Start it from tests/corpus/idx.
 *
 * Whatever the bytes: no crash, nothing leaked, no output touched upon failure, results that agree with themselves,
 * and no allocation out of proportion to the file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create: files that live in memory */
#endif
#include <gemmgrad/idx.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>

#include <gemmgrad/memory.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t live, largest;

static void *counting_allocate(void *context, size_t bytes)
{
    (void)context;
    live++;
    largest = bytes > largest ? bytes : largest;
    return aligned_alloc(GG_ALIGNMENT, (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT);
}

static void counting_release(void *context, void *pointer)
{
    (void)context;
    live--;
    free(pointer);
}

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken promise: %s\n", what);
    abort();
}

static void read_images(const char *path)
{
    float mark, *images = &mark;
    int64_t count = -1, height = -2, width = -3;
    if (gg_idx_read_images(&images, &count, &height, &width, path) != GG_OK) {
        expect(images == &mark && count == -1 && height == -2 && width == -3, "images are untouched upon failure");
        expect(gg_error_message()[0] != '\0', "a failure has a message");
        return;
    }
    const int64_t elements = count * height * width;
    expect(elements >= 0 && (elements == 0) == (images == NULL), "an array unless there is nothing");
    for (int64_t i = 0; i < elements; i++)
        expect(images[i] >= 0.0f && images[i] <= 1.0f, "pixels lie in [0, 1]");
    gg_free(images);
}

static void read_labels(const char *path)
{
    int32_t mark, *labels = &mark;
    int64_t count = -1;
    if (gg_idx_read_labels(&labels, &count, path) != GG_OK) {
        expect(labels == &mark && count == -1, "labels are untouched upon failure");
        return;
    }
    for (int64_t i = 0; i < count; i++)
        expect(labels[i] >= 0 && labels[i] <= 255, "labels lie in [0, 255]");
    gg_free(labels);
}

/* A file that has shrunk most holds 1032 bytes for one, each of which takes 4 in the array, which may be half empty. */
static void read_file(int file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    const size_t length = (size_t)lseek(file, 0, SEEK_END);
    live = largest = 0;
    read_images(path);
    read_labels(path);
    expect(live == 0, "nothing stays allocated");
    expect(largest <= 8 * (1032 * length + 16384), "allocations are in proportion to the file");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gg_allocator counting = {counting_allocate, counting_release, NULL};
    gg_set_allocator(&counting);
    const int plain = memfd_create("plain", 0), zipped = memfd_create("zipped", 0);
    expect(plain >= 0 && zipped >= 0 && write(plain, data, size) == (ssize_t)size, "files in memory");
    gzFile zip = gzdopen(dup(zipped), "wb1");
    expect(zip != NULL && gzwrite(zip, data, (unsigned)size) == (int)size && gzclose(zip) == Z_OK, "gzip");
    read_file(plain);
    read_file(zipped);
    close(plain);
    close(zipped);
    return 0;
}
