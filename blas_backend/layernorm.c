/* layernorm.c - layer and RMS normalisation: checks, then the kernels, rows shared out among the threads.
 *
 * Backward sums over rows while dx is made, so that memory gives dy and x once: rows are cut into parts, as the shape
 * alone decides, each part has sums of its own in the workspace, and these are added in order. */
#include <gemmgrad/layernorm.h>

#include <math.h>
#include <stddef.h>

#include "backend.h"
#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

enum {
    GRAIN = 32768,    /* elements that outweigh waking a thread */
    MOST_PARTS = 64,  /* of the rows */
    LEAST_HEIGHT = 16 /* rows of a part, whose sums then cost little beside them */
};

static const float DEFAULT_EPSILON = 1e-5f;

typedef struct rows_job {
    float *out; /* y or dx */
    float *mean, *inverse;
    const float *x, *dy, *gamma, *beta, *given_mean, *given_inverse;
    int64_t rows, cols;
    float epsilon;
    bool rms;
    gg_writing writing;

    int64_t height; /* rows of a part */
    float *sums;    /* of part p: dgamma at p * 2 cols, dbeta behind; NULL: not wanted */
    bool dgamma, dbeta;
} rows_job;

static gg_status check(const char *function, rows_job *job, const gg_layernorm_options *options,
                       const gg_argument *arguments)
{
    const float epsilon = options != NULL ? options->epsilon : 0.0f;
    int64_t floats;
    if (job->rows < 0 || job->cols < 0)
        return gg_fail_matrix(function, job->rows, job->cols, arguments);
    if (__builtin_mul_overflow(job->rows, job->cols, &floats) || floats > GG_MOST_FLOATS)
        return gg_fail(GG_ERR_OVERFLOW, "%s: rows = %lld times cols = %lld floats exceed any memory", function,
                       (long long)job->rows, (long long)job->cols);
    for (const gg_argument *a = arguments; a->name != NULL && floats > 0; a++)
        if (a->pointer == NULL)
            return gg_fail_matrix(function, job->rows, job->cols, arguments);
    if (!(epsilon >= 0.0f && epsilon < INFINITY))
        return gg_fail(GG_ERR_ARGUMENT, "%s: epsilon is %g, expected 0 or more", function, (double)epsilon);
    job->epsilon = epsilon > 0.0f ? epsilon : DEFAULT_EPSILON;
    job->rms = options != NULL && options->rms;
    return GG_OK;
}

/* ---- forward ---- */

static void run_forward(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    const int64_t offset = begin * job->cols;
    gg_kernels()->norm_rows(job->out + offset, job->mean != NULL && !job->rms ? job->mean + begin : NULL,
                            job->inverse != NULL ? job->inverse + begin : NULL, job->x + offset, job->gamma, job->beta,
                            end - begin, job->cols, job->epsilon, job->rms, job->writing);
}

gg_status gg_layernorm_forward(float *y, float *mean, float *inverse, const float *x, const float *gamma,
                               const float *beta, int64_t rows, int64_t cols, const gg_layernorm_options *options)
{
    rows_job job = {.out = y, .mean = mean, .inverse = inverse, .x = x, .rows = rows, .cols = cols};
    job.gamma = gamma;
    job.beta = beta;
    const gg_status status = check("gg_layernorm_forward", &job, options, GG_ARGUMENTS({"y", y}, {"x", x}));
    if (status == GG_OK && y != x && gg_policy_streams(y, rows, cols, 2))
        job.writing = GG_STREAM;
    if (status == GG_OK && cols > 0)
        gg_parallel_for(rows, GRAIN / cols + 1, 1, run_forward, &job);
    return status;
}

/* ---- backward ---- */

static int64_t height_of(int64_t rows)
{
    const int64_t height = rows / MOST_PARTS + (rows % MOST_PARTS != 0);
    return height > LEAST_HEIGHT ? height : LEAST_HEIGHT;
}

static int64_t parts_of(int64_t rows)
{
    const int64_t height = height_of(rows);
    return rows / height + (rows % height != 0);
}

gg_status gg_layernorm_workspace(int64_t *floats, int64_t rows, int64_t cols)
{
    if (floats == NULL || rows < 0 || cols < 0)
        return gg_fail_matrix("gg_layernorm_workspace", rows, cols, GG_ARGUMENTS({"floats", floats}));
    int64_t sums;
    const int64_t parts = rows < MOST_PARTS * LEAST_HEIGHT ? parts_of(rows) : MOST_PARTS; /* fewer rows may be more */
    if (__builtin_mul_overflow(2 * parts, cols, &sums) || sums > GG_MOST_FLOATS)
        return gg_fail(GG_ERR_OVERFLOW, "gg_layernorm_workspace: cols = %lld floats exceed any memory",
                       (long long)cols);
    *floats = sums;
    return GG_OK;
}

static void run_part(const rows_job *job, int64_t part)
{
    const gg_kernel_table *kernels = gg_kernels();
    const int64_t first = part * job->height, cols = job->cols, offset = first * cols;
    const int64_t rows = job->rows - first < job->height ? job->rows - first : job->height;
    float *dgamma = job->dgamma ? job->sums + part * 2 * cols : NULL;
    float *dbeta = job->dbeta ? job->sums + (part * 2 + 1) * cols : NULL;
    if (dgamma != NULL)
        kernels->fill(dgamma, cols, 0.0f);
    if (dbeta != NULL)
        kernels->fill(dbeta, cols, 0.0f);
    kernels->norm_rows_gradient(job->out != NULL ? job->out + offset : NULL, dgamma, dbeta, job->dy + offset,
                                job->x + offset, job->rms ? NULL : job->given_mean + first, job->given_inverse + first,
                                job->gamma, rows, cols, job->rms, job->writing);
}

static void run_backward(void *context, int64_t begin, int64_t end)
{
    for (int64_t part = begin; part < end; part++)
        run_part(context, part);
}

/* The parts' sums together. */
static void total(float *to, const float *sums, int64_t parts, int64_t cols, bool add)
{
    if (to == NULL)
        return;
    if (parts > 0)
        gg_kernels()->sum_rows(to, sums, 2 * cols, parts, cols, add);
    else if (!add)
        gg_kernels()->fill(to, cols, 0.0f);
}

static gg_status check_workspace(const rows_job *job, const float *workspace, int64_t given)
{
    const int64_t needed = (job->dgamma || job->dbeta) ? parts_of(job->rows) * 2 * job->cols : 0;
    if (given >= needed && (workspace != NULL || needed == 0))
        return GG_OK;
    return gg_fail(GG_ERR_ARGUMENT,
                   "gg_layernorm_backward: workspace has %lld floats, expected %lld for rows = %lld, "
                   "cols = %lld",
                   (long long)(workspace != NULL ? given : 0), (long long)needed, (long long)job->rows,
                   (long long)job->cols);
}

gg_status gg_layernorm_backward(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                                const float *mean, const float *inverse, const float *gamma, int64_t rows, int64_t cols,
                                const gg_layernorm_options *options, bool add_dx, bool add_parameters, float *workspace,
                                int64_t workspace_floats)
{
    const bool rms = options != NULL && options->rms;
    rows_job job = {.out = dx, .x = x, .dy = dy, .gamma = gamma, .rows = rows, .cols = cols};
    job.given_mean = mean;
    job.given_inverse = inverse;
    job.dgamma = dgamma != NULL;
    job.dbeta = dbeta != NULL;
    job.sums = workspace;
    gg_status status = check("gg_layernorm_backward", &job, options,
                             GG_ARGUMENTS({"dy", dy}, {"x", x}, {"inverse", inverse}, {"mean", rms ? inverse : mean}));
    if (status == GG_OK)
        status = check_workspace(&job, workspace, workspace_floats);
    if (status != GG_OK || cols == 0)
        return status;
    const bool streams = dx != NULL && dx != dy && dx != x && gg_policy_streams(dx, rows, cols, 3);
    job.writing = add_dx ? GG_ADD : streams ? GG_STREAM : GG_OVERWRITE;
    job.height = height_of(rows);
    const int64_t parts = parts_of(rows);
    gg_parallel_for(parts, GRAIN / (job.height * cols) + 1, 1, run_backward, &job);
    total(dgamma, workspace, parts, cols, add_parameters);
    total(dbeta, workspace != NULL ? workspace + cols : NULL, parts, cols, add_parameters);
    return status;
}
