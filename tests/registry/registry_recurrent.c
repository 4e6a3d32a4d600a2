/* registry_recurrent.c - the recurrent layers for the registry: every cell, every option somewhere. */
#define SUPPORT_NO_MAIN
#include "registry.h"

#include <gemmgrad/sequence.h>

#include "support.h"

/* What a layer is given besides x; values of the twin, -1: none. */
typedef struct recurrent_case {
    reference_cell cell;
    bool bidirectional;
    int h0, c0, lengths;
    float dropout;
} recurrent_case;

/* Its outputs, as values of the twin; c_last: -1 unless the cell is an LSTM's. */
typedef struct recurrent_values {
    int y, h_last, c_last;
} recurrent_values;

static int64_t hidden_of(const registry_sizes *s)
{
    return 1 + s->out % 5;
}

/* Small enough for the reference, whose loops are slow. */
static int64_t features_of(const registry_sizes *s)
{
    return 1 + s->in % 7;
}

static int sequence(twin *t, const registry_sizes *s)
{
    const int64_t dims[] = {GG_TIME, GG_BATCH, features_of(s)};
    return twin_input(t, "x", 3, dims, TWIN_UNIFORM, -2.0, 2.0);
}

static int state(twin *t, const char *name, int64_t width)
{
    return twin_input(t, name, 2, (int64_t[]){GG_BATCH, width}, TWIN_UNIFORM, -1.0, 1.0);
}

static int lengths(twin *t, const registry_sizes *s)
{
    return twin_input(t, "lengths", 1, (int64_t[]){GG_BATCH}, TWIN_LABELS, 0.0, (double)registry_time(s) + 1.0);
}

static gg_recurrent_outputs call(twin *t, int x, int64_t hidden, const recurrent_case *c)
{
    gg_recurrent_outputs outputs;
    const gg_recurrent_options o = {.activation = c->cell == REFERENCE_RELU ? GG_RELU : GG_IDENTITY,
                                    .reset_before = c->cell == REFERENCE_GRU_BEFORE,
                                    .bidirectional = c->bidirectional,
                                    .h0 = c->h0 >= 0 ? &t->values[c->h0].value : NULL,
                                    .c0 = c->c0 >= 0 ? &t->values[c->c0].value : NULL,
                                    .lengths = c->lengths >= 0 ? &t->values[c->lengths].value : NULL,
                                    .recurrent_dropout = c->dropout};
    const gg_value in = t->values[x].value;
    const gg_value y = c->cell == REFERENCE_LSTM  ? gg_lstm(t->model, in, hidden, &o, &outputs)
                       : c->cell >= REFERENCE_GRU ? gg_gru(t->model, in, hidden, &o, &outputs)
                                                  : gg_rnn(t->model, in, hidden, &o, &outputs);
    ck_assert_int_eq(y.id, outputs.y.id);
    ck_assert((outputs.c_last.id >= 0) == (c->cell == REFERENCE_LSTM));
    return outputs;
}

/* The outputs of the library's layer, as so many values of the twin that share its parameters. */
static recurrent_values describe(twin *t, int x, int64_t hidden, const recurrent_case *c,
                                 const gg_recurrent_outputs *outputs)
{
    twin_value how = {.layer = &reference_recurrent,
                      .inputs = {x, c->h0, c->c0, c->lengths},
                      .input_count = 4,
                      .recurrence = {c->cell, hidden, c->bidirectional ? 2 : 1, 0},
                      .ratio = c->dropout};
    recurrent_values v = {twin_layer(t, outputs->y, how), -1, -1};
    how.another = true;
    how.shares = v.y;
    how.recurrence.output = 1;
    v.h_last = twin_layer(t, outputs->h_last, how);
    how.recurrence.output = 2;
    if (c->cell == REFERENCE_LSTM)
        v.c_last = twin_layer(t, outputs->c_last, how);
    return v;
}

static recurrent_values add_recurrent(twin *t, int x, int64_t hidden, const recurrent_case *c)
{
    const gg_recurrent_outputs outputs = call(t, x, hidden, c);
    return describe(t, x, hidden, c, &outputs);
}

static int add_repeat(twin *t, int x)
{
    return twin_layer(t, gg_repeat_time(t->model, t->values[x].value, GG_TIME),
                      (twin_value){.layer = &reference_repeat_time, .inputs = {x}, .input_count = 1});
}

/* All outputs in one: y times the last h of each sample (and its last c) at every step. */
static int join(twin *t, const recurrent_values *v)
{
    const int last = v->c_last >= 0 ? twin_pair(t, &reference_add, v->h_last, v->c_last) : v->h_last;
    return twin_pair(t, &reference_add, v->y, add_repeat(t, last));
}

static int plain(twin *t, const registry_sizes *s, reference_cell cell)
{
    const recurrent_case c = {.cell = cell, .h0 = -1, .c0 = -1, .lengths = -1};
    return add_recurrent(t, sequence(t, s), hidden_of(s), &c).y;
}

int registry_rnn(twin *t, const registry_sizes *s)
{
    return plain(t, s, REFERENCE_TANH);
}

int registry_rnn_relu(twin *t, const registry_sizes *s)
{
    return plain(t, s, REFERENCE_RELU);
}

int registry_lstm(twin *t, const registry_sizes *s)
{
    return plain(t, s, REFERENCE_LSTM);
}

int registry_gru(twin *t, const registry_sizes *s)
{
    return plain(t, s, REFERENCE_GRU);
}

int registry_gru_before(twin *t, const registry_sizes *s)
{
    return plain(t, s, REFERENCE_GRU_BEFORE);
}

/* With states at the start that learn, lengths, and gradients from every output; x is read by another layer, too. */
static int full(twin *t, const registry_sizes *s, reference_cell cell, bool bidirectional)
{
    const int64_t hidden = hidden_of(s), width = bidirectional ? 2 * hidden : hidden;
    const int x = twin_affine(t, sequence(t, s), width, GG_TANH, 0.0f), before = state(t, "h0", width);
    const recurrent_case c = {.cell = cell,
                              .bidirectional = bidirectional,
                              .h0 = twin_affine(t, before, width, GG_TANH, 0.0f),
                              .c0 = cell == REFERENCE_LSTM ? state(t, "c0", width) : -1,
                              .lengths = lengths(t, s)};
    const recurrent_values v = add_recurrent(t, x, hidden, &c);
    return twin_pair(t, &reference_add, join(t, &v), x);
}

int registry_rnn_full(twin *t, const registry_sizes *s)
{
    return full(t, s, REFERENCE_TANH, true);
}

int registry_lstm_full(twin *t, const registry_sizes *s)
{
    return full(t, s, REFERENCE_LSTM, false);
}

int registry_lstm_bidirectional(twin *t, const registry_sizes *s)
{
    return full(t, s, REFERENCE_LSTM, true);
}

int registry_gru_bidirectional(twin *t, const registry_sizes *s)
{
    return full(t, s, REFERENCE_GRU, true);
}

int registry_gru_before_full(twin *t, const registry_sizes *s)
{
    return full(t, s, REFERENCE_GRU_BEFORE, false);
}

/* One mask for all steps, another for each direction. */
static int dropping(twin *t, const registry_sizes *s, reference_cell cell)
{
    const recurrent_case c = {
        .cell = cell, .bidirectional = true, .h0 = -1, .c0 = -1, .lengths = -1, .dropout = 0.375f};
    return add_recurrent(t, sequence(t, s), hidden_of(s), &c).y;
}

int registry_rnn_dropout(twin *t, const registry_sizes *s)
{
    return dropping(t, s, REFERENCE_TANH);
}

int registry_lstm_dropout(twin *t, const registry_sizes *s)
{
    return dropping(t, s, REFERENCE_LSTM);
}

int registry_gru_dropout(twin *t, const registry_sizes *s)
{
    return dropping(t, s, REFERENCE_GRU);
}

int registry_gru_before_dropout(twin *t, const registry_sizes *s)
{
    return dropping(t, s, REFERENCE_GRU_BEFORE);
}

/* Of 2 layers, as the library's stack makes them: layer, dropout, layer. */
static int describe_stack(twin *t, int x, int64_t hidden, const recurrent_case *c,
                          const gg_recurrent_outputs outputs[2], const reference_layer *dropout)
{
    const recurrent_values first = describe(t, x, hidden, c, &outputs[0]);
    const gg_value dropped = {outputs[0].y.id + (c->cell == REFERENCE_LSTM ? 3 : 2)}; /* behind the first's outputs */
    const int between =
        twin_layer(t, dropped, (twin_value){.layer = dropout, .inputs = {first.y}, .input_count = 1, .ratio = 0.25f});
    const recurrent_values second = describe(t, between, hidden, c, &outputs[1]);
    return twin_pair(t, &reference_add, second.y, add_repeat(t, first.h_last));
}

static const recurrent_case stacked = {.h0 = -1, .c0 = -1, .lengths = -1};

int registry_rnn_stack(twin *t, const registry_sizes *s)
{
    gg_recurrent_outputs outputs[2];
    const int x = sequence(t, s);
    recurrent_case c = stacked;
    c.cell = REFERENCE_TANH;
    gg_rnn_stack(t->model, t->values[x].value, hidden_of(s), &(gg_stack){2, 0.25f, false}, NULL, outputs);
    return describe_stack(t, x, hidden_of(s), &c, outputs, &reference_dropout);
}

int registry_lstm_stack(twin *t, const registry_sizes *s)
{
    gg_recurrent_outputs outputs[2];
    const int x = sequence(t, s);
    recurrent_case c = stacked;
    c.cell = REFERENCE_LSTM;
    gg_lstm_stack(t->model, t->values[x].value, hidden_of(s), &(gg_stack){2, 0.25f, true}, NULL, outputs);
    return describe_stack(t, x, hidden_of(s), &c, outputs, &reference_variational_dropout);
}

int registry_gru_stack(twin *t, const registry_sizes *s)
{
    gg_recurrent_outputs outputs[2];
    const int x = sequence(t, s);
    recurrent_case c = stacked;
    c.cell = REFERENCE_GRU;
    c.bidirectional = true;
    const gg_recurrent_options o = {.bidirectional = true};
    gg_gru_stack(t->model, t->values[x].value, hidden_of(s), &(gg_stack){2, 0.25f, false}, &o, outputs);
    return describe_stack(t, x, hidden_of(s), &c, outputs, &reference_dropout);
}

/* An encoder whose last state is where two decoders start: its gradient is the sum of theirs. */
int registry_encoder_decoder(twin *t, const registry_sizes *s)
{
    const int64_t hidden = hidden_of(s);
    const int x = sequence(t, s);
    recurrent_case c = stacked;
    c.cell = REFERENCE_LSTM;
    const recurrent_values encoder = add_recurrent(t, x, hidden, &c);
    c.h0 = encoder.h_last;
    c.c0 = encoder.c_last;
    const recurrent_values left = add_recurrent(t, x, hidden, &c), right = add_recurrent(t, encoder.y, hidden, &c);
    return twin_pair(t, &reference_multiply, left.y, right.y);
}
