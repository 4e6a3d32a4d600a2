/* conv.c - the public convolutions: checks, the way to a method, what all methods share. */
#include <gemmgrad/conv.h>

#include <stddef.h>
#include <string.h>

#include <gemmgrad/memory.h>

#include "backend.h"
#include "conv_geometry.h"
#include "conv_method.h"
#include "conv_slide.h"
#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

static const gg_conv_options defaults;

static const char *const names[GG_CONV_ALGORITHM_COUNT] = {
    [GG_CONV_AUTO] = "auto",
    [GG_CONV_IM2COL] = "im2col",
    [GG_CONV_TILED] = "tiled",
    [GG_CONV_POINTWISE] = "pointwise",
    [GG_CONV_SHIFTED] = "shifted",
    [GG_CONV_WINOGRAD_2] = "winograd2",
    [GG_CONV_WINOGRAD_4] = "winograd4",
    [GG_CONV_DEPTHWISE] = "depthwise",
    [GG_CONV_WINOGRAD_STRIDED] = "winograd4s2",
};

static const gg_conv_method *const methods[GG_CONV_ALGORITHM_COUNT] = {
    [GG_CONV_IM2COL] = &gg_conv_im2col,         [GG_CONV_TILED] = &gg_conv_tiled,
    [GG_CONV_POINTWISE] = &gg_conv_pointwise,   [GG_CONV_SHIFTED] = &gg_conv_shifted,
    [GG_CONV_WINOGRAD_2] = &gg_conv_winograd_2, [GG_CONV_WINOGRAD_4] = &gg_conv_winograd_4,
    [GG_CONV_DEPTHWISE] = &gg_conv_depthwise,   [GG_CONV_WINOGRAD_STRIDED] = &gg_conv_winograd_strided,
};

const gg_conv_method *gg_conv_method_of(gg_conv_algorithm algorithm)
{
    return (int)algorithm >= 0 && algorithm < GG_CONV_ALGORITHM_COUNT ? methods[algorithm] : NULL;
}

const char *gg_conv_algorithm_name(gg_conv_algorithm algorithm)
{
    return (int)algorithm >= 0 && algorithm < GG_CONV_ALGORITHM_COUNT ? names[algorithm] : "unknown";
}

/* ---- the method for a call ---- */

static gg_status check_options(const char *function, gg_conv_pass pass, const gg_conv_options *o)
{
    if ((int)pass < 0 || pass >= GG_CONV_PASS_COUNT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: pass is %d, not one of gg_conv_pass", function, (int)pass);
    if ((int)o->algorithm < 0 || o->algorithm >= GG_CONV_ALGORITHM_COUNT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: algorithm is %d, not one of gg_conv_algorithm", function,
                       (int)o->algorithm);
    if (o->accuracy != GG_CONV_DEFAULT && o->accuracy != GG_CONV_EXACT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: accuracy is %d, not one of gg_conv_accuracy", function, (int)o->accuracy);
    if ((int)o->activation < 0 || o->activation >= GG_ACTIVATION_COUNT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: activation is %d, not one of gg_activation", function, (int)o->activation);
    return GG_OK;
}

static gg_status choose(gg_conv_algorithm *chosen, const char *function, gg_conv_pass pass, const gg_conv_geometry *g,
                        const gg_conv_options *o)
{
    if (o->algorithm == GG_CONV_AUTO) {
        *chosen = gg_conv_cheapest(g, pass, o->accuracy, gg_policy_threads());
        return GG_OK;
    }
    if (o->accuracy == GG_CONV_EXACT && !gg_conv_is_exact(o->algorithm))
        return gg_fail(GG_ERR_ARGUMENT, "%s: algorithm %s is not exact, as accuracy asks for", function,
                       gg_conv_algorithm_name(o->algorithm));
    const gg_conv_method *method = gg_conv_method_of(o->algorithm);
    if (method == NULL || !method->fits(g, pass))
        return gg_fail(GG_ERR_ARGUMENT,
                       "%s: algorithm %s cannot do a kernel of %lld x %lld, strides %lld, %lld, dilations %lld, %lld, "
                       "pads %lld, %lld, %lld, %lld, groups %lld of %lld channels",
                       function, gg_conv_algorithm_name(o->algorithm), (long long)g->kernel_height,
                       (long long)g->kernel_width, (long long)g->stride_y, (long long)g->stride_x,
                       (long long)g->dilation_y, (long long)g->dilation_x, (long long)g->pad_top,
                       (long long)g->pad_bottom, (long long)g->pad_left, (long long)g->pad_right, (long long)g->groups,
                       (long long)g->channels);
    *chosen = o->algorithm;
    return GG_OK;
}

/* Shape, options and method of a call in one. */
typedef struct plan {
    gg_conv_geometry g;
    gg_conv_algorithm algorithm;
    int64_t workspace;
} plan;

static gg_status plan_call(plan *out, const char *function, gg_conv_pass pass, const gg_conv_shape *shape,
                           const gg_conv_options *options)
{
    gg_status status = check_options(function, pass, options);
    if (status == GG_OK)
        status = gg_conv_geometry_of(&out->g, function, shape);
    if (status == GG_OK)
        status = choose(&out->algorithm, function, pass, &out->g, options);
    if (status == GG_OK)
        out->workspace = gg_conv_method_of(out->algorithm)->workspace(&out->g, pass, gg_policy_threads());
    return status;
}

gg_status gg_conv_choose(gg_conv_algorithm *chosen, gg_conv_pass pass, const gg_conv_shape *shape,
                         const gg_conv_options *options)
{
    static const char name[] = "gg_conv_choose";
    if (chosen == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: chosen is NULL", name);
    plan p;
    const gg_status status = plan_call(&p, name, pass, shape, options != NULL ? options : &defaults);
    if (status == GG_OK)
        *chosen = p.algorithm;
    return status;
}

bool gg_conv_can(gg_conv_algorithm algorithm, gg_conv_pass pass, const gg_conv_shape *shape)
{
    gg_conv_geometry g;
    const gg_conv_method *method = gg_conv_method_of(algorithm);
    return method != NULL && (int)pass >= 0 && pass < GG_CONV_PASS_COUNT
           && gg_conv_geometry_of(&g, "gg_conv_can", shape) == GG_OK && method->fits(&g, pass);
}

gg_status gg_conv_workspace(int64_t *floats, gg_conv_pass pass, const gg_conv_shape *shape,
                            const gg_conv_options *options)
{
    static const char name[] = "gg_conv_workspace";
    if (floats == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: floats is NULL", name);
    plan p;
    const gg_conv_options *o = options != NULL ? options : &defaults;
    const gg_status status = plan_call(&p, name, pass, shape, o);
    if (status == GG_OK)
        *floats = gg_conv_room(&p.g, pass, o->algorithm, o->accuracy, gg_policy_threads());
    return status;
}

/* ---- calls ---- */

static gg_status check_pointers(const char *function, const gg_conv_geometry *g, const gg_argument *arguments)
{
    for (; arguments->name != NULL; arguments++)
        if (arguments->pointer == NULL)
            return gg_fail(GG_ERR_ARGUMENT,
                           "%s: %s is NULL with x of %lld x %lld x %lld x %lld and y of %lld x %lld x %lld x %lld",
                           function, arguments->name, (long long)g->batch, (long long)g->channels, (long long)g->height,
                           (long long)g->width, (long long)g->batch, (long long)g->filters, (long long)g->out_height,
                           (long long)g->out_width);
    return GG_OK;
}

static gg_status check_workspace(const char *function, const plan *p, const float *workspace, int64_t floats)
{
    if (p->workspace > floats)
        return gg_fail(GG_ERR_ARGUMENT, "%s: workspace has %lld floats, %s needs %lld", function, (long long)floats,
                       gg_conv_algorithm_name(p->algorithm), (long long)p->workspace);
    if (p->workspace > 0 && workspace == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: workspace is NULL, %s needs %lld floats", function,
                       gg_conv_algorithm_name(p->algorithm), (long long)p->workspace);
    return GG_OK;
}

/* Plan the call and check its arguments; without images no pointer is looked at. */
static gg_status begin(gg_conv_call *call, plan *p, const char *function, gg_conv_pass pass, const gg_conv_shape *shape,
                       const gg_conv_options *o, const gg_argument *arguments, int64_t workspace_floats)
{
    gg_status status = plan_call(p, function, pass, shape, o);
    if (status == GG_OK && p->g.batch > 0)
        status = check_pointers(function, &p->g, arguments);
    if (status == GG_OK && p->g.batch > 0)
        status = check_workspace(function, p, call->workspace, workspace_floats);
    if (status == GG_OK) {
        call->g = p->g;
        call->threads = gg_policy_threads();
    }
    return status;
}

static void run(const gg_conv_call *call, const plan *p, gg_conv_pass pass)
{
    gg_conv_method_of(p->algorithm)->run[pass](call);
}

gg_status gg_conv_forward(float *y, const float *x, const float *w, const float *bias, const gg_conv_shape *shape,
                          const gg_conv_options *options, float *workspace, int64_t workspace_floats)
{
    const gg_conv_options *o = options != NULL ? options : &defaults;
    gg_conv_call call = {.y = y,
                         .x = x,
                         .w = w,
                         .bias = bias,
                         .preactivation = o->preactivation,
                         .activation = o->activation,
                         .alpha = o->alpha,
                         .workspace = workspace};
    plan p;
    const gg_status status = begin(&call, &p, "gg_conv_forward", GG_CONV_FORWARD, shape, o,
                                   GG_ARGUMENTS({"y", y}, {"x", x}, {"w", w}), workspace_floats);
    if (status == GG_OK && p.g.batch > 0)
        run(&call, &p, GG_CONV_FORWARD);
    return status;
}

gg_status gg_conv_backward_data(float *dx, const float *dy, const float *w, const gg_conv_shape *shape,
                                const gg_conv_options *options, float *workspace, int64_t workspace_floats)
{
    const gg_conv_options *o = options != NULL ? options : &defaults;
    gg_conv_call call = {.dx = dx, .dy = dy, .w = w, .accumulate = o->accumulate_dx, .workspace = workspace};
    plan p;
    const gg_status status = begin(&call, &p, "gg_conv_backward_data", GG_CONV_BACKWARD_DATA, shape, o,
                                   GG_ARGUMENTS({"dx", dx}, {"dy", dy}, {"w", w}), workspace_floats);
    if (status == GG_OK && p.g.batch > 0)
        run(&call, &p, GG_CONV_BACKWARD_DATA);
    return status;
}

typedef struct bias_job {
    float *db;
    const float *dy;
    const gg_conv_geometry *g;
    bool accumulate;
} bias_job;

/* db of filters [begin, end): planes are summed in double, one after the other. */
static void sum_planes(void *context, int64_t begin, int64_t end)
{
    const bias_job *job = context;
    const gg_conv_geometry *g = job->g;
    for (int64_t filter = begin; filter < end; filter++) {
        double sum = job->accumulate ? (double)job->db[filter] : 0.0;
        for (int64_t image = 0; image < g->batch; image++)
            sum += gg_kernels()->sum(job->dy + (image * g->filters + filter) * g->pixels, g->pixels);
        job->db[filter] = (float)sum;
    }
}

/* Floats of dY below which a second thread does not pay. */
enum { SUM_GRAIN = 32768 };

static void bias_gradient(float *db, const float *dy, const gg_conv_geometry *g, bool accumulate)
{
    bias_job job = {db, dy, g, accumulate};
    const int64_t floats = g->batch * g->pixels;
    gg_parallel_for(g->filters, floats > 0 ? SUM_GRAIN / floats + 1 : SUM_GRAIN, 1, sum_planes, &job);
}

/* Whether the method sums up dY while it reads it for dW. */
static bool makes_bias_gradient(const plan *p)
{
    return p->algorithm == GG_CONV_DEPTHWISE && gg_conv_slides(&p->g);
}

gg_status gg_conv_backward_weights(float *dw, float *db, const float *dy, const float *x, const gg_conv_shape *shape,
                                   const gg_conv_options *options, float *workspace, int64_t workspace_floats)
{
    static const char name[] = "gg_conv_backward_weights";
    const gg_conv_options *o = options != NULL ? options : &defaults;
    gg_conv_call call = {.dw = dw, .dy = dy, .x = x, .accumulate = o->accumulate_dw, .workspace = workspace};
    plan p;
    if (dw == NULL)
        workspace_floats = INT64_MAX, call.workspace = (float *)&call; /* not read */
    const gg_status status =
        begin(&call, &p, name, GG_CONV_BACKWARD_WEIGHTS, shape, o,
              dw != NULL ? GG_ARGUMENTS({"dy", dy}, {"x", x}) : GG_ARGUMENTS({"dy", dy}), workspace_floats);
    if (status != GG_OK)
        return status;
    if (dw != NULL && p.g.batch > 0 && makes_bias_gradient(&p))
        call.db = db;
    else if (db != NULL)
        bias_gradient(db, dy, &p.g, o->accumulate_dw);
    if (dw == NULL)
        return GG_OK;
    if (p.g.batch > 0)
        run(&call, &p, GG_CONV_BACKWARD_WEIGHTS);
    else if (!o->accumulate_dw)
        memset(dw, 0, (size_t)(p.g.filters * p.g.depth) * sizeof *dw);
    return GG_OK;
}

void gg_conv_finish(const gg_conv_call *call, int64_t image, int64_t filter, int64_t begin, int64_t end)
{
    const int64_t offset = (image * call->g.filters + filter) * call->g.pixels + begin;
    float *y = call->y + offset;
    if (call->bias != NULL)
        gg_kernels()->add_constant(y, end - begin, call->bias[filter]);
    if (call->preactivation != NULL)
        memcpy(call->preactivation + offset, y, (size_t)(end - begin) * sizeof *y);
    if (call->activation != GG_IDENTITY)
        gg_kernels()->forward[call->activation](y, y, end - begin, call->alpha);
}

typedef struct transpose_job {
    float *transposed;
    const gg_conv_call *call;
} transpose_job;

/* Rows [begin, end) of all groups' W^T, counted through. */
static void transpose_rows(void *context, int64_t begin, int64_t end)
{
    const transpose_job *job = context;
    const gg_conv_geometry *g = &job->call->g;
    for (int64_t row = begin; row < end;) {
        const int64_t group = row / g->depth, first = row % g->depth;
        const int64_t rows = end - row < g->depth - first ? end - row : g->depth - first;
        const int64_t offset = group * g->group_filters * g->depth;
        gg_kernels()->transpose(job->transposed + offset + first * g->group_filters, g->group_filters,
                                job->call->w + offset + first, g->depth, g->group_filters, rows);
        row += rows;
    }
}

/* Floats of W below which a second thread does not pay. */
enum { TRANSPOSE_GRAIN = 8192 };

void gg_conv_transpose_weights(float *transposed, const gg_conv_call *call)
{
    const gg_conv_geometry *g = &call->g;
    gg_parallel_for(g->groups * g->depth, TRANSPOSE_GRAIN / g->group_filters + 1, 16, transpose_rows,
                    &(transpose_job){transposed, call});
}
