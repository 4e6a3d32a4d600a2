/* test_darknet.c - gemmgrad/compat/darknet.h against darknet's semantics. */
#include <gemmgrad/compat/darknet.h>

#include <string.h>

#include "loops.h"
#include "support.h"

/* Darknet's own prototypes may follow. */
void gemm_cpu(int TA, int TB, int M, int N, int K, float ALPHA, float *A, int lda, float *B, int ldb, float BETA,
              float *C, int ldc);
void im2col_cpu(float *data_im, int channels, int height, int width, int ksize, int stride, int pad, float *data_col);
void col2im_cpu(float *data_col, int channels, int height, int width, int ksize, int stride, int pad, float *data_im);

static void check_product(int m, int n, int k, int gap, float alpha, float beta, bool nan_c)
{
    for (int kind = 0; kind < 4; kind++) {
        loops_product p = {
            .transpose_a = (kind & 1) != 0, .transpose_b = kind >= 2, .m = m, .n = n, .k = k, .gap = gap};
        loops_product_new(&p, nan_c);
        gemm_cpu(p.transpose_a, kind >= 2 ? 7 : 0, m, n, k, alpha, p.a, (int)p.lda, p.b, (int)p.ldb, beta, p.c,
                 (int)p.ldc);
        loops_product_check(&p, alpha, beta, "gemm_cpu");
        support_release();
    }
}

START_TEST(products)
{
    static const int sizes[] = {1, 2, 3, 17, 33};
    for (int i = 0; i < 125; i++)
        check_product(sizes[i / 25], sizes[i / 5 % 5], sizes[i % 5], i % 3, 1.0f, 1.0f, false);
    check_product(65, 129, 127, 5, 0.7f, 1.3f, false);
    check_product(5, 7, 0, 1, 1.0f, 0.5f, false);
    check_product(0, 7, 3, 0, 1.0f, 1.0f, false);
}
END_TEST

START_TEST(beta_0_overwrites_nan)
{
    check_product(9, 5, 3, 2, 1.0f, 0.0f, true);
    check_product(1, 1, 1, 0, -2.0f, 0.0f, true);
    check_product(4, 6, 0, 1, 1.0f, 0.0f, true);
}
END_TEST

START_TEST(columns)
{
    const loops_window *windows;
    const int count = loops_windows(&windows, true);
    for (int i = 0; i < count; i++) {
        const loops_window *w = &windows[i];
        float *image = support_uniform(loops_image_floats(w), -1.0, 1.0, 1);
        float *col = support_floats(loops_column_floats(w));
        double *expected = support_doubles(loops_column_floats(w));
        im2col_cpu(image, w->channels, w->height, w->width, w->kernel_h, w->stride_h, w->pad_h, col);
        loops_im2col(expected, image, w);
        support_assert_close(col, expected, NULL, loops_column_floats(w), 0.0, "im2col_cpu, window %d", i);
        support_release();
    }
}
END_TEST

START_TEST(columns_ext)
{
    const loops_window *windows;
    const int count = loops_windows(&windows, false);
    for (int i = 0; i < count; i++) {
        const loops_window *w = &windows[i];
        float *image = support_uniform(loops_image_floats(w), -1.0, 1.0, 1);
        float *col = support_floats(loops_column_floats(w));
        double *expected = support_doubles(loops_column_floats(w));
        im2col_cpu_ext(image, w->channels, w->height, w->width, w->kernel_h, w->kernel_w, w->pad_h, w->pad_w,
                       w->stride_h, w->stride_w, w->dilation_h, w->dilation_w, col);
        loops_im2col(expected, image, w);
        support_assert_close(col, expected, NULL, loops_column_floats(w), 0.0, "im2col_cpu_ext, window %d", i);
        support_release();
    }
}
END_TEST

/* Integers, so that every order of additions gives the same. */
START_TEST(images_accumulate)
{
    const loops_window *windows;
    const int count = loops_windows(&windows, true);
    for (int i = 0; i < count; i++) {
        const loops_window *w = &windows[i];
        float *col = support_floats(loops_column_floats(w)), *image = support_floats(loops_image_floats(w));
        for (int64_t j = 0; j < loops_column_floats(w); j++)
            col[j] = (float)(j % 11 - 5);
        for (int64_t j = 0; j < loops_image_floats(w); j++)
            image[j] = (float)(j % 5);
        double *expected = support_widen(image, loops_image_floats(w));
        col2im_cpu(col, w->channels, w->height, w->width, w->kernel_h, w->stride_h, w->pad_h, image);
        loops_col2im(expected, col, w);
        support_assert_close(image, expected, NULL, loops_image_floats(w), 0.0, "col2im_cpu, window %d", i);
        support_release();
    }
}
END_TEST

START_TEST(refused_calls_leave_outputs_and_a_message)
{
    float *c = support_floats(6), *a = support_uniform(6, -1.0, 1.0, 1), *b = support_uniform(9, -1.0, 1.0, 2);
    gemm_cpu(0, 0, 2, 3, 3, 1.0f, a, 2, b, 3, 0.0f, c, 3);
    ck_assert(support_untouched(c, 6));
    ck_assert_msg(strstr(gg_error_message(), "dimension of a is 2") != NULL, "%s", gg_error_message());
    im2col_cpu(a, 1, 2, 3, 5, 1, 0, c);
    ck_assert(support_untouched(c, 6));
    ck_assert_msg(strstr(gg_error_message(), "gg_im2col") != NULL, "%s", gg_error_message());
}
END_TEST

/* The library takes a step of 0 for 1; darknet divides by it. */
START_TEST(steps_of_0_are_refused)
{
    float *image = support_uniform(9, -1.0, 1.0, 1), *col = support_floats(81), *sums = support_floats(9);
    im2col_cpu(image, 1, 3, 3, 3, 0, 1, col);
    ck_assert_msg(strstr(gg_error_message(), "im2col_cpu: stride 0, 0") != NULL, "%s", gg_error_message());
    im2col_cpu_ext(image, 1, 3, 3, 3, 3, 1, 1, 1, 1, 1, 0, col);
    ck_assert_msg(strstr(gg_error_message(), "im2col_cpu_ext: stride 1, 1 and dilation 1, 0") != NULL, "%s",
                  gg_error_message());
    col2im_cpu(image, 1, 3, 3, 1, 0, 0, sums);
    ck_assert_msg(strstr(gg_error_message(), "col2im_cpu: stride 0, 0") != NULL, "%s", gg_error_message());
    ck_assert(support_untouched(col, 81) && support_untouched(sums, 9));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, products);
    tcase_add_test(tests, beta_0_overwrites_nan);
    tcase_add_test(tests, columns);
    tcase_add_test(tests, columns_ext);
    tcase_add_test(tests, images_accumulate);
    tcase_add_test(tests, refused_calls_leave_outputs_and_a_message);
    tcase_add_test(tests, steps_of_0_are_refused);
}
