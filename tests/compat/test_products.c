/* test_products.c - gemmgrad/compat/kann.h, th.h and, in C, caffe.h against the semantics of kann, TH and Caffe. */
#include <stdio.h>

/* Told at once of every refused call. */
static char told[512];
#define GG_COMPAT_FAILED(status) ((void)snprintf(told, sizeof told, "%d: %s", (int)(status), gg_error_message()))

#include <gemmgrad/compat/caffe.h>
#include <gemmgrad/compat/kann.h>
#include <gemmgrad/compat/th.h>

#include <string.h>

#include "loops.h"
#include "support.h"

/* Their own prototypes may follow. */
void kad_sgemm_simple(int trans_A, int trans_B, int M, int N, int K, const float *A, const float *B, float *C);
extern void THFloatBlas_gemm(char transa, char transb, int64_t m, int64_t n, int64_t k, float alpha, float *a,
                             int64_t lda, float *b, int64_t ldb, float beta, float *c, int64_t ldc);

enum { AS_IT_IS = 111, TRANSPOSED = 112, CONJUGATED = 113 };

static const int sizes[] = {1, 2, 3, 17, 33};

static loops_product product(int kind, int m, int n, int k, int gap, bool column_major)
{
    return (loops_product){.column_major = column_major,
                           .transpose_a = (kind & 1) != 0,
                           .transpose_b = (kind & 2) != 0,
                           .m = m,
                           .n = n,
                           .k = k,
                           .gap = gap};
}

static void check_kann(int m, int n, int k)
{
    for (int kind = 0; kind < 4; kind++) {
        loops_product p = product(kind, m, n, k, 0, false);
        loops_product_new(&p, false);
        kad_sgemm_simple(kind & 1, kind & 2, m, n, k, p.a, p.b, p.c);
        loops_product_check(&p, 1.0f, 1.0f, "kad_sgemm_simple");
        support_release();
    }
}

START_TEST(kann)
{
    for (int i = 0; i < 125; i++)
        check_kann(sizes[i / 25], sizes[i / 5 % 5], sizes[i % 5]);
    check_kann(65, 129, 127);
    check_kann(3, 4, 0);
}
END_TEST

static void check_caffe(int m, int n, int k, float alpha, float beta, bool nan_c)
{
    for (int kind = 0; kind < 4; kind++) {
        loops_product p = product(kind, m, n, k, 0, false);
        loops_product_new(&p, nan_c);
        caffe_cpu_gemm(p.transpose_a ? TRANSPOSED : AS_IT_IS, p.transpose_b ? CONJUGATED : AS_IT_IS, m, n, k, alpha,
                       p.a, p.b, beta, p.c);
        loops_product_check(&p, alpha, beta, "caffe_cpu_gemm");
        support_release();
    }
}

START_TEST(caffe)
{
    for (int i = 0; i < 125; i++)
        check_caffe(sizes[i / 25], sizes[i / 5 % 5], sizes[i % 5], 1.0f, 1.0f, false);
    check_caffe(65, 129, 127, 0.7f, 1.3f, false);
    check_caffe(9, 5, 3, 1.0f, 0.0f, true);
}
END_TEST

START_TEST(caffe_refuses_other_transposes)
{
    float *c = support_floats(4), *a = support_uniform(4, -1.0, 1.0, 1);
    for (int i = 0; i < 2; i++) {
        told[0] = '\0';
        caffe_cpu_gemm(i == 0 ? 0 : AS_IT_IS, i == 0 ? AS_IT_IS : 114, 2, 2, 2, 1.0f, a, a, 0.0f, c);
        ck_assert(support_untouched(c, 4));
        ck_assert_msg(strstr(told, i == 0 ? "TransA = 0" : "TransB = 114") != NULL, "%s", told);
    }
}
END_TEST

/* Integers, so that every order of additions gives the same. */
START_TEST(caffe_columns)
{
    const loops_window *windows;
    const int count = loops_windows(&windows, false);
    for (int i = 0; i < count; i++) {
        const loops_window *w = &windows[i];
        float *image = support_uniform(loops_image_floats(w), -1.0, 1.0, 1);
        float *col = support_floats(loops_column_floats(w));
        double *columns = support_doubles(loops_column_floats(w)), *sums = support_doubles(loops_image_floats(w));
        im2col_cpu(image, w->channels, w->height, w->width, w->kernel_h, w->kernel_w, w->pad_h, w->pad_w, w->stride_h,
                   w->stride_w, w->dilation_h, w->dilation_w, col);
        loops_im2col(columns, image, w);
        support_assert_close(col, columns, NULL, loops_column_floats(w), 0.0, "im2col_cpu, window %d", i);
        for (int64_t j = 0; j < loops_column_floats(w); j++)
            col[j] = (float)(j % 11 - 5);
        col2im_cpu(col, w->channels, w->height, w->width, w->kernel_h, w->kernel_w, w->pad_h, w->pad_w, w->stride_h,
                   w->stride_w, w->dilation_h, w->dilation_w, image);
        loops_col2im(sums, col, w);
        support_assert_close(image, sums, NULL, loops_image_floats(w), 0.0, "col2im_cpu, window %d", i);
        support_release();
    }
}
END_TEST

/* The library takes a step of 0 for 1; Caffe divides by a stride, and by a dilation of 0 means the same pixel again. */
START_TEST(caffe_refuses_steps_of_0)
{
    float *image = support_uniform(9, -1.0, 1.0, 1), *col = support_floats(81), *sums = support_floats(9);
    im2col_cpu(image, 1, 3, 3, 3, 3, 1, 1, 1, 1, 0, 1, col);
    ck_assert_msg(strstr(told, "im2col_cpu: stride 1, 1 and dilation 0, 1") != NULL, "%s", told);
    col2im_cpu(image, 1, 3, 3, 1, 1, 0, 0, 1, 0, 1, 1, sums);
    ck_assert_msg(strstr(told, "col2im_cpu: stride 1, 0") != NULL, "%s", told);
    ck_assert(support_untouched(col, 81) && support_untouched(sums, 9));
}
END_TEST

static void check_th(int m, int n, int k, int gap, float alpha, float beta, bool nan_c)
{
    for (int kind = 0; kind < 4; kind++) {
        loops_product p = product(kind, m, n, k, gap, true);
        loops_product_new(&p, nan_c);
        THFloatBlas_gemm(p.transpose_a ? 't' : 'n', p.transpose_b ? 'T' : 'N', m, n, k, alpha, p.a, p.lda, p.b, p.ldb,
                         beta, p.c, p.ldc);
        loops_product_check(&p, alpha, beta, "THFloatBlas_gemm");
        support_release();
    }
}

START_TEST(th)
{
    for (int i = 0; i < 125; i++)
        check_th(sizes[i / 25], sizes[i / 5 % 5], sizes[i % 5], i % 3, 1.0f, 1.0f, false);
    check_th(65, 129, 127, 5, 0.7f, 1.3f, false);
    check_th(9, 5, 3, 2, 1.0f, 0.0f, true);
    check_th(5, 9, 0, 0, 1.0f, 0.5f, false);
}
END_TEST

/* Where there is one column, its leading dimension may be anything. */
START_TEST(th_one_column)
{
    for (int kind = 0; kind < 4; kind++) {
        loops_product p = product(kind, kind & 1 ? 1 : 5, 1, kind & 2 ? 3 : 1, 0, true);
        p.transpose_b = false;
        loops_product_new(&p, false);
        told[0] = '\0';
        THFloatBlas_gemm(p.transpose_a ? 'T' : 'n', 'n', p.m, p.n, p.k, 1.0f, p.a,
                         p.transpose_a || p.k == 1 ? 1 : p.lda, p.b, 1, 1.0f, p.c, 1);
        ck_assert_str_eq(told, "");
        loops_product_check(&p, 1.0f, 1.0f, "THFloatBlas_gemm");
        support_release();
    }
}
END_TEST

START_TEST(refused_calls_are_told)
{
    float *c = support_floats(6), *a = support_uniform(6, -1.0, 1.0, 1);
    THFloatBlas_gemm('n', 'n', 3, 2, 2, 1.0f, a, 2, a, 2, 0.0f, c, 3);
    ck_assert(support_untouched(c, 6));
    ck_assert_msg(strncmp(told, "2: ", 3) == 0, "%s", told); /* GG_ERR_SHAPE */
    kad_sgemm_simple(0, 0, -1, 2, 2, a, a, c);
    ck_assert(support_untouched(c, 6));
    ck_assert_msg(strncmp(told, "1: ", 3) == 0, "%s", told);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, kann);
    tcase_add_test(tests, caffe);
    tcase_add_test(tests, caffe_refuses_other_transposes);
    tcase_add_test(tests, caffe_columns);
    tcase_add_test(tests, caffe_refuses_steps_of_0);
    tcase_add_test(tests, th);
    tcase_add_test(tests, th_one_column);
    tcase_add_test(tests, refused_calls_are_told);
}
