/* plot.h - pictures of a training, drawn by gnuplot. */
#ifndef GEMMGRAD_BENCH_PLOT_H
#define GEMMGRAD_BENCH_PLOT_H

#include <stdio.h>

#include "run.h"

/* gnuplot's settings for lines, grid and letters that all pictures share. */
extern const char gg_plot_style[];

/* A PNG of `size` ("1200,480"), whole or not at all: write(script, what) gives gnuplot's commands behind the settings.
 * Errors: GG_ERR_UNSUPPORTED, GG_ERR_IO, those of write. */
gg_status gg_plot_picture(const char *path, const char *size, gg_status (*write)(FILE *script, const void *what),
                          const void *what);

/* Whether gnuplot is there and draws PNG. Errors: GG_ERR_UNSUPPORTED, with what to install. */
gg_status gg_plot_check(void);

/* Draw loss and accuracy over the epochs, for data in the plane the regions the network decides on, for images what it
 * misreads and the filters of its first convolution, to a PNG file (whole or not at all). Errors: GG_ERR_UNSUPPORTED,
 * GG_ERR_IO. */
gg_status gg_plot_draw(const char *path, const gg_run *run);

#endif
