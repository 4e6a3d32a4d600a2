/* registry_sequence.c - the layers over sequences for the registry, as networks over values [time, batch, in]. */
#define SUPPORT_NO_MAIN
#include "registry.h"

#include <gemmgrad/sequence.h>

#include "support.h"

enum { VOCABULARY = 7 };

int64_t registry_time(const registry_sizes *s)
{
    return s->rank == 3 ? s->time : 1 + s->in % 4;
}

static int sequence(twin *t, const char *name, int64_t features)
{
    return twin_input(t, name, 3, (int64_t[]){GG_TIME, GG_BATCH, features}, TWIN_UNIFORM, -2.0, 2.0);
}

static int tokens(twin *t)
{
    return twin_input(t, "tokens", 2, (int64_t[]){GG_TIME, GG_BATCH}, TWIN_SOME_IGNORED, 0.0, VOCABULARY);
}

static int add_embedding(twin *t, int of, int64_t features, bool sparse)
{
    const gg_embedding_options o = {.init = GG_INIT_NORMAL, .init_scale = 0.5f, .sparse = sparse};
    return twin_layer(t, gg_embedding(t->model, t->values[of].value, VOCABULARY, features, &o),
                      (twin_value){.layer = &reference_embedding, .inputs = {of}, .input_count = 1, .out = features});
}

int registry_embedding(twin *t, const registry_sizes *s)
{
    const int x = sequence(t, "x", s->in);
    return twin_pair(t, &reference_multiply, add_embedding(t, tokens(t), s->in, false), x);
}

/* Between dense parameters, so that its place in the flat arrays is another than in the order of making. */
int registry_embedding_sparse(twin *t, const registry_sizes *s)
{
    const int x = twin_affine(t, sequence(t, "x", s->in), s->out, GG_TANH, 0.0f);
    const int words = add_embedding(t, tokens(t), s->out, true);
    return twin_affine(t, twin_pair(t, &reference_multiply, words, x), s->in, GG_IDENTITY, 0.0f);
}

static int add_tied(twin *t, int x, int words, gg_activation f)
{
    const gg_affine_options o = {.activation = f, .tied_to = &t->values[words].value};
    const twin_value how = {.layer = &reference_affine,
                            .inputs = {x},
                            .input_count = 1,
                            .out = VOCABULARY,
                            .activation = f,
                            .tied = true,
                            .shares = words};
    return twin_layer(t, gg_affine(t->model, t->values[x].value, VOCABULARY, &o), how);
}

/* One table read by an embedding and by two affine layers, the second of which adds its gradient to the first's but has
 * a bias of its own. */
int registry_tied(twin *t, const registry_sizes *s)
{
    const int x = sequence(t, "x", s->in);
    const int words = add_embedding(t, tokens(t), s->in, false);
    const int h = twin_pair(t, &reference_add, words, x);
    const int first = add_tied(t, h, words, GG_IDENTITY), second = add_tied(t, x, words, GG_TANH);
    return twin_pair(t, &reference_multiply, first, second);
}

static int add_concatenate(twin *t, int a, int b)
{
    const gg_value values[] = {t->values[a].value, t->values[b].value};
    return twin_layer(t, gg_concatenate(t->model, values, 2),
                      (twin_value){.layer = &reference_concatenate, .inputs = {a, b}, .input_count = 2});
}

/* A value beside itself, and beside another. */
int registry_concatenate(twin *t, const registry_sizes *s)
{
    const int x = sequence(t, "x", s->in), second = sequence(t, "second", s->out);
    const int twice = add_concatenate(t, second, second);
    return twin_affine(t, add_concatenate(t, add_concatenate(t, x, twice), second), 3, GG_IDENTITY, 0.0f);
}

static int add_unary(twin *t, int x, gg_value value, const reference_layer *layer)
{
    return twin_layer(t, value, (twin_value){.layer = layer, .inputs = {x}, .input_count = 1});
}

int registry_repeat_time(twin *t, const registry_sizes *s)
{
    const int x = twin_input(t, "x", 2, (int64_t[]){GG_BATCH, s->in}, TWIN_UNIFORM, -2.0, 2.0);
    const int many = add_unary(t, x, gg_repeat_time(t->model, t->values[x].value, GG_TIME), &reference_repeat_time);
    return twin_pair(t, &reference_multiply, many, sequence(t, "second", s->in));
}

/* The first and the last step, which may be one. */
int registry_steps(twin *t, const registry_sizes *s)
{
    const int x = sequence(t, "x", s->in);
    const int first = add_unary(t, x, gg_first_step(t->model, t->values[x].value), &reference_first_step);
    const int last = add_unary(t, x, gg_last_step(t->model, t->values[x].value), &reference_last_step);
    return twin_pair(t, &reference_multiply, first, last);
}

int registry_variational_dropout(twin *t, const registry_sizes *s)
{
    const int x = sequence(t, "x", s->in);
    const twin_value how = {.layer = &reference_variational_dropout, .inputs = {x}, .input_count = 1, .ratio = 0.375f};
    return twin_layer(t, gg_variational_dropout(t->model, t->values[x].value, 0.375f), how);
}
