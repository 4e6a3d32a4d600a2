/* activation.c - functions of single elements as layers of their own: Y = f(X), any shape.
 *
 * Derivation of backward: y_i depends on x_i alone, so dL/dx_i = dL/dy_i f'(x_i). gemmgrad/elementwise.h lists f'; for
 * sigmoid, tanh, ReLU and exp it is known from y, so that x need not be kept; for the others from x. */
#include <gemmgrad/elementwise.h>
#include <gemmgrad/layer.h>

#include "node.h"

typedef struct options {
    gg_activation f;
    float alpha;
} options;

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    return gg_activation_forward(pass->y[0], pass->x[0], pass->size, o->f, o->alpha);
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (pass->dx[0] == NULL)
        return GG_OK;
    const float *reference = gg_activation_needs_input(o->f) ? pass->x[0] : pass->y[0];
    return gg_activation_backward(pass->dx[0], pass->dy[0], reference, pass->size, o->f, o->alpha, pass->add_dx[0]);
}

/* One class for each function, so that layers are named after what they do. */
static const gg_layer_class classes[GG_ACTIVATION_COUNT] = {
    [GG_IDENTITY] = {.kind = "identity", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_SIGMOID] = {.kind = "sigmoid", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_TANH] = {.kind = "tanh", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_RELU] = {.kind = "relu", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_LEAKY_RELU] = {.kind = "leaky_relu", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_ELU] = {.kind = "elu", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_SILU] = {.kind = "silu", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_GELU] = {.kind = "gelu", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_GELU_TANH] = {.kind = "gelu_tanh", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_EXP] = {.kind = "exp", .forward = forward, .backward = backward, .adds_gradients = true},
    [GG_LOG] = {.kind = "log", .forward = forward, .backward = backward, .adds_gradients = true},
};

gg_value gg_activate(gg_model *model, gg_value x, gg_activation f, float alpha)
{
    if ((int)f < 0 || f >= GG_ACTIVATION_COUNT)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_activate: f is %d, not one of gg_activation", (int)f);
    const gg_shape *given = gg_value_shape(model, x, classes[f].kind, "x", false);
    if (given == NULL)
        return GG_NO_VALUE;
    const gg_shape shape = *given;
    gg_node *node = gg_node_begin(model, &classes[f], &(options){f, alpha}, sizeof(options));
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, gg_activation_needs_input(f));
    node->reads_output = !gg_activation_needs_input(f);
    return gg_node_output(model, node, &shape);
}

gg_value gg_sigmoid(gg_model *model, gg_value x)
{
    return gg_activate(model, x, GG_SIGMOID, 0.0f);
}

gg_value gg_tanh(gg_model *model, gg_value x)
{
    return gg_activate(model, x, GG_TANH, 0.0f);
}

gg_value gg_relu(gg_model *model, gg_value x)
{
    return gg_activate(model, x, GG_RELU, 0.0f);
}

gg_value gg_leaky_relu(gg_model *model, gg_value x, float slope)
{
    return gg_activate(model, x, GG_LEAKY_RELU, slope);
}

gg_value gg_elu(gg_model *model, gg_value x, float alpha)
{
    return gg_activate(model, x, GG_ELU, alpha);
}

gg_value gg_silu(gg_model *model, gg_value x)
{
    return gg_activate(model, x, GG_SILU, 0.0f);
}

gg_value gg_gelu(gg_model *model, gg_value x)
{
    return gg_activate(model, x, GG_GELU, 0.0f);
}

gg_value gg_gelu_tanh(gg_model *model, gg_value x)
{
    return gg_activate(model, x, GG_GELU_TANH, 0.0f);
}

gg_value gg_node_exp(gg_model *model, gg_value x)
{
    return gg_activate(model, x, GG_EXP, 0.0f);
}

gg_value gg_node_log(gg_model *model, gg_value x)
{
    return gg_activate(model, x, GG_LOG, 0.0f);
}
