/* test_allocation.c - blas_backend when memory runs out: a product never fails for want of it, and is right whichever
 * allocation is refused; what does fail leaves its outputs as they were. */
#include <gemmgrad/blas_backend.h>

#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "support.h"
#include "trial.h"

/* Plain memory from outside the library for scenarios, which must not use Check's. */
static float *numbers(int64_t n, int64_t factor)
{
    float *x = malloc((size_t)n * sizeof *x);
    if (x == NULL)
        abort();
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((i * factor + i / 31) % 7 - 3);
    return x;
}

static void allocations(trial *t)
{
    int some = 0;
    void *a = &some, *b = &some;
    if (!trial_ok(t, gg_alloc(&a, 100))) {
        trial_check(t, a == &some, "gg_alloc touched its output");
        return;
    }
    if (trial_ok(t, gg_alloc_zero(&b, 100))) {
        for (int i = 0; i < 100; i++)
            trial_check(t, ((char *)b)[i] == 0, "not zero");
        gg_free(b);
    } else {
        trial_check(t, b == &some, "gg_alloc_zero touched its output");
    }
    gg_free(a);
}

/* ---- products ---- */

enum { M = 70, N = 90, K = 110 };

/* c = a b + c by plain loops; integers, so that the comparison is exact. */
static bool product_is(const float *c, const float *a, const float *b, int64_t m, bool ta, bool tb)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < N; j++) {
            float sum = 0.0f;
            for (int64_t p = 0; p < K; p++)
                sum += (ta ? a[p * m + i] : a[i * K + p]) * (tb ? b[j * K + p] : b[p * N + j]);
            if (c[i * N + j] != sum)
                return false;
        }
    return true;
}

static void multiply(trial *t, int64_t m, bool ta, bool tb)
{
    float *a = numbers(m * K, 3), *b = numbers(K * N, 5), *c = numbers(m * N, 1);
    trial_ok(t, gg_gemm(c, N, a, ta ? m : K, b, tb ? K : N, m, N, K, ta ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                        tb ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1, 0));
    trial_check(t, product_is(c, a, b, m, ta, tb), "wrong product");
    trial_check(t, t->status == GG_OK, "a product failed for want of memory");
    free(a);
    free(b);
    free(c);
}

static void products(trial *t)
{
    for (int kind = 0; kind < 4; kind++) {
        multiply(t, M, (kind & 1) != 0, (kind & 2) != 0);
        multiply(t, 1, (kind & 1) != 0, (kind & 2) != 0);
        multiply(t, 5 * M, (kind & 1) != 0, (kind & 2) != 0);
    }
}

static void batches(trial *t)
{
    enum { BATCH = 5 };
    float *a = numbers(BATCH * M * K, 3), *b = numbers(K * N, 5), *c = numbers(BATCH * M * N, 1);
    trial_ok(t, gg_gemm_batch(c, N, M * N, a, K, M * K, b, K, 0, BATCH, M, N, K, GG_NO_TRANSPOSE, GG_TRANSPOSE, 1, 0));
    for (int i = 0; i < BATCH; i++)
        trial_check(t, product_is(c + i * M * N, a + i * M * K, b, M, false, true), "wrong product in a batch");
    trial_check(t, t->status == GG_OK, "a batch failed for want of memory");
    free(a);
    free(b);
    free(c);
}

static void packed(trial *t)
{
    int64_t floats = 0;
    trial_ok(t, gg_gemm_packed_size(&floats, K, N));
    float *a = numbers(M * K, 3), *b = numbers(K * N, 5), *c = numbers(M * N, 1), *p = numbers(floats, 2);
    trial_ok(t, gg_gemm_pack(p, b, K, K, N, GG_TRANSPOSE));
    trial_ok(t, gg_gemm_packed(c, N, a, M, p, M, N, K, GG_TRANSPOSE, 1, 0));
    trial_check(t, product_is(c, a, b, M, true, true), "wrong packed product");
    trial_check(t, t->status == GG_OK, "a packed product failed for want of memory");
    free(a);
    free(b);
    free(c);
    free(p);
}

static void check_rectified(trial *t, const float *y, float *z)
{
    for (int i = 0; i < M * N; i++)
        z[i] = z[i] > 0.0f ? z[i] : 0.0f;
    trial_check(t, memcmp(y, z, M * N * sizeof *y) == 0, "f is not what became of the preactivation");
}

/* Y = ReLU(X W), dX = Y W^T, dW = X^T Y, db: with the weight stored both ways. */
static void layers(trial *t)
{
    float *x = numbers(M * K, 3), *w = numbers(K * N, 5), *y = numbers(M * N, 1), *z = numbers(M * N, 1);
    float *dx = numbers(M * K, 1), *dw = numbers(K * N, 1), *db = numbers(N, 1);
    for (int out_in = 0; out_in < 2; out_in++) {
        const gg_matmul_options options = {
            .layout = out_in ? GG_OUT_IN : GG_IN_OUT, .activation = GG_RELU, .preactivation = z};
        const int64_t ldw = out_in ? K : N;
        trial_ok(t, gg_matmul_forward(y, N, x, K, w, ldw, NULL, M, K, N, &options));
        trial_check(t, product_is(z, x, w, M, false, out_in != 0), "wrong forward");
        check_rectified(t, y, z);
        trial_ok(t, gg_matmul_backward(dx, K, dw, ldw, db, y, N, x, K, w, ldw, M, K, N, &options));
        float sum = 0.0f;
        for (int i = 0; i < M; i++)
            sum += x[i * K] * y[i * N];
        trial_check(t, dw[0] == sum, "wrong dW");
    }
    trial_check(t, t->status == GG_OK, "a layer's product failed for want of memory");
    float *all[] = {x, w, y, z, dx, dw, db};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* ---- convolutions ---- */

/* 16 MB of results of a kernel that moves nothing: they go from the thread's scratch past the caches. The product asks
 * for that scratch on machines, too, whose depthwise kernels do without. */
static void planes(trial *t)
{
    enum { CHANNELS = 4096, SIDE = 32, E = CHANNELS * SIDE * SIDE, TAPS = 9, LINE = 64 };
    gg_conv_shape s = {.batch = 1, .channels = CHANNELS, .filters = CHANNELS, .groups = CHANNELS};
    s.height = s.width = SIDE;
    s.kernel_height = s.kernel_width = 3;
    s.pad_top = s.pad_bottom = s.pad_left = s.pad_right = 1;
    const gg_conv_options options = {.algorithm = GG_CONV_DEPTHWISE};
    float *x = numbers(E, 3), *w = calloc(CHANNELS * TAPS, sizeof *w), *y = aligned_alloc(LINE, E * sizeof *y);
    float *work = NULL;
    int64_t floats = 0;
    multiply(t, M, false, false);
    for (int64_t i = 0; i < CHANNELS; i++)
        w[i * TAPS + TAPS / 2] = 1.0f;
    for (gg_conv_pass pass = GG_CONV_FORWARD; pass <= GG_CONV_BACKWARD_DATA; pass++) {
        trial_ok(t, gg_conv_workspace(&floats, pass, &s, &options));
        work = realloc(work, (size_t)(floats + 1) * sizeof *work);
        memset(y, 0xff, E * sizeof *y);
        trial_ok(t, pass == GG_CONV_FORWARD ? gg_conv_forward(y, x, w, NULL, &s, &options, work, floats)
                                            : gg_conv_backward_data(y, x, w, &s, &options, work, floats));
        trial_check(t, memcmp(y, x, E * sizeof *y) == 0, "wrong depthwise convolution");
    }
    trial_check(t, t->status == GG_OK, "a depthwise convolution failed for want of memory");
    free(x);
    free(w);
    free(y);
    free(work);
}

/* What is known to need no memory of its own, at sizes that several threads share. */
static void others(trial *t)
{
    enum { ROWS = 300, COLS = 500, E = ROWS * COLS };
    float *x = numbers(E, 3), *y = numbers(E, 1), *g = numbers(E, 5);
    int32_t *labels = calloc(ROWS, sizeof *labels);
    double sum = 0.0;
    int64_t counted = 0;
    bool finite = false;
    trial_ok(t, gg_activation_forward(y, x, E, GG_TANH, 0));
    trial_ok(t, gg_activation_backward(g, x, y, E, GG_TANH, 0, false));
    trial_ok(t, gg_add(y, x, g, E));
    trial_ok(t, gg_axpy(y, x, E, 2));
    trial_ok(t, gg_add_bias(y, COLS, x, COLS, g, ROWS, COLS, GG_RELU, 0));
    trial_ok(t, gg_sum_rows(g, x, COLS, ROWS, COLS, false));
    trial_ok(t, gg_sum_rows(g, x, 5, E / 5, 5, true));
    trial_ok(t, gg_sum(&sum, x, E));
    trial_ok(t, gg_sum_squares(&sum, x, E));
    trial_ok(t, gg_all_finite(&finite, x, E));
    trial_ok(t, gg_softmax_forward(y, x, ROWS, COLS));
    trial_ok(t, gg_softmax_backward(g, x, y, ROWS, COLS));
    trial_ok(t, gg_log_sum_exp(g, x, ROWS, COLS));
    trial_ok(t, gg_softmax_cross_entropy(&sum, &counted, g, x, labels, ROWS, COLS, 1));
    trial_ok(t, gg_softmax_cross_entropy_targets(&sum, g, x, y, ROWS, COLS, 1));
    trial_ok(t, gg_update_adam(y, g, x, x, 0, 1, 0, 0, 1, 0, 1, 1));
    trial_ok(t, gg_update_sgd(y, x, E, 1, 0, 1));
    free(x);
    free(y);
    free(g);
    free(labels);
}

static const struct {
    const char *name;
    scenario *run;
    int fresh; /* allocations on a fresh thread */
} scenarios[] = {
    {"allocations", allocations, 2}, {"gg_gemm", products, 1}, {"gg_gemm_batch", batches, 1},
    {"gg_gemm_packed", packed, 1},   {"gg_matmul", layers, 1}, {"gg_conv", planes, 1},
    {"others", others, 0},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* A thread's scratch is one allocation, made once and given back when the thread ends. */
START_TEST(every_allocation_refused)
{
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
    const int fresh = trial_sweep(scenarios[_i].name, scenarios[_i].run, TRIAL_FRESH);
    const int later = trial_sweep(scenarios[_i].name, scenarios[_i].run, TRIAL_MAIN);
    ck_assert_int_eq(fresh, scenarios[_i].fresh);
    ck_assert_int_eq(later, scenarios[_i].run == allocations ? 2 : 0);
}
END_TEST

/* Several OpenMP threads, new ones each time: any one of them without memory, or all from the first, second, ... on. */
START_TEST(some_threads_without_memory)
{
    ck_assert_int_eq(gg_set_threads(_i), GG_OK);
    for (int at = 0; at < 2 * (_i + 2); at++)
        for (int s = 1; s < SCENARIOS; s++) {
            const trial result = trial_run(scenarios[s].run, TRIAL_FRESH, at / 2, at % 2 != 0);
            ck_assert_msg(result.status == GG_OK && result.wrong == NULL, "%s, %d threads, %d refused: %s",
                          scenarios[s].name, _i, at / 2,
                          result.wrong != NULL ? result.wrong : gg_status_string(result.status));
        }
}
END_TEST

static void add_tests(TCase *tests)
{
    trial_install();
    tcase_add_loop_test(tests, some_threads_without_memory, 2, 5);
    tcase_add_loop_test(tests, every_allocation_refused, 0, SCENARIOS);
}
