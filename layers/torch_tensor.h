/* torch_tensor.h - tensors of PyTorch's state_dict on their way into a model's parameters. */
#ifndef GG_TORCH_TENSOR_H
#define GG_TORCH_TENSOR_H

#include <gemmgrad/safetensors.h>

#include "node.h"

enum { GG_TORCH_NAME_BYTES = 512 };

/* The tensors of a file whose names begin with `prefix` and `part`. */
typedef struct gg_torch_source {
    const char *function; /* for messages */
    const gg_safetensors *file;
    const char *prefix, *part;
} gg_torch_source;

/* GG_ERR_ARGUMENT when model, the name of a layer (called `what`), file or prefix is NULL. */
gg_status gg_torch_arguments(const gg_torch_source *from, const gg_model *model, const char *layer, const char *what);

/* The tensor of that name behind prefix and part; GG_ERR_FORMAT when there is none. */
gg_status gg_torch_find(gg_tensor *out, const gg_torch_source *from, const char *name);
bool gg_torch_has(const gg_torch_source *from, const char *name);

/* Whether it holds floats, [rows] (rank 1) or [rows][columns]. */
gg_status gg_torch_check(const gg_tensor *t, const gg_torch_source *from, int rank, int64_t rows, int64_t columns);

/* Element i; 0 of a tensor without data. */
double gg_torch_element(const gg_tensor *t, int64_t i);

/* A parameter, [in, out] or [out], and the rows of PyTorch's tensor, [out, in] or [out], that it is made of: third 0 ..
 * 2 of them, or all (-1). */
typedef struct gg_torch_entry {
    const char *parameter, *tensor;
    int third;
} gg_torch_entry;

/* The parameter of that name behind "layer."; NULL: there is none. */
const gg_parameter_info *gg_torch_parameter(const gg_model *model, const char *layer, const char *part);

/* One entry looked at, and put in place when `write`. */
gg_status gg_torch_take(gg_model *model, const char *layer, const gg_torch_source *from, const gg_torch_entry *entry,
                        bool write);

/* The parameters of a multi-head attention from those of torch.nn.MultiheadAttention, in the same manner. */
gg_status gg_torch_take_attention(gg_model *model, const char *layer, const gg_torch_source *from, bool write);

#endif
