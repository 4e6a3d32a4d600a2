/* reference_images.c - layers over images [N, C, H, W] as plain loops in double, see reference_layers.h. */
#include "reference_images.h"

#include <math.h>
#include <stddef.h>

/* ---- windows ---- */

static int64_t at_least_one(int64_t stride, int64_t kernel)
{
    return stride > 0 ? stride : kernel;
}

int64_t reference_windows(int64_t extent, int64_t before, int64_t behind, int64_t kernel, int64_t stride)
{
    int64_t count = 0;
    for (int64_t first = -before; first + kernel <= extent + behind; first += at_least_one(stride, kernel))
        count++;
    return count;
}

/* Of one window: its elements within the image, rows begin[0] .. end[0]-1, columns begin[1] .. end[1]-1. */
typedef struct window {
    int64_t begin[2], end[2];
} window;

static window clipped(const reference_pass *p, int64_t out_row, int64_t out_column)
{
    const gg_pool_window *w = p->window;
    const int64_t top = out_row * at_least_one(w->stride_height, w->kernel_height) - w->top;
    const int64_t left = out_column * at_least_one(w->stride_width, w->kernel_width) - w->left;
    return (window){{top > 0 ? top : 0, left > 0 ? left : 0},
                    {top + w->kernel_height < p->height ? top + w->kernel_height : p->height,
                     left + w->kernel_width < p->width ? left + w->kernel_width : p->width}};
}

/* visit(p, plane, the window, where its output is) for every output of every plane. */
typedef void visitor(const reference_pass *p, int64_t plane, const window *w, int64_t output);

static void visit_windows(const reference_pass *p, visitor *visit)
{
    const gg_pool_window *w = p->window;
    const int64_t rows = reference_windows(p->height, w->top, w->bottom, w->kernel_height, w->stride_height);
    const int64_t columns = reference_windows(p->width, w->left, w->right, w->kernel_width, w->stride_width);
    for (int64_t plane = 0; plane < p->images * p->channels; plane++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                const window here = clipped(p, i, j);
                visit(p, plane, &here, (plane * rows + i) * columns + j);
            }
}

static void clear(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 0.0;
}

static int64_t element(const reference_pass *p, int64_t plane, int64_t row, int64_t column)
{
    return (plane * p->height + row) * p->width + column;
}

/* ---- the largest ---- */

/* The first of the largest; NaN is larger than all. */
static int64_t largest_of(const reference_pass *p, int64_t plane, const window *w)
{
    int64_t best = element(p, plane, w->begin[0], w->begin[1]);
    for (int64_t i = w->begin[0]; i < w->end[0]; i++)
        for (int64_t j = w->begin[1]; j < w->end[1]; j++) {
            const int64_t here = element(p, plane, i, j);
            if (p->x[0][here] > p->x[0][best] || isnan(p->x[0][here]))
                best = here;
        }
    return best;
}

static void take_largest(const reference_pass *p, int64_t plane, const window *w, int64_t output)
{
    p->y[output] = p->x[0][largest_of(p, plane, w)];
}

static void max_forward(const reference_pass *p)
{
    visit_windows(p, take_largest);
}

static void give_largest(const reference_pass *p, int64_t plane, const window *w, int64_t output)
{
    p->dx[0][largest_of(p, plane, w)] += p->dy[output];
}

static void max_backward(const reference_pass *p)
{
    clear(p->dx[0], p->images * p->channels * p->height * p->width);
    visit_windows(p, give_largest);
}

static void give_largest_magnitude(const reference_pass *p, int64_t plane, const window *w, int64_t output)
{
    p->dx[0][largest_of(p, plane, w)] += fabs(p->dy[output]);
}

static void max_backward_magnitude(const reference_pass *p)
{
    clear(p->dx[0], p->images * p->channels * p->height * p->width);
    visit_windows(p, give_largest_magnitude);
}

/* Of all windows, the smallest gap between the largest element and another one. */
static double smallest_gap;

static void measure_gap(const reference_pass *p, int64_t plane, const window *w, int64_t output)
{
    const int64_t best = largest_of(p, plane, w);
    (void)output;
    for (int64_t i = w->begin[0]; i < w->end[0]; i++)
        for (int64_t j = w->begin[1]; j < w->end[1]; j++)
            if (element(p, plane, i, j) != best)
                smallest_gap = fmin(smallest_gap, p->x[0][best] - p->x[0][element(p, plane, i, j)]);
}

double reference_max_pool_gap(const reference_pass *p)
{
    smallest_gap = INFINITY;
    visit_windows(p, measure_gap);
    return smallest_gap;
}

const reference_layer reference_max_pool = {"max_pool", max_forward, max_backward, NULL, max_backward_magnitude};

/* ---- the mean ---- */

static double count_of(const reference_pass *p, const window *w)
{
    return p->window->exclude_padding ? (double)((w->end[0] - w->begin[0]) * (w->end[1] - w->begin[1]))
                                      : (double)(p->window->kernel_height * p->window->kernel_width);
}

static void take_mean(const reference_pass *p, int64_t plane, const window *w, int64_t output)
{
    double sum = 0.0;
    for (int64_t i = w->begin[0]; i < w->end[0]; i++)
        for (int64_t j = w->begin[1]; j < w->end[1]; j++)
            sum += p->x[0][element(p, plane, i, j)];
    p->y[output] = sum / count_of(p, w);
}

static void average_forward(const reference_pass *p)
{
    visit_windows(p, take_mean);
}

static void give_mean(const reference_pass *p, int64_t plane, const window *w, int64_t output)
{
    for (int64_t i = w->begin[0]; i < w->end[0]; i++)
        for (int64_t j = w->begin[1]; j < w->end[1]; j++)
            p->dx[0][element(p, plane, i, j)] += p->dy[output] / count_of(p, w);
}

static void average_backward(const reference_pass *p)
{
    clear(p->dx[0], p->images * p->channels * p->height * p->width);
    visit_windows(p, give_mean);
}

const reference_layer reference_average_pool = {"average_pool", average_forward, average_backward, NULL, NULL};

/* ---- whole images: one window of their size ---- */

static reference_pass whole(const reference_pass *p, gg_pool_window *w)
{
    reference_pass pass = *p;
    *w = (gg_pool_window){.kernel_height = p->height, .kernel_width = p->width};
    pass.window = w;
    return pass;
}

#define GLOBAL(name, step)                        \
    static void name(const reference_pass *p)     \
    {                                             \
        gg_pool_window w;                         \
        const reference_pass pass = whole(p, &w); \
        step(&pass);                              \
    }

GLOBAL(global_max_forward, max_forward)
GLOBAL(global_max_backward, max_backward)
GLOBAL(global_max_backward_magnitude, max_backward_magnitude)
GLOBAL(global_average_forward, average_forward)
GLOBAL(global_average_backward, average_backward)

double reference_global_max_gap(const reference_pass *p)
{
    gg_pool_window w;
    const reference_pass pass = whole(p, &w);
    return reference_max_pool_gap(&pass);
}

const reference_layer reference_global_max_pool = {"global_max_pool", global_max_forward, global_max_backward, NULL,
                                                   global_max_backward_magnitude};
const reference_layer reference_global_average_pool = {"global_average_pool", global_average_forward,
                                                       global_average_backward, NULL, NULL};

/* ---- batch normalisation; w is gamma, b is beta ---- */

/* Element i of channel c, i counting through the images. */
static int64_t of_channel(const reference_pass *p, int64_t c, int64_t i)
{
    const int64_t size = p->height * p->width;
    return (i / size * p->channels + c) * size + i % size;
}

/* A channel's values x, their mean and 1 / sqrt(variance + epsilon), and the mean of |x|. */
typedef struct channel {
    int64_t count;
    double mean, inverse, variance, magnitude;
} channel;

static channel channel_of(const reference_pass *p, int64_t c)
{
    channel s = {.count = p->images * p->height * p->width};
    const double n = (double)(s.count > 0 ? s.count : 1);
    for (int64_t i = 0; i < s.count; i++) {
        s.mean += p->x[0][of_channel(p, c, i)] / n;
        s.magnitude += fabs(p->x[0][of_channel(p, c, i)]) / n;
    }
    for (int64_t i = 0; i < s.count; i++) {
        const double d = p->x[0][of_channel(p, c, i)] - s.mean;
        s.variance += d * d / n;
    }
    s.inverse = 1.0 / sqrt(s.variance + p->epsilon);
    return s;
}

static double scaled(const reference_pass *p, const channel *s, int64_t c, int64_t at)
{
    return p->w[c] * (p->x[0][at] - s->mean) * s->inverse + p->b[c];
}

static void normalization_forward(const reference_pass *p)
{
    for (int64_t c = 0; c < p->channels; c++) {
        const channel s = channel_of(p, c);
        for (int64_t i = 0; i < s.count; i++) {
            const double y = scaled(p, &s, c, of_channel(p, c, i));
            p->y[of_channel(p, c, i)] = p->relu && y <= 0.0 ? 0.0 : y;
        }
    }
}

static void normalization_forward_magnitude(const reference_pass *p)
{
    for (int64_t c = 0; c < p->channels; c++) {
        const channel s = channel_of(p, c);
        for (int64_t i = 0; i < s.count; i++) {
            const int64_t at = of_channel(p, c, i);
            p->y[at] = fabs(p->w[c]) * (fabs(p->x[0][at]) + s.magnitude) * s.inverse + fabs(p->b[c]);
        }
    }
}

static double behind_relu(const reference_pass *p, const channel *s, int64_t c, int64_t at)
{
    return p->relu && scaled(p, s, c, at) <= 0.0 ? 0.0 : p->dy[at];
}

/* With absolute values of all terms when `magnitude`. */
static void normalization_back(const reference_pass *p, bool magnitude)
{
    for (int64_t c = 0; c < p->channels; c++) {
        const channel s = channel_of(p, c);
        double sum = 0.0, weighted = 0.0;
        for (int64_t pass = 0; pass < 2; pass++) /* first the sums, then what needs them */
            for (int64_t i = 0; i < s.count; i++) {
                const int64_t at = of_channel(p, c, i);
                const double exact = (p->x[0][at] - s.mean) * s.inverse, sign = magnitude ? 1.0 : -1.0;
                const double z = magnitude ? (fabs(p->x[0][at]) + s.magnitude) * s.inverse : exact;
                const double g = behind_relu(p, &s, c, at), n = (double)s.count;
                const double term = magnitude ? fabs(g) : g, gamma = magnitude ? fabs(p->w[c]) : p->w[c];
                if (pass == 0) {
                    sum += term;
                    weighted += term * z;
                } else {
                    p->dx[0][at] = gamma * s.inverse * (term + sign * (sum / n + z * weighted / n));
                }
            }
        p->dw[c] = weighted;
        p->db[c] = sum;
    }
}

static void normalization_backward(const reference_pass *p)
{
    normalization_back(p, false);
}

static void normalization_backward_magnitude(const reference_pass *p)
{
    normalization_back(p, true);
}

double reference_normalization_smallest(const reference_pass *p)
{
    double smallest = INFINITY;
    for (int64_t c = 0; c < p->channels; c++) {
        const channel s = channel_of(p, c);
        for (int64_t i = 0; i < s.count && p->relu; i++)
            smallest = fmin(smallest, fabs(scaled(p, &s, c, of_channel(p, c, i))));
    }
    return smallest;
}

void reference_statistics(double *mean, double *variance, double *inverse, const reference_pass *p)
{
    for (int64_t c = 0; c < p->channels; c++) {
        const channel s = channel_of(p, c);
        mean[c] = s.mean;
        variance[c] = s.variance;
        inverse[c] = s.inverse;
    }
}

const reference_layer reference_batch_normalization = {"batch_normalization", normalization_forward,
                                                       normalization_backward, normalization_forward_magnitude,
                                                       normalization_backward_magnitude};

/* ---- others ---- */

/* The mask has a number for every element, also where the library's has one for a plane. */
static void masked_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = p->x[0][i] * p->mask[i];
}

static void masked_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = p->dy[i] * p->mask[i];
}

const reference_layer reference_spatial_dropout = {"spatial_dropout", masked_forward, masked_backward, NULL, NULL};

static void flatten_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = p->x[0][i];
}

static void flatten_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = p->dy[i];
}

const reference_layer reference_flatten = {"flatten", flatten_forward, flatten_backward, NULL, NULL};

static void add_relu_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = fmax(p->x[0][i] + p->x[1][i], 0.0);
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        if (isnan(p->x[0][i] + p->x[1][i]))
            p->y[i] = NAN;
}

static void add_relu_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = p->dx[1][i] = p->x[0][i] + p->x[1][i] > 0.0 ? p->dy[i] : 0.0;
}

double reference_add_relu_smallest(const reference_pass *p)
{
    double smallest = INFINITY;
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        smallest = fmin(smallest, fabs(p->x[0][i] + p->x[1][i]));
    return smallest;
}

const reference_layer reference_add_relu = {"add_relu", add_relu_forward, add_relu_backward, NULL, NULL};
