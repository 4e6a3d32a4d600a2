/* lsuv.c - layer-sequential unit variance.
 *
 * One walk through the layers in their order: when a layer is reached its inputs are already those of the new weights.
 * z = x W + b is linear in W, so with b = 0 a single division by the deviation of z brings it to 1; a bias that is not
 * 0 makes it a few. Source: Mishkin and Matas, "All you need is a good init", 2016. */
#include <gemmgrad/fit.h>

#include <math.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/random.h>

#include "node.h"
#include "orthogonal.h"

enum { MOST_ROUNDS = 10 };
static const double CLOSE = 0.01;

/* Of n numbers. In two passes, since the mean may be large. */
static gg_status variance(double *out, float *x, int64_t n)
{
    double sum = 0.0, squares = 0.0, left = 0.0;
    gg_status status = gg_sum(&sum, x, n);
    if (status == GG_OK)
        status = gg_sum_squares(&squares, x, n);
    if (status != GG_OK)
        return status;
    const double mean = n > 0 ? sum / (double)n : 0.0;
    for (int64_t i = 0; i < n; i++)
        left += ((double)x[i] - mean) * ((double)x[i] - mean);
    *out = n > 0 && isfinite(squares) ? left / (double)n : (double)NAN;
    return GG_OK;
}

static gg_status bring_to_one(gg_model *model, gg_node *node, float *w, int64_t size)
{
    gg_status status = GG_OK;
    node->pass.linear = true;
    for (int round = 0; round < MOST_ROUNDS && status == GG_OK; round++) {
        double found = 0.0;
        status = node->layer_class->forward(&node->pass);
        if (status == GG_OK)
            status = variance(&found, node->pass.y[0], model->values[node->outputs[0]].size);
        if (status != GG_OK || fabs(found - 1.0) < CLOSE)
            break;
        if (!(found > 0.0) || !isfinite(found))
            status = gg_fail(GG_ERR_NUMERIC, "gg_lsuv: the output of %s has variance %g", node->name, found);
        else
            status = gg_scale(w, size, (float)(1.0 / sqrt(found)));
    }
    node->pass.linear = false;
    return status;
}

bool gg_parameter_is_shared(const gg_model *model, int32_t parameter)
{
    int users = 0;
    for (int32_t i = 0; i < model->node_count; i++)
        for (int j = 0; j < model->nodes[i].parameter_count; j++)
            users += model->nodes[i].parameters[j] == parameter;
    return users > 1;
}

/* Before the node's forward, its inputs being there. */
static gg_status start_node(gg_model *model, gg_node *node, void *context)
{
    (void)context;
    if (!node->layer_class->linear_in_weight || gg_parameter_is_shared(model, node->parameters[0]))
        return GG_OK;
    const int32_t p = node->parameters[0];
    const gg_parameter_info *parameter = &model->parameters[p];
    const int64_t rows = parameter->shape.dims[0], columns = parameter->size / rows;
    float *w = model->weights + parameter->offset;
    gg_random random = gg_random_make(model->seed, (uint64_t)p);
    const gg_status status = gg_orthogonal_fill(w, columns, rows, columns, 1.0f, &random);
    /* A normalised weight has the size it has. */
    return status == GG_OK && node->spectral < 0 ? bring_to_one(model, node, w, parameter->size) : status;
}

gg_status gg_lsuv(gg_model *model, gg_value target)
{
    if (model == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_lsuv: model is NULL");
    return gg_model_walk(model, target, GG_INFER, start_node, NULL);
}
