/* ab.c - which program measures what, and when. */
#include "ab.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bench_random.h"
#include "interrupt.h"
#include "machine.h"
#include "serve.h"
#include "words.h"

/* Long against the clock and against a thread's waking, short against a machine's drift. */
static const double SAMPLE = 4e-3;

/* ---- the cases ---- */

static bool is_chosen(const ab_settings *s, const char *name)
{
    const size_t length = strlen(s->suite);
    const bool suite = strcmp(s->suite, "all") == 0 || (strncmp(name, s->suite, length) == 0 && name[length] == '/');
    return suite && (s->filter == NULL || regexec(s->filter, name, 0, NULL, 0) == 0);
}

static int count_words(const char *text)
{
    int words = text[0] != '\0';
    for (; *text != '\0'; text++)
        words += *text == ' ';
    return words;
}

/* Each name of `own` that is chosen: a case when `other` has it too. Returns how many it has not. */
static int take_names(ab_run *run, char *own, const char *other, bool add)
{
    int missing = 0;
    char *rest = NULL;
    for (char *name = strtok_r(own, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        if (!is_chosen(&run->settings, name))
            continue;
        const bool common = gg_has_word(other, name);
        missing += !common;
        if (common && add && strlen(name) < BENCH_NAME_BYTES)
            strcpy(run->cases[run->count++].name, name);
    }
    return missing;
}

static gg_status ask_names(char names[BENCH_SERVE_BYTES], const ab_side *side, int threads)
{
    ab_child child;
    gg_status status = ab_child_start(&child, side, threads);
    if (status == GG_OK)
        status = ab_child_ask(&child, names, BENCH_SERVE_BYTES, "names");
    ab_child_stop(&child);
    return status;
}

gg_status ab_prepare(ab_run *run)
{
    static char base[BENCH_SERVE_BYTES], fresh[BENCH_SERVE_BYTES], copy[BENCH_SERVE_BYTES];
    void *memory = NULL;
    gg_status status = ask_names(base, &run->settings.base, run->settings.threads);
    if (status == GG_OK)
        status = ask_names(fresh, &run->settings.fresh, run->settings.threads);
    if (status == GG_OK)
        status = gg_alloc_zero(&memory, (size_t)(count_words(base) + 1) * sizeof *run->cases);
    if (status != GG_OK)
        return status;
    run->cases = memory;
    memcpy(copy, base, sizeof copy);
    run->only_base = take_names(run, copy, fresh, true);
    memcpy(copy, fresh, sizeof copy);
    run->only_new = take_names(run, copy, base, false);
    return run->count > 0 ? GG_OK : gg_fail(GG_ERR_ARGUMENT, "no case that both programs have is chosen");
}

void ab_free(ab_run *run)
{
    gg_free(run->cases);
}

/* ---- one case in one generation ---- */

/* Open it in all four; how many repetitions make a sample. */
static gg_status open_case(ab_case *c, ab_child children[AB_PROCESSES], bench_random *random)
{
    const char *request = c->iterations == 0 ? "open" : "open-again";
    int order[AB_PROCESSES];
    double slowest = 0.0;
    bench_random_order(random, order, AB_PROCESSES);
    for (int i = 0; i < AB_PROCESSES; i++) {
        double seconds = 0.0;
        const gg_status status = ab_child_ask_seconds(&children[order[i]], &seconds, "%s %s", request, c->name);
        if (status != GG_OK)
            return status;
        slowest = fmax(slowest, seconds);
    }
    if (c->iterations == 0)
        c->iterations = (long)ceil(SAMPLE / slowest);
    return GG_OK;
}

static gg_status take_turn(ab_case *c, ab_child children[AB_PROCESSES], int turn, bench_random *random)
{
    const int at = c->samples.generations * AB_TURNS + turn;
    int order[AB_PROCESSES];
    bench_random_order(random, order, AB_PROCESSES);
    for (int i = 0; i < AB_PROCESSES; i++) {
        double seconds = 0.0;
        const gg_status status = ab_child_ask_seconds(&children[order[i]], &seconds, "take %ld", c->iterations);
        if (status != GG_OK)
            return status;
        c->samples.log_seconds[order[i]][at] = log(seconds);
    }
    return GG_OK;
}

static gg_status measure_case(ab_case *c, ab_child children[AB_PROCESSES], bench_random *random)
{
    char answer[8];
    gg_status status = open_case(c, children, random);
    for (int turn = 0; turn < AB_TURNS && status == GG_OK && !gg_interrupted(); turn++)
        status = take_turn(c, children, turn, random);
    for (int i = 0; i < AB_PROCESSES && status == GG_OK; i++)
        status = ab_child_ask(&children[i], answer, sizeof answer, "close");
    return status;
}

/* ---- generations ---- */

static void show_progress(const ab_run *run, int generation, int done, const char *name)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Kround %d, case %d of %d: %.60s", generation + 1, done + 1, run->count, name);
}

/* In random order too: who starts first may be dealt the better memory. */
static gg_status start_all(ab_child children[AB_PROCESSES], const ab_settings *s, bench_random *random)
{
    const ab_side *sides[] = {
        [AB_BASE] = &s->base, [AB_BASE_2] = &s->base, [AB_NEW] = &s->fresh, [AB_NEW_2] = &s->fresh};
    int order[AB_PROCESSES];
    gg_status status = GG_OK;
    bench_random_order(random, order, AB_PROCESSES);
    for (int i = 0; i < AB_PROCESSES; i++)
        children[i] = (ab_child){.side = sides[i]};
    for (int i = 0; i < AB_PROCESSES && status == GG_OK; i++)
        status = ab_child_start(&children[order[i]], sides[order[i]], s->threads);
    return status;
}

static void judge(const ab_run *run, ab_case *c)
{
    const ab_demands demands = {run->settings.floor, run->settings.precision, run->count};
    c->judgement = ab_judge(&c->samples, &demands);
}

/* A case that fails its check in one program is out; a program that ends takes the run with it. */
static gg_status note(ab_run *run, ab_case *c, gg_status status)
{
    if (status == GG_ERR_NUMERIC) {
        snprintf(c->error, sizeof c->error, "%.250s", gg_error_message());
        c->done = true;
        return GG_OK;
    }
    if (status != GG_OK) {
        snprintf(run->error, sizeof run->error, "%.400s (in case %.96s)", gg_error_message(), c->name);
        return status;
    }
    if (gg_interrupted())
        return GG_OK; /* the generation is not complete */
    c->samples.generations++;
    if (!ab_is_look(c->samples.generations) && c->samples.generations < AB_MOST_GENERATIONS)
        return GG_OK;
    judge(run, c);
    c->done = ab_decided(&c->judgement, c->samples.generations, run->settings.precision);
    return GG_OK;
}

static gg_status run_generation(ab_run *run, int generation, int *order, bench_random *random)
{
    ab_child children[AB_PROCESSES];
    gg_status status = start_all(children, &run->settings, random);
    if (status != GG_OK)
        snprintf(run->error, sizeof run->error, "%s", gg_error_message());
    bench_random_order(random, order, run->count);
    for (int i = 0; i < run->count && status == GG_OK && !gg_interrupted(); i++) {
        ab_case *c = &run->cases[order[i]];
        if (c->done)
            continue;
        show_progress(run, generation, i, c->name);
        status = note(run, c, measure_case(c, children, random));
    }
    for (int i = 0; i < AB_PROCESSES; i++)
        ab_child_stop(&children[i]);
    return status;
}

static bool all_done(const ab_run *run)
{
    for (int i = 0; i < run->count; i++)
        if (!run->cases[i].done)
            return false;
    return true;
}

void ab_measure(ab_run *run)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    void *order = NULL;
    bench_random random = {.state = 20261125};
    const double end = gg_seconds_now() + run->settings.seconds * run->count;
    if (gg_alloc(&order, (size_t)run->count * sizeof(int)) != GG_OK) {
        snprintf(run->error, sizeof run->error, "%s", gg_error_message());
        return;
    }
    sigaction(SIGPIPE, &ignore, &before); /* a program that has ended is found out by its answer */
    for (int g = 0; g < AB_MOST_GENERATIONS && !all_done(run) && !gg_interrupted(); g++) {
        if (g >= AB_FEWEST_GENERATIONS && gg_seconds_now() > end)
            break;
        if (run_generation(run, g, order, &random) != GG_OK)
            break;
    }
    sigaction(SIGPIPE, &before, NULL);
    for (int i = 0; i < run->count; i++)
        if (!run->cases[i].done)
            judge(run, &run->cases[i]);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    run->interrupted = gg_interrupted();
    gg_free(order);
}
