/* test_plan.c - the memory plan: buffers whose lives do not meet share a place, and nobody ever notices.
 *
 * A few hundred random graphs, each run four times over: with everything kept (each layer is then compared with the
 * reference), with nothing kept, and with some kept. Loss, gradients of parameters and what is kept must be the same
 * bits, so no sharing of places can have changed a number. */
#include <string.h>

#include <gemmgrad/memory.h>

#include "node.h"
#include "support.h"
#include "twin.h"

enum { WIDTH = 6, LARGEST = 9, GRAPHS = 300 };

/* ---- random graphs ---- */

static int pick(uint64_t *state, int below)
{
    return (int)(support_random(state) % (uint64_t)below);
}

/* `sums`: most layers are sums, whose gradients share a place. One more layer on [batch, WIDTH] values v[0 .. count -
 * 1], any of which it may read, the latest most often. */
static int random_layer(twin *t, const int *v, int count, uint64_t *state, bool sums)
{
    static const gg_activation functions[] = {GG_SIGMOID, GG_TANH, GG_RELU, GG_SILU, GG_GELU, GG_IDENTITY};
    const int latest = v[count - 1], a = pick(state, 2) ? latest : v[pick(state, count)], b = v[pick(state, count)];
    const gg_activation f = functions[pick(state, 6)];
    if (sums && pick(state, 5) < 3)
        return twin_pair(t, &reference_add, a, b);
    switch (pick(state, 10)) {
    case 0:
    case 1: return twin_affine(t, a, WIDTH, f, 0.0f);
    case 2: return twin_activate(t, a, f, 0.0f);
    case 3: return twin_pair(t, &reference_add, a, b);
    case 4: return twin_pair(t, &reference_multiply, a, b);
    case 5: return twin_softmax(t, a);
    case 6: return twin_dropout(t, a, 0.25f);
    case 7: return twin_repeat(t, twin_sum(t, a), WIDTH);
    case 8:
        return twin_pair(t, &reference_divide, a, twin_activate(t, twin_activate(t, b, GG_TANH, 0.0f), GG_EXP, 0.0f));
    default: return twin_affine(t, twin_affine(t, a, 3 * WIDTH, f, 0.0f), WIDTH, GG_IDENTITY, 0.0f);
    }
}

static int random_loss(twin *t, int v, int targets, int labels, uint64_t *state)
{
    if (pick(state, 2)) /* targets that are computed */
        targets = twin_softmax(t, twin_affine(t, targets, WIDTH, GG_TANH, 0.0f));
    switch (pick(state, 4)) {
    case 0: return twin_softmax_with_loss(t, v, labels);
    case 1: return twin_softmax_with_loss(t, v, targets);
    case 2: return twin_pair(t, &reference_cross_entropy_error, twin_softmax(t, v), targets);
    default: return twin_pair(t, &reference_mean_squared_error, v, targets);
    }
}

/* The same graph for the same seed, of many sums beyond GRAPHS. One loss, or the sum of two. */
static int random_graph(twin *t, uint64_t seed)
{
    static const int64_t dims[] = {GG_BATCH, WIDTH};
    uint64_t state = seed;
    int v[32];
    twin_new(t, seed);
    v[0] = twin_input(t, "x", 2, dims, TWIN_UNIFORM, -1.0, 1.0);
    v[1] = twin_input(t, "z", 2, dims, TWIN_UNIFORM, -1.0, 1.0);
    const int targets = twin_input(t, "targets", 2, dims, TWIN_UNIFORM, 0.0625, 1.0);
    const int labels = twin_input(t, "labels", 1, dims, TWIN_SOME_IGNORED, 0.0, WIDTH);
    const int layers = 2 + pick(&state, 14);
    for (int i = 2; i < layers + 2; i++)
        v[i] = random_layer(t, v, i, &state, seed > GRAPHS);
    const int loss = random_loss(t, v[layers + 1], targets, labels, &state);
    if (pick(&state, 2))
        return loss;
    return twin_pair(t, &reference_add, random_loss(t, v[pick(&state, layers + 2)], targets, labels, &state), loss);
}

/* ---- the same numbers, whatever shares a place ---- */

typedef enum kept { ALL, NONE, SOME, SOME_DATA, KEPT_COUNT } kept;

static void keep(twin *t, kept which, uint64_t *state)
{
    if (which == ALL)
        twin_keep_all(t);
    for (int v = 0; v < t->count && which >= SOME; v++)
        if (!twin_is_labels(t, v) && pick(state, 3) == 0)
            ck_assert_int_eq(gg_model_keep(t->model, t->values[v].value, which == SOME), GG_OK);
}

/* What can be read from a model that keeps less must be what the one that keeps all has. */
static void compare(const twin *less, const twin *all, uint64_t seed)
{
    const int64_t floats = gg_model_parameter_floats(all->model);
    ck_assert_msg(gg_model_loss(less->model) == gg_model_loss(all->model), "loss of graph %llu",
                  (unsigned long long)seed);
    if (floats > 0)
        ck_assert_msg(
            memcmp(gg_model_gradients(less->model), gg_model_gradients(all->model), (size_t)floats * sizeof(float))
                == 0,
            "gradients of graph %llu", (unsigned long long)seed);
    for (int v = 0; v < all->count; v++) {
        const size_t bytes = (size_t)twin_size(all, v) * sizeof(float);
        const float *data = gg_model_data(less->model, less->values[v].value);
        const float *gradient = gg_model_gradient(less->model, less->values[v].value);
        if (all->values[v].layer != NULL && all->values[v].leads && data != NULL)
            ck_assert_msg(memcmp(data, gg_model_data(all->model, all->values[v].value), bytes) == 0,
                          "value %d of graph %llu", v, (unsigned long long)seed);
        if (gradient != NULL)
            ck_assert_msg(memcmp(gradient, gg_model_gradient(all->model, all->values[v].value), bytes) == 0,
                          "gradient of value %d of graph %llu", v, (unsigned long long)seed);
    }
}

static void check_graph(uint64_t seed)
{
    twin twins[KEPT_COUNT];
    uint64_t state = ~seed;
    for (int which = ALL; which < KEPT_COUNT; which++) {
        twin *t = &twins[which];
        const int loss = random_graph(t, seed);
        keep(t, (kept)which, &state);
        twin_plan(t, loss, LARGEST, 1);
        twin_fill(t, seed);
        gg_model_set_step(t->model, (int64_t)seed);
    }
    for (int64_t batch = LARGEST; batch > 0; batch -= 5)
        for (int which = ALL; which < KEPT_COUNT; which++) {
            twin_set_batch(&twins[which], batch);
            twin_step(&twins[which]);
            if (which != ALL)
                compare(&twins[which], &twins[ALL], seed);
            else if (seed <= GRAPHS) /* sums of sums grow until some gradients sink to subnormal numbers */
                twin_check(&twins[which], "random graph");
        }
    for (int which = ALL; which < KEPT_COUNT; which++)
        twin_free(&twins[which]);
    support_release();
}

START_TEST(random_graphs)
{
    for (uint64_t seed = 1; seed <= GRAPHS; seed++)
        check_graph(seed);
}
END_TEST

START_TEST(random_sums)
{
    for (uint64_t seed = GRAPHS + 1; seed <= 3 * GRAPHS; seed++)
        check_graph(seed);
}
END_TEST

/* ---- what backward does without ---- */

/* x + f(g(x)), x + f(g(x)), ...: all gradients of the stream, and of what is added to it, are one memory. */
START_TEST(residuals_share_their_gradient)
{
    enum { BLOCKS = 4 };
    gg_model *model;
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    gg_value stream[BLOCKS + 1], change[BLOCKS];
    stream[0] = gg_affine(model, gg_input(model, "x", 2, (int64_t[]){GG_BATCH, WIDTH}), WIDTH, NULL);
    for (int i = 0; i < BLOCKS; i++) {
        change[i] = gg_affine(model, gg_tanh(model, stream[i]), WIDTH, NULL);
        stream[i + 1] = gg_node_add(model, stream[i], change[i]);
    }
    const gg_value t = gg_input_labels(model, "t", 1, (int64_t[]){GG_BATCH});
    const gg_value loss = gg_softmax_with_loss(model, stream[BLOCKS], t);
    ck_assert_int_eq(gg_model_plan(model, loss, LARGEST), GG_OK);
    const float *memory = model->values[stream[BLOCKS].id].gradient;
    ck_assert_ptr_nonnull(memory);
    for (int i = 0; i < BLOCKS; i++) {
        ck_assert_ptr_eq(model->values[stream[i].id].gradient, memory);
        ck_assert_ptr_eq(model->values[change[i].id].gradient, memory);
    }
    gg_model_free(model);
}
END_TEST

/* A convolution with an activation and a pooling of its output, whose windows overlap. */
static gg_model *pooled(gg_activation f, bool keeps, gg_value *x, gg_value *loss)
{
    gg_model *model;
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    *x = gg_input(model, "x", 4, (int64_t[]){GG_BATCH, 2, 9, 7});
    const gg_conv2d_options o = {.kernel_height = 3, .kernel_width = 3, .activation = f, .alpha = 0.1f};
    const gg_value y = gg_conv2d(model, *x, 3, &o);
    const gg_pool_window window = {.kernel_height = 2, .kernel_width = 2, .stride_height = 1, .stride_width = 2};
    const gg_value p = gg_max_pool(model, y, &window);
    *loss = gg_mean_squared_error(model, p, gg_tanh(model, p));
    if (keeps)
        ck_assert_int_eq(gg_model_keep(model, y, true), GG_OK);
    ck_assert_int_eq(gg_model_plan(model, *loss, LARGEST), GG_OK);
    return model;
}

/* The pooling undoes the activation of the convolution before it, unless that one's gradient is to be kept. */
START_TEST(pooling_undoes_the_activation)
{
    static const gg_activation functions[] = {GG_RELU, GG_SIGMOID, GG_TANH, GG_LEAKY_RELU, GG_GELU};
    float data[LARGEST * 2 * 9 * 7];
    uint64_t state = 1;
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        data[i] = (float)pick(&state, 2001) / 1000.0f - 1.0f;
    for (int f = 0; f < 5; f++) {
        gg_model *models[2];
        for (int keeps = 0; keeps < 2; keeps++) {
            gg_value x, loss;
            models[keeps] = pooled(functions[f], keeps == 1, &x, &loss);
            ck_assert_int_eq(models[keeps]->nodes[0].pass.undone,
                             keeps == 0 && !gg_activation_needs_input(functions[f]));
            const gg_node *nodes = models[keeps]->nodes; /* what is undone behind is read there alone */
            ck_assert_int_eq(gg_output_is_needed(&nodes[0]),
                             nodes[0].undone_by < 0 && !gg_activation_needs_input(functions[f]));
            ck_assert_int_eq(gg_output_is_needed(&nodes[1]), nodes[0].undone_by >= 0);
            ck_assert_int_eq(gg_model_bind(models[keeps], x, data), GG_OK);
            ck_assert_int_eq(gg_model_forward(models[keeps], loss, GG_TRAIN), GG_OK);
            ck_assert_int_eq(gg_model_backward(models[keeps]), GG_OK);
        }
        for (int64_t i = 0; i < gg_model_parameter_floats(models[0]); i++) {
            const float a = gg_model_gradients(models[0])[i], b = gg_model_gradients(models[1])[i];
            ck_assert_msg(a - b < 1e-6f && b - a < 1e-6f, "%s: gradient %d is %g, expected %g",
                          gg_activation_name(functions[f]), (int)i, (double)a, (double)b);
        }
        gg_model_free(models[0]);
        gg_model_free(models[1]);
    }
}
END_TEST

/* ---- how much is shared ---- */

/* Floats of all values, gradients and buffers, each in a place of its own. */
static int64_t without_sharing(const gg_model *model)
{
    int64_t floats = 0, size;
    for (int32_t v = 0; v < model->value_count; v++)
        floats += (model->values[v].offset >= 0) * model->values[v].size
                  + (model->values[v].gradient_offset >= 0) * model->values[v].size;
    for (int32_t i = 0; i < model->node_count; i++)
        for (int b = 0; b < model->nodes[i].buffer_count; b++) {
            ck_assert_int_eq(gg_shape_floats(&size, &model->nodes[i].buffers[b].shape, model->extent), GG_OK);
            floats += size;
        }
    return floats;
}

static gg_model *perceptron(int layers, gg_value *loss)
{
    gg_model *model;
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    gg_value v = gg_input(model, "x", 2, (int64_t[]){GG_BATCH, 32});
    for (int i = 0; i < layers; i++)
        v = gg_affine(model, v, 32, &(gg_affine_options){.activation = GG_GELU});
    *loss = gg_softmax_with_loss(model, v, gg_input_labels(model, "t", 1, (int64_t[]){GG_BATCH}));
    return model;
}

/* Ten layers with GELU: each has its output, the gradient of it, what GELU' reads and dZ. Outputs and what GELU' reads
 * must live through the forward pass, 20 of these 40; the others need the places of three. */
START_TEST(training_shares_memory)
{
    gg_value loss;
    gg_model *model = perceptron(10, &loss);
    ck_assert_int_eq(gg_model_plan(model, loss, 64), GG_OK);
    const int64_t one = 64 * 32, floats = gg_model_workspace_bytes(model) / 4;
    ck_assert_int_ge(without_sharing(model), 40 * one);
    ck_assert_int_le(floats, 23 * one + 1024);
    gg_model_free(model);
}
END_TEST

/* A model that only runs forward needs an input and an output at a time, and what GELU would keep. */
START_TEST(inference_shares_more)
{
    gg_value loss;
    gg_model *model = perceptron(10, &loss);
    ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 64), GG_OK);
    ck_assert_int_le(gg_model_workspace_bytes(model) / 4, 3 * 64 * 32 + 1024);
    gg_model_free(model);
}
END_TEST

/* The same model has the same plan, wherever its parts lie in memory. */
START_TEST(plans_are_reproducible)
{
    gg_model *models[2];
    gg_value loss;
    void *between;
    models[0] = perceptron(6, &loss);
    ck_assert_int_eq(gg_alloc(&between, 12345), GG_OK);
    models[1] = perceptron(6, &loss);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(gg_model_plan(models[i], loss, 5), GG_OK);
    for (int32_t v = 0; v < models[0]->value_count; v++) {
        ck_assert_int_eq(models[0]->values[v].offset, models[1]->values[v].offset);
        ck_assert_int_eq(models[0]->values[v].gradient_offset, models[1]->values[v].gradient_offset);
    }
    for (int i = 0; i < 2; i++)
        gg_model_free(models[i]);
    gg_free(between);
}
END_TEST

/* A thousand layers are planned in the time of a blink, not of a meal: 5 s leave room for slow machines. */
START_TEST(long_networks)
{
    gg_value loss;
    gg_model *model = perceptron(500, &loss);
    ck_assert_int_eq(gg_model_plan(model, loss, 4), GG_OK);
    gg_model_free(model);
}
END_TEST

/* ---- sizes beyond any memory ---- */

/* The message names the layer, or the input that no layer computes, its shape, and what was planned for. */
START_TEST(overflow_names_its_place)
{
    static const int64_t huge = (int64_t)1 << 40;
    static const struct {
        int64_t dims[2];
        const char *owner, *shape;
    } ways[] = {{{GG_BATCH, 1}, "\"wide\"", "shape [batch, 1, 1099511627776]"},
                {{GG_BATCH, (int64_t)1 << 40}, "\"x\"", "shape [batch, 1099511627776]"}};
    for (int i = 0; i < 2; i++) {
        gg_model *model = NULL;
        ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
        const gg_value x = gg_input(model, "x", 2, ways[i].dims);
        if (i == 0) {
            gg_model_name_next(model, "wide");
            gg_node_repeat(model, x, huge);
        } else {
            gg_node_sum(model, x);
        }
        for (int again = 0; again < 2; again++) {
            support_assert_fails(gg_model_plan(model, GG_NO_VALUE, huge), GG_ERR_OVERFLOW,
                                 "gg_model_plan: ", ways[i].owner);
            ck_assert_ptr_nonnull(strstr(gg_error_message(), ways[i].shape));
            ck_assert_ptr_nonnull(strstr(gg_error_message(), "a batch of 1099511627776"));
        }
        gg_model_free(model);
    }
}
END_TEST

/* ---- tied weights ---- */

/* Layers that share a parameter: its gradient is the sum of what each sends, the first one in backward overwriting. No
 * public function ties yet; the guests of ARCHITECTURE.md will, and the plan is ready for them. */
START_TEST(tied_weights)
{
    static const int64_t dims[] = {GG_BATCH, WIDTH};
    twin t;
    twin_new(&t, 3);
    int v = twin_input(&t, "x", 2, dims, TWIN_UNIFORM, -1.0, 1.0);
    for (int i = 0; i < 4; i++)
        v = twin_affine(&t, v, WIDTH, GG_TANH, 0.0f);
    for (int i = 1; i < 4; i += 2)
        for (int p = 0; p < 2; p++)
            t.model->nodes[i].parameters[p] = t.model->nodes[0].parameters[p];
    for (int i = 2; i < t.count; i += 2) {
        t.values[i].w = t.values[1].w;
        t.values[i].b = t.values[1].b;
    }
    const int loss = twin_to_scalar(&t, v);
    twin_keep_all(&t);
    twin_plan(&t, loss, LARGEST, 1);
    twin_fill(&t, 4);
    for (int i = 0; i < 3; i++) {
        twin_step(&t);
        twin_check(&t, "tied weights");
    }
    twin_free(&t);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, random_graphs);
    tcase_add_test(tests, random_sums);
    tcase_add_test(tests, residuals_share_their_gradient);
    tcase_add_test(tests, pooling_undoes_the_activation);
    tcase_add_test(tests, training_shares_memory);
    tcase_add_test(tests, inference_shares_more);
    tcase_add_test(tests, plans_are_reproducible);
    tcase_add_test(tests, long_networks);
    tcase_add_test(tests, overflow_names_its_place);
    tcase_add_test(tests, tied_weights);
}
