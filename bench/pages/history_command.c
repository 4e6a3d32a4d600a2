/* history_command.c - the verb history: a folder of results to trends and steps. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "history_page.h"
#include "options.h"
#include "outputs.h"

static const char USAGE[] =
    "usage: gemmgrad history DIR [--filter REGEX] [--json FILE] [-o PAGE]\n"
    "\n"
    "Reads every *.json of a folder that `gemmgrad bench --json` wrote, orders them by the date in their context,\n"
    "and finds where the median of a case stepped to another level: at least 3% away, and held for two runs or more.\n"
    "Prints the steps, with the commit where the context names one. Files that cannot be used are named and skipped.\n"
    "\n"
    "  --filter REGEX     only names that match this extended regular expression\n"
    "  --json FILE        medians, levels and steps; - is standard output, and the table then goes to stderr\n"
    "  -o, --output PAGE  one page of HTML with a chart of each case\n"
    "  --help             this text\n"
    "\n"
    "Exit codes: 0 done (also with steps), 1 no usable file or one that could not be written, 2 wrong usage.\n";

enum option_code { FILTER = GG_LONG_ONLY, JSON };

static const struct option options[] = {
    {"filter", required_argument, NULL, FILTER},
    {"json", required_argument, NULL, JSON},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct choices {
    const char *folder, *filter_text, *json, *output;
    regex_t filter;
    bool help;
} choices;

/* ---- the command line ---- */

static int parse_options(choices *out, int argc, char **argv)
{
    int answer;
    while ((answer = getopt_long(argc, argv, ":ho:", options, NULL)) != -1) {
        switch (answer) {
        case FILTER:
            if (!gg_parse_filter(&out->filter, &out->filter_text, "history", optarg))
                return GG_EXIT_USAGE;
            break;
        case JSON: out->json = optarg; break;
        case 'o': out->output = optarg; break;
        case 'h': out->help = true; break;
        default: return gg_option_error("history", answer, argv, options);
        }
    }
    return GG_EXIT_DONE;
}

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static int parse(choices *out, int argc, char **argv)
{
    const int code = parse_options(out, argc, argv);
    if (code != GG_EXIT_DONE || out->help)
        return code;
    if (optind == argc)
        return gg_usage_error("history", "expected a folder of results");
    if (optind + 1 < argc)
        return gg_usage_error("history", "unexpected argument '%s'; expected one folder", argv[optind + 1]);
    if (is_stdout(out->json) && is_stdout(out->output))
        return gg_usage_error("history", "--json and -o cannot both be standard output");
    out->folder = argv[optind];
    return GG_EXIT_DONE;
}

/* ---- the work ---- */

static gg_status check_outputs(const choices *chosen)
{
    gg_status status = GG_OK;
    if (chosen->json != NULL && !is_stdout(chosen->json))
        status = gg_output_check("--json", chosen->json, true);
    if (status == GG_OK && chosen->output != NULL && !is_stdout(chosen->output))
        status = gg_output_check("-o", chosen->output, true);
    return status;
}

static gg_status write_page(const history *h, const choices *chosen)
{
    char title[300];
    gg_html page = {.status = GG_OK};
    snprintf(title, sizeof title, "History of %.250s", chosen->folder);
    history_page(&page, h, title);
    return gg_html_write(&page, chosen->output);
}

static gg_status report(const history *h, const choices *chosen)
{
    gg_status status = GG_OK;
    history_print(is_stdout(chosen->json) || is_stdout(chosen->output) ? stderr : stdout, h);
    if (chosen->json != NULL)
        status = gg_output_json(chosen->json, history_json(h));
    if (status == GG_OK && chosen->output != NULL)
        status = write_page(h, chosen);
    return status;
}

static int show(const choices *chosen)
{
    history h = {.root = NULL};
    gg_status status = check_outputs(chosen);
    if (status == GG_OK)
        status = history_read(&h, chosen->folder, chosen->filter_text != NULL ? &chosen->filter : NULL);
    if (status == GG_OK)
        status = report(&h, chosen);
    history_free(&h);
    return status == GG_OK ? GG_EXIT_DONE : gg_failure("history");
}

int gg_command_history(int argc, char **argv)
{
    choices chosen = {.help = false};
    int code = parse(&chosen, argc, argv);
    if (code == GG_EXIT_DONE && chosen.help)
        fputs(USAGE, stdout);
    else if (code == GG_EXIT_DONE)
        code = show(&chosen);
    if (chosen.filter_text != NULL)
        regfree(&chosen.filter);
    return code;
}
