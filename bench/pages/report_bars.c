/* report_bars.c - ratios to a rival as bars from 1: one bar a group, and folded below it one bar a case. */
#include <math.h>
#include <stdlib.h>

#include "bench_stats.h"
#include "report_page.h"
#include "svg.h"

/* A share so large of the bars ends on the scale; those that do not are marked. */
static const double SHOWN = 0.98;

typedef struct bars {
    const report *r;
    int rival;
    double *scratch;
    gg_ratios scale;
} bars;

typedef struct summary {
    int count;
    double mean, least, most;
} summary;

/* ---- numbers ---- */

static double ratio_of(const bars *b, int i)
{
    return b->r->cases[i].ratios[b->rival];
}

static summary summary_of(const bars *b, const report_group *group)
{
    summary sum = {.least = INFINITY};
    double logs = 0.0;
    for (int i = group->first; i < group->first + group->count; i++) {
        const double ratio = ratio_of(b, i);
        if (!isfinite(ratio))
            continue;
        sum.count++;
        logs += log(ratio);
        sum.least = fmin(sum.least, ratio);
        sum.most = fmax(sum.most, ratio);
    }
    sum.mean = exp(logs / (sum.count > 0 ? sum.count : 1));
    return sum;
}

static gg_ratios scale_for(const bars *b)
{
    int count = 0;
    for (int i = 0; i < b->r->count; i++)
        if (isfinite(ratio_of(b, i)))
            b->scratch[count++] = fabs(log(ratio_of(b, i)));
    return gg_ratios_for(exp(bench_quantile(b->scratch, count, SHOWN)));
}

/* qsort gives its comparison no context: the ratio is put in front of the case. */
typedef struct ranked {
    double ratio;
    const report_case *line;
} ranked;

static int by_ratio(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->ratio != y->ratio)
        return x->ratio < y->ratio ? -1 : 1;
    return x->line->order - y->line->order;
}

static int rank(const bars *b, ranked *out, const report_group *group)
{
    int count = 0;
    for (int i = group->first; i < group->first + group->count; i++)
        if (isfinite(ratio_of(b, i)))
            out[count++] = (ranked){ratio_of(b, i), &b->r->cases[i]};
    qsort(out, (size_t)count, sizeof *out, by_ratio);
    return count;
}

/* ---- drawing ---- */

static void bar(gg_html *page, const gg_ratios *scale, double ratio)
{
    const double end = gg_ratios_percent(scale, ratio);
    gg_html_add(page,
                "<line class=\"one\" x1=\"50%%\" x2=\"50%%\" y1=\"0\" y2=\"16\"/>"
                "<rect class=\"%s\" x=\"%.2f%%\" y=\"3\" width=\"%.2f%%\" height=\"10\"/>",
                ratio >= 1.0 ? "up" : "down", fmin(50.0, end), fabs(end - 50.0));
    if (ratio > scale->limit)
        gg_html_add(page, "<text x=\"100%%\" y=\"12\" dx=\"2\">\xe2\x80\xba</text>");
    if (ratio < 1.0 / scale->limit)
        gg_html_add(page, "<text x=\"0\" y=\"12\" dx=\"-2\" text-anchor=\"end\">\xe2\x80\xb9</text>");
}

static void group_row(gg_html *page, const bars *b, const report_group *group)
{
    const summary sum = summary_of(b, group);
    if (sum.count == 0)
        return;
    gg_html_add(page, "<div class=\"r\"><span class=\"n\">");
    report_group_name(page, group);
    gg_html_add(page, " <span class=\"soft\">%d</span></span><svg role=\"img\"><title>", sum.count);
    report_group_name(page, group);
    gg_html_add(page, ": geometric mean %.3f, from %.3f to %.3f</title>", sum.mean, sum.least, sum.most);
    bar(page, &b->scale, sum.mean);
    gg_html_add(page,
                "<line class=\"range\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"8\" y2=\"8\"/></svg>"
                "<span class=\"v\">",
                gg_ratios_percent(&b->scale, sum.least), gg_ratios_percent(&b->scale, sum.most));
    gg_html_ratio(page, sum.mean);
    gg_html_add(page, "</span></div>\n");
}

static void case_row(gg_html *page, const bars *b, const ranked *at)
{
    gg_html_add(page, "<div class=\"r\"><span class=\"n\">");
    gg_html_text(page, at->line->label);
    gg_html_add(page, "</span><svg role=\"img\"><title>");
    gg_html_text(page, at->line->samples->name);
    gg_html_add(page, ": %.3f times as fast</title>", at->ratio);
    bar(page, &b->scale, at->ratio);
    gg_html_add(page, "</svg><span class=\"v\">");
    gg_html_ratio(page, at->ratio);
    gg_html_add(page, "</span></div>\n");
}

static void group_cases(gg_html *page, const bars *b, const report_group *group, ranked *order)
{
    const int count = rank(b, order, group);
    if (count == 0)
        return;
    gg_html_add(page, "<details><summary>");
    report_group_name(page, group);
    gg_html_add(page, "<span class=\"soft\">%d case%s, worst ", count, count == 1 ? "" : "s");
    gg_html_ratio(page, order[0].ratio);
    gg_html_add(page, "</span></summary>\n");
    gg_svg_ratio_scale(page, &b->scale, "", "");
    for (int i = 0; i < count; i++)
        case_row(page, b, &order[i]);
    gg_html_add(page, "</details>\n");
}

static void heading(gg_html *page, const bars *b)
{
    const report_rival *rival = &b->r->rivals[b->rival];
    gg_html_add(page, "<h2>Against ");
    gg_html_text(page, rival->name);
    gg_html_add(page, "</h2>\n<p class=\"soft\">Their time divided by ours, on a logarithmic scale: right of 1 we are "
                      "faster. ");
    if (b->rival == REPORT_RAW)
        gg_html_add(page, "Both were measured in the same turns. ");
    if (rival->about != NULL) {
        gg_html_text(page, rival->about);
        gg_html_add(page, ", measured in the same run. ");
    }
    if (b->rival == REPORT_BASE) {
        gg_html_add(page, "The base is ");
        gg_html_text(page, b->r->base->path);
        gg_html_add(page, ", of another run: <code>gemmgrad compare</code> tells which differences are more than "
                          "noise. ");
    }
    gg_html_add(page,
                "A bar is the geometric mean of a group, its thin line goes from the worst case to the best; "
                "an arrow marks what the scale does not hold. %d of %d cases have this rival.</p>\n",
                rival->count, b->r->count);
}

static void draw(gg_html *page, bars *b, ranked *order)
{
    b->scale = scale_for(b);
    heading(page, b);
    gg_html_add(page, "<div class=\"chart bars\">");
    gg_svg_ratio_scale(page, &b->scale, "", "mean");
    for (int i = 0; i < b->r->group_count; i++)
        group_row(page, b, &b->r->groups[i]);
    gg_html_add(page, "</div>\n");
    gg_html_add(page, "<details><summary>Case by case</summary>\n");
    for (int i = 0; i < b->r->group_count; i++)
        group_cases(page, b, &b->r->groups[i], order);
    gg_html_add(page, "</details>\n");
}

void report_bars(gg_html *page, const report *r, int rival)
{
    void *memory;
    if (r->rivals[rival].count == 0 || page->status != GG_OK)
        return;
    page->status = gg_alloc(&memory, (size_t)r->count * (sizeof(ranked) + sizeof(double)));
    if (page->status != GG_OK)
        return;
    ranked *order = memory;
    bars b = {.r = r, .rival = rival, .scratch = (double *)(void *)(order + r->count)};
    draw(page, &b, order);
    gg_free(memory);
}
