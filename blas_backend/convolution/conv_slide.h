/* conv_slide.h - depthwise convolution by kernels of 3 x 3 or 5 x 5 taps, right from the planes: conv_slide.c. */
#ifndef GG_CONV_SLIDE_H
#define GG_CONV_SLIDE_H

#include "conv_method.h"

/* Whether such a kernel does it, on this CPU: no padded planes, no workspace. */
bool gg_conv_slides(const gg_conv_geometry *g);

/* The passes, by so many threads at most. */
void gg_conv_slide_forward(const gg_conv_call *call, int threads);
void gg_conv_slide_data(const gg_conv_call *call, int threads);
void gg_conv_slide_weights(const gg_conv_call *call, int threads);

#endif
