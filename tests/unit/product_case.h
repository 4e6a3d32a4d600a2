/* product_case.h - one product: operands whose last float is the last before an unreadable page, a C between canaries,
 * and what must come out, in double. */
#ifndef PRODUCT_CASE_H
#define PRODUCT_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gemmgrad/gemm.h>

/* Floats that end where an unreadable page begins: reading or writing beyond is a crash (not under BLIS, whose own
 * kernels read beyond). */
typedef struct paged {
    float *data;
    void *pages;
    size_t bytes;
} paged;

paged paged_new(int64_t floats);
void paged_free(paged *array);

/* What a C holds where it must not be written: a NaN with a payload of its own. */
float canary(void);
bool is_canary(float x);

typedef enum product_data {
    DATA_REAL,   /* in [-1, 1), none of them 0 */
    DATA_INTEGER /* -3 .. 3: every sum is exact in float */
} product_data;

typedef struct product_shape {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
    int64_t gap; /* leading dimensions are that much longer than the rows */
    product_data data;
} product_shape;

typedef struct product_case {
    product_shape shape;
    int64_t lda, ldb, ldc;
    int64_t a_floats, b_floats, c_floats;
    paged a, b; /* as stored; the gaps between rows hold canaries, which are NaN */
    paged area; /* canaries, C, canaries */
    float *c;
    float *before;     /* m x n dense: C before the product */
    double *product;   /* m x n dense: op(A) op(B) */
    double *magnitude; /* m x n dense: |op(A)| |op(B)| */
} product_case;

void product_case_new(product_case *t, const product_shape *shape);
void product_case_free(product_case *t);

/* Compute product and magnitude anew, after a change of A or B. */
void product_case_expect(product_case *t);

/* Put C back to what it was before. */
void product_case_reset(product_case *t);

/* C must be alpha product + beta before, to 16 eps (|alpha| magnitude + |beta before|), or exactly for integers, and
 * every canary must stand. `what` says in a failure which way C was computed. */
void product_case_check(const product_case *t, float alpha, float beta, const char *what);

/* C must be as it was before, and every canary must stand. */
void product_case_check_untouched(const product_case *t, const char *what);

/* The element of the stored A that is op(A)[row][column], and of B. */
float *product_case_a(product_case *t, int64_t row, int64_t column);
float *product_case_b(product_case *t, int64_t row, int64_t column);

/* gg_gemm with the case's operands. */
gg_status product_case_gemm(product_case *t, float alpha, float beta);

#endif
