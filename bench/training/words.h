/* words.h - texts of words with single blanks between them. */
#ifndef GEMMGRAD_BENCH_WORDS_H
#define GEMMGRAD_BENCH_WORDS_H

#include <stdbool.h>
#include <string.h>

/* Whether `word`, which has no blanks and is not empty, is one of `words`. */
static inline bool gg_has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + length, word))
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

#endif
