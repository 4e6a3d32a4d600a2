/* test_matrix_optimizers.c - Muon, Shampoo, SOAP and K-FAC against plain loops in double over many steps; what they do
 * with vectors, long sides, NaN, failing allocations. */
#include <gemmgrad/optimizer.h>

#include <math.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/memory.h>

#include "reference_matrix_rules.h"
#include "reference_update.h"
#include "scratch.h"
#include "support.h"

enum { STEPS = 25, BLOCKS = 6, ROWS = 8 };

static gg_model *model;
static gg_value x, h, loss;
static int64_t floats;
static float samples[ROWS * 5];
static int32_t labels[ROWS];

/* W1 5 x 4, b1; W2 4 x 3, b2; W3 3 x 4 without bias: tall and wide. */
static void build(void)
{
    ck_assert_int_eq(gg_model_new(&model, 3), GG_OK);
    x = gg_input(model, "x", 2, (const int64_t[]){GG_BATCH, 5});
    const gg_value t = gg_input_labels(model, "t", 1, (const int64_t[]){GG_BATCH});
    h = gg_affine(model, x, 4, &(gg_affine_options){.activation = GG_TANH});
    const gg_value second = gg_affine(model, h, 3, NULL);
    loss = gg_softmax_with_loss(model, gg_matmul(model, second, 4, NULL), t);
    ck_assert_int_eq(gg_model_keep(model, h, true), GG_OK);
    ck_assert_int_eq(gg_model_plan(model, loss, ROWS), GG_OK);
    floats = gg_model_parameter_floats(model);
    support_fill(samples, ROWS * 5, -1.0, 1.0, 9);
    for (int i = 0; i < ROWS; i++)
        labels[i] = i % 4;
    ck_assert_int_eq(gg_model_bind(model, x, samples), GG_OK);
    ck_assert_int_eq(gg_model_bind_labels(model, t, labels), GG_OK);
}

static void run_backward(void)
{
    ck_assert_int_eq(gg_model_forward(model, loss, GG_TRAIN), GG_OK);
    ck_assert_int_eq(gg_model_backward(model), GG_OK);
}

/* The thread's own scratch is there before allocations are counted. */
static void setup(void)
{
    build();
    run_backward();
    gg_model_free(model);
    scratch_count_allocations();
    build();
}

static void teardown(void)
{
    gg_model_free(model);
    scratch_stop_counting();
}

static gg_optimizer *make(const gg_optimizer_options *options)
{
    gg_optimizer *optimizer = NULL;
    const gg_status status = gg_optimizer_new(&optimizer, model, options);
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
    return optimizer;
}

static gg_parameter parameter(int i)
{
    gg_parameter p;
    ck_assert_int_eq(gg_model_parameter(model, i, &p), GG_OK);
    return p;
}

/* ---- the rules ---- */

/* Weights, gradients and the state of each parameter in double. */
static struct twin {
    double w[BLOCKS][REFERENCE_SIZE], g[BLOCKS][REFERENCE_SIZE];
    reference_matrix state[BLOCKS];
} twin;

static void fill_gradients(int step)
{
    float *g = gg_model_gradients(model);
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        const gg_parameter p = parameter(i);
        support_fill(g + p.offset, p.size, -0.5, 0.5, (uint64_t)(100 * step + i));
    }
}

static void read_gradients(double clip)
{
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        const gg_parameter p = parameter(i);
        for (int64_t j = 0; j < p.size; j++)
            twin.g[i][j] = clip * (double)gg_model_gradients(model)[p.offset + j];
    }
}

static void start_twin(void)
{
    memset(&twin, 0, sizeof twin);
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        const gg_parameter p = parameter(i);
        for (int64_t j = 0; j < p.size; j++)
            twin.w[i][j] = (double)gg_model_parameters(model)[p.offset + j];
    }
}

/* Weights are of size 1: what is left of `bound` roundings a step. */
static void compare_twin(const char *rule, int step, double bound)
{
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        const gg_parameter p = parameter(i);
        double ones[REFERENCE_SIZE];
        for (int64_t j = 0; j < p.size; j++)
            ones[j] = 1.0;
        support_assert_close(gg_model_parameters(model) + p.offset, twin.w[i], ones, p.size, bound, "%s, step %d, %s",
                             rule, step, p.name);
    }
}

static reference_numbers numbers_of(const gg_optimizer_options *o, double lr)
{
    return (reference_numbers){
        .lr = lr,
        .beta1 = (double)o->beta1,
        .beta2 = (double)o->beta2,
        .epsilon = (double)o->epsilon,
        .decay = (double)o->weight_decay,
        .momentum = (double)o->momentum,
        .rho = (double)o->rho,
        .damping = (double)o->damping,
        .refresh = o->refresh,
        .largest_side = o->largest_side,
    };
}

static void twin_step(const gg_optimizer_options *o, double lr, int step)
{
    const reference_numbers n = numbers_of(o, lr);
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        const gg_parameter p = parameter(i);
        double *w = twin.w[i], scale[REFERENCE_SIZE];
        reference_matrix *s = &twin.state[i];
        const int64_t rows = p.dims[0], columns = p.rank > 1 ? p.dims[1] : 1;
        const bool neither = rows > o->largest_side && columns > o->largest_side;
        if (p.rank < 2 || (neither && o->kind != GG_MUON))
            reference_adam(w, s->m, s->v, scale, twin.g[i], p.size, n.lr, n.beta1, n.beta2, n.epsilon, n.decay, 1.0,
                           step, true);
        else if (o->kind == GG_MUON)
            reference_muon(w, s, twin.g[i], rows, columns, &n);
        else if (o->kind == GG_SHAMPOO)
            reference_shampoo(w, s, twin.g[i], rows, columns, &n, step);
        else
            reference_soap(w, s, twin.g[i], rows, columns, &n, step);
    }
}

static double clip_factor(double limit)
{
    double squares = 0.0;
    for (int64_t i = 0; i < floats; i++)
        squares += (double)gg_model_gradients(model)[i] * (double)gg_model_gradients(model)[i];
    return limit > 0.0 ? fmin(1.0, limit / (sqrt(squares) + 1e-6)) : 1.0;
}

/* `bound`: roundings a step; eigenvectors and quotients of small numbers multiply them. */
static void compare_with_reference(const gg_optimizer_options *given, const gg_optimizer_options *meant, double bound)
{
    gg_optimizer *optimizer = make(given);
    const char *name = gg_optimizer_name(given->kind);
    start_twin();
    for (int step = 1; step <= STEPS; step++) {
        const float lr = 0.05f / (float)step;
        fill_gradients(step);
        read_gradients(clip_factor((double)meant->clip_norm));
        const uint64_t allocations = gg_allocation_count();
        ck_assert_msg(gg_optimizer_step(optimizer, lr) == GG_OK, "%s", gg_error_message());
        ck_assert_uint_eq(gg_allocation_count(), allocations);
        twin_step(meant, (double)lr, step);
        compare_twin(name, step, bound);
        ck_assert_int_eq(gg_optimizer_steps(optimizer), step);
    }
    gg_optimizer_free(optimizer);
}

static gg_optimizer_options with_all(gg_optimizer_kind kind)
{
    return (gg_optimizer_options){.kind = kind,
                                  .momentum = 0.8f,
                                  .rho = 0.9f,
                                  .beta1 = 0.85f,
                                  .beta2 = 0.9f,
                                  .epsilon = 1e-6f,
                                  .weight_decay = 0.03f,
                                  .clip_norm = 0.7f,
                                  .damping = 1e-2f,
                                  .refresh = 3,
                                  .largest_side = 16};
}

enum { MATRIX_KINDS = 3 };
static const gg_optimizer_kind matrix_kinds[MATRIX_KINDS] = {GG_MUON, GG_SHAMPOO, GG_SOAP};
static const double bounds[MATRIX_KINDS] = {100, 1000, 1000};

START_TEST(rule_with_its_defaults)
{
    const gg_optimizer_kind kind = matrix_kinds[_i];
    const gg_optimizer_options given = {.kind = kind, .damping = 1e-3f}, meant = {
                                                                             .kind = kind,
                                                                             .momentum = 0.95f,
                                                                             .beta1 = kind == GG_SOAP ? 0.95f : 0.9f,
                                                                             .beta2 = kind == GG_SOAP      ? 0.95f
                                                                                      : kind == GG_SHAMPOO ? 0.99f
                                                                                                           : 0.999f,
                                                                             .epsilon = 1e-8f,
                                                                             .weight_decay = 0.01f,
                                                                             .damping = 1e-3f,
                                                                             .refresh = 10,
                                                                             .largest_side = 1024,
                                                                         };
    compare_with_reference(&given, &meant, bounds[_i]);
}
END_TEST

START_TEST(rule_with_all_options)
{
    const gg_optimizer_options options = with_all(matrix_kinds[_i]);
    compare_with_reference(&options, &options, bounds[_i]);
}
END_TEST

/* 3: of 4 x 3 one side is left, of 5 x 4 none. */
START_TEST(long_sides_are_left_alone)
{
    gg_optimizer_options options = with_all(matrix_kinds[_i]);
    options.largest_side = 3;
    compare_with_reference(&options, &options, bounds[_i]);
}
END_TEST

START_TEST(one_refresh_a_step)
{
    gg_optimizer_options options = with_all(matrix_kinds[_i]);
    options.refresh = 1;
    compare_with_reference(&options, &options, bounds[_i]);
}
END_TEST

/* Five steps of the iteration bring every singular value near 1. */
START_TEST(muon_moves_all_directions_alike)
{
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = GG_MUON, .weight_decay = -1.0f});
    const gg_parameter p = parameter(0);
    float *w = gg_model_parameters(model) + p.offset;
    memset(w, 0, (size_t)p.size * sizeof *w);
    fill_gradients(1);
    ck_assert_int_eq(gg_optimizer_step(optimizer, 1.0f), GG_OK);
    double a[REFERENCE_SIZE] = {0}, values[REFERENCE_SIDE], q[REFERENCE_SIZE];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 5; k++)
                a[i * 4 + j] += (double)w[k * 4 + i] * (double)w[k * 4 + j];
    reference_symmetric_eigen(values, q, a, 4);
    for (int i = 0; i < 4; i++) {
        const double singular = sqrt(values[i]) / (0.2 * sqrt(5.0));
        ck_assert_msg(singular > 0.6 && singular < 1.3, "singular value %g", singular);
    }
    gg_optimizer_free(optimizer);
}
END_TEST

/* ---- K-FAC, whose moments come from a real backward ---- */

/* The first layer's x with its column of ones and dz = dy (1 - y^2). */
static void first_layer(double *inputs, double *dz)
{
    const float *y = gg_model_data(model, h), *dy = gg_model_gradient(model, h);
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < 5; i++)
            inputs[r * 6 + i] = (double)samples[r * 5 + i];
        inputs[r * 6 + 5] = 1.0;
        for (int j = 0; j < 4; j++)
            dz[r * 4 + j] = (double)dy[r * 4 + j] * (1.0 - (double)y[r * 4 + j] * (double)y[r * 4 + j]);
    }
}

/* The step of the first layer alone can be followed from outside: its P, its nu being 1 at so small a rate. */
static void follow_kfac(const gg_optimizer_options *given, const gg_optimizer_options *meant)
{
    gg_optimizer *optimizer = make(given);
    static reference_matrix s;
    double w[24], v[24] = {0}, p[REFERENCE_SIZE], inputs[ROWS * 6], dz[ROWS * 4], ones[24];
    const gg_parameter weight = parameter(0), bias = parameter(1);
    float *at = gg_model_parameters(model);
    memset(&s, 0, sizeof s);
    for (int i = 0; i < 24; i++) {
        w[i] = (double)(i < 20 ? at[weight.offset + i] : at[bias.offset + i - 20]);
        ones[i] = 1.0;
    }
    for (int step = 1; step <= STEPS; step++) {
        const float lr = 0.002f;
        const reference_numbers n = numbers_of(meant, (double)lr);
        const bool refreshes = (step - 1) % meant->refresh == 0;
        run_backward();
        first_layer(inputs, dz);
        read_gradients(clip_factor((double)meant->clip_norm));
        double d[24];
        memcpy(d, twin.g[0], 20 * sizeof *d);
        memcpy(d + 20, twin.g[1], 4 * sizeof *d);
        reference_kfac(p, &s, d, refreshes ? inputs : NULL, dz, ROWS, 6, 4, &n, step);
        const uint64_t allocations = gg_allocation_count();
        ck_assert_msg(gg_optimizer_step(optimizer, lr) == GG_OK, "%s", gg_error_message());
        ck_assert_uint_eq(gg_allocation_count(), allocations);
        for (int i = 0; i < 24; i++) {
            v[i] = n.momentum * v[i] + p[i] + n.decay * w[i];
            w[i] -= n.lr * v[i];
        }
        support_assert_close(at + weight.offset, w, ones, 20, 200, "kfac, step %d, W", step);
        support_assert_close(at + bias.offset, w + 20, ones, 4, 200, "kfac, step %d, b", step);
    }
    gg_optimizer_free(optimizer);
}

START_TEST(kfac_against_the_reference)
{
    const gg_optimizer_options given = {.kind = GG_KFAC},
                               meant = {
                                   .kind = GG_KFAC, .momentum = 0.9f, .rho = 0.95f, .damping = 0.03f, .refresh = 10};
    follow_kfac(&given, &meant);
    const gg_optimizer_options all = with_all(GG_KFAC);
    follow_kfac(&all, &all);
}
END_TEST

/* (lr nu)^2 P . D, summed over all three layers, is at most 1e-3: with a large rate and no momentum it is just that,
 * and P . D is known from a step at a small rate, which goes the same way. */
START_TEST(kfac_bounds_its_step)
{
    const gg_optimizer_options options = {.kind = GG_KFAC, .momentum = -1.0f};
    const float rates[2] = {1e-3f, 100.0f};
    float moved[2][20], before[128], gradients[128];
    double length[2] = {0.0, 0.0};
    memcpy(before, gg_model_parameters(model), (size_t)floats * sizeof *before);
    for (int i = 0; i < 2; i++) {
        gg_optimizer *optimizer = make(&options);
        float *w = gg_model_parameters(model);
        memcpy(w, before, (size_t)floats * sizeof *w);
        run_backward();
        memcpy(gradients, gg_model_gradients(model), (size_t)floats * sizeof *gradients);
        ck_assert_int_eq(gg_optimizer_step(optimizer, rates[i]), GG_OK);
        for (int64_t j = 0; j < floats; j++) /* lr P . D */
            length[i] += ((double)before[j] - (double)w[j]) * (double)gradients[j];
        for (int j = 0; j < 20; j++)
            moved[i][j] = before[j] - w[j];
        gg_optimizer_free(optimizer);
    }
    const double whole = length[0] / (double)rates[0]; /* P . D */
    ck_assert_double_eq_tol(length[1] * length[1] / whole, 1e-3, 1e-5);
    for (int j = 1; j < 20; j++) /* the direction is the same */
        ck_assert_double_eq_tol((double)(moved[1][j] / moved[1][0]), (double)(moved[0][j] / moved[0][0]),
                                1e-2 * fabs((double)(moved[0][j] / moved[0][0])) + 1e-3);
}
END_TEST

/* Without a backward, and for layers that give no moments, the step is that of momentum. */
START_TEST(kfac_without_moments_is_momentum)
{
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = GG_KFAC});
    double w[128], v[128] = {0}, g[128], scale[128];
    memset(gg_model_gradients(model), 0, (size_t)floats * sizeof(float));
    for (int step = 1; step <= 3; step++) {
        for (int64_t i = 0; i < floats; i++)
            w[i] = (double)gg_model_parameters(model)[i];
        fill_gradients(step);
        for (int64_t i = 0; i < floats; i++)
            g[i] = (double)gg_model_gradients(model)[i];
        reference_momentum(w, v, scale, g, floats, (double)0.001f, (double)0.9f, 0.0, 1.0, false);
        ck_assert_int_eq(gg_optimizer_step(optimizer, 0.001f), GG_OK);
        support_assert_close(gg_model_parameters(model), w, scale, floats, 8, "step %d", step);
    }
    gg_optimizer_free(optimizer);
    run_backward(); /* the layers have forgotten it */
}
END_TEST

/* ---- all of them ---- */

/* Not one bit of weights, states and tensors. */
START_TEST(nothing_happens_when_a_gradient_is_not_finite)
{
    const gg_optimizer_options options = with_all((gg_optimizer_kind)_i);
    gg_optimizer_options unclipped = options;
    unclipped.clip_norm = 0.0f;
    gg_optimizer *optimizer = make(&unclipped);
    gg_parameter last;
    run_backward();
    ck_assert_int_eq(gg_optimizer_step(optimizer, 0.01f), GG_OK);
    const int count = gg_optimizer_tensor_count(optimizer);
    ck_assert_int_gt(count, 0);
    ck_assert_int_eq(gg_optimizer_tensor(optimizer, count - 1, &last), GG_OK);
    const int64_t kept = last.offset + last.size;
    const float *w = support_copy(gg_model_parameters(model), floats);
    const float *tensors = support_copy(gg_optimizer_tensors(optimizer), kept);
    const float *state = support_copy(gg_optimizer_state(optimizer, 0), floats);
    run_backward();
    gg_model_gradients(model)[2] = _i % 2 == 0 ? NAN : INFINITY;
    support_assert_fails(gg_optimizer_step(optimizer, 0.01f), GG_ERR_NUMERIC, "gg_optimizer_step", "gradients");
    ck_assert_mem_eq(gg_model_parameters(model), w, (size_t)floats * sizeof *w);
    ck_assert_mem_eq(gg_optimizer_tensors(optimizer), tensors, (size_t)kept * sizeof *w);
    ck_assert_mem_eq(gg_optimizer_state(optimizer, 0), state, (size_t)floats * sizeof *w);
    ck_assert_int_eq(gg_optimizer_steps(optimizer), 1);
    gg_optimizer_free(optimizer);
}
END_TEST

/* Gradients of 0 move nothing but by the decay, and leave no NaN. */
START_TEST(gradients_of_zero)
{
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = (gg_optimizer_kind)_i, .weight_decay = -1.0f});
    const float *before = support_copy(gg_model_parameters(model), floats);
    memset(gg_model_gradients(model), 0, (size_t)floats * sizeof(float));
    for (int step = 0; step < 12; step++)
        ck_assert_msg(gg_optimizer_step(optimizer, 0.1f) == GG_OK, "%s", gg_error_message());
    ck_assert_mem_eq(gg_model_parameters(model), before, (size_t)floats * sizeof *before);
    gg_optimizer_free(optimizer);
}
END_TEST

START_TEST(tensors_and_their_names)
{
    static const char *const names[] = {[GG_MUON] = "muon.v.affine1.b",
                                        [GG_SHAMPOO] = "shampoo.left.affine1.W",
                                        [GG_SOAP] = "soap.left.affine1.W",
                                        [GG_KFAC] = "kfac.input.affine1.W"};
    gg_optimizer *optimizer = make(&(gg_optimizer_options){.kind = (gg_optimizer_kind)_i});
    gg_parameter p;
    ck_assert_int_eq(gg_optimizer_tensor(optimizer, 0, &p), GG_OK);
    ck_assert_str_eq(p.name, names[_i]);
    ck_assert_int_eq(p.rank, 2);
    ck_assert_int_eq(p.size, p.dims[0] * p.dims[1]);
    ck_assert_int_eq(p.dims[0], _i == GG_MUON ? 1 : _i == GG_KFAC ? 6 : 5);
    support_assert_fails(gg_optimizer_tensor(optimizer, -1, &p), GG_ERR_ARGUMENT, "gg_optimizer_tensor", "-1");
    support_assert_fails(gg_optimizer_tensor(NULL, 0, &p), GG_ERR_ARGUMENT, "gg_optimizer_tensor", "optimizer");
    support_assert_fails(gg_optimizer_tensor(optimizer, 0, NULL), GG_ERR_ARGUMENT, "gg_optimizer_tensor", "out");
    ck_assert_int_eq(gg_optimizer_tensor_count(NULL), 0);
    ck_assert_ptr_null(gg_optimizer_tensors(NULL));
    gg_optimizer_free(optimizer);
}
END_TEST

START_TEST(every_allocation_can_fail)
{
    const gg_optimizer_options options = {.kind = (gg_optimizer_kind)_i};
    gg_optimizer *optimizer = NULL;
    const long before = scratch_memory.live;
    long budget = 0;
    for (; (scratch_memory.budget = budget, gg_optimizer_new(&optimizer, model, &options)) != GG_OK; budget++) {
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "no memory"));
        ck_assert_ptr_null(optimizer);
        ck_assert_int_eq(scratch_memory.live, before);
    }
    scratch_memory.budget = -1;
    ck_assert_int_eq(budget, 4);
    gg_optimizer_free(optimizer);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, rule_with_its_defaults, 0, MATRIX_KINDS);
    tcase_add_loop_test(tests, rule_with_all_options, 0, MATRIX_KINDS);
    tcase_add_loop_test(tests, long_sides_are_left_alone, 0, MATRIX_KINDS);
    tcase_add_loop_test(tests, one_refresh_a_step, 0, MATRIX_KINDS);
    tcase_add_test(tests, muon_moves_all_directions_alike);
    tcase_add_test(tests, kfac_against_the_reference);
    tcase_add_test(tests, kfac_bounds_its_step);
    tcase_add_test(tests, kfac_without_moments_is_momentum);
    tcase_add_loop_test(tests, nothing_happens_when_a_gradient_is_not_finite, GG_MUON, GG_OPTIMIZER_COUNT);
    tcase_add_loop_test(tests, gradients_of_zero, GG_MUON, GG_OPTIMIZER_COUNT);
    tcase_add_loop_test(tests, tensors_and_their_names, GG_MUON, GG_OPTIMIZER_COUNT);
    tcase_add_loop_test(tests, every_allocation_can_fail, GG_MUON, GG_OPTIMIZER_COUNT);
}
