/* report.c - the figures of training runs for people and for programs. */
#include "report.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { CELL_BYTES = 48 };

/* ---- the table ---- */

/* 1234567 as 1,234,567. */
static void format_grouped(char cell[CELL_BYTES], double x)
{
    char digits[CELL_BYTES];
    const int length = snprintf(digits, sizeof digits, "%.0f", x);
    int out = 0;
    for (int i = 0; i < length && out + 2 < CELL_BYTES; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            cell[out++] = ',';
        cell[out++] = digits[i];
    }
    cell[out] = '\0';
}

typedef enum figure_style { STYLE_COUNT, STYLE_NUMBER, STYLE_PERCENT } figure_style;

static void format_figure(char cell[CELL_BYTES], double x, figure_style style)
{
    if (isnan(x))
        snprintf(cell, CELL_BYTES, "-");
    else if (style == STYLE_COUNT && x >= 100.0)
        format_grouped(cell, x);
    else if (style == STYLE_PERCENT)
        snprintf(cell, CELL_BYTES, "%.2f %%", 100.0 * x);
    else
        snprintf(cell, CELL_BYTES, "%.4g", x);
}

typedef struct column {
    gg_figures figures;
    double peak_fraction, seconds, perplexity;
} column;

typedef struct row {
    const char *name;
    size_t offset; /* of the figure in a column */
    figure_style style;
    bool optional; /* left out where no run has the figure */
} row;

static const row rows[] = {
    {"samples per second", offsetof(column, figures.samples_per_second), STYLE_COUNT, false},
    {"GFLOP/s", offsetof(column, figures.gflops), STYLE_NUMBER, false},
    {"share of this machine's FMA peak", offsetof(column, peak_fraction), STYLE_PERCENT, false},
    {"multiply-adds through cblas_sgemm", offsetof(column, figures.sgemm_share), STYLE_PERCENT, false},
    {"time outside GEMM", offsetof(column, figures.time_outside_gemm), STYLE_PERCENT, false},
    {"allocations per step", offsetof(column, figures.allocations_per_step), STYLE_NUMBER, false},
    {"training and evaluation, seconds", offsetof(column, seconds), STYLE_NUMBER, false},
    {"loss on the test set, nats", offsetof(column, figures.test_loss), STYLE_NUMBER, true},
    {"perplexity on the test set", offsetof(column, perplexity), STYLE_NUMBER, true},
    {"accuracy on the test set", offsetof(column, figures.test_accuracy), STYLE_PERCENT, false},
};

static double figure_of(const column *c, const row *r)
{
    double figure;
    memcpy(&figure, (const char *)c + r->offset, sizeof figure);
    return figure;
}

/* What a feed counts and gets right stands in the place of samples and accuracy. */
static const char *name_of(char name[CELL_BYTES], const row *r, const gg_feed *feed)
{
    if (feed->unit != NULL && r->offset == offsetof(column, figures.samples_per_second))
        snprintf(name, CELL_BYTES, "%s per second", feed->unit);
    else if (feed->accuracy != NULL && r->offset == offsetof(column, figures.test_accuracy))
        snprintf(name, CELL_BYTES, "%s on the test set", feed->accuracy);
    else
        snprintf(name, CELL_BYTES, "%s", r->name);
    return name;
}

static void print_row(FILE *out, const row *r, const gg_feed *feed, const column *columns, int count)
{
    char name[CELL_BYTES];
    bool any = !r->optional;
    for (int i = 0; i < count; i++)
        any = any || !isnan(figure_of(&columns[i], r));
    if (!any)
        return;
    fprintf(out, "  %-36s", name_of(name, r, feed));
    for (int i = 0; i < count; i++) {
        char cell[CELL_BYTES];
        format_figure(cell, figure_of(&columns[i], r), r->style);
        fprintf(out, "%14s", cell);
    }
    fputc('\n', out);
}

static void print_rule(FILE *out, int count)
{
    for (int i = 0; i < 38 + 14 * count; i++)
        fputc('-', out);
    fputc('\n', out);
}

static void print_method(FILE *out)
{
    fputs("Rates are of training steps alone (forward, backward, optimiser), without evaluation and drawing.\n"
          "GFLOP/s count the network's products by formula: a layer d to e costs d*e multiply-adds each for Y = X W,\n"
          "dW = X^T dY and, but in the first layer, dX = dY W^T; a convolution as many for each output pixel, d being\n"
          "the taps times the channels; a recurrent layer its two products in each step. The share through\n"
          "cblas_sgemm is what its only caller counted, divided by that formula: Winograd's algorithm for\n"
          "convolutions does with fewer, others round up.\n",
          out);
}

void gg_report_table(FILE *out, const gg_run *runs, int count, const gg_environment *environment)
{
    enum { MOST_COLUMNS = 8 };
    column columns[MOST_COLUMNS];
    fprintf(out, "\n  %-36s", "");
    for (int i = 0; i < count && i < MOST_COLUMNS; i++) {
        columns[i].figures = gg_run_figures(&runs[i]);
        columns[i].peak_fraction = columns[i].figures.gflops / environment->fma_peak_gflops;
        columns[i].seconds = runs[i].seconds;
        columns[i].perplexity = exp(columns[i].figures.test_loss);
        fprintf(out, "%14s", runs[i].settings.task->name);
    }
    fputc('\n', out);
    print_rule(out, count);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        print_row(out, &rows[i], &runs[0].feed, columns, count);
    print_rule(out, count);
    gg_environment_print(out, environment);
    print_method(out);
}

/* ---- JSON ---- */

static json_t *epochs_json(const gg_run *run)
{
    int64_t count = 0;
    const gg_epoch_result *history = gg_trainer_history(run->trainer, &count);
    json_t *array = json_array();
    int failed = array == NULL;
    for (int64_t i = 0; i < count; i++) {
        json_t *entry = json_object();
        failed |= json_object_set_new(entry, "epoch", json_integer(i + 1));
        failed |= json_object_set_new(entry, "train_loss", gg_json_number(history[i].train_loss));
        if (!isnan(history[i].test_loss))
            failed |= json_object_set_new(entry, "test_loss", gg_json_number(history[i].test_loss));
        failed |= json_object_set_new(entry, "test_accuracy", gg_json_number(history[i].test_accuracy));
        failed |= json_array_append_new(array, entry);
    }
    if (failed == 0)
        return array;
    json_decref(array);
    return NULL;
}

json_t *gg_report_json(const gg_run *run, const gg_environment *environment)
{
    const gg_figures f = gg_run_figures(run);
    json_t *object = json_object();
    int failed = object == NULL;
    failed |= json_object_set_new(object, "task", json_string(run->settings.task->name));
    if (run->feed.unit != NULL)
        failed |= json_object_set_new(object, "unit", json_string(run->feed.unit));
    failed |= json_object_set_new(object, "samples_per_second", gg_json_number(f.samples_per_second));
    failed |= json_object_set_new(object, "gflops", gg_json_number(f.gflops));
    failed |= json_object_set_new(object, "peak_fraction", gg_json_number(f.gflops / environment->fma_peak_gflops));
    failed |= json_object_set_new(object, "sgemm_share", gg_json_number(f.sgemm_share));
    failed |= json_object_set_new(object, "time_outside_gemm", gg_json_number(f.time_outside_gemm));
    failed |= json_object_set_new(object, "allocations_per_step", gg_json_number(f.allocations_per_step));
    failed |= json_object_set_new(object, "seconds", gg_json_number(run->seconds));
    failed |= json_object_set_new(object, "epochs", epochs_json(run));
    if (!isnan(f.test_loss)) {
        failed |= json_object_set_new(object, "test_loss", gg_json_number(f.test_loss));
        failed |= json_object_set_new(object, "perplexity", gg_json_number(exp(f.test_loss)));
    }
    failed |= json_object_set_new(object, "test_accuracy", gg_json_number(f.test_accuracy));
    failed |= json_object_set_new(object, "interrupted", json_boolean(run->interrupted));
    failed |= json_object_set_new(object, "environment", gg_environment_json(environment));
    if (failed == 0)
        return object;
    json_decref(object);
    return NULL;
}
