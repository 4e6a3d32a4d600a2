/* negative_sampling.c - the layers of word vectors: the mean of a set of vectors, and the loss of negative sampling.
 *
 * mean_rows: X [.., C, D], Y [.., D].
 *   y_d = (1/C) sum over c of x_cd          dx_cd = (1/C) dy_d
 *
 * negative_sampling_loss: H [.., D], E [.., C, D], T [.., C] of 1 (right), 0 (wrong), GG_IGNORE_LABEL; L [1]. For each
 * row of H, with the sigmoid s and P the number of all right ones together:
 *   a_c = h . e_c
 *   L = -(1/P) sum over rows and c of (t_c log s(a_c) + (1 - t_c) log(1 - s(a_c)))
 *   dL/da_c = (s(a_c) - t_c) / P =: g_c     (s' = s (1 - s), so -t (1 - s) + (1 - t) s = s - t)
 *   dh = sum over c of g_c e_c              de_c = g_c h
 * With T of one right and K wrong words for each row this is the book's sum of sigmoid losses, each a mean over the
 * batch.
 *
 * Source: Mikolov et al. 2013; Deep Learning from Scratch 2, chapter 4. */
#include <gemmgrad/scores.h>
#include <gemmgrad/words.h>

#include "node.h"

/* ---- mean ---- */

static gg_status mean_forward(const gg_pass *pass)
{
    const int64_t count = *(const int64_t *)pass->options;
    return gg_combine_rows(pass->y[0], NULL, pass->x[0], pass->rows / count, count, pass->columns, 1.0f / (float)count,
                           false);
}

static gg_status mean_backward(const gg_pass *pass)
{
    const int64_t count = *(const int64_t *)pass->options;
    if (pass->dx[0] == NULL)
        return GG_OK;
    return gg_spread_rows(pass->dx[0], NULL, pass->dy[0], pass->rows / count, count, pass->columns, 1.0f / (float)count,
                          pass->add_dx[0]);
}

static const gg_layer_class mean_class = {
    .kind = "mean_rows", .forward = mean_forward, .backward = mean_backward, .adds_gradients = true};

gg_value gg_mean_rows(gg_model *model, gg_value x)
{
    const gg_shape *given = gg_value_shape(model, x, "gg_mean_rows", "x", false);
    char text[96];
    if (given == NULL)
        return GG_NO_VALUE;
    gg_shape shape = *given;
    const int64_t count = shape.rank > 1 ? shape.dims[shape.rank - 2] : 0;
    if (count < 1)
        return gg_model_error(model, GG_ERR_SHAPE,
                              "gg_mean_rows: x is %s, expected [.., rows, features] with a number "
                              "of rows that is no axis",
                              gg_shape_text(given, text));
    shape.dims[shape.rank - 2] = shape.dims[shape.rank - 1];
    shape.rank--;
    gg_node *node = gg_node_begin(model, &mean_class, &count, sizeof count);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    return gg_node_output(model, node, &shape);
}

/* ---- loss ---- */

enum { SLOPES };

static gg_status loss_forward(const gg_pass *pass)
{
    const int64_t count = *(const int64_t *)pass->options, all = pass->rows * count;
    float *g = pass->buffer[SLOPES];
    double sum = 0.0;
    int64_t right = 0;
    for (int64_t i = 0; i < all; i++)
        right += pass->labels[2][i] == 1;
    gg_status status = gg_dot_rows(g, pass->x[0], pass->x[1], pass->rows, count, pass->columns);
    if (status == GG_OK)
        status = gg_logistic_loss(&sum, NULL, g, g, pass->labels[2], all, right > 0 ? 1.0f / (float)right : 0.0f);
    if (status == GG_OK)
        pass->y[0][0] = right > 0 ? (float)(sum / (double)right) : 0.0f;
    return status;
}

static gg_status loss_backward(const gg_pass *pass)
{
    const int64_t count = *(const int64_t *)pass->options;
    const float *g = pass->buffer[SLOPES], scale = pass->dy[0][0];
    gg_status status = GG_OK;
    if (pass->dx[0] != NULL)
        status = gg_combine_rows(pass->dx[0], g, pass->x[1], pass->rows, count, pass->columns, scale, pass->add_dx[0]);
    if (status == GG_OK && pass->dx[1] != NULL)
        status = gg_spread_rows(pass->dx[1], g, pass->x[0], pass->rows, count, pass->columns, scale, pass->add_dx[1]);
    return status;
}

static const gg_layer_class loss_class = {
    .kind = "negative_sampling_loss", .forward = loss_forward, .backward = loss_backward, .adds_gradients = true};

/* Whether e is [.., C, D] for h [.., D], and labels [.., C]. */
static bool shapes_fit(const gg_shape *h, const gg_shape *e, const gg_shape *labels)
{
    const int rank = h->rank;
    if (e->rank != rank + 1 || labels->rank != rank || e->dims[rank] != h->dims[rank - 1] || e->dims[rank - 1] < 1
        || labels->dims[rank - 1] != e->dims[rank - 1])
        return false;
    for (int i = 0; i < rank - 1; i++)
        if (e->dims[i] != h->dims[i] || labels->dims[i] != h->dims[i])
            return false;
    return true;
}

gg_value gg_negative_sampling_loss(gg_model *model, gg_value h, gg_value e, gg_value labels)
{
    static const char name[] = "gg_negative_sampling_loss";
    const gg_shape *left = gg_value_shape(model, h, name, "h", false);
    const gg_shape *sets = left != NULL ? gg_value_shape(model, e, name, "e", false) : NULL;
    const gg_shape *marks = sets != NULL ? gg_value_shape(model, labels, name, "labels", true) : NULL;
    char text[3][96];
    if (marks == NULL || gg_value_features(model, h, name, "h") == 0)
        return GG_NO_VALUE;
    if (!model->values[labels.id].is_labels || !shapes_fit(left, sets, marks))
        return gg_model_error(model, GG_ERR_SHAPE,
                              "%s: h is %s, e %s, labels %s%s; expected [.., features], [.., count, features], "
                              "[.., count] of labels",
                              name, gg_shape_text(left, text[0]), gg_shape_text(sets, text[1]),
                              gg_shape_text(marks, text[2]), model->values[labels.id].is_labels ? "" : " of floats");
    const int64_t count = marks->dims[marks->rank - 1];
    const gg_shape scores = *marks;
    gg_node *node = gg_node_begin(model, &loss_class, &count, sizeof count);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, h, true);
    gg_node_input(model, node, e, true);
    gg_node_input(model, node, labels, false);
    gg_node_buffer(node, &scores, GG_BUFFER_CACHE);
    return gg_node_output(model, node, &(gg_shape){1, {1}});
}
