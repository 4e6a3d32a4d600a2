/* cells.c - a step of a recurrent layer behind its product: gates, state, and what backward needs, in one pass.
 *
 * The equations stand in gemmgrad/recurrent.h; with a = the gates' arguments, and ' for what is passed on to the step
 * before, backward is
 *   RNN   da = f'(h) dh
 *   LSTM  do = dh tanh c, dc += dh o (1 - tanh^2 c), di = dc g, df = dc c_(t-1), dg = dc i, dc' = dc f
 *         da_k = dk k (1 - k) for i, f, o; da_g = dg (1 - g^2)
 *   GRU   da_n = dh (1 - z) (1 - n^2), da_z = dh (h_(t-1) - n) z (1 - z), da_r = da_n m r (1 - r), dm = da_n r,
 *         dh' = dh z, where m = s_n + b_m stands inside the reset
 *   GRU_BEFORE  da_n, da_z, dh' as GRU; with q = da_n wh_n^T: da_r = q h_(t-1) r (1 - r), dh' += q r
 * A row past its sample's end passes state and gradients on as they are. */
#include "kernel_set.h"
#include "vecmath.h"

/* 2^-y as scale + rest, scale = 2^n with n the integer nearest to -y = factor t, for 0 <= y <= 126. Adding 1.5 2^23
 * rounds to an integer; with 127 more its low bits are the exponent field of 2^n. With f = -y - n, 2^f - 1 = f q(f), q
 * of degree 5, error 0.22 of the product (coefficients.py). The product -y is rounded, which costs e^-t up to t 2^-24
 * of itself: nothing against 1. */
typedef struct decay {
    float scale, rest;
} decay;

GG_INLINE decay decay_of(float t, float factor)
{
    const float rounder = 0x1.8p+23f + 127.0f;
    const float shifted = t * factor + rounder;
    const float f = t * factor - (shifted - rounder);
    float q = 0x1.42978cp-13f;
    q = q * f + 0x1.5ef14ap-10f;
    q = q * f + 0x1.3b2c3cp-7f;
    q = q * f + 0x1.c6afa4p-5f;
    q = q * f + 0x1.ebfbdep-3f;
    q = q * f + 0x1.62e430p-1f;
    const float scale = vm_float(vm_bits(shifted) << 23);
    const decay d = {scale, scale * (q * f)};
    return d;
}

/* A value to be divided: 1 <= below <= 2. A cell divides for each gate, which takes longer than all the rest where
 * registers are wide: so two divide at once. */
typedef struct fraction {
    float above, below;
} fraction;

typedef struct two_values {
    float first, second;
} two_values;

GG_INLINE float divide(fraction a)
{
    return a.above / a.below;
}

GG_INLINE two_values divide_both(fraction a, fraction b)
{
    const float inverse = 1.0f / (a.below * b.below);
    const two_values v = {a.above * (b.below * inverse), b.above * (a.below * inverse)};
    return v;
}

/* 1 / (1 + e^-x). From |x| = 87 on it stands still, at 2^-126 or 1, so that no step is for denormal numbers. */
GG_INLINE fraction gate(float x)
{
    const decay d = decay_of(vm_least(fabsf(x), 87.0f), -0x1.715476p+0f);
    const float e = d.scale + d.rest;
    const fraction y = {vm_by_sign(x, e, 1.0f), 1.0f + e};
    return y;
}

/* tanh x = (1 - e) / (1 + e), e = e^-2|x|, with the sign of x: as vm_tanh. */
GG_INLINE fraction squash(float x)
{
    const decay d = decay_of(vm_least(fabsf(x), 15.0f), -0x1.715476p+1f);
    const fraction y = {copysignf((1.0f - d.scale) - d.rest, x), (1.0f + d.scale) + d.rest};
    return y;
}

GG_INLINE float gate_slope(float y)
{
    return y * (1.0f - y);
}

GG_INLINE float tanh_slope(float y)
{
    return (1.0f - y) * (1.0f + y);
}

static bool counts(const int32_t *lengths, int64_t row, int64_t step)
{
    return lengths == NULL || step < lengths[row];
}

/* ---- what all cells share ---- */

GG_INLINE void copy_element(int64_t i, float *restrict y, const float *restrict x)
{
    y[i] = x[i];
}

GG_INLINE void zero_element(int64_t i, float *y)
{
    y[i] = 0.0f;
}

GG_INLINE void add_element(int64_t i, float *restrict y, const float *restrict x)
{
    y[i] += x[i];
}

GG_INLINE void multiply_element(int64_t i, float *restrict y, const float *restrict x, const float *restrict factors)
{
    y[i] = factors[i] * x[i];
}

GG_INLINE void add_product_element(int64_t i, float *restrict y, const float *restrict x, const float *restrict factors)
{
    y[i] += factors[i] * x[i];
}

GG_APART void copy(float *y, const float *x, int64_t n)
{
    GG_OVER_ARRAY(n, copy_element, y, x);
}

GG_APART void zero(float *y, int64_t n)
{
    GG_OVER_ARRAY(n, zero_element, y);
}

GG_APART void add(float *y, const float *x, int64_t n)
{
    GG_OVER_ARRAY(n, add_element, y, x);
}

GG_APART void multiply(float *y, const float *x, const float *factors, int64_t n)
{
    GG_OVER_ARRAY(n, multiply_element, y, x, factors);
}

GG_APART void add_product(float *y, const float *x, const float *factors, int64_t n)
{
    GG_OVER_ARRAY(n, add_product_element, y, x, factors);
}

/* Where a row's new state goes besides the states: y, and the next step's masked state. */
static void hand_out(const gg_cell_forward *c, int64_t row, bool active)
{
    const float *after = c->after + row * c->ld;
    if (c->y != NULL && active)
        copy(c->y + row * c->ldy, after, c->units);
    else if (c->y != NULL)
        zero(c->y + row * c->ldy, c->units);
    if (c->masked != NULL)
        multiply(c->masked + row * c->ld, after, c->drop + row * c->ld, c->units);
}

static void stand_still(const gg_cell_forward *c, int64_t row)
{
    copy(c->after + row * c->ld, c->before + row * c->ld, c->units);
    if (c->cell_after != NULL)
        copy(c->cell_after + row * c->ld, c->cell_before + row * c->ld, c->units);
}

typedef void forward_row(const gg_cell_forward *c, int64_t row);

GG_INLINE void forward_rows(const gg_cell_forward *c, forward_row *compute)
{
    for (int64_t row = 0; row < c->rows; row++) {
        const bool active = counts(c->lengths, row, c->step);
        if (active)
            compute(c, row);
        else
            stand_still(c, row);
        hand_out(c, row, active);
    }
}

/* A row's whole dh: what was passed on, what came through the product, and dy. */
static void gather(const gg_cell_backward *c, int64_t row, bool active)
{
    float *dh = c->dh + row * c->ld;
    if (c->product != NULL && c->drop != NULL)
        add_product(dh, c->product + row * c->units, c->drop + row * c->ld, c->units);
    else if (c->product != NULL)
        add(dh, c->product + row * c->units, c->units);
    if (active && c->dy != NULL)
        add(dh, c->dy + row * c->lddy, c->units);
}

typedef void backward_row(const gg_cell_backward *c, int64_t row);

GG_INLINE void backward_rows(const gg_cell_backward *c, int gates, backward_row *compute)
{
    for (int64_t row = 0; row < c->rows; row++) {
        const bool active = counts(c->lengths, row, c->step);
        gather(c, row, active);
        if (active)
            compute(c, row);
        else
            for (int k = 0; k < gates; k++)
                zero(c->gates + row * c->gates_ld + k * c->gate_step, c->units);
    }
}

void GG_KERNEL(hidden_gradient)(const gg_cell_backward *c)
{
    for (int64_t row = 0; row < c->rows; row++)
        gather(c, row, false);
}

/* ---- RNN ---- */

GG_INLINE void rnn_tanh_element(int64_t i, float *restrict h, const float *restrict a, const float *restrict s)
{
    h[i] = divide(squash(a[i] + s[i]));
}

GG_INLINE void rnn_relu_element(int64_t i, float *restrict h, const float *restrict a, const float *restrict s)
{
    const float x = a[i] + s[i];
    h[i] = x <= 0.0f ? 0.0f : x;
}

GG_APART void rnn_tanh_row(const gg_cell_forward *c, int64_t row)
{
    float *h = c->after + row * c->ld;
    const float *a = c->input + row * c->input_ld, *s = c->product + row * c->product_ld;
    GG_OVER_ARRAY(c->units, rnn_tanh_element, h, a, s);
}

GG_APART void rnn_relu_row(const gg_cell_forward *c, int64_t row)
{
    float *h = c->after + row * c->ld;
    const float *a = c->input + row * c->input_ld, *s = c->product + row * c->product_ld;
    GG_OVER_ARRAY(c->units, rnn_relu_element, h, a, s);
}

void GG_KERNEL(rnn_tanh_forward)(const gg_cell_forward *c)
{
    forward_rows(c, rnn_tanh_row);
}

void GG_KERNEL(rnn_relu_forward)(const gg_cell_forward *c)
{
    forward_rows(c, rnn_relu_row);
}

GG_INLINE void rnn_tanh_gradient(int64_t i, float *restrict da, float *restrict dh, const float *restrict h)
{
    da[i] = dh[i] * tanh_slope(h[i]);
    dh[i] = 0.0f;
}

GG_INLINE void rnn_relu_gradient(int64_t i, float *restrict da, float *restrict dh, const float *restrict h)
{
    const float slope = h[i] > 0.0f ? 1.0f : h[i] <= 0.0f ? 0.0f : h[i]; /* NaN stays */
    da[i] = dh[i] * slope;
    dh[i] = 0.0f;
}

GG_APART void rnn_tanh_back(const gg_cell_backward *c, int64_t row)
{
    float *da = c->gates + row * c->gates_ld, *dh = c->dh + row * c->ld;
    const float *h = c->after + row * c->ld;
    GG_OVER_ARRAY(c->units, rnn_tanh_gradient, da, dh, h);
}

GG_APART void rnn_relu_back(const gg_cell_backward *c, int64_t row)
{
    float *da = c->gates + row * c->gates_ld, *dh = c->dh + row * c->ld;
    const float *h = c->after + row * c->ld;
    GG_OVER_ARRAY(c->units, rnn_relu_gradient, da, dh, h);
}

void GG_KERNEL(rnn_tanh_backward)(const gg_cell_backward *c)
{
    backward_rows(c, 1, rnn_tanh_back);
}

void GG_KERNEL(rnn_relu_backward)(const gg_cell_backward *c)
{
    backward_rows(c, 1, rnn_relu_back);
}

/* ---- LSTM ---- */

typedef struct lstm_row {
    float *restrict i, *restrict f, *restrict g, *restrict o;
} lstm_row;

GG_INLINE lstm_row lstm_gates(float *gates, int64_t step)
{
    const lstm_row row = {gates, gates + step, gates + 2 * step, gates + 3 * step};
    return row;
}

/* Gates that are only read; not restrict, since the input's part may stand where the activated gates will. */
typedef struct lstm_terms {
    const float *i, *f, *g, *o;
} lstm_terms;

GG_INLINE lstm_terms lstm_terms_of(const float *gates, int64_t step)
{
    const lstm_terms terms = {gates, gates + step, gates + 2 * step, gates + 3 * step};
    return terms;
}

typedef struct lstm_results {
    float *i, *f, *g, *o;
} lstm_results;

GG_INLINE void lstm_element(int64_t u, const lstm_results y, const lstm_terms a, const lstm_terms s, float *restrict h,
                            float *restrict c, const float *restrict c_before)
{
    const two_values i_f = divide_both(gate(a.i[u] + s.i[u]), gate(a.f[u] + s.f[u]));
    const two_values g_o = divide_both(squash(a.g[u] + s.g[u]), gate(a.o[u] + s.o[u]));
    const float cell = i_f.second * c_before[u] + i_f.first * g_o.first;
    y.i[u] = i_f.first;
    y.f[u] = i_f.second;
    y.g[u] = g_o.first;
    y.o[u] = g_o.second;
    c[u] = cell;
    h[u] = g_o.second * divide(squash(cell));
}

GG_APART void lstm_forward_row(const gg_cell_forward *c, int64_t row)
{
    float *gates = c->gates + row * c->gates_ld;
    const lstm_results y = {gates, gates + c->gate_step, gates + 2 * c->gate_step, gates + 3 * c->gate_step};
    const lstm_terms a = lstm_terms_of(c->input + row * c->input_ld, c->gate_step);
    const lstm_terms s = lstm_terms_of(c->product + row * c->product_ld, c->units);
    float *h = c->after + row * c->ld, *cell = c->cell_after + row * c->ld;
    const float *cell_before = c->cell_before + row * c->ld;
    GG_OVER_ARRAY(c->units, lstm_element, y, a, s, h, cell, cell_before);
}

void GG_KERNEL(lstm_forward)(const gg_cell_forward *c)
{
    forward_rows(c, lstm_forward_row);
}

GG_INLINE void lstm_gradient(int64_t u, const lstm_row a, float *restrict dh, float *restrict dc,
                             const float *restrict c, const float *restrict c_before)
{
    const float i = a.i[u], f = a.f[u], g = a.g[u], o = a.o[u];
    const float t = divide(squash(c[u]));
    const float d = dc[u] + dh[u] * o * tanh_slope(t);
    a.i[u] = d * g * gate_slope(i);
    a.f[u] = d * c_before[u] * gate_slope(f);
    a.g[u] = d * i * tanh_slope(g);
    a.o[u] = dh[u] * t * gate_slope(o);
    dc[u] = d * f;
    dh[u] = 0.0f;
}

GG_APART void lstm_backward_row(const gg_cell_backward *c, int64_t row)
{
    const lstm_row a = lstm_gates(c->gates + row * c->gates_ld, c->gate_step);
    float *dh = c->dh + row * c->ld, *dc = c->dc + row * c->ld;
    const float *cell = c->cell_after + row * c->ld, *cell_before = c->cell_before + row * c->ld;
    GG_OVER_ARRAY(c->units, lstm_gradient, a, dh, dc, cell, cell_before);
}

void GG_KERNEL(lstm_backward)(const gg_cell_backward *c)
{
    backward_rows(c, 4, lstm_backward_row);
}

/* ---- GRU ---- */

typedef struct gru_row {
    float *restrict r, *restrict z, *restrict n, *restrict m;
} gru_row;

/* m only where a row has four parts. */
GG_INLINE gru_row gru_gates(float *gates, int64_t step, int parts)
{
    const gru_row row = {gates, gates + step, gates + 2 * step, parts > 3 ? gates + 3 * step : NULL};
    return row;
}

GG_INLINE void gru_element(int64_t u, const gru_row a, const gru_row s, float *restrict h, const float *restrict before)
{
    const two_values r_z = divide_both(gate(a.r[u] + s.r[u]), gate(a.z[u] + s.z[u]));
    const float m = s.n[u];
    const float n = divide(squash(a.n[u] + r_z.first * m));
    a.r[u] = r_z.first;
    a.z[u] = r_z.second;
    a.n[u] = n;
    a.m[u] = m;
    h[u] = n + r_z.second * (before[u] - n);
}

GG_APART void gru_forward_row(const gg_cell_forward *c, int64_t row)
{
    const gru_row a = gru_gates(c->gates + row * c->gates_ld, c->gate_step, 4);
    const gru_row s = gru_gates(c->product + row * c->product_ld, c->units, 3);
    float *h = c->after + row * c->ld;
    const float *before = c->before + row * c->ld;
    if (c->bias != NULL)
        add(s.n, c->bias, c->units);
    GG_OVER_ARRAY(c->units, gru_element, a, s, h, before);
}

void GG_KERNEL(gru_forward)(const gg_cell_forward *c)
{
    forward_rows(c, gru_forward_row);
}

/* n = n's gradient and z's; dh is left with what passes on beside the gates. */
GG_INLINE void update_gradient(int64_t u, const gru_row a, float *restrict dh, const float *restrict before)
{
    const float z = a.z[u], n = a.n[u];
    a.n[u] = dh[u] * (1.0f - z) * tanh_slope(n);
    a.z[u] = dh[u] * (before[u] - n) * gate_slope(z);
    dh[u] *= z;
}

GG_INLINE void gru_gradient(int64_t u, const gru_row a, float *restrict dh, const float *restrict before)
{
    const float r = a.r[u], m = a.m[u];
    update_gradient(u, a, dh, before);
    a.r[u] = a.n[u] * m * gate_slope(r);
    a.m[u] = a.n[u] * r;
}

GG_APART void gru_backward_row(const gg_cell_backward *c, int64_t row)
{
    const gru_row a = gru_gates(c->gates + row * c->gates_ld, c->gate_step, 4);
    float *dh = c->dh + row * c->ld;
    const float *before = c->before + row * c->ld;
    GG_OVER_ARRAY(c->units, gru_gradient, a, dh, before);
}

void GG_KERNEL(gru_backward)(const gg_cell_backward *c)
{
    backward_rows(c, 4, gru_backward_row);
}

/* ---- GRU, reset before the product ---- */

GG_INLINE void reset_element(int64_t u, const gru_row a, const gru_row s, float *restrict reset,
                             const float *restrict masked)
{
    const two_values r_z = divide_both(gate(a.r[u] + s.r[u]), gate(a.z[u] + s.z[u]));
    a.r[u] = r_z.first;
    a.z[u] = r_z.second;
    reset[u] = r_z.first * masked[u];
}

GG_APART void reset_row(const gg_cell_forward *c, int64_t row)
{
    const gru_row a = gru_gates(c->gates + row * c->gates_ld, c->gate_step, 3);
    const gru_row s = gru_gates(c->product + row * c->product_ld, c->units, 3);
    float *reset = c->reset + row * c->ld;
    const float *masked = c->masked_now + row * c->ld;
    GG_OVER_ARRAY(c->units, reset_element, a, s, reset, masked);
}

/* Rows past their end too: the product that follows reads them, and must not meet what memory held. */
void GG_KERNEL(gru_before_reset_forward)(const gg_cell_forward *c)
{
    for (int64_t row = 0; row < c->rows; row++)
        reset_row(c, row);
}

GG_INLINE void candidate_element(int64_t u, const gru_row a, const float *restrict s, float *restrict h,
                                 const float *restrict before)
{
    const float n = divide(squash(a.n[u] + s[u]));
    a.n[u] = n;
    h[u] = n + a.z[u] * (before[u] - n);
}

GG_APART void candidate_row(const gg_cell_forward *c, int64_t row)
{
    const gru_row a = gru_gates(c->gates + row * c->gates_ld, c->gate_step, 3);
    float *h = c->after + row * c->ld;
    const float *before = c->before + row * c->ld, *s = c->product + row * c->product_ld;
    GG_OVER_ARRAY(c->units, candidate_element, a, s, h, before);
}

void GG_KERNEL(gru_before_forward)(const gg_cell_forward *c)
{
    forward_rows(c, candidate_row);
}

GG_APART void update_row(const gg_cell_backward *c, int64_t row)
{
    const gru_row a = gru_gates(c->gates + row * c->gates_ld, c->gate_step, 3);
    float *dh = c->dh + row * c->ld;
    const float *before = c->before + row * c->ld;
    GG_OVER_ARRAY(c->units, update_gradient, a, dh, before);
}

void GG_KERNEL(gru_before_backward)(const gg_cell_backward *c)
{
    backward_rows(c, 3, update_row);
}

/* q is the gradient of r * masked; the mask lies between that and h_(t-1). */
GG_INLINE void pass_reset(int64_t u, float *restrict r, float *restrict dh, const float *restrict q,
                          const float *restrict masked)
{
    const float gate_r = r[u];
    dh[u] += q[u] * gate_r;
    r[u] = q[u] * masked[u] * gate_slope(gate_r);
}

GG_INLINE void pass_masked_reset(int64_t u, float *restrict r, float *restrict dh, const float *restrict q,
                                 const float *restrict masked, const float *restrict drop)
{
    const float gate_r = r[u];
    dh[u] += drop[u] * (q[u] * gate_r);
    r[u] = q[u] * masked[u] * gate_slope(gate_r);
}

GG_APART void reset_back_row(const gg_cell_backward *c, int64_t row)
{
    float *r = c->gates + row * c->gates_ld, *dh = c->dh + row * c->ld;
    const float *q = c->product + row * c->units, *masked = c->masked_now + row * c->ld;
    if (c->drop != NULL) {
        const float *drop = c->drop + row * c->ld;
        GG_OVER_ARRAY(c->units, pass_masked_reset, r, dh, q, masked, drop);
    } else {
        GG_OVER_ARRAY(c->units, pass_reset, r, dh, q, masked);
    }
}

/* A row past its end has no gradients, and r's stay the zeros that gru_before_backward wrote. */
void GG_KERNEL(gru_before_reset_backward)(const gg_cell_backward *c)
{
    for (int64_t row = 0; row < c->rows; row++)
        if (counts(c->lengths, row, c->step))
            reset_back_row(c, row);
}
