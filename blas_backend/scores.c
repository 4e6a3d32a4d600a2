/* scores.c - vectors against sets of vectors: checks, then the kernels, on several threads where that pays. */
#include <gemmgrad/scores.h>

#include <stddef.h>

#include <gemmgrad/softmax.h>

#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

/* A float of e costs some 0.1 ns from a near cache: this many outweigh the 10 us that waking a thread takes. */
enum { GRAIN = 1 << 17 };

typedef struct sets_job {
    float *out;
    const float *g, *h, *e;
    int64_t count, cols;
    float factor;
    bool accumulate;
} sets_job;

/* GG_OK and *floats = those of e, or a little more; none of the arguments may be NULL when there are samples. */
static gg_status check(int64_t *floats, const char *function, const gg_argument *arguments, int64_t n, int64_t count,
                       int64_t cols)
{
    int64_t vectors;
    if (n < 0 || count < 0 || cols < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: n is %lld, count %lld, cols %lld, expected 0 or more", function,
                       (long long)n, (long long)count, (long long)cols);
    if (__builtin_mul_overflow(n, count > 0 ? count : 1, &vectors)
        || __builtin_mul_overflow(vectors, cols > 0 ? cols : 1, floats) || *floats > GG_MOST_FLOATS)
        return gg_fail(GG_ERR_OVERFLOW, "%s: n = %lld sets of count = %lld vectors of cols = %lld floats", function,
                       (long long)n, (long long)count, (long long)cols);
    for (; n > 0 && arguments->name != NULL; arguments++)
        if (arguments->pointer == NULL)
            return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", function, arguments->name);
    return GG_OK;
}

static void run(const sets_job *job, int64_t n, int64_t floats, gg_range_body body)
{
    sets_job copy = *job;
    const int64_t each = job->count * job->cols;
    if (floats < 2 * GRAIN)
        body(&copy, 0, n);
    else
        gg_parallel_for(n, GRAIN / (each > 0 ? each : 1) + 1, 1, body, &copy);
}

static void run_dot(void *context, int64_t begin, int64_t end)
{
    const sets_job *job = context;
    for (int64_t i = begin; i < end; i++)
        gg_kernels()->dot_rows(job->out + i * job->count, job->h + i * job->cols, job->e + i * job->count * job->cols,
                               job->count, job->cols);
}

static void run_combine(void *context, int64_t begin, int64_t end)
{
    const sets_job *job = context;
    for (int64_t i = begin; i < end; i++)
        gg_kernels()->combine_rows(job->out + i * job->cols, job->g != NULL ? job->g + i * job->count : NULL,
                                   job->e + i * job->count * job->cols, job->count, job->cols, job->factor,
                                   job->accumulate);
}

static void run_spread(void *context, int64_t begin, int64_t end)
{
    const sets_job *job = context;
    for (int64_t i = begin; i < end; i++)
        gg_kernels()->spread_rows(job->out + i * job->count * job->cols,
                                  job->g != NULL ? job->g + i * job->count : NULL, job->h + i * job->cols, job->count,
                                  job->cols, job->factor, job->accumulate);
}

gg_status gg_dot_rows(float *s, const float *h, const float *e, int64_t n, int64_t count, int64_t cols)
{
    int64_t floats = 0;
    const bool vectors = cols > 0, any = count > 0;
    const gg_argument arguments[] = {{"s", any ? (const void *)s : ""},
                                     {"h", any && vectors ? (const void *)h : ""},
                                     {"e", any && vectors ? (const void *)e : ""},
                                     {NULL, NULL}};
    const gg_status status = check(&floats, "gg_dot_rows", arguments, n, count, cols);
    if (status == GG_OK && n > 0)
        run(&(sets_job){.out = s, .h = h, .e = e, .count = count, .cols = cols}, n, floats, run_dot);
    return status;
}

gg_status gg_combine_rows(float *y, const float *g, const float *e, int64_t n, int64_t count, int64_t cols,
                          float factor, bool accumulate)
{
    int64_t floats = 0;
    const gg_argument arguments[] = {
        {"y", cols > 0 ? (const void *)y : ""}, {"e", cols > 0 && count > 0 ? (const void *)e : ""}, {NULL, NULL}};
    const gg_status status = check(&floats, "gg_combine_rows", arguments, n, count, cols);
    if (status == GG_OK && n > 0)
        run(&(sets_job){y, g, NULL, e, count, cols, factor, accumulate}, n, floats, run_combine);
    return status;
}

gg_status gg_spread_rows(float *de, const float *g, const float *h, int64_t n, int64_t count, int64_t cols,
                         float factor, bool accumulate)
{
    int64_t floats = 0;
    const bool any = cols > 0 && count > 0;
    const gg_argument arguments[] = {
        {"de", any ? (const void *)de : ""}, {"h", any ? (const void *)h : ""}, {NULL, NULL}};
    const gg_status status = check(&floats, "gg_spread_rows", arguments, n, count, cols);
    if (status == GG_OK && n > 0)
        run(&(sets_job){de, g, h, NULL, count, cols, factor, accumulate}, n, floats, run_spread);
    return status;
}

gg_status gg_logistic_loss(double *loss, int64_t *right, float *g, const float *s, const int32_t *labels, int64_t n,
                           float scale)
{
    static const char name[] = "gg_logistic_loss";
    if (!gg_fits_array(n) || (n > 0 && (s == NULL || labels == NULL)))
        return gg_fail_array(name, n, GG_ARGUMENTS({"s", s}, {"labels", labels}));
    int64_t positive = 0;
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < GG_IGNORE_LABEL || labels[i] > 1)
            return gg_fail(GG_ERR_ARGUMENT, "%s: labels[%lld] is %d, expected %d, 0 or 1", name, (long long)i,
                           (int)labels[i], GG_IGNORE_LABEL);
        positive += labels[i] == 1;
    }
    const double sum = gg_kernels()->logistic_loss(g, s, labels, n, scale);
    if (loss != NULL)
        *loss = sum;
    if (right != NULL)
        *right = positive;
    return GG_OK;
}
