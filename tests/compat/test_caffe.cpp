/* test_caffe.cpp - gemmgrad/compat/caffe.h inside a program laid out like Caffe: float goes to gemmgrad, double stays
 * plain loops, and both give the same. */
#include "mini_caffe.hpp"

#include <cfloat>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

static int failures;

static void expect(bool good, const char *what, int a, int b, int c)
{
    if (!good) {
        std::printf("%s (%d, %d, %d)\n", what, a, b, c);
        failures++;
    }
}

/* Numbers in [-1, 1) that float holds exactly. */
static std::vector<float> numbers(size_t n, unsigned seed)
{
    std::vector<float> x(n);
    for (float &value : x) {
        seed = seed * 1664525u + 1013904223u;
        value = float(int(seed >> 16) - 32768) / 32768.0f;
    }
    return x;
}

static std::vector<double> wide(const std::vector<float> &x)
{
    return std::vector<double>(x.begin(), x.end());
}

static bool close(const std::vector<float> &x, const std::vector<double> &expected, double error)
{
    bool good = x.size() == expected.size();
    for (size_t i = 0; good && i < x.size(); i++)
        good = std::fabs(x[i] - expected[i]) <= error;
    return good;
}

static void product(int m, int n, int k, float alpha, float beta)
{
    for (int kind = 0; kind < 4; kind++) {
        const mini_transpose ta = kind & 1 ? transposed : as_it_is, tb = kind & 2 ? transposed : as_it_is;
        const std::vector<float> a = numbers(size_t(m * k), 1), b = numbers(size_t(k * n), 2);
        std::vector<float> c = numbers(size_t(m * n), 3);
        if (beta == 0.0f)
            c.assign(c.size(), std::numeric_limits<float>::quiet_NaN());
        std::vector<double> expected = wide(c);
        const std::vector<double> da = wide(a), db = wide(b);
        const uint64_t calls = gg_gemm_counters_read().calls;
        caffe::caffe_cpu_gemm<float>(ta, tb, m, n, k, alpha, a.data(), b.data(), beta, c.data());
        expect(gg_gemm_counters_read().calls > calls, "the product did not reach gemmgrad", m, n, k);
        caffe::caffe_cpu_gemm<double>(ta, tb, m, n, k, alpha, da.data(), db.data(), beta, expected.data());
        expect(close(c, expected, 16.0 * double(FLT_EPSILON) * (k + 1.0) * 1.3), "caffe_cpu_gemm", m, n, k);
    }
}

static void columns(int channels, int height, int width, int kernel_h, int kernel_w, int pad, int stride, int dilation)
{
    const int out_h = (height + 2 * pad - dilation * (kernel_h - 1) - 1) / stride + 1;
    const int out_w = (width + 2 * pad - dilation * (kernel_w - 1) - 1) / stride + 1;
    const size_t floats = size_t(channels * kernel_h * kernel_w * out_h * out_w);
    std::vector<float> image = numbers(size_t(channels * height * width), 1), col(floats, -7.0f);
    std::vector<double> image_d = wide(image), col_d(floats);
    caffe::im2col_cpu<float>(image.data(), channels, height, width, kernel_h, kernel_w, pad, pad, stride, stride,
                             dilation, dilation, col.data());
    caffe::im2col_cpu<double>(image_d.data(), channels, height, width, kernel_h, kernel_w, pad, pad, stride, stride,
                              dilation, dilation, col_d.data());
    expect(close(col, col_d, 0.0), "im2col_cpu", channels, height, width);
    caffe::col2im_cpu<float>(col.data(), channels, height, width, kernel_h, kernel_w, pad, pad, stride, stride,
                             dilation, dilation, image.data());
    caffe::col2im_cpu<double>(col_d.data(), channels, height, width, kernel_h, kernel_w, pad, pad, stride, stride,
                              dilation, dilation, image_d.data());
    expect(close(image, image_d, 16.0 * double(FLT_EPSILON) * kernel_h * kernel_w), "col2im_cpu", channels, height,
           width);
}

/* A kernel larger than the image is refused by gemmgrad, and by nobody else here. */
static void refusals()
{
    float image[4] = {1, 2, 3, 4}, col[9] = {5};
    caffe::im2col_cpu<float>(image, 1, 2, 2, 3, 3, 0, 0, 1, 1, 1, 1, col);
    expect(gg_error_message()[0] != '\0' && col[0] == 5.0f, "im2col_cpu did not reach gemmgrad", 0, 0, 0);
    caffe::caffe_cpu_gemm<float>(as_it_is, as_it_is, -1, 2, 2, 1.0f, image, image, 0.0f, col);
    expect(col[0] == 5.0f, "a negative size is not refused", 0, 0, 0);
}

int main()
{
    static const int sizes[] = {1, 2, 3, 17, 33};
    for (int i = 0; i < 125; i++)
        product(sizes[i / 25], sizes[i / 5 % 5], sizes[i % 5], 1.0f, 1.0f);
    product(65, 129, 127, 0.7f, 1.3f);
    product(9, 5, 3, 1.0f, 0.0f);
    columns(3, 7, 9, 3, 3, 1, 1, 1);
    columns(2, 8, 5, 3, 2, 0, 2, 1);
    columns(1, 10, 9, 3, 3, 2, 1, 2);
    columns(4, 1, 1, 1, 1, 0, 1, 1);
    refusals();
    return failures != 0;
}
