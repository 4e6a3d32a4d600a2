/* reference_matrix_rules.c - see reference_matrix_rules.h. */
#include "reference_matrix_rules.h"

#include <math.h>
#include <string.h>

#include "reference_lapack.h"

/* c (m x n) = op(a) op(b), the inner length k. */
static void product(double *c, const double *a, bool turn_a, const double *b, bool turn_b, int64_t m, int64_t n,
                    int64_t k)
{
    double out[REFERENCE_SIZE];
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += (turn_a ? a[l * m + i] : a[i * k + l]) * (turn_b ? b[j * k + l] : b[l * n + j]);
            out[i * n + j] = sum;
        }
    memcpy(c, out, (size_t)(m * n) * sizeof *c);
}

static void identity(double *a, int64_t n)
{
    for (int64_t i = 0; i < n * n; i++)
        a[i] = i % (n + 1) == 0;
}

static double norm(const double *a, int64_t size)
{
    double squares = 0;
    for (int64_t i = 0; i < size; i++)
        squares += a[i] * a[i];
    return sqrt(squares);
}

/* Rows and columns i and j of a, columns of q, turned so that a_ij becomes 0. */
static void rotate(double *a, double *q, int64_t n, int64_t i, int64_t j)
{
    const double angle = 0.5 * atan2(2 * a[i * n + j], a[j * n + j] - a[i * n + i]), c = cos(angle), s = sin(angle);
    for (int64_t k = 0; k < n; k++) {
        const double x = a[k * n + i], y = a[k * n + j], u = q[k * n + i], v = q[k * n + j];
        a[k * n + i] = c * x - s * y;
        a[k * n + j] = s * x + c * y;
        q[k * n + i] = c * u - s * v;
        q[k * n + j] = s * u + c * v;
    }
    for (int64_t k = 0; k < n; k++) {
        const double x = a[i * n + k], y = a[j * n + k];
        a[i * n + k] = c * x - s * y;
        a[j * n + k] = s * x + c * y;
    }
}

void reference_symmetric_eigen(double *values, double *q, double *a, int64_t n)
{
    enum { SWEEPS = 60 };
    identity(q, n);
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i + 1; j < n; j++)
                if (a[i * n + j] != 0)
                    rotate(a, q, n, i, j);
    for (int64_t i = 0; i < n; i++)
        values[i] = a[i * n + i];
}

/* ---- Muon ---- */

void reference_muon(double *w, reference_matrix *s, const double *g, int64_t m, int64_t n, const reference_numbers *o)
{
    double x[REFERENCE_SIZE], a[REFERENCE_SIZE], ax[REFERENCE_SIZE], aax[REFERENCE_SIZE];
    for (int64_t i = 0; i < m * n; i++) {
        s->m[i] = o->momentum * s->m[i] + g[i];
        x[i] = g[i] + o->momentum * s->m[i];
    }
    const double length = norm(x, m * n) + 1e-7;
    for (int64_t i = 0; i < m * n; i++)
        x[i] /= length;
    for (int step = 0; step < 5; step++) {
        product(a, x, false, x, true, m, m, n);
        product(ax, a, false, x, false, m, n, m);
        product(aax, a, false, ax, false, m, n, m);
        for (int64_t i = 0; i < m * n; i++)
            x[i] = 3.4445 * x[i] - 4.7750 * ax[i] + 2.0315 * aax[i];
    }
    for (int64_t i = 0; i < m * n; i++)
        w[i] = (1 - o->lr * o->decay) * w[i] - o->lr * 0.2 * sqrt((double)(m > n ? m : n)) * x[i];
}

/* ---- Shampoo and SOAP ---- */

static void average(reference_matrix *s, const double *g, int64_t m, int64_t n, const reference_numbers *o)
{
    double now[REFERENCE_SIZE];
    product(now, g, false, g, true, m, m, n);
    for (int64_t i = 0; i < m * m; i++)
        s->left[i] = o->beta2 * s->left[i] + (1 - o->beta2) * now[i];
    product(now, g, true, g, false, n, n, m);
    for (int64_t i = 0; i < n * n; i++)
        s->right[i] = o->beta2 * s->right[i] + (1 - o->beta2) * now[i];
}

static void root(double *out, const double *average_of_side, int64_t n, double damping, double power)
{
    double a[REFERENCE_SIZE], q[REFERENCE_SIZE], values[REFERENCE_SIDE], largest = 0;
    memcpy(a, average_of_side, (size_t)(n * n) * sizeof *a);
    reference_symmetric_eigen(values, q, a, n);
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, values[i]);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            a[i * n + j] = q[i * n + j] * pow(fmax(values[j], 0) + damping * largest, power);
    product(out, a, false, q, true, n, n, n);
}

static double adam(double *m, double *v, double g, const reference_numbers *o, int64_t step)
{
    *m = o->beta1 * *m + (1 - o->beta1) * g;
    *v = o->beta2 * *v + (1 - o->beta2) * g * g;
    const double mean = *m / (1 - pow(o->beta1, (double)step)), square = *v / (1 - pow(o->beta2, (double)step));
    return mean / (sqrt(square) + o->epsilon);
}

void reference_shampoo(double *w, reference_matrix *s, const double *g, int64_t m, int64_t n,
                       const reference_numbers *o, int64_t step)
{
    const bool left = m <= o->largest_side, right = n <= o->largest_side;
    double step_of_adam[REFERENCE_SIZE], d[REFERENCE_SIZE];
    average(s, g, m, n, o);
    if ((step - 1) % o->refresh == 0) {
        identity(s->q_left, m);
        identity(s->q_right, n);
        if (left)
            root(s->q_left, s->left, m, o->damping, right ? -0.25 : -0.5);
        if (right)
            root(s->q_right, s->right, n, o->damping, left ? -0.25 : -0.5);
    }
    for (int64_t i = 0; i < m * n; i++)
        step_of_adam[i] = adam(&s->m[i], &s->v[i], g[i], o, step);
    product(d, s->q_left, false, s->m, false, m, n, m);
    product(d, d, false, s->q_right, false, m, n, n);
    const double factor = norm(step_of_adam, m * n) / norm(d, m * n);
    for (int64_t i = 0; i < m * n; i++)
        w[i] = (1 - o->lr * o->decay) * w[i] - o->lr * factor * d[i];
}

static void turn(double *out, const reference_matrix *s, const double *x, int64_t m, int64_t n, bool back)
{
    product(out, s->q_left, !back, x, false, m, n, m);
    product(out, out, false, s->q_right, back, m, n, n);
}

void reference_soap(double *w, reference_matrix *s, const double *g, int64_t m, int64_t n, const reference_numbers *o,
                    int64_t step)
{
    double turned[REFERENCE_SIZE], change[REFERENCE_SIZE] = {0}, a[REFERENCE_SIZE], values[REFERENCE_SIDE];
    if (!s->turned) {
        identity(s->q_left, m);
        identity(s->q_right, n);
        s->turned = true;
    }
    if (step >= 2 && (step - 2) % o->refresh == 0) {
        turn(s->m, s, s->m, m, n, true);
        memcpy(a, s->left, sizeof a);
        if (m <= o->largest_side)
            reference_symmetric_eigen(values, s->q_left, a, m);
        memcpy(a, s->right, sizeof a);
        if (n <= o->largest_side)
            reference_symmetric_eigen(values, s->q_right, a, n);
        turn(s->m, s, s->m, m, n, false);
    }
    turn(turned, s, g, m, n, false);
    for (int64_t i = 0; i < m * n; i++)
        change[i] = adam(&s->m[i], &s->v[i], turned[i], o, step);
    turn(change, s, change, m, n, true);
    for (int64_t i = 0; i < m * n; i++)
        w[i] = (1 - o->lr * o->decay) * w[i] - o->lr * change[i];
    average(s, g, m, n, o);
}

/* ---- K-FAC ---- */

static double trace(const double *a, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i * n + i];
    return sum;
}

static void invert(double *inverse, const double *a, int64_t n, double ridge)
{
    double copy[REFERENCE_SIZE], ones[REFERENCE_SIZE];
    memcpy(copy, a, (size_t)(n * n) * sizeof *copy);
    identity(ones, n);
    for (int64_t i = 0; i < n; i++)
        copy[i * n + i] += ridge;
    reference_solve(inverse, copy, ones, n, n);
}

static void move(double *a, const double *x, int64_t rows, int64_t n, double keep, double factor)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t r = 0; r < rows; r++)
                sum += x[r * n + i] * x[r * n + j];
            a[i * n + j] = keep * a[i * n + j] + (1 - keep) * factor * sum;
        }
}

double reference_kfac(double *p, reference_matrix *s, const double *d, const double *x, const double *dz, int64_t rows,
                      int64_t in_and_1, int64_t out, const reference_numbers *o, int64_t step)
{
    double sum = 0;
    if (x != NULL) {
        const double k = (double)((step - 1) / o->refresh + 1), keep = fmin(1 - 1 / k, o->rho);
        move(s->left, x, rows, in_and_1, keep, 1.0 / (double)rows);
        move(s->right, dz, rows, out, keep, (double)rows); /* (rows dz)^2 / rows */
        const double pi = sqrt((trace(s->left, in_and_1) / (double)in_and_1) / (trace(s->right, out) / (double)out));
        invert(s->q_left, s->left, in_and_1, pi * sqrt(o->damping));
        invert(s->q_right, s->right, out, sqrt(o->damping) / pi);
    }
    product(p, s->q_left, false, d, false, in_and_1, out, in_and_1);
    product(p, p, false, s->q_right, false, in_and_1, out, out);
    for (int64_t i = 0; i < in_and_1 * out; i++)
        sum += p[i] * d[i];
    return sum;
}
