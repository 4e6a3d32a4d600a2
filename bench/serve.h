/* serve.h - the program as one that measures on demand, by the requests of gemmgrad/measure.h: a sample is taken only
 * while the asker waits for it, so that two programs can take turns pair by pair. */
#ifndef GEMMGRAD_BENCH_SERVE_H
#define GEMMGRAD_BENCH_SERVE_H

/* Answer until standard input ends; with `threads` threads, 0 for the default. Returns a gg_exit. */
int bench_serve(int threads);

#endif
