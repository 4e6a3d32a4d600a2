/* sheet.c - see sheet.h. A dot is drawn as a pixel of gnuplot's rgbimage; what lies between the pictures is white. */
#include "sheet.h"

#include <inttypes.h>
#include <math.h>

enum { MOST_FILTERS = 64, FILTER_COLUMNS = 8, TAP_DOTS = 4, FILTER_GAP = 4 };
enum { GAP = 6, LINE_OF_TEXT = 14 }; /* between the misread images: beside, and above for their labels */

bool gg_sheet_possible(const gg_run *run)
{
    return run->data.height > 0 && run->data.width > 0;
}

static gg_sheet_grid make_grid(int64_t count, int64_t columns, int64_t cell_width, int64_t cell_height)
{
    const int64_t used = count < columns ? count : columns;
    return (gg_sheet_grid){count, used, used > 0 ? (count + used - 1) / used : 0, cell_width, cell_height};
}

/* ---- grids ---- */

typedef struct dot {
    double red, green, blue; /* 0 to 1 */
} dot;

/* The colour of dot (x, y) of a grid. */
typedef dot colour_of(const void *context, const gg_sheet_grid *grid, int64_t x, int64_t y);

static void write_grid(FILE *script, const char *name, const gg_sheet_grid *grid, colour_of *colour,
                       const void *context)
{
    const int64_t width = grid->columns * grid->cell_width, height = grid->rows * grid->cell_height;
    fprintf(script, "%s << EOD\n", name);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            const dot d = colour(context, grid, x, y);
            fprintf(script, "%" PRId64 " %" PRId64 " %.0f %.0f %.0f\n", x, y, 255.0 * d.red, 255.0 * d.green,
                    255.0 * d.blue);
        }
    fputs("EOD\n", script);
}

static int64_t cell_at(const gg_sheet_grid *grid, int64_t x, int64_t y)
{
    return y / grid->cell_height * grid->columns + x / grid->cell_width;
}

static const dot white = {1.0, 1.0, 1.0}, frame = {0.9, 0.9, 0.9};

/* ---- filters ---- */

typedef struct filters {
    const float *taps;
    int64_t height, width;
    double largest;
} filters;

/* Blue below 0, white at 0, orange above. */
static dot filter_colour(const void *context, const gg_sheet_grid *grid, int64_t x, int64_t y)
{
    static const dot above = {0.835, 0.369, 0.0}, below = {0.0, 0.447, 0.698};
    const filters *f = context;
    const int64_t cell = cell_at(grid, x, y);
    const int64_t dot_x = x % grid->cell_width - FILTER_GAP / 2, dot_y = y % grid->cell_height - FILTER_GAP / 2;
    const int64_t column = dot_x / TAP_DOTS, row = dot_y / TAP_DOTS;
    if (cell >= grid->count)
        return white;
    if (dot_x < 0 || dot_y < 0 || column >= f->width || row >= f->height)
        return frame;
    const double value = (double)f->taps[(cell * f->height + row) * f->width + column] / f->largest;
    const dot end = value > 0.0 ? above : below;
    const double share = isfinite(value) ? fabs(value) : 1.0;
    return (dot){1.0 - share * (1.0 - end.red), 1.0 - share * (1.0 - end.green), 1.0 - share * (1.0 - end.blue)};
}

/* The first parameter, if it is a convolution of images of one channel. */
static void write_filters(FILE *script, gg_sheet_grid *grid, gg_model *model)
{
    gg_parameter p;
    if (gg_model_parameter(model, 0, &p) != GG_OK || p.rank != 4 || p.dims[1] != 1)
        return;
    filters f = {gg_model_parameters(model) + p.offset, p.dims[2], p.dims[3], 1e-30};
    for (int64_t i = 0; i < p.size; i++)
        f.largest = fmax(f.largest, fabs((double)f.taps[i]));
    *grid = make_grid(p.dims[0] < MOST_FILTERS ? p.dims[0] : MOST_FILTERS, FILTER_COLUMNS,
                      f.width * TAP_DOTS + FILTER_GAP, f.height * TAP_DOTS + FILTER_GAP);
    write_grid(script, "$filters", grid, filter_colour, &f);
}

/* ---- mistakes ---- */

typedef struct mistakes {
    const gg_run *run;
    int64_t samples[GG_SHEET_MISTAKES];
} mistakes;

/* The digit dark on a white ground, its label's line above it. */
static dot mistake_colour(const void *context, const gg_sheet_grid *grid, int64_t x, int64_t y)
{
    const mistakes *m = context;
    const gg_task_data *data = &m->run->data;
    const int64_t cell = cell_at(grid, x, y);
    const int64_t column = x % grid->cell_width - GAP / 2, row = y % grid->cell_height - LINE_OF_TEXT;
    if (cell >= grid->count || column < 0 || column >= data->width || row < 0 || row >= data->height)
        return white;
    const double ink = (double)data->test_x[m->samples[cell] * data->features + row * data->width + column];
    const double light = 1.0 - 0.85 * fmin(fmax(ink, 0.0), 1.0) - 0.06;
    return (dot){light, light, light};
}

static int32_t best_class(const float *scores, int classes)
{
    int32_t best = 0;
    for (int32_t k = 1; k < classes; k++)
        if (scores[k] > scores[best])
            best = k;
    return best;
}

/* Note which of `count` test samples from `first` on the network misreads. */
static gg_status look_at(gg_sheet *sheet, mistakes *m, int64_t first, int64_t count)
{
    const gg_run *run = m->run;
    gg_model *model = run->net.model;
    gg_status status = gg_model_set_extent(model, GG_BATCH, count);
    if (status == GG_OK)
        status = gg_model_bind(model, run->net.input, run->data.test_x + first * run->data.features);
    if (status == GG_OK)
        status = gg_model_forward(model, run->net.scores, GG_INFER);
    if (status != GG_OK)
        return status;
    const float *scores = gg_model_data(model, run->net.scores);
    for (int64_t i = 0; i < count; i++) {
        const int32_t truth = run->data.test_labels[first + i];
        const int32_t guess = best_class(scores + i * run->data.classes, run->data.classes);
        if (guess == truth)
            continue;
        if (sheet->misread < GG_SHEET_MISTAKES) {
            m->samples[sheet->misread] = first + i;
            sheet->truth[sheet->misread] = truth;
            sheet->guess[sheet->misread] = guess;
        }
        sheet->misread++;
    }
    return GG_OK;
}

gg_status gg_sheet_write(FILE *script, gg_sheet *sheet, const gg_run *run)
{
    const int64_t batch = run->settings.batch, count = run->data.test_count;
    mistakes m = {.run = run};
    gg_status status = GG_OK;
    *sheet = (gg_sheet){.misread = 0};
    write_filters(script, &sheet->filters, run->net.model);
    for (int64_t first = 0; first < count && status == GG_OK; first += batch)
        status = look_at(sheet, &m, first, count - first < batch ? count - first : batch);
    if (status != GG_OK)
        return status;
    const int64_t shown = sheet->misread < GG_SHEET_MISTAKES ? sheet->misread : GG_SHEET_MISTAKES;
    sheet->mistakes = make_grid(shown, sheet->filters.count > 0 ? 8 : 12, run->data.width + GAP,
                                run->data.height + LINE_OF_TEXT + GAP);
    if (shown > 0)
        write_grid(script, "$mistakes", &sheet->mistakes, mistake_colour, &m);
    return GG_OK;
}

/* ---- plots ---- */

/* Squares of dots, no axes. */
static void plot_grid(FILE *script, const char *name, const gg_sheet_grid *grid)
{
    fprintf(script,
            "unset border\nunset tics\nunset xlabel\nunset ylabel\nset size ratio -1\n"
            "set xrange [-0.5:%" PRId64 ".5]\nset yrange [%" PRId64 ".5:-0.5]\n"
            "plot %s using 1:2:3:4:5 with rgbimage\nset size noratio\nunset label\n",
            grid->columns * grid->cell_width - 1, grid->rows * grid->cell_height - 1, name);
}

void gg_sheet_plot(FILE *script, const gg_sheet *sheet)
{
    const bool both = sheet->filters.count > 0;
    if (both) {
        fputs("set origin 0.01,0\nset size 0.37,0.5\nset title 'Filters of the first layer (orange: above 0)'\n",
              script);
        plot_grid(script, "$filters", &sheet->filters);
    }
    const gg_sheet_grid *grid = &sheet->mistakes;
    if (grid->count == 0)
        return;
    fprintf(script,
            "set origin %s,0\nset size %s,0.5\nset title '%" PRId64 " of %" PRId64
            " misread in the test set: what each is, and as what it was read'\n",
            both ? "0.39" : "0.01", both ? "0.6" : "0.98", (int64_t)grid->count, sheet->misread);
    for (int64_t i = 0; i < grid->count; i++)
        fprintf(script, "set label '%d as %d' at %g,%g center front font ',10' textcolor rgb '#303030'\n",
                (int)sheet->truth[i], (int)sheet->guess[i],
                ((double)(i % grid->columns) + 0.5) * (double)grid->cell_width - 0.5,
                (double)(i / grid->columns * grid->cell_height) + 0.5 * LINE_OF_TEXT);
    plot_grid(script, "$mistakes", grid);
}
