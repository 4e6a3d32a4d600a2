/* kernels/stream.h - results written past the caches: those of arrays that outgrow them, which nobody finds there
 * later. An ordinary store reads the line that it will overwrite from memory first, a third of all traffic of y = f(x).
 *
 * Such stores fill whole lines: arrays begin at one, and hold a multiple of GG_LINE floats. */
#ifndef GG_STREAM_H
#define GG_STREAM_H

#include "kernel_set.h"

#include <string.h>
#if defined(__SSE__)
#include <immintrin.h>
#endif

GG_INLINE void stream_line(float *to, const float line[GG_LINE])
{
#if defined(__AVX512F__)
    _mm512_stream_ps(to, _mm512_loadu_ps(line));
#elif defined(__AVX__)
    _mm256_stream_ps(to, _mm256_loadu_ps(line));
    _mm256_stream_ps(to + LANES, _mm256_loadu_ps(line + LANES));
#elif defined(__SSE__)
    for (int i = 0; i < GG_LINE; i += LANES)
        _mm_stream_ps(to + i, _mm_loadu_ps(line + i));
#else
    memcpy(to, line, GG_LINE * sizeof *to);
#endif
}

/* Behind the last of them, before other threads may hear that the results are there: these stores keep no order. */
GG_INLINE void stream_end(void)
{
#if defined(__SSE__)
    _mm_sfence();
#endif
}

/* to[i] = value(i, ...) for i = 0 .. n-1; `before` stands before the line that begins at line_. */
#define GG_STREAM_LINES(n, to, before, value, ...)                  \
    do {                                                            \
        for (int64_t line_ = 0; line_ < (n); line_ += GG_LINE) {    \
            float values_[GG_LINE];                                 \
            before;                                                 \
            GG_FOR_LANES (lane_, GG_LINE)                           \
                values_[lane_] = value(line_ + lane_, __VA_ARGS__); \
            stream_line((to) + line_, values_);                     \
        }                                                           \
    } while (0)
#define GG_STREAM_ARRAY(n, to, value, ...) GG_STREAM_LINES(n, to, (void)0, value, __VA_ARGS__)

/* Floats that loops over arrays ask for ahead: a page, at whose end the hardware's own asking stops. */
enum { GG_AHEAD = 1024 };

/* Floats of a row that stay in the second-level cache until their turn comes. */
enum { GG_MOST_ASKED = 8192 };

/* Floats begin .. end-1 of the row behind, so that memory works while this one is computed. Of long rows only the
 * first GG_MOST_ASKED. */
GG_INLINE void ask_for(const float *row, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end && i < GG_MOST_ASKED; i += GG_LINE)
        __builtin_prefetch(row + i);
}

#endif
