/* ab.c - which program measures what, and when. */
#include "ab.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bench_random.h"
#include "interrupt.h"
#include "machine.h"
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

/* Each name of `own` that is chosen: a case when `other` has it too. */
static void take_cases(ab_run *run, char *own, const char *other)
{
    char *rest = NULL;
    for (char *name = strtok_r(own, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        if (!is_chosen(&run->settings, name))
            continue;
        const bool common = gg_has_word(other, name), fits = strlen(name) < BENCH_NAME_BYTES;
        run->only_base += !common;
        run->long_names += common && !fits;
        if (common && fits)
            strcpy(run->cases[run->count++].name, name);
    }
}

static int count_missing(const ab_run *run, char *own, const char *other)
{
    int missing = 0;
    char *rest = NULL;
    for (char *name = strtok_r(own, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest))
        missing += is_chosen(&run->settings, name) && !gg_has_word(other, name);
    return missing;
}

/* Programs need not know "about". */
static gg_status ask_about(char **names, char about[256], const ab_side *side, int threads)
{
    ab_child child;
    const char *answer = NULL;
    gg_status status = ab_child_start(&child, side, threads);
    if (status == GG_OK)
        status = ab_child_ask(&child, &answer, "names");
    if (status == GG_OK)
        status = ab_copy_answer(names, answer);
    const gg_status told = status == GG_OK ? ab_child_ask(&child, &answer, "about") : status;
    if (told == GG_OK)
        snprintf(about, 256, "%s", answer);
    ab_child_stop(&child);
    return told == GG_ERR_NUMERIC ? status : told;
}

static gg_status choose_cases(ab_run *run, char *base, char *fresh)
{
    void *memory = NULL;
    char *copy = NULL;
    gg_status status = gg_alloc_zero(&memory, (size_t)(count_words(base) + 1) * sizeof *run->cases);
    if (status == GG_OK)
        status = ab_copy_answer(&copy, base);
    run->cases = memory;
    if (status != GG_OK)
        return status;
    take_cases(run, copy, fresh);
    gg_free(copy);
    run->only_new = count_missing(run, fresh, base);
    if (run->count == 0 && run->long_names > 0)
        return gg_fail(GG_ERR_ARGUMENT, "the names of all %d cases chosen are longer than %d characters",
                       run->long_names, BENCH_NAME_BYTES - 1);
    return run->count > 0 ? GG_OK : gg_fail(GG_ERR_ARGUMENT, "no case that both programs have is chosen");
}

gg_status ab_prepare(ab_run *run)
{
    ab_settings *s = &run->settings;
    char *base = NULL, *fresh = NULL;
    ab_side_find(&s->base);
    ab_side_find(&s->fresh);
    gg_status status = ab_side_check_blas(&s->base);
    if (status == GG_OK)
        status = ab_side_check_blas(&s->fresh);
    if (status == GG_OK)
        status = ask_about(&base, run->about_base, &s->base, s->threads);
    if (status == GG_OK)
        status = ask_about(&fresh, run->about_new, &s->fresh, s->threads);
    if (status == GG_OK)
        status = choose_cases(run, base, fresh);
    gg_free(base);
    gg_free(fresh);
    return status;
}

void ab_free(ab_run *run)
{
    gg_free(run->cases);
}

/* ---- one case in one generation ---- */

/* A case may fail in one program and not in the other, which is asked all the same. */
static gg_status note_failure(ab_case *c, int process, gg_status status)
{
    if (status != GG_ERR_NUMERIC)
        return status;
    if (c->error[0] == '\0')
        snprintf(c->error, sizeof c->error, "%.250s", gg_error_message());
    c->failed_base = c->failed_base || process == AB_BASE || process == AB_BASE_2;
    c->failed_new = c->failed_new || process == AB_NEW || process == AB_NEW_2;
    return GG_OK;
}

/* Open it in all four; how many repetitions make a sample. */
static gg_status open_case(ab_case *c, ab_child children[AB_PROCESSES], bench_random *random)
{
    const char *request = c->iterations == 0 ? "open" : "open-again";
    int order[AB_PROCESSES];
    double slowest = 0.0;
    bench_random_order(random, order, AB_PROCESSES);
    for (int i = 0; i < AB_PROCESSES; i++) {
        double seconds = 0.0;
        gg_status status = ab_child_ask_seconds(&children[order[i]], &seconds, "%s %s", request, c->name);
        status = note_failure(c, order[i], status);
        if (status != GG_OK)
            return status;
        slowest = fmax(slowest, seconds);
    }
    if (c->iterations == 0 && slowest > 0.0)
        c->iterations = (long)ceil(SAMPLE / slowest);
    return GG_OK;
}

static gg_status take_turn(ab_case *c, ab_child children[AB_PROCESSES], int turn, bench_random *random)
{
    const int at = c->samples.generations * AB_TURNS + turn;
    int order[AB_PROCESSES];
    bench_random_order(random, order, AB_PROCESSES);
    for (int i = 0; i < AB_PROCESSES; i++) {
        double seconds = 1.0;
        gg_status status = ab_child_ask_seconds(&children[order[i]], &seconds, "take %ld", c->iterations);
        status = note_failure(c, order[i], status);
        if (status != GG_OK)
            return status;
        c->samples.log_seconds[order[i]][at] = log(seconds);
    }
    return GG_OK;
}

static gg_status measure_case(ab_case *c, ab_child children[AB_PROCESSES], bench_random *random)
{
    const char *answer = NULL;
    gg_status status = open_case(c, children, random);
    for (int turn = 0; turn < AB_TURNS && status == GG_OK && c->error[0] == '\0' && !gg_interrupted(); turn++)
        status = take_turn(c, children, turn, random);
    for (int i = 0; i < AB_PROCESSES && status == GG_OK; i++)
        status = note_failure(c, i, ab_child_ask(&children[i], &answer, "close"));
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
    c->done = c->error[0] != '\0';
    if (gg_interrupted())
        return GG_OK; /* the generation is not complete */
    if (status != GG_OK) {
        snprintf(run->error, sizeof run->error, "%.400s (in case %.96s)", gg_error_message(), c->name);
        return status;
    }
    if (c->done)
        return GG_OK;
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
    if (status != GG_OK && !gg_interrupted())
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
