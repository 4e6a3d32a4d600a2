/* train.c - the verb train: options, then a run, then its results. */
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "commands.h"
#include "interrupt.h"
#include "options.h"
#include "outputs.h"
#include "plot.h"
#include "report.h"
#include "run.h"
#include "usual_rates.h"
#include "words.h"

static const char USAGE[] =
    "usage: gemmgrad train TASK [options]\n"
    "\n"
    "  --data PATH       data of the task: a folder with the usual file names, or the file of training images itself;\n"
    "                    a text of words or of lines\n"
    "  --epochs N        epochs in all, those before --resume included\n"
    "  --batch N         samples a step\n"
    "  --optimizer NAME  sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, lion, muon, shampoo, soap or kfac\n"
    "  --lr X            learning rate (default: the task's; with --optimizer, one usual for that)\n"
    "  --threads N       threads (default: OMP_NUM_THREADS, else all CPUs)\n"
    "  --seed N          of weights, dropout and shuffling (default 1)\n"
    "  --json FILE       write the figures as one JSON object; - is standard output\n"
    "  --save FILE       write a checkpoint at the end, also after Ctrl-C\n"
    "  --resume FILE     go on from a checkpoint\n"
    "  --plot FILE.png   draw loss and accuracy; also the spiral's regions, images misread, or what an\n"
    "                    attention looks at (needs gnuplot)\n"
    "  --cell NAME       char-lm: rnn, gru or lstm (default)\n"
    "  --variant NAME    addition: plain, reversed questions (default), or peeky, which is reversed too;\n"
    "                    word2vec: cbow (default), skip-gram, cbow-softmax or skip-gram-softmax\n"
    "  --attention NAME  date: dot (default), scaled, general, additive, local, or none\n"
    "  --hidden N        width of the recurrent layers, or of the vectors of words\n"
    "  --layers N        char-lm: recurrent layers; gpt: blocks\n"
    "  --heads N, --width N, --context N\n"
    "                    gpt: heads of the attention, width of the blocks, characters that it sees\n"
    "  --embedding N     width of the vectors of characters\n"
    "  --window N        char-lm: characters a step; word2vec: neighbours on each side\n"
    "  --dropout X       char-lm: between layers and before the last; gpt: of what a block adds\n"
    "  --help            this text\n"
    "\n"
    "Ctrl-C ends after the present step and keeps what was reached; a second one kills. A run stopped and resumed\n"
    "with the same options ends in the same checkpoint, byte for byte, as one that was not.\n"
    "\n"
    "tasks:\n";

enum {
    OPTION_DATA = GG_LONG_ONLY,
    OPTION_EPOCHS,
    OPTION_BATCH,
    OPTION_LR,
    OPTION_OPTIMIZER,
    OPTION_THREADS,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_SAVE,
    OPTION_RESUME,
    OPTION_PLOT,
    OPTION_CELL,
    OPTION_VARIANT,
    OPTION_ATTENTION,
    OPTION_HIDDEN,
    OPTION_LAYERS,
    OPTION_EMBEDDING,
    OPTION_WINDOW,
    OPTION_HEADS,
    OPTION_WIDTH,
    OPTION_CONTEXT,
    OPTION_DROPOUT
};

static const struct option options[] = {{"data", required_argument, NULL, OPTION_DATA},
                                        {"epochs", required_argument, NULL, OPTION_EPOCHS},
                                        {"batch", required_argument, NULL, OPTION_BATCH},
                                        {"lr", required_argument, NULL, OPTION_LR},
                                        {"optimizer", required_argument, NULL, OPTION_OPTIMIZER},
                                        {"threads", required_argument, NULL, OPTION_THREADS},
                                        {"seed", required_argument, NULL, OPTION_SEED},
                                        {"json", required_argument, NULL, OPTION_JSON},
                                        {"save", required_argument, NULL, OPTION_SAVE},
                                        {"resume", required_argument, NULL, OPTION_RESUME},
                                        {"plot", required_argument, NULL, OPTION_PLOT},
                                        {"cell", required_argument, NULL, OPTION_CELL},
                                        {"variant", required_argument, NULL, OPTION_VARIANT},
                                        {"attention", required_argument, NULL, OPTION_ATTENTION},
                                        {"hidden", required_argument, NULL, OPTION_HIDDEN},
                                        {"layers", required_argument, NULL, OPTION_LAYERS},
                                        {"embedding", required_argument, NULL, OPTION_EMBEDDING},
                                        {"window", required_argument, NULL, OPTION_WINDOW},
                                        {"heads", required_argument, NULL, OPTION_HEADS},
                                        {"width", required_argument, NULL, OPTION_WIDTH},
                                        {"context", required_argument, NULL, OPTION_CONTEXT},
                                        {"dropout", required_argument, NULL, OPTION_DROPOUT},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static const int64_t MOST_EPOCHS = 1000000, MOST_BATCH = 1 << 24, MOST_THREADS = 1024;
static const int64_t MOST_WIDTH = 1 << 16, MOST_LAYERS = 64;
static const double LEAST_RATE = (double)FLT_TRUE_MIN, MOST_RATE = 1e30;

/* What was asked for; 0 and NULL where nothing was said. */
typedef struct request {
    const char *data, *json, *save, *resume, *plot;
    int64_t epochs, batch, threads;
    double rate;
    uint64_t seed;
    gg_optimizer_kind optimizer; /* GG_OPTIMIZER_COUNT: the task's */
    gg_task_options own;
    bool seed_given, help;
} request;

static int explain(void)
{
    fputs(USAGE, stdout);
    for (int i = 0; i < gg_task_count; i++) {
        const gg_task *t = &gg_tasks[i];
        printf("  %-15s%s\n", t->name, t->about);
        printf("  %-15s(%" PRId64 " epochs, batch %" PRId64 ", rate %g)\n", "", t->epochs, t->batch, t->rate);
    }
    return GG_EXIT_DONE;
}

/* The weights are float32, and so is the rate that moves them: one that becomes 0 there would train nothing. */
static bool parse_rate(double *out, const char *text)
{
    if (!gg_parse_positive(out, "train", "lr", text, MOST_RATE))
        return false;
    if ((float)*out > 0.0f)
        return true;
    gg_usage_error("train", "--lr '%s' is 0 as a 32-bit float: expected a number from %g to %g", text, LEAST_RATE,
                   MOST_RATE);
    return false;
}

/* Options that not every task takes. */
static bool take_own_option(gg_task_options *own, int option)
{
    switch (option) {
    case OPTION_CELL: own->cell = optarg; return true;
    case OPTION_VARIANT: own->variant = optarg; return true;
    case OPTION_ATTENTION: own->attention = optarg; return true;
    case OPTION_HIDDEN: return gg_parse_integer(&own->hidden, "train", "hidden", optarg, 1, MOST_WIDTH);
    case OPTION_LAYERS: return gg_parse_integer(&own->layers, "train", "layers", optarg, 1, MOST_LAYERS);
    case OPTION_EMBEDDING: return gg_parse_integer(&own->embedding, "train", "embedding", optarg, 1, MOST_WIDTH);
    case OPTION_WINDOW: return gg_parse_integer(&own->window, "train", "window", optarg, 1, MOST_WIDTH);
    case OPTION_HEADS: return gg_parse_integer(&own->heads, "train", "heads", optarg, 1, MOST_WIDTH);
    case OPTION_WIDTH: return gg_parse_integer(&own->width, "train", "width", optarg, 1, MOST_WIDTH);
    case OPTION_CONTEXT: return gg_parse_integer(&own->context, "train", "context", optarg, 2, MOST_WIDTH);
    default: return gg_parse_from_zero(&own->dropout, "train", "dropout", optarg, 0.99);
    }
}

static bool take_option(request *asked, int option)
{
    switch (option) {
    case OPTION_CELL:
    case OPTION_VARIANT:
    case OPTION_ATTENTION:
    case OPTION_HIDDEN:
    case OPTION_LAYERS:
    case OPTION_EMBEDDING:
    case OPTION_HEADS:
    case OPTION_WIDTH:
    case OPTION_CONTEXT:
    case OPTION_WINDOW:
    case OPTION_DROPOUT: return take_own_option(&asked->own, option);
    case OPTION_DATA: asked->data = optarg; return true;
    case OPTION_JSON: asked->json = optarg; return true;
    case OPTION_SAVE: asked->save = optarg; return true;
    case OPTION_RESUME: asked->resume = optarg; return true;
    case OPTION_PLOT: asked->plot = optarg; return true;
    case OPTION_EPOCHS: return gg_parse_integer(&asked->epochs, "train", "epochs", optarg, 1, MOST_EPOCHS);
    case OPTION_BATCH: return gg_parse_integer(&asked->batch, "train", "batch", optarg, 1, MOST_BATCH);
    case OPTION_THREADS: return gg_parse_integer(&asked->threads, "train", "threads", optarg, 1, MOST_THREADS);
    case OPTION_OPTIMIZER: return gg_parse_optimizer(&asked->optimizer, "train", optarg);
    case OPTION_LR: return parse_rate(&asked->rate, optarg);
    case OPTION_SEED: asked->seed_given = true; return gg_parse_seed(&asked->seed, "train", "seed", optarg);
    default: asked->help = true; return true;
    }
}

/* GG_EXIT_DONE and *asked filled, or GG_EXIT_USAGE with the reason on stderr. */
static int read_options(request *asked, int argc, char **argv)
{
    int answer;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == '?' || answer == ':')
            return gg_option_error("train", answer, argv, options);
        if (!take_option(asked, answer))
            return GG_EXIT_USAGE;
    }
    return GG_EXIT_DONE;
}

static int unknown_task(const char *name)
{
    char names[512] = "";
    size_t used = 0;
    for (int i = 0; i < gg_task_count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", gg_tasks[i].name);
    if (name == NULL)
        return gg_usage_error("train", "which task? Known are: %s", names);
    return gg_usage_error("train", "unknown task '%s'; known are: %s", name, names);
}

/* ---- files that are one ---- */

/* The folder of the path goes to *about; returns the name within it, or NULL when the folder is not there. */
static const char *split_path(struct stat *about, const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[GG_PATH_BYTES] = ".";
    if (slash != NULL) {
        const int length = snprintf(folder, sizeof folder, "%.*s", (int)(slash + 1 - path), path);
        if (length < 0 || length >= GG_PATH_BYTES)
            return NULL;
    }
    return stat(folder, about) == 0 ? (slash != NULL ? slash + 1 : path) : NULL;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_file(const char *one, const char *other)
{
    struct stat a, b;
    if (stat(one, &a) == 0 && stat(other, &b) == 0 && same_inode(&a, &b))
        return true;
    const char *name = split_path(&a, one), *other_name = split_path(&b, other);
    return name != NULL && other_name != NULL && strcmp(name, other_name) == 0 && same_inode(&a, &b);
}

/* Of two results in one file the first would be lost; --resume F --save F goes on in place and is meant so. */
static int check_names(const request *asked)
{
    const char *json = asked->json != NULL && strcmp(asked->json, "-") != 0 ? asked->json : NULL;
    const struct {
        const char *option, *path, *other_option, *other_path;
    } pairs[] = {{"save", asked->save, "json", json},
                 {"save", asked->save, "plot", asked->plot},
                 {"json", json, "plot", asked->plot},
                 {"resume", asked->resume, "json", json},
                 {"resume", asked->resume, "plot", asked->plot}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].path != NULL && pairs[i].other_path != NULL && same_file(pairs[i].path, pairs[i].other_path))
            return gg_usage_error("train", "--%s '%.300s' and --%s '%.300s' are the same file; each needs its own",
                                  pairs[i].option, pairs[i].path, pairs[i].other_option, pairs[i].other_path);
    return GG_EXIT_DONE;
}

/* gnuplot is asked for PNG whatever the file is called. */
static bool is_png(const char *path)
{
    const size_t length = strlen(path);
    return length >= 4 && strcasecmp(path + length - 4, ".png") == 0;
}

/* A name that the task does not know; it takes one of the three at most. */
static int check_choice(const gg_task *task, const gg_task_options *own)
{
    const char *option = own->cell != NULL ? "cell" : own->variant != NULL ? "variant" : "attention";
    const char *choice = own->cell != NULL ? own->cell : own->variant != NULL ? own->variant : own->attention;
    if (choice != NULL && (choice[0] == '\0' || !gg_has_word(task->choices, choice)))
        return gg_usage_error("train", "--%s '%.60s': %s knows %s", option, choice, task->name, task->choices);
    return GG_EXIT_DONE;
}

/* What was asked for that this task knows nothing of. */
static int check_own_options(const gg_task *task, const request *asked)
{
    const gg_task_options *own = &asked->own;
    const struct {
        const char *name;
        bool given;
    } options_given[] = {
        {"cell", own->cell != NULL},   {"variant", own->variant != NULL}, {"attention", own->attention != NULL},
        {"hidden", own->hidden > 0},   {"layers", own->layers > 0},       {"embedding", own->embedding > 0},
        {"window", own->window > 0},   {"heads", own->heads > 0},         {"width", own->width > 0},
        {"context", own->context > 0}, {"dropout", own->dropout >= 0.0}};
    const char *known = task->options != NULL ? task->options : "";
    if (asked->data != NULL && !task->reads_files && !gg_has_word(known, "data"))
        return gg_usage_error("train", "%s draws its own data and takes no --data", task->name);
    for (size_t i = 0; i < sizeof options_given / sizeof *options_given; i++)
        if (options_given[i].given && !gg_has_word(known, options_given[i].name))
            return gg_usage_error("train", "--%s is no option of the task %s", options_given[i].name, task->name);
    return check_choice(task, own);
}

static int settle(gg_run_settings *settings, const request *asked, int words, char **word)
{
    const gg_task *task = words > 0 ? gg_task_find(word[0]) : NULL;
    if (task == NULL)
        return unknown_task(words > 0 ? word[0] : NULL);
    if (words > 1)
        return gg_usage_error("train", "unexpected argument '%s' after the task", word[1]);
    if (task->reads_files && asked->data == NULL)
        return gg_usage_error("train", "%s needs --data PATH, the folder of its files", task->name);
    if (check_own_options(task, asked) != GG_EXIT_DONE)
        return GG_EXIT_USAGE;
    if (asked->plot != NULL && !is_png(asked->plot))
        return gg_usage_error("train", "--plot '%.300s': the picture is a PNG, expected a name that ends in .png",
                              asked->plot);
    if (check_names(asked) != GG_EXIT_DONE)
        return GG_EXIT_USAGE;
    *settings = gg_run_defaults(task);
    settings->own = asked->own;
    settings->data = asked->data;
    settings->resume = asked->resume;
    settings->epochs = asked->epochs > 0 ? asked->epochs : settings->epochs;
    settings->batch = asked->batch > 0 ? asked->batch : settings->batch;
    if (asked->optimizer != GG_OPTIMIZER_COUNT && asked->optimizer != task->optimizer.kind) {
        settings->optimizer = (gg_optimizer_options){.kind = asked->optimizer};
        settings->rate = gg_usual_rate(asked->optimizer);
    }
    settings->rate = asked->rate > 0.0 ? asked->rate : settings->rate;
    settings->seed = asked->seed_given ? asked->seed : settings->seed;
    return GG_EXIT_DONE;
}

/* Everything that can be known to fail before the work is done. */
static gg_status check_outputs(const request *asked)
{
    gg_status status = GG_OK;
    if (asked->json != NULL && strcmp(asked->json, "-") != 0)
        status = gg_output_check("--json", asked->json, true);
    if (status == GG_OK && asked->save != NULL)
        status = gg_output_check("--save", asked->save, false);
    if (status == GG_OK && asked->plot != NULL)
        status = gg_output_check("--plot", asked->plot, false);
    if (status == GG_OK && asked->plot != NULL)
        status = gg_plot_check();
    return status;
}

/* ---- results ---- */

static gg_status save(const gg_run *run, const char *path, FILE *words)
{
    const gg_status status = gg_trainer_save(run->trainer, path, run->settings.task->name);
    if (status == GG_OK)
        fprintf(words, "checkpoint written to %s\n", path);
    return status;
}

static gg_status draw(const gg_run *run, const char *path, FILE *words)
{
    int64_t count = 0;
    gg_trainer_history(run->trainer, &count);
    if (count == 0) {
        fprintf(words, "no picture: no epoch was finished\n");
        return GG_OK;
    }
    const gg_status status = gg_plot_draw(path, run);
    if (status == GG_OK)
        fprintf(words, "picture written to %s\n", path);
    return status;
}

/* Each result is tried, for one that fails must not cost the others. */
static int write_results(const gg_run *run, const request *asked, FILE *words)
{
    gg_environment environment;
    int code = GG_EXIT_DONE;
    if (asked->save != NULL && save(run, asked->save, words) != GG_OK)
        code = gg_failure("train");
    if (gg_environment_measure(&environment) != GG_OK)
        return gg_failure("train");
    gg_report_table(words, run, 1, &environment);
    if (run->feed.show != NULL)
        run->feed.show(words, run->net.model, run->feed.own);
    if (asked->json != NULL && gg_output_json(asked->json, gg_report_json(run, &environment)) != GG_OK)
        code = gg_failure("train");
    if (asked->plot != NULL && draw(run, asked->plot, words) != GG_OK)
        code = gg_failure("train");
    gg_environment_warn();
    return code;
}

static void tell_start(const gg_run *run, FILE *words)
{
    const gg_run_settings *s = &run->settings;
    const int64_t done = gg_trainer_where(run->trainer).epoch;
    const gg_feed *feed = &run->feed;
    fprintf(words, "%s: %" PRId64 " training and %" PRId64 " test %s, ", s->task->name,
            feed->unit != NULL ? feed->train_count : run->data.train_count,
            feed->unit != NULL ? feed->test_count : run->data.test_count, feed->unit != NULL ? feed->unit : "samples");
    fprintf(words, "batch %" PRId64 ", %s, rate %g, %d threads\n", s->batch, gg_optimizer_name(s->optimizer.kind),
            s->rate, gg_threads());
    if (s->resume != NULL && done >= s->epochs)
        fprintf(words, "nothing to train: %s holds %" PRId64 " epochs, and --epochs %" PRId64 " counts them\n",
                s->resume, done, s->epochs);
    else if (s->resume != NULL)
        fprintf(words, "going on from %s after %" PRId64 " epochs\n", s->resume, done);
    fflush(words);
}

static int train(const gg_run_settings *settings, const request *asked)
{
    FILE *words = asked->json != NULL && strcmp(asked->json, "-") == 0 ? stderr : stdout;
    gg_run run;
    if (check_outputs(asked) != GG_OK)
        return gg_failure("train");
    if (gg_backend_init(&(gg_backend_options){.threads = (int)asked->threads}) != GG_OK)
        return gg_failure("train");
    gg_catch_interrupts();
    gg_ignore_broken_pipes();
    if (gg_run_open(&run, settings) != GG_OK)
        return gg_failure("train");
    tell_start(&run, words);
    int code = GG_EXIT_FAILED;
    if (gg_run_train(&run) != GG_OK) {
        gg_failure("train");
    } else {
        if (run.interrupted)
            fprintf(words, "interrupted after %" PRId64 " finished epochs\n", gg_trainer_where(run.trainer).epoch);
        code = write_results(&run, asked, words);
    }
    gg_run_close(&run);
    return code;
}

int gg_command_train(int argc, char **argv)
{
    request asked = {.own = {.dropout = -1.0}, .optimizer = GG_OPTIMIZER_COUNT};
    gg_run_settings settings;
    int code = read_options(&asked, argc, argv);
    if (code == GG_EXIT_DONE && asked.help)
        return explain();
    if (code == GG_EXIT_DONE)
        code = settle(&settings, &asked, argc - optind, argv + optind);
    return code == GG_EXIT_DONE ? train(&settings, &asked) : code;
}
