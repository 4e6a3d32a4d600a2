/* backend.c - start-up once, the thread policy, and what was found on this machine. */
#include "backend.h"

#include <gemmgrad/memory.h>

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blas.h"
#include "cpu.h"
#include "parallel.h"

#define GG_TEXT_OF(number) #number
#define GG_TEXT(number) GG_TEXT_OF(number)

enum { MOST_THREADS = 1024 };

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
atomic_bool gg_backend_started;
static _Atomic int policy_threads;
static gg_isa policy_isa;
static gg_cpu cpu;
static gg_blas blas;

const char *gg_version(void)
{
    return GG_TEXT(GG_VERSION_MAJOR) "." GG_TEXT(GG_VERSION_MINOR) "." GG_TEXT(GG_VERSION_PATCH);
}

static const char *isa_name(gg_isa isa)
{
    return isa == GG_ISA_AVX512 ? "avx512" : isa == GG_ISA_AVX2 ? "avx2" : "baseline";
}

/* The best set of the CPU, or a lesser one that GEMMGRAD_ISA names (a greater one would crash: ignored). */
static gg_isa choose_isa(void)
{
    const gg_isa best = cpu.avx512 ? GG_ISA_AVX512 : cpu.avx2 ? GG_ISA_AVX2 : GG_ISA_BASELINE;
    const char *forced = getenv("GEMMGRAD_ISA");
    for (gg_isa isa = GG_ISA_BASELINE; forced != NULL && isa < best; isa++)
        if (strcmp(forced, isa_name(isa)) == 0)
            return isa;
    return best;
}

static bool flag_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && strcmp(value, "") != 0 && strcmp(value, "0") != 0;
}

/* OMP_NUM_THREADS (its first level) as the user's word for every OpenMP program, else the CPUs there are. */
static int default_threads(void)
{
    const char *value = getenv("OMP_NUM_THREADS");
    const long asked = value != NULL ? strtol(value, NULL, 10) : 0;
    const long threads = asked > 0 ? asked : cpu.cpus;
    return threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : (int)threads;
}

static void start_locked(const gg_backend_options *options)
{
    gg_cpu_detect(&cpu);
    policy_isa = choose_isa();
    const bool keep = options->keep_blas_kernel || flag_set("GEMMGRAD_KEEP_BLAS_KERNEL");
    gg_blas_start(&blas, &cpu, keep);
    atomic_store(&policy_threads, options->threads > 0 ? options->threads : default_threads());
    atomic_store(&gg_backend_started, true);
    if (options->log != NULL) {
        char line[512];
        snprintf(line, sizeof line, "gemmgrad %s: %s %s (%s), kernel %s (%s), vector kernels %s, %d threads",
                 gg_version(), blas.name, blas.version, blas.threading, blas.kernel_used, blas.kernel_note,
                 isa_name(policy_isa), atomic_load(&policy_threads));
        options->log(options->log_context, line);
    }
}

static void ensure_started(void)
{
    if (gg_backend_runs())
        return;
    pthread_mutex_lock(&start_lock);
    if (!gg_backend_runs())
        start_locked(&(gg_backend_options){0});
    pthread_mutex_unlock(&start_lock);
}

gg_status gg_backend_init(const gg_backend_options *options)
{
    const gg_backend_options defaults = {0};
    const gg_backend_options *chosen = options != NULL ? options : &defaults;
    if (chosen->threads < 0 || chosen->threads > MOST_THREADS)
        return gg_fail(GG_ERR_ARGUMENT, "gg_backend_init: threads is %d, expected 0 to %d", chosen->threads,
                       MOST_THREADS);
    gg_status status = GG_OK;
    pthread_mutex_lock(&start_lock);
    if (gg_backend_runs())
        status = gg_fail(GG_ERR_STATE, "gg_backend_init: the backend already runs; call it before anything else");
    else
        start_locked(chosen);
    pthread_mutex_unlock(&start_lock);
    return status;
}

int gg_policy_threads(void)
{
    ensure_started();
    return atomic_load_explicit(&policy_threads, memory_order_relaxed);
}

gg_isa gg_policy_isa(void)
{
    ensure_started();
    return policy_isa;
}

bool gg_policy_small_products(void)
{
    ensure_started();
    return blas.small_products;
}

bool gg_policy_blas_heeds_openmp(void)
{
    ensure_started();
    return strcmp(blas.threading, "openmp") == 0;
}

/* Half the last cache, which is shared with others: measured as copy and read of what it wrote, arrays of 64 MB went
 * faster through a third level of 260 MB, and those of 96 MB past it. */
bool gg_policy_streams(const float *result, int64_t rows, int64_t cols, int arrays)
{
    static const int64_t usual_cache = 32 << 20, line = GG_ALIGNMENT;
    ensure_started();
    const int64_t cache = cpu.cache_bytes > 0 ? cpu.cache_bytes : usual_cache, row = cols * (int64_t)sizeof(float);
    return (uintptr_t)result % (uintptr_t)line == 0 && row % line == 0
           && (double)rows * (double)row * arrays > 0.5 * (double)cache;
}

gg_cpu_family gg_policy_cpu_family(void)
{
    ensure_started();
    return cpu.family;
}

int gg_threads(void)
{
    return gg_policy_threads();
}

gg_status gg_set_threads(int threads)
{
    if (threads < 1 || threads > MOST_THREADS)
        return gg_fail(GG_ERR_ARGUMENT, "gg_set_threads: threads is %d, expected 1 to %d", threads, MOST_THREADS);
    ensure_started();
    atomic_store(&policy_threads, threads);
    return GG_OK;
}

gg_status gg_backend_describe(gg_backend_info *info)
{
    if (info == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_backend_describe: info is NULL");
    ensure_started();
    *info = (gg_backend_info){
        .cpu = cpu.brand,
        .features = cpu.features,
        .blas = blas.name,
        .blas_version = blas.version,
        .threading = blas.threading,
        .kernel_found = blas.kernel_found,
        .kernel_used = blas.kernel_used,
        .kernel_note = blas.kernel_note,
        .vector_isa = isa_name(policy_isa),
        .threads = gg_policy_threads(),
        .cpus = cpu.cpus,
    };
    return GG_OK;
}
