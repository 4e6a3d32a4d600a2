/* spiral.c - the spiral data set: x = (r sin theta, r cos theta) along one arm for each class. */
#include <gemmgrad/spiral.h>

#include <math.h>
#include <stddef.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/random.h>

/* Streams of other purposes under the same seed are small numbers. "spiral" in ASCII. */
static const uint64_t STREAM = UINT64_C(0x73706972616c0000);

gg_status gg_spiral_make(float *x, int32_t *labels, int64_t per_class, int classes, uint64_t seed)
{
    int64_t rows = 0, floats = 0;
    gg_status status = per_class < 0 || classes < 0 ? GG_ERR_ARGUMENT : gg_checked_multiply(&rows, per_class, classes);
    if (status == GG_OK)
        status = gg_checked_multiply(&floats, rows, 2 * (int64_t)sizeof *x);
    if (status != GG_OK)
        return gg_fail(status, "gg_spiral_make: per_class = %lld times classes = %d is %s", (long long)per_class,
                       classes, status == GG_ERR_ARGUMENT ? "negative" : "more than any array holds");
    if (rows > 0 && (x == NULL || labels == NULL))
        return gg_fail(GG_ERR_ARGUMENT, "gg_spiral_make: %s is NULL with %lld rows", x == NULL ? "x" : "labels",
                       (long long)rows);
    gg_random random = gg_random_make(seed, STREAM);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t c = row / per_class, j = row % per_class;
        const double r = (double)j / (double)per_class;
        const double theta = 4.0 * (double)c + 4.0 * r + 0.2 * (double)gg_random_normal(&random);
        x[2 * row] = (float)(r * sin(theta));
        x[2 * row + 1] = (float)(r * cos(theta));
        labels[row] = (int32_t)c;
    }
    return GG_OK;
}
