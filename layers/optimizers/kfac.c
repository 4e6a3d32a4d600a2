/* kfac.c - K-FAC: natural gradient for affine layers, by a Kronecker product for each layer's Fisher matrix.
 *
 * An affine layer y = x W + b, over the N rows of a batch, with a = (x, 1) and g = N dL/dy (the loss being a mean over
 * the rows, g is a row's own gradient). With second moments
 *     A = average of a^T a  ((in + 1) x (in + 1))        G = average of g^T g  (out x out)
 * the Fisher matrix of (W; b) is taken for A (x) G, and its inverse times the gradient D ((in + 1) x out) is
 *     P = (A + pi sqrt(damping) I)^-1 D (G + sqrt(damping) / pi I)^-1,   pi^2 = (tr A / (in + 1)) / (tr G / out)
 * Moments are averages over the steps that refresh, k = 1, 2, ...: A = e A + (1 - e) A_batch with
 * e = min(1 - 1 / k, rho); the inverses (by Cholesky) are made at the same steps. The step is then damped once more by
 * its own length in the Fisher metric, and taken with momentum:
 *     nu = min(1, sqrt(1e-3 / (lr^2 sum P . D)))        v = momentum v + nu P + weight_decay W        W -= lr v
 * All other parameters, and layers that no backward has shown yet, keep D: plain momentum.
 *
 * g are the gradients of the training loss (the empirical Fisher), which backward has at hand; Martens and Grosse draw
 * labels from the model instead, for a second backward.
 *
 * The layer's backward gives sums of a^T a and dL/dy^T dL/dy when this file asks (gg_moments).
 * Sources: Martens and Grosse, "Optimizing Neural Networks with Kronecker-factored Approximate Curvature", 2015; Ba,
 * Grosse, Martens, "Distributed Second-Order Optimization using Kronecker-Factored Approximations", 2017 (nu). */
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/update.h>

#include "optimizer_rules.h"

enum { INPUT, OUTPUT, INPUT_INVERSE, OUTPUT_INVERSE };

static const double STEP_BOUND = 1e-3; /* of lr^2 P . D */

/* ---- planning ---- */

/* The node that alone uses parameter p as its weight and gives moments, or -1. */
static int32_t node_of(const gg_model *model, int32_t p)
{
    int32_t found = -1;
    for (int32_t i = 0; i < model->node_count; i++)
        for (int j = 0; j < model->nodes[i].parameter_count; j++)
            if (model->nodes[i].parameters[j] == p) {
                if (found >= 0 || j != 0 || !model->nodes[i].layer_class->gives_moments
                    || model->nodes[i].spectral >= 0)
                    return -1;
                found = i;
            }
    return found;
}

static int64_t inputs_of(const gg_block *block)
{
    return block->rows + (block->bias_offset >= 0 ? 1 : 0);
}

static gg_status plan_tensors(gg_optimizer *optimizer, gg_block *block)
{
    const int64_t in = inputs_of(block), out = block->columns;
    gg_status status = gg_block_tensor(optimizer, block, INPUT, "input", in, in, false);
    if (status == GG_OK)
        status = gg_block_tensor(optimizer, block, OUTPUT, "output", out, out, false);
    if (status == GG_OK)
        status = gg_block_tensor(optimizer, block, INPUT_INVERSE, "input_inverse", in, in, true);
    if (status == GG_OK)
        status = gg_block_tensor(optimizer, block, OUTPUT_INVERSE, "output_inverse", out, out, true);
    return status;
}

/* Scratch: the whole of P for all parameters, then three (in + 1) x out, or one damped moment. */
static gg_status plan(gg_optimizer *optimizer, gg_block *block)
{
    gg_model *model = optimizer->model;
    const int32_t node = node_of(model, (int32_t)(block - optimizer->blocks));
    gg_status status = gg_block_scratch(optimizer, optimizer->floats);
    const bool fits =
        block->rows < optimizer->options.largest_side && block->columns <= optimizer->options.largest_side;
    if (node < 0 || !fits || status != GG_OK)
        return status;
    if (model->nodes[node].parameter_count > 1)
        block->bias_offset = model->parameters[model->nodes[node].parameters[1]].offset;
    block->node = node;
    const int64_t in = inputs_of(block), out = block->columns, squares = in * in + out * out;
    status = plan_tensors(optimizer, block);
    if (status == GG_OK)
        status = gg_block_scratch(optimizer, optimizer->floats + squares + 3 * in * out);
    if (status == GG_OK)
        status = gg_block_lapack(optimizer, GG_LAPACK_CHOLESKY_SOLVE, in, in);
    if (status == GG_OK)
        status = gg_block_lapack(optimizer, GG_LAPACK_CHOLESKY_SOLVE, out, out);
    optimizer->room.moments += (squares + 15) / 16 * 16;
    return status;
}

/* Tell the layers whether the coming step wants moments. */
static void expect(gg_optimizer *optimizer)
{
    float *at = optimizer->moments;
    for (int i = 0; i < optimizer->block_count; i++) {
        gg_block *block = &optimizer->blocks[i];
        if (block->node < 0)
            continue;
        const int64_t in = inputs_of(block), out = block->columns;
        block->moments = (gg_moments){.x = at, .dz = at + in * in, .wanted = gg_optimizer_refreshes(optimizer, 0)};
        at += (in * in + out * out + 15) / 16 * 16;
        optimizer->model->nodes[block->node].pass.moments = &block->moments;
    }
}

/* ---- moments and inverses ---- */

static double mean_diagonal(const float *a, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i * n + i];
    return n > 0 ? sum / (double)n : 0.0;
}

/* average = keep average + add sums */
static gg_status average(float *moments, const float *sums, int64_t n, double keep, double add)
{
    const gg_status status = gg_scale(moments, n * n, (float)keep);
    return status == GG_OK ? gg_axpy(moments, sums, n * n, (float)add) : status;
}

/* inverse = (a + ridge I)^-1 */
static gg_status invert(const gg_optimizer *optimizer, float *inverse, const float *a, int64_t n, double ridge)
{
    float *damped = optimizer->scratch + optimizer->floats;
    memcpy(damped, a, (size_t)(n * n) * sizeof *damped);
    gg_status status = gg_fill(inverse, n * n, 0.0f);
    for (int64_t i = 0; i < n; i++) {
        damped[i * n + i] += (float)ridge;
        inverse[i * n + i] = 1.0f;
    }
    return status == GG_OK ? gg_cholesky_solve(inverse, n, NULL, damped, n, inverse, n, n, n, optimizer->lapack,
                                               optimizer->room.lapack)
                           : status;
}

static gg_status refresh(const gg_optimizer *optimizer, gg_block *block)
{
    const int64_t in = inputs_of(block), out = block->columns, rows = block->moments.rows;
    const double k = (double)(optimizer->steps / optimizer->options.refresh) + 1.0;
    const double keep = fmin(1.0 - 1.0 / k, (double)optimizer->options.rho);
    float *a = gg_block_kept(optimizer, block, INPUT), *g = gg_block_kept(optimizer, block, OUTPUT);
    gg_status status = average(a, block->moments.x, in, keep, (1.0 - keep) / (double)rows);
    if (status == GG_OK)
        status = average(g, block->moments.dz, out, keep, (1.0 - keep) * (double)rows);
    const double root = sqrt((double)optimizer->options.damping);
    const double size = mean_diagonal(a, in), slope = mean_diagonal(g, out);
    const double pi = size > 0.0 && slope > 0.0 ? sqrt(size / slope) : 1.0;
    if (status == GG_OK)
        status = invert(optimizer, gg_block_kept(optimizer, block, INPUT_INVERSE), a, in, pi * root);
    if (status == GG_OK)
        status = invert(optimizer, gg_block_kept(optimizer, block, OUTPUT_INVERSE), g, out, root / pi);
    return status;
}

/* ---- a step ---- */

/* The block of the array `flat`, in the parameters' layout, with its bias as the last row, to or from `rows`. */
static void stack(float *rows, const float *flat, const gg_block *block)
{
    memcpy(rows, flat + block->offset, (size_t)block->size * sizeof *rows);
    if (block->bias_offset >= 0)
        memcpy(rows + block->size, flat + block->bias_offset, (size_t)block->columns * sizeof *rows);
}

static void unstack(float *flat, const float *rows, const gg_block *block)
{
    memcpy(flat + block->offset, rows, (size_t)block->size * sizeof *rows);
    if (block->bias_offset >= 0)
        memcpy(flat + block->bias_offset, rows + block->size, (size_t)block->columns * sizeof *rows);
}

/* P of the block in place of its gradient in p; *length += P . D. */
static gg_status precondition(const gg_optimizer *optimizer, const gg_block *block, float *p, double *length)
{
    const int64_t in = inputs_of(block), out = block->columns;
    float *d = optimizer->scratch + optimizer->floats, *product = d + in * out, *result = product + in * out;
    double sum = 0.0;
    stack(d, p, block);
    gg_status status = gg_gemm(product, out, d, out, gg_block_kept(optimizer, block, OUTPUT_INVERSE), out, in, out, out,
                               GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (status == GG_OK)
        status = gg_gemm(result, out, gg_block_kept(optimizer, block, INPUT_INVERSE), in, product, out, in, out, in,
                         GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (status == GG_OK)
        status = gg_multiply(product, result, d, in * out);
    if (status == GG_OK)
        status = gg_sum(&sum, product, in * out);
    unstack(p, result, block);
    *length += sum;
    return status;
}

static gg_status shorten(const gg_optimizer *optimizer, float *p, float factor)
{
    gg_status status = GG_OK;
    for (int i = 0; i < optimizer->block_count && status == GG_OK; i++) {
        const gg_block *block = &optimizer->blocks[i];
        if (block->node < 0)
            continue;
        status = gg_scale(p + block->offset, block->size, factor);
        if (status == GG_OK && block->bias_offset >= 0)
            status = gg_scale(p + block->bias_offset, block->columns, factor);
    }
    return status;
}

static gg_status refresh_all(gg_optimizer *optimizer)
{
    gg_status status = gg_optimizer_check_gradients(optimizer);
    for (int i = 0; i < optimizer->block_count && status == GG_OK; i++) {
        gg_block *block = &optimizer->blocks[i];
        if (block->node >= 0 && block->moments.wanted && block->moments.rows > 0)
            status = refresh(optimizer, block);
    }
    return status;
}

static gg_status step(gg_optimizer *optimizer, float lr, float scale)
{
    const gg_optimizer_options *o = &optimizer->options;
    const int64_t n = optimizer->model->dense_floats;
    float *p = optimizer->scratch;
    double length = 0.0;
    gg_status status = refresh_all(optimizer);
    if (status != GG_OK)
        return status;
    memcpy(p, gg_model_gradients(optimizer->model), (size_t)n * sizeof *p);
    if (scale != 1.0f)
        status = gg_scale(p, n, scale);
    for (int i = 0; i < optimizer->block_count && status == GG_OK; i++)
        if (optimizer->blocks[i].node >= 0)
            status = precondition(optimizer, &optimizer->blocks[i], p, &length);
    length *= (double)lr * (double)lr;
    if (status == GG_OK && length > STEP_BOUND)
        status = shorten(optimizer, p, (float)sqrt(STEP_BOUND / length));
    if (status != GG_OK)
        return status;
    return gg_update_momentum(gg_model_parameters(optimizer->model), optimizer->state, p, n, lr, o->momentum,
                              o->weight_decay, 1.0f);
}

const gg_matrix_rule gg_kfac_rule = {plan, step, expect};
