/* plane.h - what a network of two inputs decides, point by point of the plane. */
#ifndef GEMMGRAD_BENCH_PLANE_H
#define GEMMGRAD_BENCH_PLANE_H

#include <stdio.h>

#include "run.h"

/* Whether the run's data are points of the plane with at most GG_PLANE_CLASSES classes. */
bool gg_plane_possible(const gg_run *run);
enum { GG_PLANE_CLASSES = 6 };

/* Colours by class as 0xRRGGBB (Okabe and Ito: told apart by colour-blind readers too). */
extern const unsigned gg_plane_colours[GG_PLANE_CLASSES];

/* Write the gnuplot datablocks $regions (x y r g b: the classes' colours mixed by probability, pale) and $points (x y
 * class) for the training set; *reach is the half width of the square they cover. Errors: those of gg_model_forward,
 * GG_ERR_MEMORY. */
gg_status gg_plane_write(FILE *script, double *reach, const gg_run *run);

#endif
