/* reference_recurrent.c - recurrent cells, written out. */
#include "reference_recurrent.h"

#include <math.h>
#include <stddef.h>

/* What a step of a sample leaves behind, hidden doubles each: four gates, the state and cell before it, what wh
 * multiplies (the masked state), state and cell after it. */
enum { GATES = 4, BEFORE = 4, CELL_BEFORE, MASKED, AFTER, CELL_AFTER, TRACED };

int64_t reference_recurrent_trace(const gg_recurrent_shape *s)
{
    return s->steps * s->batch * TRACED * s->hidden + (2 * GATES + 2) * s->hidden;
}

static double *traced(const reference_recurrent *r, int64_t t, int64_t n, int what)
{
    return r->trace + ((t * r->s.batch + n) * TRACED + what) * r->s.hidden;
}

/* Behind the steps: the gates' arguments, or their gradients, on the side of the input and on that of the state. */
static double *room(const reference_recurrent *r, int which)
{
    return r->trace + (r->s.steps * r->s.batch * TRACED + which) * r->s.hidden;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* to = bias + x w for `gates` gates from the first on. */
static void multiply(const reference_recurrent *r, double *to, const double *bias, const double *x, int64_t n,
                     const double *w, int first, int gates)
{
    const int64_t h = r->s.hidden, columns = gg_cell_gates(r->s.cell) * h;
    for (int64_t column = first * h; column < (first + gates) * h; column++)
        to[column] = bias != NULL ? bias[column] : 0.0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t column = first * h; column < (first + gates) * h; column++)
            to[column] += x[i] * w[i * columns + column];
}

/* ---- steps forward ---- */

static void rnn_step(const reference_recurrent *r, int64_t t, int64_t n)
{
    for (int64_t u = 0; u < r->s.hidden; u++) {
        const double a = room(r, 0)[u] + room(r, GATES)[u];
        traced(r, t, n, AFTER)[u] = r->s.cell == GG_CELL_RNN_TANH ? tanh(a) : a > 0.0 ? a : 0.0;
    }
}

static void lstm_step(const reference_recurrent *r, int64_t t, int64_t n)
{
    for (int64_t u = 0; u < r->s.hidden; u++) {
        for (int k = 0; k < 4; k++) {
            const double a = room(r, k)[u] + room(r, GATES + k)[u];
            traced(r, t, n, k)[u] = k == 2 ? tanh(a) : sigmoid(a);
        }
        const double i = traced(r, t, n, 0)[u], f = traced(r, t, n, 1)[u];
        const double g = traced(r, t, n, 2)[u], o = traced(r, t, n, 3)[u];
        const double c = f * traced(r, t, n, CELL_BEFORE)[u] + i * g;
        traced(r, t, n, CELL_AFTER)[u] = c;
        traced(r, t, n, AFTER)[u] = o * tanh(c);
    }
}

static void gru_step(const reference_recurrent *r, int64_t t, int64_t n)
{
    const int64_t h = r->s.hidden;
    for (int64_t u = 0; u < h; u++) {
        const double reset = sigmoid(room(r, 0)[u] + room(r, GATES)[u]);
        const double z = sigmoid(room(r, 1)[u] + room(r, GATES + 1)[u]);
        const double m = room(r, GATES + 2)[u] + (r->bias != NULL ? r->bias[3 * h + u] : 0.0);
        const double c = tanh(room(r, 2)[u] + reset * m);
        traced(r, t, n, 0)[u] = reset;
        traced(r, t, n, 1)[u] = z;
        traced(r, t, n, 2)[u] = c;
        traced(r, t, n, 3)[u] = m;
        traced(r, t, n, AFTER)[u] = (1.0 - z) * c + z * traced(r, t, n, BEFORE)[u];
    }
}

/* Gate 3 of the trace: r * masked. */
static void gru_before_step(const reference_recurrent *r, int64_t t, int64_t n)
{
    const int64_t h = r->s.hidden;
    const double *masked = traced(r, t, n, MASKED);
    for (int64_t u = 0; u < h; u++) {
        const double reset = sigmoid(room(r, 0)[u] + room(r, GATES)[u]);
        traced(r, t, n, 0)[u] = reset;
        traced(r, t, n, 1)[u] = sigmoid(room(r, 1)[u] + room(r, GATES + 1)[u]);
        traced(r, t, n, 3)[u] = reset * masked[u];
    }
    multiply(r, room(r, GATES), NULL, traced(r, t, n, 3), h, r->wh, 2, 1);
    for (int64_t u = 0; u < h; u++) {
        const double z = traced(r, t, n, 1)[u];
        const double c = tanh(room(r, 2)[u] + room(r, GATES + 2)[u]);
        traced(r, t, n, 2)[u] = c;
        traced(r, t, n, AFTER)[u] = (1.0 - z) * c + z * traced(r, t, n, BEFORE)[u];
    }
}

static void forward_step(const reference_recurrent *r, int64_t t, int64_t n)
{
    const int gates = gg_cell_gates(r->s.cell);
    const double *x = r->x + (t * r->s.batch + n) * r->s.in;
    multiply(r, room(r, 0), r->bias, x, r->s.in, r->wx, 0, gates);
    multiply(r, room(r, GATES), NULL, traced(r, t, n, MASKED), r->s.hidden, r->wh, 0, gates);
    switch (r->s.cell) {
    case GG_CELL_LSTM: lstm_step(r, t, n); break;
    case GG_CELL_GRU: gru_step(r, t, n); break;
    case GG_CELL_GRU_BEFORE: gru_before_step(r, t, n); break;
    default: rnn_step(r, t, n);
    }
}

static int64_t length_of(const reference_recurrent *r, int64_t n)
{
    return r->lengths != NULL ? r->lengths[n] : r->s.steps;
}

static int64_t time_of(const reference_recurrent *r, int64_t length, int64_t s)
{
    return r->reverse ? length - 1 - s : s;
}

static double at(const double *x, int64_t i)
{
    return x != NULL ? x[i] : 0.0;
}

static void forward_sample(const reference_recurrent *r, int64_t n)
{
    const int64_t h = r->s.hidden, length = length_of(r, n);
    const bool lstm = r->s.cell == GG_CELL_LSTM;
    for (int64_t t = length; t < r->s.steps; t++)
        for (int64_t u = 0; u < h; u++)
            r->y[(t * r->s.batch + n) * h + u] = 0.0;
    for (int64_t u = 0; u < h; u++) {
        r->h_last[n * h + u] = at(r->h0, n * h + u);
        if (lstm)
            r->c_last[n * h + u] = at(r->c0, n * h + u);
    }
    for (int64_t s = 0; s < length; s++) { /* the last state so far goes in, the next comes out */
        const int64_t t = time_of(r, length, s);
        for (int64_t u = 0; u < h; u++) {
            traced(r, t, n, BEFORE)[u] = r->h_last[n * h + u];
            traced(r, t, n, CELL_BEFORE)[u] = lstm ? r->c_last[n * h + u] : 0.0;
            traced(r, t, n, MASKED)[u] = r->h_last[n * h + u] * (r->drop != NULL ? r->drop[n * h + u] : 1.0);
        }
        forward_step(r, t, n);
        for (int64_t u = 0; u < h; u++) {
            r->h_last[n * h + u] = r->y[(t * r->s.batch + n) * h + u] = traced(r, t, n, AFTER)[u];
            if (lstm)
                r->c_last[n * h + u] = traced(r, t, n, CELL_AFTER)[u];
        }
    }
}

void reference_recurrent_forward(const reference_recurrent *r)
{
    for (int64_t n = 0; n < r->s.batch; n++)
        forward_sample(r, n);
}

/* ---- steps backward ---- */

/* Gradients of a step: of the gates' arguments as the input's part sees them (a) and as the state's does (s); dh and dc
 * from those of the state after it to what passes on beside the products. */
typedef struct gradients {
    double *a[GATES], *s[GATES], *dh, *dc;
} gradients;

static void rnn_gradients(const reference_recurrent *r, int64_t t, int64_t n, const gradients *g)
{
    for (int64_t u = 0; u < r->s.hidden; u++) {
        const double y = traced(r, t, n, AFTER)[u];
        g->a[0][u] = g->s[0][u] = g->dh[u] * (r->s.cell == GG_CELL_RNN_TANH ? 1.0 - y * y : y > 0.0 ? 1.0 : 0.0);
        g->dh[u] = 0.0;
    }
}

static void lstm_gradients(const reference_recurrent *r, int64_t t, int64_t n, const gradients *g)
{
    for (int64_t u = 0; u < r->s.hidden; u++) {
        const double i = traced(r, t, n, 0)[u], f = traced(r, t, n, 1)[u];
        const double c = traced(r, t, n, 2)[u], o = traced(r, t, n, 3)[u];
        const double y = tanh(traced(r, t, n, CELL_AFTER)[u]);
        const double d = g->dc[u] + g->dh[u] * o * (1.0 - y * y);
        g->a[0][u] = d * c * i * (1.0 - i);
        g->a[1][u] = d * traced(r, t, n, CELL_BEFORE)[u] * f * (1.0 - f);
        g->a[2][u] = d * i * (1.0 - c * c);
        g->a[3][u] = g->dh[u] * y * o * (1.0 - o);
        for (int k = 0; k < 4; k++)
            g->s[k][u] = g->a[k][u];
        g->dc[u] = d * f;
        g->dh[u] = 0.0;
    }
}

static void gru_gradients(const reference_recurrent *r, int64_t t, int64_t n, const gradients *g)
{
    for (int64_t u = 0; u < r->s.hidden; u++) {
        const double reset = traced(r, t, n, 0)[u], z = traced(r, t, n, 1)[u];
        const double c = traced(r, t, n, 2)[u], m = traced(r, t, n, 3)[u];
        g->a[2][u] = g->dh[u] * (1.0 - z) * (1.0 - c * c);
        g->s[2][u] = g->a[2][u] * reset;
        g->a[0][u] = g->s[0][u] = g->a[2][u] * m * reset * (1.0 - reset);
        g->a[1][u] = g->s[1][u] = g->dh[u] * (traced(r, t, n, BEFORE)[u] - c) * z * (1.0 - z);
        g->dh[u] *= z;
    }
}

static void gru_before_gradients(const reference_recurrent *r, int64_t t, int64_t n, const gradients *g)
{
    const int64_t h = r->s.hidden;
    for (int64_t u = 0; u < h; u++) {
        const double z = traced(r, t, n, 1)[u], c = traced(r, t, n, 2)[u];
        g->a[2][u] = g->s[2][u] = g->dh[u] * (1.0 - z) * (1.0 - c * c);
        g->a[1][u] = g->s[1][u] = g->dh[u] * (traced(r, t, n, BEFORE)[u] - c) * z * (1.0 - z);
        g->dh[u] *= z;
    }
    for (int64_t u = 0; u < h; u++) {
        const double reset = traced(r, t, n, 0)[u], drop = r->drop != NULL ? r->drop[n * h + u] : 1.0;
        double q = 0.0; /* of r * masked */
        for (int64_t v = 0; v < h; v++)
            q += g->s[2][v] * r->wh[u * 3 * h + 2 * h + v];
        g->a[0][u] = g->s[0][u] = q * traced(r, t, n, MASKED)[u] * reset * (1.0 - reset);
        g->dh[u] += q * reset * drop;
    }
}

static void step_gradients(const reference_recurrent *r, int64_t t, int64_t n, const gradients *g)
{
    switch (r->s.cell) {
    case GG_CELL_LSTM: lstm_gradients(r, t, n, g); break;
    case GG_CELL_GRU: gru_gradients(r, t, n, g); break;
    case GG_CELL_GRU_BEFORE: gru_before_gradients(r, t, n, g); break;
    default: rnn_gradients(r, t, n, g);
    }
}

/* From the gradients of gate k to those of x, wx and bias. */
static void to_input(const reference_recurrent *r, int64_t t, int64_t n, int k, const double *a)
{
    const int64_t h = r->s.hidden, columns = gg_cell_gates(r->s.cell) * h, row = (t * r->s.batch + n) * r->s.in;
    for (int64_t u = 0; u < h; u++)
        r->dbias[k * h + u] += a[u];
    for (int64_t i = 0; i < r->s.in; i++)
        for (int64_t u = 0; u < h; u++) {
            r->dx[row + i] += a[u] * r->wx[i * columns + k * h + u];
            r->dwx[i * columns + k * h + u] += a[u] * r->x[row + i];
        }
}

/* The same to wh and dh, what the gate's product multiplied being `state`; dh NULL: done elsewhere. */
static void to_state(const reference_recurrent *r, int64_t n, int k, const double *s, const double *state, double *dh)
{
    const int64_t h = r->s.hidden, columns = gg_cell_gates(r->s.cell) * h;
    for (int64_t j = 0; j < h; j++)
        for (int64_t u = 0; u < h; u++) {
            r->dwh[j * columns + k * h + u] += s[u] * state[j];
            if (dh != NULL)
                dh[j] += s[u] * r->wh[j * columns + k * h + u] * (r->drop != NULL ? r->drop[n * h + j] : 1.0);
        }
}

static void backward_step(const reference_recurrent *r, int64_t t, int64_t n, const gradients *g)
{
    const int64_t h = r->s.hidden;
    for (int64_t u = 0; u < h; u++)
        g->dh[u] += at(r->dy, (t * r->s.batch + n) * h + u);
    step_gradients(r, t, n, g);
    for (int k = 0; k < gg_cell_gates(r->s.cell); k++) {
        const bool behind_reset = r->s.cell == GG_CELL_GRU_BEFORE && k == 2;
        to_input(r, t, n, k, g->a[k]);
        to_state(r, n, k, g->s[k], traced(r, t, n, behind_reset ? 3 : MASKED), behind_reset ? NULL : g->dh);
    }
    if (r->s.cell == GG_CELL_GRU)
        for (int64_t u = 0; u < h; u++)
            r->dbias[3 * h + u] += g->s[2][u];
}

static void backward_sample(const reference_recurrent *r, int64_t n)
{
    const int64_t h = r->s.hidden, length = length_of(r, n);
    gradients g = {.dh = room(r, 2 * GATES), .dc = room(r, 2 * GATES + 1)};
    for (int k = 0; k < GATES; k++) {
        g.a[k] = room(r, k);
        g.s[k] = room(r, GATES + k);
    }
    for (int64_t u = 0; u < h; u++) {
        g.dh[u] = at(r->dh_last, n * h + u);
        g.dc[u] = at(r->dc_last, n * h + u);
    }
    for (int64_t s = length - 1; s >= 0; s--)
        backward_step(r, time_of(r, length, s), n, &g);
    for (int64_t u = 0; u < h; u++) {
        r->dh0[n * h + u] += g.dh[u];
        if (r->s.cell == GG_CELL_LSTM)
            r->dc0[n * h + u] += g.dc[u];
    }
}

void reference_recurrent_backward(const reference_recurrent *r)
{
    for (int64_t n = 0; n < r->s.batch; n++)
        backward_sample(r, n);
}
