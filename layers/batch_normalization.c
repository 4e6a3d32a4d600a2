/* batch_normalization.c - each channel brought to mean 0 and variance 1 over the batch, then scaled and shifted.
 *
 * Shapes: x, y [N, C], [N, C, W] or [N, C, H, W]; gamma, beta [C], which start as 1 and 0. Per channel, over its n
 * values x_i, with m their mean, v their variance (divided by n), r = 1 / sqrt(v + epsilon):
 *
 *     z_i = (x_i - m) r        y_i = gamma z_i + beta        then max(y_i, 0), if the ReLU is fused
 *
 * Derivation of backward, g_i = dL/dy_i behind the ReLU: dL/dbeta = sum g_i, dL/dgamma = sum g_i z_i. x_j moves z_j
 * itself, all z by the mean (dm/dx_j = 1/n) and all by the variance: dv/dx_j = 2 (x_j - m) / n and
 * dr/dv = - r^3 / 2 give dr/dx_j = - r^2 z_j / n, so that dz_i/dx_j = r ([i = j] - 1/n - z_i z_j / n) and
 *
 *     dL/dx_j = gamma r (g_j - sum g_i / n - z_j sum g_i z_i / n)
 *
 * Inference takes running statistics instead, which training moves towards those of each batch: a state of the layer,
 * kept in checkpoints. Source: Ioffe and Szegedy, 2015. */
#include <gemmgrad/layer.h>
#include <gemmgrad/norm.h>

#include "node.h"

typedef struct options {
    gg_batchnorm_options norm;
    int64_t channels, size;
} options;

enum { GAMMA, BETA };                    /* parameters */
enum { MEAN, INVERSE };                  /* buffers: of the batch */
enum { RUNNING_MEAN, RUNNING_VARIANCE }; /* states */

static int64_t images_of(const gg_pass *pass, const options *o)
{
    return pass->size / (o->channels * o->size);
}

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const int64_t images = images_of(pass, o);
    if (pass->mode != GG_TRAIN)
        return gg_batchnorm_infer(pass->y[0], pass->x[0], pass->w[GAMMA], pass->w[BETA], pass->state[RUNNING_MEAN],
                                  pass->state[RUNNING_VARIANCE], images, o->channels, o->size, &o->norm);
    return gg_batchnorm_forward(pass->y[0], pass->buffer[MEAN], pass->buffer[INVERSE],
                                pass->updates_state ? pass->state[RUNNING_MEAN] : NULL,
                                pass->updates_state ? pass->state[RUNNING_VARIANCE] : NULL, pass->x[0], pass->w[GAMMA],
                                pass->w[BETA], images, o->channels, o->size, &o->norm);
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    return gg_batchnorm_backward(pass->dx[0], pass->dw[GAMMA], pass->dw[BETA], pass->dy[0], pass->x[0],
                                 pass->buffer[MEAN], pass->buffer[INVERSE], pass->w[GAMMA], pass->w[BETA],
                                 images_of(pass, o), o->channels, o->size, &o->norm, pass->add_dx[0],
                                 pass->add_dw[GAMMA]);
}

static gg_status fold(gg_activation *activation, float *folded_w, float *folded_b, const float *w, const float *b,
                      int64_t columns, const gg_pass *pass)
{
    const options *o = pass->options;
    *activation = o->norm.relu ? GG_RELU : GG_IDENTITY;
    return gg_batchnorm_fold(folded_w, folded_b, w, b, pass->w[GAMMA], pass->w[BETA], pass->state[RUNNING_MEAN],
                             pass->state[RUNNING_VARIANCE], o->channels, columns, &o->norm);
}

static const gg_layer_class batch_normalization_class = {
    .kind = "batch_normalization", .forward = forward, .backward = backward, .fold = fold, .adds_gradients = true};

gg_value gg_batch_normalization(gg_model *model, gg_value x, const gg_batchnorm_options *given)
{
    const gg_image image = gg_value_image(model, x, "gg_batch_normalization");
    if (image.channels == 0)
        return GG_NO_VALUE;
    const gg_batchnorm_options norm = given != NULL ? *given : (gg_batchnorm_options){0.0f, 0.0f, false};
    if (!(norm.epsilon >= 0.0f && norm.epsilon <= 1.0f) || !(norm.momentum >= 0.0f && norm.momentum <= 1.0f))
        return gg_model_error(model, GG_ERR_ARGUMENT,
                              "gg_batch_normalization: epsilon is %g, momentum is %g, expected 0 to 1",
                              (double)norm.epsilon, (double)norm.momentum);
    const options o = {norm, image.channels, image.height * image.width};
    const gg_shape shape = *gg_value_shape(model, x, "gg_batch_normalization", "x", false);
    const gg_shape channels = {1, {image.channels}};
    gg_node *node = gg_node_begin(model, &batch_normalization_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, true);
    gg_node_constant_parameter(model, node, "gamma", &channels, 1.0f);
    gg_node_constant_parameter(model, node, "beta", &channels, 0.0f);
    gg_node_buffer(node, &channels, GG_BUFFER_CACHE);
    gg_node_buffer(node, &channels, GG_BUFFER_CACHE);
    gg_node_state(model, node, "running_mean", &channels, 0.0f);
    gg_node_state(model, node, "running_variance", &channels, 1.0f);
    return gg_node_output(model, node, &shape);
}
