/* test_update.c - the optimisers against plain loops in double: every instruction set, awkward sizes and alignments,
 * several threads, several steps, NaN, wrong arguments. */
#include <gemmgrad/update.h>

#include <math.h>
#include <string.h>

#include "isa.h"
#include "reference_update.h"

enum { THREADED = 200003, STEPS = 3 };

typedef enum update_rule { SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, ADAMW, LION, RULES } update_rule;

static const char *const names[RULES] = {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "lion"};

typedef struct factors {
    float lr, momentum, rho, beta1, beta2, epsilon, weight_decay, grad_scale;
} factors;

static const factors plain = {0.01f, 0.9f, 0.99f, 0.9f, 0.999f, 1e-8f, 0.0f, 1.0f};
static const factors decayed = {0.1f, 0.5f, 0.9f, 0.8f, 0.95f, 1e-3f, 0.125f, 0.25f};

/* Weights, two state arrays and the gradient, in float and in double. */
typedef struct arrays {
    float *w, *s, *v, *g;
    double *rw, *rs, *rv, *rg, *scale;
    int64_t n;
} arrays;

static gg_status step_library(update_rule rule, const arrays *a, factors f, int64_t step)
{
    switch (rule) {
    case SGD: return gg_update_sgd(a->w, a->g, a->n, f.lr, f.weight_decay, f.grad_scale);
    case MOMENTUM: return gg_update_momentum(a->w, a->s, a->g, a->n, f.lr, f.momentum, f.weight_decay, f.grad_scale);
    case NESTEROV: return gg_update_nesterov(a->w, a->s, a->g, a->n, f.lr, f.momentum, f.weight_decay, f.grad_scale);
    case ADAGRAD: return gg_update_adagrad(a->w, a->s, a->g, a->n, f.lr, f.epsilon, f.weight_decay, f.grad_scale);
    case RMSPROP:
        return gg_update_rmsprop(a->w, a->s, a->g, a->n, f.lr, f.rho, f.epsilon, f.weight_decay, f.grad_scale);
    case ADAM:
        return gg_update_adam(a->w, a->s, a->v, a->g, a->n, f.lr, f.beta1, f.beta2, f.epsilon, f.weight_decay,
                              f.grad_scale, step);
    case LION: return gg_update_lion(a->w, a->s, a->g, a->n, f.lr, f.beta1, f.beta2, f.weight_decay, f.grad_scale);
    default:
        return gg_update_adamw(a->w, a->s, a->v, a->g, a->n, f.lr, f.beta1, f.beta2, f.epsilon, f.weight_decay,
                               f.grad_scale, step);
    }
}

static void step_reference(update_rule rule, const arrays *a, factors f, int64_t step)
{
    const double lr = (double)f.lr, epsilon = (double)f.epsilon, decay = (double)f.weight_decay;
    const double grad_scale = (double)f.grad_scale, momentum = (double)f.momentum;
    switch (rule) {
    case SGD: reference_sgd(a->rw, a->scale, a->rg, a->n, lr, decay, grad_scale); break;
    case MOMENTUM:
    case NESTEROV:
        reference_momentum(a->rw, a->rs, a->scale, a->rg, a->n, lr, momentum, decay, grad_scale, rule == NESTEROV);
        break;
    case ADAGRAD: reference_adagrad(a->rw, a->rs, a->scale, a->rg, a->n, lr, epsilon, decay, grad_scale); break;
    case RMSPROP:
        reference_rmsprop(a->rw, a->rs, a->scale, a->rg, a->n, lr, (double)f.rho, epsilon, decay, grad_scale);
        break;
    case LION:
        reference_lion(a->rw, a->rs, a->scale, a->rg, a->n, lr, (double)f.beta1, (double)f.beta2, decay, grad_scale);
        break;
    default:
        reference_adam(a->rw, a->rs, a->rv, a->scale, a->rg, a->n, lr, (double)f.beta1, (double)f.beta2, epsilon, decay,
                       grad_scale, step, rule == ADAMW);
        break;
    }
}

/* Squares of gradients are never negative; w and g have one sign, so that decay and gradient do not cancel. */
static arrays make(update_rule rule, int64_t n)
{
    const bool squares = rule == ADAGRAD || rule == RMSPROP;
    const arrays a = {
        .n = n,
        .w = support_uniform(n, 0.25, 1, 1),
        .g = support_uniform(n, 0.25, 2, 2),
        .s = support_uniform(n, squares ? 0 : -1, 1, 3),
        .v = support_uniform(n, 0, 1, 4),
        .scale = support_doubles(n),
    };
    for (int64_t i = 0; i < n; i += 3) {
        a.w[i] = -a.w[i];
        a.g[i] = -a.g[i];
    }
    return a;
}

/* Every step starts from the library's floats, so that its own error is seen. */
static void check_steps(update_rule rule, factors f, int64_t n, int misaligned)
{
    support_misalign(misaligned);
    arrays a = make(rule, n);
    for (int64_t step = 1; step <= STEPS; step++) {
        a.rw = support_widen(a.w, n);
        a.rs = support_widen(a.s, n);
        a.rv = support_widen(a.v, n);
        a.rg = support_widen(a.g, n);
        step_reference(rule, &a, f, step);
        ck_assert_int_eq(step_library(rule, &a, f, step), GG_OK);
        double *state_scale = support_doubles(n);
        for (int64_t i = 0; i < n; i++)
            state_scale[i] = 3 + fabs(a.rs[i]);
        support_assert_close(a.w, a.rw, a.scale, n, 6, "w of %s, step %lld of %lld", names[rule], (long long)step,
                             (long long)n);
        support_assert_close(a.s, a.rs, state_scale, n, 3, "state of %s, step %lld of %lld", names[rule],
                             (long long)step, (long long)n);
        support_assert_close(a.v, a.rv, NULL, n, 6, "v of %s, step %lld of %lld", names[rule], (long long)step,
                             (long long)n);
    }
    support_release();
}

START_TEST(steps)
{
    for (update_rule rule = SGD; use_isa(_i) && rule < RULES; rule++) {
        for (int s = 0; s < ISA_SIZES; s++) {
            check_steps(rule, plain, isa_sizes[s], s % 2);
            check_steps(rule, decayed, isa_sizes[s], 0);
        }
        check_steps(rule, decayed, THREADED, 1);
    }
}
END_TEST

/* Different threads share out the same elements and do the same to each. */
START_TEST(threads_do_not_matter)
{
    for (update_rule rule = SGD; use_isa(_i) && rule < RULES; rule++) {
        const arrays one = make(rule, THREADED), four = make(rule, THREADED);
        ck_assert_int_eq(gg_set_threads(1), GG_OK);
        ck_assert_int_eq(step_library(rule, &one, decayed, 2), GG_OK);
        ck_assert_int_eq(gg_set_threads(4), GG_OK);
        ck_assert_int_eq(step_library(rule, &four, decayed, 2), GG_OK);
        ck_assert_mem_eq(one.w, four.w, THREADED * sizeof *one.w);
        ck_assert_mem_eq(one.s, four.s, THREADED * sizeof *one.s);
        ck_assert_mem_eq(one.v, four.v, THREADED * sizeof *one.v);
        support_release();
    }
}
END_TEST

START_TEST(nan_in_the_gradient_reaches_its_weight_only)
{
    enum { N = 37, AT = 20 };
    for (update_rule rule = SGD; use_isa(_i) && rule < RULES; rule++) {
        const arrays a = make(rule, N);
        a.g[AT] = NAN;
        ck_assert_int_eq(step_library(rule, &a, plain, 1), GG_OK);
        for (int i = 0; i < N; i++)
            ck_assert_msg(isnan(a.w[i]) == (i == AT), "%s: w[%d] = %g", names[rule], i, (double)a.w[i]);
    }
}
END_TEST

/* A late step: the corrections have become 1, and 10^9 steps overflow nothing. */
START_TEST(late_steps_of_adam)
{
    for (int i = 0; use_isa(_i) && i < 2; i++) {
        const int64_t step = i == 0 ? 100000 : INT64_MAX;
        arrays a = make(ADAM, 50);
        a.rw = support_widen(a.w, a.n);
        a.rs = support_widen(a.s, a.n);
        a.rv = support_widen(a.v, a.n);
        a.rg = support_widen(a.g, a.n);
        step_reference(ADAM, &a, decayed, step);
        ck_assert_int_eq(step_library(ADAM, &a, decayed, step), GG_OK);
        support_assert_close(a.w, a.rw, a.scale, a.n, 6, "adam, step %lld", (long long)step);
    }
}
END_TEST

START_TEST(nothing_to_do)
{
    const arrays none = {0};
    for (update_rule rule = SGD; rule < RULES; rule++)
        ck_assert_int_eq(step_library(rule, &none, plain, 1), GG_OK);
}
END_TEST

#define FAILS(call, function, argument) support_assert_fails(call, GG_ERR_ARGUMENT, function, argument)

/* Each array missing in turn, and a negative n. */
START_TEST(wrong_arrays)
{
    for (update_rule rule = SGD; rule < RULES; rule++) {
        float *w = support_floats(3), *s = support_floats(3), *v = support_floats(3);
        const arrays whole = {.w = w, .s = s, .v = v, .g = support_uniform(3, 0, 1, 1), .n = 3};
        const bool squares = rule == ADAGRAD || rule == RMSPROP, adam = rule == ADAM || rule == ADAMW,
                   lion = rule == LION;
        arrays a = whole;
        a.w = NULL;
        FAILS(step_library(rule, &a, plain, 1), names[rule], "w is NULL with n = 3");
        a = whole;
        a.g = NULL;
        FAILS(step_library(rule, &a, plain, 1), names[rule], "g is NULL with n = 3");
        a = whole;
        a.n = -3;
        FAILS(step_library(rule, &a, plain, 1), names[rule], "n is -3");
        a = whole;
        a.s = NULL;
        if (rule != SGD)
            FAILS(step_library(rule, &a, plain, 1), names[rule],
                  squares        ? "h is NULL"
                  : adam || lion ? "m is NULL"
                                 : "v is NULL");
        a = whole;
        a.v = NULL;
        if (adam)
            FAILS(step_library(rule, &a, plain, 1), names[rule], "v is NULL");
        ck_assert(support_untouched(w, 3) && support_untouched(s, 3) && support_untouched(v, 3));
    }
}
END_TEST

START_TEST(wrong_factors)
{
    float *w = support_floats(3), *s = support_floats(3), *v = support_floats(3), *g = support_uniform(3, 0, 1, 1);
    FAILS(gg_update_rmsprop(w, s, g, 3, 1, -0.1f, 1, 0, 1), "gg_update_rmsprop", "rho is -0.1");
    FAILS(gg_update_rmsprop(w, s, g, 3, 1, 1.1f, 1, 0, 1), "gg_update_rmsprop", "rho is 1.1");
    FAILS(gg_update_rmsprop(w, s, g, 3, 1, NAN, 1, 0, 1), "gg_update_rmsprop", "rho is");
    FAILS(gg_update_adam(w, s, v, g, 3, 1, 1, 0.9f, 1, 0, 1, 1), "gg_update_adam", "beta1 = 1");
    FAILS(gg_update_adam(w, s, v, g, 3, 1, 0.9f, -1, 1, 0, 1, 1), "gg_update_adam", "beta2 = -1");
    FAILS(gg_update_adam(w, s, v, g, 3, 1, NAN, 0.9f, 1, 0, 1, 1), "gg_update_adam", "beta1 = ");
    FAILS(gg_update_adam(w, s, v, g, 3, 1, 0.9f, 0.9f, 1, 0, 1, 0), "gg_update_adam", "step is 0");
    FAILS(gg_update_adamw(w, s, v, g, 3, 1, 0.9f, 0.9f, 1, 0, 1, -5), "gg_update_adamw", "step is -5");
    FAILS(gg_update_lion(w, s, g, 3, 1, 1, 0.9f, 0, 1), "gg_update_lion", "beta1 = 1");
    FAILS(gg_update_lion(w, s, g, 3, 1, 0.9f, NAN, 0, 1), "gg_update_lion", "beta2 = ");
    ck_assert(support_untouched(w, 3) && support_untouched(s, 3) && support_untouched(v, 3));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, steps, 0, ISA_COUNT);
    tcase_add_loop_test(tests, threads_do_not_matter, 0, ISA_COUNT);
    tcase_add_loop_test(tests, nan_in_the_gradient_reaches_its_weight_only, 0, ISA_COUNT);
    tcase_add_loop_test(tests, late_steps_of_adam, 0, ISA_COUNT);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, wrong_arrays);
    tcase_add_test(tests, wrong_factors);
}
