/* svg.c - scales and shared parts of charts. */
#include "svg.h"

#include <math.h>

/* ---- powers of ten ---- */

static const double steps[] = {1.0, 2.0, 5.0};

/* The last of 1, 2 and 5 times a power of ten that is not above x. */
static double step_below(double x)
{
    const double power = pow(10.0, floor(log10(x)));
    double found = power;
    for (int i = 0; i < 3; i++)
        if (steps[i] * power <= x * (1.0 + 1e-9))
            found = steps[i] * power;
    return found;
}

gg_decades gg_decades_around(double least, double most)
{
    gg_decades scale = {step_below(least), 1.0 / step_below(1.0 / most)};
    if (scale.high <= scale.low)
        scale.high = 10.0 * scale.low;
    return scale;
}

double gg_decades_place(const gg_decades *scale, double x)
{
    return log(x / scale->low) / log(scale->high / scale->low);
}

int gg_decades_ticks(const gg_decades *scale, double *ticks, int room)
{
    /* Up to three decades are narrow enough for 2 and 5, and more than eight labels would touch on a phone. */
    const double decades = log10(scale->high / scale->low);
    const int kinds = decades <= 3.0 ? 3 : 1;
    const double stride = pow(10.0, fmax(1.0, ceil(decades / 8.0)));
    int count = 0;
    for (double power = pow(10.0, floor(log10(scale->low))); power <= scale->high * (1.0 + 1e-9); power *= stride)
        for (int i = 0; i < kinds; i++) {
            const double tick = steps[i] * power;
            if (count < room && tick >= scale->low * (1.0 - 1e-9) && tick <= scale->high * (1.0 + 1e-9))
                ticks[count++] = tick;
        }
    return count;
}

/* ---- ratios ---- */

gg_ratios gg_ratios_for(double most)
{
    static const gg_ratios known[] = {{1.02, 1.01}, {1.05, 1.02}, {1.1, 1.05}, {1.25, 1.1}, {1.5, 1.2},
                                      {2.0, 1.5},   {4.0, 2.0},   {8.0, 3.0},  {16.0, 4.0}, {64.0, 8.0}};
    const int count = sizeof known / sizeof *known;
    int i = 0;
    while (i + 1 < count && known[i].limit < most)
        i++;
    return known[i];
}

double gg_ratios_percent(const gg_ratios *scale, double ratio)
{
    return 50.0 * (1.0 + fmin(1.0, fmax(-1.0, log(ratio) / log(scale->limit))));
}

void gg_svg_ratio_scale(gg_html *page, const gg_ratios *scale, const char *unit, const char *right)
{
    const double ticks[] = {1.0 / scale->limit, 1.0 / scale->middle, 1.0, scale->middle, scale->limit};
    static const char *const anchors[] = {"start", "middle", "middle", "middle", "end"};
    static const char *const classes[] = {"", " class=\"mid\"", "", " class=\"mid\"", ""}; /* left out where narrow */
    gg_html_add(page, "<div class=\"r scale\"><span class=\"n\"></span><svg>");
    for (int i = 0; i < 5; i++)
        gg_html_add(page, "<text%s x=\"%.2f%%\" y=\"13\" text-anchor=\"%s\">%.3g%s</text>", classes[i],
                    gg_ratios_percent(scale, ticks[i]), anchors[i], ticks[i], unit);
    gg_html_add(page, "</svg><span class=\"v soft\">%s</span></div>\n", right);
}

/* ---- shapes ---- */

void gg_svg_marker(gg_html *page, int suite)
{
    static const char *const shapes[] = {
        "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z",
        "M-4-4H4V4H-4Z",
        "M0-5.5L5.5 0L0 5.5L-5.5 0Z",
        "M0-5L5 4H-5Z",
        "M-5-4H5L0 5Z",
    };
    const int kind = suite < 4 ? suite : 4;
    gg_html_add(page, "<path class=\"dot s%d\" d=\"%s\"/>", kind, shapes[kind]);
}
