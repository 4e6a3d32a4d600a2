/* report_page.c - the page of a report: key facts, charts, the table of all cases, the environment. */
#include "report_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench_stats.h"
#include "html_json.h"

/* So small a table is not folded. */
static const int SMALL_TABLE = 40;

/* From here on, other programs make figures unsafe; the table of `gemmgrad bench` warns from the same share on. */
static const double BUSY = 0.05;

void report_group_name(gg_html *page, const report_group *group)
{
    char name[256];
    snprintf(name, sizeof name, "%.*s", group->name_length, group->name);
    gg_html_text(page, name[0] != '\0' ? name : "all");
}

/* ---- key facts ---- */

static void fact_cases(gg_html *page, const report *r)
{
    gg_html_fact_begin(page, "Cases");
    gg_html_add(page, "%d", r->count);
    gg_html_fact_note(page);
    gg_html_add(page, "in %d group%s, ", r->group_count, r->group_count == 1 ? "" : "s");
    gg_html_add(page, r->failed > 0 ? "<strong class=\"slower\">%d failed</strong>" : "none failed", r->failed);
    gg_html_fact_end(page);
}

/* A ceiling that moved during the run is one that figures below it cannot be held against. */
static void note_drift(gg_html *page, const bench_file *file, const char *key, int decimals)
{
    const json_t *first = json_array_get(json_object_get(file->context, "ceilings"), 0);
    const json_t *looks = json_object_get(first, key);
    double lowest = NAN;
    for (size_t i = 0; i < json_array_size(looks); i++) {
        const json_t *look = json_array_get(looks, i);
        lowest = fmin(lowest, json_is_number(look) ? json_number_value(look) : (double)NAN);
    }
    const bool alone = json_array_size(json_object_get(file->context, "ceilings")) == 1;
    if (alone && json_array_size(looks) > 1 && isfinite(lowest))
        gg_html_add(page, "; the lowest of %zu looks during the run: %.*f", json_array_size(looks), decimals, lowest);
}

/* "2 threads", or "the best of 1, 2 and 4 threads" where a run went through several numbers. */
static void note_threads(gg_html *page, const bench_file *file)
{
    const json_t *list = json_object_get(file->context, "ceilings");
    const double threads = report_context_number(file, "threads");
    const size_t count = json_array_size(list);
    if (count > 1) {
        gg_html_add(page, ", the best of ");
        for (size_t i = 0; i < count; i++)
            gg_html_add(page, "%s%d",
                        i == 0          ? ""
                        : i + 1 < count ? ", "
                                        : " and ",
                        (int)json_integer_value(json_object_get(json_array_get(list, i), "threads")));
        gg_html_add(page, " threads");
    } else if (isfinite(threads)) {
        gg_html_add(page, ", %.0f thread%s", threads, threads == 1.0 ? "" : "s");
    }
}

static void fact_ceilings(gg_html *page, const report *r)
{
    const char *cpu = report_context_text(&r->files[0], "cpu");
    if (isfinite(r->peak_gflops)) {
        gg_html_fact_begin(page, "FMA peak");
        gg_html_number(page, r->peak_gflops, 0, " GFLOP/s");
        gg_html_fact_note(page);
        gg_html_text(page, cpu != NULL ? cpu : "unknown CPU");
        note_threads(page, &r->files[0]);
        note_drift(page, &r->files[0], "fma_peak_gflops", 0);
        gg_html_fact_end(page);
    }
    if (!isfinite(r->memory_gbps))
        return;
    gg_html_fact_begin(page, "Memory");
    gg_html_number(page, r->memory_gbps, 1, " GB/s");
    gg_html_fact_note(page);
    gg_html_add(page, "bandwidth, measured in the same run");
    note_drift(page, &r->files[0], "memory_gbps", 1);
    gg_html_fact_end(page);
}

static void fact_roofline(gg_html *page, const report *r)
{
    int count = 0;
    void *memory;
    if (page->status != GG_OK)
        return;
    page->status = gg_alloc(&memory, (size_t)r->count * sizeof(double));
    if (page->status != GG_OK)
        return;
    double *fractions = memory;
    for (int i = 0; i < r->count; i++)
        if (isfinite(r->cases[i].roofline_fraction))
            fractions[count++] = r->cases[i].roofline_fraction;
    if (count > 0) {
        gg_html_fact_begin(page, "Share of the roofline");
        gg_html_add(page, "%.0f&#160;%%", 100.0 * bench_median(fractions, count));
        gg_html_fact_note(page);
        gg_html_add(page, "median of %d case%s; the middle half from %.0f to %.0f&#160;%%", count,
                    count == 1 ? "" : "s", 100.0 * bench_quantile(fractions, count, 0.25),
                    100.0 * bench_quantile(fractions, count, 0.75));
        gg_html_fact_end(page);
    }
    gg_free(memory);
}

static void fact_rival(gg_html *page, const report_rival *rival, int which)
{
    char label[128];
    if (rival->count == 0)
        return;
    snprintf(label, sizeof label, "Speed against %s", rival->name);
    gg_html_fact_begin(page, label);
    gg_html_ratio(page, rival->mean);
    gg_html_fact_note(page);
    gg_html_add(page, "geometric mean of %d case%s; worst ", rival->count, rival->count == 1 ? "" : "s");
    gg_html_ratio(page, rival->worst->ratios[which]);
    gg_html_add(page, ": ");
    gg_html_name(page, rival->worst->samples->name);
    gg_html_fact_end(page);
}

static void warnings(gg_html *page, const report *r)
{
    const char *cpu = report_context_text(&r->files[0], "cpu");
    for (int i = 0; i < r->file_count; i++) {
        const double foreign = report_context_number(&r->files[i], "foreign_cpus");
        const char *other = report_context_text(&r->files[i], "cpu");
        if (foreign > BUSY) {
            gg_html_add(page, "<p class=\"warn\">Not idle: others kept %.2f CPUs busy during ", foreign);
            gg_html_text(page, r->files[i].path);
            gg_html_add(page, ". Take none of its figures at its word.</p>\n");
        }
        if (json_is_true(json_object_get(r->files[i].context, "interrupted"))) {
            gg_html_add(page, "<p class=\"warn\">");
            gg_html_text(page, r->files[i].path);
            gg_html_add(page, " was interrupted: cases are missing, or have fewer samples.</p>\n");
        }
        if (cpu != NULL && other != NULL && strcmp(cpu, other) != 0) {
            gg_html_add(page, "<p class=\"warn\">");
            gg_html_text(page, r->files[i].path);
            gg_html_add(page, " comes from another CPU: ");
            gg_html_text(page, other);
            gg_html_add(page, ".</p>\n");
        }
    }
}

static void headline(gg_html *page, const report *r)
{
    gg_html_add(page, "<p class=\"soft\">");
    for (int i = 0; i < r->file_count; i++) {
        const char *date = report_context_text(&r->files[i], "date");
        gg_html_text(page, i > 0 ? "; " : "");
        gg_html_text(page, r->files[i].path);
        gg_html_text(page, date != NULL ? ", " : "");
        gg_html_text(page, date);
    }
    gg_html_add(page, "</p>\n");
    warnings(page, r);
    gg_html_add(page, "<div class=\"facts\">\n");
    fact_cases(page, r);
    fact_ceilings(page, r);
    fact_roofline(page, r);
    for (int i = 0; i < REPORT_MOST_RIVALS; i++)
        fact_rival(page, &r->rivals[i], i);
    gg_html_add(page, "</div>\n");
}

/* ---- the table ---- */

static void cell(gg_html *page, double x, int decimals, const char *unit)
{
    gg_html_add(page, "<td>");
    gg_html_number(page, x, decimals, unit);
    gg_html_add(page, "</td>");
}

static void table_head(gg_html *page, const report *r)
{
    gg_html_add(page, "<thead><tr><th>case</th><th>median</th><th>interval</th><th>iqr</th><th>samples</th>"
                      "<th>GFLOP/s</th><th>peak</th><th>GB/s</th><th>roofline</th><th>allocations</th>");
    for (int i = 0; i < REPORT_MOST_RIVALS; i++)
        if (r->rivals[i].count > 0) {
            gg_html_add(page, "<th>&#215; ");
            gg_html_text(page, r->rivals[i].name);
            gg_html_add(page, "</th>");
        }
    gg_html_add(page, "</tr></thead>\n<tbody>\n");
}

static void failed_row(gg_html *page, const report_case *line)
{
    gg_html_add(page, "<tr class=\"failed\"><th scope=\"row\">");
    gg_html_name(page, line->samples->name);
    gg_html_add(page, "</th><td class=\"words\" colspan=\"9\">failed: ");
    gg_html_text(page, line->samples->error != NULL ? line->samples->error : "no samples");
    gg_html_add(page, "</td></tr>\n");
}

static void table_row(gg_html *page, const report *r, const report_case *line)
{
    if (line->samples->count == 0) {
        failed_row(page, line);
        return;
    }
    gg_html_add(page, "<tr><th scope=\"row\">");
    gg_html_name(page, line->samples->name);
    gg_html_add(page, "</th><td>");
    gg_html_time(page, line->median);
    gg_html_add(page, "</td><td>");
    gg_html_time(page, line->low);
    gg_html_add(page, isfinite(line->low) ? " to " : "");
    if (isfinite(line->low))
        gg_html_time(page, line->high);
    gg_html_add(page, "</td>");
    cell(page, 100.0 * line->spread, 1, "&#160;%");
    cell(page, line->samples->count, 0, "");
    cell(page, line->gflops, 1, "");
    cell(page, 100.0 * line->peak_fraction, 1, "&#160;%");
    cell(page, line->gbps, 1, "");
    cell(page, 100.0 * line->roofline_fraction, 1, "&#160;%");
    cell(page, line->allocations, 2, "");
    for (int i = 0; i < REPORT_MOST_RIVALS; i++)
        if (r->rivals[i].count > 0)
            cell(page, line->ratios[i], 2, "");
    gg_html_add(page, "</tr>\n");
}

static void group_table(gg_html *page, const report *r, const report_group *group)
{
    gg_html_add(page, "<details%s><summary>", r->count <= SMALL_TABLE ? " open=\"open\"" : "");
    report_group_name(page, group);
    gg_html_add(page, "<span class=\"soft\">%d case%s</span></summary>\n<div class=\"wide\" tabindex=\"0\"><table>\n",
                group->count, group->count == 1 ? "" : "s");
    table_head(page, r);
    for (int i = group->first; i < group->first + group->count; i++)
        table_row(page, r, &r->cases[i]);
    gg_html_add(page, "</tbody></table></div></details>\n");
}

static void table(gg_html *page, const report *r)
{
    gg_html_add(page, "<h2>All cases</h2>\n<p class=\"soft\">Median of the samples and its interval; iqr: upper minus "
                      "lower quartile, as a share of the median; peak: share of the FMA peak; roofline: share of what "
                      "the machine allows at the case's intensity; &#215;: their time divided by ours.</p>\n");
    for (int i = 0; i < r->group_count; i++)
        group_table(page, r, &r->groups[i]);
}

/* ---- the environment ---- */

static void environment_of(gg_html *page, const bench_file *file, const char *role, bool open)
{
    gg_html_add(page, "<details%s><summary>%s", open ? " open=\"open\"" : "", role);
    gg_html_text(page, file->path);
    gg_html_add(page, "</summary>\n");
    gg_html_definitions(page, file->context);
    gg_html_add(page, "</details>\n");
}

static void environment(gg_html *page, const report *r)
{
    gg_html_add(page, "<h2>Environment</h2>\n");
    for (int i = 0; i < r->file_count; i++)
        environment_of(page, &r->files[i], "", r->file_count == 1);
    if (r->base != NULL)
        environment_of(page, r->base, "base: ", false);
    for (int i = 0; i < r->peer_count; i++)
        environment_of(page, &r->peers[i], "peer: ", false);
}

void report_page(gg_html *page, const report *r, const char *title)
{
    char made[256];
    const char *cpu = report_context_text(&r->files[0], "cpu");
    snprintf(made, sizeof made, "Benchmarks%s%.200s", cpu != NULL ? " on " : "", cpu != NULL ? cpu : "");
    gg_html_begin(page, title != NULL ? title : made);
    headline(page, r);
    report_roofline(page, r);
    for (int i = 0; i < REPORT_MOST_RIVALS; i++)
        report_bars(page, r, i);
    report_strips(page, r);
    table(page, r);
    environment(page, r);
    gg_html_end(page);
}
