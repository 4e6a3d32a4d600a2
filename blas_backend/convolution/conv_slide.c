/* conv_slide.c - a group for each channel, kernels of 3 x 3 or 5 x 5 taps in steps of 1 or 2: kernels/slide.c does a
 * plane. Large planes go in bands of rows, which stay in the first-level cache while blocks of columns pass. */
#include "conv_slide.h"

#include "kernels/kernels.h"
#include "parallel.h"

enum {
    MOST_TAPS = 25,
    BAND = 2048, /* floats of a plane at a time */
    LEAST_ROWS = 8,
    AHEAD = 512 /* floats of planes at least, from what is read to what is fetched: a small plane takes less time */
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
    int64_t parts;      /* planes of X, or filters, to be cut into parts */
} job;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void run(job *j, int64_t parts, int threads, gg_part_body body)
{
    const int64_t rows = BAND / (j->slide.stride * j->slide.width);
    j->band = rows < LEAST_ROWS ? LEAST_ROWS : rows;
    j->parts = parts;
    gg_parallel_run((int)least(threads, parts), body, j);
}

/* The planes of X of one part. Divisions would take longer than a small plane's sums. */
static void for_planes(const job *j, int part, int parts, void (*plane)(const job *, int64_t image, int64_t channel))
{
    const int64_t channels = j->call->g.channels, begin = j->parts * part / parts, end = j->parts * (part + 1) / parts;
    int64_t image = begin / channels, channel = begin % channels;
    for (int64_t i = begin; i < end; i++) {
        plane(j, image, channel);
        if (++channel == channels) {
            channel = 0;
            image++;
        }
    }
}

/* From X to Y. */
static job job_of(const gg_conv_call *call)
{
    const gg_conv_geometry *g = &call->g;
    const int64_t ahead = (AHEAD + g->plane - 1) / g->plane;
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
                       .next = ahead * g->plane,
                       .next_out = ahead * g->pixels},
             .end = g->out_height};
    j.finish.bias = NULL;
    return j;
}

/* ---- forward ---- */

static void forward_plane(const job *j, int64_t image, int64_t channel)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    const float *x = call->x + (image * g->channels + channel) * g->plane;
    const int64_t first = channel * g->group_filters;
    for (int64_t filter = first; filter < first + g->group_filters; filter++)
        for (int64_t begin = 0; begin < j->end; begin += j->band) {
            const int64_t end = least(begin + j->band, j->end);
            gg_kernels()->slide(call->y + (image * g->filters + filter) * g->pixels, x, call->w + filter * g->taps,
                                &j->slide, begin, end, call->bias != NULL ? call->bias[filter] : 0.0f, false);
            gg_conv_finish(&j->finish, image, filter, begin * g->out_width, end * g->out_width);
        }
}

static void forward_part(void *context, int part, int parts)
{
    for_planes(context, part, parts, forward_plane);
}

void gg_conv_slide_forward(const gg_conv_call *call, int threads)
{
    job j = job_of(call);
    run(&j, call->g.batch * call->g.channels, threads, forward_part);
}

/* ---- dX ---- */

/* What one filter adds to the plane of X. */
static void data_filter(const job *j, float *dx, const float *dy, const float *w, bool accumulate)
{
    const int64_t taps = j->call->g.taps;
    float turned[MOST_TAPS];
    for (int64_t t = 0; t < taps; t++)
        turned[t] = w[taps - 1 - t];
    for (int64_t begin = j->begin; begin < j->end; begin += j->band) {
        const int64_t end = least(begin + j->band, j->end);
        if (j->call->g.stride_y == 1)
            gg_kernels()->slide(dx, dy, turned, &j->slide, begin, end, 0.0f, accumulate);
        else
            gg_kernels()->slide_data(dx, dy, w, &j->slide, begin, end, accumulate);
    }
}

static void data_plane(const job *j, int64_t image, int64_t channel)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    float *dx = call->dx + (image * g->channels + channel) * g->plane;
    for (int64_t i = 0; i < g->group_filters; i++) {
        const int64_t filter = channel * g->group_filters + i;
        data_filter(j, dx, call->dy + (image * g->filters + filter) * g->pixels, call->w + filter * g->taps,
                    call->accumulate || i > 0);
    }
}

static void data_part(void *context, int part, int parts)
{
    for_planes(context, part, parts, data_plane);
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
                          .next = s.next_out,
                          .next_out = s.next};
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
    run(&j, g->batch * g->channels, threads, data_part);
}

/* ---- dW ---- */

static void weights_filter(const job *j, int64_t filter)
{
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    const float *x = call->x + filter / g->group_filters * g->plane, *dy = call->dy + filter * g->pixels;
    float sums[MOST_TAPS * GG_TAP_SUMS] = {0};
    for (int64_t image = 0; image < g->batch; image++, x += j->slide.next, dy += j->slide.next_out)
        for (int64_t begin = 0; begin < j->end; begin += j->band)
            gg_kernels()->slide_weights(sums, dy, x, &j->slide, begin, least(begin + j->band, j->end));
    gg_kernels()->total_taps(call->dw + filter * g->taps, sums, g->taps, call->accumulate);
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
    j.slide.next = g->channels * g->plane; /* a filter's planes lie an image apart */
    j.slide.next_out = g->filters * g->pixels;
    run(&j, g->filters, threads, weights_part);
}
