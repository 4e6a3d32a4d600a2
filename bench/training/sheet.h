/* sheet.h - for networks that read images: the filters of the first convolution, and what the network misreads. */
#ifndef GEMMGRAD_BENCH_SHEET_H
#define GEMMGRAD_BENCH_SHEET_H

#include <stdio.h>

#include "run.h"

enum { GG_SHEET_MISTAKES = 24 };

/* Small pictures in rows and columns. Sizes in dots, the distance to the next picture included. */
typedef struct gg_sheet_grid {
    int64_t count, columns, rows, cell_width, cell_height;
} gg_sheet_grid;

typedef struct gg_sheet {
    gg_sheet_grid filters, mistakes; /* count 0: there are none */
    int64_t misread;                 /* of the test set, of which the sheet shows the first */
    int32_t truth[GG_SHEET_MISTAKES], guess[GG_SHEET_MISTAKES];
} gg_sheet;

/* Whether the run's samples are images. */
bool gg_sheet_possible(const gg_run *run);

/* Write the gnuplot datablocks $filters and $mistakes (x y r g b, every dot of the grid, rows downwards). Errors: those
 * of gg_model_forward. */
gg_status gg_sheet_write(FILE *script, gg_sheet *sheet, const gg_run *run);

/* The plots of both, below the curves. */
void gg_sheet_plot(FILE *script, const gg_sheet *sheet);

#endif
