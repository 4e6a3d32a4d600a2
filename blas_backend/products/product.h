/* product.h - one matrix product on its way from the public call (gemm.c, matmul.c) through the choice of a strategy
 * (product_plan.c) to serial cblas_sgemm calls (product.c). */
#ifndef GG_PRODUCT_H
#define GG_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/status.h>

#include "cpu.h"

/* What happens to a block of C once its product is complete, while it is still in cache: C = f(C + bias). */
typedef struct gg_epilogue {
    const float *bias;     /* n floats, or NULL */
    const float *row_bias; /* m floats, one for each row, or NULL; not beside the other */
    gg_activation activation;
    float alpha;
    float *preactivation; /* NULL, or m x n dense: C + bias before f */
} gg_epilogue;

typedef struct gg_product {
    float *c;
    int64_t ldc;
    const float *a;
    int64_t lda;
    const float *b; /* or the packed operand */
    int64_t ldb;
    int64_t m, n, k;
    bool transpose_a, transpose_b, packed_b;
    float alpha, beta;
    const gg_epilogue *epilogue; /* NULL: none */
} gg_product;

/* How a part of C is computed. `panel` is the width of a block of B's columns, GG_PANEL.
 *  whole:      one cblas_sgemm call; the BLAS packs and blocks.
 *  direct:     small products straight from A and B.
 *  packed:     small products with a panel of B copied to contiguous memory (or packed beforehand).
 *  blocked:    as packed, with a block of op(A) copied as well.
 *  transposed: C^T = op(B)^T op(A)^T by small products, with a panel of op(A)^T copied; B is read where it lies.
 *  crossed:    C^T as well, A being stored transposed and read where it lies. */
typedef enum gg_strategy {
    GG_STRATEGY_WHOLE,
    GG_STRATEGY_DIRECT,
    GG_STRATEGY_PACKED,
    GG_STRATEGY_BLOCKED,
    GG_STRATEGY_TRANSPOSED,
    GG_STRATEGY_CROSSED,
    GG_STRATEGY_COUNT
} gg_strategy;

typedef struct gg_product_plan {
    gg_strategy strategy;
    int row_parts, column_parts; /* grid of parts of C, one thread each */
    int64_t k_block;             /* multiply-adds of one element of C between two visits to it */
} gg_product_plan;

/* 64 columns are four 16-float registers, the widest tile of OpenBLAS's small-matrix kernels. */
enum { GG_PANEL = 64 };

/* Floats of a register, and rows of C that these kernels compute at once. */
enum { GG_REGISTER = 16, GG_ROW_TILE = 4 };

/* Rows of a block that cuts `rows` into blocks of at most `most`: as even as can be, but in whole tiles. */
int64_t gg_product_row_block(int64_t rows, int64_t most);

/* The plan for a product's shape with this many threads; `small_products` and `family` as gg_policy_small_products()
 * and gg_policy_cpu_family() tell. */
gg_product_plan gg_product_choose(const gg_product *product, int threads, bool small_products, gg_cpu_family family);

/* Rows and columns of C that stay together when it is shared out: whole tiles of the kernels, whole packed panels. */
int64_t gg_product_row_unit(gg_strategy strategy);
int64_t gg_product_column_unit(const gg_product *product);

/* Compute it: plan, then run. Validated by the caller; m, n, k > 0. */
void gg_product_run(const gg_product *product);

/* Compute it as told: for tests and for the search of the plan's rules. */
void gg_product_run_planned(const gg_product *product, const gg_product_plan *plan);

/* One part on the calling thread. */
void gg_product_run_serial(const gg_product *product);

/* A block of C. */
typedef struct gg_product_block {
    int64_t row, rows, column, columns;
    bool past_caches; /* it is too large to be found in cache later */
} gg_product_block;

/* A block of C on the calling thread, where B and C stream from and to memory and A's rows stay in cache: B, not
 * transposed, is read where it lies, and its next panel asked for while one is multiplied. */
void gg_product_run_streamed(const gg_product *product, const gg_product_block *block);

/* Floats of a packed k x n operand, and the packing: panels of GG_PANEL columns, each k x width, one after the other,
 * where small products are what the BLAS is good at; a dense k x n copy elsewhere. */
int64_t gg_product_packed_floats(int64_t k, int64_t n);
void gg_product_pack(float *packed, const float *b, int64_t ldb, int64_t k, int64_t n, bool transpose_b);

#endif
