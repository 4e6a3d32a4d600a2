/* trial.h - a scenario run again and again with its first allocation refused, then its second, until none is left to
 * refuse.
 *
 * A scenario calls the library and cleans up after itself. It may run on a thread of its own, where Check's assertions
 * must not be used: it reports instead. */
#ifndef GEMMGRAD_TESTS_TRIAL_H
#define GEMMGRAD_TESTS_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/status.h>

typedef struct trial {
    gg_status status;  /* what the scenario's first failing call returned */
    const char *wrong; /* the first thing that must not be, or NULL */
} trial;

typedef void scenario(trial *t);

/* Put the counting, refusing allocator in place, for the rest of the process: threads keep scratch that goes back to
 * it. */
void trial_install(void);

typedef enum trial_thread { TRIAL_MAIN, TRIAL_FRESH } trial_thread;

/* Refuse allocation N alone, and N with all that follow, for every N. A scenario must report GG_OK or GG_ERR_MEMORY,
 * GG_OK when nothing was refused; nothing wrong; and leave no allocation behind. Returns how many allocations it makes.
 */
int trial_sweep(const char *name, scenario *run, trial_thread thread);

/* One run with allocation `at` refused (0: none), and all later ones when `later`. Nothing is counted: several OpenMP
 * threads may keep scratch beyond it. */
trial trial_run(scenario *run, trial_thread thread, int at, bool later);

/* Record what a call returned. Returns whether it succeeded. */
bool trial_ok(trial *t, gg_status status);

/* Record something wrong unless `right`. */
void trial_check(trial *t, bool right, const char *what);

/* Refuse nothing from here on, in this run of the scenario: to look at what is left of a failure. */
void trial_calm(void);

/* Allocations not yet freed. */
int64_t trial_live(void);

#endif
