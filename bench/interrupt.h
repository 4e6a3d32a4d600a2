/* interrupt.h - the first SIGINT or SIGTERM asks for an end, the second kills. */
#ifndef GEMMGRAD_BENCH_INTERRUPT_H
#define GEMMGRAD_BENCH_INTERRUPT_H

#include <stdbool.h>

/* From now on the first of these signals only sets what gg_interrupted returns. */
void gg_catch_interrupts(void);

bool gg_interrupted(void);

#endif
