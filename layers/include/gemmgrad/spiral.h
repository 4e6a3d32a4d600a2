/* gemmgrad/spiral.h - the spiral data set of "Deep Learning from Scratch 2" (S. Goki, O'Reilly Japan 2018, chapter
 * 1.5). */
#ifndef GEMMGRAD_SPIRAL_H
#define GEMMGRAD_SPIRAL_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Arms of a spiral, one for each class. Sample j of class c is row per_class * c + j:
 *     r = j / per_class,  theta = 4 c + 4 r + 0.2 z,  x = (r sin theta, r cos theta),  z standard normal.
 * The book has per_class = 100 and 3 classes. x: (classes * per_class) x 2; labels: classes * per_class; both belong
 * to the caller and are the same for the same arguments. 0 of either does nothing. Thread-safe on different outputs.
 * Errors, outputs untouched: GG_ERR_ARGUMENT (negative size, NULL output), GG_ERR_OVERFLOW. */
GG_API gg_status gg_spiral_make(float *x, int32_t *labels, int64_t per_class, int classes, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
