/* gemmgrad/compat/caffe.h - Caffe's matrix product and columns on the CPU, by gemmgrad.
 *
 * C++: include it at the end of math_functions.hpp and im2col.hpp, and remove the definition of caffe_cpu_gemm<float>
 * from math_functions.cpp; im2col.cpp may stay as it is (its explicit instantiations for float become idle). Link with
 * gemmgrad-blas. The functions are specialisations for float of Caffe's templates in namespace caffe
 * (https://github.com/BVLC/caffe, 1.0: with dilation); double stays Caffe's. C, for code that took them over: the same
 * names as plain functions.
 *
 * The type of a transpose is CBLAS_TRANSPOSE in C++ where cblas.h has been included before, and int otherwise; the
 * values are those of cblas.h, 111 for an operand as it is, 112 and 113 for one stored transposed. No name of cblas.h
 * is defined here. Nothing is allocated; thread-safe on different outputs. A product takes up to gg_threads() threads,
 * and inside an OpenMP region of yours the calling one; columns take the calling one. A kernel larger than the padded
 * image is refused, and so is a stride or dilation below 1. Refused calls: gemmgrad/compat/failure.h.
 *
 * The functions, all row-major and dense:
 *
 * caffe_cpu_gemm   C = alpha op(A) op(B) + beta C, C being M x N; beta = 0 overwrites NaN.
 * im2col_cpu       data_col [channels * kernel_h * kernel_w][out_height * out_width] = what each output pixel sees of
 *                  data_im [channels][height][width], with pad_h and pad_w zeros on both sides.
 * col2im_cpu       data_im = the sum of what data_col holds for each pixel; as in Caffe it is cleared first. */
#ifndef GEMMGRAD_COMPAT_CAFFE_H
#define GEMMGRAD_COMPAT_CAFFE_H

#if defined(GEMMGRAD_COMPAT_DARKNET_H) && !defined(__cplusplus)
#error "darknet and Caffe both have an im2col_cpu and a col2im_cpu: in C a file includes only one of these adapters"
#endif

#include <string.h>

#include <gemmgrad/compat/failure.h>
#include <gemmgrad/conv.h>
#include <gemmgrad/gemm.h>

static inline gg_status gg_caffe_gemm(int TransA, int TransB, int M, int N, int K, float alpha, const float *A,
                                      const float *B, float beta, float *C)
{
    const int as_it_is = 111, last = 113;
    const gg_transpose ta = TransA == as_it_is ? GG_NO_TRANSPOSE : GG_TRANSPOSE;
    const gg_transpose tb = TransB == as_it_is ? GG_NO_TRANSPOSE : GG_TRANSPOSE;
    if (TransA < as_it_is || TransA > last || TransB < as_it_is || TransB > last)
        return gg_fail(GG_ERR_ARGUMENT, "caffe_cpu_gemm: TransA = %d, TransB = %d: neither 111, 112 nor 113", TransA,
                       TransB);
    return gg_gemm(C, N, A, ta == GG_NO_TRANSPOSE ? K : M, B, tb == GG_NO_TRANSPOSE ? N : K, M, N, K, ta, tb, alpha,
                   beta);
}

static inline gg_conv_shape gg_caffe_shape(int channels, int height, int width, int kernel_h, int kernel_w, int pad_h,
                                           int pad_w, int stride_h, int stride_w, int dilation_h, int dilation_w)
{
    gg_conv_shape shape;
    memset(&shape, 0, sizeof shape);
    shape.batch = shape.filters = 1;
    shape.channels = channels;
    shape.height = height;
    shape.width = width;
    shape.kernel_height = kernel_h;
    shape.kernel_width = kernel_w;
    shape.stride_y = stride_h;
    shape.stride_x = stride_w;
    shape.pad_top = shape.pad_bottom = pad_h;
    shape.pad_left = shape.pad_right = pad_w;
    shape.dilation_y = dilation_h;
    shape.dilation_x = dilation_w;
    return shape;
}

#ifdef __cplusplus
/* Caffe's own template decides the type, and a specialisation has to match it. */
#if defined(CBLAS_H) || defined(CBLAS_ENUM_DEFINED_H) || defined(__MKL_CBLAS_H__) || defined(_MKL_CBLAS_H_)
#define GG_CAFFE_TRANSPOSE CBLAS_TRANSPOSE
#else
#define GG_CAFFE_TRANSPOSE int
#endif

namespace caffe
{
template <typename Dtype>
void caffe_cpu_gemm(const GG_CAFFE_TRANSPOSE TransA, const GG_CAFFE_TRANSPOSE TransB, const int M, const int N,
                    const int K, const Dtype alpha, const Dtype *A, const Dtype *B, const Dtype beta, Dtype *C);
template <typename Dtype>
void im2col_cpu(const Dtype *data_im, const int channels, const int height, const int width, const int kernel_h,
                const int kernel_w, const int pad_h, const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype *data_col);
template <typename Dtype>
void col2im_cpu(const Dtype *data_col, const int channels, const int height, const int width, const int kernel_h,
                const int kernel_w, const int pad_h, const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype *data_im);

template <>
inline void caffe_cpu_gemm<float>(const GG_CAFFE_TRANSPOSE TransA, const GG_CAFFE_TRANSPOSE TransB, const int M,
                                  const int N, const int K, const float alpha, const float *A, const float *B,
                                  const float beta, float *C)
{
    gg_compat_check(gg_caffe_gemm((int)TransA, (int)TransB, M, N, K, alpha, A, B, beta, C));
}

template <>
inline void im2col_cpu<float>(const float *data_im, const int channels, const int height, const int width,
                              const int kernel_h, const int kernel_w, const int pad_h, const int pad_w,
                              const int stride_h, const int stride_w, const int dilation_h, const int dilation_w,
                              float *data_col)
{
    const gg_conv_shape shape = gg_caffe_shape(channels, height, width, kernel_h, kernel_w, pad_h, pad_w, stride_h,
                                               stride_w, dilation_h, dilation_w);
    const gg_status status = gg_compat_steps("im2col_cpu", stride_h, stride_w, dilation_h, dilation_w);
    gg_compat_check(status == GG_OK ? gg_im2col(data_col, data_im, &shape) : status);
}

template <>
inline void col2im_cpu<float>(const float *data_col, const int channels, const int height, const int width,
                              const int kernel_h, const int kernel_w, const int pad_h, const int pad_w,
                              const int stride_h, const int stride_w, const int dilation_h, const int dilation_w,
                              float *data_im)
{
    const gg_conv_shape shape = gg_caffe_shape(channels, height, width, kernel_h, kernel_w, pad_h, pad_w, stride_h,
                                               stride_w, dilation_h, dilation_w);
    const gg_status status = gg_compat_steps("col2im_cpu", stride_h, stride_w, dilation_h, dilation_w);
    gg_compat_check(status == GG_OK ? gg_col2im(data_im, data_col, &shape, false) : status);
}
} // namespace caffe
#undef GG_CAFFE_TRANSPOSE
#else
static inline void caffe_cpu_gemm(const int TransA, const int TransB, const int M, const int N, const int K,
                                  const float alpha, const float *A, const float *B, const float beta, float *C)
{
    gg_compat_check(gg_caffe_gemm(TransA, TransB, M, N, K, alpha, A, B, beta, C));
}

static inline void im2col_cpu(const float *data_im, const int channels, const int height, const int width,
                              const int kernel_h, const int kernel_w, const int pad_h, const int pad_w,
                              const int stride_h, const int stride_w, const int dilation_h, const int dilation_w,
                              float *data_col)
{
    const gg_conv_shape shape = gg_caffe_shape(channels, height, width, kernel_h, kernel_w, pad_h, pad_w, stride_h,
                                               stride_w, dilation_h, dilation_w);
    const gg_status status = gg_compat_steps("im2col_cpu", stride_h, stride_w, dilation_h, dilation_w);
    gg_compat_check(status == GG_OK ? gg_im2col(data_col, data_im, &shape) : status);
}

static inline void col2im_cpu(const float *data_col, const int channels, const int height, const int width,
                              const int kernel_h, const int kernel_w, const int pad_h, const int pad_w,
                              const int stride_h, const int stride_w, const int dilation_h, const int dilation_w,
                              float *data_im)
{
    const gg_conv_shape shape = gg_caffe_shape(channels, height, width, kernel_h, kernel_w, pad_h, pad_w, stride_h,
                                               stride_w, dilation_h, dilation_w);
    const gg_status status = gg_compat_steps("col2im_cpu", stride_h, stride_w, dilation_h, dilation_w);
    gg_compat_check(status == GG_OK ? gg_col2im(data_im, data_col, &shape, false) : status);
}
#endif

#endif
