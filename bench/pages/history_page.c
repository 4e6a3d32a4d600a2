/* history_page.c - the page of a history: its steps, and a small chart of each case, those with steps first. */
#include "history_page.h"

#include <math.h>
#include <string.h>

/* Height of a chart in pixels. */
enum { HEIGHT = 84 };

/* So few charts are not folded. */
static const int SMALL = 24;

/* A chart shows at least this much above and below the middle, so that noise does not look like news. */
static const double LEAST_RANGE = 1.1;

typedef struct chart {
    const history *h;
    const history_case *line;
    double low, high; /* seconds at the bottom and the top */
} chart;

/* ---- scales ---- */

static chart chart_for(const history *h, const history_case *line)
{
    double low = INFINITY, high = 0.0;
    for (int i = 0; i < line->count; i++) {
        low = fmin(low, line->medians[i]);
        high = fmax(high, line->medians[i]);
    }
    const double middle = sqrt(low) * sqrt(high);
    return (chart){h, line, fmin(low / 1.01, middle / LEAST_RANGE), fmax(high * 1.01, middle * LEAST_RANGE)};
}

/* Runs stand at equal distances: commits do not come at equal times. In thousandths of the width. */
static double across(const chart *c, double run)
{
    return c->h->run_count > 1 ? 1000.0 * run / (c->h->run_count - 1) : 500.0;
}

static double down(const chart *c, double seconds)
{
    return HEIGHT * (1.0 - log(seconds / c->low) / log(c->high / c->low));
}

/* ---- a chart ---- */

static void trend(gg_html *page, const chart *c)
{
    gg_html_add(page, "<path class=\"trend\" vector-effect=\"non-scaling-stroke\" d=\"");
    for (int i = 0; i < c->line->count; i++)
        gg_html_add(page, "%s%.0f %.1f", i == 0 ? "M" : "L", across(c, c->line->runs[i]), down(c, c->line->medians[i]));
    gg_html_add(page, "\"/><path class=\"points\" vector-effect=\"non-scaling-stroke\" d=\"");
    for (int i = 0; i < c->line->count; i++)
        gg_html_add(page, "M%.0f %.1fh0", across(c, c->line->runs[i]), down(c, c->line->medians[i]));
    gg_html_add(page, "\"/>");
}

static void levels(gg_html *page, const chart *c)
{
    gg_html_add(page, "<path class=\"level\" vector-effect=\"non-scaling-stroke\" d=\"");
    for (int i = 0; i < c->line->level_count; i++) {
        const bench_level *level = &c->line->levels[i];
        gg_html_add(page, "M%.0f %.1fH%.0f", across(c, c->line->runs[level->first]), down(c, level->level),
                    across(c, c->line->runs[level->first + level->count - 1]));
    }
    gg_html_add(page, "\"/>");
}

static void step_marks(gg_html *page, const chart *c)
{
    for (int i = 1; i < c->line->level_count; i++) {
        char place[HISTORY_PLACE_BYTES];
        const history_step s = history_step_at(c->h, c->line, i);
        const int first = c->line->levels[i].first;
        const double x = 0.5 * (across(c, c->line->runs[first - 1]) + across(c, c->line->runs[first]));
        history_place(place, s.run);
        gg_html_add(page, "<path class=\"%s\" vector-effect=\"non-scaling-stroke\" d=\"M%.0f 0V%d\"><title>%+.1f%% at ",
                    s.percent > 0.0 ? "worse" : "better", x, HEIGHT, s.percent);
        gg_html_text(page, place);
        gg_html_add(page, "</title></path>");
    }
}

static void drawing(gg_html *page, const chart *c)
{
    gg_html_add(page,
                "<svg height=\"%d\" viewBox=\"0 0 1000 %d\" preserveAspectRatio=\"none\" role=\"img\">"
                "<path class=\"grid\" vector-effect=\"non-scaling-stroke\" d=\"M0 0H1000M0 %dH1000\"/><title>",
                HEIGHT, HEIGHT, HEIGHT);
    gg_html_text(page, c->line->name);
    gg_html_add(page, ": ");
    gg_html_time(page, c->line->medians[0]);
    gg_html_add(page, " to ");
    gg_html_time(page, c->line->medians[c->line->count - 1]);
    gg_html_add(page, "</title>");
    step_marks(page, c);
    trend(page, c);
    levels(page, c);
    gg_html_add(page, "</svg>\n");
}

static void change(gg_html *page, double percent)
{
    gg_html_add(page, "<strong class=\"%s\">%+.1f&#160;%%</strong>", percent > 0.0 ? "slower" : "faster", percent);
}

static void card(gg_html *page, const history *h, const history_case *line)
{
    const chart c = chart_for(h, line);
    gg_html_add(page, "<div class=\"card\"><div class=\"n\">");
    gg_html_name(page, line->name);
    gg_html_add(page, "</div><div class=\"ends\"><span>");
    gg_html_time(page, c.high);
    gg_html_add(page, "</span><span>");
    for (int i = 1; i < line->level_count; i++) {
        gg_html_add(page, i > 1 ? ", " : "");
        change(page, history_step_at(h, line, i).percent);
    }
    gg_html_add(page, "</span></div>\n");
    drawing(page, &c);
    gg_html_add(page, "<div class=\"ends\"><span>");
    gg_html_time(page, c.low);
    gg_html_add(page, "</span><span>last ");
    gg_html_time(page, line->medians[line->count - 1]);
    gg_html_add(page, "</span></div></div>\n");
}

/* ---- the sections ---- */

static void count_steps(const history *h, int *slower, int *faster)
{
    *slower = *faster = 0;
    for (int i = 0; i < h->case_count; i++)
        for (int step = 1; step < h->cases[i].level_count; step++) {
            const bool worse = history_step_at(h, &h->cases[i], step).percent > 0.0;
            *slower += worse;
            *faster += !worse;
        }
}

static void fact(gg_html *page, const char *label, int figure, const char *note)
{
    gg_html_fact_begin(page, label);
    gg_html_add(page, "%d", figure);
    gg_html_fact_note(page);
    gg_html_text(page, note);
    gg_html_fact_end(page);
}

static void headline(gg_html *page, const history *h)
{
    int slower, faster;
    char dates[64], skipped[64];
    count_steps(h, &slower, &faster);
    snprintf(dates, sizeof dates, "%.10s to %.10s", h->runs[0].date, h->runs[h->run_count - 1].date);
    snprintf(skipped, sizeof skipped, h->skipped == 0 ? "every file was read" : "files skipped: %d", h->skipped);
    gg_html_add(page, "<div class=\"facts\">\n");
    fact(page, "Runs", h->run_count, dates);
    fact(page, "Cases", h->case_count, skipped);
    fact(page, "Steps to slower", slower, "a new level, held for at least two runs");
    fact(page, "Steps to faster", faster, "at least 3 % from the level before");
    gg_html_add(page, "</div>\n");
    for (int i = 1; i < h->run_count; i++)
        if (strcmp(h->runs[i].machine, h->runs[0].machine) != 0) {
            gg_html_add(page, "<p class=\"warn\">The runs come from more than one machine or number of threads: "
                              "steps between them are marked, and need not be those of a commit.</p>\n");
            return;
        }
}

static void step_row(gg_html *page, const history_case *line, const history_step *s)
{
    char place[HISTORY_PLACE_BYTES];
    history_place(place, s->run);
    gg_html_add(page, "<tr><th scope=\"row\">");
    gg_html_name(page, line->name);
    gg_html_add(page, "</th><td>");
    gg_html_time(page, s->from);
    gg_html_add(page, "</td><td>");
    gg_html_time(page, s->to);
    gg_html_add(page, "</td><td>");
    change(page, s->percent);
    gg_html_add(page, "</td><td class=\"words\">");
    gg_html_text(page, place);
    gg_html_text(page, history_other_machine(s) ? ", on another machine" : "");
    gg_html_add(page, "</td></tr>\n");
}

static void step_table(gg_html *page, const history *h)
{
    gg_html_add(page, "<h2>Steps</h2>\n");
    if (h->step_count == 0) {
        gg_html_add(page, "<p>No case changed its level.</p>\n");
        return;
    }
    gg_html_add(
        page,
        "<div class=\"wide\" tabindex=\"0\"><table class=\"steps\">\n<thead><tr><th>case</th><th>from</th><th>to</th>"
        "<th>change</th><th class=\"words\">at</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < h->case_count; i++)
        for (int step = 1; step < h->cases[i].level_count; step++) {
            const history_step s = history_step_at(h, &h->cases[i], step);
            step_row(page, &h->cases[i], &s);
        }
    gg_html_add(page, "</tbody></table></div>\n");
}

static void cards(gg_html *page, const history *h, bool with_steps)
{
    gg_html_add(page, "<div class=\"cards\">\n");
    for (int i = 0; i < h->case_count; i++)
        if ((h->cases[i].level_count > 1) == with_steps)
            card(page, h, &h->cases[i]);
    gg_html_add(page, "</div>\n");
}

static void trends(gg_html *page, const history *h)
{
    int with = 0;
    for (int i = 0; i < h->case_count; i++)
        with += h->cases[i].level_count > 1;
    gg_html_add(page,
                "<h2>Trends</h2>\n<p class=\"soft\">Medians, one dot a run, from %.10s on the left to %.10s on the "
                "right. The times at the corners are the ends of the scale, which is logarithmic and another one in "
                "each chart. Thick lines are levels, dashed ones steps.</p>\n",
                h->runs[0].date, h->runs[h->run_count - 1].date);
    if (with > 0)
        cards(page, h, true);
    if (with == h->case_count)
        return;
    gg_html_add(page, "<details%s><summary>%d case%s without a step</summary>\n",
                with == 0 && h->case_count <= SMALL ? " open=\"open\"" : "", h->case_count - with,
                h->case_count - with == 1 ? "" : "s");
    cards(page, h, false);
    gg_html_add(page, "</details>\n");
}

static void run_list(gg_html *page, const history *h)
{
    gg_html_add(page,
                "<h2>Runs</h2>\n<details><summary>%d runs</summary>\n<div class=\"wide\" tabindex=\"0\"><table>"
                "<thead><tr><th>date</th><th class=\"words\">commit</th><th class=\"words\">file</th>"
                "<th class=\"words\">machine</th></tr></thead>\n<tbody>\n",
                h->run_count);
    for (int i = 0; i < h->run_count; i++) {
        const char *const words[] = {h->runs[i].date, h->runs[i].commit, h->runs[i].file, h->runs[i].machine};
        gg_html_add(page, "<tr>");
        for (int j = 0; j < 4; j++) {
            gg_html_add(page, "<td class=\"words\">");
            gg_html_text(page, words[j]);
            gg_html_add(page, "</td>");
        }
        gg_html_add(page, "</tr>\n");
    }
    gg_html_add(page, "</tbody></table></div></details>\n");
}

void history_page(gg_html *page, const history *h, const char *title)
{
    gg_html_begin(page, title);
    headline(page, h);
    step_table(page, h);
    trends(page, h);
    run_list(page, h);
    gg_html_end(page);
}
