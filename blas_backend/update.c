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

typedef enum rule { SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, LION } rule;

typedef struct step_job {
    rule rule;
    float *w, *state, *second; /* second: Adam's v */
    const float *g;
    float lr, weight_decay, grad_scale;
    float momentum, rho, epsilon;
    const gg_adam_factors *adam;
    const gg_lion_factors *lion;
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
    case SGD: k->sgd(w, g, n, j->lr, j->weight_decay, j->grad_scale); break;
    case MOMENTUM: k->momentum(w, s, g, n, j->lr, j->momentum, j->weight_decay, j->grad_scale); break;
    case NESTEROV: k->nesterov(w, s, g, n, j->lr, j->momentum, j->weight_decay, j->grad_scale); break;
    case ADAGRAD: k->adagrad(w, s, g, n, j->lr, j->epsilon, j->weight_decay, j->grad_scale); break;
    case RMSPROP: k->rmsprop(w, s, g, n, j->lr, j->rho, j->epsilon, j->weight_decay, j->grad_scale); break;
    case ADAM: k->adam(w, s, j->second + begin, g, n, j->adam); break;
    case LION: k->lion(w, s, g, n, j->lion); break;
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
    step_job job = {.rule = SGD, .w = w, .g = g, .lr = lr, .weight_decay = weight_decay, .grad_scale = grad_scale};
    return run(&job, n);
}

static inline gg_status run_momentum(const char *function, rule chosen, float *w, float *v, const float *g, int64_t n,
                                     float lr, float momentum, float weight_decay, float grad_scale)
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
    return run_momentum("gg_update_momentum", MOMENTUM, w, v, g, n, lr, momentum, weight_decay, grad_scale);
}

gg_status gg_update_nesterov(float *w, float *v, const float *g, int64_t n, float lr, float momentum,
                             float weight_decay, float grad_scale)
{
    return run_momentum("gg_update_nesterov", NESTEROV, w, v, g, n, lr, momentum, weight_decay, grad_scale);
}

gg_status gg_update_adagrad(float *w, float *h, const float *g, int64_t n, float lr, float epsilon, float weight_decay,
                            float grad_scale)
{
    if (!gg_fits_array(n) || (n > 0 && (w == NULL || h == NULL || g == NULL)))
        return gg_fail_array("gg_update_adagrad", n, GG_ARGUMENTS({"w", w}, {"h", h}, {"g", g}));
    step_job job = {.rule = ADAGRAD,
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
    step_job job = {.rule = RMSPROP,
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

static gg_status check_betas(const char *function, float beta1, float beta2)
{
    if (beta1 >= 0.0f && beta1 < 1.0f && beta2 >= 0.0f && beta2 < 1.0f)
        return GG_OK;
    return gg_fail(GG_ERR_ARGUMENT, "%s: beta1 = %g, beta2 = %g, expected 0 <= beta < 1", function, (double)beta1,
                   (double)beta2);
}

static gg_status check_adam(const char *function, const adam_call *c)
{
    if (!gg_fits_array(c->n) || (c->n > 0 && (c->w == NULL || c->m == NULL || c->v == NULL || c->g == NULL)))
        return gg_fail_array(function, c->n, GG_ARGUMENTS({"w", c->w}, {"m", c->m}, {"v", c->v}, {"g", c->g}));
    const gg_status status = check_betas(function, c->beta1, c->beta2);
    if (status != GG_OK)
        return status;
    if (c->step < 1)
        return gg_fail(GG_ERR_ARGUMENT, "%s: step is %lld, expected 1 or more", function, (long long)c->step);
    return GG_OK;
}

/* The bias corrections 1 - beta^step in double: for beta = 0.999 and step 1, float would leave 14 of 24 bits. */
static gg_status run_adam(const char *function, const adam_call *c, bool decoupled)
{
    const gg_status status = check_adam(function, c);
    if (status != GG_OK)
        return status;
    const double correction1 = 1.0 - pow((double)c->beta1, (double)c->step);
    const double correction2 = 1.0 - pow((double)c->beta2, (double)c->step);
    const gg_adam_factors factors = {
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
    step_job job = {.rule = ADAM, .w = c->w, .state = c->m, .second = c->v, .g = c->g, .adam = &factors};
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

gg_status gg_update_lion(float *w, float *m, const float *g, int64_t n, float lr, float beta1, float beta2,
                         float weight_decay, float grad_scale)
{
    if (!gg_fits_array(n) || (n > 0 && (w == NULL || m == NULL || g == NULL)))
        return gg_fail_array("gg_update_lion", n, GG_ARGUMENTS({"w", w}, {"m", m}, {"g", g}));
    const gg_status status = check_betas("gg_update_lion", beta1, beta2);
    if (status != GG_OK)
        return status;
    const gg_lion_factors factors = {
        .lr = lr,
        .keep = (float)(1.0 - (double)lr * (double)weight_decay),
        .grad_scale = grad_scale,
        .beta1 = beta1,
        .rest1 = 1.0f - beta1,
        .beta2 = beta2,
        .rest2 = 1.0f - beta2,
    };
    step_job job = {.rule = LION, .w = w, .state = m, .g = g, .lion = &factors};
    return run(&job, n);
}
