/* reference_elementwise.c - see reference_elementwise.h. */
#include "reference_elementwise.h"

#include <math.h>
#include <stddef.h>

static const double pi = 3.14159265358979323846;

/* 1 / (1 + e^-x) without overflow and without 1 - e. */
static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

/* The normal distribution function and its density. */
static double normal(double x)
{
    return erfc(-x / sqrt(2.0)) / 2;
}

static double density(double x)
{
    return exp(-x * x / 2) / sqrt(2 * pi);
}

/* (1 + tanh u) / 2 = sigmoid(2u), u as in GELU's approximation by tanh. */
static double twice_u(double x)
{
    return 2 * sqrt(2 / pi) * (x + 0.044715 * x * x * x);
}

static double twice_u_slope(double x)
{
    return 2 * sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x);
}

double reference_activation(gg_activation f, double x, double alpha)
{
    switch (f) {
    case GG_IDENTITY: return x;
    case GG_SIGMOID: return sigmoid(x);
    case GG_TANH: return tanh(x);
    case GG_RELU: return x <= 0 ? 0 : x;
    case GG_LEAKY_RELU: return x > 0 ? x : alpha * x;
    case GG_ELU: return x > 0 ? x : alpha * expm1(x);
    case GG_SILU: return x * sigmoid(x);
    case GG_GELU: return x * normal(x);
    case GG_GELU_TANH: return x * sigmoid(twice_u(x));
    case GG_EXP: return exp(x);
    case GG_LOG: return log(x);
    case GG_ACTIVATION_COUNT: break;
    }
    return NAN;
}

double reference_slope(gg_activation f, double xy, double alpha)
{
    const double x = xy, y = xy;
    switch (f) {
    case GG_IDENTITY: return 1;
    case GG_SIGMOID: return y * (1 - y);
    case GG_TANH: return (1 - y) * (1 + y);
    case GG_RELU: return y > 0 ? 1 : 0;
    case GG_LEAKY_RELU: return x > 0 ? 1 : alpha;
    case GG_ELU: return x > 0 ? 1 : alpha * exp(x);
    case GG_SILU: return sigmoid(x) + x * sigmoid(x) * sigmoid(-x);
    case GG_GELU: return normal(x) + x * density(x);
    case GG_GELU_TANH: return sigmoid(twice_u(x)) + x * sigmoid(twice_u(x)) * sigmoid(-twice_u(x)) * twice_u_slope(x);
    case GG_EXP: return y;
    case GG_LOG: return 1 / x;
    case GG_ACTIVATION_COUNT: break;
    }
    return NAN;
}

double reference_slope_scale(gg_activation f, double xy, double alpha)
{
    const double x = xy;
    switch (f) {
    case GG_SILU: return sigmoid(x) + fabs(x) * sigmoid(x) * sigmoid(-x);
    case GG_GELU: return normal(x) + fabs(x) * density(x);
    case GG_GELU_TANH:
        return sigmoid(twice_u(x)) + fabs(x) * sigmoid(twice_u(x)) * sigmoid(-twice_u(x)) * twice_u_slope(x);
    default: return fabs(reference_slope(f, xy, alpha));
    }
}

void reference_add_bias(double *y, const double *x, const double *bias, int64_t rows, int64_t cols, gg_activation f,
                        double alpha)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            y[r * cols + c] = reference_activation(f, x[r * cols + c] + (bias != NULL ? bias[c] : 0), alpha);
}

void reference_sum_rows(double *s, double *scale, const double *x, int64_t ldx, int64_t rows, int64_t cols)
{
    for (int64_t c = 0; c < cols; c++) {
        s[c] = 0;
        scale[c] = 0;
        for (int64_t r = 0; r < rows; r++) {
            s[c] += x[r * ldx + c];
            scale[c] += fabs(x[r * ldx + c]);
        }
    }
}
