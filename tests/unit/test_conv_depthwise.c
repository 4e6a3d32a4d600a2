/* test_conv_depthwise.c - the vector loops of depthwise convolution against plain loops, over planes from one pixel to
 * several bands, with NaN in them, and between pages that nobody may touch. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <gemmgrad/conv.h>

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gemmgrad/backend.h>

#include "conv_case.h"
#include "isa.h"
#include "reference_conv.h"
#include "support.h"

enum { SHAPES = 300 };

static int64_t draw(uint64_t *state, int64_t least, int64_t most)
{
    return least + (int64_t)(support_random(state) % (uint64_t)(most - least + 1));
}

/* A group for each channel, planes of one row of blocks up to several bands, all kinds of kernels. */
static gg_conv_shape draw_depthwise(uint64_t *state)
{
    static const int64_t channels[] = {1, 2, 3, 5, 8}, sizes[] = {1, 7, 14, 15, 16, 17, 29, 33, 56, 112};
    gg_conv_shape s = {.batch = draw(state, 1, 2)};
    s.groups = s.channels = channels[draw(state, 0, 4)];
    s.filters = s.groups * (draw(state, 0, 3) > 0 ? 1 : draw(state, 2, 3));
    const int64_t usual = draw(state, 0, 3);
    s.kernel_height = usual < 2 ? 3 : usual == 2 ? 5 : draw(state, 1, 7);
    s.kernel_width = usual < 2 ? 3 : usual == 2 ? 5 : draw(state, 1, 7);
    s.stride_y = usual == 0 ? 1 : usual < 3 ? 2 : draw(state, 1, 4);
    s.stride_x = usual == 0 ? 1 : usual < 3 ? 2 : draw(state, 1, 4);
    s.dilation_y = usual < 3 ? 1 : draw(state, 1, 3);
    s.dilation_x = usual < 3 ? 1 : draw(state, 1, 3);
    s.pad_top = draw(state, 0, 4);
    s.pad_bottom = draw(state, 0, 4);
    s.pad_left = draw(state, 0, 4);
    s.pad_right = draw(state, 0, 4);
    const int64_t rows = s.dilation_y * (s.kernel_height - 1) + 1, columns = s.dilation_x * (s.kernel_width - 1) + 1;
    s.height = sizes[draw(state, 0, 9)];
    s.width = sizes[draw(state, 0, 9)];
    s.height = s.height + s.pad_top + s.pad_bottom < rows ? rows : s.height;
    s.width = s.width + s.pad_left + s.pad_right < columns ? columns : s.width;
    return s;
}

START_TEST(depthwise_equals_plain_loops)
{
    uint64_t state = 20261126;
    for (int i = 0; use_isa(_i) && i < SHAPES; i++) {
        const gg_conv_shape s = draw_depthwise(&state);
        ck_assert_int_eq(gg_set_threads(1 + i % 3), GG_OK);
        for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++)
            ck_assert(gg_conv_can(GG_CONV_DEPTHWISE, pass, &s));
        const conv_case c = conv_case_new(&s, i % 2 == 1, (uint64_t)i * 100 + 1);
        conv_case_check(&c, GG_CONV_DEPTHWISE, 0.0);
        support_release();
    }
}
END_TEST

/* What is NaN by plain loops, and nothing else, is NaN by the algorithm, whatever its workspace held before. */
static void check_nan(const char *what, const float *actual, const double *expected, int64_t n, const gg_conv_shape *s)
{
    for (int64_t i = 0; i < n; i++)
        if (!isnan(actual[i]) != !isnan(expected[i]))
            ck_abort_msg("%s[%lld] is %g, by plain loops %g, %s", what, (long long)i, (double)actual[i], expected[i],
                         conv_case_name(s));
}

static float *workspace_of_nan(int64_t *floats, gg_conv_pass pass, const gg_conv_shape *s, const gg_conv_options *o)
{
    ck_assert_int_eq(gg_conv_workspace(floats, pass, s, o), GG_OK);
    float *work = support_floats(*floats);
    for (int64_t i = 0; i < *floats; i++)
        work[i] = NAN;
    return work;
}

/* One NaN in x, then one in dy. */
static void check_spread(const gg_conv_shape *shape, uint64_t *state)
{
    const gg_conv_options o = {.algorithm = GG_CONV_DEPTHWISE};
    const gg_conv_shape s = *shape;
    conv_case c = conv_case_new(&s, false, support_random(state));
    c.x[draw(state, 0, c.x_floats - 1)] = NAN;
    double *x = support_widen(c.x, c.x_floats), *w = support_widen(c.w, c.w_floats);
    float *y = support_floats(c.y_floats), *dx = support_floats(c.x_floats), *dw = support_floats(c.w_floats);
    int64_t floats;
    reference_conv_forward(c.y, x, w, NULL, &s);
    float *work = workspace_of_nan(&floats, GG_CONV_FORWARD, &s, &o);
    ck_assert_int_eq(gg_conv_forward(y, c.x, c.w, NULL, &s, &o, work, floats), GG_OK);
    check_nan("y", y, c.y, c.y_floats, &s);
    reference_conv_backward(NULL, c.dw, NULL, support_widen(c.dy, c.y_floats), x, w, &s, false, false);
    work = workspace_of_nan(&floats, GG_CONV_BACKWARD_WEIGHTS, &s, &o);
    ck_assert_int_eq(gg_conv_backward_weights(dw, NULL, c.dy, c.x, &s, &o, work, floats), GG_OK);
    check_nan("dw", dw, c.dw, c.w_floats, &s);
    c.dy[draw(state, 0, c.y_floats - 1)] = NAN;
    reference_conv_backward(c.dx, NULL, NULL, support_widen(c.dy, c.y_floats), x, w, &s, false, false);
    work = workspace_of_nan(&floats, GG_CONV_BACKWARD_DATA, &s, &o);
    ck_assert_int_eq(gg_conv_backward_data(dx, c.dy, c.w, &s, &o, work, floats), GG_OK);
    check_nan("dx", dx, c.dx, c.x_floats, &s);
}

START_TEST(depthwise_spreads_no_nan)
{
    uint64_t state = 5;
    for (int i = 0; use_isa(_i) && i < SHAPES; i++) {
        const gg_conv_shape s = draw_depthwise(&state);
        check_spread(&s, &state);
        support_release();
    }
}
END_TEST

/* Results of more than 16 MB, which pass the caches, in bands and in whole planes. */
START_TEST(large_results_equal_plain_loops)
{
    static const gg_conv_shape large[] = {
        {.channels = 340, .height = 112, .width = 112, .kernel_height = 3, .stride_y = 1, .pad_top = 1},
        {.channels = 340, .height = 112, .width = 112, .kernel_height = 3, .stride_y = 2, .pad_top = 1},
        {.channels = 1338, .height = 56, .width = 56, .kernel_height = 3, .stride_y = 1, .pad_top = 1},
        {.channels = 1338, .height = 56, .width = 56, .kernel_height = 5, .stride_y = 2, .pad_top = 2},
    };
    gg_conv_shape s = large[_i / ISA_COUNT];
    if (!use_isa(_i % ISA_COUNT))
        return;
    s.batch = 1;
    s.filters = s.groups = s.channels;
    s.kernel_width = s.kernel_height;
    s.stride_x = s.stride_y;
    s.pad_bottom = s.pad_left = s.pad_right = s.pad_top;
    const conv_case c = conv_case_new(&s, false, (uint64_t)_i + 1);
    conv_case_check(&c, GG_CONV_DEPTHWISE, 0.0);
    support_release();
}
END_TEST

/* Equal numbers, whose roundings all go the same way. Measured: 1e-6 for 32 x 32 in eight lanes of float; a column of
 * 1000 in a single lane came to 1e-5. */
START_TEST(bias_gradients_keep_their_digits)
{
    static const int64_t sizes[][3] = {{4, 1000, 1}, {16, 64, 1}, {4, 500, 2}, {4, 32, 32}, {16, 7, 7}, {4, 112, 112}};
    const int64_t *size = sizes[_i / ISA_COUNT], floats = size[0] * size[1] * size[2];
    if (!use_isa(_i % ISA_COUNT))
        return;
    gg_conv_shape s = {.batch = size[0], .channels = 1, .height = size[1], .width = size[2], .filters = 1};
    s.kernel_height = s.kernel_width = 3;
    s.pad_top = s.pad_bottom = s.pad_left = s.pad_right = 1;
    const gg_conv_options o = {.algorithm = GG_CONV_DEPTHWISE};
    const float *x = support_uniform(floats, -1.0, 1.0, 1);
    float *dy = support_floats(floats), dw[9], db = 0.0f;
    for (int64_t i = 0; i < floats; i++)
        dy[i] = 0.1f;
    int64_t most;
    ck_assert_int_eq(gg_conv_workspace(&most, GG_CONV_BACKWARD_WEIGHTS, &s, &o), GG_OK);
    ck_assert_int_eq(gg_conv_backward_weights(dw, &db, dy, x, &s, &o, support_floats(most), most), GG_OK);
    const double expected = (double)floats * (double)0.1f;
    ck_assert_double_eq_tol((double)db / expected, 1.0, 2e-6);
    support_release();
}
END_TEST

/* ---- the small kernels that slide over the planes themselves ---- */

enum { MOST_WIDTH = 40, PADDINGS = 3, SLIDES = MOST_WIDTH * 2 * 2 * PADDINGS };

/* Every width around one, two and three registers, in steps of 1 and 2; planes of one row up to several bands. */
static gg_conv_shape slide_of(int i, uint64_t *state)
{
    const int64_t kernel = i % 2 == 0 ? 3 : 5, stride = 1 + i / 2 % 2, wanted = 1 + i / 4 % MOST_WIDTH;
    gg_conv_shape s = {.batch = draw(state, 1, 3),
                       .kernel_height = kernel,
                       .kernel_width = kernel,
                       .stride_y = stride,
                       .stride_x = stride,
                       .pad_top = draw(state, 0, 2),
                       .pad_bottom = draw(state, 0, 2),
                       .pad_left = draw(state, 0, 2),
                       .pad_right = draw(state, 0, 2)};
    const int64_t rows = kernel - s.pad_top - s.pad_bottom, columns = kernel - s.pad_left - s.pad_right;
    const int64_t height = i % 7 == 0 ? draw(state, 60, 130) : draw(state, 1, 18);
    s.groups = s.channels = draw(state, 1, 4);
    s.filters = s.groups * (i % 5 == 0 ? 2 : 1);
    s.height = height < rows ? rows : height;
    s.width = wanted < columns ? columns : wanted;
    return s;
}

START_TEST(slides_equal_plain_loops)
{
    uint64_t state = 31;
    for (int i = 0; use_isa(_i) && i < SLIDES; i++) {
        const gg_conv_shape s = slide_of(i, &state);
        ck_assert_int_eq(gg_set_threads(1 + i % 3), GG_OK);
        const conv_case c = conv_case_new(&s, i % 3 == 1, (uint64_t)i * 100 + 1);
        conv_case_check(&c, GG_CONV_DEPTHWISE, 0.0);
        check_spread(&s, &state);
        support_release();
    }
}
END_TEST

/* Floats right before a page that cannot be touched, or right behind one. */
typedef struct fenced {
    char *pages;
    size_t bytes;
    float *data;
} fenced;

static fenced fenced_new(int64_t floats, bool before)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), wanted = (size_t)floats * sizeof(float);
    const size_t room = (wanted + page - 1) / page * page;
    fenced f = {.bytes = room + 2 * page};
    void *pages = mmap(NULL, f.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(pages, MAP_FAILED);
    f.pages = pages;
    ck_assert_int_eq(mprotect(f.pages, page, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(f.pages + page + room, page, PROT_NONE), 0);
    f.data = (float *)(void *)(f.pages + page + (before ? room - wanted : 0));
    return f;
}

static fenced fenced_copy(const float *x, int64_t floats, bool before)
{
    const fenced f = fenced_new(floats, before);
    memcpy(f.data, x, (size_t)floats * sizeof *x);
    return f;
}

/* Results of one pass: the same between fences, by three threads, as anywhere else by one. */
static void check_fenced(const conv_case *c, gg_conv_pass pass, bool before)
{
    const gg_conv_options o = {.algorithm = GG_CONV_DEPTHWISE};
    const int64_t floats[] = {c->y_floats, c->x_floats, c->w_floats};
    float *plain = support_floats(floats[pass]);
    fenced x = fenced_copy(c->x, c->x_floats, before), w = fenced_copy(c->w, c->w_floats, before);
    fenced dy = fenced_copy(c->dy, c->y_floats, before), result = fenced_new(floats[pass], before);
    const fenced *all[] = {&x, &w, &dy, &result};
    for (int threads = 1; threads <= 3; threads += 2) {
        float *to = threads == 1 ? plain : result.data;
        int64_t most;
        ck_assert_int_eq(gg_set_threads(threads), GG_OK);
        ck_assert_int_eq(gg_conv_workspace(&most, pass, &c->s, &o), GG_OK);
        float *work = support_floats(most);
        if (pass == GG_CONV_FORWARD)
            ck_assert_int_eq(gg_conv_forward(to, x.data, w.data, NULL, &c->s, &o, work, most), GG_OK);
        else if (pass == GG_CONV_BACKWARD_DATA)
            ck_assert_int_eq(gg_conv_backward_data(to, dy.data, w.data, &c->s, &o, work, most), GG_OK);
        else
            ck_assert_int_eq(gg_conv_backward_weights(to, NULL, dy.data, x.data, &c->s, &o, work, most), GG_OK);
    }
    for (int64_t i = 0; i < floats[pass]; i++)
        if (plain[i] != result.data[i])
            ck_abort_msg("[%lld] is %g, between fences %g, %s", (long long)i, (double)plain[i], (double)result.data[i],
                         conv_case_name(&c->s));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        munmap(all[i]->pages, all[i]->bytes);
}

START_TEST(slides_stay_between_fences)
{
    uint64_t state = 77;
    for (int i = 0; use_isa(_i) && i < SLIDES; i++) {
        const gg_conv_shape s = slide_of(i, &state);
        const conv_case c = conv_case_new(&s, false, (uint64_t)i * 100 + 7);
        for (gg_conv_pass pass = 0; pass < GG_CONV_PASS_COUNT; pass++)
            for (int before = 0; before < 2; before++)
                check_fenced(&c, pass, before == 1);
        support_release();
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, depthwise_equals_plain_loops, 0, ISA_COUNT);
    tcase_add_loop_test(tests, large_results_equal_plain_loops, 0, 4 * ISA_COUNT);
    tcase_add_loop_test(tests, bias_gradients_keep_their_digits, 0, 6 * ISA_COUNT);
    tcase_add_loop_test(tests, depthwise_spreads_no_nan, 0, ISA_COUNT);
    tcase_add_loop_test(tests, slides_equal_plain_loops, 0, ISA_COUNT);
    tcase_add_loop_test(tests, slides_stay_between_fences, 0, ISA_COUNT);
}
