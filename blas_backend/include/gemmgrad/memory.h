/* gemmgrad/memory.h - 64-byte aligned buffers, one allocator for everything, checked sizes. */
#ifndef GEMMGRAD_MEMORY_H
#define GEMMGRAD_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GG_ALIGNMENT 64 /* bytes: one cache line, one AVX-512 register */

/* Every byte the library allocates comes from here. `allocate` must return memory aligned to
 * GG_ALIGNMENT or NULL, and must be safe to call from several threads. */
typedef struct gg_allocator {
    void *(*allocate)(void *context, size_t bytes);
    void (*release)(void *context, void *pointer);
    void *context;
} gg_allocator;

/* Replace the allocator; NULL restores the default. Only while the library holds no allocation that
 * is still to be freed through the old one. Not thread-safe. */
GG_API gg_status gg_set_allocator(const gg_allocator *allocator);

/* `bytes` uninitialised bytes, aligned to GG_ALIGNMENT; *out is NULL for 0 bytes.
 * Errors: GG_ERR_ARGUMENT (out NULL), GG_ERR_MEMORY. Thread-safe. */
GG_API gg_status gg_alloc(void **out, size_t bytes);

/* The same, zeroed. */
GG_API gg_status gg_alloc_zero(void **out, size_t bytes);

/* Free what gg_alloc gave; NULL is allowed. Thread-safe. */
GG_API void gg_free(void *pointer);

/* Number of allocations made since the process started (a training step makes none). Thread-safe. */
GG_API uint64_t gg_allocation_count(void);

/* *out = a * b, or GG_ERR_OVERFLOW and *out untouched; negative factors are GG_ERR_ARGUMENT. */
GG_API gg_status gg_checked_multiply(int64_t *out, int64_t a, int64_t b);

#ifdef __cplusplus
}
#endif
#endif
