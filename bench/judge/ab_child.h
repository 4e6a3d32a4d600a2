/* ab_child.h - a program that answers requests (gemmgrad/measure.h), kept in a process of its own, stopped while it is
 * not asked: idle threads that spin would disturb whoever measures. */
#ifndef GEMMGRAD_BENCH_AB_CHILD_H
#define GEMMGRAD_BENCH_AB_CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "ab_side.h"

typedef struct ab_child {
    const ab_side *side;
    pid_t process; /* 0: none */
    FILE *to;      /* NULL: not connected */
    int from;      /* open while `to` is */
    double waited; /* seconds, for the answer it owes */
    char *text;    /* what it said: the last answer, and whatever came after it */
    size_t size, filled, answered;
} ab_child;

/* Start the program and exchange greetings. Errors, the message naming side and program: GG_ERR_IO (it does not start,
 * it ended, it does not answer as such a program would). */
gg_status ab_child_start(ab_child *child, const ab_side *side, int threads);

/* One request and its answer after "ok ", without the newline; *answer stands until the next request. While it is
 * answered the process runs. Errors: GG_ERR_IO (the process ended: how; or it did not answer within a moment after an
 * interrupt, interrupt.h, or within the side's patience, and was ended), GG_ERR_NUMERIC (it answered with an error,
 * which is the message), GG_ERR_MEMORY. */
gg_status ab_child_ask(ab_child *child, const char **answer, const char *format, ...) GG_PRINTF(3, 4);

/* An answer that outlives the next request, to be freed with gg_free. Error, *out untouched: GG_ERR_MEMORY. */
gg_status ab_copy_answer(char **out, const char *answer);

/* The same as ab_child_ask for an answer that is a number above 0. */
gg_status ab_child_ask_seconds(ab_child *child, double *seconds, const char *format, ...) GG_PRINTF(3, 4);

/* End the process; nothing for one that was not started or has ended. */
void ab_child_stop(ab_child *child);

#endif
