/* ab.h - two builds measured in turns.
 *
 * A generation starts both programs twice (about 5 ms each), and visits each case that is not decided yet: opening it
 * (2 ms and its data) and five samples of 4 ms after 2 ms of warming up, for each of the four processes. So a case
 * costs about 0.2 s a generation, and is judged with its first 12 at the earliest. */
#ifndef GEMMGRAD_BENCH_AB_H
#define GEMMGRAD_BENCH_AB_H

#include <regex.h>

#include "ab_child.h"
#include "ab_judge.h"
#include "bench_case.h"

typedef struct ab_settings {
    ab_side base, fresh;
    int threads;             /* 0: each program's own default */
    const char *suite;       /* "all" or a suite's name */
    const regex_t *filter;   /* NULL: all names */
    double seconds;          /* for each case, about */
    double precision, floor; /* as in ab_demands */
} ab_settings;

typedef struct ab_case {
    char name[BENCH_NAME_BYTES];
    ab_samples samples;
    long iterations; /* repetitions in a sample; 0: not opened yet */
    bool done;
    ab_judgement judgement;
    char error[256]; /* the first failure; "": none */
    bool failed_base, failed_new;
} ab_case;

typedef struct ab_run {
    ab_settings settings;
    char about_base[256], about_new[256]; /* what the programs say about themselves; "": nothing */
    ab_case *cases;
    int count;
    int only_base, only_new; /* cases that the other program does not have */
    int long_names;          /* cases of both whose names take BENCH_NAME_BYTES or more */
    bool interrupted;
    char error[512]; /* why it ended early, "": it did not */
} ab_run;

/* Find the programs and the cases that both have; `run` must not move after. Errors: those of ab_child and ab_side,
 * GG_ERR_ARGUMENT when no case is chosen. */
gg_status ab_prepare(ab_run *run);

/* Measure until every case is decided or its time is over; ends early, with what was measured, when a program ends
 * (run->error) or after SIGINT (run->interrupted). */
void ab_measure(ab_run *run);

void ab_free(ab_run *run);

#endif
