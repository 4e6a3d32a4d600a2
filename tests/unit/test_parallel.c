/* test_parallel.c - teams of threads that wait for one another: everybody is there at the same time, nested calls run
 * on one thread, fewer threads than asked for are told. */
#include <omp.h>
#include <stdatomic.h>

#include "parallel.h"
#include "support.h"

enum { MOST = 8, ROUNDS = 500 };

typedef struct team {
    gg_barrier barrier;
    _Atomic int calls, parts;
    int written[MOST][16];
    _Atomic int mistakes;
} team;

/* In each round every member writes its number, and reads all the others' behind the barrier. */
static void rounds(void *context, int part, int parts)
{
    team *t = context;
    atomic_fetch_add(&t->calls, 1);
    atomic_store(&t->parts, parts);
    for (int round = 1; round <= ROUNDS; round++) {
        t->written[part][0] = round;
        gg_barrier_wait(&t->barrier, parts);
        for (int other = 0; other < parts; other++)
            if (t->written[other][0] != round)
                atomic_fetch_add(&t->mistakes, 1);
        gg_barrier_wait(&t->barrier, parts);
    }
}

START_TEST(members_wait_for_one_another)
{
    for (int parts = 0; parts <= 5; parts++) {
        team t = {.calls = 0};
        gg_parallel_team(parts, rounds, &t);
        ck_assert_int_eq(t.parts, parts > 1 ? parts : 1);
        ck_assert_int_eq(t.calls, t.parts);
        ck_assert_int_eq(t.mistakes, 0);
    }
}
END_TEST

static void nested(void *context, int part, int parts)
{
    team *t = context;
    (void)parts;
    gg_parallel_team(4, rounds, &t[part]);
}

START_TEST(nested_runs_on_one_thread)
{
    team t[MOST] = {{.calls = 0}};
    gg_parallel_run(2, nested, t);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(t[i].calls, 1);
        ck_assert_int_eq(t[i].parts, 1);
        ck_assert_int_eq(t[i].mistakes, 0);
    }
}
END_TEST

START_TEST(fewer_threads_than_asked_for)
{
    team t = {.calls = 0};
    omp_set_dynamic(1); /* the runtime may give fewer, as it does when the machine has fewer processors */
    gg_parallel_team(MOST, rounds, &t);
    omp_set_dynamic(0);
    ck_assert_int_ge(t.parts, 1);
    ck_assert_int_eq(t.calls, t.parts);
    ck_assert_int_eq(t.mistakes, 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, members_wait_for_one_another);
    tcase_add_test(tests, nested_runs_on_one_thread);
    tcase_add_test(tests, fewer_threads_than_asked_for);
}
