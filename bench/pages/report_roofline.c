/* report_roofline.c - the roofline plot: what the machine allows at each intensity, and where every case stands below
 * it (S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52 (2009)). */
#include <math.h>
#include <string.h>

#include "report_page.h"
#include "svg.h"

enum { HEIGHT = 380, MOST_TICKS = 32 };

typedef struct plot {
    gg_decades x, y;
    int placed;
} plot;

/* What no machine and no case comes near is a mistake of a file, and would only squeeze the others. */
static bool is_sane(double x)
{
    return x > 1e-9 && x < 1e12;
}

static bool can_be_placed(const report_case *line)
{
    return is_sane(line->gflops) && is_sane(line->intensity);
}

static bool has_roof(const report *r)
{
    return is_sane(r->peak_gflops) && is_sane(r->memory_gbps);
}

static double percent(const gg_decades *scale, double x)
{
    return 100.0 * gg_decades_place(scale, x);
}

static double pixels(const gg_decades *scale, double y)
{
    return HEIGHT * (1.0 - gg_decades_place(scale, y));
}

/* The corner of the roof and some of its flat part are always seen. */
static plot plot_for(const report *r)
{
    double x_least = INFINITY, x_most = 0.0, y_least = INFINITY, y_most = 0.0;
    plot p = {.placed = 0};
    for (int i = 0; i < r->count; i++) {
        const report_case *line = &r->cases[i];
        if (!can_be_placed(line))
            continue;
        p.placed++;
        x_least = fmin(x_least, line->intensity);
        x_most = fmax(x_most, line->intensity);
        y_least = fmin(y_least, line->gflops);
        y_most = fmax(y_most, line->gflops);
    }
    if (p.placed == 0)
        return p;
    if (has_roof(r)) {
        const double corner = r->peak_gflops / r->memory_gbps;
        x_least = fmin(x_least, 0.5 * corner);
        x_most = fmax(x_most, 2.0 * corner);
        y_most = fmax(y_most, r->peak_gflops);
    }
    p.x = gg_decades_around(x_least, x_most);
    p.y = gg_decades_around(y_least, 1.2 * y_most);
    return p;
}

static void axes(gg_html *page, const plot *p)
{
    double ticks[MOST_TICKS];
    int count = gg_decades_ticks(&p->x, ticks, MOST_TICKS);
    for (int i = 0; i < count; i++) {
        const double x = percent(&p->x, ticks[i]);
        gg_html_add(page,
                    "<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>"
                    "<text x=\"%.2f%%\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                    x, x, HEIGHT, x, HEIGHT + 17, ticks[i]);
    }
    count = gg_decades_ticks(&p->y, ticks, MOST_TICKS);
    for (int i = 0; i < count; i++) {
        const double y = pixels(&p->y, ticks[i]);
        gg_html_add(page,
                    "<line class=\"grid\" x1=\"0\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\"/>"
                    "<text x=\"-7\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                    y, y, y + 4.0, ticks[i]);
    }
    gg_html_add(page,
                "<line class=\"axis\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>"
                "<line class=\"axis\" x1=\"0\" x2=\"0\" y1=\"0\" y2=\"%d\"/>\n"
                "<text x=\"100%%\" y=\"%d\" text-anchor=\"end\">intensity, flops per byte</text>"
                "<text x=\"-44\" y=\"-8\">GFLOP/s</text>\n",
                HEIGHT, HEIGHT, HEIGHT, HEIGHT + 36);
}

static void roof(gg_html *page, const report *r, const plot *p)
{
    const double corner = r->peak_gflops / r->memory_gbps;
    const double start = fmax(p->x.low, p->y.low / r->memory_gbps);
    const double x = percent(&p->x, start), y = pixels(&p->y, start * r->memory_gbps);
    const double corner_x = percent(&p->x, corner), peak_y = pixels(&p->y, r->peak_gflops);
    gg_html_add(page, "<line class=\"roof\" x1=\"%.2f%%\" y1=\"%.1f\" x2=\"%.2f%%\" y2=\"%.1f\"/>", x, y, corner_x,
                peak_y);
    gg_html_add(page, "<line class=\"roof\" x1=\"%.2f%%\" y1=\"%.1f\" x2=\"100%%\" y2=\"%.1f\"/>\n", corner_x, peak_y,
                peak_y);
}

/* Above the points: names are to be read whatever lies below them. */
static void roof_names(gg_html *page, const report *r, const plot *p)
{
    const double start = fmax(p->x.low, p->y.low / r->memory_gbps);
    const double corner_x = percent(&p->x, r->peak_gflops / r->memory_gbps);
    const double peak_y = pixels(&p->y, r->peak_gflops), low_y = pixels(&p->y, start * r->memory_gbps);
    const double at = percent(&p->x, start) + 0.25 * (corner_x - percent(&p->x, start));
    gg_html_add(page,
                "<text class=\"roofname\" x=\"100%%\" y=\"%.1f\" text-anchor=\"end\">FMA peak %.0f GFLOP/s</text>"
                "<text class=\"roofname\" x=\"%.2f%%\" y=\"%.1f\" dx=\"10\">memory %.1f GB/s</text>\n",
                peak_y - 7.0, r->peak_gflops, at, low_y + 0.25 * (peak_y - low_y) + 12.0, r->memory_gbps);
}

static void points(gg_html *page, const report *r, const plot *p)
{
    for (int i = 0; i < r->count; i++) {
        const report_case *line = &r->cases[i];
        if (!can_be_placed(line))
            continue;
        gg_html_add(page, "<svg x=\"%.2f%%\" y=\"%.1f\" width=\"1\" height=\"1\" overflow=\"visible\"><g><title>",
                    percent(&p->x, line->intensity), pixels(&p->y, line->gflops));
        gg_html_text(page, line->samples->name);
        gg_html_add(page, ": %.1f GFLOP/s at %.3g flops per byte", line->gflops, line->intensity);
        if (isfinite(line->roofline_fraction))
            gg_html_add(page, ", %.0f%% of the roof", 100.0 * line->roofline_fraction);
        gg_html_add(page, "</title>");
        gg_svg_marker(page, r->groups[line->group].suite);
        gg_html_add(page, "</g></svg>\n");
    }
}

static bool is_placed(const report *r, int suite)
{
    for (int i = 0; i < r->count; i++)
        if (r->groups[r->cases[i].group].suite == suite && can_be_placed(&r->cases[i]))
            return true;
    return false;
}

static void legend(gg_html *page, const report *r)
{
    gg_html_add(page, "<div class=\"legend\">");
    for (int i = 0; i < r->suite_count; i++) {
        const report_suite *suite = &r->suites[i];
        char name[64];
        if (!is_placed(r, i))
            continue;
        snprintf(name, sizeof name, "%.*s", suite->name_length, suite->name);
        gg_html_add(page, "<span><svg viewBox=\"-7 -7 14 14\">");
        gg_svg_marker(page, i);
        gg_html_add(page, "</svg>");
        gg_html_text(page, name[0] != '\0' ? name : "cases");
        gg_html_add(page, "</span>");
    }
    gg_html_add(page, "</div>\n");
}

/* Operations of a convolution are counted as the plain sum has them; algorithms that do with fewer pass the peak. */
static bool may_save_operations(const report_case *c)
{
    return strncmp(c->samples->name, "layers/conv/", strlen("layers/conv/")) == 0;
}

/* Nothing can compute faster than the peak; a few percent are the noise of a good measurement. */
static int count_above(const report *r, bool saved)
{
    const double noise = 1.03;
    int count = 0;
    for (int i = 0; i < r->count; i++)
        count += can_be_placed(&r->cases[i]) && may_save_operations(&r->cases[i]) == saved
                 && r->cases[i].gflops > noise * r->peak_gflops;
    return count;
}

static void caption(gg_html *page, const report *r, const plot *p)
{
    gg_html_add(page, "<figcaption>Both axes are logarithmic. Intensity counts every operand once, so a case whose "
                      "operands stay in a cache may stand above the line of the memory.");
    if (p->placed < r->count)
        gg_html_add(page, " %d of %d cases are not here: their flops or bytes are not known.", r->count - p->placed,
                    r->count);
    const int above = has_roof(r) ? count_above(r, false) : 0, saved = has_roof(r) ? count_above(r, true) : 0;
    if (above > 0)
        gg_html_add(page,
                    " <strong>%d above the FMA peak</strong>: it was measured while others disturbed the machine, "
                    "and the true one is higher.",
                    above);
    if (saved > 0)
        gg_html_add(page,
                    " %d convolutions above the FMA peak do with fewer multiplications than are counted, which are "
                    "those of the plain sum.",
                    saved);
    if (!has_roof(r))
        gg_html_add(page, " No file tells both the FMA peak and the bandwidth of the memory, so there is no roof.");
    gg_html_add(page, "</figcaption></figure>\n");
}

void report_roofline(gg_html *page, const report *r)
{
    const plot p = plot_for(r);
    if (p.placed == 0)
        return;
    gg_html_add(page, "<h2>Roofline</h2>\n<p class=\"soft\">How fast each case computes, below what the machine "
                      "allows. Point at a mark for its name.</p>\n<figure>");
    legend(page, r);
    gg_html_add(page, "<div class=\"chart\"><svg height=\"%d\" role=\"img\" aria-label=\"Roofline plot\">\n", HEIGHT);
    axes(page, &p);
    if (has_roof(r))
        roof(page, r, &p);
    points(page, r, &p);
    if (has_roof(r))
        roof_names(page, r, &p);
    gg_html_add(page, "</svg></div>\n");
    caption(page, r, &p);
}
