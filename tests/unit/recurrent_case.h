/* recurrent_case.h - one run of a recurrent layer, its reference, and the library held against that. */
#ifndef RECURRENT_CASE_H
#define RECURRENT_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/recurrent.h>

/* What a case has besides its shape. */
typedef struct recurrent_options {
    bool reverse, lengths, drop;
    bool no_bias, no_start, no_last; /* bias; h0, c0; gradients of h_last, c_last, which are not asked for either */
    bool accumulate;
    int64_t gap; /* floats between the rows of y and of states */
} recurrent_options;

/* One direction: inputs and expected results. Arrays live until support_release. */
typedef struct recurrent_case {
    gg_recurrent_shape s;
    recurrent_options o;
    int64_t columns, biases; /* floats of a row of weights, and of the bias */
    int32_t *length;
    float *x, *wx, *wh, *bias, *h0, *c0, *drop, *dy, *dh_last, *dc_last;
    float *dx_before, *dwx_before, *dwh_before, *dbias_before;
    double *y, *h_last, *c_last, *dx, *dwx, *dwh, *dbias, *dh0, *dc0;
} recurrent_case;

/* What a run left; NULL: not asked for. */
typedef struct recurrent_found {
    float *y, *h_last, *c_last, *dx, *dwx, *dwh, *dbias, *dh0, *dc0, *cache;
} recurrent_found;

recurrent_case recurrent_case_new(const gg_recurrent_shape *shape, const recurrent_options *options, uint64_t seed);

/* The arguments of the library's calls for a case, results being new arrays. */
gg_recurrent_inputs recurrent_inputs_of(const recurrent_case *c);
gg_recurrent_results recurrent_results_of(const recurrent_case *c, recurrent_found *found);
gg_recurrent_given recurrent_given_of(const recurrent_case *c, const recurrent_found *found);
gg_recurrent_gradients recurrent_gradients_of(const recurrent_case *c, recurrent_found *found);

/* Both passes over `count` cases of one shape (two: its directions), in workspaces of just the size asked for. */
void recurrent_case_run(recurrent_found *found, const recurrent_case *cases, int count);

/* Everything found, against the reference; what lies past the end of samples, exactly 0. */
void recurrent_case_check(const recurrent_case *c, const recurrent_found *found);

/* New, run, check, release. */
void recurrent_case_hold(const gg_recurrent_shape *shape, const recurrent_options *options);

#endif
