/* task_date.c - dates, however they are written, to 1994-09-27, by the network of date.c. The attention's weights are a
 * softmax over dot products, as in the book, or over another score; `local` has dot products within a window that the
 * decoder moves (Luong et al. 2015). */
#include <string.h>

#include "date.h"

enum { MADE = 50000 };

/* What a local attention sees to each side: the 29 characters of a question, so that before the window has learned
 * where to stand every step still sees all of them. With twice the 10 of Luong et al. it needs more than two epochs. */
static const float HALF_WIDTH = 29.0f;

static gg_status choose_attention(gg_date *date, const char *name)
{
    static const struct {
        const char *name;
        gg_score_options score;
    } known[] = {{"dot", {.score = GG_SCORE_DOT}},
                 {"scaled", {.score = GG_SCORE_SCALED}},
                 {"general", {.score = GG_SCORE_GENERAL}},
                 {"additive", {.score = GG_SCORE_ADDITIVE}},
                 {"local", {.score = GG_SCORE_DOT, .window = GG_WINDOW_PREDICTIVE}}};
    if (strcmp(name, "none") == 0)
        return GG_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) != 0)
            continue;
        date->attends = true;
        date->score = known[i].score;
        date->score.half_width = date->score.window != GG_WINDOW_NONE ? HALF_WIDTH : 0.0f;
        return GG_OK;
    }
    return gg_fail(GG_ERR_ARGUMENT, "--attention '%.40s': expected dot, scaled, general, additive, local or none",
                   name);
}

gg_status gg_date_open(gg_feed *feed, gg_network *out, const gg_task_options *options)
{
    const char *attention = options->attention != NULL ? options->attention : "dot";
    gg_date date = {.embedding = options->embedding > 0 ? options->embedding : 16,
                    .hidden = options->hidden > 0 ? options->hidden : 256};
    const gg_status status = choose_attention(&date, attention);
    if (status != GG_OK)
        return status;
    return gg_pairs_task_open(feed, out, options,
                              &(gg_pairs_recipe){.make = gg_pairs_make_dates,
                                                 .count = MADE,
                                                 .reversed = true,
                                                 .fact = {"attention", attention},
                                                 .build = gg_date_build,
                                                 .shape = &date});
}
