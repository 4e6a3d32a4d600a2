/* convolution.c - convolution over images and lines, Y = f(X * W + b), and its transpose.
 *
 * Shapes: X [batch, C, H, W], W [F, C / groups, P, Q], b [F], Y [batch, F, H', W'] with
 *   H' = (H + top + bottom - dilation (P - 1) - 1) / stride + 1, rounded down; W' likewise.
 * A line [batch, C, L] is an image of height 1 with a kernel of height 1.
 *
 * The picture in one dimension: three taps w_0, w_1, w_2 slide over a line.
 *
 *     x_0  x_1  x_2  x_3  x_4          z_j = w_0 x_j + w_1 x_j+1 + w_2 x_j+2
 *    [w_0  w_1  w_2] -> z_0
 *         [w_0  w_1  w_2] -> z_1
 *              [w_0  w_1  w_2] -> z_2
 *
 * Read by columns: x_i is seen by z_i through w_0, by z_i-1 through w_1, by z_i-2 through w_2, so that
 *   dL/dx_i = sum_p w_p dz_i-p             a convolution again: dZ with the taps turned round
 *   dL/dw_p = sum_j x_j+p dz_j             a convolution again: X with dZ for taps
 *   dL/db   = sum_j dz_j
 *
 * The same in two dimensions, with c over the channels of the group, (p, q) over the taps, strides s and t, dilations d
 * and e, u = i s + p d - top, v = j t + q e - left:
 *   z_noij = b_o + sum_cpq w_ocpq x_ncuv                             Z  = X * W + b
 *   dL/dz  = dL/dy f'(z)                                             dZ = dY f'(Z)
 *   dL/dx_ncuv = sum over o and all (i, p), (j, q) that meet in (u, v) of w_ocpq dz_noij
 *   dL/dw_ocpq = sum_nij x_ncuv dz_noij
 *   dL/db_o    = sum_nij dz_noij
 *
 * The transposed convolution is the linear map in the middle the other way round: its forward is dX of a convolution
 * from Y's shape to X's, its dX that convolution's forward, its dW the convolution's with X for dZ and dZ for X.
 *
 * All sums are gemmgrad/conv.h's, as is the workspace, whose size is asked for at every plan.
 *
 * Sources: LeCun et al. 1989 (convolution and its backpropagation); Zeiler et al. 2010 (transposed); Dumoulin and Visin
 * 2016 (their arithmetic of shapes); Deep Learning from Scratch, chapter 7. */
#include <gemmgrad/conv.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/layer.h>

#include "node.h"
#include "orthogonal.h"

/* Buffers: the first two always, the others where there is a use for them. */
enum { FORWARD_SPACE, BACKWARD_SPACE, GRADIENT, PREACTIVATION };

typedef struct options {
    gg_conv_shape shape; /* batch: the first dimension of x, which may be an axis */
    gg_conv_algorithm algorithm;
    gg_conv_accuracy accuracy;
    gg_activation activation;
    float alpha;
    bool bias;
    bool keeps_preactivation; /* f' needs z, not y */
} options;
_Static_assert(sizeof(options) <= GG_NODE_OPTION_BYTES, "a node has room for the options of a convolution");

/* ---- one pass ---- */

/* A forced algorithm holds for the passes that it can do. */
static gg_conv_options choice(const options *o, gg_conv_pass pass, const gg_conv_shape *shape)
{
    const bool forced = o->algorithm != GG_CONV_AUTO && gg_conv_can(o->algorithm, pass, shape);
    return (gg_conv_options){.algorithm = forced ? o->algorithm : GG_CONV_AUTO, .accuracy = o->accuracy};
}

static gg_conv_shape shape_of(const gg_pass *pass, int64_t sample)
{
    gg_conv_shape shape = ((const options *)pass->options)->shape;
    shape.batch = pass->size / sample;
    return shape;
}

static int64_t space(const gg_pass *pass, int buffer)
{
    return pass->node->buffers[buffer].floats;
}

/* Options of the pass that is the layer's forward. */
static gg_conv_options forward_choice(const gg_pass *pass, gg_conv_pass which, const gg_conv_shape *shape)
{
    const options *o = pass->options;
    gg_conv_options chosen = choice(o, which, shape);
    chosen.activation = pass->linear ? GG_IDENTITY : o->activation;
    chosen.alpha = o->alpha;
    if (o->keeps_preactivation && pass->mode == GG_TRAIN)
        chosen.preactivation = pass->buffer[PREACTIVATION];
    return chosen;
}

/* dZ of `floats` elements: dY itself, or in a buffer. */
static gg_status undo_activation(const float **dz, const gg_pass *pass, int64_t floats)
{
    const options *o = pass->options;
    *dz = pass->dy[0];
    if (o->activation == GG_IDENTITY || pass->undone)
        return GG_OK;
    *dz = pass->buffer[GRADIENT];
    return gg_activation_backward(pass->buffer[GRADIENT], pass->dy[0],
                                  o->keeps_preactivation ? pass->buffer[PREACTIVATION] : pass->y[0], floats,
                                  o->activation, o->alpha, false);
}

/* ---- convolution ---- */

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const gg_conv_shape shape = shape_of(pass, o->shape.channels * o->shape.height * o->shape.width);
    const gg_folded *folded = pass->folded;
    gg_conv_options chosen = forward_choice(pass, GG_CONV_FORWARD, &shape);
    if (folded != NULL)
        chosen.activation = folded->activation;
    return gg_conv_forward(folded != NULL ? folded->y : pass->y[0], pass->x[0], folded != NULL ? folded->w : pass->w[0],
                           folded != NULL ? folded->b
                           : o->bias      ? pass->w[1]
                                          : NULL,
                           &shape, &chosen, pass->buffer[FORWARD_SPACE], space(pass, FORWARD_SPACE));
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const gg_conv_shape shape = shape_of(pass, o->shape.channels * o->shape.height * o->shape.width);
    int64_t height = 0, width = 0;
    const float *dz = NULL;
    gg_status status = gg_conv_output(&height, &width, &shape);
    if (status == GG_OK)
        status = undo_activation(&dz, pass, shape.batch * shape.filters * height * width);
    if (status == GG_OK && pass->dx[0] != NULL) {
        gg_conv_options data = choice(o, GG_CONV_BACKWARD_DATA, &shape);
        data.accumulate_dx = pass->add_dx[0];
        status = gg_conv_backward_data(pass->dx[0], dz, pass->w[0], &shape, &data, pass->buffer[BACKWARD_SPACE],
                                       space(pass, BACKWARD_SPACE));
    }
    if (status != GG_OK)
        return status;
    gg_conv_options weights = choice(o, GG_CONV_BACKWARD_WEIGHTS, &shape);
    weights.accumulate_dw = pass->add_dw[0];
    return gg_conv_backward_weights(pass->dw[0], o->bias ? pass->dw[1] : NULL, dz, pass->x[0], &shape, &weights,
                                    pass->buffer[BACKWARD_SPACE], space(pass, BACKWARD_SPACE));
}

/* ---- the transposed one: o->shape is the convolution from y to x ---- */

static int64_t transposed_sample(const options *o)
{
    gg_conv_shape one_image = o->shape;
    int64_t height = 1, width = 1;
    one_image.batch = 1;
    gg_conv_output(&height, &width, &one_image); /* fits: checked when the layer was built */
    return o->shape.filters * height * width;
}

static gg_status transposed_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const gg_conv_shape shape = shape_of(pass, transposed_sample(o));
    const gg_conv_options chosen = forward_choice(pass, GG_CONV_BACKWARD_DATA, &shape);
    return gg_conv_transpose_forward(pass->y[0], pass->x[0], pass->w[0], o->bias ? pass->w[1] : NULL, &shape, &chosen,
                                     pass->buffer[FORWARD_SPACE], space(pass, FORWARD_SPACE));
}

/* db: each channel of dZ summed, as for a convolution by one tap. */
static gg_status transposed_bias(const gg_pass *pass, const float *dz, const gg_conv_shape *shape)
{
    const gg_conv_shape one_tap = {.batch = shape->batch,
                                   .channels = 1,
                                   .height = shape->height,
                                   .width = shape->width,
                                   .filters = shape->channels,
                                   .kernel_height = 1,
                                   .kernel_width = 1};
    return gg_conv_backward_weights(NULL, pass->dw[1], dz, NULL, &one_tap,
                                    &(gg_conv_options){.accumulate_dw = pass->add_dw[1]}, NULL, 0);
}

static gg_status transposed_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const gg_conv_shape shape = shape_of(pass, transposed_sample(o));
    const float *dz = NULL;
    gg_status status = undo_activation(&dz, pass, shape.batch * shape.channels * shape.height * shape.width);
    if (status == GG_OK && pass->dx[0] != NULL) {
        const gg_conv_options data = choice(o, GG_CONV_FORWARD, &shape);
        status = gg_conv_forward(pass->dx[0], dz, pass->w[0], NULL, &shape, &data, pass->buffer[BACKWARD_SPACE],
                                 space(pass, BACKWARD_SPACE));
    }
    if (status == GG_OK && o->bias)
        status = transposed_bias(pass, dz, &shape);
    if (status != GG_OK)
        return status;
    gg_conv_options weights = choice(o, GG_CONV_BACKWARD_WEIGHTS, &shape);
    weights.accumulate_dw = pass->add_dw[0];
    return gg_conv_backward_weights(pass->dw[0], NULL, pass->x[0], dz, &shape, &weights, pass->buffer[BACKWARD_SPACE],
                                    space(pass, BACKWARD_SPACE));
}

/* ---- workspace ---- */

/* The most floats that one of `count` passes needs at those extents. */
static gg_status largest_space(int64_t *floats, const gg_node *node, const gg_conv_pass *passes, int count,
                               const int64_t extents[GG_AXIS_COUNT])
{
    const options *o = (const void *)node->options;
    gg_conv_shape shape = o->shape;
    gg_status status = GG_OK;
    if (shape.batch < 0)
        shape.batch = extents[-1 - shape.batch];
    *floats = 0;
    for (int i = 0; i < count && status == GG_OK; i++) {
        int64_t needed = 0;
        const gg_conv_options chosen = choice(o, passes[i], &shape);
        status = gg_conv_workspace(&needed, passes[i], &shape, &chosen);
        *floats = needed > *floats ? needed : *floats;
    }
    return status;
}

static gg_status workspace(int64_t *floats, const gg_node *node, int b, const int64_t extents[GG_AXIS_COUNT])
{
    static const gg_conv_pass passes[] = {GG_CONV_FORWARD, GG_CONV_BACKWARD_DATA, GG_CONV_BACKWARD_WEIGHTS};
    return b == FORWARD_SPACE ? largest_space(floats, node, passes, 1, extents)
                              : largest_space(floats, node, passes + 1, 2, extents);
}

static gg_status transposed_workspace(int64_t *floats, const gg_node *node, int b, const int64_t extents[GG_AXIS_COUNT])
{
    static const gg_conv_pass passes[] = {GG_CONV_BACKWARD_DATA, GG_CONV_FORWARD, GG_CONV_BACKWARD_WEIGHTS};
    return b == FORWARD_SPACE ? largest_space(floats, node, passes, 1, extents)
                              : largest_space(floats, node, passes + 1, 2, extents);
}

static const gg_layer_class conv2d = {.kind = "conv2d",
                                      .forward = forward,
                                      .backward = backward,
                                      .adds_gradients = true,
                                      .linear_in_weight = true,
                                      .workspace = workspace};
static const gg_layer_class conv1d = {.kind = "conv1d",
                                      .forward = forward,
                                      .backward = backward,
                                      .adds_gradients = true,
                                      .linear_in_weight = true,
                                      .workspace = workspace};
static const gg_layer_class conv_transpose2d = {.kind = "conv_transpose2d",
                                                .forward = transposed_forward,
                                                .backward = transposed_backward,
                                                .linear_in_weight = true,
                                                .workspace = transposed_workspace};
static const gg_layer_class conv_transpose1d = {.kind = "conv_transpose1d",
                                                .forward = transposed_forward,
                                                .backward = transposed_backward,
                                                .linear_in_weight = true,
                                                .workspace = transposed_workspace};

/* ---- building ---- */

static bool is_transposed(const gg_layer_class *layer_class)
{
    return layer_class->forward == transposed_forward;
}

/* x as [batch, channels, (height,) width] with numbers for all but the batch; NULL with the model in error. */
static const gg_shape *image_shape(gg_model *model, const gg_layer_class *layer_class, gg_value x, int rank)
{
    const gg_shape *shape = gg_value_shape(model, x, layer_class->kind, "x", false);
    if (shape == NULL)
        return NULL;
    bool fits = shape->rank == rank;
    for (int i = 1; i < shape->rank && fits; i++)
        fits = shape->dims[i] > 0;
    if (fits)
        return shape;
    char text[96];
    gg_model_error(model, GG_ERR_SHAPE, "gg_%s: x is %s, expected [batch, channels, %s]: numbers, but for the batch",
                   layer_class->kind, gg_shape_text(shape, text), rank == 4 ? "height, width" : "length");
    return NULL;
}

/* Before and after the padding is known: what the transposed convolution makes of `in` numbers. */
static int64_t transposed_extent(int64_t in, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation,
                                 int64_t extra)
{
    return (in - 1) * (stride > 0 ? stride : 1) - pads + (dilation > 0 ? dilation : 1) * (kernel - 1) + 1 + extra;
}

/* The convolution that the layer is, or is the transpose of. Sizes that no int holds are left to gg_conv_output. */
static gg_conv_shape describe(const gg_layer_class *layer_class, const gg_shape *x, int64_t filters,
                              const gg_conv2d_options *o)
{
    const bool transposed = is_transposed(layer_class);
    const int64_t channels = x->dims[1], height = x->rank == 4 ? x->dims[2] : 1, width = x->dims[x->rank - 1];
    gg_conv_shape s = {.batch = 1,
                       .channels = transposed ? filters : channels,
                       .filters = transposed ? channels : filters,
                       .height = height,
                       .width = width,
                       .kernel_height = o->kernel_height,
                       .kernel_width = o->kernel_width,
                       .stride_y = o->stride_y,
                       .stride_x = o->stride_x,
                       .pad_top = o->pad_top,
                       .pad_bottom = o->pad_bottom,
                       .pad_left = o->pad_left,
                       .pad_right = o->pad_right,
                       .dilation_y = o->dilation_y,
                       .dilation_x = o->dilation_x,
                       .groups = o->groups};
    if (transposed && o->same) {
        s.height *= s.stride_y > 0 ? s.stride_y : 1;
        s.width *= s.stride_x > 0 ? s.stride_x : 1;
    } else if (transposed) {
        s.height =
            transposed_extent(height, s.pad_top + s.pad_bottom, s.kernel_height, s.stride_y, s.dilation_y, o->extra_y);
        s.width =
            transposed_extent(width, s.pad_left + s.pad_right, s.kernel_width, s.stride_x, s.dilation_x, o->extra_x);
    }
    return s;
}

/* Numbers of which products of two stay far from overflow; gg_conv_output has closer bounds and words for them. */
static bool sizes_fit(gg_model *model, const char *kind, int64_t filters, const gg_conv2d_options *o)
{
    const struct {
        const char *name;
        int64_t value, least;
    } sizes[] = {{"filters", filters, 1},
                 {"kernel_height", o->kernel_height, 1},
                 {"kernel_width", o->kernel_width, 1},
                 {"stride_y", o->stride_y, 0},
                 {"stride_x", o->stride_x, 0},
                 {"dilation_y", o->dilation_y, 0},
                 {"dilation_x", o->dilation_x, 0},
                 {"groups", o->groups, 0},
                 {"pad_top", o->pad_top, 0},
                 {"pad_bottom", o->pad_bottom, 0},
                 {"pad_left", o->pad_left, 0},
                 {"pad_right", o->pad_right, 0},
                 {"extra_y", o->extra_y, 0},
                 {"extra_x", o->extra_x, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value < sizes[i].least || sizes[i].value > INT32_MAX) {
            gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: %s is %lld, expected %lld to %d", kind, sizes[i].name,
                           (long long)sizes[i].value, (long long)sizes[i].least, INT32_MAX);
            return false;
        }
    return true;
}

static bool options_fit(gg_model *model, const gg_layer_class *layer_class, int64_t filters, const gg_conv2d_options *o)
{
    const char *kind = layer_class->kind;
    if (model == NULL || model->error != GG_OK)
        return false;
    if (o == NULL) {
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: options is NULL, and a kernel has no size by itself", kind);
        return false;
    }
    if (!gg_start_fits(model, kind, o->activation, o->init, o->init_scale) || !sizes_fit(model, kind, filters, o))
        return false;
    if (o->same && (o->pad_top != 0 || o->pad_bottom != 0 || o->pad_left != 0 || o->pad_right != 0))
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: pads of %lld, %lld, %lld, %lld beside same, which sets them",
                       kind, (long long)o->pad_top, (long long)o->pad_bottom, (long long)o->pad_left,
                       (long long)o->pad_right);
    else if ((o->extra_y != 0 || o->extra_x != 0) && (!is_transposed(layer_class) || o->same))
        gg_model_error(model, GG_ERR_ARGUMENT, "gg_%s: extra_y is %lld, extra_x %lld: %s", kind, (long long)o->extra_y,
                       (long long)o->extra_x, o->same ? "same sets them" : "only a transposed convolution has them");
    return model->error == GG_OK;
}

/* What the backend has against the shape; the layer's name and x come before it. */
static bool shape_fits(gg_model *model, const gg_layer_class *layer_class, const gg_shape *x, gg_conv_shape *s,
                       int64_t out[2], const gg_conv2d_options *o)
{
    gg_conv_algorithm unused;
    const gg_conv_pass pass = is_transposed(layer_class) ? GG_CONV_BACKWARD_DATA : GG_CONV_FORWARD;
    gg_status status = o->same ? gg_conv_pad_same(s) : GG_OK;
    if (status == GG_OK)
        status = gg_conv_output(&out[0], &out[1], s);
    if (status == GG_OK)
        status =
            gg_conv_choose(&unused, pass, s, &(gg_conv_options){.algorithm = o->algorithm, .accuracy = o->accuracy});
    char text[96];
    if (status != GG_OK) {
        gg_model_error(model, status, "gg_%s of x %s: %s", layer_class->kind, gg_shape_text(x, text),
                       gg_error_message());
        return false;
    }
    const int64_t height = x->rank == 4 ? x->dims[2] : 1, width = x->dims[x->rank - 1];
    if (is_transposed(layer_class) && (out[0] != height || out[1] != width)) {
        gg_model_error(model, GG_ERR_SHAPE,
                       "gg_%s of x %s: a convolution of %lld x %lld gives %lld x %lld, not x: extra_y, extra_x (%lld, "
                       "%lld) must be less than the strides",
                       layer_class->kind, gg_shape_text(x, text), (long long)s->height, (long long)s->width,
                       (long long)out[0], (long long)out[1], (long long)o->extra_y, (long long)o->extra_x);
        return false;
    }
    if (is_transposed(layer_class)) {
        out[0] = s->height;
        out[1] = s->width;
    }
    return true;
}

static int64_t or_one(int64_t n)
{
    return n > 0 ? n : 1;
}

/* Products in one sum of forward. Of a transposed convolution with strides each output meets only every stride-th tap.
 */
static int64_t fan_in(const gg_layer_class *layer_class, const gg_conv_shape *s)
{
    const int64_t taps = s->kernel_height * s->kernel_width, groups = or_one(s->groups);
    if (!is_transposed(layer_class))
        return s->channels / groups * taps;
    const int64_t strides = or_one(s->stride_y) * or_one(s->stride_x);
    return or_one(s->filters / groups * taps / strides);
}

static int64_t fan_out(const gg_layer_class *layer_class, const gg_conv_shape *s)
{
    return (is_transposed(layer_class) ? s->channels : s->filters) / or_one(s->groups) * s->kernel_height
           * s->kernel_width;
}

static void add_parameters(gg_model *model, gg_node *node, const gg_conv_shape *s, int rank,
                           const gg_conv2d_options *given)
{
    const bool transposed = is_transposed(node->layer_class);
    const int64_t channels = s->channels / or_one(s->groups);
    const bool orthogonal = given->init == GG_INIT_ORTHOGONAL;
    const float deviation = orthogonal
                                ? gg_orthogonal_gain(given->activation, given->alpha)
                                : gg_initial_deviation(given->init, given->activation, fan_in(node->layer_class, s),
                                                       fan_out(node->layer_class, s), given->init_scale);
    gg_shape w = {4, {s->filters, channels, s->kernel_height, s->kernel_width}};
    if (rank == 3)
        w = (gg_shape){3, {s->filters, channels, s->kernel_width}};
    gg_node_parameter(model, node, "W", &w, deviation);
    if (orthogonal)
        gg_node_orthogonal(model, 1);
    if (!given->no_bias)
        gg_node_parameter(model, node, "b", &(gg_shape){1, {transposed ? s->channels : s->filters}}, 0.0f);
}

static gg_value add_layer(gg_model *model, const gg_layer_class *layer_class, int rank, gg_value x, int64_t filters,
                          const gg_conv2d_options *given)
{
    int64_t out[2] = {0, 0};
    const gg_shape *in = image_shape(model, layer_class, x, rank);
    if (in == NULL || !options_fit(model, layer_class, filters, given))
        return GG_NO_VALUE;
    gg_shape shape = *in;
    gg_conv_shape s = describe(layer_class, in, filters, given);
    if (!shape_fits(model, layer_class, in, &s, out, given))
        return GG_NO_VALUE;
    s.batch = shape.dims[0];
    const options o = {.shape = s,
                       .algorithm = given->algorithm,
                       .accuracy = given->accuracy,
                       .activation = given->activation,
                       .alpha = given->alpha,
                       .bias = !given->no_bias,
                       .keeps_preactivation = gg_activation_needs_input(given->activation)};
    gg_node *node = gg_node_begin(model, layer_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    shape.dims[1] = filters;
    shape.dims[2] = rank == 4 ? out[0] : out[1];
    shape.dims[3] = rank == 4 ? out[1] : 0;
    gg_node_input(model, node, x, true);
    node->reads_output = o.activation != GG_IDENTITY && !o.keeps_preactivation;
    node->takes_fold = o.activation == GG_IDENTITY && !is_transposed(layer_class);
    add_parameters(model, node, &s, rank, given);
    gg_node_workspace(node, GG_BUFFER_FORWARD);
    gg_node_workspace(node, GG_BUFFER_BACKWARD);
    if (o.activation != GG_IDENTITY)
        gg_node_buffer(node, &shape, GG_BUFFER_BACKWARD);
    if (o.keeps_preactivation)
        gg_node_buffer(node, &shape, GG_BUFFER_CACHE);
    gg_node_activation(node, o.activation, o.alpha, GRADIENT);
    return gg_node_output(model, node, &shape);
}

gg_value gg_conv2d(gg_model *model, gg_value x, int64_t filters, const gg_conv2d_options *given)
{
    return add_layer(model, &conv2d, 4, x, filters, given);
}

gg_value gg_conv_transpose2d(gg_model *model, gg_value x, int64_t filters, const gg_conv2d_options *given)
{
    return add_layer(model, &conv_transpose2d, 4, x, filters, given);
}

/* A line as an image of one row. */
static gg_value add_line(gg_model *model, const gg_layer_class *layer_class, gg_value x, int64_t filters,
                         const gg_conv1d_options *given)
{
    if (given == NULL)
        return add_layer(model, layer_class, 3, x, filters, NULL);
    const gg_conv2d_options image = {.kernel_height = 1,
                                     .kernel_width = given->kernel,
                                     .stride_x = given->stride,
                                     .pad_left = given->pad_left,
                                     .pad_right = given->pad_right,
                                     .same = given->same,
                                     .dilation_x = given->dilation,
                                     .groups = given->groups,
                                     .extra_x = given->extra,
                                     .no_bias = given->no_bias,
                                     .activation = given->activation,
                                     .alpha = given->alpha,
                                     .init = given->init,
                                     .init_scale = given->init_scale,
                                     .algorithm = given->algorithm,
                                     .accuracy = given->accuracy};
    return add_layer(model, layer_class, 3, x, filters, &image);
}

gg_value gg_conv1d(gg_model *model, gg_value x, int64_t filters, const gg_conv1d_options *given)
{
    return add_line(model, &conv1d, x, filters, given);
}

gg_value gg_conv_transpose1d(gg_model *model, gg_value x, int64_t filters, const gg_conv1d_options *given)
{
    return add_line(model, &conv_transpose1d, x, filters, given);
}
