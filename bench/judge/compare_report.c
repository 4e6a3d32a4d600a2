/* compare_report.c - names and messages come from files that anybody may have written: what could move a terminal's
 * cursor or end a cell of a table is replaced. */
#include "compare_report.h"

#include <math.h>
#include <string.h>

/* ---- pieces ---- */

static void print_plain(FILE *out, const char *text, int width)
{
    int printed = 0;
    for (; *text != '\0'; text++, printed++)
        fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
    fprintf(out, "%*s", printed < width ? width - printed : 0, "");
}

/* As a code span in a cell. */
static void print_code(FILE *out, const char *text)
{
    fputc('`', out);
    for (; *text != '\0'; text++)
        if (*text == '|')
            fputs("\\|", out);
        else
            fputc((unsigned char)*text < ' ' || *text == 127 || *text == '`' ? '?' : *text, out);
    fputc('`', out);
}

static const char *time_text(char text[32], double seconds)
{
    const char *unit = seconds < 1e-6 ? "ns" : seconds < 1e-3 ? "us" : seconds < 1.0 ? "ms" : "s ";
    const double scaled = seconds * (seconds < 1e-6 ? 1e9 : seconds < 1e-3 ? 1e6 : seconds < 1.0 ? 1e3 : 1.0);
    snprintf(text, 32, "%.*f %s", scaled < 10.0 ? 3 : scaled < 100.0 ? 2 : 1, scaled, unit);
    return text;
}

static const char *p_text(char text[16], double p)
{
    snprintf(text, 16, p < 1e-4 ? "%.0e" : "%.4f", p);
    return text;
}

static const char *error_of(const bench_comparison *row)
{
    if (row->fresh != NULL && row->fresh->error != NULL)
        return row->fresh->error;
    return row->base != NULL && row->base->error != NULL ? row->base->error : "";
}

static void print_counts(FILE *out, const bench_comparisons *all)
{
    fprintf(out, "%d slower, %d faster, %d same, %d too noisy", all->counts[BENCH_SLOWER], all->counts[BENCH_FASTER],
            all->counts[BENCH_SAME], all->counts[BENCH_NOISY]);
    for (int i = 0; i < BENCH_VERDICTS; i++) {
        const bool usual = i == BENCH_SLOWER || i == BENCH_FASTER || i == BENCH_SAME || i == BENCH_NOISY;
        if (!usual && all->counts[i] > 0)
            fprintf(out, ", %d %s", all->counts[i], bench_verdict_name((bench_verdict)i));
    }
}

/* What makes a verdict, in a line or two below every table. */
static void print_method(FILE *out, const bench_compare_report *r)
{
    fprintf(out,
            "new/base: ratio of medians, above 1 is slower, with its 95 %% bootstrap interval; p: Mann-Whitney U, "
            "Holm for %d;\nslower and faster: p < %g, 1 outside the interval, ratio beyond %g %%; same: interval "
            "within %g %%\n",
            r->all->judged, r->settings.alpha, 100.0 * r->settings.threshold, 100.0 * r->settings.threshold);
}

/* ---- what a reader should know of the samples ---- */

static void print_load(FILE *out, const bench_file *file, const char *side)
{
    const double noticeable = 0.05;
    const double load = json_number_value(json_object_get(file->context, "foreign_cpus"));
    if (load > noticeable)
        fprintf(out, "NOT IDLE: others kept %.2f CPUs busy while %s was measured\n", load, side);
}

static void print_build(FILE *out, const bench_compare_report *r)
{
    const char *before = "not built alike: ";
    for (int i = 0; i < BENCH_BUILD_KEYS; i++)
        if (!bench_same_context(r->base, r->fresh, bench_build_keys[i])) {
            fprintf(out, "%s%s", before, bench_build_keys[i]);
            before = ", ";
        }
    if (before[0] == ',')
        fputs(" differ\n", out);
}

static int severe_outliers(const bench_comparisons *all)
{
    int rows = 0;
    for (int i = 0; i < all->count; i++) {
        const bench_outliers *base = &all->rows[i].base_outliers, *fresh = &all->rows[i].fresh_outliers;
        rows += base->high_severe + base->low_severe + fresh->high_severe + fresh->low_severe > 0;
    }
    return rows;
}

static void print_notes(FILE *out, const bench_compare_report *r)
{
    const int severe = severe_outliers(r->all);
    print_build(out, r);
    print_load(out, r->base, "base");
    print_load(out, r->fresh, "new");
    if (r->all->few_samples > 0)
        fprintf(out, "%d with fewer than 5 samples on one side, which is too few to judge\n", r->all->few_samples);
    if (r->all->out_of_reach > 0)
        fprintf(out, "%d with too few samples for a p below %g among %d cases: measure more repetitions, or --filter\n",
                r->all->out_of_reach, r->settings.alpha, r->all->judged);
    if (severe > 0)
        fprintf(out, "%d with samples more than 3 interquartile ranges outside the quartiles\n", severe);
}

/* ---- the table ---- */

static int name_width(const bench_comparisons *all)
{
    size_t width = strlen("case");
    for (int i = 0; i < all->count; i++)
        if (strlen(all->rows[i].name) > width)
            width = strlen(all->rows[i].name);
    return width < 80 ? (int)width : 80;
}

static void print_row(FILE *out, const bench_comparison *row, int width)
{
    char base[32], fresh[32], p[16];
    print_plain(out, row->name, width);
    if (bench_judged(row))
        fprintf(out, " %10s %10s %7.3f  %6.3f - %-6.3f %8s  %s\n", time_text(base, row->base_median),
                time_text(fresh, row->fresh_median), row->ratio, row->interval.low, row->interval.high,
                p_text(p, row->corrected), bench_verdict_name(row->verdict));
    else {
        fprintf(out, " %s%s", bench_verdict_name(row->verdict), error_of(row)[0] != '\0' ? ": " : "");
        print_plain(out, error_of(row), 0);
        fputc('\n', out);
    }
}

/* The worst last: there a terminal stands still. */
void bench_compare_print_table(FILE *out, const void *report)
{
    const bench_compare_report *r = report;
    const int width = name_width(r->all);
    fprintf(out, "%-*s %10s %10s %7s  %-15s %8s  %s\n", width, "case", "base", "new", "ratio", "95 % interval", "p",
            "verdict");
    for (int verdict = BENCH_VERDICTS - 1; verdict >= 0; verdict--)
        for (int i = 0; i < r->all->count; i++)
            if ((int)r->all->rows[i].verdict == verdict)
                print_row(out, &r->all->rows[i], width);
    fputc('\n', out);
    print_method(out, r);
    print_notes(out, r);
    fprintf(out, "%d cases: ", r->all->count);
    print_counts(out, r->all);
    if (r->all->judged > 0)
        fprintf(out, "; geometric mean %.4f", r->all->geometric_mean);
    fputc('\n', out);
}

/* ---- Markdown ---- */

static void print_cells(FILE *out, const bench_comparison *row)
{
    char base[32], fresh[32], p[16];
    const char *strong = row->verdict <= BENCH_FASTER ? "**" : "";
    fputs("| ", out);
    print_code(out, row->name);
    if (bench_judged(row))
        fprintf(out, " | %s | %s | %.3f | %.3f - %.3f | %s", time_text(base, row->base_median),
                time_text(fresh, row->fresh_median), row->ratio, row->interval.low, row->interval.high,
                p_text(p, row->corrected));
    else
        fputs(" | | | | |", out);
    fprintf(out, " | %s%s%s", strong, bench_verdict_name(row->verdict), strong);
    if (error_of(row)[0] != '\0') {
        fputs(": ", out);
        print_code(out, error_of(row));
    }
    fputs(" |\n", out);
}

static void print_rows(FILE *out, const bench_comparisons *all, bench_verdict from, bench_verdict to)
{
    fputs("| case | base | new | ratio | 95 % interval | p | verdict |\n| --- | ---: | ---: | ---: | --- | ---: | --- "
          "|\n",
          out);
    for (int verdict = (int)from; verdict <= (int)to; verdict++)
        for (int i = 0; i < all->count; i++)
            if ((int)all->rows[i].verdict == verdict)
                print_cells(out, &all->rows[i]);
}

static int rows_between(const bench_comparisons *all, bench_verdict from, bench_verdict to)
{
    int rows = 0;
    for (int verdict = (int)from; verdict <= (int)to; verdict++)
        rows += all->counts[verdict];
    return rows;
}

/* What changed first; what did not is folded away. */
void bench_compare_print_markdown(FILE *out, const void *report)
{
    const bench_compare_report *r = report;
    const int changed = rows_between(r->all, BENCH_BROKEN, BENCH_FASTER);
    fputs("### Performance: ", out);
    print_counts(out, r->all);
    fputs("\n\n", out);
    print_code(out, r->base->path);
    fputs(" against ", out);
    print_code(out, r->fresh->path);
    if (r->all->judged > 0)
        fprintf(out, ", %d cases, geometric mean of new/base %.4f", r->all->count, r->all->geometric_mean);
    fputs("\n\n", out);
    if (changed > 0)
        print_rows(out, r->all, BENCH_BROKEN, BENCH_FASTER);
    if (r->all->count > changed) {
        fprintf(out, "\n<details><summary>%d others</summary>\n\n", r->all->count - changed);
        print_rows(out, r->all, BENCH_NOISY, BENCH_ONLY_NEW);
        fputs("\n</details>\n", out);
    }
    fputc('\n', out);
    print_method(out, r);
    print_notes(out, r);
}

/* ---- JSON ---- */

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* The name of a file may be any bytes, JSON holds only UTF-8. */
static json_t *path_json(const char *path)
{
    json_t *text = json_string(path);
    return text != NULL ? text : json_string("(a name that is not UTF-8)");
}

static json_t *outliers_json(const bench_outliers *found)
{
    return json_pack("{s:i, s:i, s:i, s:i}", "low_severe", found->low_severe, "low_mild", found->low_mild, "high_mild",
                     found->high_mild, "high_severe", found->high_severe);
}

static json_t *row_json(const bench_comparison *row)
{
    const char *error = error_of(row);
    if (!bench_judged(row))
        return json_pack("{s:s, s:s, s:s*}", "name", row->name, "verdict", bench_verdict_name(row->verdict), "error",
                         error[0] != '\0' ? error : NULL);
    return json_pack("{s:s, s:s, s:o, s:o, s:i, s:i, s:o, s:[o, o], s:o, s:o, s:o, s:o}", "name", row->name, "verdict",
                     bench_verdict_name(row->verdict), "base_seconds", number(row->base_median), "new_seconds",
                     number(row->fresh_median), "base_samples", row->base->count, "new_samples", row->fresh->count,
                     "ratio", number(row->ratio), "interval", number(row->interval.low), number(row->interval.high),
                     "p", number(row->p), "p_corrected", number(row->corrected), "base_outliers",
                     outliers_json(&row->base_outliers), "new_outliers", outliers_json(&row->fresh_outliers));
}

static json_t *rows_json(const bench_comparisons *all)
{
    json_t *list = json_array();
    int failed = list == NULL;
    for (int i = 0; i < all->count && failed == 0; i++)
        failed |= json_array_append_new(list, row_json(&all->rows[i]));
    if (failed == 0)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *counts_json(const bench_comparisons *all)
{
    json_t *counts = json_object();
    for (int i = 0; i < BENCH_VERDICTS; i++)
        if (json_object_set_new(counts, bench_verdict_name((bench_verdict)i), json_integer(all->counts[i])) != 0) {
            json_decref(counts);
            return NULL;
        }
    return counts;
}

static json_t *differences_json(const bench_compare_report *r)
{
    json_t *list = json_array();
    for (int i = 0; i < BENCH_MACHINE_KEYS; i++)
        if (!bench_same_context(r->base, r->fresh, bench_machine_keys[i]))
            json_array_append_new(list, json_string(bench_machine_keys[i]));
    return list;
}

json_t *bench_compare_json(const bench_compare_report *report)
{
    const bench_comparisons *all = report->all;
    return json_pack("{s:o, s:o, s:f, s:f, s:o, s:i, s:o, s:o, s:i, s:o}", "base", path_json(report->base->path), "new",
                     path_json(report->fresh->path), "threshold", report->settings.threshold, "alpha",
                     report->settings.alpha, "machine_differences", differences_json(report), "judged", all->judged,
                     "geometric_mean", number(all->geometric_mean), "counts", counts_json(all), "exit_code",
                     report->exit_code, "cases", rows_json(all));
}
