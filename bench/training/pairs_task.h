/* pairs_task.h - what the tasks of questions and answers share: the pairs, their batches, and answers shown. */
#ifndef GEMMGRAD_BENCH_PAIRS_TASK_H
#define GEMMGRAD_BENCH_PAIRS_TASK_H

#include "tasks.h"

/* What a recipe's build is given, what it adds, and what is added behind it. */
typedef struct gg_pairs_network {
    int64_t characters, asked, said; /* numbers of characters: kinds, and of a question and an answer */
    gg_model *model;
    gg_value question; /* labels [GG_TIME, GG_BATCH]: numbers of characters */
    gg_value given;    /* labels [GG_TIME_2, GG_BATCH]: the answer so far */
    /* by the recipe: */
    gg_value scores;       /* [GG_TIME_2, GG_BATCH, characters] */
    gg_value weights;      /* of the decoder's attention, [GG_BATCH, GG_TIME_2, GG_TIME]; GG_NO_VALUE: none */
    int64_t multiply_adds; /* of a pair, forward */
    /* behind it: */
    gg_value labels, loss; /* labels [GG_TIME_2, GG_BATCH]: the answer */
} gg_pairs_network;

typedef struct gg_pairs_recipe {
    gg_status (*make)(gg_pairs *out, int64_t count, uint64_t seed); /* the pairs, where no --data is given */
    int64_t count;                                                  /* of those */
    bool reversed;                                                  /* questions are read from their end */
    gg_metadata fact;                                               /* of the checkpoint */
    void (*build)(gg_pairs_network *net, const void *shape);        /* an error of the model is told by its plan */
    const void *shape;
} gg_pairs_recipe;

/* The recipe's model for the numbers of characters that *net has, not yet planned; scores and weights are kept. The
 * model, which is the caller's, may be there after an error, too. */
gg_status gg_pairs_network_build(gg_pairs_network *net, uint64_t seed, const gg_pairs_recipe *recipe);

/* The whole of a task's open; what *recipe points to is used only during the call, but for the texts of the fact.
 * Errors: those of the files, GG_ERR_FORMAT (too few pairs), GG_ERR_MEMORY; feed->close is then still to be called. */
gg_status gg_pairs_task_open(gg_feed *feed, gg_network *out, const gg_task_options *options,
                             const gg_pairs_recipe *recipe);

/* The multiply-adds of `steps` of an LSTM. */
int64_t gg_pairs_lstm_adds(int64_t steps, int64_t in, int64_t hidden);

#endif
