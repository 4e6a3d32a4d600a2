/* optimizer.c - the rules of gemmgrad/update.h over a model's flat arrays: one pass a step, state in one arena.
 *
 * Clipping by the global norm |g| = sqrt(sum of all g_i^2) costs one more pass to read the gradients and none to write
 * them: the factor min(1, clip_norm / (|g| + 1e-6)), PyTorch's clip_grad_norm_, goes into the update as grad_scale.
 *
 * Sparse parameters lie behind the dense ones. Of them a step reads, and writes, the rows that its backward touched:
 * the others have gradient 0. */
#include <gemmgrad/optimizer.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/update.h>

#include "optimizer_rules.h"

enum { MAX_STATES = 2 };

static const struct rule {
    const char *name;
    int states;
    const char *state_names[MAX_STATES];
    const gg_matrix_rule *matrix; /* NULL: one pass over the flat arrays */
} rules[GG_OPTIMIZER_COUNT] = {
    [GG_SGD] = {"sgd", 0, {NULL, NULL}, NULL},
    [GG_MOMENTUM] = {"momentum", 1, {"momentum", NULL}, NULL},
    [GG_NESTEROV] = {"nesterov", 1, {"nesterov", NULL}, NULL},
    [GG_ADAGRAD] = {"adagrad", 1, {"adagrad.h", NULL}, NULL},
    [GG_RMSPROP] = {"rmsprop", 1, {"rmsprop.h", NULL}, NULL},
    [GG_ADAM] = {"adam", 2, {"adam.m", "adam.v"}, NULL},
    [GG_ADAMW] = {"adamw", 2, {"adamw.m", "adamw.v"}, NULL},
    [GG_LION] = {"lion", 1, {"lion.m", NULL}, NULL},
    [GG_MUON] = {"muon", 1, {"muon.m", NULL}, &gg_muon_rule},
    [GG_SHAMPOO] = {"shampoo", 2, {"shampoo.m", "shampoo.v"}, &gg_shampoo_rule},
    [GG_SOAP] = {"soap", 2, {"soap.m", "soap.v"}, &gg_soap_rule},
    [GG_KFAC] = {"kfac", 1, {"kfac.momentum", NULL}, &gg_kfac_rule},
};

/* Of sparse parameters; rules that see matrices leave them to another. */
static const gg_update_kind update_kinds[GG_OPTIMIZER_COUNT] = {
    [GG_SGD] = GG_UPDATE_SGD,         [GG_MOMENTUM] = GG_UPDATE_MOMENTUM, [GG_NESTEROV] = GG_UPDATE_NESTEROV,
    [GG_ADAGRAD] = GG_UPDATE_ADAGRAD, [GG_RMSPROP] = GG_UPDATE_RMSPROP,   [GG_ADAM] = GG_UPDATE_ADAM,
    [GG_ADAMW] = GG_UPDATE_ADAMW,     [GG_LION] = GG_UPDATE_LION,         [GG_MUON] = GG_UPDATE_ADAMW,
    [GG_SHAMPOO] = GG_UPDATE_ADAMW,   [GG_SOAP] = GG_UPDATE_ADAMW,        [GG_KFAC] = GG_UPDATE_MOMENTUM,
};

const char *gg_optimizer_name(gg_optimizer_kind kind)
{
    return (int)kind >= 0 && kind < GG_OPTIMIZER_COUNT ? rules[kind].name : NULL;
}

gg_optimizer_kind gg_optimizer_named(const char *name)
{
    int kind = 0;
    while (kind < GG_OPTIMIZER_COUNT && (name == NULL || strcmp(rules[kind].name, name) != 0))
        kind++;
    return (gg_optimizer_kind)kind;
}

/* ---- options ---- */

/* 0: the default; negative: really 0. */
static float choose(float given, float standard)
{
    return given == 0.0f ? standard : given < 0.0f ? 0.0f : given;
}

static gg_optimizer_options fill_defaults(const gg_optimizer_options *given)
{
    const gg_optimizer_kind kind = given->kind;
    const bool decays = kind == GG_ADAMW || kind == GG_MUON || kind == GG_SHAMPOO || kind == GG_SOAP;
    gg_optimizer_options o = *given;
    o.momentum = choose(given->momentum, kind == GG_MUON ? 0.95f : 0.9f);
    o.rho = choose(given->rho, kind == GG_KFAC ? 0.95f : 0.99f);
    o.beta1 = choose(given->beta1, kind == GG_SOAP ? 0.95f : 0.9f);
    o.beta2 = choose(given->beta2, kind == GG_SOAP ? 0.95f : kind == GG_LION || kind == GG_SHAMPOO ? 0.99f : 0.999f);
    o.damping = choose(given->damping, kind == GG_KFAC ? 0.03f : 1e-6f);
    o.refresh = given->refresh == 0 ? 10 : given->refresh;
    o.largest_side = given->largest_side == 0 ? 1024 : given->largest_side;
    o.epsilon = choose(given->epsilon, kind == GG_ADAGRAD ? 1e-10f : 1e-8f);
    /* An epsilon of 0 would make 0 / 0 of a weight whose gradients were all 0, padding among them. The smallest normal
     * float changes nothing else: the square root of the smallest positive float is 1e15 times larger. */
    if (o.epsilon == 0.0f)
        o.epsilon = FLT_MIN;
    o.weight_decay = choose(given->weight_decay, decays ? 0.01f : 0.0f);
    o.clip_norm = choose(given->clip_norm, 0.0f);
    return o;
}

static gg_status check_options(const gg_optimizer_options *o)
{
    const struct {
        const char *name;
        float value, limit;
        bool limit_allowed;
    } numbers[] = {
        {"momentum", o->momentum, FLT_MAX, true},   {"rho", o->rho, 1.0f, true},
        {"beta1", o->beta1, 1.0f, false},           {"beta2", o->beta2, 1.0f, false},
        {"epsilon", o->epsilon, FLT_MAX, true},     {"weight_decay", o->weight_decay, FLT_MAX, true},
        {"clip_norm", o->clip_norm, FLT_MAX, true}, {"damping", o->damping, FLT_MAX, true},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const float value = numbers[i].value, limit = numbers[i].limit;
        const bool good = value < limit || (numbers[i].limit_allowed && value == limit); /* NaN is neither */
        if (!good)
            return gg_fail(GG_ERR_ARGUMENT, "gg_optimizer_new: options->%s is %g", numbers[i].name, (double)value);
    }
    if (o->refresh < 1 || o->largest_side < 1)
        return gg_fail(GG_ERR_ARGUMENT, "gg_optimizer_new: options->%s is %lld, expected 1 or more",
                       o->refresh < 1 ? "refresh" : "largest_side",
                       (long long)(o->refresh < 1 ? o->refresh : o->largest_side));
    return GG_OK;
}

/* ---- life ---- */

static gg_status check_model(gg_model *model)
{
    if (gg_model_parameters(model) == NULL || gg_model_parameter_floats(model) <= 0)
        return gg_fail(GG_ERR_STATE, "gg_optimizer_new: the model is not planned, or has no parameters");
    if (gg_model_gradients(model) == NULL)
        return gg_fail(GG_ERR_STATE, "gg_optimizer_new: the model is planned without a loss, so it has no gradients");
    return GG_OK;
}

static gg_status allocate(gg_optimizer **out, int states, int64_t floats)
{
    int64_t bytes = 0;
    gg_status status = gg_checked_multiply(&bytes, floats, (int64_t)states * (int64_t)sizeof(float));
    if (status != GG_OK)
        return status;
    void *object = NULL, *state = NULL;
    status = gg_alloc_zero(&object, sizeof **out);
    if (status == GG_OK)
        status = gg_alloc_zero(&state, (size_t)bytes);
    if (status != GG_OK) {
        gg_free(object);
        return status;
    }
    *out = object;
    (*out)->state = state;
    (*out)->floats = floats;
    return GG_OK;
}

gg_status gg_optimizer_new(gg_optimizer **out, gg_model *model, const gg_optimizer_options *options)
{
    const char *missing = out == NULL ? "out" : model == NULL ? "model" : options == NULL ? "options" : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_optimizer_new: %s is NULL", missing);
    if (gg_optimizer_name(options->kind) == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_optimizer_new: options->kind is %d, which is no optimiser",
                       (int)options->kind);
    const gg_optimizer_options filled = fill_defaults(options);
    gg_status status = check_options(&filled);
    if (status == GG_OK)
        status = check_model(model);
    gg_optimizer *optimizer = NULL;
    if (status == GG_OK)
        status = allocate(&optimizer, rules[options->kind].states, gg_model_parameter_floats(model));
    if (status != GG_OK)
        return status;
    optimizer->model = model;
    optimizer->options = filled;
    optimizer->rule = rules[options->kind].matrix;
    if (optimizer->rule != NULL)
        status = gg_matrix_rule_prepare(optimizer);
    if (status == GG_OK)
        *out = optimizer;
    else
        gg_optimizer_free(optimizer);
    return status;
}

void gg_optimizer_free(gg_optimizer *optimizer)
{
    if (optimizer == NULL)
        return;
    gg_matrix_rule_release(optimizer);
    gg_free(optimizer->state);
    gg_free(optimizer);
}

/* ---- one step ---- */

/* *squares += those of the rows touched of every sparse parameter. */
static gg_status sparse_squares(double *squares, const gg_model *model)
{
    gg_status status = GG_OK;
    for (int32_t i = 0; i < model->parameter_count; i++) {
        const gg_parameter_info *p = &model->parameters[i];
        const int64_t columns = p->shape.dims[1];
        for (int64_t t = 0; p->sparse && t < p->touched.count && status == GG_OK; t++) {
            double row = 0.0;
            status = gg_sum_squares(&row, model->gradients + p->offset + p->touched.rows[t] * columns, columns);
            *squares += row;
        }
    }
    return status;
}

static gg_status clip_factor(gg_optimizer *optimizer, float *factor)
{
    *factor = 1.0f;
    if (!(optimizer->options.clip_norm > 0.0f))
        return GG_OK;
    double squares = 0.0;
    gg_status status = gg_sum_squares(&squares, gg_model_gradients(optimizer->model), optimizer->model->dense_floats);
    if (status == GG_OK)
        status = sparse_squares(&squares, optimizer->model);
    if (status != GG_OK)
        return status;
    const double norm = sqrt(squares), limit = (double)optimizer->options.clip_norm;
    if (!isfinite(norm))
        return gg_fail(GG_ERR_NUMERIC, "gg_optimizer_step: the norm of the gradients is %g at step %lld", norm,
                       (long long)optimizer->steps);
    optimizer->gradient_norm = norm;
    *factor = (float)fmin(1.0, limit / (norm + 1e-6));
    return GG_OK;
}

static gg_status update_dense(gg_optimizer *optimizer, float lr, float scale)
{
    const gg_optimizer_options *o = &optimizer->options;
    const float decay = o->weight_decay, epsilon = o->epsilon;
    const int64_t n = optimizer->model->dense_floats, step = optimizer->steps + 1;
    float *w = gg_model_parameters(optimizer->model), *first = optimizer->state;
    const float *g = gg_model_gradients(optimizer->model);
    float *second = rules[o->kind].states == 2 ? first + optimizer->floats : NULL;
    switch (o->kind) {
    case GG_SGD: return gg_update_sgd(w, g, n, lr, decay, scale);
    case GG_MOMENTUM: return gg_update_momentum(w, first, g, n, lr, o->momentum, decay, scale);
    case GG_NESTEROV: return gg_update_nesterov(w, first, g, n, lr, o->momentum, decay, scale);
    case GG_ADAGRAD: return gg_update_adagrad(w, first, g, n, lr, epsilon, decay, scale);
    case GG_RMSPROP: return gg_update_rmsprop(w, first, g, n, lr, o->rho, epsilon, decay, scale);
    case GG_ADAM: return gg_update_adam(w, first, second, g, n, lr, o->beta1, o->beta2, epsilon, decay, scale, step);
    case GG_ADAMW: return gg_update_adamw(w, first, second, g, n, lr, o->beta1, o->beta2, epsilon, decay, scale, step);
    case GG_LION: return gg_update_lion(w, first, g, n, lr, o->beta1, o->beta2, decay, scale);
    default: break;
    }
    return gg_fail(GG_ERR_INTERNAL, "gg_optimizer_step: unknown kind %d", (int)o->kind);
}

static gg_status update_sparse(gg_optimizer *optimizer, float lr, float scale)
{
    const gg_optimizer_options *o = &optimizer->options;
    const gg_model *model = optimizer->model;
    const gg_update_rule rule = {.kind = update_kinds[o->kind],
                                 .lr = lr,
                                 .momentum = o->momentum,
                                 .rho = o->rho,
                                 .beta1 = o->beta1,
                                 .beta2 = o->beta2,
                                 .epsilon = o->epsilon,
                                 .weight_decay = o->weight_decay,
                                 .grad_scale = scale,
                                 .step = optimizer->steps + 1};
    gg_status status = GG_OK;
    for (int32_t i = 0; i < model->parameter_count && status == GG_OK; i++) {
        const gg_parameter_info *p = &model->parameters[i];
        float *first = rules[o->kind].states > 0 ? optimizer->state + p->offset : NULL;
        float *second = rules[o->kind].states > 1 ? first + optimizer->floats : NULL;
        if (optimizer->rule != NULL && second == NULL) /* Muon's */
            second = gg_block_kept(optimizer, &optimizer->blocks[i], 0);
        if (p->sparse)
            status = gg_update_rows(model->weights + p->offset, first, second, model->gradients + p->offset,
                                    p->touched.rows, p->touched.count, p->shape.dims[0], p->shape.dims[1], &rule);
    }
    return status;
}

gg_status gg_optimizer_step(gg_optimizer *optimizer, float learning_rate)
{
    if (optimizer == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_optimizer_step: optimizer is NULL");
    if (!(learning_rate >= 0.0f && learning_rate <= FLT_MAX))
        return gg_fail(GG_ERR_ARGUMENT, "gg_optimizer_step: learning_rate is %g", (double)learning_rate);
    float scale;
    gg_status status = clip_factor(optimizer, &scale);
    if (status == GG_OK)
        status = optimizer->rule != NULL ? optimizer->rule->step(optimizer, learning_rate, scale)
                                         : update_dense(optimizer, learning_rate, scale);
    if (status == GG_OK)
        status = update_sparse(optimizer, learning_rate, scale);
    if (status != GG_OK)
        return status;
    gg_optimizer_set_steps(optimizer, optimizer->steps + 1);
    gg_model_set_step(optimizer->model, gg_model_step(optimizer->model) + 1);
    return GG_OK;
}

/* ---- looking ---- */

double gg_optimizer_gradient_norm(const gg_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->gradient_norm : 0.0;
}

gg_optimizer_kind gg_optimizer_kind_of(const gg_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->options.kind : GG_OPTIMIZER_COUNT;
}

int gg_optimizer_state_count(const gg_optimizer *optimizer)
{
    return optimizer != NULL ? rules[optimizer->options.kind].states : 0;
}

const char *gg_optimizer_state_name(const gg_optimizer *optimizer, int i)
{
    return i >= 0 && i < gg_optimizer_state_count(optimizer) ? rules[optimizer->options.kind].state_names[i] : NULL;
}

float *gg_optimizer_state(gg_optimizer *optimizer, int i)
{
    return i >= 0 && i < gg_optimizer_state_count(optimizer) ? optimizer->state + i * optimizer->floats : NULL;
}

int64_t gg_optimizer_steps(const gg_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->steps : 0;
}

void gg_optimizer_set_steps(gg_optimizer *optimizer, int64_t steps)
{
    if (optimizer == NULL)
        return;
    optimizer->steps = steps > 0 ? steps : 0;
    if (optimizer->rule != NULL && optimizer->rule->expect != NULL)
        optimizer->rule->expect(optimizer);
}
