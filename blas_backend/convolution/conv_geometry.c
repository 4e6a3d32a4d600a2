/* conv_geometry.c - shapes of convolutions: defaults, checks, what follows from them. */
#include "conv_geometry.h"

#include <limits.h>
#include <stddef.h>

#include "fail.h"

typedef struct named_size {
    const char *name;
    int64_t value, least;
} named_size;

static gg_status check_size(const char *function, const named_size *s)
{
    if (s->value < s->least)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is %lld, expected %lld or more", function, s->name, (long long)s->value,
                       (long long)s->least);
    if (s->value > INT_MAX)
        return gg_fail(GG_ERR_OVERFLOW, "%s: %s is %lld and does not fit the BLAS's 32-bit sizes", function, s->name,
                       (long long)s->value);
    return GG_OK;
}

static gg_status check_sizes(const char *function, const gg_conv_geometry *g)
{
    const named_size sizes[] = {
        {"batch", g->batch, 0},
        {"channels", g->channels, 1},
        {"height", g->height, 1},
        {"width", g->width, 1},
        {"filters", g->filters, 1},
        {"kernel_height", g->kernel_height, 1},
        {"kernel_width", g->kernel_width, 1},
        {"stride_y", g->stride_y, 1},
        {"stride_x", g->stride_x, 1},
        {"pad_top", g->pad_top, 0},
        {"pad_bottom", g->pad_bottom, 0},
        {"pad_left", g->pad_left, 0},
        {"pad_right", g->pad_right, 0},
        {"dilation_y", g->dilation_y, 1},
        {"dilation_x", g->dilation_x, 1},
        {"groups", g->groups, 1},
    };
    gg_status status = GG_OK;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && status == GG_OK; i++)
        status = check_size(function, &sizes[i]);
    return status;
}

/* Outputs along one direction; 0 or less: the kernel reaches over the padded image. Sizes that fit an int cannot
 * overflow. */
static int64_t outputs(int64_t length, int64_t before, int64_t after, int64_t kernel, int64_t stride, int64_t dilation)
{
    const int64_t reach = dilation * (kernel - 1) + 1;
    const int64_t room = length + before + after - reach;
    return room < 0 ? 0 : room / stride + 1;
}

/* Arrays are kept this many times below what a size can count: those that the methods make of them, for each of many
 * threads, are larger, but not as much. */
enum { ROOM_FOR_METHODS = 1 << 16 };

/* GG_ERR_OVERFLOW when no memory holds an array of these sizes and what methods make of it. */
static gg_status check_array(const char *function, const char *name, const int64_t sizes[4])
{
    int64_t product = 1;
    for (int i = 0; i < 4; i++)
        if (__builtin_mul_overflow(product, sizes[i], &product) || product > GG_MOST_FLOATS / ROOM_FOR_METHODS)
            return gg_fail(GG_ERR_OVERFLOW, "%s: %s of %lld x %lld x %lld x %lld is more floats than any memory holds",
                           function, name, (long long)sizes[0], (long long)sizes[1], (long long)sizes[2],
                           (long long)sizes[3]);
    return GG_OK;
}

static gg_status check_arrays(const char *function, const gg_conv_geometry *g)
{
    const int64_t reach_y = g->dilation_y * (g->kernel_height - 1), reach_x = g->dilation_x * (g->kernel_width - 1);
    const struct {
        const char *name;
        int64_t sizes[4];
    } arrays[] = {
        {"x", {g->batch, g->channels, g->height, g->width}},
        {"y", {g->batch, g->filters, g->out_height, g->out_width}},
        {"w", {g->filters, g->group_channels, g->kernel_height, g->kernel_width}},
        {"a matrix of columns", {g->depth, g->groups, g->out_height, g->out_width}},
        {"x with its padding",
         {g->batch > 0 ? g->batch : 1, g->channels, g->height + g->pad_top + g->pad_bottom + reach_y,
          g->width + g->pad_left + g->pad_right + reach_x}},
        {"y with what the kernel reaches",
         {g->batch > 0 ? g->batch : 1, g->filters, g->out_height + reach_y, g->out_width + reach_x}},
    };
    gg_status status = GG_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && status == GG_OK; i++)
        status = check_array(function, arrays[i].name, arrays[i].sizes);
    return status;
}

/* What one product would take as a single size must fit the BLAS's. */
static gg_status check_product_sizes(const char *function, const gg_conv_geometry *g)
{
    const named_size sizes[] = {
        {"height * width", g->plane, 1},
        {"out_height * out_width", g->pixels, 1},
        {"channels / groups * kernel_height * kernel_width", g->depth, 1},
    };
    gg_status status = GG_OK;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && status == GG_OK; i++)
        status = check_size(function, &sizes[i]);
    return status;
}

static gg_status derive(gg_conv_geometry *g, const char *function)
{
    if (g->channels % g->groups != 0 || g->filters % g->groups != 0)
        return gg_fail(GG_ERR_SHAPE, "%s: groups = %lld does not divide channels = %lld and filters = %lld", function,
                       (long long)g->groups, (long long)g->channels, (long long)g->filters);
    g->out_height = outputs(g->height, g->pad_top, g->pad_bottom, g->kernel_height, g->stride_y, g->dilation_y);
    g->out_width = outputs(g->width, g->pad_left, g->pad_right, g->kernel_width, g->stride_x, g->dilation_x);
    if (g->out_height < 1 || g->out_width < 1)
        return gg_fail(GG_ERR_SHAPE,
                       "%s: the kernel of %lld x %lld (dilation %lld, %lld) is larger than the image of %lld x %lld "
                       "padded by %lld, %lld, %lld, %lld (top, bottom, left, right)",
                       function, (long long)g->kernel_height, (long long)g->kernel_width, (long long)g->dilation_y,
                       (long long)g->dilation_x, (long long)g->height, (long long)g->width, (long long)g->pad_top,
                       (long long)g->pad_bottom, (long long)g->pad_left, (long long)g->pad_right);
    g->group_channels = g->channels / g->groups;
    g->group_filters = g->filters / g->groups;
    if (__builtin_mul_overflow(g->kernel_height, g->kernel_width, &g->taps)
        || __builtin_mul_overflow(g->group_channels, g->taps, &g->depth))
        return gg_fail(GG_ERR_OVERFLOW, "%s: w of %lld x %lld x %lld x %lld is more floats than any memory holds",
                       function, (long long)g->filters, (long long)g->group_channels, (long long)g->kernel_height,
                       (long long)g->kernel_width);
    const gg_status status = check_arrays(function, g);
    if (status != GG_OK)
        return status;
    g->plane = g->height * g->width;
    g->pixels = g->out_height * g->out_width;
    return check_product_sizes(function, g);
}

static int64_t or_one(int64_t size)
{
    return size == 0 ? 1 : size;
}

gg_status gg_conv_geometry_of(gg_conv_geometry *out, const char *function, const gg_conv_shape *shape)
{
    if (shape == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: shape is NULL", function);
    gg_conv_geometry g = {
        .batch = shape->batch,
        .channels = shape->channels,
        .height = shape->height,
        .width = shape->width,
        .filters = shape->filters,
        .kernel_height = shape->kernel_height,
        .kernel_width = shape->kernel_width,
        .stride_y = or_one(shape->stride_y),
        .stride_x = or_one(shape->stride_x),
        .pad_top = shape->pad_top,
        .pad_bottom = shape->pad_bottom,
        .pad_left = shape->pad_left,
        .pad_right = shape->pad_right,
        .dilation_y = or_one(shape->dilation_y),
        .dilation_x = or_one(shape->dilation_x),
        .groups = or_one(shape->groups),
    };
    gg_status status = check_sizes(function, &g);
    if (status == GG_OK)
        status = derive(&g, function);
    if (status == GG_OK)
        *out = g;
    return status;
}

gg_status gg_conv_output(int64_t *out_height, int64_t *out_width, const gg_conv_shape *shape)
{
    static const char name[] = "gg_conv_output";
    if (out_height == NULL || out_width == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", name, out_height == NULL ? "out_height" : "out_width");
    gg_conv_geometry g;
    const gg_status status = gg_conv_geometry_of(&g, name, shape);
    if (status != GG_OK)
        return status;
    *out_height = g.out_height;
    *out_width = g.out_width;
    return GG_OK;
}

/* Zeros along one direction so that ceil(length / stride) outputs fit; the odd one comes after. */
static void same(int64_t *before, int64_t *after, int64_t length, int64_t kernel, int64_t stride, int64_t dilation)
{
    const int64_t wanted = (length + stride - 1) / stride;
    const int64_t zeros = (wanted - 1) * stride + dilation * (kernel - 1) + 1 - length;
    *before = zeros > 0 ? zeros / 2 : 0;
    *after = zeros > 0 ? zeros - zeros / 2 : 0;
}

gg_status gg_conv_pad_same(gg_conv_shape *shape)
{
    static const char name[] = "gg_conv_pad_same";
    if (shape == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: shape is NULL", name);
    gg_conv_shape s = *shape;
    const named_size sizes[] = {
        {"height", s.height, 1},
        {"width", s.width, 1},
        {"kernel_height", s.kernel_height, 1},
        {"kernel_width", s.kernel_width, 1},
        {"stride_y", s.stride_y, 0},
        {"stride_x", s.stride_x, 0},
        {"dilation_y", s.dilation_y, 0},
        {"dilation_x", s.dilation_x, 0},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const gg_status status = check_size(name, &sizes[i]);
        if (status != GG_OK)
            return status;
    }
    same(&s.pad_top, &s.pad_bottom, s.height, s.kernel_height, or_one(s.stride_y), or_one(s.dilation_y));
    same(&s.pad_left, &s.pad_right, s.width, s.kernel_width, or_one(s.stride_x), or_one(s.dilation_x));
    *shape = s;
    return GG_OK;
}
