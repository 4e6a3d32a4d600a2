/* lapack_case.c - see lapack_case.h. */
#define SUPPORT_NO_MAIN
#include "lapack_case.h"

#include <math.h>
#include <string.h>

#include "reference_lapack.h"
#include "support.h"

const int64_t lapack_sizes[] = {0, 1, 2, 3, 5, 9, 17, 63, 65, 129};

grid grid_new(int64_t rows, int64_t columns, int64_t gap)
{
    grid x = {.rows = rows, .columns = columns, .ld = columns + gap};
    x.data = support_floats(rows > 0 && columns > 0 ? (rows - 1) * x.ld + columns : 0);
    return x;
}

grid grid_from(const double *values, int64_t rows, int64_t columns, int64_t gap)
{
    grid x = grid_new(rows, columns, gap);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            x.data[i * x.ld + j] = (float)values[i * columns + j];
    return x;
}

static double *random_doubles(int64_t n, uint64_t seed)
{
    return support_widen(support_uniform(n, -1.0, 1.0, seed), n);
}

grid grid_random(int64_t rows, int64_t columns, int64_t gap, uint64_t seed)
{
    return grid_from(random_doubles(rows * columns, seed), rows, columns, gap);
}

grid grid_symmetric(int64_t n, int64_t gap, uint64_t seed, bool positive, double **wide)
{
    double *m = random_doubles(n * n, seed), *a = support_doubles(n * n);
    grid x = grid_new(n, n, gap);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++) {
            double sum = positive ? (i == j ? (double)n : 0.0) : m[i * n + j];
            for (int64_t l = 0; positive && l < n; l++)
                sum += m[i * n + l] * m[j * n + l];
            x.data[i * x.ld + j] = (float)sum;
            a[i * n + j] = a[j * n + i] = (double)(float)sum;
        }
    *wide = a;
    return x;
}

/* The rows of q (k x n) made orthonormal, twice, which is enough in double. */
static void orthonormalise(double *q, int64_t k, int64_t n)
{
    for (int turn = 0; turn < 2; turn++)
        for (int64_t i = 0; i < k; i++) {
            double norm = 0.0;
            for (int64_t p = 0; p < i; p++) {
                double dot = 0.0;
                for (int64_t j = 0; j < n; j++)
                    dot += q[i * n + j] * q[p * n + j];
                for (int64_t j = 0; j < n; j++)
                    q[i * n + j] -= dot * q[p * n + j];
            }
            for (int64_t j = 0; j < n; j++)
                norm += q[i * n + j] * q[i * n + j];
            for (int64_t j = 0; j < n; j++)
                q[i * n + j] /= sqrt(norm);
        }
}

grid grid_with_singular_values(const double *s, int64_t m, int64_t n, int64_t gap, uint64_t seed)
{
    const int64_t k = m < n ? m : n;
    double *ut = random_doubles(k * m, seed), *v = random_doubles(k * n, seed + 1), *a = support_doubles(m * n);
    orthonormalise(ut, k, m);
    orthonormalise(v, k, n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t l = 0; l < k; l++)
                a[i * n + j] += ut[l * m + i] * s[l] * v[l * n + j];
    return grid_from(a, m, n, gap);
}

double *grid_wide(const grid *x)
{
    double *wide = support_doubles(x->rows * x->columns);
    for (int64_t i = 0; i < x->rows; i++) {
        for (int64_t j = 0; j < x->columns; j++)
            wide[i * x->columns + j] = (double)x->data[i * x->ld + j];
        if (i + 1 < x->rows && x->columns > 0)
            ck_assert_msg(support_untouched(x->data + i * x->ld + x->columns, x->ld - x->columns),
                          "row %lld was written beyond its end", (long long)i);
    }
    return wide;
}

bool grid_untouched(const grid *x)
{
    return x->rows == 0 || x->columns == 0 || support_untouched(x->data, (x->rows - 1) * x->ld + x->columns);
}

void *lapack_space(int64_t *bytes, gg_lapack_call call, int64_t m, int64_t n, int64_t nrhs)
{
    ck_assert_int_eq(gg_lapack_workspace(bytes, call, m, n, nrhs), GG_OK);
    ck_assert_int_eq(*bytes % GG_ALIGNMENT, 0);
    return support_floats(*bytes / (int64_t)sizeof(float));
}

void lapack_assert_ratio(double value, const char *what, int64_t m, int64_t n, int64_t nrhs)
{
    ck_assert_msg(value < LAPACK_THRESHOLD, "%s, (m, n, nrhs) = (%lld, %lld, %lld): ratio %g", what, (long long)m,
                  (long long)n, (long long)nrhs, value);
}
