/* kernels/activation_loops.h - the loops over arrays of a function and its derivative, a vector loop for each; calls
 * through constant pointers are inlined. */
#ifndef GG_ACTIVATION_LOOPS_H
#define GG_ACTIVATION_LOOPS_H

#include "kernel_set.h"
#include "stream.h"

typedef float function_of_x(float x, float alpha);
typedef float gradient_of(float dy, float xy, float alpha);

GG_INLINE float forward_value(int64_t i, const float *x, float alpha, function_of_x *f)
{
    return f(x[i], alpha);
}

GG_INLINE void forward_element(int64_t i, float *y, const float *x, float alpha, function_of_x *f)
{
    y[i] = f(x[i], alpha);
}

#define FORWARD(name, value)                                                                                    \
    GG_INLINE float name##_value(float x, float alpha)                                                          \
    {                                                                                                           \
        (void)alpha;                                                                                            \
        return value;                                                                                           \
    }                                                                                                           \
    void GG_KERNEL(name##_forward)(float *y, const float *x, int64_t n, float alpha)                            \
    {                                                                                                           \
        GG_OVER_ARRAY(n, forward_element, y, x, alpha, name##_value);                                           \
    }                                                                                                           \
    void GG_KERNEL(name##_streamed)(float *y, const float *x, int64_t n, float alpha)                           \
    {                                                                                                           \
        GG_STREAM_LINES(n, y, __builtin_prefetch(x + line_ + GG_AHEAD), forward_value, x, alpha, name##_value); \
        stream_end();                                                                                           \
    }

GG_INLINE float backward_value(int64_t i, const float *dy, const float *xy, float alpha, gradient_of *f)
{
    return f(dy[i], xy[i], alpha);
}

GG_INLINE void ask_both(const float *dy, const float *xy)
{
    __builtin_prefetch(dy + GG_AHEAD);
    __builtin_prefetch(xy + GG_AHEAD);
}

GG_INLINE void backward_element(int64_t i, float *dx, const float *dy, const float *xy, float alpha, gradient_of *f)
{
    dx[i] = f(dy[i], xy[i], alpha);
}

GG_INLINE void backward_add_element(int64_t i, float *dx, const float *dy, const float *xy, float alpha, gradient_of *f)
{
    dx[i] += f(dy[i], xy[i], alpha);
}

#define BACKWARD(name, value)                                                                                         \
    GG_INLINE float name##_gradient(float dy, float xy, float alpha)                                                  \
    {                                                                                                                 \
        (void)xy;                                                                                                     \
        (void)alpha;                                                                                                  \
        return value;                                                                                                 \
    }                                                                                                                 \
    void GG_KERNEL(name##_backward)(float *dx, const float *dy, const float *xy, int64_t n, float alpha,              \
                                    gg_writing writing)                                                               \
    {                                                                                                                 \
        if (writing == GG_STREAM) {                                                                                   \
            GG_STREAM_LINES(n, dx, ask_both(dy + line_, xy + line_), backward_value, dy, xy, alpha, name##_gradient); \
            stream_end();                                                                                             \
        } else if (writing == GG_ADD) {                                                                               \
            GG_OVER_ARRAY(n, backward_add_element, dx, dy, xy, alpha, name##_gradient);                               \
        } else {                                                                                                      \
            GG_OVER_ARRAY(n, backward_element, dx, dy, xy, alpha, name##_gradient);                                   \
        }                                                                                                             \
    }

#endif
