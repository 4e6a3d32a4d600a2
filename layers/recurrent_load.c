/* recurrent_load.c - the weights of torch.nn.RNN, LSTM and GRU.
 *
 * PyTorch keeps weight_ih [G H, D], weight_hh [G H, H] and two biases [G H], gates in the order of
 * gemmgrad/recurrent.h. A model keeps Wx = weight_ih^T, Wh = weight_hh^T and one bias: the sum, which is all that RNN
 * and LSTM ever see of the two. The GRU's n = tanh(x Wxn + b_in + r (h Whn + b_hn)) sees them apart, so its bias is
 * [b_ir + b_hr | b_iz + b_hz | b_in | b_hn]. */
#include <stdio.h>
#include <string.h>

#include "recurrent.h"

enum { NAME_BYTES = 512, MATRICES = 2, TENSORS = 4 };

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

static gg_status check_tensor(const gg_tensor *t, int rank, int64_t rows, int64_t columns)
{
    if (t->dtype != GG_F32 && t->dtype != GG_F64)
        return gg_fail(GG_ERR_FORMAT, "gg_recurrent_load: tensor '%.200s' is neither F32 nor F64", t->name);
    if (t->rank == rank && t->shape[0] == rows && (rank == 1 || t->shape[1] == columns))
        return GG_OK;
    return gg_fail(GG_ERR_SHAPE,
                   "gg_recurrent_load: tensor '%.200s' has %d dimensions, the first of %lld, the last of %lld; "
                   "expected %d, %lld and %lld",
                   t->name, t->rank, (long long)(t->rank > 0 ? t->shape[0] : 0),
                   (long long)(t->rank > 0 ? t->shape[t->rank - 1] : 0), rank, (long long)rows,
                   (long long)(rank == 1 ? rows : columns));
}

static gg_status find_entries(entries *e, const gg_recurrent_shape *s, const gg_safetensors *file, const char *prefix,
                              int number, int64_t direction)
{
    static const char *const names[TENSORS] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    const int64_t rows = gg_cell_gates(s->cell) * s->hidden;
    gg_status status = GG_OK;
    for (int i = 0; i < TENSORS && status == GG_OK; i++) {
        char name[NAME_BYTES];
        const int written =
            snprintf(name, sizeof name, "%s%s_l%d%s", prefix, names[i], number, direction == 1 ? "_reverse" : "");
        if (written >= NAME_BYTES)
            return gg_fail(GG_ERR_ARGUMENT, "gg_recurrent_load: prefix is longer than %d bytes", NAME_BYTES - 64);
        e->tensor[i] = (gg_tensor){.data = NULL};
        const bool found = gg_safetensors_find(file, name, &e->tensor[i]) == GG_OK;
        if (!found && i < MATRICES)
            return gg_fail(GG_ERR_FORMAT, "gg_recurrent_load: the file holds no tensor '%.300s'", name);
        if (found)
            status = check_tensor(&e->tensor[i], i < MATRICES ? 2 : 1, rows, i == 0 ? s->in : s->hidden);
    }
    return status;
}

/* Element i; 0 of a tensor that is missing. A file aligns nothing. */
static double element(const gg_tensor *t, int64_t i)
{
    if (t->data == NULL)
        return 0.0;
    if (t->dtype == GG_F64) {
        double number;
        memcpy(&number, (const char *)t->data + i * (int64_t)sizeof number, sizeof number);
        return number;
    }
    float number;
    memcpy(&number, (const char *)t->data + i * (int64_t)sizeof number, sizeof number);
    return (double)number;
}

static void put_transposed(float *w, const gg_tensor *t, int64_t inputs, int64_t columns)
{
    for (int64_t i = 0; i < inputs; i++)
        for (int64_t j = 0; j < columns; j++)
            w[i * columns + j] = (float)element(t, j * inputs + i);
}

static void put_biases(float *b, const entries *e, const gg_recurrent_shape *s)
{
    const gg_tensor *x = &e->tensor[2], *h = &e->tensor[3];
    const int64_t columns = gg_cell_gates(s->cell) * s->hidden;
    const int64_t apart = s->cell == GG_CELL_GRU ? 2 * s->hidden : columns; /* from here on the two are kept apart */
    for (int64_t j = 0; j < columns; j++)
        b[j] = (float)(element(x, j) + (j < apart ? element(h, j) : 0.0));
    for (int64_t j = apart; j < columns; j++)
        b[j + s->hidden] = (float)element(h, j);
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
    const char *missing = model == NULL    ? "model"
                          : layer == NULL  ? "layer"
                          : file == NULL   ? "file"
                          : prefix == NULL ? "prefix"
                                           : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_recurrent_load: %s is NULL", missing);
    if (number < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_recurrent_load: number is %d, expected 0 or more", number);
    const gg_node *node = find_layer(model, layer);
    gg_status status = check_layer(model, node, layer);
    if (status != GG_OK)
        return status;
    const gg_recurrent_layer *of = (const void *)node->options;
    entries found[2];
    for (int64_t d = 0; d < of->shape.directions && status == GG_OK; d++)
        status = find_entries(&found[d], &of->shape, file, prefix, number, d);
    for (int64_t d = 0; d < of->shape.directions && status == GG_OK; d++)
        put_in_place(model, node, d, &found[d]);
    return status;
}
