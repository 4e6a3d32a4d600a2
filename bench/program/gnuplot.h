/* gnuplot.h - gnuplot as a child process that reads its script from us. */
#ifndef GEMMGRAD_BENCH_GNUPLOT_H
#define GEMMGRAD_BENCH_GNUPLOT_H

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

#include <gemmgrad/blas_backend.h>

typedef struct gg_gnuplot {
    pid_t child;
    FILE *script;            /* write gnuplot commands here */
    struct sigaction before; /* what SIGPIPE did */
} gg_gnuplot;

/* Run `gnuplot`; its messages go to stderr. Errors: GG_ERR_UNSUPPORTED (not installed), GG_ERR_IO. */
gg_status gg_gnuplot_open(gg_gnuplot *plot);

/* End of script: waits. Errors: GG_ERR_IO when gnuplot was not content or not all could be written. */
gg_status gg_gnuplot_close(gg_gnuplot *plot);

/* "pngcairo" or "png", whichever this gnuplot has. */
gg_status gg_gnuplot_terminal(const char **out);

#endif
