/* test_backend.c - start-up: what it finds, what the environment and the options change, and what it refuses. Each
 * start is that of a process of its own, the backend_probe whose path is in BACKEND_PROBE. */
#include <gemmgrad/backend.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "support.h"

enum { OUTPUT_BYTES = 8192, VALUE_BYTES = 512 };

static char output[OUTPUT_BYTES];

static void forget_environment(void)
{
    static const char *const names[] = {"GEMMGRAD_ISA", "GEMMGRAD_KEEP_BLAS_KERNEL", "OPENBLAS_CORETYPE",
                                        "OMP_NUM_THREADS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

/* Run the probe with these words; its output stays in `output`. */
static void probe(const char *words)
{
    char command[1024];
    const char *path = getenv("BACKEND_PROBE");
    ck_assert_msg(path != NULL, "BACKEND_PROBE is not set; run me by `meson test`");
    fflush(NULL);
    snprintf(command, sizeof command, "'%s' %s", path, words);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    output[0] = '\n';
    const size_t length = fread(output + 1, 1, sizeof output - 2, pipe);
    output[1 + length] = '\0';
    ck_assert_msg(pclose(pipe) == 0, "%s ended badly: %s", command, output);
}

/* The value of the `turn`-th line "name=...", 0 being the first; "(none)" when there is none. */
static const char *value(const char *name, int turn)
{
    static char text[4][VALUE_BYTES]; /* so that several may be compared */
    static int next;
    char key[64];
    snprintf(key, sizeof key, "\n%s=", name);
    const char *line = strstr(output, key);
    for (int i = 0; i < turn && line != NULL; i++)
        line = strstr(line + 1, key);
    if (line == NULL)
        return "(none)";
    next = (next + 1) % 4;
    line += strlen(key);
    snprintf(text[next], sizeof text[next], "%.*s", (int)strcspn(line, "\n"), line);
    return text[next];
}

static void expect(const char *name, int turn, const char *wanted)
{
    ck_assert_msg(strcmp(value(name, turn), wanted) == 0, "%s is '%s', expected '%s' in%s", name, value(name, turn),
                  wanted, output);
}

static bool one_of(const char *text, const char *const *choices)
{
    for (; *choices != NULL; choices++)
        if (strcmp(text, *choices) == 0)
            return true;
    return false;
}

static bool is_openblas(void)
{
    return strcmp(value("blas", 0), "OpenBLAS") == 0;
}

START_TEST(version_is_that_of_the_headers)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", GG_VERSION_MAJOR, GG_VERSION_MINOR, GG_VERSION_PATCH);
    ck_assert_str_eq(gg_version(), text);
}
END_TEST

/* Every field says something, and the numbers are possible; products are right. */
START_TEST(finds_out_where_it_is)
{
    static const char *const names[] = {"cpu",          "blas",        "blas_version", "threading",
                                        "kernel_found", "kernel_used", "kernel_note",  "vector_isa"};
    static const char *const blas[] = {"OpenBLAS", "BLIS", "reference or unknown BLAS", NULL};
    static const char *const threading[] = {"openmp", "pthreads", "serial", "unknown", NULL};
    probe("describe multiply");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(strcmp(value(names[i], 0), "") != 0 && strcmp(value(names[i], 0), "(none)") != 0, "%s", names[i]);
    ck_assert(one_of(value("blas", 0), blas));
    ck_assert(one_of(value("threading", 0), threading));
    ck_assert_int_ge(atoi(value("cpus", 0)), 1);
    ck_assert_str_eq(value("threads", 0), value("cpus", 0));
    if (is_openblas())
        ck_assert(isdigit((unsigned char)value("blas_version", 0)[0]));
    expect("wrong", 0, "0");
}
END_TEST

/* A BLAS before the one that was linked: the name is that of its file, and no kernel of the other is claimed. */
START_TEST(a_preloaded_blas_is_named)
{
    const char *path = getenv("BACKEND_PRELOAD");
    probe("describe");
    if (path == NULL || !is_openblas())
        return;
    setenv("LD_PRELOAD", path, 1);
    probe("describe multiply");
    unsetenv("LD_PRELOAD");
    expect("blas", 0, strrchr(path, '/') + 1);
    expect("blas_version", 0, "unknown");
    expect("kernel_found", 0, "unknown");
    expect("kernel_used", 0, "unknown");
    expect("wrong", 0, "0");
}
END_TEST

/* A kernel that was not repaired is the one that was found; one that was is another. */
START_TEST(kernel_note_is_true)
{
    probe("describe environment multiply");
    const bool repaired = strncmp(value("kernel_note", 0), "repaired", 8) == 0;
    ck_assert_msg((strcmp(value("kernel_found", 0), value("kernel_used", 0)) != 0) == repaired, "%s", output);
    ck_assert(!repaired || strstr(value("kernel_note", 0), value("kernel_used", 0)) != NULL);
    expect("coretype", 0, "unset");
    expect("wrong", 0, "0");
}
END_TEST

/* GEMMGRAD_ISA names a lesser set than the best; anything else is passed over. */
START_TEST(vector_set_can_be_lowered)
{
    static const char *const sets[] = {"baseline", "avx2", "avx512"};
    static const char *const nonsense[] = {"", "AVX2", "sse", "avx", "avx2 ", "avx1024"};
    const gg_isa best = support_cpu_runs(GG_ISA_AVX512) ? GG_ISA_AVX512
                        : support_cpu_runs(GG_ISA_AVX2) ? GG_ISA_AVX2
                                                        : GG_ISA_BASELINE;
    for (gg_isa isa = GG_ISA_BASELINE; isa <= GG_ISA_AVX512; isa++) {
        setenv("GEMMGRAD_ISA", sets[isa], 1);
        probe("describe multiply");
        expect("vector_isa", 0, sets[isa < best ? isa : best]);
        expect("wrong", 0, "0");
    }
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        setenv("GEMMGRAD_ISA", nonsense[i], 1);
        probe("describe");
        expect("vector_isa", 0, sets[best]);
    }
}
END_TEST

static void expect_kept(void)
{
    ck_assert_str_eq(value("kernel_used", 0), value("kernel_found", 0));
    if (is_openblas())
        expect("kernel_note", 0, "left as found, as asked");
}

START_TEST(kernel_can_be_kept)
{
    char usual[VALUE_BYTES];
    probe("describe");
    snprintf(usual, sizeof usual, "%s", value("kernel_used", 0));
    probe("keep init describe multiply");
    expect_kept();
    setenv("GEMMGRAD_KEEP_BLAS_KERNEL", "1", 1);
    probe("describe multiply");
    expect_kept();
    expect("wrong", 0, "0");
    static const char *const no[] = {"", "0"};
    for (int i = 0; i < 2; i++) {
        setenv("GEMMGRAD_KEEP_BLAS_KERNEL", no[i], 1);
        probe("describe");
        expect("kernel_used", 0, usual);
    }
}
END_TEST

/* An OpenBLAS that took this CPU for an older one is told better: it reads OPENBLAS_CORETYPE while it loads, and when
 * the backend starts nothing is left of it. */
START_TEST(kernel_is_repaired)
{
    if (!support_cpu_runs(GG_ISA_AVX2))
        return;
    setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    probe("forget describe environment multiply");
    expect("wrong", 0, "0");
    expect("coretype", 0, "unset");
    const bool repaired = strcmp(value("kernel_used", 0), value("kernel_found", 0)) != 0;
    if (strcmp(value("kernel_found", 0), "Prescott") != 0)
        return; /* no OpenBLAS with several kernels */
    ck_assert_msg(repaired && strstr(value("kernel_note", 0), "repaired: OpenBLAS chose Prescott") != NULL, "%s",
                  output);
    probe("forget keep init describe multiply");
    expect("kernel_used", 0, "Prescott");
    expect_kept();
    expect("wrong", 0, "0");
}
END_TEST

/* What the user told OpenBLAS stands, and stays in the environment for its children. */
START_TEST(users_kernel_wins)
{
    static const char *const cores[] = {"Haswell", "Prescott", "nonsense"};
    for (int i = 0; i < 3; i++) {
        setenv("OPENBLAS_CORETYPE", cores[i], 1);
        probe("describe environment multiply");
        expect("coretype", 0, cores[i]);
        ck_assert_str_eq(value("kernel_used", 0), value("kernel_found", 0));
        ck_assert(!is_openblas() || strstr(value("kernel_note", 0), "OPENBLAS_CORETYPE is set by the user") != NULL);
        expect("wrong", 0, "0");
    }
}
END_TEST

/* options.threads, else the first level of OMP_NUM_THREADS, else the CPUs; at most 1024. */
START_TEST(thread_policy)
{
    static const char *const cases[][3] = {
        {"1", "describe", "1"},
        {"3", "describe", "3"},
        {"3", "threads=2 init describe", "2"},
        {"2,4", "describe", "2"},
        {"99999", "describe", "1024"},
        {"3", "threads=0 init describe", "3"},
        {" 5", "describe", "5"},
        {"3", "init-null describe", "3"},
        {"3", "set=7 describe", "7"},
        {"3", "multiply describe", "3"},
        {"2", "threads=1024 init describe", "1024"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("OMP_NUM_THREADS", cases[i][0], 1);
        probe(cases[i][1]);
        expect("threads", 0, cases[i][2]);
    }
}
END_TEST

START_TEST(nonsense_for_threads)
{
    static const char *const nonsense[] = {"", "0", "-2", "many"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        setenv("OMP_NUM_THREADS", nonsense[i], 1);
        probe("describe 2>/dev/null");
        ck_assert_str_eq(value("threads", 0), value("cpus", 0));
    }
    setenv("OMP_NUM_THREADS", "99999999999999999999", 1);
    probe("describe 2>/dev/null");
    expect("threads", 0, "1024");
}
END_TEST

/* The backend starts once: by gg_backend_init or by the first call. A refused start is none. */
START_TEST(starts_once)
{
    static const char ok[] = "ok", late[] = "call out of order";
    probe("init-null init threads=2 init describe");
    expect("status", 0, ok);
    expect("status", 1, late);
    expect("status", 2, late);
    ck_assert_ptr_nonnull(strstr(value("message", 1), "gg_backend_init: "));
    ck_assert_str_eq(value("threads", 0), value("cpus", 0));
    probe("multiply init");
    expect("status", 0, late);
    probe("describe init");
    expect("status", 0, late);
    probe("set=2 init");
    expect("status", 1, late);
    probe("threads=-1 init threads=1025 init threads=2 init describe");
    expect("status", 0, "invalid argument");
    ck_assert_ptr_nonnull(strstr(value("message", 0), "gg_backend_init: threads is -1"));
    expect("status", 1, "invalid argument");
    ck_assert_ptr_nonnull(strstr(value("message", 1), "threads is 1025"));
    expect("status", 2, ok);
    expect("threads", 0, "2");
}
END_TEST

START_TEST(tells_the_log_once)
{
    char start[64];
    snprintf(start, sizeof start, "context gemmgrad %s: ", gg_version());
    probe("log init describe multiply");
    expect("log_calls", 0, "1");
    ck_assert_ptr_nonnull(strstr(value("log", 0), start));
    ck_assert_ptr_nonnull(strstr(value("log", 0), value("kernel_note", 0)));
    probe("init describe multiply");
    expect("log_calls", 0, "0");
}
END_TEST

START_TEST(threads_can_be_changed)
{
    for (int threads = 1; threads <= 1024; threads = threads * 2 + 1) {
        ck_assert_int_eq(gg_set_threads(threads), GG_OK);
        ck_assert_int_eq(gg_threads(), threads);
    }
    ck_assert_int_eq(gg_set_threads(3), GG_OK);
    support_assert_fails(gg_set_threads(0), GG_ERR_ARGUMENT, "gg_set_threads", "threads is 0");
    support_assert_fails(gg_set_threads(-5), GG_ERR_ARGUMENT, "gg_set_threads", "threads is -5");
    support_assert_fails(gg_set_threads(1025), GG_ERR_ARGUMENT, "gg_set_threads", "threads is 1025");
    support_assert_fails(gg_backend_describe(NULL), GG_ERR_ARGUMENT, "gg_backend_describe", "info is NULL");
    ck_assert_int_eq(gg_threads(), 3);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, forget_environment, NULL);
    tcase_add_test(tests, version_is_that_of_the_headers);
    tcase_add_test(tests, finds_out_where_it_is);
    tcase_add_test(tests, a_preloaded_blas_is_named);
    tcase_add_test(tests, kernel_note_is_true);
    tcase_add_test(tests, vector_set_can_be_lowered);
    tcase_add_test(tests, kernel_can_be_kept);
    tcase_add_test(tests, kernel_is_repaired);
    tcase_add_test(tests, users_kernel_wins);
    tcase_add_test(tests, thread_policy);
    if (!support_openmp_is_llvm())
        tcase_add_test(tests, nonsense_for_threads);
    tcase_add_test(tests, starts_once);
    tcase_add_test(tests, tells_the_log_once);
    tcase_add_test(tests, threads_can_be_changed);
}
