/* sequential.c - several layers in a row, described as data. */
#include <gemmgrad/layer.h>

#include "node.h"

static gg_value add_one(gg_model *model, gg_value x, const gg_layer_spec *spec, int index)
{
    const gg_affine_options options = {.activation = spec->activation, .alpha = spec->number};
    switch (spec->kind) {
    case GG_LAYER_AFFINE: return gg_affine(model, x, spec->out, &options);
    case GG_LAYER_MATMUL: return gg_matmul(model, x, spec->out, &options);
    case GG_LAYER_ACTIVATION: return gg_activate(model, x, spec->activation, spec->number);
    case GG_LAYER_SOFTMAX: return gg_softmax(model, x);
    case GG_LAYER_DROPOUT: return gg_dropout(model, x, spec->number);
    }
    return gg_model_error(model, GG_ERR_ARGUMENT, "gg_sequential: specs[%d].kind is %d, not one of gg_layer_kind",
                          index, (int)spec->kind);
}

gg_value gg_sequential(gg_model *model, gg_value x, const gg_layer_spec *specs, int count)
{
    if (count < 0 || (count > 0 && specs == NULL))
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_sequential: count is %d, specs is %s", count,
                              specs == NULL ? "NULL" : "given");
    for (int i = 0; i < count; i++)
        x = add_one(model, x, &specs[i], i);
    return x;
}
