/* report_command.c - the verb report: files of results to one page. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "outputs.h"
#include "report_page.h"

static const char USAGE[] =
    "usage: gemmgrad report FILE... -o PAGE [--base FILE] [--title TEXT]\n"
    "\n"
    "Draws the results of `gemmgrad bench --json` as one page of HTML that needs no other file and no network:\n"
    "the roofline, ratios to the raw calls and to rivals, every sample, a table of all cases, the environment.\n"
    "Of a case that several files hold, the last file counts. Files of bench/peers/ (their context names a peer)\n"
    "are rivals.\n"
    "\n"
    "  -o, --output PAGE  the page to write; - is standard output\n"
    "  --base FILE        results to compare with: an older build, another machine\n"
    "  --title TEXT       the headline [Benchmarks on this CPU]\n"
    "  --help             this text\n"
    "\n"
    "Exit codes: 0 done, 1 a file could not be read or written, 2 wrong usage.\n";

enum option_code { BASE = GG_LONG_ONLY, TITLE };

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'},
    {"base", required_argument, NULL, BASE},
    {"title", required_argument, NULL, TITLE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct choices {
    const char *output, *base, *title;
    char *const *paths;
    int path_count;
    bool help;
} choices;

/* ---- the command line ---- */

static int parse(choices *out, int argc, char **argv)
{
    int answer;
    *out = (choices){.help = false};
    while ((answer = getopt_long(argc, argv, ":ho:", options, NULL)) != -1) {
        switch (answer) {
        case 'o': out->output = optarg; break;
        case BASE: out->base = optarg; break;
        case TITLE: out->title = optarg; break;
        case 'h': out->help = true; break;
        default: return gg_option_error("report", answer, argv, options);
        }
    }
    out->paths = argv + optind;
    out->path_count = argc - optind;
    if (out->help)
        return GG_EXIT_DONE;
    if (out->path_count == 0)
        return gg_usage_error("report", "expected at least one file of results (gemmgrad bench --json FILE)");
    if (out->output == NULL)
        return gg_usage_error("report", "expected -o PAGE, the page to write");
    return GG_EXIT_DONE;
}

/* ---- the files ---- */

/* All files that were read: ours first, the base, those of peers. */
typedef struct inputs {
    bench_file *files, base, peers[REPORT_MOST_PEERS];
    int file_count, peer_count;
    bool has_base;
} inputs;

static gg_status sort_in(inputs *in, bench_file *file)
{
    if (report_context_text(file, "peer") == NULL) {
        in->files[in->file_count++] = *file;
        return GG_OK;
    }
    if (in->peer_count == REPORT_MOST_PEERS) {
        const gg_status status = gg_fail(GG_ERR_ARGUMENT, "'%.200s' is one file of a peer too many: at most %d",
                                         file->path, REPORT_MOST_PEERS);
        bench_file_free(file);
        return status;
    }
    in->peers[in->peer_count++] = *file;
    return GG_OK;
}

static gg_status read_all(inputs *in, const choices *chosen)
{
    void *memory;
    gg_status status = gg_alloc(&memory, (size_t)chosen->path_count * sizeof *in->files);
    if (status != GG_OK)
        return status;
    in->files = memory;
    for (int i = 0; i < chosen->path_count && status == GG_OK; i++) {
        bench_file file;
        status = bench_file_read(&file, chosen->paths[i]);
        if (status == GG_OK)
            status = sort_in(in, &file);
    }
    if (status == GG_OK && in->file_count == 0)
        return gg_fail(GG_ERR_ARGUMENT, "every file is one of a peer; expected results of gemmgrad bench besides");
    if (status == GG_OK && chosen->base != NULL) {
        status = bench_file_read(&in->base, chosen->base);
        in->has_base = status == GG_OK;
    }
    return status;
}

static void free_inputs(inputs *in)
{
    for (int i = 0; i < in->file_count; i++)
        bench_file_free(&in->files[i]);
    for (int i = 0; i < in->peer_count; i++)
        bench_file_free(&in->peers[i]);
    if (in->has_base)
        bench_file_free(&in->base);
    gg_free(in->files);
}

/* ---- the work ---- */

static gg_status draw(const inputs *in, const choices *chosen)
{
    report r;
    gg_html page = {.status = GG_OK};
    const bench_file *base = in->has_base ? &in->base : NULL;
    const gg_status status = report_build(&r, in->files, in->file_count, base, in->peers, in->peer_count);
    if (status != GG_OK)
        return status;
    report_page(&page, &r, chosen->title);
    report_free(&r);
    return gg_html_write(&page, chosen->output);
}

static int make_page(const choices *chosen)
{
    inputs in = {.files = NULL};
    gg_status status = GG_OK;
    if (strcmp(chosen->output, "-") != 0)
        status = gg_output_check("-o", chosen->output, true);
    if (status == GG_OK)
        status = read_all(&in, chosen);
    if (status == GG_OK)
        status = draw(&in, chosen);
    free_inputs(&in);
    return status == GG_OK ? GG_EXIT_DONE : gg_failure("report");
}

int gg_command_report(int argc, char **argv)
{
    choices chosen;
    const int code = parse(&chosen, argc, argv);
    if (code != GG_EXIT_DONE)
        return code;
    if (!chosen.help)
        return make_page(&chosen);
    fputs(USAGE, stdout);
    return GG_EXIT_DONE;
}
