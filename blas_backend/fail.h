/* fail.h - messages for arguments that no kernel may see. The tests stand inline before each call; this is the cold
 * side. */
#ifndef GG_FAIL_H
#define GG_FAIL_H

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

/* For a call on arrays of n elements in which n is negative or one of the arguments is NULL. */
static inline gg_status gg_fail_array(const char *function, int64_t n, const gg_argument *arguments)
{
    if (n < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: n is %lld, expected 0 or more", function, (long long)n);
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
