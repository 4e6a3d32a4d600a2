/* fail.h - messages for arguments that no kernel may see. The tests stand inline before each call; this is the cold
 * side. */
#ifndef GG_FAIL_H
#define GG_FAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gemmgrad/status.h>

typedef struct gg_argument {
    const char *name;
    const void *pointer;
} gg_argument;

/* GG_ARGUMENTS({"y", y}, {"x", x}) */
#define GG_ARGUMENTS(...) \
    (const gg_argument[]) \
    {                     \
        __VA_ARGS__,      \
        {                 \
            NULL, NULL    \
        }                 \
    }

/* No array has more floats: the bytes of one fit a ptrdiff_t. */
#define GG_MOST_FLOATS ((int64_t)(PTRDIFF_MAX / sizeof(float)))

/* Whether an array can have n floats: neither negative nor too many, in a single comparison. */
static inline bool gg_fits_array(int64_t n)
{
    return (uint64_t)n <= (uint64_t)GG_MOST_FLOATS;
}

/* Whether an array can hold rows >= 0 rows of 0 <= cols <= ld floats that begin ld floats apart. */
static inline bool gg_fits_matrix(int64_t rows, int64_t cols, int64_t ld)
{
    int64_t before_last;
    return gg_fits_array(cols)
           && (rows <= 1
               || (!__builtin_mul_overflow(rows - 1, ld, &before_last) && before_last <= GG_MOST_FLOATS - cols));
}

/* For a call on arrays of n floats in which no array can have n or one of the arguments is NULL. */
static inline gg_status gg_fail_array(const char *function, int64_t n, const gg_argument *arguments)
{
    if (n < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: n is %lld, expected 0 or more", function, (long long)n);
    if (!gg_fits_array(n))
        return gg_fail(GG_ERR_OVERFLOW, "%s: n is %lld, more floats than any memory holds", function, (long long)n);
    while (arguments->name != NULL && arguments->pointer != NULL)
        arguments++;
    return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL with n = %lld", function, arguments->name, (long long)n);
}

/* The same for matrices of rows x cols. */
static inline gg_status gg_fail_matrix(const char *function, int64_t rows, int64_t cols, const gg_argument *arguments)
{
    if (rows < 0 || cols < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: rows = %lld, cols = %lld, expected 0 or more", function, (long long)rows,
                       (long long)cols);
    while (arguments->name != NULL && arguments->pointer != NULL)
        arguments++;
    return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL with rows = %lld, cols = %lld", function, arguments->name,
                   (long long)rows, (long long)cols);
}

#endif
