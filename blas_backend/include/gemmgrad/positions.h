/* gemmgrad/positions.h - where a row stands in its sequence: sinusoidal tables, tables added to rows, rotations.
 *
 * Rows of several sequences lie either step by step or sequence by sequence: row r has the position
 * (r / together) % positions. Steps first [T][N]: together = N, positions = T; sequences first [N][T]: together = 1,
 * positions = T. rows need not be a multiple of together * positions. Matrices are row-major, dense unless a leading
 * dimension is given; sizes may be 0, but positions and together are at least 1 where there are rows. Outputs may be
 * their inputs; a partial overlap is undefined. Thread-safe on different outputs; uses up to gg_threads() threads,
 * whose number changes no bit. Errors, outputs untouched: GG_ERR_ARGUMENT, GG_ERR_SHAPE (a leading dimension below the
 * row), GG_ERR_OVERFLOW. Sources: Vaswani et al., 2017 (sinusoidal); Su et al., 2021 (rotary). */
#ifndef GEMMGRAD_POSITIONS_H
#define GEMMGRAD_POSITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* table[positions][features]: with the angle a = (first + p) / 10000^(2i / features), table[p][2i] = sin a and
 * table[p][2i + 1] = cos a. */
GG_API gg_status gg_sinusoidal_table(float *table, int64_t first, int64_t positions, int64_t features);

/* turns[positions][width]: width / 2 cosines and then as many sines of the angles (first + p) / base^(2i / width);
 * width is even, base above 0 (0: 10000). */
GG_API gg_status gg_rotary_table(float *turns, int64_t first, int64_t positions, int64_t width, float base);

/* y[r] = x[r] + table[position of r]. */
GG_API gg_status gg_add_positions(float *y, const float *x, const float *table, int64_t rows, int64_t cols,
                                  int64_t positions, int64_t together);

/* dtable[p] = the sum of dy[r] over the rows of position p, or += that. */
GG_API gg_status gg_sum_positions(float *dtable, const float *dy, int64_t rows, int64_t cols, int64_t positions,
                                  int64_t together, bool accumulate);

/* Every head of `width` features in a row of x, heads side by side, turned by its row's position: features i and
 * i + width / 2 are the coordinates that angle i turns. inverse turns back, which is the gradient as well. y += with
 * accumulate. */
GG_API gg_status gg_rotary(float *y, int64_t ldy, const float *x, int64_t ldx, const float *turns, int64_t rows,
                           int64_t heads, int64_t width, int64_t positions, int64_t together, bool inverse,
                           bool accumulate);

#ifdef __cplusplus
}
#endif
#endif
