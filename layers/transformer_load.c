/* transformer_load.c - the weights of torch.nn.TransformerEncoderLayer and TransformerDecoderLayer: those of their
 * attentions as attention_load.c has them, and the rest. */
#include <stdio.h>

#include <gemmgrad/transformer.h>

#include "torch_tensor.h"

/* An entry, and which blocks have it. */
typedef struct block_entry {
    gg_torch_entry entry;
    bool with_memory, without_memory;
} block_entry;

static const block_entry entries[] = {
    {{"feed_forward.hidden.W", "linear1.weight", -1}, true, true},
    {{"feed_forward.hidden.b", "linear1.bias", -1}, true, true},
    {{"feed_forward.out.W", "linear2.weight", -1}, true, true},
    {{"feed_forward.out.b", "linear2.bias", -1}, true, true},
    {{"norm1.gamma", "norm1.weight", -1}, true, true},
    {{"norm1.beta", "norm1.bias", -1}, true, true},
    {{"norm2.gamma", "norm2.weight", -1}, false, true},
    {{"norm2.beta", "norm2.bias", -1}, false, true},
    {{"memory_norm.gamma", "norm2.weight", -1}, true, false},
    {{"memory_norm.beta", "norm2.bias", -1}, true, false},
    {{"norm2.gamma", "norm3.weight", -1}, true, false},
    {{"norm2.beta", "norm3.bias", -1}, true, false},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

/* The attention of that name in the block, from the tensors behind `part`. */
static gg_status take_attention(gg_model *model, const char *block, const char *name, const gg_torch_source *from,
                                const char *part, bool write)
{
    char layer[128];
    snprintf(layer, sizeof layer, "%.100s.%s", block, name);
    const gg_torch_source here = {from->function, from->file, from->prefix, part};
    return gg_torch_take_attention(model, layer, &here, write);
}

/* All tensors of the block looked at, and put in place when `write`. */
static gg_status take_block(gg_model *model, const char *block, const gg_torch_source *from, bool write)
{
    const bool memory = gg_torch_parameter(model, block, "memory_attention.q.W") != NULL;
    gg_status status = take_attention(model, block, "attention", from, "self_attn.", write);
    if (status == GG_OK && memory)
        status = take_attention(model, block, "memory_attention", from, "multihead_attn.", write);
    for (int i = 0; i < ENTRIES && status == GG_OK; i++)
        if (memory ? entries[i].with_memory : entries[i].without_memory)
            status = gg_torch_take(model, block, from, &entries[i].entry, write);
    return status;
}

gg_status gg_transformer_load(gg_model *model, const char *block, const gg_safetensors *file, const char *prefix)
{
    const gg_torch_source from = {"gg_transformer_load", file, prefix, ""};
    gg_status status = gg_torch_arguments(&from, model, block, "block");
    if (status == GG_OK && !model->planned)
        status = gg_fail(GG_ERR_STATE, "gg_transformer_load: the model is not planned");
    for (int write = 0; write < 2 && status == GG_OK; write++)
        status = take_block(model, block, &from, write == 1);
    return status;
}
