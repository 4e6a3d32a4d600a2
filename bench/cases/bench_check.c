/* bench_check.c - results against sums in double. */
#include "bench_check.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "bench_random.h"

gg_status bench_check_array(const char *what, int64_t first, const float *found, const double *expected,
                            const double *scale, int64_t n, double bound)
{
    for (int64_t i = 0; i < n; i++) {
        const double allowed = bound * (double)FLT_EPSILON * (scale != NULL ? scale[i] : fabs(expected[i]));
        if (!(fabs((double)found[i] - expected[i]) <= fmax(allowed, (double)FLT_MIN)))
            return gg_fail(
                GG_ERR_NUMERIC, "%s[%lld] is %.9g, the reference in double has %.9g (error %.3g, allowed %.3g)", what,
                (long long)(first + i), (double)found[i], expected[i], fabs((double)found[i] - expected[i]), allowed);
    }
    return GG_OK;
}

double *bench_check_doubles(bench_work *work, const float *x, int64_t n)
{
    double *values = bench_take_zeros(work, n);
    for (int64_t i = 0; values != NULL && x != NULL && i < n; i++)
        values[i] = (double)x[i];
    return values;
}

/* ---- products ---- */

/* Places inside a product that are looked at besides its borders. */
enum { PLACES = 256 };

/* LAPACK's bound for a product. */
static const double BOUND = 16.0;

/* Element (i, j) of product number `number` of a batch. */
static gg_status check_element(const bench_sgemm *p, int number, int i, int j)
{
    const float *a = p->a + number * p->stride_a, *b = p->b + number * p->stride_b;
    const int64_t k_of_a = p->transpose_a ? p->m : 1, k_of_b = p->transpose_b ? 1 : p->n;
    const float *row = a + (p->transpose_a ? i : (int64_t)i * p->k);
    const float *column = b + (p->transpose_b ? (int64_t)j * p->k : j);
    double sum = p->bias != NULL ? (double)p->bias[j] : 0.0, magnitude = fabs(sum);
    for (int64_t l = 0; l < p->k; l++) {
        const double term = (double)row[l * k_of_a] * (double)column[l * k_of_b];
        sum += term;
        magnitude += fabs(term);
    }
    const int64_t place = number * p->stride_c + (int64_t)i * p->n + j;
    return bench_check_array("C", place, p->c + place, &sum, &magnitude, 1, BOUND);
}

/* The first and last rows and columns, thinned out where they are long. */
static gg_status check_borders(const bench_sgemm *p, int number)
{
    const int row_step = p->m / PLACES + 1, column_step = p->n / PLACES + 1;
    gg_status status = GG_OK;
    for (int i = 0; i < p->m && status == GG_OK; i += row_step) {
        status = check_element(p, number, i, 0);
        if (status == GG_OK)
            status = check_element(p, number, i, p->n - 1);
    }
    for (int j = 0; j < p->n && status == GG_OK; j += column_step) {
        status = check_element(p, number, 0, j);
        if (status == GG_OK)
            status = check_element(p, number, p->m - 1, j);
    }
    return status;
}

static gg_status check_product(const bench_sgemm *p, bench_random *random)
{
    gg_status status = check_borders(p, 0);
    if (status == GG_OK && p->count > 1)
        status = check_borders(p, p->count - 1);
    for (int i = 0; i < PLACES && status == GG_OK; i++)
        status = check_element(p, bench_random_below(random, p->count), bench_random_below(random, p->m),
                               bench_random_below(random, p->n));
    return status;
}

static int64_t result_floats(const bench_sgemm *p)
{
    return (int64_t)(p->count - 1) * p->stride_c + (int64_t)p->m * p->n;
}

gg_status bench_check_products(bench_work *work, int variant)
{
    bench_random random = {.state = 1};
    gg_status status = GG_OK;
    for (int i = 0; i < work->raw_count; i++)
        memset(work->raw[i].c, 0xFF, (size_t)result_floats(&work->raw[i]) * sizeof(float)); /* NaN everywhere */
    status = work->line->kind->variants[variant].run(work);
    for (int i = 0; i < work->raw_count && status == GG_OK; i++) {
        bool finite = false;
        status = gg_all_finite(&finite, work->raw[i].c, result_floats(&work->raw[i]));
        if (status == GG_OK && !finite)
            status = gg_fail(GG_ERR_NUMERIC, "a result of %d x %d is not written everywhere", work->raw[i].m,
                             work->raw[i].n);
        if (status == GG_OK)
            status = check_product(&work->raw[i], &random);
    }
    return status;
}

gg_status bench_check(bench_work *work, int variant)
{
    const bench_kind *kind = work->line->kind;
    const int kept = work->buffer_count;
    const gg_status status = kind->check != NULL ? kind->check(work, variant) : bench_check_products(work, variant);
    bench_release(work, kept);
    return status;
}
