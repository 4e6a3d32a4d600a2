/* reference_gemm.c - see reference_gemm.h. */
#include "reference_gemm.h"

#include <math.h>
#include <stddef.h>

static double at(const double *matrix, int64_t ld, bool transposed, int64_t row, int64_t column)
{
    return transposed ? matrix[column * ld + row] : matrix[row * ld + column];
}

void reference_gemm(double *c, int64_t ldc, const double *a, int64_t lda, const double *b, int64_t ldb, int64_t m,
                    int64_t n, int64_t k, bool transpose_a, bool transpose_b, double alpha, double beta)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (int64_t p = 0; p < k; p++)
                sum += at(a, lda, transpose_a, i, p) * at(b, ldb, transpose_b, p, j);
            c[i * ldc + j] = alpha * sum + (beta == 0.0 ? 0.0 : beta * c[i * ldc + j]);
        }
}

void reference_gemm_magnitude(double *c, int64_t ldc, const double *a, int64_t lda, const double *b, int64_t ldb,
                              int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b, double alpha,
                              double beta)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (int64_t p = 0; p < k; p++)
                sum += fabs(at(a, lda, transpose_a, i, p)) * fabs(at(b, ldb, transpose_b, p, j));
            c[i * ldc + j] = fabs(alpha) * sum + (beta == 0.0 ? 0.0 : fabs(beta) * fabs(c[i * ldc + j]));
        }
}

/* w_ij, input i to output j. */
static int64_t weight(int64_t i, int64_t j, int64_t in, int64_t out, bool out_in)
{
    return out_in ? j * in + i : i * out + j;
}

void reference_matmul_forward(double *y, const double *x, const double *w, const double *bias, int64_t rows, int64_t in,
                              int64_t out, bool out_in, bool accumulate)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < out; j++) {
            double sum = bias != NULL ? bias[j] : 0.0;
            for (int64_t i = 0; i < in; i++)
                sum += x[r * in + i] * w[weight(i, j, in, out, out_in)];
            y[r * out + j] = (accumulate ? y[r * out + j] : 0.0) + sum;
        }
}

static void backward_x(double *dx, const double *dy, const double *w, int64_t rows, int64_t in, int64_t out,
                       bool out_in, bool accumulate)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < in; i++) {
            double sum = accumulate ? dx[r * in + i] : 0.0;
            for (int64_t j = 0; j < out; j++)
                sum += dy[r * out + j] * w[weight(i, j, in, out, out_in)];
            dx[r * in + i] = sum;
        }
}

static void backward_w(double *dw, const double *dy, const double *x, int64_t rows, int64_t in, int64_t out,
                       bool out_in, bool accumulate)
{
    for (int64_t i = 0; i < in; i++)
        for (int64_t j = 0; j < out; j++) {
            double *element = &dw[weight(i, j, in, out, out_in)];
            double sum = accumulate ? *element : 0.0;
            for (int64_t r = 0; r < rows; r++)
                sum += x[r * in + i] * dy[r * out + j];
            *element = sum;
        }
}

void reference_matmul_backward(double *dx, double *dw, double *db, const double *dy, const double *x, const double *w,
                               int64_t rows, int64_t in, int64_t out, bool out_in, bool accumulate_dx,
                               bool accumulate_dw)
{
    if (dx != NULL)
        backward_x(dx, dy, w, rows, in, out, out_in, accumulate_dx);
    if (dw != NULL)
        backward_w(dw, dy, x, rows, in, out, out_in, accumulate_dw);
    for (int64_t j = 0; db != NULL && j < out; j++) {
        double sum = accumulate_dw ? db[j] : 0.0;
        for (int64_t r = 0; r < rows; r++)
            sum += dy[r * out + j];
        db[j] = sum;
    }
}
