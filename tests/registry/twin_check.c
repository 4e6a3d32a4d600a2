/* twin_check.c - see twin.h: the reference's numbers, and how the library's compare. */
#define SUPPORT_NO_MAIN
#include "twin.h"

#include <math.h>
#include <string.h>

#include <gemmgrad/random.h>

#include "support.h"

/* ---- one layer ---- */

/* The mask that layer's documentation promises: a pure function of the seed, the layer's place and the step. `plane`
 * elements share a number. */
static double *draw_mask(const twin *t, const twin_value *v, int64_t size, int64_t plane)
{
    const uint64_t first_stream = (uint64_t)1 << 32, words_per_step = (uint64_t)1 << 40;
    gg_random random = gg_random_make(t->seed, first_stream + (uint64_t)v->node);
    random.counter = (uint64_t)gg_model_step(t->model) * words_per_step;
    double *mask = support_doubles(size);
    for (int64_t i = 0; i < size; i++)
        mask[i] = i % plane != 0                          ? mask[i - 1]
                  : gg_random_uniform(&random) < v->ratio ? 0.0
                                                          : 1.0 / (1.0 - (double)v->ratio);
    return mask;
}

/* The first input as images. */
static void see_images(reference_pass *pass, const twin *t, const twin_value *first)
{
    int64_t dims[GG_MAX_RANK] = {1, 1, 1, 1};
    for (int i = 0; i < first->rank; i++)
        dims[i] = first->dims[i] < 0 ? t->extent[-1 - first->dims[i]] : first->dims[i];
    pass->images = dims[0];
    pass->channels = dims[1];
    pass->height = first->rank == 4 ? dims[2] : 1;
    pass->width = first->rank > 2 ? dims[first->rank - 1] : 1;
}

/* Which rows of the first input share a position. */
static void see_positions(reference_pass *pass, const twin *t, const twin_value *value, const twin_value *first)
{
    const int64_t steps = first->dims[value->time_dimension];
    pass->positions = steps < 0 ? t->extent[-1 - steps] : steps;
    pass->together = 1;
    for (int i = value->time_dimension + 1; i < first->rank - 1; i++)
        pass->together *= first->dims[i] < 0 ? t->extent[-1 - first->dims[i]] : first->dims[i];
}

/* What layer v reads and writes, with inputs and weights from `from`. */
static reference_pass pass_of(const twin *t, const twin_numbers *from, int v)
{
    const twin_value *value = &t->values[v], *first = &t->values[value->inputs[0]];
    const int64_t last = first->dims[first->rank - 1], size = twin_size(t, value->inputs[0]);
    reference_pass pass = {.columns = last < 0 ? t->extent[-1 - last] : last,
                           .out = value->out,
                           .activation = value->activation,
                           .alpha = value->alpha,
                           .conv = value->conv,
                           .conv_transposed = value->conv_transposed};
    pass.conv.batch = t->extent[0];
    const twin_value *of_time = value->layer == &reference_repeat_time ? value : first;
    pass.steps = of_time->dims[0] < 0 ? t->extent[-1 - of_time->dims[0]] : of_time->dims[0];
    pass.batch = t->extent[0];
    pass.vocabulary = value->w >= 0 ? twin_parameter_size(t, value->w) / (value->out > 0 ? value->out : 1) : 0;
    pass.tied = value->tied;
    pass.recurrence = &value->recurrence;
    see_positions(&pass, t, value, first);
    pass.rms = value->rms;
    pass.heads = value->heads;
    pass.head_width = value->head_width;
    pass.attend = &value->attend;
    pass.queries = value->attend.queries < 0 ? t->extent[-1 - value->attend.queries] : value->attend.queries;
    pass.keys = value->attend.keys < 0 ? t->extent[-1 - value->attend.keys] : value->attend.keys;
    pass.rows = 1;
    for (int i = 0; i < first->rank - 1; i++)
        pass.rows *= first->dims[i] < 0 ? t->extent[-1 - first->dims[i]] : first->dims[i];
    for (int i = 0; i < value->input_count; i++) {
        if (value->inputs[i] < 0)
            continue;
        pass.x[i] = from->value[value->inputs[i]];
        if (t->values[value->inputs[i]].labels != NULL)
            pass.labels = t->values[value->inputs[i]].labels;
    }
    if (value->layer == &reference_concatenate)
        pass.columns_of_second = t->values[value->inputs[1]].dims[first->rank - 1];
    for (int i = 0; i < 4 && value->layer == &reference_recurrent; i++)
        pass.more[i] = value->more[i] >= 0 ? from->weight[value->more[i]] : NULL;
    pass.w = value->w >= 0 ? from->weight[value->w] : NULL;
    pass.b = value->b >= 0 ? from->weight[value->b] : NULL;
    see_images(&pass, t, first);
    pass.window = &value->window;
    pass.relu = value->relu;
    pass.epsilon = (double)1e-5f; /* the default */
    const int64_t states = value->recurrence.directions * pass.batch * value->recurrence.hidden;
    pass.mask = value->layer == &reference_dropout               ? draw_mask(t, value, size, 1)
                : value->layer == &reference_spatial_dropout     ? draw_mask(t, value, size, pass.height * pass.width)
                : value->layer == &reference_variational_dropout ? draw_mask(t, value, size, 1)
                : value->layer == &reference_recurrent && value->ratio > 0.0f ? draw_mask(t, value, states, 1)
                                                                              : NULL;
    return pass;
}

/* y of layer v into `to`. */
static void compute(const twin *t, const twin_numbers *from, twin_numbers *to, int v,
                    void (*forward)(const reference_pass *))
{
    reference_pass pass = pass_of(t, from, v);
    pass.y = to->value[v];
    forward(&pass);
}

static void accumulate(double *sum, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += x[i];
}

static void accumulate_magnitudes(double *sum, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += fabs(x[i]);
}

/* What layer v sends back for the gradient of its output in `from`, added to the gradients in `to`. */
static void send_back(const twin *t, const twin_numbers *from, twin_numbers *to, int v,
                      void (*backward)(const reference_pass *), void (*add)(double *sum, const double *x, int64_t n))
{
    const twin_value *value = &t->values[v];
    reference_pass pass = pass_of(t, from, v);
    pass.y = support_doubles(twin_size(t, v));
    pass.dy = from->gradient[v];
    for (int i = 0; i < value->input_count; i++)
        pass.dx[i] = pass.x[i] != NULL ? support_doubles(twin_size(t, value->inputs[i])) : NULL;
    for (int i = 0; i < 4; i++)
        pass.dmore[i] = pass.more[i] != NULL ? support_doubles(twin_parameter_size(t, value->more[i])) : NULL;
    pass.dw = value->w >= 0 ? support_doubles(twin_parameter_size(t, value->w)) : NULL;
    pass.db = value->b >= 0 ? support_doubles(twin_parameter_size(t, value->b)) : NULL;
    backward(&pass);
    for (int i = 0; i < value->input_count; i++)
        if (pass.dx[i] != NULL)
            add(to->gradient[value->inputs[i]], pass.dx[i], twin_size(t, value->inputs[i]));
    if (pass.dw != NULL)
        add(to->weight_gradient[value->w], pass.dw, twin_parameter_size(t, value->w));
    if (pass.db != NULL)
        add(to->weight_gradient[value->b], pass.db, twin_parameter_size(t, value->b));
    for (int i = 0; i < 4; i++)
        if (pass.dmore[i] != NULL)
            add(to->weight_gradient[value->more[i]], pass.dmore[i], twin_parameter_size(t, value->more[i]));
}

/* ---- the whole network ---- */

twin_numbers *twin_numbers_new(const twin *t)
{
    twin_numbers *n = (void *)support_doubles((int64_t)(sizeof *n / sizeof(double)) + 1);
    for (int v = 0; v < t->count; v++)
        if (!twin_is_labels(t, v)) {
            n->value[v] = support_doubles(twin_size(t, v));
            n->gradient[v] = support_doubles(twin_size(t, v));
        }
    for (int i = 0; i < t->parameters; i++) {
        n->weight[i] = support_doubles(twin_parameter_size(t, i));
        n->weight_gradient[i] = support_doubles(twin_parameter_size(t, i));
    }
    return n;
}

static void widen(double *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

static const float *parameter_floats(const twin *t, const float *arena, int i)
{
    gg_parameter p;
    ck_assert_int_eq(gg_model_parameter(t->model, i, &p), GG_OK);
    return arena + p.offset;
}

void twin_take_inputs(const twin *t, twin_numbers *n)
{
    for (int v = 0; v < t->count; v++)
        if (t->values[v].layer == NULL && !twin_is_labels(t, v))
            widen(n->value[v], t->values[v].data, twin_size(t, v));
    for (int i = 0; i < t->parameters; i++)
        widen(n->weight[i], parameter_floats(t, gg_model_parameters(t->model), i), twin_parameter_size(t, i));
}

double twin_compute(const twin *t, twin_numbers *n)
{
    for (int v = 0; v < t->count; v++)
        if (t->values[v].layer != NULL)
            compute(t, n, n, v, t->values[v].layer->forward);
    return n->value[t->loss][0];
}

void twin_compute_gradients(const twin *t, twin_numbers *n)
{
    n->gradient[t->loss][0] = 1.0;
    for (int v = t->loss; v >= 0; v--)
        if (t->values[v].layer != NULL)
            send_back(t, n, n, v, t->values[v].layer->backward, accumulate);
}

static const struct distance {
    const reference_layer *layer;
    double (*measure)(const reference_pass *pass);
} distances[] = {
    {&reference_max_pool, reference_max_pool_gap},
    {&reference_global_max_pool, reference_global_max_gap},
    {&reference_batch_normalization, reference_normalization_smallest},
    {&reference_add_relu, reference_add_relu_smallest},
    {&reference_recurrent, reference_recurrent_smallest},
};

double twin_distance_from_kinks(const twin *t, const twin_numbers *n)
{
    double smallest = INFINITY;
    for (int v = 0; v < t->count; v++) {
        const twin_value *value = &t->values[v];
        if (value->layer == NULL)
            continue;
        reference_pass pass = pass_of(t, n, v);
        pass.y = support_doubles(twin_size(t, v));
        for (size_t i = 0; i < sizeof distances / sizeof *distances; i++)
            if (distances[i].layer == value->layer)
                smallest = fmin(smallest, distances[i].measure(&pass));
        if (!reference_has_kink(value->activation, value->alpha))
            continue;
        if (value->layer == &reference_affine)
            smallest = fmin(smallest, reference_affine_smallest_sum(&pass));
        if (value->layer == &reference_conv_layer)
            smallest = fmin(smallest, reference_conv_smallest_sum(&pass));
        for (int64_t i = 0; value->layer == &reference_activation_layer && i < pass.rows * pass.columns; i++)
            smallest = fmin(smallest, fabs(pass.x[0][i]));
    }
    return smallest;
}

/* ---- layer by layer ---- */

/* Everything as the library left it. */
static void take_all(const twin *t, twin_numbers *n)
{
    twin_take_inputs(t, n);
    for (int v = 0; v < t->count; v++) {
        const float *data = gg_model_data(t->model, t->values[v].value);
        const float *gradient = gg_model_gradient(t->model, t->values[v].value);
        ck_assert_int_eq(gg_model_size(t->model, t->values[v].value), twin_size(t, v));
        if (t->values[v].layer != NULL && t->values[v].leads)
            widen(n->value[v], data, twin_size(t, v));
        if (gradient != NULL)
            widen(n->gradient[v], gradient, twin_size(t, v));
    }
    for (int i = 0; i < t->parameters; i++)
        widen(n->weight_gradient[i], parameter_floats(t, gg_model_gradients(t->model), i), twin_parameter_size(t, i));
}

static void make_absolute(double **arrays, int count, const twin *t, int64_t (*size)(const twin *, int))
{
    for (int i = 0; i < count; i++)
        for (int64_t j = 0; arrays[i] != NULL && j < size(t, i); j++)
            arrays[i][j] = fabs(arrays[i][j]);
}

static void check_values(const twin *t, const twin_numbers *seen, const twin_numbers *absolute, const char *what)
{
    twin_numbers *expected = twin_numbers_new(t), *magnitude = twin_numbers_new(t);
    for (int v = 0; v < t->count; v++) {
        const reference_layer *layer = t->values[v].layer;
        if (layer == NULL || !t->values[v].leads)
            continue;
        compute(t, seen, expected, v, layer->forward);
        if (layer->forward_magnitude != NULL)
            compute(t, seen, magnitude, v, layer->forward_magnitude);
        else
            compute(t, absolute, magnitude, v, layer->forward);
        support_assert_close(gg_model_data(t->model, t->values[v].value), expected->value[v], magnitude->value[v],
                             twin_size(t, v), REFERENCE_BOUND, "%s: value %d, %s", what, v, layer->name);
    }
}

/* Gradients of parameters are sums over rows, of one sign if need be: each addition rounds by up to half an epsilon of
 * the sum so far, and errors that know nothing of each other grow with the root of their number. */
static double bound_of_sums(const twin *t)
{
    int64_t most = 1;
    for (int v = 0; v < t->count; v++) {
        int64_t dims[GG_MAX_RANK];
        const int rank = gg_model_shape(t->model, t->values[v].value, dims);
        if (rank > 1 && dims[rank - 1] > 0 && twin_size(t, v) / dims[rank - 1] > most)
            most = twin_size(t, v) / dims[rank - 1];
    }
    return fmax(REFERENCE_BOUND, 0.5 * sqrt((double)most));
}

static void check_gradients(const twin *t, const twin_numbers *seen, const twin_numbers *absolute, const char *what)
{
    twin_numbers *expected = twin_numbers_new(t), *magnitude = twin_numbers_new(t);
    expected->gradient[t->loss][0] = magnitude->gradient[t->loss][0] = 1.0;
    for (int v = t->loss; v >= 0; v--) {
        const reference_layer *layer = t->values[v].layer;
        if (layer == NULL || !t->values[v].leads)
            continue;
        send_back(t, seen, expected, v, layer->backward, accumulate);
        if (layer->backward_magnitude != NULL)
            send_back(t, seen, magnitude, v, layer->backward_magnitude, accumulate_magnitudes);
        else
            send_back(t, absolute, magnitude, v, layer->backward, accumulate_magnitudes);
    }
    for (int v = 0; v <= t->loss; v++) {
        const float *gradient = gg_model_gradient(t->model, t->values[v].value);
        if (!twin_is_labels(t, v) && t->values[v].leads)
            ck_assert_msg(gradient != NULL, "%s: value %d has no gradient", what, v);
        if (gradient != NULL)
            support_assert_close(gradient, expected->gradient[v], magnitude->gradient[v], twin_size(t, v),
                                 REFERENCE_BOUND, "%s: gradient of value %d", what, v);
    }
    for (int i = 0; i < t->parameters; i++)
        support_assert_close(parameter_floats(t, gg_model_gradients(t->model), i), expected->weight_gradient[i],
                             magnitude->weight_gradient[i], twin_parameter_size(t, i), bound_of_sums(t),
                             "%s: gradient of parameter %d", what, i);
}

void twin_check(const twin *t, const char *what)
{
    twin_numbers *seen = twin_numbers_new(t), *absolute = twin_numbers_new(t);
    take_all(t, seen);
    take_all(t, absolute);
    make_absolute(absolute->value, t->count, t, twin_size);
    make_absolute(absolute->gradient, t->count, t, twin_size);
    make_absolute(absolute->weight, t->parameters, t, twin_parameter_size);
    check_values(t, seen, absolute, what);
    check_gradients(t, seen, absolute, what);
}
