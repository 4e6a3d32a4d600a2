/* gemmgrad/compat/llmc.h - the layers of llm.c's train_gpt2.c, by gemmgrad.
 *
 * In train_gpt2.c include it after the system headers and remove the definitions of the functions below; link with
 * gemmgrad-blas. Names and arguments are those of https://github.com/karpathy/llm.c (2024, with the padded vocabulary
 * Vp; a file without it passes V twice), row-major float32: B batch, T time, C channels, OC channels out, NH heads, V
 * vocabulary. Gradients are added to, as there. Pointers must not be NULL unless stated; outputs must not overlap
 * inputs unless stated.
 *
 * Every product of two matrices is gg_gemm's. Nothing is allocated; thread-safe on different outputs. Products,
 * softmax, GELU and the layer normalisation's forward pass take up to gg_threads() threads. The calling thread alone
 * masks the scores of attention_forward, passes gradients through the softmax of attention_backward, pads rows of
 * logits, and runs layernorm_backward and the loss; but crossentropy_softmax_backward shares the rows of a vocabulary
 * of 131072 and more. Refused calls: gemmgrad/compat/failure.h. */
#ifndef GEMMGRAD_COMPAT_LLMC_H
#define GEMMGRAD_COMPAT_LLMC_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <gemmgrad/compat/failure.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/layernorm.h>
#include <gemmgrad/matmul.h>
#include <gemmgrad/softmax.h>

#ifdef __cplusplus
extern "C" { /* as those projects declare them for C++ */
#endif

/* ---- products ---- */

static inline gg_matmul_options gg_llmc_options(void)
{
    gg_matmul_options options;
    memset(&options, 0, sizeof options);
    options.layout = GG_OUT_IN;
    options.accumulate_dx = options.accumulate_dw = true;
    return options;
}

/* out (B,T,OC) = inp (B,T,C) weight^T + bias, weight being (OC,C); bias may be NULL. */
static inline void matmul_forward(float *out, const float *inp, const float *weight, const float *bias, int B, int T,
                                  int C, int OC)
{
    const gg_matmul_options options = gg_llmc_options();
    gg_compat_check(gg_matmul_forward(out, OC, inp, C, weight, C, bias, (int64_t)B * T, C, OC, &options));
}

/* dinp += dout weight, dweight += dout^T inp, dbias += the sum of dout over (B,T). dbias may be NULL; so may dinp and
 * dweight here. */
static inline void matmul_backward(float *dinp, float *dweight, float *dbias, const float *dout, const float *inp,
                                   const float *weight, int B, int T, int C, int OC)
{
    const gg_matmul_options options = gg_llmc_options();
    gg_compat_check(
        gg_matmul_backward(dinp, C, dweight, C, dbias, dout, OC, inp, C, weight, C, (int64_t)B * T, C, OC, &options));
}

/* ---- attention ---- */

/* Scores are computed for so many times at once, with all times up to the last of them: what lies above the diagonal is
 * computed for nothing, the less the smaller the block, and smaller products are slower. */
static const int64_t gg_llmc_block_rows = 128;

/* Some rows of one head, in all sequences of the batch: where its parts begin. */
typedef struct gg_llmc_block {
    int64_t batch, times, channels, heads, width; /* width: of a head */
    int64_t first, rows, keys;                    /* times [first, first + rows) look at [0, keys) */
    int64_t query, key, value, out, att;          /* in inp, in inp, in inp, in out, in att */
    float scale;
} gg_llmc_block;

static inline gg_llmc_block gg_llmc_rows(int B, int T, int C, int NH, int64_t head, int64_t first)
{
    gg_llmc_block b;
    b.batch = B;
    b.times = T;
    b.channels = C;
    b.heads = NH;
    b.width = C / NH;
    b.first = first;
    b.rows = T - first < gg_llmc_block_rows ? T - first : gg_llmc_block_rows;
    b.keys = first + b.rows;
    b.key = b.channels + head * b.width;
    b.value = b.channels + b.key;
    b.query = first * 3 * b.channels + head * b.width;
    b.out = first * b.channels + head * b.width;
    b.att = (head * b.times + first) * b.times;
    b.scale = 1.0f / sqrtf((float)b.width);
    return b;
}

static inline gg_status gg_llmc_check_heads(const char *function, int B, int T, int C, int NH)
{
    if (B < 0 || T < 0 || C < 0 || NH < 1 || C % NH != 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: B = %d, T = %d, C = %d, NH = %d: C must be a multiple of NH, NH positive",
                       function, B, T, C, NH);
    return GG_OK;
}

/* scores (rows x keys) = beta scores + scale x y^T, of rows of x with keys of y, whose rows are ldx and ldy apart. */
static inline gg_status gg_llmc_scores(float *scores, const float *x, int64_t ldx, const float *y, int64_t ldy,
                                       float scale, float beta, const gg_llmc_block *b)
{
    const int64_t t = b->times;
    return gg_gemm_batch(scores + b->att, t, b->heads * t * t, x, ldx, t * ldx, y, ldy, t * ldy, b->batch, b->rows,
                         b->keys, b->width, GG_NO_TRANSPOSE, GG_TRANSPOSE, scale, beta);
}

/* y (rows x width) = beta y + scale scores x, x holding a row for each key. */
static inline gg_status gg_llmc_mix(float *y, int64_t ldy, const float *scores, const float *x, int64_t ldx,
                                    float scale, float beta, const gg_llmc_block *b)
{
    const int64_t t = b->times;
    return gg_gemm_batch(y, ldy, t * ldy, scores + b->att, t, b->heads * t * t, x, ldx, t * ldx, b->batch, b->rows,
                         b->width, b->keys, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, scale, beta);
}

/* y (keys x width) += scale scores^T x, x holding a row for each of the rows. */
static inline gg_status gg_llmc_spread(float *y, int64_t ldy, const float *scores, const float *x, int64_t ldx,
                                       float scale, const gg_llmc_block *b)
{
    const int64_t t = b->times;
    return gg_gemm_batch(y, ldy, t * ldy, scores + b->att, t, b->heads * t * t, x, ldx, t * ldx, b->batch, b->keys,
                         b->width, b->rows, GG_TRANSPOSE, GG_NO_TRANSPOSE, scale, 1.0f);
}

static inline float *gg_llmc_row(float *scores, int64_t sequence, int64_t row, const gg_llmc_block *b)
{
    return scores + sequence * b->heads * b->times * b->times + b->att + row * b->times;
}

/* Scores of the future: before the softmax -FLT_MAX, which counts for nothing and is finite for programs built with
 * -ffast-math; after it 0, also in a row of NaN. */
static inline void gg_llmc_mask(float *scores, float value, const gg_llmc_block *b)
{
    for (int64_t n = 0; n < b->batch; n++)
        for (int64_t r = 0; r < b->rows; r++) {
            float *row = gg_llmc_row(scores, n, r, b);
            for (int64_t j = b->first + r + 1; j < b->times; j++)
                row[j] = value;
        }
}

/* dscores += the gradient of a row's softmax; 0 above the diagonal, where the products behind it will look. */
static inline void gg_llmc_softmax_backward(float *dscores, const float *datt, const float *att, const gg_llmc_block *b)
{
    for (int64_t n = 0; n < b->batch; n++)
        for (int64_t r = 0; r < b->rows; r++) {
            const int64_t skip = n * b->heads * b->times * b->times + b->att + r * b->times;
            const int64_t seen = b->first + r + 1;
            const float *p = att + skip, *dp = datt + skip;
            float *ds = dscores + skip, sum = 0.0f;
            for (int64_t j = 0; j < seen; j++)
                sum += p[j] * dp[j];
            for (int64_t j = 0; j < seen; j++)
                ds[j] += p[j] * (dp[j] - sum);
            for (int64_t j = seen; j < b->keys; j++)
                ds[j] = 0.0f;
        }
}

/* Causal attention with several heads: inp (B,T,3C) holds queries, keys and values, out is (B,T,C), preatt and att are
 * (B,NH,T,T), scores before and after the softmax. Above the diagonal att is 0 as in llm.c, and preatt -FLT_MAX, where
 * llm.c leaves it alone. A NaN among the values of one time reaches up to 127 times before it in its sequence and head,
 * because they share a product with weight 0. */
static inline void attention_forward(float *out, float *preatt, float *att, const float *inp, int B, int T, int C,
                                     int NH)
{
    const int64_t in = 3 * (int64_t)C;
    gg_status status = gg_llmc_check_heads("attention_forward", B, T, C, NH);
    for (int64_t h = 0; status == GG_OK && h < NH; h++)
        for (int64_t t = 0; status == GG_OK && t < T; t += gg_llmc_block_rows) {
            const gg_llmc_block b = gg_llmc_rows(B, T, C, NH, h, t);
            status = gg_llmc_scores(preatt, inp + b.query, in, inp + b.key, in, b.scale, 0.0f, &b);
            if (status == GG_OK)
                gg_llmc_mask(preatt, -FLT_MAX, &b);
        }
    if (status == GG_OK)
        status = gg_softmax_forward(att, preatt, (int64_t)B * NH * T, T);
    for (int64_t h = 0; status == GG_OK && h < NH; h++)
        for (int64_t t = 0; status == GG_OK && t < T; t += gg_llmc_block_rows) {
            const gg_llmc_block b = gg_llmc_rows(B, T, C, NH, h, t);
            gg_llmc_mask(att, 0.0f, &b);
            status = gg_llmc_mix(out + b.out, C, att, inp + b.value, in, 1.0f, 0.0f, &b);
        }
    gg_compat_check(status);
}

/* dinp += the gradients of queries, keys and values; datt and dpreatt += those of the scores on and below the diagonal,
 * which is what llm.c does, so they are to be cleared beforehand. att is attention_forward's. Above the diagonal
 * both hold nothing of use afterwards, where llm.c leaves them alone. */
static inline void attention_backward(float *dinp, float *dpreatt, float *datt, const float *dout, const float *inp,
                                      const float *att, int B, int T, int C, int NH)
{
    const int64_t in = 3 * (int64_t)C;
    gg_status status = gg_llmc_check_heads("attention_backward", B, T, C, NH);
    for (int64_t h = 0; status == GG_OK && h < NH; h++)
        for (int64_t t = 0; status == GG_OK && t < T; t += gg_llmc_block_rows) {
            const gg_llmc_block b = gg_llmc_rows(B, T, C, NH, h, t);
            status = gg_llmc_scores(datt, dout + b.out, C, inp + b.value, in, 1.0f, 1.0f, &b);
            if (status == GG_OK)
                status = gg_llmc_spread(dinp + b.value, in, att, dout + b.out, C, 1.0f, &b);
            if (status != GG_OK)
                break;
            gg_llmc_softmax_backward(dpreatt, datt, att, &b);
            status = gg_llmc_mix(dinp + b.query, in, dpreatt, inp + b.key, in, b.scale, 1.0f, &b);
            if (status == GG_OK)
                status = gg_llmc_spread(dinp + b.key, in, dpreatt, inp + b.query, in, b.scale, &b);
        }
    gg_compat_check(status);
}

/* ---- layer normalisation ---- */

/* out (B,T,C) = weight (inp - mean) rstd + bias; mean and rstd = 1 / sqrt(variance + 1e-5) are (B,T), for backward. out
 * may be inp. */
static inline void layernorm_forward(float *out, float *mean, float *rstd, const float *inp, const float *weight,
                                     const float *bias, int B, int T, int C)
{
    gg_compat_check(gg_layernorm_forward(out, mean, rstd, inp, weight, bias, (int64_t)B * T, C, NULL));
}

/* dinp, dweight and dbias += their gradients. */
static inline void layernorm_backward(float *dinp, float *dweight, float *dbias, const float *dout, const float *inp,
                                      const float *weight, const float *mean, const float *rstd, int B, int T, int C)
{
    for (int64_t r = 0; r < (int64_t)B * T; r++) {
        const float *x = inp + r * C, *dy = dout + r * C;
        float *dx = dinp + r * C, sum = 0.0f, product = 0.0f;
        for (int64_t c = 0; c < C; c++) {
            sum += weight[c] * dy[c];
            product += weight[c] * dy[c] * (x[c] - mean[r]) * rstd[r];
        }
        for (int64_t c = 0; c < C; c++) {
            const float normal = (x[c] - mean[r]) * rstd[r];
            dbias[c] += dy[c];
            dweight[c] += normal * dy[c];
            dx[c] += rstd[r] * (weight[c] * dy[c] - (sum + normal * product) / (float)C);
        }
    }
}

/* ---- GELU, by tanh ---- */

/* out may be inp. */
static inline void gelu_forward(float *out, const float *inp, int N)
{
    gg_compat_check(gg_activation_forward(out, inp, N, GG_GELU_TANH, 0.0f));
}

/* dinp += dout gelu'(inp). */
static inline void gelu_backward(float *dinp, const float *inp, const float *dout, int N)
{
    gg_compat_check(gg_activation_backward(dinp, dout, inp, N, GG_GELU_TANH, 0.0f, true));
}

/* ---- softmax and cross-entropy ---- */

/* probs (B,T,Vp) = softmax of the first V of each row's Vp logits, 0 in the others. probs may be logits. */
static inline void softmax_forward(float *probs, const float *logits, int B, int T, int V, int Vp)
{
    const int64_t rows = (int64_t)B * T;
    gg_status status = V < 0 || V > Vp ? gg_fail(GG_ERR_SHAPE, "softmax_forward: V = %d, Vp = %d", V, Vp) : GG_OK;
    if (status == GG_OK && V == Vp)
        status = gg_softmax_forward(probs, logits, rows, V);
    else if (status == GG_OK) {
        /* The padding is made to count for nothing, and then all rows are dense. */
        for (int64_t r = 0; r < rows; r++) {
            if (probs != logits)
                memcpy(probs + r * Vp, logits + r * Vp, (size_t)V * sizeof *probs);
            for (int64_t v = V; v < Vp; v++)
                probs[r * Vp + v] = -FLT_MAX;
        }
        status = gg_softmax_forward(probs, probs, rows, Vp);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t v = V; v < Vp; v++)
                probs[r * Vp + v] = 0.0f; /* also in a row of NaN */
    }
    gg_compat_check(status);
}

static inline gg_status gg_llmc_check_targets(const char *function, const int *targets, int64_t rows, int V)
{
    for (int64_t r = 0; r < rows; r++)
        if (targets[r] < 0 || targets[r] >= V)
            return gg_fail(GG_ERR_ARGUMENT, "%s: targets[%lld] = %d, not in 0 to %d", function, (long long)r,
                           targets[r], V - 1);
    return GG_OK;
}

/* losses (B,T) = -log of the probability of each target. A target outside [0, Vp) refuses the whole call. */
static inline void crossentropy_forward(float *losses, const float *probs, const int *targets, int B, int T, int Vp)
{
    const int64_t rows = (int64_t)B * T;
    const gg_status status = gg_llmc_check_targets("crossentropy_forward", targets, rows, Vp);
    for (int64_t r = 0; status == GG_OK && r < rows; r++)
        losses[r] = -logf(probs[r * Vp + targets[r]]);
    gg_compat_check(status);
}

/* dlogits (B,T,Vp) += (probs - [v == target]) dlosses for v < V; the padding is left alone. A target outside [0, Vp)
 * refuses the whole call. */
static inline void crossentropy_softmax_backward(float *dlogits, const float *dlosses, const float *probs,
                                                 const int *targets, int B, int T, int V, int Vp)
{
    const int64_t rows = (int64_t)B * T;
    gg_status status = gg_llmc_check_targets("crossentropy_softmax_backward", targets, rows, Vp);
    for (int64_t r = 0; status == GG_OK && r < rows; r++) {
        float *target = dlogits + r * Vp + targets[r];
        const float sum = *target + (probs[r * Vp + targets[r]] - 1.0f) * dlosses[r];
        status = gg_axpy(dlogits + r * Vp, probs + r * Vp, V, dlosses[r]);
        if (status == GG_OK && targets[r] < V)
            *target = sum;
    }
    gg_compat_check(status);
}

#ifdef __cplusplus
}
#endif

#endif
