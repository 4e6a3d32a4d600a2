/* gemmgrad/softmax.h - row softmax, log-sum-exp and softmax with cross-entropy.
 *
 * Matrices are rows x cols, row-major, dense (leading dimension = cols). Every row is shifted by its
 * largest element first, so that no finite input overflows. cols = 0 or rows = 0 does nothing. A row with
 * NaN gives NaN in that row; a row of -inf only gives zeros (and log-sum-exp -inf), so that a fully
 * masked row has no weight anywhere. Output may be the same array as the input. Thread-safe on
 * different outputs. Softmax and its gradient are written past the caches where with their inputs they take
 * more than half of the last one, begin at a multiple of 64 bytes and have rows of so many.
 * Errors, outputs untouched: GG_ERR_ARGUMENT, GG_ERR_OVERFLOW. */
#ifndef GEMMGRAD_SOFTMAX_H
#define GEMMGRAD_SOFTMAX_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[r] = exp(x[r]) / sum exp(x[r]). */
GG_API gg_status gg_softmax_forward(float *y, const float *x, int64_t rows, int64_t cols);

/* dx[r][c] = y[r][c] (dy[r][c] - sum_j dy[r][j] y[r][j]). dx may be dy. */
GG_API gg_status gg_softmax_backward(float *dx, const float *dy, const float *y, int64_t rows, int64_t cols);

/* out[r] = log sum_c exp(x[r][c]). */
GG_API gg_status gg_log_sum_exp(float *out, const float *x, int64_t rows, int64_t cols);

#define GG_IGNORE_LABEL (-1) /* a row with this label adds no loss and gets gradient 0 */

/* Softmax and cross-entropy in one pass, from class numbers.
 * *loss = - sum over counted rows of log softmax(x[r])[labels[r]]   (a sum in double, not yet a mean);
 * *counted = rows whose label is not GG_IGNORE_LABEL;
 * dx[r][c] = scale * (softmax(x[r])[c] - [c == labels[r]]): pass scale = 1/rows for the mean's gradient.
 * loss, counted and dx may each be NULL; dx may be x. GG_ERR_ARGUMENT, nothing written, when a label is
 * neither GG_IGNORE_LABEL nor in 0 <= label < cols. Sum over rows in fixed order whatever the threads. */
GG_API gg_status gg_softmax_cross_entropy(double *loss, int64_t *counted, float *dx, const float *x,
                                          const int32_t *labels, int64_t rows, int64_t cols, float scale);

/* The same from targets t[rows][cols] (one-hot or soft, any non-negative weights):
 * *loss = - sum_r sum_c t[r][c] log softmax(x[r])[c];
 * dx[r][c] = scale * (softmax(x[r])[c] * sum_j t[r][j] - t[r][c]). */
GG_API gg_status gg_softmax_cross_entropy_targets(double *loss, float *dx, const float *x, const float *targets,
                                                  int64_t rows, int64_t cols, float scale);

#ifdef __cplusplus
}
#endif
#endif
