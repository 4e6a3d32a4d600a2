/* recurrent_build.c - recurrent layers added to a model: arguments checked, parameters, states and buffers declared. */
#include <stdio.h>
#include <string.h>

#include "recurrent.h"

/* ---- checks ---- */

static const char *kind_name(gg_recurrent_kind kind)
{
    return gg_recurrent_classes[kind].kind;
}

/* Options that the kind does not have, or that exclude each other; NULL: none. */
static const char *misfit(gg_recurrent_kind kind, const gg_recurrent_options *o)
{
    if (kind != GG_KIND_LSTM && (o->c0 != NULL || o->forget_bias != 0.0f))
        return o->c0 != NULL ? "c0 is of gg_lstm alone" : "forget_bias is of gg_lstm alone";
    if (kind != GG_KIND_GRU && o->reset_before)
        return "reset_before is of gg_gru alone";
    if (kind != GG_KIND_RNN ? o->activation != GG_IDENTITY
                            : o->activation != GG_IDENTITY && o->activation != GG_TANH && o->activation != GG_RELU)
        return kind == GG_KIND_RNN ? "activation must be tanh or ReLU" : "activation is of gg_rnn alone";
    if (o->stateful && o->bidirectional)
        return "stateful and bidirectional: the run from the end starts anew in each window";
    if (o->stateful && (o->h0 != NULL || o->c0 != NULL))
        return "stateful and h0 or c0: the run starts from one or the other";
    return NULL;
}

static bool options_fit(gg_model *model, gg_recurrent_kind kind, int64_t hidden, const gg_recurrent_options *o)
{
    const char *wrong = misfit(kind, o);
    if (hidden < 1 || hidden > INT32_MAX)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: hidden is %lld, expected 1 to 2^31 - 1", kind_name(kind),
                       (long long)hidden);
    else if (wrong != NULL)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: %s", kind_name(kind), wrong);
    else if (!(o->recurrent_dropout >= 0.0f && o->recurrent_dropout < 1.0f))
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: recurrent_dropout is %g, expected 0 <= ratio < 1",
                       kind_name(kind), (double)o->recurrent_dropout);
    else if (!(o->forget_bias <= 1e6f)) /* NaN is not */
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: forget_bias is %g", kind_name(kind), (double)o->forget_bias);
    else
        return gg_start_fits(model, kind_name(kind), GG_IDENTITY, o->init, o->init_scale);
    return false;
}

/* Whether `given` is NULL or a value of that shape. */
static bool state_fits(gg_model *model, gg_recurrent_kind kind, const gg_value *given, const gg_shape *expected,
                       const char *argument)
{
    char text[2][96];
    if (given == NULL)
        return true;
    const bool labels = strcmp(argument, "lengths") == 0;
    const gg_shape *shape = gg_value_shape(model, *given, kind_name(kind), argument, labels);
    if (shape == NULL)
        return false;
    if (labels && !model->values[given->id].is_labels)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: lengths are floats, expected labels (gg_input_labels)",
                       kind_name(kind));
    else if (!gg_shapes_equal(shape, expected))
        gg_model_error(model, GG_ERR_SHAPE, "gg_%s: %s is %s, expected %s", kind_name(kind), argument,
                       gg_shape_text(shape, text[0]), gg_shape_text(expected, text[1]));
    return model->error == GG_OK;
}

/* ---- one layer ---- */

static gg_cell cell_of(gg_recurrent_kind kind, const gg_recurrent_options *o)
{
    switch (kind) {
    case GG_KIND_LSTM: return GG_CELL_LSTM;
    case GG_KIND_GRU: return o->reset_before ? GG_CELL_GRU_BEFORE : GG_CELL_GRU;
    default: return o->activation == GG_RELU ? GG_CELL_RNN_RELU : GG_CELL_RNN_TANH;
    }
}

/* A matrix of `rows` inputs to every gate. */
static void add_matrix(gg_model *model, gg_node *node, const char *suffix, int64_t rows, const gg_recurrent_shape *s,
                       gg_initializer init, float scale)
{
    const int gates = gg_cell_gates(s->cell);
    const float deviation =
        init == GG_INIT_ORTHOGONAL ? 1.0f : gg_initial_deviation(init, GG_IDENTITY, rows, s->hidden, scale);
    gg_node_parameter(model, node, suffix, &(gg_shape){2, {rows, gates * s->hidden}}, deviation);
    if (init == GG_INIT_ORTHOGONAL)
        gg_node_orthogonal(model, gates);
}

static void add_parameters(gg_model *model, gg_node *node, const gg_recurrent_shape *s, const gg_recurrent_options *o)
{
    static const char *const names[2][3] = {{"Wx", "Wh", "b"}, {"Wx_reverse", "Wh_reverse", "b_reverse"}};
    const bool is_auto = o->init == GG_INIT_AUTO, is_lstm = s->cell == GG_CELL_LSTM;
    const float forget = !is_lstm || o->forget_bias < 0.0f ? 0.0f : o->forget_bias == 0.0f ? 1.0f : o->forget_bias;
    for (int64_t d = 0; d < s->directions; d++) {
        add_matrix(model, node, names[d][0], s->in, s, is_auto ? GG_INIT_XAVIER : o->init, o->init_scale);
        add_matrix(model, node, names[d][1], s->hidden, s, is_auto ? GG_INIT_ORTHOGONAL : o->init, o->init_scale);
        gg_node_constant_parameter(model, node, names[d][2], &(gg_shape){1, {gg_cell_biases(s->cell) * s->hidden}},
                                   forget);
        if (forget != 0.0f)
            gg_node_start_part(model, s->hidden, s->hidden);
    }
}

/* An input that may be missing: its number, or 0. */
static int add_optional(gg_model *model, gg_node *node, const gg_value *value, bool read_back)
{
    if (value == NULL)
        return 0;
    gg_node_input(model, node, *value, read_back);
    return node->input_count - 1;
}

static int add_scratch(gg_node *node, const gg_shape *shape, gg_buffer_life life)
{
    gg_node_buffer(node, shape, life);
    return node->buffer_count - 1;
}

/* All that the node holds besides parameters, noted in its options. */
static void add_rest(gg_model *model, gg_node *node, gg_value x, const gg_shape *state, const gg_recurrent_options *o)
{
    gg_recurrent_layer *layer = (void *)node->options;
    gg_node_input(model, node, x, true);
    layer->h0 = add_optional(model, node, o->h0, false);
    layer->c0 = add_optional(model, node, o->c0, false);
    layer->lengths = add_optional(model, node, o->lengths, true);
    gg_node_workspace(node, GG_BUFFER_CACHE);
    gg_node_workspace(node, GG_BUFFER_FORWARD);
    gg_node_workspace(node, GG_BUFFER_BACKWARD);
    if (layer->shape.dropout)
        layer->mask = add_scratch(node, state, GG_BUFFER_CACHE);
    if (layer->h0 > 0)
        layer->dh0 = add_scratch(node, state, GG_BUFFER_BACKWARD);
    if (layer->c0 > 0)
        layer->dc0 = add_scratch(node, state, GG_BUFFER_BACKWARD);
    for (int i = 0; i < 1 + layer->cell_state && o->stateful; i++) {
        gg_node_state(model, node, i == 0 ? "h" : "c", state, 0.0f);
        gg_node_sequence_state(model);
    }
}

static gg_value add_layer(gg_model *model, gg_value x, int64_t hidden, gg_recurrent_kind kind,
                          const gg_recurrent_options *given, gg_recurrent_outputs *outputs)
{
    const gg_recurrent_options chosen = given != NULL ? *given : (gg_recurrent_options){0};
    const gg_recurrent_outputs none = {GG_NO_VALUE, GG_NO_VALUE, GG_NO_VALUE};
    gg_recurrent_outputs unused, *out = outputs != NULL ? outputs : &unused;
    char text[96];
    *out = none;
    const int64_t in = gg_value_features(model, x, kind_name(kind), "x");
    if (in == 0 || !options_fit(model, kind, hidden, &chosen))
        return GG_NO_VALUE;
    gg_shape shape = model->values[x.id].shape;
    if (shape.rank != 3)
        return gg_model_error(model, GG_ERR_SHAPE, "gg_%s: x is %s, expected [time, batch, features]", kind_name(kind),
                              gg_shape_text(&shape, text));
    const int64_t directions = chosen.bidirectional ? 2 : 1;
    const gg_shape state = {2, {shape.dims[1], directions * hidden}};
    if (!state_fits(model, kind, chosen.h0, &state, "h0") || !state_fits(model, kind, chosen.c0, &state, "c0")
        || !state_fits(model, kind, chosen.lengths, &(gg_shape){1, {shape.dims[1]}}, "lengths"))
        return GG_NO_VALUE;
    const gg_recurrent_layer o = {.shape = {.cell = cell_of(kind, &chosen),
                                            .steps = shape.dims[0],
                                            .batch = shape.dims[1],
                                            .in = in,
                                            .hidden = hidden,
                                            .directions = directions,
                                            .dropout = chosen.recurrent_dropout > 0.0f},
                                  .stateful = chosen.stateful,
                                  .cell_state = kind == GG_KIND_LSTM,
                                  .dropout = chosen.recurrent_dropout,
                                  .number = model->node_count};
    gg_node *node = gg_node_begin(model, &gg_recurrent_classes[kind], &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    add_parameters(model, node, &o.shape, &chosen);
    add_rest(model, node, x, &state, &chosen);
    shape.dims[2] = directions * hidden;
    out->y = gg_node_output(model, node, &shape);
    out->h_last = gg_node_output(model, node, &state);
    if (o.cell_state)
        out->c_last = gg_node_output(model, node, &state);
    if (model->error != GG_OK)
        *out = none;
    return out->y;
}

gg_value gg_rnn(gg_model *model, gg_value x, int64_t hidden, const gg_recurrent_options *options,
                gg_recurrent_outputs *outputs)
{
    return add_layer(model, x, hidden, GG_KIND_RNN, options, outputs);
}

gg_value gg_lstm(gg_model *model, gg_value x, int64_t hidden, const gg_recurrent_options *options,
                 gg_recurrent_outputs *outputs)
{
    return add_layer(model, x, hidden, GG_KIND_LSTM, options, outputs);
}

gg_value gg_gru(gg_model *model, gg_value x, int64_t hidden, const gg_recurrent_options *options,
                gg_recurrent_outputs *outputs)
{
    return add_layer(model, x, hidden, GG_KIND_GRU, options, outputs);
}

/* ---- several layers ---- */

static gg_value add_stack(gg_model *model, gg_value x, int64_t hidden, gg_recurrent_kind kind, const gg_stack *stack,
                          const gg_recurrent_options *given, gg_recurrent_outputs *outputs)
{
    gg_recurrent_options o = given != NULL ? *given : (gg_recurrent_options){0};
    char base[GG_NAME_BYTES] = "", name[GG_NAME_BYTES + 16];
    if (model == NULL || model->error != GG_OK)
        return GG_NO_VALUE;
    if (stack == NULL || stack->layers < 1)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s_stack: %s", kind_name(kind),
                              stack == NULL ? "stack is NULL" : "layers is less than 1");
    memcpy(base, model->next_name, sizeof base);
    model->next_name[0] = '\0';
    for (int i = 0; i < stack->layers; i++) {
        o.h0 = given != NULL && given->h0 != NULL ? &given->h0[i] : NULL;
        o.c0 = given != NULL && given->c0 != NULL ? &given->c0[i] : NULL;
        if (i > 0 && stack->dropout != 0.0f)
            x = stack->variational ? gg_variational_dropout(model, x, stack->dropout)
                                   : gg_dropout(model, x, stack->dropout);
        snprintf(name, sizeof name, "%s%d", base, i + 1);
        if (base[0] != '\0')
            gg_model_name_next(model, name);
        x = add_layer(model, x, hidden, kind, &o, outputs != NULL ? &outputs[i] : NULL);
    }
    return x;
}

gg_value gg_rnn_stack(gg_model *model, gg_value x, int64_t hidden, const gg_stack *stack,
                      const gg_recurrent_options *options, gg_recurrent_outputs *outputs)
{
    return add_stack(model, x, hidden, GG_KIND_RNN, stack, options, outputs);
}

gg_value gg_lstm_stack(gg_model *model, gg_value x, int64_t hidden, const gg_stack *stack,
                       const gg_recurrent_options *options, gg_recurrent_outputs *outputs)
{
    return add_stack(model, x, hidden, GG_KIND_LSTM, stack, options, outputs);
}

gg_value gg_gru_stack(gg_model *model, gg_value x, int64_t hidden, const gg_stack *stack,
                      const gg_recurrent_options *options, gg_recurrent_outputs *outputs)
{
    return add_stack(model, x, hidden, GG_KIND_GRU, stack, options, outputs);
}
