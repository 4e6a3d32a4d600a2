/* gemmgrad/measure.h - your own C code under `gemmgrad ab`: list what is to be measured, then answer its requests.
 *
 * One header, no library, C99 or later and C++. A program that holds your kernels:
 *
 *     static int run(void *context) { my_kernel(context); return 0; }
 *     int main(void)
 *     {
 *         const gg_measured cases[] = {{"mine/kernel/1000", NULL, run, NULL, &my_data, NULL}};
 *         const gg_measured_program program = {cases, 1, "my kernels 1.0", NULL};
 *         return gg_measure_serve(&program);
 *     }
 *
 * Build it twice, from the old sources and from the new ones: `gemmgrad ab --base ./old --new ./new` measures the two
 * in turns (docs/benchmarking.md).
 *
 * The requests, one line in, one line out; an answer begins with "ok" or "error":
 *
 *     hello                ok gemmgrad-serve 1
 *     names                ok NAME NAME ...
 *     about                ok TEXT          version and settings
 *     open NAME            ok SECONDS       of a repetition, once warm
 *     open-again NAME      ok SECONDS       the same, without checks made before
 *     take N               ok SECONDS       of a repetition, the mean of N in a row
 *     close                ok */
#ifndef GEMMGRAD_MEASURE_H
#define GEMMGRAD_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Without POSIX, C99 itself knows no clock but that of the CPU; there sys/time.h has one all the same. */
#if !defined(CLOCK_MONOTONIC) && !defined(TIME_UTC)
#include <sys/time.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define GG_MEASURE_HELLO "gemmgrad-serve 1"

/* One case. Names are unique and separated into parts by '/'. One that is empty or has blanks is refused with its whole
 * program; one of more than 95 characters is left out, which `gemmgrad ab` tells. */
typedef struct gg_measured {
    const char *name;
    int (*open)(void *context, int again); /* get ready, and unless `again` check that run computes what it should;
                                            * 0, or another number for a failure; NULL: nothing to do */
    int (*run)(void *context);             /* one repetition; 0, or another number for a failure */
    void (*close)(void *context);          /* NULL: nothing to do */
    void *context;
    void (*before)(void *context); /* called before each repetition, outside of its time, as to empty the caches; NULL:
                                    * nothing to do, and a sample's repetitions are timed in a row */
} gg_measured;

typedef struct gg_measured_program {
    const gg_measured *cases;
    int count;
    const char *about;        /* version and settings, one line */
    const char *(*why)(void); /* a sentence about the last failure; NULL: there is none */
} gg_measured_program;

/* Answer requests from standard input until it ends; returns 0, for main. The one who asks stops and continues this
 * process, so it must not have children or threads that cannot bear that. Not thread-safe. */
static inline int gg_measure_serve(const gg_measured_program *program);

/* ---- how ---- */

/* Seconds of a clock that does not go back, where there is one. With -std=c99 and no _POSIX_C_SOURCE it is that of the
 * day, in microseconds. */
static inline double gg_measure_now(void)
{
#if defined(CLOCK_MONOTONIC) || defined(TIME_UTC)
    struct timespec now;
#ifdef CLOCK_MONOTONIC
    clock_gettime(CLOCK_MONOTONIC, &now);
#else
    timespec_get(&now, TIME_UTC);
#endif
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
#else
    struct timeval now;
    gettimeofday(&now, NULL);
    return (double)now.tv_sec + 1e-6 * (double)now.tv_usec;
#endif
}

/* From start to now; a clock of the day may have been set back meanwhile. */
static inline double gg_measure_since(double start)
{
    const double seconds = gg_measure_now() - start;
    return seconds > 0.0 ? seconds : 0.0;
}

/* Seconds of a repetition, the mean of `count`, at most 25, each timed alone: what comes before may take far longer.
 * Below 0 when one failed. */
static inline double gg_measure_apart(const gg_measured *c, long count)
{
    double seconds = 0.0;
    count = count < 25 ? count : 25;
    for (long i = 0; i < count; i++) {
        c->before(c->context);
        const double start = gg_measure_now();
        if (c->run(c->context) != 0)
            return -1.0;
        seconds += gg_measure_since(start);
    }
    return seconds / (double)count;
}

/* The same over `count` in a row. */
static inline double gg_measure_seconds(const gg_measured *c, long count)
{
    if (c->before != NULL)
        return gg_measure_apart(c, count);
    const double start = gg_measure_now();
    for (long i = 0; i < count; i++)
        if (c->run(c->context) != 0)
            return -1.0;
    return gg_measure_since(start) / (double)count;
}

/* Two milliseconds, and at least so many turns: threads that slept are awake, caches are filled. The fastest; turns of
 * more and more repetitions, until the clock's own step is nothing beside them. */
static inline double gg_measure_warm_up(const gg_measured *c, int fewest)
{
    double fastest = 1e300;
    long count = 1;
    int growing = 1;
    const double start = gg_measure_now();
    for (int i = 0; i < fewest || growing || gg_measure_since(start) < 2e-3; i++) {
        const double seconds = gg_measure_seconds(c, count);
        if (seconds < 0.0)
            return seconds;
        growing = c->before == NULL && seconds * (double)count < 1e-4;
        count = growing ? 2 * count : count;
        fastest = !growing && seconds < fastest ? seconds : fastest;
    }
    return fastest;
}

static inline void gg_measure_answer(const gg_measured_program *program, double seconds)
{
    if (seconds >= 0.0)
        printf("ok %.9g\n", seconds > 1e-12 ? seconds : 1e-12);
    else
        printf("error %.300s\n", program->why != NULL ? program->why() : "the case failed");
}

static inline void gg_measure_close(const gg_measured **open)
{
    if (*open != NULL && (*open)->close != NULL)
        (*open)->close((*open)->context);
    *open = NULL;
}

static inline void gg_measure_open(const gg_measured_program *program, const gg_measured **open, const char *name,
                                   int again)
{
    gg_measure_close(open);
    for (int i = 0; i < program->count; i++)
        if (strcmp(program->cases[i].name, name) == 0)
            *open = &program->cases[i];
    if (*open == NULL) {
        printf("error there is no case %.100s\n", name);
        return;
    }
    const int failed = (*open)->open != NULL ? (*open)->open((*open)->context, again) : 0;
    const double seconds = failed == 0 ? gg_measure_warm_up(*open, 3) : -1.0;
    gg_measure_answer(program, seconds);
    if (failed != 0)
        *open = NULL; /* what did not open needs no closing */
    else if (seconds < 0.0)
        gg_measure_close(open);
}

static inline void gg_measure_take(const gg_measured_program *program, const gg_measured *open, const char *text)
{
    const long count = strtol(text, NULL, 10);
    if (open == NULL || count < 1)
        printf("error %s\n", open == NULL ? "no case is open" : "take wants a number above 0");
    else
        gg_measure_answer(program, gg_measure_warm_up(open, 1) < 0.0 ? -1.0 : gg_measure_seconds(open, count));
}

static inline void gg_measure_names(const gg_measured_program *program)
{
    for (int i = 0; i < program->count; i++) {
        const char *name = program->cases[i].name;
        if (name[0] == '\0' || strpbrk(name, " \t\r\n") != NULL) {
            printf("error the name of case %d is empty or has blanks: '%.*s'\n", i + 1, (int)strcspn(name, "\r\n"),
                   name);
            return;
        }
    }
    printf("ok");
    for (int i = 0; i < program->count; i++)
        printf(" %s", program->cases[i].name);
    printf("\n");
}

static inline int gg_measure_serve(const gg_measured_program *program)
{
    char line[256];
    const gg_measured *open = NULL;
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line + strcspn(line, " ");
        if (*rest != '\0')
            *rest++ = '\0';
        if (strcmp(line, "hello") == 0)
            printf("ok " GG_MEASURE_HELLO "\n");
        else if (strcmp(line, "about") == 0)
            printf("ok %s\n", program->about);
        else if (strcmp(line, "names") == 0)
            gg_measure_names(program);
        else if (strcmp(line, "open") == 0 || strcmp(line, "open-again") == 0)
            gg_measure_open(program, &open, rest, strcmp(line, "open-again") == 0);
        else if (strcmp(line, "take") == 0)
            gg_measure_take(program, open, rest);
        else if (strcmp(line, "close") == 0) {
            gg_measure_close(&open);
            printf("ok\n");
        } else
            printf("error unknown request '%.40s'\n", line);
        fflush(stdout);
    }
    gg_measure_close(&open);
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
