/* test_training.c - whole trainings: the book's spiral, drawn digits; the same numbers from the same seed. */
#include <math.h>
#include <stdlib.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/digits.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/model.h>
#include <gemmgrad/optimizer.h>
#include <gemmgrad/spiral.h>
#include <gemmgrad/trainer.h>

#include "support.h"

/* A perceptron with one hidden layer, and what trains it. */
typedef struct training {
    gg_model *model;
    gg_optimizer *optimizer;
    gg_trainer *trainer;
} training;

typedef struct recipe {
    gg_activation activation;
    int64_t hidden, classes, batch;
    float dropout; /* 0: none */
    gg_optimizer_kind optimizer;
    float rate;
} recipe;

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static void start(training *t, const recipe *r, gg_dataset train, gg_dataset test)
{
    must(gg_model_new(&t->model, 1984));
    gg_trainer_options o = {
        .model = t->model, .schedule = {.rate = r->rate}, .train = train, .test = test, .batch = r->batch, .seed = 7};
    o.input = gg_input(t->model, "x", 2, (int64_t[]){GG_BATCH, train.features});
    o.labels = gg_input_labels(t->model, "labels", 1, (int64_t[]){GG_BATCH});
    gg_value hidden = gg_affine(t->model, o.input, r->hidden, &(gg_affine_options){.activation = r->activation});
    if (r->dropout > 0.0f)
        hidden = gg_dropout(t->model, hidden, r->dropout);
    o.scores = gg_affine(t->model, hidden, r->classes, NULL);
    o.loss = gg_softmax_with_loss(t->model, o.scores, o.labels);
    must(gg_model_plan(t->model, o.loss, r->batch));
    must(gg_optimizer_new(&t->optimizer, t->model, &(gg_optimizer_options){.kind = r->optimizer}));
    o.optimizer = t->optimizer;
    must(gg_trainer_new(&t->trainer, &o));
}

static void finish(training *t)
{
    gg_trainer_free(t->trainer);
    gg_optimizer_free(t->optimizer);
    gg_model_free(t->model);
}

static void run_epochs(training *t, int64_t epochs)
{
    while (gg_trainer_where(t->trainer).epoch < epochs)
        must(gg_trainer_step(t->trainer));
}

static gg_epoch_result last_epoch(const training *t)
{
    int64_t count;
    const gg_epoch_result *history = gg_trainer_history(t->trainer, &count);
    ck_assert_int_gt(count, 0);
    return history[count - 1];
}

/* ---- data ---- */

static gg_dataset spiral(void)
{
    static float x[600];
    static int32_t labels[300];
    must(gg_spiral_make(x, labels, 100, 3, 1984));
    return (gg_dataset){x, labels, 300, 2};
}

static gg_dataset digits(int64_t count, uint64_t seed)
{
    float *images = support_floats(count * GG_DIGITS_PIXELS);
    int32_t *labels = support_labels(count);
    must(gg_digits_draw(images, labels, count, seed));
    return (gg_dataset){images, labels, count, GG_DIGITS_PIXELS};
}

/* ---- learning ---- */

/* Deep Learning from Scratch 2, chapter 1.4: ten sigmoids, batches of 30, rate 1, 300 epochs. */
static const recipe book = {GG_SIGMOID, 10, 3, 30, 0.0f, GG_SGD, 1.0f};

START_TEST(spiral_is_learned)
{
    training t;
    const gg_dataset data = spiral();
    start(&t, &book, data, data);
    run_epochs(&t, 1);
    const gg_epoch_result first = last_epoch(&t);
    ck_assert_double_lt(first.test_accuracy, 0.7); /* no straight line tells the arms apart */
    run_epochs(&t, 300);
    const gg_epoch_result last = last_epoch(&t);
    ck_assert_msg(last.test_accuracy > 0.9, "accuracy %g", last.test_accuracy);
    ck_assert_msg(last.train_loss < 0.25 * first.train_loss, "loss %g, %g at first", last.train_loss, first.train_loss);
    finish(&t);
}
END_TEST

START_TEST(digits_are_learned)
{
    static const recipe perceptron = {GG_RELU, 64, GG_DIGITS_CLASSES, 64, 0.0f, GG_ADAM, 0.003f};
    training t;
    start(&t, &perceptron, digits(8000, 1), digits(1000, 2));
    run_epochs(&t, 6);
    ck_assert_msg(last_epoch(&t).test_accuracy > 0.9, "accuracy %g", last_epoch(&t).test_accuracy);
    finish(&t);
}
END_TEST

/* Every optimiser gets on with the spiral at a rate that suits it. */
START_TEST(every_optimizer_learns)
{
    static const float rates[GG_OPTIMIZER_COUNT] = {1.0f,  0.2f,   0.2f,  0.2f,  0.01f, 0.02f,
                                                    0.02f, 0.005f, 0.02f, 0.02f, 0.02f, 0.2f};
    recipe r = book;
    r.activation = GG_TANH;
    r.hidden = 20;
    r.optimizer = (gg_optimizer_kind)_i;
    r.rate = rates[_i];
    training t;
    const gg_dataset data = spiral();
    start(&t, &r, data, data);
    run_epochs(&t, 200);
    ck_assert_msg(last_epoch(&t).test_accuracy > 0.9, "%s: accuracy %g", gg_optimizer_name(r.optimizer),
                  last_epoch(&t).test_accuracy);
    finish(&t);
}
END_TEST

/* ---- the same numbers ---- */

enum { STEPS = 40 };

static void losses_with(double losses[STEPS], int threads, const recipe *r, gg_dataset train)
{
    training t;
    must(gg_set_threads(threads));
    ck_assert_int_eq(gg_threads(), threads);
    start(&t, r, train, (gg_dataset){.features = train.features});
    for (int i = 0; i < STEPS; i++) {
        must(gg_trainer_step(t.trainer));
        losses[i] = gg_trainer_where(t.trainer).loss;
    }
    finish(&t);
    must(gg_set_threads(1));
}

/* Batches large enough that products, elementwise functions and the loss run on several threads. The same threads give
 * the same bits. Other threads may add in another order: 1e-5 of a loss is 80 units in its last place, and leaves room
 * for what 40 steps make of a rounding. */
START_TEST(the_seed_decides)
{
    static const recipe wide = {GG_TANH, 300, GG_DIGITS_CLASSES, 300, 0.25f, GG_MOMENTUM, 0.02f};
    const gg_dataset data = digits(1000, 3);
    double one[STEPS], again[STEPS], two[STEPS], two_again[STEPS];
    losses_with(one, 1, &wide, data);
    losses_with(again, 1, &wide, data);
    losses_with(two, 2, &wide, data);
    losses_with(two_again, 2, &wide, data);
    ck_assert_mem_eq(one, again, sizeof one);
    ck_assert_mem_eq(two, two_again, sizeof two);
    for (int i = 0; i < STEPS; i++)
        ck_assert_msg(fabs(one[i] - two[i]) <= 1e-5 * fabs(one[i]), "step %d: %.9g and %.9g", i, one[i], two[i]);
    ck_assert_double_lt(one[STEPS - 1], 0.5 * one[0]);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, spiral_is_learned);
    tcase_add_test(tests, digits_are_learned);
    tcase_add_loop_test(tests, every_optimizer_learns, GG_SGD, GG_OPTIMIZER_COUNT);
    tcase_add_test(tests, the_seed_decides);
}
