/* test_memory.c - aligned buffers, the allocator hook, the count, checked products of sizes. */
#include <gemmgrad/memory.h>

#include <stdlib.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/gemm.h>

#include "support.h"

START_TEST(aligned_writable_and_counted)
{
    void *buffers[200];
    const uint64_t before = gg_allocation_count();
    for (size_t i = 0; i < 200; i++) {
        ck_assert_int_eq(gg_alloc(&buffers[i], i * i + 1), GG_OK);
        ck_assert_uint_eq((uintptr_t)buffers[i] % GG_ALIGNMENT, 0);
        memset(buffers[i], (int)i, i * i + 1);
    }
    ck_assert_uint_eq(gg_allocation_count(), before + 200);
    for (size_t i = 0; i < 200; i++) {
        const unsigned char *bytes = buffers[i];
        ck_assert(bytes[0] == i && bytes[i * i] == i);
        gg_free(buffers[i]);
    }
    ck_assert_uint_eq(gg_allocation_count(), before + 200);
}
END_TEST

START_TEST(zeroed)
{
    for (size_t bytes = 1; bytes < 3000; bytes = bytes * 3 + 1) {
        void *buffer = NULL;
        ck_assert_int_eq(gg_alloc(&buffer, bytes), GG_OK);
        memset(buffer, 0xff, bytes);
        gg_free(buffer);
        ck_assert_int_eq(gg_alloc_zero(&buffer, bytes), GG_OK);
        ck_assert_uint_eq((uintptr_t)buffer % GG_ALIGNMENT, 0);
        for (size_t i = 0; i < bytes; i++)
            if (((unsigned char *)buffer)[i] != 0)
                ck_abort_msg("byte %zu of %zu is not 0", i, bytes);
        gg_free(buffer);
    }
}
END_TEST

/* 0 bytes are NULL, which may be freed, and are not counted. */
START_TEST(nothing)
{
    int some = 0;
    void *out = &some;
    const uint64_t before = gg_allocation_count();
    ck_assert_int_eq(gg_alloc(&out, 0), GG_OK);
    ck_assert_ptr_null(out);
    out = &some;
    ck_assert_int_eq(gg_alloc_zero(&out, 0), GG_OK);
    ck_assert_ptr_null(out);
    gg_free(NULL);
    ck_assert_uint_eq(gg_allocation_count(), before);
}
END_TEST

/* More than there is, and sizes that wrap around when they are rounded up. */
START_TEST(too_much)
{
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 63, SIZE_MAX - 64, SIZE_MAX - 65, SIZE_MAX / 2};
    const uint64_t before = gg_allocation_count();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int some = 0;
        void *out = &some;
        support_assert_fails(gg_alloc(&out, sizes[i]), GG_ERR_MEMORY, "gg_alloc", "bytes");
        support_assert_fails(gg_alloc_zero(&out, sizes[i]), GG_ERR_MEMORY, "gg_alloc", "bytes");
        ck_assert_ptr_eq(out, &some);
    }
    support_assert_fails(gg_alloc(NULL, 8), GG_ERR_ARGUMENT, "gg_alloc", "out is NULL");
    support_assert_fails(gg_alloc_zero(NULL, 8), GG_ERR_ARGUMENT, "gg_alloc", "out is NULL");
    support_assert_fails(gg_alloc_zero(NULL, 0), GG_ERR_ARGUMENT, "gg_alloc", "out is NULL");
    ck_assert_uint_eq(gg_allocation_count(), before);
}
END_TEST

/* ---- the hook ---- */

typedef struct ledger {
    int allocated, released;
    size_t bytes;
    bool empty; /* no more memory */
} ledger;

static void *hook_allocate(void *context, size_t bytes)
{
    ledger *l = context;
    if (l->empty)
        return NULL;
    l->allocated++;
    l->bytes += bytes;
    return aligned_alloc(GG_ALIGNMENT, (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT);
}

static void hook_release(void *context, void *pointer)
{
    ((ledger *)context)->released++;
    free(pointer);
}

START_TEST(hook_sees_everything)
{
    ledger l = {0};
    void *out = NULL;
    ck_assert_int_eq(gg_set_allocator(&(gg_allocator){hook_allocate, hook_release, &l}), GG_OK);
    ck_assert_int_eq(gg_alloc(&out, 100), GG_OK);
    ck_assert(l.allocated == 1 && l.released == 0 && l.bytes >= 100);
    gg_free(out);
    gg_free(NULL);
    ck_assert_int_eq(l.released, 1);
    ck_assert_int_eq(gg_alloc_zero(&out, 7), GG_OK);
    gg_free(out);
    ck_assert(l.allocated == 2 && l.released == 2);
    l.empty = true;
    out = &l;
    const uint64_t before = gg_allocation_count();
    support_assert_fails(gg_alloc(&out, 100), GG_ERR_MEMORY, "gg_alloc", "100 bytes");
    support_assert_fails(gg_alloc_zero(&out, 100), GG_ERR_MEMORY, "gg_alloc", "100 bytes");
    ck_assert(out == &l && gg_allocation_count() == before);
    ck_assert_int_eq(gg_set_allocator(NULL), GG_OK);
    ck_assert_int_eq(gg_alloc(&out, 100), GG_OK);
    gg_free(out);
    ck_assert(l.allocated == 2 && l.released == 2);
}
END_TEST

/* A hook with a hole is refused, and the one before stays. */
START_TEST(half_a_hook)
{
    ledger l = {0};
    void *out = NULL;
    ck_assert_int_eq(gg_set_allocator(&(gg_allocator){hook_allocate, hook_release, &l}), GG_OK);
    support_assert_fails(gg_set_allocator(&(gg_allocator){NULL, hook_release, NULL}), GG_ERR_ARGUMENT,
                         "gg_set_allocator", "allocate");
    support_assert_fails(gg_set_allocator(&(gg_allocator){hook_allocate, NULL, NULL}), GG_ERR_ARGUMENT,
                         "gg_set_allocator", "release");
    ck_assert_int_eq(gg_alloc(&out, 1), GG_OK);
    gg_free(out);
    ck_assert(l.allocated == 1 && l.released == 1);
    ck_assert_int_eq(gg_set_allocator(NULL), GG_OK);
}
END_TEST

/* ---- sizes ---- */

START_TEST(checked_products)
{
    static const int64_t good[][2] = {{0, 0},
                                      {0, INT64_MAX},
                                      {INT64_MAX, 0},
                                      {1, INT64_MAX},
                                      {INT64_MAX, 1},
                                      {3, 5},
                                      {3037000499, 3037000499},
                                      {INT64_MAX / 7, 7},
                                      {(int64_t)1 << 31, (int64_t)1 << 31}};
    static const int64_t large[][2] = {{2, INT64_MAX},           {INT64_MAX, 2},
                                       {3037000500, 3037000500}, {INT64_MAX, INT64_MAX},
                                       {INT64_MAX / 7 + 1, 7},   {(int64_t)1 << 32, (int64_t)1 << 31}};
    static const int64_t negative[][2] = {{-1, 5}, {5, -1}, {-1, -1}, {INT64_MIN, 1}, {0, INT64_MIN}, {INT64_MIN, -1}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t out = -7;
        ck_assert_int_eq(gg_checked_multiply(&out, good[i][0], good[i][1]), GG_OK);
        ck_assert_int_eq(out, good[i][0] * good[i][1]);
    }
    int64_t out = -7;
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        support_assert_fails(gg_checked_multiply(&out, large[i][0], large[i][1]), GG_ERR_OVERFLOW,
                             "gg_checked_multiply", " * ");
    for (size_t i = 0; i < sizeof negative / sizeof *negative; i++)
        support_assert_fails(gg_checked_multiply(&out, negative[i][0], negative[i][1]), GG_ERR_ARGUMENT,
                             "gg_checked_multiply", "negative");
    ck_assert_int_eq(out, -7);
    support_assert_fails(gg_checked_multiply(NULL, 1, 1), GG_ERR_ARGUMENT, "gg_checked_multiply", "out is NULL");
}
END_TEST

/* A product may keep scratch for its thread the first time, and never again. */
START_TEST(products_allocate_once)
{
    float *a = support_uniform(200 * 200, -1, 1, 1), *b = support_uniform(200 * 200, -1, 1, 2),
          *c = support_floats(200 * 200);
    uint64_t after_first = 0;
    for (int i = 0; i < 50; i++) {
        const int64_t size = 100 + i * 2;
        ck_assert_int_eq(gg_gemm(c, size, a, size, b, size, size, size, size, i % 2 ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                                 i % 3 ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1, 0),
                         GG_OK);
        if (i == 0)
            after_first = gg_allocation_count();
    }
    ck_assert_uint_eq(gg_allocation_count(), after_first);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, aligned_writable_and_counted);
    tcase_add_test(tests, zeroed);
    tcase_add_test(tests, nothing);
    tcase_add_test(tests, too_much);
    tcase_add_test(tests, hook_sees_everything);
    tcase_add_test(tests, half_a_hook);
    tcase_add_test(tests, checked_products);
    tcase_add_test(tests, products_allocate_once);
}
