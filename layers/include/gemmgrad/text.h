/* gemmgrad/text.h - texts as rows of character numbers, read in windows by parallel streams: what a character language
 * model is trained on.
 *
 * A character is a byte, so any file is a text. Arrays given out belong to the caller, who frees them with gg_free; on
 * failure outputs are untouched and nothing stays allocated. Thread-safe on different objects. */
#ifndef GEMMGRAD_TEXT_H
#define GEMMGRAD_TEXT_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/model.h>
#include <gemmgrad/source.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes of a regular file, with a zero byte behind the last. Errors: GG_ERR_ARGUMENT, GG_ERR_IO, GG_ERR_FORMAT (an
 * empty file), GG_ERR_MEMORY; the message names the path. */
GG_API gg_status gg_text_read(char **text, int64_t *size, const char *path);

/* ---- characters ---- */

#define GG_CHARACTERS_MOST 256
#define GG_CHARACTERS_TEXT (2 * GG_CHARACTERS_MOST + 1)

/* The different bytes of a text in ascending order; their places are their numbers. */
typedef struct gg_characters {
    int32_t count;
    unsigned char bytes[GG_CHARACTERS_MOST];
    int16_t numbers[GG_CHARACTERS_MOST]; /* of each byte; -1: it is none of these */
} gg_characters;

/* *out = those of `size` bytes, added to what *out has already ({0}: nothing). */
GG_API gg_status gg_characters_add(gg_characters *out, const char *text, int64_t size);

/* numbers[i] = the number of text[i]. GG_ERR_ARGUMENT for a byte that is none of the characters: the message says which
 * and where. */
GG_API gg_status gg_characters_encode(int32_t *numbers, const char *text, int64_t size,
                                      const gg_characters *characters);

/* Two hexadecimal digits for each byte, and back: to keep characters with a model. GG_ERR_FORMAT for a text that is not
 * made so. */
GG_API void gg_characters_save(char out[GG_CHARACTERS_TEXT], const gg_characters *characters);
GG_API gg_status gg_characters_load(gg_characters *out, const char *text);

/* ---- windows: truncated backpropagation through time ----
 *
 * `streams` readers start at places spread evenly over the text and go on side by side, `window` characters a step;
 * carried states go with them, gradients end at the window's start. Each character of the training part is the label of
 * the one before it once an epoch. Epoch e reads the text, closed to a ring, from a place that (seed, e) decides, so
 * that windows are cut elsewhere each time. The evaluation reads the test part from its first character to its last, in
 * the same way, and gives the mean loss over it and the share of right guesses. */
typedef struct gg_windows_options {
    const int32_t *text;             /* numbers of characters, or of anything: the caller's, must outlive the source */
    int64_t train_count, test_count; /* the test part follows the training part; 0: no evaluation */
    int64_t streams, window;         /* GG_BATCH and GG_TIME of the model */
    gg_value input, labels;          /* [GG_TIME, GG_BATCH] int32 each */
    gg_value scores, loss;           /* [GG_TIME, GG_BATCH, characters], and the mean over labels */
    uint64_t seed;
} gg_windows_options;

typedef struct gg_windows gg_windows;

/* GG_ERR_ARGUMENT: a part of fewer than two characters, streams or window below 1. GG_ERR_MEMORY. */
GG_API gg_status gg_windows_new(gg_windows **out, const gg_windows_options *options);
GG_API void gg_windows_free(gg_windows *windows);

/* The source, whose facts are the sizes above; lives as long as the windows. */
GG_API const gg_source *gg_windows_source(const gg_windows *windows);

#ifdef __cplusplus
}
#endif
#endif
