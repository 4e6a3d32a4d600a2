/* reference_transformer.c - see reference_transformer.h. */
#include "reference_transformer.h"

#include <math.h>
#include <stdlib.h>

#include <gemmgrad/softmax.h>

#include "reference_elementwise.h"

static void clear(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 0.0;
}

/* ---- layer and RMS normalisation ---- */

typedef struct row_numbers {
    double mean, inverse, magnitude; /* the last: mean of |x|, 0 for RMS */
} row_numbers;

static row_numbers look_at(const reference_pass *p, const double *x)
{
    row_numbers row = {0.0, 0.0, 0.0};
    double squares = 0.0;
    const double n = (double)p->columns;
    for (int64_t c = 0; c < p->columns && !p->rms; c++) {
        row.mean += x[c] / n;
        row.magnitude += fabs(x[c]) / n;
    }
    for (int64_t c = 0; c < p->columns; c++)
        squares += (x[c] - row.mean) * (x[c] - row.mean) / n;
    row.inverse = 1.0 / sqrt(squares + p->epsilon);
    return row;
}

static void normalization_forward(const reference_pass *p)
{
    for (int64_t r = 0; r < p->rows; r++) {
        const double *x = p->x[0] + r * p->columns;
        const row_numbers row = look_at(p, x);
        for (int64_t c = 0; c < p->columns; c++)
            p->y[r * p->columns + c] = (x[c] - row.mean) * row.inverse * p->w[c] + (p->rms ? 0.0 : p->b[c]);
    }
}

static void normalization_forward_magnitude(const reference_pass *p)
{
    for (int64_t r = 0; r < p->rows; r++) {
        const double *x = p->x[0] + r * p->columns;
        const row_numbers row = look_at(p, x);
        for (int64_t c = 0; c < p->columns; c++)
            p->y[r * p->columns + c] =
                (fabs(x[c]) + row.magnitude) * row.inverse * fabs(p->w[c]) + (p->rms ? 0.0 : fabs(p->b[c]));
    }
}

/* With absolute values of all terms when `magnitude`. */
static void normalization_back(const reference_pass *p, bool magnitude)
{
    const double n = (double)p->columns, sign = magnitude ? 1.0 : -1.0;
    clear(p->dw, p->columns);
    for (int64_t c = 0; c < p->columns && p->db != NULL; c++)
        p->db[c] = 0.0;
    for (int64_t r = 0; r < p->rows; r++) {
        const double *x = p->x[0] + r * p->columns, *dy = p->dy + r * p->columns;
        const row_numbers row = look_at(p, x);
        double sum = 0.0, along = 0.0;
        for (int pass = 0; pass < 2; pass++) /* first the sums, then what needs them */
            for (int64_t c = 0; c < p->columns; c++) {
                const double exact = (x[c] - row.mean) * row.inverse;
                const double z = magnitude ? (fabs(x[c]) + row.magnitude) * row.inverse : exact;
                const double g = magnitude ? fabs(dy[c] * p->w[c]) : dy[c] * p->w[c];
                const double to_parameter = magnitude ? fabs(dy[c]) : dy[c];
                if (pass == 0) {
                    sum += p->rms ? 0.0 : g;
                    along += g * z;
                    p->dw[c] += to_parameter * z;
                    if (p->db != NULL)
                        p->db[c] += to_parameter;
                } else {
                    p->dx[0][r * p->columns + c] = row.inverse * (g + sign * (sum / n + z * along / n));
                }
            }
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

const reference_layer reference_layer_normalization = {"layer_normalization", normalization_forward,
                                                       normalization_backward, normalization_forward_magnitude,
                                                       normalization_backward_magnitude};

/* ---- SwiGLU: a is the first half of a row, b the second ---- */

static void swiglu(const reference_pass *p, bool magnitude)
{
    const int64_t half = p->columns / 2;
    for (int64_t i = 0; i < p->rows * half; i++) {
        const double *a = p->x[0] + i / half * p->columns + i % half;
        const double y = reference_activation(GG_SILU, a[0], 0.0) * a[half];
        p->y[i] = magnitude ? fabs(y) : y;
    }
}

static void swiglu_forward(const reference_pass *p)
{
    swiglu(p, false);
}

static void swiglu_forward_magnitude(const reference_pass *p)
{
    swiglu(p, true);
}

static void swiglu_backward(const reference_pass *p)
{
    const int64_t half = p->columns / 2;
    for (int64_t i = 0; i < p->rows * half; i++) {
        const int64_t at = i / half * p->columns + i % half;
        const double a = p->x[0][at], b = p->x[0][at + half];
        p->dx[0][at] = p->dy[i] * b * reference_slope(GG_SILU, a, 0.0);
        p->dx[0][at + half] = p->dy[i] * reference_activation(GG_SILU, a, 0.0);
    }
}

static void swiglu_backward_magnitude(const reference_pass *p)
{
    const int64_t half = p->columns / 2;
    for (int64_t i = 0; i < p->rows * half; i++) {
        const int64_t at = i / half * p->columns + i % half;
        const double a = p->x[0][at], b = p->x[0][at + half];
        p->dx[0][at] = fabs(p->dy[i] * b) * reference_slope_scale(GG_SILU, a, 0.0);
        p->dx[0][at + half] = fabs(p->dy[i] * reference_activation(GG_SILU, a, 0.0));
    }
}

const reference_layer reference_swiglu = {"swiglu", swiglu_forward, swiglu_backward, swiglu_forward_magnitude,
                                          swiglu_backward_magnitude};

/* ---- positions ---- */

double reference_angle(int64_t position, int64_t i, int64_t features, double base)
{
    return (double)position / pow(base, 2.0 * (double)i / (double)features);
}

static int64_t position_of(const reference_pass *p, int64_t row)
{
    return row / p->together % p->positions;
}

static double sinusoidal(const reference_pass *p, int64_t row, int64_t c)
{
    const double angle = reference_angle(position_of(p, row), c / 2, p->columns, 10000.0);
    return c % 2 == 0 ? sin(angle) : cos(angle);
}

static void sinusoidal_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = p->x[0][i] + sinusoidal(p, i / p->columns, i % p->columns);
}

static void sinusoidal_forward_magnitude(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = fabs(p->x[0][i]) + fabs(sinusoidal(p, i / p->columns, i % p->columns));
}

static void copy_back(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = p->dy[i];
}

const reference_layer reference_sinusoidal_positions = {"sinusoidal_positions", sinusoidal_forward, copy_back,
                                                        sinusoidal_forward_magnitude, NULL};

static void learned_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = p->x[0][i] + p->w[position_of(p, i / p->columns) * p->columns + i % p->columns];
}

static void learned_backward(const reference_pass *p)
{
    copy_back(p);
    clear(p->dw, p->vocabulary);
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dw[position_of(p, i / p->columns) * p->columns + i % p->columns] += p->dy[i];
}

const reference_layer reference_learned_positions = {"learned_positions", learned_forward, learned_backward, NULL,
                                                     NULL};

/* to = from, the heads turned by sign times the angles; with absolute values of all terms when `magnitude`. */
static void turn(double *to, const double *from, const reference_pass *p, double sign, bool magnitude)
{
    const int64_t width = p->head_width, half = width / 2;
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        const int64_t row = i / p->columns, column = i % p->columns, at = column % width;
        to[i] = magnitude ? fabs(from[i]) : from[i];
        if (column >= p->heads * width)
            continue;
        const double angle = sign * reference_angle(position_of(p, row), at % half, width, 10000.0);
        const double other = at < half ? -from[i + half] : from[i - half];
        to[i] = magnitude ? fabs(from[i] * cos(angle)) + fabs(other * sin(angle))
                          : from[i] * cos(angle) + other * sin(angle);
    }
}

static void rotary_forward(const reference_pass *p)
{
    turn(p->y, p->x[0], p, 1.0, false);
}

static void rotary_forward_magnitude(const reference_pass *p)
{
    turn(p->y, p->x[0], p, 1.0, true);
}

static void rotary_backward(const reference_pass *p)
{
    turn(p->dx[0], p->dy, p, -1.0, false);
}

static void rotary_backward_magnitude(const reference_pass *p)
{
    turn(p->dx[0], p->dy, p, -1.0, true);
}

const reference_layer reference_rotary_positions = {"rotary_positions", rotary_forward, rotary_backward,
                                                    rotary_forward_magnitude, rotary_backward_magnitude};

/* ---- the loss of projected scores: S = X W, out of them ---- */

static double *weight_at(double *w, const reference_pass *p, int64_t i, int64_t j)
{
    return p->tied ? w + j * p->columns + i : w + i * p->out + j;
}

/* One row of scores, of the sums of their terms' magnitudes, and the log of the sum of e^scores. */
typedef struct row_scores {
    double *score, *magnitude, log_sum;
} row_scores;

static row_scores take_row(const reference_pass *p, int64_t r)
{
    row_scores row = {calloc((size_t)p->out, sizeof(double)), calloc((size_t)p->out, sizeof(double)), 0.0};
    double largest = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j < p->out; j++) {
        for (int64_t i = 0; i < p->columns; i++) {
            const double term = p->x[0][r * p->columns + i] * *weight_at((double *)(uintptr_t)p->w, p, i, j);
            row.score[j] += term;
            row.magnitude[j] += fabs(term);
        }
        largest = fmax(largest, row.score[j]);
    }
    for (int64_t j = 0; j < p->out; j++)
        sum += exp(row.score[j] - largest);
    row.log_sum = largest + log(sum);
    return row;
}

static void give_row(row_scores *row)
{
    free(row->score);
    free(row->magnitude);
}

static double largest_of(const double *x, int64_t n)
{
    double most = 0.0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

static double share_of_row(const reference_pass *p)
{
    int64_t counted = 0;
    for (int64_t r = 0; r < p->rows; r++)
        counted += p->labels[r] != GG_IGNORE_LABEL;
    return counted > 0 ? 1.0 / (double)counted : 0.0;
}

static void projected_loss(const reference_pass *p, bool magnitude)
{
    double loss = 0.0;
    for (int64_t r = 0; r < p->rows; r++) {
        if (p->labels[r] == GG_IGNORE_LABEL)
            continue;
        row_scores row = take_row(p, r);
        const double score = row.score[p->labels[r]];
        loss += magnitude ? 2.0 * largest_of(row.magnitude, p->out) + fabs(row.log_sum) + 1.0 : row.log_sum - score;
        give_row(&row);
    }
    p->y[0] = loss * share_of_row(p);
}

/* dS of a row, with the error that rounded scores bring, when `magnitude`; dX and dW from it. */
static void projected_flow(const reference_pass *p, bool magnitude)
{
    const double scale = (magnitude ? fabs(p->dy[0]) : p->dy[0]) * share_of_row(p);
    clear(p->dx[0], p->rows * p->columns);
    clear(p->dw, p->columns * p->out);
    for (int64_t r = 0; r < p->rows; r++) {
        if (p->labels[r] == GG_IGNORE_LABEL)
            continue;
        row_scores row = take_row(p, r);
        const double rounding = 1.0 + largest_of(row.magnitude, p->out);
        for (int64_t j = 0; j < p->out; j++) {
            const double share = exp(row.score[j] - row.log_sum), one = j == p->labels[r] ? 1.0 : 0.0;
            const double ds = scale * (magnitude ? (share + one) * rounding : share - one);
            for (int64_t i = 0; i < p->columns; i++) {
                const double w = *weight_at((double *)(uintptr_t)p->w, p, i, j), x = p->x[0][r * p->columns + i];
                p->dx[0][r * p->columns + i] += ds * (magnitude ? fabs(w) : w);
                *weight_at(p->dw, p, i, j) += ds * (magnitude ? fabs(x) : x);
            }
        }
        give_row(&row);
    }
}

static void projected_forward(const reference_pass *p)
{
    projected_loss(p, false);
}

static void projected_forward_magnitude(const reference_pass *p)
{
    projected_loss(p, true);
}

static void projected_backward(const reference_pass *p)
{
    projected_flow(p, false);
}

static void projected_backward_magnitude(const reference_pass *p)
{
    projected_flow(p, true);
}

const reference_layer reference_projected_loss = {"projected_softmax_with_loss", projected_forward, projected_backward,
                                                  projected_forward_magnitude, projected_backward_magnitude};
