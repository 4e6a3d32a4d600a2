/* bench_cold.h - the data of a case out of all caches. */
#ifndef GEMMGRAD_BENCH_COLD_H
#define GEMMGRAD_BENCH_COLD_H

#include <stdbool.h>

#include "bench_case.h"

/* Whether this CPU has an instruction that empties a cache line. */
bool bench_cold_possible(void);

/* Write back and drop every line of the case's arrays, a model's parameters and gradients among them, from all caches.
 * A model's workspace and the library's own scratch stay. */
void bench_cold_flush(const bench_work *work);

#endif
