/* pairs_lines.h - between pairs.c, which holds pairs, and pairs_made.c, which makes them up. */
#ifndef GEMMGRAD_PAIRS_LINES_H
#define GEMMGRAD_PAIRS_LINES_H

#include <gemmgrad/pairs.h>

/* The arrays for the count and lengths that are set. */
gg_status gg_pairs_allocate(gg_pairs *out);

/* Pair i from texts of known characters that fit the lengths; the answer begins with `_`. */
void gg_pairs_put(gg_pairs *pairs, int64_t i, const char *question, int64_t question_length, const char *answer,
                  int64_t answer_length);

#endif
