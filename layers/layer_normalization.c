/* layer_normalization.c - each row brought to mean 0 and variance 1 (or, RMS, to mean square 1), then scaled and
 * shifted.
 *
 * Shapes: x, y [.., D]; gamma, beta [D], which start as 1 and 0. For a row x of n = D values, with m its mean, v its
 * variance (divided by n), r = 1 / sqrt(v + epsilon):
 *
 *     z_i = (x_i - m) r        y_i = gamma_i z_i + beta_i        (RMS: m = 0, no beta)
 *
 * Derivation of backward, g_i = gamma_i dL/dy_i the gradient of z: as for batch normalisation, with the row for the
 * channel, dz_i/dx_j = r ([i = j] - 1/n - z_i z_j / n), so that
 *
 *     dL/dx_j = r (g_j - sum g_i / n - z_j sum g_i z_i / n)        (RMS: without sum g_i / n, since m is no function of
 * x)
 *
 * gamma and beta sum over rows: dL/dgamma_i = sum dL/dy_i z_i, dL/dbeta_i = sum dL/dy_i. Sources: Ba, Kiros and Hinton,
 * 2016; Zhang and Sennrich, 2019. */
#include <gemmgrad/transformer.h>

#include "node.h"

typedef struct options {
    gg_layernorm_options norm;
    gg_shape shape; /* of x */
} options;

enum { GAMMA, BETA };              /* parameters */
enum { INVERSE, WORKSPACE, MEAN }; /* buffers; the last not of RMS */

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const bool keep = pass->mode == GG_TRAIN;
    return gg_layernorm_forward(pass->y[0], keep && !o->norm.rms ? pass->buffer[MEAN] : NULL,
                                keep ? pass->buffer[INVERSE] : NULL, pass->x[0], pass->w[GAMMA],
                                o->norm.rms ? NULL : pass->w[BETA], pass->rows, pass->columns, &o->norm);
}

static int64_t rows_at(const options *o, const int64_t extents[GG_AXIS_COUNT])
{
    int64_t rows = 1;
    for (int i = 0; i < o->shape.rank - 1; i++)
        rows *= o->shape.dims[i] < 0 ? extents[-1 - o->shape.dims[i]] : o->shape.dims[i];
    return rows;
}

static gg_status workspace(int64_t *floats, const gg_node *node, int b, const int64_t extents[GG_AXIS_COUNT])
{
    (void)b;
    const options *o = (const void *)node->options;
    return gg_layernorm_workspace(floats, rows_at(o, extents), o->shape.dims[o->shape.rank - 1]);
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    int64_t floats = 0;
    const gg_status status = gg_layernorm_workspace(&floats, pass->rows, pass->columns);
    if (status != GG_OK)
        return status;
    return gg_layernorm_backward(pass->dx[0], pass->dw[GAMMA], o->norm.rms ? NULL : pass->dw[BETA], pass->dy[0],
                                 pass->x[0], o->norm.rms ? NULL : pass->buffer[MEAN], pass->buffer[INVERSE],
                                 pass->w[GAMMA], pass->rows, pass->columns, &o->norm, pass->add_dx[0],
                                 pass->add_dw[GAMMA], pass->buffer[WORKSPACE], floats);
}

static const gg_layer_class layer_class = {.kind = "layer_normalization",
                                           .forward = forward,
                                           .backward = backward,
                                           .adds_gradients = true,
                                           .workspace = workspace};
static const gg_layer_class rms_class = {.kind = "rms_normalization",
                                         .forward = forward,
                                         .backward = backward,
                                         .adds_gradients = true,
                                         .workspace = workspace};

gg_value gg_layer_normalization(gg_model *model, gg_value x, const gg_layernorm_options *given)
{
    options o = {.norm = given != NULL ? *given : (gg_layernorm_options){0.0f, false}};
    const gg_layer_class *class = o.norm.rms ? &rms_class : &layer_class;
    const int64_t features = gg_value_features(model, x, class->kind, "x");
    if (features == 0)
        return GG_NO_VALUE;
    if (!(o.norm.epsilon >= 0.0f && o.norm.epsilon <= 1.0f))
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_layer_normalization: epsilon is %g, expected 0 to 1",
                              (double)o.norm.epsilon);
    o.shape = *gg_value_shape(model, x, class->kind, "x", false);
    gg_shape rows = o.shape;
    if (rows.rank > 1)
        rows.rank--;
    else
        rows.dims[0] = 1;
    gg_node *node = gg_node_begin(model, class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, true);
    gg_node_constant_parameter(model, node, "gamma", &(gg_shape){1, {features}}, 1.0f);
    if (!o.norm.rms)
        gg_node_constant_parameter(model, node, "beta", &(gg_shape){1, {features}}, 0.0f);
    gg_node_buffer(node, &rows, GG_BUFFER_CACHE);
    gg_node_workspace(node, GG_BUFFER_BACKWARD);
    if (!o.norm.rms)
        gg_node_buffer(node, &rows, GG_BUFFER_CACHE);
    return gg_node_output(model, node, &o.shape);
}
