/* activations.c - y = f(x). */
#include "activation_loops.h"
#include "vecmath.h"

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
FORWARD(gelu_tanh, vm_gelu_tanh(x))
FORWARD(exp, vm_exp(x))
FORWARD(log, vm_log(x))
