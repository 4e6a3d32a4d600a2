/* norm_case.c - passes of a normalisation against the reference. */
#define SUPPORT_NO_MAIN
#include "norm_case.h"

#include <math.h>

#include "support.h"

void norm_check_forward(const reference_layer *layer, const reference_pass *pass, const float *y, int64_t n)
{
    reference_pass magnitude = *pass;
    magnitude.y = support_doubles(n);
    layer->forward(pass);
    layer->forward_magnitude(&magnitude);
    support_assert_close(y, pass->y, magnitude.y, n, REFERENCE_BOUND, "y of %lld elements", (long long)n);
}

static void check_sum(const float *actual, const float *before, const double *expected, const double *magnitude,
                      int64_t n, const char *what)
{
    double *sum = support_doubles(n), *scale = support_doubles(n);
    for (int64_t i = 0; i < n; i++) {
        sum[i] = expected[i] + (before != NULL ? (double)before[i] : 0.0);
        scale[i] = magnitude[i] + (before != NULL ? fabs((double)before[i]) : 0.0);
    }
    support_assert_close(actual, sum, scale, n, REFERENCE_BOUND, "%s", what);
}

norm_gradients norm_check_backward(const reference_layer *layer, const reference_pass *pass, norm_backward *backward,
                                   const void *trial, int64_t n, int64_t features)
{
    const norm_gradients g = {support_floats(n), support_floats(features), support_floats(features)};
    const float *before = support_uniform(n, -1.0, 1.0, 7);
    float *dx = support_copy(before, n), *dgamma = support_copy(before, features);
    float *dbeta = support_copy(before, features);
    reference_pass magnitude = *pass;
    magnitude.dx[0] = support_doubles(n);
    magnitude.dw = support_doubles(features);
    magnitude.db = support_doubles(features);
    layer->backward(pass);
    layer->backward_magnitude(&magnitude);
    ck_assert_msg(backward(trial, g.dx, g.dgamma, g.dbeta, false) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(backward(trial, dx, dgamma, dbeta, true), GG_OK);
    check_sum(g.dx, NULL, pass->dx[0], magnitude.dx[0], n, "dx");
    check_sum(g.dgamma, NULL, pass->dw, magnitude.dw, features, "dgamma");
    check_sum(g.dbeta, NULL, pass->db, magnitude.db, features, "dbeta");
    check_sum(dx, before, pass->dx[0], magnitude.dx[0], n, "added dx");
    check_sum(dgamma, before, pass->dw, magnitude.dw, features, "added dgamma");
    check_sum(dbeta, before, pass->db, magnitude.db, features, "added dbeta");
    return g;
}
