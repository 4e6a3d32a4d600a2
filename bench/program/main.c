/* main.c - the program gemmgrad: finds the verb and runs it. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <gemmgrad/blas_backend.h>

#include "commands.h"

static int command_help(int argc, char **argv);
static int command_version(int argc, char **argv);

typedef struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} verb;

static const verb verbs[] = {
    {"demo", gg_command_demo, "train two networks on data drawn here, then show how fast: start with this one"},
    {"train", gg_command_train, "train a network on a task: gemmgrad train spiral"},
    {"optimizers", gg_command_optimizers, "steps and seconds of every optimiser to 98 % on MNIST"},
    {"generate", gg_command_generate, "write a text with a model that train char-lm has saved"},
    {"gradflow", gg_command_gradflow, "how gradients vanish and explode on their way back through time"},
    {"bench", gg_command_bench, "time kernels, layers and training steps"},
    {"ab", gg_command_ab, "measure two builds pair by pair: is the new one slower?"},
    {"compare", gg_command_compare, "judge two result files of bench: what became slower, what faster"},
    {"report", gg_command_report, "draw results of bench as one page of HTML"},
    {"history", gg_command_history, "results of many commits: trends, and where they step"},
    {"info", gg_command_info, "this machine: CPU, BLAS, kernel, measured ceilings"},
    {"help", command_help, "this text, or that of a verb: gemmgrad help train"},
    {"version", command_version, "the version"},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static const verb *find_verb(const char *name)
{
    for (int i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int unknown_verb(const char *name)
{
    fprintf(stderr, "gemmgrad: unknown verb '%s'; allowed are:", name);
    for (int i = 0; i < VERBS; i++)
        fprintf(stderr, " %s", verbs[i].name);
    fprintf(stderr, "\nRead 'gemmgrad help'.\n");
    return GG_EXIT_USAGE;
}

static int explain(void)
{
    printf("gemmgrad %s - neural networks in C whose every gradient is a GEMM\n\n", gg_version());
    printf("usage: gemmgrad VERB [options]\n\n");
    for (int i = 0; i < VERBS; i++)
        printf("  %-12s%s\n", verbs[i].name, verbs[i].about);
    printf("\nEvery verb explains itself: gemmgrad VERB --help. Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
    return GG_EXIT_DONE;
}

static int command_help(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0)
        return explain();
    const verb *asked = find_verb(argv[1]);
    if (asked == NULL)
        return unknown_verb(argv[1]);
    char help[] = "--help";
    char *arguments[] = {argv[1], help, NULL};
    return asked->run(2, arguments);
}

static int command_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") != 0) {
        fprintf(stderr, "gemmgrad version: unexpected argument '%s'\n", argv[1]);
        return GG_EXIT_USAGE;
    }
    printf("gemmgrad %s\n", gg_version());
    return GG_EXIT_DONE;
}

static int run(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return explain();
    if (strcmp(argv[1], "--version") == 0)
        return command_version(1, argv);
    const verb *asked = find_verb(argv[1]);
    return asked != NULL ? asked->run(argc - 1, argv + 1) : unknown_verb(argv[1]);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, ""); /* whether the terminal takes UTF-8; numbers stay in the C locale */
    const int code = run(argc, argv);
    /* Output that never reached its file is a failure too: gemmgrad info > /dev/full. */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "gemmgrad: cannot write to standard output: %s\n", strerror(errno));
    return code == GG_EXIT_DONE ? GG_EXIT_FAILED : code;
}
