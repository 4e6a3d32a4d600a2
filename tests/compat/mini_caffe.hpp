/* mini_caffe.hpp - what Caffe's math_functions.hpp and im2col.hpp declare, with the adapter included at the end as its
 * header says. Without cblas.h the type of a transpose is int. */
#ifndef MINI_CAFFE_HPP
#define MINI_CAFFE_HPP

#ifdef MINI_CAFFE_CBLAS
#include <cblas.h>
typedef CBLAS_TRANSPOSE mini_transpose;
const mini_transpose as_it_is = CblasNoTrans, transposed = CblasTrans;
#else
typedef int mini_transpose;
const mini_transpose as_it_is = 111, transposed = 112;
#endif

namespace caffe
{
template <typename Dtype>
void caffe_cpu_gemm(const mini_transpose TransA, const mini_transpose TransB, const int M, const int N, const int K,
                    const Dtype alpha, const Dtype *A, const Dtype *B, const Dtype beta, Dtype *C);
template <typename Dtype>
void im2col_cpu(const Dtype *data_im, const int channels, const int height, const int width, const int kernel_h,
                const int kernel_w, const int pad_h, const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype *data_col);
template <typename Dtype>
void col2im_cpu(const Dtype *data_col, const int channels, const int height, const int width, const int kernel_h,
                const int kernel_w, const int pad_h, const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype *data_im);
} // namespace caffe

#include <gemmgrad/compat/caffe.h>

#endif
