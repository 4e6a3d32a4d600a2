/* transformer_load.c - the weights of torch.nn.TransformerEncoderLayer and TransformerDecoderLayer.
 *
 * PyTorch keeps a weight [out, in], a model [in, out]. The projections of attention are one tensor [3 D, D] there,
 * queries above keys above values: transposed, [D, 3 D] with queries, keys and values side by side, as "qkv.W" is; for
 * attention to a memory, whose "q.W", "k.W" and "v.W" are three, each is a third of the tensor's rows. */
#include <stdio.h>
#include <string.h>

#include <gemmgrad/transformer.h>

#include "node.h"

enum { NAME_BYTES = 512 };

/* A parameter and the rows of PyTorch's tensor that it is made of: third 0 .. 2 of them, or all (-1). */
typedef struct entry {
    const char *parameter, *tensor;
    int third;
    bool with_memory, without_memory; /* which blocks have it */
} entry;

static const entry entries[] = {
    {"attention.qkv.W", "self_attn.in_proj_weight", -1, true, true},
    {"attention.qkv.b", "self_attn.in_proj_bias", -1, true, true},
    {"attention.out.W", "self_attn.out_proj.weight", -1, true, true},
    {"attention.out.b", "self_attn.out_proj.bias", -1, true, true},
    {"memory_attention.q.W", "multihead_attn.in_proj_weight", 0, true, false},
    {"memory_attention.k.W", "multihead_attn.in_proj_weight", 1, true, false},
    {"memory_attention.v.W", "multihead_attn.in_proj_weight", 2, true, false},
    {"memory_attention.q.b", "multihead_attn.in_proj_bias", 0, true, false},
    {"memory_attention.k.b", "multihead_attn.in_proj_bias", 1, true, false},
    {"memory_attention.v.b", "multihead_attn.in_proj_bias", 2, true, false},
    {"memory_attention.out.W", "multihead_attn.out_proj.weight", -1, true, false},
    {"memory_attention.out.b", "multihead_attn.out_proj.bias", -1, true, false},
    {"feed_forward.hidden.W", "linear1.weight", -1, true, true},
    {"feed_forward.hidden.b", "linear1.bias", -1, true, true},
    {"feed_forward.out.W", "linear2.weight", -1, true, true},
    {"feed_forward.out.b", "linear2.bias", -1, true, true},
    {"norm1.gamma", "norm1.weight", -1, true, true},
    {"norm1.beta", "norm1.bias", -1, true, true},
    {"norm2.gamma", "norm2.weight", -1, false, true},
    {"norm2.beta", "norm2.bias", -1, false, true},
    {"memory_norm.gamma", "norm2.weight", -1, true, false},
    {"memory_norm.beta", "norm2.bias", -1, true, false},
    {"norm2.gamma", "norm3.weight", -1, true, false},
    {"norm2.beta", "norm3.bias", -1, true, false},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static const gg_parameter_info *find_parameter(const gg_model *model, const char *block, const char *part)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%.100s.%s", block, part);
    for (int32_t i = 0; i < model->parameter_count; i++)
        if (strcmp(model->parameters[i].name, name) == 0)
            return &model->parameters[i];
    return NULL;
}

/* Whether the tensor is what the parameter is made of: floats, [out, in] for [in, out]. */
static gg_status check_tensor(const gg_tensor *t, const gg_parameter_info *p, const entry *e)
{
    const int64_t *dims = p->shape.dims, parts = e->third >= 0 ? 3 : 1;
    const int64_t rows = parts * dims[p->shape.rank - 1];
    if (t->dtype != GG_F32 && t->dtype != GG_F64)
        return gg_fail(GG_ERR_FORMAT, "gg_transformer_load: tensor '%.200s' is neither F32 nor F64", t->name);
    if (t->rank == p->shape.rank && t->shape[0] == rows && (t->rank == 1 || t->shape[1] == dims[0]))
        return GG_OK;
    return gg_fail(GG_ERR_SHAPE,
                   "gg_transformer_load: tensor '%.200s' has %d dimensions, the first of %lld, the last of %lld; "
                   "expected %d, %lld and %lld",
                   t->name, t->rank, (long long)(t->rank > 0 ? t->shape[0] : 0),
                   (long long)(t->rank > 0 ? t->shape[t->rank - 1] : 0), p->shape.rank, (long long)rows,
                   (long long)(p->shape.rank > 1 ? dims[0] : rows));
}

/* Element i. A file aligns nothing. */
static float element(const gg_tensor *t, int64_t i)
{
    double wide;
    float narrow;
    if (t->dtype == GG_F32) {
        memcpy(&narrow, (const char *)t->data + i * (int64_t)sizeof narrow, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, (const char *)t->data + i * (int64_t)sizeof wide, sizeof wide);
    return (float)wide;
}

static void put(float *to, const gg_tensor *t, const gg_parameter_info *p, const entry *e)
{
    const int64_t in = p->shape.rank > 1 ? p->shape.dims[0] : 1, out = p->shape.dims[p->shape.rank - 1];
    const int64_t first = e->third > 0 ? e->third * out : 0;
    for (int64_t i = 0; i < in; i++)
        for (int64_t j = 0; j < out; j++)
            to[i * out + j] = element(t, (first + j) * in + i);
}

/* All tensors of the block looked at, and put in place when `write`. */
static gg_status visit(gg_model *model, const char *block, const gg_safetensors *file, const char *prefix, bool write)
{
    const bool memory = find_parameter(model, block, "memory_attention.q.W") != NULL;
    gg_status status = GG_OK;
    for (int i = 0; i < ENTRIES && status == GG_OK; i++) {
        const entry *e = &entries[i];
        if (!(memory ? e->with_memory : e->without_memory))
            continue;
        const gg_parameter_info *p = find_parameter(model, block, e->parameter);
        char name[NAME_BYTES];
        gg_tensor t;
        if (p == NULL)
            return gg_fail(GG_ERR_ARGUMENT, "gg_transformer_load: the model has no \"%.100s.%s\"", block, e->parameter);
        if (snprintf(name, sizeof name, "%s%s", prefix, e->tensor) >= NAME_BYTES)
            return gg_fail(GG_ERR_ARGUMENT, "gg_transformer_load: prefix is longer than %d bytes", NAME_BYTES - 64);
        if (gg_safetensors_find(file, name, &t) != GG_OK)
            return gg_fail(GG_ERR_FORMAT, "gg_transformer_load: the file holds no tensor '%.300s'", name);
        status = check_tensor(&t, p, e);
        if (status == GG_OK && write)
            put(model->weights + p->offset, &t, p, e);
    }
    return status;
}

gg_status gg_transformer_load(gg_model *model, const char *block, const gg_safetensors *file, const char *prefix)
{
    const char *missing = model == NULL    ? "model"
                          : block == NULL  ? "block"
                          : file == NULL   ? "file"
                          : prefix == NULL ? "prefix"
                                           : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_transformer_load: %s is NULL", missing);
    if (!model->planned)
        return gg_fail(GG_ERR_STATE, "gg_transformer_load: the model is not planned");
    const gg_status status = visit(model, block, file, prefix, false);
    return status == GG_OK ? visit(model, block, file, prefix, true) : status;
}
