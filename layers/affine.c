/* affine.c - the affine layer, Y = f(X W + b), and MatMul, Y = X W.
 *
 * Shapes: X [rows, in], W [in, out], b [out], Y [rows, out]; rows are all leading dimensions together.
 *
 * Tied to an embedding of weight E [out, in]: W = E^T, whose product reads E as it lies, and dE = dW^T is added to what
 * the embedding's own backward gives (Press and Wolf, 2017).
 *
 * Derivation of backward. With Z = X W + b, z_rj = sum_i x_ri w_ij + b_j, and L a scalar:
 *   dL/dz_rj = dL/dy_rj f'(z_rj)                                   dZ = dY * f'(Z)
 *   dL/dx_ri = sum_j dL/dz_rj dz_rj/dx_ri = sum_j dL/dz_rj w_ij     dX = dZ W^T
 *   dL/dw_ij = sum_r dL/dz_rj dz_rj/dw_ij = sum_r x_ri dL/dz_rj     dW = X^T dZ
 *   dL/db_j  = sum_r dL/dz_rj                                       db = sum of the rows of dZ
 *
 * Source: Deep Learning from Scratch, chapter 5.6; f is fused as usual, f' is taken from y where it can be. */
#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/matmul.h>

#include "embedding.h"
#include "node.h"
#include "orthogonal.h"

typedef struct options {
    int64_t in, out;
    gg_activation activation;
    float alpha;
    bool bias;
    bool keeps_preactivation; /* f' needs z, not y: buffer[1] holds it */
    gg_weight_layout layout;
} options;

/* Floats from a row of the weight, as it is stored, to the next. */
static int64_t leading(const options *o)
{
    return o->layout == GG_IN_OUT ? o->out : o->in;
}

/* From this many results on, a pass of its own makes y from z. The product writes its result in narrow panels, lines
 * that lie rows apart; with fewer results these stay in cache, with more it is one array too many to visit so. */
enum { LEAST_APART = 1 << 17 };

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const int64_t results = pass->rows * o->out;
    float *z = o->keeps_preactivation && pass->mode == GG_TRAIN ? pass->buffer[1] : NULL;
    const bool apart = z != NULL && !pass->linear && results >= LEAST_APART;
    const gg_matmul_options product = {
        .layout = o->layout,
        .activation = pass->linear || apart ? GG_IDENTITY : o->activation,
        .alpha = o->alpha,
        .preactivation = apart ? NULL : z,
    };
    const gg_status status =
        gg_matmul_forward(apart ? z : pass->y[0], o->out, pass->x[0], o->in, pass->w[0], leading(o),
                          o->bias ? pass->w[1] : NULL, pass->rows, o->in, o->out, &product);
    return status == GG_OK && apart ? gg_activation_forward(pass->y[0], z, results, o->activation, o->alpha) : status;
}

/* The products and sums of gg_moments; a bias adds the row and column of the 1. */
static gg_status give_moments(const gg_pass *pass, const float *dz)
{
    const options *o = pass->options;
    gg_moments *moments = pass->moments;
    const int64_t rows = pass->rows, in = o->in, side = in + (o->bias ? 1 : 0);
    float *a = moments->x;
    gg_status status =
        gg_gemm(a, side, pass->x[0], in, pass->x[0], in, in, in, rows, GG_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (status == GG_OK)
        status = gg_gemm(moments->dz, o->out, dz, o->out, dz, o->out, o->out, o->out, rows, GG_TRANSPOSE,
                         GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (status == GG_OK && o->bias)
        status = gg_sum_rows(a + in * side, pass->x[0], in, rows, in, false);
    if (status != GG_OK)
        return status;
    for (int64_t i = 0; i < in && o->bias; i++)
        a[i * side + in] = a[in * side + i];
    if (o->bias)
        a[in * side + in] = (float)rows;
    moments->rows = rows;
    return GG_OK;
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const float *dz = pass->dy[0];
    if (o->activation != GG_IDENTITY) {
        const float *reference = o->keeps_preactivation ? pass->buffer[1] : pass->y[0];
        const gg_status status = gg_activation_backward(pass->buffer[0], pass->dy[0], reference, pass->rows * o->out,
                                                        o->activation, o->alpha, false);
        if (status != GG_OK)
            return status;
        dz = pass->buffer[0];
    }
    if (pass->moments != NULL && pass->moments->wanted) {
        const gg_status status = give_moments(pass, dz);
        if (status != GG_OK)
            return status;
    }
    gg_matmul_options product = {
        .layout = o->layout, .accumulate_dx = pass->add_dx[0], .accumulate_dw = pass->add_dw[0]};
    const bool bias_apart = o->bias && pass->add_dw[0] != pass->add_dw[1]; /* W shared, b not */
    const gg_status status =
        gg_matmul_backward(pass->dx[0], o->in, pass->dw[0], leading(o), o->bias && !bias_apart ? pass->dw[1] : NULL, dz,
                           o->out, pass->x[0], o->in, pass->w[0], leading(o), pass->rows, o->in, o->out, &product);
    return status == GG_OK && bias_apart ? gg_sum_rows(pass->dw[1], dz, o->out, pass->rows, o->out, pass->add_dw[1])
                                         : status;
}

static const gg_layer_class affine_class = {.kind = "affine",
                                            .forward = forward,
                                            .backward = backward,
                                            .adds_gradients = true,
                                            .linear_in_weight = true,
                                            .gives_moments = true};
static const gg_layer_class matmul_class = {.kind = "matmul",
                                            .forward = forward,
                                            .backward = backward,
                                            .adds_gradients = true,
                                            .linear_in_weight = true,
                                            .gives_moments = true};

/* The weight that is shared, of an embedding [out, in]; -1 with the model in error. */
static int32_t tied_weight(gg_model *model, const gg_layer_class *layer_class, gg_value tied_to, int64_t in,
                           int64_t out)
{
    int64_t vocabulary = 0, features = 0;
    const int32_t weight = gg_embedding_weight(model, tied_to, &vocabulary, &features, layer_class->kind);
    if (weight < 0 || (vocabulary == out && features == in))
        return weight;
    gg_model_error(model, GG_ERR_SHAPE,
                   "gg_%s: tied_to is an embedding of %lld tokens and %lld features, x has %lld features, out is %lld",
                   layer_class->kind, (long long)vocabulary, (long long)features, (long long)in, (long long)out);
    return -1;
}

static void add_weight(gg_model *model, gg_node *node, const options *o, const gg_affine_options *chosen)
{
    const bool orthogonal = chosen->init == GG_INIT_ORTHOGONAL;
    const float deviation =
        orthogonal ? gg_orthogonal_gain(chosen->activation, chosen->alpha)
                   : gg_initial_deviation(chosen->init, chosen->activation, o->in, o->out, chosen->init_scale);
    gg_node_parameter(model, node, "W", &(gg_shape){2, {o->in, o->out}}, deviation);
    if (orthogonal)
        gg_node_orthogonal(model, 1);
}

static bool options_fit(gg_model *model, const gg_layer_class *layer_class, int64_t out, const gg_affine_options *o)
{
    const char *kind = layer_class->kind;
    if (!gg_start_fits(model, kind, o->activation, o->init, o->init_scale))
        return false;
    if (out < 1)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: out is %lld, expected 1 or more", kind, (long long)out);
    else if (layer_class == &matmul_class && o->activation != GG_IDENTITY)
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: activation is %s, for which there is gg_affine", kind,
                       gg_activation_name(o->activation));
    return model->error == GG_OK;
}

static gg_value add_layer(gg_model *model, const gg_layer_class *layer_class, gg_value x, int64_t out,
                          const gg_affine_options *given)
{
    const gg_affine_options chosen = given != NULL ? *given : (gg_affine_options){0};
    const int64_t in = gg_value_features(model, x, layer_class->kind, "x");
    if (in == 0 || !options_fit(model, layer_class, out, &chosen))
        return GG_NO_VALUE;
    const int32_t tied = chosen.tied_to != NULL ? tied_weight(model, layer_class, *chosen.tied_to, in, out) : -1;
    if (model->error != GG_OK)
        return GG_NO_VALUE;
    options o = {in,
                 out,
                 chosen.activation,
                 chosen.alpha,
                 layer_class == &affine_class,
                 gg_activation_needs_input(chosen.activation),
                 tied >= 0 ? GG_OUT_IN : GG_IN_OUT};
    gg_shape shape = *gg_value_shape(model, x, layer_class->kind, "x", false);
    shape.dims[shape.rank - 1] = out;
    gg_node *node = gg_node_begin(model, layer_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, true);
    node->reads_output = o.activation != GG_IDENTITY && !o.keeps_preactivation;
    if (tied >= 0)
        gg_node_share(node, tied);
    else
        add_weight(model, node, &o, &chosen);
    if (o.bias)
        gg_node_parameter(model, node, "b", &(gg_shape){1, {out}}, 0.0f);
    if (o.activation != GG_IDENTITY)
        gg_node_buffer(node, &shape, GG_BUFFER_BACKWARD);
    if (o.keeps_preactivation)
        gg_node_buffer(node, &shape, GG_BUFFER_CACHE);
    return gg_node_output(model, node, &shape);
}

gg_value gg_affine(gg_model *model, gg_value x, int64_t out, const gg_affine_options *given)
{
    return add_layer(model, &affine_class, x, out, given);
}

gg_value gg_matmul(gg_model *model, gg_value x, int64_t out, const gg_affine_options *given)
{
    return add_layer(model, &matmul_class, x, out, given);
}
