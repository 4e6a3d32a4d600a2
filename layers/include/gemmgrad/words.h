/* gemmgrad/words.h - texts as rows of word numbers, their neighbours as batches, and word vectors asked for meaning.
 *
 * A word is a longest run of letters, digits, apostrophes and bytes above 127; ASCII letters are made small.
 * Thread-safe on different objects; on failure outputs are untouched and nothing stays allocated.
 *
 * Sources: Mikolov, Chen, Corrado, Dean, "Efficient estimation of word representations in vector space", 2013; Mikolov,
 * Sutskever, Chen, Corrado, Dean, "Distributed representations of words and phrases and their compositionality", 2013.
 */
#ifndef GEMMGRAD_WORDS_H
#define GEMMGRAD_WORDS_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/model.h>
#include <gemmgrad/random.h>
#include <gemmgrad/source.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the text ---- */

typedef struct gg_corpus {
    int64_t words;     /* different ones: the vocabulary, most frequent first, equals by their letters */
    int64_t tokens;    /* words of the text in its order; rare ones are left out */
    const char **word; /* `words` zero-terminated strings */
    int64_t *counts;   /* of each, in descending order */
    int32_t *token;    /* `tokens` numbers of words */
    void *memory;      /* of all these */
} gg_corpus;

/* Read a text, leaving out words that occur fewer than least_count times. Free with gg_corpus_free. Errors:
 * GG_ERR_ARGUMENT (least_count below 1), GG_ERR_IO, GG_ERR_FORMAT (empty, or no word is left), GG_ERR_MEMORY; the
 * message names the path. */
GG_API gg_status gg_corpus_read(gg_corpus *out, const char *path, int64_t least_count);

/* The same from memory; `name` stands for the path in messages. */
GG_API gg_status gg_corpus_parse(gg_corpus *out, const char *text, int64_t size, int64_t least_count, const char *name);
GG_API void gg_corpus_free(gg_corpus *corpus);

/* Number of the word in small letters; -1: it is none of these. */
GG_API int32_t gg_corpus_find(const gg_corpus *corpus, const char *word);

/* ---- drawing by weight ---- */

/* A table from which number i is drawn with probability weights[i] / sum in constant time (Walker 1977, built as Vose
 * 1991 does). */
typedef struct gg_alias {
    int64_t count;
    float *keep;    /* column i is drawn with probability 1 / count, and then gives i with this one, */
    int32_t *other; /* or else this number */
} gg_alias;

/* Errors: GG_ERR_ARGUMENT (NULL, count below 1 or above INT32_MAX, a weight that is negative or not finite, all zero),
 * GG_ERR_MEMORY. */
GG_API gg_status gg_alias_make(gg_alias *out, const double *weights, int64_t count);
GG_API void gg_alias_free(gg_alias *alias);

/* Takes two words of random numbers, more where gg_random_below does. */
GG_API int32_t gg_alias_draw(const gg_alias *alias, gg_random *random);

/* ---- batches: a word and its neighbours ----
 *
 * Words in the middle of 2 `window` neighbours; an epoch visits each such place once, in `steps` rows over the text so
 * that a batch is spread over all of it. With subsample > 0 each word of relative frequency f takes part in an epoch
 * with probability min(1, sqrt(subsample / f) + subsample / f), decided by (seed, epoch), and neighbours are those that
 * are left. Negatives are drawn with count^0.75, anew for every place; one that is the word itself is drawn again. */
typedef enum gg_word_model { GG_CBOW = 0, GG_SKIP_GRAM } gg_word_model;

typedef struct gg_word_options {
    const gg_corpus *corpus; /* the caller's, must outlive the source */
    gg_word_model model;
    int64_t batch, window;
    int64_t negatives; /* for each right word; 0: full softmax */
    double subsample;  /* 0: none; 1e-3 to 1e-5 for large texts */
    uint64_t seed;
    /* CBOW [GG_BATCH, 2 window] neighbours, skip-gram [GG_BATCH] words: int32 */
    gg_value input;
    /* With negatives: int32 numbers of words, CBOW [GG_BATCH, 1 + negatives], the word first; skip-gram [GG_BATCH,
     * 2 window (1 + negatives)], so for each neighbour. Full softmax: CBOW int32 [GG_BATCH], the word; skip-gram float
     * [GG_BATCH, words], each neighbour's share. */
    gg_value targets;
    /* With negatives: int32 of the shape of targets: 1 right, 0 wrong, GG_IGNORE_LABEL not counted. */
    gg_value labels;
} gg_word_options;

typedef struct gg_word_batches gg_word_batches;

/* GG_ERR_ARGUMENT: sizes below 1, a text of no more than 2 window words. GG_ERR_MEMORY. */
GG_API gg_status gg_word_batches_new(gg_word_batches **out, const gg_word_options *options);
GG_API void gg_word_batches_free(gg_word_batches *batches);

/* The source: elements are words in the middle, nothing is evaluated, facts are the sizes. */
GG_API const gg_source *gg_word_source(const gg_word_batches *batches);

/* ---- layers ---- */

/* The mean of each set of vectors: [.., count, features] -> [.., features]; count is a number, not an axis. */
GG_API gg_value gg_mean_rows(gg_model *model, gg_value x);

/* The loss of negative sampling, a scalar: vectors h [.., features] against sets of others, e [.., count, features],
 * whose labels, int32 [.., count], are 1 (right), 0 (wrong) or GG_IGNORE_LABEL (not counted). The sum over all of them
 * of -log sigmoid(h . e) where right and -log(1 - sigmoid(h . e)) where wrong, divided by the number of right ones; 0
 * when there are none. */
GG_API gg_value gg_negative_sampling_loss(gg_model *model, gg_value h, gg_value e, gg_value labels);

/* ---- vectors asked for meaning ---- */

typedef struct gg_neighbour {
    int64_t word;
    float similarity; /* cosine, -1 .. 1; 0 for a vector of zeros */
} gg_neighbour;

/* The `top` rows of vectors (count x features, dense) most similar to `query` (features floats), the most similar
 * first, equals by number; rows named in `except` are passed over. *found <= top of them. Allocates count floats.
 * Errors: GG_ERR_ARGUMENT, GG_ERR_NUMERIC (NaN or infinity), GG_ERR_MEMORY. */
GG_API gg_status gg_most_similar(gg_neighbour *out, int64_t *found, int64_t top, const float *vectors,
                                 const float *query, const int64_t *except, int64_t except_count, int64_t count,
                                 int64_t features);

/* a is to b as c is to what? The rows most similar to b/|b| - a/|a| + c/|c|, but for these three. Allocates count +
 * features floats. Errors: as above. */
GG_API gg_status gg_analogy(gg_neighbour *out, int64_t *found, int64_t top, const float *vectors, int64_t a, int64_t b,
                            int64_t c, int64_t count, int64_t features);

#ifdef __cplusplus
}
#endif
#endif
