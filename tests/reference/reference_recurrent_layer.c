/* reference_recurrent_layer.c - recurrent layers as plain loops in double, sample by sample, see reference_sequence.h.
 *
 *   RNN         h = f(x Wx + h Wh + b)
 *   LSTM        i, f, o = sigmoid(..), g = tanh(..);  c = f c + i g;  h = o tanh c
 *   GRU         r, z = sigmoid(..);  n = tanh(x Wxn + b_nx + r (h Whn + b_nh));  h = (1 - z) n + z h
 *   GRU_BEFORE  n = tanh(x Wxn + b_n + (r h) Whn)
 *
 * Every number carries how far a float version may be off, to first order: a product ab has |a| db + |b| da + |ab|
 * units of rounding, and so on. That is the magnitude which test bounds are multiples of: what rounding an early step
 * leaves grows in the later ones. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "reference_sequence.h"

typedef struct number {
    double v, m; /* value; units of rounding it may be off by */
} number;

static number exact(double v)
{
    return (number){v, 0.0};
}

static number times(number a, number b)
{
    const double v = a.v * b.v;
    return (number){v, fabs(a.v) * b.m + fabs(b.v) * a.m + fabs(v)};
}

static number plus(number a, number b)
{
    return (number){a.v + b.v, a.m + b.m + fabs(a.v + b.v)};
}

/* One more term, whose own magnitude stands for the rounding of the sum. */
static void add_to(number *sum, number term)
{
    sum->v += term.v;
    sum->m += term.m;
}

static number sigmoid(number x)
{
    const double s = 1.0 / (1.0 + exp(-x.v));
    return (number){s, s * (1.0 - s) * x.m + s};
}

static number hyperbolic(number x)
{
    const double t = tanh(x.v);
    return (number){t, (1.0 - t * t) * x.m + fabs(t)};
}

static number one_minus(number x)
{
    return (number){1.0 - x.v, x.m + fabs(1.0 - x.v)};
}

/* The derivatives, from the values. */
static number sigmoid_slope(number s)
{
    return times(s, one_minus(s));
}

static number tanh_slope(number t)
{
    return one_minus(times(t, t));
}

/* Where a float may lie on the other side of 0, the slope may be the other one. */
static number relu_slope(number z)
{
    const double unit = REFERENCE_BOUND * (double)FLT_EPSILON;
    return (number){z.v > 0.0 ? 1.0 : 0.0, fabs(z.v) <= unit * z.m ? 1.0 / unit : 0.0};
}

/* ---- one sample in one direction ---- */

typedef struct run {
    const reference_pass *p;
    const reference_recurrence *r;
    int direction;
    int64_t n, length, H, gates;
    const double *wx, *wh, *b;
    number *h, *c, *a; /* [length + 1][H], the same, [length][gates + 1][H]: z or activated gates; GRU: h Whn + b_nh */
    number *dh, *dc, *dx_part, *dh_part; /* [H], [H], [gates H], [gates H]: of the sums of x and of h */
} run;

static int64_t gates_of(reference_cell cell)
{
    return cell == REFERENCE_LSTM ? 4 : cell >= REFERENCE_GRU ? 3 : 1;
}

/* The time of step s, in the direction's own order. */
static int64_t time_of(const run *u, int64_t s)
{
    return u->direction == 0 ? s : u->length - 1 - s;
}

static number dropped(const run *u, const number *h, int64_t i)
{
    return u->p->mask == NULL ? h[i] : times(h[i], exact(u->p->mask[(u->direction * u->p->batch + u->n) * u->H + i]));
}

static number x_sum(const run *u, int64_t s, int64_t column)
{
    const double *x = u->p->x[0] + (time_of(u, s) * u->p->batch + u->n) * u->p->columns;
    number sum = exact(0.0);
    for (int64_t i = 0; i < u->p->columns; i++)
        add_to(&sum, times(exact(x[i]), exact(u->wx[i * u->gates * u->H + column])));
    add_to(&sum, times(exact(1.0), exact(u->b[column])));
    return sum;
}

/* The sum over h after dropout, times r where the reset comes before. */
static number h_sum(const run *u, const number *h, const number *reset, int64_t column)
{
    number sum = exact(0.0);
    for (int64_t i = 0; i < u->H; i++) {
        const number from = reset != NULL ? times(reset[i], dropped(u, h, i)) : dropped(u, h, i);
        add_to(&sum, times(from, exact(u->wh[i * u->gates * u->H + column])));
    }
    return sum;
}

static void step_simple(const run *u, int64_t s)
{
    const number *h = u->h + s * u->H;
    number *z = u->a + s * 2 * u->H, *next = u->h + (s + 1) * u->H;
    for (int64_t j = 0; j < u->H; j++) {
        z[j] = plus(x_sum(u, s, j), h_sum(u, h, NULL, j));
        next[j] = u->r->cell == REFERENCE_TANH ? hyperbolic(z[j]) : times(relu_slope(z[j]), z[j]);
        if (u->r->cell == REFERENCE_RELU)
            next[j].m = z[j].m;
    }
}

static void step_lstm(const run *u, int64_t s)
{
    const int64_t H = u->H;
    number *a = u->a + s * 5 * H, *h = u->h + s * H, *c = u->c + s * H;
    for (int64_t j = 0; j < 4 * H; j++) {
        const number z = plus(x_sum(u, s, j), h_sum(u, h, NULL, j));
        a[j] = j / H == 2 ? hyperbolic(z) : sigmoid(z);
    }
    for (int64_t j = 0; j < H; j++) {
        c[H + j] = plus(times(a[H + j], c[j]), times(a[j], a[2 * H + j]));
        h[H + j] = times(a[3 * H + j], hyperbolic(c[H + j]));
    }
}

static void step_gru(const run *u, int64_t s)
{
    const int64_t H = u->H;
    number *a = u->a + s * 4 * H, *h = u->h + s * H;
    for (int64_t j = 0; j < 2 * H; j++)
        a[j] = sigmoid(plus(x_sum(u, s, j), h_sum(u, h, NULL, j)));
    for (int64_t j = 0; j < H; j++) {
        const bool before = u->r->cell == REFERENCE_GRU_BEFORE;
        a[3 * H + j] = h_sum(u, h, before ? a : NULL, 2 * H + j);
        if (!before)
            a[3 * H + j] = plus(a[3 * H + j], exact(u->b[3 * H + j]));
        const number part = before ? a[3 * H + j] : times(a[j], a[3 * H + j]);
        a[2 * H + j] = hyperbolic(plus(x_sum(u, s, 2 * H + j), part));
    }
    for (int64_t j = 0; j < H; j++)
        h[H + j] = plus(times(one_minus(a[H + j]), a[2 * H + j]), times(a[H + j], h[j]));
}

static number *numbers(int64_t n)
{
    return calloc((size_t)n + 1, sizeof(number));
}

/* The whole forward of one sample in one direction. */
static run run_forward(const reference_pass *p, int64_t n, int direction)
{
    const reference_recurrence *r = p->recurrence;
    run u = {.p = p, .r = r, .direction = direction, .n = n, .H = r->hidden, .gates = gates_of(r->cell)};
    u.length = p->labels != NULL ? p->labels[n] : p->steps;
    u.wx = direction == 0 ? p->w : p->more[1];
    u.wh = direction == 0 ? p->b : p->more[2];
    u.b = p->more[direction == 0 ? 0 : 3];
    u.h = numbers((u.length + 1) * u.H);
    u.c = numbers((u.length + 1) * u.H);
    u.a = numbers(u.length * (u.gates + 1) * u.H);
    for (int64_t j = 0; j < u.H; j++) {
        const int64_t at = (n * r->directions + direction) * u.H + j;
        u.h[j] = exact(p->x[1] != NULL ? p->x[1][at] : 0.0);
        u.c[j] = exact(p->x[2] != NULL ? p->x[2][at] : 0.0);
    }
    for (int64_t s = 0; s < u.length; s++) {
        if (r->cell == REFERENCE_LSTM)
            step_lstm(&u, s);
        else if (r->cell >= REFERENCE_GRU)
            step_gru(&u, s);
        else
            step_simple(&u, s);
    }
    return u;
}

static void end_run(run *u)
{
    free(u->h);
    free(u->c);
    free(u->a);
}

static double part_of(number x, bool magnitude)
{
    return magnitude ? x.m : x.v;
}

static void write_y(const run *u, bool magnitude)
{
    const int64_t width = u->r->directions * u->H;
    for (int64_t s = 0; s < u->p->steps; s++)
        for (int64_t j = 0; j < u->H; j++) {
            const int64_t t = s < u->length ? time_of(u, s) : s;
            u->p->y[(t * u->p->batch + u->n) * width + u->direction * u->H + j] =
                s < u->length ? part_of(u->h[(s + 1) * u->H + j], magnitude) : 0.0;
        }
}

static void forward(const reference_pass *p, bool magnitude)
{
    for (int64_t n = 0; n < p->batch; n++)
        for (int d = 0; d < p->recurrence->directions; d++) {
            run u = run_forward(p, n, d);
            const number *last = (u.r->output == 1 ? u.h : u.c) + u.length * u.H;
            if (u.r->output == 0)
                write_y(&u, magnitude);
            for (int64_t j = 0; j < u.H && u.r->output > 0; j++)
                p->y[(n * u.r->directions + d) * u.H + j] = part_of(last[j], magnitude);
            end_run(&u);
        }
}

/* ---- backward ---- */

/* Where the gradients of everything are summed up. */
typedef struct sums {
    number *dx, *dh0, *dc0, *dwx[2], *dwh[2], *db[2];
} sums;

static void back_simple(const run *u, int64_t s)
{
    const number *z = u->a + s * 2 * u->H, *h = u->h + (s + 1) * u->H;
    for (int64_t j = 0; j < u->H; j++)
        u->dx_part[j] = u->dh_part[j] =
            times(u->dh[j], u->r->cell == REFERENCE_TANH ? tanh_slope(h[j]) : relu_slope(z[j]));
    for (int64_t j = 0; j < u->H; j++)
        u->dh[j] = exact(0.0);
}

static void back_lstm(const run *u, int64_t s)
{
    const int64_t H = u->H;
    const number *a = u->a + s * 5 * H, *c = u->c + s * H;
    for (int64_t j = 0; j < H; j++) {
        const number i = a[j], f = a[H + j], g = a[2 * H + j], o = a[3 * H + j], t = hyperbolic(c[H + j]);
        add_to(&u->dc[j], times(times(u->dh[j], o), tanh_slope(t)));
        u->dx_part[j] = times(times(u->dc[j], g), sigmoid_slope(i));
        u->dx_part[H + j] = times(times(u->dc[j], c[j]), sigmoid_slope(f));
        u->dx_part[2 * H + j] = times(times(u->dc[j], i), tanh_slope(g));
        u->dx_part[3 * H + j] = times(times(u->dh[j], t), sigmoid_slope(o));
        u->dc[j] = times(u->dc[j], f);
        u->dh[j] = exact(0.0);
    }
    for (int64_t j = 0; j < 4 * H; j++)
        u->dh_part[j] = u->dx_part[j];
}

/* The sum over columns of gate n of its gradient times Whn, for row i. */
static number back_through_n(const run *u, int64_t i)
{
    const int64_t H = u->H;
    number sum = exact(0.0);
    for (int64_t j = 0; j < H; j++)
        add_to(&sum, times(u->dx_part[2 * H + j], exact(u->wh[i * 3 * H + 2 * H + j])));
    return sum;
}

static void back_gru(const run *u, int64_t s)
{
    const int64_t H = u->H;
    const number *a = u->a + s * 4 * H, *h = u->h + s * H;
    const bool before = u->r->cell == REFERENCE_GRU_BEFORE;
    for (int64_t j = 0; j < H; j++) {
        const number z = a[H + j], n = a[2 * H + j];
        const number change = plus(h[j], times(exact(-1.0), n));
        u->dx_part[2 * H + j] = times(times(u->dh[j], one_minus(z)), tanh_slope(n));
        u->dx_part[H + j] = times(times(u->dh[j], change), sigmoid_slope(z));
    }
    for (int64_t j = 0; j < H; j++) {
        const number r = a[j], dn = u->dx_part[2 * H + j];
        const number dr = before ? times(back_through_n(u, j), dropped(u, h, j)) : times(dn, a[3 * H + j]);
        u->dx_part[j] = times(dr, sigmoid_slope(r));
        u->dh_part[2 * H + j] = before ? dn : times(dn, r);
        u->dh[j] = times(u->dh[j], a[H + j]);
    }
    for (int64_t j = 0; j < 2 * H; j++)
        u->dh_part[j] = u->dx_part[j];
}

/* dx, dWx and db from the gradient of the sums of x. */
static void spread_x(const run *u, int64_t s, const sums *to)
{
    const int64_t row = time_of(u, s) * u->p->batch + u->n, columns = u->p->columns, G = u->gates * u->H;
    for (int64_t j = 0; j < G; j++) {
        for (int64_t i = 0; i < columns; i++) {
            add_to(&to->dx[row * columns + i], times(u->dx_part[j], exact(u->wx[i * G + j])));
            add_to(&to->dwx[u->direction][i * G + j], times(u->dx_part[j], exact(u->p->x[0][row * columns + i])));
        }
        add_to(&to->db[u->direction][j], u->dx_part[j]);
    }
    for (int64_t j = 0; j < u->H && u->r->cell == REFERENCE_GRU; j++)
        add_to(&to->db[u->direction][3 * u->H + j], u->dh_part[2 * u->H + j]);
}

/* The gradient of h before the step, and dWh, from the gradient of the sums of h. */
static void spread_h(const run *u, int64_t s, const sums *to)
{
    const int64_t H = u->H, G = u->gates * H;
    const number *h = u->h + s * H, *reset = u->r->cell == REFERENCE_GRU_BEFORE ? u->a + s * 4 * H : NULL;
    for (int64_t i = 0; i < H; i++)
        for (int64_t j = 0; j < G; j++) {
            const bool resets = reset != NULL && j >= 2 * H;
            const number from = resets ? times(reset[i], dropped(u, h, i)) : dropped(u, h, i);
            number back = times(u->dh_part[j], exact(u->wh[i * G + j]));
            if (u->p->mask != NULL)
                back = times(back, exact(u->p->mask[(u->direction * u->p->batch + u->n) * H + i]));
            add_to(&to->dwh[u->direction][i * G + j], times(u->dh_part[j], from));
            add_to(&u->dh[i], resets ? times(back, reset[i]) : back);
        }
}

static void run_backward(run *u, const sums *to)
{
    const reference_pass *p = u->p;
    const int64_t H = u->H, width = u->r->directions * H;
    u->dh = numbers(H);
    u->dc = numbers(H);
    u->dx_part = numbers(u->gates * H);
    u->dh_part = numbers(u->gates * H);
    for (int64_t j = 0; j < H && u->r->output > 0; j++)
        (u->r->output == 1 ? u->dh : u->dc)[j] = exact(p->dy[u->n * width + u->direction * H + j]);
    for (int64_t s = u->length - 1; s >= 0; s--) {
        for (int64_t j = 0; j < H && u->r->output == 0; j++)
            add_to(&u->dh[j], exact(p->dy[(time_of(u, s) * p->batch + u->n) * width + u->direction * H + j]));
        if (u->r->cell == REFERENCE_LSTM)
            back_lstm(u, s);
        else if (u->r->cell >= REFERENCE_GRU)
            back_gru(u, s);
        else
            back_simple(u, s);
        spread_x(u, s, to);
        spread_h(u, s, to);
    }
    for (int64_t j = 0; j < H; j++) {
        to->dh0[u->n * width + u->direction * H + j] = u->dh[j];
        to->dc0[u->n * width + u->direction * H + j] = u->dc[j];
    }
    free(u->dh);
    free(u->dc);
    free(u->dx_part);
    free(u->dh_part);
}

/* Takes the sums away. */
static void write_sums(double *to, number *from, int64_t n, bool magnitude)
{
    for (int64_t i = 0; i < n && to != NULL; i++)
        to[i] = part_of(from[i], magnitude);
    free(from);
}

static void backward(const reference_pass *p, bool magnitude)
{
    const reference_recurrence *r = p->recurrence;
    const int64_t H = r->hidden, G = gates_of(r->cell) * H, biases = r->cell == REFERENCE_GRU ? 4 * H : G;
    const int64_t state = p->batch * r->directions * H, inputs = p->rows * p->columns;
    sums to = {.dx = numbers(inputs), .dh0 = numbers(state), .dc0 = numbers(state)};
    for (int d = 0; d < r->directions; d++) {
        to.dwx[d] = numbers(p->columns * G);
        to.dwh[d] = numbers(H * G);
        to.db[d] = numbers(biases);
        for (int64_t n = 0; n < p->batch; n++) {
            run u = run_forward(p, n, d);
            run_backward(&u, &to);
            end_run(&u);
        }
        write_sums(d == 0 ? p->dw : p->dmore[1], to.dwx[d], p->columns * G, magnitude);
        write_sums(d == 0 ? p->db : p->dmore[2], to.dwh[d], H * G, magnitude);
        write_sums(p->dmore[d == 0 ? 0 : 3], to.db[d], biases, magnitude);
    }
    write_sums(p->dx[0], to.dx, inputs, magnitude);
    write_sums(p->dx[1], to.dh0, state, magnitude);
    write_sums(p->dx[2], to.dc0, state, magnitude);
}

static void recurrent_forward(const reference_pass *p)
{
    forward(p, false);
}

static void recurrent_backward(const reference_pass *p)
{
    backward(p, false);
}

static void recurrent_forward_magnitude(const reference_pass *p)
{
    forward(p, true);
}

static void recurrent_backward_magnitude(const reference_pass *p)
{
    backward(p, true);
}

const reference_layer reference_recurrent = {"recurrent", recurrent_forward, recurrent_backward,
                                             recurrent_forward_magnitude, recurrent_backward_magnitude};

double reference_recurrent_smallest(const reference_pass *p)
{
    double smallest = INFINITY;
    for (int64_t n = 0; n < p->batch && p->recurrence->cell == REFERENCE_RELU; n++)
        for (int d = 0; d < p->recurrence->directions; d++) {
            run u = run_forward(p, n, d);
            for (int64_t s = 0; s < u.length; s++)
                for (int64_t j = 0; j < u.H; j++)
                    smallest = fmin(smallest, fabs(u.a[s * 2 * u.H + j].v));
            end_run(&u);
        }
    return smallest;
}
