/* safetensors_format.c - dtypes, sizes and names of the safetensors format. */
#include "safetensors_format.h"

#include <string.h>

#include <gemmgrad/memory.h>

#include "json_text.h"

static const struct {
    const char *name;
    int64_t bytes;
} dtypes[GG_DTYPE_COUNT] = {
    [GG_F32] = {"F32", 4}, [GG_F64] = {"F64", 8}, [GG_I32] = {"I32", 4}, [GG_I64] = {"I64", 8}, [GG_U8] = {"U8", 1},
};

static bool is_dtype(gg_dtype dtype)
{
    return (int)dtype >= 0 && dtype < GG_DTYPE_COUNT;
}

const char *gg_dtype_name(gg_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].name : NULL;
}

gg_dtype gg_dtype_named(const char *name)
{
    int dtype = 0;
    while (dtype < GG_DTYPE_COUNT && strcmp(dtypes[dtype].name, name) != 0)
        dtype++;
    return (gg_dtype)dtype;
}

gg_status gg_tensor_bytes(const gg_tensor *tensor, int64_t *bytes)
{
    if (!is_dtype(tensor->dtype))
        return gg_fail(GG_ERR_ARGUMENT, "unknown dtype %d", (int)tensor->dtype);
    if (tensor->rank < 0 || tensor->rank > GG_TENSOR_MAX_RANK)
        return gg_fail(GG_ERR_ARGUMENT, "rank %d, not 0 .. %d", tensor->rank, GG_TENSOR_MAX_RANK);
    int64_t product = dtypes[tensor->dtype].bytes;
    for (int i = 0; i < tensor->rank; i++) {
        const gg_status status = gg_checked_multiply(&product, product, tensor->shape[i]);
        if (status != GG_OK)
            return status;
    }
    *bytes = product;
    return GG_OK;
}

bool gg_is_utf8(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        const size_t length = gg_utf8_character(text, left);
        if (length == 0)
            return false;
        text += length;
        left -= length;
    }
    return true;
}

const char *gg_short_name(char out[GG_SHORT_NAME], const char *name)
{
    int i = 0;
    for (; i < GG_SHORT_NAME - 1 && name[i] != '\0'; i++)
        out[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7F ? '?' : name[i];
    out[i] = '\0';
    return out;
}
