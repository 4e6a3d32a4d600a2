/* conv_planes.h - images with their padding, split by stride, so that every tap of a kernel sees contiguous pixels.
 *
 * With strides sy, sx the pixel (r sy + fy - pad_top, c sx + fx - pad_left) of a channel goes to row r, column c of the
 * plane of phase (fy, fx); what lies outside of the image is zero. Output pixel (i, j) then sees through tap (p, q) the
 * pixel (i + p dilation_y / sy, j + q dilation_x / sx) of phase (p dilation_y % sy, q dilation_x % sx): moved by a
 * constant, and neighbours in a row of the result are neighbours in a row of the plane, whatever the stride.
 *
 *   [image][channel][phase y][phase x][row][column, `pitch` of them] */
#ifndef GG_CONV_PLANES_H
#define GG_CONV_PLANES_H

#include "conv_method.h"
#include "kernels/kernels.h"

enum {
    GG_CONV_MOST_TAPS = 256, /* of a kernel that is laid out in this way */
    GG_CONV_MOST_RUNS = 256, /* pixels of a piece of columns, at worst a run each */
    GG_CONV_SLACK = 16       /* floats that may be touched behind the planes */
};

typedef struct gg_conv_planes {
    const gg_conv_geometry *g;
    int64_t phases_y, phases_x, rows, pitch;
    int64_t plane_floats, channel_floats;
    int64_t taps[GG_CONV_MOST_TAPS]; /* where each tap starts in a channel */
} gg_conv_planes;

bool gg_conv_planes_fit(const gg_conv_geometry *g);
void gg_conv_planes_of(gg_conv_planes *planes, const gg_conv_geometry *g);

/* Fill the planes of `channels` channels, which lie one after the other in x. */
void gg_conv_planes_fill(float *planes, const float *x, const gg_conv_planes *p, int64_t channels);

/* dx = or += the pixels of the planes. */
void gg_conv_planes_take(float *dx, const float *planes, const gg_conv_planes *p, int64_t channels, bool accumulate);

/* The runs that make up output pixels [begin, end), counted through images that lie image_floats apart, at most
 * GG_CONV_MOST_RUNS pixels. Returns their number. */
int64_t gg_conv_planes_runs(gg_pixel_run *runs, const gg_conv_planes *p, int64_t image_floats, int64_t begin,
                            int64_t end);

#endif
