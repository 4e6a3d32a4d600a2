/* task_addition.c - sums as texts by sequence to sequence: "Deep Learning from Scratch 2", chapter 7.
 *
 * An LSTM reads the question; its last h is where another starts that says the answer. `reversed`: the question is read
 * from its end (Sutskever, Vinyals, Le 2014). `peeky`: that, and the encoder's last h is seen by the decoder and the
 * affine layer behind it at every step (Cho et al. 2014). */
#include <string.h>

#include "pairs_task.h"

enum { DRAWN = 20000 };

typedef struct shape {
    const char *variant;
    int64_t embedding, hidden;
    bool reversed, peeky;
} shape;

static gg_status choose_variant(shape *s, const char *name)
{
    s->variant = name != NULL ? name : "reversed";
    s->peeky = strcmp(s->variant, "peeky") == 0;
    s->reversed = s->peeky || strcmp(s->variant, "reversed") == 0;
    if (s->reversed || strcmp(s->variant, "plain") == 0)
        return GG_OK;
    return gg_fail(GG_ERR_ARGUMENT, "--variant '%.40s': expected plain, reversed or peeky", s->variant);
}

static gg_value add_encoder(const gg_pairs_network *net, const shape *s)
{
    gg_recurrent_outputs last;
    const gg_value x = gg_embedding(net->model, net->question, net->characters, s->embedding, NULL);
    gg_lstm(net->model, x, s->hidden, NULL, &last);
    return last.h_last;
}

static gg_value add_decoder(const gg_pairs_network *net, const shape *s, gg_value h)
{
    gg_value x = gg_embedding(net->model, net->given, net->characters, s->embedding, NULL);
    const gg_value seen = s->peeky ? gg_repeat_time(net->model, h, GG_TIME_2) : GG_NO_VALUE;
    if (s->peeky)
        x = gg_concatenate(net->model, (gg_value[]){seen, x}, 2);
    gg_value y = gg_lstm(net->model, x, s->hidden, &(gg_recurrent_options){.h0 = &h}, NULL);
    if (s->peeky)
        y = gg_concatenate(net->model, (gg_value[]){seen, y}, 2);
    return gg_affine(net->model, y, net->characters, NULL);
}

static void build(gg_pairs_network *net, const void *what)
{
    const shape *s = what;
    const int64_t peeks = s->peeky ? s->hidden : 0;
    net->scores = add_decoder(net, s, add_encoder(net, s));
    net->multiply_adds = gg_pairs_lstm_adds(net->asked, s->embedding, s->hidden)
                         + gg_pairs_lstm_adds(net->said, peeks + s->embedding, s->hidden)
                         + net->said * (peeks + s->hidden) * net->characters;
}

gg_status gg_addition_open(gg_feed *feed, gg_network *out, const gg_task_options *options)
{
    shape s = {.embedding = options->embedding > 0 ? options->embedding : 16,
               .hidden = options->hidden > 0 ? options->hidden : 128};
    const gg_status status = choose_variant(&s, options->variant);
    if (status != GG_OK)
        return status;
    return gg_pairs_task_open(feed, out, options,
                              &(gg_pairs_recipe){.make = gg_pairs_make_sums,
                                                 .count = DRAWN,
                                                 .reversed = s.reversed,
                                                 .fact = {"variant", s.variant},
                                                 .build = build,
                                                 .shape = &s});
}
