/* torch_tensor.c - tensors of PyTorch's state_dict: found, held to the shape of a parameter, transposed into it.
 * PyTorch keeps a weight [out, in], a model [in, out]. */
#include "torch_tensor.h"

#include <stdio.h>
#include <string.h>

gg_status gg_torch_arguments(const gg_torch_source *from, const gg_model *model, const char *layer, const char *what)
{
    const char *missing = model == NULL          ? "model"
                          : layer == NULL        ? what
                          : from->file == NULL   ? "file"
                          : from->prefix == NULL ? "prefix"
                                                 : NULL;
    return missing != NULL ? gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", from->function, missing) : GG_OK;
}

gg_status gg_torch_find(gg_tensor *out, const gg_torch_source *from, const char *name)
{
    char full[GG_TORCH_NAME_BYTES];
    if (snprintf(full, sizeof full, "%s%s%s", from->prefix, from->part, name) >= GG_TORCH_NAME_BYTES)
        return gg_fail(GG_ERR_ARGUMENT, "%s: prefix is longer than %d bytes", from->function, GG_TORCH_NAME_BYTES - 64);
    if (gg_safetensors_find(from->file, full, out) != GG_OK)
        return gg_fail(GG_ERR_FORMAT, "%s: the file holds no tensor '%.300s'", from->function, full);
    return GG_OK;
}

bool gg_torch_has(const gg_torch_source *from, const char *name)
{
    gg_tensor t;
    return gg_torch_find(&t, from, name) == GG_OK;
}

gg_status gg_torch_check(const gg_tensor *t, const gg_torch_source *from, int rank, int64_t rows, int64_t columns)
{
    if (t->dtype != GG_F32 && t->dtype != GG_F64)
        return gg_fail(GG_ERR_FORMAT, "%s: tensor '%.200s' is neither F32 nor F64", from->function, t->name);
    if (t->rank == rank && t->shape[0] == rows && (rank == 1 || t->shape[1] == columns))
        return GG_OK;
    return gg_fail(GG_ERR_SHAPE,
                   "%s: tensor '%.200s' has %d dimensions, the first of %lld, the last of %lld; expected %d, %lld and "
                   "%lld",
                   from->function, t->name, t->rank, (long long)(t->rank > 0 ? t->shape[0] : 0),
                   (long long)(t->rank > 0 ? t->shape[t->rank - 1] : 0), rank, (long long)rows,
                   (long long)(rank == 1 ? rows : columns));
}

/* A file aligns nothing. */
double gg_torch_element(const gg_tensor *t, int64_t i)
{
    double wide;
    float narrow;
    if (t->data == NULL)
        return 0.0;
    if (t->dtype == GG_F64) {
        memcpy(&wide, (const char *)t->data + i * (int64_t)sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, (const char *)t->data + i * (int64_t)sizeof narrow, sizeof narrow);
    return (double)narrow;
}

const gg_parameter_info *gg_torch_parameter(const gg_model *model, const char *layer, const char *part)
{
    char name[GG_TORCH_NAME_BYTES];
    snprintf(name, sizeof name, "%.100s.%s", layer, part);
    for (int32_t i = 0; i < model->parameter_count; i++)
        if (strcmp(model->parameters[i].name, name) == 0)
            return &model->parameters[i];
    return NULL;
}

gg_status gg_torch_take(gg_model *model, const char *layer, const gg_torch_source *from, const gg_torch_entry *entry,
                        bool write)
{
    const gg_parameter_info *p = gg_torch_parameter(model, layer, entry->parameter);
    gg_tensor t;
    if (p == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: the model has no \"%.100s.%s\"", from->function, layer, entry->parameter);
    const int64_t in = p->shape.rank > 1 ? p->shape.dims[0] : 1, out = p->shape.dims[p->shape.rank - 1];
    const int64_t first = entry->third > 0 ? entry->third * out : 0;
    gg_status status = gg_torch_find(&t, from, entry->tensor);
    if (status == GG_OK)
        status = gg_torch_check(&t, from, p->shape.rank, entry->third >= 0 ? 3 * out : out, in);
    for (int64_t i = 0; i < in && status == GG_OK && write; i++)
        for (int64_t j = 0; j < out; j++)
            model->weights[p->offset + i * out + j] = (float)gg_torch_element(&t, (first + j) * in + i);
    return status;
}
