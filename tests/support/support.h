/* support.h - what every test program starts from: main(), reproducible numbers, arrays between guard zones, error
 * bounds.
 *
 * A test program includes this header and defines
 *     static void add_tests(TCase *tests);
 * main() runs them in one process, one after the other (no fork: a fork of a process with OpenMP threads may hang),
 * and writes TAP to the file that CK_TAP_LOG_FILE_NAME names ("-": standard output), else plain text. After each
 * test, the guard zones of all its arrays are looked at and the arrays are freed. A source that is no test program
 * defines SUPPORT_NO_MAIN first. */
#ifndef GEMMGRAD_TESTS_SUPPORT_H
#define GEMMGRAD_TESTS_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <check.h>

#include <gemmgrad/backend.h>

/* ---- running ---- */

/* The exit code for main(). name: the suite's, a folder before it is left out. */
int support_run(const char *name, void (*add_tests)(TCase *tests));

/* One more case of this program, for tests with a fixture of their own; tcase_add_... as usual. */
TCase *support_case(const char *name);

/* ---- numbers ---- */

/* The next of a sequence of 64 random bits (splitmix64); the same seed gives the same sequence on every machine. */
uint64_t support_random(uint64_t *state);

/* n numbers, uniform in [low, high). */
void support_fill(float *x, int64_t n, double low, double high, uint64_t seed);

/* ---- arrays ---- */

/* n floats that are canaries (NaNs of a bit pattern no computation yields), between zones of canaries. n may be 0. */
float *support_floats(int64_t n);

/* The same with the contents of support_fill. */
float *support_uniform(int64_t n, double low, double high, uint64_t seed);

/* The same with a copy of x. */
float *support_copy(const float *x, int64_t n);

/* n doubles, zero. n labels, zero. */
double *support_doubles(int64_t n);
int32_t *support_labels(int64_t n);

/* x as double. */
double *support_widen(const float *x, int64_t n);

/* How many floats the following arrays start beyond a multiple of 64 bytes, 0 to 15; 0 again after each test. */
void support_misalign(int floats);

/* Fail unless all guard zones hold their canaries; then free all arrays. Called after each test, and by tests with many
 * arrays whenever they like. */
void support_release(void);

/* Whether x[0 .. n-1] still holds the canaries it was made with: for outputs that a failing call must not touch. */
bool support_untouched(const float *x, int64_t n);

/* ---- errors ---- */

/* Fail unless |actual - expected| <= bound * FLT_EPSILON * scale in every element (or bound times the least
 * denormal, if that is more). Where NaN or infinity is expected, it must be there. scale may be NULL: |expected|.
 * The message says what printf makes of `what`, the element and the error. */
void support_assert_close(const float *actual, const double *expected, const double *scale, int64_t n, double bound,
                          const char *what, ...) __attribute__((format(printf, 6, 7)));

/* The largest |actual - expected| / (FLT_EPSILON * scale) of the same, infinite where NaN or infinity differ. */
double support_largest_error(const float *actual, const double *expected, const double *scale, int64_t n,
                             int64_t *where);

/* Fail unless a call returned `expected` and left a message that contains `function` and `argument`. */
void support_assert_fails(gg_status status, gg_status expected, const char *function, const char *argument);

/* ---- instruction sets ---- */

/* Whether this CPU can run the kernels built for that set. */
bool support_cpu_runs(gg_isa isa);

/* ---- the OpenMP runtime ---- */

/* Whether it is LLVM's (programs built by clang): before any code of ours runs, it aborts on some nonsense in
 * OMP_NUM_THREADS and takes gigabytes for other, and it crashes in calls from a thread that it has taken leave of. */
bool support_openmp_is_llvm(void);

#ifndef SUPPORT_NO_MAIN
static void add_tests(TCase *tests);

int main(void)
{
    return support_run(__BASE_FILE__, add_tests);
}
#endif

#endif
