/* test_threads.c - several threads call at once: every one gets what it would get alone, under every thread policy,
 * from pthreads and from inside OpenMP regions, while the backend starts and while a thread ends; and no thread works
 * but those of the policy: the BLAS below never runs threads of its own. */
#include <gemmgrad/blas_backend.h>

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <check.h>

#include "parallel.h"
#include "product.h"
#include "support.h"

/* ---- work whose results are the same bits whatever the threads ---- */

enum { M = 130, N = 150, K = 170, MATRIX = 30000, TALL = 150000, RESULTS = 12 };

static float a[TALL], b[MATRIX]; /* small integers: every product is exact, so that no plan changes a bit */
static float packed_b[MATRIX];
static float expected[RESULTS][MATRIX];

static void fill(void)
{
    for (int i = 0; i < TALL; i++)
        a[i] = (float)(i % 7 + i / 991 % 3 - 4);
    for (int i = 0; i < MATRIX; i++)
        b[i] = (float)(i % 5 + i / 97 % 2 - 2);
}

/* Result `which` into c, which holds MATRIX floats. */
static gg_status compute(int which, float *c)
{
    const gg_matmul_options relu = {.activation = GG_RELU}, out_in = {.layout = GG_OUT_IN};
    double loss = 0.0;
    switch (which) {
    case 0: return gg_gemm(c, N, a, K, b, N, M, N, K, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0);
    case 1: return gg_gemm(c, N, a, M, b, K, M, N, K, GG_TRANSPOSE, GG_TRANSPOSE, 2, 0);
    case 2: return gg_gemm(c, N, a, K, b, K, 3, N, K, GG_NO_TRANSPOSE, GG_TRANSPOSE, 1, 0);
    case 3: return gg_gemm(c, 9, a, 11, b, 9, 10, 9, 11, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0);
    case 4:
        return gg_gemm_batch(c, 20, 400, a, 30, 600, b, 20, 0, 50, 20, 20, 30, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0);
    case 5: return gg_gemm_packed(c, N, a, K, packed_b, M, N, K, GG_NO_TRANSPOSE, 1, 0);
    case 6: return gg_matmul_forward(c, N, a, K, b, N, b, M, K, N, &relu);
    case 7: return gg_matmul_backward(c, K, NULL, 0, NULL, a, N, NULL, K, b, K, M, K, N, &out_in);
    case 8: return gg_matmul_backward(NULL, 0, c, N, c + K * N, a, N, b, K, NULL, N, M, K, N, NULL);
    case 9: return gg_softmax_forward(c, a, 100, 300);
    case 10: return gg_softmax_cross_entropy_targets(&loss, c, a, a, 100, 300, 1);
    default: return gg_sum_rows(c, a, 1000, 150, 1000, false);
    }
}

/* All results, several times; counts what is wrong. */
static int compare_all(int turn, int rounds)
{
    float *c = calloc(MATRIX, sizeof *c);
    int wrong = c == NULL;
    for (int i = 0; i < rounds * RESULTS && c != NULL; i++) {
        const int which = (i + turn * 5) % RESULTS;
        memset(c, 0, MATRIX * sizeof *c);
        wrong += compute(which, c) != GG_OK || memcmp(c, expected[which], sizeof expected[which]) != 0;
    }
    free(c);
    return wrong;
}

static void prepare(void)
{
    fill();
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
    ck_assert_int_eq(gg_gemm_pack(packed_b, b, N, K, N, GG_NO_TRANSPOSE), GG_OK);
    memset(expected, 0, sizeof expected);
    for (int which = 0; which < RESULTS; which++)
        ck_assert_int_eq(compute(which, expected[which]), GG_OK);
}

/* ---- callers ---- */

enum { CALLERS = 6 };

static atomic_int arrived;

static void *call(void *context)
{
    int *turn = context;
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < CALLERS)
        sched_yield();
    *turn = compare_all(*turn, 20);
    return NULL;
}

START_TEST(pthreads)
{
    pthread_t threads[CALLERS];
    int wrong[CALLERS];
    ck_assert_int_eq(gg_set_threads(_i), GG_OK);
    atomic_store(&arrived, 0);
    for (int i = 0; i < CALLERS; i++) {
        wrong[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, &wrong[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_msg(wrong[i] == 0, "%d threads a call, caller %d: %d results are wrong", _i, i, wrong[i]);
}
END_TEST

/* In the caller's own region, and in one within another. */
START_TEST(openmp_regions)
{
    int wrong = 0;
    ck_assert_int_eq(gg_set_threads(_i), GG_OK);
#pragma omp parallel num_threads(3) reduction(+ : wrong)
    wrong += compare_all(omp_get_thread_num(), 1);
    ck_assert_int_eq(wrong, 0);
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(2) reduction(+ : wrong)
    {
#pragma omp parallel num_threads(2) reduction(+ : wrong)
        wrong += compare_all(omp_get_thread_num(), 1);
    }
    omp_set_max_active_levels(1);
    ck_assert_int_eq(wrong, 0);
#pragma omp parallel num_threads(1) reduction(+ : wrong)
    wrong += compare_all(0, 1);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

enum { PARTS = 4 };

static void note_thread(void *context, int part, int parts)
{
    pthread_t *threads = context;
    if (parts == PARTS)
        threads[part] = pthread_self();
}

/* Inside a region of the caller's every part runs on the thread that calls, even where OpenMP would nest regions. */
START_TEST(no_region_within_a_region)
{
    int elsewhere = 0;
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(2) reduction(+ : elsewhere)
    {
        pthread_t threads[PARTS];
        gg_parallel_run(PARTS, note_thread, threads);
        for (int part = 0; part < PARTS; part++)
            elsewhere += !pthread_equal(threads[part], pthread_self());
    }
    omp_set_max_active_levels(1);
    ck_assert_int_eq(elsewhere, 0);
}
END_TEST

START_TEST(same_bits_with_any_threads)
{
    ck_assert_int_eq(gg_set_threads(_i), GG_OK);
    ck_assert_int_eq(compare_all(0, 2), 0);
}
END_TEST

/* What the caller told OpenMP about its own regions stands after a call. */
START_TEST(callers_openmp_settings_stay)
{
    omp_set_num_threads(7);
    ck_assert_int_eq(gg_set_threads(_i), GG_OK);
    ck_assert_int_eq(compare_all(0, 1), 0);
    ck_assert_int_eq(omp_get_max_threads(), 7);
    omp_set_num_threads(1);
    ck_assert_int_eq(compare_all(0, 1), 0);
    ck_assert_int_eq(omp_get_max_threads(), 1);
}
END_TEST

/* ---- start and end ---- */

/* Eight threads that start the backend at once, in a process of their own, its kernel to be repaired: at most one
 * gg_backend_init comes first, and every product is right. */
START_TEST(start_is_raced)
{
    char command[1024], line[256];
    const char *path = getenv("BACKEND_PROBE");
    ck_assert_msg(path != NULL, "BACKEND_PROBE is not set; run me by `meson test`");
    snprintf(command, sizeof command, "%s'%s' forget race", _i % 2 == 0 ? "OPENBLAS_CORETYPE=Prescott " : "", path);
    FILE *probe = popen(command, "r");
    ck_assert_ptr_nonnull(probe);
    int products = 0, started = -1;
    while (fgets(line, sizeof line, probe) != NULL) {
        products += strcmp(line, "wrong=0\n") == 0;
        sscanf(line, "started=%d", &started);
    }
    ck_assert_int_eq(pclose(probe), 0);
    ck_assert_int_eq(products, 8);
    ck_assert_msg(started == 0 || started == 1, "%d threads started the backend", started);
}
END_TEST

static atomic_int live;

static void *count_allocation(void *context, size_t bytes)
{
    (void)context;
    atomic_fetch_add(&live, 1);
    return aligned_alloc(GG_ALIGNMENT, (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT);
}

static void count_release(void *context, void *pointer)
{
    (void)context;
    atomic_fetch_sub(&live, 1);
    free(pointer);
}

static pthread_key_t last_words;
static int wrong_at_the_end;

static void multiply_at_the_end(void *unused)
{
    (void)unused;
    wrong_at_the_end = compare_all(0, 1);
}

static void *multiply_and_end(void *unused)
{
    pthread_setspecific(last_words, unused);
    return compare_all(0, 1) == 0 ? unused : NULL;
}

/* A destructor of the caller's may multiply after the backend's own has freed the thread's scratch: it gets new
 * scratch, and that is freed too. */
START_TEST(product_while_a_thread_ends)
{
    pthread_t thread;
    void *result = NULL;
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
    ck_assert_int_eq(compare_all(0, 1), 0); /* the backend's key is older, its destructor runs first */
    ck_assert_int_eq(pthread_key_create(&last_words, multiply_at_the_end), 0);
    ck_assert_int_eq(gg_set_allocator(&(gg_allocator){count_allocation, count_release, NULL}), GG_OK);
    const uint64_t before = gg_allocation_count();
    wrong_at_the_end = -1;
    ck_assert_int_eq(pthread_create(&thread, NULL, multiply_and_end, &live), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_int_eq(gg_set_allocator(NULL), GG_OK);
    ck_assert_int_eq(pthread_key_delete(last_words), 0);
    ck_assert_ptr_eq(result, &live);
    ck_assert_int_eq(wrong_at_the_end, 0);
    ck_assert_int_eq(atomic_load(&live), 0);
    ck_assert_uint_eq(gg_allocation_count(), before + 2);
}
END_TEST

/* ---- who works
 * -------------------------------------------------------------------------------------------------------------------
 */

enum { MOST_THREADS = 4 };

static double seconds(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The clocks of the OpenMP threads that a region of that many has: the same threads that a region of the backend has.
 */
static void find_team(clockid_t clocks[MOST_THREADS], int threads)
{
#pragma omp parallel num_threads(threads)
    pthread_getcpuclockid(pthread_self(), &clocks[omp_get_thread_num()]);
}

static double team_seconds(const clockid_t clocks[MOST_THREADS], int threads)
{
    double sum = 0.0;
    for (int i = 0; i < threads; i++)
        sum += seconds(clocks[i]);
    return sum;
}

/* Products of 8 10^6 multiply-adds, which any BLAS would share out. */
static void multiply_large(int threads)
{
    enum { SIDE = 200 };
    static float c[SIDE * SIDE];
    const gg_product p = {
        .c = c, .ldc = SIDE, .a = a, .lda = SIDE, .b = a, .ldb = SIDE, .m = SIDE, .n = SIDE, .k = SIDE, .alpha = 1.0f};
    const gg_product_plan whole = {GG_STRATEGY_WHOLE, threads, 1, SIDE};
    for (int i = 0; i < 6; i++) {
        gg_product_run_planned(&p, &whole); /* the BLAS alone with a part, as large as it gets */
        gg_gemm(c, SIDE, a, SIDE, a, SIDE, SIDE, SIDE, SIDE, GG_NO_TRANSPOSE, GG_TRANSPOSE, 1, 0);
    }
}

/* The time of the process is that of the policy's threads. */
static void check_who_works(int threads)
{
    clockid_t clocks[MOST_THREADS];
    ck_assert_int_eq(gg_set_threads(threads), GG_OK);
    multiply_large(threads);
    find_team(clocks, threads);
    const double team = team_seconds(clocks, threads), process = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double worked = 0.0;
    while (worked < 0.05) {
        multiply_large(threads);
        worked = team_seconds(clocks, threads) - team;
    }
    const double all = seconds(CLOCK_PROCESS_CPUTIME_ID) - process;
    ck_assert_msg(all < 1.1 * worked, "%d threads worked %.3f s, the process %.3f s: somebody else worked", threads,
                  worked, all);
}

START_TEST(nobody_else_works)
{
    omp_set_num_threads(4); /* what an OpenMP BLAS would take for itself */
    check_who_works(_i);
    omp_set_num_threads(1);
}
END_TEST

typedef struct worker {
    pthread_t thread;
    double seconds;
} worker;

static void *multiply_alone(void *context)
{
    omp_set_num_threads(4);
    for (int i = 0; i < 3; i++)
        multiply_large(1);
    ((worker *)context)->seconds = seconds(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

/* Four pthreads, one thread a call: the process works as long as they do. */
START_TEST(nobody_else_works_for_pthreads)
{
    worker workers[4];
    double worked = 0.0;
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
    const double before = seconds(CLOCK_PROCESS_CPUTIME_ID), own = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, multiply_alone, &workers[i]), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        worked += workers[i].seconds;
    }
    worked += seconds(CLOCK_THREAD_CPUTIME_ID) - own;
    const double all = seconds(CLOCK_PROCESS_CPUTIME_ID) - before;
    ck_assert_msg(all < 1.1 * worked + 0.01, "the callers worked %.3f s, the process %.3f s", worked, all);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, start_is_raced, 0, 10);
    tcase_add_checked_fixture(tests, prepare, NULL);
    /* It counts what is freed: first, while there are no OpenMP threads yet that a smaller team sends home later. */
    if (!support_openmp_is_llvm())
        tcase_add_test(tests, product_while_a_thread_ends);
    tcase_add_loop_test(tests, nobody_else_works, 1, MOST_THREADS + 1);
    tcase_add_test(tests, nobody_else_works_for_pthreads);
    tcase_add_loop_test(tests, same_bits_with_any_threads, 1, 9);
    tcase_add_loop_test(tests, pthreads, 1, 9);
    tcase_add_loop_test(tests, openmp_regions, 1, 5);
    tcase_add_test(tests, no_region_within_a_region);
    tcase_add_loop_test(tests, callers_openmp_settings_stay, 1, 4);
}
