/* shampoo.c - Shampoo and SOAP: gradients measured by the eigenvectors of their own second moments.
 *
 * For a weight of m x n with gradient G (g' = grad_scale g), averages of the products with itself are kept:
 *     L = beta2 L + (1 - beta2) G G^T   (m x m)        R = beta2 R + (1 - beta2) G^T G   (n x n)
 * Every `refresh` steps LAPACK finds L = Q_L diag(l) Q_L^T and R = Q_R diag(r) Q_R^T.
 *
 * Shampoo. The direction is D = L^(-1/4) M R^(-1/4) with Adam's first moments M, where L^(-1/4) stands for
 * Q_L diag(l + damping max(l))^(-1/4) Q_L^T. Its length is taken from AdamW ("grafting"): with A the step that AdamW
 * would make at rate 1,
 *     W = (1 - lr weight_decay) W - lr D |A|_F / |D|_F
 * so that AdamW's rates serve. Eigenvectors are found in step 1, 1 + refresh, ... from averages that hold G already.
 *
 * SOAP. Adam in the eigenvectors' basis: with G' = Q_L^T G Q_R
 *     M' = beta1 M' + (1 - beta1) G'      V = beta2 V + (1 - beta2) G'^2
 *     N = (M' / (1 - beta1^t)) / (sqrt(V / (1 - beta2^t)) + epsilon)
 *     W = (1 - lr weight_decay) W - lr Q_L N Q_R^T
 * M' is turned along when the basis changes, V is not. Eigenvectors are found in step 2, 2 + refresh, ... from the
 * gradients before G: a basis made from G alone would leave nothing but rounding in most of G', which the division by
 * the root would then make large. So the first step is AdamW's.
 *
 * A side longer than `largest_side` gets no eigenvectors: its Q is the identity, and in Shampoo the other side's power
 * becomes -1/2. A block with no side left, and every vector, is AdamW's.
 *
 * Sources: Gupta, Koren, Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", 2018; Anil et al., "Scalable
 * Second Order Optimization for Deep Learning", 2020 (averages, grafting); Vyas et al., "SOAP: Improving and
 * Stabilizing Shampoo using Adam", 2024. */
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/update.h>

#include "optimizer_rules.h"

/* Tensors: the averages, and Q (SOAP) or the root (Shampoo). */
enum { LEFT, RIGHT, LEFT_TURN, RIGHT_TURN };

/* ---- planning ---- */

static gg_status plan_side(gg_optimizer *optimizer, gg_block *block, int side, int64_t n)
{
    const bool left = side == LEFT;
    if (n > optimizer->options.largest_side)
        return GG_OK;
    gg_status status = gg_block_tensor(optimizer, block, side, left ? "left" : "right", n, n, false);
    if (status == GG_OK)
        status = gg_block_tensor(optimizer, block, side + LEFT_TURN, left ? "left_turn" : "right_turn", n, n, true);
    if (status == GG_OK)
        status = gg_block_scratch(optimizer, 3 * block->size + 2 * n * n + n);
    return status == GG_OK ? gg_block_lapack(optimizer, GG_LAPACK_SYMMETRIC_EIGEN, n, 0) : status;
}

static gg_status plan(gg_optimizer *optimizer, gg_block *block)
{
    if (!block->is_matrix)
        return GG_OK;
    const gg_status status = plan_side(optimizer, block, LEFT, block->rows);
    return status == GG_OK ? plan_side(optimizer, block, RIGHT, block->columns) : status;
}

static bool has_side(const gg_block *block)
{
    return block->tensors[LEFT] >= 0 || block->tensors[RIGHT] >= 0;
}

/* ---- averages ---- */

static gg_status move_averages(const gg_optimizer *optimizer, const gg_block *block, float scale)
{
    const int64_t m = block->rows, n = block->columns;
    const float beta = optimizer->options.beta2, rest = (1.0f - beta) * scale * scale;
    const float *g = gg_model_gradients(optimizer->model) + block->offset;
    float *left = gg_block_kept(optimizer, block, LEFT), *right = gg_block_kept(optimizer, block, RIGHT);
    gg_status status = GG_OK;
    if (left != NULL)
        status = gg_gemm(left, m, g, n, g, n, m, m, n, GG_NO_TRANSPOSE, GG_TRANSPOSE, rest, beta);
    if (right != NULL && status == GG_OK)
        status = gg_gemm(right, n, g, n, g, n, n, n, m, GG_TRANSPOSE, GG_NO_TRANSPOSE, rest, beta);
    return status;
}

/* out = left^T x right, or left x right^T; NULL: the identity. between: as much room as x, unlike out. */
static gg_status turn(float *out, const float *left, const float *x, const float *right, float *between,
                      const gg_block *block, bool back)
{
    const int64_t m = block->rows, n = block->columns;
    gg_status status = GG_OK;
    if (left == NULL && right == NULL)
        memmove(out, x, (size_t)block->size * sizeof *out);
    if (left != NULL)
        status = gg_gemm(right != NULL ? between : out, n, left, m, x, n, m, n, m,
                         back ? GG_NO_TRANSPOSE : GG_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (right != NULL && status == GG_OK)
        status = gg_gemm(out, n, left != NULL ? between : x, n, right, n, m, n, n, GG_NO_TRANSPOSE,
                         back ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1.0f, 0.0f);
    return status;
}

/* Eigenvectors of side `side` to `vectors`, in columns; values ascending. */
static gg_status decompose(const gg_optimizer *optimizer, const gg_block *block, int side, float *values,
                           float *vectors)
{
    const int64_t n = side == LEFT ? block->rows : block->columns;
    return gg_symmetric_eigen(values, vectors, n, gg_block_kept(optimizer, block, side), n, n, optimizer->lapack,
                              optimizer->room.lapack);
}

/* ---- Shampoo ---- */

/* root = Q diag(values + damping max)^power Q^T. Rounding leaves small values below zero. */
static gg_status make_root(const gg_optimizer *optimizer, const gg_block *block, int side, double power)
{
    float *root = gg_block_kept(optimizer, block, side + LEFT_TURN);
    if (root == NULL)
        return GG_OK;
    const int64_t n = side == LEFT ? block->rows : block->columns;
    float *q = optimizer->scratch, *scaled = q + n * n, *values = scaled + n * n;
    gg_status status = decompose(optimizer, block, side, values, q);
    if (status != GG_OK)
        return status;
    const double largest = fmax((double)values[n - 1], 0.0);
    for (int64_t j = 0; j < n; j++) {
        const double value = fmax((double)values[j], 0.0) + (double)optimizer->options.damping * largest;
        values[j] = value > 0.0 ? (float)pow(value / (largest > 0.0 ? largest : 1.0), power) : 1.0f;
    }
    for (int64_t i = 0; i < n; i++)
        status = status == GG_OK ? gg_multiply(scaled + i * n, q + i * n, values, n) : status;
    return status == GG_OK ? gg_gemm(root, n, scaled, n, q, n, n, n, n, GG_NO_TRANSPOSE, GG_TRANSPOSE, 1.0f, 0.0f)
                           : status;
}

static gg_status refresh_shampoo(const gg_optimizer *optimizer, const gg_block *block)
{
    const bool both = block->tensors[LEFT] >= 0 && block->tensors[RIGHT] >= 0;
    const double power = both ? -0.25 : -0.5;
    const gg_status status = make_root(optimizer, block, LEFT, power);
    return status == GG_OK ? make_root(optimizer, block, RIGHT, power) : status;
}

/* AdamW's step at rate 1 without decay goes to `to`, negative. */
static gg_status adam_step(const gg_optimizer *optimizer, float *to, float *m, float *v, const float *g, int64_t n,
                           float scale)
{
    const gg_optimizer_options *o = &optimizer->options;
    const gg_status status = gg_fill(to, n, 0.0f);
    return status == GG_OK
               ? gg_update_adam(to, m, v, g, n, 1.0f, o->beta1, o->beta2, o->epsilon, 0.0f, scale, optimizer->steps + 1)
               : status;
}

static gg_status decay_and_add(const gg_optimizer *optimizer, const gg_block *block, const float *change, float lr,
                               double factor)
{
    float *w = gg_model_parameters(optimizer->model) + block->offset;
    const double keep = 1.0 - (double)lr * (double)optimizer->options.weight_decay;
    const gg_status status = gg_scale(w, block->size, (float)keep);
    return status == GG_OK ? gg_axpy(w, change, block->size, (float)factor) : status;
}

static gg_status step_shampoo(const gg_optimizer *optimizer, const gg_block *block, float lr, float scale)
{
    const int64_t n = block->size;
    float *m = optimizer->state + block->offset, *v = m + optimizer->floats;
    float *adam = optimizer->scratch, *direction = adam + n, *between = direction + n;
    double length = 0.0, squares = 0.0;
    gg_status status = adam_step(optimizer, adam, m, v, gg_model_gradients(optimizer->model) + block->offset, n, scale);
    if (status == GG_OK)
        status = turn(direction, gg_block_kept(optimizer, block, LEFT_TURN), m,
                      gg_block_kept(optimizer, block, RIGHT_TURN), between, block, false);
    if (status == GG_OK)
        status = gg_sum_squares(&length, adam, n);
    if (status == GG_OK)
        status = gg_sum_squares(&squares, direction, n);
    const double factor = squares > 0.0 ? sqrt(length / squares) : 0.0;
    return status == GG_OK ? decay_and_add(optimizer, block, direction, lr, -(double)lr * factor) : status;
}

/* ---- SOAP ---- */

/* m, in the old basis, goes through the original one into the new. */
static gg_status refresh_soap(const gg_optimizer *optimizer, const gg_block *block)
{
    float *left = gg_block_kept(optimizer, block, LEFT_TURN), *right = gg_block_kept(optimizer, block, RIGHT_TURN);
    float *m = optimizer->state + block->offset, *plain = optimizer->scratch, *between = plain + block->size;
    float *values = between + block->size;
    gg_status status = turn(plain, left, m, right, between, block, true);
    if (left != NULL && status == GG_OK)
        status = decompose(optimizer, block, LEFT, values, left);
    if (right != NULL && status == GG_OK)
        status = decompose(optimizer, block, RIGHT, values, right);
    return status == GG_OK ? turn(m, left, plain, right, between, block, false) : status;
}

static gg_status step_soap(const gg_optimizer *optimizer, const gg_block *block, float lr, float scale)
{
    const float *left = gg_block_kept(optimizer, block, LEFT_TURN),
                *right = gg_block_kept(optimizer, block, RIGHT_TURN);
    const int64_t n = block->size;
    float *m = optimizer->state + block->offset, *v = m + optimizer->floats;
    float *turned = optimizer->scratch, *change = turned + n, *between = change + n;
    gg_status status =
        turn(turned, left, gg_model_gradients(optimizer->model) + block->offset, right, between, block, false);
    if (status == GG_OK)
        status = adam_step(optimizer, change, m, v, turned, n, scale);
    if (status == GG_OK)
        status = turn(turned, left, change, right, between, block, true);
    return status == GG_OK ? decay_and_add(optimizer, block, turned, lr, (double)lr) : status;
}

/* ---- both ---- */

/* The averages and what is made from them: all that can fail on numbers, before the first weight moves. */
static gg_status prepare_shampoo(const gg_optimizer *optimizer, const gg_block *block, float scale)
{
    const gg_status status = move_averages(optimizer, block, scale);
    return status == GG_OK && gg_optimizer_refreshes(optimizer, 0) ? refresh_shampoo(optimizer, block) : status;
}

static gg_status prepare_soap(const gg_optimizer *optimizer, const gg_block *block, float scale)
{
    const gg_status status = gg_optimizer_refreshes(optimizer, 1) ? refresh_soap(optimizer, block) : GG_OK;
    return status == GG_OK ? move_averages(optimizer, block, scale) : status;
}

typedef gg_status block_preparation(const gg_optimizer *optimizer, const gg_block *block, float scale);
typedef gg_status block_step(const gg_optimizer *optimizer, const gg_block *block, float lr, float scale);

static gg_status step(gg_optimizer *optimizer, float lr, float scale, block_preparation *prepare,
                      block_step *step_block)
{
    gg_status status = gg_optimizer_check_gradients(optimizer);
    for (int i = 0; i < optimizer->block_count && status == GG_OK; i++)
        if (has_side(&optimizer->blocks[i]))
            status = prepare(optimizer, &optimizer->blocks[i], scale);
    for (int i = 0; i < optimizer->block_count && status == GG_OK; i++) {
        const gg_block *block = &optimizer->blocks[i];
        float *m = optimizer->state + block->offset;
        if (block->is_sparse)
            continue;
        status = has_side(block) ? step_block(optimizer, block, lr, scale)
                                 : gg_block_adamw(optimizer, block, m, m + optimizer->floats, lr, scale);
    }
    return status;
}

static gg_status shampoo(gg_optimizer *optimizer, float lr, float scale)
{
    return step(optimizer, lr, scale, prepare_shampoo, step_shampoo);
}

static gg_status soap(gg_optimizer *optimizer, float lr, float scale)
{
    return step(optimizer, lr, scale, prepare_soap, step_soap);
}

const gg_matrix_rule gg_shampoo_rule = {plan, shampoo, NULL};
const gg_matrix_rule gg_soap_rule = {plan, soap, NULL};
