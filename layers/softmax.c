/* softmax.c - softmax over the last dimension.
 *
 *   y_c = exp(x_c) / s,  s = sum_j exp(x_j)          (each row by itself)
 *
 * Derivation of backward: dy_j/dx_c = y_j ([j = c] - y_c), hence
 *   dL/dx_c = sum_j dL/dy_j y_j ([j = c] - y_c) = y_c (dL/dy_c - sum_j dL/dy_j y_j). */
#include <gemmgrad/layer.h>
#include <gemmgrad/softmax.h>

#include "node.h"

static gg_status forward(const gg_pass *pass)
{
    return gg_softmax_forward(pass->y[0], pass->x[0], pass->rows, pass->columns);
}

static gg_status backward(const gg_pass *pass)
{
    if (pass->dx[0] == NULL)
        return GG_OK;
    return gg_softmax_backward(pass->dx[0], pass->dy[0], pass->y[0], pass->rows, pass->columns);
}

static const gg_layer_class softmax_class = {.kind = "softmax", .forward = forward, .backward = backward};

gg_value gg_softmax(gg_model *model, gg_value x)
{
    if (gg_value_features(model, x, "gg_softmax", "x") == 0)
        return GG_NO_VALUE;
    const gg_shape shape = *gg_value_shape(model, x, "gg_softmax", "x", false);
    gg_node *node = gg_node_begin(model, &softmax_class, NULL, 0);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    node->reads_output = true;
    return gg_node_output(model, node, &shape);
}
