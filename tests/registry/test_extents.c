/* test_extents.c - one plan, runs of every extent up to it, and new plans: every entry of the registry. */
#include <stdio.h>
#include <string.h>

#include <gemmgrad/memory.h>

#include "registry.h"
#include "support.h"

static const registry_sizes matrices = {2, 17, 1, 9, 7};

static bool all_zero(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0.0f)
            return false;
    return true;
}

/* A smaller batch after a larger one sees nothing of it; the large one again gives the same bits. */
START_TEST(batches_of_any_size)
{
    static const int64_t batches[] = {17, 1, 16, 0, 5, 2, 17};
    const registry_entry *entry = &registry[_i];
    int64_t count;
    twin t;
    registry_start(&t, entry, &matrices, 3);
    twin_step(&t);
    const float *first = twin_results(&t, &count);
    for (int i = 0; i < 7; i++) {
        char what[96];
        snprintf(what, sizeof what, "%s, batch %d", entry->name, (int)batches[i]);
        twin_set_batch(&t, batches[i]);
        twin_step(&t);
        twin_check(&t, what);
    }
    ck_assert_mem_eq(twin_results(&t, &count), first, (size_t)count * sizeof *first);
    twin_free(&t);
}
END_TEST

/* No samples: no loss and no gradient, though the step before left some in every buffer. */
START_TEST(batch_of_none)
{
    twin t;
    registry_start(&t, &registry[_i], &matrices, 4);
    twin_step(&t);
    twin_set_batch(&t, 0);
    twin_step(&t);
    for (int i = 0; i < t.parameters; i++) {
        gg_parameter p;
        ck_assert_int_eq(gg_model_parameter(t.model, i, &p), GG_OK);
        ck_assert_msg(all_zero(gg_model_gradients(t.model) + p.offset, p.size), "%s", p.name);
    }
    if (registry[_i].network == NULL)
        ck_assert_double_eq(gg_model_loss(t.model), 0.0);
    twin_free(&t);
}
END_TEST

/* A batch computes what another model computes that was planned for it. */
START_TEST(part_of_a_plan_equals_a_plan_of_that_size)
{
    int64_t count[2];
    twin whole, part;
    const registry_sizes smaller = {2, 6, 1, 9, 7};
    registry_start(&whole, &registry[_i], &matrices, 5);
    registry_start(&part, &registry[_i], &smaller, 5);
    for (int v = 0; v < whole.count; v++) {
        if (part.values[v].data != NULL)
            memcpy(part.values[v].data, whole.values[v].data, (size_t)twin_size(&part, v) * sizeof(float));
        if (part.values[v].labels != NULL)
            memcpy(part.values[v].labels, whole.values[v].labels, (size_t)twin_size(&part, v) * sizeof(int32_t));
    }
    const int64_t floats = gg_model_parameter_floats(whole.model);
    if (floats > 0)
        memcpy(gg_model_parameters(part.model), gg_model_parameters(whole.model), (size_t)floats * sizeof(float));
    twin_set_batch(&whole, 6);
    twin_step(&whole);
    twin_step(&part);
    const float *of_whole = twin_results(&whole, &count[0]), *of_part = twin_results(&part, &count[1]);
    ck_assert_int_eq(count[0], count[1]);
    ck_assert_mem_eq(of_whole, of_part, (size_t)count[0] * sizeof *of_part);
    twin_free(&whole);
    twin_free(&part);
}
END_TEST

/* A larger plan keeps the parameters, and gives the same bits for the batch that both have room for. */
START_TEST(planning_again_keeps_parameters)
{
    int64_t count;
    twin t;
    registry_start(&t, &registry[_i], &matrices, 7);
    twin_step(&t);
    const float *before = twin_results(&t, &count);
    ck_assert_int_eq(gg_model_plan(t.model, t.values[t.loss].value, 40), GG_OK);
    twin_set_batch(&t, 17);
    twin_step(&t);
    ck_assert_mem_eq(twin_results(&t, &count), before, (size_t)count * sizeof *before);
    ck_assert_int_eq(gg_model_plan(t.model, t.values[t.loss].value, 17), GG_OK);
    twin_step(&t);
    ck_assert_mem_eq(twin_results(&t, &count), before, (size_t)count * sizeof *before);
    twin_free(&t);
}
END_TEST

/* Steps of changing batches allocate nothing. */
START_TEST(steps_allocate_nothing)
{
    twin t;
    registry_start(&t, &registry[_i], &matrices, 8);
    twin_step(&t);
    const uint64_t before = gg_allocation_count();
    for (int64_t batch = 0; batch <= 17; batch++) {
        twin_set_batch(&t, batch);
        twin_step(&t);
    }
    ck_assert_uint_eq(gg_allocation_count(), before);
    twin_free(&t);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, batches_of_any_size, 0, registry_count);
    tcase_add_loop_test(tests, batch_of_none, 0, registry_count);
    tcase_add_loop_test(tests, part_of_a_plan_equals_a_plan_of_that_size, 0, registry_count);
    tcase_add_loop_test(tests, planning_again_keeps_parameters, 0, registry_count);
    tcase_add_loop_test(tests, steps_allocate_nothing, 0, registry_count);
}
