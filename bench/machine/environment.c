/* environment.c - the machine described for people and for programs. */
#include "environment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "machine.h"
#include "words.h"

gg_status gg_environment_measure(gg_environment *out)
{
    gg_backend_info backend;
    const gg_status status = gg_backend_describe(&backend);
    if (status != GG_OK)
        return status;
    *out = (gg_environment){
        .backend = backend,
        .fma_peak_gflops = gg_machine_fma_peak(),
        .sgemm_gflops = gg_machine_sgemm_rate(),
        .memory_gbps = gg_machine_memory_rate(),
    };
    return GG_OK;
}

json_t *gg_json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *gg_environment_json(const gg_environment *environment)
{
    const gg_backend_info *b = &environment->backend;
    json_t *object = json_object();
    int failed = object == NULL;
    failed |= json_object_set_new(object, "cpu", json_string(b->cpu));
    failed |= json_object_set_new(object, "features", json_string(b->features));
    failed |= json_object_set_new(object, "blas", json_string(b->blas));
    failed |= json_object_set_new(object, "blas_version", json_string(b->blas_version));
    failed |= json_object_set_new(object, "threading", json_string(b->threading));
    failed |= json_object_set_new(object, "kernel_found", json_string(b->kernel_found));
    failed |= json_object_set_new(object, "kernel_used", json_string(b->kernel_used));
    failed |= json_object_set_new(object, "kernel_note", json_string(b->kernel_note));
    failed |= json_object_set_new(object, "vector_isa", json_string(b->vector_isa));
    failed |= json_object_set_new(object, "threads", json_integer(b->threads));
    failed |= json_object_set_new(object, "fma_peak_gflops", gg_json_number(environment->fma_peak_gflops));
    failed |= json_object_set_new(object, "sgemm_gflops", gg_json_number(environment->sgemm_gflops));
    failed |= json_object_set_new(object, "memory_gbps", gg_json_number(environment->memory_gbps));
    if (failed == 0)
        return object;
    json_decref(object);
    return NULL;
}

void gg_environment_print(FILE *out, const gg_environment *environment)
{
    const gg_backend_info *b = &environment->backend;
    fprintf(out, "%s, %d of %d CPUs; %s %s (%s), kernel %s (%s)\n", b->cpu, b->threads, b->cpus, b->blas,
            b->blas_version, b->threading, b->kernel_used, b->kernel_note);
    fprintf(out, "FMA peak %.0f GFLOP/s, sgemm 1024^3 %.0f GFLOP/s, memory %.1f GB/s\n", environment->fma_peak_gflops,
            environment->sgemm_gflops, environment->memory_gbps);
}

/* ---- advice ---- */

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The OpenBLAS kernel this CPU deserves where the one in use is written for narrower vectors; NULL where it is not. */
static const char *better_kernel(const gg_backend_info *backend)
{
    static const char *const avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    static const char *const avx2[] = {"Haswell", "Zen", "Excavator"};
    const bool uses_avx512 = is_one_of(backend->kernel_used, avx512, sizeof avx512 / sizeof *avx512);
    const bool uses_avx2 = is_one_of(backend->kernel_used, avx2, sizeof avx2 / sizeof *avx2);
    if (gg_has_word(backend->features, "avx512vl") && gg_has_word(backend->features, "avx512bw") && !uses_avx512)
        return gg_has_word(backend->features, "avx512_bf16") ? "Cooperlake" : "SkylakeX";
    if (gg_has_word(backend->features, "avx2") && gg_has_word(backend->features, "fma") && !uses_avx512 && !uses_avx2)
        return "Haswell";
    return NULL;
}

bool gg_environment_advice(char *text, size_t size, const gg_backend_info *backend)
{
    const char *forced = getenv("OPENBLAS_CORETYPE");
    const char *better = better_kernel(backend);
    if (forced == NULL || better == NULL || strcmp(backend->blas, "OpenBLAS") != 0)
        return false;
    snprintf(text, size,
             "OPENBLAS_CORETYPE=%s in the environment holds OpenBLAS at its %s kernel; this CPU can run %s, which is\n"
             "up to twice as fast. To use it: unset OPENBLAS_CORETYPE (gemmgrad then chooses the kernel itself), or\n"
             "set OPENBLAS_CORETYPE=%s.",
             forced, backend->kernel_used, better, better);
    return true;
}

void gg_environment_warn(void)
{
    char advice[512];
    gg_backend_info backend;
    if (gg_backend_describe(&backend) == GG_OK && gg_environment_advice(advice, sizeof advice, &backend))
        fprintf(stderr, "note: %s\n", advice);
}
