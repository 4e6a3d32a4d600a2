/* bench_ceilings.c - the looks at the machine and what follows from them. */
#include "bench_ceilings.h"

#include <math.h>

#include "environment.h"
#include "machine.h"

void bench_ceilings_note(bench_ceilings *ceilings, double fma_gflops, double memory_gbps)
{
    if (ceilings->looks == BENCH_MOST_LOOKS)
        return;
    ceilings->fma_gflops[ceilings->looks] = fma_gflops;
    ceilings->memory_gbps[ceilings->looks] = memory_gbps;
    ceilings->looks++;
}

void bench_ceilings_look(bench_ceilings *ceilings)
{
    if (ceilings->looks < BENCH_MOST_LOOKS)
        bench_ceilings_note(ceilings, gg_machine_fma_peak(), gg_machine_memory_rate());
}

static double highest(const double *x, int count)
{
    double best = NAN;
    for (int i = 0; i < count; i++)
        best = fmax(best, x[i]); /* fmax prefers a number to NaN */
    return best;
}

double bench_ceilings_peak(const bench_ceilings *ceilings)
{
    return highest(ceilings->fma_gflops, ceilings->looks);
}

bool bench_ceilings_exceeded(const bench_ceilings *ceilings, double gflops)
{
    return gflops > 1.05 * bench_ceilings_peak(ceilings);
}

double bench_ceilings_bandwidth(const bench_ceilings *ceilings)
{
    return highest(ceilings->memory_gbps, ceilings->looks);
}

double bench_ceilings_steadiness(const bench_ceilings *ceilings)
{
    double lowest = NAN;
    for (int i = 0; i < ceilings->looks; i++)
        lowest = fmin(lowest, ceilings->fma_gflops[i]);
    return lowest / bench_ceilings_peak(ceilings);
}

double bench_ceilings_least_seconds(const bench_ceilings *ceilings, double flops, double bytes)
{
    return fmax(1e-9 * flops / bench_ceilings_peak(ceilings), 1e-9 * bytes / bench_ceilings_bandwidth(ceilings));
}

static json_t *numbers(const double *x, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, gg_json_number(x[i]));
    return list;
}

json_t *bench_ceilings_json(const bench_ceilings *ceilings)
{
    return json_pack("{s:i, s:o, s:o}", "threads", ceilings->threads, "fma_peak_gflops",
                     numbers(ceilings->fma_gflops, ceilings->looks), "memory_gbps",
                     numbers(ceilings->memory_gbps, ceilings->looks));
}
