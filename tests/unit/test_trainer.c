/* test_trainer.c - the trainer against a loop by hand, bit for bit; evaluation; early stop; failures change nothing. */
#include <gemmgrad/trainer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/random.h>

#include "scratch.h"
#include "support.h"
#include "trainer_case.h"

static void setup(void)
{
    case_count_allocations();
}

static void teardown(void)
{
    scratch_stop_counting();
}

/* ---- against a loop by hand ---- */

/* One epoch; returns the sum of losses times samples. */
static double epoch_by_hand(const trainer_case *c, int64_t epoch)
{
    const gg_trainer_options *o = &c->options;
    int64_t order[CASE_SAMPLES];
    gg_random random = gg_random_make(o->seed, (uint64_t)epoch);
    double sum = 0.0;
    ck_assert_int_eq(gg_random_permutation(order, o->train.count, &random), GG_OK);
    for (int64_t first = 0; first < o->train.count; first += o->batch) {
        float x[CASE_SAMPLES * CASE_FEATURES];
        int32_t labels[CASE_SAMPLES];
        const int64_t rows = first + o->batch < o->train.count ? o->batch : o->train.count - first;
        for (int64_t r = 0; r < rows; r++) {
            memcpy(x + r * CASE_FEATURES, case_x + order[first + r] * CASE_FEATURES, CASE_FEATURES * sizeof *x);
            labels[r] = case_labels[order[first + r]];
        }
        ck_assert_int_eq(gg_model_set_extent(c->model, GG_BATCH, rows), GG_OK);
        ck_assert_int_eq(gg_model_bind(c->model, o->input, x), GG_OK);
        ck_assert_int_eq(gg_model_bind_labels(c->model, o->labels, labels), GG_OK);
        ck_assert_int_eq(gg_model_forward(c->model, o->loss, GG_TRAIN), GG_OK);
        ck_assert_int_eq(gg_model_backward(c->model), GG_OK);
        const float rate = gg_schedule_rate(&o->schedule, gg_optimizer_steps(c->optimizer));
        ck_assert_int_eq(gg_optimizer_step(c->optimizer, rate), GG_OK);
        sum += gg_model_loss(c->model) * (double)rows;
    }
    return sum;
}

static double accuracy_by_hand(const trainer_case *c, int64_t samples)
{
    int64_t right = 0;
    for (int64_t i = 0; i < samples; i++) {
        ck_assert_int_eq(gg_model_set_extent(c->model, GG_BATCH, 1), GG_OK);
        ck_assert_int_eq(gg_model_bind(c->model, c->options.input, case_x + i * CASE_FEATURES), GG_OK);
        ck_assert_int_eq(gg_model_forward(c->model, c->options.scores, GG_INFER), GG_OK);
        const float *scores = gg_model_data(c->model, c->options.scores);
        int best = 0;
        for (int k = 1; k < CASE_CLASSES; k++)
            best = scores[k] > scores[best] ? k : best;
        right += best == case_labels[i];
    }
    return (double)right / (double)samples;
}

/* Batches of one sample, uneven ones, exactly one, and one that is larger than the data. */
static const int64_t batches[] = {1, 7, 16, 33, 50, 99, 100, 101, 128};

START_TEST(batches_follow_the_permutation)
{
    enum { EPOCHS = 4 };
    const trainer_setup what = {.batch = batches[_i],
                                .optimizer = {.kind = GG_ADAM, .clip_norm = 0.1f},
                                .schedule = {.kind = GG_COSINE, .rate = 0.1f, .warmup_steps = 5, .total_steps = 300}};
    trainer_case a = case_make(&what), b = case_without_trainer(&what);
    const size_t bytes = (size_t)gg_model_parameter_floats(a.model) * sizeof(float);
    const int64_t steps = (100 - 1) / batches[_i] + 1;
    for (int64_t epoch = 0; epoch < EPOCHS; epoch++) {
        int64_t count;
        ck_assert_int_eq(gg_trainer_where(a.trainer).steps_per_epoch, steps);
        case_steps(&a, steps);
        const double sum = epoch_by_hand(&b, epoch);
        ck_assert_mem_eq(gg_model_parameters(a.model), gg_model_parameters(b.model), bytes);
        const gg_epoch_result *history = gg_trainer_history(a.trainer, &count);
        ck_assert_int_eq(count, epoch + 1);
        ck_assert_double_eq(history[epoch].train_loss, sum / 100.0);
        ck_assert_double_eq(history[epoch].test_accuracy, accuracy_by_hand(&b, 50));
    }
    case_free(&a);
    case_free(&b);
}
END_TEST

START_TEST(progress_is_told)
{
    trainer_case c = case_make(&(trainer_setup){.batch = 16});
    double sum = 0.0;
    for (int64_t step = 1; step <= 6; step++) {
        case_steps(&c, 1);
        const gg_trainer_progress now = gg_trainer_where(c.trainer);
        ck_assert(now.epoch == 0 && now.step == step && now.steps_per_epoch == 7);
        ck_assert(now.samples == 16 * step && now.epoch_samples == 16 * step);
        ck_assert_double_eq(now.loss, gg_model_loss(c.model));
        sum += now.loss * 16.0;
        ck_assert_double_eq(now.epoch_loss_sum, sum);
    }
    case_steps(&c, 1);
    const gg_trainer_progress now = gg_trainer_where(c.trainer);
    ck_assert(now.epoch == 1 && now.step == 0 && now.samples == 100 && now.epoch_samples == 0);
    ck_assert_double_eq(now.epoch_loss_sum, 0.0);
    case_free(&c);
}
END_TEST

/* Deep Learning from Scratch's network: after 300 epochs the spiral is learnt. */
START_TEST(spiral_is_learnt)
{
    trainer_case c =
        case_make(&(trainer_setup){.batch = 30, .hidden = 10, .dropout = -1.0f, .schedule = {.rate = 1.0f}});
    int64_t count;
    double accuracy;
    case_steps(&c, 4 * 400);
    const gg_epoch_result *history = gg_trainer_history(c.trainer, &count);
    ck_assert_int_eq(count, 400);
    ck_assert_double_gt(history[0].train_loss, 0.9);
    ck_assert_double_lt(history[399].train_loss, 0.3);
    ck_assert_int_eq(gg_trainer_evaluate(c.trainer, &c.options.train, &accuracy), GG_OK);
    ck_assert_double_gt(accuracy, 0.9);
    case_free(&c);
}
END_TEST

/* ---- evaluation ---- */

START_TEST(evaluation_of_any_size)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 9, 15, 16, 17, 32, 100, 102};
    trainer_case c = case_make(&(trainer_setup){.batch = 16, .dropout = 0.5f});
    case_steps(&c, 30);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const gg_dataset data = {case_x, case_labels, sizes[i], CASE_FEATURES};
        double accuracy = -1.0;
        ck_assert_int_eq(gg_trainer_evaluate(c.trainer, &data, &accuracy), GG_OK);
        if (sizes[i] == 0)
            ck_assert(isnan(accuracy));
        else
            ck_assert_double_eq(accuracy, accuracy_by_hand(&c, sizes[i]));
    }
    case_steps(&c, 1);
    case_free(&c);
}
END_TEST

/* Equal scores: the first class wins. NaN and labels that no class has are never right. */
START_TEST(evaluation_of_odd_scores)
{
    trainer_case c = case_make(&(trainer_setup){0});
    const gg_dataset data = {case_x, case_labels, CASE_SAMPLES, CASE_FEATURES};
    float *w = gg_model_parameters(c.model);
    const int64_t floats = gg_model_parameter_floats(c.model);
    double accuracy;
    memset(w, 0, (size_t)floats * sizeof *w);
    ck_assert_int_eq(gg_trainer_evaluate(c.trainer, &data, &accuracy), GG_OK);
    ck_assert_double_eq(accuracy, 1.0 / CASE_CLASSES);
    static const int32_t odd[] = {-1, CASE_CLASSES, INT32_MAX, INT32_MIN, 0};
    const gg_dataset few = {case_x, odd, 5, CASE_FEATURES};
    ck_assert_int_eq(gg_trainer_evaluate(c.trainer, &few, &accuracy), GG_OK);
    ck_assert_double_eq(accuracy, 1.0 / 5.0);
    for (int64_t i = 0; i < floats; i++)
        w[i] = NAN;
    ck_assert_int_eq(gg_trainer_evaluate(c.trainer, &data, &accuracy), GG_OK);
    ck_assert_double_eq(accuracy, 0.0);
    case_free(&c);
}
END_TEST

START_TEST(no_test_set)
{
    trainer_case c = case_make(&(trainer_setup){.test_samples = -1});
    case_steps(&c, 7);
    ck_assert(isnan(gg_trainer_history(c.trainer, NULL)[0].test_accuracy));
    case_free(&c);
}
END_TEST

/* ---- early stop ---- */

static void set_parameter(trainer_case *c, const char *name, float value)
{
    gg_parameter parameter;
    for (int p = 0; p < gg_model_parameter_count(c->model); p++) {
        ck_assert_int_eq(gg_model_parameter(c->model, p, &parameter), GG_OK);
        if (strcmp(parameter.name, name) == 0)
            gg_model_parameters(c->model)[parameter.offset] = value;
    }
}

START_TEST(stops_at_nan)
{
    static const char *const layers[] = {"affine1", "affine2"};
    static const float bad[] = {NAN, INFINITY};
    trainer_case c = case_make(&(trainer_setup){.dropout = 1e-6f, .optimizer = {.kind = GG_ADAM}});
    char name[32];
    size_t size;
    case_steps(&c, 3);
    float *right = support_copy(gg_model_parameters(c.model), gg_model_parameter_floats(c.model));
    for (int i = 0; i < 4; i++) {
        if (bad[i % 2] == INFINITY && i / 2 == 0)
            continue; /* tanh of infinity is 1: nothing wrong comes of it */
        snprintf(name, sizeof name, "%s.W", layers[i / 2]);
        set_parameter(&c, name, bad[i % 2]);
        char *before = case_snapshot(&c, &size);
        for (int again = 0; again < 2; again++)
            support_assert_fails(gg_trainer_step(c.trainer), GG_ERR_NUMERIC, "gg_trainer_step", layers[i / 2]);
        case_expect(&c, before, size);
        free(before);
        memcpy(gg_model_parameters(c.model), right, (size_t)gg_model_parameter_floats(c.model) * sizeof *right);
    }
    case_steps(&c, 10); /* and goes on when the cause is gone */
    case_free(&c);
}
END_TEST

/* No batch follows the last step of an epoch whose loss would show what it did: to the parameters themselves, or, where
 * they are 1e30 and finite yet, to the scores. */
START_TEST(stops_at_nan_after_the_last_step)
{
    static const struct {
        float weight_decay;
        int layers;
        const char *culprit;
    } ways[] = {{1e10f, 1, "the parameter affine1.W"}, {0.0f, 2, "the first layer with NaN or infinity is affine"}};
    for (int i = 0; i < 2; i++) {
        trainer_case c = case_make(&(trainer_setup){.batch = 100,
                                                    .schedule = {.rate = 1e30f},
                                                    .layers = ways[i].layers,
                                                    .activation = GG_RELU,
                                                    .optimizer = {.weight_decay = ways[i].weight_decay}});
        const int64_t floats = gg_model_parameter_floats(c.model);
        float *right = support_copy(gg_model_parameters(c.model), floats);
        for (int again = 0; again < 2; again++) {
            int64_t epochs = -1;
            support_assert_fails(gg_trainer_step(c.trainer), GG_ERR_NUMERIC, "gg_trainer_step", ways[i].culprit);
            gg_trainer_history(c.trainer, &epochs);
            ck_assert_int_eq(epochs, 0);
            ck_assert_int_eq(gg_trainer_where(c.trainer).step, 1);
            ck_assert_int_eq(gg_optimizer_steps(c.optimizer), 1);
        }
        memcpy(gg_model_parameters(c.model), right, (size_t)floats * sizeof *right);
        case_steps(&c, 1); /* only the evaluation is made up for */
        ck_assert_int_eq(gg_trainer_where(c.trainer).epoch, 1);
        ck_assert_int_eq(gg_optimizer_steps(c.optimizer), 1);
        case_free(&c);
    }
}
END_TEST

START_TEST(stops_at_nan_in_the_samples)
{
    for (int normalizes = 0; normalizes < 2; normalizes++) {
        trainer_case c = case_make(&(trainer_setup){.batch = 100, .normalizes = normalizes == 1});
        size_t size;
        char *before = case_snapshot(&c, &size);
        const float right = case_x[13];
        case_x[13] = NAN;
        support_assert_fails(gg_trainer_step(c.trainer), GG_ERR_NUMERIC, "gg_trainer_step", "the samples hold NaN");
        case_expect(&c, before, size);
        for (int64_t i = 0; i < gg_model_state_floats(c.model); i++)
            ck_assert(isfinite(gg_model_states(c.model)[i]));
        case_x[13] = right;
        free(before);
        case_free(&c);
    }
}
END_TEST

START_TEST(errors_of_layers_and_optimisers_pass)
{
    trainer_case c = case_make(&(trainer_setup){.batch = 100, .schedule = {.rate = -1.0f}});
    size_t size;
    char *before = case_snapshot(&c, &size);
    support_assert_fails(gg_trainer_step(c.trainer), GG_ERR_ARGUMENT, "gg_optimizer_step", "learning_rate");
    case_labels[50] = CASE_CLASSES;
    ck_assert_int_ne(gg_trainer_step(c.trainer), GG_OK);
    case_expect(&c, before, size);
    free(before);
    case_free(&c);
}
END_TEST

/* ---- memory ---- */

/* A step allocates nothing; the end of an epoch no more than the history's array. */
START_TEST(steps_allocate_nothing)
{
    trainer_case c = case_make(&(trainer_setup){.optimizer = {.kind = GG_ADAMW, .clip_norm = 1.0f}});
    case_steps(&c, 7);
    const uint64_t before = gg_allocation_count();
    case_steps(&c, 7 * 15); /* the array first holds 16 epochs */
    ck_assert_uint_eq(gg_allocation_count(), before);
    case_steps(&c, 7);
    ck_assert_uint_eq(gg_allocation_count(), before + 1);
    case_steps(&c, 7 * 15);
    ck_assert_uint_eq(gg_allocation_count(), before + 1);
    case_free(&c);
}
END_TEST

START_TEST(every_allocation_of_a_trainer_can_fail)
{
    trainer_case c = case_without_trainer(&(trainer_setup){0});
    const long before = scratch_memory.live;
    long budget = 0;
    for (; (scratch_memory.budget = budget, gg_trainer_new(&c.trainer, &c.options)) != GG_OK; budget++) {
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "no memory"));
        ck_assert_ptr_null(c.trainer);
        ck_assert_int_eq(scratch_memory.live, before);
    }
    ck_assert_int_eq(budget, 2);
    scratch_memory.budget = -1;
    case_free(&c);
}
END_TEST

/* The history's room is found before the epoch's last step is made, so the step can simply be tried again. */
START_TEST(history_without_memory)
{
    trainer_case c = case_make(&(trainer_setup){0});
    size_t size;
    for (int i = 0; i < 2; i++) {
        case_steps(&c, i == 0 ? 6 : 7 * 16);
        char *before = case_snapshot(&c, &size);
        scratch_memory.budget = 0;
        ck_assert_int_eq(gg_trainer_step(c.trainer), GG_ERR_MEMORY);
        scratch_memory.budget = -1;
        case_expect(&c, before, size);
        free(before);
    }
    case_steps(&c, 1);
    ck_assert_int_eq(gg_trainer_where(c.trainer).epoch, 17);
    case_free(&c);
}
END_TEST

/* When the evaluation at the end of an epoch fails, the step before it counts, and only the evaluation is made up for.
 */
START_TEST(evaluation_is_made_up_for)
{
    trainer_case c = case_make(&(trainer_setup){0}), plain = case_make(&(trainer_setup){0});
    const size_t bytes = (size_t)gg_model_parameter_floats(c.model) * sizeof(float);
    case_steps(&c, 6);
    case_steps(&plain, 7);
    ck_assert_int_eq(gg_model_plan(c.model, c.options.loss, 4), GG_OK); /* enough for the last 4 samples only */
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(gg_trainer_step(c.trainer), GG_ERR_SHAPE);
        ck_assert_int_eq(gg_trainer_where(c.trainer).step, 7);
        ck_assert_int_eq(gg_trainer_where(c.trainer).epoch, 0);
        ck_assert_int_eq(gg_optimizer_steps(c.optimizer), 7);
    }
    ck_assert_int_eq(gg_model_plan(c.model, c.options.loss, 16), GG_OK);
    case_steps(&c, 1);
    ck_assert_int_eq(gg_trainer_where(c.trainer).epoch, 1);
    ck_assert_mem_eq(gg_model_parameters(c.model), gg_model_parameters(plain.model), bytes);
    ck_assert_mem_eq(gg_trainer_history(c.trainer, NULL), gg_trainer_history(plain.trainer, NULL),
                     sizeof(gg_epoch_result));
    case_free(&c);
    case_free(&plain);
}
END_TEST

/* ---- wrong arguments ---- */

START_TEST(wrong_options)
{
    trainer_case c = case_without_trainer(&(trainer_setup){0});
    enum { WRONG = 16 };
    gg_trainer_options o[WRONG];
    for (int i = 0; i < WRONG; i++)
        o[i] = c.options;
    o[0].model = NULL;
    o[1].optimizer = NULL;
    o[2].batch = 0;
    o[3].batch = -5;
    o[4].train.x = NULL;
    o[5].train.labels = NULL;
    o[6].train.count = -1;
    o[7].train.count = 0;
    o[8].test.x = NULL;
    o[9].test.count = -1;
    o[10].loss = GG_NO_VALUE; /* from here on shapes */
    o[11].train.features = 3;
    o[12].test.features = 1;
    o[13].batch = 17; /* planned for 16 */
    o[14].scores = o[14].labels;
    o[15].input = o[15].labels = GG_NO_VALUE;
    for (int i = 0; i < WRONG; i++) {
        const gg_status status = gg_trainer_new(&c.trainer, &o[i]), wanted = i <= 10 ? GG_ERR_ARGUMENT : GG_ERR_SHAPE;
        ck_assert_msg(status == wanted, "%d: %s", i, gg_error_message());
        ck_assert_ptr_null(c.trainer);
    }
    o[0] = c.options;
    o[0].labels = o[0].input;
    ck_assert_int_eq(gg_trainer_new(&c.trainer, &o[0]), GG_ERR_SHAPE);
    support_assert_fails(gg_trainer_new(NULL, &c.options), GG_ERR_ARGUMENT, "gg_trainer_new", "out");
    support_assert_fails(gg_trainer_new(&c.trainer, NULL), GG_ERR_ARGUMENT, "gg_trainer_new", "options");
    case_free(&c);
}
END_TEST

START_TEST(wrong_arguments)
{
    trainer_case c = case_make(&(trainer_setup){0});
    const gg_dataset data = {case_x, case_labels, 10, CASE_FEATURES}, wide = {case_x, case_labels, 10, 3};
    gg_dataset broken = data;
    double accuracy = 7.0;
    int64_t count = 7;
    broken.labels = NULL;
    support_assert_fails(gg_trainer_step(NULL), GG_ERR_ARGUMENT, "gg_trainer_step", "trainer");
    support_assert_fails(gg_trainer_evaluate(NULL, &data, &accuracy), GG_ERR_ARGUMENT, "gg_trainer_evaluate",
                         "trainer");
    support_assert_fails(gg_trainer_evaluate(c.trainer, NULL, &accuracy), GG_ERR_ARGUMENT, "gg_trainer_evaluate",
                         "data");
    support_assert_fails(gg_trainer_evaluate(c.trainer, &data, NULL), GG_ERR_ARGUMENT, "gg_trainer_evaluate",
                         "accuracy");
    support_assert_fails(gg_trainer_evaluate(c.trainer, &wide, &accuracy), GG_ERR_SHAPE, "gg_trainer_evaluate",
                         "features");
    support_assert_fails(gg_trainer_evaluate(c.trainer, &broken, &accuracy), GG_ERR_ARGUMENT, "gg_trainer_evaluate",
                         "labels");
    ck_assert_double_eq(accuracy, 7.0);
    ck_assert_int_eq(gg_trainer_where(NULL).steps_per_epoch, 0);
    ck_assert_ptr_null(gg_trainer_history(NULL, &count));
    ck_assert_int_eq(count, 0);
    gg_trainer_free(NULL);
    case_free(&c);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, batches_follow_the_permutation, 0, (int)(sizeof batches / sizeof *batches));
    tcase_add_test(tests, progress_is_told);
    tcase_add_test(tests, spiral_is_learnt);
    tcase_add_test(tests, evaluation_of_any_size);
    tcase_add_test(tests, evaluation_of_odd_scores);
    tcase_add_test(tests, no_test_set);
    tcase_add_test(tests, stops_at_nan);
    tcase_add_test(tests, stops_at_nan_after_the_last_step);
    tcase_add_test(tests, stops_at_nan_in_the_samples);
    tcase_add_test(tests, errors_of_layers_and_optimisers_pass);
    tcase_add_test(tests, steps_allocate_nothing);
    tcase_add_test(tests, every_allocation_of_a_trainer_can_fail);
    tcase_add_test(tests, history_without_memory);
    tcase_add_test(tests, evaluation_is_made_up_for);
    tcase_add_test(tests, wrong_options);
    tcase_add_test(tests, wrong_arguments);
}
