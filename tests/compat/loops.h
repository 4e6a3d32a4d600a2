/* loops.h - what the functions that the adapters stand in for compute, as plain loops in double. */
#ifndef GEMMGRAD_TESTS_LOOPS_H
#define GEMMGRAD_TESTS_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

/* ---- products ---- */

typedef struct loops_product {
    bool column_major, transpose_a, transpose_b;
    int64_t m, n, k;
    int64_t gap;           /* leading dimensions are that much longer than they must be; the gaps hold canaries */
    int64_t lda, ldb, ldc; /* set by loops_product_new, as everything below */
    float *a, *b, *c, *before;
} loops_product;

/* Operands in [-1, 1), and C; with nan_c every element of C is NaN. */
void loops_product_new(loops_product *p, bool nan_c);

/* Fail unless C = alpha op(A) op(B) + beta C to 16 eps of the magnitudes (beta = 0 overwrites), and the gaps are as
 * they were. `what` names the function. */
void loops_product_check(const loops_product *p, float alpha, float beta, const char *what);

/* ---- columns ---- */

typedef struct loops_window {
    int channels, height, width, kernel_h, kernel_w, pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
} loops_window;

int64_t loops_image_floats(const loops_window *w);
int64_t loops_column_floats(const loops_window *w);
void loops_im2col(double *col, const float *image, const loops_window *w);

/* image += */
void loops_col2im(double *image, const float *col, const loops_window *w);

/* Windows of even and odd sizes, with and without padding, strides and dilation; `square`: only those whose kernel,
 * padding and stride are the same in both directions, without dilation. The count is returned, *windows belongs here.
 */
int loops_windows(const loops_window **windows, bool square);

#endif
