/* conv_slide.c - a group for each channel, kernels of 3 x 3 or 5 x 5 taps in steps of 1 or 2: kernels/slide.c does a
 * plane. Large planes go in bands of rows, which stay in the first-level cache while blocks of columns pass; small ones
 * several at a time, for they take no longer than a call and what it prepares. Results too large to be found in cache
 * later go from a tile past the caches. */
#include "conv_slide.h"

#include "kernels/kernels.h"
#include "parallel.h"
#include "thread.h"

enum {
    MOST_TAPS = 25,
    BAND = 2048, /* floats of a plane at a time */
    LEAST_ROWS = 8,
    SMALL = 1024, /* floats of small planes at a time */
    MOST_PLANES = 16,
    MOST_SUMMED = 128, /* numbers of dY, a lane of 16, that are summed up in float */
    LARGE = 1 << 22    /* floats of results, 16 MB: those of 4 MB took as long either way */
};

bool gg_conv_slides(const gg_conv_geometry *g)
{
    return g->groups == g->channels && (g->kernel_height == 3 || g->kernel_height == 5)
           && g->kernel_width == g->kernel_height && (g->stride_y == 1 || g->stride_y == 2)
           && g->stride_x == g->stride_y && (g->dilation_y == 1 && g->dilation_x == 1) && gg_kernels()->has_masks();
}

/* A pass on its way. */
typedef struct job {
    const gg_conv_call *call;
    gg_conv_call finish; /* for gg_conv_finish: the bias is in Y already */
    gg_slide slide;
    int64_t begin, end; /* rows that a kernel takes of a plane */
    int64_t band;       /* of them at a time */
    int64_t planes;     /* at a time */
    int64_t parts;      /* planes of X, or filters, to be cut into parts */
    bool past_caches;   /* where the results go, */
    float *tile;        /* by way of this one of the thread */
} job;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Whether results pass the caches, in whole lines: bands of rows that are, or whole planes. */
static bool passes_caches(const float *results, int64_t planes, int64_t plane)
{
    return planes * plane >= LARGE && plane % GG_LINE == 0 && plane <= GG_SCRATCH_TILE
           && (uintptr_t)results % (GG_LINE * sizeof *results) == 0;
}

static void run(job *j, int64_t parts, int threads, gg_part_body body)
{
    const gg_conv_geometry *g = &j->call->g;
    const int64_t rows = BAND / (j->slide.stride * j->slide.width), planes = SMALL / g->plane;
    j->band = rows < LEAST_ROWS ? LEAST_ROWS : rows;
    j->planes = planes < 1 || j->past_caches ? 1 : least(planes, MOST_PLANES);
    if (j->past_caches && (g->width % GG_LINE != 0 || g->out_width % GG_LINE != 0))
        j->band = most(j->end, 1);
    j->parts = parts;
    gg_parallel_run((int)least(threads, parts), body, j);
}

typedef void work_on_planes(const job *j, int64_t image, int64_t channel, int64_t planes);

/* The planes of X of one part, some channels of an image at a time: those whose filters lie side by side, too. Without
 * memory for a tile results go through the caches: a convolution does not fail for want of it. */
static void for_planes(const job *shared, int part, int parts, work_on_planes *work)
{
    job j = *shared;
    gg_thread *own = j.past_caches ? gg_thread_own() : NULL;
    j.tile = own != NULL ? own->tile : NULL;
    const gg_conv_geometry *g = &j.call->g;
    const int64_t begin = j.parts * part / parts, end = j.parts * (part + 1) / parts;
    const int64_t at_once = g->group_filters == 1 ? j.planes : 1;
    int64_t image = begin / g->channels, channel = begin % g->channels;
    for (int64_t i = begin, planes; i < end; i += planes) {
        planes = least(at_once, least(end - i, g->channels - channel));
        work(&j, image, channel, planes);
        channel += planes;
        if (channel == g->channels) {
            channel = 0;
            image++;
        }
    }
    if (j.tile != NULL)
        gg_kernels()->end_streams();
}

/* From X to Y. */
static job job_of(const gg_conv_call *call)
{
    const gg_conv_geometry *g = &call->g;
    job j = {.call = call,
             .finish = *call,
             .slide = {.kernel = g->kernel_height,
                       .stride = g->stride_y,
                       .height = g->height,
                       .width = g->width,
                       .out_height = g->out_height,
                       .out_width = g->out_width,
                       .top = g->pad_top,
                       .left = g->pad_left,
                       .plane = g->plane,
                       .out_plane = g->pixels},
             .end = g->out_height};
    j.finish.bias = NULL;
    return j;
}

/* ---- forward ---- */

/* Rows [begin, end) of a plane. */
static void stream_forward(const job *j, float *y, const float *x, const float *w, const float *bias, int64_t begin,
                           int64_t end)
{
    const int64_t first = begin * j->slide.out_width;
    gg_kernels()->slide(j->tile - first, x, w, bias, &j->slide, 1, begin, end, false);
    gg_kernels()->stream_rows(y + first, 0, j->tile, 0, 1, end * j->slide.out_width - first);
}

static void forward_filter(const job *j, const float *x, int64_t image, int64_t filter, int64_t planes)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    const float *bias = call->bias != NULL ? call->bias + filter : NULL;
    float *y = call->y + (image * g->filters + filter) * g->pixels;
    for (int64_t begin = 0; begin < j->end; begin += j->band) {
        const int64_t end = least(begin + j->band, j->end);
        if (j->tile != NULL) {
            stream_forward(j, y, x, call->w + filter * g->taps, bias, begin, end);
            continue;
        }
        gg_kernels()->slide(y, x, call->w + filter * g->taps, bias, &j->slide, planes, begin, end, false);
        for (int64_t n = 0; gg_conv_has_finish(&j->finish) && n < planes; n++)
            gg_conv_finish(&j->finish, image, filter + n, begin * g->out_width, end * g->out_width);
    }
}

static void forward_planes(const job *j, int64_t image, int64_t channel, int64_t planes)
{
    const gg_conv_geometry *g = &j->call->g;
    const float *x = j->call->x + (image * g->channels + channel) * g->plane;
    for (int64_t i = 0; i < g->group_filters; i++)
        forward_filter(j, x, image, channel * g->group_filters + i, planes);
}

static void forward_part(void *context, int part, int parts)
{
    for_planes(context, part, parts, forward_planes);
}

void gg_conv_slide_forward(const gg_conv_call *call, int threads)
{
    const gg_conv_geometry *g = &call->g;
    job j = job_of(call);
    j.past_caches = !gg_conv_has_finish(&j.finish) && passes_caches(call->y, g->batch * g->filters, g->pixels);
    run(&j, g->batch * g->channels, threads, forward_part);
}

/* ---- dX ---- */

/* Rows [begin, end) of planes; in steps of 2, padded ones in pairs. */
static void data_rows(const job *j, float *dx, const float *dy, const float *w, const float *turned, int64_t planes,
                      int64_t begin, int64_t end, bool accumulate)
{
    if (j->call->g.stride_y == 1)
        gg_kernels()->slide(dx, dy, turned, NULL, &j->slide, planes, begin, end, accumulate);
    else
        gg_kernels()->slide_data(dx, dy, w, &j->slide, planes, begin, end, accumulate);
}

static void stream_data(const job *j, float *dx, const float *dy, const float *w, const float *turned, int64_t begin,
                        int64_t end)
{
    const gg_conv_geometry *g = &j->call->g;
    const bool pairs = g->stride_y == 2;
    const int64_t from = pairs ? most(2 * begin - g->pad_top, 0) : begin;
    const int64_t to = pairs ? least(2 * end - g->pad_top, g->height) : end;
    data_rows(j, j->tile - from * g->width, dy, w, turned, 1, begin, end, false);
    gg_kernels()->stream_rows(dx + from * g->width, 0, j->tile, 0, 1, (to - from) * g->width);
}

/* What one filter for each plane adds to X. */
static void data_filter(const job *j, float *dx, const float *dy, const float *w, int64_t planes, bool accumulate)
{
    const int64_t taps = j->call->g.taps;
    float turned[MOST_PLANES * MOST_TAPS];
    for (int64_t n = 0; n < planes; n++)
        for (int64_t t = 0; t < taps; t++)
            turned[n * taps + t] = w[n * taps + taps - 1 - t];
    for (int64_t begin = j->begin; begin < j->end; begin += j->band) {
        const int64_t end = least(begin + j->band, j->end);
        if (j->tile != NULL)
            stream_data(j, dx, dy, w, turned, begin, end);
        else
            data_rows(j, dx, dy, w, turned, planes, begin, end, accumulate);
    }
}

static void data_planes(const job *j, int64_t image, int64_t channel, int64_t planes)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    float *dx = call->dx + (image * g->channels + channel) * g->plane;
    for (int64_t i = 0; i < g->group_filters; i++) {
        const int64_t filter = channel * g->group_filters + i;
        data_filter(j, dx, call->dy + (image * g->filters + filter) * g->pixels, call->w + filter * g->taps, planes,
                    call->accumulate || i > 0);
    }
}

static void data_part(void *context, int part, int parts)
{
    for_planes(context, part, parts, data_planes);
}

/* The turned kernel slides over dY, which takes the place of X. */
static void turn_round(job *j)
{
    const gg_slide s = j->slide;
    j->slide = (gg_slide){.kernel = s.kernel,
                          .stride = 1,
                          .height = s.out_height,
                          .width = s.out_width,
                          .out_height = s.height,
                          .out_width = s.width,
                          .top = s.kernel - 1 - s.top,
                          .left = s.kernel - 1 - s.left,
                          .plane = s.out_plane,
                          .out_plane = s.plane};
    j->end = s.height;
}

void gg_conv_slide_data(const gg_conv_call *call, int threads)
{
    const gg_conv_geometry *g = &call->g;
    job j = job_of(call);
    if (g->stride_y == 1)
        turn_round(&j);
    else { /* padded rows in pairs */
        j.begin = g->pad_top / 2;
        j.end = (g->height + g->pad_top + 1) / 2;
    }
    j.past_caches =
        !call->accumulate && g->group_filters == 1 && passes_caches(call->dx, g->batch * g->channels, g->plane);
    run(&j, g->batch * g->channels, threads, data_part);
}

/* ---- dW ---- */

/* Whether the kernel's own sums of dY do: those of tall planes, of a column or two, would lose digits. */
static bool sums_are_short(const job *j)
{
    const gg_conv_geometry *g = &j->call->g;
    return j->planes * g->out_height * ((g->out_width + GG_LINE - 1) / GG_LINE) <= MOST_SUMMED;
}

/* Of other planes, in double from the start: they are in cache still. */
static double sum_of_rows(const job *j, const float *dy, int64_t planes, int64_t begin, int64_t end)
{
    const int64_t width = j->slide.out_width;
    double sum = 0.0;
    for (int64_t n = 0; n < planes; n++)
        sum += gg_kernels()->sum(dy + n * j->slide.out_plane + begin * width, (end - begin) * width);
    return sum;
}

/* Short sums go on in double. */
static void move_sums(double *to, float *from)
{
    for (int lane = 0; lane < GG_TAP_SUMS; lane++) {
        to[lane] += (double)from[lane];
        from[lane] = 0.0f;
    }
}

static double total(const double *sums)
{
    double sum = 0.0;
    for (int lane = 0; lane < GG_TAP_SUMS; lane++)
        sum += sums[lane];
    return sum;
}

static void weights_filter(const job *j, int64_t filter)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    const float *x = call->x + filter / g->group_filters * g->plane, *dy = call->dy + filter * g->pixels;
    float sums[(MOST_TAPS + 1) * GG_TAP_SUMS] = {0}, *dy_sums = sums + g->taps * GG_TAP_SUMS;
    double bias[GG_TAP_SUMS] = {0};
    const bool moves = sums_are_short(j);
    for (int64_t image = 0; image < g->batch; image += j->planes) {
        const int64_t planes = least(j->planes, g->batch - image);
        const float *from = dy + image * j->slide.out_plane;
        for (int64_t begin = 0; begin < j->end; begin += j->band) {
            const int64_t end = least(begin + j->band, j->end);
            gg_kernels()->slide_weights(sums, from, x + image * j->slide.plane, &j->slide, planes, begin, end);
            if (moves)
                move_sums(bias, dy_sums);
            else if (call->db != NULL)
                bias[0] += sum_of_rows(j, from, planes, begin, end);
        }
    }
    gg_kernels()->total_taps(call->dw + filter * g->taps, sums, g->taps, call->accumulate);
    if (call->db != NULL)
        call->db[filter] = (float)(total(bias) + (call->accumulate ? (double)call->db[filter] : 0.0));
}

static void weights_part(void *context, int part, int parts)
{
    const job *j = context;
    for (int64_t i = j->parts * part / parts; i < j->parts * (part + 1) / parts; i++)
        weights_filter(j, i);
}

void gg_conv_slide_weights(const gg_conv_call *call, int threads)
{
    const gg_conv_geometry *g = &call->g;
    job j = job_of(call);
    j.slide.plane = g->channels * g->plane; /* a filter's planes lie an image apart */
    j.slide.out_plane = g->filters * g->pixels;
    run(&j, g->filters, threads, weights_part);
}
