/* clock.c - seconds spent in products. */
#include "clock.h"

#include <stdint.h>
#include <time.h>

atomic_bool gg_clock_timing;
static _Atomic int64_t nanoseconds;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double gg_clock_start(void)
{
    return gg_clock_on() ? seconds_now() : -1.0;
}

void gg_clock_stop(double start)
{
    if (start >= 0.0)
        atomic_fetch_add_explicit(&nanoseconds, (int64_t)(1e9 * (seconds_now() - start)), memory_order_relaxed);
}

double gg_clock_total(void)
{
    return 1e-9 * (double)atomic_load(&nanoseconds);
}

void gg_clock_reset(void)
{
    atomic_store(&nanoseconds, 0);
}

void gg_clock_set(bool on)
{
    atomic_store(&gg_clock_timing, on);
}
