/* test_failures.c - every entry of the registry with wrong arguments, and with no memory at every single allocation. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/sequence.h>

#include "registry.h"
#include "support.h"

static const registry_sizes sizes = {2, 6, 1, 5, 4};

/* ---- memory ---- */

/* Counts down to the allocation that fails, and what is not freed yet. */
typedef struct failing {
    int64_t until; /* 0: the next one fails; negative: none will */
    bool for_good; /* all fail */
    int64_t live;
} failing;

static void *allocate(void *context, size_t bytes)
{
    failing *f = context;
    if (f->until == 0 || f->for_good) {
        f->until = -1;
        return NULL;
    }
    f->until -= f->until > 0;
    f->live++;
    return aligned_alloc(GG_ALIGNMENT, (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT);
}

static void release(void *context, void *pointer)
{
    ((failing *)context)->live--;
    free(pointer);
}

static failing fault;

static void use_failing_allocator(void)
{
    fault = (failing){.until = -1};
    ck_assert_int_eq(gg_set_allocator(&(gg_allocator){allocate, release, &fault}), GG_OK);
}

static void use_own_allocator(void)
{
    gg_set_allocator(NULL);
}

/* What this thread keeps for ever is allocated before anything is counted. */
static void warm_up(void)
{
    twin t;
    registry_start(&t, &registry[0], &(registry_sizes){2, 70, 1, 65, 33}, 1);
    twin_step(&t);
    twin_free(&t);
    support_release();
}

/* The entry by the library alone: the twin would stop at the first error. */
static gg_status build(const registry_entry *e, gg_model **model)
{
    const gg_status status = gg_model_new(model, 1);
    if (status != GG_OK)
        return status;
    const int64_t dims[] = {GG_BATCH, 5}, images[] = {GG_BATCH, 3, 7, 5};
    const gg_value x = e->image_rank > 0 ? gg_input(*model, "x", 4, images) : gg_input(*model, "x", 2, dims);
    const bool labels = e->second >= SECOND_LABELS;
    const gg_value second = labels ? gg_input_labels(*model, "second", 1, dims) : gg_input(*model, "second", 2, dims);
    const gg_value hidden = gg_affine(*model, x, 5, NULL);
    gg_value y = registry_call(e, *model, hidden, second, 4);
    while (gg_model_shape(*model, y, NULL) > 1)
        y = gg_node_sum(*model, y);
    return gg_model_plan(*model, gg_node_sum(*model, y), 6);
}

/* A model whose lists grow several times. */
static gg_status build_long(const registry_entry *unused, gg_model **model)
{
    (void)unused;
    const gg_status status = gg_model_new(model, 1);
    if (status != GG_OK)
        return status;
    gg_value y = gg_input(*model, "x", 2, (int64_t[]){GG_BATCH, 5});
    for (int i = 0; i < 40; i++)
        y = gg_affine(*model, y, 5, NULL);
    return gg_model_plan(*model, gg_node_sum(*model, gg_node_sum(*model, y)), 6);
}

/* One whose plan takes memory for states, for lists of rows and while orthogonal weights start. */
static gg_status build_sequence(const registry_entry *unused, gg_model **model)
{
    (void)unused;
    const gg_status status = gg_model_new(model, 1);
    if (status != GG_OK)
        return status;
    const gg_value tokens = gg_input_labels(*model, "tokens", 2, (int64_t[]){GG_TIME, GG_BATCH});
    const gg_value words = gg_embedding(*model, tokens, 7, 5, &(gg_embedding_options){.sparse = true});
    gg_value y = gg_lstm(*model, words, 3, &(gg_recurrent_options){.stateful = true}, NULL);
    while (gg_model_shape(*model, y, NULL) > 1)
        y = gg_node_sum(*model, y);
    return gg_model_plan(*model, gg_node_sum(*model, y), 6);
}

/* Runs `builder` with the first, the second, ... allocation failing until it has enough; returns how often it had not.
 */
static int64_t fail_everywhere(gg_status (*builder)(const registry_entry *e, gg_model **model), const registry_entry *e)
{
    gg_status status = GG_ERR_MEMORY;
    int64_t failures = 0;
    for (int64_t n = 0; status != GG_OK; n++) {
        gg_model *const untouched = (gg_model *)(uintptr_t)64;
        gg_model *model = untouched;
        use_failing_allocator();
        fault.until = n;
        status = builder(e, &model);
        ck_assert_msg(status == GG_OK || status == GG_ERR_MEMORY, "%s", gg_error_message());
        ck_assert_msg(n > 0 || model == untouched, "a failing gg_model_new touched its output");
        if (model != untouched)
            gg_model_free(model);
        failures += status != GG_OK;
        ck_assert_msg(fault.live == 0, "allocation %lld failed: %lld were not freed", (long long)n,
                      (long long)fault.live);
    }
    return failures;
}

START_TEST(every_allocation_can_fail)
{
    if (registry[_i].network == NULL) /* model, three lists, spans, three arenas */
        ck_assert_int_ge(fail_everywhere(build, &registry[_i]), 8);
}
END_TEST

START_TEST(every_allocation_of_a_long_model_can_fail)
{
    ck_assert_int_ge(fail_everywhere(build_long, NULL), 15); /* the lists have grown to 64, 64 and 128 */
}
END_TEST

START_TEST(every_allocation_of_a_sequence_model_can_fail)
{
    /* model, four lists, spans, four arenas, rows; three for each gate's orthogonal block */
    ck_assert_int_ge(fail_everywhere(build_sequence, NULL), 11 + 4 * 3);
}
END_TEST

/* A plan that fails for want of memory leaves the plan before in force, to the bit. */
START_TEST(a_failed_plan_leaves_the_one_before)
{
    int64_t count;
    use_failing_allocator();
    twin t;
    registry_start(&t, &registry[_i], &sizes, 2);
    twin_step(&t);
    const float *before = twin_results(&t, &count);
    const gg_value loss = t.values[t.loss].value;
    gg_status status = GG_ERR_MEMORY;
    int64_t failures = 0;
    for (int64_t n = 0; status != GG_OK; n++) {
        fault.until = n;
        status = gg_model_plan(t.model, loss, 400);
        fault.until = -1;
        ck_assert_msg(status == GG_OK || status == GG_ERR_MEMORY, "%s", gg_error_message());
        ck_assert_int_eq(gg_model_set_extent(t.model, GG_BATCH, 7), status == GG_OK ? GG_OK : GG_ERR_SHAPE);
        twin_set_batch(&t, 3); /* finds all places anew */
        twin_set_batch(&t, 6);
        twin_step(&t);
        ck_assert_mem_eq(twin_results(&t, &count), before, (size_t)count * sizeof *before);
        failures += status != GG_OK;
    }
    ck_assert_int_ge(failures, 2); /* spans, workspace */
    fault.until = 1;
    ck_assert_int_eq(gg_model_plan(t.model, GG_NO_VALUE, 6), GG_ERR_MEMORY); /* nor is the loss forgotten */
    fault.until = -1;
    twin_set_batch(&t, 3);
    twin_set_batch(&t, 6);
    twin_step(&t);
    ck_assert_mem_eq(twin_results(&t, &count), before, (size_t)count * sizeof *before);
    twin_free(&t);
    ck_assert_int_eq(fault.live, 0);
}
END_TEST

typedef struct lonely_step {
    const twin *t;
    gg_status status;
} lonely_step;

static void *step_without_memory(void *context)
{
    lonely_step *job = context;
    fault.for_good = true;
    job->status = gg_model_forward(job->t->model, job->t->values[job->t->loss].value, GG_TRAIN);
    if (job->status == GG_OK)
        job->status = gg_model_backward(job->t->model);
    fault.for_good = false;
    return NULL;
}

/* Once planned, a model steps without any memory to be had: even the first time in a thread, whose scratch for products
 * is not there then. */
START_TEST(steps_need_no_memory)
{
    use_failing_allocator();
    twin t;
    registry_start(&t, &registry[_i], &(registry_sizes){2, 70, 1, 65, 33}, 3);
    twin_step(&t);
    lonely_step job = {&t, GG_OK};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, step_without_memory, &job), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(job.status == GG_OK, "%s", gg_error_message());
    twin_check(&t, registry[_i].name);
    twin_free(&t);
    ck_assert_int_eq(fault.live, 0);
}
END_TEST

/* ---- wrong arguments ---- */

static gg_model *net;
static gg_value net_floats, net_labels, net_images;

static void start_model(void)
{
    ck_assert_int_eq(gg_model_new(&net, 1), GG_OK);
    net_floats = gg_input(net, "floats", 2, (int64_t[]){GG_BATCH, 5});
    net_labels = gg_input_labels(net, "labels", 1, (int64_t[]){GG_BATCH});
    net_images = gg_input(net, "images", 4, (int64_t[]){GG_BATCH, 3, 7, 5});
}

/* The layer gave nothing, the model holds the error with the layer's name and that of the argument, and says so. */
static void expect_error(gg_value given, gg_status expected, const char *layer, const char *fragment)
{
    ck_assert_int_lt(given.id, 0);
    support_assert_fails(gg_model_plan(net, GG_NO_VALUE, 4), expected, layer, fragment);
    gg_model_free(net);
    net = NULL;
}

static gg_value right_second(const registry_entry *e)
{
    return e->second >= SECOND_LABELS ? net_labels : net_floats;
}

/* What messages call the layer: "gg_softmax_with_loss", "affine", ... all contain the kind. */
static const char *kind_of(const registry_entry *e)
{
    return e->layer == &reference_activation_layer ? "" : e->no_bias ? "matmul" : e->layer->name;
}

START_TEST(values_that_are_none)
{
    const registry_entry *e = &registry[_i];
    if (e->network != NULL)
        return;
    static const gg_value strangers[] = {{-1}, {-7}, {3}, {1000000}, {INT32_MAX}, {INT32_MIN}};
    for (int i = 0; i < 6; i++) {
        start_model();
        expect_error(registry_call(e, net, strangers[i], right_second(e), 4), GG_ERR_ARGUMENT, kind_of(e),
                     "not a value");
        if (e->second == SECOND_NONE)
            continue;
        start_model();
        expect_error(registry_call(e, net, net_floats, strangers[i], 4), GG_ERR_ARGUMENT, kind_of(e), "not a value");
    }
    ck_assert_int_lt(registry_call(e, NULL, net_floats, net_floats, 4).id, 0);
}
END_TEST

START_TEST(labels_where_floats_belong)
{
    const registry_entry *e = &registry[_i];
    if (e->network != NULL)
        return;
    start_model();
    expect_error(registry_call(e, net, net_labels, right_second(e), 4), GG_ERR_ARGUMENT, kind_of(e), "labels");
    if (e->binary == NULL || e->layer == &reference_softmax_with_loss || e->layer == &reference_cross_entropy_error)
        return;
    start_model();
    expect_error(registry_call(e, net, net_floats, net_labels, 4), GG_ERR_ARGUMENT, kind_of(e), "labels");
}
END_TEST

/* A second input of every wrong shape; a first one whose last dimension is no number, where features are needed. */
START_TEST(shapes_that_do_not_fit)
{
    static const int64_t wrong[][4] = {{GG_BATCH, 4}, {GG_TIME, 5}, {5, 5}, {GG_BATCH, 5, 1}, {5}, {1}, {GG_TIME}};
    static const int ranks[] = {2, 2, 2, 3, 1, 1, 1};
    const registry_entry *e = &registry[_i];
    for (int i = 0; i < 7 && e->second != SECOND_NONE; i++) {
        start_model();
        const gg_value second = e->second >= SECOND_LABELS ? gg_input_labels(net, "second", ranks[i], wrong[i])
                                                           : gg_input(net, "second", ranks[i], wrong[i]);
        expect_error(registry_call(e, net, net_floats, second, 4), GG_ERR_SHAPE, kind_of(e), "[batch, 5]");
    }
    if (e->network != NULL || e->any_last)
        return;
    start_model();
    const gg_value x = gg_input(net, "x", 2, (int64_t[]){5, GG_BATCH});
    expect_error(registry_call(e, net, x, right_second(e), 4), GG_ERR_SHAPE, kind_of(e), "[5, batch]");
}
END_TEST

START_TEST(a_planned_model_takes_no_layer)
{
    const registry_entry *e = &registry[_i];
    if (e->network != NULL)
        return;
    start_model();
    ck_assert_int_eq(gg_model_plan(net, GG_NO_VALUE, 3), GG_OK);
    const gg_value x = e->image_rank > 0 ? net_images : net_floats;
    expect_error(registry_call(e, net, x, right_second(e), 4), GG_ERR_STATE, kind_of(e), "planned already");
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_unchecked_fixture(tests, warm_up, NULL);
    tcase_add_checked_fixture(tests, NULL, use_own_allocator);
    tcase_add_loop_test(tests, every_allocation_can_fail, 0, registry_count);
    tcase_add_test(tests, every_allocation_of_a_long_model_can_fail);
    tcase_add_test(tests, every_allocation_of_a_sequence_model_can_fail);
    tcase_add_loop_test(tests, a_failed_plan_leaves_the_one_before, 0, registry_count);
    tcase_add_loop_test(tests, steps_need_no_memory, 0, registry_count);
    tcase_add_loop_test(tests, values_that_are_none, 0, registry_count);
    tcase_add_loop_test(tests, labels_where_floats_belong, 0, registry_count);
    tcase_add_loop_test(tests, shapes_that_do_not_fit, 0, registry_count);
    tcase_add_loop_test(tests, a_planned_model_takes_no_layer, 0, registry_count);
}
