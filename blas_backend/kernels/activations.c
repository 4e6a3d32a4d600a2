/* activations.c - y = f(x). */
#include "kernel_set.h"
#include "vecmath.h"

typedef float function_of_x(float x, float alpha);

GG_INLINE void forward_element(int64_t i, float *y, const float *x, float alpha, function_of_x *f)
{
    y[i] = f(x[i], alpha);
}

/* One vector loop for each function; the call through the constant pointer is inlined. */
#define FORWARD(name, value)                                                         \
    GG_INLINE float name##_value(float x, float alpha)                               \
    {                                                                                \
        (void)alpha;                                                                 \
        return value;                                                                \
    }                                                                                \
    void GG_KERNEL(name##_forward)(float *y, const float *x, int64_t n, float alpha) \
    {                                                                                \
        GG_OVER_ARRAY(n, forward_element, y, x, alpha, name##_value);                \
    }

/* alpha (e^x - 1), which keeps the sign of a zero. */
GG_INLINE float elu_nonpositive(float x, float alpha)
{
    return alpha * (x == 0.0f ? x : vm_expm1_nonpositive(x));
}

FORWARD(identity, x)
FORWARD(sigmoid, vm_sigmoid(x))
FORWARD(tanh, vm_tanh(x))
FORWARD(relu, x <= 0.0f ? 0.0f : x)
FORWARD(leaky_relu, x > 0.0f ? x : alpha * x)
FORWARD(elu, x > 0.0f ? x : elu_nonpositive(x, alpha))
FORWARD(silu, vm_silu(x))
FORWARD(gelu, vm_gelu(x))
FORWARD(gelu_tanh, vm_gelu_tanh(x))
FORWARD(exp, vm_exp(x))
FORWARD(log, vm_log(x))
