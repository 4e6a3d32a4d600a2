/* test_accuracy.c - the largest error of every activation on every instruction set, in units in the last place
 * (ulp).
 *
 * The suite looks at every 1009th float and at the neighbourhoods of all points where a kernel changes its formula.
 * With GEMMGRAD_EXHAUSTIVE=1 in the environment it looks at all 2^32 floats, on OMP_NUM_THREADS threads; with the name
 * of an activation instead of 1 for that one only, with gelu:0/4 for the first quarter of them. docs/accuracy.md has
 * the results. The reference is double libm, good to a millionth of a float's ulp. An error of e ulp against the exact
 * value is at most e + 0.5 ulp against the exactly rounded one, which must not exceed 4. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "reference_elementwise.h"
#include "support.h"

enum { BLOCK = 4096, STRIDE = 1009, NEIGHBOURS = 200 };

typedef struct accuracy_case {
    gg_activation f;
    float alpha;
    double bound;          /* ulp, forward: the exhaustive finding rounded up to the next quarter */
    double backward_bound; /* float epsilons times the magnitude of the terms of f' */
} accuracy_case;

static const accuracy_case cases[] = {
    {GG_IDENTITY, 0, 0, 0},
    {GG_SIGMOID, 0, 2, 1},
    {GG_TANH, 0, 2.25, 1},
    {GG_RELU, 0, 0, 0},
    {GG_LEAKY_RELU, 0.01f, 0.5, 0},
    {GG_ELU, 1, 2.75, 2},
    {GG_ELU, 1.6732632f, 2.75, 2}, /* SELU's */
    {GG_SILU, 0, 2, 2.5},
    {GG_GELU, 0, 2.75, 2.5},
    {GG_GELU_TANH, 0, 2, 3},
    {GG_EXP, 0, 1.25, 0.5},
    {GG_LOG, 0, 1, 0.5},
};
enum { CASES = sizeof cases / sizeof *cases };

/* Where formulae change and ranges end: 2/3, 4/3 and their like for log, 0.75, the ends of tables at 5.412344 and
 * 6.027383 and the clamps at 11, 15, 30, 110 for GELU and its kin, 87.3 to 104 where e^x becomes denormal, 0 or
 * infinite, and a few points for good measure. */
static const float special[] = {
    0.0f,      FLT_TRUE_MIN, FLT_MIN,    0x1p-24f,    0x1p-12f, 0.3333333f, 0.5f,  0.6666667f, 0.70710678f,
    0.75f,     1.0f,         1.3333333f, 1.41421356f, 2.0f,     2.75f,      5.0f,  5.4123435f, 6.0273829f,
    9.010913f, 11.0f,        13.0f,      14.0f,       15.0f,    16.635532f, 30.0f, 87.33654f,  88.72283f,
    89.0f,     103.27893f,   103.97208f, 104.0f,      110.0f,   1e10f,      1e20f, FLT_MAX,
};

typedef struct worst {
    double error;
    float x, y;
} worst;

/* One measurement, or one thread's part of it: floats gather in x until there is a block of them. */
typedef struct measurement {
    const accuracy_case *wanted;
    bool backward;
    worst found[GG_ISA_AVX512 + 1];
    int n;
    float x[BLOCK];
} measurement;

static float float_of(uint32_t bits)
{
    float x = 0.0f;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The distance of neighbouring floats at r. */
static double ulp(double r)
{
    int exponent = 0;
    frexp(r, &exponent);
    return ldexp(1.0, (exponent > FLT_MIN_EXP ? exponent : FLT_MIN_EXP) - FLT_MANT_DIG);
}

/* An infinite y counts as 2^128, the float after the last; from there on it is right. */
static double forward_error(float y, double r)
{
    const double end = 0x1p128;
    if (isnan(r) || isnan(y))
        return isnan(r) && isnan(y) ? 0.0 : INFINITY;
    const double exact = fabs(r) > end ? copysign(end, r) : r;
    const double found = isinf(y) ? copysign(end, (double)y) : (double)y;
    return found == exact ? 0.0 : fabs(found - exact) / ulp(exact);
}

static double backward_error(const accuracy_case *c, float y, float x)
{
    const double exact = reference_slope(c->f, (double)x, (double)c->alpha);
    const double unit = (double)FLT_EPSILON * reference_slope_scale(c->f, (double)x, (double)c->alpha);
    const double least = (double)FLT_TRUE_MIN;
    return isfinite(y) ? fabs((double)y - exact) / (unit > least ? unit : least) : INFINITY;
}

/* Compute the block on every instruction set and keep the largest errors. */
static void flush(measurement *m)
{
    const accuracy_case *c = m->wanted;
    double exact[BLOCK];
    float y[BLOCK], dy[BLOCK];
    for (int i = 0; i < m->n; i++) {
        dy[i] = 1.0f;
        exact[i] = m->backward ? 0.0 : reference_activation(c->f, (double)m->x[i], (double)c->alpha);
    }
    for (gg_isa isa = GG_ISA_BASELINE; isa <= GG_ISA_AVX512; isa++) {
        const gg_kernel_table *kernels = support_cpu_runs(isa) ? gg_kernels_for(isa) : NULL;
        if (kernels == NULL)
            continue;
        if (m->backward)
            kernels->backward[c->f](y, dy, m->x, m->n, c->alpha, false);
        else
            kernels->forward[c->f](y, m->x, m->n, c->alpha);
        for (int i = 0; i < m->n; i++) {
            const double error = m->backward ? backward_error(c, y[i], m->x[i]) : forward_error(y[i], exact[i]);
            if (!(error <= m->found[isa].error))
                m->found[isa] = (worst){error, m->x[i], y[i]};
        }
    }
    m->n = 0;
}

/* Finite floats count; a derivative is wanted from a y in the range of f, and where 1 / x is a float. */
static bool in_domain(const measurement *m, float x)
{
    const gg_activation f = m->wanted->f;
    if (m->backward && f == GG_SIGMOID)
        return x >= 0.0f && x <= 1.0f;
    if (m->backward && f == GG_TANH)
        return x >= -1.0f && x <= 1.0f;
    if (m->backward && f == GG_LOG)
        return x >= 0x1p-127f && isfinite(x);
    return isfinite(x);
}

static void add_bits(measurement *m, uint32_t bits)
{
    const float x = float_of(bits);
    if (!in_domain(m, x))
        return;
    m->x[m->n++] = x;
    if (m->n == BLOCK)
        flush(m);
}

static void add_neighbours(measurement *m, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    for (uint32_t i = 0; i <= 2 * NEIGHBOURS; i++)
        add_bits(m, bits + i - NEIGHBOURS);
}

static void measure_sample(measurement *m)
{
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += STRIDE)
        add_bits(m, (uint32_t)bits);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        add_neighbours(m, special[i]);
        add_neighbours(m, -special[i]);
    }
    /* The borders of the reduced argument of e^x, 2x and x/2, and all powers of two. */
    for (int k = -320; k <= 320; k++)
        add_neighbours(m, (float)(k * 0.34657359027997265 / 2));
    for (int k = FLT_MIN_EXP; k < FLT_MAX_EXP; k++) {
        add_neighbours(m, ldexpf(1.0f, k));
        add_neighbours(m, -ldexpf(1.0f, k));
    }
    flush(m);
}

/* Floats whose upper 16 bits are begin .. end-1. */
static void measure_all(measurement *m, uint32_t begin, uint32_t end)
{
#pragma omp parallel
    {
        measurement part = *m;
#pragma omp for schedule(dynamic)
        for (uint32_t high = begin; high < end; high++)
            for (uint32_t low = 0; low <= UINT16_MAX; low++)
                add_bits(&part, high << 16 | low);
        flush(&part);
#pragma omp critical
        for (gg_isa isa = GG_ISA_BASELINE; isa <= GG_ISA_AVX512; isa++)
            if (!(part.found[isa].error <= m->found[isa].error))
                m->found[isa] = part.found[isa];
    }
}

/* Whether GEMMGRAD_EXHAUSTIVE asks for all floats of f, or for which of how many equal parts of them. */
static bool exhaustive(gg_activation f, uint32_t *begin, uint32_t *end)
{
    const char *value = getenv("GEMMGRAD_EXHAUSTIVE");
    char name[32] = "";
    unsigned part = 0, parts = 1;
    if (value == NULL || sscanf(value, "%31[a-z_0-9]:%u/%u", name, &part, &parts) < 1 || part >= parts)
        return false;
    *begin = (uint32_t)(UINT64_C(0x10000) * part / parts);
    *end = (uint32_t)(UINT64_C(0x10000) * (part + 1) / parts);
    return strcmp(name, "1") == 0 || strcmp(name, gg_activation_name(f)) == 0;
}

static void report(const measurement *m, double bound, const char *unit)
{
    static const char *const names[] = {"baseline", "avx2", "avx512"};
    for (gg_isa isa = GG_ISA_BASELINE; isa <= GG_ISA_AVX512; isa++)
        if (support_cpu_runs(isa) && gg_kernels_for(isa) != NULL)
            printf("# %s %s(alpha %g) %s: %.4f %s at x = %a (%g): %.9g\n", m->backward ? "backward" : "forward",
                   gg_activation_name(m->wanted->f), (double)m->wanted->alpha, names[isa], m->found[isa].error, unit,
                   (double)m->found[isa].x, (double)m->found[isa].x, (double)m->found[isa].y);
    for (gg_isa isa = GG_ISA_BASELINE; isa <= GG_ISA_AVX512; isa++)
        ck_assert_msg(m->found[isa].error <= bound, "%s of %s on %s: %.4f %s at %a, bound %g",
                      m->backward ? "backward" : "forward", gg_activation_name(m->wanted->f), names[isa],
                      m->found[isa].error, unit, (double)m->found[isa].x, bound);
}

static void measure(measurement *m)
{
    uint32_t begin = 0, end = 0;
    if (exhaustive(m->wanted->f, &begin, &end))
        measure_all(m, begin, end);
    else
        measure_sample(m);
}

START_TEST(forward)
{
    static measurement m;
    m = (measurement){.wanted = &cases[_i]};
    measure(&m);
    report(&m, cases[_i].bound, "ulp");
}
END_TEST

START_TEST(backward)
{
    static measurement m;
    m = (measurement){.wanted = &cases[_i], .backward = true};
    measure(&m);
    report(&m, cases[_i].backward_bound, "epsilons of the terms");
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, forward, 0, CASES);
    tcase_add_loop_test(tests, backward, 0, CASES);
}
