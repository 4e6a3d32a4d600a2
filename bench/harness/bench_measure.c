/* bench_measure.c - samples in interleaved order. */
#include "bench_measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench_check.h"
#include "bench_cold.h"
#include "bench_stats.h"
#include "interrupt.h"
#include "machine.h"

/* The clock's own step and call stay below a thousandth of this. */
static const double SHORTEST_SAMPLE = 50e-6;

/* A visit starts with cold caches and sleeping threads: each variant runs twice, and for so long without a thread
 * taken from its CPU, before it counts. Threads that wake together may share a CPU for a tenth of a second. */
static const double WARM_UP = 1e-3;

/* A repetition that takes this long is all of that at once. A short one does too where the system takes the CPU away;
 * hardly twice, and never for so long as the second. */
static const double LONG_REPETITION = 20e-3, LONG_IN_ANY_CASE = 0.2;

/* But on a busy machine that never happens: seconds that the run spent waiting for it so far. */
static double waited;

/* How long idle threads spin before they sleep: OpenBLAS's own up to 2^26 cycles, libgomp's a few milliseconds. */
static const double THREADS_REST = 0.03;

/* And before a peer's turn: our own that wait for work sleep by then. */
static const double PEERS_REST = 0.01;

/* Samples in a row from one variant where changing it costs THREADS_REST. */
enum { ROUNDS_BETWEEN_RESTS = 7 };

const bench_series *bench_result_raw(const bench_result *result, bool cold)
{
    for (int i = 0; i < result->series_count; i++)
        if (result->series[i].variant == BENCH_RAW && result->series[i].cold == cold && result->series[i].count > 0)
            return &result->series[i];
    return NULL;
}

bool bench_result_measured(const bench_result *result)
{
    for (int i = 0; i < result->series_count; i++)
        if (result->series[i].count > 0)
            return true;
    return false;
}

/* Over the rounds that both took part in: after an interrupt one may have a sample more. */
static double ratio_of(const bench_series *above, const bench_series *below)
{
    const int rounds = above->count < below->count ? above->count : below->count;
    return rounds > 0 ? bench_paired_ratio(above->real, below->real, rounds) : (double)NAN;
}

double bench_result_ratio(const bench_result *result, const bench_series *series)
{
    const bench_series *raw = bench_result_raw(result, series->cold);
    return raw != NULL ? ratio_of(raw, series) : NAN;
}

const bench_series *bench_result_alternative(double *ratio, const bench_result *result, bool cold)
{
    const bench_series *chosen = NULL, *best = NULL;
    *ratio = NAN;
    for (int i = 0; i < result->series_count && result->line->kind->chooses; i++) {
        const bench_series *series = &result->series[i];
        if (series->cold != cold || series->variant < 0 || series->count == 0)
            continue;
        if (series->variant == 0) {
            chosen = series;
            continue;
        }
        if (strcmp(result->line->kind->variants[series->variant].name, result->label) == 0)
            continue; /* what was chosen, by its name */
        const double here = chosen != NULL ? ratio_of(series, chosen) : (double)NAN;
        if (here < *ratio || (best == NULL && isfinite(here))) {
            best = series;
            *ratio = here;
        }
    }
    return best;
}

gg_status bench_result_add(bench_result *result, int variant, bool cold, const bench_settings *settings)
{
    bench_series *series = &result->series[result->series_count];
    void *memory;
    const gg_status status = gg_alloc(&memory, 2 * (size_t)settings->repetitions * sizeof(double));
    if (status != GG_OK)
        return status;
    *series = (bench_series){.variant = variant, .cold = cold, .first_call = (double)NAN, .real = memory};
    series->cpu = series->real + settings->repetitions;
    bench_case_name(series->name, result->line,
                    variant == BENCH_RAW ? "raw" : result->line->kind->variants[variant].name);
    const size_t length = strlen(series->name), room = sizeof series->name - length;
    if (settings->thread_counts > 1)
        snprintf(series->name + length, room, "%s/threads:%d", cold ? "/cold" : "", result->threads);
    else
        snprintf(series->name + length, room, "%s", cold ? "/cold" : "");
    result->series_count++;
    return GG_OK;
}

gg_status bench_result_add_peer(bench_result *result, bench_peer *peer, const bench_settings *settings)
{
    char name[BENCH_NAME_BYTES], own[BENCH_NAME_BYTES];
    bench_case_name(name, result->line, result->line->kind->variants[0].name);
    if (!bench_peer_has(peer, name, own, sizeof own))
        return GG_OK;
    const gg_status status = bench_result_add(result, BENCH_RAW, false, settings);
    if (status != GG_OK)
        return status;
    bench_series *series = &result->series[result->series_count - 1];
    series->variant = BENCH_PEER;
    series->peer = peer;
    memcpy(series->peer_case, own, sizeof own);
    snprintf(series->name, sizeof series->name, "%.80s/%.14s", name, peer->name);
    return GG_OK;
}

double bench_result_peer_ratio(const bench_result *result, const bench_peer *peer)
{
    for (int i = 0; i < result->series_count; i++) {
        const bench_series *series = &result->series[i];
        if (series->peer == peer && series->count == result->series[0].count && series->count > 0)
            return bench_paired_ratio(series->real, result->series[0].real, series->count);
    }
    return NAN;
}

void bench_result_free(bench_result *result)
{
    for (int i = 0; i < result->series_count; i++)
        gg_free(result->series[i].real);
}

/* ---- one sample ---- */

static double process_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static gg_status run_once(bench_work *work, int variant)
{
    if (variant >= 0)
        return work->line->kind->variants[variant].run(work);
    if (work->line->kind->raw != NULL)
        return work->line->kind->raw(work);
    for (int i = 0; i < work->raw_count; i++)
        bench_raw_run(&work->raw[i]);
    return GG_OK;
}

/* Repetitions at most between two looks for an interrupt: of the shortest, 10 us; the look takes a nanosecond. */
enum { LOOKS = 256, MOST_UNSEEN = 1024 };

/* Seconds of so many repetitions; NaN when one failed. An interrupt ends it early, and the seconds mean nothing. */
static double time_repetitions(bench_work *work, int variant, int64_t iterations)
{
    const int64_t stretch = iterations < LOOKS * MOST_UNSEEN ? iterations / LOOKS + 1 : MOST_UNSEEN;
    gg_status status = GG_OK;
    const double start = gg_seconds_now();
    for (int64_t done = 0; done < iterations && !gg_interrupted() && status == GG_OK; done += stretch) {
        const int64_t end = done + stretch < iterations ? done + stretch : iterations;
        for (int64_t i = done; i < end && status == GG_OK; i++)
            status = run_once(work, variant);
    }
    const double end = gg_seconds_now();
    return status == GG_OK ? end - start : (double)NAN;
}

/* Awake: after a sleep of all threads some schedulers start them together on one CPU and take long to part them. */
static void rest_for(double seconds)
{
    const double end = gg_seconds_now() + seconds;
    while (gg_seconds_now() < end)
        continue;
}

/* A peer that fails is out of this case: what it gave until then is dropped. */
static void drop_peer(bench_series *series)
{
    fprintf(stderr, "\nnote: %s: %s\n", series->name, gg_error_message());
    series->peer_case[0] = '\0';
    series->count = 0;
}

static void take_from_peer(bench_series *series, int64_t iterations)
{
    double seconds = 0.0;
    if (series->peer_case[0] == '\0')
        return;
    rest_for(PEERS_REST);
    const gg_status status = bench_peer_take(series->peer, (long)iterations, &seconds);
    if (gg_interrupted())
        return; /* the peer may have been interrupted as well */
    if (status != GG_OK) {
        drop_peer(series);
        return;
    }
    series->real[series->count] = series->cpu[series->count] = seconds;
    series->count++;
}

static void open_peers(bench_result *result)
{
    for (int i = 0; i < result->series_count; i++) {
        bench_series *series = &result->series[i];
        double seconds = 0.0;
        if (series->variant == BENCH_PEER && series->peer_case[0] != '\0'
            && bench_peer_open(series->peer, series->peer_case, &seconds) != GG_OK)
            drop_peer(series);
    }
}

static void take_sample(bench_work *work, bench_series *series, int64_t warm_iterations)
{
    const int64_t iterations = series->cold ? 1 : warm_iterations;
    if (series->variant == BENCH_PEER) {
        take_from_peer(series, iterations);
        return;
    }
    if (series->cold)
        bench_cold_flush(work);
    const uint64_t allocations = gg_allocation_count();
    const double cpu = process_seconds();
    series->real[series->count] = time_repetitions(work, series->variant, iterations) / (double)iterations;
    series->cpu[series->count] = (process_seconds() - cpu) / (double)iterations;
    if (gg_interrupted())
        return;
    series->count++;
    series->allocations += gg_allocation_count() - allocations;
}

/* ---- a visit ---- */

static void enter(const bench_series *series)
{
    static bool was_raw;
    const bool is_raw = series->variant == BENCH_RAW;
    if (bench_raw_own_threads() && is_raw != was_raw)
        rest_for(THREADS_REST);
    was_raw = is_raw;
    if (is_raw)
        bench_raw_enter();
}

static void leave(const bench_series *series)
{
    if (series->variant == BENCH_RAW)
        bench_raw_leave();
}

/* How often the system took a CPU from one of our threads. */
static long preemptions(void)
{
#ifdef __linux__
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        return usage.ru_nivcsw;
#endif
    return 0;
}

/* Run the variant until it is warm; seconds of its fastest repetition. `before` is what one took already, NaN where
 * none was timed. */
static double warm_up(bench_work *work, int variant, double before, const bench_settings *settings)
{
    const double start = gg_seconds_now();
    double calm = start, fastest = INFINITY, now = start;
    long seen = preemptions();
    int64_t iterations = 1;
    for (int runs = 0; (runs < 2 || now - calm < WARM_UP) && !gg_interrupted(); runs++) {
        const double seconds = time_repetitions(work, variant, iterations);
        fastest = fmin(fastest, seconds / (double)iterations);
        if (fastest >= (before >= LONG_REPETITION ? LONG_REPETITION : LONG_IN_ANY_CASE))
            break;
        /* Past the clock's own step, for short ones. */
        iterations = seconds < 0.1 * WARM_UP ? 2 * iterations : iterations;
        now = gg_seconds_now();
        if (preemptions() != seen && waited + now - start < settings->patience)
            calm = now;
        seen = preemptions();
    }
    waited += calm - start;
    return fastest;
}

static int64_t iterations_for(double seconds, const bench_settings *settings)
{
    const double wanted = fmax(SHORTEST_SAMPLE, settings->min_time / settings->repetitions);
    return (int64_t)fmax(1.0, ceil(wanted / fmax(seconds, 1e-9)));
}

/* Seconds that a round takes. The raw calls do the same work: what it took us tells of them as well. */
static double warm_up_all(bench_result *result, bench_work *work, const bench_settings *settings)
{
    double fastest = NAN, sum = 0.0;
    for (int i = 0; i < result->series_count; i++) {
        bench_series *series = &result->series[i];
        if (series->variant == BENCH_PEER)
            continue;
        enter(series);
        series->warm = warm_up(work, series->variant, series->variant >= 0 ? series->first_call : fastest, settings);
        leave(series);
        fastest = fmin(fastest, series->warm); /* of NaN and a number the number */
        sum += series->warm;
    }
    if (result->iterations == 0)
        result->iterations = iterations_for(fastest, settings);
    return sum * (double)result->iterations;
}

/* Of so many rounds, those that should fit into the seconds for a case. */
static int affordable(int rounds, double seconds_of_one, const bench_settings *settings)
{
    const double allowed = floor(settings->case_seconds / seconds_of_one);
    if (!(allowed < (double)rounds) || rounds <= settings->fewest)
        return rounds;
    return allowed > (double)settings->fewest ? (int)allowed : settings->fewest;
}

/* So many rounds, or fewer where the seconds for a case are over; `seconds_of_one` is what a round should take. */
static gg_status take_rounds(bench_result *result, bench_work *work, const bench_settings *settings, int rounds,
                             double seconds_of_one, bench_random *random)
{
    const int burst = bench_raw_own_threads() ? affordable(ROUNDS_BETWEEN_RESTS, seconds_of_one, settings) : 1;
    const double end = gg_seconds_now() + settings->case_seconds;
    int order[BENCH_MOST_SERIES];
    bool behind_peer = false;
    for (int done = 0; done < rounds && !gg_interrupted(); done += burst) {
        if (done >= settings->fewest && gg_seconds_now() >= end)
            break;
        const int samples = rounds - done < burst ? rounds - done : burst;
        bench_random_order(random, order, result->series_count);
        for (int i = 0; i < result->series_count; i++) {
            bench_series *series = &result->series[order[i]];
            const bool is_peer = series->variant == BENCH_PEER;
            enter(series);
            /* A peer has emptied the caches and warms up itself before its samples. */
            if (!is_peer && (behind_peer || (burst > 1 && series->warm < LONG_REPETITION)))
                (void)warm_up(work, series->variant, series->warm, settings);
            behind_peer = is_peer;
            for (int j = 0; j < samples && !gg_interrupted(); j++)
                take_sample(work, series, result->iterations);
            leave(series);
            if (series->count > 0 && isnan(series->real[series->count - 1]))
                return GG_ERR_INTERNAL;
        }
    }
    return GG_OK;
}

static gg_status check(bench_result *result, bench_work *work)
{
    gg_status status = GG_OK;
    for (int i = 0; i < result->series_count && status == GG_OK; i++)
        if (result->series[i].variant >= 0)
            status = bench_check(work, result->series[i].variant);
    return status;
}

/* Before anything else of the case has run: plans are made, scratch is taken, code is read from disk. */
static gg_status call_first(bench_result *result, bench_work *work)
{
    for (int i = 0; i < result->series_count; i++) {
        bench_series *series = &result->series[i];
        if (series->variant < 0 || series->cold)
            continue;
        series->first_call = time_repetitions(work, series->variant, 1);
        if (isnan(series->first_call))
            return GG_ERR_INTERNAL;
    }
    return GG_OK;
}

/* A training step changes what it is checked by: there the check comes first, and no call is the first. */
static gg_status check_and_call(bench_result *result, bench_work *work)
{
    gg_status status = work->model == NULL ? call_first(result, work) : GG_OK;
    return status == GG_OK ? check(result, work) : status;
}

static gg_status use_threads(int threads)
{
    if (threads == gg_threads())
        return GG_OK;
    const gg_status status = gg_set_threads(threads);
    if (status == GG_OK)
        bench_raw_start(threads);
    return status;
}

static void note_failure(bench_result *result, gg_status status)
{
    result->status = status;
    snprintf(result->message, sizeof result->message, "%s", gg_error_message());
}

void bench_visit(bench_result *result, const bench_settings *settings, bench_random *random)
{
    bench_work work;
    if (result->status != GG_OK)
        return;
    const int before = settings->repetitions * result->visits / settings->visits;
    const int after = settings->repetitions * (result->visits + 1) / settings->visits;
    gg_status status = use_threads(result->threads);
    if (status == GG_OK)
        status = bench_work_open(&work, result->line);
    if (status != GG_OK) {
        note_failure(result, status);
        return;
    }
    memcpy(result->label, work.label, sizeof result->label);
    if (result->visits == 0)
        status = check_and_call(result, &work);
    if (status == GG_OK && !gg_interrupted()) {
        open_peers(result);
        const double round = warm_up_all(result, &work, settings);
        status = take_rounds(result, &work, settings, after - before, round, random);
    }
    if (status != GG_OK)
        note_failure(result, status);
    result->visits++;
    bench_work_close(&work);
}
