/* elementwise.c - functions of single elements, biases, sums: checks, then the kernels, on several threads where
 * that pays. */
#include <gemmgrad/elementwise.h>

#include <stdatomic.h>
#include <stddef.h>

#include "backend.h"
#include "fail.h"
#include "kernels/kernels.h"
#include "parallel.h"

/* Elements that keep a thread busy for about as long as it takes to wake it, 10 us: memory gives some 6 elements a
 * nanosecond, an activation takes 0.2 to 0.4 ns an element. Inner borders fall on cache lines. */
enum { CHEAP_GRAIN = 65536, ACTIVATION_GRAIN = 32768, LINE = 16 };

static const char *const names[GG_ACTIVATION_COUNT] = {
#define NAME(constant, name) [constant] = #name,
    GG_ACTIVATION_LIST(NAME)
#undef NAME
};

static inline bool known(gg_activation f)
{
    return (unsigned)f < GG_ACTIVATION_COUNT;
}

static gg_status fail_activation(const char *function, gg_activation f)
{
    return gg_fail(GG_ERR_ARGUMENT, "%s: unknown activation %d, expected 0 to %d", function, (int)f,
                   GG_ACTIVATION_COUNT - 1);
}

const char *gg_activation_name(gg_activation f)
{
    return known(f) ? names[f] : NULL;
}

bool gg_activation_needs_input(gg_activation f)
{
    return f == GG_LEAKY_RELU || f == GG_ELU || f == GG_SILU || f == GG_GELU || f == GG_GELU_TANH || f == GG_LOG;
}

typedef struct forward_job {
    float *y;
    const float *x;
    gg_forward_kernel *kernel, *streamed; /* streamed: of whole lines; NULL: none */
    float alpha;
} forward_job;

static int64_t whole_lines(int64_t n)
{
    return n / LINE * LINE;
}

static void run_forward(void *context, int64_t begin, int64_t end)
{
    const forward_job *job = context;
    int64_t i = begin;
    if (job->streamed != NULL) {
        job->streamed(job->y + i, job->x + i, whole_lines(end - i), job->alpha);
        i += whole_lines(end - i);
    }
    job->kernel(job->y + i, job->x + i, end - i, job->alpha);
}

gg_status gg_activation_forward(float *y, const float *x, int64_t n, gg_activation f, float alpha)
{
    if (!known(f))
        return fail_activation("gg_activation_forward", f);
    if (!gg_fits_array(n) || (n > 0 && (y == NULL || x == NULL)))
        return gg_fail_array("gg_activation_forward", n, GG_ARGUMENTS({"y", y}, {"x", x}));
    gg_forward_kernel *kernel = gg_kernels()->forward[f];
    if (n < 2 * ACTIVATION_GRAIN) {
        kernel(y, x, n, alpha);
        return GG_OK;
    }
    const bool streams = y != x && gg_policy_streams(y, 1, whole_lines(n), 2);
    forward_job job = {y, x, kernel, streams ? gg_kernels()->streamed[f] : NULL, alpha};
    gg_parallel_for(n, ACTIVATION_GRAIN, LINE, run_forward, &job);
    return GG_OK;
}

typedef struct backward_job {
    float *dx;
    const float *dy, *xy;
    gg_backward_kernel *kernel;
    float alpha;
    gg_writing writing;
} backward_job;

static void run_backward(void *context, int64_t begin, int64_t end)
{
    const backward_job *job = context;
    int64_t i = begin;
    if (job->writing == GG_STREAM) {
        job->kernel(job->dx + i, job->dy + i, job->xy + i, whole_lines(end - i), job->alpha, GG_STREAM);
        i += whole_lines(end - i);
    }
    job->kernel(job->dx + i, job->dy + i, job->xy + i, end - i, job->alpha,
                job->writing == GG_ADD ? GG_ADD : GG_OVERWRITE);
}

gg_status gg_activation_backward(float *dx, const float *dy, const float *xy, int64_t n, gg_activation f, float alpha,
                                 bool accumulate)
{
    if (!known(f))
        return fail_activation("gg_activation_backward", f);
    if (!gg_fits_array(n) || (n > 0 && (dx == NULL || dy == NULL || xy == NULL)))
        return gg_fail_array("gg_activation_backward", n, GG_ARGUMENTS({"dx", dx}, {"dy", dy}, {"xy", xy}));
    gg_backward_kernel *kernel = gg_kernels()->backward[f];
    if (n < 2 * ACTIVATION_GRAIN) {
        kernel(dx, dy, xy, n, alpha, accumulate ? GG_ADD : GG_OVERWRITE);
        return GG_OK;
    }
    const bool streams = !accumulate && dx != dy && dx != xy && gg_policy_streams(dx, 1, whole_lines(n), 3);
    backward_job job = {dx, dy, xy, kernel, alpha, accumulate ? GG_ADD : streams ? GG_STREAM : GG_OVERWRITE};
    gg_parallel_for(n, ACTIVATION_GRAIN, LINE, run_backward, &job);
    return GG_OK;
}

typedef void binary_kernel(float *y, const float *a, const float *b, int64_t n);

typedef struct binary_job {
    float *y;
    const float *a, *b;
    binary_kernel *kernel;
} binary_job;

static void run_binary(void *context, int64_t begin, int64_t end)
{
    const binary_job *job = context;
    job->kernel(job->y + begin, job->a + begin, job->b + begin, end - begin);
}

static inline gg_status binary(const char *function, float *y, const float *a, const float *b, int64_t n,
                               binary_kernel *kernel)
{
    if (!gg_fits_array(n) || (n > 0 && (y == NULL || a == NULL || b == NULL)))
        return gg_fail_array(function, n, GG_ARGUMENTS({"y", y}, {"a", a}, {"b", b}));
    if (n < 2 * CHEAP_GRAIN) {
        kernel(y, a, b, n);
        return GG_OK;
    }
    binary_job job = {y, a, b, kernel};
    gg_parallel_for(n, CHEAP_GRAIN, LINE, run_binary, &job);
    return GG_OK;
}

gg_status gg_add(float *y, const float *a, const float *b, int64_t n)
{
    return binary("gg_add", y, a, b, n, gg_kernels()->add);
}

gg_status gg_multiply(float *y, const float *a, const float *b, int64_t n)
{
    return binary("gg_multiply", y, a, b, n, gg_kernels()->multiply);
}

gg_status gg_divide(float *y, const float *a, const float *b, int64_t n)
{
    return binary("gg_divide", y, a, b, n, gg_kernels()->divide);
}

gg_status gg_add_relu(float *y, const float *a, const float *b, int64_t n)
{
    return binary("gg_add_relu", y, a, b, n, gg_kernels()->add_relu);
}

typedef struct line_job {
    float *y;
    const float *x;
    float value;
} line_job;

static void run_axpy(void *context, int64_t begin, int64_t end)
{
    const line_job *job = context;
    gg_kernels()->axpy(job->y + begin, job->x + begin, end - begin, job->value);
}

static void run_fill(void *context, int64_t begin, int64_t end)
{
    const line_job *job = context;
    gg_kernels()->fill(job->y + begin, end - begin, job->value);
}

static void run_scale(void *context, int64_t begin, int64_t end)
{
    const line_job *job = context;
    gg_kernels()->scale(job->y + begin, end - begin, job->value);
}

static inline gg_status run_line(line_job job, int64_t n, gg_range_body body)
{
    if (n == 0)
        return GG_OK;
    if (n < 2 * CHEAP_GRAIN)
        body(&job, 0, n);
    else
        gg_parallel_for(n, CHEAP_GRAIN, LINE, body, &job);
    return GG_OK;
}

gg_status gg_axpy(float *y, const float *x, int64_t n, float alpha)
{
    if (!gg_fits_array(n) || (n > 0 && (y == NULL || x == NULL)))
        return gg_fail_array("gg_axpy", n, GG_ARGUMENTS({"y", y}, {"x", x}));
    return run_line((line_job){y, x, alpha}, n, run_axpy);
}

gg_status gg_fill(float *y, int64_t n, float value)
{
    if (!gg_fits_array(n) || (n > 0 && y == NULL))
        return gg_fail_array("gg_fill", n, GG_ARGUMENTS({"y", y}));
    return run_line((line_job){y, NULL, value}, n, run_fill);
}

gg_status gg_scale(float *y, int64_t n, float alpha)
{
    if (!gg_fits_array(n) || (n > 0 && y == NULL))
        return gg_fail_array("gg_scale", n, GG_ARGUMENTS({"y", y}));
    return run_line((line_job){y, NULL, alpha}, n, run_scale);
}

typedef struct scale_job {
    float *y;
    const float *x, *factors;
    int64_t cols;
} scale_job;

static void run_scale_rows(void *context, int64_t begin, int64_t end)
{
    const scale_job *job = context;
    gg_kernels()->scale_rows(job->y + begin * job->cols, job->x + begin * job->cols, job->factors + begin, end - begin,
                             job->cols);
}

gg_status gg_scale_rows(float *y, const float *x, const float *factors, int64_t rows, int64_t cols)
{
    if (rows < 0 || cols < 0 || (rows > 0 && cols > 0 && (y == NULL || x == NULL || factors == NULL)))
        return gg_fail_matrix("gg_scale_rows", rows, cols, GG_ARGUMENTS({"y", y}, {"x", x}, {"factors", factors}));
    if (!gg_fits_matrix(rows, cols, cols))
        return gg_fail(GG_ERR_OVERFLOW, "gg_scale_rows: rows = %lld, cols = %lld are more floats than any memory holds",
                       (long long)rows, (long long)cols);
    scale_job job = {y, x, factors, cols};
    if (rows > 0 && cols > 0)
        gg_parallel_for(rows, CHEAP_GRAIN / cols + 1, 1, run_scale_rows, &job);
    return GG_OK;
}

static gg_status fail_leading(const char *function, const char *argument, int64_t ld, int64_t cols)
{
    return gg_fail(GG_ERR_SHAPE, "%s: %s is %lld, expected at least cols = %lld", function, argument, (long long)ld,
                   (long long)cols);
}

static gg_status fail_extent(const char *function, const char *argument, int64_t ld, int64_t rows, int64_t cols)
{
    return gg_fail(GG_ERR_OVERFLOW, "%s: rows = %lld, cols = %lld, %s = %lld are more floats than any memory holds",
                   function, (long long)rows, (long long)cols, argument, (long long)ld);
}

typedef struct bias_job {
    float *y;
    const float *x, *bias;
    int64_t ldy, ldx, rows, cols;
    gg_activation f;
    float alpha;
} bias_job;

static void run_bias_rows(void *context, int64_t begin, int64_t end)
{
    const bias_job *job = context;
    gg_kernels()->add_bias(job->y + begin * job->ldy, job->ldy, job->x + begin * job->ldx, job->ldx, job->bias,
                           end - begin, job->cols, job->f, job->alpha);
}

static void run_bias_columns(void *context, int64_t begin, int64_t end)
{
    const bias_job *job = context;
    gg_kernels()->add_bias(job->y + begin, job->ldy, job->x + begin, job->ldx,
                           job->bias != NULL ? job->bias + begin : NULL, job->rows, end - begin, job->f, job->alpha);
}

/* The longer side is shared out. */
static void run_bias_threads(bias_job *job)
{
    if (job->rows >= job->cols)
        gg_parallel_for(job->rows, ACTIVATION_GRAIN / job->cols + 1, 1, run_bias_rows, job);
    else
        gg_parallel_for(job->cols, ACTIVATION_GRAIN / job->rows + 1, LINE, run_bias_columns, job);
}

gg_status gg_add_bias(float *y, int64_t ldy, const float *x, int64_t ldx, const float *bias, int64_t rows, int64_t cols,
                      gg_activation f, float alpha)
{
    if (!known(f))
        return fail_activation("gg_add_bias", f);
    if (rows < 0 || cols < 0 || (rows > 0 && cols > 0 && (y == NULL || x == NULL)))
        return gg_fail_matrix("gg_add_bias", rows, cols, GG_ARGUMENTS({"y", y}, {"x", x}));
    if (ldy < cols)
        return fail_leading("gg_add_bias", "ldy", ldy, cols);
    if (ldx < cols)
        return fail_leading("gg_add_bias", "ldx", ldx, cols);
    if (rows == 0 || cols == 0)
        return GG_OK;
    if (!gg_fits_matrix(rows, cols, ldy))
        return fail_extent("gg_add_bias", "ldy", ldy, rows, cols);
    if (!gg_fits_matrix(rows, cols, ldx))
        return fail_extent("gg_add_bias", "ldx", ldx, rows, cols);
    if (rows * cols < 2 * ACTIVATION_GRAIN)
        gg_kernels()->add_bias(y, ldy, x, ldx, bias, rows, cols, f, alpha);
    else
        run_bias_threads(&(bias_job){y, x, bias, ldy, ldx, rows, cols, f, alpha});
    return GG_OK;
}

/* Column sums. A wide matrix is shared out by columns, which leaves the order of every sum alone. A tall one of at most
 * TALL_COLUMNS columns is cut into row parts that its size alone decides, and their sums are added in order. */
enum { TALL_COLUMNS = 128, TALL_PARTS = 64 };

typedef struct columns_job {
    float *s;
    const float *x;
    int64_t ldx, rows, cols;
    int64_t height; /* rows of a part */
    bool accumulate;
} columns_job;

static void run_columns(void *context, int64_t begin, int64_t end)
{
    const columns_job *job = context;
    gg_kernels()->sum_rows(job->s + begin, job->x + begin, job->ldx, job->rows, end - begin, job->accumulate);
}

/* Parts begin .. end-1, the sums of part p to s[p][cols]. */
static void run_tall_parts(void *context, int64_t begin, int64_t end)
{
    const columns_job *job = context;
    for (int64_t part = begin; part < end; part++) {
        const int64_t first = part * job->height;
        const int64_t rows = job->rows - first < job->height ? job->rows - first : job->height;
        gg_kernels()->sum_rows(job->s + part * job->cols, job->x + first * job->ldx, job->ldx, rows, job->cols, false);
    }
}

static void sum_tall(float *s, const columns_job *whole)
{
    float partial[TALL_PARTS * TALL_COLUMNS];
    columns_job job = *whole;
    job.s = partial;
    job.height = (job.rows + TALL_PARTS - 1) / TALL_PARTS;
    const int64_t parts = (job.rows + job.height - 1) / job.height;
    const int64_t grain = CHEAP_GRAIN / (job.height * job.cols) + 1;
    gg_parallel_for(parts, grain, 1, run_tall_parts, &job);
    gg_kernels()->sum_rows(s, partial, job.cols, parts, job.cols, job.accumulate);
}

gg_status gg_sum_rows(float *s, const float *x, int64_t ldx, int64_t rows, int64_t cols, bool accumulate)
{
    if (rows < 0 || cols < 0 || (cols > 0 && (s == NULL || (rows > 0 && x == NULL))))
        return gg_fail_matrix("gg_sum_rows", rows, cols, GG_ARGUMENTS({"s", s}, {"x", x}));
    if (ldx < cols)
        return fail_leading("gg_sum_rows", "ldx", ldx, cols);
    if (cols == 0)
        return GG_OK;
    if (!gg_fits_matrix(rows, cols, ldx))
        return fail_extent("gg_sum_rows", "ldx", ldx, rows, cols);
    if (rows == 0) {
        if (!accumulate)
            gg_kernels()->fill(s, cols, 0.0f);
        return GG_OK;
    }
    columns_job job = {s, x, ldx, rows, cols, 0, accumulate};
    if (rows * cols < 2 * CHEAP_GRAIN)
        gg_kernels()->sum_rows(s, x, ldx, rows, cols, accumulate);
    else if (cols <= TALL_COLUMNS)
        sum_tall(s, &job);
    else
        gg_parallel_for(cols, CHEAP_GRAIN / rows + 1, LINE, run_columns, &job);
    return GG_OK;
}

/* A sum of SUM_LEAST elements or more is cut into SUM_PARTS parts whatever the threads, so that its order is fixed. */
enum { SUM_PARTS = 64, SUM_LEAST = 2 * CHEAP_GRAIN };

typedef double sum_kernel(const float *x, int64_t n);

typedef struct sum_job {
    const float *x;
    int64_t n, length; /* of a part */
    sum_kernel *kernel;
    double partial[SUM_PARTS];
} sum_job;

static void run_sum(void *context, int64_t begin, int64_t end)
{
    sum_job *job = context;
    for (int64_t part = begin; part < end; part++) {
        const int64_t first = part * job->length;
        const int64_t count = job->n - first < job->length ? job->n - first : job->length;
        job->partial[part] = count > 0 ? job->kernel(job->x + first, count) : 0.0;
    }
}

static double sum_parts(const float *x, int64_t n, sum_kernel *kernel)
{
    sum_job job = {.x = x, .n = n, .length = (n / SUM_PARTS / LINE + 1) * LINE, .kernel = kernel};
    gg_parallel_for(SUM_PARTS, CHEAP_GRAIN / job.length + 1, 1, run_sum, &job);
    double sum = 0.0;
    for (int part = 0; part < SUM_PARTS; part++)
        sum += job.partial[part];
    return sum;
}

static inline gg_status sum(const char *function, const char *output, double *result, const float *x, int64_t n,
                            sum_kernel *kernel)
{
    if (result == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", function, output);
    if (!gg_fits_array(n) || (n > 0 && x == NULL))
        return gg_fail_array(function, n, GG_ARGUMENTS({"x", x}));
    *result = n < SUM_LEAST ? kernel(x, n) : sum_parts(x, n, kernel);
    return GG_OK;
}

gg_status gg_sum(double *sum_out, const float *x, int64_t n)
{
    return sum("gg_sum", "sum", sum_out, x, n, gg_kernels()->sum);
}

gg_status gg_sum_squares(double *squares, const float *x, int64_t n)
{
    return sum("gg_sum_squares", "squares", squares, x, n, gg_kernels()->sum_squares);
}

typedef struct finite_job {
    const float *x;
    atomic_bool finite;
} finite_job;

static void run_finite(void *context, int64_t begin, int64_t end)
{
    finite_job *job = context;
    if (!gg_kernels()->all_finite(job->x + begin, end - begin))
        atomic_store_explicit(&job->finite, false, memory_order_relaxed);
}

gg_status gg_all_finite(bool *finite, const float *x, int64_t n)
{
    if (finite == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_all_finite: finite is NULL");
    if (!gg_fits_array(n) || (n > 0 && x == NULL))
        return gg_fail_array("gg_all_finite", n, GG_ARGUMENTS({"x", x}));
    if (n < 2 * CHEAP_GRAIN) {
        *finite = gg_kernels()->all_finite(x, n);
        return GG_OK;
    }
    finite_job job = {x, true};
    gg_parallel_for(n, CHEAP_GRAIN, LINE, run_finite, &job);
    *finite = atomic_load_explicit(&job.finite, memory_order_relaxed);
    return GG_OK;
}
