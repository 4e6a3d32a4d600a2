/* gated.c - SwiGLU, and the feed-forward block of a transformer.
 *
 * Shapes: X [.., 2 D], the columns A and B side by side; Y [.., D].
 *
 *     y = silu(a) b,   silu(a) = a s(a),   s(a) = 1 / (1 + e^-a)
 *
 * Derivation of backward: dL/db = dL/dy silu(a); dL/da = dL/dy b silu'(a), silu'(a) = s (1 + a (1 - s)).
 *
 * The feed-forward block is two affine layers with an activation between, or a product into both A and B, SwiGLU and a
 * product. Sources: Vaswani et al., 2017; Shazeer, 2020. */
#include <stdio.h>

#include <gemmgrad/gated.h>
#include <gemmgrad/transformer.h>

#include "node.h"
#include "parts.h"

static gg_status forward(const gg_pass *pass)
{
    const int64_t width = pass->columns, half = width / 2;
    return gg_swiglu_forward(pass->y[0], half, pass->x[0], width, pass->x[0] + half, width, pass->rows, half);
}

static gg_status backward(const gg_pass *pass)
{
    const int64_t width = pass->columns, half = width / 2;
    if (pass->dx[0] == NULL)
        return GG_OK;
    return gg_swiglu_backward(pass->dx[0], width, pass->dx[0] + half, width, pass->dy[0], half, pass->x[0], width,
                              pass->x[0] + half, width, pass->rows, half, pass->add_dx[0]);
}

static const gg_layer_class swiglu_class = {
    .kind = "swiglu", .forward = forward, .backward = backward, .adds_gradients = true};

gg_value gg_swiglu(gg_model *model, gg_value x)
{
    const int64_t width = gg_value_features(model, x, "swiglu", "x");
    if (width == 0)
        return GG_NO_VALUE;
    gg_shape shape = *gg_value_shape(model, x, "swiglu", "x", false);
    char text[96];
    if (width % 2 != 0)
        return gg_model_error(model, GG_ERR_SHAPE, "gg_swiglu: x is %s, expected an even last dimension",
                              gg_shape_text(&shape, text));
    shape.dims[shape.rank - 1] = width / 2;
    gg_node *node = gg_node_begin(model, &swiglu_class, NULL, 0);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, true);
    return gg_node_output(model, node, &shape);
}

/* ---- the feed-forward block ---- */

gg_value gg_feed_forward(gg_model *model, gg_value x, int64_t width, const gg_feed_forward_options *given)
{
    const gg_feed_forward_options o = given != NULL ? *given : (gg_feed_forward_options){0};
    const int64_t features = gg_value_features(model, x, "gg_feed_forward", "x");
    if (features == 0)
        return GG_NO_VALUE;
    if (width < 1 || width > INT64_MAX / 2)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_feed_forward: width is %lld, expected 1 or more",
                              (long long)width);
    const gg_affine_options hidden = {.activation = o.activation == GG_IDENTITY ? GG_GELU : o.activation};
    const gg_part_names names = gg_part_names_take(model);
    gg_part_name(model, &names, "hidden");
    gg_value h =
        o.swiglu ? gg_swiglu(model, gg_matmul(model, x, 2 * width, NULL)) : gg_affine(model, x, width, &hidden);
    if (o.dropout != 0.0f)
        h = gg_dropout(model, h, o.dropout);
    gg_part_name(model, &names, "out");
    return o.swiglu ? gg_matmul(model, h, features, NULL) : gg_affine(model, h, features, NULL);
}
