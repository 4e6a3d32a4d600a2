/* plane.c - runs the network over a grid of the plane and mixes the classes' colours by their probabilities. */
#include "plane.h"

#include <math.h>

enum { CELLS = 260 }; /* of the grid, each way */

const unsigned gg_plane_colours[GG_PLANE_CLASSES] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9};

bool gg_plane_possible(const gg_run *run)
{
    return run->data.features == 2 && run->data.classes <= GG_PLANE_CLASSES;
}

static double find_reach(const gg_task_data *data)
{
    double most = 0.0;
    for (int64_t i = 0; i < 2 * data->train_count; i++)
        most = fmax(most, fabs((double)data->train_x[i]));
    return 1.1 * most;
}

static double coordinate(int cell, double reach)
{
    return reach * (2.0 * cell / (CELLS - 1) - 1.0);
}

/* One grid point: softmax of the scores, then each colour's distance from white, shares summed and halved. */
static void write_cell(FILE *script, double x, double y, const float *scores, int classes)
{
    double largest = -INFINITY, sum = 0.0, mixed[3] = {0.0};
    for (int k = 0; k < classes; k++)
        largest = fmax(largest, (double)scores[k]);
    for (int k = 0; k < classes; k++)
        sum += exp((double)scores[k] - largest);
    for (int k = 0; k < classes; k++) {
        const double probability = exp((double)scores[k] - largest) / sum;
        for (int channel = 0; channel < 3; channel++)
            mixed[channel] += probability * (gg_plane_colours[k] >> (16 - 8 * channel) & 0xff);
    }
    fprintf(script, "%.4g %.4g", x, y);
    for (int channel = 0; channel < 3; channel++)
        fprintf(script, " %.0f", 255.0 - 0.45 * (255.0 - mixed[channel]));
    fputc('\n', script);
}

/* `count` points from point `first` of the grid on. */
static gg_status write_cells(FILE *script, const gg_run *run, float *points, int64_t first, int64_t count, double reach)
{
    gg_model *model = run->net.model;
    for (int64_t i = 0; i < count; i++) {
        points[2 * i] = (float)coordinate((int)((first + i) % CELLS), reach);
        points[2 * i + 1] = (float)coordinate((int)((first + i) / CELLS), reach);
    }
    gg_status status = gg_model_set_extent(model, GG_BATCH, count);
    if (status == GG_OK)
        status = gg_model_bind(model, run->net.input, points);
    if (status == GG_OK)
        status = gg_model_forward(model, run->net.scores, GG_INFER);
    if (status != GG_OK)
        return status;
    const float *scores = gg_model_data(model, run->net.scores);
    const int classes = run->data.classes;
    for (int64_t i = 0; i < count; i++)
        write_cell(script, (double)points[2 * i], (double)points[2 * i + 1], scores + i * classes, classes);
    return GG_OK;
}

gg_status gg_plane_write(FILE *script, double *reach, const gg_run *run)
{
    const int64_t batch = run->settings.batch, cells = (int64_t)CELLS * CELLS;
    void *points = NULL;
    *reach = find_reach(&run->data);
    gg_status status = gg_alloc(&points, (size_t)batch * 2 * sizeof(float));
    fputs("$regions << EOD\n", script);
    for (int64_t first = 0; status == GG_OK && first < cells; first += batch)
        status = write_cells(script, run, points, first, cells - first < batch ? cells - first : batch, *reach);
    gg_free(points);
    fputs("EOD\n$points << EOD\n", script);
    for (int64_t i = 0; i < run->data.train_count; i++)
        fprintf(script, "%.5g %.5g %d\n", (double)run->data.train_x[2 * i], (double)run->data.train_x[2 * i + 1],
                (int)run->data.train_labels[i]);
    fputs("EOD\n", script);
    return status;
}
