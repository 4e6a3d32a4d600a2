/* gemmgrad/compat/darknet.h - darknet's matrix product and columns, by gemmgrad.
 *
 * Include it in gemm.h and im2col.h (col2im.h) in place of the prototypes, or before them, and remove darknet's
 * definitions of the functions below; link with gemmgrad-blas. The signatures are darknet's (both
 * https://github.com/pjreddie/darknet and https://github.com/AlexeyAB/darknet, which alone has im2col_cpu_ext),
 * row-major float32. Differences: beta = 0 overwrites C even where it holds NaN, which darknet multiplies by 0; a
 * kernel larger than the padded image is refused, and so is a stride or dilation below 1. Nothing is allocated;
 * thread-safe on different outputs. A product takes up to gg_threads() threads, and inside an OpenMP region of yours
 * the calling one; columns take the calling one. Refused calls: gemmgrad/compat/failure.h. */
#ifndef GEMMGRAD_COMPAT_DARKNET_H
#define GEMMGRAD_COMPAT_DARKNET_H

#if defined(GEMMGRAD_COMPAT_CAFFE_H) && !defined(__cplusplus)
#error "darknet and Caffe both have an im2col_cpu and a col2im_cpu: in C a file includes only one of these adapters"
#endif

#include <string.h>

#include <gemmgrad/compat/failure.h>
#include <gemmgrad/conv.h>
#include <gemmgrad/gemm.h>

#ifdef __cplusplus
extern "C" { /* as those projects declare them for C++ */
#endif

/* C = ALPHA op(A) op(B) + BETA C, C being M x N; TA, TB: not 0 for an operand stored transposed (A as K x M, B as
 * N x K). The leading dimensions are the lengths of the stored rows. */
static inline void gemm_cpu(int TA, int TB, int M, int N, int K, float ALPHA, float *A, int lda, float *B, int ldb,
                            float BETA, float *C, int ldc)
{
    gg_compat_check(gg_gemm(C, ldc, A, lda, B, ldb, M, N, K, TA ? GG_TRANSPOSE : GG_NO_TRANSPOSE,
                            TB ? GG_TRANSPOSE : GG_NO_TRANSPOSE, ALPHA, BETA));
}

static inline gg_conv_shape gg_darknet_shape(int channels, int height, int width, int ksize, int stride, int pad)
{
    gg_conv_shape shape;
    memset(&shape, 0, sizeof shape);
    shape.batch = shape.filters = 1;
    shape.channels = channels;
    shape.height = height;
    shape.width = width;
    shape.kernel_height = shape.kernel_width = ksize;
    shape.stride_y = shape.stride_x = stride;
    shape.pad_top = shape.pad_bottom = shape.pad_left = shape.pad_right = pad;
    return shape;
}

/* data_col [channels * ksize * ksize][out_height * out_width] = what each output pixel sees of data_im
 * [channels][height][width], with `pad` zeros around it. */
static inline void im2col_cpu(float *data_im, int channels, int height, int width, int ksize, int stride, int pad,
                              float *data_col)
{
    const gg_conv_shape shape = gg_darknet_shape(channels, height, width, ksize, stride, pad);
    const gg_status status = gg_compat_steps("im2col_cpu", stride, stride, 1, 1);
    gg_compat_check(status == GG_OK ? gg_im2col(data_col, data_im, &shape) : status);
}

/* The same with a kernel, padding, stride and dilation for each direction. */
static inline void im2col_cpu_ext(const float *data_im, const int channels, const int height, const int width,
                                  const int kernel_h, const int kernel_w, const int pad_h, const int pad_w,
                                  const int stride_h, const int stride_w, const int dilation_h, const int dilation_w,
                                  float *data_col)
{
    gg_conv_shape shape = gg_darknet_shape(channels, height, width, kernel_h, stride_h, pad_h);
    shape.kernel_width = kernel_w;
    shape.stride_x = stride_w;
    shape.pad_left = shape.pad_right = pad_w;
    shape.dilation_y = dilation_h;
    shape.dilation_x = dilation_w;
    const gg_status status = gg_compat_steps("im2col_cpu_ext", stride_h, stride_w, dilation_h, dilation_w);
    gg_compat_check(status == GG_OK ? gg_im2col(data_col, data_im, &shape) : status);
}

/* data_im += every float of data_col at the pixel that it came from. As in darknet, data_im is not cleared first. */
static inline void col2im_cpu(float *data_col, int channels, int height, int width, int ksize, int stride, int pad,
                              float *data_im)
{
    const gg_conv_shape shape = gg_darknet_shape(channels, height, width, ksize, stride, pad);
    const gg_status status = gg_compat_steps("col2im_cpu", stride, stride, 1, 1);
    gg_compat_check(status == GG_OK ? gg_col2im(data_im, data_col, &shape, true) : status);
}

#ifdef __cplusplus
}
#endif

#endif
