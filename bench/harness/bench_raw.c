/* bench_raw.c - raw cblas_sgemm, found at run time. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "bench_raw.h"

#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cblas.h in short; its enumerations are passed as int. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };
typedef void (*sgemm_function)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                               const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
typedef int (*get_parallel_function)(void);
typedef void (*set_threads_function)(int threads);
typedef void (*set_long_threads_function)(long threads);

static struct {
    sgemm_function sgemm;
    set_threads_function set_threads; /* of an OpenBLAS that keeps its own threads */
    set_long_threads_function set_blis;
    int threads;
} raw;

/* ISO C has no cast from an object pointer to a function pointer; POSIX says that they look the same. */
static void find(void *function, void *program, const char *name)
{
    void *symbol = dlsym(program, name);
    memcpy(function, &symbol, sizeof symbol);
}

void bench_raw_find(void *function, const char *name)
{
    void *program = dlopen(NULL, RTLD_LAZY);
    memset(function, 0, sizeof(void *));
    if (program != NULL)
        find(function, program, name);
}

bool bench_raw_start(int threads)
{
    enum { PTHREADS = 1 };
    void *program = dlopen(NULL, RTLD_LAZY);
    raw.threads = threads;
    if (program == NULL)
        return false;
    get_parallel_function get_parallel;
    set_threads_function set_openmp;
    find(&raw.sgemm, program, "cblas_sgemm");
    find(&get_parallel, program, "openblas_get_parallel");
    find(&set_openmp, program, "omp_set_num_threads");
    find(&raw.set_blis, program, "bli_thread_set_num_threads");
    if (get_parallel != NULL && get_parallel() == PTHREADS)
        find(&raw.set_threads, program, "openblas_set_num_threads");
    /* An OpenMP build asks OpenMP at each call. */
    if (set_openmp != NULL)
        set_openmp(threads);
    return raw.sgemm != NULL;
}

const char *bench_raw_library(char *name, size_t size)
{
    char resolved[PATH_MAX];
    void *address;
    Dl_info about;
    memcpy(&address, &raw.sgemm, sizeof address);
    const bool told = address != NULL && dladdr(address, &about) != 0 && about.dli_fname != NULL;
    const char *path = told ? about.dli_fname : "";
    if (told && realpath(about.dli_fname, resolved) != NULL)
        path = resolved;
    snprintf(name, size, "%s", strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path);
    return name;
}

bool bench_raw_found(void)
{
    return raw.sgemm != NULL;
}

bool bench_raw_own_threads(void)
{
    return raw.threads > 1 && (raw.set_threads != NULL || raw.set_blis != NULL);
}

static void set_threads(int threads)
{
    if (raw.set_threads != NULL)
        raw.set_threads(threads);
    if (raw.set_blis != NULL)
        raw.set_blis(threads);
}

void bench_raw_enter(void)
{
    set_threads(raw.threads);
}

void bench_raw_leave(void)
{
    set_threads(1);
}

void bench_raw_run(const bench_sgemm *p)
{
    const int lda = p->transpose_a ? p->m : p->k, ldb = p->transpose_b ? p->k : p->n;
    for (int i = 0; i < p->count; i++)
        raw.sgemm(ROW_MAJOR, p->transpose_a ? TRANSPOSE : NO_TRANSPOSE, p->transpose_b ? TRANSPOSE : NO_TRANSPOSE, p->m,
                  p->n, p->k, 1.0f, p->a + i * p->stride_a, lda, p->b + i * p->stride_b, ldb, 0.0f,
                  p->c + i * p->stride_c, p->n);
}
