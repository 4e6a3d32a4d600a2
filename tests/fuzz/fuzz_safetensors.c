/* fuzz_safetensors.c - libFuzzer target of the safetensors reader. Start it from tests/corpus/safetensors.
 *
 * Every input is read as it is, and once more with its first 8 bytes made right, so that changes of the header's length
 * also reach the JSON. Whatever the bytes: no crash, nothing leaked, the output untouched upon failure, memory in
 * proportion to the input; and what was read can be written, and gives the same tensors when it is read again. */
#include <gemmgrad/safetensors.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gemmgrad/memory.h>

#include "safetensors_format.h"

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
    fprintf(stderr, "broken promise: %s (%s)\n", what, gg_error_message());
    abort();
}

/* Every byte of the data is there to be read; the strings end. */
static size_t touch(const gg_safetensors *file)
{
    size_t sum = 0;
    for (int64_t i = 0; i < gg_safetensors_count(file); i++) {
        gg_tensor tensor, found;
        int64_t bytes = 0;
        expect(gg_safetensors_tensor(file, i, &tensor) == GG_OK, "tensors up to the count");
        expect(gg_safetensors_find(file, tensor.name, &found) == GG_OK && found.data == tensor.data, "found by name");
        expect(gg_tensor_bytes(&tensor, &bytes) == GG_OK, "a size");
        for (int64_t b = 0; b < bytes; b++)
            sum += ((const unsigned char *)tensor.data)[b];
        sum += strlen(tensor.name);
    }
    return sum;
}

static void write_and_read_again(const gg_safetensors *file)
{
    const int64_t count = gg_safetensors_count(file);
    gg_tensor *tensors = calloc((size_t)count + 1, sizeof *tensors);
    gg_safetensors *again = NULL;
    for (int64_t i = 0; i < count; i++)
        gg_safetensors_tensor(file, i, &tensors[i]);
    char folder[] = "/tmp/fuzz-safetensors-XXXXXX", target[64];
    expect(tensors != NULL && mkdtemp(folder) != NULL, "a folder");
    snprintf(target, sizeof target, "%s/a", folder);
    expect(gg_safetensors_write(target, tensors, count, NULL, 0) == GG_OK, "what was read can be written");
    expect(gg_safetensors_read(&again, target) == GG_OK, "what was written can be read");
    expect(gg_safetensors_count(again) == count && touch(again) == touch(file), "the same tensors");
    gg_safetensors_free(again);
    expect(unlink(target) == 0 && rmdir(folder) == 0, "nothing left behind");
    free(tensors);
}

static void read_bytes(const uint8_t *data, size_t size, bool again)
{
    gg_safetensors *const untouched = (gg_safetensors *)(uintptr_t)64;
    gg_safetensors *file = untouched;
    live = largest = 0;
    const gg_status status = gg_safetensors_parse(&file, data, (int64_t)size);
    if (status == GG_OK) {
        touch(file);
        if (again)
            write_and_read_again(file);
        gg_safetensors_free(file);
    } else {
        expect(file == untouched, "the output is untouched upon failure");
        expect(status == GG_ERR_FORMAT || status == GG_ERR_UNSUPPORTED, "a status that the header lists");
    }
    expect(live == 0, "nothing stays allocated");
    /* a tensor takes at least 48 bytes of header, and 128 in memory in an array that may be half empty; metadata 6 and
     * 16 */
    expect(largest <= 8 * size + 4096, "allocations are in proportion to the input");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gg_allocator counting = {counting_allocate, counting_release, NULL};
    static unsigned turn;
    gg_set_allocator(&counting);
    read_bytes(data, size, ++turn % 64 == 0);
    if (size < GG_SAFETENSORS_PREFIX)
        return 0;
    uint8_t *copy = malloc(size);
    expect(copy != NULL, "memory");
    memcpy(copy, data, size);
    /* the header ends at the last '}' */
    uint64_t length = size - GG_SAFETENSORS_PREFIX;
    while (length > 0 && copy[GG_SAFETENSORS_PREFIX + length - 1] != '}')
        length--;
    for (int i = 0; i < GG_SAFETENSORS_PREFIX; i++)
        copy[i] = (uint8_t)(length >> (8 * i));
    read_bytes(copy, size, turn % 64 == 0);
    free(copy);
    return 0;
}
