/* test_together.cpp - all adapters in one C++ file, with the projects' own prototypes behind them as their headers have
 * them for C++. */
#include <gemmgrad/compat/caffe.h>
#include <gemmgrad/compat/darknet.h>
#include <gemmgrad/compat/kann.h>
#include <gemmgrad/compat/llmc.h>
#include <gemmgrad/compat/th.h>

extern "C" {
void gemm_cpu(int TA, int TB, int M, int N, int K, float ALPHA, float *A, int lda, float *B, int ldb, float BETA,
              float *C, int ldc);
void im2col_cpu(float *data_im, int channels, int height, int width, int ksize, int stride, int pad, float *data_col);
void kad_sgemm_simple(int trans_A, int trans_B, int M, int N, int K, const float *A, const float *B, float *C);
void matmul_forward(float *out, const float *inp, const float *weight, const float *bias, int B, int T, int C, int OC);
void THFloatBlas_gemm(char transa, char transb, int64_t m, int64_t n, int64_t k, float alpha, float *a, int64_t lda,
                      float *b, int64_t ldb, float beta, float *c, int64_t ldc);
}

/* Five ways to 2 * 3, and two to the columns of one pixel. */
int main()
{
    float two = 2.0f, three = 3.0f, c[5] = {0, 0, 0, 0, 0}, pixel = 6.0f, column[2] = {0, 0};
    gemm_cpu(0, 0, 1, 1, 1, 1.0f, &two, 1, &three, 1, 0.0f, &c[0], 1);
    kad_sgemm_simple(0, 0, 1, 1, 1, &two, &three, &c[1]);
    matmul_forward(&c[2], &two, &three, nullptr, 1, 1, 1, 1);
    THFloatBlas_gemm('n', 'n', 1, 1, 1, 1.0f, &two, 1, &three, 1, 0.0f, &c[3], 1);
    caffe::caffe_cpu_gemm<float>(111, 111, 1, 1, 1, 1.0f, &two, &three, 0.0f, &c[4]);
    im2col_cpu(&pixel, 1, 1, 1, 1, 1, 0, &column[0]);
    caffe::im2col_cpu<float>(&pixel, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, &column[1]);
    for (float product : c)
        if (product != 6.0f)
            return 1;
    return column[0] != 6.0f || column[1] != 6.0f;
}
