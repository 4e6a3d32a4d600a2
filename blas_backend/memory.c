/* memory.c - the only file that allocates. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* madvise */
#endif
#include <gemmgrad/memory.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* Products step through rows that lie pages apart: on huge pages they wait less for addresses, above all in virtual
 * machines (docs/decisions/0007-huge-pages.md). Smaller arrays would waste most of such a page. */
static const size_t huge_page = (size_t)2 << 20, smallest_huge = (size_t)1 << 20;

static void *allocate_aligned(size_t bytes, size_t alignment)
{
    return bytes <= SIZE_MAX - alignment ? aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                                         : NULL;
}

static void *default_allocate(void *context, size_t bytes)
{
    (void)context;
#ifdef MADV_HUGEPAGE
    if (bytes >= smallest_huge) {
        void *pages = allocate_aligned(bytes, huge_page);
        if (pages != NULL) {
            (void)madvise(pages, (bytes + huge_page - 1) / huge_page * huge_page, MADV_HUGEPAGE); /* only advice */
            return pages;
        }
    }
#endif
    return allocate_aligned(bytes, GG_ALIGNMENT);
}

static void default_release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

static const gg_allocator default_allocator = {default_allocate, default_release, NULL};
static gg_allocator current = {default_allocate, default_release, NULL};
static _Atomic uint64_t allocations;

gg_status gg_set_allocator(const gg_allocator *allocator)
{
    if (allocator != NULL && (allocator->allocate == NULL || allocator->release == NULL))
        return gg_fail(GG_ERR_ARGUMENT, "gg_set_allocator: allocate and release must both be given");
    current = allocator != NULL ? *allocator : default_allocator;
    return GG_OK;
}

gg_status gg_alloc(void **out, size_t bytes)
{
    if (out == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_alloc: out is NULL");
    if (bytes == 0) {
        *out = NULL;
        return GG_OK;
    }
    void *pointer = current.allocate(current.context, bytes);
    if (pointer == NULL)
        return gg_fail(GG_ERR_MEMORY, "gg_alloc: no memory for %zu bytes", bytes);
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    *out = pointer;
    return GG_OK;
}

gg_status gg_alloc_zero(void **out, size_t bytes)
{
    const gg_status status = gg_alloc(out, bytes);
    if (status == GG_OK && bytes > 0)
        memset(*out, 0, bytes);
    return status;
}

void gg_free(void *pointer)
{
    if (pointer != NULL)
        current.release(current.context, pointer);
}

uint64_t gg_allocation_count(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}

gg_status gg_checked_multiply(int64_t *out, int64_t a, int64_t b)
{
    if (out == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_checked_multiply: out is NULL");
    if (a < 0 || b < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_checked_multiply: negative factor in %lld * %lld", (long long)a,
                       (long long)b);
    if (b != 0 && a > INT64_MAX / b)
        return gg_fail(GG_ERR_OVERFLOW, "gg_checked_multiply: %lld * %lld does not fit 63 bits", (long long)a,
                       (long long)b);
    *out = a * b;
    return GG_OK;
}
