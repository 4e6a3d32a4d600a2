/* test_transformer.c - what the registry cannot see of gemmgrad/transformer.h: the loss of projected scores beside the
 * layers it stands for, its memory, positions that go on from run to run, names, wrong arguments while building. */
#include <float.h>
#include <math.h>
#include <string.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/sequence.h>
#include <gemmgrad/softmax.h>
#include <gemmgrad/transformer.h>

#include "support.h"

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

/* ---- the loss of projected scores ---- */

enum { ROWS = 37, FEATURES = 12, VOCABULARY = 53 };

typedef struct scored {
    gg_model *model;
    gg_value h, t, loss;
} scored;

/* h through an affine layer, then the loss: fused, or from the layers it is made of (chunk_rows < 0). */
static scored build(int64_t chunk_rows, int64_t vocabulary)
{
    scored s;
    must(gg_model_new(&s.model, 1));
    s.h = gg_input(s.model, "h", 2, (int64_t[]){GG_BATCH, FEATURES});
    s.t = gg_input_labels(s.model, "t", 1, (int64_t[]){GG_BATCH});
    const gg_value x = gg_affine(s.model, s.h, FEATURES, &(gg_affine_options){.activation = GG_TANH});
    const gg_projected_loss_options o = {.chunk_rows = chunk_rows, .init = GG_INIT_NORMAL, .init_scale = 0.5f};
    const gg_affine_options same = {.init = GG_INIT_NORMAL, .init_scale = 0.5f};
    s.loss = chunk_rows >= 0 ? gg_projected_softmax_with_loss(s.model, x, vocabulary, s.t, &o)
                             : gg_softmax_with_loss(s.model, gg_matmul(s.model, x, vocabulary, &same), s.t);
    return s;
}

static void bind(const scored *s, const float *h, const int32_t *t)
{
    must(gg_model_bind(s->model, s->h, h));
    must(gg_model_bind_labels(s->model, s->t, t));
}

static int32_t *some_labels(int64_t rows)
{
    int32_t *t = support_labels(rows);
    for (int64_t i = 0; i < rows; i++)
        t[i] = i % 5 == 2 ? GG_IGNORE_LABEL : (int32_t)(i * 7 % VOCABULARY);
    return t;
}

START_TEST(chunks_equal_the_whole)
{
    static const int64_t chunks[] = {0, 1, 5, 36, 37, 1000};
    const float *h = support_uniform(ROWS * FEATURES, -2.0, 2.0, 1);
    const int32_t *t = some_labels(ROWS);
    scored whole = build(-1, VOCABULARY), part = build(chunks[_i], VOCABULARY);
    must(gg_model_plan(whole.model, whole.loss, ROWS));
    must(gg_model_plan(part.model, part.loss, ROWS));
    const int64_t floats = gg_model_parameter_floats(whole.model);
    ck_assert_int_eq(floats, gg_model_parameter_floats(part.model));
    ck_assert_mem_eq(gg_model_parameters(whole.model), gg_model_parameters(part.model), (size_t)floats * sizeof(float));
    bind(&whole, h, t);
    bind(&part, h, t);
    must(gg_model_forward(whole.model, whole.loss, GG_TRAIN));
    must(gg_model_backward(whole.model));
    must(gg_model_forward(part.model, part.loss, GG_TRAIN));
    must(gg_model_backward(part.model));
    ck_assert_double_eq_tol(gg_model_loss(whole.model), gg_model_loss(part.model), 1e-6);
    for (int64_t i = 0; i < floats; i++)
        ck_assert_float_eq_tol(gg_model_gradients(whole.model)[i], gg_model_gradients(part.model)[i], 2e-7f);
    must(gg_model_forward(part.model, part.loss, GG_INFER));
    ck_assert_double_eq_tol(gg_model_loss(whole.model), gg_model_loss(part.model), 1e-6);
    gg_model_free(whole.model);
    gg_model_free(part.model);
}
END_TEST

static int64_t workspace(int64_t chunk_rows, int64_t batch, int64_t vocabulary)
{
    scored s = build(chunk_rows, vocabulary);
    must(gg_model_plan(s.model, s.loss, batch));
    const int64_t bytes = gg_model_workspace_bytes(s.model);
    gg_model_free(s.model);
    return bytes;
}

/* Scores of one chunk and dW, whatever the batch; what stands beside them is of the size of h. */
START_TEST(scores_never_exist_whole)
{
    enum { CHUNK = 64, V = 4000, BATCH = 1024 };
    const int64_t floats = sizeof(float), fixed = (CHUNK + FEATURES) * V * floats;
    const int64_t small = workspace(CHUNK, BATCH, V), twice = workspace(CHUNK, 2 * BATCH, V);
    ck_assert_int_ge(small, fixed);
    ck_assert_int_le(small, fixed + 5 * BATCH * FEATURES * floats);
    ck_assert_int_le(twice - small, 5 * BATCH * FEATURES * floats);
    ck_assert_int_eq(workspace(2 * CHUNK, BATCH, V) - small, CHUNK * V * floats);
    ck_assert_int_ge(workspace(-1, BATCH, V), 2 * BATCH * (int64_t)V * floats);
}
END_TEST

START_TEST(wrong_labels_change_nothing)
{
    const float *h = support_uniform(ROWS * FEATURES, -2.0, 2.0, 1);
    int32_t *t = some_labels(ROWS);
    scored s = build(4, VOCABULARY);
    must(gg_model_plan(s.model, s.loss, ROWS));
    const int64_t floats = gg_model_parameter_floats(s.model);
    bind(&s, h, t);
    must(gg_model_forward(s.model, s.loss, GG_TRAIN));
    must(gg_model_backward(s.model));
    const float *before = support_copy(gg_model_gradients(s.model), floats);
    t[ROWS - 1] = VOCABULARY;
    support_assert_fails(gg_model_forward(s.model, s.loss, GG_TRAIN), GG_ERR_ARGUMENT, "projected_softmax_with_loss1",
                         "labels[36] is 53, expected -1 or 0 to 52");
    ck_assert_mem_eq(gg_model_gradients(s.model), before, (size_t)floats * sizeof *before);
    gg_model_free(s.model);
}
END_TEST

/* ---- positions from run to run ---- */

enum { STEPS = 6, SAMPLES = 2, WIDTH = 8 };

static gg_value add_positions(gg_model *model, gg_value x, int which, const gg_position_options *o)
{
    return which == 0   ? gg_sinusoidal_positions(model, x, o)
           : which == 1 ? gg_learned_positions(model, x, STEPS, o)
                        : gg_rotary_positions(model, x, 1, WIDTH - 2, o);
}

static void step_through(gg_model *model, gg_value input, gg_value y, const float *x, const float *whole)
{
    enum { ROW = SAMPLES * WIDTH };
    must(gg_model_reset_states(model));
    must(gg_model_set_extent(model, GG_TIME, 1));
    for (int t = 0; t < STEPS; t++) {
        must(gg_model_bind(model, input, x + t * ROW));
        must(gg_model_forward(model, y, GG_CONTINUE));
        for (int i = 0; i < ROW; i++)
            ck_assert_float_eq_tol(gg_model_data(model, y)[i], whole[t * ROW + i], 4e-7f);
    }
}

START_TEST(positions_go_on)
{
    const gg_position_options o = {.stateful = true};
    const float *x = support_uniform(STEPS * SAMPLES * WIDTH, -1.0, 1.0, 1);
    gg_model *model;
    must(gg_model_new(&model, 1));
    const gg_value input = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, WIDTH});
    const gg_value y = add_positions(model, input, _i, &o);
    must(gg_model_set_largest(model, GG_TIME, STEPS));
    must(gg_model_plan(model, GG_NO_VALUE, SAMPLES));
    must(gg_model_bind(model, input, x));
    must(gg_model_forward(model, y, GG_INFER));
    const float *whole = support_copy(gg_model_data(model, y), STEPS * SAMPLES * WIDTH);
    step_through(model, input, y, x, whole);
    step_through(model, input, y, x, whole);
    const gg_status beyond = gg_model_forward(model, y, GG_CONTINUE);
    ck_assert_int_eq(beyond, _i == 1 ? GG_ERR_SHAPE : GG_OK);
    must(gg_model_forward(model, y, GG_INFER)); /* at 0 again */
    for (int i = 0; i < SAMPLES * WIDTH && _i < 2; i++)
        ck_assert_float_eq_tol(gg_model_data(model, y)[i] - x[(STEPS - 1) * SAMPLES * WIDTH + i], whole[i] - x[i],
                               4e-7f);
    gg_model_free(model);
}
END_TEST

/* A shorter run after a longer one: positions that it does not have learn nothing. */
START_TEST(positions_that_did_not_occur)
{
    gg_model *model;
    must(gg_model_new(&model, 1));
    const gg_value x = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, WIDTH});
    const gg_value t = gg_input(model, "t", 3, (int64_t[]){GG_TIME, GG_BATCH, WIDTH});
    const gg_value loss = gg_mean_squared_error(model, gg_learned_positions(model, x, STEPS, NULL), t);
    must(gg_model_set_largest(model, GG_TIME, STEPS));
    must(gg_model_plan(model, loss, SAMPLES));
    must(gg_model_bind(model, x, support_uniform(STEPS * SAMPLES * WIDTH, -1.0, 1.0, 1)));
    must(gg_model_bind(model, t, support_uniform(STEPS * SAMPLES * WIDTH, -1.0, 1.0, 2)));
    for (int steps = STEPS; steps >= 0; steps -= 2) {
        must(gg_model_set_extent(model, GG_TIME, steps));
        must(gg_model_forward(model, loss, GG_TRAIN));
        must(gg_model_backward(model));
        for (int i = 0; i < STEPS * WIDTH; i++)
            ck_assert_int_eq(gg_model_gradients(model)[i] != 0.0f, i < steps * WIDTH);
    }
    gg_model_free(model);
}
END_TEST

/* rotary_base is that of gg_rotary_positions: 0 stands for 10000, another turns otherwise. */
START_TEST(blocks_turn_by_their_base)
{
    enum { FLOATS = STEPS * SAMPLES * WIDTH };
    static const float bases[] = {0.0f, 10000.0f, 100.0f};
    const float *x = support_uniform(FLOATS, -1.0, 1.0, 1);
    const float *found[3];
    for (int i = 0; i < 3; i++) {
        gg_model *model;
        must(gg_model_new(&model, 1));
        const gg_value input = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, WIDTH});
        const gg_transformer_options o = {.heads = 2, .rotary = true, .rotary_base = bases[i]};
        const gg_value y = gg_transformer_block(model, input, &o);
        must(gg_model_set_largest(model, GG_TIME, STEPS));
        must(gg_model_plan(model, GG_NO_VALUE, SAMPLES));
        must(gg_model_bind(model, input, x));
        must(gg_model_forward(model, y, GG_INFER));
        found[i] = support_copy(gg_model_data(model, y), FLOATS);
        gg_model_free(model);
    }
    ck_assert_mem_eq(found[0], found[1], FLOATS * sizeof(float));
    ck_assert_mem_ne(found[0], found[2], FLOATS * sizeof(float));
}
END_TEST

/* ---- a block step by step ---- */

/* All steps at once, one after the other, and the first half before the others: the same numbers. */
START_TEST(blocks_go_on)
{
    enum { ROW = SAMPLES * WIDTH };
    const gg_transformer_options o = {.heads = 2,
                                      .kv_heads = _i % 2 + 1,
                                      .causal = true,
                                      .cache = true,
                                      .rotary = _i >= 2,
                                      .dropout = 0.5f,
                                      .swiglu = true,
                                      .rms = true};
    const float *x = support_uniform(STEPS * ROW, -1.0, 1.0, 1);
    gg_model *model;
    must(gg_model_new(&model, 1));
    const gg_value input = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, WIDTH});
    const gg_value y = gg_transformer_block(model, gg_transformer_block(model, input, &o), &o);
    must(gg_model_set_largest(model, GG_TIME, STEPS));
    must(gg_model_plan(model, GG_NO_VALUE, SAMPLES));
    must(gg_model_bind(model, input, x));
    must(gg_model_forward(model, y, GG_INFER));
    const float *whole = support_copy(gg_model_data(model, y), STEPS * ROW);
    for (int steps = 1; steps <= STEPS / 2; steps++) {
        must(gg_model_reset_states(model));
        must(gg_model_set_extent(model, GG_TIME, steps));
        for (int t = 0; t + steps <= STEPS; t += steps) {
            must(gg_model_bind(model, input, x + t * ROW));
            must(gg_model_forward(model, y, GG_CONTINUE));
            for (int i = 0; i < steps * ROW; i++)
                ck_assert_float_eq_tol(gg_model_data(model, y)[i], whole[t * ROW + i], 4e-6f);
        }
    }
    gg_model_free(model);
}
END_TEST

/* Through whole blocks, whatever comes later or lies past a sample's end changes no bit of a step. */
START_TEST(blocks_never_see_what_is_hidden)
{
    enum { ROW = SAMPLES * WIDTH };
    static const int32_t lengths[SAMPLES] = {4, 2};
    const bool causal = _i % 2 == 0;
    gg_model *model;
    must(gg_model_new(&model, 1));
    const gg_value input = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, WIDTH});
    const gg_value given = gg_input_labels(model, "lengths", 1, (int64_t[]){GG_BATCH});
    const gg_transformer_options o = {.heads = 2,
                                      .kv_heads = _i / 2 % 2 + 1,
                                      .post_norm = _i / 4 != 0,
                                      .rotary = _i / 4 == 0,
                                      .causal = causal,
                                      .key_lengths = causal ? NULL : &given};
    const gg_value y = gg_transformer_block(model, gg_transformer_block(model, input, &o), &o);
    must(gg_model_set_largest(model, GG_TIME, STEPS));
    must(gg_model_plan(model, GG_NO_VALUE, SAMPLES));
    must(gg_model_bind_labels(model, given, lengths));
    const float *x = support_uniform(STEPS * ROW, -1.0, 1.0, 1);
    must(gg_model_bind(model, input, x));
    must(gg_model_forward(model, y, GG_INFER));
    const float *before = support_copy(gg_model_data(model, y), STEPS * ROW);
    for (int t = 0; t < STEPS; t++) {
        float *changed = support_copy(x, STEPS * ROW);
        for (int i = 0; i < STEPS * ROW; i++)
            if (causal ? i / ROW > t : i / ROW >= lengths[i / WIDTH % SAMPLES])
                changed[i] += (float)(t + 1);
        must(gg_model_bind(model, input, changed));
        must(gg_model_forward(model, y, GG_INFER));
        for (int i = 0; i < STEPS * ROW; i++)
            if (causal ? i / ROW <= t : i / ROW < lengths[i / WIDTH % SAMPLES])
                ck_assert(gg_model_data(model, y)[i] == before[i]);
    }
    gg_model_free(model);
}
END_TEST

/* ---- building ---- */

START_TEST(parts_are_named)
{
    static const char *const names[] = {"ff.hidden.W", "ff.hidden.b", "ff.out.W",  "ff.out.b",      "affine3.W",
                                        "affine3.b",   "affine4.W",   "affine4.b", "gate.hidden.W", "gate.out.W"};
    gg_model *model;
    gg_parameter p;
    must(gg_model_new(&model, 1));
    const gg_value x = gg_input(model, "x", 2, (int64_t[]){GG_BATCH, 4});
    gg_model_name_next(model, "ff");
    gg_value y = gg_feed_forward(model, x, 6, NULL);
    y = gg_feed_forward(model, y, 6, &(gg_feed_forward_options){.activation = GG_RELU});
    gg_model_name_next(model, "gate");
    y = gg_feed_forward(model, y, 6, &(gg_feed_forward_options){.swiglu = true});
    ck_assert_int_ge(y.id, 0);
    ck_assert_int_eq(gg_model_parameter_count(model), 10);
    for (int i = 0; i < 10; i++) {
        must(gg_model_parameter(model, i, &p));
        ck_assert_str_eq(p.name, names[i]);
    }
    gg_model_free(model);
}
END_TEST

/* A new model with x [time, batch, 6] and labels [time, batch]. */
static gg_model *fresh(gg_value *x, gg_value *t)
{
    gg_model *model;
    must(gg_model_new(&model, 1));
    *x = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, 6});
    *t = gg_input_labels(model, "t", 2, (int64_t[]){GG_TIME, GG_BATCH});
    return model;
}

START_TEST(wrong_arguments)
{
    gg_model *m;
    gg_value x, t;
#define FAILS(call, status, text)                                                 \
    do {                                                                          \
        m = fresh(&x, &t);                                                        \
        ck_assert_int_lt((call).id, 0);                                           \
        support_assert_fails(gg_model_plan(m, GG_NO_VALUE, 2), status, "", text); \
        gg_model_free(m);                                                         \
    } while (0)
#define LOSS(h, v, labels, ...) \
    gg_projected_softmax_with_loss(m, h, v, labels, &(gg_projected_loss_options){__VA_ARGS__})
    FAILS(gg_layer_normalization(m, t, NULL), GG_ERR_ARGUMENT, "x");
    FAILS(gg_layer_normalization(m, x, &(gg_layernorm_options){.epsilon = -1.0f}), GG_ERR_ARGUMENT, "epsilon is -1");
    FAILS(gg_swiglu(m, gg_affine(m, x, 5, NULL)), GG_ERR_SHAPE, "expected an even last dimension");
    FAILS(gg_feed_forward(m, x, 0, NULL), GG_ERR_ARGUMENT, "width is 0");
    FAILS(gg_feed_forward(m, x, 3, &(gg_feed_forward_options){.dropout = 1.0f}), GG_ERR_ARGUMENT, "ratio is 1");
    FAILS(gg_sinusoidal_positions(m, gg_input(m, "v", 2, (int64_t[]){GG_BATCH, 6}), NULL), GG_ERR_SHAPE,
          "x is [batch, 6]");
    FAILS(gg_sinusoidal_positions(m, gg_input(m, "v", 1, (int64_t[]){6}), NULL), GG_ERR_SHAPE, "x is [6]");
    FAILS(gg_learned_positions(m, x, 0, NULL), GG_ERR_ARGUMENT, "capacity is 0");
    FAILS(gg_rotary_positions(m, x, 0, 2, NULL), GG_ERR_SHAPE, "0 heads of 2 features");
    FAILS(gg_rotary_positions(m, x, 2, 3, NULL), GG_ERR_SHAPE, "2 heads of 3 features");
    FAILS(gg_rotary_positions(m, x, 4, 2, NULL), GG_ERR_SHAPE, "x has 6");
    FAILS(gg_rotary_positions(m, x, 1, 2, &(gg_position_options){.base = -1.0f}), GG_ERR_ARGUMENT, "base is -1");
#define BLOCK(...) gg_transformer_block(m, x, &(gg_transformer_options){__VA_ARGS__})
    FAILS(BLOCK(.heads = -1), GG_ERR_ARGUMENT, "heads is -1");
    FAILS(BLOCK(.heads = 4), GG_ERR_SHAPE, "4 heads of 6 features");
    FAILS(BLOCK(.heads = 2, .rotary = true), GG_ERR_SHAPE, "4 heads of 3 features");
    FAILS(BLOCK(.heads = 3, .kv_heads = 2), GG_ERR_ARGUMENT, "kv_heads is 2");
    FAILS(BLOCK(.cache = true), GG_ERR_ARGUMENT, "a cache is for causal attention");
    FAILS(BLOCK(.epsilon = 2.0f), GG_ERR_ARGUMENT, "epsilon is 2");
    FAILS(LOSS(x, 0, t, 0), GG_ERR_ARGUMENT, "vocabulary is 0");
    FAILS(LOSS(x, 9, t, .chunk_rows = -1), GG_ERR_ARGUMENT, "chunk_rows is -1");
    FAILS(LOSS(x, 9, x, 0), GG_ERR_ARGUMENT, "t are floats");
    FAILS(LOSS(x, 9, t, .init = GG_INIT_ORTHOGONAL), GG_ERR_ARGUMENT, "init is orthogonal");
    FAILS(LOSS(x, 9, t, .tied_to = &x), GG_ERR_ARGUMENT, "tied_to is not the output of gg_embedding");
    FAILS(LOSS(x, 9, t, .tied_to = &(gg_value){gg_embedding(m, t, 8, 6, NULL).id}), GG_ERR_SHAPE,
          "8 tokens and 6 features");
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, chunks_equal_the_whole, 0, 6);
    tcase_add_test(tests, scores_never_exist_whole);
    tcase_add_test(tests, wrong_labels_change_nothing);
    tcase_add_loop_test(tests, positions_go_on, 0, 3);
    tcase_add_test(tests, positions_that_did_not_occur);
    tcase_add_test(tests, blocks_turn_by_their_base);
    tcase_add_loop_test(tests, blocks_go_on, 0, 4);
    tcase_add_loop_test(tests, blocks_never_see_what_is_hidden, 0, 8);
    tcase_add_test(tests, parts_are_named);
    tcase_add_test(tests, wrong_arguments);
}
