/* conv_columns.h - pieces of the matrix of columns, for the methods that build it. */
#ifndef GG_CONV_COLUMNS_H
#define GG_CONV_COLUMNS_H

#include "conv_method.h"

/* col[(c taps + t)][j - begin] = what output pixel j sees of channel c through tap t, c < channels, begin <= j < end;
 * rows of col are ld floats apart. x: the first of these channels in one image. */
void gg_conv_columns(float *col, int64_t ld, const float *x, const gg_conv_geometry *g, int64_t channels, int64_t begin,
                     int64_t end);

/* The adjoint: every float of col is added to the pixel that it came from. */
void gg_conv_add_columns(float *x, const float *col, int64_t ld, const gg_conv_geometry *g, int64_t channels,
                         int64_t begin, int64_t end);

#endif
