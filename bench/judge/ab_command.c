/* ab_command.c - the verb ab: the command line, the table, the JSON. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "ab.h"
#include "commands.h"
#include "environment.h"
#include "interrupt.h"
#include "options.h"
#include "outputs.h"

static const char USAGE[] =
    "usage: gemmgrad ab --base PROGRAM [--env NAME=VALUE]... [--blas LIBRARY]\n"
    "                   --new PROGRAM [--env NAME=VALUE]... [--blas LIBRARY]\n"
    "                   [--suite kernels|layers|training|all] [--filter REGEX] [--threads N] [--time S]\n"
    "                   [--precision PERCENT] [--least-effect PERCENT] [--patience S] [--cold] [--quick]\n"
    "                   [--json FILE] [--list]\n"
    "\n"
    "Measures two builds of gemmgrad in random turns, each in two processes of its own that are stopped while\n"
    "another runs. All four are started anew at least 12 times, and until the answer is sure or time is over.\n"
    "\n"
    "  --base, --new PROGRAM  the two builds; the same one twice to compare settings. A name without a slash is\n"
    "                         looked for in PATH, then here\n"
    "  --env NAME=VALUE       a variable of the environment, for the program named last\n"
    "  --blas LIBRARY         another BLAS, with cblas_sgemm, for the program named last (LD_PRELOAD)\n"
    "  --suite, --filter      which cases, as in gemmgrad bench\n"
    "  --threads N            threads of both\n"
    "  --time S               seconds for each case, about, and at least 12 starts (some 2.5 s) [5]\n"
    "  --precision PERCENT    an interval is narrow enough when it reaches so far to either side [1]\n"
    "  --least-effect PERCENT changes below this never count [0.5]\n"
    "  --patience S           a program that is silent for so long has failed [120]\n"
    "  --cold, --quick        as in gemmgrad bench: data out of the caches; without the longest cases\n"
    "  --json FILE            ratios, intervals, verdicts and all samples; - is standard output\n"
    "  --list                 only print the cases that both have\n"
    "  --help                 this text\n"
    "\n"
    "The other options of gemmgrad bench have no meaning here: --time stands for --min-time and --repetitions.\n"
    "\n"
    "slower, faster: the interval of the ratio new / base excludes 1, and the ratio exceeds the change that the\n"
    "programs show against themselves. same: a change larger than that, or than the precision, is excluded.\n"
    "Otherwise the case is too noisy to tell. All intervals of a table hold together with 99 %.\n"
    "\n"
    "Exit codes: 0 nothing is slower, 1 something is, or fails in the new build alone, 2 wrong usage, or no\n"
    "judgement: a program that ends, an interrupt, no case that works in both, every case too noisy. A case that\n"
    "fails in the base alone is repaired.\n";

enum option_code {
    BASE = GG_LONG_ONLY,
    NEW,
    ENV,
    BLAS,
    SUITE,
    FILTER,
    THREADS,
    TIME,
    PRECISION,
    LEAST_EFFECT,
    PATIENCE,
    COLD,
    QUICK,
    JSON,
    LIST
};

static const struct option options[] = {
    {"base", required_argument, NULL, BASE},
    {"new", required_argument, NULL, NEW},
    {"env", required_argument, NULL, ENV},
    {"blas", required_argument, NULL, BLAS},
    {"suite", required_argument, NULL, SUITE},
    {"filter", required_argument, NULL, FILTER},
    {"threads", required_argument, NULL, THREADS},
    {"time", required_argument, NULL, TIME},
    {"precision", required_argument, NULL, PRECISION},
    {"least-effect", required_argument, NULL, LEAST_EFFECT},
    {"patience", required_argument, NULL, PATIENCE},
    {"cold", no_argument, NULL, COLD},
    {"quick", no_argument, NULL, QUICK},
    {"json", required_argument, NULL, JSON},
    {"list", no_argument, NULL, LIST},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct choices {
    ab_settings settings;
    ab_side *last; /* the program named last */
    regex_t filter;
    bool list, help;
    const char *json, *filter_text;
} choices;

/* ---- the command line ---- */

static bool wrong(const char *format, const char *text)
{
    gg_usage_error("ab", format, text);
    return false;
}

static bool parse_side(choices *out, ab_side *side, const char *program)
{
    side->program = program;
    out->last = side;
    return true;
}

static bool parse_variable(choices *out, const char *text)
{
    if (out->last == NULL)
        return wrong("--env '%s' stands before --base and --new: it belongs to the program named last", text);
    if (strchr(text, '=') == NULL || text[0] == '=')
        return wrong("--env '%s': expected NAME=VALUE", text);
    if (out->last->variable_count == AB_MOST_VARIABLES)
        return wrong("--env '%s': too many for one program", text);
    out->last->variables[out->last->variable_count++] = text;
    return true;
}

static bool parse_blas(choices *out, const char *library)
{
    if (out->last == NULL)
        return wrong("--blas '%s' stands before --base and --new: it belongs to the program named last", library);
    out->last->blas = library;
    return true;
}

static bool parse_suite(choices *out, const char *text)
{
    if (strcmp(text, "kernels") != 0 && strcmp(text, "layers") != 0 && strcmp(text, "training") != 0
        && strcmp(text, "all") != 0)
        return wrong("--suite '%s': expected kernels, layers, training or all", text);
    out->settings.suite = text;
    return true;
}

static bool parse_percent(double *out, const char *option, const char *text)
{
    double percent = 0.0;
    if (!gg_parse_positive(&percent, "ab", option, text, 1000.0))
        return false;
    *out = 0.01 * percent;
    return true;
}

static bool parse_one(choices *out, int code, const char *value)
{
    int64_t threads = 0;
    switch (code) {
    case BASE: return parse_side(out, &out->settings.base, value);
    case NEW: return parse_side(out, &out->settings.fresh, value);
    case ENV: return parse_variable(out, value);
    case BLAS: return parse_blas(out, value);
    case SUITE: return parse_suite(out, value);
    case FILTER:
        if (!gg_parse_filter(&out->filter, &out->filter_text, "ab", value))
            return false;
        out->settings.filter = &out->filter;
        return true;
    case THREADS:
        if (!gg_parse_integer(&threads, "ab", "threads", value, 1, 1024))
            return false;
        out->settings.threads = (int)threads;
        return true;
    case TIME: return gg_parse_positive(&out->settings.seconds, "ab", "time", value, 3600.0);
    case PRECISION: return parse_percent(&out->settings.precision, "precision", value);
    case LEAST_EFFECT: return parse_percent(&out->settings.floor, "least-effect", value);
    case PATIENCE: return gg_parse_positive(&out->settings.base.patience, "ab", "patience", value, 86400.0);
    case COLD: out->settings.base.cold = true; return true;
    case QUICK: out->settings.base.quick = true; return true;
    case JSON: out->json = value; return true;
    case LIST: out->list = true; return true;
    default: out->help = true; return true;
    }
}

static int parse(choices *out, int argc, char **argv)
{
    int answer;
    *out = (choices){.settings = {.base = {.name = "--base", .patience = 120.0},
                                  .fresh = {.name = "--new"},
                                  .suite = "all",
                                  .seconds = 5.0,
                                  .precision = 0.01,
                                  .floor = 0.005}};
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == '?' || answer == ':')
            return gg_option_error("ab", answer, argv, options);
        if (!parse_one(out, answer, optarg))
            return GG_EXIT_USAGE;
    }
    if (optind < argc)
        return gg_usage_error("ab", "unexpected argument '%s'; ab takes only options", argv[optind]);
    ab_side *base = &out->settings.base, *fresh = &out->settings.fresh; /* these hold for both */
    fresh->patience = base->patience;
    fresh->cold = base->cold;
    fresh->quick = base->quick;
    if (!out->help && (out->settings.base.program == NULL || out->settings.fresh.program == NULL))
        return gg_usage_error("ab", "%s is missing", out->settings.base.program == NULL ? "--base" : "--new");
    return GG_EXIT_DONE;
}

/* ---- results ---- */

static const char *failure_name(const ab_case *c)
{
    if (c->failed_base)
        return c->failed_new ? "failed in both" : "repaired, failed in base";
    return "FAILED in new";
}

static void print_row(FILE *out, const ab_case *c, int width)
{
    const ab_judgement *j = &c->judgement;
    if (c->error[0] != '\0')
        fprintf(out, "%-*s %s: %s\n", width, c->name, failure_name(c), c->error);
    else if (c->samples.generations == 0)
        fprintf(out, "%-*s not measured\n", width, c->name);
    else if (c->samples.generations < AB_FEWEST_GENERATIONS)
        fprintf(out, "%-*s only %d starts of at least %d\n", width, c->name, c->samples.generations,
                AB_FEWEST_GENERATIONS);
    else
        fprintf(out, "%-*s %8.4f  [%.4f, %.4f] %6.2f%% %6d  %s\n", width, c->name, j->ratio, j->interval.low,
                j->interval.high, 100.0 * j->least_effect, c->samples.generations, ab_verdict_name(j->verdict));
}

static int count_verdict(const ab_run *run, ab_verdict verdict)
{
    int count = 0;
    for (int i = 0; i < run->count; i++)
        count += run->cases[i].error[0] == '\0' && run->cases[i].judgement.verdict == verdict
                 && run->cases[i].samples.generations > 0;
    return count;
}

static int count_failed(const ab_run *run, bool in_base, bool in_new)
{
    int count = 0;
    for (int i = 0; i < run->count; i++) {
        const ab_case *c = &run->cases[i];
        count += c->error[0] != '\0' && c->failed_base == in_base && c->failed_new == in_new;
    }
    return count;
}

/* All that makes it different from the other one. */
static void print_side(FILE *out, const char *name, const ab_side *side, const char *about)
{
    fprintf(out, "%s %s", name, side->program);
    for (int i = 0; i < side->variable_count; i++)
        fprintf(out, " --env %s", side->variables[i]);
    if (side->blas != NULL)
        fprintf(out, " --blas %s", side->blas);
    if (about[0] != '\0')
        fprintf(out, " (%s)", about);
    fprintf(out, "\n");
}

static void print_table(FILE *out, const ab_run *run)
{
    int width = 4;
    for (int i = 0; i < run->count; i++)
        width = (int)strlen(run->cases[i].name) > width ? (int)strlen(run->cases[i].name) : width;
    print_side(out, "base", &run->settings.base, run->about_base);
    print_side(out, "new ", &run->settings.fresh, run->about_new);
    fprintf(out, "%-*s %8s  %-16s %7s %6s  verdict\n", width, "case", "new/base", "99% interval", "least", "starts");
    for (int i = 0; i < run->count; i++)
        print_row(out, &run->cases[i], width);
    fprintf(
        out,
        "\n%d slower, %d faster, %d same, %d too noisy, %d failed in new, %d repaired, %d failed in both; least: the\n"
        "change that the programs show against themselves\n",
        count_verdict(run, AB_SLOWER), count_verdict(run, AB_FASTER), count_verdict(run, AB_SAME),
        count_verdict(run, AB_NOISY), count_failed(run, false, true), count_failed(run, true, false),
        count_failed(run, true, true));
    if (run->only_base + run->only_new > 0)
        fprintf(out, "not compared: %d cases only in base, %d only in new\n", run->only_base, run->only_new);
    if (run->long_names > 0)
        fprintf(out, "not compared: %d cases whose names are longer than %d characters\n", run->long_names,
                BENCH_NAME_BYTES - 1);
}

static json_t *seconds_of(const double *logarithms, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, gg_json_number(exp(logarithms[i])));
    return list;
}

static json_t *seconds_json(const ab_samples *s)
{
    const char *const names[] = {[AB_BASE] = "base", [AB_BASE_2] = "base_2", [AB_NEW] = "new", [AB_NEW_2] = "new_2"};
    json_t *lists = json_object();
    for (int i = 0; i < AB_PROCESSES; i++)
        json_object_set_new(lists, names[i], seconds_of(s->log_seconds[i], s->generations * AB_TURNS));
    return lists;
}

/* JSON holds only UTF-8, and programs may answer any bytes: where some are none, all beyond ASCII become '?'. */
static json_t *text_json(const char *text)
{
    char plain[1024];
    json_t *whole = json_string(text);
    if (whole != NULL)
        return whole;
    (void)snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c != '\0'; c++)
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    return json_string(plain);
}

static json_t *case_json(const ab_case *c)
{
    const ab_judgement *j = &c->judgement;
    if (c->error[0] != '\0')
        return json_pack("{s:o, s:o, s:b, s:b}", "name", text_json(c->name), "error", text_json(c->error),
                         "failed_base", c->failed_base, "failed_new", c->failed_new);
    return json_pack("{s:o, s:s, s:o, s:[o, o], s:o, s:i, s:i, s:o}", "name", text_json(c->name), "verdict",
                     ab_verdict_name(j->verdict), "ratio", gg_json_number(j->ratio), "interval",
                     gg_json_number(j->interval.low), gg_json_number(j->interval.high), "least_effect",
                     gg_json_number(j->least_effect), "generations", c->samples.generations, "turns", AB_TURNS,
                     "seconds", seconds_json(&c->samples));
}

static json_t *side_json(const ab_side *side, const char *about)
{
    json_t *variables = json_array();
    for (int i = 0; i < side->variable_count; i++)
        json_array_append_new(variables, text_json(side->variables[i]));
    return json_pack("{s:o, s:o, s:o, s:o}", "program", text_json(side->program), "env", variables, "blas",
                     side->blas != NULL ? text_json(side->blas) : json_null(), "about",
                     about[0] != '\0' ? text_json(about) : json_null());
}

static json_t *run_json(const ab_run *run)
{
    char date[32];
    struct tm utc;
    const time_t now = time(NULL);
    const ab_settings *s = &run->settings;
    json_t *list = json_array();
    for (int i = 0; i < run->count; i++)
        json_array_append_new(list, case_json(&run->cases[i]));
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S+00:00", gmtime_r(&now, &utc));
    json_t *threads = s->threads > 0 ? json_integer(s->threads) : json_null(); /* each program's own default */
    return json_pack("{s:s, s:o, s:o, s:o, s:i, s:i, s:i, s:b, s:o, s:o}", "date", date, "threads", threads, "base",
                     side_json(&s->base, run->about_base), "new", side_json(&s->fresh, run->about_new), "only_base",
                     run->only_base, "only_new", run->only_new, "long_names", run->long_names, "interrupted",
                     run->interrupted, "error", text_json(run->error), "cases", list);
}

static int judge(const ab_run *run)
{
    const int noisy = count_verdict(run, AB_NOISY), slower = count_verdict(run, AB_SLOWER);
    const int judged = slower + count_verdict(run, AB_FASTER) + count_verdict(run, AB_SAME);
    if (run->error[0] != '\0')
        fprintf(stderr, "gemmgrad ab: %s; what was measured until then is in the table\n", run->error);
    if (run->interrupted)
        fprintf(stderr, "gemmgrad ab: interrupted; what was measured until then is in the table\n");
    if (slower > 0 || count_failed(run, false, true) > 0)
        return GG_EXIT_FAILED;
    if (judged == 0 && noisy > 0)
        fprintf(stderr, "gemmgrad ab: every case is too noisy; a longer --time may help\n");
    else if (judged == 0 && run->error[0] == '\0' && !run->interrupted)
        fprintf(stderr, "gemmgrad ab: no case works in both programs\n");
    return run->error[0] != '\0' || run->interrupted || judged == 0 ? GG_EXIT_USAGE : GG_EXIT_DONE;
}

static int measure(choices *chosen)
{
    ab_run run = {.settings = chosen->settings};
    const bool to_stdout = chosen->json != NULL && strcmp(chosen->json, "-") == 0;
    if (chosen->json != NULL && !to_stdout && gg_output_check("--json", chosen->json, true) != GG_OK) {
        gg_failure("ab");
        return GG_EXIT_USAGE;
    }
    gg_catch_interrupts();
    if (ab_prepare(&run) != GG_OK) {
        gg_failure("ab");
        ab_free(&run);
        return GG_EXIT_USAGE;
    }
    if (chosen->list) {
        for (int i = 0; i < run.count; i++)
            printf("%s\n", run.cases[i].name);
        ab_free(&run);
        return GG_EXIT_DONE;
    }
    ab_measure(&run);
    print_table(to_stdout ? stderr : stdout, &run);
    int code = judge(&run);
    if (chosen->json != NULL && gg_output_json(chosen->json, run_json(&run)) != GG_OK) {
        gg_failure("ab");
        code = GG_EXIT_USAGE;
    }
    ab_free(&run);
    return code;
}

int gg_command_ab(int argc, char **argv)
{
    choices chosen;
    int code = parse(&chosen, argc, argv);
    if (code == GG_EXIT_DONE && chosen.help)
        fputs(USAGE, stdout);
    else if (code == GG_EXIT_DONE)
        code = measure(&chosen);
    if (chosen.filter_text != NULL)
        regfree(&chosen.filter);
    return code;
}
