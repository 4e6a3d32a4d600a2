/* serve.h - the program as one that measures on demand, by the requests of gemmgrad/measure.h: a sample is taken only
 * while the asker waits for it, so that two programs can take turns pair by pair. */
#ifndef GEMMGRAD_BENCH_SERVE_H
#define GEMMGRAD_BENCH_SERVE_H

#include <stdbool.h>

/* Answer until standard input ends; with `threads` threads, 0 for the default, the cases of --quick or
 * all, their data in the caches or out of them (cold). Returns a gg_exit. */
int bench_serve(int threads, bool quick, bool cold);

#endif
