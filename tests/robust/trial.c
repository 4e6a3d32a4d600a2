/* trial.c - see trial.h. */
#define SUPPORT_NO_MAIN
#include "trial.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/memory.h>

static _Atomic int64_t live, seen, refused, refuse_at;
static atomic_bool and_all_later, overrun;

/* [ the size in bytes | what the library gets, all 0xa5: nobody may count on zeros | a line of 0x5c, found whole ] */
enum { FRESH_BYTE = 0xa5, GUARD_BYTE = 0x5c };

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    const int64_t turn = atomic_fetch_add(&seen, 1) + 1, at = atomic_load(&refuse_at);
    if (at > 0 && (turn == at || (turn > at && atomic_load(&and_all_later)))) {
        atomic_fetch_add(&refused, 1);
        return NULL;
    }
    const size_t lines = (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT + 2;
    unsigned char *memory = aligned_alloc(GG_ALIGNMENT, lines * GG_ALIGNMENT);
    if (memory == NULL)
        return NULL;
    memcpy(memory, &bytes, sizeof bytes);
    memset(memory + GG_ALIGNMENT, FRESH_BYTE, bytes);
    memset(memory + GG_ALIGNMENT + bytes, GUARD_BYTE, GG_ALIGNMENT);
    atomic_fetch_add(&live, 1);
    return memory + GG_ALIGNMENT;
}

static void release(void *context, void *pointer)
{
    (void)context;
    unsigned char *memory = (unsigned char *)pointer - GG_ALIGNMENT;
    size_t bytes = 0;
    memcpy(&bytes, memory, sizeof bytes);
    for (int i = 0; i < GG_ALIGNMENT; i++)
        if (memory[GG_ALIGNMENT + bytes + (size_t)i] != GUARD_BYTE)
            atomic_store(&overrun, true);
    atomic_fetch_sub(&live, 1);
    free(memory);
}

void trial_install(void)
{
    if (gg_set_allocator(&(gg_allocator){allocate, release, NULL}) != GG_OK)
        abort(); /* called before any test, where Check cannot assert */
}

int64_t trial_live(void)
{
    return atomic_load(&live);
}

void trial_calm(void)
{
    atomic_store(&refuse_at, 0);
}

bool trial_ok(trial *t, gg_status status)
{
    if (t->status == GG_OK)
        t->status = status;
    trial_check(t, status == GG_OK || strcmp(gg_error_message(), "") != 0, "a failure without a message");
    return status == GG_OK;
}

void trial_check(trial *t, bool right, const char *what)
{
    if (!right && t->wrong == NULL)
        t->wrong = what;
}

typedef struct run {
    scenario *scenario;
    trial result;
} run;

static void *run_scenario(void *context)
{
    run *r = context;
    r->scenario(&r->result);
    return NULL;
}

static trial run_on(scenario *s, trial_thread thread)
{
    run r = {.scenario = s};
    if (thread == TRIAL_MAIN) {
        run_scenario(&r);
        return r.result;
    }
    pthread_t fresh;
    ck_assert_int_eq(pthread_create(&fresh, NULL, run_scenario, &r), 0);
    ck_assert_int_eq(pthread_join(fresh, NULL), 0);
    return r.result;
}

trial trial_run(scenario *s, trial_thread thread, int at, bool later)
{
    atomic_store(&seen, 0);
    atomic_store(&refused, 0);
    atomic_store(&and_all_later, later);
    atomic_store(&refuse_at, at);
    const trial result = run_on(s, thread);
    trial_calm();
    return result;
}

/* One run and its account. Returns whether an allocation was refused. */
static bool run_once(const char *name, scenario *s, trial_thread thread, int at, bool later)
{
    const int64_t before = trial_live();
    const trial result = trial_run(s, thread, at, later);
    const char *where = thread == TRIAL_MAIN ? "main thread" : "fresh thread";
    const bool any = atomic_load(&refused) > 0;
    ck_assert_msg(result.wrong == NULL, "%s, %s, allocation %d refused: %s", name, where, at, result.wrong);
    ck_assert_msg(result.status == GG_OK || (any && result.status == GG_ERR_MEMORY),
                  "%s, %s, allocation %d refused: %s (%s)", name, where, at, gg_status_string(result.status),
                  gg_error_message());
    ck_assert_msg(!atomic_load(&overrun), "%s, %s, allocation %d refused: the end of some memory was overrun", name,
                  where, at);
    ck_assert_msg(trial_live() == before, "%s, %s, allocation %d refused: %lld allocations left behind", name, where,
                  at, (long long)(trial_live() - before));
    return any;
}

int trial_sweep(const char *name, scenario *s, trial_thread thread)
{
    enum { MOST = 10000 };
    if (thread == TRIAL_MAIN)
        run_on(s, thread); /* this thread keeps its scratch from now on */
    run_once(name, s, thread, 0, false);
    const int allocations = (int)atomic_load(&seen);
    int n = 1;
    while (run_once(name, s, thread, n, false))
        ck_assert_int_lt(n++, MOST);
    for (int at = 1; at <= allocations; at++)
        run_once(name, s, thread, at, true);
    return allocations;
}
