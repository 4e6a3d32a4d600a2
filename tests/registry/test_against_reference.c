/* test_against_reference.c - every entry of the registry against plain loops in double, at rounding. */
#include <math.h>
#include <stdio.h>

#include "registry.h"
#include "support.h"

/* The sizes of LAPACK's tests and odd ones around the kernels' blocks of 16 and 64. */
static const registry_sizes shapes[] = {
    {1, 1, 1, 1, 1},    {1, 1, 1, 9, 5}, {2, 1, 1, 1, 1},    {2, 1, 1, 2, 3},    {2, 2, 1, 3, 2},    {2, 3, 1, 1, 5},
    {2, 5, 1, 9, 1},    {2, 9, 1, 5, 9}, {2, 15, 1, 17, 15}, {2, 17, 1, 16, 17}, {2, 16, 1, 15, 33}, {2, 63, 1, 33, 65},
    {2, 65, 1, 64, 63}, {3, 1, 1, 1, 2}, {3, 2, 3, 5, 9},    {3, 9, 5, 17, 3},   {4, 1, 1, 2, 1},    {4, 3, 2, 9, 5},
    {4, 5, 3, 17, 15},  {0, 1, 1, 1, 1}, {0, 5, 1, 5, 2},    {0, 67, 1, 67, 3},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

START_TEST(every_layer_at_rounding)
{
    const registry_entry *entry = &registry[_i];
    for (int i = 0; i < SHAPES; i++) {
        if (!registry_takes(entry, &shapes[i]))
            continue;
        char what[96];
        twin t;
        registry_start(&t, entry, &shapes[i], (uint64_t)i + 1);
        snprintf(what, sizeof what, "%s, shape %d", entry->name, i);
        twin_step(&t);
        twin_check(&t, what);
        twin_free(&t);
        support_release();
    }
}
END_TEST

/* A new activation has two entries: as a layer of its own, and fused into the affine layer. */
START_TEST(every_activation_has_its_entries)
{
    bool alone = false, fused = false;
    for (int i = 0; i < registry_count; i++) {
        const bool here = (int)registry[i].activation == _i && registry[i].network == NULL;
        alone = alone || (here && registry[i].layer == &reference_activation_layer);
        fused = fused || (here && registry[i].layer == &reference_affine && !registry[i].no_bias);
    }
    ck_assert_msg(alone && fused, "%s", gg_activation_name((gg_activation)_i));
}
END_TEST

START_TEST(twice_gives_the_same_bits)
{
    int64_t count[2];
    twin t;
    registry_start(&t, &registry[_i], &(registry_sizes){2, 19, 1, 23, 21}, 7);
    twin_step(&t);
    const float *first = twin_results(&t, &count[0]);
    twin_step(&t);
    const float *second = twin_results(&t, &count[1]);
    ck_assert_int_eq(count[0], count[1]);
    ck_assert_mem_eq(first, second, (size_t)count[0] * sizeof *first);
    twin_free(&t);
}
END_TEST

/* NaN in gives NaN out: the loss tells. An input of which no row counts has no say. */
START_TEST(nan_reaches_the_loss)
{
    const registry_entry *entry = &registry[_i];
    twin t;
    registry_start(&t, entry, &(registry_sizes){2, 5, 1, 7, 6}, 11);
    for (int64_t i = 0; i < twin_size(&t, 0); i++)
        t.values[0].data[i] = NAN;
    twin_step(&t);
    ck_assert_msg(isnan(gg_model_loss(t.model)) || entry->second == SECOND_ALL_IGNORED, "%s", entry->name);
    twin_free(&t);
}
END_TEST

/* A single number of any kind: no crash and no hang, and the next step with good numbers is as if it had not been. */
START_TEST(bad_numbers_leave_no_trace)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-45f, -0.0f};
    int64_t count;
    twin t;
    registry_start(&t, &registry[_i], &(registry_sizes){2, 5, 1, 7, 6}, 11);
    twin_step(&t);
    const float *good = twin_results(&t, &count);
    const float before = t.values[0].data[9];
    for (int i = 0; i < 7; i++) {
        t.values[0].data[9] = bad[i];
        twin_step(&t);
        t.values[0].data[9] = before;
        twin_step(&t);
        ck_assert_mem_eq(twin_results(&t, &count), good, (size_t)count * sizeof *good);
    }
    twin_free(&t);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, every_layer_at_rounding, 0, registry_count);
    tcase_add_loop_test(tests, every_activation_has_its_entries, GG_IDENTITY, GG_ACTIVATION_COUNT);
    tcase_add_loop_test(tests, twice_gives_the_same_bits, 0, registry_count);
    tcase_add_loop_test(tests, nan_reaches_the_loss, 0, registry_count);
    tcase_add_loop_test(tests, bad_numbers_leave_no_trace, 0, registry_count);
}
