/* thread.c - per-thread state in thread-local storage with a destructor. */
#include "thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <gemmgrad/memory.h>

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool key_made;
#ifdef __linux__
static _Thread_local gg_thread *own
    __attribute__((tls_model("initial-exec"))); /* one pointer: a load instead of a call */
#else
static _Thread_local gg_thread *own;
#endif

/* A thread that ends may still multiply, in a destructor that runs after this one: it then gets new memory, and this is
 * called again. */
static void release_own(void *memory)
{
    own = NULL;
    gg_free(memory);
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, release_own) == 0;
}

static gg_thread *make_own(void)
{
    pthread_once(&once, make_key);
    void *memory = NULL;
    if (!key_made || gg_alloc(&memory, sizeof(gg_thread)) != GG_OK)
        return NULL;
    if (pthread_setspecific(key, memory) != 0) {
        gg_free(memory);
        return NULL;
    }
    own = memory;
    memset(own->plans, 0, sizeof own->plans);
    return own;
}

gg_thread *gg_thread_own(void)
{
    return own != NULL ? own : make_own();
}
