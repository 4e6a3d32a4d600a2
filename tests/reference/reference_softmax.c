/* reference_softmax.c - see reference_softmax.h. */
#include "reference_softmax.h"

#include <math.h>
#include <stddef.h>

static double largest(const double *x, int64_t n)
{
    double m = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

/* log sum e^x of one row. */
static double log_sum(const double *x, int64_t n)
{
    const double m = largest(x, n), shift = isfinite(m) ? m : 0;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - shift);
    return shift + log(sum);
}

void reference_log_sum_exp(double *out, const double *x, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        out[r] = log_sum(x + r * cols, cols);
}

void reference_softmax(double *y, const double *x, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++) {
        const double l = log_sum(x + r * cols, cols);
        for (int64_t c = 0; c < cols; c++)
            y[r * cols + c] = l == -INFINITY ? 0 : exp(x[r * cols + c] - l);
    }
}

void reference_softmax_backward(double *dx, const double *dy, const double *y, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++) {
        double dot = 0;
        for (int64_t c = 0; c < cols; c++)
            dot += dy[r * cols + c] * y[r * cols + c];
        for (int64_t c = 0; c < cols; c++)
            dx[r * cols + c] = y[r * cols + c] * (dy[r * cols + c] - dot);
    }
}

double reference_cross_entropy(double *dx, const double *x, const int32_t *labels, int64_t rows, int64_t cols,
                               double scale)
{
    double loss = 0;
    for (int64_t r = 0; r < rows; r++) {
        const double l = log_sum(x + r * cols, cols);
        const int32_t label = labels[r];
        if (label >= 0)
            loss += l - x[r * cols + label];
        for (int64_t c = 0; c < cols && dx != NULL; c++)
            dx[r * cols + c] = label < 0 ? 0 : scale * (exp(x[r * cols + c] - l) - (c == label ? 1 : 0));
    }
    return loss;
}

double reference_cross_entropy_targets(double *dx, const double *x, const double *targets, int64_t rows, int64_t cols,
                                       double scale)
{
    double loss = 0;
    for (int64_t r = 0; r < rows; r++) {
        const double *t = targets + r * cols;
        const double l = log_sum(x + r * cols, cols);
        double weight = 0;
        for (int64_t c = 0; c < cols; c++) {
            weight += t[c];
            loss += t[c] == 0 ? 0 : t[c] * (l - x[r * cols + c]);
        }
        for (int64_t c = 0; c < cols && dx != NULL; c++)
            dx[r * cols + c] = scale * (exp(x[r * cols + c] - l) * weight - t[c]);
    }
    return loss;
}
