/* parallel.c - the only file that opens OpenMP regions.
 *
 * The BLAS below is always called serially: either inside a region (where an OpenMP BLAS stays on its thread by itself)
 * or held at one thread (backend.c). So no two multithreaded products can ever meet. */
#include "parallel.h"

#include <omp.h>
#include <sched.h>

#include "backend.h"

void gg_parallel_run(int parts, gg_part_body body, void *context)
{
    if (parts <= 1 || omp_in_parallel()) {
        for (int part = 0; part < parts; part++)
            body(context, part, parts);
        return;
    }
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++)
        body(context, part, parts);
}

void gg_parallel_team(int parts, gg_part_body body, void *context)
{
    if (parts <= 1 || omp_in_parallel()) {
        body(context, 0, 1);
        return;
    }
#pragma omp parallel num_threads(parts)
    body(context, omp_get_thread_num(), omp_get_num_threads());
}

/* Looks at a barrier, about a tenth of a millisecond of them, before the processor is offered to others. */
enum { LOOKS = 2000 };

static void rest(int looks)
{
    if (looks > LOOKS)
        sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    else
        __builtin_ia32_pause();
#endif
}

/* A step of a recurrent layer takes microseconds, and OpenMP's own barrier half a one. */
void gg_barrier_wait(gg_barrier *barrier, int members)
{
    if (members <= 1)
        return;
    const unsigned phase = atomic_load_explicit(&barrier->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->waiting, 1, memory_order_acq_rel) == members - 1) {
        atomic_store_explicit(&barrier->waiting, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->phase, phase + 1, memory_order_release);
        return;
    }
    for (int looks = 0; atomic_load_explicit(&barrier->phase, memory_order_acquire) == phase;)
        rest(looks <= LOOKS ? ++looks : looks);
}

int gg_parallel_parts(int64_t work, int64_t grain)
{
    const int threads = gg_policy_threads();
    if (threads <= 1 || work < 2 * grain)
        return 1;
    const int64_t parts = work / (grain > 0 ? grain : 1);
    return parts < threads ? (int)parts : threads;
}

typedef struct range_job {
    int64_t n, align;
    gg_range_body body;
    void *context;
} range_job;

static int64_t border(const range_job *job, int part, int parts)
{
    if (part == parts)
        return job->n;
    const int64_t blocks = job->n / job->align + (job->n % job->align != 0);
    const int64_t begin = blocks / parts * part + blocks % parts * part / parts;
    return begin * job->align;
}

static void run_range(void *context, int part, int parts)
{
    const range_job *job = context;
    const int64_t begin = border(job, part, parts);
    const int64_t end = border(job, part + 1, parts);
    if (begin < end)
        job->body(job->context, begin, end);
}

void gg_parallel_for(int64_t n, int64_t grain, int64_t align, gg_range_body body, void *context)
{
    const int parts = gg_parallel_parts(n, grain);
    if (parts == 1) {
        if (n > 0)
            body(context, 0, n);
        return;
    }
    range_job job = {n, align > 0 ? align : 1, body, context};
    gg_parallel_run(parts, run_range, &job);
}

/* An OpenMP build of a BLAS asks OpenMP how many threads the calling thread may start: that number belongs to the
 * calling thread alone, so setting it disturbs nobody else. */
int gg_parallel_hold_serial(void)
{
    if (omp_in_parallel())
        return 0;
    const int threads = omp_get_max_threads();
    if (threads > 1)
        omp_set_num_threads(1);
    return threads;
}

void gg_parallel_release_serial(int held)
{
    if (held > 1)
        omp_set_num_threads(held);
}
