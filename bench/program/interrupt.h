/* interrupt.h - the first SIGINT, SIGTERM or SIGHUP asks for an end; a second SIGINT kills. */
#ifndef GEMMGRAD_BENCH_INTERRUPT_H
#define GEMMGRAD_BENCH_INTERRUPT_H

#include <stdbool.h>

/* From now on the first of these signals only sets what gg_interrupted returns; one that is ignored stays ignored. */
void gg_catch_interrupts(void);

/* A reader that goes away (`| head -1`) costs the words still to come, and not the run. */
void gg_ignore_broken_pipes(void);

bool gg_interrupted(void);

#endif
