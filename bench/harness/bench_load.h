/* bench_load.h - whether the machine was ours while we measured (in bench_context.c). */
#ifndef GEMMGRAD_BENCH_LOAD_H
#define GEMMGRAD_BENCH_LOAD_H

/* A moment: CPU seconds that all processes of the machine, and this one, had used until then. */
typedef struct bench_load {
    double wall, machine, own;
} bench_load;

bench_load bench_load_now(void);

/* CPUs that other processes, and the hypervisor for other machines, kept busy between two moments, on average: 0 on an
 * idle machine. NaN where the system does not tell (no /proc/stat) or the time between is too short to say. */
double bench_load_foreign(const bench_load *from, const bench_load *to);

#endif
