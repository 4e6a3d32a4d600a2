/* history_series.h - what history.c read, in order and with its steps. */
#ifndef GEMMGRAD_BENCH_HISTORY_SERIES_H
#define GEMMGRAD_BENCH_HISTORY_SERIES_H

#include "history.h"

/* Fill runs and cases from out->root. Errors: GG_ERR_MEMORY. */
gg_status history_arrange(history *out, double least_step);

#endif
