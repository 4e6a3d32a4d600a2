/* compare_command.c - the verb compare: what to compare, whether it can be, and where the verdicts go. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "compare_report.h"
#include "options.h"
#include "outputs.h"

static const char USAGE[] =
    "usage: gemmgrad compare BASE.json NEW.json [--threshold PERCENT] [--alpha A] [--filter REGEX]\n"
    "                        [--json FILE] [--markdown FILE] [--any-machine]\n"
    "\n"
    "Compares two result files of 'gemmgrad bench --json', or of any google-benchmark program that kept its\n"
    "repetitions: for each case the ratio new / base of the median times. A case is\n"
    "\n"
    "  slower     when p < alpha (Mann-Whitney U test, corrected by Holm for the number of cases), the 95 %\n"
    "             bootstrap interval of the ratio lies above 1, and the ratio is beyond the threshold\n"
    "  faster     likewise, in the other direction\n"
    "  same       when the whole interval lies within the threshold on both sides\n"
    "  too noisy  otherwise: a change of the size of the threshold can neither be shown nor excluded, or one\n"
    "             side has fewer than five samples\n"
    "\n"
    "A case that fails in NEW alone counts as slower; those in one file alone are listed.\n"
    "\n"
    "  --threshold PERCENT  changes below it are of no interest [3]\n"
    "  --alpha A            chance of any false alarm in the whole comparison, at most [0.01]\n"
    "  --filter REGEX       only names that match this extended regular expression\n"
    "  --json FILE          all figures as JSON; - is standard output, and the table then goes to stderr\n"
    "  --markdown FILE      a table for a pull request; - likewise\n"
    "  --any-machine        compare although CPU, its settings, BLAS, kernel, threads, environment variables or\n"
    "                       build type differ\n"
    "  --help               this text\n"
    "\n"
    "Exit codes: 0 nothing is slower, 1 something is, 2 no judgement: wrong usage, a file that cannot be read\n"
    "or written, different machines, no case in common, every case too noisy.\n";

enum option_code { THRESHOLD = GG_LONG_ONLY, ALPHA, FILTER, JSON, MARKDOWN, ANY_MACHINE };

static const struct option options[] = {
    {"threshold", required_argument, NULL, THRESHOLD},
    {"alpha", required_argument, NULL, ALPHA},
    {"filter", required_argument, NULL, FILTER},
    {"json", required_argument, NULL, JSON},
    {"markdown", required_argument, NULL, MARKDOWN},
    {"any-machine", no_argument, NULL, ANY_MACHINE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct choices {
    const char *base, *fresh, *json, *markdown, *filter_text;
    regex_t filter;
    double percent, alpha;
    bool any_machine, help;
} choices;

/* ---- the command line ---- */

static bool parse_one(choices *out, int code, const char *value)
{
    switch (code) {
    case THRESHOLD: return gg_parse_positive(&out->percent, "compare", "threshold", value, 1000.0);
    case ALPHA: return gg_parse_positive(&out->alpha, "compare", "alpha", value, 0.5);
    case FILTER: return gg_parse_filter(&out->filter, &out->filter_text, "compare", value);
    case JSON: out->json = value; return true;
    case MARKDOWN: out->markdown = value; return true;
    case ANY_MACHINE: out->any_machine = true; return true;
    default: out->help = true; return true;
    }
}

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static int parse_files(choices *out, int argc, char **argv)
{
    if (out->help)
        return GG_EXIT_DONE;
    if (argc - optind < 2)
        return gg_usage_error("compare", "expected two files of results, BASE.json and NEW.json");
    if (argc - optind > 2)
        return gg_usage_error("compare", "unexpected argument '%s' after two files", argv[optind + 2]);
    if (is_stdout(out->json) && is_stdout(out->markdown))
        return gg_usage_error("compare", "--json and --markdown cannot both go to standard output");
    out->base = argv[optind];
    out->fresh = argv[optind + 1];
    return GG_EXIT_DONE;
}

static int parse(choices *out, int argc, char **argv)
{
    int answer;
    *out = (choices){.percent = 3.0, .alpha = 0.01};
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == '?' || answer == ':')
            return gg_option_error("compare", answer, argv, options);
        if (!parse_one(out, answer, optarg))
            return GG_EXIT_USAGE;
    }
    return parse_files(out, argc, argv);
}

/* ---- whether the files can be compared ---- */

/* What could not be done left no verdict: 1 would say that something became slower. */
static int no_judgement(void)
{
    gg_failure("compare");
    return GG_EXIT_UNJUDGED;
}

/* Its beginning, with whatever could move the cursor escaped. */
static void print_value(const json_t *value)
{
    enum { SHOWN = 48 };
    char text[4096];
    const size_t size = value != NULL ? json_dumpb(value, text, sizeof text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : 0;
    const int shown = size < SHOWN ? (int)size : SHOWN;
    if (size == 0)
        fputs("not told", stderr);
    else if (size > sizeof text) /* then not all of text was written */
        fputs("too long to show", stderr);
    else
        fprintf(stderr, "%.*s%s", shown, text, (size_t)shown < size ? "..." : "");
}

/* Of an object (the environment variables) only the members that differ. */
static json_t *without(const json_t *value, const json_t *other)
{
    const char *name;
    json_t *member, *rest = json_is_object(other) ? json_deep_copy(value) : NULL;
    void *next;
    json_object_foreach_safe(rest, next, name, member) if (json_equal(member, json_object_get(other, name)))
        json_object_del(rest, name);
    return rest;
}

static void print_difference(const char *key, const json_t *base, const json_t *fresh)
{
    json_t *base_rest = without(base, fresh), *fresh_rest = without(fresh, base);
    fprintf(stderr, "  %s: base ", key);
    print_value(base_rest != NULL ? base_rest : base);
    fputs(", new ", stderr);
    print_value(fresh_rest != NULL ? fresh_rest : fresh);
    fputc('\n', stderr);
    json_decref(base_rest);
    json_decref(fresh_rest);
}

static int print_differences(const bench_file *base, const bench_file *fresh)
{
    int differences = 0;
    for (int i = 0; i < BENCH_MACHINE_KEYS; i++) {
        const char *key = bench_machine_keys[i];
        if (bench_same_context(base, fresh, key))
            continue;
        if (differences++ == 0)
            fprintf(stderr, "gemmgrad compare: the files come from different machines or settings:\n");
        print_difference(key, json_object_get(base->context, key), json_object_get(fresh->context, key));
    }
    return differences;
}

/* What a change may change is no reason to refuse, but the reader should know. */
static void note_builds(const bench_file *base, const bench_file *fresh)
{
    bool noted = false;
    for (int i = 0; i < BENCH_BUILD_KEYS; i++) {
        if (bench_same_context(base, fresh, bench_build_keys[i]))
            continue;
        if (!noted)
            fprintf(stderr, "note: the programs were not built alike:\n");
        noted = true;
        print_difference(bench_build_keys[i], json_object_get(base->context, bench_build_keys[i]),
                         json_object_get(fresh->context, bench_build_keys[i]));
    }
}

static bool comparable(const choices *chosen, const bench_file *base, const bench_file *fresh)
{
    if (print_differences(base, fresh) == 0)
        return true;
    fprintf(stderr, chosen->any_machine ? "note: compared all the same, as --any-machine says\n"
                                        : "--any-machine compares them all the same.\n");
    return chosen->any_machine;
}

/* ---- the verdicts ---- */

static int exit_code(const bench_comparisons *all)
{
    if (all->counts[BENCH_SLOWER] + all->counts[BENCH_BROKEN] > 0)
        return GG_EXIT_FAILED;
    return all->counts[BENCH_NOISY] == all->judged ? GG_EXIT_UNJUDGED : GG_EXIT_DONE;
}

static int report(const choices *chosen, const bench_compare_report *r)
{
    const bool to_stdout = is_stdout(chosen->json) || is_stdout(chosen->markdown);
    gg_status status = GG_OK;
    bench_compare_print_table(to_stdout ? stderr : stdout, r);
    if (chosen->json != NULL)
        status = gg_output_json(chosen->json, bench_compare_json(r));
    if (status == GG_OK && chosen->markdown != NULL)
        status = gg_output_text(chosen->markdown, bench_compare_print_markdown, r);
    if (status != GG_OK)
        return no_judgement();
    if (r->exit_code == GG_EXIT_UNJUDGED)
        fprintf(stderr, "gemmgrad compare: every case is too noisy to judge; measure more repetitions\n");
    return r->exit_code;
}

static int judge(const choices *chosen, const bench_file *base, const bench_file *fresh)
{
    const bench_compare_settings settings = {chosen->percent / 100.0, chosen->alpha,
                                             chosen->filter_text != NULL ? &chosen->filter : NULL};
    bench_comparisons all;
    if (bench_compare(&all, base, fresh, &settings) != GG_OK)
        return no_judgement();
    int code;
    if (all.judged + all.counts[BENCH_BROKEN] == 0) {
        fprintf(stderr, "gemmgrad compare: no case%s%s%s ran in both '%.200s' and '%.200s'\n",
                chosen->filter_text != NULL ? " that matches --filter '" : "",
                chosen->filter_text != NULL ? chosen->filter_text : "", chosen->filter_text != NULL ? "'" : "",
                base->path, fresh->path);
        code = GG_EXIT_UNJUDGED;
    } else {
        const bench_compare_report r = {&all, base, fresh, settings, exit_code(&all)};
        code = report(chosen, &r);
    }
    bench_comparisons_free(&all);
    return code;
}

static bool can_write(const char *option, const char *path)
{
    return path == NULL || is_stdout(path) || gg_output_check(option, path, true) == GG_OK;
}

static int compare(const choices *chosen)
{
    bench_file base, fresh;
    if (!can_write("--json", chosen->json) || !can_write("--markdown", chosen->markdown)
        || bench_file_read(&base, chosen->base) != GG_OK)
        return no_judgement();
    int code = GG_EXIT_UNJUDGED;
    if (bench_file_read(&fresh, chosen->fresh) == GG_OK) {
        if (comparable(chosen, &base, &fresh)) {
            note_builds(&base, &fresh);
            code = judge(chosen, &base, &fresh);
        }
        bench_file_free(&fresh);
    } else {
        code = no_judgement();
    }
    bench_file_free(&base);
    return code;
}

int gg_command_compare(int argc, char **argv)
{
    choices chosen;
    int code = parse(&chosen, argc, argv);
    if (code == GG_EXIT_DONE && chosen.help)
        fputs(USAGE, stdout);
    else if (code == GG_EXIT_DONE)
        code = compare(&chosen);
    /* A verdict that nobody can read is none; main says what went wrong. */
    if (fflush(stdout) != 0 || ferror(stdout))
        code = GG_EXIT_UNJUDGED;
    if (chosen.filter_text != NULL)
        regfree(&chosen.filter);
    return code;
}
