/* conv_slide.c - a group for each channel, kernels of 3 x 3 or 5 x 5 taps in steps of 1 or 2: kernels/slide.c does a
 * plane. Large planes go in bands of rows, which stay in the first-level cache while blocks of columns pass. */
#include "conv_slide.h"

#include "kernels/kernels.h"
#include "parallel.h"

enum {
    MOST_TAPS = 25,
    BAND = 2048, /* floats of a plane at a time */
    LEAST_ROWS = 8
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
    int64_t parts;      /* planes or filters, to be cut into parts */
} job;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t filter_of(const job *j, int64_t plane)
{
    return plane % j->call->g.filters;
}

/* The plane of X that a plane of Y comes from; both are counted through the images. */
static int64_t plane_of_x(const job *j, int64_t plane)
{
    return plane / j->call->g.group_filters;
}

static void run(job *j, int64_t parts, int threads, gg_part_body body)
{
    const int64_t rows = BAND / (j->slide.stride * j->slide.width);
    j->band = rows < LEAST_ROWS ? LEAST_ROWS : rows;
    j->parts = parts;
    gg_parallel_run((int)least(threads, parts), body, j);
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
                       .next = g->plane,
                       .next_out = g->pixels},
             .end = g->out_height};
    j.finish.bias = NULL;
    return j;
}

/* ---- forward ---- */

static void forward_part(void *context, int part, int parts)
{
    const job *j = context;
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    for (int64_t i = j->parts * part / parts; i < j->parts * (part + 1) / parts; i++) {
        const int64_t filter = filter_of(j, i);
        for (int64_t begin = 0; begin < j->end; begin += j->band) {
            const int64_t end = least(begin + j->band, j->end);
            gg_kernels()->slide(call->y + i * g->pixels, call->x + plane_of_x(j, i) * g->plane,
                                call->w + filter * g->taps, &j->slide, begin, end,
                                call->bias != NULL ? call->bias[filter] : 0.0f, false);
            gg_conv_finish(&j->finish, i / g->filters, filter, begin * g->out_width, end * g->out_width);
        }
    }
}

void gg_conv_slide_forward(const gg_conv_call *call, int threads)
{
    job j = job_of(call);
    run(&j, call->g.batch * call->g.filters, threads, forward_part);
}

/* ---- dX ---- */

/* What one filter adds to the plane of X. */
static void data_plane(const job *j, float *dx, int64_t plane, bool accumulate)
{
    const gg_conv_call *call = j->call;
    const int64_t taps = call->g.taps;
    const float *w = call->w + filter_of(j, plane) * taps, *dy = call->dy + plane * call->g.pixels;
    float turned[MOST_TAPS];
    for (int64_t t = 0; t < taps; t++)
        turned[t] = w[taps - 1 - t];
    for (int64_t begin = j->begin; begin < j->end; begin += j->band) {
        const int64_t end = least(begin + j->band, j->end);
        if (call->g.stride_y == 1)
            gg_kernels()->slide(dx, dy, turned, &j->slide, begin, end, 0.0f, accumulate);
        else
            gg_kernels()->slide_data(dx, dy, w, &j->slide, begin, end, accumulate);
    }
}

static void data_part(void *context, int part, int parts)
{
    const job *j = context;
    const gg_conv_geometry *g = &j->call->g;
    for (int64_t i = j->parts * part / parts; i < j->parts * (part + 1) / parts; i++)
        for (int64_t k = 0; k < g->group_filters; k++)
            data_plane(j, j->call->dx + i * g->plane, i * g->group_filters + k, j->call->accumulate || k > 0);
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

static void weights_part(void *context, int part, int parts)
{
    const job *j = context;
    const gg_conv_call *call = j->call;
    const gg_conv_geometry *g = &call->g;
    for (int64_t i = j->parts * part / parts; i < j->parts * (part + 1) / parts; i++) {
        float sums[MOST_TAPS * GG_TAP_SUMS] = {0};
        for (int64_t plane = i; plane < g->batch * g->filters; plane += g->filters)
            for (int64_t begin = 0; begin < j->end; begin += j->band)
                gg_kernels()->slide_weights(sums, call->dy + plane * g->pixels,
                                            call->x + plane_of_x(j, plane) * g->plane, &j->slide, begin,
                                            least(begin + j->band, j->end));
        gg_kernels()->total_taps(call->dw + i * g->taps, sums, g->taps, call->accumulate);
    }
}

void gg_conv_slide_weights(const gg_conv_call *call, int threads)
{
    const gg_conv_geometry *g = &call->g;
    job j = job_of(call);
    j.slide.next = g->channels * g->plane; /* a filter's planes lie an image apart */
    j.slide.next_out = g->filters * g->pixels;
    run(&j, g->filters, threads, weights_part);
}
