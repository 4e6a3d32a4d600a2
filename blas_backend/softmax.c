/* softmax.c - softmax, log-sum-exp and cross-entropy by rows: checks, then the kernels, on several threads where
 * that pays. */
#include <gemmgrad/softmax.h>

#include <stdbool.h>
#include <stddef.h>

#include "backend.h"
#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

/* An element costs some 0.3 ns: this many outweigh the 10 us that waking a thread takes. */
enum { GRAIN = 32768 };

/* The kernels take 32 narrow rows at a time. */
enum { ROW_GROUP = 32 };

/* A loss of 2 GRAIN elements or more is cut into at most this many parts, which the shape alone decides. */
enum { LOSS_PARTS = 64 };

static gg_status fail_size(const char *function, int64_t rows, int64_t cols)
{
    return gg_fail(GG_ERR_OVERFLOW, "%s: rows = %lld times cols = %lld floats exceed any memory", function,
                   (long long)rows, (long long)cols);
}

/* rows * cols floats, or -1 where no array can have so many. */
static inline int64_t size_of(int64_t rows, int64_t cols)
{
    int64_t size;
    return __builtin_mul_overflow(rows, cols, &size) || size > GG_MOST_FLOATS ? -1 : size;
}

typedef struct rows_job {
    float *out;
    const float *a, *b;
    int64_t cols;
    gg_writing writing;
} rows_job;

static void run_forward(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    gg_kernels()->softmax_forward(job->out + begin * job->cols, job->a + begin * job->cols, end - begin, job->cols,
                                  job->writing);
}

static void run_backward(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    const int64_t offset = begin * job->cols;
    gg_kernels()->softmax_backward(job->out + offset, job->a + offset, job->b + offset, end - begin, job->cols,
                                   job->writing);
}

static void run_log_sum_exp(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    gg_kernels()->log_sum_exp(job->out + begin, job->a + begin * job->cols, end - begin, job->cols);
}

static inline gg_status run_rows(rows_job job, int64_t rows, int64_t size, gg_range_body body)
{
    if (size < 2 * GRAIN)
        body(&job, 0, rows);
    else
        gg_parallel_for(rows, GRAIN / job.cols + 1, ROW_GROUP, body, &job);
    return GG_OK;
}

gg_status gg_softmax_forward(float *y, const float *x, int64_t rows, int64_t cols)
{
    if (rows < 0 || cols < 0 || (rows > 0 && cols > 0 && (y == NULL || x == NULL)))
        return gg_fail_matrix("gg_softmax_forward", rows, cols, GG_ARGUMENTS({"y", y}, {"x", x}));
    const int64_t size = size_of(rows, cols);
    if (size < 0)
        return fail_size("gg_softmax_forward", rows, cols);
    const bool streams = size > 0 && y != x && gg_policy_streams(y, rows, cols, 2);
    const rows_job job = {y, x, NULL, cols, streams ? GG_STREAM : GG_OVERWRITE};
    return size == 0 ? GG_OK : run_rows(job, rows, size, run_forward);
}

gg_status gg_softmax_backward(float *dx, const float *dy, const float *y, int64_t rows, int64_t cols)
{
    if (rows < 0 || cols < 0 || (rows > 0 && cols > 0 && (dx == NULL || dy == NULL || y == NULL)))
        return gg_fail_matrix("gg_softmax_backward", rows, cols, GG_ARGUMENTS({"dx", dx}, {"dy", dy}, {"y", y}));
    const int64_t size = size_of(rows, cols);
    if (size < 0)
        return fail_size("gg_softmax_backward", rows, cols);
    const bool streams = size > 0 && dx != dy && dx != y && gg_policy_streams(dx, rows, cols, 3);
    const rows_job job = {dx, dy, y, cols, streams ? GG_STREAM : GG_OVERWRITE};
    return size == 0 ? GG_OK : run_rows(job, rows, size, run_backward);
}

gg_status gg_log_sum_exp(float *out, const float *x, int64_t rows, int64_t cols)
{
    if (rows < 0 || cols < 0 || (rows > 0 && cols > 0 && (out == NULL || x == NULL)))
        return gg_fail_matrix("gg_log_sum_exp", rows, cols, GG_ARGUMENTS({"out", out}, {"x", x}));
    const int64_t size = size_of(rows, cols);
    if (size < 0)
        return fail_size("gg_log_sum_exp", rows, cols);
    return size == 0 ? GG_OK : run_rows((rows_job){out, x, NULL, cols, GG_OVERWRITE}, rows, size, run_log_sum_exp);
}

typedef struct loss_job {
    float *dx;
    const float *x, *targets;
    const int32_t *labels; /* or NULL: targets */
    int64_t rows, cols;
    float scale;
    int64_t height; /* rows of a part */
    double loss[LOSS_PARTS];
    int64_t counted[LOSS_PARTS];
} loss_job;

static void run_loss_part(loss_job *job, int64_t part)
{
    const int64_t first = part * job->height;
    const int64_t rows = job->rows - first < job->height ? job->rows - first : job->height;
    const int64_t offset = first * job->cols;
    float *dx = job->dx != NULL ? job->dx + offset : NULL;
    job->counted[part] = 0;
    if (job->labels != NULL)
        job->loss[part] = gg_kernels()->cross_entropy(dx, &job->counted[part], job->x + offset, job->labels + first,
                                                      rows, job->cols, job->scale);
    else
        job->loss[part] = gg_kernels()->cross_entropy_targets(dx, job->x + offset, job->targets + offset, rows,
                                                              job->cols, job->scale);
}

static void run_loss(void *context, int64_t begin, int64_t end)
{
    for (int64_t part = begin; part < end; part++)
        run_loss_part(context, part);
}

static void run_loss_threads(loss_job *job)
{
    const int64_t groups = (job->rows + ROW_GROUP - 1) / ROW_GROUP;
    job->height = (groups + LOSS_PARTS - 1) / LOSS_PARTS * ROW_GROUP;
    const int64_t parts = (job->rows + job->height - 1) / job->height;
    gg_parallel_for(parts, GRAIN / (job->height * job->cols) + 1, 1, run_loss, job);
    for (int64_t part = 1; part < parts; part++) {
        job->loss[0] += job->loss[part];
        job->counted[0] += job->counted[part];
    }
}

/* loss[0] and counted[0] of the job receive the sums. */
static inline void run_loss_rows(loss_job *job, int64_t size)
{
    if (size < 2 * GRAIN) {
        job->height = job->rows;
        run_loss_part(job, 0);
    } else {
        run_loss_threads(job);
    }
}

/* The first row whose label is no class, or rows. */
static int64_t bad_label(const int32_t *labels, int64_t rows, int64_t cols)
{
    int64_t row = 0;
    while (row < rows && labels[row] >= GG_IGNORE_LABEL && labels[row] < cols)
        row++;
    return row;
}

gg_status gg_softmax_cross_entropy(double *loss, int64_t *counted, float *dx, const float *x, const int32_t *labels,
                                   int64_t rows, int64_t cols, float scale)
{
    if (rows < 0 || cols < 0 || (rows > 0 && cols > 0 && (x == NULL || labels == NULL)))
        return gg_fail_matrix("gg_softmax_cross_entropy", rows, cols, GG_ARGUMENTS({"x", x}, {"labels", labels}));
    const int64_t size = size_of(rows, cols);
    if (size < 0)
        return fail_size("gg_softmax_cross_entropy", rows, cols);
    loss_job job;
    job.loss[0] = 0.0;
    job.counted[0] = 0;
    if (size > 0) {
        const int64_t row = bad_label(labels, rows, cols);
        if (row < rows)
            return gg_fail(GG_ERR_ARGUMENT, "gg_softmax_cross_entropy: labels[%lld] is %d, expected %d or 0 to %lld",
                           (long long)row, (int)labels[row], GG_IGNORE_LABEL, (long long)cols - 1);
        job.dx = dx;
        job.x = x;
        job.labels = labels;
        job.rows = rows;
        job.cols = cols;
        job.scale = scale;
        run_loss_rows(&job, size);
    }
    if (loss != NULL)
        *loss = job.loss[0];
    if (counted != NULL)
        *counted = job.counted[0];
    return GG_OK;
}

gg_status gg_softmax_cross_entropy_targets(double *loss, float *dx, const float *x, const float *targets, int64_t rows,
                                           int64_t cols, float scale)
{
    if (rows < 0 || cols < 0 || (rows > 0 && cols > 0 && (x == NULL || targets == NULL)))
        return gg_fail_matrix("gg_softmax_cross_entropy_targets", rows, cols,
                              GG_ARGUMENTS({"x", x}, {"targets", targets}));
    const int64_t size = size_of(rows, cols);
    if (size < 0)
        return fail_size("gg_softmax_cross_entropy_targets", rows, cols);
    loss_job job;
    job.loss[0] = 0.0;
    if (size > 0) {
        job.dx = dx;
        job.x = x;
        job.targets = targets;
        job.labels = NULL;
        job.rows = rows;
        job.cols = cols;
        job.scale = scale;
        run_loss_rows(&job, size);
    }
    if (loss != NULL)
        *loss = job.loss[0];
    return GG_OK;
}
