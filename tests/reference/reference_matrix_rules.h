/* reference_matrix_rules.h - Muon, Shampoo, SOAP and K-FAC for one weight of m x n as plain loops in double.
 *
 * Matrices are row-major; g is the gradient times the factor of clipping. Rates, decays and betas as in
 * gemmgrad/optimizer.h. */
#ifndef REFERENCE_MATRIX_RULES_H
#define REFERENCE_MATRIX_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum { REFERENCE_SIDE = 16, REFERENCE_SIZE = REFERENCE_SIDE * REFERENCE_SIDE };

typedef struct reference_numbers {
    double lr, beta1, beta2, epsilon, decay, momentum, rho, damping;
    int64_t refresh, largest_side;
} reference_numbers;

/* Of one weight; all zero at the start. left, right: averages; q: the turns or roots in force. */
typedef struct reference_matrix {
    double m[REFERENCE_SIZE], v[REFERENCE_SIZE];
    double left[REFERENCE_SIZE], right[REFERENCE_SIZE], q_left[REFERENCE_SIZE], q_right[REFERENCE_SIZE];
    bool turned;
} reference_matrix;

/* Symmetric a = q diag(values) q^T by Jacobi's rotations; a is destroyed, values in no order. */
void reference_symmetric_eigen(double *values, double *q, double *a, int64_t n);

/* step counts from 1. */
void reference_muon(double *w, reference_matrix *s, const double *g, int64_t m, int64_t n, const reference_numbers *o);
void reference_shampoo(double *w, reference_matrix *s, const double *g, int64_t m, int64_t n,
                       const reference_numbers *o, int64_t step);
void reference_soap(double *w, reference_matrix *s, const double *g, int64_t m, int64_t n, const reference_numbers *o,
                    int64_t step);

/* p = the natural gradient of d ((in + 1) x out) by the inverses in force; x (rows x in + 1, the last column ones) and
 * dz (rows x out) are the batch of a step that refreshes, or NULL. left and right are the moments, q_left and q_right
 * the inverses. Returns the sum of p d. */
double reference_kfac(double *p, reference_matrix *s, const double *d, const double *x, const double *dz, int64_t rows,
                      int64_t in_and_1, int64_t out, const reference_numbers *o, int64_t step);

#endif
