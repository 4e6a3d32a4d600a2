/* gemmgrad/status.h - what every call returns, and how to ask what went wrong.
 *
 * Every fallible function returns a gg_status. On anything but GG_OK the outputs are untouched and
 * gg_error_message() holds one sentence that names the function, the argument and the shapes.
 * The library never prints, exits or aborts. */
#ifndef GEMMGRAD_STATUS_H
#define GEMMGRAD_STATUS_H

#include <gemmgrad/export.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_status {
    GG_OK = 0,
    GG_ERR_ARGUMENT,    /* NULL, negative size, unknown option */
    GG_ERR_SHAPE,       /* sizes or leading dimensions that do not fit together */
    GG_ERR_OVERFLOW,    /* a size or a product of sizes that no buffer can have */
    GG_ERR_MEMORY,      /* the allocator returned NULL */
    GG_ERR_IO,          /* open, read, write, rename; the message carries the system's words */
    GG_ERR_FORMAT,      /* a file that is not what it says it is */
    GG_ERR_UNSUPPORTED, /* correct, but not offered by this build or this BLAS */
    GG_ERR_NUMERIC,     /* NaN or infinity where training cannot go on */
    GG_ERR_SINGULAR,    /* a matrix that is singular, not positive definite or not of full rank */
    GG_ERR_STATE,       /* a call out of order: backward before forward, a model not planned */
    GG_ERR_INTERNAL     /* a broken promise of a library below, or our own defect */
} gg_status;

/* A constant English name such as "shape mismatch"; "unknown status" for any other number. */
GG_API const char *gg_status_string(gg_status status);

/* The sentence left by this thread's last failed call; "" when none failed yet. The string belongs
 * to the library, lives until this thread's next failing call, and is never NULL. */
GG_API const char *gg_error_message(void);

/* Record a message for this thread and return `status`: for code built on the library that wants to
 * report in the same way. printf-style; truncated at 511 bytes. */
GG_API gg_status gg_fail(gg_status status, const char *format, ...) GG_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
