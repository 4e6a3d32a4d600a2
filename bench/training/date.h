/* date.h - the network that reads dates: gemmgrad train date trains it, gemmgrad bench measures a step of it. */
#ifndef GEMMGRAD_BENCH_DATE_H
#define GEMMGRAD_BENCH_DATE_H

#include "pairs_task.h"

typedef struct gg_date {
    bool attends; /* with the context of an attention beside the decoder's state */
    gg_score_options score;
    int64_t embedding, hidden;
} gg_date;

/* The build of a recipe whose shape is a gg_date. */
void gg_date_build(gg_pairs_network *net, const void *date);

/* The multiply-adds of a pair, forward, in a network of these numbers of characters. */
int64_t gg_date_multiply_adds(const gg_date *date, const gg_pairs_network *net);

#endif
