/* model_file.c - a model's parameters from a file: of a checkpoint, or of anything that names them alike. */
#include <string.h>

#include <gemmgrad/model.h>
#include <gemmgrad/safetensors.h>

#include "node.h"

static gg_status find_parameter(gg_tensor *out, const gg_safetensors *file, const gg_parameter *wanted)
{
    gg_status status = gg_safetensors_find(file, wanted->name, out);
    if (status != GG_OK)
        return status;
    bool same = out->dtype == GG_F32 && out->rank == wanted->rank;
    for (int i = 0; same && i < wanted->rank; i++)
        same = out->shape[i] == wanted->dims[i];
    if (!same)
        return gg_fail(GG_ERR_SHAPE,
                       "gg_model_load: tensor '%.80s' has another shape or type than the model's parameter",
                       wanted->name);
    return GG_OK;
}

gg_status gg_model_load(gg_model *model, const gg_safetensors *file)
{
    if (model == NULL || file == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_load: %s is NULL", model == NULL ? "model" : "file");
    float *parameters = gg_model_parameters(model);
    if (parameters == NULL && gg_model_parameter_count(model) > 0)
        return gg_fail(GG_ERR_STATE, "gg_model_load: the model is not planned");
    gg_status status = GG_OK;
    model->folded = false;
    for (int copies = 0; copies < 2; copies++) /* all are looked at before the first is written */
        for (int i = 0; i < gg_model_parameter_count(model) && status == GG_OK; i++) {
            gg_parameter p;
            gg_tensor found;
            status = gg_model_parameter(model, i, &p);
            if (status == GG_OK)
                status = find_parameter(&found, file, &p);
            if (status == GG_OK && copies == 1 && p.size > 0)
                memcpy(parameters + p.offset, found.data, (size_t)p.size * sizeof *parameters);
        }
    return status;
}
