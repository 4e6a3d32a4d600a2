/* date.c - sequence to sequence with attention: "Deep Learning from Scratch 2", chapter 8.
 *
 * An LSTM reads the question from its end; its last h is where another starts that says the answer. For each state of
 * the decoder the mean of the encoder's states under the weights of an attention, the context, stands beside it before
 * the affine layer:
 *
 *     c_t = sum over j of a_tj h_j,   scores_t = [c_t, s_t] W + b
 *
 * or without the context. */
#include "date.h"

/* The multiply-adds of products of the attention: scores and means, and weights of its own. Sums over tanh are no
 * products of matrices. */
static int64_t count_attention(const gg_date *s, int64_t asked, int64_t said)
{
    const int64_t h = s->hidden, means = said * asked * h, turned = said * h * h;
    if (!s->attends)
        return 0;
    const int64_t window = s->score.window == GG_WINDOW_PREDICTIVE ? turned + said * h : 0;
    switch (s->score.score) {
    case GG_SCORE_GENERAL: return 2 * means + turned + window;
    case GG_SCORE_ADDITIVE: return means + turned + asked * h * h;
    default: return 2 * means + window;
    }
}

int64_t gg_date_multiply_adds(const gg_date *s, const gg_pairs_network *net)
{
    return gg_pairs_lstm_adds(net->asked, s->embedding, s->hidden)
           + gg_pairs_lstm_adds(net->said, s->embedding, s->hidden) + count_attention(s, net->asked, net->said)
           + net->said * (s->attends ? 2 : 1) * s->hidden * net->characters;
}

void gg_date_build(gg_pairs_network *net, const void *date)
{
    const gg_date *s = date;
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
    net->multiply_adds = gg_date_multiply_adds(s, net);
}
