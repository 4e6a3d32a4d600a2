/* registry.c - see registry.h. */
#define SUPPORT_NO_MAIN
#include "registry.h"

#include "support.h"

/* ---- functions with arguments of their own ---- */

static gg_value call_affine(gg_model *model, gg_value x, gg_value second, int64_t out, const registry_entry *entry)
{
    (void)second;
    return gg_affine(model, x, out, &(gg_affine_options){.activation = entry->activation, .alpha = entry->number});
}

static gg_value call_matmul(gg_model *model, gg_value x, gg_value second, int64_t out, const registry_entry *entry)
{
    (void)second;
    (void)entry;
    return gg_matmul(model, x, out, NULL);
}

static gg_value call_activate(gg_model *model, gg_value x, gg_value second, int64_t out, const registry_entry *entry)
{
    (void)second;
    (void)out;
    return gg_activate(model, x, entry->activation, entry->number);
}

static gg_value call_leaky_relu(gg_model *model, gg_value x, gg_value second, int64_t out, const registry_entry *entry)
{
    (void)second;
    (void)out;
    return gg_leaky_relu(model, x, entry->number);
}

static gg_value call_elu(gg_model *model, gg_value x, gg_value second, int64_t out, const registry_entry *entry)
{
    (void)second;
    (void)out;
    return gg_elu(model, x, entry->number);
}

static gg_value call_dropout(gg_model *model, gg_value x, gg_value second, int64_t out, const registry_entry *entry)
{
    (void)second;
    (void)out;
    return gg_dropout(model, x, entry->number);
}

static gg_value call_max_pool(gg_model *model, gg_value x, gg_value second, int64_t out, const registry_entry *entry)
{
    (void)second;
    (void)out;
    return gg_max_pool(model, x, &entry->window);
}

static gg_value call_average_pool(gg_model *model, gg_value x, gg_value second, int64_t out,
                                  const registry_entry *entry)
{
    (void)second;
    (void)out;
    return gg_average_pool(model, x, &entry->window);
}

static gg_value call_batch_normalization(gg_model *model, gg_value x, gg_value second, int64_t out,
                                         const registry_entry *entry)
{
    (void)second;
    (void)out;
    return gg_batch_normalization(model, x, &(gg_batchnorm_options){.relu = entry->relu});
}

static gg_value call_spatial_dropout(gg_model *model, gg_value x, gg_value second, int64_t out,
                                     const registry_entry *entry)
{
    (void)second;
    (void)out;
    return gg_spatial_dropout(model, x, entry->number);
}

static gg_value call_repeat(gg_model *model, gg_value x, gg_value second, int64_t out, const registry_entry *entry)
{
    (void)second;
    (void)entry;
    return gg_node_repeat(model, x, out);
}

/* ---- networks ---- */

void registry_image(int64_t dims[GG_MAX_RANK], const registry_sizes *s, int rank)
{
    dims[0] = GG_BATCH;
    dims[1] = 1 + s->in % 5;
    dims[2] = 3 + s->out % 11;
    dims[rank > 3 ? 3 : 2] = 3 + (s->in + s->time) % 9;
}

static int input(twin *t, const char *name, const registry_sizes *s, int64_t last, twin_content content)
{
    int64_t dims[] = {GG_BATCH, GG_TIME, 3, last};
    if (s->rank == 0)
        return twin_input(t, name, 1, dims, content, -2.0, 2.0);
    dims[s->rank - 1] = last;
    return twin_input(t, name, s->rank, dims, content, -2.0, 2.0);
}

/* A class for each row of an input of that shape. */
static int labels(twin *t, const char *name, const registry_sizes *s, int64_t classes, twin_content content)
{
    const int64_t dims[] = {s->rank > 1 ? GG_BATCH : 1, GG_TIME, 3};
    return twin_input(t, name, s->rank > 1 ? s->rank - 1 : 1, dims, content, 0.0, (double)classes);
}

static int sequential(twin *t, const registry_sizes *s)
{
    const gg_layer_spec specs[] = {
        {.kind = GG_LAYER_AFFINE, .out = s->out, .activation = GG_LEAKY_RELU, .number = 0.25f},
        {.kind = GG_LAYER_DROPOUT, .number = 0.25f},
        {.kind = GG_LAYER_MATMUL, .out = s->in},
        {.kind = GG_LAYER_ACTIVATION, .activation = GG_ELU, .number = 0.5f},
        {.kind = GG_LAYER_SOFTMAX},
    };
    const int x = input(t, "x", s, s->in, TWIN_UNIFORM);
    const gg_value last = gg_sequential(t->model, t->values[x].value, specs, 5);
    twin_value layers[] = {
        {.layer = &reference_affine, .out = s->out, .activation = GG_LEAKY_RELU, .alpha = 0.25},
        {.layer = &reference_dropout, .ratio = 0.25f},
        {.layer = &reference_affine, .out = s->in, .b = -1},
        {.layer = &reference_activation_layer, .activation = GG_ELU, .alpha = 0.5},
        {.layer = &reference_softmax_layer},
    };
    int v = x;
    for (int i = 0; i < 5; i++) {
        layers[i].inputs[0] = v;
        layers[i].input_count = 1;
        v = twin_layer(t, (gg_value){last.id - 4 + i}, layers[i]); /* values are numbered in the order of building */
    }
    return v;
}

/* h is read by five layers, whose classes add to a gradient or only overwrite it, and twice by one of them. */
static int fan_out(twin *t, const registry_sizes *s)
{
    const int x = input(t, "x", s, s->in, TWIN_UNIFORM);
    const int h = twin_affine(t, x, s->out, GG_TANH, 0.0f);
    const int square = twin_pair(t, &reference_multiply, h, h);
    const int again = twin_affine(t, h, s->out, GG_SIGMOID, 0.0f);
    const int soft = twin_softmax(t, h);
    const int other = twin_affine(t, h, s->out, GG_IDENTITY, 0.0f);
    const int gelu = twin_activate(t, h, GG_GELU, 0.0f);
    const int left = twin_pair(t, &reference_add, square, again);
    const int right = twin_pair(t, &reference_multiply, soft, other);
    const int both = twin_pair(t, &reference_add, left, right);
    return twin_pair(t, &reference_add, both, gelu);
}

static int residual(twin *t, const registry_sizes *s)
{
    const int x = input(t, "x", s, s->in, TWIN_UNIFORM);
    int v = x;
    for (int i = 0; i < 3; i++)
        v = twin_pair(t, &reference_add, v, twin_affine(t, v, s->in, GG_SILU, 0.0f));
    return twin_affine(t, v, s->out, GG_IDENTITY, 0.0f);
}

/* What attention will look like from afar: two inputs, gradients into both, one read twice. */
static int two_inputs(twin *t, const registry_sizes *s)
{
    const int encoder = input(t, "x", s, s->in, TWIN_UNIFORM), decoder = input(t, "second", s, s->out, TWIN_UNIFORM);
    const int key = twin_affine(t, encoder, s->out, GG_IDENTITY, 0.0f);
    const int weights = twin_softmax(t, twin_pair(t, &reference_multiply, key, decoder));
    const int context = twin_pair(t, &reference_multiply, weights, twin_affine(t, encoder, s->out, GG_TANH, 0.0f));
    return twin_pair(t, &reference_add, context, decoder);
}

static int classifier(twin *t, const registry_sizes *s)
{
    const int x = input(t, "x", s, s->in, TWIN_UNIFORM);
    const int hidden = twin_affine(t, x, s->out, GG_RELU, 0.0f);
    const int scores = twin_affine(t, hidden, 4, GG_IDENTITY, 0.0f);
    return twin_softmax_with_loss(t, scores, labels(t, "second", s, 4, TWIN_SOME_IGNORED));
}

/* Losses of the same scores, two of which work ahead in forward, and a product that makes their own gradients no 1. */
static int three_losses(twin *t, const registry_sizes *s)
{
    const int x = input(t, "x", s, s->in, TWIN_UNIFORM);
    const int scores = twin_affine(t, x, s->out, GG_IDENTITY, 0.0f);
    const int targets = input(t, "second", s, s->out, TWIN_ONE_HOT);
    const int first = twin_softmax_with_loss(t, scores, targets);
    const int second = twin_softmax_with_loss(t, scores, labels(t, "labels", s, s->out, TWIN_LABELS));
    const int third = twin_pair(t, &reference_mean_squared_error, scores, targets);
    const int product = twin_pair(t, &reference_multiply, twin_pair(t, &reference_multiply, first, second), third);
    return twin_pair(t, &reference_add, product, first);
}

/* A second network sets the targets and learns, too. */
static int learned_targets(twin *t, const registry_sizes *s)
{
    const int x = input(t, "x", s, s->in, TWIN_UNIFORM);
    const int scores = twin_affine(t, x, s->out, GG_IDENTITY, 0.0f);
    const int targets = twin_softmax(t, twin_affine(t, x, s->out, GG_TANH, 0.0f));
    const int ahead = twin_softmax_with_loss(t, scores, targets);
    const int behind = twin_pair(t, &reference_cross_entropy_error, twin_softmax(t, scores), targets);
    return twin_pair(t, &reference_add, ahead, behind);
}

/* A residual block of images, without its convolutions, and a classifier behind it. */
static int image_network(twin *t, const registry_sizes *s)
{
    int64_t dims[GG_MAX_RANK];
    registry_image(dims, s, 4);
    const int x = twin_input(t, "x", 4, dims, TWIN_UNIFORM, -2.0, 2.0);
    const int stem = twin_image(t, x, (twin_value){.layer = &reference_batch_normalization, .relu = true});
    const gg_pool_window dense = {3, 3, 1, 1, 1, 1, 1, 1, false};
    const int smooth = twin_image(t, stem, (twin_value){.layer = &reference_average_pool, .window = dense});
    const int normal = twin_image(t, smooth, (twin_value){.layer = &reference_batch_normalization});
    const int dropped = twin_image(t, normal, (twin_value){.layer = &reference_spatial_dropout, .ratio = 0.25f});
    const int joined = twin_pair(t, &reference_add_relu, dropped, stem);
    const gg_pool_window halving = {2, 2, 0, 0, 0, 0, 0, 0, false};
    const int small = twin_image(t, joined, (twin_value){.layer = &reference_max_pool, .window = halving});
    const int flat = twin_image(t, small, (twin_value){.layer = &reference_flatten});
    const int deep = twin_image(t, joined, (twin_value){.layer = &reference_global_average_pool});
    const int scores = twin_affine(t, flat, 3, GG_IDENTITY, 0.0f);
    return twin_pair(t, &reference_multiply, scores, twin_affine(t, deep, 3, GG_TANH, 0.0f));
}

/* ---- the table ---- */

#define CONVOLUTION(NAME) .name = #NAME, .network = registry_##NAME, .images = true

#define SEQUENCE(NAME) .name = #NAME, .network = registry_##NAME, .sequences = true

#define AFFINE(NAME, F) .name = NAME, .call = call_affine, .layer = &reference_affine, .activation = F
#define ELEMENT(NAME, CALL, F) \
    .name = NAME, .CALL, .layer = &reference_activation_layer, .activation = F, .any_last = true
#define NODE(NAME, CALL, LAYER) .name = NAME, .CALL, .layer = &LAYER, .any_last = true
#define IMAGE_OF(RANK, NAME, CALL, LAYER) .name = NAME, .CALL, .layer = &LAYER, .image_rank = RANK
#define IMAGE(NAME, CALL, LAYER) IMAGE_OF(4, NAME, CALL, LAYER)
#define LOSS(NAME, CALL, LAYER, SECOND) .name = NAME, .binary = CALL, .layer = &LAYER, .second = SECOND

const registry_entry registry[] = {
    {AFFINE("affine", GG_IDENTITY)},
    {AFFINE("affine_sigmoid", GG_SIGMOID)},
    {AFFINE("affine_tanh", GG_TANH)},
    {AFFINE("affine_relu", GG_RELU)},
    {AFFINE("affine_leaky_relu", GG_LEAKY_RELU), .number = 0.125f},
    {AFFINE("affine_elu", GG_ELU), .number = 0.75f},
    {AFFINE("affine_silu", GG_SILU)},
    {AFFINE("affine_gelu", GG_GELU)},
    {AFFINE("affine_gelu_tanh", GG_GELU_TANH)},
    {AFFINE("affine_exp", GG_EXP)},
    {AFFINE("affine_log", GG_LOG), .low = 0.5, .high = 2.0, .weight_low = 0.5, .weight_high = 1.5},
    {.name = "matmul", .call = call_matmul, .layer = &reference_affine, .no_bias = true},

    {ELEMENT("identity", call = call_activate, GG_IDENTITY)},
    {ELEMENT("sigmoid", unary = gg_sigmoid, GG_SIGMOID)},
    {ELEMENT("tanh", unary = gg_tanh, GG_TANH)},
    {ELEMENT("relu", unary = gg_relu, GG_RELU)},
    {ELEMENT("leaky_relu", call = call_leaky_relu, GG_LEAKY_RELU), .number = 0.125f},
    {ELEMENT("elu", call = call_elu, GG_ELU), .number = 0.75f},
    {ELEMENT("silu", unary = gg_silu, GG_SILU)},
    {ELEMENT("gelu", unary = gg_gelu, GG_GELU)},
    {ELEMENT("gelu_tanh", unary = gg_gelu_tanh, GG_GELU_TANH)},
    {ELEMENT("exp", unary = gg_node_exp, GG_EXP)},
    {ELEMENT("log", unary = gg_node_log, GG_LOG), .low = 0.25, .high = 4.0},
    {.name = "softmax", .unary = gg_softmax, .layer = &reference_softmax_layer},
    {.name = "dropout", .call = call_dropout, .layer = &reference_dropout, .number = 0.375f, .any_last = true},

    {LOSS("softmax_with_loss_labels", gg_softmax_with_loss, reference_softmax_with_loss, SECOND_LABELS)},
    {LOSS("softmax_with_loss_ignored", gg_softmax_with_loss, reference_softmax_with_loss, SECOND_SOME_IGNORED)},
    {LOSS("softmax_with_loss_all_ignored", gg_softmax_with_loss, reference_softmax_with_loss, SECOND_ALL_IGNORED)},
    {LOSS("softmax_with_loss_one_hot", gg_softmax_with_loss, reference_softmax_with_loss, SECOND_ONE_HOT)},
    {LOSS("softmax_with_loss_soft", gg_softmax_with_loss, reference_softmax_with_loss, SECOND_SAME_SHAPE),
     .second_low = 0.0625, .second_high = 1.0},
    {LOSS("cross_entropy_error_labels", gg_cross_entropy_error, reference_cross_entropy_error, SECOND_LABELS),
     .low = 0.0625, .high = 1.0},
    {LOSS("cross_entropy_error_ignored", gg_cross_entropy_error, reference_cross_entropy_error, SECOND_SOME_IGNORED),
     .low = 0.0625, .high = 1.0},
    {LOSS("cross_entropy_error_all_ignored", gg_cross_entropy_error, reference_cross_entropy_error, SECOND_ALL_IGNORED),
     .low = 0.0625, .high = 1.0},
    {LOSS("cross_entropy_error_one_hot", gg_cross_entropy_error, reference_cross_entropy_error, SECOND_ONE_HOT),
     .low = 0.0625, .high = 1.0},
    {LOSS("cross_entropy_error_soft", gg_cross_entropy_error, reference_cross_entropy_error, SECOND_SAME_SHAPE),
     .low = 0.0625, .high = 1.0, .second_low = 0.0625, .second_high = 1.0},
    {LOSS("mean_squared_error", gg_mean_squared_error, reference_mean_squared_error, SECOND_SAME_SHAPE),
     .any_last = true},

    {NODE("add", binary = gg_node_add, reference_add), .second = SECOND_SAME_SHAPE},
    {NODE("multiply", binary = gg_node_multiply, reference_multiply), .second = SECOND_SAME_SHAPE},
    {NODE("divide", binary = gg_node_divide, reference_divide), .second = SECOND_SAME_SHAPE, .second_low = 0.5,
     .second_high = 2.0},
    {NODE("repeat", call = call_repeat, reference_repeat), .highest_rank = 3},
    {NODE("sum", unary = gg_node_sum, reference_sum)},

    {NODE("add_relu", binary = gg_node_add_relu, reference_add_relu), .second = SECOND_SAME_SHAPE},

    {IMAGE("max_pool", call = call_max_pool, reference_max_pool), .window = {2, 2, 0, 0, 0, 0, 0, 0, false}},
    {IMAGE("max_pool_overlapping", call = call_max_pool, reference_max_pool),
     .window = {3, 3, 2, 2, 1, 1, 1, 1, false}},
    {IMAGE("max_pool_uneven", call = call_max_pool, reference_max_pool), .window = {2, 3, 3, 1, 0, 1, 1, 0, false}},
    {IMAGE_OF(3, "max_pool_signal", call = call_max_pool, reference_max_pool),
     .window = {1, 3, 1, 3, 0, 0, 1, 1, false}},
    {IMAGE("average_pool", call = call_average_pool, reference_average_pool),
     .window = {2, 2, 0, 0, 0, 0, 0, 0, false}},
    {IMAGE("average_pool_padded", call = call_average_pool, reference_average_pool),
     .window = {3, 3, 2, 2, 1, 1, 1, 1, false}},
    {IMAGE("average_pool_excluding", call = call_average_pool, reference_average_pool),
     .window = {3, 3, 2, 1, 1, 1, 1, 1, true}},
    {IMAGE_OF(3, "average_pool_signal", call = call_average_pool, reference_average_pool),
     .window = {1, 2, 1, 1, 0, 0, 1, 1, false}},
    {IMAGE("global_max_pool", unary = gg_global_max_pool, reference_global_max_pool)},
    {IMAGE("global_average_pool", unary = gg_global_average_pool, reference_global_average_pool)},
    {IMAGE("batch_normalization", call = call_batch_normalization, reference_batch_normalization)},
    {IMAGE("batch_normalization_relu", call = call_batch_normalization, reference_batch_normalization), .relu = true},
    /* so small that epsilon counts, and that the gradients of two values do not cancel */
    {IMAGE_OF(2, "batch_normalization_values", call = call_batch_normalization, reference_batch_normalization),
     .low = -0.0078125, .high = 0.0078125},
    {IMAGE("spatial_dropout", call = call_spatial_dropout, reference_spatial_dropout), .number = 0.375f},
    {IMAGE("flatten", unary = gg_flatten, reference_flatten)},

    {.name = "image_network", .network = image_network, .image_rank = 4},
    {.name = "sequential", .network = sequential},
    {.name = "fan_out", .network = fan_out},
    {.name = "residual", .network = residual},
    {.name = "two_inputs", .network = two_inputs},
    {.name = "classifier", .network = classifier},
    {.name = "three_losses", .network = three_losses},
    {.name = "learned_targets", .network = learned_targets},

    {SEQUENCE(embedding)},
    {SEQUENCE(embedding_sparse)},
    {SEQUENCE(tied)},
    {SEQUENCE(concatenate)},
    {SEQUENCE(repeat_time)},
    {SEQUENCE(steps)},
    {SEQUENCE(variational_dropout)},
    {SEQUENCE(multi_head)},
    {SEQUENCE(multi_head_cross)},
    {SEQUENCE(attention_groups)},
    {SEQUENCE(attention_parts)},
    {SEQUENCE(score_dot)},
    {SEQUENCE(score_scaled)},
    {SEQUENCE(score_general)},
    {SEQUENCE(score_additive)},
    {SEQUENCE(score_location)},
    {SEQUENCE(score_monotonic)},
    {SEQUENCE(score_predictive)},
    {SEQUENCE(score_predictive_additive)},
    {SEQUENCE(rnn)},
    {SEQUENCE(rnn_relu)},
    {SEQUENCE(lstm)},
    {SEQUENCE(gru)},
    {SEQUENCE(gru_before)},
    {SEQUENCE(rnn_full)},
    {SEQUENCE(lstm_full)},
    {SEQUENCE(lstm_bidirectional)},
    {SEQUENCE(gru_bidirectional)},
    {SEQUENCE(gru_before_full)},
    {SEQUENCE(rnn_dropout)},
    {SEQUENCE(lstm_dropout)},
    {SEQUENCE(gru_dropout)},
    {SEQUENCE(gru_before_dropout)},
    {SEQUENCE(rnn_stack)},
    {SEQUENCE(lstm_stack)},
    {SEQUENCE(gru_stack)},
    {SEQUENCE(encoder_decoder)},
    {SEQUENCE(mean_rows)},
    {SEQUENCE(negative_sampling)},
    {SEQUENCE(skip_gram)},

    {SEQUENCE(layer_normalization)},
    {SEQUENCE(rms_normalization)},
    {SEQUENCE(swiglu)},
    {SEQUENCE(feed_forward)},
    {SEQUENCE(feed_forward_gated)},
    {SEQUENCE(sinusoidal_positions)},
    {SEQUENCE(learned_positions)},
    {SEQUENCE(learned_positions_second)},
    {SEQUENCE(rotary_positions)},
    {SEQUENCE(rotary_positions_second)},
    {SEQUENCE(projected_loss)},
    {SEQUENCE(projected_loss_twice)},
    {SEQUENCE(projected_loss_tied)},
    {SEQUENCE(transformer_block)},
    {SEQUENCE(transformer_block_post)},

    {CONVOLUTION(conv2d)},
    {CONVOLUTION(conv2d_pads)},
    {CONVOLUTION(conv2d_groups)},
    {CONVOLUTION(conv2d_same)},
    {CONVOLUTION(conv1d)},
    {CONVOLUTION(conv_transpose2d)},
    {CONVOLUTION(conv_transpose2d_same)},
    {CONVOLUTION(conv_transpose1d)},
    {CONVOLUTION(conv_network)},
};

const int registry_count = sizeof registry / sizeof *registry;

/* ---- building ---- */

gg_value registry_call(const registry_entry *e, gg_model *model, gg_value x, gg_value second, int64_t out)
{
    if (e->unary != NULL)
        return e->unary(model, x);
    return e->binary != NULL ? e->binary(model, x, second) : e->call(model, x, second, out, e);
}

bool registry_takes(const registry_entry *e, const registry_sizes *s)
{
    if (e->images)
        return s->rank == 2;
    if (e->sequences)
        return s->rank == 2 || s->rank == 3;
    if (e->image_rank > 0)
        return s->rank == 2 || s->rank == 3;
    return s->rank <= (e->highest_rank > 0 ? e->highest_rank : GG_MAX_RANK) && (s->rank > 0 || e->any_last);
}

static int second_input(twin *t, const registry_entry *e, const registry_sizes *s)
{
    static const twin_content contents[] = {[SECOND_LABELS] = TWIN_LABELS,
                                            [SECOND_SOME_IGNORED] = TWIN_SOME_IGNORED,
                                            [SECOND_ALL_IGNORED] = TWIN_ALL_IGNORED};
    if (e->second != SECOND_SAME_SHAPE && e->second != SECOND_ONE_HOT)
        return labels(t, "second", s, s->in, contents[e->second]);
    const int second = input(t, "second", s, s->in, e->second == SECOND_ONE_HOT ? TWIN_ONE_HOT : TWIN_UNIFORM);
    if (e->second_low < e->second_high) {
        t->values[second].low = e->second_low;
        t->values[second].high = e->second_high;
    }
    return second;
}

static int build_layer(twin *t, const registry_entry *e, const registry_sizes *s)
{
    int64_t dims[GG_MAX_RANK];
    registry_image(dims, s, e->image_rank);
    const int x = e->image_rank > 0 ? twin_input(t, "x", e->image_rank, dims, TWIN_UNIFORM, -2.0, 2.0)
                                    : input(t, "x", s, s->in, TWIN_UNIFORM);
    const int second = e->second != SECOND_NONE ? second_input(t, e, s) : -1;
    if (e->low < e->high) {
        t->values[x].low = e->low;
        t->values[x].high = e->high;
    }
    const gg_value value =
        registry_call(e, t->model, t->values[x].value, second >= 0 ? t->values[second].value : GG_NO_VALUE, s->out);
    twin_value how = {.layer = e->layer, .inputs = {x, second}, .input_count = second >= 0 ? 2 : 1, .out = s->out};
    how.activation = e->activation;
    how.alpha = (double)e->number;
    how.ratio = e->number;
    how.b = e->no_bias ? -1 : 0;
    how.window = e->window;
    how.relu = e->relu;
    return twin_layer(t, value, how);
}

int registry_build(twin *t, const registry_entry *e, const registry_sizes *s, uint64_t seed)
{
    twin_new(t, seed);
    t->weight_low = e->weight_low;
    t->weight_high = e->weight_high;
    return twin_to_scalar(t, e->network != NULL ? e->network(t, s) : build_layer(t, e, s));
}

void registry_start(twin *t, const registry_entry *e, const registry_sizes *s, uint64_t seed)
{
    const int loss = registry_build(t, e, s, seed);
    twin_keep_all(t);
    twin_plan(t, loss, s->batch, e->sequences ? registry_time(s) : s->time);
    twin_fill(t, seed);
}
