/* plot.c - the picture of a training: loss and accuracy over the epochs, what the network makes of the plane, and of
 * images its first filters and what it misreads. */
#include "plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "gnuplot.h"
#include "outputs.h"
#include "plane.h"
#include "sheet.h"

gg_status gg_plot_check(void)
{
    const char *terminal = NULL;
    return gg_gnuplot_terminal(&terminal);
}

const char gg_plot_style[] = "set border 3 linecolor rgb '#808080' linewidth 1\n"
                             "set tics nomirror scale 0.5 textcolor rgb '#303030'\n"
                             "set grid linecolor rgb '#e6e6e6' linewidth 1 linetype 1\n"
                             "set key off\n"
                             "set xlabel textcolor rgb '#303030'\n"
                             "set ylabel textcolor rgb '#303030'\n"
                             "set title textcolor rgb '#101010'\n";

enum { MOST_SINGLE_TICKS = 10 };                       /* so many epochs have room for a tick each */
static const double LEAST_EXTENT = 0.01, MARGIN = 5.0; /* of the accuracy, in per cent of the test set */

static void write_number(FILE *script, double x)
{
    if (isnan(x))
        fputs(" NaN", script);
    else
        fprintf(script, " %.6g", x);
}

/* Columns: epoch, loss, accuracy in per cent, loss on the test set. */
static void write_history(FILE *script, const gg_epoch_result *history, int64_t count)
{
    fputs("$history << EOD\n", script);
    for (int64_t i = 0; i < count; i++) {
        fprintf(script, "%" PRId64, i + 1);
        write_number(script, history[i].train_loss);
        write_number(script, 100.0 * history[i].test_accuracy);
        write_number(script, history[i].test_loss);
        fputc('\n', script);
    }
    fputs("EOD\n", script);
}

/* Left to itself gnuplot puts ticks between few epochs, and has no width to show for a single one. */
static void write_epoch_axis(FILE *script, int64_t epochs)
{
    fputs("set xlabel 'epoch'\nset format x '%.0f'\n", script);
    if (epochs > 1)
        fprintf(script, "set xrange [1:%" PRId64 "]\n", epochs);
    else
        fputs("set xrange [0.5:1.5]\n", script);
    fputs(epochs <= MOST_SINGLE_TICKS ? "set xtics 1,1\n" : "set xtics autofreq\n", script);
}

static void write_loss_range(FILE *script, const gg_epoch_result *history, int64_t count)
{
    double most = 0.0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fmax(history[i].train_loss, history[i].test_loss)); /* fmax passes NaN over */
    fputs(most > 0.0 ? "set yrange [0:*]\n" : "set yrange [0:1]\n", script);
}

/* gnuplot warns of a range without extent, which one epoch has, and several of the same accuracy. */
static void write_accuracy_range(FILE *script, const gg_epoch_result *history, int64_t count)
{
    double least = 100.0, most = 0.0;
    for (int64_t i = 0; i < count; i++) {
        least = fmin(least, 100.0 * history[i].test_accuracy);
        most = fmax(most, 100.0 * history[i].test_accuracy);
    }
    if (most - least >= LEAST_EXTENT)
        fputs("set yrange [*:*]\n", script);
    else
        fprintf(script, "set yrange [%.6g:%.6g]\n", fmax(0.0, least - MARGIN), fmin(100.0, most + MARGIN));
}

/* Loss and accuracy in the two places "origin; size" of the picture; few epochs are shown as points too. */
static void write_curves(FILE *script, const gg_epoch_result *history, int64_t count, const char *loss_place,
                         const char *accuracy_place)
{
    const char *with = count <= 40 ? "linespoints pointtype 7 pointsize 0.7" : "lines";
    const bool tested = !isnan(history[count - 1].test_loss);
    write_epoch_axis(script, count);
    fputs(tested ? "set key top right noautotitle textcolor rgb '#303030'\n" : "set key off\n", script);
    fprintf(script, "%s\nset title '%s'\nset ylabel 'cross-entropy'\n", loss_place, tested ? "Loss" : "Training loss");
    write_loss_range(script, history, count);
    fprintf(script, "plot $history using 1:2 with %s linewidth 2.2 linecolor rgb '#0072b2'", with);
    if (tested) {
        fprintf(script, " title 'training', $history using 1:4 with %s linewidth 2.2", with);
        fputs(" linecolor rgb '#009e73' title 'test'", script);
    }
    fputc('\n', script);
    if (isnan(history[count - 1].test_accuracy))
        return;
    fputs("set key off\n", script);
    fprintf(script, "%s\nset title 'Test accuracy'\nset ylabel 'correct, %%'\n", accuracy_place);
    write_accuracy_range(script, history, count);
    fprintf(script, "plot $history using 1:3 with %s linewidth 2.2 linecolor rgb '#d55e00'\n", with);
}

static void write_regions(FILE *script, double reach, int classes)
{
    static const int shapes[GG_PLANE_CLASSES] = {7, 9, 5, 13, 11, 15};
    fprintf(script,
            "set origin 0,0\nset size 0.52,0.93\nset xrange [%g:%g]\nset yrange [%g:%g]\nset size ratio 1\n"
            "set title 'What the network decides'\nset xlabel 'x'\nset ylabel 'y'\nset format x '%%g'\n"
            "plot $regions using 1:2:3:4:5 with rgbimage",
            -reach, reach, -reach, reach);
    for (int k = 0; k < classes; k++) {
        const char *points =
            "$points using ($3==%d?$1:NaN):2 with points pointtype %d pointsize %g linecolor rgb '#%06x'";
        fputs(", ", script);
        fprintf(script, points, k, shapes[k], 1.15, 0xffffffu);
        fputs(", ", script);
        fprintf(script, points, k, shapes[k], 0.8, gg_plane_colours[k]);
    }
    fputs("\nset size noratio\n", script);
}

static void write_title(FILE *script, const gg_run *run, const gg_epoch_result *history, int64_t count)
{
    const char *name = run->settings.task->name;
    const double accuracy = history[count - 1].test_accuracy;
    fprintf(script, "set multiplot title \"{/:Bold %s}   %" PRId64 " epoch%s", name, count, count == 1 ? "" : "s");
    const double loss = history[count - 1].test_loss;
    if (!isnan(loss))
        fprintf(script, ", perplexity %.4g on the test set", exp(loss));
    if (!isnan(accuracy))
        fprintf(script, ", %.2f %% %s", 100.0 * accuracy,
                run->feed.accuracy != NULL ? run->feed.accuracy : "correct on the test set");
    fputs("\" font ',14' offset 0,-0.2\n", script);
}

static gg_status write_training(FILE *script, const void *what)
{
    const gg_run *run = what;
    int64_t count = 0;
    const gg_epoch_result *history = gg_trainer_history(run->trainer, &count);
    const bool plane = gg_plane_possible(run), images = gg_sheet_possible(run);
    gg_status status = GG_OK;
    double reach = 1.0;
    gg_sheet sheet;
    write_history(script, history, count);
    if (plane)
        status = gg_plane_write(script, &reach, run);
    else if (images)
        status = gg_sheet_write(script, &sheet, run);
    if (status != GG_OK)
        return status;
    write_title(script, run, history, count);
    if (plane) {
        write_regions(script, reach, run->data.classes);
        write_curves(script, history, count, "set origin 0.53,0.47\nset size 0.46,0.46",
                     "set origin 0.53,0\nset size 0.46,0.46");
    } else if (images) {
        write_curves(script, history, count, "set origin 0,0.5\nset size 0.5,0.44",
                     "set origin 0.5,0.5\nset size 0.5,0.44");
        gg_sheet_plot(script, &sheet);
    } else if (run->feed.plot != NULL) {
        write_curves(script, history, count, "set origin 0,0.46\nset size 0.4,0.47",
                     "set origin 0,0\nset size 0.4,0.47");
        fputs("set origin 0.41,0\nset size 0.58,0.93\n", script);
        status = run->feed.plot(script, run->net.model, run->feed.own);
    } else {
        const bool alone = isnan(history[count - 1].test_accuracy);
        write_curves(script, history, count,
                     alone ? "set origin 0,0\nset size 1,0.92" : "set origin 0,0\nset size 0.5,0.92",
                     "set origin 0.5,0\nset size 0.5,0.92");
    }
    fputs("unset multiplot\n", script);
    return status;
}

enum { QUOTED_BYTES = 2 * GG_PATH_BYTES };

/* A gnuplot string: in single quotes, those within doubled. */
static void quote(char out[QUOTED_BYTES], const char *text)
{
    size_t used = 0;
    out[used++] = '\'';
    for (; *text != '\0' && used + 4 < QUOTED_BYTES; text++) {
        if (*text == '\'')
            out[used++] = '\'';
        out[used++] = *text;
    }
    out[used++] = '\'';
    out[used] = '\0';
}

/* One picture: what the caller of gg_plot_picture asked for. */
typedef struct picture {
    const char *size;
    gg_status (*write)(FILE *script, const void *what);
    const void *what;
} picture;

static gg_status draw(const char *file, const picture *p)
{
    char quoted[QUOTED_BYTES];
    const char *terminal = NULL;
    gg_gnuplot plot;
    gg_status status = gg_gnuplot_terminal(&terminal);
    if (status == GG_OK)
        status = gg_gnuplot_open(&plot);
    if (status != GG_OK)
        return status;
    quote(quoted, file);
    fprintf(plot.script, "set terminal %s size %s font 'sans,11' background rgb 'white'\nset output ", terminal,
            p->size);
    fputs(quoted, plot.script);
    fputc('\n', plot.script);
    fputs(gg_plot_style, plot.script);
    status = p->write(plot.script, p->what);
    fputs("set output\n", plot.script);
    const gg_status closed = gg_gnuplot_close(&plot);
    return status != GG_OK ? status : closed;
}

gg_status gg_plot_picture(const char *path, const char *size, gg_status (*write)(FILE *script, const void *what),
                          const void *what)
{
    char temporary[GG_PATH_BYTES];
    const int file = gg_output_temporary(temporary, path);
    if (file < 0)
        return GG_ERR_IO;
    close(file);
    const gg_status status = draw(temporary, &(picture){size, write, what});
    if (status == GG_OK)
        return gg_output_replace(temporary, path);
    unlink(temporary);
    return status;
}

gg_status gg_plot_draw(const char *path, const gg_run *run)
{
    const char *size = gg_plane_possible(run) || run->feed.plot != NULL ? "1200,620"
                       : gg_sheet_possible(run)                         ? "1200,860"
                                                                        : "1200,480";
    return gg_plot_picture(path, size, write_training, run);
}
