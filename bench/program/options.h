/* options.h - the command line, strictly: a number is a number in its range, and whatever is wrong is named. */
#ifndef GEMMGRAD_BENCH_OPTIONS_H
#define GEMMGRAD_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <getopt.h>
#include <regex.h>

#include <gemmgrad/blas_backend.h>

/* Options without a short form start above every character. */
enum { GG_LONG_ONLY = 256 };

/* "gemmgrad VERB: message" and where to read on, to stderr; returns GG_EXIT_USAGE. */
int gg_usage_error(const char *verb, const char *format, ...) GG_PRINTF(2, 3);

/* For what getopt_long (with ':' first in its short options) answered with '?' or ':': names the argument and lists
 * what is allowed. Returns GG_EXIT_USAGE. */
int gg_option_error(const char *verb, int answer, char *const *argv, const struct option *options);

/* "gemmgrad VERB: " and the sentence of the last failed call, to stderr; returns GG_EXIT_FAILED. */
int gg_failure(const char *verb);

/* Text to a number. On false, stderr has said which option, which text and which range; *out is untouched. */
bool gg_parse_integer(int64_t *out, const char *verb, const char *option, const char *text, int64_t least,
                      int64_t most);
bool gg_parse_seed(uint64_t *out, const char *verb, const char *option, const char *text);
/* A finite number above 0 and at most `most`. */
bool gg_parse_positive(double *out, const char *verb, const char *option, const char *text, double most);

/* A finite number from 0 to `most`. */
bool gg_parse_from_zero(double *out, const char *verb, const char *option, const char *text, double most);

/* An extended regular expression for regexec without matches. *text: NULL before the first call, then the text of the
 * last good one; as long as it is not NULL, *out is to be freed with regfree. */
bool gg_parse_filter(regex_t *out, const char **text, const char *verb, const char *value);

#endif
