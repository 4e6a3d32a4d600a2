/* dropout.c - inverted dropout: in training y = x m, m_i = 0 with probability p, else 1 / (1 - p); otherwise y = x.
 *
 *   dropout           any shape; one m for each element
 *   spatial_dropout   [N, C, ..]; one m for each channel of each sample, which drops whole planes: neighbours in an
 *                     image are so alike that dropping single elements of it drops nothing
 *
 * Derivation of backward: y_i = x_i m_i and m does not depend on x, so dL/dx_i = dL/dy_i m_i.
 *
 * The mask is a pure function of the model's seed, the layer's place and the training step: the same at any number of
 * threads and after a resume. Sources: Srivastava et al., JMLR 15 (2014); Tompson et al., CVPR 2015 (spatial). */
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/random.h>

#include "node.h"

typedef struct options {
    float ratio;
    int32_t number; /* of the node in its model */
    int64_t plane;  /* elements that share a number of the mask */
} options;

/* Streams of random numbers: parameters take the low numbers, dropout the ones from here on. */
#define FIRST_STREAM ((uint64_t)1 << 32)

/* One random word a number of the mask; words of different steps must not meet: 2^40 are more than a mask can have. */
#define WORDS_PER_STEP ((uint64_t)1 << 40)

static gg_status draw_mask(const gg_pass *pass, const options *o)
{
    float *mask = pass->buffer[0];
    const int64_t count = pass->size / o->plane;
    gg_random random = gg_random_make(pass->seed, FIRST_STREAM + (uint64_t)o->number);
    random.counter = (uint64_t)pass->step * WORDS_PER_STEP;
    const gg_status status = gg_random_fill_uniform(mask, count, 0.0f, 1.0f, &random);
    const float kept = 1.0f / (1.0f - o->ratio);
    for (int64_t i = 0; i < count && status == GG_OK; i++)
        mask[i] = mask[i] < o->ratio ? 0.0f : kept;
    return status;
}

static gg_status apply_mask(float *y, const float *x, const gg_pass *pass, const options *o)
{
    if (o->plane == 1)
        return gg_multiply(y, x, pass->buffer[0], pass->size);
    return gg_scale_rows(y, x, pass->buffer[0], pass->size / o->plane, o->plane);
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
    return status == GG_OK ? apply_mask(pass->y[0], pass->x[0], pass, o) : status;
}

static gg_status backward(const gg_pass *pass)
{
    return pass->dx[0] != NULL ? apply_mask(pass->dx[0], pass->dy[0], pass, pass->options) : GG_OK;
}

static const gg_layer_class dropout_class = {.kind = "dropout", .forward = forward, .backward = backward};
static const gg_layer_class spatial_class = {.kind = "spatial_dropout", .forward = forward, .backward = backward};

/* A node whose mask has the first `mask_rank` dimensions of x. */
static gg_value add(gg_model *model, gg_value x, const gg_layer_class *layer_class, float ratio, int mask_rank)
{
    const gg_shape shape = *gg_value_shape(model, x, layer_class->kind, "x", false);
    if (!(ratio >= 0.0f && ratio < 1.0f))
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: ratio is %g, expected 0 <= ratio < 1", layer_class->kind,
                              (double)ratio);
    gg_shape mask = shape;
    mask.rank = mask_rank;
    options o = {ratio, model->node_count, 1};
    for (int i = mask_rank; i < shape.rank; i++)
        o.plane *= shape.dims[i];
    gg_node *node = gg_node_begin(model, layer_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    gg_node_buffer(node, &mask, GG_BUFFER_CACHE);
    return gg_node_output(model, node, &shape);
}

gg_value gg_dropout(gg_model *model, gg_value x, float ratio)
{
    const gg_shape *shape = gg_value_shape(model, x, "gg_dropout", "x", false);
    return shape != NULL ? add(model, x, &dropout_class, ratio, shape->rank) : GG_NO_VALUE;
}

gg_value gg_spatial_dropout(gg_model *model, gg_value x, float ratio)
{
    const gg_image image = gg_value_image(model, x, "gg_spatial_dropout");
    return image.channels > 0 ? add(model, x, &spatial_class, ratio, 2) : GG_NO_VALUE;
}
