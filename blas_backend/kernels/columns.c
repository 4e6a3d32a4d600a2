/* columns.c - pieces of the matrix of columns, copied from padded planes and added back to them; rows of an image split
 * by stride and joined again. See conv_planes.h for the planes. */
#include "kernel_set.h"

/* A block of LANES floats; whole blocks only: what is written beyond a run is overwritten by the next one, or lies in
 * the slack behind the last row. */
GG_INLINE void copy_run(float *target, const float *source, int64_t length)
{
    for (int64_t i = 0; i < length; i += LANES)
        GG_FOR_LANES (lane, LANES)
            target[i + lane] = source[i + lane];
}

void GG_KERNEL(copy_columns)(float *target, int64_t ld, const float *source, const gg_tap_rows *rows,
                             const gg_pixel_run *runs, int64_t run_count)
{
    int64_t tap = rows->first % rows->taps;
    const float *channel = source + rows->first / rows->taps * rows->channel_floats;
    for (int64_t r = 0; r < rows->count; r++) {
        const float *base = channel + rows->offsets[tap];
        float *at = target + r * ld;
        for (int64_t s = 0; s < run_count; s++) {
            copy_run(at, base + runs[s].offset, runs[s].length);
            at += runs[s].length;
        }
        if (++tap == rows->taps) {
            tap = 0;
            channel += rows->channel_floats;
        }
    }
}

GG_INLINE void add_element(int64_t i, float *target, const float *source)
{
    target[i] += source[i];
}

/* Tap after tap, each through all channels: taps side by side meet in the same floats, and a load that half overlaps a
 * store just before it waits for that store to reach the cache. */
void GG_KERNEL(add_columns)(float *target, const float *source, int64_t ld, const gg_tap_rows *rows,
                            const gg_pixel_run *runs, int64_t run_count)
{
    const int64_t end = rows->first + rows->count;
    for (int64_t tap = 0; tap < rows->taps; tap++) {
        int64_t channel = (rows->first - tap + rows->taps - 1) / rows->taps;
        for (; channel * rows->taps + tap < end; channel++) {
            float *base = target + channel * rows->channel_floats + rows->offsets[tap];
            const float *at = source + (channel * rows->taps + tap - rows->first) * ld;
            for (int64_t s = 0; s < run_count; s++) {
                GG_OVER_ARRAY(runs[s].length, add_element, base + runs[s].offset, at);
                at += runs[s].length;
            }
        }
    }
}

void GG_KERNEL(take_every)(float *target, const float *source, int64_t n, int64_t stride)
{
    if (stride == 2)
        for (int64_t i = 0; i < n; i++)
            target[i] = source[2 * i];
    else
        for (int64_t i = 0; i < n; i++)
            target[i] = source[i * stride];
}

void GG_KERNEL(put_every)(float *target, const float *source, int64_t n, int64_t stride, bool accumulate)
{
    if (accumulate)
        for (int64_t i = 0; i < n; i++)
            target[i * stride] += source[i];
    else
        for (int64_t i = 0; i < n; i++)
            target[i * stride] = source[i];
}
