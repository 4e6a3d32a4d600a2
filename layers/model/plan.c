/* plan.c - all memory of a model laid out once.
 *
 * Time is counted in steps: node i runs forward at step i and, of N nodes, backward at step 2N - 1 - i. Every buffer
 * lives from the step that first writes it to the step that last reads it; what is kept for the user, and the loss,
 * lives from the first step to the last, so that no later run of another target overwrites it. Buffers whose lives do
 * not meet may share the same place: largest first, each goes to the lowest place that is free for the whole of its
 * life. A buffer whose size depends on the threads, too, is asked for at every plan, and a run with more of them
 * refused.
 *
 *   weights    [parameter 0 | parameter 1 | ...]       each from a multiple of 16 floats (64 bytes), gaps zero; the
 *                                                      sparse ones behind the dense ones
 *   gradients  the same layout
 *   states     [state 0 | state 1 | ...]               what outlives steps and is no parameter, laid out alike
 *   workspace  values, their gradients, caches, scratch, spare gradients: overlapping in time only */
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/backend.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/model.h>
#include <gemmgrad/random.h>

#include "node.h"
#include "orthogonal.h"

enum { FLOATS_PER_LINE = GG_ALIGNMENT / 4 };

/* No arena has more floats, so that a sum of two sizes and the bytes of one fit an int64_t. */
#define MOST_FLOATS (INT64_MAX / 64)

typedef struct span {
    int64_t size;        /* floats, a multiple of a line */
    int32_t first, last; /* steps */
    int32_t number;      /* in the order of their making: the same model has the same plan everywhere */
    int64_t *offset;     /* where the place found is written */
} span;

typedef struct planner {
    gg_model *model;
    const int64_t *largest; /* extents planned for */
    span *spans;
    int32_t count;
    int64_t floats;         /* of the workspace */
    int64_t carried_floats; /* of the states */
    gg_status status;
    int threads;    /* for which sizes are asked */
    bool asked;     /* some were */
    bool as_before; /* ask nothing: the sizes are those of the plan in force */
} planner;

static int64_t round_up(int64_t floats)
{
    return (floats + FLOATS_PER_LINE - 1) / FLOATS_PER_LINE * FLOATS_PER_LINE;
}

static int32_t backward_step(const gg_model *model, int32_t node)
{
    return 2 * model->node_count - 1 - node;
}

/* ---- who takes part in backward ---- */

/* Forward sweep: a value wants a gradient when a parameter (or a value whose gradient is to be kept) lies before it. */
static void mark_wanted(gg_model *model)
{
    for (int32_t v = 0; v < model->value_count; v++) /* of views, their storages speak */
        model->values[v].wants_gradient = model->values[v].keep_gradient;
    for (int32_t i = 0; i < model->node_count; i++) {
        const gg_node *node = &model->nodes[i];
        bool wanted = node->parameter_count > 0;
        for (int j = 0; j < node->input_count; j++)
            wanted = wanted || model->values[node->inputs[j]].wants_gradient;
        for (int j = 0; j < node->output_count; j++)
            model->values[node->outputs[j]].wants_gradient |= wanted;
    }
}

/* Backward sweep: a node trains when the loss depends on it and something before it wants a gradient. A value that
 * nothing trains on keeps no gradient. */
static void mark_training(gg_model *model)
{
    for (int32_t i = 0; i < model->node_count; i++)
        model->nodes[i].trains = false;
    for (int32_t i = model->node_count - 1; i >= 0; i--) {
        gg_node *node = &model->nodes[i];
        bool flows = false;
        for (int j = 0; j < node->output_count; j++) {
            flows = flows || node->outputs[j] == model->loss.id;
            for (int32_t k = i + 1; k < model->node_count; k++)
                for (int l = 0; l < model->nodes[k].input_count && model->nodes[k].trains; l++)
                    flows = flows || model->nodes[k].inputs[l] == node->outputs[j];
        }
        node->trains = flows && node->output_count > 0 && model->values[node->outputs[0]].wants_gradient;
    }
}

/* ---- lives ---- */

/* `owner`: the layer or the input that the shape belongs to. */
static gg_status fail_shape(const planner *p, const char *owner, const gg_shape *shape)
{
    char text[96];
    return gg_fail(
        GG_ERR_OVERFLOW,
        "gg_model_plan: \"%s\" needs more floats than memory can hold: shape %s, planned for a batch of %lld", owner,
        gg_shape_text(shape, text), (long long)p->largest[0]);
}

static void add_floats(planner *p, int64_t *offset, int64_t floats, int32_t first, int32_t last)
{
    *offset = -1;
    if (p->status != GG_OK)
        return;
    p->spans[p->count] = (span){round_up(floats > 0 ? floats : 1), first, last, p->count, offset};
    p->count++;
}

static void add_span(planner *p, const char *owner, int64_t *offset, const gg_shape *shape, int32_t first, int32_t last)
{
    int64_t floats = 0;
    if (p->status == GG_OK && gg_shape_floats(&floats, shape, p->largest) != GG_OK)
        p->status = fail_shape(p, owner, shape);
    add_floats(p, offset, floats, first, last);
}

static void plan_value(planner *p, int32_t v)
{
    gg_model *model = p->model;
    gg_value_info *value = &model->values[v];
    if (value->storage != v) /* a view: nodes read what it is a view of */
        return;
    const char *owner = value->producer >= 0 ? model->nodes[value->producer].name : value->name;
    int32_t last = value->producer, first_gradient = -1;
    for (int32_t i = 0; i < model->node_count; i++) {
        const gg_node *node = &model->nodes[i];
        for (int j = 0; j < node->input_count; j++) {
            if (node->inputs[j] != v)
                continue;
            const int32_t back = backward_step(model, i);
            last = i > last ? i : last;
            if (node->trains && node->reads_input[j])
                last = back > last ? back : last;
            if (node->trains) /* the last consumer in forward is the first in backward; unless it works ahead, in
                                 forward */
                first_gradient = node->layer_class->gradient_in_forward && (first_gradient < 0 || i < first_gradient)
                                     ? i
                                 : first_gradient < 0 || back < first_gradient ? back
                                                                               : first_gradient;
        }
    }
    const int32_t end = 2 * model->node_count;
    const bool trains = value->producer >= 0 && model->nodes[value->producer].trains;
    if (trains && gg_output_is_needed(&model->nodes[value->producer]))
        last = backward_step(model, value->producer);
    const bool kept = value->keep || v == model->loss.id;
    int64_t floats = 0;
    if (value->is_input && p->status == GG_OK && gg_shape_floats(&floats, &value->shape, p->largest) != GG_OK)
        p->status = fail_shape(p, owner, &value->shape);
    if (!value->is_input)
        add_span(p, owner, &value->offset, &value->shape, kept ? 0 : gg_fold_first_writer(model, value),
                 kept ? end : last);
    if (v == model->loss.id)
        first_gradient = model->node_count;
    value->gradient_offset = -1;
    if (value->gradient_of < 0 && value->wants_gradient && first_gradient >= 0 && (trains || value->keep_gradient))
        add_span(p, owner, &value->gradient_offset, &value->shape, value->keep_gradient ? 0 : first_gradient,
                 value->keep_gradient ? end : backward_step(model, value->gradient_reader));
}

/* Whether a node that runs backward before node i has written the gradient of this value already. */
static bool written_before(const gg_model *model, int32_t i, int input)
{
    const int32_t value = model->nodes[i].inputs[input];
    for (int l = 0; l < input; l++) /* x used twice by one node */
        if (model->nodes[i].inputs[l] == value)
            return true;
    for (int32_t k = i + 1; k < model->node_count; k++)
        for (int l = 0; l < model->nodes[k].input_count && model->nodes[k].trains; l++)
            if (model->nodes[k].inputs[l] == value)
                return true;
    return false;
}

/* Floats of a buffer at the extents planned for. */
static int64_t buffer_floats(planner *p, const gg_node *node, int b)
{
    const gg_buffer *buffer = &node->buffers[b];
    int64_t floats = 0;
    if (p->status != GG_OK)
        return 0;
    if (!buffer->asked) {
        if (gg_shape_floats(&floats, &buffer->shape, p->largest) != GG_OK)
            p->status = fail_shape(p, node->name, &buffer->shape);
        return floats;
    }
    if (p->as_before)
        return buffer->floats;
    p->asked = true;
    p->status = node->layer_class->workspace(&floats, node, b, p->largest);
    return floats;
}

static void plan_buffer(planner *p, gg_node *node, int b, int32_t first, int32_t last)
{
    gg_buffer *buffer = &node->buffers[b];
    buffer->planning = buffer_floats(p, node, b);
    add_floats(p, &buffer->offset, buffer->planning, first, last);
}

static void plan_node(planner *p, int32_t i)
{
    gg_model *model = p->model;
    gg_node *node = &model->nodes[i];
    const int32_t back = node->trains ? backward_step(model, i) : i;
    for (int j = 0; j < node->buffer_count; j++) {
        gg_buffer *buffer = &node->buffers[j];
        buffer->offset = -1;
        if (buffer->life != GG_BUFFER_BACKWARD)
            plan_buffer(p, node, j, i, buffer->life == GG_BUFFER_CACHE ? back : i);
        else if (node->trains && gg_buffer_is_needed(node, j))
            plan_buffer(p, node, j, back, back);
    }
    if (node->spectral >= 0 && p->status == GG_OK)
        p->status = gg_spectral_check(model, node);
    if (node->spectral >= 0)
        add_floats(p, &node->spectral_offset, gg_spectral_floats(model, node), i, back);
    for (int j = 0; j < node->input_count; j++) {
        const gg_value_info *value = &model->values[node->inputs[j]];
        node->spare[j] = -1;
        node->pass.add_dx[j] = node->trains && value->wants_gradient && written_before(model, i, j);
        if (node->pass.add_dx[j] && (!node->layer_class->adds_gradients || node->layer_class->gradient_in_forward))
            add_span(p, node->name, &node->spare[j], &value->shape, node->layer_class->gradient_in_forward ? i : back,
                     back);
    }
}

/* ---- places ---- */

static int larger_first(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->first != y->first ? (x->first > y->first ? 1 : -1) : (x->number > y->number ? 1 : -1);
}

static bool meet(const span *a, const span *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which span i meets none of the spans placed before it. */
static int64_t lowest_place(const span *spans, int32_t i)
{
    int64_t place = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int32_t j = 0; j < i; j++)
            if (meet(&spans[i], &spans[j]) && place < *spans[j].offset + spans[j].size
                && *spans[j].offset < place + spans[i].size) {
                place = *spans[j].offset + spans[j].size;
                moved = true;
            }
    }
    return place;
}

static void place_all(planner *p)
{
    p->floats = 0;
    qsort(p->spans, (size_t)p->count, sizeof *p->spans, larger_first);
    for (int32_t i = 0; i < p->count && p->status == GG_OK; i++) {
        const int64_t place = lowest_place(p->spans, i), end = place + p->spans[i].size;
        *p->spans[i].offset = place;
        p->floats = end > p->floats ? end : p->floats;
        if (p->floats > MOST_FLOATS)
            p->status = gg_fail(GG_ERR_OVERFLOW,
                                "gg_model_plan: the workspace of %lld floats or more is more than memory can hold",
                                (long long)p->floats);
    }
}

/* ---- parameters ---- */

static gg_status fill_orthogonal(float *w, const gg_parameter_info *p, gg_random *random)
{
    const int64_t rows = p->shape.dims[0], columns = p->size / rows, width = columns / p->blocks;
    gg_status status = GG_OK;
    for (int b = 0; b < p->blocks && status == GG_OK; b++)
        status = gg_orthogonal_fill(w + b * width, columns, rows, width, p->deviation, random);
    return status;
}

static gg_status fill_parameters(gg_model *model, float *weights)
{
    gg_status status = GG_OK;
    for (int32_t i = 0; i < model->parameter_count && status == GG_OK; i++) {
        const gg_parameter_info *p = &model->parameters[i];
        const int64_t count = p->start_count > 0 ? p->start_count : p->size;
        gg_random random = gg_random_make(model->seed, (uint64_t)i);
        float *w = weights + p->offset;
        if (p->blocks > 0)
            status = fill_orthogonal(w, p, &random);
        else if (p->deviation > 0.0f)
            status = gg_random_fill_normal(w, p->size, 0.0f, p->deviation, &random);
        for (int64_t j = 0; j < count && p->start != 0.0f; j++)
            w[p->start_first + j] = p->start;
    }
    return status;
}

/* Places for the parameters that are sparse, or that are not, behind *floats of others. */
static gg_status place_parameters(gg_model *model, bool sparse, int64_t *floats)
{
    for (int32_t i = 0; i < model->parameter_count; i++) {
        if (model->parameters[i].sparse != sparse)
            continue;
        model->parameters[i].offset = *floats;
        *floats += round_up(model->parameters[i].size);
        if (*floats > MOST_FLOATS)
            return gg_fail(GG_ERR_OVERFLOW,
                           "gg_model_plan: %lld floats of parameters or more are more than memory can hold",
                           (long long)*floats);
    }
    return GG_OK;
}

static gg_status lay_out_parameters(gg_model *model)
{
    int64_t floats = 0;
    gg_status status = place_parameters(model, false, &floats);
    model->dense_floats = floats;
    if (status == GG_OK)
        status = place_parameters(model, true, &floats);
    model->parameter_floats = floats;
    return status;
}

/* Rows of all sparse parameters together. */
static int64_t sparse_rows(const gg_model *model)
{
    int64_t rows = 0;
    for (int32_t i = 0; i < model->parameter_count; i++)
        rows += model->parameters[i].sparse ? model->parameters[i].shape.dims[0] : 0;
    return rows;
}

/* Nothing is touched: the gradients are all 0. */
static void clear_touched(gg_model *model)
{
    int32_t *next = model->touched;
    for (int32_t i = 0; i < model->parameter_count && next != NULL; i++) {
        gg_parameter_info *parameter = &model->parameters[i];
        if (!parameter->sparse)
            continue;
        const int64_t rows = parameter->shape.dims[0];
        parameter->touched = (gg_touched){next, next + rows, 0};
        memset(parameter->touched.mark, 0, (size_t)rows * sizeof *next);
        next += 2 * rows;
    }
}

/* ---- states ---- */

static gg_status lay_out_states(planner *p)
{
    p->carried_floats = 0;
    for (int32_t i = 0; i < p->model->state_count; i++) {
        gg_state_info *state = &p->model->states[i];
        if (gg_shape_floats(&state->planned_size, &state->shape, p->largest) != GG_OK)
            return fail_shape(p, state->name, &state->shape);
        state->planned_offset = p->carried_floats;
        p->carried_floats += round_up(state->planned_size > 0 ? state->planned_size : 1);
        if (p->carried_floats > MOST_FLOATS)
            return gg_fail(GG_ERR_OVERFLOW,
                           "gg_model_plan: %lld floats of states or more are more than memory can hold",
                           (long long)p->carried_floats);
    }
    return GG_OK;
}

/* Whether the array of states there is does not serve the new plan. */
static bool states_change(const gg_model *model)
{
    bool change = model->carried == NULL && model->state_count > 0;
    for (int32_t i = 0; i < model->state_count; i++)
        change = change || model->states[i].size != model->states[i].planned_size;
    return change;
}

/* A new array: what has kept its size keeps its values. */
static void fill_states(const gg_model *model, float *carried)
{
    for (int32_t i = 0; i < model->state_count; i++) {
        const gg_state_info *state = &model->states[i];
        float *to = carried + state->planned_offset;
        if (model->carried != NULL && state->size == state->planned_size && state->size > 0)
            memcpy(to, model->carried + state->offset, (size_t)state->size * sizeof *to);
        else
            for (int64_t j = 0; j < state->planned_size; j++)
                to[j] = state->initial;
    }
}

static void mark_used_parameters(gg_model *model)
{
    for (int32_t i = 0; i < model->parameter_count; i++)
        model->parameters[i].trains = false;
    for (int32_t i = model->node_count - 1; i >= 0; i--) {
        gg_node *node = &model->nodes[i];
        for (int j = 0; j < node->parameter_count && node->trains; j++) {
            gg_parameter_info *parameter = &model->parameters[node->parameters[j]];
            node->pass.add_dw[j] = parameter->trains; /* a later layer shares it and has written the gradient */
            parameter->trains = true;
        }
    }
}

/* ---- the plan ---- */

static gg_status check_loss(const gg_model *model, gg_value loss)
{
    if (loss.id < 0)
        return GG_OK;
    if (!gg_model_owns(model, loss))
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_plan: loss is not a value of this model");
    const gg_value_info *info = &model->values[loss.id];
    char text[96];
    if (info->is_input || info->shape.rank != 1 || info->shape.dims[0] != 1)
        return gg_fail(GG_ERR_SHAPE, "gg_model_plan: loss has shape %s, expected the scalar [1] that a layer computes",
                       gg_shape_text(&info->shape, text));
    return GG_OK;
}

/* Decide who takes part and where everything lies, for the model's loss and the planner's extents. */
static gg_status lay_out(planner *p)
{
    gg_model *model = p->model;
    p->count = 0;
    p->status = GG_OK;
    gg_fold_pair(model);
    mark_wanted(model);
    mark_training(model);
    mark_used_parameters(model);
    gg_hand_over(model);
    for (int32_t v = 0; v < model->value_count; v++)
        plan_value(p, v);
    for (int32_t i = 0; i < model->node_count; i++)
        plan_node(p, i);
    if (p->status == GG_OK)
        place_all(p);
    return p->status;
}

/* What a plan allocates, until all of it is there. Parameters and gradients stay for all later plans. */
typedef struct arenas {
    void *weights, *gradients, *touched, *carried, *workspace;
} arenas;

static gg_status allocate(gg_model *model, arenas *a, const planner *p)
{
    const size_t bytes = (size_t)model->parameter_floats * sizeof(float);
    gg_status status = gg_alloc_zero(&a->workspace, (size_t)p->floats * sizeof(float));
    if (status == GG_OK && model->weights == NULL && bytes > 0) {
        status = gg_alloc_zero(&a->weights, bytes);
        if (status == GG_OK)
            status = fill_parameters(model, a->weights);
    }
    if (status == GG_OK && model->gradients == NULL && model->loss.id >= 0 && bytes > 0)
        status = gg_alloc_zero(&a->gradients, bytes);
    if (status == GG_OK && a->gradients != NULL && sparse_rows(model) > 0)
        status = gg_alloc(&a->touched, (size_t)(2 * sparse_rows(model)) * sizeof(int32_t));
    if (status == GG_OK && states_change(model)) {
        status = gg_alloc_zero(&a->carried, (size_t)p->carried_floats * sizeof(float));
        if (status == GG_OK)
            fill_states(model, a->carried);
    }
    if (status == GG_OK)
        return GG_OK;
    gg_free(a->workspace);
    gg_free(a->weights);
    gg_free(a->gradients);
    gg_free(a->touched);
    return status;
}

static void take_over_states(gg_model *model, float *carried, const planner *p)
{
    if (carried == NULL)
        return;
    gg_free(model->carried);
    model->carried = carried;
    model->carried_floats = p->carried_floats;
    for (int32_t i = 0; i < model->state_count; i++) {
        model->states[i].offset = model->states[i].planned_offset;
        model->states[i].size = model->states[i].planned_size;
    }
}

static void take_over(gg_model *model, const arenas *a, const planner *p)
{
    take_over_states(model, a->carried, p);
    gg_free(model->workspace);
    model->workspace = a->workspace;
    model->workspace_floats = p->floats;
    model->weights = a->weights != NULL ? a->weights : model->weights;
    model->gradients = a->gradients != NULL ? a->gradients : model->gradients;
    model->touched = a->touched != NULL ? a->touched : model->touched;
    if (model->gradients != NULL) /* of parameters that the loss before reached, and this one may not */
        memset(model->gradients, 0, (size_t)model->parameter_floats * sizeof(float));
    clear_touched(model);
    model->threads = p->asked ? p->threads : 0;
    for (int32_t i = 0; i < model->node_count; i++)
        for (int b = 0; b < model->nodes[i].buffer_count; b++)
            model->nodes[i].buffers[b].floats = model->nodes[i].buffers[b].planning;
    memcpy(model->planned_for, p->largest, sizeof model->planned_for);
    memcpy(model->extent, p->largest, sizeof model->extent);
    model->planned = true;
    model->last_target = -1;
    model->backward_ready = false;
    gg_model_refresh(model);
}

/* Plan for the extents in p; after a failure the plan before, if there was one, is in force again. */
static gg_status plan(planner *p, gg_value loss)
{
    gg_model *model = p->model;
    const gg_value loss_before = model->loss;
    arenas a = {0};
    model->loss = loss;
    gg_status status = lay_out_parameters(model);
    if (status == GG_OK)
        status = lay_out_states(p);
    if (status == GG_OK)
        status = lay_out(p);
    if (status == GG_OK)
        status = allocate(model, &a, p);
    if (status == GG_OK) {
        take_over(model, &a, p);
        return GG_OK;
    }
    model->loss = loss_before;
    if (model->planned) {
        p->largest = model->planned_for;
        p->as_before = true;
        lay_out(p); /* fits: it did before */
    }
    return status;
}

gg_status gg_model_plan(gg_model *model, gg_value loss, int64_t largest_batch)
{
    if (model == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_plan: model is NULL");
    if (model->error != GG_OK)
        return gg_fail(model->error, "%s", model->message);
    if (largest_batch < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_plan: largest_batch is %lld", (long long)largest_batch);
    gg_status status = check_loss(model, loss);
    if (status != GG_OK)
        return status;
    const int64_t largest[GG_AXIS_COUNT] = {largest_batch, model->largest[1], model->largest[2]};
    const int64_t per_node = 2 + GG_NODE_BUFFERS + GG_NODE_INPUTS;
    const int64_t spans = 2 * (int64_t)model->value_count + per_node * model->node_count + 1;
    void *memory = NULL;
    status = gg_alloc(&memory, (size_t)spans * sizeof(span));
    if (status != GG_OK)
        return status;
    planner p = {.model = model, .largest = largest, .spans = memory, .threads = gg_threads()};
    status = plan(&p, loss.id >= 0 ? loss : GG_NO_VALUE);
    gg_free(memory);
    return status;
}

gg_status gg_model_set_largest(gg_model *model, int axis, int64_t extent)
{
    if (model == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_set_largest: model is NULL");
    if (axis >= 0 || axis < -GG_AXIS_COUNT || extent < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_set_largest: axis %d, extent %lld", axis, (long long)extent);
    model->largest[-1 - axis] = extent;
    return GG_OK;
}

gg_status gg_model_keep(gg_model *model, gg_value value, bool gradient)
{
    if (!gg_model_owns(model, value))
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_keep: not a value of this model");
    if (model->planned)
        return gg_fail(GG_ERR_STATE, "gg_model_keep: the model is planned already");
    if (gradient && model->values[value.id].is_labels)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_keep: the labels \"%s\" have no gradient",
                       model->values[value.id].name);
    gg_value_info *storage = &model->values[model->values[value.id].storage];
    storage->keep = true;
    storage->keep_gradient |= gradient;
    return GG_OK;
}
