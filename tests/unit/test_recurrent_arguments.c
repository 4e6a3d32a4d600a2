/* test_recurrent_arguments.c - recurrent layers asked for what they cannot do: the message names it, and nothing is
 * touched; what the queries promise for smaller sizes. */
#include <stdint.h>

#include "recurrent_case.h"
#include "support.h"

static const char forward_name[] = "gg_recurrent_forward", backward_name[] = "gg_recurrent_backward";

/* Calls in order, to be spoilt. */
typedef struct calls {
    recurrent_case c;
    recurrent_found found;
    gg_recurrent_shape s;
    gg_recurrent_inputs in;
    gg_recurrent_results out;
    gg_recurrent_given given;
    gg_recurrent_gradients gradients;
    float *workspace;
    int64_t floats;
} calls;

static calls make(void)
{
    calls t = {.s = {.cell = GG_CELL_LSTM, .steps = 3, .batch = 2, .in = 4, .hidden = 5}};
    const recurrent_options o = {.lengths = true};
    t.c = recurrent_case_new(&t.s, &o, 3);
    t.in = recurrent_inputs_of(&t.c);
    t.out = recurrent_results_of(&t.c, &t.found);
    t.given = recurrent_given_of(&t.c, &t.found);
    t.gradients = recurrent_gradients_of(&t.c, &t.found);
    ck_assert_int_eq(gg_recurrent_workspace(&t.floats, GG_RECURRENT_FORWARD, &t.s), GG_OK);
    t.workspace = support_floats(t.floats);
    return t;
}

static void fails(const calls *t, gg_status expected, const char *argument)
{
    const int64_t y = 3 * 2 * 5;
    support_assert_fails(gg_recurrent_forward(&t->out, &t->in, &t->s, t->workspace, t->floats), expected, forward_name,
                         argument);
    ck_assert(support_untouched(t->found.y, y) && support_untouched(t->found.h_last, 10));
    ck_assert(support_untouched(t->found.c_last, 10));
}

static void backward_fails(const calls *t, gg_status expected, const char *argument)
{
    support_assert_fails(gg_recurrent_backward(&t->gradients, &t->given, &t->in, &t->s, t->workspace, t->floats),
                         expected, backward_name, argument);
    ck_assert(support_untouched(t->found.dx, 3 * 2 * 4) && support_untouched(t->found.dwx, 4 * 20));
    ck_assert(support_untouched(t->found.dwh, 5 * 20) && support_untouched(t->found.dbias, 20));
    ck_assert(support_untouched(t->found.dh0, 10) && support_untouched(t->found.dc0, 10));
}

#define FAILS(function, change, status, argument) \
    do {                                          \
        calls t = make();                         \
        change;                                   \
        function(&t, status, argument);           \
    } while (0)

START_TEST(bad_shapes)
{
    FAILS(fails, t.s.cell = GG_CELL_COUNT, GG_ERR_ARGUMENT, "cell");
    FAILS(fails, t.s.cell = (gg_cell)-1, GG_ERR_ARGUMENT, "cell");
    FAILS(fails, t.s.steps = -1, GG_ERR_ARGUMENT, "steps");
    FAILS(fails, t.s.batch = -1, GG_ERR_ARGUMENT, "batch");
    FAILS(fails, t.s.in = -1, GG_ERR_ARGUMENT, "in");
    FAILS(fails, t.s.hidden = -1, GG_ERR_ARGUMENT, "hidden");
    FAILS(fails, t.s.directions = 3, GG_ERR_ARGUMENT, "directions");
    FAILS(fails, t.s.directions = -1, GG_ERR_ARGUMENT, "directions");
    FAILS(fails, t.s.steps = INT64_MAX, GG_ERR_OVERFLOW, "steps");
    FAILS(fails, t.s.batch = INT32_MAX, GG_ERR_OVERFLOW, "batch");
    FAILS(fails, t.s.hidden = INT32_MAX, GG_ERR_OVERFLOW, "hidden");
    FAILS(backward_fails, t.s.hidden = -1, GG_ERR_ARGUMENT, "hidden");
}
END_TEST

START_TEST(bad_inputs)
{
    FAILS(fails, t.in.x = NULL, GG_ERR_ARGUMENT, "x");
    FAILS(fails, t.in.wx = NULL, GG_ERR_ARGUMENT, "wx");
    FAILS(fails, t.in.wh = NULL, GG_ERR_ARGUMENT, "wh");
    FAILS(fails, t.in.ld0 = 4, GG_ERR_SHAPE, "ld0");
    FAILS(fails, t.in.ld0 = -5, GG_ERR_SHAPE, "ld0");
    FAILS(fails, t.in.ld0 = INT64_MAX / 2, GG_ERR_OVERFLOW, "ld0");
    FAILS(fails, t.in.drop = t.c.h0, GG_ERR_ARGUMENT, "drop");
    FAILS(fails, t.c.length[1] = 4, GG_ERR_ARGUMENT, "lengths[1]");
    FAILS(fails, t.c.length[0] = -1, GG_ERR_ARGUMENT, "lengths[0]");
    FAILS(backward_fails, t.in.x = NULL, GG_ERR_ARGUMENT, "x");
    FAILS(backward_fails, t.in.wx = NULL, GG_ERR_ARGUMENT, "wx");
    FAILS(backward_fails, t.in.wh = NULL, GG_ERR_ARGUMENT, "wh");
    FAILS(backward_fails, t.c.length[1] = 4, GG_ERR_ARGUMENT, "lengths[1]");
}
END_TEST

START_TEST(bad_results)
{
    FAILS(fails, t.out.cache = NULL, GG_ERR_ARGUMENT, "cache");
    FAILS(fails, t.out.ldy = 4, GG_ERR_SHAPE, "ldy");
    FAILS(fails, t.out.ld_last = 4, GG_ERR_SHAPE, "ld_last");
    FAILS(fails, t.workspace = NULL, GG_ERR_ARGUMENT, "workspace");
    FAILS(fails, t.floats--, GG_ERR_ARGUMENT, "workspace");
    FAILS(backward_fails, t.given.cache = NULL, GG_ERR_ARGUMENT, "cache");
    FAILS(backward_fails, t.given.lddy = 4, GG_ERR_SHAPE, "lddy");
    FAILS(backward_fails, t.given.ld_last = 4, GG_ERR_SHAPE, "ld_last");
    FAILS(backward_fails, t.gradients.ld0 = 4, GG_ERR_SHAPE, "ld0");
    FAILS(backward_fails, t.workspace = NULL, GG_ERR_ARGUMENT, "workspace");
    FAILS(backward_fails, t.floats = 0, GG_ERR_ARGUMENT, "workspace");
}
END_TEST

START_TEST(null_structures)
{
    calls t = make();
    support_assert_fails(gg_recurrent_forward(NULL, &t.in, &t.s, t.workspace, t.floats), GG_ERR_ARGUMENT, forward_name,
                         "results");
    support_assert_fails(gg_recurrent_forward(&t.out, NULL, &t.s, t.workspace, t.floats), GG_ERR_ARGUMENT, forward_name,
                         "inputs");
    support_assert_fails(gg_recurrent_forward(&t.out, &t.in, NULL, t.workspace, t.floats), GG_ERR_ARGUMENT,
                         forward_name, "shape");
    support_assert_fails(gg_recurrent_backward(NULL, &t.given, &t.in, &t.s, t.workspace, t.floats), GG_ERR_ARGUMENT,
                         backward_name, "gradients");
    support_assert_fails(gg_recurrent_backward(&t.gradients, NULL, &t.in, &t.s, t.workspace, t.floats), GG_ERR_ARGUMENT,
                         backward_name, "given");
    support_assert_fails(gg_recurrent_backward(&t.gradients, &t.given, NULL, &t.s, t.workspace, t.floats),
                         GG_ERR_ARGUMENT, backward_name, "inputs");
}
END_TEST

START_TEST(queries)
{
    const gg_recurrent_shape good = {.cell = GG_CELL_GRU, .steps = 3, .batch = 2, .in = 4, .hidden = 5};
    const gg_recurrent_shape bad = {.cell = GG_CELL_GRU, .steps = 3, .batch = -2, .in = 4, .hidden = 5};
    int64_t floats = 77;
    support_assert_fails(gg_recurrent_cache(NULL, &good), GG_ERR_ARGUMENT, "gg_recurrent_cache", "floats");
    support_assert_fails(gg_recurrent_cache(&floats, &bad), GG_ERR_ARGUMENT, "gg_recurrent_cache", "batch");
    support_assert_fails(gg_recurrent_workspace(NULL, GG_RECURRENT_FORWARD, &good), GG_ERR_ARGUMENT,
                         "gg_recurrent_workspace", "floats");
    support_assert_fails(gg_recurrent_workspace(&floats, GG_RECURRENT_PASS_COUNT, &good), GG_ERR_ARGUMENT,
                         "gg_recurrent_workspace", "pass");
    support_assert_fails(gg_recurrent_workspace(&floats, GG_RECURRENT_FORWARD, &bad), GG_ERR_ARGUMENT,
                         "gg_recurrent_workspace", "batch");
    ck_assert_int_eq(floats, 77);
}
END_TEST

/* Of small weights and of large ones. */
START_TEST(smaller_sizes_need_no_more)
{
    const int large = _i;
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 15, 16, 17, 31, 32, 40, 64, 65, 200};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int cell = 0; cell < GG_CELL_COUNT; cell++)
        for (int pass = 0; pass < GG_RECURRENT_PASS_COUNT; pass++) {
            gg_recurrent_shape most = {
                .cell = (gg_cell)cell, .steps = 17, .batch = 17, .in = 3, .hidden = 33, .directions = 2};
            if (large != 0) {
                most.batch = 200;
                most.hidden = 600;
            }
            int64_t enough = 0, cache_enough = 0;
            ck_assert_int_eq(gg_recurrent_workspace(&enough, (gg_recurrent_pass)pass, &most), GG_OK);
            ck_assert_int_eq(gg_recurrent_cache(&cache_enough, &most), GG_OK);
            for (int i = 0; i < SIZES && sizes[i] <= most.steps; i++)
                for (int j = 0; j < SIZES && sizes[j] <= most.batch; j++) {
                    gg_recurrent_shape s = most;
                    int64_t floats = 0;
                    s.steps = sizes[i];
                    s.batch = sizes[j];
                    s.directions = 1 + (i + j) % 2;
                    ck_assert_int_eq(gg_recurrent_workspace(&floats, (gg_recurrent_pass)pass, &s), GG_OK);
                    ck_assert_int_le(floats, enough);
                    ck_assert_int_eq(gg_recurrent_cache(&floats, &s), GG_OK);
                    ck_assert_int_le(floats, cache_enough);
                }
        }
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(gg_cell_name(GG_CELL_GRU_BEFORE), "gru_before");
    ck_assert_str_eq(gg_cell_name(GG_CELL_COUNT), "unknown");
    ck_assert_int_eq(gg_cell_gates(GG_CELL_LSTM), 4);
    ck_assert_int_eq(gg_cell_gates((gg_cell)-1), 0);
    ck_assert_int_eq(gg_cell_biases(GG_CELL_GRU), 4);
    ck_assert_int_eq(gg_cell_biases(GG_CELL_COUNT), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, bad_shapes);
    tcase_add_test(tests, bad_inputs);
    tcase_add_test(tests, bad_results);
    tcase_add_test(tests, null_structures);
    tcase_add_test(tests, queries);
    tcase_add_loop_test(tests, smaller_sizes_need_no_more, 0, 2);
    tcase_add_test(tests, names);
}
