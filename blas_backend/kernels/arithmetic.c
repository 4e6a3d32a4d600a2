/* arithmetic.c - sums, products and quotients of arrays, element by element. */
#include "kernel_set.h"

#define BINARY(name, operator)                                                         \
    GG_INLINE void name##_element(int64_t i, float *y, const float *a, const float *b) \
    {                                                                                  \
        y[i] = a[i] operator b[i];                                                     \
    }                                                                                  \
    void GG_KERNEL(name)(float *y, const float *a, const float *b, int64_t n)          \
    {                                                                                  \
        GG_OVER_ARRAY(n, name##_element, y, a, b);                                     \
    }

BINARY(add, +)
BINARY(multiply, *)
BINARY(divide, /)

GG_INLINE void add_relu_element(int64_t i, float *y, const float *a, const float *b)
{
    const float sum = a[i] + b[i];
    y[i] = sum <= 0.0f ? 0.0f : sum; /* NaN stays */
}

void GG_KERNEL(add_relu)(float *y, const float *a, const float *b, int64_t n)
{
    GG_OVER_ARRAY(n, add_relu_element, y, a, b);
}

GG_INLINE void axpy_element(int64_t i, float *y, const float *x, float alpha)
{
    y[i] += alpha * x[i];
}

void GG_KERNEL(axpy)(float *y, const float *x, int64_t n, float alpha)
{
    GG_OVER_ARRAY(n, axpy_element, y, x, alpha);
}

GG_INLINE void fill_element(int64_t i, float *y, float value)
{
    y[i] = value;
}

void GG_KERNEL(fill)(float *y, int64_t n, float value)
{
    GG_OVER_ARRAY(n, fill_element, y, value);
}

GG_INLINE void scale_element(int64_t i, float *y, float alpha)
{
    y[i] *= alpha;
}

void GG_KERNEL(scale)(float *y, int64_t n, float alpha)
{
    GG_OVER_ARRAY(n, scale_element, y, alpha);
}

GG_INLINE void scaled_element(int64_t i, float *y, const float *x, float factor)
{
    y[i] = x[i] * factor;
}

GG_APART void scaled_row(float *y, const float *x, int64_t n, float factor)
{
    GG_OVER_ARRAY(n, scaled_element, y, x, factor);
}

void GG_KERNEL(scale_rows)(float *y, const float *x, const float *factors, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        scaled_row(y + r * cols, x + r * cols, cols, factors[r]);
}

GG_INLINE void add_constant_element(int64_t i, float *y, float value)
{
    y[i] += value;
}

void GG_KERNEL(add_constant)(float *y, int64_t n, float value)
{
    GG_OVER_ARRAY(n, add_constant_element, y, value);
}

GG_APART void add_to_row(float *y, int64_t n, float value)
{
    GG_OVER_ARRAY(n, add_constant_element, y, value);
}

void GG_KERNEL(add_to_rows)(float *y, int64_t ldy, const float *values, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        add_to_row(y + r * ldy, cols, values[r]);
}
