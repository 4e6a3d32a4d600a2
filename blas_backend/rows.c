/* rows.c - rows picked by number, and copied: checks, and the kernels on several threads where that pays.
 *
 * gather cuts the n rows among the threads. scatter_add cuts the columns: two threads never add to the same float
 * whatever the numbers are, and every float is summed in the order of index. */
#include <gemmgrad/rows.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <gemmgrad/softmax.h>

#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

/* Floats copied or added that outweigh the 10 us of waking a thread; borders on cache lines. */
enum { GRAIN = 32768, LINE = 16 };

typedef struct rows_job {
    float *to;
    const float *from;
    const int32_t *index;
    int64_t n, cols, ld_to, ld_from;
} rows_job;

static gg_status check_index(const char *function, const int32_t *index, int64_t n, int64_t rows)
{
    int64_t i = 0;
    while (i < n && index[i] >= GG_IGNORE_LABEL && index[i] < rows)
        i++;
    if (i == n)
        return GG_OK;
    return gg_fail(GG_ERR_ARGUMENT, "%s: index[%lld] is %d, expected %d or 0 to %lld", function, (long long)i,
                   (int)index[i], GG_IGNORE_LABEL, (long long)rows - 1);
}

static gg_status check(const char *function, const float *table, const float *y, const int32_t *index, int64_t n,
                       int64_t rows, int64_t cols)
{
    if (n < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: n is %lld, expected 0 or more", function, (long long)n);
    if (rows < 0 || cols < 0 || (rows > 0 && cols > 0 && n > 0 && table == NULL))
        return gg_fail_matrix(function, rows, cols, GG_ARGUMENTS({"table", table}));
    if (n > 0 && (index == NULL || (cols > 0 && y == NULL)))
        return gg_fail_array(function, n, GG_ARGUMENTS({"index", index}, {"y", y}));
    if (!gg_fits_matrix(rows, cols, cols) || !gg_fits_matrix(n, cols, cols))
        return gg_fail(GG_ERR_OVERFLOW, "%s: n = %lld, rows = %lld, cols = %lld are more floats than any memory holds",
                       function, (long long)n, (long long)rows, (long long)cols);
    return check_index(function, index, n, rows);
}

static void run_gather(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    const size_t bytes = (size_t)job->cols * sizeof(float);
    for (int64_t i = begin; i < end; i++) {
        if (job->index[i] == GG_IGNORE_LABEL)
            memset(job->to + i * job->cols, 0, bytes);
        else
            memcpy(job->to + i * job->cols, job->from + job->index[i] * job->cols, bytes);
    }
}

gg_status gg_gather_rows(float *y, const float *table, const int32_t *index, int64_t n, int64_t rows, int64_t cols)
{
    const gg_status status = check("gg_gather_rows", table, y, index, n, rows, cols);
    if (status != GG_OK || n == 0 || cols == 0)
        return status;
    rows_job job = {.to = y, .from = table, .index = index, .cols = cols};
    gg_parallel_for(n, GRAIN / cols + 1, 1, run_gather, &job);
    return GG_OK;
}

static void run_scatter(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    const gg_kernel_table *k = gg_kernels();
    for (int64_t i = 0; i < job->n; i++) {
        float *to = job->to + job->index[i] * job->cols + begin;
        if (job->index[i] != GG_IGNORE_LABEL)
            k->add(to, to, job->from + i * job->cols + begin, end - begin);
    }
}

gg_status gg_scatter_add_rows(float *table, const float *y, const int32_t *index, int64_t n, int64_t rows, int64_t cols)
{
    const gg_status status = check("gg_scatter_add_rows", table, y, index, n, rows, cols);
    if (status != GG_OK || n == 0 || cols == 0)
        return status;
    rows_job job = {.to = table, .from = y, .index = index, .n = n, .cols = cols};
    gg_parallel_for(cols, GRAIN / n + 1, LINE, run_scatter, &job);
    return GG_OK;
}

static void run_copy(void *context, int64_t begin, int64_t end)
{
    const rows_job *job = context;
    gg_kernels()->copy_rows(job->to + begin * job->ld_to, job->ld_to, job->from + begin * job->ld_from, job->ld_from,
                            end - begin, job->cols);
}

gg_status gg_copy_rows(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t n, int64_t cols)
{
    static const char function[] = "gg_copy_rows";
    if (n < 0 || cols < 0 || (n > 0 && cols > 0 && (y == NULL || x == NULL)))
        return gg_fail_matrix(function, n, cols, GG_ARGUMENTS({"y", y}, {"x", x}));
    if (ldy < cols || ldx < cols)
        return gg_fail(GG_ERR_SHAPE, "%s: %s is %lld, expected at least cols = %lld", function,
                       ldy < cols ? "ldy" : "ldx", (long long)(ldy < cols ? ldy : ldx), (long long)cols);
    if (!gg_fits_matrix(n, cols, ldy) || !gg_fits_matrix(n, cols, ldx))
        return gg_fail(GG_ERR_OVERFLOW,
                       "%s: n = %lld, cols = %lld, ldy = %lld, ldx = %lld are more floats than any "
                       "memory holds",
                       function, (long long)n, (long long)cols, (long long)ldy, (long long)ldx);
    rows_job job = {.to = y, .from = x, .cols = cols, .ld_to = ldy, .ld_from = ldx};
    if (n > 0 && cols > 0)
        gg_parallel_for(n, GRAIN / cols + 1, 1, run_copy, &job);
    return GG_OK;
}
