/* matrix_check.h - what the products ask of their arguments. Every check returns GG_OK or leaves the message. */
#ifndef GG_MATRIX_CHECK_H
#define GG_MATRIX_CHECK_H

#include <stdint.h>

#include <gemmgrad/status.h>

/* One matrix argument of a public function: rows x columns floats with row distance ld. */
typedef struct gg_matrix_argument {
    const char *name;
    const void *data;
    int64_t rows, columns, ld;
} gg_matrix_argument;

/* Sizes are not negative and fit the BLAS's 32-bit integers; `names` as in "m, n, k", so that the message shows all
 * three. */
gg_status gg_check_sizes(const char *function, const char *names, int64_t a, int64_t b, int64_t c);

/* A matrix with elements has data, ld >= columns, ld fits 32 bits, and its extent in bytes is one that memory can have.
 */
gg_status gg_check_matrix(const char *function, const gg_matrix_argument *matrix);

#endif
