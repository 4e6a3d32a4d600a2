/* safetensors_format.h - what the reader and the writer of safetensors files share. */
#ifndef GEMMGRAD_SAFETENSORS_FORMAT_H
#define GEMMGRAD_SAFETENSORS_FORMAT_H

#include <stdbool.h>

#include <gemmgrad/safetensors.h>

enum {
    GG_SAFETENSORS_PREFIX = 8,              /* bytes of the header's length, little-endian */
    GG_SAFETENSORS_HEADER_LIMIT = 100000000 /* bytes: the limit of the original library */
};

#define GG_SAFETENSORS_METADATA "__metadata__"

/* "F32", ...; NULL for a number that is no gg_dtype. */
const char *gg_dtype_name(gg_dtype dtype);

/* The dtype of that name; GG_DTYPE_COUNT when there is none. */
gg_dtype gg_dtype_named(const char *name);

/* Bytes of a tensor's data from its dtype, rank and shape: the one checked size function.
 * GG_ERR_ARGUMENT (unknown dtype, rank out of range, negative dimension), GG_ERR_OVERFLOW. */
gg_status gg_tensor_bytes(const gg_tensor *tensor, int64_t *bytes);

/* Whether a C string is UTF-8. */
bool gg_is_utf8(const char *text);

enum { GG_SHORT_NAME = 96 };

/* A name from a file made fit for a message: cut, control characters replaced. Returns `out`. */
const char *gg_short_name(char out[GG_SHORT_NAME], const char *name);

#endif
