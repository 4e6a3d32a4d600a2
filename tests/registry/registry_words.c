/* registry_words.c - the layers of word vectors for the registry. */
#define SUPPORT_NO_MAIN
#include "registry.h"

#include <gemmgrad/sequence.h>
#include <gemmgrad/words.h>

#include "support.h"

enum { SET = 3, VOCABULARY = 7 };

static int vectors(twin *t, const char *name, const registry_sizes *s)
{
    return twin_input(t, name, 2, (int64_t[]){GG_BATCH, s->in}, TWIN_UNIFORM, -1.0, 1.0);
}

static int sets(twin *t, const char *name, const registry_sizes *s)
{
    return twin_input(t, name, 3, (int64_t[]){GG_BATCH, SET, s->in}, TWIN_UNIFORM, -1.0, 1.0);
}

static int marks(twin *t, const char *name)
{
    return twin_input(t, name, 2, (int64_t[]){GG_BATCH, SET}, TWIN_SOME_IGNORED, 0.0, 2.0);
}

static int add_mean(twin *t, int of)
{
    return twin_layer(t, gg_mean_rows(t->model, t->values[of].value),
                      (twin_value){.layer = &reference_mean_rows, .inputs = {of}, .input_count = 1, .out = SET});
}

static int add_loss(twin *t, int h, int e, int labels)
{
    const gg_value value =
        gg_negative_sampling_loss(t->model, t->values[h].value, t->values[e].value, t->values[labels].value);
    return twin_layer(
        t, value,
        (twin_value){
            .layer = &reference_negative_sampling_loss, .inputs = {h, e, labels}, .input_count = 3, .out = SET});
}

static int add_words(twin *t, const char *name, int rank, int64_t features)
{
    const int tokens = twin_input(t, name, rank, (int64_t[]){GG_BATCH, SET}, TWIN_SOME_IGNORED, 0.0, VOCABULARY);
    const gg_embedding_options o = {.init = GG_INIT_NORMAL, .init_scale = 0.5f, .sparse = true};
    return twin_layer(
        t, gg_embedding(t->model, t->values[tokens].value, VOCABULARY, features, &o),
        (twin_value){.layer = &reference_embedding, .inputs = {tokens}, .input_count = 1, .out = features});
}

/* The same set read twice: the second reader adds to the gradient of the first. */
int registry_mean_rows(twin *t, const registry_sizes *s)
{
    const int x = sets(t, "x", s), first = add_mean(t, x), second = add_mean(t, x);
    return twin_pair(t, &reference_multiply, twin_pair(t, &reference_multiply, first, second), vectors(t, "second", s));
}

int registry_negative_sampling(twin *t, const registry_sizes *s)
{
    const int h = vectors(t, "x", s), e = sets(t, "second", s);
    return add_loss(t, h, e, marks(t, "marks"));
}

/* Two losses over the same vectors of words, between layers with parameters. */
int registry_skip_gram(twin *t, const registry_sizes *s)
{
    const int x = vectors(t, "x", s);
    const int h = twin_pair(t, &reference_multiply, add_words(t, "words", 1, s->in), x);
    const int e = add_words(t, "neighbours", 2, s->in);
    const int first = add_loss(t, h, e, marks(t, "marks"));
    return twin_pair(t, &reference_add, first,
                     add_loss(t, twin_affine(t, h, s->in, GG_TANH, 0.0f), e, marks(t, "others")));
}
