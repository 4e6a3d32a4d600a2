/* task_date.c - dates, however they are written, to 1994-09-27, by sequence to sequence with attention: "Deep Learning
 * from Scratch 2", chapter 8.
 *
 * An LSTM reads the question from its end; its last h is where another starts that says the answer. For each state of
 * the decoder the mean of the encoder's states under the weights of an attention, the context, stands beside it before
 * the affine layer:
 *
 *     c_t = sum over j of a_tj h_j,   scores_t = [c_t, s_t] W + b
 *
 * The weights are a softmax over dot products, as in the book, or over another score; `local` has those of a window
 * that the decoder moves (Luong et al. 2015). `none`: without the context. */
#include <string.h>

#include "pairs_task.h"

enum { MADE = 50000 };

/* What a local attention sees to each side: twice that of Luong et al., so that from the middle of a question, where
 * it starts, it sees both ends of the 29 characters. */
static const float HALF_WIDTH = 20.0f;

typedef struct shape {
    const char *attention;
    gg_score_options score;
    int64_t embedding, hidden;
    bool attends;
} shape;

static gg_status choose_attention(shape *s, const char *name)
{
    static const struct {
        const char *name;
        gg_score_options score;
    } known[] = {{"dot", {.score = GG_SCORE_DOT}},
                 {"scaled", {.score = GG_SCORE_SCALED}},
                 {"general", {.score = GG_SCORE_GENERAL}},
                 {"additive", {.score = GG_SCORE_ADDITIVE}},
                 {"local", {.score = GG_SCORE_GENERAL, .window = GG_WINDOW_PREDICTIVE}}};
    s->attention = name != NULL ? name : "dot";
    if (strcmp(s->attention, "none") == 0)
        return GG_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(s->attention, known[i].name) != 0)
            continue;
        s->attends = true;
        s->score = known[i].score;
        s->score.half_width = s->score.window != GG_WINDOW_NONE ? HALF_WIDTH : 0.0f;
        return GG_OK;
    }
    return gg_fail(GG_ERR_ARGUMENT, "--attention '%.40s': expected dot, scaled, general, additive, local or none",
                   s->attention);
}

/* The multiply-adds of products of the attention: scores and means, and weights of its own. Sums over tanh are no
 * products of matrices. */
static int64_t count_attention(const shape *s, int64_t asked, int64_t said)
{
    const int64_t h = s->hidden, means = said * asked * h, turned = said * h * h;
    if (!s->attends)
        return 0;
    const int64_t window = s->score.window == GG_WINDOW_PREDICTIVE ? turned + said * h : 0;
    switch (s->score.score) {
    case GG_SCORE_GENERAL: return 2 * means + turned + window;
    case GG_SCORE_ADDITIVE: return means + turned + asked * h * h;
    default: return 2 * means;
    }
}

static void build(gg_pairs_network *net, const void *what)
{
    const shape *s = what;
    gg_recurrent_outputs read;
    gg_value x = gg_embedding(net->model, net->question, net->characters, s->embedding, NULL);
    gg_lstm(net->model, x, s->hidden, NULL, &read);
    x = gg_embedding(net->model, net->given, net->characters, s->embedding, NULL);
    gg_value y = gg_lstm(net->model, x, s->hidden, &(gg_recurrent_options){.h0 = &read.h_last}, NULL);
    if (s->attends) {
        const gg_value context = gg_score_attention(net->model, y, read.y, read.y, &s->score, &net->weights);
        y = gg_concatenate(net->model, (gg_value[]){context, y}, 2);
    }
    net->scores = gg_affine(net->model, y, net->characters, NULL);
    net->multiply_adds =
        gg_pairs_lstm_adds(net->asked, s->embedding, s->hidden) + gg_pairs_lstm_adds(net->said, s->embedding, s->hidden)
        + count_attention(s, net->asked, net->said) + net->said * (s->attends ? 2 : 1) * s->hidden * net->characters;
}

gg_status gg_date_open(gg_feed *feed, gg_network *out, const gg_task_options *options)
{
    shape s = {.embedding = options->embedding > 0 ? options->embedding : 16,
               .hidden = options->hidden > 0 ? options->hidden : 256};
    const gg_status status = choose_attention(&s, options->attention);
    if (status != GG_OK)
        return status;
    return gg_pairs_task_open(feed, out, options,
                              &(gg_pairs_recipe){.make = gg_pairs_make_dates,
                                                 .count = MADE,
                                                 .reversed = true,
                                                 .fact = {"attention", s.attention},
                                                 .build = build,
                                                 .shape = &s});
}
