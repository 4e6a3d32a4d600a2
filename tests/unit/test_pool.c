/* test_pool.c - pooling on every instruction set against plain loops in double: many windows over many images, NaN,
 * equal elements, wrong arguments. */
#include <math.h>
#include <string.h>

#include <gemmgrad/pool.h>

#include "isa.h"
#include "reference_images.h"
#include "support.h"

/* planes, height, width: single elements, odd ones, rows around the width of registers, more than one thread's share.
 */
static const int64_t images[][3] = {{0, 5, 5},  {1, 1, 1},   {2, 1, 7},   {17, 3, 2},  {3, 7, 7},    {2, 33, 29},
                                    {1, 4, 66}, {1, 2, 131}, {5, 14, 14}, {1, 66, 33}, {67, 56, 56}, {401, 15, 13}};
enum { IMAGES = sizeof images / sizeof *images };

/* kernel, stride, padding (top, bottom, left, right). */
static const gg_pool_window windows[] = {
    {1, 1, 0, 0, 0, 0, 0, 0, false}, {2, 2, 0, 0, 0, 0, 0, 0, false}, {2, 2, 2, 2, 1, 1, 1, 1, true},
    {2, 2, 2, 2, 0, 1, 0, 1, false}, {2, 2, 1, 1, 0, 0, 0, 0, false}, {3, 3, 2, 2, 0, 0, 0, 0, false},
    {3, 3, 2, 2, 1, 1, 1, 1, false}, {3, 3, 2, 2, 1, 1, 1, 1, true},  {3, 3, 2, 2, 0, 1, 1, 0, true},
    {3, 3, 1, 1, 1, 1, 1, 1, true},  {3, 3, 0, 0, 0, 0, 0, 0, false}, {1, 2, 1, 2, 0, 0, 0, 0, false},
    {2, 1, 3, 4, 1, 0, 0, 0, false}, {5, 4, 2, 3, 2, 1, 2, 2, true},  {1, 5, 1, 2, 0, 0, 2, 2, false},
    {7, 7, 1, 1, 3, 3, 3, 3, false}, {2, 3, 2, 2, 1, 1, 1, 1, false}, {3, 2, 1, 2, 1, 1, 1, 0, true},
};
enum { WINDOWS = sizeof windows / sizeof *windows };

static bool fits(const int64_t *image, const gg_pool_window *w)
{
    return image[1] + w->top + w->bottom >= w->kernel_height && image[2] + w->left + w->right >= w->kernel_width;
}

/* One image, one window: arrays of the library and of the reference. */
typedef struct trial {
    int64_t planes, height, width, in, out;
    const gg_pool_window *window;
    float *x, *dy;
    reference_pass pass;
} trial;

static trial make(const int64_t *image, const gg_pool_window *w)
{
    trial t = {.planes = image[0], .height = image[1], .width = image[2], .window = w};
    int64_t rows = 0, columns = 0;
    ck_assert_msg(gg_pool_output(&rows, &columns, t.height, t.width, w) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(rows, reference_windows(t.height, w->top, w->bottom, w->kernel_height, w->stride_height));
    ck_assert_int_eq(columns, reference_windows(t.width, w->left, w->right, w->kernel_width, w->stride_width));
    t.in = t.planes * t.height * t.width;
    t.out = t.planes * rows * columns;
    t.x = support_uniform(t.in, -1.0, 1.0, 1);
    t.dy = support_uniform(t.out, -1.0, 1.0, 2);
    t.pass = (reference_pass){.images = 1,
                              .channels = t.planes,
                              .height = t.height,
                              .width = t.width,
                              .window = w,
                              .x = {support_widen(t.x, t.in)},
                              .y = support_doubles(t.out),
                              .dy = support_widen(t.dy, t.out),
                              .dx = {support_doubles(t.in)}};
    return t;
}

static double *absolute(const double *x, int64_t n)
{
    double *y = support_doubles(n);
    for (int64_t i = 0; i < n; i++)
        y[i] = fabs(x[i]);
    return y;
}

/* dx of the library, overwriting and adding, against the reference's. */
static void check_dx(const trial *t, const float *dx, const float *added, const float *before, const double *magnitude)
{
    double *sum = support_doubles(t->in), *scale = support_doubles(t->in);
    for (int64_t i = 0; i < t->in; i++) {
        sum[i] = (double)before[i] + t->pass.dx[0][i];
        scale[i] = fabs((double)before[i]) + magnitude[i];
    }
    support_assert_close(dx, t->pass.dx[0], magnitude, t->in, REFERENCE_BOUND, "dx of a window %d x %d",
                         (int)t->window->kernel_height, (int)t->window->kernel_width);
    support_assert_close(added, sum, scale, t->in, REFERENCE_BOUND, "added dx");
}

static void try_max(const int64_t *image, const gg_pool_window *w)
{
    const trial t = make(image, w);
    float *y = support_floats(t.out), *alone = support_floats(t.out), *dx = support_floats(t.in);
    float *before = support_uniform(t.in, -1.0, 1.0, 3), *added = support_copy(before, t.in);
    int32_t *index = support_labels(t.out);
    ck_assert_int_eq(gg_max_pool_forward(y, index, t.x, t.planes, t.height, t.width, w), GG_OK);
    ck_assert_int_eq(gg_max_pool_forward(alone, NULL, t.x, t.planes, t.height, t.width, w), GG_OK);
    ck_assert_mem_eq(y, alone, (size_t)t.out * sizeof *y);
    reference_max_pool.forward(&t.pass);
    support_assert_close(y, t.pass.y, NULL, t.out, 0.0, "y of a window %d x %d", (int)w->kernel_height,
                         (int)w->kernel_width);
    const int64_t plane = t.height * t.width;
    for (int64_t i = 0; i < t.out; i++)
        ck_assert(t.x[i / (t.out / t.planes) * plane + index[i]] == y[i]);
    ck_assert_int_eq(gg_max_pool_backward(dx, t.dy, index, t.planes, t.height, t.width, w, false), GG_OK);
    ck_assert_int_eq(gg_max_pool_backward(added, t.dy, index, t.planes, t.height, t.width, w, true), GG_OK);
    reference_max_pool.backward_magnitude(&t.pass);
    const double *magnitude = absolute(t.pass.dx[0], t.in);
    reference_max_pool.backward(&t.pass);
    check_dx(&t, dx, added, before, magnitude);
    support_release();
}

static void try_average(const int64_t *image, const gg_pool_window *w)
{
    trial t = make(image, w);
    float *y = support_floats(t.out), *dx = support_floats(t.in);
    float *before = support_uniform(t.in, -1.0, 1.0, 3), *added = support_copy(before, t.in);
    ck_assert_int_eq(gg_average_pool_forward(y, t.x, t.planes, t.height, t.width, w), GG_OK);
    ck_assert_int_eq(gg_average_pool_backward(dx, t.dy, t.planes, t.height, t.width, w, false), GG_OK);
    ck_assert_int_eq(gg_average_pool_backward(added, t.dy, t.planes, t.height, t.width, w, true), GG_OK);
    reference_average_pool.forward(&t.pass);
    reference_pass magnitude = t.pass;
    magnitude.x[0] = absolute(t.pass.x[0], t.in);
    magnitude.dy = absolute(t.pass.dy, t.out);
    magnitude.y = support_doubles(t.out);
    magnitude.dx[0] = support_doubles(t.in);
    reference_average_pool.forward(&magnitude);
    support_assert_close(y, t.pass.y, magnitude.y, t.out, REFERENCE_BOUND, "y of a window %d x %d",
                         (int)w->kernel_height, (int)w->kernel_width);
    reference_average_pool.backward(&t.pass);
    reference_average_pool.backward(&magnitude);
    check_dx(&t, dx, added, before, magnitude.dx[0]);
    support_release();
}

START_TEST(largest_of_windows)
{
    for (int i = 0; use_isa(_i) && i < IMAGES; i++)
        for (int w = 0; w < WINDOWS; w++)
            if (fits(images[i], &windows[w]))
                try_max(images[i], &windows[w]);
}
END_TEST

START_TEST(means_of_windows)
{
    for (int i = 0; use_isa(_i) && i < IMAGES; i++)
        for (int w = 0; w < WINDOWS; w++)
            if (fits(images[i], &windows[w]))
                try_average(images[i], &windows[w]);
}
END_TEST

/* A window of the image's size says the same. */
START_TEST(whole_planes)
{
    for (int i = 0; use_isa(_i) && i < IMAGES; i++) {
        const gg_pool_window all = {.kernel_height = images[i][1], .kernel_width = images[i][2]};
        const trial t = make(images[i], &all);
        const int64_t size = t.height * t.width;
        float *y = support_floats(t.out), *dx = support_floats(t.in);
        float *before = support_uniform(t.in, -1.0, 1.0, 3), *added = support_copy(before, t.in);
        int32_t *index = support_labels(t.out);
        ck_assert_int_eq(gg_global_max_pool_forward(y, index, t.x, t.planes, size), GG_OK);
        reference_max_pool.forward(&t.pass);
        support_assert_close(y, t.pass.y, NULL, t.out, 0.0, "the largest");
        ck_assert_int_eq(gg_global_max_pool_backward(dx, t.dy, index, t.planes, size, false), GG_OK);
        ck_assert_int_eq(gg_global_max_pool_backward(added, t.dy, index, t.planes, size, true), GG_OK);
        reference_max_pool.backward(&t.pass);
        check_dx(&t, dx, added, before, absolute(t.pass.dx[0], t.in));

        float *mean = support_floats(t.out), *spread = support_floats(t.in), *more = support_copy(before, t.in);
        double *ones = support_doubles(t.out);
        for (int64_t p = 0; p < t.out; p++)
            ones[p] = 1.0;
        ck_assert_int_eq(gg_global_average_pool_forward(mean, t.x, t.planes, size), GG_OK);
        reference_average_pool.forward(&t.pass);
        support_assert_close(mean, t.pass.y, ones, t.out, 1.0, "the mean");
        ck_assert_int_eq(gg_global_average_pool_backward(spread, t.dy, t.planes, size, false), GG_OK);
        ck_assert_int_eq(gg_global_average_pool_backward(more, t.dy, t.planes, size, true), GG_OK);
        reference_average_pool.backward(&t.pass);
        check_dx(&t, spread, more, before, absolute(t.pass.dx[0], t.in));
        support_release();
    }
}
END_TEST

/* The first of equal elements, in every lane; also of minus infinities. */
START_TEST(the_first_of_equals)
{
    static const float equal[] = {0.0f, 3.5f, -INFINITY};
    static const gg_pool_window shapes[] = {
        {2, 2, 2, 2, 0, 0, 0, 0, false}, {3, 3, 2, 2, 1, 1, 1, 1, false}, {3, 3, 1, 1, 1, 1, 1, 1, false}};
    for (int e = 0; use_isa(_i) && e < 3; e++)
        for (int s = 0; s < 3; s++) {
            trial t = make((const int64_t[]){2, 40, 44}, &shapes[s]);
            for (int64_t i = 0; i < t.in; i++)
                t.x[i] = equal[e];
            float *y = support_floats(t.out), *dx = support_floats(t.in);
            int32_t *index = support_labels(t.out);
            ck_assert_int_eq(gg_max_pool_forward(y, index, t.x, 2, 40, 44, &shapes[s]), GG_OK);
            ck_assert_int_eq(gg_max_pool_backward(dx, t.dy, index, 2, 40, 44, &shapes[s], false), GG_OK);
            t.pass.x[0] = support_widen(t.x, t.in);
            reference_max_pool.backward_magnitude(&t.pass);
            const double *magnitude = absolute(t.pass.dx[0], t.in);
            reference_max_pool.backward(&t.pass);
            support_assert_close(dx, t.pass.dx[0], magnitude, t.in, REFERENCE_BOUND, "dx of equal elements");
            ck_assert_int_eq(gg_global_max_pool_forward(y, index, t.x, 2, 40 * 44), GG_OK);
            ck_assert(index[0] == 0 && index[1] == 0);
            support_release();
        }
}
END_TEST

/* A NaN makes the windows NaN that it lies in, and no others. */
START_TEST(nan_reaches_its_windows)
{
    for (int w = 0; use_isa(_i) && w < WINDOWS; w++)
        for (int64_t where = 0; where < 12 * 37; where += 7) {
            trial t = make((const int64_t[]){1, 12, 37}, &windows[w]);
            float *y = support_floats(t.out), *mean = support_floats(t.out);
            t.x[where] = NAN;
            t.pass.x[0] = support_widen(t.x, t.in);
            ck_assert_int_eq(gg_max_pool_forward(y, NULL, t.x, 1, 12, 37, &windows[w]), GG_OK);
            ck_assert_int_eq(gg_average_pool_forward(mean, t.x, 1, 12, 37, &windows[w]), GG_OK);
            reference_average_pool.forward(&t.pass);
            for (int64_t i = 0; i < t.out; i++)
                ck_assert(!!isnan(mean[i]) == !!isnan(t.pass.y[i]) && !!isnan(y[i]) == !!isnan(t.pass.y[i]));
            int32_t index = 0;
            ck_assert_int_eq(gg_global_max_pool_forward(y, &index, t.x, 1, 12 * 37), GG_OK);
            ck_assert(isnan(y[0]) && index == where);
            support_release();
        }
}
END_TEST

/* ---- wrong arguments ---- */

static const gg_pool_window two = {2, 2, 2, 2, 0, 0, 0, 0, false};

START_TEST(windows_that_cannot_be)
{
    static const struct {
        gg_pool_window window;
        gg_status status;
        const char *text;
    } wrong[] = {
        {{0, 2, 1, 1, 0, 0, 0, 0, false}, GG_ERR_ARGUMENT, "kernel 0 x 2"},
        {{2, -1, 1, 1, 0, 0, 0, 0, false}, GG_ERR_ARGUMENT, "kernel 2 x -1"},
        {{2, 2, -1, 1, 0, 0, 0, 0, false}, GG_ERR_ARGUMENT, "stride -1 x 1"},
        {{2, 2, 1, -3, 0, 0, 0, 0, false}, GG_ERR_ARGUMENT, "stride 1 x -3"},
        {{2, 2, 1, 1, 2, 0, 0, 0, false}, GG_ERR_ARGUMENT, "padding 2 above"},
        {{2, 2, 1, 1, 0, 2, 0, 0, false}, GG_ERR_ARGUMENT, "2 below"},
        {{2, 2, 1, 1, 0, 0, 2, 0, false}, GG_ERR_ARGUMENT, "2 left"},
        {{2, 2, 1, 1, 0, 0, 0, 2, false}, GG_ERR_ARGUMENT, "2 right"},
        {{3, 3, 1, 1, -1, 0, 0, 0, false}, GG_ERR_ARGUMENT, "padding -1 above"},
        {{8, 2, 1, 1, 1, 1, 0, 0, false}, GG_ERR_SHAPE, "kernel 8 x 2 does not fit an image 5 x 4 padded by 2 and 0"},
        {{2, 7, 1, 1, 0, 0, 1, 1, false}, GG_ERR_SHAPE, "kernel 2 x 7 does not fit an image 5 x 4 padded by 0 and 2"},
        {{INT64_MAX, 2, 1, 1, INT64_MAX / 2, 0, 0, 0, false}, GG_ERR_SHAPE, "does not fit"},
    };
    float *x = support_uniform(20, 0, 1, 1), *y = support_floats(20);
    int32_t index[20] = {0};
    int64_t rows = -7, columns = -7;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const gg_pool_window *w = &wrong[i].window;
        const gg_status s = wrong[i].status;
        support_assert_fails(gg_pool_output(&rows, &columns, 5, 4, w), s, "gg_pool_output", wrong[i].text);
        support_assert_fails(gg_max_pool_forward(y, index, x, 1, 5, 4, w), s, "gg_max_pool_forward", wrong[i].text);
        support_assert_fails(gg_max_pool_backward(y, x, index, 1, 5, 4, w, false), s, "gg_max_pool_backward",
                             wrong[i].text);
        support_assert_fails(gg_average_pool_forward(y, x, 1, 5, 4, w), s, "gg_average_pool_forward", wrong[i].text);
        support_assert_fails(gg_average_pool_backward(y, x, 1, 5, 4, w, false), s, "gg_average_pool_backward",
                             wrong[i].text);
    }
    ck_assert(support_untouched(y, 20) && rows == -7 && columns == -7);
    ck_assert_int_eq(gg_pool_output(NULL, NULL, 5, 4, &two), GG_OK);
}
END_TEST

START_TEST(arguments_that_are_missing)
{
    float *x = support_uniform(16, 0, 1, 1), *y = support_floats(16);
    int32_t index[16] = {0};
    const gg_status bad = GG_ERR_ARGUMENT;
    support_assert_fails(gg_pool_output(NULL, NULL, 4, 4, NULL), bad, "gg_pool_output", "window is NULL");
    support_assert_fails(gg_max_pool_forward(NULL, index, x, 1, 4, 4, &two), bad, "gg_max_pool_forward", "y is NULL");
    support_assert_fails(gg_max_pool_forward(y, index, NULL, 1, 4, 4, &two), bad, "gg_max_pool_forward", "x is NULL");
    support_assert_fails(gg_max_pool_forward(y, index, x, -1, 4, 4, &two), bad, "gg_max_pool_forward", "planes is -1");
    support_assert_fails(gg_max_pool_forward(y, index, x, 1, 0, 4, &two), bad, "gg_max_pool_forward", "0 x 4");
    support_assert_fails(gg_max_pool_backward(NULL, x, index, 1, 4, 4, &two, false), bad, "gg_max_pool_backward",
                         "dx is NULL");
    support_assert_fails(gg_max_pool_backward(y, x, NULL, 1, 4, 4, &two, false), bad, "gg_max_pool_backward",
                         "index is NULL");
    support_assert_fails(gg_average_pool_forward(y, NULL, 1, 4, 4, &two), bad, "gg_average_pool_forward", "x is NULL");
    support_assert_fails(gg_average_pool_backward(y, NULL, 1, 4, 4, &two, false), bad, "gg_average_pool_backward",
                         "dy is NULL");
    support_assert_fails(gg_global_max_pool_forward(y, index, NULL, 1, 4), bad, "gg_global_max_pool_forward",
                         "x is NULL");
    support_assert_fails(gg_global_max_pool_backward(y, x, NULL, 1, 4, false), bad, "gg_global_max_pool_backward",
                         "index is NULL");
    support_assert_fails(gg_global_average_pool_forward(y, x, 1, 0), bad, "gg_global_average_pool_forward",
                         "size is 0");
    support_assert_fails(gg_global_average_pool_backward(y, x, -1, 4, false), bad, "gg_global_average_pool_backward",
                         "planes is -1");
    ck_assert_int_eq(gg_max_pool_forward(NULL, NULL, NULL, 0, 4, 4, &two), GG_OK);
    ck_assert_int_eq(gg_global_average_pool_forward(NULL, NULL, 0, 0), GG_OK);
    ck_assert(support_untouched(y, 16));
}
END_TEST

START_TEST(images_that_no_memory_holds)
{
    float *x = support_uniform(16, 0, 1, 1), *y = support_floats(16);
    const gg_status bad = GG_ERR_OVERFLOW;
    support_assert_fails(gg_max_pool_forward(y, NULL, x, 1, 65536, 32768, &two), bad, "gg_max_pool_forward",
                         "65536 x 32768");
    support_assert_fails(gg_average_pool_forward(y, x, 1, INT64_MAX, INT64_MAX, &two), bad, "gg_average_pool_forward",
                         "9223372036854775807");
    support_assert_fails(gg_average_pool_forward(y, x, INT64_MAX / 4, 4, 4, &two), bad, "gg_average_pool_forward",
                         "planes of 16 floats");
    support_assert_fails(gg_global_max_pool_forward(y, NULL, x, 1, (int64_t)INT32_MAX + 1), bad,
                         "gg_global_max_pool_forward", "2147483648");
    support_assert_fails(gg_global_average_pool_forward(y, x, INT64_MAX / 2, 100), bad,
                         "gg_global_average_pool_forward", "planes of 100 floats");
    ck_assert(support_untouched(y, 16));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, largest_of_windows, 0, ISA_COUNT);
    tcase_add_loop_test(tests, means_of_windows, 0, ISA_COUNT);
    tcase_add_loop_test(tests, whole_planes, 0, ISA_COUNT);
    tcase_add_loop_test(tests, the_first_of_equals, 0, ISA_COUNT);
    tcase_add_loop_test(tests, nan_reaches_its_windows, 0, ISA_COUNT);
    tcase_add_test(tests, windows_that_cannot_be);
    tcase_add_test(tests, arguments_that_are_missing);
    tcase_add_test(tests, images_that_no_memory_holds);
}
