/* projected_loss.c - softmax with cross-entropy over scores H W, chunk of rows by chunk of rows.
 *
 * Shapes: H [.., D], labels T [..], W [D, V] (tied: the embedding's [V, D], transposed); L [1], the mean over the N
 * rows that count. With S = H W and P = softmax(S) by rows:
 *
 *     L = - (1/N) sum_r log P_r,t(r)        dS = (P - onehot(T)) / N        dH = dS W^T        dW = H^T dS
 *
 * (softmax_with_loss.c derives dS.) The sums over rows in L and dW go chunk by chunk: of S and of dS in its place only
 * the rows of one chunk exist, and both gradients are made in forward, where they are. What several layers share (a
 * tied weight) is gathered in a buffer, since their backward passes begin later. Source of the chunks: Wijmans et al.,
 * 2024; of tied weights: Press and Wolf, 2017. */
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/matmul.h>
#include <gemmgrad/softmax.h>
#include <gemmgrad/transformer.h>

#include "embedding.h"
#include "node.h"

typedef struct options {
    int64_t features, vocabulary, chunk_rows;
    gg_weight_layout layout;
    gg_shape shape; /* of h */
} options;

enum { LOGITS, DW }; /* buffers */

enum { DEFAULT_FLOATS = 1 << 22, LEAST_ROWS = 16 };

static int64_t leading(const options *o)
{
    return o->layout == GG_OUT_IN ? o->features : o->vocabulary;
}

static gg_status workspace(int64_t *floats, const gg_node *node, int b, const int64_t extents[GG_AXIS_COUNT])
{
    (void)b;
    const options *o = (const void *)node->options;
    int64_t rows = 1;
    for (int i = 0; i < o->shape.rank - 1; i++)
        rows *= o->shape.dims[i] < 0 ? extents[-1 - o->shape.dims[i]] : o->shape.dims[i];
    if (rows > o->chunk_rows)
        rows = o->chunk_rows;
    if (!__builtin_mul_overflow(rows, o->vocabulary, floats))
        return GG_OK;
    return gg_fail(GG_ERR_OVERFLOW, "%s: %lld rows of %lld scores are more than memory can hold", node->name,
                   (long long)rows, (long long)o->vocabulary);
}

/* How many rows count; GG_ERR_ARGUMENT for a label that is none, before anything is written. */
static gg_status count_rows(int64_t *counted, const gg_pass *pass)
{
    const options *o = pass->options;
    *counted = 0;
    for (int64_t r = 0; r < pass->rows; r++) {
        const int32_t label = pass->labels[1][r];
        if (label != GG_IGNORE_LABEL && (label < 0 || label >= o->vocabulary))
            return gg_fail(GG_ERR_ARGUMENT, "%s: labels[%lld] is %d, expected %d or 0 to %lld", pass->node->name,
                           (long long)r, (int)label, GG_IGNORE_LABEL, (long long)o->vocabulary - 1);
        *counted += label != GG_IGNORE_LABEL;
    }
    return GG_OK;
}

/* Rows first .. first + rows - 1: their part of the loss, and of the gradients that are wanted. */
static gg_status take_chunk(const gg_pass *pass, double *sum, int64_t first, int64_t rows, float scale)
{
    const options *o = pass->options;
    const int64_t d = o->features, v = o->vocabulary;
    const float *h = pass->x[0] + first * d;
    float *scores = pass->buffer[LOGITS];
    const bool train = pass->mode == GG_TRAIN && pass->node->trains;
    float *dx = train && pass->dx[0] != NULL ? pass->dx[0] + first * d : NULL;
    gg_matmul_options product = {.layout = o->layout, .accumulate_dw = first > 0};
    double loss = 0.0;
    gg_status status = gg_matmul_forward(scores, v, h, d, pass->w[0], leading(o), NULL, rows, d, v, &product);
    if (status == GG_OK)
        status = gg_softmax_cross_entropy(&loss, NULL, train ? scores : NULL, scores, pass->labels[1] + first, rows, v,
                                          scale);
    if (status == GG_OK && train)
        status = gg_matmul_backward(dx, d, pass->buffer[DW], leading(o), NULL, scores, v, h, d, pass->w[0], leading(o),
                                    rows, d, v, &product);
    *sum += loss;
    return status;
}

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    int64_t counted = 0;
    double sum = 0.0;
    gg_status status = count_rows(&counted, pass);
    const float scale = counted > 0 ? 1.0f / (float)counted : 0.0f;
    for (int64_t first = 0; first < pass->rows && status == GG_OK; first += o->chunk_rows) {
        const int64_t left = pass->rows - first;
        status = take_chunk(pass, &sum, first, left < o->chunk_rows ? left : o->chunk_rows, scale);
    }
    if (status == GG_OK)
        pass->y[0][0] = counted > 0 ? (float)(sum / (double)counted) : 0.0f;
    return status;
}

/* Without rows, forward has written no gradient. */
static gg_status give_weight(const gg_pass *pass)
{
    const options *o = pass->options;
    const int64_t size = o->features * o->vocabulary;
    if (pass->add_dw[0])
        return pass->rows > 0 ? gg_axpy(pass->dw[0], pass->buffer[DW], size, pass->dy[0][0]) : GG_OK;
    if (pass->rows == 0)
        return gg_fill(pass->dw[0], size, 0.0f);
    memcpy(pass->dw[0], pass->buffer[DW], (size_t)size * sizeof(float));
    return pass->dy[0][0] != 1.0f ? gg_scale(pass->dw[0], size, pass->dy[0][0]) : GG_OK;
}

static gg_status backward(const gg_pass *pass)
{
    const float factor = pass->dy[0][0];
    const gg_status status = give_weight(pass);
    if (status != GG_OK || pass->dx[0] == NULL || factor == 1.0f)
        return status;
    return gg_scale(pass->dx[0], pass->size, factor);
}

static const gg_layer_class projected_class = {.kind = "projected_softmax_with_loss",
                                               .forward = forward,
                                               .backward = backward,
                                               .adds_gradients = true,
                                               .gradient_in_forward = true,
                                               .workspace = workspace};

/* ---- building ---- */

static bool arguments_fit(gg_model *model, int64_t vocabulary, gg_value h, gg_value t,
                          const gg_projected_loss_options *o)
{
    if (!gg_targets_fit(model, h, t, "gg_projected_softmax_with_loss"))
        return false;
    if (!model->values[t.id].is_labels)
        gg_model_error(model, GG_ERR_ARGUMENT,
                       "gg_projected_softmax_with_loss: t are floats, expected labels (gg_input_labels)");
    else if (vocabulary < 1 || vocabulary > INT32_MAX || o->chunk_rows < 0)
        gg_model_error(model, GG_ERR_ARGUMENT,
                       "gg_projected_softmax_with_loss: vocabulary is %lld, chunk_rows is %lld, expected 1 to 2^31 - 1 "
                       "and 0 or more",
                       (long long)vocabulary, (long long)o->chunk_rows);
    else if (o->init == GG_INIT_ORTHOGONAL)
        gg_model_error(model, GG_ERR_ARGUMENT,
                       "gg_projected_softmax_with_loss: init is orthogonal, expected a normal distribution");
    else
        return gg_start_fits(model, projected_class.kind, GG_IDENTITY, o->init, o->init_scale);
    return false;
}

static int32_t tied_weight(gg_model *model, gg_value tied_to, const options *o)
{
    int64_t vocabulary = 0, features = 0;
    const int32_t weight = gg_embedding_weight(model, tied_to, &vocabulary, &features, projected_class.kind);
    if (weight < 0 || (vocabulary == o->vocabulary && features == o->features))
        return weight;
    gg_model_error(
        model, GG_ERR_SHAPE,
        "gg_projected_softmax_with_loss: tied_to is an embedding of %lld tokens and %lld features, h has %lld "
        "features, vocabulary is %lld",
        (long long)vocabulary, (long long)features, (long long)o->features, (long long)o->vocabulary);
    return -1;
}

static int64_t default_rows(int64_t vocabulary)
{
    const int64_t rows = DEFAULT_FLOATS / vocabulary;
    return rows > LEAST_ROWS ? rows : LEAST_ROWS;
}

gg_value gg_projected_softmax_with_loss(gg_model *model, gg_value h, int64_t vocabulary, gg_value t,
                                        const gg_projected_loss_options *given)
{
    const gg_projected_loss_options chosen = given != NULL ? *given : (gg_projected_loss_options){0};
    const int64_t features = gg_value_features(model, h, projected_class.kind, "h");
    if (features == 0 || !arguments_fit(model, vocabulary, h, t, &chosen))
        return GG_NO_VALUE;
    options o = {.features = features, .vocabulary = vocabulary, .layout = GG_IN_OUT};
    o.shape = *gg_value_shape(model, h, projected_class.kind, "h", false);
    o.chunk_rows = chosen.chunk_rows > 0 ? chosen.chunk_rows : default_rows(vocabulary);
    const int32_t tied = chosen.tied_to != NULL ? tied_weight(model, *chosen.tied_to, &o) : -1;
    if (model->error != GG_OK)
        return GG_NO_VALUE;
    o.layout = tied >= 0 ? GG_OUT_IN : GG_IN_OUT;
    gg_node *node = gg_node_begin(model, &projected_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, h, false);
    gg_node_input(model, node, t, false);
    if (tied >= 0)
        gg_node_share(node, tied);
    else
        gg_node_parameter(model, node, "W", &(gg_shape){2, {features, vocabulary}},
                          gg_initial_deviation(chosen.init, GG_IDENTITY, features, vocabulary, chosen.init_scale));
    gg_node_workspace(node, GG_BUFFER_FORWARD);
    gg_node_buffer(node, &(gg_shape){2, {vocabulary, features}}, GG_BUFFER_CACHE);
    return gg_node_output(model, node, &(gg_shape){1, {1}});
}
