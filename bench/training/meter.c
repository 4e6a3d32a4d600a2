/* meter.c - the clock is read last at the start and first at the stop, so that the meter does not measure itself. */
#include "meter.h"

#include "machine.h"

void gg_meter_start(gg_meter *meter)
{
    if (meter->running)
        return;
    meter->running = true;
    meter->start_allocations = gg_allocation_count();
    meter->start_counters = gg_gemm_counters_read();
    meter->start_seconds = gg_seconds_now();
}

void gg_meter_stop(gg_meter *meter)
{
    if (!meter->running)
        return;
    meter->seconds += gg_seconds_now() - meter->start_seconds;
    const gg_gemm_counters now = gg_gemm_counters_read();
    meter->gemm_seconds += now.seconds - meter->start_counters.seconds;
    meter->multiply_adds += now.multiply_adds - meter->start_counters.multiply_adds;
    meter->allocations += gg_allocation_count() - meter->start_allocations;
    meter->running = false;
}

void gg_meter_step(gg_meter *meter, int64_t samples)
{
    if (!meter->running)
        return;
    meter->steps++;
    meter->samples += samples;
}
