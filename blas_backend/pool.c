/* pool.c - pooling: checks, then the kernels, planes shared out among the threads. */
#include <gemmgrad/pool.h>

#include <stddef.h>

#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

/* Elements of the image that keep a thread busy for about as long as it takes to wake it: a window's work is some
 * 0.3 ns an element. */
enum { GRAIN = 32768 };

/* Why an image or a window cannot be; GG_OK otherwise. */
static gg_status check_window(const char *function, int64_t height, int64_t width, const gg_pool_window *w)
{
    if (w == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: window is NULL", function);
    if (height < 1 || width < 1)
        return gg_fail(GG_ERR_ARGUMENT, "%s: the image is %lld x %lld, expected 1 x 1 or more", function,
                       (long long)height, (long long)width);
    if (height > INT32_MAX / width)
        return gg_fail(GG_ERR_OVERFLOW, "%s: an image of %lld x %lld has more than INT32_MAX floats", function,
                       (long long)height, (long long)width);
    const int64_t kh = w->kernel_height, kw = w->kernel_width;
    if (kh < 1 || kw < 1 || w->stride_height < 0 || w->stride_width < 0)
        return gg_fail(GG_ERR_ARGUMENT,
                       "%s: kernel %lld x %lld, stride %lld x %lld, expected a kernel of 1 x 1 or more", function,
                       (long long)kh, (long long)kw, (long long)w->stride_height, (long long)w->stride_width);
    if (w->top < 0 || w->bottom < 0 || w->left < 0 || w->right < 0 || w->top > kh / 2 || w->bottom > kh / 2
        || w->left > kw / 2 || w->right > kw / 2)
        return gg_fail(
            GG_ERR_ARGUMENT,
            "%s: padding %lld above, %lld below, %lld left, %lld right of a kernel %lld x %lld, expected 0 to "
            "half of it",
            function, (long long)w->top, (long long)w->bottom, (long long)w->left, (long long)w->right, (long long)kh,
            (long long)kw);
    if (kh - w->top - w->bottom > height || kw - w->left - w->right > width)
        return gg_fail(GG_ERR_SHAPE,
                       "%s: a kernel %lld x %lld does not fit an image %lld x %lld padded by %lld and %lld", function,
                       (long long)kh, (long long)kw, (long long)height, (long long)width,
                       (long long)(w->top + w->bottom), (long long)(w->left + w->right));
    if (kh > INT32_MAX || kw > INT32_MAX || w->stride_height > INT32_MAX || w->stride_width > INT32_MAX)
        return gg_fail(GG_ERR_OVERFLOW, "%s: kernel %lld x %lld, stride %lld x %lld, expected INT32_MAX at most",
                       function, (long long)kh, (long long)kw, (long long)w->stride_height, (long long)w->stride_width);
    return GG_OK;
}

/* Of a window that has been checked: windows in (extent + padding - kernel) / stride + 1, the sum being small. */
static int64_t windows(int64_t extent, int64_t before, int64_t behind, int64_t kernel, int64_t stride)
{
    return (extent - (kernel - before - behind)) / (stride > 0 ? stride : kernel) + 1;
}

static gg_pool_shape shape_of(int64_t height, int64_t width, const gg_pool_window *w)
{
    return (gg_pool_shape){
        .height = height,
        .width = width,
        .out_height = windows(height, w->top, w->bottom, w->kernel_height, w->stride_height),
        .out_width = windows(width, w->left, w->right, w->kernel_width, w->stride_width),
        .kernel_height = w->kernel_height,
        .kernel_width = w->kernel_width,
        .stride_height = w->stride_height > 0 ? w->stride_height : w->kernel_height,
        .stride_width = w->stride_width > 0 ? w->stride_width : w->kernel_width,
        .top = w->top,
        .left = w->left,
        .exclude_padding = w->exclude_padding,
    };
}

gg_status gg_pool_output(int64_t *out_height, int64_t *out_width, int64_t height, int64_t width,
                         const gg_pool_window *window)
{
    const gg_status status = check_window("gg_pool_output", height, width, window);
    if (status != GG_OK)
        return status;
    const gg_pool_shape shape = shape_of(height, width, window);
    if (out_height != NULL)
        *out_height = shape.out_height;
    if (out_width != NULL)
        *out_width = shape.out_width;
    return GG_OK;
}

/* Planes of `size` floats each; none of the arguments may be NULL if there are any. */
static gg_status check_planes(const char *function, int64_t planes, int64_t size, const gg_argument *arguments)
{
    if (planes < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: planes is %lld, expected 0 or more", function, (long long)planes);
    if (planes > GG_MOST_FLOATS / size)
        return gg_fail(GG_ERR_OVERFLOW, "%s: %lld planes of %lld floats are more than any memory holds", function,
                       (long long)planes, (long long)size);
    for (; arguments->name != NULL && planes > 0; arguments++)
        if (arguments->pointer == NULL)
            return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL with planes = %lld", function, arguments->name,
                           (long long)planes);
    return GG_OK;
}

typedef struct pool_job {
    float *to;
    const float *from;
    int32_t *place;       /* forward; or NULL */
    const int32_t *index; /* backward */
    gg_pool_shape shape;
    int64_t in, out; /* floats of a plane */
    bool accumulate;
} pool_job;

static gg_status run(pool_job *job, int64_t planes, gg_range_body body)
{
    job->in = job->shape.height * job->shape.width;
    job->out = job->shape.out_height * job->shape.out_width;
    gg_parallel_for(planes, GRAIN / job->in + 1, 1, body, job);
    return GG_OK;
}

static gg_status check(const char *function, int64_t planes, int64_t height, int64_t width,
                       const gg_pool_window *window, const gg_argument *arguments)
{
    const gg_status status = check_window(function, height, width, window);
    return status != GG_OK ? status : check_planes(function, planes, height * width, arguments);
}

/* ---- the largest ---- */

static void run_max_forward(void *context, int64_t begin, int64_t end)
{
    const pool_job *job = context;
    gg_kernels()->max_pool(job->to + begin * job->out, job->place != NULL ? job->place + begin * job->out : NULL,
                           job->from + begin * job->in, end - begin, &job->shape);
}

gg_status gg_max_pool_forward(float *y, int32_t *index, const float *x, int64_t planes, int64_t height, int64_t width,
                              const gg_pool_window *window)
{
    const gg_status status =
        check("gg_max_pool_forward", planes, height, width, window, GG_ARGUMENTS({"y", y}, {"x", x}));
    if (status != GG_OK)
        return status;
    pool_job job = {.to = y, .from = x, .place = index, .shape = shape_of(height, width, window)};
    return run(&job, planes, run_max_forward);
}

static void run_max_backward(void *context, int64_t begin, int64_t end)
{
    const pool_job *job = context;
    gg_kernels()->max_unpool(job->to + begin * job->in, job->from + begin * job->out, job->index + begin * job->out,
                             end - begin, &job->shape, job->accumulate);
}

gg_status gg_max_pool_backward(float *dx, const float *dy, const int32_t *index, int64_t planes, int64_t height,
                               int64_t width, const gg_pool_window *window, bool accumulate)
{
    const gg_status status = check("gg_max_pool_backward", planes, height, width, window,
                                   GG_ARGUMENTS({"dx", dx}, {"dy", dy}, {"index", index}));
    if (status != GG_OK)
        return status;
    pool_job job = {
        .to = dx, .from = dy, .index = index, .shape = shape_of(height, width, window), .accumulate = accumulate};
    return run(&job, planes, run_max_backward);
}

/* ---- the mean ---- */

static void run_mean_forward(void *context, int64_t begin, int64_t end)
{
    const pool_job *job = context;
    gg_kernels()->mean_pool(job->to + begin * job->out, job->from + begin * job->in, end - begin, &job->shape);
}

gg_status gg_average_pool_forward(float *y, const float *x, int64_t planes, int64_t height, int64_t width,
                                  const gg_pool_window *window)
{
    const gg_status status =
        check("gg_average_pool_forward", planes, height, width, window, GG_ARGUMENTS({"y", y}, {"x", x}));
    if (status != GG_OK)
        return status;
    pool_job job = {.to = y, .from = x, .shape = shape_of(height, width, window)};
    return run(&job, planes, run_mean_forward);
}

static void run_mean_backward(void *context, int64_t begin, int64_t end)
{
    const pool_job *job = context;
    gg_kernels()->mean_unpool(job->to + begin * job->in, job->from + begin * job->out, end - begin, &job->shape,
                              job->accumulate);
}

gg_status gg_average_pool_backward(float *dx, const float *dy, int64_t planes, int64_t height, int64_t width,
                                   const gg_pool_window *window, bool accumulate)
{
    const gg_status status =
        check("gg_average_pool_backward", planes, height, width, window, GG_ARGUMENTS({"dx", dx}, {"dy", dy}));
    if (status != GG_OK)
        return status;
    pool_job job = {.to = dx, .from = dy, .shape = shape_of(height, width, window), .accumulate = accumulate};
    return run(&job, planes, run_mean_backward);
}

/* ---- whole planes: images of one row, whose only output is all of it ---- */

static gg_status check_global(const char *function, int64_t planes, int64_t size, const gg_argument *arguments)
{
    if (size < 0 || (size == 0 && planes > 0))
        return gg_fail(GG_ERR_ARGUMENT, "%s: size is %lld with planes = %lld, expected 1 or more", function,
                       (long long)size, (long long)planes);
    if (size > INT32_MAX)
        return gg_fail(GG_ERR_OVERFLOW, "%s: a plane of %lld floats has more than INT32_MAX", function,
                       (long long)size);
    return check_planes(function, planes, size > 0 ? size : 1, arguments);
}

static gg_status run_global(pool_job *job, int64_t planes, int64_t size, gg_range_body body)
{
    job->in = size;
    if (planes > 0)
        gg_parallel_for(planes, GRAIN / size + 1, 1, body, job);
    return GG_OK;
}

static void run_global_mean(void *context, int64_t begin, int64_t end)
{
    const pool_job *job = context;
    for (int64_t p = begin; p < end; p++)
        job->to[p] = (float)(gg_kernels()->sum(job->from + p * job->in, job->in) / (double)job->in);
}

gg_status gg_global_average_pool_forward(float *y, const float *x, int64_t planes, int64_t size)
{
    const gg_status status =
        check_global("gg_global_average_pool_forward", planes, size, GG_ARGUMENTS({"y", y}, {"x", x}));
    pool_job job = {.to = y, .from = x};
    return status != GG_OK ? status : run_global(&job, planes, size, run_global_mean);
}

static void run_global_mean_back(void *context, int64_t begin, int64_t end)
{
    const pool_job *job = context;
    for (int64_t p = begin; p < end; p++) {
        float *to = job->to + p * job->in;
        const float g = job->from[p] / (float)job->in;
        if (!job->accumulate)
            gg_kernels()->fill(to, job->in, g);
        else
            gg_kernels()->add_constant(to, job->in, g);
    }
}

gg_status gg_global_average_pool_backward(float *dx, const float *dy, int64_t planes, int64_t size, bool accumulate)
{
    const gg_status status =
        check_global("gg_global_average_pool_backward", planes, size, GG_ARGUMENTS({"dx", dx}, {"dy", dy}));
    pool_job job = {.to = dx, .from = dy, .accumulate = accumulate};
    return status != GG_OK ? status : run_global(&job, planes, size, run_global_mean_back);
}

static void run_global_max(void *context, int64_t begin, int64_t end)
{
    const pool_job *job = context;
    for (int64_t p = begin; p < end; p++) {
        const int64_t place = gg_kernels()->max_index(job->from + p * job->in, job->in);
        job->to[p] = job->from[p * job->in + place];
        if (job->place != NULL)
            job->place[p] = (int32_t)place;
    }
}

gg_status gg_global_max_pool_forward(float *y, int32_t *index, const float *x, int64_t planes, int64_t size)
{
    const gg_status status = check_global("gg_global_max_pool_forward", planes, size, GG_ARGUMENTS({"y", y}, {"x", x}));
    pool_job job = {.to = y, .from = x, .place = index};
    return status != GG_OK ? status : run_global(&job, planes, size, run_global_max);
}

static void run_global_max_back(void *context, int64_t begin, int64_t end)
{
    const pool_job *job = context;
    for (int64_t p = begin; p < end; p++) {
        float *to = job->to + p * job->in;
        if (!job->accumulate)
            gg_kernels()->fill(to, job->in, 0.0f);
        to[job->index[p]] += job->from[p];
    }
}

gg_status gg_global_max_pool_backward(float *dx, const float *dy, const int32_t *index, int64_t planes, int64_t size,
                                      bool accumulate)
{
    const gg_status status = check_global("gg_global_max_pool_backward", planes, size,
                                          GG_ARGUMENTS({"dx", dx}, {"dy", dy}, {"index", index}));
    pool_job job = {.to = dx, .from = dy, .index = index, .accumulate = accumulate};
    return status != GG_OK ? status : run_global(&job, planes, size, run_global_max_back);
}
