/* test_declarations.c - what a layer says of itself is what the plan goes by: whether backward reads each input and the
 * output, what lives how long. Here everything that a layer says it does not read is spoilt before its backward; no
 * gradient may change by a bit. */
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>

#include "node.h"
#include "registry.h"
#include "support.h"

static void spoil(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = NAN;
}

/* Where the numbers of a value are: in the workspace, or in the caller's array. Labels have none. */
static float *numbers(const twin *t, int32_t value)
{
    const gg_value_info *info = &t->model->values[value];
    for (int v = 0; v < t->count; v++)
        if (t->values[v].value.id == value && info->is_input)
            return t->values[v].data;
    return t->model->workspace + info->offset;
}

/* A copy of everything the node might read of these values, which then is spoilt; or put back from the copy. */
static void exchange(const twin *t, const gg_node *node, float *copies[], bool put_back)
{
    for (int j = 0; j < node->input_count + node->output_count; j++) {
        const bool is_input = j < node->input_count;
        const int32_t value = is_input ? node->inputs[j] : node->outputs[j - node->input_count];
        const int64_t size = t->model->values[value].size;
        float *x = numbers(t, value);
        if ((is_input ? node->reads_input[j] : node->reads_output) || x == NULL)
            continue;
        if (put_back) {
            memcpy(x, copies[j], (size_t)size * sizeof *x);
        } else {
            copies[j] = support_copy(x, size);
            spoil(x, size);
        }
    }
}

static void spoil_scratch(const twin *t, const gg_node *node, gg_buffer_life life)
{
    for (int b = 0; b < node->buffer_count; b++)
        if (node->buffers[b].life == life && node->buffers[b].offset >= 0)
            spoil(t->model->workspace + node->buffers[b].offset, node->buffers[b].floats);
}

/* One value that is read twice by the node is spoilt only if it is declared unread twice. */
static bool declares_alike(const gg_node *node)
{
    for (int j = 1; j < node->input_count; j++)
        if (node->inputs[j] == node->inputs[0] && node->reads_input[j] != node->reads_input[0])
            return false;
    return true;
}

/* All gradients of parameters; not the padding between them, which layers leave alone, nor rows of sparse ones that the
 * step before did not touch. */
static void spoil_gradients(const twin *t)
{
    for (int i = 0; i < t->parameters; i++) {
        const gg_parameter_info *p = &t->model->parameters[i];
        float *gradient = gg_model_gradients(t->model) + p->offset;
        if (!p->sparse)
            spoil(gradient, p->size);
        for (int64_t r = 0; p->sparse && r < p->touched.count; r++)
            spoil(gradient + p->touched.rows[r] * p->shape.dims[1], p->shape.dims[1]);
    }
}

/* gg_model_backward, node by node. */
static void backward_spoiling(const twin *t)
{
    gg_model *model = t->model;
    *model->values[model->loss.id].gradient = 1.0f;
    for (int32_t i = model->node_count - 1; i >= 0; i--) {
        const gg_node *node = &model->nodes[i];
        float *copies[GG_NODE_INPUTS + GG_NODE_OUTPUTS];
        if (!node->trains)
            continue;
        ck_assert(declares_alike(node));
        exchange(t, node, copies, false);
        spoil_scratch(t, node, GG_BUFFER_FORWARD);
        spoil_scratch(t, node, GG_BUFFER_BACKWARD);
        ck_assert_msg(node->layer_class->backward(&node->pass) == GG_OK, "%s", gg_error_message());
        exchange(t, node, copies, true);
        for (int j = 0; j < node->input_count; j++)
            if (node->spare[j] >= 0)
                ck_assert_int_eq(gg_axpy(model->values[node->inputs[j]].gradient, node->pass.dx[j],
                                         model->values[node->inputs[j]].size, 1.0f),
                                 GG_OK);
    }
}

START_TEST(backward_reads_what_is_declared)
{
    int64_t count;
    twin t;
    registry_start(&t, &registry[_i], &(registry_sizes){2, 7, 1, 9, 5}, 3);
    twin_step(&t);
    const float *expected = twin_results(&t, &count);
    ck_assert_int_eq(gg_model_forward(t.model, t.values[t.loss].value, GG_TRAIN), GG_OK);
    spoil_gradients(&t);
    backward_spoiling(&t);
    ck_assert_mem_eq(twin_results(&t, &count), expected, (size_t)count * sizeof *expected);
    twin_free(&t);
}
END_TEST

/* Forward must write all of its output, and all that backward will read: nothing may linger from the step before. */
START_TEST(forward_writes_everything)
{
    int64_t count;
    twin t;
    registry_start(&t, &registry[_i], &(registry_sizes){2, 7, 1, 9, 5}, 3);
    twin_step(&t);
    const float *expected = twin_results(&t, &count);
    spoil(t.model->workspace, t.model->workspace_floats);
    spoil_gradients(&t);
    twin_step(&t);
    ck_assert_mem_eq(twin_results(&t, &count), expected, (size_t)count * sizeof *expected);
    twin_free(&t);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, backward_reads_what_is_declared, 0, registry_count);
    tcase_add_loop_test(tests, forward_writes_everything, 0, registry_count);
}
