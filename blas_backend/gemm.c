/* gemm.c - the only file that includes cblas.h: the door to cblas_sgemm with its counters, and the public products that
 * lead to it. */
#include <gemmgrad/gemm.h>

#include <cblas.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/memory.h>

#include "backend.h"
#include "blas.h"
#include "clock.h"
#include "kernels/kernels.h"
#include "matrix_check.h"
#include "parallel.h"
#include "product.h"

#ifdef __linux__
#define GG_FAST_TLS __attribute__((tls_model("initial-exec"))) /* one pointer: a load instead of a call */
#else
#define GG_FAST_TLS
#endif

/* ---- the door ---- */

/* Counters without contention: each of the first threads has a slot that it alone writes; all later ones share the
 * last. */
enum { SLOTS = 256, LINE = 64 };

typedef struct slot {
    _Alignas(LINE) _Atomic uint64_t calls;
    _Atomic uint64_t multiply_adds;
} slot;

static slot slots[SLOTS];
static _Atomic int slots_taken;
static _Thread_local slot *own_slot GG_FAST_TLS;

static slot *take_slot(void)
{
    int index = atomic_fetch_add(&slots_taken, 1);
    if (index >= SLOTS) {
        atomic_store(&slots_taken, SLOTS);
        index = SLOTS - 1;
    }
    own_slot = &slots[index];
    return own_slot;
}

static void count(uint64_t multiply_adds)
{
    slot *s = own_slot != NULL ? own_slot : take_slot();
    if (s == &slots[SLOTS - 1]) {
        atomic_fetch_add_explicit(&s->calls, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->multiply_adds, multiply_adds, memory_order_relaxed);
        return;
    }
    /* The only writer: a load and a store do, without the price of an atomic addition. */
    atomic_store_explicit(&s->calls, atomic_load_explicit(&s->calls, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&s->multiply_adds,
                          atomic_load_explicit(&s->multiply_adds, memory_order_relaxed) + multiply_adds,
                          memory_order_relaxed);
}

/* Up to 64^3 multiply-adds no BLAS shares a product out; above, an OpenMP BLAS must be held at one thread (parallel.h).
 */
enum { SERIAL_LIMIT = 64 * 64 * 64 };

static inline void call_sgemm(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb,
                              int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b, float alpha,
                              float beta)
{
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m,
                (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

/* ISO C has no cast from a function pointer to an object pointer; POSIX says that they look the same. */
const void *gg_blas_door(void)
{
    void (*const door)(void) = (void (*)(void))cblas_sgemm;
    const void *address;
    memcpy(&address, &door, sizeof address);
    return address;
}

void gg_blas_sgemm(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb, int64_t m,
                   int64_t n, int64_t k, bool transpose_a, bool transpose_b, float alpha, float beta)
{
    const double multiply_adds = (double)m * (double)n * (double)k;
    count((uint64_t)m * (uint64_t)n * (uint64_t)k);
    const int held = multiply_adds > SERIAL_LIMIT ? gg_parallel_hold_serial() : 0;
    call_sgemm(c, ldc, a, lda, b, ldb, m, n, k, transpose_a, transpose_b, alpha, beta);
    if (held > 1)
        gg_parallel_release_serial(held);
}

/* Since the last reset: the totals then are taken off the totals now, so that no thread's slot is written by another.
 */
static _Atomic uint64_t calls_at_reset, multiply_adds_at_reset;

static void total(uint64_t *calls, uint64_t *multiply_adds)
{
    *calls = *multiply_adds = 0;
    for (int i = 0; i < SLOTS; i++) {
        *calls += atomic_load_explicit(&slots[i].calls, memory_order_relaxed);
        *multiply_adds += atomic_load_explicit(&slots[i].multiply_adds, memory_order_relaxed);
    }
}

void gg_blas_counters(uint64_t *calls, uint64_t *multiply_adds)
{
    total(calls, multiply_adds);
    *calls -= atomic_load(&calls_at_reset);
    *multiply_adds -= atomic_load(&multiply_adds_at_reset);
}

void gg_blas_counters_reset(void)
{
    uint64_t calls = 0, multiply_adds = 0;
    total(&calls, &multiply_adds);
    atomic_store(&calls_at_reset, calls);
    atomic_store(&multiply_adds_at_reset, multiply_adds);
}

/* ---- plain products ---- */

/* With k = 0 or alpha = 0 what is left is C = beta * C. The BLAS is not asked: with alpha = 0 some of OpenBLAS's
 * kernels multiply all the same and let a NaN of A or B through, others do not. */
static bool only_scales(const gg_product *p)
{
    return p->k == 0 || p->alpha == 0.0f;
}

static void scale(const gg_product *p)
{
    for (int64_t i = 0; i < p->m; i++) {
        float *row = p->c + i * p->ldc;
        if (p->beta == 0.0f)
            gg_kernels()->fill(row, p->n, 0.0f);
        else if (p->beta != 1.0f)
            gg_kernels()->scale(row, p->n, p->beta);
    }
}

static void run(const gg_product *p)
{
    if (p->m == 0 || p->n == 0)
        return;
    if (only_scales(p)) {
        scale(p);
        return;
    }
    gg_product_run(p);
}

/* Whether both are values of gg_transpose: 0 and 1. */
static inline bool known(gg_transpose a, gg_transpose b)
{
    return (((unsigned)a | (unsigned)b) >> 1) == 0;
}

static gg_status check_transposes(const char *function, gg_transpose a, gg_transpose b)
{
    if (known(a, b))
        return GG_OK;
    const bool first = !known(a, GG_NO_TRANSPOSE);
    return gg_fail(GG_ERR_ARGUMENT, "%s: transpose_%c is %d, expected GG_NO_TRANSPOSE or GG_TRANSPOSE", function,
                   first ? 'a' : 'b', (int)(first ? a : b));
}

/* What is plainly in order needs no closer look. */
static bool in_order(const gg_product *p)
{
    enum { LARGE = 1 << 20 };
    return p->m > 0 && p->n > 0 && p->k > 0 && p->m < LARGE && p->n < LARGE && p->k < LARGE && p->c != NULL
           && p->a != NULL && p->b != NULL && ((p->ldc | p->lda | p->ldb) >> 30) == 0 && p->ldc >= p->n
           && p->lda >= (p->transpose_a ? p->m : p->k) && p->ldb >= (p->transpose_b ? p->k : p->n);
}

static gg_status check(const char *function, const gg_product *p, const char *name_of_b)
{
    if (in_order(p))
        return GG_OK;
    gg_status status = gg_check_sizes(function, "m, n, k", p->m, p->n, p->k);
    if (status == GG_OK)
        status = gg_check_matrix(function, &(gg_matrix_argument){"c", p->c, p->m, p->n, p->ldc});
    if (status == GG_OK && p->m > 0 && p->n > 0)
        status = gg_check_matrix(function, &(gg_matrix_argument){"a", p->a, p->transpose_a ? p->k : p->m,
                                                                 p->transpose_a ? p->m : p->k, p->lda});
    if (status == GG_OK && p->m > 0 && p->n > 0)
        status = gg_check_matrix(function, &(gg_matrix_argument){name_of_b, p->b, p->transpose_b ? p->n : p->k,
                                                                 p->transpose_b ? p->k : p->n, p->ldb});
    return status;
}

static __attribute__((noinline)) gg_status general_product(float *c, int64_t ldc, const float *a, int64_t lda,
                                                           const float *b, int64_t ldb, int64_t m, int64_t n, int64_t k,
                                                           gg_transpose transpose_a, gg_transpose transpose_b,
                                                           float alpha, float beta)
{
    const gg_product p = {.c = c,
                          .ldc = ldc,
                          .a = a,
                          .lda = lda,
                          .b = b,
                          .ldb = ldb,
                          .m = m,
                          .n = n,
                          .k = k,
                          .transpose_a = transpose_a != GG_NO_TRANSPOSE,
                          .transpose_b = transpose_b != GG_NO_TRANSPOSE,
                          .alpha = alpha,
                          .beta = beta};
    gg_status status = check_transposes("gg_gemm", transpose_a, transpose_b);
    if (status == GG_OK)
        status = check("gg_gemm", &p, "b");
    if (status == GG_OK)
        run(&p);
    return status;
}

/* Products of up to this many multiply-adds take less time than looking for a better way: straight through the door.
 * With B transposed OpenBLAS's small kernel is lost sooner. */
enum { TINY_PRODUCT = 40 * 1024, TINY_TRANSPOSED_PRODUCT = 4 * 1024 };

static inline bool is_tiny(int64_t m, int64_t n, int64_t k, int64_t limit)
{
    const uint64_t sizes = (uint64_t)(m | n | k);
    return sizes <= TINY_PRODUCT && m * n * k <= limit && m * n * k > 0 && gg_backend_runs() && !gg_clock_on();
}

/* The shortest way for a tiny product whose arguments are all in order, in plain scalars: a cblas_sgemm call of this
 * size takes 20 to 500 ns, and building a gg_product alone takes ten. */
gg_status gg_gemm(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb, int64_t m, int64_t n,
                  int64_t k, gg_transpose transpose_a, gg_transpose transpose_b, float alpha, float beta)
{
    const bool fits = ((ldc | lda | ldb) >> 30) == 0 && known(transpose_a, transpose_b) && ldc >= n
                      && lda >= (transpose_a ? m : k) && ldb >= (transpose_b ? k : n) && c != NULL && a != NULL
                      && b != NULL;
    if (!fits || alpha == 0.0f || !is_tiny(m, n, k, transpose_b ? TINY_TRANSPOSED_PRODUCT : TINY_PRODUCT))
        return general_product(c, ldc, a, lda, b, ldb, m, n, k, transpose_a, transpose_b, alpha, beta);
    count((uint64_t)(m * n * k));
    call_sgemm(c, ldc, a, lda, b, ldb, m, n, k, transpose_a != GG_NO_TRANSPOSE, transpose_b != GG_NO_TRANSPOSE, alpha,
               beta);
    return GG_OK;
}

/* ---- batches ---- */

typedef struct batch_job {
    gg_product first;
    int64_t stride_a, stride_b, stride_c;
} batch_job;

static gg_product batch_product(const batch_job *job, int64_t i)
{
    gg_product p = job->first;
    p.c += i * job->stride_c;
    if (!only_scales(&p)) { /* with k = 0 there may be no A and no B */
        p.a += i * job->stride_a;
        p.b += i * job->stride_b;
    }
    return p;
}

static void run_batch_range(void *context, int64_t begin, int64_t end)
{
    const batch_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const gg_product p = batch_product(job, i);
        if (only_scales(&p))
            scale(&p);
        else
            gg_product_run_serial(&p);
    }
}

/* Many products share out best one by one; few large ones each over all threads. */
static void run_batch(const batch_job *job, int64_t batch)
{
    const gg_product *p = &job->first;
    if (batch >= gg_policy_threads() || only_scales(p)) {
        const double start = gg_clock_start();
        /* 2^17 multiply-adds take a microsecond, the price of a second thread. */
        const int64_t each = p->m * p->n * (only_scales(p) ? 1 : p->k);
        gg_parallel_for(batch, (1 << 17) / (each < (1 << 17) ? each : (1 << 17)), 1, run_batch_range,
                        (void *)(uintptr_t)job);
        gg_clock_stop(start);
    } else {
        for (int64_t i = 0; i < batch; i++) {
            const gg_product one = batch_product(job, i);
            gg_product_run(&one);
        }
    }
}

static gg_status check_strides(const batch_job *job, int64_t batch)
{
    const gg_product *p = &job->first;
    const int64_t strides[] = {job->stride_a, job->stride_b, job->stride_c};
    int64_t floats = 0;
    for (int i = 0; i < 3; i++)
        if (strides[i] == INT64_MIN || gg_checked_multiply(&floats, llabs(strides[i]), batch) != GG_OK
            || floats > PTRDIFF_MAX / (int64_t)sizeof(float))
            return gg_fail(GG_ERR_OVERFLOW, "gg_gemm_batch: stride_%c is %lld, too large for a batch of %lld", "abc"[i],
                           (long long)strides[i], (long long)batch);
    const int64_t extent = (p->m - 1) * p->ldc + p->n;
    const int64_t stride = llabs(job->stride_c);
    const bool side_by_side = stride >= p->n && p->ldc >= (batch - 1) * stride + p->n;
    if (batch > 1 && stride < extent && !side_by_side)
        return gg_fail(GG_ERR_SHAPE,
                       "gg_gemm_batch: stride_c is %lld, but one %lld x %lld result with leading dimension %lld "
                       "takes %lld floats: results would overlap",
                       (long long)job->stride_c, (long long)p->m, (long long)p->n, (long long)p->ldc,
                       (long long)extent);
    return GG_OK;
}

gg_status gg_gemm_batch(float *c, int64_t ldc, int64_t stride_c, const float *a, int64_t lda, int64_t stride_a,
                        const float *b, int64_t ldb, int64_t stride_b, int64_t batch, int64_t m, int64_t n, int64_t k,
                        gg_transpose transpose_a, gg_transpose transpose_b, float alpha, float beta)
{
    if (batch < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_gemm_batch: batch is %lld", (long long)batch);
    gg_status status = check_transposes("gg_gemm_batch", transpose_a, transpose_b);
    if (status != GG_OK)
        return status;
    if (batch == 0)
        return gg_check_sizes("gg_gemm_batch", "m, n, k", m, n, k);
    const batch_job job = {.first = {.c = c,
                                     .ldc = ldc,
                                     .a = a,
                                     .lda = lda,
                                     .b = b,
                                     .ldb = ldb,
                                     .m = m,
                                     .n = n,
                                     .k = k,
                                     .transpose_a = transpose_a != GG_NO_TRANSPOSE,
                                     .transpose_b = transpose_b != GG_NO_TRANSPOSE,
                                     .alpha = alpha,
                                     .beta = beta},
                           .stride_a = stride_a,
                           .stride_b = stride_b,
                           .stride_c = stride_c};
    status = check("gg_gemm_batch", &job.first, "b");
    if (status != GG_OK || m == 0 || n == 0)
        return status;
    status = check_strides(&job, batch);
    if (status == GG_OK)
        run_batch(&job, batch);
    return status;
}

/* ---- packed operands ---- */

gg_status gg_gemm_packed_size(int64_t *floats, int64_t k, int64_t n)
{
    if (floats == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_gemm_packed_size: floats is NULL");
    gg_status status = gg_check_sizes("gg_gemm_packed_size", "1, n, k", 1, n, k);
    if (status == GG_OK && k * n > PTRDIFF_MAX / (int64_t)sizeof(float))
        status = gg_fail(GG_ERR_OVERFLOW, "gg_gemm_packed_size: a packed operand of k = %lld, n = %lld is too large",
                         (long long)k, (long long)n);
    if (status == GG_OK)
        *floats = gg_product_packed_floats(k, n);
    return status;
}

gg_status gg_gemm_pack(float *packed, const float *b, int64_t ldb, int64_t k, int64_t n, gg_transpose transpose_b)
{
    const bool transposed = transpose_b != GG_NO_TRANSPOSE;
    gg_status status = check_transposes("gg_gemm_pack", GG_NO_TRANSPOSE, transpose_b);
    if (status == GG_OK)
        status = gg_check_sizes("gg_gemm_pack", "1, n, k", 1, n, k);
    if (status == GG_OK)
        status = gg_check_matrix("gg_gemm_pack", &(gg_matrix_argument){"packed", packed, k, n, n});
    if (status == GG_OK)
        status =
            gg_check_matrix("gg_gemm_pack", &(gg_matrix_argument){"b", b, transposed ? n : k, transposed ? k : n, ldb});
    if (status == GG_OK && k > 0 && n > 0)
        gg_product_pack(packed, b, ldb, k, n, transposed);
    return status;
}

static __attribute__((noinline)) gg_status general_packed(float *c, int64_t ldc, const float *a, int64_t lda,
                                                          const float *packed, int64_t m, int64_t n, int64_t k,
                                                          gg_transpose transpose_a, float alpha, float beta)
{
    const gg_product p = {.c = c,
                          .ldc = ldc,
                          .a = a,
                          .lda = lda,
                          .b = packed,
                          .ldb = n,
                          .m = m,
                          .n = n,
                          .k = k,
                          .transpose_a = transpose_a != GG_NO_TRANSPOSE,
                          .packed_b = gg_policy_small_products(),
                          .alpha = alpha,
                          .beta = beta};
    gg_status status = check_transposes("gg_gemm_packed", transpose_a, GG_NO_TRANSPOSE);
    if (status == GG_OK)
        status = check("gg_gemm_packed", &p, "packed");
    if (status == GG_OK)
        run(&p);
    return status;
}

/* A single panel is a dense B: the shortest way again. */
gg_status gg_gemm_packed(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed, int64_t m, int64_t n,
                         int64_t k, gg_transpose transpose_a, float alpha, float beta)
{
    const bool fits = ((ldc | lda) >> 30) == 0 && known(transpose_a, GG_NO_TRANSPOSE) && ldc >= n && n <= GG_PANEL
                      && lda >= (transpose_a ? m : k) && c != NULL && a != NULL && packed != NULL;
    if (!fits || alpha == 0.0f || !is_tiny(m, n, k, TINY_PRODUCT))
        return general_packed(c, ldc, a, lda, packed, m, n, k, transpose_a, alpha, beta);
    count((uint64_t)(m * n * k));
    call_sgemm(c, ldc, a, lda, packed, n, m, n, k, transpose_a != GG_NO_TRANSPOSE, false, alpha, beta);
    return GG_OK;
}

/* ---- counters ---- */

gg_gemm_counters gg_gemm_counters_read(void)
{
    gg_gemm_counters counters = {.seconds = gg_clock_total()};
    gg_blas_counters(&counters.calls, &counters.multiply_adds);
    return counters;
}

void gg_gemm_counters_reset(void)
{
    gg_blas_counters_reset();
    gg_clock_reset();
}

void gg_gemm_set_timing(bool on)
{
    gg_clock_set(on);
}
