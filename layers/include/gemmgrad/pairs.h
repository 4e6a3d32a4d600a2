/* gemmgrad/pairs.h - questions and answers as rows of character numbers: sums and dates, from files or made up here.
 *
 * The files are those of "Deep Learning from Scratch 2" (S. Goki, O'Reilly Japan 2018, chapter 7): a line for each
 * pair, the answer behind a `_`, both padded with blanks to one length:
 *     16+75  _91
 *     september 27, 1994           _1994-09-27
 * Thread-safe on different objects. On failure outputs are untouched and nothing stays allocated. */
#ifndef GEMMGRAD_PAIRS_H
#define GEMMGRAD_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/model.h>
#include <gemmgrad/source.h>
#include <gemmgrad/status.h>
#include <gemmgrad/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Longest line of a file. */
#define GG_PAIRS_LONGEST 1024

typedef struct gg_pairs {
    gg_characters characters; /* of both sides, with '_' and the blank */
    int64_t count;
    int64_t question_length;
    int64_t answer_length; /* with the `_` in front */
    int32_t *questions;    /* count x question_length */
    int32_t *answers;      /* count x answer_length */
} gg_pairs;

/* Read a file; shorter sides are padded with blanks to the longest, a CR before the end of a line is left out. Errors:
 * GG_ERR_ARGUMENT; GG_ERR_IO; GG_ERR_FORMAT (empty, no line of text, a line without exactly one `_` or with nothing
 * before or behind it, with a zero byte, or longer than GG_PAIRS_LONGEST); GG_ERR_MEMORY. The message names file and
 * line. */
GG_API gg_status gg_pairs_read(gg_pairs *out, const char *path);

/* The same from memory; `name` stands for the path in messages. */
GG_API gg_status gg_pairs_parse(gg_pairs *out, const char *text, int64_t size, const char *name);

/* `count` different sums of two numbers of up to three digits each, of which a + b and b + a count as one: up to
 * 500,500 (GG_ERR_ARGUMENT above). Each number has one to three digits, each digit equally likely. */
GG_API gg_status gg_pairs_make_sums(gg_pairs *out, int64_t count, uint64_t seed);

/* `count` days of 1970 to 2016, some perhaps twice, each written in one of four ways, with names in small, capital or
 * mixed letters: 2/10/93, Oct 1, 1972, october 1, 1972, SUNDAY, OCTOBER 1, 1972; the answer is 1972-10-01. */
GG_API gg_status gg_pairs_make_dates(gg_pairs *out, int64_t count, uint64_t seed);

GG_API void gg_pairs_free(gg_pairs *pairs);

/* ---- batches ----
 *
 * A tenth of the pairs, chosen by the seed and the same in all epochs, is held out for the test; the others are
 * shuffled every epoch. The decoder reads the answer but for its last character and is to say it but for its first,
 * `_`. Evaluation gives the mean loss of a character and the share of answers that are right as a whole when each
 * character is the most likely one after those before it (greedy decoding): that share needs no decoding step by step,
 * for such an answer is right exactly when every character is the most likely one after the right ones before it. */
typedef struct gg_pairs_options {
    const gg_pairs *pairs; /* the caller's, must outlive the source */
    bool reversed;         /* questions are read from their end */
    int64_t batch;
    gg_value question; /* int32 [GG_TIME, GG_BATCH] */
    gg_value given;    /* int32 [GG_TIME_2, GG_BATCH]: what the decoder reads */
    gg_value labels;   /* the same shape */
    gg_value scores;   /* [GG_TIME_2, GG_BATCH, characters], kept (gg_model_keep) */
    gg_value loss;     /* the mean over labels */
    uint64_t seed;
} gg_pairs_options;

typedef struct gg_pairs_batches gg_pairs_batches;

/* GG_ERR_ARGUMENT: fewer than two pairs, a batch below 1. GG_ERR_MEMORY. */
GG_API gg_status gg_pairs_batches_new(gg_pairs_batches **out, const gg_pairs_options *options);
GG_API void gg_pairs_batches_free(gg_pairs_batches *batches);

/* The source, whose facts are sizes, characters and order; lives as long as the batches. */
GG_API const gg_source *gg_pairs_source(const gg_pairs_batches *batches);

/* Pairs of the test part, and the number in `pairs` of one of them. */
GG_API int64_t gg_pairs_test_count(const gg_pairs_batches *batches);
GG_API int64_t gg_pairs_test_pair(const gg_pairs_batches *batches, int64_t i);

/* Answer test question i step by step, each character the most likely one, for a look: `answer` receives answer_length
 * character numbers, the first being `_`. */
GG_API gg_status gg_pairs_answer(int32_t *answer, gg_pairs_batches *batches, gg_model *model, int64_t i);

#ifdef __cplusplus
}
#endif
#endif
