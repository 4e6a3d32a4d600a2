/* muon.c - Muon: momentum whose singular values are all brought near 1.
 *
 * For a weight W of m x n with gradient G (g' = grad_scale g, before the momentum):
 *     M = momentum M + G                      U = G + momentum M      (Nesterov's look ahead)
 *     X_0 = U / (|U|_F + 1e-7)                X_{i+1} = a X_i + (b A + c A^2) X_i,  A = X_i X_i^T, five times
 *     W = (1 - lr weight_decay) W - lr 0.2 sqrt(max(m, n)) X_5
 * A step of the iteration turns each singular value s of X into a s + b s^3 + c s^5; with (a, b, c) = (3.4445, -4.7750,
 * 2.0315) all of them end between about 0.7 and 1.2 without a singular value being computed: products alone. For m > n
 * the same with A = X^T X from the right. The factor 0.2 sqrt(max(m, n)) gives an update the size that AdamW's has, so
 * that the rates and decays of AdamW serve here. Vectors are AdamW's.
 *
 * Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al., "Muon is
 * Scalable for LLM Training", 2025 (the factor and the decay). */
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>

#include "optimizer_rules.h"

enum { SQUARES, ITERATIONS = 5 }; /* tensor: AdamW's v of a vector */

static const float LINEAR = 3.4445f, CUBIC = -4.7750f, QUINTIC = 2.0315f;

static gg_status plan(gg_optimizer *optimizer, gg_block *block)
{
    if (!block->is_matrix)
        return gg_block_tensor(optimizer, block, SQUARES, "v", 1, block->size, false);
    const int64_t k = block->rows < block->columns ? block->rows : block->columns;
    return gg_block_scratch(optimizer, 2 * (block->size + k * k)); /* k^2 <= size */
}

/* out = a X + (b A + c A^2) X, or from the right; A and B of k x k. */
static gg_status iterate(float *out, const float *x, float *a, float *b, int64_t rows, int64_t columns)
{
    const bool wide = rows <= columns;
    const int64_t k = wide ? rows : columns;
    gg_status status =
        gg_gemm(a, k, x, columns, x, columns, k, k, wide ? columns : rows, wide ? GG_NO_TRANSPOSE : GG_TRANSPOSE,
                wide ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (status != GG_OK)
        return status;
    memcpy(b, a, (size_t)(k * k) * sizeof *b);
    memcpy(out, x, (size_t)(rows * columns) * sizeof *out);
    status = gg_gemm(b, k, a, k, a, k, k, k, k, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, QUINTIC, CUBIC);
    if (status != GG_OK)
        return status;
    return gg_gemm(out, columns, wide ? b : x, wide ? k : columns, wide ? x : b, wide ? columns : k, rows, columns, k,
                   GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, LINEAR);
}

/* x, of rows x columns, to about the orthogonal matrix nearest to it; *out is where that lies, in x or spare. */
static gg_status orthogonalise(float **out, float *x, float *spare, float *squares, int64_t rows, int64_t columns)
{
    const int64_t k = rows < columns ? rows : columns;
    double norm = 0.0;
    gg_status status = gg_sum_squares(&norm, x, rows * columns);
    if (status == GG_OK)
        status = gg_scale(x, rows * columns, (float)(1.0 / (sqrt(norm) + 1e-7)));
    for (int i = 0; i < ITERATIONS && status == GG_OK; i++) {
        float *const next = spare;
        status = iterate(next, x, squares, squares + k * k, rows, columns);
        spare = x;
        x = next;
    }
    *out = x;
    return status;
}

static gg_status step_matrix(const gg_optimizer *optimizer, const gg_block *block, float lr, float scale)
{
    const gg_optimizer_options *o = &optimizer->options;
    const int64_t n = block->size;
    const float *g = gg_model_gradients(optimizer->model) + block->offset;
    float *w = gg_model_parameters(optimizer->model) + block->offset, *m = optimizer->state + block->offset;
    float *x = optimizer->scratch, *found = NULL;
    const double size = 0.2 * sqrt((double)(block->rows > block->columns ? block->rows : block->columns));
    gg_status status = gg_scale(m, n, o->momentum);
    if (status == GG_OK)
        status = gg_axpy(m, g, n, scale);
    memcpy(x, m, (size_t)n * sizeof *x);
    if (status == GG_OK)
        status = gg_scale(x, n, o->momentum);
    if (status == GG_OK)
        status = gg_axpy(x, g, n, scale);
    if (status == GG_OK)
        status = orthogonalise(&found, x, x + n, x + 2 * n, block->rows, block->columns);
    if (status == GG_OK)
        status = gg_scale(w, n, (float)(1.0 - (double)lr * (double)o->weight_decay));
    return status == GG_OK ? gg_axpy(w, found, n, (float)(-(double)lr * size)) : status;
}

static gg_status step(gg_optimizer *optimizer, float lr, float scale)
{
    gg_status status = gg_optimizer_check_gradients(optimizer);
    for (int i = 0; i < optimizer->block_count && status == GG_OK; i++) {
        const gg_block *block = &optimizer->blocks[i];
        if (block->is_sparse)
            continue;
        status = block->is_matrix ? step_matrix(optimizer, block, lr, scale)
                                  : gg_block_adamw(optimizer, block, optimizer->state + block->offset,
                                                   gg_block_kept(optimizer, block, SQUARES), lr, scale);
    }
    return status;
}

const gg_matrix_rule gg_muon_rule = {plan, step, NULL};
