/* table.c - this instruction set's kernels in one constant. */
#include "kernel_set.h"

#define FORWARD(constant, name) [constant] = GG_KERNEL(name##_forward),
#define STREAMED(constant, name) [constant] = GG_KERNEL(name##_streamed),
#define BACKWARD(constant, name) [constant] = GG_KERNEL(name##_backward),
#define ENTRY(result, name, arguments) .name = GG_KERNEL(name),

const gg_kernel_table GG_KERNEL(table) = {.forward = {GG_ACTIVATION_LIST(FORWARD)},
                                          .streamed = {GG_ACTIVATION_LIST(STREAMED)},
                                          .backward = {GG_ACTIVATION_LIST(BACKWARD)},
                                          GG_KERNEL_LIST(ENTRY)};
