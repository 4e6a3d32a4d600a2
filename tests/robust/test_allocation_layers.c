/* test_allocation_layers.c - models, optimisers, trainers and their files when memory runs out: an error and no harm,
 * and once there is memory again the same numbers, bit for bit, as if nothing had happened. */
#include <gemmgrad/layers.h>

#include <stdlib.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/blas_backend.h>

#include "../unit/scratch.h"
#include "support.h"
#include "trial.h"

enum { SAMPLES = 90, FEATURES = 12, CLASSES = 3, BATCH = 16 };

static float samples[SAMPLES * FEATURES];
static int32_t labels[SAMPLES];

typedef struct network {
    gg_model *model;
    gg_value x, t, scores, loss;
    gg_optimizer *optimizer;
    gg_trainer *trainer;
} network;

static void network_free(network *net)
{
    gg_trainer_free(net->trainer);
    gg_optimizer_free(net->optimizer);
    gg_model_free(net->model);
}

/* ---- models ---- */

/* Every layer, and more of them than fit in the lists that a model starts with. */
static gg_value add_layers(gg_model *model, gg_value x)
{
    const gg_layer_spec specs[] = {{.kind = GG_LAYER_AFFINE, .out = 11, .activation = GG_GELU},
                                   {.kind = GG_LAYER_MATMUL, .out = 10},
                                   {.kind = GG_LAYER_ACTIVATION, .activation = GG_TANH},
                                   {.kind = GG_LAYER_DROPOUT, .number = 0.3f},
                                   {.kind = GG_LAYER_SOFTMAX}};
    gg_value h = gg_sequential(model, x, specs, 5);
    h = gg_node_add(model, h, gg_node_exp(model, gg_node_log(model, h)));
    h = gg_node_divide(model, gg_node_multiply(model, h, h), gg_sigmoid(model, h));
    h = gg_node_sum(model, gg_node_repeat(model, h, 3));
    for (int i = 0; i < 20; i++)
        h = gg_affine(model, h, 9, &(gg_affine_options){.activation = GG_RELU});
    return gg_affine(model, h, CLASSES, NULL);
}

static gg_status network_describe(network *net)
{
    *net = (network){0};
    const gg_status status = gg_model_new(&net->model, 7);
    if (status != GG_OK)
        return status;
    net->x = gg_input(net->model, "x", 2, (int64_t[]){GG_BATCH, FEATURES});
    net->t = gg_input_labels(net->model, "t", 1, (int64_t[]){GG_BATCH});
    net->scores = add_layers(net->model, net->x);
    net->loss = gg_softmax_with_loss(net->model, net->scores, net->t);
    return GG_OK;
}

/* The sum of the gradients of one run, in a fixed order. */
static double run(trial *t, network *net, int64_t rows)
{
    double sum = 0.0;
    trial_check(t, gg_model_set_extent(net->model, GG_BATCH, rows) == GG_OK, gg_error_message());
    trial_check(t, gg_model_bind(net->model, net->x, samples) == GG_OK, gg_error_message());
    trial_check(t, gg_model_bind_labels(net->model, net->t, labels) == GG_OK, gg_error_message());
    trial_check(t, gg_model_forward(net->model, net->loss, GG_TRAIN) == GG_OK, gg_error_message());
    trial_check(t, gg_model_backward(net->model) == GG_OK, gg_error_message());
    trial_check(t, gg_model_find_nonfinite(net->model, net->loss) == NULL, "not finite");
    for (int64_t i = 0; i < gg_model_parameter_floats(net->model); i++)
        sum += (double)gg_model_gradients(net->model)[i];
    return sum + gg_model_loss(net->model);
}

static double usual_run; /* what `run` gives when all is well */

/* Build, plan, run; after a failure plan again: a plan that failed for memory can be made when there is some, a model
 * that could not be built stays as it is. */
static void models(trial *t)
{
    network net;
    if (!trial_ok(t, network_describe(&net))) {
        trial_check(t, net.model == NULL, "gg_model_new touched its output");
        return;
    }
    const bool built = net.loss.id >= 0;
    if (!trial_ok(t, gg_model_plan(net.model, net.loss, BATCH))) {
        trial_check(t, gg_model_forward(net.model, net.loss, GG_TRAIN) != GG_OK, "a model without a plan ran");
        trial_calm();
        const gg_status again = gg_model_plan(net.model, net.loss, BATCH);
        trial_check(t, again == (built ? GG_OK : GG_ERR_MEMORY), "the second plan");
    }
    if (built) {
        const double found = run(t, &net, BATCH);
        trial_check(t, usual_run == 0.0 || found == usual_run, "other numbers than usual");
        usual_run = found;
    }
    network_free(&net);
}

static bool same_parameters(const network *net, const float *before)
{
    return memcmp(before, gg_model_parameters(net->model),
                  (size_t)gg_model_parameter_floats(net->model) * sizeof *before)
           == 0;
}

/* A larger plan that fails leaves the parameters and the plan before, and can be made later. */
static void replan(trial *t, network *net)
{
    const size_t bytes = (size_t)gg_model_parameter_floats(net->model) * sizeof(float);
    const double small_runs = run(t, net, 1) + run(t, net, 2);
    float *before = malloc(bytes);
    memcpy(before, gg_model_parameters(net->model), bytes);
    if (!trial_ok(t, gg_model_plan(net->model, net->loss, BATCH))) {
        trial_calm();
        trial_check(t, same_parameters(net, before), "the failed plan changed parameters");
        trial_check(t, run(t, net, 1) + run(t, net, 2) == small_runs, "the plan before is lost");
        trial_check(t, gg_model_plan(net->model, net->loss, BATCH) == GG_OK, "the second plan");
    }
    trial_check(t, same_parameters(net, before), "the plan changed parameters");
    const double found = run(t, net, BATCH);
    trial_check(t, usual_run == 0.0 || found == usual_run, "other numbers than usual");
    free(before);
}

static void plans(trial *t)
{
    network net;
    if (!trial_ok(t, network_describe(&net)))
        return;
    if (trial_ok(t, gg_model_plan(net.model, net.loss, 2)))
        replan(t, &net);
    network_free(&net);
}

/* A fold that fails leaves runs as they were. */
static void folds(trial *t)
{
    gg_model *model = NULL;
    float before[2] = {0.0f};
    if (!trial_ok(t, gg_model_new(&model, 7)))
        return;
    const gg_value x = gg_input(model, "x", 4, (int64_t[]){GG_BATCH, 1, 1, 2});
    const gg_value z = gg_conv2d(model, x, 1, &(gg_conv2d_options){.kernel_height = 1, .kernel_width = 1});
    const gg_value y = gg_batch_normalization(model, z, NULL);
    if (trial_ok(t, gg_model_plan(model, GG_NO_VALUE, 1)) && trial_ok(t, gg_model_bind(model, x, samples))
        && trial_ok(t, gg_model_forward(model, y, GG_INFER))) {
        memcpy(before, gg_model_data(model, y), sizeof before);
        const bool folded = trial_ok(t, gg_model_fold(model));
        if (trial_ok(t, gg_model_forward(model, y, GG_INFER)) && !folded)
            trial_check(t, memcmp(before, gg_model_data(model, y), sizeof before) == 0, "the fold that failed is seen");
    }
    gg_model_free(model);
}

/* ---- optimisers, trainers ---- */

static void optimizers(trial *t)
{
    network net;
    if (!trial_ok(t, network_describe(&net)))
        return;
    if (trial_ok(t, gg_model_plan(net.model, net.loss, BATCH)))
        for (gg_optimizer_kind kind = GG_SGD; kind < GG_OPTIMIZER_COUNT; kind++) {
            net.optimizer = NULL;
            if (trial_ok(t, gg_optimizer_new(&net.optimizer, net.model,
                                             &(gg_optimizer_options){.kind = kind, .clip_norm = 1})))
                trial_ok(t, gg_optimizer_step(net.optimizer, 0.1f));
            else
                trial_check(t, net.optimizer == NULL, "gg_optimizer_new touched its output");
            gg_optimizer_free(net.optimizer);
        }
    net.optimizer = NULL;
    network_free(&net);
}

/* A small trainer with everything; what stands is freed by network_free. */
static gg_status make_trainer(network *net)
{
    *net = (network){0};
    gg_status status = gg_model_new(&net->model, 7);
    if (status != GG_OK)
        return status;
    net->x = gg_input(net->model, "x", 2, (int64_t[]){GG_BATCH, FEATURES});
    net->t = gg_input_labels(net->model, "t", 1, (int64_t[]){GG_BATCH});
    const gg_value h =
        gg_affine(net->model, net->x, 20, &(gg_affine_options){.activation = GG_TANH, .init = GG_INIT_ORTHOGONAL});
    net->scores = gg_affine(net->model, gg_dropout(net->model, h, 0.2f), CLASSES, NULL);
    net->loss = gg_softmax_with_loss(net->model, net->scores, net->t);
    status = gg_model_plan(net->model, net->loss, BATCH);
    if (status == GG_OK)
        status = gg_optimizer_new(&net->optimizer, net->model, &(gg_optimizer_options){.kind = GG_ADAM});
    if (status != GG_OK)
        return status;
    const gg_dataset data = {samples, labels, SAMPLES, FEATURES};
    return gg_trainer_new(&net->trainer, &(gg_trainer_options){.model = net->model,
                                                               .input = net->x,
                                                               .labels = net->t,
                                                               .scores = net->scores,
                                                               .loss = net->loss,
                                                               .optimizer = net->optimizer,
                                                               .schedule = {.rate = 0.01f},
                                                               .train = data,
                                                               .test = data,
                                                               .batch = BATCH,
                                                               .seed = 3});
}

enum { PARAMETERS = 1024, EPOCHS = 18 };

/* The parameters after so many epochs; a step that fails for memory is taken again. */
static void train(trial *t, network *net, int64_t epochs)
{
    while (gg_trainer_where(net->trainer).epoch < epochs && t->wrong == NULL)
        if (!trial_ok(t, gg_trainer_step(net->trainer))) {
            trial_calm();
            trial_check(t, t->status == GG_ERR_MEMORY, "a step failed");
        }
}

static float usual_parameters[PARAMETERS];

/* EPOCHS is more than a history starts with. */
static void trainers(trial *t)
{
    network net;
    if (trial_ok(t, make_trainer(&net))) {
        train(t, &net, EPOCHS);
        const size_t bytes = (size_t)gg_model_parameter_floats(net.model) * sizeof(float);
        trial_check(t, bytes <= sizeof usual_parameters, "too many parameters for this test");
        if (usual_parameters[0] == 0.0f)
            memcpy(usual_parameters, gg_model_parameters(net.model), bytes);
        trial_check(t, memcmp(usual_parameters, gg_model_parameters(net.model), bytes) == 0,
                    "trained to other parameters");
    }
    network_free(&net);
}

/* ---- files ---- */

/* A refused save leaves the old file, and nothing beside it. */
static void save(trial *t, const network *net, const char *path)
{
    size_t size_before = 0, size_after = 0;
    char *before = scratch_read(path, &size_before);
    if (!trial_ok(t, gg_trainer_save(net->trainer, path, "trial"))) {
        char *after = scratch_read(path, &size_after);
        trial_check(t, size_before == size_after && memcmp(before, after, size_before) == 0, "the old file changed");
        free(after);
    }
    trial_check(t, scratch_count() == 2, "something was left beside the file");
    free(before);
}

/* A refused load leaves the trainer as it was. */
static void load(trial *t, network *net, const char *path)
{
    const size_t bytes = (size_t)gg_model_parameter_floats(net->model) * sizeof(float);
    float *before = malloc(bytes);
    memcpy(before, gg_model_parameters(net->model), bytes);
    const gg_trainer_progress where = gg_trainer_where(net->trainer);
    if (!trial_ok(t, gg_trainer_load(net->trainer, path, "trial"))) {
        const gg_trainer_progress now = gg_trainer_where(net->trainer);
        trial_check(t, memcmp(before, gg_model_parameters(net->model), bytes) == 0,
                    "a refused load changed the parameters");
        trial_check(t, where.epoch == now.epoch && where.step == now.step, "a refused load moved the trainer");
        trial_calm();
        trial_check(t, gg_trainer_load(net->trainer, path, "trial") == GG_OK, gg_error_message());
    }
    trial_check(t, gg_trainer_where(net->trainer).epoch == 2, "the checkpoint is of epoch 2");
    free(before);
}

static void checkpoints(trial *t)
{
    network net;
    if (trial_ok(t, make_trainer(&net))) {
        train(t, &net, 1);
        save(t, &net, scratch_path("other"));
        load(t, &net, scratch_path("epoch 2"));
    }
    network_free(&net);
}

static void look_into(trial *t, const char *path)
{
    gg_safetensors *file = NULL;
    gg_tensor tensor;
    if (!trial_ok(t, gg_safetensors_read(&file, path))) {
        trial_check(t, file == NULL, "gg_safetensors_read touched its output");
        return;
    }
    for (int64_t i = 0; i < gg_safetensors_count(file); i++)
        if (trial_ok(t, gg_safetensors_tensor(file, i, &tensor)))
            trial_ok(t, gg_safetensors_find(file, tensor.name, &tensor));
    gg_safetensors_free(file);
}

static void tensors(trial *t)
{
    const char *path = scratch_path("other");
    const gg_tensor list[] = {
        {"a", GG_F32, 2, {5, FEATURES}, samples}, {"b", GG_I32, 1, {SAMPLES}, labels}, {"empty", GG_F64, 1, {0}, NULL}};
    const gg_metadata metadata[] = {{"key", "value"}, {"another", "one"}};
    size_t size = 0;
    trial_ok(t, gg_safetensors_write(path, list, 3, metadata, 2));
    trial_check(t, scratch_count() == 2, "something was left beside the file");
    look_into(t, path);
    char *bytes = scratch_read(path, &size);
    gg_safetensors *file = NULL;
    if (!trial_ok(t, gg_safetensors_parse(&file, bytes, (int64_t)size)))
        trial_check(t, file == NULL, "gg_safetensors_parse touched its output");
    gg_safetensors_free(file);
    free(bytes);
}

/* ---- the tests ---- */

static void make_files(void)
{
    network net;
    trial t = {GG_OK, NULL};
    for (int i = 0; i < SAMPLES; i++)
        labels[i] = i % CLASSES;
    support_fill(samples, SAMPLES * FEATURES, -1, 1, 1);
    scratch_make_folder();
    scratch_write(scratch_path("other"), "old", 3);
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
    ck_assert_int_eq(make_trainer(&net), GG_OK);
    train(&t, &net, 2);
    ck_assert_int_eq(gg_trainer_save(net.trainer, scratch_path("epoch 2"), "trial"), GG_OK);
    network_free(&net);
}

static const struct {
    const char *name;
    scenario *run;
    int least; /* allocations that a scenario must have to be worth its name */
} scenarios[] = {
    {"models", models, 9},          {"plans", plans, 10},       {"folds", folds, 7},
    {"optimizers", optimizers, 20}, {"trainers", trainers, 10}, {"checkpoints", checkpoints, 15},
    {"tensors", tensors, 8},
};

START_TEST(every_allocation_refused)
{
    const int fresh = trial_sweep(scenarios[_i].name, scenarios[_i].run, TRIAL_FRESH);
    const int later = trial_sweep(scenarios[_i].name, scenarios[_i].run, TRIAL_MAIN);
    ck_assert_msg(later >= scenarios[_i].least && fresh >= later && fresh <= later + 1, "%s: %d and %d allocations",
                  scenarios[_i].name, fresh, later);
}
END_TEST

static void add_tests(TCase *tests)
{
    trial_install();
    tcase_add_checked_fixture(tests, make_files, scratch_remove_folder);
    tcase_add_loop_test(tests, every_allocation_refused, 0, (int)(sizeof scenarios / sizeof *scenarios));
}
