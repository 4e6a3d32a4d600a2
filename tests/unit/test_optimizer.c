/* test_optimizer.c - every rule over the flat arrays (those that see matrices: test_matrix_optimizers.c) against plain
 * loops in double over several steps; clipping; schedules at their boundaries. */
#include <gemmgrad/optimizer.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/memory.h>

#include "reference_update.h"
#include "scratch.h"
#include "support.h"

enum { STEPS = 12, MAX_FLOATS = 64, PLAIN_KINDS = GG_LION + 1 };

static gg_model *model;
static int64_t floats;

/* W [3, 5] and b [5]: both end in padding. */
static void setup(void)
{
    scratch_count_allocations();
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    const gg_value x = gg_input(model, "x", 2, (const int64_t[]){GG_BATCH, 3});
    const gg_value t = gg_input_labels(model, "t", 1, (const int64_t[]){GG_BATCH});
    const gg_value loss = gg_softmax_with_loss(model, gg_affine(model, x, 5, NULL), t);
    ck_assert_int_eq(gg_model_plan(model, loss, 2), GG_OK);
    floats = gg_model_parameter_floats(model);
    ck_assert_int_le(floats, MAX_FLOATS);
    ck_assert_int_gt(floats, 3 * 5 + 5);
}

static void teardown(void)
{
    gg_model_free(model);
    scratch_stop_counting();
}

/* Numbers where parameters are, zeros in the padding. */
static void fill_parameters(float *array, double size, uint64_t seed)
{
    gg_parameter parameter;
    memset(array, 0, (size_t)floats * sizeof *array);
    for (int p = 0; p < gg_model_parameter_count(model); p++) {
        ck_assert_int_eq(gg_model_parameter(model, p, &parameter), GG_OK);
        support_fill(array + parameter.offset, parameter.size, -size, size, seed + (uint64_t)p);
    }
}

static void expect_padding_zero(const float *array)
{
    int64_t zeros = 0, used = 0;
    for (int64_t i = 0; i < floats; i++)
        zeros += array[i] == 0.0f;
    for (int p = 0; p < gg_model_parameter_count(model); p++) {
        gg_parameter parameter;
        ck_assert_int_eq(gg_model_parameter(model, p, &parameter), GG_OK);
        used += parameter.size;
    }
    ck_assert_int_ge(zeros, floats - used);
}

static gg_optimizer *make(const gg_optimizer_options *options)
{
    gg_optimizer *optimizer = NULL;
    const gg_status status = gg_optimizer_new(&optimizer, model, options);
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
    return optimizer;
}

/* ---- the rules ---- */

typedef struct double_run {
    double w[MAX_FLOATS], g[MAX_FLOATS], first[MAX_FLOATS], second[MAX_FLOATS], scale[MAX_FLOATS];
} double_run;

/* PyTorch's clip_grad_norm_. */
static double clip_factor(const double *g, double limit)
{
    double squares = 0.0;
    for (int64_t i = 0; i < floats; i++)
        squares += g[i] * g[i];
    return limit > 0.0 ? fmin(1.0, limit / (sqrt(squares) + 1e-6)) : 1.0;
}

/* One step of the rule in double, with numbers as they stand in the options. */
static void reference_step(double_run *r, const gg_optimizer_options *o, double lr, int64_t step)
{
    const double decay = (double)o->weight_decay, epsilon = (double)o->epsilon, momentum = (double)o->momentum;
    const double beta1 = (double)o->beta1, beta2 = (double)o->beta2, clip = clip_factor(r->g, (double)o->clip_norm);
    const int64_t n = floats;
    switch (o->kind) {
    case GG_SGD: reference_sgd(r->w, r->scale, r->g, n, lr, decay, clip); break;
    case GG_MOMENTUM:
    case GG_NESTEROV:
        reference_momentum(r->w, r->first, r->scale, r->g, n, lr, momentum, decay, clip, o->kind == GG_NESTEROV);
        break;
    case GG_ADAGRAD: reference_adagrad(r->w, r->first, r->scale, r->g, n, lr, epsilon, decay, clip); break;
    case GG_RMSPROP:
        reference_rmsprop(r->w, r->first, r->scale, r->g, n, lr, (double)o->rho, epsilon, decay, clip);
        break;
    case GG_ADAM:
    case GG_ADAMW:
        reference_adam(r->w, r->first, r->second, r->scale, r->g, n, lr, beta1, beta2, epsilon, decay, clip, step,
                       o->kind == GG_ADAMW);
        break;
    case GG_LION: reference_lion(r->w, r->first, r->scale, r->g, n, lr, beta1, beta2, decay, clip); break;
    default: ck_abort();
    }
}

static void widen(double *to, const float *from)
{
    for (int64_t i = 0; i < floats; i++)
        to[i] = (double)from[i];
}

/* STEPS steps with fresh gradients each, by the library and in double side by side. */
static void compare_with_reference(const gg_optimizer_options *given, const gg_optimizer_options *meant)
{
    static double_run run;
    gg_optimizer *optimizer = make(given);
    float *w = gg_model_parameters(model), *g = gg_model_gradients(model);
    memset(&run, 0, sizeof run);
    fill_parameters(w, 1.0, 10);
    widen(run.w, w);
    for (int step = 1; step <= STEPS; step++) {
        const float lr = 0.05f / (float)step;
        double ones[MAX_FLOATS];
        fill_parameters(g, 0.5 * step, 100 + (uint64_t)step);
        widen(run.g, g);
        const uint64_t allocations = gg_allocation_count();
        ck_assert_msg(gg_optimizer_step(optimizer, lr) == GG_OK, "%s", gg_error_message());
        ck_assert_uint_eq(gg_allocation_count(), allocations);
        reference_step(&run, meant, (double)lr, step);
        for (int i = 0; i < MAX_FLOATS; i++)
            ones[i] = 1.0; /* weights are of size 1; each step may add a few roundings to those before */
        support_assert_close(w, run.w, ones, floats, 4.0 * step, "%s, step %d", gg_optimizer_name(given->kind), step);
        ck_assert_int_eq(gg_optimizer_steps(optimizer), step);
        expect_padding_zero(w);
        expect_padding_zero(g);
    }
    gg_optimizer_free(optimizer);
}

static const gg_optimizer_options with_all = {
    .momentum = 0.8f,
    .rho = 0.95f,
    .beta1 = 0.85f,
    .beta2 = 0.97f,
    .epsilon = 1e-6f,
    .weight_decay = 0.03f,
    .clip_norm = 2.0f,
};

START_TEST(rule_with_its_defaults)
{
    const gg_optimizer_options given = {.kind = (gg_optimizer_kind)_i};
    const gg_optimizer_options meant = {.kind = (gg_optimizer_kind)_i,
                                        .momentum = 0.9f,
                                        .rho = 0.99f,
                                        .beta1 = 0.9f,
                                        .beta2 = _i == GG_LION ? 0.99f : 0.999f,
                                        .epsilon = _i == GG_ADAGRAD ? 1e-10f : 1e-8f,
                                        .weight_decay = _i == GG_ADAMW ? 0.01f : 0.0f};
    compare_with_reference(&given, &meant);
}
END_TEST

START_TEST(rule_with_all_options)
{
    gg_optimizer_options options = with_all;
    options.kind = (gg_optimizer_kind)_i;
    compare_with_reference(&options, &options);
    options.clip_norm = 0.0f;
    compare_with_reference(&options, &options);
}
END_TEST

START_TEST(negative_means_zero)
{
    const gg_optimizer_options given = {.kind = (gg_optimizer_kind)_i,
                                        .momentum = -1.0f,
                                        .beta1 = -1.0f,
                                        .beta2 = -1.0f,
                                        .rho = -1.0f,
                                        .weight_decay = -1.0f,
                                        .clip_norm = -1.0f};
    const gg_optimizer_options meant = {.kind = given.kind, .epsilon = _i == GG_ADAGRAD ? 1e-10f : 1e-8f};
    compare_with_reference(&given, &meant);
}
END_TEST

/* 0 / 0 must not come of it, neither in the padding nor in a weight that never had a gradient. */
START_TEST(epsilon_of_zero)
{
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = (gg_optimizer_kind)_i, .epsilon = -1.0f});
    float *w = gg_model_parameters(model), *g = gg_model_gradients(model), before[MAX_FLOATS];
    fill_parameters(w, 1.0, 1);
    memset(g, 0, (size_t)floats * sizeof *g);
    g[0] = 1e-20f;
    memcpy(before, w, (size_t)floats * sizeof *w);
    ck_assert_int_eq(gg_optimizer_step(optimizer, 0.5f), GG_OK);
    for (int64_t i = 1; i < floats; i++) {
        const float wanted = _i == GG_ADAMW ? before[i] * (1.0f - 0.5f * 0.01f) : before[i];
        ck_assert_float_eq_tol(w[i], wanted, 1e-6f);
    }
    ck_assert(isfinite(w[0]));
    expect_padding_zero(w);
    gg_optimizer_free(optimizer);
}
END_TEST

/* A gradient of the size of epsilon shows epsilon: the first step is lr g / (|g| + epsilon), or lr / 2 where they are
 * equal. RMSProp's first root is only a tenth of |g|. */
START_TEST(default_epsilon)
{
    const double expected = _i == GG_ADAGRAD ? 1e-10 : 1e-8;
    const double shrink = _i == GG_RMSPROP ? sqrt(1.0 - 0.99) : 1.0; /* sqrt(h) = shrink |g| after one step */
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = (gg_optimizer_kind)_i, .weight_decay = -1.0f});
    float *w = gg_model_parameters(model), *g = gg_model_gradients(model);
    memset(w, 0, (size_t)floats * sizeof *w);
    memset(g, 0, (size_t)floats * sizeof *g);
    g[0] = (float)(expected / shrink);
    ck_assert_int_eq(gg_optimizer_step(optimizer, 1.0f), GG_OK);
    ck_assert_double_eq_tol((double)w[0] * shrink, -0.5, 1e-4);
    gg_optimizer_free(optimizer);
}
END_TEST

/* ---- clipping ---- */

START_TEST(clipping_scales_by_the_norm)
{
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = GG_SGD, .clip_norm = 1.0f});
    float *w = gg_model_parameters(model), *g = gg_model_gradients(model);
    memset(w, 0, (size_t)floats * sizeof *w);
    memset(g, 0, (size_t)floats * sizeof *g);
    ck_assert_double_eq(gg_optimizer_gradient_norm(optimizer), 0.0);
    g[0] = 3.0f;
    g[16] = -4.0f;
    ck_assert_int_eq(gg_optimizer_step(optimizer, 1.0f), GG_OK);
    ck_assert_double_eq(gg_optimizer_gradient_norm(optimizer), 5.0);
    ck_assert_float_eq_tol(w[0], -0.6f, 1e-6f);
    ck_assert_float_eq_tol(w[16], 0.8f, 1e-6f);
    ck_assert_float_eq(g[0], 3.0f);
    g[0] = 0.3f; /* below the limit: nothing changes */
    g[16] = 0.4f;
    w[0] = w[16] = 0.0f;
    ck_assert_int_eq(gg_optimizer_step(optimizer, 1.0f), GG_OK);
    ck_assert_double_eq_tol(gg_optimizer_gradient_norm(optimizer), 0.5, 1e-7);
    ck_assert_float_eq(w[0], -0.3f);
    ck_assert_float_eq(w[16], -0.4f);
    gg_optimizer_free(optimizer);
}
END_TEST

/* PyTorch's 1e-6 beside the norm: with both as small as that, it decides. */
START_TEST(clipping_small_gradients)
{
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = GG_SGD, .clip_norm = 1e-6f});
    float *w = gg_model_parameters(model), *g = gg_model_gradients(model);
    memset(w, 0, (size_t)floats * sizeof *w);
    memset(g, 0, (size_t)floats * sizeof *g);
    g[0] = 3e-6f; /* a factor of 1e-6 / (3e-6 + 1e-6) */
    ck_assert_int_eq(gg_optimizer_step(optimizer, 1.0f), GG_OK);
    ck_assert_double_eq_tol((double)w[0] / 3e-6, -0.25, 1e-5);
    gg_optimizer_free(optimizer);
}
END_TEST

/* The norm of gradients whose squares no float can hold. */
START_TEST(clipping_large_gradients)
{
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = GG_SGD, .clip_norm = 1.0f});
    float *w = gg_model_parameters(model), *g = gg_model_gradients(model);
    memset(w, 0, (size_t)floats * sizeof *w);
    memset(g, 0, (size_t)floats * sizeof *g);
    g[0] = 3e30f;
    g[1] = 4e30f;
    ck_assert_int_eq(gg_optimizer_step(optimizer, 1.0f), GG_OK);
    ck_assert_double_eq_tol(gg_optimizer_gradient_norm(optimizer) / 5e30, 1.0, 1e-6);
    ck_assert_float_eq_tol(w[0], -0.6f, 1e-6f);
    ck_assert_float_eq_tol(w[1], -0.8f, 1e-6f);
    gg_optimizer_free(optimizer);
}
END_TEST

START_TEST(nothing_happens_when_the_norm_is_not_finite)
{
    static const float bad[3] = {NAN, INFINITY, -INFINITY};
    gg_optimizer_options options = with_all;
    options.kind = (gg_optimizer_kind)_i;
    gg_optimizer *optimizer = make(&options);
    float *w = gg_model_parameters(model), *g = gg_model_gradients(model);
    fill_parameters(w, 1.0, 1);
    fill_parameters(g, 1.0, 2);
    ck_assert_int_eq(gg_optimizer_step(optimizer, 0.1f), GG_OK);
    float *before = support_copy(w, floats), *state[2];
    for (int s = 0; s < gg_optimizer_state_count(optimizer); s++)
        state[s] = support_copy(gg_optimizer_state(optimizer, s), floats);
    const double norm = gg_optimizer_gradient_norm(optimizer);
    for (int i = 0; i < 3; i++) {
        g[4] = bad[i];
        support_assert_fails(gg_optimizer_step(optimizer, 0.1f), GG_ERR_NUMERIC, "gg_optimizer_step",
                             "norm of the gradients");
        ck_assert_mem_eq(w, before, (size_t)floats * sizeof *w);
        for (int s = 0; s < gg_optimizer_state_count(optimizer); s++)
            ck_assert_mem_eq(gg_optimizer_state(optimizer, s), state[s], (size_t)floats * sizeof *w);
        ck_assert_int_eq(gg_optimizer_steps(optimizer), 1);
        ck_assert_int_eq(gg_model_step(model), 1);
        ck_assert_double_eq(gg_optimizer_gradient_norm(optimizer), norm);
    }
    gg_optimizer_free(optimizer);
}
END_TEST

/* ---- the rest ---- */

START_TEST(names_and_states)
{
    static const char *const names[] = {"sgd",   "momentum", "nesterov", "adagrad", "rmsprop", "adam",
                                        "adamw", "lion",     "muon",     "shampoo", "soap",    "kfac"};
    static const int states[] = {0, 1, 1, 1, 1, 2, 2, 1, 1, 2, 2, 1};
    for (int kind = 0; kind < GG_OPTIMIZER_COUNT; kind++) {
        gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = (gg_optimizer_kind)kind});
        ck_assert_str_eq(gg_optimizer_name((gg_optimizer_kind)kind), names[kind]);
        ck_assert_int_eq(gg_optimizer_named(names[kind]), kind);
        ck_assert_int_eq(gg_optimizer_kind_of(optimizer), kind);
        ck_assert_int_eq(gg_optimizer_state_count(optimizer), states[kind]);
        for (int s = 0; s < states[kind]; s++) {
            ck_assert_int_eq(strncmp(gg_optimizer_state_name(optimizer, s), names[kind], strlen(names[kind])), 0);
            for (int64_t i = 0; i < floats; i++)
                ck_assert_float_eq(gg_optimizer_state(optimizer, s)[i], 0.0f);
        }
        ck_assert_ptr_null(gg_optimizer_state(optimizer, states[kind]));
        ck_assert_ptr_null(gg_optimizer_state(optimizer, -1));
        ck_assert_ptr_null(gg_optimizer_state_name(optimizer, states[kind]));
        gg_optimizer_free(optimizer);
    }
    ck_assert_int_eq(gg_optimizer_named("adamx"), GG_OPTIMIZER_COUNT);
    ck_assert_int_eq(gg_optimizer_named(NULL), GG_OPTIMIZER_COUNT);
    ck_assert_ptr_null(gg_optimizer_name(GG_OPTIMIZER_COUNT));
    ck_assert_ptr_null(gg_optimizer_name((gg_optimizer_kind)-1));
}
END_TEST

START_TEST(steps_are_counted)
{
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = GG_ADAM});
    ck_assert_int_eq(gg_optimizer_steps(optimizer), 0);
    gg_optimizer_set_steps(optimizer, 41);
    gg_model_set_step(model, 7);
    ck_assert_int_eq(gg_optimizer_step(optimizer, 0.1f), GG_OK);
    ck_assert_int_eq(gg_optimizer_steps(optimizer), 42);
    ck_assert_int_eq(gg_model_step(model), 8);
    gg_optimizer_set_steps(optimizer, -1);
    ck_assert_int_eq(gg_optimizer_steps(optimizer), 0);
    gg_optimizer_free(optimizer);
}
END_TEST

START_TEST(wrong_arguments)
{
    static const gg_optimizer_options wrong[] = {
        {.momentum = NAN},       {.momentum = INFINITY}, {.rho = 1.5f},         {.beta1 = 1.0f},
        {.beta2 = 1.0f},         {.beta2 = NAN},         {.epsilon = INFINITY}, {.weight_decay = NAN},
        {.clip_norm = INFINITY}, {.damping = NAN},       {.refresh = -1},       {.largest_side = -1},
    };
    static const char *const names[] = {"momentum", "momentum",     "rho",       "beta1",   "beta2",   "beta2",
                                        "epsilon",  "weight_decay", "clip_norm", "damping", "refresh", "largest_side"};
    static const float rates[] = {NAN, INFINITY, -0.1f};
    const gg_optimizer_options right = {.kind = GG_SGD}, unknown = {.kind = GG_OPTIMIZER_COUNT};
    gg_optimizer *none = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        support_assert_fails(gg_optimizer_new(&none, model, &wrong[i]), GG_ERR_ARGUMENT, "gg_optimizer_new", names[i]);
    support_assert_fails(gg_optimizer_new(NULL, model, &right), GG_ERR_ARGUMENT, "gg_optimizer_new", "out");
    support_assert_fails(gg_optimizer_new(&none, NULL, &right), GG_ERR_ARGUMENT, "gg_optimizer_new", "model");
    support_assert_fails(gg_optimizer_new(&none, model, NULL), GG_ERR_ARGUMENT, "gg_optimizer_new", "options");
    support_assert_fails(gg_optimizer_new(&none, model, &unknown), GG_ERR_ARGUMENT, "gg_optimizer_new", "kind");
    ck_assert_ptr_null(none);
    gg_optimizer *optimizer = make(&right);
    for (int i = 0; i < 3; i++)
        support_assert_fails(gg_optimizer_step(optimizer, rates[i]), GG_ERR_ARGUMENT, "gg_optimizer_step",
                             "learning_rate");
    support_assert_fails(gg_optimizer_step(NULL, 0.1f), GG_ERR_ARGUMENT, "gg_optimizer_step", "optimizer");
    gg_optimizer_free(optimizer);
    gg_optimizer_free(NULL);
    gg_optimizer_set_steps(NULL, 1);
    ck_assert_int_eq(gg_optimizer_steps(NULL), 0);
    ck_assert_int_eq(gg_optimizer_state_count(NULL), 0);
    ck_assert_int_eq(gg_optimizer_kind_of(NULL), GG_OPTIMIZER_COUNT);
    ck_assert_double_eq(gg_optimizer_gradient_norm(NULL), 0.0);
}
END_TEST

START_TEST(models_that_cannot_train)
{
    gg_model *other = NULL;
    gg_optimizer *none = NULL;
    ck_assert_int_eq(gg_model_new(&other, 1), GG_OK);
    const gg_optimizer_options options = {.kind = GG_SGD};
    const gg_value x = gg_input(other, "x", 2, (const int64_t[]){GG_BATCH, 3});
    gg_affine(other, x, 2, NULL);
    support_assert_fails(gg_optimizer_new(&none, other, &options), GG_ERR_STATE, "gg_optimizer_new", "not planned");
    ck_assert_int_eq(gg_model_plan(other, GG_NO_VALUE, 2), GG_OK);
    support_assert_fails(gg_optimizer_new(&none, other, &options), GG_ERR_STATE, "gg_optimizer_new", "without a loss");
    ck_assert_ptr_null(none);
    gg_model_free(other);
}
END_TEST

START_TEST(every_allocation_can_fail)
{
    const gg_optimizer_options options = {.kind = GG_ADAM};
    gg_optimizer *optimizer = NULL;
    const long before = scratch_memory.live;
    long budget = 0;
    for (; (scratch_memory.budget = budget, gg_optimizer_new(&optimizer, model, &options)) != GG_OK; budget++) {
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "no memory"));
        ck_assert_ptr_null(optimizer);
        ck_assert_int_eq(scratch_memory.live, before);
    }
    scratch_memory.budget = -1;
    ck_assert_int_eq(budget, 2);
    gg_optimizer_free(optimizer);
}
END_TEST

/* ---- schedules ---- */

static void expect_rates(const gg_schedule *schedule, const int64_t *steps, const double *rates, int count)
{
    for (int i = 0; i < count; i++)
        ck_assert_msg(fabs((double)gg_schedule_rate(schedule, steps[i]) - rates[i]) <= 1e-7 * fabs(rates[i]),
                      "kind %d, step %lld: %.9g, expected %.9g", (int)schedule->kind, (long long)steps[i],
                      (double)gg_schedule_rate(schedule, steps[i]), rates[i]);
}

START_TEST(schedule_constant)
{
    const gg_schedule plain = {.rate = 0.5f}, warm = {.rate = 0.5f, .warmup_steps = 4};
    static const int64_t steps[] = {-1, 0, 1, 2, 3, 4, 5, INT64_MAX};
    static const double flat[] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    static const double rising[] = {0.125, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5};
    expect_rates(&plain, steps, flat, 8);
    expect_rates(&warm, steps, rising, 8);
}
END_TEST

START_TEST(schedule_step_decay)
{
    const gg_schedule decay = {.kind = GG_STEP_DECAY, .rate = 1.0f, .decay_steps = 3, .decay_factor = 0.5f};
    gg_schedule warm = decay, never = decay;
    warm.warmup_steps = 2;
    never.decay_steps = 0;
    static const int64_t steps[] = {0, 1, 2, 3, 4, 5, 6, 8, 9};
    static const double plain[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125};
    static const double warmed[] = {0.5, 1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25};
    static const double flat[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    expect_rates(&decay, steps, plain, 9);
    expect_rates(&warm, steps, warmed, 9);
    expect_rates(&never, steps, flat, 9);
    ck_assert_float_eq(gg_schedule_rate(&decay, INT64_MAX), 0.0f);
}
END_TEST

START_TEST(schedule_cosine)
{
    const gg_schedule cosine = {.kind = GG_COSINE, .rate = 1.0f, .total_steps = 8, .final_rate = 0.25f};
    gg_schedule warm = cosine, short_one = cosine;
    warm.warmup_steps = 2;
    warm.total_steps = 10;
    short_one.warmup_steps = 8;
    static const int64_t steps[] = {0, 2, 4, 6, 8, 9, INT64_MAX};
    const double quarter = 0.25 + 0.375 * (1.0 + sqrt(0.5)), three = 0.25 + 0.375 * (1.0 - sqrt(0.5));
    const double plain[] = {1, quarter, 0.625, three, 0.25, 0.25, 0.25};
    expect_rates(&cosine, steps, plain, 7);
    static const int64_t later[] = {0, 1, 2, 4, 6, 8, 10, 11};
    const double warmed[] = {0.5, 1, 1, quarter, 0.625, three, 0.25, 0.25};
    expect_rates(&warm, later, warmed, 8);
    static const int64_t ends[] = {7, 8, 9}; /* the warm-up takes all steps there are */
    static const double end_rates[] = {1, 0.25, 0.25};
    expect_rates(&short_one, ends, end_rates, 3);
}
END_TEST

START_TEST(schedule_that_is_none)
{
    const gg_schedule unknown = {.kind = (gg_schedule_kind)9, .rate = 1.0f};
    ck_assert(isnan(gg_schedule_rate(NULL, 0)));
    ck_assert(isnan(gg_schedule_rate(&unknown, 0)));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, rule_with_its_defaults, 0, PLAIN_KINDS);
    tcase_add_loop_test(tests, rule_with_all_options, 0, PLAIN_KINDS);
    tcase_add_loop_test(tests, negative_means_zero, 0, PLAIN_KINDS);
    tcase_add_loop_test(tests, epsilon_of_zero, GG_ADAGRAD, GG_LION);
    tcase_add_loop_test(tests, default_epsilon, GG_ADAGRAD, GG_LION);
    tcase_add_test(tests, clipping_scales_by_the_norm);
    tcase_add_test(tests, clipping_small_gradients);
    tcase_add_test(tests, clipping_large_gradients);
    tcase_add_loop_test(tests, nothing_happens_when_the_norm_is_not_finite, 0, PLAIN_KINDS);
    tcase_add_test(tests, names_and_states);
    tcase_add_test(tests, steps_are_counted);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, models_that_cannot_train);
    tcase_add_test(tests, every_allocation_can_fail);
    tcase_add_test(tests, schedule_constant);
    tcase_add_test(tests, schedule_step_decay);
    tcase_add_test(tests, schedule_cosine);
    tcase_add_test(tests, schedule_that_is_none);
}
