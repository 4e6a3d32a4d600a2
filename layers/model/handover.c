/* handover.c - passes over memory that backward does without, because a neighbour's work covers them.
 *
 * An activation undone by the layer behind. A layer y = f(z) whose output one other layer reads wants dz = dy f'(z),
 * and dy is that layer's dx. Of a pooling's dx only the few places that were the largest are other than 0, and their y
 * is what the pooling gave: it multiplies its own, smaller dy by f', and what it sends back is dz. That saves the pass
 * over the large images that reads dy and y and writes dz, and the memory for dz. (Multiplying by f' in the product
 * that makes dx was measured, too: the pieces of f's argument that lie rows apart come more slowly from memory than a
 * pass of its own streams them; a GPT's step took 3 % longer.)
 *
 * A gradient in one place. Of y = a + b, the gradients of a and b are y's. Each can lie where y's does, when the sum is
 * the first to write it. What other layers that read a add to its gradient changes b's as well: by then the layer that
 * made b must have run backward. In a stack of residual blocks all gradients of the residual stream, and of what is
 * added to it, are one memory. */
#include <gemmgrad/elementwise.h>

#include "node.h"

/* ---- activations ---- */

/* The only place where a value is read: node and input. False when there is none or another. */
static bool only_reader(const gg_model *model, int32_t value, int32_t *reader, int *input)
{
    int found = 0;
    for (int32_t k = 0; k < model->node_count; k++)
        for (int j = 0; j < model->nodes[k].input_count; j++)
            if (model->nodes[k].inputs[j] == value) {
                *reader = k;
                *input = j;
                found++;
            }
    return found == 1;
}

static void pair(gg_model *model, int32_t i)
{
    gg_node *node = &model->nodes[i];
    int32_t reader = -1;
    int input = -1;
    if (node->activation == GG_IDENTITY || gg_activation_needs_input(node->activation) || !node->trains
        || !only_reader(model, node->outputs[0], &reader, &input))
        return;
    const gg_value_info *between = &model->values[node->outputs[0]];
    gg_node *behind = &model->nodes[reader];
    if (input != 0 || !behind->trains || between->keep_gradient || !behind->layer_class->undoes_activation)
        return;
    node->undone_by = reader;
    behind->undoes = i;
}

bool gg_buffer_is_needed(const gg_node *node, int b)
{
    return !(b == node->gradient_buffer && node->undone_by >= 0) && !(b == node->undo_buffer && node->undoes < 0);
}

bool gg_output_is_needed(const gg_node *node)
{
    const bool undoes_nothing = node->undo_buffer >= 0 && node->undoes < 0;
    return node->reads_output && node->undone_by < 0 && !undoes_nothing;
}

void gg_undo_refresh(const gg_model *model, gg_node *node)
{
    gg_pass *pass = &node->pass;
    pass->undone = node->undone_by >= 0;
    pass->undo = (gg_undo){GG_IDENTITY, 0.0f};
    if (node->undoes >= 0)
        pass->undo = (gg_undo){model->nodes[node->undoes].activation, model->nodes[node->undoes].alpha};
}

/* ---- sums ---- */

int32_t gg_gradient_owner(const gg_model *model, int32_t value)
{
    while (model->values[value].gradient_of >= 0)
        value = model->values[value].gradient_of;
    return value;
}

/* The last node before `i` that reads a value; -1: none. */
static int32_t reader_before(const gg_model *model, int32_t value, int32_t i)
{
    for (int32_t k = i - 1; k >= 0; k--)
        for (int j = 0; j < model->nodes[k].input_count; j++)
            if (model->nodes[k].inputs[j] == value)
                return k;
    return -1;
}

/* Whether the gradient of input j of node i is made there first, by a layer before it, and nobody asks to keep it. */
static bool may_share(const gg_model *model, int32_t i, int j)
{
    const gg_node *node = &model->nodes[i];
    const gg_value_info *value = &model->values[node->inputs[j]];
    for (int l = 0; l < node->input_count; l++)
        if (l != j && node->inputs[l] == node->inputs[j])
            return false;
    for (int32_t k = i + 1; k < model->node_count; k++)
        for (int l = 0; l < model->nodes[k].input_count; l++)
            if (model->nodes[k].inputs[l] == node->inputs[j])
                return false;
    return value->producer >= 0 && model->nodes[value->producer].trains && !value->keep_gradient;
}

/* The node whose sum a value's gradient was handed over by. */
static int32_t sum_of(const gg_model *model, int32_t value)
{
    return model->values[model->values[value].gradient_of].producer;
}

/* Whether additions to the one's gradient come before the other's is taken, `value` being about to join as an input of
 * node i. Those whose gradient is complete before the sum passes it on are no matter: the sum's own output and what
 * this one's is. */
static bool disturb(const gg_model *model, int32_t value, int32_t i, int32_t member)
{
    for (int32_t above = model->nodes[i].outputs[0]; above >= 0; above = model->values[above].gradient_of)
        if (above == member)
            return false;
    return reader_before(model, value, i) >= model->values[member].producer
           || reader_before(model, member, sum_of(model, member)) >= model->values[value].producer;
}

static void share(gg_model *model, int32_t i)
{
    const gg_node *node = &model->nodes[i];
    const int32_t sum = node->outputs[0];
    if (!node->layer_class->passes_gradient || !node->trains || sum == model->loss.id
        || model->values[sum].keep_gradient)
        return;
    const int32_t owner = gg_gradient_owner(model, sum);
    for (int j = 0; j < node->input_count; j++) {
        bool shares = may_share(model, i, j);
        for (int32_t v = 0; v < model->value_count && shares; v++)
            if (model->values[v].gradient_of >= 0 && gg_gradient_owner(model, v) == owner)
                shares = !disturb(model, node->inputs[j], i, v);
        if (shares)
            model->values[node->inputs[j]].gradient_of = sum;
    }
}

static void note_readers(gg_model *model)
{
    for (int32_t v = 0; v < model->value_count; v++)
        model->values[v].gradient_reader = model->values[v].producer;
    for (int32_t v = 0; v < model->value_count; v++) {
        gg_value_info *owner = &model->values[gg_gradient_owner(model, v)];
        if (model->values[v].producer < owner->gradient_reader)
            owner->gradient_reader = model->values[v].producer;
    }
}

void gg_hand_over(gg_model *model)
{
    for (int32_t v = 0; v < model->value_count; v++)
        model->values[v].gradient_of = -1;
    for (int32_t i = 0; i < model->node_count; i++)
        model->nodes[i].undone_by = model->nodes[i].undoes = -1;
    for (int32_t i = model->node_count - 1; i >= 0; i--) {
        pair(model, i);
        share(model, i);
    }
    note_readers(model);
}

/* ---- building ---- */

void gg_node_activation(gg_node *node, gg_activation f, float alpha, int gradient)
{
    node->activation = f;
    node->alpha = alpha;
    node->gradient_buffer = gradient;
}

void gg_node_undo_buffer(gg_node *node)
{
    node->undo_buffer = node->buffer_count - 1;
}
