/* support.c - see support.h. */
#define SUPPORT_NO_MAIN
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- running ---- */

static Suite *suite;

TCase *support_case(const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, NULL, support_release);
    suite_add_tcase(suite, tests);
    return tests;
}

int support_run(const char *name, void (*add_tests)(TCase *tests))
{
    const char *slash = strrchr(name, '/');
    suite = suite_create(slash != NULL ? slash + 1 : name);
    add_tests(support_case("all"));
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, getenv("CK_TAP_LOG_FILE_NAME") != NULL ? CK_SILENT : CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- numbers ---- */

uint64_t support_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void support_fill(float *x, int64_t n, double low, double high, uint64_t seed)
{
    uint64_t state = seed;
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(low + (high - low) * (double)(support_random(&state) >> 40) * 0x1p-24);
}

/* ---- arrays ---- */

/* 64 floats: more than any kernel's block. */
enum { GUARD = 64, ALIGNMENT = 64, LINE = 16 };

static const uint32_t canary_bits = 0x7fc5a5a5;

typedef struct area {
    struct area *next;
    float *floats; /* canaries, the array, canaries; NULL for other arrays */
    float *data;
    int64_t n;
    void *other;
} area;

static area *areas;
static int misalignment;

static void *checked(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "support.c: no memory\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static area *new_area(void)
{
    area *a = checked(calloc(1, sizeof *a));
    a->next = areas;
    areas = a;
    return a;
}

static bool is_canary(const float *x)
{
    return memcmp(x, &canary_bits, sizeof canary_bits) == 0;
}

float *support_floats(int64_t n)
{
    const size_t floats = ((size_t)n + 2 * GUARD + 2 * LINE) / LINE * LINE;
    area *a = new_area();
    a->floats = checked(aligned_alloc(ALIGNMENT, floats * sizeof(float)));
    a->data = a->floats + GUARD + misalignment;
    a->n = n;
    for (float *x = a->floats; x < a->data + n + GUARD; x++)
        memcpy(x, &canary_bits, sizeof canary_bits);
    return a->data;
}

float *support_uniform(int64_t n, double low, double high, uint64_t seed)
{
    float *x = support_floats(n);
    support_fill(x, n, low, high, seed);
    return x;
}

float *support_copy(const float *x, int64_t n)
{
    float *copy = support_floats(n);
    if (n > 0)
        memcpy(copy, x, (size_t)n * sizeof *x);
    return copy;
}

double *support_doubles(int64_t n)
{
    return new_area()->other = checked(calloc((size_t)n + 1, sizeof(double)));
}

int32_t *support_labels(int64_t n)
{
    return new_area()->other = checked(calloc((size_t)n + 1, sizeof(int32_t)));
}

double *support_widen(const float *x, int64_t n)
{
    double *wide = support_doubles(n);
    for (int64_t i = 0; i < n; i++)
        wide[i] = (double)x[i];
    return wide;
}

void support_misalign(int floats)
{
    misalignment = floats;
}

/* Distance from the array's start of the first broken canary in its guard zones; n stands for none. */
static int64_t broken(const area *a)
{
    for (const float *x = a->floats; x < a->data; x++)
        if (!is_canary(x))
            return x - a->data;
    for (const float *x = a->data + a->n; x < a->data + a->n + GUARD; x++)
        if (!is_canary(x))
            return x - a->data;
    return INT64_MIN;
}

void support_release(void)
{
    int64_t n = 0, where = INT64_MIN;
    while (areas != NULL) {
        area *a = areas;
        if (a->floats != NULL && where == INT64_MIN) {
            where = broken(a);
            n = a->n;
        }
        areas = a->next;
        free(a->floats);
        free(a->other);
        free(a);
    }
    misalignment = 0;
    ck_assert_msg(where == INT64_MIN, "float %lld of an array of %lld was overwritten", (long long)where, (long long)n);
}

bool support_untouched(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!is_canary(x + i))
            return false;
    return true;
}

/* ---- errors ---- */

static double error_of(double actual, double expected, double scale)
{
    if (isnan(expected))
        return isnan(actual) ? 0.0 : INFINITY;
    if (actual == expected)
        return 0.0;
    if (!isfinite(actual) || !isfinite(expected))
        return INFINITY;
    const double unit = (double)FLT_EPSILON * scale, least = (double)FLT_TRUE_MIN;
    return fabs(actual - expected) / (unit > least ? unit : least);
}

double support_largest_error(const float *actual, const double *expected, const double *scale, int64_t n,
                             int64_t *where)
{
    double largest = 0.0;
    *where = 0;
    for (int64_t i = 0; i < n; i++) {
        const double error = error_of((double)actual[i], expected[i], scale != NULL ? scale[i] : fabs(expected[i]));
        if (!(error <= largest)) {
            largest = error;
            *where = i;
        }
    }
    return largest;
}

void support_assert_close(const float *actual, const double *expected, const double *scale, int64_t n, double bound,
                          const char *what, ...)
{
    int64_t i;
    const double error = support_largest_error(actual, expected, scale, n, &i);
    if (error <= bound)
        return;
    char text[256];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    ck_abort_msg("%s: element %lld of %lld is %.9g, expected %.9g: error %.3g times epsilon times %.3g, bound %.3g",
                 text, (long long)i, (long long)n, (double)actual[i], expected[i], error,
                 scale != NULL ? scale[i] : fabs(expected[i]), bound);
}

void support_assert_fails(gg_status status, gg_status expected, const char *function, const char *argument)
{
    ck_assert_msg(status == expected, "%s: %s: expected '%s', got '%s'", function, argument, gg_status_string(expected),
                  gg_status_string(status));
    const char *message = gg_error_message();
    ck_assert_msg(strstr(message, function) != NULL && strstr(message, argument) != NULL,
                  "message '%s' names not both %s and %s", message, function, argument);
}

/* ---- instruction sets ---- */

bool support_cpu_runs(gg_isa isa)
{
#ifdef __x86_64__
    if (isa == GG_ISA_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
               && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
               && __builtin_cpu_supports("avx512vl");
    if (isa == GG_ISA_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#endif
    return isa == GG_ISA_BASELINE;
}

/* ---- the OpenMP runtime ---- */

/* A function of LLVM's runtime alone; NULL in any other. */
__attribute__((weak)) extern int kmp_get_blocktime(void);

bool support_openmp_is_llvm(void)
{
    return kmp_get_blocktime != NULL;
}
