/* backend_probe.c - a process of its own for test_backend.c: start-up happens once in a process, and reads the
 * environment.
 *
 * Each argument is done in its turn and prints lines "name=value". */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/gemm.h>

static char log_context[] = "context";
static gg_backend_options options = {.log_context = log_context};
static int log_calls;

static void log_line(void *context, const char *message)
{
    log_calls++;
    printf("log=%s %s\n", (const char *)context, message);
}

static void describe(void)
{
    gg_backend_info info;
    if (gg_backend_describe(&info) != GG_OK)
        return;
    printf("cpu=%s\nfeatures=%s\nblas=%s\nblas_version=%s\nthreading=%s\n", info.cpu, info.features, info.blas,
           info.blas_version, info.threading);
    printf("kernel_found=%s\nkernel_used=%s\nkernel_note=%s\nvector_isa=%s\nthreads=%d\ncpus=%d\n", info.kernel_found,
           info.kernel_used, info.kernel_note, info.vector_isa, info.threads, info.cpus);
}

/* A product of small integers, exact whatever the order, against plain loops. */
static void multiply(void)
{
    enum { M = 67, N = 130, K = 140 };
    float *numbers = malloc((M * K + K * N + M * N) * sizeof(float)), *a = numbers, *b = a + M * K, *c = b + K * N;
    int wrong = 0;
    for (int i = 0; i < M * K; i++)
        a[i] = (float)(i % 5 - 2);
    for (int i = 0; i < K * N; i++)
        b[i] = (float)(i % 7 - 3);
    gg_gemm(c, N, a, K, b, N, M, N, K, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0);
    for (int i = 0; i < M * N; i++) {
        float sum = 0.0f;
        for (int p = 0; p < K; p++)
            sum += a[i / N * K + p] * b[p * N + i % N];
        wrong += c[i] != sum;
    }
    free(numbers);
    printf("wrong=%d\n", wrong);
}

/* ---- many threads that start the backend at once ---- */

enum { RACERS = 8 };
static atomic_int arrived, started;

static void *race(void *turn)
{
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < RACERS)
        sched_yield();
    if (*(int *)turn % 2 == 0)
        atomic_fetch_add(&started, gg_backend_init(&options) == GG_OK);
    multiply();
    return NULL;
}

static void race_all(void)
{
    pthread_t threads[RACERS];
    int turns[RACERS];
    for (int i = 0; i < RACERS; i++) {
        turns[i] = i;
        if (pthread_create(&threads[i], NULL, race, &turns[i]) != 0)
            exit(1);
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    printf("started=%d\n", atomic_load(&started));
}

static void status(gg_status s)
{
    printf("status=%s\nmessage=%s\n", gg_status_string(s), s == GG_OK ? "" : gg_error_message());
}

static void act(const char *what)
{
    if (strncmp(what, "threads=", 8) == 0)
        options.threads = atoi(what + 8);
    else if (strcmp(what, "keep") == 0)
        options.keep_blas_kernel = true;
    else if (strcmp(what, "log") == 0)
        options.log = log_line;
    else if (strcmp(what, "forget") == 0)
        unsetenv("OPENBLAS_CORETYPE");
    else if (strcmp(what, "init") == 0)
        status(gg_backend_init(&options));
    else if (strcmp(what, "init-null") == 0)
        status(gg_backend_init(NULL));
    else if (strncmp(what, "set=", 4) == 0)
        status(gg_set_threads(atoi(what + 4)));
    else if (strcmp(what, "multiply") == 0)
        multiply();
    else if (strcmp(what, "race") == 0)
        race_all();
    else if (strcmp(what, "describe") == 0)
        describe();
    else if (strcmp(what, "environment") == 0)
        printf("coretype=%s\n", getenv("OPENBLAS_CORETYPE") != NULL ? getenv("OPENBLAS_CORETYPE") : "unset");
    else
        printf("unknown=%s\n", what);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        act(argv[i]);
    printf("log_calls=%d\n", log_calls);
    return 0;
}
