/* conv_pointwise.h - the way that kernels of one tap take with small images: conv_pointwise_rows.c. */
#ifndef GG_CONV_POINTWISE_H
#define GG_CONV_POINTWISE_H

#include "conv_method.h"

bool gg_pointwise_as_rows(const gg_conv_geometry *g);
int64_t gg_pointwise_rows_workspace(const gg_conv_geometry *g);
void gg_pointwise_rows(const gg_conv_call *call, gg_conv_pass pass);

#endif
