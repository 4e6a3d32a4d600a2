/* dropout.c - inverted dropout: in training y = x m, m_i = 0 with probability p, else 1 / (1 - p); otherwise y = x.
 *
 *   dropout           any shape; one m for each element
 *   spatial_dropout   [N, C, ..]; one m for each channel of each sample, which drops whole planes: neighbours in an
 *                     image are so alike that dropping single elements of it drops nothing
 *   variational_dropout
 *                     [time, ..]; one m for each number of [..], the same at every step
 *
 * Derivation of backward: y_i = x_i m_i and m does not depend on x, so dL/dx_i = dL/dy_i m_i.
 *
 * The mask is a pure function of the model's seed, the layer's place and the training step: the same at any number of
 * threads and after a resume. Sources: Srivastava et al., JMLR 15 (2014); Tompson et al., CVPR 2015 (spatial); Gal and
 * Ghahramani, NIPS 2016 (variational). */
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/sequence.h>

#include "dropout_mask.h"
#include "node.h"

typedef struct options {
    float ratio;
    int32_t number; /* of the node in its model */
    int64_t plane;  /* elements that share a number of the mask */
    int64_t time;   /* the first dimension, whose steps share the mask; 0: none do */
} options;

static int64_t steps_of(const gg_pass *pass, const options *o)
{
    return o->time == 0 ? 1 : o->time < 0 ? pass->extents[-1 - o->time] : o->time;
}

static gg_status draw_mask(const gg_pass *pass, const options *o)
{
    const int64_t steps = steps_of(pass, o);
    return steps > 0 ? gg_dropout_mask(pass->buffer[0], pass->size / o->plane / steps, o->ratio, pass->seed, o->number,
                                       pass->step)
                     : GG_OK;
}

static gg_status apply_mask(float *y, const float *x, const gg_pass *pass, const options *o)
{
    const int64_t steps = steps_of(pass, o), size = steps > 0 ? pass->size / steps : 0;
    gg_status status = GG_OK;
    for (int64_t t = 0; t < steps && o->time != 0 && status == GG_OK; t++)
        status = gg_multiply(y + t * size, x + t * size, pass->buffer[0], size);
    if (o->time != 0)
        return status;
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
static const gg_layer_class variational_class = {
    .kind = "variational_dropout", .forward = forward, .backward = backward};

/* A node whose mask has the first `mask_rank` dimensions of x, without the very first if the mask is `timeless`. */
static gg_value add(gg_model *model, gg_value x, const gg_layer_class *layer_class, float ratio, int mask_rank,
                    bool timeless)
{
    const gg_shape shape = *gg_value_shape(model, x, layer_class->kind, "x", false);
    if (!(ratio >= 0.0f && ratio < 1.0f))
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: ratio is %g, expected 0 <= ratio < 1", layer_class->kind,
                              (double)ratio);
    gg_shape mask = shape;
    mask.rank = mask_rank;
    options o = {ratio, model->node_count, 1, timeless ? shape.dims[0] : 0};
    if (timeless)
        memcpy(mask.dims, &shape.dims[1], (size_t)--mask.rank * sizeof *mask.dims);
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
    return shape != NULL ? add(model, x, &dropout_class, ratio, shape->rank, false) : GG_NO_VALUE;
}

gg_value gg_spatial_dropout(gg_model *model, gg_value x, float ratio)
{
    const gg_image image = gg_value_image(model, x, "gg_spatial_dropout");
    return image.channels > 0 ? add(model, x, &spatial_class, ratio, 2, false) : GG_NO_VALUE;
}

gg_value gg_variational_dropout(gg_model *model, gg_value x, float ratio)
{
    const gg_shape *shape = gg_value_shape(model, x, "gg_variational_dropout", "x", false);
    char text[96];
    if (shape == NULL)
        return GG_NO_VALUE;
    if (shape->rank < 2)
        return gg_model_error(model, GG_ERR_SHAPE, "gg_variational_dropout: x is %s, expected [time, ..]",
                              gg_shape_text(shape, text));
    return add(model, x, &variational_class, ratio, shape->rank, true);
}
