/* bench_check_step.c - see bench_check_step.h. */
#include "bench_check_step.h"

#include <float.h>
#include <math.h>

#include "bench_check.h"

/* Parts that are held to the reference until one agrees. */
enum { MOST_PARTS = 4 };

/* Errors of all layers add up: where nothing flips, elements lie within this share of the largest of their parameter.
 * They were found within 6e-6 of it. */
static const double CLOSE = 1e-4;

/* The most that flips explain, as a share of the gradient's norm. One of a dense layer of n hidden units is the worst:
 * it puts in or takes out one of the n / 2 or so columns that a sample gives, and as much of all layers before. That is
 * sqrt(2 / n), 0.13 for 128 units. In a batch of 32 only one sample has it; but a sample forgotten or taken twice would
 * be sqrt(1 / 32), 0.18, of its gradient. */
static const double FLIPPED = 0.25, WHOLE = 0.05;

gg_status bench_step_take(bench_work *work, const bench_step *step, int64_t first, int64_t count)
{
    gg_status status = gg_model_set_extent(work->model, GG_BATCH, count);
    if (status == GG_OK)
        status = gg_model_bind(work->model, work->input, work->x + first * step->sample);
    return status != GG_OK ? status : gg_model_bind_labels(work->model, work->targets, work->labels + first);
}

static gg_status find_gradients(bench_work *work, const bench_step *step, int64_t first, int64_t count)
{
    gg_status status = bench_step_take(work, step, first, count);
    if (status == GG_OK)
        status = gg_model_forward(work->model, work->loss, GG_TRAIN);
    return status != GG_OK ? status : gg_model_backward(work->model);
}

/* How far gradients are from those expected: the element that is furthest off, as a share of the largest of its
 * parameter, and the norm of the difference of a parameter, as a share of its own. */
typedef struct difference {
    double error, distance;
    gg_parameter parameter, distant;
    int64_t place;
    double found, expected;
} difference;

/* What is worse, NaN above all. */
static bool is_worse(double x, double worst)
{
    return !isnan(worst) && !(x <= worst);
}

static void compare_parameter(difference *worst, const gg_parameter *p, const float *found, const double *expected)
{
    double largest = DBL_MIN, squares = DBL_MIN, off = 0.0;
    for (int64_t j = 0; j < p->size; j++) {
        largest = fmax(largest, fabs(expected[j]));
        squares += expected[j] * expected[j];
    }
    for (int64_t j = 0; j < p->size; j++) {
        const double error = fabs((double)found[j] - expected[j]);
        off += error * error;
        if (!is_worse(error / largest, worst->error))
            continue;
        worst->error = error / largest;
        worst->parameter = *p;
        worst->place = j;
        worst->found = (double)found[j];
        worst->expected = expected[j];
    }
    if (is_worse(sqrt(off / squares), worst->distance)) {
        worst->distance = sqrt(off / squares);
        worst->distant = *p;
    }
}

static gg_status compare(difference *worst, const bench_work *work, const double *expected)
{
    gg_status status = GG_OK;
    *worst = (difference){.error = 0.0};
    for (int i = 0; i < gg_model_parameter_count(work->model) && status == GG_OK; i++) {
        gg_parameter p = {0};
        status = gg_model_parameter(work->model, i, &p);
        if (status == GG_OK)
            compare_parameter(worst, &p, gg_model_gradients(work->model) + p.offset, expected + p.offset);
    }
    return status;
}

static gg_status judge_elements(const difference *worst)
{
    if (worst->error <= CLOSE)
        return GG_OK;
    return gg_fail(GG_ERR_NUMERIC,
                   "the gradient %s[%lld] is %.6g, the reference in double has %.6g (off by %.3g of the largest, "
                   "allowed %.3g)",
                   worst->parameter.name, (long long)worst->place, worst->found, worst->expected, worst->error, CLOSE);
}

static gg_status judge_norm(const difference *worst, double bound, const char *beside)
{
    if (worst->distance <= bound)
        return GG_OK;
    return gg_fail(GG_ERR_NUMERIC, "the gradient of %s is %.3g of its norm away from %s, allowed %.3g",
                   worst->distant.name, worst->distance, beside, bound);
}

static gg_status check_part(difference *worst, bench_work *work, const bench_step *step, int64_t first, int64_t count)
{
    const int kept = work->buffer_count;
    double expected_loss = 0.0, *expected = bench_take_zeros(work, gg_model_parameter_floats(work->model));
    gg_status status = work->status;
    if (status == GG_OK)
        status = step->reference(work, first, count, &expected_loss, expected);
    if (status == GG_OK)
        status = find_gradients(work, step, first, count);
    const float loss = (float)gg_model_loss(work->model);
    if (status == GG_OK)
        status = bench_check_array("loss", 0, &loss, &expected_loss, NULL, 1, 1e-5 / (double)FLT_EPSILON);
    if (status == GG_OK)
        status = compare(worst, work, expected);
    bench_release(work, kept);
    return status;
}

static int64_t size_of_part(const bench_work *work, const bench_step *step, int64_t first)
{
    const int64_t left = work->line->size[0] - first;
    return left < step->part ? left : step->part;
}

static gg_status check_parts(bench_work *work, const bench_step *step)
{
    difference worst = {.error = INFINITY};
    gg_status status = GG_OK;
    int64_t first = 0;
    for (int i = 0; i < MOST_PARTS && first < work->line->size[0] && status == GG_OK && worst.error > CLOSE; i++) {
        status = check_part(&worst, work, step, first, size_of_part(work, step, first));
        if (status == GG_OK)
            status = judge_norm(&worst, FLIPPED, "the reference in double");
        first += step->part;
    }
    return status != GG_OK ? status : judge_elements(&worst);
}

gg_status bench_check_whole(bench_work *work, const bench_step *step)
{
    const int64_t batch = work->line->size[0], floats = gg_model_parameter_floats(work->model);
    double *mean = bench_take_zeros(work, floats);
    difference worst;
    gg_status status = work->status;
    for (int64_t first = 0; first < batch && status == GG_OK; first += step->part) {
        const int64_t count = size_of_part(work, step, first);
        status = find_gradients(work, step, first, count);
        for (int64_t i = 0; i < floats && status == GG_OK; i++)
            mean[i] += (double)gg_model_gradients(work->model)[i] * (double)count / (double)batch;
    }
    if (status == GG_OK)
        status = find_gradients(work, step, 0, batch);
    if (status == GG_OK)
        status = compare(&worst, work, mean);
    return status != GG_OK ? status : judge_norm(&worst, WHOLE, "the mean of the batch's parts");
}

gg_status bench_check_step(bench_work *work, const bench_step *step)
{
    const gg_status status = check_parts(work, step);
    return status != GG_OK ? status : bench_check_whole(work, step);
}
