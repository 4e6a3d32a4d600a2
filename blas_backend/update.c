/* update.c - optimiser steps: checks, factors worked out once, then one pass of the kernel, on several threads where
 * that pays. */
#include <gemmgrad/update.h>

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

/* Weights that outweigh the 10 us of waking a thread; borders on cache lines. */
enum { GRAIN = 32768, LINE = 16 };

typedef struct step_job {
    gg_update_kind rule;
    float *w, *state, *second; /* second: Adam's v */
    const float *g;
    float lr, weight_decay, grad_scale;
    float momentum, rho, epsilon;
    const gg_adam_factors *adam;
} step_job;

static void run_step(void *context, int64_t begin, int64_t end)
{
    const step_job *j = context;
    const gg_kernel_table *k = gg_kernels();
    const int64_t n = end - begin;
    float *w = j->w + begin;
    float *s = j->state != NULL ? j->state + begin : NULL;
    const float *g = j->g + begin;
    switch (j->rule) {
    case GG_UPDATE_SGD: k->sgd(w, g, n, j->lr, j->weight_decay, j->grad_scale); break;
    case GG_UPDATE_MOMENTUM: k->momentum(w, s, g, n, j->lr, j->momentum, j->weight_decay, j->grad_scale); break;
    case GG_UPDATE_NESTEROV: k->nesterov(w, s, g, n, j->lr, j->momentum, j->weight_decay, j->grad_scale); break;
    case GG_UPDATE_ADAGRAD: k->adagrad(w, s, g, n, j->lr, j->epsilon, j->weight_decay, j->grad_scale); break;
    case GG_UPDATE_RMSPROP: k->rmsprop(w, s, g, n, j->lr, j->rho, j->epsilon, j->weight_decay, j->grad_scale); break;
    case GG_UPDATE_ADAM:
    case GG_UPDATE_ADAMW: k->adam(w, s, j->second + begin, g, n, j->adam); break;
    case GG_UPDATE_COUNT: break;
    }
}

static inline gg_status run(step_job *job, int64_t n)
{
    if (n == 0)
        return GG_OK;
    if (n < 2 * GRAIN)
        run_step(job, 0, n);
    else
        gg_parallel_for(n, GRAIN, LINE, run_step, job);
    return GG_OK;
}

gg_status gg_update_sgd(float *w, const float *g, int64_t n, float lr, float weight_decay, float grad_scale)
{
    if (!gg_fits_array(n) || (n > 0 && (w == NULL || g == NULL)))
        return gg_fail_array("gg_update_sgd", n, GG_ARGUMENTS({"w", w}, {"g", g}));
    step_job job = {
        .rule = GG_UPDATE_SGD, .w = w, .g = g, .lr = lr, .weight_decay = weight_decay, .grad_scale = grad_scale};
    return run(&job, n);
}

static inline gg_status run_momentum(const char *function, gg_update_kind chosen, float *w, float *v, const float *g,
                                     int64_t n, float lr, float momentum, float weight_decay, float grad_scale)
{
    if (!gg_fits_array(n) || (n > 0 && (w == NULL || v == NULL || g == NULL)))
        return gg_fail_array(function, n, GG_ARGUMENTS({"w", w}, {"v", v}, {"g", g}));
    step_job job = {.rule = chosen,
                    .w = w,
                    .state = v,
                    .g = g,
                    .lr = lr,
                    .weight_decay = weight_decay,
                    .grad_scale = grad_scale,
                    .momentum = momentum};
    return run(&job, n);
}

gg_status gg_update_momentum(float *w, float *v, const float *g, int64_t n, float lr, float momentum,
                             float weight_decay, float grad_scale)
{
    return run_momentum("gg_update_momentum", GG_UPDATE_MOMENTUM, w, v, g, n, lr, momentum, weight_decay, grad_scale);
}

gg_status gg_update_nesterov(float *w, float *v, const float *g, int64_t n, float lr, float momentum,
                             float weight_decay, float grad_scale)
{
    return run_momentum("gg_update_nesterov", GG_UPDATE_NESTEROV, w, v, g, n, lr, momentum, weight_decay, grad_scale);
}

gg_status gg_update_adagrad(float *w, float *h, const float *g, int64_t n, float lr, float epsilon, float weight_decay,
                            float grad_scale)
{
    if (!gg_fits_array(n) || (n > 0 && (w == NULL || h == NULL || g == NULL)))
        return gg_fail_array("gg_update_adagrad", n, GG_ARGUMENTS({"w", w}, {"h", h}, {"g", g}));
    step_job job = {.rule = GG_UPDATE_ADAGRAD,
                    .w = w,
                    .state = h,
                    .g = g,
                    .lr = lr,
                    .weight_decay = weight_decay,
                    .grad_scale = grad_scale,
                    .epsilon = epsilon};
    return run(&job, n);
}

gg_status gg_update_rmsprop(float *w, float *h, const float *g, int64_t n, float lr, float rho, float epsilon,
                            float weight_decay, float grad_scale)
{
    if (!gg_fits_array(n) || (n > 0 && (w == NULL || h == NULL || g == NULL)))
        return gg_fail_array("gg_update_rmsprop", n, GG_ARGUMENTS({"w", w}, {"h", h}, {"g", g}));
    if (!(rho >= 0.0f && rho <= 1.0f))
        return gg_fail(GG_ERR_ARGUMENT, "gg_update_rmsprop: rho is %g, expected 0 to 1", (double)rho);
    step_job job = {.rule = GG_UPDATE_RMSPROP,
                    .w = w,
                    .state = h,
                    .g = g,
                    .lr = lr,
                    .weight_decay = weight_decay,
                    .grad_scale = grad_scale,
                    .rho = rho,
                    .epsilon = epsilon};
    return run(&job, n);
}

typedef struct adam_call {
    float *w, *m, *v;
    const float *g;
    int64_t n;
    float lr, beta1, beta2, epsilon, weight_decay, grad_scale;
    int64_t step;
} adam_call;

static gg_status check_adam(const char *function, const adam_call *c)
{
    if (!gg_fits_array(c->n) || (c->n > 0 && (c->w == NULL || c->m == NULL || c->v == NULL || c->g == NULL)))
        return gg_fail_array(function, c->n, GG_ARGUMENTS({"w", c->w}, {"m", c->m}, {"v", c->v}, {"g", c->g}));
    if (!(c->beta1 >= 0.0f && c->beta1 < 1.0f && c->beta2 >= 0.0f && c->beta2 < 1.0f))
        return gg_fail(GG_ERR_ARGUMENT, "%s: beta1 = %g, beta2 = %g, expected 0 <= beta < 1", function,
                       (double)c->beta1, (double)c->beta2);
    if (c->step < 1)
        return gg_fail(GG_ERR_ARGUMENT, "%s: step is %lld, expected 1 or more", function, (long long)c->step);
    return GG_OK;
}

/* The bias corrections 1 - beta^step in double: for beta = 0.999 and step 1, float would leave 14 of 24 bits. */
static gg_adam_factors factors_of(const adam_call *c, bool decoupled)
{
    const double correction1 = 1.0 - pow((double)c->beta1, (double)c->step);
    const double correction2 = 1.0 - pow((double)c->beta2, (double)c->step);
    return (gg_adam_factors){
        .keep = decoupled ? (float)(1.0 - (double)c->lr * (double)c->weight_decay) : 1.0f,
        .weight_decay = decoupled ? 0.0f : c->weight_decay,
        .grad_scale = c->grad_scale,
        .beta1 = c->beta1,
        .rest1 = 1.0f - c->beta1,
        .beta2 = c->beta2,
        .rest2 = 1.0f - c->beta2,
        .step = (float)((double)c->lr / correction1),
        .root = (float)(1.0 / sqrt(correction2)),
        .epsilon = c->epsilon,
    };
}

static gg_status run_adam(const char *function, const adam_call *c, bool decoupled)
{
    const gg_status status = check_adam(function, c);
    if (status != GG_OK)
        return status;
    const gg_adam_factors factors = factors_of(c, decoupled);
    step_job job = {.rule = GG_UPDATE_ADAM, .w = c->w, .state = c->m, .second = c->v, .g = c->g, .adam = &factors};
    return run(&job, c->n);
}

gg_status gg_update_adam(float *w, float *m, float *v, const float *g, int64_t n, float lr, float beta1, float beta2,
                         float epsilon, float weight_decay, float grad_scale, int64_t step)
{
    const adam_call call = {w, m, v, g, n, lr, beta1, beta2, epsilon, weight_decay, grad_scale, step};
    return run_adam("gg_update_adam", &call, false);
}

gg_status gg_update_adamw(float *w, float *m, float *v, const float *g, int64_t n, float lr, float beta1, float beta2,
                          float epsilon, float weight_decay, float grad_scale, int64_t step)
{
    const adam_call call = {w, m, v, g, n, lr, beta1, beta2, epsilon, weight_decay, grad_scale, step};
    return run_adam("gg_update_adamw", &call, true);
}

/* ---- some rows of a matrix ---- */

typedef struct rows_job {
    step_job step;
    const int32_t *rows;
    int64_t cols;
} rows_job;

static void run_rows(void *context, int64_t begin, int64_t end)
{
    rows_job *j = context;
    for (int64_t i = begin; i < end; i++)
        run_step(&j->step, j->rows[i] * j->cols, (j->rows[i] + (int64_t)1) * j->cols);
}

static gg_status check_rule(const char *function, const gg_update_rule *rule)
{
    if (rule == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: rule is NULL", function);
    if ((int)rule->kind < 0 || rule->kind >= GG_UPDATE_COUNT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: rule->kind is %d, not one of gg_update_kind", function, (int)rule->kind);
    if (rule->kind == GG_UPDATE_RMSPROP && !(rule->rho >= 0.0f && rule->rho <= 1.0f))
        return gg_fail(GG_ERR_ARGUMENT, "%s: rho is %g, expected 0 to 1", function, (double)rule->rho);
    return GG_OK;
}

/* Which of w, g, rows and the state that the rule has is missing; NULL: none. */
static const char *missing_array(const rows_job *j)
{
    const gg_update_kind kind = j->step.rule;
    return j->step.w == NULL                                  ? "w"
           : kind != GG_UPDATE_SGD && j->step.state == NULL   ? "first"
           : kind >= GG_UPDATE_ADAM && j->step.second == NULL ? "second"
           : j->step.g == NULL                                ? "g"
           : j->rows == NULL                                  ? "rows"
                                                              : NULL;
}

static gg_status check_rows(const char *function, const rows_job *j, int64_t count, int64_t table_rows)
{
    if (count < 0 || table_rows < 0 || j->cols < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: count = %lld, table_rows = %lld, cols = %lld, expected 0 or more",
                       function, (long long)count, (long long)table_rows, (long long)j->cols);
    if (!gg_fits_matrix(table_rows, j->cols, j->cols))
        return gg_fail(GG_ERR_OVERFLOW, "%s: table_rows = %lld, cols = %lld are more floats than any memory holds",
                       function, (long long)table_rows, (long long)j->cols);
    if (count > 0 && missing_array(j) != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL with count = %lld", function, missing_array(j),
                       (long long)count);
    for (int64_t i = 0; i < count; i++)
        if (j->rows[i] < 0 || j->rows[i] >= table_rows)
            return gg_fail(GG_ERR_ARGUMENT, "%s: rows[%lld] is %d, expected 0 to %lld", function, (long long)i,
                           (int)j->rows[i], (long long)table_rows - 1);
    return GG_OK;
}

gg_status gg_update_rows(float *w, float *first, float *second, const float *g, const int32_t *rows, int64_t count,
                         int64_t table_rows, int64_t cols, const gg_update_rule *rule)
{
    static const char function[] = "gg_update_rows";
    gg_status status = check_rule(function, rule);
    if (status != GG_OK)
        return status;
    const adam_call call = {w,
                            first,
                            second,
                            g,
                            0,
                            rule->lr,
                            rule->beta1,
                            rule->beta2,
                            rule->epsilon,
                            rule->weight_decay,
                            rule->grad_scale,
                            rule->step};
    const bool is_adam = rule->kind >= GG_UPDATE_ADAM;
    if (is_adam)
        status = check_adam(function, &call);
    rows_job job = {.step = {.rule = rule->kind,
                             .w = w,
                             .state = first,
                             .second = second,
                             .g = g,
                             .lr = rule->lr,
                             .weight_decay = rule->weight_decay,
                             .grad_scale = rule->grad_scale,
                             .momentum = rule->momentum,
                             .rho = rule->rho,
                             .epsilon = rule->epsilon},
                    .rows = rows,
                    .cols = cols};
    if (status == GG_OK)
        status = check_rows(function, &job, count, table_rows);
    if (status != GG_OK || count == 0 || cols == 0)
        return status;
    const gg_adam_factors factors = is_adam ? factors_of(&call, rule->kind == GG_UPDATE_ADAMW) : (gg_adam_factors){0};
    job.step.adam = &factors;
    gg_parallel_for(count, GRAIN / cols + 1, 1, run_rows, &job);
    return GG_OK;
}
