/* slide.c - a small kernel that slides over one plane, and its gradients: depthwise convolution of 3 x 3 or 5 x 5 taps
 * in steps of 1 or 2, right from the planes, without a copy with zeros around.
 *
 * A block of LANES results of a row goes down the plane with its column of sums. Each row of x is loaded once, as one
 * vector for each column of taps, masked where that leaves the plane, and added to all rows of results that see it;
 * these are held in registers: with K taps and steps of S, padded row S i + m is row m + S k of the kernel for row
 * i - k of the results, k = 0, 1, ...
 *   y        sum[k] of row i - k += w[m + S k][q] x[S i + m][q]; the last k has seen all it sees
 *   dw       sum[m + S k][q] += dy[i - k] x[S i + m][q], lane by lane over the whole plane; one more sum is that of dy,
 *            the gradient of the bias, which by itself would read all of dy once more
 *   dx       for S = 1 the same as y, from dy by the turned kernel. For S = 2, padded pixel (2 i + m, 2 j + n) is the
 *            sum over k, l of w[m + 2 k][n + 2 l] dy[i - k][j - l]: four sums for each pixel of dy, put together
 * Where a row of x fits a register it is loaded once, and its lanes moved to where each tap sees them: most loads would
 * touch two cache lines, and take as long as two.
 * Memory that follows is fetched meanwhile, for a small plane is over before the CPU has guessed where it leads. */
#include "masked.h"

enum {
    MOST = 5,
    STRIDE = 2,
    AHEAD = 1024 /* floats from what is worked on to what is fetched: half as many do as well, twice not */
};

/* The number of k. */
#define REACH(kernel, stride) (((kernel)-1) / (stride) + 1)

bool GG_KERNEL(has_masks)(void)
{
    return GG_HAS_MASKS != 0;
}

/* Results [column, column + LANES) of every row, and what they see of a row of x. */
typedef struct block {
    int64_t at; /* of the first result's first tap in the row */
    lanes seen[MOST + 1], results;
    bool narrow; /* a row of x fits a register */
    lanes row;
    places moved[MOST];
} block;

GG_INLINE int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

GG_INLINE int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* n / step rounded up. */
GG_INLINE int64_t steps_up(int64_t n, int step)
{
    return step == 1 ? n : (n + 1) >> 1;
}

/* Taps that no result needs count as 0 too: 0 times NaN would be NaN. */
GG_INLINE block block_at(const gg_slide *s, int64_t column, int kernel, int stride, bool narrow)
{
    const int64_t results = s->out_width - column, at = column * stride - s->left;
    block b = {.at = at, .results = some_lanes(0, results), .narrow = narrow, .row = some_lanes(0, s->width)};
    GG_UNROLL for (int q = 0; narrow && q < kernel; q++)
    {
        b.moved[q] = some_places(at + q, stride);
        b.seen[q] = some_lanes(steps_up(-at - q, stride), least(steps_up(s->width - at - q, stride), results));
    }
    if (narrow)
        return b;
    GG_UNROLL for (int q = 0; q < kernel; q += stride)
    {
        const int64_t end = least(s->width - at - q, stride * results);
        b.seen[q] = some_lanes(-at - q, end);
        if (stride == 2)
            b.seen[q + 1] = some_lanes(-at - q - LANES, end - LANES);
    }
    return b;
}

/* to[q]: what tap q of the results sees. */
GG_INLINE void load_row(vector *to, const float *row, const block *b, int kernel, int stride)
{
    const float *from = row + b->at;
    if (b->narrow) {
        const vector whole = load(row, b->row);
        GG_UNROLL for (int q = 0; q < kernel; q++)
        {
            to[q] = take(whole, b->moved[q], b->seen[q]);
        }
        return;
    }
    GG_UNROLL for (int q = 0; q < kernel; q += stride)
    {
        if (stride == 1)
            to[q] = load(from + q, b->seen[q]);
        else
            split(&to[q], &to[q + 1], load(from + q, b->seen[q]), load(from + q + LANES, b->seen[q + 1]));
    }
}

GG_INLINE bool has_row(const gg_slide *s, int64_t row)
{
    return (uint64_t)row < (uint64_t)s->height; /* from 0 on, for negative ones become large */
}

/* Held in registers, as far as these suffice: what is stored might be a weight, for all the compiler knows. */
GG_INLINE void hold_weights(vector *held, const float *w, int kernel)
{
    GG_UNROLL for (int t = 0; t < kernel * kernel; t++)
    {
        held[t] = every_lane(w[t]);
    }
}

/* ---- y ---- */

GG_INLINE void add_row(vector *sum, const vector *x, const vector *w, int m, int kernel, int stride)
{
    GG_UNROLL for (int q = 0; q < kernel; q++)
    {
        GG_UNROLL for (int p = m; p < kernel; p += stride)
        {
            sum[p / stride] += w[p * kernel + q] * x[q];
        }
    }
}

GG_INLINE void put(float *y, vector v, lanes mask, bool accumulate)
{
    if (accumulate)
        v += load(y, mask);
    store(y, v, mask);
}

/* Rows i [from, to), with the first result on its way at first; `whole` where x has all rows that they see and each
 * ends a row of results. */
GG_INLINE void slide_rows(vector *sum, float *y, const float *x, const vector *w, const gg_slide *s, const block *b,
                          int kernel, int stride, int64_t first, int64_t from, int64_t to, float start, bool accumulate,
                          bool whole)
{
    const int last = REACH(kernel, stride) - 1;
    const int64_t width = s->width, out_width = s->out_width;
    int64_t r = from * stride - s->top, at = r * width, out = (from - last) * out_width;
    vector row[MOST + 1];
    for (int64_t i = from; i < to; i++) {
        GG_UNROLL for (int m = 0; m < stride; m++)
        {
            if (whole || has_row(s, r + m)) {
                load_row(row, x + at, b, kernel, stride);
                __builtin_prefetch(x + at + AHEAD);
                add_row(sum, row, w, m, kernel, stride);
            }
            at += width;
        }
        if (whole || i - last >= first) {
            __builtin_prefetch(y + out + AHEAD, 1);
            put(y + out, sum[last], b->results, accumulate);
        }
        GG_UNROLL for (int k = last; k > 0; k--)
        {
            sum[k] = sum[k - 1];
        }
        sum[0] = every_lane(start);
        out += out_width;
        r += stride;
    }
}

GG_INLINE void slide_block(float *y, const float *x, const vector *w, const gg_slide *s, const block *b, int kernel,
                           int stride, int64_t begin, int64_t end, float start, bool accumulate)
{
    const int last = REACH(kernel, stride) - 1;
    const int64_t above = steps_up(s->top, stride), below = (s->height + s->top) / stride;
    const int64_t head = least(most(begin + last, above), end + last), tail = most(least(end + last, below), head);
    vector sum[MOST];
    GG_UNROLL for (int k = 0; k <= last; k++)
    {
        sum[k] = every_lane(start);
    }
    slide_rows(sum, y, x, w, s, b, kernel, stride, begin, begin, head, start, accumulate, false);
    slide_rows(sum, y, x, w, s, b, kernel, stride, begin, head, tail, start, accumulate, true);
    slide_rows(sum, y, x, w, s, b, kernel, stride, begin, tail, end + last, start, accumulate, false);
}

GG_INLINE void slide_fixed(float *y, const float *x, const float *w, const float *start, const gg_slide *s, int kernel,
                           int stride, bool narrow, int64_t planes, int64_t begin, int64_t end, bool accumulate)
{
    const gg_slide local = *s;
    for (int64_t j = 0; j < local.out_width; j += LANES) {
        const block b = block_at(&local, j, kernel, stride, narrow);
        for (int64_t n = 0; n < planes; n++) {
            vector held[MOST * MOST];
            hold_weights(held, w + n * kernel * kernel, kernel);
            slide_block(y + n * local.out_plane + j, x + n * local.plane, held, &local, &b, kernel, stride, begin, end,
                        start != NULL ? start[n] : 0.0f, accumulate);
        }
    }
}

GG_INLINE void slide_any(float *y, const float *x, const float *w, const float *start, const gg_slide *s, bool narrow,
                         int64_t planes, int64_t begin, int64_t end, bool accumulate)
{
    if (s->kernel == 3 && s->stride == 1)
        slide_fixed(y, x, w, start, s, 3, 1, narrow, planes, begin, end, accumulate);
    else if (s->kernel == 3)
        slide_fixed(y, x, w, start, s, 3, 2, narrow, planes, begin, end, accumulate);
    else if (s->stride == 1)
        slide_fixed(y, x, w, start, s, 5, 1, narrow, planes, begin, end, accumulate);
    else
        slide_fixed(y, x, w, start, s, 5, 2, narrow, planes, begin, end, accumulate);
}

void GG_KERNEL(slide)(float *y, const float *x, const float *w, const float *start, const gg_slide *s, int64_t planes,
                      int64_t begin, int64_t end, bool accumulate)
{
    if (s->width <= LANES)
        slide_any(y, x, w, start, s, true, planes, begin, end, accumulate);
    else
        slide_any(y, x, w, start, s, false, planes, begin, end, accumulate);
}

/* ---- dw ---- */

/* seen[k] is row i - k of dy, for the rows i [from, to) that come. Rows out of [begin, end) count for nothing, which is
 * more than to be 0, for x may be NaN: `whole` where there are none. */
GG_INLINE void weights_rows(vector *sum, vector *seen, const float *dy, const float *x, const gg_slide *s,
                            const block *b, int kernel, int stride, int64_t begin, int64_t end, int64_t from,
                            int64_t to, bool whole)
{
    const int64_t width = s->width, out_width = s->out_width, plane = s->plane, out_plane = s->out_plane;
    int64_t r = from * stride - s->top, at = r * width, out = from * out_width;
    vector row[MOST + 1];
    for (int64_t i = from; i < to; i++) {
        GG_UNROLL for (int k = REACH(kernel, stride) - 1; k > 0; k--)
        {
            seen[k] = seen[k - 1];
        }
        if (whole || i < end) {
            seen[0] = load(dy + out, b->results);
            sum[kernel * kernel] += seen[0];
        }
        __builtin_prefetch(dy + out + out_plane);
        GG_UNROLL for (int m = 0; m < stride; m++)
        {
            if (whole || has_row(s, r + m)) {
                load_row(row, x + at, b, kernel, stride);
                __builtin_prefetch(x + at + plane);
                GG_UNROLL for (int p = m; p < kernel; p += stride)
                {
                    const int k = p / stride;
                    if (whole || (i - k >= begin && i - k < end))
                        GG_UNROLL for (int q = 0; q < kernel; q++)
                        {
                            sum[p * kernel + q] += seen[k] * row[q];
                        }
                }
            }
            at += width;
        }
        out += out_width;
        r += stride;
    }
}

GG_INLINE void weights_plane(vector *sum, const float *dy, const float *x, const gg_slide *s, const block *b,
                             int kernel, int stride, int64_t begin, int64_t end)
{
    const int last = REACH(kernel, stride) - 1;
    const int64_t above = steps_up(s->top, stride), below = (s->height + s->top) / stride;
    const int64_t head = least(most(begin + last, above), end + last), tail = most(least(end, below), head);
    vector seen[MOST];
    GG_UNROLL for (int k = 0; k <= last; k++)
    {
        seen[k] = every_lane(0.0f);
    }
    weights_rows(sum, seen, dy, x, s, b, kernel, stride, begin, end, begin, head, false);
    weights_rows(sum, seen, dy, x, s, b, kernel, stride, begin, end, head, tail, true);
    weights_rows(sum, seen, dy, x, s, b, kernel, stride, begin, end, tail, end + last, false);
}

/* Where sums of tap t lie, and behind the taps those of dy. */
GG_INLINE int place(int t, int kernel)
{
    return t < kernel * kernel ? t * LANES : t * GG_TAP_SUMS;
}

GG_INLINE void load_sums(vector *sum, const float *sums, int kernel)
{
    GG_UNROLL for (int t = 0; t <= kernel * kernel; t++)
    {
        sum[t] = load(sums + place(t, kernel), some_lanes(0, LANES));
    }
}

GG_INLINE void store_sums(float *sums, const vector *sum, int kernel)
{
    GG_UNROLL for (int t = 0; t <= kernel * kernel; t++)
    {
        store(sums + place(t, kernel), sum[t], some_lanes(0, LANES));
    }
}

GG_INLINE void weights_fixed(float *sums, const float *dy, const float *x, const gg_slide *s, int kernel, int stride,
                             bool narrow, int64_t planes, int64_t begin, int64_t end)
{
    const gg_slide local = *s;
    for (int64_t j = 0; j < local.out_width; j += LANES) {
        const block b = block_at(&local, j, kernel, stride, narrow);
        vector sum[MOST * MOST + 1];
        load_sums(sum, sums, kernel);
        for (int64_t n = 0; n < planes; n++)
            weights_plane(sum, dy + n * local.out_plane + j, x + n * local.plane, &local, &b, kernel, stride, begin,
                          end);
        store_sums(sums, sum, kernel);
    }
}

GG_INLINE void weights_any(float *sums, const float *dy, const float *x, const gg_slide *s, bool narrow, int64_t planes,
                           int64_t begin, int64_t end)
{
    if (s->kernel == 3 && s->stride == 1)
        weights_fixed(sums, dy, x, s, 3, 1, narrow, planes, begin, end);
    else if (s->kernel == 3)
        weights_fixed(sums, dy, x, s, 3, 2, narrow, planes, begin, end);
    else if (s->stride == 1)
        weights_fixed(sums, dy, x, s, 5, 1, narrow, planes, begin, end);
    else
        weights_fixed(sums, dy, x, s, 5, 2, narrow, planes, begin, end);
}

void GG_KERNEL(slide_weights)(float *sums, const float *dy, const float *x, const gg_slide *s, int64_t planes,
                              int64_t begin, int64_t end)
{
    if (s->width <= LANES)
        weights_any(sums, dy, x, s, true, planes, begin, end);
    else
        weights_any(sums, dy, x, s, false, planes, begin, end);
}

/* ---- dx, in steps of 2 ---- */

/* Row m of a pair, from rows seen[k][l] = dy[i - k][j - l]. */
GG_INLINE void spread_row(float *dx, vector seen[][MOST], const vector *w, int m, int kernel, lanes low, lanes high,
                          bool accumulate)
{
    vector sum[STRIDE], a, b;
    GG_UNROLL for (int n = 0; n < STRIDE; n++)
    {
        sum[n] = every_lane(0.0f);
        GG_UNROLL for (int p = m; p < kernel; p += STRIDE)
        {
            GG_UNROLL for (int q = n; q < kernel; q += STRIDE)
            {
                sum[n] += w[p * kernel + q] * seen[p / STRIDE][q / STRIDE];
            }
        }
    }
    join(&a, &b, sum[0], sum[1]);
    put(dx, a, low, accumulate);
    put(dx + LANES, b, high, accumulate);
}

/* Padded columns 2 column and 2 LANES on. */
GG_INLINE void spread_block(float *dx, const float *dy, const vector *w, const gg_slide *s, int64_t column, int kernel,
                            int64_t begin, int64_t end, bool accumulate)
{
    const int last = REACH(kernel, STRIDE) - 1;
    const int64_t at = STRIDE * column - s->left;
    const lanes low = some_lanes(-at, s->width - at), high = some_lanes(-at - LANES, s->width - at - LANES);
    vector seen[MOST / STRIDE + 1][MOST];
    lanes inside[MOST];
    GG_UNROLL for (int l = 0; l <= last; l++)
    {
        inside[l] = some_lanes(l - column, s->out_width - column + l);
        GG_UNROLL for (int k = 0; k <= last; k++)
        {
            seen[k][l] = every_lane(0.0f);
        }
    }
    for (int64_t i = begin - last; i < end; i++) {
        GG_UNROLL for (int l = 0; l <= last; l++)
        {
            GG_UNROLL for (int k = last; k > 0; k--)
            {
                seen[k][l] = seen[k - 1][l];
            }
            seen[0][l] = every_lane(0.0f);
            if (i >= 0 && i < s->out_height)
                seen[0][l] = load(dy + i * s->out_width + column - l, inside[l]);
        }
        __builtin_prefetch(dy + i * s->out_width + column + AHEAD);
        GG_UNROLL for (int m = 0; m < STRIDE; m++)
        {
            const int64_t r = STRIDE * i + m - s->top;
            if (i >= begin && has_row(s, r)) {
                float *to = dx + r * s->width + at;
                __builtin_prefetch(to + AHEAD, 1);
                __builtin_prefetch(to + AHEAD + LANES, 1);
                spread_row(to, seen, w, m, kernel, low, high, accumulate);
            }
        }
    }
}

GG_INLINE void spread_fixed(float *dx, const float *dy, const float *w, const gg_slide *s, int kernel, int64_t planes,
                            int64_t begin, int64_t end, bool accumulate)
{
    const gg_slide local = *s;
    for (int64_t n = 0; n < planes; n++) {
        vector held[MOST * MOST];
        hold_weights(held, w + n * kernel * kernel, kernel);
        for (int64_t j = local.left / STRIDE; STRIDE * j - local.left < local.width; j += LANES)
            spread_block(dx + n * local.plane, dy + n * local.out_plane, held, &local, j, kernel, begin, end,
                         accumulate);
    }
}

void GG_KERNEL(slide_data)(float *dx, const float *dy, const float *w, const gg_slide *s, int64_t planes, int64_t begin,
                           int64_t end, bool accumulate)
{
    if (s->kernel == 3)
        spread_fixed(dx, dy, w, s, 3, planes, begin, end, accumulate);
    else
        spread_fixed(dx, dy, w, s, 5, planes, begin, end, accumulate);
}
