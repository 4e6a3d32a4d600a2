/* attention_case.h - one call of attention with its arrays, between guard zones, and the reference beside it. */
#ifndef GEMMGRAD_TESTS_ATTENTION_CASE_H
#define GEMMGRAD_TESTS_ATTENTION_CASE_H

#include <gemmgrad/attention.h>

/* How the arrays lie. */
typedef enum attention_layout {
    ATTENTION_DENSE,       /* strides left to the library */
    ATTENTION_STEPS_FIRST, /* [steps][samples][columns] */
    ATTENTION_FUSED        /* q, k and v as columns of one matrix, samples first; needs queries = keys */
} attention_layout;

typedef struct attention_case {
    gg_attention_shape shape, resolved; /* as given, with all strides */
    gg_attention_options options;
    int64_t q_floats, k_floats, v_floats, o_floats, lse_floats;
    int64_t forward_floats, backward_floats;
    float *q, *k, *v, *d_o;
    float *o, *lse, *dq, *dk, *dv;
    float *workspace;
} attention_case;

/* Random inputs; lengths and bias as options say. The workspace is as large as asked for, and full of canaries. */
attention_case attention_case_make(const gg_attention_shape *shape, const gg_attention_options *options,
                                   attention_layout layout, uint64_t seed);

gg_status attention_case_forward(const attention_case *c);
gg_status attention_case_backward(const attention_case *c);

/* Both, which must succeed, against the reference at rounding. */
void attention_case_check(const attention_case *c);

#endif
