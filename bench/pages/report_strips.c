/* report_strips.c - every sample of every case as a tick, relative to the case's median. */
#include <math.h>
#include <stdbool.h>

#include "bench_stats.h"
#include "report_page.h"
#include "svg.h"

/* A share so large of all samples lies on the scale; the others are at its ends, and the tooltip counts them. */
static const double SHOWN = 0.95;

/* The distance of each sample from its median, as a factor; NaN when there is no memory. */
static double shown_factor(const report *r)
{
    int total = 0, filled = 0;
    void *memory;
    for (int i = 0; i < r->count; i++)
        total += r->cases[i].samples->count;
    if (total == 0 || gg_alloc(&memory, (size_t)total * sizeof(double)) != GG_OK)
        return NAN;
    double *distances = memory;
    for (int i = 0; i < r->count; i++)
        for (int j = 0; j < r->cases[i].samples->count; j++)
            distances[filled++] = fabs(log(r->cases[i].samples->real[j] / r->cases[i].median));
    const double factor = exp(bench_quantile(distances, total, SHOWN));
    gg_free(memory);
    return factor;
}

static bool is_beyond(const report_case *line, const gg_ratios *scale, int i)
{
    return fabs(log(line->samples->real[i] / line->median)) > log(scale->limit) * (1.0 + 1e-9);
}

static int count_beyond(const report_case *line, const gg_ratios *scale)
{
    int count = 0;
    for (int i = 0; i < line->samples->count; i++)
        count += is_beyond(line, scale, i);
    return count;
}

static void tooltip(gg_html *page, const report_case *line, const gg_ratios *scale)
{
    const int count = line->samples->count, outside = count_beyond(line, scale);
    gg_html_add(page, "<title>");
    gg_html_text(page, line->samples->name);
    gg_html_add(page, ": %d sample%s, median ", count, count == 1 ? "" : "s");
    gg_html_time(page, line->median);
    gg_html_add(page, ", from ");
    gg_html_time(page, bench_quantile(line->samples->real, count, 0.0));
    gg_html_add(page, " to ");
    gg_html_time(page, bench_quantile(line->samples->real, count, 1.0));
    if (outside > 0)
        gg_html_add(page, "; %d beyond the scale", outside);
    gg_html_add(page, "</title>");
}

static void ticks(gg_html *page, const report_case *line, const gg_ratios *scale, bool beyond)
{
    gg_html_add(page, "<path class=\"%s\" vector-effect=\"non-scaling-stroke\" d=\"", beyond ? "beyond" : "samples");
    for (int i = 0; i < line->samples->count; i++)
        if (is_beyond(line, scale, i) == beyond)
            gg_html_add(page, "M%.0f 3v10", 10.0 * gg_ratios_percent(scale, line->samples->real[i] / line->median));
    gg_html_add(page, "\"/>");
}

static void strip(gg_html *page, const report_case *line, const gg_ratios *scale)
{
    gg_html_add(page, "<div class=\"r\"><span class=\"n\">");
    gg_html_text(page, line->label);
    gg_html_add(page, "</span><svg viewBox=\"0 0 1000 16\" preserveAspectRatio=\"none\" role=\"img\">");
    tooltip(page, line, scale);
    ticks(page, line, scale, false);
    if (count_beyond(line, scale) > 0)
        ticks(page, line, scale, true);
    gg_html_add(page, "<path class=\"median\" vector-effect=\"non-scaling-stroke\" d=\"M500 0v16\"/></svg>"
                      "<span class=\"v\">");
    gg_html_time(page, line->median);
    gg_html_add(page, "</span></div>\n");
}

static void group_strips(gg_html *page, const report *r, const report_group *group, const gg_ratios *scale)
{
    gg_html_add(page, "<details%s><summary>", r->group_count == 1 ? " open=\"open\"" : "");
    report_group_name(page, group);
    gg_html_add(page, "<span class=\"soft\">%d case%s</span></summary>\n", group->count, group->count == 1 ? "" : "s");
    gg_svg_ratio_scale(page, scale, "&#215;", "median");
    for (int i = group->first; i < group->first + group->count; i++)
        if (r->cases[i].samples->count > 0)
            strip(page, &r->cases[i], scale);
    gg_html_add(page, "</details>\n");
}

void report_strips(gg_html *page, const report *r)
{
    const double factor = shown_factor(r);
    if (!isfinite(factor))
        return;
    const gg_ratios scale = gg_ratios_for(factor);
    gg_html_add(page, "<h2>Samples</h2>\n<p class=\"soft\">Every sample as a tick, on a logarithmic scale of time "
                      "divided by the case's median, the thick mark: left is faster. What lies beyond the scale is "
                      "put at its ends, in another colour.</p>\n");
    for (int i = 0; i < r->group_count; i++)
        group_strips(page, r, &r->groups[i], &scale);
}
