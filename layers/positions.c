/* positions.c - where in its sequence a row stands: added as sines and cosines, added as learned vectors, or turned
 * into it.
 *
 * Shapes: x, y [T, .., D] or [N, T, .., D]; row r has the position p(r).
 *
 *     sinusoidal   y_r = x_r + s_p                        dx = dy
 *     learned      y_r = x_r + w_p                        dx = dy, dw_p = sum of dy_r over the rows of position p
 *     rotary       y_r = R_p x_r, R_p turns pairs of      dx_r = R_p^T dy_r: turned back
 *                  features of the first heads by angles p / base^(2i / width) and leaves the rest of a row alone
 *
 * A product of a turned query and a turned key depends on the difference of their positions alone, since R_p^T R_q =
 * R_(q - p). Sources: Vaswani et al., 2017; Su et al., 2021. */
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/positions.h>
#include <gemmgrad/rows.h>
#include <gemmgrad/transformer.h>

#include "node.h"

typedef struct options {
    gg_position_options given;
    gg_shape shape; /* of x */
    int time_dimension;
    int64_t heads, width; /* rotary */
    int64_t capacity;     /* learned */
} options;

static int64_t extent(const gg_pass *pass, int dimension)
{
    const options *o = pass->options;
    const int64_t d = o->shape.dims[dimension];
    return d < 0 ? pass->extents[-1 - d] : d;
}

static int64_t positions_of(const gg_pass *pass)
{
    const options *o = pass->options;
    return extent(pass, o->time_dimension);
}

/* Rows side by side that share a position. */
static int64_t together(const gg_pass *pass)
{
    const options *o = pass->options;
    int64_t rows = 1;
    for (int i = o->time_dimension + 1; i < o->shape.rank - 1; i++)
        rows *= extent(pass, i);
    return rows;
}

/* The position of the first step of this run. */
static int64_t first_of(const gg_pass *pass)
{
    const options *o = pass->options;
    return o->given.stateful && pass->mode == GG_CONTINUE ? (int64_t)pass->state[0][0] : 0;
}

/* Called when forward has succeeded. Floats count to 2^24. */
static void move_on(const gg_pass *pass)
{
    const options *o = pass->options;
    if (o->given.stateful && pass->mode == GG_CONTINUE)
        pass->state[0][0] += (float)positions_of(pass);
}

static gg_status copy_gradient(const gg_pass *pass)
{
    if (pass->dx[0] == NULL || pass->size == 0)
        return GG_OK;
    if (pass->add_dx[0])
        return gg_axpy(pass->dx[0], pass->dy[0], pass->size, 1.0f);
    memcpy(pass->dx[0], pass->dy[0], (size_t)pass->size * sizeof(float));
    return GG_OK;
}

/* ---- sinusoidal ---- */

static gg_status sinusoidal_forward(const gg_pass *pass)
{
    float *table = pass->buffer[0];
    const int64_t positions = positions_of(pass);
    gg_status status = gg_sinusoidal_table(table, first_of(pass), positions, pass->columns);
    if (status == GG_OK)
        status = gg_add_positions(pass->y[0], pass->x[0], table, pass->rows, pass->columns, positions, together(pass));
    if (status == GG_OK)
        move_on(pass);
    return status;
}

static const gg_layer_class sinusoidal_class = {
    .kind = "sinusoidal_positions", .forward = sinusoidal_forward, .backward = copy_gradient, .adds_gradients = true};

/* ---- learned ---- */

static gg_status learned_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const int64_t first = first_of(pass), positions = positions_of(pass);
    if (positions > o->capacity - first)
        return gg_fail(GG_ERR_SHAPE, "%s: %lld positions from %lld on, learned are %lld", pass->node->name,
                       (long long)positions, (long long)first, (long long)o->capacity);
    const gg_status status = gg_add_positions(pass->y[0], pass->x[0], pass->w[0] + first * pass->columns, pass->rows,
                                              pass->columns, positions, together(pass));
    if (status == GG_OK)
        move_on(pass);
    return status;
}

/* Training begins at position 0; positions that did not occur have the gradient 0. */
static gg_status learned_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const int64_t positions = positions_of(pass), rest = o->capacity - positions;
    gg_status status = gg_sum_positions(pass->dw[0], pass->dy[0], pass->rows, pass->columns, positions, together(pass),
                                        pass->add_dw[0]);
    if (status == GG_OK && !pass->add_dw[0])
        status = gg_fill(pass->dw[0] + positions * pass->columns, rest * pass->columns, 0.0f);
    return status == GG_OK ? copy_gradient(pass) : status;
}

static const gg_layer_class learned_class = {
    .kind = "learned_positions", .forward = learned_forward, .backward = learned_backward, .adds_gradients = true};

/* ---- rotary ---- */

/* Whole rows, turned or turned back. */
static gg_status turn(float *to, const float *from, const gg_pass *pass, bool inverse)
{
    const options *o = pass->options;
    const int64_t turned = o->heads * o->width, rest = pass->columns - turned;
    const gg_status status = gg_rotary(to, pass->columns, from, pass->columns, pass->buffer[0], pass->rows, o->heads,
                                       o->width, positions_of(pass), together(pass), inverse, false);
    if (status != GG_OK || rest == 0 || pass->rows == 0)
        return status;
    return gg_copy_rows(to + turned, pass->columns, from + turned, pass->columns, pass->rows, rest);
}

static gg_status rotary_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    gg_status status = gg_rotary_table(pass->buffer[0], first_of(pass), positions_of(pass), o->width, o->given.base);
    if (status == GG_OK)
        status = turn(pass->y[0], pass->x[0], pass, false);
    if (status == GG_OK)
        move_on(pass);
    return status;
}

static gg_status rotary_backward(const gg_pass *pass)
{
    return pass->dx[0] != NULL ? turn(pass->dx[0], pass->dy[0], pass, true) : GG_OK;
}

static const gg_layer_class rotary_class = {
    .kind = "rotary_positions", .forward = rotary_forward, .backward = rotary_backward};

/* ---- building ---- */

/* The options with x's shape; features is 0, with the model in error, when they do not fit. */
static int64_t take_options(gg_model *model, options *o, const gg_layer_class *layer_class, gg_value x,
                            const gg_position_options *given)
{
    char text[96];
    const int64_t features = gg_value_features(model, x, layer_class->kind, "x");
    if (features == 0)
        return 0;
    o->given = given != NULL ? *given : (gg_position_options){0};
    o->shape = *gg_value_shape(model, x, layer_class->kind, "x", false);
    o->time_dimension = o->shape.dims[0] == GG_BATCH ? 1 : 0;
    if (o->time_dimension < o->shape.rank - 1)
        return features;
    gg_model_error(model, GG_ERR_SHAPE, "gg_%s: x is %s, expected [batch, time, .., features] or [time, .., features]",
                   layer_class->kind, gg_shape_text(&o->shape, text));
    return 0;
}

static gg_node *begin(gg_model *model, const options *o, const gg_layer_class *layer_class, gg_value x)
{
    gg_node *node = gg_node_begin(model, layer_class, o, sizeof *o);
    if (node == NULL)
        return NULL;
    gg_node_input(model, node, x, false);
    if (o->given.stateful) {
        gg_node_state(model, node, "position", &(gg_shape){1, {1}}, 0.0f);
        gg_node_sequence_state(model);
    }
    return node;
}

static gg_shape table_shape(const options *o, int64_t width)
{
    return (gg_shape){2, {o->shape.dims[o->time_dimension], width}};
}

gg_value gg_sinusoidal_positions(gg_model *model, gg_value x, const gg_position_options *given)
{
    options o = {0};
    const int64_t features = take_options(model, &o, &sinusoidal_class, x, given);
    gg_node *node = features > 0 ? begin(model, &o, &sinusoidal_class, x) : NULL;
    if (node == NULL)
        return GG_NO_VALUE;
    const gg_shape table = table_shape(&o, features);
    gg_node_buffer(node, &table, GG_BUFFER_FORWARD);
    return gg_node_output(model, node, &o.shape);
}

gg_value gg_learned_positions(gg_model *model, gg_value x, int64_t capacity, const gg_position_options *given)
{
    static const float deviation = 0.02f; /* GPT-2's */
    options o = {.capacity = capacity};
    const int64_t features = take_options(model, &o, &learned_class, x, given);
    if (features > 0 && capacity < 1)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_learned_positions: capacity is %lld, expected 1 or more",
                              (long long)capacity);
    gg_node *node = features > 0 ? begin(model, &o, &learned_class, x) : NULL;
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_parameter(model, node, "W", &(gg_shape){2, {capacity, features}}, deviation);
    return gg_node_output(model, node, &o.shape);
}

gg_value gg_rotary_positions(gg_model *model, gg_value x, int64_t heads, int64_t width,
                             const gg_position_options *given)
{
    options o = {.heads = heads, .width = width};
    int64_t turned = 0;
    const int64_t features = take_options(model, &o, &rotary_class, x, given);
    if (features == 0)
        return GG_NO_VALUE;
    if (heads < 1 || width < 2 || width % 2 != 0 || __builtin_mul_overflow(heads, width, &turned) || turned > features)
        return gg_model_error(model, GG_ERR_SHAPE,
                              "gg_rotary_positions: %lld heads of %lld features, x has %lld; expected an even number",
                              (long long)heads, (long long)width, (long long)features);
    if (!(o.given.base >= 0.0f && o.given.base < INFINITY))
        return gg_model_error(model, GG_ERR_ARGUMENT,
                              "gg_rotary_positions: base is %g, expected above 0, or 0 for 10000",
                              (double)o.given.base);
    gg_node *node = begin(model, &o, &rotary_class, x);
    if (node == NULL)
        return GG_NO_VALUE;
    const gg_shape table = table_shape(&o, width);
    gg_node_buffer(node, &table, GG_BUFFER_CACHE);
    return gg_node_output(model, node, &o.shape);
}
