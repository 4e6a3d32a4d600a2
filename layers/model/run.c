/* run.c - forward and backward over the planned graph. Nothing here allocates. */
#include <math.h>
#include <string.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/model.h>

#include "node.h"

/* ---- pointers and sizes ---- */

static float *place(const gg_model *model, int64_t offset)
{
    return offset >= 0 ? model->workspace + offset : NULL;
}

static void refresh_values(gg_model *model)
{
    for (int32_t v = 0; v < model->value_count; v++) {
        gg_value_info *value = &model->values[v];
        gg_shape_floats(&value->size, &value->shape, model->extent); /* fits: the largest did */
        if (value->storage != v) {                                   /* of a value before this one */
            value->data = model->values[value->storage].data;
            value->gradient = model->values[value->storage].gradient;
            continue;
        }
        if (!value->is_input)
            value->data = place(model, value->offset);
        value->gradient = place(model, model->values[gg_gradient_owner(model, v)].gradient_offset);
    }
}

static int64_t extent_of(const gg_model *model, int64_t dimension)
{
    return dimension < 0 ? model->extent[-1 - dimension] : dimension;
}

static void refresh_node(gg_model *model, gg_node *node)
{
    gg_pass *pass = &node->pass;
    pass->node = node;
    pass->options = node->options;
    pass->seed = model->seed;
    pass->extents = model->extent;
    pass->planned = model->planned_for;
    for (int j = 0; j < node->input_count; j++) {
        const gg_value_info *value = &model->values[node->inputs[j]];
        pass->x[j] = value->data;
        pass->labels[j] = value->labels;
        pass->dx[j] = !node->trains ? NULL : node->spare[j] >= 0 ? place(model, node->spare[j]) : value->gradient;
    }
    for (int j = 0; j < node->output_count; j++) {
        const gg_value_info *value = &model->values[node->outputs[j]];
        pass->y[j] = place(model, value->offset);
        pass->dy[j] = value->gradient;
    }
    for (int j = 0; j < node->parameter_count; j++) {
        gg_parameter_info *parameter = &model->parameters[node->parameters[j]];
        const int64_t offset = parameter->offset;
        pass->touched[j] = parameter->sparse ? &parameter->touched : NULL;
        pass->w[j] = model->weights + offset;
        pass->dw[j] = node->trains ? model->gradients + offset : NULL;
    }
    gg_undo_refresh(model, node);
    if (node->spectral >= 0)
        pass->w[node->spectral] = place(model, node->spectral_offset);
    for (int j = 0; j < node->buffer_count; j++)
        pass->buffer[j] = place(model, node->buffers[j].offset);
    for (int j = 0; j < node->state_count; j++)
        pass->state[j] = model->carried + model->states[node->states[j]].offset;
    const gg_value_info *first = &model->values[node->first_input];
    pass->columns = extent_of(model, first->shape.dims[first->shape.rank - 1]);
    pass->rows = 1; /* not size / columns: there may be rows of no columns */
    for (int j = 0; j < first->shape.rank - 1; j++)
        pass->rows *= extent_of(model, first->shape.dims[j]);
    pass->size = first->size;
}

void gg_model_refresh(gg_model *model)
{
    refresh_values(model);
    for (int32_t i = 0; i < model->node_count; i++)
        refresh_node(model, &model->nodes[i]);
}

/* ---- inputs ---- */

static gg_status check_input(const gg_model *model, gg_value input, bool labels, const char *function)
{
    if (!gg_model_owns(model, input) || !model->values[input.id].is_input)
        return gg_fail(GG_ERR_ARGUMENT, "%s: not an input of this model", function);
    if (model->values[input.id].is_labels != labels)
        return gg_fail(GG_ERR_ARGUMENT, "%s: input \"%s\" takes %s", function, model->values[input.id].name,
                       labels ? "floats: use gg_model_bind" : "labels: use gg_model_bind_labels");
    return GG_OK;
}

static void bind(gg_model *model, int32_t v)
{
    const gg_value_info *value = &model->values[v];
    for (int32_t i = 0; i < model->node_count; i++)
        for (int j = 0; j < model->nodes[i].input_count; j++)
            if (model->nodes[i].inputs[j] == v) {
                model->nodes[i].pass.x[j] = value->data;
                model->nodes[i].pass.labels[j] = value->labels;
            }
    model->backward_ready = false;
}

gg_status gg_model_bind(gg_model *model, gg_value input, const float *data)
{
    const gg_status status = check_input(model, input, false, "gg_model_bind");
    if (status != GG_OK)
        return status;
    model->values[input.id].data = data;
    bind(model, input.id);
    return GG_OK;
}

gg_status gg_model_bind_labels(gg_model *model, gg_value input, const int32_t *data)
{
    const gg_status status = check_input(model, input, true, "gg_model_bind_labels");
    if (status != GG_OK)
        return status;
    model->values[input.id].labels = data;
    bind(model, input.id);
    return GG_OK;
}

gg_status gg_model_set_extent(gg_model *model, int axis, int64_t extent)
{
    if (model == NULL || !model->planned)
        return gg_fail(model == NULL ? GG_ERR_ARGUMENT : GG_ERR_STATE, "gg_model_set_extent: %s",
                       model == NULL ? "model is NULL" : "the model is not planned");
    if (axis >= 0 || axis < -GG_AXIS_COUNT)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_set_extent: %d is not an axis", axis);
    if (extent < 0 || extent > model->planned_for[-1 - axis])
        return gg_fail(GG_ERR_SHAPE, "gg_model_set_extent: extent %lld, planned for 0 to %lld", (long long)extent,
                       (long long)model->planned_for[-1 - axis]);
    if (extent != model->extent[-1 - axis]) {
        model->extent[-1 - axis] = extent;
        model->backward_ready = false;
        gg_model_refresh(model);
    }
    return GG_OK;
}

/* ---- forward ---- */

/* Mark the nodes that `target` needs; check that their inputs are bound. */
static gg_status mark_needed(gg_model *model, int32_t target)
{
    const int32_t last = model->values[target].producer;
    for (int32_t i = 0; i <= last; i++)
        model->nodes[i].needed = i == last;
    for (int32_t i = last; i >= 0; i--) {
        const gg_node *node = &model->nodes[i];
        for (int j = 0; j < node->input_count && node->needed; j++) {
            const gg_value_info *value = &model->values[node->inputs[j]];
            if (value->producer >= 0)
                model->nodes[value->producer].needed = true;
            else if (value->size > 0 && value->data == NULL && value->labels == NULL)
                return gg_fail(GG_ERR_STATE, "gg_model_forward: input \"%s\" is not bound", value->name);
        }
    }
    return GG_OK;
}

/* More threads need more workspace in some layers. */
static gg_status check_threads(const gg_model *model, const char *function)
{
    if (model->threads == 0 || gg_threads() <= model->threads)
        return GG_OK;
    return gg_fail(GG_ERR_STATE,
                   "%s: the model's workspace was planned for %d thread%s and there are %d now: plan it again "
                   "(gg_model_plan) after gg_set_threads",
                   function, model->threads, model->threads == 1 ? "" : "s", gg_threads());
}

static gg_status check_target(const gg_model *model, gg_value target)
{
    if (!gg_model_owns(model, target))
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_forward: target is not a value of this model");
    if (!model->planned)
        return gg_fail(GG_ERR_STATE, "gg_model_forward: the model is not planned");
    const gg_value_info *storage = &model->values[model->values[target.id].storage];
    if (storage->is_input)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_forward: target is the input \"%s\"", storage->name);
    return check_threads(model, "gg_model_forward");
}

/* In a run up to node `last`. */
static gg_status forward_node(const gg_model *model, gg_node *node, int32_t last)
{
    if (gg_fold_prepare(model, node, last))
        return GG_OK;
    const gg_status status = node->spectral >= 0 ? gg_spectral_forward(model, node) : GG_OK;
    return status == GG_OK ? node->layer_class->forward(&node->pass) : status;
}

gg_status gg_model_walk(gg_model *model, gg_value target, gg_mode mode, gg_node_visitor *visit, void *context)
{
    gg_status status = check_target(model, target);
    if (status == GG_OK)
        status = mark_needed(model, target.id);
    if (status != GG_OK)
        return status;
    model->backward_ready = false;
    model->last_target = -1;
    model->folded = model->folded && mode != GG_TRAIN; /* its weights are about to change */
    const int32_t last = model->values[target.id].producer;
    for (int32_t i = 0; i <= last && status == GG_OK; i++) {
        gg_node *node = &model->nodes[i];
        if (!node->needed)
            continue;
        node->pass.mode = mode;
        node->pass.updates_state = mode != GG_INFER;
        node->pass.step = model->step;
        status = visit != NULL ? visit(model, node, context) : GG_OK;
        if (status == GG_OK)
            status = forward_node(model, node, last);
    }
    if (status != GG_OK)
        return status;
    model->last_target = model->values[target.id].storage;
    if (target.id == model->loss.id) {
        model->loss_value = (double)model->values[target.id].data[0];
        model->backward_ready = mode == GG_TRAIN;
    }
    return GG_OK;
}

gg_status gg_model_forward(gg_model *model, gg_value target, gg_mode mode)
{
    return gg_model_walk(model, target, mode, NULL, NULL);
}

gg_status gg_model_reset_states(gg_model *model)
{
    if (model == NULL || !model->planned)
        return gg_fail(model == NULL ? GG_ERR_ARGUMENT : GG_ERR_STATE, "gg_model_reset_states: %s",
                       model == NULL ? "model is NULL" : "the model is not planned");
    for (int32_t i = 0; i < model->state_count; i++) {
        const gg_state_info *state = &model->states[i];
        for (int64_t j = 0; state->of_sequence && j < state->size; j++)
            model->carried[state->offset + j] = state->initial;
    }
    return GG_OK;
}

/* ---- backward ---- */

/* Gradients that a class which only overwrites has left beside the value's own. */
static gg_status add_spare(const gg_model *model, const gg_node *node)
{
    gg_status status = GG_OK;
    for (int j = 0; j < node->input_count && status == GG_OK; j++) {
        const gg_value_info *value = &model->values[node->inputs[j]];
        if (node->spare[j] >= 0 && value->gradient != NULL)
            status = gg_axpy(value->gradient, node->pass.dx[j], value->size, 1.0f);
    }
    return status;
}

gg_status gg_model_backward(gg_model *model)
{
    if (model == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_backward: model is NULL");
    if (!model->backward_ready)
        return gg_fail(GG_ERR_STATE, "gg_model_backward: the last run was not a forward of the loss in GG_TRAIN");
    gg_status status = check_threads(model, "gg_model_backward");
    if (status != GG_OK)
        return status;
    float *seed = model->values[model->loss.id].gradient;
    if (seed != NULL)
        *seed = 1.0f;
    for (int32_t i = model->node_count - 1; i >= 0 && status == GG_OK; i--) {
        const gg_node *node = &model->nodes[i];
        if (!node->trains)
            continue;
        status = node->layer_class->backward(&node->pass);
        if (status == GG_OK && node->spectral >= 0)
            status = gg_spectral_backward(model, node);
        if (status == GG_OK)
            status = add_spare(model, node);
    }
    model->backward_ready = false;
    return status;
}

/* ---- results ---- */

const float *gg_model_data(const gg_model *model, gg_value value)
{
    if (!gg_model_owns(model, value))
        return NULL;
    const int32_t v = model->values[value.id].storage;
    const gg_value_info *info = &model->values[v];
    return info->is_input || info->keep || v == model->last_target || v == model->loss.id ? info->data : NULL;
}

const float *gg_model_gradient(const gg_model *model, gg_value value)
{
    if (!gg_model_owns(model, value))
        return NULL;
    const gg_value_info *info = &model->values[model->values[value.id].storage];
    return info->keep_gradient ? info->gradient : NULL;
}

double gg_model_loss(const gg_model *model)
{
    return model != NULL ? model->loss_value : 0.0;
}

int64_t gg_model_size(const gg_model *model, gg_value value)
{
    return gg_model_owns(model, value) ? model->values[value.id].size : 0;
}

const char *gg_model_find_nonfinite(gg_model *model, gg_value target)
{
    if (check_target(model, target) != GG_OK || mark_needed(model, target.id) != GG_OK)
        return NULL;
    model->backward_ready = false; /* this run may end early, and leave things half overwritten */
    model->last_target = -1;
    const int32_t last = model->values[target.id].producer;
    for (int32_t i = 0; i <= last; i++) {
        gg_node *node = &model->nodes[i];
        node->pass.step = model->step;
        node->pass.mode = GG_TRAIN;
        node->pass.updates_state = false;
        if (!node->needed)
            continue;
        if (forward_node(model, node, last) != GG_OK)
            return node->name;
        for (int j = 0; j < node->output_count; j++) {
            bool finite = true;
            const gg_value_info *value = &model->values[node->outputs[j]];
            if (gg_all_finite(&finite, value->data, value->size) == GG_OK && !finite)
                return node->name;
        }
    }
    return NULL;
}
