/* test_state.c - what outlives a step: states of layers, through training, inference, diagnosis and new plans; and
 * values that share the memory of others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/layer.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/norm.h>

#include "node.h"
#include "support.h"

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static gg_parameter state_of(const gg_model *model, int i)
{
    gg_parameter state;
    must(gg_model_state(model, i, &state));
    return state;
}

/* ---- a layer with a state for each sample, as recurrent ones have: y = x + state, which becomes y ---- */

static gg_status carry_forward(const gg_pass *pass)
{
    for (int64_t i = 0; i < pass->size; i++) {
        pass->y[0][i] = pass->x[0][i] + pass->state[0][i];
        if (pass->updates_state)
            pass->state[0][i] = pass->y[0][i];
    }
    return GG_OK;
}

static gg_status carry_backward(const gg_pass *pass)
{
    memcpy(pass->dx[0], pass->dy[0], (size_t)pass->size * sizeof(float));
    return GG_OK;
}

static const gg_layer_class carry_class = {.kind = "carry", .forward = carry_forward, .backward = carry_backward};

static gg_value carry(gg_model *model, gg_value x)
{
    const gg_shape shape = *gg_value_shape(model, x, "carry", "x", false);
    gg_node *node = gg_node_begin(model, &carry_class, NULL, 0);
    ck_assert_ptr_nonnull(node);
    gg_node_input(model, node, x, false);
    gg_node_state(model, node, "h", &shape, 0.25f);
    gg_node_sequence_state(model);
    return gg_node_output(model, node, &shape);
}

/* ---- a network with both kinds ---- */

enum { BATCH = 6, CHANNELS = 3 };

typedef struct network {
    gg_model *model;
    gg_value x, y, loss;
    float *data;
} network;

static network make(void)
{
    network n;
    must(gg_model_new(&n.model, 3));
    n.x = gg_input(n.model, "x", 2, (int64_t[]){GG_BATCH, CHANNELS});
    gg_model_name_next(n.model, "norm");
    n.y = carry(n.model, gg_batch_normalization(n.model, n.x, NULL));
    n.loss = gg_mean_squared_error(n.model, n.y, n.x);
    must(gg_model_plan(n.model, n.loss, BATCH));
    n.data = support_uniform((int64_t)4 * BATCH * CHANNELS, 1.0, 3.0, 1);
    must(gg_model_bind(n.model, n.x, n.data));
    return n;
}

START_TEST(states_are_listed)
{
    static const char *const names[] = {"norm.running_mean", "norm.running_variance", "carry1.h"};
    static const float initial[] = {0.0f, 1.0f, 0.25f};
    const network n = make();
    const float *states = gg_model_states(n.model);
    int64_t offset = 0;
    ck_assert_int_eq(gg_model_state_count(n.model), 3);
    for (int i = 0; i < 3; i++) {
        const gg_parameter s = state_of(n.model, i);
        ck_assert_str_eq(s.name, names[i]);
        ck_assert_int_eq(s.offset, offset);
        ck_assert(i < 2 ? s.rank == 1 && s.dims[0] == CHANNELS : s.rank == 2 && s.dims[0] == BATCH);
        for (int64_t j = 0; j < s.size; j++)
            ck_assert(states[s.offset + j] == initial[i]);
        offset += (s.size + 15) / 16 * 16;
    }
    ck_assert_int_eq(gg_model_state_floats(n.model), offset);
    ck_assert_int_eq(gg_model_parameter_count(n.model), 2);
    gg_model_free(n.model);
}
END_TEST

START_TEST(wrong_questions)
{
    gg_parameter s;
    const network n = make();
    support_assert_fails(gg_model_state(NULL, 0, &s), GG_ERR_ARGUMENT, "gg_model_state", "model is NULL");
    support_assert_fails(gg_model_state(n.model, 0, NULL), GG_ERR_ARGUMENT, "gg_model_state", "out is NULL");
    support_assert_fails(gg_model_state(n.model, 3, &s), GG_ERR_ARGUMENT, "gg_model_state", "state 3 of 3");
    support_assert_fails(gg_model_state(n.model, -1, &s), GG_ERR_ARGUMENT, "gg_model_state", "state -1 of 3");
    gg_model_free(n.model);
    gg_model *empty;
    must(gg_model_new(&empty, 1));
    gg_batch_normalization(empty, gg_input(empty, "x", 2, (int64_t[]){GG_BATCH, 2}), NULL);
    support_assert_fails(gg_model_state(empty, 0, &s), GG_ERR_STATE, "gg_model_state", "not planned");
    ck_assert(gg_model_states(empty) == NULL && gg_model_states(NULL) == NULL && gg_model_state_floats(empty) == 0);
    ck_assert(gg_model_state_count(NULL) == 0 && gg_model_state_floats(NULL) == 0);
    gg_model_free(empty);
}
END_TEST

/* Training moves them on; inference and the search for NaN read them only; both give what the backend says. */
START_TEST(training_moves_states)
{
    const network n = make();
    const int64_t floats = gg_model_state_floats(n.model);
    float *states = gg_model_states(n.model), y[BATCH * CHANNELS], mean[CHANNELS], inverse[CHANNELS];
    float running_mean[CHANNELS] = {0}, running_variance[CHANNELS] = {1, 1, 1};
    must(gg_batchnorm_forward(y, mean, inverse, running_mean, running_variance, n.data, NULL, NULL, BATCH, CHANNELS, 1,
                              NULL));
    must(gg_model_forward(n.model, n.loss, GG_TRAIN));
    ck_assert_mem_eq(states + state_of(n.model, 0).offset, running_mean, sizeof running_mean);
    ck_assert_mem_eq(states + state_of(n.model, 1).offset, running_variance, sizeof running_variance);
    for (int i = 0; i < BATCH * CHANNELS; i++)
        ck_assert(states[state_of(n.model, 2).offset + i] == y[i] + 0.25f);

    const float *before = support_copy(states, floats);
    must(gg_model_backward(n.model));
    must(gg_model_forward(n.model, n.y, GG_INFER));
    ck_assert_ptr_null(gg_model_find_nonfinite(n.model, n.loss));
    ck_assert_mem_eq(states, before, (size_t)floats * sizeof *states);
    must(gg_batchnorm_infer(y, n.data, NULL, NULL, running_mean, running_variance, BATCH, CHANNELS, 1, NULL));
    must(gg_model_forward(n.model, n.y, GG_INFER));
    for (int i = 0; i < BATCH * CHANNELS; i++)
        ck_assert(gg_model_data(n.model, n.y)[i] == y[i] + before[state_of(n.model, 2).offset + i]);
    gg_model_free(n.model);
}
END_TEST

/* GG_CONTINUE moves the state of a sequence on and nothing else: running statistics are read as in GG_INFER. */
START_TEST(continuing_moves_sequences)
{
    const network n = make();
    float *states = gg_model_states(n.model), *h = states + state_of(n.model, 2).offset;
    must(gg_model_forward(n.model, n.loss, GG_TRAIN));
    const float *before = support_copy(states, gg_model_state_floats(n.model));
    const float *carried = before + state_of(n.model, 2).offset;
    must(gg_model_forward(n.model, n.y, GG_INFER));
    const float *y = support_copy(gg_model_data(n.model, n.y), BATCH * CHANNELS);
    must(gg_model_forward(n.model, n.y, GG_CONTINUE));
    ck_assert_mem_eq(gg_model_data(n.model, n.y), y, BATCH * CHANNELS * sizeof *y);
    ck_assert_mem_eq(states, before, (size_t)state_of(n.model, 2).offset * sizeof *states);
    ck_assert_mem_eq(h, y, BATCH * CHANNELS * sizeof *h);
    must(gg_model_forward(n.model, n.y, GG_CONTINUE));
    for (int i = 0; i < BATCH * CHANNELS; i++)
        ck_assert_float_eq_tol(h[i], 2 * y[i] - carried[i], 1e-5f); /* x + state twice */
    support_assert_fails(gg_model_backward(n.model), GG_ERR_STATE, "gg_model_backward", "GG_TRAIN");

    must(gg_model_reset_states(n.model));
    ck_assert_mem_eq(states, before, (size_t)state_of(n.model, 2).offset * sizeof *states);
    for (int i = 0; i < BATCH * CHANNELS; i++)
        ck_assert(h[i] == 0.25f);
    gg_model_free(n.model);
    support_assert_fails(gg_model_reset_states(NULL), GG_ERR_ARGUMENT, "gg_model_reset_states", "model is NULL");
    gg_model *empty;
    must(gg_model_new(&empty, 1));
    support_assert_fails(gg_model_reset_states(empty), GG_ERR_STATE, "gg_model_reset_states", "not planned");
    gg_model_free(empty);
}
END_TEST

/* A new plan keeps the states; one that has another size there begins anew. */
START_TEST(plans_keep_states)
{
    const network n = make();
    must(gg_model_forward(n.model, n.loss, GG_TRAIN));
    const int64_t floats = gg_model_state_floats(n.model);
    const float *before = support_copy(gg_model_states(n.model), floats);
    must(gg_model_plan(n.model, GG_NO_VALUE, BATCH));
    ck_assert_mem_eq(gg_model_states(n.model), before, (size_t)floats * sizeof *before);
    must(gg_model_plan(n.model, n.loss, 4 * BATCH));
    const float *states = gg_model_states(n.model);
    const gg_parameter h = state_of(n.model, 2);
    ck_assert_mem_eq(states, before, (size_t)h.offset * sizeof *before);
    ck_assert_int_eq(h.size, 4 * BATCH * CHANNELS);
    for (int64_t i = 0; i < h.size; i++)
        ck_assert(states[h.offset + i] == 0.25f);
    must(gg_model_forward(n.model, n.loss, GG_TRAIN));
    must(gg_model_plan(n.model, n.loss, 0));
    ck_assert_int_eq(state_of(n.model, 2).size, 0);
    must(gg_model_plan(n.model, n.loss, BATCH));
    ck_assert(gg_model_states(n.model)[h.offset] == 0.25f);
    gg_model_free(n.model);
}
END_TEST

static int64_t allocations_left;

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    return allocations_left-- > 0
               ? aligned_alloc(GG_ALIGNMENT, (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT)
               : NULL;
}

static void release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

static void use_own_allocator(void)
{
    gg_set_allocator(NULL);
}

START_TEST(failed_plans_keep_states)
{
    gg_status status = GG_ERR_MEMORY;
    int failures = 0;
    allocations_left = INT64_MAX;
    must(gg_set_allocator(&(gg_allocator){allocate, release, NULL}));
    const network n = make();
    must(gg_model_forward(n.model, n.loss, GG_TRAIN));
    const int64_t floats = gg_model_state_floats(n.model);
    const float *before = support_copy(gg_model_states(n.model), floats);
    for (int64_t enough = 0; status != GG_OK; enough++) {
        allocations_left = enough;
        status = gg_model_plan(n.model, n.loss, 4 * BATCH);
        allocations_left = INT64_MAX;
        if (status == GG_OK)
            break;
        failures++;
        ck_assert_int_eq(gg_model_state_floats(n.model), floats);
        ck_assert_int_eq(state_of(n.model, 2).size, BATCH * CHANNELS);
        ck_assert_mem_eq(gg_model_states(n.model), before, (size_t)floats * sizeof *before);
    }
    ck_assert_int_eq(failures, 3); /* spans, workspace, states */
    gg_model_free(n.model);
}
END_TEST

START_TEST(states_that_no_memory_holds)
{
    gg_model *model;
    must(gg_model_new(&model, 1));
    gg_value x = gg_input(model, "x", 2, (int64_t[]){GG_BATCH, 5});
    carry(model, x);
    support_assert_fails(gg_model_plan(model, GG_NO_VALUE, INT64_MAX / 8), GG_ERR_OVERFLOW, "gg_model_plan",
                         "carry1.h");
    gg_model_free(model);
}
END_TEST

/* ---- values in the memory of others ---- */

static gg_status copy_forward(const gg_pass *pass)
{
    memcpy(pass->y[0], pass->x[0], (size_t)pass->size * sizeof(float));
    return GG_OK;
}

static const gg_layer_class copy_class = {.kind = "copy", .forward = copy_forward, .backward = carry_backward};

/* What gg_flatten does, with a copy. */
static gg_value flatten_by_copy(gg_model *model, gg_value x)
{
    gg_node *node = gg_node_begin(model, &copy_class, NULL, 0);
    gg_node_input(model, node, x, false);
    return gg_node_output(model, node, &(gg_shape){2, {GG_BATCH, 24}});
}

/* An image that is read as such and flattened, twice; returns the gradients of all parameters. */
static float *gradients(gg_value (*flatten)(gg_model *model, gg_value x), float *loss)
{
    gg_model *model;
    must(gg_model_new(&model, 5));
    const gg_value x = gg_input(model, "x", 4, (int64_t[]){GG_BATCH, 2, 3, 4});
    const gg_value h = gg_batch_normalization(model, x, &(gg_batchnorm_options){.relu = true});
    const gg_value flat = flatten(model, h);
    const gg_value a = gg_affine(model, flat, 2, NULL), b = gg_affine(model, gg_tanh(model, flat), 2, NULL);
    const gg_value pooled = gg_global_average_pool(model, h), late = gg_affine(model, flatten(model, h), 2, NULL);
    const gg_value sum = gg_node_multiply(model, gg_node_add(model, a, b), gg_node_add(model, pooled, late));
    const gg_value target = gg_mean_squared_error(model, sum, gg_input(model, "t", 2, (int64_t[]){GG_BATCH, 2}));
    must(gg_model_plan(model, target, 7));
    const float *data = support_uniform(7 * 24, -1, 1, 2);
    must(gg_model_bind(model, x, data));
    must(gg_model_bind(model, (gg_value){target.id - 1}, support_uniform(14, -1, 1, 3)));
    must(gg_model_forward(model, target, GG_TRAIN));
    *loss = (float)gg_model_loss(model);
    must(gg_model_backward(model));
    float *result = support_copy(gg_model_gradients(model), gg_model_parameter_floats(model));
    *loss += 0.0f * result[0];
    gg_model_free(model);
    return result;
}

START_TEST(flatten_is_a_copy_without_copying)
{
    float loss[2];
    const float *shared = gradients(gg_flatten, &loss[0]), *copied = gradients(flatten_by_copy, &loss[1]);
    double expected[16 + 16 + 3 * (48 + 16)];
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        expected[i] = (double)copied[i];
    ck_assert(loss[0] == loss[1]);
    double scale[sizeof expected / sizeof *expected];
    for (size_t i = 0; i < sizeof scale / sizeof *scale; i++)
        scale[i] = 1.0;
    support_assert_close(shared, expected, scale, (int64_t)(sizeof scale / sizeof *scale), 4.0, "gradients");
}
END_TEST

/* No node, no memory; data and gradient are those of the value itself; an input's view follows its binding. */
START_TEST(views_share_memory)
{
    gg_model *model;
    int64_t dims[GG_MAX_RANK];
    must(gg_model_new(&model, 5));
    const gg_value x = gg_input(model, "x", 3, (int64_t[]){GG_BATCH, 2, 3}), flat = gg_flatten(model, x);
    const gg_value h = gg_relu(model, gg_flatten(model, flat)), again = gg_flatten(model, h);
    ck_assert_int_eq(gg_model_shape(model, flat, dims), 2);
    ck_assert(dims[0] == GG_BATCH && dims[1] == 6);
    must(gg_model_keep(model, again, true));
    must(gg_model_plan(model, gg_mean_squared_error(model, again, flat), 4));
    ck_assert_int_eq(model->node_count, 2);
    for (int i = 0; i < 2; i++) {
        const float *data = support_uniform(24, -1, 1, (uint64_t)i + 1);
        must(gg_model_bind(model, x, data));
        ck_assert_ptr_eq(gg_model_data(model, flat), data);
        must(gg_model_forward(model, again, GG_INFER));
        for (int j = 0; j < 24; j++)
            ck_assert(gg_model_data(model, again)[j] == (data[j] > 0.0f ? data[j] : 0.0f));
        ck_assert_ptr_eq(gg_model_data(model, h), gg_model_data(model, again));
    }
    ck_assert_int_eq(gg_model_size(model, flat), 24);
    ck_assert_ptr_eq(gg_model_gradient(model, h), gg_model_gradient(model, again));
    support_assert_fails(gg_model_forward(model, flat, GG_INFER), GG_ERR_ARGUMENT, "gg_model_forward", "input \"x\"");
    support_assert_fails(gg_model_bind(model, flat, NULL), GG_ERR_ARGUMENT, "gg_model_bind", "not an input");
    gg_model_free(model);
}
END_TEST

/* A name is for the layer that follows, not for the one after it. */
START_TEST(flatten_takes_no_name)
{
    gg_model *model;
    gg_parameter p;
    must(gg_model_new(&model, 5));
    const gg_value x = gg_input(model, "x", 3, (int64_t[]){GG_BATCH, 2, 3});
    gg_model_name_next(model, "flat");
    gg_affine(model, gg_flatten(model, x), 2, NULL);
    must(gg_model_plan(model, GG_NO_VALUE, 4));
    must(gg_model_parameter(model, 0, &p));
    ck_assert_str_eq(p.name, "affine1.W");
    gg_model_free(model);
}
END_TEST

/* ---- wrong shapes of the layers over images ---- */

static void expect_shape_error(int rank, const int64_t *dims, gg_value (*layer)(gg_model *model, gg_value x),
                               const char *name, const char *text)
{
    gg_model *model;
    must(gg_model_new(&model, 1));
    ck_assert_int_lt(layer(model, gg_input(model, "x", rank, dims)).id, 0);
    support_assert_fails(gg_model_plan(model, GG_NO_VALUE, 4), GG_ERR_SHAPE, name, text);
    gg_model_free(model);
}

static gg_value pool_by_9(gg_model *model, gg_value x)
{
    return gg_max_pool(model, x, &(gg_pool_window){.kernel_height = 9, .kernel_width = 2});
}

static gg_value normalize(gg_model *model, gg_value x)
{
    return gg_batch_normalization(model, x, NULL);
}

START_TEST(images_that_do_not_fit)
{
    expect_shape_error(4, (int64_t[]){GG_BATCH, 3, 8, 5}, pool_by_9, "gg_max_pool",
                       "x is [batch, 3, 8, 5]: gg_pool_output: a kernel 9 x 2 does not fit an image 8 x 5");
    expect_shape_error(2, (int64_t[]){GG_BATCH, 3}, pool_by_9, "gg_max_pool", "[batch, 3]");
    expect_shape_error(3, (int64_t[]){GG_BATCH, GG_TIME, 3}, normalize, "gg_batch_normalization", "[batch, time, 3]");
    expect_shape_error(1, (int64_t[]){GG_BATCH}, gg_global_average_pool, "gg_global_average_pool", "[batch]");
    expect_shape_error(1, (int64_t[]){GG_BATCH}, gg_flatten, "gg_flatten", "[batch]");
    expect_shape_error(3, (int64_t[]){GG_BATCH, 2, GG_TIME}, gg_flatten, "gg_flatten", "[batch, 2, time]");
    expect_shape_error(4, (int64_t[]){GG_BATCH, 2, 65536, 65536}, gg_global_max_pool, "gg_global_max_pool", "65536");
}
END_TEST

START_TEST(options_out_of_range)
{
    static const gg_batchnorm_options wrong[] = {{-1.0f, 0.0f, false}, {2.0f, 0.0f, false}, {0.0f, 1.5f, false}};
    for (int i = 0; i < 5; i++) {
        gg_model *model;
        must(gg_model_new(&model, 1));
        const gg_value x = gg_input(model, "x", 4, (int64_t[]){GG_BATCH, 3, 8, 5});
        const gg_value y = i < 3    ? gg_batch_normalization(model, x, &wrong[i])
                           : i == 3 ? gg_spatial_dropout(model, x, 1.0f)
                                    : gg_average_pool(model, x, NULL);
        ck_assert_int_lt(y.id, 0);
        support_assert_fails(gg_model_plan(model, GG_NO_VALUE, 4), GG_ERR_ARGUMENT, "gg_",
                             i < 3    ? "epsilon is"
                             : i == 3 ? "ratio is 1"
                                      : "window is NULL");
        gg_model_free(model);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, use_own_allocator);
    tcase_add_test(tests, states_are_listed);
    tcase_add_test(tests, wrong_questions);
    tcase_add_test(tests, training_moves_states);
    tcase_add_test(tests, continuing_moves_sequences);
    tcase_add_test(tests, plans_keep_states);
    tcase_add_test(tests, failed_plans_keep_states);
    tcase_add_test(tests, states_that_no_memory_holds);
    tcase_add_test(tests, flatten_is_a_copy_without_copying);
    tcase_add_test(tests, views_share_memory);
    tcase_add_test(tests, flatten_takes_no_name);
    tcase_add_test(tests, images_that_do_not_fit);
    tcase_add_test(tests, options_out_of_range);
}
