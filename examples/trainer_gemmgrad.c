/* trainer_loops.c with its loops replaced by gemmgrad: one include and four calls, the rest is the same.
 *
 * Alone it prints the loss of each step; with any argument it answers `gemmgrad ab`, which measures a step. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <gemmgrad/blas_backend.h>
#include <gemmgrad/measure.h>

enum { INPUTS = 784, HIDDEN = 512, CLASSES = 10, BATCH = 128, STEPS = 20 };

static float x[BATCH * INPUTS], h[BATCH * HIDDEN], y[BATCH * CLASSES], dh[BATCH * HIDDEN], dy[BATCH * CLASSES];
static float w1[HIDDEN * INPUTS], b1[HIDDEN], w2[CLASSES * HIDDEN], b2[CLASSES];
static float dw1[HIDDEN * INPUTS], db1[HIDDEN], dw2[CLASSES * HIDDEN], db2[CLASSES];
static float prototypes[CLASSES * INPUTS];
static int32_t labels[BATCH];
static uint64_t state = 1;

/* In [-1, 1). */
static float number(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(state >> 40) * 0x1p-23f - 1.0f;
}

/* out = in w^T + b, for `in` of rows x p, w of q x p. */
static void affine_forward(float *restrict out, const float *restrict in, const float *restrict w,
                           const float *restrict b, int rows, int p, int q)
{
    gg_matmul_forward(out, q, in, p, w, p, b, rows, p, q, &(gg_matmul_options){.layout = GG_OUT_IN});
}

/* dw = dout^T in, db = the sum of dout, din = dout w unless it is NULL. */
static void affine_backward(float *restrict din, float *restrict dw, float *restrict db, const float *restrict dout,
                            const float *restrict in, const float *restrict w, int rows, int p, int q)
{
    gg_matmul_backward(din, p, dw, p, db, dout, q, in, p, w, p, rows, p, q, &(gg_matmul_options){.layout = GG_OUT_IN});
}

static void relu_forward(float *a, int n)
{
    for (int i = 0; i < n; i++)
        a[i] = a[i] > 0.0f ? a[i] : 0.0f;
}

static void relu_backward(float *da, const float *a, int n)
{
    for (int i = 0; i < n; i++)
        da[i] = a[i] > 0.0f ? da[i] : 0.0f;
}

/* The mean cross-entropy of softmax(a), and its gradient. */
static double softmax_loss(float *da, const float *a, const int32_t *label, int rows, int cols)
{
    double loss = 0.0;
    gg_softmax_cross_entropy(&loss, NULL, da, a, label, rows, cols, 1.0f / (float)rows);
    return loss / rows;
}

static void sgd(float *restrict w, const float *restrict dw, int n, float rate)
{
    gg_update_sgd(w, dw, n, rate, 0.0f, 1.0f);
}

static double step(float rate)
{
    affine_forward(h, x, w1, b1, BATCH, INPUTS, HIDDEN);
    relu_forward(h, BATCH * HIDDEN);
    affine_forward(y, h, w2, b2, BATCH, HIDDEN, CLASSES);
    const double loss = softmax_loss(dy, y, labels, BATCH, CLASSES);
    affine_backward(dh, dw2, db2, dy, h, w2, BATCH, HIDDEN, CLASSES);
    relu_backward(dh, h, BATCH * HIDDEN);
    affine_backward(NULL, dw1, db1, dh, x, w1, BATCH, INPUTS, HIDDEN);
    sgd(w1, dw1, HIDDEN * INPUTS, rate);
    sgd(b1, db1, HIDDEN, rate);
    sgd(w2, dw2, CLASSES * HIDDEN, rate);
    sgd(b2, db2, CLASSES, rate);
    return loss;
}

/* An image is the prototype of its class under as much noise. */
static void draw_batch(void)
{
    for (int r = 0; r < BATCH; r++) {
        labels[r] = (int32_t)((number() + 1.0f) * 0.5f * CLASSES);
        for (int i = 0; i < INPUTS; i++)
            x[r * INPUTS + i] = 0.5f * (prototypes[labels[r] * INPUTS + i] + number());
    }
}

static void start(void)
{
    for (int i = 0; i < CLASSES * INPUTS; i++)
        prototypes[i] = number();
    for (int i = 0; i < HIDDEN * INPUTS; i++)
        w1[i] = number() * sqrtf(6.0f / INPUTS);
    for (int i = 0; i < CLASSES * HIDDEN; i++)
        w2[i] = number() * sqrtf(6.0f / HIDDEN);
    draw_batch();
}

static int measured_step(void *context)
{
    (void)context;
    return !isfinite(step(1e-4f));
}

int main(int argc, char **argv)
{
    (void)argv;
    const gg_measured cases[] = {{.name = "train/784-512-10/128", .run = measured_step}};
    const gg_measured_program program = {.cases = cases, .count = 1, .about = "trainer 1.0"};
    start();
    if (argc > 1)
        return gg_measure_serve(&program);
    for (int i = 0; i < STEPS; i++, draw_batch())
        printf("step %2d  loss %.5f\n", i, step(0.01f));
    return 0;
}
