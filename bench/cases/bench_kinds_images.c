/* bench_kinds_images.c - what lies between convolutions: pooling and batch normalisation over images [N, C, H, W]. Its
 * rate is that of memory: bytes counts every operand moved once. */
#include "bench_case.h"
#include "bench_check.h"
#include "reference_images.h"

/* The bound of the layers' tests. */
static const double BOUND = REFERENCE_BOUND;

static int64_t planes_of(const bench_case *line)
{
    return line->size[0] * line->size[1];
}

static int64_t floats_of(const bench_case *line)
{
    return planes_of(line) * line->size[2] * line->size[3];
}

/* ---- windows; size = images, channels, height, width, kernel, stride; a kernel of 3 is padded by 1 ---- */

static const char *const directions[] = {"forward", "backward", NULL};

static gg_pool_window window_of(const bench_case *line)
{
    const int64_t kernel = line->size[4], stride = line->size[5], padding = kernel == 3 ? 1 : 0;
    return (gg_pool_window){kernel, kernel, stride, stride, padding, padding, padding, padding, false};
}

/* Windows of a plane. */
static int64_t outputs_of(const bench_case *line)
{
    const gg_pool_window w = window_of(line);
    return reference_windows(line->size[2], w.top, w.bottom, w.kernel_height, w.stride_height)
           * reference_windows(line->size[3], w.left, w.right, w.kernel_width, w.stride_width);
}

/* The image, the outputs, and where the largest ones stood. */
static double max_pool_bytes(const bench_case *line)
{
    return 4.0 * ((double)floats_of(line) + 2.0 * (double)(planes_of(line) * outputs_of(line)));
}

static gg_status open_max_pool(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t in = floats_of(line), out = planes_of(line) * outputs_of(line);
    const gg_pool_window w = window_of(line);
    work->x = bench_take_data(work, in);
    work->dx = bench_take_data(work, in);
    work->y = bench_take_data(work, out);
    work->dy = bench_take_data(work, out);
    work->labels = bench_take_labels(work, out, 1);
    if (work->status != GG_OK)
        return work->status;
    return gg_max_pool_forward(work->y, work->labels, work->x, planes_of(line), line->size[2], line->size[3], &w);
}

static gg_status run_max_pool(bench_work *work)
{
    const bench_case *line = work->line;
    const gg_pool_window w = window_of(line);
    if (line->option == BENCH_FORWARD)
        return gg_max_pool_forward(work->y, work->labels, work->x, planes_of(line), line->size[2], line->size[3], &w);
    return gg_max_pool_backward(work->dx, work->dy, work->labels, planes_of(line), line->size[2], line->size[3], &w,
                                false);
}

/* Some planes; they know nothing of each other. */
static gg_status check_max_pool(bench_work *work, int variant)
{
    const bench_case *line = work->line;
    const int64_t planes = planes_of(line), in = line->size[2] * line->size[3], out = outputs_of(line);
    const int64_t checked[] = {0, 1, planes / 2, planes - 1};
    const gg_pool_window w = window_of(line);
    double *y = bench_take_zeros(work, out), *dx = bench_take_zeros(work, in), *scale = bench_take_zeros(work, in);
    gg_status status = work->status;
    if (status == GG_OK)
        status = line->kind->variants[variant].run(work);
    for (int i = 0; i < 4 && status == GG_OK; i++) {
        const int64_t p = checked[i];
        reference_pass pass = {.images = 1, .channels = 1, .height = line->size[2], .width = line->size[3]};
        pass.window = &w;
        pass.x[0] = bench_check_doubles(work, work->x + p * in, in);
        pass.dy = bench_check_doubles(work, work->dy + p * out, out);
        pass.y = y;
        if (work->status != GG_OK)
            return work->status;
        if (line->option == BENCH_FORWARD) {
            reference_max_pool.forward(&pass);
            status = bench_check_array("y", p * out, work->y + p * out, y, NULL, out, 0.0);
            continue;
        }
        pass.dx[0] = scale;
        reference_max_pool.backward_magnitude(&pass);
        pass.dx[0] = dx;
        reference_max_pool.backward(&pass);
        status = bench_check_array("dx", p * in, work->dx + p * in, dx, scale, in, BOUND);
    }
    return status;
}

const bench_kind bench_max_pool = {
    .name = "max_pool",
    .options = directions,
    .variants = {{"", run_max_pool}},
    .bytes = max_pool_bytes,
    .open = open_max_pool,
    .check = check_max_pool,
};

/* ---- means of planes; size = images, channels, height, width ---- */

static double global_average_bytes(const bench_case *line)
{
    return 4.0 * (double)(floats_of(line) + planes_of(line));
}

static gg_status open_global_average(bench_work *work)
{
    work->x = bench_take_data(work, floats_of(work->line));
    work->dx = bench_take_data(work, floats_of(work->line));
    work->y = bench_take_data(work, planes_of(work->line));
    work->dy = bench_take_data(work, planes_of(work->line));
    return work->status;
}

static gg_status run_global_average(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t size = line->size[2] * line->size[3];
    if (line->option == BENCH_FORWARD)
        return gg_global_average_pool_forward(work->y, work->x, planes_of(line), size);
    return gg_global_average_pool_backward(work->dx, work->dy, planes_of(line), size, false);
}

static gg_status check_global_average(bench_work *work, int variant)
{
    const bench_case *line = work->line;
    const int64_t planes = planes_of(line), in = floats_of(line);
    double *ones = bench_take_zeros(work, planes);
    const bool forward = line->option == BENCH_FORWARD;
    reference_pass pass = {.images = line->size[0], .channels = line->size[1]};
    pass.height = line->size[2];
    pass.width = line->size[3];
    pass.x[0] = bench_check_doubles(work, work->x, in);
    pass.dy = bench_check_doubles(work, work->dy, planes);
    pass.y = bench_take_zeros(work, planes);
    pass.dx[0] = bench_take_zeros(work, in);
    if (work->status != GG_OK)
        return work->status;
    const gg_status status = line->kind->variants[variant].run(work);
    if (status != GG_OK)
        return status;
    for (int64_t p = 0; p < planes; p++)
        ones[p] = 1.0; /* no element is larger */
    (forward ? reference_global_average_pool.forward : reference_global_average_pool.backward)(&pass);
    return forward ? bench_check_array("y", 0, work->y, pass.y, ones, planes, BOUND)
                   : bench_check_array("dx", 0, work->dx, pass.dx[0], NULL, in, BOUND);
}

const bench_kind bench_global_average = {
    .name = "global_average_pool",
    .options = directions,
    .variants = {{"", run_global_average}},
    .bytes = global_average_bytes,
    .open = open_global_average,
    .check = check_global_average,
};

/* ---- batch normalisation; size = images, channels, height, width ---- */

static const char *const norms[] = {"forward", "backward", "forward_relu", "backward_relu", NULL};

static bool goes_forward(const bench_case *line)
{
    return line->option == BENCH_NORM_FORWARD || line->option == BENCH_NORM_FORWARD_RELU;
}

static gg_batchnorm_options norm_options(const bench_case *line)
{
    const bool relu = line->option == BENCH_NORM_FORWARD_RELU || line->option == BENCH_NORM_BACKWARD_RELU;
    return (gg_batchnorm_options){.relu = relu};
}

/* x and y, or dy, x and dx. */
static double norm_bytes(const bench_case *line)
{
    return 4.0 * (goes_forward(line) ? 2.0 : 3.0) * (double)floats_of(line);
}

/* The running statistics are state1 and state2, mean and inverse the two halves of packed. */
static gg_status normalize(bench_work *work)
{
    const bench_case *line = work->line;
    const gg_batchnorm_options options = norm_options(line);
    return gg_batchnorm_forward(work->y, work->packed, work->packed + line->size[1], work->state1, work->state2,
                                work->x, work->w, work->bias, line->size[0], line->size[1],
                                line->size[2] * line->size[3], &options);
}

static gg_status open_norm(bench_work *work)
{
    const int64_t floats = floats_of(work->line), channels = work->line->size[1];
    work->x = bench_take_data(work, floats);
    work->y = bench_take_data(work, floats);
    work->dy = bench_take_data(work, floats);
    work->dx = bench_take_data(work, floats);
    work->w = bench_take(work, channels, 0.5f, 1.5f);
    work->bias = bench_take_data(work, channels);
    work->dw = bench_take_data(work, channels);
    work->db = bench_take_data(work, channels);
    work->state1 = bench_take_data(work, channels);
    work->state2 = bench_take(work, channels, 0.5f, 1.5f);
    work->packed = bench_take_data(work, 2 * channels);
    return work->status == GG_OK ? normalize(work) : work->status;
}

static gg_status run_norm(bench_work *work)
{
    const bench_case *line = work->line;
    const gg_batchnorm_options options = norm_options(line);
    if (goes_forward(line))
        return normalize(work);
    return gg_batchnorm_backward(work->dx, work->dw, work->db, work->dy, work->x, work->packed,
                                 work->packed + line->size[1], work->w, work->bias, line->size[0], line->size[1],
                                 line->size[2] * line->size[3], &options, false, false);
}

/* The reference's pass over the case's numbers, results in new arrays. */
static reference_pass norm_pass(bench_work *work)
{
    const bench_case *line = work->line;
    const int64_t floats = floats_of(line), channels = line->size[1];
    reference_pass pass = {.images = line->size[0], .channels = channels, .epsilon = (double)1e-5f};
    pass.height = line->size[2];
    pass.width = line->size[3];
    pass.relu = norm_options(line).relu;
    pass.x[0] = bench_check_doubles(work, work->x, floats);
    pass.dy = bench_check_doubles(work, work->dy, floats);
    pass.w = bench_check_doubles(work, work->w, channels);
    pass.b = bench_check_doubles(work, work->bias, channels);
    pass.y = pass.dx[0] = bench_take_zeros(work, floats);
    pass.dw = bench_take_zeros(work, channels);
    pass.db = bench_take_zeros(work, channels);
    return pass;
}

static gg_status check_norm_backward(bench_work *work, const reference_pass *pass)
{
    const int64_t floats = floats_of(work->line), channels = work->line->size[1];
    reference_pass scale = *pass;
    scale.dx[0] = bench_take_zeros(work, floats);
    scale.dw = bench_take_zeros(work, channels);
    scale.db = bench_take_zeros(work, channels);
    if (work->status != GG_OK)
        return work->status;
    reference_batch_normalization.backward(pass);
    reference_batch_normalization.backward_magnitude(&scale);
    gg_status status = bench_check_array("dx", 0, work->dx, pass->dx[0], scale.dx[0], floats, BOUND);
    if (status == GG_OK)
        status = bench_check_array("dgamma", 0, work->dw, pass->dw, scale.dw, channels, BOUND);
    return status == GG_OK ? bench_check_array("dbeta", 0, work->db, pass->db, scale.db, channels, BOUND) : status;
}

static gg_status check_norm(bench_work *work, int variant)
{
    const reference_pass pass = norm_pass(work);
    gg_status status = work->status;
    if (status == GG_OK)
        status = work->line->kind->variants[variant].run(work);
    if (status != GG_OK)
        return status;
    if (!goes_forward(work->line))
        return check_norm_backward(work, &pass);
    reference_pass scale = pass;
    scale.y = bench_take_zeros(work, floats_of(work->line));
    if (work->status != GG_OK)
        return work->status;
    reference_batch_normalization.forward(&pass);
    reference_batch_normalization.forward_magnitude(&scale);
    return bench_check_array("y", 0, work->y, pass.y, scale.y, floats_of(work->line), BOUND);
}

const bench_kind bench_norm = {
    .name = "batch_normalization",
    .options = norms,
    .variants = {{"", run_norm}},
    .bytes = norm_bytes,
    .open = open_norm,
    .check = check_norm,
};
