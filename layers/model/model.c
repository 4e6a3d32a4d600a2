/* model.c - building the graph: values, nodes, parameters, names, the first error. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/model.h>

#include "node.h"

/* ---- growing lists ---- */

/* Make room for one more element of `bytes`; the old elements move. */
static gg_status grow(void **list, int32_t count, int32_t *room, size_t bytes)
{
    if (count < *room)
        return GG_OK;
    const int32_t wanted = *room > 0 ? 2 * *room : 16;
    void *bigger = NULL;
    const gg_status status = gg_alloc_zero(&bigger, (size_t)wanted * bytes);
    if (status != GG_OK)
        return status;
    if (count > 0)
        memcpy(bigger, *list, (size_t)count * bytes);
    gg_free(*list);
    *list = bigger;
    *room = wanted;
    return GG_OK;
}

static gg_value_info *add_value(gg_model *model, const gg_shape *shape)
{
    if (grow((void **)&model->values, model->value_count, &model->value_room, sizeof *model->values) != GG_OK) {
        gg_model_error(model, GG_ERR_MEMORY, "no memory for another value");
        return NULL;
    }
    gg_value_info *value = &model->values[model->value_count++];
    *value = (gg_value_info){
        .shape = *shape, .producer = -1, .storage = model->value_count - 1, .offset = -1, .gradient_offset = -1};
    return value;
}

/* ---- models ---- */

gg_status gg_model_new(gg_model **out, uint64_t seed)
{
    if (out == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_new: out is NULL");
    void *memory = NULL;
    const gg_status status = gg_alloc_zero(&memory, sizeof(gg_model));
    if (status != GG_OK)
        return status;
    gg_model *model = memory;
    model->seed = seed;
    model->loss = GG_NO_VALUE;
    model->last_target = -1;
    *out = model;
    return GG_OK;
}

void gg_model_free(gg_model *model)
{
    if (model == NULL)
        return;
    gg_free(model->nodes);
    gg_free(model->values);
    gg_free(model->parameters);
    gg_free(model->states);
    gg_free(model->weights);
    gg_free(model->gradients);
    gg_free(model->touched);
    gg_free(model->carried);
    gg_free(model->workspace);
    gg_free(model->folds);
    gg_free(model);
}

gg_value gg_model_error(gg_model *model, gg_status status, const char *format, ...)
{
    if (model == NULL)
        return GG_NO_VALUE;
    char message[sizeof model->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    gg_fail(status, "%s", message);
    if (model->error == GG_OK) {
        model->error = status;
        memcpy(model->message, message, sizeof message);
    }
    return GG_NO_VALUE;
}

bool gg_model_owns(const gg_model *model, gg_value value)
{
    return model != NULL && value.id >= 0 && value.id < model->value_count;
}

/* ---- shapes ---- */

bool gg_shapes_equal(const gg_shape *a, const gg_shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

const char *gg_shape_text(const gg_shape *shape, char text[96])
{
    static const char *const axes[] = {"batch", "time", "time 2"};
    size_t used = 1;
    snprintf(text, 96, "[");
    for (int i = 0; i < shape->rank && used < 90; i++) {
        const char *comma = i > 0 ? ", " : "";
        const int64_t d = shape->dims[i];
        const int written = d < 0 ? snprintf(text + used, 96 - used, "%s%s", comma, axes[-1 - d])
                                  : snprintf(text + used, 96 - used, "%s%lld", comma, (long long)d);
        used += written > 0 ? (size_t)written : 0;
    }
    if (used < 95)
        snprintf(text + used, 96 - used, "]");
    return text;
}

gg_status gg_shape_floats(int64_t *floats, const gg_shape *shape, const int64_t extents[GG_AXIS_COUNT])
{
    int64_t product = 1;
    for (int i = 0; i < shape->rank; i++) {
        const int64_t d = shape->dims[i];
        const gg_status status = gg_checked_multiply(&product, product, d < 0 ? extents[-1 - d] : d);
        if (status != GG_OK)
            return status;
    }
    /* Leave room for rounding up, for summing a few of them and for the bytes of each. */
    if (product > INT64_MAX / 1024)
        return gg_fail(GG_ERR_OVERFLOW, "a tensor of %lld floats is more than memory can hold", (long long)product);
    *floats = product;
    return GG_OK;
}

const gg_shape *gg_value_shape(gg_model *model, gg_value value, const char *layer, const char *argument, bool labels)
{
    if (model == NULL || model->error != GG_OK)
        return NULL;
    if (!gg_model_owns(model, value)) {
        gg_model_error(model, GG_ERR_ARGUMENT, "%s: %s is not a value of this model", layer, argument);
        return NULL;
    }
    const gg_value_info *info = &model->values[value.id];
    if (info->is_labels && !labels) {
        gg_model_error(model, GG_ERR_ARGUMENT, "%s: %s is the labels \"%s\", expected floats", layer, argument,
                       info->name);
        return NULL;
    }
    return &info->shape;
}

int64_t gg_value_features(gg_model *model, gg_value value, const char *layer, const char *argument)
{
    const gg_shape *shape = gg_value_shape(model, value, layer, argument, false);
    if (shape == NULL)
        return 0;
    if (shape->dims[shape->rank - 1] > 0)
        return shape->dims[shape->rank - 1];
    char text[96];
    gg_model_error(model, GG_ERR_SHAPE, "%s: the last dimension of %s %s must be a number of features", layer, argument,
                   gg_shape_text(shape, text));
    return 0;
}

gg_image gg_value_image(gg_model *model, gg_value value, const char *layer)
{
    const gg_image none = {0, 0, 0};
    const gg_shape *shape = gg_value_shape(model, value, layer, "x", false);
    char text[96];
    if (shape == NULL)
        return none;
    bool numbers = shape->rank >= 2;
    for (int i = 1; i < shape->rank; i++)
        numbers = numbers && shape->dims[i] > 0;
    const gg_image image = {numbers ? shape->dims[1] : 0, shape->rank == 4 ? shape->dims[2] : 1,
                            shape->rank > 2 ? shape->dims[shape->rank - 1] : 1};
    if (numbers && image.height <= INT32_MAX / image.width)
        return image;
    gg_model_error(
        model, GG_ERR_SHAPE,
        "%s: x is %s, expected [batch, channels], [batch, channels, width] or [batch, channels, height, width]", layer,
        gg_shape_text(shape, text));
    return none;
}

bool gg_targets_fit(gg_model *model, gg_value x, gg_value t, const char *layer)
{
    if (gg_value_features(model, x, layer, "x") == 0 || gg_value_shape(model, t, layer, "t", true) == NULL)
        return false;
    const gg_value_info *targets = &model->values[t.id];
    const gg_shape *given = &model->values[x.id].shape;
    gg_shape expected = *given;
    if (targets->is_labels) {
        expected.rank = given->rank > 1 ? given->rank - 1 : 1;
        expected.dims[0] = given->rank > 1 ? given->dims[0] : 1;
    }
    char text[2][96];
    if (!gg_shapes_equal(&expected, &targets->shape))
        gg_model_error(model, GG_ERR_SHAPE, "%s: t is %s %s, x is %s", layer, targets->is_labels ? "labels" : "targets",
                       gg_shape_text(&targets->shape, text[0]), gg_shape_text(given, text[1]));
    return model->error == GG_OK;
}

/* ---- inputs ---- */

static bool name_taken(const gg_model *model, const char *name)
{
    for (int32_t i = 0; i < model->value_count; i++)
        if (model->values[i].is_input && strcmp(model->values[i].name, name) == 0)
            return true;
    return false;
}

static bool shape_from(gg_model *model, gg_shape *shape, const char *name, int rank, const int64_t *dims)
{
    if (dims == NULL) {
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_input \"%s\": dims is NULL", name);
        return false;
    }
    if (rank < 1 || rank > GG_MAX_RANK) {
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_input \"%s\": rank is %d, expected 1 to %d dimensions", name, rank,
                       GG_MAX_RANK);
        return false;
    }
    shape->rank = rank;
    for (int i = 0; i < rank; i++) {
        shape->dims[i] = dims[i];
        if (dims[i] == 0 || dims[i] < -GG_AXIS_COUNT) {
            gg_model_error(model, GG_ERR_ARGUMENT,
                           "gg_input \"%s\": dimension %d is %lld, expected a positive number or an axis", name, i,
                           (long long)dims[i]);
            return false;
        }
    }
    return true;
}

static gg_value add_input(gg_model *model, const char *name, int rank, const int64_t *dims, bool labels)
{
    if (model == NULL || model->error != GG_OK)
        return GG_NO_VALUE;
    if (model->planned)
        return gg_model_error(model, GG_ERR_STATE, "gg_input: the model is planned already");
    if (name == NULL || name[0] == '\0' || strlen(name) >= GG_NAME_BYTES)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_input: name is missing or longer than %d bytes",
                              GG_NAME_BYTES - 1);
    if (name_taken(model, name))
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_input: there is an input \"%s\" already", name);
    gg_shape shape = {0};
    if (!shape_from(model, &shape, name, rank, dims))
        return GG_NO_VALUE;
    gg_value_info *value = add_value(model, &shape);
    if (value == NULL)
        return GG_NO_VALUE;
    value->is_input = true;
    value->is_labels = labels;
    snprintf(value->name, sizeof value->name, "%s", name);
    return (gg_value){model->value_count - 1};
}

gg_value gg_input(gg_model *model, const char *name, int rank, const int64_t *dims)
{
    return add_input(model, name, rank, dims, false);
}

gg_value gg_input_labels(gg_model *model, const char *name, int rank, const int64_t *dims)
{
    return add_input(model, name, rank, dims, true);
}

/* ---- nodes ---- */

void gg_model_name_next(gg_model *model, const char *name)
{
    if (model == NULL || model->error != GG_OK)
        return;
    if (name == NULL || name[0] == '\0' || strlen(name) >= GG_NAME_BYTES) {
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_model_name_next: name is missing or longer than %d bytes",
                       GG_NAME_BYTES - 1);
        return;
    }
    for (int32_t i = 0; i < model->node_count; i++)
        if (strcmp(model->nodes[i].name, name) == 0) {
            gg_model_error(model, GG_ERR_ARGUMENT, "gg_model_name_next: there is a layer \"%s\" already", name);
            return;
        }
    snprintf(model->next_name, sizeof model->next_name, "%s", name);
}

/* The given name, or the kind with the smallest number from the count of that kind on that nobody has. */
static void name_node(gg_model *model, gg_node *node)
{
    if (model->next_name[0] != '\0') {
        memcpy(node->name, model->next_name, sizeof node->name);
        model->next_name[0] = '\0';
        return;
    }
    const char *kind = node->layer_class->kind;
    int number = 1;
    for (const gg_node *other = model->nodes; other < node; other++)
        number += strcmp(other->layer_class->kind, kind) == 0;
    for (bool taken = true; taken; number++) {
        snprintf(node->name, sizeof node->name, "%.30s%d", kind, number);
        taken = false;
        for (const gg_node *other = model->nodes; other < node && !taken; other++)
            taken = strcmp(other->name, node->name) == 0;
    }
}

gg_node *gg_node_begin(gg_model *model, const gg_layer_class *layer_class, const void *options, size_t option_bytes)
{
    if (model == NULL || model->error != GG_OK)
        return NULL;
    if (model->planned) {
        gg_model_error(model, GG_ERR_STATE, "gg_%s: the model is planned already", layer_class->kind);
        return NULL;
    }
    if (grow((void **)&model->nodes, model->node_count, &model->node_room, sizeof *model->nodes) != GG_OK) {
        gg_model_error(model, GG_ERR_MEMORY, "gg_%s: no memory for another layer", layer_class->kind);
        return NULL;
    }
    gg_node *node = &model->nodes[model->node_count++];
    memset(node, 0, sizeof *node);
    node->layer_class = layer_class;
    node->spectral = node->gradient_buffer = node->undo_buffer = -1;
    if (option_bytes > 0)
        memcpy(node->options, options, option_bytes);
    name_node(model, node);
    return node;
}

void gg_node_input(gg_model *model, gg_node *node, gg_value value, bool read_back)
{
    if (node->input_count == 0)
        node->first_input = value.id;
    node->reads_input[node->input_count] = read_back;
    node->inputs[node->input_count++] = model->values[value.id].storage;
}

static void add_parameter(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape, float deviation,
                          float start)
{
    if (grow((void **)&model->parameters, model->parameter_count, &model->parameter_room, sizeof *model->parameters)
        != GG_OK) {
        gg_model_error(model, GG_ERR_MEMORY, "%s: no memory for another parameter", node->name);
        return;
    }
    int64_t size = 0;
    if (gg_shape_floats(&size, shape, (int64_t[GG_AXIS_COUNT]){0}) != GG_OK) {
        char text[96];
        gg_model_error(model, GG_ERR_OVERFLOW, "%s: parameter %s of shape %s is too large", node->name, suffix,
                       gg_shape_text(shape, text));
        return;
    }
    gg_parameter_info *parameter = &model->parameters[model->parameter_count];
    *parameter = (gg_parameter_info){.shape = *shape, .deviation = deviation, .start = start, .size = size};
    snprintf(parameter->name, sizeof parameter->name, "%s.%s", node->name, suffix);
    node->parameters[node->parameter_count++] = model->parameter_count++;
    gg_spectral_begin(model, node, suffix, shape);
}

void gg_node_parameter(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape, float deviation)
{
    add_parameter(model, node, suffix, shape, deviation, 0.0f);
}

void gg_node_constant_parameter(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape, float start)
{
    add_parameter(model, node, suffix, shape, 0.0f, start);
}

int32_t gg_model_add_state(gg_model *model, const gg_node *node, const char *suffix, const gg_shape *shape,
                           float initial)
{
    if (grow((void **)&model->states, model->state_count, &model->state_room, sizeof *model->states) != GG_OK) {
        gg_model_error(model, GG_ERR_MEMORY, "%s: no memory for another state", node->name);
        return -1;
    }
    gg_state_info *state = &model->states[model->state_count];
    *state = (gg_state_info){.shape = *shape, .initial = initial};
    snprintf(state->name, sizeof state->name, "%s.%s", node->name, suffix);
    return model->state_count++;
}

void gg_node_state(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape, float initial)
{
    const int32_t state = gg_model_add_state(model, node, suffix, shape, initial);
    if (state >= 0)
        node->states[node->state_count++] = state;
}

void gg_node_orthogonal(gg_model *model, int blocks)
{
    if (model->error == GG_OK)
        model->parameters[model->parameter_count - 1].blocks = blocks;
}

void gg_node_start_part(gg_model *model, int64_t first, int64_t count)
{
    if (model->error != GG_OK)
        return;
    model->parameters[model->parameter_count - 1].start_first = first;
    model->parameters[model->parameter_count - 1].start_count = count;
}

void gg_node_sparse(gg_model *model)
{
    if (model->error == GG_OK)
        model->parameters[model->parameter_count - 1].sparse = true;
}

void gg_node_share(gg_node *node, int32_t parameter)
{
    node->parameters[node->parameter_count++] = parameter;
}

void gg_node_sequence_state(gg_model *model)
{
    if (model->error == GG_OK)
        model->states[model->state_count - 1].of_sequence = true;
}

void gg_node_buffer(gg_node *node, const gg_shape *shape, gg_buffer_life life)
{
    node->buffers[node->buffer_count++] = (gg_buffer){.shape = *shape, .life = life, .offset = -1};
}

void gg_node_workspace(gg_node *node, gg_buffer_life life)
{
    node->buffers[node->buffer_count++] = (gg_buffer){.life = life, .asked = true, .offset = -1};
}

gg_value gg_node_output(gg_model *model, gg_node *node, const gg_shape *shape)
{
    const int32_t index = (int32_t)(node - model->nodes);
    gg_value_info *value = model->error == GG_OK ? add_value(model, shape) : NULL;
    if (value == NULL)
        return GG_NO_VALUE;
    value->producer = index;
    node->outputs[node->output_count++] = model->value_count - 1;
    return (gg_value){model->value_count - 1};
}

bool gg_start_fits(gg_model *model, const char *kind, gg_activation activation, gg_initializer init, float init_scale)
{
    if ((int)activation < 0 || activation >= GG_ACTIVATION_COUNT)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: activation is %d, not one of gg_activation", kind,
                       (int)activation);
    else if ((int)init < 0 || init > GG_INIT_ORTHOGONAL)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: init is %d, not one of gg_initializer", kind, (int)init);
    else if (init == GG_INIT_NORMAL && !(init_scale >= 0.0f && init_scale <= FLT_MAX))
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: init_scale is %g, expected a deviation, 0 or more", kind,
                       (double)init_scale);
    return model->error == GG_OK;
}

gg_value gg_value_view(gg_model *model, gg_value value, const gg_shape *shape)
{
    gg_value_info *view = add_value(model, shape);
    if (view == NULL)
        return GG_NO_VALUE;
    view->storage = model->values[value.id].storage;
    view->producer = model->values[value.id].producer;
    return (gg_value){model->value_count - 1};
}

float gg_initial_deviation(gg_initializer init, gg_activation f, int64_t in, int64_t out, float scale)
{
    const bool rectified =
        f == GG_RELU || f == GG_LEAKY_RELU || f == GG_ELU || f == GG_SILU || f == GG_GELU || f == GG_GELU_TANH;
    const double fan_in = in > 0 ? (double)in : 1.0, fan_out = (double)out;
    switch (init) {
    case GG_INIT_XAVIER: return (float)sqrt(2.0 / (fan_in + fan_out));
    case GG_INIT_HE: return (float)sqrt(2.0 / fan_in);
    case GG_INIT_LECUN: return (float)sqrt(1.0 / fan_in);
    case GG_INIT_NORMAL: return scale;
    case GG_INIT_ZERO: return 0.0f;
    default: return gg_initial_deviation(rectified ? GG_INIT_HE : GG_INIT_XAVIER, f, in, out, scale);
    }
}

/* ---- questions ---- */

int gg_model_shape(const gg_model *model, gg_value value, int64_t dims[GG_MAX_RANK])
{
    if (!gg_model_owns(model, value))
        return -1;
    const gg_shape *shape = &model->values[value.id].shape;
    if (dims != NULL)
        memcpy(dims, shape->dims, sizeof shape->dims);
    return shape->rank;
}

int64_t gg_model_step(const gg_model *model)
{
    return model != NULL ? model->step : 0;
}

void gg_model_set_step(gg_model *model, int64_t step)
{
    if (model != NULL)
        model->step = step;
}

float *gg_model_parameters(gg_model *model)
{
    return model != NULL ? model->weights : NULL;
}

float *gg_model_gradients(gg_model *model)
{
    return model != NULL ? model->gradients : NULL;
}

int64_t gg_model_parameter_floats(const gg_model *model)
{
    return model != NULL && model->weights != NULL ? model->parameter_floats : 0;
}

int gg_model_parameter_count(const gg_model *model)
{
    return model != NULL ? model->parameter_count : 0;
}

gg_status gg_model_parameter(const gg_model *model, int i, gg_parameter *out)
{
    if (model == NULL || out == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_parameter: %s is NULL", model == NULL ? "model" : "out");
    if (i < 0 || i >= model->parameter_count)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_parameter: parameter %d of %d", i, model->parameter_count);
    const gg_parameter_info *info = &model->parameters[i];
    *out = (gg_parameter){.name = info->name, .rank = info->shape.rank, .offset = info->offset, .size = info->size};
    memcpy(out->dims, info->shape.dims, sizeof out->dims);
    return GG_OK;
}

float *gg_model_states(gg_model *model)
{
    return model != NULL ? model->carried : NULL;
}

int64_t gg_model_state_floats(const gg_model *model)
{
    return model != NULL && model->carried != NULL ? model->carried_floats : 0;
}

int gg_model_state_count(const gg_model *model)
{
    return model != NULL ? model->state_count : 0;
}

gg_status gg_model_state(const gg_model *model, int i, gg_parameter *out)
{
    if (model == NULL || out == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_state: %s is NULL", model == NULL ? "model" : "out");
    if (i < 0 || i >= model->state_count)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_state: state %d of %d", i, model->state_count);
    if (!model->planned)
        return gg_fail(GG_ERR_STATE, "gg_model_state: the model is not planned");
    const gg_state_info *info = &model->states[i];
    *out = (gg_parameter){.name = info->name, .rank = info->shape.rank, .offset = info->offset, .size = info->size};
    for (int d = 0; d < info->shape.rank; d++) {
        const int64_t dimension = info->shape.dims[d];
        out->dims[d] = dimension < 0 ? model->planned_for[-1 - dimension] : dimension;
    }
    return GG_OK;
}

int64_t gg_model_parameter_bytes(const gg_model *model)
{
    return gg_model_parameter_floats(model) * (int64_t)sizeof(float)
           * (model != NULL && model->gradients != NULL ? 2 : 1);
}

int64_t gg_model_workspace_bytes(const gg_model *model)
{
    return model != NULL ? model->workspace_floats * (int64_t)sizeof(float) : 0;
}
