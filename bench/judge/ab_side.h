/* ab_side.h - which program `gemmgrad ab` measures, and what is different around it. */
#ifndef GEMMGRAD_BENCH_AB_SIDE_H
#define GEMMGRAD_BENCH_AB_SIDE_H

#include <stdbool.h>

#include <gemmgrad/blas_backend.h>

enum { AB_MOST_VARIABLES = 16 };

typedef struct ab_side {
    const char *name;                         /* "--base" or "--new", for messages */
    const char *program;                      /* path */
    const char *script;                       /* NULL, or what the program, an interpreter, runs in place of "bench" */
    const char *blas;                         /* library to load in place of the BLAS it was linked with, or NULL */
    const char *variables[AB_MOST_VARIABLES]; /* "NAME=VALUE" */
    int variable_count;
    bool quick, cold; /* passed on to the program */
    double patience;  /* seconds it may take to answer; 0: as long as it likes */
    char found[4096]; /* where a program without a slash was found */
} ab_side;

/* Look for a program without a slash in PATH; one that is not there stays what it is. The side must not move after. */
void ab_side_find(ab_side *side);

/* Whether the side's BLAS will be loaded, which LD_PRELOAD itself would only mutter about. It is tried in a process of
 * its own. Errors: GG_ERR_ARGUMENT, GG_ERR_IO (no new process). */
gg_status ab_side_check_blas(const ab_side *side);

#endif
