/* machine.h - the ceilings of this machine, measured: what every rate the program prints is held against.
 *
 * Each call takes at most about 0.3 s (the product longer only where three of them take longer) and uses gg_threads()
 * threads. The FMA peak is the best of a few samples, for noise only ever lowers it; memory (which a cache can
 * flatter) and product are medians. NaN where the measurement could not be made (no memory, no threads). */
#ifndef GEMMGRAD_BENCH_MACHINE_H
#define GEMMGRAD_BENCH_MACHINE_H

#include <stddef.h>

/* Seconds of a clock that never goes back. */
double gg_seconds_now(void);

/* Median of count numbers (count >= 1), which are sorted in place. */
double gg_median(double *samples, size_t count);

/* GFLOP/s of fused multiply-adds that touch registers only, on the widest vectors the CPU has; one multiply-add is
 * two operations. */
double gg_machine_fma_peak(void);

/* GB/s (10^9 bytes, read and written together) of a copy between buffers beyond the last cache. */
double gg_machine_memory_rate(void);

/* GFLOP/s of gg_gemm at 1024 x 1024 x 1024. */
double gg_machine_sgemm_rate(void);

#endif
