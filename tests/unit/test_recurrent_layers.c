/* test_recurrent_layers.c - recurrent layers in a model: states carried from window to window, where parameters start,
 * no steps and no samples, resume in mid-epoch, wrong arguments. What they compute the registry's tests say. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/sequence.h>
#include <gemmgrad/trainer.h>

#include "node.h"
#include "scratch.h"
#include "support.h"

enum { STEPS = 12, BATCH = 3, IN = 5, HIDDEN = 7, STATE = BATCH * HIDDEN, ROW = BATCH * IN };

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

#define WITH(...) (&(gg_recurrent_options){__VA_ARGS__})

/* ---- networks ---- */

typedef gg_value recurrent_function(gg_model *model, gg_value x, int64_t hidden, const gg_recurrent_options *options,
                                    gg_recurrent_outputs *outputs);

static const struct cell {
    recurrent_function *add;
    gg_recurrent_options options;
} cells[] = {
    {gg_rnn, {.activation = GG_TANH}}, {gg_rnn, {.activation = GG_RELU}}, {gg_lstm, {.forget_bias = -1.0f}},
    {gg_gru, {.reset_before = false}}, {gg_gru, {.reset_before = true}},
};
enum { CELLS = sizeof cells / sizeof *cells };

typedef struct network {
    gg_model *model;
    gg_value x, h0, c0, target, loss;
    gg_recurrent_outputs out;
} network;

/* One layer and the squared error of y. `given`: h0 (and c0) are inputs. */
static network make(const struct cell *cell, bool stateful, bool given)
{
    network n;
    gg_recurrent_options o = cell->options;
    must(gg_model_new(&n.model, 3));
    n.x = gg_input(n.model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, IN});
    n.h0 = gg_input(n.model, "h0", 2, (int64_t[]){GG_BATCH, HIDDEN});
    n.c0 = gg_input(n.model, "c0", 2, (int64_t[]){GG_BATCH, HIDDEN});
    n.target = gg_input(n.model, "target", 3, (int64_t[]){GG_TIME, GG_BATCH, HIDDEN});
    o.stateful = stateful;
    o.h0 = given ? &n.h0 : NULL;
    o.c0 = given && cell->add == gg_lstm ? &n.c0 : NULL;
    cell->add(n.model, n.x, HIDDEN, &o, &n.out);
    n.loss = gg_mean_squared_error(n.model, n.out.y, n.target);
    must(gg_model_keep(n.model, n.out.y, false));
    must(gg_model_keep(n.model, n.out.h_last, false));
    if (n.out.c_last.id >= 0)
        must(gg_model_keep(n.model, n.out.c_last, false));
    must(gg_model_set_largest(n.model, GG_TIME, STEPS));
    must(gg_model_plan(n.model, n.loss, BATCH));
    must(gg_model_bind(n.model, n.target, support_uniform((int64_t)STEPS * STATE, -1, 1, 5)));
    return n;
}

static void run(const network *n, const float *x, int64_t first, int64_t steps, gg_mode mode)
{
    must(gg_model_set_extent(n->model, GG_TIME, steps));
    must(gg_model_bind(n->model, n->x, x + first * ROW));
    must(gg_model_forward(n->model, n->loss, mode));
}

static const float *data_of(const network *n, gg_value value)
{
    return gg_model_data(n->model, value);
}

/* Largest difference. */
static double apart(const float *a, const float *b, int64_t n)
{
    double most = 0.0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

static const float *state(const network *n, int i)
{
    gg_parameter s;
    must(gg_model_state(n->model, i, &s));
    ck_assert_int_eq(s.size, STATE);
    return gg_model_states(n->model) + s.offset;
}

/* ---- carried states ---- */

/* Windows of any lengths, single steps among them, as one long sequence. A step has some dozens of roundings. */
START_TEST(windows_equal_one_long_sequence)
{
    static const int64_t windows[][4] = {{5, 5, 2, 0}, {1, 1, 10, 0}, {12, 0, 0, 0}};
    const network whole = make(&cells[_i], false, false), parts = make(&cells[_i], true, false);
    const float *x = support_uniform((int64_t)STEPS * ROW, -1, 1, 2);
    run(&whole, x, 0, STEPS, GG_INFER);
    for (int w = 0; w < 4; w++) {
        must(gg_model_reset_states(parts.model));
        int64_t t = 0;
        for (int i = 0; t < STEPS; i++) {
            const int64_t steps = w == 3 ? 1 : windows[w][i];
            run(&parts, x, t, steps, i % 2 == 0 || w == 3 ? GG_CONTINUE : GG_TRAIN); /* they move states alike */
            ck_assert_double_le(
                apart(data_of(&parts, parts.out.y), data_of(&whole, whole.out.y) + t * STATE, steps * STATE), 1e-5);
            t += steps;
        }
        ck_assert_double_le(apart(state(&parts, 0), data_of(&whole, whole.out.h_last), STATE), 1e-5);
        if (parts.out.c_last.id >= 0)
            ck_assert_double_le(apart(state(&parts, 1), data_of(&whole, whole.out.c_last), STATE), 1e-5);
    }
    gg_model_free(whole.model);
    gg_model_free(parts.model);
}
END_TEST

static void expect_same_gradients(const network *a, const network *b)
{
    const int64_t floats = gg_model_parameter_floats(a->model);
    ck_assert_int_eq(floats, gg_model_parameter_floats(b->model));
    ck_assert(gg_model_loss(a->model) == gg_model_loss(b->model));
    ck_assert_mem_eq(gg_model_gradients(a->model), gg_model_gradients(b->model), (size_t)floats * sizeof(float));
}

/* Truncated backpropagation: over a window that covers the sequence it is the full one, to the bit; over a later window
 * it is that of a sequence which starts from the carried state as from constants. */
START_TEST(windows_cut_gradients)
{
    const network full = make(&cells[_i], false, false), windows = make(&cells[_i], true, false);
    const network from = make(&cells[_i], false, true);
    const float *x = support_uniform((int64_t)STEPS * ROW, -1, 1, 2);
    run(&full, x, 0, STEPS, GG_TRAIN);
    must(gg_model_backward(full.model));
    run(&windows, x, 0, STEPS, GG_TRAIN);
    must(gg_model_backward(windows.model));
    expect_same_gradients(&full, &windows);

    must(gg_model_reset_states(windows.model));
    run(&windows, x, 0, 5, GG_TRAIN);
    const float *h = support_copy(state(&windows, 0), STATE);
    const float *c = windows.out.c_last.id >= 0 ? support_copy(state(&windows, 1), STATE) : h;
    run(&windows, x, 5, 6, GG_TRAIN);
    must(gg_model_backward(windows.model));
    must(gg_model_bind(from.model, from.h0, h));
    must(gg_model_bind(from.model, from.c0, c));
    run(&from, x, 5, 6, GG_TRAIN);
    must(gg_model_backward(from.model));
    expect_same_gradients(&from, &windows);
    gg_model_free(full.model);
    gg_model_free(windows.model);
    gg_model_free(from.model);
}
END_TEST

/* Inference and diagnosis start from the state and leave it. */
START_TEST(only_some_runs_move_states)
{
    const network n = make(&cells[_i], true, false);
    const float *x = support_uniform((int64_t)STEPS * ROW, -1, 1, 2);
    run(&n, x, 0, 4, GG_TRAIN);
    const int64_t floats = gg_model_state_floats(n.model);
    const float *before = support_copy(gg_model_states(n.model), floats);
    run(&n, x, 4, 3, GG_INFER);
    const float *y = support_copy(data_of(&n, n.out.y), (int64_t)3 * STATE);
    ck_assert_ptr_null(gg_model_find_nonfinite(n.model, n.loss));
    ck_assert_mem_eq(gg_model_states(n.model), before, (size_t)floats * sizeof *before);
    run(&n, x, 4, 3, GG_CONTINUE);
    ck_assert_mem_eq(data_of(&n, n.out.y), y, (size_t)3 * STATE * sizeof *y);
    ck_assert_double_gt(apart(gg_model_states(n.model), before, floats), 1e-3);
    gg_model_free(n.model);
}
END_TEST

/* Recurrent dropout is of training alone: text is generated by the whole network. */
START_TEST(dropout_rests_outside_of_training)
{
    struct cell cell = cells[_i];
    cell.options.recurrent_dropout = 0.5f;
    const network drops = make(&cell, true, false), whole = make(&cells[_i], true, false);
    const float *x = support_uniform((int64_t)STEPS * ROW, -1, 1, 2);
    for (int mode = GG_INFER; mode <= GG_CONTINUE; mode++) {
        run(&whole, x, 0, STEPS, (gg_mode)mode);
        run(&drops, x, 0, STEPS, (gg_mode)mode);
        const double difference = apart(data_of(&drops, drops.out.y), data_of(&whole, whole.out.y), STEPS * STATE);
        ck_assert_msg(mode == GG_TRAIN ? difference > 1e-3 : difference <= 1e-6, "mode %d: %g", mode, difference);
        must(gg_model_reset_states(whole.model));
        must(gg_model_reset_states(drops.model));
    }
    gg_model_free(drops.model);
    gg_model_free(whole.model);
}
END_TEST

/* ---- sizes ---- */

static bool all_zero(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0.0f)
            return false;
    return true;
}

/* Without steps the state passes through, and nothing is learned; without samples likewise. */
START_TEST(no_steps_and_no_samples)
{
    const network n = make(&cells[_i], true, false);
    const float *x = support_uniform((int64_t)STEPS * ROW, -1, 1, 2);
    run(&n, x, 0, 4, GG_TRAIN);
    must(gg_model_backward(n.model));
    const float *before = support_copy(gg_model_states(n.model), gg_model_state_floats(n.model));
    for (int i = 0; i < 2; i++) {
        must(gg_model_set_extent(n.model, GG_BATCH, i == 0 ? BATCH : 0));
        run(&n, x, 0, i == 0 ? 0 : 4, GG_TRAIN);
        must(gg_model_backward(n.model));
        ck_assert(all_zero(gg_model_gradients(n.model), gg_model_parameter_floats(n.model)));
        ck_assert_mem_eq(gg_model_states(n.model), before, (size_t)gg_model_state_floats(n.model) * sizeof *before);
        if (i == 0)
            ck_assert_mem_eq(data_of(&n, n.out.h_last), state(&n, 0), STATE * sizeof *before);
    }
    gg_model_free(n.model);
}
END_TEST

START_TEST(runs_allocate_nothing)
{
    const network n = make(&cells[_i], true, false);
    const float *x = support_uniform((int64_t)STEPS * ROW, -1, 1, 2);
    run(&n, x, 0, STEPS, GG_TRAIN);
    must(gg_model_backward(n.model));
    const uint64_t before = gg_allocation_count();
    for (int64_t steps = 0; steps <= STEPS; steps++)
        for (int mode = GG_INFER; mode <= GG_CONTINUE; mode++) {
            run(&n, x, 0, steps, (gg_mode)mode);
            if (mode == GG_TRAIN)
                must(gg_model_backward(n.model));
        }
    ck_assert_uint_eq(gg_allocation_count(), before);
    gg_model_free(n.model);
}
END_TEST

/* ---- where parameters start ---- */

static gg_parameter parameter(const gg_model *model, const char *name)
{
    gg_parameter p = {.name = NULL};
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        must(gg_model_parameter(model, i, &p));
        if (strcmp(p.name, name) == 0)
            return p;
    }
    ck_abort_msg("no parameter %s", name);
}

enum { WIDE = 48 };

/* Of Wh: each gate's block is orthogonal. */
static void expect_orthogonal(const gg_model *model, const float *weights, const char *name, int gates)
{
    const gg_parameter p = parameter(model, name);
    ck_assert(p.rank == 2 && p.dims[0] == WIDE && p.dims[1] == (int64_t)gates * WIDE);
    for (int g = 0; g < gates; g++)
        for (int i = 0; i < WIDE; i++)
            for (int j = 0; j <= i; j++) {
                double product = 0.0;
                for (int k = 0; k < WIDE; k++)
                    product += (double)weights[p.offset + k * p.dims[1] + g * WIDE + i]
                               * (double)weights[p.offset + k * p.dims[1] + g * WIDE + j];
                ck_assert_double_eq_tol(product, i == j ? 1.0 : 0.0, 1e-5);
            }
}

static double deviation_of(const float *x, int64_t n)
{
    double squares = 0.0;
    for (int64_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    return sqrt(squares / (double)n);
}

static gg_model *wide_lstm(const gg_recurrent_options *o)
{
    gg_model *model;
    must(gg_model_new(&model, 1));
    gg_lstm(model, gg_input(model, "x", 3, (int64_t[]){4, GG_BATCH, 16}), WIDE, o, NULL);
    must(gg_model_plan(model, GG_NO_VALUE, 1));
    return model;
}

START_TEST(parameters_start_gate_by_gate)
{
    gg_model *model = wide_lstm(&(gg_recurrent_options){.bidirectional = true});
    const float *w = gg_model_parameters(model);
    expect_orthogonal(model, w, "lstm1.Wh", 4);
    expect_orthogonal(model, w, "lstm1.Wh_reverse", 4);
    const gg_parameter wx = parameter(model, "lstm1.Wx_reverse"), b = parameter(model, "lstm1.b_reverse");
    ck_assert_double_eq_tol(deviation_of(w + wx.offset, wx.size), sqrt(2.0 / (16 + WIDE)), 0.01);
    for (int i = 0; i < 4 * WIDE; i++)
        ck_assert(w[b.offset + i] == (i / WIDE == 1 ? 1.0f : 0.0f));
    gg_model_free(model);

    const gg_recurrent_options lecun = {.init = GG_INIT_LECUN, .forget_bias = 2.5f};
    model = wide_lstm(&lecun);
    w = gg_model_parameters(model);
    const gg_parameter x = parameter(model, "lstm1.Wx"), h = parameter(model, "lstm1.Wh");
    ck_assert_double_eq_tol(deviation_of(w + x.offset, x.size), sqrt(1.0 / 16), 0.015);
    ck_assert_double_eq_tol(deviation_of(w + h.offset, h.size), sqrt(1.0 / WIDE), 0.01);
    ck_assert(w[parameter(model, "lstm1.b").offset + WIDE] == 2.5f);
    gg_model_free(model);

    const gg_recurrent_options normal = {.init = GG_INIT_NORMAL, .init_scale = 0.01f, .forget_bias = -1.0f};
    model = wide_lstm(&normal);
    w = gg_model_parameters(model);
    ck_assert_double_eq_tol(deviation_of(w + parameter(model, "lstm1.Wh").offset, 4 * WIDE * WIDE), 0.01, 0.001);
    ck_assert(all_zero(w + parameter(model, "lstm1.b").offset, 4 * WIDE));
    gg_model_free(model);
}
END_TEST

/* A peeky decoder: the encoder's last state is where it starts, and stands beside its inputs at every step. Its time is
 * `time`; returns y, `steps` of them, in a new array. */
static const float *peeky(int64_t time, int64_t steps, int64_t largest)
{
    gg_model *model;
    gg_recurrent_outputs encoder;
    must(gg_model_new(&model, 1));
    const gg_value source = gg_input(model, "source", 3, (int64_t[]){GG_TIME, GG_BATCH, 4});
    const gg_value target = gg_input(model, "target", 3, (int64_t[]){time, GG_BATCH, 2});
    gg_gru(model, source, 5, NULL, &encoder);
    const gg_value both[] = {gg_repeat_time(model, encoder.h_last, time), target};
    const gg_value h = gg_gru(model, gg_concatenate(model, both, 2), 5, WITH(.h0 = &encoder.h_last), NULL);
    const gg_value y = gg_affine(model, gg_concatenate(model, (gg_value[]){both[0], h}, 2), 3, NULL);
    must(gg_model_set_largest(model, GG_TIME, 4));
    must(gg_model_set_largest(model, GG_TIME_2, largest));
    must(gg_model_plan(model, GG_NO_VALUE, 2));
    must(gg_model_set_extent(model, GG_TIME, 3));
    if (time == GG_TIME_2)
        must(gg_model_set_extent(model, GG_TIME_2, steps));
    must(gg_model_bind(model, source, support_uniform(24, -1, 1, 1)));
    must(gg_model_bind(model, target, support_uniform(steps * 4, -1, 1, 2)));
    must(gg_model_forward(model, y, GG_INFER));
    ck_assert_int_eq(gg_model_size(model, y), steps * 6);
    const float *result = support_copy(gg_model_data(model, y), steps * 6);
    gg_model_free(model);
    return result;
}

/* The decoder has a time of its own, apart from the encoder's. */
START_TEST(decoders_have_a_time_of_their_own)
{
    for (int64_t steps = 1; steps <= 6; steps++)
        ck_assert_mem_eq(peeky(GG_TIME_2, steps, 6), peeky(steps, steps, 6), (size_t)steps * 6 * sizeof(float));
}
END_TEST

START_TEST(stacks_name_their_layers)
{
    gg_model *model;
    must(gg_model_new(&model, 1));
    const gg_value x = gg_input(model, "x", 3, (int64_t[]){4, GG_BATCH, 6});
    gg_model_name_next(model, "encoder");
    gg_gru_stack(model, x, 3, &(gg_stack){.layers = 2, .dropout = 0.5f}, &(gg_recurrent_options){.stateful = true},
                 NULL);
    gg_rnn_stack(model, x, 3, &(gg_stack){.layers = 2}, NULL, NULL);
    must(gg_model_plan(model, GG_NO_VALUE, 1));
    static const char *const names[] = {"encoder1.Wx", "encoder2.Wh", "rnn1.Wx", "rnn2.b"};
    for (int i = 0; i < 4; i++)
        parameter(model, names[i]);
    gg_parameter s;
    must(gg_model_state(model, 1, &s));
    ck_assert_str_eq(s.name, "encoder2.h");
    gg_model_free(model);
}
END_TEST

/* ---- resume ---- */

enum { FEATURES = 4, SAMPLES = 50, CLASSES = 3, WORDS = 9, TRAIN_BATCH = 8 };

typedef struct training {
    gg_model *model;
    gg_optimizer *optimizer;
    gg_trainer *trainer;
} training;

static float samples[SAMPLES * FEATURES];
static int32_t sample_labels[SAMPLES], tokens[TRAIN_BATCH];

static void make_samples(void)
{
    support_fill(samples, SAMPLES * FEATURES, -1, 1, 3);
    for (int i = 0; i < SAMPLES; i++)
        sample_labels[i] = i % CLASSES;
    for (int i = 0; i < TRAIN_BATCH; i++)
        tokens[i] = i * 5 % WORDS;
}

/* A stateful LSTM, a sparse embedding and both kinds of dropout over time, under a trainer. */
static training start_training(void)
{
    training t;
    must(gg_model_new(&t.model, 4));
    const gg_value x = gg_input(t.model, "x", 2, (int64_t[]){GG_BATCH, FEATURES});
    const gg_value words = gg_input_labels(t.model, "words", 1, (int64_t[]){GG_BATCH});
    const gg_value labels = gg_input_labels(t.model, "labels", 1, (int64_t[]){GG_BATCH});
    const gg_value word = gg_embedding(t.model, words, WORDS, 3, &(gg_embedding_options){.sparse = true});
    const gg_value both = gg_repeat_time(t.model, gg_concatenate(t.model, (gg_value[]){x, word}, 2), 3);
    const gg_recurrent_options o = {.stateful = true, .recurrent_dropout = 0.25f};
    const gg_value h = gg_lstm(t.model, gg_variational_dropout(t.model, both, 0.125f), HIDDEN, &o, NULL);
    const gg_value scores = gg_affine(t.model, gg_last_step(t.model, h), CLASSES, NULL);
    const gg_value loss = gg_softmax_with_loss(t.model, scores, labels);
    must(gg_model_plan(t.model, loss, TRAIN_BATCH));
    must(gg_model_bind_labels(t.model, words, tokens));
    must(gg_optimizer_new(&t.optimizer, t.model, &(gg_optimizer_options){.kind = GG_ADAM, .clip_norm = 1.0f}));
    const gg_trainer_options options = {.model = t.model,
                                        .input = x,
                                        .labels = labels,
                                        .scores = scores,
                                        .loss = loss,
                                        .optimizer = t.optimizer,
                                        .schedule = {.rate = 0.01f},
                                        .train = {samples, sample_labels, SAMPLES, FEATURES},
                                        .test = {samples, sample_labels, 10, FEATURES},
                                        .batch = TRAIN_BATCH,
                                        .seed = 5};
    must(gg_trainer_new(&t.trainer, &options));
    return t;
}

static void end_training(training *t)
{
    gg_trainer_free(t->trainer);
    gg_optimizer_free(t->optimizer);
    gg_model_free(t->model);
}

static void steps(training *t, int count)
{
    for (int i = 0; i < count; i++)
        must(gg_trainer_step(t->trainer));
}

/* 7 steps are an epoch: stopped in the middle of the second. */
START_TEST(resumed_equals_uninterrupted)
{
    make_samples();
    scratch_make_folder();
    training whole = start_training(), part = start_training(), resumed = start_training();
    steps(&whole, 23);
    steps(&part, 10);
    must(gg_trainer_save(part.trainer, scratch_path("part"), "task"));
    must(gg_trainer_load(resumed.trainer, scratch_path("part"), "task"));
    steps(&resumed, 13);
    const size_t bytes = (size_t)gg_model_parameter_floats(whole.model) * sizeof(float);
    ck_assert_mem_eq(gg_model_parameters(resumed.model), gg_model_parameters(whole.model), bytes);
    ck_assert_mem_eq(gg_model_states(resumed.model), gg_model_states(whole.model),
                     (size_t)gg_model_state_floats(whole.model) * sizeof(float));
    ck_assert(!all_zero(gg_model_states(whole.model), gg_model_state_floats(whole.model)));
    for (int s = 0; s < gg_optimizer_state_count(whole.optimizer); s++)
        ck_assert_mem_eq(gg_optimizer_state(resumed.optimizer, s), gg_optimizer_state(whole.optimizer, s), bytes);
    ck_assert(gg_trainer_where(resumed.trainer).loss == gg_trainer_where(whole.trainer).loss);
    end_training(&whole);
    end_training(&part);
    end_training(&resumed);
    scratch_remove_folder();
}
END_TEST

/* ---- wrong arguments ---- */

static gg_model *wrong;
static gg_value x3, floats2, labels1;

static void start_wrong(void)
{
    must(gg_model_new(&wrong, 1));
    x3 = gg_input(wrong, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, 6});
    floats2 = gg_input(wrong, "floats", 2, (int64_t[]){GG_BATCH, 6});
    labels1 = gg_input_labels(wrong, "labels", 1, (int64_t[]){GG_BATCH});
}

static void expect(gg_value given, gg_status status, const char *layer, const char *fragment)
{
    ck_assert_int_lt(given.id, 0);
    support_assert_fails(gg_model_plan(wrong, GG_NO_VALUE, 4), status, layer, fragment);
    gg_model_free(wrong);
    start_wrong();
}

START_TEST(wrong_options)
{
    start_wrong();
    expect(gg_rnn(wrong, x3, 4, WITH(.activation = GG_SIGMOID), NULL), GG_ERR_ARGUMENT, "gg_rnn", "tanh or ReLU");
    expect(gg_gru(wrong, x3, 4, WITH(.activation = GG_TANH), NULL), GG_ERR_ARGUMENT, "gg_gru", "of gg_rnn alone");
    expect(gg_lstm(wrong, x3, 4, WITH(.reset_before = true), NULL), GG_ERR_ARGUMENT, "gg_lstm", "of gg_gru alone");
    expect(gg_gru(wrong, x3, 4, WITH(.forget_bias = 1), NULL), GG_ERR_ARGUMENT, "gg_gru", "of gg_lstm alone");
    expect(gg_rnn(wrong, x3, 6, WITH(.c0 = &floats2), NULL), GG_ERR_ARGUMENT, "gg_rnn", "c0 is of gg_lstm alone");
    expect(gg_rnn(wrong, x3, 4, WITH(.stateful = true, .bidirectional = true), NULL), GG_ERR_ARGUMENT, "gg_rnn",
           "stateful and bidirectional");
    expect(gg_rnn(wrong, x3, 6, WITH(.stateful = true, .h0 = &floats2), NULL), GG_ERR_ARGUMENT, "gg_rnn",
           "stateful and h0");
    expect(gg_rnn(wrong, x3, 4, WITH(.recurrent_dropout = 1.0f), NULL), GG_ERR_ARGUMENT, "gg_rnn",
           "recurrent_dropout is 1");
    expect(gg_lstm(wrong, x3, 4, WITH(.forget_bias = NAN), NULL), GG_ERR_ARGUMENT, "gg_lstm", "forget_bias is nan");
    expect(gg_lstm(wrong, x3, 4, WITH(.init = (gg_initializer)77), NULL), GG_ERR_ARGUMENT, "gg_lstm", "init is 77");
    expect(gg_lstm(wrong, x3, 0, NULL, NULL), GG_ERR_ARGUMENT, "gg_lstm", "hidden is 0");
    expect(gg_lstm(wrong, x3, INT64_MAX, NULL, NULL), GG_ERR_ARGUMENT, "gg_lstm", "hidden is 9223372036854775807");
    gg_model_free(wrong);
}
END_TEST

START_TEST(wrong_values)
{
    gg_recurrent_outputs out = {x3, x3, x3};
    start_wrong();
    expect(gg_gru(wrong, floats2, 4, NULL, &out), GG_ERR_SHAPE, "gg_gru", "x is [batch, 6], expected [time, batch");
    ck_assert(out.y.id < 0 && out.h_last.id < 0 && out.c_last.id < 0);
    expect(gg_gru(wrong, labels1, 4, NULL, NULL), GG_ERR_ARGUMENT, "gru", "labels");
    expect(gg_gru(wrong, GG_NO_VALUE, 4, NULL, NULL), GG_ERR_ARGUMENT, "gru", "x is not a value");
    expect(gg_gru(wrong, x3, 4, WITH(.h0 = &floats2), NULL), GG_ERR_SHAPE, "gg_gru",
           "h0 is [batch, 6], expected [batch, 4]");
    expect(gg_lstm(wrong, x3, 6, WITH(.c0 = &floats2, .bidirectional = true), NULL), GG_ERR_SHAPE, "gg_lstm",
           "c0 is [batch, 6], expected [batch, 12]");
    expect(gg_lstm(wrong, x3, 6, WITH(.h0 = &labels1), NULL), GG_ERR_ARGUMENT, "lstm", "h0 is the labels");
    expect(gg_lstm(wrong, x3, 6, WITH(.lengths = &floats2), NULL), GG_ERR_ARGUMENT, "gg_lstm", "lengths are floats");
    const gg_value many = gg_input_labels(wrong, "many", 1, (int64_t[]){GG_TIME});
    expect(gg_lstm(wrong, x3, 6, WITH(.lengths = &many), NULL), GG_ERR_SHAPE, "gg_lstm",
           "lengths is [time], expected [batch]");
    expect(gg_lstm_stack(wrong, x3, 6, NULL, NULL, NULL), GG_ERR_ARGUMENT, "gg_lstm_stack", "stack is NULL");
    expect(gg_lstm_stack(wrong, x3, 6, &(gg_stack){0}, NULL, NULL), GG_ERR_ARGUMENT, "gg_lstm_stack", "layers");
    expect(gg_lstm_stack(wrong, x3, 6, &(gg_stack){.layers = 2, .dropout = 2.0f}, NULL, NULL), GG_ERR_ARGUMENT,
           "gg_dropout", "ratio is 2");
    ck_assert_int_lt(gg_rnn(NULL, x3, 6, NULL, NULL).id, 0);
    ck_assert_int_lt(gg_rnn_stack(NULL, x3, 6, &(gg_stack){.layers = 1}, NULL, NULL).id, 0);
    gg_model_free(wrong);
}
END_TEST

static void one_thread_again(void)
{
    gg_set_threads(1);
}

START_TEST(wrong_runs)
{
    int32_t lengths[BATCH] = {2, 5, 0};
    start_wrong();
    const gg_value y = gg_gru(wrong, x3, 4, WITH(.lengths = &labels1), NULL);
    must(gg_model_set_largest(wrong, GG_TIME, STEPS));
    must(gg_model_plan(wrong, GG_NO_VALUE, BATCH));
    must(gg_model_set_extent(wrong, GG_TIME, 4));
    must(gg_model_bind(wrong, x3, support_uniform(4 * BATCH * 6, -1, 1, 1)));
    must(gg_model_bind_labels(wrong, labels1, lengths));
    support_assert_fails(gg_model_forward(wrong, y, GG_INFER), GG_ERR_ARGUMENT, "gg_recurrent_forward", "5");
    lengths[1] = 4;
    must(gg_model_forward(wrong, y, GG_INFER));
    must(gg_set_threads(2));
    support_assert_fails(gg_model_forward(wrong, y, GG_INFER), GG_ERR_STATE, "gg_model_forward", "plan it again");
    gg_model_free(wrong);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, one_thread_again);
    tcase_add_loop_test(tests, windows_equal_one_long_sequence, 0, CELLS);
    tcase_add_loop_test(tests, windows_cut_gradients, 0, CELLS);
    tcase_add_loop_test(tests, only_some_runs_move_states, 0, CELLS);
    tcase_add_loop_test(tests, dropout_rests_outside_of_training, 0, CELLS);
    tcase_add_loop_test(tests, no_steps_and_no_samples, 0, CELLS);
    tcase_add_loop_test(tests, runs_allocate_nothing, 0, CELLS);
    tcase_add_test(tests, parameters_start_gate_by_gate);
    tcase_add_test(tests, decoders_have_a_time_of_their_own);
    tcase_add_test(tests, stacks_name_their_layers);
    tcase_add_test(tests, resumed_equals_uninterrupted);
    tcase_add_test(tests, wrong_options);
    tcase_add_test(tests, wrong_values);
    tcase_add_test(tests, wrong_runs);
}
