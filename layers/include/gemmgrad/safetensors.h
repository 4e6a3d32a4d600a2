/* gemmgrad/safetensors.h - named tensors in one file (the safetensors format: 8 bytes header length, JSON header,
 * data).
 *
 * Reading trusts nothing: header at most 100 MB, every shape and offset checked, tensors contiguous from the first byte
 * of data to the last of the file, all before anything is allocated for them. */
#ifndef GEMMGRAD_SAFETENSORS_H
#define GEMMGRAD_SAFETENSORS_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_dtype { GG_F32 = 0, GG_F64, GG_I32, GG_I64, GG_U8, GG_DTYPE_COUNT } gg_dtype;

#define GG_TENSOR_MAX_RANK 8

typedef struct gg_tensor {
    const char *name; /* not empty, not "__metadata__" */
    gg_dtype dtype;
    int rank; /* 0 .. GG_TENSOR_MAX_RANK; 0 is a scalar */
    int64_t shape[GG_TENSOR_MAX_RANK];
    const void *data; /* row-major, little-endian */
} gg_tensor;

typedef struct gg_metadata {
    const char *key, *value;
} gg_metadata;

/* Write atomically (temporary file beside path, fsync, rename, fsync of the folder; only when this very last one fails
 * is the new file in place although GG_ERR_IO comes back, and the message says so). Tensors are stored in the order
 * given, metadata sorted by key: same input, same bytes. Errors: GG_ERR_ARGUMENT (bad or repeated name, bad shape),
 * GG_ERR_IO, GG_ERR_MEMORY; the old file stays as it was. */
GG_API gg_status gg_safetensors_write(const char *path, const gg_tensor *tensors, int64_t tensor_count,
                                      const gg_metadata *metadata, int64_t metadata_count);

typedef struct gg_safetensors gg_safetensors;

/* Read a whole file. Errors: GG_ERR_IO, GG_ERR_FORMAT, GG_ERR_UNSUPPORTED (a dtype not listed above), GG_ERR_MEMORY. */
GG_API gg_status gg_safetensors_read(gg_safetensors **out, const char *path);

/* The same from memory (copied). For tests and fuzzing. */
GG_API gg_status gg_safetensors_parse(gg_safetensors **out, const void *bytes, int64_t size);
GG_API void gg_safetensors_free(gg_safetensors *file);

/* Tensors in the order of their data; strings and data live as long as the file object. */
GG_API int64_t gg_safetensors_count(const gg_safetensors *file);
GG_API gg_status gg_safetensors_tensor(const gg_safetensors *file, int64_t i, gg_tensor *out);

/* By name; GG_ERR_FORMAT when there is none. */
GG_API gg_status gg_safetensors_find(const gg_safetensors *file, const char *name, gg_tensor *out);

/* The value of a metadata key, or NULL. */
GG_API const char *gg_safetensors_metadata(const gg_safetensors *file, const char *key);

#ifdef __cplusplus
}
#endif
#endif
