/* pool.c - windows over images: the largest, the mean, and their gradients.
 *
 * A row of outputs is worked on in blocks of windows that lie side by side and within the image to the left and right,
 * one window a lane; the few at the borders one by one. Widths and strides that occur most are constants here, so that
 * their loads become vector loads and permutations. */
#include "kernel_set.h"

/* One plane of the image and its row of outputs. */
typedef struct row {
    const float *x;     /* the plane */
    int64_t top, rows;  /* of the windows, within the image */
    int64_t begin, end; /* the windows within the image left and right */
} row;

GG_INLINE int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

GG_INLINE int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

GG_INLINE row row_at(const gg_pool_shape *p, const float *x, int64_t out_row)
{
    const int64_t top = out_row * p->stride_height - p->top, bottom = least(top + p->kernel_height, p->height);
    const int64_t begin = least((p->left + p->stride_width - 1) / p->stride_width, p->out_width);
    const int64_t room = p->width + p->left - p->kernel_width;
    const int64_t end = room < 0 ? 0 : least(room / p->stride_width + 1, p->out_width);
    return (row){x, most(top, 0), bottom - most(top, 0), begin, most(begin, end)};
}

/* block(width, first, ...) for windows begin .. end-1: whole registers, then fours, then single ones. */
enum { FEW = 4 };
#define OVER_WINDOWS(begin, end, block, ...)       \
    do {                                           \
        int64_t at_ = (begin);                     \
        for (; at_ + LANES <= (end); at_ += LANES) \
            block(LANES, at_, __VA_ARGS__);        \
        for (; at_ + FEW <= (end); at_ += FEW)     \
            block(FEW, at_, __VA_ARGS__);          \
        for (; at_ < (end); at_++)                 \
            block(1, at_, __VA_ARGS__);            \
    } while (0)

/* The same for blocks that may be done twice: the last one begins earlier instead of being shorter. Less than four
 * windows are left to the caller; *done is where they begin. */
#define OVER_WINDOWS_AGAIN(done, begin, end, block, ...)            \
    do {                                                            \
        const int64_t count_ = (end) - (begin);                     \
        *(done) = count_ >= FEW ? (end) : (begin);                  \
        if (count_ >= LANES)                                        \
            for (int64_t at_ = (begin); at_ < (end); at_ += LANES)  \
                block(LANES, least(at_, (end)-LANES), __VA_ARGS__); \
        else if (count_ >= FEW)                                     \
            for (int64_t at_ = (begin); at_ < (end); at_ += FEW)    \
                block(FEW, least(at_, (end)-FEW), __VA_ARGS__);     \
    } while (0)

/* ---- the largest ---- */

/* A NaN is larger than everything. */
GG_INLINE bool exceeds(float a, float b)
{
    return (a > b) | (a != a);
}

/* The best so far of each lane's window, and where it stands. */
typedef struct bests {
    float value[LANES];
    int32_t place[LANES];
} bests;

/* Two neighbours of each window, from `place` on for the first lane: loads of whole registers where stride is 2. */
GG_INLINE void meet_pair(bests *b, int count, const float *x, int32_t place, int32_t stride, bool indexed)
{
    float left[LANES], right[LANES];
    GG_FOR_LANES (lane, count) {
        left[lane] = x[lane * stride];
        right[lane] = x[lane * stride + 1];
    }
    GG_FOR_LANES (lane, count) {
        const bool larger = exceeds(left[lane], b->value[lane]);
        b->value[lane] = larger ? left[lane] : b->value[lane];
        if (indexed)
            b->place[lane] = larger ? place + lane * stride : b->place[lane];
    }
    GG_FOR_LANES (lane, count) {
        const bool larger = exceeds(right[lane], b->value[lane]);
        b->value[lane] = larger ? right[lane] : b->value[lane];
        if (indexed)
            b->place[lane] = larger ? place + 1 + lane * stride : b->place[lane];
    }
}

GG_INLINE void meet_one(bests *b, int count, const float *x, int32_t place, int32_t stride, bool indexed)
{
    GG_FOR_LANES (lane, count) {
        const float value = x[lane * stride];
        const bool larger = exceeds(value, b->value[lane]);
        b->value[lane] = larger ? value : b->value[lane];
        if (indexed)
            b->place[lane] = larger ? place + lane * stride : b->place[lane];
    }
}

/* `count` windows from `first` on; kernel and stride are the horizontal ones. Of a row of three, the middle one is met
 * twice, in two pairs. */
GG_INLINE void max_block(int count, int64_t first, float *y, int32_t *index, const row *r, const gg_pool_shape *p,
                         int64_t kernel, int32_t stride, bool indexed)
{
    bests b;
    const int32_t corner = (int32_t)(r->top * p->width - p->left) + (int32_t)first * stride;
    GG_FOR_LANES (lane, count) {
        b.value[lane] = -__builtin_inff();
        b.place[lane] = corner + lane * stride;
    }
    for (int32_t i = 0; i < (int32_t)r->rows; i++) {
        const int32_t from = corner + i * (int32_t)p->width;
        if (kernel == 2 || kernel == 3)
            meet_pair(&b, count, r->x + from, from, stride, indexed);
        if (kernel == 3)
            meet_pair(&b, count, r->x + from + 1, from + 1, stride, indexed);
        if (kernel != 2 && kernel != 3)
            for (int32_t j = 0; j < (int32_t)kernel; j++)
                meet_one(&b, count, r->x + from + j, from + j, stride, indexed);
    }
    GG_FOR_LANES (lane, count) {
        y[first + lane] = b.value[lane];
        if (indexed)
            index[first + lane] = b.place[lane];
    }
}

/* A window that the image cuts off. */
static void max_one(float *y, int32_t *index, const row *r, const gg_pool_shape *p, int64_t out_column)
{
    const int64_t left = out_column * p->stride_width - p->left;
    const int64_t begin = most(left, 0), end = least(left + p->kernel_width, p->width);
    int64_t place = r->top * p->width + begin;
    float best = r->x[place];
    for (int64_t i = r->top; i < r->top + r->rows; i++)
        for (int64_t j = begin; j < end; j++)
            if (exceeds(r->x[i * p->width + j], best)) {
                place = i * p->width + j;
                best = r->x[place];
            }
    y[out_column] = best;
    if (index != NULL)
        index[out_column] = (int32_t)place;
}

GG_INLINE void max_rows(float *y, int32_t *index, const float *x, const gg_pool_shape *p, int64_t kernel,
                        int32_t stride, bool indexed)
{
    for (int64_t i = 0; i < p->out_height; i++) {
        const row r = row_at(p, x, i);
        for (int64_t j = 0; j < r.begin; j++)
            max_one(y, index, &r, p, j);
        int64_t done;
        OVER_WINDOWS_AGAIN(&done, r.begin, r.end, max_block, y, index, &r, p, kernel, stride, indexed);
        for (int64_t j = done; j < p->out_width; j++)
            max_one(y, index, &r, p, j);
        y += p->out_width;
        index = indexed ? index + p->out_width : NULL;
    }
}

/* Windows of 2 x 2 side by side in rows shorter than a register. A block may run beyond the end of its row: what it
 * writes there the next rows overwrite, as long as there are enough of them. */
GG_INLINE void max_short_rows(int count, float *y, int32_t *index, const float *x, int64_t planes,
                              const gg_pool_shape *p, bool indexed)
{
    const int64_t size = p->height * p->width, out = p->out_height * p->out_width;
    for (int64_t plane = 0; plane < planes; plane++)
        for (int64_t i = 0; i < p->out_height; i++) {
            const int64_t at = plane * out + i * p->out_width, from = plane * size + 2 * i * p->width;
            const row r = row_at(p, x + plane * size, i);
            int32_t *place = indexed ? index + at : NULL;
            if (at + count <= planes * out && from + p->width + 2 * count <= planes * size)
                max_block(count, 0, y + at, place, &r, p, 2, 2, indexed);
            else
                for (int64_t j = 0; j < p->out_width; j++)
                    max_one(y + at, place, &r, p, j);
        }
}

#define MAX_SHORT_ROWS(name, count)                                                               \
    GG_APART void max_short_rows_##name(float *y, int32_t *index, const float *x, int64_t planes, \
                                        const gg_pool_shape *p)                                   \
    {                                                                                             \
        if (index != NULL)                                                                        \
            max_short_rows(count, y, index, x, planes, p, true);                                  \
        else                                                                                      \
            max_short_rows(count, y, NULL, x, planes, p, false);                                  \
    }

MAX_SHORT_ROWS(whole, LANES)
MAX_SHORT_ROWS(half, LANES / 2)

static bool side_by_side(const gg_pool_shape *p)
{
    return p->kernel_height == 2 && p->kernel_width == 2 && p->stride_height == 2 && p->stride_width == 2 && p->top == 0
           && p->left == 0 && p->out_height == p->height / 2 && p->out_width == p->width / 2;
}

#define MAX_ROWS(name, kernel, stride)                                                              \
    GG_APART void max_rows_##name(float *y, int32_t *index, const float *x, const gg_pool_shape *p) \
    {                                                                                               \
        if (index != NULL)                                                                          \
            max_rows(y, index, x, p, kernel, stride, true);                                         \
        else                                                                                        \
            max_rows(y, NULL, x, p, kernel, stride, false);                                         \
    }

MAX_ROWS(2_by_2, 2, 2)
MAX_ROWS(3_by_2, 3, 2)
MAX_ROWS(3_by_1, 3, 1)
MAX_ROWS(dense, p->kernel_width, 1)
MAX_ROWS(any, p->kernel_width, (int32_t)p->stride_width)

void GG_KERNEL(max_pool)(float *y, int32_t *index, const float *x, int64_t planes, const gg_pool_shape *p)
{
    const int64_t kernel = p->kernel_width, stride = p->stride_width;
    if (side_by_side(p) && p->out_width < LANES) {
        if (p->out_width <= LANES / 2)
            max_short_rows_half(y, index, x, planes, p);
        else
            max_short_rows_whole(y, index, x, planes, p);
        return;
    }
    for (int64_t plane = 0; plane < planes; plane++) {
        const int64_t out = plane * p->out_height * p->out_width;
        int32_t *place = index != NULL ? index + out : NULL;
        const float *from = x + plane * p->height * p->width;
        if (kernel == 2 && stride == 2)
            max_rows_2_by_2(y + out, place, from, p);
        else if (kernel == 3 && stride == 2)
            max_rows_3_by_2(y + out, place, from, p);
        else if (kernel == 3 && stride == 1)
            max_rows_3_by_1(y + out, place, from, p);
        else if (stride == 1)
            max_rows_dense(y + out, place, from, p);
        else
            max_rows_any(y + out, place, from, p);
    }
}

/* Windows of 2 x 2 side by side: both rows of dx at a time, each element written once. */
GG_INLINE void unpool_block(int count, int64_t first, float *dx, const float *dy, const int32_t *index, int32_t corner,
                            int32_t width, bool accumulate)
{
    float *upper = dx + corner + 2 * first, *lower = upper + width;
    GG_FOR_LANES (lane, count) {
        const float g = dy[first + lane];
        const int32_t place = index[first + lane] - (corner + 2 * (int32_t)first + 2 * lane);
        const float a = place == 0 ? g : 0.0f, b = place == 1 ? g : 0.0f;
        const float c = place == width ? g : 0.0f, d = place == width + 1 ? g : 0.0f;
        upper[2 * lane] = accumulate ? upper[2 * lane] + a : a;
        upper[2 * lane + 1] = accumulate ? upper[2 * lane + 1] + b : b;
        lower[2 * lane] = accumulate ? lower[2 * lane] + c : c;
        lower[2 * lane + 1] = accumulate ? lower[2 * lane + 1] + d : d;
    }
}

GG_INLINE void unpool_plane(float *dx, const float *dy, const int32_t *index, const gg_pool_shape *p, bool accumulate)
{
    for (int64_t i = 0; i < p->out_height; i++) {
        const int32_t corner = (int32_t)(2 * i * p->width);
        OVER_WINDOWS(0, p->out_width, unpool_block, dx, dy + i * p->out_width, index + i * p->out_width, corner,
                     (int32_t)p->width, accumulate);
        if (p->width % 2 != 0 && !accumulate)
            dx[corner + p->width - 1] = dx[corner + 2 * p->width - 1] = 0.0f;
    }
    if (p->height % 2 != 0 && !accumulate)
        GG_KERNEL(fill)(dx + (p->height - 1) * p->width, p->width, 0.0f);
}

/* The two elements of each window that lie in one row of dx, whose first window's lies at `from` in its plane. */
GG_INLINE void unpool_row(int count, float *dx, const float *dy, const int32_t *index, int32_t from)
{
    GG_FOR_LANES (lane, count) {
        const int32_t place = index[lane] - (from + 2 * lane);
        dx[2 * lane] = place == 0 ? dy[lane] : 0.0f;
        dx[2 * lane + 1] = place == 1 ? dy[lane] : 0.0f;
    }
}

/* As max_short_rows: a block that runs beyond its row is put right by the next one. */
GG_INLINE void unpool_short_rows(int count, float *dx, const float *dy, const int32_t *index, int64_t planes,
                                 const gg_pool_shape *p)
{
    const int64_t size = p->height * p->width, out = p->out_height * p->out_width;
    for (int64_t plane = 0; plane < planes; plane++)
        for (int64_t line = 0; line < p->height; line++) {
            const int64_t at = plane * out + line / 2 * p->out_width, to = plane * size + line * p->width;
            const int32_t from = (int32_t)(line * p->width);
            int64_t done = line / 2 < p->out_height ? p->out_width : 0;
            if (done > 0 && at + count <= planes * out && to + 2 * count <= planes * size)
                unpool_row(count, dx + to, dy + at, index + at, from);
            else
                for (int64_t j = 0; j < done; j++)
                    unpool_row(1, dx + to + 2 * j, dy + at + j, index + at + j, from + 2 * (int32_t)j);
            for (done *= 2; done < p->width; done++)
                dx[to + done] = 0.0f;
        }
}

GG_APART void unpool_short_rows_whole(float *dx, const float *dy, const int32_t *index, int64_t planes,
                                      const gg_pool_shape *p)
{
    unpool_short_rows(LANES, dx, dy, index, planes, p);
}

GG_APART void unpool_short_rows_half(float *dx, const float *dy, const int32_t *index, int64_t planes,
                                     const gg_pool_shape *p)
{
    unpool_short_rows(LANES / 2, dx, dy, index, planes, p);
}

void GG_KERNEL(max_unpool)(float *dx, const float *dy, const int32_t *index, int64_t planes, const gg_pool_shape *p,
                           bool accumulate)
{
    const int64_t out = p->out_height * p->out_width, size = p->height * p->width;
    const bool aligned = side_by_side(p);
    if (aligned && !accumulate && p->out_width < LANES) {
        if (p->out_width <= LANES / 2)
            unpool_short_rows_half(dx, dy, index, planes, p);
        else
            unpool_short_rows_whole(dx, dy, index, planes, p);
        return;
    }
    for (int64_t plane = 0; plane < planes; plane++, dx += size, dy += out, index += out) {
        if (aligned && accumulate) {
            unpool_plane(dx, dy, index, p, true);
            continue;
        }
        if (aligned) {
            unpool_plane(dx, dy, index, p, false);
            continue;
        }
        if (!accumulate)
            GG_KERNEL(fill)(dx, size, 0.0f);
        for (int64_t i = 0; i < out; i++)
            dx[index[i]] += dy[i];
    }
}

GG_INLINE void best_element(int lane, int64_t i, float *best, const float *x)
{
    best[lane] = exceeds(x[i], best[lane]) ? x[i] : best[lane];
}

/* Of NaNs, the one on the right stays: some NaN does. */
GG_INLINE float larger_of(float a, float b)
{
    return exceeds(b, a) ? b : a;
}

/* Where the first element stands that is `value` or NaN; there is one. Looked for in chunks without a way out. */
static int64_t first_equal(const float *x, int64_t n, float value)
{
    enum { CHUNK = 256 };
    int64_t i = 0;
    for (; i + CHUNK <= n; i += CHUNK) {
        uint32_t found = 0;
#pragma omp simd reduction(| : found)
        for (int64_t j = i; j < i + CHUNK; j++)
            found |= x[j] == value || x[j] != x[j] ? 1u : 0u;
        if (found != 0)
            break;
    }
    while (x[i] != value && x[i] == x[i])
        i++;
    return i;
}

int64_t GG_KERNEL(max_index)(const float *x, int64_t n)
{
    float best[LANES];
    GG_FOR_LANES (lane, LANES)
        best[lane] = x[0];
    GG_OVER_LANES(n, best_element, best, x);
    GG_FOLD(best, LANES, larger_of);
    return first_equal(x, n, best[0]);
}

/* ---- the mean ---- */

/* Divides by the kernel's area, or by the part of it that lies in the image. */
GG_INLINE float share(const gg_pool_shape *p, int64_t rows, int64_t columns)
{
    return 1.0f / (float)(p->exclude_padding ? rows * columns : p->kernel_height * p->kernel_width);
}

/* sum += the row sum of each window. */
GG_INLINE void add_row(float *sum, int count, const float *x, int64_t kernel, int32_t stride)
{
    float of_row[LANES];
    if (kernel == 2) { /* whole registers where stride is 2 */
        GG_FOR_LANES (lane, count)
            of_row[lane] = x[lane * stride] + x[lane * stride + 1];
    } else {
        GG_FOR_LANES (lane, count)
            of_row[lane] = x[lane * stride];
        for (int64_t j = 1; j < kernel; j++)
            GG_FOR_LANES (lane, count)
                of_row[lane] += x[lane * stride + j];
    }
    GG_FOR_LANES (lane, count)
        sum[lane] += of_row[lane];
}

/* Row sums first: the rounding errors are those of kernel_height + kernel_width additions, not of their product. */
GG_INLINE void mean_block(int count, int64_t first, float *y, const row *r, const gg_pool_shape *p, int64_t kernel,
                          int32_t stride, float factor)
{
    float sum[LANES];
    const float *corner = r->x + r->top * p->width - p->left + first * stride;
    GG_FOR_LANES (lane, count)
        sum[lane] = 0.0f;
    for (int64_t i = 0; i < r->rows; i++)
        add_row(sum, count, corner + i * p->width, kernel, stride);
    GG_FOR_LANES (lane, count)
        y[first + lane] = sum[lane] * factor;
}

static void mean_one(float *y, const row *r, const gg_pool_shape *p, int64_t out_column)
{
    const int64_t left = out_column * p->stride_width - p->left;
    const int64_t begin = most(left, 0), end = least(left + p->kernel_width, p->width);
    float sum = 0.0f;
    for (int64_t i = r->top; i < r->top + r->rows; i++) {
        float of_row = 0.0f;
        for (int64_t j = begin; j < end; j++)
            of_row += r->x[i * p->width + j];
        sum += of_row;
    }
    y[out_column] = sum * share(p, r->rows, end - begin);
}

GG_INLINE void mean_rows(float *y, const float *x, const gg_pool_shape *p, int64_t kernel, int32_t stride)
{
    for (int64_t i = 0; i < p->out_height; i++, y += p->out_width) {
        const row r = row_at(p, x, i);
        for (int64_t j = 0; j < r.begin; j++)
            mean_one(y, &r, p, j);
        int64_t done;
        OVER_WINDOWS_AGAIN(&done, r.begin, r.end, mean_block, y, &r, p, kernel, stride, share(p, r.rows, kernel));
        for (int64_t j = done; j < p->out_width; j++)
            mean_one(y, &r, p, j);
    }
}

#define MEAN_ROWS(name, kernel, stride)                                              \
    GG_APART void mean_rows_##name(float *y, const float *x, const gg_pool_shape *p) \
    {                                                                                \
        mean_rows(y, x, p, kernel, stride);                                          \
    }

MEAN_ROWS(2_by_2, 2, 2)
MEAN_ROWS(dense, p->kernel_width, 1)
MEAN_ROWS(any, p->kernel_width, (int32_t)p->stride_width)

void GG_KERNEL(mean_pool)(float *y, const float *x, int64_t planes, const gg_pool_shape *p)
{
    const int64_t kernel = p->kernel_width, stride = p->stride_width;
    for (int64_t plane = 0; plane < planes; plane++) {
        float *to = y + plane * p->out_height * p->out_width;
        const float *from = x + plane * p->height * p->width;
        if (kernel == 2 && stride == 2)
            mean_rows_2_by_2(to, from, p);
        else if (stride == 1)
            mean_rows_dense(to, from, p);
        else
            mean_rows_any(to, from, p);
    }
}

/* What `count` windows send back to the two elements of a row that each covers. */
GG_INLINE void pair_block(int count, int64_t first, float *dx, const float *dy, float factor)
{
    GG_FOR_LANES (lane, count) {
        const float g = dy[first + lane] * factor;
        dx[2 * (first + lane)] += g;
        dx[2 * (first + lane) + 1] += g;
    }
}

static void spread_one(float *dx, float dy, const row *r, const gg_pool_shape *p, int64_t out_column)
{
    const int64_t left = out_column * p->stride_width - p->left;
    const int64_t begin = most(left, 0), end = least(left + p->kernel_width, p->width);
    const float g = dy * share(p, r->rows, end - begin);
    for (int64_t i = r->top; i < r->top + r->rows; i++)
        for (int64_t j = begin; j < end; j++)
            dx[i * p->width + j] += g;
}

/* dx[j stride] += dy[j] factor, j < n. */
GG_APART void spread_row(float *dx, const float *dy, int64_t n, int64_t stride, float factor)
{
    if (stride == 1)
        GG_KERNEL(axpy)(dx, dy, n, factor);
    else
        for (int64_t j = 0; j < n; j++)
            dx[j * stride] += dy[j] * factor;
}

static void spread_rows(float *dx, const float *dy, const row *r, const gg_pool_shape *p)
{
    const float factor = share(p, r->rows, p->kernel_width);
    for (int64_t i = 0; i < r->rows; i++) {
        float *to = dx + (r->top + i) * p->width - p->left;
        if (p->kernel_width == 2 && p->stride_width == 2)
            OVER_WINDOWS(r->begin, r->end, pair_block, to, dy, factor);
        else
            for (int64_t j = 0; j < p->kernel_width; j++)
                spread_row(to + j + r->begin * p->stride_width, dy + r->begin, r->end - r->begin, p->stride_width,
                           factor);
    }
}

void GG_KERNEL(mean_unpool)(float *dx, const float *dy, int64_t planes, const gg_pool_shape *p, bool accumulate)
{
    for (int64_t plane = 0; plane < planes; plane++, dx += p->height * p->width) {
        if (!accumulate)
            GG_KERNEL(fill)(dx, p->height * p->width, 0.0f);
        for (int64_t i = 0; i < p->out_height; i++, dy += p->out_width) {
            const row r = row_at(p, dx, i);
            for (int64_t j = 0; j < r.begin; j++)
                spread_one(dx, dy[j], &r, p, j);
            spread_rows(dx, dy, &r, p);
            for (int64_t j = r.end; j < p->out_width; j++)
                spread_one(dx, dy[j], &r, p, j);
        }
    }
}
