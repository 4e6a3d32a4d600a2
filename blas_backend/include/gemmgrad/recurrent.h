/* gemmgrad/recurrent.h - recurrent layers over whole sequences, forward and backward through time.
 *
 * One layer, time-major: x [steps][batch][in], y [steps][batch] rows of `hidden` floats. With G gates
 * (gg_cell_gates), weights are stored in x out, wx [in][G hidden] and wh [hidden][G hidden], gates side by side in
 * PyTorch's order; its weight_ih and weight_hh are their transposes. With a = x_t wx + b and s = h_(t-1) wh, a_k and
 * s_k their parts for gate k, and * element by element:
 *
 *     RNN          h_t = f(a + s), f = tanh or max(., 0)                                      b [hidden]
 *     LSTM         i, f, o = sigmoid(a_k + s_k), g = tanh(a_g + s_g); order i f g o           b [4 hidden]
 *                  c_t = f * c_(t-1) + i * g, h_t = o * tanh(c_t)
 *     GRU          r, z = sigmoid(a_k + s_k), n = tanh(a_n + r * (s_n + b_m)); order r z n    b [4 hidden]: r z n m
 *                  h_t = (1 - z) * n + z * h_(t-1)
 *     GRU_BEFORE   the same, but n = tanh(a_n + (r * h_(t-1)) wh_n)                           b [3 hidden]
 *
 * GRU is PyTorch's and cuDNN's (b_r = b_ir + b_hr, b_z = b_iz + b_hz, b_n = b_in, b_m = b_hn), GRU_BEFORE the original
 * paper's. All arrays are dense float32, except that rows of y and of states may lie further apart (ldy, ld0, ...).
 *
 * A forward call leaves in the cache what backward reads; backward overwrites it, so that it can be called once for
 * each forward. Inputs must be unchanged in between. Arrays must not overlap, except that h_last may be h0, c_last c0,
 * dh0 dh_last and dc0 dc_last. Sizes may be 0: without steps the state passes through, without batch gradients of
 * weights are 0 (or stay, accumulated). NaN and infinity propagate; those of x past the end of a sample reach the
 * gradients of weights. All functions are thread-safe on different results, caches and workspaces, use up to
 * gg_threads() threads and allocate nothing. The same shape, threads, BLAS and CPU give the same bits. Errors, results
 * untouched: GG_ERR_ARGUMENT (NULL, negative sizes, an unknown cell, a length that is not 0 .. steps, a workspace too
 * small), GG_ERR_SHAPE (a distance of rows below `hidden`), GG_ERR_OVERFLOW.
 *
 * Sources: Elman 1990; Hochreiter and Schmidhuber 1997, Gers et al. 2000 (forget gate); Cho et al. 2014; Gal and
 * Ghahramani 2016 (one mask for all steps). */
#ifndef GEMMGRAD_RECURRENT_H
#define GEMMGRAD_RECURRENT_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_cell {
    GG_CELL_RNN_TANH = 0,
    GG_CELL_RNN_RELU,
    GG_CELL_LSTM,
    GG_CELL_GRU,
    GG_CELL_GRU_BEFORE,
    GG_CELL_COUNT
} gg_cell;

/* "rnn_tanh", "rnn_relu", "lstm", "gru", "gru_before"; "unknown" for other numbers. Constant. */
GG_API const char *gg_cell_name(gg_cell cell);

/* Blocks of `hidden` columns in wx and wh: 1, 1, 4, 3, 3; and blocks of `hidden` floats in the bias: 1, 1, 4, 4, 3. 0
 * for other numbers. */
GG_API int gg_cell_gates(gg_cell cell);
GG_API int gg_cell_biases(gg_cell cell);

/* What a call computes. Two directions are two runs of the same shape, each with its own inputs and results (arrays of
 * two structures below): one forward in time and one reversed, as a rule. They run at the same time where it pays. */
typedef struct gg_recurrent_shape {
    gg_cell cell;
    int64_t steps, batch, in, hidden;
    int64_t directions; /* 1 or 2; 0 counts as 1 */
    bool dropout;       /* whether masks will be given: the cache holds more */
} gg_recurrent_shape;

/* What forward and backward read. Backward reads neither bias, h0 nor c0; x only for dwx, wx only for dx. */
typedef struct gg_recurrent_inputs {
    const float *x;
    const float *wx, *wh;
    const float *bias;      /* NULL: zeros */
    const float *h0, *c0;   /* [batch] rows of hidden: the state before the first step; NULL: zeros; c0: LSTM alone */
    int64_t ld0;            /* floats from row to row of h0 and c0; 0: hidden */
    const int32_t *lengths; /* [batch], 0 .. steps, or NULL: sample n counts only at t < lengths[n]. Past its end y is
                               0, the state stands still and gradients are exactly 0; reversed, it starts at its own
                               last step from h0 */
    const float *drop;      /* [batch][hidden] or NULL: factors, 0 or 1 / (1 - p), that multiply h_(t-1) before wh in
                               every step (and nowhere else); needs `dropout` of the shape */
    bool reverse;           /* from the last step to the first */
} gg_recurrent_inputs;

/* What forward writes. */
typedef struct gg_recurrent_results {
    float *y;               /* y[t][n] starts (t batch + n) ldy floats on; NULL: not wanted */
    int64_t ldy;            /* 0: hidden; two directions may write halves of rows of 2 hidden */
    float *h_last, *c_last; /* [batch] rows of hidden: the state after a sample's last step; NULL: not wanted */
    int64_t ld_last;        /* floats from row to row of h_last and c_last; 0: hidden */
    float *cache;           /* gg_recurrent_cache floats, never NULL unless that is 0 */
} gg_recurrent_results;

/* What backward is given: the gradients of forward's results. */
typedef struct gg_recurrent_given {
    const float *dy;                /* as y; NULL: zeros */
    int64_t lddy;                   /* 0: hidden */
    const float *dh_last, *dc_last; /* NULL: zeros; dc_last: LSTM alone */
    int64_t ld_last;                /* 0: hidden */
    float *cache;                   /* as forward left it; overwritten */
} gg_recurrent_given;

/* What backward writes; each NULL: not wanted, not computed. */
typedef struct gg_recurrent_gradients {
    float *dx;
    float *dwx, *dwh, *dbias;
    float *dh0, *dc0;   /* dc0: LSTM alone */
    int64_t ld0;        /* floats from row to row of dh0 and dc0; 0: hidden */
    bool accumulate_dx; /* += instead of =. Of two directions the first writes before the second, which so adds to the
                           same dx */
    bool accumulate_dw; /* the same for dwx, dwh and dbias */
} gg_recurrent_gradients;

typedef enum gg_recurrent_pass {
    GG_RECURRENT_FORWARD = 0,
    GG_RECURRENT_BACKWARD,
    GG_RECURRENT_PASS_COUNT
} gg_recurrent_pass;

/* Floats of cache for one direction, aligned to GG_ALIGNMENT; enough for fewer steps and a smaller batch as well. */
GG_API gg_status gg_recurrent_cache(int64_t *floats, const gg_recurrent_shape *shape);

/* Floats of workspace for all directions of a pass, aligned to GG_ALIGNMENT; enough for fewer steps, a smaller batch,
 * fewer directions and fewer threads as well. */
GG_API gg_status gg_recurrent_workspace(int64_t *floats, gg_recurrent_pass pass, const gg_recurrent_shape *shape);

/* All steps; with steps = 1 it is the step of generation, which reads each weight once. `results` and `inputs` point to
 * as many structures as there are directions. workspace may be NULL where the query says 0. */
GG_API gg_status gg_recurrent_forward(const gg_recurrent_results *results, const gg_recurrent_inputs *inputs,
                                      const gg_recurrent_shape *shape, float *workspace, int64_t workspace_floats);

/* Backward through time: the gradients of what forward computed from the same inputs, and this cache. */
GG_API gg_status gg_recurrent_backward(const gg_recurrent_gradients *gradients, const gg_recurrent_given *given,
                                       const gg_recurrent_inputs *inputs, const gg_recurrent_shape *shape,
                                       float *workspace, int64_t workspace_floats);

#ifdef __cplusplus
}
#endif
#endif
