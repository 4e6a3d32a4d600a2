/* sequence.c - shapes of sequences: values side by side, the same at every step, single steps.
 *
 *   concatenate   y_r = (a_r, b_r, ..)       da_r, db_r, .. = the parts of dy_r
 *   repeat_time   y_t = x for every step t   dx = sum over t of dy_t      (the mirror image of a sum over time)
 *   first_step    y = x_0                    dx_0 = dy, dx_t = 0 for the others
 *   last_step     y = x_(T-1)                dx_(T-1) = dy, dx_t = 0 for the others
 *
 * Source: Deep Learning from Scratch 2, chapter 7.4 (the peeky decoder: repeat and concatenate). */
#include <stdio.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/rows.h>
#include <gemmgrad/sequence.h>

#include "node.h"

/* ---- concatenate ---- */

typedef struct parts {
    int64_t width[GG_NODE_INPUTS], total;
} parts;

static gg_status concatenate_forward(const gg_pass *pass)
{
    const parts *p = pass->options;
    gg_status status = GG_OK;
    int64_t at = 0;
    for (int i = 0; i < pass->node->input_count && status == GG_OK; i++) {
        status = gg_copy_rows(pass->y[0] + at, p->total, pass->x[i], p->width[i], pass->rows, p->width[i]);
        at += p->width[i];
    }
    return status;
}

static gg_status concatenate_backward(const gg_pass *pass)
{
    const parts *p = pass->options;
    gg_status status = GG_OK;
    int64_t at = 0;
    for (int i = 0; i < pass->node->input_count && status == GG_OK; i++) {
        if (pass->dx[i] != NULL)
            status = gg_copy_rows(pass->dx[i], p->width[i], pass->dy[0] + at, p->total, pass->rows, p->width[i]);
        at += p->width[i];
    }
    return status;
}

static const gg_layer_class concatenate_class = {
    .kind = "concatenate", .forward = concatenate_forward, .backward = concatenate_backward};

/* Whether value i has the leading dimensions of the first; adds its width. */
static bool take_part(gg_model *model, const gg_value *values, int i, parts *p)
{
    char text[2][96], argument[16];
    snprintf(argument, sizeof argument, "values[%d]", i);
    p->width[i] = gg_value_features(model, values[i], "gg_concatenate", argument);
    if (p->width[i] == 0)
        return false;
    const gg_shape *first = &model->values[values[0].id].shape, *shape = &model->values[values[i].id].shape;
    gg_shape alike = *shape;
    alike.dims[shape->rank - 1] = first->dims[first->rank - 1];
    if (gg_shapes_equal(&alike, first) && !__builtin_add_overflow(p->total, p->width[i], &p->total))
        return true;
    gg_model_error(model, GG_ERR_SHAPE, "gg_concatenate: values[0] is %s, %s is %s", gg_shape_text(first, text[0]),
                   argument, gg_shape_text(shape, text[1]));
    return false;
}

gg_value gg_concatenate(gg_model *model, const gg_value *values, int count)
{
    if (values == NULL || count < 1 || count > GG_NODE_INPUTS)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_concatenate: %s%d, expected 1 to %d values",
                              values == NULL ? "values is NULL, count is " : "count is ", count, GG_NODE_INPUTS);
    parts p = {{0}, 0};
    for (int i = 0; i < count; i++)
        if (!take_part(model, values, i, &p))
            return GG_NO_VALUE;
    gg_shape shape = model->values[values[0].id].shape;
    shape.dims[shape.rank - 1] = p.total;
    gg_node *node = gg_node_begin(model, &concatenate_class, &p, sizeof p);
    if (node == NULL)
        return GG_NO_VALUE;
    for (int i = 0; i < count; i++)
        gg_node_input(model, node, values[i], false);
    return gg_node_output(model, node, &shape);
}

/* ---- repeat over time ---- */

static int64_t steps_of(const gg_pass *pass)
{
    const int64_t time = *(const int64_t *)pass->options;
    return time < 0 ? pass->extents[-1 - time] : time;
}

static gg_status repeat_forward(const gg_pass *pass)
{
    for (int64_t t = 0; t < steps_of(pass) && pass->size > 0; t++)
        memcpy(pass->y[0] + t * pass->size, pass->x[0], (size_t)pass->size * sizeof(float));
    return GG_OK;
}

static gg_status repeat_backward(const gg_pass *pass)
{
    return pass->dx[0] != NULL ? gg_sum_rows(pass->dx[0], pass->dy[0], pass->size, steps_of(pass), pass->size, false)
                               : GG_OK;
}

static const gg_layer_class repeat_class = {
    .kind = "repeat_time", .forward = repeat_forward, .backward = repeat_backward};

gg_value gg_repeat_time(gg_model *model, gg_value x, int64_t time)
{
    const gg_shape *given = gg_value_shape(model, x, "gg_repeat_time", "x", false);
    char text[96];
    if (given == NULL)
        return GG_NO_VALUE;
    if (time == 0 || time < -GG_AXIS_COUNT || given->rank == GG_MAX_RANK)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_repeat_time: time is %lld, x is %s", (long long)time,
                              gg_shape_text(given, text));
    gg_shape shape = {given->rank + 1, {time}};
    memcpy(&shape.dims[1], given->dims, (size_t)given->rank * sizeof *given->dims);
    gg_node *node = gg_node_begin(model, &repeat_class, &time, sizeof time);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    return gg_node_output(model, node, &shape);
}

/* ---- one step ---- */

typedef struct step_options {
    int64_t time; /* the first dimension of x */
    gg_shape step;
    bool last;
} step_options;

/* How many steps x has, floats of one, and where the one that is wanted begins. */
typedef struct step_place {
    int64_t steps, floats, at;
} step_place;

static step_place find_step(const gg_pass *pass)
{
    const step_options *o = pass->options;
    step_place place = {.steps = o->time < 0 ? pass->extents[-1 - o->time] : o->time};
    (void)gg_shape_floats(&place.floats, &o->step, pass->extents); /* fits: the largest did */
    place.at = o->last ? (place.steps - 1) * place.floats : 0;
    return place;
}

static gg_status step_forward(const gg_pass *pass)
{
    const step_place step = find_step(pass);
    if (step.steps == 0)
        return gg_fill(pass->y[0], step.floats, 0.0f);
    if (step.floats > 0)
        memcpy(pass->y[0], pass->x[0] + step.at, (size_t)step.floats * sizeof(float));
    return GG_OK;
}

static gg_status step_backward(const gg_pass *pass)
{
    const step_place step = find_step(pass);
    if (pass->dx[0] == NULL || pass->size == 0)
        return GG_OK;
    const gg_status status = gg_fill(pass->dx[0], pass->size, 0.0f);
    if (status == GG_OK)
        memcpy(pass->dx[0] + step.at, pass->dy[0], (size_t)step.floats * sizeof(float));
    return status;
}

static const gg_layer_class first_class = {.kind = "first_step", .forward = step_forward, .backward = step_backward};
static const gg_layer_class last_class = {.kind = "last_step", .forward = step_forward, .backward = step_backward};

static gg_value add_step(gg_model *model, gg_value x, bool last)
{
    const gg_layer_class *layer_class = last ? &last_class : &first_class;
    const gg_shape *given = gg_value_shape(model, x, layer_class->kind, "x", false);
    char text[96];
    if (given == NULL)
        return GG_NO_VALUE;
    if (given->rank < 2)
        return gg_model_error(model, GG_ERR_SHAPE, "gg_%s: x is %s, expected [time, ..]", layer_class->kind,
                              gg_shape_text(given, text));
    gg_shape shape = {given->rank - 1, {0}};
    memcpy(shape.dims, &given->dims[1], (size_t)shape.rank * sizeof *shape.dims);
    const step_options o = {given->dims[0], shape, last};
    gg_node *node = gg_node_begin(model, layer_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    return gg_node_output(model, node, &shape);
}

gg_value gg_first_step(gg_model *model, gg_value x)
{
    return add_step(model, x, false);
}

gg_value gg_last_step(gg_model *model, gg_value x)
{
    return add_step(model, x, true);
}
