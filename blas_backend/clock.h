/* clock.h - seconds spent in products, measured only while somebody asks. */
#ifndef GG_CLOCK_H
#define GG_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool gg_clock_timing;

static inline bool gg_clock_on(void)
{
    return atomic_load_explicit(&gg_clock_timing, memory_order_relaxed);
}

/* Around one product: seconds now, or -1 while timing is off. */
double gg_clock_start(void);
void gg_clock_stop(double start);

double gg_clock_total(void);
void gg_clock_reset(void);
void gg_clock_set(bool on);

#endif
