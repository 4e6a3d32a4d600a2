/* mini_caffe.cpp - the definitions that stay Caffe's: the product for double, columns for every type, in plain loops,
 * with the explicit instantiations that im2col.cpp has. */
#include "mini_caffe.hpp"

namespace caffe
{
template <>
void caffe_cpu_gemm<double>(const mini_transpose TransA, const mini_transpose TransB, const int M, const int N,
                            const int K, const double alpha, const double *A, const double *B, const double beta,
                            double *C)
{
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0.0;
            for (int l = 0; l < K; l++)
                sum += A[TransA == as_it_is ? i * K + l : l * M + i] * B[TransB == as_it_is ? l * N + j : j * K + l];
            C[i * N + j] = alpha * sum + (beta == 0.0 ? 0.0 : beta * C[i * N + j]);
        }
}

/* The pixel that a place in the columns comes from, or -1. */
static int pixel(int c, int y, int x, int tap, int height, int width, int kernel_w, int pad_h, int pad_w, int stride_h,
                 int stride_w, int dilation_h, int dilation_w)
{
    const int row = y * stride_h - pad_h + tap / kernel_w * dilation_h;
    const int column = x * stride_w - pad_w + tap % kernel_w * dilation_w;
    return row < 0 || row >= height || column < 0 || column >= width ? -1 : (c * height + row) * width + column;
}

template <typename Dtype>
void im2col_cpu(const Dtype *data_im, const int channels, const int height, const int width, const int kernel_h,
                const int kernel_w, const int pad_h, const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype *data_col)
{
    const int out_h = (height + 2 * pad_h - dilation_h * (kernel_h - 1) - 1) / stride_h + 1;
    const int out_w = (width + 2 * pad_w - dilation_w * (kernel_w - 1) - 1) / stride_w + 1;
    for (int c = 0; c < channels; c++)
        for (int tap = 0; tap < kernel_h * kernel_w; tap++)
            for (int y = 0; y < out_h; y++)
                for (int x = 0; x < out_w; x++) {
                    const int from = pixel(c, y, x, tap, height, width, kernel_w, pad_h, pad_w, stride_h, stride_w,
                                           dilation_h, dilation_w);
                    *data_col++ = from < 0 ? Dtype(0) : data_im[from];
                }
}

template <typename Dtype>
void col2im_cpu(const Dtype *data_col, const int channels, const int height, const int width, const int kernel_h,
                const int kernel_w, const int pad_h, const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype *data_im)
{
    const int out_h = (height + 2 * pad_h - dilation_h * (kernel_h - 1) - 1) / stride_h + 1;
    const int out_w = (width + 2 * pad_w - dilation_w * (kernel_w - 1) - 1) / stride_w + 1;
    for (int i = 0; i < channels * height * width; i++)
        data_im[i] = Dtype(0);
    for (int c = 0; c < channels; c++)
        for (int tap = 0; tap < kernel_h * kernel_w; tap++)
            for (int y = 0; y < out_h; y++)
                for (int x = 0; x < out_w; x++, data_col++) {
                    const int from = pixel(c, y, x, tap, height, width, kernel_w, pad_h, pad_w, stride_h, stride_w,
                                           dilation_h, dilation_w);
                    if (from >= 0)
                        data_im[from] += *data_col;
                }
}

/* For float they have become idle, of which clang tells. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Winstantiation-after-specialization"
#endif
template void im2col_cpu<float>(const float *, const int, const int, const int, const int, const int, const int,
                                const int, const int, const int, const int, const int, float *);
template void im2col_cpu<double>(const double *, const int, const int, const int, const int, const int, const int,
                                 const int, const int, const int, const int, const int, double *);
template void col2im_cpu<float>(const float *, const int, const int, const int, const int, const int, const int,
                                const int, const int, const int, const int, const int, float *);
template void col2im_cpu<double>(const double *, const int, const int, const int, const int, const int, const int,
                                 const int, const int, const int, const int, const int, double *);
} // namespace caffe
