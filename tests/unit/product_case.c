/* product_case.c - see product_case.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include "product_case.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <check.h>

#include <gemmgrad/backend.h>

#include "reference_gemm.h"

enum { GUARD = 64 }; /* canaries before C and after it */

static const uint32_t canary_bits = 0x7fc0dead;

float canary(void)
{
    float x = 0.0f;
    memcpy(&x, &canary_bits, sizeof x);
    return x;
}

bool is_canary(float x)
{
    return memcmp(&x, &canary_bits, sizeof x) == 0;
}

/* BLIS 0.9's kernels for Intel read beyond the end of an operand (flame/blis issue 635): its harmless reads may not end
 * the test, so there the page behind stays readable. */
static bool reads_stay_inside(void)
{
    gg_backend_info info;
    ck_assert_int_eq(gg_backend_describe(&info), GG_OK);
    return strcmp(info.blas, "BLIS") != 0;
}

paged paged_new(int64_t floats)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), wanted = (size_t)floats * sizeof(float);
    const size_t readable = (wanted + page - 1) / page * page;
    paged array = {.bytes = readable + page};
    array.pages = mmap(NULL, array.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(array.pages, MAP_FAILED);
    if (reads_stay_inside())
        ck_assert_int_eq(mprotect((char *)array.pages + readable, page, PROT_NONE), 0);
    array.data = (float *)(void *)((char *)array.pages + readable - wanted);
    for (int64_t i = 0; i < floats; i++)
        array.data[i] = canary();
    return array;
}

void paged_free(paged *array)
{
    if (array->pages != NULL)
        munmap(array->pages, array->bytes);
    *array = (paged){0};
}

static void *buffer(int64_t elements, size_t bytes)
{
    void *memory = calloc((size_t)elements + 1, bytes);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a number for each place, whatever the order of the filling. */
static uint32_t bits_at(uint64_t place)
{
    uint64_t z = (place + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

static float number_at(product_data data, uint64_t place)
{
    const uint32_t bits = bits_at(place);
    if (data == DATA_INTEGER)
        return (float)(bits % 7) - 3.0f;
    return ((float)(bits >> 9) + 0.5f) / 4194304.0f - 1.0f; /* odd multiples of 2^-23 */
}

static void fill(float *matrix, int64_t rows, int64_t columns, int64_t ld, product_data data, uint64_t stream)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            matrix[i * ld + j] = number_at(data, (stream << 40) + (uint64_t)(i * columns + j));
}

static int64_t extent(int64_t rows, int64_t columns, int64_t ld)
{
    return rows > 0 && columns > 0 ? (rows - 1) * ld + columns : 0;
}

void product_case_new(product_case *t, const product_shape *shape)
{
    const int64_t m = shape->m, n = shape->n, k = shape->k;
    const int64_t a_rows = shape->transpose_a ? k : m, a_columns = shape->transpose_a ? m : k;
    const int64_t b_rows = shape->transpose_b ? n : k, b_columns = shape->transpose_b ? k : n;
    *t = (product_case){.shape = *shape, .lda = a_columns + shape->gap, .ldb = b_columns + 2 * shape->gap};
    t->ldc = n + 3 * shape->gap;
    t->a_floats = extent(a_rows, a_columns, t->lda);
    t->b_floats = extent(b_rows, b_columns, t->ldb);
    t->a = paged_new(t->a_floats);
    t->b = paged_new(t->b_floats);
    fill(t->a.data, a_rows, a_columns, t->lda, shape->data, 1);
    fill(t->b.data, b_rows, b_columns, t->ldb, shape->data, 2);
    t->c_floats = extent(m, n, t->ldc);
    t->area = paged_new(t->c_floats + 2 * GUARD);
    t->c = t->area.data + GUARD;
    t->before = buffer(m * n, sizeof(float));
    fill(t->before, m, n, n, shape->data, 3);
    t->product = buffer(m * n, sizeof(double));
    t->magnitude = buffer(m * n, sizeof(double));
    product_case_expect(t);
    product_case_reset(t);
}

void product_case_free(product_case *t)
{
    paged_free(&t->a);
    paged_free(&t->b);
    paged_free(&t->area);
    free(t->before);
    free(t->product);
    free(t->magnitude);
}

float *product_case_a(product_case *t, int64_t row, int64_t column)
{
    return t->a.data + (t->shape.transpose_a ? column * t->lda + row : row * t->lda + column);
}

float *product_case_b(product_case *t, int64_t row, int64_t column)
{
    return t->b.data + (t->shape.transpose_b ? column * t->ldb + row : row * t->ldb + column);
}

/* op(A) and op(B)^T in double, dense: the reference then runs along rows of both. */
static void widen(product_case *t, double *a, double *b)
{
    for (int64_t p = 0; p < t->shape.k; p++) {
        for (int64_t i = 0; i < t->shape.m; i++)
            a[i * t->shape.k + p] = (double)*product_case_a(t, i, p);
        for (int64_t j = 0; j < t->shape.n; j++)
            b[j * t->shape.k + p] = (double)*product_case_b(t, p, j);
    }
}

void product_case_expect(product_case *t)
{
    const int64_t m = t->shape.m, n = t->shape.n, k = t->shape.k;
    double *a = buffer(m * k, sizeof(double)), *b = buffer(k * n, sizeof(double));
    widen(t, a, b);
    reference_gemm(t->product, n, a, k, b, k, m, n, k, false, true, 1.0, 0.0);
    reference_gemm_magnitude(t->magnitude, n, a, k, b, k, m, n, k, false, true, 1.0, 0.0);
    free(a);
    free(b);
}

void product_case_reset(product_case *t)
{
    for (int64_t i = 0; i < t->c_floats + 2 * GUARD; i++)
        t->area.data[i] = canary();
    for (int64_t i = 0; i < t->shape.m; i++)
        memcpy(t->c + i * t->ldc, t->before + i * t->shape.n, (size_t)t->shape.n * sizeof(float));
}

static const char *describe(const product_case *t, const char *what)
{
    static char text[256];
    snprintf(text, sizeof text, "%s: %lld x %lld x %lld %c%c, gap %lld", what, (long long)t->shape.m,
             (long long)t->shape.n, (long long)t->shape.k, t->shape.transpose_a ? 'T' : 'N',
             t->shape.transpose_b ? 'T' : 'N', (long long)t->shape.gap);
    return text;
}

static void check_canaries(const product_case *t, const char *what)
{
    const int64_t n = t->shape.n;
    for (int64_t i = -GUARD; i < t->c_floats + GUARD; i++) {
        const bool inside = i >= 0 && i < t->c_floats && i % t->ldc < n;
        if (!inside && !is_canary(t->c[i]))
            ck_abort_msg("%s: float %lld of C (ldc %lld) is outside and was written: %g", describe(t, what),
                         (long long)i, (long long)t->ldc, (double)t->c[i]);
    }
}

/* Largest error allowed where the exact value is `expected` with that sum of magnitudes. 2^-24 is the rounding of one
 * operation. */
static double allowed(const product_case *t, double magnitude)
{
    return t->shape.data == DATA_INTEGER ? 0.0 : 16.0 * (double)FLT_EPSILON / 2.0 * magnitude;
}

static bool agrees(double found, double expected, double most)
{
    if (isnan(expected) || isinf(expected))
        return isnan(expected) ? isnan(found) : found == expected;
    return fabs(found - expected) <= most;
}

void product_case_check(const product_case *t, float alpha, float beta, const char *what)
{
    check_canaries(t, what);
    for (int64_t i = 0; i < t->shape.m; i++)
        for (int64_t j = 0; j < t->shape.n; j++) {
            const int64_t e = i * t->shape.n + j;
            const double before = beta == 0.0f ? 0.0 : (double)beta * (double)t->before[e];
            const double product = alpha == 0.0f ? 0.0 : (double)alpha * t->product[e];
            const double magnitude = alpha == 0.0f ? 0.0 : fabs((double)alpha) * t->magnitude[e];
            const double most = allowed(t, magnitude + fabs(before));
            const double found = (double)t->c[i * t->ldc + j];
            if (!agrees(found, product + before, most))
                ck_abort_msg("%s, alpha %g, beta %g: C[%lld][%lld] is %.9g, expected %.9g to %.3g", describe(t, what),
                             (double)alpha, (double)beta, (long long)i, (long long)j, found, product + before, most);
        }
}

void product_case_check_untouched(const product_case *t, const char *what)
{
    check_canaries(t, what);
    for (int64_t i = 0; i < t->shape.m; i++)
        if (memcmp(t->c + i * t->ldc, t->before + i * t->shape.n, (size_t)t->shape.n * sizeof(float)) != 0)
            ck_abort_msg("%s: row %lld of C was written", describe(t, what), (long long)i);
}

gg_status product_case_gemm(product_case *t, float alpha, float beta)
{
    return gg_gemm(t->c, t->ldc, t->a.data, t->lda, t->b.data, t->ldb, t->shape.m, t->shape.n, t->shape.k,
                   t->shape.transpose_a ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                   t->shape.transpose_b ? GG_TRANSPOSE : GG_NO_TRANSPOSE, alpha, beta);
}
