/* gemmgrad/backend.h - start-up, threads, and what was found on this machine.
 *
 * Nothing here has to be called: the first call of any function starts the backend with the default
 * options. Call gg_backend_init() first to choose otherwise. */
#ifndef GEMMGRAD_BACKEND_H
#define GEMMGRAD_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GG_VERSION_MAJOR 0
#define GG_VERSION_MINOR 1
#define GG_VERSION_PATCH 0

/* "0.1.0": the version of the library that is loaded, not of the header. */
GG_API const char *gg_version(void);

typedef void (*gg_log_function)(void *context, const char *message);

typedef struct gg_backend_options {
    int threads;           /* 0: OMP_NUM_THREADS, else the CPUs this process may use */
    bool keep_blas_kernel; /* leave the BLAS kernel as it was found (also GEMMGRAD_KEEP_BLAS_KERNEL=1) */
    gg_log_function log;   /* told about start-up decisions; NULL: silent */
    void *log_context;
} gg_backend_options;

/* Start the backend: look at the CPU, repair the BLAS kernel where it misjudged it, hold BLAS itself
 * at one thread (gemmgrad owns the threads), choose vector kernels. options may be NULL.
 * The repair restarts OpenBLAS's kernel table: make this call before other threads use BLAS.
 * Errors: GG_ERR_STATE when the backend already runs, GG_ERR_ARGUMENT for threads < 0 or > 1024. */
GG_API gg_status gg_backend_init(const gg_backend_options *options);

/* Threads that one call may use, 1 or more. Thread-safe. */
GG_API int gg_threads(void);

/* Change that number. Must not run beside other calls of the library.
 * Errors: GG_ERR_ARGUMENT unless 1 <= threads <= 1024. */
GG_API gg_status gg_set_threads(int threads);

/* Vector instruction sets that the elementwise kernels are built for. */
typedef enum gg_isa { GG_ISA_BASELINE = 0, GG_ISA_AVX2 = 1, GG_ISA_AVX512 = 2 } gg_isa;

typedef struct gg_backend_info {
    const char *cpu;      /* brand string */
    const char *features; /* space separated: "sse2 avx2 fma avx512f ..." */
    const char *blas;     /* "OpenBLAS", "BLIS", "reference or unknown BLAS"; the file's name where it was preloaded */
    const char *blas_version; /* "0.3.21", or "unknown" */
    const char *threading;    /* of the BLAS: "openmp", "pthreads", "serial", "unknown" */
    const char *kernel_found; /* core name as the BLAS chose it, e.g. "Haswell"; "unknown" where it does not tell */
    const char *kernel_used;  /* core name in use now, e.g. "Cooperlake" */
    const char *kernel_note;  /* one sentence: what the repair did, or why it did nothing */
    const char *vector_isa;   /* "avx512", "avx2" or "baseline"; GEMMGRAD_ISA forces a lesser one */
    int threads;              /* gg_threads() */
    int cpus;                 /* CPUs this process may run on */
} gg_backend_info;

/* Fill *info; the strings belong to the library and live as long as the process. Thread-safe. */
GG_API gg_status gg_backend_describe(gg_backend_info *info);

#ifdef __cplusplus
}
#endif
#endif
