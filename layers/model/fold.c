/* fold.c - batch normalisation folded into the convolution before it, for inference.
 *
 * gamma (W * x + b - m) / sqrt(v + epsilon) + beta is one convolution, of s W with the bias (b - m) s + beta, where
 * s = gamma / sqrt(v + epsilon) (gemmgrad/norm.h). A pair is a convolution whose class and options allow it, and a
 * normalisation that alone reads its output. The folded weights are copies: parameters and running statistics stay. In
 * a folded run the convolution writes what the normalisation would, so in the plan that value lives from the
 * convolution's step on. */
#include <gemmgrad/memory.h>

#include "node.h"

enum { FLOATS_PER_LINE = GG_ALIGNMENT / 4 };

/* ---- pairs ---- */

/* The convolution that normalisation `i` could be folded into, or -1. */
static int32_t partner_of(const gg_model *model, int32_t i)
{
    const gg_node *norm = &model->nodes[i];
    const gg_value_info *between = &model->values[norm->inputs[0]];
    if (norm->layer_class->fold == NULL || norm->first_input != norm->inputs[0] || between->producer < 0
        || between->keep || norm->inputs[0] == model->loss.id)
        return -1;
    const gg_node *before = &model->nodes[between->producer];
    if (!before->takes_fold || before->spectral >= 0)
        return -1;
    for (int32_t k = 0; k < model->node_count; k++)
        for (int j = 0; j < model->nodes[k].input_count; j++)
            if (k != i && model->nodes[k].inputs[j] == norm->inputs[0])
                return -1;
    return between->producer;
}

void gg_fold_pair(gg_model *model)
{
    model->folded = false;
    for (int32_t i = 0; i < model->node_count; i++)
        model->nodes[i].folds_into = model->nodes[i].folded.norm = -1;
    for (int32_t i = 0; i < model->node_count; i++) {
        const int32_t partner = partner_of(model, i);
        model->nodes[i].folds_into = partner;
        if (partner >= 0)
            model->nodes[partner].folded.norm = i;
    }
}

int32_t gg_fold_first_writer(const gg_model *model, const gg_value_info *value)
{
    const int32_t partner = model->nodes[value->producer].folds_into;
    return partner >= 0 ? partner : value->producer;
}

/* ---- weights ---- */

static int64_t round_up(int64_t floats)
{
    return (floats + FLOATS_PER_LINE - 1) / FLOATS_PER_LINE * FLOATS_PER_LINE;
}

static int64_t weight_floats(const gg_model *model, const gg_node *node)
{
    return model->parameters[node->parameters[0]].size;
}

static int64_t channels_of(const gg_model *model, const gg_node *node)
{
    return model->parameters[node->parameters[0]].shape.dims[0];
}

/* Fits: the parameters, which are as many but for the biases, do. */
static int64_t floats_of_all(const gg_model *model)
{
    int64_t floats = 0;
    for (int32_t i = 0; i < model->node_count; i++)
        if (model->nodes[i].folds_into >= 0) {
            const gg_node *node = &model->nodes[model->nodes[i].folds_into];
            floats += round_up(weight_floats(model, node)) + round_up(channels_of(model, node));
        }
    return floats;
}

static gg_status fold_pair(const gg_model *model, gg_node *node, const gg_node *norm, float *w)
{
    const gg_pass *pass = &node->pass;
    const int64_t channels = channels_of(model, node), weights = weight_floats(model, node);
    node->folded.w = w;
    node->folded.b = w + round_up(weights);
    node->folded.y = norm->pass.y[0];
    return norm->layer_class->fold(&node->folded.activation, w, w + round_up(weights), pass->w[0],
                                   node->parameter_count > 1 ? pass->w[1] : NULL, weights / channels, &norm->pass);
}

gg_status gg_model_fold(gg_model *model)
{
    if (model == NULL || !model->planned)
        return gg_fail(model == NULL ? GG_ERR_ARGUMENT : GG_ERR_STATE, "gg_model_fold: %s",
                       model == NULL ? "model is NULL" : "the model is not planned");
    const int64_t floats = floats_of_all(model);
    void *memory = model->folds;
    gg_status status = floats > 0 && memory == NULL ? gg_alloc(&memory, (size_t)floats * sizeof(float)) : GG_OK;
    if (status != GG_OK)
        return status;
    model->folds = memory;
    float *w = model->folds;
    for (int32_t i = 0; i < model->node_count && status == GG_OK; i++) {
        if (model->nodes[i].folds_into < 0)
            continue;
        gg_node *node = &model->nodes[model->nodes[i].folds_into];
        status = fold_pair(model, node, &model->nodes[i], w);
        w += round_up(weight_floats(model, node)) + round_up(channels_of(model, node));
    }
    model->folded = status == GG_OK && floats > 0;
    return status;
}

/* ---- runs ---- */

bool gg_fold_prepare(const gg_model *model, gg_node *node, int32_t last)
{
    const bool folded = model->folded && node->pass.mode != GG_TRAIN;
    const int32_t norm = node->folded.norm;
    const bool into = node->takes_fold && norm >= 0 && norm <= last && model->nodes[norm].needed;
    node->pass.folded = folded && into ? &node->folded : NULL;
    return folded && node->folds_into >= 0;
}
