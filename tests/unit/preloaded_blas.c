/* preloaded_blas.c - a BLAS of one function, which test_backend.c puts before the one that was linked. */
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);

enum { TRANSPOSE = 112 };

void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc)
{
    (void)order; /* by rows, always */
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0.0f;
            for (int p = 0; p < k; p++)
                sum += a[transpose_a == TRANSPOSE ? p * lda + i : i * lda + p]
                       * b[transpose_b == TRANSPOSE ? j * ldb + p : p * ldb + j];
            c[i * ldc + j] = alpha * sum + (beta != 0.0f ? beta * c[i * ldc + j] : 0.0f);
        }
}
