/* history_report.c - the table of steps, and the JSON. */
#include <string.h>

#include "history_page.h"

/* ---- the table ---- */

void history_place(char text[HISTORY_PLACE_BYTES], const history_run *run)
{
    const int day = (int)strcspn(run->date, "Tt ");
    if (run->commit[0] != '\0')
        snprintf(text, HISTORY_PLACE_BYTES, "%.10s of %.*s", run->commit, day < 10 ? day : 10, run->date);
    else
        snprintf(text, HISTORY_PLACE_BYTES, "%.16s (%.100s)", run->date, run->file);
}

bool history_other_machine(const history_step *step)
{
    return strcmp(step->before->machine, step->run->machine) != 0;
}

static void print_time(FILE *out, double seconds)
{
    const char *unit = seconds < 1e-6 ? "ns" : seconds < 1e-3 ? "us" : seconds < 1.0 ? "ms" : "s ";
    const double scaled = seconds * (seconds < 1e-6 ? 1e9 : seconds < 1e-3 ? 1e6 : seconds < 1.0 ? 1e3 : 1.0);
    fprintf(out, " %*.*f %s", 8, scaled < 10.0 ? 3 : scaled < 100.0 ? 2 : 1, scaled, unit);
}

static int name_width(const history *h)
{
    size_t width = strlen("case");
    for (int i = 0; i < h->case_count; i++)
        if (h->cases[i].level_count > 1 && strlen(h->cases[i].name) > width)
            width = strlen(h->cases[i].name);
    return (int)width;
}

static void print_step(FILE *out, const history *h, int width, const history_case *line, int step)
{
    char place[HISTORY_PLACE_BYTES];
    const history_step s = history_step_at(h, line, step);
    history_place(place, s.run);
    fprintf(out, "%-*s", width, line->name);
    print_time(out, s.from);
    print_time(out, s.to);
    fprintf(out, " %+8.1f%%  %s%s\n", s.percent, place, history_other_machine(&s) ? ", on another machine" : "");
}

void history_print(FILE *out, const history *h)
{
    const int width = name_width(h);
    if (h->step_count > 0)
        fprintf(out, "%-*s %11s %11s %9s  %s\n", width, "case", "from", "to", "change", "at");
    for (int i = 0; i < h->case_count; i++)
        for (int step = 1; step < h->cases[i].level_count; step++)
            print_step(out, h, width, &h->cases[i], step);
    fprintf(out, "%s%d case%s in %d run%s, %.10s to %.10s: %d step%s\n", h->step_count > 0 ? "\n" : "", h->case_count,
            h->case_count == 1 ? "" : "s", h->run_count, h->run_count == 1 ? "" : "s", h->runs[0].date,
            h->runs[h->run_count - 1].date, h->step_count, h->step_count == 1 ? "" : "s");
}

/* ---- JSON ---- */

static json_t *run_json(const history_run *run)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "file", run->file, "date", run->date, "commit", run->commit, "machine",
                     run->machine);
}

static int add_points(json_t *object, const history_case *line)
{
    json_t *runs = json_array(), *medians = json_array();
    int failed = 0;
    for (int i = 0; i < line->count; i++) {
        failed |= json_array_append_new(runs, json_integer(line->runs[i]));
        failed |= json_array_append_new(medians, json_real(line->medians[i]));
    }
    failed |= json_object_set_new(object, "runs", runs);
    return failed | json_object_set_new(object, "medians", medians);
}

static int add_steps(json_t *object, const history *h, const history_case *line)
{
    json_t *steps = json_array();
    int failed = 0;
    for (int i = 1; i < line->level_count; i++) {
        const history_step s = history_step_at(h, line, i);
        failed |= json_array_append_new(steps, json_pack("{s:i, s:f, s:f, s:f, s:s, s:s, s:b}", "run",
                                                         line->runs[line->levels[i].first], "from", s.from, "to", s.to,
                                                         "percent", s.percent, "date", s.run->date, "commit",
                                                         s.run->commit, "other_machine", history_other_machine(&s)));
    }
    return failed | json_object_set_new(object, "steps", steps);
}

json_t *history_json(const history *h)
{
    json_t *root = json_object(), *runs = json_array(), *cases = json_array();
    int failed = json_object_set_new(root, "runs", runs);
    failed |= json_object_set_new(root, "cases", cases);
    for (int i = 0; i < h->run_count; i++)
        failed |= json_array_append_new(runs, run_json(&h->runs[i]));
    for (int i = 0; i < h->case_count && failed == 0; i++) {
        json_t *object = json_pack("{s:s}", "name", h->cases[i].name);
        failed |= add_points(object, &h->cases[i]);
        failed |= add_steps(object, h, &h->cases[i]);
        failed |= json_array_append_new(cases, object);
    }
    if (failed == 0)
        return root;
    json_decref(root);
    return NULL;
}
