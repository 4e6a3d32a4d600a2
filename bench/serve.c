/* serve.c - answers to the lines of serve.h. */
#include "serve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_check.h"
#include "commands.h"
#include "machine.h"
#include "options.h"

typedef struct server {
    bench_work work;
    int variant;
    bool open;
} server;

/* Seconds that a case runs before it counts, and at most how long it may take to get there. */
static const double WARM_UP = 2e-3;

static void answer_failure(void)
{
    char text[512];
    snprintf(text, sizeof text, "%s", gg_error_message());
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '\n' ? ' ' : *at;
    printf("error %s\n", text);
}

/* Seconds of a repetition over `count` in a row; NaN when one failed. */
static double seconds_of(server *s, long count)
{
    gg_status (*run)(bench_work *) = s->work.line->kind->variants[s->variant].run;
    gg_status status = GG_OK;
    const double start = gg_seconds_now();
    for (long i = 0; i < count && status == GG_OK; i++)
        status = run(&s->work);
    return status == GG_OK ? (gg_seconds_now() - start) / (double)count : (double)NAN;
}

/* Threads that slept are awake and caches are filled: the fastest of a few runs. */
static double warm_up(server *s)
{
    const double end = gg_seconds_now() + WARM_UP;
    double fastest = INFINITY;
    for (int i = 0; i < 3 || gg_seconds_now() < end; i++) {
        const double seconds = seconds_of(s, 1);
        if (isnan(seconds))
            return seconds;
        fastest = fmin(fastest, seconds);
    }
    return fastest;
}

static void close_case(server *s)
{
    if (s->open)
        bench_work_close(&s->work);
    s->open = false;
}

static bool find_case(server *s, const char *name, const bench_case **found)
{
    int count;
    char own[BENCH_NAME_BYTES];
    const bench_case *lines = bench_cases(&count);
    for (int i = 0; i < count; i++)
        for (s->variant = 0; s->variant < bench_case_variants(&lines[i]); s->variant++) {
            bench_case_name(own, &lines[i], lines[i].kind->variants[s->variant].name);
            *found = &lines[i];
            if (strcmp(own, name) == 0)
                return true;
        }
    return false;
}

static void open_case(server *s, const char *name, bool checked)
{
    const bench_case *line;
    close_case(s);
    if (!find_case(s, name, &line)) {
        printf("error there is no case %s\n", name);
        return;
    }
    gg_status status = bench_work_open(&s->work, line);
    s->open = status == GG_OK;
    if (status == GG_OK && checked)
        status = line->kind->check != NULL ? line->kind->check(&s->work, s->variant)
                                           : bench_check_products(&s->work, s->variant);
    const double seconds = status == GG_OK ? warm_up(s) : (double)NAN;
    if (isfinite(seconds)) {
        printf("ok %.9g\n", seconds);
        return;
    }
    answer_failure();
    close_case(s);
}

static void take(server *s, const char *text)
{
    char *end;
    const long count = strtol(text, &end, 10);
    if (!s->open || *end != '\0' || count < 1) {
        printf("error %s\n", s->open ? "take wants a number above 0" : "no case is open");
        return;
    }
    double seconds = warm_up(s);
    if (!isnan(seconds))
        seconds = seconds_of(s, count);
    if (isnan(seconds))
        answer_failure();
    else
        printf("ok %.9g\n", seconds);
}

static void name_all(void)
{
    int count;
    const bench_case *lines = bench_cases(&count);
    printf("ok");
    for (int i = 0; i < count; i++)
        for (int j = 0; j < bench_case_variants(&lines[i]); j++) {
            char name[BENCH_NAME_BYTES];
            bench_case_name(name, &lines[i], lines[i].kind->variants[j].name);
            printf(" %s", name);
        }
    printf("\n");
}

static void answer(server *s, char *line)
{
    char *rest = line + strcspn(line, " ");
    if (*rest != '\0')
        *rest++ = '\0';
    if (strcmp(line, "hello") == 0)
        printf("ok %s\n", BENCH_SERVE_HELLO);
    else if (strcmp(line, "names") == 0)
        name_all();
    else if (strcmp(line, "about") == 0)
        printf("ok gemmgrad %s\n", gg_version());
    else if (strcmp(line, "open") == 0 || strcmp(line, "open-again") == 0)
        open_case(s, rest, strcmp(line, "open") == 0);
    else if (strcmp(line, "take") == 0)
        take(s, rest);
    else if (strcmp(line, "close") == 0) {
        close_case(s);
        printf("ok\n");
    } else
        printf("error unknown request '%.40s'\n", line);
    fflush(stdout);
}

int bench_serve(int threads)
{
    char line[256];
    server s = {.open = false};
    if (threads > 0 && gg_set_threads(threads) != GG_OK)
        return gg_failure("bench");
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        answer(&s, line);
    }
    close_case(&s);
    return GG_EXIT_DONE;
}
