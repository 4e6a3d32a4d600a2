/* stream.c - copies past the caches: lines that will not be found there later need not be fetched before they are
 * overwritten. */
#include "kernel_set.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__AVX512F__)
#define STREAM(to, from) _mm512_stream_ps(to, _mm512_loadu_ps(from))
#elif defined(__AVX__)
#define STREAM(to, from) _mm256_stream_ps(to, _mm256_loadu_ps(from))
#else
#define STREAM(to, from) _mm_stream_ps(to, _mm_loadu_ps(from))
#endif

void GG_KERNEL(stream_rows)(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c += LANES)
            STREAM(target + r * ldt + c, source + r * lds + c);
}

void GG_KERNEL(end_streams)(void)
{
    _mm_sfence();
}

#else
#include <string.h>

void GG_KERNEL(stream_rows)(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        memcpy(target + r * ldt, source + r * lds, (size_t)cols * sizeof *target);
}

void GG_KERNEL(end_streams)(void)
{
}

#endif
