/* bench_command.c - the verb bench: which cases, how thoroughly, and where the results go. */
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_cold.h"
#include "bench_load.h"
#include "bench_report.h"
#include "commands.h"
#include "interrupt.h"
#include "machine.h"
#include "options.h"
#include "outputs.h"
#include "serve.h"

static const char USAGE[] =
    "usage: gemmgrad bench [--suite kernels|layers|training|all] [--filter REGEX] [--threads N,N,...]\n"
    "                      [--json FILE] [--min-time S] [--repetitions N] [--cold] [--quick] [--no-raw] [--list]\n"
    "                      [--serve]\n"
    "\n"
    "Times kernels, layers and training steps, each beside the raw cblas_sgemm calls of the same shapes,\n"
    "in random turns. Every case is compared with plain loops in double first. A sample is the mean of as\n"
    "many repetitions in a row as the clock needs.\n"
    "\n"
    "  --suite NAME       one suite only [all]\n"
    "  --filter REGEX     only names that match this extended regular expression (see --list)\n"
    "  --threads N,N,...  threads of a call, ours and raw; with several numbers every case is measured with each\n"
    "                     [OMP_NUM_THREADS, else all CPUs]\n"
    "  --json FILE        all samples and results in google-benchmark's schema; - is standard output,\n"
    "                     and the table then goes to stderr\n"
    "  --min-time S       seconds that the samples of a row take together, at least [0.03; quick 0.003]\n"
    "  --repetitions N    samples of a row [21; quick 5, of long cases no fewer than 3]\n"
    "  --cold             everything once more from cold caches: data flushed before each sample, which is\n"
    "                     then one repetition\n"
    "  --quick            all cases but the largest convolutions, recurrent layers, attention and training steps,\n"
    "                     in less than a minute\n"
    "  --no-raw           leave the raw calls out\n"
    "  --peer NAME,...    torch, numpy: the same work there, in the same turns, where they have it\n"
    "  --python PROGRAM   a Python that has them [/usr/bin/python3]\n"
    "  --peers FOLDER     where the scripts NAME_peers.py are [as installed]\n"
    "  --list             print the names and stop\n"
    "  --serve            answer the requests of gemmgrad ab on standard input (gemmgrad/measure.h)\n"
    "  --help             this text\n"
    "\n"
    "Exit codes: 0 done, 1 a case failed its check or a file could not be written, 2 wrong usage.\n";

enum option_code {
    SUITE = GG_LONG_ONLY,
    FILTER,
    THREADS,
    JSON,
    MIN_TIME,
    REPETITIONS,
    COLD,
    QUICK,
    NO_RAW,
    PEER,
    PYTHON,
    PEERS,
    LIST,
    SERVE
};

static const struct option options[] = {
    {"suite", required_argument, NULL, SUITE},
    {"filter", required_argument, NULL, FILTER},
    {"threads", required_argument, NULL, THREADS},
    {"json", required_argument, NULL, JSON},
    {"min-time", required_argument, NULL, MIN_TIME},
    {"repetitions", required_argument, NULL, REPETITIONS},
    {"cold", no_argument, NULL, COLD},
    {"quick", no_argument, NULL, QUICK},
    {"no-raw", no_argument, NULL, NO_RAW},
    {"peer", required_argument, NULL, PEER},
    {"python", required_argument, NULL, PYTHON},
    {"peers", required_argument, NULL, PEERS},
    {"list", no_argument, NULL, LIST},
    {"serve", no_argument, NULL, SERVE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* The command line; 0 stands for what was not given. */
typedef struct choices {
    const char *suite, *filter_text, *json, *python, *peers;
    char peer_names[BENCH_MOST_PEERS][16];
    int peer_count;
    regex_t filter;
    int threads[BENCH_MOST_THREAD_COUNTS], thread_counts;
    int64_t repetitions;
    double min_time;
    bool cold, quick, no_raw, list, serve, help;
} choices;

/* ---- the command line ---- */

static bool parse_suite(choices *out, const char *text)
{
    static const char *const suites[] = {"kernels", "layers", "training", "all"};
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (strcmp(text, suites[i]) == 0) {
            out->suite = suites[i];
            return true;
        }
    gg_usage_error("bench", "--suite '%s': expected kernels, layers, training or all", text);
    return false;
}

/* In rising order: what a file tells of its run must not depend on how the command line was written. */
static void insert_threads(choices *out, int threads)
{
    int at = out->thread_counts++;
    for (; at > 0 && out->threads[at - 1] > threads; at--)
        out->threads[at] = out->threads[at - 1];
    out->threads[at] = threads;
}

/* Numbers between commas, each once. */
static bool parse_threads(choices *out, const char *text)
{
    char number[16];
    out->thread_counts = 0;
    for (const char *at = text; at != NULL; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        const size_t length = strcspn(at, ",");
        int64_t threads = 0;
        snprintf(number, sizeof number, "%.*s", (int)(length < sizeof number ? length : sizeof number - 1), at);
        if (!gg_parse_integer(&threads, "bench", "threads", number, 1, 1024))
            return false;
        for (int i = 0; i < out->thread_counts; i++)
            if (out->threads[i] == (int)threads) {
                gg_usage_error("bench", "--threads '%s': %d stands there twice", text, (int)threads);
                return false;
            }
        if (out->thread_counts == BENCH_MOST_THREAD_COUNTS) {
            gg_usage_error("bench", "--threads '%s': at most %d numbers", text, BENCH_MOST_THREAD_COUNTS);
            return false;
        }
        insert_threads(out, (int)threads);
    }
    return true;
}

static bool parse_peers(choices *out, const char *text)
{
    out->peer_count = 0;
    for (const char *at = text; at != NULL; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        const size_t length = strcspn(at, ",");
        const bool known = length == 5 && (strncmp(at, "torch", 5) == 0 || strncmp(at, "numpy", 5) == 0);
        if (!known || out->peer_count == BENCH_MOST_PEERS) {
            gg_usage_error("bench", "--peer '%s': expected torch, numpy or both", text);
            return false;
        }
        snprintf(out->peer_names[out->peer_count++], sizeof *out->peer_names, "%.*s", (int)length, at);
    }
    return true;
}

static bool parse_one(choices *out, int code, const char *value)
{
    switch (code) {
    case SUITE: return parse_suite(out, value);
    case FILTER: return gg_parse_filter(&out->filter, &out->filter_text, "bench", value);
    case THREADS: return parse_threads(out, value);
    case JSON: out->json = value; return true;
    case MIN_TIME: return gg_parse_positive(&out->min_time, "bench", "min-time", value, 3600.0);
    case REPETITIONS: return gg_parse_integer(&out->repetitions, "bench", "repetitions", value, 1, 100000);
    case COLD: out->cold = true; return true;
    case QUICK: out->quick = true; return true;
    case NO_RAW: out->no_raw = true; return true;
    case PEER: return parse_peers(out, value);
    case PYTHON: out->python = value; return true;
    case PEERS: out->peers = value; return true;
    case LIST: out->list = true; return true;
    case SERVE: out->serve = true; return true;
    default: out->help = true; return true;
    }
}

static int parse(choices *out, int argc, char **argv)
{
    int answer;
    *out = (choices){.suite = "all", .python = "/usr/bin/python3", .peers = BENCH_PEERS};
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == '?' || answer == ':')
            return gg_option_error("bench", answer, argv, options);
        if (!parse_one(out, answer, optarg))
            return GG_EXIT_USAGE;
    }
    if (optind < argc)
        return gg_usage_error("bench", "unexpected argument '%s'; bench takes only options", argv[optind]);
    return GG_EXIT_DONE;
}

/* ---- which cases ---- */

static bool name_matches(const choices *chosen, const char *name)
{
    return chosen->filter_text == NULL || regexec(&chosen->filter, name, 0, NULL, 0) == 0;
}

static bool suite_matches(const choices *chosen, const bench_case *line)
{
    return strcmp(chosen->suite, "all") == 0 || strcmp(chosen->suite, line->suite) == 0;
}

static bool variant_wanted(const choices *chosen, const bench_case *line, int variant)
{
    char name[BENCH_NAME_BYTES];
    bench_case_name(name, line, line->kind->variants[variant].name);
    return bench_case_has(line, variant) && suite_matches(chosen, line) && name_matches(chosen, name);
}

/* By --quick. */
static bool left_out(const choices *chosen, const bench_case *line)
{
    return chosen->quick && line->kind->too_long != NULL && line->kind->too_long(line);
}

static int no_case(const choices *chosen)
{
    return gg_usage_error("bench", "no case of suite %s matches --filter '%s'%s; --list prints all names",
                          chosen->suite, chosen->filter_text != NULL ? chosen->filter_text : "",
                          chosen->quick ? " and is short enough for --quick" : "");
}

static int list_names(const choices *chosen)
{
    int count, listed = 0;
    const bench_case *lines = bench_cases(&count);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < bench_case_variants(&lines[i]); j++)
            if (variant_wanted(chosen, &lines[i], j) && !left_out(chosen, &lines[i])) {
                char name[BENCH_NAME_BYTES];
                bench_case_name(name, &lines[i], lines[i].kind->variants[j].name);
                puts(name);
                listed++;
            }
    return listed > 0 ? GG_EXIT_DONE : no_case(chosen);
}

static gg_status add_variants(bench_result *result, const choices *chosen, bool cold, const bench_settings *settings)
{
    const bench_case *line = result->line;
    gg_status status = GG_OK;
    int wanted = 0;
    for (int i = 0; i < bench_case_variants(line) && status == GG_OK; i++)
        if (variant_wanted(chosen, line, i)) {
            status = bench_result_add(result, i, cold, settings);
            wanted++;
        }
    if (status == GG_OK && wanted > 0 && line->kind->has_raw && settings->raw)
        status = bench_result_add(result, -1, cold, settings);
    return status;
}

static gg_status add_result(bench_run *run, const choices *chosen, const bench_case *line, int which_threads)
{
    bench_result *result = &run->results[run->count];
    *result = (bench_result){
        .line = line, .threads = run->settings.threads[which_threads], .ceilings = &run->ceilings[which_threads]};
    gg_status status = add_variants(result, chosen, false, &run->settings);
    for (int i = 0; i < run->settings.peer_count && status == GG_OK && result->series_count > 0; i++)
        if (result->series[0].variant == 0)
            status = bench_result_add_peer(result, &run->settings.peers[i], &run->settings);
    if (status == GG_OK && run->settings.cold)
        status = add_variants(result, chosen, true, &run->settings);
    run->count += result->series_count > 0;
    return status;
}

static gg_status select_cases(bench_run *run, const choices *chosen)
{
    int count;
    void *memory;
    const bench_case *lines = bench_cases(&count);
    const int counts = run->settings.thread_counts;
    gg_status status = gg_alloc(&memory, (size_t)count * (size_t)counts * sizeof *run->results);
    if (status == GG_OK)
        run->results = memory;
    for (int i = 0; i < count * counts && status == GG_OK; i++)
        if (!left_out(chosen, &lines[i / counts]))
            status = add_result(run, chosen, &lines[i / counts], i % counts);
    return status;
}

/* ---- the run ---- */

static void free_run(bench_run *run)
{
    for (int i = 0; i < run->count; i++)
        bench_result_free(&run->results[i]);
    gg_free(run->results);
    gg_free(run->settings.peers);
}

/* A bar, the case and the time left, on a terminal alone. */
static void show_progress(const bench_run *run, int done, const bench_result *now, double start)
{
    enum { WIDTH = 24 };
    const int all = run->settings.visits * run->count, full = WIDTH * done / all;
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K[%.*s%.*s] %3d%% ", full, "########################", WIDTH - full,
            "........................", 100 * done / all);
    if (done > 0)
        fprintf(stderr, "%4.0f s left  ", (gg_seconds_now() - start) * (all - done) / done);
    fprintf(stderr, "%.60s", now->series[0].name);
}

/* A look at the machine with each number of threads, from number `first` on. */
static gg_status look(bench_run *run, int first)
{
    gg_status status = GG_OK;
    for (int i = first; i < run->settings.thread_counts && status == GG_OK; i++) {
        run->ceilings[i].threads = run->settings.threads[i];
        status = gg_set_threads(run->settings.threads[i]);
        if (status == GG_OK)
            bench_ceilings_look(&run->ceilings[i]);
    }
    return status;
}

/* After an interrupt: what was not reached is no result. */
static void drop_empty(bench_run *run)
{
    int kept = 0;
    for (int i = 0; i < run->count; i++) {
        if (run->results[i].status == GG_OK && !bench_result_measured(&run->results[i]))
            bench_result_free(&run->results[i]);
        else
            run->results[kept++] = run->results[i];
    }
    run->count = kept;
}

/* What the peers compute in their turns is no disturbance. */
static bench_load load_now(const bench_run *run)
{
    bench_load load = bench_load_now();
    for (int i = 0; i < run->settings.peer_count; i++)
        load.own += bench_peer_cpu_seconds(&run->settings.peers[i]);
    return load;
}

/* Every case once in each visit, in an order drawn anew. */
static gg_status visit_all(bench_run *run)
{
    bench_random random = {.state = 20261122};
    void *memory;
    gg_status status = gg_alloc(&memory, (size_t)run->count * sizeof(int));
    if (status != GG_OK)
        return status;
    int *order = memory;
    const bench_load start = load_now(run);
    run->ceilings[0].threads = run->settings.threads[0];
    bench_ceilings_note(&run->ceilings[0], run->machine.fma_peak_gflops, run->machine.memory_gbps);
    status = look(run, 1);
    for (int visit = 0; visit < run->settings.visits && status == GG_OK; visit++) {
        bench_random_order(&random, order, run->count);
        for (int i = 0; i < run->count && status == GG_OK && !gg_interrupted(); i++) {
            show_progress(run, visit * run->count + i, &run->results[order[i]], start.wall);
            bench_visit(&run->results[order[i]], &run->settings, &random);
            if (run->settings.visits == 1 && i == run->count / 2)
                status = look(run, 0);
        }
        if (gg_interrupted() || status != GG_OK)
            break;
        status = look(run, 0);
    }
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    const bench_load end = load_now(run);
    run->foreign_cpus = bench_load_foreign(&start, &end);
    gg_free(memory);
    drop_empty(run);
    return status;
}

static bool has_samples(const bench_run *run)
{
    for (int i = 0; i < run->count; i++)
        if (bench_result_measured(&run->results[i]))
            return true;
    return false;
}

static int report(const bench_run *run, const choices *chosen)
{
    const bool to_stdout = chosen->json != NULL && strcmp(chosen->json, "-") == 0;
    FILE *out = to_stdout ? stderr : stdout;
    int failures = 0;
    gg_environment_print(out, &run->machine);
    bench_report_print(out, run);
    fflush(out);
    for (int i = 0; i < run->count; i++)
        failures += run->results[i].status != GG_OK;
    if (failures > 0)
        fprintf(stderr, "gemmgrad bench: %d of %d cases FAILED; the table says why\n", failures, run->count);
    if (chosen->json != NULL && gg_output_json(chosen->json, bench_report_json(run, "gemmgrad bench")) != GG_OK)
        return gg_failure("bench");
    gg_environment_warn();
    if (gg_interrupted()) {
        fprintf(stderr, "gemmgrad bench: interrupted; what was measured until then is above%s\n",
                chosen->json != NULL ? " and in the file" : "");
        return GG_EXIT_FAILED;
    }
    return failures > 0 ? GG_EXIT_FAILED : GG_EXIT_DONE;
}

/* With --quick: seconds for the samples of a case, and how many each of its rows gets in any case. */
static const double QUICK_SECONDS = 0.15;
enum { QUICK_SAMPLES = 5, QUICK_FEWEST = 3 };

static bench_settings settings_for(const choices *chosen)
{
    const int64_t repetitions = chosen->repetitions > 0 ? chosen->repetitions : chosen->quick ? QUICK_SAMPLES : 21;
    const bool hurried = chosen->quick && chosen->repetitions == 0 && !(chosen->min_time > 0.0);
    const double min_time = chosen->min_time > 0.0 ? chosen->min_time : chosen->quick ? 0.003 : 0.03;
    bench_settings settings = {
        .threads = {gg_threads()},
        .thread_counts = 1,
        .repetitions = (int)repetitions,
        .visits = chosen->quick || repetitions < 3 ? 1 : 3,
        .case_seconds = hurried ? QUICK_SECONDS : (double)INFINITY,
        .fewest = QUICK_FEWEST,
        .patience = chosen->quick ? 2.0 : 5.0,
        .min_time = min_time,
        .raw = !chosen->no_raw && bench_raw_found(),
        .cold = chosen->cold,
    };
    if (chosen->thread_counts > 0) {
        memcpy(settings.threads, chosen->threads, sizeof settings.threads);
        settings.thread_counts = chosen->thread_counts;
    }
    return settings;
}

static int measure_selected(bench_run *run, const choices *chosen)
{
    if (run->count == 0)
        return no_case(chosen);
    gg_catch_interrupts();
    if (gg_environment_measure(&run->machine) != GG_OK || visit_all(run) != GG_OK)
        return gg_failure("bench");
    if (gg_interrupted() && !has_samples(run)) {
        fprintf(stderr, "gemmgrad bench: interrupted before anything was measured%s\n",
                chosen->json != NULL ? "; no file was written" : "");
        return GG_EXIT_FAILED;
    }
    return report(run, chosen);
}

static gg_status start_peers(bench_run *run, const choices *chosen)
{
    void *memory;
    gg_status status = gg_alloc(&memory, BENCH_MOST_PEERS * sizeof *run->settings.peers);
    if (status == GG_OK)
        run->settings.peers = memory;
    while (status == GG_OK && run->settings.peer_count < chosen->peer_count) {
        const int i = run->settings.peer_count;
        status = bench_peer_start(&run->settings.peers[i], chosen->peer_names[i], chosen->python, chosen->peers,
                                  run->settings.threads[0]);
        run->settings.peer_count += status == GG_OK;
    }
    return status;
}

static int measure(const choices *chosen)
{
    bench_run run = {.settings = settings_for(chosen)};
    gg_status status = chosen->peer_count > 0 ? start_peers(&run, chosen) : GG_OK;
    if (status == GG_OK)
        status = select_cases(&run, chosen);
    const int code = status == GG_OK ? measure_selected(&run, chosen) : gg_failure("bench");
    for (int i = 0; i < run.settings.peer_count; i++)
        bench_peer_stop(&run.settings.peers[i]);
    free_run(&run);
    return code;
}

static bool check_cold(const choices *chosen)
{
    const bool possible = !chosen->cold || bench_cold_possible();
    if (!possible)
        gg_usage_error("bench", "--cold: this CPU has no instruction that empties a cache line");
    return possible;
}

static int prepare_and_measure(const choices *chosen)
{
    if (chosen->thread_counts > 0 && gg_set_threads(chosen->threads[0]) != GG_OK)
        return gg_failure("bench");
    if (chosen->peer_count > 0 && chosen->thread_counts > 1)
        return gg_usage_error("bench", "--peer goes with one number of threads");
    if (!check_cold(chosen))
        return GG_EXIT_USAGE;
    const bool to_file = chosen->json != NULL && strcmp(chosen->json, "-") != 0;
    if (to_file && gg_output_check("--json", chosen->json, true) != GG_OK)
        return gg_failure("bench");
    if (!bench_raw_start(gg_threads()))
        fprintf(stderr, "note: no raw calls, for cblas_sgemm is not to be found (a BLAS linked statically?)\n");
    return measure(chosen);
}

int gg_command_bench(int argc, char **argv)
{
    choices chosen;
    int code = parse(&chosen, argc, argv);
    if (code == GG_EXIT_DONE && chosen.help)
        fputs(USAGE, stdout);
    else if (code == GG_EXIT_DONE && chosen.list)
        code = list_names(&chosen);
    else if (code == GG_EXIT_DONE && chosen.serve)
        code = check_cold(&chosen) ? bench_serve(chosen.threads[0], chosen.quick, chosen.cold) : GG_EXIT_USAGE;
    else if (code == GG_EXIT_DONE)
        code = prepare_and_measure(&chosen);
    if (chosen.filter_text != NULL)
        regfree(&chosen.filter);
    return code;
}
