/* A program of somebody else, as C and as C++: a product and a determinant by the backend alone. */
#include <stdio.h>
#include <string.h>

#include <gemmgrad/blas_backend.h>
#include <gemmgrad/compat/llmc.h>

int main(void)
{
    const float a[4] = {1, 2, 3, 4};
    float c[4];
    double log_magnitude;
    int sign;
    int64_t bytes;
    void *space;
    char version[32];

    if (gg_lapack_workspace(&bytes, GG_LAPACK_LOG_DETERMINANT, 2, 2, 0) != GG_OK
        || gg_alloc(&space, (size_t)bytes) != GG_OK)
        return 1;
    if (gg_log_determinant(&sign, &log_magnitude, a, 2, 2, space, bytes) != GG_OK || sign != -1)
        return 2;
    gg_free(space);
    if (gg_gemm(c, 2, a, 2, a, 2, 2, 2, 2, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0) != GG_OK || c[3] != 22)
        return 3;
    snprintf(version, sizeof version, "%d.%d.%d", GG_VERSION_MAJOR, GG_VERSION_MINOR, GG_VERSION_PATCH);
    if (strcmp(version, gg_version()) != 0)
        return 4;
    printf("backend works\n");
    return 0;
}
