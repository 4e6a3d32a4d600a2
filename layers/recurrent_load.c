/* recurrent_load.c - the weights of torch.nn.RNN, LSTM and GRU.
 *
 * PyTorch keeps weight_ih [G H, D], weight_hh [G H, H] and two biases [G H], gates in the order of
 * gemmgrad/recurrent.h. A model keeps Wx = weight_ih^T, Wh = weight_hh^T and one bias: the sum, which is all that RNN
 * and LSTM ever see of the two. The GRU's n = tanh(x Wxn + b_in + r (h Whn + b_hn)) sees them apart, so its bias is
 * [b_ir + b_hr | b_iz + b_hz | b_in | b_hn]. */
#include <stdio.h>
#include <string.h>

#include "recurrent.h"
#include "torch_tensor.h"

enum { MATRICES = 2, TENSORS = 4 };

/* weight_ih, weight_hh, bias_ih, bias_hh of one direction; `data` of a missing bias is NULL. */
typedef struct entries {
    gg_tensor tensor[TENSORS];
} entries;

static const gg_node *find_layer(const gg_model *model, const char *name)
{
    for (int32_t i = 0; i < model->node_count; i++) {
        const gg_node *node = &model->nodes[i];
        const bool recurrent =
            node->layer_class >= gg_recurrent_classes && node->layer_class < gg_recurrent_classes + GG_RECURRENT_KINDS;
        if (recurrent && strcmp(node->name, name) == 0)
            return node;
    }
    return NULL;
}

static gg_status find_entries(entries *e, const gg_recurrent_shape *s, const gg_torch_source *from, int number,
                              int64_t direction)
{
    static const char *const names[TENSORS] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    const int64_t rows = gg_cell_gates(s->cell) * s->hidden;
    gg_status status = GG_OK;
    for (int i = 0; i < TENSORS && status == GG_OK; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_l%d%s", names[i], number, direction == 1 ? "_reverse" : "");
        e->tensor[i] = (gg_tensor){.data = NULL};
        status = gg_torch_find(&e->tensor[i], from, name);
        if (status == GG_OK)
            status = gg_torch_check(&e->tensor[i], from, i < MATRICES ? 2 : 1, rows, i == 0 ? s->in : s->hidden);
        else if (i >= MATRICES) /* without biases */
            status = GG_OK;
    }
    return status;
}

static void put_transposed(float *w, const gg_tensor *t, int64_t inputs, int64_t columns)
{
    for (int64_t i = 0; i < inputs; i++)
        for (int64_t j = 0; j < columns; j++)
            w[i * columns + j] = (float)gg_torch_element(t, j * inputs + i);
}

static void put_biases(float *b, const entries *e, const gg_recurrent_shape *s)
{
    const gg_tensor *x = &e->tensor[2], *h = &e->tensor[3];
    const int64_t columns = gg_cell_gates(s->cell) * s->hidden;
    const int64_t apart = s->cell == GG_CELL_GRU ? 2 * s->hidden : columns; /* from here on the two are kept apart */
    for (int64_t j = 0; j < columns; j++)
        b[j] = (float)(gg_torch_element(x, j) + (j < apart ? gg_torch_element(h, j) : 0.0));
    for (int64_t j = apart; j < columns; j++)
        b[j + s->hidden] = (float)gg_torch_element(h, j);
}

static void put_in_place(gg_model *model, const gg_node *node, int64_t direction, const entries *e)
{
    const gg_recurrent_layer *layer = (const void *)node->options;
    const gg_recurrent_shape *s = &layer->shape;
    const int64_t columns = gg_cell_gates(s->cell) * s->hidden;
    float *place[3];
    for (int i = 0; i < 3; i++)
        place[i] = model->weights + model->parameters[node->parameters[direction * 3 + i]].offset;
    put_transposed(place[0], &e->tensor[0], s->in, columns);
    put_transposed(place[1], &e->tensor[1], s->hidden, columns);
    put_biases(place[2], e, s);
}

static gg_status check_layer(const gg_model *model, const gg_node *node, const char *name)
{
    if (node == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_recurrent_load: the model has no recurrent layer \"%.60s\"", name);
    const gg_recurrent_layer *layer = (const void *)node->options;
    if (layer->shape.cell == GG_CELL_GRU_BEFORE)
        return gg_fail(GG_ERR_ARGUMENT,
                       "gg_recurrent_load: \"%s\" resets before the product, which PyTorch's GRU does not", node->name);
    if (!model->planned)
        return gg_fail(GG_ERR_STATE, "gg_recurrent_load: the model is not planned");
    return GG_OK;
}

gg_status gg_recurrent_load(gg_model *model, const char *layer, const gg_safetensors *file, const char *prefix,
                            int number)
{
    const gg_torch_source from = {"gg_recurrent_load", file, prefix, ""};
    gg_status status = gg_torch_arguments(&from, model, layer, "layer");
    if (status != GG_OK)
        return status;
    if (number < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_recurrent_load: number is %d, expected 0 or more", number);
    const gg_node *node = find_layer(model, layer);
    status = check_layer(model, node, layer);
    if (status != GG_OK)
        return status;
    const gg_recurrent_layer *of = (const void *)node->options;
    entries found[2];
    for (int64_t d = 0; d < of->shape.directions && status == GG_OK; d++)
        status = find_entries(&found[d], &of->shape, &from, number, d);
    for (int64_t d = 0; d < of->shape.directions && status == GG_OK; d++)
        put_in_place(model, node, d, &found[d]);
    return status;
}
