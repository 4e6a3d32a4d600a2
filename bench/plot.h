/* plot.h - pictures of a training, drawn by gnuplot. */
#ifndef GEMMGRAD_BENCH_PLOT_H
#define GEMMGRAD_BENCH_PLOT_H

#include "run.h"

/* Whether gnuplot is there and draws PNG. Errors: GG_ERR_UNSUPPORTED, with what to install. */
gg_status gg_plot_check(void);

/* Draw loss and accuracy over the epochs, for data in the plane the regions the network decides on, for images what it
 * misreads and the filters of its first convolution, to a PNG file (whole or not at all). Errors: GG_ERR_UNSUPPORTED,
 * GG_ERR_IO. */
gg_status gg_plot_draw(const char *path, const gg_run *run);

#endif
