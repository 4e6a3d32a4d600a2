/* norm.c - batch normalisation: checks, statistics of each channel, then the kernels.
 *
 * Every call takes the sums of a channel, makes its numbers of them, and passes over its values. A channel of images
 * goes through all three while it lies in the second-level cache, so that memory gives each array once. Few channels
 * are cut into parts by images, as the shape alone decides: first the sums of all parts, then the passes. Values
 * without an image (size 1) are columns, a channel a lane. */
#include <gemmgrad/norm.h>

#include <math.h>
#include <stddef.h>

#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

enum {
    GRAIN = 32768,         /* elements that outweigh waking a thread */
    MANY = 16,             /* channels enough not to be cut */
    MOST_PARTS = 2 * MANY, /* of all channels together */
    COLUMNS = 64           /* of a block of channels without images */
};

static const float DEFAULT_EPSILON = 1e-5f, DEFAULT_MOMENTUM = 0.1f;

/* A channel's numbers, see gg_norm_columns. */
typedef struct factors {
    float mean, scale, shift, slope, level;
} factors;

typedef struct norm_job norm_job;

/* What forward, inference and backward do, each in its way; `offset` is where a plane, `c` where a column begins. */
typedef struct norm_steps {
    void (*sum_plane)(const norm_job *job, double sums[2], int64_t c, int64_t offset); /* NULL: no sums */
    void (*sum_columns)(const norm_job *job, double *first, double *second, int64_t c, int64_t count);
    factors (*finish)(const norm_job *job, int64_t c, const double sums[2]);
    void (*pass_plane)(const norm_job *job, const factors *f, int64_t offset);
    void (*pass_columns)(const norm_job *job, const gg_norm_columns *f, int64_t c, int64_t count);
} norm_steps;

struct norm_job {
    const norm_steps *steps;
    int64_t images, channels, size;
    float epsilon, momentum;
    bool relu, add_dx, add_parameters;
    const float *x, *dy, *gamma, *beta;
    const float *given_mean, *given_spread; /* of backward: mean and inverse; of inference: the running statistics */
    float *out;                             /* y or dx */
    float *mean, *inverse, *running_mean, *running_variance, *dgamma, *dbeta;

    /* of few channels */
    int64_t parts;
    double sums[MOST_PARTS][2];
    factors known[MANY];
};

static float gamma_of(const norm_job *job, int64_t c)
{
    return job->gamma != NULL ? job->gamma[c] : 1.0f;
}

static float beta_of(const norm_job *job, int64_t c)
{
    return job->beta != NULL ? job->beta[c] : 0.0f;
}

/* ---- checks ---- */

static gg_status set_options(const char *function, norm_job *job, const gg_batchnorm_options *options)
{
    const gg_batchnorm_options o = options != NULL ? *options : (gg_batchnorm_options){0.0f, 0.0f, false};
    if (!(o.epsilon >= 0.0f && o.epsilon < INFINITY))
        return gg_fail(GG_ERR_ARGUMENT, "%s: epsilon is %g, expected 0 or more", function, (double)o.epsilon);
    if (!(o.momentum >= 0.0f && o.momentum <= 1.0f))
        return gg_fail(GG_ERR_ARGUMENT, "%s: momentum is %g, expected 0 to 1", function, (double)o.momentum);
    job->epsilon = o.epsilon > 0.0f ? o.epsilon : DEFAULT_EPSILON;
    job->momentum = o.momentum > 0.0f ? o.momentum : DEFAULT_MOMENTUM;
    job->relu = o.relu;
    return GG_OK;
}

/* The sizes and options of a job; `arguments` may be NULL only if there are no values. */
static gg_status check(const char *function, norm_job *job, const gg_batchnorm_options *options,
                       const gg_argument *arguments)
{
    const int64_t n = job->images, c = job->channels, s = job->size;
    int64_t floats;
    if (n < 0 || c < 0 || s < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: images = %lld, channels = %lld, size = %lld, expected 0 or more", function,
                       (long long)n, (long long)c, (long long)s);
    if (__builtin_mul_overflow(n, c, &floats) || __builtin_mul_overflow(floats, s, &floats) || floats > GG_MOST_FLOATS)
        return gg_fail(GG_ERR_OVERFLOW,
                       "%s: %lld images of %lld channels of %lld floats are more than any memory holds", function,
                       (long long)n, (long long)c, (long long)s);
    for (; arguments->name != NULL && floats > 0; arguments++)
        if (arguments->pointer == NULL)
            return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL with images = %lld, channels = %lld, size = %lld", function,
                           arguments->name, (long long)n, (long long)c, (long long)s);
    return set_options(function, job, options);
}

/* ---- all channels ---- */

/* The sums of images begin .. end-1 of channel c. */
static void sum_images(const norm_job *job, double sums[2], int64_t c, int64_t begin, int64_t end)
{
    sums[0] = sums[1] = 0.0;
    for (int64_t n = begin; n < end && job->steps->sum_plane != NULL; n++)
        job->steps->sum_plane(job, sums, c, (n * job->channels + c) * job->size);
}

static void pass_images(const norm_job *job, const factors *f, int64_t c, int64_t begin, int64_t end)
{
    for (int64_t n = begin; n < end && job->out != NULL; n++)
        job->steps->pass_plane(job, f, (n * job->channels + c) * job->size);
}

static void run_channels(void *context, int64_t begin, int64_t end)
{
    const norm_job *job = context;
    for (int64_t c = begin; c < end; c++) {
        double sums[2];
        sum_images(job, sums, c, 0, job->images);
        const factors f = job->steps->finish(job, c, sums);
        pass_images(job, &f, c, 0, job->images);
    }
}

/* Where part p of a channel's images begins. */
static int64_t part_begin(const norm_job *job, int64_t p)
{
    return job->images * p / job->parts;
}

static void run_part_sums(void *context, int64_t begin, int64_t end)
{
    norm_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t c = i / job->parts, p = i % job->parts;
        sum_images(job, job->sums[i], c, part_begin(job, p), part_begin(job, p + 1));
    }
}

static void run_part_passes(void *context, int64_t begin, int64_t end)
{
    const norm_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t c = i / job->parts, p = i % job->parts;
        pass_images(job, &job->known[c], c, part_begin(job, p), part_begin(job, p + 1));
    }
}

static void run_few_channels(norm_job *job)
{
    const int64_t count = job->channels * job->parts;
    const int64_t grain = GRAIN / (job->images * job->size / job->parts + 1) + 1;
    gg_parallel_for(count, grain, 1, run_part_sums, job);
    for (int64_t c = 0; c < job->channels; c++) {
        double sums[2] = {0.0, 0.0};
        for (int64_t p = 0; p < job->parts; p++) {
            sums[0] += job->sums[c * job->parts + p][0];
            sums[1] += job->sums[c * job->parts + p][1];
        }
        job->known[c] = job->steps->finish(job, c, sums);
    }
    gg_parallel_for(count, grain, 1, run_part_passes, job);
}

/* A block of channels whose values are columns. */
static void run_column_block(const norm_job *job, int64_t first, int64_t count)
{
    double sums[2][COLUMNS] = {{0.0}};
    float mean[COLUMNS], scale[COLUMNS], shift[COLUMNS], slope[COLUMNS], level[COLUMNS];
    const gg_norm_columns columns = {mean, scale, shift, slope, level};
    if (job->steps->sum_columns != NULL && job->images > 0)
        job->steps->sum_columns(job, sums[0], sums[1], first, count);
    for (int64_t i = 0; i < count; i++) {
        const factors f = job->steps->finish(job, first + i, (const double[2]){sums[0][i], sums[1][i]});
        mean[i] = f.mean;
        scale[i] = f.scale;
        shift[i] = f.shift;
        slope[i] = f.slope;
        level[i] = f.level;
    }
    if (job->out != NULL)
        job->steps->pass_columns(job, &columns, first, count);
}

static void run_columns(void *context, int64_t begin, int64_t end)
{
    for (int64_t first = begin; first < end; first += COLUMNS)
        run_column_block(context, first, end - first < COLUMNS ? end - first : COLUMNS);
}

static gg_status run(norm_job *job)
{
    const int64_t values = job->images * job->size; /* of a channel */
    if (job->size == 1) {
        gg_parallel_for(job->channels, GRAIN / (values + 1) + 1, COLUMNS, run_columns, job);
    } else if (job->channels > 0 && job->channels < MANY && job->images > 1 && job->channels * values >= 2 * GRAIN) {
        job->parts = MOST_PARTS / job->channels < job->images ? MOST_PARTS / job->channels : job->images;
        run_few_channels(job);
    } else {
        gg_parallel_for(job->channels, GRAIN / (values + 1) + 1, 1, run_channels, job);
    }
    return GG_OK;
}

/* ---- forward ---- */

/* The number that a channel's sums are differences from: any of its values. */
static float origin_of(const norm_job *job, int64_t c)
{
    return job->x[c * job->size];
}

static void forward_sum_plane(const norm_job *job, double sums[2], int64_t c, int64_t offset)
{
    gg_kernels()->moments_plane(sums, job->x + offset, job->size, origin_of(job, c));
}

static void forward_sum_columns(const norm_job *job, double *first, double *second, int64_t c, int64_t count)
{
    gg_kernels()->moments_columns(first, second, job->x + c, job->channels, job->images, count, job->x + c);
}

static float moved(float running, double newest, float momentum)
{
    return (float)((double)running + (double)momentum * (newest - (double)running));
}

static factors forward_finish(const norm_job *job, int64_t c, const double sums[2])
{
    const double n = (double)(job->images * job->size), difference = sums[0] / n;
    const double mean = (double)origin_of(job, c) + difference, spread = sums[1] / n - difference * difference;
    const double variance = spread < 0.0 ? 0.0 : spread;
    job->mean[c] = (float)mean;
    job->inverse[c] = (float)(1.0 / sqrt(variance + (double)job->epsilon));
    if (job->running_mean != NULL) {
        job->running_mean[c] = moved(job->running_mean[c], mean, job->momentum);
        if (n > 1.0)
            job->running_variance[c] = moved(job->running_variance[c], variance * n / (n - 1.0), job->momentum);
    }
    return (factors){.mean = job->mean[c], .scale = gamma_of(job, c) * job->inverse[c], .shift = beta_of(job, c)};
}

static void normalize_plane(const norm_job *job, const factors *f, int64_t offset)
{
    gg_kernels()->normalize_plane(job->out + offset, job->x + offset, job->size, f->mean, f->scale, f->shift,
                                  job->relu);
}

static void normalize_columns(const norm_job *job, const gg_norm_columns *f, int64_t c, int64_t count)
{
    gg_kernels()->normalize_columns(job->out + c, job->x + c, job->channels, job->images, count, f, job->relu);
}

gg_status gg_batchnorm_forward(float *y, float *mean, float *inverse, float *running_mean, float *running_variance,
                               const float *x, const float *gamma, const float *beta, int64_t images, int64_t channels,
                               int64_t size, const gg_batchnorm_options *options)
{
    static const norm_steps steps = {forward_sum_plane, forward_sum_columns, forward_finish, normalize_plane,
                                     normalize_columns};
    norm_job job = {.steps = &steps,
                    .images = images,
                    .channels = channels,
                    .size = size,
                    .x = x,
                    .gamma = gamma,
                    .beta = beta,
                    .out = y,
                    .mean = mean,
                    .inverse = inverse,
                    .running_mean = running_mean,
                    .running_variance = running_variance};
    const gg_status status = check("gg_batchnorm_forward", &job, options,
                                   GG_ARGUMENTS({"y", y}, {"mean", mean}, {"inverse", inverse}, {"x", x}));
    if (status != GG_OK)
        return status;
    if ((running_mean == NULL) != (running_variance == NULL))
        return gg_fail(GG_ERR_ARGUMENT, "gg_batchnorm_forward: %s is NULL, the other running statistic is not",
                       running_mean == NULL ? "running_mean" : "running_variance");
    return images * size > 0 ? run(&job) : GG_OK;
}

/* ---- inference ---- */

static factors infer_finish(const norm_job *job, int64_t c, const double sums[2])
{
    (void)sums;
    const double inverse = 1.0 / sqrt((double)job->given_spread[c] + (double)job->epsilon);
    return (factors){
        .mean = job->given_mean[c], .scale = (float)((double)gamma_of(job, c) * inverse), .shift = beta_of(job, c)};
}

gg_status gg_batchnorm_infer(float *y, const float *x, const float *gamma, const float *beta, const float *running_mean,
                             const float *running_variance, int64_t images, int64_t channels, int64_t size,
                             const gg_batchnorm_options *options)
{
    static const norm_steps steps = {NULL, NULL, infer_finish, normalize_plane, normalize_columns};
    norm_job job = {.steps = &steps,
                    .images = images,
                    .channels = channels,
                    .size = size,
                    .x = x,
                    .gamma = gamma,
                    .beta = beta,
                    .given_mean = running_mean,
                    .given_spread = running_variance,
                    .out = y};
    const gg_status status =
        check("gg_batchnorm_infer", &job, options,
              GG_ARGUMENTS({"y", y}, {"x", x}, {"running_mean", running_mean}, {"running_variance", running_variance}));
    return status != GG_OK ? status : images * size > 0 ? run(&job) : GG_OK;
}

/* ---- backward: with g = dy behind the ReLU, n values and z = (x - mean) inverse,
 *
 *     dbeta = sum g      dgamma = sum g z      dx = gamma inverse (g - dbeta / n - z dgamma / n) ---- */

static float backward_scale(const norm_job *job, int64_t c)
{
    return gamma_of(job, c) * job->given_spread[c];
}

static void backward_sum_plane(const norm_job *job, double sums[2], int64_t c, int64_t offset)
{
    gg_kernels()->norm_sums_plane(sums, job->dy + offset, job->x + offset, job->size, job->given_mean[c],
                                  backward_scale(job, c), beta_of(job, c), job->relu);
}

static void backward_sum_columns(const norm_job *job, double *first, double *second, int64_t c, int64_t count)
{
    float scale[COLUMNS], shift[COLUMNS];
    for (int64_t i = 0; i < count; i++) {
        scale[i] = backward_scale(job, c + i);
        shift[i] = beta_of(job, c + i);
    }
    const gg_norm_columns f = {.mean = job->given_mean + c, .scale = scale, .shift = shift};
    gg_kernels()->norm_sums_columns(first, second, job->dy + c, job->x + c, job->channels, job->images, count, &f,
                                    job->relu);
}

static factors backward_finish(const norm_job *job, int64_t c, const double sums[2])
{
    const int64_t count = job->images * job->size;
    const double n = count > 0 ? (double)count : 1.0;
    if (job->dbeta != NULL)
        job->dbeta[c] = (job->add_parameters ? job->dbeta[c] : 0.0f) + (float)sums[0];
    if (count == 0) { /* nor is there a mean or an inverse */
        if (job->dgamma != NULL && !job->add_parameters)
            job->dgamma[c] = 0.0f;
        return (factors){0};
    }
    const double inverse = (double)job->given_spread[c], dgamma = sums[1] * inverse;
    if (job->dgamma != NULL)
        job->dgamma[c] = (job->add_parameters ? job->dgamma[c] : 0.0f) + (float)dgamma;
    const float scale = backward_scale(job, c);
    return (factors){.mean = job->given_mean[c],
                     .scale = scale,
                     .shift = beta_of(job, c),
                     .slope = (float)(-(double)scale * inverse * dgamma / n),
                     .level = (float)(-(double)scale * sums[0] / n)};
}

static void gradient_plane(const norm_job *job, const factors *f, int64_t offset)
{
    gg_kernels()->norm_gradient_plane(job->out + offset, job->dy + offset, job->x + offset, job->size, f->mean,
                                      f->scale, f->shift, f->slope, f->level, job->relu, job->add_dx);
}

static void gradient_columns(const norm_job *job, const gg_norm_columns *f, int64_t c, int64_t count)
{
    gg_kernels()->norm_gradient_columns(job->out + c, job->dy + c, job->x + c, job->channels, job->images, count, f,
                                        job->relu, job->add_dx);
}

gg_status gg_batchnorm_backward(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                                const float *mean, const float *inverse, const float *gamma, const float *beta,
                                int64_t images, int64_t channels, int64_t size, const gg_batchnorm_options *options,
                                bool add_dx, bool add_parameters)
{
    static const norm_steps steps = {backward_sum_plane, backward_sum_columns, backward_finish, gradient_plane,
                                     gradient_columns};
    norm_job job = {.steps = &steps,
                    .images = images,
                    .channels = channels,
                    .size = size,
                    .add_dx = add_dx,
                    .add_parameters = add_parameters,
                    .x = x,
                    .dy = dy,
                    .gamma = gamma,
                    .beta = beta,
                    .given_mean = mean,
                    .given_spread = inverse,
                    .out = dx,
                    .dgamma = dgamma,
                    .dbeta = dbeta};
    const gg_status status = check("gg_batchnorm_backward", &job, options,
                                   GG_ARGUMENTS({"dy", dy}, {"x", x}, {"mean", mean}, {"inverse", inverse}));
    return status != GG_OK ? status : run(&job);
}

/* ---- folding ---- */

gg_status gg_batchnorm_fold(float *folded_weight, float *folded_bias, const float *weight, const float *bias,
                            const float *gamma, const float *beta, const float *running_mean,
                            const float *running_variance, int64_t channels, int64_t columns,
                            const gg_batchnorm_options *options)
{
    norm_job job = {.images = 1,
                    .channels = channels,
                    .size = columns,
                    .gamma = gamma,
                    .beta = beta,
                    .given_mean = running_mean,
                    .given_spread = running_variance};
    const gg_status status =
        check("gg_batchnorm_fold", &job, options,
              GG_ARGUMENTS({"folded_weight", folded_weight}, {"folded_bias", folded_bias}, {"weight", weight},
                           {"running_mean", running_mean}, {"running_variance", running_variance}));
    if (status != GG_OK)
        return status;
    for (int64_t c = 0; c < channels && columns > 0; c++) {
        const factors f = infer_finish(&job, c, NULL);
        gg_kernels()->scale_rows(folded_weight + c * columns, weight + c * columns, &f.scale, 1, columns);
        folded_bias[c] = ((bias != NULL ? bias[c] : 0.0f) - f.mean) * f.scale + f.shift;
    }
    return GG_OK;
}
