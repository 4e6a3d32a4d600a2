/* test_counters.c - what goes through the door to cblas_sgemm: the multiply-adds counted are those of the formula, no
 * more and no less, whatever strategy cut the product up; and a training step of a dense model has no others. */
#include <gemmgrad/gemm.h>
#include <gemmgrad/layers.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/blas_backend.h>

#include "support.h"

enum { FEWEST_THREADS = 1, BEYOND_THREADS = 4 };

static void use_threads(int threads)
{
    ck_assert_int_eq(gg_set_threads(threads), GG_OK);
}

static void check_count(uint64_t multiply_adds, const char *what)
{
    const gg_gemm_counters now = gg_gemm_counters_read();
    ck_assert_msg(now.multiply_adds == multiply_adds, "%s: %llu multiply-adds counted, %llu expected", what,
                  (unsigned long long)now.multiply_adds, (unsigned long long)multiply_adds);
    ck_assert_msg((now.calls > 0) == (multiply_adds > 0), "%s: %llu calls", what, (unsigned long long)now.calls);
}

static const int sizes[][3] = {{1, 1, 1},      {3, 5, 9},    {15, 17, 31},  {65, 64, 63},   {100, 100, 101},
                               {1, 1000, 700}, {700, 1, 33}, {129, 257, 9}, {33, 65, 2049}, {300, 310, 290},
                               {0, 5, 5},      {5, 0, 5},    {5, 5, 0}};
enum { SIZES = sizeof sizes / sizeof *sizes, LARGEST = 135000 };

/* C = op(A) op(B): m n k. */
START_TEST(products)
{
    float *a = support_uniform(LARGEST, -1, 1, 1), *b = support_uniform(700 * 1000, -1, 1, 2),
          *c = support_floats(LARGEST);
    use_threads(_i);
    for (int i = 0; i < 4 * SIZES; i++) {
        const int64_t m = sizes[i / 4][0], n = sizes[i / 4][1], k = sizes[i / 4][2];
        const bool ta = (i & 1) != 0, tb = (i & 2) != 0;
        gg_gemm_counters_reset();
        ck_assert_int_eq(gg_gemm(c, n, a, ta ? m : k, b, tb ? k : n, m, n, k, ta ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                                 tb ? GG_TRANSPOSE : GG_NO_TRANSPOSE, 1, 0),
                         GG_OK);
        check_count((uint64_t)(m * n * k), "gg_gemm");
    }
}
END_TEST

/* batch m n k; a packed product as a plain one, and packing nothing. */
START_TEST(batches_and_packed)
{
    float *a = support_uniform(20000, -1, 1, 1), *b = support_uniform(20000, -1, 1, 2), *c = support_floats(20000);
    float *packed = support_floats(65 * 130);
    use_threads(_i);
    gg_gemm_counters_reset();
    for (int batch = 0; batch < 8; batch++)
        ck_assert_int_eq(
            gg_gemm_batch(c, 30, 600, a, 40, 800, b, 30, 0, batch, 20, 30, 40, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0),
            GG_OK);
    check_count(28 * 20 * 30 * 40, "gg_gemm_batch");
    gg_gemm_counters_reset();
    ck_assert_int_eq(gg_gemm_pack(packed, b, 65, 130, 65, GG_NO_TRANSPOSE), GG_OK);
    check_count(0, "gg_gemm_pack");
    ck_assert_int_eq(gg_gemm_packed(c, 65, a, 130, packed, 100, 65, 130, GG_NO_TRANSPOSE, 1, 1), GG_OK);
    check_count(100 * 65 * 130, "gg_gemm_packed");
}
END_TEST

/* Forward rows in out; backward as much again for each of dX and dW that is wanted, nothing for db. */
START_TEST(matmul)
{
    enum { R = 70, IN = 130, OUT = 67 };
    float *x = support_uniform(R * IN, -1, 1, 1), *w = support_uniform(IN * OUT, -1, 1, 2),
          *y = support_uniform(R * OUT, -1, 1, 3);
    float *dx = support_floats(R * IN), *dw = support_floats(IN * OUT), *db = support_floats(OUT);
    const uint64_t one = R * IN * OUT;
    use_threads(_i);
    gg_gemm_counters_reset();
    ck_assert_int_eq(gg_matmul_forward(y, OUT, x, IN, w, OUT, NULL, R, IN, OUT, NULL), GG_OK);
    check_count(one, "forward");
    ck_assert_int_eq(gg_matmul_backward(dx, IN, NULL, 0, NULL, y, OUT, x, IN, w, OUT, R, IN, OUT, NULL), GG_OK);
    check_count(2 * one, "dX");
    ck_assert_int_eq(gg_matmul_backward(NULL, 0, dw, OUT, db, y, OUT, x, IN, w, OUT, R, IN, OUT, NULL), GG_OK);
    check_count(3 * one, "dW");
    ck_assert_int_eq(gg_matmul_backward(NULL, 0, NULL, 0, db, y, OUT, x, IN, w, OUT, R, IN, OUT, NULL), GG_OK);
    check_count(3 * one, "db");
}
END_TEST

/* ---- a model ---- */

enum { FEATURES = 130, HIDDEN_1 = 65, HIDDEN_2 = 40, CLASSES = 10, BATCH = 96 };

typedef struct network {
    gg_model *model;
    gg_value x, t, scores, loss;
    gg_optimizer *optimizer;
} network;

static network make_network(gg_optimizer_kind kind)
{
    network net = {0};
    ck_assert_int_eq(gg_model_new(&net.model, 1), GG_OK);
    net.x = gg_input(net.model, "x", 2, (int64_t[]){GG_BATCH, FEATURES});
    net.t = gg_input_labels(net.model, "t", 1, (int64_t[]){GG_BATCH});
    gg_value h = gg_affine(net.model, net.x, HIDDEN_1, &(gg_affine_options){.activation = GG_RELU});
    h = gg_gelu(net.model, gg_matmul(net.model, h, HIDDEN_2, NULL));
    net.scores = gg_affine(net.model, h, CLASSES, NULL);
    net.loss = gg_softmax_with_loss(net.model, net.scores, net.t);
    ck_assert_msg(gg_model_plan(net.model, net.loss, BATCH) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(gg_optimizer_new(&net.optimizer, net.model, &(gg_optimizer_options){.kind = kind, .clip_norm = 1}),
                     GG_OK);
    return net;
}

static void free_network(network *net)
{
    gg_optimizer_free(net->optimizer);
    gg_model_free(net->model);
}

/* rows (130 65 + 65 40 + 40 10) for forward and for dW; dX not for the first layer, whose input nobody trains. */
static uint64_t forward_count(int64_t rows)
{
    return (uint64_t)(rows * (FEATURES * HIDDEN_1 + HIDDEN_1 * HIDDEN_2 + HIDDEN_2 * CLASSES));
}

static uint64_t step_count(int64_t rows)
{
    return 3 * forward_count(rows) - (uint64_t)(rows * FEATURES * HIDDEN_1);
}

static void step(network *net)
{
    ck_assert_msg(gg_model_forward(net->model, net->loss, GG_TRAIN) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(gg_model_backward(net->model), GG_OK);
    ck_assert_int_eq(gg_optimizer_step(net->optimizer, 0.01f), GG_OK);
}

static void bind(network *net)
{
    float *x = support_uniform(BATCH * FEATURES, -1, 1, 1);
    int32_t *labels = support_labels(BATCH);
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % CLASSES;
    ck_assert_int_eq(gg_model_bind(net->model, net->x, x), GG_OK);
    ck_assert_int_eq(gg_model_bind_labels(net->model, net->t, labels), GG_OK);
}

/* Every product of a step is in cblas_sgemm, for any number of rows, and after the first step none allocates. */
START_TEST(training_step)
{
    static const int64_t rows[] = {BATCH, 1, 33, 0, 95};
    network net = make_network((gg_optimizer_kind)(_i * 2));
    use_threads(_i);
    bind(&net);
    step(&net);
    const uint64_t allocations = gg_allocation_count();
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(gg_model_set_extent(net.model, GG_BATCH, rows[i]), GG_OK);
        gg_gemm_counters_reset();
        ck_assert_int_eq(gg_model_forward(net.model, net.scores, GG_INFER), GG_OK);
        check_count(forward_count(rows[i]), "inference");
        gg_gemm_counters_reset();
        step(&net);
        check_count(step_count(rows[i]), "training step");
    }
    if (_i == 1) /* on several threads each keeps scratch when it first has work, perhaps later */
        ck_assert_uint_eq(gg_allocation_count(), allocations);
    free_network(&net);
}
END_TEST

/* ---- the counters themselves ---- */

START_TEST(reset_and_timing)
{
    float *a = support_uniform(200 * 200, -1, 1, 1), *c = support_floats(200 * 200);
    use_threads(2);
    gg_gemm_counters_reset();
    ck_assert_int_eq(gg_gemm(c, 200, a, 200, a, 200, 200, 200, 200, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    ck_assert(gg_gemm_counters_read().seconds == 0.0);
    gg_gemm_set_timing(true);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(gg_gemm(c, 200, a, 200, a, 200, 200, 200, 200, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    ck_assert_int_eq(gg_gemm(c, 5, a, 5, a, 5, 5, 5, 5, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    gg_gemm_set_timing(false);
    check_count(21 * 8000000 + 125, "timed");
    const double seconds = gg_gemm_counters_read().seconds;
    ck_assert_msg(seconds > 21 * 1e-6 && seconds < 60.0, "%g s", seconds);
    ck_assert_int_eq(gg_gemm(c, 200, a, 200, a, 200, 200, 200, 200, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    ck_assert(gg_gemm_counters_read().seconds == seconds);
    gg_gemm_counters_reset();
    check_count(0, "after the reset");
    ck_assert(gg_gemm_counters_read().seconds == 0.0);
}
END_TEST

enum { ROUNDS = 40, AT_ONCE = 8, CALLS = 5000 };
static atomic_int arrived;

static void *multiply_elsewhere(void *a)
{
    float c[8 * 8];
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) % AT_ONCE != 0)
        sched_yield();
    for (int i = 0; i < CALLS; i++)
        gg_gemm(c, 8, a, 8, a, 8, 8, 8, 8, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0);
    return NULL;
}

/* More threads than there are slots for, eight at a time: nothing is lost. */
START_TEST(many_threads)
{
    float *a = support_uniform(64, -1, 1, 1);
    gg_gemm_counters_reset();
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, multiply_elsewhere, a), 0);
        for (int i = 0; i < AT_ONCE; i++)
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    check_count((uint64_t)ROUNDS * AT_ONCE * CALLS * 512, "many threads");
    ck_assert_uint_eq(gg_gemm_counters_read().calls, (uint64_t)ROUNDS * AT_ONCE * CALLS);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, products, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, batches_and_packed, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, matmul, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, training_step, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_test(tests, reset_and_timing);
    tcase_add_test(tests, many_threads);
}
