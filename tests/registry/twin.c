/* twin.c - see twin.h: building, filling and running. */
#define SUPPORT_NO_MAIN
#include "twin.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <gemmgrad/softmax.h>

#include "support.h"

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

/* ---- sizes ---- */

int64_t twin_size(const twin *t, int v)
{
    int64_t size = 1;
    for (int i = 0; i < t->values[v].rank; i++) {
        const int64_t d = t->values[v].dims[i];
        size *= d < 0 ? t->extent[-1 - d] : d;
    }
    return size;
}

static int64_t largest_size(const twin *t, int v)
{
    twin at_largest = *t;
    memcpy(at_largest.extent, t->largest, sizeof t->largest);
    return twin_size(&at_largest, v);
}

static gg_parameter parameter(const twin *t, int i)
{
    gg_parameter p;
    must(gg_model_parameter(t->model, i, &p));
    return p;
}

int64_t twin_parameter_size(const twin *t, int i)
{
    return parameter(t, i).size;
}

/* ---- building ---- */

void twin_new(twin *t, uint64_t seed)
{
    *t = (twin){.seed = seed, .loss = -1};
    must(gg_model_new(&t->model, seed));
}

void twin_free(twin *t)
{
    gg_model_free(t->model);
    t->model = NULL;
}

static int add(twin *t, const twin_value *value)
{
    int64_t dims[GG_MAX_RANK];
    ck_assert_int_lt(t->count, TWIN_VALUES);
    ck_assert_msg(value->value.id >= 0, "%s", gg_error_message());
    ck_assert_int_eq(gg_model_shape(t->model, value->value, dims), value->rank);
    ck_assert_mem_eq(dims, value->dims, (size_t)value->rank * sizeof *dims);
    t->values[t->count] = *value;
    return t->count++;
}

int twin_input(twin *t, const char *name, int rank, const int64_t *dims, twin_content content, double low, double high)
{
    const bool labels = content != TWIN_UNIFORM && content != TWIN_ONE_HOT;
    twin_value v = {.name = name, .rank = rank, .content = content, .low = low, .high = high, .w = -1, .b = -1};
    memcpy(v.dims, dims, (size_t)rank * sizeof *dims);
    v.value = labels ? gg_input_labels(t->model, name, rank, dims) : gg_input(t->model, name, rank, dims);
    return add(t, &v);
}

static bool gives_loss(const reference_layer *layer)
{
    return layer == &reference_softmax_with_loss || layer == &reference_cross_entropy_error
           || layer == &reference_mean_squared_error || layer == &reference_projected_loss
           || layer == &reference_negative_sampling_loss;
}

/* Of a pooling layer: whole images, or windows. */
static void shape_pool(twin_value *v)
{
    const gg_pool_window *w = &v->window;
    if (v->layer == &reference_global_max_pool || v->layer == &reference_global_average_pool) {
        v->rank = 2;
        return;
    }
    int64_t *width = &v->dims[v->rank - 1];
    *width = reference_windows(*width, w->left, w->right, w->kernel_width, w->stride_width);
    if (v->rank == 4)
        v->dims[2] = reference_windows(v->dims[2], w->top, w->bottom, w->kernel_height, w->stride_height);
}

static bool is_pool(const reference_layer *layer)
{
    return layer == &reference_max_pool || layer == &reference_average_pool || layer == &reference_global_max_pool
           || layer == &reference_global_average_pool;
}

static bool is_step(const twin_value *v)
{
    return v->layer == &reference_first_step || v->layer == &reference_last_step
           || (v->layer == &reference_recurrent && v->recurrence.output > 0);
}

/* Of a layer that puts time before the dimensions of x, or takes it away. */
static void shape_time(twin_value *v, const twin_value *x)
{
    const bool less = is_step(v);
    v->rank = less ? x->rank - 1 : x->rank + 1;
    for (int i = 0; i < x->rank - less; i++)
        v->dims[less ? i : i + 1] = x->dims[less ? i + 1 : i];
    if (!less)
        v->dims[0] = GG_TIME;
}

/* Of a layer of attention: false when it is none. */
static bool shape_attend(twin_value *v, const twin_value *second)
{
    const reference_attend *a = &v->attend;
    const bool scores = v->layer == &reference_attention_dot || v->layer == &reference_attention_additive
                        || v->layer == &reference_attention_location;
    if (scores)
        memcpy(v->dims, (int64_t[]){GG_BATCH, a->queries, a->keys}, 3 * sizeof *v->dims);
    if (v->layer == &reference_attention_heads)
        v->dims[2] = a->heads * a->width;
    if (v->layer == &reference_attention_context) {
        memcpy(v->dims, second->dims, sizeof v->dims);
        v->dims[a->batch_first ? 1 : 0] = a->queries;
    }
    return scores || v->layer == &reference_attention_heads || v->layer == &reference_attention_context;
}

/* The shape of a layer's output, from its first input's and the second's. */
static void shape_output(twin_value *v, const twin_value *x, const twin_value *second)
{
    v->rank = x->rank;
    memcpy(v->dims, x->dims, sizeof v->dims);
    if (shape_attend(v, second))
        return;
    if (v->layer == &reference_affine)
        v->dims[v->rank - 1] = v->out;
    else if (v->layer == &reference_repeat)
        v->dims[v->rank++] = v->out;
    else if (is_pool(v->layer))
        shape_pool(v);
    else if (v->layer == &reference_flatten)
        while (v->rank > 2)
            v->dims[1] *= v->dims[--v->rank];
    else if (v->layer == &reference_sum && v->rank > 1)
        v->rank--;
    else if (v->layer == &reference_mean_rows)
        v->dims[v->rank - 2] = v->dims[v->rank - 1];
    else if (v->layer == &reference_sum || gives_loss(v->layer))
        v->dims[0] = v->rank = 1;
    else if (v->layer == &reference_conv_layer)
        memcpy(&v->dims[1], v->image, (size_t)(v->rank - 1) * sizeof *v->dims);
    else if (v->layer == &reference_embedding)
        v->dims[v->rank++] = v->out;
    else if (v->layer == &reference_swiglu)
        v->dims[v->rank - 1] /= 2;
    else if (v->layer == &reference_concatenate)
        v->dims[v->rank - 1] += second->dims[v->rank - 1];
    else if (is_step(v) || v->layer == &reference_repeat_time)
        shape_time(v, x);
    if (v->layer == &reference_mean_rows)
        v->rank--;
    if (v->layer == &reference_recurrent)
        v->dims[v->rank - 1] = v->recurrence.directions * v->recurrence.hidden;
}

/* Wx, Wh and b of each direction. */
static void take_recurrent_parameters(twin *t, twin_value *v)
{
    int *all[] = {&v->w, &v->b, &v->more[0], &v->more[1], &v->more[2], &v->more[3]};
    for (int i = 0; i < 6; i++)
        *all[i] = i < 3 * v->recurrence.directions ? t->parameters++ : -1;
}

int twin_layer(twin *t, gg_value value, twin_value how)
{
    how.value = value;
    const twin_value *main = &t->values[how.shares];
    shape_output(&how, &t->values[how.inputs[0]],
                 how.input_count > 1 && how.inputs[1] >= 0 ? &t->values[how.inputs[1]] : NULL);
    if (how.another) {
        how.node = main->node;
        how.w = main->w;
        how.b = main->b;
        memcpy(how.more, main->more, sizeof how.more);
        return add(t, &how);
    }
    how.node = how.layer != &reference_flatten ? t->layers++ : -1; /* a view is no node */
    const bool parameters = how.layer == &reference_affine || how.layer == &reference_conv_layer
                            || how.layer == &reference_batch_normalization
                            || how.layer == &reference_layer_normalization || how.layer == &reference_learned_positions
                            || how.layer == &reference_projected_loss;
    const bool bias = parameters && how.b >= 0;
    how.w = how.tied ? main->w
            : parameters || how.layer == &reference_embedding || how.layer == &reference_attention_additive
                ? t->parameters++
                : -1;
    how.b = bias ? t->parameters++ : -1;
    if (how.layer == &reference_recurrent)
        take_recurrent_parameters(t, &how);
    return add(t, &how);
}

int twin_affine(twin *t, int x, int64_t out, gg_activation f, float alpha)
{
    const gg_affine_options options = {.activation = f, .alpha = alpha};
    return twin_layer(t, gg_affine(t->model, t->values[x].value, out, &options),
                      (twin_value){.layer = &reference_affine,
                                   .inputs = {x},
                                   .input_count = 1,
                                   .out = out,
                                   .activation = f,
                                   .alpha = (double)alpha});
}

int twin_activate(twin *t, int x, gg_activation f, float alpha)
{
    return twin_layer(t, gg_activate(t->model, t->values[x].value, f, alpha),
                      (twin_value){.layer = &reference_activation_layer,
                                   .inputs = {x},
                                   .input_count = 1,
                                   .activation = f,
                                   .alpha = (double)alpha});
}

/* The library's layer that `how` means. */
static gg_value add_image_layer(gg_model *model, gg_value x, const twin_value *how)
{
    if (how->layer == &reference_max_pool)
        return gg_max_pool(model, x, &how->window);
    if (how->layer == &reference_average_pool)
        return gg_average_pool(model, x, &how->window);
    if (how->layer == &reference_global_average_pool)
        return gg_global_average_pool(model, x);
    if (how->layer == &reference_batch_normalization)
        return gg_batch_normalization(model, x, &(gg_batchnorm_options){.relu = how->relu});
    if (how->layer == &reference_spatial_dropout)
        return gg_spatial_dropout(model, x, how->ratio);
    ck_assert_ptr_eq(how->layer, &reference_flatten);
    return gg_flatten(model, x);
}

int twin_image(twin *t, int x, twin_value how)
{
    how.inputs[0] = x;
    how.input_count = 1;
    return twin_layer(t, add_image_layer(t->model, t->values[x].value, &how), how);
}

static const struct pair_function {
    const reference_layer *layer;
    gg_value (*add)(gg_model *model, gg_value a, gg_value b);
} pair_functions[] = {
    {&reference_add, gg_node_add},
    {&reference_add_relu, gg_node_add_relu},
    {&reference_multiply, gg_node_multiply},
    {&reference_divide, gg_node_divide},
    {&reference_mean_squared_error, gg_mean_squared_error},
    {&reference_cross_entropy_error, gg_cross_entropy_error},
    {&reference_softmax_with_loss, gg_softmax_with_loss},
};

int twin_pair(twin *t, const reference_layer *layer, int a, int b)
{
    const struct pair_function *f = pair_functions;
    while (f->layer != layer)
        f++;
    return twin_layer(t, f->add(t->model, t->values[a].value, t->values[b].value),
                      (twin_value){.layer = layer, .inputs = {a, b}, .input_count = 2});
}

int twin_softmax(twin *t, int x)
{
    return twin_layer(t, gg_softmax(t->model, t->values[x].value),
                      (twin_value){.layer = &reference_softmax_layer, .inputs = {x}, .input_count = 1});
}

int twin_dropout(twin *t, int x, float ratio)
{
    return twin_layer(t, gg_dropout(t->model, t->values[x].value, ratio),
                      (twin_value){.layer = &reference_dropout, .inputs = {x}, .input_count = 1, .ratio = ratio});
}

int twin_sum(twin *t, int x)
{
    return twin_layer(t, gg_node_sum(t->model, t->values[x].value),
                      (twin_value){.layer = &reference_sum, .inputs = {x}, .input_count = 1});
}

int twin_repeat(twin *t, int x, int64_t count)
{
    return twin_layer(t, gg_node_repeat(t->model, t->values[x].value, count),
                      (twin_value){.layer = &reference_repeat, .inputs = {x}, .input_count = 1, .out = count});
}

int twin_softmax_with_loss(twin *t, int x, int targets)
{
    return twin_pair(t, &reference_softmax_with_loss, x, targets);
}

int twin_to_scalar(twin *t, int value)
{
    const twin_value *v = &t->values[value];
    if (v->layer != NULL && gives_loss(v->layer))
        return value;
    const int target = twin_input(t, "target", v->rank, v->dims, TWIN_UNIFORM, -1.0, 1.0);
    return twin_pair(t, &reference_mean_squared_error, value, target);
}

/* ---- running ---- */

bool twin_is_labels(const twin *t, int v)
{
    const twin_content content = t->values[v].content;
    return t->values[v].layer == NULL && content != TWIN_UNIFORM && content != TWIN_ONE_HOT;
}

void twin_keep_all(twin *t)
{
    for (int v = 0; v < t->count; v++)
        if (!twin_is_labels(t, v))
            must(gg_model_keep(t->model, t->values[v].value, true));
}

static void mark_leading(twin *t)
{
    for (int v = t->count - 1; v >= 0; v--) {
        twin_value *value = &t->values[v];
        value->leads = value->leads || v == t->loss;
        for (int i = 0; i < value->input_count && value->leads; i++)
            if (value->inputs[i] >= 0)
                t->values[value->inputs[i]].leads = true;
    }
}

void twin_plan(twin *t, int loss, int64_t batch, int64_t time)
{
    t->loss = loss;
    mark_leading(t);
    t->largest[0] = t->extent[0] = batch;
    t->largest[1] = t->extent[1] = time;
    t->largest[2] = t->extent[2] = time + 2;
    must(gg_model_set_largest(t->model, GG_TIME_2, time + 2));
    must(gg_model_set_largest(t->model, GG_TIME, time));
    must(gg_model_plan(t->model, t->values[loss].value, batch));
    ck_assert_int_eq(gg_model_parameter_count(t->model), t->parameters);
    for (int v = 0; v < t->count; v++) {
        twin_value *value = &t->values[v];
        value->data = value->layer == NULL && !twin_is_labels(t, v) ? support_floats(largest_size(t, v)) : NULL;
        value->labels = twin_is_labels(t, v) ? support_labels(largest_size(t, v)) : NULL;
    }
}

static void fill_input(twin_value *v, int64_t size, uint64_t *state)
{
    const int64_t classes = v->content == TWIN_ONE_HOT ? v->dims[v->rank - 1] : (int64_t)v->high;
    if (v->content == TWIN_UNIFORM)
        support_fill(v->data, size, v->low, v->high, support_random(state));
    for (int64_t i = 0; i < size && v->content != TWIN_UNIFORM; i++) {
        if (v->content == TWIN_ONE_HOT)
            v->data[i] = (i / classes * 7 + 3) % classes == i % classes ? 1.0f : 0.0f;
        else
            v->labels[i] = (int32_t)(support_random(state) % (uint64_t)classes);
        if (v->content == TWIN_ALL_IGNORED || (v->content == TWIN_SOME_IGNORED && i % 3 == 1))
            v->labels[i] = GG_IGNORE_LABEL;
    }
}

void twin_fill(twin *t, uint64_t seed)
{
    uint64_t state = seed;
    for (int v = 0; v < t->count; v++)
        if (t->values[v].layer == NULL)
            fill_input(&t->values[v], largest_size(t, v), &state);
    for (int i = 0; i < t->parameters; i++) {
        const gg_parameter p = parameter(t, i);
        const double terms = p.rank == 2 ? (double)p.dims[0] : p.rank > 2 ? (double)(p.size / p.dims[0]) : 1.0;
        const double width = sqrt(terms);
        const bool standard = t->weight_low == t->weight_high;
        support_fill(gg_model_parameters(t->model) + p.offset, p.size, (standard ? -1.5 : t->weight_low) / width,
                     (standard ? 1.5 : t->weight_high) / width, support_random(&state));
    }
}

void twin_set_batch(twin *t, int64_t batch)
{
    must(gg_model_set_extent(t->model, GG_BATCH, batch));
    t->extent[0] = batch;
}

void twin_step(twin *t)
{
    for (int v = 0; v < t->count; v++) {
        const twin_value *value = &t->values[v];
        if (value->labels != NULL)
            must(gg_model_bind_labels(t->model, value->value, value->labels));
        else if (value->data != NULL)
            must(gg_model_bind(t->model, value->value, value->data));
    }
    must(gg_model_forward(t->model, t->values[t->loss].value, GG_TRAIN));
    must(gg_model_backward(t->model));
}

/* Copies size floats to *to, if they are there, and moves it. */
static void append(float **to, const float *from, int64_t size)
{
    if (from == NULL || size == 0)
        return;
    memcpy(*to, from, (size_t)size * sizeof *from);
    *to += size;
}

float *twin_results(const twin *t, int64_t *count)
{
    int64_t room = 1 + gg_model_parameter_floats(t->model);
    for (int v = 0; v < t->count; v++)
        room += 2 * twin_size(t, v);
    float *results = support_floats(room), *to = results;
    append(&to, gg_model_data(t->model, t->values[t->loss].value), 1);
    append(&to, gg_model_gradients(t->model), gg_model_parameter_floats(t->model));
    for (int v = 0; v < t->count; v++) {
        if (t->values[v].layer != NULL)
            append(&to, gg_model_data(t->model, t->values[v].value), twin_size(t, v));
        append(&to, gg_model_gradient(t->model, t->values[v].value), twin_size(t, v));
    }
    *count = to - results;
    return results;
}
