/* test_digits.c - the drawn digits: pure functions of (seed, index), in range, balanced, legible, never changing. */
#include <gemmgrad/digits.h>

#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "support.h"

enum { COUNT = 3000 };

static float images[COUNT * GG_DIGITS_PIXELS];
static int32_t labels[COUNT];

static void draw_all(uint64_t seed)
{
    ck_assert_int_eq(gg_digits_draw(images, labels, COUNT, seed), GG_OK);
}

START_TEST(values_and_labels_are_in_range)
{
    int outside = 0;
    draw_all(1);
    for (int i = 0; i < COUNT * GG_DIGITS_PIXELS; i++)
        outside += !(images[i] >= 0.0f && images[i] <= 1.0f);
    ck_assert_int_eq(outside, 0);
    for (int i = 0; i < COUNT; i++)
        ck_assert(labels[i] >= 0 && labels[i] < GG_DIGITS_CLASSES);
}
END_TEST

/* An image does not depend on how many are drawn, and nothing behind the last is touched. */
START_TEST(image_depends_on_seed_and_index_alone)
{
    static const int64_t counts[] = {0, 1, 2, 3, 5, 9};
    static float few[10 * GG_DIGITS_PIXELS];
    int32_t few_labels[10];
    draw_all(2);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        const int64_t n = counts[c];
        for (int i = 0; i < 10 * GG_DIGITS_PIXELS; i++)
            few[i] = 7.0f;
        memset(few_labels, 0x5a, sizeof few_labels);
        ck_assert_int_eq(gg_digits_draw(few, few_labels, n, 2), GG_OK);
        ck_assert_mem_eq(few, images, (size_t)n * GG_DIGITS_PIXELS * sizeof *few);
        ck_assert_mem_eq(few_labels, labels, (size_t)n * sizeof *labels);
        ck_assert_float_eq(few[n * GG_DIGITS_PIXELS], 7.0f);
        ck_assert_int_eq(few_labels[n], 0x5a5a5a5a);
    }
}
END_TEST

START_TEST(no_image_comes_twice)
{
    static float other[100 * GG_DIGITS_PIXELS];
    int32_t other_labels[100];
    draw_all(3);
    ck_assert_int_eq(gg_digits_draw(other, other_labels, 100, 4), GG_OK);
    int twice = 0;
    for (int i = 0; i < 100; i++)
        for (int j = 0; j < COUNT; j++) {
            const float *image = images + j * GG_DIGITS_PIXELS;
            twice += memcmp(other + i * GG_DIGITS_PIXELS, image, GG_DIGITS_PIXELS * sizeof *image) == 0;
            twice += i != j && memcmp(images + i * GG_DIGITS_PIXELS, image, GG_DIGITS_PIXELS * sizeof *image) == 0;
        }
    ck_assert_int_eq(twice, 0);
}
END_TEST

START_TEST(classes_are_balanced)
{
    int seen[GG_DIGITS_CLASSES] = {0};
    draw_all(5);
    for (int i = 0; i < COUNT; i++)
        seen[labels[i]]++;
    for (int c = 0; c < GG_DIGITS_CLASSES; c++) /* the deviation is sqrt(3000 * 0.1 * 0.9) = 16.4 */
        ck_assert_int_lt(abs(seen[c] - COUNT / GG_DIGITS_CLASSES), 5 * 17);
}
END_TEST

/* The thinnest short stroke is a 1 of 0.85 * 19 pixels with a pen of 1.4 by 0.6 of ink: some 13 in all. The thickest
 * digit fills less than half of the sheet. */
START_TEST(every_image_holds_ink)
{
    draw_all(6);
    for (int i = 0; i < COUNT; i++) {
        float sum = 0.0f, greatest = 0.0f;
        for (int p = 0; p < GG_DIGITS_PIXELS; p++) {
            const float value = images[i * GG_DIGITS_PIXELS + p];
            sum += value;
            greatest = value > greatest ? value : greatest;
        }
        ck_assert_msg(sum > 8.0f && sum < GG_DIGITS_PIXELS / 2.0f, "image %d: sum %g", i, (double)sum);
        ck_assert_msg(greatest > 0.4f, "image %d: darkest %g", i, (double)greatest);
    }
}
END_TEST

/* FNV-1a over the first 1000 images, each value rounded to 16 bits so that the byte order of floats plays no part. */
START_TEST(images_never_change)
{
#if FLT_EVAL_METHOD == 0
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    draw_all(1);
    for (int i = 0; i < 1000 * GG_DIGITS_PIXELS; i++)
        hash = (hash ^ (uint32_t)(images[i] * 65535.0f + 0.5f)) * UINT64_C(0x100000001b3);
    for (int i = 0; i < 1000; i++)
        hash = (hash ^ (uint32_t)labels[i]) * UINT64_C(0x100000001b3);
    ck_assert_msg(hash == UINT64_C(0x7738b5897a6d568d), "hash 0x%016llx", (unsigned long long)hash);
#endif
}
END_TEST

START_TEST(wrong_arguments)
{
    float image[1] = {7.0f};
    int32_t label[1] = {7};
    support_assert_fails(gg_digits_draw(NULL, label, 1, 0), GG_ERR_ARGUMENT, "gg_digits_draw",
                         "images is NULL with count = 1");
    support_assert_fails(gg_digits_draw(image, NULL, 1, 0), GG_ERR_ARGUMENT, "gg_digits_draw",
                         "labels is NULL with count = 1");
    support_assert_fails(gg_digits_draw(image, label, -1, 0), GG_ERR_ARGUMENT, "gg_digits_draw",
                         "count is -1, below 0");
    ck_assert(image[0] == 7.0f && label[0] == 7);
    ck_assert_int_eq(gg_digits_draw(NULL, NULL, 0, 0), GG_OK);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, values_and_labels_are_in_range);
    tcase_add_test(tests, image_depends_on_seed_and_index_alone);
    tcase_add_test(tests, no_image_comes_twice);
    tcase_add_test(tests, classes_are_balanced);
    tcase_add_test(tests, every_image_holds_ink);
    tcase_add_test(tests, images_never_change);
    tcase_add_test(tests, wrong_arguments);
}
