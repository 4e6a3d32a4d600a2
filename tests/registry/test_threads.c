/* test_threads.c - every entry of the registry on several threads, and by several threads at once. */
#include <pthread.h>
#include <stdio.h>

#include <gemmgrad/backend.h>

#include "registry.h"
#include "support.h"

static void one_thread_again(void)
{
    gg_set_threads(1);
}

/* More elements than 2 x 32768, from which on elementwise functions, softmax and losses use several threads; and few
 * columns or many. */
static const registry_sizes large[] = {{2, 1101, 1, 61, 3}, {2, 1101, 1, 3, 61}};

START_TEST(several_threads_at_rounding)
{
    for (int threads = 2; threads <= 3; threads++)
        for (int i = 0; i < 2; i++) {
            char what[96];
            int64_t count;
            twin t;
            snprintf(what, sizeof what, "%s, %d threads, shape %d", registry[_i].name, threads, i);
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            registry_start(&t, &registry[_i], &large[i], 5);
            twin_step(&t);
            const float *first = twin_results(&t, &count);
            twin_check(&t, what);
            twin_step(&t);
            ck_assert_mem_eq(twin_results(&t, &count), first, (size_t)count * sizeof *first);
            twin_free(&t);
            support_release();
        }
}
END_TEST

enum { CALLERS = 4, STEPS = 10 };

typedef struct caller {
    twin t;
    gg_status status;
} caller;

/* No assertion and no array of support.h in here: those belong to the main thread. */
static void *step_often(void *context)
{
    caller *c = context;
    for (int i = 0; i < STEPS && c->status == GG_OK; i++) {
        c->status = gg_model_forward(c->t.model, c->t.values[c->t.loss].value, GG_TRAIN);
        if (c->status == GG_OK)
            c->status = gg_model_backward(c->t.model);
    }
    return NULL;
}

/* Each caller has a model of its own; all get the bits of a single caller. */
START_TEST(several_callers_at_once)
{
    caller callers[CALLERS];
    pthread_t threads[CALLERS];
    int64_t count;
    const float *alone = NULL;
    ck_assert_int_eq(gg_set_threads(2), GG_OK);
    for (int i = 0; i < CALLERS; i++) {
        callers[i].status = GG_OK;
        registry_start(&callers[i].t, &registry[_i], &large[1], 6);
        twin_step(&callers[i].t);
        alone = twin_results(&callers[i].t, &count);
    }
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, step_often, &callers[i]), 0);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(callers[i].status, GG_OK);
        ck_assert_mem_eq(twin_results(&callers[i].t, &count), alone, (size_t)count * sizeof *alone);
        twin_free(&callers[i].t);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, one_thread_again);
    tcase_add_loop_test(tests, several_threads_at_rounding, 0, registry_count);
    tcase_add_loop_test(tests, several_callers_at_once, 0, registry_count);
}
