/* gemmgrad/rows.h - rows of a table picked by number, as word vectors are; and their gradients brought back.
 *
 * table is rows x cols, y is n x cols, both dense. index holds n numbers of rows: each 0 .. rows - 1, or
 * GG_IGNORE_LABEL for "no row". Sizes of 0 are legal. Outputs must not overlap inputs. Thread-safe on different
 * outputs; uses up to gg_threads() threads, whose number changes no bit. Errors, outputs untouched: GG_ERR_ARGUMENT
 * (NULL, negative sizes, an index that is none: the message names it), GG_ERR_SHAPE (a leading dimension below cols),
 * GG_ERR_OVERFLOW. */
#ifndef GEMMGRAD_ROWS_H
#define GEMMGRAD_ROWS_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[i] = table[index[i]]; zeros for no row. */
GG_API gg_status gg_gather_rows(float *y, const float *table, const int32_t *index, int64_t n, int64_t rows,
                                int64_t cols);

/* table[index[i]] += y[i] for i = 0, 1, ...; a row that index names several times is the sum in that order. */
GG_API gg_status gg_scatter_add_rows(float *table, const float *y, const int32_t *index, int64_t n, int64_t rows,
                                     int64_t cols);

/* y[r][c] = x[r][c], both n x cols with leading dimensions: to put matrices side by side, or take them apart. */
GG_API gg_status gg_copy_rows(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t n, int64_t cols);

#ifdef __cplusplus
}
#endif
#endif
