/* gemmgrad/tales.h - English that the library writes itself: a text to train on with no download. */
#ifndef GEMMGRAD_TALES_H
#define GEMMGRAD_TALES_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* text[0 .. size-1] = little tales, one after the other: somebody lives somewhere, wants something, meets somebody,
 * comes home. Their sentences are put together by (seed, place) alone: the same on every machine, and a longer text
 * begins with a shorter one. The text stops where `size` is reached; no zero byte follows. Plain ASCII of small
 * vocabulary, in which words that mean alike stand in like places. The array belongs to the caller; size = 0 does
 * nothing. Thread-safe on different outputs. GG_ERR_ARGUMENT: NULL with size > 0, a negative size. */
GG_API gg_status gg_tales_write(char *text, int64_t size, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
