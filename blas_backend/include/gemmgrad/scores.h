/* gemmgrad/scores.h - a vector against a set of vectors of its own, for each of many samples: the products of negative
 * sampling, which are no products of two matrices, and its loss.
 *
 * For samples i < n: h [n][cols] one vector each, e [n][count][cols] a set each, s and g [n][count] a number for each
 * of the set; all dense and row-major. Sizes of 0 are legal. Outputs must not overlap inputs. Thread-safe on different
 * outputs; up to gg_threads() threads, whose number changes no bit. Sums of a vector are in an order that cols alone
 * decides. NaN and infinity propagate. Errors, outputs untouched: GG_ERR_ARGUMENT (NULL, negative sizes),
 * GG_ERR_OVERFLOW. */
#ifndef GEMMGRAD_SCORES_H
#define GEMMGRAD_SCORES_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* s[i][c] = h[i] . e[i][c]. */
GG_API gg_status gg_dot_rows(float *s, const float *h, const float *e, int64_t n, int64_t count, int64_t cols);

/* y[i] = (+=, accumulate) factor * sum over c of g[i][c] e[i][c]; g may be NULL: all 1. */
GG_API gg_status gg_combine_rows(float *y, const float *g, const float *e, int64_t n, int64_t count, int64_t cols,
                                 float factor, bool accumulate);

/* de[i][c] = (+=, accumulate) factor * g[i][c] h[i]; g may be NULL: all 1. */
GG_API gg_status gg_spread_rows(float *de, const float *g, const float *h, int64_t n, int64_t count, int64_t cols,
                                float factor, bool accumulate);

/* Logistic loss of n scores against labels 1 (right), 0 (wrong) and GG_IGNORE_LABEL (not counted; gemmgrad/softmax.h):
 *     *loss = sum of log(1 + exp(-s)) where right and of log(1 + exp(s)) where wrong, a sum in double;
 *     *right = how many are right;
 *     g[i] = scale * (sigmoid(s[i]) - label), 0 where it does not count.
 * loss, right and g may each be NULL; g may be s. Each term of the sum is right to 2^-22 or so of 1 plus itself.
 * GG_ERR_ARGUMENT, nothing written, for other labels. Runs on the calling thread. */
GG_API gg_status gg_logistic_loss(double *loss, int64_t *right, float *g, const float *s, const int32_t *labels,
                                  int64_t n, float scale);

#ifdef __cplusplus
}
#endif
#endif
