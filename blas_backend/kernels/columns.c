/* columns.c - pieces of the matrix of columns, copied from padded planes and added back to them; rows of an image
 * padded and split by stride, and joined again. See conv_planes.h for the planes. */
#include "masked.h"

/* Blocks of LANES floats that runs fall into, the same in every row. Whole blocks only: what is written beyond a run is
 * overwritten by the next one, or lies in the slack behind the last row. */
enum { MOST_BLOCKS = 256 };
typedef struct block {
    int64_t from, to;
} block;

static int64_t blocks_of(block *blocks, const gg_pixel_run *runs, int64_t run_count)
{
    int64_t count = 0, at = 0;
    for (int64_t s = 0; s < run_count; s++) {
        for (int64_t i = 0; i < runs[s].length; i += LANES)
            blocks[count++] = (block){runs[s].offset + i, at + i};
        at += runs[s].length;
    }
    return count;
}

/* The number of blocks is a constant where it is called, if it is small. */
GG_INLINE void copy_blocks(float *target, int64_t ld, const float *source, const gg_tap_rows *rows, const block *blocks,
                           int64_t count)
{
    int64_t tap = rows->first % rows->taps;
    const float *channel = source + rows->first / rows->taps * rows->channel_floats;
    for (int64_t r = 0; r < rows->count; r++) {
        const float *base = channel + rows->offsets[tap];
        float *at = target + r * ld;
        for (int64_t b = 0; b < count; b++)
            GG_FOR_LANES (lane, LANES)
                at[blocks[b].to + lane] = base[blocks[b].from + lane];
        if (++tap == rows->taps) {
            tap = 0;
            channel += rows->channel_floats;
        }
    }
}

void GG_KERNEL(copy_columns)(float *target, int64_t ld, const float *source, const gg_tap_rows *rows,
                             const gg_pixel_run *runs, int64_t run_count)
{
    block blocks[MOST_BLOCKS];
    const int64_t count = blocks_of(blocks, runs, run_count);
    switch (count) {
    case 4: copy_blocks(target, ld, source, rows, blocks, 4); break;
    case 5: copy_blocks(target, ld, source, rows, blocks, 5); break;
    case 6: copy_blocks(target, ld, source, rows, blocks, 6); break;
    default: copy_blocks(target, ld, source, rows, blocks, count); break;
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

/* A block of all rows at a time, so that its masks are made once. */
void GG_KERNEL(pad_rows)(float *target, int64_t pitch, const float *source, int64_t lds, int64_t rows, int64_t from,
                         int64_t to, int64_t stride)
{
    for (int64_t j = 0; j < pitch; j += LANES) {
        const int64_t first = (from - j) * stride, end = (to - j - 1) * stride + 1;
        const lanes low = some_lanes(first, end), high = some_lanes(first - LANES, end - LANES);
        const lanes stored = some_lanes(0, pitch - j);
        for (int64_t r = 0; r < rows; r++) {
            const float *at = source + r * lds - first;
            vector a = load(at, low);
            if (stride == 2) {
                vector odd;
                split(&a, &odd, a, load(at + LANES, high));
            }
            store(target + r * pitch + j, a, stored);
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
