/* test_blas_start.c - what start-up does to an OpenBLAS, against one that this file plays: any kernel found, any kernel
 * refused, wrong products, any version, on any CPU. Its symbols take the place of the real ones in this program. */
#include "blas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <check.h>

#include "support.h"

/* ---- the OpenBLAS that is played ---- */

typedef struct fake {
    const char *config, *detected; /* what it says of itself, and the kernel it finds without OPENBLAS_CORETYPE */
    const char *known[6];          /* kernels it takes by name */
    const char *wrong;             /* the kernel that multiplies wrong */
    int parallel;
    const char *running;
    int threads, restarts, quits;
    char asked[128]; /* OPENBLAS_CORETYPE at each restart */
} fake;

static fake blas_played;

char *openblas_get_config(void);
char *openblas_get_corename(void);
int openblas_get_parallel(void);
void openblas_set_num_threads(int threads);
void gotoblas_dynamic_init(void);
void gotoblas_dynamic_quit(void);
/* Every CBLAS passes its enumerations as int, whatever it calls them. */
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };

static char text[256];

char *openblas_get_config(void)
{
    snprintf(text, sizeof text, "%s", blas_played.config);
    return text;
}

char *openblas_get_corename(void)
{
    static char name[64];
    snprintf(name, sizeof name, "%s", blas_played.running);
    return name;
}

int openblas_get_parallel(void)
{
    return blas_played.parallel;
}

void openblas_set_num_threads(int threads)
{
    blas_played.threads = threads;
}

void gotoblas_dynamic_quit(void)
{
    blas_played.quits++;
}

/* As OpenBLAS does: the kernel named if it is known, its own finding otherwise. */
void gotoblas_dynamic_init(void)
{
    const char *core = getenv("OPENBLAS_CORETYPE");
    const size_t used = strlen(blas_played.asked);
    snprintf(blas_played.asked + used, sizeof blas_played.asked - used, "%s ", core != NULL ? core : "-");
    blas_played.restarts++;
    blas_played.running = blas_played.detected;
    for (int i = 0; core != NULL && i < 6 && blas_played.known[i] != NULL; i++)
        if (strcasecmp(core, blas_played.known[i]) == 0)
            blas_played.running = blas_played.known[i];
}

void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc)
{
    ck_assert(order == ROW_MAJOR && transpose_a == NO_TRANSPOSE && transpose_b == NO_TRANSPOSE && beta == 0.0f);
    const bool wrong = blas_played.wrong != NULL && strcmp(blas_played.running, blas_played.wrong) == 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0.0f;
            for (int p = 0; p < k; p++)
                sum += a[i * lda + p] * b[p * ldb + j];
            c[i * ldc + j] = alpha * sum;
        }
    if (wrong && m > 100)
        c[(m - 1) * ldc + n - 1] += 1.0f;
}

/* ---- starts ---- */

static const gg_cpu zen5 = {.avx2 = true, .avx512 = true, .avx512_bf16 = true};
static const gg_cpu skylake = {.avx2 = true, .avx512 = true};
static const gg_cpu haswell = {.avx2 = true};
static const gg_cpu old = {.avx2 = false};

static const fake usual = {.config = "OpenBLAS 0.3.34 NO_LAPACKE DYNAMIC_ARCH Zen MAX_THREADS=64",
                           .detected = "Haswell",
                           .known = {"Prescott", "Haswell", "Zen", "SkylakeX", "Cooperlake"},
                           .parallel = 2};

static gg_blas start(const fake *played, const gg_cpu *cpu, bool keep)
{
    gg_blas blas;
    unsetenv("OPENBLAS_CORETYPE");
    blas_played = *played;
    blas_played.running = played->detected;
    gg_blas_start(&blas, cpu, keep);
    ck_assert_ptr_null(getenv("OPENBLAS_CORETYPE"));
    ck_assert_int_eq(blas_played.restarts, blas_played.quits);
    return blas;
}

static void check_kernel(const gg_blas *blas, const char *found, const char *used, const char *note, const char *asked)
{
    ck_assert_str_eq(blas->kernel_found, found);
    ck_assert_str_eq(blas->kernel_used, used);
    ck_assert_msg(strstr(blas->kernel_note, note) == blas->kernel_note, "%s", blas->kernel_note);
    ck_assert_str_eq(blas_played.asked, asked);
}

START_TEST(kernel_that_fits_stays)
{
    static const char *const cores[] = {"SkylakeX", "Cooperlake", "SapphireRapids", "skylakex"};
    fake f = usual;
    for (int i = 0; i < 4; i++) {
        f.detected = cores[i];
        const gg_blas blas = start(&f, &zen5, false);
        check_kernel(&blas, cores[i], cores[i], "fits this CPU", "");
        ck_assert(blas.small_products);
    }
    f.detected = "Zen";
    const gg_blas blas = start(&f, &haswell, false);
    check_kernel(&blas, "Zen", "Zen", "fits this CPU", "");
    f.detected = "Prescott";
    const gg_blas lesser = start(&f, &old, false);
    check_kernel(&lesser, "Prescott", "Prescott", "fits this CPU", "");
    ck_assert(!blas.small_products && !lesser.small_products);
}
END_TEST

START_TEST(lesser_kernel_is_repaired)
{
    const gg_blas blas = start(&usual, &zen5, false);
    check_kernel(&blas, "Haswell", "Cooperlake", "repaired: OpenBLAS chose Haswell, this CPU can run Cooperlake",
                 "Cooperlake ");
    ck_assert(blas.small_products);
    const gg_blas without_bf16 = start(&usual, &skylake, false);
    check_kernel(&without_bf16, "Haswell", "SkylakeX", "repaired", "SkylakeX ");
    fake f = usual;
    f.detected = "Prescott";
    const gg_blas avx2 = start(&f, &haswell, false);
    check_kernel(&avx2, "Prescott", "Haswell", "repaired", "Haswell ");
    ck_assert(!avx2.small_products);
}
END_TEST

/* 0.3.21 knows no Cooperlake by name: the next best is asked for. */
START_TEST(unknown_name_is_no_end)
{
    fake f = usual;
    f.config = "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH";
    f.known[4] = NULL;
    const gg_blas blas = start(&f, &zen5, false);
    check_kernel(&blas, "Haswell", "SkylakeX", "repaired: OpenBLAS chose Haswell, this CPU can run SkylakeX",
                 "Cooperlake SkylakeX ");
    ck_assert(blas.small_products);
    f.known[1] = NULL;
    const gg_blas hopeless = start(&f, &zen5, false);
    check_kernel(&hopeless, "Haswell", "Haswell", "left as found: Cooperlake was tried and did not hold",
                 "Cooperlake SkylakeX - ");
    ck_assert(!hopeless.small_products);
}
END_TEST

START_TEST(wrong_products_undo_it)
{
    fake f = usual;
    f.wrong = "Cooperlake";
    const gg_blas second = start(&f, &zen5, false);
    check_kernel(&second, "Haswell", "SkylakeX", "repaired", "Cooperlake SkylakeX ");
    f.wrong = "Haswell";
    f.detected = "Prescott";
    const gg_blas undone = start(&f, &haswell, false);
    check_kernel(&undone, "Prescott", "Prescott", "left as found: Haswell was tried and did not hold", "Haswell - ");
}
END_TEST

START_TEST(user_has_the_last_word)
{
    const gg_blas kept = start(&usual, &zen5, true);
    check_kernel(&kept, "Haswell", "Haswell", "left as found, as asked", "");
    gg_blas blas;
    setenv("OPENBLAS_CORETYPE", "Haswell", 1);
    blas_played = usual;
    blas_played.running = "Haswell";
    gg_blas_start(&blas, &zen5, false);
    check_kernel(&blas, "Haswell", "Haswell", "left as found: OPENBLAS_CORETYPE is set by the user", "");
    ck_assert_str_eq(getenv("OPENBLAS_CORETYPE"), "Haswell");
    unsetenv("OPENBLAS_CORETYPE");
}
END_TEST

/* The small-matrix kernels came with 0.3.21. */
START_TEST(versions)
{
    static const struct {
        const char *config, *version;
        bool small;
    } cases[] = {
        {"OpenBLAS 0.3.20 DYNAMIC_ARCH", "0.3.20", false},
        {"OpenBLAS 0.3.21 DYNAMIC_ARCH", "0.3.21", true},
        {"OpenBLAS 0.3.34", "0.3.34", true},
        {"OpenBLAS 0.3.9 x", "0.3.9", false},
        {"OpenBLAS 0.4.0", "0.4.0", true},
        {"OpenBLAS 1.0.0", "1.0.0", true},
        {"OpenBLAS 0.3.31.dev x", "0.3.31.dev", true},
        {"OpenBLAS 0.2.99", "0.2.99", false},
        {"NO_LAPACKE", "unknown", false},
        {"", "unknown", false},
        {"OpenBLAS ", "unknown", false},
        {"OpenBLAS DYNAMIC_ARCH", "DYNAMIC_ARCH", false},
    };
    fake f = usual;
    f.detected = "Cooperlake";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f.config = cases[i].config;
        const gg_blas blas = start(&f, &zen5, false);
        ck_assert_str_eq(blas.version, cases[i].version);
        ck_assert_msg(blas.small_products == cases[i].small, "%s", cases[i].config);
        ck_assert_str_eq(blas.name, "OpenBLAS");
    }
    char longest[200];
    memset(longest, 'x', sizeof longest);
    longest[199] = '\0';
    memcpy(longest, "OpenBLAS ", 9);
    f.config = longest;
    const gg_blas blas = start(&f, &zen5, false);
    ck_assert_uint_eq(strlen(blas.version), 31);
}
END_TEST

/* A build with threads of its own is held at one; an OpenMP build asks OpenMP each time. */
START_TEST(threads)
{
    static const char *const names[] = {"serial", "pthreads", "openmp"};
    fake f = usual;
    for (int parallel = -1; parallel < 4; parallel++) {
        f.parallel = parallel;
        const gg_blas blas = start(&f, &zen5, false);
        ck_assert_str_eq(blas.threading, parallel >= 0 && parallel < 3 ? names[parallel] : "unknown");
        ck_assert_int_eq(blas_played.threads, parallel == 1 ? 1 : 0);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, kernel_that_fits_stays);
    tcase_add_test(tests, lesser_kernel_is_repaired);
    tcase_add_test(tests, unknown_name_is_no_end);
    tcase_add_test(tests, wrong_products_undo_it);
    tcase_add_test(tests, user_has_the_last_word);
    tcase_add_test(tests, versions);
    tcase_add_test(tests, threads);
}
