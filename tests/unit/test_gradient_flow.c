/* test_gradient_flow.c - what comes back through a recurrent layer: in the linear case as the eigenvalues say. */
#include "gradient_flow.h"

#include <math.h>

#include "support.h"

static gg_flow measure(const gg_flow_case *what, int64_t hidden, int64_t steps)
{
    gg_flow flow;
    const gg_flow_sizes sizes = {.hidden = hidden, .steps = steps, .clip = 1.0, .seed = 3};
    ck_assert_msg(gg_flow_measure(&flow, what, &sizes) == GG_OK, "%s", gg_error_message());
    ck_assert_double_eq(flow.norms[0], 1.0);
    return flow;
}

/* A tanh around 0 passes gradients on unchanged, so that they grow and shrink with the largest eigenvalue of Wh. */
START_TEST(linear_case_follows_the_radius)
{
    static const double radii[] = {0.7, 0.8, 0.9, 0.95, 1.05, 1.1, 1.2};
    const gg_flow_case what = {.name = "linear", .cell = GG_CELL_RNN_TANH, .radius = radii[_i]};
    gg_flow flow = measure(&what, 48, 200);
    const double expected = log(radii[_i]);
    ck_assert_msg(fabs(flow.radius - radii[_i]) < 1e-4 * radii[_i], "radius %g, not %g", flow.radius, radii[_i]);
    ck_assert_msg(fabs(flow.slope - expected) <= 0.1 * fabs(expected), "radius %g: slope %g, expected %g", radii[_i],
                  flow.slope, expected);
    ck_assert_double_ge(flow.singular, flow.radius);
    gg_free(flow.norms);
}
END_TEST

/* With an orthogonal Wh nothing is lost: every singular value is 1, and so is every norm. */
START_TEST(orthogonal_weights_keep_the_norm)
{
    gg_flow flow = measure(&(gg_flow_case){.name = "orthogonal", .cell = GG_CELL_RNN_TANH}, 32, 100);
    for (int d = 0; d <= 100; d++)
        ck_assert_msg(fabs(flow.norms[d] - 1.0) < 1e-4, "distance %d: %g", d, flow.norms[d]);
    ck_assert(fabs(flow.radius - 1.0) < 1e-5 && fabs(flow.singular - 1.0) < 1e-5);
    gg_free(flow.norms);
}
END_TEST

/* With inputs, every cell at its usual start loses gradient on the way. */
START_TEST(driven_cells_lose_gradient)
{
    static const gg_cell cells[] = {GG_CELL_RNN_TANH, GG_CELL_RNN_RELU, GG_CELL_LSTM, GG_CELL_GRU, GG_CELL_GRU_BEFORE};
    gg_flow flow =
        measure(&(gg_flow_case){.name = "driven", .cell = cells[_i], .forget_bias = 1.0, .driven = true}, 24, 60);
    ck_assert_double_lt(flow.slope, 0.0);
    ck_assert(isfinite(flow.radius) && flow.singular >= flow.radius && flow.norms[60] < 1.0);
    ck_assert(flow.weight_norm > 0.0 && flow.clip_factor > 0.0 && flow.clip_factor <= 1.0);
    gg_free(flow.norms);
}
END_TEST

/* A larger forget bias keeps more of it. */
START_TEST(forget_bias_keeps_gradient)
{
    gg_flow one = measure(&(gg_flow_case){"1", GG_CELL_LSTM, .forget_bias = 1.0, .driven = true}, 32, 80);
    gg_flow three = measure(&(gg_flow_case){"3", GG_CELL_LSTM, .forget_bias = 3.0, .driven = true}, 32, 80);
    ck_assert_double_gt(three.slope, 0.5 * one.slope);
    gg_free(one.norms);
    gg_free(three.norms);
}
END_TEST

START_TEST(clipping_scales_what_explodes)
{
    gg_flow flow = measure(&(gg_flow_case){"1.2", GG_CELL_RNN_TANH, .radius = 1.2, .driven = true}, 48, 20);
    const gg_flow_sizes tight = {.hidden = 48, .steps = 20, .clip = 0.25 * flow.weight_norm, .seed = 3};
    gg_flow clipped;
    ck_assert_int_eq(
        gg_flow_measure(&clipped, &(gg_flow_case){"1.2", GG_CELL_RNN_TANH, .radius = 1.2, .driven = true}, &tight),
        GG_OK);
    ck_assert(fabs(clipped.clip_factor - 0.25) < 1e-9);
    gg_free(flow.norms);
    gg_free(clipped.norms);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, linear_case_follows_the_radius, 0, 7);
    tcase_add_test(tests, orthogonal_weights_keep_the_norm);
    tcase_add_loop_test(tests, driven_cells_lose_gradient, 0, 5);
    tcase_add_test(tests, forget_bias_keeps_gradient);
    tcase_add_test(tests, clipping_scales_what_explodes);
}
