/* stream.c - copies past the caches: lines that will not be found there later need not be fetched before they are
 * overwritten. */
#include "stream.h"

void GG_KERNEL(stream_rows)(float *target, int64_t ldt, const float *source, int64_t lds, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c += GG_LINE)
            stream_line(target + r * ldt + c, source + r * lds + c);
}

void GG_KERNEL(end_streams)(void)
{
    stream_end();
}
