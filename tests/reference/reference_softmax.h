/* reference_softmax.h - gemmgrad/softmax.h as plain loops in double, short enough to check by eye. */
#ifndef REFERENCE_SOFTMAX_H
#define REFERENCE_SOFTMAX_H

#include <stdint.h>

/* A row of -inf gives zeros, and log-sum-exp -inf. */
void reference_softmax(double *y, const double *x, int64_t rows, int64_t cols);
void reference_softmax_backward(double *dx, const double *dy, const double *y, int64_t rows, int64_t cols);
void reference_log_sum_exp(double *out, const double *x, int64_t rows, int64_t cols);

/* The loss; dx may be NULL; a negative label leaves its row out. */
double reference_cross_entropy(double *dx, const double *x, const int32_t *labels, int64_t rows, int64_t cols,
                               double scale);

/* The same from targets; 0 log 0 is 0. */
double reference_cross_entropy_targets(double *dx, const double *x, const double *targets, int64_t rows, int64_t cols,
                                       double scale);

#endif
