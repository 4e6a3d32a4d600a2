/* attention_load.c - the weights of torch.nn.MultiheadAttention.
 *
 * The projections are one tensor [3 D, D] there, queries above keys above values: transposed, [D, 3 D] with queries,
 * keys and values side by side, as "qkv.W" is. "q.W", "k.W" and "v.W" of a layer whose queries, keys and values are not
 * one value are each a third of its rows, or, where PyTorch's keys or values have features of their own (kdim, vdim), a
 * tensor of their own. */
#include <string.h>

#include <gemmgrad/attend.h>

#include "torch_tensor.h"

enum { FUSED = 2, APART = 6, OUT = 2 };

static const gg_torch_entry of_fused[FUSED] = {{"qkv.W", "in_proj_weight", -1}, {"qkv.b", "in_proj_bias", -1}};
static const gg_torch_entry of_apart[APART] = {{"q.W", "in_proj_weight", 0}, {"k.W", "in_proj_weight", 1},
                                               {"v.W", "in_proj_weight", 2}, {"q.b", "in_proj_bias", 0},
                                               {"k.b", "in_proj_bias", 1},   {"v.b", "in_proj_bias", 2}};
static const gg_torch_entry of_out[OUT] = {{"out.W", "out_proj.weight", -1}, {"out.b", "out_proj.bias", -1}};

/* A layer without biases, and a file without them, have an entry less. */
static gg_status take(gg_model *model, const char *layer, const gg_torch_source *from, const gg_torch_entry *entry,
                      bool write)
{
    static const char *const own[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    const bool is_bias = entry->parameter[strlen(entry->parameter) - 1] == 'b';
    gg_torch_entry e = *entry;
    if (is_bias && gg_torch_parameter(model, layer, "out.W") != NULL
        && gg_torch_parameter(model, layer, e.parameter) == NULL) {
        if (!gg_torch_has(from, e.tensor))
            return GG_OK;
        return gg_fail(GG_ERR_FORMAT, "%s: the file holds '%.200s%s%s', and \"%.100s\" has no biases", from->function,
                       from->prefix, from->part, e.tensor, layer);
    }
    if (!is_bias && e.third >= 0 && gg_torch_has(from, own[e.third])) {
        e.tensor = own[e.third];
        e.third = -1;
    }
    return gg_torch_take(model, layer, from, &e, write);
}

gg_status gg_torch_take_attention(gg_model *model, const char *layer, const gg_torch_source *from, bool write)
{
    const bool apart = gg_torch_parameter(model, layer, "q.W") != NULL;
    const gg_torch_entry *entries = apart ? of_apart : of_fused;
    const int count = apart ? APART : FUSED;
    gg_status status = GG_OK;
    if (gg_torch_has(from, "bias_k"))
        return gg_fail(GG_ERR_FORMAT, "%s: the file holds '%.200s%sbias_k', a key that no layer here has",
                       from->function, from->prefix, from->part);
    for (int i = 0; i < count && status == GG_OK; i++)
        status = take(model, layer, from, &entries[i], write);
    for (int i = 0; i < OUT && status == GG_OK; i++)
        status = take(model, layer, from, &of_out[i], write);
    return status;
}

gg_status gg_multi_head_load(gg_model *model, const char *layer, const gg_safetensors *file, const char *prefix)
{
    const gg_torch_source from = {"gg_multi_head_load", file, prefix, ""};
    gg_status status = gg_torch_arguments(&from, model, layer, "layer");
    if (status == GG_OK && !model->planned)
        status = gg_fail(GG_ERR_STATE, "gg_multi_head_load: the model is not planned");
    for (int write = 0; write < 2 && status == GG_OK; write++)
        status = gg_torch_take_attention(model, layer, &from, write == 1);
    return status;
}
