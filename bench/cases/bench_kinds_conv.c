/* bench_kinds_conv.c - convolutions: each pass and all of them, as the library chooses and by every algorithm that can.
 * Beside them stand the cblas_sgemm calls of the products that the matrix of columns would take, without the copying
 * that makes the matrix.
 *
 * Operations are those of the plain sum, whatever the algorithm does with: above the FMA peak is possible. */
#include <stdio.h>
#include <string.h>

#include "bench_case.h"
#include "bench_check_conv.h"

static const char *const passes[] = {"forward", "dx", "dw", "both", "first", NULL};

/* More operations than this, or bytes a pass, are too long for --quick. */
static const double QUICK_FLOPS = 5e8, QUICK_BYTES = 3e7;

static bool does(const bench_case *line, gg_conv_pass pass)
{
    const int option = line->option;
    if (option == BENCH_CONV_BOTH || (option == BENCH_CONV_FIRST && pass != GG_CONV_BACKWARD_DATA))
        return true;
    return option == (int)pass;
}

static int count_passes(const bench_case *line)
{
    return does(line, GG_CONV_FORWARD) + does(line, GG_CONV_BACKWARD_DATA) + does(line, GG_CONV_BACKWARD_WEIGHTS);
}

/* Kernels of odd size with half of them, rounded down, as padding on each side. */
gg_conv_shape bench_conv_shape(const bench_case *line)
{
    const bool depthwise = line->kind == &bench_depthwise;
    const int64_t *size = line->size, *kernel = size + (depthwise ? 4 : 5);
    const int64_t pad = (kernel[0] - 1) / 2;
    return (gg_conv_shape){.batch = size[0],
                           .channels = size[1],
                           .height = size[2],
                           .width = size[3],
                           .filters = depthwise ? size[1] : size[4],
                           .kernel_height = kernel[0],
                           .kernel_width = kernel[0],
                           .stride_y = kernel[1],
                           .stride_x = kernel[1],
                           .pad_top = pad,
                           .pad_bottom = pad,
                           .pad_left = pad,
                           .pad_right = pad,
                           .groups = depthwise ? size[1] : 1};
}

/* ---- sizes ---- */

typedef struct sizes {
    int64_t x, y, w; /* floats */
    int64_t pixels;  /* of Y */
    int64_t depth;   /* products of an output */
} sizes;

static sizes sizes_of(const gg_conv_shape *s)
{
    int64_t out_height = 0, out_width = 0;
    (void)gg_conv_output(&out_height, &out_width, s);
    const int64_t pixels = out_height * out_width;
    const int64_t depth = s->channels / s->groups * s->kernel_height * s->kernel_width;
    return (sizes){s->batch * s->channels * s->height * s->width, s->batch * s->filters * pixels, s->filters * depth,
                   pixels, depth};
}

static double flops(const bench_case *line)
{
    const gg_conv_shape s = bench_conv_shape(line);
    const sizes n = sizes_of(&s);
    return 2.0 * count_passes(line) * (double)n.y * (double)n.depth;
}

/* A pass reads two of X, W and Y or its gradient, and writes the third. */
static double bytes(const bench_case *line)
{
    const gg_conv_shape s = bench_conv_shape(line);
    const sizes n = sizes_of(&s);
    return 4.0 * count_passes(line) * (double)(n.x + n.w + n.y);
}

static bool too_long(const bench_case *line)
{
    return flops(line) > QUICK_FLOPS || bytes(line) > QUICK_BYTES * count_passes(line);
}

/* ---- variants: what the library chooses, then its algorithms by name ---- */

/* All passes at once are measured only as the library does them: each has its own best algorithm. */
static bool has(const bench_case *line, int variant)
{
    if (variant == GG_CONV_AUTO)
        return true;
    const gg_conv_shape s = bench_conv_shape(line);
    return count_passes(line) == 1 && gg_conv_can((gg_conv_algorithm)variant, (gg_conv_pass)line->option, &s);
}

static gg_status run(bench_work *work, gg_conv_algorithm algorithm)
{
    const bench_case *line = work->line;
    const gg_conv_shape s = bench_conv_shape(line);
    const gg_conv_options o = {.algorithm = algorithm};
    gg_status status = GG_OK;
    if (does(line, GG_CONV_FORWARD))
        status =
            gg_conv_forward(work->y, work->x, work->w, work->bias, &s, &o, work->workspace, work->workspace_floats);
    if (status == GG_OK && does(line, GG_CONV_BACKWARD_DATA))
        status = gg_conv_backward_data(work->dx, work->dy, work->w, &s, &o, work->workspace, work->workspace_floats);
    if (status == GG_OK && does(line, GG_CONV_BACKWARD_WEIGHTS))
        status = gg_conv_backward_weights(work->dw, work->db, work->dy, work->x, &s, &o, work->workspace,
                                          work->workspace_floats);
    return status;
}

static gg_status run_chosen(bench_work *work)
{
    return run(work, GG_CONV_AUTO);
}

static gg_status run_im2col(bench_work *work)
{
    return run(work, GG_CONV_IM2COL);
}

static gg_status run_tiled(bench_work *work)
{
    return run(work, GG_CONV_TILED);
}

static gg_status run_pointwise(bench_work *work)
{
    return run(work, GG_CONV_POINTWISE);
}

static gg_status run_shifted(bench_work *work)
{
    return run(work, GG_CONV_SHIFTED);
}

static gg_status run_winograd_2(bench_work *work)
{
    return run(work, GG_CONV_WINOGRAD_2);
}

static gg_status run_winograd_4(bench_work *work)
{
    return run(work, GG_CONV_WINOGRAD_4);
}

static gg_status run_winograd_strided(bench_work *work)
{
    return run(work, GG_CONV_WINOGRAD_STRIDED);
}

static gg_status run_depthwise(bench_work *work)
{
    return run(work, GG_CONV_DEPTHWISE);
}

/* By gg_conv_algorithm. */
#define VARIANTS                                                                                                  \
    {                                                                                                             \
        [GG_CONV_AUTO] = {"", run_chosen}, [GG_CONV_IM2COL] = {"im2col", run_im2col},                             \
        [GG_CONV_TILED] = {"tiled", run_tiled}, [GG_CONV_POINTWISE] = {"pointwise", run_pointwise},               \
        [GG_CONV_SHIFTED] = {"shifted", run_shifted}, [GG_CONV_WINOGRAD_2] = {"winograd2", run_winograd_2},       \
        [GG_CONV_WINOGRAD_4] = {"winograd4", run_winograd_4}, [GG_CONV_DEPTHWISE] = {"depthwise", run_depthwise}, \
        [GG_CONV_WINOGRAD_STRIDED] = {"winograd4s2", run_winograd_strided},                                       \
    }

/* ---- open ---- */

/* The largest of what the passes and variants of the case need. */
static gg_status take_workspace(bench_work *work, const gg_conv_shape *s)
{
    gg_status status = GG_OK;
    for (int variant = 0; variant < GG_CONV_ALGORITHM_COUNT; variant++)
        for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT && status == GG_OK; pass++) {
            int64_t floats = 0;
            if (!has(work->line, variant) || !does(work->line, pass))
                continue;
            const gg_conv_options o = {.algorithm = (gg_conv_algorithm)variant};
            status = gg_conv_workspace(&floats, pass, s, &o);
            work->workspace_floats = floats > work->workspace_floats ? floats : work->workspace_floats;
        }
    if (status == GG_OK && work->workspace_floats > 0)
        work->workspace = bench_take_data(work, work->workspace_floats);
    return status;
}

/* "winograd4", or one name for each pass. */
static gg_status set_label(bench_work *work, const gg_conv_shape *s)
{
    gg_status status = GG_OK;
    const char *before = NULL;
    bool all_equal = true;
    char *label = work->label;
    for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT && status == GG_OK; pass++) {
        gg_conv_algorithm chosen = GG_CONV_AUTO;
        if (!does(work->line, pass))
            continue;
        status = gg_conv_choose(&chosen, pass, s, NULL);
        const char *name = gg_conv_algorithm_name(chosen);
        const size_t length = strlen(label);
        snprintf(label + length, sizeof work->label - length, "%s%s", before != NULL ? "/" : "", name);
        all_equal = all_equal && (before == NULL || strcmp(before, name) == 0);
        before = name;
    }
    if (all_equal && before != NULL)
        snprintf(label, sizeof work->label, "%s", before);
    return status;
}

static gg_status open(bench_work *work)
{
    const gg_conv_shape s = bench_conv_shape(work->line);
    const sizes n = sizes_of(&s);
    const bool forward = does(work->line, GG_CONV_FORWARD), data = does(work->line, GG_CONV_BACKWARD_DATA);
    const bool weights = does(work->line, GG_CONV_BACKWARD_WEIGHTS), backward = data || weights;
    work->x = forward || weights ? bench_take_data(work, n.x) : NULL;
    work->w = forward || data ? bench_take_data(work, n.w) : NULL;
    work->bias = forward ? bench_take_data(work, s.filters) : NULL;
    work->y = forward ? bench_take_data(work, n.y) : NULL;
    work->dy = backward ? bench_take_data(work, n.y) : NULL;
    work->dx = data ? bench_take_data(work, n.x) : NULL;
    work->dw = weights ? bench_take_data(work, n.w) : NULL;
    work->db = weights && forward ? bench_take_data(work, s.filters) : NULL; /* alone, dW is what is measured */
    gg_status status = take_workspace(work, &s);
    if (status == GG_OK)
        status = set_label(work, &s);
    return status != GG_OK ? status : work->status;
}

/* A product for each image. Without a kernel that overlaps, X is the matrix of columns; elsewhere one matrix serves all
 * images, as it does in the library. */
static void add_raw(bench_work *work, const gg_conv_shape *s, float *columns, int64_t stride)
{
    const sizes n = sizes_of(s);
    const int64_t image = s->filters * n.pixels;
    bench_sgemm *p[GG_CONV_PASS_COUNT] = {NULL};
    if (work->y != NULL) {
        p[0] = bench_add_raw(work, work->y, work->w, columns != NULL ? columns : work->x, s->filters, n.pixels, n.depth,
                             false, false);
        p[0]->stride_c = image, p[0]->stride_b = stride;
    }
    if (work->dx != NULL) {
        p[1] = bench_add_raw(work, columns != NULL ? columns : work->dx, work->w, work->dy, n.depth, n.pixels,
                             s->filters, true, false);
        p[1]->stride_c = stride, p[1]->stride_b = image;
    }
    if (work->dw != NULL) {
        p[2] = bench_add_raw(work, work->dw, work->dy, columns != NULL ? columns : work->x, s->filters, n.depth,
                             n.pixels, false, true);
        p[2]->stride_a = image, p[2]->stride_b = stride;
    }
    for (int i = 0; i < GG_CONV_PASS_COUNT; i++)
        if (p[i] != NULL)
            p[i]->count = (int)s->batch;
}

static gg_status open_conv(bench_work *work)
{
    const gg_conv_shape s = bench_conv_shape(work->line);
    const sizes n = sizes_of(&s);
    const gg_status status = open(work);
    if (status != GG_OK)
        return status;
    const bool x_is_columns = s.kernel_height == 1 && s.stride_y == 1;
    float *columns = x_is_columns ? NULL : bench_take_data(work, n.depth * n.pixels);
    if (work->status == GG_OK)
        add_raw(work, &s, columns, x_is_columns ? n.depth * n.pixels : 0);
    return work->status;
}

const bench_kind bench_conv = {
    .name = "conv",
    .options = passes,
    .variants = VARIANTS,
    .has_raw = true,
    .may_save_operations = true,
    .chooses = true,
    .has = has,
    .too_long = too_long,
    .flops = flops,
    .bytes = bytes,
    .open = open_conv,
    .check = bench_check_conv,
};

/* A group for each channel. There is no product of matrices in it, so no raw calls: the roofline is what it has to
 * reach. */
const bench_kind bench_depthwise = {
    .name = "depthwise",
    .options = passes,
    .variants = VARIANTS,
    .chooses = true,
    .has = has,
    .too_long = too_long,
    .flops = flops,
    .bytes = bytes,
    .open = open,
    .check = bench_check_conv,
};
