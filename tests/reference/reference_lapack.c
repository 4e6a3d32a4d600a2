/* reference_lapack.c - see reference_lapack.h. */
#include "reference_lapack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double EPS = 0x1p-24;

static double larger(double a, double b)
{
    return a >= b || isnan(a) ? a : b; /* NaN stays */
}

static int64_t longest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- elimination ---- */

static void exchange_rows(double *a, int64_t n, int64_t i, int64_t j)
{
    for (int64_t c = 0; c < n; c++) {
        const double held = a[i * n + c];
        a[i * n + c] = a[j * n + c];
        a[j * n + c] = held;
    }
}

double reference_solve(double *x, double *a, double *b, int64_t n, int64_t nrhs)
{
    double determinant = 1.0;
    for (int64_t p = 0; p < n; p++) {
        int64_t best = p;
        for (int64_t i = p + 1; i < n; i++)
            best = fabs(a[i * n + p]) > fabs(a[best * n + p]) ? i : best;
        if (best != p) {
            exchange_rows(a, n, p, best);
            exchange_rows(b, nrhs, p, best);
            determinant = -determinant;
        }
        determinant *= a[p * n + p];
        for (int64_t i = p + 1; i < n; i++) {
            const double factor = a[i * n + p] / a[p * n + p];
            for (int64_t j = p; j < n; j++)
                a[i * n + j] -= factor * a[p * n + j];
            for (int64_t j = 0; j < nrhs; j++)
                b[i * nrhs + j] -= factor * b[p * nrhs + j];
        }
    }
    for (int64_t i = n - 1; i >= 0; i--)
        for (int64_t j = 0; j < nrhs; j++) {
            double sum = b[i * nrhs + j];
            for (int64_t l = i + 1; l < n; l++)
                sum -= a[i * n + l] * x[l * nrhs + j];
            x[i * nrhs + j] = sum / a[i * n + i];
        }
    return determinant;
}

double reference_rcond(const double *a, int64_t n)
{
    const size_t bytes = (size_t)(n * n) * sizeof(double);
    double *copy = malloc(bytes), *unit = calloc((size_t)(n * n), sizeof(double)), *inverse = malloc(bytes);
    memcpy(copy, a, bytes);
    for (int64_t i = 0; i < n; i++)
        unit[i * n + i] = 1.0;
    reference_solve(inverse, copy, unit, n, n);
    const double rcond = 1.0 / (reference_norm(a, n, n) * reference_norm(inverse, n, n));
    free(copy);
    free(unit);
    free(inverse);
    return rcond;
}

/* ---- singular values ---- */

/* Turn columns i and j of w (m x n) until they are orthogonal; returns how far they were from it, as a cosine. */
static double rotate(double *w, int64_t m, int64_t n, int64_t i, int64_t j)
{
    double ii = 0.0, jj = 0.0, ij = 0.0;
    for (int64_t r = 0; r < m; r++) {
        ii += w[r * n + i] * w[r * n + i];
        jj += w[r * n + j] * w[r * n + j];
        ij += w[r * n + i] * w[r * n + j];
    }
    if (ij == 0.0)
        return 0.0;
    const double zeta = (jj - ii) / (2.0 * ij);
    const double t = copysign(1.0, zeta) / (fabs(zeta) + sqrt(1.0 + zeta * zeta));
    const double c = 1.0 / sqrt(1.0 + t * t), s = c * t;
    for (int64_t r = 0; r < m; r++) {
        const double x = w[r * n + i], y = w[r * n + j];
        w[r * n + i] = c * x - s * y;
        w[r * n + j] = s * x + c * y;
    }
    return fabs(ij) / sqrt(ii * jj);
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

void reference_singular_values(double *s, const double *a, int64_t m, int64_t n)
{
    enum { SWEEPS = 40 };
    const int64_t rows = longest(m, n), k = m < n ? m : n;
    double *w = malloc((size_t)(rows * k + 1) * sizeof *w), worst = 1.0;
    if (m >= n)
        memcpy(w, a, (size_t)(m * n) * sizeof *w);
    else
        reference_transpose(w, a, m, n);
    for (int sweep = 0; sweep < SWEEPS && worst > 1e-14; sweep++) {
        worst = 0.0;
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = i + 1; j < k; j++)
                worst = larger(rotate(w, rows, k, i, j), worst);
    }
    for (int64_t j = 0; j < k; j++) {
        double sum = 0.0;
        for (int64_t r = 0; r < rows; r++)
            sum += w[r * k + j] * w[r * k + j];
        s[j] = sqrt(sum);
    }
    qsort(s, (size_t)k, sizeof *s, descending);
    free(w);
}

/* ---- ratios ---- */

double reference_norm(const double *a, int64_t m, int64_t n)
{
    double norm = 0.0;
    for (int64_t i = 0; i < m; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < n; j++)
            sum += fabs(a[i * n + j]);
        norm = larger(sum, norm);
    }
    return norm;
}

/* Nothing by nothing is no error. */
static double ratio(double error, double scale)
{
    return error == 0.0 ? 0.0 : error / (scale * EPS);
}

static void residual(double *r, const double *x, const double *a, const double *b, int64_t m, int64_t n, int64_t nrhs)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < nrhs; j++) {
            double sum = b[i * nrhs + j];
            for (int64_t l = 0; l < n; l++)
                sum -= a[i * n + l] * x[l * nrhs + j];
            r[i * nrhs + j] = sum;
        }
}

double reference_residual_ratio(const double *x, const double *a, const double *b, int64_t m, int64_t n, int64_t nrhs)
{
    double *r = malloc((size_t)(m * nrhs + 1) * sizeof *r), worst = 0.0;
    const double norm = reference_norm(a, m, n);
    residual(r, x, a, b, m, n, nrhs);
    for (int64_t j = 0; j < nrhs; j++) {
        double error = 0.0, size = 0.0;
        for (int64_t i = 0; i < m; i++)
            error = larger(fabs(r[i * nrhs + j]), error);
        for (int64_t i = 0; i < n; i++)
            size = larger(fabs(x[i * nrhs + j]), size);
        worst = larger(ratio(error, norm * size), worst);
    }
    free(r);
    return worst;
}

double reference_normal_ratio(const double *x, const double *a, const double *b, int64_t m, int64_t n, int64_t nrhs)
{
    double *r = malloc((size_t)(m * nrhs + 1) * sizeof *r), worst = 0.0;
    const double norm = reference_norm(a, m, n);
    const double scale = norm * larger(reference_norm(b, m, nrhs), norm * reference_norm(x, n, nrhs));
    residual(r, x, a, b, m, n, nrhs);
    for (int64_t i = 0; i < n; i++) {
        double row = 0.0;
        for (int64_t j = 0; j < nrhs; j++) {
            double sum = 0.0;
            for (int64_t l = 0; l < m; l++)
                sum += a[l * n + i] * r[l * nrhs + j];
            row += fabs(sum);
        }
        worst = larger(row, worst);
    }
    free(r);
    return ratio(worst, scale * (double)longest(longest(m, n), nrhs));
}

double reference_product_ratio(const double *a, const double *u, const double *s, const double *v, int64_t m, int64_t n,
                               int64_t k)
{
    double worst = 0.0;
    for (int64_t i = 0; i < m; i++) {
        double row = 0.0;
        for (int64_t j = 0; j < n; j++) {
            double sum = a[i * n + j];
            for (int64_t l = 0; l < k; l++)
                sum -= u[i * k + l] * (s != NULL ? s[l] : 1.0) * v[l * n + j];
            row += fabs(sum);
        }
        worst = larger(row, worst);
    }
    return ratio(worst, reference_norm(a, m, n) * (double)longest(m, n));
}

double reference_orthogonality_ratio(const double *q, int64_t m, int64_t n)
{
    double worst = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double row = 0.0;
        for (int64_t j = 0; j < n; j++) {
            double sum = i == j ? -1.0 : 0.0;
            for (int64_t l = 0; l < m; l++)
                sum += q[l * n + i] * q[l * n + j];
            row += fabs(sum);
        }
        worst = larger(row, worst);
    }
    return ratio(worst, (double)m);
}

void reference_transpose(double *t, const double *a, int64_t m, int64_t n)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            t[j * m + i] = a[i * n + j];
}
