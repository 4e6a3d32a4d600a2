/* matrix_check.c - argument checks shared by gemm.c and matmul.c. */
#include "matrix_check.h"

#include <limits.h>
#include <stddef.h>

#include <gemmgrad/memory.h>

gg_status gg_check_sizes(const char *function, const char *names, int64_t a, int64_t b, int64_t c)
{
    if (a < 0 || b < 0 || c < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: negative size: (%s) = (%lld, %lld, %lld)", function, names, (long long)a,
                       (long long)b, (long long)c);
    if (a > INT_MAX || b > INT_MAX || c > INT_MAX)
        return gg_fail(GG_ERR_OVERFLOW, "%s: (%s) = (%lld, %lld, %lld) does not fit the BLAS's 32-bit sizes", function,
                       names, (long long)a, (long long)b, (long long)c);
    return GG_OK;
}

gg_status gg_check_matrix(const char *function, const gg_matrix_argument *matrix)
{
    if (matrix->rows == 0 || matrix->columns == 0)
        return GG_OK;
    if (matrix->data == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL, expected %lld x %lld floats", function, matrix->name,
                       (long long)matrix->rows, (long long)matrix->columns);
    if (matrix->ld < matrix->columns)
        return gg_fail(GG_ERR_SHAPE, "%s: leading dimension of %s is %lld, its rows have %lld floats (%lld x %lld)",
                       function, matrix->name, (long long)matrix->ld, (long long)matrix->columns,
                       (long long)matrix->rows, (long long)matrix->columns);
    int64_t floats = 0;
    if (matrix->ld > INT_MAX || gg_checked_multiply(&floats, matrix->rows, matrix->ld) != GG_OK
        || floats > PTRDIFF_MAX / (int64_t)sizeof(float))
        return gg_fail(GG_ERR_OVERFLOW, "%s: %s of %lld rows with leading dimension %lld is too large", function,
                       matrix->name, (long long)matrix->rows, (long long)matrix->ld);
    return GG_OK;
}
