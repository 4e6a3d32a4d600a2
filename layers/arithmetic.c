/* arithmetic.c - the nodes of a computational graph that combine elements: add, multiply, divide, repeat, sum.
 *
 *   add       y = a + b               da = dy                     db = dy
 *   add_relu  y = max(a + b, 0)       da = db = dy [y > 0]        (the end of a residual block)
 *   multiply  y = a b                 da = dy b                   db = dy a
 *   divide    y = a / b               da = dy / b                 db = - dy a / b^2 = - dy y / b
 *   repeat    y_ij = x_i, j < count   dx_i = sum_j dy_ij          (the mirror image of sum)
 *   sum       y_i = sum_j x_ij        dx_ij = dy_i                (the mirror image of repeat)
 *
 * Source: Deep Learning from Scratch, chapters 5.2 to 5.4, and 2, chapter 1.3; add_relu: He et al., 2015. */
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/layer.h>

#include "node.h"

/* ---- two inputs of one shape ---- */

static gg_status add_forward(const gg_pass *pass)
{
    return gg_add(pass->y[0], pass->x[0], pass->x[1], pass->size);
}

static gg_status add_backward(const gg_pass *pass)
{
    for (int side = 0; side < 2; side++)
        if (pass->dx[side] != NULL && pass->dx[side] != pass->dy[0] && pass->size > 0) /* else: handover.c */
            memcpy(pass->dx[side], pass->dy[0], (size_t)pass->size * sizeof(float));
    return GG_OK;
}

static gg_status add_relu_forward(const gg_pass *pass)
{
    return gg_add_relu(pass->y[0], pass->x[0], pass->x[1], pass->size);
}

static gg_status add_relu_backward(const gg_pass *pass)
{
    gg_status status = GG_OK;
    for (int side = 0; side < 2 && status == GG_OK; side++)
        if (pass->dx[side] != NULL)
            status = gg_activation_backward(pass->dx[side], pass->dy[0], pass->y[0], pass->size, GG_RELU, 0.0f,
                                            pass->add_dx[side]);
    return status;
}

static gg_status multiply_forward(const gg_pass *pass)
{
    return gg_multiply(pass->y[0], pass->x[0], pass->x[1], pass->size);
}

static gg_status multiply_backward(const gg_pass *pass)
{
    gg_status status = GG_OK;
    for (int side = 0; side < 2 && status == GG_OK; side++)
        if (pass->dx[side] != NULL)
            status = gg_multiply(pass->dx[side], pass->dy[0], pass->x[1 - side], pass->size);
    return status;
}

static gg_status divide_forward(const gg_pass *pass)
{
    return gg_divide(pass->y[0], pass->x[0], pass->x[1], pass->size);
}

static gg_status divide_backward(const gg_pass *pass)
{
    gg_status status = GG_OK;
    if (pass->dx[0] != NULL)
        status = gg_divide(pass->dx[0], pass->dy[0], pass->x[1], pass->size);
    for (int64_t i = 0; i < pass->size && pass->dx[1] != NULL; i++)
        pass->dx[1][i] = -pass->dy[0][i] * pass->y[0][i] / pass->x[1][i];
    return status;
}

static const gg_layer_class add_class = {
    .kind = "add", .forward = add_forward, .backward = add_backward, .passes_gradient = true};
static const gg_layer_class add_relu_class = {
    .kind = "add_relu", .forward = add_relu_forward, .backward = add_relu_backward, .adds_gradients = true};
static const gg_layer_class multiply_class = {
    .kind = "multiply", .forward = multiply_forward, .backward = multiply_backward};
static const gg_layer_class divide_class = {.kind = "divide", .forward = divide_forward, .backward = divide_backward};

static gg_value add_pair(gg_model *model, const gg_layer_class *layer_class, gg_value a, gg_value b)
{
    const gg_shape *left = gg_value_shape(model, a, layer_class->kind, "a", false);
    const gg_shape *right = left != NULL ? gg_value_shape(model, b, layer_class->kind, "b", false) : NULL;
    char text[2][96];
    if (right == NULL)
        return GG_NO_VALUE;
    if (!gg_shapes_equal(left, right))
        return gg_model_error(model, GG_ERR_SHAPE, "gg_node_%s: a is %s, b is %s", layer_class->kind,
                              gg_shape_text(left, text[0]), gg_shape_text(right, text[1]));
    const gg_shape shape = *left;
    gg_node *node = gg_node_begin(model, layer_class, NULL, 0);
    if (node == NULL)
        return GG_NO_VALUE;
    const bool reads_inputs = layer_class != &add_class && layer_class != &add_relu_class;
    gg_node_input(model, node, a, reads_inputs);
    gg_node_input(model, node, b, reads_inputs);
    node->reads_output = layer_class == &divide_class || layer_class == &add_relu_class;
    return gg_node_output(model, node, &shape);
}

gg_value gg_node_add(gg_model *model, gg_value a, gg_value b)
{
    return add_pair(model, &add_class, a, b);
}

gg_value gg_node_add_relu(gg_model *model, gg_value a, gg_value b)
{
    return add_pair(model, &add_relu_class, a, b);
}

gg_value gg_node_multiply(gg_model *model, gg_value a, gg_value b)
{
    return add_pair(model, &multiply_class, a, b);
}

gg_value gg_node_divide(gg_model *model, gg_value a, gg_value b)
{
    return add_pair(model, &divide_class, a, b);
}

/* ---- repeat and sum ---- */

/* wide[i][j] = narrow[i]. */
static void spread(float *wide, const float *narrow, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            wide[i * columns + j] = narrow[i];
}

/* narrow[i] = sum_j wide[i][j], in double. */
static void collect(float *narrow, const float *wide, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < columns; j++)
            sum += (double)wide[i * columns + j];
        narrow[i] = (float)sum;
    }
}

static gg_status repeat_forward(const gg_pass *pass)
{
    spread(pass->y[0], pass->x[0], pass->size, *(const int64_t *)pass->options);
    return GG_OK;
}

static gg_status repeat_backward(const gg_pass *pass)
{
    if (pass->dx[0] != NULL)
        collect(pass->dx[0], pass->dy[0], pass->size, *(const int64_t *)pass->options);
    return GG_OK;
}

static gg_status sum_forward(const gg_pass *pass)
{
    collect(pass->y[0], pass->x[0], pass->rows, pass->columns);
    return GG_OK;
}

static gg_status sum_backward(const gg_pass *pass)
{
    if (pass->dx[0] != NULL)
        spread(pass->dx[0], pass->dy[0], pass->rows, pass->columns);
    return GG_OK;
}

static const gg_layer_class repeat_class = {.kind = "repeat", .forward = repeat_forward, .backward = repeat_backward};
static const gg_layer_class sum_class = {.kind = "sum", .forward = sum_forward, .backward = sum_backward};

gg_value gg_node_repeat(gg_model *model, gg_value x, int64_t count)
{
    const gg_shape *given = gg_value_shape(model, x, "gg_node_repeat", "x", false);
    char text[96];
    if (given == NULL)
        return GG_NO_VALUE;
    if (count < 1 || given->rank == GG_MAX_RANK)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_node_repeat: count is %lld, x is %s", (long long)count,
                              gg_shape_text(given, text));
    gg_shape shape = *given;
    shape.dims[shape.rank++] = count;
    gg_node *node = gg_node_begin(model, &repeat_class, &count, sizeof count);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    return gg_node_output(model, node, &shape);
}

gg_value gg_node_sum(gg_model *model, gg_value x)
{
    const gg_shape *given = gg_value_shape(model, x, "gg_node_sum", "x", false);
    if (given == NULL)
        return GG_NO_VALUE;
    gg_shape shape = *given;
    if (shape.rank > 1)
        shape.rank--;
    else
        shape.dims[0] = 1;
    gg_node *node = gg_node_begin(model, &sum_class, NULL, 0);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    return gg_node_output(model, node, &shape);
}
