/* fma_loops.h - loops of multiply-adds in registers, one for each vector width. */
#ifndef GEMMGRAD_BENCH_FMA_LOOPS_H
#define GEMMGRAD_BENCH_FMA_LOOPS_H

typedef enum gg_fma_width { GG_FMA_BASELINE = 0, GG_FMA_AVX2, GG_FMA_AVX512 } gg_fma_width;

/* The widest that this CPU runs. */
gg_fma_width gg_fma_widest(void);

/* Run one piece of some 10 microseconds and return the number of operations done (a multiply-add is two). */
double gg_fma_loop(gg_fma_width width);

#endif
