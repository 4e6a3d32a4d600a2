/* registry_conv.c - the convolution layers for the registry: small images, every option somewhere. */
#define SUPPORT_NO_MAIN
#include "registry.h"

enum { CHANNELS = 4, HEIGHT = 6, WIDTH = 5 };

static int image(twin *t)
{
    return twin_input(t, "x", 4, (int64_t[]){GG_BATCH, CHANNELS, HEIGHT, WIDTH}, TWIN_UNIFORM, -2.0, 2.0);
}

static int line(twin *t)
{
    return twin_input(t, "x", 3, (int64_t[]){GG_BATCH, CHANNELS, 11}, TWIN_UNIFORM, -2.0, 2.0);
}

/* The convolution of a layer's options, without what "same" sets. */
static gg_conv_shape shape_of(const gg_conv2d_options *o, int64_t channels, int64_t height, int64_t width,
                              int64_t filters)
{
    return (gg_conv_shape){.channels = channels,
                           .height = height,
                           .width = width,
                           .filters = filters,
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
}

static twin_value layer_of(const gg_conv2d_options *o, int x, gg_conv_shape conv, bool transposed, int64_t filters,
                           int64_t height, int64_t width)
{
    return (twin_value){.layer = &reference_conv_layer,
                        .inputs = {x},
                        .input_count = 1,
                        .activation = o->activation,
                        .alpha = (double)o->alpha,
                        .b = o->no_bias ? -1 : 0,
                        .conv = conv,
                        .conv_transposed = transposed,
                        .image = {filters, height, width}};
}

/* Height and width of the output are given, not computed: a second opinion. */
static int add_conv(twin *t, int x, int64_t filters, const gg_conv2d_options *o, int64_t height, int64_t width)
{
    const int64_t *in = t->values[x].dims;
    const gg_conv_shape conv = shape_of(o, in[1], in[2], in[3], filters);
    return twin_layer(t, gg_conv2d(t->model, t->values[x].value, filters, o),
                      layer_of(o, x, conv, false, filters, height, width));
}

static int add_transposed(twin *t, int x, int64_t filters, const gg_conv2d_options *o, int64_t height, int64_t width)
{
    const gg_conv_shape conv = shape_of(o, filters, height, width, t->values[x].dims[1]);
    return twin_layer(t, gg_conv_transpose2d(t->model, t->values[x].value, filters, o),
                      layer_of(o, x, conv, true, filters, height, width));
}

int registry_conv2d(twin *t, const registry_sizes *s)
{
    (void)s;
    return add_conv(t, image(t), 3, &(gg_conv2d_options){.kernel_height = 3, .kernel_width = 3}, 4, 3);
}

/* Every number another one. */
int registry_conv2d_pads(twin *t, const registry_sizes *s)
{
    (void)s;
    const gg_conv2d_options o = {.kernel_height = 3,
                                 .kernel_width = 2,
                                 .stride_y = 2,
                                 .stride_x = 3,
                                 .pad_top = 2,
                                 .pad_bottom = 1,
                                 .pad_left = 0,
                                 .pad_right = 3,
                                 .dilation_y = 1,
                                 .dilation_x = 2,
                                 .activation = GG_TANH};
    return add_conv(t, image(t), 5, &o, 4, 2);
}

/* f' from z, which a buffer keeps. */
int registry_conv2d_groups(twin *t, const registry_sizes *s)
{
    (void)s;
    const gg_conv2d_options o = {.kernel_height = 2,
                                 .kernel_width = 3,
                                 .pad_left = 1,
                                 .pad_right = 1,
                                 .groups = 2,
                                 .no_bias = true,
                                 .activation = GG_SILU,
                                 .accuracy = GG_CONV_EXACT};
    return add_conv(t, image(t), 6, &o, 5, 5);
}

/* One zero above the image of 6, two left and right of those of 5: "same" asks for them. */
int registry_conv2d_same(twin *t, const registry_sizes *s)
{
    (void)s;
    const gg_conv2d_options o = {.kernel_height = 3,
                                 .kernel_width = 4,
                                 .stride_y = 2,
                                 .same = true,
                                 .activation = GG_RELU,
                                 .algorithm = GG_CONV_IM2COL};
    const int x = image(t);
    gg_conv_shape conv = shape_of(&o, CHANNELS, HEIGHT, WIDTH, 3);
    conv.pad_top = 0; /* 3 outputs reach over 2 * 2 + 3 = 7 rows, the odd zero below */
    conv.pad_bottom = 1;
    conv.pad_left = 1; /* 5 outputs reach over 4 + 4 = 8 columns */
    conv.pad_right = 2;
    return twin_layer(t, gg_conv2d(t->model, t->values[x].value, 3, &o), layer_of(&o, x, conv, false, 3, 3, 5));
}

int registry_conv1d(twin *t, const registry_sizes *s)
{
    (void)s;
    const gg_conv1d_options o = {.kernel = 3,
                                 .stride = 2,
                                 .pad_left = 1,
                                 .pad_right = 2,
                                 .dilation = 2,
                                 .groups = 2,
                                 .activation = GG_LEAKY_RELU,
                                 .alpha = 0.125f};
    const gg_conv2d_options row = {.kernel_height = 1,
                                   .kernel_width = 3,
                                   .stride_x = 2,
                                   .pad_left = 1,
                                   .pad_right = 2,
                                   .dilation_x = 2,
                                   .groups = 2,
                                   .activation = GG_LEAKY_RELU,
                                   .alpha = 0.125f};
    const int x = line(t);
    const gg_conv_shape conv = shape_of(&row, CHANNELS, 1, 11, 6);
    return twin_layer(t, gg_conv1d(t->model, t->values[x].value, 6, &o), layer_of(&row, x, conv, false, 6, 5, 0));
}

/* (6 - 1) 2 - 1 + 1 (3 - 1) + 1 + 1 rows, (5 - 1) 3 - 2 + 2 (2 - 1) + 1 + 0 columns. */
int registry_conv_transpose2d(twin *t, const registry_sizes *s)
{
    (void)s;
    const gg_conv2d_options o = {.kernel_height = 3,
                                 .kernel_width = 2,
                                 .stride_y = 2,
                                 .stride_x = 3,
                                 .pad_top = 1,
                                 .pad_left = 2,
                                 .dilation_x = 2,
                                 .extra_y = 1,
                                 .groups = 2,
                                 .activation = GG_GELU};
    return add_transposed(t, image(t), 6, &o, 13, 13);
}

/* Twice as high, three times as wide; the convolution back from 12 x 15 needs 13 rows and 15 columns. */
int registry_conv_transpose2d_same(twin *t, const registry_sizes *s)
{
    (void)s;
    const gg_conv2d_options o = {.kernel_height = 3,
                                 .kernel_width = 3,
                                 .stride_y = 2,
                                 .stride_x = 3,
                                 .same = true,
                                 .no_bias = true,
                                 .activation = GG_SIGMOID};
    const int x = image(t);
    gg_conv_shape conv = shape_of(&o, 3, 12, 15, CHANNELS);
    conv.pad_bottom = 1;
    return twin_layer(t, gg_conv_transpose2d(t->model, t->values[x].value, 3, &o),
                      layer_of(&o, x, conv, true, 3, 12, 15));
}

int registry_conv_transpose1d(twin *t, const registry_sizes *s)
{
    (void)s;
    const gg_conv1d_options o = {.kernel = 4, .stride = 2, .pad_left = 1, .pad_right = 1};
    const gg_conv2d_options row = {.kernel_height = 1, .kernel_width = 4, .stride_x = 2, .pad_left = 1, .pad_right = 1};
    const int x = line(t);
    const gg_conv_shape conv = shape_of(&row, 3, 1, 22, CHANNELS);
    return twin_layer(t, gg_conv_transpose1d(t->model, t->values[x].value, 3, &o),
                      layer_of(&row, x, conv, true, 3, 22, 0));
}

/* h is read by a convolution, a transposed one, which only overwrites its gradient, and the sum. */
int registry_conv_network(twin *t, const registry_sizes *s)
{
    (void)s;
    const gg_conv2d_options plain = {.kernel_height = 3,
                                     .kernel_width = 3,
                                     .pad_top = 1,
                                     .pad_bottom = 1,
                                     .pad_left = 1,
                                     .pad_right = 1,
                                     .activation = GG_TANH};
    const gg_conv2d_options one = {.kernel_height = 1, .kernel_width = 1};
    const int h = add_conv(t, image(t), 3, &plain, HEIGHT, WIDTH);
    const int left = add_conv(t, h, 3, &plain, HEIGHT, WIDTH);
    const int right = add_transposed(t, h, 3, &plain, HEIGHT, WIDTH);
    const int sum = twin_pair(t, &reference_add, twin_pair(t, &reference_add, left, right), h);
    return add_conv(t, sum, 2, &one, HEIGHT, WIDTH);
}
