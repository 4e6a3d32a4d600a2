/* conv_cost.c - a model of what each method costs: what it does, counted, times what each thing takes.
 *
 * The nanoseconds were fitted (least squares of the relative error, none negative) to 171 shapes, each pass and method
 * measured in turns on Intel's Emerald Rapids with 2 threads and OpenBLAS's Cooperlake kernels: layers of ResNet-50,
 * VGG-16 and MobileNet, and others drawn at random. Measured again, the method with the least estimate was within
 * 10 % of the fastest in 94 % of the layers' passes. `gemmgrad bench --filter conv` shows where it is
 * wrong. */
#include <math.h>

#include "conv_method.h"
#include "conv_slide.h"
#include "conv_tiled.h"
#include "kernels/kernels.h"

enum { COUNTS = 9 };

/* Nanoseconds for each of what the functions below count, by method and pass. */
/* clang-format off */
static const double nanoseconds[GG_CONV_ALGORITHM_COUNT][GG_CONV_PASS_COUNT][COUNTS] = {
    /* The last of these, by which steps of 2 take longer, were set by six shapes beside winograd4s2. */
    [GG_CONV_TILED] = {
        {0.01298, 0, 1.889, 0.4593, 0.1614, 3080, 1006, 0, 1.5},
        {0.0133, 0.01473, 5.568, 0.4136, 0.1334, 3065, 1.716, 0.01842, 3.2},
        {0.01314, 0.03864, 2.242, 0.3959, 0.07287, 1488, 1314, 0.2044, 3},
    },
    [GG_CONV_POINTWISE] = {
        {0.01275, 0.1902, 0.1027, 0.0124, 148.2, 0, 0.0008646},
        {0.01229, 0.1805, 0.03721, 0.04446, 17.76, 0, 0.2255},
        {0.01212, 0.7558, 0.0122, 0.1624, 0, 0, 0},
    },
    [GG_CONV_SHIFTED] = {
        {0.01406, 27.47, 0.3337, 0.2966, 10.9, 7658, 0.7171, 0},
        {0.01353, 29.48, 0.3303, 0.1595, 4.412, 1.018e+04, 1.492, 0.006378},
        {0.005509, 65.47, 0.3681, 0.1091, 24.56, 1830, 0.8198, 1.073},
    },
    [GG_CONV_WINOGRAD_2] = {
        {0.01435, 0.1258, 0.1568, 0.2454, 7554, 2.445, 95.92},
        {0.01502, 0.2105, 0.01169, 0.2776, 8767, 0, 134.5},
        {0.01426, 0.1609, 0.1497, 0.3059, 6012, 1.041, 79.19},
    },
    [GG_CONV_WINOGRAD_4] = {
        {0.01827, 0.1272, 0.1866, 0.1786, 1.283e+04, 0, 131.2},
        {0.01974, 0.2014, 0, 0.1979, 1.319e+04, 0, 144.1},
        {0.01933, 0.1005, 0.1848, 0.1541, 9860, 0.751, 76.26},
    },
    [GG_CONV_IM2COL] = {
        {0.01143, 0.1994, 18.32, 432.5, 0.1348, 0.318},
        {0.01352, 0.2701, 8.545, 357.7, 0.065, 0.1829},
        {0.01213, 0.3683, 13.09, 421.2, 0.02674, 0.1828},
    },
    [GG_CONV_DEPTHWISE] = {
        {0.02109, 0.1219, 37.02, 0, 190.7, 0.2682, 0, 2.735},
        {0.03694, 0.1127, 38.56, 0, 952.6, 0.1425, 0, 6.69},
        {0.03306, 0.09589, 58.9, 0, 791, 0.2922, 0, 1.774},
    },
    /* Fitted to 19 shapes: off by 4 to 7 % in the middle, by less than 24 % in all; the start of dX was set by hand
     * since, for small images. */
    [GG_CONV_WINOGRAD_STRIDED] = {
        {0.01997, 0.3619, 0, 0.3011, 0, 0, 141.9},
        {0.01728, 0.9131, 0, 0.2764, 4e+04, 0, 0},
        {0.02037, 0.2177, 0, 0.1494, 0, 0, 182.4},
    },
};
/* Depthwise where kernels slide over the planes (conv_slide.c), fitted to 110 shapes on one thread: the estimate is off
 * by 10 to 14 % in the middle, by less than 31 % in 9 of 10. */
static const double sliding_nanoseconds[GG_CONV_PASS_COUNT][COUNTS] = {
    {0.1418, 1.262, 0, 0.2014, 0.07093, 4.221},
    {0.1127, 1.257, 7.886, 1.532, 0.08022, 0},
    {0.1282, 0.7366, 0, 1.483, 0.09959, 58.75},
};
/* clang-format on */

/* Sizes of a pass as numbers that multiply without overflow. */
typedef struct sizes {
    double images, channels, filters, group_channels, group_filters, groups;
    double height, width, out_height, out_width, pixels, taps, depth, stride;
    double threads;
} sizes;

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

static double up(double n, int64_t unit)
{
    return (double)(((int64_t)n + unit - 1) / unit * unit);
}

/* Rows of a product as the kernels see them: whole tiles of four, and a rest of one to three that takes as long as so
 * many (product_plan.c). */
static double rows_of_product(int64_t n)
{
    static const double rest[] = {0, 2.73, 0.05, 1.92};
    return (double)(n / 4 * 4) + rest[n % 4];
}

/* Floats of a channel's planes (conv_planes.h). */
static double channel_floats(const gg_conv_geometry *g, double *pitch)
{
    const int64_t reach_y = (g->kernel_height - 1) * g->dilation_y, reach_x = (g->kernel_width - 1) * g->dilation_x;
    const double rows = (double)(g->out_height + reach_y / g->stride_y);
    *pitch = (double)(g->out_width + reach_x / g->stride_x);
    return rows * *pitch * least((double)g->stride_y, (double)reach_y + 1)
           * least((double)g->stride_x, (double)reach_x + 1);
}

static void count_im2col(double *n, const sizes *s)
{
    const double columns = s->images * s->groups * s->pixels;
    n[0] = columns * up(s->group_filters, 4) * s->depth / s->threads; /* multiply-adds */
    n[1] = columns * s->depth / s->threads;                           /* columns */
    n[2] = n[1] / s->out_width;                                       /* their rows */
    n[3] = s->images * s->groups;                                     /* products */
    n[4] = s->groups * s->group_filters * s->depth;                   /* weights */
    n[5] = columns * s->group_filters / s->threads;                   /* results */
}

static void count_tiled(double *n, const gg_conv_geometry *g, gg_conv_pass pass, const sizes *s)
{
    double pitch;
    const double pixels = s->images * s->pixels / s->threads; /* of a thread, in panels that may be half full */
    const double outputs = s->groups * (pass == GG_CONV_BACKWARD_WEIGHTS ? pixels : up(ceil(pixels), 32));
    n[0] = pass == GG_CONV_FORWARD         ? outputs * up(s->group_filters, 4) * s->depth
           : pass == GG_CONV_BACKWARD_DATA ? outputs * up(s->depth, 4) * s->group_filters
                                           : outputs * s->depth * up(s->group_filters, 16);          /* multiply-adds */
    n[1] = outputs * s->depth;                                                                       /* columns */
    n[2] = n[1] / least(s->out_width, 64);                                                           /* their runs */
    n[3] = s->images * s->channels * channel_floats(g, &pitch) / s->threads;                         /* planes */
    n[4] = s->images * s->pixels * s->filters / (pass == GG_CONV_BACKWARD_WEIGHTS ? 1 : s->threads); /* Y or dY */
    n[5] = 1;
    n[6] = s->groups;
    n[7] = pass == GG_CONV_FORWARD ? 0 : s->groups * s->group_filters * s->depth; /* weights turned */
    n[8] = s->stride > 1 ? n[2] : 0;                                              /* runs, in steps */
    if (pass == GG_CONV_BACKWARD_WEIGHTS && gg_tiled_has_lines(g, (int)s->threads)) {
        n[0] = outputs * rows_of_product(g->group_filters) * gg_tiled_effective_columns(g->depth);
        n[2] = outputs * (double)g->kernel_height;
        n[3] = s->images * s->channels * s->height * s->width / s->threads;
        n[8] = 0;
    }
}

static void count_pointwise(double *n, gg_conv_pass pass, const sizes *s)
{
    const bool rows = s->groups == 1 && s->images > 1 && s->pixels <= 128; /* conv_pointwise_rows.c */
    const double outputs = s->images * (rows ? s->pixels : up(s->pixels, 16)) * s->groups / s->threads;
    const double copied = pass == GG_CONV_FORWARD         ? s->group_channels
                          : pass == GG_CONV_BACKWARD_DATA ? s->group_filters
                                                          : least(s->group_filters, s->group_channels);
    const double both = s->images * s->pixels * (s->channels + s->filters) / s->threads;
    n[0] = pass == GG_CONV_FORWARD         ? outputs * up(s->group_filters, 4) * s->depth
           : pass == GG_CONV_BACKWARD_DATA ? outputs * up(s->depth, 4) * s->group_filters
                                           : outputs * s->group_filters * up(s->depth, 16); /* multiply-adds */
    n[1] = rows ? both : 0;                                                                 /* images turned */
    n[2] = both;                                                                            /* images */
    n[3] = rows ? 0 : s->images * s->pixels * copied * s->groups / s->threads;              /* panels */
    n[4] = 1;
    n[5] = s->groups * s->images;                   /* products */
    n[6] = s->groups * s->group_filters * s->depth; /* weights */
}

static void count_shifted(double *n, const gg_conv_geometry *g, gg_conv_pass pass, const sizes *s)
{
    double pitch;
    const double planes = channel_floats(g, &pitch);
    const double in = pass == GG_CONV_BACKWARD_DATA ? s->group_filters : s->group_channels;
    const double out = pass == GG_CONV_BACKWARD_DATA ? s->group_channels : s->group_filters;
    const double places = s->images * s->out_height * pitch * s->groups / s->threads;
    const double weights = s->groups * out * in * s->taps;
    n[5] = 1;
    if (pass == GG_CONV_BACKWARD_WEIGHTS) {
        const double share = s->images >= s->threads ? 1 : 2;      /* of a thread, when others have no image */
        n[0] = places * up(in, 4) * s->taps * up(out, 16) * share; /* multiply-adds */
        n[1] = places / 128 * s->taps * most(1, up(in, 120) / 120) * most(1, up(out, 64) / 64) * share; /* products */
        n[2] = s->images * s->groups * in * planes / s->threads * share;                                /* planes */
        n[3] = s->images * s->pixels * s->groups * out / s->threads * share;                            /* dY */
        n[4] = s->images * s->groups * s->out_height * share;                                           /* its rows */
        n[6] = weights * s->threads;
        n[7] = weights * places / 128 * share / s->groups; /* visits to dW */
        return;
    }
    n[0] = places * rows_of_product((int64_t)out) * in * s->taps;                            /* multiply-adds */
    n[1] = places / 64 * s->taps * most(1, up(out, 120) / 120) * most(1, up(in, 128) / 128); /* products */
    n[2] = s->images * s->groups * in * planes / s->threads;                                 /* planes */
    n[3] = s->images * s->pixels * s->groups * out / s->threads;                             /* results */
    n[4] = s->images * s->groups * out * s->out_height / s->threads;                         /* their rows */
    n[6] = weights;
    n[7] = places * in * s->taps; /* floats of X read */
}

static void count_winograd(double *n, gg_conv_pass pass, const sizes *s, gg_winograd_form form)
{
    const bool data = pass == GG_CONV_BACKWARD_DATA;
    const gg_winograd_sizes z = gg_winograd_sizes_of(form);
    const double tiles = s->images * up(data ? s->height : s->out_height, z.results) / z.results
                         * up(data ? s->width : s->out_width, z.results) / z.results;
    const double products = z.products * z.products / s->threads;
    const double in = data ? s->filters : s->channels, out = data ? s->channels : s->filters;
    n[0] = tiles * products * in * up(out, 16);                        /* multiply-adds */
    n[1] = tiles * (z.inputs * z.inputs) / s->threads * up(in, 16);    /* V */
    n[2] = tiles * (z.outputs * z.outputs) / s->threads * up(out, 16); /* M */
    n[3] = products * in * up(out, 16);                                /* U */
    n[4] = 1;
    n[5] = tiles * products;
    n[6] = products * up(out, 64) / 64 * most(1, tiles / 28); /* products */
}

static void count_depthwise(double *n, const sizes *s)
{
    const double planes = s->images * s->filters / s->threads;
    n[0] = planes * s->pixels * s->taps; /* multiply-adds */
    n[1] = planes * s->pixels;           /* results */
    n[2] = planes;
    n[4] = 1;
    n[5] = s->images * s->channels * s->height * s->width / s->threads; /* images */
    n[7] = s->stride > 1 ? planes * s->height : 0;                      /* rows split */
}

static void count_sliding(double *n, const sizes *s)
{
    const double planes = s->images * s->filters / s->threads, blocks = up(s->out_width, 16) / 16;
    n[0] = planes * blocks * s->out_height * s->taps;   /* multiply-adds of a register */
    n[1] = planes * blocks * s->out_height * s->stride; /* rows of X for a block */
    n[2] = planes;
    n[3] = planes * blocks;
    n[4] = planes * (s->height * s->width + s->pixels); /* floats of both */
    n[5] = s->filters / s->threads;
}

static void count(double *n, gg_conv_algorithm algorithm, const gg_conv_geometry *g, gg_conv_pass pass, const sizes *s)
{
    switch (algorithm) {
    case GG_CONV_TILED: count_tiled(n, g, pass, s); break;
    case GG_CONV_POINTWISE: count_pointwise(n, pass, s); break;
    case GG_CONV_SHIFTED: count_shifted(n, g, pass, s); break;
    case GG_CONV_WINOGRAD_2: count_winograd(n, pass, s, GG_WINOGRAD_2); break;
    case GG_CONV_WINOGRAD_4: count_winograd(n, pass, s, GG_WINOGRAD_4); break;
    case GG_CONV_WINOGRAD_STRIDED:
        count_winograd(n, pass, s, pass == GG_CONV_BACKWARD_DATA ? GG_WINOGRAD_STRIDED_TURNED : GG_WINOGRAD_STRIDED);
        break;
    case GG_CONV_DEPTHWISE: (gg_conv_slides(g) ? count_sliding : count_depthwise)(n, s); break;
    default: count_im2col(n, s);
    }
}

double gg_conv_cost(gg_conv_algorithm algorithm, const gg_conv_geometry *g, gg_conv_pass pass, int threads)
{
    const sizes s = {
        .images = (double)g->batch,
        .channels = (double)g->channels,
        .filters = (double)g->filters,
        .group_channels = (double)g->group_channels,
        .group_filters = (double)g->group_filters,
        .groups = (double)g->groups,
        .height = (double)g->height,
        .width = (double)g->width,
        .out_height = (double)g->out_height,
        .out_width = (double)g->out_width,
        .pixels = (double)g->pixels,
        .taps = (double)g->taps,
        .depth = (double)g->depth,
        .stride = (double)g->stride_x,
        .threads = (double)threads,
    };
    double n[COUNTS] = {0}, sum = 0;
    count(n, algorithm, g, pass, &s);
    const bool slides = algorithm == GG_CONV_DEPTHWISE && gg_conv_slides(g);
    const double *price = slides ? sliding_nanoseconds[pass] : nanoseconds[algorithm][pass];
    for (int i = 0; i < COUNTS; i++)
        sum += n[i] * price[i];
    return sum;
}
