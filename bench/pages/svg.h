/* svg.h - scales, and the parts that charts of a page share. Places are in percent of a drawing's width, from the left,
 * and in pixels from its top. */
#ifndef GEMMGRAD_BENCH_SVG_H
#define GEMMGRAD_BENCH_SVG_H

#include "html.h"

/* ---- a logarithmic scale over powers of ten ---- */

typedef struct gg_decades {
    double low, high; /* of the values shown; low < high */
} gg_decades;

/* The narrowest with ends at 1, 2 or 5 times a power of ten around least and most, both finite and above 0. */
gg_decades gg_decades_around(double least, double most);

/* 0 at low, 1 at high. */
double gg_decades_place(const gg_decades *scale, double x);

/* The ticks: powers of ten, with 2 and 5 times them where there are few, some left out where there are many. Returns
 * how many, at most `room`. */
int gg_decades_ticks(const gg_decades *scale, double *ticks, int room);

/* ---- a symmetric scale of ratios around 1 ---- */

typedef struct gg_ratios {
    double limit, middle; /* shown: 1 / limit to limit; ticks there, at 1, and at middle and 1 / middle */
} gg_ratios;

/* The narrowest of a few on which `most` (at least 1) and 1 / most can be shown; the widest where none can. */
gg_ratios gg_ratios_for(double most);

/* In percent of the width: 0 at 1 / limit, 50 at 1, 100 at limit; what lies beyond is put at the end. */
double gg_ratios_percent(const gg_ratios *scale, double ratio);

/* A row that holds only the scale. `unit` is appended to its numbers; `right` stands where the rows hold their
 * figures. Both are markup. */
void gg_svg_ratio_scale(gg_html *page, const gg_ratios *scale, const char *unit, const char *right);

/* ---- shapes ---- */

/* The marker of a suite, 0 to 4, around the origin: shape and colour both tell it. */
void gg_svg_marker(gg_html *page, int suite);

#endif
