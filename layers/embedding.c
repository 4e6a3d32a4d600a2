/* embedding.c - rows of a table of vectors, one for each token.
 *
 * Shapes: tokens [..], n of them; W [V, D]; Y [.., D].
 *
 *     y_i = w_(t_i)
 *
 * It is the affine layer Y = X W for rows of X that are all 0 but for a 1 at t_i, without the products by 0.
 *
 * Derivation of backward: dW = X^T dY, so dL/dw_v = sum of dL/dy_i over the i with t_i = v. Tokens have no gradient.
 *
 * Dense: all of dW is set to 0, then row after row is added. Sparse: dW is 0 but for the rows of the step before, which
 * are listed; only these are set to 0, and those of this step are listed for the optimiser.
 *
 * Source: Mikolov et al. 2013; Deep Learning from Scratch 2, chapter 4.1. */
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/rows.h>
#include <gemmgrad/sequence.h>
#include <gemmgrad/softmax.h>

#include "embedding.h"
#include "node.h"

typedef struct options {
    int64_t vocabulary, features;
} options;

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    return gg_gather_rows(pass->y[0], pass->w[0], pass->labels[0], pass->size, o->vocabulary, o->features);
}

/* Set the rows of the step before to 0, and list those of this one. */
static void touch(float *dw, gg_touched *touched, const int32_t *tokens, int64_t n, int64_t features)
{
    for (int64_t i = 0; i < touched->count; i++) {
        memset(dw + touched->rows[i] * features, 0, (size_t)features * sizeof *dw);
        touched->mark[touched->rows[i]] = 0;
    }
    touched->count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (tokens[i] == GG_IGNORE_LABEL || touched->mark[tokens[i]] != 0)
            continue;
        touched->mark[tokens[i]] = 1;
        touched->rows[touched->count++] = tokens[i];
    }
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const int32_t *tokens = pass->labels[0];
    gg_status status = GG_OK;
    if (pass->touched[0] != NULL)
        touch(pass->dw[0], pass->touched[0], tokens, pass->size, o->features);
    else if (!pass->add_dw[0])
        status = gg_fill(pass->dw[0], o->vocabulary * o->features, 0.0f);
    if (status == GG_OK)
        status = gg_scatter_add_rows(pass->dw[0], pass->dy[0], tokens, pass->size, o->vocabulary, o->features);
    return status;
}

static const gg_layer_class embedding_class = {
    .kind = "embedding", .forward = forward, .backward = backward, .adds_gradients = true};

static bool arguments_fit(gg_model *model, gg_value tokens, int64_t vocabulary, int64_t features,
                          const gg_embedding_options *o)
{
    const gg_shape *shape = gg_value_shape(model, tokens, "gg_embedding", "tokens", true);
    char text[96];
    if (shape == NULL)
        return false;
    if (!model->values[tokens.id].is_labels)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_embedding: tokens are floats, expected labels (gg_input_labels)");
    else if (shape->rank == GG_MAX_RANK)
        gg_model_error(model, GG_ERR_SHAPE, "gg_embedding: tokens are %s, expected at most %d dimensions",
                       gg_shape_text(shape, text), GG_MAX_RANK - 1);
    else if (vocabulary < 1 || vocabulary > INT32_MAX || features < 1)
        gg_model_error(model, GG_ERR_ARGUMENT,
                       "gg_embedding: vocabulary is %lld, features is %lld, expected 1 or more of both, and at most "
                       "2^31 - 1 tokens",
                       (long long)vocabulary, (long long)features);
    else if (o->init == GG_INIT_ORTHOGONAL)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_embedding: init is orthogonal, expected a normal distribution");
    else
        return gg_start_fits(model, "embedding", GG_IDENTITY, o->init, o->init_scale);
    return false;
}

gg_value gg_embedding(gg_model *model, gg_value tokens, int64_t vocabulary, int64_t features,
                      const gg_embedding_options *given)
{
    const gg_embedding_options chosen = given != NULL ? *given : (gg_embedding_options){0};
    if (!arguments_fit(model, tokens, vocabulary, features, &chosen))
        return GG_NO_VALUE;
    const options o = {vocabulary, features};
    gg_shape shape = *gg_value_shape(model, tokens, "gg_embedding", "tokens", true);
    shape.dims[shape.rank++] = features;
    gg_node *node = gg_node_begin(model, &embedding_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, tokens, true);
    const float deviation = chosen.init == GG_INIT_AUTO ? 1.0f / sqrtf((float)features)
                                                        : gg_initial_deviation(chosen.init, GG_IDENTITY, vocabulary,
                                                                               features, chosen.init_scale);
    gg_node_parameter(model, node, "W", &(gg_shape){2, {vocabulary, features}}, deviation);
    if (chosen.sparse)
        gg_node_sparse(model);
    return gg_node_output(model, node, &shape);
}

int32_t gg_embedding_weight(gg_model *model, gg_value value, int64_t *vocabulary, int64_t *features, const char *layer)
{
    if (gg_value_shape(model, value, layer, "tied_to", false) == NULL)
        return -1;
    const int32_t producer = model->values[value.id].producer;
    const gg_node *node = producer >= 0 ? &model->nodes[producer] : NULL;
    if (node == NULL || node->layer_class != &embedding_class) {
        gg_model_error(model, GG_ERR_ARGUMENT, "%s: tied_to is not the output of gg_embedding", layer);
        return -1;
    }
    if (model->parameters[node->parameters[0]].sparse) {
        gg_model_error(model, GG_ERR_ARGUMENT,
                       "%s: tied_to is a sparse embedding; the product writes its whole gradient, so make it dense",
                       layer);
        return -1;
    }
    const options *o = (const void *)node->options;
    *vocabulary = o->vocabulary;
    *features = o->features;
    return node->parameters[0];
}
