/* conv_tiled.h - sizes that the passes of the tiled method share. */
#ifndef GG_CONV_TILED_H
#define GG_CONV_TILED_H

#include "conv_planes.h"
#include "product.h"

enum {
    GG_TILED_PIXELS = GG_PANEL,  /* columns at a time: as wide as the BLAS's small kernels like B to be */
    GG_TILED_DEPTH = 128,        /* rows of columns at a time: with 64 pixels 32 KiB, which stay in the first level */
    GG_TILED_BLOCK_PIXELS = 512, /* of the images whose planes are made at once, so that panels are seldom short */
    GG_TILED_UNIT = GG_REGISTER  /* pixels that are not shared between threads */
};

/* Images whose planes are made at once, of at most `images`. */
int64_t gg_tiled_images(const gg_conv_geometry *g, int64_t images);

/* Floats of the planes of one image and group, and of a block of images with the slack behind it. */
int64_t gg_tiled_image_floats(const gg_conv_geometry *g, const gg_conv_planes *p);
int64_t gg_tiled_planes_floats(const gg_conv_geometry *g, const gg_conv_planes *p, int64_t images);

/* Fill the planes of channels [c0, c1) of a group's channels in each of `images` images. */
void gg_tiled_fill(float *planes, const gg_conv_call *call, const gg_conv_planes *p, int64_t image, int64_t images,
                   int64_t group, int64_t c0, int64_t c1);

/* Begin of part i of `parts` of n things in units. */
int64_t gg_tiled_border(int64_t n, int64_t unit, int64_t i, int64_t parts);

/* conv_tiled_weights.c */
int64_t gg_tiled_weights_workspace(const gg_conv_geometry *g, int threads);
void gg_tiled_weights(const gg_conv_call *call);

/* Whether gradients of weights go the way of conv_tiled_lines.c. */
bool gg_tiled_has_lines(const gg_conv_geometry *g, int threads);

/* conv_tiled_lines.c, where there are as many images as threads and dW is small enough for each thread to have its own:
 * whether it is the faster way, its workspace, the pass. */
bool gg_tiled_takes_lines(const gg_conv_geometry *g);
int64_t gg_tiled_lines_workspace(const gg_conv_geometry *g, int threads);
void gg_tiled_lines(const gg_conv_call *call);

/* Columns of a product as the BLAS's small kernels see them: whole panels, and a rest that takes as long as so many. */
double gg_tiled_effective_columns(int64_t n);

#endif
