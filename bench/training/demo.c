/* demo.c - the verb demo, the main job of ./dev run: two networks trained on data drawn here, and what they cost. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "commands.h"
#include "interrupt.h"
#include "options.h"
#include "report.h"
#include "run.h"

static const char USAGE[] =
    "usage: gemmgrad demo [--quick]\n"
    "\n"
    "Trains the spiral network of Deep Learning from Scratch and a perceptron on digits that the program draws,\n"
    "without network or files, and shows how fast and how well. Fails when either does not learn.\n"
    "\n"
    "  --quick   a few epochs, a few seconds: for continuous integration\n"
    "  --help    this text\n";

typedef struct part {
    const char *task;
    int64_t quick_epochs;
    double accuracy; /* what the whole training must reach */
} part;

static const part parts[] = {{"spiral", 60, 0.90}, {"digits", 2, 0.97}};
enum { PARTS = sizeof parts / sizeof *parts };

/* Whether training did what it is for; says on stderr when not. */
static bool has_learnt(const gg_run *run, double accuracy)
{
    int64_t count = 0;
    const gg_epoch_result *history = gg_trainer_history(run->trainer, &count);
    const char *name = run->settings.task->name;
    if (count < 2 || !(history[count - 1].train_loss < history[0].train_loss)) {
        fprintf(stderr, "gemmgrad demo: the loss of %s did not fall\n", name);
        return false;
    }
    if (!(history[count - 1].test_accuracy >= accuracy)) {
        fprintf(stderr, "gemmgrad demo: %s reached %.2f %% on its test set, expected %.0f %%\n", name,
                100.0 * history[count - 1].test_accuracy, 100.0 * accuracy);
        return false;
    }
    return true;
}

static gg_status train_part(gg_run *run, const part *p, bool quick)
{
    const gg_task *task = gg_task_find(p->task);
    gg_run_settings settings = gg_run_defaults(task);
    if (quick)
        settings.epochs = p->quick_epochs;
    printf("%s: %s\n", task->name, task->about);
    fflush(stdout);
    const gg_status status = gg_run_open(run, &settings);
    return status == GG_OK ? gg_run_train(run) : status;
}

static int finish(const gg_run *runs, bool quick)
{
    gg_environment environment;
    int code = GG_EXIT_DONE;
    if (gg_environment_measure(&environment) != GG_OK)
        return gg_failure("demo");
    gg_report_table(stdout, runs, PARTS, &environment);
    fflush(stdout);
    for (int i = 0; i < PARTS; i++)
        if (!runs[i].interrupted && !has_learnt(&runs[i], quick ? 0.0 : parts[i].accuracy))
            code = GG_EXIT_FAILED;
    gg_environment_warn();
    return code;
}

static int run_demo(bool quick)
{
    gg_run runs[PARTS] = {0};
    gg_status status = GG_OK;
    gg_catch_interrupts();
    gg_ignore_broken_pipes();
    for (int i = 0; i < PARTS && status == GG_OK; i++)
        status = train_part(&runs[i], &parts[i], quick);
    const int code = status == GG_OK ? finish(runs, quick) : gg_failure("demo");
    for (int i = 0; i < PARTS; i++)
        gg_run_close(&runs[i]);
    return code;
}

int gg_command_demo(int argc, char **argv)
{
    static const struct option options[] = {
        {"quick", no_argument, NULL, GG_LONG_ONLY}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool quick = false;
    int answer;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == 'h')
            return fputs(USAGE, stdout) < 0 ? GG_EXIT_FAILED : GG_EXIT_DONE;
        if (answer != GG_LONG_ONLY)
            return gg_option_error("demo", answer, argv, options);
        quick = true;
    }
    if (optind < argc)
        return gg_usage_error("demo", "unexpected argument '%s'; demo takes only options", argv[optind]);
    return run_demo(quick);
}
