/* bench_check_conv.h - convolutions against their definition in double, at places drawn with a fixed seed: the whole
 * sum at a batch of 16 would take longer than all measurements. */
#ifndef GEMMGRAD_BENCH_CHECK_CONV_H
#define GEMMGRAD_BENCH_CHECK_CONV_H

#include "bench_case.h"

/* The convolution of a case: bench_kinds_conv.c. */
gg_conv_shape bench_conv_shape(const bench_case *line);

/* Run a variant once over results filled with NaN, and compare a few hundred elements of each result that the case has
 * (y, dx, dw, db). Bounds: 16 eps sum |a||b| as in LAPACK's tests; for Winograd's algorithms 1e-5 of the largest
 * element looked at. */
gg_status bench_check_conv(bench_work *work, int variant);

#endif
