/* serve.c - the table of cases, as gemmgrad/measure.h wants it. */
#include "serve.h"

#include <gemmgrad/measure.h>

#include "bench_check.h"
#include "bench_cold.h"
#include "commands.h"
#include "options.h"

/* A variant of a case, and its work while it is open. */
typedef struct served {
    const bench_case *line;
    int variant;
    bench_work work;
    char name[BENCH_NAME_BYTES];
} served;

static int open_case(void *context, int again)
{
    served *s = context;
    gg_status status = bench_work_open(&s->work, s->line);
    if (status != GG_OK)
        return 1;
    if (again == 0)
        status = bench_check(&s->work, s->variant);
    if (status != GG_OK)
        bench_work_close(&s->work);
    return status != GG_OK;
}

static int run_case(void *context)
{
    served *s = context;
    return s->line->kind->variants[s->variant].run(&s->work) != GG_OK;
}

static void empty_caches(void *context)
{
    bench_cold_flush(&((served *)context)->work);
}

static void close_case(void *context)
{
    bench_work_close(&((served *)context)->work);
}

static bool is_left_out(const bench_case *line, bool quick)
{
    return quick && line->kind->too_long != NULL && line->kind->too_long(line);
}

static int count_variants(const bench_case *lines, int count)
{
    int variants = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < bench_case_variants(&lines[i]); j++)
            variants += bench_case_has(&lines[i], j);
    return variants;
}

static int list_all(gg_measured *cases, served *all, const bench_case *lines, int count, bool quick, bool cold)
{
    int listed = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < bench_case_variants(&lines[i]); j++) {
            if (!bench_case_has(&lines[i], j) || is_left_out(&lines[i], quick))
                continue;
            served *s = &all[listed];
            s->line = &lines[i];
            s->variant = j;
            bench_case_name(s->name, s->line, s->line->kind->variants[j].name);
            cases[listed++] = (gg_measured){s->name, open_case, run_case, close_case, s, cold ? empty_caches : NULL};
        }
    return listed;
}

static void describe(char *text, size_t size)
{
    gg_backend_info b;
    if (gg_backend_describe(&b) == GG_OK)
        snprintf(text, size, "gemmgrad %s, %s %s (%s), kernel %s, vectors %s, threads %d", gg_version(), b.blas,
                 b.blas_version, b.threading, b.kernel_used, b.vector_isa, b.threads);
    else
        snprintf(text, size, "gemmgrad %s", gg_version());
}

int bench_serve(int threads, bool quick, bool cold)
{
    int count;
    void *cases = NULL, *all = NULL;
    char about[256];
    const bench_case *lines = bench_cases(&count);
    const size_t variants = (size_t)count_variants(lines, count);
    gg_status status = threads > 0 ? gg_set_threads(threads) : GG_OK;
    if (status == GG_OK)
        status = gg_alloc(&cases, variants * sizeof(gg_measured));
    if (status == GG_OK)
        status = gg_alloc_zero(&all, variants * sizeof(served));
    if (status == GG_OK) {
        describe(about, sizeof about);
        const gg_measured_program program = {cases, list_all(cases, all, lines, count, quick, cold), about,
                                             gg_error_message};
        gg_measure_serve(&program);
    }
    gg_free(cases);
    gg_free(all);
    return status == GG_OK ? GG_EXIT_DONE : gg_failure("bench");
}
