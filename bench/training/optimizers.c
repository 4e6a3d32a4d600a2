/* optimizers.c - the verb optimizers: how many steps, and seconds, each optimiser takes to an accuracy on MNIST.
 *
 * All train the network of mnist-mlp from the same start on the same batches, each at a constant rate of its own; after
 * every EVERY steps the test set is looked at, outside the seconds that count. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "interrupt.h"
#include "machine.h"
#include "options.h"
#include "run.h"
#include "usual_rates.h"

static const char USAGE[] =
    "usage: gemmgrad optimizers --data PATH [options]\n"
    "\n"
    "Trains 784-512-512-10 on MNIST with every optimiser and prints steps and seconds to an accuracy on the test set.\n"
    "\n"
    "  --data PATH        the folder of MNIST's four files\n"
    "  --target X         the accuracy, in percent (default 98)\n"
    "  --epochs N         give up after so many (default 10)\n"
    "  --optimizer NAME   this one alone\n"
    "  --lr X             its rate (with --optimizer)\n"
    "  --threads N        threads (default: OMP_NUM_THREADS, else all CPUs)\n"
    "  --seed N           of weights, dropout and shuffling (default 1)\n"
    "  --help             this text\n";

enum {
    OPTION_DATA = GG_LONG_ONLY,
    OPTION_TARGET,
    OPTION_EPOCHS,
    OPTION_OPTIMIZER,
    OPTION_LR,
    OPTION_THREADS,
    OPTION_SEED
};

static const struct option options[] = {{"data", required_argument, NULL, OPTION_DATA},
                                        {"target", required_argument, NULL, OPTION_TARGET},
                                        {"epochs", required_argument, NULL, OPTION_EPOCHS},
                                        {"optimizer", required_argument, NULL, OPTION_OPTIMIZER},
                                        {"lr", required_argument, NULL, OPTION_LR},
                                        {"threads", required_argument, NULL, OPTION_THREADS},
                                        {"seed", required_argument, NULL, OPTION_SEED},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

enum { EVERY = 50 };

typedef struct request {
    const char *data;
    double target, rate; /* percent; 0: the usual one */
    int64_t epochs, threads;
    uint64_t seed;
    gg_optimizer_kind only; /* GG_OPTIMIZER_COUNT: all */
    bool help;
} request;

static bool take_option(request *asked, int option)
{
    static const char verb[] = "optimizers";
    switch (option) {
    case OPTION_DATA: asked->data = optarg; return true;
    case OPTION_TARGET: return gg_parse_positive(&asked->target, verb, "target", optarg, 100.0);
    case OPTION_LR: return gg_parse_positive(&asked->rate, verb, "lr", optarg, 1e30);
    case OPTION_EPOCHS: return gg_parse_integer(&asked->epochs, verb, "epochs", optarg, 1, 1000000);
    case OPTION_THREADS: return gg_parse_integer(&asked->threads, verb, "threads", optarg, 1, 1024);
    case OPTION_SEED: return gg_parse_seed(&asked->seed, verb, "seed", optarg);
    case OPTION_OPTIMIZER: return gg_parse_optimizer(&asked->only, verb, optarg);
    default: asked->help = true; return true;
    }
}

static int read_options(request *asked, int argc, char **argv)
{
    int answer;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == '?' || answer == ':')
            return gg_option_error("optimizers", answer, argv, options);
        if (!take_option(asked, answer))
            return GG_EXIT_USAGE;
    }
    if (asked->help)
        return GG_EXIT_DONE;
    if (argc > optind)
        return gg_usage_error("optimizers", "unexpected argument '%s'", argv[optind]);
    if (asked->data == NULL)
        return gg_usage_error("optimizers", "--data PATH is missing, the folder of MNIST's files");
    if (asked->rate > 0.0 && asked->only == GG_OPTIMIZER_COUNT)
        return gg_usage_error("optimizers", "--lr is the rate of one optimiser: say which with --optimizer NAME");
    return GG_EXIT_DONE;
}

/* ---- one run ---- */

typedef struct outcome {
    int64_t steps, taken; /* steps to the accuracy, -1: not reached; steps in all */
    double seconds, best;
} outcome;

/* Steps until the test set is read well enough; the clock stands still while it is looked at. */
static gg_status train_to(outcome *out, gg_run *run, double target)
{
    const gg_task_data *d = &run->data;
    const gg_dataset test = {d->test_x, d->test_labels, d->test_count, d->features};
    gg_status status = GG_OK;
    *out = (outcome){.steps = -1};
    while (status == GG_OK && out->steps < 0 && !gg_interrupted()
           && gg_trainer_where(run->trainer).epoch < run->settings.epochs) {
        const double start = gg_seconds_now();
        status = gg_trainer_step(run->trainer);
        out->seconds += gg_seconds_now() - start;
        if (status != GG_OK || ++out->taken % EVERY != 0)
            continue;
        double accuracy = 0.0;
        status = gg_trainer_evaluate(run->trainer, &test, &accuracy);
        out->best = fmax(out->best, accuracy);
        if (accuracy >= target)
            out->steps = out->taken;
    }
    return status;
}

static gg_status open_run(gg_run *run, const request *asked, gg_optimizer_kind kind, double rate)
{
    gg_task task = *gg_task_find("mnist-mlp");
    task.warmup_epochs = 0.0;
    task.decay_epochs = 0;
    gg_run_settings settings = gg_run_defaults(&task);
    settings.optimizer = (gg_optimizer_options){.kind = kind};
    settings.rate = rate;
    settings.data = asked->data;
    settings.epochs = asked->epochs;
    settings.seed = asked->seed;
    return gg_run_open(run, &settings);
}

static void print_outcome(gg_optimizer_kind kind, double rate, const outcome *o)
{
    char steps[32] = "-";
    if (o->steps >= 0)
        snprintf(steps, sizeof steps, "%" PRId64, o->steps);
    printf("| %-9s | %7g | %6s | %7.1f | %7.2f | %6.2f |\n", gg_optimizer_name(kind), rate, steps, o->seconds,
           1e3 * o->seconds / (double)(o->taken > 0 ? o->taken : 1), 100.0 * o->best);
    fflush(stdout);
}

static void print_title(const request *asked)
{
    printf("784-512-512-10 on MNIST, batch 128, seed %" PRIu64 ", %d threads; looked at every %d steps\n\n",
           asked->seed, gg_threads(), EVERY);
    printf("| optimiser |    rate |  steps | seconds | ms/step | best %% |\n");
    printf("| --------- | ------- | ------ | ------- | ------- | ------ |\n");
    fflush(stdout);
}

/* A rule whose numbers leave the range of floats gets its row, and the others their turn. */
static int compare_all(const request *asked)
{
    bool titled = false;
    int code = GG_EXIT_DONE;
    for (int i = 0; i < GG_OPTIMIZER_COUNT && !gg_interrupted(); i++) {
        const gg_optimizer_kind kind = (gg_optimizer_kind)i;
        const double rate = asked->rate > 0.0 ? asked->rate : gg_usual_rate(kind);
        gg_run run;
        outcome o;
        if (asked->only != GG_OPTIMIZER_COUNT && asked->only != kind)
            continue;
        if (open_run(&run, asked, kind, rate) != GG_OK)
            return gg_failure("optimizers");
        if (!titled)
            print_title(asked);
        titled = true;
        const gg_status status = train_to(&o, &run, asked->target / 100.0);
        gg_run_close(&run);
        if (status != GG_OK && status != GG_ERR_NUMERIC && status != GG_ERR_SINGULAR)
            return gg_failure("optimizers");
        if (gg_interrupted() && o.steps < 0) {
            printf("\ninterrupted in the midst of %s\n", gg_optimizer_name(kind));
            return code;
        }
        print_outcome(kind, rate, &o);
        if (status != GG_OK)
            code = gg_failure("optimizers");
    }
    return code;
}

int gg_command_optimizers(int argc, char **argv)
{
    request asked = {.target = 98.0, .epochs = 10, .seed = 1, .only = GG_OPTIMIZER_COUNT};
    const int code = read_options(&asked, argc, argv);
    if (code != GG_EXIT_DONE)
        return code;
    if (asked.help) {
        fputs(USAGE, stdout);
        return GG_EXIT_DONE;
    }
    if (gg_backend_init(&(gg_backend_options){.threads = (int)asked.threads}) != GG_OK)
        return gg_failure("optimizers");
    gg_catch_interrupts();
    return compare_all(&asked);
}
