/* machine.c - FMA peak, memory bandwidth and sgemm rate.
 *
 * The first two run the same way: every thread does small pieces of work from a common instant to a common deadline,
 * and the rate is the sum over threads of what each did divided by the time each took. No barrier is needed, cores
 * may differ, and threads that share a core share its rate. */
#include "machine.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gemmgrad/blas_backend.h>

#include "fma_loops.h"

double gg_seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double gg_median(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare_doubles);
    return count % 2 == 1 ? samples[count / 2] : 0.5 * (samples[count / 2 - 1] + samples[count / 2]);
}

/* ---- the same work on every thread ---- */

enum { SAMPLES = 5 };
static const double SAMPLE_SECONDS = 0.03;
/* Threads are up and OpenMP's idle ones have stopped spinning (libgomp: a few ms) before a sample starts. */
static const double SETTLE_SECONDS = 0.01;

/* Does one piece of work as thread `thread` and returns its amount (operations, bytes). */
typedef double (*piece_function)(void *context, int thread);

typedef struct worker {
    pthread_t handle;
    piece_function piece;
    void *context;
    int thread;
    double start;
    double rate; /* out: amount a second */
} worker;

static void *run_worker(void *argument)
{
    worker *w = argument;
    while (gg_seconds_now() < w->start)
        continue;
    double done = 0.0, now;
    do {
        done += w->piece(w->context, w->thread);
        now = gg_seconds_now();
    } while (now < w->start + SAMPLE_SECONDS);
    w->rate = done / (now - w->start);
    return NULL;
}

/* One sample: the summed rate of `threads` workers; NaN when not all threads could be had. */
static double sample_rate(worker *workers, int threads, piece_function piece, void *context)
{
    const double start = gg_seconds_now() + SETTLE_SECONDS;
    int running = 0;
    double sum = 0.0;
    while (running < threads) {
        workers[running] = (worker){.piece = piece, .context = context, .thread = running, .start = start};
        if (pthread_create(&workers[running].handle, NULL, run_worker, &workers[running]) != 0)
            break;
        running++;
    }
    for (int i = 0; i < running; i++) {
        pthread_join(workers[i].handle, NULL);
        sum += workers[i].rate;
    }
    return running == threads ? sum : NAN;
}

/* SAMPLES rates in ascending order; false when they could not be measured. */
static bool sample_rates(double rates[SAMPLES], piece_function piece, void *context)
{
    const int threads = gg_threads();
    void *memory = NULL;
    bool measured = gg_alloc(&memory, (size_t)threads * sizeof(worker)) == GG_OK;
    for (int i = 0; measured && i < SAMPLES; i++) {
        rates[i] = sample_rate(memory, threads, piece, context);
        measured = !isnan(rates[i]);
    }
    if (measured)
        qsort(rates, SAMPLES, sizeof *rates, compare_doubles);
    gg_free(memory);
    return measured;
}

/* ---- the three figures ---- */

static double fma_piece(void *context, int thread)
{
    (void)thread;
    return gg_fma_loop(*(const gg_fma_width *)context);
}

double gg_machine_fma_peak(void)
{
    gg_fma_width width = gg_fma_widest();
    double rates[SAMPLES];
    return sample_rates(rates, fma_piece, &width) ? 1e-9 * rates[SAMPLES - 1] : NAN;
}

typedef struct copy_buffers {
    char *to, *from;
    size_t slice; /* bytes of each thread */
} copy_buffers;

static double copy_piece(void *context, int thread)
{
    const copy_buffers *buffers = context;
    const size_t start = buffers->slice * (size_t)thread;
    memcpy(buffers->to + start, buffers->from + start, buffers->slice);
    return 2.0 * (double)buffers->slice;
}

/* Twice the last cache and at least 64 MB; at most 512 MB, so that no small machine starts swapping. */
static size_t copy_bytes(void)
{
    const size_t least = (size_t)64 << 20, most = (size_t)512 << 20;
    size_t bytes = least;
#ifdef _SC_LEVEL3_CACHE_SIZE
    const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (cache > 0 && 2 * (size_t)cache > bytes)
        bytes = 2 * (size_t)cache;
#endif
    return bytes < most ? bytes : most;
}

/* Written once: pages never written would all be one page of zeros, read from the cache. */
static char *new_buffer(size_t bytes)
{
    void *buffer = NULL;
    if (gg_alloc(&buffer, bytes) == GG_OK)
        memset(buffer, 1, bytes);
    return buffer;
}

double gg_machine_memory_rate(void)
{
    const size_t bytes = copy_bytes();
    char *to = new_buffer(bytes), *from = new_buffer(bytes);
    double rate = NAN;
    if (to != NULL && from != NULL) {
        copy_buffers buffers = {to, from, bytes / (size_t)gg_threads()};
        double rates[SAMPLES];
        if (sample_rates(rates, copy_piece, &buffers))
            rate = 1e-9 * rates[SAMPLES / 2];
    }
    gg_free(to);
    gg_free(from);
    return rate;
}

/* Products of a x b until the time is up: at least three after one that warms up, at most `most`. */
static size_t time_products(double *rates, size_t most, float *c, const float *a, const float *b, int64_t n)
{
    const double operations = 2e-9 * (double)n * (double)n * (double)n;
    const double deadline = gg_seconds_now() + 0.2;
    size_t count = 0;
    for (size_t i = 0; i <= most && (i <= 3 || gg_seconds_now() < deadline); i++) {
        const double start = gg_seconds_now();
        if (gg_gemm(c, n, a, n, b, n, n, n, n, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f) != GG_OK)
            return 0;
        if (i > 0)
            rates[count++] = operations / (gg_seconds_now() - start);
    }
    return count;
}

double gg_machine_sgemm_rate(void)
{
    enum { N = 1024, MOST = 31 };
    const size_t size = (size_t)N * N;
    double rates[MOST];
    size_t count = 0;
    void *memory = NULL;
    if (gg_alloc(&memory, 3 * size * sizeof(float)) == GG_OK) {
        float *c = memory, *a = c + size, *b = a + size;
        for (size_t i = 0; i < size; i++) {
            a[i] = (float)(i % 13) - 6.0f;
            b[i] = (float)(i % 7) - 3.0f;
        }
        count = time_products(rates, MOST, c, a, b, N);
    }
    gg_free(memory);
    return count > 0 ? gg_median(rates, count) : NAN;
}
