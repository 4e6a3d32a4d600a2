/* recurrent.c - RNN, LSTM and GRU over whole sequences, in one direction or both.
 *
 * Shapes: X [T, N, D], Y [T, N, dirs H]; for each direction Wx [D, G H], Wh [H, G H] and b. One node is one layer: the
 * loop over time is inside, so that the graph stays acyclic. Equations, and how they become few large products:
 * gemmgrad/recurrent.h.
 *
 * Derivation of backward, for a cell h_t, c_t = cell(a_t + s_t, c_(t-1)) with a_t = x_t Wx + b, s_t = h_(t-1) Wh. h_t
 * is read by y_t and by the next step, so with dS_t = dL/ds_t and dA_t = dL/da_t, from the last step to the first:
 *
 *     dL/dh_t = dY_t + dS_(t+1) Wh^T (+ what of h_t passes by the product, as in the GRU)      dL/dc_t likewise
 *     dX_t = dA_t Wx^T    dWx = sum_t X_t^T dA_t    dWh = sum_t H_(t-1)^T dS_t    db = sum of the rows of all dA_t
 *
 * The LSTM: do = dh tanh c, dc += dh o (1 - tanh^2 c), di = dc g, dg = dc i, df = dc c_(t-1), dc_(t-1) = dc f, each
 * times the slope of its gate: sigmoid's y (1 - y), tanh's 1 - y^2. The GRU: dn = dh (1 - z), dz = dh (h_(t-1) - n), dr
 * = da_n (s_n + b_nh), dh_(t-1) += dh z.
 *
 * States: a stateful layer starts from "h" (and "c") instead of zeros, which end the gradient's way, and leaves there
 * what is true at the end of the run. */
#include "recurrent.h"

#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/memory.h>

#include "dropout_mask.h"
#include "node.h"

/* ---- places ---- */

enum { WX, WH, B, PER_DIRECTION };
enum { Y, H_LAST, C_LAST };
enum { H, C };

static int64_t extent_of(int64_t dimension, const int64_t *extents)
{
    return dimension < 0 ? extents[-1 - dimension] : dimension;
}

static gg_recurrent_shape shape_at(const gg_recurrent_layer *o, const int64_t *extents)
{
    gg_recurrent_shape shape = o->shape;
    shape.steps = extent_of(shape.steps, extents);
    shape.batch = extent_of(shape.batch, extents);
    return shape;
}

/* Floats of a node's buffer, as planned. */
static int64_t room_of(const gg_pass *pass, int buffer)
{
    return pass->node->buffers[buffer].floats;
}

/* What both passes read, for each direction. `masks`: NULL where nothing is dropped. */
static void describe_inputs(gg_recurrent_inputs inputs[2], const gg_pass *pass, const gg_recurrent_shape *shape,
                            const float *masks)
{
    const gg_recurrent_layer *o = pass->options;
    const float *h0 = o->stateful ? pass->state[H] : o->h0 > 0 ? pass->x[o->h0] : NULL;
    const float *c0 = o->cell_state && o->stateful ? pass->state[C] : o->c0 > 0 ? pass->x[o->c0] : NULL;
    for (int64_t d = 0; d < shape->directions; d++) {
        const float *const *w = &pass->w[d * PER_DIRECTION];
        inputs[d] = (gg_recurrent_inputs){
            .x = pass->x[0],
            .wx = w[WX],
            .wh = w[WH],
            .bias = w[B],
            .h0 = h0 != NULL ? h0 + d * shape->hidden : NULL,
            .c0 = c0 != NULL ? c0 + d * shape->hidden : NULL,
            .ld0 = shape->directions * shape->hidden,
            .lengths = o->lengths > 0 ? pass->labels[o->lengths] : NULL,
            .drop = masks != NULL ? masks + d * shape->batch * shape->hidden : NULL,
            .reverse = d == 1,
        };
    }
}

static float *cache_of(const gg_pass *pass, int64_t direction, int64_t directions)
{
    return pass->buffer[GG_RECURRENT_CACHE] + direction * (room_of(pass, GG_RECURRENT_CACHE) / directions);
}

/* ---- forward ---- */

static void keep_state(const gg_pass *pass, const gg_recurrent_shape *shape)
{
    const gg_recurrent_layer *o = pass->options;
    const size_t bytes = (size_t)(shape->batch * shape->hidden) * sizeof(float);
    if (!o->stateful || !pass->updates_state || bytes == 0)
        return;
    memcpy(pass->state[H], pass->y[H_LAST], bytes);
    if (o->cell_state)
        memcpy(pass->state[C], pass->y[C_LAST], bytes);
}

static gg_status forward(const gg_pass *pass)
{
    const gg_recurrent_layer *o = pass->options;
    const gg_recurrent_shape shape = shape_at(o, pass->extents);
    const int64_t directions = shape.directions, width = directions * shape.hidden;
    float *masks = shape.dropout && pass->mode == GG_TRAIN ? pass->buffer[o->mask] : NULL;
    gg_recurrent_inputs inputs[2];
    gg_recurrent_results results[2];
    gg_status status = GG_OK;
    if (masks != NULL)
        status = gg_dropout_mask(masks, shape.batch * width, o->dropout, pass->seed, o->number, pass->step);
    describe_inputs(inputs, pass, &shape, masks);
    for (int64_t d = 0; d < directions; d++)
        results[d] = (gg_recurrent_results){
            .y = pass->y[Y] + d * shape.hidden,
            .ldy = width,
            .h_last = pass->y[H_LAST] + d * shape.hidden,
            .c_last = o->cell_state ? pass->y[C_LAST] + d * shape.hidden : NULL,
            .ld_last = width,
            .cache = cache_of(pass, d, directions),
        };
    if (status == GG_OK)
        status = gg_recurrent_forward(results, inputs, &shape, pass->buffer[GG_RECURRENT_ROOM_FORWARD],
                                      room_of(pass, GG_RECURRENT_ROOM_FORWARD));
    if (status == GG_OK)
        keep_state(pass, &shape);
    return status;
}

/* ---- backward ---- */

/* Where the gradient of a state at the start goes: to its place, or to scratch from which it is added; NULL: not
 * wanted.
 */
static float *start_gradient(const gg_pass *pass, int input, int scratch)
{
    return input == 0 || pass->dx[input] == NULL ? NULL : pass->add_dx[input] ? pass->buffer[scratch] : pass->dx[input];
}

static gg_status add_start_gradient(const gg_pass *pass, int input, int scratch, int64_t floats)
{
    return input > 0 && pass->dx[input] != NULL && pass->add_dx[input]
               ? gg_axpy(pass->dx[input], pass->buffer[scratch], floats, 1.0f)
               : GG_OK;
}

static void describe_gradients(gg_recurrent_gradients gradients[2], const gg_pass *pass,
                               const gg_recurrent_shape *shape)
{
    const gg_recurrent_layer *o = pass->options;
    float *dh0 = start_gradient(pass, o->h0, o->dh0), *dc0 = start_gradient(pass, o->c0, o->dc0);
    for (int64_t d = 0; d < shape->directions; d++) {
        float *const *dw = &pass->dw[d * PER_DIRECTION];
        gradients[d] = (gg_recurrent_gradients){
            .dx = pass->dx[0],
            .dwx = dw[WX],
            .dwh = dw[WH],
            .dbias = dw[B],
            .dh0 = dh0 != NULL ? dh0 + d * shape->hidden : NULL,
            .dc0 = dc0 != NULL ? dc0 + d * shape->hidden : NULL,
            .ld0 = shape->directions * shape->hidden,
            .accumulate_dx = d == 1 || pass->add_dx[0],
            .accumulate_dw = pass->add_dw[d * PER_DIRECTION],
        };
    }
}

static gg_status backward(const gg_pass *pass)
{
    const gg_recurrent_layer *o = pass->options;
    const gg_recurrent_shape shape = shape_at(o, pass->extents);
    const int64_t width = shape.directions * shape.hidden;
    gg_recurrent_inputs inputs[2];
    gg_recurrent_given given[2];
    gg_recurrent_gradients gradients[2];
    describe_inputs(inputs, pass, &shape, shape.dropout ? pass->buffer[o->mask] : NULL);
    describe_gradients(gradients, pass, &shape);
    for (int64_t d = 0; d < shape.directions; d++) {
        const float *dy = pass->dy[Y], *dh = pass->dy[H_LAST], *dc = o->cell_state ? pass->dy[C_LAST] : NULL;
        given[d] = (gg_recurrent_given){
            .dy = dy != NULL ? dy + d * shape.hidden : NULL,
            .lddy = width,
            .dh_last = dh != NULL ? dh + d * shape.hidden : NULL,
            .dc_last = dc != NULL ? dc + d * shape.hidden : NULL,
            .ld_last = width,
            .cache = cache_of(pass, d, shape.directions),
        };
    }
    gg_status status = gg_recurrent_backward(gradients, given, inputs, &shape, pass->buffer[GG_RECURRENT_ROOM_BACKWARD],
                                             room_of(pass, GG_RECURRENT_ROOM_BACKWARD));
    if (status == GG_OK)
        status = add_start_gradient(pass, o->h0, o->dh0, shape.batch * width);
    if (status == GG_OK)
        status = add_start_gradient(pass, o->c0, o->dc0, shape.batch * width);
    return status;
}

/* ---- planning ---- */

enum { FLOATS_PER_LINE = GG_ALIGNMENT / 4 };

/* The cache of each direction begins on a line. */
static gg_status cache_floats(int64_t *floats, const gg_recurrent_shape *shape)
{
    const gg_status status = gg_recurrent_cache(floats, shape);
    if (status != GG_OK)
        return status;
    const int64_t lines = *floats / FLOATS_PER_LINE + (*floats % FLOATS_PER_LINE > 0);
    return gg_checked_multiply(floats, lines, FLOATS_PER_LINE * shape->directions);
}

static gg_status workspace(int64_t *floats, const gg_node *node, int b, const int64_t extents[GG_AXIS_COUNT])
{
    const gg_recurrent_shape shape = shape_at((const void *)node->options, extents);
    if (b == GG_RECURRENT_CACHE)
        return cache_floats(floats, &shape);
    return gg_recurrent_workspace(floats, b == GG_RECURRENT_ROOM_FORWARD ? GG_RECURRENT_FORWARD : GG_RECURRENT_BACKWARD,
                                  &shape);
}

const gg_layer_class gg_recurrent_classes[GG_RECURRENT_KINDS] = {
    {.kind = "rnn", .forward = forward, .backward = backward, .adds_gradients = true, .workspace = workspace},
    {.kind = "lstm", .forward = forward, .backward = backward, .adds_gradients = true, .workspace = workspace},
    {.kind = "gru", .forward = forward, .backward = backward, .adds_gradients = true, .workspace = workspace},
};
