/* reference_layers.c - see reference_layers.h. The derivations stand at the top of the files of layers/. */
#include "reference_layers.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#include <gemmgrad/softmax.h>

#include "reference_elementwise.h"

/* ---- functions of single elements ---- */

double reference_activate(const reference_pass *p, double x)
{
    return reference_activation(p->activation, x, p->alpha);
}

/* f' at x, whether the formula takes x or y. */
double reference_slope_at(const reference_pass *p, double x)
{
    return reference_slope(p->activation, gg_activation_needs_input(p->activation) ? x : reference_activate(p, x),
                           p->alpha);
}

bool reference_has_kink(gg_activation f, double alpha)
{
    return f == GG_RELU || (f == GG_LEAKY_RELU && alpha != 1.0) || (f == GG_ELU && alpha != 1.0);
}

/* Bounds of |f'| and |f''| near x: 1.13 is the largest of GELU, and all of |f''| stay below it. */
static double steepest(gg_activation f, double alpha, double x)
{
    if (f == GG_EXP)
        return exp(x);
    if (f == GG_LOG)
        return 1.0 / fabs(x);
    return 1.13 * fmax(1.0, fabs(alpha));
}

static double most_bent(gg_activation f, double alpha, double x)
{
    if (f == GG_IDENTITY || f == GG_RELU || f == GG_LEAKY_RELU)
        return 0.0;
    return f == GG_LOG ? 1.0 / (x * x) : steepest(f, alpha, x);
}

double reference_y_magnitude(const reference_pass *p, double z, double magnitude)
{
    return fabs(reference_activate(p, z)) + steepest(p->activation, p->alpha, z) * magnitude;
}

/* An error of z moves f' by f''; where a float z may lie on the other side of a kink, f' may be either. */
double reference_dz_magnitude(const reference_pass *p, double dy, double z, double magnitude)
{
    const double unit = (double)FLT_EPSILON;
    double dz = steepest(p->activation, p->alpha, z) + most_bent(p->activation, p->alpha, z) * magnitude;
    if (reference_has_kink(p->activation, p->alpha) && fabs(z) <= REFERENCE_BOUND * unit * magnitude)
        dz += (1.0 + fabs(p->alpha)) / (REFERENCE_BOUND * unit);
    return fabs(dy) * dz;
}

static void activation_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = reference_activate(p, p->x[0][i]);
}

static void activation_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = p->dy[i] * reference_slope_at(p, p->x[0][i]);
}

static void activation_forward_magnitude(const reference_pass *p)
{
    activation_forward(p);
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = fabs(p->y[i]);
}

static void activation_backward_magnitude(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = fabs(p->dy[i]) * steepest(p->activation, p->alpha, p->x[0][i]);
}

const reference_layer reference_activation_layer = {"activation", activation_forward, activation_backward,
                                                    activation_forward_magnitude, activation_backward_magnitude};

/* ---- affine ---- */

/* Where w_ij is. */
static int64_t weight_place(const reference_pass *p, int64_t i, int64_t j)
{
    return p->tied ? j * p->columns + i : i * p->out + j;
}

/* z = sum_i x_ri w_ij + b_j; and the sum of the absolute values of its terms. */
static double weighted_sum(const reference_pass *p, int64_t r, int64_t j, double *magnitude)
{
    double z = p->b != NULL ? p->b[j] : 0.0;
    *magnitude = fabs(z);
    for (int64_t i = 0; i < p->columns; i++) {
        const double term = p->x[0][r * p->columns + i] * p->w[weight_place(p, i, j)];
        z += term;
        *magnitude += fabs(term);
    }
    return z;
}

static void affine_forward(const reference_pass *p)
{
    double unused;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t j = 0; j < p->out; j++)
            p->y[r * p->out + j] = reference_activate(p, weighted_sum(p, r, j, &unused));
}

static void affine_forward_magnitude(const reference_pass *p)
{
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t j = 0; j < p->out; j++) {
            double magnitude;
            const double z = weighted_sum(p, r, j, &magnitude);
            p->y[r * p->out + j] = reference_y_magnitude(p, z, magnitude);
        }
}

double reference_affine_smallest_sum(const reference_pass *p)
{
    double smallest = INFINITY, unused;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t j = 0; j < p->out; j++)
            smallest = fmin(smallest, fabs(weighted_sum(p, r, j, &unused)));
    return smallest;
}

static void clear(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 0.0;
}

/* What row r and feature j of dZ add to dX, dW and db. */
static void affine_spread(const reference_pass *p, int64_t r, int64_t j, double dz, bool magnitude)
{
    for (int64_t i = 0; i < p->columns; i++) {
        const double w = p->w[weight_place(p, i, j)], x = p->x[0][r * p->columns + i];
        p->dx[0][r * p->columns + i] += dz * (magnitude ? fabs(w) : w);
        p->dw[weight_place(p, i, j)] += dz * (magnitude ? fabs(x) : x);
    }
    if (p->db != NULL)
        p->db[j] += dz;
}

static void affine_clear(const reference_pass *p)
{
    clear(p->dx[0], p->rows * p->columns);
    clear(p->dw, p->columns * p->out);
    if (p->db != NULL)
        clear(p->db, p->out);
}

static void affine_backward(const reference_pass *p)
{
    double unused;
    affine_clear(p);
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t j = 0; j < p->out; j++) {
            const double z = weighted_sum(p, r, j, &unused);
            const double dz = p->dy[r * p->out + j] * reference_slope_at(p, z);
            affine_spread(p, r, j, dz, false);
        }
}

static double affine_dz_magnitude(const reference_pass *p, int64_t r, int64_t j)
{
    double magnitude;
    const double z = weighted_sum(p, r, j, &magnitude);
    return reference_dz_magnitude(p, p->dy[r * p->out + j], z, magnitude);
}

static void affine_backward_magnitude(const reference_pass *p)
{
    affine_clear(p);
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t j = 0; j < p->out; j++)
            affine_spread(p, r, j, affine_dz_magnitude(p, r, j), true);
}

const reference_layer reference_affine = {"affine", affine_forward, affine_backward, affine_forward_magnitude,
                                          affine_backward_magnitude};

/* ---- softmax ---- */

typedef struct row_numbers {
    double largest, smallest, log_sum; /* log_sum = log sum_c exp(x_c) */
} row_numbers;

static row_numbers look_at_row(const double *x, int64_t columns)
{
    row_numbers row = {-INFINITY, INFINITY, 0.0};
    double sum = 0.0;
    for (int64_t c = 0; c < columns; c++) {
        row.largest = fmax(row.largest, x[c]);
        row.smallest = fmin(row.smallest, x[c]);
    }
    for (int64_t c = 0; c < columns; c++)
        sum += exp(x[c] - row.largest);
    row.log_sum = row.largest + log(sum);
    return row;
}

static void softmax_forward(const reference_pass *p)
{
    for (int64_t r = 0; r < p->rows; r++) {
        const double *x = p->x[0] + r * p->columns;
        const row_numbers row = look_at_row(x, p->columns);
        for (int64_t c = 0; c < p->columns; c++)
            p->y[r * p->columns + c] = exp(x[c] - row.log_sum);
    }
}

/* x - max is rounded before exp sees it. */
static void softmax_forward_magnitude(const reference_pass *p)
{
    softmax_forward(p);
    for (int64_t r = 0; r < p->rows; r++) {
        const row_numbers row = look_at_row(p->x[0] + r * p->columns, p->columns);
        for (int64_t c = 0; c < p->columns; c++)
            p->y[r * p->columns + c] *= 1.0 + row.largest - row.smallest;
    }
}

static void softmax_flow(const reference_pass *p, bool magnitude)
{
    softmax_forward(p); /* y is known to the layer */
    for (int64_t r = 0; r < p->rows; r++) {
        const double *y = p->y + r * p->columns, *dy = p->dy + r * p->columns;
        double along = 0.0;
        for (int64_t c = 0; c < p->columns; c++)
            along += magnitude ? fabs(dy[c]) * y[c] : dy[c] * y[c];
        for (int64_t c = 0; c < p->columns; c++)
            p->dx[0][r * p->columns + c] = y[c] * (magnitude ? fabs(dy[c]) + along : dy[c] - along);
    }
}

static void softmax_backward(const reference_pass *p)
{
    softmax_flow(p, false);
}

static void softmax_backward_magnitude(const reference_pass *p)
{
    softmax_flow(p, true);
    for (int64_t r = 0; r < p->rows; r++) {
        const row_numbers row = look_at_row(p->x[0] + r * p->columns, p->columns);
        for (int64_t c = 0; c < p->columns; c++)
            p->dx[0][r * p->columns + c] *= 1.0 + row.largest - row.smallest;
    }
}

const reference_layer reference_softmax_layer = {"softmax", softmax_forward, softmax_backward,
                                                 softmax_forward_magnitude, softmax_backward_magnitude};

/* ---- losses ---- */

static double target(const reference_pass *p, int64_t r, int64_t c)
{
    return p->labels != NULL ? (p->labels[r] == c ? 1.0 : 0.0) : p->x[1][r * p->columns + c];
}

/* 1 / N, N the rows that count; 0 when there is none. */
static double share_of_row(const reference_pass *p)
{
    int64_t counted = 0;
    for (int64_t r = 0; r < p->rows; r++)
        counted += p->labels == NULL || p->labels[r] != GG_IGNORE_LABEL;
    return counted > 0 ? 1.0 / (double)counted : 0.0;
}

/* Of log y = x - largest - log(sum of exp): that sum, 1 or more, is rounded. */
static double log_magnitude(const row_numbers *row, double x)
{
    return fabs(x) + fabs(row->largest) + fabs(row->log_sum) + 1.0;
}

static void softmax_with_loss_forward(const reference_pass *p)
{
    double loss = 0.0;
    for (int64_t r = 0; r < p->rows; r++) {
        const double *x = p->x[0] + r * p->columns;
        const double log_sum = look_at_row(x, p->columns).log_sum;
        for (int64_t c = 0; c < p->columns; c++)
            loss -= target(p, r, c) * (x[c] - log_sum);
    }
    p->y[0] = loss * share_of_row(p);
}

static void softmax_with_loss_forward_magnitude(const reference_pass *p)
{
    double loss = 0.0;
    for (int64_t r = 0; r < p->rows; r++) {
        const double *x = p->x[0] + r * p->columns;
        const row_numbers row = look_at_row(x, p->columns);
        for (int64_t c = 0; c < p->columns; c++)
            loss += fabs(target(p, r, c)) * log_magnitude(&row, x[c]);
    }
    p->y[0] = loss * share_of_row(p);
}

static void softmax_with_loss_backward(const reference_pass *p)
{
    const double scale = p->dy[0] * share_of_row(p);
    for (int64_t r = 0; r < p->rows; r++) {
        const double *x = p->x[0] + r * p->columns;
        const double log_sum = look_at_row(x, p->columns).log_sum;
        double weight = 0.0;
        for (int64_t c = 0; c < p->columns; c++)
            weight += target(p, r, c);
        for (int64_t c = 0; c < p->columns; c++) {
            p->dx[0][r * p->columns + c] = scale * (exp(x[c] - log_sum) * weight - target(p, r, c));
            if (p->dx[1] != NULL)
                p->dx[1][r * p->columns + c] = scale * (log_sum - x[c]);
        }
    }
}

static void softmax_with_loss_backward_magnitude(const reference_pass *p)
{
    const double scale = fabs(p->dy[0]) * share_of_row(p);
    for (int64_t r = 0; r < p->rows; r++) {
        const double *x = p->x[0] + r * p->columns;
        const row_numbers row = look_at_row(x, p->columns);
        double weight = 0.0;
        for (int64_t c = 0; c < p->columns; c++)
            weight += fabs(target(p, r, c)) * (1.0 + row.largest - row.smallest);
        for (int64_t c = 0; c < p->columns; c++) {
            p->dx[0][r * p->columns + c] = scale * (exp(x[c] - row.log_sum) * weight + fabs(target(p, r, c)));
            if (p->dx[1] != NULL)
                p->dx[1][r * p->columns + c] = scale * log_magnitude(&row, x[c]);
        }
    }
}

const reference_layer reference_softmax_with_loss = {"softmax_with_loss", softmax_with_loss_forward,
                                                     softmax_with_loss_backward, softmax_with_loss_forward_magnitude,
                                                     softmax_with_loss_backward_magnitude};

static const double LOG_OFFSET = 1e-7;

static void cross_entropy_error_forward(const reference_pass *p)
{
    double loss = 0.0;
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        loss -= target(p, i / p->columns, i % p->columns) * log(p->x[0][i] + LOG_OFFSET);
    p->y[0] = loss * share_of_row(p);
}

static void cross_entropy_error_forward_magnitude(const reference_pass *p)
{
    double loss = 0.0;
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        loss += fabs(target(p, i / p->columns, i % p->columns)) * (1.0 + fabs(log(p->x[0][i] + LOG_OFFSET)));
    p->y[0] = loss * share_of_row(p);
}

static void cross_entropy_error_backward(const reference_pass *p)
{
    const double scale = p->dy[0] * share_of_row(p);
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        p->dx[0][i] = -scale * target(p, i / p->columns, i % p->columns) / (p->x[0][i] + LOG_OFFSET);
        if (p->dx[1] != NULL)
            p->dx[1][i] = -scale * log(p->x[0][i] + LOG_OFFSET);
    }
}

static void cross_entropy_error_backward_magnitude(const reference_pass *p)
{
    cross_entropy_error_backward(p);
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        p->dx[0][i] = fabs(p->dx[0][i]);
        if (p->dx[1] != NULL)
            p->dx[1][i] = fabs(p->dx[1][i]) + fabs(p->dy[0]) * share_of_row(p);
    }
}

const reference_layer reference_cross_entropy_error = {
    "cross_entropy_error", cross_entropy_error_forward, cross_entropy_error_backward,
    cross_entropy_error_forward_magnitude, cross_entropy_error_backward_magnitude};

static void mean_squared_error_forward(const reference_pass *p)
{
    const int64_t n = p->rows * p->columns;
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += (p->x[0][i] - p->x[1][i]) * (p->x[0][i] - p->x[1][i]);
    p->y[0] = n > 0 ? sum / (double)n : 0.0;
}

static void mean_squared_error_backward(const reference_pass *p)
{
    const int64_t n = p->rows * p->columns;
    for (int64_t i = 0; i < n; i++) {
        p->dx[0][i] = 2.0 * p->dy[0] * (p->x[0][i] - p->x[1][i]) / (double)n;
        p->dx[1][i] = -p->dx[0][i];
    }
}

static void mean_squared_error_backward_magnitude(const reference_pass *p)
{
    mean_squared_error_backward(p);
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = p->dx[1][i] = fabs(p->dx[0][i]);
}

const reference_layer reference_mean_squared_error = {"mean_squared_error", mean_squared_error_forward,
                                                      mean_squared_error_backward, mean_squared_error_forward,
                                                      mean_squared_error_backward_magnitude};

/* ---- nodes ---- */

static void dropout_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = p->x[0][i] * p->mask[i];
}

static void dropout_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = p->dy[i] * p->mask[i];
}

const reference_layer reference_dropout = {"dropout", dropout_forward, dropout_backward, NULL, NULL};

static void add_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = p->x[0][i] + p->x[1][i];
}

static void add_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = p->dx[1][i] = p->dy[i];
}

const reference_layer reference_add = {"add", add_forward, add_backward, NULL, NULL};

static void multiply_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = p->x[0][i] * p->x[1][i];
}

static void multiply_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        p->dx[0][i] = p->dy[i] * p->x[1][i];
        p->dx[1][i] = p->dy[i] * p->x[0][i];
    }
}

const reference_layer reference_multiply = {"multiply", multiply_forward, multiply_backward, NULL, NULL};

static void divide_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->y[i] = p->x[0][i] / p->x[1][i];
}

static void divide_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        p->dx[0][i] = p->dy[i] / p->x[1][i];
        p->dx[1][i] = -p->dy[i] * p->x[0][i] / (p->x[1][i] * p->x[1][i]);
    }
}

const reference_layer reference_divide = {"divide", divide_forward, divide_backward, NULL, NULL};

static void repeat_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        for (int64_t j = 0; j < p->out; j++)
            p->y[i * p->out + j] = p->x[0][i];
}

static void repeat_backward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        p->dx[0][i] = 0.0;
        for (int64_t j = 0; j < p->out; j++)
            p->dx[0][i] += p->dy[i * p->out + j];
    }
}

const reference_layer reference_repeat = {"repeat", repeat_forward, repeat_backward, NULL, NULL};

static void sum_forward(const reference_pass *p)
{
    for (int64_t r = 0; r < p->rows; r++) {
        p->y[r] = 0.0;
        for (int64_t c = 0; c < p->columns; c++)
            p->y[r] += p->x[0][r * p->columns + c];
    }
}

static void sum_backward(const reference_pass *p)
{
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->columns; c++)
            p->dx[0][r * p->columns + c] = p->dy[r];
}

const reference_layer reference_sum = {"sum", sum_forward, sum_backward, NULL, NULL};
