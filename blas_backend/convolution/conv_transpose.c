/* conv_transpose.c - the transposed convolution: backward data of a convolution, then bias and activation. */
#include <gemmgrad/conv.h>

#include <stddef.h>
#include <string.h>

#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

/* Bias and activation of Y, which has `channels` planes of `plane` floats for each image. */
typedef struct finish_job {
    float *y, *preactivation;
    const float *bias;
    int64_t channels, plane;
    gg_activation activation;
    float alpha;
} finish_job;

static void finish(void *context, int64_t begin, int64_t end)
{
    const finish_job *job = context;
    for (int64_t p = begin; p < end; p++) {
        float *y = job->y + p * job->plane;
        if (job->bias != NULL)
            gg_kernels()->add_constant(y, job->plane, job->bias[p % job->channels]);
        if (job->preactivation != NULL)
            memcpy(job->preactivation + p * job->plane, y, (size_t)job->plane * sizeof *y);
        if (job->activation != GG_IDENTITY)
            gg_kernels()->forward[job->activation](y, y, job->plane, job->alpha);
    }
}

/* Under our own names; the rest is checked, in its words, by gg_conv_backward_data. */
static gg_status check(const float *y, const float *x, const float *w, const gg_conv_shape *shape,
                       const gg_conv_options *o)
{
    static const char name[] = "gg_conv_transpose_forward";
    if (shape == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: shape is NULL", name);
    if (o->accumulate_dx)
        return gg_fail(GG_ERR_ARGUMENT, "%s: accumulate_dx is not for a forward pass", name);
    if (shape->batch > 0 && (y == NULL || x == NULL || w == NULL))
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL with a batch of %lld", name,
                       y == NULL   ? "y"
                       : x == NULL ? "x"
                                   : "w",
                       (long long)shape->batch);
    return GG_OK;
}

/* Floats below which a second thread does not pay. */
enum { GRAIN = 16384 };

gg_status gg_conv_transpose_forward(float *y, const float *x, const float *w, const float *bias,
                                    const gg_conv_shape *shape, const gg_conv_options *options, float *workspace,
                                    int64_t workspace_floats)
{
    gg_conv_options data = options != NULL ? *options : (gg_conv_options){0};
    gg_status status = check(y, x, w, shape, &data);
    if (status == GG_OK)
        status = gg_conv_backward_data(y, x, w, shape, &data, workspace, workspace_floats);
    if (status != GG_OK)
        return status;
    finish_job job = {
        y, data.preactivation, bias, shape->channels, shape->height * shape->width, data.activation, data.alpha};
    if (bias != NULL || data.preactivation != NULL || data.activation != GG_IDENTITY)
        gg_parallel_for(shape->batch * job.channels, GRAIN / job.plane + 1, 1, finish, &job);
    return GG_OK;
}
