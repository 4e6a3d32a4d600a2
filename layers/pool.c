/* pool.c - pooling over windows and over whole images.
 *
 * Shapes: x [N, C, H, W] or a signal [N, C, W]; y [N, C, H', W'] or [N, C, W'],
 * H' = floor((H + top + bottom - kernel) / stride) + 1, W' likewise; over whole images y [N, C].
 *
 *   max_pool       y_o = max of x_i over the window of o        dx_i = sum of dy_o over the windows whose largest is i
 *   average_pool   y_o = sum of x_i over the window / count_o   dx_i = sum of dy_o / count_o over the windows i lies in
 *
 * Derivation: the largest moves with the one element that it is, the first of several that are equal (where the maximum
 * has no derivative, this is one of its subgradients); a mean moves with each of its elements by 1 / count. An element
 * gets the sum over all windows that it lies in. Windows over padding: it is never the largest, and counts as zeros in
 * a mean, or not at all (exclude_padding).
 *
 * Forward keeps where the largest of each window stood; inference does not ask. Sources: Deep Learning from Scratch,
 * chapter 7.3; global pooling: Lin et al., Network in Network, 2014. */
#include <gemmgrad/layer.h>
#include <gemmgrad/pool.h>

#include "node.h"

typedef struct options {
    gg_pool_window window;
    int64_t height, width;
} options;

_Static_assert(sizeof(options) <= GG_NODE_OPTION_BYTES, "the options of pooling fit a node");
_Static_assert(sizeof(int32_t) == sizeof(float), "an index takes the place of a float");

static int64_t planes_of(const gg_pass *pass, const options *o)
{
    return pass->size / (o->height * o->width);
}

/* Elements of y. */
static int64_t outputs_of(const gg_pass *pass, const options *o)
{
    int64_t height = 0, width = 0;
    gg_pool_output(&height, &width, o->height, o->width, &o->window); /* fits: checked when the layer was built */
    return planes_of(pass, o) * height * width;
}

enum { INDEX, UNDONE }; /* buffers */

static int32_t *index_of(const gg_pass *pass)
{
    return (int32_t *)(void *)pass->buffer[INDEX];
}

/* Where forward notes the places: only for a backward that may come. */
static int32_t *noted(const gg_pass *pass)
{
    return pass->mode == GG_TRAIN ? index_of(pass) : NULL;
}

/* ---- windows ---- */

static gg_status max_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    return gg_max_pool_forward(pass->y[0], noted(pass), pass->x[0], planes_of(pass, o), o->height, o->width,
                               &o->window);
}

static gg_status max_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const float *dy = pass->dy[0];
    gg_status status = GG_OK;
    if (pass->dx[0] == NULL)
        return GG_OK;
    if (pass->undo.f != GG_IDENTITY) { /* the element that is the largest has the output for its value */
        dy = pass->buffer[UNDONE];
        status = gg_activation_backward(pass->buffer[UNDONE], pass->dy[0], pass->y[0], outputs_of(pass, o),
                                        pass->undo.f, pass->undo.alpha, false);
    }
    if (status != GG_OK)
        return status;
    return gg_max_pool_backward(pass->dx[0], dy, index_of(pass), planes_of(pass, o), o->height, o->width, &o->window,
                                pass->add_dx[0]);
}

static gg_status average_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    return gg_average_pool_forward(pass->y[0], pass->x[0], planes_of(pass, o), o->height, o->width, &o->window);
}

static gg_status average_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (pass->dx[0] == NULL)
        return GG_OK;
    return gg_average_pool_backward(pass->dx[0], pass->dy[0], planes_of(pass, o), o->height, o->width, &o->window,
                                    pass->add_dx[0]);
}

/* ---- whole images ---- */

static gg_status global_max_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    return gg_global_max_pool_forward(pass->y[0], noted(pass), pass->x[0], planes_of(pass, o), o->height * o->width);
}

static gg_status global_max_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (pass->dx[0] == NULL)
        return GG_OK;
    return gg_global_max_pool_backward(pass->dx[0], pass->dy[0], index_of(pass), planes_of(pass, o),
                                       o->height * o->width, pass->add_dx[0]);
}

static gg_status global_average_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    return gg_global_average_pool_forward(pass->y[0], pass->x[0], planes_of(pass, o), o->height * o->width);
}

static gg_status global_average_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (pass->dx[0] == NULL)
        return GG_OK;
    return gg_global_average_pool_backward(pass->dx[0], pass->dy[0], planes_of(pass, o), o->height * o->width,
                                           pass->add_dx[0]);
}

static const gg_layer_class max_class = {.kind = "max_pool",
                                         .forward = max_forward,
                                         .backward = max_backward,
                                         .adds_gradients = true,
                                         .undoes_activation = true};
static const gg_layer_class average_class = {
    .kind = "average_pool", .forward = average_forward, .backward = average_backward, .adds_gradients = true};
static const gg_layer_class global_max_class = {
    .kind = "global_max_pool", .forward = global_max_forward, .backward = global_max_backward, .adds_gradients = true};
static const gg_layer_class global_average_class = {.kind = "global_average_pool",
                                                    .forward = global_average_forward,
                                                    .backward = global_average_backward,
                                                    .adds_gradients = true};

/* ---- building ---- */

static gg_value add(gg_model *model, const gg_layer_class *layer_class, gg_value x, const options *o,
                    const gg_shape *shape)
{
    gg_node *node = gg_node_begin(model, layer_class, o, sizeof *o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    if (layer_class == &max_class || layer_class == &global_max_class)
        gg_node_buffer(node, shape, GG_BUFFER_CACHE);
    if (layer_class->undoes_activation) {
        gg_node_buffer(node, shape, GG_BUFFER_BACKWARD);
        gg_node_undo_buffer(node);
        node->reads_output = true;
    }
    return gg_node_output(model, node, shape);
}

static gg_value add_windows(gg_model *model, const gg_layer_class *layer_class, gg_value x,
                            const gg_pool_window *window, const char *layer)
{
    const gg_image image = gg_value_image(model, x, layer);
    char text[96];
    if (image.channels == 0)
        return GG_NO_VALUE;
    gg_shape shape = *gg_value_shape(model, x, layer, "x", false);
    if (shape.rank < 3)
        return gg_model_error(model, GG_ERR_SHAPE, "%s: x is %s, expected images or signals", layer,
                              gg_shape_text(&shape, text));
    if (window == NULL)
        return gg_model_error(model, GG_ERR_ARGUMENT, "%s: window is NULL", layer);
    options o = {*window, image.height, image.width};
    if (shape.rank == 3 && o.window.kernel_height == 0)
        o.window.kernel_height = 1;
    int64_t out_height = 0, out_width = 0;
    const gg_status status = gg_pool_output(&out_height, &out_width, o.height, o.width, &o.window);
    if (status != GG_OK)
        return gg_model_error(model, status, "%s: x is %s: %s", layer, gg_shape_text(&shape, text), gg_error_message());
    if (shape.rank == 4)
        shape.dims[2] = out_height;
    shape.dims[shape.rank - 1] = out_width;
    return add(model, layer_class, x, &o, &shape);
}

gg_value gg_max_pool(gg_model *model, gg_value x, const gg_pool_window *window)
{
    return add_windows(model, &max_class, x, window, "gg_max_pool");
}

gg_value gg_average_pool(gg_model *model, gg_value x, const gg_pool_window *window)
{
    return add_windows(model, &average_class, x, window, "gg_average_pool");
}

static gg_value add_global(gg_model *model, const gg_layer_class *layer_class, gg_value x, const char *layer)
{
    const gg_image image = gg_value_image(model, x, layer);
    if (image.channels == 0)
        return GG_NO_VALUE;
    const options o = {.height = image.height, .width = image.width};
    gg_shape shape = *gg_value_shape(model, x, layer, "x", false);
    shape.rank = 2;
    return add(model, layer_class, x, &o, &shape);
}

gg_value gg_global_max_pool(gg_model *model, gg_value x)
{
    return add_global(model, &global_max_class, x, "gg_global_max_pool");
}

gg_value gg_global_average_pool(gg_model *model, gg_value x)
{
    return add_global(model, &global_average_class, x, "gg_global_average_pool");
}
