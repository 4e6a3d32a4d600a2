/* ab_child.h - a program that answers requests (gemmgrad/measure.h), kept in a process of its own, stopped while it is
 * not asked: idle threads that spin would disturb whoever measures. */
#ifndef GEMMGRAD_BENCH_AB_CHILD_H
#define GEMMGRAD_BENCH_AB_CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include <gemmgrad/blas_backend.h>

enum { AB_MOST_VARIABLES = 16 };

/* Which program, and what is different around it. */
typedef struct ab_side {
    const char *name;                         /* "--base" or "--new", for messages */
    const char *program;                      /* path */
    const char *script;                       /* NULL, or what the program, an interpreter, runs in place of "bench" */
    const char *blas;                         /* library to load in place of the BLAS it was linked with, or NULL */
    const char *variables[AB_MOST_VARIABLES]; /* "NAME=VALUE" */
    int variable_count;
} ab_side;

typedef struct ab_child {
    const ab_side *side;
    pid_t process; /* 0: none */
    FILE *to, *from;
} ab_child;

/* Start the program and exchange greetings. Errors, the message naming side and program: GG_ERR_IO (it does not start,
 * it ended, it does not answer as such a program would). */
gg_status ab_child_start(ab_child *child, const ab_side *side, int threads);

/* One request and its answer after "ok ", without the newline, in `answer`. While it is answered the process runs.
 * Errors: GG_ERR_IO (the process ended: how), GG_ERR_NUMERIC (it answered with an error, which is the message). */
gg_status ab_child_ask(ab_child *child, char *answer, size_t size, const char *format, ...) GG_PRINTF(4, 5);

/* The same for an answer that is a number above 0. */
gg_status ab_child_ask_seconds(ab_child *child, double *seconds, const char *format, ...) GG_PRINTF(3, 4);

/* End the process; nothing for one that was not started or has ended. */
void ab_child_stop(ab_child *child);

#endif
