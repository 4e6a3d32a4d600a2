/* blas_start.c - what start-up does to the BLAS: find out which it is, repair its choice of a kernel, hold it at one
 * thread (docs/decisions/0004-blas-startup.md). */
#include "blas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Exported by OpenBLAS (the last two by builds with several kernels) and by BLIS; NULL in any other BLAS. */
#define GG_MAYBE __attribute__((weak)) extern
GG_MAYBE char *openblas_get_config(void);
GG_MAYBE char *openblas_get_corename(void);
GG_MAYBE int openblas_get_parallel(void);
GG_MAYBE void openblas_set_num_threads(int);
GG_MAYBE void gotoblas_dynamic_init(void);
GG_MAYBE void gotoblas_dynamic_quit(void);
GG_MAYBE const char *bli_info_get_version_str(void);
GG_MAYBE void bli_thread_set_num_threads(long);
GG_MAYBE long bli_info_get_enable_openmp(void);
GG_MAYBE long bli_info_get_enable_pthreads(void);
GG_MAYBE int bli_arch_query_id(void);
GG_MAYBE const char *bli_arch_string(int);

/* Width of the vectors that an OpenBLAS core is written for: 2 for AVX-512, 1 for AVX2 with FMA, 0 for anything older.
 */
static int core_class(const char *core)
{
    static const char *const avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    static const char *const avx2[] = {"Haswell", "Zen", "Excavator"};
    for (size_t i = 0; i < sizeof avx512 / sizeof *avx512; i++)
        if (strcasecmp(core, avx512[i]) == 0)
            return 2;
    for (size_t i = 0; i < sizeof avx2 / sizeof *avx2; i++)
        if (strcasecmp(core, avx2[i]) == 0)
            return 1;
    return 0;
}

static const char *best_core(const gg_cpu *cpu)
{
    if (cpu->avx512)
        return cpu->avx512_bf16 ? "Cooperlake" : "SkylakeX";
    return cpu->avx2 ? "Haswell" : "Prescott";
}

/* One product against plain loops, integers so that the comparison is exact. */
static bool product_is_right(int m, int n, int k)
{
    enum { LARGEST = 144 };
    static float a[LARGEST * LARGEST], b[LARGEST * LARGEST], c[LARGEST * LARGEST];
    for (int i = 0; i < m * k; i++)
        a[i] = (float)(i % 7 - 3);
    for (int i = 0; i < k * n; i++)
        b[i] = (float)(i % 11 - 5);
    gg_blas_sgemm(c, n, a, k, b, n, m, n, k, false, false, 1.0f, 0.0f);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0.0f;
            for (int p = 0; p < k; p++)
                sum += a[i * k + p] * b[p * n + j];
            if (c[i * n + j] != sum)
                return false;
        }
    return true;
}

/* A size below the limit of the small-matrix kernels and one above it. */
static bool products_are_right(void)
{
    return product_is_right(37, 41, 43) && product_is_right(133, 129, 141);
}

static void restart_kernels(const char *core)
{
    if (core != NULL)
        setenv("OPENBLAS_CORETYPE", core, 1);
    else
        unsetenv("OPENBLAS_CORETYPE");
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    unsetenv("OPENBLAS_CORETYPE");
}

/* 0.3.21 does not know the name Cooperlake, looks at the CPU by itself instead, and may find any kernel. */
static bool takes_kernel(const char *core)
{
    restart_kernels(core);
    return core_class(openblas_get_corename()) >= core_class(core) && products_are_right();
}

static void note(gg_blas *blas, const char *text)
{
    snprintf(blas->kernel_note, sizeof blas->kernel_note, "%s", text);
}

static void repair_kernel(gg_blas *blas, const gg_cpu *cpu, bool keep_kernel)
{
    const char *wanted = best_core(cpu);
    if (keep_kernel) {
        note(blas, "left as found, as asked");
    } else if (getenv("OPENBLAS_CORETYPE") != NULL) {
        note(blas, "left as found: OPENBLAS_CORETYPE is set by the user");
    } else if (core_class(blas->kernel_found) >= core_class(wanted)) {
        note(blas, "fits this CPU");
    } else if (gotoblas_dynamic_init == NULL || gotoblas_dynamic_quit == NULL) {
        snprintf(blas->kernel_note, sizeof blas->kernel_note,
                 "below what this CPU can do, and this OpenBLAS cannot change it; set OPENBLAS_CORETYPE=%s", wanted);
    } else if (takes_kernel(wanted) || (cpu->avx512 && takes_kernel("SkylakeX"))) {
        snprintf(blas->kernel_note, sizeof blas->kernel_note, "repaired: OpenBLAS chose %s, this CPU can run %s",
                 blas->kernel_found, openblas_get_corename());
    } else {
        restart_kernels(NULL);
        snprintf(blas->kernel_note, sizeof blas->kernel_note, "left as found: %s was tried and did not hold", wanted);
    }
}

static void start_openblas(gg_blas *blas, const gg_cpu *cpu, bool keep_kernel)
{
    static const char *const threading[] = {"serial", "pthreads", "openmp"};
    const int parallel = openblas_get_parallel != NULL ? openblas_get_parallel() : -1;
    blas->name = "OpenBLAS";
    blas->threading = parallel >= 0 && parallel <= 2 ? threading[parallel] : "unknown";
    const char *config = openblas_get_config();
    if (sscanf(config, "OpenBLAS %31s", blas->version) != 1)
        snprintf(blas->version, sizeof blas->version, "unknown");
    if (openblas_get_corename != NULL) {
        snprintf(blas->kernel_found, sizeof blas->kernel_found, "%s", openblas_get_corename());
        repair_kernel(blas, cpu, keep_kernel);
        snprintf(blas->kernel_used, sizeof blas->kernel_used, "%s", openblas_get_corename());
    }
    /* An OpenMP build takes its number from OpenMP each time (gg_parallel_hold_serial). */
    if (parallel == 1 && openblas_set_num_threads != NULL)
        openblas_set_num_threads(1);
    int major = 0, minor = 0, patch = 0;
    const int read = sscanf(blas->version, "%d.%d.%d", &major, &minor, &patch);
    blas->small_products =
        core_class(blas->kernel_used) == 2 && read == 3 && (major > 0 || minor > 3 || (minor == 3 && patch >= 21));
}

static void start_blis(gg_blas *blas)
{
    blas->name = "BLIS";
    snprintf(blas->version, sizeof blas->version, "%s", bli_info_get_version_str());
    if (bli_info_get_enable_openmp != NULL && bli_info_get_enable_pthreads != NULL)
        blas->threading = bli_info_get_enable_openmp()     ? "openmp"
                          : bli_info_get_enable_pthreads() ? "pthreads"
                                                           : "serial";
    if (bli_arch_query_id != NULL && bli_arch_string != NULL) {
        snprintf(blas->kernel_found, sizeof blas->kernel_found, "%s", bli_arch_string(bli_arch_query_id()));
        snprintf(blas->kernel_used, sizeof blas->kernel_used, "%s", blas->kernel_found);
        note(blas, "left as found: BLIS_ARCH_TYPE chooses another");
    }
    if (bli_thread_set_num_threads != NULL)
        bli_thread_set_num_threads(1);
}

/* ISO C has no cast from a function pointer to an object pointer; POSIX says that they look the same. */
static bool is_of_the_blas(const char *name, const void *function, size_t size)
{
    const void *address;
    memcpy(&address, function, size);
    return address != NULL && gg_blas_file_has(name, address);
}

static bool products_are_of_openblas(void)
{
    char *(*const function)(void) = openblas_get_config;
    return is_of_the_blas("openblas_get_config", &function, sizeof function);
}

static bool products_are_of_blis(void)
{
    const char *(*const function)(void) = bli_info_get_version_str;
    return is_of_the_blas("bli_info_get_version_str", &function, sizeof function);
}

/* Another BLAS took the place of the one that was linked (LD_PRELOAD), and its name is all that is known. */
static void start_other(gg_blas *blas)
{
    if ((openblas_get_config != NULL || bli_info_get_version_str != NULL) && gg_blas_file()[0] != '\0')
        blas->name = gg_blas_file();
}

void gg_blas_start(gg_blas *blas, const gg_cpu *cpu, bool keep_kernel)
{
    *blas = (gg_blas){.name = "reference or unknown BLAS",
                      .version = "unknown",
                      .threading = "unknown",
                      .kernel_found = "unknown",
                      .kernel_used = "unknown"};
    note(blas, "this BLAS does not tell its kernel");
    const bool blis = products_are_of_blis(), on_blis = strcmp(GG_BLAS_KIND, "blis") == 0 && blis;
    if (products_are_of_openblas() && !on_blis) {
        start_openblas(blas, cpu, keep_kernel);
        return;
    }
    if (blis)
        start_blis(blas);
    else
        start_other(blas);
    /* LAPACK may come from an OpenBLAS all the same (Debian's alternatives): no threads of its own either. */
    if (openblas_get_parallel != NULL && openblas_get_parallel() == 1 && openblas_set_num_threads != NULL)
        openblas_set_num_threads(1);
}
