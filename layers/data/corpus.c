/* corpus.c - a text as words: a hash table finds them, a sort by count numbers them.
 *
 * The table holds, for each different word, where it stands first in the text, its length and its count. The text is
 * gone through twice: once to count, once to write the numbers of those that stay. */
#include <gemmgrad/words.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/text.h>

typedef struct entry {
    const char *start; /* NULL: an empty place */
    int64_t length, count;
    int32_t number; /* in the vocabulary; -1: left out */
} entry;

typedef struct table {
    entry *entries;
    int64_t room, used; /* room: a power of two, at least twice `used` */
} table;

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool belongs(char c)
{
    const unsigned char byte = (unsigned char)c;
    return byte >= 128 || (byte >= '0' && byte <= '9') || (small(c) >= 'a' && small(c) <= 'z') || byte == '\'';
}

/* The next word from *at on; its length, 0 at the end. */
static int64_t next_word(const char **at, const char *end)
{
    const char *start = *at;
    while (start < end && !belongs(*start))
        start++;
    const char *stop = start;
    while (stop < end && belongs(*stop))
        stop++;
    *at = start;
    return stop - start;
}

/* FNV-1a over small letters. */
static uint64_t hash(const char *word, int64_t length)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int64_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)small(word[i])) * 0x100000001b3u;
    return h;
}

/* By small letters, a word before its continuations. */
static int compare_letters(const char *a, int64_t a_length, const char *b, int64_t b_length)
{
    for (int64_t i = 0; i < a_length && i < b_length; i++) {
        const int x = (unsigned char)small(a[i]), y = (unsigned char)small(b[i]);
        if (x != y)
            return x - y;
    }
    return (a_length > b_length) - (a_length < b_length);
}

/* The word's place, or the empty one where it belongs. */
static entry *find(const table *t, const char *word, int64_t length)
{
    for (uint64_t i = hash(word, length);; i++) {
        entry *e = &t->entries[i & (uint64_t)(t->room - 1)];
        if (e->start == NULL || compare_letters(e->start, e->length, word, length) == 0)
            return e;
    }
}

static gg_status grow(table *t)
{
    table larger = {.room = t->room > 0 ? 2 * t->room : 1024, .used = t->used};
    void *entries = NULL;
    int64_t bytes = 0;
    gg_status status = gg_checked_multiply(&bytes, larger.room, (int64_t)sizeof *larger.entries);
    if (status == GG_OK)
        status = gg_alloc_zero(&entries, (size_t)bytes);
    if (status != GG_OK)
        return status;
    larger.entries = entries;
    for (int64_t i = 0; i < t->room; i++)
        if (t->entries[i].start != NULL)
            *find(&larger, t->entries[i].start, t->entries[i].length) = t->entries[i];
    gg_free(t->entries);
    *t = larger;
    return GG_OK;
}

static gg_status count_words(table *t, const char *text, int64_t size)
{
    const char *at = text, *end = text + size;
    for (int64_t length; (length = next_word(&at, end)) > 0; at += length) {
        const gg_status status = 2 * (t->used + 1) > t->room ? grow(t) : GG_OK;
        if (status != GG_OK)
            return status;
        entry *e = find(t, at, length);
        if (e->start == NULL) {
            *e = (entry){at, length, 0, -1};
            t->used++;
        }
        e->count++;
    }
    return GG_OK;
}

static int by_count(const void *a, const void *b)
{
    const entry *const *x = a, *const *y = b;
    if ((*x)->count != (*y)->count)
        return (*x)->count < (*y)->count ? 1 : -1;
    return compare_letters((*x)->start, (*x)->length, (*y)->start, (*y)->length);
}

/* What the result will hold. */
typedef struct sizes {
    int64_t words, tokens, letters;
} sizes;

/* The entries that stay, in order, with their numbers. */
static sizes choose(entry **kept, const table *t, int64_t least_count)
{
    sizes all = {0, 0, 0};
    for (int64_t i = 0; i < t->room; i++) {
        entry *e = &t->entries[i];
        if (e->start == NULL || e->count < least_count)
            continue;
        kept[all.words++] = e;
        all.tokens += e->count;
        all.letters += e->length + 1;
    }
    qsort(kept, (size_t)all.words, sizeof *kept, by_count);
    for (int64_t i = 0; i < all.words; i++)
        kept[i]->number = (int32_t)i;
    return all;
}

/* One arena: [ words: pointers | counts | tokens | letters ]. */
static gg_status allocate(gg_corpus *out, char **letters, const sizes *all)
{
    const size_t words = (size_t)all->words;
    const size_t bytes = words * (sizeof(char *) + sizeof(int64_t)) + (size_t)all->tokens * sizeof(int32_t)
                         + (size_t)all->letters; /* less than the table and the text, which are in memory */
    const gg_status status = gg_alloc(&out->memory, bytes);
    if (status != GG_OK)
        return status;
    out->words = all->words;
    out->tokens = all->tokens;
    out->word = out->memory;
    out->counts = (int64_t *)(void *)(out->word + words);
    out->token = (int32_t *)(void *)(out->counts + words);
    *letters = (char *)(out->token + all->tokens);
    return GG_OK;
}

static void fill(gg_corpus *out, char *letters, const table *t, entry *const *kept, const char *text, int64_t size)
{
    for (int64_t i = 0; i < out->words; i++) {
        out->word[i] = letters;
        out->counts[i] = kept[i]->count;
        for (int64_t c = 0; c < kept[i]->length; c++)
            *letters++ = small(kept[i]->start[c]);
        *letters++ = '\0';
    }
    const char *at = text, *end = text + size;
    int64_t n = 0;
    for (int64_t length; (length = next_word(&at, end)) > 0; at += length) {
        const int32_t number = find(t, at, length)->number;
        if (number >= 0)
            out->token[n++] = number;
    }
}

static gg_status build(gg_corpus *out, const table *t, const char *text, int64_t size, int64_t least_count,
                       const char *name)
{
    void *kept = NULL;
    char *letters = NULL;
    gg_corpus corpus = {.words = 0};
    gg_status status = gg_alloc(&kept, (size_t)t->used * sizeof(entry *));
    if (status != GG_OK)
        return status;
    const sizes all = choose(kept, t, least_count);
    if (all.words == 0)
        status = gg_fail(GG_ERR_FORMAT, "gg_corpus_read: '%.300s' has no word that occurs %lld times", name,
                         (long long)least_count);
    else if (all.words > INT32_MAX)
        status = gg_fail(GG_ERR_OVERFLOW, "gg_corpus_read: '%.300s' has more than %d different words", name, INT32_MAX);
    else
        status = allocate(&corpus, &letters, &all);
    if (status == GG_OK) {
        fill(&corpus, letters, t, kept, text, size);
        *out = corpus;
    }
    gg_free(kept);
    return status;
}

gg_status gg_corpus_parse(gg_corpus *out, const char *text, int64_t size, int64_t least_count, const char *name)
{
    if (out == NULL || name == NULL || size < 0 || (text == NULL && size > 0) || least_count < 1)
        return gg_fail(GG_ERR_ARGUMENT,
                       "gg_corpus_parse: an argument is NULL, the size negative or least_count below 1");
    table t = {.room = 0};
    gg_status status = count_words(&t, text, size);
    if (status == GG_OK && t.used == 0)
        status = gg_fail(GG_ERR_FORMAT, "gg_corpus_read: '%.300s' has no words", name);
    if (status == GG_OK)
        status = build(out, &t, text, size, least_count, name);
    gg_free(t.entries);
    return status;
}

gg_status gg_corpus_read(gg_corpus *out, const char *path, int64_t least_count)
{
    char *text = NULL;
    int64_t size = 0;
    if (out == NULL || path == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_corpus_read: %s is NULL", out == NULL ? "out" : "path");
    gg_status status = gg_text_read(&text, &size, path);
    if (status == GG_OK)
        status = gg_corpus_parse(out, text, size, least_count, path);
    gg_free(text);
    return status;
}

void gg_corpus_free(gg_corpus *corpus)
{
    if (corpus == NULL)
        return;
    gg_free(corpus->memory);
    *corpus = (gg_corpus){.words = 0};
}

int32_t gg_corpus_find(const gg_corpus *corpus, const char *word)
{
    if (corpus == NULL || word == NULL)
        return -1;
    for (int64_t i = 0; i < corpus->words; i++)
        if (strcmp(corpus->word[i], word) == 0)
            return (int32_t)i;
    return -1;
}
