/* test_recurrent.c - recurrent layers against plain loops in double: every cell, with lengths, masks, backwards in
 * time, two directions; awkward sizes, sizes of 0, threads, instruction sets; what is not wanted. */
#include <math.h>
#include <string.h>

#include "isa.h"
#include "recurrent_case.h"
#include "support.h"

static gg_recurrent_shape shape_of(int cell, int64_t steps, int64_t batch, int64_t in, int64_t hidden)
{
    return (gg_recurrent_shape){.cell = (gg_cell)cell, .steps = steps, .batch = batch, .in = in, .hidden = hidden};
}

/* Every bit an option. */
static recurrent_options options_of(int bits)
{
    return (recurrent_options){.reverse = (bits & 1) != 0,
                               .lengths = (bits & 2) != 0,
                               .drop = (bits & 4) != 0,
                               .no_bias = (bits & 8) != 0,
                               .no_start = (bits & 16) != 0,
                               .no_last = (bits & 32) != 0,
                               .accumulate = (bits & 64) != 0,
                               .gap = (bits & 128) != 0 ? 3 : 0};
}

START_TEST(every_option)
{
    for (int bits = 0; bits < 256; bits++) {
        const recurrent_options o = options_of(bits);
        recurrent_case_hold(&(gg_recurrent_shape){.cell = (gg_cell)_i, .steps = 5, .batch = 3, .in = 7, .hidden = 17},
                            &o);
    }
}
END_TEST

static const int64_t batches[] = {0, 1, 3, 33}, hiddens[] = {0, 1, 5, 17, 64, 80}, ins[] = {0, 1, 7};
static const int64_t step_counts[] = {0, 1, 2, 9};
enum {
    BATCHES = sizeof batches / sizeof *batches,
    HIDDENS = sizeof hiddens / sizeof *hiddens,
    INS = sizeof ins / sizeof *ins,
    STEP_COUNTS = sizeof step_counts / sizeof *step_counts
};

START_TEST(awkward_sizes)
{
    int bits = 0; /* some options with each */
    for (int b = 0; b < BATCHES; b++)
        for (int h = 0; h < HIDDENS; h++)
            for (int i = 0; i < INS; i++)
                for (int t = 0; t < STEP_COUNTS; t++) {
                    const gg_recurrent_shape s = shape_of(_i, step_counts[t], batches[b], ins[i], hiddens[h]);
                    bits = (bits + 37) % 256;
                    const recurrent_options o = options_of(bits);
                    recurrent_case_hold(&s, &o);
                }
}
END_TEST

/* Enough work a step for several threads: 5 blocks of units, fewer than the most threads; 2 blocks, the last with one
 * unit; a single step, for which nothing is packed; more rows, and more inputs and units, than the gradients' products
 * take at once. */
static const int64_t large[][4] = {{4, 33, 7, 80},  {2, 700, 3, 17},   {3, 40, 130, 130},
                                   {1, 300, 5, 80}, {65, 33, 33, 100}, {13, 40, 300, 260}};
enum { LARGE = sizeof large / sizeof *large };

START_TEST(any_number_of_threads)
{
    static const int threads[] = {1, 2, 3, 8};
    const int threads_before = gg_threads();
    const int64_t *size = large[_i % LARGE];
    const gg_recurrent_shape s = shape_of(_i / LARGE, size[0], size[1], size[2], size[3]);
    const recurrent_options o = options_of(_i % 2 == 0 ? 7 : 64);
    const recurrent_case c = recurrent_case_new(&s, &o, 5);
    for (int i = 0; i < 4; i++) {
        recurrent_found found = {.y = NULL};
        ck_assert_int_eq(gg_set_threads(threads[i]), GG_OK);
        recurrent_case_run(&found, &c, 1);
        recurrent_case_check(&c, &found);
    }
    ck_assert_int_eq(gg_set_threads(threads_before), GG_OK);
}
END_TEST

/* Weights so large that the inputs of some steps are multiplied together, but for the last ones of the sequence. */
static const gg_recurrent_shape several_steps[] = {
    {.cell = GG_CELL_LSTM, .steps = 9, .batch = 33, .in = 7, .hidden = 290},
    {.cell = GG_CELL_RNN_TANH, .steps = 9, .batch = 60, .in = 70, .hidden = 570},
};

START_TEST(inputs_of_several_steps)
{
    const int threads_before = gg_threads();
    const recurrent_options o = options_of(_i / 2 % 2 == 0 ? 3 : 8 + 16);
    const recurrent_case c = recurrent_case_new(&several_steps[_i % 2], &o, 5);
    for (int threads = 1; threads <= 3; threads++) {
        recurrent_found found = {.y = NULL};
        ck_assert_int_eq(gg_set_threads(threads), GG_OK);
        recurrent_case_run(&found, &c, 1);
        recurrent_case_check(&c, &found);
    }
    ck_assert_int_eq(gg_set_threads(threads_before), GG_OK);
}
END_TEST

/* Both directions at once, the second backwards in time. */
static void hold_both(const gg_recurrent_shape *s, recurrent_options o)
{
    recurrent_case cases[2];
    recurrent_found found[2] = {{.y = NULL}, {.y = NULL}};
    cases[0] = recurrent_case_new(s, &o, 20);
    o.reverse = true;
    cases[1] = recurrent_case_new(s, &o, 40);
    recurrent_case_run(found, cases, 2);
    recurrent_case_check(&cases[0], &found[0]);
    recurrent_case_check(&cases[1], &found[1]);
    support_release();
}

/* On one thread, on one each, on several each. */
START_TEST(directions)
{
    const int threads_before = gg_threads();
    const gg_recurrent_shape small = shape_of(_i, 5, 3, 7, 17),
                             more = shape_of(_i, large[0][0], large[0][1], 7, large[0][3]);
    for (int threads = 1; threads <= 4; threads *= 2) {
        ck_assert_int_eq(gg_set_threads(threads), GG_OK);
        hold_both(&small, (recurrent_options){.lengths = true, .gap = 2});
        hold_both(&more, (recurrent_options){.lengths = true, .gap = 2});
    }
    ck_assert_int_eq(gg_set_threads(threads_before), GG_OK);
}
END_TEST

START_TEST(directions_of_several_steps)
{
    const int threads_before = gg_threads();
    for (int threads = 1; threads <= 4; threads += 3) {
        ck_assert_int_eq(gg_set_threads(threads), GG_OK);
        hold_both(&several_steps[_i], (recurrent_options){.lengths = true});
    }
    ck_assert_int_eq(gg_set_threads(threads_before), GG_OK);
}
END_TEST

START_TEST(every_instruction_set)
{
    const gg_kernel_table *chosen = gg_kernels();
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int cell = 0; cell < GG_CELL_COUNT && use_isa(isa); cell++)
            for (int64_t hidden = 1; hidden < 40; hidden += 6) {
                const gg_recurrent_shape s = shape_of(cell, 4, 5, 3, hidden);
                const recurrent_options o = options_of(hidden % 4 == 3 ? 6 : 1);
                recurrent_case_hold(&s, &o);
            }
    atomic_store(&gg_kernels_chosen, chosen);
}
END_TEST

/* Large arguments of gates: 0, 1 and -1, and no NaN. */
START_TEST(saturated_gates)
{
    const gg_recurrent_shape s = shape_of(_i, 3, 2, 4, 17);
    const recurrent_options o = {.reverse = false};
    recurrent_case c = recurrent_case_new(&s, &o, 7);
    for (int64_t i = 0; i < s.in * c.columns; i++)
        c.wx[i] *= 1e4f;
    recurrent_found found = {.y = NULL};
    recurrent_case_run(&found, &c, 1);
    for (int64_t i = 0; i < s.steps * s.batch * s.hidden; i++)
        ck_assert(isfinite(found.y[i]));
    for (int64_t i = 0; i < s.hidden * c.columns; i++)
        ck_assert(isfinite(found.dwh[i]));
}
END_TEST

/* A NaN of x reaches its own sample from that step on, and no other. */
START_TEST(nan_stays_in_its_sample)
{
    const gg_recurrent_shape s = shape_of(_i, 4, 3, 2, 5);
    const recurrent_options o = {.reverse = false};
    recurrent_case c = recurrent_case_new(&s, &o, 7);
    c.x[(2 * s.batch + 1) * s.in] = NAN;
    recurrent_found found = {.y = NULL};
    recurrent_case_run(&found, &c, 1);
    for (int64_t t = 0; t < s.steps; t++)
        for (int64_t n = 0; n < s.batch; n++)
            for (int64_t u = 0; u < s.hidden; u++)
                ck_assert_int_eq(isnan(found.y[(t * s.batch + n) * s.hidden + u]) != 0, n == 1 && t >= 2);
    for (int64_t i = 0; i < s.steps * s.batch * s.in; i++) /* backward carries it to the steps before as well */
        ck_assert_int_eq(isnan(found.dx[i]) != 0, i / s.in % s.batch == 1);
}
END_TEST

/* Carried in place, a window at a time, the state is that of one long sequence. */
START_TEST(carried_state)
{
    const gg_recurrent_shape s = shape_of(_i, 6, 3, 4, 17);
    const recurrent_options o = {.reverse = false};
    const recurrent_case c = recurrent_case_new(&s, &o, 7);
    gg_recurrent_inputs in = recurrent_inputs_of(&c);
    float *h = support_copy(c.h0, s.batch * s.hidden);
    float *cell = c.c0 != NULL ? support_copy(c.c0, s.batch * s.hidden) : NULL;
    recurrent_found found = {.y = NULL};
    gg_recurrent_results out = recurrent_results_of(&c, &found);
    in.h0 = out.h_last = h;
    in.c0 = out.c_last = cell;
    int64_t floats = 0, done = 0;
    ck_assert_int_eq(gg_recurrent_workspace(&floats, GG_RECURRENT_FORWARD, &c.s), GG_OK);
    float *workspace = support_floats(floats);
    for (int64_t steps = 1; done < s.steps; done += steps++) { /* 1 + 2 + 3 */
        gg_recurrent_shape window = c.s;
        window.steps = steps;
        in.x = c.x + done * s.batch * s.in;
        out.y = found.y + done * s.batch * s.hidden;
        ck_assert_int_eq(gg_recurrent_forward(&out, &in, &window, workspace, floats), GG_OK);
    }
    found.h_last = h;
    found.c_last = cell;
    recurrent_case_check(&c, &(recurrent_found){.y = found.y, .h_last = h, .c_last = cell});
}
END_TEST

/* Nothing but one result each time; dy absent is zero. */
START_TEST(only_what_is_wanted)
{
    const gg_recurrent_shape s = shape_of(_i, 5, 3, 4, 17);
    const recurrent_options o = {.drop = true};
    const recurrent_case c = recurrent_case_new(&s, &o, 7);
    for (int wanted = 0; wanted < 7; wanted++) {
        recurrent_found found = {.y = NULL}, one = {.y = NULL};
        gg_recurrent_inputs in = recurrent_inputs_of(&c);
        gg_recurrent_results out = recurrent_results_of(&c, &found);
        out.y = wanted == 6 ? out.y : NULL;
        out.h_last = out.c_last = NULL;
        float *workspace = support_floats(1 << 16);
        ck_assert_int_eq(gg_recurrent_forward(&out, &in, &c.s, workspace, 1 << 16), GG_OK);
        one.y = out.y;
        gg_recurrent_given given = recurrent_given_of(&c, &found);
        const gg_recurrent_gradients all = recurrent_gradients_of(&c, &found);
        gg_recurrent_gradients some = {.dx = NULL};
        some.dx = one.dx = wanted == 0 ? all.dx : NULL;
        some.dwx = one.dwx = wanted == 1 ? all.dwx : NULL;
        some.dwh = one.dwh = wanted == 2 ? all.dwh : NULL;
        some.dbias = one.dbias = wanted == 3 ? all.dbias : NULL;
        some.dh0 = one.dh0 = wanted == 4 ? all.dh0 : NULL;
        some.dc0 = one.dc0 = wanted == 5 ? all.dc0 : NULL;
        in.x = wanted == 1 ? in.x : NULL;
        in.wx = wanted == 0 ? in.wx : NULL;
        ck_assert_int_eq(gg_recurrent_backward(&some, &given, &in, &c.s, workspace, 1 << 16), GG_OK);
        recurrent_case_check(&c, &one);
    }
}
END_TEST

START_TEST(without_dy)
{
    const gg_recurrent_shape s = shape_of(_i, 5, 3, 4, 17);
    const recurrent_options o = {.lengths = true};
    recurrent_case c = recurrent_case_new(&s, &o, 7);
    recurrent_found first = {.y = NULL}, second = {.y = NULL};
    memset(c.dy, 0, (size_t)(s.steps * s.batch * s.hidden) * sizeof *c.dy);
    recurrent_case_run(&first, &c, 1);
    const gg_recurrent_inputs in = recurrent_inputs_of(&c);
    const gg_recurrent_results out = recurrent_results_of(&c, &second);
    float *workspace = support_floats(1 << 16);
    ck_assert_int_eq(gg_recurrent_forward(&out, &in, &c.s, workspace, 1 << 16), GG_OK);
    gg_recurrent_given given = recurrent_given_of(&c, &second);
    const gg_recurrent_gradients gradients = recurrent_gradients_of(&c, &second);
    given.dy = NULL;
    ck_assert_int_eq(gg_recurrent_backward(&gradients, &given, &in, &c.s, workspace, 1 << 16), GG_OK);
    ck_assert_mem_eq(first.dwh, second.dwh, (size_t)(s.hidden * c.columns) * sizeof(float));
    ck_assert_mem_eq(first.dx, second.dx, (size_t)(s.steps * s.batch * s.in) * sizeof(float));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, every_option, 0, GG_CELL_COUNT);
    tcase_add_loop_test(tests, awkward_sizes, 0, GG_CELL_COUNT);
    tcase_add_loop_test(tests, any_number_of_threads, 0, LARGE * GG_CELL_COUNT);
    tcase_add_loop_test(tests, inputs_of_several_steps, 0, 4);
    tcase_add_loop_test(tests, directions, 0, GG_CELL_COUNT);
    tcase_add_loop_test(tests, directions_of_several_steps, 0, 2);
    tcase_add_test(tests, every_instruction_set);
    tcase_add_loop_test(tests, saturated_gates, 0, GG_CELL_COUNT);
    tcase_add_loop_test(tests, nan_stays_in_its_sample, 0, GG_CELL_COUNT);
    tcase_add_loop_test(tests, carried_state, 0, GG_CELL_COUNT);
    tcase_add_loop_test(tests, only_what_is_wanted, 0, GG_CELL_COUNT);
    tcase_add_loop_test(tests, without_dy, 0, GG_CELL_COUNT);
}
