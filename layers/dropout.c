/* dropout.c - inverted dropout, any shape: in training y = x m, m_i = 0 with probability p, else 1 / (1 - p);
 * otherwise y = x.
 *
 * Derivation of backward: y_i = x_i m_i and m does not depend on x, so dL/dx_i = dL/dy_i m_i.
 *
 * The mask is a pure function of the model's seed, the layer's place and the training step: the same at any number of
 * threads and after a resume. Source: Srivastava et al., JMLR 15 (2014). */
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/random.h>

#include "node.h"

typedef struct options {
    float ratio;
    int32_t number; /* of the node in its model */
} options;

/* Streams of random numbers: parameters take the low numbers, dropout the ones from here on. */
#define FIRST_STREAM ((uint64_t)1 << 32)

/* One random word an element; words of different steps must not meet: 2^40 elements are more than a mask can have. */
#define WORDS_PER_STEP ((uint64_t)1 << 40)

static gg_status draw_mask(const gg_pass *pass, const options *o)
{
    float *mask = pass->buffer[0];
    gg_random random = gg_random_make(pass->seed, FIRST_STREAM + (uint64_t)o->number);
    random.counter = (uint64_t)pass->step * WORDS_PER_STEP;
    const gg_status status = gg_random_fill_uniform(mask, pass->size, 0.0f, 1.0f, &random);
    const float kept = 1.0f / (1.0f - o->ratio);
    for (int64_t i = 0; i < pass->size && status == GG_OK; i++)
        mask[i] = mask[i] < o->ratio ? 0.0f : kept;
    return status;
}

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (pass->mode != GG_TRAIN) {
        if (pass->size > 0)
            memcpy(pass->y[0], pass->x[0], (size_t)pass->size * sizeof(float));
        return GG_OK;
    }
    const gg_status status = draw_mask(pass, o);
    return status == GG_OK ? gg_multiply(pass->y[0], pass->x[0], pass->buffer[0], pass->size) : status;
}

static gg_status backward(const gg_pass *pass)
{
    if (pass->dx[0] == NULL)
        return GG_OK;
    return gg_multiply(pass->dx[0], pass->dy[0], pass->buffer[0], pass->size);
}

static const gg_layer_class dropout_class = {"dropout", forward, backward, false, false};

gg_value gg_dropout(gg_model *model, gg_value x, float ratio)
{
    const gg_shape *given = gg_value_shape(model, x, "gg_dropout", "x", false);
    if (given == NULL)
        return GG_NO_VALUE;
    if (!(ratio >= 0.0f && ratio < 1.0f))
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_dropout: ratio is %g, expected 0 <= ratio < 1",
                              (double)ratio);
    const gg_shape shape = *given;
    const options o = {ratio, model->node_count};
    gg_node *node = gg_node_begin(model, &dropout_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    gg_node_buffer(node, &shape, GG_BUFFER_CACHE);
    return gg_node_output(model, node, &shape);
}
