/* bench_cold.c - emptying caches line by line. */
#include "bench_cold.h"

#ifdef __SSE2__
#include <emmintrin.h>

bool bench_cold_possible(void)
{
    return true;
}

static void flush(const void *data, size_t bytes)
{
    enum { LINE = 64 };
    const char *at = data;
    for (size_t i = 0; at != NULL && i < bytes; i += LINE)
        _mm_clflush(at + i);
}

void bench_cold_flush(const bench_work *work)
{
    for (int i = 0; i < work->buffer_count; i++)
        flush(work->buffers[i].data, work->buffers[i].bytes);
    if (work->model != NULL) {
        const size_t bytes = (size_t)gg_model_parameter_floats(work->model) * sizeof(float);
        flush(gg_model_parameters(work->model), bytes);
        flush(gg_model_gradients(work->model), bytes);
    }
    _mm_mfence();
}
#else
bool bench_cold_possible(void)
{
    return false;
}

void bench_cold_flush(const bench_work *work)
{
    (void)work;
}
#endif
