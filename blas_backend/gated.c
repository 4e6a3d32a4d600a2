/* gated.c - SwiGLU: checks, then the kernels by rows, on several threads where that pays. */
#include <gemmgrad/gated.h>

#include <stddef.h>

#include "kernels/kernels.h"
#include "matrix_check.h"
#include "parallel.h"

/* An element costs some nanosecond: this many outweigh waking a thread. */
enum { GRAIN = 16384 };

typedef struct gated_job {
    float *y, *da, *db;
    const float *a, *b, *dy;
    int64_t ldy, lda, ldb, ldda, lddb, lddy, cols;
    bool accumulate;
} gated_job;

static gg_status check(const char *function, int64_t rows, int64_t cols, const gg_matrix_argument *matrices, int count)
{
    gg_status status = gg_check_sizes(function, "rows, cols, 0", rows, cols, 0);
    for (int i = 0; i < count && status == GG_OK; i++) {
        gg_matrix_argument matrix = matrices[i];
        matrix.rows = rows;
        matrix.columns = cols;
        status = gg_check_matrix(function, &matrix);
    }
    return status;
}

static void run_forward(void *context, int64_t begin, int64_t end)
{
    const gated_job *job = context;
    for (int64_t r = begin; r < end; r++)
        gg_kernels()->swiglu(job->y + r * job->ldy, job->a + r * job->lda, job->b + r * job->ldb, job->cols);
}

gg_status gg_swiglu_forward(float *y, int64_t ldy, const float *a, int64_t lda, const float *b, int64_t ldb,
                            int64_t rows, int64_t cols)
{
    const gg_matrix_argument matrices[] = {
        {.name = "y", .data = y, .ld = ldy}, {.name = "a", .data = a, .ld = lda}, {.name = "b", .data = b, .ld = ldb}};
    const gg_status status = check("gg_swiglu_forward", rows, cols, matrices, 3);
    gated_job job = {.y = y, .a = a, .b = b, .ldy = ldy, .lda = lda, .ldb = ldb, .cols = cols};
    if (status == GG_OK && cols > 0)
        gg_parallel_for(rows, GRAIN / cols + 1, 1, run_forward, &job);
    return status;
}

static void run_backward(void *context, int64_t begin, int64_t end)
{
    const gated_job *job = context;
    for (int64_t r = begin; r < end; r++)
        gg_kernels()->swiglu_gradient(job->da + r * job->ldda, job->db + r * job->lddb, job->dy + r * job->lddy,
                                      job->a + r * job->lda, job->b + r * job->ldb, job->cols, job->accumulate);
}

gg_status gg_swiglu_backward(float *da, int64_t ldda, float *db, int64_t lddb, const float *dy, int64_t lddy,
                             const float *a, int64_t lda, const float *b, int64_t ldb, int64_t rows, int64_t cols,
                             bool accumulate)
{
    const gg_matrix_argument matrices[] = {{.name = "da", .data = da, .ld = ldda},
                                           {.name = "db", .data = db, .ld = lddb},
                                           {.name = "dy", .data = dy, .ld = lddy},
                                           {.name = "a", .data = a, .ld = lda},
                                           {.name = "b", .data = b, .ld = ldb}};
    const gg_status status = check("gg_swiglu_backward", rows, cols, matrices, 5);
    gated_job job = {.da = da, .db = db, .a = a, .b = b, .dy = dy, .lda = lda, .ldb = ldb, .cols = cols};
    job.ldda = ldda;
    job.lddb = lddb;
    job.lddy = lddy;
    job.accumulate = accumulate;
    if (status == GG_OK && cols > 0)
        gg_parallel_for(rows, GRAIN / cols + 1, 1, run_backward, &job);
    return status;
}
