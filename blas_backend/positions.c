/* positions.c - tables of sines and cosines, tables added to rows and summed over them, rotations of heads. */
#include <gemmgrad/positions.h>

#include <math.h>
#include <stddef.h>

#include "kernels/kernels.h"
#include "matrix_check.h"
#include "parallel.h"

enum {
    GRAIN = 32768, /* elements that outweigh waking a thread */
    RESTART = 64   /* positions from one call of sin and cos to the next: between them, angles are added */
};

static const double SINUSOIDAL_BASE = 10000.0;

/* ---- tables ---- */

typedef struct table_job {
    float *table;
    int64_t first, positions, features;
    double base;
    int64_t cosine, sine, pair; /* columns of pair i: cosine + i pair, sine + i pair */
} table_job;

/* Pair i at every position: the angle grows by the same step, a rotation of (cos, sin). */
static void fill_pair(const table_job *job, int64_t i)
{
    const double step = pow(job->base, -2.0 * (double)i / (double)job->features);
    const double c = cos(step), s = sin(step);
    const int64_t cosine_at = job->cosine + i * job->pair, sine_at = job->sine + i * job->pair;
    double x = 1.0, y = 0.0;
    for (int64_t p = 0; p < job->positions; p++) {
        if (p % RESTART == 0) {
            x = cos((double)(job->first + p) * step);
            y = sin((double)(job->first + p) * step);
        }
        if (cosine_at < job->features)
            job->table[p * job->features + cosine_at] = (float)x;
        job->table[p * job->features + sine_at] = (float)y;
        const double turned = x * c - y * s;
        y = y * c + x * s;
        x = turned;
    }
}

static void fill_pairs(void *context, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++)
        fill_pair(context, i);
}

static gg_status fill(const char *function, table_job *job)
{
    gg_status status =
        gg_check_sizes(function, "first, positions, features", job->first, job->positions, job->features);
    if (status == GG_OK)
        status = gg_check_matrix(
            function, &(gg_matrix_argument){"table", job->table, job->positions, job->features, job->features});
    if (status == GG_OK && job->positions > 0)
        gg_parallel_for((job->features + 1) / 2, GRAIN / 8 / job->positions + 1, 1, fill_pairs, job);
    return status;
}

gg_status gg_sinusoidal_table(float *table, int64_t first, int64_t positions, int64_t features)
{
    table_job job = {table, first, positions, features, SINUSOIDAL_BASE, .cosine = 1, .sine = 0, .pair = 2};
    return fill("gg_sinusoidal_table", &job);
}

gg_status gg_rotary_table(float *turns, int64_t first, int64_t positions, int64_t width, float base)
{
    if (!(base >= 0.0f && base < INFINITY))
        return gg_fail(GG_ERR_ARGUMENT, "gg_rotary_table: base is %g, expected above 0, or 0 for 10000", (double)base);
    if (width % 2 != 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_rotary_table: width is %lld, expected an even number", (long long)width);
    table_job job = {
        turns,    first, positions, width, base > 0.0f ? (double)base : SINUSOIDAL_BASE, .cosine = 0, .sine = width / 2,
        .pair = 1};
    return fill("gg_rotary_table", &job);
}

/* ---- rows ---- */

typedef struct rows_job {
    float *y;
    const float *x, *table;
    int64_t ldy, ldx, rows, cols, positions, together;
    int64_t heads, width;
    float sign;
    bool accumulate;
} rows_job;

/* Whether rows can have positions. */
static gg_status check_positions(const char *function, const rows_job *job)
{
    const gg_status status = gg_check_sizes(function, "rows, cols, positions", job->rows, job->cols, job->positions);
    if (status != GG_OK || job->rows == 0 || (job->positions > 0 && job->together > 0))
        return status;
    return gg_fail(GG_ERR_ARGUMENT, "%s: positions = %lld, together = %lld, expected 1 or more with rows = %lld",
                   function, (long long)job->positions, (long long)job->together, (long long)job->rows);
}

static const float *entry_of(const rows_job *job, int64_t row)
{
    return job->table + row / job->together % job->positions * job->cols;
}

static void add_rows(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    for (int64_t r = begin; r < end; r++)
        gg_kernels()->add(job->y + r * job->cols, job->x + r * job->cols, entry_of(job, r), job->cols);
}

gg_status gg_add_positions(float *y, const float *x, const float *table, int64_t rows, int64_t cols, int64_t positions,
                           int64_t together)
{
    static const char name[] = "gg_add_positions";
    rows_job job = {.y = y, .x = x, .table = table, .rows = rows, .cols = cols};
    job.positions = positions;
    job.together = together;
    gg_status status = check_positions(name, &job);
    if (status == GG_OK)
        status = gg_check_matrix(name, &(gg_matrix_argument){"y", y, rows, cols, cols});
    if (status == GG_OK)
        status = gg_check_matrix(name, &(gg_matrix_argument){"x", x, rows, cols, cols});
    if (status == GG_OK && rows > 0)
        status = gg_check_matrix(name, &(gg_matrix_argument){"table", table, positions, cols, cols});
    if (status == GG_OK && cols > 0)
        gg_parallel_for(rows, GRAIN / cols + 1, 1, add_rows, &job);
    return status;
}

/* The rows of position p lie in runs of `together`, one for each turn through all positions. */
static void sum_position(const rows_job *job, int64_t p)
{
    bool add = job->accumulate;
    float *sum = job->y + p * job->cols;
    for (int64_t first = p * job->together; first < job->rows; first += job->positions * job->together) {
        const int64_t count = job->rows - first < job->together ? job->rows - first : job->together;
        gg_kernels()->sum_rows(sum, job->x + first * job->cols, job->cols, count, job->cols, add);
        add = true;
    }
    if (!add)
        gg_kernels()->fill(sum, job->cols, 0.0f);
}

static void sum_positions(void *context, int64_t begin, int64_t end)
{
    for (int64_t p = begin; p < end; p++)
        sum_position(context, p);
}

gg_status gg_sum_positions(float *dtable, const float *dy, int64_t rows, int64_t cols, int64_t positions,
                           int64_t together, bool accumulate)
{
    static const char name[] = "gg_sum_positions";
    rows_job job = {.y = dtable, .x = dy, .rows = rows, .cols = cols, .accumulate = accumulate};
    job.positions = positions;
    job.together = together > 0 ? together : rows == 0 ? 1 : together;
    gg_status status = check_positions(name, &job);
    if (status == GG_OK)
        status = gg_check_matrix(name, &(gg_matrix_argument){"dtable", dtable, positions, cols, cols});
    if (status == GG_OK)
        status = gg_check_matrix(name, &(gg_matrix_argument){"dy", dy, rows, cols, cols});
    if (status == GG_OK && cols > 0 && positions > 0)
        gg_parallel_for(positions, GRAIN / cols / (rows / positions + 1) + 1, 1, sum_positions, &job);
    return status;
}

static void rotate_rows(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    for (int64_t r = begin; r < end; r++) {
        const float *turns = job->table + r / job->together % job->positions * job->width;
        gg_kernels()->rotate_heads(job->y + r * job->ldy, job->x + r * job->ldx, turns, job->heads, job->width / 2,
                                   job->sign, job->accumulate);
    }
}

gg_status gg_rotary(float *y, int64_t ldy, const float *x, int64_t ldx, const float *turns, int64_t rows, int64_t heads,
                    int64_t width, int64_t positions, int64_t together, bool inverse, bool accumulate)
{
    static const char name[] = "gg_rotary";
    gg_status status = gg_check_sizes(name, "rows, heads, width", rows, heads, width);
    if (status != GG_OK)
        return status;
    if (width % 2 != 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_rotary: width is %lld, expected an even number", (long long)width);
    rows_job job = {.y = y, .x = x, .table = turns, .ldy = ldy, .ldx = ldx, .rows = rows, .heads = heads};
    job.cols = heads * width; /* both fit 32 bits */
    job.width = width;
    job.positions = positions;
    job.together = together;
    job.sign = inverse ? -1.0f : 1.0f;
    job.accumulate = accumulate;
    status = check_positions(name, &job);
    if (status == GG_OK)
        status = gg_check_matrix(name, &(gg_matrix_argument){"y", y, rows, job.cols, ldy});
    if (status == GG_OK)
        status = gg_check_matrix(name, &(gg_matrix_argument){"x", x, rows, job.cols, ldx});
    if (status == GG_OK && rows > 0)
        status = gg_check_matrix(name, &(gg_matrix_argument){"turns", turns, positions, width, width});
    if (status == GG_OK && job.cols > 0)
        gg_parallel_for(rows, GRAIN / job.cols + 1, 1, rotate_rows, &job);
    return status;
}
