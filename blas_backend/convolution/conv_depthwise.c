/* conv_depthwise.c - a group for each channel: no product of matrices, but a sum over taps on each plane by itself.
 *
 * A band of the plane that is read (x, or dy for dX) is copied into a buffer with zeros around it. Every tap then is
 * the same band, moved: y[i][j] = sum over t of w[t] band[i step + offset[t] + j], which kernels/taps.c computes.
 *   stride   where columns are skipped, a row of the buffer holds those of each remainder by themselves, one after
 *            the other, so that neighbours in y are neighbours there
 *   dX       pixel i of X is seen through the taps p with (i + pad - p dilation) divisible by the stride: for each
 *            remainder of i + pad a convolution of dY, without stride, with the taps that fit. The results of the
 *            remainders are put together row by row
 *   dW       a sum of products of dY and the moved band, over all pixels and images
 * The usual small kernels do without the buffer where registers have masks: conv_slide.c. */
#include <string.h>

#include "conv_method.h"
#include "conv_slide.h"
#include "kernels/kernels.h"
#include "parallel.h"

enum {
    MOST_TAPS = 256,
    MOST_STRIDE = 4,
    MOST_SETS = MOST_STRIDE * MOST_STRIDE,
    BAND = 6144 /* floats of a buffer: it and the results of its rows stay in the first-level cache */
};

/* The taps that meet in the results of one remainder; forward there is one set of all taps. */
typedef struct tap_set {
    int64_t first, count;  /* places in offsets and order */
    int64_t row, column;   /* of its first result in the plane */
    int64_t rows, columns; /* of its results */
} tap_set;

/* How a plane is read and written, the same for all planes of a pass. */
typedef struct layout {
    int64_t in_height, in_width; /* of the plane that is read */
    int64_t top, left;           /* zeros before it; below 0: rows and columns that nobody sees */
    int64_t step;                /* rows of the buffer from one row of results to the next */
    int64_t parts, part;         /* a row of the buffer: so many remainders, that long each */
    int64_t span;                /* rows of the buffer that a row of results sees */
    int64_t rows;                /* of results: of the set that has most */
    int64_t band;                /* rows of results at a time */
    int64_t buffer, gathered;    /* floats of a band, and of its results before they are put together */
    int64_t between;             /* floats of the rows on their way into remainders or out of them */
    int64_t sums;                /* floats of the sums of dW */
    int64_t taps;                /* of the kernel */
    int64_t set_count;
    tap_set sets[MOST_SETS];
    int64_t offsets[MOST_TAPS];
    int order[MOST_TAPS]; /* the place of each tap in w */
} layout;

static bool fits(const gg_conv_geometry *g, gg_conv_pass pass)
{
    (void)pass;
    return g->groups == g->channels && g->taps <= MOST_TAPS && g->stride_y <= MOST_STRIDE && g->stride_x <= MOST_STRIDE;
}

/* ---- the layout ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t pitch(const layout *l)
{
    return l->parts * l->part;
}

/* Rows at a time, and what they take. */
static void cut_into_bands(layout *l, int64_t result_parts, int64_t result_width)
{
    const int64_t whole = ((l->rows - 1) * l->step + l->span) * pitch(l);
    const int64_t bands = (whole + BAND - 1) / BAND;
    l->band = (l->rows + bands - 1) / bands;
    l->buffer = gg_conv_lines(((l->band - 1) * l->step + l->span) * pitch(l) + GG_ROW_SLACK);
    l->gathered = result_parts > 1 ? gg_conv_lines(result_parts * l->band * result_width + GG_ROW_SLACK) : 0;
    const int64_t parts = most(l->parts, result_parts), part = l->parts > 1 ? l->part : result_width;
    l->between = parts > 1 ? gg_conv_lines(GG_ROWS_BETWEEN * parts * (part + GG_ROW_SLACK)) : 0;
}

/* Reading X: forward and dW. */
static void lay_out_forward(layout *l, const gg_conv_geometry *g, gg_conv_pass pass)
{
    *l = (layout){.in_height = g->height,
                  .in_width = g->width,
                  .top = g->pad_top,
                  .left = g->pad_left,
                  .step = g->stride_y,
                  .parts = g->stride_x,
                  .part = g->out_width + (g->kernel_width - 1) * g->dilation_x / g->stride_x,
                  .span = (g->kernel_height - 1) * g->dilation_y + 1,
                  .rows = g->out_height,
                  .sums = pass == GG_CONV_BACKWARD_WEIGHTS ? g->taps * GG_TAP_SUMS : 0,
                  .taps = g->taps,
                  .set_count = 1};
    l->sets[0] = (tap_set){.count = g->taps, .rows = g->out_height, .columns = g->out_width};
    for (int t = 0; t < (int)g->taps; t++) {
        const int64_t down = t / g->kernel_width * g->dilation_y, right = t % g->kernel_width * g->dilation_x;
        l->order[t] = t;
        l->offsets[t] = down * pitch(l) + right % g->stride_x * l->part + right / g->stride_x;
    }
    cut_into_bands(l, 1, g->out_width);
}

/* Whether b divides a, and how often it does. */
static bool divides(int64_t *quotient, int64_t a, int64_t b)
{
    *quotient = a / b;
    return a % b == 0;
}

/* Which row of dY the first row of dX of a remainder sees through tap p; its k-th row sees the k-th after that one. */
static bool row_seen(int64_t *row, const gg_conv_geometry *g, int64_t first, int64_t p)
{
    return divides(row, first + g->pad_top - p * g->dilation_y, g->stride_y);
}

static bool column_seen(int64_t *column, const gg_conv_geometry *g, int64_t first, int64_t q)
{
    return divides(column, first + g->pad_left - q * g->dilation_x, g->stride_x);
}

/* The rows and columns of dY, counted from its own, that lie furthest from it on each side. */
typedef struct seen {
    int64_t top, bottom, left, right; /* smallest and largest row and column that a first result sees */
} seen;

static seen look_around(const gg_conv_geometry *g)
{
    seen s = {INT64_MAX, INT64_MIN, INT64_MAX, INT64_MIN};
    int64_t at;
    for (int64_t first = 0; first < g->stride_y; first++)
        for (int64_t p = 0; p < g->kernel_height; p++)
            if (row_seen(&at, g, first, p)) {
                s.top = least(s.top, at);
                s.bottom = most(s.bottom, at);
            }
    for (int64_t first = 0; first < g->stride_x; first++)
        for (int64_t q = 0; q < g->kernel_width; q++)
            if (column_seen(&at, g, first, q)) {
                s.left = least(s.left, at);
                s.right = most(s.right, at);
            }
    return s;
}

/* The taps through which results from (row, column) on, a stride apart, see dY. */
static void add_set(layout *l, const gg_conv_geometry *g, const seen *s, int64_t row, int64_t column, int64_t before)
{
    tap_set *set = &l->sets[l->set_count++];
    int64_t down, right;
    *set = (tap_set){.first = before,
                     .row = row,
                     .column = column,
                     .rows = (g->height - row + g->stride_y - 1) / g->stride_y,
                     .columns = (g->width - column + g->stride_x - 1) / g->stride_x};
    for (int t = 0; t < (int)g->taps; t++)
        if (row_seen(&down, g, row, t / g->kernel_width) && column_seen(&right, g, column, t % g->kernel_width)) {
            l->order[before + set->count] = t;
            l->offsets[before + set->count] = (down - s->top) * pitch(l) + right - s->left;
            set->count++;
        }
}

/* Reading dY: dX. */
static void lay_out_data(layout *l, const gg_conv_geometry *g)
{
    const seen s = look_around(g);
    const int64_t columns = (g->width + g->stride_x - 1) / g->stride_x;
    *l = (layout){.in_height = g->out_height,
                  .in_width = g->out_width,
                  .top = -s.top,
                  .left = -s.left,
                  .step = 1,
                  .taps = g->taps,
                  .parts = 1,
                  .part = s.right - s.left + columns,
                  .span = s.bottom - s.top + 1,
                  .rows = (g->height + g->stride_y - 1) / g->stride_y};
    for (int64_t row = 0; row < least(g->stride_y, g->height); row++)
        for (int64_t column = 0; column < least(g->stride_x, g->width); column++) {
            const tap_set *last = l->set_count > 0 ? &l->sets[l->set_count - 1] : NULL;
            add_set(l, g, &s, row, column, last != NULL ? last->first + last->count : 0);
        }
    cut_into_bands(l, g->stride_x, columns);
}

static void lay_out(layout *l, const gg_conv_geometry *g, gg_conv_pass pass)
{
    if (pass == GG_CONV_BACKWARD_DATA)
        lay_out_data(l, g);
    else
        lay_out_forward(l, g, pass);
}

static int64_t floats_of(const layout *l)
{
    return l->buffer + l->gathered + l->between + gg_conv_lines(l->sums);
}

static int64_t workspace(const gg_conv_geometry *g, gg_conv_pass pass, int threads)
{
    layout l;
    if (gg_conv_slides(g))
        return 0;
    lay_out(&l, g, pass);
    return threads * floats_of(&l);
}

/* ---- a plane ---- */

/* A pass on its way. */
typedef struct job {
    const gg_conv_call *call;
    gg_conv_call finish; /* for gg_conv_finish: the bias is in Y already */
    layout l;
    int64_t planes; /* to be cut into parts */
} job;

/* The memory of one thread. */
typedef struct own {
    float *buffer, *gathered, *between, *sums;
} own;

static own own_memory(const job *j, int part)
{
    const layout *l = &j->l;
    float *first = j->call->workspace + part * floats_of(l);
    const own memory = {first, first + l->buffer, first + l->buffer + l->gathered,
                        first + l->buffer + l->gathered + l->between};
    memset(memory.buffer, 0, (size_t)l->buffer * sizeof *first); /* zeros beside the rows stay */
    memset(memory.between, 0, (size_t)l->between * sizeof *first);
    return memory;
}

/* Rows [begin, end) of the plane, as they lie in the buffer. */
static void copy_rows(float *target, const float *plane, const layout *l, int64_t begin, int64_t end, float *between)
{
    const int64_t first = most(0, -l->left), left = first + l->left;
    const int64_t count = least(l->in_width - first, pitch(l) - left);
    const float *from = plane + begin * l->in_width + first;
    if (l->parts > 1)
        gg_kernels()->split_rows(target, l->part, from, l->in_width, end - begin, most(count, 0), left, l->parts,
                                 between);
    else if (count > 0)
        gg_kernels()->copy_rows(target + left, pitch(l), from, l->in_width, end - begin, count);
}

/* What rows [begin, end) of results see. */
static void fill_buffer(const own *memory, const float *plane, const layout *l, int64_t begin, int64_t end)
{
    const int64_t first = begin * l->step - l->top, count = (end - begin - 1) * l->step + l->span;
    const int64_t from = least(most(first, 0), first + count), to = most(from, least(first + count, l->in_height));
    const size_t row = (size_t)pitch(l) * sizeof *plane;
    memset(memory->buffer, 0, (size_t)(from - first) * row);
    if (from < to)
        copy_rows(memory->buffer + (from - first) * pitch(l), plane, l, from, to, memory->between);
    memset(memory->buffer + (to - first) * pitch(l), 0, (size_t)(first + count - to) * row);
}

/* The taps of a set, their weights gathered into w where they are not all of them in order. */
static gg_taps taps_of(const layout *l, const tap_set *set, const float *weights, float w[MOST_TAPS])
{
    if (set->count == l->taps)
        return (gg_taps){weights, l->offsets, set->count, l->step * pitch(l)};
    for (int64_t t = 0; t < set->count; t++)
        w[t] = weights[l->order[set->first + t]];
    return (gg_taps){w, l->offsets + set->first, set->count, l->step * pitch(l)};
}

/* ---- forward ---- */

static void forward_plane(const job *j, const own *memory, int64_t image, int64_t channel)
{
    const gg_conv_geometry *g = &j->call->g;
    const layout *l = &j->l;
    const float *x = j->call->x + (image * g->channels + channel) * g->plane;
    for (int64_t begin = 0; begin < l->rows; begin += l->band) {
        const int64_t end = least(begin + l->band, l->rows);
        fill_buffer(memory, x, l, begin, end);
        for (int64_t i = 0; i < g->group_filters; i++) {
            const int64_t filter = channel * g->group_filters + i;
            const gg_taps taps = taps_of(l, &l->sets[0], j->call->w + filter * g->taps, NULL);
            gg_kernels()->sum_taps(j->call->y + (image * g->filters + filter) * g->pixels + begin * g->out_width,
                                   g->out_width, memory->buffer, &taps, end - begin, g->out_width,
                                   j->call->bias != NULL ? j->call->bias[filter] : 0.0f, false);
            gg_conv_finish(&j->finish, image, filter, begin * g->out_width, end * g->out_width);
        }
    }
}

/* ---- dX ---- */

/* A filter's share of rows [begin, begin + rows) of the results of one set; what they see is in the buffer. */
static void data_rows(const job *j, float *target, int64_t ldt, const float *buffer, const tap_set *set,
                      const float *weights, int64_t rows, bool accumulate)
{
    float w[MOST_TAPS];
    const gg_taps taps = taps_of(&j->l, set, weights, w);
    gg_kernels()->sum_taps(target, ldt, buffer, &taps, rows, set->columns, 0.0f, accumulate);
}

/* The sets of one remainder of rows, a set for each remainder of columns: side by side, then put together. */
static void data_mixed_rows(const job *j, const own *memory, float *dx, const tap_set *sets, const float *weights,
                            int64_t rows, bool accumulate)
{
    const gg_conv_geometry *g = &j->call->g;
    const int64_t parts = least(g->stride_x, g->width), width = sets->columns, ld = j->l.band * width;
    for (int64_t part = 0; part < parts; part++)
        data_rows(j, memory->gathered + part * ld, width, memory->buffer, &sets[part], weights, rows, false);
    gg_kernels()->join_rows(dx, g->stride_y * g->width, memory->gathered, width, ld, rows, g->width, g->stride_x,
                            accumulate, memory->between);
}

static void data_band(const job *j, const own *memory, float *plane, const float *weights, int64_t begin, int64_t end,
                      bool accumulate)
{
    const gg_conv_geometry *g = &j->call->g;
    const int64_t parts = least(g->stride_x, g->width);
    for (int64_t s = 0; s < j->l.set_count; s += parts) {
        const tap_set *sets = &j->l.sets[s];
        const int64_t rows = least(end, sets->rows) - begin;
        float *dx = plane + (sets->row + begin * g->stride_y) * g->width;
        if (rows <= 0)
            continue;
        if (g->stride_x == 1)
            data_rows(j, dx, g->stride_y * g->width, memory->buffer, sets, weights, rows, accumulate);
        else
            data_mixed_rows(j, memory, dx, sets, weights, rows, accumulate);
    }
}

static void data_plane(const job *j, const own *memory, int64_t image, int64_t channel)
{
    const gg_conv_geometry *g = &j->call->g;
    const layout *l = &j->l;
    for (int64_t i = 0; i < g->group_filters; i++) {
        const int64_t filter = channel * g->group_filters + i;
        for (int64_t begin = 0; begin < l->rows; begin += l->band) {
            const int64_t end = least(begin + l->band, l->rows);
            fill_buffer(memory, j->call->dy + (image * g->filters + filter) * g->pixels, l, begin, end);
            data_band(j, memory, j->call->dx + (image * g->channels + channel) * g->plane,
                      j->call->w + filter * g->taps, begin, end, j->call->accumulate || i > 0);
        }
    }
}

/* ---- dW ---- */

static void weights_filter(const job *j, const own *memory, int64_t filter)
{
    const gg_conv_geometry *g = &j->call->g;
    const layout *l = &j->l;
    const gg_taps taps = taps_of(l, &l->sets[0], NULL, NULL);
    memset(memory->sums, 0, (size_t)l->sums * sizeof *memory->sums);
    for (int64_t image = 0; image < g->batch; image++)
        for (int64_t begin = 0; begin < l->rows; begin += l->band) {
            const int64_t end = least(begin + l->band, l->rows);
            fill_buffer(memory, j->call->x + (image * g->channels + filter / g->group_filters) * g->plane, l, begin,
                        end);
            gg_kernels()->multiply_taps(memory->sums,
                                        j->call->dy + (image * g->filters + filter) * g->pixels + begin * g->out_width,
                                        g->out_width, memory->buffer, &taps, end - begin, g->out_width);
        }
    gg_kernels()->total_taps(j->call->dw + filter * g->taps, memory->sums, g->taps, j->call->accumulate);
}

/* ---- passes ---- */

static void run_part(const job *j, int part, int parts, void (*plane)(const job *, const own *, int64_t, int64_t))
{
    const own memory = own_memory(j, part);
    const int64_t channels = j->call->g.channels;
    for (int64_t i = j->planes * part / parts; i < j->planes * (part + 1) / parts; i++)
        plane(j, &memory, i / channels, i % channels);
}

static void forward_part(void *context, int part, int parts)
{
    run_part(context, part, parts, forward_plane);
}

static void data_part(void *context, int part, int parts)
{
    run_part(context, part, parts, data_plane);
}

static void weights_part(void *context, int part, int parts)
{
    const job *j = context;
    const own memory = own_memory(j, part);
    for (int64_t i = j->planes * part / parts; i < j->planes * (part + 1) / parts; i++)
        weights_filter(j, &memory, i);
}

/* Products below which a second thread does not pay. */
enum { GRAIN = 65536 };

static int threads_for(const gg_conv_call *call)
{
    const gg_conv_geometry *g = &call->g;
    return (int)least(gg_parallel_parts(g->batch * g->filters * g->pixels * g->taps, GRAIN), call->threads);
}

static void run(const gg_conv_call *call, gg_conv_pass pass, int64_t planes, gg_part_body body)
{
    job j = {.call = call, .finish = *call, .planes = planes};
    j.finish.bias = NULL;
    lay_out(&j.l, &call->g, pass);
    gg_parallel_run((int)least(threads_for(call), planes), body, &j);
}

static void forward(const gg_conv_call *call)
{
    if (gg_conv_slides(&call->g))
        gg_conv_slide_forward(call, threads_for(call));
    else
        run(call, GG_CONV_FORWARD, call->g.batch * call->g.channels, forward_part);
}

static void backward_data(const gg_conv_call *call)
{
    if (gg_conv_slides(&call->g))
        gg_conv_slide_data(call, threads_for(call));
    else
        run(call, GG_CONV_BACKWARD_DATA, call->g.batch * call->g.channels, data_part);
}

static void backward_weights(const gg_conv_call *call)
{
    if (gg_conv_slides(&call->g))
        gg_conv_slide_weights(call, threads_for(call));
    else
        run(call, GG_CONV_BACKWARD_WEIGHTS, call->g.filters, weights_part);
}

const gg_conv_method gg_conv_depthwise = {fits, workspace, {forward, backward_data, backward_weights}};
