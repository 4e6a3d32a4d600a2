/* history_series.c - series by date, and their levels. */
#include "history_series.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int by_date(const void *a, const void *b)
{
    const history_run *x = a, *y = b;
    if (x->seconds != y->seconds)
        return x->seconds < y->seconds ? -1 : 1;
    return x->place - y->place;
}

static void fill_runs(history *h, const json_t *runs)
{
    for (int i = 0; i < h->run_count; i++) {
        const json_t *run = json_array_get(runs, (size_t)i);
        const char *date = json_string_value(json_object_get(run, "date"));
        h->runs[i] = (history_run){
            .file = json_string_value(json_object_get(run, "file")),
            .date = date,
            .commit = json_string_value(json_object_get(run, "commit")),
            .machine = json_string_value(json_object_get(run, "machine")),
            .seconds = history_seconds(date),
            .place = i,
        };
    }
    qsort(h->runs, (size_t)h->run_count, sizeof *h->runs, by_date);
}

/* The arrays of one case, each as long as there are runs. */
typedef struct room {
    double *medians;
    bench_level *levels;
    int *runs;
} room;

static gg_status fill_case(history *h, int i, const char *name, const json_t *list, room at, double least_step)
{
    history_case *line = &h->cases[i];
    int count = 0, levels = 0;
    for (int run = 0; run < h->run_count; run++) {
        const json_t *median = json_array_get(list, (size_t)h->runs[run].place);
        if (!json_is_real(median))
            continue;
        at.runs[count] = run;
        at.medians[count++] = json_real_value(median);
    }
    const gg_status status = bench_steps_find(at.levels, &levels, at.medians, count, least_step);
    *line = (history_case){.name = name,
                           .runs = at.runs,
                           .medians = at.medians,
                           .count = count,
                           .levels = at.levels,
                           .level_count = levels};
    h->step_count += levels > 0 ? levels - 1 : 0;
    return status;
}

static gg_status fill_cases(history *h, const json_t *cases, room at, double least_step)
{
    gg_status status = GG_OK;
    json_t *walked = (json_t *)(uintptr_t)cases; /* iterators ask for what may be changed */
    int i = 0;
    for (void *place = json_object_iter(walked); place != NULL && status == GG_OK;
         place = json_object_iter_next(walked, place)) {
        status = fill_case(h, i++, json_object_iter_key(place), json_object_iter_value(place), at, least_step);
        at.medians += h->run_count;
        at.levels += h->run_count;
        at.runs += h->run_count;
    }
    return status;
}

gg_status history_arrange(history *out, double least_step)
{
    const json_t *runs = json_object_get(out->root, "runs"), *cases = json_object_get(out->root, "cases");
    const size_t run_count = json_array_size(runs), case_count = json_object_size(cases);
    const size_t points = run_count * case_count;
    const size_t bytes = run_count * sizeof(history_run) + case_count * sizeof(history_case)
                         + points * (sizeof(double) + sizeof(bench_level) + sizeof(int));
    const gg_status status = gg_alloc(&out->memory, bytes);
    if (status != GG_OK)
        return status;
    out->run_count = (int)run_count;
    out->case_count = (int)case_count;
    out->runs = out->memory;
    out->cases = (history_case *)(void *)(out->runs + run_count);
    room at = {.medians = (double *)(void *)(out->cases + case_count)};
    at.levels = (bench_level *)(void *)(at.medians + points);
    at.runs = (int *)(void *)(at.levels + points);
    fill_runs(out, runs);
    return fill_cases(out, cases, at, least_step);
}

history_step history_step_at(const history *h, const history_case *line, int step)
{
    const bench_level *from = &line->levels[step - 1], *to = &line->levels[step];
    return (history_step){
        .from = from->level,
        .to = to->level,
        .percent = 100.0 * (to->level / from->level - 1.0),
        .before = &h->runs[line->runs[to->first - 1]],
        .run = &h->runs[line->runs[to->first]],
    };
}
