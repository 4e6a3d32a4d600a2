/* test_attention_layers.c - what the registry does not ask of the layers of attention: keys and values kept from run to
 * run, biases, weights to look at, names, wrong arguments. */
#include <math.h>
#include <string.h>

#include <gemmgrad/attend.h>

#include "support.h"

enum { TIME = 12, BATCH = 3, FEATURES = 8 };

static gg_model *net;

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static void start(void)
{
    must(gg_model_new(&net, 7));
}

static void stop(void)
{
    gg_model_free(net);
    net = NULL;
}

static gg_value sequence(const char *name, bool batch_first, int64_t time, int64_t features)
{
    return gg_input(net, name, 3, (int64_t[]){batch_first ? GG_BATCH : time, batch_first ? time : GG_BATCH, features});
}

static void plan(gg_value loss)
{
    must(gg_model_set_largest(net, GG_TIME, TIME));
    must(gg_model_set_largest(net, GG_TIME_2, TIME));
    must(gg_model_plan(net, loss, BATCH));
}

/* ---- the cache ---- */

/* Steps [begin, end) of x and back of y: with the samples first they do not lie one behind the other. */
static void copy_steps(float *to, int64_t to_steps, int64_t to_first, const float *from, int64_t from_steps,
                       int64_t from_first, int64_t steps, bool batch_first)
{
    for (int64_t i = 0; i < steps * BATCH; i++) {
        const int64_t t = i / BATCH, n = i % BATCH;
        const int64_t target = batch_first ? n * to_steps + to_first + t : (to_first + t) * BATCH + n;
        const int64_t source = batch_first ? n * from_steps + from_first + t : (from_first + t) * BATCH + n;
        memcpy(to + target * FEATURES, from + source * FEATURES, FEATURES * sizeof *to);
    }
}

/* The whole sequence in one run, into a new array. */
static float *run_whole(gg_value input, gg_value y, const float *x, gg_mode mode)
{
    must(gg_model_set_extent(net, GG_TIME, TIME));
    must(gg_model_bind(net, input, x));
    must(gg_model_forward(net, y, mode));
    return support_copy(gg_model_data(net, y), TIME * BATCH * FEATURES);
}

/* In GG_CONTINUE, in windows of these lengths. */
static float *run_windows(gg_value input, gg_value y, const float *x, const int64_t *windows, bool batch_first)
{
    float *all = support_floats(TIME * BATCH * FEATURES), *part = support_floats(TIME * BATCH * FEATURES);
    for (int64_t at = 0, i = 0; at < TIME; at += windows[i++]) {
        must(gg_model_set_extent(net, GG_TIME, windows[i]));
        copy_steps(part, windows[i], 0, x, TIME, at, windows[i], batch_first);
        must(gg_model_bind(net, input, part));
        must(gg_model_forward(net, y, GG_CONTINUE));
        copy_steps(all, TIME, at, gg_model_data(net, y), windows[i], 0, windows[i], batch_first);
    }
    return all;
}

static void check_close(const float *actual, const float *expected, const char *what)
{
    enum { N = TIME * BATCH * FEATURES };
    double *scale = support_doubles(N);
    for (int i = 0; i < N; i++)
        scale[i] = 1.0;
    support_assert_close(actual, support_widen(expected, N), scale, N, 16.0, "%s", what);
}

START_TEST(a_sequence_in_windows)
{
    static const int64_t windows[][TIME] = {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {5, 1, 4, 2}, {12}};
    const bool batch_first = _i % 2 != 0;
    const gg_multi_head_options o = {
        .heads = 4, .kv_heads = _i / 2 == 0 ? 4 : 2, .scale = _i / 2 == 0 ? 0.0f : 1.5f, .causal = true, .cache = true};
    const gg_value input = sequence("x", batch_first, GG_TIME, FEATURES);
    const gg_value y = gg_multi_head_attention(net, input, input, input, &o);
    plan(GG_NO_VALUE);
    const float *x = support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 3);
    const float *whole = run_whole(input, y, x, GG_INFER);
    for (int i = 0; i < 3; i++) {
        check_close(run_windows(input, y, x, windows[i], batch_first), whole, "in windows");
        must(gg_model_set_extent(net, GG_TIME, 1));
        support_assert_fails(gg_model_forward(net, y, GG_CONTINUE), GG_ERR_STATE, "gg_attention",
                             "1 steps behind 12 are more than the planned 12");
        must(gg_model_reset_states(net));
    }
}
END_TEST

/* Looking at other sequences in between changes nothing. */
START_TEST(only_continuing_moves_the_cache)
{
    const gg_multi_head_options o = {.heads = 2, .causal = true, .cache = true};
    const gg_value input = sequence("x", false, GG_TIME, FEATURES);
    const gg_value y = gg_multi_head_attention(net, input, input, input, &o);
    plan(GG_NO_VALUE);
    const float *x = support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 4), *first = run_whole(input, y, x, GG_INFER);
    const float *other = support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 5);
    float *some = support_copy(x, TIME * BATCH * FEATURES);
    must(gg_model_set_extent(net, GG_TIME, 4));
    must(gg_model_bind(net, input, some));
    must(gg_model_forward(net, y, GG_CONTINUE));
    run_whole(input, y, other, GG_INFER);
    run_whole(input, y, other, GG_TRAIN);
    must(gg_model_set_extent(net, GG_TIME, TIME - 4));
    must(gg_model_bind(net, input, x + 4 * BATCH * FEATURES));
    must(gg_model_forward(net, y, GG_CONTINUE));
    memcpy(some, first, 4 * BATCH * FEATURES * sizeof *some);
    memcpy(some + 4 * BATCH * FEATURES, gg_model_data(net, y), (TIME - 4) * BATCH * FEATURES * sizeof *some);
    check_close(some, first, "the rest");
}
END_TEST

/* Samples that the runs before did not have; the cache stays as it was. */
START_TEST(a_cache_is_of_its_samples)
{
    const gg_multi_head_options o = {.heads = 2, .causal = true, .cache = true};
    const gg_value input = sequence("x", false, GG_TIME, FEATURES);
    const gg_value y = gg_multi_head_attention(net, input, input, input, &o);
    plan(GG_NO_VALUE);
    const float *x = support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 6), *whole = run_whole(input, y, x, GG_INFER);
    for (int64_t batch = 1; batch < BATCH; batch++) {
        must(gg_model_reset_states(net));
        must(gg_model_set_extent(net, GG_TIME, 1));
        must(gg_model_set_extent(net, GG_BATCH, BATCH));
        must(gg_model_bind(net, input, x));
        must(gg_model_forward(net, y, GG_CONTINUE));
        must(gg_model_set_extent(net, GG_BATCH, batch));
        support_assert_fails(gg_model_forward(net, y, GG_CONTINUE), GG_ERR_STATE, "gg_attention",
                             "the cache is of 3: gg_model_reset_states");
        must(gg_model_set_extent(net, GG_BATCH, BATCH));
        must(gg_model_bind(net, input, x + BATCH * FEATURES));
        must(gg_model_forward(net, y, GG_CONTINUE));
        for (int i = 0; i < BATCH * FEATURES; i++)
            ck_assert_float_eq_tol(gg_model_data(net, y)[i], whole[BATCH * FEATURES + i], 2e-6f);
    }
    must(gg_model_reset_states(net));
    must(gg_model_set_extent(net, GG_BATCH, 1));
    must(gg_model_forward(net, y, GG_CONTINUE));
}
END_TEST

/* ---- biases ---- */

/* A bias that hides the future is a causal mask. */
START_TEST(bias_hides)
{
    const bool of_heads = _i != 0;
    const gg_value x = sequence("x", false, GG_TIME, FEATURES);
    const gg_value bias = of_heads ? gg_input(net, "bias", 3, (int64_t[]){2, GG_TIME, GG_TIME})
                                   : gg_input(net, "bias", 2, (int64_t[]){GG_TIME, GG_TIME});
    const gg_value masked = gg_attention(net, x, x, x, &(gg_multi_head_options){.heads = 2, .causal = true});
    const gg_value biased = gg_attention(net, x, x, x, &(gg_multi_head_options){.heads = 2, .bias = &bias});
    must(gg_model_keep(net, masked, false));
    const gg_value sum = gg_node_add(net, masked, biased);
    plan(GG_NO_VALUE);
    float *numbers = support_floats(2 * TIME * TIME);
    for (int i = 0; i < 2 * TIME * TIME; i++)
        numbers[i] = i % TIME > i / TIME % TIME ? -INFINITY : of_heads ? (float)(i / TIME / TIME) : 0.25f;
    const float *data = support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 6);
    must(gg_model_bind(net, bias, numbers));
    must(gg_model_bind(net, x, data));
    must(gg_model_forward(net, sum, GG_TRAIN));
    float *twice = support_copy(gg_model_data(net, masked), TIME * BATCH * FEATURES);
    for (int i = 0; i < TIME * BATCH * FEATURES; i++)
        twice[i] *= 2.0f;
    check_close(gg_model_data(net, sum), twice, "with a bias");
}
END_TEST

/* Of a bias for each head, each sample or both, results are those under the bias of that head and sample alone. */
START_TEST(biases_of_heads_and_samples)
{
    enum { N = TIME * BATCH * FEATURES, HEADS = 2, SQUARE = TIME * TIME };
    const bool of_samples = _i != 0, of_heads = _i != 1;
    const int64_t all[] = {GG_BATCH, HEADS, GG_TIME, GG_TIME}, samples[] = {GG_BATCH, GG_TIME, GG_TIME};
    const int64_t *dims = !of_samples ? all + 1 : of_heads ? all : samples;
    const gg_value x = sequence("x", false, GG_TIME, FEATURES);
    const gg_value whole = gg_input(net, "whole", 2 + of_samples + of_heads, dims);
    const gg_value one = gg_input(net, "one", 2, (int64_t[]){GG_TIME, GG_TIME});
    const gg_value together = gg_attention(net, x, x, x, &(gg_multi_head_options){.heads = HEADS, .bias = &whole});
    const gg_value alone = gg_attention(net, x, x, x, &(gg_multi_head_options){.heads = HEADS, .bias = &one});
    plan(GG_NO_VALUE);
    const float *biases = support_uniform(BATCH * HEADS * SQUARE, -2.0, 2.0, 11);
    must(gg_model_bind(net, x, support_uniform(N, -1.0, 1.0, 12)));
    must(gg_model_bind(net, whole, biases));
    must(gg_model_forward(net, together, GG_INFER));
    const float *found = support_copy(gg_model_data(net, together), N);
    for (int64_t n = 0; n < BATCH; n++)
        for (int64_t head = 0; head < HEADS; head++) {
            const int64_t place = of_samples && of_heads ? n * HEADS + head : of_samples ? n : head;
            must(gg_model_bind(net, one, biases + place * SQUARE));
            must(gg_model_forward(net, alone, GG_INFER));
            for (int i = 0; i < N; i++)
                if (i / FEATURES % BATCH == n && i % FEATURES / (FEATURES / HEADS) == head)
                    ck_assert_float_eq_tol(found[i], gg_model_data(net, alone)[i], 1e-6f);
        }
}
END_TEST

START_TEST(a_bias_has_no_gradient)
{
    const gg_value x = sequence("x", false, GG_TIME, FEATURES), t = sequence("t", false, GG_TIME, FEATURES);
    const gg_value bias = gg_input(net, "bias", 2, (int64_t[]){GG_TIME, GG_TIME});
    const gg_value y = gg_multi_head_attention(net, x, x, x, &(gg_multi_head_options){.heads = 2, .bias = &bias});
    const gg_value loss = gg_mean_squared_error(net, y, t);
    must(gg_model_keep(net, bias, true));
    plan(loss);
    const float *data = support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 8);
    must(gg_model_bind(net, x, data));
    must(gg_model_bind(net, t, data));
    must(gg_model_bind(net, bias, support_uniform(TIME * TIME, -1.0, 1.0, 9)));
    must(gg_model_forward(net, loss, GG_TRAIN));
    support_assert_fails(gg_model_backward(net), GG_ERR_STATE, "gg_attention", "bias has no gradient");
}
END_TEST

/* ---- weights to look at ---- */

START_TEST(weights_are_readable)
{
    static const int32_t lengths[BATCH] = {TIME, 5, 0};
    const gg_value x = sequence("x", false, GG_TIME_2, FEATURES), keys = sequence("keys", false, GG_TIME, FEATURES);
    const gg_value length = gg_input_labels(net, "lengths", 1, (int64_t[]){GG_BATCH});
    gg_value weights;
    const gg_value y = gg_score_attention(net, x, keys, keys, &(gg_score_options){.key_lengths = &length}, &weights);
    must(gg_model_keep(net, weights, false));
    plan(GG_NO_VALUE);
    must(gg_model_set_extent(net, GG_TIME_2, 4));
    must(gg_model_bind(net, x, support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 10)));
    must(gg_model_bind(net, keys, support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 11)));
    must(gg_model_bind_labels(net, length, lengths));
    must(gg_model_forward(net, y, GG_INFER));
    ck_assert_int_eq(gg_model_size(net, weights), BATCH * 4 * TIME);
    const float *a = gg_model_data(net, weights);
    for (int row = 0; row < BATCH * 4; row++, a += TIME) {
        float sum = 0.0f;
        for (int j = 0; j < TIME; j++) {
            sum += a[j];
            ck_assert(j < lengths[row / 4] ? a[j] > 0.0f : a[j] == 0.0f);
        }
        ck_assert_float_eq_tol(sum, row / 4 == 2 ? 0.0f : 1.0f, 1e-6f);
    }
    static const int32_t wrong[2][BATCH] = {{0, TIME + 1, 0}, {0, -1, 0}};
    for (int i = 0; i < 2; i++) {
        must(gg_model_bind_labels(net, length, wrong[i]));
        support_assert_fails(gg_model_forward(net, y, GG_INFER), GG_ERR_ARGUMENT, "gg_attention_weights",
                             i == 0 ? "key_lengths[1] is 13" : "key_lengths[1] is -1");
    }
}
END_TEST

/* A shorter run after a longer one: keys that it does not have learn no score. */
START_TEST(locations_without_keys)
{
    const gg_value x = sequence("x", false, GG_TIME_2, FEATURES), keys = sequence("keys", false, GG_TIME, FEATURES);
    const gg_value t = sequence("t", false, GG_TIME_2, FEATURES);
    const gg_score_options o = {.score = GG_SCORE_LOCATION, .most_keys = TIME};
    const gg_value loss = gg_mean_squared_error(net, gg_score_attention(net, x, keys, keys, &o, NULL), t);
    plan(loss);
    const gg_value inputs[] = {x, keys, t};
    for (int i = 0; i < 3; i++)
        must(gg_model_bind(net, inputs[i], support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 13 + (uint64_t)i)));
    for (int steps = TIME; steps > 0; steps -= 4) {
        must(gg_model_set_extent(net, GG_TIME, steps));
        must(gg_model_forward(net, loss, GG_TRAIN));
        must(gg_model_backward(net));
        ck_assert_int_eq(gg_model_parameter_floats(net), FEATURES * TIME);
        for (int i = 0; i < FEATURES * TIME; i++)
            ck_assert_int_eq(gg_model_gradients(net)[i] != 0.0f, i % TIME < steps);
    }
}
END_TEST

START_TEST(more_keys_than_locations)
{
    const gg_value x = sequence("x", false, GG_TIME_2, FEATURES), keys = sequence("keys", false, GG_TIME, FEATURES);
    const gg_score_options o = {.score = GG_SCORE_LOCATION, .most_keys = 5};
    const gg_value y = gg_score_attention(net, x, keys, keys, &o, NULL);
    plan(GG_NO_VALUE);
    const float *data = support_uniform(TIME * BATCH * FEATURES, -1.0, 1.0, 12);
    must(gg_model_bind(net, x, data));
    must(gg_model_bind(net, keys, data));
    support_assert_fails(gg_model_forward(net, y, GG_INFER), GG_ERR_SHAPE, "gg_attention_location",
                         "12 keys, and scores for 5");
    must(gg_model_set_extent(net, GG_TIME, 5));
    must(gg_model_forward(net, y, GG_INFER));
}
END_TEST

/* ---- names ---- */

static void expect_parameter(int i, const char *name)
{
    gg_parameter p;
    must(gg_model_parameter(net, i, &p));
    ck_assert_str_eq(p.name, name);
}

START_TEST(names)
{
    const gg_multi_head_options o = {.heads = 2, .no_bias = true};
    const gg_value x = sequence("x", false, GG_TIME, FEATURES), z = sequence("z", false, GG_TIME_2, FEATURES);
    gg_value y = gg_multi_head_attention(net, x, x, x, &o);
    gg_model_name_next(net, "decoder.cross");
    y = gg_multi_head_attention(net, z, y, y, &o);
    y = gg_multi_head_attention(net, y, y, y, &o);
    plan(GG_NO_VALUE);
    const char *expected[] = {"multi_head1.qkv.W", "multi_head1.out.W",   "decoder.cross.q.W", "decoder.cross.k.W",
                              "decoder.cross.v.W", "decoder.cross.out.W", "multi_head2.qkv.W", "multi_head2.out.W"};
    ck_assert_int_eq(gg_model_parameter_count(net), 8);
    for (int i = 0; i < 8; i++)
        expect_parameter(i, expected[i]);
}
END_TEST

/* ---- wrong arguments ---- */

typedef struct wrong_call {
    gg_multi_head_options options;
    gg_status status;
    const char *text;
} wrong_call;

/* The model in error, and a new one. */
static void expect_error(gg_value value, gg_status status, const char *layer, const char *text)
{
    ck_assert_int_lt(value.id, 0);
    support_assert_fails(gg_model_plan(net, GG_NO_VALUE, 1), status, layer, text);
    stop();
    start();
}

START_TEST(wrong_heads)
{
    const wrong_call calls[] = {
        {{.heads = -1}, GG_ERR_ARGUMENT, "heads is -1"},
        {{.heads = 4, .kv_heads = 3}, GG_ERR_ARGUMENT, "kv_heads is 3"},
        {{.heads = 3}, GG_ERR_ARGUMENT, "3 heads of 8 features"},
        {{.heads = 2, .scale = NAN}, GG_ERR_ARGUMENT, "scale is"},
        {{.heads = 2, .cache = true}, GG_ERR_ARGUMENT, "a cache is for causal"},
        {{.heads = 2, .out = -1}, GG_ERR_ARGUMENT, "out is -1"},
        {{.heads = 2, .width = -1}, GG_ERR_ARGUMENT, "width is -1"},
    };
    for (int i = 0; i < 7; i++) {
        const gg_value x = sequence("x", false, GG_TIME, FEATURES);
        expect_error(gg_multi_head_attention(net, x, x, x, &calls[i].options), calls[i].status,
                     "gg_multi_head_attention", calls[i].text);
    }
    gg_model_name_next(net, "a name that is longer than forty bytes are.");
    gg_value x = sequence("x", false, GG_TIME, FEATURES);
    expect_error(gg_multi_head_attention(net, x, x, x, NULL), GG_ERR_ARGUMENT, "gg_multi_head_attention",
                 "longer than 40 bytes");
    x = sequence("x", false, GG_TIME, FEATURES);
    expect_error(gg_attention_fused(net, x, &(gg_multi_head_options){.heads = 2}), GG_ERR_SHAPE, "gg_attention_fused",
                 "8 features for 2 heads and 2 times 2");
    x = sequence("x", false, GG_TIME, FEATURES);
    gg_value y = sequence("y", false, GG_TIME, FEATURES / 2);
    expect_error(gg_attention(net, x, y, y, &(gg_multi_head_options){.heads = 2}), GG_ERR_SHAPE, "gg_attention",
                 "key has 4");
    x = sequence("x", false, GG_TIME, FEATURES);
    y = sequence("y", false, GG_TIME_2, FEATURES);
    expect_error(gg_attention(net, x, y, y, &(gg_multi_head_options){.cache = true, .causal = true}), GG_ERR_ARGUMENT,
                 "gg_attention", "to itself");
}
END_TEST

START_TEST(wrong_values)
{
    gg_value x = gg_input(net, "x", 2, (int64_t[]){GG_BATCH, 4});
    expect_error(gg_multi_head_attention(net, x, x, x, NULL), GG_ERR_SHAPE, "gg_multi_head_attention",
                 "query is [batch, 4]");
    x = gg_input(net, "x", 3, (int64_t[]){GG_TIME, GG_TIME_2, 4});
    expect_error(gg_attention_dot(net, x, x, 1.0f), GG_ERR_SHAPE, "gg_attention_dot", "query is");
    x = sequence("x", false, GG_TIME, FEATURES);
    gg_value y = sequence("y", false, GG_TIME, FEATURES + 1);
    expect_error(gg_attention_dot(net, x, y, 1.0f), GG_ERR_SHAPE, "gg_attention_dot", "key has 9");
    x = sequence("x", false, GG_TIME, FEATURES);
    expect_error(gg_attention_dot(net, x, x, INFINITY), GG_ERR_ARGUMENT, "gg_attention_dot", "scale is inf");
    x = sequence("x", false, GG_TIME, FEATURES);
    y = sequence("y", false, GG_TIME, FEATURES + 1);
    expect_error(gg_attention_additive(net, x, y), GG_ERR_SHAPE, "gg_attention_additive", "key has 9");
    x = sequence("x", false, GG_TIME, FEATURES);
    expect_error(gg_attention_context(net, x, x), GG_ERR_SHAPE, "gg_attention_context", "weights are [time, batch, 8]");
    x = sequence("x", false, GG_TIME, FEATURES);
    y = gg_input(net, "y", 2, (int64_t[]){GG_BATCH, GG_TIME});
    expect_error(gg_multi_head_attention(net, x, x, x, &(gg_multi_head_options){.key_lengths = &y}), GG_ERR_SHAPE,
                 "gg_attention_fused", "key_lengths is floats [batch, time]");
    x = sequence("x", false, GG_TIME, FEATURES);
    y = gg_input(net, "y", 2, (int64_t[]){GG_TIME, GG_TIME_2});
    expect_error(gg_multi_head_attention(net, x, x, x, &(gg_multi_head_options){.bias = &y}), GG_ERR_SHAPE,
                 "gg_attention_fused", "bias is [time, time 2]");
}
END_TEST

static void expect_wrong_weights(const gg_score_options *o, bool with_center, int64_t center_features, gg_status status,
                                 const char *text)
{
    const gg_value s = gg_input(net, "s", 3, (int64_t[]){GG_BATCH, GG_TIME_2, GG_TIME});
    const gg_value c = sequence("c", false, GG_TIME_2, center_features);
    expect_error(gg_attention_weights(net, s, with_center ? &c : NULL, o), status, "gg_attention_weights", text);
}

START_TEST(wrong_windows)
{
    const gg_score_options predictive = {.window = GG_WINDOW_PREDICTIVE, .half_width = 2.0f};
    expect_wrong_weights(&(gg_score_options){.window = (gg_window)9}, false, 1, GG_ERR_ARGUMENT, "window is 9");
    expect_wrong_weights(&(gg_score_options){.window = GG_WINDOW_MONOTONIC}, false, 1, GG_ERR_ARGUMENT,
                         "half_width is 0");
    expect_wrong_weights(&(gg_score_options){.window = GG_WINDOW_MONOTONIC, .half_width = NAN}, false, 1,
                         GG_ERR_ARGUMENT, "half_width is");
    expect_wrong_weights(&predictive, false, 1, GG_ERR_ARGUMENT, "center is NULL");
    expect_wrong_weights(NULL, true, 1, GG_ERR_ARGUMENT, "center is given");
    expect_wrong_weights(&predictive, true, 2, GG_ERR_SHAPE, "2 features");
    gg_value x = sequence("x", false, GG_TIME, FEATURES);
    expect_error(gg_attention_weights(net, x, NULL, NULL), GG_ERR_SHAPE, "gg_attention_weights",
                 "scores are [time, batch, 8]");
    x = sequence("x", false, GG_TIME, FEATURES);
    expect_error(gg_score_attention(net, x, x, x, &(gg_score_options){.score = (gg_score)7}, NULL), GG_ERR_ARGUMENT,
                 "gg_score_attention", "score is 7");
    x = sequence("x", false, GG_TIME, FEATURES);
    expect_error(gg_score_attention(net, x, x, x, &(gg_score_options){.units = -1}, NULL), GG_ERR_ARGUMENT,
                 "gg_score_attention", "units is -1");
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_loop_test(tests, a_sequence_in_windows, 0, 4);
    tcase_add_test(tests, only_continuing_moves_the_cache);
    tcase_add_test(tests, a_cache_is_of_its_samples);
    tcase_add_loop_test(tests, bias_hides, 0, 2);
    tcase_add_loop_test(tests, biases_of_heads_and_samples, 0, 3);
    tcase_add_test(tests, a_bias_has_no_gradient);
    tcase_add_test(tests, weights_are_readable);
    tcase_add_test(tests, locations_without_keys);
    tcase_add_test(tests, more_keys_than_locations);
    tcase_add_test(tests, names);
    tcase_add_test(tests, wrong_heads);
    tcase_add_test(tests, wrong_values);
    tcase_add_test(tests, wrong_windows);
}
