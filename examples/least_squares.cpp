// Call gemmgrad from C++: fit a line to points by least squares, with std::vector for memory and exceptions for errors.
#include <cmath>
#include <iostream>
#include <stdexcept>
#include <vector>

#include <gemmgrad/blas_backend.h>

static void check(gg_status status)
{
    if (status != GG_OK)
        throw std::runtime_error(gg_error_message());
}

// Workspaces want an alignment that std::vector does not promise.
class workspace
{
  public:
    explicit workspace(int64_t bytes) : size(bytes)
    {
        check(gg_alloc(&memory, static_cast<size_t>(bytes)));
    }
    ~workspace()
    {
        gg_free(memory);
    }
    workspace(const workspace &) = delete;
    workspace &operator=(const workspace &) = delete;

    void *memory = nullptr;
    int64_t size;
};

int main()
try {
    const int64_t points = 100;
    std::vector<float> a(2 * points), y(points), line(2);
    for (int64_t i = 0; i < points; i++) { // y = 3 x - 2
        a[2 * i] = static_cast<float>(i) / points;
        a[2 * i + 1] = 1.0f;
        y[i] = 3.0f * a[2 * i] - 2.0f;
    }
    int64_t bytes = 0;
    check(gg_lapack_workspace(&bytes, GG_LAPACK_LEAST_SQUARES, points, 2, 1));
    const workspace space(bytes);
    float rcond = 0.0f;
    check(gg_least_squares(line.data(), 1, &rcond, a.data(), 2, y.data(), 1, points, 2, 1, space.memory, space.size));
    std::cout << "y = " << line[0] << " x + " << line[1] << '\n';

    try {
        check(gg_gemm(line.data(), 1, a.data(), 1, y.data(), 1, 2, 1, 2, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0));
        return 1; // rows of 2 floats that are 1 apart: never accepted
    } catch (const std::runtime_error &error) {
        std::cout << error.what() << '\n';
    }
    return std::fabs(line[0] - 3.0f) > 1e-4f || std::fabs(line[1] + 2.0f) > 1e-4f;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
