/* test_llmc.c - gemmgrad/compat/llmc.h against the semantics of llm.c's train_gpt2.c, as plain loops in double.
 *
 * Bounds are in units of FLT_EPSILON times the magnitudes summed up; where a result passes through several functions,
 * times the largest of its kind, and the bound is some four times the largest error seen with the kernels for AVX-512,
 * AVX2 and plain CPUs. Products have LAPACK's bound, 16. */
#include <stdio.h>

/* Told at once of every refused call. */
static char told[512];
#define GG_COMPAT_FAILED(status) ((void)snprintf(told, sizeof told, "%d: %s", (int)(status), gg_error_message()))

#include <gemmgrad/compat/llmc.h>

#include "support.h"

static double *ones(int64_t n, double value)
{
    double *x = support_doubles(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
    return x;
}

/* ---- products ---- */

static void check_matmul_forward(int B, int T, int C, int OC, bool with_bias)
{
    const int64_t rows = (int64_t)B * T;
    float *inp = support_uniform(rows * C, -1.0, 1.0, 1), *weight = support_uniform((int64_t)OC * C, -1.0, 1.0, 2);
    float *bias = with_bias ? support_uniform(OC, -1.0, 1.0, 3) : NULL, *out = support_floats(rows * OC);
    double *expected = support_doubles(rows * OC), *scale = support_doubles(rows * OC);
    for (int64_t i = 0; i < rows * OC; i++) {
        const int64_t r = i / OC, o = i % OC;
        expected[i] = with_bias ? bias[o] : 0.0;
        for (int c = 0; c < C; c++)
            expected[i] += (double)inp[r * C + c] * weight[o * C + c];
        scale[i] = fabs(expected[i]) + C;
    }
    matmul_forward(out, inp, weight, bias, B, T, C, OC);
    support_assert_close(out, expected, scale, rows * OC, 16.0, "matmul_forward %d %d %d %d", B, T, C, OC);
    support_release();
}

static void check_matmul_backward(int B, int T, int C, int OC, bool with_bias)
{
    const int64_t rows = (int64_t)B * T, in = rows * C, w = (int64_t)OC * C;
    float *inp = support_uniform(in, -1.0, 1.0, 1), *weight = support_uniform(w, -1.0, 1.0, 2);
    float *dout = support_uniform(rows * OC, -1.0, 1.0, 3), *dinp = support_uniform(in, -1.0, 1.0, 4);
    float *dweight = support_uniform(w, -1.0, 1.0, 5), *dbias = with_bias ? support_uniform(OC, -1.0, 1.0, 6) : NULL;
    double *expected_dinp = support_widen(dinp, in), *expected_dweight = support_widen(dweight, w);
    double *expected_dbias = with_bias ? support_widen(dbias, OC) : NULL;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < OC; o++) {
            const double d = dout[r * OC + o];
            if (with_bias)
                expected_dbias[o] += d;
            for (int64_t c = 0; c < C; c++) {
                expected_dinp[r * C + c] += d * weight[o * C + c];
                expected_dweight[o * C + c] += d * inp[r * C + c];
            }
        }
    matmul_backward(dinp, dweight, dbias, dout, inp, weight, B, T, C, OC);
    support_assert_close(dinp, expected_dinp, ones(in, OC + 1.0), in, 16.0, "dinp");
    support_assert_close(dweight, expected_dweight, ones(w, (double)rows + 1.0), w, 16.0, "dweight");
    if (with_bias)
        support_assert_close(dbias, expected_dbias, ones(OC, (double)rows + 1.0), OC, 16.0, "dbias");
    support_release();
}

START_TEST(matmul)
{
    static const int shapes[][4] = {{1, 1, 1, 1},   {2, 3, 1, 5},     {3, 1, 7, 1},
                                    {2, 17, 33, 9}, {1, 64, 65, 129}, {0, 3, 2, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int with_bias = 0; with_bias < 2; with_bias++) {
            const int *s = shapes[i];
            check_matmul_forward(s[0], s[1], s[2], s[3], with_bias != 0);
            check_matmul_backward(s[0], s[1], s[2], s[3], with_bias != 0);
        }
}
END_TEST

/* ---- attention ---- */

typedef struct attention {
    int B, T, C, NH, hs;
    double scale;
} attention;

/* Where the query of (b, t, h) begins in inp, its scores in att, its part in out. */
static int64_t in_at(const attention *a, int b, int t, int h)
{
    return ((int64_t)b * a->T + t) * 3 * a->C + (int64_t)h * a->hs;
}

static int64_t att_at(const attention *a, int b, int t, int h)
{
    return (((int64_t)b * a->NH + h) * a->T + t) * a->T;
}

static int64_t out_at(const attention *a, int b, int t, int h)
{
    return ((int64_t)b * a->T + t) * a->C + (int64_t)h * a->hs;
}

static void forward_row(const attention *a, double *out, double *preatt, double *att, const float *inp, int b, int t,
                        int h)
{
    const float *q = inp + in_at(a, b, t, h);
    double *s = preatt + att_at(a, b, t, h), *p = att + att_at(a, b, t, h), sum = 0.0;
    for (int j = 0; j <= t; j++) {
        const float *k = inp + in_at(a, b, j, h) + a->C;
        for (int i = 0; i < a->hs; i++)
            s[j] += a->scale * q[i] * k[i];
        sum += exp(s[j]);
    }
    for (int j = 0; j <= t; j++) {
        p[j] = exp(s[j]) / sum;
        for (int i = 0; i < a->hs; i++)
            out[out_at(a, b, t, h) + i] += p[j] * inp[in_at(a, b, j, h) + 2 * (int64_t)a->C + i];
    }
}

static void backward_row(const attention *a, double *dinp, double *dpreatt, double *datt, const float *dout,
                         const float *inp, const double *att, int b, int t, int h)
{
    const double *p = att + att_at(a, b, t, h);
    double *dp = datt + att_at(a, b, t, h), *ds = dpreatt + att_at(a, b, t, h), sum = 0.0;
    const int64_t C = a->C;
    for (int j = 0; j <= t; j++)
        for (int i = 0; i < a->hs; i++) {
            dp[j] += (double)inp[in_at(a, b, j, h) + 2 * C + i] * dout[out_at(a, b, t, h) + i];
            dinp[in_at(a, b, j, h) + 2 * C + i] += p[j] * dout[out_at(a, b, t, h) + i];
        }
    for (int j = 0; j <= t; j++)
        sum += p[j] * dp[j];
    for (int j = 0; j <= t; j++) {
        ds[j] += p[j] * (dp[j] - sum);
        for (int i = 0; i < a->hs; i++) {
            dinp[in_at(a, b, t, h) + i] += a->scale * ds[j] * inp[in_at(a, b, j, h) + C + i];
            dinp[in_at(a, b, j, h) + C + i] += a->scale * ds[j] * inp[in_at(a, b, t, h) + i];
        }
    }
}

/* On and below the diagonal results are the reference's; above, att is 0. */
static void check_scores(const attention *a, const float *actual, const double *expected, double largest, double bound,
                         bool zero_above, const char *what)
{
    for (int64_t row = 0; row < (int64_t)a->B * a->NH * a->T; row++) {
        const int64_t t = row % a->T, at = row * a->T;
        for (int64_t j = 0; j < a->T; j++)
            if (j <= t)
                ck_assert_msg(fabs(actual[at + j] - expected[at + j]) <= bound * (double)FLT_EPSILON * largest,
                              "%s: row %d, column %d is %g, not %g", what, (int)row, (int)j, (double)actual[at + j],
                              expected[at + j]);
            else if (zero_above)
                ck_assert_msg(actual[at + j] == 0.0f, "%s: row %d, column %d is not 0", what, (int)row, (int)j);
    }
}

/* What lies above the diagonal beforehand does not matter. */
static float *scores_before(const attention *a, uint64_t seed)
{
    float *x = support_uniform((int64_t)a->B * a->NH * a->T * a->T, -0.5, 0.5, seed);
    return x;
}

static void check_attention(int B, int T, int C, int NH)
{
    const attention a = {B, T, C, NH, C / NH, 1.0 / sqrt(C / (double)NH)};
    const int64_t in = (int64_t)B * T * 3 * C, out_floats = (int64_t)B * T * C, scores = (int64_t)B * NH * T * T;
    float *inp = support_uniform(in, -1.0, 1.0, 1), *dout = support_uniform(out_floats, -1.0, 1.0, 2);
    float *out = support_floats(out_floats), *preatt = support_floats(scores), *att = support_floats(scores);
    float *dinp = support_uniform(in, -1.0, 1.0, 3), *datt = scores_before(&a, 4), *dpreatt = scores_before(&a, 5);
    double *d_out = support_doubles(out_floats), *d_preatt = support_doubles(scores), *d_att = support_doubles(scores);
    double *d_dinp = support_widen(dinp, in), *d_datt = support_widen(datt, scores);
    double *d_dpreatt = support_widen(dpreatt, scores);
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++)
            for (int h = 0; h < NH; h++)
                forward_row(&a, d_out, d_preatt, d_att, inp, b, t, h);
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++)
            for (int h = 0; h < NH; h++)
                backward_row(&a, d_dinp, d_dpreatt, d_datt, dout, inp, d_att, b, t, h);
    attention_forward(out, preatt, att, inp, B, T, C, NH);
    support_assert_close(out, d_out, ones(out_floats, 1.0), out_floats, 5.0, "out");
    check_scores(&a, preatt, d_preatt, sqrt(a.hs), 4.0, false, "preatt");
    check_scores(&a, att, d_att, 1.0, 4.0, true, "att");
    attention_backward(dinp, dpreatt, datt, dout, inp, att, B, T, C, NH);
    check_scores(&a, datt, d_datt, a.hs, 4.0, false, "datt");
    check_scores(&a, dpreatt, d_dpreatt, a.hs, 4.0, false, "dpreatt");
    support_assert_close(dinp, d_dinp, ones(in, T), in, 1.0, "dinp");
    support_release();
}

START_TEST(attention_as_loops)
{
    check_attention(1, 1, 1, 1);
    check_attention(2, 3, 4, 2);
    check_attention(1, 7, 15, 3);
    check_attention(3, 17, 33, 1);
    check_attention(2, 128, 8, 4);
    check_attention(1, 129, 6, 2); /* a block of one row */
    check_attention(1, 300, 32, 2);
    check_attention(0, 5, 4, 2);
}
END_TEST

/* A key that is NaN spoils the rows that see it; att is 0 above the diagonal even there. */
START_TEST(attention_of_nan)
{
    enum { T = 5, C = 2 };
    float *inp = support_uniform(T * 3 * C, -1.0, 1.0, 1), out[T * C], preatt[T * T], att[T * T];
    inp[2 * 3 * C + C] = NAN;
    attention_forward(out, preatt, att, inp, 1, T, C, 1);
    for (int t = 0; t < T; t++) {
        ck_assert_msg((isnan(out[t * C]) != 0) == (t >= 2), "out of time %d is %g", t, (double)out[t * C]);
        for (int j = t + 1; j < T; j++)
            ck_assert_msg(att[t * T + j] == 0.0f, "att of row %d, column %d is %g", t, j, (double)att[t * T + j]);
    }
}
END_TEST

START_TEST(attention_refuses_heads)
{
    float *out = support_floats(6), *scores = support_floats(8), *inp = support_uniform(18, -1.0, 1.0, 1);
    attention_forward(out, scores, scores, inp, 1, 2, 3, 2);
    ck_assert(support_untouched(out, 6) && support_untouched(scores, 8));
    ck_assert_msg(strstr(told, "attention_forward") != NULL, "%s", told);
    attention_backward(out, scores, scores, inp, inp, inp, 1, 2, 3, 0);
    ck_assert(support_untouched(out, 6) && support_untouched(scores, 8));
    ck_assert_msg(strstr(told, "attention_backward") != NULL, "%s", told);
}
END_TEST

/* ---- layer normalisation ---- */

static void layernorm_row(double *out, double *mean, double *rstd, const float *x, const float *weight,
                          const float *bias, int C)
{
    double m = 0.0, v = 0.0;
    for (int c = 0; c < C; c++)
        m += (double)x[c] / C;
    for (int c = 0; c < C; c++)
        v += (x[c] - m) * (x[c] - m) / C;
    *mean = m;
    *rstd = 1.0 / sqrt(v + 1e-5);
    for (int c = 0; c < C; c++)
        out[c] = (x[c] - m) * *rstd * weight[c] + bias[c];
}

static void layernorm_row_backward(double *dx, double *dweight, double *dbias, const float *dy, const float *x,
                                   const float *weight, double mean, double rstd, int C)
{
    double sum = 0.0, product = 0.0;
    for (int c = 0; c < C; c++) {
        sum += (double)weight[c] * dy[c] / C;
        product += (double)weight[c] * dy[c] * (x[c] - mean) * rstd / C;
    }
    for (int c = 0; c < C; c++) {
        const double normal = (x[c] - mean) * rstd;
        dbias[c] += dy[c];
        dweight[c] += normal * dy[c];
        dx[c] += rstd * ((double)weight[c] * dy[c] - sum - normal * product);
    }
}

static void check_layernorm(int B, int T, int C)
{
    const int64_t rows = (int64_t)B * T, n = rows * C;
    float *x = support_uniform(n, -1.0, 3.0, 1), *weight = support_uniform(C, -1.0, 1.0, 2);
    float *bias = support_uniform(C, -1.0, 1.0, 3), *dy = support_uniform(n, -1.0, 1.0, 4);
    float *out = support_floats(n), *mean = support_floats(rows), *rstd = support_floats(rows);
    float *dx = support_uniform(n, -1.0, 1.0, 5), *dweight = support_uniform(C, -1.0, 1.0, 6);
    float *dbias = support_uniform(C, -1.0, 1.0, 7);
    double *d_out = support_doubles(n), *d_mean = support_doubles(rows), *d_rstd = support_doubles(rows);
    double *d_dx = support_widen(dx, n), *d_dweight = support_widen(dweight, C), *d_dbias = support_widen(dbias, C);
    layernorm_forward(out, mean, rstd, x, weight, bias, B, T, C);
    double steepest = 1.0;
    for (int64_t r = 0; r < rows; r++) {
        layernorm_row(d_out + r * C, &d_mean[r], &d_rstd[r], x + r * C, weight, bias, C);
        layernorm_row_backward(d_dx + r * C, d_dweight, d_dbias, dy + r * C, x + r * C, weight, mean[r], rstd[r], C);
        steepest = fmax(steepest, d_rstd[r]);
    }
    support_assert_close(mean, d_mean, ones(rows, 3.0), rows, 1.0, "mean");
    support_assert_close(rstd, d_rstd, NULL, rows, 2.0, "rstd");
    support_assert_close(out, d_out, ones(n, steepest * 4.0), n, 2.5, "out");
    layernorm_backward(dx, dweight, dbias, dy, x, weight, mean, rstd, B, T, C);
    support_assert_close(dx, d_dx, ones(n, steepest * 8.0), n, 1.0, "dinp %d", C);
    support_assert_close(dweight, d_dweight, ones(C, (double)rows * 4.0 + 1.0), C, 1.0, "dweight");
    support_assert_close(dbias, d_dbias, ones(C, (double)rows + 1.0), C, 3.0, "dbias");
    layernorm_forward(x, mean, rstd, x, weight, bias, B, T, C);
    support_assert_close(x, d_out, ones(n, steepest * 4.0), n, 2.5, "out over inp");
    support_release();
}

START_TEST(layernorm)
{
    static const int shapes[][3] = {{1, 1, 1}, {2, 3, 2}, {3, 1, 7}, {2, 17, 33}, {1, 5, 768}, {0, 4, 3}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_layernorm(shapes[i][0], shapes[i][1], shapes[i][2]);
}
END_TEST

/* ---- GELU ---- */

START_TEST(gelu)
{
    enum { N = 1001 };
    float *x = support_uniform(N, -6.0, 6.0, 1), *dout = support_uniform(N, -1.0, 1.0, 2), *out = support_floats(N);
    float *dinp = support_uniform(N, -1.0, 1.0, 3);
    double *y = support_doubles(N), *dx = support_widen(dinp, N);
    for (int i = 0; i < N; i++) {
        const double v = x[i], k = sqrt(2.0 / acos(-1.0)), t = tanh(k * (v + 0.044715 * v * v * v));
        y[i] = 0.5 * v * (1.0 + t);
        dx[i] += dout[i] * (0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * k * (1.0 + 3.0 * 0.044715 * v * v));
    }
    gelu_forward(out, x, N);
    support_assert_close(out, y, ones(N, 6.0), N, 3.0, "gelu_forward");
    gelu_backward(dinp, x, dout, N);
    support_assert_close(dinp, dx, ones(N, 2.0), N, 3.0, "gelu_backward");
}
END_TEST

/* ---- softmax and cross-entropy ---- */

static void check_softmax(int B, int T, int V, int Vp)
{
    const int64_t rows = (int64_t)B * T, n = rows * Vp;
    float *logits = support_uniform(n, -9.0, 9.0, 1), *probs = support_floats(n), *losses = support_floats(rows);
    float *dlosses = support_uniform(rows, -1.0, 1.0, 2), *dlogits = support_uniform(n, -1.0, 1.0, 3);
    int32_t *targets = support_labels(rows);
    double *p = support_doubles(n), *l = support_doubles(rows), *d = support_widen(dlogits, n);
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0.0;
        targets[r] = (int32_t)(r * 7 % V);
        for (int v = 0; v < V; v++)
            sum += exp(logits[r * Vp + v]);
        for (int v = 0; v < V; v++) {
            p[r * Vp + v] = exp(logits[r * Vp + v]) / sum;
            d[r * Vp + v] += (p[r * Vp + v] - (v == targets[r])) * dlosses[r];
        }
        l[r] = -log(p[r * Vp + targets[r]]);
    }
    softmax_forward(probs, logits, B, T, V, Vp);
    support_assert_close(probs, p, ones(n, 1.0), n, 2.0, "probs %d of %d", V, Vp);
    crossentropy_forward(losses, probs, targets, B, T, Vp);
    support_assert_close(losses, l, ones(rows, 20.0), rows, 2.0, "losses");
    crossentropy_softmax_backward(dlogits, dlosses, probs, targets, B, T, V, Vp);
    support_assert_close(dlogits, d, ones(n, 2.0), n, 1.0, "dlogits");
    softmax_forward(logits, logits, B, T, V, Vp);
    support_assert_close(logits, p, ones(n, 1.0), n, 2.0, "probs over logits");
    support_release();
}

START_TEST(softmax)
{
    check_softmax(1, 1, 1, 1);
    check_softmax(2, 3, 5, 5);
    check_softmax(2, 3, 5, 8);
    check_softmax(1, 9, 1000, 1024);
    check_softmax(3, 1, 1, 4);
    check_softmax(0, 1, 3, 4);
}
END_TEST

/* What one row holds stays in it; the padding is 0 even there. */
START_TEST(softmax_of_nan)
{
    float logits[8] = {0.0f, 1.0f, NAN, 5.0f, 0.0f, 0.0f, 0.0f, NAN}, probs[8];
    softmax_forward(probs, logits, 1, 2, 3, 4);
    ck_assert(isnan(probs[0]) && isnan(probs[2]) && probs[3] == 0.0f);
    ck_assert(fabsf(probs[4] - 1.0f / 3.0f) < 1e-6f && probs[7] == 0.0f);
}
END_TEST

START_TEST(targets_out_of_range_are_refused)
{
    float *losses = support_floats(2), *dlogits = support_floats(8), *probs = support_uniform(8, 0.1, 1.0, 1);
    for (int i = 0; i < 2; i++) {
        const int targets[2] = {0, i == 0 ? -1 : 4};
        told[0] = '\0';
        crossentropy_forward(losses, probs, targets, 1, 2, 4);
        ck_assert_msg(strstr(told, "crossentropy_forward: targets[1]") != NULL, "%s", told);
        crossentropy_softmax_backward(dlogits, probs, probs, targets, 1, 2, 4, 4);
        ck_assert_msg(strstr(told, "crossentropy_softmax_backward: targets[1]") != NULL, "%s", told);
        ck_assert(support_untouched(losses, 2) && support_untouched(dlogits, 8));
    }
    softmax_forward(dlogits, probs, 1, 2, 5, 4);
    ck_assert_msg(strstr(told, "V = 5, Vp = 4") != NULL && support_untouched(dlogits, 8), "%s", told);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, matmul);
    tcase_add_test(tests, attention_as_loops);
    tcase_add_test(tests, attention_of_nan);
    tcase_add_test(tests, attention_refuses_heads);
    tcase_add_test(tests, layernorm);
    tcase_add_test(tests, gelu);
    tcase_add_test(tests, softmax);
    tcase_add_test(tests, softmax_of_nan);
    tcase_add_test(tests, targets_out_of_range_are_refused);
}
