/* test_bench_ceilings.c - what follows from the looks at a machine, here one that this file plays. */
#include "bench_ceilings.h"

#include <math.h>

#include <check.h>

#include "environment.h"
#include "machine.h"
#include "support.h"

static double played_peak, played_bandwidth;

double gg_machine_fma_peak(void)
{
    return played_peak;
}

double gg_machine_memory_rate(void)
{
    return played_bandwidth;
}

json_t *gg_json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static void look(bench_ceilings *ceilings, double peak, double bandwidth)
{
    played_peak = peak;
    played_bandwidth = bandwidth;
    bench_ceilings_look(ceilings);
}

START_TEST(the_best_look_counts)
{
    bench_ceilings ceilings = {.threads = 1};
    look(&ceilings, 80.0, 12.0);
    look(&ceilings, 100.0, 10.0);
    look(&ceilings, (double)NAN, (double)NAN);
    ck_assert_double_eq(bench_ceilings_peak(&ceilings), 100.0);
    ck_assert_double_eq(bench_ceilings_bandwidth(&ceilings), 12.0);
}
END_TEST

START_TEST(beyond_the_peak)
{
    bench_ceilings ceilings = {.threads = 1};
    ck_assert(!bench_ceilings_exceeded(&ceilings, 100.0)); /* no look, no peak */
    look(&ceilings, 100.0, 10.0);
    ck_assert(!bench_ceilings_exceeded(&ceilings, 99.0));
    ck_assert(!bench_ceilings_exceeded(&ceilings, 104.9));
    ck_assert(bench_ceilings_exceeded(&ceilings, 105.1));
    ck_assert(!bench_ceilings_exceeded(&ceilings, (double)NAN));
    look(&ceilings, 110.0, 10.0);
    ck_assert(!bench_ceilings_exceeded(&ceilings, 105.1));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, the_best_look_counts);
    tcase_add_test(tests, beyond_the_peak);
}
