/* digit_glyphs.h - the strokes that digits.c draws, before any distortion. */
#ifndef GG_DIGIT_GLYPHS_H
#define GG_DIGIT_GLYPHS_H

#include <stdint.h>

enum { GG_GLYPH_KNOTS = 16 };

typedef enum gg_knot_kind {
    GG_KNOT_START, /* the pen is put down here */
    GG_KNOT_ROUND, /* the curve passes smoothly */
    GG_KNOT_SHARP  /* the curve breaks its direction */
} gg_knot_kind;

/* A point of a stroke on a sheet of 100 x 100 units, x to the right and y down; the strokes of a digit fill it
 * from y = 5 to 95. */
typedef struct gg_knot {
    int8_t x, y;
    int8_t kind;
} gg_knot;

/* One way to write a digit. */
typedef struct gg_glyph {
    int8_t digit;
    int8_t knots;
    gg_knot knot[GG_GLYPH_KNOTS];
} gg_glyph;

/* All of them, digits in rising order. */
extern const gg_glyph gg_glyphs[];
extern const int gg_glyph_count;

#endif
