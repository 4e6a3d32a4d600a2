/* trainer_case.c - see trainer_case.h. */
#include "trainer_case.h"

#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/spiral.h>

#include "scratch.h"

float case_x[CASE_SAMPLES * CASE_FEATURES];
int32_t case_labels[CASE_SAMPLES];

static int64_t choose(int64_t given, int64_t standard)
{
    return given == 0 ? standard : given < 0 ? 0 : given;
}

trainer_case case_without_trainer(const trainer_setup *setup)
{
    trainer_case c = {0};
    gg_trainer_options *o = &c.options;
    const float dropout = setup->dropout == 0.0f ? 0.25f : setup->dropout;
    ck_assert_int_eq(gg_spiral_make(case_x, case_labels, CASE_SAMPLES / CASE_CLASSES, CASE_CLASSES, 7), GG_OK);
    ck_assert_int_eq(gg_model_new(&c.model, setup->model_seed != 0 ? setup->model_seed : 6), GG_OK);
    *o = (gg_trainer_options){.model = c.model, .schedule = setup->schedule};
    o->batch = choose(setup->batch, 16);
    o->seed = setup->seed != 0 ? setup->seed : 5;
    o->train = (gg_dataset){case_x, case_labels, choose(setup->samples, 100), CASE_FEATURES};
    o->test = (gg_dataset){case_x, case_labels, choose(setup->test_samples, 50), CASE_FEATURES};
    if (o->schedule.rate == 0.0f)
        o->schedule.rate = 0.5f;
    o->input = gg_input(c.model, "x", 2, (const int64_t[]){GG_BATCH, CASE_FEATURES});
    o->labels = gg_input_labels(c.model, "t", 1, (const int64_t[]){GG_BATCH});
    const gg_activation activation = setup->activation != GG_IDENTITY ? setup->activation : GG_TANH;
    gg_value h = o->input;
    for (int i = 0; i < (setup->layers != 0 ? setup->layers : 1); i++)
        h = gg_affine(c.model, h, choose(setup->hidden, 7), &(gg_affine_options){.activation = activation});
    if (setup->normalizes)
        h = gg_batch_normalization(c.model, h, NULL);
    if (dropout > 0.0f)
        h = gg_dropout(c.model, h, dropout);
    o->scores = gg_affine(c.model, h, CASE_CLASSES, NULL);
    o->loss = gg_softmax_with_loss(c.model, o->scores, o->labels);
    const gg_status status = gg_model_plan(c.model, o->loss, choose(setup->planned, o->batch));
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(gg_optimizer_new(&c.optimizer, c.model, &setup->optimizer), GG_OK);
    o->optimizer = c.optimizer;
    return c;
}

trainer_case case_make(const trainer_setup *setup)
{
    trainer_case c = case_without_trainer(setup);
    const gg_status status = gg_trainer_new(&c.trainer, &c.options);
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
    return c;
}

void case_free(trainer_case *c)
{
    gg_trainer_free(c->trainer);
    gg_optimizer_free(c->optimizer);
    gg_model_free(c->model);
}

void case_count_allocations(void)
{
    trainer_case c = case_make(&(trainer_setup){0});
    case_steps(&c, 7);
    case_free(&c);
    scratch_count_allocations();
}

void case_steps(trainer_case *c, int64_t steps)
{
    for (int64_t i = 0; i < steps; i++)
        ck_assert_msg(gg_trainer_step(c->trainer) == GG_OK, "step %lld: %s", (long long)i, gg_error_message());
}

static char *put(char *to, const void *from, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
    return to + bytes;
}

/* Of the tensors that a rule keeps beside, padding between them included. */
static size_t case_kept_floats(const gg_optimizer *optimizer)
{
    gg_parameter last;
    const int count = gg_optimizer_tensor_count(optimizer);
    if (count == 0)
        return 0;
    ck_assert_int_eq(gg_optimizer_tensor(optimizer, count - 1, &last), GG_OK);
    return (size_t)(last.offset + last.size);
}

char *case_snapshot(const trainer_case *c, size_t *size)
{
    const size_t floats = (size_t)gg_model_parameter_floats(c->model) * sizeof(float);
    const size_t carried = (size_t)gg_model_state_floats(c->model) * sizeof(float);
    const int states = gg_optimizer_state_count(c->optimizer);
    const size_t kept = case_kept_floats(c->optimizer) * sizeof(float);
    const gg_trainer_progress where = gg_trainer_where(c->trainer);
    const int64_t counters[] = {where.epoch,
                                where.step,
                                where.steps_per_epoch,
                                where.samples,
                                where.epoch_samples,
                                gg_optimizer_steps(c->optimizer),
                                gg_model_step(c->model)};
    const double losses[] = {where.loss, where.epoch_loss_sum};
    int64_t epochs;
    const gg_epoch_result *history = gg_trainer_history(c->trainer, &epochs);
    const size_t history_bytes = (size_t)epochs * sizeof *history;
    *size = floats * (size_t)(1 + states) + carried + kept + sizeof counters + sizeof losses + history_bytes;
    char *bytes = malloc(*size), *to = bytes;
    ck_assert_ptr_nonnull(bytes);
    to = put(to, gg_model_parameters(c->model), floats);
    to = put(to, gg_model_states(c->model), carried);
    for (int s = 0; s < states; s++)
        to = put(to, gg_optimizer_state(c->optimizer, s), floats);
    to = put(to, gg_optimizer_tensors(c->optimizer), kept);
    to = put(put(put(to, counters, sizeof counters), losses, sizeof losses), history, history_bytes);
    ck_assert_ptr_eq(to, bytes + *size);
    return bytes;
}

void case_expect(const trainer_case *c, const char *snapshot, size_t size)
{
    size_t now;
    char *bytes = case_snapshot(c, &now);
    ck_assert_uint_eq(now, size);
    ck_assert_mem_eq(bytes, snapshot, size);
    free(bytes);
}
